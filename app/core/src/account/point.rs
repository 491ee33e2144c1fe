//! A point of an account: from some moment on footage is missing for a cause.

use crate::event::Cause;
use crate::time::{Anchor, Mono, Wall};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Point {
    pub since: Since,
    pub cause: Cause,
    /// The ledger knows.
    pub told: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Since {
    /// From where durable footage ends.
    Covered,
    At(Mono),
}

impl Point {
    pub fn is_before(&self, moment: Mono) -> bool {
        match self.since {
            Since::Covered => true,
            Since::At(at) => at < moment,
        }
    }

    pub fn is_after(&self, moment: Mono) -> bool {
        match self.since {
            Since::Covered => false,
            Since::At(at) => at > moment,
        }
    }

    pub fn wall(&self, anchor: &Anchor) -> Wall {
        match self.since {
            Since::Covered => Wall(i64::MIN),
            Since::At(mono) => anchor.wall_at(mono),
        }
    }
}

/// Whether it is about the volume: nothing leaves the rings before it.
pub(super) const fn is_volumes(cause: Cause) -> bool {
    matches!(cause, Cause::Volume(_) | Cause::Ejected)
}

/// How much a cause tells a person. When causes must be merged, the lighter ones go first.
pub(super) const fn weight(cause: Cause) -> u8 {
    match cause {
        Cause::Unknown => 0,
        Cause::Lost => 1,
        Cause::Starting => 2,
        Cause::RingOverflow | Cause::ClockStepped => 3,
        Cause::Stopped | Cause::Crashed | Cause::PowerLost | Cause::OutOfMemory => 4,
        Cause::Camera(_) | Cause::Volume(_) | Cause::OnAnotherVolume | Cause::Ejected => 4,
        // Told by who deletes, never by an account.
        Cause::Deleted(_) => 4,
    }
}
