//! An exchange as a person reads it.

use std::fmt::Write;

use super::{
    Archive, Exchange,
    request::{Input, Request, RequestBody},
    response::{Content, End, Response},
};

/// How much of a body is shown, in characters.
const SHOWN: usize = 6000;

impl Request {
    /// Request line, headers, body and stdin.
    pub fn show(&self) -> String {
        if let Some(raw) = &self.raw {
            return format!("raw bytes:\n{}", cut(&String::from_utf8_lossy(raw).escape_debug().to_string()));
        }
        let mut out = format!("{} {} {}\n", self.method, self.target, self.proto);
        for (name, value) in &self.headers {
            let _ = writeln!(out, "{name}: {value}");
        }
        match &self.body {
            RequestBody::Absent => {}
            RequestBody::Bytes(bytes) => {
                let _ = writeln!(out, "\n{}", bytes_shown(bytes));
            }
            RequestBody::Chunks(pieces) => {
                let _ = writeln!(out, "\n{} (in {} chunks)", bytes_shown(&pieces.concat()), pieces.len());
            }
            RequestBody::Described { label, size } => {
                let _ = writeln!(out, "\n({label}, {size} bytes)");
            }
        }
        for input in &self.stdin {
            let _ = match input {
                Input::Bytes(bytes) => writeln!(out, "> {:?}", String::from_utf8_lossy(bytes)),
                Input::Pause(time) => writeln!(out, "> (waits {} ms)", time.as_millis()),
                Input::HalfClose => writeln!(out, "> (half-close)"),
            };
        }
        out
    }
}

impl Response {
    /// Status line, headers in order, content, and how it ended.
    pub fn show(&self) -> String {
        let mut out = String::new();
        for interim in &self.interim {
            let _ = writeln!(out, "{} {} {}\n", self.proto, interim.status, interim.reason);
        }
        let _ = writeln!(out, "{} {} {}", self.proto, self.status, self.reason);
        for (name, value) in &self.headers {
            let _ = writeln!(out, "{name}: {value}");
        }
        out.push('\n');
        match &self.content {
            Content::Bytes(bytes) if bytes.is_empty() => {}
            Content::Bytes(bytes) => {
                out += &bytes_shown(bytes);
                out.push('\n');
            }
            Content::Cut { kept, size } => {
                let _ = writeln!(out, "{} … ({size} bytes)", bytes_shown(kept));
            }
            Content::Frames(frames) => {
                for frame in frames.iter().take(100) {
                    let _ = writeln!(out, "frame {}: {:?}", frame.stream, String::from_utf8_lossy(&frame.payload));
                }
            }
            Content::Messages(messages) => {
                for message in messages.iter().take(100) {
                    let _ =
                        writeln!(out, "message {:#04x}: {:?}", message.head, String::from_utf8_lossy(&message.payload));
                }
            }
            Content::Archive(archive) => archive_shown(archive, &mut out),
        }
        let _ = match self.end {
            End::Length | End::Chunked => Ok(()),
            End::Eof => writeln!(out, "(ended with the connection)"),
            End::Timeout => writeln!(out, "(had not ended when the client left)"),
            End::TooLong => writeln!(out, "(the client left: too long)"),
            End::Short => writeln!(out, "(the connection ended before the body did)"),
            End::BadChunk => writeln!(out, "(went on in what is no chunk)"),
        };
        out
    }
}

impl Exchange {
    /// What came back, or why nothing did.
    pub fn show_answer(&self) -> String {
        match &self.answer {
            Ok(response) => response.show(),
            Err(error) => format!("({error})\n"),
        }
    }
}

fn archive_shown(archive: &Archive, out: &mut String) {
    for entry in archive.entries.iter().take(100) {
        let _ = writeln!(out, "{} {}:{} {:>8} {}", entry.mode, entry.uid, entry.gid, entry.size, entry.name);
    }
    if archive.entries.len() > 100 {
        let _ = writeln!(out, "… and {} more entries", archive.entries.len() - 100);
    }
}

fn bytes_shown(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.chars().any(|c| c.is_control() && !"\n\r\t".contains(c)) => cut(text),
        _ => cut(&format!("{} bytes: {}", bytes.len(), bytes[..bytes.len().min(SHOWN)].escape_ascii())),
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{} …", &text[..at]),
        None => text.to_owned(),
    }
}
