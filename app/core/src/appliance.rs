//! The whole device: takes each event to the machines that it concerns, and puts their answers together.
//!
//! Effects are not queued: each machine keeps what it owes in slots of its own (a command, a status that differs
//! from the one told, a point not yet in the ledger), and `poll_effect` walks the slots. A caller that is late
//! finds the newest decision, not a heap of old ones, and nothing can overflow. The only queue is that of ledger
//! entries, which must not replace one another; [`crate::recording`] proves its bound for a caller that drains after
//! every event.
//!
//! Order within one drain: the anchor, entries of ledgers, what is shed, cameras, routes, volumes, alarms, the end. So what is to be
//! written into a ledger comes before the command to close it.

mod attention;
mod cameras;
mod volumes;

use crate::alarm::{AlarmKey, Alarms, Detail, MAX_ALARMS};
use crate::camera::Camera;
use crate::clock::{Clock, Look};
use crate::dial::Dial;
use crate::effect::{CameraEffect, Effect, Entry, Stream, VolumeEffect};
use crate::event::Event;
use crate::forecast::{Promise, Usage};
use crate::memory::Memory;
use crate::network::Network;
use crate::recording::{MAX_ENTRIES, Recording};
use crate::rng::Rng;
use crate::set::CameraSet;
use crate::settings::{CameraIndex, MAX_CAMERAS, MAX_VOLUMES, Settings, VolumeIndex};
use crate::time::{Mono, Now, soonest};
use crate::volume::Volume;
use crate::waits::Waits;
use crate::watch::Watch;
use attention::{Attention, Subject};
use core::time::Duration;
use heapless::Vec;

/// Most effects that one drain can give: the anchor, the entries, four corrections for each volume, four opened gaps and a late one
/// for each camera on each volume, two commands, a stream, a status and a route for each camera, a command, a status and a forecast
/// for each volume, what is shed, each alarm once, a sign of life, the end.
pub const MAX_EFFECTS: usize = 1
    + MAX_ENTRIES
    + MAX_VOLUMES * 4
    + MAX_CAMERAS * MAX_VOLUMES * (crate::account::MAX_POINTS + 1)
    + MAX_CAMERAS * 5
    + MAX_VOLUMES * 3
    + 1
    + MAX_ALARMS
    + 2;

/// The core wants to be called this often at least: to see a clock that was set while nothing else happened, and
/// as proof of life of the loop.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// Everything that Holdfast decides. Drive it as the crate's page says. About 150 kB, whatever the settings:
/// put it where there is room.
#[derive(Debug)]
pub struct Appliance {
    life: Life,
    heartbeat: Option<Mono>,
    attention: Attention,
    /// Whether the watchdog is owed a sign of life, and when it had the last one.
    alive: Alive,
    clock: Clock,
    cameras: Vec<Camera, MAX_CAMERAS>,
    volumes: Vec<Volume, MAX_VOLUMES>,
    /// The cameras of which a link is due.
    due: CameraSet,
    dial: Dial,
    network: Network,
    memory: Memory,
    recording: Recording,
    /// Since when footage could have become durable: a volume takes it, and is not strained.
    able: Option<Mono>,
    /// What each volume will hold.
    usages: Vec<Usage, MAX_VOLUMES>,
    promise: Promise,
    alarms: Alarms,
    watch: Watch,
    rng: Rng,
}

/// An effect of one of a camera's streams: what is about the camera as a whole is told of the main one.
fn camera_effect(index: CameraIndex, stream: Stream, effect: CameraEffect) -> Effect {
    match stream {
        Stream::Main => Effect::Camera(index, effect),
        Stream::Fallback => Effect::Fallback(index, effect),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Alive {
    Told(Mono),
    Owed(Mono),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    New,
    Running,
    StoppingCameras,
    ClosingVolumes,
    /// `Finished` is owed.
    Leaving,
    Over,
}

impl Appliance {
    /// A device that has not begun.
    pub fn new(settings: Settings) -> Self {
        let volumes = settings.volumes.len();
        let cameras: Vec<Camera, MAX_CAMERAS> =
            settings.cameras.iter().map(|camera| Camera::new(*camera, settings.stall)).collect();
        let nowhen = Now { mono: Mono(0), wall: crate::time::Wall(0) };
        Appliance {
            life: Life::New,
            heartbeat: None,
            attention: Attention::default(),
            alive: Alive::Told(Mono(0)),
            clock: Clock::new(&settings),
            watch: Watch::new(cameras.len(), volumes),
            due: CameraSet::NONE,
            dial: Dial::default(),
            network: Network::new(),
            memory: Memory::default(),
            recording: Recording::new(nowhen, (0, 0), Waits::new(&settings)),
            able: None,
            cameras,
            volumes: settings.volumes.iter().map(|kind| Volume::new(*kind)).collect(),
            usages: (0..volumes).map(|_| Usage::default()).collect(),
            promise: Promise { retention: settings.retention, cleaning_starts: settings.cleaning_starts },
            alarms: Alarms::default(),
            rng: Rng::new(settings.seed),
        }
    }

    /// Takes a fact. `now`: both clocks, read together just before; the monotonic one never runs backwards. Events
    /// that fit no state (of a camera that is not there, before `Start`, after the end) change nothing.
    ///
    /// Drain [`Appliance::poll_effect`] before the next call; a debug build panics otherwise where ledger entries
    /// could be lost.
    pub fn handle(&mut self, now: Now, event: Event) {
        debug_assert!(!self.recording.has_entries(), "poll_effect is to be drained after every handle");
        self.attention.begin();
        match (self.life, &event) {
            (Life::New, Event::Start) => self.start(now),
            (Life::New, Event::Stop) => self.life = Life::Leaving,
            (Life::New | Life::Leaving | Life::Over, _) => {}
            (Life::Running | Life::StoppingCameras | Life::ClosingVolumes, _) => {
                // A source that answers with the step that it made is one change, not two.
                if let Event::ClockSynchronised(synchronised) = event {
                    self.clock.synchronised(synchronised);
                }
                if self.look_at_clocks(now) {
                    self.attention.touch_all();
                    self.take(now, event);
                } else {
                    let Some(event) = self.take_quietly(now, event) else { return };
                    self.take(now, event);
                }
            }
        }
        self.attend_to_all(now);
    }

    /// The next decision; call until it is empty. At most [`MAX_EFFECTS`] after one event.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        if let Some(anchor) = self.clock.poll_effect() {
            return Some(Effect::SetAnchor(anchor));
        }
        match self.attention.subject {
            Subject::All => {}
            Subject::One(place) => {
                let anchor = self.clock.anchor();
                if let Some(entry) = self.recording.poll_entry_of(place, &self.volumes, anchor) {
                    return Some(entry);
                }
                return self.poll_alive();
            }
            Subject::Forecasts => return self.poll_forecast().or_else(|| self.poll_alive()),
            Subject::Nothing => return self.poll_alive(),
        }
        if let Some(entry) = self.recording.poll_entry(&self.volumes, self.clock.anchor()) {
            return Some(entry);
        }
        if let Some(shed) = self.memory.poll_effect() {
            return Some(Effect::Shed(shed));
        }
        let routed = self.recording.target().is_some();
        for place in self.attention.unpolled.places(self.cameras.len()) {
            let Some(camera) = self.cameras.get_mut(place) else { continue };
            if let (Some((stream, effect)), Ok(index)) = (camera.poll_effect(routed), u8::try_from(place)) {
                return Some(camera_effect(CameraIndex(index), stream, effect));
            }
            self.attention.unpolled = self.attention.unpolled.without(place);
        }
        if let Some(route) = self.recording.poll_route() {
            return Some(route);
        }
        for (index, volume) in (0u8..).zip(&mut self.volumes) {
            if let Some(effect) = volume.poll_effect() {
                return Some(Effect::Volume(VolumeIndex(index), effect));
            }
        }
        if let Some(forecast) = self.poll_forecast() {
            return Some(forecast);
        }
        if let Some(notice) = self.alarms.poll_effect() {
            return Some(Effect::Alarm(notice));
        }
        if let Some(alive) = self.poll_alive() {
            return Some(alive);
        }
        if self.life == Life::Leaving {
            self.life = Life::Over;
            return Some(Effect::Finished);
        }
        None
    }

    fn poll_forecast(&mut self) -> Option<Effect> {
        (0u8..).zip(&mut self.usages).find_map(|(index, usage)| {
            let forecast = VolumeEffect::Forecast(usage.poll_effect()?);
            Some(Effect::Volume(VolumeIndex(index), forecast))
        })
    }

    /// The sign of life, if one is owed; else all has been polled.
    fn poll_alive(&mut self) -> Option<Effect> {
        if let Alive::Owed(at) = self.alive {
            self.alive = Alive::Told(at);
            return Some(Effect::Alive);
        }
        self.attention.drained = true;
        None
    }

    /// When to call `handle` with `Tick` if nothing else happens before: within a second while it runs, `None`
    /// before `Start` and after the end. After a call at that moment it lies in the future.
    pub fn poll_timeout(&self) -> Option<Mono> {
        let heartbeat = self.heartbeat?;
        soonest(self.attention.due(), Some(heartbeat))
    }

    /// When any machine but a camera or a usage wants to be called.
    fn others_due(&self) -> Option<Mono> {
        let route = match self.life {
            Life::Running => self.recording.deadline(&self.volumes),
            // At the end the routes stay as they are.
            Life::New | Life::StoppingCameras | Life::ClosingVolumes | Life::Leaving | Life::Over => None,
        };
        let others = [self.alarms.deadline(), route, self.dial_deadline()];
        let round = self.attention.round;
        let of = |volume: &Volume| soonest(volume.deadline(), volume.turns_at().filter(|at| *at > round));
        self.volumes.iter().map(of).chain(others).fold(None, soonest)
    }

    /// How many alarms were lost in this session, since more conditions held than [`MAX_ALARMS`].
    pub const fn alarms_evicted(&self) -> u32 {
        self.alarms.evicted()
    }

    /// On its own, or each event would pay for the room on the stack that a new [`Recording`] takes.
    #[inline(never)]
    fn start(&mut self, now: Now) {
        self.life = Life::Running;
        self.attention.touch_all();
        self.clock.start(now);
        self.recording =
            Recording::new(now, (self.cameras.len(), self.volumes.len()), self.recording.waits());
        self.volumes.iter_mut().for_each(|volume| volume.start(now.mono));
        self.cameras.iter_mut().for_each(|camera| camera.start(now.mono));
    }

    /// True if the clock was set or is trusted anew.
    fn look_at_clocks(&mut self, now: Now) -> bool {
        let look = self.clock.look(now);
        if look == Look::default() {
            return false;
        }
        let by_micros = look.moved;
        if let Some(known) = look.known {
            // The ledgers tell it as a correction; that the time was not to be trusted was an alarm, and is over.
            self.recording.time_corrected(now.mono, known, by_micros);
            return true;
        }
        self.recording.clock_set(now.mono, by_micros);
        if !look.is_step() {
            return true;
        }
        for (index, volume) in (0u8..).zip(&self.volumes) {
            if volume.ready_since().is_some() {
                let entry = Entry::ClockStepped { at: now.wall, by_micros };
                self.recording.enter(VolumeIndex(index), entry);
            }
        }
        self.alarms.occur(now, AlarmKey::ClockStepped, Detail::Micros(by_micros));
        true
    }

    fn take(&mut self, now: Now, event: Event) {
        self.touch(&event);
        match event {
            // A tick is done by `advance`; the clocks have been looked at.
            Event::Start | Event::Tick | Event::ClockSynchronised(_) => {}
            Event::Carrier(there) => self.network.carrier(there),
            Event::MemoryPressure(thousandths) => self.take_pressure(now, thousandths),
            Event::Camera(index, event) => self.take_of_camera(now, index, Stream::Main, event),
            Event::Fallback(index, event) => self.take_of_camera(now, index, Stream::Fallback, event),
            Event::Volume(index, event) => self.take_of_volume(now, index, event),
            Event::DiskLeftAlone { disk, reason } => {
                self.alarms.raise(now, AlarmKey::DiskNotUsed(disk), Detail::Disk(reason));
            }
            Event::DiskFailed { disk, fault } => {
                self.alarms.raise(now, AlarmKey::DiskFailed(disk), Detail::Volume(fault));
            }
            Event::DiskGone { disk } => {
                self.alarms.clear(now.mono, &AlarmKey::DiskNotUsed(disk.clone()));
                self.alarms.clear(now.mono, &AlarmKey::DiskFailed(disk));
            }
            Event::Acknowledge(key) => self.alarms.acknowledge(&key),
            Event::Stop => {
                if self.life == Life::Running {
                    self.life = Life::StoppingCameras;
                    self.cameras.iter_mut().for_each(|camera| camera.stop(now.mono));
                }
            }
        }
    }

    /// Does what is due, then lets the machines that watch others follow.
    fn advance(&mut self, now: Now) {
        match self.life {
            Life::New => return,
            Life::Leaving | Life::Over => {
                self.heartbeat = None;
                return;
            }
            Life::Running | Life::StoppingCameras | Life::ClosingVolumes => {}
        }
        self.beat(now.mono);
        self.advance_cameras(now.mono);
        if self.life != Life::Running {
            self.volumes.iter_mut().for_each(|volume| volume.rest(now.mono));
        }
        self.volumes.iter_mut().for_each(|volume| volume.advance(now.mono));
        if self.life == Life::Running {
            let before = self.recording.target();
            if self.recording.choose(now.mono, &self.volumes) {
                self.cameras.iter_mut().for_each(Camera::volume_lost);
                self.attention.touch_all();
            }
            let index = self.recording.target();
            let target = index.and_then(|target| self.volumes.get(usize::from(target.0)));
            let able = target.is_some_and(|target| target.is_ready() && target.hindrance(now.mono).is_none());
            // Another volume has had no time to store anything yet, and none of it is the cameras' fault.
            let since = self.able.filter(|_| index == before).unwrap_or(now.mono);
            self.able = able.then_some(since);
            self.touch_dependents();
            let members = self.network.members();
            for place in self.attention.touched().places(self.cameras.len()) {
                let Some(camera) = self.cameras.get(place) else { continue };
                self.recording.follow(now.mono, (place, camera), &self.volumes);
                self.watch.camera(now, (place, camera), members, &mut self.alarms);
            }
            self.watch.network(now, &self.network, &mut self.alarms);
        }
        if self.life == Life::StoppingCameras && self.cameras.iter().all(Camera::is_stopped) {
            self.life = Life::ClosingVolumes;
            self.volumes.iter_mut().for_each(|volume| volume.close(now.mono));
        }
        self.look_at_volumes(now);
        self.alarms.advance(now.mono);
        if self.life == Life::ClosingVolumes && self.volumes.iter().all(Volume::is_over) {
            self.life = Life::Leaving;
            self.heartbeat = None;
        }
    }
}
