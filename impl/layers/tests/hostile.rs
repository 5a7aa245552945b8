//! Archives that try to reach out of their root: nothing outside is made, changed or read, whatever becomes of them.

#[path = "support/mod.rs"]
mod support;

use drydock_layers::tar::{ArchiveError, Entry, Extent, Kind};
use drydock_layers::{Chain, Error, LayerId, Layers, unpack_into};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use support::{archive, directory, file, id, other};

type Entries = Vec<(Entry, Vec<u8>)>;

fn link(path: &str, target: &str) -> (Entry, Vec<u8>) {
    other(path, Kind::Symlink(target.into()))
}

fn hard_link(path: &str, target: &str) -> (Entry, Vec<u8>) {
    other(path, Kind::HardLink(target.into()))
}

/// Archives that are refused. `OUT` stands for the path of a directory outside.
fn refused() -> Vec<(&'static str, Entries)> {
    let mut lying_sparse = other("sparse", Kind::File);
    lying_sparse.0.size = 10;
    lying_sparse.0.extents = Some(vec![Extent { offset: 8, length: 8 }]);
    lying_sparse.1 = vec![1; 8];
    let deep = format!("{}x", "d/".repeat(3000));
    vec![
        ("a name that climbs", vec![file("../secret", "owned")]),
        ("a name that climbs further down", vec![file("a/../../secret", "owned")]),
        ("a name that climbs from the root", vec![file("/../secret", "owned")]),
        ("a directory that climbs", vec![directory("../outside/new/")]),
        ("a link that climbs, as a directory", vec![link("up", "../outside"), file("up/secret", "owned")]),
        (
            "links that climb by steps",
            vec![
                link("one", ".."),
                link("two", "one/.."),
                link("three", "two/../outside"),
                file("three/secret", "owned"),
            ],
        ),
        (
            "a link that climbs from a directory",
            vec![directory("a/"), link("a/up", "../../outside"), file("a/up/x", "")],
        ),
        ("a hard link that climbs", vec![hard_link("steal", "../outside/secret")]),
        ("a hard link through a link that climbs", vec![link("up", "../outside"), hard_link("steal", "up/secret")]),
        ("a hard link to a directory", vec![directory("a/"), hard_link("b", "a")]),
        ("a hard link to the root", vec![hard_link("b", ".")]),
        ("a hard link to nothing", vec![hard_link("b", "nothing")]),
        ("a whiteout of the parent", vec![file(".wh...", "")]),
        ("a whiteout of itself", vec![file("a/.wh..", "")]),
        ("a whiteout of nothing", vec![file("a/.wh.", "")]),
        ("a whiteout that climbs", vec![file("../.wh.outside", "")]),
        ("a whiteout through a link that climbs", vec![link("up", ".."), file("up/.wh.outside", "")]),
        ("an opaque mark through a link that climbs", vec![link("up", "../outside"), file("up/.wh..wh..opq", "")]),
        ("a link in a circle as a directory", vec![link("a", "b"), link("b", "a"), file("a/x", "")]),
        ("a file as a directory", vec![file("a", ""), file("a/x", "")]),
        ("a file in the place of the root", vec![file("./", "x")]),
        ("a name that is too long", vec![file(&"n".repeat(300), "")]),
        ("a path that is too long", vec![file(&deep, "")]),
        ("a reserved device", vec![other("gone", Kind::Character(0, 0))]),
        ("a sparse file that lies", vec![lying_sparse]),
        ("an empty link", vec![link("a", "")]),
    ]
}

/// Archives that mean something harmless when their root is taken for `/`.
fn contained(outside: &str) -> Vec<(&'static str, Entries)> {
    let mut grafting = directory("graft/");
    grafting.0.xattrs = vec![
        (b"trusted.overlay.redirect".to_vec(), b"/../../../outside".to_vec()),
        (b"trusted.overlay.opaque".to_vec(), b"y".to_vec()),
        (b"security.ima".to_vec(), b"x".to_vec()),
    ];
    vec![
        ("an absolute name", vec![file(&format!("{outside}/secret"), "owned")]),
        ("an absolute link as a directory", vec![link("out", outside), file("out/secret", "owned")]),
        ("an absolute link as a file", vec![link("secret", &format!("{outside}/secret")), file("secret", "owned")]),
        ("a climbing link in the place of a file", vec![link("secret", "../outside/secret"), file("secret", "owned")]),
        (
            "a climbing link in the place of a directory",
            vec![link("out", "../outside"), directory("out/"), file("out/secret", "x")],
        ),
        ("a climbing link that stays a link", vec![link("deep", "../../../../../../etc/passwd")]),
        (
            "a directory, then a link, then what was in it",
            vec![directory("d/"), file("d/secret", "1"), link("d", outside), file("d/secret", "owned")],
        ),
        ("attributes of overlayfs", vec![grafting]),
        (
            "a hard link to a symbolic link",
            vec![link("l", &format!("{outside}/secret")), hard_link("h", "l"), file("h", "owned")],
        ),
        ("a whiteout of an absolute link", vec![link("out", outside), file("out/.wh.secret", "")]),
        ("a hard link to itself", vec![file("a", "x"), hard_link("a", "./a")]),
        ("a link through /proc", vec![link("p", "/proc/self/root"), file("p/secret", "owned")]),
        ("names that are odd", vec![file("a\nb", ""), file("\u{1b}[31m", ""), file(" ", ""), file("...", "")]),
    ]
}

/// All that is told of the directory outside.
fn state(outside: &Path) -> Vec<(String, Vec<u8>, u32, i64, i64, u64)> {
    let mut found: Vec<_> = fs::read_dir(outside)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .chain([outside.to_owned()])
        .map(|path| {
            let of = fs::symlink_metadata(&path).unwrap();
            let content = fs::read(&path).unwrap_or_default();
            (path.display().to_string(), content, of.mode(), of.mtime(), of.ctime_nsec(), of.nlink())
        })
        .collect();
    found.sort();
    found
}

fn each_way(check: impl Fn(&str, &Path, &dyn Fn(&[u8]) -> Result<(), Error>)) {
    let root = tempfile::tempdir().unwrap();
    if let Some(reason) = support::lacks(drydock_layers::DriverKind::Vfs, root.path()) {
        eprintln!("SKIPPED: {reason}");
        return;
    }
    let outside = root.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("secret"), "untouched").unwrap();
    check("beneath a directory", &outside, &|archive| {
        let inside = tempfile::tempdir_in(root.path()).unwrap();
        unpack_into(inside.path(), archive).map(drop)
    });
    let layers = Layers::open(root.path(), None).unwrap();
    check("as a layer", &outside, &|archive| {
        let layer = layers.keep(layers.unpack(archive)?, LayerId(id(1)), &Chain::default())?;
        layer.write(&mut Vec::new())
    });
    assert_eq!(fs::read_dir(root.path().join("layers/staging")).unwrap().count(), 0);
    assert_eq!(fs::read_dir(root.path().join("layers/tree")).unwrap().count(), 0);
}

#[test]
fn what_reaches_out_or_makes_no_sense_is_refused() {
    each_way(|way, outside, unpack| {
        let before = state(outside);
        for (name, entries) in refused() {
            // Beneath a plain directory the names of whiteouts mean nothing.
            if way == "beneath a directory" && name.starts_with("a whiteout of") {
                continue;
            }
            let result = unpack(&archive(&entries));
            assert!(matches!(result, Err(Error::Archive(_))), "{name}, {way}: {result:?}");
            assert_eq!(state(outside), before, "{name}, {way}");
        }
    });
}

#[test]
fn what_climbs_out_is_told_as_such() {
    each_way(|way, _, unpack| {
        for (name, entries) in refused().into_iter().filter(|(name, _)| name.contains("climb")) {
            let result = unpack(&archive(&entries));
            assert!(matches!(result, Err(Error::Archive(ArchiveError::Escapes(_)))), "{name}, {way}: {result:?}");
        }
    });
}

#[test]
fn what_takes_its_root_for_the_root_stays_inside() {
    each_way(|way, outside, unpack| {
        let before = state(outside);
        for (name, entries) in contained(outside.to_str().unwrap()) {
            let result = unpack(&archive(&entries));
            assert!(result.is_ok(), "{name}, {way}: {result:?}");
            assert_eq!(state(outside), before, "{name}, {way}");
        }
    });
}

#[test]
fn headers_beyond_all_measure_cost_no_memory() {
    each_way(|way, _, unpack| {
        for kind in [b'x', b'g', b'L', b'K'] {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(tar::EntryType::new(kind));
            header.set_size(1 << 40);
            header.set_cksum();
            let result = unpack(header.as_bytes());
            assert!(matches!(result, Err(Error::Archive(ArchiveError::Malformed(_)))), "{kind}, {way}: {result:?}");
        }
    });
}
