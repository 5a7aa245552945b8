//! `/etc/resolv.conf`.
//!
//! Source: recordings `network/resolv-conf`, `inside/dns…`.

use std::net::IpAddr;

/// What stands in for name servers that no container reaches.
const PUBLIC: &[u8] = b"\nnameserver 8.8.8.8\nnameserver 8.8.4.4";

/// What becomes of the host's `/etc/resolv.conf` in a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResolvConf {
    /// Name servers in place of the host's; empty: the host's.
    pub dns: Vec<String>,
    /// Search domains in place of the host's; empty: the host's; `.` alone: none.
    pub search: Vec<String>,
    /// Name servers that no container reaches, those at a loopback address and those of IPv6, are kept (1.2.0). Later
    /// they are left out, and public ones stand in where none is left.
    pub keep_unreachable: bool,
}

impl ResolvConf {
    /// The container's file, where the host's is `host`.
    #[must_use]
    pub fn render(&self, host: &[u8]) -> Vec<u8> {
        if self.dns.is_empty() && self.search.is_empty() {
            return if self.keep_unreachable { host.to_vec() } else { reachable(host) };
        }
        // What is asked for is taken as it is, and so is the rest then.
        let text = String::from_utf8_lossy(host);
        let dns = if self.dns.is_empty() { name_servers(&text) } else { self.dns.clone() };
        let search = if self.search.is_empty() { search_domains(&text) } else { self.search.clone() };
        let mut file: String = dns.iter().map(|server| format!("nameserver {server}\n")).collect();
        let search = search.join(" ");
        if !search.is_empty() && search.trim() != "." {
            file.push_str(&format!("search {search}\n"));
        }
        file.into_bytes()
    }
}

/// Without the name servers that no container reaches; blank lines behind one go with it.
fn reachable(host: &[u8]) -> Vec<u8> {
    let mut file = Vec::with_capacity(host.len());
    let mut behind_removed = false;
    for line in host.split_inclusive(|byte| *byte == b'\n') {
        if let Some(rest) = behind_unreachable(line) {
            file.extend_from_slice(rest);
            behind_removed = rest.is_empty();
        } else if !(behind_removed && line.trim_ascii().is_empty()) {
            file.extend_from_slice(line);
            behind_removed = false;
        }
    }
    if name_servers(&String::from_utf8_lossy(&file)).is_empty() {
        file.extend_from_slice(PUBLIC);
    }
    file
}

/// What stands behind the address, if the line names a server that no container reaches.
fn behind_unreachable(line: &[u8]) -> Option<&[u8]> {
    let rest = line.strip_prefix(b"nameserver")?;
    let address = rest.trim_ascii_start();
    if address.len() == rest.len() {
        return None;
    }
    let end = address.iter().position(u8::is_ascii_whitespace).unwrap_or(address.len());
    let (address, behind) = address.split_at(end);
    match std::str::from_utf8(address).ok()?.parse().ok()? {
        IpAddr::V4(address) if !address.is_loopback() => None,
        _ => Some(behind.trim_ascii_start()),
    }
}

fn without_comments(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(|line| line.split('#').next().unwrap_or_default().trim())
}

fn name_servers(text: &str) -> Vec<String> {
    let addresses = without_comments(text).filter_map(|line| Some(line.strip_prefix("nameserver")?.trim()));
    addresses.filter(|address| address.parse::<IpAddr>().is_ok()).map(str::to_owned).collect()
}

/// The last `search` line counts.
fn search_domains(text: &str) -> Vec<String> {
    let lines = without_comments(text).filter_map(|line| line.strip_prefix("search"));
    let last = lines.filter(|rest| rest.starts_with(char::is_whitespace)).last();
    last.unwrap_or_default().split_whitespace().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RICH: &str = "# comment\ndomain example.org\nsearch a.example.org b.example.org\noptions ndots:3 timeout:1\n\
                        nameserver 192.0.2.1\nnameserver 192.0.2.2\nsortlist 192.0.2.0\n";
    const LOOPBACK: &str = "search example.org\nnameserver 127.0.1.1\n";

    fn rendered(host: &str, dns: &[&str], search: &[&str], keep_unreachable: bool) -> String {
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let conf = ResolvConf { dns: owned(dns), search: owned(search), keep_unreachable };
        String::from_utf8(conf.render(host.as_bytes())).unwrap()
    }

    #[test]
    fn files_are_what_the_genuine_daemon_wrote() {
        for (host, dns, search, file) in [
            ("nameserver 192.0.2.1\n", "", "", "nameserver 192.0.2.1\n"),
            ("nameserver 127.0.0.1\n", "", "", "\nnameserver 8.8.8.8\nnameserver 8.8.4.4"),
            ("nameserver 127.0.0.1\n", "192.0.2.9", "", "nameserver 192.0.2.9\n"),
            ("nameserver 127.0.0.1\n", "", "only.example.org", "nameserver 127.0.0.1\nsearch only.example.org\n"),
            ("nameserver 127.0.0.1\nnameserver 192.0.2.1\n", "", "", "nameserver 192.0.2.1\n"),
            (LOOPBACK, "", "", "search example.org\n\nnameserver 8.8.8.8\nnameserver 8.8.4.4"),
            (LOOPBACK, "192.0.2.9", "", "nameserver 192.0.2.9\nsearch example.org\n"),
            (LOOPBACK, "", "only.example.org", "nameserver 127.0.1.1\nsearch only.example.org\n"),
            (RICH, "", "", RICH),
            (RICH, "192.0.2.9", "", "nameserver 192.0.2.9\nsearch a.example.org b.example.org\n"),
            (RICH, "", "only.example.org", "nameserver 192.0.2.1\nnameserver 192.0.2.2\nsearch only.example.org\n"),
            ("nameserver 2001:db8::1\n", "", "", "\nnameserver 8.8.8.8\nnameserver 8.8.4.4"),
            ("nameserver ::1\nnameserver 192.0.2.1\n", "", "", "nameserver 192.0.2.1\n"),
            ("nameserver 192.0.2.1", "", "", "nameserver 192.0.2.1"),
            (
                "#nameserver 127.0.0.1\n nameserver 192.0.2.1\n",
                "",
                "",
                "#nameserver 127.0.0.1\n nameserver 192.0.2.1\n",
            ),
            ("", "", "", "\nnameserver 8.8.8.8\nnameserver 8.8.4.4"),
            ("search example.org\n", "", "", "search example.org\n\nnameserver 8.8.8.8\nnameserver 8.8.4.4"),
            ("nameserver 192.0.2.53\n", "", ".", "nameserver 192.0.2.53\n"),
        ] {
            let word = |word: &'static str| Some(word).filter(|word| !word.is_empty()).into_iter().collect::<Vec<_>>();
            assert_eq!(rendered(host, &word(dns), &word(search), false), file, "{host:?} {dns:?} {search:?}");
        }
    }

    #[test]
    fn the_oldest_daemon_kept_what_no_container_reaches() {
        for host in ["nameserver 127.0.0.1\n", "nameserver ::1\nnameserver 192.0.2.1\n", ""] {
            assert_eq!(rendered(host, &[], &[], true), host);
        }
    }

    #[test]
    fn blank_lines_go_with_the_server_before_them_and_what_is_said_beside_it_stays() {
        assert_eq!(
            rendered("nameserver 127.0.0.1\n\n  \nnameserver 192.0.2.1\n\n", &[], &[], false),
            "nameserver 192.0.2.1\n\n"
        );
        assert_eq!(
            rendered("nameserver 127.0.0.1 # local\nnameserver 192.0.2.1\n", &[], &[], false),
            "# local\nnameserver 192.0.2.1\n"
        );
    }
}
