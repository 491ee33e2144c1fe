//! The appliance's side of the cameras: whom an event concerns, and which link may connect.

use super::{Appliance, HEARTBEAT, Life};
use crate::alarm::{AlarmKey, Detail};
use crate::camera::Means;
use crate::dial::MOST_PER_HOST;
use crate::effect::{Shed, Stream, StreamStatus};
use crate::event::CameraEvent;
use crate::link::{Errand, Link, Phase};
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
            | CameraEvent::NoConnection
            | CameraEvent::Failed(_)
            | CameraEvent::TornDown => {}
        }
    }

    pub(super) fn advance_cameras(&mut self, now: Mono) {
        self.touch_dependents();
        let (able, means) = (self.able, self.means());
        for place in self.attention.touched().places(self.cameras.len()) {
            if let Some(camera) = self.cameras.get_mut(place) {
                camera.advance(now, able, means, &mut self.rng);
                self.network.see(place, camera);
            }
            self.look_whether_due(place);
        }
        if self.life == Life::Running {
            if self.network.follow(now) {
                self.cameras.iter_mut().for_each(|camera| camera.hurry(now));
                self.attention.touch_all();
                (0..self.cameras.len()).for_each(|place| self.look_whether_due(place));
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
            self.look_whether_due(place);
            self.attention.touch(place);
            self.dial.note(now);
        }
    }

    /// A link of this camera may have fallen due, or be due no more.
    fn look_whether_due(&mut self, place: usize) {
        let Some(camera) = self.cameras.get(place) else { return };
        let links = [Stream::Main, Stream::Fallback].map(|stream| camera.link(stream));
        let due = links.into_iter().flatten().any(|link| link.due().is_some());
        self.due = if due { self.due.with(place) } else { self.due.without(place) };
    }

    /// The links that are due: for what and since when, the one that is to connect first before the others.
    fn links_due(&self) -> impl Iterator<Item = ((Errand, Mono, Stream), usize, &Link)> {
        self.due
            .places(self.cameras.len())
            .filter_map(|place| self.cameras.get(place).map(|camera| (place, camera)))
            .flat_map(|(place, camera)| {
                [Stream::Main, Stream::Fallback].into_iter().filter_map(move |stream| {
                    let link = camera.link(stream)?;
                    let (errand, since) = link.due()?;
                    Some(((errand, since, stream), place, link))
                })
            })
    }

    /// The link that is due for the longest, a diagnosis before all others and a main stream before a fallback, on a host
    /// that has room. A diagnosis needs none: it sets up no session.
    fn next_to_dial(&self, now: Mono) -> Option<(usize, Stream)> {
        let mut first: Option<((Errand, Mono, Stream), usize)> = None;
        for (due, place, link) in self.links_due() {
            let earlier = first.is_none_or(|first| (due, place) < first);
            let has_room = || {
                let (errand, _, _) = due;
                let passages = || self.passages(link.host()).filter(|until| *until > now);
                errand == Errand::Diagnosis || passages().count() < MOST_PER_HOST
            };
            if earlier && has_room() {
                first = Some((due, place));
            }
        }
        first.map(|((_, _, stream), place)| (place, stream))
    }

    /// Until when each session that is being set up or taken down counts against this host.
    fn passages(&self, host: u8) -> impl Iterator<Item = Mono> {
        self.links().filter(move |link| link.host() == host).filter_map(Link::passage)
    }

    fn links(&self) -> impl Iterator<Item = &Link> {
        let of = |stream: Stream| self.cameras.iter().filter_map(move |camera| camera.link(stream));
        of(Stream::Main).chain(of(Stream::Fallback))
    }

    /// When a link that is due may connect.
    pub(super) fn dial_deadline(&self) -> Option<Mono> {
        // The moment of the last event: what was free then has been given away.
        let now = self.heartbeat? - HEARTBEAT;
        let mut due = self.links_due().peekable();
        due.peek()?;
        let free = self.dial.free_at(now);
        free.or_else(|| due.flat_map(|(_, _, link)| self.passages(link.host())).filter(|at| *at > now).min())
    }

    pub(super) fn means(&self) -> Means {
        if self.memory.shed() == Shed::Fallback { Means::Short } else { Means::Ample }
    }
}
