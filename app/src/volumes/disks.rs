//! Disks: what comes and goes of them, joined from three witnesses: udev (which devices there are), the kernel's table of
//! mounts (where volumes are mounted) and the helper's reports (what it did with each disk). Facts for the loop; what
//! follows from them is core's to decide.
//!
//! Words: a disk is **gone** when its device or its mount is, whichever is told first, and that is told once. The same
//! volume that returns under another device name is told as mounted with the same id. A disk is **left** if it is not
//! used: it is none of ours, or the helper could not bring it into use.
//!
//! Where there is no udev, mounts alone are watched; where there are no reports, what can be known from outside is told.

mod join;

use super::facts::Surroundings;
use super::mounts::{self, DeviceNumber, MountTable, MountWatch};
use super::report::DiskReport;
use super::source::Source;
use super::udev::{self, BlockEvent, BlockWatch};
use glib::IOCondition;
use holdfast_core::disk::{Bus, Filesystem, Text, Unfit};
use holdfast_core::event::{Fault, Label};
use holdfast_wire::ids::VolumeId;
use join::{Join, World};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use std::cell::{Cell, RefCell};
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::rc::{Rc, Weak};
use std::time::Instant;

/// What happened to a disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DiskChange {
    /// A volume is mounted, its device is there.
    Mounted(VolumeMount),
    /// The device or the mount of a volume that was told as mounted is gone.
    Gone {
        /// Which volume.
        id: VolumeId,
    },
    /// A disk is there that is not used.
    LeftAlone {
        /// What a person calls it: "sdb1 (NTFS, PHOTOS)".
        label: Label,
        /// Why.
        reason: Unfit,
    },
    /// A disk is there that should be used and cannot be: the helper says why.
    Failed {
        /// What a person calls it.
        label: Label,
        /// Which volume it says it is, as far as that is known.
        volume: Option<VolumeId>,
        /// Why.
        fault: Fault,
        /// The story in a sentence for a person.
        text: String,
    },
    /// What `LeftAlone` or `Failed` told of this disk is over: it is gone, used now, or told anew right after this.
    LeftGone {
        /// As it was told.
        label: Label,
    },
}

/// A mounted volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumeMount {
    /// Which volume, as the name of its mount point says.
    pub id: VolumeId,
    /// Where.
    pub path: PathBuf,
    /// What `st_dev` says of the files on it.
    pub device: DeviceNumber,
    /// The device's name in the kernel: "sdb1"; without udev, what was mounted.
    pub name: String,
    /// What a person calls it: "sdb1 (ext4, HOLDFAST)".
    pub label: Label,
    /// How it is connected.
    pub bus: Bus,
    /// Its filesystem; `None` if it is none that Holdfast knows (the tests' own).
    pub filesystem: Option<Filesystem>,
    /// The filesystem's UUID as blkid prints it; empty if it is not known.
    pub uuid: Text,
}

/// A watch of all disks; it ends when this is dropped.
#[derive(Debug)]
pub struct Disks {
    _blocks: Option<BlockWatch>,
    _mounts: MountWatch,
    _reports: Option<Source>,
}

impl Disks {
    /// Calls `told` from the glib loop for each change, and before it returns for what is there now: first what is built
    /// in, then what can be pulled, each by name. `volumes` is the folder below which the helper mounts, `reports` the
    /// one it reports to, `paths` are mount points that the configuration names: what is mounted there is in good use.
    ///
    /// That there is no udev, or no report, is no error. Fails if the table of mounts cannot be read.
    pub fn watch(
        volumes: &Path,
        reports: &Path,
        paths: &[PathBuf],
        told: impl FnMut(DiskChange) + 'static,
    ) -> io::Result<Disks> {
        let watcher = Rc::new_cyclic(|me| Watcher {
            me: me.clone(),
            began: Instant::now(),
            timer: Cell::new(false),
            volumes: volumes.to_owned(),
            reports: reports.to_owned(),
            paths: paths.to_owned(),
            table: RefCell::default(),
            join: RefCell::default(),
            told: RefCell::new(Box::new(told)),
        });
        let (mount_watch, table) = mounts::watch({
            let watcher = Rc::clone(&watcher);
            move |table| {
                *watcher.table.borrow_mut() = table;
                watcher.look(None);
            }
        })?;
        *watcher.table.borrow_mut() = table;
        let (block_watch, blocks) = watch_blocks(&watcher).unzip();
        *watcher.join.borrow_mut() = Join::new(blocks);
        let report_watch = watch_reports(&watcher);
        watcher.look_again(None);
        Ok(Disks { _blocks: block_watch, _mounts: mount_watch, _reports: report_watch })
    }
}

struct Watcher {
    me: Weak<Watcher>,
    began: Instant,
    /// Whether it is to be woken by a clock.
    timer: Cell<bool>,
    volumes: PathBuf,
    reports: PathBuf,
    paths: Vec<PathBuf>,
    table: RefCell<MountTable>,
    join: RefCell<Join>,
    told: RefCell<Box<dyn FnMut(DiskChange)>>,
}

impl Watcher {
    /// Looks at everything after another witness than the table of mounts said something; that one may be ahead of its
    /// own word, which still waits in the loop.
    fn look_again(&self, event: Option<BlockEvent>) {
        match MountTable::read() {
            Ok(table) => *self.table.borrow_mut() = table,
            // It was there when the watch began, so memory is short: what it said last has to do.
            Err(error) => {
                log::error!("the table of mounts could not be read, so a disk may be missed: {error}")
            }
        }
        self.look(event);
    }

    fn look(&self, event: Option<BlockEvent>) {
        let is_volume = |path: &Path| {
            path.parent() == Some(&self.volumes) || self.paths.iter().any(|configured| configured == path)
        };
        let reports = DiskReport::all(&self.reports);
        let changes = {
            let table = self.table.borrow();
            let around = Surroundings::of(&table, is_volume);
            let world = World {
                volumes: &self.volumes,
                table: &table,
                around: &around,
                reports: &reports,
                now: &udev::at,
                at: self.began.elapsed(),
            };
            let mut join = self.join.borrow_mut();
            if let Some(event) = event {
                join.take(event, &world);
            }
            join.look(&world)
        };
        changes.into_iter().for_each(|change| (self.told.borrow_mut())(change));
        self.wake_in_time();
    }

    /// Has itself woken when the helper has been silent for too long: nobody else would say so.
    fn wake_in_time(&self) {
        let now = self.began.elapsed();
        let Some(at) = self.join.borrow().look_again_at(now) else { return };
        if self.timer.replace(true) {
            return; // for a disk that waits longer
        }
        let me = self.me.clone();
        // By a second late rather than by a moment early, which would be to be woken again for it.
        glib::timeout_add_seconds_local_once(
            u32::try_from((at - now).as_secs()).unwrap_or(u32::MAX).saturating_add(1),
            move || {
                if let Some(watcher) = me.upgrade() {
                    watcher.timer.set(false);
                    watcher.look_again(None);
                }
            },
        );
    }
}

fn watch_blocks(watcher: &Rc<Watcher>) -> Option<(BlockWatch, Vec<udev::Block>)> {
    if !udev::is_running() {
        log::info!(
            "there is no udev: disks are known by their mounts alone, and those left alone are not named"
        );
        return None;
    }
    let watcher = Rc::clone(watcher);
    match udev::watch(udev::RECEIVE_BUFFER, move |event| watcher.look_again(Some(event))) {
        Ok(watched) => Some(watched),
        Err(error) => {
            log::warn!("udev cannot be listened to, so disks are known by their mounts alone: {error}");
            None
        }
    }
}

/// Wakes when a report was put in place or removed. Without it a report is read with the next event of another witness,
/// which a mount always brings; only what the helper left alone would be told late.
fn watch_reports(watcher: &Rc<Watcher>) -> Option<Source> {
    let opened = || -> io::Result<OwnedFd> {
        fs::create_dir_all(&watcher.reports)?;
        let descriptor = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
        // Reports are put in place by renaming.
        let of_interest = WatchFlags::MOVED_TO | WatchFlags::MOVED_FROM | WatchFlags::DELETE;
        inotify::add_watch(&descriptor, &watcher.reports, of_interest)?;
        Ok(descriptor)
    };
    match opened() {
        Ok(descriptor) => {
            let watcher = Rc::clone(watcher);
            Some(Source::on(descriptor, IOCondition::IN, move |descriptor| {
                if drain(descriptor) {
                    watcher.look_again(None);
                }
            }))
        }
        Err(error) => {
            log::warn!(
                "{} cannot be watched, so what the helper says of a disk is heard late: {error}",
                watcher.reports.display()
            );
            None
        }
    }
}

/// Takes what waits in an inotify descriptor, whose flag lets no read wait. Whether there was something: which report it
/// was does not matter, since all are read.
fn drain(descriptor: &OwnedFd) -> bool {
    let mut any = false;
    let mut buffer = [0; 4096]; // some dozens of events
    while rustix::io::read(descriptor, &mut buffer).is_ok_and(|length| length > 0) {
        any = true;
    }
    any
}
