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

mod age;
mod choice;
mod jobs;

use crate::time::{Mono, Wall};
use age::Ages;
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
    /// [`Cleaner::step`] alone, and never while a deletion is not answered.
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

impl Threshold {
    fn of(self, total: u64) -> u64 {
        let part = u128::from(total) * u128::from(self.per_mille) / 1000;
        self.bytes.min(u64::try_from(part).unwrap_or(u64::MAX))
    }
}

/// When to clean.
///
/// Where most of a filesystem is taken by protected footage or by what is not ours, less is kept free: a quarter to begin, a
/// half to end, of what is free or may be deleted. Otherwise all footage would be deleted as soon as it is there.
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
    /// Nothing more may be deleted, or deleting does not help, or little of what takes the space may be deleted; and less than
    /// wanted is free. Said once until that changes; owed is to tell a person. Cleaning goes on by itself: step again as
    /// after `Rest`.
    Exhausted {
        /// Bytes that are still to be freed.
        wanted: u64,
        /// Bytes of protected footage that were passed over to find this: at least so much is protected.
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

/// While a full volume is freed, also so much as comes in meanwhile and shortly after: otherwise every turn would meet
/// the full volume again.
const EASE: Duration = Duration::from_secs(10);

/// When nothing more may be deleted, or it does not help, it is tried again after this time.
const RETRY: Duration = Duration::from_secs(60);

/// So often a full volume is freed without a write that succeeded, each time of twice as much; then once in [`RETRY`]. More
/// would be lost for nothing where deleting frees nothing (a snapshot holds it, somebody else takes it at once).
const VAIN: u8 = 4;

/// What is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Job {
    Idle,
    /// Looking for a camera's first segment that has a date. So many without one were passed over.
    Survey {
        undated: usize,
    },
    /// Deleting what is due by age.
    Age,
    /// Deleting until so many bytes more are on their way.
    Space {
        left: u64,
    },
    /// Freeing a full volume.
    Full,
}

/// Whether writes are held back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fullness {
    No,
    /// Bytes.
    Freeing {
        wanted: u64,
        freed: u64,
    },
    /// No more could be done. A write is tried again after this moment, or when more is free than was then.
    Waiting {
        until: Mono,
        wanted: u64,
        free: Option<u64>,
    },
}

/// How the free space stands to the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    /// As much as `stop` was free, and not yet less than `start` since.
    Enough,
    /// Less than `start` was free, and not yet as much as `stop` since.
    Low,
}

/// What one round of deleting for space began with, to see whether it helped.
#[derive(Clone, Copy, Debug)]
struct Round {
    began: Mono,
    free: u64,
    freed: u64,
}

/// Deletions that are not answered yet.
#[derive(Clone, Copy, Debug, Default)]
struct Flying {
    number: u32,
    bytes: u64,
}

/// What a person was told and is still so.
#[derive(Clone, Copy, Debug, Default)]
struct Told {
    space: bool,
    full: bool,
}

/// See the module. One for each volume that is open.
#[derive(Debug)]
pub struct Cleaner {
    rules: Rules,
    /// The newest figures, and from when they are.
    figures: Option<(Space, Mono)>,
    rate: u64,
    level: Level,
    job: Job,
    full: Fullness,
    /// How often a full volume was freed since a write succeeded.
    tries: u8,
    /// When it is freed again after too many of these.
    vain_until: Mono,
    ages: Ages,
    next_age: Mono,
    /// No deleting for space before.
    space_from: Mono,
    round: Option<Round>,
    /// The last answer to a deletion that was done.
    gone: Option<Mono>,
    flying: Flying,
    /// Bytes passed over since the last rewind.
    protected: u64,
    told: Told,
    /// Of the last call.
    now: Mono,
}

impl Cleaner {
    /// One that knows nothing of its volume yet: it rests until it is told.
    pub const fn new(rules: Rules) -> Self {
        Cleaner {
            rules,
            figures: None,
            rate: 0,
            level: Level::Enough,
            job: Job::Idle,
            full: Fullness::No,
            tries: 0,
            vain_until: Mono(0),
            ages: Ages::new(),
            next_age: Mono(0),
            space_from: Mono(0),
            round: None,
            gone: None,
            flying: Flying { number: 0, bytes: 0 },
            protected: 0,
            told: Told { space: false, full: false },
            now: Mono(0),
        }
    }

    /// The filesystem's figures. Without them nothing is deleted for space; a full volume is cleaned all the same.
    pub fn space(&mut self, now: Mono, space: Result<Space, SpaceUnknown>) {
        self.now = now;
        let Ok(space) = space else {
            self.figures = None;
            self.leave_space();
            return;
        };
        self.figures = Some((space, now));
        self.judge(space);
        if let Fullness::Waiting { wanted, free: Some(free), .. } = self.full
            && space.free >= free.saturating_add(wanted)
        {
            self.full = Fullness::No;
        }
    }

    /// Bytes a second that come in, as a mean of a minute or more (a burst after a pause is no rate): the space kept free is
    /// never below what comes in 60 s, up to a quarter of the filesystem.
    pub const fn rate(&mut self, bytes_per_second: u64) {
        self.rate = bytes_per_second;
    }

    /// A step of the wall clock that the ledger tells of: to be said before the first [`Cleaner::step`], oldest first, of
    /// those of the time that retention spans. Footage from before a step forward then counts as no older than it is.
    /// `at`: when, in the new time; `by_micros`: by how much, forward positive. Later steps are seen without being told.
    pub fn stepped(&mut self, at: Wall, by_micros: i64) {
        self.ages.stepped(at, by_micros);
    }

    /// A write met ENOSPC or EDQUOT: so much is to be freed before it is tried again. What was deleted is counted
    /// for it, since with a quota the figures of the filesystem may be wrong. Said again meanwhile, the larger counts.
    pub fn full(&mut self, now: Mono, wanted: u64) {
        self.now = now;
        let wanted = wanted.max(self.comes_in(EASE)).max(1);
        let free = self.figures.map(|(space, _)| space.free);
        match &mut self.full {
            Fullness::No if now < self.vain_until => {
                self.full = Fullness::Waiting { until: self.vain_until, wanted, free };
            }
            Fullness::No => {
                let wanted = wanted.saturating_mul(1 << self.tries.min(VAIN - 1));
                self.full = Fullness::Freeing { wanted, freed: 0 };
            }
            Fullness::Freeing { wanted: before, .. } | Fullness::Waiting { wanted: before, .. } => {
                *before = wanted.max(*before);
            }
        }
    }

    /// A write succeeded: what was deleted for a full volume had helped. To be told of the first write after `full`;
    /// without it deleting is thought to be in vain after a few times, and goes on at a slower pace.
    pub const fn written(&mut self) {
        self.tries = 0;
        self.vain_until = Mono(0);
        self.told.full = false;
        if let Fullness::Waiting { .. } = self.full {
            self.full = Fullness::No;
        }
    }

    /// Whether what `full` wanted is not freed yet: a write would be in vain.
    pub const fn is_full(&self) -> bool {
        match self.full {
            Fullness::No => false,
            Fullness::Freeing { .. } | Fullness::Waiting { .. } => true,
        }
    }

    /// A candidate of so many bytes (as it was given) is gone.
    pub fn deleted(&mut self, bytes: u64) {
        self.answered(bytes);
        self.gone = Some(self.now);
        if let Some(round) = &mut self.round {
            round.freed = round.freed.saturating_add(bytes);
        }
        if let Fullness::Freeing { wanted, freed } = &mut self.full {
            *freed = freed.saturating_add(bytes);
            if freed >= wanted {
                self.full = Fullness::No;
                self.tries = self.tries.saturating_add(1);
                if self.tries >= VAIN {
                    self.vain_until = self.now + RETRY;
                }
            }
        }
    }

    /// A candidate of so many bytes (as it was given) could not be deleted. Others are tried; it is given
    /// again after a rewind.
    pub const fn failed(&mut self, bytes: u64) {
        self.answered(bytes);
        if let Job::Space { left } = &mut self.job {
            *left = left.saturating_add(bytes);
        }
    }

    /// The next step; to be called until it is no `Delete`, at the adapter's pace. `clock`: the wall time if it is
    /// trusted, else `None`.
    pub fn step(&mut self, now: Mono, clock: Option<Wall>, shelf: &mut impl Shelf) -> Step {
        self.now = now;
        self.ages.look(now, clock);
        if let Fullness::Waiting { until, .. } = self.full
            && now >= until
        {
            self.full = Fullness::No;
        }
        match self.full {
            Fullness::Freeing { .. } if self.job != Job::Full => self.job = Job::Idle,
            Fullness::No | Fullness::Waiting { .. } if self.job == Job::Full => self.job = Job::Idle,
            Fullness::No | Fullness::Freeing { .. } | Fullness::Waiting { .. } => {}
        }
        loop {
            let next = match self.job {
                Job::Idle => self.begin(shelf),
                Job::Survey { undated } => self.survey(undated, shelf),
                Job::Age => self.age(shelf),
                Job::Space { left } => self.make_space(left, shelf),
                Job::Full => self.free(shelf),
            };
            // A job that hands over has set another one, and only `Idle` leads to a new one: each is met once at most.
            if let Some(step) = next {
                return step;
            }
        }
    }
}
