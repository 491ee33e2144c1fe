//! The world's side of footage: rings, writers, ledgers.

use crate::agenda::{At, Item, millis, secs};
use crate::book::{Hole, TOLERANCE};
use crate::invariant::Invariant;
use crate::place::{Flaw, Writer};
use crate::stream::{GOP, Link};
use crate::trace::earlier;
use crate::world::{Power, World};
use core::time::Duration;
use holdfast_core::effect::{Entry, Shed, Stream};
use holdfast_core::event::{CameraEvent, Cause, Event, Fault, VolumeEvent};
use holdfast_core::settings::{CameraIndex, VolumeIndex};
use holdfast_core::time::{Anchor, Span};

/// While all is well footage is stored this seldom: two thirds of what a ring holds.
const STEP: Duration = secs(20);

/// With less memory.
const SHORT_STEP: Duration = secs(4);

/// After a change footage is stored as the writer does it.
const QUICK: Duration = secs(1);

/// For so long.
const CHANGE: Duration = secs(40);

/// What a ring holds, with ample memory and without.
pub const DEPTH: (Duration, Duration) = (secs(30), secs(10));

/// A segment takes its times from one anchor.
pub const SEGMENT: Duration = secs(60);

/// A clock that was set may show as a hole for so long: in the next segment, which waits in a ring before it is durable.
const STEADY: Duration = secs(240);

/// A cause may have been true so much before or after the gap that it explains: what is noted when a fragment is durable
/// happened while it was made.
const SLACK: Duration = secs(4);

impl World {
    /// Puts what came into the ring, and drops what it cannot hold.
    pub fn settle(&mut self, camera: usize) {
        let depth = self.depth();
        let at = self.at;
        self.cameras[camera].settle(at);
        while let Some((from, to)) = self.cameras[camera].overflow(depth) {
            // The ring times what it drops by the anchor in force.
            let span = Span::new(self.wall_by(&self.anchor, from), self.wall_by(&self.anchor, to));
            let units = (to.since(from).as_millis() / 40) as u32;
            self.cameras[camera].bright = None;
            self.tell_of(camera, Stream::Main, CameraEvent::Dropped { span, units, bytes: u64::from(units) });
        }
    }

    /// What a ring holds now.
    pub fn depth(&self) -> Duration {
        if self.shed >= Shed::Depth { DEPTH.1 } else { DEPTH.0 }
    }

    /// From the next keyframe of this stream on, it is what the ring takes.
    pub fn record(&mut self, camera: usize, stream: Stream) {
        let at = self.at;
        self.judge_record(camera, stream);
        self.cameras[camera].wanted = stream;
        self.agenda.at(at + millis(self.rng.u64(10..2000)), Item::Switch(camera as u8));
        self.store_soon(camera);
    }

    /// A keyframe of the stream that is wanted has come, perhaps.
    pub fn switch(&mut self, camera: usize) {
        let wanted = self.cameras[camera].wanted;
        if self.cameras[camera].selected == wanted {
            return;
        }
        let flows = self.cameras[camera].source(wanted).is_some_and(|source| source.flows());
        if flows {
            self.settle(camera);
            self.cameras[camera].selected = wanted;
            let at = self.at;
            self.cameras[camera].follow(at);
            self.store_soon(camera);
        } else if let Some(Link::Up(up)) = self.cameras[camera].source(wanted).map(|source| source.link)
            && up.begun
        {
            self.agenda.at(self.at + GOP, Item::Switch(camera as u8));
        }
    }

    /// A camera's footage goes elsewhere.
    pub fn route(&mut self, camera: usize, to: Option<usize>) {
        self.tally.routes += 1;
        let ready = to.is_none_or(|to| self.places[to].is_ready());
        self.demand(ready, Invariant::Routing, || format!("cam{camera} is routed to vol{to:?}, not ready"));
        self.cameras[camera].route = to;
        self.cameras[camera].bright = None;
        self.store_soon(camera);
    }

    /// From now on it is stored in quick steps for a while.
    pub fn store_soon(&mut self, camera: usize) {
        let at = self.at;
        let cam = &mut self.cameras[camera];
        cam.quick_until = at + CHANGE;
        cam.life += 1;
        let life = cam.life;
        self.agenda.at(at + millis(300), Item::Store(camera as u8, life));
    }

    /// The writer comes to a camera's ring.
    pub fn store_step(&mut self, camera: usize, life: u32) {
        if self.cameras[camera].life != life || self.power == Power::Off {
            return;
        }
        let Some(place) = self.cameras[camera].route else { return };
        self.settle(camera);
        let slow = self.places[place].has(|flaw| flaw == Flaw::Slow);
        let step = match () {
            () if slow => self.spread(secs(6), secs(50)),
            () if self.cameras[camera].quick_until > self.at => QUICK,
            () if self.shed >= Shed::Depth => SHORT_STEP,
            () => STEP,
        };
        self.agenda.at(self.at + step, Item::Store(camera as u8, life));
        let at = self.at;
        if slow || self.places[place].has(|flaw| flaw == Flaw::Hangs) {
            let causes = &mut self.places[place].causes;
            causes.of(Cause::Volume(Fault::TooSlow)).begin(earlier(at, DEPTH.0));
            causes.of(Cause::Volume(Fault::Stuck)).begin(earlier(at, DEPTH.0));
        }
        if slow {
            // A call ends, and the next one begins; the first one began when it became slow.
            let first = self.places[place].busy.replace(at).is_none();
            if first {
                return;
            }
        }
        if self.places[place].has(|flaw| flaw == Flaw::Hangs) {
            self.places[place].busy.get_or_insert(at);
            return;
        }
        if let (Some(fault), Writer::Ready { .. }) = (self.places[place].fails(), self.places[place].writer) {
            return self.volume_fails(place, fault);
        }
        if self.places[place].may_take() && !self.cameras[camera].is_muffled() {
            self.store_settled(camera, place);
        }
    }

    /// What the ring holds becomes durable.
    pub fn store(&mut self, camera: usize, place: usize) {
        self.settle(camera);
        self.store_settled(camera, place);
    }

    fn store_settled(&mut self, camera: usize, place: usize) {
        // What is to be told before comes first: footage that was dropped, a failure.
        self.tell_pending();
        if !self.places[place].may_take() || self.cameras[camera].route != Some(place) {
            return;
        }
        // A list for each step of each camera would cost more than what is done with it.
        let mut chunks = core::mem::take(&mut self.chunks);
        self.cameras[camera].take(&mut chunks);
        for chunk in chunks.drain(..) {
            if !self.places[place].may_take() || self.broken.is_some() {
                break;
            }
            self.store_chunk(camera, place, chunk);
        }
        self.chunks = chunks;
    }

    fn store_chunk(&mut self, camera: usize, place: usize, (from, to): (At, At)) {
        let anchor = self.segment(camera, place);
        let span = Span::new(self.wall_by(&anchor, from), self.wall_by(&anchor, to));
        if span.is_empty() {
            return;
        }
        self.tally.stored += 1;
        let at = self.at;
        let wall = anchor.trusted.then_some(span.to);
        let medium = self.places[place].disk();
        let bytes = medium.shelf.store(camera, at, to.since(from), wall);
        if anchor.trusted {
            medium.ends = Some(medium.ends.map_or(span.to, |before| before.max(span.to)));
        }
        let (loose, vague) = (medium.books[camera].loose, medium.books[camera].vague);
        let hole = medium.books[camera].store(span, (from, to));
        let claimed = hole.is_some_and(|(rest, _)| medium.books[camera].has_claimed(rest.to));
        if loose && anchor == self.anchor {
            self.places[place].disk().books[camera].loose = false;
        }
        self.hole = hole.map(|(rest, truly)| Hole { camera, place, rest, truly, loose, vague, claimed });
        if self.hole.is_none() && loose {
            let (rest, truly) = (Span::new(span.from, span.from), (from, from));
            self.hole = Some(Hole { camera, place, rest, truly, loose, vague, claimed });
        }
        self.cameras[camera].stored[place].of(Cause::OnAnotherVolume).span(from, to);
        let camera_index = CameraIndex(camera as u8);
        let frames = (to.since(from).as_millis() / 40) as u32;
        let event = VolumeEvent::Stored { camera: camera_index, span, frames, bytes: bytes.max(1) };
        self.tell(Event::Volume(VolumeIndex(place as u8), event));
        if let Some(Hole { rest, loose: false, claimed: false, .. }) = self.hole.take() {
            self.demand(rest.micros() <= TOLERANCE, Invariant::Tiles, || {
                format!("vol{place}: {rest:?} of cam{camera} is not told as missing")
            });
        }
        self.places[place].disk().books[camera].strange = false;
        self.places[place].proves(at);
        let cam = &mut self.cameras[camera];
        if cam.flows() && at.since(to) < secs(2) {
            cam.bright.get_or_insert(at);
        }
    }

    fn segment(&mut self, camera: usize, place: usize) -> Anchor {
        let at = self.at;
        match self.segments[camera] {
            Some((anchor, on, since)) if on == place && at.since(since) < SEGMENT => anchor,
            Some(_) | None => {
                self.segments[camera] = Some((self.anchor, place, at));
                self.anchor
            }
        }
    }

    /// An entry of a ledger.
    pub fn account(&mut self, place: usize, entry: Entry) {
        match entry {
            Entry::Gap { camera, span, cause } => self.gap(place, usize::from(camera.0), span, cause),
            Entry::GapOpened { camera, .. } => {
                let ready = self.places[place].is_ready();
                self.demand(ready, Invariant::Tiles, || {
                    format!("cam{}: a gap is opened on vol{place}, which is not ready", camera.0)
                });
            }
            Entry::ClockStepped { at, by_micros } => {
                let steps = &mut self.places[place].disk().steps;
                steps.push((at, by_micros));
                if steps.len() > 40 {
                    steps.remove(0);
                }
            }
            Entry::TimeCorrected { .. } => {}
            Entry::VolumeFaulted { .. } => {
                let ready = self.places[place].is_ready();
                self.demand(ready, Invariant::Tiles, || {
                    format!("vol{place} is told of its fault, not ready")
                });
            }
        }
    }

    fn gap(&mut self, place: usize, camera: usize, span: Span, cause: Cause) {
        self.tally.gaps += 1;
        self.demand(!span.is_empty(), Invariant::Tiles, || format!("an empty gap of cam{camera}: {span:?}"));
        let Some(mut hole) = self.hole.filter(|hole| (hole.camera, hole.place) == (camera, place)) else {
            // A hole that only a correction of the clock showed.
            let allowed = self.judge.corrected.is_some();
            return self.demand(allowed, Invariant::Tiles, || {
                format!("vol{place}: a gap of cam{camera} where there is no hole: {span:?} {cause}")
            });
        };
        if hole.loose {
            return;
        }
        // What was covered before the clock went back and forth is not missing.
        let vague = core::mem::take(&mut hole.vague);
        let fits = (span.from == hole.rest.from || vague) && span.to <= hole.rest.to;
        self.demand(fits, Invariant::Tiles, || {
            format!("vol{place}: gap of cam{camera} {span:?} ({cause}) does not tile {:?}", hole.rest)
        });
        let (from, to) = hole.truly;
        hole.rest.from = span.to;
        self.hole = Some(hole);
        // What lay in the hole is only known while the clock did not jump in it, or so short before that it shows there.
        let steady = self.judge.anchored.is_none_or(|moved| moved < earlier(from, STEADY));
        if !steady || self.places[place].disk().books[camera].strange {
            return;
        }
        let start = self.true_moment(span.from).max(earlier(from, SLACK));
        let end = self.true_moment(span.to).min(to + SLACK);
        self.tally.causes += 1;
        let plausible = self.is_plausible(place, camera, cause, (earlier(start, SLACK), end + SLACK));
        self.demand(plausible, Invariant::TrueCause, || {
            format!("vol{place}: cam{camera} is said to miss {span:?} for '{cause}', which was not so")
        });
    }

    fn true_moment(&self, wall: holdfast_core::time::Wall) -> At {
        self.clock.at(self.anchor.mono_at(wall).max(holdfast_core::time::Mono(4_000_000_000)))
    }

    fn is_plausible(&self, place: usize, camera: usize, cause: Cause, (from, to): (At, At)) -> bool {
        let cam = &self.cameras[camera];
        match cause {
            Cause::Stopped | Cause::Crashed | Cause::PowerLost | Cause::OutOfMemory => {
                self.judge.down.overlaps(cause, from, to)
            }
            Cause::OnAnotherVolume => (0..self.places.len())
                .any(|other| other != place && cam.stored[other].overlaps(Cause::OnAnotherVolume, from, to)),
            Cause::Volume(_) | Cause::Ejected => self.places[place].causes.overlaps(cause, from, to),
            Cause::Starting => cam.causes.overlaps(cause, from, to),
            Cause::Camera(_) if cam.away.overlaps(cause, from, to) => true,
            Cause::Camera(_) | Cause::Lost | Cause::RingOverflow => cam.causes.overlaps(cause, from, to),
            // Only where it was not steady.
            Cause::ClockStepped => false,
            Cause::Deleted(_) => false,
            // Never said by a core that knows its volumes.
            Cause::Unknown => false,
        }
    }

    /// Footage is timed by another anchor from now on.
    pub fn set_anchor(&mut self, anchor: Anchor) {
        let at = self.at;
        let moved = anchor.wall_at(anchor.mono).micros_since(self.anchor.wall_at(anchor.mono)).unsigned_abs();
        // One that was told to end is one still: what it stored is put right too.
        let session = match self.power {
            Power::Running(since) => since < at,
            Power::Stopping(_) => true,
            Power::Off => false,
        };
        if session && !self.anchor.trusted && (anchor.trusted || moved > 30_000) {
            // What was stored in times that nobody trusted is told anew, by other rules.
            self.judge.corrected = Some(at);
            for medium in self.places.iter_mut().flat_map(|place| &mut place.media) {
                medium.books.iter_mut().for_each(|book| book.loose = true);
            }
        }
        if moved > 30_000 {
            self.judge.anchored = Some(at);
        }
        if moved > 2_000_000 {
            // Segments that are open go on in the old times until their next keyframe.
            let due = earlier(at + GOP, SEGMENT);
            self.segments.iter_mut().flatten().for_each(|segment| segment.2 = segment.2.min(due));
            for camera in 0..self.cameras.len() {
                self.store_soon(camera);
            }
            for place in &mut self.places {
                let ready = place.is_ready();
                for (index, medium) in place.media.iter_mut().enumerate() {
                    medium.doubtful |= !(ready && index == place.medium);
                }
            }
        }
        if anchor.trusted != self.anchor.trusted || !session {
            self.judge.trust = (anchor.trusted, at);
        }
        self.anchor = anchor;
    }
}
