//! How old footage is, by clocks that may have been set while nobody looked.
//!
//! Words: the **axis** is the wall clock's; a **hole** is a part of it that the clock was set over; footage is **due** when
//! its age has reached its retention; it is **undated** when its time is not known or lies in the future.
//!
//! A wall clock is believed from the program's build date on (`clock.rs`), so "trusted" alone would let a clock in 2106
//! delete everything. Three things hold it back, each with its reason in `docs/decisions/0040-*`:
//!
//! 1. Only time that was seen to pass counts. The age of footage is the length of the axis between its end and now,
//!    without the holes. However the clock was set since, this is never more than its true age: each point of the axis between was
//!    either passed through, which took its time, or jumped over, and then is a hole until it is passed through.
//! 2. After a start, and whenever the clock was set, no rule of age applies for [`SETTLED`]. By then a network's time has come.
//! 3. Steps from before a start are only known as far as the ledger tells them ([`Ages::stepped`]). So each camera's
//!    footage goes at most [`PACE`] times as fast as it was recorded, beginning at the oldest that was met.

use super::{MAX_SHELF, Shelf};
use crate::time::{Mono, Wall};
use core::time::Duration;
use heapless::Vec;

/// A clock that has left the monotonic one by this much, and by a thousandth of the time since it was last set (no
/// oscillator is that bad, and no slewing that fast), was set again. Less is nothing for ages of days.
const STEP: Duration = Duration::from_secs(60);

/// How long a clock is left alone before ages are taken from it. A device that only runs for a drive of half an hour still
/// has time to clean; a clock that is set by a network at start is set by then.
const SETTLED: Duration = Duration::from_secs(600);

/// A clock that was wrong before the start and is not noticed for an hour costs at most the oldest four hours. A
/// retention that was shortened from 30 days to 7 is caught up with in 8 days.
const PACE: u32 = 4;

/// Holes that are remembered. When there are more, the two that are nearest become one: footage then counts as younger than it is.
const MAX_HOLES: usize = 8;

/// What is known of the wall clock.
#[derive(Debug)]
enum Watch {
    /// It was not trusted yet. The newest moment that the ledger tells of.
    Never(Option<Wall>),
    /// It was trusted at the last look.
    Trusted(Pairing),
    /// It was trusted before, and was not at the last look.
    Lost(Pairing),
}

/// Both clocks when they were first seen after the wall clock was set, and the wall clock when it was last seen. The first are
/// kept, so that many small steps are seen as what they are together.
#[derive(Clone, Copy, Debug)]
struct Pairing {
    mono: Mono,
    wall: Wall,
    seen: Wall,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Ages {
    watch: Watch,
    /// From when on it is left alone for long enough.
    settled: Mono,
    /// In order, apart from each other.
    holes: Vec<(Wall, Wall), { MAX_HOLES + 2 }>,
    /// Until where on the axis each camera's footage may go; `None`: nothing was due yet.
    horizons: [Option<Wall>; MAX_SHELF],
    /// When the horizons were moved.
    moved: Mono,
    /// Each camera's segments with smaller numbers were written before one that is due.
    outlived: [u32; MAX_SHELF],
}

impl Ages {
    /// Without any knowledge of the clock.
    pub(super) const fn new() -> Self {
        Ages {
            watch: Watch::Never(None),
            settled: Mono(0),
            holes: Vec::new(),
            horizons: [None; MAX_SHELF],
            moved: Mono(0),
            outlived: [0; MAX_SHELF],
        }
    }

    /// A step that the ledger tells of, from before the first look: see `Cleaner::stepped`.
    pub(super) fn stepped(&mut self, at: Wall, by_micros: i64) {
        let Watch::Never(newest) = self.watch else { return };
        let before = Wall(at.0.saturating_sub(by_micros));
        if let Some(newest) = newest {
            self.fill(newest, before);
        }
        self.dig(before, at);
        self.watch = Watch::Never(Some(at));
    }

    /// Compares the clocks; to be called at every step.
    pub(super) fn look(&mut self, now: Mono, clock: Option<Wall>) {
        let Some(clock) = clock else {
            if let Watch::Trusted(pairing) = self.watch {
                self.watch = Watch::Lost(pairing);
            }
            return;
        };
        let fresh = Pairing { mono: now, wall: clock, seen: clock };
        let pairing = match self.watch {
            Watch::Never(newest) => {
                if let Some(newest) = newest {
                    self.fill(newest, clock);
                }
                self.settled = now + SETTLED;
                fresh
            }
            Watch::Trusted(before) | Watch::Lost(before) => {
                let passed = now.since(before.mono);
                let expected = before.wall + passed;
                let tolerated = STEP + passed / 1000;
                if u128::from(clock.micros_since(expected).unsigned_abs()) > tolerated.as_micros() {
                    self.fill(before.seen, expected);
                    self.dig(expected, clock);
                    self.settled = now + SETTLED;
                    fresh
                } else {
                    self.fill(before.seen, clock);
                    Pairing { seen: clock, ..before }
                }
            }
        };
        self.watch = Watch::Trusted(pairing);
    }

    /// Whether rules of age apply now.
    pub(super) fn settled(&self, now: Mono) -> bool {
        match self.watch {
            Watch::Trusted(_) => now >= self.settled,
            Watch::Never(_) | Watch::Lost(_) => false,
        }
    }

    /// Whether footage that had ended then is at least that old, as far as time was seen to pass.
    pub(super) fn reached(&self, ended: Wall, age: Duration) -> bool {
        let Watch::Trusted(Pairing { seen: wall, .. }) = self.watch else { return false };
        let length = i128::from(wall.0) - i128::from(ended.0);
        let unseen: i128 = self
            .holes
            .iter()
            .map(|(from, to)| i128::from((*to).min(wall).0) - i128::from((*from).max(ended).0))
            .filter(|length| *length > 0)
            .sum();
        u128::try_from(length - unseen).is_ok_and(|seen| seen >= age.as_micros())
    }

    /// Whether the time is not known, or cannot be right.
    pub(super) fn undated(&self, ended: Option<Wall>) -> bool {
        match (&self.watch, ended) {
            (Watch::Trusted(pairing), Some(ended)) => ended > pairing.seen,
            (Watch::Never(_) | Watch::Lost(_), Some(_)) | (_, None) => true,
        }
    }

    /// Moves the horizons; to be called once before each look for what is due.
    pub(super) fn advance(&mut self, now: Mono, shelf: &impl Shelf) {
        let Watch::Trusted(Pairing { seen: wall, .. }) = self.watch else { return };
        let credit = now.since(self.moved.max(self.settled)).saturating_mul(PACE);
        self.moved = now;
        let holes = &self.holes;
        for (camera, horizon) in self.horizons.iter_mut().enumerate().take(shelf.cameras()) {
            let Some((from, age)) = horizon.zip(shelf.age(camera)) else { continue };
            // Nothing was recorded in a hole, so none of the credit is spent on it.
            let reach = holes.iter().fold(from + credit, |reach, (begin, end)| {
                let begin = (*begin).max(from);
                if begin < reach && begin < *end { reach + length(begin, *end) } else { reach }
            });
            *horizon = if from > wall { None } else { Some(from.max(reach.min(wall - age))) };
        }
    }

    /// Whether footage of that camera is due, and may go now.
    pub(super) fn due(&mut self, camera: usize, ended: Wall, age: Duration) -> bool {
        self.reached(ended, age) && ended <= *self.horizons[camera].get_or_insert(ended)
    }

    /// The camera's footage before this number is older than some that is due.
    pub(super) fn outlive(&mut self, camera: usize, sequence: u32) {
        self.outlived[camera] = self.outlived[camera].max(sequence);
    }

    /// Whether that was said of this number.
    pub(super) fn outlived(&self, camera: usize, sequence: u32) -> bool {
        sequence < self.outlived[camera]
    }

    /// The clock was set over this part.
    fn dig(&mut self, mut from: Wall, mut to: Wall) {
        if from >= to {
            return;
        }
        self.holes.retain(|hole| {
            let touches = hole.0 <= to && from <= hole.1;
            if touches {
                from = from.min(hole.0);
                to = to.max(hole.1);
            }
            !touches
        });
        let place = self.holes.iter().position(|hole| hole.0 > from).unwrap_or(self.holes.len());
        // There is always room for two: `spare` leaves no more than MAX_HOLES.
        let _room = self.holes.insert(place, (from, to));
        self.spare();
    }

    /// The clock passed through this part.
    fn fill(&mut self, from: Wall, to: Wall) {
        if from >= to {
            return;
        }
        let mut split = None;
        for hole in &mut self.holes {
            if hole.0 < from && to < hole.1 {
                split = Some((to, hole.1));
                hole.1 = from;
            } else if hole.0 < from {
                hole.1 = hole.1.min(from);
            } else if to < hole.1 {
                hole.0 = hole.0.max(to);
            } else {
                hole.1 = hole.0;
            }
        }
        self.holes.retain(|hole| hole.0 < hole.1);
        if let Some((from, to)) = split {
            self.dig(from, to);
        }
    }

    /// Makes the two nearest holes one while there are too many.
    fn spare(&mut self) {
        while self.holes.len() > MAX_HOLES {
            let width = |place: &usize| self.holes[place + 1].0.micros_since(self.holes[*place].1);
            let Some(nearest) = (0..self.holes.len() - 1).min_by_key(width) else { return };
            let next = self.holes.remove(nearest + 1);
            self.holes[nearest].1 = next.1;
        }
    }
}

/// Zero if `to` is not later.
fn length(from: Wall, to: Wall) -> Duration {
    Duration::from_micros(u64::try_from(to.micros_since(from)).unwrap_or(0))
}
