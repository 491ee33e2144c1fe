//! Unmounting a volume: on request, or because its device is gone.

use super::{Helper, is_stale, table, wrong};
use crate::volumes::VolumeError;
use crate::volumes::mounts::DeviceNumber;
use crate::volumes::report::{DiskReport, Outcome};
use holdfast_wire::cause::Fault;
use holdfast_wire::ids::{Id128, VolumeId};
use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags, mount_remount, unmount};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// How a mount is taken down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// When nobody uses it any more; what is not written yet is written. A device that is gone is not waited for.
    Orderly,
    /// The recorder has let go of it: the same, and who only reads there (a player, a shell that stands there) does not keep
    /// it. It is made read-only first, so that not a byte can come behind what was synced.
    LetGo,
    /// At once, whoever uses it.
    Lazy,
}

/// What was unmounted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unmounted {
    /// Where something had been mounted.
    pub paths: Vec<PathBuf>,
}

/// Unmounts what a person, systemd or the recorder names: a volume's id, a path below our directory, a disk. Nothing that
/// is not mounted below our directory is touched. That nothing is mounted is no error.
///
/// # Errors
/// With [`Fault::InUse`] if somebody has files open on it; else as the system says.
pub fn run(helper: &Helper, named: &str, manner: Manner) -> Result<Unmounted, VolumeError> {
    let mut done = Unmounted::default();
    let volume = Id128::parse(named).filter(|_| !named.contains('/'));
    if let Some(volume) = volume {
        let path = helper.path_of(volume);
        done.paths.extend(take_down(&path, manner)?.then(|| path.clone()));
        for report in DiskReport::all(&helper.reports()).iter().filter(|one| one.volume() == Some(volume)) {
            note(helper, report);
        }
        return Ok(done);
    }
    let path = Path::new(named);
    if path.parent() == Some(helper.volumes.as_path()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if Id128::parse(&name).is_some() {
            return run(helper, &name, manner);
        }
        done.paths.extend(take_down(path, manner)?.then(|| path.to_owned()));
        return Ok(done);
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if path.is_absolute() && !path.starts_with("/dev") {
        let detail = format!("it does not lie directly below {}", helper.volumes.display());
        return Err(wrong("unmount", path, detail));
    }
    let report = DiskReport::of(&helper.reports(), &name).unwrap_or_else(|error| {
        log::warn!("the report of {name} is passed over: {error}");
        None
    });
    for path in mounts_of(helper, &name, report.as_ref())? {
        done.paths.extend(take_down(&path, manner)?.then_some(path));
    }
    match &report {
        Some(report) => note(helper, report),
        // Its device may be gone and its report damaged: then it is of no use to anybody.
        None => forget_if_gone(helper, &name),
    }
    Ok(done)
}

/// Where a disk is mounted below our directory: by its number now, and by what its report says, for its number may be gone.
fn mounts_of(helper: &Helper, name: &str, report: Option<&DiskReport>) -> Result<Vec<PathBuf>, VolumeError> {
    let table = table()?;
    let node = fs::metadata(Path::new("/dev").join(name)).ok();
    let number = node.map(|facts| DeviceNumber::of(facts.rdev()));
    let mut paths = number.map(|number| helper.mounts_of(&table, number)).unwrap_or_default();
    if let Some(DiskReport { outcome: Outcome::Mounted { path, .. }, device_number, .. }) = report
        && !paths.contains(path)
        && path.parent() == Some(helper.volumes.as_path())
        // Another disk may be there by now.
        && table.at(path).is_some_and(|mount| mount.device.to_string() == *device_number)
    {
        paths.push(path.clone());
    }
    Ok(paths)
}

/// Unmounts all that is stacked at `path` and removes the directory. Whether something was mounted.
pub(super) fn take_down(path: &Path, manner: Manner) -> Result<bool, VolumeError> {
    let mut was_mounted = false;
    while let Some(mount) = table()?.at(path) {
        let lazily = manner == Manner::Lazy || is_stale(mount);
        if !lazily {
            // So that a disk that fails now is told; unmounting alone would say nothing.
            let synced = File::open(path).and_then(|root| Ok(rustix::fs::syncfs(&root)?));
            if let Err(error) = synced {
                log::warn!("{} could not be synced before it was unmounted: {error}", path.display());
            }
        }
        let flags = if lazily { UnmountFlags::DETACH } else { UnmountFlags::empty() };
        match unmount(path, flags | UnmountFlags::NOFOLLOW) {
            Ok(()) => was_mounted = true,
            // Somebody was quicker.
            Err(Errno::INVAL | Errno::NOENT) => break,
            Err(Errno::BUSY) if manner == Manner::LetGo && make_read_only(path) => {
                unmount(path, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW)
                    .map_err(|errno| VolumeError::io("unmount", path, errno.into()))?;
                log::info!("{} is still read by somebody, who finds nothing new there", path.display());
                was_mounted = true;
            }
            Err(Errno::BUSY) => {
                let detail = "files on it are open; eject it, or say --lazy";
                return Err(VolumeError::found(Fault::InUse, "unmount", path, detail));
            }
            Err(errno) => return Err(VolumeError::io("unmount", path, errno.into())),
        }
    }
    match fs::remove_dir(path) {
        Ok(()) => Ok(was_mounted),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(was_mounted),
        Err(error) => {
            log::warn!("the mount point {} stays: {error}", path.display());
            Ok(was_mounted)
        }
    }
}

/// Writes everything out and lets nobody write any more; the kernel refuses it while a file is open for writing. Whether it
/// is so now.
fn make_read_only(path: &Path) -> bool {
    // An old filesystem driver takes the flags of the mount for new ones: the same as it was mounted with.
    let flags = MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount_remount(path, flags | MountFlags::NOATIME | MountFlags::NOSYMFOLLOW, "")
        .inspect_err(|errno| log::debug!("{} cannot be made read-only: {errno}", path.display()))
        .is_ok()
}

/// Says in a disk's report that it is unmounted, or removes the report if the disk is gone.
fn note(helper: &Helper, report: &DiskReport) {
    if !is_there(&report.disk) {
        return forget_if_gone(helper, &report.disk);
    }
    let Outcome::Mounted { volume, .. } = report.outcome else { return };
    let volume: VolumeId = volume;
    let text = format!("{} is unmounted: it can be pulled", report.disk);
    let at_micros = helper.now.as_micros();
    let report = DiskReport { outcome: Outcome::Unmounted { volume }, at_micros, text, ..report.clone() };
    if let Err(error) = report.write(&helper.reports()) {
        log::error!("the report of {} cannot be written: {error}", report.disk);
    }
}

fn forget_if_gone(helper: &Helper, disk: &str) {
    if is_there(disk) {
        return;
    }
    if let Err(error) = DiskReport::remove(&helper.reports(), disk) {
        log::error!("the report of {disk}, which is gone, cannot be removed: {error}");
    }
}

fn is_there(disk: &str) -> bool {
    Path::new("/sys/class/block").join(disk).exists()
}
