//! The client's side of a websocket (RFC 6455), as far as `attach/ws` needs it.

/// A message as it came: continuation frames are not joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The frame's first byte: FIN, reserved bits, opcode. `0x81` is a whole text message.
    pub head: u8,
    /// What it carries, unmasked.
    pub payload: Vec<u8>,
}

impl Message {
    /// The opcode: 1 text, 2 binary, 8 close, 9 ping, 10 pong.
    pub fn opcode(&self) -> u8 {
        self.head & 0x0f
    }
}

/// The opcode of a text message.
pub(crate) const TEXT: u8 = 1;
/// The opcode of a close message.
pub(crate) const CLOSE: u8 = 8;

/// The masking key. The mask guards caches from hostile scripts; a test client has no need of a secret one.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// Frames a payload as a client must: masked.
pub(crate) fn encode(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![0x80 | opcode];
    match payload.len() {
        length @ ..126 => out.push(0x80 | length as u8),
        length @ 126..65536 => {
            out.push(0x80 | 126);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            out.push(0x80 | 127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&MASK);
    out.extend(payload.iter().enumerate().map(|(index, byte)| byte ^ MASK[index % 4]));
    out
}

/// Reads the whole messages at the beginning of `bytes`. What follows the last is incomplete or too long to believe.
pub(crate) fn decode(bytes: &[u8]) -> Vec<Message> {
    let mut messages = Vec::new();
    let mut rest = bytes;
    while let Some((message, after)) = first(rest) {
        messages.push(message);
        rest = after;
    }
    messages
}

fn first(bytes: &[u8]) -> Option<(Message, &[u8])> {
    let (&[head, length], rest) = bytes.split_first_chunk::<2>()?;
    let (size, rest) = match length & 0x7f {
        126 => rest.split_first_chunk::<2>().map(|(size, rest)| (u64::from(u16::from_be_bytes(*size)), rest))?,
        127 => rest.split_first_chunk::<8>().map(|(size, rest)| (u64::from_be_bytes(*size), rest))?,
        short => (u64::from(short), rest),
    };
    let (mask, rest) = match length & 0x80 {
        0 => ([0; 4], rest),
        _ => rest.split_first_chunk::<4>().map(|(mask, rest)| (*mask, rest))?,
    };
    let size = usize::try_from(size).ok()?;
    let (payload, rest) = rest.split_at_checked(size)?;
    let payload = payload.iter().enumerate().map(|(index, byte)| byte ^ mask[index % 4]).collect();
    Some((Message { head, payload }, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_every_length_form_survive_the_mask() {
        for length in [0, 1, 125, 126, 65535, 65536] {
            let payload: Vec<u8> = (0..length).map(|n| n as u8).collect();
            let wire = encode(TEXT, &payload);
            assert_eq!(decode(&wire), [Message { head: 0x81, payload }]);
            assert_eq!(decode(&wire[..wire.len() - 1]), []);
        }
    }

    #[test]
    fn a_length_beyond_belief_is_not_waited_for() {
        assert_eq!(decode(&[0x82, 127, 255, 255, 255, 255, 255, 255, 255, 255, 1, 2]), []);
    }
}
