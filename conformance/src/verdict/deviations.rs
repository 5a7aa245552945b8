//! What a known daemon is known to do otherwise: `deviations/<daemon>.toml`.
//!
//! ```toml
//! [[deviation]]
//! check = "case containers.create/*"      # or clause = "api.containers.create.0*"
//! from = "1.15"                           # the first version; the first of all if absent
//! until = "1.18"                          # the version from which it is so no longer; none if absent
//! expect = "fail"                         # or "blocked", "error"
//! reason = "answers as API 1.41 whatever the prefix"
//! link = "https://…"                      # where it is documented, if anywhere
//! ```

use std::path::{Path, PathBuf};

use drydock_spec::Version;
use serde::Deserialize;

use super::{Finding, Verdict};

/// A deviations file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deviations {
    /// Its lines; a finding is explained by the first that matches it.
    #[serde(default, rename = "deviation")]
    pub lines: Vec<Deviation>,
}

/// One known deviation.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deviation {
    /// Checks by name, `*` standing for anything.
    #[serde(default)]
    pub check: Option<String>,
    /// Clauses by id, `*` standing for anything.
    #[serde(default)]
    pub clause: Option<String>,
    /// The first version; the first of all if absent.
    #[serde(default)]
    pub from: Option<Version>,
    /// The version from which it is so no longer; none if absent.
    #[serde(default)]
    pub until: Option<Version>,
    /// What the check says of this daemon.
    #[serde(default = "fail")]
    pub expect: Verdict,
    /// Words that the finding's reason holds, where the check alone says too little.
    #[serde(default)]
    pub shows: Option<String>,
    /// It does not show in every run: a passing check is no news.
    #[serde(default)]
    pub sometimes: bool,
    /// Why the daemon does so.
    pub reason: String,
    /// Where that is documented.
    #[serde(default)]
    pub link: Option<String>,
}

fn fail() -> Verdict {
    Verdict::Fail
}

/// Why a deviations file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DeviationsError {
    /// It cannot be read.
    #[error("reading {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It says something that is no deviation.
    #[error("{path}: {message}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        message: String,
    },
}

impl Deviations {
    /// Reads a file.
    pub fn read(path: &Path) -> Result<Self, DeviationsError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| DeviationsError::Read { path: path.to_owned(), source })?;
        Self::parse(&text).map_err(|message| DeviationsError::Malformed { path: path.to_owned(), message })
    }

    fn parse(text: &str) -> Result<Self, String> {
        let deviations: Deviations = toml::from_str(text).map_err(|error| error.to_string())?;
        for (index, line) in deviations.lines.iter().enumerate() {
            if line.check.is_none() && line.clause.is_none() {
                return Err(format!("deviation {} names neither a check nor a clause", index + 1));
            }
        }
        Ok(deviations)
    }

    /// Turns what is expected into [`Verdict::Deviation`], and what passes against expectation into
    /// [`Verdict::UnexpectedPass`]. Gives back the lines that matched nothing, which the maintainer should strike.
    pub fn apply(&self, findings: &mut [Finding]) -> Vec<&Deviation> {
        let mut used = vec![false; self.lines.len()];
        for finding in findings {
            let Some(index) = self.lines.iter().position(|line| line.speaks_of(finding)) else { continue };
            let line = &self.lines[index];
            used[index] = true;
            if finding.verdict == line.expect {
                finding.verdict = Verdict::Deviation;
                finding.reason = format!("{} [{}]", line.reason, finding.reason);
            } else if finding.verdict == Verdict::Pass && !line.sometimes {
                finding.verdict = Verdict::UnexpectedPass;
                finding.reason = format!("expected to {}: {}", line.expect, line.reason);
            }
        }
        self.lines.iter().zip(used).filter(|(_, used)| !used).map(|(line, _)| line).collect()
    }
}

impl std::fmt::Display for Deviation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let what = self.check.as_deref().or(self.clause.as_deref()).unwrap_or("*");
        write!(f, "{what:?} ({})", self.reason)
    }
}

impl Deviation {
    fn speaks_of(&self, finding: &Finding) -> bool {
        self.from.is_none_or(|from| finding.version >= from)
            && self.until.is_none_or(|until| finding.version < until)
            && self.check.as_ref().is_none_or(|glob| matches(glob, &finding.check))
            && self.clause.as_ref().is_none_or(|glob| finding.clauses.iter().any(|clause| matches(glob, clause)))
            && (finding.verdict == Verdict::Pass
                || self.shows.as_ref().is_none_or(|words| finding.reason.contains(words.as_str())))
    }
}

/// Whether `text` matches `glob`, in which `*` stands for anything.
pub(crate) fn matches(glob: &str, text: &str) -> bool {
    let mut parts = glob.split('*');
    let Some(rest) = text.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    let mut rest = rest;
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(check: &str, verdict: Verdict) -> Finding {
        Finding {
            clauses: vec!["api.x.001".into()],
            reason: "status 500".into(),
            ..Finding::new(check, drydock_spec::Version::NEWEST, verdict)
        }
    }

    #[test]
    fn what_is_expected_is_a_deviation_and_what_passes_is_news() {
        let file = r#"
            [[deviation]]
            check = "case a/*"
            reason = "modern"
            [[deviation]]
            clause = "api.y.*"
            reason = "never"
            [[deviation]]
            check = "case b"
            until = "1.19"
            reason = "older only"
        "#;
        let deviations = Deviations::parse(file).unwrap();
        let mut findings =
            [finding("case a/x", Verdict::Fail), finding("case a/y", Verdict::Pass), finding("case b", Verdict::Fail)];
        let unused = deviations.apply(&mut findings);
        assert_eq!(unused.iter().map(|line| line.reason.as_str()).collect::<Vec<_>>(), ["never", "older only"]);
        assert_eq!(
            findings.map(|finding| finding.verdict),
            [Verdict::Deviation, Verdict::UnexpectedPass, Verdict::Fail]
        );
    }

    #[test]
    fn a_line_that_speaks_of_nothing_is_refused() {
        assert!(Deviations::parse("[[deviation]]\nreason = \"x\"").is_err());
        assert!(Deviations::parse("[[deviation]]\ncheck = \"a\"\nreason = \"x\"\nversion = \"1.14\"").is_err());
    }

    #[test]
    fn a_star_stands_for_anything() {
        for (glob, text, expected) in [
            ("a*c", "abc", true),
            ("a*c", "ac", true),
            ("a*c", "abd", false),
            ("*", "", true),
            ("a", "a", true),
            ("a", "ab", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b", "ab-", false),
            ("ab*ba", "aba", false),
        ] {
            assert_eq!(matches(glob, text), expected, "{glob} {text}");
        }
    }
}
