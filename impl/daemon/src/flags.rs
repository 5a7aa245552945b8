//! The flags, those that users of the old daemons know, read into their meaning.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr},
    path::PathBuf,
    str::FromStr,
};

use clap::{ArgAction, Parser};
use drydock_engine::Ulimit;
use drydock_layers::DriverKind;
use drydock_network::Cidr;

/// A small, fast and exact daemon for the Docker Remote API v1.14–v1.19.
#[derive(Parser, Debug, Clone)]
#[command(name = "drydockd", version, max_term_width = 110)]
pub(crate) struct Flags {
    /// Accepted for those who are used to it: this program is the daemon always.
    #[arg(short = 'd', long, hide = true)]
    daemon: bool,

    /// Where to listen: unix:///PATH or tcp://ADDRESS:PORT; may be repeated.
    #[arg(short = 'H', long = "host", value_name = "ADDRESS", default_value = "unix:///var/run/drydock.sock")]
    pub(crate) hosts: Vec<Host>,

    /// The group that owns the unix socket: a name or a number.
    #[arg(short = 'G', long, default_value = "docker")]
    pub(crate) group: String,

    /// The data root.
    #[arg(short = 'g', long, value_name = "FOLDER", default_value = "/var/lib/drydock", value_parser = place)]
    pub(crate) graph: PathBuf,

    /// For what does not outlive a boot: sockets of shims, network namespaces.
    #[arg(long, value_name = "FOLDER", default_value = "/var/run/drydock", value_parser = place)]
    pub(crate) exec_root: PathBuf,

    /// The storage driver: overlay or vfs; by default overlay where it works.
    #[arg(short = 's', long, value_name = "DRIVER", value_parser = driver)]
    pub(crate) storage_driver: Option<DriverKind>,

    /// Options of the storage driver. None of ours has any.
    #[arg(long, value_name = "KEY=VALUE")]
    storage_opt: Vec<String>,

    /// The file with the daemon's pid.
    #[arg(short = 'p', long, value_name = "FILE", default_value = "/var/run/drydock.pid")]
    pub(crate) pidfile: PathBuf,

    /// The program that is a container's parent; by default `drydock-shim` beside this program.
    #[arg(long, value_name = "PROGRAM", value_parser = place)]
    shim: Option<PathBuf>,

    /// Log more.
    #[arg(short = 'D', long)]
    pub(crate) debug: bool,

    /// What is logged: debug, info, warn, error or fatal.
    #[arg(short = 'l', long, value_name = "LEVEL", default_value = "info", value_parser = ["debug", "info", "warn", "error", "fatal"])]
    log_level: String,

    /// Containers go on when the daemon ends. They always do when it is killed.
    #[arg(long)]
    pub(crate) keep_containers: bool,

    /// Start containers with the restart policy `always` together with the daemon.
    #[arg(short = 'r', long, value_name = "BOOL", default_value_t = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", action = ArgAction::Set, hide = true)]
    pub(crate) restart: bool,

    /// Labels of the daemon, told by info; may be repeated.
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = label)]
    pub(crate) labels: Vec<String>,

    /// The log driver of containers that ask for none.
    #[arg(long, value_name = "DRIVER", default_value = "json-file")]
    pub(crate) log_driver: String,

    /// An option of that driver; may be repeated.
    #[arg(long = "log-opt", value_name = "KEY=VALUE", value_parser = pair)]
    log_options: Vec<(String, String)>,

    /// A resource limit of containers that ask for none of the name, as nofile=1024:2048; may be repeated.
    #[arg(long = "default-ulimit", value_name = "NAME=SOFT[:HARD]", value_parser = ulimit)]
    pub(crate) ulimits: Vec<Ulimit>,

    /// An existing bridge for containers, or none.
    #[arg(short = 'b', long, value_name = "BRIDGE")]
    pub(crate) bridge: Option<String>,

    /// The address of the bridge that is made, with its network.
    #[arg(long, value_name = "ADDRESS/BITS")]
    pub(crate) bip: Option<Cidr>,

    /// The part of the bridge's network that containers' addresses come from.
    #[arg(long, value_name = "ADDRESS/BITS")]
    pub(crate) fixed_cidr: Option<Cidr>,

    /// The containers' default gateway.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) default_gateway: Option<Ipv4Addr>,

    /// Containers reach each other.
    #[arg(long, value_name = "BOOL", default_value_t = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", action = ArgAction::Set)]
    pub(crate) icc: bool,

    /// The host address of published ports that name none.
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0")]
    pub(crate) ip: IpAddr,

    /// Make packet filter rules.
    #[arg(long, value_name = "BOOL", default_value_t = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", action = ArgAction::Set)]
    pub(crate) iptables: bool,

    /// Have the kernel forward packets.
    #[arg(long, value_name = "BOOL", default_value_t = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", action = ArgAction::Set)]
    pub(crate) ip_forward: bool,

    /// Packets that leave the bridge's network carry the host's address.
    #[arg(long, value_name = "BOOL", default_value_t = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", action = ArgAction::Set)]
    pub(crate) ip_masq: bool,

    /// The largest packet of containers' interfaces, in bytes; 0: the default.
    #[arg(long, value_name = "BYTES", default_value_t = 0)]
    pub(crate) mtu: u32,

    /// Published ports are reached through the loopback address by a proxy.
    #[arg(long, value_name = "BOOL", default_value_t = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", action = ArgAction::Set)]
    pub(crate) userland_proxy: bool,

    /// A name server of containers that ask for none; may be repeated.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) dns: Vec<IpAddr>,

    /// A search domain, likewise.
    #[arg(long, value_name = "DOMAIN")]
    pub(crate) dns_search: Vec<String>,

    /// A mirror of the index; may be repeated.
    #[arg(long = "registry-mirror", value_name = "URL")]
    pub(crate) mirrors: Vec<String>,

    /// A registry that may be without TLS; may be repeated.
    #[arg(long = "insecure-registry", value_name = "HOST")]
    pub(crate) insecure_registries: Vec<String>,

    /// Talk TLS on TCP.
    #[arg(long)]
    pub(crate) tls: bool,

    /// Talk TLS on TCP, and let in only clients with a certificate of the authority.
    #[arg(long)]
    pub(crate) tlsverify: bool,

    /// The authority's certificate.
    #[arg(long, value_name = "FILE", default_value = "ca.pem")]
    pub(crate) tlscacert: PathBuf,

    /// The daemon's certificate.
    #[arg(long, value_name = "FILE", default_value = "cert.pem")]
    pub(crate) tlscert: PathBuf,

    /// Its key.
    #[arg(long, value_name = "FILE", default_value = "key.pem")]
    pub(crate) tlskey: PathBuf,

    /// Let any web page use the API.
    #[arg(long)]
    api_enable_cors: bool,

    /// What Access-Control-Allow-Origin says.
    #[arg(long, value_name = "ORIGIN")]
    api_cors_header: Option<String>,

    /// The exec driver; there is one.
    #[arg(short = 'e', long, value_name = "DRIVER", default_value = "native", value_parser = ["native"], hide = true)]
    exec_driver: String,

    /// Options of the exec driver.
    #[arg(long, value_name = "KEY=VALUE", value_parser = exec_option)]
    exec_opt: Vec<String>,
}

/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    Unix(PathBuf),
    Tcp(String),
}

impl FromStr for Host {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let malformed = || format!("Invalid bind address format: {text}");
        if let Some(path) = text.strip_prefix("unix://") {
            return Ok(Self::Unix(if path.is_empty() { "/var/run/drydock.sock".into() } else { path.into() }));
        }
        let address = text.strip_prefix("tcp://").or((!text.contains("://")).then_some(text)).ok_or_else(malformed)?;
        match address.rsplit_once(':') {
            Some((host, port)) if port.parse::<u16>().is_ok() => {
                Ok(Self::Tcp(if host.is_empty() { format!("127.0.0.1:{port}") } else { address.to_owned() }))
            }
            _ => Err(malformed()),
        }
    }
}

impl Flags {
    pub(crate) fn log_filter(&self) -> &str {
        match self.log_level.as_str() {
            _ if self.debug => "debug",
            "fatal" => "error",
            level => level,
        }
    }

    pub(crate) fn log_options(&self) -> BTreeMap<String, String> {
        self.log_options.iter().cloned().collect()
    }

    /// The origin that may use the API from web pages.
    pub(crate) fn cors(&self) -> Option<&str> {
        match &self.api_cors_header {
            Some(origin) if !origin.is_empty() => Some(origin),
            _ => self.api_enable_cors.then_some("*"),
        }
    }

    /// The shim: as told, else beside this program.
    pub(crate) fn shim(&self) -> anyhow::Result<PathBuf> {
        if let Some(shim) = &self.shim {
            anyhow::ensure!(shim.is_file(), "there is no shim {}", shim.display());
            return Ok(shim.clone());
        }
        let beside = std::env::current_exe()?.with_file_name("drydock-shim");
        anyhow::ensure!(beside.is_file(), "there is no drydock-shim beside this program: name it by --shim");
        Ok(beside)
    }
}

/// A place as it is for every program, whichever folder that one works in.
fn place(text: &str) -> std::io::Result<PathBuf> {
    std::path::absolute(text)
}

fn driver(text: &str) -> Result<DriverKind, String> {
    DriverKind::ALL
        .into_iter()
        .find(|kind| kind.name() == text)
        .ok_or_else(|| format!("driver {text} is not supported"))
}

fn label(text: &str) -> Result<String, String> {
    if text.matches('=').count() == 1 { Ok(text.to_owned()) } else { Err(format!("bad attribute format: {text}")) }
}

fn pair(text: &str) -> Result<(String, String), String> {
    text.split_once('=')
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .ok_or_else(|| format!("bad attribute format: {text}"))
}

fn exec_option(text: &str) -> Result<String, String> {
    match text.split_once('=') {
        Some(("native.cgroupdriver", "cgroupfs")) => Ok(text.to_owned()),
        Some((key, _)) => Err(format!("Unknown option {key}")),
        None => Err(format!("bad attribute format: {text}")),
    }
}

fn ulimit(text: &str) -> Result<Ulimit, String> {
    const NAMES: [&str; 16] = [
        "core",
        "cpu",
        "data",
        "fsize",
        "locks",
        "memlock",
        "msgqueue",
        "nice",
        "nofile",
        "nproc",
        "rss",
        "rtprio",
        "rttime",
        "sigpending",
        "stack",
        "as",
    ];
    let (name, values) = text.split_once('=').ok_or_else(|| format!("invalid ulimit argument: {text}"))?;
    if !NAMES.contains(&name) {
        return Err(format!("invalid ulimit type: {name}"));
    }
    let number = |text: &str| text.parse::<i64>().map_err(|_| format!("invalid ulimit argument: {text}"));
    let (soft, hard) = match values.split_once(':') {
        Some((soft, hard)) => (number(soft)?, number(hard)?),
        None => (number(values)?, number(values)?),
    };
    if soft > hard {
        return Err(format!("ulimit soft limit must be less than or equal to hard limit: {soft} > {hard}"));
    }
    Ok(Ulimit { name: name.to_owned(), soft, hard })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn refusal(arguments: &[&str]) -> String {
        Flags::try_parse_from(std::iter::once(&"drydockd").chain(arguments)).unwrap_err().to_string()
    }

    #[test]
    fn the_flags_are_consistent() {
        Flags::command().debug_assert();
    }

    #[test]
    fn places_are_whole_whoever_works_where() {
        let flags = Flags::try_parse_from(["drydockd", "-g", "data", "--exec-root=run", "--shim", "./shim"]).unwrap();
        for place in [&flags.graph, &flags.exec_root, flags.shim.as_ref().unwrap()] {
            assert!(place.is_absolute(), "{}", place.display());
        }
    }

    #[test]
    fn bad_values_are_told_in_the_old_words() {
        for (arguments, words) in [
            (["--label=bad"], "bad attribute format: bad"),
            (["--label=a=b=c"], "bad attribute format: a=b=c"),
            (["--default-ulimit=bad"], "invalid ulimit argument: bad"),
            (["--default-ulimit=bad=1:2"], "invalid ulimit type: bad"),
            (["--default-ulimit=nofile=20:10"], "ulimit soft limit must be less than or equal to hard limit: 20 > 10"),
            (["-Hbogus://x"], "Invalid bind address format: bogus://x"),
            (["--exec-opt=bogus=1"], "Unknown option bogus"),
            (["--icc=maybe"], "invalid value 'maybe'"),
            (["--nosuch"], "unexpected argument '--nosuch'"),
        ] {
            let told = refusal(&arguments);
            assert!(told.contains(words), "{told}");
        }
    }

    #[test]
    fn booleans_are_true_without_a_value() {
        let flags = Flags::try_parse_from(["drydockd", "--icc", "--iptables=false", "-r=false", "-d"]).unwrap();
        assert!(flags.icc && !flags.iptables && !flags.restart);
    }

    #[test]
    fn a_port_alone_listens_on_loopback() {
        assert_eq!("tcp://:2375".parse(), Ok(Host::Tcp("127.0.0.1:2375".into())));
        assert_eq!("127.0.0.1:1".parse(), Ok(Host::Tcp("127.0.0.1:1".into())));
        assert!("tcp://127.0.0.1".parse::<Host>().is_err());
    }
}
