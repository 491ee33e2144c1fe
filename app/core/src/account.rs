//! The account of one camera on one volume: until when footage is durable there, and why it is missing
//! since.
//!
//! Words: **covered until** is the end of the newest durable footage; a **hole** lies between it and the next footage;
//! a **point** says that from some moment on footage is missing for a cause; the **standing** cause is the one in
//! force now, if any.
//!
//! A hole is told once, when the footage after it is durable: it is cut at the points inside it, the first
//! cause reaching back to where the hole begins. A point is also told at once, as `GapOpened`, so that a crash in the
//! middle of a gap keeps its cause.
//!
//! Points of this session are monotonic moments: when the wall clock is corrected, they move with it. That is what
//! turns the first minute of a device without a battery clock into the right minute.
//!
//! Footage that was stored in the times of a clock that nobody trusted moves too, once the time is known: with the first
//! footage in the right time, since the segment that was open then goes on in the wrong one until its next keyframe.

mod point;

use crate::event::{Cause, Fault};
use crate::time::{Anchor, Mono, Span, Wall};
use crate::waits::Waits;
use heapless::Vec;
pub(crate) use holdfast_wire::segment::MAX_BEFORE as MAX_POINTS;
use point::{Point, Since, is_volumes, weight};

/// Holes up to this, in microseconds, are no gap: three frames at 30 frames a second, the least that a person sees.
/// Jitter of arrival stays below it.
const TOLERANCE: i64 = 100_000;

/// Footage that ends further than this, in microseconds, before what is covered says that the clock was set
/// back: the account goes on from there. The same bound as for a harmless correction.
const SET_BACK: i64 = 2_000_000;

/// Footage that goes on this far beyond a point, in microseconds, refutes it. A point may lie before the end of
/// the frame that came last, so it is the length of a frame at one frame a second.
const REFUTED: i64 = 1_000_000;

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    waits: Waits,
    covered_until: Wall,
    whose: Whose,
    /// The furthest that was ever covered: further than `covered_until` only after the clock was set back.
    furthest: Wall,
    standing: Option<Cause>,
    /// Since when.
    stands: Mono,
    /// In order of time.
    points: Vec<Point, MAX_POINTS>,
    /// What the ring dropped since this volume has been taking the footage begins there.
    dropped: Option<Mono>,
    /// By how many microseconds the clock was set forward since the last hole, and when for the last time.
    forward: (i64, Mono),
    /// The clock went back: what had been covered before, and where it went on. The hole between the two, if there is
    /// one, is known when the time is.
    back: Option<Back>,
    /// What is covered is to be corrected, with the first footage in the right time.
    correction: Option<Correction>,
    /// A hole that a correction showed, not yet told.
    late: Option<(Span, Cause)>,
}

/// Whether what is covered was stored in this session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    Session,
    Past,
}

#[derive(Clone, Copy, Debug)]
struct Back {
    until: Wall,
    from: Wall,
    cause: Cause,
}

#[derive(Clone, Copy, Debug)]
struct Correction {
    known: Span,
    by: i64,
    since: Mono,
    passed: Passed,
}

/// Whether footage became durable since a correction that was not in the right time for certain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Passed {
    Nothing,
    Footage,
}

impl Account {
    /// The account of a camera that has no past: it begins with the session.
    pub(crate) fn new(now: Mono, wall: Wall, waits: Waits) -> Self {
        let mut account = Account {
            waits,
            covered_until: wall,
            whose: Whose::Session,
            furthest: wall,
            standing: None,
            stands: now,
            points: Vec::new(),
            dropped: None,
            forward: (0, now),
            back: None,
            correction: None,
            late: None,
        };
        account.stand(now, Some(Cause::Starting));
        account
    }

    /// What the ledger says of the time before the session: footage until `covered_until`, then `cause`.
    pub(crate) fn remember(&mut self, covered_until: Wall, cause: Cause) {
        self.covered_until = covered_until;
        self.whose = Whose::Past;
        // A ledger tells its own times, put right already where they had to be.
        (self.correction, self.back) = (None, None);
        self.furthest = covered_until;
        self.begin_with(cause);
    }

    /// What the volume truly holds, read again: what it lost of what it had called durable is missing for `cause`. Files
    /// round their times: so little is no loss.
    pub(crate) fn correct(&mut self, covered_until: Wall, cause: Cause) {
        if self.covered_until.micros_since(covered_until) > TOLERANCE {
            self.begin_with(cause);
        }
        self.covered_until = covered_until;
        self.furthest = covered_until;
    }

    /// From `since` on this is why footage is missing, whatever had been noted after that: what was not
    /// received could not be lost later. `None`: it should flow.
    pub(crate) fn stand(&mut self, since: Mono, cause: Option<Cause>) {
        if self.standing == cause {
            return;
        }
        (self.standing, self.stands) = (cause, since);
        if let Some(cause) = cause {
            self.points.retain(|point| point.is_before(since));
            self.note(since, cause);
        }
    }

    /// Footage is missing from `since` on for this cause, although it should flow.
    pub(crate) fn note(&mut self, since: Mono, cause: Cause) {
        if self.cause_at(since) == Some(cause) {
            return;
        }
        let place = self.places_until(since);
        match self.points.get_mut(place) {
            Some(next) if next.cause == cause => {
                next.since = Since::At(since);
                next.told = false;
            }
            Some(_) | None => self.insert(Since::At(since), cause),
        }
    }

    /// What had been laid to `before` since this volume has been taking the footage was this fault of it. What the ring dropped
    /// while another one did is not.
    pub(crate) fn recast(&mut self, before: Cause, fault: Fault) {
        let Some(since) = self.dropped else { return };
        let cause = Cause::Volume(fault);
        for point in self.points.iter_mut().filter(|point| point.cause == before && !point.is_before(since)) {
            (point.cause, point.told) = (cause, false);
        }
        if self.cause_at(since) == Some(before) {
            self.note(since, cause);
        }
    }

    /// How many points lie at this moment or before it.
    fn places_until(&self, moment: Mono) -> usize {
        self.points.iter().take_while(|point| !point.is_after(moment)).count()
    }

    /// What is noted of this moment.
    fn cause_at(&self, moment: Mono) -> Option<Cause> {
        let place = self.places_until(moment).checked_sub(1)?;
        self.points.get(place).map(|point| point.cause)
    }

    /// Another volume takes the footage from now on.
    pub(crate) const fn left(&mut self) {
        self.dropped = None;
    }

    /// Why footage is missing now, if a lasting cause is known.
    pub(crate) const fn standing(&self) -> Option<Cause> {
        self.standing
    }

    /// A ring dropped footage from `since` on. A lasting cause that was known by then is why; one that came later is only if it
    /// is the volume's, which takes nothing out of the ring. A camera that gives nothing any more fills none. `taking`: this
    /// volume is the one that should have.
    pub(crate) fn dropped(&mut self, since: Mono, cause: Cause, taking: bool) {
        let cause = match self.standing {
            Some(_) if self.stands <= since => return,
            Some(standing) if is_volumes(standing) => standing,
            Some(_) | None => cause,
        };
        if taking {
            self.dropped = self.dropped.or(Some(since));
        }
        // What kept the volume from taking footage by then is why, whatever else is wrong with it since.
        let explained = self.cause_at(since).is_some_and(is_volumes);
        if self.standing.is_none() || !is_volumes(cause) || !explained {
            self.note(since, cause);
        }
    }

    /// The wall clock was set by this many microseconds.
    pub(crate) fn clock_set(&mut self, now: Mono, by: i64) {
        if by.abs() <= TOLERANCE {
            // Too little to leave a hole. Added up over days, such corrections would explain one that they did not make.
            return;
        }
        // What is set back and forward again leaves none.
        self.forward = (self.set_forward(now).saturating_add(by), now);
    }

    /// By how much the clock was set forward so lately that a hole may be of that.
    fn set_forward(&self, now: Mono) -> i64 {
        let (by, at) = self.forward;
        if now.since(at) <= self.waits.step_shows() { by } else { 0 }
    }

    /// What was recorded in the times `known` happened so much later.
    pub(crate) fn time_corrected(&mut self, now: Mono, known: Span, by: i64) {
        self.correct_times();
        if self.whose == Whose::Session && self.covered_until >= known.from {
            self.correction = Some(Correction { known, by, since: now, passed: Passed::Nothing });
        }
    }

    /// A hole that a correction showed, once.
    pub(crate) fn poll_late(&mut self) -> Option<(Span, Cause)> {
        self.late.take()
    }

    /// Footage became durable. Calls `gap` for each part of the hole before it, in order, none empty, none overlapping.
    pub(crate) fn stored(
        &mut self,
        now: Mono,
        span: Span,
        anchor: &Anchor,
        mut gap: impl FnMut(Span, Cause),
    ) {
        if span.is_empty() {
            return;
        }
        self.look_at_correction(now, span, anchor);
        if self.covered_until.micros_since(span.to) > SET_BACK {
            let cause = self.points.first().map_or(Cause::Lost, |point| point.cause);
            self.back = Some(Back { until: self.covered_until, from: span.from, cause });
            self.covered_until = span.from;
            // That it was set back has shown.
            self.forward.0 = self.forward.0.max(0);
        }
        self.whose = Whose::Session;
        if span.from.micros_since(self.covered_until) > TOLERANCE {
            self.close(now, span.from, anchor, &mut gap);
        }
        self.covered_until = self.covered_until.max(span.to);
        self.furthest = self.furthest.max(span.to);
        self.refute(anchor);
        if let (Some(cause), true) = (self.standing, self.points.is_empty()) {
            // It may have had no room before.
            let later = anchor.wall_at(self.stands) > self.covered_until;
            self.insert(if later { Since::At(self.stands) } else { Since::Covered }, cause);
        }
    }

    /// Whether the ledger has not been told of something.
    pub(crate) fn has_news(&self) -> bool {
        self.late.is_some() || self.points.iter().any(|point| !point.told)
    }

    /// The next point that the ledger has not been told of.
    pub(crate) fn poll_opened(&mut self, anchor: &Anchor) -> Option<(Wall, Cause)> {
        let by = self.correction.map_or(0, |correction| correction.by);
        let covered_until = self.covered_until.later_by(by);
        let (place, point) = self.points.iter_mut().enumerate().find(|(_, point)| !point.told)?;
        point.told = true;
        let from = if place == 0 { covered_until } else { point.wall(anchor).max(covered_until) };
        Some((from, point.cause))
    }

    /// The volume failed: what its ledger was told may not have reached it.
    pub(crate) fn tell_again(&mut self) {
        self.points.iter_mut().for_each(|point| point.told = false);
    }

    fn close(&mut self, now: Mono, to: Wall, anchor: &Anchor, gap: &mut impl FnMut(Span, Cause)) {
        let forward = self.set_forward(now);
        // A clock that was set back and is now set forward again passes over what was covered before.
        let from =
            if self.furthest < to { self.furthest.max(self.covered_until) } else { self.covered_until };
        let noted = self.points.iter().take_while(|point| point.wall(anchor) < to).count();
        let mut part = Part { from, cause: Cause::Lost };
        match self.points.first() {
            Some(first) if noted > 0 => part.cause = first.cause,
            // There and back again leaves some microseconds.
            Some(_) | None if forward > TOLERANCE => {
                part.cause = Cause::ClockStepped;
                let rest = from.later_by(forward);
                if to.micros_since(rest) > TOLERANCE {
                    part.turn(rest, Cause::Lost, gap);
                }
            }
            Some(_) | None => {}
        }
        for point in self.points.iter().take(noted).skip(1) {
            part.turn(point.wall(anchor), point.cause, gap);
        }
        part.end(to, gap);
        self.points = self.points.iter().skip(noted).copied().collect();
        self.forward = (0, now);
    }

    /// Footage is durable soon after it came, and never before: so it shows which of the two times it is in, and with it
    /// whether what is covered is to be put right now. Where the two are so near that it does not show, what it goes on from
    /// decides.
    fn look_at_correction(&mut self, now: Mono, span: Span, anchor: &Anchor) {
        let (covered, late) = (self.covered_until, self.waits.late());
        let Some(Correction { by, since, passed, .. }) = &mut self.correction else { return };
        let by = *by;
        let behind = anchor.wall_at(now).micros_since(span.to);
        let right = if by > 0 { behind < by } else { behind >= 0 };
        let distance = |from: Wall| span.from.micros_since(from).unsigned_abs();
        // No footage lies over what was before it: so much of it in the old time would mean that it is in the right one.
        let overlaps = by > 0 && covered.later_by(by).micros_since(span.from) > TOLERANCE;
        let goes_on = !overlaps && distance(covered.later_by(by)) <= distance(covered);
        if !right && now.since(*since) <= late {
            // By its age alone it might be either where little was set.
            let exactly = distance(covered.later_by(by)) <= TOLERANCE.unsigned_abs();
            if by > 0 && goes_on && exactly {
                self.correct_times();
            } else {
                *passed = Passed::Footage;
            }
            return;
        }
        let nothing = *passed == Passed::Nothing;
        let sure = if right {
            u128::from(by.unsigned_abs()) > late.as_micros() || (by > 0 && nothing)
        } else {
            nothing
        };
        if sure || goes_on {
            self.correct_times();
        } else {
            // It is in the right time already.
            self.correction = None;
        }
    }

    /// What is covered moves into the right time. The clock may have been behind what an earlier session had covered: then
    /// only now is it known what is missing between the two.
    fn correct_times(&mut self) {
        let Some(Correction { known, by, .. }) = self.correction.take() else { return };
        self.covered_until = self.covered_until.later_by(by);
        if self.furthest >= known.from && self.back.is_none() {
            self.furthest = self.furthest.later_by(by);
        }
        self.furthest = self.furthest.max(self.covered_until);
        if let Some(Back { until, from, cause }) = self.back.take_if(|back| back.from >= known.from) {
            let span = Span::new(until, from.later_by(by));
            if span.micros() > TOLERANCE {
                self.late = Some((span, cause));
            }
        }
    }

    /// The cause of the next hole from its very beginning, before all that is noted.
    fn begin_with(&mut self, cause: Cause) {
        match self.points.first_mut() {
            Some(first) if first.cause == cause => {
                first.since = Since::Covered;
                return;
            }
            Some(_) | None => {}
        }
        if self.make_room(cause) == Room::None {
            // The newest stretch joins the one before it: the past, perhaps days, weighs more than a minute.
            self.points.pop();
        }
        self.insert(Since::Covered, cause);
    }

    /// Drops the points that footage went on beyond.
    fn refute(&mut self, anchor: &Anchor) {
        let covered_until = self.covered_until;
        let refuted = self
            .points
            .iter()
            .take_while(|point| match point.since {
                Since::Covered => true,
                Since::At(_) => covered_until.micros_since(point.wall(anchor)) > REFUTED,
            })
            .count();
        if refuted > 0 {
            self.points = self.points.iter().skip(refuted).copied().collect();
        }
    }

    /// Adds a point in its place, if room can be made; else its stretch stays with the point before.
    fn insert(&mut self, since: Since, cause: Cause) {
        if self.make_room(cause) == Room::None {
            return;
        }
        let place = match since {
            Since::Covered => 0,
            Since::At(since) => self.places_until(since),
        };
        // Room was just made, and the place is within the list.
        let _ = self.points.insert(place, Point { since, cause, told: false });
    }

    /// When full, the point that says least is absorbed by the one after it, if it says less than `cause`.
    fn make_room(&mut self, cause: Cause) -> Room {
        if !self.points.is_full() {
            return Room::Free;
        }
        let weakest = self.points.iter().enumerate().min_by_key(|(_, point)| weight(point.cause));
        match weakest {
            Some((place, point)) if weight(point.cause) < weight(cause) => {
                let since = point.since;
                self.points.remove(place);
                if let Some(next) = self.points.get_mut(place) {
                    next.since = since;
                }
                Room::Free
            }
            Some(_) | None => Room::None,
        }
    }
}

/// Whether a point can be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Room {
    Free,
    None,
}

/// The part of a hole that is being told.
struct Part {
    from: Wall,
    cause: Cause,
}

impl Part {
    /// From `at` on the cause is another.
    fn turn(&mut self, at: Wall, cause: Cause, gap: &mut impl FnMut(Span, Cause)) {
        if cause != self.cause {
            self.end(at, gap);
            self.from = self.from.max(at);
            self.cause = cause;
        }
    }

    fn end(&self, at: Wall, gap: &mut impl FnMut(Span, Cause)) {
        let span = Span::new(self.from, at);
        if !span.is_empty() {
            gap(span, self.cause);
        }
    }
}
