//! Alarms in the words of people: titles, and what can be done.

use super::super::cameras::Cameras;
use super::super::volumes::{Kind, Volumes};
use super::kinds::{kind, subject};
use crate::host::{journal, message_ids as ids};
use holdfast_core::alarm::{AlarmKey, AlarmNotice, AlarmState, Detail, Severity};
use holdfast_core::disk::Unfit;
use holdfast_core::effect::Shed;
use holdfast_core::event::{Failure, Fault, Health};
use log::Level;

/// Writes down that an alarm changed.
pub(super) fn alarm(notice: &AlarmNotice, cameras: &Cameras, volumes: &Volumes) {
    let title = alarm_title(&notice.key, cameras, volumes);
    let cleared = Some(ids::ALARM_CLEARED);
    let (level, id, text) = match notice.state {
        AlarmState::Unacknowledged => {
            let level = match notice.severity {
                Severity::Low | Severity::Medium => Level::Warn,
                Severity::High | Severity::Critical => Level::Error,
            };
            let (severity, detail) = (notice.severity.name(), detail(notice));
            let text = format!("alarm ({severity}): {title}{detail}{}", hint(notice));
            (level, Some(ids::ALARM_RAISED), text)
        }
        AlarmState::Acknowledged => (Level::Info, None, format!("alarm acknowledged: {title}")),
        AlarmState::ReturnedUnacknowledged => {
            (Level::Info, cleared, format!("alarm over, kept until acknowledged: {title}"))
        }
        AlarmState::Normal => (Level::Info, cleared, format!("alarm over: {title}")),
    };
    let mut fields = vec![("ALARM", kind(&notice.key).name().to_owned())];
    fields.extend(id.map(|id| ("MESSAGE_ID", id.to_owned())));
    fields.extend(subject(&notice.key, cameras, volumes).map(|subject| subject.field()));
    journal::write(level, &fields, &text);
}

/// An alarm in one line: what it concerns, and why.
pub(super) fn alarm_line(notice: &AlarmNotice, cameras: &Cameras, volumes: &Volumes) -> String {
    alarm_title(&notice.key, cameras, volumes) + &detail(notice)
}

/// An alarm's title, with the name of what it concerns.
fn alarm_title(key: &AlarmKey, cameras: &Cameras, volumes: &Volumes) -> String {
    match key {
        AlarmKey::CameraLost(camera) => format!("camera {} does not record", cameras.name(*camera)),
        AlarmKey::CameraAccess(camera) => format!("camera {} refuses the password", cameras.name(*camera)),
        AlarmKey::CameraFallback(camera) => {
            format!("camera {} records its fallback stream", cameras.name(*camera))
        }
        AlarmKey::CameraFlapping(camera) => {
            format!("camera {} breaks and comes back again and again", cameras.name(*camera))
        }
        AlarmKey::CameraTrouble(camera, _) => {
            format!("camera {} is recorded, with trouble in its stream", cameras.name(*camera))
        }
        AlarmKey::SoundLost(camera) => format!("camera {}: its sound has stopped", cameras.name(*camera)),
        AlarmKey::TrackNotRecorded(camera, track) => {
            format!("camera {}: its track {track} is not recorded", cameras.name(*camera))
        }
        AlarmKey::FootageDropped(camera) => {
            format!("camera {}: footage was dropped, since no volume took it in time", cameras.name(*camera))
        }
        AlarmKey::Volume(volume, _) => format!("volume {} cannot be used", volumes.name(*volume)),
        AlarmKey::VolumeSlow(volume) => {
            format!("volume {} takes footage too slowly; what waits fills the memory", volumes.name(*volume))
        }
        AlarmKey::VolumeExhausted(volume) => {
            format!("volume {} is full, and nothing on it may be deleted", volumes.name(*volume))
        }
        AlarmKey::RetentionShort(volume) => {
            format!("volume {} does not hold footage for as long as is configured", volumes.name(*volume))
        }
        AlarmKey::VolumeHealth(volume, Health::Failing) => {
            format!("the disk of volume {} says that it fails (SMART)", volumes.name(*volume))
        }
        AlarmKey::VolumeHealth(volume, Health::Worn | Health::Good) => {
            format!("the disk of volume {} is worn (SMART)", volumes.name(*volume))
        }
        AlarmKey::VolumeWentBack(volume) => {
            format!("volume {} holds less than had been written to it", volumes.name(*volume))
        }
        AlarmKey::SpaceUnknown(volume) => {
            format!("volume {} does not tell how much is free", volumes.name(*volume))
        }
        AlarmKey::SafeToRemove(volume) => {
            let is = match volumes.part(*volume).map(|part| part.kind) {
                Some(Kind::MountPoint) => "is closed; unmount it, then it is safe to remove",
                Some(Kind::Directory) => "is closed; nothing is written to it any more",
                Some(Kind::Disk) | None => "is safe to remove",
            };
            format!("volume {} {is}", volumes.name(*volume))
        }
        AlarmKey::KeptMounted(volume) => {
            format!("volume {} was not ejected: it is in use by another program", volumes.name(*volume))
        }
        AlarmKey::DiskNotUsed(disk) => format!("disk {disk} is not used"),
        AlarmKey::DiskFailed(disk) => format!("disk {disk} cannot be used"),
        AlarmKey::VolumeRepaired(volume) => format!("volume {} was repaired", volumes.name(*volume)),
        AlarmKey::Network => "most cameras were lost at once: the network, not they".into(),
        AlarmKey::MemoryShort => "memory is short".into(),
        AlarmKey::NothingRecords => "nothing is being recorded".into(),
        AlarmKey::ClockUntrusted => "the wall clock is not to be trusted".into(),
        AlarmKey::ClockStepped => "the wall clock was set".into(),
    }
}

fn detail(notice: &AlarmNotice) -> String {
    match &notice.detail {
        Detail::None => String::new(),
        Detail::Camera(failure) => format!(": {failure}"),
        Detail::Volume(fault) => format!(": {fault}"),
        Detail::Micros(micros) => format!(": by {:+.3} s", *micros as f64 / 1e6),
        Detail::Bytes(bytes) => format!(": {bytes} torn bytes were cut off"),
        Detail::Units(units) => format!(": {units} frames"),
        Detail::Seconds(seconds) => format!(": only for {:.1} days", *seconds as f64 / 86_400.0),
        Detail::Disk(reason) => format!(": {}", unfit(*reason)),
        Detail::Network { cameras, carrier } => {
            let carrier = if *carrier { "" } else { ", and no network interface has a carrier" };
            format!(": {cameras} cameras{carrier}")
        }
        Detail::Shed(shed) => match shed {
            Shed::Nothing => String::new(),
            Shed::Depth => ": the rings hold less".into(),
            Shed::Audio => ": the rings hold less, and no sound is kept".into(),
            Shed::Fallback => {
                ": the rings hold less, no sound is kept, fallback streams are not connected".into()
            }
        },
    }
}

fn hint(notice: &AlarmNotice) -> &'static str {
    match &notice.key {
        AlarmKey::CameraLost(_) | AlarmKey::CameraAccess(_) | AlarmKey::CameraFallback(_) => {
            notice.detail.failure().map_or("", camera_hint)
        }
        AlarmKey::CameraTrouble(_, failure) => trouble_hint(*failure),
        AlarmKey::CameraFlapping(_) => {
            ". Check its power supply and its cable; each break costs some seconds"
        }
        AlarmKey::SoundLost(_) => ". Check its microphone and its settings",
        AlarmKey::Network => {
            ". Check the switch and its power, and this device's network cable. Recording goes on by itself when it is back"
        }
        AlarmKey::MemoryShort => {
            ". The picture of every camera is recorded. Record fewer cameras, or give the service more memory"
        }
        AlarmKey::Volume(_, fault) => volume_hint(*fault),
        AlarmKey::TrackNotRecorded(..) => {
            ". Everything else of the camera goes on. Holdfast records H.264, H.265, AAC, Opus and G.711"
        }
        AlarmKey::VolumeSlow(_) => {
            ". Footage is lost when the memory is full. Connect a second disk, or a faster one; lower the cameras' bitrates"
        }
        AlarmKey::VolumeExhausted(_) => {
            ". A person is needed: take protection from footage that need not be kept, delete what is not Holdfast's, or connect another disk"
        }
        AlarmKey::RetentionShort(_) => {
            ". The oldest footage is deleted sooner. Connect a larger disk, lower the cameras' bitrates, or configure a shorter retention"
        }
        AlarmKey::VolumeHealth(_, Health::Failing) => ". Replace it now; eject it before",
        AlarmKey::VolumeHealth(_, Health::Worn | Health::Good) => ". It still works. Plan to replace it",
        AlarmKey::VolumeWentBack(_) => {
            ". It may be an older copy, or a disk that loses what it has confirmed. Replace it if it is the disk that was in use"
        }
        AlarmKey::SpaceUnknown(_) => {
            ". Recording goes on, and cleaning begins only when the volume is full. Check the filesystem"
        }
        AlarmKey::SafeToRemove(_) => ". To use it again: holdfast volume use",
        AlarmKey::KeptMounted(_) => ". It is recorded to again. Close that program and eject it again",
        AlarmKey::DiskNotUsed(_) => disk_hint(&notice.detail),
        AlarmKey::DiskFailed(_) => notice.detail.fault().map_or("", volume_hint),
        AlarmKey::NothingRecords => {
            ". Check that a volume is connected, marked or named in the configuration, and not ejected: holdfast volume list"
        }
        AlarmKey::ClockUntrusted => {
            ". Footage is kept, its times may be wrong. Set the clock or connect a time server"
        }
        AlarmKey::FootageDropped(_) | AlarmKey::VolumeRepaired(_) | AlarmKey::ClockStepped => "",
    }
}

/// What a person can do about trouble in a stream that is recorded all the same.
const fn trouble_hint(failure: Failure) -> &'static str {
    match failure {
        Failure::Garbage => ". Check the network between it and this device; set its transport to tcp",
        Failure::TimestampsJump | Failure::TimestampsFrozen | Failure::TimestampsBackwards => {
            ". Its footage is timed by its arrival. Look for a newer firmware"
        }
        Failure::FormatChanges => ". Each format is recorded. Look at the camera's profiles and its firmware",
        Failure::Unknown
        | Failure::NameNotResolved
        | Failure::Refused
        | Failure::Unreachable
        | Failure::ConnectTimeout
        | Failure::Unauthorized
        | Failure::Forbidden
        | Failure::NotFound
        | Failure::SessionLimit
        | Failure::ServiceUnavailable
        | Failure::Tls
        | Failure::UnsupportedTransport
        | Failure::NothingRecordable
        | Failure::ServerClosed
        | Failure::Bye
        | Failure::Stalled
        | Failure::KeyframeStarved
        | Failure::KeepAliveRefused
        | Failure::OutOfMemory
        | Failure::Internal
        | Failure::NotStored => "",
    }
}

/// What a person can do to have a disk used.
const fn disk_hint(detail: &Detail) -> &'static str {
    match detail {
        Detail::Disk(Unfit::NotMarked) => {
            ". Nothing is written to it. To record on it, give its filesystem the label HOLDFAST or run holdfast volume adopt"
        }
        Detail::Disk(Unfit::Blank | Unfit::Filesystem) => {
            ". Nothing is written to it. To record on it, make a filesystem on it (ext4, exFAT, f2fs or vfat) with the label HOLDFAST"
        }
        Detail::Disk(Unfit::MountedElsewhere) => {
            ". Nothing is written to it. Unmount it there, then plug it in again"
        }
        Detail::Disk(Unfit::TooSmall) => ". Nothing is written to it. Take one of 64 MiB at least",
        Detail::Disk(Unfit::ReadOnly) => ". Look for a lock on its side, then plug it in again",
        Detail::Disk(Unfit::NoPlace) => ". Take another one out, then plug it in again",
        Detail::Disk(Unfit::Encrypted | Unfit::Member | Unfit::System)
        | Detail::None
        | Detail::Camera(_)
        | Detail::Volume(_)
        | Detail::Micros(_)
        | Detail::Bytes(_)
        | Detail::Units(_)
        | Detail::Seconds(_)
        | Detail::Network { .. }
        | Detail::Shed(_) => ". Nothing is written to it",
    }
}

/// Why a disk is not used, to follow its name.
pub(in crate::shell) const fn unfit(reason: Unfit) -> &'static str {
    match reason {
        Unfit::Blank => "it carries no filesystem",
        Unfit::Filesystem => "Holdfast does not write to its filesystem",
        Unfit::Encrypted => "it is encrypted",
        Unfit::Member => "it is part of a RAID or of a volume group",
        Unfit::System => "it holds an operating system",
        Unfit::MountedElsewhere => "it is mounted by somebody else",
        Unfit::TooSmall => "it is too small",
        Unfit::ReadOnly => "it cannot be written to",
        Unfit::NotMarked => "nobody said that it is for recording",
        Unfit::NoPlace => "as many volumes are in use as a device can have",
    }
}

/// What a person can do about a camera's failure.
pub(super) fn camera_hint(failure: Failure) -> &'static str {
    match failure {
        Failure::NameNotResolved => ". Check the host name in the camera's url and the network's DNS",
        Failure::Refused | Failure::Unreachable | Failure::ConnectTimeout => {
            ". Check the camera's power, its cable, and the address and port in its url"
        }
        Failure::Unauthorized | Failure::Forbidden => {
            ". Check the camera's credentials in the configuration and the secrets file; Holdfast tries seldom, so that the camera does not lock it out"
        }
        Failure::NotFound => ". Check the path in the camera's url",
        Failure::SessionLimit => ". Close other viewers of this camera",
        Failure::Tls => ". Check the camera's certificate and this device's clock",
        Failure::UnsupportedTransport => {
            ". Set the camera's transport to auto; if it is, allow RTP over TCP or UDP in the camera"
        }
        Failure::NothingRecordable => ". Set the camera's video codec to H.264 or H.265",
        Failure::ServerClosed | Failure::Bye | Failure::Stalled => {
            ". If it happens again, check the camera's power supply and its cable"
        }
        Failure::ServiceUnavailable => {
            ". If it lasts, restart the camera: it says that it has no room for this session"
        }
        Failure::KeyframeStarved => ". Set the camera to send a keyframe each second or two",
        Failure::KeepAliveRefused => {
            ". Look for a newer firmware of the camera: it ends sessions that are in use"
        }
        Failure::NotStored => {
            ". Restart the camera; if it happens again, keep the log: it may be a fault of Holdfast"
        }
        Failure::Unknown | Failure::Internal => ". If it lasts, keep the log: it may be a fault of Holdfast",
        Failure::OutOfMemory => ". Record fewer cameras, or lower bit rates, on this device",
        Failure::Garbage
        | Failure::TimestampsJump
        | Failure::TimestampsFrozen
        | Failure::TimestampsBackwards
        | Failure::FormatChanges => "",
    }
}

/// What a person can do about a volume's fault.
pub(super) fn volume_hint(fault: Fault) -> &'static str {
    match fault {
        Fault::Missing => ". Check that the disk is connected and mounted at this path",
        Fault::NoSpace | Fault::Quota => ". Free space on it or connect another",
        Fault::Io | Fault::Stuck | Fault::TooSlow => {
            ". Check its cable and power; replace the disk if it happens again"
        }
        Fault::ReadOnly => ". Check the filesystem (fsck) and how it is mounted",
        Fault::Denied => ". Let the recorder's user write to it",
        Fault::WrongIdentity => ". Another filesystem is mounted at this path; connect the right disk",
        Fault::InUse => ". Stop the other recorder that uses it",
        Fault::Damaged => {
            ". If its files can be read, run holdfast ledger rebuild on where it is mounted; if its filesystem is damaged, check it (fsck) or replace the disk"
        }
        Fault::Foreign => {
            ". Its footage is not touched. If this device had another name, add that to formerly in [device]; to record on it all the same, run holdfast volume adopt"
        }
        Fault::Duplicate => {
            ". Take one of the two out, or make the copy a volume of its own: holdfast volume adopt --new-identity"
        }
        Fault::Copied => ". Run holdfast volume adopt on it, if it is to be recorded on",
        Fault::NotMounted => {
            ". Mount a disk there; for a plain directory write directory = instead of path = in the configuration"
        }
        Fault::Again | Fault::Stale => ". It passes by itself as a rule; look at the disk if it does not",
        Fault::Other(_) => ". Look at the kernel's log (dmesg); replace the disk if it happens again",
    }
}
