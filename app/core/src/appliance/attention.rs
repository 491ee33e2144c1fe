//! What has to be looked at after an event: nearly always one camera, of which nothing but its figures has changed.
//!
//! Figures and footage come some hundred times a second; what they change is seen in the camera that they are of. As long as
//! that is nothing that others depend on ([`Standing`]), no machine is due and the clock is steady, everything else may rest. So the
//! cost of an event does not grow with the number of cameras, and a month is simulated in seconds.

use super::{Alive, Appliance, HEARTBEAT, Life};
use crate::camera::Standing;
use crate::event::{CameraEvent, Event, Fault, VolumeEvent};
use crate::settings::{MAX_CAMERAS, VolumeIndex};
use crate::time::{Mono, Now};
use core::time::Duration;
use heapless::Vec;

/// Everything is looked at so often at least, whatever happens: what depends on time without a deadline of its own is never
/// later than that.
const ROUND: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Attention {
    /// Whose effects are to be polled.
    pub subject: Subject,
    /// All that was owed has been polled.
    pub drained: bool,
    /// When each camera wants to be called.
    cameras: Vec<Option<Mono>, MAX_CAMERAS>,
    /// When any other machine does.
    others: Option<Mono>,
    /// When everything was looked at last.
    pub round: Mono,
}

/// Of whom there may be effects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Subject {
    #[default]
    All,
    One(usize),
    Nothing,
}

impl Attention {
    /// When any machine wants to be called.
    pub fn due(&self) -> Option<Mono> {
        self.cameras.iter().copied().flatten().chain(self.others).min()
    }
}

impl Appliance {
    /// Takes an event that concerns one camera, or nobody, and looks at the rest only if that changed anything for others.
    /// False if it is another event, or all has to be looked at anyway: then nothing of it was taken.
    pub(super) fn take_quietly(&mut self, now: Now, event: &Event) -> bool {
        let rested = now.mono.since(self.attention.round) < ROUND;
        let due = self.attention.due().is_some_and(|due| due <= now.mono);
        if self.life != Life::Running || !self.attention.drained || !rested || due {
            return false;
        }
        let place = match event {
            Event::Tick => {
                self.attend_to(now.mono, Subject::Nothing);
                return true;
            }
            Event::MemoryPressure(thousandths) => {
                let before = self.memory.shed();
                self.take_pressure(now, *thousandths);
                match self.memory.shed() == before {
                    true => self.attend_to(now.mono, Subject::Nothing),
                    false => self.attend_to_all(now),
                }
                return true;
            }
            Event::Camera(camera, CameraEvent::Received(_))
            | Event::Fallback(camera, CameraEvent::Received(_)) => usize::from(camera.0),
            Event::Volume(_, VolumeEvent::Stored { camera, .. }) => usize::from(camera.0),
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
            | Event::Stop => return false,
        };
        let before = self.standing(place, event);
        self.take(now, event.clone());
        let (able, means) = (self.able, self.means());
        let Some(camera) = self.cameras.get_mut(place) else { return true };
        camera.advance(now.mono, able, means, &mut self.rng);
        let deadline = camera.deadline(able, means);
        self.recording.follow_one(now.mono, place, &self.cameras, &self.volumes);
        if before != self.standing(place, event) {
            self.attend_to_all(now);
            return true;
        }
        self.attend_to(now.mono, Subject::One(place));
        if let Some(due) = self.attention.cameras.get_mut(place) {
            *due = deadline;
        }
        true
    }

    /// Of this alone there may be effects.
    fn attend_to(&mut self, now: Mono, subject: Subject) {
        self.beat(now);
        (self.attention.subject, self.attention.drained) = (subject, false);
    }

    /// Looks at everything, and notes when that is to be done again.
    pub(super) fn attend_to_all(&mut self, now: Now) {
        self.advance(now);
        let (able, means) = (self.able, self.means());
        (self.attention.subject, self.attention.drained) = (Subject::All, false);
        self.attention.round = now.mono;
        self.attention.cameras = self.cameras.iter().map(|camera| camera.deadline(able, means)).collect();
        self.attention.others = self.others_due();
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

    /// What others may depend on, of the camera, and of the volume that an event is of.
    fn standing(&self, place: usize, event: &Event) -> (Option<Standing>, Option<(Option<Fault>, bool)>) {
        let volume = match event {
            Event::Volume(VolumeIndex(index), _) => self.volumes.get(usize::from(*index)),
            Event::Start
            | Event::Camera(..)
            | Event::Fallback(..)
            | Event::Carrier(_)
            | Event::MemoryPressure(_)
            | Event::DiskLeftAlone { .. }
            | Event::DiskFailed { .. }
            | Event::DiskGone { .. }
            | Event::ClockSynchronised(_)
            | Event::Acknowledge(_)
            | Event::Tick
            | Event::Stop => None,
        };
        let volume = volume.map(|volume| (volume.fault(), volume.is_barred()));
        (self.cameras.get(place).map(|camera| camera.standing()), volume)
    }
}
