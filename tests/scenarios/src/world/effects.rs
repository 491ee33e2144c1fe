//! What the world does when the core decides something, and what it answers.

use super::link::{Link, State};
use super::volume::{Condition, Writer};
use super::{Answer, World, index};
use crate::say;
use crate::script::Cure;
use core::time::Duration;
use holdfast_core::alarm::AlarmState;
use holdfast_core::effect::{CameraEffect, Effect, Stream, VolumeEffect};
use holdfast_core::event::{CameraEvent, Fault, VolumeEvent};
use holdfast_core::settings::{CameraIndex, VolumeIndex};

/// From an attempt to its answer.
const CONNECTS: Duration = Duration::from_millis(300);

/// What it takes to find out why an attempt got no connection.
const DIAGNOSES: Duration = Duration::from_millis(50);

/// What a tear-down takes.
const LETS_GO: Duration = Duration::from_millis(100);

/// What opening, closing or unmounting a volume takes.
const OPENS: Duration = Duration::from_millis(500);

/// What a check and a mount take.
const MOUNTS: Duration = Duration::from_secs(1);

impl World {
    pub(super) fn carry_out(&mut self, effect: Effect) {
        let now = self.now.mono;
        say::effect(&mut self.report, now, &effect);
        match effect {
            Effect::Camera(camera, effect) => self.of_camera(camera, Stream::Main, effect),
            Effect::Fallback(camera, effect) => self.of_camera(camera, Stream::Fallback, effect),
            Effect::Volume(volume, effect) => self.of_volume(volume, effect),
            Effect::Route { camera, to } => {
                if let Some(camera) = self.cameras.get_mut(usize::from(camera.0)) {
                    camera.route = to;
                }
                if let Some(session) = &mut self.session {
                    session.view.target = to;
                }
            }
            Effect::Account(volume, entry) => match self.volumes.get_mut(usize::from(volume.0)) {
                Some(volume) if volume.writer == Writer::Open || volume.writer == Writer::Closing => {
                    volume.pending.push(entry);
                }
                Some(_) | None => self.breaks("an entry for a ledger that is not open"),
            },
            Effect::SetAnchor(anchor) => self.anchors.push(anchor),
            Effect::Shed(shed) => {
                if let Some(session) = &mut self.session {
                    session.view.shed = shed;
                }
            }
            Effect::Alive => {
                if let Some(session) = &mut self.session {
                    session.alive = now;
                }
            }
            Effect::Alarm(notice) => {
                let Some(session) = &mut self.session else { return };
                session.view.alarms.retain(|known| known.key != notice.key);
                if notice.state != AlarmState::Normal {
                    session.view.alarms.push(notice);
                }
            }
            Effect::Finished => {
                if self.session.as_ref().is_some_and(|session| !session.stopping) {
                    self.breaks("it ended, and nobody had asked for it");
                }
                self.leave();
            }
        }
    }

    fn of_camera(&mut self, CameraIndex(camera): CameraIndex, stream: Stream, effect: CameraEffect) {
        let place = usize::from(camera);
        let now = self.now.mono;
        match effect {
            CameraEffect::Connect { transport, .. } => {
                self.attempts.push((now, place));
                let Some(link) = self.link(place, stream) else { return };
                let free = matches!(link.state, State::Down);
                link.number += 1;
                link.state = State::Connecting(transport);
                link.cure(Cure::Reconnect);
                let number = link.number;
                if !free {
                    self.breaks("a second connection to the same stream");
                }
                self.later(CONNECTS, Answer::Connect(place, stream, number));
            }
            CameraEffect::Diagnose => {
                self.diagnoses.push(now);
                let Some(number) = self.link(place, stream).map(|link| link.number) else { return };
                self.later(DIAGNOSES, Answer::Diagnose(place, stream, number));
            }
            CameraEffect::Disconnect(_) => {
                self.harvest(place);
                let Some(link) = self.link(place, stream) else { return };
                link.number += 1;
                link.state = State::Down;
                let (number, lets_go) = (link.number, link.lets_go());
                if lets_go {
                    self.later(LETS_GO, Answer::TornDown(place, stream, number));
                }
            }
            CameraEffect::Resume(_) => self.mend(place, stream, Cure::Resume),
            CameraEffect::RebuildBranch(_) => self.mend(place, stream, Cure::Rebuild),
            CameraEffect::Record(wanted) => {
                if let Some(camera) = self.cameras.get_mut(place) {
                    camera.wanted = wanted;
                }
            }
            CameraEffect::Status(status) => {
                let statuses = self.session.as_mut().map(|session| &mut session.view.cameras);
                if let Some(told) = statuses.and_then(|cameras| cameras.get_mut(place)) {
                    *told = Some(status);
                }
            }
        }
    }

    fn mend(&mut self, camera: usize, stream: Stream, done: Cure) {
        self.harvest(camera);
        if let Some(link) = self.link(camera, stream) {
            link.cure(done);
            link.forget();
        }
    }

    fn of_volume(&mut self, VolumeIndex(volume): VolumeIndex, effect: VolumeEffect) {
        let place = usize::from(volume);
        let Some(volume) = self.volumes.get_mut(place) else { return };
        match effect {
            VolumeEffect::Open => {
                volume.number += 1;
                // One whose writer was abandoned answers for itself.
                if volume.writer != Writer::Abandoned {
                    volume.writer = Writer::Opening;
                }
                self.later(OPENS, Answer::Open(place, self.number(place)));
            }
            VolumeEffect::Close => {
                volume.writer = Writer::Closing;
                self.later(OPENS, Answer::Close(place, self.number(place)));
            }
            VolumeEffect::Abandon => {
                let hangs = volume.hangs_since().is_some() && volume.writer != Writer::None;
                volume.let_go();
                if hangs {
                    volume.writer = Writer::Abandoned;
                }
            }
            VolumeEffect::Unmount => self.later(OPENS, Answer::Unmount(place)),
            VolumeEffect::Mount => self.later(MOUNTS, Answer::Mount(place)),
            VolumeEffect::Status(status) => {
                let statuses = self.session.as_mut().map(|session| &mut session.view.volumes);
                if let Some(told) = statuses.and_then(|volumes| volumes.get_mut(place)) {
                    *told = Some(status);
                }
            }
            VolumeEffect::Forecast(_) => {}
        }
    }

    pub(super) fn answer(&mut self, answer: Answer) {
        match answer {
            Answer::Connect(camera, stream, number) => {
                let link = self.link(camera, stream).filter(|link| link.number == number);
                let Some(event) = link.and_then(|link| link.answer()) else { return };
                let streams = matches!(event, CameraEvent::Streaming { video: true, .. });
                self.tell_camera(camera, stream, event);
                if streams {
                    self.keyframe(camera, stream);
                }
            }
            Answer::Diagnose(camera, stream, number) => {
                let link = self.link(camera, stream).filter(|link| link.number == number);
                let Some(failure) = link.and_then(Link::verdict) else { return };
                self.tell_camera(camera, stream, CameraEvent::Failed(failure));
            }
            Answer::TornDown(camera, stream, number) => {
                if self.link(camera, stream).is_some_and(|link| link.number == number) {
                    self.tell_camera(camera, stream, CameraEvent::TornDown);
                }
            }
            Answer::Open(place, number) => self.opened(place, number),
            Answer::Close(place, number) => self.closed(place, number),
            Answer::Unmount(place) => {
                let busy = self.volumes.get(place).is_some_and(|volume| volume.is_busy);
                let event = if busy { VolumeEvent::KeptMounted } else { VolumeEvent::Unmounted };
                self.tell_volume(place, event);
            }
            Answer::Mount(place) | Answer::Attached(place) => {
                let Some(volume) = self.volumes.get_mut(place).filter(|volume| volume.is_there) else {
                    return;
                };
                if let Condition::FailsUntilMounted(_) = volume.condition {
                    volume.condition = Condition::Works;
                }
                self.tell_volume(place, VolumeEvent::Attached);
            }
        }
    }

    fn opened(&mut self, place: usize, number: u64) {
        let (sessions, past) = (self.sessions, self.past);
        let newest = self.anchors.len().saturating_sub(1);
        let now = self.now.mono;
        let owed = self.anchors.last().map(|anchor| anchor.wall_at(now));
        let Some(volume) = self.volumes.get_mut(place).filter(|volume| volume.number == number) else {
            return;
        };
        if volume.writer == Writer::Abandoned {
            return self.tell_volume(place, VolumeEvent::Faulted(Fault::Stuck));
        }
        if volume.hangs_since().is_some() || volume.writer != Writer::Opening {
            return;
        }
        if let Some(fault) = volume.once.take().or_else(|| volume.fault()) {
            volume.writer = Writer::None;
            return self.tell_volume(place, VolumeEvent::Faulted(fault));
        }
        volume.writer = Writer::Open;
        volume.anchor = newest;
        let (past, ends) = (volume.ledger.past(sessions, past), volume.ledger.ends());
        let torn = core::mem::take(&mut volume.is_torn);
        let cameras = 0..self.cameras.len();
        let ledger = &volume.ledger;
        let covered: Vec<_> =
            cameras.filter_map(|camera| Some((camera, ledger.covered_until(index(camera))?))).collect();
        if let Some(owed) = owed {
            volume.ledger.begin(sessions, owed);
        }
        if let Some(at) = ends {
            self.tell_volume(place, VolumeEvent::LedgerEnds { at });
        }
        if let Some(past) = past {
            say::history(&mut self.report, self.now.mono, place, &covered, past);
            for (camera, covered_until) in covered {
                let camera = CameraIndex(index(camera));
                self.tell_volume(place, VolumeEvent::History { camera, covered_until, past });
            }
        }
        if torn {
            let event = VolumeEvent::Repaired { segments: 1, segment_bytes: 4096, ledger_bytes: 0 };
            self.tell_volume(place, event);
        }
        self.tell_volume(place, VolumeEvent::Ready);
    }

    fn closed(&mut self, place: usize, number: u64) {
        let volume = self.volumes.get_mut(place);
        let Some(volume) = volume.filter(|v| v.number == number && v.writer == Writer::Closing) else {
            return;
        };
        if volume.hangs_since().is_some() {
            return;
        }
        if let Some(fault) = volume.fault() {
            volume.let_go();
            return self.tell_volume(place, VolumeEvent::Faulted(fault));
        }
        for camera in 0..self.cameras.len() {
            self.harvest(camera);
        }
        self.store(place);
        if let Some(volume) = self.volumes.get_mut(place) {
            volume.ledger.end();
            volume.let_go();
        }
        self.tell_volume(place, VolumeEvent::Closed);
    }
}
