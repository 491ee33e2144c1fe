//! One track of a session: the elements from a pad of rtspsrc to the ring.

use std::sync::Arc;
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use holdfast_core::time::Mono;

use super::codecs::{Codec, FLAC_BLOCK, track_config};
use super::soundness::is_sound;
use super::timeline::nanos;
use super::{BuildError, Shared, payload};
use crate::mp4::TrackConfig;
use crate::ring::{AccessUnit, Data, TrackKind};

/// The elements for `codec`, from RTP to the ring, in order; not linked.
pub(super) fn elements(codec: &'static Codec, shared: &Shared) -> Result<Vec<gst::Element>, BuildError> {
    let mut chain = to_access_units(codec).map_err(|error| BuildError { what: error.to_string() })?;
    chain.push(sink(codec, shared)?.upcast());
    Ok(chain)
}

/// From RTP to access units.
fn to_access_units(codec: &Codec) -> Result<Vec<gst::Element>, glib::BoolError> {
    let mut chain = Vec::with_capacity(codec.elements.len() + 1);
    for name in codec.elements {
        let element = gst::ElementFactory::make(name).build()?;
        if *name == "flacenc" {
            element.set_property("blocksize", FLAC_BLOCK as u32);
        }
        chain.push(element);
    }
    if let Some(depayloader) = chain.first() {
        payload::guard(depayloader);
    }
    Ok(chain)
}

fn sink(codec: &'static Codec, shared: &Shared) -> Result<gst_app::AppSink, BuildError> {
    let caps = codec.caps.parse::<gst::Caps>().map_err(|error| BuildError { what: error.to_string() })?;
    let mut intake = Intake {
        kind: codec.kind,
        shared: shared.clone(),
        caps: None,
        config: None,
        begun: false,
        last_raw: None,
        waiting: Vec::new(),
    };
    let callbacks = gst_app::AppSinkCallbacks::builder()
        .new_sample(move |sink| {
            let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
            intake.take(sink, &sample);
            Ok(gst::FlowSuccess::Ok)
        })
        .build();
    let sink = gst_app::AppSink::builder()
        .caps(&caps)
        .sync(false)
        .async_(false)
        .enable_last_sample(false)
        .qos(false)
        .callbacks(callbacks)
        .build();
    Ok(sink)
}

/// The end of a track's media path, on its streaming thread.
struct Intake {
    kind: TrackKind,
    shared: Shared,
    caps: Option<gst::Caps>,
    config: Option<Arc<TrackConfig>>,
    /// A unit came: what is not whole from now on was damaged on its way.
    begun: bool,
    /// Raw time of the unit before.
    last_raw: Option<i64>,
    /// Until the connection's time is settled.
    waiting: Vec<Waiting>,
}

/// A unit that has no time yet.
struct Waiting {
    unit: AccessUnit,
    raw: i64,
    arrival: Mono,
}

impl Intake {
    fn take(&mut self, sink: &gst_app::AppSink, sample: &gst::Sample) {
        self.take_caps(sample);
        let (Some(config), Some(buffer)) = (&self.config, sample.buffer_owned()) else { return };
        let flags = buffer.flags();
        // Codec headers travel in the configuration, not among the access units.
        if flags.contains(gst::BufferFlags::HEADER) && self.kind == TrackKind::Audio {
            return;
        }
        let Some(arrival) = sink.clock().map(|clock| Mono::from_nanos(clock.time().nseconds())) else {
            return;
        };
        // A parser leaves the stamp away where it is that of the unit before.
        let raw = stamp(sink, sample, &buffer).or(self.last_raw).unwrap_or(nanos(arrival));
        self.last_raw = Some(raw);
        let keyframe = self.kind == TrackKind::Audio || !flags.contains(gst::BufferFlags::DELTA_UNIT);
        let duration = buffer.duration().map(|duration| Duration::from_nanos(duration.nseconds()));
        let Ok(bytes) = buffer.into_mapped_buffer_readable() else { return };
        // The first unit of all follows on from nothing.
        let lost = std::mem::replace(&mut self.begun, true) && flags.contains(gst::BufferFlags::DISCONT);
        let whole = !lost && !flags.contains(gst::BufferFlags::CORRUPTED) && is_sound(config, &bytes);
        let config = Arc::clone(config);
        let data = Data::new(bytes);
        let unit = AccessUnit { track: self.kind, pts: arrival, duration, keyframe, config, data };
        self.shared.figures.came(self.kind, arrival, keyframe, whole);
        if self.kind == TrackKind::Video && keyframe {
            self.shared.keyframe();
        }
        self.waiting.push(Waiting { unit, raw, arrival });
        self.place(raw, arrival);
    }

    /// New caps make a new configuration only if something a decoder must know really changed.
    fn take_caps(&mut self, sample: &gst::Sample) {
        let Some(caps) = sample.caps() else { return };
        if self.caps.as_ref().is_some_and(|known| known.as_ptr() == caps.as_mut_ptr()) {
            return;
        }
        self.caps = Some(caps.to_owned());
        let Some(config) = track_config(caps) else { return };
        if self.config.as_deref() != Some(&config) {
            self.config = Some(self.shared.configured(self.kind, config));
        }
    }

    /// Gives what waits its time and hands it on. The two tracks' threads meet here, for an addition.
    fn place(&mut self, raw: i64, arrival: Mono) {
        let mut timeline = self.shared.timeline();
        if !timeline.is_settled(self.kind, raw, arrival) {
            return;
        }
        for Waiting { mut unit, raw, arrival } in self.waiting.drain(..) {
            unit.pts = match self.kind {
                TrackKind::Video => timeline.video(raw, arrival),
                TrackKind::Audio => timeline.audio(raw, arrival, unit.duration),
            };
            self.shared.push(unit);
        }
        self.shared.figures.stamps(timeline.tally());
    }
}

/// The raw time of a buffer on the pipeline's clock, which is `CLOCK_MONOTONIC`.
pub(super) fn stamp(sink: &gst_app::AppSink, sample: &gst::Sample, buffer: &gst::BufferRef) -> Option<i64> {
    let stamp = buffer.pts().or(buffer.dts())?;
    let segment = sample.segment()?.downcast_ref::<gst::ClockTime>()?;
    let running = signed(segment.to_running_time_full(stamp)?);
    Some(nanos(Mono::from_nanos(sink.base_time()?.nseconds())).saturating_add(running))
}

/// Stamps that fall to before the connection's first leave the jitterbuffer as a difference that wrapped around at 64
/// bits: what is beyond the half of them lies before zero.
fn signed(running: gst::Signed<gst::ClockTime>) -> i64 {
    match running {
        gst::Signed::Positive(time) => time.nseconds() as i64,
        gst::Signed::Negative(time) => (time.nseconds() as i64).saturating_neg(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACKET: u64 = 20;

    /// Sends G.711 packets of 20 ms that begin at these milliseconds; gives the milliseconds of what comes out.
    fn sound(times: impl Iterator<Item = u64>) -> Vec<u64> {
        gst::init().unwrap();
        let codec = super::super::codecs::CODECS.iter().find(|codec| codec.encoding == "PCMA").unwrap();
        let caps = "audio/x-alaw,rate=8000,channels=1".parse::<gst::Caps>().unwrap();
        let source = gst_app::AppSrc::builder().caps(&caps).format(gst::Format::Time).build();
        let sink = gst_app::AppSink::builder().sync(false).async_(false).build();
        let mut chain = to_access_units(codec).unwrap();
        chain[0] = source.clone().upcast();
        chain.push(sink.clone().upcast());
        let pipeline = gst::Pipeline::new();
        pipeline.add_many(&chain).unwrap();
        gst::Element::link_many(&chain).unwrap();
        pipeline.set_state(gst::State::Playing).unwrap();
        for (number, time) in times.enumerate() {
            let mut buffer = gst::Buffer::from_slice([0x55; 160]);
            let content = buffer.get_mut().unwrap();
            content.set_pts(gst::ClockTime::from_mseconds(time));
            content.set_duration(gst::ClockTime::from_mseconds(PACKET));
            content.set_offset(number as u64);
            source.push_buffer(buffer).unwrap();
        }
        source.end_of_stream().unwrap();
        let mut starts = Vec::new();
        while let Ok(sample) = sink.pull_sample() {
            let buffer = sample.buffer().unwrap();
            if !buffer.flags().contains(gst::BufferFlags::HEADER) {
                starts.push(buffer.pts().unwrap().mseconds());
            }
        }
        pipeline.set_state(gst::State::Null).unwrap();
        starts
    }

    #[test]
    fn sound_that_pauses_comes_back_at_its_own_time() {
        // Two seconds, a pause of three, two seconds again: what a microphone that saves silence sends.
        let starts = sound((0..100).chain(250..350).map(|packet| packet * PACKET));
        let last = *starts.last().unwrap();
        assert!((6800..7000).contains(&last), "the last block begins at {last} ms: {starts:?}");
        let pauses: Vec<u64> =
            starts.windows(2).map(|pair| pair[1] - pair[0]).filter(|step| *step > 200).collect();
        assert!(matches!(pauses[..], [pause] if (2800..3300).contains(&pause)), "{pauses:?}: {starts:?}");
    }

    #[test]
    fn sound_that_comes_with_jitter_runs_on_without_one() {
        let starts = sound((0..500).map(|packet| packet * PACKET + packet % 3));
        assert!(starts.windows(2).all(|pair| pair[1] - pair[0] == 128), "{starts:?}");
    }
}
