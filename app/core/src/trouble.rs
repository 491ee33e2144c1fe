//! Trouble in a stream that is received: judged from the figures of its connection, over windows of time.
//!
//! One damaged frame is nothing, and so is one clock that was set in a camera. What comes again and again is told, the
//! worst first. Whether anything is done about it stands in [`crate::failure`].

use crate::event::{Failure, StreamFigures};
use crate::time::Mono;
use core::time::Duration;

/// The length of a window: several GOPs, so that a format that changes with each of them is seen.
const WINDOW: Duration = Duration::from_secs(20);

/// Damage is trouble from this share of the access units on, in percent: a lossy radio link damages one in a hundred, and one
/// in ten is a picture that nobody can read.
const DAMAGED_PERCENT: u64 = 10;

/// And from so many on, so that a slow camera's few frames do not make a share.
const DAMAGED: u64 = 10;

/// Leaps, or changes of the format, in a window that are trouble: once is somebody who sets the camera, twice is there and
/// back.
const AGAIN: u64 = 3;

/// See the module.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trouble {
    since: Mono,
    before: StreamFigures,
    now: Option<Failure>,
}

impl Trouble {
    /// Nothing seen yet.
    pub(crate) fn new(now: Mono) -> Self {
        Trouble { since: now, before: StreamFigures::default(), now: None }
    }

    /// What is wrong now, the worst of it.
    pub(crate) const fn now(&self) -> Option<Failure> {
        self.now
    }

    /// Takes the figures of this moment; true if a window ended with them.
    pub(crate) fn take(&mut self, now: Mono, figures: &StreamFigures) -> bool {
        if now.since(self.since) < WINDOW {
            return false;
        }
        let before = core::mem::replace(&mut self.before, *figures);
        self.since = now;
        let grown = |of: fn(&StreamFigures) -> u64| of(figures).saturating_sub(of(&before));
        let (units, damaged) = (grown(|f| f.units), grown(|f| f.damaged));
        self.now =
            if damaged >= DAMAGED && damaged.saturating_mul(100) >= units.saturating_mul(DAMAGED_PERCENT) {
                Some(Failure::Garbage)
            } else if figures.frozen {
                Some(Failure::TimestampsFrozen)
            } else if grown(|f| f.backwards) >= AGAIN {
                Some(Failure::TimestampsBackwards)
            } else if grown(|f| f.jumps) >= AGAIN {
                Some(Failure::TimestampsJump)
            } else if grown(|f| f.formats) >= AGAIN {
                Some(Failure::FormatChanges)
            } else {
                None
            };
        true
    }
}
