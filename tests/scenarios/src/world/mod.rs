//! A world of virtual time around the core: cameras that stream, volumes that store, and whatever a story does to them.
//!
//! Words: a **beat** is each whole second of the story, in which figures are told and footage becomes durable; an
//! **answer** is what the world owes to an effect, and comes a moment later.

mod acts;
mod effects;
mod ledger;
mod link;
mod volume;

use crate::report::{Names, Report};
use crate::script::Cast;
use core::time::Duration;
use holdfast_core::alarm::AlarmNotice;
use holdfast_core::effect::{CameraStatus, Shed, Stream, VolumeStatus};
use holdfast_core::event::{CameraEvent, Event, Past, VolumeEvent, VolumeFigures};
use holdfast_core::retention::Rules;
use holdfast_core::settings::{CameraIndex, Settings, VolumeIndex};
use holdfast_core::time::{Anchor, Mono, Now, Span, Wall};
use holdfast_core::{Appliance, MAX_EFFECTS};
pub(crate) use ledger::Account;
use ledger::Stored;
use link::{Link, Piece, Ring};
use std::collections::BTreeMap;
use volume::{Volume, Writer};

/// The monotonic moment at which a story begins: not zero, since a machine has booted before.
const BEGIN: Mono = Mono(1_000_000_000_000);

const BEAT: Duration = Duration::from_secs(1);

/// The loop promises a sign of life each second; a beat more is late.
const LATE: Duration = Duration::from_millis(2100);

/// 16 TiB, half of it free, half of that footage: no story here is about cleaning, which has tests of its own.
const TOTAL: u64 = 1 << 44;

/// Bytes a second of every virtual camera.
const BYTES: u64 = 500_000;

/// See the module.
pub(crate) struct World {
    cast: Cast,
    session: Option<Session>,
    /// How many sessions there were.
    sessions: u32,
    /// How the one before ended, if its ledger does not know.
    past: Past,
    now: Now,
    answers: BTreeMap<(Mono, u64), Answer>,
    order: u64,
    cameras: Vec<Camera>,
    volumes: Vec<Volume>,
    has_carrier: bool,
    pressure: Option<u16>,
    is_synchronised: bool,
    /// All anchors of the story, the newest last.
    anchors: Vec<Anchor>,
    pub(crate) report: Report,
    /// Attempts to connect: when, and of which camera.
    pub(crate) attempts: Vec<(Mono, usize)>,
    /// Connections to find out why one of them got none.
    pub(crate) diagnoses: Vec<Mono>,
    /// What the core promised, and did not do.
    pub(crate) broken: Vec<String>,
}

/// One life of the recorder.
struct Session {
    core: Box<Appliance>,
    alive: Mono,
    stopping: bool,
    view: View,
}

/// What the core has told of itself.
pub(crate) struct View {
    pub(crate) cameras: Vec<Option<CameraStatus>>,
    pub(crate) volumes: Vec<Option<VolumeStatus>>,
    pub(crate) alarms: Vec<AlarmNotice>,
    pub(crate) target: Option<VolumeIndex>,
    pub(crate) shed: Shed,
}

struct Camera {
    main: Link,
    fallback: Option<Link>,
    /// What the ring takes.
    selected: Stream,
    /// What it takes from that stream's next keyframe on.
    wanted: Stream,
    ring: Ring,
    route: Option<VolumeIndex>,
}

#[derive(Clone, Copy, Debug)]
enum Answer {
    /// To an attempt.
    Connect(usize, Stream, u64),
    /// To the question why it got no connection.
    Diagnose(usize, Stream, u64),
    TornDown(usize, Stream, u64),
    Open(usize, u64),
    Close(usize, u64),
    Unmount(usize),
    Mount(usize),
    /// The helper has mounted what was plugged in.
    Attached(usize),
}

impl World {
    pub(crate) fn new(cast: Cast) -> Self {
        let names = Names {
            cameras: cast.cameras.iter().map(|(name, _)| name.clone()).collect(),
            volumes: cast.volumes.iter().map(|(name, _)| name.clone()).collect(),
            today: cast.wall,
            begin: BEGIN,
        };
        World {
            session: None,
            sessions: 0,
            past: Past::Crashed,
            now: Now { mono: BEGIN, wall: cast.wall },
            answers: BTreeMap::new(),
            order: 0,
            cameras: cast
                .cameras
                .iter()
                .map(|(_, settings)| Camera {
                    main: Link::default(),
                    fallback: settings.fallback.map(|_| Link::default()),
                    selected: Stream::Main,
                    wanted: Stream::Main,
                    ring: Ring::default(),
                    route: None,
                })
                .collect(),
            volumes: cast.volumes.iter().map(|(_, kind)| Volume::new(*kind)).collect(),
            has_carrier: true,
            pressure: None,
            is_synchronised: false,
            anchors: Vec::new(),
            report: Report::new(names),
            attempts: Vec::new(),
            diagnoses: Vec::new(),
            broken: Vec::new(),
            cast,
        }
    }

    /// How long the story has lasted.
    pub(crate) fn elapsed(&self) -> Duration {
        self.now.mono.since(BEGIN)
    }

    pub(crate) fn now(&self) -> Mono {
        self.now.mono
    }

    /// What the recorder has told, while it runs.
    pub(crate) fn view(&self) -> Option<&View> {
        self.session.as_ref().map(|session| &session.view)
    }

    /// Whether the wall clock is trusted.
    pub(crate) fn is_clock_trusted(&self) -> bool {
        self.anchors.last().is_some_and(|anchor| anchor.trusted)
    }

    /// Whether the loop has given signs of life.
    pub(crate) fn is_alive(&self) -> bool {
        self.session.as_ref().is_some_and(|session| self.now.mono.since(session.alive) <= LATE)
    }

    /// What became of each second of a camera.
    pub(crate) fn account(&self, camera: usize) -> Account {
        let ledgers: Vec<_> = self.volumes.iter().flat_map(|v| v.former.iter().chain([&v.ledger])).collect();
        let anchor = self.anchors.last();
        let running = self.session.as_ref().and(anchor);
        let until = running.map(|anchor| anchor.wall_at(self.now.mono));
        let pieces = self.cameras.get(camera).map(|camera| camera.ring.pieces.iter().copied());
        let held: Vec<Span> = pieces
            .into_iter()
            .flatten()
            .filter_map(|piece| anchor.map(|anchor| span_of(&piece, anchor)))
            .collect();
        ledger::account(&ledgers, index(camera), &held, until)
    }

    /// Whether a volume works and has its ledger open, so that whatever is missing should be told by now.
    pub(crate) fn has_open_ledger(&self) -> bool {
        self.volumes.iter().any(|volume| volume.writer == Writer::Open && volume.takes().is_some())
    }

    /// Time passes until this moment of the story.
    pub(crate) fn until(&mut self, goal: Mono) {
        while let Some(next) = self.next().filter(|next| *next <= goal) {
            self.step_to(next);
        }
        self.advance(goal);
    }

    /// The next moment at which something happens.
    pub(crate) fn next(&self) -> Option<Mono> {
        let beat = BEGIN + Duration::from_secs(self.elapsed().as_secs()) + BEAT;
        let answer = self.answers.keys().next().map(|(at, _)| *at);
        let wake = self.session.as_ref().and_then(|session| session.core.poll_timeout());
        [Some(beat), answer, wake].into_iter().flatten().min()
    }

    /// What happens at this moment, which is the next one, happens.
    pub(crate) fn step_to(&mut self, at: Mono) {
        let before = self.now.mono;
        self.advance(at.max(before));
        let now = self.now.mono;
        while let Some(entry) = self.answers.first_entry().filter(|entry| entry.key().0 <= now) {
            let answer = entry.remove();
            self.answer(answer);
        }
        if now.since(BEGIN).as_secs() > before.since(BEGIN).as_secs() {
            self.beat();
        }
        let due = |session: &Session| session.core.poll_timeout().is_some_and(|wake| wake <= now);
        if self.session.as_ref().is_some_and(due) {
            self.tell(Event::Tick);
        }
        if let Some(session) = self.session.as_mut().filter(|session| now.since(session.alive) > LATE) {
            session.alive = now;
            self.breaks("the loop gave no sign of life for two seconds");
        }
    }

    fn advance(&mut self, mono: Mono) {
        self.now = Now { mono, wall: self.now.wall + mono.since(self.now.mono) };
    }

    /// Tells the core a fact and carries out what it decides.
    fn tell(&mut self, event: Event) {
        let Some(session) = &mut self.session else { return };
        session.core.handle(self.now, event);
        let mut effects = Vec::new();
        while let Some(effect) = session.core.poll_effect() {
            effects.push(effect);
            if effects.len() > MAX_EFFECTS {
                break;
            }
        }
        let wake = session.core.poll_timeout();
        if effects.len() > MAX_EFFECTS {
            self.breaks("more effects than MAX_EFFECTS");
        }
        if wake.is_some_and(|wake| wake <= self.now.mono || wake > self.now.mono + BEAT) {
            self.breaks("its next timeout is not within the next second");
        }
        for effect in effects {
            self.carry_out(effect);
        }
    }

    fn tell_camera(&mut self, camera: usize, stream: Stream, event: CameraEvent) {
        let place = CameraIndex(index(camera));
        self.tell(match stream {
            Stream::Main => Event::Camera(place, event),
            Stream::Fallback => Event::Fallback(place, event),
        });
    }

    fn tell_volume(&mut self, volume: usize, event: VolumeEvent) {
        self.tell(Event::Volume(VolumeIndex(index(volume)), event));
    }

    fn later(&mut self, wait: Duration, answer: Answer) {
        self.order += 1;
        self.answers.insert((self.now.mono + wait, self.order), answer);
    }

    fn breaks(&mut self, promise: &str) {
        self.broken.push(format!("at {}: {promise}", crate::time::moment(self.elapsed())));
    }

    /// A second is over.
    fn beat(&mut self) {
        if self.session.is_none() {
            return;
        }
        let now = self.now.mono;
        for camera in 0..self.cameras.len() {
            for stream in [Stream::Main, Stream::Fallback] {
                let Some(link) = self.link(camera, stream) else { continue };
                let figures = link.figures(now);
                self.keyframe(camera, stream);
                if let Some(figures) = figures {
                    self.tell_camera(camera, stream, CameraEvent::Received(figures));
                }
            }
            self.harvest(camera);
            self.overflow(camera);
        }
        for volume in 0..self.volumes.len() {
            self.turn(volume);
        }
        if let Some(pressure) = self.pressure {
            self.tell(Event::MemoryPressure(pressure));
        }
    }

    /// A keyframe of a stream comes, if any do; a ring that waits for it takes that stream from here on.
    fn keyframe(&mut self, camera: usize, stream: Stream) {
        let now = self.now.mono;
        let waits = self.cameras.get(camera).is_some_and(|c| c.wanted == stream && c.selected != stream);
        if self.link(camera, stream).is_some_and(|link| link.keyframe(now)) && waits {
            self.harvest(camera);
            if let Some(camera) = self.cameras.get_mut(camera) {
                camera.selected = stream;
            }
        }
    }

    /// What came since the last time goes to the ring, if it takes that stream.
    fn harvest(&mut self, camera: usize) {
        let now = self.now.mono;
        let Some(camera) = self.cameras.get_mut(camera) else { return };
        for (stream, link) in
            [(Stream::Main, Some(&mut camera.main)), (Stream::Fallback, camera.fallback.as_mut())]
        {
            if let Some(from) = link.and_then(|link| link.harvest(now))
                && stream == camera.selected
            {
                camera.ring.push(Piece { from, to: now, stream });
            }
        }
    }

    fn overflow(&mut self, camera: usize) {
        let shed = self.view().map_or(Shed::Nothing, |view| view.shed);
        // A third, as the shell does it.
        let bound = if shed == Shed::Nothing { self.cast.ring } else { self.cast.ring / 3 };
        let Some(anchor) = self.anchors.last().copied() else { return };
        let dropped = self.cameras.get_mut(camera).map(|camera| camera.ring.overflow(bound));
        for piece in dropped.into_iter().flatten() {
            let seconds = piece.length().as_secs_f64();
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // seconds of a story
            let units = (seconds * link::RATE as f64) as u32;
            let bytes = u64::from(units) * BYTES / link::RATE;
            let event = CameraEvent::Dropped { span: span_of(&piece, &anchor), units, bytes };
            self.tell_camera(camera, Stream::Main, event);
        }
    }

    /// A volume takes what the rings hold for it, and tells its figures.
    fn turn(&mut self, place: usize) {
        let Some(volume) = self.volumes.get(place) else { return };
        if volume.writer != Writer::Open {
            return;
        }
        let busy = volume.hangs_since().map_or(Duration::ZERO, |since| self.now.mono.since(since));
        self.store(place);
        let mine = self.cameras.iter().filter(|c| c.route.is_some_and(|to| usize::from(to.0) == place));
        let ring = self.cast.ring.as_millis().max(1);
        let fill = mine.map(|camera| camera.ring.held().as_millis() * 100 / ring).max().unwrap_or(0);
        let figures = VolumeFigures {
            busy,
            slowest: Duration::ZERO,
            fill: u8::try_from(fill.min(100)).unwrap_or(100),
            free: Some(TOTAL / 2),
            total: Some(TOTAL),
            footage: Some(TOTAL / 4),
        };
        self.tell_volume(place, VolumeEvent::Figures(figures));
    }

    /// A volume takes what it can of what the rings hold for it; it is durable, and what waited for it is too.
    fn store(&mut self, place: usize) {
        for camera in 0..self.cameras.len() {
            let Some(volume) = self.volumes.get_mut(place) else { return };
            let (Some(most), Some(anchor)) = (volume.takes(), self.anchors.get(volume.anchor).copied())
            else {
                return;
            };
            let number = volume.anchor;
            let Some(whose) = self.cameras.get_mut(camera) else { return };
            if whose.route.is_none_or(|to| usize::from(to.0) != place) {
                continue;
            }
            for piece in whose.ring.take(most) {
                let span = span_of(&piece, &anchor);
                let trusted = anchor.trusted;
                if let Some(volume) = self.volumes.get_mut(place) {
                    volume.ledger.store(Stored {
                        camera: index(camera),
                        span,
                        stream: piece.stream,
                        anchor: u32::try_from(number).unwrap_or(u32::MAX),
                        trusted,
                    });
                }
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // seconds of a story
                let bytes = (piece.length().as_secs_f64() * BYTES as f64) as u64;
                let frames = u32::try_from(bytes * link::RATE / BYTES).unwrap_or(u32::MAX);
                let camera = CameraIndex(index(camera));
                self.tell_volume(place, VolumeEvent::Stored { camera, span, frames, bytes });
            }
        }
        let newest = self.anchors.len().saturating_sub(1);
        let Some(volume) = self.volumes.get_mut(place).filter(|volume| volume.takes().is_some()) else {
            return;
        };
        for entry in volume.pending.drain(..) {
            volume.ledger.enter(&entry, u32::try_from(newest).unwrap_or(u32::MAX));
        }
        // Segments that begin from here on take their times from it.
        volume.anchor = newest;
    }

    fn link(&mut self, camera: usize, stream: Stream) -> Option<&mut Link> {
        let camera = self.cameras.get_mut(camera)?;
        match stream {
            Stream::Main => Some(&mut camera.main),
            Stream::Fallback => camera.fallback.as_mut(),
        }
    }

    fn settings(&self) -> Settings {
        Settings {
            cameras: self.cast.cameras.iter().map(|(_, settings)| *settings).collect(),
            volumes: self.cast.volumes.iter().map(|(_, kind)| *kind).collect(),
            retention: Duration::from_secs(30 * 86_400),
            cleaning_starts: Rules::DEFAULT.start,
            stall: Duration::from_secs(10),
            ring: self.cast.ring,
            segment: Duration::from_secs(60),
            clock: self.cast.clock,
            clock_floor: Wall::from_secs(1_700_000_000),
            seed: 7 + u64::from(self.sessions),
        }
    }
}

fn span_of(piece: &Piece, anchor: &Anchor) -> Span {
    Span::new(anchor.wall_at(piece.from), anchor.wall_at(piece.to))
}

/// A place in a list of the core, none of which is longer than 32.
fn index(place: usize) -> u8 {
    u8::try_from(place).unwrap_or(u8::MAX)
}
