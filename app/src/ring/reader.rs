//! The way out of a ring: what a volume's writer reads, and what it makes durable.

use std::sync::Arc;

use super::{Intake, Item, Ring};

/// The reading end of a ring, held by the writer of one volume.
#[derive(Debug)]
pub struct Reader {
    pub(super) ring: Arc<Ring>,
    pub(super) generation: u64,
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
