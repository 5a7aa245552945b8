//! Named points at which a test can kill or fail the daemon.
//!
//! Every fsync, rename, mount and netlink call that changes what outlives the process passes one:
//!
//! ```
//! # fn main() -> std::io::Result<()> {
//! drydock_core::fault::point("engine.record.commit")?;
//! # Ok(()) }
//! ```
//!
//! `DRYDOCK_FAULT` arms them: a comma-separated list of `NAME=ACTION` or `NAME@N=ACTION` (the Nth hit only, from 1).
//! `ACTION` is `kill` (the process aborts on the spot, no destructor runs) or `fail` or `fail:ERRNO` (a number; `EIO`
//! when absent). With the variable unset a point costs one load.

use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Passes, fails or kills, as `DRYDOCK_FAULT` says of `name`.
///
/// # Errors
/// The armed errno, when the point is armed with `fail`.
#[inline]
pub fn point(name: &'static str) -> io::Result<()> {
    static ARMED: OnceLock<Vec<Fault>> = OnceLock::new();
    let armed = ARMED.get_or_init(|| std::env::var("DRYDOCK_FAULT").map(|text| parse(&text)).unwrap_or_default());
    if armed.is_empty() { Ok(()) } else { strike(armed, name) }
}

struct Fault {
    name: String,
    only: Option<u64>,
    hits: AtomicU64,
    action: Action,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Kill,
    Fail(i32),
}

const EIO: i32 = 5;

#[cold]
fn strike(armed: &[Fault], name: &str) -> io::Result<()> {
    for fault in armed.iter().filter(|fault| fault.name == name) {
        let hit = fault.hits.fetch_add(1, Ordering::Relaxed) + 1;
        if fault.only.is_some_and(|only| only != hit) {
            continue;
        }
        match fault.action {
            Action::Kill => std::process::abort(),
            Action::Fail(errno) => return Err(io::Error::from_raw_os_error(errno)),
        }
    }
    Ok(())
}

/// Entries that make no sense are left out: a typing mistake in a test shows as a fault that never comes.
fn parse(text: &str) -> Vec<Fault> {
    text.split(',').filter_map(parse_one).collect()
}

fn parse_one(entry: &str) -> Option<Fault> {
    let (point, action) = entry.trim().split_once('=')?;
    let (name, only) = match point.split_once('@') {
        Some((name, n)) => (name, Some(n.parse().ok()?)),
        None => (point, None),
    };
    let action = match action.split_once(':') {
        Some(("fail", errno)) => Action::Fail(errno.parse().ok()?),
        None if action == "fail" => Action::Fail(EIO),
        None if action == "kill" => Action::Kill,
        _ => return None,
    };
    Some(Fault { name: name.to_owned(), only, hits: AtomicU64::new(0), action })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unarmed_point_passes() {
        assert!(point("core.test.unarmed").is_ok());
    }

    #[test]
    fn only_the_named_hit_fails() {
        let armed = parse("store.fsync@2=fail:28, other=kill");
        assert!(strike(&armed, "store.fsync").is_ok());
        assert_eq!(strike(&armed, "store.fsync").unwrap_err().raw_os_error(), Some(28));
        assert!(strike(&armed, "store.fsync").is_ok());
    }

    #[test]
    fn entries_that_make_no_sense_are_left_out() {
        assert!(parse("nonsense,a=explode,b@x=kill,c=fail:many").is_empty());
    }
}
