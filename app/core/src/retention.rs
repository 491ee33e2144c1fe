//! Cleaning: which segment of a volume is deleted next, by which rule, and when nothing more is.
//!
//! Words: a **segment** is one file of footage; the **shelf** is what lies on the volume, for each camera in the order in
//! which it was written, told head by head and never as a list; a **rule** is why a segment may go ([`Rule`]).
//!
//! The adapter owns the volume and does what is said here; it deletes nothing else and waits no longer than it is told:
//!
//! 1. [`Cleaner::space`] about once a second, [`Cleaner::rate`] when it has a new mean, [`Cleaner::full`] at ENOSPC or EDQUOT.
//! 2. [`Cleaner::step`] after each of these and when [`Step::Rest`] is over. A [`Step::Delete`] is answered by
//!    [`Cleaner::deleted`] or [`Cleaner::failed`], at once or several together after one sync: what is not answered yet is
//!    counted as under way, so that no more is planned than is wanted.
//! 3. While [`Cleaner::is_full`] no write is tried again.

use crate::time::{Mono, Wall};
use core::time::Duration;
pub use holdfast_wire::retention::Rule;

/// Most cameras with footage on one volume: the 32 that are configured and as many that no longer are. A shelf
/// leaves out what is more, those with the least footage first.
pub const MAX_SHELF: usize = 64;

/// A segment that a rule might delete: closed, ours, on the volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its number on the volume: the order in which segments were begun, whatever the clock did.
    pub sequence: u32,
    /// When its footage had ended at the latest, by a clock that was trusted when it, or one that followed it, was
    /// written. `None`: not known, so no rule of age applies, to it and to what follows it.
    pub ended: Option<Wall>,
    /// Bytes that its deletion frees.
    pub bytes: u64,
    /// It reaches into a protected span, or it is not known yet whether it does.
    pub protected: bool,
}

/// The heads could not be listed now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unlisted;

/// The filesystem did not tell its figures (statvfs failed).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpaceUnknown;

/// What lies on a volume: for each camera that has footage there, also if it is no longer configured, its segments in
/// the order of their sequence numbers.
///
/// A camera's index keeps its meaning as long as the shelf lives; new ones are added at the end.
pub trait Shelf {
    /// Number of cameras with footage, at most [`MAX_SHELF`].
    fn cameras(&self) -> usize;
    /// Retention of that camera. `None`: it has no limit of age.
    fn age(&self, camera: usize) -> Option<Duration>;
    /// Bytes of its footage that are not passed over and not protected as far as is known; `None` until counted.
    fn footage(&self, camera: usize) -> Option<u64>;
    /// The oldest segment that was not passed over yet; `None`: no more. Asked for each camera at each step: it is to
    /// be remembered until it is passed over.
    fn head(&mut self, camera: usize) -> Result<Option<Candidate>, Unlisted>;
    /// Goes on to the next one. Called by [`Cleaner::step`] alone: the head is to be deleted, or is protected.
    fn pass(&mut self, camera: usize);
    /// Begins again at the oldest that is still there, also for cameras that could not be listed. Called by
    /// [`Cleaner::step`] alone. What is given out for deletion and not answered yet is not given again.
    fn rewind(&mut self);
}

/// An amount of free space: what is less of the two, so that "5 GB or 5 %" is 5 % of a small disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Threshold {
    /// In bytes.
    pub bytes: u64,
    /// In thousandths of the filesystem, at most 1000.
    pub per_mille: u16,
}

/// When to clean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Cleaning begins when less than this is free.
    pub start: Threshold,
    /// It ends when as much as this is free. Never below `start`.
    pub stop: Threshold,
    /// On a full volume, what is older than this goes first.
    pub emergency_age: Duration,
    /// How often the rule of age looks.
    pub age_every: Duration,
}

impl Rules {
    /// 5 GB or 5 %, 10 GB or 10 %; 7 days; every minute: as often as a camera closes a segment.
    pub const DEFAULT: Rules = Rules {
        start: Threshold { bytes: 5_000_000_000, per_mille: 50 },
        stop: Threshold { bytes: 10_000_000_000, per_mille: 100 },
        emergency_age: Duration::from_secs(7 * 86_400),
        age_every: Duration::from_secs(60),
    };
}

/// Figures of a filesystem, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// Free for us (statvfs: `f_bavail`).
    pub free: u64,
    /// All of it (statvfs: `f_blocks`).
    pub total: u64,
}

/// What is to be done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Delete this segment: owed are its record in the ledger, synced, then the file; and then an answer. The shelf is past it.
    Delete {
        /// Whose.
        camera: usize,
        /// Which.
        candidate: Candidate,
        /// By which rule.
        rule: Rule,
    },
    /// Nothing to do now. Step again at this moment at the latest; it may be now, when there is more to look
    /// through than one step does: then go on after other work.
    Rest {
        /// When.
        until: Mono,
    },
    /// Nothing more may be deleted, or deleting does not help, and less than wanted is free. Said once until that changes;
    /// owed is to tell a person. Cleaning is tried again by itself: step again as after `Rest`.
    Exhausted {
        /// Bytes that are still to be freed.
        wanted: u64,
        /// Bytes of protected footage that were passed over.
        protected: u64,
        /// When to step again.
        until: Mono,
    },
    /// A camera's segments could not be listed, nothing else may be deleted, and less than wanted is free.
    Blocked {
        /// When to step again.
        until: Mono,
    },
}

/// See the module. One for each volume that is open.
#[derive(Debug)]
pub struct Cleaner {
    rules: Rules,
    full: bool,
}

impl Cleaner {
    /// One that knows nothing of its volume yet: it rests until it is told.
    pub fn new(rules: Rules) -> Self {
        Cleaner { rules, full: false }
    }

    /// The filesystem's figures. Without them nothing is deleted for space; a full volume is cleaned all the same.
    pub fn space(&mut self, _now: Mono, _space: Result<Space, SpaceUnknown>) {}

    /// Bytes a second that come in, as a mean of a minute or more (a burst after a pause is no rate): the space kept free is
    /// never below what comes in 60 s.
    pub fn rate(&mut self, _bytes_per_second: u64) {}

    /// A write met ENOSPC or EDQUOT: so much is to be freed before it is tried again. What was deleted is counted
    /// for it, since with a quota the figures of the filesystem may be wrong.
    pub fn full(&mut self, _now: Mono, _wanted: u64) {
        self.full = true;
    }

    /// A write succeeded: what was deleted for a full volume had helped. To be told of the first write after `full`;
    /// without it deleting is thought to be in vain after a few times, and goes on at a slower pace.
    pub fn written(&mut self) {}

    /// Whether what `full` wanted is not freed yet: a write would be in vain.
    pub fn is_full(&self) -> bool {
        self.full
    }

    /// The next step; to be called until it is no `Delete`, at the adapter's pace. `clock`: the wall time if it is
    /// trusted, else `None`.
    pub fn step(&mut self, now: Mono, _clock: Option<Wall>, _shelf: &mut impl Shelf) -> Step {
        Step::Rest { until: now + self.rules.age_every }
    }

    /// A candidate of so many bytes (as it was given) is gone.
    pub fn deleted(&mut self, _bytes: u64) {}

    /// A candidate of so many bytes (as it was given) could not be deleted. Others are tried; it is given
    /// again after a rewind.
    pub fn failed(&mut self, _bytes: u64) {}
}
