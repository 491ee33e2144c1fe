//! RTSP to access units: one GStreamer pipeline per camera and connection.
//!
//! Words: a **session** is one connection's pipeline, from [`Session::start`] to [`Session::tear_down`].
//!
//! It reports facts ([`CameraEvent`]) and pushes access units into the camera's ring; it never retries,
//! never waits for a disk, and leaves every judgement to the core. Access units are pushed on the
//! streaming threads of GStreamer; messages arrive on the loop's main context.

mod codecs;
mod failure;
mod timeline;
mod track;

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use glib::ControlFlow;
use gstreamer as gst;
use gstreamer::prelude::*;
use holdfast_core::event::{CameraEvent, Failure, Label, StreamFigures};
use holdfast_core::settings::Transport;
use holdfast_core::time::Mono;

pub use codecs::missing_elements;

use crate::config::{RtspUrl, Secret};
use crate::ring::{Feed, TrackKind};
use codecs::Codec;
use failure::Verdict;
use timeline::Timeline;

/// How long rtspsrc waits for an answer on a TCP connection. Below the core's connect deadline (15 s), so
/// that rtspsrc's own words about the failure are heard first.
const TCP_TIMEOUT_MICROS: u64 = 10_000_000;

/// What UDP may be late or out of order. Cameras on one switch reorder within a few milliseconds; Wi-Fi
/// cameras were seen at 100 ms and more. TCP needs none.
const UDP_LATENCY_MS: u32 = 200;

/// By how much sender reports may move a track with each packet, in nanoseconds. A connection's tracks begin at the
/// arrival of their first packets, and only its first report tells how they really lie to each other. With
/// B-frames 260 ms were seen: in one step that is a hole in the picture, in these it takes seconds, unseen.
const SYNC_STEP_NANOS: u64 = 100_000;

/// Receive buffer asked of the kernel for UDP: a 4K keyframe of 1 MB arrives as one burst.
const UDP_BUFFER_BYTES: i32 = 2 * 1024 * 1024;

/// Disconnections under way. Joining rtspsrc's task has no time-out: where it hangs, its thread and its
/// connection stay, and the core goes on without them.
static HANGING: AtomicUsize = AtomicUsize::new(0);

/// So many hanging disconnections are too many: each holds a thread, a pipeline of some megabytes, and one of the few
/// sessions that a camera allows. Twice the most cameras.
const MOST_HANGING: usize = 64;

/// Keeps passwords out of GStreamer's own log, whatever `GST_DEBUG` asks for: above warnings rtspsrc writes down whole
/// requests with their `Authorization`, and the bus messages with URLs that may hold a password in their query. For
/// all categories, since elements make theirs later, by the same rule.
pub fn keep_secrets_out_of_gstreamers_log() {
    if std::env::var_os("GST_DEBUG").is_some() {
        log::warn!("GST_DEBUG is followed as far as warnings: beyond them, GStreamer logs passwords");
        gst::log::set_threshold_from_string("*:WARNING", true);
    }
}

/// How a connection is to be made.
#[derive(Clone)]
pub struct Request {
    /// The camera's name: for messages and for thread names.
    pub camera: String,
    /// Where its stream is.
    pub url: RtspUrl,
    /// User and password.
    pub credentials: Option<(String, Secret)>,
    /// Which way RTP is to travel.
    pub transport: Transport,
    /// Whether audio is wanted.
    pub audio: bool,
}

/// Tells the loop what happened. Called from any thread.
pub type Reporter = Arc<dyn Fn(CameraEvent) + Send + Sync>;

/// Figures of a session, written by the streaming threads, read by the loop once a second.
#[derive(Debug, Default)]
pub struct Figures {
    last_video: AtomicU64,
    units: AtomicU64,
    keyframes: AtomicU64,
}

impl Figures {
    /// As an event for the core.
    pub fn event(&self) -> CameraEvent {
        let last = self.last_video.load(Ordering::Relaxed);
        CameraEvent::Received(StreamFigures {
            last_video: (last != 0).then(|| Mono::from_nanos(last)),
            units: self.units.load(Ordering::Relaxed),
            keyframes: self.keyframes.load(Ordering::Relaxed),
            ..StreamFigures::default()
        })
    }
}

/// A pipeline could not even be made: an element is missing, or GStreamer refused.
#[derive(Debug)]
pub struct BuildError {
    what: String,
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for BuildError {}

/// One connection to a camera. Dropping it without [`tear_down`](Session::tear_down) leaves the pipeline
/// running: the shell always tears down.
pub struct Session {
    camera: String,
    pipeline: gst::Pipeline,
    watch: gst::bus::BusWatchGuard,
    feed: Feed,
    figures: Arc<Figures>,
    over: Arc<AtomicBool>,
}

impl Session {
    /// Builds the pipeline and begins to connect. `Streaming` or `Failed` is reported later.
    pub fn start(request: &Request, feed: Feed, report: Reporter) -> Result<Self, BuildError> {
        let pipeline = gst::Pipeline::with_name(&format!("camera-{}", request.camera));
        // One clock for every camera and for the core: CLOCK_MONOTONIC. A network clock that rtspsrc may
        // offer would make access units of two cameras incomparable.
        pipeline.use_clock(Some(&gst::SystemClock::obtain()));
        let source = source(request)?;
        pipeline.add(&source).map_err(|error| BuildError { what: error.to_string() })?;

        let hanging = HANGING.load(Ordering::Acquire);
        if hanging >= MOST_HANGING {
            return Err(BuildError {
                what: format!(
                    "{hanging} disconnections hang; no more are begun, and this one is tried again later"
                ),
            });
        }
        let figures = Arc::new(Figures::default());
        let tracks = Arc::new(Tracks {
            audio_wanted: request.audio,
            video: AtomicBool::new(false),
            audio: AtomicBool::new(false),
        });
        select_streams(&source, &tracks, &report);
        let shared = Shared { feed: feed.clone(), figures: Arc::clone(&figures), timeline: Arc::default() };
        link_streams(&source, &pipeline, &shared, &tracks, &report);
        tell_if_there_is_no_video(&source, &tracks, &report);

        let over = Arc::new(AtomicBool::new(false));
        let watch = watch_bus(&pipeline, request, &tracks, &report, &over)?;
        if pipeline.set_state(gst::State::Playing).is_err() {
            report(CameraEvent::Failed(Failure::Internal));
        }
        Ok(Session { camera: request.camera.clone(), pipeline, watch, feed, figures, over })
    }

    /// The session's figures.
    pub fn figures(&self) -> &Arc<Figures> {
        &self.figures
    }

    /// Nothing more of it is kept until its next keyframe.
    pub fn resume(&self) {
        self.feed.flush();
    }

    /// Ends the session on a thread of its own, since joining rtspsrc's task has no time-out, and
    /// reports `TornDown` when it is done. What already reached the ring stays there.
    pub fn tear_down(self, report: Reporter) {
        let Session { camera, pipeline, watch, feed, over, .. } = self;
        over.store(true, Ordering::Release);
        drop(watch);
        HANGING.fetch_add(1, Ordering::AcqRel);
        let end = {
            let report = Arc::clone(&report);
            move || {
                if pipeline.set_state(gst::State::Null).is_err() {
                    log::warn!(CAMERA = camera.as_str(); "the media pipeline did not stop in good order; it is dropped");
                }
                feed.end();
                HANGING.fetch_sub(1, Ordering::AcqRel);
                report(CameraEvent::TornDown);
            }
        };
        if let Err(error) = thread::Builder::new().name("teardown".into()).spawn(end) {
            // Out of threads: the core's tear-down deadline goes on without us.
            log::error!("cannot start a thread to disconnect a camera: {error}");
        }
    }
}

/// What the tracks of a session share.
#[derive(Clone)]
struct Shared {
    feed: Feed,
    figures: Arc<Figures>,
    timeline: Arc<Mutex<Timeline>>,
}

/// Which tracks of a connection were selected.
struct Tracks {
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

fn source(request: &Request) -> Result<gst::Element, BuildError> {
    let builder = gst::ElementFactory::make("rtspsrc")
        .property("location", request.url.location())
        .property("tcp-timeout", TCP_TIMEOUT_MICROS)
        .property("do-retransmission", false)
        .property("user-agent", concat!("Holdfast/", env!("CARGO_PKG_VERSION")))
        // Timestamps as the camera made them; see `timeline` for how they are held against arrival.
        .property_from_str("buffer-mode", "none")
        .property("max-ts-offset-adjustment", SYNC_STEP_NANOS)
        // The core watches for stalls; rtspsrc's own time-out would retry by itself.
        .property("timeout", 0u64);
    let builder = match request.transport {
        Transport::Tcp => builder.property_from_str("protocols", "tcp").property("latency", 0u32),
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
fn select_streams(source: &gst::Element, tracks: &Arc<Tracks>, report: &Reporter) {
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
fn link_streams(
    source: &gst::Element,
    pipeline: &gst::Pipeline,
    shared: &Shared,
    tracks: &Arc<Tracks>,
    report: &Reporter,
) {
    let pipeline = pipeline.downgrade();
    let shared = shared.clone();
    let (tracks, report) = (Arc::clone(tracks), Arc::clone(report));
    source.connect_pad_added(move |_, pad| {
        let Some(pipeline) = pipeline.upgrade() else { return };
        let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
        let Some(codec) = caps.structure(0).and_then(Codec::of) else { return };
        if let Err(error) = track::link(&pipeline, pad, codec, &shared) {
            log::error!("cannot build the media path for {}: {error}", codec.encoding);
            report(CameraEvent::Failed(Failure::Internal));
        } else if codec.kind == TrackKind::Video {
            report(CameraEvent::Streaming { video: true, audio: tracks.audio.load(Ordering::Acquire) });
        }
    });
}

/// A camera that has sound alone gives rtspsrc nothing to complain of.
fn tell_if_there_is_no_video(source: &gst::Element, tracks: &Arc<Tracks>, report: &Reporter) {
    let tracks = Arc::clone(tracks);
    let report = Arc::clone(report);
    source.connect_no_more_pads(move |_| {
        if !tracks.video.load(Ordering::Acquire) {
            report(CameraEvent::Failed(Failure::NothingRecordable));
        }
    });
}

fn watch_bus(
    pipeline: &gst::Pipeline,
    request: &Request,
    tracks: &Arc<Tracks>,
    report: &Reporter,
    over: &Arc<AtomicBool>,
) -> Result<gst::bus::BusWatchGuard, BuildError> {
    let bus = pipeline.bus().ok_or_else(|| BuildError { what: "a pipeline without a bus".into() })?;
    let (tracks, report) = (Arc::clone(tracks), Arc::clone(report));
    let over = Arc::clone(over);
    let (camera, url) = (request.camera.clone(), request.url.clone());
    bus.add_watch_local(move |_, message| {
        match message.view() {
            gst::MessageView::Eos(_) => report(CameraEvent::Failed(Failure::ServerClosed)),
            gst::MessageView::Error(error) => {
                tell_support(&camera, &url, error);
                match failure::classify(error) {
                    // rtspsrc says the same when it was refused every track (461) as when it wanted none. It
                    // wanted one: what is missing is a common transport.
                    Verdict::Certain(Failure::NothingRecordable) if tracks.video.load(Ordering::Acquire) => {
                        report(CameraEvent::Failed(Failure::UnsupportedTransport));
                    }
                    Verdict::Certain(failure) => report(CameraEvent::Failed(failure)),
                    Verdict::NoConnection => diagnose(&url, &report, &over),
                }
            }
            _ => {}
        }
        ControlFlow::Continue
    })
    .map_err(|error| BuildError { what: error.to_string() })
}

/// GStreamer's own words, for support; what is done about it is decided on the code. They may quote the
/// URL, so where that holds a password they are left out.
fn tell_support(camera: &str, url: &RtspUrl, message: &gst::message::Error) {
    let error = message.error();
    if url.holds_secret() {
        let domain = error.domain();
        log::debug!(CAMERA = camera; "GStreamer reports an error of {}; its text may hold the password of {url}", domain.as_str());
    } else {
        log::debug!(CAMERA = camera; "GStreamer says: {error} ({})", message.debug().unwrap_or_default());
    }
}

/// Finds out on a thread of its own why there was no connection; says nothing if the session has been
/// torn down meanwhile.
fn diagnose(url: &RtspUrl, report: &Reporter, over: &Arc<AtomicBool>) {
    let (url, report, over) = (url.clone(), Arc::clone(report), Arc::clone(over));
    let thread_report = Arc::clone(&report);
    let spawned = thread::Builder::new().name("diagnosis".into()).spawn(move || {
        let failure = failure::diagnose(url.host(), url.port());
        if !over.load(Ordering::Acquire) {
            thread_report(CameraEvent::Failed(failure));
        }
    });
    if spawned.is_err() {
        report(CameraEvent::Failed(Failure::Unknown));
    }
}
