//! Archives of other writers are read, and other readers read ours.

#[path = "support/mod.rs"]
mod support;

use drydock_layers::tar::{Entry, Extent, Kind, Reader, Time, Writer};
use drydock_layers::{pack_directory, unpack_into};
use proptest::prelude::*;
use std::fs;
use std::io::{BufReader, Read, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::process::Command;

/// GNU tar, or a word that it is missing.
fn gnu_tar(arguments: &[&str], directory: &Path) -> Option<Vec<u8>> {
    let output = Command::new("tar").args(arguments).current_dir(directory).output();
    let Ok(output) = output else {
        eprintln!("SKIPPED: no tar program");
        return None;
    };
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    Some(output.stdout)
}

fn make_tree(at: &Path) {
    let long = at.join("d".repeat(110)).join("e".repeat(140));
    fs::create_dir_all(&long).unwrap();
    fs::write(long.join("f".repeat(200)), "deep").unwrap();
    let sparse = fs::File::create(at.join("sparse")).unwrap();
    for piece in 0..40 {
        sparse.write_all_at(&[piece + 1; 4096], u64::from(piece) * 100_000 / 4096 * 4096).unwrap();
    }
    sparse.set_len(5 << 20).unwrap();
    fs::write(at.join("plain"), vec![b'p'; 100_000]).unwrap();
    fs::hard_link(at.join("plain"), at.join("same")).unwrap();
    std::os::unix::fs::symlink("x".repeat(150), at.join("link")).unwrap();
    let time = std::time::UNIX_EPOCH + std::time::Duration::new(1_234_567_890, 123_456_789);
    fs::File::open(at.join("plain")).unwrap().set_modified(time).unwrap();
}

fn compare(a: &Path, b: &Path, nanoseconds: bool) {
    let names = |at: &Path| {
        let mut names: Vec<_> = fs::read_dir(at).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    assert_eq!(names(a), names(b));
    for name in names(a) {
        let (a, b) = (a.join(&name), b.join(&name));
        let (of_a, of_b) = (fs::symlink_metadata(&a).unwrap(), fs::symlink_metadata(&b).unwrap());
        assert_eq!((of_a.mode(), of_a.uid(), of_a.nlink()), (of_b.mode(), of_b.uid(), of_b.nlink()), "{name:?}");
        assert_eq!(of_a.mtime(), of_b.mtime(), "{name:?}");
        assert!(!nanoseconds || of_a.mtime_nsec() == of_b.mtime_nsec(), "{name:?}");
        if of_a.is_dir() {
            compare(&a, &b, nanoseconds);
        } else if of_a.is_symlink() {
            assert_eq!(fs::read_link(a).unwrap(), fs::read_link(b).unwrap());
        } else {
            assert!(fs::read(a).unwrap() == fs::read(b).unwrap(), "the content of {name:?}");
        }
    }
}

#[test]
fn every_form_that_gnu_tar_writes_is_read() {
    let from = tempfile::tempdir().unwrap();
    make_tree(from.path());
    for (arguments, nanoseconds) in [
        (&["--format=gnu"][..], false),
        (&["--format=gnu", "-S"], false),
        (&["--format=posix"], true),
        (&["--format=posix", "-S", "--sparse-version=0.0"], true),
        (&["--format=posix", "-S", "--sparse-version=0.1"], true),
        (&["--format=posix", "-S", "--sparse-version=1.0"], true),
    ] {
        let arguments = [&["-c", "-b", "1"], arguments, &["."]].concat();
        let Some(packed) = gnu_tar(&arguments, from.path()) else { return };
        let to = tempfile::tempdir().unwrap();
        unpack_into(to.path(), &packed[..]).unwrap_or_else(|error| panic!("{arguments:?}: {error:?}"));
        compare(from.path(), to.path(), nanoseconds);
        let blocks = fs::metadata(to.path().join("sparse")).unwrap().blocks() * 512;
        assert!(!arguments.contains(&"-S") || blocks < 2 << 20, "{arguments:?}: {blocks} bytes on disk");
    }
}

#[test]
fn gnu_tar_and_the_tar_crate_read_what_is_written() {
    let from = tempfile::tempdir().unwrap();
    make_tree(from.path());
    let mut packed = Vec::new();
    pack_directory(from.path(), &mut packed).unwrap();
    assert!(packed.len() < 1 << 20, "the holes were written");
    let to = tempfile::tempdir().unwrap();
    let archive = to.path().join("archive");
    fs::write(&archive, &packed).unwrap();
    let out = to.path().join("out");
    fs::create_dir(&out).unwrap();
    if gnu_tar(&["-x", "-p", "-f", archive.to_str().unwrap()], &out).is_some() {
        compare(from.path(), &out, true);
    }
    let mut content = Vec::new();
    let mut read = tar::Archive::new(&packed[..]);
    let mut sparse =
        read.entries().unwrap().map(Result::unwrap).find(|e| e.path().unwrap() == Path::new("sparse")).unwrap();
    sparse.read_to_end(&mut content).unwrap();
    assert!(content == fs::read(from.path().join("sparse")).unwrap());
}

/// A reader that gives a few bytes at a time.
struct Dribble<R>(R, usize);

impl<R: Read> Read for Dribble<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = buffer.len().min(self.1);
        self.0.read(&mut buffer[..length])
    }
}

fn name() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        proptest::collection::vec(1_u8.., 1..40),
        proptest::collection::vec(prop_oneof![Just(b'/'), b'a'..=b'z'], 90..400),
    ]
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        4 => Just(Kind::File),
        1 => name().prop_map(Kind::HardLink),
        1 => name().prop_map(Kind::Symlink),
        1 => (0..4096_u32, 0..1_048_576_u32).prop_map(|(major, minor)| Kind::Character(major, minor)),
        1 => (0..4096_u32, 0..1_048_576_u32).prop_map(|(major, minor)| Kind::Block(major, minor)),
        1 => Just(Kind::Directory),
        1 => Just(Kind::Fifo),
    ]
}

fn extents() -> impl Strategy<Value = Option<Vec<Extent>>> {
    proptest::option::weighted(0.3, proptest::collection::vec((1..5000_u64, 1..3000_u64), 0..60)).prop_map(|pieces| {
        pieces.map(|pieces| {
            let mut at = 0;
            let extent = |(gap, length): (u64, u64)| {
                let offset = at + gap;
                at = offset + length;
                Extent { offset, length }
            };
            pieces.into_iter().map(extent).collect()
        })
    })
}

fn entry() -> impl Strategy<Value = Entry> {
    let owners = (any::<u32>(), any::<u32>(), 0..0o10000_u32);
    let time = (-1_000_000_000_000_i64..1_000_000_000_000, prop_oneof![Just(0), 0..1_000_000_000_u32]);
    let key = proptest::collection::vec(b'a'..=b'z', 1..20).prop_map(|key| [&b"user."[..], &key].concat());
    let xattrs = proptest::collection::btree_map(key, proptest::collection::vec(any::<u8>(), 1..200), 0..3);
    let content = (0..20_000_u64, extents());
    (name(), kind(), owners, time, xattrs, content).prop_map(
        |(path, kind, (uid, gid, mode), (seconds, nanos), xattrs, (size, extents))| {
            let mut entry = Entry {
                mode,
                uid,
                gid,
                modified: Time { seconds, nanos },
                xattrs: xattrs.into_iter().collect(),
                ..Entry::new(path, kind)
            };
            // A slash at the end makes a directory, as it did before there was a kind for them.
            if entry.kind == Kind::File && entry.path.ends_with(b"/") {
                entry.path.push(b'x');
            }
            if entry.kind == Kind::File {
                let end = extents.as_ref().and_then(|all| all.last()).map_or(0, |last| last.offset + last.length);
                (entry.size, entry.extents) = (size.max(end), extents);
            }
            entry
        },
    )
}

proptest! {
    #[test]
    fn what_is_written_is_read_again_however_it_arrives(
        entries in proptest::collection::vec(entry(), 0..8),
        piece in prop_oneof![1..20_usize, 500..520_usize, Just(1 << 20)],
    ) {
        let content = |entry: &Entry| (0..entry.stored()).map(|at| (at % 251) as u8).collect::<Vec<u8>>();
        let mut writer = Writer::new(Vec::new());
        for entry in &entries {
            writer.entry(entry).unwrap();
            writer.content(&content(entry)).unwrap();
        }
        let bytes = writer.finish().unwrap();
        prop_assert_eq!(bytes.len() % 512, 0);
        let mut reader = Reader::new(BufReader::with_capacity(700, Dribble(&bytes[..], piece)));
        for entry in &entries {
            let read = reader.next_entry().unwrap();
            prop_assert_eq!(read.as_ref(), Some(entry));
            let mut got = Vec::new();
            reader.read_to_end(&mut got).unwrap();
            prop_assert!(got == content(entry));
        }
        prop_assert_eq!(reader.next_entry().unwrap(), None);
        reader.finish().unwrap();
    }

    #[test]
    fn no_bytes_make_the_reader_panic(
        mut bytes in proptest::collection::vec(any::<u8>(), 0..4096),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        entries in proptest::collection::vec(entry(), 1..3),
    ) {
        let mut writer = Writer::new(Vec::new());
        for entry in &entries {
            writer.entry(entry).unwrap();
            writer.content(&vec![0; usize::try_from(entry.stored()).unwrap()]).unwrap();
        }
        let mut changed = writer.finish().unwrap();
        for (at, byte) in changes {
            let at = at.index(changed.len());
            changed[at] = byte;
            // The checksum holds again, so that the change is looked at.
            let block = at / 512 * 512;
            if block + 512 <= changed.len() {
                let sum: u32 = changed[block..block + 512].iter().enumerate()
                    .map(|(at, byte)| if (148..156).contains(&at) { 32 } else { u32::from(*byte) }).sum();
                write!(&mut changed[block + 148..block + 156], "{sum:06o}\0 ").unwrap();
            }
        }
        bytes.extend_from_slice(&changed);
        for bytes in [&bytes, &changed] {
            let mut reader = Reader::new(&bytes[..]);
            while let Ok(Some(_)) = reader.next_entry() {
                let _ = reader.read_to_end(&mut Vec::new());
            }
        }
    }
}
