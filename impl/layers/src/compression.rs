//! Recognising how an archive is packed, and unpacking it.

use crate::tar::{ArchiveError, ReadError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder, errors};
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::sync::{Arc, Mutex, PoisonError};

/// How an archive is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    Plain,
    /// One or more gzip members.
    Gzip,
    /// One or more bzip2 streams.
    Bzip2,
    /// One or more xz streams.
    Xz,
    /// One or more zstd frames.
    Zstd,
}

/// Read at once from an archive that is not compressed, and from what decompresses one.
const BUFFER: usize = 256 * 1024;

/// What xz may take; its largest preset takes 65 MiB.
const XZ_MEMORY: u64 = 128 << 20;

impl Compression {
    /// Bytes that [`Self::of`] looks at.
    pub const PREFIX: usize = 6;

    /// What an archive that begins with `prefix` is packed with.
    #[must_use]
    pub fn of(prefix: &[u8]) -> Self {
        // A skippable zstd frame may come first; the low digit of its number is free.
        let skippable = prefix.len() >= 4 && prefix[0] & 0xf0 == 0x50 && prefix[1..4] == [0x2a, 0x4d, 0x18];
        match prefix {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [b'B', b'Z', b'h', b'1'..=b'9', ..] => Self::Bzip2,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Self::Xz,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            _ if skippable => Self::Zstd,
            _ => Self::Plain,
        }
    }

    /// The bytes of `source`, decompressed as its beginning asks.
    ///
    /// # Errors
    /// `Empty`, `Source`. What is read later fails with an [`ArchiveError`] inside the [`io::Error`].
    pub fn open<'a>(mut source: impl Read + Send + 'a) -> Result<Box<dyn BufRead + Send + 'a>, ReadError> {
        let mut prefix = Vec::with_capacity(Self::PREFIX);
        source.by_ref().take(Self::PREFIX as u64).read_to_end(&mut prefix)?;
        if prefix.is_empty() {
            return Err(ArchiveError::Empty.into());
        }
        let compression = Self::of(&prefix);
        let source = Cursor::new(prefix).chain(source);
        if compression == Self::Plain {
            return Ok(Box::new(BufReader::with_capacity(BUFFER, source)));
        }
        let fate = Fate::default();
        let source = BufReader::with_capacity(64 * 1024, Watched { source, fate: fate.clone() });
        let (name, decoder): (_, Box<dyn Read + Send + 'a>) = match compression {
            Self::Plain | Self::Gzip => ("gzip", Box::new(flate2::bufread::MultiGzDecoder::new(source))),
            Self::Bzip2 => ("bzip2", Box::new(bzip2::bufread::MultiBzDecoder::new(source))),
            Self::Xz => {
                let stream = liblzma::stream::Stream::new_stream_decoder(XZ_MEMORY, liblzma::stream::CONCATENATED)
                    .map_err(|error| ReadError::Source(error.into()))?;
                ("xz", Box::new(liblzma::bufread::XzDecoder::new_stream(source, stream)))
            }
            Self::Zstd => ("zstd", Box::new(Zstd { source, decoder: FrameDecoder::new(), in_frame: false })),
        };
        Ok(Box::new(BufReader::with_capacity(BUFFER, Checked { decoder, name, fate })))
    }
}

/// What became of a compressed source, so that a decoder's failure is told from its source's.
#[derive(Clone, Debug, Default)]
struct Fate(Arc<Mutex<(bool, Option<io::Error>)>>);

struct Watched<R> {
    source: R,
    fate: Fate,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let result = self.source.read(buffer);
        let mut fate = self.fate.0.lock().unwrap_or_else(PoisonError::into_inner);
        match result {
            Ok(0) if !buffer.is_empty() => fate.0 = true,
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                fate.1 = Some(error);
                return Err(io::ErrorKind::Other.into());
            }
            _ => {}
        }
        result
    }
}

struct Checked<D> {
    decoder: D,
    name: &'static str,
    fate: Fate,
}

impl<D: Read> Read for Checked<D> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.decoder.read(buffer).map_err(|error| {
            if error.kind() == io::ErrorKind::Interrupted {
                return error;
            }
            let mut fate = self.fate.0.lock().unwrap_or_else(PoisonError::into_inner);
            match (fate.1.take(), fate.0) {
                (Some(source), _) => source,
                (None, true) => io::Error::new(io::ErrorKind::InvalidData, ArchiveError::Truncated),
                (None, false) => io::Error::new(io::ErrorKind::InvalidData, ArchiveError::Compression(self.name)),
            }
        })
    }
}

/// Frames one after the other, each with its checksum verified; skippable ones are skipped.
struct Zstd<R> {
    source: R,
    decoder: FrameDecoder,
    in_frame: bool,
}

impl<R: BufRead> Zstd<R> {
    /// Begins the next frame; false at the end.
    fn begin(&mut self) -> io::Result<bool> {
        while !self.source.fill_buf()?.is_empty() {
            match self.decoder.reset(&mut self.source) {
                Ok(()) => return Ok(true),
                Err(errors::FrameDecoderError::ReadFrameHeaderError(errors::ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    let length = u64::from(length);
                    if io::copy(&mut self.source.by_ref().take(length), &mut io::sink())? < length {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                Err(error) => return Err(io::Error::other(error)),
            }
        }
        Ok(false)
    }

    fn verify(&self) -> io::Result<()> {
        match self.decoder.get_checksum_from_data() {
            Some(stored) if self.decoder.get_calculated_checksum() != Some(stored) => {
                Err(io::Error::other("the checksum is wrong"))
            }
            _ => Ok(()),
        }
    }
}

impl<R: BufRead> Read for Zstd<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.in_frame && self.decoder.can_collect() > 0 {
                return self.decoder.read(buffer);
            }
            if self.in_frame && !self.decoder.is_finished() {
                let some = BlockDecodingStrategy::UptoBytes(BUFFER);
                self.decoder.decode_blocks(&mut self.source, some).map_err(io::Error::other)?;
                continue;
            }
            if self.in_frame {
                self.verify()?;
            }
            self.in_frame = self.begin()?;
            if !self.in_frame {
                return Ok(0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn all(source: &[u8]) -> Result<Vec<u8>, ReadError> {
        let mut bytes = Vec::new();
        Compression::open(source)?.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn content() -> Vec<u8> {
        (0..300_000_u32).flat_map(|number| (number / 7).to_le_bytes()).collect()
    }

    fn packed(name: &str, content: &[u8]) -> Vec<u8> {
        match name {
            "gzip" => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                encoder.write_all(content).unwrap();
                encoder.finish().unwrap()
            }
            "bzip2" => {
                let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
                encoder.write_all(content).unwrap();
                encoder.finish().unwrap()
            }
            "xz" => {
                let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
                encoder.write_all(content).unwrap();
                encoder.finish().unwrap()
            }
            _ => ruzstd::encoding::compress_to_vec(content, ruzstd::encoding::CompressionLevel::Fastest),
        }
    }

    const ALL: [&str; 4] = ["gzip", "bzip2", "xz", "zstd"];

    #[test]
    fn each_compression_is_recognised_and_several_streams_are_one() {
        let content = content();
        for name in ALL {
            assert_eq!(all(&packed(name, &content)).unwrap(), content, "{name}");
            let (first, second) = content.split_at(content.len() / 3);
            let two = [packed(name, first), packed(name, second)].concat();
            assert_eq!(all(&two).unwrap(), content, "{name} twice");
        }
        assert_eq!(all(b"plain").unwrap(), b"plain");
        assert!(matches!(all(b""), Err(ReadError::Archive(ArchiveError::Empty))));
    }

    #[test]
    fn a_stream_that_was_cut_or_changed_is_refused() {
        let content = content();
        for name in ALL {
            let packed = packed(name, &content);
            for cut in [8, packed.len() / 2, packed.len() - 1] {
                assert!(
                    matches!(all(&packed[..cut]), Err(ReadError::Archive(ArchiveError::Truncated))),
                    "{name} cut at {cut}: {:?}",
                    all(&packed[..cut]).map(|bytes| bytes.len())
                );
            }
            let mut changed = packed.clone();
            let middle = changed.len() / 2;
            changed[middle] ^= 0x55;
            changed[middle + 1] ^= 0x55;
            assert!(matches!(all(&changed), Err(ReadError::Archive(_))), "{name} changed");
        }
    }

    #[test]
    fn a_source_that_fails_is_not_taken_for_a_damaged_archive() {
        struct Fails;
        impl Read for Fails {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::ErrorKind::ConnectionReset.into())
            }
        }
        for name in ALL {
            let packed = packed(name, &content());
            let source = Cursor::new(&packed[..packed.len() / 2]).chain(Fails);
            let mut bytes = Vec::new();
            let error = Compression::open(source).unwrap().read_to_end(&mut bytes).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::ConnectionReset, "{name}");
        }
    }
}
