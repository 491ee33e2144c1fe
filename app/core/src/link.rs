//! The link of one stream: connect, judge whether it truly delivers, mend it in place, tear it down, wait, try again, for
//! ever.
//!
//! Words: a link is **up** from `Streaming` to its end; **live** once a keyframe came on it; **durable** once footage of
//! it was synced to a volume. Success is durable video: nothing less forgives earlier failures. It is **due** when it
//! wants to connect, for media or to find out why an attempt got no connection: whether it may is the budget's decision
//! ([`crate::dial`]).
//!
//! ```text
//! Idle ─want─▶ Due ─dial─▶ Connecting ─Streaming─▶ Up  (resume, rebuild the branch: it stays up)
//!   ▲           ▲             │ Failed, 15 s        │ Failed, stall, no keyframe, nothing helped
//!   │           │             ▼                     ▼
//!   │           │   TearingDown (Disconnect; until TornDown or 6 s)
//!   │           │      │ other transport: at once      │ nobody wants it
//!   │           └──────┴─── BackingOff (`ladder`) ◀┘   │
//!   └───────────────────────────────────────────────────┘
//! ```
//!
//! Every state but `Idle` and `Due` carries a deadline, and `Due` waits for the budget alone, which frees itself: a link
//! that is wanted cannot be forgotten.

mod face;

use crate::effect::{CameraEffect, Reason};
use crate::event::{CameraEvent, Failure, StreamFigures};
use crate::failure::{Policy, handling};
use crate::ladder::Ladder;
use crate::mending::{Mending, Step};
use crate::rng::Rng;
use crate::settings::{Transport, TransportChoice};
use crate::time::{Anchor, Mono, Span};
use crate::trouble::Trouble;
use core::time::Duration;
pub(crate) use face::{Errand, Phase};

/// An attempt without an answer is over after this: slower cameras have not been seen, and a person
/// who plugs one in waits no longer. A diagnosis has as long, from when it is wanted: resolvers take up to 10 s.
const CONNECT: Duration = Duration::from_secs(15);

/// A tear-down is no longer waited for: a second over the shell's own deadline of 5 s, so that this one only
/// counts when the shell breaks its word.
const TEAR_DOWN: Duration = Duration::from_secs(6);

/// A session that is being set up or taken down counts against its host for so long: a channel that does not answer must
/// not keep the others of an encoder waiting.
const PASSAGE: Duration = Duration::from_secs(5);

/// Without a keyframe for this long nothing can be kept; three times the longest GOP that cameras like.
const KEYFRAME: Duration = Duration::from_secs(30);

/// This much durable video on one link forgives earlier failures: half a segment; a camera that breaks
/// more often than that keeps climbing.
const FORGIVEN: Duration = Duration::from_secs(30);

/// How a link ended, or that an attempt failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Break {
    /// Since when nothing was received.
    pub since: Mono,
    /// What went wrong.
    pub failure: Failure,
    /// Whether it had been live.
    pub live: bool,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Link {
    choice: TransportChoice,
    host: u8,
    stall: Duration,
    state: State,
    ladder: Ladder,
    mending: Mending,
    /// What gave durable video last; where a new cycle begins.
    proven: Transport,
    /// The newest refusal, and until when it is not asked again for that, whoever wants it.
    refused: Option<(Mono, Failure)>,
    /// A command, not yet polled.
    owed: Option<CameraEffect>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Idle,
    Due { since: Mono, transport: Transport, turn: Turn, why: Reason },
    Connecting { transport: Transport, turn: Turn, begun: Mono, deadline: Mono, puzzle: Puzzle },
    Up(Up),
    TearingDown { deadline: Mono, then: Then },
    BackingOff { until: Mono, failure: Failure, why: Reason },
}

/// Whether it is to be found out why an attempt got no connection.
#[derive(Clone, Copy, Debug)]
enum Puzzle {
    /// It has not failed so.
    None,
    /// It has: another connection is due since then.
    Due(Mono),
    /// That one is under way.
    Asked,
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
    Retry { at: Mono, failure: Failure, why: Reason },
    Rest,
}

#[derive(Clone, Copy, Debug)]
struct Up {
    transport: Transport,
    turn: Turn,
    since: Mono,
    /// Newest video; the link's beginning until one comes.
    video: Mono,
    /// When the newest keyframe was told of; the link's beginning until one is.
    keyframe: Mono,
    /// When the first one was.
    live_since: Option<Mono>,
    keyframes: u64,
    audio: Option<Mono>,
    durable: Duration,
    trouble: Trouble,
}

impl Link {
    /// A link that nobody wants yet. `stall`: see [`crate::settings::Settings::stall`].
    pub(crate) const fn new(choice: TransportChoice, host: u8, stall: Duration) -> Self {
        let proven = match choice {
            TransportChoice::Auto | TransportChoice::Tcp => Transport::Tcp,
            TransportChoice::Udp => Transport::Udp,
        };
        Link {
            choice,
            host,
            stall,
            state: State::Idle,
            ladder: Ladder::new(),
            mending: Mending::new(),
            proven,
            refused: None,
            owed: None,
        }
    }

    /// It is wanted. Changes nothing where it is wanted already.
    pub(crate) fn want(&mut self, now: Mono, why: Reason) {
        let refused = self.refused.filter(|(until, _)| *until > now);
        // Without a refusal the failure is never shown: the attempt comes with the end of the tear-down.
        let (at, failure) = refused.unwrap_or((now, Failure::Unknown));
        match &mut self.state {
            State::Idle if refused.is_some() => self.state = State::BackingOff { until: at, failure, why },
            State::Idle => self.fall_due(now, self.proven, Turn::First, why),
            State::TearingDown { then: then @ Then::Rest, .. } => *then = Then::Retry { at, failure, why },
            State::TearingDown { .. }
            | State::Due { .. }
            | State::Connecting { .. }
            | State::Up(_)
            | State::BackingOff { .. } => {}
        }
    }

    /// Nobody wants it any more.
    pub(crate) fn hang_up(&mut self, now: Mono, why: Reason) {
        match &mut self.state {
            State::Idle => {}
            State::Due { .. } | State::BackingOff { .. } => self.state = State::Idle,
            State::Connecting { .. } | State::Up(_) => self.tear_down(now, Then::Rest, why),
            State::TearingDown { then, .. } => *then = Then::Rest,
        }
    }

    /// It may connect now.
    pub(crate) fn dial(&mut self, now: Mono) {
        match &mut self.state {
            State::Due { transport, turn, why, .. } => {
                let (transport, turn) = (*transport, *turn);
                self.owed =
                    Some(CameraEffect::Connect { transport, attempt: self.ladder.failures(), why: *why });
                let deadline = now + CONNECT;
                self.state =
                    State::Connecting { transport, turn, begun: now, deadline, puzzle: Puzzle::None };
            }
            State::Connecting { puzzle: puzzle @ Puzzle::Due(_), .. } => {
                self.owed = Some(CameraEffect::Diagnose);
                *puzzle = Puzzle::Asked;
            }
            State::Connecting { puzzle: Puzzle::None | Puzzle::Asked, .. }
            | State::Idle
            | State::Up(_)
            | State::TearingDown { .. }
            | State::BackingOff { .. } => {}
        }
    }

    /// What it waited for may be over: it is tried now, unless only a person can help it. Its ladder begins anew: a camera
    /// that boots behind a switch that is back fails once more, and must not be only probed for that.
    pub(crate) fn hurry(&mut self, now: Mono) {
        let why = Reason::NetworkBack;
        if !self.is_up() {
            self.ladder.begin_anew();
        }
        match &mut self.state {
            State::BackingOff { failure, .. } if may_hurry(*failure) => {
                self.fall_due(now, self.proven, Turn::First, why);
            }
            State::TearingDown { then: Then::Retry { at, failure, why: because }, .. }
                if may_hurry(*failure) =>
            {
                (*at, *because) = (now, why);
            }
            State::Idle
            | State::Due { .. }
            | State::Connecting { .. }
            | State::Up(_)
            | State::TearingDown { .. }
            | State::BackingOff { .. } => {}
        }
    }

    /// Takes a fact about it; gives how it broke, if it did. `Unsupported` and `Dropped` do not concern it.
    pub(crate) fn handle(&mut self, now: Mono, event: &CameraEvent, rng: &mut Rng) -> Option<Break> {
        match event {
            CameraEvent::Streaming { video, audio: _ } => self.streaming(now, *video, rng),
            CameraEvent::Received(figures) => self.received(now, figures, rng),
            CameraEvent::NoConnection => self.puzzled(now, rng),
            CameraEvent::Failed(failure) => self.failed(now, *failure, rng),
            CameraEvent::TornDown => {
                if let State::TearingDown { then, .. } = self.state {
                    self.torn_down(now, then);
                }
                None
            }
            CameraEvent::Unsupported { .. } | CameraEvent::Dropped { .. } => None,
        }
    }

    /// Footage of it became durable. What an earlier link had left in the ring proves nothing of this one.
    pub(crate) fn stored(&mut self, span: Span, anchor: &Anchor) -> bool {
        let State::Up(up) = &mut self.state else { return false };
        if span.is_empty() || span.to <= anchor.wall_at(up.since) {
            return false;
        }
        up.durable = up.durable.saturating_add(Duration::from_micros(span.micros().unsigned_abs()));
        if up.durable >= FORGIVEN {
            self.ladder.forgive();
        }
        self.proven = up.transport;
        true
    }

    /// Its video comes, and `failure` is wrong with it all the same: the next step against that is taken, if its time has
    /// come.
    pub(crate) fn mend(&mut self, now: Mono, failure: Failure, rng: &mut Rng) -> Option<Break> {
        let State::Up(up) = self.state else { return None };
        let why = Reason::Failed(failure);
        match self.mending.step(now)? {
            Step::Resume => self.owed = Some(CameraEffect::Resume(why)),
            Step::RebuildBranch => self.owed = Some(CameraEffect::RebuildBranch(why)),
            Step::RebuildPipeline => return Some(self.fail(now, now, failure, Some(&up), rng)),
        }
        None
    }

    /// When [`Link::mend`] would take its next step.
    pub(crate) const fn mends_at(&self) -> Mono {
        self.mending.next()
    }

    /// Does what is due at `now`.
    pub(crate) fn advance(&mut self, now: Mono, rng: &mut Rng) -> Option<Break> {
        match self.state {
            State::Connecting { deadline, .. } if deadline <= now => {
                return Some(self.fail(now, now, Failure::ConnectTimeout, None, rng));
            }
            State::Up(up) => return self.judge(now, &up, rng),
            State::TearingDown { deadline, then } if deadline <= now => self.torn_down(now, then),
            State::BackingOff { until, why, .. } if until <= now => {
                self.fall_due(now, self.proven, Turn::First, why);
            }
            State::Idle
            | State::Due { .. }
            | State::Connecting { .. }
            | State::TearingDown { .. }
            | State::BackingOff { .. } => {}
        }
        None
    }

    /// When it wants to be called again at the latest.
    pub(crate) fn deadline(&self) -> Option<Mono> {
        match &self.state {
            State::Idle | State::Due { .. } => None,
            State::Connecting { deadline, .. } | State::TearingDown { deadline, .. } => Some(*deadline),
            State::Up(up) => Some(up.deadline(self.stall)),
            State::BackingOff { until, .. } => Some(*until),
        }
    }

    /// The next command that it owes.
    pub(crate) fn poll_effect(&mut self) -> Option<CameraEffect> {
        self.owed.take()
    }

    fn fall_due(&mut self, now: Mono, transport: Transport, turn: Turn, why: Reason) {
        self.state = State::Due { since: now, transport, turn, why };
    }

    fn streaming(&mut self, now: Mono, video: bool, rng: &mut Rng) -> Option<Break> {
        let State::Connecting { transport, turn, .. } = self.state else { return None };
        if !video {
            // Audio alone is no recording: a camera may come back so after a reboot.
            return Some(self.fail(now, now, Failure::NothingRecordable, None, rng));
        }
        self.state = State::Up(Up {
            transport,
            turn,
            since: now,
            video: now,
            keyframe: now,
            live_since: None,
            keyframes: 0,
            audio: None,
            durable: Duration::ZERO,
            trouble: Trouble::new(now),
        });
        None
    }

    fn received(&mut self, now: Mono, figures: &StreamFigures, rng: &mut Rng) -> Option<Break> {
        let State::Up(up) = &mut self.state else { return None };
        // Never later than now, or one wrong figure would put the stall off for ever.
        if let Some(video) = figures.last_video {
            up.video = up.video.max(video.min(now));
        }
        if let Some(audio) = figures.last_audio {
            up.audio = Some(audio.min(now));
        }
        if figures.keyframes > up.keyframes {
            up.keyframes = figures.keyframes;
            up.keyframe = now;
            up.live_since = up.live_since.or(Some(now));
        }
        if !up.trouble.take(now, figures) {
            return None;
        }
        match up.trouble.now() {
            Some(failure) if handling(failure).policy == Policy::Mend => self.mend(now, failure, rng),
            Some(_) | None => {
                self.mending.rest(now);
                None
            }
        }
    }

    /// A link that was up has lost its connection, and it cannot be had again in place.
    fn puzzled(&mut self, now: Mono, rng: &mut Rng) -> Option<Break> {
        match &mut self.state {
            State::Connecting { deadline, puzzle: puzzle @ Puzzle::None, .. } => {
                *puzzle = Puzzle::Due(now);
                *deadline = now + CONNECT;
                None
            }
            State::Up(_) => self.failed(now, Failure::ServerClosed, rng),
            State::Connecting { puzzle: Puzzle::Due(_) | Puzzle::Asked, .. }
            | State::Idle
            | State::Due { .. }
            | State::TearingDown { .. }
            | State::BackingOff { .. } => None,
        }
    }

    fn failed(&mut self, now: Mono, failure: Failure, rng: &mut Rng) -> Option<Break> {
        match self.state {
            State::Connecting { transport, turn, .. } => {
                self.refused_or_failed(now, failure, (transport, turn), None, rng)
            }
            State::Up(up) if up.durable.is_zero() => {
                self.refused_or_failed(now, failure, (up.transport, up.turn), Some(&up), rng)
            }
            State::Up(up) => Some(self.fail(now, now, failure, Some(&up), rng)),
            State::Idle | State::Due { .. } | State::TearingDown { .. } | State::BackingOff { .. } => None,
        }
    }

    /// A camera that knows only one transport is no failure while the other has not been asked.
    fn refused_or_failed(
        &mut self,
        now: Mono,
        failure: Failure,
        (transport, turn): (Transport, Turn),
        up: Option<&Up>,
        rng: &mut Rng,
    ) -> Option<Break> {
        let refused = failure == Failure::UnsupportedTransport;
        if refused && matches!((self.choice, turn), (TransportChoice::Auto, Turn::First)) {
            let other = match transport {
                Transport::Tcp => Transport::Udp,
                Transport::Udp => Transport::Tcp,
            };
            self.tear_down(now, Then::Switch(other), Reason::OtherTransport);
            return None;
        }
        Some(self.fail(now, now, failure, up, rng))
    }

    /// Ends a link that gives nothing.
    fn judge(&mut self, now: Mono, up: &Up, rng: &mut Rng) -> Option<Break> {
        if up.stalled_at(self.stall) <= now {
            Some(self.fail(now, up.video, Failure::Stalled, Some(up), rng))
        } else if up.starved_at().is_some_and(|at| at <= now) {
            Some(self.fail(now, up.keyframe, Failure::KeyframeStarved, Some(up), rng))
        } else {
            None
        }
    }

    /// `since`: since when nothing was received, as far as this link goes. `up`: what it was, if it was up.
    fn fail(&mut self, now: Mono, since: Mono, failure: Failure, up: Option<&Up>, rng: &mut Rng) -> Break {
        let durable = up.is_some_and(|up| !up.durable.is_zero());
        let retry = self.ladder.wait_after(failure, durable, rng);
        let at = now + retry.wait;
        if handling(failure).policy == Policy::Refused {
            self.refused = Some((at, failure));
        }
        let then = Then::Retry { at, failure, why: retry.why };
        self.tear_down(now, then, Reason::Failed(failure));
        Break { since, failure, live: up.is_some_and(|up| up.live_since.is_some()) }
    }

    fn tear_down(&mut self, now: Mono, then: Then, why: Reason) {
        self.owed = Some(CameraEffect::Disconnect(why));
        self.state = State::TearingDown { deadline: now + TEAR_DOWN, then };
    }

    fn torn_down(&mut self, now: Mono, then: Then) {
        match then {
            Then::Switch(transport) => {
                self.fall_due(now, transport, Turn::Second, Reason::OtherTransport);
            }
            Then::Retry { at, why, .. } if at <= now => {
                self.fall_due(now, self.proven, Turn::First, why);
            }
            Then::Retry { at, failure, why } => {
                self.state = State::BackingOff { until: at, failure, why };
            }
            Then::Rest => self.state = State::Idle,
        }
    }
}

/// Whether a return of the network may have changed anything.
const fn may_hurry(failure: Failure) -> bool {
    match handling(failure).policy {
        Policy::Climb | Policy::Busy | Policy::Mend | Policy::Endure => true,
        Policy::Refused | Policy::Unfit => false,
    }
}

impl Up {
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
