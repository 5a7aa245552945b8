//! `/etc/hosts`.
//!
//! Source: recordings `inside/default`, `inside/extra-hosts`, `inside/links`, `network/links`.

use std::fmt::Write;
use std::net::IpAddr;

/// What every container's file holds.
const COMMON: &str = "127.0.0.1\tlocalhost\n\
                      ::1\tlocalhost ip6-localhost ip6-loopback\n\
                      fe00::0\tip6-localnet\n\
                      ff00::0\tip6-mcastprefix\n\
                      ff02::1\tip6-allnodes\n\
                      ff02::2\tip6-allrouters\n";

/// Content of a container's `/etc/hosts`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hosts {
    /// Its own address; `None`: it has none, and its name is not in the file.
    pub address: Option<IpAddr>,
    /// Its host name.
    pub hostname: String,
    /// Its domain, or empty.
    pub domainname: String,
    /// `name:address`, in order; what has no colon is left out.
    pub extra: Vec<String>,
    /// Linked containers: address and the names they are known by, in order.
    pub links: Vec<(IpAddr, Vec<String>)>,
}

impl Hosts {
    /// The file.
    #[must_use]
    pub fn render(&self) -> String {
        let Self { address, hostname, domainname, extra, links } = self;
        let mut text = String::new();
        // Writing to a text cannot fail.
        let _ = match address {
            Some(address) if domainname.is_empty() => writeln!(text, "{address}\t{hostname}"),
            Some(address) => writeln!(text, "{address}\t{hostname}.{domainname} {hostname}"),
            None => Ok(()),
        };
        text.push_str(COMMON);
        // The first colon: an IPv6 address holds more.
        for (name, address) in extra.iter().filter_map(|entry| entry.split_once(':')) {
            let _ = writeln!(text, "{address}\t{name}");
        }
        for (address, names) in links {
            let _ = writeln!(text, "{address}\t{}", names.join(" "));
        }
        text
    }

    /// The file of a running container after a linked one got another address: lines whose first name is `name` tell
    /// the new one. Whatever else was written into it stays.
    #[must_use]
    pub fn readdress(file: &[u8], name: &str, address: IpAddr) -> Vec<u8> {
        let mut changed = Vec::with_capacity(file.len());
        for line in file.split_inclusive(|byte| *byte == b'\n') {
            let tab = line.iter().position(|byte| *byte == b'\t');
            let names = tab.and_then(|tab| line.get(tab + 1..)).unwrap_or_default();
            let first = names.split(u8::is_ascii_whitespace).next().unwrap_or_default();
            if first == name.as_bytes() && !name.is_empty() {
                changed.extend_from_slice(address.to_string().as_bytes());
                changed.push(b'\t');
                changed.extend_from_slice(names);
            } else {
                changed.extend_from_slice(line);
            }
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_what_the_genuine_daemon_wrote() {
        let hosts = Hosts {
            address: Some([172, 17, 0, 2].into()),
            hostname: "web".into(),
            domainname: String::new(),
            extra: vec!["one:10.0.0.1".into(), "six:::1".into(), "malformed".into()],
            links: vec![([172, 17, 0, 1].into(), vec!["second-alias".into(), "0123456789ab".into(), "db".into()])],
        };
        assert_eq!(
            hosts.render(),
            "172.17.0.2\tweb\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::0\tip6-localnet\n\
             ff00::0\tip6-mcastprefix\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n10.0.0.1\tone\n::1\tsix\n\
             172.17.0.1\tsecond-alias 0123456789ab db\n"
        );
    }

    #[test]
    fn a_domain_comes_before_the_plain_name() {
        let hosts = Hosts {
            address: Some([172, 17, 0, 3].into()),
            hostname: "target".into(),
            domainname: "example.org".into(),
            ..Hosts::default()
        };
        assert!(hosts.render().starts_with("172.17.0.3\ttarget.example.org target\n127.0.0.1\tlocalhost\n"));
        assert!(Hosts { address: None, ..hosts }.render().starts_with("127.0.0.1\tlocalhost\n"));
    }

    #[test]
    fn a_new_address_changes_the_lines_of_its_name_alone() {
        let file = b"172.17.0.2\tweb\n172.17.0.1\tdb 0123 db\n172.17.0.1\tdb-2 0123 db\n# mine\xff\n10.0.0.1\tdb";
        let changed = Hosts::readdress(file, "db", [172, 17, 0, 9].into());
        assert_eq!(
            changed,
            b"172.17.0.2\tweb\n172.17.0.9\tdb 0123 db\n172.17.0.1\tdb-2 0123 db\n# mine\xff\n172.17.0.9\tdb"
        );
    }
}
