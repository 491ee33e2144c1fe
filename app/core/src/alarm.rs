//! Alarms: conditions that a person should know, after the states of ISA-18.2. (Types; the machine follows.)

use crate::event::{Failure, Fault, Label};
use crate::settings::{CameraIndex, VolumeIndex};
use crate::time::Wall;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// For information.
    Low,
    /// Something does not work as configured; footage is not affected now.
    Medium,
    /// Footage of a camera is being lost.
    High,
    /// Nothing is being recorded, or what was recorded is in danger.
    Critical,
}

/// What an alarm is about. One alarm exists per key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AlarmKey {
    /// A camera does not record.
    CameraLost(CameraIndex),
    /// A camera refuses our password: a person has to act.
    CameraAccess(CameraIndex),
    /// A camera sends a track that cannot be recorded.
    TrackNotRecorded(CameraIndex, Label),
    /// A camera's footage was dropped, since it could not be written in time.
    FootageDropped(CameraIndex),
    /// A volume cannot be used.
    VolumeFaulted(VolumeIndex),
    /// Something torn was mended on a volume.
    VolumeRepaired(VolumeIndex),
    /// No volume takes footage.
    NothingRecords,
    /// The wall clock is not to be trusted.
    ClockUntrusted,
    /// The wall clock was set by more than is harmless.
    ClockStepped,
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
