//! What goes when a ring is full: the rules of dropping.

use std::time::Duration;

use super::{AccessUnit, Dropped, Inner, Intake};

impl Inner {
    /// Drops whole GOPs until the limits hold again or nothing more can be dropped.
    pub(super) fn shrink(&mut self) {
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
    pub(super) fn drop_beheaded(&mut self) {
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

    pub(super) fn tell_drop(&mut self, drop: Dropped) {
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
