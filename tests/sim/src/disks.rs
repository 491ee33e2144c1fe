//! The world's side of volumes: writers that open and close, the mount helper, udev, people who pull and plug.

use crate::agenda::{Item, PlaceStep, millis, secs};
use crate::book::Book;
use crate::invariant::Invariant;
use crate::place::{Flaw, Out, Place, Writer};
use crate::trace::earlier;
use crate::world::{Power, World};
use core::time::Duration;
use holdfast_core::effect::VolumeEffect;
use holdfast_core::event::{Cause, Event, Fault, Health, Past, VolumeEvent, VolumeFigures};
use holdfast_core::retention::{Cleaner, Rules};
use holdfast_core::settings::{CameraIndex, VolumeIndex, VolumeKind};
use holdfast_core::time::Wall;

/// Figures while all is well.
const FIGURES: Duration = secs(20);

/// As the shell tells them: while something is wrong.
const DENSE: Duration = secs(1);

impl World {
    /// Tells a fact about a place, after what is under way.
    pub fn tell_of_place(&mut self, place: usize, event: VolumeEvent) {
        self.pending.push_back(Event::Volume(VolumeIndex(place as u8), event));
    }

    /// Obeys a command about a place.
    pub fn place_command(&mut self, place: usize, effect: VolumeEffect) {
        let (at, stopped) = (self.at, matches!(self.power, Power::Stopping(_)));
        let before = self.places[place].writer;
        if effect == VolumeEffect::Close && stopped {
            let down = self.cameras.iter().all(|camera| {
                [Some(&camera.main), camera.fallback.as_ref()].into_iter().flatten().all(
                    |source| match source.link {
                        crate::stream::Link::Down => true,
                        crate::stream::Link::TearingDown(since) => at.since(since) >= secs(6),
                        crate::stream::Link::Connecting | crate::stream::Link::Up(_) => false,
                    },
                )
            });
            self.demand(down, Invariant::Stops, || format!("vol{place} is closed before its cameras"));
        }
        if let Err(wrong) = self.places[place].command(&effect, at, stopped) {
            let known = format!("{:?}", self.places[place].writer);
            return self.demand(false, Invariant::Place, || format!("vol{place}: {wrong} ({known})"));
        }
        let life = self.places[place].life;
        let errand = self.places[place].errand;
        let plan = |world: &mut World, after: Duration, life: u32, step: PlaceStep| {
            world.agenda.at(world.at + after, Item::Place(place as u8, life, step));
        };
        match effect {
            VolumeEffect::Open => {
                self.places[place].opening = at;
                let after = match self.rng.u32(0..100) {
                    // A scan after a power cut; longer than it is waited for.
                    0..2 => secs(self.rng.u64(5..90)),
                    _ => millis(self.rng.u64(100..2500)),
                };
                plan(self, after, life, PlaceStep::Opened);
            }
            VolumeEffect::Close => {
                if !self.places[place].has(|flaw| flaw == Flaw::Hangs) {
                    let late = self.chance(2);
                    let after = millis(self.rng.u64(50..2500)) + if late { secs(30) } else { Duration::ZERO };
                    plan(self, after, life, PlaceStep::Closed);
                }
            }
            VolumeEffect::Abandon => {
                let seen = match before {
                    Writer::Opening | Writer::Closing => Fault::Stuck,
                    Writer::None | Writer::Ready { .. } => Fault::TooSlow,
                };
                if self.places[place].attached && before != Writer::None {
                    // What the rings held by then is not stored either; and one that was asked to open has not answered since.
                    let held = earlier(at, secs(30));
                    let opening = (before == Writer::Opening).then_some(self.places[place].opening);
                    let since = opening.map_or(held, |opening| opening.min(held));
                    self.places[place].causes.of(Cause::Volume(seen)).begin(since);
                    self.places[place].causes.of(Cause::Volume(Fault::Stuck)).begin(since);
                    // Which of the two is the core's to say.
                    self.places[place].trouble = None;
                    self.places[place].doubt = Some(at);
                }
                self.closes_segments(place);
            }
            VolumeEffect::Unmount => {
                let after = self.spread(millis(100), secs(8));
                if !self.chance(3) {
                    plan(self, after, errand, PlaceStep::Unmounted);
                } else if self.chance(50) {
                    let after = secs(self.rng.u64(20..120));
                    plan(self, after, errand, PlaceStep::Unmounted);
                }
            }
            VolumeEffect::Mount => {
                let after = self.spread(millis(300), secs(20));
                if !self.chance(3) {
                    plan(self, after, errand, PlaceStep::Mounted);
                }
            }
            VolumeEffect::Status(_) | VolumeEffect::Forecast(_) => {}
        }
    }

    /// A step of a place whose time has come.
    pub fn place_step(&mut self, place: usize, life: u32, step: PlaceStep) {
        if self.power == Power::Off {
            return;
        }
        let at = self.at;
        let current = self.places[place].life == life;
        let asked = self.places[place].errand == life;
        match step {
            PlaceStep::Opened if current && self.places[place].writer == Writer::Opening => {
                self.opened(place)
            }
            PlaceStep::Closed if current && self.places[place].writer == Writer::Closing => {
                self.closed(place)
            }
            PlaceStep::Figures if current => self.place_figures(place, life),
            PlaceStep::Unmounted if asked && self.places[place].unmount_asked => {
                let it = &mut self.places[place];
                if matches!(it.writer, Writer::Ready { .. } | Writer::Closing) {
                    // In use again: the answer comes too late to be done.
                } else if it.has(|flaw| flaw == Flaw::Busy) {
                    it.kept_mounted(at);
                    self.tell_of_place(place, VolumeEvent::KeptMounted);
                } else {
                    it.unmounted(at);
                    self.tell_of_place(place, VolumeEvent::Unmounted);
                }
            }
            PlaceStep::Mounted if asked && self.places[place].mount_asked => {
                let it = &mut self.places[place];
                if it.plugged && it.writer == Writer::None {
                    // What only a check mends is mended by it, half of the time.
                    let mends = it.flaws.len();
                    it.comes(at);
                    if mends > 0 && self.chance(50) {
                        self.places[place].flaws.retain(|(_, flaw)| {
                            !matches!(flaw, Flaw::Fails(Fault::ReadOnly | Fault::Damaged))
                        });
                    }
                    self.tell_of_place(place, VolumeEvent::Attached);
                }
            }
            PlaceStep::Attached => self.attaches(place),
            PlaceStep::Released => self.releases(place),
            PlaceStep::Opened
            | PlaceStep::Closed
            | PlaceStep::Figures
            | PlaceStep::Unmounted
            | PlaceStep::Mounted => {}
        }
    }

    fn opened(&mut self, place: usize) {
        let at = self.at;
        let it = &self.places[place];
        if it.hanging || it.has(|flaw| flaw == Flaw::Hangs) {
            if it.hanging {
                self.volume_fails(place, Fault::Stuck);
            }
            // Otherwise it hangs while it is opened: no answer.
            return;
        }
        if let Some(fault) = it.fails() {
            return self.volume_fails(place, fault);
        }
        let it = &mut self.places[place];
        let known = it.known;
        let (medium, now) = (it.medium, self.clock.wall(at));
        let mut told = Vec::new();
        {
            let disk = &mut it.media[medium];
            if let Some(ends) = disk.ends {
                told.push(VolumeEvent::LedgerEnds { at: ends });
            }
            let past = disk.past.unwrap_or(Past::Stopped);
            if core::mem::take(&mut disk.torn) {
                told.push(VolumeEvent::Repaired { segments: 3, segment_bytes: 900, ledger_bytes: 0 });
            }
            for (camera, book) in disk.books.iter_mut().enumerate() {
                if book.known {
                    book.reopened();
                    // The core takes what a known volume tells for no later than its own clock.
                    if known && book.covered > now {
                        book.covered = now;
                        book.reopened();
                    }
                    let covered_until = book.covered;
                    told.push(VolumeEvent::History {
                        camera: CameraIndex(camera as u8),
                        covered_until,
                        past,
                    });
                }
            }
            disk.past = None;
            disk.used = true;
        }
        it.known = true;
        it.unmount_asked = false;
        it.writer = Writer::Ready { since: at, stored: false };
        it.well = Some(at);
        it.cleaner = Cleaner::new(Rules::DEFAULT);
        let steps = it.media[medium].steps.clone();
        for (wall, by) in steps {
            it.cleaner.stepped(wall, by);
        }
        let life = it.life;
        told.push(VolumeEvent::Ready);
        told.into_iter().for_each(|event| self.tell_of_place(place, event));
        self.agenda.at(at + millis(700), Item::Place(place as u8, life, PlaceStep::Figures));
        self.store_all_soon(place);
    }

    /// The writer comes to every ring before it.
    pub fn store_all_soon(&mut self, place: usize) {
        for camera in 0..self.cameras.len() {
            if self.cameras[camera].route == Some(place) {
                self.store_soon(camera);
            }
        }
    }

    /// The writer has let go of it with this fault.
    pub fn volume_fails(&mut self, place: usize, fault: Fault) {
        let at = self.at;
        // What is told before finds it as it was.
        self.tell_pending();
        if self.places[place].writer == Writer::None {
            return;
        }
        self.closes_segments(place);
        let it = &mut self.places[place];
        let was_ready = it.is_ready();
        let anew = matches!(fault, Fault::Foreign | Fault::Duplicate | Fault::Copied);
        let out = it.out != Out::No;
        it.end(at, anew && it.kind == VolumeKind::Disk);
        if out && it.kind == VolumeKind::Path {
            it.goes_out(at);
        }
        it.fails_with(fault, was_ready, at);
        self.tell_of_place(place, VolumeEvent::Faulted(fault));
    }

    fn closed(&mut self, place: usize) {
        let at = self.at;
        if self.places[place].has(|flaw| flaw == Flaw::Hangs) {
            return;
        }
        // What is left in the rings first.
        for camera in 0..self.cameras.len() {
            if self.cameras[camera].route == Some(place) && !self.cameras[camera].is_muffled() {
                self.store(camera, place);
            }
        }
        if self.places[place].writer != Writer::Closing || self.broken.is_some() {
            return;
        }
        self.closes_segments(place);
        let it = &mut self.places[place];
        if it.disk().past.is_none() {
            it.disk().past = Some(Past::Stopped);
        }
        it.let_go(at);
        it.causes.of(Cause::Ejected).begin(at);
        self.tell_of_place(place, VolumeEvent::Closed);
    }

    fn closes_segments(&mut self, place: usize) {
        let (at, wall) = (self.at, self.clock.wall(self.at));
        let trusted = self.anchor.trusted.then_some(wall);
        self.places[place].disk().shelf.close_all(at, trusted);
    }

    fn place_figures(&mut self, place: usize, life: u32) {
        let at = self.at;
        let it = &mut self.places[place];
        if !it.may_take() {
            return;
        }
        let blind = it.has(|flaw| flaw == Flaw::Blind);
        let troubled = it.busy.is_some() || it.has(|flaw| matches!(flaw, Flaw::Hangs | Flaw::Slow));
        let busy = it.busy.map_or(Duration::ZERO, |since| at.since(since));
        let fill = if troubled { self.fill(place) } else { 10 };
        let it = &mut self.places[place];
        let total = it.disk().shelf.total;
        let full = it.has(|flaw| flaw == Flaw::Fails(Fault::NoSpace));
        let free = (!blind).then_some(if full { 0 } else { it.disk().shelf.free() });
        let footage = Some(it.disk().shelf.footage());
        let slowest = if troubled { busy } else { millis(40) };
        let total = (!blind).then_some(total);
        it.blind = blind.then(|| it.blind.unwrap_or(at));
        let figures = VolumeFigures { busy, slowest, fill, free, total, footage };
        self.tell_of_place(place, VolumeEvent::Figures(figures));
        self.clean(place, blind);
        let next = if troubled { DENSE } else { FIGURES };
        self.agenda.at(at + next, Item::Place(place as u8, life, PlaceStep::Figures));
    }

    /// How full the fullest ring is that goes to this place, in percent.
    fn fill(&self, place: usize) -> u8 {
        let held = |camera: &crate::camera::Camera| -> Duration {
            camera.chunks.iter().map(|(from, to)| to.since(*from)).sum()
        };
        let going = self.cameras.iter().filter(|camera| camera.route == Some(place));
        let most = going.map(held).max().unwrap_or_default();
        (most.as_millis() * 100 / self.depth().as_millis()).min(100) as u8
    }

    fn clean(&mut self, place: usize, blind: bool) {
        if !self.places[place].is_ready() || self.places[place].has(|flaw| flaw == Flaw::Hangs) {
            return;
        }
        let (at, mono) = (self.at, self.clock.mono(self.at));
        let clock = self.anchor.trusted.then_some(self.clock.wall(at));
        let saboteur = &mut self.saboteur;
        let Place { media, medium, cleaner, .. } = &mut self.places[place];
        let disk = &mut media[*medium];
        let turn =
            disk.shelf.clean((at, mono), clock, cleaner, (blind, disk.doubtful), saboteur.as_deref_mut());
        for (rule, segments, bytes) in turn.deleted {
            self.tally.deleted += u64::from(segments);
            self.tell_of_place(place, VolumeEvent::Deleted { rule, segments, bytes });
        }
        if let Some((wanted, protected)) = turn.exhausted {
            self.tell_of_place(place, VolumeEvent::Exhausted { wanted, protected });
        }
        if let Some(wrong) = turn.wrong {
            self.demand(false, Invariant::Deletion, || format!("vol{place}: {wrong}"));
        }
    }

    /// udev tells of the disk that is plugged in.
    fn attaches(&mut self, place: usize) {
        let at = self.at;
        let it = &mut self.places[place];
        if it.attached || !it.plugged {
            return;
        }
        it.comes(at);
        let wall = self.clock.wall(at);
        if !it.known {
            // Nothing is known of it: what is owed to it begins now, unless its ledger says otherwise.
            for book in &mut it.disk().books {
                if !book.known {
                    *book = Book::new(wall, at);
                }
            }
        }
        it.causes.of(Cause::Ejected).end(at);
        self.tell_of_place(place, VolumeEvent::Attached);
    }

    /// A person pulls it.
    pub fn pull(&mut self, place: usize) {
        let at = self.at;
        self.tell_pending();
        let it = &mut self.places[place];
        if !it.plugged {
            return;
        }
        it.plugged = false;
        let told = it.attached || it.kind == VolumeKind::Path;
        self.closes_segments(place);
        let it = &mut self.places[place];
        let ejected = matches!(it.out, Out::Unmounting(_) | Out::Done);
        if !ejected {
            let missed =
                it.attached && (it.writer != Writer::None || it.trouble.is_some() || it.idle.is_some());
            it.causes.of(Cause::Volume(Fault::Missing)).begin(earlier(at, secs(30)));
            it.trouble = missed.then_some((Fault::Missing, at)).filter(|_| it.kind == VolumeKind::Disk);
            it.doubt = Some(at);
        } else {
            it.causes.of(Cause::Ejected).begin(earlier(at, secs(60)));
        }
        if it.writer != Writer::None && it.disk().past.is_none() {
            it.disk().past = Some(Past::Crashed);
            it.disk().torn = true;
        }
        it.goes(at);
        it.mounted = false;
        if told {
            self.pending.push_back(Event::Volume(VolumeIndex(place as u8), VolumeEvent::Detached));
        }
    }

    /// A person plugs a disk in. `other`: another one than before.
    pub fn plug(&mut self, place: usize, other: bool) {
        let at = self.at;
        let it = &mut self.places[place];
        if it.plugged {
            return;
        }
        it.plugged = true;
        if it.kind == VolumeKind::Path {
            it.mounted = true;
            if self.power != Power::Off {
                self.tell_of_place(place, VolumeEvent::Attached);
            }
            return;
        }
        if other && it.media.len() > 1 {
            it.medium = (it.medium + 1) % it.media.len();
            it.known = false;
            // Its own hole began when it left, whatever happened here since.
            it.disk().books.iter_mut().for_each(|book| book.strange = true);
            if self.power != Power::Off {
                self.tell_of_place(place, VolumeEvent::Replaced);
            }
        }
        self.agenda.at(at + millis(900), Item::Place(place as u8, 0, PlaceStep::Attached));
    }

    /// A person wants it out.
    pub fn eject(&mut self, place: usize) {
        let at = self.at;
        if self.power == Power::Off {
            return;
        }
        self.places[place].eject(at);
        // What the rings held by then may not be stored either.
        self.places[place].causes.of(Cause::Ejected).begin(earlier(at, secs(30)));
        self.tell_of_place(place, VolumeEvent::Eject);
    }

    /// A person wants it to be used again.
    pub fn reuse(&mut self, place: usize) {
        let at = self.at;
        if self.power == Power::Off {
            return;
        }
        self.places[place].reuse(at);
        self.tell_of_place(place, VolumeEvent::Use);
    }

    /// Calls to the disk return again.
    pub fn releases(&mut self, place: usize) {
        let at = self.at;
        let it = &mut self.places[place];
        it.busy = None;
        self.store_all_soon(place);
        let it = &mut self.places[place];
        if core::mem::take(&mut it.hanging) {
            self.tell_of_place(place, VolumeEvent::Released);
        } else if self.places[place].writer == Writer::Opening {
            let life = self.places[place].life;
            self.agenda.at(at + millis(100), Item::Place(place as u8, life, PlaceStep::Opened));
        } else if self.places[place].writer == Writer::Closing {
            let life = self.places[place].life;
            self.agenda.at(at + millis(100), Item::Place(place as u8, life, PlaceStep::Closed));
        }
    }

    /// What SMART says has changed.
    pub fn tell_health(&mut self, place: usize) {
        let worst = self.places[place].flaws.iter().filter_map(|(_, flaw)| match flaw {
            Flaw::Sick(badness) => Some(*badness),
            Flaw::Fails(_) | Flaw::Hangs | Flaw::Slow | Flaw::Blind | Flaw::Busy => None,
        });
        let health = match worst.max() {
            None => Health::Good,
            Some(0) => Health::Worn,
            Some(_) => Health::Failing,
        };
        if self.places[place].health != health && self.places[place].attached {
            self.places[place].health = health;
            self.places[place].diagnosed = self.at;
            self.tell_of_place(place, VolumeEvent::Health(health));
        }
    }

    /// The wall time of now, for a ledger that begins.
    pub fn wall_now(&self) -> Wall {
        self.clock.wall(self.at)
    }
}
