//! Alarms in the words of programs: their kinds, and what they are about.

use super::super::cameras::Cameras;
use super::super::volumes::Volumes;
use super::alarms::alarm_line;
use crate::control::{Alarm, Subject};
use crate::host::show;
use holdfast_core::alarm::{AlarmKey, AlarmNotice, AlarmState};
use holdfast_core::event::{Fault, Health};
use holdfast_wire::alarm::Kind;

/// An alarm as programs are told of it.
pub(in crate::shell) fn alarm(notice: &AlarmNotice, cameras: &Cameras, volumes: &Volumes) -> Alarm {
    Alarm {
        kind: kind(&notice.key),
        subject: subject(&notice.key, cameras, volumes),
        severity: notice.severity,
        since: show::moment(notice.since),
        acknowledged: notice.state == AlarmState::Acknowledged,
        text: alarm_line(notice, cameras, volumes),
    }
}

/// What an alarm is about; `None` for the whole recorder.
pub(super) fn subject(key: &AlarmKey, cameras: &Cameras, volumes: &Volumes) -> Option<Subject> {
    match key {
        AlarmKey::CameraLost(camera)
        | AlarmKey::CameraAccess(camera)
        | AlarmKey::CameraFallback(camera)
        | AlarmKey::CameraFlapping(camera)
        | AlarmKey::CameraTrouble(camera, _)
        | AlarmKey::SoundLost(camera)
        | AlarmKey::TrackNotRecorded(camera, _)
        | AlarmKey::FootageDropped(camera) => Some(Subject::Camera(cameras.name(*camera).to_owned())),
        AlarmKey::Volume(volume, _)
        | AlarmKey::VolumeSlow(volume)
        | AlarmKey::VolumeExhausted(volume)
        | AlarmKey::RetentionShort(volume)
        | AlarmKey::VolumeHealth(volume, _)
        | AlarmKey::VolumeWentBack(volume)
        | AlarmKey::SpaceUnknown(volume)
        | AlarmKey::SafeToRemove(volume)
        | AlarmKey::KeptMounted(volume)
        | AlarmKey::VolumeRepaired(volume) => Some(Subject::Volume(volumes.name(*volume))),
        AlarmKey::DiskNotUsed(disk) | AlarmKey::DiskFailed(disk) => {
            Some(Subject::Disk(disk.as_str().to_owned()))
        }
        AlarmKey::Network
        | AlarmKey::MemoryShort
        | AlarmKey::NothingRecords
        | AlarmKey::ClockUntrusted
        | AlarmKey::ClockStepped => None,
    }
}

/// What an alarm tells.
pub(super) const fn kind(key: &AlarmKey) -> Kind {
    match key {
        AlarmKey::CameraLost(_) => Kind::CameraLost,
        AlarmKey::CameraAccess(_) => Kind::CameraAccess,
        AlarmKey::CameraFallback(_) => Kind::CameraFallback,
        AlarmKey::CameraFlapping(_) => Kind::CameraFlapping,
        AlarmKey::CameraTrouble(..) => Kind::CameraTrouble,
        AlarmKey::SoundLost(_) => Kind::SoundLost,
        AlarmKey::TrackNotRecorded(..) => Kind::TrackNotRecorded,
        AlarmKey::FootageDropped(_) => Kind::FootageDropped,
        AlarmKey::Volume(_, fault) => fault_kind(*fault),
        AlarmKey::VolumeSlow(_) => Kind::VolumeSlow,
        AlarmKey::VolumeExhausted(_) => Kind::VolumeExhausted,
        AlarmKey::RetentionShort(_) => Kind::RetentionShort,
        AlarmKey::VolumeHealth(_, Health::Failing) => Kind::VolumeFailing,
        AlarmKey::VolumeHealth(_, Health::Worn | Health::Good) => Kind::VolumeWorn,
        AlarmKey::VolumeWentBack(_) => Kind::VolumeWentBack,
        AlarmKey::SpaceUnknown(_) => Kind::SpaceUnknown,
        AlarmKey::SafeToRemove(_) => Kind::SafeToRemove,
        AlarmKey::KeptMounted(_) => Kind::KeptMounted,
        AlarmKey::DiskNotUsed(_) => Kind::DiskNotUsed,
        AlarmKey::DiskFailed(_) => Kind::DiskFailed,
        AlarmKey::VolumeRepaired(_) => Kind::VolumeRepaired,
        AlarmKey::Network => Kind::Network,
        AlarmKey::MemoryShort => Kind::MemoryShort,
        AlarmKey::NothingRecords => Kind::NothingRecords,
        AlarmKey::ClockUntrusted => Kind::ClockUntrusted,
        AlarmKey::ClockStepped => Kind::ClockStepped,
    }
}

/// The alarm of a volume's fault.
const fn fault_kind(fault: Fault) -> Kind {
    match fault {
        Fault::Other(_) => Kind::VolumeFaulted,
        Fault::Missing => Kind::VolumeMissing,
        Fault::NoSpace => Kind::VolumeFull,
        Fault::Io => Kind::VolumeIo,
        Fault::ReadOnly => Kind::VolumeReadOnly,
        Fault::Denied => Kind::VolumeDenied,
        Fault::Again => Kind::VolumeAgain,
        Fault::Quota => Kind::VolumeQuota,
        Fault::Stale => Kind::VolumeStale,
        Fault::Stuck => Kind::VolumeStuck,
        Fault::TooSlow => Kind::VolumeTooSlow,
        Fault::WrongIdentity => Kind::VolumeWrongIdentity,
        Fault::InUse => Kind::VolumeInUse,
        Fault::Damaged => Kind::VolumeDamaged,
        Fault::Foreign => Kind::VolumeForeign,
        Fault::Duplicate => Kind::VolumeDuplicate,
        Fault::Copied => Kind::VolumeCopied,
        Fault::NotMounted => Kind::VolumeNotMounted,
    }
}
