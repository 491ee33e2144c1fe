//! A line of time on which spans are painted: the arithmetic of coverage, exact to the microsecond.

use holdfast_wire::time::{Span, Wall};
use std::collections::BTreeMap;

/// Values over time; at each moment one value or none. Equal neighbours are one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paint<T> {
    /// From a start to its end and value; never empty, never overlapping.
    strokes: BTreeMap<i64, (i64, T)>,
}

impl<T> Default for Paint<T> {
    fn default() -> Self {
        Paint { strokes: BTreeMap::new() }
    }
}

impl<T: Copy + PartialEq> Paint<T> {
    /// Nothing painted.
    pub fn new() -> Self {
        Paint::default()
    }

    /// Paints `span`, over whatever was there.
    pub fn paint(&mut self, span: Span, value: T) {
        if span.is_empty() {
            return;
        }
        self.erase(span);
        let (mut from, mut to) = (span.from.0, span.to.0);
        if let Some((start, (_, _))) = self.ending_at(from).filter(|(_, (_, before))| *before == value) {
            self.strokes.remove(&start);
            from = start;
        }
        if let Some((end, _)) = self.strokes.get(&to).copied().filter(|(_, after)| *after == value) {
            self.strokes.remove(&to);
            to = end;
        }
        self.strokes.insert(from, (to, value));
    }

    /// Paints only what is still empty in `span`.
    pub fn fill(&mut self, span: Span, value: T) {
        for (piece, there) in self.pieces(span) {
            if there.is_none() {
                self.paint(piece, value);
            }
        }
    }

    /// Changes what is there piece by piece: `change` is given what is painted, or nothing, and says what is to be.
    pub fn change(&mut self, span: Span, change: impl Fn(Option<T>) -> Option<T>) {
        for (piece, there) in self.pieces(span) {
            match change(there) {
                Some(value) => self.paint(piece, value),
                None => self.erase(piece),
            }
        }
    }

    /// Makes `span` empty.
    pub fn erase(&mut self, span: Span) {
        if span.is_empty() {
            return;
        }
        let (from, to) = (span.from.0, span.to.0);
        while let Some((start, (end, value))) = self.last_before(to).filter(|(_, (end, _))| *end > from) {
            self.strokes.remove(&start);
            if end > to {
                self.strokes.insert(to, (end, value));
            }
            if start < from {
                self.strokes.insert(start, (from, value));
            }
        }
    }

    /// `span` in pieces, in order and without a hole: each painted with one value, or empty.
    pub fn pieces(&self, span: Span) -> Vec<(Span, Option<T>)> {
        let mut pieces = Vec::new();
        if span.is_empty() {
            return pieces;
        }
        let (mut at, to) = (span.from.0, span.to.0);
        let reaching_in = self.last_before(at).map_or(at, |(start, _)| start);
        for (start, (end, value)) in self.strokes.range(reaching_in..to) {
            if *end <= at {
                continue;
            }
            if *start > at {
                pieces.push((Span::new(Wall(at), Wall(*start)), None));
                at = *start;
            }
            let end = to.min(*end);
            pieces.push((Span::new(Wall(at), Wall(end)), Some(*value)));
            at = end;
        }
        if at < to {
            pieces.push((Span::new(Wall(at), Wall(to)), None));
        }
        pieces
    }

    /// The end of what is painted last before `at`, and the start of what is painted first from `at` on.
    pub fn around(&self, span: Span) -> (Option<Wall>, Option<Wall>) {
        let before = self.last_before(span.from.0.saturating_add(1)).map(|(_, (end, _))| Wall(end));
        let after = self.strokes.range(span.to.0..).next().map(|(start, _)| Wall(*start));
        (before, after)
    }

    fn last_before(&self, at: i64) -> Option<(i64, (i64, T))> {
        self.strokes.range(..at).next_back().map(|(start, stroke)| (*start, *stroke))
    }

    fn ending_at(&self, at: i64) -> Option<(i64, (i64, T))> {
        self.last_before(at).filter(|(_, (end, _))| *end == at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Copy, Debug)]
    enum Stroke {
        Paint,
        Fill,
        Erase,
        Change,
    }

    proptest! {
        /// The same strokes on an array with one cell for each moment.
        #[test]
        fn it_does_what_an_array_of_moments_does(
            strokes in prop::collection::vec(
                (prop_oneof![Just(Stroke::Paint), Just(Stroke::Fill), Just(Stroke::Erase), Just(Stroke::Change)], 0..60i64, 0..60i64, 0..3u8),
                0..40,
            ),
            from in 0..60i64, to in 0..60i64,
        ) {
            let change = |value: Option<u8>| match value {
                None => Some(0),
                Some(2) => None,
                Some(value) => Some(value + 1),
            };
            let mut model = [None::<u8>; 60];
            let mut paint = Paint::new();
            for (stroke, from, to, value) in strokes {
                let span = Span::new(Wall(from), Wall(to));
                for cell in model.iter_mut().take(to as usize).skip(from as usize) {
                    match stroke {
                        Stroke::Paint => *cell = Some(value),
                        Stroke::Fill => *cell = cell.or(Some(value)),
                        Stroke::Erase => *cell = None,
                        Stroke::Change => *cell = change(*cell),
                    }
                }
                match stroke {
                    Stroke::Paint => paint.paint(span, value),
                    Stroke::Fill => paint.fill(span, value),
                    Stroke::Erase => paint.erase(span),
                    Stroke::Change => paint.change(span, change),
                }
            }
            let pieces = paint.pieces(Span::new(Wall(from), Wall(to)));
            let mut at = from;
            for (piece, value) in &pieces {
                prop_assert_eq!(piece.from.0, at);
                prop_assert!(!piece.is_empty());
                for moment in piece.from.0..piece.to.0 {
                    prop_assert_eq!(model[moment as usize], *value);
                }
                at = piece.to.0;
            }
            prop_assert_eq!(at, from.max(to).min(at.max(to)));
            prop_assert!(pieces.windows(2).all(|pair| pair[0].1 != pair[1].1), "neighbours are joined: {:?}", pieces);
        }
    }
}
