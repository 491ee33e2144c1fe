//! The main job, end to end: four kinds of cameras for a minute, every frame in the files, once, in order, at its
//! time, over the borders of files; and an account of it that adds up.

use holdfast_tests::camera::{CameraOptions, Sound, VirtualCamera};
use holdfast_tests::clip::{ClipSpec, VideoCodec};
use holdfast_tests::recorder::CameraEntry;
use holdfast_tests::sound::SoundCodec;
use holdfast_tests::stage::{PATIENCE, Stage, lines, wait_for_frames};
use holdfast_tests::{hearing, read};
use std::time::Duration;

/// Frames of a minute, at 25 frames a second.
const MINUTE: usize = 60 * 25;

/// The longest that a file of 10 s may be: it ends at the first keyframe after that, here one a second.
const LONGEST_FILE: u64 = 12_000_000_000;

fn cameras() -> Vec<VirtualCamera> {
    let (h264, h265) = (ClipSpec::small(VideoCodec::H264), ClipSpec::small(VideoCodec::H265));
    let options = [
        CameraOptions::new("entrance", 1, h264).sound(Sound::Sends(SoundCodec::Aac)),
        CameraOptions::new("yard", 2, h265),
        CameraOptions::new("loading-bay", 3, h264.with_b_frames(2)).sound(Sound::Sends(SoundCodec::Pcma)),
        CameraOptions::new("cab", 4, h264),
    ];
    options.map(|options| VirtualCamera::start(options).unwrap()).into()
}

#[test]
fn every_frame_of_a_minute_of_four_cameras_is_in_the_files_once_in_order_at_its_time() {
    let stage = Stage::new().unwrap();
    let cameras = cameras();
    let configuration = stage.configuration(cameras.iter().map(CameraEntry::of).collect());
    let recorder = stage.record(&configuration.limit("fragment", "1s")).unwrap();
    for camera in &cameras {
        wait_for_frames(camera, MINUTE, PATIENCE + Duration::from_secs(60)).unwrap();
    }
    let log = recorder.log();
    let stop = stage.stop(recorder).unwrap();

    let mut findings = Vec::new();
    let report = stage.report().unwrap();
    findings.extend(report.problems.iter().cloned());
    for camera in &cameras {
        findings.extend(stage.judge(camera, stop).unwrap());
        let name = camera.name();
        let parts = stage.footage(name).unwrap();
        assert!(parts.len() >= 5, "{name}: {} files, too few borders", parts.len());
        for (path, footage) in &parts {
            let last = footage.video.iter().map(|sample| sample.pts).max().unwrap_or(0);
            if last > LONGEST_FILE {
                findings.push(format!("{} is {} ms long", path.display(), last / 1_000_000));
            }
            let streams = read::ffprobe_ok(path).unwrap()["streams"].as_array().map_or(0, Vec::len);
            assert_eq!(streams, 1 + usize::from(camera.sound() != Sound::None), "{name}");
        }
        if let Sound::Sends(codec) = camera.sound() {
            findings
                .extend(hearing::continuity(codec, &parts).into_iter().map(|said| format!("{name}: {said}")));
        }
        // What is not durable is the time until the first keyframe, and nothing else.
        let account = report.camera(name).unwrap();
        findings.extend(account.faults());
        let causes = account.causes();
        if !matches!(causes[..], [] | ["connecting after start"]) {
            findings.push(format!("{name}: its gaps are {causes:?}"));
        }
        let recorded = parts.iter().map(|(_, footage)| footage.video.len() as i64).sum::<i64>() * 40_000;
        if (account.durable - recorded).abs() > 200_000 {
            findings.push(format!("{name}: {} µs durable, {recorded} µs in its frames", account.durable));
        }
        if (account.until - stop).abs() > 1_000_000 {
            findings.push(format!("{name}: its account ends {} µs before the stop", stop - account.until));
        }
        assert_eq!(lines(&log, &[name, "connecting over"]).len(), 1, "{name} was connected anew:\n{log}");
    }
    assert_eq!(findings, [""; 0], "the recorder had said:\n{log}");
    let (entrance, parts) = (&cameras[0], stage.footage("entrance").unwrap());
    let lag = hearing::lag(entrance, SoundCodec::Aac, &parts).unwrap().expect("no packet was known again");
    assert!(lag.abs() < 200_000, "sound is {lag} µs late against the picture");
}
