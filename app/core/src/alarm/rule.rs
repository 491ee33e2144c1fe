//! The one table of what is fixed about each alarm: how bad it is, its delays, whether it waits for a person.

use super::{AlarmKey, Severity};
use crate::event::Health;
use crate::failure::handling;
use crate::treatment::{PASSING, Treatment, treatment};
use core::time::Duration;

/// What is fixed about an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    pub severity: Severity,
    pub on: Duration,
    pub off: Duration,
    pub latch: Latch,
}

/// Whether an alarm ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Latch {
    /// Over with its condition.
    Open,
    /// Over when a person has acknowledged it.
    Latched,
}

/// The one table of alarms.
pub(super) const fn rule(key: &AlarmKey) -> Rule {
    use Latch::{Latched, Open};
    use Severity::{Critical, High, Low, Medium};
    let (severity, on, off, latch) = match key {
        // Each fault has its own: see there.
        AlarmKey::Volume(_, fault) => {
            let Treatment { severity, on, latch, .. } = treatment(*fault);
            return Rule { severity, on, off: Duration::ZERO, latch };
        }
        // A hiccup of a few seconds is no alarm; one that comes and goes is one alarm. It waits until it can be known whether it
        // is the network: see `TOGETHER` there.
        AlarmKey::CameraLost(_) => (High, 12, 30, Open),
        // It will not pass by itself.
        AlarmKey::CameraAccess(_) => (High, 0, 0, Open),
        // Recorded, with less detail: worth a look before the second stream goes as well.
        AlarmKey::CameraFallback(_) => (Medium, 0, 30, Open),
        // `flapping.rs` counts over minutes before it says so, and before it takes it back.
        AlarmKey::CameraFlapping(_) => (Medium, 0, 0, Open),
        // How bad each trouble is stands beside what else is done about it; it has to last, and to stay away.
        AlarmKey::CameraTrouble(_, failure) => (handling(*failure).severity, 10, 30, Open),
        // A microphone that saves silence pauses for seconds.
        AlarmKey::SoundLost(_) => (Low, 60, 10, Open),
        // Latched, and its condition lasts for the session: named once, not at each reconnect.
        AlarmKey::TrackNotRecorded(..) => (Low, 0, 0, Latched),
        // An occurrence for each GOP: one alarm until half a minute has passed without any.
        AlarmKey::FootageDropped(_) => (High, 0, 30, Latched),
        // At once, since the rings fill; `load.rs` waits before it calls a volume slow, or well again.
        AlarmKey::VolumeSlow(_) => (High, 0, 0, Open),
        // Recording ends here until a person frees something or takes a protection back.
        AlarmKey::VolumeExhausted(_) => (Critical, 0, 0, Latched),
        // Nothing is lost today; `forecast.rs` waits before it says so.
        AlarmKey::RetentionShort(_) => (Medium, 0, 0, Open),
        AlarmKey::VolumeHealth(_, Health::Failing) => (Critical, 0, 0, Latched),
        AlarmKey::VolumeHealth(_, Health::Good | Health::Worn) => (Medium, 0, 0, Latched),
        // What had been called durable is gone: over as soon as it is seen, and not to be missed.
        AlarmKey::VolumeWentBack(_) => (High, 0, 0, Latched),
        // A statvfs that failed once is asked again; cleaning at ENOSPC goes on meanwhile.
        AlarmKey::SpaceUnknown(_) => (Medium, 60, 0, Open),
        // An answer to the person who asked for it; over when they act on it.
        AlarmKey::SafeToRemove(_) => (Low, 0, 0, Open),
        // The same; over as soon as it is seen.
        AlarmKey::KeptMounted(_) => (Low, 0, 0, Latched),
        // As long as it is connected.
        AlarmKey::DiskNotUsed(_) => (Low, 0, 0, Open),
        // A person put it there to be recorded on, and it is not: as bad as a volume that failed, while another records.
        AlarmKey::DiskFailed(_) => (High, 0, 0, Open),
        AlarmKey::VolumeRepaired(_) => (Medium, 0, 0, Latched),
        // A switch that hiccups is none either; most cameras have waited for the others already.
        AlarmKey::Network => (Critical, 10, 30, Open),
        // `memory.rs` waits before it says so, and before it takes it back.
        AlarmKey::MemoryShort => (Medium, 0, 0, Open),
        // Not for a fault that passes: the rings bridge ten times as much.
        AlarmKey::NothingRecords => (Critical, PASSING.as_secs(), 0, Latched),
        // A device without a battery clock waits that long for the network's time at every start.
        AlarmKey::ClockUntrusted => (Medium, 60, 0, Open),
        AlarmKey::ClockStepped => (Medium, 0, 0, Latched),
    };
    Rule { severity, on: Duration::from_secs(on), off: Duration::from_secs(off), latch }
}
