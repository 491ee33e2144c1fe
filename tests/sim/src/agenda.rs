//! What the world has planned: items in order of time, those of one moment in the order in which they were planned.

use crate::weather::Pick;
use core::cmp::Reverse;
use core::time::Duration;
use holdfast_core::effect::Stream;
use holdfast_core::time::Mono;
use std::collections::BinaryHeap;

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

/// The plan.
#[derive(Debug, Default)]
pub struct Agenda {
    heap: BinaryHeap<Reverse<(At, u64, Item)>>,
    sequence: u64,
}

impl Agenda {
    /// Plans something.
    pub fn at(&mut self, at: At, item: Item) {
        self.sequence += 1;
        self.heap.push(Reverse((at, self.sequence, item)));
    }

    /// When the next item is due.
    pub fn next(&self) -> Option<At> {
        self.heap.peek().map(|Reverse((at, ..))| *at)
    }

    /// The next item, if it is due.
    pub fn due(&mut self, now: At) -> Option<Item> {
        if self.next()? > now {
            return None;
        }
        self.heap.pop().map(|Reverse((.., item))| item)
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
