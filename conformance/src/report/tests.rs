use drydock_spec::Version;

use super::*;
use crate::verdict::{ClauseVerdict, EndpointRow, Evidence, Finding, How, ShownExchange, Target, Verdict};

fn version(text: &str) -> Version {
    text.parse().expect("a version")
}

fn report() -> Report {
    let finding = |verdict, at: &str, reason: &str| Finding {
        check: "case containers.rename/name-taken".to_owned(),
        endpoint: Some("containers.rename".to_owned()),
        version: version(at),
        clauses: vec!["api.containers.rename.008".to_owned()],
        entries: vec!["endpoints/containers.rename.json#/outcomes/3/by/0".to_owned()],
        verdict,
        reason: reason.to_owned(),
        evidence: (verdict != Verdict::Pass).then(|| Evidence {
            exchanges: vec![ShownExchange {
                origin: "live".to_owned(),
                request: "POST /v1.18/containers/a/rename?name=b HTTP/1.1".to_owned(),
                response: "HTTP/1.1 500 </script><b>".to_owned(),
                chunks: Vec::new(),
                took_ms: 3,
            }],
            expected: "status 409".to_owned(),
            differences: vec!["status 500 in place of 409".to_owned()],
            diff: None,
            curl: None,
            repeat: "cargo xtask conformance --api 1.18 --only 'containers.rename'".to_owned(),
        }),
        how: How::Live,
        took_ms: 3,
    };
    Report {
        target: Target { name: "unix:///run/x.sock".to_owned(), daemon: Some("x <1>".to_owned()), replay: false },
        level: "exact".to_owned(),
        run: "dd1".to_owned(),
        began: "2015-06-16T00:00:00Z".to_owned(),
        took_ms: 1500,
        versions: vec![version("1.17"), version("1.18")],
        findings: vec![
            finding(Verdict::Pass, "1.17", ""),
            finding(Verdict::Fail, "1.18", "status 500 in place of 409"),
        ],
        clauses: vec![ClauseVerdict {
            clause: "api.containers.rename.008".to_owned(),
            text: "409 for a name that is taken".to_owned(),
            endpoint: "POST /containers/(id)/rename".to_owned(),
            version: version("1.18"),
            verdict: Verdict::Fail,
            checks: vec!["case containers.rename/name-taken".to_owned()],
            ruling: None,
            reason: None,
        }],
        endpoints: vec![EndpointRow {
            id: "containers.rename".to_owned(),
            method: "POST".to_owned(),
            path: "/containers/{container}/rename".to_owned(),
            versions: vec![version("1.17"), version("1.18")],
        }],
        remarks: Vec::new(),
    }
}

#[test]
fn what_a_daemon_answers_cannot_end_the_pages_script_nor_become_markup() {
    let page = html(&report()).unwrap();
    assert_eq!(page.matches("</script>").count(), 2, "the data's and the script's own ends");
    assert!(page.contains("x &lt;1&gt;") && !page.contains("<h1>x <1>"));
}

#[test]
fn the_page_asks_no_network_for_anything() {
    let page = html(&report()).unwrap();
    for sign in ["src=", "<link", "@import", "url(", "fetch(", "XMLHttpRequest"] {
        assert!(!page.contains(sign), "{sign}");
    }
}

#[test]
fn the_pages_data_holds_each_verdict_and_the_command_that_repeats_a_failure() {
    let page = html(&report()).unwrap();
    let data = page.split(r#"type="application/json">"#).nth(1).unwrap().split("</script>").next().unwrap();
    let data: serde_json::Value = serde_json::from_str(data).unwrap();
    let verdicts: Vec<&str> = data["verdicts"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    let shown: Vec<&str> = data["checks"][0]["verdicts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|index| verdicts[usize::try_from(index.as_i64().unwrap()).unwrap()])
        .collect();
    assert_eq!(shown, ["pass", "fail"]);
    let repeat = &data["checks"][0]["details"]["1"][0]["evidence"]["repeat"];
    assert!(repeat.as_str().unwrap().contains("--api 1.18"));
}

#[test]
fn junit_counts_a_failure_in_its_version_and_says_how_to_repeat_it() {
    let xml = junit(&report()).unwrap();
    assert!(xml.contains(r#"<testsuite name="API 1.17" tests="1" skipped="0" errors="0" failures="0""#), "{xml}");
    assert!(xml.contains(r#"<testsuite name="API 1.18" tests="1" skipped="0" errors="0" failures="1""#), "{xml}");
    assert!(xml.contains("cargo xtask conformance --api 1.18"));
}

#[test]
fn the_summary_names_what_failed_why_and_where() {
    let text = summary(&report(), false);
    assert!(text.contains("case containers.rename/name-taken\n  fail 1.18  status 500 in place of 409\n"), "{text}");
    assert!(text.contains("checks:  1 fail, 1 pass\n"), "{text}");
    assert!(!text.contains('\x1b'));
    assert!(summary(&report(), true).contains("\x1b[31;1mfail"));
}

#[test]
fn all_three_files_are_written_and_the_json_reads_back_as_the_same_report() {
    let folder = tempfile::tempdir().unwrap();
    let files = write(&report(), folder.path()).unwrap();
    assert_eq!(files.len(), 3);
    let json = std::fs::read_to_string(folder.path().join("report.json")).unwrap();
    assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), report());
}
