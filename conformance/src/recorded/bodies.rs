//! Binary request bodies, which the recordings keep beside the exchanges, and those made of the test image.

use std::{collections::HashMap, io::Write};

use base64::{Engine, prelude::BASE64_STANDARD};
use flate2::{Compression, write::GzEncoder};

use crate::exchange::{RecordedBody, RecordingError, Recordings};

/// The test image's files.
#[derive(Clone, Debug, Default)]
pub struct Image {
    /// The archive that `POST /images/load` takes.
    pub archive: Vec<u8>,
    /// Its second layer alone: a plain root file system.
    pub layer: Vec<u8>,
    /// A static program that sends every datagram on UDP port 53 back to its sender.
    pub udp_echo: Vec<u8>,
}

/// The bodies by scenario and step.
#[derive(Clone, Debug, Default)]
pub struct Bodies(HashMap<(String, String), Vec<OfStep>>);

/// A body, and which run of its step it belongs to where that matters.
type OfStep = (Option<u32>, Vec<u8>);

impl Bodies {
    /// Reads the recorded ones, and makes those of the image.
    pub fn read(recordings: &Recordings, image: &Image) -> Result<Self, RecordingError> {
        let mut bodies = Self::default();
        for RecordedBody { scenario, step, nth, base64, described } in recordings.bodies()? {
            let malformed = |message: String| RecordingError::Line {
                path: recordings.folder().join("bodies.jsonl.gz"),
                line: 0,
                message: format!("{scenario}/{step}: {message}"),
            };
            let bytes = match (&base64, described.as_deref()) {
                (Some(text), _) => BASE64_STANDARD.decode(text).map_err(|error| malformed(error.to_string()))?,
                (None, Some(words)) => {
                    image.described(words).ok_or_else(|| malformed(format!("no known body: {words}")))?
                }
                (None, None) => return Err(malformed("has no body".into())),
            };
            bodies.0.entry((scenario, step)).or_default().push((nth, bytes));
        }
        Ok(bodies)
    }

    /// The body of a step's `nth` run.
    pub(super) fn of(&self, scenario: &str, step: &str, nth: u32) -> Option<Vec<u8>> {
        let of_step = self.0.get(&(scenario.to_owned(), step.to_owned()))?;
        let exact = of_step.iter().find(|(known, _)| *known == Some(nth));
        exact.or(of_step.iter().find(|(known, _)| known.is_none())).or(of_step.first()).map(|(_, bytes)| bytes.clone())
    }
}

impl Image {
    fn described(&self, words: &str) -> Option<Vec<u8>> {
        let archive = "the test image's archive";
        if words == "the test image's second layer" {
            return Some(self.layer.clone());
        }
        if words.starts_with("a tar with /echo") {
            return Some(self.echo_archive());
        }
        match words.strip_prefix(archive)? {
            "" => Some(self.archive.clone()),
            ", gzip" => {
                let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
                gzip.write_all(&self.archive).ok()?;
                gzip.finish().ok()
            }
            rest => {
                let bytes = rest.strip_prefix(", cut after ")?.strip_suffix(" bytes")?.parse().ok()?;
                Some(self.archive.iter().take(bytes).copied().collect())
            }
        }
    }

    fn echo_archive(&self) -> Vec<u8> {
        let mut header = tar::Header::new_ustar();
        header.set_size(self.udp_echo.len() as u64);
        header.set_mode(0o755);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        let mut builder = tar::Builder::new(Vec::new());
        let appended = builder.append_data(&mut header, "echo", &self.udp_echo[..]);
        appended.and_then(|()| builder.into_inner()).expect("writing to memory does not fail")
    }
}
