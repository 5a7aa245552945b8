//! A container: its first process from the clone to its program.

use crate::cgroup::Cgroup;
use crate::mounts;
use crate::namespaces::{self, Joined};
use crate::process::{become_program, die_with_parent};
use crate::report::{self, Reporter};
use crate::stdio::ProcessEnds;
use crate::step::{Step, point};
use crate::sys::{self, Child};
use drydock_shim_protocol::{ContainerSpec, Failure, Namespace, ProcessSpec};
use std::convert::Infallible;
use std::os::fd::AsFd;

/// A container whose first process runs.
#[derive(Debug)]
pub struct Container {
    init: Child,
    /// This process's children are not in the container's pid namespace yet.
    join_pid: bool,
}

impl Container {
    /// Makes the container and runs its first process; returns when that has become its program. On failure nothing
    /// is left: the namespaces and all mounts in them end with the child.
    ///
    /// The caller has one thread and keeps running: the first process dies with it.
    ///
    /// # Errors
    /// The step that failed.
    pub fn start(spec: &ContainerSpec, cgroup: &Cgroup, ends: ProcessEnds) -> Result<Self, Failure> {
        let joined = Joined::open(&spec.namespaces)?;
        namespaces::join_pid(&spec.namespaces)?;
        point("runtime.clone")?;
        let flags = namespaces::new_flags(&spec.namespaces);
        let init = launch(flags, |reporter| first_process(spec, cgroup, &joined, &ends, reporter))?;
        Ok(Self { init, join_pid: spec.namespaces.pid == Namespace::New })
    }

    /// Runs another program in it; returns when the child has become that.
    ///
    /// # Errors
    /// The step that failed.
    pub fn exec(&mut self, spec: &ProcessSpec, cgroup: &Cgroup, ends: ProcessEnds) -> Result<Child, Failure> {
        if self.join_pid {
            namespaces::join_pid_of(&self.init.pidfd)?;
            self.join_pid = false;
        }
        point("runtime.exec.clone")?;
        let init = self.init.pidfd.as_fd();
        launch(0, |reporter| {
            cgroup.enter()?;
            die_with_parent()?;
            namespaces::join_all(init)?;
            become_program(spec, &ends, || reporter.ready())
        })
    }

    /// Ends its first process, and with it the container.
    pub fn end(self) {
        self.init.end();
    }

    /// Its first process.
    #[must_use]
    pub fn init(&self) -> &Child {
        &self.init
    }
}

fn first_process(
    spec: &ContainerSpec,
    cgroup: &Cgroup,
    joined: &Joined,
    ends: &ProcessEnds,
    reporter: &Reporter,
) -> Result<Infallible, Failure> {
    die_with_parent()?;
    cgroup.enter()?;
    point("runtime.namespaces")?;
    if let Some(score) = spec.oom_score_adj {
        std::fs::write("/proc/self/oom_score_adj", score.to_string()).step("oom score", score)?;
    }
    joined.join()?;
    namespaces::set_up(&spec.namespaces, &spec.hostname, &spec.domainname)?;
    mounts::enter_root(spec, ends.terminal())?;
    become_program(&ProcessSpec { own_session: true, ..spec.process.clone() }, ends, || reporter.ready())
}

/// A child that does `work`, which ends in another program.
fn launch(flags: u64, work: impl FnOnce(&Reporter) -> Result<Infallible, Failure>) -> Result<Child, Failure> {
    let (reporter, report) = report::channel()?;
    let mut reporter = Some(reporter);
    let child = sys::clone_process(flags, || {
        if let Some(reporter) = reporter.take() {
            match work(&reporter) {
                Ok(never) => match never {},
                Err(failure) => reporter.failed(&failure),
            }
        }
    })
    .step("clone", format_args!("flags {flags:#x}"))?;
    drop(reporter); // Else the pipe would not end with the child.
    match report.wait() {
        Ok(()) => Ok(child),
        Err(failure) => {
            child.end();
            Err(failure)
        }
    }
}
