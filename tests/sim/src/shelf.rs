//! The segments on a volume, with the cleaner that an adapter would run, and what must hold of every deletion.
//!
//! Segments are longer here than on a disk (ten minutes), so that a month of 32 cameras is not a million of them.

use crate::agenda::At;
use crate::saboteur::Saboteur;
use core::time::Duration;
use holdfast_core::retention::{Candidate, Cleaner, Rule, Rules, Space, SpaceUnknown, Step, Unlisted};
use holdfast_core::time::{Mono, Wall};
use std::collections::VecDeque;

/// A segment is cut after this.
const SEGMENT: Duration = Duration::from_secs(600);

/// Bytes of a camera's second.
pub const RATE: u64 = 500_000;

/// Steps of one turn of cleaning.
const TURN: usize = 64;

/// Ages may be off by what the clocks of the world are: its small steps and its drift.
const AGE_SLACK: Duration = Duration::from_secs(3600);

#[derive(Clone, Copy, Debug)]
struct Segment {
    candidate: Candidate,
    ended: At,
}

#[derive(Clone, Debug, Default)]
struct Row {
    closed: VecDeque<Segment>,
    cursor: usize,
    bytes: u64,
    open: Option<Open>,
}

#[derive(Clone, Copy, Debug)]
struct Open {
    sequence: u32,
    since: At,
    bytes: u64,
}

/// What lies on a volume.
#[derive(Clone, Debug)]
pub struct Shelf {
    rows: Vec<Row>,
    sequence: u32,
    /// Of the filesystem.
    pub total: u64,
    used: u64,
    retention: Duration,
    /// One of so many segments is protected.
    protect: u32,
}

/// What a turn of cleaning came to.
#[derive(Clone, Debug, Default)]
pub struct Turn {
    /// Segments and bytes by rule.
    pub deleted: Vec<(Rule, u32, u64)>,
    /// Nothing more may be deleted: wanted, protected.
    pub exhausted: Option<(u64, u64)>,
    /// What must not be.
    pub wrong: Option<String>,
}

impl Shelf {
    /// An empty one.
    pub fn new(cameras: usize, total: u64, retention: Duration, protect: u32) -> Self {
        Shelf { rows: vec![Row::default(); cameras], sequence: 0, total, used: 0, retention, protect }
    }

    /// Bytes free.
    pub const fn free(&self) -> u64 {
        self.total.saturating_sub(self.used)
    }

    /// Bytes that a rule might delete.
    pub fn footage(&self) -> u64 {
        self.rows.iter().map(|row| row.bytes).sum()
    }

    /// The segments that are being written.
    pub fn open(&self) -> Vec<(usize, u32)> {
        self.rows.iter().enumerate().filter_map(|(i, row)| Some((i, row.open?.sequence))).collect()
    }

    /// Footage became durable. `wall`: its end, if the clock is trusted.
    pub fn store(&mut self, camera: usize, at: At, length: Duration, wall: Option<Wall>) -> u64 {
        let bytes = (length.as_millis() as u64 * RATE / 1000).min(self.free());
        self.used += bytes;
        if self.rows[camera].open.is_some_and(|open| at.since(open.since) >= SEGMENT) {
            self.close(camera, at, wall);
        }
        let sequence = self.sequence;
        let open = self.rows[camera].open.get_or_insert_with(|| {
            self.sequence += 1;
            Open { sequence, since: at, bytes: 0 }
        });
        open.bytes += bytes;
        bytes
    }

    /// All open segments end.
    pub fn close_all(&mut self, at: At, wall: Option<Wall>) {
        for camera in 0..self.rows.len() {
            self.close(camera, at, wall);
        }
    }

    fn close(&mut self, camera: usize, at: At, ended: Option<Wall>) {
        let row = &mut self.rows[camera];
        let Some(open) = row.open.take() else { return };
        let protected = self.protect > 0 && open.sequence.is_multiple_of(self.protect);
        let candidate = Candidate { sequence: open.sequence, ended, bytes: open.bytes, protected };
        row.bytes += if protected { 0 } else { open.bytes };
        row.closed.push_back(Segment { candidate, ended: at });
    }

    /// One turn of the adapter's loop: figures, then steps until there is nothing to delete.
    pub fn clean(
        &mut self,
        (at, mono): (At, Mono),
        clock: Option<Wall>,
        cleaner: &mut Cleaner,
        (blind, doubtful): (bool, bool),
        mut saboteur: Option<&mut (dyn Saboteur + 'static)>,
    ) -> Turn {
        let space = Space { free: self.free(), total: self.total };
        cleaner.space(mono, if blind { Err(SpaceUnknown) } else { Ok(space) });
        let mut turn = Turn::default();
        for _ in 0..TURN {
            let mut step = cleaner.step(mono, clock, self);
            if let Some(saboteur) = &mut saboteur {
                step = saboteur.cleans(at, step, &self.open());
            }
            match step {
                Step::Delete { camera, candidate, rule } => {
                    let clock = (clock, doubtful);
                    turn.wrong = self.judge(at, camera, &candidate, rule, clock);
                    if turn.wrong.is_some() {
                        break;
                    }
                    self.delete(camera, &candidate);
                    cleaner.deleted(candidate.bytes);
                    match turn.deleted.iter_mut().find(|(known, ..)| *known == rule) {
                        Some((_, segments, bytes)) => {
                            *segments += 1;
                            *bytes += candidate.bytes;
                        }
                        None => turn.deleted.push((rule, 1, candidate.bytes)),
                    }
                }
                Step::Exhausted { wanted, protected, .. } => {
                    turn.exhausted = Some((wanted, protected));
                    break;
                }
                // There is more to look through than one step does: the adapter goes on at once.
                Step::Rest { until } if until <= mono => {}
                Step::Rest { .. } | Step::Blocked { .. } => break,
            }
        }
        turn
    }

    /// What is wrong with this deletion.
    fn judge(
        &self,
        at: At,
        camera: usize,
        candidate: &Candidate,
        rule: Rule,
        (clock, doubtful): (Option<Wall>, bool),
    ) -> Option<String> {
        let row = &self.rows[camera];
        if row.open.is_some_and(|open| open.sequence == candidate.sequence) {
            return Some(format!("cam{camera}: the open segment {} is deleted", candidate.sequence));
        }
        let Some(place) = row.closed.iter().position(|each| each.candidate.sequence == candidate.sequence)
        else {
            return Some(format!("cam{camera}: segment {} is deleted and not there", candidate.sequence));
        };
        let segment = &row.closed[place];
        if segment.candidate.protected {
            return Some(format!("cam{camera}: the protected segment {} is deleted", candidate.sequence));
        }
        if let Some(older) = row.closed.iter().take(place).find(|each| !each.candidate.protected) {
            let (older, newer) = (older.candidate.sequence, candidate.sequence);
            return Some(format!("cam{camera}: segment {newer} is deleted before {older}"));
        }
        let least = match rule {
            Rule::Age => self.retention,
            Rule::EmergencyAge => Rules::DEFAULT.emergency_age,
            Rule::Space | Rule::EmergencySpace => return None,
        };
        if clock.is_none() {
            return Some(format!("cam{camera}: deleted by age while the clock is not trusted"));
        }
        let age = at.since(segment.ended);
        (!doubtful && age + AGE_SLACK < least)
            .then(|| format!("cam{camera}: deleted by {rule:?} at the true age of {age:?}"))
    }

    fn delete(&mut self, camera: usize, candidate: &Candidate) {
        let row = &mut self.rows[camera];
        if let Some(place) = row.closed.iter().position(|each| each.candidate.sequence == candidate.sequence)
        {
            row.closed.remove(place);
            row.cursor = row.cursor.saturating_sub(usize::from(place < row.cursor));
        }
        row.bytes = row.bytes.saturating_sub(candidate.bytes);
        self.used = self.used.saturating_sub(candidate.bytes);
    }
}

impl holdfast_core::retention::Shelf for Shelf {
    fn cameras(&self) -> usize {
        self.rows.len()
    }

    fn age(&self, _: usize) -> Option<Duration> {
        Some(self.retention)
    }

    fn footage(&self, camera: usize) -> Option<u64> {
        Some(self.rows[camera].bytes)
    }

    fn head(&mut self, camera: usize) -> Result<Option<Candidate>, Unlisted> {
        let row = &self.rows[camera];
        Ok(row.closed.get(row.cursor).map(|segment| segment.candidate))
    }

    fn pass(&mut self, camera: usize) {
        self.rows[camera].cursor += 1;
    }

    fn rewind(&mut self) {
        self.rows.iter_mut().for_each(|row| row.cursor = 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn much_that_is_protected_does_not_keep_a_full_volume_from_being_freed() {
        const LENGTH: Duration = Duration::from_secs(600);
        let bytes = LENGTH.as_secs() * RATE;
        let mut shelf = Shelf::new(1, 2_100 * bytes, Duration::from_secs(86_400), 1);
        for segment in 0..2_100 {
            // The old ones are protected, the newest hundred are not.
            shelf.protect = u32::from(segment < 2_000);
            shelf.store(0, Mono(0), LENGTH, None);
            shelf.close_all(Mono(0), None);
        }
        assert_eq!(shelf.free(), 0);
        let mut cleaner = Cleaner::new(Rules::DEFAULT);
        let turn = shelf.clean((Mono(0), Mono(0)), None, &mut cleaner, (false, false), None);
        assert!(turn.wrong.is_none() && !turn.deleted.is_empty(), "{turn:?}");
    }
}
