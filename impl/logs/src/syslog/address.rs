//! Where the server is.

use crate::{Error, LogConfig};
use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;

/// Where the server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Address {
    /// This machine's.
    Local,
    Unix(PathBuf),
    Tcp(Host),
    Udp(Host),
}

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Host {
    pub(super) name: String,
    pub(super) port: u16,
}

/// `syslog-address` is what the daemon reads, `address` what the documents say.
const OPTIONS: [&str; 2] = ["syslog-address", "address"];
const PORT: u16 = 514;

/// The option that names the address, and its text.
pub(super) fn option(config: &LogConfig) -> Option<(&'static str, &str)> {
    OPTIONS.into_iter().find_map(|option| Some((option, config.options.get(option)?.as_str())))
}

impl Address {
    /// What has no known scheme means the local server (recording `daemon/log-driver-syslog-address-bad`).
    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        if let Some(path) = text.strip_prefix("unix://") {
            return Ok(Self::Unix(path.into()));
        }
        let malformed = || Error::Address { address: text.to_owned() };
        match text.split_once("://") {
            Some(("tcp", host)) => Host::parse(host).map(Self::Tcp).ok_or_else(malformed),
            Some(("udp", host)) => Host::parse(host).map(Self::Udp).ok_or_else(malformed),
            _ => Ok(Self::Local),
        }
    }

    /// With a numeric address in place of a name.
    pub(super) fn resolved(self) -> Result<Self, Error> {
        Ok(match self {
            Self::Tcp(host) => Self::Tcp(host.resolved()?),
            Self::Udp(host) => Self::Udp(host.resolved()?),
            other => other,
        })
    }
}

impl Host {
    /// `HOST`, `HOST:PORT`, and IPv6 addresses in brackets. What follows a slash means nothing.
    fn parse(text: &str) -> Option<Self> {
        let text = text.split('/').next()?;
        let (name, port) = match text.strip_prefix('[') {
            Some(rest) => rest.split_once(']')?,
            None => text.find(':').map_or((text, ""), |colon| text.split_at(colon)),
        };
        let port = match port {
            "" => PORT,
            port => port.strip_prefix(':')?.parse().ok()?,
        };
        (!name.is_empty()).then(|| Self { name: name.to_owned(), port })
    }

    fn resolved(self) -> Result<Self, Error> {
        if self.numeric().is_some() {
            return Ok(self);
        }
        let fail = |source| Error::Resolve { host: self.name.clone(), source };
        let mut addresses = (self.name.as_str(), self.port).to_socket_addrs().map_err(fail)?;
        let first = addresses.next().ok_or_else(|| fail(std::io::ErrorKind::NotFound.into()))?;
        Ok(Self { name: first.ip().to_string(), port: self.port })
    }

    /// `None`: a name.
    pub(super) fn numeric(&self) -> Option<SocketAddr> {
        Some((self.name.parse::<std::net::IpAddr>().ok()?, self.port).into())
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.contains(':') {
            write!(f, "[{}]:{}", self.name, self.port)
        } else {
            write!(f, "{}:{}", self.name, self.port)
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local => Ok(()),
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp(host) => write!(f, "tcp://{host}"),
            Self::Udp(host) => write!(f, "udp://{host}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_form_is_an_address() {
        for (text, canonical) in [
            ("udp://127.0.0.1:5514", "udp://127.0.0.1:5514"),
            ("tcp://192.168.0.42:123", "tcp://192.168.0.42:123"),
            ("tcp://192.168.0.42", "tcp://192.168.0.42:514"),
            ("udp://[::1]:99", "udp://[::1]:99"),
            ("udp://[::1]", "udp://[::1]:514"),
            ("unix:///dev/log", "unix:///dev/log"),
            ("nosuch", ""),
            ("", ""),
            ("http://x", ""),
        ] {
            assert_eq!(Address::parse(text).unwrap().to_string(), canonical, "{text}");
        }
    }

    #[test]
    fn hosts_that_are_none_are_refused() {
        for text in ["tcp://", "tcp://:514", "udp://h:port", "udp://h:70000", "tcp://::1", "tcp://[::1"] {
            assert!(matches!(Address::parse(text), Err(Error::Address { .. })), "{text}");
        }
    }

    #[test]
    fn names_are_resolved_before_the_shim_sees_them() {
        let resolved = Address::parse("udp://localhost:5").unwrap().resolved().unwrap();
        assert!(matches!(&resolved, Address::Udp(host) if host.numeric().unwrap().ip().is_loopback()), "{resolved}");
        let unknown = Address::parse("udp://name.invalid").unwrap().resolved();
        assert!(matches!(unknown, Err(Error::Resolve { .. })));
    }
}
