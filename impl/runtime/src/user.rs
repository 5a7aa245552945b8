//! Who a process runs as: `user`, `uid`, `user:group` or `uid:gid`, looked up in the container's own files.
//!
//! Source: recordings `inside/user-…`, `containers.start/failures/bad-user-start`.

use drydock_shim_protocol::Failure;
use rustix::fs::{FileType, Mode, OFlags};
use std::fs::File;
use std::io::Read;

/// Who a process runs as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) supplementary: Vec<u32>,
    pub(crate) home: String,
}

const PASSWD: &str = "/etc/passwd";
const GROUP: &str = "/etc/group";

/// Highest id that daemons accept.
const MAX_ID: i64 = i32::MAX as i64;

/// More of such a file is not read: nobody has that many users, and the container wrote it.
const MAX_FILE: u64 = 8 << 20;

impl User {
    /// Looks `text` up in the files of the root that this process is in.
    pub(crate) fn resolve(text: &str) -> Result<Self, Failure> {
        Self::find(text, &read(PASSWD), &read(GROUP))
    }

    fn find(text: &str, passwd: &str, group: &str) -> Result<Self, Failure> {
        let (wanted, wanted_group) = text.split_once(':').unwrap_or((text, ""));
        // `uid:gid:more`: what follows a second colon counts for nothing.
        let wanted_group = wanted_group.split(':').next().unwrap_or_default();
        let mut users = passwd.lines().filter_map(UserEntry::parse);
        let entry = users.find(|user| match wanted {
            "" => user.uid == 0,
            _ => user.name == wanted || user.uid.to_string() == wanted,
        });
        let mut user = match &entry {
            Some(entry) => Self { uid: entry.uid, gid: entry.gid, supplementary: vec![], home: entry.home.to_owned() },
            None => {
                Self { uid: numeric(wanted, Failure::UserMissing)?, gid: 0, supplementary: vec![], home: "/".into() }
            }
        };
        let mut groups = group.lines().filter_map(GroupEntry::parse);
        if !wanted_group.is_empty() {
            let named = groups.find(|group| group.name == wanted_group || group.gid.to_string() == wanted_group);
            user.gid = match named {
                Some(group) => group.gid,
                None => numeric(wanted_group, Failure::GroupMissing)?,
            };
        } else if let Some(entry) = entry {
            user.supplementary = groups.filter(|group| group.has(entry.name)).map(|group| group.gid).collect();
        }
        Ok(user)
    }
}

fn numeric(text: &str, missing: impl FnOnce(String) -> Failure) -> Result<u32, Failure> {
    if text.is_empty() {
        return Ok(0);
    }
    let id: i64 = text.parse().map_err(|_| missing(text.to_owned()))?;
    if (0..=MAX_ID).contains(&id) { Ok(id as u32) } else { Err(Failure::IdOutOfRange) }
}

struct UserEntry<'a> {
    name: &'a str,
    uid: u32,
    gid: u32,
    home: &'a str,
}

impl<'a> UserEntry<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let mut fields = line.trim().split(':');
        let name = fields.next()?;
        let (uid, gid) = (fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?);
        Some(Self { name, uid, gid, home: fields.nth(1).unwrap_or_default() })
    }
}

struct GroupEntry<'a> {
    name: &'a str,
    gid: u32,
    members: &'a str,
}

impl<'a> GroupEntry<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let mut fields = line.trim().split(':');
        let name = fields.next()?;
        Some(Self { name, gid: fields.nth(1)?.parse().ok()?, members: fields.next().unwrap_or_default() })
    }

    fn has(&self, user: &str) -> bool {
        self.members.split(',').any(|member| member == user)
    }
}

/// Text of a file of the container; a file that is missing, or no file, is as an empty one.
fn read(path: &str) -> String {
    // The container decides what lies there: a pipe must not hold us up.
    let opened = rustix::fs::open(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty());
    let Ok(file) = opened else { return String::new() };
    if !rustix::fs::fstat(&file).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile) {
        return String::new();
    }
    let mut bytes = Vec::new();
    let _ = File::from(file).take(MAX_FILE).read_to_end(&mut bytes); // What cannot be read is not there.
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\noperator:x:37:37:Operator:/home/op:/bin/sh\n\
                          nobody:x:99:99:nobody:/home:/bin/false\nbroken:x:many:1::/:\n";
    const GROUP: &str = "root:x:0:\nadm:x:4:operator\nstaff:x:50:nobody,operator\n";

    fn check(text: &str, expect: Result<(u32, u32, &[u32], &str), Failure>) {
        let expect = expect.map(|(uid, gid, supplementary, home)| User {
            uid,
            gid,
            supplementary: supplementary.to_vec(),
            home: home.to_owned(),
        });
        assert_eq!(User::find(text, PASSWD, GROUP), expect, "{text:?}");
    }

    #[test]
    fn users_and_groups_are_found_by_name_and_by_number() {
        check("", Ok((0, 0, &[], "/root")));
        check("operator", Ok((37, 37, &[4, 50], "/home/op")));
        check("37", Ok((37, 37, &[4, 50], "/home/op")));
        check("37:50", Ok((37, 50, &[], "/home/op")));
        check("nobody:staff", Ok((99, 50, &[], "/home")));
        check("nobody:", Ok((99, 99, &[50], "/home")));
        check(":50", Ok((0, 50, &[], "/root")));
    }

    #[test]
    fn numbers_that_nobody_has_are_taken_as_they_are() {
        check("4321", Ok((4321, 0, &[], "/")));
        check("4321:8765", Ok((4321, 8765, &[], "/")));
        check("2147483647", Ok((2_147_483_647, 0, &[], "/")));
    }

    #[test]
    fn what_cannot_be_found_is_told_apart() {
        check("nosuch", Err(Failure::UserMissing("nosuch".into())));
        check(" nobody", Err(Failure::UserMissing(" nobody".into())));
        check("broken", Err(Failure::UserMissing("broken".into())));
        check("root:nosuch", Err(Failure::GroupMissing("nosuch".into())));
        check("2147483648", Err(Failure::IdOutOfRange));
        check("-1", Err(Failure::IdOutOfRange));
        check("root:4294967296", Err(Failure::IdOutOfRange));
    }

    #[test]
    fn a_container_without_files_knows_numbers_only() {
        assert_eq!(User::find("7", "", "").unwrap().uid, 7);
        assert_eq!(User::find("", "", "").unwrap().home, "/");
        assert!(User::find("root", "", "").is_err());
    }
}
