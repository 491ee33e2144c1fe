//! Whose the files on a volume are: the recorder's, which is not root.

use crate::volumes::{VolumeError, layout};
use rustix::fs::{AtFlags, CWD, Gid, Uid, chownat};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// A user and a group, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The user's number.
    pub user: u32,
    /// The group's number.
    pub group: u32,
}

impl Owner {
    /// Reads `USER[:GROUP]`, each a name or a number; without a group the user's own. Names are looked for in `/etc/passwd`
    /// and `/etc/group` alone: a service of the system stands there, and a static binary can ask nobody else.
    ///
    /// # Errors
    /// A name is not there, or a file cannot be read.
    pub fn parse(text: &str) -> Result<Owner, String> {
        let read = |path: &str| {
            fs::read_to_string(path).map_err(|error| format!("owner {text:?}: cannot read {path}: {error}"))
        };
        // Numbers need no files: a system may be without.
        let is_number = |part: &str| part.parse::<u32>().is_ok();
        let (passwd, group) = match text.split_once(':') {
            Some((user, group)) => (
                if is_number(user) { String::new() } else { read("/etc/passwd")? },
                if is_number(group) { String::new() } else { read("/etc/group")? },
            ),
            None => (read("/etc/passwd")?, String::new()),
        };
        Self::find(text, &passwd, &group)
    }

    fn find(text: &str, passwd: &str, groups: &str) -> Result<Owner, String> {
        let (user, group) = match text.split_once(':') {
            Some((user, group)) => (user, Some(group)),
            None => (text, None),
        };
        let line_of = |file: &str, name: &str| {
            let mut lines = file.lines().map(|line| line.split(':').map(str::to_owned).collect::<Vec<_>>());
            lines.find(|fields| {
                fields.first().is_some_and(|first| first == name)
                    || fields.get(2).is_some_and(|number| number == name)
            })
        };
        let number = |fields: &Option<Vec<String>>, at: usize| {
            fields.as_ref().and_then(|fields| fields.get(at)).and_then(|field| field.parse::<u32>().ok())
        };
        let entry = line_of(passwd, user);
        let id = number(&entry, 2).or_else(|| user.parse().ok());
        let id = id.ok_or_else(|| format!("owner {text:?}: there is no user {user:?}"))?;
        let group = match group {
            Some(group) => number(&line_of(groups, group), 2)
                .or_else(|| group.parse().ok())
                .ok_or_else(|| format!("owner {text:?}: there is no group {group:?}"))?,
            None => number(&entry, 3).ok_or_else(|| {
                format!("owner {text:?}: there is no such user to take the group from; write USER:GROUP")
            })?,
        };
        Ok(Owner { user: id, group })
    }

    /// Gives `holdfast/` at `root` and all below to this owner, if `holdfast/` is somebody else's: a disk that comes from a
    /// system on which the recorder has another number. Whether it did.
    ///
    /// # Errors
    /// As the system says.
    pub fn take(&self, root: &Path) -> Result<bool, VolumeError> {
        let home = layout::home(root);
        let facts = fs::symlink_metadata(&home).map_err(|error| VolumeError::io("look at", &home, error))?;
        if (facts.uid(), facts.gid()) == (self.user, self.group) {
            return Ok(false);
        }
        self.take_all(root)?;
        Ok(true)
    }

    /// Gives `holdfast/` at `root` and all below to this owner: after an adoption, which wrote there as root. Links are not
    /// followed.
    ///
    /// # Errors
    /// As the system says.
    pub fn take_all(&self, root: &Path) -> Result<(), VolumeError> {
        let home = layout::home(root);
        self.give_below(&home)?;
        // Last: what was interrupted is seen by it and done again.
        self.give(&home)
    }

    fn give(&self, path: &Path) -> Result<(), VolumeError> {
        let (user, group) = (Uid::from_raw(self.user), Gid::from_raw(self.group));
        chownat(CWD, path, Some(user), Some(group), AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|errno| VolumeError::io("change the owner of", path, errno.into()))
    }

    fn give_below(&self, directory: &Path) -> Result<(), VolumeError> {
        let told = |error: io::Error| VolumeError::io("list", directory, error);
        for entry in fs::read_dir(directory).map_err(told)? {
            let entry = entry.map_err(told)?;
            let path = entry.path();
            if entry.file_type().map_err(told)?.is_dir() {
                self.give_below(&path)?;
            }
            self.give(&path)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nholdfast:x:990:991::/:/usr/sbin/nologin\nbroken\n";
    const GROUP: &str = "root:x:0:\nholdfast:x:991:\ndisk:x:6:holdfast\n";

    #[test]
    fn owners_as_people_and_units_write_them() {
        let owner = |user, group| Ok(Owner { user, group });
        for (text, expected) in [
            ("holdfast", owner(990, 991)),
            ("holdfast:disk", owner(990, 6)),
            ("holdfast:7", owner(990, 7)),
            ("990", owner(990, 991)),
            ("4000:4001", owner(4000, 4001)),
            ("nobody", Err("no user")),
            ("holdfast:nobody", Err("no group")),
            ("4000", Err("take the group from")),
            ("", Err("no user")),
            ("-1:0", Err("no user")),
        ] {
            match (Owner::find(text, PASSWD, GROUP), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{text}"),
                (Err(said), Err(words)) => assert!(said.contains(words), "{text}: {said}"),
                (found, expected) => panic!("{text}: {found:?} is not {expected:?}"),
            }
        }
    }
}
