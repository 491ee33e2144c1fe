//! Memory that runs out ends the recorder at once and cleanly; it records again within seconds of its next start, and the ledger says
//! why footage is missing.
//!
//! The memory is taken from it by the kernel's limit on what a process may have (RLIMIT_DATA), set to what it has while it records.
//! Then its disk fails, so that its rings fill, and there is nothing to fill them with.

use holdfast_tests::camera::{CameraOptions, VirtualCamera};
use holdfast_tests::clip::{ClipSpec, VideoCodec};
use holdfast_tests::faultfs::{Call, Fault, FaultFs};
use holdfast_tests::recorder::{self, CameraEntry, Configuration, Output, Recorder};
use holdfast_tests::report::Report;
use holdfast_tests::stage::{PATIENCE, wait_for_frames};
use holdfast_tests::{may_mount, wait_until, wall_micros};
use rustix::io::Errno;
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use std::time::{Duration, Instant};

/// What it may have more than it has: less than two seconds of footage.
const MORE: u64 = 512 << 10;

/// Within this it records again after its next start: ten times of what is usual on two cores.
const AGAIN: Duration = Duration::from_secs(20);

/// How it ends, as `holdfast run --help` says.
const OUT_OF_MEMORY: i32 = 4;

#[test]
fn memory_that_runs_out_costs_seconds_and_is_told() {
    if !may_mount("memory that runs out") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (backing, volume) = (folder.path().join("backing"), folder.path().join("volume"));
    std::fs::create_dir(&backing).unwrap();
    std::fs::create_dir(&volume).unwrap();
    let disk = FaultFs::mount(&backing, &volume).unwrap();
    let clip = ClipSpec {
        width: 640,
        height: 360,
        kbits: 3000,
        exact_rate: true,
        ..ClipSpec::small(VideoCodec::H264)
    };
    let camera = VirtualCamera::start(CameraOptions::new("gate", 1, clip)).unwrap();
    let binary = recorder::binary().unwrap();
    let configuration = Configuration::new(vec![CameraEntry::of(&camera)], &volume).limit("segment", "10s");
    let configuration = configuration.write(folder.path()).unwrap();
    let start = || Recorder::start(&binary, &configuration, Output::Kept).unwrap();
    // Where its durable footage ends; gaps do not count.
    let durable = || {
        let report = Report::ask(&binary, &volume, &[]).ok()?;
        report.camera("gate")?.durable_spans().last().map(|(_, to)| *to)
    };

    let mut recorder = start();
    assert!(wait_until(PATIENCE, || durable().is_some()), "it does not record:\n{}", recorder.log());
    wait_for_frames(&camera, camera.frames_sent() + 75, PATIENCE).unwrap();
    let status = std::fs::read_to_string(format!("/proc/{}/status", recorder.id())).unwrap();
    let data = status.lines().find_map(|line| line.strip_prefix("VmData:")).unwrap();
    let data: u64 = data.trim().trim_end_matches(" kB").parse().unwrap();
    let most = Some((data << 10) + MORE);
    let id = Pid::from_raw(recorder.id() as i32);
    prlimit(id, Resource::Data, Rlimit { current: most, maximum: most }).unwrap();
    let fault = disk.inject(Fault::fails(Errno::IO).on(&[Call::Write, Call::Sync, Call::Create]));
    let ended = recorder.wait(PATIENCE).unwrap();
    assert_eq!(ended.code(), Some(OUT_OF_MEMORY), "{ended}:\n{}", recorder.log());
    drop(fault);

    let (started, since) = (Instant::now(), wall_micros());
    let again = start();
    let recording = wait_until(AGAIN, || durable().is_some_and(|until| until > since));
    println!("recording again {:.1?} after the next start", started.elapsed());
    assert!(recording, "it does not record again:\n{}", again.log());
    let log = again.log();
    again.stop(PATIENCE).unwrap();
    let report = Report::ask(&binary, &volume, &[]).unwrap();
    let gaps = &report.camera("gate").unwrap().gaps;
    let told = gaps.iter().any(|gap| gap.cause.contains("memory") || gap.detail.contains("memory"));
    assert!(told, "nobody says why: {gaps:?}\n{log}");
}
