//! The suite's own image: the recordings' `busybox:latest` once more, with the same ids, layers and files, around a
//! program of ours.
//!
//! Its description is `fixtures/golden/test-image.json`; only the program and the list of applets linked to it differ.

use crate::{artifacts, cargo};
use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use serde_json::Value;
use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};
use tar::{Builder, EntryType, Header};

/// 2015-01-01T00:00:00Z, the time of every entry.
const MTIME: u64 = 1_420_070_400;
/// An archive of nothing: the first layer.
const EMPTY_LAYER: &[u8] = &[0; 10240];

/// Which program the image holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Program {
    /// `drydock-fixture-image`, built here.
    Own,
    /// The host's static busybox.
    Busybox,
}

/// Files of the built image.
pub(crate) struct Image {
    /// The archive that `POST /images/load` takes.
    pub(crate) archive: PathBuf,
    /// The second layer alone, a plain root file system.
    pub(crate) layer: PathBuf,
    /// A static program that sends every datagram on UDP port 53 back to its sender.
    pub(crate) udp_echo: PathBuf,
}

/// Build the suite's image and say where it lies.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The program inside.
    #[arg(long, value_enum, default_value = "own")]
    program: Program,
}

pub(crate) fn run(args: Args) -> Result<ExitCode> {
    let image = build(args.program)?;
    println!("{}", image.archive.display());
    Ok(ExitCode::SUCCESS)
}

/// Builds the image's program where needed and writes the archives.
pub(crate) fn build(program: Program) -> Result<Image> {
    let built = artifacts::static_build(&["drydock-fixture-image"])?;
    let (path, name) = match program {
        Program::Own => (built.join("drydock-fixture-image"), "own"),
        Program::Busybox => (host_busybox()?, "busybox"),
    };
    let applets = applets(&path)?;
    let description = describe()?;
    let bytes = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;

    let directory = cargo::target().join("fixtures");
    fs::create_dir_all(&directory).with_context(|| format!("creating {}", directory.display()))?;
    let layer = second_layer(&description, &bytes, &applets)?;
    let archive = archive(&description, &layer)?;
    let image = Image {
        archive: directory.join(format!("image-{name}.tar")),
        layer: directory.join(format!("layer-{name}.tar")),
        udp_echo: built.join("udp-echo"),
    };
    replace(&image.layer, &layer)?;
    replace(&image.archive, &archive)?;
    Ok(image)
}

fn describe() -> Result<Value> {
    let path = cargo::root().join("fixtures/golden/test-image.json");
    let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("reading {}", path.display()))
}

/// The names that the program answers to, in its own order.
fn applets(program: &Path) -> Result<Vec<String>> {
    let told =
        Command::new(program).arg("--list").output().with_context(|| format!("running {}", program.display()))?;
    let names: Vec<String> = String::from_utf8_lossy(&told.stdout).lines().map(str::to_owned).collect();
    if !names.iter().any(|name| name == "sh") {
        bail!("{} --list names no shell", program.display());
    }
    Ok(names)
}

fn host_busybox() -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|directory| directory.join("busybox")).find(|file| file.is_file());
    let found = found.context("this machine has no busybox (Debian: busybox-static)")?;
    if is_dynamic(&fs::read(&found)?) {
        bail!("{} is linked dynamically and would not run in the image (Debian: busybox-static)", found.display());
    }
    Ok(found)
}

/// Whether an ELF file of 64 bits names an interpreter.
fn is_dynamic(elf: &[u8]) -> bool {
    const PT_INTERP: u32 = 3;
    let u16_at = |at: usize| elf.get(at..at + 2).map_or(0, |b| u16::from_le_bytes([b[0], b[1]])) as usize;
    let headers = elf.get(32..40).map_or(0, |b| u64::from_le_bytes(b.try_into().unwrap_or_default())) as usize;
    let (size, count) = (u16_at(54), u16_at(56));
    (0..count).any(|n| elf.get(headers + n * size..).is_some_and(|header| header.starts_with(&PT_INTERP.to_le_bytes())))
}

fn archive(description: &Value, layer: &[u8]) -> Result<Vec<u8>> {
    let mut tar = Builder::new(Vec::new());
    for entry in entries(description, "archive")? {
        let content = match entry["holds"].as_str() {
            Some("the second layer") => layer,
            Some(_) => EMPTY_LAYER,
            None => entry["text"].as_str().unwrap_or_default().as_bytes(),
        };
        append(&mut tar, entry, content)?;
    }
    Ok(tar.into_inner()?)
}

fn second_layer(description: &Value, program: &[u8], applets: &[String]) -> Result<Vec<u8>> {
    let mut tar = Builder::new(Vec::new());
    for entry in entries(description, "second_layer")? {
        let content = match entry["text"].as_str() {
            Some("{busybox}") => program,
            text => text.unwrap_or_default().as_bytes(),
        };
        append(&mut tar, entry, content)?;
    }
    for applet in applets.iter().filter(|applet| *applet != "busybox") {
        let mut header = header(EntryType::Symlink, 0o777, 0)?;
        header.set_link_name("busybox")?;
        header.set_path(format!("bin/{applet}"))?;
        header.set_cksum();
        tar.append(&header, &[][..])?;
    }
    Ok(tar.into_inner()?)
}

fn entries<'a>(description: &'a Value, list: &str) -> Result<&'a Vec<Value>> {
    description[list].as_array().with_context(|| format!("test-image.json has no list {list}"))
}

fn append(tar: &mut Builder<Vec<u8>>, entry: &Value, content: &[u8]) -> Result<()> {
    let name = entry["name"].as_str().context("an entry without name")?;
    let mode =
        entry["mode"].as_str().and_then(|mode| u32::from_str_radix(mode, 8).ok()).context("an entry without mode")?;
    let (kind, path) = match entry["type"].as_str() {
        Some("dir") => (EntryType::Directory, format!("{name}/")),
        _ => (EntryType::Regular, name.to_owned()),
    };
    let mut header = header(kind, mode, content.len() as u64)?;
    header.set_path(path)?;
    header.set_cksum();
    tar.append(&header, content)?;
    Ok(())
}

fn header(kind: EntryType, mode: u32, size: u64) -> Result<Header> {
    let mut header = Header::new_ustar();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header.set_mtime(MTIME);
    header.set_uid(0);
    header.set_gid(0);
    header.set_username("root")?;
    header.set_groupname("root")?;
    Ok(header)
}

/// Writes a file in one step, and only when it changes: another run may be reading it.
fn replace(path: &Path, content: &[u8]) -> Result<()> {
    if fs::read(path).is_ok_and(|there| there == content) {
        return Ok(());
    }
    let fresh = path.with_extension(format!("{}.tmp", std::process::id()));
    let mut file = fs::File::create(&fresh).with_context(|| format!("creating {}", fresh.display()))?;
    file.write_all(content)?;
    fs::rename(&fresh, path).with_context(|| format!("writing {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_archive_has_the_recorded_images_entries_in_the_recorded_order() {
        let description = describe().unwrap();
        let layer = second_layer(&description, b"program", &["cat".to_owned(), "sh".to_owned()]).unwrap();
        let bytes = archive(&description, &layer).unwrap();
        let mut tar = tar::Archive::new(&bytes[..]);
        let names: Vec<String> = tar
            .entries()
            .unwrap()
            .map(|entry| entry.unwrap().path().unwrap().to_string_lossy().trim_end_matches('/').to_owned())
            .collect();
        let recorded: Vec<&str> =
            entries(&description, "archive").unwrap().iter().map(|entry| entry["name"].as_str().unwrap()).collect();
        assert_eq!(names, recorded);
    }

    #[test]
    fn building_twice_gives_the_same_bytes() {
        let description = describe().unwrap();
        let once = second_layer(&description, b"program", &["sh".to_owned()]).unwrap();
        let twice = second_layer(&description, b"program", &["sh".to_owned()]).unwrap();
        assert_eq!(once, twice);
    }

    #[test]
    fn applets_are_links_beside_the_program() {
        let layer = second_layer(&describe().unwrap(), b"program", &["sh".to_owned()]).unwrap();
        let mut tar = tar::Archive::new(&layer[..]);
        let sh = tar.entries().unwrap().map(Result::unwrap).find(|entry| entry.path().unwrap() == Path::new("bin/sh"));
        assert_eq!(sh.unwrap().link_name().unwrap().unwrap(), Path::new("busybox"));
    }
}
