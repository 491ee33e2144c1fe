//! The appliance's side of the cameras: whom an event concerns, and which link may connect.

use super::{Appliance, HEARTBEAT, Life};
use crate::alarm::{AlarmKey, Detail};
use crate::camera::Means;
use crate::dial::MOST_PER_HOST;
use crate::effect::{Shed, Stream, StreamStatus};
use crate::event::CameraEvent;
use crate::link::{Link, Phase};
use crate::settings::CameraIndex;
use crate::time::{Mono, Now};

impl Appliance {
    /// A camera's second stream at this moment; `None` if it has none.
    pub fn second_stream(&self, camera: CameraIndex) -> Option<StreamStatus> {
        let link = self.cameras.get(usize::from(camera.0))?.link(Stream::Fallback)?;
        Some(match link.phase() {
            Phase::Idle => StreamStatus::Idle,
            Phase::Connecting => StreamStatus::Connecting,
            Phase::Up => StreamStatus::Connected,
            Phase::BackingOff { failure, .. } => StreamStatus::BackingOff { failure },
        })
    }

    pub(super) fn take_pressure(&mut self, now: Now, thousandths: u16) {
        let before = self.memory.shed();
        self.memory.pressure(now.mono, thousandths);
        match self.memory.shed() {
            shed if shed == before => {}
            Shed::Nothing => self.alarms.clear(now.mono, &AlarmKey::MemoryShort),
            shed @ (Shed::Depth | Shed::Audio | Shed::Fallback) => {
                self.alarms.raise(now, AlarmKey::MemoryShort, Detail::Shed(shed));
            }
        }
    }

    pub(super) fn take_of_camera(
        &mut self,
        now: Now,
        index: CameraIndex,
        stream: Stream,
        event: CameraEvent,
    ) {
        let Some(camera) = self.cameras.get_mut(usize::from(index.0)) else { return };
        camera.handle(now.mono, stream, &event, &mut self.rng);
        match event {
            CameraEvent::Unsupported { track } => {
                self.alarms.raise(now, AlarmKey::TrackNotRecorded(index, track), Detail::None);
            }
            CameraEvent::Dropped { span, units, bytes: _ } => {
                self.recording.dropped(now.mono, index, span, &self.volumes, self.clock.anchor());
                self.alarms.occur(now, AlarmKey::FootageDropped(index), Detail::Units(u64::from(units)));
            }
            CameraEvent::Streaming { .. }
            | CameraEvent::Received(_)
            | CameraEvent::Failed(_)
            | CameraEvent::TornDown => {}
        }
    }

    pub(super) fn advance_cameras(&mut self, now: Mono) {
        self.touch_dependents();
        let (able, means) = (self.able, self.means());
        for (place, camera) in self.cameras.iter_mut().enumerate() {
            if self.attention.is_touched(place) {
                camera.advance(now, able, means, &mut self.rng);
            }
        }
        if self.life == Life::Running {
            if self.network.follow(now, &self.cameras) {
                self.cameras.iter_mut().for_each(|camera| camera.hurry(now));
                self.attention.touch_all();
            }
            self.dial(now);
        }
    }

    /// Lets links connect that are due, the longest waiting first, as far as the budget allows.
    fn dial(&mut self, now: Mono) {
        while self.dial.free_at(now).is_none() {
            let Some((place, stream)) = self.next_to_dial(now) else { return };
            let Some(camera) = self.cameras.get_mut(place) else { return };
            camera.dial(stream, now);
            self.attention.touch(place);
            self.dial.note(now);
        }
    }

    /// The link that is due for the longest, a main stream before a fallback, on a host that has room.
    fn next_to_dial(&self, now: Mono) -> Option<(usize, Stream)> {
        let due = self.links().filter_map(|(place, stream, link)| {
            let since = link.due_since()?;
            let passages = self.passages(link.host()).filter(|until| *until > now).count();
            (passages < MOST_PER_HOST).then_some(((since, stream), place))
        });
        due.min().map(|((_, stream), place)| (place, stream))
    }

    /// Until when each session that is being set up or taken down counts against this host.
    fn passages(&self, host: u8) -> impl Iterator<Item = Mono> {
        self.links().filter(move |(_, _, link)| link.host() == host).filter_map(|(_, _, link)| link.passage())
    }

    fn links(&self) -> impl Iterator<Item = (usize, Stream, &Link)> {
        let of = |stream: Stream| {
            let cameras = self.cameras.iter().enumerate();
            cameras.filter_map(move |(place, camera)| Some((place, stream, camera.link(stream)?)))
        };
        of(Stream::Main).chain(of(Stream::Fallback))
    }

    /// When a link that is due may connect.
    pub(super) fn dial_deadline(&self) -> Option<Mono> {
        // The moment of the last event: what was free then has been given away.
        let now = self.heartbeat? - HEARTBEAT;
        let mut due = self.links().filter(|(_, _, link)| link.due_since().is_some()).peekable();
        due.peek()?;
        let free = self.dial.free_at(now);
        free.or_else(|| due.flat_map(|(_, _, link)| self.passages(link.host())).filter(|at| *at > now).min())
    }

    pub(super) fn means(&self) -> Means {
        if self.memory.shed() == Shed::Fallback { Means::Short } else { Means::Ample }
    }
}
