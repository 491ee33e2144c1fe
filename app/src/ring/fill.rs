//! How much of a ring is taken by what is not durable yet: what foretells that it will overflow.

use std::time::Duration;

use super::{Inner, Limits, Ring};

impl Ring {
    /// How full it is of what is not durable yet, in percent of its bytes or of its time, whichever is more; at most 100.
    ///
    /// What is durable already and is held for another reader does not count: it goes first where room is needed.
    /// Without a reader all that is held counts.
    pub fn fill(&self) -> u8 {
        let inner = self.lock();
        let (bytes, time) = inner.owed();
        let Limits { bytes: most_bytes, time: most_time } = inner.limits;
        percent(bytes as u128, most_bytes as u128).max(percent(time.as_nanos(), most_time.as_nanos()))
    }
}

impl Inner {
    /// Bytes that are not durable yet, and the time from the first of them to the newest.
    fn owed(&self) -> (usize, Duration) {
        let durable = self.cursor.as_ref().map_or(0, |cursor| cursor.durable);
        let (mut bytes, mut oldest) = (0, None);
        for gop in self.gops.iter().filter(|gop| gop.next_position() > durable) {
            let settled = usize::try_from(durable.saturating_sub(gop.first)).unwrap_or(usize::MAX);
            let (before, owed) = gop.units.split_at(settled.min(gop.units.len()));
            bytes += gop.bytes - before.iter().map(|unit| unit.len()).sum::<usize>();
            oldest = oldest.or(owed.first().map(|unit| unit.pts));
        }
        let time = self.newest.zip(oldest).map_or(Duration::ZERO, |(newest, oldest)| newest.since(oldest));
        (bytes, time)
    }
}

/// Rounded up: a ring that is not empty is never told as empty. A ring that may hold nothing is full.
fn percent(part: u128, whole: u128) -> u8 {
    let percent = if whole == 0 { 100 } else { part.saturating_mul(100).div_ceil(whole) };
    u8::try_from(percent.min(100)).unwrap_or(100)
}
