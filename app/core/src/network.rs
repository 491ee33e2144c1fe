//! Common cause: when most cameras are lost within seconds, or the link is down, it is the network and not they.
//!
//! Words: the **members** are the cameras that were lost together, and those lost since. While it lasts, their own alarms
//! wait: thirty alarms say less than one. It is over when most members are back; those that are not have alarms of their
//! own then.
//!
//! A sign that the network is back (a carrier, the first member) brings every member's next attempt forward: the waits
//! were grown by failures that were not theirs. [`crate::dial`] spreads the attempts.

use crate::camera::Camera;
use crate::failure::{Origin, handling};
use crate::set::CameraSet;
use crate::settings::MAX_CAMERAS;
use crate::time::Mono;
use core::time::Duration;

/// Lost within this are lost together: of one cut some connections are closed at once, the others are noticed by a stall of
/// 10 s and the figures' second after it. No longer than what a camera's own alarm waits, or the first ones would be told by
/// then. Where `stall` is set longer, those two are told apart.
const TOGETHER: Duration = Duration::from_secs(12);

/// A single camera is no common cause.
const LEAST: u32 = 2;

/// Between two signs that are acted on, so that a carrier that flaps does not keep every camera at its first attempt.
const SIGNS: Duration = Duration::from_secs(10);

/// See the module.
#[derive(Debug)]
pub(crate) struct Network {
    carrier: Carrier,
    state: State,
    /// The sign that was acted on last.
    sign: Option<Mono>,
    /// The cameras whose main stream comes.
    live: CameraSet,
    /// Those that the network may have taken, and when that was noticed of each.
    lost: CameraSet,
    noticed: [Mono; MAX_CAMERAS],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Carrier {
    Up,
    Down,
    /// It has come back, and nothing was done about it yet.
    Back,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Well,
    Down { since: Mono, members: CameraSet, sign: Sign },
}

/// Whether a member has come back since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sign {
    None,
    Seen,
}

impl Network {
    /// A network of which nothing is known: it is taken to be there.
    pub(crate) const fn new() -> Self {
        Network {
            carrier: Carrier::Up,
            state: State::Well,
            sign: None,
            live: CameraSet::NONE,
            lost: CameraSet::NONE,
            noticed: [Mono(0); MAX_CAMERAS],
        }
    }

    /// Whether any interface has a carrier.
    pub(crate) fn carrier(&mut self, there: bool) {
        self.carrier = match (self.carrier, there) {
            (_, false) => Carrier::Down,
            (Carrier::Down | Carrier::Back, true) => Carrier::Back,
            (Carrier::Up, true) => Carrier::Up,
        };
    }

    /// Looks at the camera at this place, which may have changed.
    pub(crate) fn see(&mut self, place: usize, camera: &Camera) {
        self.live = self.live.without(place);
        if camera.is_main_live() {
            self.live = self.live.with(place);
        }
        self.lost = self.lost.without(place);
        if let (Some(at), Some(noticed)) = (lost_to_the_network(camera), self.noticed.get_mut(place)) {
            self.lost = self.lost.with(place);
            *noticed = at;
        }
    }

    /// Judges what was seen of all of them. True if their next attempts are to be brought forward.
    pub(crate) fn follow(&mut self, now: Mono) -> bool {
        let live = self.live;
        self.state = match self.state {
            State::Well => self.look(now, live),
            State::Down { since, members, sign } => self.look_again((since, members, sign), live),
        };
        let member_back = match &mut self.state {
            State::Down { members, sign: sign @ Sign::None, .. } => {
                let back = members.and(live).count() > 0;
                if back {
                    *sign = Sign::Seen;
                }
                back
            }
            State::Down { sign: Sign::Seen, .. } | State::Well => false,
        };
        let carrier_back = self.carrier == Carrier::Back;
        if carrier_back {
            self.carrier = Carrier::Up;
        }
        let rested = self.sign.is_none_or(|sign| now.since(sign) >= SIGNS);
        let hurry = (member_back || carrier_back) && rested;
        if hurry {
            self.sign = Some(now);
        }
        hurry
    }

    /// The cameras whose own alarms wait; none while all is well.
    pub(crate) const fn members(&self) -> CameraSet {
        match self.state {
            State::Well => CameraSet::NONE,
            State::Down { members, .. } => members,
        }
    }

    /// Whether any interface has a carrier.
    pub(crate) const fn has_carrier(&self) -> bool {
        !matches!(self.carrier, Carrier::Down)
    }

    /// The cameras that were lost since then, if the network may have done that.
    fn lost_since(&self, since: Mono) -> CameraSet {
        let late = |place: &usize| self.noticed.get(*place).is_some_and(|noticed| *noticed >= since);
        self.lost.places(MAX_CAMERAS).filter(late).fold(CameraSet::NONE, CameraSet::with)
    }

    fn look(&self, now: Mono, live: CameraSet) -> State {
        let since = now - TOGETHER;
        let members = self.lost_since(since);
        if members.count() == 0 {
            return State::Well;
        }
        let most = members.count() >= LEAST && members.count() > live.count();
        // Cameras on this machine itself need no carrier.
        let cut = !self.has_carrier() && live.count() == 0;
        if most || cut { State::Down { since, members, sign: Sign::None } } else { State::Well }
    }

    fn look_again(&self, (since, members, sign): (Mono, CameraSet, Sign), live: CameraSet) -> State {
        let back = members.and(live);
        let lost = self.lost_since(since);
        // A cable that was out when few had been lost yet: those that stay away while most others come have reasons of
        // their own.
        let few = self.has_carrier() && lost.count() * 2 < live.count();
        let over = back.count() * 2 > members.count() || lost.count() == 0 || few;
        if over { State::Well } else { State::Down { since, members: back.or(lost), sign } }
    }
}

/// When it was noticed that a camera's main stream does not come, if the network may have done that.
fn lost_to_the_network(camera: &Camera) -> Option<Mono> {
    let (noticed, failure) = camera.away()?.noticed?;
    (handling(failure).origin == Origin::Network).then_some(noticed)
}
