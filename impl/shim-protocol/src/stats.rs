//! What a container uses.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One measurement, as cgroups and interfaces tell it. A controller that is missing leaves zeros.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Sample {
    pub cpu: Cpu,
    pub memory: Memory,
    /// By table, as `io_service_bytes_recursive`.
    pub blkio: BTreeMap<String, Vec<BlkioEntry>>,
    /// By name, as the container sees them; empty in the host's network.
    pub interfaces: BTreeMap<String, Interface>,
}

/// CPU time, in nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cpu {
    /// All.
    pub total: u64,
    /// By CPU.
    pub per_cpu: Vec<u64>,
    /// In the kernel; a tick's precision.
    pub kernel: u64,
    /// Outside of it; a tick's precision.
    pub user: u64,
    /// The whole machine.
    pub system: u64,
    /// Periods in all.
    pub periods: u64,
    /// Periods in which it was throttled.
    pub throttled_periods: u64,
    /// Time throttled.
    pub throttled_time: u64,
}

/// Memory, in bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
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
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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

/// Counters of an interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Interface {
    pub rx_bytes: u64,
    pub rx_packets: u64,
    pub rx_errors: u64,
    pub rx_dropped: u64,
    pub tx_bytes: u64,
    pub tx_packets: u64,
    pub tx_errors: u64,
    pub tx_dropped: u64,
}
