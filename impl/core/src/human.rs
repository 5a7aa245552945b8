//! Durations in the words of `docker ps`.

use std::time::Duration;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// `duration` in words, as the status of a container tells it: `Less than a second`, `5 seconds`, `About a minute`,
/// `3 weeks`. A unit is kept until two (days: weeks: months: years) or about two (hours) of the next are full.
///
/// Source: recordings of `/containers/json`; the limits between units are those of the daemons' units package.
#[must_use]
pub fn human_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (minutes, hours) = (seconds / MINUTE, seconds / HOUR);
    match seconds {
        0 => "Less than a second".to_owned(),
        _ if seconds < MINUTE => format!("{seconds} seconds"),
        _ if minutes == 1 => "About a minute".to_owned(),
        _ if minutes < 60 => format!("{minutes} minutes"),
        _ if hours == 1 => "About an hour".to_owned(),
        _ if hours < 48 => format!("{hours} hours"),
        _ if seconds < 14 * DAY => format!("{} days", hours / 24),
        _ if seconds < 90 * DAY => format!("{} weeks", hours / 24 / 7),
        _ if seconds < 730 * DAY => format!("{} months", hours / 24 / 30),
        _ => format!("{} years", hours / 24 / 365),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_unit_begins_and_ends_where_the_daemons_began_and_ended_it() {
        for (seconds, text) in [
            (0, "Less than a second"),
            (1, "1 seconds"),
            (59, "59 seconds"),
            (60, "About a minute"),
            (119, "About a minute"),
            (120, "2 minutes"),
            (HOUR, "About an hour"),
            (2 * HOUR, "2 hours"),
            (47 * HOUR, "47 hours"),
            (2 * DAY, "2 days"),
            (14 * DAY, "2 weeks"),
            (90 * DAY, "3 months"),
            (730 * DAY, "2 years"),
        ] {
            assert_eq!(human_duration(Duration::from_secs(seconds)), text);
        }
    }
}
