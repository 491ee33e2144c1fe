//! The judge of an image: what is on it against what was filmed, said, protected, and deleted by its own ledger.

use super::recording::Recording;
use holdfast_tests::LabError;
use holdfast_tests::camera::VirtualCamera;
use holdfast_tests::lives::MOST_LOST;
use holdfast_tests::read;
use holdfast_tests::report::{CameraReport, Report};
use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

/// What was found in many images.
#[derive(Default)]
pub struct Tally {
    pub findings: Vec<String>,
    /// Of each camera in each image, the newest microseconds that were filmed and are not there.
    pub lost: Vec<i64>,
    /// Images whose ledgers tell of deletions.
    pub with_deletions: usize,
    /// Images with a protection.
    pub with_protection: usize,
    /// Microseconds that rules had deleted in the image with the most of it, all cameras together.
    pub most_deleted: i64,
    /// Contents of files with a torn end.
    pub torn: usize,
}

impl Tally {
    pub fn and(mut self, other: Tally) -> Tally {
        self.findings.extend(other.findings);
        self.lost.extend(other.lost);
        self.with_deletions += other.with_deletions;
        self.with_protection += other.with_protection;
        self.most_deleted = self.most_deleted.max(other.most_deleted);
        self.torn += other.torn;
        self
    }

    pub fn summary(&self) -> String {
        let mut lost = self.lost.clone();
        lost.sort_unstable();
        let share = |percent: usize| {
            let place = (lost.len() * percent / 100).min(lost.len().saturating_sub(1));
            lost.get(place).copied().unwrap_or_default() as f64 / 1e6
        };
        format!(
            "lost of each camera: least {:.2} s, half {:.2} s, nine of ten {:.2} s, most {:.2} s; {} images with deletions, up \
             to {} s of footage; {} with a protection; {} contents of files with a torn end",
            share(0),
            share(50),
            share(90),
            share(100),
            self.with_deletions,
            self.most_deleted / 1_000_000,
            self.with_protection,
            self.torn,
        )
    }
}

/// What is wrong with a volume after the power went with `cut` entries on the disk, by its files and its own ledger.
pub fn judge(
    recording: &Recording,
    root: &Path,
    cut: usize,
    report: &Report,
    files: &mut Files,
    tally: &mut Tally,
) -> Vec<String> {
    let mut findings = Vec::new();
    let deleted: i64 = report.cameras.iter().map(|camera| camera.deleted).sum();
    tally.with_deletions += usize::from(deleted > 0);
    tally.most_deleted = tally.most_deleted.max(deleted);
    tally.with_protection += usize::from(recording.protected.entries <= cut);
    for (index, camera) in recording.scene.cameras.iter().enumerate() {
        let Some(covered) = report.camera(camera.name()) else {
            findings.push(format!("{}: not in the ledger", camera.name()));
            continue;
        };
        let frames = match files.of(root, camera) {
            Ok(frames) => frames,
            Err(error) => {
                findings.push(format!("{}: {error}", camera.name()));
                continue;
            }
        };
        let found = judge_camera(recording, cut, index, covered, &frames, &mut tally.lost);
        findings.extend(found.into_iter().map(|wrong| format!("{}: {wrong}", camera.name())));
    }
    findings
}

fn judge_camera(
    recording: &Recording,
    cut: usize,
    index: usize,
    covered: &CameraReport,
    frames: &[Frame],
    lost: &mut Vec<i64>,
) -> Vec<String> {
    let mut findings = Vec::new();
    let Some((oldest, newest)) = frames.first().zip(frames.last()) else {
        return vec!["nothing of it is there".to_owned()];
    };
    let frame = 1_000_000 / i64::from(recording.scene.cameras[index].video().fps);
    // What is missing before the first frame and between others was deleted, by the ledger of this very image.
    let first = &recording.first[index];
    let before = (oldest.number > first.number).then_some((first.at, oldest.at));
    let between = frames.windows(2).filter(|pair| pair[1].number > pair[0].number + 1);
    let holes = before.into_iter().chain(between.map(|pair| (pair[0].at + frame, pair[1].at)));
    for (from, to) in holes {
        let unknown = to - from - deleted_within(covered, from, to);
        if unknown > 2 * frame {
            findings.push(format!(
                "{} ms of a hole of {} ms were deleted by no rule",
                unknown / 1000,
                (to - from) / 1000
            ));
        }
    }
    if frames.windows(2).any(|pair| pair[1].number <= pair[0].number) {
        findings.push("frames are there twice, or not in their order".to_owned());
    }
    // A file that has no bytes yet is no hole; what had been reported durable goes on to the newest frame.
    let known = recording.reported.iter().filter(|said| said.camera == index && said.entries <= cut);
    if let Some(durable) = known.map(|said| said.durable_to).max() {
        if newest.at + 2 * frame < durable {
            findings
                .push(format!("{} ms are gone that had been reported durable", (durable - newest.at) / 1000));
        }
        let told = ["starting", "deleted"];
        let gaps =
            covered.gaps.iter().filter(|gap| !told.contains(&&*gap.cause) && gap.from + 2 * frame < durable);
        findings
            .extend(gaps.map(|gap| format!("{} ms are missing by \"{}\"", gap.micros / 1000, gap.detail)));
    }
    if recording.protected.entries <= cut {
        let there: HashSet<u64> = frames.iter().map(|frame| frame.number).collect();
        let gone = recording.protected.numbers[index].iter().filter(|number| !there.contains(number)).count();
        if gone > 0 {
            findings.push(format!("{gone} protected frames are gone"));
        }
    }
    // It went just before the disk got the next entry.
    let went = recording.log.entry_time(cut).unwrap_or(newest.filmed);
    lost.push(went - newest.filmed);
    if went - newest.filmed > MOST_LOST.as_micros() as i64 {
        findings.push(format!("its last {} ms are lost", (went - newest.filmed) / 1000));
    }
    findings
}

/// How many microseconds of a span were deleted by a rule.
fn deleted_within(covered: &CameraReport, from: i64, to: i64) -> i64 {
    let gaps = covered.gaps.iter().filter(|gap| gap.cause == "deleted");
    gaps.map(|gap| (gap.to.min(to) - gap.from.max(from)).max(0)).sum()
}

/// A recorded frame: its number, when it was filmed by its mark, and when it is by its file.
#[derive(Clone, Copy)]
pub struct Frame {
    number: u64,
    filmed: i64,
    at: i64,
}

/// What files hold, read once for each content: most of them are the same in the next image.
#[derive(Default)]
pub struct Files {
    known: HashMap<PathBuf, Vec<Known>>,
    pub torn: usize,
}

/// One content of a file.
struct Known {
    bytes: Vec<u8>,
    frames: Vec<Frame>,
}

impl Files {
    /// Every frame of a camera, in the order of the files.
    fn of(&mut self, root: &Path, camera: &VirtualCamera) -> Result<Vec<Frame>, LabError> {
        let mut frames = Vec::new();
        for path in read::segments(root, camera.name())? {
            let doing = || format!("reading {}", path.display());
            let bytes = fs::read(&path).map_err(|source| LabError::Io { doing: doing(), source })?;
            if bytes.is_empty() {
                // Made, and the power went before its first fragment came: the recorder removes it at its start.
                continue;
            }
            let name = path.strip_prefix(root).unwrap_or(&path).to_owned();
            let known = self.known.entry(name).or_default();
            if let Some(read) = known.iter().find(|read| read.bytes == bytes) {
                frames.extend_from_slice(&read.frames);
                continue;
            }
            let (read, is_torn) = read_frames(&path)?;
            self.torn += usize::from(is_torn);
            frames.extend_from_slice(&read);
            known.push(Known { bytes, frames: read });
        }
        Ok(frames)
    }
}

/// What a file holds, if it plays; and whether its end is torn.
fn read_frames(path: &Path) -> Result<(Vec<Frame>, bool), LabError> {
    let footage = read::read(path)?;
    read::plays(path)?;
    let anchor = footage.anchor.unwrap_or_default();
    let frame = |sample: &read::VideoSample| {
        let mark = sample.mark?;
        let at = anchor + i64::try_from(sample.pts / 1_000).unwrap_or(i64::MAX);
        Some(Frame { number: mark.number, filmed: mark.wall_micros, at })
    };
    Ok((footage.video.iter().filter_map(frame).collect(), footage.problem.is_some()))
}
