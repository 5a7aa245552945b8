//! `/etc/hosts`.

use std::net::IpAddr;

/// Content of a container's `/etc/hosts`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hosts {
    /// Its own address; `None`: it has none, and the host name stands at a loopback address.
    pub address: Option<IpAddr>,
    /// Its host name.
    pub hostname: String,
    /// Its domain, or empty.
    pub domainname: String,
    /// `name:address`, in order; what is malformed is left out.
    pub extra: Vec<String>,
    /// Linked containers: address and the names they are known by, in order.
    pub links: Vec<(IpAddr, Vec<String>)>,
}

impl Hosts {
    /// The file.
    #[must_use]
    pub fn render(&self) -> String {
        todo!()
    }
}
