//! What a message looks like.

use super::address::Address;
use crate::Stream;
use drydock_core::Timestamp;
use jiff::tz::TimeZone;
use std::io::Write;

/// Facility `daemon` with severity `info` and `err`.
const INFO: u8 = 3 << 3 | 6;
const ERROR: u8 = 3 << 3 | 3;

/// Makes messages.
#[derive(Debug)]
pub(super) struct Format {
    /// `None`: to the local server, which knows it.
    hostname: Option<String>,
    tag: String,
    zone: TimeZone,
    /// Of the last message's second: most have the same.
    time: (i64, String),
}

impl Format {
    pub(super) fn new(short_id: &str, address: &Address) -> Self {
        let hostname = match address {
            Address::Local => None,
            _ => Some(nix::unistd::gethostname().unwrap_or_default().to_string_lossy().into_owned()),
        };
        let tag = format!("docker/{short_id}[{}]", std::process::id());
        Self { hostname, tag, zone: local_zone(), time: (i64::MIN, String::new()) }
    }

    pub(super) fn message(&mut self, stream: Stream, line: &[u8], at: Timestamp) -> Vec<u8> {
        if self.time.0 != at.unix_seconds() {
            self.time = (at.unix_seconds(), self.time_text(at));
        }
        let priority = if stream == Stream::Stderr { ERROR } else { INFO };
        let (time, tag) = (&self.time.1, &self.tag);
        let mut message = Vec::with_capacity(line.len() + 96);
        // Writing to memory cannot fail.
        let _ = match &self.hostname {
            Some(hostname) => write!(message, "<{priority}>{time} {hostname} {tag}: "),
            None => write!(message, "<{priority}>{time} {tag}: "),
        };
        message.extend_from_slice(line);
        message.push(b'\n');
        message
    }

    /// As the receiver's part of the world wants it: of old (`Jun  1 12:00:00`) for the local one.
    fn time_text(&self, at: Timestamp) -> String {
        let Ok(at) = jiff::Timestamp::from_second(at.unix_seconds()) else { return String::new() };
        let local = at.to_zoned_datetime(self.zone.clone());
        let form = match &self.hostname {
            None => "%b %e %H:%M:%S",
            Some(_) if local.offset().is_zero() => "%Y-%m-%dT%H:%M:%SZ",
            Some(_) => "%Y-%m-%dT%H:%M:%S%:z",
        };
        local.strftime(form).to_string()
    }
}

/// The machine's zone; UTC where it has none.
fn local_zone() -> TimeZone {
    let rules = std::fs::read("/etc/localtime").ok();
    rules.and_then(|rules| TimeZone::tzif("local", &rules).ok()).unwrap_or(TimeZone::UTC)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(hostname: Option<&str>, zone: TimeZone) -> String {
        let hostname = hostname.map(str::to_owned);
        let mut format =
            Format { hostname, tag: "docker/0123456789ab[7]".into(), zone, time: (i64::MIN, String::new()) };
        let at = Timestamp::from_unix(1_433_160_000, 5).unwrap();
        String::from_utf8(format.message(Stream::Stderr, b"err", at)).unwrap()
    }

    #[test]
    fn local_and_distant_servers_get_their_own_forms() {
        let east = || TimeZone::fixed(jiff::tz::offset(2));
        assert_eq!(message(None, TimeZone::UTC), "<27>Jun  1 12:00:00 docker/0123456789ab[7]: err\n");
        assert_eq!(message(None, east()), "<27>Jun  1 14:00:00 docker/0123456789ab[7]: err\n");
        assert_eq!(message(Some("h"), TimeZone::UTC), "<27>2015-06-01T12:00:00Z h docker/0123456789ab[7]: err\n");
        assert_eq!(message(Some("h"), east()), "<27>2015-06-01T14:00:00+02:00 h docker/0123456789ab[7]: err\n");
    }
}
