//! One volume: open it, keep it, open it again when it failed, close it at the end.
//!
//! Words: a volume is **ready** while its writer takes footage; it **faulted** when it could not be opened or failed
//! in use; it is **abandoned** when its writer did not answer in time and is waited for no longer.
//!
//! A volume is never given up: after the last step the retries go on at that pace, without jitter, since
//! nobody else shares the disk.

use crate::effect::{VolumeEffect, VolumeStatus};
use crate::event::Fault;
use crate::time::Mono;
use core::time::Duration;

/// Opening may repair: a scan of the open segments of 32 cameras on a slow disk takes some seconds, a
/// filesystem's journal replay after a power cut tens of them.
const OPENING: Duration = Duration::from_secs(60);

/// Closing writes out what the rings hold. Longer than this and the system's own stop would kill us.
const CLOSING: Duration = Duration::from_secs(10);

/// Waits between attempts, the last one repeated. The first is short, so that a disk that is back
/// records within the 3 s that are promised; the last finds a mended one within half a minute.
const RETRIES: [Duration; 5] = [
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
    Duration::from_secs(16),
    Duration::from_secs(30),
];

/// Ready for this long, a volume has proved itself: its retries begin anew, and it is preferred again.
/// A loose plug fails sooner.
pub(crate) const PROVEN: Duration = Duration::from_secs(30);

/// See the module.
#[derive(Debug)]
pub(crate) struct Volume {
    state: State,
    retries: usize,
    /// The newest fault since it was ready last.
    fault: Option<Fault>,
    /// A fault in use that its ledger does not tell of yet.
    untold: Option<(Mono, Fault)>,
    owed: Option<VolumeEffect>,
    /// A status, not yet polled.
    notice: Option<VolumeEffect>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Idle,
    Opening { deadline: Mono },
    Ready { since: Mono },
    Faulted { until: Mono },
    Closing { deadline: Mono },
    Closed,
    Abandoned,
}

impl Volume {
    /// A volume that has not been started.
    pub(crate) const fn new() -> Self {
        Volume { state: State::Idle, retries: 0, fault: None, untold: None, owed: None, notice: None }
    }

    /// Begins, or begins anew after a fault.
    pub(crate) fn open(&mut self, now: Mono) {
        self.owed = Some(VolumeEffect::Open);
        self.state = State::Opening { deadline: now + OPENING };
    }

    /// Its writer takes footage. Returns the fault that its ledger is to be told of now.
    pub(crate) fn ready(&mut self, now: Mono) -> Option<(Mono, Fault)> {
        match self.state {
            State::Opening { .. } => {
                self.state = State::Ready { since: now };
                self.fault = None;
                self.untold.take()
            }
            // Too late: it was given up on, or is to be closed.
            State::Idle
            | State::Ready { .. }
            | State::Faulted { .. }
            | State::Closing { .. }
            | State::Closed
            | State::Abandoned => None,
        }
    }

    /// It could not be opened, or failed in use.
    pub(crate) fn faulted(&mut self, now: Mono, fault: Fault) {
        match self.state {
            State::Opening { .. } => self.back_off(now, fault),
            State::Ready { since } => {
                if now.since(since) >= PROVEN {
                    self.retries = 0;
                }
                self.untold = Some((now, fault));
                self.back_off(now, fault);
            }
            State::Closing { .. } => {
                self.fault = Some(fault);
                self.state = State::Closed;
            }
            State::Idle | State::Faulted { .. } | State::Closed | State::Abandoned => {}
        }
    }

    /// Its writer has ended. Unasked for, that is a fault: footage has to go somewhere.
    pub(crate) fn closed(&mut self, now: Mono) {
        match self.state {
            State::Closing { .. } => self.state = State::Closed,
            State::Opening { .. } | State::Ready { .. } => self.faulted(now, Fault::Other(0)),
            State::Idle | State::Faulted { .. } | State::Closed | State::Abandoned => {}
        }
    }

    /// Ends, from whatever state. One that is still opening is closed too: its writer may hold a lock.
    pub(crate) fn close(&mut self, now: Mono) {
        match self.state {
            State::Opening { .. } | State::Ready { .. } => {
                self.owed = Some(VolumeEffect::Close);
                self.state = State::Closing { deadline: now + CLOSING };
            }
            State::Idle | State::Faulted { .. } => self.state = State::Closed,
            State::Closing { .. } | State::Closed | State::Abandoned => {}
        }
    }

    /// The device is stopping: one that failed is not tried again.
    pub(crate) fn rest(&mut self) {
        if let State::Faulted { .. } = self.state {
            self.state = State::Closed;
            self.notice = None;
        }
    }

    /// Does what is due at `now`.
    pub(crate) fn advance(&mut self, now: Mono) {
        match self.state {
            State::Opening { deadline } if deadline <= now => {
                self.owed = Some(VolumeEffect::Abandon);
                self.back_off(now, Fault::Stuck);
            }
            State::Faulted { until } if until <= now => self.open(now),
            State::Closing { deadline } if deadline <= now => {
                self.owed = Some(VolumeEffect::Abandon);
                self.fault = Some(Fault::Stuck);
                self.state = State::Abandoned;
            }
            State::Idle
            | State::Opening { .. }
            | State::Ready { .. }
            | State::Faulted { .. }
            | State::Closing { .. }
            | State::Closed
            | State::Abandoned => {}
        }
    }

    /// When it wants to be called again at the latest.
    pub(crate) const fn deadline(&self) -> Option<Mono> {
        match self.state {
            State::Opening { deadline } | State::Closing { deadline } => Some(deadline),
            State::Faulted { until } => Some(until),
            State::Idle | State::Ready { .. } | State::Closed | State::Abandoned => None,
        }
    }

    /// Since when it takes footage; `None` if it does not.
    pub(crate) const fn ready_since(&self) -> Option<Mono> {
        match self.state {
            State::Ready { since } => Some(since),
            State::Idle
            | State::Opening { .. }
            | State::Faulted { .. }
            | State::Closing { .. }
            | State::Closed
            | State::Abandoned => None,
        }
    }

    /// Whether what it says of stored footage still counts: while it is ready, and while it closes.
    pub(crate) const fn is_writing(&self) -> bool {
        matches!(self.state, State::Ready { .. } | State::Closing { .. })
    }

    /// Whether it is still being opened for the first time, without a fault: hope, no alarm.
    pub(crate) const fn is_hopeful(&self) -> bool {
        matches!(self.state, State::Idle | State::Opening { .. }) && self.fault.is_none()
    }

    /// Whether nothing of it is waited for any more.
    pub(crate) const fn is_over(&self) -> bool {
        matches!(self.state, State::Closed | State::Abandoned)
    }

    /// Why it takes no footage: the newest fault, kept while it is being opened again.
    pub(crate) const fn fault(&self) -> Option<Fault> {
        self.fault
    }

    /// The next effect that it owes.
    pub(crate) fn poll_effect(&mut self) -> Option<VolumeEffect> {
        self.owed.take().or_else(|| self.notice.take())
    }

    fn back_off(&mut self, now: Mono, fault: Fault) {
        let wait = RETRIES.get(self.retries).copied().unwrap_or(OPENING);
        self.retries = (self.retries + 1).min(RETRIES.len() - 1);
        let until = now + wait;
        self.fault = Some(fault);
        self.notice = Some(VolumeEffect::Status(VolumeStatus::Faulted { fault, until: Some(until) }));
        self.state = State::Faulted { until };
    }
}
