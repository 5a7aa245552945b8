//! Finding lines from a file's end.

use memchr::memrchr_iter;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

const BLOCK: usize = 64 << 10;

/// How many of the first `len` bytes are whole lines.
pub(super) fn whole_lines(file: &File, len: u64) -> io::Result<u64> {
    line_start(file, len, 0)
}

/// Where the last `lines` whole lines of the first `len` bytes begin; what lies behind the last newline does not count.
pub(super) fn line_start(file: &File, len: u64, lines: u64) -> io::Result<u64> {
    let mut block = vec![0; BLOCK.min(usize::try_from(len).unwrap_or(BLOCK))];
    let (mut end, mut newlines) = (len, 0);
    while end > 0 {
        let start = end.saturating_sub(block.len() as u64);
        // At most a block, so it fits.
        let bytes = &mut block[..(end - start) as usize];
        file.read_exact_at(bytes, start)?;
        for at in memrchr_iter(b'\n', bytes) {
            if newlines == lines {
                return Ok(start + at as u64 + 1);
            }
            newlines += 1;
        }
        end = start;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn starts(content: &[u8]) -> Vec<u64> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        (0..4).map(|lines| line_start(&file, content.len() as u64, lines).unwrap()).collect()
    }

    #[test]
    fn lines_are_counted_from_the_end() {
        assert_eq!(starts(b"a\nbb\nc\n"), [7, 5, 2, 0]);
        assert_eq!(starts(b"a\nbb\ntorn"), [5, 2, 0, 0]);
        assert_eq!(starts(b""), [0; 4]);
        assert_eq!(starts(b"torn"), [0; 4]);
    }

    #[test]
    fn lines_longer_than_a_block_are_found() {
        let long = "x".repeat(3 * BLOCK);
        let (n, content) = (3 * BLOCK as u64 + 1, format!("{long}\n{long}\n"));
        assert_eq!(starts(content.as_bytes()), [2 * n, n, 0, 0]);
    }
}
