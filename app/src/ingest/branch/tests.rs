//! Branches that are exchanged while packets run through them.

use std::time::{Duration, Instant};

use holdfast_core::effect::Stream;
use holdfast_core::time::Mono;

use super::super::codecs::CODECS;
use super::*;
use crate::ring::{Limits, Ring};

/// How long anything may take that takes a moment, on a machine that builds something beside it.
const PATIENCE: Duration = Duration::from_secs(60);

fn until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "{what} did not happen");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn last_audio(shared: &Shared) -> Option<Mono> {
    let CameraEvent::Received(figures) = shared.figures.event() else { unreachable!() };
    figures.last_audio
}

#[test]
fn a_branch_is_exchanged_again_and_again_and_nothing_of_the_old_ones_is_left() {
    gst::init().unwrap();
    let line = "audiotestsrc is-live=true samplesperbuffer=80 ! audio/x-raw,rate=8000,channels=1 ! alawenc \
                ! rtppcmapay name=source";
    let pipeline = gst::parse::launch(line).unwrap().downcast::<gst::Pipeline>().unwrap();
    let pad = pipeline.by_name("source").unwrap().static_pad("src").unwrap();
    let codec = CODECS.iter().find(|codec| codec.encoding == "PCMA").unwrap();
    let ring = Ring::new(Limits { bytes: 1 << 20, time: Duration::from_secs(1) });
    let shared = Shared::new("camera", ring.connect(Stream::Main));
    let report: Reporter = Arc::new(|event| panic!("{event:?}"));
    let slot = Slot::default();
    assert!(rebuild(&pipeline, &slot, &shared, &report).is_err(), "there is nothing yet");

    let branch = link(&pipeline, &pad, codec, &shared).unwrap();
    let mut olds: Vec<_> = branch.elements.iter().map(gst::Element::downgrade).collect();
    *slot.lock().unwrap() = Some(branch);
    let elements = pipeline.children().len();
    pipeline.set_state(gst::State::Playing).unwrap();
    // Nobody reads its messages, and they hold who sent them.
    pipeline.bus().unwrap().set_flushing(true);
    until("sound", || last_audio(&shared).is_some());
    for round in 0..20 {
        rebuild(&pipeline, &slot, &shared, &report).unwrap();
        until("the exchange", || slot.lock().unwrap().is_some());
        let before = last_audio(&shared);
        until("sound after it", || last_audio(&shared) > before);
        until("the end of the old elements", || {
            pipeline.children().len() == elements && olds.iter().all(|old| old.upgrade().is_none())
        });
        let slot = slot.lock().unwrap();
        olds = slot.as_ref().unwrap().elements.iter().map(gst::Element::downgrade).collect();
        assert_eq!(olds.len(), codec.elements.len() + 1, "round {round}");
    }
    pipeline.set_state(gst::State::Null).unwrap();
}

#[test]
fn a_branch_through_which_nothing_runs_is_exchanged_at_once() {
    gst::init().unwrap();
    let pipeline = gst::parse::launch("identity name=source").unwrap();
    let pipeline = pipeline.downcast::<gst::Pipeline>().unwrap_or_else(|element| {
        let pipeline = gst::Pipeline::new();
        pipeline.add(&element).unwrap();
        pipeline
    });
    let pad = pipeline.by_name("source").unwrap().static_pad("src").unwrap();
    let codec = CODECS.iter().find(|codec| codec.encoding == "H264").unwrap();
    let ring = Ring::new(Limits { bytes: 1 << 20, time: Duration::from_secs(1) });
    let shared = Shared::new("camera", ring.connect(Stream::Main));
    let report: Reporter = Arc::new(|event| panic!("{event:?}"));
    let slot = Slot::default();
    *slot.lock().unwrap() = Some(link(&pipeline, &pad, codec, &shared).unwrap());
    rebuild(&pipeline, &slot, &shared, &report).unwrap();
    assert!(slot.lock().unwrap().is_some(), "it waits for a packet");
    pipeline.set_state(gst::State::Null).unwrap();
}
