//! A container's state: what it is now, and what came of its last run.
//!
//! ```text
//! Created ─start─▶ Running ◀─pause/unpause─▶ Paused
//!    ▲ failed start    │ exit
//!    ▼                 ▼
//! Exited ◀──────── Restarting ─delay over─▶ Running
//! ```
//! Transitions consume a state; those that can refuse give it back.

use drydock_core::Timestamp;
use serde::{Deserialize, Serialize};

/// Where a container is in its life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// Never started with success, and no start failed.
    Created,
    /// Its first process runs.
    Running(Running),
    /// It runs, frozen.
    Paused(Running),
    /// It exited, and its restart policy starts it again after a delay.
    Restarting(Exited),
    /// Its last run is over, or its last start failed.
    Exited(Exited),
    /// Its removal began and could not be finished: it can only be removed again.
    Dead(Exited),
}

/// A run that goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// First process, as the host numbers it.
    pub pid: u32,
    /// When its first process began.
    pub started_at: Timestamp,
    /// End of the run before; [`Timestamp::ZERO`] for the first.
    pub last_finished_at: Timestamp,
    /// Whether something in this run was killed for lack of memory.
    pub oom_killed: bool,
}

/// A run that is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exited {
    /// How it ended.
    pub how: Exit,
    /// When it began; [`Timestamp::ZERO`] if it never did.
    pub started_at: Timestamp,
    /// When it ended; [`Timestamp::ZERO`] if it never began.
    pub finished_at: Timestamp,
    /// Whether something was killed for lack of memory.
    pub oom_killed: bool,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Exit {
    /// The first process returned this.
    Code(u8),
    /// The first process died of this signal.
    Signal(u8),
    /// The start failed: the first process never ran.
    NotStarted {
        /// Why.
        failure: crate::StartFailure,
        /// How the run before ended; `None`: there was none.
        before: Option<Box<Exit>>,
    },
    /// The container was gone when the daemon looked for it again, so nobody knows.
    Unknown,
}

/// Numbers that stand for ends that have no code of their own; they differ between daemons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExitCodes {
    /// Of signal n.
    pub signal: SignalCode,
    /// Of a start that failed before its program was to be executed.
    pub not_prepared: i32,
    /// Of a start that failed there.
    pub not_executed: i32,
    /// Of a container that was gone.
    pub unknown: i32,
}

/// How death by signal n is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignalCode {
    /// −1, whichever signal.
    MinusOne,
    /// 128 + n.
    Plus128,
}

impl ExitCodes {
    /// The number that `exit` is shown as.
    #[must_use]
    pub fn code(self, exit: &Exit) -> i32 {
        match (exit, self.signal) {
            (Exit::Code(code), _) => i32::from(*code),
            (Exit::Signal(_), SignalCode::MinusOne) => -1,
            (Exit::Signal(signal), SignalCode::Plus128) => 128 + i32::from(*signal),
            (Exit::NotStarted { failure, .. }, _) if failure.at_execution() => self.not_executed,
            // What was there stays where it says something.
            (Exit::NotStarted { before, .. }, _) => match before.as_ref().map_or(0, |before| self.code(before)) {
                0 => self.not_prepared,
                code => code,
            },
            (Exit::Unknown, _) => self.unknown,
        }
    }
}

impl Exit {
    /// What of this stays when a start fails after it. One step back only: failures do not pile up.
    pub(crate) fn before_a_failure(self) -> Option<Box<Self>> {
        match self {
            Self::NotStarted { failure, before } if !failure.at_execution() => before,
            Self::NotStarted { failure, .. } => Some(Box::new(Self::NotStarted { failure, before: None })),
            ran => Some(Box::new(ran)),
        }
    }
}

impl State {
    /// The run that goes on, if one does.
    #[must_use]
    pub fn running(&self) -> Option<&Running> {
        match self {
            Self::Running(running) | Self::Paused(running) => Some(running),
            _ => None,
        }
    }

    /// The run that is over, if that is the last thing known. A restarting container counts as running *and* has one.
    #[must_use]
    pub fn exited(&self) -> Option<&Exited> {
        match self {
            Self::Exited(exited) | Self::Restarting(exited) | Self::Dead(exited) => Some(exited),
            _ => None,
        }
    }

    /// Whether clients see it as running: it runs, is paused, or is about to be restarted.
    #[must_use]
    pub fn is_up(&self) -> bool {
        matches!(self, Self::Running(_) | Self::Paused(_) | Self::Restarting(_))
    }

    /// Whether it is frozen.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        matches!(self, Self::Paused(_))
    }

    /// Begin of the last run; [`Timestamp::ZERO`] if there was none.
    #[must_use]
    pub fn started_at(&self) -> Timestamp {
        match self {
            Self::Created => Timestamp::ZERO,
            Self::Running(running) | Self::Paused(running) => running.started_at,
            Self::Restarting(exited) | Self::Exited(exited) | Self::Dead(exited) => exited.started_at,
        }
    }

    /// End of the last run that ended; [`Timestamp::ZERO`] if none did.
    #[must_use]
    pub fn finished_at(&self) -> Timestamp {
        match self {
            Self::Created => Timestamp::ZERO,
            Self::Running(running) | Self::Paused(running) => running.last_finished_at,
            Self::Restarting(exited) | Self::Exited(exited) | Self::Dead(exited) => exited.finished_at,
        }
    }

    /// Whether something in the last run was killed for lack of memory.
    #[must_use]
    pub fn oom_killed(&self) -> bool {
        match self {
            Self::Created => false,
            Self::Running(running) | Self::Paused(running) => running.oom_killed,
            Self::Restarting(exited) | Self::Exited(exited) | Self::Dead(exited) => exited.oom_killed,
        }
    }
}
