//! `drydockd`: the reference daemon of the Docker Remote API v1.14–v1.19.

#![forbid(unsafe_code)]

mod facts;
mod flags;
mod listen;
mod pidfile;
mod tls;
mod wire;

use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;

use flags::Flags;

fn main() -> ExitCode {
    let flags = Flags::parse();
    if let Err(error) = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(flags.log_filter()))
        .with_writer(std::io::stderr)
        .with_target(false)
        .try_init()
    {
        eprintln!("drydockd: {error}");
        return ExitCode::FAILURE;
    }
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(4);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build();
    let ended = runtime.map_err(anyhow::Error::from).and_then(|runtime| runtime.block_on(wire::run(flags)));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("Error starting daemon: {error:#}");
            ExitCode::FAILURE
        }
    }
}
