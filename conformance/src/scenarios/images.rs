//! Images: listed, tagged, removed, saved, loaded, committed, built, pulled.

use serde_json::Value;

use super::{
    Check::{Live, Recorded},
    Scenario, Seen, Shown, Wrong, holds,
};
use crate::exchange::{Archive, EntryKind};

const BASICS: &str = "images/basics";
const TAG: &str = "images.tag/all";
const DELETE: &str = "images.delete/all";
const SAVE: &str = "images.load-save/all";
const COMMIT: &str = "commit/all";
const BUILD: &str = "build/instructions";
const REQUEST: &str = "build/request";
const PULL: &str = "images.create/pull";
const IMPORT: &str = "images.create/import";
const PUSH: &str = "images.push/all";

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "a list with all also holds intermediate layers",
        clauses: &["api.images.list.003", "api.images.list.004"],
        from: "",
        until: "",
        check: Recorded(BASICS, |seen| {
            let all = ids(seen, "list-all")?;
            for step in ["list", "list-all-false"] {
                let some = ids(seen, step)?;
                let hidden = all.iter().filter(|id| !some.contains(id)).count();
                holds(hidden > 0, || format!("{step} holds {} images, with all {}", some.len(), all.len()))?;
            }
            Ok(())
        }),
    },
    Scenario {
        name: "the filter dangling keeps untagged images",
        clauses: &["api.images.list.007"],
        from: "",
        until: "",
        check: Recorded(BASICS, |seen| {
            let list = seen.json("filters-dangling-true")?;
            let tagged = list.as_array().into_iter().flatten().find(|image| {
                image["RepoTags"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .any(|tag| tag.as_str().is_some_and(|tag| !tag.contains("<none>")))
            });
            holds(list.is_array() && tagged.is_none(), || format!("it holds {tagged:?}"))
        }),
    },
    Scenario {
        name: "an image is found by name, name with tag, id and the beginning of its id",
        clauses: &["api.images.list.011"],
        from: "",
        until: "",
        check: Recorded(BASICS, |seen| {
            let id = seen.at("inspect-name", "/Id")?;
            for step in ["inspect-tag", "inspect-id", "inspect-short"] {
                let found = seen.at(step, "/Id")?;
                holds(found == id && !id.is_null(), || format!("{step} finds {found}, not {id}"))?;
            }
            Ok(())
        }),
    },
    Scenario {
        name: "a tagged image has the tag",
        clauses: &["api.images.tag.002", "api.images.tag.003", "api.images.tag.007", "api.images.list.013"],
        from: "",
        until: "",
        check: Recorded(TAG, |seen| {
            let list = seen.json("list")?;
            let tags: Vec<&str> = list
                .as_array()
                .into_iter()
                .flatten()
                .flat_map(|image| image["RepoTags"].as_array().into_iter().flatten().filter_map(Value::as_str))
                .collect();
            holds(tags.contains(&"t2:latest") && tags.contains(&"t1:v1"), || format!("the tags are {tags:?}"))
        }),
    },
    Scenario {
        name: "a tag is taken from another image by force",
        clauses: &["api.images.tag.004"],
        from: "",
        until: "",
        check: Recorded(TAG, |seen| seen.with_status("conflict-force", 201).map(|_| ())),
    },
    Scenario {
        name: "an image with several tags loses one",
        clauses: &["api.images.remove.002", "ovw.v1-2.004"],
        from: "",
        until: "",
        check: Recorded(DELETE, |seen| {
            let done = seen.json("untag")?;
            let words = done.to_string();
            holds(words.contains("Untagged") && !words.contains("Deleted"), || format!("it says {words}"))
        }),
    },
    Scenario {
        name: "an image tagged in several repositories is removed by force only",
        clauses: &["api.images.remove.004"],
        from: "",
        until: "",
        check: Recorded(DELETE, |seen| {
            let status = seen.answer("by-id-several-tags")?.status;
            holds(status == 409, || format!("without force it answers {status}"))
        }),
    },
    Scenario {
        name: "noprune keeps the untagged parents",
        clauses: &["api.images.remove.006", "ovw.v1-10.002"],
        from: "1.16",
        until: "",
        check: Recorded(DELETE, |seen| {
            let done = seen.json("child-noprune")?;
            let deleted = done.as_array().into_iter().flatten().filter(|line| line.get("Deleted").is_some()).count();
            holds(deleted == 1, || format!("it says {done}"))
        }),
    },
    Scenario {
        name: "a saved image holds a folder per layer with VERSION, json and layer.tar",
        clauses: &[
            "api.images.get.002",
            "api.images.get.005",
            "api.images.get.006",
            "api.image-tarball.001",
            "api.image-tarball.002",
            "api.image-tarball.003",
            "api.image-tarball.004",
        ],
        from: "",
        until: "",
        check: Recorded(SAVE, |seen| layers(&archive(seen, "get-id")?)),
    },
    Scenario {
        name: "a repository's archive names its tags",
        clauses: &[
            "api.images.get.003",
            "api.image-tarball.006",
            "api.image-tarball.007",
            "api.image-tarball.008",
            "api.image-tarball.009",
        ],
        from: "",
        until: "",
        check: Recorded(SAVE, |seen| {
            let archive = archive(seen, "mini-get")?;
            layers(&archive)?;
            let text =
                archive.entries.iter().find(|entry| entry.name == "repositories").and_then(|entry| entry.text.clone());
            let named: Value = text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
            holds(named["mini"]["one"].is_string() && named["mini"]["two"].is_string(), || {
                format!("repositories holds {named}")
            })
        }),
    },
    Scenario {
        name: "a loaded archive brings its images and tags",
        clauses: &["api.images.load.002", "api.images.load.003", "api.images.load.004"],
        from: "",
        until: "",
        check: Recorded(SAVE, |seen| {
            seen.with_status("load-mini", 200)?;
            let id = seen.at("mini-inspect", "/Id")?;
            holds(id.is_string(), || "mini:one is not there".to_owned())
        }),
    },
    Scenario {
        name: "commit makes an image with repository, tag, comment and author",
        clauses: &[
            "api.commit.002",
            "api.commit.004",
            "api.commit.005",
            "api.commit.006",
            "api.commit.007",
            "api.commit.008",
        ],
        from: "",
        until: "",
        check: Recorded(COMMIT, |seen| {
            let (comment, author) = (seen.at("inspect-t1", "/Comment")?, seen.at("inspect-t1", "/Author")?);
            holds(comment == "the comment" && author == "Some One", || format!("Comment {comment}, Author {author}"))
        }),
    },
    Scenario {
        name: "commit takes the new image's configuration from the body and keeps the rest",
        clauses: &["api.commit.003"],
        from: "",
        until: "",
        check: Recorded(COMMIT, |seen| {
            let config = seen.at("inspect-t5", "/Config")?;
            let env = config["Env"].to_string();
            holds(config["Cmd"] == serde_json::json!(["date"]) && env.contains("B=2") && env.contains("A=1"), || {
                format!("it is {config}")
            })
        }),
    },
    Scenario {
        name: "a build streams JSON objects and tags what it made",
        clauses: &[
            "api.build.002",
            "api.build.003",
            "api.build.004",
            "api.build.011",
            "api.build.015",
            "api.build.031",
            "api.build.038",
            "api.build.041",
            "api.build.042",
            "ovw.v1-8.001",
            "ovw.v1-3.003",
        ],
        from: "",
        until: "",
        check: Recorded(BUILD, |seen| {
            let lines = stream(seen, "simple")?;
            let text: String = lines.iter().filter_map(|line| line["stream"].as_str()).collect();
            holds(text.contains("Step 0") || text.contains("Step 1"), || format!("the stream says {text:?}"))?;
            holds(text.contains("Successfully built"), || format!("the stream says {text:?}"))
        }),
    },
    Scenario {
        name: "a step that was built before comes from the cache unless the cache is not wanted",
        clauses: &["api.build.020"],
        from: "",
        until: "",
        check: Recorded(BUILD, |seen| {
            let cached = |step: &str| {
                Ok::<_, Wrong>(stream(seen, step)?.iter().any(|line| line.to_string().contains("Using cache")))
            };
            let (with, without) = (cached("simple-cached")?, cached("simple-nocache")?);
            holds(with && !without, || format!("from the cache: {with}, with nocache: {without}"))
        }),
    },
    Scenario {
        name: "a failed step is told in the stream, with its exit code",
        clauses: &["api.build.032", "api.build.043", "ovw.v1-8.002"],
        from: "",
        until: "",
        check: Recorded(BUILD, |seen| {
            seen.with_status("fail", 200)?;
            let lines = stream(seen, "fail")?;
            let error = lines.iter().find(|line| line.get("error").is_some()).cloned().unwrap_or_default();
            let told = error["error"].as_str().is_some_and(|text| text.contains("returned a non-zero code: 3"));
            holds(told && error["errorDetail"]["message"].is_string(), || format!("the error is {error}"))
        }),
    },
    Scenario {
        name: "a context may be compressed with gzip, bzip2 or xz",
        clauses: &["api.build.005", "api.build.006", "api.build.007"],
        from: "",
        until: "",
        check: Recorded(REQUEST, |seen| {
            for step in ["gzip", "bzip2", "xz"] {
                let lines = stream(seen, step)?;
                let built = lines.iter().any(|line| line.to_string().contains("Successfully built"));
                holds(built, || format!("{step} ends with {:?}", lines.last()))?;
            }
            Ok(())
        }),
    },
    Scenario {
        name: "a pull streams its progress and brings the image",
        clauses: &[
            "api.images.create.002",
            "api.images.create.004",
            "api.images.create.009",
            "api.images.create.023",
            "ovw.v1-1.001",
        ],
        from: "",
        until: "",
        check: Recorded(PULL, |seen| {
            let lines = stream(seen, "ok")?;
            let told = lines.iter().any(|line| line["status"].is_string());
            let failed = lines.iter().find(|line| line.get("error").is_some());
            holds(told && failed.is_none(), || format!("it says {failed:?}"))?;
            let id = seen.at("inspect", "/Id")?;
            holds(id.is_string(), || "the image is not there".to_owned())
        }),
    },
    Scenario {
        name: "a pull that fails says so in the stream",
        clauses: &["api.images.create.014", "api.images.create.025"],
        from: "",
        until: "",
        check: Recorded(PULL, |seen| {
            let lines = stream(seen, "unknown")?;
            holds(lines.iter().any(|line| line["error"].is_string()), || format!("it says {lines:?}"))
        }),
    },
    Scenario {
        name: "an import makes an image of a tar archive, from the body or from an address",
        clauses: &[
            "api.images.create.003",
            "api.images.create.005",
            "api.images.create.006",
            "api.images.create.007",
            "api.images.create.008",
        ],
        from: "",
        until: "",
        check: Recorded(IMPORT, |seen| {
            for step in ["ok", "url"] {
                let lines = stream(seen, step)?;
                let failed = lines.iter().find(|line| line.get("error").is_some());
                holds(!lines.is_empty() && failed.is_none(), || format!("{step} says {failed:?}"))?;
            }
            let id = seen.at("inspect", "/Id")?;
            holds(id.is_string(), || "imp:a is not there".to_owned())
        }),
    },
    Scenario {
        name: "a push streams its progress",
        clauses: &[
            "api.images.push.002",
            "api.images.push.003",
            "api.images.push.004",
            "api.images.push.005",
            "api.images.push.017",
        ],
        from: "",
        until: "",
        check: Recorded(PUSH, |seen| {
            let lines = stream(seen, "ok")?;
            let failed = lines.iter().find(|line| line.get("error").is_some());
            holds(lines.iter().any(|line| line["status"].is_string()) && failed.is_none(), || {
                format!("it says {failed:?}")
            })
        }),
    },
    Scenario {
        name: "commit leaves a paused container paused",
        clauses: &[],
        from: "",
        until: "",
        check: Live(|stage| {
            let container = stage.shell("commit-paused", "sleep 1000")?;
            stage.start(&container)?;
            stage.set_up(stage.request("POST", &format!("/containers/{container}/pause")), &[204])?;
            let repository = stage.name("paused").to_lowercase();
            stage.owns_image(&repository);
            let request = stage.request("POST", &format!("/commit?container={container}&repo={repository}"));
            stage.expect(request.json(&serde_json::json!({})), 201)?;
            let paused = stage.inspect(&container, "/State/Paused")?;
            holds(paused == true, || format!("Paused {paused}"))
        }),
    },
    Scenario {
        name: "loading what is no image is an error soon, and brings nothing",
        clauses: &[],
        from: "",
        until: "",
        check: Live(|stage| {
            let images = |stage: &super::Stage<'_>| -> Result<usize, Wrong> {
                let list = stage.set_up(stage.request("GET", "/images/json?all=1"), &[200])?;
                Ok(list.json().and_then(|list| Some(list.as_array()?.len())).unwrap_or(0))
            };
            let before = images(stage)?;
            for body in [Vec::new(), b"this is no archive".to_vec()] {
                let what = format!("{} bytes", body.len());
                let request = stage.request("POST", "/images/load").content("application/x-tar", body);
                let exchange = stage.send_within(request, std::time::Duration::from_secs(5));
                let status = exchange.status();
                holds(status.is_some_and(|status| status >= 400), || format!("{what}: it answers {status:?}"))?;
            }
            let after = images(stage)?;
            holds(before == after, || format!("{before} images before, {after} after"))
        }),
    },
];

fn ids(seen: &Seen<'_>, step: &str) -> Result<Vec<String>, Wrong> {
    let list = seen.json(step)?;
    let list = list.as_array().ok_or_else(|| Wrong::Not(format!("{step} is no list")))?;
    Ok(list.iter().filter_map(|image| image["Id"].as_str().map(str::to_owned)).collect())
}

fn stream(seen: &Seen<'_>, step: &str) -> Result<Vec<Value>, Wrong> {
    let answer = seen.answer(step)?;
    if answer.text().starts_with("Invalid namespace name (lib)") {
        return Err(Wrong::Blocked("this version refuses the registry's short repository names".to_owned()));
    }
    answer.json_lines().ok_or_else(|| Wrong::Not(format!("{step} is no stream of JSON: {:?}", answer.text())))
}

fn archive(seen: &Seen<'_>, step: &str) -> Result<Archive, Wrong> {
    let answer = seen.with_status(step, 200)?;
    answer.archive().map(|archive| archive.into_owned()).map_err(|error| Wrong::Not(format!("{step}: {error}")))
}

fn layers(archive: &Archive) -> Shown {
    let folders: Vec<&str> = archive
        .entries
        .iter()
        .filter(|entry| entry.kind == EntryKind::Dir)
        .map(|entry| entry.name.trim_end_matches('/'))
        .filter(|name| name.len() == 64)
        .collect();
    let has = |name: String| archive.entries.iter().find(|entry| entry.name == name);
    for folder in &folders {
        let version = has(format!("{folder}/VERSION")).and_then(|entry| entry.text.as_deref());
        holds(version == Some("1.0"), || format!("{folder}/VERSION holds {version:?}"))?;
        let whole = has(format!("{folder}/json")).is_some() && has(format!("{folder}/layer.tar")).is_some();
        holds(whole, || format!("{folder} lacks json or layer.tar"))?;
    }
    holds(!folders.is_empty(), || "there is no layer in it".to_owned())
}
