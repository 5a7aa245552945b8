//! Tar archives as lists of entries, which is how the recordings keep them.

use std::io::Read;

use serde::Deserialize;

/// A tar archive's entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Archive {
    /// In the archive's order.
    pub entries: Vec<Entry>,
    /// How many further ones were left out of the recording: links of the test image to its shell.
    pub omitted: u32,
    /// The archive's size in bytes.
    pub size: u64,
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// As written.
    pub name: String,
    /// What it is.
    pub kind: EntryKind,
    /// The mode field, in octal digits without leading zeros.
    pub mode: String,
    /// Bytes of content.
    pub size: u64,
    /// Owner.
    pub uid: u64,
    /// Group.
    pub gid: u64,
    /// Unix seconds.
    pub mtime: u64,
    /// Where a link leads.
    pub link: Option<String>,
    /// A small file's text.
    pub text: Option<String>,
    /// The entries of an archive in the archive: a saved image's layer.
    pub inner: Option<Archive>,
}

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EntryKind {
    /// A file.
    File,
    /// A directory.
    Dir,
    /// A symbolic link.
    Symlink,
    /// A hard link.
    #[serde(alias = "link")]
    Hardlink,
    /// A character device.
    #[serde(alias = "chr")]
    Char,
    /// A block device.
    #[serde(alias = "blk")]
    Block,
    /// A named pipe.
    Fifo,
    /// Anything else, by its type flag.
    #[serde(untagged)]
    Other(String),
}

/// The bytes are no tar archive.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no tar archive: {0}")]
pub struct NotTar(pub String);

/// Texts up to this many bytes are kept in an entry.
const TEXT_LIMIT: u64 = 4096;

impl Archive {
    /// Reads an archive's headers, and the texts of small files.
    pub fn read(bytes: &[u8]) -> Result<Self, NotTar> {
        let not_tar = |error: std::io::Error| NotTar(error.to_string());
        let mut entries = Vec::new();
        for entry in tar::Archive::new(bytes).entries().map_err(not_tar)? {
            let mut entry = entry.map_err(not_tar)?;
            let header = entry.header();
            let kind = match header.entry_type() {
                tar::EntryType::Regular | tar::EntryType::Continuous => EntryKind::File,
                tar::EntryType::Directory => EntryKind::Dir,
                tar::EntryType::Symlink => EntryKind::Symlink,
                tar::EntryType::Link => EntryKind::Hardlink,
                tar::EntryType::Char => EntryKind::Char,
                tar::EntryType::Block => EntryKind::Block,
                tar::EntryType::Fifo => EntryKind::Fifo,
                other => EntryKind::Other((other.as_byte() as char).to_string()),
            };
            let mode = format!("{:o}", header.mode().map_err(not_tar)?);
            let (uid, gid) = (header.uid().map_err(not_tar)?, header.gid().map_err(not_tar)?);
            let mtime = header.mtime().map_err(not_tar)?;
            let size = entry.size();
            let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            let link = entry.link_name_bytes().map(|link| String::from_utf8_lossy(&link).into_owned());
            let inner_archive = kind == EntryKind::File && name.ends_with(".tar");
            let mut content = Vec::new();
            if kind == EntryKind::File && (size <= TEXT_LIMIT || inner_archive) {
                entry.read_to_end(&mut content).map_err(not_tar)?;
            }
            let inner = if inner_archive { Archive::read(&content).ok() } else { None };
            let text = match kind {
                EntryKind::File if inner.is_none() && size <= TEXT_LIMIT => String::from_utf8(content).ok(),
                _ => None,
            };
            entries.push(Entry { name, kind, mode, size, uid, gid, mtime, link, text, inner });
        }
        if entries.is_empty() && bytes.iter().any(|byte| *byte != 0) {
            return Err(NotTar("no header at its beginning".into()));
        }
        Ok(Self { entries, omitted: 0, size: bytes.len() as u64 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_archive_is_said_to_be_none() {
        assert!(Archive::read(b"hello").is_err());
        assert!(Archive::read(&[b'x'; 2048]).is_err());
        assert_eq!(Archive::read(&[0; 1024]).unwrap().entries, []);
    }

    #[test]
    fn a_small_file_keeps_its_text() {
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_ustar();
        header.set_size(3);
        header.set_mode(0o644);
        header.set_mtime(7);
        header.set_uid(0);
        header.set_gid(0);
        builder.append_data(&mut header, "a/b", &b"hi\n"[..]).unwrap();
        let archive = Archive::read(&builder.into_inner().unwrap()).unwrap();
        let [entry] = &archive.entries[..] else { panic!("{archive:?}") };
        assert_eq!((entry.name.as_str(), &entry.kind, entry.text.as_deref()), ("a/b", &EntryKind::File, Some("hi\n")));
    }
}
