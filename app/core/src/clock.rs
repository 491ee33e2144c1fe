//! The two clocks: what wall time footage gets, and whether to believe it.
//!
//! Words: the **anchor** pairs a monotonic moment with a wall time, and gives every access unit its wall
//! time; the clock **stepped** when somebody set it by more than is harmless; the **floor** is a date before
//! which the program did not exist.
//!
//! Trust: a wall clock before the floor is not trusted, whatever a time source says. After it, one that a time source has
//! set is, for the rest of the session. Without one it depends. A machine whose clock is **fetched** begins at some time of
//! the past: it is not trusted until the source has answered. One whose clock is **kept** (a battery, in a closed network
//! without any time source) would otherwise never be trusted: it is, unless the newest ledger has seen a later time. The
//! cost: a kept clock that is wrong but late enough is believed until it is set, and setting it is told by the step.
//!
//! What was recorded while the clock was not trusted is marked so, and put right in the ledger when the time is known
//! ([`Look::known`]). Names of files are never changed.
//!
//! Numbers: files are to agree with the wall clock to 0.5 s, and to part at their borders by no more than a frame. A
//! difference above 30 ms sets a new anchor: a clock that is slewed (500 ppm at most) differs by that much
//! after 60 s, so each segment's border takes up a frame's length, which is no gap (`account`'s tolerance is
//! 100 ms). Below it the reading of the two clocks, which the shell bounds by 1 ms, would matter. Above 2 s a person sees it in the times of files: the ledgers and an alarm tell it.

use crate::settings::{ClockKind, Settings};
use crate::time::{Anchor, Mono, Now, Span, Wall};

/// Differences up to this are left alone, in microseconds.
const TOLERATED: u64 = 30_000;

/// Corrections up to this are silent, in microseconds.
const HARMLESS: u64 = 2_000_000;

/// Footage of this machine ends later than its clock says: beyond this, in microseconds, the clock is wrong. A clock
/// that is kept by a battery, or set by hand, may be off by so much without harm.
const BEHIND: i64 = 2_000_000;

/// What one look at the clocks found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Look {
    /// By how many microseconds the anchor was moved, forward positive; 0 if it holds.
    pub moved: i64,
    /// What was recorded in these times of the clock before it was moved happened so much later as `moved` says.
    pub known: Option<Span>,
}

impl Look {
    /// Whether a person is to be told.
    pub(crate) const fn is_step(&self) -> bool {
        self.moved.unsigned_abs() > HARMLESS
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Clock {
    kind: ClockKind,
    floor: Wall,
    /// The newest moment that a ledger has seen.
    ledger: Wall,
    source: Source,
    anchor: Anchor,
    /// The session's beginning, by the clock as it is now.
    begun: Wall,
    /// Since when the clock has not been trusted, by the clock as it is now.
    doubted: Option<Wall>,
    owed: Option<Anchor>,
}

/// Whether a time source has set the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Silent,
    Answered,
}

impl Clock {
    /// A clock without an anchor; see [`Clock::start`].
    pub(crate) const fn new(settings: &Settings) -> Self {
        let anchor = Anchor { mono: Mono(0), wall: Wall(0), trusted: false };
        Clock {
            kind: settings.clock,
            floor: settings.clock_floor,
            ledger: Wall(i64::MIN),
            source: Source::Silent,
            anchor,
            begun: Wall(0),
            doubted: None,
            owed: None,
        }
    }

    /// Sets the first anchor.
    pub(crate) fn start(&mut self, now: Now) {
        self.begun = now.wall;
        self.set_anchor(now);
        self.doubted = (!self.anchor.trusted).then_some(now.wall);
    }

    /// Whether the kernel says that its clock follows a time source.
    pub(crate) fn synchronised(&mut self, synchronised: bool) {
        if synchronised {
            self.source = Source::Answered;
        }
    }

    /// A ledger ends at this moment.
    pub(crate) fn ledger_ends(&mut self, at: Wall) {
        self.ledger = self.ledger.max(at);
    }

    /// Compares both clocks with the anchor; to be called at every event.
    pub(crate) fn look(&mut self, now: Now) -> Look {
        let expected = self.anchor.wall_at(now.mono);
        let micros = now.wall.micros_since(expected);
        let moved = if micros.unsigned_abs() > TOLERATED { micros } else { 0 };
        let trusted = self.trusts(now.wall);
        if moved == 0 && trusted == self.anchor.trusted {
            return Look::default();
        }
        // Each correction is told of the times as they were before it, so that a later one goes on from there.
        let known = self.doubted.filter(|_| moved != 0 || trusted).map(|from| Span::new(from, expected));
        self.begun = self.begun.later_by(moved);
        self.doubted = match (trusted, self.doubted) {
            (true, _) => None,
            (false, Some(from)) => Some(from.later_by(moved)),
            // Set back below a floor just now; or a ledger knew better than the clock all along.
            (false, None) if moved != 0 => Some(now.wall),
            (false, None) => Some(self.begun),
        };
        self.set_anchor(now);
        Look { moved, known }
    }

    /// The anchor in force.
    pub(crate) const fn anchor(&self) -> &Anchor {
        &self.anchor
    }

    /// The anchor that the shell is to be told of.
    pub(crate) fn poll_effect(&mut self) -> Option<Anchor> {
        self.owed.take()
    }

    fn set_anchor(&mut self, now: Now) {
        self.anchor = Anchor { mono: now.mono, wall: now.wall, trusted: self.trusts(now.wall) };
        self.owed = Some(self.anchor);
    }

    fn trusts(&self, wall: Wall) -> bool {
        let believed = match (self.source, self.kind) {
            (Source::Answered, _) => true,
            (Source::Silent, ClockKind::Fetched) => false,
            (Source::Silent, ClockKind::Kept) => wall.micros_since(self.ledger) >= -BEHIND,
        };
        wall >= self.floor && believed
    }
}

/// The monotonic moment of a wall time, by `anchor`: the inverse of [`Anchor::wall_at`].
pub(crate) fn mono_at(anchor: &Anchor, wall: Wall) -> Mono {
    let nanos = i128::from(anchor.mono.0) + (i128::from(wall.0) - i128::from(anchor.wall.0)) * 1000;
    Mono(u64::try_from(nanos.max(0)).unwrap_or(u64::MAX))
}
