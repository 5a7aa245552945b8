//! Packet rules, by `iptables-restore`: one transaction for the daemon, one for each container that publishes ports.
//!
//! The rules are those of the genuine daemon (recordings `network/published`, `network/flag-…`), in a chain of our own:
//! `DOCKER` where our bridge is `docker0`, so that nobody else has it, else one named after this daemon.

use crate::bridge::{BridgeLink, DOCKER0};
use crate::marks::Marks;
use crate::{Cidr, Config, Error, Port, Published};
use drydock_core::fault;
use std::fmt::Write as _;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

/// The rules of one bridge.
#[derive(Debug)]
pub(crate) struct Rules {
    bridge: String,
    chain: String,
    /// Ports are reached from loopback by rules, not by a proxy.
    loopback: bool,
    /// Transactions at the same time make each other fail on some versions.
    transaction: Mutex<()>,
}

/// Where a rule is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Table {
    Nat,
    Filter,
}

/// A rule as `iptables-save` prints it, without `-A`, so that a later daemon knows it again.
pub(crate) type Rule = (Table, String);

impl Rules {
    /// Sets the daemon's rules, and removes what an earlier life left; containers' rules come back by claims.
    pub(crate) fn open(config: &Config, bridge: &BridgeLink, marks: &Marks) -> Result<Self, Error> {
        let chain = if bridge.name == DOCKER0 { "DOCKER".to_owned() } else { marks.chain.clone() };
        let loopback = !config.userland_proxy;
        let rules = Self { bridge: bridge.name.clone(), chain, loopback, transaction: Mutex::new(()) };
        let network = bridge.address.truncated();
        let mut stale = rules.stale(&saved()?, network);
        stale.sort_by_key(|(table, _)| *table);
        rules.commit(|table, text| {
            let _ = writeln!(text, ":{} - [0:0]", rules.chain);
            for (_, rule) in stale.iter().filter(|(of, _)| *of == table) {
                let _ = writeln!(text, "-D {rule}");
            }
            for (_, rule) in rules.wanted(config, network).iter().filter(|(of, _)| *of == table) {
                // In front of everybody's, so that a rule that drops the rest does not hide them; each goes before
                // those that are there, so the last one comes first.
                match rule.split_once(' ') {
                    Some(("FORWARD", rest)) => writeln!(text, "-I FORWARD {rest}"),
                    _ => writeln!(text, "-A {rule}"),
                }
                .unwrap_or_default();
            }
        })?;
        Ok(rules)
    }

    /// Rules of the daemon itself; `FORWARD`'s from the last to the first.
    fn wanted(&self, config: &Config, network: Cidr) -> Vec<Rule> {
        let Self { bridge, chain, .. } = self;
        let among = if config.icc { "ACCEPT" } else { "DROP" };
        let mut wanted = vec![
            (Table::Filter, format!("FORWARD -i {bridge} -o {bridge} -j {among}")),
            (Table::Filter, format!("FORWARD -i {bridge} ! -o {bridge} -j ACCEPT")),
            (Table::Filter, format!("FORWARD -o {bridge} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT")),
            (Table::Filter, format!("FORWARD -o {bridge} -j {chain}")),
            (Table::Nat, format!("PREROUTING -m addrtype --dst-type LOCAL -j {chain}")),
        ];
        if self.loopback {
            wanted.push((Table::Nat, format!("OUTPUT -m addrtype --dst-type LOCAL -j {chain}")));
            wanted.push((Table::Nat, format!("POSTROUTING -o {bridge} -m addrtype --src-type LOCAL -j MASQUERADE")));
        } else {
            wanted.push((Table::Nat, format!("OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j {chain}")));
        }
        if config.ip_masq {
            wanted.push((Table::Nat, format!("POSTROUTING -s {network} ! -o {bridge} -j MASQUERADE")));
        }
        wanted
    }

    /// What an earlier life of this daemon left in the kernel's own chains, whatever its flags were.
    fn stale(&self, saved: &str, network: Cidr) -> Vec<Rule> {
        let Self { bridge, chain, .. } = self;
        let ours = [
            format!("FORWARD -i {bridge} -o {bridge} -j ACCEPT"),
            format!("FORWARD -i {bridge} -o {bridge} -j DROP"),
            format!("FORWARD -i {bridge} ! -o {bridge} -j ACCEPT"),
            format!("FORWARD -o {bridge} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"),
            format!("POSTROUTING -o {bridge} -m addrtype --src-type LOCAL -j MASQUERADE"),
            format!("POSTROUTING -s {network} ! -o {bridge} -j MASQUERADE"),
        ];
        let to_chain = format!(" -j {chain}");
        let mut table = None;
        let mut stale = Vec::new();
        for line in saved.lines() {
            match line {
                "*nat" => table = Some(Table::Nat),
                "*filter" => table = Some(Table::Filter),
                _ if line.starts_with('*') => table = None,
                _ => {}
            }
            if let (Some(table), Some(rule)) = (table, line.strip_prefix("-A "))
                && !rule.starts_with(&format!("{chain} "))
                && (ours.iter().any(|own| own == rule) || rule.ends_with(&to_chain) || hairpin_of(rule, network))
            {
                stale.push((table, rule.to_owned()));
            }
        }
        stale
    }

    /// The rules that lead to a container's published ports.
    pub(crate) fn of_ports(&self, container: Ipv4Addr, ports: &[Published]) -> Vec<Rule> {
        ports.iter().flat_map(|published| self.of_port(container, published)).collect()
    }

    fn of_port(&self, container: Ipv4Addr, published: &Published) -> Vec<Rule> {
        let Self { bridge, chain, .. } = self;
        let (port, protocol, host_port) = (published.port.number, published.port.protocol.name(), published.host_port);
        let match_port = format!("-p {protocol} -m {protocol} --dport");
        let destination = match published.address {
            IpAddr::V4(address) if address.is_unspecified() => String::new(),
            IpAddr::V4(address) => format!("-d {address}/32 "),
            // These are IPv4's tables; the proxy serves other addresses.
            IpAddr::V6(_) => return Vec::new(),
        };
        // Without a proxy, the container itself comes by this rule, too.
        let from = if self.loopback { String::new() } else { format!("! -i {bridge} ") };
        let itself = format!("POSTROUTING -s {container}/32 -d {container}/32 {match_port} {port} -j MASQUERADE");
        let there =
            format!("{chain} {destination}{from}{match_port} {host_port} -j DNAT --to-destination {container}:{port}");
        let passes = format!("{chain} -d {container}/32 ! -i {bridge} -o {bridge} {match_port} {port} -j ACCEPT");
        vec![(Table::Nat, itself), (Table::Nat, there), (Table::Filter, passes)]
    }

    /// The rules that let a container reach another's ports where containers do not reach each other.
    pub(crate) fn of_link(&self, from: Ipv4Addr, to: Ipv4Addr, ports: &[Port]) -> Vec<Rule> {
        let Self { bridge, chain, .. } = self;
        let way = |source, destination, side, port: &Port| {
            let (number, protocol) = (port.number, port.protocol.name());
            let rule = format!(
                "{chain} -s {source}/32 -d {destination}/32 -i {bridge} -o {bridge} -p {protocol} -m {protocol} {side} {number} -j ACCEPT"
            );
            (Table::Filter, rule)
        };
        ports.iter().flat_map(|port| [way(from, to, "--dport", port), way(to, from, "--sport", port)]).collect()
    }

    /// Sets all or none of the rules.
    pub(crate) fn add(&self, rules: &[Rule]) -> Result<(), Error> {
        fault::point("network.rules.add").map_err(|source| Error::Run { program: RESTORE, source })?;
        self.change("-A", rules).inspect_err(|_| {
            // Each table is all or nothing, but the first may have been done.
            for table in [Table::Nat, Table::Filter] {
                let of_table: Vec<_> = rules.iter().filter(|(of, _)| *of == table).cloned().collect();
                let _ = self.change("-D", &of_table);
            }
        })
    }

    /// Takes rules away that were set.
    pub(crate) fn remove(&self, rules: &[Rule]) -> Result<(), Error> {
        fault::point("network.rules.remove").map_err(|source| Error::Run { program: RESTORE, source })?;
        self.change("-D", rules)
    }

    fn change(&self, action: &str, rules: &[Rule]) -> Result<(), Error> {
        if rules.is_empty() {
            return Ok(());
        }
        self.commit(|table, text| {
            for (_, rule) in rules.iter().filter(|(of, _)| *of == table) {
                let _ = writeln!(text, "{action} {rule}");
            }
        })
    }

    /// All or nothing per table.
    fn commit(&self, mut fill: impl FnMut(Table, &mut String)) -> Result<(), Error> {
        let mut text = String::new();
        for (table, name) in [(Table::Nat, "nat"), (Table::Filter, "filter")] {
            let _ = writeln!(text, "*{name}");
            fill(table, &mut text);
            text.push_str("COMMIT\n");
        }
        let _alone = self.transaction.lock().unwrap_or_else(PoisonError::into_inner);
        restore(&text)
    }
}

/// Whether a rule lets a container of the network reach itself by its published port.
fn hairpin_of(rule: &str, network: Cidr) -> bool {
    let words: Vec<_> = rule.split(' ').collect();
    let ["POSTROUTING", "-s", source, "-d", destination, .., "-j", "MASQUERADE"] = words.as_slice() else {
        return false;
    };
    source == destination && source.parse().is_ok_and(|own: Cidr| own.prefix_len == 32 && network.contains(own.address))
}

const SAVE: &str = "iptables-save";
const RESTORE: &str = "iptables-restore";

fn saved() -> Result<String, Error> {
    let output = Command::new(SAVE).stdin(Stdio::null()).output();
    let output = output.map_err(|source| Error::Run { program: SAVE, source })?;
    check(SAVE, &output)?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn restore(text: &str) -> Result<(), Error> {
    let failed = |source| Error::Run { program: RESTORE, source };
    let mut command = Command::new(RESTORE);
    command.args(["--noflush", "--wait"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(failed)?;
    // A child that ended early says why on stderr.
    let _ = child.stdin.take().map(|mut stdin| stdin.write_all(text.as_bytes()));
    check(RESTORE, &child.wait_with_output().map_err(failed)?)
}

fn check(program: &'static str, output: &std::process::Output) -> Result<(), Error> {
    if output.status.success() {
        return Ok(());
    }
    let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(Error::Rules { program, message })
}
