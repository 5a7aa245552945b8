//! Embeds the spec's files and makes the enums of endpoints and behaviours.
//!
//! Only names decide the enums, so that an edit of a fact changes no code that depends on this crate.

use std::{env, error::Error, fmt::Write as _, fs, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    let root = env::var("CARGO_MANIFEST_DIR")?;
    let root = Path::new(&root);
    let mut files = Vec::new();
    for folder in ["endpoints", "types"] {
        println!("cargo::rerun-if-changed={folder}");
        for entry in fs::read_dir(root.join(folder))? {
            let name = entry?.file_name().into_string().map_err(|name| format!("{name:?} is no UTF-8"))?;
            if name.ends_with(".json") {
                files.push(format!("{folder}/{name}"));
            }
        }
    }
    for name in ["front.json", "outcomes.json", "behaviours.json", "rulings.json"] {
        files.push(name.to_owned());
    }
    files.sort();

    let mut out = String::from("/// The spec's files: name and text.\npub(crate) const FILES: &[(&str, &str)] = &[\n");
    for name in &files {
        println!("cargo::rerun-if-changed={name}");
        writeln!(out, "    ({name:?}, include_str!({:?})),", root.join(name))?;
    }
    out.push_str("];\n");

    let endpoints = files.iter().filter_map(|name| name.strip_prefix("endpoints/")?.strip_suffix(".json"));
    enumeration(&mut out, "EndpointId", "An endpoint: a file of `endpoints/`.", endpoints)?;

    let behaviours: serde_json::Value = serde_json::from_str(&fs::read_to_string(root.join("behaviours.json"))?)?;
    let names: Vec<&str> =
        behaviours.as_array().into_iter().flatten().filter_map(|entry| entry["name"].as_str()).collect();
    enumeration(
        &mut out,
        "Behaviour",
        "A named difference between versions: an entry of `behaviours.json`.",
        names.into_iter(),
    )?;

    fs::write(Path::new(&env::var("OUT_DIR")?).join("embedded.rs"), out)?;
    Ok(())
}

fn enumeration<'a>(out: &mut String, name: &str, doc: &str, ids: impl Iterator<Item = &'a str>) -> std::fmt::Result {
    let mut ids: Vec<&str> = ids.collect();
    ids.sort_unstable();
    writeln!(
        out,
        "\n/// {doc}\n#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]\npub enum {name} {{"
    )?;
    for id in &ids {
        writeln!(out, "    /// `{id}`\n    {},", camel(id))?;
    }
    writeln!(
        out,
        "}}\n\nimpl {name} {{\n    /// All of them, ordered by id.\n    pub const ALL: &'static [{name}] = &["
    )?;
    for id in &ids {
        writeln!(out, "        {name}::{},", camel(id))?;
    }
    writeln!(
        out,
        "    ];\n\n    /// The id as the spec writes it.\n    pub fn id(self) -> &'static str {{\n        match self {{"
    )?;
    for id in &ids {
        writeln!(out, "            {name}::{} => {id:?},", camel(id))?;
    }
    writeln!(out, "        }}\n    }}\n}}")
}

fn camel(id: &str) -> String {
    id.split(['.', '-'])
        .map(|word| {
            let mut chars = word.chars();
            chars.next().map(|first| first.to_ascii_uppercase().to_string() + chars.as_str()).unwrap_or_default()
        })
        .collect()
}
