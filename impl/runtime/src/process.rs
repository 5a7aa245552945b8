//! The last stretch, which first processes and execs share: from a process in the right namespaces to the program.

use crate::environment::{find_program, merged, value};
use crate::stdio::ProcessEnds;
use crate::step::{Step, point};
use crate::user::User;
use crate::{credentials, mounts, sys};
use drydock_shim_protocol::{Failure, ProcessSpec, Rlimit};
use rustix::fs::Mode;
use rustix::process::{self, Resource, Signal};
use std::convert::Infallible;

/// Becomes the program. Returns only to tell why not. `ready` is called when nothing but the exec is left.
pub(crate) fn become_program(
    spec: &ProcessSpec,
    ends: &ProcessEnds,
    ready: impl FnOnce() -> Result<(), Failure>,
) -> Result<Infallible, Failure> {
    if spec.own_session || ends.terminal().is_some() {
        process::setsid().step("session", "")?;
    }
    if let Some(terminal) = ends.terminal() {
        process::ioctl_tiocsctty(terminal).step("terminal", "controlling")?;
    }
    ends.take().step("stdio", "")?;
    point("runtime.rlimits")?;
    spec.rlimits.iter().try_for_each(set_rlimit)?;
    let user = User::resolve(&spec.user)?;
    mounts::enter_directory(&spec.cwd)?;
    point("runtime.credentials")?;
    credentials::take(&user, &spec.capabilities)?;
    let program = program(spec, &user)?;
    process::umask(Mode::from_raw_mode(0o022));
    sys::reset_signals().step("signals", "")?;
    die_with_parent()?;
    point("runtime.exec")?;
    ready()?;
    let errno = program.1.run();
    Err(Failure::Execute { path: program.0, errno: errno.raw_os_error() })
}

/// The kernel kills this process when the shim dies. A change of ids takes that back, so it is said again after it.
pub(crate) fn die_with_parent() -> Result<(), Failure> {
    process::set_parent_process_death_signal(Some(Signal::KILL)).step("death signal", "")
}

fn program(spec: &ProcessSpec, user: &User) -> Result<(String, sys::Program), Failure> {
    let mut environment = merged(&spec.env)?;
    if spec.set_home && value(&environment, "HOME").is_none_or(str::is_empty) {
        environment = merged(&[environment, vec![format!("HOME={}", user.home)]].concat())?;
    }
    let name = spec.args.first().ok_or(Failure::NoProgram)?;
    let path = find_program(name, value(&environment, "PATH"))?;
    let arguments = spec.args.iter().map(String::as_str);
    let program = sys::Program::new(&path, arguments, environment.iter().map(String::as_str));
    let einval = rustix::io::Errno::INVAL.raw_os_error();
    let program = program.ok_or_else(|| Failure::Execute { path: path.clone(), errno: einval })?;
    Ok((path, program))
}

fn set_rlimit(limit: &Rlimit) -> Result<(), Failure> {
    let failed = |errno: rustix::io::Errno| Failure::Rlimit { resource: limit.resource, errno: errno.raw_os_error() };
    let resource = RESOURCES.get(limit.resource as usize).ok_or_else(|| failed(rustix::io::Errno::INVAL))?;
    let bound = |value: u64| (value != u64::MAX).then_some(value);
    process::setrlimit(*resource, process::Rlimit { current: bound(limit.soft), maximum: bound(limit.hard) })
        .map_err(failed)
}

/// At the kernel's numbers.
const RESOURCES: [Resource; 16] = [
    Resource::Cpu,
    Resource::Fsize,
    Resource::Data,
    Resource::Stack,
    Resource::Core,
    Resource::Rss,
    Resource::Nproc,
    Resource::Nofile,
    Resource::Memlock,
    Resource::As,
    Resource::Locks,
    Resource::Sigpending,
    Resource::Msgqueue,
    Resource::Nice,
    Resource::Rtprio,
    Resource::Rttime,
];
