//! Writing and reading netlink messages.

/// Bytes of the header of a message.
pub(super) const HEADER: usize = 16;

/// A message being written. Lengths are filled in as parts end; everything is padded to four bytes, as the kernel
/// expects.
#[derive(Debug)]
pub(crate) struct Message(Vec<u8>);

impl Message {
    /// `kind` is an `RTM_…`, `flags` are `NLM_F_…`; `fixed` is the structure that this kind begins with.
    pub(super) fn new(kind: u16, flags: i32, fixed: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(256);
        bytes.extend_from_slice(&0_u32.to_ne_bytes());
        bytes.extend_from_slice(&kind.to_ne_bytes());
        bytes.extend_from_slice(&(flags as u16).to_ne_bytes());
        bytes.extend_from_slice(&[0; 8]);
        bytes.extend_from_slice(fixed);
        let mut message = Self(bytes);
        message.pad();
        message
    }

    pub(super) fn attribute(mut self, kind: u16, value: &[u8]) -> Self {
        self.push(kind, value);
        self
    }

    /// A text attribute; the kernel wants its NUL.
    pub(super) fn text(self, kind: u16, value: &str) -> Self {
        self.attribute(kind, &[value.as_bytes(), &[0]].concat())
    }

    pub(super) fn number(self, kind: u16, value: u32) -> Self {
        self.attribute(kind, &value.to_ne_bytes())
    }

    /// An attribute that holds attributes, behind a structure if the kind has one.
    pub(super) fn nest(mut self, kind: u16, fixed: &[u8], fill: impl FnOnce(Self) -> Self) -> Self {
        let at = self.0.len();
        self.push(kind, fixed);
        let mut filled = fill(self);
        let len = (filled.0.len() - at) as u16;
        filled.0[at..at + 2].copy_from_slice(&len.to_ne_bytes());
        filled
    }

    fn push(&mut self, kind: u16, value: &[u8]) {
        self.0.extend_from_slice(&((4 + value.len()) as u16).to_ne_bytes());
        self.0.extend_from_slice(&kind.to_ne_bytes());
        self.0.extend_from_slice(value);
        self.pad();
    }

    fn pad(&mut self) {
        self.0.resize(self.0.len().next_multiple_of(4), 0);
    }

    /// The finished message, with its number and more flags.
    pub(super) fn finish(mut self, sequence: u32, flags: i32) -> Vec<u8> {
        let len = self.0.len() as u32;
        self.0[..4].copy_from_slice(&len.to_ne_bytes());
        let all = u16_at(&self.0, 6).unwrap_or(0) | flags as u16;
        self.0[6..8].copy_from_slice(&all.to_ne_bytes());
        self.0[8..12].copy_from_slice(&sequence.to_ne_bytes());
        self.0
    }
}

/// A message from the kernel.
#[derive(Clone, Copy, Debug)]
pub(super) struct Received<'a> {
    pub(super) kind: u16,
    pub(super) sequence: u32,
    /// Behind the header.
    pub(super) body: &'a [u8],
}

/// The messages of a datagram.
pub(super) fn messages(mut bytes: &[u8]) -> impl Iterator<Item = Received<'_>> {
    std::iter::from_fn(move || {
        let len = u32_at(bytes, 0)? as usize;
        let body = bytes.get(HEADER..len)?;
        let message = Received { kind: u16_at(bytes, 4)?, sequence: u32_at(bytes, 8)?, body };
        bytes = bytes.get(len.next_multiple_of(4)..).unwrap_or_default();
        Some(message)
    })
}

/// The attributes behind the structure of `fixed` bytes that a body begins with.
pub(super) fn attributes(body: &[u8], fixed: usize) -> impl Iterator<Item = (u16, &[u8])> {
    let mut bytes = body.get(fixed..).unwrap_or_default();
    std::iter::from_fn(move || {
        let len = usize::from(u16_at(bytes, 0)?);
        let value = bytes.get(4..len)?;
        // The two high bits are flags.
        let kind = u16_at(bytes, 2)? & 0x3fff;
        bytes = bytes.get(len.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

/// Text of an attribute, without its NUL.
pub(super) fn text(value: &[u8]) -> &str {
    let end = value.iter().position(|byte| *byte == 0).unwrap_or(value.len());
    std::str::from_utf8(&value[..end]).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let bytes = Message::new(16, 1, &[7; 6])
            .text(3, "eth0")
            .nest(18, &[], |nested| nested.text(1, "veth").number(2, 9))
            .finish(5, 4);
        let message = messages(&bytes).next().unwrap();
        assert_eq!((message.kind, message.sequence), (16, 5));
        let found: Vec<_> = attributes(message.body, 8).collect();
        assert_eq!(found[0], (3, b"eth0\0".as_slice()));
        let nested: Vec<_> = attributes(found[1].1, 0).collect();
        assert_eq!(nested, [(1, b"veth\0".as_slice()), (2, 9_u32.to_ne_bytes().as_slice())]);
    }

    #[test]
    fn bytes_that_end_too_early_are_no_message() {
        let bytes = Message::new(16, 1, &[0; 16]).text(3, "eth0").finish(1, 0);
        for len in 0..bytes.len() {
            assert!(messages(&bytes[..len]).next().is_none());
        }
        assert_eq!(attributes(&[3, 0, 1, 0], 0).count(), 0);
    }
}
