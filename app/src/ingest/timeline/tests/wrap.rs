//! RTP counts in 32 bits: at 90 kHz they are over after 13 hours. What raw time is made of takes no notice; and stamps that
//! fall to before the connection's first one are earlier, not lost.

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;

const RATE: u32 = 90_000;

/// Frames in a second.
const FPS: u32 = 25;

/// Sends packets of one frame each, with these stamps, through the jitterbuffer as rtspsrc sets it up for TCP. Gives raw
/// time of each, in nanoseconds.
fn through_the_jitterbuffer(stamps: &[u32]) -> Vec<i64> {
    gst::init().unwrap();
    let caps = "application/x-rtp,media=video,clock-rate=90000,payload=96,encoding-name=H264";
    let line = format!(
        "appsrc name=in format=time caps=\"{caps}\" ! rtpjitterbuffer mode=none latency=0 ! appsink name=out sync=false"
    );
    let pipeline = gst::parse::launch(&line).unwrap().downcast::<gst::Pipeline>().unwrap();
    let source = pipeline.by_name("in").and_downcast::<gst_app::AppSrc>().unwrap();
    let sink = pipeline.by_name("out").and_downcast::<gst_app::AppSink>().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    for (number, stamp) in stamps.iter().enumerate() {
        let mut packet = vec![0x80, 0x80 | 96];
        packet.extend((number as u16).to_be_bytes());
        packet.extend(stamp.to_be_bytes());
        packet.extend([1, 2, 3, 4, 0x41, 0x9a]);
        source.push_buffer(gst::Buffer::from_slice(packet)).unwrap();
    }
    let times = stamps
        .iter()
        .map(|_| sink.try_pull_sample(gst::ClockTime::from_seconds(60)).unwrap())
        .map(|sample| crate::ingest::track::stamp(&sink, &sample, sample.buffer().unwrap()).unwrap())
        .collect();
    pipeline.set_state(gst::State::Null).unwrap();
    times
}

#[test]
fn stamps_that_wrap_at_32_bits_go_on() {
    let first = u32::MAX - RATE;
    let stamps: Vec<u32> = (0..100).map(|frame| first.wrapping_add(frame * RATE / FPS)).collect();
    let times = through_the_jitterbuffer(&stamps);
    let steps: Vec<i64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(steps.iter().all(|step| step.abs_diff(40_000_000) < 100_000), "{steps:?}");
}

#[test]
fn stamps_that_fall_to_before_the_first_fall_and_do_not_stand() {
    // A fall of seven seconds after each four; the first is wherever a camera's clock may be.
    for first in [0, RATE, u32::MAX / 2, u32::MAX - RATE] {
        let fallen = |frame: u32| frame / (4 * FPS) * 7 * RATE;
        let stamps: Vec<u32> = (0..12 * FPS)
            .map(|frame| first.wrapping_add(frame * RATE / FPS).wrapping_sub(fallen(frame)))
            .collect();
        let times = through_the_jitterbuffer(&stamps);
        for (frame, pair) in times.windows(2).enumerate() {
            let falls = (frame as u32 + 1).is_multiple_of(4 * FPS);
            let step = if falls { 40_000_000 - 7_000_000_000 } else { 40_000_000 };
            assert!(
                (pair[1] - pair[0]).abs_diff(step) < 100_000,
                "from {first}: {} at {frame}",
                pair[1] - pair[0]
            );
        }
    }
}
