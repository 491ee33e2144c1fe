//! What a story does to the world.

use super::volume::{Condition, Writer};
use super::{Answer, BEAT, Session, View, World};
use crate::script::{Act, End, StreamAct, VolumeAct, Which};
use core::time::Duration;
use holdfast_core::Appliance;
use holdfast_core::effect::{Shed, Stream};
use holdfast_core::event::{CameraEvent, Event, Label, Past, Rule, VolumeEvent};
use holdfast_core::settings::{ClockKind, VolumeKind};
use holdfast_core::time::Wall;

/// What the helper takes to find, check and mount a disk that was plugged in.
const MOUNTED: Duration = Duration::from_millis(500);

/// TCP asks again, longer and longer, where nobody answers: an attempt that is under way when the way is free again is
/// answered so late.
const ASKED_AGAIN: Duration = Duration::from_secs(3);

/// Longer than this the recorder may not take to end in good order: the system's own stop would kill it.
const ENDS: Duration = Duration::from_secs(20);

impl World {
    /// Does what a line says, at once; what the expectations say is for the judge.
    pub(crate) fn act(&mut self, act: &Act) -> Result<(), String> {
        let runs = self.session.is_some();
        match act {
            Act::Start if runs => return Err("the recorder runs already".into()),
            Act::Start => self.start(),
            Act::Stop | Act::End(_) if !runs => return Err("the recorder does not run".into()),
            Act::Stop => {
                if let Some(session) = &mut self.session {
                    session.stopping = true;
                }
                self.tell(Event::Stop);
                let patience = self.now.mono + ENDS;
                while self.session.is_some() {
                    match self.next().filter(|next| *next <= patience) {
                        Some(next) => self.step_to(next),
                        None => return Err("the recorder did not end within 20 s".into()),
                    }
                }
            }
            Act::End(end) => self.end(*end),
            Act::After(length) => self.until(self.now.mono + *length),
            Act::At(moment) => {
                let goal = super::BEGIN + *moment;
                if goal < self.now.mono {
                    let now = crate::time::moment(self.elapsed());
                    return Err(format!("it is {now} already"));
                }
                self.until(goal);
            }
            Act::Stream(cameras, which, act) => {
                for camera in cameras {
                    self.camera_act(*camera, *which, *act);
                }
            }
            Act::Volume(volumes, act) => {
                for volume in volumes {
                    self.volume_act(*volume, act)?;
                }
            }
            Act::Stranger(disk, reason) => {
                self.tell(Event::DiskLeftAlone { disk: label(disk), reason: *reason });
            }
            Act::StrangerGoes(disk) => self.tell(Event::DiskGone { disk: label(disk) }),
            Act::Carrier(there) => {
                self.has_carrier = *there;
                self.tell(Event::Carrier(*there));
            }
            Act::Pressure(thousandths) => self.pressure = Some(*thousandths),
            Act::ClockSteps(by) => self.now.wall = Wall(self.now.wall.0 + by),
            Act::Synchronised(by) => {
                self.now.wall = Wall(self.now.wall.0 + by);
                self.is_synchronised = true;
                self.tell(Event::ClockSynchronised(true));
            }
            Act::Acknowledge(name) => {
                let known = self.view().map(|view| view.alarms.iter());
                let named =
                    known.into_iter().flatten().filter(|alarm| self.report.names.is(&alarm.key, name));
                let keys: Vec<_> = named.map(|alarm| alarm.key.clone()).collect();
                if keys.is_empty() {
                    return Err("there is no such alarm to acknowledge".into());
                }
                for key in keys {
                    self.tell(Event::Acknowledge(key));
                }
            }
            Act::Expect(..) => {}
        }
        Ok(())
    }

    fn start(&mut self) {
        let core = Box::new(Appliance::new(self.settings()));
        self.sessions += 1;
        self.session = Some(Session {
            core,
            alive: self.now.mono,
            stopping: false,
            view: View {
                cameras: self.cameras.iter().map(|_| None).collect(),
                volumes: self.volumes.iter().map(|_| None).collect(),
                alarms: Vec::new(),
                target: None,
                shed: Shed::Nothing,
            },
        });
        self.tell(Event::Start);
        self.tell(Event::Carrier(self.has_carrier));
        self.tell(Event::ClockSynchronised(self.is_synchronised));
        for place in 0..self.volumes.len() {
            if self.volumes.get(place).is_some_and(|v| v.kind == VolumeKind::Disk && v.is_there) {
                self.later(MOUNTED, Answer::Attached(place));
            }
        }
    }

    fn end(&mut self, end: End) {
        self.past = match end {
            End::Crash => Past::Crashed,
            End::PowerCut => Past::PowerLost,
            End::OutOfMemory => Past::OutOfMemory,
        };
        if end == End::PowerCut && self.cast.clock == ClockKind::Fetched {
            self.is_synchronised = false;
        }
        self.leave();
    }

    /// The process is no more, and what only it held with it.
    pub(super) fn leave(&mut self) {
        self.session = None;
        self.answers.clear();
        for camera in &mut self.cameras {
            camera.ring.pieces.clear();
            (camera.selected, camera.wanted, camera.route) = (Stream::Main, Stream::Main, None);
            for link in [Some(&mut camera.main), camera.fallback.as_mut()].into_iter().flatten() {
                link.state = super::link::State::Down;
                link.number += 1;
            }
        }
        for volume in &mut self.volumes {
            volume.let_go();
        }
    }

    fn camera_act(&mut self, camera: usize, which: Which, act: StreamAct) {
        if act == StreamAct::OddTrack {
            self.tell_camera(camera, Stream::Main, CameraEvent::Unsupported { track: label("video/JPEG") });
            return;
        }
        self.harvest(camera);
        let now = self.now.mono;
        for stream in [Stream::Main, Stream::Fallback] {
            let concerned = match (which, stream) {
                (Which::Both, _) | (Which::Main, Stream::Main) | (Which::Fallback, Stream::Fallback) => true,
                (Which::Main, Stream::Fallback) | (Which::Fallback, Stream::Main) => false,
            };
            if !concerned {
                continue;
            }
            let Some(link) = self.link(camera, stream) else { continue };
            let (broke, number) = (link.act(now, act), link.number);
            if act == StreamAct::Works && link.is_asked() {
                self.later(ASKED_AGAIN, Answer::Connect(camera, stream, number));
            }
            if let Some(broke) = broke {
                self.tell_camera(camera, stream, CameraEvent::Failed(broke));
            }
        }
    }

    fn volume_act(&mut self, place: usize, act: &VolumeAct) -> Result<(), String> {
        let now = self.now.mono;
        let Some(volume) = self.volumes.get_mut(place) else { return Ok(()) };
        match *act {
            VolumeAct::Works => {
                volume.condition = Condition::Works;
                self.released(place);
            }
            VolumeAct::Takes(percent) => {
                volume.condition = Condition::Takes(percent);
                self.released(place);
            }
            VolumeAct::Fails(fault) => {
                volume.condition = Condition::Fails(fault);
                self.fail_in_use(place);
            }
            VolumeAct::FailsUntilMounted(fault) => {
                volume.condition = Condition::FailsUntilMounted(fault);
                self.fail_in_use(place);
            }
            VolumeAct::FailsOnce(fault) => match volume.writer {
                Writer::Open => {
                    volume.let_go();
                    self.tell_volume(place, VolumeEvent::Faulted(fault));
                }
                Writer::None | Writer::Opening | Writer::Closing | Writer::Abandoned => {
                    volume.once = Some(fault);
                }
            },
            VolumeAct::Hangs => volume.condition = Condition::Hangs { since: now },
            VolumeAct::Pulled if !volume.is_there => return Err("it is not there".into()),
            VolumeAct::Pulled => {
                volume.is_there = false;
                match volume.kind {
                    VolumeKind::Disk => {
                        volume.let_go();
                        self.tell_volume(place, VolumeEvent::Detached);
                    }
                    VolumeKind::Path => self.fail_in_use(place),
                }
            }
            VolumeAct::Plugged if volume.is_there => return Err("it is there already".into()),
            VolumeAct::Plugged => {
                volume.is_there = true;
                self.later(MOUNTED, Answer::Attached(place));
            }
            VolumeAct::Exchanged if volume.is_there => return Err("pull it first".into()),
            VolumeAct::Exchanged => {
                volume.is_there = true;
                volume.condition = Condition::Works;
                let before = core::mem::take(&mut volume.ledger);
                volume.former.push(before);
                self.tell_volume(place, VolumeEvent::Replaced);
                self.later(MOUNTED, Answer::Attached(place));
            }
            VolumeAct::Torn => volume.is_torn = true,
            VolumeAct::Busy(busy) => volume.is_busy = busy,
            VolumeAct::Says(health) => self.tell_volume(place, VolumeEvent::Health(health)),
            VolumeAct::Cleaned(bytes) => {
                let (rule, segments) = (Rule::Space, u32::try_from(bytes / 30_000_000).unwrap_or(1).max(1));
                self.tell_volume(place, VolumeEvent::Deleted { rule, segments, bytes });
            }
            VolumeAct::Exhausted => {
                let wanted = 1 << 30;
                self.tell_volume(place, VolumeEvent::Exhausted { wanted, protected: wanted });
            }
            VolumeAct::Eject => self.tell_volume(place, VolumeEvent::Eject),
            VolumeAct::Use => self.tell_volume(place, VolumeEvent::Use),
        }
        Ok(())
    }

    /// Its writer, if it has one, meets its fault at the next call.
    fn fail_in_use(&mut self, place: usize) {
        let Some(volume) = self.volumes.get_mut(place) else { return };
        let Some(fault) = volume.fault() else { return };
        if volume.writer == Writer::Open {
            volume.let_go();
            self.tell_volume(place, VolumeEvent::Faulted(fault));
        }
    }

    /// A call that hung returns: an abandoned writer ends.
    fn released(&mut self, place: usize) {
        let Some(volume) = self.volumes.get_mut(place) else { return };
        match volume.writer {
            Writer::Abandoned => {
                volume.let_go();
                self.tell_volume(place, VolumeEvent::Released);
            }
            Writer::Opening => self.later(BEAT / 2, Answer::Open(place, self.number(place))),
            Writer::Closing => self.later(BEAT / 2, Answer::Close(place, self.number(place))),
            Writer::None | Writer::Open => {}
        }
    }

    pub(super) fn number(&self, place: usize) -> u64 {
        self.volumes.get(place).map_or(0, |volume| volume.number)
    }
}

fn label(text: &str) -> Label {
    let short: String = text.chars().take(40).collect();
    Label::try_from(short.as_str()).unwrap_or_default()
}
