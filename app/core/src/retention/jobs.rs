//! What the cleaner does, job by job: age, space, a full volume.

use super::choice::{Heads, PASSES, cameras};
use super::*;

/// The space kept free holds at least what comes in so long: longer than freeing a volume ever takes.
const RESERVE: Duration = Duration::from_secs(60);

/// A filesystem may give back what was deleted a little later (a journal's commit, XFS's deferred work). Figures
/// that are younger than this after a deletion would have too much deleted.
const SETTLE: Duration = Duration::from_secs(2);

/// How often a figure is expected: see the module.
const FIGURES: Duration = Duration::from_secs(1);

/// When a camera could not be listed and nothing else may be deleted, or half of what may be deleted is to be kept.
const RETRY_SOON: Duration = Duration::from_secs(5);

/// Segments without a date that one look of the rule of age passes over, to find one that is due.
const LOOKAHEAD: usize = 4096;

/// The jobs. Each returns the step, or `None` when it has handed over to the job that is set now.
impl Cleaner {
    pub(super) fn begin(&mut self, shelf: &mut impl Shelf) -> Option<Step> {
        let now = self.now;
        if now >= self.next_age && !self.ages.settled(now) {
            self.next_age = now + self.rules.age_every.max(FIGURES);
        }
        let aging = now >= self.next_age && self.ages.settled(now);
        let freeing = matches!(self.full, Fullness::Freeing { .. });
        let lacking = if aging || freeing { None } else { self.lacking() };
        if !aging && !freeing && lacking.is_none() {
            return Some(self.idle());
        }
        if self.flying.number > 0 {
            return Some(Step::Rest { until: now });
        }
        if lacking.is_some_and(|space| self.was_in_vain(space.free)) {
            self.space_from = now + RETRY;
            return Some(self.rest());
        }
        self.protected = 0;
        shelf.rewind();
        self.job = if freeing {
            Job::Full
        } else if let Some(space) = lacking {
            let left = self.missing(space, shelf);
            if left == 0 {
                self.space_from = now + RETRY_SOON;
                let (start, _) = self.bars(space.total);
                if space.free >= start || self.told.space || !self.is_hopeless(shelf) {
                    return Some(self.rest());
                }
                // Passes over what is protected at the old end, to say how much it is.
                let _heads = Heads::of(shelf, &mut self.protected);
                return Some(self.tell_space(start - space.free));
            }
            self.round = Some(Round { began: now, free: space.free, freed: 0 });
            Job::Space { left }
        } else {
            self.next_age = now + self.rules.age_every.max(FIGURES);
            self.ages.advance(now, shelf);
            Job::Survey { undated: 0 }
        };
        None
    }

    /// Finds, for each camera, the oldest segment whose time is known. What was written before one that is due is due too.
    pub(super) fn survey(&mut self, mut undated: usize, shelf: &mut impl Shelf) -> Option<Step> {
        let mut passes = 0;
        let mut due = false;
        for camera in 0..cameras(shelf) {
            let Some(age) = shelf.age(camera) else { continue };
            while let Ok(Some(head)) = shelf.head(camera) {
                let unknown = self.ages.undated(head.ended);
                if !head.protected && !unknown {
                    if head.ended.is_some_and(|ended| self.ages.due(camera, ended, age)) {
                        self.ages.outlive(camera, head.sequence);
                        due = true;
                    }
                    break;
                }
                if passes == PASSES {
                    self.job = Job::Survey { undated };
                    return Some(Step::Rest { until: self.now });
                }
                if !head.protected {
                    if undated == LOOKAHEAD {
                        break;
                    }
                    undated += 1;
                }
                passes += 1;
                shelf.pass(camera);
            }
        }
        if due {
            if undated > 0 {
                self.protected = 0;
                shelf.rewind();
            }
            self.job = Job::Age;
        } else {
            self.job = Job::Idle;
        }
        None
    }

    pub(super) fn age(&mut self, shelf: &mut impl Shelf) -> Option<Step> {
        if !self.ages.settled(self.now) {
            self.job = Job::Idle;
            return None;
        }
        let Some(heads) = Heads::of(shelf, &mut self.protected) else {
            return Some(Step::Rest { until: self.now });
        };
        let ages = &mut self.ages;
        let due = heads.oldest(|camera, head| {
            let Some(age) = shelf.age(camera) else { return false };
            ages.outlived(camera, head.sequence)
                || !ages.undated(head.ended) && head.ended.is_some_and(|ended| ages.due(camera, ended, age))
        });
        let Some((camera, candidate)) = due else {
            self.job = Job::Idle;
            return None;
        };
        Some(self.delete(camera, candidate, Rule::Age, shelf))
    }

    pub(super) fn make_space(&mut self, left: u64, shelf: &mut impl Shelf) -> Option<Step> {
        if left == 0 {
            if self.flying.number > 0 {
                // What could not be deleted is made up for by others of this round.
                return Some(Step::Rest { until: self.now });
            }
            self.job = Job::Idle;
            return None;
        }
        let Some(heads) = Heads::of(shelf, &mut self.protected) else {
            return Some(Step::Rest { until: self.now });
        };
        let Some((camera, candidate)) = heads.fair(shelf) else {
            if self.flying.number > 0 {
                return Some(Step::Rest { until: self.now });
            }
            self.job = Job::Idle;
            if heads.unlisted {
                self.space_from = self.now + RETRY_SOON;
                return Some(Step::Blocked { until: self.space_from });
            }
            self.space_from = self.now + RETRY;
            return Some(if self.is_hopeless(shelf) { self.tell_space(left) } else { self.rest() });
        };
        self.job = Job::Space { left: left.saturating_sub(candidate.bytes) };
        Some(self.delete(camera, candidate, Rule::Space, shelf))
    }

    pub(super) fn free(&mut self, shelf: &mut impl Shelf) -> Option<Step> {
        let Fullness::Freeing { wanted, freed } = self.full else {
            self.job = Job::Idle;
            return None;
        };
        if freed.saturating_add(self.flying.bytes) >= wanted {
            return Some(Step::Rest { until: self.now });
        }
        let Some(heads) = Heads::of(shelf, &mut self.protected) else {
            return Some(Step::Rest { until: self.now });
        };
        let settled = self.ages.settled(self.now);
        let old = heads.oldest(|_, head| {
            settled
                && !self.ages.undated(head.ended)
                && head.ended.is_some_and(|ended| self.ages.reached(ended, self.rules.emergency_age))
        });
        if let Some((camera, candidate)) = old {
            return Some(self.delete(camera, candidate, Rule::EmergencyAge, shelf));
        }
        if let Some((camera, candidate)) = heads.fair(shelf) {
            return Some(self.delete(camera, candidate, Rule::EmergencySpace, shelf));
        }
        if self.flying.number > 0 {
            return Some(Step::Rest { until: self.now });
        }
        Some(self.give_up(wanted, freed, heads.unlisted))
    }

    /// A full volume could not be freed. A write is the only thing that tells whether it is still full, so one is tried later.
    fn give_up(&mut self, wanted: u64, freed: u64, unlisted: bool) -> Step {
        let until = self.now + if unlisted { RETRY_SOON } else { RETRY };
        let wanted = wanted - freed;
        // The figures are from before this was freed.
        let free = self.figures.map(|(space, _)| space.free.saturating_add(freed));
        self.full = Fullness::Waiting { until, wanted, free };
        self.space_from = until;
        self.job = Job::Idle;
        if unlisted {
            return Step::Blocked { until };
        }
        self.tell_full(wanted)
    }

    /// Nothing to begin. A full volume that was freed in vain is told of here, since it was not cleaned any more.
    fn idle(&mut self) -> Step {
        match self.full {
            Fullness::Waiting { wanted, .. } if self.tries >= VAIN => self.tell_full(wanted),
            Fullness::No | Fullness::Freeing { .. } | Fullness::Waiting { .. } => self.rest(),
        }
    }

    fn tell_space(&mut self, wanted: u64) -> Step {
        if self.told.space || self.told.full {
            return self.rest();
        }
        self.told.space = true;
        Step::Exhausted { wanted, protected: self.protected, until: self.rest_until() }
    }

    fn tell_full(&mut self, wanted: u64) -> Step {
        if self.told.full {
            return self.rest();
        }
        self.told.full = true;
        Step::Exhausted { wanted, protected: self.protected, until: self.rest_until() }
    }
}

/// Figures and small steps.
impl Cleaner {
    /// Compares new figures with the rules.
    pub(super) fn judge(&mut self, space: Space) {
        let (start, stop) = self.bars(space.total);
        if space.free < start {
            self.level = Level::Low;
        } else if space.free >= stop {
            self.level = Level::Enough;
            self.told.space = false;
            self.leave_space();
        }
    }

    /// How many bytes are to be deleted, counted on a shelf that was just rewound. Zero: none, though less than `start`
    /// may be free.
    fn missing(&self, space: Space, shelf: &impl Shelf) -> u64 {
        let (start, stop) = self.bars(space.total);
        // Until it is known how much may be deleted, no more is than recording needs: a volume that others fill would lose
        // most of its footage at each opening.
        let Some(reach) = reach(space, shelf) else { return (start / 2).saturating_sub(space.free) };
        if reach / 2 >= stop {
            stop.saturating_sub(space.free)
        } else if space.free < start.min(reach / 4) {
            reach / 2 - space.free
        } else {
            0
        }
    }

    /// Whether deleting all that may be deleted would not free half of what is to be free: then a person is needed, before
    /// the volume is full. A volume that others fill, and that has footage to delete, is none.
    fn is_hopeless(&self, shelf: &impl Shelf) -> bool {
        let Some((space, _)) = self.figures else { return false };
        let (start, _) = self.bars(space.total);
        reach(space, shelf).is_some_and(|reach| reach < start / 2)
    }

    /// The space that cleaning starts under and stops at.
    fn bars(&self, total: u64) -> (u64, u64) {
        let (start, stop) = (self.rules.start.of(total), self.rules.stop.of(total));
        // The distance is kept when the reserve is more than what is configured: without one, every segment that
        // is written would have another deleted, each with its syncs.
        let reserve = self.comes_in(RESERVE).min(total / 4).max(start);
        (reserve, reserve.saturating_add(stop.saturating_sub(start)))
    }

    /// The figures, if it is time to delete for space.
    fn lacking(&self) -> Option<Space> {
        let (space, at) = self.figures?;
        let settled = self.gone.is_none_or(|gone| at >= gone + SETTLE);
        match self.level {
            Level::Low if settled && self.now >= self.space_from => Some(space),
            Level::Low | Level::Enough => None,
        }
    }

    /// Whether the round before has not made so much room as it should have: told once for each round.
    fn was_in_vain(&mut self, free: u64) -> bool {
        let Some(round) = self.round.take() else { return false };
        // What came in meanwhile is only known as a mean, and a disk that had been slow takes a burst. So only a round that
        // freed twice as much can tell, by a quarter of it that should be found; where nothing helps, free space falls until
        // one does.
        let came = self.comes_in(self.now.since(round.began));
        round.freed > 0
            && came <= round.freed / 2
            && free.saturating_add(came) < round.free.saturating_add(round.freed / 4)
    }

    pub(super) fn comes_in(&self, time: Duration) -> u64 {
        let bytes = u128::from(self.rate) * time.as_millis() / 1000;
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }

    fn delete(&mut self, camera: usize, candidate: Candidate, rule: Rule, shelf: &mut impl Shelf) -> Step {
        shelf.pass(camera);
        self.flying.number = self.flying.number.saturating_add(1);
        self.flying.bytes = self.flying.bytes.saturating_add(candidate.bytes);
        Step::Delete { camera, candidate, rule }
    }

    pub(super) const fn answered(&mut self, bytes: u64) {
        self.flying.number = self.flying.number.saturating_sub(1);
        self.flying.bytes = self.flying.bytes.saturating_sub(bytes);
    }

    pub(super) fn leave_space(&mut self) {
        if let Job::Space { .. } = self.job {
            self.job = Job::Idle;
        }
        self.round = None;
    }

    fn rest(&mut self) -> Step {
        Step::Rest { until: self.rest_until() }
    }

    /// The next moment that has something of its own.
    fn rest_until(&self) -> Mono {
        let mut until = self.next_age;
        if self.level == Level::Low && self.figures.is_some() {
            let settled = self.gone.map_or(Mono(0), |gone| gone + SETTLE);
            until = until.min(self.space_from.max(settled).max(self.now + FIGURES));
        }
        if let Fullness::Waiting { until: retry, .. } = self.full {
            until = until.min(retry);
        }
        until
    }
}

/// How many bytes could be free at most; `None` until all footage is counted.
fn reach(space: Space, shelf: &impl Shelf) -> Option<u64> {
    (0..cameras(shelf)).try_fold(space.free, |sum, camera| Some(sum.saturating_add(shelf.footage(camera)?)))
}
