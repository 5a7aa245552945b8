//! The part of a line that is too long for memory.

use rustix::fs::{CWD, Mode, OFlags};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// A file without a name beside the log.
#[derive(Debug)]
pub(super) struct Spill(File);

impl Spill {
    pub(super) fn new(log: &Path) -> io::Result<Self> {
        let directory = log.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let flags = OFlags::RDWR | OFlags::CLOEXEC;
        let unnamed = rustix::fs::openat(CWD, directory, flags | OFlags::TMPFILE, Mode::RUSR | Mode::WUSR);
        let file = match unnamed {
            Ok(file) => file,
            // The file system knows no files without names.
            Err(_) => {
                let name = log.with_extension(format!("{}.line", std::process::id()));
                let create = flags | OFlags::CREATE | OFlags::EXCL;
                let file = rustix::fs::openat(CWD, &name, create, Mode::RUSR | Mode::WUSR)?;
                std::fs::remove_file(&name)?;
                file
            }
        };
        Ok(Self(file.into()))
    }

    pub(super) fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    /// Copies all of it to the end of `log`, a buffer at a time. (The kernel's own copying refuses append mode.)
    pub(super) fn pour(mut self, mut log: &File) -> io::Result<()> {
        self.0.seek(SeekFrom::Start(0))?;
        let mut buffer = vec![0; 64 << 10];
        loop {
            let read = match self.0.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            log.write_all(&buffer[..read])?;
        }
    }
}
