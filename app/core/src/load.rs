//! Whether a volume takes the load: judged from the figures of its writer, while it is ready.
//!
//! Words: the **fill** is how full the fullest ring before it is; a **backlog** is a fill that does not fall; a volume is
//! **strained** while its rings are in danger.
//!
//! A high fill alone says nothing: a volume that comes back finds full rings, and empties them. So a fill counts once
//! it has not fallen for some seconds.

use crate::event::VolumeFigures;
use crate::time::Mono;
use core::time::Duration;

/// A call that lasts longer is not waited for: as long as a ring holds by default, so longer waiting saves nothing.
pub(crate) const STUCK: Duration = Duration::from_secs(30);

/// With another volume at hand a call is waited for no longer: a third of the ring is then held, and the other has
/// two thirds of it to take over in.
const GIVEN_UP: Duration = Duration::from_secs(10);

/// With another volume at hand a backlog above this, in percent, is not waited for: at 30 s of ring, 9 s are left.
const OVERFULL: u8 = 70;

/// A call that lasts longer is a strain: disks that wake from sleep take up to that.
pub(crate) const LABOURED: Duration = Duration::from_secs(5);

/// A backlog above this, in percent, is a strain: half the ring is left for a person to see it.
const BACKLOG: u8 = 50;

/// A fill that has not fallen for so long is a backlog.
const HELD: Duration = Duration::from_secs(3);

/// Strain is over when the fill is below this, in percent, ...
const RELIEVED: u8 = 25;

/// ... and no call lasts as long as this, ...
const QUICK: Duration = Duration::from_secs(2);

/// ... for so long.
const RECOVERED: Duration = Duration::from_secs(10);

/// See the module.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Load {
    high: Option<High>,
    strain: Strain,
}

/// A fill above `BACKLOG`, and since when it has not been below `least`.
#[derive(Clone, Copy, Debug)]
struct High {
    since: Mono,
    least: u8,
}

#[derive(Clone, Copy, Debug, Default)]
enum Strain {
    #[default]
    None,
    /// `calm`: since when it looks relieved.
    Strained { calm: Option<Mono> },
}

/// What a volume is there for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Duty {
    /// Another one takes the footage.
    Reserve,
    /// It takes the footage, and nothing else could.
    Alone,
    /// It takes the footage, and another could take over.
    Backed,
}

/// What the figures say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is to be kept, strained or not.
    Keep,
    /// It is too slow, and another one is at hand.
    TooSlow,
    /// It does not answer.
    Stuck,
}

impl Load {
    /// Takes the figures of this moment.
    pub(crate) fn judge(&mut self, now: Mono, figures: &VolumeFigures, duty: Duty) -> Verdict {
        if figures.busy >= STUCK {
            return Verdict::Stuck;
        }
        let fill = if duty == Duty::Reserve { 0 } else { figures.fill };
        self.high = match self.high {
            _ if fill < BACKLOG => None,
            Some(high) if fill >= high.least => Some(high),
            Some(_) | None => Some(High { since: now, least: fill }),
        };
        let backlog = self.high.is_some_and(|high| now.since(high.since) >= HELD);
        match duty {
            Duty::Reserve => {
                self.strain = Strain::None;
                return Verdict::Keep;
            }
            Duty::Backed if figures.busy >= GIVEN_UP || (backlog && fill > OVERFULL) => {
                return Verdict::TooSlow;
            }
            Duty::Alone | Duty::Backed => {}
        }
        let longest = figures.busy.max(figures.slowest);
        let relieved = fill < RELIEVED && longest < QUICK;
        self.strain = match self.strain {
            Strain::None if longest >= LABOURED || backlog => Strain::Strained { calm: None },
            Strain::None => Strain::None,
            Strain::Strained { calm: Some(since) } if relieved && now.since(since) >= RECOVERED => {
                Strain::None
            }
            Strain::Strained { calm } if relieved => Strain::Strained { calm: calm.or(Some(now)) },
            Strain::Strained { .. } => Strain::Strained { calm: None },
        };
        Verdict::Keep
    }

    /// Whether the rings are in danger.
    pub(crate) const fn is_strained(&self) -> bool {
        matches!(self.strain, Strain::Strained { .. })
    }
}
