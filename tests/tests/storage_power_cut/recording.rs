//! What is cut: a recording on a disk that logs, and what the recorder said meanwhile.

use holdfast_tests::blocklog::{BlockLog, LoopDevice, Mounted};
use holdfast_tests::camera::CameraOptions;
use holdfast_tests::clip::{ClipSpec, VideoCodec};
use holdfast_tests::command::rfc3339;
use holdfast_tests::scene::{self, PATIENCE, RecordedFrame, Scene};
use holdfast_tests::{LabError, wait_until};

/// The disk: as small as lets retention delete within the minute.
const DISK: u64 = 18 << 20;

/// Each camera's rate, in kbit/s: a segment of 10 s is a twentieth of the disk.
const RATE: u32 = 900;

/// How long is recorded, in frames of the first camera: 50 s, five changes of segments.
const FRAMES: usize = 50 * 25;

/// How often the recorder is asked, in frames.
const ASKED_EVERY: usize = 5;

/// What the recorder had said of a camera, and how many entries the log had when the answer was there.
pub struct Reported {
    pub entries: usize,
    pub camera: usize,
    pub durable_to: i64,
}

/// Footage that no rule may delete.
pub struct Protected {
    /// How many entries the log had when it was confirmed.
    pub entries: usize,
    /// The frames, by camera.
    pub numbers: Vec<Vec<u64>>,
}

/// See the module.
pub struct Recording {
    pub log: BlockLog,
    pub scene: Scene,
    /// The entries between which the power may go.
    pub moments: std::ops::Range<usize>,
    /// The first frame of each camera.
    pub first: Vec<RecordedFrame>,
    pub reported: Vec<Reported>,
    pub protected: Protected,
}

impl Recording {
    pub fn make() -> Result<Recording, LabError> {
        let log = BlockLog::new(DISK)?;
        let device = LoopDevice::attach(log.path())?;
        device.make_ext4()?;
        let failed = |source| LabError::Io { doing: "making a folder".to_owned(), source };
        let folder = tempfile::tempdir().map_err(failed)?;
        let volume = folder.path().join("volume");
        scene::make_folder(&volume)?;
        let mounted = Mounted::new(device.path(), &volume, &["noatime"])?;
        let camera = |name, tag, codec| {
            CameraOptions::new(name, tag, ClipSpec { kbits: RATE, ..ClipSpec::small(codec) })
        };
        let cameras = vec![
            camera("entrance", 1, VideoCodec::H264),
            camera("yard", 2, VideoCodec::H265),
            camera("gate", 3, VideoCodec::H264),
            camera("stairs", 4, VideoCodec::H265),
        ];
        let scene = Scene::configured(folder, &volume, cameras, |configuration| {
            let configuration = configuration.limit("segment", "10s");
            configuration.retention("clean_below_share", "30%").retention("clean_until_share", "40%")
        })?;
        let recorder = scene.start()?;
        assert!(scene.records(4.0), "{}", scene.log());
        let begin = log.len();
        let there = read(&scene);
        let first: Vec<RecordedFrame> = there.iter().filter_map(|frames| frames.first().copied()).collect();
        let protected = protect(&scene, &log, &there)?;
        let reported = watch(&scene, &log)?;
        let moments = begin..log.len();
        recorder.stop(PATIENCE)?;
        drop((mounted, device));
        Ok(Recording { log, scene, moments, first, reported, protected })
    }
}

/// Every frame of each camera that is there now. It may be read in the middle of a write: then again.
fn read(scene: &Scene) -> Vec<Vec<RecordedFrame>> {
    let mut there = Vec::new();
    let read = wait_until(PATIENCE, || {
        there = scene.cameras.iter().filter_map(|camera| scene.frames(camera).ok()).collect();
        there.len() == scene.cameras.len() && there.iter().all(|frames| !frames.is_empty())
    });
    assert!(read, "what is recorded cannot be read");
    there
}

/// Protects two of the first seconds: what would be deleted first.
fn protect(scene: &Scene, log: &BlockLog, there: &[Vec<RecordedFrame>]) -> Result<Protected, LabError> {
    let begin = there.iter().filter_map(|frames| frames.first()).map(|frame| frame.at).max().unwrap_or(0);
    let (from, to) = (begin + 500_000, begin + 2_500_000);
    let (since, until) = (rfc3339(from), rfc3339(to));
    scene.ask(&["protect", "add", "--since", &since, "--until", &until, "--note", "power cut"])?;
    let entries = log.len();
    let within = |frames: &Vec<RecordedFrame>| {
        frames.iter().filter(|frame| (from..to).contains(&frame.at)).map(|frame| frame.number).collect()
    };
    let numbers: Vec<Vec<u64>> = there.iter().map(within).collect();
    assert!(numbers.iter().all(|numbers| numbers.len() > 25), "too little is protected: {numbers:?}");
    Ok(Protected { entries, numbers })
}

/// Asks the recorder all the while.
fn watch(scene: &Scene, log: &BlockLog) -> Result<Vec<Reported>, LabError> {
    let mut reported = Vec::new();
    let mut said: Vec<i64> = vec![0; scene.cameras.len()];
    let enough = scene.cameras[0].log().len() + FRAMES;
    while scene.cameras[0].log().len() < enough {
        let durable = scene.durable_until()?;
        // What it said was on the disk before it said so, so all of that is among these entries.
        let entries = log.len();
        for (camera, durable_to) in durable.into_iter().enumerate() {
            if let Some(durable_to) = durable_to.filter(|to| *to > said[camera]) {
                reported.push(Reported { entries, camera, durable_to });
                said[camera] = durable_to;
            }
        }
        let frames = scene.cameras[0].log().len();
        wait_until(PATIENCE, || scene.cameras[0].log().len() >= frames + ASKED_EVERY);
    }
    Ok(reported)
}
