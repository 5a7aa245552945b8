//! The journald driver against a real systemd-journald, read back with journalctl. In a mount namespace of its own, so
//! that the machine's journal is not touched.

use drydock_core::Timestamp;
use drydock_logs::{LogConfig, Stream, Writer, open};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

const JOURNALD: &str = "/lib/systemd/systemd-journald";
const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

struct Journal(Child);

impl Drop for Journal {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// On the calling thread's own `/run`. `None`: the machine has no journal to test with, and that was said.
fn journal() -> Option<Journal> {
    if !Path::new(JOURNALD).exists() {
        eprintln!("SKIPPED: {JOURNALD} is not installed");
        return None;
    }
    if let Err(error) = unshare(CloneFlags::CLONE_NEWNS) {
        eprintln!("SKIPPED: a mount namespace is not to be had ({error}); this test needs root");
        return None;
    }
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>).unwrap();
    for path in ["/run", "/var/log"] {
        mount(Some("tmpfs"), path, Some("tmpfs"), MsFlags::empty(), None::<&str>).unwrap();
    }
    std::fs::create_dir_all("/run/log/journal").unwrap();
    if std::fs::metadata("/etc/machine-id").map_or(0, |metadata| metadata.len()) == 0 {
        std::fs::write("/run/machine-id", "0123456789abcdef0123456789abcdef\n").unwrap();
        mount(Some("/run/machine-id"), "/etc/machine-id", None::<&str>, MsFlags::MS_BIND, None::<&str>).unwrap();
    }
    let journal = Journal(Command::new(JOURNALD).stderr(std::process::Stdio::null()).spawn().unwrap());
    until(|| Path::new("/run/systemd/journal/socket").exists());
    Some(journal)
}

fn until(condition: impl Fn() -> bool) {
    let patience = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < patience, "in vain");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn entries(filter: &str) -> Vec<serde_json::Value> {
    let journalctl =
        Command::new("journalctl").args(["-D", "/run/log/journal", "-o", "json", "--all", filter]).output().unwrap();
    let text = String::from_utf8(journalctl.stdout).unwrap();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

#[test]
fn a_real_journal_has_each_line_with_the_documented_fields() {
    std::thread::spawn(|| {
        let Some(_journal) = journal() else { return };
        let config = LogConfig {
            driver: "journald".into(),
            container_id: ID.into(),
            container_name: "ld".into(),
            ..LogConfig::default()
        };
        let mut writer: Box<dyn Writer> = open(&config).unwrap();
        let large = "x".repeat(250_000);
        let at = Timestamp::now();
        writer.write(Stream::Stdout, b"out\n\nbad \xff nul \0 end\n", at).unwrap();
        writer.write(Stream::Stderr, format!("err\n{large}\nno newline").as_bytes(), at).unwrap();
        writer.close(at).unwrap();

        until(|| entries("CONTAINER_NAME=ld").len() == 6);
        let entries = entries("CONTAINER_NAME=ld");
        let bytes: Vec<u8> = b"bad \xff nul \0 end".to_vec();
        let messages = [
            ("6", "out".into()),
            ("6", "".into()),
            ("6", serde_json::json!(bytes)),
            ("3", "err".into()),
            ("3", serde_json::Value::from(large)),
            ("3", "no newline".into()),
        ];
        for (entry, (priority, message)) in entries.iter().zip(messages) {
            assert_eq!(entry["MESSAGE"], message);
            assert_eq!(entry["PRIORITY"], priority);
            assert_eq!((&entry["CONTAINER_ID"], &entry["CONTAINER_ID_FULL"]), (&"0123456789ab".into(), &ID.into()));
            assert_eq!(entry["_TRANSPORT"], "journal");
        }
    })
    .join()
    .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
}
