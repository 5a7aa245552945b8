//! `kill`: a signal to the first process.

use crate::container::Phase;
use crate::events::Action;
use crate::{Engine, Error, Target};

/// Send a signal.
#[derive(Clone, Debug)]
pub struct Kill {
    /// To which.
    pub target: Target,
    /// KILL waits for the end, and is no error where nothing runs.
    pub signal: Signal,
    /// Another signal where nothing runs is an error; else it is as if it had been sent.
    pub must_run: bool,
}

/// A signal that a container may be sent: 1 to 31.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Signal(u8);

/// Names of the signals 1 to 31, and a second name where one has two.
const NAMES: [&[&str]; 31] = [
    &["HUP"],
    &["INT"],
    &["QUIT"],
    &["ILL"],
    &["TRAP"],
    &["ABRT", "IOT"],
    &["BUS"],
    &["FPE"],
    &["KILL"],
    &["USR1"],
    &["SEGV"],
    &["USR2"],
    &["PIPE"],
    &["ALRM"],
    &["TERM"],
    &["STKFLT"],
    &["CHLD", "CLD"],
    &["CONT"],
    &["STOP"],
    &["TSTP"],
    &["TTIN"],
    &["TTOU"],
    &["URG"],
    &["XCPU"],
    &["XFSZ"],
    &["VTALRM"],
    &["PROF"],
    &["WINCH"],
    &["IO", "POLL"],
    &["PWR"],
    &["SYS", "UNUSED"],
];

impl Signal {
    /// KILL.
    pub const KILL: Self = Self(9);
    /// TERM.
    pub const TERM: Self = Self(15);

    /// The signal that a client means: a number from 1 to 31, or a name in capitals, with or without `SIG`.
    ///
    /// # Errors
    /// `SignalMalformed`.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let number = match text.parse::<u8>() {
            Ok(number) => Some(number).filter(|number| (1..=31).contains(number) && !text.starts_with('+')),
            Err(_) => {
                let name = text.strip_prefix("SIG").unwrap_or(text);
                NAMES.iter().zip(1..).find(|(names, _)| names.contains(&name)).map(|(_, number)| number)
            }
        };
        number.map(Self).ok_or_else(|| Error::SignalMalformed(text.to_owned()))
    }

    /// Its number.
    #[must_use]
    pub fn number(self) -> u8 {
        self.0
    }
}

impl Engine {
    /// Sends a signal; for KILL, returns when the container is over. Whatever the signal, the restart policy is silent
    /// about the end of this run.
    ///
    /// # Errors
    /// `NoSuchContainer`…, `NotRunning`, `Paused`.
    pub async fn kill(&self, command: Kill) -> Result<(), Error> {
        let container = self.find(&command.target)?;
        if command.signal == Signal::KILL {
            self.end(&container, Signal::KILL).await?;
        } else {
            let mut body = container.lock().await?;
            match &body.phase {
                Phase::Paused(_) => return Err(Error::Paused(container.id)),
                Phase::Running(live) => live.signal(command.signal).await?,
                Phase::Waiting(..) => {}
                _ if command.must_run => return Err(Error::NotRunning(container.id)),
                _ => {}
            }
            body.stopping = true;
            if matches!(body.phase, Phase::Waiting(..)) {
                self.stop_waiting(&container, &mut body).await;
            }
        }
        self.tell(&container, Action::Kill(command.signal));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_are_numbers_up_to_31_or_names_in_capitals() {
        for (text, number) in [("9", 9), ("KILL", 9), ("SIGKILL", 9), ("SIGUSR1", 10), ("31", 31), ("CLD", 17)] {
            assert_eq!(Signal::parse(text).unwrap().number(), number, "{text}");
        }
        for text in ["0", "32", "64", "99", "-1", "+9", "hup", "sighup", "RTMIN", "SIGBOGUS", "", "1.5"] {
            assert!(matches!(Signal::parse(text), Err(Error::SignalMalformed(_))), "{text}");
        }
    }
}
