//! One place for a volume: a path of the configuration, or a slot that disks come to and go from.
//!
//! Words: a volume is **ready** while its writer takes footage; it **faulted** when it could not be opened or failed in use; it
//! is **abandoned** when its writer is waited for no longer; it **proves itself** by footage that becomes durable, or by
//! half a minute of readiness; it is **barred** while it is only taken when nothing else is there.
//!
//! ```text
//! Absent ─Attached─▶ Opening ─Ready─▶ Ready ─Eject─▶ Closing ─Closed─▶ Unmounting ─Unmounted─▶ Ejected
//!   ▲  (a path: Idle)  ▲   │ Faulted    │ Faulted, stuck, too slow         │ 60 s                  │
//!   │                  │   ▼            ▼                                  ▼                       │
//!   │                  └─ Faulted ◀─────┴──────────────────────────────────┘   Detached, then Attached; or Use
//!   └─────Detached────────┘ │ a disk that a check may mend                                         ▼
//!                           └─▶ Unmounting ─Unmounted─▶ Mounting ─Attached─▶ Opening ◀─────────────┘
//! ```
//!
//! What the helper answers late counts all the same: a late `Unmounted` leads to `Ejected` or `Mounting`, as was wanted, and what
//! is known to be unmounted is mounted before it is opened. A refusal (`KeptMounted`) leads from `Unmounting` to `Opening`.
//!
//! A volume is never given up. What is done about which fault is the table of `treatment.rs`; whether it takes the load is
//! judged in `load.rs`. Retries have no jitter, since nobody else shares the disk. Stop ends every state: what is open is closed, the rest
//! is left as it is.

mod face;
mod place;
mod retry;

use crate::effect::{VolumeEffect, VolumeStatus};
use crate::event::{Fault, VolumeFigures};
use crate::load::{Duty, Load, Verdict};
use crate::settings::VolumeKind;
use crate::time::Mono;
use core::time::Duration;
use retry::{Bar, Patience, Trouble};

/// Opening may repair: a scan of the open segments of 32 cameras on a slow disk takes some seconds, a
/// filesystem's journal replay after a power cut tens of them.
const OPENING: Duration = Duration::from_secs(60);

/// Closing at the end writes out what the rings hold. Longer than this and the system's own stop would kill us.
const CLOSING: Duration = Duration::from_secs(10);

/// Closing for a person who waits beside it may take as long as a full ring takes to come.
const EJECTING: Duration = Duration::from_secs(30);

/// Unmounting for a person writes out what the kernel holds: gigabytes, on a stick of 20 MB/s.
const UNMOUNTING: Duration = Duration::from_secs(60);

/// A check and a mount of a healthy filesystem take seconds. After this its fault is told and its mount asked for anew
/// later; a longer check ends in `Attached`, which is taken at any time.
const MOUNTING: Duration = Duration::from_secs(60);

/// A disk that is there at all has been found and mounted by then: so long a slot without one is hope, no alarm.
const SETTLING: Duration = Duration::from_secs(30);

/// Ready for this long, a volume has proved itself: its retries begin anew, and it is preferred again.
/// A loose plug fails sooner.
pub(crate) const PROVEN: Duration = Duration::from_secs(30);

/// See the module.
#[derive(Debug)]
pub(crate) struct Volume {
    kind: VolumeKind,
    state: State,
    patience: Patience,
    /// The newest fault since it proved itself.
    trouble: Option<Trouble>,
    /// A fault in use that its ledger does not tell of yet.
    untold: Option<(Mono, Fault)>,
    bar: Option<Bar>,
    remounted: Option<Mono>,
    /// What an unmount that was waited for no longer is for: its answer may still come.
    late: Option<Unmounted>,
    /// Its mount is gone, as we wanted: opening would be in vain before it is `Attached` again.
    unmounted: bool,
    /// Bytes free and in all, as far as they were told.
    space: (Option<u64>, Option<u64>),
    owed: Option<VolumeEffect>,
    told: Option<VolumeStatus>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Idle,
    Absent(Left),
    Opening {
        deadline: Mono,
    },
    /// `after`: what troubled it before.
    Ready {
        since: Mono,
        load: Load,
        after: Option<Fault>,
    },
    Faulted {
        until: Option<Mono>,
    },
    Closing {
        deadline: Mono,
        then: Closed,
    },
    Unmounting {
        deadline: Mono,
        then: Unmounted,
    },
    Mounting {
        deadline: Mono,
    },
    Ejected,
    Closed,
    Abandoned,
}

/// Why nothing is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    /// Nothing of ours was there yet; expected until then, after a start.
    NeverCame { expected: Mono },
    /// It was pulled while it was in use.
    Pulled,
    /// It was ejected before.
    Ejected,
}

/// What comes after closing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Closed {
    Stop,
    Eject,
    /// The person changed their mind.
    Open,
}

/// What comes after unmounting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unmounted {
    Eject,
    Mount,
}

impl Volume {
    /// A place that has not been started.
    pub(crate) const fn new(kind: VolumeKind) -> Self {
        Volume {
            kind,
            state: State::Idle,
            patience: Patience::Fresh,
            trouble: None,
            untold: None,
            bar: None,
            remounted: None,
            late: None,
            unmounted: false,
            space: (None, None),
            owed: None,
            told: None,
        }
    }

    /// Begins.
    pub(crate) fn start(&mut self, now: Mono) {
        match self.kind {
            VolumeKind::Path => self.open(now),
            VolumeKind::Disk => self.state = State::Absent(Left::NeverCame { expected: now + SETTLING }),
        }
    }

    /// Its writer takes footage. Returns the fault that its ledger is to be told of now.
    pub(crate) fn ready(&mut self, now: Mono) -> Option<(Mono, Fault)> {
        match self.state {
            State::Opening { .. } => {
                self.state = State::Ready { since: now, load: Load::default(), after: self.fault() };
                (self.late, self.unmounted) = (None, false);
                self.untold.take()
            }
            // Too late: it was given up on, or is to be closed.
            State::Idle
            | State::Absent(_)
            | State::Ready { .. }
            | State::Faulted { .. }
            | State::Closing { .. }
            | State::Unmounting { .. }
            | State::Mounting { .. }
            | State::Ejected
            | State::Closed
            | State::Abandoned => None,
        }
    }

    /// It could not be opened, or failed in use; its writer has let go of it.
    pub(crate) fn faulted(&mut self, now: Mono, fault: Fault) {
        match self.state {
            State::Opening { .. } | State::Ready { .. } => self.fail(now, fault),
            State::Closing { then: Closed::Stop, .. } => {
                self.note(now, fault);
                self.state = State::Closed;
            }
            State::Closing { then: Closed::Eject, .. } => {
                // It is to go all the same; a person learns what it cost.
                self.note(now, fault);
                self.untold = Some((now, fault));
                self.take_out(now);
            }
            State::Closing { then: Closed::Open, .. } => self.fail(now, fault),
            State::Idle
            | State::Absent(_)
            | State::Faulted { .. }
            | State::Unmounting { .. }
            | State::Mounting { .. }
            | State::Ejected
            | State::Closed
            | State::Abandoned => {}
        }
    }

    /// Its writer has ended in good order. Unasked for, that is a fault: footage has to go somewhere.
    pub(crate) fn closed(&mut self, now: Mono) {
        match self.state {
            State::Closing { then: Closed::Stop, .. } => self.state = State::Closed,
            State::Closing { then: Closed::Eject, .. } => self.take_out(now),
            State::Closing { then: Closed::Open, .. } => self.attempt(now),
            State::Opening { .. } | State::Ready { .. } => self.fail(now, Fault::Other(0)),
            State::Idle
            | State::Absent(_)
            | State::Faulted { .. }
            | State::Unmounting { .. }
            | State::Mounting { .. }
            | State::Ejected
            | State::Closed
            | State::Abandoned => {}
        }
    }

    /// Figures of its writer came.
    pub(crate) fn figures(&mut self, now: Mono, figures: &VolumeFigures, duty: Duty) {
        self.space = (figures.free.or(self.space.0), figures.total.or(self.space.1));
        if let (Some(Bar::Full { above, .. }), Some(free)) = (self.bar, figures.free)
            && free > above
        {
            self.bar = None;
        }
        let State::Ready { load, .. } = &mut self.state else { return };
        let fault = match load.judge(now, figures, duty) {
            Verdict::Keep => return,
            Verdict::TooSlow => Fault::TooSlow,
            Verdict::Stuck => Fault::Stuck,
        };
        self.fail(now, fault);
        // Its writer still holds it, so nothing is unmounted: neither fault asks for it.
        self.owed = Some(VolumeEffect::Abandon);
    }

    /// Footage became durable on it: it has proved itself.
    pub(crate) fn stored(&mut self) {
        if let State::Ready { .. } = self.state {
            self.patience = Patience::Fresh;
            self.trouble = None;
        }
    }

    /// Another volume takes the footage: readiness is all that can be asked of this one.
    pub(crate) fn stand_by(&mut self) {
        if let (State::Ready { .. }, None) = (self.state, self.bar) {
            self.trouble = None;
        }
    }

    /// Ends, from whatever state. One that is still opening is closed too: its writer may hold a lock.
    pub(crate) fn close(&mut self, now: Mono) {
        match self.state {
            State::Opening { .. } | State::Ready { .. } => {
                self.owed = Some(VolumeEffect::Close);
                self.state = State::Closing { deadline: now + CLOSING, then: Closed::Stop };
            }
            State::Closing { deadline, then: _ } => {
                let deadline = deadline.min(now + CLOSING);
                self.state = State::Closing { deadline, then: Closed::Stop };
            }
            State::Idle
            | State::Absent(_)
            | State::Faulted { .. }
            | State::Unmounting { .. }
            | State::Mounting { .. }
            | State::Ejected
            | State::Closed
            | State::Abandoned => self.rest(now),
        }
    }

    /// The device is stopping: nothing is begun any more.
    pub(crate) fn rest(&mut self, now: Mono) {
        match self.state {
            State::Idle | State::Faulted { .. } | State::Unmounting { .. } | State::Mounting { .. } => {
                self.owed = self.owed.take().filter(|owed| *owed == VolumeEffect::Abandon);
                self.state = State::Closed;
            }
            State::Closing { deadline, then: Closed::Eject | Closed::Open } => {
                let deadline = deadline.min(now + CLOSING);
                self.state = State::Closing { deadline, then: Closed::Stop };
            }
            // What is safe to remove stays so.
            State::Absent(_)
            | State::Ejected
            | State::Opening { .. }
            | State::Ready { .. }
            | State::Closing { then: Closed::Stop, .. }
            | State::Closed
            | State::Abandoned => {}
        }
    }

    /// Does what is due at `now`.
    pub(crate) fn advance(&mut self, now: Mono) {
        if self.barred_until().is_some_and(|until| until <= now) {
            self.bar = None;
        }
        match self.state {
            State::Opening { deadline } if deadline <= now => {
                match self.unmounted {
                    true => self.fail_again(now, Fault::Stuck),
                    false => self.fail(now, Fault::Stuck),
                }
                self.owed = Some(VolumeEffect::Abandon);
            }
            State::Ready { since, .. } if since + PROVEN <= now => {
                self.patience = Patience::Fresh;
                self.stand_by();
            }
            State::Faulted { until: Some(until) } if until <= now => self.attempt(now),
            State::Closing { deadline, then } if deadline <= now => {
                self.owed = Some(VolumeEffect::Abandon);
                match then {
                    Closed::Stop => {
                        self.note(now, Fault::Stuck);
                        self.state = State::Abandoned;
                    }
                    Closed::Eject | Closed::Open => {
                        self.untold = Some((now, Fault::Stuck));
                        self.fail_again(now, Fault::Stuck);
                    }
                }
            }
            State::Unmounting { deadline, then } if deadline <= now => {
                self.late = Some(then);
                match then {
                    Unmounted::Eject => self.fail_again(now, Fault::Stuck),
                    // It is tried as it is.
                    Unmounted::Mount => self.fail_again(now, self.fault().unwrap_or(Fault::Stuck)),
                }
            }
            State::Mounting { deadline } if deadline <= now => self.fail_to_mount(now),
            State::Idle
            | State::Absent(_)
            | State::Opening { .. }
            | State::Ready { .. }
            | State::Faulted { .. }
            | State::Closing { .. }
            | State::Unmounting { .. }
            | State::Mounting { .. }
            | State::Ejected
            | State::Closed
            | State::Abandoned => {}
        }
    }

    /// When it wants to be called again at the latest.
    pub(crate) fn deadline(&self) -> Option<Mono> {
        let state = match self.state {
            State::Opening { deadline }
            | State::Closing { deadline, .. }
            | State::Unmounting { deadline, .. }
            | State::Mounting { deadline } => Some(deadline),
            State::Faulted { until } => until,
            State::Ready { since, .. } if self.patience != Patience::Fresh => Some(since + PROVEN),
            State::Ready { .. }
            | State::Idle
            | State::Absent(_)
            | State::Ejected
            | State::Closed
            | State::Abandoned => None,
        };
        [self.barred_until(), state].into_iter().flatten().min()
    }

    /// Tries it again, with what has to come first.
    fn attempt(&mut self, now: Mono) {
        match (self.unmounted, self.late.take_if(|_| self.unmounted)) {
            (false, _) => self.open(now),
            // Its ejection came late, and is what a person wants all the same.
            (true, Some(Unmounted::Eject)) => self.ejected(),
            (true, Some(Unmounted::Mount) | None) => self.mount(now),
        }
    }

    fn open(&mut self, now: Mono) {
        self.owed = Some(VolumeEffect::Open);
        self.state = State::Opening { deadline: now + OPENING };
    }

    fn mount(&mut self, now: Mono) {
        self.owed = Some(VolumeEffect::Mount);
        self.state = State::Mounting { deadline: now + MOUNTING };
    }

    fn unmount(&mut self, then: Unmounted, deadline: Mono) {
        // Where it was to be mounted, only the answer tells whether it is.
        (self.late, self.unmounted) = (None, false);
        self.owed = Some(VolumeEffect::Unmount);
        self.state = State::Unmounting { deadline, then };
    }

    /// Its writer has let go of it, and a person wants it out.
    fn take_out(&mut self, now: Mono) {
        match self.kind {
            VolumeKind::Path => self.ejected(),
            VolumeKind::Disk => {
                self.unmount(Unmounted::Eject, now + UNMOUNTING);
            }
        }
    }

    fn ejected(&mut self) {
        // What troubled it goes with it.
        self.trouble = None;
        self.state = State::Ejected;
    }

    /// What was in use is gone.
    fn lose(&mut self, now: Mono) {
        match self.kind {
            VolumeKind::Disk => {
                self.note(now, Fault::Missing);
                self.state = State::Absent(Left::Pulled);
            }
            VolumeKind::Path => self.fail_again(now, Fault::Missing),
        }
    }
}
