//! How a volume comes to its place and leaves it: attached, detached, ejected, used again.

use super::{Closed, EJECTING, Left, State, Unmounted, Volume};
use crate::effect::VolumeEffect;
use crate::event::Fault;
use crate::settings::VolumeKind;
use crate::time::Mono;

impl Volume {
    /// Its filesystem is there.
    pub(crate) fn attached(&mut self, now: Mono) {
        self.unmounted = false;
        match self.state {
            State::Absent(_) => {
                self.bar = None;
                self.remounted = None;
                self.open(now);
            }
            State::Faulted { .. } | State::Mounting { .. } => self.open(now),
            // Its mount was under way before a person wanted it out, and the helper may have found nothing to unmount.
            State::Unmounting { deadline, then: Unmounted::Eject } if self.kind == VolumeKind::Disk => {
                self.unmount(Unmounted::Eject, deadline);
            }
            // Told twice; or of a mount that is about to go; or mounted by somebody while a person wants it out.
            State::Idle
            | State::Opening { .. }
            | State::Ready { .. }
            | State::Closing { .. }
            | State::Unmounting { .. }
            | State::Ejected
            | State::Closed
            | State::Abandoned => {}
        }
    }

    /// Its device or mount is gone: its writer is not waited for.
    pub(crate) fn detached(&mut self, now: Mono) {
        (self.late, self.unmounted) = (None, false);
        match self.state {
            State::Opening { .. } => {
                self.owed = Some(VolumeEffect::Abandon);
                self.lose(now);
            }
            State::Ready { .. } => {
                self.owed = Some(VolumeEffect::Abandon);
                self.untold = Some((now, Fault::Missing));
                self.lose(now);
            }
            State::Faulted { until: None } => {
                // It was never ours to use: nobody misses it.
                self.trouble = None;
                self.state = State::Absent(Left::NeverCame { expected: now });
            }
            State::Faulted { .. }
            | State::Mounting { .. }
            | State::Unmounting { then: Unmounted::Mount, .. } => self.lose(now),
            State::Closing { then, .. } => {
                self.owed = Some(VolumeEffect::Abandon);
                self.untold = Some((now, Fault::Missing));
                match then {
                    Closed::Stop => {
                        self.note(now, Fault::Missing);
                        self.state = State::Abandoned;
                    }
                    Closed::Eject if self.kind == VolumeKind::Path => self.state = State::Ejected,
                    Closed::Eject | Closed::Open => self.lose(now),
                }
            }
            State::Unmounting { then: Unmounted::Eject, .. } | State::Ejected => match self.kind {
                VolumeKind::Disk => self.state = State::Absent(Left::Ejected),
                // A path is used again when a person says so.
                VolumeKind::Path => self.state = State::Ejected,
            },
            State::Idle | State::Absent(_) | State::Closed | State::Abandoned => {}
        }
    }

    /// A writer that had been abandoned has ended: the volume can be opened again.
    pub(crate) fn released(&mut self, now: Mono) {
        if let (State::Faulted { until: Some(_) }, false) = (self.state, self.unmounted) {
            self.open(now);
        }
    }

    /// A person wants it out.
    pub(crate) fn eject(&mut self, now: Mono) {
        match self.state {
            // One that is still opening is closed too: its writer may hold a lock.
            State::Opening { .. } | State::Ready { .. } => {
                self.owed = Some(VolumeEffect::Close);
                self.state = State::Closing { deadline: now + EJECTING, then: Closed::Eject };
            }
            State::Closing { deadline, then: Closed::Open } => {
                self.state = State::Closing { deadline, then: Closed::Eject };
            }
            State::Unmounting { then: Unmounted::Mount, .. }
            | State::Faulted { .. }
            | State::Mounting { .. } => self.take_out(now),
            // Nothing is there, or it is on its way out, or the end has come.
            State::Closing { then: Closed::Stop | Closed::Eject, .. }
            | State::Unmounting { then: Unmounted::Eject, .. }
            | State::Idle
            | State::Absent(_)
            | State::Ejected
            | State::Closed
            | State::Abandoned => {}
        }
    }

    /// A person wants it to be used again, or tried again.
    pub(crate) fn reuse(&mut self, now: Mono) {
        self.late = self.late.map(|_| Unmounted::Mount);
        match self.state {
            State::Ejected => match self.kind {
                VolumeKind::Path => self.open(now),
                VolumeKind::Disk => self.mount(now),
            },
            State::Closing { deadline, then: Closed::Eject } => {
                self.state = State::Closing { deadline, then: Closed::Open };
            }
            State::Unmounting { deadline, then: Unmounted::Eject } => {
                self.state = State::Unmounting { deadline, then: Unmounted::Mount };
            }
            State::Faulted { .. } => self.attempt(now),
            State::Idle
            | State::Absent(_)
            | State::Opening { .. }
            | State::Ready { .. }
            | State::Closing { then: Closed::Stop | Closed::Open, .. }
            | State::Unmounting { then: Unmounted::Mount, .. }
            | State::Mounting { .. }
            | State::Closed
            | State::Abandoned => {}
        }
    }

    /// Its mount is gone, as we wanted: maybe later than we waited for it.
    pub(crate) fn unmounted(&mut self, now: Mono) {
        match self.state {
            State::Unmounting { then, .. } => {
                (self.late, self.unmounted) = (Some(then), true);
                self.attempt(now);
            }
            State::Faulted { .. } if self.late.is_some() => {
                self.unmounted = true;
                self.attempt(now);
            }
            // Its writer finds nothing there, and tells so.
            State::Opening { .. } | State::Closing { .. } => self.unmounted |= self.late.is_some(),
            State::Faulted { .. }
            | State::Idle
            | State::Absent(_)
            | State::Ready { .. }
            | State::Mounting { .. }
            | State::Ejected
            | State::Closed
            | State::Abandoned => {}
        }
    }

    /// It could not be unmounted, since somebody else uses it: it is used again at once. Whether a person who wanted it out
    /// is to be told.
    pub(crate) fn kept_mounted(&mut self, now: Mono) -> bool {
        let wanted = match self.state {
            State::Unmounting { then, .. } => {
                self.open(now);
                Some(then)
            }
            State::Opening { .. } | State::Faulted { .. } => self.late.take(),
            State::Idle
            | State::Absent(_)
            | State::Ready { .. }
            | State::Closing { .. }
            | State::Mounting { .. }
            | State::Ejected
            | State::Closed
            | State::Abandoned => None,
        };
        wanted == Some(Unmounted::Eject)
    }
}
