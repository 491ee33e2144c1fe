//! The bench on trial: that it measures one who records, and gives no figure to one who does not.

use holdfast_tests::bench::contender::Contender;
use holdfast_tests::bench::round::{self, Plan, Round};
use holdfast_tests::camera::{CameraOptions, VirtualCamera};
use holdfast_tests::clip::{ClipSpec, VideoCodec};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

fn cameras() -> Vec<VirtualCamera> {
    let clip = ClipSpec::small(VideoCodec::H264);
    let start = |tag| VirtualCamera::start(CameraOptions::new(&format!("bench-{tag}"), tag, clip)).unwrap();
    (0..2).map(start).collect()
}

fn plan(folder: &Path, holdfast: &Path) -> Plan {
    let second = Duration::from_secs(1);
    let (holdfast, folder) = (holdfast.to_owned(), folder.to_owned());
    Plan { holdfast, warm_up: second, window: 3 * second, sync_window: second, folder }
}

/// What is started in the recorder's place.
fn stand_in(folder: &Path, body: &str) -> std::path::PathBuf {
    let path = folder.join("stand-in");
    std::fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

fn run(contender: Contender, plan: &Plan, cameras: &[VirtualCamera]) -> Round {
    round::run(contender, plan, cameras, &|| false).unwrap().expect("nobody cancelled it")
}

#[test]
fn one_that_records_every_frame_is_measured() {
    let folder = tempfile::tempdir().unwrap();
    let cameras = cameras();
    let round = run(Contender::Ffmpeg, &plan(folder.path(), Path::new("none")), &cameras);
    // A window of 3 s at 25 frames/s from two cameras, on a machine that may be busy: there is no upper bound to its length.
    assert!(round.frames_sent >= 140, "{round:?}");
    assert!(round.frames_recorded * 100 >= round.frames_sent * 99, "{round:?}");
    assert!(round.peak_rss_bytes > 10_000_000 && round.threads >= 2 && round.seconds >= 3.0, "{round:?}");
    assert!(round.cpu_percent > 0.0 && round.wake_ups_per_second > 0.0, "{round:?}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "what it recorded was left behind");
}

#[test]
fn one_that_ends_early_is_void_with_its_last_words() {
    let folder = tempfile::tempdir().unwrap();
    let cameras = cameras();
    // Somebody must watch, or the round does not get as far.
    let watcher = "for url in $(grep -o 'rtsp://[^\"]*' \"$5\"); do \
                   ffmpeg -nostdin -loglevel quiet -rtsp_transport tcp -t 1 -i \"$url\" -c copy -f null - & done; \
                   wait; echo out of ideas >&2; exit 7";
    let plan = plan(folder.path(), &stand_in(folder.path(), watcher));
    let round = run(Contender::Holdfast, &plan, &cameras);
    let void = round.void.join("; ");
    assert!(void.contains("ended by itself (exit status: 7)") && void.contains("out of ideas"), "{round:?}");
}

#[test]
fn one_that_watches_and_keeps_nothing_is_void() {
    let folder = tempfile::tempdir().unwrap();
    let cameras = cameras();
    let idler = "for url in $(grep -o 'rtsp://[^\"]*' \"$5\"); do \
                 ffmpeg -nostdin -loglevel quiet -rtsp_transport tcp -i \"$url\" -c copy -f null - & done; \
                 trap 'kill $(jobs -p); exit 0' TERM; while :; do sleep 0.05; done";
    let plan = plan(folder.path(), &stand_in(folder.path(), idler));
    let round = run(Contender::Holdfast, &plan, &cameras);
    assert_eq!(round.frames_recorded, 0);
    assert!(round.void.iter().any(|reason| reason.contains("0 are in its files")), "{round:?}");
}
