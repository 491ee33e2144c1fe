//! The world's side of the machine: start, stop, death, clocks, memory.

use crate::agenda::{At, Item, PlaceStep, millis, secs};
use crate::alarms::AlarmBook;
use crate::book::Book;
use crate::clock::{Clock, FLOOR};
use crate::footage::{DEPTH, SEGMENT};
use crate::invariant::Invariant;
use crate::twin::Twin;
use crate::world::{Power, World};
use holdfast_core::Appliance;
use holdfast_core::effect::Shed;
use holdfast_core::event::{Cause, Event, Past};
use holdfast_core::settings::{ClockKind, Settings, TransportChoice, VolumeKind};
use holdfast_core::time::{Anchor, Mono, Wall};

/// Pressure is told this often while it is none; each second otherwise.
const SELDOM: core::time::Duration = secs(15);

impl World {
    /// What the core is told at its start.
    pub fn settings(&mut self) -> Settings {
        let hosts = &self.judge.hosts;
        Settings {
            cameras: (0..self.cameras.len())
                .map(|camera| hosts.settings(camera, TransportChoice::Auto))
                .collect(),
            volumes: self.places.iter().map(|place| place.kind).collect(),
            retention: self.judge.retention,
            cleaning_starts: holdfast_core::retention::Rules::DEFAULT.start,
            stall: secs(10),
            ring: DEPTH.0,
            segment: SEGMENT,
            clock: if self.clock.battery { ClockKind::Kept } else { ClockKind::Fetched },
            clock_floor: FLOOR,
            seed: self.rng.u64(..),
        }
    }

    /// The recorder starts.
    pub fn boot(&mut self) {
        if self.power != Power::Off {
            return;
        }
        let at = self.at;
        self.tally.starts += 1;
        if core::mem::take(&mut self.judge.cold) {
            self.clock.boots(at);
        }
        let settings = self.settings();
        if let Some(twin) = &mut self.twin {
            *twin = Twin::new(settings.clone());
        }
        *self.core = Appliance::new(settings);
        self.power = Power::Running(at);
        self.judge.starts(at);
        self.alarms = AlarmBook::default();
        self.shed = Shed::Nothing;
        self.anchor = Anchor { mono: Mono(0), wall: Wall(0), trusted: true };
        self.segments = vec![None; self.cameras.len()];
        let wall = self.wall_now();
        for camera in &mut self.cameras {
            camera.causes.of(Cause::Starting).begin(at);
            for source in [Some(&mut camera.main), camera.fallback.as_mut()].into_iter().flatten() {
                source.effort = at;
                source.refused = None;
            }
        }
        for place in &mut self.places {
            // Nobody tells that a path is there: it is opened from the start.
            place.idle = (place.kind == VolumeKind::Path).then_some((at, core::time::Duration::ZERO));
            for medium in &mut place.media {
                for book in medium.books.iter_mut().filter(|book| !book.known) {
                    *book = Book::new(wall, at);
                }
            }
        }
        self.tell(Event::Start);
        self.tell(Event::Carrier(self.weather.carrier()));
        for place in 0..self.places.len() {
            if self.places[place].kind == VolumeKind::Disk && self.places[place].plugged {
                let after = millis(self.rng.u64(300..6000));
                self.agenda.at(at + after, Item::Place(place as u8, 0, PlaceStep::Attached));
            }
        }
        self.agenda.at(at + secs(1), Item::Pressure);
        let after = self.spread(secs(1), secs(300));
        self.agenda.at(at + after, Item::TimeSource);
    }

    /// A time source is reached: the clock is set right, and followed.
    pub fn time_source(&mut self) {
        if self.power == Power::Off {
            return;
        }
        if self.weather.is_cut() {
            return self.agenda.at(self.at + secs(60), Item::TimeSource);
        }
        let (at, truth) = (self.at, Clock::truth(self.at));
        let off = truth.micros_since(self.clock.wall(at)).unsigned_abs();
        if off > 128_000 {
            self.note(format!("the time source sets the clock by {off} us"));
            self.clock.set(at, truth);
        }
        self.judge.synchronised = Some(self.judge.synchronised.unwrap_or(at));
        self.pending.push_back(Event::ClockSynchronised(true));
    }

    /// Somebody sets the clock, perhaps wrongly.
    pub fn step_clock(&mut self) {
        let at = self.at;
        let far = self.spread(millis(50), secs(40_000)).as_micros() as i64;
        let by = if self.chance(50) { far } else { -far };
        let wall = self.clock.wall(at);
        self.clock.set(at, Wall(wall.0 + by));
        self.note(format!("somebody sets the clock by {by} us"));
        // It is found out, soon or late.
        let after = self.spread(secs(5), secs(20_000));
        self.agenda.at(at + after, Item::TimeSource);
    }

    /// The recorder is told to end.
    pub fn stop(&mut self) {
        if let Power::Running(_) = self.power {
            self.power = Power::Stopping(self.at);
            self.judge.stopped = self.at;
            self.pending.push_back(Event::Stop);
        }
    }

    /// The core has ended.
    pub fn finished(&mut self) {
        let Power::Stopping(since) = self.power else {
            return self.demand(false, Invariant::Stops, || "it ended, and nobody wanted it".into());
        };
        let took = self.at.since(since);
        self.demand(took <= secs(17), Invariant::Stops, || format!("the end took {took:?}"));
        self.ends_session(Past::Stopped, Cause::Stopped);
        if self.weather.calm {
            return;
        }
        let after = self.spread(secs(2), secs(600));
        self.agenda.at(self.at + after, Item::Boot);
    }

    /// The recorder dies: by itself, with the machine, for want of memory.
    pub fn dies(&mut self, past: Past) {
        if self.power == Power::Off {
            return;
        }
        self.note(format!("the recorder dies: {past:?}"));
        let cause = match past {
            Past::Stopped => Cause::Stopped,
            Past::Crashed => Cause::Crashed,
            Past::PowerLost => Cause::PowerLost,
            Past::OutOfMemory => Cause::OutOfMemory,
        };
        self.ends_session(past, cause);
        let at = self.at;
        let after = match past {
            Past::PowerLost => {
                let dark = self.spread(secs(5), secs(7200));
                self.judge.cold = true;
                dark + secs(12)
            }
            Past::Stopped | Past::Crashed | Past::OutOfMemory => millis(self.rng.u64(1500..8000)),
        };
        self.agenda.at(at + after, Item::Boot);
    }

    fn ends_session(&mut self, past: Past, cause: Cause) {
        let at = self.at;
        self.power = Power::Off;
        self.pending.clear();
        self.hole = None;
        self.judge.down.of(cause).begin(at);
        for camera in &mut self.cameras {
            camera.dies(at);
        }
        let wall = self.anchor.trusted.then_some(self.clock.wall(at));
        for place in &mut self.places {
            place.disk().shelf.close_all(at, wall);
            place.dies(at, past);
        }
        // What times are put right after the session that wrote them nobody tells.
        if !self.anchor.trusted {
            for book in self.places.iter_mut().flat_map(|place| &mut place.media).flat_map(|it| &mut it.books)
            {
                book.loose = true;
            }
        }
    }

    /// The kernel tells how memory is.
    pub fn tell_pressure(&mut self) {
        if self.power == Power::Off {
            return;
        }
        let target = self.weather.pressure();
        let before = self.judge.pressure;
        // The figure looks back over ten seconds: it rises and falls by a part of the way.
        let now = if target > before {
            before + (target - before).div_ceil(3)
        } else {
            before - (before - target).div_ceil(3)
        };
        self.judge.pressure_is(self.at, now);
        self.pending.push_back(Event::MemoryPressure(now));
        let next = if now == 0 && target == 0 && self.shed == Shed::Nothing { SELDOM } else { secs(1) };
        self.agenda.at(self.at + next, Item::Pressure);
    }

    /// So much is given up from now on.
    pub fn sheds(&mut self, shed: Shed) {
        self.tally.sheds += 1;
        let before = core::mem::replace(&mut self.shed, shed);
        let at = self.at;
        self.judge_shed(before, shed);
        self.judge.shed_at = at;
        for camera in 0..self.cameras.len() {
            self.settle(camera);
            if shed >= Shed::Depth && before == Shed::Nothing {
                self.store_soon(camera);
            }
        }
    }

    /// The world begins: power on.
    pub fn begins(&mut self, at: At) {
        self.agenda.at(at, Item::Boot);
        self.agenda.at(at + secs(10), Item::Patrol);
        self.agenda.at(at + secs(30), Item::Weather);
    }
}
