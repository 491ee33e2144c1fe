//! The bounded buffer of GOPs between a camera and a disk.
//!
//! Words: the **producer** is the camera's streaming thread, which must never wait; the **reader** is
//! the thread of the volume that the camera is routed to. A **position** numbers access units, rising
//! over the life of the ring.
//!
//! What it keeps to:
//!
//! 1. A GOP is the smallest thing that is dropped. Access units before the first keyframe are not kept.
//! 2. A GOP stays until all of it is durable ([`Reader::release`]), so that another volume, or the same
//!    one after a fault, can begin at its keyframe ([`Ring::attach`] starts at the oldest GOP held).
//! 3. Bytes and time are bounded by [`Limits`]. Where they are exceeded, what is durable goes first; then the
//!    oldest GOP that the reader has not begun is dropped, and every dropped span is told
//!    ([`Ring::take_drops`]).
//! 4. The lock is held for moves of references alone, never for I/O.
//! 5. Of a camera's two streams one is **taken** at a time. Another one is from its own next keyframe on
//!    ([`Ring::select`]); until then the one before goes on, and what else comes of it is nobody's. A GOP is of one
//!    stream, and says of which.

mod fill;
mod reader;
mod room;
mod unit;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use holdfast_core::effect::Stream;
use holdfast_core::time::Mono;
pub use reader::Reader;
pub use unit::{AccessUnit, Data, TrackKind};

/// How much a ring may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of access units.
    pub bytes: usize,
    /// From the oldest access unit to the newest.
    pub time: Duration,
}

/// A run of whole GOPs that was dropped, since the ring was full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// Presentation time of its first video access unit.
    pub from: Mono,
    /// Where the footage goes on: the first access unit after it.
    pub to: Mono,
    /// Video access units in it.
    pub units: u32,
    /// Bytes in it.
    pub bytes: u64,
}

/// What a reader gets, in order.
#[derive(Clone, Debug)]
pub enum Item {
    /// A GOP begins: everything up to the next `Gop` belongs to it.
    Gop {
        /// Whether it follows on from the GOP before: same connection, nothing dropped between.
        continues: bool,
        /// Which of the camera's streams it shows.
        stream: Stream,
    },
    /// An access unit, with its position.
    Unit(u64, AccessUnit),
    /// The camera's connection ended here: nothing more will come that follows on from this.
    End,
}

/// One GOP in the ring.
#[derive(Debug)]
struct Gop {
    stream: Stream,
    connection: u64,
    /// Whether the GOP before it was dropped or cut short.
    after_drop: bool,
    /// Position of `units[0]`.
    first: u64,
    /// Its keyframe was let go: what is left of it is for the reader that has begun it.
    beheaded: bool,
    units: Vec<AccessUnit>,
    bytes: usize,
}

impl Gop {
    fn next_position(&self) -> u64 {
        self.first + self.units.len() as u64
    }
    fn video_units(&self, from: usize) -> u32 {
        let units = self.units.get(from..).unwrap_or_default();
        units.iter().filter(|unit| unit.track == TrackKind::Video).count() as u32
    }
}

/// The way in of one stream.
#[derive(Debug)]
struct Source {
    /// Its newest connection, numbered over all of the ring.
    connection: u64,
    intake: Intake,
}

impl Source {
    const fn new() -> Self {
        Source { connection: 0, intake: Intake::Closed }
    }
}

/// Where the producer stands.
#[derive(Debug)]
enum Intake {
    /// No connection.
    Closed,
    /// Connected; nothing is kept until a keyframe comes. `dropping` if that is because of a drop.
    Waiting { dropping: Option<Dropped> },
    /// The same, after a flush: the next GOP does not follow on from what came before.
    Flushed,
    /// The newest GOP grows.
    Growing,
}

/// Where the reader stands.
#[derive(Debug)]
struct Cursor {
    /// Which reader: one that was detached reads nothing more.
    generation: u64,
    /// Next position to read.
    next: u64,
    /// What it read before this position, it has made durable.
    durable: u64,
    /// Connection of the unit read last, until its end was told.
    connection: Option<u64>,
}

#[derive(Debug)]
struct Inner {
    limits: Limits,
    keeps_audio: bool,
    gops: VecDeque<Gop>,
    bytes: usize,
    main: Source,
    fallback: Source,
    /// Whose access units are taken.
    taken: Stream,
    /// Whose are to be, from its next keyframe on.
    wanted: Stream,
    connections: u64,
    next_position: u64,
    cursor: Option<Cursor>,
    generations: u64,
    drops: Vec<Dropped>,
    newest: Option<Mono>,
}

/// The ring of one camera. Shared by its producer, its reader and the loop.
#[derive(Debug)]
pub struct Ring {
    inner: Mutex<Inner>,
}

impl Ring {
    /// An empty ring.
    pub fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Ring {
            inner: Mutex::new(Inner {
                limits,
                keeps_audio: true,
                gops: VecDeque::new(),
                bytes: 0,
                main: Source::new(),
                fallback: Source::new(),
                taken: Stream::Main,
                wanted: Stream::Main,
                connections: 0,
                next_position: 0,
                cursor: None,
                generations: 0,
                drops: Vec::new(),
                newest: None,
            }),
        })
    }

    /// A connection of this stream begins: access units are taken from its first keyframe on, if the stream is, through the
    /// feed given back. The feed of the stream's connection before brings nothing more in.
    pub fn connect(self: &Arc<Self>, stream: Stream) -> Feed {
        let mut inner = self.lock();
        inner.end_connection(stream);
        inner.connections += 1;
        let connection = inner.connections;
        *inner.source(stream) = Source { connection, intake: Intake::Waiting { dropping: None } };
        Feed { ring: Arc::clone(self), stream, connection }
    }

    /// From the next keyframe of this stream on, it is what is taken; until then the one before goes on.
    pub fn select(&self, stream: Stream) {
        self.lock().wanted = stream;
    }

    /// What it may hold from now on. What is too much already goes by the rules, at once.
    pub fn set_limits(&self, limits: Limits) {
        let mut inner = self.lock();
        inner.limits = limits;
        inner.shrink();
    }

    /// Whether audio is kept that comes from now on.
    pub fn keep_audio(&self, keeps: bool) {
        self.lock().keeps_audio = keeps;
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.lock().bytes
    }

    /// The spans dropped since this was asked last.
    pub fn take_drops(&self) -> Vec<Dropped> {
        std::mem::take(&mut self.lock().drops)
    }

    /// Begins to read, from the oldest GOP held. A reader attached before reads nothing more.
    pub fn attach(self: &Arc<Self>) -> Reader {
        let mut inner = self.lock();
        inner.generations += 1;
        let generation = inner.generations;
        inner.drop_beheaded();
        let next = inner.gops.front().map_or(inner.next_position, |gop| gop.first);
        inner.cursor = Some(Cursor { generation, next, durable: next, connection: None });
        Reader { ring: Arc::clone(self), generation }
    }

    /// Takes the ring away from whoever reads it, even from a thread that is stuck in a write: from now
    /// on everything held counts as unread.
    pub fn detach(&self) {
        self.lock().cursor = None;
    }

    /// A panic while the lock was held cannot leave `Inner` half changed in a way that matters more than
    /// recording on: every method restores its sums before it can panic again.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The way into a ring for one connection. A connection whose tear-down hangs may live beside the next
/// one: what it still delivers, and its end, concern nobody.
#[derive(Clone, Debug)]
pub struct Feed {
    ring: Arc<Ring>,
    stream: Stream,
    connection: u64,
}

impl Feed {
    /// Takes one access unit. Never waits for a disk.
    pub fn push(&self, unit: AccessUnit) {
        let mut inner = self.ring.lock();
        if inner.source(self.stream).connection == self.connection && inner.takes(self.stream, &unit) {
            inner.push(self.stream, unit);
            inner.shrink();
        }
    }

    /// Nothing more of this connection is kept until its next keyframe, and that does not follow on from what was.
    pub fn flush(&self) {
        let mut inner = self.ring.lock();
        let taken = inner.taken == self.stream;
        let source = inner.source(self.stream);
        if source.connection != self.connection || matches!(source.intake, Intake::Closed) {
            return;
        }
        match (std::mem::replace(&mut source.intake, Intake::Flushed), taken) {
            (Intake::Waiting { dropping: Some(drop) }, true) => inner.tell_drop(drop),
            (Intake::Waiting { .. } | Intake::Flushed | Intake::Growing | Intake::Closed, _) => {}
        }
    }

    /// The connection is over. What the ring holds stays.
    pub fn end(&self) {
        let mut inner = self.ring.lock();
        if inner.source(self.stream).connection == self.connection {
            inner.end_connection(self.stream);
        }
    }
}

impl Inner {
    fn source(&mut self, stream: Stream) -> &mut Source {
        match stream {
            Stream::Main => &mut self.main,
            Stream::Fallback => &mut self.fallback,
        }
    }

    /// The way in of the stream that is taken.
    fn taken(&mut self) -> &mut Source {
        self.source(self.taken)
    }

    fn end_connection(&mut self, stream: Stream) {
        let before = std::mem::replace(&mut self.source(stream).intake, Intake::Closed);
        if let Intake::Waiting { dropping: Some(drop) } = before {
            self.tell_drop(drop);
        }
    }

    /// Whether a unit of this stream is taken. The wanted stream takes over with its keyframe.
    fn takes(&mut self, stream: Stream, unit: &AccessUnit) -> bool {
        let open = !matches!(self.source(stream).intake, Intake::Closed);
        if stream != self.taken && stream == self.wanted && open && unit.starts_gop() {
            // The one before may be selected again, and goes on from a keyframe then.
            let before = std::mem::replace(&mut self.taken().intake, Intake::Closed);
            self.taken().intake = match before {
                Intake::Closed => Intake::Closed,
                Intake::Flushed | Intake::Growing => Intake::Flushed,
                Intake::Waiting { dropping } => {
                    dropping.into_iter().for_each(|drop| self.tell_drop(drop));
                    Intake::Flushed
                }
            };
            self.taken = stream;
        }
        let kept = unit.track == TrackKind::Video || self.keeps_audio;
        stream == self.taken && kept
    }

    fn push(&mut self, stream: Stream, unit: AccessUnit) {
        let starts_gop = unit.starts_gop();
        let Source { connection, intake } = self.source(stream);
        let connection = *connection;
        match intake {
            Intake::Closed => return,
            Intake::Flushed if !starts_gop => return,
            Intake::Waiting { dropping } if !starts_gop => {
                if let Some(drop) = dropping {
                    drop.bytes += unit.len() as u64;
                    drop.to = drop.to.max(unit.pts);
                    drop.units += u32::from(unit.track == TrackKind::Video);
                }
                return;
            }
            Intake::Waiting { .. } | Intake::Flushed | Intake::Growing => {}
        }
        if starts_gop {
            let before = std::mem::replace(intake, Intake::Growing);
            let after_drop = matches!(before, Intake::Flushed | Intake::Waiting { dropping: Some(_) });
            if let Intake::Waiting { dropping: Some(mut drop) } = before {
                drop.to = unit.pts;
                self.tell_drop(drop);
            }
            self.gops.push_back(Gop {
                stream,
                connection,
                after_drop,
                first: self.next_position,
                beheaded: false,
                units: Vec::new(),
                bytes: 0,
            });
        }
        let Some(gop) = self.gops.back_mut() else { return };
        self.newest = Some(self.newest.map_or(unit.pts, |newest| newest.max(unit.pts)));
        self.next_position += 1;
        self.bytes += unit.len();
        gop.bytes += unit.len();
        gop.units.push(unit);
    }
}

#[cfg(test)]
mod tests;
