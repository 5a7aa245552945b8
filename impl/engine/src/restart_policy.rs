//! Whether and when a container starts again by itself.
//!
//! Source: recordings `life/restart-*`. The delay doubles from 0.2 s; a run of over ten seconds begins it anew.

use crate::config::RestartPolicy;
use serde::{Deserialize, Serialize};
use std::time::Duration;

const FIRST_DELAY: Duration = Duration::from_millis(100);
const LONG_RUN: Duration = Duration::from_secs(10);

/// What `on-failure:N` counts; it differs between the daemons that containers were created by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum RetryCounting {
    /// N runs in all.
    Runs,
    /// N runs after the first.
    #[default]
    Retries,
}

/// Where a container is in its restarts since a client last started it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Restarts {
    /// Runs begun by the policy.
    pub(crate) count: u64,
    failures: u64,
    delay: Duration,
}

impl Default for Restarts {
    fn default() -> Self {
        Self { count: 0, failures: 0, delay: FIRST_DELAY }
    }
}

impl Restarts {
    /// After a run of `ran` that ended well or not: how long until the next one; `None`: there is none.
    pub(crate) fn after_exit(
        &mut self,
        policy: &RestartPolicy,
        counting: RetryCounting,
        well: bool,
        ran: Duration,
    ) -> Option<Duration> {
        self.delay = if ran > LONG_RUN { FIRST_DELAY } else { self.delay.saturating_mul(2) };
        self.failures = if well { 0 } else { self.failures + 1 };
        let again = match policy.name.as_str() {
            "always" => true,
            "on-failure" => !well && !self.used_up(policy, counting),
            _ => false,
        };
        again.then_some(self.delay)
    }

    fn used_up(&self, policy: &RestartPolicy, counting: RetryCounting) -> bool {
        let Ok(most) = u64::try_from(policy.maximum_retry_count) else { return false };
        most != 0
            && match counting {
                RetryCounting::Runs => self.failures >= most,
                RetryCounting::Retries => self.failures > most,
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(name: &str, most: i64) -> RestartPolicy {
        RestartPolicy { name: name.into(), maximum_retry_count: most }
    }

    /// Delays, in ms, of runs that all end as `well` says after a moment.
    fn delays(policy: &RestartPolicy, counting: RetryCounting, well: bool) -> Vec<u128> {
        let mut restarts = Restarts::default();
        std::iter::from_fn(|| restarts.after_exit(policy, counting, well, Duration::ZERO))
            .map(|delay| delay.as_millis())
            .take(5)
            .collect()
    }

    #[test]
    fn delays_double_from_a_fifth_of_a_second() {
        assert_eq!(delays(&policy("always", 0), RetryCounting::Retries, true), [200, 400, 800, 1600, 3200]);
    }

    #[test]
    fn a_long_run_begins_the_delays_anew() {
        let mut restarts = Restarts::default();
        let mut after = |ran| restarts.after_exit(&policy("always", 0), RetryCounting::Retries, false, ran);
        after(Duration::ZERO);
        after(Duration::ZERO);
        assert_eq!(after(Duration::from_secs(11)), Some(Duration::from_millis(100)));
    }

    #[test]
    fn on_failure_counts_runs_or_retries() {
        assert_eq!(delays(&policy("on-failure", 3), RetryCounting::Runs, false).len(), 2);
        assert_eq!(delays(&policy("on-failure", 3), RetryCounting::Retries, false).len(), 3);
        assert_eq!(delays(&policy("on-failure", 0), RetryCounting::Runs, false).len(), 5);
        assert!(delays(&policy("on-failure", 3), RetryCounting::Retries, true).is_empty());
    }

    #[test]
    fn other_policies_never_restart() {
        for name in ["", "no", "sometimes"] {
            assert!(delays(&policy(name, 0), RetryCounting::Retries, false).is_empty());
        }
    }
}
