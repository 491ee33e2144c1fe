//! What goes wrong in the world: troubles that begin at random moments and last for a second or for hours.
//!
//! A run's **climate** says how often, and which kinds more than others, so that seeds differ in more than their dice.

use crate::agenda::{At, Item, LinkStep, millis, secs};
use crate::camera::link;
use crate::place::Flaw;
use crate::stream::Ail;
use crate::world::{Power, World};
use core::time::Duration;
use holdfast_core::alarm::{AlarmKey, AlarmState};
use holdfast_core::disk::Unfit;
use holdfast_core::effect::Stream;
use holdfast_core::event::{CameraEvent, Event, Failure, Fault, Label, Past, VolumeEvent};
use holdfast_core::settings::{CameraIndex, VolumeKind};
use std::collections::BTreeMap;

/// How bad it gets.
#[derive(Clone, Copy, Debug)]
pub struct Climate {
    /// The mean time between two troubles.
    pub pause: Duration,
    /// The longest that one lasts.
    pub longest: Duration,
    /// How much of it is about cameras, the network, disks, the machine, persons: in parts of their sum.
    pub parts: [u32; 5],
}

/// A step of a trouble that has several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pick {
    /// A loose plug is in again.
    Plug(u8, bool),
    /// A loose plug is out again.
    Unplug(u8, u8),
    /// A person uses what was ejected.
    Use(u8),
}

/// A trouble that lasts.
#[derive(Clone, Copy, Debug)]
enum Trouble {
    /// Of one stream, or both of a camera.
    Camera,
    /// Of all streams at a host.
    Host,
    /// Of all.
    Network { carrier: bool },
    /// Of a place.
    Place(usize),
    /// Memory is short.
    Memory,
    /// A disk that is not used.
    Disk,
}

/// What goes wrong now.
#[derive(Debug, Default)]
pub struct Weather {
    lasting: BTreeMap<u32, Trouble>,
    next: u32,
    /// It is over for good.
    pub calm: bool,
    /// The trouble that cut the network last.
    cut_by: Option<u32>,
    /// When the network was last cut, and when it last came back.
    pub network: (Option<At>, Option<At>),
}

impl Weather {
    /// Whether any interface has a carrier.
    pub fn carrier(&self) -> bool {
        !self.lasting.values().any(|trouble| matches!(trouble, Trouble::Network { carrier: true }))
    }

    /// Whether nothing reaches anybody.
    pub fn is_cut(&self) -> bool {
        self.lasting.values().any(|trouble| matches!(trouble, Trouble::Network { .. }))
    }

    /// Where the pressure goes.
    pub fn pressure(&self) -> u16 {
        if self.lasting.values().any(|trouble| matches!(trouble, Trouble::Memory)) { 300 } else { 0 }
    }

    /// Whether it is about a host.
    pub fn has_host(&self) -> bool {
        self.lasting.values().any(|trouble| matches!(trouble, Trouble::Host))
    }
}

impl World {
    /// A trouble begins, and the next one is planned.
    pub fn change_of_weather(&mut self) {
        if self.weather.calm {
            return;
        }
        let pause = self.climate.pause.mul_f64(-self.rng.f64().max(1e-6).ln());
        self.agenda.at(self.at + pause, Item::Weather);
        self.tally.troubles += 1;
        let parts = self.climate.parts;
        let mut dice = self.rng.u32(0..parts.iter().sum());
        let kind = parts.iter().position(|part| {
            let hit = dice < *part;
            dice = dice.saturating_sub(*part);
            hit
        });
        match kind.unwrap_or(0) {
            0 => self.camera_trouble(),
            1 => self.network_trouble(),
            2 => self.disk_trouble(),
            3 => self.machine_trouble(),
            _ => self.person(),
        }
    }

    fn lasts(&mut self, trouble: Trouble, from: Duration) -> u32 {
        let id = self.weather.next;
        self.weather.next += 1;
        self.weather.lasting.insert(id, trouble);
        let longest = self.climate.longest.max(from * 2);
        let lasts = self.spread(from, longest);
        self.agenda.at(self.at + lasts, Item::Ends(id));
        self.log.keep(self.at, crate::log::Word::World(format!("{id}: {trouble:?} for {lasts:?}")));
        id
    }

    fn camera_trouble(&mut self) {
        let camera = self.rng.usize(0..self.cameras.len());
        let ail = self.any_ail();
        self.note(format!("cam{camera}: {ail:?}"));
        if self.chance(15)
            && self.judge.hosts.of.iter().filter(|of| of.0 == self.judge.hosts.of[camera].0).count() > 1
        {
            let host = self.judge.hosts.of[camera].0;
            let id = self.lasts(Trouble::Host, secs(1));
            return self
                .ail_streams(id, ail, |hosts, camera, stream| hosts.host(camera, stream) == Some(host));
        }
        let both = self.chance(50);
        let id = self.lasts(Trouble::Camera, secs(1));
        self.ail_streams(id, ail, |_, other, stream| other == camera && (both || stream == Stream::Main));
        if self.chance(3) {
            // The whole thing has another transport from now on.
            let only = self.cameras[camera].main.only;
            self.cameras[camera].main.only = match only {
                None => Some(holdfast_core::settings::Transport::Udp),
                Some(_) => None,
            };
        }
    }

    fn any_ail(&mut self) -> Ail {
        let quick = self.rng.u32(5..900);
        let choices = [
            Ail::Fails(Failure::Refused, quick),
            Ail::Fails(Failure::Unreachable, 3000 + quick),
            Ail::Fails(Failure::NameNotResolved, quick),
            Ail::Fails(Failure::ConnectTimeout, 10_000),
            Ail::Fails(Failure::Unauthorized, quick),
            Ail::Fails(Failure::Forbidden, quick),
            Ail::Fails(Failure::NotFound, quick),
            Ail::Fails(Failure::SessionLimit, quick),
            Ail::Fails(Failure::ServiceUnavailable, quick),
            Ail::Fails(Failure::Tls, quick),
            Ail::Fails(Failure::KeepAliveRefused, quick),
            Ail::Fails(Failure::OutOfMemory, quick),
            Ail::Fails(Failure::Internal, quick),
            Ail::Silent,
            Ail::Silent,
            Ail::Stalls,
            Ail::Stalls,
            Ail::Starves,
            Ail::Flaps,
            Ail::Flaps,
            Ail::SoundAlone,
            Ail::Trouble(Failure::Garbage),
            Ail::Trouble(Failure::Garbage),
            Ail::Trouble(Failure::TimestampsJump),
            Ail::Trouble(Failure::TimestampsFrozen),
            Ail::Trouble(Failure::TimestampsBackwards),
            Ail::Trouble(Failure::FormatChanges),
            Ail::Muffled,
            Ail::Mute,
        ];
        choices[self.rng.usize(0..choices.len())]
    }

    fn ail_streams(
        &mut self,
        id: u32,
        ail: Ail,
        suffers: impl Fn(&crate::judge::Hosts, usize, Stream) -> bool,
    ) {
        for camera in 0..self.cameras.len() {
            if self.weather.cut_by != Some(id) && suffers(&self.judge.hosts, camera, Stream::Main) {
                self.cameras[camera].healed = At::from_nanos(u64::MAX);
            }
            for stream in [Stream::Main, Stream::Fallback] {
                let there = self.cameras[camera].source(stream).is_some();
                if there && suffers(&self.judge.hosts, camera, stream) {
                    self.change(camera, stream, |ails| ails.push((id, ail)));
                }
            }
        }
    }

    fn network_trouble(&mut self) {
        let carrier = self.chance(50);
        let had = self.weather.carrier();
        self.lasts_network(carrier);
        if carrier && had {
            self.pending.push_back(Event::Carrier(false));
        }
    }

    fn lasts_network(&mut self, carrier: bool) {
        let id = self.lasts(Trouble::Network { carrier }, secs(1));
        if !carrier || self.weather.network.0.is_none() {
            self.weather.network.0.get_or_insert(self.at);
        }
        self.weather.cut_by = Some(id);
        let quick = self.rng.u32(5..900);
        let ail = if self.chance(40) { Ail::Fails(Failure::Unreachable, quick) } else { Ail::Silent };
        // What lies silent on the way breaks no connection at once.
        self.ail_streams(id, ail, |_, _, _| true);
    }

    fn disk_trouble(&mut self) {
        let place = self.rng.usize(0..self.places.len());
        let path = self.places[place].kind == VolumeKind::Path;
        let faults = [
            Fault::Io,
            Fault::Io,
            Fault::NoSpace,
            Fault::Quota,
            Fault::ReadOnly,
            Fault::Denied,
            Fault::Again,
            Fault::Stale,
            Fault::Damaged,
            Fault::WrongIdentity,
            Fault::Foreign,
            Fault::InUse,
            Fault::NotMounted,
            Fault::Other(5),
        ];
        let flaw = match self.rng.u32(0..100) {
            0..40 => Flaw::Fails(faults[self.rng.usize(0..faults.len())]),
            40..52 => Flaw::Hangs,
            52..66 => Flaw::Slow,
            66..70 => Flaw::Blind,
            70..74 => Flaw::Sick(self.rng.u8(0..2)),
            74..77 => Flaw::Busy,
            77..82 => return self.other_disk(),
            _ if path && self.chance(70) => return,
            _ => {
                self.note(format!("vol{place} is pulled"));
                self.pull(place);
                return self.plug_later(place);
            }
        };
        self.note(format!("vol{place}: {flaw:?}"));
        let id = self.lasts(Trouble::Place(place), secs(1));
        self.places[place].flaws.push((id, flaw));
        if matches!(flaw, Flaw::Sick(_)) {
            self.tell_health(place);
        }
        if matches!(flaw, Flaw::Hangs | Flaw::Slow | Flaw::Fails(Fault::NoSpace)) {
            let life = self.places[place].life;
            self.agenda.at(self.at, Item::Place(place as u8, life, crate::agenda::PlaceStep::Figures));
        }
    }

    fn plug_later(&mut self, place: usize) {
        let after = self.spread(millis(500), self.climate.longest);
        let other = self.chance(15);
        self.agenda.at(self.at + after, Item::Later(Pick::Plug(place as u8, other)));
        if self.chance(20) {
            let times = self.rng.u8(1..6);
            self.agenda.at(self.at + after + millis(1500), Item::Later(Pick::Unplug(place as u8, times)));
        }
    }

    fn other_disk(&mut self) {
        let id = self.lasts(Trouble::Disk, secs(2));
        let disk = disk_label(id);
        let event = match self.chance(50) {
            true => Event::DiskLeftAlone { disk, reason: Unfit::NotMarked },
            false => Event::DiskFailed { disk, fault: Fault::Damaged },
        };
        self.pending.push_back(event);
    }

    fn machine_trouble(&mut self) {
        match self.rng.u32(0..100) {
            0..20 => self.step_clock(),
            20..35 => {
                let (at, drift) = (self.at, self.rng.i64(-200..200));
                self.clock.drift(at, drift);
            }
            35..50 => self.dies(Past::Crashed),
            50..65 => self.dies(Past::PowerLost),
            65..70 => self.dies(Past::OutOfMemory),
            70..80 => self.stop(),
            _ => {
                self.lasts(Trouble::Memory, secs(5));
            }
        }
    }

    fn person(&mut self) {
        let place = self.rng.usize(0..self.places.len());
        match self.rng.u32(0..100) {
            0..30 => {
                self.note(format!("vol{place} is ejected"));
                self.eject(place);
                let after = self.spread(secs(1), self.climate.longest);
                if self.chance(60) || self.places[place].kind == VolumeKind::Path {
                    self.agenda.at(self.at + after, Item::Later(Pick::Use(place as u8)));
                } else {
                    let (at, twice) = (self.at, after * 2);
                    self.agenda.at(at + after, Item::Later(Pick::Unplug(place as u8, 0)));
                    self.agenda.at(at + twice, Item::Later(Pick::Plug(place as u8, false)));
                    self.agenda.at(at + twice + secs(2), Item::Later(Pick::Use(place as u8)));
                }
            }
            30..70 => self.acknowledge(),
            70..80 => {
                let camera = self.rng.usize(0..self.cameras.len());
                let track = Label::try_from("application/metadata").unwrap_or_default();
                self.tell_of(camera, Stream::Main, CameraEvent::Unsupported { track });
            }
            _ => self.nonsense(place),
        }
    }

    fn acknowledge(&mut self) {
        let waiting = self.alarms.in_state(AlarmState::Unacknowledged);
        let returned = self.alarms.in_state(AlarmState::ReturnedUnacknowledged);
        let all: Vec<AlarmKey> = waiting.into_iter().chain(returned).collect();
        for key in all {
            if self.chance(50) {
                self.pending.push_back(Event::Acknowledge(key));
            }
        }
    }

    /// What fits no state, as a shell might tell by mistake.
    fn nonsense(&mut self, place: usize) {
        let camera = self.rng.usize(0..self.cameras.len());
        match self.rng.u32(0..5) {
            0 => {
                let life = self.cameras[camera].main.life;
                let id = link(camera, Stream::Main);
                self.agenda.at(self.at, Item::Link(id, life, LinkStep::Stray));
            }
            1 => self.pending.push_back(Event::Camera(CameraIndex(200), CameraEvent::TornDown)),
            2 => self.pending.push_back(Event::Fallback(CameraIndex(200), CameraEvent::TornDown)),
            3 => {
                if matches!(self.cameras[camera].main.link, crate::stream::Link::Down) {
                    self.tell_of(camera, Stream::Main, CameraEvent::TornDown);
                }
            }
            _ => self.tell_of_place(place, VolumeEvent::WentBack),
        }
    }

    /// A trouble with several steps goes on.
    pub fn goes_on(&mut self, pick: Pick) {
        match pick {
            Pick::Plug(place, other) => {
                self.note(format!("vol{place} is plugged in"));
                self.plug(usize::from(place), other);
            }
            Pick::Unplug(place, times) => {
                if self.weather.calm {
                    return;
                }
                self.pull(usize::from(place));
                if times > 0 {
                    let (at, gap) = (self.at, millis(self.rng.u64(100..4000)));
                    self.agenda.at(at + gap, Item::Later(Pick::Plug(place, false)));
                    let gap = gap + millis(self.rng.u64(100..9000));
                    self.agenda.at(at + gap, Item::Later(Pick::Unplug(place, times - 1)));
                } else {
                    self.agenda.at(self.at + secs(5), Item::Later(Pick::Plug(place, false)));
                }
            }
            Pick::Use(place) => self.reuse(usize::from(place)),
        }
    }

    /// A trouble is over.
    pub fn ends(&mut self, id: u32) {
        let Some(trouble) = self.weather.lasting.remove(&id) else { return };
        self.note(format!("{id}: over: {trouble:?}"));
        match trouble {
            Trouble::Camera | Trouble::Host => self.heal(id),
            Trouble::Network { carrier } => {
                self.heal(id);
                if carrier && self.weather.carrier() {
                    self.pending.push_back(Event::Carrier(true));
                }
                if !self.weather.is_cut() {
                    self.weather.network = (None, Some(self.at));
                }
            }
            Trouble::Place(place) => {
                let before = self.places[place].flaws.clone();
                self.places[place].flaws.retain(|(of, _)| *of != id);
                for (_, flaw) in before.iter().filter(|(of, _)| *of == id) {
                    match flaw {
                        Flaw::Hangs => {
                            self.places[place].strained = Some(self.at);
                            self.releases(place);
                        }
                        Flaw::Slow => {
                            self.places[place].strained = Some(self.at);
                            self.places[place].busy = None;
                            self.store_all_soon(place);
                        }
                        Flaw::Sick(_) => self.tell_health(place),
                        Flaw::Fails(Fault::Foreign | Fault::Duplicate | Fault::Copied) => {
                            // A person mended it, and says so.
                            self.reuse(place);
                        }
                        Flaw::Fails(_) | Flaw::Blind | Flaw::Busy => {}
                    }
                }
            }
            Trouble::Memory => {}
            Trouble::Disk => self.pending.push_back(Event::DiskGone { disk: disk_label(id) }),
        }
    }

    fn heal(&mut self, id: u32) {
        for camera in 0..self.cameras.len() {
            for stream in [Stream::Main, Stream::Fallback] {
                let suffers = self.cameras[camera]
                    .source(stream)
                    .is_some_and(|source| source.ails.iter().any(|(of, _)| *of == id));
                if suffers {
                    self.change(camera, stream, |ails| ails.retain(|(of, _)| *of != id));
                }
            }
        }
    }

    /// Everything that goes wrong is over, and all is put back.
    pub fn calms(&mut self) {
        self.note("all troubles are over".into());
        self.weather.calm = true;
        let all: Vec<u32> = self.weather.lasting.keys().copied().collect();
        all.into_iter().for_each(|id| self.ends(id));
        for camera in &mut self.cameras {
            camera.main.only = None;
        }
        let at = self.at;
        self.clock.drift(at, 0);
        for place in 0..self.places.len() {
            self.agenda.at(at + secs(1), Item::Later(Pick::Plug(place as u8, false)));
            self.agenda.at(at + secs(130), Item::Later(Pick::Use(place as u8)));
        }
        match self.power {
            Power::Off => self.agenda.at(at + secs(2), Item::Boot),
            // It has 17 s for that.
            Power::Stopping(_) => self.agenda.at(at + secs(20), Item::Boot),
            Power::Running(_) => {}
        }
        self.agenda.at(at + secs(20), Item::TimeSource);
    }
}

fn disk_label(id: u32) -> Label {
    Label::try_from(format!("sd{id}").as_str()).unwrap_or_default()
}
