//! The judge of a case: what was filmed is in the files, or in a gap whose cause is the one that it had.

use super::{Case, Loss, Wrong};
use holdfast_tests::LabError;
use holdfast_tests::camera::VirtualCamera;
use holdfast_tests::recorder;
use holdfast_tests::report::{CameraReport, Gap, Report};
use holdfast_tests::scene;
use std::collections::BTreeMap;
use std::path::Path;

/// A frame's own time and its time by the recorder's clock differ by what it was on its way, in microseconds.
const ON_ITS_WAY: i64 = 500_000;

/// What a full disk may cost of what was on it before: deleted by this rule, to make room.
const MADE_ROOM: &str = "deleted: the volume was full";

const ELSEWHERE: &str = "recorded to another volume";

/// What is judged. Times are microseconds of UTC.
pub struct Scope<'trial> {
    /// When the fault began.
    pub from: i64,
    /// Frames filmed later are not asked for.
    pub until: i64,
    /// The first frame of each camera that was ever recorded.
    pub first: Vec<u64>,
    /// What the volumes really hold, the preferred one first.
    pub volumes: Vec<&'trial Path>,
}

/// What the files lack, over all cameras, and how long a time coverage gives which cause.
#[derive(Default)]
pub struct Lost {
    pub frames: usize,
    /// Cameras of which nothing is missing.
    pub silent_cameras: usize,
    pub why: BTreeMap<String, i64>,
}

/// What was filmed from the first recorded frame on is there, or in a gap that names why not.
pub fn judge(
    case: &Case,
    cameras: &[VirtualCamera],
    scope: &Scope,
    findings: &mut Vec<String>,
) -> Result<Lost, LabError> {
    let mut reports = Vec::new();
    for volume in &scope.volumes {
        let report = Report::ask(&recorder::binary()?, volume, &[])?;
        findings.extend(report.problems.iter().map(|problem| format!("coverage says: {problem}")));
        reports.push(report);
    }
    let mut lost = Lost::default();
    for (camera, first) in cameras.iter().zip(&scope.first) {
        let name = camera.name();
        let mut there = Vec::new();
        for volume in &scope.volumes {
            there.extend(scene::frames_on(volume, camera)?.iter().map(|frame| frame.number));
        }
        there.sort_unstable();
        let log = camera.log();
        let owed = log.iter().filter(|frame| frame.number >= *first && frame.wall_micros < scope.until);
        let missing: Vec<i64> = owed
            .filter(|frame| there.binary_search(&frame.number).is_err())
            .map(|frame| frame.wall_micros)
            .collect();
        lost.frames += missing.len();
        lost.silent_cameras += usize::from(missing.is_empty());
        let covered: Vec<&CameraReport> = reports.iter().filter_map(|report| report.camera(name)).collect();
        if covered.len() != reports.len() {
            findings.push(format!("{name}: not in the ledger"));
            continue;
        }
        let gaps: Vec<&Gap> =
            covered.iter().flat_map(|report| &report.gaps).filter(|gap| gap.cause != "starting").collect();
        for gap in &gaps {
            *lost.why.entry(gap.detail.clone()).or_default() += gap.micros;
        }
        let wrong = gaps.iter().filter(|gap| !is_right(case, scope.from, gap));
        findings.extend(wrong.map(|gap| {
            let (length, since) = (gap.micros / 1000, (gap.from - scope.from) / 1000);
            format!(
                "{name}: {length} ms are missing by \"{}\", from {since} ms after the fault's begin on",
                gap.detail
            )
        }));
        let told = match case.loss {
            Loss::Nothing | Loss::By(_) => gaps.clone(),
            // What a second volume has is no gap; what is missing on both, nobody has.
            Loss::TakenOver => Vec::new(),
        };
        let silent = missing.iter().filter(|filmed| !told.iter().any(|gap| is_within(**filmed, gap))).count();
        if silent > 0 {
            findings.push(format!("{name}: {silent} frames are missing, and the ledger has no gap there"));
        }
        findings.extend(excess(name, &told, missing.len(), camera.video().fps));
    }
    Ok(lost)
}

/// Whether a gap has the cause that it ought to have.
fn is_right(case: &Case, begin: i64, gap: &Gap) -> bool {
    let made_room = match case.wrong {
        // Only what was there before: what came since is newer, and whatever the memory holds is not even on it.
        Wrong::FullFor(_) => gap.detail.starts_with(MADE_ROOM) && gap.to <= begin + ON_ITS_WAY,
        Wrong::For(..) | Wrong::Once(_) => false,
    };
    made_room
        || match case.loss {
            Loss::Nothing => false,
            Loss::By(cause) => gap.detail.starts_with(cause),
            Loss::TakenOver => gap.detail == ELSEWHERE,
        }
}

fn is_within(filmed: i64, gap: &Gap) -> bool {
    (gap.from - ON_ITS_WAY..=gap.to + ON_ITS_WAY).contains(&filmed)
}

/// Gaps that claim more than was lost.
fn excess(name: &str, gaps: &[&Gap], missing: usize, fps: u32) -> Option<String> {
    let told: i64 = gaps.iter().map(|gap| gap.micros).sum();
    let lost = missing as i64 * 1_000_000 / i64::from(fps);
    ((told - lost).abs() > 1_000_000).then(|| {
        let (lost, told) = (lost / 1000, told / 1000);
        format!("{name}: {lost} ms of frames are missing, its gaps are {told} ms: {gaps:?}")
    })
}
