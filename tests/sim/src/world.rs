//! The world around the core: tells it facts, obeys its decisions, and has both judged.
//!
//! One loop: the next item of the agenda or the core's own timeout, whichever is first. What the world does is spread
//! over files by what it is about: `links.rs` (cameras and our connections), `footage.rs` (rings and writers), `disks.rs`
//! (places, media, the mount helper), `power.rs` (start, stop, death, clocks, memory), `weather.rs` (what goes wrong).

use crate::agenda::{Agenda, At, Item, millis, secs};
use crate::alarms::AlarmBook;
use crate::book::Hole;
use crate::camera::Camera;
use crate::clock::Clock;
use crate::invariant::{Invariant, Moment, Violation};
use crate::judge::Judge;
use crate::log::{Log, Word};
use crate::place::Place;
use crate::saboteur::Saboteur;
use crate::twin::Twin;
use crate::weather::{Climate, Weather};
use core::time::Duration;
use fastrand::Rng;
use holdfast_core::Appliance;
use holdfast_core::effect::{CameraEffect, Effect, Shed, Stream};
use holdfast_core::event::Event;
use holdfast_core::settings::{CameraIndex, VolumeIndex};
use holdfast_core::time::{Anchor, Wall};
use std::collections::VecDeque;

/// What a run is to be.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// All chance in it.
    pub seed: u64,
    /// How long the troubles last, in true time.
    pub span: Duration,
    /// How many cameras.
    pub cameras: usize,
}

/// What has happened in a run, to show that it was no quiet one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    /// Events told.
    pub events: u64,
    /// Effects taken.
    pub effects: u64,
    /// Troubles that began.
    pub troubles: u64,
    /// Connection attempts.
    pub attempts: u64,
    /// Fragments stored.
    pub stored: u64,
    /// Gaps told.
    pub gaps: u64,
    /// Gaps whose cause was judged.
    pub causes: u64,
    /// Alarms raised.
    pub alarms: u64,
    /// Segments deleted.
    pub deleted: u64,
    /// Starts of the recorder.
    pub starts: u64,
    /// Times that a fallback stream was recorded.
    pub fallbacks: u64,
    /// Times that memory was shed.
    pub sheds: u64,
    /// Times that a volume took over.
    pub routes: u64,
}

/// Whether the recorder runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Power {
    /// Since then.
    Running(At),
    /// It was told to end then.
    Stopping(At),
    /// It does not.
    Off,
}

/// See the module.
pub struct World {
    /// What it is to be.
    pub plan: Plan,
    /// The true time.
    pub at: At,
    /// Its clocks.
    pub clock: Clock,
    /// All chance.
    pub rng: Rng,
    /// What is planned.
    pub agenda: Agenda,
    /// The recorder's core.
    pub core: Box<Appliance>,
    /// A second one to compare it with, in worlds that are for that.
    pub twin: Option<Twin>,
    /// When it wants to be called again.
    pub timeout: Option<At>,
    /// A hand between the two.
    pub saboteur: Option<Box<dyn Saboteur>>,
    /// Whether it runs.
    pub power: Power,
    /// The cameras.
    pub cameras: Vec<Camera>,
    /// The places for volumes.
    pub places: Vec<Place>,
    /// Facts that are to be told next.
    pub pending: VecDeque<Event>,
    /// Room for what a camera's ring holds.
    pub chunks: Vec<(At, At)>,
    /// The anchor that footage is timed by.
    pub anchor: Anchor,
    /// The anchor of each camera's open segment, the place it is on, and since when it is open.
    pub segments: Vec<Option<(Anchor, usize, At)>>,
    /// What is given up.
    pub shed: Shed,
    /// What is being told as missing.
    pub hole: Option<Hole>,
    /// What goes wrong, and when.
    pub weather: Weather,
    /// How bad it gets.
    pub climate: Climate,
    /// What has to hold over time.
    pub judge: Judge,
    /// Alarms as they were told.
    pub alarms: AlarmBook,
    /// The last words.
    pub log: Log,
    /// The first broken invariant.
    pub broken: Option<Violation>,
    /// What has happened.
    pub tally: Tally,
}

impl World {
    /// Goes on until `end`, or until something is broken.
    pub fn go_on(&mut self, end: At) {
        while self.broken.is_none() {
            self.tell_pending();
            if self.broken.is_some() {
                return;
            }
            if let Some(item) = self.agenda.due(self.at) {
                self.happens(item);
                continue;
            }
            let (timeout, planned) = (self.timeout(), self.agenda.next());
            let next = timeout.map_or(planned, |timeout| Some(planned.map_or(timeout, |at| at.min(timeout))));
            let next = next.unwrap_or(end);
            if next > end {
                self.at = end;
                return;
            }
            self.at = next;
            if timeout.is_some_and(|timeout| timeout <= next) {
                // A busy machine comes a little late.
                if self.rng.u8(..) == 0 {
                    self.at = next + millis(self.rng.u64(1..60));
                }
                self.tell(Event::Tick);
            }
        }
    }

    fn happens(&mut self, item: Item) {
        match item {
            Item::Weather => self.change_of_weather(),
            Item::Later(pick) => self.goes_on(pick),
            Item::Ends(trouble) => self.ends(trouble),
            Item::Link(link, life, step) => self.link_step(link, life, step),
            Item::Switch(camera) => self.switch(usize::from(camera)),
            Item::Store(camera, life) => self.store_step(usize::from(camera), life),
            Item::Place(place, life, step) => self.place_step(usize::from(place), life, step),
            Item::Pressure => self.tell_pressure(),
            Item::TimeSource => self.time_source(),
            Item::Boot => self.boot(),
            Item::Patrol => {
                self.agenda.at(self.at + secs(10), Item::Patrol);
                if self.is_running() {
                    self.patrol();
                }
            }
        }
    }

    /// Whether the recorder runs and was not told to end.
    pub const fn is_running(&self) -> bool {
        matches!(self.power, Power::Running(_))
    }

    /// Since when the recorder runs.
    pub const fn running_since(&self) -> Option<At> {
        match self.power {
            Power::Running(since) => Some(since),
            Power::Stopping(_) | Power::Off => None,
        }
    }

    fn timeout(&self) -> Option<At> {
        match self.power {
            Power::Off => None,
            Power::Running(_) | Power::Stopping(_) => self.timeout,
        }
    }

    /// Tells what waits to be told.
    pub fn tell_pending(&mut self) {
        while let Some(event) = self.pending.pop_front() {
            self.tell(event);
        }
    }

    /// Tells the core a fact, and obeys what it decides.
    pub fn tell(&mut self, mut event: Event) {
        if self.power == Power::Off || self.broken.is_some() {
            return;
        }
        if let Some(saboteur) = &mut self.saboteur
            && !saboteur.told(self.at, &mut event)
        {
            return;
        }
        self.tally.events += 1;
        if event != Event::Tick {
            self.log.keep(self.at, Word::Told(event.clone()));
        }
        let now = self.clock.now(self.at);
        if let Some(twin) = &mut self.twin {
            twin.tell(now, &event);
        }
        self.core.handle(now, event);
        let mut count = 0;
        while let Some(effect) = self.core.poll_effect() {
            count += 1;
            self.take(effect);
        }
        while let Some(effect) = self.saboteur.as_mut().and_then(|saboteur| saboteur.invents(self.at)) {
            self.hear(effect);
        }
        if let Some(difference) = self.twin.as_ref().and_then(Twin::differs) {
            self.demand(false, Invariant::Rest, || difference);
        }
        self.demand(count <= holdfast_core::MAX_EFFECTS, Invariant::DriveContract, || {
            format!("{count} effects of one event")
        });
        self.check_timeout();
    }

    fn take(&mut self, effect: Effect) {
        match &mut self.saboteur {
            None => self.hear(effect),
            Some(saboteur) => {
                if let Some(effect) = saboteur.decided(self.at, effect) {
                    self.hear(effect);
                }
            }
        }
    }

    fn hear(&mut self, effect: Effect) {
        if let Some(twin) = &mut self.twin {
            twin.hear(&effect);
        }
        self.obey(effect);
    }

    fn check_timeout(&mut self) {
        let now = self.clock.mono(self.at);
        let timeout = self.core.poll_timeout();
        self.timeout = timeout.map(|mono| self.clock.at(mono));
        match timeout {
            Some(timeout) => {
                let fits = timeout > now && timeout <= now + secs(1);
                self.demand(fits, Invariant::DriveContract, || {
                    format!("at {now:?} it wants to be called at {timeout:?}")
                });
            }
            None => {
                let ended = self.power == Power::Off;
                self.demand(ended, Invariant::DriveContract, || "it sleeps for ever".into());
            }
        }
        if let Some(since) = self.running_since() {
            let last = self.judge.alive.unwrap_or(since);
            let silent = self.at.since(last);
            self.demand(silent <= millis(2100), Invariant::Alive, || {
                format!("no sign of life for {silent:?}")
            });
        }
    }

    fn obey(&mut self, effect: Effect) {
        if self.broken.is_some() {
            return;
        }
        self.tally.effects += 1;
        if effect != Effect::Alive {
            self.log.keep(self.at, Word::Decided(effect.clone()));
        }
        let over = self.power == Power::Off;
        self.demand(!over, Invariant::DriveContract, || format!("{effect:?} after the end"));
        match effect {
            Effect::Camera(CameraIndex(camera), CameraEffect::Record(stream)) => {
                self.record(usize::from(camera), stream);
            }
            Effect::Camera(CameraIndex(camera), effect) => {
                self.link_command(usize::from(camera), Stream::Main, effect);
            }
            Effect::Fallback(CameraIndex(camera), effect) => {
                self.link_command(usize::from(camera), Stream::Fallback, effect);
            }
            Effect::Volume(VolumeIndex(place), effect) => self.place_command(usize::from(place), effect),
            Effect::Route { camera, to } => {
                self.route(usize::from(camera.0), to.map(|to| usize::from(to.0)));
            }
            Effect::Account(VolumeIndex(place), entry) => self.account(usize::from(place), entry),
            Effect::SetAnchor(anchor) => self.set_anchor(anchor),
            Effect::Shed(shed) => self.sheds(shed),
            Effect::Alive => {
                let early = self.judge.alive.is_some_and(|last| self.at.since(last) < secs(1));
                self.demand(!early, Invariant::Alive, || "two signs of life within a second".into());
                self.judge.alive = Some(self.at);
            }
            Effect::Alarm(notice) => self.alarm(notice),
            Effect::Finished => self.finished(),
        }
    }

    /// Something must hold.
    pub fn demand(&mut self, holds: bool, invariant: Invariant, text: impl FnOnce() -> String) {
        if !holds && self.broken.is_none() {
            self.broken = Some(Violation { invariant, at: self.at, text: text() });
        }
    }

    /// Writes down what the world did.
    pub fn note(&mut self, text: String) {
        self.log.keep(self.at, Word::World(text));
    }

    /// The moment as a wall time, by the anchor of a segment.
    pub fn wall_by(&self, anchor: &Anchor, at: At) -> Wall {
        anchor.wall_at(self.clock.mono(at))
    }

    /// One in a hundred is 1.
    pub fn chance(&mut self, percent: u32) -> bool {
        self.rng.u32(0..100) < percent
    }

    /// A duration between the two, short ones as likely as long ones.
    pub fn spread(&mut self, from: Duration, to: Duration) -> Duration {
        let (low, high) = (from.as_secs_f64().ln(), to.as_secs_f64().ln());
        Duration::from_secs_f64((low + self.rng.f64() * (high - low)).exp())
    }

    /// The present as a person reads it.
    pub const fn moment(&self) -> Moment {
        Moment(self.at)
    }
}
