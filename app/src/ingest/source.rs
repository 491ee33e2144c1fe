//! rtspsrc: how it is set up, which tracks are chosen, and what is noticed of it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use holdfast_core::event::{CameraEvent, Failure, Label};
use holdfast_core::settings::Transport;

use super::branch::{self, Slot};
use super::codecs::Codec;
use super::shared::Shared;
use super::signs::Signs;
use super::{BuildError, Reporter, Request};
use crate::ring::TrackKind;

/// How long rtspsrc waits for an answer on a TCP connection. Below the core's connect deadline (15 s), so
/// that rtspsrc's own words about the failure are heard first.
pub(super) const TCP_TIMEOUT: Duration = Duration::from_secs(10);

/// What UDP may be late or out of order. Cameras on one switch reorder within a few milliseconds; Wi-Fi
/// cameras were seen at 100 ms and more. TCP needs none.
const UDP_LATENCY_MS: u32 = 200;

/// By how much sender reports may move a track with each packet, in nanoseconds. A connection's tracks begin at the
/// arrival of their first packets, and only its first report tells how they really lie to each other. With
/// B-frames 260 ms were seen: in one step that is a hole in the picture, in these it takes seconds, unseen.
const SYNC_STEP_NANOS: u64 = 100_000;

/// Receive buffer asked of the kernel for UDP: a 4K keyframe of 1 MB arrives as one burst.
const UDP_BUFFER_BYTES: i32 = 2 * 1024 * 1024;

/// Which tracks of a connection were selected.
pub(super) struct Tracks {
    audio_wanted: bool,
    video: AtomicBool,
    audio: AtomicBool,
}

/// What becomes of a track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Choice {
    Record,
    /// A person asked for that in the configuration: nothing to report.
    SwitchedOff,
    CannotBeRecorded,
    /// Another one of its kind is recorded already.
    OneTooMany,
}

impl Tracks {
    /// None is selected yet.
    pub fn new(audio_wanted: bool) -> Self {
        Tracks { audio_wanted, video: AtomicBool::new(false), audio: AtomicBool::new(false) }
    }

    /// Whether a video track was selected.
    pub fn has_video(&self) -> bool {
        self.video.load(Ordering::Acquire)
    }

    /// The first video and the first audio track that can be recorded are.
    fn choose(&self, codec: Option<&'static Codec>, media: &str) -> Choice {
        if media == "audio" && !self.audio_wanted {
            return Choice::SwitchedOff;
        }
        let taken = match codec.map(|codec| codec.kind) {
            Some(TrackKind::Video) => &self.video,
            Some(TrackKind::Audio) => &self.audio,
            None => return Choice::CannotBeRecorded,
        };
        if taken.swap(true, Ordering::AcqRel) { Choice::OneTooMany } else { Choice::Record }
    }
}

/// The element that speaks RTSP.
pub(super) fn source(request: &Request) -> Result<gst::Element, BuildError> {
    let builder = gst::ElementFactory::make("rtspsrc")
        .property("location", request.url.location())
        .property("tcp-timeout", TCP_TIMEOUT.as_micros() as u64)
        .property("do-retransmission", false)
        .property("user-agent", concat!("Holdfast/", env!("CARGO_PKG_VERSION")))
        // Timestamps as the camera made them; see `timeline` for how they are held against arrival.
        .property_from_str("buffer-mode", "none")
        .property("max-ts-offset-adjustment", SYNC_STEP_NANOS)
        // The core watches for stalls; rtspsrc's own time-out would retry by itself.
        .property("timeout", 0u64);
    let builder = match request.transport {
        Transport::Tcp => builder
            .property_from_str("protocols", "tcp")
            .property("latency", 0u32)
            // It would connect once more by itself where the camera closes the connection at once.
            .property("udp-reconnect", false),
        Transport::Udp => builder
            .property_from_str("protocols", "udp")
            .property("latency", UDP_LATENCY_MS)
            // Not drop-on-latency: with B-frames it takes time that runs back for packets that are late, and a third of
            // the picture was lost. Nothing behind the jitterbuffer ever blocks, so it cannot grow.
            .property("udp-buffer-size", UDP_BUFFER_BYTES),
    };
    let builder = match &request.credentials {
        Some((user, password)) => builder.property("user-id", user).property("user-pw", password.expose()),
        None => builder,
    };
    builder.build().map_err(|error| BuildError { what: format!("cannot make an rtspsrc element: {error}") })
}

/// Answers rtspsrc's question for each track of the SDP: the first video and the first audio track that
/// can be recorded are; the others are reported.
pub(super) fn select_streams(source: &gst::Element, tracks: &Arc<Tracks>, report: &Reporter) {
    let tracks = Arc::clone(tracks);
    let report = Arc::clone(report);
    source.connect("select-stream", false, move |values| {
        let caps = values.get(2)?.get::<gst::Caps>().ok()?;
        let fields = caps.structure(0)?;
        let media = fields.get::<&str>("media").unwrap_or("unknown");
        let choice = tracks.choose(Codec::of(fields), media);
        match choice {
            Choice::CannotBeRecorded => {
                report(CameraEvent::Unsupported { track: track_label("", media, fields) });
            }
            Choice::OneTooMany => {
                report(CameraEvent::Unsupported { track: track_label("second ", media, fields) });
            }
            Choice::Record | Choice::SwitchedOff => {}
        }
        Some((choice == Choice::Record).to_value())
    });
}

fn track_label(which: &str, media: &str, fields: &gst::StructureRef) -> Label {
    let encoding = fields.get::<&str>("encoding-name").unwrap_or("unknown");
    let mut label = Label::new();
    for c in
        which.chars().chain(media.chars()).chain(['/']).chain(encoding.chars()).filter(|c| !c.is_control())
    {
        if label.push(c).is_err() {
            break;
        }
    }
    label
}

/// Links each track when its first packet has come, and reports `Streaming` with the video's: rtspsrc's
/// no-more-pads waits for a packet of every track, and some cameras describe a microphone that never sends.
pub(super) fn link_streams(
    source: &gst::Element,
    pipeline: &gst::Pipeline,
    shared: &Shared,
    video: &Slot,
    tracks: &Arc<Tracks>,
    signs: &Arc<Signs>,
    report: &Reporter,
) {
    let pipeline = pipeline.downgrade();
    let (shared, video) = (shared.clone(), Arc::clone(video));
    let (tracks, signs, report) = (Arc::clone(tracks), Arc::clone(signs), Arc::clone(report));
    source.connect_pad_added(move |_, pad| {
        let Some(pipeline) = pipeline.upgrade() else { return };
        let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
        let Some(codec) = caps.structure(0).and_then(Codec::of) else { return };
        match branch::link(&pipeline, pad, codec, &shared) {
            Ok(branch) if codec.kind == TrackKind::Video => {
                let before = video.lock().unwrap_or_else(PoisonError::into_inner).replace(branch);
                if let Some(before) = before {
                    // Another sender goes on where one said BYE: what ran behind that one ran out.
                    let shared = shared.clone();
                    pipeline.call_async(move |pipeline| before.remove(pipeline, shared.camera()));
                }
                signs.streaming();
                report(CameraEvent::Streaming { video: true, audio: tracks.audio.load(Ordering::Acquire) });
            }
            Ok(_) => {}
            Err(error) => {
                log::error!(CAMERA = shared.camera(); "cannot build the media path for {}: {error}", codec.encoding);
                report(CameraEvent::Failed(Failure::Internal));
            }
        }
    });
}

/// Notices what rtspsrc asks and tells beside its messages.
pub(super) fn notice(source: &gst::Element, signs: &Arc<Signs>, on_bye: impl Fn() + Send + Sync + 'static) {
    let noticed = Arc::clone(signs);
    source.connect("before-send", false, move |_| {
        noticed.requested();
        Some(true.to_value())
    });
    let noticed = Arc::clone(signs);
    source.connect("accept-certificate", false, move |_| {
        // It asks about those alone that GLib would not take.
        noticed.certificate_refused();
        Some(false.to_value())
    });
    let (noticed, on_bye) = (Arc::clone(signs), Arc::new(on_bye));
    source.connect("new-manager", false, move |values| {
        let manager = values.get(1)?.get::<gst::Element>().ok()?;
        let (noticed, on_bye) = (Arc::clone(&noticed), Arc::clone(&on_bye));
        manager.connect("on-bye-ssrc", false, move |_| {
            noticed.bye();
            on_bye();
            None
        });
        None
    });
}

/// A camera that has sound alone gives rtspsrc nothing to complain of.
pub(super) fn tell_if_there_is_no_video(source: &gst::Element, tracks: &Arc<Tracks>, report: &Reporter) {
    let tracks = Arc::clone(tracks);
    let report = Arc::clone(report);
    source.connect_no_more_pads(move |_| {
        if !tracks.has_video() {
            report(CameraEvent::Failed(Failure::NothingRecordable));
        }
    });
}
