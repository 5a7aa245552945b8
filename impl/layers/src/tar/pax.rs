//! PAX records: `LENGTH KEY=VALUE\n`, each length counting the whole record.

use super::{ArchiveError, Entry, Time};

const XATTR: &[u8] = b"SCHILY.xattr.";

/// What the records before an entry (or before all of them) say.
#[derive(Clone, Debug, Default)]
pub(super) struct Records {
    pub(super) path: Option<Vec<u8>>,
    pub(super) link: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    pub(super) uid: Option<u64>,
    pub(super) gid: Option<u64>,
    pub(super) modified: Option<Time>,
    pub(super) xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    pub(super) sparse: Sparse,
}

/// What GNU tar says of a sparse file in its PAX records.
#[derive(Clone, Debug, Default)]
pub(super) struct Sparse {
    /// 1 means: the map stands before the data.
    pub(super) major: Option<u64>,
    pub(super) name: Option<Vec<u8>>,
    pub(super) real_size: Option<u64>,
    /// Offset and length by turns.
    pub(super) map: Option<Vec<u64>>,
}

impl Records {
    /// Reads the content of a PAX header over what is known.
    pub(super) fn read(&mut self, mut text: &[u8]) -> Result<(), ArchiveError> {
        const BAD: ArchiveError = ArchiveError::Malformed("a PAX record that is none");
        while !text.is_empty() && text[0] != 0 {
            let blank = text.iter().take(20).position(|&byte| byte == b' ').ok_or(BAD)?;
            let length = usize::try_from(decimal(&text[..blank]).ok_or(BAD)?).map_err(|_| BAD)?;
            if length <= blank + 1 || length > text.len() || text[length - 1] != b'\n' {
                return Err(BAD);
            }
            let record = &text[blank + 1..length - 1];
            let equals = record.iter().position(|&byte| byte == b'=').ok_or(BAD)?;
            self.set(&record[..equals], &record[equals + 1..])?;
            text = &text[length..];
        }
        Ok(())
    }

    /// An empty value takes the record back.
    fn set(&mut self, key: &[u8], value: &[u8]) -> Result<(), ArchiveError> {
        let some = !value.is_empty();
        let text = || -> Result<Option<Vec<u8>>, ArchiveError> {
            if value.contains(&0) {
                return Err(ArchiveError::Malformed("a PAX path with a NUL"));
            }
            Ok(some.then(|| value.to_vec()))
        };
        let number = || -> Result<Option<u64>, ArchiveError> {
            if !some {
                return Ok(None);
            }
            decimal(value).map(Some).ok_or(ArchiveError::Malformed("a PAX number that is none"))
        };
        match key {
            b"path" => self.path = text()?,
            b"linkpath" => self.link = text()?,
            b"size" => self.size = number()?,
            b"uid" => self.uid = number()?,
            b"gid" => self.gid = number()?,
            b"mtime" => {
                self.modified = if some {
                    Some(time(value).ok_or(ArchiveError::Malformed("a PAX time that is none"))?)
                } else {
                    None
                }
            }
            b"GNU.sparse.major" => self.sparse.major = number()?,
            b"GNU.sparse.name" => self.sparse.name = text()?,
            b"GNU.sparse.realsize" | b"GNU.sparse.size" => self.sparse.real_size = number()?,
            b"GNU.sparse.map" => {
                let numbers = value.split(|&byte| byte == b',').filter(|part| !part.is_empty()).map(decimal);
                let map = numbers.collect::<Option<_>>().ok_or(ArchiveError::Malformed("a sparse map that is none"))?;
                self.sparse.map = some.then_some(map);
            }
            b"GNU.sparse.offset" | b"GNU.sparse.numbytes" => self.sparse.map.get_or_insert_default().extend(number()?),
            _ => {
                if let Some(name) = key.strip_prefix(XATTR) {
                    self.xattrs.retain(|(known, _)| known != name);
                    self.xattrs.push((name.to_vec(), value.to_vec()));
                }
            }
        }
        Ok(())
    }
}

/// The records that say of `entry` what its block could not: path, link target, size, owner, group, time.
pub(super) fn write(entry: &Entry, needs: &Needs, to: &mut Vec<u8>) {
    if needs.path {
        record(b"path", &entry.path, to);
    }
    if let (true, super::Kind::HardLink(link) | super::Kind::Symlink(link)) = (needs.link, &entry.kind) {
        record(b"linkpath", link, to);
    }
    if needs.size {
        record(b"size", entry.stored().to_string().as_bytes(), to);
    }
    if needs.uid {
        record(b"uid", entry.uid.to_string().as_bytes(), to);
    }
    if needs.gid {
        record(b"gid", entry.gid.to_string().as_bytes(), to);
    }
    if needs.modified {
        record(b"mtime", written_time(entry.modified).as_bytes(), to);
    }
    for (name, value) in &entry.xattrs {
        record(&[XATTR, name].concat(), value, to);
    }
}

/// What of an entry does not fit its block.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Needs {
    pub(super) path: bool,
    pub(super) link: bool,
    pub(super) size: bool,
    pub(super) uid: bool,
    pub(super) gid: bool,
    pub(super) modified: bool,
}

fn record(key: &[u8], value: &[u8], to: &mut Vec<u8>) {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    // The length counts its own digits.
    while rest + length.to_string().len() != length {
        length = rest + length.to_string().len();
    }
    to.extend_from_slice(length.to_string().as_bytes());
    for part in [b" ", key, b"=", value, b"\n"] {
        to.extend_from_slice(part);
    }
}

fn written_time(time: Time) -> String {
    // Below the epoch the fraction counts towards zero: -0.25 is 750 ms into second -1.
    let (sign, seconds, nanos) = match time {
        Time { seconds, nanos } if seconds >= 0 => ("", seconds.unsigned_abs(), nanos),
        Time { seconds, nanos: 0 } => ("-", seconds.unsigned_abs(), 0),
        Time { seconds, nanos } => ("-", (seconds + 1).unsigned_abs(), 1_000_000_000 - nanos),
    };
    let text = format!("{sign}{seconds}.{nanos:09}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn time(text: &[u8]) -> Option<Time> {
    let (negative, text) = match text.strip_prefix(b"-") {
        Some(text) => (true, text),
        None => (false, text),
    };
    let dot = text.iter().position(|&byte| byte == b'.');
    let (whole, fraction) = dot.map_or((text, &b""[..]), |dot| (&text[..dot], &text[dot + 1..]));
    let seconds = i64::try_from(if whole.is_empty() { 0 } else { decimal(whole)? }).ok()?;
    if !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let nanos = (0..9).fold(0, |nanos, at| nanos * 10 + u32::from(fraction.get(at).map_or(0, |digit| digit - b'0')));
    Some(match (negative, nanos) {
        (false, _) => Time { seconds, nanos },
        (true, 0) => Time { seconds: -seconds, nanos },
        (true, _) => Time { seconds: -seconds - 1, nanos: 1_000_000_000 - nanos },
    })
}

pub(super) fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_counts_its_own_length() {
        for value_length in [0, 1, 80, 85, 86, 87, 88, 89, 90, 980, 990, 1000] {
            let mut text = Vec::new();
            record(b"path", &vec![b'x'; value_length], &mut text);
            let length: usize = std::str::from_utf8(&text).unwrap().split(' ').next().unwrap().parse().unwrap();
            assert_eq!(length, text.len());
        }
    }

    #[test]
    fn times_read_back_as_they_were_written() {
        for (seconds, nanos, text) in
            [(1, 500_000_000, "1.5"), (0, 1, "0.000000001"), (7, 0, "7"), (-1, 750_000_000, "-0.25"), (-3, 0, "-3")]
        {
            assert_eq!(written_time(Time { seconds, nanos }), text);
            assert_eq!(time(text.as_bytes()), Some(Time { seconds, nanos }));
        }
        assert_eq!(time(b"1.1234567899"), Some(Time { seconds: 1, nanos: 123_456_789 }));
        assert_eq!(time(b"1.x"), None);
        assert_eq!(time(b"99999999999999999999"), None);
    }

    #[test]
    fn what_is_no_record_is_refused() {
        for bad in [&b"5 a=b"[..], b"6 a=b\n7", b"x a=b\n", b"9999999 a=b\n", b"6 abc\n", b"0 \n", b"20 path=a\0b\n"] {
            assert!(Records::default().read(bad).is_err(), "{bad:?}");
        }
    }
}
