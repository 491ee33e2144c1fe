//! Why footage is missing before each camera's next segment: what its header will say, so that the ledger can be
//! rebuilt from segments alone.
//!
//! The core tells why footage is missing before any segment exists, often before the camera is routed here. So
//! the notes belong to the writer, by camera, and a segment takes those that lie between the footage before it
//! and its own first frame. A later one may be there already: the camera failed while the first fragment
//! filled. It waits for the segment after.

use std::collections::HashMap;
use std::time::Duration;

use heapless::Vec as Bounded;
use holdfast_core::settings::CameraIndex;
use holdfast_core::time::Wall;
use holdfast_wire::segment::{MAX_BEFORE, Missing};

use crate::coverage::fold::JITTER;

/// So far a segment may begin before the end of the one before, and nothing is missing between: a camera's two streams
/// come through with different delays, and the clock may be corrected. Further back it was set (`core/src/account.rs`
/// draws the same line).
const OVERLAP: Duration = Duration::from_secs(2);

/// What is known of each camera.
#[derive(Debug, Default)]
pub(super) struct Notes {
    cameras: HashMap<CameraIndex, Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// In order of time.
    missing: Bounded<Missing, MAX_BEFORE>,
    /// Until when footage is durable here.
    covered_until: Option<Wall>,
}

impl Notes {
    /// Footage of this camera is missing from `missing.from` on. What was noted of later moments is superseded.
    pub fn missing(&mut self, camera: CameraIndex, missing: Missing) {
        let noted = &mut self.cameras.entry(camera).or_default().missing;
        noted.retain(|note| note.from < missing.from);
        if noted.last().is_some_and(|last| last.cause == missing.cause) {
            return;
        }
        if noted.is_full() {
            noted.pop();
        }
        // It was full or had room: a place is free now either way.
        let _ = noted.push(missing);
    }

    /// Footage of this camera is durable until this moment.
    pub fn covered(&mut self, camera: CameraIndex, until: Wall) {
        self.cameras.entry(camera).or_default().covered_until = Some(until);
    }

    /// What is to be said of the time before a segment of this camera that begins at `start`.
    pub fn before(&self, camera: CameraIndex, start: Wall) -> Bounded<Missing, MAX_BEFORE> {
        let mut before = Bounded::new();
        let Some(known) = self.cameras.get(&camera) else { return before };
        // A clock that was set back leaves footage "ahead" of the segment: that bounds nothing.
        let covered = known.covered_until.filter(|covered| *covered <= start + OVERLAP);
        if covered.is_some_and(|covered| start <= covered + JITTER) {
            return before;
        }
        let noted = known.missing.iter().take_while(|note| note.from < start);
        for note in noted.copied() {
            let from = covered.map_or(note.from, |covered| note.from.max(covered));
            // Of two that lie before the end of the footage the later one was in force when it ended.
            before.retain(|earlier: &Missing| earlier.from < from);
            // As many as there are notes at most.
            let _ = before.push(Missing { from, ..note });
        }
        before
    }

    /// A segment that begins at `start` carries what [`Notes::before`] gave.
    pub fn told(&mut self, camera: CameraIndex, start: Wall) {
        if let Some(known) = self.cameras.get_mut(&camera) {
            known.missing.retain(|note| note.from >= start);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use holdfast_wire::cause::{Cause, Failure};

    const CAMERA: CameraIndex = CameraIndex(0);
    const STALLED: Cause = Cause::Camera(Failure::Stalled);
    const REFUSED: Cause = Cause::Camera(Failure::Refused);

    /// Covered until, the notes as they came, the segment's start, what it says.
    type Case<'a> = (&'a str, Option<i64>, &'a [(i64, Cause)], i64, &'a [(i64, Cause)]);

    fn missing((from, cause): (i64, Cause)) -> Missing {
        Missing { from: Wall::from_secs(from), cause }
    }

    #[test]
    fn a_segment_says_what_lies_between_the_footage_before_it_and_its_own() {
        let cases: [Case; 10] = [
            ("nothing is known", None, &[], 20, &[]),
            ("the first segment of all", None, &[(10, Cause::Starting)], 20, &[(10, Cause::Starting)]),
            (
                "after a crash",
                Some(5),
                &[(5, Cause::Crashed), (10, Cause::Starting)],
                20,
                &[(5, Cause::Crashed), (10, Cause::Starting)],
            ),
            ("it follows on", Some(20), &[(12, STALLED)], 20, &[]),
            ("footage went on after the note", Some(15), &[(12, STALLED)], 20, &[(15, STALLED)]),
            (
                "two notes before the footage's end: the later one held",
                Some(15),
                &[(12, STALLED), (14, REFUSED)],
                20,
                &[(15, REFUSED)],
            ),
            ("a note after its start", Some(15), &[(15, STALLED), (21, REFUSED)], 20, &[(15, STALLED)]),
            ("an earlier note supersedes", Some(5), &[(12, STALLED), (8, REFUSED)], 20, &[(8, REFUSED)]),
            ("it overlaps the footage before", Some(22), &[(12, STALLED)], 20, &[]),
            ("a clock that was set back", Some(90), &[(10, STALLED)], 20, &[(10, STALLED)]),
        ];
        for (name, covered, notes, start, expected) in cases {
            let mut told = Notes::default();
            covered.into_iter().for_each(|at| told.covered(CAMERA, Wall::from_secs(at)));
            notes.iter().for_each(|note| told.missing(CAMERA, missing(*note)));
            let expected: Vec<Missing> = expected.iter().copied().map(missing).collect();
            assert_eq!(told.before(CAMERA, Wall::from_secs(start)).as_slice(), expected, "{name}");
        }
    }

    #[test]
    fn what_a_segment_told_is_not_told_again_and_what_came_after_its_start_waits() {
        let mut notes = Notes::default();
        notes.missing(CAMERA, missing((10, Cause::Starting)));
        notes.missing(CAMERA, missing((21, STALLED)));
        notes.told(CAMERA, Wall::from_secs(20));
        notes.covered(CAMERA, Wall::from_secs(22));
        assert_eq!(notes.before(CAMERA, Wall::from_secs(30)), [missing((22, STALLED))]);
        assert_eq!(notes.before(CameraIndex(1), Wall::from_secs(30)), [], "another camera's");
    }

    #[test]
    fn more_causes_than_a_header_holds_keep_the_first_ones() {
        let mut notes = Notes::default();
        let causes = [Cause::Crashed, Cause::Starting, REFUSED, STALLED, Cause::Lost];
        (10..).zip(causes).for_each(|note| notes.missing(CAMERA, missing(note)));
        let before = notes.before(CAMERA, Wall::from_secs(30));
        let kept: Vec<Cause> = before.iter().map(|note| note.cause).collect();
        assert_eq!(kept, [Cause::Crashed, Cause::Starting, REFUSED, Cause::Lost]);
    }
}
