//! Websocket frames as a server reads and writes them (RFC 6455, section 5).
//!
//! What a client sends comes out in pieces as it arrives, whatever its frames' lengths: a message is to the container
//! nothing but bytes. [`Decoder`] takes bytes cut anywhere.

use bytes::{Buf as _, Bytes, BytesMut};

/// Opcodes of what is written.
pub(crate) const TEXT: u8 = 1;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PONG: u8 = 10;

/// Status codes of a close frame.
pub(crate) const NORMAL: u16 = 1000;
pub(crate) const PROTOCOL_ERROR: u16 = 1002;

/// What a client sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Bytes of a text or binary message.
    Data(Bytes),
    /// It wants to hear these again.
    Ping(Bytes),
    /// It sends no more.
    Close,
}

/// No frame that a client may send.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// Bytes of a control frame's payload at most.
const CONTROL: u64 = 125;

/// Reads a client's frames.
#[derive(Default)]
pub(crate) struct Decoder {
    /// What came and was not read yet.
    pub(crate) buffer: BytesMut,
    /// A data frame whose payload is not all here.
    open: Option<Masked>,
}

struct Masked {
    left: u64,
    mask: [u8; 4],
    /// How far the mask is turned.
    at: usize,
}

impl Masked {
    fn take(&mut self, buffer: &mut BytesMut) -> Bytes {
        let length = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let mut payload = buffer.split_to(length);
        for byte in payload.iter_mut() {
            *byte ^= self.mask[self.at];
            self.at = (self.at + 1) % 4;
        }
        self.left -= length as u64;
        payload.freeze()
    }
}

impl Decoder {
    /// The next piece; `None` when more bytes are needed.
    pub(crate) fn next(&mut self) -> Result<Option<Piece>, Malformed> {
        loop {
            if let Some(open) = &mut self.open {
                if self.buffer.is_empty() && open.left > 0 {
                    return Ok(None);
                }
                let payload = open.take(&mut self.buffer);
                if open.left == 0 {
                    self.open = None;
                }
                if payload.is_empty() {
                    continue;
                }
                return Ok(Some(Piece::Data(payload)));
            }
            let Some((opcode, mut frame, head)) = self.head()? else { return Ok(None) };
            match opcode {
                0..=2 => {
                    self.buffer.advance(head);
                    self.open = Some(frame);
                }
                CLOSE..=PONG => {
                    if frame.left > CONTROL {
                        return Err(Malformed);
                    }
                    if (self.buffer.len() - head) < frame.left as usize {
                        return Ok(None);
                    }
                    self.buffer.advance(head);
                    let payload = frame.take(&mut self.buffer);
                    match opcode {
                        CLOSE => return Ok(Some(Piece::Close)),
                        PONG => {}
                        _ => return Ok(Some(Piece::Ping(payload))),
                    }
                }
                _ => return Err(Malformed),
            }
        }
    }

    /// The head at the buffer's beginning, once it is there whole, and its length.
    fn head(&self) -> Result<Option<(u8, Masked, usize)>, Malformed> {
        let Some((&[first, second], rest)) = self.buffer.split_first_chunk::<2>() else { return Ok(None) };
        if second & 0x80 == 0 {
            return Err(Malformed); // A client masks.
        }
        let (left, rest) = match second & 0x7f {
            126 => match rest.split_first_chunk::<2>() {
                Some((length, rest)) => (u64::from(u16::from_be_bytes(*length)), rest),
                None => return Ok(None),
            },
            127 => match rest.split_first_chunk::<8>() {
                Some((length, rest)) => (u64::from_be_bytes(*length), rest),
                None => return Ok(None),
            },
            length => (u64::from(length), rest),
        };
        let Some((mask, rest)) = rest.split_first_chunk::<4>() else { return Ok(None) };
        let head = self.buffer.len() - rest.len();
        Ok(Some((first & 0x0f, Masked { left, mask: *mask, at: 0 }, head)))
    }
}

/// A whole frame of a server.
pub(crate) fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(payload.len() + 10);
    frame.push(0x80 | opcode);
    match payload.len() {
        length @ 0..=125 => frame.push(length as u8),
        length @ 126..=0xffff => {
            frame.push(126);
            frame.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            frame.push(127);
            frame.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(payload);
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(opcode: u8, payload: &[u8]) -> Vec<u8> {
        let mask = [7, 0, 0xff, 0x31];
        let mut bytes = frame(opcode, payload);
        bytes[1] |= 0x80;
        let head = bytes.len() - payload.len();
        bytes.splice(head..head, mask);
        for (at, byte) in bytes[head + 4..].iter_mut().enumerate() {
            *byte ^= mask[at % 4];
        }
        bytes
    }

    fn pieces(decoder: &mut Decoder, bytes: &[u8]) -> Result<Vec<Piece>, Malformed> {
        decoder.buffer.extend_from_slice(bytes);
        std::iter::from_fn(|| decoder.next().transpose()).collect()
    }

    #[test]
    fn frames_are_read_wherever_they_are_cut() {
        let long = vec![b'x'; 70_000];
        let sent = [
            masked(1, b"ls\n"),
            masked(9, b"there?"),
            masked(2, &[0xff; 200]),
            masked(0, &[]),
            masked(10, b"yes"),
            masked(2, &long),
            masked(8, &[3, 0xe8]),
        ]
        .concat();
        for size in [1, 2, 3, 7, 128, 4096, sent.len()] {
            let mut decoder = Decoder::default();
            let (mut data, mut rest) = (Vec::new(), Vec::new());
            for part in sent.chunks(size) {
                for piece in pieces(&mut decoder, part).unwrap() {
                    match piece {
                        Piece::Data(bytes) => data.extend_from_slice(&bytes),
                        other => rest.push(other),
                    }
                }
            }
            assert_eq!(data, [b"ls\n", &[0xff; 200][..], &long].concat(), "{size}");
            assert_eq!(rest, [Piece::Ping(Bytes::from_static(b"there?")), Piece::Close], "{size}");
        }
    }

    #[test]
    fn what_no_client_may_send_is_malformed() {
        for bytes in [frame(1, b"not masked"), masked(3, b"no such opcode"), masked(9, &[0; 126])] {
            assert_eq!(pieces(&mut Decoder::default(), &bytes), Err(Malformed));
        }
    }
}
