//! When something was true: the newest intervals of it.

use crate::agenda::At;
use core::time::Duration;
use holdfast_core::event::Cause;
use holdfast_core::time::Mono;

/// So many past intervals are known; what is older may have been true.
const KEPT: usize = 6;

/// See the module.
#[derive(Clone, Copy, Debug, Default)]
pub struct Trace {
    open: Option<At>,
    past: [Option<(At, At)>; KEPT],
    next: usize,
    /// The end of the newest interval that was forgotten.
    forgotten: Option<At>,
}

impl Trace {
    /// It is true from `since` on, unless it was already.
    pub fn begin(&mut self, since: At) {
        self.open = Some(self.open.map_or(since, |open| open.min(since)));
    }

    /// It is true no more.
    pub fn end(&mut self, at: At) {
        if let Some(since) = self.open.take() {
            self.span(since, at);
        }
    }

    /// It was true so long.
    pub fn span(&mut self, from: At, to: At) {
        let newest = (self.next + KEPT - 1) % KEPT;
        if let Some((_, end)) = &mut self.past[newest]
            && from.since(*end) < Duration::from_secs(1)
        {
            *end = to.max(*end);
            return;
        }
        if let Some((_, end)) = self.past[self.next] {
            self.forgotten = Some(self.forgotten.map_or(end, |before| before.max(end)));
        }
        self.past[self.next] = Some((from, to));
        self.next = (self.next + 1) % KEPT;
    }

    /// Whether it may have been true at any time from `from` to `to`.
    pub fn overlaps(&self, from: At, to: At) -> bool {
        self.open.is_some_and(|open| open <= to)
            || self.forgotten.is_some_and(|end| end >= from)
            || self.past.iter().flatten().any(|(begin, end)| *begin <= to && *end >= from)
    }
}

/// Traces by cause.
#[derive(Clone, Debug, Default)]
pub struct Traces {
    list: Vec<(Cause, Trace)>,
    /// Some may be true still.
    open: bool,
}

impl Traces {
    /// That of a cause, which is about to change.
    pub fn of(&mut self, cause: Cause) -> &mut Trace {
        self.open = true;
        let place = self.list.iter().position(|(known, _)| *known == cause).unwrap_or_else(|| {
            self.list.push((cause, Trace::default()));
            self.list.len() - 1
        });
        &mut self.list[place].1
    }

    /// Ends all.
    pub fn end(&mut self, at: At) {
        if core::mem::take(&mut self.open) {
            self.list.iter_mut().for_each(|(_, trace)| trace.end(at));
        }
    }

    /// Whether that cause may have been true at any time from `from` to `to`.
    pub fn overlaps(&self, cause: Cause, from: At, to: At) -> bool {
        self.list.iter().any(|(known, trace)| *known == cause && trace.overlaps(from, to))
    }

    /// All causes that may have been true then.
    pub fn all(&self, from: At, to: At) -> impl Iterator<Item = Cause> {
        self.list.iter().filter(move |(_, trace)| trace.overlaps(from, to)).map(|(cause, _)| *cause)
    }
}

/// A little earlier: what is noted and what truly happened may lie apart by so much.
pub fn earlier(at: At, by: Duration) -> At {
    Mono(at.0.saturating_sub(by.as_nanos() as u64))
}
