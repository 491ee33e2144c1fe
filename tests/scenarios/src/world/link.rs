//! One stream of a virtual camera, and the ring of the camera: what comes when all is well, and what comes of each fault.

use crate::script::{Cure, StreamAct};
use core::time::Duration;
use holdfast_core::effect::Stream;
use holdfast_core::event::{CameraEvent, Failure, StreamFigures};
use holdfast_core::settings::Transport;
use holdfast_core::time::Mono;
use std::collections::VecDeque;

/// Frames a second of every virtual camera; each second begins with a keyframe.
pub(super) const RATE: u64 = 30;

/// A stream.
#[derive(Debug, Default)]
pub(super) struct Link {
    condition: Condition,
    /// Its next attempt fails so.
    once: Option<Failure>,
    /// Why its last attempt got no connection, until it is told.
    verdict: Option<Failure>,
    refuses: Option<Transport>,
    clings: bool,
    pub(super) state: State,
    /// Of its connection: answers to an earlier one reach nobody.
    pub(super) number: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Condition {
    #[default]
    Well,
    Away(Failure),
    Silent,
    Stalls,
    SoundOnly,
    NoKeyframes,
    NoSound,
    Trouble(Trouble, Cure),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Trouble {
    Damaged,
    Jams,
    Frozen,
    Leaps,
    RunsBack,
    Changes,
}

/// Where its connection is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum State {
    #[default]
    Down,
    Connecting(Transport),
    Up(Up),
}

/// A connection that lives.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Up {
    figures: StreamFigures,
    /// Since when footage comes that was not taken to the ring yet.
    flowing: Option<Mono>,
}

impl Link {
    /// Something becomes of it. Gives how its connection ends, if it does.
    pub(super) fn act(&mut self, now: Mono, act: StreamAct) -> Option<Failure> {
        let mut broke = None;
        let trouble = |trouble, cure| Condition::Trouble(trouble, cure);
        match act {
            StreamAct::Works => {
                (self.condition, self.once, self.refuses, self.clings) = (Condition::Well, None, None, false);
            }
            StreamAct::Fails(failure) => match self.state {
                State::Up(_) => broke = Some(failure),
                State::Down | State::Connecting(_) => self.once = Some(failure),
            },
            StreamAct::Away(failure) => {
                self.condition = Condition::Away(failure);
                broke = Some(failure);
            }
            StreamAct::Silent => self.condition = Condition::Silent,
            StreamAct::Stalls => self.condition = Condition::Stalls,
            StreamAct::SoundOnly => self.condition = Condition::SoundOnly,
            StreamAct::NoKeyframes => self.condition = Condition::NoKeyframes,
            StreamAct::NoSound => self.condition = Condition::NoSound,
            StreamAct::Damaged(cure) => self.condition = trouble(Trouble::Damaged, cure),
            StreamAct::Jams(cure) => self.condition = trouble(Trouble::Jams, cure),
            StreamAct::Frozen => self.condition = trouble(Trouble::Frozen, Cure::Never),
            StreamAct::Leaps => self.condition = trouble(Trouble::Leaps, Cure::Never),
            StreamAct::RunsBack => self.condition = trouble(Trouble::RunsBack, Cure::Never),
            StreamAct::Changes => self.condition = trouble(Trouble::Changes, Cure::Never),
            StreamAct::Refuses(transport) => self.refuses = Some(transport),
            StreamAct::Clings => self.clings = true,
            StreamAct::OddTrack => {}
        }
        if !self.gives_footage() {
            self.forget();
        }
        self.keyframe(now);
        broke.filter(|_| matches!(self.state, State::Up(_)))
    }

    /// Whether an attempt waits for an answer.
    pub(super) const fn is_asked(&self) -> bool {
        matches!(self.state, State::Connecting(_))
    }

    /// What it answers to an attempt now; `None` if nobody answers.
    pub(super) fn answer(&mut self) -> Option<CameraEvent> {
        let State::Connecting(transport) = self.state else { return None };
        if self.refuses == Some(transport) {
            return Some(CameraEvent::Failed(Failure::UnsupportedTransport));
        }
        if let Some(failure) = self.once.take() {
            return Some(self.fail(failure));
        }
        match self.condition {
            Condition::Away(failure) => Some(self.fail(failure)),
            Condition::Silent => None,
            Condition::SoundOnly => Some(CameraEvent::Streaming { video: false, audio: true }),
            Condition::Well
            | Condition::Stalls
            | Condition::NoKeyframes
            | Condition::NoSound
            | Condition::Trouble(..) => {
                self.state = State::Up(Up::default());
                Some(CameraEvent::Streaming { video: true, audio: true })
            }
        }
    }

    /// How an attempt that fails so ends: that there is no connection is told without a reason.
    fn fail(&mut self, failure: Failure) -> CameraEvent {
        if failure.is_of_no_connection() {
            self.verdict = Some(failure);
            CameraEvent::NoConnection
        } else {
            CameraEvent::Failed(failure)
        }
    }

    /// Why there is no connection, once.
    pub(super) fn verdict(&mut self) -> Option<Failure> {
        self.verdict.take().filter(|_| self.is_asked())
    }

    /// A keyframe comes now, if any do: from here on there is footage.
    pub(super) fn keyframe(&mut self, now: Mono) -> bool {
        let comes = self.gives_footage();
        match &mut self.state {
            State::Up(up) if comes => {
                up.flowing = up.flowing.or(Some(now));
                true
            }
            State::Up(_) | State::Down | State::Connecting(_) => false,
        }
    }

    /// What came since the last time.
    pub(super) fn harvest(&mut self, now: Mono) -> Option<Mono> {
        let comes = self.gives_footage();
        let State::Up(up) = &mut self.state else { return None };
        let since = up.flowing.filter(|since| *since < now);
        up.flowing = (comes && up.flowing.is_some()).then_some(now);
        since
    }

    /// What had come is not kept, nor is anything until the next keyframe.
    pub(super) fn forget(&mut self) {
        if let State::Up(up) = &mut self.state {
            up.flowing = None;
        }
    }

    /// Something was done about it.
    pub(super) fn cure(&mut self, done: Cure) {
        let helps = |cure: Cure| match (cure, done) {
            (Cure::Never, _) => false,
            (Cure::Resume, _) | (_, Cure::Reconnect) => true,
            (Cure::Rebuild, Cure::Rebuild) => true,
            (Cure::Rebuild | Cure::Reconnect, Cure::Resume | Cure::Rebuild | Cure::Never) => false,
        };
        if let Condition::Trouble(_, cure) = self.condition
            && helps(cure)
        {
            self.condition = Condition::Well;
        }
    }

    /// The figures of its connection after another second.
    pub(super) fn figures(&mut self, now: Mono) -> Option<StreamFigures> {
        let condition = self.condition;
        let State::Up(up) = &mut self.state else { return None };
        let figures = &mut up.figures;
        figures.frozen = false;
        let pictures = match condition {
            Condition::Away(_) | Condition::Silent | Condition::Stalls | Condition::SoundOnly => {
                return Some(*figures);
            }
            Condition::Well | Condition::NoKeyframes | Condition::NoSound | Condition::Trouble(..) => RATE,
        };
        figures.units += pictures;
        figures.last_video = Some(now);
        if condition != Condition::NoKeyframes {
            figures.keyframes += 1;
        }
        if condition != Condition::NoSound {
            figures.last_audio = Some(now);
        }
        if let Condition::Trouble(trouble, _) = condition {
            match trouble {
                Trouble::Damaged => figures.damaged += RATE / 3,
                Trouble::Jams => {}
                Trouble::Frozen => figures.frozen = true,
                Trouble::Leaps => figures.jumps += 1,
                Trouble::RunsBack => figures.backwards += 1,
                Trouble::Changes => figures.formats += 1,
            }
        }
        Some(*figures)
    }

    /// Whether it is torn down in time.
    pub(super) const fn lets_go(&self) -> bool {
        !self.clings
    }

    fn gives_footage(&self) -> bool {
        match self.condition {
            Condition::Well | Condition::NoSound => true,
            Condition::Trouble(trouble, _) => trouble != Trouble::Jams,
            Condition::Away(_)
            | Condition::Silent
            | Condition::Stalls
            | Condition::SoundOnly
            | Condition::NoKeyframes => false,
        }
    }
}

/// Footage that follows on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) from: Mono,
    pub(super) to: Mono,
    pub(super) stream: Stream,
}

impl Piece {
    pub(super) fn length(&self) -> Duration {
        self.to.since(self.from)
    }
}

/// The ring of a camera.
#[derive(Debug, Default)]
pub(super) struct Ring {
    pub(super) pieces: VecDeque<Piece>,
}

impl Ring {
    pub(super) fn push(&mut self, piece: Piece) {
        match self.pieces.back_mut() {
            Some(last) if last.to == piece.from && last.stream == piece.stream => last.to = piece.to,
            Some(_) | None => self.pieces.push_back(piece),
        }
    }

    pub(super) fn held(&self) -> Duration {
        self.pieces.iter().map(Piece::length).sum()
    }

    /// Takes the oldest footage of at most this length.
    pub(super) fn take(&mut self, most: Duration) -> Vec<Piece> {
        let (mut taken, mut rest) = (Vec::new(), most);
        while let Some(first) = self.pieces.front_mut().filter(|_| !rest.is_zero()) {
            let piece = Piece { to: first.to.min(first.from + rest), ..*first };
            rest = rest.saturating_sub(piece.length());
            first.from = piece.to;
            if first.length().is_zero() {
                self.pieces.pop_front();
            }
            taken.push(piece);
        }
        taken
    }

    /// Drops what does not fit, by whole seconds, since each begins with a keyframe.
    pub(super) fn overflow(&mut self, bound: Duration) -> Vec<Piece> {
        let excess = self.held().saturating_sub(bound);
        let seconds = excess.as_nanos().div_ceil(1_000_000_000);
        self.take(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
    }
}
