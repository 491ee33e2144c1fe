//! The judge of a recorder's lives: what each kill cost, and whether the ledger says exactly that.
//!
//! What a kill may cost ([`MOST_LOST`]): the fragment that was growing (1 s, and a frame until it is known to be
//! full), and one that was full and not yet durable: it waits up to a turn of the writer (0.25 s), and then for
//! the disk, which must not take longer than a fragment lasts. With half a second for a loaded machine.

use crate::camera::{SentFrame, VirtualCamera};
use crate::report::{Gap, Hole, Report, SHOWN_TO_MICROS};
use crate::scene::RecordedFrame;
use std::time::Duration;

/// What a kill may cost at most; see the top of this file.
pub const MOST_LOST: Duration = Duration::from_millis(1_000 + 1_000 + 250 + 500);

/// How far a gap's start and end may be from the frames' own times, in microseconds, beyond the length of a frame.
pub const JITTER_MICROS: i64 = 100_000;

/// One life of the recorder, microseconds of UTC.
#[derive(Clone, Debug)]
pub struct Life {
    /// Just before it was started.
    pub start: i64,
    /// Just before it was killed or asked to stop.
    pub end: i64,
    /// What coverage had said just before the end, if it was asked.
    pub said: Option<Report>,
}

/// What the judge found about one camera.
#[derive(Debug, Default)]
pub struct Judgement {
    /// One sentence each; empty if all is well.
    pub findings: Vec<String>,
    /// For each life from which frames are owed: seconds from the first frame lost until its end, and whether
    /// anything of it was recorded.
    pub losses: Vec<(f64, bool)>,
}

/// Judges the lives of a recorder that was killed at the end of each (but the last, which was stopped).
/// `causes`: those that the holes between lives may have after their first, `first`.
pub fn judge(
    camera: &VirtualCamera,
    frames: &[RecordedFrame],
    lives: &[Life],
    last: &Report,
    first: &str,
    causes: &[&str],
) -> Judgement {
    let frame = 1_000_000 / i64::from(camera.video().fps.max(1));
    let mut judgement = Judgement::default();
    let mut find = |text: String| judgement.findings.push(format!("{}: {text}", camera.name()));
    for pair in frames.windows(2).filter(|pair| pair[1].number <= pair[0].number) {
        find(format!("frame {} comes after {}", pair[1].number, pair[0].number));
    }
    let Some(answer) = last.camera(camera.name()) else {
        find("coverage does not know it".to_owned());
        return judgement;
    };
    let log = camera.log();
    let mut before: Option<&RecordedFrame> = None;
    let mut holes = Vec::new();
    for (number, life) in (1..).zip(lives) {
        let of_life: Vec<&RecordedFrame> =
            frames.iter().filter(|frame| (life.start..life.end).contains(&frame.filmed)).collect();
        let of_log = || log.iter().filter(|frame| (life.start..life.end).contains(&frame.wall_micros));
        // Owed from the first keyframe that was sent on, or from the next if that one went out as the client came. One that
        // was filmed a moment before the client had its answer may have been recorded as well.
        let sent = || of_log().filter(|frame| frame.fate.owed() && frame.keyframe).map(|frame| frame.number);
        let owed_from = match of_life.first().map(|first| first.number) {
            Some(first) if sent().nth(1).is_some_and(|second| first > second) => {
                find(format!("life {number} begins with frame {first}, although earlier ones were sent"));
                first
            }
            Some(first) => first,
            None => sent().next().unwrap_or(u64::MAX),
        };
        let owed: Vec<&SentFrame> = of_log().filter(|frame| frame.number >= owed_from).collect();
        let there: Vec<u64> = of_life.iter().map(|frame| frame.number).collect();
        let whole = there.len().min(owed.len());
        if owed[..whole].iter().map(|frame| frame.number).ne(there.iter().copied()) {
            find(format!("life {number} has other frames than were sent, or misses some in its middle"));
        }
        if let Some(lost) = owed.get(whole) {
            let seconds = (life.end - lost.wall_micros) as f64 / 1e6;
            judgement.losses.push((seconds, !there.is_empty()));
            if seconds > MOST_LOST.as_secs_f64() {
                find(format!("life {number} lost its last {seconds:.3} s"));
            }
        }
        if let (Some(before), Some(first)) = (before, of_life.iter().min_by_key(|frame| frame.at)) {
            holes.push((before.at + frame, first.at));
        }
        before = of_life.into_iter().max_by_key(|frame| frame.at).or(before);
        if let Some(said) = life.said.as_ref().and_then(|said| said.camera(camera.name())) {
            let recorded_to = before.map_or(i64::MIN, |last| last.at + frame);
            for (from, to) in said.durable_spans() {
                if to > recorded_to + frame + SHOWN_TO_MICROS {
                    find(format!(
                        "life {number}: said to be durable to {to}, the files end at {recorded_to}"
                    ));
                }
                let lost = answer
                    .gaps
                    .iter()
                    .filter(|gap| gap.to.min(to) - gap.from.max(from) > 2 * SHOWN_TO_MICROS);
                lost.for_each(|gap| find(format!("life {number}: was durable, is gone: {gap:?}")));
            }
        }
    }
    judge_holes(answer.holes(), &holes, frame + JITTER_MICROS, (first, causes), &mut find);
    judgement
}

/// The ledger's holes are these, no more, each at its place and with its causes. A first one may lie before all footage.
fn judge_holes(
    mut told: Vec<Hole>,
    holes: &[(i64, i64)],
    tolerance: i64,
    (first, causes): (&str, &[&str]),
    find: &mut impl FnMut(String),
) {
    if told.len() == holes.len() + 1 {
        let start = told.remove(0);
        if start.causes.iter().any(|cause| !causes.contains(&cause.as_str())) {
            find(format!("before all footage: {start:?}"));
        }
    }
    if told.len() != holes.len() {
        find(format!("the ledger tells of {} holes, the files have {}", told.len(), holes.len()));
        return;
    }
    for (told, (from, to)) in told.iter().zip(holes) {
        let (early, late) = (told.from - from, told.to - to);
        if early.abs() > tolerance || late.abs() > tolerance {
            find(format!("the hole {from} to {to} is told {early} and {late} µs beside itself"));
        }
        let rest = told.causes.iter().skip(1).all(|cause| causes.contains(&cause.as_str()));
        if told.causes.first().is_none_or(|cause| cause != first) || !rest {
            find(format!("the hole {from} to {to} has the causes {:?}", told.causes));
        }
    }
}

/// Where two accounts of the same camera differ by more than `tolerance` microseconds: in what is durable, or in where a gap
/// with one of `causes` lies.
pub fn differences(before: &Report, after: &Report, causes: &[&str], tolerance: i64) -> Vec<String> {
    let mut found = Vec::new();
    for old in &before.cameras {
        let Some(new) = after.camera(&old.camera) else {
            found.push(format!("{}: not known any more", old.camera));
            continue;
        };
        if (old.durable - new.durable).abs() > tolerance {
            found.push(format!("{}: {} µs were durable, now {}", old.camera, old.durable, new.durable));
        }
        let (was, is) = (old.holes(), new.holes());
        if was.len() != is.len() {
            found.push(format!("{}: the holes were {was:?}, now {is:?}", old.camera));
        }
        for (was, is) in was.iter().zip(&is) {
            if (was.from - is.from).abs() > tolerance || (was.to - is.to).abs() > tolerance {
                found.push(format!("{}: the hole {was:?} is now {is:?}", old.camera));
            }
        }
        let wanted = |gaps: &[Gap]| -> Vec<Gap> {
            gaps.iter().filter(|gap| causes.contains(&gap.cause.as_str())).cloned().collect()
        };
        let (was, is) = (wanted(&old.gaps), wanted(&new.gaps));
        let same = |(a, b): (&Gap, &Gap)| {
            (a.from - b.from).abs() <= tolerance && (a.to - b.to).abs() <= tolerance && a.detail == b.detail
        };
        if was.len() != is.len() || !was.iter().zip(&is).all(same) {
            found.push(format!("{}: the causes were {was:?}, now {is:?}", old.camera));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::CameraReport;

    const SECOND: i64 = 1_000_000;

    fn hole(from: i64, to: i64, causes: &[&str]) -> Hole {
        Hole { from, to, causes: causes.iter().map(|cause| (*cause).to_owned()).collect() }
    }

    fn found(told: Vec<Hole>) -> usize {
        let mut findings = Vec::new();
        let holes = [(10 * SECOND, 12 * SECOND), (20 * SECOND, 21 * SECOND)];
        judge_holes(told, &holes, 140_000, ("crashed", &["crashed", "starting"]), &mut |text| {
            findings.push(text)
        });
        findings.len()
    }

    #[test]
    fn holes_that_are_not_those_of_the_files_are_found() {
        let right = || {
            vec![
                hole(10 * SECOND + 50_000, 12 * SECOND, &["crashed", "starting"]),
                hole(20 * SECOND, 21 * SECOND - 100_000, &["crashed"]),
            ]
        };
        assert_eq!(found(right()), 0);
        let with = |at: usize, other: Hole| {
            let mut told = right();
            told[at] = other;
            found(told)
        };
        assert_eq!(with(0, hole(9 * SECOND, 12 * SECOND, &["crashed"])), 1, "too early");
        assert_eq!(with(1, hole(20 * SECOND, 22 * SECOND, &["crashed"])), 1, "too long");
        assert_eq!(with(1, hole(20 * SECOND, 21 * SECOND, &["starting"])), 1, "another cause");
        assert_eq!(with(0, hole(10 * SECOND, 12 * SECOND, &["crashed", "lost"])), 1, "a cause that was not");
        assert_eq!(found(right().split_off(1)), 1, "one is not told");
        let begun = hole(0, SECOND, &["starting"]);
        assert_eq!(found(std::iter::once(begun.clone()).chain(right()).collect()), 0, "before all footage");
        let doubled = vec![begun.clone(), begun];
        assert_eq!(found(doubled.into_iter().chain(right()).collect()), 1, "one too many");
    }

    #[test]
    fn two_accounts_that_differ_in_spans_or_causes_are_told_apart() {
        let answer = |from: i64, cause: &str| {
            let missing = 5 * SECOND - from;
            let (cause, detail) = (cause.to_owned(), cause.to_owned());
            let camera = CameraReport {
                camera: "a".to_owned(),
                since: 0,
                until: 10 * SECOND,
                durable: 10 * SECOND - missing,
                missing,
                deleted: 0,
                millipercent: (10 * SECOND - missing) / 100,
                gaps: vec![Gap { from, to: 5 * SECOND, micros: missing, cause, detail }],
            };
            Report { code: Some(0), cameras: vec![camera], ..Report::default() }
        };
        let same = |other: &Report| differences(&answer(3 * SECOND, "crashed"), other, &["crashed"], 100_000);
        assert_eq!(same(&answer(3 * SECOND + 90_000, "crashed")), [""; 0]);
        assert!(!same(&answer(3 * SECOND + 200_000, "crashed")).is_empty(), "another span");
        assert_eq!(same(&answer(3 * SECOND, "unknown")).len(), 1, "another cause");
        let nothing = Report { code: Some(0), cameras: Vec::new(), ..Report::default() };
        assert_eq!(same(&nothing), ["a: not known any more"]);
    }
}
