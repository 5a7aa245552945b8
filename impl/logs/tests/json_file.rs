//! The json-file log, byte by byte as the genuine daemons wrote it, and everything that may happen to such a file.

use drydock_core::Timestamp;
use drydock_logs::{Flushed, LogConfig, Query, Reader, Stream, Tail, Watch, Writer, open, read};
use proptest::prelude::*;
use rustix::event::{PollFd, PollFlags, poll};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use tempfile::TempDir;

struct Log {
    config: LogConfig,
    _directory: TempDir,
}

impl Log {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let config = LogConfig {
            driver: "json-file".into(),
            path: directory.path().join("c-json.log"),
            container_id: "0123456789abcdef".repeat(4),
            container_name: "c".into(),
            ..LogConfig::default()
        };
        Self { config, _directory: directory }
    }

    fn holding(content: &str) -> Self {
        let log = Self::new();
        fs::write(&log.config.path, content).unwrap();
        log
    }

    fn writer(&self) -> Box<dyn Writer> {
        open(&self.config).unwrap()
    }

    fn content(&self) -> String {
        fs::read_to_string(&self.config.path).unwrap()
    }

    fn read(&self, query: Query) -> Vec<(Stream, String)> {
        told(&mut read(&self.config, query).unwrap())
    }

    fn text(&self, query: Query) -> String {
        self.read(query).into_iter().map(|(_, text)| text).collect()
    }
}

fn told(reader: &mut Reader) -> Vec<(Stream, String)> {
    let mut lines: Vec<(Stream, String)> = Vec::new();
    while let Some(entry) = reader.next().unwrap() {
        let mut text = Vec::new();
        entry.push_text(&mut text);
        assert_eq!(text.len(), entry.len());
        let text = String::from_utf8(text).unwrap();
        match lines.last_mut() {
            Some((_, line)) if !entry.begins_line() => line.push_str(&text),
            _ => lines.push((entry.stream(), text)),
        }
    }
    lines
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix(1_433_160_000 + seconds, 0).unwrap()
}

fn line(text: &str, stream: &str, second: i64) -> String {
    format!("{{\"log\":\"{text}\",\"stream\":\"{stream}\",\"time\":\"2015-06-01T12:00:{second:02}Z\"}}\n")
}

#[test]
fn a_log_is_what_the_genuine_daemon_wrote() {
    let log = Log::new();
    let mut writer = log.writer();
    let out = b"plain\n\ntab\there\ncr\r\nprogress\rdone\nnul\0mid\nbell\x07 esc\x1b[1m del\x7f\nquote \" backslash \\ slash / amp & lt < gt >\nunicode \xc3\xa9 \xe2\x98\x83 \xf0\x9d\x84\x9e nbsp\xc2\xa0 ls\xe2\x80\xa8 ps\xe2\x80\xa9 bom\xef\xbb\xbf\ninvalid \xc3( \xff\xfe cut \xe2\x98\ntwo\nlines\n spaces  \npart";
    writer.write(Stream::Stdout, out, at(0)).unwrap();
    writer.write(Stream::Stderr, b"error\n", at(1)).unwrap();
    writer.write(Stream::Stdout, b" rest\nno newline at the end", at(2)).unwrap();
    writer.close(at(3)).unwrap();
    // daemon/log-file `file` of 1.7.1, with times of ours.
    let expected: String = [
        ("plain", 0),
        ("", 0),
        ("tab\\u0009here", 0),
        ("cr\\r", 0),
        ("progress\\rdone", 0),
        ("nul\\u0000mid", 0),
        ("bell\\u0007 esc\\u001b[1m del\u{7f}", 0),
        ("quote \\\" backslash \\\\ slash / amp \\u0026 lt \\u003c gt \\u003e", 0),
        ("unicode é ☃ 𝄞 nbsp\u{a0} ls\\u2028 ps\\u2029 bom\u{feff}", 0),
        ("invalid \\ufffd( \\ufffd\\ufffd cut \\ufffd\\ufffd", 0),
        ("two", 0),
        ("lines", 0),
        (" spaces  ", 0),
        ("error", 1),
        ("part rest", 2),
        ("no newline at the end", 3),
    ]
    .into_iter()
    .map(|(text, second)| line(&format!("{text}\\n"), if text == "error" { "stderr" } else { "stdout" }, second))
    .collect();
    assert_eq!(log.content(), expected);
    assert_eq!(fs::metadata(&log.config.path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn an_unfinished_line_is_not_in_the_log_until_it_ends() {
    let log = Log::new();
    let mut writer = log.writer();
    writer.write(Stream::Stdout, b"whole\npart", at(0)).unwrap();
    assert_eq!(writer.flush().unwrap(), Flushed::All);
    assert_eq!(log.text(Query::default()), "whole\n");
    assert_eq!(writer.position(), Some(log.content().len() as u64));
    writer.end(Stream::Stdout, at(1)).unwrap();
    writer.flush().unwrap();
    assert_eq!(log.text(Query::default()), "whole\npart\n");
}

#[test]
fn a_line_of_many_megabytes_is_one_line_and_never_in_memory() {
    let log = Log::new();
    let mut writer = log.writer();
    let piece = [b"\xe2\x98\x83<\"".as_slice(), &[b'x'; 1 << 16]].concat();
    let pieces = 16 * 16;
    for count in 0..pieces {
        // Cut in the middle of a character.
        let (first, second) = piece.split_at(count % 4);
        writer.write(Stream::Stdout, first, at(0)).unwrap();
        writer.write(Stream::Stdout, second, at(0)).unwrap();
        writer.write(Stream::Stderr, b"meanwhile\n", at(1)).unwrap();
    }
    writer.write(Stream::Stdout, b"\nafter", at(2)).unwrap();
    writer.close(at(3)).unwrap();
    assert_eq!(log.content().lines().count(), pieces + 2);
    assert!(resident_kib() < 64 << 10, "{} KiB", resident_kib());

    let mut reader = read(&log.config, Query { stderr: false, ..Query::default() }).unwrap();
    let (mut bytes, mut begun, mut last, mut largest) = (0, 0, Vec::new(), 0);
    while let Some(entry) = reader.next().unwrap() {
        last.clear();
        entry.push_text(&mut last);
        bytes += last.len();
        begun += usize::from(entry.begins_line());
        largest = largest.max(last.len());
        assert_eq!(entry.time(), if begun == 1 { at(2) } else { at(3) });
    }
    assert_eq!((bytes, begun), (pieces * piece.len() + 1 + "after\n".len(), 2));
    assert_eq!(last, b"after\n");
    assert!(largest <= 1 << 20);

    let whole = log.text(Query { tail: Tail::Lines(2), ..Query::default() });
    let expected = [String::from_utf8(piece).unwrap().repeat(pieces), "\nafter\n".into()].concat();
    assert!(whole == expected);
    assert!(log.text(Query { since: Some(at(3)), ..Query::default() }) == "after\n");
}

/// Of the whole test process: a bound on its parts.
fn resident_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim_end_matches("kB").trim().parse().unwrap()
}

#[test]
fn the_last_lines_are_counted_before_streams_and_times_are_chosen() {
    let log = Log::holding(&[line("1\\n", "stdout", 1), line("2\\n", "stderr", 2), line("3\\n", "stdout", 3)].concat());
    let tail = |lines| Query { tail: Tail::Lines(lines), ..Query::default() };
    assert_eq!(log.text(tail(0)), "");
    assert_eq!(log.text(tail(2)), "2\n3\n");
    assert_eq!(log.text(tail(9)), "1\n2\n3\n");
    assert_eq!(log.text(Query { stderr: false, ..tail(2) }), "3\n");
    assert_eq!(log.text(Query { since: Some(at(3)), ..tail(2) }), "3\n");
    assert_eq!(log.text(Query { stdout: false, ..Query::default() }), "2\n");
    assert_eq!(log.text(Query { since: Some(at(2)), ..Query::default() }), "2\n3\n");
}

#[test]
fn a_reader_with_an_end_sees_nothing_behind_it() {
    let first = line("1\\n", "stdout", 1);
    let log = Log::holding(&[first.clone(), line("2\\n", "stdout", 2)].concat());
    let until = Some(first.len() as u64);
    assert_eq!(log.text(Query { until, ..Query::default() }), "1\n");
    assert_eq!(log.text(Query { until, tail: Tail::Lines(1), ..Query::default() }), "1\n");
}

#[test]
fn a_follower_is_woken_by_each_write_and_misses_nothing() {
    let log = Log::new();
    let mut writer = log.writer();
    writer.write(Stream::Stdout, b"before\n", at(0)).unwrap();
    writer.flush().unwrap();
    let watch = Watch::new(&log.config).unwrap();
    let mut reader = read(&log.config, Query::default()).unwrap();
    assert_eq!(told(&mut reader), [(Stream::Stdout, "before\n".to_owned())]);
    let lines = 5000;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..lines {
                writer.write(Stream::Stderr, format!("{number}\n").as_bytes(), at(0)).unwrap();
                writer.flush().unwrap();
            }
        });
        let mut seen = Vec::new();
        while seen.len() < lines {
            poll(&mut [PollFd::new(&watch, PollFlags::IN)], None).unwrap();
            watch.drain().unwrap();
            seen.extend(told(&mut reader).into_iter().map(|(_, text)| text));
        }
        assert_eq!(seen, (0..lines).map(|number| format!("{number}\n")).collect::<Vec<_>>());
    });
}

#[test]
fn a_torn_line_waits_and_the_next_writer_cuts_it_off() {
    let whole = line("1\\n", "stdout", 1);
    let second = line("2\\n", "stdout", 2);
    let log = Log::holding(&[whole.as_str(), &second[..20]].concat());
    let mut reader = read(&log.config, Query::default()).unwrap();
    assert_eq!(told(&mut reader).len(), 1);
    fs::write(&log.config.path, [whole.as_str(), &second].concat()).unwrap();
    assert_eq!(told(&mut reader), [(Stream::Stdout, "2\n".to_owned())]);

    fs::write(&log.config.path, [whole.as_str(), &second[..20]].concat()).unwrap();
    let mut writer = log.writer();
    writer.write(Stream::Stdout, b"3\n", at(3)).unwrap();
    writer.close(at(3)).unwrap();
    assert_eq!(log.content(), [whole, line("3\\n", "stdout", 3)].concat());
}

#[test]
fn lines_that_are_none_are_left_out() {
    // daemon/log-file-corrupt; the genuine daemons stop at the first of these and lose the rest.
    let log = Log::holding(
        &[
            line("a\\n", "stdout", 1),
            "not json\n".into(),
            "\n".into(),
            line("bad \\x\\n", "stdout", 1),
            line("b\\n", "stdout", 1),
        ]
        .concat(),
    );
    assert_eq!(log.text(Query::default()), "a\nb\n");
}

#[test]
fn a_log_that_is_gone_is_empty_and_one_that_comes_is_read() {
    let log = Log::new();
    let mut reader = read(&log.config, Query::default()).unwrap();
    assert!(reader.next().unwrap().is_none());
    fs::write(&log.config.path, line("a\\n", "stdout", 1)).unwrap();
    assert_eq!(told(&mut reader).len(), 1);
}

#[test]
fn a_log_that_someone_empties_goes_on() {
    let log = Log::new();
    let mut writer = log.writer();
    writer.write(Stream::Stdout, b"a long first line\n", at(0)).unwrap();
    writer.flush().unwrap();
    let mut reader = read(&log.config, Query::default()).unwrap();
    assert_eq!(told(&mut reader).len(), 1);
    fs::File::options().write(true).open(&log.config.path).unwrap().set_len(0).unwrap();
    assert!(told(&mut reader).is_empty());
    writer.write(Stream::Stdout, b"b\n", at(0)).unwrap();
    writer.flush().unwrap();
    assert_eq!(told(&mut reader), [(Stream::Stdout, "b\n".to_owned())]);
}

#[test]
fn a_full_disk_loses_lines_and_never_tears_one() {
    // A file size limit stands for the full disk; it is the process's, so the test runs alone in a child.
    const CHILD: &str = "DRYDOCK_TEST_FULL_DISK";
    let Some(path) = std::env::var_os(CHILD) else {
        let log = Log::new();
        let child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "a_full_disk_loses_lines_and_never_tears_one"])
            .env(CHILD, &log.config.path)
            .output()
            .unwrap();
        assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
        return;
    };
    let config = LogConfig { driver: "json-file".into(), path: path.into(), ..LogConfig::default() };
    let mut writer = open(&config).unwrap();
    writer.write(Stream::Stdout, b"whole\n", at(0)).unwrap();
    writer.flush().unwrap();
    let whole = writer.position().unwrap();
    nix::sys::resource::setrlimit(nix::sys::resource::Resource::RLIMIT_FSIZE, whole + 100, whole + 100).unwrap();
    // The default action of SIGXFSZ would end us.
    let mut blocked = nix::sys::signal::SigSet::empty();
    blocked.add(nix::sys::signal::Signal::SIGXFSZ);
    blocked.thread_block().unwrap();
    writer.write(Stream::Stdout, &b"0123456789\n".repeat(20), at(0)).unwrap();
    writer.flush().unwrap_err();
    assert_eq!(writer.position(), Some(whole));
    writer.write(Stream::Stdout, b"fits\n", at(0)).unwrap();
    writer.flush().unwrap();
    let mut reader = read(&config, Query::default()).unwrap();
    assert_eq!(told(&mut reader).into_iter().map(|(_, text)| text).collect::<String>(), "whole\nfits\n");
}

#[test]
fn nothing_is_left_beside_the_log() {
    let log = Log::new();
    let mut writer = log.writer();
    writer.write(Stream::Stdout, &[b'x'; 1 << 20], at(0)).unwrap();
    drop(writer);
    let names: Vec<_> =
        fs::read_dir(log.config.path.parent().unwrap()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["c-json.log"]);
    assert_eq!(fs::metadata(&log.config.path).unwrap().size(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn what_is_written_in_any_pieces_is_read_back(
        pieces in prop::collection::vec((any::<bool>(), "[ -~é☃\n\t\\\\\"\u{2028}]{0,40}"), 0..30),
        repeat in 1_usize..4000,
        tail in prop::option::of(0_u64..20),
    ) {
        let log = Log::new();
        let mut writer = log.writer();
        let mut lines = Vec::new();
        let mut unfinished = [String::new(), String::new()];
        for (stderr, text) in &pieces {
            let stream = Stream::BOTH[usize::from(*stderr)];
            let text = if text.contains('\n') { text.clone() } else { text.repeat(repeat) };
            writer.write(stream, text.as_bytes(), at(0)).unwrap();
            for part in text.split_inclusive('\n') {
                let line = &mut unfinished[stream.index()];
                line.push_str(part);
                if part.ends_with('\n') {
                    lines.push((stream, std::mem::take(line)));
                }
            }
        }
        writer.close(at(0)).unwrap();
        for (stream, line) in Stream::BOTH.into_iter().zip(unfinished) {
            if !line.is_empty() {
                lines.push((stream, line + "\n"));
            }
        }
        let skip = tail.map_or(0, |tail| lines.len().saturating_sub(tail as usize));
        let query = Query { tail: tail.map_or(Tail::All, Tail::Lines), ..Query::default() };
        prop_assert!(log.read(query) == lines[skip..]);
    }
}
