//! What the world has planned: items in order of time, those of one moment in the order in which they were planned.

use crate::weather::Pick;
use core::time::Duration;
use holdfast_core::effect::Stream;
use holdfast_core::time::Mono;

/// A moment of true time: it goes on through power cuts, which the core's monotonic clock does not.
pub type At = Mono;

/// One link of the world: a camera's main or fallback stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LinkId {
    /// The camera.
    pub camera: u8,
    /// Which of its streams.
    pub stream: Stream,
}

/// What is planned. A `life` is that of the connection, writer or helper's work that it belongs to: when that has
/// ended, the item says nothing any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Item {
    /// The next trouble begins.
    Weather,
    /// A trouble that takes several steps goes on.
    Later(Pick),
    /// This trouble ends.
    Ends(u32),
    /// A link does something.
    Link(LinkId, u32, LinkStep),
    /// The ring of a camera takes the stream that was selected, if its keyframe came.
    Switch(u8),
    /// The writer stores what a camera's ring holds.
    Store(u8, u32),
    /// A volume's place does something.
    Place(u8, u32, PlaceStep),
    /// The kernel tells of memory.
    Pressure,
    /// A time source is reached.
    TimeSource,
    /// The recorder starts.
    Boot,
    /// What takes time to go wrong is looked at.
    Patrol,
}

/// Of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LinkStep {
    /// The attempt is answered.
    Answer,
    /// It is known why there was no connection.
    Verdict,
    /// The first keyframe comes.
    Keyframe,
    /// Its figures are told.
    Figures,
    /// They are told once more, between two times.
    Glance,
    /// It breaks.
    Break,
    /// It is torn down.
    TornDown,
    /// The shell tells something late.
    Stray,
}

/// Of a volume's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PlaceStep {
    /// The writer has opened, or could not.
    Opened,
    /// The writer has closed.
    Closed,
    /// The helper has unmounted.
    Unmounted,
    /// The helper has mounted.
    Mounted,
    /// A writer that hung has ended.
    Released,
    /// udev tells of the disk.
    Attached,
    /// Figures are told.
    Figures,
}

/// The plan: a heap in which each place has four below it, since most of a run's work here is to find the least of few.
#[derive(Debug, Default)]
pub struct Agenda {
    /// The moment in the upper half, the order of planning in the lower one. No two are alike.
    ranks: Vec<u128>,
    /// At the same places.
    items: Vec<Item>,
    sequence: u64,
}

/// So many places are below each.
const BELOW: usize = 4;

impl Agenda {
    /// Plans something.
    pub fn at(&mut self, at: At, item: Item) {
        self.sequence += 1;
        let rank = (u128::from(at.0) << 64) | u128::from(self.sequence);
        let mut place = self.ranks.len();
        self.ranks.push(rank);
        self.items.push(item);
        while place > 0 {
            let above = (place - 1) / BELOW;
            if self.ranks[above] < rank {
                break;
            }
            self.copy(above, place);
            place = above;
        }
        (self.ranks[place], self.items[place]) = (rank, item);
    }

    /// When the next item is due.
    pub fn next(&self) -> Option<At> {
        self.ranks.first().map(|rank| Mono((rank >> 64) as u64))
    }

    /// The next item, if it is due.
    pub fn due(&mut self, now: At) -> Option<Item> {
        if self.next()? > now {
            return None;
        }
        let due = self.items.first().copied();
        let (rank, item) = (self.ranks.pop()?, self.items.pop()?);
        let mut place = 0;
        loop {
            let below = place * BELOW + 1..self.ranks.len().min(place * BELOW + 1 + BELOW);
            let Some(least) = below.min_by_key(|place| self.ranks[*place]) else { break };
            if self.ranks[least] > rank {
                break;
            }
            self.copy(least, place);
            place = least;
        }
        if place < self.ranks.len() {
            (self.ranks[place], self.items[place]) = (rank, item);
        }
        due
    }

    fn copy(&mut self, from: usize, to: usize) {
        self.ranks[to] = self.ranks[from];
        self.items[to] = self.items[from];
    }
}

/// So many milliseconds.
pub const fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// So many seconds.
pub const fn secs(count: u64) -> Duration {
    Duration::from_secs(count)
}
