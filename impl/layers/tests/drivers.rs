//! What every storage driver has to do. A new driver is one more line at the end.

#[path = "support/mod.rs"]
mod support;

use drydock_layers::tar::{Entry, Extent, Kind, Time};
use drydock_layers::{Chain, Change, DirectoryTimes, DriverKind, Graft, LayerId, Layers};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use support::{archive, chain, directory, entries, file, id, keep, other, paths};

/// All kinds of entries and attributes, in the order in which a tree is packed.
fn everything() -> Vec<(Entry, Vec<u8>)> {
    let long = format!("{}/{}", "d".repeat(120), "f".repeat(200));
    let mut capable = file("capable", "x");
    // VFS_CAP_REVISION_2 with CAP_NET_RAW.
    let capability = [1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0].to_vec();
    capable.0.xattrs = vec![
        (b"security.capability".to_vec(), capability),
        (b"trusted.thing".to_vec(), vec![0, 1, 2]),
        (b"user.text".to_vec(), b"hello\0there".to_vec()),
    ];
    let mut owned = file("owned", "o");
    (owned.0.uid, owned.0.gid, owned.0.mode) = (3_000_000_000, 12, 0o6755);
    let mut exact = file("time", "t");
    exact.0.modified = Time { seconds: 1_234_567_890, nanos: 123_456_789 };
    let mut old = file("old", "t");
    old.0.modified = Time { seconds: -5, nanos: 250_000_000 };
    let mut sticky = directory("tmp/");
    (sticky.0.mode, sticky.0.gid) = (0o1777, 7);
    let mut sparse = other("sparse", Kind::File);
    (sparse.0.size, sparse.0.mode) = (10 << 20, 0o600);
    sparse.0.extents = Some(vec![Extent { offset: 4 << 20, length: 1 << 20 }]);
    sparse.1 = vec![7; 1 << 20];
    let mut all = vec![
        capable,
        directory(&format!("{}/", "d".repeat(120))),
        file(&long, "deep"),
        directory("dev/"),
        other("dev/block", Kind::Block(8, 1)),
        other("dev/fifo", Kind::Fifo),
        other("dev/null", Kind::Character(1, 3)),
        file("empty", ""),
        file("first", "two names"),
        other("link", Kind::Symlink(b"nowhere/at/all".to_vec())),
        other("longlink", Kind::Symlink(vec![b'l'; 300])),
        old,
        owned,
        other("second", Kind::HardLink(b"first".to_vec())),
        sparse,
        exact,
        sticky,
    ];
    for (entry, _) in &mut all {
        match entry.kind {
            Kind::Symlink(_) => entry.mode = 0o777,
            Kind::HardLink(_) => entry.mode = 0o644,
            _ => {}
        }
    }
    all
}

fn everything_survives_the_round_trip(driver: DriverKind, root: &Path) {
    let layers = Layers::open(root, Some(driver)).unwrap();
    let packed = archive(&everything());
    let layer = keep(&layers, 1, &packed, &Chain::default());
    let mut again = Vec::new();
    layer.write(&mut again).unwrap();
    assert_eq!(entries(&again).len(), everything().len());
    for ((entry, content), (expected, expected_content)) in entries(&again).into_iter().zip(everything()) {
        assert_eq!(entry, expected);
        assert!(content == expected_content, "the content of {entry:?}");
    }
    assert_eq!(again.len() as u64, layer.archive_length().unwrap());
    let mut exported = Vec::new();
    let rootfs = layers.create_rootfs(id(100), &Chain::new(vec![layer.clone()])).unwrap();
    rootfs.export(&mut exported).unwrap();
    let exported = entries(&exported);
    for (entry, content) in everything().into_iter().filter(|(entry, _)| entry.path != b"dev/") {
        assert!(exported.iter().any(|found| *found == (entry.clone(), content.clone())), "{entry:?}");
    }
    assert_eq!(rootfs.changes(DirectoryTimes::Ignored).unwrap(), []);
    let other_store = tempfile::tempdir_in(root).unwrap();
    let elsewhere = keep(&Layers::open(other_store.path(), Some(driver)).unwrap(), 1, &again, &Chain::default());
    let mut third = Vec::new();
    elsewhere.write(&mut third).unwrap();
    assert!(third == again, "the same layer packs to other bytes");
    rootfs.remove().unwrap();
}

fn holes_stay_holes_on_disk(driver: DriverKind, root: &Path) {
    let layers = Layers::open(root, Some(driver)).unwrap();
    let mut zeros = other("zeros", Kind::File);
    (zeros.0.size, zeros.1) = (8 << 20, vec![0; 8 << 20]);
    let chain = chain(&layers, &[archive(&everything()), archive(&[zeros])]);
    let rootfs = layers.create_rootfs(id(100), &chain).unwrap();
    let at = tempfile::tempdir_in(root).unwrap();
    let mount = rootfs.mount(at.path()).unwrap();
    let sparse = fs::metadata(at.path().join("sparse")).unwrap();
    assert_eq!(sparse.len(), 10 << 20);
    assert!(sparse.blocks() * 512 < 2 << 20);
    assert!(fs::metadata(at.path().join("zeros")).unwrap().blocks() < 64);
    let content = fs::read(at.path().join("sparse")).unwrap();
    assert!(content[..4 << 20].iter().chain(&content[5 << 20..]).all(|byte| *byte == 0));
    assert!(content[4 << 20..5 << 20].iter().all(|byte| *byte == 7));
    drop(mount);
    rootfs.remove().unwrap();
}

fn whiteouts_take_away_what_lies_beneath(driver: DriverKind, root: &Path) {
    let layers = Layers::open(root, Some(driver)).unwrap();
    let lowest = archive(&[
        directory("a/"),
        file("a/one", "1"),
        file("a/two", "2"),
        directory("b/"),
        file("b/old", "o"),
        file("c", "c"),
        directory("d/"),
        file("d/in", "i"),
    ]);
    let middle = archive(&[
        file("a/.wh.one", ""),
        directory("b/"),
        file("b/.wh..wh..opq", ""),
        file("b/new", "n"),
        file(".wh.c", ""),
        file(".wh.d", ""),
        file(".wh..wh.aufs", "ignored"),
    ]);
    let top = archive(&[directory("d/"), file("d/fresh", "f"), directory("c/"), file("a/one", "again")]);
    let chain = chain(&layers, &[lowest, middle.clone(), top]);
    let mut again = Vec::new();
    chain.layers()[1].write(&mut again).unwrap();
    let mut again = paths(&again);
    again.sort();
    assert_eq!(again, [".wh.c", ".wh.d", "a/", "a/.wh.one", "b/", "b/.wh..wh..opq", "b/new"]);
    let rootfs = layers.create_rootfs(id(100), &chain).unwrap();
    let at = tempfile::tempdir_in(root).unwrap();
    let mount = rootfs.mount(at.path()).unwrap();
    let names = |path: &str| {
        let mut names: Vec<_> = fs::read_dir(at.path().join(path))
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    assert_eq!(names("a"), ["one", "two"]);
    assert_eq!(names("b"), ["new"]);
    assert_eq!(names("c"), [""; 0]);
    assert_eq!(names("d"), ["fresh"]);
    drop(mount);
    let mut exported = Vec::new();
    rootfs.export(&mut exported).unwrap();
    let exported = paths(&exported);
    for path in ["a/one", "a/two", "b/new", "c/", "d/fresh"] {
        assert!(exported.contains(&path.to_owned()), "{path} in {exported:?}");
    }
    assert!(!exported.iter().any(|path| path.contains(".wh.") || path == "b/old" || path == "d/in"), "{exported:?}");
    rootfs.remove().unwrap();
}

fn a_directory_that_only_its_files_imply_keeps_its_attributes(driver: DriverKind, root: &Path) {
    let layers = Layers::open(root, Some(driver)).unwrap();
    let mut private = directory("private/");
    (private.0.mode, private.0.uid) = (0o2700, 33);
    let mut top = directory("./");
    (top.0.mode, top.0.gid) = (0o751, 5);
    let chain = chain(&layers, &[archive(&[top, private]), archive(&[file("private/deep/er", "x")])]);
    let rootfs = layers.create_rootfs(id(100), &chain).unwrap();
    let at = tempfile::tempdir_in(root).unwrap();
    let mount = rootfs.mount(at.path()).unwrap();
    let seen = fs::metadata(at.path().join("private")).unwrap();
    assert_eq!((seen.mode() & 0o7777, seen.uid(), seen.mtime()), (0o2700, 33, 1_420_070_400));
    assert_eq!(fs::metadata(at.path().join("private/deep")).unwrap().mode() & 0o7777, 0o755);
    let seen = fs::metadata(at.path()).unwrap();
    assert_eq!((seen.mode() & 0o7777, seen.gid()), (0o751, 5));
    drop(mount);
    rootfs.remove().unwrap();
}

fn a_hard_link_to_a_file_of_a_lower_layer_joins_both_names(driver: DriverKind, root: &Path) {
    let layers = Layers::open(root, Some(driver)).unwrap();
    let mut target = file("bin/tool", "tool");
    (target.0.mode, target.0.uid) = (0o4755, 3);
    let upper = archive(&[other("bin/alias", Kind::HardLink(b"bin/tool".to_vec()))]);
    let chain = chain(&layers, &[archive(&[target]), upper]);
    let rootfs = layers.create_rootfs(id(100), &chain).unwrap();
    let at = tempfile::tempdir_in(root).unwrap();
    let mount = rootfs.mount(at.path()).unwrap();
    let of = |name: &str| fs::metadata(at.path().join("bin").join(name)).unwrap();
    assert_eq!(of("alias").ino(), of("tool").ino());
    assert_eq!((of("alias").mode() & 0o7777, of("alias").uid()), (0o4755, 3));
    assert_eq!(fs::read(at.path().join("bin/alias")).unwrap(), b"tool");
    drop(mount);
    rootfs.remove().unwrap();
    let to_nothing = archive(&[other("x", Kind::HardLink(b"nothing".to_vec()))]);
    let unpacked = layers.unpack(&to_nothing[..]).unwrap();
    assert!(layers.keep(unpacked, LayerId(id(50)), &chain).is_err());
    assert!(layers.get(LayerId(id(50))).is_none());
}

/// The commands of `life/changes`, and what 1.7.1 tells of them.
fn changes_are_told_as_recorded(driver: DriverKind, root: &Path) {
    let layers = Layers::open(root, Some(driver)).unwrap();
    let image = archive(&[
        directory("data/"),
        file("data/f", "one\n"),
        other("data/h", Kind::HardLink(b"data/f".to_vec())),
        other("data/l", Kind::Symlink(b"f".to_vec())),
        directory("data/sub/"),
        file("data/sub/x", ""),
        directory("etc/"),
        file("etc/issue", "Welcome\n"),
        file("etc/passwd", "root"),
        directory("home/"),
        directory("home/op/"),
        directory("mnt/"),
        file("noexec", "#!/bin/sh\n"),
        directory("opt/"),
        file("script", "echo\n"),
        directory("tmp/"),
        directory("var/"),
        directory("var/tmp/"),
    ]);
    let rootfs = layers.create_rootfs(id(100), &chain(&layers, &[image])).unwrap();
    assert_eq!(rootfs.changes(DirectoryTimes::Count).unwrap(), []);
    let at = tempfile::tempdir_in(root).unwrap();
    let mount = rootfs.mount(at.path()).unwrap();
    let path = |name: &str| at.path().join(name);
    let mode = |name: &str, mode| fs::set_permissions(path(name), fs::Permissions::from_mode(mode)).unwrap();
    let touch = |name: &str| fs::File::open(path(name)).unwrap().set_modified(std::time::SystemTime::now()).unwrap();
    fs::write(path("data/added"), "new\n").unwrap();
    fs::write(path("data/f"), "one\nmore\n").unwrap();
    mode("opt", 0o700);
    touch("mnt");
    fs::write(path("var/tmp/t"), "").unwrap();
    fs::remove_file(path("var/tmp/t")).unwrap();
    fs::create_dir_all(path("n/e/w")).unwrap();
    symlink("/nowhere", path("data/link")).unwrap();
    fs::remove_dir_all(path("data/sub")).unwrap();
    fs::write(path("data/sub"), "file\n").unwrap();
    fs::remove_file(path("data/l")).unwrap();
    fs::create_dir(path("data/l")).unwrap();
    fs::write(path("data/l/in"), "x\n").unwrap();
    fs::hard_link(path("data/added"), path("data/hard")).unwrap();
    std::os::unix::fs::chown(path("script"), Some(5), Some(5)).unwrap();
    fs::write(path("tmp/copy"), "c").unwrap();
    fs::write(path("etc/issue"), "changed\n").unwrap();
    fs::rename(path("noexec"), path("moved")).unwrap();
    fs::remove_dir_all(path("home")).unwrap();
    fs::create_dir(path("home")).unwrap();
    mode("etc/passwd", 0o600);
    mode("etc/passwd", 0o644);
    let changes = |times| -> Vec<String> {
        let letter = |change: Change| format!("{}{}", ["C", "A", "D"][change.kind as usize], change.path);
        rootfs.changes(times).unwrap().into_iter().map(letter).collect()
    };
    let expected = [
        "C/data",
        "A/data/added",
        "C/data/f",
        "C/data/h",
        "A/data/hard",
        "C/data/l",
        "A/data/l/in",
        "A/data/link",
        "C/data/sub",
        "C/etc",
        "C/etc/issue",
        "C/home",
        "D/home/op",
        "A/moved",
        "A/n",
        "A/n/e",
        "A/n/e/w",
        "D/noexec",
        "C/opt",
        "C/script",
        "C/tmp",
        "A/tmp/copy",
    ];
    // overlayfs breaks hard links when it copies up: the other name of a written file is as it was.
    let expected: Vec<&str> =
        expected.into_iter().filter(|line| driver == DriverKind::Vfs || *line != "C/data/h").collect();
    assert_eq!(changes(DirectoryTimes::Ignored), expected);
    let counted = changes(DirectoryTimes::Count);
    assert!(counted.contains(&"C/mnt".to_owned()) && counted.contains(&"C/var/tmp".to_owned()), "{counted:?}");
    drop(mount);
    let size = |name: &str| u64::try_from(name.len()).unwrap();
    let files = size("new\n") + size("one\nmore\n") + size("file\n") + size("x\n") + size("/nowhere");
    let files = files + size("c") + size("changed\n") + size("#!/bin/sh\n") + size("echo\n");
    assert_eq!(rootfs.size().unwrap(), files);
    rootfs.remove().unwrap();
}

fn a_diff_over_the_same_image_makes_the_same_tree(driver: DriverKind, root: &Path) {
    let layers = Layers::open(root, Some(driver)).unwrap();
    let image =
        chain(&layers, &[archive(&everything()), archive(&[directory("home/"), file("home/a", "a"), file("x", "")])]);
    let rootfs = layers.create_rootfs(id(100), &image).unwrap();
    let at = tempfile::tempdir_in(root).unwrap();
    let mount = rootfs.mount(at.path()).unwrap();
    let path = |name: &str| at.path().join(name);
    fs::remove_dir_all(path("home")).unwrap();
    fs::create_dir(path("home")).unwrap();
    fs::write(path("home/b"), "b").unwrap();
    fs::remove_file(path("x")).unwrap();
    fs::create_dir(path("x")).unwrap();
    fs::remove_file(path("capable")).unwrap();
    fs::write(path("owned"), "rewritten").unwrap();
    fs::write(path("tmp/.wh.no"), "a name that no layer can hold").unwrap();
    drop(mount);
    let mut diff = Vec::new();
    rootfs.diff(&mut diff).unwrap();
    assert_eq!(paths(&diff), [".wh.capable", "home/", "home/.wh.a", "home/b", "owned", "tmp/", "x/"]);
    let committed = keep(&layers, 77, &diff, &image);
    let mut second = image.clone();
    second.push(committed);
    let second = layers.create_rootfs(id(101), &second).unwrap();
    let tree = |rootfs: &drydock_layers::Rootfs| {
        let mut bytes = Vec::new();
        rootfs.export(&mut bytes).unwrap();
        let skip = |path: &[u8]| {
            [&b"etc/"[..], b"dev/", b".docker", b"proc/", b"sys/", b"tmp/"].iter().any(|p| path.starts_with(p))
        };
        entries(&bytes).into_iter().filter(|(entry, _)| !skip(&entry.path)).collect::<Vec<_>>()
    };
    assert!(tree(&second) == tree(&rootfs));
    rootfs.remove().unwrap();
    second.remove().unwrap();
}

fn more_than_a_hundred_layers_lie_over_one_another(driver: DriverKind, root: &Path) {
    let layers = Layers::open(root, Some(driver)).unwrap();
    let archives: Vec<_> = (0..130)
        .map(|number| archive(&[file(&format!("own{number}"), ""), file("shared", &number.to_string())]))
        .collect();
    let chain = chain(&layers, &archives);
    let rootfs = layers.create_rootfs(id(200), &chain).unwrap();
    let at = tempfile::tempdir_in(root).unwrap();
    let mount = rootfs.mount(at.path()).unwrap();
    assert_eq!(fs::read_to_string(at.path().join("shared")).unwrap(), "129");
    assert!((0..130).all(|number| at.path().join(format!("own{number}")).exists()));
    drop(mount);
    rootfs.remove().unwrap();
}

fn every_container_has_files_to_mount_over(driver: DriverKind, root: &Path) {
    let layers = Layers::open(root, Some(driver)).unwrap();
    let mut etc = directory("etc/");
    etc.0.mode = 0o750;
    let image = archive(&[
        etc,
        file("etc/hosts", "the image's"),
        directory("etc/hostname/"),
        other("dev", Kind::Symlink(b"/etc".to_vec())),
        directory("proc/"),
    ]);
    for (number, chain) in [chain(&layers, &[image]), Chain::default()].into_iter().enumerate() {
        let container = id(100 + u8::try_from(number).unwrap());
        let rootfs = layers.create_rootfs(container, &chain).unwrap();
        let at = tempfile::tempdir_in(root).unwrap();
        let mount = rootfs.mount(at.path()).unwrap();
        for name in ["dev/pts", "dev/shm", "proc", "sys"] {
            assert!(fs::symlink_metadata(at.path().join(name)).unwrap().is_dir(), "{name}");
        }
        for name in [".dockerenv", ".dockerinit", "dev/console", "etc/hosts", "etc/resolv.conf"] {
            let found = fs::symlink_metadata(at.path().join(name)).unwrap();
            assert!(found.is_file() && found.len() == 0 && found.mode() & 0o7777 == 0o755, "{name}");
        }
        assert_eq!(fs::read_link(at.path().join("etc/mtab")).unwrap(), Path::new("/proc/mounts"));
        assert_eq!(
            fs::metadata(at.path().join("etc")).unwrap().mode() & 0o7777,
            if number == 0 { 0o750 } else { 0o755 }
        );
        assert_eq!(fs::metadata(at.path().join("etc/hostname")).unwrap().is_dir(), number == 0);
        drop(mount);
        assert_eq!(rootfs.changes(DirectoryTimes::Count).unwrap(), []);
        rootfs.remove().unwrap();
    }
}

/// `life/copy`: what of it needs no daemon.
fn paths_are_copied_as_recorded(driver: DriverKind, root: &Path) {
    let layers = Layers::open(root, Some(driver)).unwrap();
    let image = archive(&[
        directory("etc/"),
        file("etc/passwd", "root"),
        other("loop", Kind::Symlink(b"/loop".to_vec())),
        directory("t/"),
        other("t/abs", Kind::Symlink(b"/t/dir".to_vec())),
        other("t/dangling", Kind::Symlink(b"nowhere".to_vec())),
        directory("t/dir/"),
        directory("t/dir/inner/"),
        file("t/dir/two", "two\n"),
        other("t/dlink", Kind::Symlink(b"dir".to_vec())),
        file("t/file", "one\n"),
        other("t/flink", Kind::Symlink(b"file".to_vec())),
        other("t/up", Kind::Symlink(b"../../../../etc/passwd".to_vec())),
        directory("vol/"),
    ]);
    let rootfs = layers.create_rootfs(id(100), &chain(&layers, &[image])).unwrap();
    let copied = |path: &str, grafts: &[Graft]| {
        let mut bytes = Vec::new();
        rootfs.copy(path, "root", grafts).map(|copy| copy.write(&mut bytes).unwrap()).map(|()| paths(&bytes))
    };
    for (path, expected) in [
        ("/t/file", &["file"][..]),
        ("t/file/.", &["file"]),
        ("../../t/../t//file/", &["file"]),
        ("/t/flink", &["file"]),
        ("/t/dir", &["dir/", "dir/inner/", "dir/two"]),
        ("/t/dlink/", &["dir/", "dir/inner/", "dir/two"]),
        ("/t/dir/inner/..", &["dir/", "dir/inner/", "dir/two"]),
        ("/t/abs/two", &["two"]),
        ("/t/up", &["passwd"]),
    ] {
        assert_eq!(copied(path, &[]).unwrap(), expected, "{path}");
    }
    assert!(copied("/", &[]).unwrap().contains(&"root/t/dir/two".to_owned()));
    for path in ["/t/dangling", "/nothing", "/t/file/under"] {
        assert!(matches!(rootfs.copy(path, "", &[]), Err(drydock_layers::Error::NoSuchPath(_))), "{path}");
    }
    assert!(matches!(rootfs.copy("/loop", "", &[]), Err(drydock_layers::Error::PathLoop(_))));
    let host = tempfile::tempdir_in(root).unwrap();
    fs::create_dir(host.path().join("sub")).unwrap();
    fs::write(host.path().join("sub/v"), "v").unwrap();
    let grafts = [
        Graft { at: "/vol".into(), source: host.path().into() },
        Graft { at: "/vol/sub/v".into(), source: "/etc/passwd".into() },
        Graft { at: "/etc/hosts".into(), source: "/etc/hostname".into() },
    ];
    assert_eq!(copied("/vol/sub", &grafts).unwrap(), ["sub/", "sub/v"]);
    assert_eq!(copied("/vol", &grafts).unwrap(), ["vol/", "vol/sub/", "vol/sub/v"]);
    assert_eq!(copied("/etc/hosts", &grafts).unwrap(), ["hosts"]);
    let all = copied("/", &grafts).unwrap();
    assert!(all.contains(&"root/vol/sub/v".to_owned()) && all.contains(&"root/etc/hosts".to_owned()), "{all:?}");
    rootfs.remove().unwrap();
}

fn layers_go_with_the_last_that_needs_them(driver: DriverKind, root: &Path) {
    let layers = Layers::open(root, Some(driver)).unwrap();
    let image = chain(&layers, &[archive(&[file("a", "a")]), archive(&[file("b", "b")])]);
    let top = LayerId(id(2));
    image.layers().iter().for_each(drydock_layers::Layer::retain);
    let rootfs = layers.create_rootfs(id(100), &image).unwrap();
    image.layers().iter().for_each(drydock_layers::Layer::release);
    drop(image);
    assert!(layers.get(top).is_some(), "a container lies on it");
    drop((rootfs, layers));
    // A restart: the image is gone, the container is there.
    let layers = Layers::open(root, Some(driver)).unwrap();
    layers.sweep(&[id(100)]).unwrap();
    assert!(layers.get(top).is_some());
    let rootfs = layers.rootfs(id(100)).unwrap();
    let mut exported = Vec::new();
    rootfs.export(&mut exported).unwrap();
    assert!(paths(&exported).contains(&"b".to_owned()));
    rootfs.remove().unwrap();
    assert!(layers.get(top).is_none());
    assert_eq!(fs::read_dir(root.join("layers/tree")).unwrap().count(), 0);
    assert_eq!(fs::read_dir(root.join("layers/trash")).unwrap().count(), 0);
}

fn the_sweep_takes_what_nobody_knows(driver: DriverKind, root: &Path) {
    let layers = Layers::open(root, Some(driver)).unwrap();
    let image = chain(&layers, &[archive(&[file("a", "a")]), archive(&[file("b", "b")])]);
    image.layers().iter().for_each(drydock_layers::Layer::retain);
    let known = layers.create_rootfs(id(100), &image).unwrap();
    layers.create_rootfs(id(101), &image).unwrap();
    fs::create_dir_all(root.join("layers/tree").join(id(9).to_string()).join("diff")).unwrap();
    fs::create_dir_all(root.join("layers/staging/half/diff")).unwrap();
    drop((known, image, layers));
    let layers = Layers::open(root, Some(driver)).unwrap();
    let known = layers.rootfs(id(100)).unwrap();
    layers.sweep(&[id(100)]).unwrap();
    assert!(matches!(layers.rootfs(id(101)), Err(drydock_layers::Error::NoSuchRootfs(_))));
    assert_eq!(fs::read_dir(root.join("layers/tree")).unwrap().count(), 2);
    assert_eq!(fs::read_dir(root.join("layers/staging")).unwrap().count(), 0);
    known.remove().unwrap();
}

macro_rules! suite {
    ($($driver:ident: $($test:ident)*;)*) => {$(
        mod $driver {
            $(#[test]
            fn $test() {
                let driver = drydock_layers::DriverKind::from_name(stringify!($driver)).unwrap();
                let root = tempfile::tempdir().unwrap();
                if let Some(reason) = crate::support::lacks(driver, root.path()) {
                    eprintln!("SKIPPED: {reason}");
                    return;
                }
                crate::$test(driver, root.path());
            })*
        }
    )*};
}

macro_rules! every_driver {
    ($($driver:ident)*) => {
        suite! {$($driver:
            everything_survives_the_round_trip
            holes_stay_holes_on_disk
            whiteouts_take_away_what_lies_beneath
            a_directory_that_only_its_files_imply_keeps_its_attributes
            a_hard_link_to_a_file_of_a_lower_layer_joins_both_names
            changes_are_told_as_recorded
            a_diff_over_the_same_image_makes_the_same_tree
            more_than_a_hundred_layers_lie_over_one_another
            every_container_has_files_to_mount_over
            paths_are_copied_as_recorded
            layers_go_with_the_last_that_needs_them
            the_sweep_takes_what_nobody_knows;
        )*}
    };
}

every_driver! { overlay vfs }
