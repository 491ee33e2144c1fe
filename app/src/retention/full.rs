//! A volume that was found full: freed before anything else is written to it, and believed once real bytes and files fit.
//!
//! A volume is full without a free byte, and just as much without a free **inode**, since each segment is a file: then nothing
//! can be made on it, though statvfs may tell of gigabytes.

use super::Check;
use super::cleaning::{Cleaning, Moment, Work};
use super::reserve;
use crate::volumes::VolumeError;
use holdfast_core::time::Mono;
use holdfast_wire::cause::Fault;
use holdfast_wire::ids::VolumeId;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Most deletions of one batch while the volume is full and nothing else is written.
const FULL_BATCH: usize = 32;

/// What a full volume is freed of before it is written to again: half a minute of what a slow disk takes, or this part of
/// a small one. The core doubles it three times if it does not help: a quarter of a small disk is what can be lost in vain.
const WANTED: u64 = 64 << 20;
const WANTED_PART: u64 = 64;

/// At most so many real bytes, and never more than half of what was freed, must fit beside the reserve before a volume that
/// was full is believed to have room: a fifth of a second of a USB stick.
const PROBE: u64 = 4 << 20;

/// How long a full volume is cleaned at most before it is given back: the core tries again.
const EMERGENCY: Duration = Duration::from_secs(20);

/// How long counting may take before a full volume is cleaned: without it the oldest goes, whoever has little.
const COUNTING: Duration = Duration::from_secs(1);

/// A volume on which deleting was in vain is left alone for so long at least; a person may have made room then.
const VAIN: Duration = Duration::from_secs(60);

/// What is remembered of a volume from one opening to the next, in one life of the recorder: that deleting on it was in
/// vain, since deleting more and more of it at each opening would lose everything for nothing.
#[derive(Clone, Debug, Default)]
pub struct Memory(Arc<Mutex<Option<Vain>>>);

/// Deleting did not make room.
#[derive(Clone, Copy, Debug)]
struct Vain {
    volume: VolumeId,
    /// Not to be tried before.
    until: Mono,
}

impl Memory {
    fn of(&self, volume: VolumeId) -> Option<Vain> {
        // A thread that died while it held this left it whole.
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.filter(|vain| vain.volume == volume)
    }

    fn set(&self, vain: Option<Vain>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = vain;
    }
}

impl Cleaning {
    /// Makes room on a volume that was found full, before anything else is written to it. Does nothing on any other.
    ///
    /// What was freed is believed once some megabytes could really be written. Fails with [`Fault::NoSpace`] if no room is to
    /// be made; that a person is needed has been told then, unless it was told before.
    pub fn make_room(&mut self, mut now: impl FnMut() -> Moment, work: &mut Work) -> Result<(), VolumeError> {
        if !self.cleaner.is_full() {
            return Ok(());
        }
        let vain = self.memory.of(self.id);
        if vain.is_some_and(|vain| now().mono < vain.until) {
            return Err(self.no_room());
        }
        let (begun, mut gone) = (Instant::now(), 0);
        self.shelf.count(move || begun.elapsed() >= COUNTING);
        while begun.elapsed() < EMERGENCY {
            let moment = now();
            self.shelf.set_now(moment.mono);
            if !self.go_on_protecting(moment.wall, work.check)? {
                continue;
            }
            let planned = self.plan(moment, FULL_BATCH, work.tell);
            if !planned.is_empty() {
                gone += self.delete(planned, moment.wall, work)?;
            } else if self.next_step > moment.mono {
                break; // no more is to be had
            }
            if self.cleaner.is_full() {
                continue;
            }
            // A few large segments that went are as few files; that is enough to go on with.
            if has_room(&self.root, self.files.min(gone.max(1)), work.check)? {
                self.cleaner.written();
                self.memory.set(None);
                self.say();
                return self.keep_reserve(work.check);
            }
            // Where it was in vain before, one trial is enough to see whether that has changed.
            if vain.is_some() {
                break;
            }
            self.cleaner.full(moment.mono, wanted(&self.root));
        }
        self.say();
        let until = self.next_step.max(now().mono + VAIN);
        self.memory.set(Some(Vain { volume: self.id, until }));
        Err(self.no_room())
    }

    fn no_room(&self) -> VolumeError {
        let detail = "deleting by its rules does not make room on it";
        VolumeError::found(Fault::NoSpace, "write to", &self.root, detail)
    }
}

/// Gives up the reserve of the volume at `root` if `error` says that it is full: its ledger can be written then, and
/// whoever opens it next makes room first.
pub fn on_error(root: &Path, error: &VolumeError) {
    if matches!(error.fault, Fault::NoSpace | Fault::Quota)
        && let Err(error) = reserve::give_up(root)
    {
        let root = root.display().to_string();
        log::warn!(VOLUME = root.as_str(); "{error}");
    }
}

/// How much a full volume is to be freed of.
pub(super) fn wanted(root: &Path) -> u64 {
    let facts = rustix::fs::statvfs(root);
    let total = facts.map_or(0, |facts| facts.f_blocks.saturating_mul(facts.f_frsize));
    if total == 0 { WANTED } else { WANTED.min(total / WANTED_PART).max(reserve::SIZE) }
}

/// Whether a volume that was full has room for bytes and for so many files, by making them.
pub(super) fn has_room(root: &Path, files: usize, check: Check) -> Result<bool, VolumeError> {
    Ok(reserve::probe_files(root, files, check)?
        && reserve::probe(root, reserve::SIZE + PROBE.min(wanted(root) / 2), check)?)
}
