//! When an access unit was really there: the camera's own clock, held against its arrival.
//!
//! Words: **raw** time is made of RTP timestamps alone, from the arrival of a connection's first packet on:
//! exact from frame to frame, but it runs at the camera's rate. It is in nanoseconds, and may lie before the clock's start:
//! stamps can fall to before the connection's first. **Lateness** is arrival minus presentation. Raw time
//! **leaps** ahead, **falls** back, or **stands** still where a camera's stamps are wrong.
//!
//! Arrival alone jitters with the network and with this machine's load; RTP time alone drifts by a
//! camera's 200 ppm (17 s a day). So presentation is raw time plus an offset, and the offset follows
//! the least lateness of the last seconds, so slowly that no frame's duration shows it. Audio follows the
//! video's offset: one clock drives both in a camera. Lateness that grows far all the same is followed faster, and where that
//! does not help time goes as arrival does ([`rate`]): a camera's clock may be good and its frame rate be not the one that it
//! stamps by.
//!
//! Where stamps are wrong, time goes on as arrival does, from what was shown last:
//!
//! | raw time | is known by | the unit's time |
//! |---|---|---|
//! | leaps | it would be shown well before it arrived is impossible: at once | new offset |
//! | falls | it lies below the newest by more than any reordering: at once, or when it rises above it again | new offset |
//! | stands | two units in a row have one stamp: at once | arrival, rising, until it moves |
//! | is late | all of ten seconds are: what a network holds back comes in a burst, and is never late for so long | new offset |
//!
//! A network that stalls makes arrival late and leaves the steps of raw time as they are: nothing is changed for it.

use std::time::Duration;

use holdfast_core::time::Mono;

use self::rate::Rate;
use self::sound::Sound;
use crate::ring::TrackKind;

mod rate;
mod sound;

/// The least lateness is taken over this long: longer than a burst or a busy moment of this machine.
const WINDOW: i64 = 10_000_000_000;

/// Lateness that is left alone: under a frame, and what a healthy network jitters.
const DEAD_BAND: i64 = 10_000_000;

/// How fast the offset follows, in nanoseconds per second: five times a bad camera's drift, and under a
/// tick of 1/90000 s from frame to frame at 100 fps.
const SLEW_PER_SECOND: i64 = 1_000_000;

/// Lateness beyond this is followed fast, long before it is the half second that time in files is to be true to: it is more than a
/// clock drifts in a window, so the camera stamps by the frame rate that it was set to, and films at another.
const FAR: i64 = 100_000_000;

/// The least lateness is taken over this long then, or what a rate adds meanwhile would never be made up for.
const FAR_WINDOW: i64 = 4_000_000_000;

/// It is followed so for this long after it was far last: a rate that is off stays off.
const CALM: i64 = 60_000_000_000;

/// How fast then: a rate that is off by 2 % is followed within half a second, whichever way it is off; for more see [`rate`]. A frame
/// of 40 ms is 2 ms longer or shorter meanwhile, which nobody sees.
const FAST_SLEW_PER_SECOND: i64 = 50_000_000;

/// A stamp is in the future by and by, and not by a leap, if the frame that brought it there came closer to its place than this:
/// a fifth of a second is further than a rate brings a frame, unless it is a few frames a second.
const CREEP: i64 = JUMP / 2;

/// Beyond this the offset jumps: RTP time was set, or packets were held back for long. Just inside the half
/// second that time in files is to be true to.
const JUMP: i64 = 400_000_000;

/// A connection's first picture is of now if it comes later than this: raw time begins with whatever the camera sends,
/// and a stalled one sends reports alone, for as long as it likes. Less is the time that a busy machine takes to
/// build the media path, and what has come meanwhile follows in one burst.
const FIRST_PICTURE: i64 = 2_000_000_000;

/// Units wait for this long at a connection's beginning, until it is known whether they are of now: some servers
/// send what they have since their last keyframe at once, so that a viewer has a picture soon.
const SETTLE: i64 = 300_000_000;

/// B-frames lie below the newest frame by no more than this: three of them at two frames a second. What lies deeper
/// has fallen, whatever is known of the stream.
const MOST_REORDER: i64 = 1_500_000_000;

/// After so many frames of one format its reordering is known: twice the deepest that H.264 and H.265 allow.
const LEARNT: u32 = 32;

/// Raw time that moves less than this from one unit to the next stands still: no camera films a thousand frames a second.
const STILL: i64 = 1_000_000;

/// The least step from one unit to the next where arrival gives none: what a burst of units without time is spread by.
const LEAST_STEP: i64 = 1_000_000;

/// Stamps that stand for this long are told as frozen. A single one that is doubled is not.
const FROZEN: i64 = 1_000_000_000;

/// A step that is taken back within this was a glitch of some frames, or frames whose order was not known yet.
const GLITCH: i64 = 2_000_000_000;

/// The offset of one connection.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    origin: Origin,
    offset: i64,
    /// What is left of the lateness that the last window found, to be followed.
    owed: i64,
    /// Until then it is followed fast.
    far_until: i64,
    /// Arrival of the unit before.
    before: Option<i64>,
    window: Option<Window>,
    newest: Option<Newest>,
    /// Raw time of the unit before.
    last_raw: i64,
    /// Since when raw time stands, by arrival.
    standing: Option<i64>,
    order: Order,
    /// The last step of the offset: when, and by how much.
    step: Option<(i64, i64)>,
    sound: Sound,
    rate: Rate,
    tally: Tally,
}

/// What was wrong with a connection's stamps, all since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// How often they leapt ahead.
    pub jumps: u64,
    /// How often they fell back.
    pub backwards: u64,
    /// Whether they stand still now.
    pub frozen: bool,
}

/// Whether it is known where the connection's time lies.
#[derive(Debug)]
enum Origin {
    /// Since the first unit, if one has come; least lateness of the video since.
    Open {
        since: Option<i64>,
        least: i64,
    },
    Known,
}

impl Default for Origin {
    fn default() -> Self {
        Origin::Open { since: None, least: 0 }
    }
}

#[derive(Debug)]
struct Window {
    since: i64,
    least: i64,
}

impl Window {
    /// A unit came so late. Once the window is so long, the least of all in it; then the next one begins with the next unit.
    fn take(window: &mut Option<Window>, length: i64, arrival: i64, lateness: i64) -> Option<i64> {
        let now = window.get_or_insert(Window { since: arrival, least: lateness });
        now.least = now.least.min(lateness);
        let least = now.least;
        window.take_if(|window| arrival - window.since >= length).map(|_| least)
    }
}

/// The video unit that is shown last of all so far.
#[derive(Clone, Copy, Debug)]
struct Newest {
    raw: i64,
    shown: i64,
    arrival: i64,
    /// Its lateness; while arrival gives the time, that of the unit which did not need it, or bursts would add up.
    late: i64,
}

impl Newest {
    fn new(raw: i64, shown: i64, arrival: i64) -> Self {
        Newest { raw, shown, arrival, late: arrival - shown }
    }

    /// When a unit is shown that arrives now, if time went on as arrival did.
    fn next(&self, arrival: i64) -> i64 {
        (arrival - self.late).max(self.shown.saturating_add(LEAST_STEP))
    }
}

/// A unit whose stamp moved, after some that stood.
#[derive(Clone, Copy, Debug)]
struct Moved {
    /// The offset is another one: what lay below the newest is of no account.
    anew: bool,
    /// The least time that it is to have, so that none runs back.
    floor: i64,
}

/// What is known of the order in which the stream's frames come.
#[derive(Debug, Default)]
struct Order {
    /// Frames since the format is what it is.
    units: u32,
    /// The deepest that one lay below the newest, of those that were reordered.
    deepest: i64,
    /// The same, since the newest came.
    dip: i64,
    /// The longest time without a unit since the newest came.
    gap: i64,
}

impl Order {
    /// What lies deeper below the newest than this has fallen.
    fn limit(&self) -> i64 {
        if self.units < LEARNT { MOST_REORDER } else { (2 * self.deepest).clamp(JUMP / 2, MOST_REORDER) }
    }

    /// A newer unit came, `late` by this against the one that was the newest before. Whether it is so late since raw time
    /// fell: units came all the while, and were below it.
    fn rose(&mut self, late: i64) -> bool {
        let (dip, gap) = (std::mem::take(&mut self.dip), std::mem::take(&mut self.gap));
        if dip == 0 {
            return false;
        }
        if late < JUMP / 2 {
            self.deepest = self.deepest.max(dip);
        }
        late > JUMP && gap < late / 2
    }
}

impl Timeline {
    /// Takes notice of a unit before it is placed. While false, it waits: others may show that it is older than its
    /// arrival.
    pub fn is_settled(&mut self, kind: TrackKind, raw: i64, arrival: Mono) -> bool {
        let Origin::Open { since, least } = &mut self.origin else { return true };
        let (raw, arrival) = (within(raw), nanos(arrival));
        if kind == TrackKind::Video {
            *least = (*least).min(arrival - raw);
        }
        if arrival - *since.get_or_insert(arrival) < SETTLE {
            return false;
        }
        if *least < -DEAD_BAND {
            self.offset = *least;
        }
        self.origin = Origin::Known;
        true
    }

    /// The connection's time begins anew. What was wrong so far stays counted.
    pub fn begin_anew(&mut self) {
        let tally = Tally { frozen: false, ..self.tally };
        *self = Timeline { tally, ..Timeline::default() };
    }

    /// Another format may come in another order.
    pub fn format_changed(&mut self) {
        self.order = Order { deepest: self.order.deepest, ..Order::default() };
    }

    /// What was wrong so far.
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// Presentation time of a video unit of raw time `raw` that arrived at `arrival`.
    pub fn video(&mut self, raw: i64, arrival: Mono) -> Mono {
        let (raw, arrival) = (within(raw), nanos(arrival));
        let gap = self.slew(arrival);
        let last_raw = std::mem::replace(&mut self.last_raw, raw);
        self.order.units = self.order.units.saturating_add(1);
        moment(match self.newest {
            None => self.first(raw, arrival),
            Some(newest) if (raw - last_raw).abs() < STILL => self.stand(newest, arrival),
            Some(newest) if self.rate.is_off() => self.go_by_arrival(newest, raw, arrival),
            Some(newest) => {
                self.order.gap = self.order.gap.max(gap);
                self.go_on(newest, raw, arrival)
            }
        })
    }

    /// Presentation time of an audio unit.
    pub fn audio(&mut self, raw: i64, arrival: Mono, duration: Option<Duration>) -> Mono {
        let (raw, arrival) = (within(raw), nanos(arrival));
        let duration = duration.map_or(0, |duration| i64::try_from(duration.as_nanos()).unwrap_or(0));
        moment(self.sound.place(raw, self.shift(raw), arrival, duration))
    }

    fn first(&mut self, raw: i64, arrival: i64) -> i64 {
        let lateness = arrival - self.shift(raw);
        if !(-JUMP..=FIRST_PICTURE).contains(&lateness) {
            self.follow(lateness);
        } else {
            self.watch(arrival, lateness);
        }
        let shown = self.shift(raw);
        self.newest = Some(Newest::new(raw, shown, arrival));
        shown
    }

    /// A unit whose raw time is another one than that of the unit before.
    fn go_on(&mut self, newest: Newest, raw: i64, arrival: i64) -> i64 {
        let moved = self.move_on(newest, raw, arrival);
        let lateness = arrival - self.shift(raw);
        let rise = raw - newest.raw;
        let is_newer = if moved.is_some_and(|moved| moved.anew) {
            true
        } else if lateness < -JUMP {
            // Nothing arrives before it was sent: such a stamp is wrong at once, a late one only if all are.
            let by = newest.next(arrival) - self.shift(raw);
            if by.abs() >= CREEP {
                self.leap(newest, raw, arrival);
                true
            } else {
                // It came to that by and by, faster than can be followed: from here on time goes as arrival does.
                if rise > 0 {
                    self.follow(by);
                }
                rise > 0
            }
        } else if -rise > self.order.limit() && lateness > JUMP {
            self.fall(newest, raw, arrival);
            true
        } else if rise > 0 {
            if self.order.rose(arrival - newest.arrival - rise) && lateness > JUMP {
                self.fall(newest, raw, arrival);
            } else {
                self.watch(arrival, lateness);
            }
            true
        } else {
            self.order.dip = self.order.dip.max(-rise);
            self.watch(arrival, lateness);
            false
        };
        let shown = moved.map_or(self.shift(raw), |moved| self.shift(raw).max(moved.floor));
        if is_newer {
            self.newest = Some(Newest::new(raw, shown, arrival));
        }
        shown
    }

    /// Raw time gives the order of frames, and arrival their time.
    fn go_by_arrival(&mut self, newest: Newest, raw: i64, arrival: i64) -> i64 {
        let rise = raw - newest.raw;
        let shown = newest.next(arrival);
        let by = shown - self.shift(raw);
        if !(-MOST_REORDER..=MOST_REORDER).contains(&rise) {
            self.rate.begin_anew();
            self.follow(by);
        } else if rise <= 0 {
            return newest.shown.saturating_add(rise);
        } else if self.rate.keeps_up(raw, arrival) {
            self.follow(by);
        }
        self.newest = Some(Newest { raw, shown, arrival, ..newest });
        shown
    }

    /// Raw time says nothing: arrival does, and strictly rises.
    fn stand(&mut self, newest: Newest, arrival: i64) -> i64 {
        let since = *self.standing.get_or_insert(newest.arrival);
        self.tally.frozen = arrival - since >= FROZEN;
        self.window = None;
        let shown = newest.next(arrival);
        self.newest = Some(Newest { shown, arrival, ..newest });
        shown
    }

    /// Raw time moves. If it stood before: what that means for the unit.
    fn move_on(&mut self, newest: Newest, raw: i64, arrival: i64) -> Option<Moved> {
        self.standing.take()?;
        let was_frozen = std::mem::take(&mut self.tally.frozen);
        if !was_frozen && raw < newest.raw {
            return None;
        }
        // The camera's clock may have run on meanwhile, or not.
        let by = newest.next(arrival) - self.shift(raw);
        let anew = was_frozen && by.abs() > JUMP;
        if anew {
            self.tally.backwards += u64::from(raw - newest.raw < -JUMP);
            self.tally.jumps += u64::from(by < -JUMP);
            self.follow(by);
        }
        self.order.dip = 0;
        Some(Moved { anew, floor: newest.shown.saturating_add(LEAST_STEP) })
    }

    fn leap(&mut self, newest: Newest, raw: i64, arrival: i64) {
        match self.taken_back(newest, raw, arrival) {
            // It had fallen for some frames alone: what fell was reordered, if it can have been.
            Some(by) if by < MOST_REORDER => {
                self.order.deepest = self.order.deepest.max(by);
                self.tally.backwards = self.tally.backwards.saturating_sub(1);
            }
            Some(_) => {}
            None => self.tally.jumps += 1,
        }
        self.order.dip = 0;
    }

    fn fall(&mut self, newest: Newest, raw: i64, arrival: i64) {
        if self.taken_back(newest, raw, arrival).is_none() {
            self.tally.backwards += 1;
        }
        self.order.dip = 0;
    }

    /// Steps to where time goes on as arrival does. If that takes back a step which was taken just before, it is taken
    /// back exactly: by how much that was.
    fn taken_back(&mut self, newest: Newest, raw: i64, arrival: i64) -> Option<i64> {
        let by = newest.next(arrival) - self.shift(raw);
        let before = self.step.filter(|(at, _)| arrival - at < GLITCH).map(|(_, by)| by);
        let near = self.order.limit().max(JUMP);
        match before.filter(|before| before.saturating_add(by).abs() < near) {
            Some(before) => {
                self.follow(-before);
                self.step = Some((arrival, -before));
                Some(before.abs())
            }
            None => {
                self.follow(by);
                self.step = Some((arrival, by));
                None
            }
        }
    }

    fn watch(&mut self, arrival: i64, lateness: i64) {
        let length = if arrival < self.far_until { FAR_WINDOW } else { WINDOW };
        let Some(least) = Window::take(&mut self.window, length, arrival, lateness) else { return };
        if least.abs() > FAR {
            self.far_until = arrival.saturating_add(CALM);
        }
        self.rate.window_ended(least);
        if least > JUMP {
            // Sound that is late as well paused with the picture: it goes with it.
            let together = self.sound.is_late();
            // A rate that is off made it later since.
            let by = if self.rate.is_off() { lateness } else { least };
            self.follow(by);
            if together {
                self.sound.follow(by);
            }
        } else if least.abs() > DEAD_BAND {
            self.owed = least;
        }
    }

    /// Moves the video's offset. The sound stays where it is: its own stamps may be right, or may step a packet later.
    fn follow(&mut self, by: i64) {
        self.offset = self.offset.saturating_add(by);
        self.owed = 0;
        self.window = None;
        self.sound.follow(by.saturating_neg());
    }

    /// Follows what is owed, as far as the time since the unit before allows. That time.
    fn slew(&mut self, arrival: i64) -> i64 {
        let elapsed = self.before.replace(arrival).map_or(0, |before| (arrival - before).max(0));
        let per_second = if arrival < self.far_until { FAST_SLEW_PER_SECOND } else { SLEW_PER_SECOND };
        let most = (elapsed / 1_000_000).saturating_mul(per_second) / 1000;
        let step = self.owed.clamp(-most, most);
        self.offset += step;
        self.owed -= step;
        elapsed
    }

    fn shift(&self, raw: i64) -> i64 {
        raw.saturating_add(self.offset)
    }
}

/// Nanoseconds since the clock's start, which an `i64` holds for 292 years: a stamp beyond is no time.
pub(super) fn nanos(moment: Mono) -> i64 {
    within(i64::try_from(moment.as_nanos()).unwrap_or(i64::MAX))
}

/// Raw time that can be reckoned with: no difference of two overflows.
fn within(raw: i64) -> i64 {
    raw.clamp(-(i64::MAX / 4), i64::MAX / 4)
}

fn moment(nanos: i64) -> Mono {
    Mono::from_nanos(u64::try_from(nanos).unwrap_or(0))
}

#[cfg(test)]
mod tests;
