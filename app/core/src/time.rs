//! Time as the machines see it: an argument, never a call.

use core::ops::{Add, Sub};
use core::time::Duration;
pub use holdfast_wire::time::{Span, Wall};

/// A moment of the monotonic clock, in nanoseconds from a start that only means something within one
/// boot. The same clock as GStreamer's system clock and `CLOCK_MONOTONIC`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mono(pub u64);

impl Mono {
    /// The moment `nanos` nanoseconds after the clock's start.
    pub const fn from_nanos(nanos: u64) -> Self {
        Mono(nanos)
    }
    /// Nanoseconds since the clock's start.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }
    /// How long ago `earlier` was; zero if it is later.
    pub const fn since(self, earlier: Mono) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// The earlier of two moments, of which each may never come.
pub(crate) const fn soonest(one: Option<Mono>, other: Option<Mono>) -> Option<Mono> {
    match (one, other) {
        (Some(one), Some(other)) => Some(if one.0 <= other.0 { one } else { other }),
        (Some(moment), None) | (None, Some(moment)) => Some(moment),
        (None, None) => None,
    }
}

impl Add<Duration> for Mono {
    type Output = Mono;
    fn add(self, rhs: Duration) -> Mono {
        Mono(self.0.saturating_add(u64::try_from(rhs.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl Sub<Duration> for Mono {
    type Output = Mono;
    fn sub(self, rhs: Duration) -> Mono {
        Mono(self.0.saturating_sub(u64::try_from(rhs.as_nanos()).unwrap_or(u64::MAX)))
    }
}

/// Both clocks, read together by the loop just before it calls the core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// The monotonic clock: what every delay and deadline is measured with.
    pub mono: Mono,
    /// The wall clock as the system has it: only ever written down, never waited for.
    pub wall: Wall,
}

/// A pairing of the two clocks. Media is timed by the monotonic clock; an anchor gives it a wall time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// A moment of the monotonic clock.
    pub mono: Mono,
    /// The wall time that goes with it.
    pub wall: Wall,
    /// Whether the wall clock could be trusted when the anchor was set.
    pub trusted: bool,
}

impl Anchor {
    /// The wall time of a monotonic moment, before or after the anchor, rounded down to a microsecond.
    pub const fn wall_at(&self, mono: Mono) -> Wall {
        // Less than 2^63 of them: a thousandth of what 64 bits hold.
        match mono.0.checked_sub(self.mono.0) {
            Some(after) => Wall(self.wall.0.saturating_add((after / 1000) as i64)),
            None => Wall(self.wall.0.saturating_sub(self.mono.0.abs_diff(mono.0).div_ceil(1000) as i64)),
        }
    }

    /// The monotonic moment of a wall time, before or after the anchor; the clock's start at the earliest.
    pub const fn mono_at(&self, wall: Wall) -> Mono {
        let nanos = self.mono.0 as i128 + (wall.0 as i128 - self.wall.0 as i128) * 1000;
        Mono(if nanos < 0 { 0 } else { nanos as u64 })
    }
}
