//! A filesystem mounted where nobody sees it, until it is known which volume it is.
//!
//! The kernel's newer mount calls (fsopen, fsmount, move_mount; Linux 5.2) part mounting from showing: the filesystem is
//! reached by a descriptor alone, is read, adopted, made ready, and only then moved to its path, whole. Whoever ends
//! the program before that leaves nothing behind.

use super::owner::Owner;
use crate::volumes::{VolumeError, fault_of};
use holdfast_core::disk::Filesystem;
use holdfast_wire::cause::Fault;
use rustix::fd::{AsFd, AsRawFd, OwnedFd};
use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, fsconfig_create, fsconfig_set_flag,
    fsconfig_set_string, fsmount, fsopen, move_mount,
};
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// For what a filesystem is mounted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// To look whether something of ours is on it: not a byte is written, not even a journal is replayed.
    Look,
    /// To record.
    Record,
}

/// A mount option: a name, and a value if it has one.
type MountOption = (&'static str, Option<String>);

/// What the filesystem's driver is told. `nosuid,nodev,noexec,noatime,nosymfollow` are the mount's own, see [`Detached::mount`].
pub fn options(filesystem: Filesystem, access: Access, owner: Option<&Owner>) -> Vec<MountOption> {
    let flag = |name| (name, None);
    let mut options = Vec::new();
    match access {
        Access::Look => {
            options.push(flag("ro"));
            match filesystem {
                Filesystem::Ext4 => options.push(flag("noload")),
                Filesystem::F2fs => options.push(flag("norecovery")),
                Filesystem::Exfat | Filesystem::Vfat => {}
            }
        }
        Access::Record => match filesystem {
            // A disk that comes from elsewhere may say of itself that an error is to stop the whole machine.
            Filesystem::Ext4 | Filesystem::Exfat | Filesystem::Vfat => {
                options.push(("errors", Some("remount-ro".to_owned())));
            }
            // It stops writing by itself, and knows this option only since Linux 6.6.
            Filesystem::F2fs => {}
        },
    }
    if let Some(Owner { user, group }) = owner.filter(|_| filesystem.properties().owner_by_mount) {
        options.push(("uid", Some(user.to_string())));
        options.push(("gid", Some(group.to_string())));
        options.push(("umask", Some("027".to_owned())));
    }
    options
}

/// A mounted filesystem that shows nowhere. It is unmounted when this is dropped.
#[derive(Debug)]
pub struct Detached {
    mount: OwnedFd,
    device: PathBuf,
    root: PathBuf,
}

impl Detached {
    /// Mounts the filesystem on `device`: without programs, devices and times of reading; and links are not followed, since
    /// root writes the marker, and a disk may come with a link in its place (Linux 5.14 and later).
    ///
    /// # Errors
    /// As the system says, with what the filesystem's driver said of it.
    pub fn mount(
        device: &Path,
        filesystem: Filesystem,
        access: Access,
        owner: Option<&Owner>,
    ) -> Result<Detached, VolumeError> {
        let name = filesystem.properties().name;
        let context = fsopen(name, FsOpenFlags::FSOPEN_CLOEXEC).map_err(|errno| match errno {
            Errno::NODEV => {
                let detail = format!("this system's kernel has no {}", filesystem.properties().title);
                VolumeError::found(Fault::Other(errno.raw_os_error()), "mount", device, detail)
            }
            _ => VolumeError::io("begin to mount", device, errno.into()),
        })?;
        let mut attributes = MountAttrFlags::MOUNT_ATTR_NOSUID
            | MountAttrFlags::MOUNT_ATTR_NODEV
            | MountAttrFlags::MOUNT_ATTR_NOEXEC
            | MountAttrFlags::MOUNT_ATTR_NOATIME
            | MountAttrFlags::MOUNT_ATTR_NOSYMFOLLOW;
        if access == Access::Look {
            attributes |= MountAttrFlags::MOUNT_ATTR_RDONLY;
        }
        let mounted = fsconfig_set_string(&context, "source", device)
            .and_then(|()| {
                options(filesystem, access, owner).iter().try_for_each(|(name, value)| match value {
                    Some(value) => fsconfig_set_string(&context, *name, value.as_str()),
                    None => fsconfig_set_flag(&context, *name),
                })
            })
            .and_then(|()| fsconfig_create(&context))
            .and_then(|()| fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes));
        match mounted {
            Ok(mount) => {
                // The dot: so that it is a directory too to who follows no links.
                let root = PathBuf::from(format!("/proc/self/fd/{}/.", mount.as_raw_fd()));
                Ok(Detached { mount, device: device.to_owned(), root })
            }
            Err(errno) => {
                let error = io::Error::from(errno);
                let detail = said_of(&context);
                let fault = fault_of_mount(errno, &error);
                Err(VolumeError {
                    detail,
                    source: Some(error),
                    ..VolumeError::found(fault, "mount", device, "")
                })
            }
        }
    }

    /// A path to its root, good as long as this is: for all that works on paths.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Its root as a descriptor. It cannot be read from.
    pub fn as_fd(&self) -> rustix::fd::BorrowedFd<'_> {
        self.mount.as_fd()
    }

    /// An error with the path that only this process knows replaced by the device's.
    pub fn in_words(&self, mut error: VolumeError) -> VolumeError {
        if let Ok(inner) = error.path.strip_prefix(&self.root) {
            error.path = PathBuf::from(format!("{}:/{}", self.device.display(), inner.display()));
        }
        let (from, to) = (self.root.display().to_string(), self.device.display().to_string());
        error.detail = error.detail.replace(&from, &to);
        error
    }

    /// Shows it at `path`, a directory that is made if it is not there; whoever has write access there has none any more once
    /// the disk is gone, since the directory is root's.
    ///
    /// # Errors
    /// As the system says. What was made is removed again.
    pub fn show_at(self, path: &Path) -> Result<(), VolumeError> {
        let parent = path.parent().unwrap_or(path);
        let made = DirBuilder::new().recursive(true).mode(0o755).create(parent);
        made.map_err(|error| VolumeError::io("create", parent, error))?;
        match DirBuilder::new().mode(0o755).create(path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(VolumeError::io("create", path, error));
            }
            Ok(()) | Err(_) => {}
        }
        let place = rustix::fs::openat(
            CWD,
            path,
            OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC,
            Mode::empty(),
        );
        let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
        let moved = place.and_then(|place| move_mount(&self.mount, "", &place, "", flags));
        moved.map_err(|errno| {
            let _ = std::fs::remove_dir(path); // it stays if it is not ours to remove: not empty, a mount
            VolumeError::io("mount a disk at", path, errno.into())
        })
    }
}

/// What mounting answers means something of its own: EINVAL and EUCLEAN are a filesystem that is not what it says.
fn fault_of_mount(errno: Errno, error: &io::Error) -> Fault {
    match errno {
        Errno::INVAL | Errno::UCLEAN | Errno::BADMSG => Fault::Damaged,
        Errno::BUSY => Fault::InUse,
        _ => fault_of(error),
    }
}

/// What the filesystem's driver said while it was mounted; also in the kernel's log.
fn said_of(context: &OwnedFd) -> String {
    let mut said = Vec::new();
    let mut buffer = [0; 512];
    // Each read gives one message, `e ` (error), `w ` or `i ` before it; ENODATA ends them.
    while let Ok(length @ 1..) = rustix::io::read(context, &mut buffer) {
        let text = String::from_utf8_lossy(&buffer[..length]);
        said.push(text.get(2..).unwrap_or_default().trim().to_owned());
    }
    said.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_each_filesystems_driver_is_told() {
        let owner = Owner { user: 990, group: 991 };
        for (case, filesystem, access, expected) in [
            ("ext4 records", Filesystem::Ext4, Access::Record, "errors=remount-ro"),
            (
                "exFAT has no owners",
                Filesystem::Exfat,
                Access::Record,
                "errors=remount-ro,uid=990,gid=991,umask=027",
            ),
            ("nor has FAT", Filesystem::Vfat, Access::Record, "errors=remount-ro,uid=990,gid=991,umask=027"),
            ("F2FS has", Filesystem::F2fs, Access::Record, ""),
            ("a look replays no journal", Filesystem::Ext4, Access::Look, "ro,noload"),
            ("nor a log", Filesystem::F2fs, Access::Look, "ro,norecovery"),
            ("a look at exFAT", Filesystem::Exfat, Access::Look, "ro,uid=990,gid=991,umask=027"),
        ] {
            let options = options(filesystem, access, Some(&owner));
            let words = options.iter().map(|(name, value)| match value {
                Some(value) => format!("{name}={value}"),
                None => (*name).to_owned(),
            });
            assert_eq!(words.collect::<Vec<_>>().join(","), expected, "{case}");
        }
        assert_eq!(
            options(Filesystem::Vfat, Access::Look, None),
            [("ro", None)],
            "root's, if nobody is named"
        );
    }
}
