//! Multiplexed container output, as `attach`, `logs` and `exec start` send it without a terminal.
//!
//! A frame: stream (0 stdin, 1 stdout, 2 stderr), three zero bytes, length (4 bytes, big endian), payload.

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// 0 stdin, 1 stdout, 2 stderr.
    pub stream: u8,
    /// What it carries; may be empty.
    pub payload: Vec<u8>,
}

/// Why bytes are no frames.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadFrames {
    /// A header that is none: its stream is above 2, or its padding is not zero.
    #[error("at byte {at} no frame begins: {header:02x?}")]
    Header {
        /// Offset in the content, in bytes.
        at: usize,
        /// What stands there.
        header: Vec<u8>,
    },
    /// The content ends within a frame.
    #[error("the frame at byte {at} says {length} bytes and has {there}")]
    Short {
        /// Offset in the content, in bytes.
        at: usize,
        /// What its header announces.
        length: usize,
        /// What is there.
        there: usize,
    },
    /// The content was not kept as bytes or frames.
    #[error("the content is neither bytes nor frames")]
    NotBytes,
}

/// Reads frames. With `cut`, the last may be incomplete and is dropped: the client left in the middle of it.
pub(crate) fn decode(bytes: &[u8], cut: bool) -> Result<Vec<Frame>, BadFrames> {
    let mut frames = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        let Some((header, rest)) = rest.split_first_chunk::<8>() else {
            return if cut { Ok(frames) } else { Err(BadFrames::Header { at, header: rest.to_vec() }) };
        };
        let [stream @ 0..=2, 0, 0, 0, l0, l1, l2, l3] = *header else {
            return Err(BadFrames::Header { at, header: header.to_vec() });
        };
        let length = u32::from_be_bytes([l0, l1, l2, l3]) as usize;
        match rest.get(..length) {
            Some(payload) => frames.push(Frame { stream, payload: payload.to_vec() }),
            None if cut => return Ok(frames),
            None => return Err(BadFrames::Short { at, length, there: rest.len() }),
        }
        at += 8 + length;
    }
    Ok(frames)
}

/// Writes frames.
pub(crate) fn encode(frames: &[Frame]) -> Vec<u8> {
    let mut out = Vec::new();
    for frame in frames {
        out.extend_from_slice(&[frame.stream, 0, 0, 0]);
        out.extend_from_slice(&(frame.payload.len() as u32).to_be_bytes());
        out.extend_from_slice(&frame.payload);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_survive_the_wire() {
        let frames = vec![
            Frame { stream: 1, payload: b"out\n".to_vec() },
            Frame { stream: 2, payload: Vec::new() },
            Frame { stream: 2, payload: vec![0xff; 300] },
        ];
        assert_eq!(decode(&encode(&frames), false), Ok(frames));
    }

    #[test]
    fn a_cut_frame_is_an_error_unless_the_client_left() {
        let bytes = encode(&[Frame { stream: 1, payload: b"hello".to_vec() }]);
        for cut in 1..bytes.len() {
            assert!(decode(&bytes[..cut], false).is_err(), "{cut}");
            assert_eq!(decode(&bytes[..cut], true), Ok(vec![]), "{cut}");
        }
    }

    #[test]
    fn a_header_that_is_none_is_named_with_its_place() {
        assert!(matches!(decode(b"hello, world", true), Err(BadFrames::Header { at: 0, .. })));
        assert!(matches!(
            decode(&[1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 1], false),
            Err(BadFrames::Short { there: 1, .. })
        ));
    }
}
