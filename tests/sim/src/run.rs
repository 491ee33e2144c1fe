//! One run: a world from a seed, its troubles, then calm, in which all must become well.

use crate::agenda::{Agenda, At, millis, secs};
use crate::alarms::AlarmBook;
use crate::book::Book;
use crate::camera::Camera;
use crate::clock::Clock;
use crate::invariant::{Invariant, Violation};
use crate::judge::{Hosts, Judge};
use crate::log::Log;
use crate::place::{Medium, Place};
use crate::saboteur::Saboteur;
use crate::shelf::{RATE, Shelf};
use crate::stream::Source;
use crate::twin::Twin;
use crate::weather::{Climate, Weather};
use crate::world::{Plan, Power, Tally, World};
use core::time::Duration;
use fastrand::Rng;
use holdfast_core::Appliance;
use holdfast_core::alarm::{AlarmKey, AlarmState};
use holdfast_core::effect::{Shed, Stream};
use holdfast_core::event::Event;
use holdfast_core::settings::{Settings, Transport, VolumeKind};
use holdfast_core::time::{Anchor, Mono, Wall};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A person who ejected a disk, an alarm of flapping, a probe: all is over so long after the last trouble.
const RECOVERY: Duration = secs(1500);

/// The places of every world.
const KINDS: [VolumeKind; 4] = [VolumeKind::Disk, VolumeKind::Disk, VolumeKind::Path, VolumeKind::Path];

/// How a run ended.
pub struct Report {
    /// What it was.
    pub plan: Plan,
    /// What happened.
    pub tally: Tally,
    /// The first broken invariant, and the last words before it.
    pub broken: Option<(Violation, Vec<String>)>,
}

/// Runs a world. `saboteur`: a planted bug, if there is to be one.
pub fn run(plan: Plan, saboteur: Option<Box<dyn Saboteur>>) -> Report {
    live(World::new(plan, saboteur))
}

/// The same with a second core that never rests, and compares the two.
pub fn run_beside_twin(plan: Plan, saboteur: Option<Box<dyn Saboteur>>) -> Report {
    let mut world = World::new(plan, saboteur);
    world.twin = Some(Twin::new(nothing()));
    live(world)
}

fn live(mut world: World) -> Report {
    let plan = world.plan;
    let outcome = catch_unwind(AssertUnwindSafe(|| world.live()));
    if let Err(panic) = outcome {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        let text = text.unwrap_or_else(|| "a panic without words".into());
        world.broken = Some(Violation { invariant: Invariant::NoPanic, at: world.at, text });
    }
    let broken = world.broken.take().map(|violation| (violation, world.log.lines()));
    Report { plan, tally: world.tally, broken }
}

impl World {
    /// A world of which nothing has happened yet.
    pub fn new(plan: Plan, saboteur: Option<Box<dyn Saboteur>>) -> Self {
        let mut rng = Rng::with_seed(plan.seed);
        let hosts = hosts(plan.cameras, &mut rng);
        let cameras: Vec<Camera> =
            hosts.of.iter().map(|(_, fallback)| camera(fallback.is_some(), &mut rng)).collect();
        let retention = secs(86_400 * rng.u64(2..30));
        let climate = climate(&mut rng);
        let clock = Clock::new(rng.bool());
        let anchor = Anchor { mono: Mono(0), wall: Wall(0), trusted: true };
        let places = KINDS.map(|kind| place(kind, plan.cameras, retention, &mut rng)).into();
        World {
            plan,
            at: secs_at(100),
            clock,
            core: Box::new(Appliance::new(nothing())),
            twin: None,
            timeout: None,
            agenda: Agenda::default(),
            saboteur,
            power: Power::Off,
            cameras,
            places,
            pending: VecDeque::new(),
            chunks: Vec::new(),
            anchor,
            segments: Vec::new(),
            shed: Shed::Nothing,
            hole: None,
            weather: Weather::default(),
            climate,
            judge: Judge::new(hosts, retention),
            alarms: AlarmBook::default(),
            log: Log::default(),
            broken: None,
            tally: Tally::default(),
            rng,
        }
    }

    /// Troubles, then calm.
    fn live(&mut self) {
        let begin = self.at;
        self.begins(begin);
        self.go_on(begin + self.plan.span);
        if self.broken.is_some() {
            return;
        }
        self.calms();
        let calm = self.at;
        self.go_on(calm + RECOVERY);
        self.demand_health();
        let returned = self.alarms.in_state(AlarmState::ReturnedUnacknowledged);
        self.pending.extend(returned.into_iter().map(Event::Acknowledge));
        let end = self.at + secs(2);
        self.go_on(end);
        let left: Vec<AlarmKey> = self.standing().into_iter().filter(|key| !lasts(key)).collect();
        self.demand(left.is_empty(), Invariant::Health, || format!("alarms of nothing: {left:?}"));
        self.stop();
        let end = self.at + secs(18);
        self.go_on(end);
        let over = self.power == Power::Off;
        self.demand(over, Invariant::Stops, || "it does not end".into());
    }

    fn standing(&self) -> Vec<AlarmKey> {
        let states =
            [AlarmState::Unacknowledged, AlarmState::Acknowledged, AlarmState::ReturnedUnacknowledged];
        states.into_iter().flat_map(|state| self.alarms.in_state(state)).collect()
    }

    /// All must be well again.
    fn demand_health(&mut self) {
        let at = self.at;
        for camera in 0..self.cameras.len() {
            let cam = &self.cameras[camera];
            let bright = cam.bright.map(|since| at.since(since));
            let (selected, wanted) = (cam.selected, cam.wanted);
            let main = (selected, wanted) == (Stream::Main, Stream::Main);
            self.demand(bright.is_some_and(|bright| bright > secs(60)), Invariant::Health, || {
                format!("cam{camera} does not record {RECOVERY:?} after all troubles: {bright:?}")
            });
            self.demand(main, Invariant::Health, || {
                format!("cam{camera} records {selected:?}, wanted {wanted:?}")
            });
        }
        for place in 0..self.places.len() {
            let it = &self.places[place];
            let state =
                (it.writer, it.out, it.plugged, it.attached, it.mounted, it.flaws.clone(), it.trouble);
            let ready = it.is_ready();
            self.demand(ready, Invariant::Health, || format!("vol{place} is not ready: {state:?}"));
        }
        let standing: Vec<AlarmKey> = [AlarmState::Unacknowledged, AlarmState::Acknowledged]
            .into_iter()
            .flat_map(|state| self.alarms.in_state(state))
            .filter(|key| !lasts(key))
            .collect();
        self.demand(standing.is_empty(), Invariant::Health, || format!("still standing: {standing:?}"));
        self.demand(self.shed == Shed::Nothing, Invariant::Health, || "memory is still short".into());
    }
}

/// Alarms of conditions that calm does not end: of the session, of how long the disks last, of what is protected.
const fn lasts(key: &AlarmKey) -> bool {
    matches!(key, AlarmKey::TrackNotRecorded(..) | AlarmKey::RetentionShort(_) | AlarmKey::VolumeExhausted(_))
}

fn secs_at(count: u64) -> At {
    Mono(0) + secs(count)
}

/// Three of four cameras are hosts of their own; the rest is one encoder with many channels.
fn hosts(cameras: usize, rng: &mut Rng) -> Hosts {
    let own = cameras - cameras / 4;
    let of = (0..cameras).map(|camera| {
        let host = camera.min(own) as u8;
        // Most second streams are the same camera's; some come from another host.
        let fallback = match rng.u32(0..10) {
            0..5 => Some(host),
            5 => Some(200),
            _ => None,
        };
        (host, fallback)
    });
    Hosts { of: of.collect() }
}

fn camera(fallback: bool, rng: &mut Rng) -> Camera {
    let audio = rng.bool();
    let only = match rng.u32(0..10) {
        0 => Some(Transport::Udp),
        1 => Some(Transport::Tcp),
        _ => None,
    };
    let second = fallback.then(|| Source::new(audio, only));
    Camera::new(Source::new(audio, only), second, KINDS.len())
}

fn place(kind: VolumeKind, cameras: usize, retention: Duration, rng: &mut Rng) -> Place {
    let media = match kind {
        VolumeKind::Disk => 2,
        VolumeKind::Path => 1,
    };
    // From half a day to some days of all cameras.
    let hours = rng.u64(12..150);
    let total = hours * 3600 * RATE * cameras as u64;
    let protect = if rng.bool() { rng.u32(5..50) } else { 0 };
    let medium = || Medium {
        books: vec![Book::new(crate::clock::EPOCH, Mono(0)); cameras],
        shelf: Shelf::new(cameras, total, retention, protect),
        used: false,
        past: None,
        steps: Vec::new(),
        doubtful: false,
        ends: None,
        torn: false,
    };
    Place::new(kind, (0..media).map(|_| medium()).collect())
}

/// From one trouble in some minutes to one in some hours, each kind more or less likely.
fn climate(rng: &mut Rng) -> Climate {
    let pause = secs(60) + millis(rng.u64(0..3_600_000)).mul_f64(rng.f64());
    let longest = secs(rng.u64(60..6 * 3600));
    let mut part = |most: u32| rng.u32(1..=most);
    Climate { pause, longest, parts: [part(12), part(3), part(8), part(3), part(5)] }
}

/// Settings of nothing, until the recorder starts.
fn nothing() -> Settings {
    Settings {
        cameras: [].into_iter().collect(),
        volumes: [].into_iter().collect(),
        retention: Duration::ZERO,
        cleaning_starts: holdfast_core::retention::Rules::DEFAULT.start,
        stall: secs(10),
        ring: secs(30),
        segment: secs(60),
        clock: holdfast_core::settings::ClockKind::Kept,
        clock_floor: Wall(0),
        seed: 0,
    }
}
