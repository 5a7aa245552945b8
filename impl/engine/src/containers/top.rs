//! `top`: what runs in a container, as the host's `ps` tells it.

use crate::chores::blocking;
use crate::container::Phase;
use crate::{Engine, Error, Target};
use std::collections::BTreeSet;
use std::process::{Command, Output};

/// List processes.
#[derive(Clone, Debug)]
pub struct Top {
    /// Of which.
    pub target: Target,
    /// Arguments of `ps`; none: `-ef`.
    pub ps_args: Vec<String>,
}

/// Processes, as `ps` prints them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Processes {
    /// Column heads.
    pub titles: Vec<String>,
    /// One row per process, as many columns as titles; the last may hold blanks.
    pub processes: Vec<Vec<String>>,
}

impl Engine {
    /// Lists the processes of a running container.
    ///
    /// # Errors
    /// `NoSuchContainer`…, `NotRunning`, `Ps`, `PsWithoutPid`.
    pub async fn top(&self, command: Top) -> Result<Processes, Error> {
        let container = self.find(&command.target)?;
        let body = container.lock().await?;
        let pids = match &body.phase {
            Phase::Running(live) | Phase::Paused(live) => live.processes().await?,
            _ => return Err(Error::NotRunning(container.id)),
        };
        drop(body);
        let args = if command.ps_args.is_empty() { vec!["-ef".to_owned()] } else { command.ps_args };
        let output = blocking(move || Command::new("ps").args(args).output()).await;
        let output = output.map_err(|source| Error::Io { what: "running", path: "ps".into(), source })?;
        let Output { status, stdout, stderr } = output;
        if !status.success() {
            let stderr = String::from_utf8_lossy(&stderr).into_owned();
            return Err(Error::Ps { status: status.code().unwrap_or(-1), stderr });
        }
        choose(&String::from_utf8_lossy(&stdout), &pids.into_iter().collect())
    }
}

/// The rows of `pids` in what `ps` printed.
fn choose(text: &str, pids: &BTreeSet<u32>) -> Result<Processes, Error> {
    let mut lines = text.lines();
    let titles: Vec<String> = lines.next().unwrap_or_default().split_whitespace().map(str::to_owned).collect();
    let at = titles.iter().position(|title| title == "PID").ok_or(Error::PsWithoutPid)?;
    let row = |line: &str| {
        let mut words = line.split_whitespace().map(str::to_owned);
        let mut row: Vec<String> = words.by_ref().take(titles.len()).collect();
        if let Some(last) = row.last_mut() {
            for word in words {
                last.push(' ');
                last.push_str(&word);
            }
        }
        row
    };
    let ours = |row: &Vec<String>| row.get(at).and_then(|pid| pid.parse().ok()).is_some_and(|pid| pids.contains(&pid));
    Ok(Processes { processes: lines.map(row).filter(ours).collect(), titles })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_the_container_are_chosen_and_blanks_stay_in_the_last_column() {
        let text = "UID  PID CMD\nroot 1 init\nroot 42 sh -c  x\nroot 7 y\n";
        let processes = choose(text, &BTreeSet::from([42, 99])).unwrap();
        assert_eq!(processes.titles, ["UID", "PID", "CMD"]);
        assert_eq!(processes.processes, [["root", "42", "sh -c x"]]);
    }

    #[test]
    fn a_list_without_pids_is_of_no_use() {
        assert!(matches!(choose("A B\n1 2\n", &BTreeSet::new()), Err(Error::PsWithoutPid)));
    }
}
