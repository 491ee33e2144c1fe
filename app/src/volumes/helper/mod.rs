//! The helper: `holdfast volume mount`, `unmount` and `adopt`, run as root by systemd's units or by a person.
//!
//! The recorder needs no privilege, since all that does is here, in a process that lives for a second. What the helper knows
//! it tells in a [report](super::report); what the recorder wants it leaves as a file below `requests/`.
//!
//! Words: to **look** is to mount a disk read-only where nobody sees it; to **show** a mount is to move it to its path.
//! A mount is **stale** if its device is gone.
//!
//! The life of a disk: found ([`probe`]), judged by the core, looked into, checked ([`fsck`]), mounted where nobody sees it
//! ([`detached`]), its marker read, judged or written, its files given to the recorder ([`owner`]), shown at
//! `volumes/<volume id>`. Whatever fails on the way leaves nothing mounted and says so in the report.

pub mod detached;
pub mod fsck;
pub mod mount;
pub mod owner;
pub mod probe;
pub mod requests;
pub mod unmount;
mod words;

use super::VolumeError;
use super::mounts::{DeviceNumber, Mount, MountTable};
use crate::host::clock;
use holdfast_wire::cause::Fault;
use holdfast_wire::ids::{Name, VolumeId};
use holdfast_wire::time::Wall;
use owner::Owner;
use rustix::fs::{FlockOperation, flock};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// What every command of the helper is told.
#[derive(Clone, Debug)]
pub struct Helper {
    /// The directory of reports, requests and mounts: `/run/holdfast`, if nothing else is said.
    pub run: PathBuf,
    /// Below which disks are mounted.
    pub volumes: PathBuf,
    /// Whose the files on a volume are; `None`: root's.
    pub owner: Option<Owner>,
    /// Who this device is; or why that is not known, in which case nothing is adopted.
    pub device: Result<Device, String>,
    /// A random identity, for a volume that has none yet.
    pub new_volume: VolumeId,
    /// Now.
    pub now: Wall,
}

/// Who this device is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Its name.
    pub name: Name,
    /// What it was called before.
    pub formerly: Vec<Name>,
}

impl Helper {
    /// The same for the next thing that is done: later, and with another identity for what it adopts.
    fn anew(&self) -> Result<Helper, VolumeError> {
        let told = |error| VolumeError::io("get random bytes for", &self.run, error);
        let new_volume = clock::random_id().map_err(told)?;
        Ok(Helper { new_volume, now: clock::now().wall, ..self.clone() })
    }

    /// The directory of the reports.
    pub fn reports(&self) -> PathBuf {
        self.run.join("disks")
    }

    /// The directory of the recorder's requests.
    pub fn requests(&self) -> PathBuf {
        self.run.join("requests")
    }

    /// Where a volume is mounted.
    pub fn path_of(&self, volume: VolumeId) -> PathBuf {
        self.volumes.join(volume.to_string())
    }

    /// The mounts below our directory that lie on a device.
    fn mounts_of(&self, table: &MountTable, device: DeviceNumber) -> Vec<PathBuf> {
        let ours = table.below(&self.volumes).filter(|mount| mount.device == device);
        ours.map(|mount| mount.path.clone()).collect()
    }

    /// Waits for the lock that keeps two runs of the helper from doing the same thing at once; given back when it is dropped.
    fn lock(&self, name: &str) -> Result<File, VolumeError> {
        let directory = self.run.join("locks");
        let path = directory.join(name);
        let told = |error: io::Error| VolumeError::io("lock", &path, error);
        fs::create_dir_all(&directory).map_err(told)?;
        let file = File::create(&path).map_err(told)?;
        flock(&file, FlockOperation::LockExclusive).map_err(|errno| told(errno.into()))?;
        Ok(file)
    }
}

/// The table of mounts, as this process sees it.
fn table() -> Result<MountTable, VolumeError> {
    MountTable::read().map_err(|error| VolumeError::io("read", Path::new("/proc/self/mountinfo"), error))
}

/// Whether the device of a mount is gone: pulled, or a reader without its card.
fn is_stale(mount: &Mount) -> bool {
    let folder = Path::new("/sys/dev/block").join(mount.device.to_string());
    let size = fs::read_to_string(folder.join("size")).unwrap_or_default();
    size.trim().is_empty() || size.trim() == "0"
}

/// Something that is wrong with how a command was asked.
fn wrong(operation: &'static str, what: &Path, detail: impl Into<String>) -> VolumeError {
    VolumeError::found(Fault::Missing, operation, what, detail)
}
