//! The judge: what a camera sent against what a volume holds, frame by frame.
//!
//! Words: a **finding** is one sentence about something that is wrong; no finding, no fault. The **rest** is
//! the time just before the stop whose frames may still have been on their way.

use crate::camera::VirtualCamera;
use crate::feeder::SentFrame;
use crate::read::{self, Footage, VideoSample};
use crate::{LabError, sound::SoundCodec};
use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Frames sent less than this before the stop may be missing: they were in a socket or in the recorder's hands.
/// Half a second is what the issue allows times to be off by.
pub const REST: Duration = Duration::from_millis(500);

/// How far a frame's time in the files may be from the wall clock in its mark.
const CLOCK_TOLERANCE_MICROS: i64 = 500_000;

/// What one camera's files hold, and what is wrong with that.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    /// The camera's name.
    pub camera: String,
    /// Segments read.
    pub segments: usize,
    /// Frames found in them.
    pub frames: usize,
    /// Frames that had to be in them.
    pub expected: usize,
    /// Sound packets found.
    pub sound_packets: usize,
    /// One sentence each; empty if all is well.
    pub findings: Vec<String>,
}

/// Reads every segment of a camera and compares it with what the camera sent until `stop` (microseconds
/// of UTC): each frame from the first recorded keyframe on exactly once, in order, its time right.
///
/// # Errors
/// If the volume cannot be listed or a file not opened. A file that is damaged is a finding.
pub fn camera_against_volume(camera: &VirtualCamera, volume: &Path, stop: i64) -> Result<Verdict, LabError> {
    let log = camera.log();
    let began = log.first().map_or(stop, |frame| frame.wall_micros);
    let mut parts = Vec::new();
    for path in read::segments(volume, camera.name())? {
        // What was last written before this camera began is another run's.
        if read::modified_micros(&path)? < began {
            continue;
        }
        let footage = read::read(&path)?;
        parts.push((path, footage));
    }
    let rest = i64::try_from(REST.as_micros()).unwrap_or(i64::MAX);
    let owed: Vec<SentFrame> = log.into_iter().filter(|frame| frame.wall_micros < stop - rest).collect();
    let mut verdict = judge(camera.name(), camera.tag(), camera.video().fps, &owed, &parts);
    if let crate::camera::Sound::Sends(codec) = camera.sound() {
        verdict.findings.extend(sound_missing(codec, &parts));
    }
    Ok(verdict)
}

/// The comparison itself. `owed` is the camera's log up to the moment whose frames have to be there.
pub fn judge(camera: &str, tag: u32, fps: u32, owed: &[SentFrame], parts: &[(PathBuf, Footage)]) -> Verdict {
    let mut verdict = Verdict { camera: camera.to_owned(), segments: parts.len(), ..Verdict::default() };
    let findings = &mut verdict.findings;
    for (path, footage) in parts {
        let name = path.display();
        if let Some(problem) = &footage.problem {
            findings.push(format!("{name} cannot be read to its end: {problem}"));
        }
        if footage.video.first().is_some_and(|sample| !sample.keyframe) {
            findings.push(format!("{name} does not begin with a keyframe"));
        }
        if footage.anchor.is_none() && !footage.video.is_empty() {
            findings.push(format!("{name} does not say when it was recorded (no prft)"));
        }
        verdict.sound_packets += footage.sound.len();
    }
    let samples: Vec<(&PathBuf, &Footage, &VideoSample)> = parts
        .iter()
        .flat_map(|(path, footage)| footage.video.iter().map(move |sample| (path, footage, sample)))
        .collect();
    verdict.frames = samples.len();
    let unmarked =
        samples.iter().filter(|(_, _, sample)| sample.mark.is_none_or(|mark| mark.camera != tag)).count();
    if unmarked > 0 {
        findings.push(format!("{unmarked} frames carry no mark of this camera"));
    }
    let numbers: Vec<u64> =
        samples.iter().filter_map(|(_, _, sample)| sample.mark).map(|mark| mark.number).collect();
    let Some(&first) = numbers.first() else {
        findings.push("nothing of it was recorded".to_owned());
        return verdict;
    };
    let expected: Vec<u64> =
        owed.iter().filter(|f| f.fate.owed() && f.number >= first).map(|f| f.number).collect();
    verdict.expected = expected.len();
    findings.extend(order(&numbers));
    findings.extend(missing(&expected, &numbers));
    findings.extend(times(&samples, fps, owed));
    verdict
}

/// Frames that come twice or before an earlier one.
fn order(numbers: &[u64]) -> Option<String> {
    let wrong: Vec<u64> = numbers.windows(2).filter(|pair| pair[1] <= pair[0]).map(|pair| pair[1]).collect();
    (!wrong.is_empty())
        .then(|| format!("{} frames are doubled or out of order: {}", wrong.len(), ranges(&wrong)))
}

/// Frames that are owed and not there.
fn missing(expected: &[u64], numbers: &[u64]) -> Option<String> {
    let there: HashSet<u64> = numbers.iter().copied().collect();
    let missing: Vec<u64> = expected.iter().copied().filter(|number| !there.contains(number)).collect();
    (!missing.is_empty())
        .then(|| format!("{} of {} frames are missing: {}", missing.len(), expected.len(), ranges(&missing)))
}

/// On one time line over all files (by their anchors): neighbours in presentation are one frame apart, unless
/// the camera itself left frames out between them, and every frame's time agrees with its mark.
fn times(samples: &[(&PathBuf, &Footage, &VideoSample)], fps: u32, owed: &[SentFrame]) -> Vec<String> {
    let frame = 1_000_000 / i64::from(fps.max(1));
    let withheld: BTreeSet<u64> = owed.iter().filter(|f| !f.fate.owed()).map(|f| f.number).collect();
    let mut line: Vec<(i64, u64, &PathBuf)> = Vec::new();
    let mut furthest: Option<(i64, u64)> = None;
    for (path, footage, sample) in samples {
        let (Some(anchor), Some(mark)) = (footage.anchor, sample.mark) else { continue };
        let at = anchor + i64::try_from(sample.pts / 1000).unwrap_or(i64::MAX);
        let off = at - mark.wall_micros;
        if furthest.is_none_or(|(most, _)| off.abs() > most.abs()) {
            furthest = Some((off, mark.number));
        }
        line.push((at, mark.number, path));
    }
    line.sort_by_key(|(at, _, _)| *at);
    let mut findings = Vec::new();
    if let Some((off, number)) = furthest.filter(|(off, _)| off.abs() > CLOCK_TOLERANCE_MICROS) {
        findings.push(format!("frame {number} is {} ms off the wall clock by its file", off / 1000));
    }
    for pair in line.windows(2) {
        let step = pair[1].0 - pair[0].0;
        let border = if pair[0].2 == pair[1].2 { "in" } else { "at the start of" };
        let place = pair[1].2.display();
        let between = pair[0].1.min(pair[1].1)..pair[0].1.max(pair[1].1);
        if step > 2 * frame && withheld.range(between).next().is_none() {
            let (one, other) = (pair[0].1, pair[1].1);
            findings.push(format!(
                "a hole of {} ms between frames {one} and {other} {border} {place}",
                step / 1000
            ));
        } else if step < frame / 4 {
            let (one, other) = (pair[0].1, pair[1].1);
            findings.push(format!("frames {one} and {other} only {step} µs apart {border} {place}"));
        }
    }
    findings
}

/// Sound that is shorter than the picture it belongs to by more than a second.
fn sound_missing(codec: SoundCodec, parts: &[(PathBuf, Footage)]) -> Vec<String> {
    let mut findings = Vec::new();
    for (path, footage) in parts {
        let times = footage.video.iter().map(|sample| sample.pts);
        let (Some(first), Some(last)) = (times.clone().min(), times.max()) else { continue };
        let (picture, sound) = (last - first, footage.sound_span());
        if sound + 1_000_000_000 < picture {
            let (sound, picture) = (sound / 1_000_000, picture / 1_000_000);
            findings.push(format!(
                "{} holds {sound} ms of {codec:?} sound beside {picture} ms of picture",
                path.display()
            ));
        }
    }
    findings
}

/// "3-7, 9": numbers as a person reads them, at most eight runs of them.
fn ranges(numbers: &[u64]) -> String {
    let mut runs: Vec<(u64, u64)> = Vec::new();
    for &number in numbers {
        match runs.last_mut() {
            Some((_, end)) if *end + 1 == number => *end = number,
            _ => runs.push((number, number)),
        }
    }
    let shown = runs
        .iter()
        .take(8)
        .map(|(from, to)| if from == to { from.to_string() } else { format!("{from}-{to}") });
    let text = shown.collect::<Vec<_>>().join(", ");
    if runs.len() > 8 { format!("{text}, ...") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feeder::Fate;
    use crate::nal::Mark;

    /// What it is called, the files, the findings.
    type Case<'a> = (&'a str, Vec<(PathBuf, Footage)>, &'a [&'a str]);

    const START: i64 = 1_800_000_000_000_000;

    fn log(frames: u64) -> Vec<SentFrame> {
        let frame = |number: u64| SentFrame {
            number,
            presentation: number,
            wall_micros: START + number as i64 * 40_000,
            keyframe: number.is_multiple_of(25),
            fate: Fate::Sent,
        };
        (0..frames).map(frame).collect()
    }

    /// A file that holds these frames, recorded 5 ms after they were sent.
    fn file(name: &str, numbers: &[u64]) -> (PathBuf, Footage) {
        let first = numbers.first().copied().unwrap_or(0);
        let sample = |number: &u64| VideoSample {
            pts: (number.saturating_sub(first)) * 40_000_000,
            dts: None,
            keyframe: number.is_multiple_of(25),
            size: 1,
            mark: Some(Mark { camera: 1, number: *number, wall_micros: START + *number as i64 * 40_000 }),
        };
        let anchor = Some(START + first as i64 * 40_000 + 5_000);
        let video = numbers.iter().map(sample).collect();
        (PathBuf::from(name), Footage { video, anchor, ..Footage::default() })
    }

    fn range(from: u64, to: u64) -> Vec<u64> {
        (from..to).collect()
    }

    #[test]
    fn each_kind_of_damage_is_found_and_named() {
        let without =
            |gone: &[u64]| range(0, 100).into_iter().filter(|n| !gone.contains(n)).collect::<Vec<_>>();
        let mut late = file("a", &range(0, 100));
        late.1.anchor = late.1.anchor.map(|anchor| anchor + 600_000);
        let mut damaged = file("a", &range(0, 100));
        damaged.1.problem = Some("truncated".to_owned());
        let mut undated = file("a", &range(0, 100));
        undated.1.anchor = None;
        let mut foreign = file("a", &range(0, 100));
        foreign.1.video[3].mark = foreign.1.video[3].mark.map(|mark| Mark { camera: 2, ..mark });
        let cases: [Case; 10] = [
            ("all is there", vec![file("a", &range(0, 50)), file("b", &range(50, 100))], &[]),
            ("it began late", vec![file("a", &range(25, 100))], &[]),
            ("nothing at all", vec![], &["nothing of it was recorded"]),
            (
                "frames missing",
                vec![file("a", &without(&[30, 31, 40]))],
                &["3 of 100 frames are missing: 30-31, 40"],
            ),
            (
                "a frame twice",
                vec![file("a", &range(0, 51)), file("b", &range(50, 100))],
                &["1 frames are doubled or out of order: 50"],
            ),
            ("the end missing", vec![file("a", &range(0, 90))], &["10 of 100 frames are missing: 90-99"]),
            ("a wrong clock", vec![late], &["frame 0 is 605 ms off the wall clock by its file"]),
            ("a damaged file", vec![damaged], &["a cannot be read to its end: truncated"]),
            ("no time in the file", vec![undated], &["a does not say when it was recorded (no prft)"]),
            ("another camera's frame", vec![foreign], &["1 frames carry no mark of this camera"]),
        ];
        for (name, parts, expected) in cases {
            let found = judge("entrance", 1, 25, &log(100), &parts).findings;
            let other =
                found.iter().filter(|finding| !finding.contains("hole") && !finding.contains("apart"));
            assert_eq!(other.collect::<Vec<_>>(), expected, "{name}");
        }
    }

    #[test]
    fn holes_and_overlaps_in_time_are_found_inside_files_and_between_them() {
        let mut overlapping = file("b", &range(50, 100));
        overlapping.1.anchor = overlapping.1.anchor.map(|anchor| anchor - 39_000);
        let mut apart = file("b", &range(50, 100));
        apart.1.anchor = apart.1.anchor.map(|anchor| anchor + 60_000);
        let mut stretched = file("b", &range(50, 100));
        stretched.1.video.iter_mut().skip(10).for_each(|sample| sample.pts += 50_000_000);
        let cases = [
            ("overlap at the border", overlapping, "frames 49 and 50 only 1000 µs apart at the start of b"),
            ("hole at the border", apart, "a hole of 100 ms between frames 49 and 50 at the start of b"),
            ("hole inside", stretched, "a hole of 90 ms between frames 59 and 60 in b"),
        ];
        for (name, second, expected) in cases {
            let found = judge("entrance", 1, 25, &log(100), &[file("a", &range(0, 50)), second]).findings;
            assert_eq!(found, [expected], "{name}");
        }
    }

    #[test]
    fn frames_that_nobody_was_sent_are_not_owed() {
        let mut log = log(100);
        for frame in &mut log[30..60] {
            frame.fate = Fate::Stalled;
        }
        let numbers: Vec<u64> = (0..100).filter(|number| !(30..60).contains(number)).collect();
        let verdict = judge("entrance", 1, 25, &log, &[file("a", &numbers)]);
        assert_eq!((verdict.expected, verdict.frames), (70, 70));
        assert_eq!(verdict.findings, [""; 0]);
    }
}
