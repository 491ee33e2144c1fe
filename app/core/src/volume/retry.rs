//! What a fault does to a volume: how long it waits, whether it is remounted, whether it is barred.

use super::{State, Unmounted, Volume};
use crate::event::Fault;
use crate::settings::VolumeKind;
use crate::time::Mono;
use crate::treatment::{Again, PACE, Remount, treatment};
use core::time::Duration;

/// Unmounting a disk that failed, before it is tried again as it is: nothing of ours waits to be written there.
const LETTING_GO: Duration = Duration::from_secs(10);

/// Remounts are this far apart at least: each costs a check of the whole disk, and what the first did not mend, the
/// second seldom does.
const REMOUNT_EVERY: Duration = Duration::from_secs(600);

/// Waits of a volume that opens but fails in use again and again, the last one repeated: each of these cycles leaves
/// a file for each camera behind, so they must not come every 2 s for a month.
const CYCLES: [Duration; 5] = [
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
    Duration::from_secs(16),
    Duration::from_secs(30),
];

/// A volume that was too slow is not preferred again for so long: it may well look quick while it has nothing to do.
const SLOW_BAR: Duration = Duration::from_secs(300);

/// A volume that was full, where no figure shows when there is room (a quota, a filesystem that does not tell), is tried again
/// after so long. While it is still full that costs a turn of all cameras to it and back, which the rings bridge.
const UNSEEN_BAR: Duration = Duration::from_secs(900);

/// Free space, in bytes, without which a volume that was full is not preferred again: some seconds of 32 cameras.
/// On a small one it is a fiftieth of all.
const ROOM: u64 = 16 * 1024 * 1024;

/// How much haste is left in the retries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    /// It has proved itself: the first attempt may be at once.
    Fresh,
    /// It has not proved itself since, and has failed in use so often.
    Tried { uses: usize },
}

/// A fault, and since when it is this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    pub fault: Fault,
    pub since: Mono,
}

/// Why it is only taken when nothing else is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bar {
    /// It was full: until more than this is free, or as much as it needs was deleted; where none of that may show, no
    /// longer than `until`.
    Full { above: u64, freed: u64, until: Option<Mono> },
    /// It was too slow.
    Slow { until: Mono },
}

impl Volume {
    /// Cleaning deleted so many bytes. They are added up, since with a quota the filesystem's figures may not show them.
    pub(crate) fn deleted(&mut self, bytes: u64) {
        let room = self.room();
        if let Some(Bar::Full { freed, .. }) = &mut self.bar {
            *freed = freed.saturating_add(bytes);
            if *freed >= room {
                self.bar = None;
            }
        }
    }

    /// Cleaning found nothing to delete, and so many bytes more are wanted.
    pub(crate) fn exhausted(&mut self, wanted: u64) {
        let free = self.space.0.unwrap_or(0);
        let above = free.saturating_add(wanted).max(self.room());
        let until = match self.bar {
            Some(Bar::Full { until, .. }) => until,
            Some(Bar::Slow { .. }) | None => None,
        };
        self.bar = Some(Bar::Full { above, freed: 0, until });
    }

    /// Until when it is barred at the most, if time ends that.
    pub(super) const fn barred_until(&self) -> Option<Mono> {
        match self.bar {
            Some(Bar::Slow { until }) => Some(until),
            Some(Bar::Full { until, .. }) => until,
            None => None,
        }
    }

    /// It failed while it was opened or in use.
    pub(super) fn fail(&mut self, now: Mono, fault: Fault) {
        if self.unmounted {
            // It failed since its mount went meanwhile.
            return self.attempt(now);
        }
        self.note(now, fault);
        let in_use = matches!(self.state, State::Ready { .. });
        if in_use {
            self.untold = Some((now, fault));
        }
        match fault {
            Fault::NoSpace | Fault::Quota => {
                let twice = self.space.0.unwrap_or(0).saturating_mul(2);
                let unseen = fault == Fault::Quota || self.space.0.is_none();
                let until = unseen.then_some(now + UNSEEN_BAR);
                self.bar = Some(Bar::Full { above: twice.max(self.room()), freed: 0, until });
            }
            Fault::TooSlow => self.bar = Some(Bar::Slow { until: now + SLOW_BAR }),
            Fault::Other(_)
            | Fault::Missing
            | Fault::Io
            | Fault::ReadOnly
            | Fault::Denied
            | Fault::Again
            | Fault::Stale
            | Fault::Stuck
            | Fault::WrongIdentity
            | Fault::InUse
            | Fault::Damaged
            | Fault::Foreign
            | Fault::Duplicate
            | Fault::Copied
            | Fault::NotMounted => {}
        }
        let treatment = treatment(fault);
        let wait = self.wait(in_use, treatment.first);
        if self.is_remount_due(now, treatment.remount) {
            self.remounted = Some(now);
            self.unmount(Unmounted::Mount, now + LETTING_GO);
            return;
        }
        let until = match (treatment.again, self.kind) {
            (Again::Anew, VolumeKind::Disk) => None,
            (Again::Anew, VolumeKind::Path) | (Again::Paced, VolumeKind::Path | VolumeKind::Disk) => {
                Some(now + wait)
            }
        };
        self.state = State::Faulted { until };
    }

    /// It failed outside of an attempt: the next one comes at the pace.
    pub(super) fn fail_again(&mut self, now: Mono, fault: Fault) {
        self.note(now, fault);
        self.state = State::Faulted { until: Some(now + PACE) };
    }

    /// It could not be mounted, or its check takes long. Asking anew is what may help, opening is not.
    pub(super) fn fail_to_mount(&mut self, now: Mono) {
        self.note(now, self.fault().unwrap_or(Fault::NotMounted));
        self.state = State::Faulted { until: Some(now + REMOUNT_EVERY) };
    }

    /// The wait before the next attempt.
    pub(super) fn wait(&mut self, in_use: bool, first: Duration) -> Duration {
        match self.patience {
            Patience::Fresh => {
                self.patience = Patience::Tried { uses: 0 };
                first
            }
            Patience::Tried { uses } if in_use => {
                self.patience = Patience::Tried { uses: (uses + 1).min(CYCLES.len() - 1) };
                CYCLES.get(uses).copied().unwrap_or(PACE)
            }
            Patience::Tried { .. } => PACE,
        }
    }

    pub(super) fn note(&mut self, now: Mono, fault: Fault) {
        let since = self.trouble.filter(|before| before.fault == fault).map_or(now, |before| before.since);
        self.trouble = Some(Trouble { fault, since });
    }

    pub(super) fn is_remount_due(&self, now: Mono, remount: Remount) -> bool {
        let lasted = self.trouble.map_or(Duration::ZERO, |trouble| now.since(trouble.since));
        let worth = match remount {
            Remount::Never => false,
            Remount::After(long) => lasted >= long,
        };
        let rested = self.remounted.is_none_or(|at| now.since(at) >= REMOUNT_EVERY);
        self.kind == VolumeKind::Disk && worth && rested
    }

    /// Free space, in bytes, below which it counts as full.
    pub(super) fn room(&self) -> u64 {
        self.space.1.map_or(ROOM, |total| ROOM.min(total / 50))
    }
}
