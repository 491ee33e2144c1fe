//! The ledger of a virtual volume, and the account of a camera over all of them: durable, held, missing and why.
//!
//! The same rules as the recorder's own coverage, written anew and smaller: the two are not to share a mistake.

use holdfast_core::effect::{Entry, Stream};
use holdfast_core::event::{Cause, Past};
use holdfast_core::time::{Span, Wall};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Holes up to this, in microseconds, are jitter of arrival.
const JITTER: i64 = 100_000;

/// What a volume was told.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    records: Vec<Record>,
}

#[derive(Clone, Copy, Debug)]
enum Record {
    /// A session of the recorder began here, and when: from then on footage is owed to this volume.
    Session {
        number: u32,
        at: Wall,
    },
    /// It ended in good order.
    Ended,
    Stored(Stored),
    Gap {
        camera: u8,
        span: Span,
        cause: Cause,
    },
    Opened {
        camera: u8,
        from: Wall,
        cause: Cause,
    },
    /// Times of this span, given by anchors before that number, are wrong by so much.
    Corrected {
        known: Span,
        by: i64,
        anchor: u32,
    },
}

/// Footage on a volume.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stored {
    pub(super) camera: u8,
    pub(super) span: Span,
    pub(super) stream: Stream,
    /// Number of the anchor that gave its times.
    pub(super) anchor: u32,
    pub(super) trusted: bool,
}

impl Ledger {
    pub(super) fn begin(&mut self, number: u32, at: Wall) {
        if self.session() != Some(number) {
            self.records.push(Record::Session { number, at });
        }
    }

    pub(super) fn end(&mut self) {
        self.records.push(Record::Ended);
    }

    pub(super) fn store(&mut self, stored: Stored) {
        if let Some(Record::Stored(last)) = self.records.last_mut()
            && (last.camera, last.stream, last.anchor) == (stored.camera, stored.stream, stored.anchor)
            && last.span.to == stored.span.from
        {
            last.span.to = stored.span.to;
            return;
        }
        self.records.push(Record::Stored(stored));
    }

    /// An entry of the core. `anchor`: the number of the one in force.
    pub(super) fn enter(&mut self, entry: &Entry, anchor: u32) {
        self.records.push(match *entry {
            Entry::Gap { camera, span, cause } => Record::Gap { camera: camera.0, span, cause },
            Entry::GapOpened { camera, from, cause } => Record::Opened { camera: camera.0, from, cause },
            Entry::TimeCorrected { from, to, by_micros } => {
                Record::Corrected { known: Span::new(from, to), by: by_micros, anchor }
            }
            Entry::ClockStepped { .. } | Entry::VolumeFaulted { .. } => return,
        });
    }

    /// How the session before `number` ended, if there was one; `otherwise`: how it did if the ledger does not know.
    pub(super) fn past(&self, number: u32, otherwise: Past) -> Option<Past> {
        let session = self.session()?;
        let ended = self.records.iter().rev().find_map(|record| match record {
            Record::Ended => Some(true),
            Record::Session { .. } => Some(false),
            Record::Stored(_) | Record::Gap { .. } | Record::Opened { .. } | Record::Corrected { .. } => None,
        });
        Some(match ended {
            Some(true) => Past::Stopped,
            Some(false) | None if session == number => Past::Crashed,
            Some(false) | None => otherwise,
        })
    }

    /// The end of a camera's newest footage, or where its coverage began.
    pub(super) fn covered_until(&self, camera: u8) -> Option<Wall> {
        let records = self.corrected();
        let newest = records.iter().rev().filter_map(Record::footage).find(|stored| stored.camera == camera);
        newest.map(|stored| stored.span.to).or_else(|| began(&records))
    }

    /// The newest moment that was written by a trusted clock.
    pub(super) fn ends(&self) -> Option<Wall> {
        let records = self.corrected();
        let trusted = records.iter().filter_map(Record::footage).filter(|stored| stored.trusted);
        trusted.map(|stored| stored.span.to).max()
    }

    fn session(&self) -> Option<u32> {
        self.records.iter().rev().find_map(Record::session).map(|(number, _)| number)
    }

    /// The records in right times.
    fn corrected(&self) -> Vec<Record> {
        let mut records = self.records.clone();
        for (place, record) in self.records.iter().enumerate() {
            let Record::Corrected { known, by, anchor } = *record else { continue };
            let begun = self.records.iter().take(place).rposition(|r| matches!(r, Record::Session { .. }));
            let session = records.iter_mut().enumerate().skip(begun.unwrap_or(0));
            let mut sessions = 0;
            for (other, record) in session {
                sessions += usize::from(matches!(record, Record::Session { .. }));
                if sessions > 1 {
                    break;
                }
                record.shift(known, by, other < place, anchor);
            }
        }
        records
    }
}

impl Record {
    const fn footage(&self) -> Option<&Stored> {
        if let Record::Stored(stored) = self { Some(stored) } else { None }
    }

    const fn session(&self) -> Option<(u32, Wall)> {
        if let Record::Session { number, at } = self { Some((*number, *at)) } else { None }
    }

    fn shift(&mut self, known: Span, by: i64, before: bool, number: u32) {
        let moved = |at: Wall| if at >= known.from && at <= known.to { Wall(at.0 + by) } else { at };
        match self {
            Record::Session { at, .. } | Record::Opened { from: at, .. } if before => *at = moved(*at),
            Record::Gap { span, .. } if before => *span = Span::new(moved(span.from), moved(span.to)),
            Record::Stored(stored) if stored.anchor < number => {
                if moved(stored.span.from) != stored.span.from || by == 0 {
                    stored.span = Span::new(Wall(stored.span.from.0 + by), Wall(stored.span.to.0 + by));
                    stored.trusted = true;
                }
            }
            Record::Session { .. }
            | Record::Opened { .. }
            | Record::Gap { .. }
            | Record::Stored(_)
            | Record::Ended
            | Record::Corrected { .. } => {}
        }
    }
}

fn began(records: &[Record]) -> Option<Wall> {
    records.iter().find_map(Record::session).map(|(_, at)| at)
}

/// What became of each second of a camera, in microseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) whole: Span,
    pub(crate) durable: i64,
    /// Of that, of the fallback stream.
    pub(crate) fallback: i64,
    /// In memory, to be durable soon.
    pub(crate) held: i64,
    pub(crate) missing: BTreeMap<Cause, i64>,
    /// Missing while no volume was owed it: a disk is owed nothing before it came, and a dead one tells nothing.
    pub(crate) unowed: i64,
    /// Missing before the end of durable footage, and nobody says why: it must not be.
    pub(crate) unexplained: i64,
    /// Missing since, and not told yet.
    pub(crate) untold: i64,
}

impl Account {
    /// All that is missing.
    pub(crate) fn lost(&self) -> i64 {
        self.missing.values().sum::<i64>() + self.unowed + self.unexplained + self.untold
    }
}

#[derive(Clone, Copy)]
struct Stretch {
    from: i64,
    to: i64,
    is: Is,
}

/// How much a record says of why something is missing: the greatest is believed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Word {
    /// What is on another volume says less than what is missing on all of them.
    weight: u8,
    /// The session that was there knows more than the one after it.
    session: Reverse<usize>,
    /// A whole gap says more than one that was only opened.
    whole: u8,
    /// The newest.
    order: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Is {
    Gap(Word, Cause),
    Held,
    Durable(Stream),
}

/// Adds a camera up over these ledgers. `held`: what its ring holds; `until`: now, if a recorder runs.
pub(crate) fn account(ledgers: &[&Ledger], camera: u8, held: &[Span], until: Option<Wall>) -> Account {
    let ledgers: Vec<Vec<Record>> = ledgers.iter().map(|ledger| ledger.corrected()).collect();
    let mut stretches: Vec<Stretch> =
        held.iter().map(|span| Stretch { from: span.from.0, to: span.to.0, is: Is::Held }).collect();
    // From when to when each of them answers for this camera.
    let mut answers: Vec<(i64, i64)> = Vec::new();
    for records in &ledgers {
        let of = stretches_of(records, camera);
        let durable = |s: &&Stretch| matches!(s.is, Is::Durable(_));
        let first = of.iter().map(|s| s.from).chain(began(records).map(|at| at.0)).min();
        answers.extend(first.zip(of.iter().filter(durable).map(|s| s.to).max()));
        stretches.extend(of);
    }
    let covered = answers.iter().map(|(_, to)| *to).max();
    let last_word = stretches.iter().filter(|s| s.to < i64::MAX).map(|s| s.to).max();
    let from = stretches.iter().map(|s| s.from).min();
    let to = until.map(|wall| wall.0).into_iter().chain(last_word).max();
    let (Some(from), Some(to)) = (from, to) else { return Account::default() };
    let mut sum = Account { whole: Span::new(Wall(from), Wall(to)), ..Account::default() };
    let inside = stretches.iter().flat_map(|s| [s.from, s.to]).filter(|at| (from..to).contains(at));
    let answering = answers.iter().flat_map(|(from, to)| [*from, *to]);
    let mut borders: Vec<i64> = inside.chain(answering).chain([from, to]).collect();
    borders.sort_unstable();
    borders.dedup();
    for pair in borders.windows(2) {
        let [from, to] = *pair else { continue };
        let length = to - from;
        let best = stretches.iter().filter(|s| s.from <= from && s.to >= to).map(|s| s.is).max();
        match best {
            Some(Is::Durable(stream)) => {
                sum.durable += length;
                sum.fallback += if stream == Stream::Fallback { length } else { 0 };
            }
            Some(Is::Held) => sum.held += length,
            Some(Is::Gap(_, cause)) => *sum.missing.entry(cause).or_default() += length,
            None if covered.is_some_and(|covered| to <= covered) && length <= JITTER => sum.durable += length,
            None if answers.iter().any(|(first, last)| *first <= from && to <= *last) => {
                sum.unexplained += length;
            }
            None if covered.is_some_and(|covered| to <= covered) => sum.unowed += length,
            None => sum.untold += length,
        }
    }
    sum
}

fn stretches_of(records: &[Record], camera: u8) -> Vec<Stretch> {
    let mut stretches = Vec::new();
    let mut session = 0;
    for (order, record) in records.iter().enumerate() {
        let word = |whole: u8, cause: Cause| Word {
            weight: u8::from(cause != Cause::OnAnotherVolume),
            session: Reverse(session),
            whole,
            order,
        };
        match *record {
            Record::Session { .. } => session += 1,
            Record::Stored(Stored { camera: whose, span, stream, .. }) if whose == camera => {
                stretches.push(Stretch { from: span.from.0, to: span.to.0, is: Is::Durable(stream) });
            }
            Record::Gap { camera: whose, span, cause } if whose == camera => {
                let is = Is::Gap(word(1, cause), cause);
                stretches.push(Stretch { from: span.from.0, to: span.to.0, is });
            }
            Record::Opened { camera: whose, from, cause } if whose == camera => {
                let rest = records.get(order..).unwrap_or_default();
                let is = Is::Gap(word(0, cause), cause);
                stretches.push(Stretch { from: from.0, to: end_of_opened(rest, camera, from), is });
            }
            Record::Stored(_)
            | Record::Gap { .. }
            | Record::Opened { .. }
            | Record::Ended
            | Record::Corrected { .. } => {}
        }
    }
    stretches
}

/// Until when a gap that was opened is known to have held: until footage follows, at the longest until its session's last word.
fn end_of_opened(rest: &[Record], camera: u8, from: Wall) -> i64 {
    let mut last_word = from.0;
    for record in rest {
        let word = match *record {
            Record::Stored(stored) if stored.camera == camera && stored.span.to > from => {
                return stored.span.from.0;
            }
            Record::Session { .. } => return last_word,
            Record::Stored(Stored { span, .. }) | Record::Gap { span, .. } => span.to.0,
            Record::Opened { from, .. } => from.0,
            Record::Ended | Record::Corrected { .. } => last_word,
        };
        last_word = last_word.max(word);
    }
    i64::MAX
}
