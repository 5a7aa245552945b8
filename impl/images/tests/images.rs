//! What the image store does.

mod support;

use drydock_core::Id;
use drydock_images::{Deleted, Error, NewImage, Query, User};
use serde_json::json;
use support::{Archive, delete, family, id, layer, on_disk, open, tagging, told};

fn ids(images: &drydock_images::Images, query: &Query) -> Vec<u8> {
    images.list(query).iter().map(|listed| listed.image.id.as_bytes()[0]).collect()
}

#[test]
fn a_loaded_archive_is_there_also_after_a_restart() {
    in_root!(root);
    let images = open(root);
    let loaded = images.load(&family()[..]).unwrap();
    assert_eq!(loaded.images, [id(1), id(2), id(3), id(4)]);
    assert_eq!(loaded.tags.len(), 3);
    let before = told(&images);
    assert_eq!(before[0], format!("{} [\"other:latest\"] 8", id(4).short()));
    assert_eq!(on_disk(root), 4);
    drop(images);
    let images = open(root);
    assert_eq!(told(&images), before);
    let inspection = images.inspect("app").unwrap();
    assert_eq!(inspection.repo_tags, ["app:latest", "app:v1"]);
    assert_eq!((inspection.image.size, inspection.virtual_size), (5, 7));
    assert_eq!(inspection.image.config["Env"], json!(["A=1"]));
    assert_eq!(images.chain(id(3)).unwrap().layers().len(), 3);
}

#[test]
fn loading_again_unpacks_nothing_and_says_so() {
    in_root!(root);
    let images = open(root);
    images.load(&family()[..]).unwrap();
    let inode = |number: u8| {
        use std::os::unix::fs::MetadataExt;
        std::fs::metadata(root.join("layers/tree").join(id(number).to_string())).unwrap().ino()
    };
    let before: Vec<u64> = (1..=4).map(inode).collect();
    let loaded = images.load(&family()[..]).unwrap();
    assert_eq!(loaded.images, []);
    assert_eq!((1..=4).map(inode).collect::<Vec<_>>(), before);
}

#[test]
fn two_loads_at_once_end_with_one_copy() {
    in_root!(root);
    let images = open(root);
    let archive = family();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| images.load(&archive[..]).unwrap());
        }
    });
    assert_eq!(images.count(), 4);
    assert_eq!(on_disk(root), 4);
    assert_eq!(std::fs::read_dir(root.join("layers/staging")).unwrap().count(), 0);
    assert_eq!(std::fs::read_dir(root.join("layers/trash")).unwrap().count(), 0);
}

/// Gives the rest only when it is told to.
struct Stalling<'a>(&'a [u8], std::sync::mpsc::Receiver<()>);

impl std::io::Read for Stalling<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.0.len() < 2000 {
            let _ = self.1.recv();
        }
        let length = buffer.len().min(500);
        std::io::Read::read(&mut self.0, &mut buffer[..length])
    }
}

#[test]
fn nobody_waits_for_a_load_that_takes_its_time() {
    in_root!(root);
    let images = open(root);
    images.load(&family()[..]).unwrap();
    let archive = Archive::new().image(id(9), Some(id(3)), &layer("x", "x")).done();
    let (go_on, told_to) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        let loading = scope.spawn(|| images.load(Stalling(&archive, told_to)));
        while std::fs::read_dir(root.join("layers/staging")).unwrap().count() == 0 && !loading.is_finished() {
            std::thread::yield_now();
        }
        assert_eq!(images.list(&Query::default()).len(), 2);
        images.tag("app", "meanwhile", "", false, &tagging()).unwrap();
        images.delete(&delete("other"), &Vec::new).unwrap();
        images.create(&NewImage::default(), &layer("i", "i")[..]).unwrap();
        assert!(images.get(id(9)).is_none());
        drop(go_on);
        loading.join().unwrap().unwrap();
    });
    assert_eq!(images.chain(id(9)).unwrap().layers().len(), 4);
}

#[test]
fn references_are_names_ids_or_beginnings_of_ids() {
    in_root!(root);
    let images = open(root);
    let archive = Archive::new()
        .image(id(0x11), None, &layer("a", "1"))
        .image(id(0x12), None, &layer("a", "2"))
        .repositories(json!({"host:5000/a/b": {"x": id(0x11)}, "plain": {"latest": id(0x12)}}))
        .done();
    images.load(&archive[..]).unwrap();
    let found = |reference: &str| images.find(reference).map(|image| image.id);
    for (reference, number) in [
        ("host:5000/a/b:x", 0x11),
        ("plain", 0x12),
        ("plain:latest", 0x12),
        ("docker.io/library/plain", 0x12),
        ("11", 0x11),
        ("121212", 0x12),
        (&id(0x12).to_string(), 0x12),
        (&format!("plain:{}", id(0x12).short()), 0x12),
    ] {
        assert_eq!(found(reference).unwrap(), id(number), "{reference}");
    }
    assert!(matches!(found(""), Err(Error::EmptyReference)));
    assert!(matches!(found("1"), Err(Error::AmbiguousReference(_))));
    assert!(matches!(found("13"), Err(Error::NoSuchImage { in_repository: None, .. })));
    assert!(matches!(found("é"), Err(Error::NoSuchImage { in_repository: None, .. })));
    let Err(Error::NoSuchImage { in_repository, .. }) = found("plain:x") else { panic!() };
    assert_eq!(in_repository.unwrap(), "plain:x");
}

#[test]
fn lists_show_heads_or_all_by_name_label_and_danglingness() {
    in_root!(root);
    let images = open(root);
    images.load(&family()[..]).unwrap();
    images.delete(&delete("other"), &Vec::new).unwrap();
    let archive = Archive::new().image(id(9), Some(id(3)), &layer("x", "x")).done();
    images.load(&archive[..]).unwrap();
    let query = Query::default();
    assert_eq!(ids(&images, &query), [9, 3]);
    assert_eq!(ids(&images, &Query { all: true, ..query.clone() }), [9, 3, 2, 1]);
    assert_eq!(ids(&images, &Query { dangling: true, all: true, ..query.clone() }), [9]);
    let named = |pattern: &str| Query { repository: Some(pattern.into()), ..Query::default() };
    assert_eq!(ids(&images, &named("app")), [3]);
    assert_eq!(ids(&images, &named("a*")), [3]);
    assert_eq!(ids(&images, &named("app:latest")), [0; 0]);
    let labelled = |label: &str| Query { labels: vec![label.into()], all: true, ..Query::default() };
    assert_eq!(ids(&images, &labelled("number=3")), [3]);
    assert_eq!(ids(&images, &labelled("number")), [9, 3, 2, 1]);
    assert_eq!(ids(&images, &labelled("number=33")), [0; 0]);
}

#[test]
fn tags_are_set_moved_by_force_and_refused() {
    in_root!(root);
    let images = open(root);
    images.load(&family()[..]).unwrap();
    let tag =
        |reference: &str, repository: &str, tag: &str, force| images.tag(reference, repository, tag, force, &tagging());
    assert_eq!(tag("app", "new", "", false).unwrap(), id(3));
    assert!(matches!(tag("other", "new", "latest", false), Err(Error::TagTaken { is, .. }) if is == id(3)));
    assert_eq!(images.find("new").unwrap().id, id(3));
    tag("other", "new", "latest", true).unwrap();
    assert_eq!(images.find("new").unwrap().id, id(4));
    assert!(matches!(tag("nosuch", "", "", false), Err(Error::NoSuchImage { .. })));
    assert!(matches!(tag("app", "", "x", false), Err(Error::RepositoryEmpty)));
    assert!(matches!(tag("app", "scratch", "", false), Err(Error::RepositoryReserved(_))));
    assert!(matches!(tag("app", "x", "a/b", false), Err(Error::Tag(_))));
    let digest = format!("sha256:{}", id(7));
    images.tag_digest(id(3), "app", &digest).unwrap();
    images.tag_digest(id(3), "app", &digest).unwrap();
    assert!(matches!(images.tag_digest(id(4), "app", &digest), Err(Error::DigestTaken { .. })));
    assert!(matches!(images.tag_digest(id(4), "app", "sha256:"), Err(Error::DigestMalformed(_))));
    drop(images);
    let images = open(root);
    assert_eq!(images.find(&format!("app@{digest}")).unwrap().id, id(3));
    assert_eq!(images.inspect("app").unwrap().repo_digests, [format!("app@{digest}")]);
    assert_eq!(images.find("new").unwrap().id, id(4));
}

#[test]
fn deleting_the_last_name_takes_the_image_and_its_parents_up_to_a_shared_one() {
    in_root!(root);
    let images = open(root);
    images.load(&family()[..]).unwrap();
    let untagged = |name: &str, number| Deleted::Untagged(name.into(), id(number));
    let nobody = &Vec::new;
    assert_eq!(images.delete(&delete("app"), nobody).unwrap(), [untagged("app:latest", 3)]);
    assert_eq!(images.delete(&delete("app:v1"), nobody).unwrap(), [untagged("app:v1", 3), Deleted::Image(id(3))]);
    assert_eq!(on_disk(root), 3);
    let all = [untagged("other:latest", 4), Deleted::Image(id(4)), Deleted::Image(id(2)), Deleted::Image(id(1))];
    assert_eq!(images.delete(&delete(&id(4).short()), nobody).unwrap(), all);
    assert_eq!((images.count(), on_disk(root)), (0, 0));
    assert!(matches!(images.delete(&delete("app"), nobody), Err(Error::NoSuchImage { in_repository: None, .. })));
}

#[test]
fn deleting_is_refused_where_it_would_surprise() {
    in_root!(root);
    let images = open(root);
    images.load(&family()[..]).unwrap();
    images.tag("app", "third", "", false, &tagging()).unwrap();
    let by_id = id(3).to_string();
    let nobody = &Vec::new;
    assert!(matches!(images.delete(&delete(&by_id), nobody), Err(Error::SeveralRepositories { .. })));
    assert!(matches!(images.delete(&delete(&id(2).to_string()), nobody), Err(Error::NothingDeleted(_))));
    let user = |running| move || vec![User { container: id(100), image: id(4), running }];
    let refused = images.delete(&delete("other"), &user(false)).unwrap_err();
    assert!(matches!(refused, Error::InUse { running: false, forced: false, untagged: false, .. }), "{refused}");
    let force = |reference: &str| drydock_images::Delete { force: true, ..delete(reference) };
    let refused = images.delete(&force("other"), &user(true)).unwrap_err();
    assert!(matches!(refused, Error::InUse { running: true, forced: true, .. }), "{refused}");
    assert_eq!(images.find("other").unwrap().id, id(4));
    let done = images.delete(&force("other"), &user(false)).unwrap();
    assert_eq!(done, [Deleted::Untagged("other:latest".into(), id(4)), Deleted::Image(id(4))]);
    let done = images.delete(&force(&by_id), nobody).unwrap();
    assert_eq!(done.len(), 3 + 3);
    assert_eq!(images.count(), 0);
}

#[test]
fn older_daemons_untag_before_they_look_for_users() {
    in_root!(root);
    let images = open(root);
    images.load(&family()[..]).unwrap();
    let policy = drydock_images::DeletePolicy {
        check_use_first: false,
        force_takes_all_repositories: false,
        parent_in_several_repositories_refused: true,
    };
    let command = drydock_images::Delete { policy, ..delete("other") };
    let users = || vec![User { container: id(100), image: id(4), running: true }];
    assert!(matches!(images.delete(&command, &users), Err(Error::InUse { untagged: true, .. })));
    assert!(images.find("other").is_err());
    assert!(images.get(id(4)).is_some());
}

/// `images.delete/all`: `other-in-use-none` of 1.2.0 to 1.5.0, `dangling-1` of all.
#[test]
fn why_the_direct_parent_stays_is_told_though_the_image_is_gone() {
    in_root!(root);
    let images = open(root);
    images.load(&family()[..]).unwrap();
    images.tag(&id(2).to_string(), "one", "", false, &tagging()).unwrap();
    images.tag(&id(2).to_string(), "two", "", false, &tagging()).unwrap();
    let policy = drydock_images::DeletePolicy { parent_in_several_repositories_refused: true, ..delete("").policy };
    let refused = images.delete(&drydock_images::Delete { policy, ..delete("other") }, &Vec::new).unwrap_err();
    assert!(matches!(refused, Error::SeveralRepositories { reference } if reference == id(2).to_string()));
    assert!(images.get(id(4)).is_none());
    for name in ["one", "two"] {
        images.delete(&delete(name), &Vec::new).unwrap();
    }
    images.delete(&delete("app:v1"), &Vec::new).unwrap();
    let user = || vec![User { container: id(100), image: id(2), running: false }];
    let refused = images.delete(&delete("app"), &user).unwrap_err();
    assert!(matches!(refused, Error::InUse { image, .. } if image == id(2)), "{refused}");
    assert_eq!(images.count(), 2);
}

#[test]
fn a_container_keeps_the_layers_of_an_image_that_was_deleted_by_force() {
    in_root!(root);
    let images = open(root);
    images.load(&family()[..]).unwrap();
    let rootfs = images.layers().create_rootfs(id(100), &images.chain(id(4)).unwrap()).unwrap();
    let users = || vec![User { container: id(100), image: id(4), running: false }];
    images.delete(&drydock_images::Delete { force: true, ..delete("other") }, &users).unwrap();
    assert_eq!(on_disk(root), 4);
    let mut exported = Vec::new();
    rootfs.export(&mut exported).unwrap();
    rootfs.remove().unwrap();
    assert_eq!(on_disk(root), 3);
}

#[test]
fn an_image_saved_twice_is_byte_identical_and_loads_as_the_same() {
    in_root!(root);
    let images = open(root);
    images.load(&family()[..]).unwrap();
    let save = |images: &drydock_images::Images, names: &[&str]| {
        let mut bytes = Vec::new();
        images.save(names).unwrap().write(&mut bytes).unwrap();
        bytes
    };
    let saved = save(&images, &["app", "other:latest"]);
    assert!(saved == save(&images, &["app", "other:latest"]));
    let other = tempfile::tempdir().unwrap();
    let second = open(other.path());
    let loaded = second.load(&saved[..]).unwrap();
    assert_eq!(loaded.images.len(), 4);
    assert_eq!(told(&second), told(&images));
    assert!(saved == save(&second, &["app", "other:latest"]));
    assert_eq!(second.file(id(3)), images.file(id(3)));
    let names = |bytes: &[u8]| {
        let mut archive = tar::Archive::new(bytes);
        let names = archive.entries().unwrap().map(|entry| entry.unwrap().path().unwrap().display().to_string());
        names.collect::<Vec<_>>()
    };
    let one = id(1);
    let expected = ["", "VERSION", "json", "layer.tar"].map(|name| format!("{one}/{name}"));
    assert_eq!(names(&save(&images, &[&id(1).short()])), expected);
    assert!(matches!(images.save(&[""; 0]), Err(Error::NothingToSave)));
    assert!(matches!(images.save(&["nosuch"]), Err(Error::NoSuchImage { .. })));
}

#[test]
fn imports_and_commits_make_images_that_survive() {
    in_root!(root);
    let images = open(root);
    let imported =
        images.create(&NewImage { comment: "Imported from -".into(), ..NewImage::default() }, &layer("f", "one")[..]);
    let imported = imported.unwrap();
    assert_eq!((imported.size, imported.parent), (3, None));
    let rootfs = images.layers().create_rootfs(id(100), &images.chain(imported.id).unwrap()).unwrap();
    let at = tempfile::tempdir_in(root).unwrap();
    let mount = rootfs.mount(at.path()).unwrap();
    std::fs::write(at.path().join("added"), "by the container").unwrap();
    std::fs::remove_file(at.path().join("f")).unwrap();
    drop(mount);
    let new = NewImage {
        parent: Some(imported.id),
        container: Some(id(100)),
        config: json!({"Cmd": ["x"]}),
        author: "me".into(),
        ..NewImage::default()
    };
    let committed = images.commit(&new, &rootfs).unwrap();
    let empty = images.create_empty(&NewImage { parent: Some(committed.id), ..NewImage::default() }).unwrap();
    assert_eq!((committed.size, empty.size), (16, 0));
    rootfs.remove().unwrap();
    drop(images);
    let images = open(root);
    assert_eq!(images.get(committed.id).unwrap(), committed);
    assert_eq!(committed.container, id(100).to_string());
    let history: Vec<Id> = images.history(&empty.id.to_string()).unwrap().iter().map(|entry| entry.image.id).collect();
    assert_eq!(history, [empty.id, committed.id, imported.id]);
    assert_eq!(images.children(Some(committed.id)).len(), 1);
    let rootfs = images.layers().create_rootfs(id(101), &images.chain(empty.id).unwrap()).unwrap();
    assert_eq!(rootfs.look("added").unwrap(), Some(false));
    assert_eq!(rootfs.look("f").unwrap(), None);
    rootfs.remove().unwrap();
    let missing = NewImage { parent: Some(id(5)), ..NewImage::default() };
    assert!(matches!(images.create(&missing, &layer("f", "one")[..]), Err(Error::NoSuchImage { .. })));
}

#[test]
fn a_store_of_a_newer_format_is_refused() {
    in_root!(root);
    drop(open(root));
    let database = redb::Database::create(root.join("images.redb")).unwrap();
    let write = database.begin_write().unwrap();
    write.open_table(redb::TableDefinition::<&str, u32>::new("meta")).unwrap().insert("format", 2).unwrap();
    write.commit().unwrap();
    drop(database);
    let layers = drydock_layers::Layers::open(root, None).unwrap();
    assert!(matches!(drydock_images::Images::open(root, layers), Err(Error::NewerFormat { found: 2, known: 1, .. })));
}
