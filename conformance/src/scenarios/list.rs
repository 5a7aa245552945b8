//! Which containers a list holds, and in which order.

use serde_json::Value;

use super::{Check::Recorded, Scenario, Seen, Shown, Wrong, holds};

const LIST: &str = "containers.json/list";
const FILTERS: &str = "containers.json/filters";

/// The scenario's containers, oldest first; `l-run` runs, `l-paused` is paused, `l-created` never ran.
const ALL: [&str; 6] = ["l-created", "l-exit0", "l-exit3", "l-run", "l-paused", "l-longcmd"];
const RUNNING: [&str; 2] = ["l-run", "l-paused"];

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "a list without all holds running containers only",
        clauses: &["api.containers.list.004", "api.containers.list.006"],
        from: "",
        until: "",
        check: Recorded(LIST, |seen| {
            for step in ["default", "all=0", "all=false", "all=False", "limit0"] {
                exactly(seen, step, &RUNNING)?;
            }
            Ok(())
        }),
    },
    Scenario {
        name: "a list with all holds every container",
        clauses: &["api.containers.list.003"],
        from: "",
        until: "",
        check: Recorded(LIST, |seen| {
            for step in ["all", "all=1", "all=true", "all=True"] {
                exactly(seen, step, &ALL)?;
            }
            Ok(())
        }),
    },
    Scenario {
        name: "limit holds the last created, running or not",
        clauses: &["api.containers.list.007", "api.containers.list.008"],
        from: "",
        until: "",
        check: Recorded(LIST, |seen| {
            for (step, limit) in [("limit1", 1), ("limit2", 2)] {
                let length = seen.json(step)?.as_array().map_or(0, Vec::len);
                holds(length == limit, || format!("{step} holds {length} containers"))?;
            }
            Ok(())
        }),
    },
    Scenario {
        name: "since holds what was created after, running or not",
        clauses: &["api.containers.list.009", "api.containers.list.010"],
        from: "",
        until: "",
        check: Recorded(LIST, |seen| {
            exactly(seen, "since", &["l-run", "l-paused", "l-longcmd"])?;
            exactly(seen, "since-before", &["l-exit0", "l-exit3"])
        }),
    },
    Scenario {
        name: "before holds what was created before, running or not",
        clauses: &["api.containers.list.011", "api.containers.list.012"],
        from: "",
        until: "",
        check: Recorded(LIST, |seen| exactly(seen, "before", &["l-created", "l-exit0"])),
    },
    Scenario {
        name: "a list begins with what was created last",
        clauses: &["api.containers.list.031"],
        from: "",
        until: "",
        check: Recorded(LIST, |seen| {
            let created: Vec<i64> = containers(seen, "all")?.iter().filter_map(|c| c["Created"].as_i64()).collect();
            holds(created.len() > 1 && created.is_sorted_by(|a, b| a >= b), || format!("all: Created is {created:?}"))
        }),
    },
    Scenario {
        name: "an exited container's status names its exit code",
        clauses: &["api.containers.list.027"],
        from: "",
        until: "",
        check: Recorded(LIST, |seen| {
            let status = one(seen, "all", "l-exit3")?["Status"].clone();
            let text = status.as_str().unwrap_or_default();
            holds(text.starts_with("Exit") && text.contains("(3)"), || format!("l-exit3's Status is {status}"))
        }),
    },
    Scenario {
        name: "the command is told with its arguments in one string",
        clauses: &["api.containers.list.029"],
        from: "",
        until: "",
        check: Recorded(LIST, |seen| {
            let command = one(seen, "all", "l-created")?["Command"].clone();
            holds(command.as_str().is_some_and(|text| text.contains("sleep 1000")), || format!("it is {command}"))
        }),
    },
    Scenario {
        name: "sizes are shown when asked for and not otherwise",
        clauses: &["api.containers.list.013", "api.containers.list.014", "ovw.v1-3.005"],
        from: "",
        until: "",
        // With the storage driver of the recordings 1.2.0 hangs on sizes.
        check: Recorded(LIST, |seen| {
            if seen.version() > drydock_spec::Version::OLDEST {
                let with = one(seen, "size-all", "l-run")?;
                holds(with.get("SizeRootFs").is_some(), || format!("size=1 shows {with}"))?;
            }
            let without = one(seen, "size-false", "l-run")?;
            let sized = ["SizeRw", "SizeRootFs"].iter().any(|key| without[*key].as_i64().is_some_and(|size| size != 0));
            holds(!sized, || format!("size=0 shows {without}"))
        }),
    },
    Scenario {
        name: "the filter exited keeps containers with that exit code",
        clauses: &["api.containers.list.017"],
        from: "1.17",
        until: "",
        check: Recorded(FILTERS, |seen| exactly(seen, "exited-3", &["l-exit3"])),
    },
    Scenario {
        name: "the filter exited keeps ended containers with that exit code, and running ones",
        clauses: &["api.containers.list.017"],
        from: "",
        until: "1.17",
        check: Recorded(FILTERS, |seen| {
            one(seen, "exited-3", "l-exit3")?;
            let other = one(seen, "exited-3", "l-exit0");
            holds(other.is_err(), || "l-exit0, which ended with 0, is among them".to_owned())
        }),
    },
    Scenario {
        name: "the filter status keeps containers in that state",
        clauses: &[],
        from: "1.15",
        until: "",
        check: Recorded(FILTERS, |seen| {
            exactly(seen, "status-running", &["l-run"])?;
            exactly(seen, "status-paused", &["l-paused"])
        }),
    },
    Scenario {
        name: "the filter label keeps containers with that label",
        clauses: &["api.containers.list.022", "api.containers.list.023"],
        from: "1.18",
        until: "",
        check: Recorded(FILTERS, |seen| {
            exactly(seen, "label-key", &["l-exit0", "l-exit3", "l-run"])?;
            exactly(seen, "label-kv", &["l-exit0", "l-run"])
        }),
    },
];

/// A step's list, of the scenario's containers only.
fn containers(seen: &Seen<'_>, step: &str) -> Result<Vec<Value>, Wrong> {
    let list = seen.json(step)?;
    let list = list.as_array().ok_or_else(|| Wrong::Not(format!("{step} is no list")))?;
    Ok(list.iter().filter(|container| ALL.iter().any(|name| is_named(container, name))).cloned().collect())
}

fn is_named(container: &Value, name: &str) -> bool {
    let names = container["Names"].as_array().into_iter().flatten().filter_map(Value::as_str);
    names.filter_map(|full| full.rsplit('/').next()).any(|full| full == name || full.ends_with(&format!("-{name}")))
}

fn one(seen: &Seen<'_>, step: &str, name: &str) -> Result<Value, Wrong> {
    let found = containers(seen, step)?.into_iter().find(|container| is_named(container, name));
    found.ok_or_else(|| Wrong::Not(format!("{step} lacks {name}")))
}

fn exactly(seen: &Seen<'_>, step: &str, names: &[&str]) -> Shown {
    let found = containers(seen, step)?;
    let has = |name: &&&str| found.iter().any(|container| is_named(container, name));
    let lacking: Vec<_> = names.iter().filter(|name| !has(name)).collect();
    let surplus: Vec<_> = ALL.iter().filter(|name| !names.contains(name)).filter(has).collect();
    holds(lacking.is_empty() && surplus.is_empty(), || format!("{step} lacks {lacking:?} and has {surplus:?} beside"))
}
