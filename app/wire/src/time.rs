//! Wall-clock time as it is stored: microseconds of UTC, never local time.

use core::ops::{Add, Sub};
use core::time::Duration;
use serde::{Deserialize, Serialize};

/// A moment of UTC in microseconds since 1970-01-01T00:00:00Z; leap seconds as POSIX counts them.
///
/// Microseconds, since that is finer than any camera's clock and spans 292,000 years either way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Wall(pub i64);

impl Wall {
    /// The moment `micros` microseconds after the epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Wall(micros)
    }
    /// The moment `secs` seconds after the epoch.
    pub const fn from_secs(secs: i64) -> Self {
        Wall(secs.saturating_mul(1_000_000))
    }
    /// Microseconds since the epoch.
    pub const fn as_micros(self) -> i64 {
        self.0
    }
    /// The moment so many microseconds later; earlier if that is negative.
    pub const fn later_by(self, micros: i64) -> Self {
        Wall(self.0.saturating_add(micros))
    }
    /// Microseconds from `earlier` to `self`; negative if `earlier` is later.
    pub const fn micros_since(self, earlier: Wall) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Wall {
    type Output = Wall;
    fn add(self, rhs: Duration) -> Wall {
        Wall(self.0.saturating_add(i64::try_from(rhs.as_micros()).unwrap_or(i64::MAX)))
    }
}

impl Sub<Duration> for Wall {
    type Output = Wall;
    fn sub(self, rhs: Duration) -> Wall {
        Wall(self.0.saturating_sub(i64::try_from(rhs.as_micros()).unwrap_or(i64::MAX)))
    }
}

/// From `from` (included) to `to` (excluded). Empty when `to <= from`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Span {
    /// First moment inside.
    pub from: Wall,
    /// First moment after.
    pub to: Wall,
}

impl Span {
    /// The span between two moments.
    pub const fn new(from: Wall, to: Wall) -> Self {
        Span { from, to }
    }
    /// Length in microseconds; zero for an empty span.
    pub const fn micros(self) -> i64 {
        let length = self.to.0.saturating_sub(self.from.0);
        if length < 0 { 0 } else { length }
    }
    /// Whether nothing lies inside.
    pub const fn is_empty(self) -> bool {
        self.to.0 <= self.from.0
    }
}
