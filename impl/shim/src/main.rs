//! The program that is a container's parent.
//!
//! One process, one thread, one epoll loop per run of a container: it makes the container, owns its stdio and its log,
//! reaps it, and goes on when the daemon does not. See [`drydock_shim_protocol`] for what it is asked.
//!
//! ```text
//! drydock-shim run                        in the container's runtime directory; stdin is the daemon's socket
//! drydock-shim cleanup ID CGROUP_PARENT   there, after a shim that died
//! ```
//!
//! Bytes of output take one way: pipe → buffer → client's socket and log, one read and one write per batch of up to
//! 64 KB. What a client does not take at once waits in its [`backlog`], never in the others' way.

#![forbid(unsafe_code)]

mod backlog;
mod client;
mod connection;
mod end;
mod input;
mod log;
mod output;
mod poll;
mod requests;
mod session;
mod shim;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let result = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["run"] => shim::run().map_err(|error| error.to_string()),
        ["cleanup", id, parent] => cleanup(id, parent),
        _ => Err("usage: drydock-shim run | cleanup ID CGROUP_PARENT".to_owned()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn cleanup(id: &str, parent: &str) -> Result<(), String> {
    drydock_runtime::cleanup(id, parent).map_err(|error| error.to_string())?;
    match std::fs::remove_file(drydock_shim_protocol::SOCKET) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.to_string()),
        _ => Ok(()),
    }
}
