//! The lock on a volume: one recorder at a time, and the anchor by which an exchanged disk is found.

use super::fault::VolumeError;
use super::layout;
use holdfast_wire::cause::Fault;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The lock on a volume, without regard to its marker: what a repair needs.
#[derive(Debug)]
pub struct Lock {
    root: PathBuf,
    home: File,
    device: u64,
    inode: u64,
}

impl Lock {
    /// Locks the volume at `root`; `holdfast/` is made there if `create` says so, the root never is.
    pub fn take(root: &Path, create: bool) -> Result<Self, VolumeError> {
        let home_path = layout::home(root);
        match fs::metadata(root) {
            Ok(facts) if facts.is_dir() => {}
            Ok(_) => {
                return Err(VolumeError::found(Fault::Missing, "use", root, "it is not a directory"));
            }
            Err(error) => return Err(VolumeError::io("open", root, error)),
        }
        if create {
            match fs::create_dir(&home_path) {
                Ok(()) => sync_directory(root)?,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(VolumeError::io("create", &home_path, error)),
            }
        }
        let home = open_directory(&home_path)?;
        match flock(&home, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                let detail = "stop that recorder first";
                return Err(VolumeError::found(Fault::InUse, "lock", &home_path, detail));
            }
            Err(errno) => return Err(VolumeError::io("lock", &home_path, errno.into())),
        }
        let facts = home.metadata().map_err(|error| VolumeError::io("look at", &home_path, error))?;
        let lock = Lock { root: root.to_owned(), home, device: facts.dev(), inode: facts.ino() };
        lock.check()?; // it may have been exchanged between opening and locking
        Ok(lock)
    }

    /// The root that was given.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// `st_dev` of the filesystem that `holdfast/` lies on.
    pub fn device(&self) -> u64 {
        self.device
    }

    /// The inode of `holdfast/`.
    pub fn inode(&self) -> u64 {
        self.inode
    }

    /// The opened directory `holdfast/`.
    pub fn home(&self) -> &File {
        &self.home
    }

    /// Whether `holdfast/` at the root is still the directory that was locked.
    ///
    /// Fails with [`Fault::Missing`] if it is gone and [`Fault::WrongIdentity`] if it is another.
    pub fn check(&self) -> Result<(), VolumeError> {
        let path = layout::home(&self.root);
        let facts = fs::symlink_metadata(&path).map_err(|error| VolumeError::io("find", &path, error))?;
        if (facts.dev(), facts.ino()) == (self.device, self.inode) {
            return Ok(());
        }
        let detail = "another disk was mounted there, or none is";
        Err(VolumeError::found(Fault::WrongIdentity, "go on with", &path, detail))
    }

    /// Syncs the directory `holdfast/`, after something in it was made or renamed.
    pub fn sync(&self) -> Result<(), VolumeError> {
        let path = layout::home(&self.root);
        self.home.sync_all().map_err(|error| VolumeError::io("sync the directory", &path, error))
    }
}

/// Whether a recorder holds the volume at `root` now. Writes nothing. `false` if it cannot be told.
pub fn is_in_use(root: &Path) -> bool {
    let Ok(home) = open_directory(&layout::home(root)) else { return false };
    // A shared lock, held for a moment only: two readers do not take each other for a recorder.
    flock(&home, FlockOperation::NonBlockingLockShared) == Err(Errno::WOULDBLOCK)
}

/// Makes what was created, renamed or removed in a directory durable.
pub fn sync_directory(path: &Path) -> Result<(), VolumeError> {
    let directory = open_directory(path)?;
    directory.sync_all().map_err(|error| VolumeError::io("sync the directory", path, error))
}

/// Opens a directory that is one itself, not a link to one.
pub(super) fn open_directory(path: &Path) -> Result<File, VolumeError> {
    let flags = rustix::fs::OFlags::DIRECTORY.union(rustix::fs::OFlags::NOFOLLOW).bits();
    let opened = OpenOptions::new().read(true).custom_flags(flags.cast_signed()).open(path);
    opened.map_err(|error| VolumeError::io("open", path, error))
}
