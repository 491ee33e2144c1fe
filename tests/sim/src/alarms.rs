//! Alarms as they were told, against what the world knows: a model of conditions.
//!
//! For each key the world says since when its condition **surely holds**, or since when it is **surely over**; where it is
//! certain of neither, nothing is demanded. The delays of each alarm stand here again, by intent: a table that is only
//! compared with itself proves nothing.

use crate::agenda::{At, secs};
use crate::invariant::Invariant;
use crate::place::{Flaw, Out};
use crate::stream::{Ail, Link};
use crate::trace::earlier;
use crate::world::World;
use core::time::Duration;
use holdfast_core::alarm::{AlarmKey, AlarmNotice, AlarmState};
use holdfast_core::effect::{Shed, Stream};
use holdfast_core::event::{Failure, Health};
use holdfast_core::settings::{CameraIndex, MAX_VOLUMES, VolumeIndex};
use holdfast_core::time::Mono;

/// What was told of alarms.
#[derive(Debug, Default)]
pub struct AlarmBook {
    known: Vec<(AlarmKey, AlarmState, At)>,
    /// Those among them that tell of a volume's fault.
    faults: Vec<usize>,
    /// What is known of those that are asked for often, at their places.
    often: Vec<(AlarmState, At)>,
}

/// What was never told.
const UNTOLD: (AlarmState, At) = (AlarmState::Normal, Mono(0));

/// Of alarms that are asked for often: a place in a list.
#[inline]
const fn place_of(key: &AlarmKey) -> Option<usize> {
    const OF_ALL: usize = 4;
    const OF_VOLUMES: usize = OF_ALL + 5 * MAX_VOLUMES;
    let place = match key {
        AlarmKey::Network => 0,
        AlarmKey::ClockUntrusted => 1,
        AlarmKey::MemoryShort => 2,
        AlarmKey::NothingRecords => 3,
        AlarmKey::SafeToRemove(volume) => OF_ALL + 5 * volume.0 as usize,
        AlarmKey::SpaceUnknown(volume) => OF_ALL + 5 * volume.0 as usize + 1,
        AlarmKey::VolumeSlow(volume) => OF_ALL + 5 * volume.0 as usize + 2,
        AlarmKey::VolumeHealth(volume, Health::Worn) => OF_ALL + 5 * volume.0 as usize + 3,
        AlarmKey::VolumeHealth(volume, Health::Failing) => OF_ALL + 5 * volume.0 as usize + 4,
        AlarmKey::CameraLost(camera) => OF_VOLUMES + 10 * camera.0 as usize,
        AlarmKey::CameraAccess(camera) => OF_VOLUMES + 10 * camera.0 as usize + 1,
        AlarmKey::CameraFallback(camera) => OF_VOLUMES + 10 * camera.0 as usize + 2,
        AlarmKey::CameraFlapping(camera) => OF_VOLUMES + 10 * camera.0 as usize + 3,
        AlarmKey::SoundLost(camera) => OF_VOLUMES + 10 * camera.0 as usize + 4,
        AlarmKey::CameraTrouble(camera, failure) => {
            let kind = match failure {
                Failure::Garbage => 5,
                Failure::TimestampsJump => 6,
                Failure::TimestampsFrozen => 7,
                Failure::TimestampsBackwards => 8,
                Failure::FormatChanges => 9,
                _ => return None,
            };
            OF_VOLUMES + 10 * camera.0 as usize + kind
        }
        _ => return None,
    };
    Some(place)
}

/// What the world knows of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Truth {
    /// It surely holds since then.
    Holds(At),
    /// It is surely over since then.
    Over(At),
    /// Who knows.
    Open,
}

impl AlarmBook {
    fn take(&mut self, at: At, key: &AlarmKey, state: AlarmState) {
        if let Some(place) = place_of(key) {
            self.often.resize(self.often.len().max(place + 1), UNTOLD);
            self.often[place] = (state, at);
        }
        if let Some((_, known, since)) = self.known.iter_mut().find(|(known, ..)| known == key) {
            (*known, *since) = (state, at);
            return;
        }
        if matches!(key, AlarmKey::Volume(..)) {
            self.faults.push(self.known.len());
        }
        self.known.push((key.clone(), state, at));
    }

    /// The state of one, and since when.
    #[inline]
    pub fn state(&self, key: &AlarmKey) -> (AlarmState, At) {
        match place_of(key) {
            Some(place) => self.often.get(place).copied().unwrap_or(UNTOLD),
            None => {
                let known = self.known.iter().find(|(known, ..)| known == key);
                known.map_or(UNTOLD, |(_, state, at)| (*state, *at))
            }
        }
    }

    /// The faults of a volume of which nobody has acknowledged the alarm that stands.
    pub fn new_faults(&self, volume: VolumeIndex) -> Vec<AlarmKey> {
        let known = self.faults.iter().map(|place| &self.known[*place]);
        let new = known.filter(|(key, state, _)| {
            *state == AlarmState::Unacknowledged && matches!(key, AlarmKey::Volume(of, _) if *of == volume)
        });
        new.map(|(key, ..)| key.clone()).collect()
    }

    /// Whether it stands.
    pub fn stands(&self, key: &AlarmKey) -> bool {
        matches!(self.state(key).0, AlarmState::Unacknowledged | AlarmState::Acknowledged)
    }

    /// All in that state.
    pub fn in_state(&self, state: AlarmState) -> Vec<AlarmKey> {
        self.known.iter().filter(|(_, known, _)| *known == state).map(|(key, ..)| key.clone()).collect()
    }
}

impl World {
    /// An alarm changed.
    pub fn alarm(&mut self, notice: AlarmNotice) {
        let at = self.at;
        let before = self.alarms.stands(&notice.key);
        let known = self.alarms.state(&notice.key).0;
        self.alarms.take(at, &notice.key, notice.state);
        let stands = self.alarms.stands(&notice.key);
        if stands && !before {
            self.tally.alarms += 1;
            self.judge_raise(&notice.key);
        }
        let skips = known == AlarmState::Normal && notice.state == AlarmState::Acknowledged;
        self.demand(!skips, Invariant::AlarmRaised, || {
            format!("{:?} is known before it was told", notice.key)
        });
    }

    /// Under a common cause a camera's own alarm waits.
    fn judge_raise(&mut self, key: &AlarmKey) {
        let (AlarmKey::CameraLost(camera) | AlarmKey::CameraFallback(camera)) = key else { return };
        let Some(cut) = self.weather.network.0 else { return };
        let at = self.at;
        let camera = usize::from(camera.0);
        let began = self.running_since().unwrap_or(at);
        // Sure only where it was well before all of them were cut, in a session that saw them well, and most were.
        let cam = &self.cameras[camera];
        // What is raised ten seconds after the cut began with it or later.
        let later = at.since(cut) >= secs(10);
        let quiet = later
            && cut > began + secs(60)
            && cam.main.ails.len() == 1
            && earlier(cut, secs(40)) > cam.healed;
        let others = self.cameras.iter().filter(|cam| earlier(cut, secs(40)) > cam.healed).count();
        let fallback = matches!(key, AlarmKey::CameraFallback(_));
        let sure = quiet && others * 4 >= self.cameras.len() * 3 && self.cameras.len() >= 4 && !fallback;
        self.demand(!sure, Invariant::Suppressed, || {
            format!("cam{camera} has an alarm of its own, and the network is cut since {:?}", at.since(cut))
        });
    }

    /// Looks at all conditions of which the world is certain.
    pub fn patrol_alarms(&mut self) {
        let Some(since) = self.running_since() else { return };
        for camera in 0..self.cameras.len() {
            self.patrol_camera_alarms(camera, since);
        }
        for place in 0..self.places.len() {
            self.patrol_place_alarms(place);
        }
        self.patrol_network_alarm(since);
        let (trusted, at) = self.judge.trust;
        let clock = if trusted { Truth::Over(at) } else { Truth::Holds(at) };
        self.judge_alarm(&AlarmKey::ClockUntrusted, clock, secs(60), secs(0));
        let memory = match self.shed {
            Shed::Nothing => Truth::Over(self.judge.shed_at),
            Shed::Depth | Shed::Audio | Shed::Fallback => Truth::Holds(self.judge.shed_at),
        };
        self.judge_alarm(&AlarmKey::MemoryShort, memory, secs(0), secs(0));
        self.patrol_nothing_records(since);
    }

    /// Demands that an alarm fits what is known. The slack of two seconds is that of the world's own items.
    #[inline]
    fn judge_alarm(&mut self, key: &AlarmKey, truth: Truth, on: Duration, off: Duration) {
        let slack = secs(2);
        match truth {
            Truth::Open => {}
            Truth::Holds(since) => {
                let fits = self.at <= since + on + slack || self.alarms.stands(key);
                if !fits {
                    self.misfits(key, truth);
                }
            }
            Truth::Over(since) => {
                let fits = !self.alarms.stands(key) || self.at <= since + off + slack;
                if !fits {
                    self.misfits(key, truth);
                }
            }
        }
    }

    #[cold]
    fn misfits(&mut self, key: &AlarmKey, truth: Truth) {
        let at = self.at;
        match truth {
            Truth::Open => {}
            Truth::Holds(since) => self.demand(false, Invariant::AlarmRaised, || {
                format!("{key:?} is not raised, though its condition holds for {:?}", at.since(since))
            }),
            Truth::Over(since) => self.demand(false, Invariant::AlarmCleared, || {
                format!("{key:?} stands, though its condition is over for {:?}", at.since(since))
            }),
        }
    }

    fn patrol_camera_alarms(&mut self, camera: usize, started: At) {
        let at = self.at;
        let index = CameraIndex(camera as u8);
        let (lost, access) = (AlarmKey::CameraLost(index), AlarmKey::CameraAccess(index));
        let network = self.alarms.state(&AlarmKey::Network);
        let common = self.alarms.stands(&AlarmKey::Network) || at.since(network.1) < secs(60);
        let cam = &self.cameras[camera];
        // Nothing flows: 10 s until a stall is seen, 15 for an attempt, 6 for a tear-down, 10 of delay; 20 for the budget.
        if let Some(dark) = cam.dark {
            let dark = at.since(dark.max(started));
            // What was refused and is now merely lost waits for its own delay.
            let passing = at.since(self.alarms.state(&access).1) < secs(12);
            let told = passing
                || self.alarms.stands(&lost)
                || self.alarms.stands(&access)
                || common
                || self.weather.is_cut();
            self.demand(told || dark < secs(61 + 20), Invariant::AlarmRaised, || {
                format!("cam{camera} gives nothing for {dark:?}, and no alarm tells it")
            });
        }
        let cam = &self.cameras[camera];
        // Footage in the times of before the clock was set is not seen as new.
        let seen = |since: At| since.max(self.judge.anchored.unwrap_or(since));
        let (recorded, since) = self.judge.recorded[camera];
        // The stream that was recorded broke, though the other one was there at once: what was to end begins anew.
        let bright = cam.bright.map_or(Truth::Open, |bright| Truth::Over(seen(bright.max(since))));
        // Steps of storing are 20 s apart: what is bright was so by the core's eyes after the next one.
        self.judge_alarm(&lost, bright, secs(0), secs(30 + 25));
        self.judge_alarm(&access, bright, secs(0), secs(25));
        let fallback = match recorded {
            Stream::Main => Truth::Over(since),
            Stream::Fallback if common || self.weather.is_cut() => Truth::Open,
            Stream::Fallback => {
                self.cameras[camera].bright.map_or(Truth::Open, |it| Truth::Holds(it.max(since)))
            }
        };
        self.judge_alarm(&AlarmKey::CameraFallback(index), fallback, secs(62), secs(30));
        self.patrol_trouble(camera, index);
        let breaks = &self.judge.live_breaks[camera];
        let last = breaks.back().copied();
        let span = secs(900);
        let flaps = match (breaks.front(), last) {
            (Some(first), Some(last)) if breaks.len() == 5 && last.since(*first) < span - secs(5) => {
                if at.since(last) < span { Truth::Holds(last) } else { Truth::Over(last + span) }
            }
            (_, last) => last.map_or(Truth::Over(started), |last| Truth::Over(last + span)),
        };
        let flaps = if matches!(flaps, Truth::Over(since) if since > at) { Truth::Open } else { flaps };
        self.judge_alarm(&AlarmKey::CameraFlapping(index), flaps, secs(0), secs(0));
    }

    fn patrol_trouble(&mut self, camera: usize, index: CameraIndex) {
        let cam = &self.cameras[camera];
        let source = match self.judge.recorded[camera].0 {
            Stream::Main => &cam.main,
            Stream::Fallback => match &cam.fallback {
                Some(fallback) => fallback,
                None => return,
            },
        };
        let settled = cam.sound_since.max(self.judge.recorded[camera].1);
        let troubles = source.ails.iter().filter(|(_, ail)| matches!(ail, Ail::Trouble(_))).count();
        let up = match source.link {
            Link::Up(up) if source.flows() => Some(up),
            Link::Up(_) | Link::Down | Link::Connecting | Link::TearingDown(_) => None,
        };
        let quiet = troubles == 0 && !cam.has_trouble();
        let now = source.trouble();
        let mute = source.has(|ail| ail == Ail::Mute);
        let single = source.ails.len() == 1;
        let heard = source.was_heard();
        for failure in [
            Failure::Garbage,
            Failure::TimestampsJump,
            Failure::TimestampsFrozen,
            Failure::TimestampsBackwards,
            Failure::FormatChanges,
        ] {
            // Two windows of 20 s to see it; a connection that is built anew against it begins again.
            let truth = match up {
                Some(up) if now == Some(failure) && troubles == 1 && single => {
                    Truth::Holds(settled.max(up.since) + secs(40))
                }
                _ if quiet => Truth::Over(settled),
                Some(_) | None => Truth::Open,
            };
            let key = AlarmKey::CameraTrouble(index, failure);
            self.judge_alarm(&key, truth, secs(10), secs(30 + 45));
        }
        let silence = match up {
            Some(up) if mute && single && heard => Truth::Holds(settled.max(up.since) + secs(10)),
            _ if !mute && self.cameras[camera].speaks() => Truth::Over(settled),
            Some(_) | None => Truth::Open,
        };
        self.judge_alarm(&AlarmKey::SoundLost(index), silence, secs(60 + 12), secs(10 + 25));
    }

    fn patrol_place_alarms(&mut self, place: usize) {
        let at = self.at;
        let index = VolumeIndex(place as u8);
        let it = &self.places[place];
        let ejected = it.ejected.map_or(Truth::Open, Truth::Holds);
        let used = it.well.map_or(Truth::Open, Truth::Over);
        let out = if it.ejected.is_some() { ejected } else { used };
        let blind = match (it.blind, it.well) {
            (Some(since), Some(well)) => Truth::Holds(since.max(well)),
            (Some(_), None) => Truth::Open,
            (None, _) => Truth::Over(at),
        };
        // While a person waits for it, what keeps it may be another fault.
        let free = it.out == Out::No && !it.known_unmounted;
        let fault = it.trouble.filter(|_| it.well.is_none() && it.doubt.is_none() && free && it.attached);
        let proven = it.proven.filter(|_| it.trouble.is_none() && it.doubt.is_none());
        let strain = it.has(|flaw| matches!(flaw, Flaw::Hangs | Flaw::Slow));
        let well = it.well;
        self.judge_alarm(&AlarmKey::SafeToRemove(index), out, secs(0), secs(0));
        self.judge_alarm(&AlarmKey::SpaceUnknown(index), blind, secs(60 + 21), secs(25));
        if let Some((fault, since)) = fault {
            let key = AlarmKey::fault(index, fault);
            self.judge_alarm(&key, Truth::Holds(since), secs(10), secs(0));
        }
        if let (Some(proven), Some(well)) = (proven, well) {
            let since = proven.max(well);
            for key in self.alarms.new_faults(index) {
                self.judge_alarm(&key, Truth::Over(since), secs(0), secs(1));
            }
        }
        if let (false, Some(well)) = (strain, well) {
            let since = well.max(self.places[place].strained.unwrap_or(well));
            self.judge_alarm(&AlarmKey::VolumeSlow(index), Truth::Over(since), secs(0), secs(65));
        }
        let health = self.places[place].health;
        for known in [Health::Worn, Health::Failing] {
            let key = AlarmKey::VolumeHealth(index, known);
            let truth = if known == health { Truth::Open } else { Truth::Over(self.places[place].diagnosed) };
            self.judge_alarm(&key, truth, secs(0), secs(0));
        }
    }

    fn patrol_network_alarm(&mut self, started: At) {
        let ailing = self.cameras.iter().filter(|cam| !cam.main.ails.is_empty()).count();
        let few = ailing * 4 < self.cameras.len() && !self.weather.has_host();
        let lit = self.cameras.iter().filter(|cam| cam.main.flows()).count();
        let most = lit * 4 > self.cameras.len() * 3;
        let at = self.at;
        self.judge.back = if few && most { self.judge.back.or(Some(at)) } else { None };
        let truth = match self.weather.network {
            // All were well before, so all are lost together.
            (Some(cut), _) => {
                let well = self.cameras.iter().filter(|cam| earlier(cut, secs(60)) > cam.healed).count();
                let sure =
                    cut > started + secs(90) && well * 4 >= self.cameras.len() * 3 && self.cameras.len() >= 4;
                if sure { Truth::Holds(cut) } else { Truth::Open }
            }
            // Over with them, whenever they came back: a probe may be what finds that they can.
            (None, over) => {
                let over = over.unwrap_or(started).max(started);
                self.judge.back.map_or(Truth::Open, |back| Truth::Over(back.max(over)))
            }
        };
        // A stall of 10 s, 10 s of delay; most fail by themselves a little later. Figures come each 8 s, then 30 s of delay.
        self.judge_alarm(&AlarmKey::Network, truth, secs(10 + 10 + 25), secs(30 + 20));
    }

    fn patrol_nothing_records(&mut self, started: At) {
        let at = self.at;
        let key = AlarmKey::NothingRecords;
        let ready = self.places.iter().filter_map(|place| place.well).max();
        let any = self.places.iter().any(|place| place.well.is_some());
        // One that was just asked for, and has not failed yet, is hoped for.
        let hope = |place: &crate::place::Place| {
            (place.mount_asked || place.writer == crate::place::Writer::Opening) && place.trouble.is_none()
        };
        if !any && self.places.iter().any(hope) {
            self.judge.none_since = None;
        } else if any {
            self.judge.none_since = None;
            let proven = self.places.iter().filter(|place| place.well.is_some() && place.trouble.is_none());
            let best = proven.filter_map(|place| place.well.max(place.proven)).min();
            let truth = match (ready, best) {
                (Some(_), Some(best)) if self.places.iter().all(|place| place.doubt.is_none()) => {
                    Truth::Over(best)
                }
                _ => Truth::Open,
            };
            self.judge_alarm(&key, truth, secs(0), secs(40));
        } else {
            let since = *self.judge.none_since.get_or_insert(at);
            self.judge_alarm(&key, Truth::Holds(since.max(started)), secs(100), secs(0));
        }
    }
}
