//! When a camera that failed is tried again.
//!
//! Words: a **rung** is one bound of the ladder of waits; **full jitter** is a wait drawn evenly from
//! zero to the rung's bound, so that thirty cameras behind one switch do not return in one blow; a
//! **probe** is an attempt of a camera that has been away for so long that haste serves nobody.
//!
//! Which failure follows which policy is one table: [`crate::failure`].

use crate::effect::Reason;
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

/// Where the ladder begins for a camera that has no room for us: with up to 20 s. Cameras forget a dead session after a
/// minute, so the third or fourth attempt finds room.
const BUSY: usize = 2;

/// How far a link has fallen. Starts anew only after lasting durable video: a connection proves
/// nothing, or a camera that connects and breaks at once would be tried without end and without pause.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ladder {
    failures: u32,
    rung: usize,
    refusals: u32,
}

/// When a link is tried again, and why then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Retry {
    /// After so long.
    pub wait: Duration,
    /// For people.
    pub why: Reason,
}

impl Ladder {
    /// One that has not failed.
    pub(crate) const fn new() -> Self {
        Ladder { failures: 0, rung: 0, refusals: 0 }
    }

    /// Failures in a row.
    pub(crate) const fn failures(&self) -> u32 {
        self.failures
    }

    /// Counts a failure and gives the wait until the next attempt. `durable`: the connection that broke
    /// had given durable video. The first failure of such a camera is answered at once, since most
    /// breaks are over when they are seen; only the first, so that a flapping camera climbs.
    pub(crate) fn wait_after(&mut self, failure: Failure, durable: bool, rng: &mut Rng) -> Retry {
        let first = self.failures == 0;
        self.failures = self.failures.saturating_add(1);
        let probe = Retry { wait: PROBE, why: Reason::Probe(failure) };
        match handling(failure).policy {
            Policy::Refused => {
                self.refusals = self.refusals.saturating_add(1);
                match self.refusals {
                    1 => Retry { wait: FIRST_REFUSAL, why: Reason::Waited(failure) },
                    _ => probe,
                }
            }
            Policy::Unfit => probe,
            Policy::Climb | Policy::Busy | Policy::Mend | Policy::Endure if self.failures >= PATIENCE => {
                probe
            }
            Policy::Climb | Policy::Mend | Policy::Endure if first && durable => {
                Retry { wait: Duration::ZERO, why: Reason::AtOnce(failure) }
            }
            Policy::Climb | Policy::Mend | Policy::Endure => self.climb(failure, 0, rng),
            Policy::Busy => self.climb(failure, BUSY, rng),
        }
    }

    /// Video was durable for long enough: all is forgiven.
    pub(crate) fn forgive(&mut self) {
        *self = Ladder::new();
    }

    /// What it has failed by may be over. Not so a refused password.
    pub(crate) fn begin_anew(&mut self) {
        if self.refusals == 0 {
            self.forgive();
        }
    }

    fn climb(&mut self, failure: Failure, from: usize, rng: &mut Rng) -> Retry {
        let rung = self.rung.max(from);
        let bound = RUNGS.get(rung).copied().unwrap_or(PROBE);
        self.rung = (rung + 1).min(RUNGS.len() - 1);
        Retry { wait: rng.up_to(bound), why: Reason::Waited(failure) }
    }
}
