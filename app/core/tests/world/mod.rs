//! A world of virtual time around the core: tells it events, keeps every effect as a line with its moment, and
//! fails when the effects of a story are not exactly those that the story names.
#![allow(dead_code)] // each test file uses a part of it

use core::time::Duration;
use holdfast_core::Appliance;
use holdfast_core::alarm::AlarmNotice;
use holdfast_core::effect::{CameraEffect, CameraStatus, Effect, Entry, VolumeEffect, VolumeStatus};
use holdfast_core::event::{
    CameraEvent, Event, Failure, Fault, Label, Past, StreamFigures, VolumeEvent, VolumeFigures,
};
use holdfast_core::retention::Rules;
use holdfast_core::settings::{
    CameraIndex, CameraSettings, ClockKind, Settings, TransportChoice, VolumeIndex, VolumeKind,
};
use holdfast_core::time::{Mono, Now, Span, Wall};

/// The wall time of second zero of every story.
pub const EPOCH: Wall = Wall::from_secs(1_800_000_000);

pub struct World {
    pub core: Appliance,
    pub now: Now,
    told: Vec<(Mono, Effect)>,
}

pub fn settings(cameras: usize, volumes: u8, transport: TransportChoice) -> Settings {
    Settings {
        cameras: (0u8..)
            .take(cameras)
            .map(|host| CameraSettings { transport, host, fallback: None })
            .collect(),
        volumes: (0..volumes).map(|_| VolumeKind::Path).collect(),
        retention: Duration::from_secs(30 * 86_400),
        cleaning_starts: Rules::DEFAULT.start,
        stall: Duration::from_secs(10),
        ring: Duration::from_secs(30),
        segment: Duration::from_secs(60),
        clock: ClockKind::Kept,
        clock_floor: Wall::from_secs(1_700_000_000),
        seed: 7,
    }
}

/// One camera, and these places for volumes.
pub fn places(kinds: &[VolumeKind]) -> Settings {
    Settings { volumes: kinds.iter().copied().collect(), ..settings(1, 0, TransportChoice::Auto) }
}

/// Seconds of a story as a wall time.
pub fn wall(secs: f64) -> Wall {
    Wall(EPOCH.0 + (secs * 1e6).round() as i64)
}

pub fn span(from: f64, to: f64) -> Span {
    Span::new(wall(from), wall(to))
}

pub fn key_label(text: &str) -> Label {
    Label::try_from(text).expect("short")
}

/// Most moments within any second.
pub fn densest(moments: &[Mono]) -> usize {
    let within =
        |from: &Mono| moments.iter().filter(|at| **at >= *from && at.since(*from).as_secs() < 1).count();
    moments.iter().map(within).max().unwrap_or(0)
}

impl World {
    /// A world in which nothing has been told yet.
    pub fn silent(settings: Settings) -> Self {
        let now = Now { mono: Mono(1_000_000_000_000), wall: EPOCH };
        World { core: Appliance::new(settings), now, told: Vec::new() }
    }

    /// One camera on one volume; started, at second zero.
    pub fn one() -> Self {
        Self::started(settings(1, 1, TransportChoice::Auto))
    }

    pub fn started(settings: Settings) -> Self {
        let mut world = Self::silent(settings);
        world.tell(Event::Start);
        world
    }

    /// One camera that records since second 1, all effects forgotten.
    pub fn recording() -> Self {
        let mut world = Self::one();
        world.volume(0, VolumeEvent::Ready);
        world.at(1.0);
        world.record(1.0, 2.0);
        world.forget();
        world
    }

    pub fn secs(&self) -> f64 {
        (self.now.mono.0 - 1_000_000_000_000) as f64 / 1e9
    }

    pub fn tell(&mut self, event: Event) {
        self.core.handle(self.now, event);
        let before = self.told.len();
        while let Some(effect) = self.core.poll_effect() {
            // Signs of life come each second, in every story.
            if effect != Effect::Alive {
                self.told.push((self.now.mono, effect));
            }
            assert!(self.told.len() - before <= holdfast_core::MAX_EFFECTS, "more effects than MAX_EFFECTS");
        }
    }

    pub fn camera(&mut self, camera: u8, event: CameraEvent) {
        self.tell(Event::Camera(CameraIndex(camera), event));
    }

    pub fn volume(&mut self, volume: u8, event: VolumeEvent) {
        self.tell(Event::Volume(VolumeIndex(volume), event));
    }

    pub fn fail(&mut self, failure: Failure) {
        self.camera(0, CameraEvent::Failed(failure));
    }

    pub fn fault(&mut self, volume: u8, fault: Fault) {
        self.volume(volume, VolumeEvent::Faulted(fault));
    }

    pub fn streaming(&mut self) {
        self.camera(0, CameraEvent::Streaming { video: true, audio: true });
    }

    /// Video came until now, with this many keyframes on this connection.
    pub fn received(&mut self, keyframes: u64) {
        let last_video = Some(self.now.mono);
        self.camera(
            0,
            CameraEvent::Received(StreamFigures {
                last_video,
                units: keyframes * 30,
                keyframes,
                ..StreamFigures::default()
            }),
        );
    }

    pub fn stored_on(&mut self, volume: u8, from: f64, to: f64) {
        let span = span(from, to);
        let frames = 30;
        self.volume(volume, VolumeEvent::Stored { camera: CameraIndex(0), span, frames, bytes: 500_000 });
    }

    pub fn stored(&mut self, from: f64, to: f64) {
        self.stored_on(0, from, to);
    }

    pub fn history(&mut self, volume: u8, until: f64, past: Past) {
        let covered_until = wall(until);
        self.volume(volume, VolumeEvent::History { camera: CameraIndex(0), covered_until, past });
    }

    /// One camera that records since second 1 on the first of these places, the others ready in reserve; all effects
    /// forgotten.
    pub fn recording_on(kinds: &[VolumeKind]) -> Self {
        let mut world = Self::started(places(kinds));
        for (index, kind) in (0u8..).zip(kinds) {
            if *kind == VolumeKind::Disk {
                world.volume(index, VolumeEvent::Attached);
            }
            world.volume(index, VolumeEvent::Ready);
        }
        world.at(1.0);
        world.record(1.0, 2.0);
        world.forget();
        world
    }

    /// Figures of a volume at work: a call under way, how full the fullest ring is.
    pub fn load(&mut self, volume: u8, busy: f64, fill: u8) {
        let busy = Duration::from_secs_f64(busy);
        let (free, total) = (Some(1 << 40), Some(1 << 41));
        let figures = VolumeFigures { busy, fill, free, total, ..VolumeFigures::default() };
        self.volume(volume, VolumeEvent::Figures(figures));
    }

    /// Figures of a volume without load: what is free, of a terabyte.
    pub fn space(&mut self, volume: u8, free: Option<u64>) {
        let figures = VolumeFigures { free, total: Some(1 << 40), ..VolumeFigures::default() };
        self.volume(volume, VolumeEvent::Figures(figures));
    }

    /// The camera connects, then video comes and is stored each second from `from` (which is now) to `to`.
    pub fn record(&mut self, from: f64, to: f64) {
        self.streaming();
        self.go_on(from, to, 1);
    }

    /// A connected camera's video comes and is stored each second.
    pub fn go_on(&mut self, from: f64, to: f64, first_keyframe: u64) {
        let mut at = from;
        for keyframe in first_keyframe.. {
            if at >= to {
                break;
            }
            self.at(at + 1.0);
            self.received(keyframe);
            self.stored(at, at + 1.0);
            at += 1.0;
        }
    }

    /// As [`World::go_on`], where the wall clock says `from` now and the story's seconds do not.
    pub fn go_on_at(&mut self, from: f64, to: f64, first_keyframe: u64) {
        let behind = from - self.secs();
        let mut at = from;
        for keyframe in first_keyframe.. {
            if at >= to {
                break;
            }
            self.at(at + 1.0 - behind);
            self.received(keyframe);
            self.stored(at, at + 1.0);
            at += 1.0;
        }
    }

    /// Video goes on coming until then.
    pub fn wait(&mut self, until: u32) {
        for second in self.secs() as u32 + 1..=until {
            self.at(f64::from(second));
            self.received(u64::from(second));
        }
    }

    /// Moves time on, waking the core whenever it asks to be woken.
    pub fn at(&mut self, secs: f64) {
        self.until(Mono(1_000_000_000_000 + (secs * 1e9).round() as u64));
    }

    /// As [`World::at`], to a moment that the core named.
    pub fn until(&mut self, goal: Mono) {
        assert!(goal >= self.now.mono, "time only goes forward");
        let mut ticks = 0;
        while let Some(wake) = self.core.poll_timeout().filter(|wake| *wake <= goal) {
            assert!(wake > self.now.mono || ticks == 0, "a timeout stays in the past");
            self.advance_to(wake.max(self.now.mono));
            self.tell(Event::Tick);
            ticks += 1;
        }
        self.advance_to(goal);
    }

    fn advance_to(&mut self, mono: Mono) {
        self.now = Now { mono, wall: self.now.wall + mono.since(self.now.mono) };
    }

    /// Moves time on until the camera is tried again; forgets what else was told. Gives the moment.
    pub fn until_connect(&mut self) -> f64 {
        let patience = self.secs() + 301.0;
        self.forget();
        loop {
            let wake = self.core.poll_timeout().expect("it runs");
            self.until(wake);
            if self.lines().iter().any(|line| line.contains("connect ")) {
                return self.secs();
            }
            assert!(self.secs() < patience, "no attempt");
        }
    }

    /// Sets the wall clock by so many seconds.
    pub fn set_clock(&mut self, by: f64) {
        self.now.wall = Wall(self.now.wall.0 + (by * 1e6).round() as i64);
    }

    pub fn forget(&mut self) {
        self.told.clear();
    }

    pub fn effects(&mut self) -> Vec<Effect> {
        self.told.drain(..).map(|(_, effect)| effect).collect()
    }

    /// Everything told since the last question, as lines.
    pub fn lines(&mut self) -> Vec<String> {
        self.told.drain(..).map(|(at, effect)| format!("{:.1} {}", story_secs(at), line(&effect))).collect()
    }

    /// Exactly these effects were told since the last question.
    #[track_caller]
    pub fn expect(&mut self, expected: &[&str]) {
        let lines = self.lines();
        assert!(lines == expected, "told:\n  {}\nexpected:\n  {}", lines.join("\n  "), expected.join("\n  "));
    }

    /// Exactly these among the effects whose line holds `word`; the others are forgotten.
    #[track_caller]
    pub fn expect_of(&mut self, word: &str, expected: &[&str]) {
        let lines: Vec<_> = self.lines().into_iter().filter(|line| line.contains(word)).collect();
        assert!(lines == expected, "told:\n  {}\nexpected:\n  {}", lines.join("\n  "), expected.join("\n  "));
    }
}

fn story_secs(at: Mono) -> f64 {
    (at.0 as f64 - 1e12) / 1e9
}

fn moment(at: Wall) -> f64 {
    (at.0 - EPOCH.0) as f64 / 1e6
}

/// An effect in a few words.
pub fn line(effect: &Effect) -> String {
    match effect {
        Effect::Camera(CameraIndex(i), effect) => match effect {
            CameraEffect::Connect { transport, attempt, .. } => {
                format!("cam{i} connect {transport:?} #{attempt}")
            }
            CameraEffect::Disconnect(_) => format!("cam{i} disconnect"),
            CameraEffect::Resume(why) => format!("cam{i} resume {why:?}"),
            CameraEffect::RebuildBranch(why) => format!("cam{i} rebuild {why:?}"),
            CameraEffect::Record(stream) => format!("cam{i} record {stream:?}"),
            CameraEffect::Status(CameraStatus::BackingOff { failure, failures, .. }) => {
                format!("cam{i} is backing off: {failure:?} x{failures}")
            }
            CameraEffect::Diagnose => format!("cam{i} diagnose"),
            CameraEffect::Status(status) => format!("cam{i} is {status:?}"),
        },
        Effect::Fallback(CameraIndex(i), effect) => format!("sub{i} {effect:?}"),
        Effect::Shed(shed) => format!("shed {shed:?}"),
        Effect::Alive => "alive".into(),
        Effect::Volume(VolumeIndex(i), effect) => match effect {
            VolumeEffect::Status(VolumeStatus::Faulted { fault, until: Some(until) }) => {
                format!("vol{i} is faulted until {:.1}: {fault:?}", story_secs(*until))
            }
            VolumeEffect::Status(VolumeStatus::Faulted { fault, until: None }) => {
                format!("vol{i} is faulted: {fault:?}")
            }
            VolumeEffect::Status(status) => format!("vol{i} is {status:?}"),
            effect => format!("vol{i} {effect:?}"),
        },
        Effect::Route { camera, to } => match to {
            Some(to) => format!("cam{} to vol{}", camera.0, to.0),
            None => format!("cam{} to nowhere", camera.0),
        },
        Effect::Account(VolumeIndex(i), entry) => match entry {
            Entry::Gap { camera, span, cause } => {
                let (from, to) = (moment(span.from), moment(span.to));
                format!("ledger{i}: cam{} gap {from:.1}..{to:.1} {cause:?}", camera.0)
            }
            Entry::GapOpened { camera, from, cause } => {
                format!("ledger{i}: cam{} open {:.1} {cause:?}", camera.0, moment(*from))
            }
            Entry::ClockStepped { at, by_micros } => {
                format!("ledger{i}: clock {:+.1} at {:.1}", *by_micros as f64 / 1e6, moment(*at))
            }
            Entry::TimeCorrected { from, to, by_micros } => {
                let by = *by_micros as f64 / 1e6;
                format!("ledger{i}: times {:.1}..{:.1} are off by {by:+.1}", moment(*from), moment(*to))
            }
            Entry::VolumeFaulted { at, fault } => format!("ledger{i}: faulted {:.1} {fault:?}", moment(*at)),
        },
        Effect::SetAnchor(anchor) => {
            let trust = if anchor.trusted { "trusted" } else { "untrusted" };
            format!("anchor {:.1} = {:.1} {trust}", story_secs(anchor.mono), moment(anchor.wall))
        }
        Effect::Alarm(AlarmNotice { key, state, count, detail, .. }) => {
            format!("alarm {key:?} {state:?} x{count} {detail:?}")
        }
        Effect::Finished => "finished".into(),
    }
}
