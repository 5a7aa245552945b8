//! What every log driver does, whatever it does with the lines.

use crate::{Flushed, Stream, Writer};
use drydock_core::Timestamp;
use rustix::event::{PollFd, PollFlags, poll};

/// A driver with something that receives what it writes.
pub(crate) trait Bench: Sized {
    /// Whether a line of any length stays one.
    const WHOLE_LINES: bool;

    /// A fresh one.
    fn new() -> Self;

    /// A writer of it.
    fn writer(&self) -> Box<dyn Writer>;

    /// Waits for so many lines: streams, and bytes without newlines. `None`: the driver keeps nothing.
    fn lines(&self, count: usize) -> Option<Vec<(Stream, Vec<u8>)>>;
}

pub(crate) fn at() -> Timestamp {
    Timestamp::from_unix(1_433_160_000, 0).unwrap()
}

/// As the shim does: no more is given until the receiver has taken what there is.
pub(crate) fn write_all(writer: &mut dyn Writer, stream: Stream, bytes: &[u8]) {
    for chunk in bytes.chunks(64 << 10) {
        writer.write(stream, chunk, at()).unwrap();
        while writer.flush().unwrap() == Flushed::Blocked {
            let descriptor = writer.descriptor().expect("what blocks can be waited for");
            poll(&mut [PollFd::from_borrowed_fd(descriptor, PollFlags::OUT)], None).unwrap();
        }
    }
}

pub(crate) fn check<B: Bench>(pieces: &[(Stream, &[u8])], expected: &[(Stream, &[u8])]) {
    let bench = B::new();
    let mut writer = bench.writer();
    for (stream, bytes) in pieces {
        write_all(&mut *writer, *stream, bytes);
    }
    writer.close(at()).unwrap();
    if let Some(lines) = bench.lines(expected.len()) {
        let expected: Vec<_> = expected.iter().map(|(stream, line)| (*stream, line.to_vec())).collect();
        assert_eq!(lines, expected);
    }
}

/// The tests that every driver passes; `$bench` is its [`Bench`].
macro_rules! log_driver_suite {
    ($bench:ty) => {
        mod suite {
            use super::*;
            use $crate::Stream::{Stderr, Stdout};
            use $crate::suite::{Bench, at, check, write_all};

            #[test]
            fn lines_of_both_streams_come_in_order() {
                check::<$bench>(
                    &[(Stdout, b"one\ntwo\n"), (Stderr, b"three\n"), (Stdout, b"four\n")],
                    &[(Stdout, b"one"), (Stdout, b"two"), (Stderr, b"three"), (Stdout, b"four")],
                );
            }

            #[test]
            fn a_line_in_many_pieces_is_one_and_streams_do_not_mix() {
                check::<$bench>(
                    &[(Stdout, b"be"), (Stderr, b"mean"), (Stdout, b"gin"), (Stderr, b"while\n"), (Stdout, b"ning\n")],
                    &[(Stderr, b"meanwhile"), (Stdout, b"beginning")],
                );
            }

            #[test]
            fn empty_lines_and_a_last_line_without_a_newline_are_kept() {
                check::<$bench>(
                    &[(Stdout, b"\n\n  \nlast"), (Stderr, b"also last")],
                    &[(Stdout, b""), (Stdout, b""), (Stdout, b"  "), (Stdout, b"last"), (Stderr, b"also last")],
                );
            }

            #[test]
            fn text_and_control_characters_are_kept() {
                let line = "tab\t nul\0 esc\u{1b} cr\r é ☃ 𝄞 \u{2028} \"q\" \\ <&>".as_bytes();
                check::<$bench>(&[(Stdout, &[line, b"\n"].concat())], &[(Stdout, line)]);
            }

            #[test]
            fn twenty_thousand_lines_to_a_receiver_that_takes_its_time_are_all_there() {
                let bench = <$bench>::new();
                let mut writer = bench.writer();
                let expected: Vec<_> = (0..20_000).map(|number| format!("{number} {}", "x".repeat(100))).collect();
                let text: String = expected.iter().map(|line| format!("{line}\n")).collect();
                write_all(&mut *writer, Stdout, text.as_bytes());
                writer.close(at()).unwrap();
                if let Some(lines) = bench.lines(expected.len()) {
                    assert!(lines.iter().map(|(_, line)| line.as_slice()).eq(expected.iter().map(String::as_bytes)));
                }
            }

            #[test]
            fn a_line_of_16_megabytes_is_there_to_its_last_byte() {
                let bench = <$bench>::new();
                let mut writer = bench.writer();
                let line: Vec<u8> =
                    (0..16 << 20).map(|at: u32| b'a' + (at.wrapping_mul(2_654_435_761) >> 28) as u8).collect();
                write_all(&mut *writer, Stdout, &line);
                write_all(&mut *writer, Stdout, b"\nafter\n");
                writer.close(at()).unwrap();
                let mut count = 2;
                // A driver that cuts lines says with what it sends how many there are.
                while let Some(lines) = bench.lines(count) {
                    if lines.last().is_some_and(|(_, line)| line == b"after") {
                        let pieces: Vec<_> = lines.into_iter().map(|(_, line)| line).collect();
                        assert!(!<$bench>::WHOLE_LINES || pieces.len() == 2);
                        assert!(pieces[..pieces.len() - 1].concat() == line);
                        return;
                    }
                    count += 1;
                }
            }

            #[test]
            fn a_second_run_goes_on_where_the_first_ended() {
                let bench = <$bench>::new();
                for run in [&b"first\n"[..], b"second\n"] {
                    let mut writer = bench.writer();
                    write_all(&mut *writer, Stdout, run);
                    writer.close(at()).unwrap();
                }
                if let Some(lines) = bench.lines(2) {
                    assert_eq!(lines, [(Stdout, b"first".to_vec()), (Stdout, b"second".to_vec())]);
                }
            }
        }
    };
}
pub(crate) use log_driver_suite;
