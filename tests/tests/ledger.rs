//! The ledger and what reads it: rebuilt from segments, asked while it grows, torn by hand, lost.

use holdfast_tests::camera::CameraOptions;
use holdfast_tests::clip::{ClipSpec, VideoCodec};
use holdfast_tests::command::{self, Said};
use holdfast_tests::lives;
use holdfast_tests::read;
use holdfast_tests::report::{Report, SHOWN_TO_MICROS};
use holdfast_tests::scene::{PATIENCE, Scene};
use holdfast_tests::{wait_until, wall_micros};
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

const TENTH: i64 = 100_000;

fn scene() -> Scene {
    let small = |name, tag, codec| CameraOptions::new(name, tag, ClipSpec::small(codec));
    let cameras = vec![small("entrance", 1, VideoCodec::H264), small("yard", 2, VideoCodec::H265)];
    Scene::new(cameras, &[("segment", "10s")]).unwrap()
}

/// Records until there is so much of every camera more; killed then.
fn record_and_kill(scene: &Scene, seconds: f64) {
    let before = known(scene);
    let recorder = scene.start().unwrap();
    assert!(scene.records_on(&before, seconds), "{}", scene.log());
    recorder.kill();
}

/// Coverage, or that of nothing while there is no volume.
fn known(scene: &Scene) -> Report {
    scene.coverage().unwrap_or_default()
}

fn ledger_file(scene: &Scene) -> PathBuf {
    let months = fs::read_dir(scene.volume().join("holdfast/ledger")).unwrap();
    let files = months.map(|month| month.unwrap().path());
    // Beside the months lies their checkpoint.
    files.filter(|file| !file.ends_with("checkpoint")).max().unwrap()
}

fn cut(path: &Path, bytes: u64) {
    let length = fs::metadata(path).unwrap().len();
    OpenOptions::new().write(true).open(path).unwrap().set_len(length - bytes).unwrap();
}

fn append(path: &Path, bytes: &[u8]) {
    OpenOptions::new().append(true).open(path).unwrap().write_all(bytes).unwrap();
}

#[test]
fn rebuilt_from_segments_alone_the_ledger_tells_the_same_gaps_and_causes() {
    let mut scene = scene();
    // Two sessions that ended well, one with a camera that was gone and came back, one that was killed.
    for session in 0..2 {
        let before = known(&scene);
        let recorder = scene.start().unwrap();
        assert!(scene.records_on(&before, 2.5), "{}", scene.log());
        if session == 1 {
            let said = scene.log().len();
            scene.cameras[1].stop();
            assert!(scene.says(said, "failure 1 in a row"), "{}", scene.log());
            let before = scene.coverage().unwrap();
            let entrance = |answer: &Report| answer.camera("entrance").map_or(0, |camera| camera.durable);
            let goes_on = || scene.coverage().is_ok_and(|now| entrance(&now) > entrance(&before) + 2_000_000);
            assert!(wait_until(PATIENCE, goes_on), "the other camera's loss stopped this one");
            scene.cameras[1].restart().unwrap();
            assert!(scene.records_on(&before, 2.5), "it does not come back:\n{}", scene.log());
        }
        assert!(recorder.stop(PATIENCE).unwrap().success());
    }
    record_and_kill(&scene, 2.5);
    let before = known(&scene);
    let recorder = scene.start().unwrap();
    assert!(scene.records_on(&before, 12.0), "{}", scene.log());
    // Refused while it runs.
    let refused = scene.rebuild().unwrap();
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.err.contains("in use by another recorder"), "{refused:?}");
    assert!(recorder.stop(PATIENCE).unwrap().success());

    let before = scene.coverage().unwrap();
    let causes = |answer: &Report, camera: &str| -> Vec<String> {
        let gaps = answer.camera(camera).map_or(&[][..], |answer| &answer.gaps);
        gaps.iter().map(|gap| gap.cause.clone()).collect()
    };
    for (camera, cause) in
        [("entrance", "stopped"), ("entrance", "crashed"), ("entrance", "starting"), ("yard", "camera")]
    {
        assert!(causes(&before, camera).iter().any(|told| told == cause), "{camera}, {cause}: {before:?}");
    }
    let Said { code, out, err } = scene.rebuild().unwrap();
    assert_eq!(code, Some(0), "{out}{err}");
    let after = scene.coverage().unwrap();
    assert_eq!((after.code, after.problems.len()), (Some(0), 0), "{:?}", after.problems);
    let same = ["stopped", "crashed", "starting", "camera"];
    assert_eq!(lives::differences(&before, &after, &same, TENTH), [""; 0]);
    // And the recorder goes on with it.
    let recorder = scene.start().unwrap();
    assert!(scene.records_on(&after, 1.5), "{}", scene.log());
    assert!(recorder.stop(PATIENCE).unwrap().success());
    assert_eq!(scene.unplayable().unwrap(), [""; 0]);
}

#[test]
fn asked_while_it_records_coverage_is_whole_up_to_the_last_seconds_and_windows_add_up() {
    let scene = scene();
    let recorder = scene.start().unwrap();
    assert!(scene.records(3.0), "{}", scene.log());
    let mut durable = 0;
    for _ in 0..10 {
        let now = wall_micros();
        let answer = scene.coverage().unwrap();
        assert_eq!((answer.code, answer.problems.len()), (Some(0), 0), "{:?}", answer.problems);
        let entrance = answer.camera("entrance").unwrap();
        assert!(entrance.durable >= durable, "{} µs were durable, now {}", durable, entrance.durable);
        durable = entrance.durable;
        let behind = now - entrance.until;
        assert!(behind <= lives::MOST_LOST.as_micros() as i64, "{behind} µs behind");
        assert!(entrance.gaps.iter().all(|gap| gap.cause == "starting"), "{entrance:?}");
    }
    assert!(recorder.stop(PATIENCE).unwrap().success());
    let whole = scene.coverage().unwrap();
    let entrance = whole.camera("entrance").unwrap();
    let middle = command::rfc3339((entrance.since + entrance.until) / 2);
    let until = command::rfc3339(entrance.until + SHOWN_TO_MICROS);
    let ask = |more: &[&str]| {
        let answer = Report::ask(scene.binary(), &scene.volume(), more).unwrap();
        assert_eq!(answer.cameras.len(), 1);
        answer.camera("entrance").unwrap().clone()
    };
    let first = ask(&["--camera", "entrance", "--until", &middle]);
    let second = ask(&["--camera", "entrance", "--since", &middle, "--until", &until]);
    assert_eq!(first.until, second.since);
    assert!(
        (first.durable + second.durable - entrance.durable).abs() <= 2,
        "{first:?} {second:?} {entrance:?}"
    );

    let place = scene.volume().display().to_string();
    let unknown = command::said(scene.binary(), &["coverage", &place, "--camera", "attic"]).unwrap();
    assert_eq!(unknown.code, Some(2), "{unknown:?}");
    assert!(unknown.err.contains("attic") && unknown.err.contains("entrance, yard"), "{unknown:?}");
    let backwards = ["coverage", &place, "--since", &until, "--until", &middle];
    assert_eq!(command::said(scene.binary(), &backwards).unwrap().code, Some(2));
}

/// Length, time of change and content of everything below a folder.
fn picture(folder: &Path) -> BTreeMap<PathBuf, (u64, SystemTime, Vec<u8>)> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let facts = fs::symlink_metadata(&path).unwrap();
            let content = if facts.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
            if facts.is_dir() {
                folders.push(path.clone());
            }
            found.insert(path, (facts.len(), facts.modified().unwrap(), content));
        }
    }
    found
}

#[test]
fn reading_a_copy_that_nobody_may_write_to_gives_the_same_answer_and_changes_nothing() {
    let scene = scene();
    record_and_kill(&scene, 2.0);
    append(&ledger_file(&scene), b"torn");
    let copy = scene.folder().join("copy");
    let copied = Command::new("cp").arg("-a").arg(scene.volume()).arg(&copy).status().unwrap();
    assert!(copied.success());
    assert!(Command::new("chmod").args(["-R", "a-w,a+rX"]).arg(&copy).status().unwrap().success());
    assert!(Command::new("chmod").arg("a+x").arg(scene.folder()).status().unwrap().success());
    let before = picture(&copy);
    let expected = scene.coverage().unwrap();
    // Root may write everywhere: then it is asked as nobody, by a copy of the program that nobody can reach.
    let root = rustix::process::geteuid().is_root();
    let place = copy.display().to_string();
    let output = if root {
        let program = scene.folder().join("holdfast");
        fs::copy(scene.binary(), &program).unwrap();
        let user = ["--reuid=65534", "--regid=65534", "--clear-groups"];
        let mut command = Command::new("setpriv");
        command.args(user).arg(program).args(["coverage", &place, "--json"]).output().unwrap()
    } else {
        Command::new(scene.binary()).args(["coverage", &place, "--json"]).output().unwrap()
    };
    let said = String::from_utf8_lossy(&output.stderr);
    // The torn tail is told, as on the volume itself.
    assert_eq!(output.status.code(), Some(3), "{said}");
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).expect(&said);
    let durable = document["cameras"][0]["durable_seconds"].as_f64().unwrap();
    assert!((durable * 1e6 - expected.cameras[0].durable as f64).abs() < 1.5, "{durable}: {expected:?}");
    assert!(picture(&copy) == before, "reading changed something");
}

/// What is torn, how, and what the recorder says when it has started again.
type Tear<'a> = (&'a str, fn(&Scene, &Path), &'a [&'a str]);

#[test]
fn whatever_is_torn_is_mended_or_named_at_the_next_start_and_recording_goes_on() {
    let cases: [Tear; 8] = [
        ("a segment is cut inside a fragment", |_, newest| cut(newest, 100), &["torn bytes from 1 segments"]),
        (
            "a segment ends in zeros",
            |_, newest| append(newest, &[0; 70_000]),
            &["cut 70000 torn bytes from 1 segments and 0 from the ledger", "was repaired"],
        ),
        (
            "a segment ends in garbage",
            |_, newest| append(newest, &b"\0\0\x01\0moofgarbage".repeat(500)),
            &["cut 7500 torn bytes from 1 segments and 0 from the ledger", "was repaired"],
        ),
        (
            "the ledger ends inside a record",
            |scene, _| cut(&ledger_file(scene), 5),
            &["torn bytes from 0 segments and", "was repaired"],
        ),
        (
            "garbage behind the ledger",
            |scene, _| append(&ledger_file(scene), &[0xA5; 777]),
            &["0 segments and 777 from the ledger", "was repaired"],
        ),
        (
            "the ledger's checkpoint is damaged: the ledger itself is read",
            |scene, _| {
                let path = scene.volume().join("holdfast/ledger/checkpoint");
                let mut bytes = fs::read(&path).unwrap();
                let middle = bytes.len() / 2;
                bytes[middle..middle + 4].fill(0xFF);
                fs::write(&path, bytes).unwrap();
            },
            &["recording"],
        ),
        (
            "damage in the middle of the ledger",
            |scene, _| {
                let path = ledger_file(scene);
                let mut bytes = fs::read(&path).unwrap();
                let middle = bytes.len() / 2;
                bytes[middle..middle + 4].fill(0xFF);
                fs::write(&path, bytes).unwrap();
            },
            &["are damaged and were passed over"],
        ),
        (
            "the ledger is gone",
            |scene, _| fs::remove_dir_all(scene.volume().join("holdfast/ledger")).unwrap(),
            &["is empty, but", "`holdfast ledger rebuild"],
        ),
    ];
    let scene = scene();
    for (name, tear, expected) in cases {
        record_and_kill(&scene, 1.5);
        let newest = read::segments(&scene.volume(), "entrance").unwrap().pop().unwrap();
        tear(&scene, &newest);
        let said = scene.log().len();
        record_and_kill(&scene, 1.5);
        let log = scene.log()[said..].to_owned();
        for words in expected {
            let words = words.replace("was repaired", "volume was repaired");
            let words = words.replace("volume was repaired", "was repaired");
            assert!(log.contains(&words), "{name}: nobody says {words:?}:\n{log}");
        }
        // Mended: nothing of it is said again.
        if name != "damage in the middle of the ledger" {
            assert!(scene.coverage().unwrap().problems.is_empty(), "{name}: {:?}", scene.coverage());
        }
    }
    // What could not be mended by itself is mended by hand.
    let rebuilt = scene.rebuild().unwrap();
    assert_eq!(rebuilt.code, Some(0), "{rebuilt:?}");
    assert_eq!(scene.unplayable().unwrap(), [""; 0]);
    let last = scene.coverage().unwrap();
    assert_eq!((last.code, last.problems.len()), (Some(0), 0), "{last:?}");
    for camera in &scene.cameras {
        let frames = scene.frames(camera).unwrap().len() as i64;
        let durable = last.camera(camera.name()).unwrap().durable;
        assert!((durable - frames * 40_000).abs() <= frames * 1_000, "{durable} µs of {frames} frames");
    }
}

#[test]
fn a_damaged_marker_is_named_with_the_way_out_and_recording_resumes_once_it_is_rebuilt() {
    let scene = scene();
    record_and_kill(&scene, 1.5);
    let marker = scene.volume().join("holdfast/volume");
    let mut bytes = fs::read(&marker).unwrap();
    bytes[5] ^= 0xFF;
    fs::write(&marker, &bytes).unwrap();
    assert_eq!(scene.coverage().unwrap().code, Some(3), "a damaged marker is told");
    let said = scene.log().len();
    let recorder = scene.start().unwrap();
    assert!(scene.says(said, "run holdfast ledger rebuild on where it is mounted"), "{}", scene.log());
    assert!(scene.says(said, "alarm (critical): nothing is being recorded"), "{}", scene.log());
    assert_eq!(fs::read(&marker).unwrap(), bytes, "a damaged marker was written over");
    let rebuilt = scene.rebuild().unwrap();
    assert!(rebuilt.out.contains("the volume's marker was restored"), "{rebuilt:?}");
    let before = scene.coverage().unwrap();
    assert!(scene.records_on(&before, 1.5), "it does not resume by itself:\n{}", scene.log());
    assert!(recorder.stop(PATIENCE).unwrap().success());
    assert_eq!(fs::read(&marker).unwrap().len(), bytes.len());
    assert!(scene.coverage().unwrap().problems.is_empty());
}
