//! How long footage may be on its way: what the account of a corrected clock is reckoned with.
//!
//! Words: a **ring** holds footage until it is durable; a **segment** is a file, in the times of the clock of its beginning.

use crate::settings::Settings;
use core::time::Duration;

/// What may lie between a full ring and a disk: a GOP (a camera without keyframes is connected anew after 30 s), a fragment of
/// 5 s, a call that lasts until its volume is given up ([`crate::load::STUCK`], 30 s), and opening the next volume. Too short, and
/// what was on its way for so long would be taken for footage in the right time; too long, and frames lost are for longer laid to a
/// clock that was set.
const BEYOND_THE_RING: Duration = Duration::from_secs(90);

/// See the module.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waits {
    ring: Duration,
    segment: Duration,
}

impl Waits {
    pub(crate) const fn new(settings: &Settings) -> Self {
        Waits { ring: settings.ring, segment: settings.segment }
    }

    /// After a correction footage in the old times comes no more after this: the segment that was open ends with its GOP, and
    /// what a full ring held came before that. It is also the longest that footage waits before it is durable: a correction by
    /// more shows in how old it is.
    pub(crate) const fn late(&self) -> Duration {
        self.ring.saturating_add(BEYOND_THE_RING)
    }

    /// A clock that was set shows within this time, in the first segment that begins after it: a step of less than 2 s ends
    /// none before its time.
    pub(crate) const fn step_shows(&self) -> Duration {
        self.segment.saturating_add(self.late())
    }
}
