//! Times that a ledger has put right: each record as it would read, had the clock been right when it was written.
//!
//! Words: a **correction** says that what one session wrote with times of a span happened so much later. Of a ledger that
//! has any, two passes are made: the first notes the corrections, the second gives each record the right time.
//!
//! What is corrected was written before the correction, by the same session, in times of its span; and the end of a
//! segment that had begun before it, since a segment keeps the clock it began with. Several corrections follow one another,
//! each in the times that those before it made.

use holdfast_wire::ids::SessionId;
use holdfast_wire::ledger::{Gap, Record};
use holdfast_wire::time::{Span, Wall};
use std::collections::BTreeMap;

/// The corrections of a ledger: what the first pass notes.
#[derive(Clone, Debug, Default)]
pub struct Corrections {
    all: Vec<Correction>,
    /// Records noted so far.
    count: u64,
    session: Option<SessionId>,
}

#[derive(Clone, Copy, Debug)]
struct Correction {
    /// How many records stand before it.
    place: u64,
    session: Option<SessionId>,
    from: Wall,
    to: Wall,
    by_micros: i64,
}

impl Corrections {
    /// Notes the next record.
    pub fn note(&mut self, record: &Record) {
        if let Record::SessionStarted(started) = record {
            self.session = Some(started.session);
        }
        if let Record::TimeCorrected { at: _, from, to, by_micros } = *record
            && by_micros != 0
        {
            let (place, session) = (self.count, self.session);
            self.all.push(Correction { place, session, from, to, by_micros });
        }
        self.count += 1;
    }

    /// Whether there are none: then every record stands as it is.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Begins the second pass.
    pub fn apply(self) -> Corrector {
        Corrector { all: self.all, count: 0, session: None, begun: BTreeMap::new() }
    }
}

/// The second pass.
#[derive(Clone, Debug)]
pub struct Corrector {
    all: Vec<Correction>,
    count: u64,
    session: Option<SessionId>,
    /// By how much segments that are open began too early, by their numbers.
    begun: BTreeMap<u32, i64>,
}

impl Corrector {
    /// The next record, in the right time.
    pub fn correct(&mut self, record: Record) -> Record {
        if let Record::SessionStarted(started) = &record {
            self.session = Some(started.session);
        }
        let corrected = self.in_right_time(record);
        self.count += 1;
        corrected
    }

    /// By how many microseconds a segment that is still open began too early.
    pub fn late(&self, sequence: u32) -> i64 {
        self.begun.get(&sequence).copied().unwrap_or(0)
    }

    fn in_right_time(&mut self, record: Record) -> Record {
        match record {
            Record::SessionStarted(mut started) => {
                started.at = self.right(started.at);
                Record::SessionStarted(started)
            }
            Record::CameraConfigured { at, camera } => {
                Record::CameraConfigured { at: self.right(at), camera }
            }
            Record::CameraRemoved { at, camera } => Record::CameraRemoved { at: self.right(at), camera },
            Record::SegmentOpened(mut opened) => {
                let start = self.right(opened.start);
                let late = start.micros_since(opened.start);
                if late != 0 {
                    self.begun.insert(opened.sequence, late);
                }
                opened.start = start;
                Record::SegmentOpened(opened)
            }
            Record::SegmentClosed(mut closed) => {
                let late = self.begun.remove(&closed.sequence).unwrap_or(0);
                closed.end = closed.end.later_by(late);
                Record::SegmentClosed(closed)
            }
            Record::Gap(Gap { camera, span, cause }) => {
                let span = Span::new(self.right(span.from), self.right(span.to));
                Record::Gap(Gap { camera, span, cause })
            }
            Record::GapOpened { from, camera, cause } => {
                Record::GapOpened { from: self.right(from), camera, cause }
            }
            // Where it moved what was recorded, it left no hole.
            Record::ClockStepped { at, by_micros } if self.is_corrected(at, by_micros) => {
                Record::ClockStepped { at, by_micros: 0 }
            }
            Record::ClockStepped { at, by_micros } => Record::ClockStepped { at: self.right(at), by_micros },
            Record::SessionEnded { at, session } => Record::SessionEnded { at: self.right(at), session },
            Record::VolumeFaulted { at, fault } => Record::VolumeFaulted { at: self.right(at), fault },
            Record::SegmentDeleted(mut deleted) => {
                deleted.at = self.right(deleted.at);
                Record::SegmentDeleted(deleted)
            }
            // What a person asked for, and when, is told as it was said.
            record @ (Record::Protected(_)
            | Record::Unprotected { .. }
            | Record::Renewed { .. }
            | Record::TakenOver { .. }
            | Record::Rebuilt { .. }
            | Record::Repaired(_)
            | Record::TimeCorrected { .. }) => record,
        }
    }

    /// A moment that the record under way tells, in the right time.
    fn right(&self, at: Wall) -> Wall {
        let later_on = self.all.iter().filter(|c| c.place > self.count && c.session == self.session);
        later_on.fold(at, |at, c| if c.from <= at && at <= c.to { at.later_by(c.by_micros) } else { at })
    }

    /// Whether a step is the one that a correction just before it made good.
    fn is_corrected(&self, at: Wall, by_micros: i64) -> bool {
        let before = self.all.iter().rev().find(|c| c.place <= self.count && c.session == self.session);
        before.is_some_and(|c| c.by_micros == by_micros && c.to.later_by(by_micros) == at)
    }
}
