//! What a person asks the running recorder, answered from the loop's own knowledge.
//!
//! What needs a disk (protections) is handed to the volume's thread, and waited for by the server's.

use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use holdfast_core::Appliance;
use holdfast_core::effect::{CameraStatus as Camera, StreamStatus as Second, VolumeStatus as Volume};
use holdfast_core::event::{Event, Health, VolumeEvent};
use holdfast_core::settings::{CameraIndex, VolumeIndex};
use holdfast_wire::ids::Name;
use holdfast_wire::time::{Span, Wall};

use super::cameras::Cameras;
use super::slots::Presence;
use super::volumes::{Kind, Part, Volumes};
use crate::control;
use crate::control::server::Outcome;
use crate::control::{
    Alarm, Answer, CameraStatus, LeftAlone, ProtectedSpan, Request, Status, StreamStatus, VolumeStatus,
};
use crate::host::{clock, show};
use crate::retention::{ProtectError, Protections, Wish};
use crate::volumes::mounts::MountTable;
use crate::writer::VolumeWriter;

/// How long a volume's thread may take to write a protection down: a slow disk's sync takes a second.
const DISK: Duration = Duration::from_secs(8);

/// What a request comes to: the answer, and what the core is to be told for it.
pub(super) fn answer(
    request: Request,
    core: &Appliance,
    cameras: &Cameras,
    volumes: &Volumes,
    left_alone: Vec<LeftAlone>,
    alarms: Vec<Alarm>,
) -> (Outcome, Option<Event>) {
    let known = |answer| (Outcome::Known(answer), None);
    match request {
        Request::Status => {
            known(Answer::Status(Box::new(status(core, cameras, volumes, left_alone, alarms))))
        }
        Request::Eject { volume } => match find(volumes, &volume) {
            Err(text) => known(refused(text)),
            Ok((index, part)) => match part.status {
                Volume::Absent => known(refused(format!("{} is not there", part.name()))),
                Volume::Closed => known(refused("the recorder is stopping".to_owned())),
                Volume::SafeToRemove
                | Volume::Ejecting
                | Volume::Opening
                | Volume::Ready
                | Volume::Faulted { .. } => {
                    let text = format!("{} is being closed", part.name());
                    let event = Event::Volume(index, VolumeEvent::Eject);
                    (Outcome::Known(Answer::Done { text }), Some(event))
                }
            },
        },
        Request::Use { volume } => match find(volumes, &volume) {
            Err(text) => known(refused(text)),
            Ok((index, part)) => match part.status {
                Volume::Opening | Volume::Ready => known(refused(format!("{} was not ejected", part.name()))),
                Volume::Absent => known(refused(format!("{} is not there", part.name()))),
                Volume::Closed => known(refused("the recorder is stopping".to_owned())),
                // One that is still being ejected is used again as soon as that is over; one that failed is tried at once.
                Volume::SafeToRemove | Volume::Ejecting | Volume::Faulted { .. } => {
                    let text = format!("{} is used again", part.name());
                    (Outcome::Known(Answer::Done { text }), Some(Event::Volume(index, VolumeEvent::Use)))
                }
            },
        },
        Request::Protect { camera, from, to, note } => {
            let camera = match camera.map(|camera| Name::new(&camera)).transpose() {
                Ok(camera) => camera,
                Err(error) => return known(refused(format!("the camera's id {error}"))),
            };
            let known_camera =
                |name: &Name| cameras.figures_for_people().any(|camera| camera.id == name.as_str());
            if let Some(name) = camera.as_ref().filter(|name| !known_camera(name)) {
                return known(refused(format!(
                    "nothing was protected: no camera is called {name}; `holdfast status` shows all. Footage of a camera \
                     that is no longer configured is protected without --camera"
                )));
            }
            let Ok(note) = note.as_str().try_into() else {
                return known(refused("the note is longer than 64 bytes".to_owned()));
            };
            let wish = Wish { camera, span: Span::new(Wall(from), Wall(to)), note };
            let ask = |writer: &VolumeWriter| promised(|answer| writer.protect(wish.clone(), answer));
            let asked: Vec<_> = writers(volumes).map(|(name, writer)| (name, ask(writer))).collect();
            if asked.is_empty() {
                return known(refused("no volume is in use".to_owned()));
            }
            (Outcome::Later(Box::new(move || protected(asked))), None)
        }
        Request::Unprotect { volume, number } => match find(volumes, &volume) {
            Err(text) => known(refused(text)),
            Ok((index, part)) => match volumes.writer(index) {
                None => known(refused(format!("{} is not in use", part.name()))),
                Some(writer) => {
                    let done = promised(|answer| writer.unprotect(number, answer));
                    let name = part.name();
                    (Outcome::Later(Box::new(move || unprotected(&name, number, &done))), None)
                }
            },
        },
        Request::Protected => {
            let asked: Vec<_> = (0u8..)
                .zip(&volumes.parts)
                .filter_map(|(index, part)| {
                    let writer = volumes.writer(VolumeIndex(index)).filter(|writer| !writer.has_ended())?;
                    let promise = promised(|answer| writer.protections(answer));
                    Some((part.id.map(|id| id.to_string()).unwrap_or_default(), promise))
                })
                .collect();
            (Outcome::Later(Box::new(move || list(asked))), None)
        }
    }
}

/// Every volume that is in use, with its name.
fn writers(volumes: &Volumes) -> impl Iterator<Item = (String, &VolumeWriter)> {
    (0u8..).zip(&volumes.parts).filter(|(_, part)| part.status == Volume::Ready).filter_map(
        |(index, part)| {
            let writer = volumes.writer(VolumeIndex(index)).filter(|writer| !writer.has_ended())?;
            Some((part.name(), writer))
        },
    )
}

fn refused(text: String) -> Answer {
    Answer::Refused { text }
}

/// What a volume's thread says, once it says it.
type Promise<T> = Receiver<Result<T, ProtectError>>;

/// Asks for something, and gives where the answer will be.
fn promised<T: Send + 'static>(
    ask: impl FnOnce(Box<dyn FnOnce(Result<T, ProtectError>) + Send>),
) -> Promise<T> {
    let (sender, receiver) = channel();
    ask(Box::new(move |answer| {
        // Who asked has given up waiting.
        let _ = sender.send(answer);
    }));
    receiver
}

fn redeem<T>(promise: &Promise<T>) -> Result<T, String> {
    match promise.recv_timeout(DISK) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("it does not answer".to_owned()),
    }
}

fn protected(asked: Vec<(String, Promise<u32>)>) -> Answer {
    let mut lines = Vec::new();
    let mut failed = false;
    for (name, promise) in asked {
        match redeem(&promise) {
            Ok(number) => lines.push(format!("protected on {name} as number {number}")),
            Err(why) => {
                failed = true;
                lines.push(format!("NOT protected on {name}: {why}"));
            }
        }
    }
    let text = lines.join("\n");
    if failed { Answer::Refused { text } } else { Answer::Done { text } }
}

fn unprotected(name: &str, number: u32, done: &Promise<()>) -> Answer {
    match redeem(done) {
        Ok(()) => Answer::Done { text: format!("protection {number} on {name} is taken back") },
        Err(why) => refused(format!("protection {number} on {name} was not taken back: {why}")),
    }
}

fn list(asked: Vec<(String, Promise<Protections>)>) -> Answer {
    let mut spans = Vec::new();
    for (volume, promise) in asked {
        match redeem(&promise) {
            Ok(protections) => spans.extend(protections.list().map(|protected| ProtectedSpan {
                volume: volume.clone(),
                number: protected.number,
                camera: protected.camera.as_ref().map(ToString::to_string),
                from: show::moment(protected.span.from),
                to: show::moment(protected.span.to),
                since: show::moment(protected.at),
                note: protected.note.to_string(),
            })),
            Err(why) => return refused(format!("the protections on volume {volume} cannot be told: {why}")),
        }
    }
    Answer::Protected { spans }
}

fn status(
    core: &Appliance,
    cameras: &Cameras,
    volumes: &Volumes,
    left_alone: Vec<LeftAlone>,
    alarms: Vec<Alarm>,
) -> Status {
    let mounts = MountTable::read().unwrap_or_default();
    let now = clock::now();
    Status {
        device: volumes.device().to_string(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        session: volumes.session().to_string(),
        now: show::moment(now.wall),
        uptime_seconds: now.mono.since(cameras.started().mono).as_secs_f64(),
        cameras: (0u8..)
            .zip(cameras.figures_for_people())
            .map(|(index, figures)| camera(figures, core.second_stream(CameraIndex(index))))
            .collect(),
        volumes: (0u8..)
            .zip(&volumes.parts)
            .filter(|(_, part)| part.kind != Kind::Disk || part.disk.is_some())
            .map(|(index, part)| volume(part, volumes.takes_footage(VolumeIndex(index)), &mounts))
            .collect(),
        left_alone,
        alarms,
    }
}

fn camera(figures: super::cameras::Figures<'_>, second: Option<Second>) -> CameraStatus {
    let (state, detail) = match figures.status {
        Camera::Connecting => ("connecting", None),
        Camera::Waiting => ("waiting", None),
        Camera::Recording => ("recording", None),
        Camera::OnFallback { failure } => ("fallback", failure.map(|failure| failure.to_string())),
        Camera::Holding => ("holding", Some("no volume takes its footage".to_owned())),
        Camera::BackingOff { failure, .. } => ("backing-off", Some(failure.to_string())),
        Camera::Stopped => ("stopped", None),
    };
    CameraStatus {
        id: figures.id.to_owned(),
        state: state.to_owned(),
        detail,
        durable_until: figures.durable_until.map(show::moment),
        durable_seconds: figures.durable_micros as f64 / 1e6,
        held_bytes: figures.held_bytes,
        fallback: second.map(fallback),
    }
}

fn fallback(stream: Second) -> StreamStatus {
    let (state, detail) = match stream {
        Second::Idle => ("idle", None),
        Second::Connecting => ("connecting", None),
        Second::Connected => ("connected", None),
        Second::BackingOff { failure } => ("backing-off", Some(failure.to_string())),
    };
    StreamStatus { state: state.to_owned(), detail }
}

fn volume(part: &Part, recording: bool, mounts: &MountTable) -> VolumeStatus {
    // Of a mount point of the configuration the kernel's table says what is mounted there now.
    let mount = match (part.kind, &part.place) {
        (Kind::MountPoint, Some(place)) => mounts.at(place.path()),
        (Kind::MountPoint | Kind::Directory | Kind::Disk, _) => None,
    };
    let mounted = mount.and_then(|mount| Some(mount.source.file_name()?.to_string_lossy().into_owned()));
    let (state, detail) = match part.status {
        Volume::Absent => ("absent", None),
        Volume::Opening => ("opening", None),
        Volume::Ready => ("ready", None),
        Volume::Faulted { fault, .. } => ("faulted", Some(fault.to_string())),
        Volume::Ejecting => ("ejecting", None),
        Volume::SafeToRemove => ("safe-to-remove", None),
        Volume::Closed => ("closed", None),
    };
    let there = part.disk.as_ref().is_none_or(|disk| match disk.presence {
        Presence::Mounted | Presence::Leaving { mounted: true } => true,
        Presence::Leaving { mounted: false } | Presence::Unmounted | Presence::Returning | Presence::Gone => {
            false
        }
    });
    let forecast = part.forecast.filter(|_| recording);
    let seconds = |duration: Option<Duration>| duration.map(|duration| duration.as_secs());
    VolumeStatus {
        id: part.id.or(part.disk.as_ref().map(|disk| disk.id)).map(|id| id.to_string()),
        path: part.place.as_ref().filter(|_| there).map(|place| place.path().display().to_string()),
        kind: match part.kind {
            Kind::MountPoint => "mount-point",
            Kind::Directory => "directory",
            Kind::Disk => "disk",
        }
        .to_owned(),
        device: part.disk.as_ref().map(|disk| disk.device.clone()).or(mounted),
        filesystem: part
            .disk
            .as_ref()
            .and_then(|disk| disk.kind)
            .map(|kind| kind.properties().name.to_owned())
            .or_else(|| mount.map(|mount| mount.filesystem.clone())),
        state: state.to_owned(),
        detail,
        recording,
        free: part.figures.free,
        total: part.figures.total,
        footage: part.figures.footage,
        rate: forecast.map(|forecast| forecast.rate),
        seconds_until_full: forecast.and_then(|forecast| seconds(forecast.until_full)),
        holds_seconds: forecast.and_then(|forecast| seconds(forecast.holds)),
        promised_seconds: forecast.map(|forecast| forecast.promised.as_secs()),
        health: part.health.map(|health| {
            match health {
                Health::Good => "good",
                Health::Worn => "worn",
                Health::Failing => "failing",
            }
            .to_owned()
        }),
    }
}

/// The volume that a person means.
fn find<'a>(volumes: &'a Volumes, name: &str) -> Result<(VolumeIndex, &'a Part), String> {
    let mounts = MountTable::read().unwrap_or_default();
    let known: Vec<_> = volumes.parts.iter().map(|part| volume(part, false, &mounts)).collect();
    let place = control::find(&known, name)?;
    let found = place.and_then(|place| (0u8..).zip(&volumes.parts).nth(place));
    let found = found.map(|(index, part)| (VolumeIndex(index), part));
    found.ok_or_else(|| format!("no volume is called {name}; `holdfast volume list` shows all"))
}
