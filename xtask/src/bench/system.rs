//! What the daemon's front costs.

use std::{thread, time::Instant};

use anyhow::{Context, Result};

use super::{Group, Unit, Work, nothing, target::Target};

pub(super) fn works() -> Vec<Work> {
    let ping = |name, goal, run| Work {
        group: Group::Images,
        name,
        unit: Unit::PerSecond,
        goal,
        rounds: 5,
        prepare: nothing,
        run,
        clear: nothing,
        floor: None,
    };
    vec![
        ping("/_ping over 1 connection", "≥ 2.5 × dockerd", |target| pings(target, 1, 4_000)),
        ping("/_ping over 32 connections", "≥ 1.8 × dockerd", |target| pings(target, 32, 500)),
        Work {
            group: Group::Lifecycle,
            name: "memory of the idle daemon",
            unit: Unit::Megabytes,
            goal: "≤ 12 MB",
            rounds: 1,
            prepare: nothing,
            run: |target| {
                Ok(target.memory().context("only a daemon that the bench started has a known memory")? as f64 / 1e6)
            },
            clear: nothing,
            floor: None,
        },
    ]
}

fn pings(target: &Target, connections: usize, each: usize) -> Result<f64> {
    let opened = (0..connections).map(|_| target.connect()).collect::<Result<Vec<_>>>()?;
    let began = Instant::now();
    thread::scope(|scope| {
        let clients: Vec<_> = opened
            .into_iter()
            .map(|mut connection| {
                scope.spawn(move || (0..each).try_for_each(|_| connection.call("GET", "/_ping", None).map(drop)))
            })
            .collect();
        clients.into_iter().try_for_each(|client| client.join().expect("a client does not panic"))
    })?;
    Ok((connections * each) as f64 / began.elapsed().as_secs_f64())
}
