//! Where a volume is to be, and what has to be true of such a place before anything is made there.

use super::fault::VolumeError;
use super::identity::device_at;
use holdfast_wire::cause::Fault;
use holdfast_wire::ids::VolumeId;
use std::path::{Path, PathBuf};

/// Where a volume is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A plain directory, named as one: it may lie on the system's own disk.
    Directory {
        /// The directory that holds `holdfast/`, or shall.
        path: PathBuf,
    },
    /// A path at which somebody else mounts a disk. While none is, it is a directory of the system's disk, and nothing may
    /// be made there.
    MountPoint {
        /// The mount point.
        path: PathBuf,
    },
    /// A disk that the helper has adopted and mounted (`holdfast volume mount`).
    Disk {
        /// Where it mounted it.
        path: PathBuf,
        /// Which volume it found on it. Another one there is refused, and none is never adopted.
        id: VolumeId,
    },
}

impl Place {
    /// The directory that holds `holdfast/`, or shall.
    pub fn path(&self) -> &Path {
        match self {
            Place::Directory { path } | Place::MountPoint { path } | Place::Disk { path, .. } => path,
        }
    }

    /// Makes sure that what lies there now may be written to at all: for all but a plain directory, that `st_dev`
    /// differs from the system's root and from the parent directory's. Gives `st_dev`.
    ///
    /// Fails with [`Fault::NotMounted`], and with [`Fault::Missing`] if nothing is there.
    pub(super) fn survey(&self) -> Result<u64, VolumeError> {
        let path = self.path();
        let device = device_at(path)?;
        match self {
            Place::Directory { .. } => {}
            Place::MountPoint { .. } | Place::Disk { .. } => {
                if device == device_at(Path::new("/"))? || device == device_at(&path.join(".."))? {
                    let detail = "what would be written there would fill the system's own disk";
                    return Err(VolumeError::found(Fault::NotMounted, "use", path, detail));
                }
            }
        }
        Ok(device)
    }
}
