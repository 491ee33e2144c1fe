//! One camera's segments as a stream in the order of their numbers, merged from its days.
//!
//! Days are named by the wall clock, which may have jumped; numbers only rise. So for each day a **bound** is kept: no
//! segment of it that was not passed over has a lower number. The day with the lowest bound is listed; what is
//! remembered of that listing is the **window**. Memory is a few bytes for each day, and one window.

use super::listing::{self, Named, Window};
use crate::volumes::layout::{self, Day};
use holdfast_core::time::Mono;
use holdfast_wire::ids::Name;
use holdfast_wire::time::Wall;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What cannot be listed is not tried again for this long: a disk that fails is not asked more often for it.
pub(super) const TRY_AGAIN: Duration = Duration::from_secs(10);

/// A day that could not be listed so often, [`TRY_AGAIN`] apart, is set aside: the camera's other days go on without
/// it, since a damaged directory must not keep a disk full for ever. It is tried again at each new beginning.
const PATIENCE: u8 = 3;

/// A directory that could not be listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unlisted {
    /// Which and why; only when it was tried, not while the next trial is waited for.
    pub said: Option<(PathBuf, String)>,
}

/// A camera's segments, oldest first.
#[derive(Debug)]
pub(super) struct Stream {
    camera: Name,
    /// `None` until they were listed.
    days: Option<BTreeMap<Day, DayState>>,
    trouble: Option<Trouble>,
    window: Option<(Day, Window)>,
    /// The highest number that was passed over since the last beginning.
    passed: Option<u32>,
}

#[derive(Clone, Copy, Debug)]
struct DayState {
    /// What a new beginning begins with.
    first: Bound,
    /// See the module.
    bound: Bound,
    trouble: Option<Trouble>,
}

/// What may be left in a day, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Bound {
    /// It was not listed yet: anything.
    Unlisted,
    /// Nothing below this number.
    From(u32),
    /// Nothing at all.
    Nothing,
}

impl Bound {
    fn of(named: Option<&Named>) -> Self {
        named.map_or(Bound::Nothing, |named| Bound::From(named.sequence))
    }
}

#[derive(Clone, Copy, Debug)]
struct Trouble {
    failed: u8,
    again: Mono,
}

impl Stream {
    /// The segments of a camera, none listed yet.
    pub fn new(camera: Name) -> Self {
        Stream { camera, days: None, trouble: None, window: None, passed: None }
    }

    /// The first segment that was not passed over, and the day whose directory it lies in.
    pub fn head(&mut self, root: &Path, now: Mono) -> Result<Option<(Day, Named)>, Unlisted> {
        self.list_days(root, now)?;
        loop {
            let Some(days) = &mut self.days else { return Ok(None) };
            let Some((day, state)) = days.iter_mut().min_by_key(|(day, state)| (state.bound, **day)) else {
                return Ok(None);
            };
            let (day, bound) = (*day, state.bound);
            let from = match bound {
                Bound::Unlisted => 0,
                Bound::From(sequence) => sequence,
                // What could not be listed is not nothing.
                Bound::Nothing if days.values().any(|day| day.trouble.is_some()) => {
                    return Err(Unlisted { said: None });
                }
                Bound::Nothing => return Ok(None),
            };
            if let Some((listed, window)) = &self.window
                && *listed == day
                && let Some(named) = window.found.front()
            {
                return Ok(Some((day, *named)));
            }
            if let Some(trouble) = state.trouble.filter(|trouble| now < trouble.again) {
                if trouble.failed >= PATIENCE {
                    state.bound = Bound::Nothing;
                    continue;
                }
                return Err(Unlisted { said: None });
            }
            let from = self.passed.map_or(from, |passed| from.max(passed.saturating_add(1)));
            match listing::window(root, &self.camera, day, from) {
                Ok(window) => {
                    state.trouble = None;
                    state.bound = Bound::of(window.found.front());
                    if self.passed.is_none() {
                        state.first = state.bound;
                    }
                    self.window = Some((day, window));
                }
                Err(error) if is_gone(&error) => {
                    days.remove(&day);
                }
                Err(error) => {
                    let failed = state.trouble.map_or(1, |trouble| trouble.failed.saturating_add(1));
                    state.trouble = Some(Trouble { failed, again: now + TRY_AGAIN });
                    if failed >= PATIENCE {
                        state.bound = Bound::Nothing;
                    }
                    let path = layout::day(root, &self.camera, day);
                    return Err(Unlisted { said: Some((path, error.to_string())) });
                }
            }
        }
    }

    /// Goes on behind the head.
    pub fn pass(&mut self) {
        let Some((day, window)) = &mut self.window else { return };
        let Some(named) = window.found.pop_front() else { return };
        self.passed = Some(named.sequence);
        let Some(state) = self.days.as_mut().and_then(|days| days.get_mut(day)) else { return };
        state.bound = match window.found.front() {
            None if window.more => Bound::From(named.sequence.saturating_add(1)),
            next => Bound::of(next),
        };
        if window.found.is_empty() {
            self.window = None;
        }
    }

    /// The segments after the head that were listed with it, in order: a glance ahead, not all that there are.
    pub fn ahead(&self) -> impl Iterator<Item = Named> + '_ {
        let window = self.window.iter().flat_map(|(_, window)| &window.found);
        window.skip(1).copied()
    }

    /// Begins again at the oldest.
    pub fn rewind(&mut self) {
        (self.window, self.passed) = (None, None);
        for state in self.days.iter_mut().flatten().map(|(_, state)| state) {
            state.bound = state.first;
        }
    }

    /// A segment of this number is on the volume now, in the directory of this day.
    pub fn added(&mut self, day: Day, sequence: u32) {
        let Some(days) = &mut self.days else { return };
        let new = DayState { first: Bound::Nothing, bound: Bound::Nothing, trouble: None };
        let state = days.entry(day).or_insert(new);
        state.first = state.first.min(Bound::From(sequence));
        if self.passed.is_none_or(|passed| passed < sequence) {
            state.bound = state.bound.min(Bound::From(sequence));
        }
        // A window that was listed before it would end without it.
        if let Some((listed, window)) = &mut self.window
            && *listed == day
            && window.found.back().is_none_or(|last| last.sequence < sequence)
        {
            window.more = true;
        }
    }

    /// The directory of this day is gone.
    pub fn removed(&mut self, day: Day) {
        if let Some(days) = &mut self.days {
            days.remove(&day);
        }
        if self.window.as_ref().is_some_and(|(listed, _)| *listed == day) {
            self.window = None;
        }
    }

    /// The same segments from the beginning, without listing anew what was listed.
    pub fn again(&self) -> Stream {
        let (camera, days) = (self.camera.clone(), self.days.clone());
        let mut again = Stream { camera, days, trouble: self.trouble, window: None, passed: None };
        again.rewind();
        again
    }

    /// Whether nothing is left but days that were given up for now.
    pub fn rest_is_set_aside(&self) -> bool {
        let days = || self.days.iter().flat_map(BTreeMap::values);
        self.days.is_some()
            && days().all(|day| day.bound == Bound::Nothing)
            && days().any(|day| day.trouble.is_some())
    }

    /// Lists the days, if that was not done yet.
    pub fn list_days(&mut self, root: &Path, now: Mono) -> Result<(), Unlisted> {
        if self.days.is_some() {
            return Ok(());
        }
        if self.trouble.is_some_and(|trouble| now < trouble.again) {
            return Err(Unlisted { said: None });
        }
        match listing::days(root, &self.camera) {
            Ok(days) => {
                let unknown = DayState { first: Bound::Unlisted, bound: Bound::Unlisted, trouble: None };
                self.days = Some(days.into_iter().map(|day| (day, unknown)).collect());
                Ok(())
            }
            Err(error) if is_gone(&error) => {
                self.days = Some(BTreeMap::new());
                Ok(())
            }
            Err(error) => {
                self.trouble = Some(Trouble { failed: 1, again: now + TRY_AGAIN });
                let path = layout::camera(root, &self.camera);
                Err(Unlisted { said: Some((path, error.to_string())) })
            }
        }
    }

    /// Lists one day that was never listed, so that its bound is known before heads are asked for. False if there is none.
    pub fn list_one(&mut self, root: &Path, now: Mono) -> Result<bool, Unlisted> {
        self.list_days(root, now)?;
        let unlisted = |state: &DayState| state.bound == Bound::Unlisted && state.trouble.is_none();
        let days = self.days.iter_mut().flatten();
        let Some((day, state)) = days.into_iter().find(|(_, state)| unlisted(state)) else {
            return Ok(false);
        };
        match listing::window(root, &self.camera, *day, 0) {
            Ok(window) => {
                state.bound = Bound::of(window.found.front());
                state.first = state.bound;
                Ok(true)
            }
            // `head` finds out the same, and deals with it.
            Err(_) => {
                state.trouble = Some(Trouble { failed: 0, again: now });
                Ok(true)
            }
        }
    }
}

/// The moment that all that begins before `named`'s start has begun: what a name can prove.
pub(super) fn latest_start(named: Named) -> Wall {
    named.start + Duration::from_secs(1)
}

fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
