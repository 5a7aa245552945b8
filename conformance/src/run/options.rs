//! What is asked of a run.

use std::{fmt, path::PathBuf, str::FromStr};

use drydock_spec::{Version, judge::Level};

use crate::{
    exchange::{Address, BadAddress},
    recorded::{Image, Script},
    verdict::{Deviations, Finding, matches},
};

/// Everything that a run can be told.
#[derive(Clone, Debug)]
pub struct Options {
    /// What is judged.
    pub target: Target,
    /// Under which versions, oldest first.
    pub versions: Vec<Version>,
    /// How strictly.
    pub level: Level,
    /// Only checks, endpoints or scenarios that match one of these, `*` standing for anything; all if empty.
    pub only: Vec<String>,
    /// Only checks that decide a clause which matches; all if absent.
    pub clause: Option<String>,
    /// How many versions are judged at once.
    pub jobs: usize,
    /// End at the first failure.
    pub fail_fast: bool,
    /// How often everything is run.
    pub repeat: u32,
    /// What may be done to the target beyond the suite's own objects.
    pub allow: Vec<Allow>,
    /// What must not be blocked or skipped.
    pub require: Vec<Require>,
    /// What the target is known to do otherwise.
    pub deviations: Option<Deviations>,
    /// The suite's image.
    pub image: Image,
    /// The run's id, in the name and label of everything that it makes.
    pub run: String,
}

/// What is judged.
#[derive(Clone, Debug)]
pub enum Target {
    /// A `drydockd` that the suite starts and stops.
    Own(Daemon),
    /// A daemon at an address.
    Daemon(Address),
    /// Recordings of one genuine daemon, or of all.
    Recordings(Option<Version>),
}

/// The programs of the reference daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Daemon {
    /// `drydockd`.
    pub daemon: PathBuf,
    /// `drydock-shim`.
    pub shim: PathBuf,
}

/// The text names no target.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnknownTarget {
    /// It is no address.
    #[error(transparent)]
    Address(#[from] BadAddress),
    /// No daemon of that name was recorded.
    #[error("{0:?} was not recorded: recordings:all, or one of 1.2.0, 1.3.3, 1.4.1, 1.5.0, 1.6.2, 1.7.1")]
    Daemon(String),
}

impl FromStr for Target {
    type Err = UnknownTarget;

    fn from_str(text: &str) -> Result<Self, UnknownTarget> {
        match text.strip_prefix("recordings:") {
            Some("all") => Ok(Target::Recordings(None)),
            Some(daemon) => match Version::of_daemon(daemon) {
                Some(version) => Ok(Target::Recordings(Some(version))),
                None => Err(UnknownTarget::Daemon(daemon.to_owned())),
            },
            None => Ok(Target::Daemon(text.parse()?)),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Own(_) => f.write_str("drydockd"),
            Target::Daemon(address) => address.fmt(f),
            Target::Recordings(None) => f.write_str("recordings:all"),
            Target::Recordings(Some(version)) => write!(f, "recordings:{}", version.daemon()),
        }
    }
}

/// What may be done to the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allow {
    /// What may disturb others who use it.
    Disruptive,
}

/// What must have been decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Require {
    /// Nothing may be blocked.
    Unblocked,
    /// Nothing may be skipped.
    Everything,
}

impl Options {
    /// Whether fewer checks run than there are.
    pub fn is_narrowed(&self) -> bool {
        !self.only.is_empty()
            || self.clause.is_some()
            || self.versions.len() < drydock_spec::VERSIONS.len()
            || matches!(self.target, Target::Recordings(Some(_)))
    }

    /// Whether a check of this name, about this endpoint, is among those asked for.
    pub(super) fn asks_for(&self, check: &str, endpoint: Option<&str>) -> bool {
        let named = |glob: &String| {
            matches(glob, check)
                || endpoint.is_some_and(|endpoint| matches(glob, endpoint))
                || check.split_once(' ').is_some_and(|(_, name)| matches(glob, name))
        };
        self.only.is_empty() || self.only.iter().any(named)
    }

    /// Whether a finding is among those asked for.
    pub fn selects(&self, finding: &Finding) -> bool {
        self.asks_for(&finding.check, finding.endpoint.as_deref())
            && self.clause.as_ref().is_none_or(|glob| finding.clauses.iter().any(|clause| matches(glob, clause)))
    }

    /// The scripts among these that are asked for, by scenario or, where no scenario has such a name, by the endpoints
    /// that they use.
    pub(super) fn choose<'s>(
        &self,
        scripts: &[&'s Script],
        endpoints: impl Fn(&Script) -> Vec<String>,
    ) -> Vec<&'s Script> {
        if self.only.is_empty() {
            return scripts.to_vec();
        }
        let mut chosen: Vec<&'s Script> = Vec::new();
        for glob in &self.only {
            // `case E/OUTCOME` is asked of E, `recorded S#STEP` of S.
            let bare = glob.split_once(' ').map_or(glob.as_str(), |(_, rest)| rest);
            let scenario = bare.split('#').next().unwrap_or(bare);
            let endpoint = bare.split(['/', ' ']).next().unwrap_or(bare);
            let mut found: Vec<&'s Script> =
                scripts.iter().copied().filter(|script| matches(scenario, &script.scenario)).collect();
            if found.is_empty() {
                let uses = |script: &&Script| endpoints(script).iter().any(|used| matches(endpoint, used));
                found = scripts.iter().copied().filter(uses).collect();
            }
            chosen.extend(found);
        }
        scripts.iter().copied().filter(|script| chosen.iter().any(|picked| std::ptr::eq(*picked, *script))).collect()
    }

    /// The command that repeats one check.
    pub fn repeat_command(&self, check: &str, version: Version) -> String {
        let target = match &self.target {
            Target::Own(_) => String::new(),
            target => format!(" --target {target}"),
        };
        let level = if self.level == Level::Exact { "exact" } else { "documented" };
        let check = check.split(" [").next().unwrap_or(check).replace('\'', "'\\''");
        format!("cargo xtask conformance{target} --api {version} --level {level} --only '{check}'")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_an_address_or_recordings() {
        for text in ["unix:///run/x.sock", "tcp://127.0.0.1:2375", "recordings:1.6.2", "recordings:all"] {
            assert_eq!(text.parse::<Target>().unwrap().to_string(), text);
        }
        for text in ["recordings:1.8.0", "docker", ""] {
            assert!(text.parse::<Target>().is_err(), "{text}");
        }
    }
}
