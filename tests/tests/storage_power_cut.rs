//! The power goes at any moment while 4 cameras record to an ext4. What is left is repaired and mounted as a system does
//! at its start, and read: files play, what had been reported durable is there, and no more than a fragment is lost.
//!
//! `HOLDFAST_SEED` repeats the images of an earlier run, which printed it; `HOLDFAST_CUTS` sets how many there are.

use holdfast_tests::blocklog::{BlockLog, LoopDevice, Mounted, Policy};
use holdfast_tests::camera::{CameraOptions, VirtualCamera};
use holdfast_tests::clip::{ClipSpec, VideoCodec};
use holdfast_tests::dice::Dice;
use holdfast_tests::lives::MOST_LOST;
use holdfast_tests::read;
use holdfast_tests::report::Report;
use holdfast_tests::scene::{self, PATIENCE, Scene};
use holdfast_tests::{LabError, may_mount, wait_until, wall_micros};
use std::collections::HashMap;
use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// The disk: of the size that the issue names for its small volume.
const DISK: u64 = 256 << 20;

/// How long is recorded, in frames of the first camera: 40 s, four changes of segments.
const FRAMES: usize = 40 * 25;

/// What coverage had said of a camera, and by how many entries of the log all of that had been synced.
struct Reported {
    entries: usize,
    camera: usize,
    durable_to: i64,
}

/// A recording on a disk that logs.
struct Recording {
    log: BlockLog,
    scene: Scene,
    /// The entries between which the power may go.
    moments: std::ops::Range<usize>,
    reported: Vec<Reported>,
}

fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

impl Recording {
    fn make() -> Result<Recording, LabError> {
        let log = BlockLog::new(DISK)?;
        let device = LoopDevice::attach(log.path())?;
        device.make_ext4()?;
        let failed = |source| LabError::Io { doing: "making a folder".to_owned(), source };
        let folder = tempfile::tempdir().map_err(failed)?;
        let volume = folder.path().join("volume");
        scene::make_folder(&volume)?;
        let mounted = Mounted::new(device.path(), &volume, &["noatime"])?;
        let small = |name, tag, codec| CameraOptions::new(name, tag, ClipSpec::small(codec));
        let cameras = vec![
            small("entrance", 1, VideoCodec::H264),
            small("yard", 2, VideoCodec::H265),
            small("gate", 3, VideoCodec::H264),
            small("stairs", 4, VideoCodec::H265),
        ];
        let scene = Scene::on(folder, &volume, cameras, &[("segment", "10s")])?;
        let recorder = scene.start()?;
        assert!(scene.records(2.0), "{}", scene.log());
        let first = log.len();
        let reported = watch(&scene, &log)?;
        let moments = first..log.len();
        recorder.stop(PATIENCE)?;
        drop((mounted, device));
        Ok(Recording { log, scene, moments, reported })
    }

    /// What is wrong with a camera's part of a volume after the power went with `cut` entries on the disk, and how many
    /// microseconds of what was filmed are not there.
    fn judge(&self, root: &Path, cut: usize, index: usize, files: &mut Files) -> (Vec<String>, i64) {
        let camera = &self.scene.cameras[index];
        let frame = 1_000_000 / i64::from(camera.video().fps);
        let mut findings = Vec::new();
        let frames = match files.of(root, camera) {
            Ok(frames) => frames,
            Err(error) => return (vec![error.to_string()], 0),
        };
        let Some(last) = frames.last() else { return (vec!["nothing of it is there".to_owned()], 0) };
        let holes = frames.windows(2).filter(|pair| pair[1].number != pair[0].number + 1).count();
        if holes > 0 {
            findings.push(format!("{holes} holes between its frames"));
        }
        let known = self.reported.iter().filter(|said| said.camera == index && said.entries <= cut);
        if let Some(durable) = known.map(|said| said.durable_to).max()
            && last.at + 2 * frame < durable
        {
            let missing = (durable - last.at) / 1000;
            findings.push(format!("{missing} ms are gone that had been reported durable"));
        }
        // It went just before the disk got the next entry.
        let went = self.log.entries(cut).first().map_or(0, |next| next.at);
        let lost = went - last.filmed;
        if lost > MOST_LOST.as_micros() as i64 {
            findings.push(format!("its last {} ms are lost", lost / 1000));
        }
        (findings, lost)
    }
}

/// Asks coverage all the while. What it says of a camera is known to have been synced once it says more: the recorder
/// writes the next fragment only then.
fn watch(scene: &Scene, log: &BlockLog) -> Result<Vec<Reported>, LabError> {
    let mut reported = Vec::new();
    let mut said: Vec<i64> = vec![0; scene.cameras.len()];
    let enough = scene.cameras[0].log().len() + FRAMES;
    while scene.cameras[0].log().len() < enough {
        let report = scene.coverage()?;
        for (index, camera) in scene.cameras.iter().enumerate() {
            let spans = report.camera(camera.name()).map(|covered| covered.durable_spans());
            let to = spans.and_then(|spans| spans.last().copied()).map_or(0, |(_, to)| to);
            if to > said[index] {
                reported.push(Reported { entries: log.len(), camera: index, durable_to: said[index] });
                said[index] = to;
            }
        }
        let frames = scene.cameras[0].log().len();
        wait_until(PATIENCE, || scene.cameras[0].log().len() > frames + 5);
    }
    Ok(reported)
}

/// A recorded frame: its number, when it was filmed by its mark, and when it is by its file.
#[derive(Clone, Copy)]
struct Frame {
    number: u64,
    filmed: i64,
    at: i64,
}

/// What files hold, read once for each content: most of them are the same in the next image.
#[derive(Default)]
struct Files {
    known: HashMap<(PathBuf, u64), Vec<Frame>>,
    torn: usize,
    empty: usize,
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
                self.empty += 1;
                continue;
            }
            let mut hasher = DefaultHasher::new();
            bytes.hash(&mut hasher);
            let name = path.strip_prefix(root).unwrap_or(&path).to_owned();
            let key = (name, hasher.finish());
            if !self.known.contains_key(&key) {
                let read = self.read(&path)?;
                self.known.insert(key.clone(), read);
            }
            frames.extend_from_slice(&self.known[&key]);
        }
        Ok(frames)
    }

    fn read(&mut self, path: &Path) -> Result<Vec<Frame>, LabError> {
        let footage = read::read(path)?;
        self.torn += usize::from(footage.problem.is_some());
        read::plays(path)?;
        let anchor = footage.anchor.unwrap_or_default();
        let frame = |sample: &read::VideoSample| {
            let mark = sample.mark?;
            let at = anchor + i64::try_from(sample.pts / 1_000).unwrap_or(i64::MAX);
            Some(Frame { number: mark.number, filmed: mark.wall_micros, at })
        };
        Ok(footage.video.iter().filter_map(frame).collect())
    }
}

#[test]
fn when_the_power_goes_every_file_plays_and_no_more_than_a_fragment_is_lost() {
    if !may_mount("power cuts") {
        return;
    }
    let seed = number("HOLDFAST_SEED", wall_micros().unsigned_abs());
    let cuts = number("HOLDFAST_CUTS", 200).max(1);
    println!("power cuts: HOLDFAST_SEED={seed} HOLDFAST_CUTS={cuts}");
    let recording = Recording::make().unwrap();
    let (moments, began) = (recording.moments.clone(), Instant::now());
    let mut images = recording.log.images().unwrap();
    let mut dice = Dice(seed);
    let (mut files, mut findings, mut most) = (Files::default(), Vec::new(), 0);
    for number in 0..cuts {
        // Spread over the recording; which entry of its neighbourhood, the seed says.
        let width = moments.len() as u64;
        let place = (width * number + dice.below(width)) / cuts;
        let cut = moments.start + place.min(width - 1) as usize;
        let policy = if number % 4 == 0 { Policy::Dropped } else { Policy::Torn };
        let image = images.at(cut, seed.wrapping_add(number), policy).unwrap();
        let found = image.check(|root| {
            let mut found = Vec::new();
            for (index, camera) in recording.scene.cameras.iter().enumerate() {
                let (wrong, lost) = recording.judge(root, cut, index, &mut files);
                most = most.max(lost);
                found.extend(wrong.into_iter().map(|wrong| format!("{}: {wrong}", camera.name())));
            }
            // It reads what is there, and each second is durable or in a gap.
            let report = Report::ask(recording.scene.binary(), root, &[]);
            found.extend(report.err().map(|error| error.to_string()));
            found
        });
        let found = found.unwrap_or_else(|error| vec![error.to_string()]);
        findings
            .extend(found.into_iter().map(|wrong| format!("cut {cut}, {policy:?}, image {number}: {wrong}")));
    }
    let (each, entries) = (began.elapsed().as_secs_f64() / cuts as f64, recording.log.len());
    println!(
        "{cuts} power cuts among {entries} entries, {each:.2} s each; {} contents of files read, {} with a torn end; \
         {} files without a byte; at most {:.2} s lost",
        files.known.len(),
        files.torn,
        files.empty,
        most as f64 / 1e6,
    );
    assert!(recording.reported.len() > 40, "coverage said too little: {}", recording.reported.len());
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}
