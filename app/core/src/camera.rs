//! One camera: connect, judge whether it truly delivers, tear down, wait, try again, for ever.
//!
//! Words: a **link** is one connection from `Streaming` to its end; a link is **receiving** once a
//! keyframe came on it, **durable** once footage of it was synced to a volume. Success is durable video:
//! nothing less forgives earlier failures.
//!
//! ```text
//! Idle ─start─▶ Connecting ─Streaming─▶ Waiting ◀─Stored / volume gone, no progress─▶ Recording
//!                  ▲   │ Failed, 15 s      │ Failed, stall, no keyframe                  │
//!                  │   ▼                   ▼                                             ▼
//!                  │  TearingDown (Disconnect; until TornDown or 6 s) ◀──────────────────┘
//!                  │   │ other transport: at once                │ stop
//!                  └───┴──── BackingOff (see `ladder`) ◀─┘       ▼
//!                                                             Stopped
//! ```
//!
//! Every state but `Idle` and `Stopped` carries a deadline: a camera cannot be forgotten. Rungs that
//! keep the connection (resume, rebuild a branch) will enter between `Recording` and `TearingDown`.

use crate::effect::{CameraEffect, CameraStatus, Reason};
use crate::event::{CameraEvent, Cause, Failure, StreamFigures};
use crate::failure::{Policy, handling};
use crate::ladder::Ladder;
use crate::rng::Rng;
use crate::settings::{CameraSettings, Transport, TransportChoice};
use crate::time::{Anchor, Mono, Span};
use core::time::Duration;

/// An attempt without an answer is over after this: slower cameras have not been seen, and a person
/// who plugs one in waits no longer.
const CONNECT: Duration = Duration::from_secs(15);

/// A tear-down is no longer waited for: a second over the shell's own deadline of 5 s, so that this one only
/// counts when the shell breaks its word.
const TEAR_DOWN: Duration = Duration::from_secs(6);

/// Without a keyframe for this long nothing can be kept; three times the longest GOP that cameras like.
const KEYFRAME: Duration = Duration::from_secs(30);

/// This much durable video on one link forgives earlier failures: half a segment; a camera that breaks
/// more often than that keeps climbing.
const FORGIVEN: Duration = Duration::from_secs(30);

/// Without anything durable for this long, a camera is no longer called recording.
const PROGRESS: Duration = Duration::from_secs(30);

/// Since when and why a camera gives no footage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Absence {
    /// The last moment at which it gave any, or that of its newest failure.
    pub(crate) since: Mono,
    /// `Starting` or `Camera`.
    pub(crate) cause: Cause,
}

/// What the alarms are to know of a camera.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    /// It records, or would if a volume took its footage.
    Well,
    /// It does not.
    Lost(Option<Failure>),
    /// It refuses our password.
    Refused(Failure),
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Camera {
    choice: TransportChoice,
    stall: Duration,
    state: State,
    ladder: Ladder,
    /// What gave durable video last; where a new cycle begins.
    proven: Transport,
    absence: Option<Absence>,
    /// `Connect` or `Disconnect`, not yet polled.
    owed: Option<CameraEffect>,
    told: Option<CameraStatus>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Idle,
    Connecting { transport: Transport, turn: Turn, deadline: Mono },
    Waiting(Link),
    Recording { link: Link, progress: Mono },
    TearingDown { deadline: Mono, then: Then },
    BackingOff { until: Mono, failure: Failure },
    Stopped,
}

/// Which attempt of a cycle over the transports.
#[derive(Clone, Copy, Debug)]
enum Turn {
    First,
    Second,
}

#[derive(Clone, Copy, Debug)]
enum Then {
    Switch(Transport),
    Retry { at: Mono, failure: Failure },
    Stop,
}

#[derive(Clone, Copy, Debug)]
struct Link {
    transport: Transport,
    turn: Turn,
    since: Mono,
    /// Newest video; the link's beginning until one comes.
    video: Mono,
    /// When the newest keyframe was told of; the link's beginning until one is.
    keyframe: Mono,
    keyframes: u64,
    durable: Duration,
}

impl Camera {
    /// A camera that has not been started. `stall`: see [`crate::settings::Settings::stall`].
    pub(crate) fn new(settings: CameraSettings, stall: Duration) -> Self {
        let proven = match settings.transport {
            TransportChoice::Auto | TransportChoice::Tcp => Transport::Tcp,
            TransportChoice::Udp => Transport::Udp,
        };
        Camera {
            choice: settings.transport,
            stall,
            state: State::Idle,
            ladder: Ladder::default(),
            proven,
            absence: None,
            owed: None,
            told: None,
        }
    }

    /// Begins.
    pub(crate) fn start(&mut self, now: Mono) {
        self.absence = Some(Absence { since: now, cause: Cause::Starting });
        self.connect(now, self.proven, Turn::First);
    }

    /// Ends, from whatever state.
    pub(crate) fn stop(&mut self, now: Mono) {
        match self.state {
            State::Idle | State::BackingOff { .. } | State::Stopped => self.state = State::Stopped,
            State::Connecting { .. } | State::Waiting(_) | State::Recording { .. } => {
                self.tear_down(now, Then::Stop);
            }
            State::TearingDown { deadline, .. } => {
                self.state = State::TearingDown { deadline, then: Then::Stop };
            }
        }
    }

    /// Takes a fact about its connection. `Unsupported` and `Dropped` do not concern this machine.
    pub(crate) fn handle(&mut self, now: Mono, event: &CameraEvent, rng: &mut Rng) {
        match *event {
            CameraEvent::Streaming { video, audio: _ } => self.streaming(now, video, rng),
            CameraEvent::Received(StreamFigures { last_video, keyframes, .. }) => {
                self.received(now, last_video, keyframes);
            }
            CameraEvent::Failed(failure) => self.failed(now, failure, rng),
            CameraEvent::TornDown => {
                if let State::TearingDown { then, .. } = self.state {
                    self.torn_down(now, then);
                }
            }
            CameraEvent::Unsupported { .. } | CameraEvent::Dropped { .. } => {}
        }
    }

    /// Footage of it became durable. What an earlier link had left in the ring proves nothing of this one.
    pub(crate) fn stored(&mut self, now: Mono, span: Span, anchor: &Anchor) {
        let (State::Waiting(mut link) | State::Recording { mut link, .. }) = self.state else { return };
        if span.is_empty() || span.to <= anchor.wall_at(link.since) {
            return;
        }
        link.durable = link.durable.saturating_add(Duration::from_micros(span.micros().unsigned_abs()));
        if link.durable >= FORGIVEN {
            self.ladder.forgive();
        }
        self.proven = link.transport;
        self.absence = None;
        self.state = State::Recording { link, progress: now + PROGRESS };
    }

    /// The volume that took its footage is gone: the link lives on, nothing becomes durable.
    pub(crate) fn volume_lost(&mut self) {
        if let State::Recording { link, .. } = self.state {
            self.state = State::Waiting(link);
        }
    }

    /// Does what is due at `now`.
    pub(crate) fn advance(&mut self, now: Mono, rng: &mut Rng) {
        match self.state {
            State::Connecting { deadline, .. } if deadline <= now => {
                self.fail(now, now, Failure::ConnectTimeout, false, rng);
            }
            State::Waiting(link) => {
                self.judge(now, link, rng);
            }
            State::Recording { link, progress } => {
                if !self.judge(now, link, rng) && progress <= now {
                    self.state = State::Waiting(link);
                }
            }
            State::TearingDown { deadline, then } if deadline <= now => self.torn_down(now, then),
            State::BackingOff { until, .. } if until <= now => self.connect(now, self.proven, Turn::First),
            State::Idle
            | State::Connecting { .. }
            | State::TearingDown { .. }
            | State::BackingOff { .. }
            | State::Stopped => {}
        }
    }

    /// When it wants to be called again at the latest.
    pub(crate) fn deadline(&self) -> Option<Mono> {
        match self.state {
            State::Idle | State::Stopped => None,
            State::Connecting { deadline, .. } | State::TearingDown { deadline, .. } => Some(deadline),
            State::Waiting(link) => Some(link.deadline(self.stall)),
            State::Recording { link, progress } => Some(link.deadline(self.stall).min(progress)),
            State::BackingOff { until, .. } => Some(until),
        }
    }

    /// Why it gives no footage now; `None` while it does.
    pub(crate) const fn absence(&self) -> Option<Absence> {
        self.absence
    }

    /// Whether it has let go of everything for good.
    pub(crate) const fn is_stopped(&self) -> bool {
        matches!(self.state, State::Stopped)
    }

    /// What the alarms are to know. `routed`: a volume takes its footage.
    pub(crate) fn condition(&self, routed: bool) -> Condition {
        let failure = match self.absence {
            Some(Absence { cause: Cause::Camera(failure), .. }) => Some(failure),
            Some(_) | None => None,
        };
        match self.state {
            State::Idle | State::Stopped | State::Recording { .. } => Condition::Well,
            State::Waiting(_) if self.absence.is_none() && !routed => Condition::Well,
            State::Waiting(_) => Condition::Lost(failure),
            State::Connecting { .. } | State::TearingDown { .. } | State::BackingOff { .. } => {
                match failure {
                    Some(failure) if handling(failure).policy == Policy::Refused => {
                        Condition::Refused(failure)
                    }
                    Some(_) | None => Condition::Lost(failure),
                }
            }
        }
    }

    /// The next effect that it owes. `routed`: a volume takes its footage.
    pub(crate) fn poll_effect(&mut self, routed: bool) -> Option<CameraEffect> {
        if let Some(owed) = self.owed.take() {
            return Some(owed);
        }
        let status = self.status(routed)?;
        if self.told == Some(status) {
            return None;
        }
        self.told = Some(status);
        Some(CameraEffect::Status(status))
    }

    fn status(&self, routed: bool) -> Option<CameraStatus> {
        let failures = self.ladder.failures();
        Some(match self.state {
            State::Idle => return None,
            State::Connecting { .. } => CameraStatus::Connecting,
            State::Waiting(_) | State::Recording { .. } if self.absence.is_none() && !routed => {
                CameraStatus::Holding
            }
            State::Waiting(_) => CameraStatus::Waiting,
            State::Recording { .. } => CameraStatus::Recording,
            State::TearingDown { then: Then::Switch(_), .. } => CameraStatus::Connecting,
            State::TearingDown { then: Then::Retry { at, failure }, .. } => {
                CameraStatus::BackingOff { failure, until: at, failures }
            }
            State::BackingOff { until, failure } => CameraStatus::BackingOff { failure, until, failures },
            State::TearingDown { then: Then::Stop, .. } | State::Stopped => CameraStatus::Stopped,
        })
    }

    fn connect(&mut self, now: Mono, transport: Transport, turn: Turn) {
        self.owed =
            Some(CameraEffect::Connect { transport, attempt: self.ladder.failures(), why: Reason::Start });
        self.state = State::Connecting { transport, turn, deadline: now + CONNECT };
    }

    fn streaming(&mut self, now: Mono, video: bool, rng: &mut Rng) {
        let State::Connecting { transport, turn, .. } = self.state else { return };
        if !video {
            // Audio alone is no recording: a camera may come back so after a reboot.
            return self.fail(now, now, Failure::NothingRecordable, false, rng);
        }
        let durable = Duration::ZERO;
        let link = Link { transport, turn, since: now, video: now, keyframe: now, keyframes: 0, durable };
        self.state = State::Waiting(link);
    }

    fn received(&mut self, now: Mono, last_video: Option<Mono>, keyframes: u64) {
        let (State::Waiting(link) | State::Recording { link, .. }) = &mut self.state else { return };
        if let Some(video) = last_video {
            // Never later than now, or one wrong figure would put the stall off for ever.
            link.video = link.video.max(video.min(now));
        }
        if keyframes > link.keyframes {
            link.keyframes = keyframes;
            link.keyframe = now;
            self.absence = None;
        }
    }

    fn failed(&mut self, now: Mono, failure: Failure, rng: &mut Rng) {
        match self.state {
            State::Connecting { transport, turn, .. } => {
                self.refused_or_failed(now, failure, transport, turn, rng);
            }
            State::Waiting(link) if link.durable.is_zero() => {
                self.refused_or_failed(now, failure, link.transport, link.turn, rng);
            }
            State::Waiting(link) | State::Recording { link, .. } => {
                self.fail(now, now, failure, !link.durable.is_zero(), rng);
            }
            State::Idle | State::TearingDown { .. } | State::BackingOff { .. } | State::Stopped => {}
        }
    }

    /// A camera that knows only one transport is no failure while the other has not been asked.
    fn refused_or_failed(
        &mut self,
        now: Mono,
        failure: Failure,
        transport: Transport,
        turn: Turn,
        rng: &mut Rng,
    ) {
        let refused = failure == Failure::UnsupportedTransport;
        if refused && matches!((self.choice, turn), (TransportChoice::Auto, Turn::First)) {
            let other = match transport {
                Transport::Tcp => Transport::Udp,
                Transport::Udp => Transport::Tcp,
            };
            self.tear_down(now, Then::Switch(other));
        } else {
            self.fail(now, now, failure, false, rng);
        }
    }

    /// Ends a link that gives nothing; true if it did.
    fn judge(&mut self, now: Mono, link: Link, rng: &mut Rng) -> bool {
        let durable = !link.durable.is_zero();
        if link.stalled_at(self.stall) <= now {
            self.fail(now, link.video, Failure::Stalled, durable, rng);
        } else if link.starved_at().is_some_and(|at| at <= now) {
            self.fail(now, link.keyframe, Failure::KeyframeStarved, durable, rng);
        } else {
            return false;
        }
        true
    }

    /// `missing`: since when nothing was received, as far as this link goes.
    fn fail(&mut self, now: Mono, missing: Mono, failure: Failure, durable: bool, rng: &mut Rng) {
        let since = if self.absence.is_none() { missing } else { now };
        self.absence = Some(Absence { since, cause: Cause::Camera(failure) });
        let at = now + self.ladder.wait_after(failure, durable, rng);
        self.tear_down(now, Then::Retry { at, failure });
    }

    fn tear_down(&mut self, now: Mono, then: Then) {
        self.owed = Some(CameraEffect::Disconnect(Reason::Stop));
        self.state = State::TearingDown { deadline: now + TEAR_DOWN, then };
    }

    fn torn_down(&mut self, now: Mono, then: Then) {
        match then {
            Then::Switch(transport) => self.connect(now, transport, Turn::Second),
            Then::Retry { at, .. } if at <= now => self.connect(now, self.proven, Turn::First),
            Then::Retry { at, failure } => self.state = State::BackingOff { until: at, failure },
            Then::Stop => self.state = State::Stopped,
        }
    }
}

impl Link {
    fn stalled_at(&self, stall: Duration) -> Mono {
        self.video + stall
    }

    /// Only while video comes: without any it is a stall.
    fn starved_at(&self) -> Option<Mono> {
        (self.video > self.keyframe).then(|| self.keyframe + KEYFRAME)
    }

    fn deadline(&self, stall: Duration) -> Mono {
        let stalled = self.stalled_at(stall);
        self.starved_at().map_or(stalled, |starved| stalled.min(starved))
    }
}
