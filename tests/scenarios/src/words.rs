//! The words of stories for what the core has types for: failures, faults, causes, alarms.
//!
//! What a person reads in a golden file are the texts of the types themselves; these are short names to write.

use holdfast_core::alarm::{AlarmKey, Severity};
use holdfast_core::disk::Unfit;
use holdfast_core::event::{Cause, Failure, Fault, Health};

/// Failures of a camera, as a story names them.
pub const FAILURES: [(&str, Failure); 26] = [
    ("unknown", Failure::Unknown),
    ("name not found", Failure::NameNotResolved),
    ("refused", Failure::Refused),
    ("unreachable", Failure::Unreachable),
    ("no answer", Failure::ConnectTimeout),
    ("unauthorized", Failure::Unauthorized),
    ("forbidden", Failure::Forbidden),
    ("path not found", Failure::NotFound),
    ("session limit", Failure::SessionLimit),
    ("server unavailable", Failure::ServiceUnavailable),
    ("tls", Failure::Tls),
    ("transport unsupported", Failure::UnsupportedTransport),
    ("nothing recordable", Failure::NothingRecordable),
    ("server closed", Failure::ServerClosed),
    ("bye", Failure::Bye),
    ("stalled", Failure::Stalled),
    ("no keyframe", Failure::KeyframeStarved),
    ("damaged", Failure::Garbage),
    ("timestamps leap", Failure::TimestampsJump),
    ("timestamps frozen", Failure::TimestampsFrozen),
    ("timestamps run back", Failure::TimestampsBackwards),
    ("format changes", Failure::FormatChanges),
    ("keep-alive refused", Failure::KeepAliveRefused),
    ("camera out of memory", Failure::OutOfMemory),
    ("internal error", Failure::Internal),
    ("not stored", Failure::NotStored),
];

/// Faults of a volume, as a story names them.
pub const FAULTS: [(&str, Fault); 18] = [
    ("unknown error", Fault::Other(5000)),
    ("missing", Fault::Missing),
    ("full", Fault::NoSpace),
    ("io error", Fault::Io),
    ("read-only", Fault::ReadOnly),
    ("denied", Fault::Denied),
    ("try again", Fault::Again),
    ("over quota", Fault::Quota),
    ("stale handle", Fault::Stale),
    ("stuck", Fault::Stuck),
    ("too slow", Fault::TooSlow),
    ("wrong identity", Fault::WrongIdentity),
    ("in use", Fault::InUse),
    ("damaged ledger", Fault::Damaged),
    ("foreign", Fault::Foreign),
    ("duplicate", Fault::Duplicate),
    ("copied", Fault::Copied),
    ("not mounted", Fault::NotMounted),
];

/// Causes of a gap that are neither a camera's failure nor a volume's fault.
pub const CAUSES: [(&str, Cause); 10] = [
    ("unexplained", Cause::Unknown),
    ("stopped", Cause::Stopped),
    ("crashed", Cause::Crashed),
    ("power lost", Cause::PowerLost),
    ("starting", Cause::Starting),
    ("lost", Cause::Lost),
    ("ring overflow", Cause::RingOverflow),
    ("clock stepped", Cause::ClockStepped),
    ("ejected", Cause::Ejected),
    ("out of memory", Cause::OutOfMemory),
];

/// Why a disk is left alone.
pub const UNFIT: [(&str, Unfit); 5] = [
    ("not marked", Unfit::NotMarked),
    ("blank", Unfit::Blank),
    ("unknown filesystem", Unfit::Filesystem),
    ("holds the system", Unfit::System),
    ("no place", Unfit::NoPlace),
];

/// What a disk says of itself.
pub const HEALTHS: [(&str, Health); 3] =
    [("good", Health::Good), ("worn", Health::Worn), ("failing", Health::Failing)];

/// Looks a word up.
pub fn find<T: Copy>(table: &[(&str, T)], word: &str) -> Option<T> {
    table.iter().find(|(name, _)| *name == word).map(|(_, value)| *value)
}

/// All words of a table, to be told.
pub fn list<T>(table: &[(&str, T)]) -> String {
    table.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}

/// A cause: of the table, "camera: FAILURE" or "volume: FAULT".
pub fn cause(text: &str) -> Option<Cause> {
    match text.split_once(": ") {
        Some(("camera", failure)) => find(&FAILURES, failure).map(Cause::Camera),
        Some(("volume", fault)) => find(&FAULTS, fault).map(Cause::Volume),
        Some(_) => None,
        None => find(&CAUSES, text),
    }
}

/// How bad an alarm is.
pub const fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Low => "low",
        Severity::Medium => "medium",
        Severity::High => "high",
        Severity::Critical => "critical",
    }
}

/// What an alarm is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// A camera.
    Camera,
    /// A volume.
    Volume,
    /// A disk that is not a volume.
    Disk,
    /// The device.
    Device,
}

/// The short names of alarms, as the journal has them, and what each is about.
pub const ALARMS: [(&str, About); 26] = [
    ("camera-lost", About::Camera),
    ("camera-access", About::Camera),
    ("camera-fallback", About::Camera),
    ("camera-flapping", About::Camera),
    ("camera-trouble", About::Camera),
    ("sound-lost", About::Camera),
    ("track-not-recorded", About::Camera),
    ("footage-dropped", About::Camera),
    ("volume-fault", About::Volume),
    ("volume-slow", About::Volume),
    ("volume-exhausted", About::Volume),
    ("retention-short", About::Volume),
    ("volume-worn", About::Volume),
    ("volume-failing", About::Volume),
    ("volume-went-back", About::Volume),
    ("space-unknown", About::Volume),
    ("safe-to-remove", About::Volume),
    ("kept-mounted", About::Volume),
    ("volume-repaired", About::Volume),
    ("disk-not-used", About::Disk),
    ("disk-failed", About::Disk),
    ("network", About::Device),
    ("memory-short", About::Device),
    ("nothing-records", About::Device),
    ("clock-untrusted", About::Device),
    ("clock-stepped", About::Device),
];

/// The name of an alarm in a story, and the place of its camera or volume, or the name of its disk.
pub fn alarm(key: &AlarmKey) -> (&'static str, Subject<'_>) {
    use Subject::{Camera, Device, Disk, Volume};
    match key {
        AlarmKey::CameraLost(camera) => ("camera-lost", Camera(camera.0)),
        AlarmKey::CameraAccess(camera) => ("camera-access", Camera(camera.0)),
        AlarmKey::CameraFallback(camera) => ("camera-fallback", Camera(camera.0)),
        AlarmKey::CameraFlapping(camera) => ("camera-flapping", Camera(camera.0)),
        AlarmKey::CameraTrouble(camera, _) => ("camera-trouble", Camera(camera.0)),
        AlarmKey::SoundLost(camera) => ("sound-lost", Camera(camera.0)),
        AlarmKey::TrackNotRecorded(camera, _) => ("track-not-recorded", Camera(camera.0)),
        AlarmKey::FootageDropped(camera) => ("footage-dropped", Camera(camera.0)),
        AlarmKey::Volume(volume, _) => ("volume-fault", Volume(volume.0)),
        AlarmKey::VolumeSlow(volume) => ("volume-slow", Volume(volume.0)),
        AlarmKey::VolumeExhausted(volume) => ("volume-exhausted", Volume(volume.0)),
        AlarmKey::RetentionShort(volume) => ("retention-short", Volume(volume.0)),
        AlarmKey::VolumeHealth(volume, Health::Failing) => ("volume-failing", Volume(volume.0)),
        AlarmKey::VolumeHealth(volume, Health::Worn | Health::Good) => ("volume-worn", Volume(volume.0)),
        AlarmKey::VolumeWentBack(volume) => ("volume-went-back", Volume(volume.0)),
        AlarmKey::SpaceUnknown(volume) => ("space-unknown", Volume(volume.0)),
        AlarmKey::SafeToRemove(volume) => ("safe-to-remove", Volume(volume.0)),
        AlarmKey::KeptMounted(volume) => ("kept-mounted", Volume(volume.0)),
        AlarmKey::VolumeRepaired(volume) => ("volume-repaired", Volume(volume.0)),
        AlarmKey::DiskNotUsed(disk) => ("disk-not-used", Disk(disk)),
        AlarmKey::DiskFailed(disk) => ("disk-failed", Disk(disk)),
        AlarmKey::Network => ("network", Device),
        AlarmKey::MemoryShort => ("memory-short", Device),
        AlarmKey::NothingRecords => ("nothing-records", Device),
        AlarmKey::ClockUntrusted => ("clock-untrusted", Device),
        AlarmKey::ClockStepped => ("clock-stepped", Device),
    }
}

/// What one alarm is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject<'a> {
    /// The camera at this place.
    Camera(u8),
    /// The volume at this place.
    Volume(u8),
    /// A disk.
    Disk(&'a str),
    /// The device.
    Device,
}
