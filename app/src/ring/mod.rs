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
mod unit;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use holdfast_core::effect::Stream;
use holdfast_core::time::Mono;
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

    /// Drops whole GOPs until the limits hold again or nothing more can be dropped.
    fn shrink(&mut self) {
        let limits = self.limits;
        while self.bytes > limits.bytes || self.span() > limits.time {
            if self.behead() {
                continue;
            }
            let read_up_to = self.cursor.as_ref().map_or(0, |cursor| cursor.next);
            let Some(victim) = self.gops.iter().position(|gop| gop.first >= read_up_to && !gop.beheaded)
            else {
                self.cut_newest_short(read_up_to);
                return;
            };
            if victim + 1 == self.gops.len() && matches!(self.taken().intake, Intake::Growing) {
                self.drop_growing();
                return;
            }
            let Some(gop) = self.gops.remove(victim) else { return };
            self.bytes -= gop.bytes;
            let Some(first) = gop.units.first() else { continue };
            let to = match self.gops.get_mut(victim) {
                Some(next) => {
                    next.after_drop = true;
                    next.units.first().map_or(first.pts, |unit| unit.pts)
                }
                None => gop.units.iter().map(|unit| unit.pts).max().unwrap_or(first.pts),
            };
            self.tell_drop(Dropped {
                from: first.pts,
                to,
                units: gop.video_units(0),
                bytes: gop.bytes as u64,
            });
        }
    }

    /// Nobody but the reader that had begun it can use a GOP without its keyframe: for another reader what is
    /// left of it is dropped, and told. One that still grows begins again at its next keyframe.
    fn drop_beheaded(&mut self) {
        if !self.gops.front().is_some_and(|gop| gop.beheaded) {
            return;
        }
        let Some(gop) = self.gops.pop_front() else { return };
        self.bytes -= gop.bytes;
        let next = self.gops.front().and_then(|next| next.units.first()).map(|unit| unit.pts);
        let newest = gop.units.iter().map(|unit| unit.pts).max();
        let from = gop.units.iter().map(|unit| unit.pts).min().or(self.newest).unwrap_or_default();
        let drop = Dropped {
            from,
            to: next.or(newest).unwrap_or(from),
            units: gop.video_units(0),
            bytes: gop.bytes as u64,
        };
        if let Some(next) = self.gops.front_mut() {
            next.after_drop = true;
            self.tell_drop(drop);
        } else if matches!(self.taken().intake, Intake::Growing) {
            self.taken().intake = Intake::Waiting { dropping: Some(drop) };
        } else {
            self.tell_drop(drop);
        }
    }

    /// Lets go of what is durable of the oldest GOP, where that is not all of it: a GOP larger than the ring
    /// must not cost the footage that follows while the disk keeps up. Whether anything went.
    fn behead(&mut self) -> bool {
        let durable = self.cursor.as_ref().map_or(0, |cursor| cursor.durable);
        let Some(gop) = self.gops.front_mut() else { return false };
        let count = usize::try_from(durable.saturating_sub(gop.first)).unwrap_or(usize::MAX);
        let count = count.min(gop.units.len());
        if count == 0 {
            return false;
        }
        let bytes: usize = gop.units.drain(..count).map(|unit| unit.len()).sum();
        gop.first += count as u64;
        gop.beheaded = true;
        gop.bytes -= bytes;
        self.bytes -= bytes;
        true
    }

    /// The newest GOP alone exceeds the limits and nobody has begun it: it goes whole, and with it all
    /// that depends on it.
    fn drop_growing(&mut self) {
        let Some(gop) = self.gops.pop_back() else { return };
        self.bytes -= gop.bytes;
        let Some(first) = gop.units.first() else { return };
        let to = gop.units.iter().map(|unit| unit.pts).max().unwrap_or(first.pts);
        let drop = Dropped { from: first.pts, to, units: gop.video_units(0), bytes: gop.bytes as u64 };
        self.taken().intake = Intake::Waiting { dropping: Some(drop) };
    }

    /// Everything held has been begun by the reader. What it has not read yet of the newest GOP is
    /// dropped: the part before stays whole and playable, as at the loss of a connection.
    fn cut_newest_short(&mut self, read_up_to: u64) {
        if !matches!(self.taken().intake, Intake::Growing) {
            return;
        }
        let Some(gop) = self.gops.back_mut() else { return };
        let keep = usize::try_from(read_up_to.saturating_sub(gop.first)).unwrap_or(usize::MAX);
        if keep >= gop.units.len() {
            return;
        }
        let units = gop.video_units(keep);
        let rest = gop.units.split_off(keep);
        let bytes: usize = rest.iter().map(AccessUnit::len).sum();
        gop.bytes -= bytes;
        self.bytes -= bytes;
        let from = rest.iter().map(|unit| unit.pts).min().unwrap_or_default();
        let to = rest.iter().map(|unit| unit.pts).max().unwrap_or_default();
        self.taken().intake =
            Intake::Waiting { dropping: Some(Dropped { from, to, units, bytes: bytes as u64 }) };
    }

    fn tell_drop(&mut self, drop: Dropped) {
        match self.drops.last_mut() {
            // Neighbours are told as one: an hour without a disk is one drop, not 1,800.
            Some(last) if last.to == drop.from => {
                last.to = drop.to;
                last.units += drop.units;
                last.bytes += drop.bytes;
            }
            Some(_) | None => self.drops.push(drop),
        }
    }

    fn span(&self) -> Duration {
        let oldest = self.gops.front().and_then(|gop| gop.units.first()).map(|unit| unit.pts);
        match (oldest, self.newest) {
            (Some(oldest), Some(newest)) => newest.since(oldest),
            (None, _) | (_, None) => Duration::ZERO,
        }
    }
}

/// The reading end of a ring, held by the writer of one volume.
#[derive(Debug)]
pub struct Reader {
    ring: Arc<Ring>,
    generation: u64,
}

impl Reader {
    /// Appends up to `most` items to `into`. False once another reader has been attached.
    pub fn read(&mut self, into: &mut Vec<Item>, most: usize) -> bool {
        let mut guard = self.ring.lock();
        let inner = &mut *guard;
        let source = inner.taken();
        let connected = !matches!(source.intake, Intake::Closed);
        let current = source.connection;
        let Some(cursor) = inner.cursor.as_mut().filter(|cursor| cursor.generation == self.generation) else {
            return false;
        };
        let mut left = most;
        let begin = cursor.next;
        for gop in inner.gops.iter().filter(|gop| gop.next_position() > begin) {
            if left == 0 {
                return true;
            }
            if gop.first >= cursor.next && !gop.beheaded {
                let same = cursor.connection == Some(gop.connection);
                if !same && cursor.connection.is_some() {
                    into.push(Item::End);
                }
                let continues = same && !gop.after_drop;
                into.push(Item::Gop { continues, stream: gop.stream });
                cursor.next = gop.first;
                cursor.connection = Some(gop.connection);
            }
            let skip = usize::try_from(cursor.next - gop.first).unwrap_or(usize::MAX);
            for unit in gop.units.iter().skip(skip).take(left) {
                into.push(Item::Unit(cursor.next, unit.clone()));
                cursor.next += 1;
                left -= 1;
            }
        }
        let read_all = !inner.gops.iter().any(|gop| gop.next_position() > cursor.next);
        if let Some(connection) = cursor.connection
            && read_all
            && (!connected || connection != current)
        {
            into.push(Item::End);
            cursor.connection = None;
        }
        true
    }

    /// Everything before `position` is durable: GOPs that lie wholly before it are let go.
    pub fn release(&mut self, position: u64) {
        let mut inner = self.ring.lock();
        match inner.cursor.as_mut().filter(|cursor| cursor.generation == self.generation) {
            Some(cursor) => cursor.durable = cursor.durable.max(position.min(cursor.next)),
            None => return,
        }
        let growing = matches!(inner.taken().intake, Intake::Growing);
        loop {
            let last = inner.gops.len() == 1;
            match inner.gops.front() {
                Some(gop) if gop.next_position() <= position && !(last && growing) => {}
                Some(_) | None => return,
            }
            if let Some(gop) = inner.gops.pop_front() {
                inner.bytes -= gop.bytes;
            }
        }
    }
}

#[cfg(test)]
mod tests;
