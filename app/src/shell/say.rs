//! What people read in the log about events, effects and alarms: what happened, to what, what Holdfast
//! does about it, and what they can do.

mod alarms;
mod kinds;

pub(super) use alarms::unfit;
pub(super) use kinds::alarm;

use holdfast_core::effect::{
    CameraEffect, CameraStatus, Effect, Entry, Forecast, Reason, Shed, Stream, VolumeEffect, VolumeStatus,
};
use holdfast_core::event::{Cause, Event, Health, VolumeEvent};
use holdfast_core::settings::Transport;

use super::cameras::Cameras;
use super::volumes::Volumes;
use crate::host::{message_ids as ids, show};
use alarms::{camera_hint, volume_hint};
use log::Level;
use std::time::Duration;

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
        VolumeEvent::Attached => log::info!(VOLUME = path.as_str(); "its filesystem is there"),
        VolumeEvent::Detached => log::warn!(VOLUME = path.as_str(); "its disk or its mount is gone"),
        VolumeEvent::Released => {
            log::info!(VOLUME = path.as_str(); "the call that did not return has returned; it is opened again");
        }
        VolumeEvent::Deleted { rule, segments, bytes } => {
            log::debug!(VOLUME = path.as_str(); "deleted {segments} segments of {bytes} bytes: {rule}");
        }
        VolumeEvent::KeptMounted => {
            log::warn!(VOLUME = path.as_str(); "it cannot be unmounted: another program has files open on it; it is used again");
        }
        VolumeEvent::Eject => log::info!(VOLUME = path.as_str(); "a person wants to take it out"),
        VolumeEvent::Use => log::info!(VOLUME = path.as_str(); "a person wants it to be used"),
        VolumeEvent::Health(Health::Good) => log::debug!(VOLUME = path.as_str(); "SMART: passes"),
        // Figures come once a second; the others are said as an alarm or by who does them.
        VolumeEvent::Figures(_)
        | VolumeEvent::Replaced
        | VolumeEvent::LedgerEnds { .. }
        | VolumeEvent::Exhausted { .. }
        | VolumeEvent::WentBack
        | VolumeEvent::Unmounted
        | VolumeEvent::Health(Health::Worn | Health::Failing) => {}
    }
}

/// Writes down an effect that is worth a line.
pub(super) fn effect(effect: &Effect, cameras: &Cameras, volumes: &Volumes) {
    match effect {
        Effect::Camera(camera, effect) => camera_effect(cameras.name(*camera), effect),
        Effect::Fallback(camera, effect) => {
            camera_effect(&format!("{} (fallback)", cameras.name(*camera)), effect);
        }
        Effect::Shed(shed) => match shed {
            Shed::Nothing => log::info!("memory suffices again: all is kept as configured"),
            Shed::Depth => log::warn!("memory is short: the rings hold less"),
            Shed::Audio => log::warn!("memory is short: no sound is kept"),
            Shed::Fallback => log::warn!("memory is short: fallback streams are not connected"),
        },
        Effect::Alive => {}
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
        Effect::Alarm(notice) => alarms::alarm(notice, cameras, volumes),
        Effect::Finished => {}
    }
}

fn camera_effect(name: &str, effect: &CameraEffect) {
    match effect {
        CameraEffect::Connect { transport, attempt, why } => {
            let way = match transport {
                Transport::Tcp => "TCP",
                Transport::Udp => "UDP",
            };
            let why = reason(*why);
            match attempt {
                0 => log::info!(CAMERA = name; "connecting over {way}{why}"),
                _ => log::info!(CAMERA = name; "connecting over {way}, failures so far: {attempt}{why}"),
            }
        }
        CameraEffect::Diagnose => log::debug!(CAMERA = name; "finding out why it got no connection"),
        CameraEffect::Disconnect(why) => log::debug!(CAMERA = name; "disconnecting{}", reason(*why)),
        CameraEffect::Resume(why) => {
            log::info!(CAMERA = name; "waiting for its next keyframe, the connection stays{}", reason(*why));
        }
        CameraEffect::RebuildBranch(why) => {
            log::info!(CAMERA = name; "building its media path anew, the connection stays{}", reason(*why));
        }
        CameraEffect::Record(Stream::Main) => {
            log::info!(CAMERA = name; "its main stream is recorded from its next keyframe on");
        }
        CameraEffect::Record(Stream::Fallback) => {
            log::warn!(CAMERA = name; "its fallback stream is recorded from its next keyframe on");
        }
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
            CameraStatus::OnFallback { .. } => {
                log::warn!(CAMERA = name, MESSAGE_ID = ids::CAMERA_RECORDING; "recording its fallback stream");
            }
            CameraStatus::Connecting | CameraStatus::Waiting | CameraStatus::Stopped => {}
        },
    }
}

/// Why something is done about a connection, to follow what is done.
fn reason(reason: Reason) -> String {
    match reason {
        Reason::Start => String::new(),
        Reason::Stop => ": the recorder ends".into(),
        Reason::Failed(failure) => format!(": {failure}"),
        Reason::AtOnce(failure) => format!(": {failure}, at once, since it had been healthy"),
        Reason::Waited(failure) => format!(": {failure}, and its wait is over"),
        Reason::Probe(failure) => format!(": {failure}, for long; only to see whether it is back"),
        Reason::OtherTransport => ": it refused the other transport".into(),
        Reason::NetworkBack => ": the network is back".into(),
        Reason::MainAway => ": its main stream does not come".into(),
        Reason::MainBack => ": its main stream is back".into(),
        Reason::MemoryShort => ": memory is short".into(),
    }
}

fn volume_effect(path: &str, effect: &VolumeEffect) {
    match effect {
        VolumeEffect::Open => log::debug!(VOLUME = path; "opening"),
        VolumeEffect::Close => log::debug!(VOLUME = path; "closing"),
        VolumeEffect::Abandon => log::error!(VOLUME = path, MESSAGE_ID = ids::VOLUME_FAULTED;
            "does not answer; Holdfast no longer waits for it"),
        VolumeEffect::Unmount => log::debug!(VOLUME = path; "unmounting"),
        VolumeEffect::Mount => log::info!(VOLUME = path; "to be checked and mounted again"),
        VolumeEffect::Status(status) => match status {
            VolumeStatus::Faulted { fault, .. } => {
                log::warn!(VOLUME = path, MESSAGE_ID = ids::VOLUME_FAULTED;
                "{fault}; cameras stay connected{}{}", what_next(status), volume_hint(*fault))
            }
            VolumeStatus::Ejecting => {
                log::info!(VOLUME = path; "everything is written out before it goes; wait")
            }
            VolumeStatus::SafeToRemove => log::info!(VOLUME = path; "safe to remove"),
            VolumeStatus::Absent | VolumeStatus::Opening | VolumeStatus::Ready | VolumeStatus::Closed => {
                log::debug!(VOLUME = path; "is now {status:?}")
            }
        },
        VolumeEffect::Forecast(forecast) => say_forecast(path, forecast),
    }
}

fn what_next(status: &VolumeStatus) -> &'static str {
    match status {
        VolumeStatus::Faulted { until: None, .. } => ", the disk is left alone",
        VolumeStatus::Faulted { until: Some(_), .. } => ", Holdfast tries the volume again by itself",
        VolumeStatus::Absent
        | VolumeStatus::Opening
        | VolumeStatus::Ready
        | VolumeStatus::Ejecting
        | VolumeStatus::SafeToRemove
        | VolumeStatus::Closed => "",
    }
}

fn say_forecast(path: &str, forecast: &Forecast) {
    let Forecast { rate, until_full, holds, promised: _ } = forecast;
    let hours = |time: &Option<Duration>| {
        time.map_or("an unknown time".into(), |time| format!("{:.1} h", time.as_secs_f64() / 3600.0))
    };
    log::debug!(VOLUME = path;
        "takes {rate} bytes a second; cleaning begins in {}, it holds {} of footage", hours(until_full), hours(holds));
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
                | Cause::OutOfMemory
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
        Entry::TimeCorrected { from, to, by_micros } => {
            let seconds = *by_micros as f64 / 1e6;
            log::warn!(VOLUME = path, MESSAGE_ID = ids::CLOCK_STEPPED;
                "the time is known: footage of {} to {} was recorded {seconds:+.3} s later; the ledger says so, names of files stay",
                show::moment(*from), show::moment(*to));
        }
        Entry::VolumeFaulted { fault, .. } => {
            log::debug!(VOLUME = path; "its fault goes into its ledger: {fault}");
        }
    }
}
