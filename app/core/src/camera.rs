//! One camera: which of its two streams is recorded, and whether it gives footage.
//!
//! Words: the **main** stream is what is to be recorded; the **fallback**, if the configuration names one, is recorded while
//! the main one does not come; the **recorded** stream is the one that the ring takes, from its next keyframe on. Each
//! stream has a link of its own ([`crate::link`]), which fails and recovers by itself.
//!
//! When the main stream has been away for 10 s the fallback is connected, and recorded as soon as it is up. When the main
//! one has been live again for 30 s without a break it is recorded again; the fallback is let go once the main one's next
//! keyframe has come, so nothing is missing between them. A camera that refuses our password is not asked for its second
//! stream either: that would only lock us out sooner.

mod standing;

use crate::effect::{CameraEffect, CameraStatus, Reason, Stream};
use crate::event::{CameraEvent, Cause, Failure};
use crate::failure::{Policy, handling};
use crate::flapping::Flapping;
use crate::link::{Break, Link, Phase};
use crate::rng::Rng;
use crate::settings::CameraSettings;
use crate::time::{Anchor, Mono, Span, soonest};
use core::time::Duration;

/// So long the main stream is waited for before the fallback is connected: a broken connection is back within that.
const AWAY: Duration = Duration::from_secs(10);

/// So long the main stream has to be live before it is recorded again: a camera that boots breaks once or twice.
const HEALTHY: Duration = Duration::from_secs(30);

/// Without anything durable for this long, a camera is no longer called recording; and if its video comes and its volume
/// works, something between the two is wrong.
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
    /// It records its fallback stream, or would.
    OnFallback(Option<Failure>),
    /// It does not.
    Lost(Option<Failure>),
    /// It refuses our password.
    Refused(Failure),
}

/// How far the way back to the main stream is. Its figures are up to a second old: a keyframe that they tell of for the
/// first time may have come before it was decided, and the ring still waits for the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Handover {
    /// It was decided.
    Decided,
    /// So many keyframes had come at some moment after that.
    Waiting(u64),
}

/// The main stream does not come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Away {
    /// Its last video; the start, if there never was any.
    since: Mono,
    /// Why, once that is known, and when it was first noticed.
    pub(crate) noticed: Option<(Mono, Failure)>,
}

/// What a camera may do about its fallback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Means {
    /// As configured.
    Ample,
    /// Memory is short: no fallback is begun, and none is kept for longer than it is needed.
    Short,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Camera {
    life: Life,
    main: Link,
    fallback: Option<Link>,
    recorded: Stream,
    /// Since when.
    recorded_since: Mono,
    /// The main stream is to be recorded again. Until its next keyframe comes, the fallback is.
    handover: Option<Handover>,
    away: Option<Away>,
    absence: Option<Absence>,
    /// When footage of it became durable last, while that is not too long ago.
    progress: Option<Mono>,
    /// The same, however long ago.
    stored: Option<Mono>,
    flapping: Flapping,
    /// The recorded stream that the shell was told of.
    told_stream: Stream,
    told: Option<CameraStatus>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    New,
    Running,
    Stopping,
}

impl Camera {
    /// A camera that has not been started. `stall`: see [`crate::settings::Settings::stall`].
    pub(crate) fn new(settings: CameraSettings, stall: Duration) -> Self {
        let CameraSettings { transport, host, fallback } = settings;
        Camera {
            life: Life::New,
            main: Link::new(transport, host, stall),
            fallback: fallback.map(|host| Link::new(transport, host, stall)),
            recorded: Stream::Main,
            recorded_since: Mono(0),
            handover: None,
            away: None,
            absence: None,
            progress: None,
            stored: None,
            flapping: Flapping::default(),
            told_stream: Stream::Main,
            told: None,
        }
    }

    /// Begins.
    pub(crate) fn start(&mut self, now: Mono) {
        self.life = Life::Running;
        self.absence = Some(Absence { since: now, cause: Cause::Starting });
        self.away = Some(Away { since: now, noticed: None });
        self.main.want(now, Reason::Start);
    }

    /// Ends, from whatever state.
    pub(crate) fn stop(&mut self, now: Mono) {
        self.life = Life::Stopping;
        self.main.hang_up(now, Reason::Stop);
        if let Some(fallback) = &mut self.fallback {
            fallback.hang_up(now, Reason::Stop);
        }
    }

    /// Takes a fact about one of its streams.
    pub(crate) fn handle(&mut self, now: Mono, stream: Stream, event: &CameraEvent, rng: &mut Rng) {
        let Some(link) = self.link_mut(stream) else { return };
        let before = link.keyframes();
        let broke = link.handle(now, event, rng);
        let keyframes = link.keyframes();
        if (stream, self.handover) == (Stream::Main, Some(Handover::Decided)) {
            self.handover = Some(Handover::Waiting(keyframes));
        }
        if keyframes > before {
            self.live(stream);
        }
        if let Some(broke) = broke {
            self.broke(now, stream, broke);
        }
    }

    /// Footage of it became durable.
    pub(crate) fn stored(&mut self, now: Mono, span: Span, anchor: &Anchor) {
        self.stored = Some(now);
        let recorded = self.recorded;
        if self.link_mut(recorded).is_some_and(|link| link.stored(span, anchor)) {
            self.absence = None;
            self.progress = Some(now);
        }
    }

    /// The volume that took its footage is gone: the link lives on, nothing becomes durable.
    pub(crate) fn volume_lost(&mut self) {
        self.progress = None;
    }

    /// The network may be back.
    pub(crate) fn hurry(&mut self, now: Mono) {
        self.main.hurry(now);
    }

    /// Does what is due at `now`. `able`: since when its footage could have become durable.
    pub(crate) fn advance(&mut self, now: Mono, able: Option<Mono>, means: Means, rng: &mut Rng) {
        for stream in [Stream::Main, Stream::Fallback] {
            if let Some(broke) = self.link_mut(stream).and_then(|link| link.advance(now, rng)) {
                self.broke(now, stream, broke);
            }
        }
        self.watch_storing(now, able, rng);
        if self.progress.is_some_and(|progress| progress + PROGRESS <= now) {
            self.progress = None;
        }
        self.flapping.advance(now);
        if self.life == Life::Running {
            self.choose(now, means);
        }
    }

    /// When it wants to be called again at the latest.
    pub(crate) fn deadline(&self, able: Option<Mono>, means: Means) -> Option<Mono> {
        let fallback = self.fallback.as_ref().and_then(Link::deadline);
        let progress = self.progress.map(|progress| progress + PROGRESS);
        let storing = self.unstored_since(able).map(|since| self.mends_storing_at(since));
        let others = [fallback, progress, storing, self.flapping.deadline(), self.choice_deadline(means)];
        others.into_iter().fold(self.main.deadline(), soonest)
    }

    /// Why it gives no footage now; `None` while it does.
    pub(crate) const fn absence(&self) -> Option<Absence> {
        self.absence
    }

    /// Whether it has let go of everything for good.
    pub(crate) fn is_stopped(&self) -> bool {
        let idle = self.main.is_idle() && self.fallback.as_ref().is_none_or(Link::is_idle);
        idle && self.life != Life::Running
    }

    /// Whether its main stream comes.
    pub(crate) const fn is_main_live(&self) -> bool {
        self.main.live_since().is_some()
    }

    /// Since when and why its main stream does not come.
    pub(crate) const fn away(&self) -> Option<Away> {
        self.away
    }

    /// What is wrong with what is recorded of it, without keeping it from being recorded.
    pub(crate) fn trouble(&self) -> Option<Failure> {
        self.link(self.recorded).and_then(Link::trouble)
    }

    /// Whether its sound has stopped while its picture goes on.
    pub(crate) fn is_silent(&self) -> bool {
        self.link(self.recorded).is_some_and(Link::is_silent)
    }

    /// Whether it breaks and comes back again and again.
    pub(crate) fn flaps(&self) -> bool {
        self.flapping.flaps()
    }

    /// One of its links; `None` for a fallback that it does not have.
    pub(crate) const fn link(&self, stream: Stream) -> Option<&Link> {
        match stream {
            Stream::Main => Some(&self.main),
            Stream::Fallback => self.fallback.as_ref(),
        }
    }

    /// A link may connect now.
    pub(crate) fn dial(&mut self, stream: Stream, now: Mono) {
        if let Some(link) = self.link_mut(stream) {
            link.dial(now);
        }
    }

    /// What the alarms are to know.
    pub(crate) fn condition(&self) -> Condition {
        let up = self.link(self.recorded).is_some_and(Link::is_up);
        if self.life != Life::Running || (up && self.gives()) {
            return match (self.life, self.recorded) {
                (Life::Running, Stream::Fallback) => Condition::OnFallback(self.main_failure()),
                (Life::Running | Life::New | Life::Stopping, Stream::Main)
                | (Life::New | Life::Stopping, Stream::Fallback) => Condition::Well,
            };
        }
        let failure = match self.absence {
            Some(Absence { cause: Cause::Camera(failure), .. }) => Some(failure),
            Some(_) | None => None,
        };
        match failure {
            Some(failure) if !up && handling(failure).policy == Policy::Refused => {
                Condition::Refused(failure)
            }
            Some(_) | None => Condition::Lost(failure),
        }
    }

    /// The next effect that it owes, of which stream. `routed`: a volume takes its footage.
    pub(crate) fn poll_effect(&mut self, routed: bool) -> Option<(Stream, CameraEffect)> {
        for stream in [Stream::Main, Stream::Fallback] {
            if let Some(owed) = self.link_mut(stream).and_then(Link::poll_effect) {
                return Some((stream, owed));
            }
        }
        if self.told_stream != self.recorded {
            self.told_stream = self.recorded;
            return Some((Stream::Main, CameraEffect::Record(self.recorded)));
        }
        let status = self.status(routed)?;
        if self.told == Some(status) {
            return None;
        }
        self.told = Some(status);
        Some((Stream::Main, CameraEffect::Status(status)))
    }

    fn link_mut(&mut self, stream: Stream) -> Option<&mut Link> {
        match stream {
            Stream::Main => Some(&mut self.main),
            Stream::Fallback => self.fallback.as_mut(),
        }
    }

    /// Whether its recorded stream, which is up, gives footage: it becomes durable, or would if its volume took it. A camera
    /// whose volume is slow is not lost.
    const fn gives(&self) -> bool {
        self.progress.is_some() || self.absence.is_none()
    }

    fn main_failure(&self) -> Option<Failure> {
        self.away.and_then(|away| away.noticed).map(|(_, failure)| failure)
    }

    /// A keyframe came on a link.
    fn live(&mut self, stream: Stream) {
        if stream == Stream::Main {
            self.away = None;
        }
        let unstored = Cause::Camera(Failure::NotStored);
        if stream == self.recorded && self.absence.is_some_and(|absence| absence.cause != unstored) {
            self.absence = None;
        }
    }

    fn broke(&mut self, now: Mono, stream: Stream, broke: Break) {
        let Break { since, failure, live } = broke;
        if stream == Stream::Main {
            let before = self.away.and_then(|away| away.noticed);
            let noticed = Some((before.map_or(now, |(first, _)| first), failure));
            let since = self.away.map_or(since, |away| away.since);
            self.away = Some(Away { since, noticed });
            self.handover = None;
            if live {
                self.flapping.broke(now);
            }
        }
        if stream != self.recorded {
            return;
        }
        self.progress = None;
        let since = if self.absence.is_none() { since } else { now };
        // Why the main stream is away is why there is nothing, if its fallback fails as well.
        let failure = self.main_failure().unwrap_or(failure);
        self.absence = Some(Absence { since, cause: Cause::Camera(failure) });
    }

    /// Since when its video has come without becoming durable, although it could.
    fn unstored_since(&self, able: Option<Mono>) -> Option<Mono> {
        let live = self.link(self.recorded).and_then(Link::live_since)?;
        // What a stream gave before it was recorded was not to be stored.
        Some(live.max(able?).max(self.stored.unwrap_or(Mono(0))).max(self.recorded_since))
    }

    fn mends_storing_at(&self, unstored: Mono) -> Mono {
        let mends = self.link(self.recorded).map_or(Mono(0), Link::mends_at);
        (unstored + PROGRESS).max(mends)
    }

    /// The watchdog of what becomes durable: its video comes, its volume works, and nothing is stored.
    fn watch_storing(&mut self, now: Mono, able: Option<Mono>, rng: &mut Rng) {
        let Some(since) = self.unstored_since(able) else { return };
        if self.mends_storing_at(since) > now {
            return;
        }
        if self.absence.is_none() {
            self.absence = Some(Absence { since, cause: Cause::Camera(Failure::NotStored) });
        }
        let stream = self.recorded;
        let broke = self.link_mut(stream).and_then(|link| link.mend(now, Failure::NotStored, rng));
        if let Some(broke) = broke {
            self.broke(now, stream, broke);
        }
    }

    /// Which stream is recorded, and whether the fallback is wanted.
    fn choose(&mut self, now: Mono, means: Means) {
        let missed = self.main_missed_at().is_some_and(|at| at <= now);
        let Some(fallback) = &mut self.fallback else { return };
        match self.recorded {
            Stream::Main => match (self.away, self.handover) {
                (Some(_), _) if fallback.is_up() => {
                    (self.recorded, self.recorded_since) = (Stream::Fallback, now);
                    self.handover = None;
                }
                (Some(_), _) if missed && means == Means::Ample => fallback.want(now, Reason::MainAway),
                (None, Some(Handover::Waiting(keyframes))) if self.main.keyframes() > keyframes => {
                    fallback.hang_up(now, Reason::MainBack);
                    self.handover = None;
                }
                // One that broke meanwhile has nothing more to give.
                (None, Some(_)) if !fallback.is_up() => {
                    fallback.hang_up(now, Reason::MainBack);
                    self.handover = None;
                }
                (None, None) => fallback.hang_up(now, Reason::MainBack),
                (Some(_) | None, _) => {}
            },
            // Whichever comes first is recorded from its first keyframe on.
            Stream::Fallback if !fallback.is_up() => {
                (self.recorded, self.recorded_since) = (Stream::Main, now);
            }
            Stream::Fallback => {
                let live = self.main.live_since();
                let healthy = match means {
                    Means::Ample => live.is_some_and(|live| live + HEALTHY <= now),
                    Means::Short => live.is_some(),
                };
                if healthy {
                    (self.recorded, self.recorded_since) = (Stream::Main, now);
                    self.handover = Some(Handover::Decided);
                }
            }
        }
        if means == Means::Short && self.recorded == Stream::Main && !fallback.is_up() {
            fallback.hang_up(now, Reason::MemoryShort);
        }
    }

    /// When the main stream will have been away for so long that the fallback is asked.
    fn main_missed_at(&self) -> Option<Mono> {
        let refused = self.main_failure().is_some_and(|f| handling(f).policy == Policy::Refused);
        self.away.filter(|_| !refused).map(|away| away.since + AWAY)
    }

    /// When [`Camera::choose`] would decide something that no event brings.
    fn choice_deadline(&self, means: Means) -> Option<Mono> {
        let fallback = self.fallback.as_ref().filter(|_| self.life == Life::Running)?;
        match self.recorded {
            Stream::Main if fallback.is_idle() && means == Means::Ample => self.main_missed_at(),
            Stream::Main => None,
            Stream::Fallback => self.main.live_since().map(|live| live + HEALTHY),
        }
    }

    fn status(&self, routed: bool) -> Option<CameraStatus> {
        match self.life {
            Life::New => return None,
            Life::Stopping => return Some(CameraStatus::Stopped),
            Life::Running => {}
        }
        if self.link(self.recorded).is_some_and(Link::is_up) {
            return Some(match (self.progress, self.recorded) {
                (Some(_), Stream::Main) => CameraStatus::Recording,
                (Some(_), Stream::Fallback) => CameraStatus::OnFallback { failure: self.main_failure() },
                (None, _) if self.absence.is_none() && !routed => CameraStatus::Holding,
                (None, _) => CameraStatus::Waiting,
            });
        }
        Some(match self.main.phase() {
            // Up: its keyframe is waited for before it is recorded again.
            Phase::Idle | Phase::Connecting => CameraStatus::Connecting,
            Phase::Up => CameraStatus::Waiting,
            Phase::BackingOff { failure, until, failures } => {
                CameraStatus::BackingOff { failure, until, failures }
            }
        })
    }
}
