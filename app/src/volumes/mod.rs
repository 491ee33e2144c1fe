//! Volumes: where things lie on one, whose it is, and that it is still the one that was adopted.
//!
//! A **volume** is a directory (the root of a mounted filesystem, or a plain one) in which Holdfast
//! keeps `holdfast/`. Its **marker** gives it an identity that outlives device names. Opening one
//! **adopts** it if it has no marker yet. The **helper** is `holdfast volume mount` and its sisters, run as root
//! by systemd: it mounts disks, so that the recorder needs no privilege.
//!
//! The rules that keep footage out of wrong places:
//!
//! 1. The root is never created. A root that is missing is a disk that is not mounted, and writing
//!    there would fill the system's own disk. Where a disk has to be mounted ([`Place`]), `st_dev` must say that one is.
//! 2. One recorder at a time: the directory `holdfast/` itself is locked (`flock`), not the marker,
//!    since a marker that is replaced by rename would take its lock along.
//! 3. Where a volume was in use, nothing else is adopted but another disk: an empty mount point, or a folder
//!    in the place of a folder, has no marker and is refused ([`Knowledge`]).
//! 4. A marker counts only on the filesystem it was made on and for the device that adopted it ([`identity`]).
//! 5. Before each new file [`Volume::check`] looks at all of it again: an unmounted or exchanged disk is found before a
//!    byte is written.
//!
//! | module | owns |
//! |---|---|
//! | [`layout`] | the paths on a volume |
//! | [`fault`] | what errors mean |
//! | [`identity`] | who a volume is: copies, foreign ones |
//! | [`adopt`] | taking a volume over, or giving it a new identity, by a person's wish |
//! | [`helper`] | mounting, as root, in a process of its own |
//! | [`report`] | what the helper tells the recorder of each disk |
//! | [`udev`], [`mounts`], [`facts`] | which disks there are, and what is mounted where |

pub mod adopt;
pub mod disks;
pub mod facts;
pub mod fault;
pub mod health;
pub mod helper;
pub mod identity;
mod in_use;
pub mod layout;
mod lock;
mod marker;
pub mod mounts;
mod place;
pub mod report;
pub(crate) mod source;
pub mod udev;

pub use fault::{VolumeError, fault_of};
pub use identity::Identity;
pub use in_use::{Claimant, InUse};
pub use lock::{Lock, is_in_use, sync_directory};
pub use marker::{read_marker, write_marker};
pub use place::Place;

use heapless::String as Short;
use holdfast_wire::cause::Fault;
use holdfast_wire::ids::{Name, VolumeId};
use holdfast_wire::time::Wall;
use holdfast_wire::volume::{VolumeMarkerV1, VolumeMarkerV2};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Who opens a volume, and what a new one's marker is made of. Randomness and time are given, never taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adoption {
    /// A random identity, used only if the volume has none yet.
    pub id: VolumeId,
    /// The device that adopts it.
    pub device: Name,
    /// What the device was called before: volumes adopted under these names are its own.
    pub formerly: Vec<Name>,
    /// Now.
    pub at: Wall,
}

impl Adoption {
    /// The marker of a volume that is adopted for the first time.
    fn marker(&self, filesystem_uuid: Option<&str>) -> VolumeMarkerV2 {
        // A UUID of more than 64 bytes is of no filesystem that is known: it counts as not known.
        let filesystem_uuid = Short::try_from(filesystem_uuid.unwrap_or_default()).unwrap_or_default();
        let device = self.device.clone();
        VolumeMarkerV1 { id: self.id, filesystem_uuid, adopted_by: device, adopted_at: self.at }.into()
    }
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
    place: Place,
    lock: Lock,
    marker: VolumeMarkerV2,
    filesystem_uuid: Option<String>,
}

impl Volume {
    /// Opens the volume at `place`: locks it, reads its marker, or adopts it if there is none.
    ///
    /// Fails with
    /// - [`Fault::Missing`] if the root is not there, [`Fault::NotMounted`] if a disk should be mounted there and none is,
    /// - [`Fault::InUse`] if another recorder holds it,
    /// - [`Fault::Damaged`] if its marker cannot be read,
    /// - [`Fault::Copied`] or [`Fault::Foreign`], see [`identity::judge`],
    /// - [`Fault::WrongIdentity`] if it is not the volume that was expected, or if a volume was in use there and
    ///   what is there now is none,
    ///
    /// else with what the system said. Where it fails, nothing was made, except that a full or read-only
    /// filesystem may be left with an empty `holdfast/`.
    pub fn open(place: &Place, adoption: &Adoption, knowledge: Knowledge) -> Result<Self, VolumeError> {
        let root = place.path();
        let device = place.survey()?;
        // Judged before the lock too, so that nothing is made on what will not be used.
        let before = marker::open_marker(root)?;
        let uuid = before.as_ref().and_then(|(file, _)| identity::filesystem_uuid(file, device));
        let marker = before.and_then(|(_, marker)| marker);
        expected(place, marker.as_ref(), knowledge)?;
        if let Some(marker) = &marker {
            identity::judge(root, marker, uuid.as_deref(), &adoption.device, &adoption.formerly)?;
        }
        let lock = Lock::take(root, true)?;
        if lock.device() != device && !matches!(place, Place::Directory { .. }) {
            let detail = "another filesystem is mounted over it";
            return Err(VolumeError::found(Fault::WrongIdentity, "use", &layout::home(root), detail));
        }
        let filesystem_uuid = identity::filesystem_uuid(lock.home(), lock.device());
        let marker = match read_marker(root)? {
            Some(marker) => marker,
            None => {
                let on = match place {
                    Place::Directory { .. } => None,
                    Place::MountPoint { .. } | Place::Disk { .. } => filesystem_uuid.as_deref(),
                };
                let marker = adoption.marker(on);
                write_marker(&lock, &marker)?;
                marker
            }
        };
        expected(place, Some(&marker), knowledge)?;
        identity::judge(root, &marker, filesystem_uuid.as_deref(), &adoption.device, &adoption.formerly)?;
        Ok(Volume { place: place.clone(), lock, marker, filesystem_uuid })
    }

    /// Where it is mounted, or the directory that it is.
    pub fn root(&self) -> &Path {
        self.lock.root()
    }
    /// Its own identity.
    pub fn id(&self) -> VolumeId {
        self.marker.now.id
    }
    /// All that its marker says.
    pub fn marker(&self) -> &VolumeMarkerV2 {
        &self.marker
    }
    /// What tells it from other volumes that are open: two with one id are a volume and its copy.
    pub fn identity(&self) -> Identity {
        let Volume { lock, filesystem_uuid, .. } = self;
        let (device, inode) = (lock.device(), lock.inode());
        Identity { id: self.id(), filesystem_uuid: filesystem_uuid.clone(), device, inode }
    }

    /// Whether what lies at the root is still what was opened. To be called before each new file: some ten system calls
    /// (94 µs in an unoptimised build), and one file of udev's more where the kernel does not tell the filesystem's UUID.
    ///
    /// Fails with [`Fault::Missing`] if `holdfast/` is gone, [`Fault::WrongIdentity`] if it is another or its marker says
    /// another id, [`Fault::NotMounted`] if it lies on the system's disk now, and [`Fault::Copied`] if the filesystem's UUID is
    /// no more the marker's.
    pub fn check(&self) -> Result<(), VolumeError> {
        self.lock.check()?;
        self.place.survey()?;
        let path = layout::marker(self.root());
        let wrong = |detail| Err(VolumeError::found(Fault::WrongIdentity, "go on with", &path, detail));
        let Some((file, Some(marker))) = marker::open_marker(self.root())? else {
            return wrong("it is gone");
        };
        let facts = file.metadata().map_err(|error| VolumeError::io("look at", &path, error))?;
        if facts.dev() != self.lock.device() || marker.now.id != self.id() {
            return wrong("it is another volume's");
        }
        let uuid = identity::filesystem_uuid(&file, facts.dev());
        match identity::is_copied(&marker, uuid.as_deref()) {
            true => Err(VolumeError::found(Fault::Copied, "go on with", &path, "")),
            false => Ok(()),
        }
    }
}

/// Whether the marker that was found, or none, is what the place may hold.
fn expected(place: &Place, marker: Option<&VolumeMarkerV2>, knowledge: Knowledge) -> Result<(), VolumeError> {
    let root = place.path();
    match (place, marker) {
        (Place::Directory { .. } | Place::MountPoint { .. }, Some(_)) => Ok(()),
        (Place::Directory { .. } | Place::MountPoint { .. }, None) => {
            if knowledge == Knowledge::WasInUse && !identity::is_mount_point(root)? {
                let detail = "the volume that was in use here is gone, and this is no other disk";
                return Err(VolumeError::found(Fault::WrongIdentity, "use", root, detail));
            }
            Ok(())
        }
        (Place::Disk { id, .. }, Some(marker)) if marker.now.id == *id => Ok(()),
        (Place::Disk { id, .. }, Some(marker)) => {
            let detail = format!("{} was mounted, {} is there", id, marker.now.id);
            Err(VolumeError::found(Fault::WrongIdentity, "use", root, detail))
        }
        (Place::Disk { .. }, None) => {
            let detail =
                format!("its marker is gone; `holdfast ledger rebuild {}` restores it", root.display());
            Err(VolumeError::found(Fault::Damaged, "use", root, detail))
        }
    }
}

#[cfg(test)]
mod tests;
