//! What a program is started with: its environment, and the file that its name stands for.
//!
//! Source: recordings `inside/env-…`, `life/exit-not-found…`, `containers.start/failures/…`.

use drydock_shim_protocol::Failure;
use rustix::io::Errno;

/// The environment as the process sees it: of entries with one name the first gives the place and the last the value;
/// entries without `=` are left out.
pub(crate) fn merged(entries: &[String]) -> Result<Vec<String>, Failure> {
    let mut merged: Vec<String> = Vec::with_capacity(entries.len() + 1);
    for entry in entries {
        let Some((name, _)) = entry.split_once('=') else { continue };
        if name.is_empty() {
            return Err(Failure::EnvMalformed);
        }
        match merged.iter_mut().find(|known| is_named(known, name)) {
            Some(known) => known.clone_from(entry),
            None => merged.push(entry.clone()),
        }
    }
    Ok(merged)
}

/// The value of a name, if the environment has it.
pub(crate) fn value<'a>(environment: &'a [String], name: &str) -> Option<&'a str> {
    environment.iter().find(|entry| is_named(entry, name)).map(|entry| &entry[name.len() + 1..])
}

fn is_named(entry: &str, name: &str) -> bool {
    entry.strip_prefix(name).is_some_and(|rest| rest.starts_with('='))
}

/// The file that a program's name stands for: itself with a slash in it, else the first one in the directories of
/// `path` (an empty directory is the current one).
pub(crate) fn find_program(name: &str, path: Option<&str>) -> Result<String, Failure> {
    if name.contains('/') {
        return match executable(name) {
            Ok(()) => Ok(name.to_owned()),
            Err(errno) => Err(Failure::Executable { path: name.to_owned(), errno: errno.raw_os_error() }),
        };
    }
    let missing = || Failure::ExecutableNotInPath(name.to_owned());
    let path = path.filter(|path| !path.is_empty()).ok_or_else(missing)?;
    if name.is_empty() {
        return Err(missing());
    }
    path.split(':')
        .map(|directory| format!("{}/{name}", if directory.is_empty() { "." } else { directory }))
        .find(|candidate| executable(candidate).is_ok())
        .ok_or_else(missing)
}

/// Looks at the mode only, as the old daemons did: whether this user may run it, the kernel says.
fn executable(path: &str) -> Result<(), Errno> {
    let stat = rustix::fs::stat(path)?;
    let directory = rustix::fs::FileType::from_raw_mode(stat.st_mode) == rustix::fs::FileType::Directory;
    if directory || stat.st_mode & 0o111 == 0 { Err(Errno::ACCESS) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duplicates_keep_the_first_place_and_the_last_value() {
        let entries = ["PATH=/bin", "A=1", "B=2", "A=3", "none", "C==x="].map(String::from);
        let environment = merged(&entries).unwrap();
        assert_eq!(environment, ["PATH=/bin", "A=3", "B=2", "C==x="]);
        assert_eq!(value(&environment, "C"), Some("=x="));
        assert_eq!(value(&environment, "PAT"), None);
        assert_eq!(merged(&["=x".into()]), Err(Failure::EnvMalformed));
    }

    #[test]
    fn a_program_is_found_in_the_path_or_told_why_not() {
        assert_eq!(find_program("sh", Some("/nonexistent:/bin")), Ok("/bin/sh".into()));
        assert_eq!(find_program("/bin/sh", None), Ok("/bin/sh".into()));
        assert_eq!(find_program("sh", None), Err(Failure::ExecutableNotInPath("sh".into())));
        assert_eq!(find_program("", Some("/bin")), Err(Failure::ExecutableNotInPath(String::new())));
        let failed = |path: &str, errno: Errno| {
            let errno = errno.raw_os_error();
            assert_eq!(find_program(path, None), Err(Failure::Executable { path: path.into(), errno }));
        };
        failed("/etc/passwd", Errno::ACCESS);
        failed("/etc", Errno::ACCESS);
        failed("/no/such/binary", Errno::NOENT);
    }
}
