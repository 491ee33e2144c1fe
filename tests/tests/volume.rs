//! Volumes that are taken, absent, exchanged or full: nothing is written to the wrong place, cameras stay connected, and
//! what the memory could hold is there in the end.

use holdfast_tests::camera::CameraOptions;
use holdfast_tests::clip::{ClipSpec, VideoCodec};
use holdfast_tests::recorder::{CameraEntry, Configuration, Output, Recorder};
use holdfast_tests::report::Report;
use holdfast_tests::scene::{self, PATIENCE, Scene};
use holdfast_tests::{wait_until, wall_micros};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

fn cameras() -> Vec<CameraOptions> {
    let small = |name, tag, codec| CameraOptions::new(name, tag, ClipSpec::small(codec));
    vec![small("entrance", 1, VideoCodec::H264), small("yard", 2, VideoCodec::H265)]
}

/// Everything below a folder.
fn everything(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        found.extend(everything(&path));
        found.push(path);
    }
    found
}

/// Every frame from the first recorded one until `until` is there, in files that play. Twice is allowed: what was not known
/// to be durable when a volume failed is written again.
fn assert_no_frame_lost(scene: &Scene, volume: &Path, until: i64) {
    for camera in &scene.cameras {
        let mut there: Vec<u64> =
            scene::frames_on(volume, camera).unwrap().iter().map(|frame| frame.number).collect();
        there.sort_unstable();
        there.dedup();
        let first = *there.first().expect("nothing was recorded");
        let log = camera.log();
        let owed = log.iter().filter(|frame| frame.number >= first && frame.wall_micros < until);
        let lost: Vec<u64> =
            owed.map(|frame| frame.number).filter(|number| there.binary_search(number).is_err()).collect();
        assert!(lost.is_empty(), "{}: {} frames lost: {lost:?}", camera.name(), lost.len());
    }
}

/// Connected throughout: each camera has had one client, and still has it.
fn assert_cameras_stayed(scene: &Scene, said: usize) {
    let log = scene.log()[said..].to_owned();
    assert!(!log.contains("in a row"), "a camera's connection did not survive:\n{log}");
    assert!(scene.cameras.iter().all(|camera| camera.watchers() == 1));
}

/// How often a volume was tried; at debug alone, since nobody wants to read it every two seconds.
fn attempts_in(log: &str) -> usize {
    log.matches(": opening").count()
}

#[test]
fn a_second_recorder_on_one_volume_says_that_it_is_in_use_and_writes_nothing() {
    let scene = Scene::new(cameras(), &[]).unwrap();
    let first = scene.start().unwrap();
    assert!(scene.records(1.0), "{}", scene.log());
    let other = scene.folder().join("other");
    scene::make_folder(&other).unwrap();
    let mut entry = CameraEntry::of(&scene.cameras[0]);
    entry.id = "intruder".to_owned();
    let configuration = Configuration::new(vec![entry], &scene.volume()).write(&other).unwrap();
    let second = Recorder::start(scene.binary(), &configuration, Output::Kept).unwrap();
    assert!(
        wait_until(PATIENCE, || second.log().contains("in use by another recorder")
            && second.log().contains("nothing is being recorded")),
        "{}",
        second.log()
    );
    assert!(second.log().contains("Stop the other recorder"), "{}", second.log());
    let before = scene.coverage().unwrap();
    assert!(scene.records_on(&before, 2.0), "the first one is disturbed:\n{}", scene.log());
    assert_eq!(
        second.stop(PATIENCE).unwrap().code(),
        Some(1),
        "what it received is lost, and that is no success"
    );
    assert!(first.stop(PATIENCE).unwrap().success());
    let traces = everything(&scene.volume().join("holdfast"));
    assert!(traces.iter().all(|path| !path.to_string_lossy().contains("intruder")), "{traces:?}");
    assert_eq!(scene.coverage().unwrap().camera("intruder"), None, "it wrote into the ledger");
    assert_eq!(scene.coverage().unwrap().problems, [""; 0]);
}

#[test]
fn a_volume_that_is_not_there_at_the_start_is_never_made_and_is_used_once_it_comes() {
    let folder = tempfile::tempdir().unwrap();
    let volume = folder.path().join("media/disk");
    let scene = Scene::on(folder, &volume, cameras(), &[]).unwrap();
    let recorder = scene.start_talkative().unwrap();
    assert!(scene.says(0, "alarm (critical): nothing is being recorded"), "{}", scene.log());
    assert!(scene.says(0, "Check that the disk is connected and mounted at this path"), "{}", scene.log());
    // Through at least one more attempt.
    let attempts = || attempts_in(&scene.log());
    let before = attempts();
    assert!(wait_until(PATIENCE, || attempts() > before), "it is not tried again:\n{}", scene.log());
    assert!(!volume.parent().unwrap().exists(), "the mount point was made");
    assert!(wait_until(PATIENCE, || scene.cameras.iter().all(|camera| camera.frames_sent() > 0)));
    fs::create_dir_all(&volume).unwrap();
    let appeared = wall_micros();
    let durable = || Report::ask(scene.binary(), &volume, &[]);
    let records = || {
        durable().is_ok_and(|now| {
            now.cameras.len() == 2 && now.cameras.iter().all(|camera| camera.durable > 1_000_000)
        })
    };
    assert!(wait_until(PATIENCE, records), "{}", scene.log());
    println!("recording {:.1} s after the volume appeared", (wall_micros() - appeared) as f64 / 1e6);
    assert!(scene.says(0, "alarm over"), "{}", scene.log());
    assert_cameras_stayed(&scene, 0);
    let end = wall_micros();
    assert!(recorder.stop(PATIENCE).unwrap().success());
    assert_no_frame_lost(&scene, &volume, end - 500_000);
}

#[test]
fn a_volume_that_is_taken_away_while_it_records_leaves_nothing_in_its_place_and_loses_no_frame() {
    let scene = Scene::new(cameras(), &[("segment", "10s")]).unwrap();
    let recorder = scene.start_talkative().unwrap();
    assert!(scene.records(2.0), "{}", scene.log());
    let away = scene.folder().join("away");
    for round in 0..2 {
        let said = scene.log().len();
        // First with an empty folder in its place, as an empty mount point is; then with nothing.
        fs::rename(scene.volume(), &away).unwrap();
        if round == 0 {
            scene::make_folder(&scene.volume()).unwrap();
        }
        assert!(scene.says(said, "alarm (critical): nothing is being recorded"), "{}", scene.log());
        // It was tried again and refused.
        let refused = || attempts_in(&scene.log()[said..]) >= 2;
        assert!(wait_until(PATIENCE, refused), "{}", scene.log());
        match round {
            0 => {
                let wrong = everything(&scene.volume());
                assert!(wrong.is_empty(), "written to the wrong place: {wrong:?}");
                fs::remove_dir(scene.volume()).unwrap();
            }
            _ => assert!(!scene.volume().exists(), "the volume's folder was made"),
        }
        fs::rename(&away, scene.volume()).unwrap();
        let before = scene.coverage().unwrap();
        assert!(scene.records_on(&before, 2.0), "it does not resume:\n{}", scene.log());
        assert!(scene.says(said, "alarm over: nothing is being recorded") || scene.says(said, "alarm over"));
        assert_cameras_stayed(&scene, said);
    }
    let end = wall_micros();
    assert!(recorder.stop(PATIENCE).unwrap().success());
    assert_no_frame_lost(&scene, &scene.volume(), end - 500_000);
    assert_eq!(scene.unplayable().unwrap(), [""; 0]);
    let last = scene.coverage().unwrap();
    assert_eq!(last.problems, [""; 0]);
    for camera in &last.cameras {
        let gaps: Vec<_> = camera.gaps.iter().filter(|gap| gap.cause != "starting").collect();
        assert!(gaps.is_empty(), "the memory held everything, the ledger says {gaps:?}");
    }
}

/// A tmpfs, unmounted when it is dropped.
struct Tmpfs(PathBuf);

impl Tmpfs {
    fn mount(at: &Path, size: &str) -> Result<Tmpfs, String> {
        let output = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(at)
            .output()
            .map_err(|error| error.to_string())?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() { Ok(Tmpfs(at.to_owned())) } else { Err(said) }
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        // Lazily: a recorder of a failed test may still hold it.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_volume_is_said_cameras_stay_and_recording_resumes_when_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let volume = folder.path().join("volume");
    scene::make_folder(&volume).unwrap();
    let _tmpfs = match Tmpfs::mount(&volume, "20m") {
        Ok(tmpfs) => tmpfs,
        // Only where nobody could mount: a test that says nothing there would look like one that passed.
        Err(said) if std::env::var_os("HOLDFAST_NO_MOUNT").is_some() => {
            eprintln!("NOT TESTED: a full volume, since HOLDFAST_NO_MOUNT is set and mount says: {said}");
            return;
        }
        Err(said) => panic!(
            "a full volume cannot be tested: mounting a tmpfs failed: {said}\n\
             Run as root, or set HOLDFAST_NO_MOUNT=1 to leave this test out on purpose."
        ),
    };
    let filler = volume.join("filler");
    let scene = Scene::on(folder, &volume, cameras(), &[]).unwrap();
    let recorder = scene.start_talkative().unwrap();
    assert!(scene.records(1.5), "{}", scene.log());
    let filled = Command::new("dd")
        .args(["if=/dev/zero", "bs=4096", "status=none"])
        .arg(format!("of={}", filler.display()))
        .stderr(std::process::Stdio::null())
        .status()
        .unwrap();
    assert!(!filled.success(), "the volume could not be filled");
    assert!(scene.says(0, "Free space on it or connect another"), "{}", scene.log());
    assert!(scene.says(0, "alarm (critical): nothing is being recorded"), "{}", scene.log());
    let attempts = || attempts_in(&scene.log());
    assert!(wait_until(PATIENCE, || attempts() >= 2), "{}", scene.log());
    assert_cameras_stayed(&scene, 0);
    fs::remove_file(&filler).unwrap();
    let before = scene.coverage().unwrap();
    assert!(scene.records_on(&before, 2.0), "it does not resume:\n{}", scene.log());
    assert!(wait_until(Duration::from_secs(60), || scene.log().contains("alarm over")), "{}", scene.log());
    assert_cameras_stayed(&scene, 0);
    let end = wall_micros();
    assert!(recorder.stop(PATIENCE).unwrap().success());
    assert_no_frame_lost(&scene, &volume, end - 500_000);
    assert_eq!(scene.unplayable().unwrap(), [""; 0]);
    assert_eq!(scene.coverage().unwrap().problems, [""; 0]);
}
