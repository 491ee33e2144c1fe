//! A turn of cleaning: the core's steps carried out, a few at a time, so that footage is written in between.

use super::Check;
use super::full::{Memory, has_room, wanted};
use super::protection::{ProtectError, Protection, Protections, Wish};
use super::reserve::{self, Reserve};
use super::shelf::{Ages, DiskShelf, Given};
use crate::ledger::{LedgerWriter, SegmentScanner};
use crate::volumes::{VolumeError, layout, sync_directory};
use holdfast_core::event::VolumeEvent;
use holdfast_core::retention::{Cleaner, Rule, Rules, Space, SpaceUnknown, Step};
use holdfast_core::time::{Mono, Wall};
use holdfast_wire::ids::{Name, VolumeId};
use holdfast_wire::ledger::{Record, SegmentDeleted};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Most deletions of one turn. Four turns a second delete 32 segments a second: ten times what 32 cameras close in
/// segments of 10 s, and a turn stays short.
const BATCH: usize = 8;

/// How long listing and counting may take of one turn.
const SLICE: Duration = Duration::from_millis(20);

/// How often the filesystem's figures are given to the cleaner.
const SPACE_EVERY: Duration = Duration::from_secs(1);

/// Over how long the rate of what comes in is taken: two segments of the default length, so that cameras that close
/// theirs at once do not make it jump.
const RATE_OVER: Duration = Duration::from_secs(120);

/// By which rules a volume is cleaned.
#[derive(Clone, Debug)]
pub struct Retention {
    /// When to clean.
    pub rules: Rules,
    /// How long footage is kept.
    pub ages: Ages,
    /// The same one for all openings of a volume's place.
    pub memory: Memory,
}

impl Default for Retention {
    /// The rules of [`Rules::DEFAULT`], and footage of any age.
    fn default() -> Self {
        Retention { rules: Rules::DEFAULT, ages: Ages::default(), memory: Memory::default() }
    }
}

/// Now, by both clocks.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// The monotonic clock.
    pub mono: Mono,
    /// The wall clock, for records.
    pub wall: Wall,
    /// Whether that can be trusted.
    pub trusted: bool,
}

/// What is told of deleting.
pub type Tell<'a> = &'a mut dyn FnMut(VolumeEvent);

/// What cleaning works with, for one turn.
pub struct Work<'a> {
    /// The volume's ledger.
    pub ledger: &'a mut LedgerWriter,
    /// Asked before each change.
    pub check: Check<'a>,
    /// Hears what was deleted.
    pub tell: Tell<'a>,
}

/// What a volume is, for cleaning.
pub struct Site<'a> {
    /// Its root.
    pub root: &'a Path,
    /// Its identity.
    pub id: VolumeId,
    /// Identities that its segments may carry too: its former ones.
    pub formerly: Vec<VolumeId>,
    /// The cameras that are configured.
    pub cameras: &'a [Name],
    /// The number that its next segment will have.
    pub next_sequence: u32,
    /// Asked before each change.
    pub check: Check<'a>,
}

/// Cleaning of one open volume.
pub struct Cleaning {
    pub(super) root: PathBuf,
    pub(super) id: VolumeId,
    pub(super) memory: Memory,
    pub(super) cleaner: Cleaner,
    pub(super) shelf: DiskShelf,
    pub(super) next_step: Mono,
    /// Files that recording makes at once: a segment for each camera, and what the ledger needs.
    pub(super) files: usize,
    space_asked: Option<Mono>,
    rate: Rate,
    reserve: Reserve,
    /// Directories were removed since [`Cleaning::directories_removed`] asked.
    removed: bool,
}

/// Bytes that come in.
#[derive(Debug, Default)]
struct Rate {
    since: Option<Mono>,
    bytes: u64,
}

impl Cleaning {
    /// Cleaning of the volume at `site`, whose ledger has just been recovered.
    ///
    /// Makes the list of protections and the reserve if there is none. Fails if the volume cannot be listed or written to.
    pub fn open(
        site: Site,
        retention: Retention,
        ledger: &LedgerWriter,
        scanner: Box<dyn SegmentScanner + Send>,
        now: Moment,
    ) -> Result<Self, VolumeError> {
        let Site { root, id, formerly, cameras, next_sequence, check } = site;
        let ids = std::iter::once(id).chain(formerly).collect();
        let mut said = Vec::new();
        let is_new = ledger.history().is_new();
        let protection = Protection::open(root, is_new, &mut said)?;
        let ages = retention.ages;
        let mut shelf = DiskShelf::open(root, ids, ages, cameras, next_sequence, protection, scanner)?;
        shelf.set_now(now.mono);
        shelf.said = said;
        let mut cleaner = Cleaner::new(retention.rules);
        ledger.history().steps().for_each(|(at, by_micros)| cleaner.stepped(at, by_micros));
        let reserve = reserve::look(root)?;
        let files = cameras.len() + 1;
        if reserve == Reserve::GivenUp && !has_room(root, files, check)? {
            cleaner.full(now.mono, wanted(root));
        }
        let mut cleaning = Cleaning {
            root: root.to_owned(),
            id,
            memory: retention.memory,
            cleaner,
            shelf,
            next_step: now.mono,
            files,
            space_asked: None,
            rate: Rate::default(),
            reserve,
            removed: false,
        };
        if !cleaning.cleaner.is_full() {
            if is_new && let Protection::Known(protections) = &cleaning.shelf.protection {
                protections.write(root, now.wall, check)?;
            }
            cleaning.keep_reserve(check)?;
        }
        Ok(cleaning)
    }

    /// One turn: deletes a few segments if that is due; goes on listing and counting if not. `space`: what the filesystem
    /// says is free, and of how much.
    ///
    /// Fails if the ledger cannot be written, or the list of protections that was made anew.
    pub fn turn(
        &mut self,
        moment: Moment,
        space: impl FnOnce() -> Option<Space>,
        work: &mut Work,
    ) -> Result<(), VolumeError> {
        let now = moment.mono;
        self.shelf.set_now(now);
        if self.space_asked.is_none_or(|asked| now.since(asked) >= SPACE_EVERY) {
            self.space_asked = Some(now);
            self.cleaner.space(now, space().ok_or(SpaceUnknown));
            self.rate(now);
            // New figures may ask for what the step before did not: it may have said to rest for a minute.
            self.next_step = now;
        }
        let knows = self.go_on_protecting(moment.wall, work.check)?;
        // Until each day was listed once, the first head would list them all.
        if knows && self.shelf.list(slice()) && now >= self.next_step {
            let planned = self.plan(moment, BATCH, work.tell);
            if !planned.is_empty() {
                self.delete(planned, moment.wall, work)?;
                if self.reserve != Reserve::Kept {
                    self.keep_reserve(work.check)?;
                }
                self.say();
                return Ok(());
            }
        }
        self.shelf.count(slice());
        self.say();
        Ok(())
    }

    /// A segment of this number is being written.
    pub fn opened(&mut self, camera: &Name, start: Wall, sequence: u32) {
        self.shelf.opened(camera, start, sequence);
    }

    /// A segment is closed.
    pub fn closed(&mut self, camera: &Name, sequence: u32, bytes: u64) {
        self.rate.bytes = self.rate.bytes.saturating_add(bytes);
        self.shelf.closed(camera, sequence, bytes);
    }

    /// Bytes of footage that a rule might delete; `None` until all of it has been counted.
    pub fn footage(&self) -> Option<u64> {
        self.shelf.all_footage()
    }

    /// Protects what is wished, durably, and gives back its number. See [`Protections::protect`].
    pub fn protect(
        &mut self,
        wish: Wish,
        at: Wall,
        ledger: &mut LedgerWriter,
        check: Check,
    ) -> Result<u32, ProtectError> {
        let number = self.shelf.protection.known()?.protect(&self.root, ledger, wish, at, check);
        self.shelf.protections_changed();
        number
    }

    /// Takes a protection back, durably. See [`Protections::unprotect`].
    pub fn unprotect(
        &mut self,
        number: u32,
        at: Wall,
        ledger: &mut LedgerWriter,
        check: Check,
    ) -> Result<(), ProtectError> {
        let done = self.shelf.protection.known()?.unprotect(&self.root, ledger, number, at, check);
        self.shelf.protections_changed();
        done
    }

    /// The protections that hold.
    pub fn protections(&mut self) -> Result<&Protections, ProtectError> {
        self.shelf.protection.known().map(|protections| &*protections)
    }

    /// Whether directories were removed since this was asked last: none is known to be there any more.
    pub fn directories_removed(&mut self) -> bool {
        std::mem::take(&mut self.removed)
    }

    /// Goes on making the list of protections anew, if that is under way. True once it is known.
    pub(super) fn go_on_protecting(&mut self, at: Wall, check: Check) -> Result<bool, VolumeError> {
        let DiskShelf { protection, said, .. } = &mut self.shelf;
        if protection.is_known() {
            return Ok(true);
        }
        let known = protection.go_on(&self.root, at, check, slice(), said)?;
        if known {
            self.shelf.protections_changed();
        }
        Ok(known)
    }

    /// What the core wants deleted now, at most so many.
    pub(super) fn plan(&mut self, moment: Moment, most: usize, tell: Tell) -> Vec<(Given, Rule)> {
        let clock = moment.trusted.then_some(moment.wall);
        let mut planned = Vec::new();
        while planned.len() < most {
            match self.cleaner.step(moment.mono, clock, &mut self.shelf) {
                // The shelf is past it: it is what it gave out last.
                Step::Delete { rule, .. } => {
                    planned.extend(self.shelf.given().last().cloned().map(|given| (given, rule)));
                }
                Step::Rest { until } | Step::Blocked { until } => {
                    self.next_step = until;
                    break;
                }
                Step::Exhausted { wanted, protected, until } => {
                    tell(VolumeEvent::Exhausted { wanted, protected });
                    self.next_step = until;
                    break;
                }
            }
        }
        planned
    }

    /// Records, deletes, tells. How many went.
    pub(super) fn delete(
        &mut self,
        planned: Vec<(Given, Rule)>,
        at: Wall,
        work: &mut Work,
    ) -> Result<usize, VolumeError> {
        record(&planned, at, work.ledger)?;
        let (mut gone, mut told) = (Vec::new(), BTreeMap::<Rule, (u32, u64)>::new());
        for (given, rule) in planned {
            let bytes = given.candidate.bytes;
            (work.check)()?;
            match remove(&given.path) {
                Ok(()) => {
                    self.cleaner.deleted(bytes);
                    let (segments, freed) = told.entry(rule).or_default();
                    (*segments, *freed) = (segments.saturating_add(1), freed.saturating_add(bytes));
                    gone.push(given);
                }
                Err(error) => {
                    self.cleaner.failed(bytes);
                    self.shelf.leave(given.camera, given.candidate.sequence);
                    self.shelf.said.push(format!("{error}; it stays until the volume is opened again"));
                }
            }
        }
        self.shelf.answered(&gone);
        self.tidy(&gone, work.check)?;
        for (rule, (segments, bytes)) in told {
            (work.tell)(VolumeEvent::Deleted { rule, segments, bytes });
        }
        Ok(gone.len())
    }

    /// Makes the deletions durable, and removes the directories that they emptied.
    fn tidy(&mut self, gone: &[Given], check: Check) -> Result<(), VolumeError> {
        let days: BTreeSet<_> = gone.iter().map(|given| (given.camera, given.day, &given.name)).collect();
        for (camera, day, name) in days {
            let directory = layout::day(&self.root, name, day);
            check()?;
            // One that is not empty stays, and says so.
            if fs::remove_dir(&directory).is_err() {
                sync_directory(&directory)?;
                continue;
            }
            self.removed = true;
            self.shelf.day_removed(camera, day);
            let above = layout::camera(&self.root, name);
            check()?;
            if !self.shelf.is_configured(camera) && fs::remove_dir(&above).is_ok() {
                sync_directory(&layout::home(&self.root))?;
            } else {
                sync_directory(&above)?;
            }
        }
        Ok(())
    }

    pub(super) fn keep_reserve(&mut self, check: Check) -> Result<(), VolumeError> {
        self.reserve = if reserve::keep(&self.root, check)? { Reserve::Kept } else { Reserve::GivenUp };
        Ok(())
    }

    fn rate(&mut self, now: Mono) {
        let since = *self.rate.since.get_or_insert(now);
        let passed = now.since(since);
        if passed >= RATE_OVER {
            self.cleaner.rate(self.rate.bytes / passed.as_secs().max(1));
            self.rate = Rate { since: Some(now), bytes: 0 };
        }
    }

    pub(super) fn say(&mut self) {
        let root = self.root.display().to_string();
        for said in self.shelf.said.drain(..) {
            log::warn!(VOLUME = root.as_str(); "{said}");
        }
    }
}

/// The records of these deletions, durable.
fn record(planned: &[(Given, Rule)], at: Wall, ledger: &mut LedgerWriter) -> Result<(), VolumeError> {
    for (Given { name, start, candidate, .. }, rule) in planned {
        let record = SegmentDeleted {
            at,
            sequence: candidate.sequence,
            camera: name.clone(),
            start: *start,
            bytes: candidate.bytes,
            rule: *rule,
        };
        ledger.append(at, &Record::SegmentDeleted(record))?;
    }
    ledger.sync()
}

fn remove(path: &Path) -> Result<(), VolumeError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(VolumeError::io("delete", path, error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// True once a slice of a turn is over.
fn slice() -> impl FnMut() -> bool {
    let begun = Instant::now();
    move || begun.elapsed() >= SLICE
}
