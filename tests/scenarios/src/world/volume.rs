//! A virtual volume: opens, takes, closes when all is well, and what comes of each fault.

use super::ledger::Ledger;
use core::time::Duration;
use holdfast_core::effect::Entry;
use holdfast_core::event::Fault;
use holdfast_core::settings::VolumeKind;
use holdfast_core::time::Mono;

/// A volume.
#[derive(Debug)]
pub(super) struct Volume {
    pub(super) kind: VolumeKind,
    pub(super) is_there: bool,
    pub(super) condition: Condition,
    /// Its next opening fails so.
    pub(super) once: Option<Fault>,
    pub(super) writer: Writer,
    /// Of its writer: answers of an earlier one reach nobody.
    pub(super) number: u64,
    pub(super) is_torn: bool,
    /// Somebody else has files open on it.
    pub(super) is_busy: bool,
    pub(super) ledger: Ledger,
    /// Ledgers of volumes that were here before.
    pub(super) former: Vec<Ledger>,
    /// Entries that are durable with the next fragment.
    pub(super) pending: Vec<Entry>,
    /// Number of the anchor that its open segments take their times from.
    pub(super) anchor: usize,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Condition {
    Works,
    /// It takes so much of what comes, in percent.
    Takes(u32),
    Fails(Fault),
    FailsUntilMounted(Fault),
    Hangs {
        since: Mono,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Writer {
    None,
    Opening,
    Open,
    Closing,
    /// Nobody waits for it, and it hangs.
    Abandoned,
}

impl Volume {
    pub(super) fn new(kind: VolumeKind) -> Self {
        Volume {
            kind,
            is_there: true,
            condition: Condition::Works,
            once: None,
            writer: Writer::None,
            number: 0,
            is_torn: false,
            is_busy: false,
            ledger: Ledger::default(),
            former: Vec::new(),
            pending: Vec::new(),
            anchor: 0,
        }
    }

    /// Its fault, if it has one now.
    pub(super) fn fault(&self) -> Option<Fault> {
        match self.condition {
            Condition::Fails(fault) | Condition::FailsUntilMounted(fault) => Some(fault),
            Condition::Works | Condition::Takes(_) | Condition::Hangs { .. } if self.is_there => None,
            Condition::Works | Condition::Takes(_) | Condition::Hangs { .. } => Some(Fault::Missing),
        }
    }

    /// How much of each camera's footage it takes in a second; `None` if it takes none.
    pub(super) fn takes(&self) -> Option<Duration> {
        match self.condition {
            Condition::Works => Some(Duration::MAX),
            Condition::Takes(percent) => Some(Duration::from_millis(u64::from(percent) * 10)),
            Condition::Fails(_) | Condition::FailsUntilMounted(_) | Condition::Hangs { .. } => None,
        }
    }

    /// Since when a call to it has not returned.
    pub(super) fn hangs_since(&self) -> Option<Mono> {
        match self.condition {
            Condition::Hangs { since } => Some(since),
            Condition::Works
            | Condition::Takes(_)
            | Condition::Fails(_)
            | Condition::FailsUntilMounted(_) => None,
        }
    }

    /// Its writer is no more: what was not durable is lost to its ledger.
    pub(super) fn let_go(&mut self) {
        self.writer = Writer::None;
        self.number += 1;
        self.pending.clear();
    }
}
