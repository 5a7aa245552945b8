//! The daemon is killed, or a call fails, at every named point of every change: what was there before is there, or all
//! of what was to come; never a part, and nothing lies about.

mod support;

use drydock_images::{Error, Images, NewImage};
use drydock_layers::Error as LayerError;
use std::path::Path;
use std::process::Command;
use support::{Archive, delete, family, id, layer, on_disk, open, tagging, told};

const POINTS: [&str; 8] = [
    "images.load.read",
    "images.before-commit",
    "images.after-commit",
    "layers.keep",
    "layers.remove",
    "layers.sync",
    "layers.trash",
    "layers.unpacked",
];

const ACTIONS: [&str; 5] = ["load", "tag", "delete", "import", "load-again"];

/// What is there before each action: images 1 ← 9, `base:latest` is 9.
fn prepare(root: &Path) {
    let archive = Archive::new()
        .image(id(9), Some(id(1)), &layer("base", "base"))
        .image(id(1), None, &layer("a", "1"))
        .repositories(serde_json::json!({"base": {"latest": id(9)}}))
        .done();
    open(root).load(&archive[..]).unwrap();
}

fn act(images: &Images, action: &str) -> Result<(), Error> {
    match action {
        "load" => images.load(&family()[..]).map(drop),
        "tag" => images.tag("base", "tagged", "new", false, &tagging()).map(drop),
        "delete" => images.delete(&delete("base"), &Vec::new).map(drop),
        "import" => images.create(&NewImage::default(), &layer("imported", "i")[..]).map(drop),
        _ => images.load(&family()[..]).and_then(|_| images.load(&family()[..])).map(drop),
    }
}

/// What is compared: ids of imports are chance.
fn state(images: &Images, action: &str) -> Vec<String> {
    if action == "import" { vec![images.count().to_string()] } else { told(images) }
}

fn check_nothing_lies_about(images: &Images, root: &Path) {
    let all = images.list(&drydock_images::Query { all: true, ..Default::default() });
    let layers: std::collections::HashSet<_> = all.iter().filter_map(|listed| listed.image.layer).collect();
    assert_eq!(on_disk(root), layers.len());
    for listed in all {
        let mut bytes = Vec::new();
        images.save(&[listed.image.id.to_string()]).unwrap().write(&mut bytes).unwrap();
    }
    for name in ["staging", "trash"] {
        assert_eq!(std::fs::read_dir(root.join("layers").join(name)).unwrap().count(), 0, "{name}");
    }
}

/// Not a test of its own: the process that is killed.
#[test]
fn process_that_is_killed() {
    let (Some(root), Ok(action)) = (std::env::var_os("CRASH_ROOT"), std::env::var("CRASH_ACTION")) else { return };
    // Opened by hand: the sweep removes things, and is not what is to be killed.
    let layers = drydock_layers::Layers::open(root.as_ref(), Some(drydock_layers::DriverKind::Vfs)).unwrap();
    let images = Images::open(root.as_ref(), layers).unwrap();
    match act(&images, &action) {
        Ok(()) => println!("DONE"),
        Err(error) => println!("FAILED {error:?}"),
    }
}

/// Runs the action with the fault armed: whether the fault came, and whether the action was acknowledged.
fn run(root: &Path, action: &str, fault: &str) -> (bool, bool) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "process_that_is_killed", "--nocapture", "--test-threads=1"])
        .env("CRASH_ROOT", root)
        .env("CRASH_ACTION", action)
        .env("DRYDOCK_FAULT", fault)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    (!output.status.success() || said.contains("FAILED"), said.contains("DONE"))
}

fn each_fault(kind: &str) {
    let mut came = 0;
    for action in ACTIONS {
        let after = {
            let root = tempfile::tempdir().unwrap();
            prepare(root.path());
            let images = open(root.path());
            act(&images, action).unwrap();
            state(&images, action)
        };
        for point in POINTS {
            for hit in 1.. {
                let root = tempfile::tempdir().unwrap();
                prepare(root.path());
                let before = state(&open(root.path()), action);
                let (faulted, acknowledged) = run(root.path(), action, &format!("{point}@{hit}={kind}"));
                let images = open(root.path());
                let found = state(&images, action);
                let context = format!("{action}, {point}@{hit}={kind}");
                assert!(found == before || found == after || action == "load-again", "{context}: {found:?}");
                assert!(!acknowledged || found == after, "{context}: acknowledged and lost");
                check_nothing_lies_about(&images, root.path());
                let repeated = act(&images, action);
                let done_already = action != "import" && found == after;
                assert!(repeated.is_ok() || done_already, "{context}: {repeated:?}");
                if action != "import" {
                    assert_eq!(state(&images, action), after, "{context}");
                }
                if !faulted {
                    break;
                }
                came += 1;
            }
        }
    }
    assert!(came > 20, "only {came} faults came");
}

#[test]
fn a_kill_at_any_point_leaves_all_or_nothing() {
    if let Some(reason) = support::lacks() {
        eprintln!("SKIPPED: {reason}");
        return;
    }
    each_fault("kill");
}

#[test]
fn a_failed_call_at_any_point_leaves_all_or_nothing() {
    if let Some(reason) = support::lacks() {
        eprintln!("SKIPPED: {reason}");
        return;
    }
    each_fault("fail:28");
}

/// A small disk of its own; unmounted when dropped.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn new(size: &str) -> Self {
        let at = tempfile::tempdir().unwrap();
        let options = std::ffi::CString::new(format!("size={size}")).unwrap();
        let flags = rustix::mount::MountFlags::empty();
        rustix::mount::mount("tmpfs", at.path(), "tmpfs", flags, options.as_c_str()).unwrap();
        Self(at)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        rustix::mount::unmount(self.0.path(), rustix::mount::UnmountFlags::DETACH).unwrap();
    }
}

#[test]
fn a_full_disk_is_told_and_leaves_the_store_as_it_was() {
    if let Some(reason) = support::lacks() {
        eprintln!("SKIPPED: {reason}");
        return;
    }
    let disk = SmallDisk::new("12m");
    let root = disk.0.path();
    prepare(root);
    let images = open(root);
    let before = told(&images);
    let large = |number: u8, length| {
        let content: Vec<u8> = (0..length).map(|at: u32| (at % 255 + 1) as u8).collect();
        Archive::new().image(id(number), None, &Archive::new().file("large", content).done()).done()
    };
    let free = || rustix::fs::statvfs(root).unwrap().f_bfree;
    let free_before = free();
    let error = images.load(&large(5, 16 << 20)[..]).unwrap_err();
    assert!(matches!(error, Error::Layers(LayerError::Full { .. })), "{error:?}");
    assert_eq!((told(&images), free()), (before.clone(), free_before));
    let error = images.create(&NewImage::default(), &layer("l", &"x".repeat(16 << 20))[..]).unwrap_err();
    assert!(matches!(error, Error::Layers(LayerError::Full { .. })), "{error:?}");
    check_nothing_lies_about(&images, root);
    // Not one block: what fails now is the metadata, or nothing.
    let filler = std::fs::File::create(root.join("filler")).unwrap();
    let fills = std::iter::from_fn(|| std::io::Write::write(&mut &filler, &[7; 4096]).ok().filter(|n| *n > 0)).count();
    assert!(fills > 0);
    let names: Vec<String> = (0..2000).map(|number| format!("name{number}")).collect();
    let tagged: Vec<&String> = names
        .iter()
        .take_while(|name| match images.tag("base", name, "x", false, &tagging()) {
            Ok(_) => true,
            Err(Error::Full { .. }) => false,
            Err(error) => panic!("{error:?}"),
        })
        .collect();
    assert!(tagged.len() < names.len(), "the disk never was full");
    drop(filler);
    std::fs::remove_file(root.join("filler")).unwrap();
    images.tag("base", "again", "x", false, &tagging()).unwrap();
    images.load(&family()[..]).unwrap();
    drop(images);
    let images = open(root);
    for name in &tagged {
        assert_eq!(images.find(&format!("{name}:x")).unwrap().id, id(9));
    }
    images.find("again:x").unwrap();
    check_nothing_lies_about(&images, root);
}
