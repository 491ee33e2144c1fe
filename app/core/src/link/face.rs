//! What others may know of a link.

use super::{Link, PASSAGE, Puzzle, State, TEAR_DOWN, Then};
use crate::event::Failure;
use crate::time::Mono;
use core::time::Duration;

/// Sound that has not come for this long while the picture does has stopped; packets come each 20 to 128 ms.
const SILENT: Duration = Duration::from_secs(10);

/// What a person is to know of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Nobody wants it.
    Idle,
    /// An attempt is under way, or about to be.
    Connecting,
    /// Media comes.
    Up,
    /// It is tried again.
    BackingOff { failure: Failure, until: Mono, failures: u32 },
}

/// What a link wants to connect for, the more urgent first: an attempt that is under way is to come to its end before
/// others begin, or what it found would be told late.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Errand {
    /// To find out why an attempt got no connection.
    Diagnosis,
    /// To receive.
    Media,
}

impl Link {
    /// Whether a command of it is not polled yet.
    pub(crate) const fn owes(&self) -> bool {
        self.owed.is_some()
    }

    /// What it is due for, and since when.
    pub(crate) const fn due(&self) -> Option<(Errand, Mono)> {
        match self.state {
            State::Due { since, .. } => Some((Errand::Media, since)),
            State::Connecting { puzzle: Puzzle::Due(since), .. } => Some((Errand::Diagnosis, since)),
            State::Idle
            | State::Connecting { puzzle: Puzzle::None | Puzzle::Asked, .. }
            | State::Up(_)
            | State::TearingDown { .. }
            | State::BackingOff { .. } => None,
        }
    }

    /// The host that it goes to.
    pub(crate) const fn host(&self) -> u8 {
        self.host
    }

    /// Until when a session that is being set up or taken down counts against its host.
    pub(crate) fn passage(&self) -> Option<Mono> {
        match self.state {
            State::Connecting { begun, .. } => Some(begun + PASSAGE),
            State::TearingDown { deadline, .. } => Some(deadline - TEAR_DOWN + PASSAGE),
            State::Idle | State::Due { .. } | State::Up(_) | State::BackingOff { .. } => None,
        }
    }

    /// Whether nobody wants it and nothing of it is left.
    pub(crate) const fn is_idle(&self) -> bool {
        matches!(self.state, State::Idle)
    }

    /// Whether media comes.
    pub(crate) const fn is_up(&self) -> bool {
        matches!(self.state, State::Up(_))
    }

    /// Since when keyframes come on it.
    pub(crate) const fn live_since(&self) -> Option<Mono> {
        match &self.state {
            State::Up(up) => up.live_since,
            State::Idle
            | State::Due { .. }
            | State::Connecting { .. }
            | State::TearingDown { .. }
            | State::BackingOff { .. } => None,
        }
    }

    /// Keyframes that came on it.
    pub(crate) const fn keyframes(&self) -> u64 {
        match &self.state {
            State::Up(up) => up.keyframes,
            State::Idle
            | State::Due { .. }
            | State::Connecting { .. }
            | State::TearingDown { .. }
            | State::BackingOff { .. } => 0,
        }
    }

    /// What is wrong with what comes on it, without keeping it from being recorded.
    pub(crate) const fn trouble(&self) -> Option<Failure> {
        match &self.state {
            State::Up(up) => up.trouble.now(),
            State::Idle
            | State::Due { .. }
            | State::Connecting { .. }
            | State::TearingDown { .. }
            | State::BackingOff { .. } => None,
        }
    }

    /// Whether its sound has stopped while its picture goes on.
    pub(crate) fn is_silent(&self) -> bool {
        match &self.state {
            State::Up(up) => up.audio.is_some_and(|audio| up.video.since(audio) >= SILENT),
            State::Idle
            | State::Due { .. }
            | State::Connecting { .. }
            | State::TearingDown { .. }
            | State::BackingOff { .. } => false,
        }
    }

    /// What a person is to know of it.
    pub(crate) const fn phase(&self) -> Phase {
        // Nearly always, and asked for with each figure.
        if self.is_up() {
            return Phase::Up;
        }
        let failures = self.ladder.failures();
        match self.state {
            State::Idle | State::TearingDown { then: Then::Rest, .. } => Phase::Idle,
            State::Due { .. } | State::Connecting { .. } => Phase::Connecting,
            State::TearingDown { then: Then::Switch(_), .. } => Phase::Connecting,
            State::Up(_) => Phase::Up,
            State::TearingDown { then: Then::Retry { at, failure, .. }, .. } => {
                Phase::BackingOff { failure, until: at, failures }
            }
            State::BackingOff { until, failure, .. } => Phase::BackingOff { failure, until, failures },
        }
    }
}
