//! The last events and effects: kept as they are, and made into lines only when a run has failed.

use crate::agenda::At;
use crate::invariant::Moment;
use holdfast_core::effect::Effect;
use holdfast_core::event::Event;

/// So many are kept.
const KEPT: usize = 1000;

/// One thing that passed between world and core.
#[derive(Clone, Debug)]
pub enum Word {
    /// Told to the core.
    Told(Event),
    /// Decided by the core.
    Decided(Effect),
    /// What the world did.
    World(String),
}

/// See the module.
#[derive(Debug, Default)]
pub struct Log {
    kept: Vec<(At, Word)>,
    next: usize,
}

impl Log {
    /// Keeps it, in the place of the oldest.
    pub fn keep(&mut self, at: At, word: Word) {
        if self.kept.len() < KEPT {
            self.kept.push((at, word));
        } else {
            self.kept[self.next] = (at, word);
        }
        self.next = (self.next + 1) % KEPT;
    }

    /// All that are kept, oldest first.
    pub fn lines(&self) -> Vec<String> {
        let split = self.next.min(self.kept.len());
        let (newer, older) = self.kept.split_at(split);
        older.iter().chain(newer).map(|(at, word)| line(*at, word)).collect()
    }
}

fn line(at: At, word: &Word) -> String {
    match word {
        Word::Told(event) => format!("{} > {event:?}", Moment(at)),
        Word::Decided(effect) => format!("{}   < {effect:?}", Moment(at)),
        Word::World(text) => format!("{} * {text}", Moment(at)),
    }
}
