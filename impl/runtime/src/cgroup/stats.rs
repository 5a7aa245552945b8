//! What a container uses.
//!
//! Source: recordings `containers.stats/…`: the values of the files, under the documents' names.

use super::{Cgroup, Directory};
use drydock_shim_protocol::{BlkioEntry, Cpu, Interface, Memory, Sample};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Tables of the block controller, by the documents' name and the file's.
const BLKIO: [(&str, &[&str]); 8] = [
    ("io_service_bytes_recursive", &["blkio.io_service_bytes_recursive", "blkio.throttle.io_service_bytes"]),
    ("io_serviced_recursive", &["blkio.io_serviced_recursive", "blkio.throttle.io_serviced"]),
    ("io_queue_recursive", &["blkio.io_queued_recursive"]),
    ("io_service_time_recursive", &["blkio.io_service_time_recursive"]),
    ("io_wait_time_recursive", &["blkio.io_wait_time_recursive"]),
    ("io_merged_recursive", &["blkio.io_merged_recursive"]),
    ("io_time_recursive", &["blkio.time_recursive"]),
    ("sectors_recursive", &["blkio.sectors_recursive"]),
];

/// Nanoseconds of a tick: the kernel's USER_HZ is 100 on all machines that we run on.
const TICK: u64 = 10_000_000;

impl Cgroup {
    /// Measures it; `init` is a process whose network counts.
    #[must_use]
    pub fn sample(&self, init: Option<u32>) -> Sample {
        Sample {
            cpu: self.cpu(),
            memory: self.memory(),
            blkio: self.blkio(),
            interfaces: init.map(interfaces).unwrap_or_default(),
        }
    }

    fn cpu(&self) -> Cpu {
        let mut cpu = Cpu { system: machine_time(), ..Cpu::default() };
        if let Some(directory) = self.with("cpuacct") {
            cpu.total = directory.number("cpuacct.usage");
            cpu.per_cpu =
                directory.text("cpuacct.usage_percpu").split_whitespace().filter_map(|n| n.parse().ok()).collect();
            let ticks = directory.pairs("cpuacct.stat");
            let time = |name: &str| ticks.get(name).copied().unwrap_or_default().saturating_mul(TICK);
            (cpu.user, cpu.kernel) = (time("user"), time("system"));
        }
        if let Some(directory) = self.with("cpu") {
            let throttled = directory.pairs("cpu.stat");
            let count = |name: &str| throttled.get(name).copied().unwrap_or_default();
            (cpu.periods, cpu.throttled_periods) = (count("nr_periods"), count("nr_throttled"));
            cpu.throttled_time = count("throttled_time");
        }
        if let Some(directory) = self.v2() {
            let stat = directory.pairs("cpu.stat");
            let count = |name: &str| stat.get(name).copied().unwrap_or_default();
            let micros = |name: &str| count(name).saturating_mul(1000);
            (cpu.total, cpu.user, cpu.kernel) = (micros("usage_usec"), micros("user_usec"), micros("system_usec"));
            (cpu.periods, cpu.throttled_periods) = (count("nr_periods"), count("nr_throttled"));
            cpu.throttled_time = micros("throttled_usec");
        }
        cpu
    }

    fn memory(&self) -> Memory {
        if let Some(directory) = self.with("memory") {
            return Memory {
                usage: directory.number("memory.usage_in_bytes"),
                max_usage: directory.number("memory.max_usage_in_bytes"),
                limit: directory.number("memory.limit_in_bytes"),
                failcnt: directory.number("memory.failcnt"),
                stats: directory.pairs("memory.stat"),
            };
        }
        self.v2().map_or_else(Memory::default, |directory| Memory {
            usage: directory.number("memory.current"),
            max_usage: directory.number("memory.peak"),
            limit: directory.text("memory.max").trim().parse().unwrap_or(u64::MAX),
            failcnt: directory.pairs("memory.events").get("max").copied().unwrap_or_default(),
            stats: directory.pairs("memory.stat"),
        })
    }

    fn blkio(&self) -> BTreeMap<String, Vec<BlkioEntry>> {
        let Some(directory) = self.with("blkio") else { return BTreeMap::new() };
        let table = |files: &[&str]| {
            let text = files.iter().map(|file| directory.text(file)).find(|text| !text.is_empty()).unwrap_or_default();
            text.lines().filter_map(blkio_entry).collect()
        };
        BLKIO.iter().map(|(name, files)| ((*name).to_owned(), table(files))).collect()
    }
}

impl Directory {
    fn text(&self, file: &str) -> String {
        fs::read_to_string(self.path.join(file)).unwrap_or_default()
    }

    fn number(&self, file: &str) -> u64 {
        self.text(file).trim().parse().unwrap_or_default()
    }

    fn pairs(&self, file: &str) -> BTreeMap<String, u64> {
        let text = self.text(file);
        let pair = |line: &str| {
            let (name, value) = line.split_once(' ')?;
            Some((name.to_owned(), value.trim().parse().ok()?))
        };
        text.lines().filter_map(pair).collect()
    }
}

/// `8:0 Read 4096`, `8:0 4096`; the line `Total 4096` has no device and is left out.
fn blkio_entry(line: &str) -> Option<BlkioEntry> {
    let mut fields = line.split_whitespace();
    let (major, minor) = fields.next()?.split_once(':')?;
    let (op, value) = match (fields.next()?, fields.next()) {
        (op, Some(value)) => (op, value),
        (value, None) => ("", value),
    };
    let (major, minor) = (major.parse().ok()?, minor.parse().ok()?);
    Some(BlkioEntry { major, minor, op: op.to_owned(), value: value.parse().ok()? })
}

/// Time of all CPUs, nanoseconds: the first seven columns of the machine's line.
fn machine_time() -> u64 {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = stat.lines().find_map(|line| line.strip_prefix("cpu ")).unwrap_or_default();
    let ticks = line.split_whitespace().take(7).filter_map(|ticks| ticks.parse::<u64>().ok()).sum::<u64>();
    ticks.saturating_mul(TICK)
}

fn interfaces(pid: u32) -> BTreeMap<String, Interface> {
    let path = Path::new("/proc").join(pid.to_string());
    let table = fs::read_to_string(path.join("net/dev")).unwrap_or_default();
    table.lines().skip(2).filter_map(interface).filter(|(name, _)| name != "lo").collect()
}

fn interface(line: &str) -> Option<(String, Interface)> {
    let (name, counters) = line.split_once(':')?;
    let counters: Vec<u64> = counters.split_whitespace().filter_map(|counter| counter.parse().ok()).collect();
    let at = |at: usize| counters.get(at).copied();
    let interface = Interface {
        rx_bytes: at(0)?,
        rx_packets: at(1)?,
        rx_errors: at(2)?,
        rx_dropped: at(3)?,
        tx_bytes: at(8)?,
        tx_packets: at(9)?,
        tx_errors: at(10)?,
        tx_dropped: at(11)?,
    };
    Some((name.trim().to_owned(), interface))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_kernel_are_understood_and_totals_left_out() {
        let entry = |op: &str| BlkioEntry { major: 8, minor: 0, op: op.into(), value: 4096 };
        assert_eq!(blkio_entry("8:0 Read 4096"), Some(entry("Read")));
        assert_eq!(blkio_entry("8:0 4096"), Some(entry("")));
        assert_eq!(blkio_entry("Total 4096"), None);
        let (name, eth0) = interface("  eth0: 1 2 3 4 0 0 0 0 5 6 7 8 0 0 0 0").unwrap();
        assert_eq!((name.as_str(), eth0.rx_dropped, eth0.tx_bytes, eth0.tx_dropped), ("eth0", 4, 5, 8));
    }
}
