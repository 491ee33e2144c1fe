//! A tap: an RTSP client that reads the marks of frames as they come, before any recorder or file.

use crate::nal::{self, Mark, NalCodec};
use crate::{LabError, lock};
use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// Which transport a tap asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    /// Interleaved in the RTSP connection.
    Tcp,
    /// UDP, unicast.
    Udp,
}

/// One frame as it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Its mark.
    pub mark: Mark,
    /// Its timestamp in nanoseconds since the tap began.
    pub pts: u64,
    /// When it came, microseconds of UTC.
    pub wall_micros: i64,
    /// Whether decoding can begin here.
    pub keyframe: bool,
    /// Width and height of the picture by its parameter sets; 0 while these are not known.
    pub size: (i32, i32),
}

/// What a tap has seen.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Marked frames, in order of arrival.
    pub frames: Vec<Arrival>,
    /// Packets of tracks that are not H.264 or H.265 video, by their encoding name; 0 for a track that was
    /// only described.
    pub others: BTreeMap<String, u64>,
}

/// A running RTSP client.
#[derive(Debug)]
pub struct Tap {
    url: String,
    pipeline: gst::Pipeline,
    seen: Arc<Mutex<Seen>>,
}

impl Tap {
    /// Connects to a camera. `login` is user and password.
    pub fn open(url: &str, via: Via, login: Option<(&str, &str)>) -> Result<Tap, LabError> {
        crate::init()?;
        let failed = |problem: String| LabError::Watch { url: url.to_owned(), problem };
        let pipeline = gst::Pipeline::new();
        let source = gst::ElementFactory::make("rtspsrc")
            .property("location", url)
            .property("latency", 0u32)
            // Timestamps as the camera sends them: no smoothing by arrival.
            .property_from_str("buffer-mode", "none")
            .property_from_str("protocols", if via == Via::Tcp { "tcp" } else { "udp" })
            .build()
            .map_err(|error| failed(error.to_string()))?;
        if let Some((user, password)) = login {
            source.set_property("user-id", user);
            source.set_property("user-pw", password);
        }
        pipeline.add(&source).map_err(|error| failed(error.to_string()))?;
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (weak, found) = (pipeline.downgrade(), seen.clone());
        source.connect_pad_added(move |_, pad| {
            if let Some(pipeline) = weak.upgrade() {
                take_track(&pipeline, pad, &found);
            }
        });
        let found = seen.clone();
        source.connect("select-stream", false, move |values| {
            let caps = values.get(2).and_then(|value| value.get::<gst::Caps>().ok());
            if let Some(name) = caps.and_then(|caps| encoding(&caps)).filter(|name| nal_codec(name).is_none())
            {
                lock(&found).others.entry(name).or_insert(0);
            }
            Some(true.to_value())
        });
        pipeline.set_state(gst::State::Playing).map_err(|error| failed(error.to_string()))?;
        Ok(Tap { url: url.to_owned(), pipeline, seen })
    }

    /// What has come so far.
    pub fn seen(&self) -> Seen {
        lock(&self.seen).clone()
    }

    /// How many marked frames have come so far.
    pub fn count(&self) -> usize {
        lock(&self.seen).frames.len()
    }

    /// The frames from the first keyframe on: what a recorder could use. (A client may come in the middle of a
    /// GOP; B-frames that precede its first frame in presentation are then lost on it.)
    pub fn usable(&self) -> Vec<Arrival> {
        lock(&self.seen).frames.iter().skip_while(|frame| !frame.keyframe).copied().collect()
    }

    /// The first error that the client met, with GStreamer's debug text.
    pub fn error(&self) -> Option<LabError> {
        let message = self.pipeline.bus()?.pop_filtered(&[gst::MessageType::Error])?;
        let gst::MessageView::Error(error) = message.view() else { return None };
        let problem = format!("{} ({})", error.error(), error.debug().unwrap_or_default());
        Some(LabError::Watch { url: self.url.clone(), problem })
    }

    /// Whether the camera ended the stream.
    pub fn ended(&self) -> bool {
        self.pipeline.bus().and_then(|bus| bus.pop_filtered(&[gst::MessageType::Eos])).is_some()
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        // Nothing is left to be done if a client does not end in order.
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

fn encoding(caps: &gst::Caps) -> Option<String> {
    caps.structure(0)?.get::<String>("encoding-name").ok()
}

fn nal_codec(encoding: &str) -> Option<NalCodec> {
    match encoding {
        "H264" => Some(NalCodec::H264),
        "H265" => Some(NalCodec::H265),
        _ => None,
    }
}

fn take_track(pipeline: &gst::Pipeline, pad: &gst::Pad, seen: &Arc<Mutex<Seen>>) {
    let Some(name) = pad.current_caps().and_then(|caps| encoding(&caps)) else { return };
    let codec = nal_codec(&name);
    let line = match codec {
        Some(NalCodec::H264) => {
            "rtph264depay ! h264parse ! video/x-h264,stream-format=byte-stream,alignment=au ! "
        }
        Some(NalCodec::H265) => {
            "rtph265depay ! h265parse ! video/x-h265,stream-format=byte-stream,alignment=au ! "
        }
        None => "identity ! ",
    };
    // Not synchronised: the frames are to be seen as they come.
    let Ok(bin) =
        gst::parse::bin_from_description(&format!("{line}appsink name=out sync=false async=false"), true)
    else {
        return;
    };
    let Some(sink) = bin.by_name("out").and_downcast::<gst_app::AppSink>() else { return };
    let seen = seen.clone();
    let callbacks = gst_app::AppSinkCallbacks::builder().new_sample(move |sink| {
        let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
        let wall_micros = crate::wall_micros();
        let mut seen = lock(&seen);
        let Some(codec) = codec else {
            *seen.others.entry(name.clone()).or_insert(0) += 1;
            return Ok(gst::FlowSuccess::Ok);
        };
        let Some(buffer) = sample.buffer() else { return Ok(gst::FlowSuccess::Ok) };
        let mark = buffer.map_readable().ok().and_then(|map| Mark::find(codec, nal::annex_b_units(&map)));
        if let Some(mark) = mark {
            let pts = buffer.pts().map_or(0, gst::ClockTime::nseconds);
            let keyframe = !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT);
            let structure = sample.caps().and_then(|caps| caps.structure(0));
            let number =
                |field| structure.and_then(|structure| structure.get::<i32>(field).ok()).unwrap_or(0);
            let size = (number("width"), number("height"));
            seen.frames.push(Arrival { mark, pts, wall_micros, keyframe, size });
        }
        Ok(gst::FlowSuccess::Ok)
    });
    sink.set_callbacks(callbacks.build());
    // A track that cannot be linked shows itself by what is not seen.
    let _ = pipeline.add(&bin).is_ok()
        && bin.sync_state_with_parent().is_ok()
        && bin.static_pad("sink").is_some_and(|target| pad.link(&target).is_ok());
}
