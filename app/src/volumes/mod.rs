//! Volumes: where things lie on one, whose it is, and that it is still the one that was adopted.
//!
//! A **volume** is a directory (the root of a mounted filesystem, or a plain one) in which Holdfast
//! keeps `holdfast/`. Its **marker** gives it an identity that outlives device names. Opening one
//! **adopts** it if it has no marker yet.
//!
//! The rules that keep footage out of wrong places:
//!
//! 1. The root is never created. A root that is missing is a disk that is not mounted, and writing
//!    there would fill the system's own disk.
//! 2. One recorder at a time: the directory `holdfast/` itself is locked (`flock`), not the marker,
//!    since a marker that is replaced by rename would take its lock along.
//! 3. Where a volume was in use, nothing else is adopted but another disk: an empty mount point, or a folder
//!    in the place of a folder, has no marker and is refused ([`Knowledge`]).
//! 4. Before each new file [`Volume::check`] compares device and inode of `holdfast/` with what was
//!    locked: an unmounted or exchanged disk is found before a byte is written.
//!
//! [`layout`] knows the paths, [`fault`] what errors mean.

pub mod fault;
pub mod layout;

pub use fault::{VolumeError, fault_of};

use heapless::String as Short;
use holdfast_wire::cause::Fault;
use holdfast_wire::frame::{MAX_MARKER, ReadError, decode_marker, encode_marker};
use holdfast_wire::ids::{Name, VolumeId};
use holdfast_wire::time::Wall;
use holdfast_wire::volume::{VolumeMarker, VolumeMarkerV1, VolumeMarkerV2};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// What a new volume's marker is made of. Randomness and time are given, never taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adoption {
    /// A random identity, used only if the volume has none yet.
    pub id: VolumeId,
    /// The device that adopts it.
    pub device: Name,
    /// Now.
    pub at: Wall,
}

/// What is known of a place before a volume is opened there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Knowledge {
    /// Nothing yet: what is there may be adopted.
    Unknown,
    /// A volume was in use there in this life of the recorder.
    WasInUse,
}

/// An opened volume: its lock is held until this is dropped.
#[derive(Debug)]
pub struct Volume {
    lock: Lock,
    marker: VolumeMarkerV1,
}

impl Volume {
    /// Opens the volume at `root`: locks it, reads its marker, or adopts it if there is none.
    ///
    /// Fails with [`Fault::Missing`] if the root is not there, [`Fault::InUse`] if another recorder
    /// holds it, [`Fault::Damaged`] if its marker cannot be read, [`Fault::WrongIdentity`] if a volume was in use
    /// there and what is there now is none, else with what the system said.
    pub fn open(root: &Path, adoption: &Adoption, knowledge: Knowledge) -> Result<Self, VolumeError> {
        if knowledge == Knowledge::WasInUse && read_marker(root)?.is_none() && !is_mount_point(root)? {
            let detail = "the volume that was in use here is gone, and this is no other disk";
            return Err(VolumeError::found(Fault::WrongIdentity, "use", root, detail));
        }
        let lock = Lock::take(root, true)?;
        let marker = match read_marker(root)? {
            Some(marker) => marker,
            None => {
                let marker = VolumeMarkerV1 {
                    id: adoption.id,
                    filesystem_uuid: Short::new(),
                    adopted_by: adoption.device.clone(),
                    adopted_at: adoption.at,
                };
                write_marker(&lock, &marker)?;
                marker
            }
        };
        Ok(Volume { lock, marker })
    }

    /// Where it is mounted, or the directory that it is.
    pub fn root(&self) -> &Path {
        &self.lock.root
    }
    /// Its own identity.
    pub fn id(&self) -> VolumeId {
        self.marker.id
    }
    /// All that its marker says.
    pub fn marker(&self) -> &VolumeMarkerV1 {
        &self.marker
    }
    /// Whether what lies at the root is still what was opened. To be called before each new file.
    ///
    /// Fails with [`Fault::Missing`] if `holdfast/` is gone and [`Fault::WrongIdentity`] if it is another.
    pub fn check(&self) -> Result<(), VolumeError> {
        self.lock.check()
    }
}

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

    /// See [`Volume::check`].
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

/// Reads the marker at `root`. `None` if there is none, or one that was cut off before anything of it
/// was durable (empty or all zero). Fails with [`Fault::Damaged`] if it is there and cannot be read.
pub fn read_marker(root: &Path) -> Result<Option<VolumeMarkerV1>, VolumeError> {
    let path = layout::marker(root);
    let mut bytes = Vec::with_capacity(MAX_MARKER);
    match File::open(&path) {
        Ok(file) => {
            let mut start = file.take(MAX_MARKER as u64);
            start.read_to_end(&mut bytes).map_err(|error| VolumeError::io("read", &path, error))?;
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(VolumeError::io("open", &path, error)),
    }
    if bytes.iter().all(|byte| *byte == 0) {
        return Ok(None);
    }
    let told = |detail| VolumeError::found(Fault::Damaged, "read", &path, detail);
    match decode_marker(&bytes) {
        Ok(VolumeMarker::V1(marker) | VolumeMarker::V2(VolumeMarkerV2 { now: marker, .. })) => {
            Ok(Some(marker))
        }
        Err(ReadError::Damaged) => {
            Err(told(format!("`holdfast ledger rebuild {}` restores it", root.display())))
        }
        Err(error @ ReadError::Unknown) => Err(told(format!("it {error}: update this device"))),
    }
}

/// Puts a marker in place so that a power cut leaves the old one or the new one, never half of one.
pub fn write_marker(lock: &Lock, marker: &VolumeMarkerV1) -> Result<(), VolumeError> {
    let path = layout::marker(&lock.root);
    let temporary = path.with_extension("tmp");
    let mut buffer = [0; MAX_MARKER];
    let bytes = encode_marker(&VolumeMarker::V1(marker.clone()), &mut buffer)
        .map_err(|error| VolumeError::found(Fault::Damaged, "encode", &path, error.to_string()))?;
    let written = File::create(&temporary).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.map_err(|error| VolumeError::io("write", &temporary, error))?;
    fs::rename(&temporary, &path).map_err(|error| VolumeError::io("rename to", &path, error))?;
    lock.sync()
}

/// Whether another filesystem begins at `root`.
fn is_mount_point(root: &Path) -> Result<bool, VolumeError> {
    let device = |path: &Path| {
        let facts = fs::metadata(path).map_err(|error| VolumeError::io("look at", path, error))?;
        Ok::<u64, VolumeError>(facts.dev())
    };
    Ok(device(root)? != device(&root.join(".."))?)
}

/// Makes what was created, renamed or removed in a directory durable.
pub fn sync_directory(path: &Path) -> Result<(), VolumeError> {
    let directory = open_directory(path)?;
    directory.sync_all().map_err(|error| VolumeError::io("sync the directory", path, error))
}

fn open_directory(path: &Path) -> Result<File, VolumeError> {
    let flags = rustix::fs::OFlags::DIRECTORY.union(rustix::fs::OFlags::NOFOLLOW).bits();
    let opened = OpenOptions::new().read(true).custom_flags(flags.cast_signed()).open(path);
    opened.map_err(|error| VolumeError::io("open", path, error))
}

#[cfg(test)]
mod tests;
