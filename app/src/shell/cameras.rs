//! The loop's side of the cameras: their rings, their sessions, and what a person is shown of them.

use std::sync::Arc;

use holdfast_core::effect::{CameraEffect, CameraStatus, Shed, Stream};
use holdfast_core::event::{CameraEvent, Event, Failure, VolumeEvent};
use holdfast_core::settings::{CameraIndex, CameraSettings, Transport};
use holdfast_core::time::{Anchor, Mono, Now, Span, Wall};

use super::{Message, Outbox};
use crate::config::{CameraConfig, Config, Memory, RtspUrl};
use crate::host::{clock, memory};
use crate::ingest::{Departures, Reporter, Request, Session};
use crate::ring::{Dropped, Limits, Ring};
use crate::view::{CameraLine, Picture, VolumeLine};

/// While memory is short a ring holds this part of what it may otherwise: a third of it still bridges the 10 s after which
/// a stuck volume is left for another one.
const SHED_TO: usize = 3;

/// All cameras, by index.
pub(super) struct Cameras {
    parts: Vec<Part>,
    /// What each ring may hold while memory suffices.
    limits: Limits,
    outbox: Outbox,
    started: Now,
}

struct Part {
    config: CameraConfig,
    ring: Arc<Ring>,
    main: Link,
    fallback: Link,
    status: CameraStatus,
    tally: Tally,
}

/// One of its streams.
#[derive(Default)]
struct Link {
    session: Option<Session>,
    /// Counts sessions: a message of an older one is stale.
    generation: u64,
    /// Those of its sessions that are being torn down.
    departures: Departures,
}

/// A camera at one moment.
pub(super) struct Figures<'a> {
    pub id: &'a str,
    pub status: CameraStatus,
    /// End of its newest durable footage.
    pub durable_until: Option<Wall>,
    /// Durable footage in this life of the recorder.
    pub durable_micros: i64,
    pub held_bytes: u64,
}

/// What became durable in this life of the recorder.
#[derive(Default)]
struct Tally {
    micros: i64,
    until: Option<Wall>,
    /// When the newest footage ended, on the monotonic clock.
    at: Option<Mono>,
    bytes: u64,
    bytes_before: u64,
    frames: u64,
    frames_before: u64,
}

impl Cameras {
    pub fn new(config: &Config, outbox: Outbox) -> Self {
        let memory = match config.limits.memory {
            Memory::Auto => memory::given_to_service(),
            Memory::Bytes(bytes) => bytes,
        };
        let plan = memory::RingPlan::new(memory, config.cameras.len(), config.limits.ring_bytes);
        let bytes = usize::try_from(plan.per_camera).unwrap_or(usize::MAX);
        let limits = Limits { bytes, time: config.limits.ring };
        let parts = config.cameras.iter().map(|camera| Part {
            config: camera.clone(),
            ring: Ring::new(limits),
            main: Link::default(),
            fallback: Link::default(),
            status: CameraStatus::Connecting,
            tally: Tally::default(),
        });
        Cameras { parts: parts.collect(), limits, outbox, started: clock::now() }
    }

    /// The camera's name; `?` for an index that does not exist.
    pub fn name(&self, camera: CameraIndex) -> &str {
        self.parts.get(usize::from(camera.0)).map_or("?", |part| part.config.id.as_str())
    }

    pub fn ring(&self, camera: CameraIndex) -> Option<&Arc<Ring>> {
        self.parts.get(usize::from(camera.0)).map(|part| &part.ring)
    }

    /// Bytes of footage in all rings.
    pub fn held(&self) -> u64 {
        self.parts.iter().map(|part| part.ring.bytes() as u64).sum()
    }

    pub fn is_current(&self, camera: CameraIndex, stream: Stream, generation: u64) -> bool {
        let part = self.parts.get(usize::from(camera.0));
        part.is_some_and(|part| part.link(stream).generation == generation)
    }

    pub fn perform(&mut self, camera: CameraIndex, stream: Stream, effect: CameraEffect) {
        let outbox = self.outbox.clone();
        let Some(part) = self.parts.get_mut(usize::from(camera.0)) else { return };
        let report = |part: &Part| reporter(outbox.clone(), (camera, stream), part.link(stream).generation);
        match effect {
            CameraEffect::Connect { transport, .. } => {
                part.link_mut(stream).generation += 1;
                let report = report(part);
                part.connect(stream, transport, report);
            }
            CameraEffect::Diagnose => {
                if let Some(session) = &part.link(stream).session {
                    session.diagnose();
                }
            }
            CameraEffect::Disconnect(_) => {
                let report = report(part);
                match part.link_mut(stream).session.take() {
                    Some(session) => session.tear_down(report),
                    // A session that could not even be built has nothing to tear down.
                    None => report(CameraEvent::TornDown),
                }
            }
            CameraEffect::Resume(_) => {
                if let Some(session) = &part.link(stream).session {
                    session.resume();
                }
            }
            CameraEffect::RebuildBranch(_) => {
                if let Some(session) = &part.link(stream).session
                    && let Err(error) = session.rebuild_branch()
                {
                    log::warn!(CAMERA = part.config.id.as_str(); "the media path cannot be built anew: {error}");
                    report(part)(CameraEvent::Failed(Failure::Internal));
                }
            }
            CameraEffect::Record(stream) => part.ring.select(stream),
            CameraEffect::Status(status) => part.status = status,
        }
    }

    /// Uses so much less memory from now on.
    pub fn shed(&self, shed: Shed) {
        let limits = match shed {
            Shed::Nothing => self.limits,
            Shed::Depth | Shed::Audio | Shed::Fallback => {
                Limits { bytes: self.limits.bytes / SHED_TO, time: self.limits.time / SHED_TO as u32 }
            }
        };
        for part in &self.parts {
            part.ring.set_limits(limits);
            part.ring.keep_audio(shed < Shed::Audio);
        }
    }

    /// Keeps the tally of what is durable.
    pub fn note(&mut self, event: &Event, anchor: Anchor) {
        if let Event::Volume(_, VolumeEvent::Stored { camera, span, frames, bytes }) = event
            && let Some(part) = self.parts.get_mut(usize::from(camera.0))
        {
            part.tally.add(*span, anchor, *frames, *bytes);
        }
    }

    /// The figures of every session and the drops of every ring, as events.
    pub fn figures(&self, anchor: Anchor) -> Vec<Event> {
        let mut events = Vec::new();
        for (index, part) in (0u8..).zip(&self.parts) {
            let camera = CameraIndex(index);
            events.extend(self.drops(camera, anchor));
            if let Some(session) = &part.main.session {
                events.push(Event::Camera(camera, session.figures().event()));
            }
            if let Some(session) = &part.fallback.session {
                events.push(Event::Fallback(camera, session.figures().event()));
            }
        }
        events
    }

    /// What a camera's ring dropped since this was asked last, as events.
    pub fn drops(&self, camera: CameraIndex, anchor: Anchor) -> Vec<Event> {
        let drops = self.ring(camera).map(|ring| ring.take_drops()).unwrap_or_default();
        let event = |drop: Dropped| {
            let span = Span::new(anchor.wall_at(drop.from), anchor.wall_at(drop.to));
            Event::Camera(camera, CameraEvent::Dropped { span, units: drop.units, bytes: drop.bytes })
        };
        drops.into_iter().map(event).collect()
    }

    /// How full a camera's ring is with what is not durable yet, in percent.
    pub fn fill(&self, camera: CameraIndex) -> u8 {
        self.ring(camera).map_or(0, |ring| ring.fill())
    }

    /// When the recorder began.
    pub fn started(&self) -> Now {
        self.started
    }

    /// Every camera's figures, in the order of the configuration.
    pub fn figures_for_people(&self) -> impl Iterator<Item = Figures<'_>> {
        self.parts.iter().map(|part| Figures {
            id: part.config.id.as_str(),
            status: part.status,
            durable_until: part.tally.until,
            durable_micros: part.tally.micros,
            held_bytes: part.ring.bytes() as u64,
        })
    }

    pub fn picture(&mut self, volumes: Vec<VolumeLine>, alarms: Vec<String>) -> Picture {
        let (started, now) = (self.started, clock::now());
        Picture {
            cameras: self.parts.iter_mut().map(|part| part.line(started, now)).collect(),
            volumes,
            alarms,
            seconds: now.mono.since(started.mono).as_secs_f64(),
        }
    }
}

/// What the core is to know of each camera. Streams of one server (host and port) share a number.
pub(super) fn settings(config: &Config) -> impl Iterator<Item = CameraSettings> {
    let mut servers: Vec<(String, u16)> = Vec::new();
    let mut number = move |url: &RtspUrl| {
        let server = (url.host().to_ascii_lowercase(), url.port());
        let known = servers.iter().position(|known| *known == server);
        let place = known.unwrap_or_else(|| {
            servers.push(server);
            servers.len() - 1
        });
        // Two streams of 32 cameras at most.
        u8::try_from(place).unwrap_or(u8::MAX)
    };
    config.cameras.iter().map(move |camera| CameraSettings {
        transport: camera.transport,
        host: number(&camera.url),
        fallback: camera.fallback.as_ref().map(|fallback| number(&fallback.url)),
    })
}

/// Sends a session's events to the loop, marked with its generation.
fn reporter(outbox: Outbox, (camera, stream): (CameraIndex, Stream), generation: u64) -> Reporter {
    Arc::new(move |event| {
        // The loop is gone only when the program ends.
        let _ = outbox.unbounded_send(Message::Session(camera, stream, generation, event));
    })
}

impl Part {
    fn link(&self, stream: Stream) -> &Link {
        match stream {
            Stream::Main => &self.main,
            Stream::Fallback => &self.fallback,
        }
    }

    fn link_mut(&mut self, stream: Stream) -> &mut Link {
        match stream {
            Stream::Main => &mut self.main,
            Stream::Fallback => &mut self.fallback,
        }
    }

    fn connect(&mut self, stream: Stream, transport: Transport, report: Reporter) {
        let config = &self.config;
        let (url, credentials) = match (stream, &config.fallback) {
            (Stream::Fallback, Some(fallback)) => (&fallback.url, &fallback.credentials),
            (Stream::Main, _) | (Stream::Fallback, None) => (&config.url, &config.credentials),
        };
        let credentials = credentials.as_ref();
        let request = Request {
            camera: match stream {
                Stream::Main => config.id.as_str().to_owned(),
                Stream::Fallback => format!("{}-fallback", config.id),
            },
            url: url.clone(),
            credentials: credentials.map(|who| (who.user.clone(), who.password.clone())),
            transport,
            audio: config.audio,
            departures: self.link(stream).departures.clone(),
        };
        match Session::start(&request, self.ring.connect(stream), Arc::clone(&report)) {
            Ok(session) => self.link_mut(stream).session = Some(session),
            Err(error) => {
                log::error!(CAMERA = config.id.as_str(); "the media path cannot be built: {error}");
                report(CameraEvent::Failed(Failure::Internal));
            }
        }
    }

    fn line(&mut self, started: Now, now: Now) -> CameraLine {
        let tally = &mut self.tally;
        // The second that is on its way is not missing, as long as the camera records.
        let until = match (self.status, tally.at) {
            (CameraStatus::Recording | CameraStatus::OnFallback { .. }, Some(at)) => at,
            (
                CameraStatus::Recording
                | CameraStatus::OnFallback { .. }
                | CameraStatus::Connecting
                | CameraStatus::Waiting
                | CameraStatus::Holding
                | CameraStatus::BackingOff { .. }
                | CameraStatus::Stopped,
                _,
            ) => now.mono,
        };
        let elapsed = until.since(started.mono).as_micros().max(1);
        let (bytes, frames) = (tally.bytes - tally.bytes_before, tally.frames - tally.frames_before);
        (tally.bytes_before, tally.frames_before) = (tally.bytes, tally.frames);
        CameraLine {
            name: self.config.id.as_str().to_owned(),
            status: self.status,
            durable_seconds: tally.micros as f64 / 1e6,
            coverage: (tally.micros as f64 / elapsed as f64).min(1.0),
            bits_per_second: bytes * 8,
            frames_per_second: frames,
            held_bytes: self.ring.bytes() as u64,
        }
    }
}

impl Tally {
    /// Overlap with what was counted already (a clock set back) is not counted again.
    fn add(&mut self, span: Span, anchor: Anchor, frames: u32, bytes: u64) {
        // A clock that was set back by more than a segment begins a count of its own.
        let set_back = self.until.is_some_and(|until| until.micros_since(span.to) > 600_000_000);
        if set_back {
            self.until = None;
        }
        self.at = Some(anchor.mono_at(span.to));
        let from = self.until.map_or(span.from, |until| until.max(span.from));
        self.micros += Span::new(from, span.to).micros();
        self.until = Some(self.until.map_or(span.to, |until| until.max(span.to)));
        self.frames += u64::from(frames);
        self.bytes += bytes;
    }
}
