//! `stats`: what a container uses, once a second.

use crate::{Engine, Error, Target};
use drydock_core::Timestamp;
use std::collections::BTreeMap;

/// Measure a container.
#[derive(Clone, Debug)]
pub struct Stats {
    /// Which.
    pub target: Target,
    /// Again each second, until it is removed; else once.
    pub stream: bool,
}

/// One measurement, as cgroups and interfaces tell it. Zeros for a container that does not run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatsSample {
    /// When; `None`: it does not run.
    pub read: Option<Timestamp>,
    /// Its interface.
    pub network: InterfaceCounters,
    /// CPU time now.
    pub cpu: CpuUsage,
    /// CPU time one measurement before.
    pub precpu: CpuUsage,
    /// Memory.
    pub memory: MemoryUsage,
    /// Block devices: by table, as `io_service_bytes_recursive`.
    pub blkio: BTreeMap<&'static str, Vec<BlkioEntry>>,
}

/// Counters of the container's interface, as the container sees them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct InterfaceCounters {
    pub rx_bytes: u64,
    pub rx_packets: u64,
    pub rx_errors: u64,
    pub rx_dropped: u64,
    pub tx_bytes: u64,
    pub tx_packets: u64,
    pub tx_errors: u64,
    pub tx_dropped: u64,
}

/// CPU time, in nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CpuUsage {
    /// All.
    pub total: u64,
    /// By CPU.
    pub per_cpu: Vec<u64>,
    /// In the kernel.
    pub kernel: u64,
    /// Outside of it.
    pub user: u64,
    /// The whole machine.
    pub system: u64,
    /// Throttled periods, all periods, time throttled.
    pub throttled_periods: u64,
    /// Periods in all.
    pub periods: u64,
    /// Nanoseconds.
    pub throttled_time: u64,
}

/// Memory, in bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryUsage {
    /// Now.
    pub usage: u64,
    /// At most so far.
    pub max_usage: u64,
    /// Bound.
    pub limit: u64,
    /// Times the bound was met.
    pub failcnt: u64,
    /// Lines of `memory.stat`.
    pub stats: BTreeMap<String, u64>,
}

/// A counter of a block device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlkioEntry {
    /// Device.
    pub major: u64,
    /// Device.
    pub minor: u64,
    /// `Read`, `Write`…, or empty.
    pub op: String,
    /// Bytes, counts or nanoseconds, by table.
    pub value: u64,
}

/// Measurements on their way to a client.
#[derive(Debug)]
pub struct StatsStream(tokio::sync::mpsc::Receiver<StatsSample>);

impl StatsStream {
    /// The next one; `None` when the container is removed, or the one that was asked for is told.
    pub async fn next(&mut self) -> Option<StatsSample> {
        self.0.recv().await
    }
}

impl Engine {
    /// Measures a container. A container that does not run tells nothing in a stream (it may be started again), and
    /// zeros when asked once.
    ///
    /// # Errors
    /// `NoSuchContainer`….
    pub async fn stats(&self, command: Stats) -> Result<StatsStream, Error> {
        let _ = command;
        todo!()
    }
}
