//! JUnit XML, as build servers read it: a suite per version, a case per check.

use std::time::Duration;

use quick_junit::{NonSuccessKind, SerializeError, TestCase, TestCaseStatus, TestSuite};

use crate::verdict::{Finding, Report, Verdict};

/// The run as JUnit XML.
pub fn junit(report: &Report) -> Result<String, SerializeError> {
    let mut xml = quick_junit::Report::new(format!("{} at {}", report.target.name, report.level));
    xml.set_time(Duration::from_millis(report.took_ms));
    for version in &report.versions {
        let mut suite = TestSuite::new(format!("API {version}"));
        for finding in report.findings.iter().filter(|finding| finding.version == *version) {
            suite.add_test_case(case(finding));
        }
        xml.add_test_suite(suite);
    }
    xml.to_string()
}

fn case(finding: &Finding) -> TestCase {
    let mut case = TestCase::new(finding.check.clone(), status(finding));
    case.set_classname(finding.endpoint.clone().unwrap_or_else(|| "elsewhere".to_owned()));
    case.set_time(Duration::from_millis(finding.took_ms));
    if !finding.clauses.is_empty() {
        case.set_system_out(format!("clauses: {}", finding.clauses.join(" ")));
    }
    case
}

fn status(finding: &Finding) -> TestCaseStatus {
    let mut status = match finding.verdict {
        Verdict::Pass => return TestCaseStatus::success(),
        Verdict::Fail | Verdict::UnexpectedPass => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Verdict::Error => TestCaseStatus::non_success(NonSuccessKind::Error),
        Verdict::Deviation | Verdict::Blocked | Verdict::Skipped | Verdict::Pending | Verdict::Untestable => {
            TestCaseStatus::skipped()
        }
    };
    status.set_type(finding.verdict.name());
    status.set_message(&finding.reason);
    if let Some(evidence) = &finding.evidence
        && finding.verdict.is_bad()
    {
        let exchanges = evidence.exchanges.iter().map(|exchange| {
            format!("{}\n{}\n{}", exchange.origin, exchange.request.trim_end(), exchange.response.trim_end())
        });
        let told = [evidence.expected.clone(), evidence.differences.join("\n")];
        let parts: Vec<String> = told.into_iter().chain(exchanges).chain([evidence.repeat.clone()]).collect();
        status.set_description(parts.join("\n\n"));
    }
    status
}
