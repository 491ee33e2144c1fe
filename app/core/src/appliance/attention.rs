//! What has to be looked at after an event: nearly always one camera, of which nothing but its figures has changed.
//!
//! Figures and footage come some hundred times a second; what they change is seen in the camera, or the volume, that they are
//! of. As long as that is nothing that others depend on ([`Standing`], [`Bearing`]), no machine is due and the clock is steady,
//! everything else may rest. Else all machines are looked at, but of the cameras only those that are **touched**: an event
//! was about them, they are due, or what they depend on has changed. So the cost of an event hardly grows with the number of
//! cameras, and a month is simulated in seconds.
//!
//! Rest changes no decision: the simulation compares with a core that never rests (`tests/sim/src/twin.rs`).

use super::{Alive, Appliance, HEARTBEAT, Life};
use crate::camera::{Camera, Means};
use crate::event::{CameraEvent, Cause, Event, Fault, VolumeEvent};
use crate::forecast::Usage;
use crate::set::CameraSet;
use crate::settings::{CameraIndex, MAX_CAMERAS, MAX_VOLUMES, VolumeIndex};
use crate::time::{Mono, Now, soonest};
use core::time::Duration;
use heapless::Vec;

/// Everything is looked at so often at least, whatever happens: what depends on time without a deadline of its own is never
/// later than that. All that is known has one; one that was forgotten shows in the simulation.
const ROUND: Duration = Duration::from_secs(10);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Attention {
    /// Whose effects are to be polled.
    pub subject: Subject,
    /// All that was owed has been polled.
    pub drained: bool,
    /// The cameras that are to be looked at.
    touched: CameraSet,
    /// Those of them that have not been polled yet.
    pub unpolled: CameraSet,
    /// What all cameras depend on, as it was when they were looked at.
    seen: Option<Seen>,
    /// When each camera wants to be called.
    cameras: Vec<Option<Mono>, MAX_CAMERAS>,
    /// When a minute of some volume's usage is over.
    usages: Option<Mono>,
    /// When any other machine does.
    others: Option<Mono>,
    /// The first of all these moments, without the usages'.
    due: Option<Mono>,
    /// When everything was looked at last.
    pub round: Mono,
}

/// What all cameras, their accounts and their alarms depend on.
#[derive(Debug)]
struct Seen {
    able: Option<Mono>,
    means: Means,
    target: Option<VolumeIndex>,
    members: CameraSet,
    volumes: Vec<(bool, Option<Cause>), MAX_VOLUMES>,
}

/// Of whom there may be effects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Subject {
    #[default]
    All,
    One(usize),
    /// What the volumes will hold.
    Forecasts,
    Nothing,
}

/// What others may depend on, of a volume: changes of it that come with figures and footage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Bearing {
    ready: Option<Mono>,
    fault: Option<Fault>,
    barred: bool,
    strained: bool,
    exhausted: bool,
    space_unknown: bool,
}

impl Attention {
    /// A new event: what was touched by the one before has been looked at, and polled.
    pub const fn begin(&mut self) {
        if self.drained {
            self.touched = CameraSet::NONE;
        }
    }

    /// This camera is to be looked at.
    pub const fn touch(&mut self, place: usize) {
        self.touched = self.touched.with(place);
    }

    /// All of them are.
    pub const fn touch_all(&mut self) {
        self.touched = CameraSet::ALL;
    }

    /// Those that are.
    pub const fn touched(&self) -> CameraSet {
        self.touched
    }

    /// Those that want to be called are.
    fn touch_due(&mut self, now: Mono) {
        for (place, due) in self.cameras.iter().enumerate() {
            if due.is_some_and(|due| due <= now) {
                self.touched = self.touched.with(place);
            }
        }
    }

    /// When any machine wants to be called.
    pub fn due(&self) -> Option<Mono> {
        soonest(self.due, self.usages)
    }

    /// A camera wants to be called at another moment than before.
    fn postpone(&mut self, place: usize, to: Option<Mono>) {
        let Some(at) = self.cameras.get_mut(place) else { return };
        *at = to;
        self.due = soonest(self.due, to);
    }

    fn first(&self) -> Option<Mono> {
        self.cameras.iter().copied().fold(self.others, soonest)
    }
}

impl Appliance {
    /// Takes an event that concerns one camera, or nobody, and looks at the rest only if that changed anything for others.
    /// Gives it back if it is another event, or all has to be looked at anyway: then nothing of it was taken.
    pub(super) fn take_quietly(&mut self, now: Now, event: Event) -> Option<Event> {
        let rested = now.mono.since(self.attention.round) < ROUND;
        if self.attention.due.is_some_and(|due| due <= now.mono) {
            self.attention.due = self.attention.first();
        }
        // A forecast alone is made by a tick; any other event that comes just then is a good time to look at all.
        let due = if event == Event::Tick { self.attention.due } else { self.attention.due() };
        let is_due = due.is_some_and(|due| due <= now.mono);
        if self.life != Life::Running || !self.attention.drained || !rested || is_due {
            return Some(event);
        }
        match event {
            Event::Tick => self.forecast_quietly(now),
            Event::MemoryPressure(thousandths) => {
                let before = self.memory.shed();
                self.take_pressure(now, thousandths);
                match self.memory.shed() == before {
                    true => self.attend_to(now.mono, Subject::Nothing),
                    false => self.attend_to_all(now),
                }
            }
            Event::Camera(camera, CameraEvent::Received(_))
            | Event::Fallback(camera, CameraEvent::Received(_)) => self.take_of_one(now, camera, None, event),
            Event::Volume(volume, VolumeEvent::Stored { camera, .. }) => {
                self.take_of_one(now, camera, Some(volume), event);
            }
            Event::Volume(volume, VolumeEvent::Figures(_)) => {
                return self.take_figures_quietly(now, volume, event);
            }
            Event::Start
            | Event::Camera(..)
            | Event::Fallback(..)
            | Event::Volume(..)
            | Event::Carrier(_)
            | Event::DiskLeftAlone { .. }
            | Event::DiskFailed { .. }
            | Event::DiskGone { .. }
            | Event::ClockSynchronised(_)
            | Event::Acknowledge(_)
            | Event::Stop => return Some(event),
        }
        None
    }

    /// Takes figures of one camera's stream, or footage of it that became durable on this volume.
    fn take_of_one(&mut self, now: Now, camera: CameraIndex, volume: Option<VolumeIndex>, event: Event) {
        let place = usize::from(camera.0);
        let standing = self.cameras.get(place).map(Camera::standing);
        let bearing = volume.and_then(|volume| self.bearing(volume));
        let delivering = self.recording.delivering(place);
        self.take(now, event);
        let (able, means) = (self.able, self.means());
        let Some(camera) = self.cameras.get_mut(place) else { return };
        camera.advance(now.mono, able, means, &mut self.rng);
        let deadline = camera.deadline(able, means);
        let same = standing.is_some_and(|before| camera.stands_as(&before));
        // What the ledgers are to be told of it changes with its standing, or with the first footage on another volume.
        if volume.is_some() && (!same || delivering != self.recording.delivering(place)) {
            self.recording.follow(now.mono, (place, camera), &self.volumes);
        }
        if !same || bearing != volume.and_then(|volume| self.bearing(volume)) {
            self.attend_to_all(now);
            return;
        }
        self.attend_to(now.mono, if volume.is_some() { Subject::One(place) } else { Subject::Nothing });
        self.attention.postpone(place, deadline);
    }

    fn take_figures_quietly(&mut self, now: Now, volume: VolumeIndex, event: Event) -> Option<Event> {
        let before = self.bearing(volume);
        if before.is_none_or(|bearing| bearing.ready.is_none()) {
            return Some(event);
        }
        self.take(now, event);
        match self.bearing(volume) == before {
            true => self.attend_to(now.mono, Subject::Nothing),
            false => self.attend_to_all(now),
        }
        None
    }

    /// A minute of some usage may be over.
    fn forecast_quietly(&mut self, now: Now) {
        if self.attention.usages.is_none_or(|due| due > now.mono) {
            self.attend_to(now.mono, Subject::Nothing);
            return;
        }
        let mut same = true;
        for (volume, usage) in self.volumes.iter().zip(&mut self.usages) {
            let before = usage.short();
            usage.advance(now.mono, volume.is_ready(), &self.promise);
            same &= usage.short() == before;
        }
        match same {
            true => self.attend_to(now.mono, Subject::Forecasts),
            false => self.attend_to_all(now),
        }
        self.attention.usages = self.usages_due();
    }

    fn usages_due(&self) -> Option<Mono> {
        self.usages.iter().map(Usage::deadline).fold(None, soonest)
    }

    /// Of this alone there may be effects.
    fn attend_to(&mut self, now: Mono, subject: Subject) {
        self.beat(now);
        (self.attention.subject, self.attention.drained) = (subject, false);
    }

    /// What changes for all cameras at once touches all.
    pub(super) fn touch_dependents(&mut self) {
        if self.attention.seen.as_ref().is_some_and(|seen| self.is_as(seen)) {
            return;
        }
        self.attention.seen = Some(Seen {
            able: self.able,
            means: self.means(),
            target: self.recording.target(),
            members: self.network.members(),
            volumes: self.volumes.iter().map(|volume| (volume.is_ready(), volume.cause())).collect(),
        });
        self.attention.touch_all();
    }

    fn is_as(&self, seen: &Seen) -> bool {
        let Seen { able, means, target, members, volumes } = seen;
        self.able == *able
            && self.means() == *means
            && self.recording.target() == *target
            && self.network.members() == *members
            && self.volumes.len() == volumes.len()
            && self
                .volumes
                .iter()
                .zip(volumes)
                .all(|(volume, (ready, cause))| volume.is_ready() == *ready && volume.cause() == *cause)
    }

    /// Whom an event is about. What it changes of a volume is seen in [`Seen`].
    pub(super) fn touch(&mut self, event: &Event) {
        match event {
            Event::Camera(camera, _)
            | Event::Fallback(camera, _)
            | Event::Volume(_, VolumeEvent::Stored { camera, .. } | VolumeEvent::History { camera, .. }) => {
                self.attention.touch(usize::from(camera.0));
            }
            Event::Tick
            | Event::MemoryPressure(_)
            | Event::Volume(
                _,
                VolumeEvent::Ready
                | VolumeEvent::LedgerEnds { .. }
                | VolumeEvent::Repaired { .. }
                | VolumeEvent::Faulted(_)
                | VolumeEvent::Closed
                | VolumeEvent::Figures(_)
                | VolumeEvent::Deleted { .. }
                | VolumeEvent::Exhausted { .. }
                | VolumeEvent::WentBack
                | VolumeEvent::Unmounted
                | VolumeEvent::KeptMounted
                | VolumeEvent::Health(_)
                | VolumeEvent::Detached
                | VolumeEvent::Released
                | VolumeEvent::Eject
                | VolumeEvent::Use,
            ) => {}
            // Accounts begin anew with another disk; the others are rare.
            Event::Volume(_, VolumeEvent::Attached | VolumeEvent::Replaced)
            | Event::Start
            | Event::Carrier(_)
            | Event::DiskLeftAlone { .. }
            | Event::DiskFailed { .. }
            | Event::DiskGone { .. }
            | Event::ClockSynchronised(_)
            | Event::Acknowledge(_)
            | Event::Stop => self.attention.touch_all(),
        }
    }

    /// Looks at all machines, and notes when that is to be done again.
    pub(super) fn attend_to_all(&mut self, now: Now) {
        self.attention.touch_due(now.mono);
        self.advance(now);
        let (able, means) = (self.able, self.means());
        (self.attention.subject, self.attention.drained) = (Subject::All, false);
        self.attention.round = now.mono;
        // There is room for as many as there are cameras.
        let _ = self.attention.cameras.resize(self.cameras.len(), None);
        self.attention.unpolled = self.attention.touched;
        for place in self.attention.touched.places(self.cameras.len()) {
            if let (Some(camera), Some(due)) =
                (self.cameras.get(place), self.attention.cameras.get_mut(place))
            {
                *due = camera.deadline(able, means);
            }
        }
        self.attention.usages = self.usages_due();
        self.attention.others = self.others_due();
        self.attention.due = self.attention.first();
    }

    /// The loop is alive.
    pub(super) fn beat(&mut self, now: Mono) {
        self.heartbeat = Some(now + HEARTBEAT);
        if let Alive::Told(at) = self.alive
            && now.since(at) >= HEARTBEAT
        {
            self.alive = Alive::Owed(now);
        }
    }

    /// What others may depend on, of this volume.
    fn bearing(&self, volume: VolumeIndex) -> Option<Bearing> {
        let place = usize::from(volume.0);
        let (volume, usage) = self.volumes.get(place).zip(self.usages.get(place))?;
        Some(Bearing {
            ready: volume.ready_since(),
            fault: volume.fault(),
            barred: volume.is_barred(),
            strained: volume.is_strained(),
            exhausted: usage.is_exhausted(),
            space_unknown: usage.is_space_unknown(),
        })
    }
}
