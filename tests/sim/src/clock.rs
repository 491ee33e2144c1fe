//! The world's clocks: the true time, the monotonic clock of a boot, and the wall clock, which may be wrong.

use crate::agenda::At;
use holdfast_core::time::{Mono, Now, Wall};

/// The true wall time of true second zero.
pub const EPOCH: Wall = Wall::from_secs(1_800_000_000);

/// Where a device without a battery clock begins: before the program existed.
pub const WITHOUT_BATTERY: Wall = Wall::from_secs(1_600_000_000);

/// Before this a clock is not to be trusted.
pub const FLOOR: Wall = Wall::from_secs(1_700_000_000);

/// See the module.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// When the machine booted: the monotonic clock counts from then.
    pub boot: At,
    /// The wall clock, as it was set last.
    wall: Wall,
    set: At,
    /// How much too fast it runs, in millionths.
    pub drift: i64,
    /// It survives a power cut.
    pub battery: bool,
}

impl Clock {
    /// A right clock.
    pub const fn new(battery: bool) -> Self {
        Clock { boot: Mono(0), wall: EPOCH, set: Mono(0), drift: 0, battery }
    }

    /// The true wall time.
    pub const fn truth(at: At) -> Wall {
        Wall(EPOCH.0 + (at.0 / 1000) as i64)
    }

    /// What the wall clock shows.
    pub const fn wall(&self, at: At) -> Wall {
        let passed = (at.0.saturating_sub(self.set.0) / 1000) as i64;
        Wall(self.wall.0 + passed + passed / 1000 * self.drift / 1000)
    }

    /// Both, as the shell reads them.
    pub const fn now(&self, at: At) -> Now {
        Now { mono: self.mono(at), wall: self.wall(at) }
    }

    /// The monotonic clock of this boot. It does not begin at zero: firmware and kernel took some seconds.
    pub const fn mono(&self, at: At) -> Mono {
        Mono(at.0 - self.boot.0 + 4_000_000_000)
    }

    /// The true moment of a monotonic one of this boot.
    pub const fn at(&self, mono: Mono) -> At {
        Mono((mono.0 + self.boot.0).saturating_sub(4_000_000_000))
    }

    /// Somebody sets the wall clock.
    pub const fn set(&mut self, at: At, wall: Wall) {
        self.wall = wall;
        self.set = at;
    }

    /// It runs differently from now on.
    pub const fn drift(&mut self, at: At, drift: i64) {
        self.set(at, self.wall(at));
        self.drift = drift;
    }

    /// The power comes back.
    pub const fn boots(&mut self, at: At) {
        if !self.battery {
            self.set(at, WITHOUT_BATTERY);
        }
        self.boot = at;
    }
}
