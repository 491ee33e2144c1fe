//! From records to an account: a pure fold, told record by record in their order.
//!
//! Footage is durable where a segment lies and no gap was recorded inside it. What is missing has the
//! cause that was recorded closest to the event; decision 0020 says how that is found. Where a segment lay that a rule
//! deleted, and no other one lies, that rule is the cause.
//!
//! Of segments that are still there some 30 bytes each are remembered, to know what is missing when they are deleted; of
//! those that were deleted nothing. So an account takes memory for what is on the volume, not for all that ever was.

use super::paint::Paint;
use super::{Coverage, GapReport};
use crate::ledger::SegmentFacts;
use holdfast_wire::cause::Cause;
use holdfast_wire::ids::{BootId, Name, SessionId};
use holdfast_wire::ledger::{Protected, Record, SegmentOpened};
use holdfast_wire::retention::Rule;
use holdfast_wire::time::{Span, Wall};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A hole between two segments up to this long, without a record, counts as covered: it is the jitter of
/// one to three frames' arrival. The core records every longer one.
pub const JITTER: Duration = Duration::from_millis(100);

/// The end of a span that no one knows the end of yet.
const OPEN_END: Wall = Wall(i64::MAX);

/// What is wanted of an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// From when; without it, from when each camera was first owed.
    pub since: Option<Wall>,
    /// Until when; without it, until the ledger's last word of each camera.
    pub until: Option<Wall>,
    /// Now, if a recorder is at work on the volume: gaps that are still open reach this far.
    pub live: Option<Wall>,
}

/// The account of a ledger, as far as it was told.
#[derive(Clone, Debug, Default)]
pub struct Fold {
    cameras: BTreeMap<Name, Account>,
    sessions: Vec<Session>,
    open: BTreeMap<u32, (SegmentOpened, usize)>,
    steps: Vec<Span>,
    device: Option<Name>,
    last_word: Option<Wall>,
    orphans: BTreeSet<u32>,
}

#[derive(Clone, Debug)]
struct Session {
    id: SessionId,
    boot: BootId,
    started: Wall,
    last_word: Wall,
    ended: bool,
    rebuilt: bool,
}

#[derive(Clone, Debug, Default)]
struct Account {
    owed: Vec<Span>,
    /// How many segments lie over each moment: more than one where the clock was set back.
    durable: Paint<u32>,
    /// How many of them show the fallback stream.
    fallback: Paint<u32>,
    /// What is on the volume, by number: the time that each covers, with the jitter beside it, and whether it shows the
    /// fallback stream.
    segments: BTreeMap<u32, (Span, bool)>,
    /// Where segments lay that were deleted.
    deleted: Paint<Rule>,
    gaps: Vec<(usize, Span, Cause)>,
    opened: Vec<OpenGap>,
    footage: BTreeMap<usize, Footage>,
    /// Footage was missing when the ledger last spoke of this camera.
    is_missing: bool,
}

#[derive(Clone, Copy, Debug)]
struct OpenGap {
    session: usize,
    from: Wall,
    to: Option<Wall>,
    cause: Cause,
}

/// A camera's footage in one session.
#[derive(Clone, Copy, Debug)]
struct Footage {
    /// Its first moment.
    first: Wall,
    /// The end of what was recorded last.
    last: Wall,
    /// The latest moment that is accounted for, by footage or by a gap.
    known: Wall,
}

impl Fold {
    /// Takes the next record.
    pub fn take(&mut self, record: &Record) {
        let session = self.sessions.len().saturating_sub(1);
        match record {
            Record::SessionStarted(started) => {
                let (id, boot, at) = (started.session, started.boot, started.at);
                self.end_open_gaps();
                self.sessions.push(Session {
                    id,
                    boot,
                    started: at,
                    last_word: at,
                    ended: false,
                    rebuilt: false,
                });
                self.device = Some(started.device.clone());
                self.word(at);
            }
            Record::SessionEnded { at, session } => {
                if let Some(last) = self.sessions.last_mut().filter(|last| last.id == *session) {
                    last.ended = true;
                }
                self.word(*at);
                self.end_open_gaps();
            }
            Record::CameraConfigured { at, camera } => {
                self.account(camera).owe(*at);
                self.word(*at);
            }
            Record::CameraRemoved { at, camera } => {
                let account = self.account(camera);
                if let Some(last) = account.owed.last_mut().filter(|last| last.to == OPEN_END) {
                    last.to = last.from.max(*at); // the clock may have been set back
                }
                account.end_open_gap(*at);
                self.word(*at);
            }
            Record::SegmentOpened(opened) => {
                let account = self.account(&opened.camera);
                account.owe(opened.start);
                account.end_open_gap(opened.start);
                account.is_missing = false;
                self.open.insert(opened.sequence, (opened.clone(), session));
                self.word(opened.start);
            }
            Record::SegmentClosed(closed) => {
                match self.open.remove(&closed.sequence) {
                    Some((opened, session)) if closed.frames > 0 => {
                        let span = Span::new(opened.start, closed.end);
                        let account = self.account(&opened.camera);
                        if let Some(whole) = account.store(session, span, opened.fallback) {
                            account.segments.insert(closed.sequence, (whole, opened.fallback));
                        }
                    }
                    Some(_) => {}
                    None => {
                        self.orphans.insert(closed.sequence);
                    }
                }
                self.word(closed.end);
            }
            Record::Gap(gap) => {
                let account = self.account(&gap.camera);
                account.owe(gap.span.from);
                account.gaps.push((session, gap.span, gap.cause));
                account.end_open_gap(gap.span.to);
                account.is_missing = false;
                if let Some(footage) = account.footage.get_mut(&session) {
                    footage.known = footage.known.max(gap.span.to);
                }
                self.word(gap.span.to);
            }
            Record::GapOpened { from, camera, cause } => {
                let account = self.account(camera);
                account.owe(*from);
                account.end_open_gap(*from);
                account.is_missing = true;
                account.opened.push(OpenGap { session, from: *from, to: None, cause: *cause });
                self.word(*from);
            }
            Record::ClockStepped { at, by_micros } => {
                self.steps.push(Span::new(Wall(at.0.saturating_sub(*by_micros)), *at));
                self.word(*at);
            }
            Record::SegmentDeleted(deleted) => {
                self.open.remove(&deleted.sequence);
                self.orphans.remove(&deleted.sequence);
                if let Some(account) = self.cameras.get_mut(&deleted.camera) {
                    account.delete(deleted.sequence, deleted.rule);
                }
                self.word(deleted.at);
            }
            Record::VolumeFaulted { at, .. }
            | Record::Protected(Protected { at, .. })
            | Record::Unprotected { at, .. }
            | Record::Renewed { at, .. }
            | Record::TakenOver { at, .. }
            | Record::TimeCorrected { at, .. } => self.word(*at),
            Record::Rebuilt { .. } => {
                if let Some(last) = self.sessions.last_mut() {
                    last.rebuilt = true;
                }
            }
            // About the ledger, not about time: no word of the recorder.
            Record::Repaired(_) => {}
        }
    }

    /// The segments that are still open: their facts have to be read from their files.
    pub fn open_segments(&self) -> Vec<SegmentOpened> {
        self.open.values().map(|(opened, _)| opened.clone()).collect()
    }

    /// Takes what the file of an open segment holds. Without this, it counts as empty.
    pub fn take_open(&mut self, sequence: u32, facts: &SegmentFacts) {
        let Some((opened, session)) = self.open.remove(&sequence) else { return };
        let account = self.account(&opened.camera);
        for stretch in &facts.stretches {
            account.store(session, *stretch, opened.fallback);
        }
    }

    /// The device that wrote last.
    pub fn device(&self) -> Option<&Name> {
        self.device.as_ref()
    }

    /// Segments that were closed, but whose opening was lost with a damaged record.
    pub fn orphans(&self) -> impl Iterator<Item = u32> + '_ {
        self.orphans.iter().copied()
    }

    /// The cameras that the ledger knows.
    pub fn cameras(&self) -> impl Iterator<Item = &Name> {
        self.cameras.keys()
    }

    /// The account of each camera over the window.
    pub fn report(&self, window: Window) -> Vec<Coverage> {
        self.cameras.iter().map(|(camera, account)| self.report_one(camera, account, window)).collect()
    }

    fn report_one(&self, camera: &Name, account: &Account, window: Window) -> Coverage {
        let first = account.owed.first().map_or(Wall(0), |owed| owed.from);
        let since = window.since.map_or(first, |since| since.max(first));
        let until = window.until.unwrap_or_else(|| self.last_word_of(account, window.live)).max(since);
        let mut report = Coverage {
            camera: camera.clone(),
            span: Span::new(since, until),
            owed_micros: 0,
            durable_micros: 0,
            fallback_micros: 0,
            gaps: Vec::new(),
        };
        let (mut durable, mut deleted) = (account.durable.clone(), account.deleted.clone());
        for (_, gap, _) in &account.gaps {
            durable.erase(*gap);
            // It was missing before the rest was deleted.
            deleted.erase(*gap);
        }
        let (told, derived) = (self.told(account), self.derived(account));
        for owed in &account.owed {
            let owed = Span::new(owed.from.max(since), owed.to.min(until));
            report.owed_micros = report.owed_micros.saturating_add(owed.micros());
            for (piece, stored) in durable.pieces(owed) {
                if stored.is_some() {
                    report.durable_micros = report.durable_micros.saturating_add(piece.micros());
                    // Where the main stream lies beside it, the fallback adds nothing.
                    let alone = account
                        .fallback
                        .pieces(piece)
                        .into_iter()
                        .filter(|(_, fallback)| *fallback == stored);
                    let alone = alone.map(|(piece, _)| piece.micros()).sum::<i64>();
                    report.fallback_micros = report.fallback_micros.saturating_add(alone);
                    continue;
                }
                for (piece, rule) in deleted.pieces(piece) {
                    match rule {
                        Some(rule) => report.add(piece, Cause::Deleted(rule)),
                        None => report.explain(piece, &told, &derived),
                    }
                }
            }
        }
        report
    }

    /// Causes that were recorded. Of a session's own records a whole gap says more than one that was
    /// opened; of two sessions' the earlier one was closer to the event.
    fn told(&self, account: &Account) -> Paint<Cause> {
        let mut told = Paint::new();
        // Both were told in the order of their sessions.
        let (mut gaps, mut opened) = (account.gaps.as_slice(), account.opened.as_slice());
        while let Some(number) = next_session(gaps, opened) {
            let (of_session, later) = gaps.split_at(gaps.partition_point(|(session, ..)| *session == number));
            of_session.iter().for_each(|(_, span, cause)| told.fill(*span, *cause));
            gaps = later;
            let (of_session, later) = opened.split_at(opened.partition_point(|gap| gap.session == number));
            for gap in of_session {
                told.fill(Span::new(gap.from, gap.to.unwrap_or(OPEN_END)), gap.cause);
            }
            opened = later;
        }
        told
    }

    /// Causes that follow from how sessions began and ended, where no record says more.
    fn derived(&self, account: &Account) -> Paint<Cause> {
        let mut derived = Paint::new();
        for (number, session) in self.sessions.iter().enumerate() {
            let footage = account.footage.get(&number);
            let first = footage.map_or(session.last_word, |footage| footage.first);
            let after = footage.map_or(session.last_word, |footage| footage.last);
            derived.paint(Span::new(session.started, first), Cause::Starting);
            let next = self.sessions.get(number + 1);
            let to = next.map_or(OPEN_END, |next| next.started);
            let cause = match (session.ended, session.rebuilt, next) {
                (true, _, _) => Cause::Stopped,
                (false, true, _) | (false, false, None) => continue,
                (false, false, Some(next)) if next.boot == session.boot => Cause::Crashed,
                (false, false, Some(_)) => Cause::PowerLost,
            };
            derived.paint(Span::new(after, to), cause);
        }
        self.steps.iter().for_each(|step| derived.paint(*step, Cause::ClockStepped));
        derived
    }

    /// Until when a camera is owed if nobody says: as far as the ledger knows of it. What a recorder holds
    /// in memory is on its way and not yet missing.
    fn last_word_of(&self, account: &Account, live: Option<Wall>) -> Wall {
        if let Some(known) = self.known_until(account) {
            return known;
        }
        let recorded = self.cameras.values().filter_map(|account| self.known_until(account)).max();
        match (recorded, live) {
            // A recorder is at work and no camera gives it footage: time passes all the same.
            (None, Some(now)) => now,
            (recorded, _) => recorded.max(self.last_word).unwrap_or_default(),
        }
    }

    /// How far a camera is accounted for, if it was being recorded when the ledger ends.
    fn known_until(&self, account: &Account) -> Option<Wall> {
        let current = self.sessions.len().saturating_sub(1);
        let is_owed = account.owed.last().is_some_and(|owed| owed.to == OPEN_END);
        let footage = account.footage.get(&current).filter(|_| is_owed && !account.is_missing);
        footage.map(|footage| footage.known)
    }

    /// What held when a session ended is known to have held until its last word, and no longer.
    fn end_open_gaps(&mut self) {
        let Some(at) = self.sessions.last().map(|session| session.last_word) else { return };
        self.cameras.values_mut().for_each(|account| account.end_open_gap(at));
    }

    fn account(&mut self, camera: &Name) -> &mut Account {
        self.cameras.entry(camera.clone()).or_default()
    }

    fn word(&mut self, at: Wall) {
        self.last_word = Some(at);
        if let Some(session) = self.sessions.last_mut() {
            session.last_word = at;
        }
    }
}

/// The earliest session that any of these were told in.
fn next_session(gaps: &[(usize, Span, Cause)], opened: &[OpenGap]) -> Option<usize> {
    let (gap, opened) = (gaps.first().map(|(session, ..)| *session), opened.first().map(|gap| gap.session));
    gap.into_iter().chain(opened).min()
}

impl Account {
    fn owe(&mut self, from: Wall) {
        if self.owed.last().is_none_or(|last| last.to != OPEN_END) {
            // A clock set back must not make two spans overlap: time is owed once.
            let from = self.owed.last().map_or(from, |last| from.max(last.to));
            self.owed.push(Span::new(from, OPEN_END));
        }
    }

    fn end_open_gap(&mut self, at: Wall) {
        if let Some(gap) = self.opened.last_mut().filter(|gap| gap.to.is_none()) {
            gap.to = Some(at);
        }
    }

    /// Counts a segment, or a stretch of one, as stored, and gives back what it covers with the jitter beside it.
    fn store(&mut self, session: usize, span: Span, fallback: bool) -> Option<Span> {
        if span.is_empty() {
            return None;
        }
        // Jitter beside it counts as its own: it goes when the segment goes.
        let (before, after) = self.durable.around(span);
        let is_near = |before: &Wall| *before < span.from && span.from <= *before + JITTER;
        let from = before.filter(is_near).unwrap_or(span.from);
        let to = after.filter(|after| *after <= span.to + JITTER).unwrap_or(span.to);
        let whole = Span::new(from, to);
        let more = |depth: Option<u32>| Some(depth.unwrap_or(0).saturating_add(1));
        self.durable.change(whole, more);
        if fallback {
            self.fallback.change(whole, more);
        }
        let new = Footage { first: span.from, last: span.to, known: span.to };
        let footage = self.footage.entry(session).or_insert(new);
        footage.last = span.to;
        footage.known = footage.known.max(span.to);
        Some(whole)
    }

    /// The segment of this number is gone. One that was never told of leaves no trace: what was missing stays missing.
    fn delete(&mut self, sequence: u32, rule: Rule) {
        let Some((span, fallback)) = self.segments.remove(&sequence) else { return };
        let less =
            |depth: Option<u32>| depth.and_then(|depth| depth.checked_sub(1)).filter(|depth| *depth > 0);
        self.durable.change(span, less);
        if fallback {
            self.fallback.change(span, less);
        }
        self.deleted.paint(span, rule);
    }
}

impl Coverage {
    /// Adds missing time by what was told of it, or else by what follows from how sessions began and ended.
    fn explain(&mut self, span: Span, told: &Paint<Cause>, derived: &Paint<Cause>) {
        for (piece, cause) in told.pieces(span) {
            match cause {
                Some(cause) => self.add(piece, cause),
                None => derived
                    .pieces(piece)
                    .into_iter()
                    .for_each(|(piece, cause)| self.add(piece, cause.unwrap_or(Cause::Unknown))),
            }
        }
    }

    fn add(&mut self, span: Span, cause: Cause) {
        match self.gaps.last_mut() {
            Some(last) if last.span.to == span.from && last.cause == cause => last.span.to = span.to,
            Some(_) | None => self.gaps.push(GapReport { span, cause }),
        }
    }
}
