//! The outcomes of a start, and of volumes wherever they are asked for.

use drydock_engine::{StartFailure, VolumeError};
use drydock_shim_protocol::Failure;
use nix::errno::Errno;

use super::told;
use crate::reply::Reply;

/// What is wrong with volumes.
pub(super) fn volume(error: &VolumeError) -> (&'static [&'static str], Reply) {
    match error {
        VolumeError::Specification(volume) => (&["volume-malformed"], told().with("volume", volume)),
        // Daemons that made the missing source take the words of that failure for those of a missing image.
        VolumeError::NoSource => (&["volume-path-empty", "no-such-image"], told().with("path", "")),
        VolumeError::Relative(path) => (&["volume-relative"], told().with("path", path)),
        VolumeError::Mode { specification, mode } => {
            (&["volume-mode-invalid"], told().with("volumes", specification).with("mode", mode))
        }
        VolumeError::Twice { path, source_path, other } => {
            (&["volume-twice"], told().with("path", path).with("source", source_path).with("other", other))
        }
        VolumeError::OverFile(path) => (&["volume-over-file"], told().with("path", path.display().to_string())),
        VolumeError::FromMissing(container) => {
            (&["volumes-from-missing", "no-such-container"], told().with("container", container))
        }
        VolumeError::AtRoot => (&["volume-at-root"], told()),
    }
}

/// The outcome of `start` that a failure is.
pub(super) fn start_failure(failure: &StartFailure) -> (&'static [&'static str], Reply) {
    match failure {
        StartFailure::IpcTargetNotRunning(shared) => (&["ipc-target-not-running"], told().with("shared", shared)),
        StartFailure::NetworkTargetNotRunning(shared) => {
            (&["network-target-not-running"], told().with("shared", shared))
        }
        StartFailure::NetworkOfItsOwn(shared) => {
            (&["network-of-its-own", "network-target-not-running"], told().with("shared", shared))
        }
        StartFailure::SharedMissing(shared) => (&["shared-container-missing"], told().with("shared", shared)),
        StartFailure::IpcTargetMissing(shared) => {
            (&["shared-container-missing"], Reply { nth: 1, ..told().with("shared", shared) })
        }
        StartFailure::SharedEmpty => {
            (&["shared-container-empty", "shared-container-missing"], told().with("shared", ""))
        }
        StartFailure::Volume(error) => volume(error),
        StartFailure::LinkWithoutAddress(_) => {
            (&["link-without-address", "port-rule-refused"], told().with("address", "").with("n", "2"))
        }
        StartFailure::HostAddress(address) => (&["host-address-malformed"], told().with("address", address)),
        StartFailure::HostPort(port) => (&["host-port-malformed", "port-malformed"], told().with("port", port)),
        StartFailure::PortProtocol(protocol) => (&["port-protocol-unknown"], told().with("protocol", protocol)),
        StartFailure::PortRule(_) => (&["port-rule-refused"], told().with("n", "2")),
        StartFailure::ExtraHost(host) => (&["extra-host-malformed"], told().with("host", host)),
        StartFailure::Hostname(hostname) => (&["hostname-refused"], told().with("hostname", hostname)),
        StartFailure::LinkNotRunning { child, alias } => {
            (&["link-not-running"], told().with("child", child).with("alias", alias))
        }
        StartFailure::NetworkMissing(network) => (&["network-unknown"], told().with("network", network)),
        StartFailure::CapabilityToAdd(capability) => {
            (&["capability-to-add-unknown"], told().with("capability", capability))
        }
        StartFailure::CapabilityToDrop(capability) => {
            (&["capability-to-drop-unknown"], told().with("capability", capability))
        }
        StartFailure::UlimitName(ulimit) => (&["ulimit-unknown"], told().with("ulimit", ulimit)),
        StartFailure::WorkingDirNotADirectory(path) => (&["working-dir-not-a-directory"], told().with("path", path)),
        StartFailure::PortTaken { address, port } => {
            (&["port-taken"], told().with("address", address).with("n", port.to_string()))
        }
        StartFailure::PortListen { protocol, address, port, errno } => (
            &["port-not-ours"],
            told()
                .with("protocol", protocol)
                .with("address", format!("{address}:{port}"))
                .with("reason", reason(*errno)),
        ),
        StartFailure::AddressesUsedUp => (&["addresses-used-up"], told()),
        StartFailure::DeviceMissing { path, .. } => {
            (&["device-missing"], told().with("device", path).with("path", path))
        }
        StartFailure::NotADevice(device) => (&["not-a-device"], told().with("device", device)),
        StartFailure::LogDriverUnknown(driver) => (&["log-driver-unknown"], told().with("driver", driver)),
        StartFailure::LogDriver { driver, reason } => (&["log-driver-fails"], log_driver(driver, reason)),
        StartFailure::Run(failure) => run_failure(failure),
        StartFailure::Step { .. } => (&["not-started"], told()),
        StartFailure::LogOptionUnknown { .. } => (&["log-option-unknown"], told()),
    }
}

fn run_failure(failure: &Failure) -> (&'static [&'static str], Reply) {
    match failure {
        Failure::Log { driver, reason } => (&["log-driver-fails"], log_driver(driver, reason)),
        Failure::UserMissing(user) => (&["user-unknown"], told().with("user", user)),
        Failure::GroupMissing(group) => (&["group-unknown"], told().with("group", group)),
        Failure::IdOutOfRange => (&["user-out-of-range"], told()),
        Failure::ExecutableNotInPath(program) => (&["program-not-found"], told().with("program", program)),
        Failure::Executable { path, errno } if *errno == Errno::ENOENT as i32 => {
            (&["program-not-found"], Reply { nth: 1, ..told().with("program", path).with("path", path) })
        }
        Failure::Executable { path, .. } => (&["program-not-executable"], told().with("program", path)),
        Failure::Execute { path, errno } if *errno == Errno::EACCES as i32 => {
            (&["program-not-executable"], told().with("program", path))
        }
        Failure::Execute { .. } | Failure::NoProgram => (&["program-of-another-format"], told()),
        Failure::EnvMalformed => (&["environment-malformed"], Reply { nth: 1, ..told() }),
        Failure::Hostname(_) | Failure::Domainname(_) => (&["hostname-refused"], told()),
        Failure::Rlimit { resource, errno } => {
            (&["ulimit-refused"], told().with("n", resource.to_string()).with("reason", reason(*errno)))
        }
        Failure::Cgroup { file, errno } => {
            let file = file.strip_prefix("/sys/fs/cgroup").unwrap_or(file).display().to_string();
            let nth = usize::from(*errno != Errno::EACCES as i32);
            (&["cgroup-refused"], Reply { nth, ..told().with("file", file).with("reason", reason(*errno)) })
        }
        Failure::CpuSharesBelow(_) => (&["cpu-shares-out-of-range"], told()),
        Failure::CpuSharesAbove(_) => (&["cpu-shares-out-of-range"], Reply { nth: 1, ..told() }),
        Failure::MountAtRoot => (&["volume-at-root"], told()),
        Failure::MountInProc(path) => (&["volume-inside-proc"], told().with("path", path.display().to_string())),
        Failure::Mount { target, errno } if *errno == Errno::ENOTDIR as i32 => {
            (&["volume-over-file"], told().with("path", target.display().to_string()))
        }
        Failure::WorkingDir { path, errno } if *errno == Errno::ENOTDIR as i32 => {
            (&["working-dir-not-a-directory"], told().with("path", path))
        }
        Failure::WorkingDir { path, .. } => (&["working-dir-missing"], told().with("path", path)),
        Failure::Mount { .. } | Failure::Namespace { .. } | Failure::Step { .. } => (&["not-permitted"], told()),
    }
}

/// Which of the words a log driver's failure is told in.
fn log_driver(driver: &str, reason: &str) -> Reply {
    let dialled = reason.strip_prefix("dial tcp ").and_then(|rest| rest.split_once(": "));
    let nth = if driver == "journald" { 2 } else { usize::from(dialled.is_some()) };
    Reply { nth, ..told().with("address", dialled.map_or("", |(address, _)| address)).with("driver", driver) }
}

/// An errno as Go words it: the C library's text, in small letters.
fn reason(errno: i32) -> String {
    let text = std::io::Error::from_raw_os_error(errno).to_string();
    let text = text.rsplit_once(" (os error").map_or(text.as_str(), |(text, _)| text);
    let mut chars = text.chars();
    chars.next().map(|first| first.to_ascii_lowercase().to_string() + chars.as_str()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_errno_is_told_in_small_letters_without_its_number() {
        assert_eq!(reason(Errno::ERANGE as i32), "numerical result out of range");
        assert_eq!(reason(Errno::EPERM as i32), "operation not permitted");
    }
}
