//! Whether a camera flaps: breaks and comes back again and again, each time so soon that no alarm of its loss is due.
//!
//! Each break costs some seconds of footage, and a loose plug makes hundreds a day. The retries stay as they are, since
//! what comes between the breaks is worth recording: a person is told.

use crate::time::Mono;
use core::time::Duration;
use heapless::Deque;

/// So many breaks ...
const BREAKS: usize = 5;

/// ... within this are flapping; so long without one, and it is over. A camera that reboots, finds an update and reboots
/// again breaks three or four times.
const SPAN: Duration = Duration::from_secs(900);

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Flapping {
    breaks: Deque<Mono, BREAKS>,
    flaps: Flaps,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Flaps {
    #[default]
    No,
    Yes,
}

impl Flapping {
    /// A link that had been live broke.
    pub(crate) fn broke(&mut self, now: Mono) {
        if self.breaks.is_full() {
            self.breaks.pop_front();
        }
        // There is room: it was made just now.
        let _ = self.breaks.push_back(now);
        if self.breaks.is_full() && self.breaks.front().is_some_and(|first| now.since(*first) <= SPAN) {
            self.flaps = Flaps::Yes;
        }
    }

    /// Does what is due at `now`.
    pub(crate) fn advance(&mut self, now: Mono) {
        if self.deadline().is_some_and(|over| over <= now) {
            self.flaps = Flaps::No;
        }
    }

    /// When it wants to be called again at the latest.
    pub(crate) fn deadline(&self) -> Option<Mono> {
        match self.flaps {
            Flaps::No => None,
            Flaps::Yes => self.breaks.back().map(|last| *last + SPAN),
        }
    }

    /// Whether it does.
    pub(crate) fn flaps(&self) -> bool {
        self.flaps == Flaps::Yes
    }
}
