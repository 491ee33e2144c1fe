//! The world's side of connections: commands, answers, figures, breaks.

use crate::agenda::{At, Item, LinkId, LinkStep, millis, secs};
use crate::camera::link;
use crate::invariant::Invariant;
use crate::stream::{Ail, GOP, Link, Up};
use crate::world::World;
use core::time::Duration;
use holdfast_core::effect::{CameraEffect, CameraStatus, Reason, Shed, Stream};
use holdfast_core::event::{CameraEvent, Cause, Event, Failure};
use holdfast_core::settings::{CameraIndex, Transport};

/// While all is well figures come this seldom: less often, and the core would call it a stall.
const FIGURES: Duration = secs(8);

/// As the shell tells them: used while something changes.
const DENSE: Duration = secs(1);

/// Figures are dense for so long after a change.
const CHANGE: Duration = secs(6);

impl World {
    /// Obeys a command about a link.
    pub fn link_command(&mut self, camera: usize, stream: Stream, effect: CameraEffect) {
        match effect {
            CameraEffect::Connect { transport, .. } => self.connect(camera, stream, transport),
            CameraEffect::Diagnose => self.diagnose(camera, stream),
            CameraEffect::Disconnect(why) => self.disconnect(camera, stream, why),
            CameraEffect::Resume(_) => self.resume(camera, stream, 40),
            CameraEffect::RebuildBranch(_) => {
                if self.chance(20) {
                    self.break_later(camera, stream, Failure::Internal);
                } else {
                    self.resume(camera, stream, 60);
                }
            }
            CameraEffect::Status(status) => self.status(camera, status),
            CameraEffect::Record(_) => {
                self.demand(false, Invariant::Fallback, || format!("cam{camera}: told of a stream"));
            }
        }
    }

    fn connect(&mut self, camera: usize, stream: Stream, transport: Transport) {
        self.tally.attempts += 1;
        self.judge_attempt(camera, stream);
        let shed = stream == Stream::Fallback && self.shed == Shed::Fallback;
        self.demand(!shed, Invariant::Memory, || {
            format!("cam{camera}: its second stream is connected while such are given up")
        });
        let (at, runs) = (self.at, self.is_running());
        let Some(source) = self.cameras[camera].source(stream) else {
            return self.demand(false, Invariant::OneLink, || format!("cam{camera} has no fallback"));
        };
        let free = match source.link {
            Link::Down => true,
            Link::TearingDown(since) => at.since(since) >= secs(6),
            Link::Connecting | Link::Up(_) => false,
        };
        let (was, answer) = (source.link, source.answer(transport));
        source.link = Link::Connecting;
        source.verdict = None;
        source.life += 1;
        (source.effort, source.asked) = (at, at);
        let life = source.life;
        self.demand(free && runs, Invariant::OneLink, || {
            format!("cam{camera} {stream:?}: connects while {was:?}, running: {runs}")
        });
        if let Some((_, after)) = answer {
            let id = link(camera, stream);
            let jitter = self.rng.u64(0..400);
            let at = self.at + millis(u64::from(after) + jitter);
            self.agenda.at(at, Item::Link(id, life, LinkStep::Answer));
        }
        self.judge.transport[id(camera, stream)] = transport;
        self.cameras[camera].settle(at);
        self.cameras[camera].follow(at);
    }

    /// Another connection is made, that says nothing.
    fn diagnose(&mut self, camera: usize, stream: Stream) {
        self.judge_pace();
        // Resolvers and hosts that do not answer take their time; some diagnoses never end.
        let after = match self.rng.u32(0..100) {
            0..70 => Some(self.rng.u64(1..50)),
            70..98 => Some(self.rng.u64(50..6000)),
            _ => None,
        };
        let at = self.at;
        let Some(source) = self.cameras[camera].source(stream) else { return };
        let (life, was, asks) = (source.life, source.link, source.verdict.is_some());
        self.demand(asks && matches!(was, Link::Connecting), Invariant::OneLink, || {
            format!("cam{camera} {stream:?}: is asked why there is no connection while {was:?}")
        });
        if let Some(after) = after {
            self.agenda.at(at + millis(after), Item::Link(link(camera, stream), life, LinkStep::Verdict));
        }
    }

    fn disconnect(&mut self, camera: usize, stream: Stream, why: Reason) {
        let at = self.at;
        let Some(source) = self.cameras[camera].source(stream) else { return };
        let was = source.link;
        let fits = matches!(was, Link::Connecting | Link::Up(_));
        self.demand(fits, Invariant::OneLink, || {
            format!("cam{camera} {stream:?}: disconnects while {was:?}")
        });
        let main = stream == Stream::Main;
        let own = matches!(why, Reason::Failed(_) | Reason::OtherTransport | Reason::Stop);
        self.demand(!main || own, Invariant::Memory, || {
            format!("cam{camera}: its main stream is given up for what is not its own: {why:?}")
        });
        self.judge_hang_up(camera, stream, why);
        self.cameras[camera].settle(at);
        if let (Stream::Main, Reason::Failed(failure)) = (stream, why) {
            self.cameras[camera].given_up(at, failure);
        }
        let Some(source) = self.cameras[camera].source(stream) else { return };
        source.link = Link::TearingDown(at);
        source.life += 1;
        source.effort = at;
        let life = source.life;
        self.cameras[camera].follow(at);
        // Most are quick; some are given up on by the shell at 5 s, some are told late, some never.
        let after = match self.rng.u32(0..1000) {
            0..900 => Some(self.rng.u64(20..800)),
            900..970 => Some(self.rng.u64(800..5000)),
            970..990 => Some(self.rng.u64(5000..9000)),
            _ => None,
        };
        if let Some(after) = after {
            self.agenda.at(at + millis(after), Item::Link(link(camera, stream), life, LinkStep::TornDown));
        }
    }

    /// Its time begins anew with the next keyframe. `mends`: how likely that helps, in percent.
    fn resume(&mut self, camera: usize, stream: Stream, mends: u32) {
        let (at, mended) = (self.at, self.chance(mends));
        self.cameras[camera].settle(at);
        let Some(source) = self.cameras[camera].source(stream) else { return };
        let life = source.life;
        match &mut source.link {
            Link::Up(up) => {
                up.begun = false;
                up.mended |= mended;
            }
            Link::Down | Link::Connecting | Link::TearingDown(_) => {
                let was = source.link;
                return self.demand(false, Invariant::OneLink, || {
                    format!("cam{camera} {stream:?}: mended while {was:?}")
                });
            }
        }
        self.cameras[camera].causes.of(Cause::Lost).span(at, at + GOP);
        self.cameras[camera].follow(at);
        let wait = millis(self.rng.u64(100..2000));
        self.agenda.at(at + wait, Item::Link(link(camera, stream), life, LinkStep::Keyframe));
    }

    fn break_later(&mut self, camera: usize, stream: Stream, failure: Failure) {
        let Some(source) = self.cameras[camera].source(stream) else { return };
        let life = source.life;
        self.judge.breaks.insert((camera, stream, life), failure);
        self.agenda.at(self.at + millis(200), Item::Link(link(camera, stream), life, LinkStep::Break));
    }

    /// A step of a link whose time has come.
    pub fn link_step(&mut self, LinkId { camera, stream }: LinkId, life: u32, step: LinkStep) {
        let camera = usize::from(camera);
        let at = self.at;
        let Some(source) = self.cameras[camera].source(stream) else { return };
        let current = source.life == life;
        match step {
            LinkStep::Answer if current => self.answer(camera, stream),
            LinkStep::Verdict if current => {
                let transport = self.judge.transport[id(camera, stream)];
                let is_back = matches!(source.answer(transport), Some((Ok(()), _)));
                let verdict = source.verdict.take().filter(|_| matches!(source.link, Link::Connecting));
                if let Some(failure) = verdict {
                    self.fails(camera, stream, if is_back { Failure::ServerClosed } else { failure });
                }
            }
            LinkStep::Keyframe if current => {
                let starves = source.has(|ail| ail == Ail::Starves) || !source.sends();
                if starves {
                    let item = Item::Link(link(camera, stream), life, step);
                    return self.agenda.at(at + GOP, item);
                }
                self.cameras[camera].settle(at);
                if let Some(Link::Up(up)) = self.cameras[camera].source(stream).map(|source| &mut source.link)
                {
                    (up.begun, up.lived) = (true, true);
                }
                self.cameras[camera].follow(at);
                self.tell_figures(camera, stream);
                self.switch(camera);
                self.store_soon(camera);
            }
            LinkStep::Figures if current => self.figures(camera, stream, life),
            LinkStep::Glance if current => self.tell_figures(camera, stream),
            LinkStep::Break if current => {
                let failure = self.judge.breaks.remove(&(camera, stream, life));
                self.breaks(camera, stream, failure.unwrap_or(Failure::ServerClosed));
            }
            LinkStep::TornDown => {
                let down = current && matches!(source.link, Link::TearingDown(_));
                if down {
                    source.link = Link::Down;
                    source.effort = at;
                    self.tell_of(camera, stream, CameraEvent::TornDown);
                }
            }
            LinkStep::Stray => {
                if matches!(source.link, Link::Down | Link::TearingDown(_)) {
                    let failure = Failure::ServerClosed;
                    self.tell_of(camera, stream, CameraEvent::Failed(failure));
                }
            }
            LinkStep::Answer
            | LinkStep::Verdict
            | LinkStep::Keyframe
            | LinkStep::Figures
            | LinkStep::Glance
            | LinkStep::Break => {}
        }
    }

    fn answer(&mut self, camera: usize, stream: Stream) {
        let at = self.at;
        let transport = self.judge.transport[id(camera, stream)];
        let Some(source) = self.cameras[camera].source(stream) else { return };
        if !matches!(source.link, Link::Connecting) {
            return;
        }
        // It may have changed since it was asked.
        let Some((outcome, _)) = source.answer(transport) else { return };
        let life = source.life;
        let alone = source.has(|ail| ail == Ail::SoundAlone);
        let flaps = source.has(|ail| ail == Ail::Flaps);
        match outcome {
            Err(failure) if failure.is_of_no_connection() => {
                source.verdict = Some(failure);
                // From now on it lasts as long as an attempt may.
                source.effort = at;
                return self.tell_of(camera, stream, CameraEvent::NoConnection);
            }
            Err(failure) => return self.fails(camera, stream, failure),
            Ok(()) => {}
        }
        if alone {
            self.cameras[camera].failed(at, stream, Failure::NothingRecordable);
            return self.tell_of(camera, stream, CameraEvent::Streaming { video: false, audio: true });
        }
        let audio = source.audio;
        self.cameras[camera].settle(at);
        if let Some(source) = self.cameras[camera].source(stream) {
            source.link = Link::Up(Up::new(at));
            source.refused = None;
        }
        self.cameras[camera].follow(at);
        self.tell_of(camera, stream, CameraEvent::Streaming { video: true, audio });
        let id = link(camera, stream);
        let wait = millis(self.rng.u64(50..1500));
        self.agenda.at(at + wait, Item::Link(id, life, LinkStep::Keyframe));
        self.agenda.at(at + DENSE, Item::Link(id, life, LinkStep::Figures));
        if flaps {
            let lasts = self.spread(secs(2), secs(50));
            self.agenda.at(at + lasts, Item::Link(id, life, LinkStep::Break));
        }
    }

    fn figures(&mut self, camera: usize, stream: Stream, life: u32) {
        self.tell_figures(camera, stream);
        let at = self.at;
        let Some(source) = self.cameras[camera].source(stream) else { return };
        let Link::Up(up) = source.link else { return };
        let dense = at.since(up.since) < CHANGE || source.trouble().is_some();
        let next = if dense { DENSE } else { FIGURES };
        self.agenda.at(at + next, Item::Link(link(camera, stream), life, LinkStep::Figures));
    }

    /// Tells what came until now.
    pub fn tell_figures(&mut self, camera: usize, stream: Stream) {
        let clock = self.clock;
        self.settle(camera);
        let Some(source) = self.cameras[camera].source(stream) else { return };
        if let Some(figures) = source.figures(|at| clock.mono(at)) {
            self.tell_of(camera, stream, CameraEvent::Received(figures));
        }
    }

    fn breaks(&mut self, camera: usize, stream: Stream, failure: Failure) {
        let at = self.at;
        self.cameras[camera].settle(at);
        let Some(source) = self.cameras[camera].source(stream) else { return };
        let Link::Up(up) = &mut source.link else { return };
        up.dead = true;
        self.cameras[camera].follow(at);
        // Some breaks are seen at once, some only by the silence after them.
        if failure == Failure::Internal || self.chance(70) {
            self.fails(camera, stream, failure);
        }
    }

    /// The core is told that an attempt or a connection failed.
    fn fails(&mut self, camera: usize, stream: Stream, failure: Failure) {
        let at = self.at;
        self.cameras[camera].failed(at, stream, failure);
        let Some(source) = self.cameras[camera].source(stream) else { return };
        source.refused = match (failure, source.refused) {
            (Failure::Unauthorized | Failure::Forbidden, before) => {
                Some((at, before.map_or(1, |(_, count)| count + 1)))
            }
            (_, before) => before,
        };
        self.tell_of(camera, stream, CameraEvent::Failed(failure));
    }

    /// Tells a fact about one of a camera's streams, after what is under way.
    pub fn tell_of(&mut self, camera: usize, stream: Stream, event: CameraEvent) {
        let index = CameraIndex(camera as u8);
        self.pending.push_back(match stream {
            Stream::Main => Event::Camera(index, event),
            Stream::Fallback => Event::Fallback(index, event),
        });
    }

    /// Something about a stream changes: what came until then is told, and links that break do so.
    pub fn change(&mut self, camera: usize, stream: Stream, f: impl FnOnce(&mut Vec<(u32, Ail)>)) {
        let at = self.at;
        self.tell_figures(camera, stream);
        let Some(source) = self.cameras[camera].source(stream) else { return };
        let (sent, life) = (source.sends(), source.life);
        let was_failing = source.has(|ail| matches!(ail, Ail::Fails(..)));
        f(&mut source.ails);
        let (sends, flaps) = (source.sends(), source.has(|ail| ail == Ail::Flaps));
        let failing = source.has(|ail| matches!(ail, Ail::Fails(..)));
        let up = matches!(source.link, Link::Up(_));
        let connecting = matches!(source.link, Link::Connecting);
        self.cameras[camera].sound_since = at;
        self.cameras[camera].follow(at);
        if up {
            self.agenda.at(at + DENSE, Item::Link(link(camera, stream), life, LinkStep::Glance));
        }
        if up && failing && !was_failing && self.chance(60) {
            let wait = millis(self.rng.u64(1..400));
            self.agenda.at(at + wait, Item::Link(link(camera, stream), life, LinkStep::Break));
        } else if up && flaps {
            let wait = self.spread(secs(2), secs(50));
            self.agenda.at(at + wait, Item::Link(link(camera, stream), life, LinkStep::Break));
        } else if up && sends && !sent && self.chance(50) {
            // What was silent is a dead connection when it comes back.
            if let Some(Link::Up(up)) = self.cameras[camera].source(stream).map(|source| &mut source.link) {
                up.dead = true;
            }
            self.cameras[camera].follow(at);
        } else if connecting && sends && !sent {
            // What had not been answered may be now.
            self.agenda.at(at + millis(500), Item::Link(link(camera, stream), life, LinkStep::Answer));
        }
    }

    /// The status of a camera, as told, fits the world where the world is certain.
    fn status(&mut self, camera: usize, status: CameraStatus) {
        let refused =
            self.cameras[camera].fallback.is_none() && matches!(status, CameraStatus::OnFallback { .. });
        self.demand(!refused, Invariant::Fallback, || {
            format!("cam{camera} is on a fallback that it has not")
        });
    }

    /// The last moment at which the core did anything for a link, for those that wait.
    pub fn waits_since(&mut self, camera: usize, stream: Stream) -> Option<At> {
        let source = self.cameras[camera].source(stream)?;
        match source.link {
            Link::Down => Some(source.effort),
            Link::TearingDown(since) => Some(since),
            Link::Connecting | Link::Up(_) => None,
        }
    }
}

/// A link as a place in a list.
pub const fn id(camera: usize, stream: Stream) -> usize {
    match stream {
        Stream::Main => camera * 2,
        Stream::Fallback => camera * 2 + 1,
    }
}
