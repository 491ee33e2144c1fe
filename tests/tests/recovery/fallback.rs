//! A camera with two streams against the real recorder: the second is recorded while the first is away, on the same volume and in
//! the same ledger, marked; and the way back costs no frame.

use holdfast::ledger::read_all;
use holdfast_tests::camera::{CameraOptions, VirtualCamera};
use holdfast_tests::clip::{ClipSpec, VideoCodec};
use holdfast_tests::proxy::{Fault, Proxy};
use holdfast_tests::recorder::CameraEntry;
use holdfast_tests::stage::{PATIENCE, Stage};
use holdfast_tests::watch::Status;
use holdfast_tests::{read, wall_micros};
use holdfast_wire::ledger::Record;
use std::time::Duration;

const MAIN: u32 = 1;
const SUB: u32 = 2;

/// A recorded frame: which camera's it is, its number, and its time by its file, microseconds of UTC.
type Frame = (u32, u64, i64);

fn frames(stage: &Stage) -> Vec<Frame> {
    let mut frames = Vec::new();
    for (_, footage) in stage.footage("gate").unwrap() {
        let anchor = footage.anchor.unwrap();
        frames.extend(footage.video.iter().filter_map(|sample| {
            let mark = sample.mark?;
            Some((mark.camera, mark.number, anchor + i64::try_from(sample.pts / 1000).unwrap()))
        }));
    }
    frames
}

pub fn the_second_stream_bridges_the_first_and_the_way_back_costs_no_frame() {
    let stage = Stage::new().unwrap();
    let start = |tag, clip| VirtualCamera::start(CameraOptions::new("gate", tag, clip)).unwrap();
    let small = ClipSpec::small(VideoCodec::H264);
    let (main, sub) = (start(MAIN, small), start(SUB, ClipSpec { width: 160, height: 96, ..small }));
    let (main_way, sub_way) = (Proxy::start(&main.url()).unwrap(), Proxy::start(&sub.url()).unwrap());
    let entry =
        CameraEntry { fallback: Some(sub_way.url()), ..CameraEntry::of(&main).by_way_of(&main_way.url()) };
    let recorder = stage.record(&stage.configuration(vec![entry])).unwrap();
    Status::until_all_record(&stage, &recorder, PATIENCE).unwrap();
    assert!(sub_way.attempts().is_empty(), "the second stream is asked while the first comes");

    main_way.set(Fault::Refused);
    let lost = wall_micros();
    let state = |wanted: &'static str| {
        move |status: &Status| status.camera("gate").is_some_and(|camera| camera.state == wanted)
    };
    let status =
        Status::until(&stage, &recorder, PATIENCE, "the fallback is recorded", state("fallback")).unwrap();
    assert_eq!(status.camera("gate").unwrap().detail, "connection refused");
    assert!(
        status.alarms.iter().any(|alarm| alarm.contains("records its fallback stream")),
        "{:?}",
        status.alarms
    );
    main_way.set(Fault::None);
    // Its next attempt comes within 20 s, and half a minute of it has to be healthy.
    let patience = Duration::from_secs(150);
    Status::until(&stage, &recorder, patience, "the main stream is recorded again", state("recording"))
        .unwrap();
    let back = wall_micros();
    let hung_up = |_: &Status| sub_way.open() == 0;
    Status::until(&stage, &recorder, PATIENCE, "the second stream is let go", hung_up).unwrap();
    Status::until_all_record(&stage, &recorder, PATIENCE).unwrap();
    stage.stop(recorder).unwrap();

    // One gap: from the loss to the second stream's first keyframe, ten seconds later.
    let report = stage.report().unwrap();
    let account = report.camera("gate").unwrap();
    let holes: Vec<_> = account.holes().into_iter().filter(|hole| hole.causes != ["starting"]).collect();
    println!("lost at {lost}, back at {back}; missing: {holes:?}");
    let [hole] = &holes[..] else { panic!("more than one gap: {holes:?}") };
    let length = hole.to - hole.from;
    assert!((hole.from - lost).abs() < 2_000_000, "{hole:?}, lost at {lost}");
    assert!((9_000_000..25_000_000).contains(&length), "missing for {length} µs");

    // Main, sub, main: no frame of either is missing between its first and its last in each stretch.
    let frames = frames(&stage);
    let mut stretches: Vec<Vec<Frame>> = Vec::new();
    for frame in frames {
        match stretches.last_mut() {
            Some(last) if last[0].0 == frame.0 => last.push(frame),
            Some(_) | None => stretches.push(vec![frame]),
        }
    }
    let order: Vec<u32> = stretches.iter().map(|stretch| stretch[0].0).collect();
    assert_eq!(order, [MAIN, SUB, MAIN]);
    for stretch in &stretches {
        let whole = stretch.windows(2).all(|pair| pair[1].1 == pair[0].1 + 1);
        assert!(whole, "frames of camera {} are missing inside its stretch", stretch[0].0);
    }
    let (end, begin) = (stretches[1].last().unwrap().2, stretches[2][0].2);
    assert!((begin - end).abs() < 200_000, "the way back left {} µs", begin - end);

    // The ledger and the files say which is which.
    let mut marks = Vec::new();
    read_all(&stage.volume(), |record| {
        if let Ok(Record::SegmentOpened(opened)) = record {
            marks.push(opened.fallback);
        }
    })
    .unwrap();
    marks.dedup();
    assert_eq!(marks, [false, true, false]);
    for path in read::segments(&stage.volume(), "gate").unwrap() {
        read::ffprobe_ok(&path).unwrap();
        read::plays(&path).unwrap();
    }
}
