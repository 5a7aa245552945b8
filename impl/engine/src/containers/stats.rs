//! `stats`: what a container uses, once a second.

use crate::container::Container;
use crate::run::sample;
use crate::{Engine, Error, Target};
use drydock_core::Timestamp;
use drydock_shim_protocol::Sample;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

const EACH: Duration = Duration::from_secs(1);

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
    pub blkio: BTreeMap<String, Vec<BlkioEntry>>,
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
pub struct StatsStream(mpsc::Receiver<StatsSample>);

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
        let container = self.find(&command.target)?;
        // One may be on its way while the next is taken.
        let (sender, receiver) = mpsc::channel(1);
        if command.stream {
            tokio::spawn(measure_on(container, sender));
        } else {
            tokio::spawn(measure_once(container, sender));
        }
        Ok(StatsStream(receiver))
    }
}

/// Measures twice, a second apart, and tells the second with the CPU time of the first: the two together say how busy
/// a container is. Zeros where it does not run.
async fn measure_once(container: Arc<Container>, to: mpsc::Sender<StatsSample>) {
    let sample = match measure(&container).await {
        None => StatsSample::default(),
        Some(before) => {
            tokio::select! {
                () = tokio::time::sleep(EACH) => {}
                () = to.closed() => return,
            }
            StatsSample { precpu: before.cpu, ..measure(&container).await.unwrap_or_default() }
        }
    };
    let _ = to.send(sample).await; // It left: nobody wants to know.
}

/// Measures each second, on the second: a slow client misses measurements, and later ones stay on time.
async fn measure_on(container: Arc<Container>, to: mpsc::Sender<StatsSample>) {
    let mut ticks = tokio::time::interval(EACH);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut before = CpuUsage::default();
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = to.closed() => return,
            () = container.reach(|progress| progress.gone) => return,
        }
        let Some(sample) = measure(&container).await else { continue };
        let cpu = sample.cpu.clone();
        let sample = StatsSample { precpu: std::mem::replace(&mut before, cpu), ..sample };
        if to.send(sample).await.is_err() {
            return;
        }
    }
}

/// `None`: it does not run.
async fn measure(container: &Container) -> Option<StatsSample> {
    let shim = {
        let body = container.lock().await.ok()?;
        Arc::clone(&body.phase.live()?.shim)
    };
    let sample = sample(&shim).await.ok()?;
    let mut network = InterfaceCounters::default();
    for interface in sample.interfaces.iter().filter(|(name, _)| *name != "lo").map(|(_, interface)| interface) {
        network.rx_bytes += interface.rx_bytes;
        network.rx_packets += interface.rx_packets;
        network.rx_errors += interface.rx_errors;
        network.rx_dropped += interface.rx_dropped;
        network.tx_bytes += interface.tx_bytes;
        network.tx_packets += interface.tx_packets;
        network.tx_errors += interface.tx_errors;
        network.tx_dropped += interface.tx_dropped;
    }
    let Sample { cpu, memory, blkio, .. } = sample;
    Some(StatsSample {
        read: Some(Timestamp::now()),
        network,
        cpu: CpuUsage {
            total: cpu.total,
            per_cpu: cpu.per_cpu,
            kernel: cpu.kernel,
            user: cpu.user,
            system: cpu.system,
            throttled_periods: cpu.throttled_periods,
            periods: cpu.periods,
            throttled_time: cpu.throttled_time,
        },
        precpu: CpuUsage::default(),
        memory: MemoryUsage {
            usage: memory.usage,
            max_usage: memory.max_usage,
            // The kernel tells a huge number where there is no bound: the machine's memory is one.
            limit: memory.limit.min(machine_memory().unwrap_or(u64::MAX)),
            failcnt: memory.failcnt,
            stats: memory.stats,
        },
        blkio: blkio.into_iter().map(|(table, entries)| (table, entries.into_iter().map(entry).collect())).collect(),
    })
}

fn entry(entry: drydock_shim_protocol::BlkioEntry) -> BlkioEntry {
    let drydock_shim_protocol::BlkioEntry { major, minor, op, value } = entry;
    BlkioEntry { major, minor, op, value }
}

/// Bytes.
fn machine_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let kilobytes = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?.trim().strip_suffix(" kB")?;
    kilobytes.trim().parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}
