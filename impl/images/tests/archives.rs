//! Archives in every form, whole and damaged.

mod support;

use drydock_images::{Error, Images};
use drydock_layers::tar::ArchiveError;
use drydock_layers::{Digest, Error as LayerError};
use serde_json::{Value, json};
use std::io::Write;
use std::path::Path;
use support::{Archive, family, id, layer, on_disk, open, told};

/// Loads an archive that is refused: the store is as it was.
fn refused(images: &Images, root: &Path, archive: &[u8]) -> Error {
    let (told_before, on_disk_before) = (told(images), on_disk(root));
    let error = images.load(archive).expect_err("the archive was loaded");
    assert_eq!((told(images), on_disk(root)), (told_before, on_disk_before));
    assert_eq!(std::fs::read_dir(root.join("layers/staging")).unwrap().count(), 0);
    error
}

#[test]
fn a_damaged_archive_is_refused_whole() {
    in_root!(root);
    let images = open(root);
    let archive = family();
    let at_a_block = |length: usize| length / 512 * 512;
    for cut in (1..archive.len() - 1024).step_by(777).filter(|cut| *cut != at_a_block(*cut)) {
        refused(&images, root, &archive[..cut]);
    }
    for at in (0..archive.len() - 1536).step_by(512) {
        let mut changed = archive.clone();
        changed[at] ^= 0x20;
        // A changed byte of a header or of a description is noticed; one of a layer's padding is not.
        let _ = images.load(&changed[..]).map_err(|_| refused(&images, root, &changed));
    }
    let empty = refused(&images, root, b"");
    assert!(matches!(empty, Error::Layers(LayerError::Archive(ArchiveError::Empty))), "{empty:?}");
    let short = refused(&images, root, b"this is no archive");
    assert!(matches!(short, Error::Layers(LayerError::Archive(ArchiveError::Truncated))), "{short:?}");
    let long = refused(&images, root, &[b'x'; 2000]);
    assert!(matches!(long, Error::Layers(LayerError::Archive(ArchiveError::Malformed(_)))), "{long:?}");
}

#[test]
fn compressed_archives_and_layers_are_recognised_and_damaged_ones_refused() {
    in_root!(root);
    let images = open(root);
    let gzip = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let packed = gzip(&Archive::new().image(id(1), None, &gzip(&layer("a", "1"))).done());
    refused(&images, root, &packed[..packed.len() - 4]);
    let mut damaged = packed.clone();
    let checksum = damaged.len() - 6;
    damaged[checksum] ^= 1;
    let error = refused(&images, root, &damaged);
    assert!(matches!(error, Error::Layers(LayerError::Archive(ArchiveError::Compression("gzip")))), "{error:?}");
    assert_eq!(images.load(&packed[..]).unwrap().images, [id(1)]);
    assert_eq!(images.get(id(1)).unwrap().size, 1);
}

#[test]
fn what_makes_no_sense_is_refused() {
    in_root!(root);
    let images = open(root);
    let lacks_parent = Archive::new().image(id(2), Some(id(1)), &layer("a", "1")).done();
    assert!(matches!(refused(&images, root, &lacks_parent), Error::ArchiveLacks(_)));
    let in_a_loop =
        Archive::new().image(id(1), Some(id(2)), &layer("a", "1")).image(id(2), Some(id(1)), &layer("a", "1")).done();
    assert!(matches!(refused(&images, root, &in_a_loop), Error::ArchiveLoop(_)));
    let name = id(1).to_string();
    let other_id = Archive::new().file(&format!("{name}/json"), json!({"id": id(2)}).to_string()).done();
    assert!(matches!(refused(&images, root, &other_id), Error::ArchiveId(_)));
    let no_id = Archive::new().file("short/json", json!({"id": "short"}).to_string()).done();
    assert!(matches!(refused(&images, root, &no_id), Error::ArchiveId(_)));
    let no_layer = Archive::new().file(&format!("{name}/json"), json!({"id": id(1)}).to_string()).done();
    assert!(matches!(refused(&images, root, &no_layer), Error::ArchiveLacks(_)));
    let no_json = Archive::new().file(&format!("{name}/json"), "{").done();
    assert!(matches!(refused(&images, root, &no_json), Error::ArchiveJson { .. }));
    let nor_layer = Archive::new().file(&format!("{name}/json"), "{").file(&format!("{name}/layer.tar"), "x").done();
    assert!(matches!(refused(&images, root, &nor_layer), Error::ArchiveJson { .. }));
    let whole = || Archive::new().image(id(1), None, &layer("a", "1"));
    let to_nothing = whole().repositories(json!({"a": {"b": id(7)}})).done();
    assert!(matches!(refused(&images, root, &to_nothing), Error::ArchiveLacks(_)));
    let bad_tag = whole().repositories(json!({"a": {"b/c": id(1)}})).done();
    assert!(matches!(refused(&images, root, &bad_tag), Error::Tag(_)));
    let bad_layer = Archive::new().image(id(1), None, &Archive::new().file("x", "y").done()[..700]).done();
    assert!(matches!(refused(&images, root, &bad_layer), Error::Layers(LayerError::Archive(ArchiveError::Truncated))));
    let huge = Archive::new().file(&format!("{name}/json"), vec![b' '; 9 << 20]).done();
    assert!(matches!(refused(&images, root, &huge), Error::ArchiveTooLarge(_)));
    // Recorded: an archive of something else loads nothing.
    assert_eq!(images.load(&layer("one", "file")[..]).unwrap(), drydock_images::Loaded::default());
}

#[test]
fn layers_that_are_links_are_shared() {
    in_root!(root);
    let images = open(root);
    let describe = |id, parent| json!({"id": id, "parent": parent, "created": "2020-01-01T00:00:00Z"}).to_string();
    let archive = Archive::new()
        .file(&format!("{}/json", id(1)), describe(id(1), ""))
        .file(&format!("{}/layer.tar", id(1)), layer("a", "1"))
        .file(&format!("{}/json", id(2)), describe(id(2), &id(1).to_string()))
        .symlink(&format!("{}/layer.tar", id(2)), &format!("../{}/layer.tar", id(1)))
        .done();
    assert_eq!(images.load(&archive[..]).unwrap().images, [id(1), id(2)]);
    assert_eq!((on_disk(root), images.get(id(2)).unwrap().size), (1, 1));
}

fn config(layers: &[&[u8]]) -> Vec<u8> {
    let history: Vec<Value> = (0..layers.len())
        .flat_map(|number| {
            [
                json!({"created": "2020-01-01T00:00:00Z", "created_by": format!("ADD {number}")}),
                json!({"created": "2020-01-01T00:00:01Z", "created_by": "ENV A=1", "empty_layer": true}),
            ]
        })
        .collect();
    let diffs: Vec<String> = layers.iter().map(|layer| Digest::of(layer).to_string()).collect();
    let config = json!({"architecture": "amd64", "os": "linux", "created": "2020-01-01T00:00:02Z", "author": "someone",
        "config": {"Cmd": ["/bin/sh"], "Env": ["A=1"]}, "rootfs": {"type": "layers", "diff_ids": diffs},
        "history": history});
    config.to_string().into_bytes()
}

/// What both later forms have to become.
fn check_later_form(images: &Images, root: &Path, top: drydock_core::Id) {
    let image = images.find("later:tag").unwrap();
    assert_eq!(image.id, top);
    assert_eq!(image.config["Env"], json!(["A=1"]));
    assert_eq!((image.author.as_str(), image.architecture.as_str()), ("someone", "amd64"));
    let history = images.history("later:tag").unwrap();
    let by: Vec<String> = history.iter().map(|entry| entry.image.created_by()).collect();
    assert_eq!(by, ["ENV A=1", "ADD 1", "ENV A=1", "ADD 0"]);
    let sizes: Vec<u64> = history.iter().map(|entry| entry.image.size).collect();
    assert_eq!(sizes, [0, 2, 0, 1]);
    assert_eq!((images.count(), on_disk(root)), (4, 2));
}

#[test]
fn what_later_daemons_save_is_loaded() {
    in_root!(root);
    let images = open(root);
    let layers = [layer("a", "1"), layer("b", "22")];
    let config = config(&[&layers[0], &layers[1]]);
    let top = Digest::of(&config).0;
    let manifest = |layers: [&str; 2]| {
        json!([{"Config": format!("{top}.json"), "RepoTags": ["later:tag"], "Layers": layers}]).to_string()
    };
    let archive = |second: &[u8]| {
        Archive::new()
            .file("first/layer.tar", &layers[0])
            .file("second/layer.tar", second)
            .file(&format!("{top}.json"), &config)
            .file("manifest.json", manifest(["first/layer.tar", "second/layer.tar"]))
            .done()
    };
    assert!(matches!(refused(&images, root, &archive(&layers[0])), Error::ArchiveDigest(_)));
    let good = archive(&layers[1]);
    images.load(&good[..]).unwrap();
    check_later_form(&images, root, top);
    assert_eq!(images.load(&good[..]).unwrap().images, []);
    check_later_form(&images, root, top);
}

#[test]
fn the_oci_layout_is_loaded_also_with_compressed_layers() {
    in_root!(root);
    let images = open(root);
    let layers = [layer("a", "1"), layer("b", "22")];
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(&layers[1]).unwrap();
    let packed = encoder.finish().unwrap();
    let config = config(&[&layers[0], &layers[1]]);
    let top = Digest::of(&config).0;
    let blob = |bytes: &[u8]| format!("blobs/sha256/{}", Digest::of(bytes).0);
    let named = |bytes: &[u8]| json!({"digest": Digest::of(bytes).to_string(), "size": bytes.len()});
    let manifest = json!({"schemaVersion": 2, "config": named(&config),
        "layers": [named(&layers[0]), named(&packed)]})
    .to_string();
    let index = json!({"schemaVersion": 2, "manifests": [{"digest": Digest::of(manifest.as_bytes()).to_string(),
        "annotations": {"org.opencontainers.image.ref.name": "later:tag"}}]});
    let archive = |second: &[u8]| {
        Archive::new()
            .file(&blob(&layers[0]), &layers[0])
            .file(&blob(&packed), second)
            .file(&blob(&config), &config)
            .file(&blob(manifest.as_bytes()), &manifest)
            .file("index.json", index.to_string())
            .file("oci-layout", json!({"imageLayoutVersion": "1.0.0"}).to_string())
            .done()
    };
    assert!(matches!(refused(&images, root, &archive(&layers[0])), Error::ArchiveDigest(_)));
    images.load(&archive(&packed)[..]).unwrap();
    check_later_form(&images, root, top);
}

#[test]
fn thousands_of_images_load_in_linear_time_and_delete_again() {
    in_root!(root);
    let images = open(root);
    let number = |number: u16| {
        let mut bytes = [0; 32];
        bytes[..2].copy_from_slice(&number.to_be_bytes());
        drydock_core::Id::from_bytes(bytes)
    };
    let mut archive = Archive::new();
    for at in (1..=2000).rev() {
        archive = archive.image(number(at), (at > 1).then(|| number(at - 1)), &layer("a", "1"));
    }
    let archive = archive.repositories(json!({"long": {"latest": number(2000)}})).done();
    assert_eq!(images.load(&archive[..]).unwrap().images.len(), 2000);
    assert_eq!(images.inspect("long").unwrap().virtual_size, 2000);
    assert_eq!(images.delete(&support::delete("long"), &Vec::new).unwrap().len(), 2001);
    assert_eq!((images.count(), on_disk(root)), (0, 0));
}
