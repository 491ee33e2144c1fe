//! What others ask of a volume, and what it tells by itself.

use super::retry::Trouble;
use super::{Closed, Left, State, Unmounted, Volume};
use crate::effect::{VolumeEffect, VolumeStatus};
use crate::event::{Cause, Fault};
use crate::load::LABOURED;
use crate::time::Mono;
use core::time::Duration;

impl Volume {
    /// Since when it takes footage; `None` if it does not.
    pub(crate) const fn ready_since(&self) -> Option<Mono> {
        match self.state {
            State::Ready { since, .. } => Some(since),
            State::Idle
            | State::Absent(_)
            | State::Opening { .. }
            | State::Faulted { .. }
            | State::Closing { .. }
            | State::Unmounting { .. }
            | State::Mounting { .. }
            | State::Ejected
            | State::Closed
            | State::Abandoned => None,
        }
    }

    /// Whether it takes footage.
    pub(crate) const fn is_ready(&self) -> bool {
        self.ready_since().is_some()
    }

    /// Whether what it says of stored footage still counts: while it is ready, and while it closes.
    pub(crate) const fn is_writing(&self) -> bool {
        matches!(self.state, State::Ready { .. } | State::Closing { .. })
    }

    /// Whether it still writes out what the rings hold before it goes.
    pub(crate) const fn is_leaving(&self) -> bool {
        matches!(self.state, State::Closing { then: Closed::Eject | Closed::Open, .. })
    }

    /// Whether it is only to be taken when nothing else is there.
    pub(crate) const fn is_barred(&self) -> bool {
        self.bar.is_some()
    }

    /// Whether its rings are in danger.
    pub(crate) const fn is_strained(&self) -> bool {
        matches!(self.state, State::Ready { load, .. } if load.is_strained())
    }

    /// Why rings before it overflow although it is ready, if it has to do with it: it is strained; or it has just come back
    /// from a fault, and finds them full. That lasts until they are read and what was read is durable, one call perhaps; if
    /// that call lasts, it is a strain.
    pub(crate) fn hindrance(&self, now: Mono) -> Option<Fault> {
        match self.state {
            State::Ready { load, .. } if load.is_strained() => Some(Fault::TooSlow),
            State::Ready { since, after, .. } if now.since(since) <= LABOURED => after,
            State::Ready { .. }
            | State::Idle
            | State::Absent(_)
            | State::Opening { .. }
            | State::Faulted { .. }
            | State::Closing { .. }
            | State::Unmounting { .. }
            | State::Mounting { .. }
            | State::Ejected
            | State::Closed
            | State::Abandoned => None,
        }
    }

    /// Whether it may still come without anything having failed: hope, no alarm.
    pub(crate) fn is_hopeful(&self, now: Mono) -> bool {
        match self.state {
            State::Absent(Left::NeverCame { expected }) => now < expected,
            State::Idle | State::Opening { .. } | State::Mounting { .. } => self.trouble.is_none(),
            State::Absent(Left::Pulled | Left::Ejected)
            | State::Ready { .. }
            | State::Faulted { .. }
            | State::Closing { .. }
            | State::Unmounting { .. }
            | State::Ejected
            | State::Closed
            | State::Abandoned => false,
        }
    }

    /// When what is hoped of it, or laid to it, changes by itself; perhaps in the past.
    pub(crate) fn turns_at(&self) -> Option<Mono> {
        match self.state {
            State::Absent(Left::NeverCame { expected }) => Some(expected),
            State::Ready { since, after: Some(_), .. } => Some(since + LABOURED + Duration::from_nanos(1)),
            State::Ready { after: None, .. }
            | State::Absent(Left::Pulled | Left::Ejected)
            | State::Idle
            | State::Opening { .. }
            | State::Faulted { .. }
            | State::Closing { .. }
            | State::Unmounting { .. }
            | State::Mounting { .. }
            | State::Ejected
            | State::Closed
            | State::Abandoned => None,
        }
    }

    /// Whether nothing is there.
    pub(crate) const fn is_absent(&self) -> bool {
        matches!(self.state, State::Absent(_))
    }

    /// Whether it can be taken out.
    pub(crate) const fn is_ejected(&self) -> bool {
        matches!(self.state, State::Ejected)
    }

    /// Whether nothing of it is waited for any more.
    pub(crate) const fn is_over(&self) -> bool {
        matches!(self.state, State::Closed | State::Abandoned | State::Absent(_) | State::Ejected)
    }

    /// The newest fault since it proved itself.
    pub(crate) const fn fault(&self) -> Option<Fault> {
        match self.trouble {
            Some(trouble) => Some(trouble.fault),
            None => None,
        }
    }

    /// Why it takes no footage, if that is known.
    pub(crate) fn cause(&self) -> Option<Cause> {
        match self.state {
            State::Ready { .. } => None,
            State::Ejected
            | State::Absent(Left::Ejected)
            | State::Unmounting { then: Unmounted::Eject, .. } => Some(Cause::Ejected),
            State::Unmounting { then: Unmounted::Mount, .. } | State::Mounting { .. } => {
                Some(self.fault().map_or(Cause::Ejected, Cause::Volume))
            }
            State::Idle
            | State::Absent(Left::NeverCame { .. } | Left::Pulled)
            | State::Opening { .. }
            | State::Faulted { .. }
            | State::Closing { .. }
            | State::Closed
            | State::Abandoned => self.fault().map(Cause::Volume),
        }
    }

    /// The next effect that it owes.
    pub(crate) fn poll_effect(&mut self) -> Option<VolumeEffect> {
        if let Some(owed) = self.owed.take() {
            return Some(owed);
        }
        let status = self.status()?;
        // When it is tried again is no news.
        let news = match status {
            VolumeStatus::Faulted { fault, until: _ } => VolumeStatus::Faulted { fault, until: None },
            VolumeStatus::Absent
            | VolumeStatus::Opening
            | VolumeStatus::Ready
            | VolumeStatus::Ejecting
            | VolumeStatus::SafeToRemove
            | VolumeStatus::Closed => status,
        };
        if self.told.replace(news) == Some(news) {
            return None;
        }
        Some(VolumeEffect::Status(status))
    }

    fn status(&self) -> Option<VolumeStatus> {
        let unless_faulted = |otherwise, until| match self.trouble {
            Some(Trouble { fault, .. }) => VolumeStatus::Faulted { fault, until },
            None => otherwise,
        };
        Some(match self.state {
            State::Idle | State::Closing { then: Closed::Stop, .. } => return None,
            State::Absent(_) => VolumeStatus::Absent,
            State::Opening { .. } | State::Closing { then: Closed::Open, .. } => {
                unless_faulted(VolumeStatus::Opening, None)
            }
            State::Unmounting { then: Unmounted::Mount, deadline } | State::Mounting { deadline } => {
                unless_faulted(VolumeStatus::Opening, Some(deadline))
            }
            State::Ready { .. } => unless_faulted(VolumeStatus::Ready, None),
            State::Faulted { until } => unless_faulted(VolumeStatus::Opening, until),
            State::Closing { then: Closed::Eject, .. } | State::Unmounting { then: Unmounted::Eject, .. } => {
                VolumeStatus::Ejecting
            }
            State::Ejected => VolumeStatus::SafeToRemove,
            State::Closed | State::Abandoned => VolumeStatus::Closed,
        })
    }
}
