//! Rules of the project that a compiler does not know.

use crate::cargo;
use anyhow::{Context, Result};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

/// Check the project's own rules: which crate may know which, where unsafe code and versions may stand, how long a
/// file may be, and that the documents speak of what is there.
#[derive(clap::Args)]
pub(crate) struct Args {}

/// Longer than this a file has two subjects.
const LONGEST: usize = 600;
/// Tables: one subject, however long.
const TABLES: &[&str] = &["spec/src/model.rs"];

/// What each crate may depend on. `xtask` and `drydockd` wire and are free.
const ARROWS: &[(&str, &[&str])] = &[
    ("drydock-spec", &[]),
    ("drydock-core", &[]),
    ("drydock-fixture-image", &[]),
    ("drydock-conformance", &["drydock-spec"]),
    ("drydock-layers", &["drydock-core"]),
    ("drydock-logs", &["drydock-core"]),
    ("drydock-network", &["drydock-core"]),
    ("drydock-shim-protocol", &["drydock-core"]),
    ("drydock-images", &["drydock-core", "drydock-layers"]),
    ("drydock-runtime", &["drydock-core", "drydock-shim-protocol"]),
    ("drydock-shim", &["drydock-core", "drydock-runtime", "drydock-logs", "drydock-shim-protocol"]),
    (
        "drydock-engine",
        &[
            "drydock-core",
            "drydock-images",
            "drydock-layers",
            "drydock-network",
            "drydock-logs",
            "drydock-shim-protocol",
        ],
    ),
    ("drydock-registry", &["drydock-core", "drydock-images", "drydock-layers"]),
    ("drydock-build", &["drydock-core", "drydock-engine", "drydock-images", "drydock-layers"]),
    (
        "drydock-api",
        &[
            "drydock-spec",
            "drydock-core",
            "drydock-engine",
            "drydock-images",
            "drydock-layers",
            "drydock-shim-protocol",
            "drydock-build",
            "drydock-registry",
        ],
    ),
];

/// Where unsafe code is not forbidden as a whole: the system calls, and a constructor made by a macro.
const UNSAFE_HOMES: &[&str] = &["impl/runtime/src/lib.rs", "fixtures/image/src/main.rs"];

/// Crates that know no version of the API.
const WITHOUT_VERSIONS: &[&str] = &[
    "impl/core",
    "impl/layers",
    "impl/images",
    "impl/runtime",
    "impl/shim",
    "impl/network",
    "impl/logs",
    "impl/engine",
];

pub(crate) fn run(_: Args) -> Result<ExitCode> {
    let problems = problems()?;
    problems.iter().for_each(|problem| println!("{problem}"));
    println!("{} problems", problems.len());
    Ok(if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Everything that breaks a rule, a line each: the file first.
fn problems() -> Result<Vec<String>> {
    let files = tracked()?;
    let mut problems = arrows()?;
    for file in &files {
        let path = cargo::root().join(file);
        // Deleted, and not yet committed as such.
        let Ok(text) = fs::read_to_string(&path) else { continue };
        problems.extend(length(file, &text));
        problems.extend(unsafe_code(file, &text));
        problems.extend(versions(file, &text));
    }
    problems.extend(documents(&files)?);
    Ok(problems)
}

/// Source files and documents under version control, relative to the root.
fn tracked() -> Result<Vec<String>> {
    let listed = Command::new("git").args(["ls-files", "*.rs", "*.md", "*.toml"]).current_dir(cargo::root()).output();
    let listed = listed.context("running git ls-files")?;
    Ok(String::from_utf8_lossy(&listed.stdout).lines().map(str::to_owned).collect())
}

fn arrows() -> Result<Vec<String>> {
    let told = cargo::command().args(["metadata", "--format-version", "1", "--no-deps", "--offline"]).output();
    let told = told.context("running cargo metadata")?;
    let metadata: Value = serde_json::from_slice(&told.stdout).context("reading cargo metadata")?;
    let mut problems = Vec::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let name = package["name"].as_str().unwrap_or_default();
        if matches!(name, "xtask" | "drydockd") {
            continue;
        }
        let Some((_, allowed)) = ARROWS.iter().find(|(known, _)| *known == name) else {
            problems.push(format!("{name}: not in the table of arrows (xtask/src/tidy.rs)"));
            continue;
        };
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let on = dependency["name"].as_str().unwrap_or_default();
            let ours = on.starts_with("drydock") && dependency["kind"].is_null();
            if ours && !allowed.contains(&on) {
                problems.push(format!("{name}: must not depend on {on} (ARCHITECTURE.md, arrows)"));
            }
        }
    }
    Ok(problems)
}

fn length(file: &str, text: &str) -> Option<String> {
    let lines = text.lines().count();
    let long = file.ends_with(".rs") && lines > LONGEST && !TABLES.contains(&file);
    long.then(|| format!("{file}: {lines} lines; above {LONGEST} a file has two subjects"))
}

fn unsafe_code(file: &str, text: &str) -> Option<String> {
    let is_root = file.ends_with("src/lib.rs") || file.ends_with("src/main.rs") || file.contains("/src/bin/");
    let open = is_root && !text.contains("#![forbid(unsafe_code)]") && !UNSAFE_HOMES.contains(&file);
    open.then(|| format!("{file}: #![forbid(unsafe_code)] is missing"))
}

fn versions(file: &str, text: &str) -> Vec<String> {
    let crate_without = WITHOUT_VERSIONS.iter().any(|folder| file.starts_with(&format!("{folder}/src/")));
    let in_api = file.starts_with("impl/api/src/") || file.starts_with("impl/daemon/src/");
    if !crate_without && !in_api {
        return Vec::new();
    }
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    let mut problems = Vec::new();
    for (number, line) in code.lines().enumerate() {
        let line = line.split("//").next().unwrap_or_default();
        let names_one = (14..=19).any(|minor| line.contains(&format!("\"1.{minor}\"")));
        let compares = line.contains("version <") || line.contains("version >") || line.contains("version ==");
        if names_one || compares || (crate_without && line.contains("drydock_spec")) {
            let number = number + 1;
            problems
                .push(format!("{file}:{number}: versions are told apart in spec/ alone (ARCHITECTURE.md, invariants)"));
        }
    }
    problems
}

/// What the documents name must be there.
fn documents(files: &[String]) -> Result<Vec<String>> {
    let read = |name: &str| {
        let path: PathBuf = cargo::root().join(name);
        fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))
    };
    let (readme, architecture) = (read("README.md")?, read("ARCHITECTURE.md")?);
    let mut problems = Vec::new();
    for manifest in files.iter().filter(|file| file.ends_with("/Cargo.toml")) {
        let folder = Path::new(manifest).parent().unwrap_or(Path::new("")).display().to_string();
        if folder != "xtask" && !architecture.contains(&format!("`{folder}/`")) {
            problems.push(format!("ARCHITECTURE.md: says nothing of `{folder}/`"));
        }
    }
    for (name, text) in [("README.md", &readme), ("ARCHITECTURE.md", &architecture)] {
        for named in text.split('`').skip(1).step_by(2) {
            let path = named.split_once(' ').map_or(named, |(path, _)| path);
            let is_path = path.contains('/')
                && !path.contains(['<', '{', '*', ':', '…', '$'])
                && !path.starts_with(['/', '-', '.']);
            let inside =
                ["spec/", "impl/", "conformance/", "fixtures/", "xtask/"].iter().any(|root| path.starts_with(root));
            if is_path && inside && !cargo::root().join(path).exists() {
                problems.push(format!("{name}: there is no `{path}`"));
            }
        }
        for command in text.match_indices("cargo xtask ").map(|(at, begin)| &text[at + begin.len()..]) {
            let word: String = command.chars().take_while(|c| c.is_ascii_lowercase() || *c == '-').collect();
            if !word.is_empty() && !crate::is_task(&word) {
                problems.push(format!("{name}: there is no `cargo xtask {word}`"));
            }
        }
    }
    Ok(problems)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_named_in_the_engine_is_a_problem_and_one_in_a_comment_or_test_is_none() {
        let found = |text| versions("impl/engine/src/x.rs", text).len();
        assert_eq!(found("if version == x {}\n// \"1.17\"\n"), 1);
        assert_eq!(found("let v = \"1.17\";\n"), 1);
        assert_eq!(found("fn f() {}\n#[cfg(test)]\nlet v = \"1.17\";\n"), 0);
        assert_eq!(versions("conformance/src/x.rs", "\"1.17\"").len(), 0);
    }

    #[test]
    fn a_crate_that_does_not_forbid_unsafe_code_is_named() {
        assert!(unsafe_code("impl/api/src/lib.rs", "//! x\n").is_some());
        assert!(unsafe_code("impl/api/src/lib.rs", "#![forbid(unsafe_code)]\n").is_none());
        assert!(unsafe_code("impl/runtime/src/lib.rs", "").is_none());
    }
}
