//! A container's files, processes and figures.

use super::{Check::Recorded, Scenario, Seen, Wrong, holds};
use crate::exchange::Archive;

const COPY: &str = "containers.copy/all";
const TOP: &str = "containers.top/all";
const STATS: &str = "containers.stats/all";

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "copy gives a file or a folder as a tar archive",
        clauses: &["api.containers.copy.002", "api.containers.copy.003", "api.containers.copy.016"],
        from: "",
        until: "",
        check: Recorded(COPY, |seen| {
            let file = archive(seen, "file")?;
            let text = file.entries.first().and_then(|entry| entry.text.as_deref());
            holds(text == Some("one\n"), || format!("the file holds {text:?}"))?;
            let names: Vec<String> = archive(seen, "dir")?.entries.into_iter().map(|entry| entry.name).collect();
            holds(names.contains(&"d/a".to_owned()) && names.contains(&"d/e/b".to_owned()), || {
                format!("the folder holds {names:?}")
            })
        }),
    },
    Scenario {
        name: "export gives the whole file system as a tar archive",
        clauses: &["api.containers.export.002", "api.containers.export.010"],
        from: "",
        until: "",
        check: Recorded(COPY, |seen| {
            let names: Vec<String> =
                archive(seen, "export-stopped")?.entries.into_iter().map(|entry| entry.name).collect();
            let has = |name: &str| names.iter().any(|known| known == name);
            holds(has("bin/busybox") && has("d/a"), || format!("it holds {} entries, not these", names.len()))
        }),
    },
    Scenario {
        name: "changes tell what was added, changed and deleted",
        clauses: &[],
        from: "",
        until: "",
        check: Recorded(COPY, |seen| {
            let changes = seen.json("changes")?;
            let kind = |path: &str| {
                changes
                    .as_array()
                    .into_iter()
                    .flatten()
                    .find(|change| change["Path"] == path)
                    .map(|change| change["Kind"].clone())
            };
            let kinds = [kind("/etc/passwd"), kind("/d/a"), kind("/etc/group")];
            holds(kinds == [Some(0.into()), Some(1.into()), Some(2.into())], || {
                format!("changed, added, deleted: {kinds:?}")
            })
        }),
    },
    Scenario {
        name: "top lists the container's processes under titles",
        clauses: &["api.containers.top.002", "api.containers.top.006", "ovw.v1-3.001"],
        from: "",
        until: "",
        check: Recorded(TOP, |seen| {
            let table = seen.json("default")?;
            let width = table["Titles"].as_array().map_or(0, Vec::len);
            let rows = table["Processes"].as_array().cloned().unwrap_or_default();
            let even = rows.iter().all(|row| row.as_array().is_some_and(|row| row.len() == width));
            holds(rows.len() == 2 && even && width > 1, || format!("it is {table}"))
        }),
    },
    Scenario {
        name: "top passes its arguments to ps",
        clauses: &["api.containers.top.003", "ovw.v1-4.002"],
        from: "",
        until: "",
        check: Recorded(TOP, |seen| {
            let titles = seen.at("aux", "/Titles")?.to_string();
            holds(titles.contains("RSS") && titles.contains("%CPU"), || format!("the titles are {titles}"))
        }),
    },
    Scenario {
        name: "stats stream one object after another",
        clauses: &["api.containers.stats.003", "ovw.v1-17.010"],
        from: "1.17",
        until: "",
        check: Recorded(STATS, |seen| {
            let answer = seen.with_status("stream", 200)?;
            let objects = answer.json_lines().unwrap_or_default();
            holds(
                answer.left_early() && objects.len() > 1 && objects.iter().all(|object| object.get("read").is_some()),
                || format!("{} objects came", objects.len()),
            )
        }),
    },
    Scenario {
        name: "stats without a stream are one object",
        clauses: &["api.containers.stats.005", "ovw.v1-19.003"],
        from: "1.19",
        until: "",
        check: Recorded(STATS, |seen| {
            for step in ["one", "one-false"] {
                let answer = seen.with_status(step, 200)?;
                let count = answer.json_lines().map_or(0, |objects| objects.len());
                holds(count == 1 && !answer.left_early(), || format!("{step}: {count} objects came"))?;
            }
            Ok(())
        }),
    },
];

fn archive(seen: &Seen<'_>, step: &str) -> Result<Archive, Wrong> {
    let answer = seen.with_status(step, 200)?;
    answer.archive().map(|archive| archive.into_owned()).map_err(|error| Wrong::Not(format!("{step}: {error}")))
}
