//! Trouble in a camera's stream, as a client sees it: each fault leaves the trace that its name promises, and ends.

use holdfast_tests::camera::{CameraOptions, Sound, VirtualCamera};
use holdfast_tests::clip::{ClipSpec, VideoCodec};
use holdfast_tests::feeder::Fate;
use holdfast_tests::sound::SoundCodec;
use holdfast_tests::tap::{Arrival, Tap, Via};
use holdfast_tests::wait_until;
use std::process::{Command, Stdio};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(40);

const FRAME_NANOS: i64 = 40_000_000;

fn small() -> CameraOptions {
    CameraOptions::new("camera", 7, ClipSpec::small(VideoCodec::H264))
}

fn watched(options: CameraOptions) -> (VirtualCamera, Tap) {
    let camera = VirtualCamera::start(options).unwrap();
    let tap = Tap::open(&camera.url(), Via::Tcp, None).unwrap();
    assert!(wait_until(PATIENCE, || tap.usable().len() >= 10), "{:?}", tap.error());
    (camera, tap)
}

/// The frames that come from now on, so many of them.
fn next(tap: &Tap, count: usize) -> Vec<Arrival> {
    let before = tap.count();
    assert!(wait_until(PATIENCE, || tap.count() >= before + count), "{:?}", tap.error());
    tap.seen().frames[before..].to_vec()
}

#[test]
fn keyframes_are_left_out_and_come_again() {
    let (camera, tap) = watched(small());
    camera.drop_keyframes(true);
    next(&tap, 5);
    let without = next(&tap, 60);
    assert!(without.iter().all(|frame| !frame.keyframe));
    camera.drop_keyframes(false);
    assert!(next(&tap, 50).iter().any(|frame| frame.keyframe));
}

#[test]
fn the_format_changes_with_every_gop_until_it_is_told_to_stop() {
    let (camera, tap) = watched(small());
    camera.flap_video(Some(camera.video().with_size(480, 270))).unwrap();
    next(&tap, 50);
    let changes = |frames: &[Arrival]| frames.windows(2).filter(|pair| pair[0].size != pair[1].size).count();
    let flapping = next(&tap, 130);
    assert!((4..=6).contains(&changes(&flapping)), "{} changes in 130 frames", changes(&flapping));
    camera.flap_video(None).unwrap();
    next(&tap, 50);
    assert_eq!(changes(&next(&tap, 60)), 0);
}

#[test]
fn a_wrapping_rtp_clock_is_no_jump_and_a_drifting_one_is_seen_to_drift() {
    let (camera, tap) = watched(small().rtp_wraps_after(Duration::from_secs(3)));
    let over = next(&tap, 100);
    let step = |pair: &[Arrival]| (pair[1].pts as i64 - pair[0].pts as i64 - FRAME_NANOS).abs();
    assert!(over.windows(2).all(|pair| step(pair) < 2_000_000), "the wrap is seen as a jump");

    // Five in a hundred: wrong beyond any camera, so that two seconds show it.
    camera.drift(50_000);
    next(&tap, 5);
    let fast = next(&tap, 50);
    let gained = |frames: &[Arrival]| {
        let filmed = frames[49].mark.number - frames[0].mark.number;
        frames[49].pts as i64 - frames[0].pts as i64 - filmed as i64 * FRAME_NANOS
    };
    assert!((gained(&fast) - 98_000_000).abs() < 10_000_000, "gained {} ns", gained(&fast));
    // Its frames come when they were filmed all the same: the least that any of ten waited.
    let waited =
        |frames: &[Arrival]| frames.iter().map(|frame| frame.wall_micros - frame.mark.wall_micros).min();
    let (before, after) = (waited(&fast[..10]).unwrap(), waited(&fast[40..]).unwrap());
    assert!(after - before < 40_000, "they waited for {before} µs, and then for {after}");
    camera.drift(0);
    next(&tap, 5);
    assert!(gained(&next(&tap, 50)).abs() < 5_000_000, "it goes on drifting");
}

#[test]
fn a_blind_camera_is_heard() {
    let (camera, tap) = watched(small().sound(Sound::Sends(SoundCodec::Pcma)));
    camera.go_blind(true);
    let heard = camera.sound_packets_sent();
    let seen = || tap.count();
    assert!(wait_until(PATIENCE, || camera.log().last().is_some_and(|frame| frame.fate == Fate::Stalled)));
    let before = seen();
    assert!(wait_until(PATIENCE, || camera.sound_packets_sent() > heard + 20));
    assert!(seen() <= before + 2, "{} frames came", seen() - before);
    camera.go_blind(false);
    next(&tap, 20);
}

#[test]
fn torn_frames_lack_a_packet_and_broken_headers_lack_a_frame() {
    let (camera, tap) = watched(small());
    camera.lose_packets(300);
    let torn = next(&tap, 60);
    camera.lose_packets(0);
    // With its last packet a frame loses its end: a client takes the next one for more of it.
    let lost = torn.windows(2).filter(|pair| pair[1].mark.number != pair[0].mark.number + 1).count();
    let told = camera.log().iter().filter(|frame| frame.fate == Fate::Torn).count();
    assert!(lost > 5 && told >= lost, "{lost} holes, {told} frames torn");

    camera.garble_headers(300);
    let garbled = || camera.log().iter().filter(|frame| frame.fate == Fate::Garbled).count();
    assert!(wait_until(PATIENCE, || garbled() > 20));
    camera.garble_headers(0);
    next(&tap, 30);
}

#[test]
fn a_second_stream_fails_by_itself() {
    let mut camera =
        VirtualCamera::start(small().sub(ClipSpec::small(VideoCodec::H264).with_size(160, 90), 8)).unwrap();
    let sub = camera.sub().unwrap();
    assert!(sub.url().ends_with("/sub") && sub.url() != camera.url());
    let tap = Tap::open(&sub.url(), Via::Tcp, None).unwrap();
    let of_its_own = |frames: &[Arrival]| frames.iter().all(|frame| frame.mark.camera == 8);
    camera.stop();
    let second = Tap::open(&camera.sub().unwrap().url(), Via::Tcp, None).unwrap();
    for tap in [&tap, &second] {
        assert!(wait_until(PATIENCE, || tap.usable().len() >= 30), "{:?}", tap.error());
        assert!(of_its_own(&tap.seen().frames));
        assert_eq!(tap.usable()[0].size, (160, 90));
    }
}

#[test]
fn a_certificate_that_nobody_trusts_is_refused() {
    let camera = VirtualCamera::start(small().tls()).unwrap();
    let place = camera.url().replace("rtsps://", "").replace("/main", "");
    let seen = Command::new("openssl")
        .args(["s_client", "-brief", "-connect", &place])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&seen.stderr).into_owned();
    assert!(said.contains("CN = localhost") && said.contains("self"), "{said}");
    let tap = Tap::open(&camera.url(), Via::Tcp, None).unwrap();
    assert!(wait_until(PATIENCE, || tap.error().is_some()), "it was trusted");
    assert_eq!(tap.count(), 0);
}
