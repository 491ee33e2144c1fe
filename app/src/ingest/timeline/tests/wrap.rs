//! RTP counts in 32 bits: at 90 kHz they are over after 13 hours. What raw time is made of takes no notice.

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;

const RATE: u32 = 90_000;

#[test]
fn stamps_that_wrap_at_32_bits_go_on() {
    gst::init().unwrap();
    let caps = "application/x-rtp,media=video,clock-rate=90000,payload=96,encoding-name=H264";
    // As rtspsrc sets it up for TCP.
    let line = format!(
        "appsrc name=in format=time caps=\"{caps}\" ! rtpjitterbuffer mode=none latency=0 ! appsink name=out sync=false"
    );
    let pipeline = gst::parse::launch(&line).unwrap().downcast::<gst::Pipeline>().unwrap();
    let source = pipeline.by_name("in").and_downcast::<gst_app::AppSrc>().unwrap();
    let sink = pipeline.by_name("out").and_downcast::<gst_app::AppSink>().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let frames = 100;
    let first = u32::MAX - RATE;
    for frame in 0..frames {
        let mut packet = vec![0x80, 0x80 | 96];
        packet.extend((frame as u16).to_be_bytes());
        packet.extend(first.wrapping_add(frame * RATE / 25).to_be_bytes());
        packet.extend([1, 2, 3, 4, 0x41, 0x9a]);
        source.push_buffer(gst::Buffer::from_slice(packet)).unwrap();
    }
    let times: Vec<u64> = (0..frames)
        .map(|_| sink.try_pull_sample(gst::ClockTime::from_seconds(60)).unwrap())
        .map(|sample| sample.buffer().unwrap().pts().unwrap().nseconds())
        .collect();
    pipeline.set_state(gst::State::Null).unwrap();
    let steps: Vec<u64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(steps.iter().all(|step| step.abs_diff(40_000_000) < 100_000), "{steps:?}");
}
