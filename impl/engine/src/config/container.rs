//! A container's own configuration, as images carry it too.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What runs in the container. `None` is a field that the client left out (shown as `null`), which is not the same as
/// an empty list.
///
/// Serialises with the documents' names; unknown names are ignored, absent ones are defaults, so an image's
/// configuration reads as one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ContainerConfig {
    /// Host name; the id's short form when empty at create.
    pub hostname: String,
    /// Domain name, appended to the host name with a dot where a full name is wanted.
    pub domainname: String,
    /// `user`, `uid`, `user:group`, `uid:gid`; empty: root.
    pub user: String,
    /// Shown, and what a client attaches by default.
    pub attach_stdin: bool,
    /// As [`Self::attach_stdin`].
    pub attach_stdout: bool,
    /// As [`Self::attach_stdin`].
    pub attach_stderr: bool,
    /// `port/protocol`; each value is an empty object.
    #[serde(with = "set")]
    pub exposed_ports: Option<BTreeSet<String>>,
    /// Long out of use; shown as it came.
    pub port_specs: Option<Vec<String>>,
    /// A terminal for stdin, stdout and stderr.
    pub tty: bool,
    /// Stdin stays open without a client.
    pub open_stdin: bool,
    /// Stdin closes when the first client that attached it leaves.
    pub stdin_once: bool,
    /// `NAME=value`.
    pub env: Option<Vec<String>>,
    /// Arguments (after the entrypoint), or the whole command without one.
    pub cmd: Option<Vec<String>>,
    /// The image as the client wrote it.
    pub image: String,
    /// Paths in the container that are volumes.
    #[serde(with = "set")]
    pub volumes: Option<BTreeSet<String>>,
    /// Name of a volume driver.
    pub volume_driver: String,
    /// Working directory.
    pub working_dir: String,
    /// What runs before the arguments.
    pub entrypoint: Option<Vec<String>>,
    /// No network at all, not even loopback configuration.
    pub network_disabled: bool,
    /// Asked-for hardware address of `eth0`.
    pub mac_address: String,
    /// Triggers for builds upon the image.
    pub on_build: Option<Vec<String>>,
    /// Labels.
    pub labels: Option<BTreeMap<String, String>>,
    /// Limits that were asked for here, where they stood before they moved to the host configuration.
    #[serde(flatten)]
    pub limits: EarlyLimits,
}

/// Limits in the container's configuration. The host configuration's, where set, go first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct EarlyLimits {
    /// Bytes; 0: unlimited.
    pub memory: i64,
    /// Bytes, memory and swap together; 0: twice the memory; −1: unlimited.
    pub memory_swap: i64,
    /// Relative weight; 0: the kernel's default.
    pub cpu_shares: i64,
    /// CPUs, as in `0-2,4`.
    pub cpuset: String,
}

/// A set written as an object with empty objects for values, as the documents have it.
mod set {
    use serde::{Deserialize, Deserializer, Serializer, de::IgnoredAny, ser::SerializeMap};
    use std::collections::{BTreeMap, BTreeSet};

    #[derive(serde::Serialize)]
    struct Nothing {}

    pub(super) fn serialize<S: Serializer>(set: &Option<BTreeSet<String>>, s: S) -> Result<S::Ok, S::Error> {
        let Some(set) = set else { return s.serialize_none() };
        let mut map = s.serialize_map(Some(set.len()))?;
        for key in set {
            map.serialize_entry(key, &Nothing {})?;
        }
        map.end()
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Option<BTreeSet<String>>, D::Error> {
        let map = Option::<BTreeMap<String, IgnoredAny>>::deserialize(d)?;
        Ok(map.map(|map| map.into_keys().collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_and_empty_are_told_apart_on_the_way_through_the_store() {
        let config = ContainerConfig {
            volumes: Some(BTreeSet::new()),
            exposed_ports: Some(BTreeSet::from(["80/tcp".into()])),
            cmd: Some(vec![]),
            limits: EarlyLimits { memory: 5, ..EarlyLimits::default() },
            ..ContainerConfig::default()
        };
        let json = serde_json::to_value(&config).unwrap();
        assert_eq!(json["ExposedPorts"], serde_json::json!({"80/tcp": {}}));
        assert!(json["Entrypoint"].is_null());
        assert_eq!(json["Memory"], 5);
        assert_eq!(serde_json::from_value::<ContainerConfig>(json).unwrap(), config);
    }
}
