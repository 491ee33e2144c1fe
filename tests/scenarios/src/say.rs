//! Effects as sentences: what was done, and why.

use crate::report::{Names, Report};
use crate::time::{length, moment};
use crate::words::severity;
use holdfast_core::alarm::{AlarmNotice, AlarmState, Detail};
use holdfast_core::effect::{
    CameraEffect, CameraStatus, Effect, Entry, Reason, Shed, Stream, VolumeEffect, VolumeStatus,
};
use holdfast_core::event::Past;
use holdfast_core::settings::Transport;
use holdfast_core::time::{Mono, Wall};

/// Tells of an effect, if a person would want to know.
pub(crate) fn effect(report: &mut Report, now: Mono, effect: &Effect) {
    let names = &report.names;
    let told = match effect {
        Effect::Camera(index, effect) => {
            let name = names.camera(*index).to_owned();
            camera(names, now, effect).map(|text| (name, text))
        }
        Effect::Fallback(index, effect) => {
            let name = format!("{}'s fallback", names.camera(*index));
            camera(names, now, effect).map(|text| (name, text))
        }
        Effect::Volume(index, effect) => {
            let name = names.volume(*index).to_owned();
            volume(names, now, effect).map(|text| (name, text))
        }
        Effect::Route { camera, to } => Some((
            names.camera(*camera).to_owned(),
            match to {
                Some(to) => format!("its footage goes to {}", names.volume(*to)),
                None => "its footage goes nowhere: memory holds the newest of it".into(),
            },
        )),
        Effect::Account(index, effect) => {
            Some((format!("ledger of {}", names.volume(*index)), entry(names, effect)))
        }
        Effect::SetAnchor(anchor) => Some((
            "clock".into(),
            format!(
                "times are taken from the wall clock, which says {} and is {}",
                names.wall(anchor.wall),
                if anchor.trusted { "trusted" } else { "not trusted" }
            ),
        )),
        Effect::Shed(what) => Some(("memory".into(), shed(*what).into())),
        Effect::Alarm(notice) => Some(("alarm".into(), alarm(names, notice))),
        Effect::Finished => Some(("recorder".into(), "has ended".into())),
        Effect::Alive => None,
    };
    if let Some((who, text)) = told {
        report.tell(now, &who, text);
    }
}

/// Tells what a ledger says of the time before.
pub(crate) fn history(report: &mut Report, now: Mono, place: usize, covered: &[(usize, Wall)], past: Past) {
    let how = match past {
        Past::Stopped => "then it was closed in good order",
        Past::Crashed => "then it was left in the middle",
        Past::PowerLost => "then the machine went down",
        Past::OutOfMemory => "then memory ran out",
    };
    let untils: Vec<_> = covered.iter().map(|(_, until)| until).collect();
    let same = untils.windows(2).all(|pair| pair[0] == pair[1]);
    let until = match covered {
        [(_, until), ..] if same => format!("footage until {}", report.names.wall(*until)),
        covered => {
            let each = covered.iter().map(|(camera, until)| {
                let name = report.names.cameras.get(*camera).map_or("?", String::as_str);
                format!("{name} until {}", report.names.wall(*until))
            });
            each.collect::<Vec<_>>().join(", ")
        }
    };
    let who = report.names.volumes.get(place).cloned().unwrap_or_default();
    report.tell(now, &who, format!("its ledger tells: {until}; {how}"));
}

fn camera(names: &Names, now: Mono, effect: &CameraEffect) -> Option<String> {
    Some(match effect {
        CameraEffect::Connect { transport, attempt, why } => {
            let way = match transport {
                Transport::Tcp => "TCP",
                Transport::Udp => "UDP",
            };
            let so_far = match attempt {
                0 => String::new(),
                attempt => format!(" (failures so far: {attempt})"),
            };
            format!("connects over {way}: {}{so_far}", reason(*why))
        }
        CameraEffect::Diagnose => "finds out why it got no connection".into(),
        CameraEffect::Disconnect(why) => format!("disconnects: {}", reason(*why)),
        CameraEffect::Resume(why) => {
            format!("begins anew at its next keyframe, the connection stays: {}", reason(*why))
        }
        CameraEffect::RebuildBranch(why) => {
            format!("its media path is built anew, the connection stays: {}", reason(*why))
        }
        CameraEffect::Record(Stream::Main) => "its main stream is recorded, from its next keyframe on".into(),
        CameraEffect::Record(Stream::Fallback) => {
            "its fallback stream is recorded, from its next keyframe on".into()
        }
        CameraEffect::Status(status) => match status {
            // The attempt says it.
            CameraStatus::Connecting => return None,
            CameraStatus::Waiting => "is connected; nothing durable yet".into(),
            CameraStatus::Recording => "is recording".into(),
            CameraStatus::OnFallback { failure: Some(failure) } => {
                format!("is recording its fallback stream: {failure}")
            }
            CameraStatus::OnFallback { failure: None } => "is recording its fallback stream".into(),
            CameraStatus::Holding => "is held in memory: no volume takes it".into(),
            CameraStatus::BackingOff { failure, until, failures } => {
                let when = match moment(until.since(names.begin)) {
                    _ if *until <= now => "is to be tried again at once".into(),
                    at => format!("waits until {at}"),
                };
                format!("{when}: {failure} (failure {failures} in a row)")
            }
            CameraStatus::Stopped => "is stopped".into(),
        },
    })
}

fn reason(reason: Reason) -> String {
    match reason {
        Reason::Start => "the recorder starts".into(),
        Reason::Stop => "the recorder ends".into(),
        Reason::Failed(failure) => failure.to_string(),
        Reason::AtOnce(failure) => format!("{failure}; at once, since it had been healthy"),
        Reason::Waited(failure) => format!("{failure}; its wait is over"),
        Reason::Probe(failure) => format!("{failure}, for long; only to see whether it is back"),
        Reason::OtherTransport => "the other transport was refused".into(),
        Reason::NetworkBack => "the network is back".into(),
        Reason::MainAway => "its main stream does not come".into(),
        Reason::MainBack => "its main stream is back".into(),
        Reason::MemoryShort => "memory is short".into(),
    }
}

fn volume(names: &Names, now: Mono, effect: &VolumeEffect) -> Option<String> {
    Some(match effect {
        VolumeEffect::Open => "is opened".into(),
        VolumeEffect::Close => "is closed: what memory holds is written out".into(),
        VolumeEffect::Abandon => "its writer is waited for no longer".into(),
        VolumeEffect::Unmount => "is unmounted".into(),
        VolumeEffect::Mount => "is checked and mounted again".into(),
        VolumeEffect::Status(status) => match status {
            VolumeStatus::Absent => "is absent".into(),
            // The effect beside it says it.
            VolumeStatus::Opening => return None,
            VolumeStatus::Ready => "is ready".into(),
            VolumeStatus::Faulted { fault, until: Some(until) } => {
                let wait = moment(until.since(names.begin));
                let is_over = *until <= now;
                let next = if is_over { "now".into() } else { format!("at {wait}") };
                format!("has failed: {fault}; tried again {next}")
            }
            VolumeStatus::Faulted { fault, until: None } => {
                format!("has failed, and has to prove itself: {fault}")
            }
            VolumeStatus::Ejecting => "is on its way out".into(),
            VolumeStatus::SafeToRemove => "is safe to remove".into(),
            VolumeStatus::Closed => "is closed".into(),
        },
        VolumeEffect::Forecast(_) => return None,
    })
}

fn entry(names: &Names, entry: &Entry) -> String {
    match entry {
        Entry::Gap { camera, span, cause } => format!(
            "{} is missing {} to {} ({}): {cause}",
            names.camera(*camera),
            names.wall(span.from),
            names.wall(span.to),
            length(span.micros())
        ),
        Entry::GapOpened { camera, from, cause } => {
            format!("{} is missing from {} on: {cause}", names.camera(*camera), names.wall(*from))
        }
        Entry::ClockStepped { at, by_micros } => {
            format!("the clock was set by {}, to {}", signed(*by_micros), names.wall(*at))
        }
        Entry::TimeCorrected { from, to, by_micros: 0 } => {
            format!("times from {} to {} were right", names.wall(*from), names.wall(*to))
        }
        Entry::TimeCorrected { from, to, by_micros } => {
            let by = signed(*by_micros);
            format!("times from {} to {} are off by {by}", names.wall(*from), names.wall(*to))
        }
        Entry::VolumeFaulted { at, fault } => {
            format!("the volume had failed at {}: {fault}", names.wall(*at))
        }
    }
}

fn signed(micros: i64) -> String {
    let sign = if micros < 0 { '-' } else { '+' };
    format!("{sign}{}", length(micros.saturating_abs()))
}

fn shed(what: Shed) -> &'static str {
    match what {
        Shed::Nothing => "suffices again: all is kept as configured",
        Shed::Depth => "is short: the rings hold less",
        Shed::Audio => "is short: no sound is kept either",
        Shed::Fallback => "is short: fallback streams that are not needed are not connected either",
    }
}

fn alarm(names: &Names, notice: &AlarmNotice) -> String {
    let name = names.alarm(&notice.key);
    match notice.state {
        AlarmState::Unacknowledged => {
            let again = if notice.count > 1 { format!(", time {}", notice.count) } else { String::new() };
            let severity = severity(notice.severity);
            format!("{name} ({severity}{again}){}", detail(&notice.detail))
        }
        AlarmState::Acknowledged => format!("{name} is acknowledged"),
        AlarmState::ReturnedUnacknowledged => format!("{name} is over, and kept until acknowledged"),
        AlarmState::Normal => format!("{name} is over"),
    }
}

fn detail(detail: &Detail) -> String {
    match detail {
        Detail::None => String::new(),
        Detail::Camera(failure) => format!(": {failure}"),
        Detail::Volume(fault) => format!(": {fault}"),
        Detail::Micros(micros) => format!(": by {}", signed(*micros)),
        Detail::Bytes(bytes) => format!(": {bytes} torn bytes were cut off"),
        Detail::Units(units) => format!(": {units} frames"),
        Detail::Seconds(seconds) => format!(": only for {:.1} days", *seconds as f64 / 86_400.0),
        Detail::Disk(reason) => {
            let word = crate::words::UNFIT.iter().find(|(_, unfit)| unfit == reason);
            format!(": {}", word.map_or("it cannot be used", |(word, _)| word))
        }
        Detail::Network { cameras, carrier } => {
            let link = if *carrier { "" } else { ", and no interface has a carrier" };
            format!(": {cameras} cameras lost at once{link}")
        }
        Detail::Shed(what) => format!(": {}", shed(*what)),
    }
}
