//! An image store from the command line: what it costs, and whether others read what it writes.
//!
//! ```text
//! store ROOT load < ARCHIVE
//! store ROOT list
//! store ROOT save NAME… > ARCHIVE
//! store ROOT delete NAME
//! ```

use drydock_images::{Delete, DeletePolicy, Images, Query};
use drydock_layers::Layers;
use std::error::Error;
use std::io;
use std::path::Path;
use std::time::Instant;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [root, command, names @ ..] = &arguments[..] else { return Err("store ROOT COMMAND NAME…".into()) };
    let images = Images::open(Path::new(root), Layers::open(Path::new(root), None)?)?;
    images.layers().sweep(&[])?;
    let begun = Instant::now();
    match (command.as_str(), names) {
        ("load", []) => {
            for (name, id) in images.load(io::stdin())?.tags {
                eprintln!("{name} {}", id.short());
            }
        }
        ("list", []) => {
            for listed in images.list(&Query { all: true, ..Query::default() }) {
                println!("{} {:?} {} bytes", listed.image.id.short(), listed.repo_tags, listed.virtual_size);
            }
        }
        ("save", names) => images.save(names)?.write(&mut io::stdout().lock())?,
        ("delete", [name]) => {
            let policy = DeletePolicy {
                check_use_first: true,
                force_takes_all_repositories: true,
                parent_in_several_repositories_refused: false,
            };
            let command = Delete { reference: name.clone(), force: true, keep_parents: false, policy };
            eprintln!("{:?}", images.delete(&command, &Vec::new)?);
        }
        _ => return Err("load, list, save NAME…, delete NAME".into()),
    }
    eprintln!("{:.3} s", begun.elapsed().as_secs_f64());
    Ok(())
}
