//! Points in time, written as the daemons wrote them.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A point in time with nanoseconds, UTC. Written as RFC 3339 with as many decimals as are not zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(jiff::Timestamp);

/// The text is no RFC 3339 time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no RFC 3339 time")]
pub struct ParseTimestampError(pub String);

/// Seconds from the first instant of year 1 to the Unix epoch.
const YEAR_ONE: i64 = -62_135_596_800;

impl Timestamp {
    /// `0001-01-01T00:00:00Z`: what answers show where nothing happened yet.
    pub const ZERO: Self = Self(jiff::Timestamp::constant(YEAR_ONE, 0));

    /// Now.
    #[must_use]
    pub fn now() -> Self {
        Self(jiff::Timestamp::now())
    }

    /// `seconds` and `nanos` (below 10⁹) after the Unix epoch; `None` beyond the years that can be written.
    #[must_use]
    pub fn from_unix(seconds: i64, nanos: u32) -> Option<Self> {
        jiff::Timestamp::new(seconds, i32::try_from(nanos).ok()?).ok().map(Self)
    }

    /// Whether this is [`Self::ZERO`].
    #[must_use]
    pub fn is_zero(self) -> bool {
        self == Self::ZERO
    }

    /// Whole seconds since the Unix epoch, rounded down; negative before it.
    #[must_use]
    pub fn unix_seconds(self) -> i64 {
        let (seconds, nanos) = (self.0.as_second(), self.0.subsec_nanosecond());
        if nanos < 0 { seconds - 1 } else { seconds }
    }

    /// The nanoseconds within [`Self::unix_seconds`].
    #[must_use]
    pub fn subsec_nanos(self) -> u32 {
        u32::try_from(self.0.subsec_nanosecond().rem_euclid(1_000_000_000)).unwrap_or(0)
    }

    /// As HTTP's headers have it: `Mon, 01 Jun 2015 12:00:00 GMT`.
    #[must_use]
    pub fn http_date(self) -> String {
        self.0.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
    }

    /// How long after `earlier` this is; zero when it is not after.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::try_from(self.0.duration_since(earlier.0)).unwrap_or_default()
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Timestamp {
    type Err = ParseTimestampError;

    fn from_str(text: &str) -> Result<Self, ParseTimestampError> {
        text.parse().map(Self).map_err(|_| ParseTimestampError(text.to_owned()))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Timestamp;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an RFC 3339 time")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Timestamp, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_that_are_zero_are_not_written() {
        for (nanos, text) in [
            (0, "2015-06-01T12:00:00Z"),
            (100_000_000, "2015-06-01T12:00:00.1Z"),
            (123_456_000, "2015-06-01T12:00:00.123456Z"),
            (1, "2015-06-01T12:00:00.000000001Z"),
        ] {
            let time = Timestamp::from_unix(1_433_160_000, nanos).unwrap();
            assert_eq!(time.to_string(), text);
            assert_eq!(text.parse(), Ok(time));
        }
    }

    #[test]
    fn a_header_has_the_time_in_words() {
        assert_eq!(Timestamp::from_unix(1_433_160_000, 5).unwrap().http_date(), "Mon, 01 Jun 2015 12:00:00 GMT");
    }

    #[test]
    fn nothing_happened_yet_is_the_first_instant_of_year_one() {
        assert_eq!(Timestamp::ZERO.to_string(), "0001-01-01T00:00:00Z");
        assert!(Timestamp::ZERO.is_zero());
    }

    #[test]
    fn seconds_and_nanoseconds_make_the_time_again() {
        for (seconds, nanos) in [(0, 0), (-1, 500_000_000), (1_433_160_000, 7), (YEAR_ONE, 0)] {
            let time = Timestamp::from_unix(seconds, nanos).unwrap();
            assert_eq!((time.unix_seconds(), time.subsec_nanos()), (seconds, nanos));
        }
    }

    #[test]
    fn an_earlier_time_is_no_time_after() {
        let (early, late) = (Timestamp::from_unix(10, 0).unwrap(), Timestamp::from_unix(12, 0).unwrap());
        assert_eq!(late.since(early), Duration::from_secs(2));
        assert_eq!(early.since(late), Duration::ZERO);
    }
}
