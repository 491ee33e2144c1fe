//! The two clocks: what wall time footage gets, and whether to believe it.
//!
//! Words: the **anchor** pairs a monotonic moment with a wall time, and gives every access unit its wall
//! time; the clock **stepped** when somebody set it by more than is harmless; the **floor** is a date before
//! which the program did not exist.
//!
//! Trust: a wall clock before the floor is not trusted, whatever a time source says. After the floor it is
//! trusted, synchronised or not: a recorder in a closed network has a battery clock and no time source, and
//! would otherwise never be trusted. The cost: a clock that is wrong but after the floor is believed until it is set,
//! and setting it is told by the step. So `ClockSynchronised` is only one more occasion to look at the clocks.
//!
//! Numbers: files are to agree with the wall clock to 0.5 s, and to part at their borders by no more than a frame. A
//! difference above 30 ms sets a new anchor: a clock that is slewed (500 ppm at most) differs by that much
//! after 60 s, so each segment's border takes up a frame's length, which is no gap (`account`'s tolerance is
//! 100 ms). Below it the reading of the two clocks, which the shell bounds by 1 ms, would matter. Above 2 s a person sees it in the times of files: the ledgers and an alarm tell it.

use crate::settings::Settings;
use crate::time::{Anchor, Mono, Now, Wall};

/// Differences up to this are left alone, in microseconds.
const TOLERATED: u64 = 30_000;

/// Corrections up to this are silent, in microseconds.
const HARMLESS: u64 = 2_000_000;

/// What one look at the clocks found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// The anchor holds.
    Steady,
    /// The anchor was moved by this many microseconds (forward positive); nobody needs to be told.
    Corrected(i64),
    /// The wall clock was set by this many microseconds: to be told.
    Stepped(i64),
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Clock {
    floor: Wall,
    anchor: Anchor,
    owed: Option<Anchor>,
}

impl Clock {
    /// A clock without an anchor; see [`Clock::start`].
    pub(crate) const fn new(settings: &Settings) -> Self {
        let anchor = Anchor { mono: Mono(0), wall: Wall(0), trusted: false };
        Clock { floor: settings.clock_floor, anchor, owed: None }
    }

    /// Sets the first anchor.
    pub(crate) fn start(&mut self, now: Now) {
        self.set_anchor(now);
    }

    /// Compares both clocks with the anchor; to be called at every event.
    pub(crate) fn look(&mut self, now: Now) -> Look {
        let micros = now.wall.micros_since(self.anchor.wall_at(now.mono));
        let distance = micros.unsigned_abs();
        if distance > TOLERATED {
            self.set_anchor(now);
            return if distance > HARMLESS { Look::Stepped(micros) } else { Look::Corrected(micros) };
        }
        if self.anchor.trusted != self.trusts(now.wall) {
            self.set_anchor(now);
        }
        Look::Steady
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
        wall >= self.floor
    }
}

/// The monotonic moment of a wall time, by `anchor`: the inverse of [`Anchor::wall_at`].
pub(crate) fn mono_at(anchor: &Anchor, wall: Wall) -> Mono {
    let nanos = i128::from(anchor.mono.0) + (i128::from(wall.0) - i128::from(anchor.wall.0)) * 1000;
    Mono(u64::try_from(nanos.max(0)).unwrap_or(u64::MAX))
}
