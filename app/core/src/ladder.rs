//! When a camera that failed is tried again.
//!
//! Words: a **rung** is one bound of the ladder of waits; **full jitter** is a wait drawn evenly from
//! zero to the rung's bound, so that thirty cameras behind one switch do not return in one blow; a
//! **probe** is an attempt of a camera that has been away for so long that haste serves nobody.
//!
//! Which failure follows which policy is one table: [`crate::failure`].

use crate::event::Failure;
use crate::failure::{Policy, handling};
use crate::rng::Rng;
use core::time::Duration;

/// Bounds of the waits, the last one repeated. With full jitter ten failures take about three and a
/// half minutes: longer than most cameras need to boot.
const RUNGS: [Duration; 5] = [
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(20),
    Duration::from_secs(40),
    Duration::from_secs(60),
];

/// After this many failures in a row a camera is only probed.
const PATIENCE: u32 = 10;

/// Between probes, for ever: a dead camera costs twelve connections an hour. Without jitter, since
/// the waits before it have spread the cameras already.
const PROBE: Duration = Duration::from_secs(300);

/// After the first refusal of our password. Most cameras lock a user out after three to five wrong
/// attempts in a minute or two; one attempt a minute stays under that.
const FIRST_REFUSAL: Duration = Duration::from_secs(60);

/// How far a camera has fallen. Starts anew only after lasting durable video: a connection proves
/// nothing, or a camera that connects and breaks at once would be tried without end and without pause.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ladder {
    failures: u32,
    rung: usize,
    refusals: u32,
}

impl Ladder {
    /// Failures in a row.
    pub(crate) const fn failures(&self) -> u32 {
        self.failures
    }

    /// Counts a failure and gives the wait until the next attempt. `durable`: the connection that broke
    /// had given durable video. The first failure of such a camera is answered at once, since most
    /// breaks are over when they are seen; only the first, so that a flapping camera climbs.
    pub(crate) fn wait_after(&mut self, failure: Failure, durable: bool, rng: &mut Rng) -> Duration {
        let first = self.failures == 0;
        self.failures = self.failures.saturating_add(1);
        match handling(failure).policy {
            Policy::Refused => {
                self.refusals = self.refusals.saturating_add(1);
                if self.refusals == 1 { FIRST_REFUSAL } else { PROBE }
            }
            Policy::Unfit => PROBE,
            Policy::Climb | Policy::Busy | Policy::Mend | Policy::Endure if self.failures >= PATIENCE => {
                PROBE
            }
            Policy::Climb | Policy::Mend | Policy::Endure if first && durable => Duration::ZERO,
            Policy::Climb | Policy::Busy | Policy::Mend | Policy::Endure => {
                let bound = RUNGS.get(self.rung).copied().unwrap_or(PROBE);
                self.rung = (self.rung + 1).min(RUNGS.len() - 1);
                rng.up_to(bound)
            }
        }
    }

    /// Video was durable for long enough: all is forgiven.
    pub(crate) fn forgive(&mut self) {
        *self = Ladder::default();
    }
}
