//! Alarms: conditions that a person should know, after the states of ISA-18.2.
//!
//! Words: a condition is **raised** when it begins and **cleared** when it is over; the **on-delay** keeps short
//! conditions from becoming alarms, the **off-delay** keeps an alarm that flickers from ringing again and again; a
//! **latched** alarm stays until a person acknowledges it, even when its condition is over; an **occurrence** is a condition
//! that is over as soon as it is seen.
//!
//! ```text
//! Quiet ─raise─▶ Rising ─on-delay─▶ Standing ─clear─▶ Falling ─off-delay─▶ Quiet, or Returned if latched
//!   ▲              │ clear            ▲   acknowledge: noted in Standing and Falling            │
//!   └──────────────┘                  └──── raise (from Falling, Returned) ◀── acknowledge ─▶ Quiet
//! ```
//!
//! Severity, delays and latching of every alarm are one table, `alarm/rule.rs`; those of a volume's faults stand in `treatment.rs` beside
//! what else is done about them. The table of alarms is bounded: when it is
//! full, a quiet one makes room, else the one of lowest severity, if the new one is worse; else the new one is not taken.
//! Both losses are counted. What was told of a lost alarm stays said.

mod rule;

use crate::disk::Unfit;
use crate::effect::Shed;
use crate::event::{Failure, Fault, Health, Label};
use crate::failure::handling;
use crate::settings::{CameraIndex, VolumeIndex};
use crate::time::{Mono, Now, Wall, soonest};
use heapless::Vec;
pub use holdfast_wire::alarm::Severity;
pub(crate) use rule::Latch;
use rule::rule;

/// Most alarms that are known at once: for each of 32 cameras lost, access, dropped, fallback, flapping, sound, one trouble and two
/// tracks; for each of 8 volumes its ten own and six faults of this session that nobody acknowledged yet; 16 disks that
/// are left alone; five of the device: 437, and some room for cameras with more tracks.
pub const MAX_ALARMS: usize = 448;

/// What an alarm is about. One alarm exists per key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AlarmKey {
    /// A camera does not record.
    CameraLost(CameraIndex),
    /// A camera refuses our password: a person has to act.
    CameraAccess(CameraIndex),
    /// A camera records its fallback stream, since its main one does not come.
    CameraFallback(CameraIndex),
    /// A camera breaks and comes back again and again.
    CameraFlapping(CameraIndex),
    /// A camera records, with this trouble in its stream.
    CameraTrouble(CameraIndex, Failure),
    /// A camera's sound has stopped; its picture goes on.
    SoundLost(CameraIndex),
    /// A camera sends a track that cannot be recorded.
    TrackNotRecorded(CameraIndex, Label),
    /// A camera's footage was dropped, since it could not be written in time.
    FootageDropped(CameraIndex),
    /// A volume cannot be used, for this fault: one alarm for each. Made by [`AlarmKey::fault`].
    Volume(VolumeIndex, Fault),
    /// A volume takes footage so slowly that the rings are in danger.
    VolumeSlow(VolumeIndex),
    /// A volume is full, and nothing may be deleted: a person is needed.
    VolumeExhausted(VolumeIndex),
    /// A volume will not hold footage for as long as is configured.
    RetentionShort(VolumeIndex),
    /// What SMART says of a volume's disk, if that is nothing good.
    VolumeHealth(VolumeIndex, Health),
    /// A volume's ledger ends earlier than what had been durable on it.
    VolumeWentBack(VolumeIndex),
    /// A volume's filesystem does not tell how much is free: it is cleaned when it is full only.
    SpaceUnknown(VolumeIndex),
    /// A volume was ejected and can be taken out.
    SafeToRemove(VolumeIndex),
    /// A volume that a person wanted out is in use by another program, and is recorded to again.
    KeptMounted(VolumeIndex),
    /// A disk came that Holdfast does not write to.
    DiskNotUsed(Label),
    /// A disk came that is to be used and cannot be.
    DiskFailed(Label),
    /// Something torn was mended on a volume.
    VolumeRepaired(VolumeIndex),
    /// Most cameras were lost at once, or the link is down: the network, not they. Their own alarms wait until it is over.
    Network,
    /// Memory is short: less is kept in it.
    MemoryShort,
    /// No volume takes footage.
    NothingRecords,
    /// The wall clock is not to be trusted.
    ClockUntrusted,
    /// The wall clock was set by more than is harmless.
    ClockStepped,
}

impl AlarmKey {
    /// The alarm of this fault; all errors that are not known share one.
    pub const fn fault(volume: VolumeIndex, fault: Fault) -> Self {
        match fault {
            Fault::Other(_) => AlarmKey::Volume(volume, Fault::Other(0)),
            fault => AlarmKey::Volume(volume, fault),
        }
    }
}

/// ISA-18.2's states of an alarm, as far as they can be told from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlarmState {
    /// The condition holds and nobody has acknowledged it.
    Unacknowledged,
    /// The condition holds; a person knows.
    Acknowledged,
    /// The condition is over, but it is latched until a person acknowledges it.
    ReturnedUnacknowledged,
    /// Over and done.
    Normal,
}

/// Why, in the words of the part it came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Nothing more to say than the key.
    None,
    /// A camera's failure.
    Camera(Failure),
    /// A volume's fault.
    Volume(Fault),
    /// Microseconds, of a clock step.
    Micros(i64),
    /// Bytes, of a repair.
    Bytes(u64),
    /// Access units, of a drop.
    Units(u64),
    /// Seconds of footage that a volume holds.
    Seconds(u64),
    /// Why a disk is left alone.
    Disk(Unfit),
    /// So many cameras are lost, with or without a carrier.
    Network {
        /// How many.
        cameras: u8,
        /// Whether any interface has a carrier.
        carrier: bool,
    },
    /// What is given up.
    Shed(Shed),
}

impl Detail {
    /// The camera's failure that it tells of, if it does.
    pub const fn failure(&self) -> Option<Failure> {
        match self {
            Detail::Camera(failure) => Some(*failure),
            Detail::None
            | Detail::Volume(_)
            | Detail::Micros(_)
            | Detail::Bytes(_)
            | Detail::Units(_)
            | Detail::Seconds(_)
            | Detail::Disk(_)
            | Detail::Network { .. }
            | Detail::Shed(_) => None,
        }
    }

    /// The volume's fault that it tells of, if it does.
    pub const fn fault(&self) -> Option<Fault> {
        match self {
            Detail::Volume(fault) => Some(*fault),
            Detail::None
            | Detail::Camera(_)
            | Detail::Micros(_)
            | Detail::Bytes(_)
            | Detail::Units(_)
            | Detail::Seconds(_)
            | Detail::Disk(_)
            | Detail::Network { .. }
            | Detail::Shed(_) => None,
        }
    }
}

/// A change of an alarm, complete in itself.
#[derive(Clone, Debug, PartialEq)]
pub struct AlarmNotice {
    /// Which alarm.
    pub key: AlarmKey,
    /// How bad.
    pub severity: Severity,
    /// Its state now.
    pub state: AlarmState,
    /// When its condition began.
    pub since: Wall,
    /// How often it was raised in this session.
    pub count: u32,
    /// What exactly.
    pub detail: Detail,
}

/// The alarms of the device.
#[derive(Debug, Default)]
pub(crate) struct Alarms {
    table: Vec<Alarm, MAX_ALARMS>,
    evicted: u32,
    /// When the first of them changes by itself, as it was after the last [`Alarms::advance`].
    due: Option<Mono>,
    /// Some condition was told since then.
    touched: bool,
    /// The shell may have to be told of some.
    untold: bool,
}

#[derive(Clone, Debug)]
struct Alarm {
    key: AlarmKey,
    phase: Phase,
    since: Wall,
    count: u32,
    detail: Detail,
    /// State and count that the shell was told of.
    told: (AlarmState, u32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Quiet,
    Rising { due: Mono },
    Standing(Known),
    Falling { due: Mono, known: Known },
    Returned,
}

/// Whether a person acknowledged it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    No,
    Yes,
}

impl Alarms {
    /// A condition holds. Told again with another detail, the newer one that says anything is
    /// kept for the next notice.
    pub(crate) fn raise(&mut self, now: Now, key: AlarmKey, detail: Detail) {
        let Some(alarm) = self.find_or_take(&key) else { return };
        if alarm.phase == Phase::Quiet || detail != Detail::None {
            alarm.detail = detail;
        }
        match alarm.phase {
            Phase::Quiet => {
                alarm.since = now.wall;
                alarm.phase = Phase::Rising { due: now.mono + rule(&key).on };
                alarm.advance(now.mono);
            }
            Phase::Returned => {
                alarm.since = now.wall;
                alarm.stand();
            }
            Phase::Falling { known, .. } => alarm.phase = Phase::Standing(known),
            Phase::Rising { .. } | Phase::Standing(_) => {}
        }
    }

    /// A condition is over.
    pub(crate) fn clear(&mut self, now: Mono, key: &AlarmKey) {
        let Some(alarm) = self.find(key) else { return };
        match alarm.phase {
            Phase::Rising { .. } => alarm.phase = Phase::Quiet,
            Phase::Standing(known) => {
                alarm.phase = Phase::Falling { due: now + rule(key).off, known };
                alarm.advance(now);
            }
            Phase::Quiet | Phase::Falling { .. } | Phase::Returned => {}
        }
    }

    /// A condition without detail holds or is over.
    pub(crate) fn set(&mut self, now: Now, key: AlarmKey, holds: bool) {
        if holds { self.raise(now, key, Detail::None) } else { self.clear(now.mono, &key) }
    }

    /// Something happened that is over already. Units and bytes of one alarm add up.
    pub(crate) fn occur(&mut self, now: Now, key: AlarmKey, detail: Detail) {
        let before = self.find(&key).filter(|alarm| alarm.outward() != AlarmState::Normal).map(|a| a.detail);
        let detail = match (before, detail) {
            (Some(Detail::Units(before)), Detail::Units(more)) => Detail::Units(before.saturating_add(more)),
            (Some(Detail::Bytes(before)), Detail::Bytes(more)) => Detail::Bytes(before.saturating_add(more)),
            (_, detail) => detail,
        };
        self.raise(now, key.clone(), detail);
        self.clear(now.mono, &key);
    }

    /// A person has seen it.
    pub(crate) fn acknowledge(&mut self, key: &AlarmKey) {
        let Some(alarm) = self.find(key) else { return };
        alarm.phase = match alarm.phase {
            Phase::Standing(_) => Phase::Standing(Known::Yes),
            Phase::Falling { due, known: _ } => Phase::Falling { due, known: Known::Yes },
            Phase::Returned => Phase::Quiet,
            Phase::Quiet => Phase::Quiet,
            Phase::Rising { due } => Phase::Rising { due },
        };
    }

    /// Does what is due at `now`.
    pub(crate) fn advance(&mut self, now: Mono) {
        // Hundreds of them mostly rest, and this comes after most events.
        if !self.touched && self.due.is_none_or(|due| due > now) {
            return;
        }
        self.touched = false;
        self.untold = true;
        self.due = None;
        for alarm in &mut self.table {
            alarm.advance(now);
            self.due = soonest(self.due, alarm.due());
        }
    }

    /// When it wants to be called again at the latest, as it was after the last [`Alarms::advance`].
    pub(crate) const fn deadline(&self) -> Option<Mono> {
        self.due
    }

    /// The next change that the shell has not been told of.
    pub(crate) fn poll_effect(&mut self) -> Option<AlarmNotice> {
        if !self.untold {
            return None;
        }
        let notice = self.table.iter_mut().find_map(Alarm::poll_notice);
        self.untold = notice.is_some();
        notice
    }

    /// How many alarms were lost, since more conditions held than the table has room for.
    pub(crate) const fn evicted(&self) -> u32 {
        self.evicted
    }

    /// One that is about to change.
    fn find(&mut self, key: &AlarmKey) -> Option<&mut Alarm> {
        (self.touched, self.untold) = (true, true);
        self.table.iter_mut().find(|alarm| alarm.key == *key)
    }

    fn find_or_take(&mut self, key: &AlarmKey) -> Option<&mut Alarm> {
        if self.find(key).is_none() {
            self.make_room(rule(key).severity)?;
            let (phase, told) = (Phase::Quiet, (AlarmState::Normal, 0));
            let alarm =
                Alarm { key: key.clone(), phase, since: Wall(0), count: 0, detail: Detail::None, told };
            self.table.push(alarm).ok()?;
        }
        self.find(key)
    }

    /// `None` if there is no room for an alarm of this severity.
    fn make_room(&mut self, severity: Severity) -> Option<()> {
        if !self.table.is_full() {
            return Some(());
        }
        let worth = |alarm: &Alarm| (alarm.phase != Phase::Quiet, rule(&alarm.key).severity);
        let (place, least) = self.table.iter().map(worth).enumerate().min_by_key(|(_, worth)| *worth)?;
        if least >= (true, severity) {
            self.evicted = self.evicted.saturating_add(1);
            return None;
        }
        if least.0 {
            self.evicted = self.evicted.saturating_add(1);
        }
        self.table.remove(place);
        Some(())
    }
}

impl Alarm {
    fn stand(&mut self) {
        self.count = self.count.saturating_add(1);
        self.phase = Phase::Standing(Known::No);
    }

    /// As its rule says; a camera that is lost is as bad as what it is lost by, if that is worse.
    fn severity(&self) -> Severity {
        let by_rule = rule(&self.key).severity;
        match (&self.key, self.detail) {
            (AlarmKey::CameraLost(_), Detail::Camera(failure)) => by_rule.max(handling(failure).severity),
            (_, _) => by_rule,
        }
    }

    fn advance(&mut self, now: Mono) {
        match self.phase {
            Phase::Rising { due } if due <= now => self.stand(),
            Phase::Falling { due, known } if due <= now => {
                self.phase = match (rule(&self.key).latch, known) {
                    (Latch::Latched, Known::No) => Phase::Returned,
                    (Latch::Latched, Known::Yes) | (Latch::Open, Known::No | Known::Yes) => Phase::Quiet,
                };
            }
            Phase::Quiet
            | Phase::Rising { .. }
            | Phase::Standing(_)
            | Phase::Falling { .. }
            | Phase::Returned => {}
        }
    }

    /// When it changes by itself.
    const fn due(&self) -> Option<Mono> {
        match self.phase {
            Phase::Rising { due } | Phase::Falling { due, .. } => Some(due),
            Phase::Quiet | Phase::Standing(_) | Phase::Returned => None,
        }
    }

    const fn outward(&self) -> AlarmState {
        match self.phase {
            Phase::Quiet | Phase::Rising { .. } => AlarmState::Normal,
            Phase::Standing(Known::No) | Phase::Falling { known: Known::No, .. } => {
                AlarmState::Unacknowledged
            }
            Phase::Standing(Known::Yes) | Phase::Falling { known: Known::Yes, .. } => {
                AlarmState::Acknowledged
            }
            Phase::Returned => AlarmState::ReturnedUnacknowledged,
        }
    }

    fn poll_notice(&mut self) -> Option<AlarmNotice> {
        let told = (self.outward(), self.count);
        let (state, count) = told;
        if told == self.told {
            return None;
        }
        self.told = told;
        let (key, severity) = (self.key.clone(), self.severity());
        Some(AlarmNotice { key, severity, state, since: self.since, count, detail: self.detail })
    }
}
