//! What is given up while memory is short, and when it is taken back.
//!
//! Pressure is what the kernel measures of it (PSI): the share of the last ten seconds in which some task of this service
//! waited for memory. It rises before anything fails. What is given up stands in [`Shed`], a step at a time: rings that
//! hold less cost footage only if a disk fails at the same time; audio in them, sound; a fallback stream, what it might
//! have bridged. Never the picture of a camera.

use crate::effect::Shed;
use crate::time::Mono;
use core::time::Duration;

/// Pressure from this on is too much, in thousandths: a tenth of the time is lost to reclaiming memory. A healthy
/// recorder, whose page cache the kernel drops all the time, stays below one in a hundred.
const HIGH: u16 = 100;

/// Below this there is none.
const LOW: u16 = 10;

/// So long it has to last before the next thing is given up: the figure itself looks back over 10 s, and rings need some
/// seconds to shrink.
const PATIENCE: Duration = Duration::from_secs(5);

/// So long it has to be away before something is taken back: what is taken back costs memory again.
const RELIEF: Duration = Duration::from_secs(60);

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    shed: Shed,
    told: Shed,
    /// Since when it is as it is now, or since the last step.
    spell: Option<(Spell, Mono)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spell {
    High,
    Low,
}

impl Memory {
    /// Takes the pressure of this moment, in thousandths.
    pub(crate) fn pressure(&mut self, now: Mono, thousandths: u16) {
        let spell = match thousandths {
            HIGH.. => Spell::High,
            0..LOW => Spell::Low,
            LOW.. => {
                self.spell = None;
                return;
            }
        };
        let since = match self.spell {
            Some((before, since)) if before == spell => since,
            Some(_) | None => now,
        };
        self.spell = Some((spell, since));
        let lasts = now.since(since);
        let next = match spell {
            Spell::High if lasts >= PATIENCE => more(self.shed),
            Spell::Low if lasts >= RELIEF => less(self.shed),
            Spell::High | Spell::Low => return,
        };
        (self.shed, self.spell) = (next, Some((spell, now)));
    }

    /// What is given up now.
    pub(crate) const fn shed(&self) -> Shed {
        self.shed
    }

    /// What the shell has not been told of.
    pub(crate) fn poll_effect(&mut self) -> Option<Shed> {
        let changed = self.told != self.shed;
        self.told = self.shed;
        changed.then_some(self.shed)
    }
}

const fn more(shed: Shed) -> Shed {
    match shed {
        Shed::Nothing => Shed::Depth,
        Shed::Depth => Shed::Audio,
        Shed::Audio | Shed::Fallback => Shed::Fallback,
    }
}

const fn less(shed: Shed) -> Shed {
    match shed {
        Shed::Nothing | Shed::Depth => Shed::Nothing,
        Shed::Audio => Shed::Depth,
        Shed::Fallback => Shed::Audio,
    }
}
