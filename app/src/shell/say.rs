//! What people read in the log about events, effects and alarms: what happened, to what, what Holdfast
//! does about it, and what they can do.

use holdfast_core::alarm::{AlarmKey, AlarmNotice, AlarmState, Detail, Severity};
use holdfast_core::effect::{CameraEffect, CameraStatus, Effect, Entry, VolumeEffect, VolumeStatus};
use holdfast_core::event::{Cause, Event, Failure, Fault, VolumeEvent};
use holdfast_core::settings::Transport;

use super::cameras::Cameras;
use super::volumes::Volumes;
use crate::host::{journal, message_ids as ids, show};
use log::Level;

/// Writes down an event that is worth a line of its own.
pub(super) fn event(event: &Event, cameras: &Cameras, volumes: &Volumes) {
    let Event::Volume(volume, event) = event else { return };
    let path = volumes.name(*volume);
    match event {
        VolumeEvent::Ready => {
            log::info!(VOLUME = path.as_str(), MESSAGE_ID = ids::VOLUME_READY; "ready");
        }
        VolumeEvent::Repaired { segments, segment_bytes, ledger_bytes } => {
            log::warn!(VOLUME = path.as_str(), MESSAGE_ID = ids::REPAIRED;
                "had not been closed in good order: cut {segment_bytes} torn bytes from {segments} segments \
                 and {ledger_bytes} from the ledger; what was durable is all there");
        }
        VolumeEvent::Closed => log::info!(VOLUME = path.as_str(); "closed, all is synced"),
        VolumeEvent::History { camera, covered_until, past } => {
            let name = cameras.name(*camera);
            log::debug!(VOLUME = path.as_str(), CAMERA = name;
                "footage on {path} until {}, then {past:?}", show::moment(*covered_until));
        }
        // Stored comes once a second and camera; Faulted is said where its errno is known and as an alarm.
        VolumeEvent::Stored { .. } | VolumeEvent::Faulted(_) => {}
        VolumeEvent::Attached
        | VolumeEvent::Detached
        | VolumeEvent::Replaced
        | VolumeEvent::Figures(_)
        | VolumeEvent::Released
        | VolumeEvent::Deleted { .. }
        | VolumeEvent::Exhausted { .. }
        | VolumeEvent::WentBack
        | VolumeEvent::Eject
        | VolumeEvent::Use
        | VolumeEvent::Unmounted
        | VolumeEvent::Health(_) => {}
    }
}

/// Writes down an effect that is worth a line.
pub(super) fn effect(effect: &Effect, cameras: &Cameras, volumes: &Volumes) {
    match effect {
        Effect::Camera(camera, effect) => camera_effect(cameras.name(*camera), effect),
        Effect::Volume(volume, effect) => volume_effect(&volumes.name(*volume), effect),
        Effect::Route { camera, to } => {
            let name = cameras.name(*camera);
            match to.map(|volume| volumes.name(volume)) {
                Some(path) => {
                    log::info!(CAMERA = name, VOLUME = path.as_str(); "footage goes to volume {path}");
                }
                None => log::warn!(CAMERA = name; "no volume takes footage; the newest is held in memory"),
            }
        }
        Effect::Account(volume, entry) => account(&volumes.name(*volume), entry, cameras),
        Effect::SetAnchor(anchor) => {
            let wall = show::moment(anchor.wall);
            let trust = if anchor.trusted { "trusted" } else { "not to be trusted" };
            log::debug!("footage is timed by the wall clock as of {wall}, which is {trust}");
        }
        Effect::Alarm(notice) => alarm(notice, cameras, volumes),
        Effect::Finished => {}
    }
}

fn camera_effect(name: &str, effect: &CameraEffect) {
    match effect {
        CameraEffect::Connect { transport, attempt } => {
            let way = match transport {
                Transport::Tcp => "TCP",
                Transport::Udp => "UDP",
            };
            match attempt {
                0 => log::info!(CAMERA = name; "connecting over {way}"),
                _ => log::info!(CAMERA = name; "connecting over {way} after {attempt} failures"),
            }
        }
        CameraEffect::Disconnect => log::debug!(CAMERA = name; "disconnecting"),
        CameraEffect::Status(status) => match status {
            CameraStatus::Recording => {
                log::info!(CAMERA = name, MESSAGE_ID = ids::CAMERA_RECORDING; "recording");
            }
            CameraStatus::BackingOff { failure, failures, .. } => {
                log::warn!(CAMERA = name, MESSAGE_ID = ids::CAMERA_LOST;
                    "{failure}; failure {failures} in a row, Holdfast tries again by itself{}", camera_hint(*failure));
            }
            CameraStatus::Holding => {
                log::warn!(CAMERA = name; "receiving, but no volume takes it; the newest footage is held in memory");
            }
            CameraStatus::Connecting | CameraStatus::Waiting | CameraStatus::Stopped => {}
        },
    }
}

fn volume_effect(path: &str, effect: &VolumeEffect) {
    match effect {
        VolumeEffect::Open => log::debug!(VOLUME = path; "opening"),
        VolumeEffect::Close => log::debug!(VOLUME = path; "closing"),
        VolumeEffect::Abandon => log::error!(VOLUME = path, MESSAGE_ID = ids::VOLUME_FAULTED;
            "does not answer; Holdfast no longer waits for it"),
        VolumeEffect::Status(VolumeStatus::Faulted { fault, .. }) => {
            log::warn!(VOLUME = path, MESSAGE_ID = ids::VOLUME_FAULTED;
            "{fault}; cameras stay connected, Holdfast tries the volume again by itself{}", volume_hint(*fault))
        }
        VolumeEffect::Unmount | VolumeEffect::Mount | VolumeEffect::Status(_) | VolumeEffect::Forecast(_) => {
        }
    }
}

fn account(path: &str, entry: &Entry, cameras: &Cameras) {
    match entry {
        Entry::Gap { camera, span, cause } => {
            let name = cameras.name(*camera);
            let text = format!(
                "{:.3} s are missing from {}: {cause}",
                span.micros() as f64 / 1e6,
                show::moment(span.from)
            );
            // What a person did, or what every start costs, is no reason to worry anybody.
            let level = match cause {
                Cause::Stopped
                | Cause::Starting
                | Cause::OnAnotherVolume
                | Cause::Ejected
                | Cause::Deleted(_) => Level::Info,
                Cause::Unknown
                | Cause::Crashed
                | Cause::PowerLost
                | Cause::Camera(_)
                | Cause::Lost
                | Cause::RingOverflow
                | Cause::Volume(_)
                | Cause::ClockStepped => Level::Warn,
            };
            log::log!(level, CAMERA = name, VOLUME = path, MESSAGE_ID = ids::GAP_ACCOUNTED; "{text}");
        }
        Entry::GapOpened { camera, from, cause } => {
            let name = cameras.name(*camera);
            log::debug!(CAMERA = name, VOLUME = path;
                "footage is missing from {} on: {cause}", show::moment(*from));
        }
        Entry::ClockStepped { by_micros, .. } => {
            let seconds = *by_micros as f64 / 1e6;
            log::warn!(VOLUME = path, MESSAGE_ID = ids::CLOCK_STEPPED; "the wall clock was set by {seconds:+.3} s");
        }
        Entry::VolumeFaulted { fault, .. } => {
            log::debug!(VOLUME = path; "its fault goes into its ledger: {fault}");
        }
    }
}

fn alarm(notice: &AlarmNotice, cameras: &Cameras, volumes: &Volumes) {
    let title = alarm_title(&notice.key, cameras, volumes);
    let cleared = Some(ids::ALARM_CLEARED);
    let (level, id, text) = match notice.state {
        AlarmState::Unacknowledged => {
            let level = match notice.severity {
                Severity::Low | Severity::Medium => Level::Warn,
                Severity::High | Severity::Critical => Level::Error,
            };
            let (severity, detail) = (severity(notice.severity), detail(&notice.detail));
            let text = format!("alarm ({severity}): {title}{detail}{}", hint(notice));
            (level, Some(ids::ALARM_RAISED), text)
        }
        AlarmState::Acknowledged => (Level::Info, None, format!("alarm acknowledged: {title}")),
        AlarmState::ReturnedUnacknowledged => {
            (Level::Info, cleared, format!("alarm over, kept until acknowledged: {title}"))
        }
        AlarmState::Normal => (Level::Info, cleared, format!("alarm over: {title}")),
    };
    let mut fields = vec![("ALARM", alarm_code(&notice.key).to_owned())];
    fields.extend(id.map(|id| ("MESSAGE_ID", id.to_owned())));
    fields.extend(subject(&notice.key, cameras, volumes));
    journal::write(level, &fields, &text);
}

/// What an alarm is about, as a field.
fn subject(key: &AlarmKey, cameras: &Cameras, volumes: &Volumes) -> Option<(&'static str, String)> {
    match key {
        AlarmKey::CameraLost(camera)
        | AlarmKey::CameraAccess(camera)
        | AlarmKey::TrackNotRecorded(camera, _)
        | AlarmKey::FootageDropped(camera) => Some(("CAMERA", cameras.name(*camera).to_owned())),
        AlarmKey::VolumeFaulted(volume) | AlarmKey::VolumeRepaired(volume) => {
            Some(("VOLUME", volumes.name(*volume)))
        }
        AlarmKey::NothingRecords | AlarmKey::ClockUntrusted | AlarmKey::ClockStepped => None,
    }
}

/// An alarm's short, stable name: the journal's `ALARM` field.
pub(super) fn alarm_code(key: &AlarmKey) -> &'static str {
    match key {
        AlarmKey::CameraLost(_) => "camera-lost",
        AlarmKey::CameraAccess(_) => "camera-access",
        AlarmKey::TrackNotRecorded(..) => "track-not-recorded",
        AlarmKey::FootageDropped(_) => "footage-dropped",
        AlarmKey::VolumeFaulted(_) => "volume-faulted",
        AlarmKey::VolumeRepaired(_) => "volume-repaired",
        AlarmKey::NothingRecords => "nothing-records",
        AlarmKey::ClockUntrusted => "clock-untrusted",
        AlarmKey::ClockStepped => "clock-stepped",
    }
}

/// An alarm in one line, with the name of what it concerns.
pub(super) fn alarm_title(key: &AlarmKey, cameras: &Cameras, volumes: &Volumes) -> String {
    match key {
        AlarmKey::CameraLost(camera) => format!("camera {} does not record", cameras.name(*camera)),
        AlarmKey::CameraAccess(camera) => format!("camera {} refuses the password", cameras.name(*camera)),
        AlarmKey::TrackNotRecorded(camera, track) => {
            format!("camera {}: its track {track} is not recorded", cameras.name(*camera))
        }
        AlarmKey::FootageDropped(camera) => {
            format!("camera {}: footage was dropped, since no volume took it in time", cameras.name(*camera))
        }
        AlarmKey::VolumeFaulted(volume) => format!("volume {} cannot be used", volumes.name(*volume)),
        AlarmKey::VolumeRepaired(volume) => format!("volume {} was repaired", volumes.name(*volume)),
        AlarmKey::NothingRecords => "nothing is being recorded".into(),
        AlarmKey::ClockUntrusted => "the wall clock is not to be trusted".into(),
        AlarmKey::ClockStepped => "the wall clock was set".into(),
    }
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Low => "low",
        Severity::Medium => "medium",
        Severity::High => "high",
        Severity::Critical => "critical",
    }
}

fn detail(detail: &Detail) -> String {
    match detail {
        Detail::None => String::new(),
        Detail::Camera(failure) => format!(": {failure}"),
        Detail::Volume(fault) => format!(": {fault}"),
        Detail::Micros(micros) => format!(": by {:+.3} s", *micros as f64 / 1e6),
        Detail::Bytes(bytes) => format!(": {bytes} torn bytes were cut off"),
        Detail::Units(units) => format!(": {units} frames"),
    }
}

fn hint(notice: &AlarmNotice) -> &'static str {
    match (&notice.key, &notice.detail) {
        (_, Detail::Camera(failure)) => camera_hint(*failure),
        (_, Detail::Volume(fault)) => volume_hint(*fault),
        (AlarmKey::TrackNotRecorded(..), _) => {
            ". Everything else of the camera goes on. Holdfast records H.264, H.265, AAC, Opus and G.711"
        }
        (AlarmKey::NothingRecords, _) => ". Check that a volume is connected and named in the configuration",
        (AlarmKey::ClockUntrusted, _) => {
            ". Footage is kept, its times may be wrong. Set the clock or connect a time server"
        }
        (
            AlarmKey::CameraLost(_)
            | AlarmKey::CameraAccess(_)
            | AlarmKey::FootageDropped(_)
            | AlarmKey::VolumeFaulted(_)
            | AlarmKey::VolumeRepaired(_)
            | AlarmKey::ClockStepped,
            Detail::None | Detail::Micros(_) | Detail::Bytes(_) | Detail::Units(_),
        ) => "",
    }
}

/// What a person can do about a camera's failure.
fn camera_hint(failure: Failure) -> &'static str {
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
        Failure::UnsupportedTransport => ". Set the camera's transport to auto",
        Failure::NothingRecordable => ". Set the camera's video codec to H.264 or H.265",
        Failure::Unknown
        | Failure::ServiceUnavailable
        | Failure::ServerClosed
        | Failure::Bye
        | Failure::Stalled
        | Failure::KeyframeStarved
        | Failure::Garbage
        | Failure::Timestamps
        | Failure::KeepAliveRefused
        | Failure::OutOfMemory
        | Failure::Internal => "",
    }
}

/// What a person can do about a volume's fault.
fn volume_hint(fault: Fault) -> &'static str {
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
        Fault::Damaged => ". Run holdfast ledger rebuild on it",
        Fault::Foreign => {
            ". Its footage is not touched. If this device had another name, add that to formerly in [device]; to record on it all the same, run holdfast volume adopt"
        }
        Fault::Duplicate => ". Take one of the two out, or run holdfast volume adopt on the copy",
        Fault::Copied => ". Run holdfast volume adopt on it, if it is to be recorded on",
        Fault::NotMounted => {
            ". Mount a disk there; for a plain directory write directory = instead of path = in the configuration"
        }
        Fault::Other(_) | Fault::Again | Fault::Stale => "",
    }
}
