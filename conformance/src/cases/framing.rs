//! How streams are cut: clients read a chunk as a message, and a frame as what its header announces.

use drydock_spec::model::Content as Described;

use crate::exchange::{Content, End, Response};

/// How an answer's framing differs from what its kind of content promises. `None`: the kind promises nothing.
pub(super) fn differences(described: Described, response: &Response) -> Option<Vec<String>> {
    let mut found = Vec::new();
    match response.end {
        End::Short => found.push("the connection ends before the body does".to_owned()),
        End::BadChunk => found.push("what should be a chunk's length is none".to_owned()),
        _ => {}
    }
    match described {
        Described::JsonLines => {
            let lengths: usize = response.chunks.iter().sum();
            if let (Content::Bytes(bytes), false) = (&response.content, response.chunks.is_empty())
                && lengths == bytes.len()
            {
                found.extend(split_messages(bytes, &response.chunks));
            }
        }
        Described::Hijack => {
            for header in ["Content-Length", "Transfer-Encoding"] {
                if response.header(header).is_some() {
                    found.push(format!("has {header}, though the connection is the stream"));
                }
            }
            if matches!(response.end, End::Length | End::Chunked) {
                found.push("ends before its connection does".to_owned());
            }
        }
        Described::Stdio | Described::Tar | Described::Websocket => {}
        Described::None | Described::Text | Described::Json | Described::Bytes if found.is_empty() => return None,
        Described::None | Described::Text | Described::Json | Described::Bytes => {}
    }
    Some(found)
}

/// docker-py and others read each chunk as one message: every chunk holds whole documents.
fn split_messages(bytes: &[u8], chunks: &[usize]) -> Option<String> {
    let mut at = 0;
    for (index, length) in chunks.iter().enumerate() {
        let chunk = bytes.get(at..at + length)?;
        at += length;
        let mut documents = serde_json::Deserializer::from_slice(chunk).into_iter::<serde::de::IgnoredAny>();
        if documents.any(|document| document.is_err()) {
            return Some(format!(
                "chunk {index} holds no whole message: {:?}",
                String::from_utf8_lossy(&chunk[..length.min(&80).to_owned()])
            ));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_not_cut_by_chunks() {
        assert_eq!(split_messages(b"{\"a\":1}\n{\"b\":2}\n", &[8, 8]), None);
        assert_eq!(split_messages(b"{\"a\":1}\n{\"b\":2}\n", &[16]), None);
        assert!(split_messages(b"{\"a\":1}\n{\"b\":2}\n", &[10, 6]).is_some());
    }
}
