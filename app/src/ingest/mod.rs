//! RTSP to access units: one GStreamer pipeline per camera and connection.
//!
//! Words: a **session** is one connection's pipeline, from [`Session::start`] to [`Session::tear_down`].
//!
//! It reports facts ([`CameraEvent`]) and pushes access units into the camera's ring; it never retries,
//! never waits for a disk, and leaves every judgement to the core. Access units are pushed on the
//! streaming threads of GStreamer; messages arrive on the loop's main context.

mod branch;
mod buffering;
mod codecs;
mod departures;
mod failure;
mod figures;
mod formats;
mod keep_alive;
mod payload;
mod shared;
mod signs;
mod soundness;
mod source;
mod timeline;
mod track;
mod watch;

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use gstreamer as gst;
use gstreamer::prelude::*;
use holdfast_core::event::{CameraEvent, Failure};
use holdfast_core::settings::Transport;

pub use codecs::missing_elements;
pub use departures::Departures;
pub use figures::Figures;
pub use soundness::is_sound;

use crate::config::{RtspUrl, Secret};
use crate::ring::Feed;
use branch::Slot;
use departures::Departure;
use keep_alive::KeepAlive;
use shared::Shared;
use signs::Signs;
use source::Tracks;
use watch::Watch;

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
    /// Earlier connections of the same link that are not gone yet.
    pub departures: Departures,
}

/// Tells the loop what happened. Called from any thread.
pub type Reporter = Arc<dyn Fn(CameraEvent) + Send + Sync>;

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
    keep_alive: KeepAlive,
    shared: Shared,
    video: Slot,
    report: Reporter,
    over: Arc<AtomicBool>,
    departures: Departures,
    /// What a diagnosis is made with.
    doctor: Watch,
}

impl Session {
    /// Builds the pipeline and begins to connect. `Streaming`, `NoConnection` or `Failed` is reported later. Media goes into
    /// `feed`.
    pub fn start(request: &Request, feed: Feed, report: Reporter) -> Result<Self, BuildError> {
        request.departures.allow()?;
        let pipeline = gst::Pipeline::with_name(&format!("camera-{}", request.camera));
        // One clock for every camera and for the core: CLOCK_MONOTONIC. A network clock that rtspsrc may
        // offer would make access units of two cameras incomparable.
        pipeline.use_clock(Some(&gst::SystemClock::obtain()));
        let source = source::source(request)?;
        pipeline.add(&source).map_err(|error| BuildError { what: error.to_string() })?;

        let shared = Shared::new(&request.camera, feed);
        let (video, over) = (Slot::default(), Arc::default());
        let tracks = Arc::new(Tracks::new(request.audio));
        let signs = Arc::new(Signs::new(request.url.is_tls()));
        let watch = Watch {
            camera: request.camera.clone(),
            url: request.url.clone(),
            tracks: Arc::clone(&tracks),
            figures: Arc::clone(&shared.figures),
            signs: Arc::clone(&signs),
            report: Arc::clone(&report),
            over: Arc::clone(&over),
        };
        source::select_streams(&source, &tracks, &report);
        source::link_streams(&source, &pipeline, &shared, &video, &tracks, &signs, &report);
        source::tell_if_there_is_no_video(&source, &tracks, &report);
        let (bye, context) = (watch.clone(), glib::MainContext::ref_thread_default());
        source::notice(&source, &signs, move || bye.may_be_over(&context));

        let keep_alive = KeepAlive::start(&request.camera, &source, &signs);
        let kind = Rc::new(Cell::new(buffering::Kind::Live));
        let doctor = watch.clone();
        let watch = watch.messages(&pipeline, Rc::clone(&kind))?;
        match buffering::play(&pipeline) {
            Ok(played) => kind.set(played),
            Err(_) => report(CameraEvent::Failed(Failure::Internal)),
        }
        Ok(Session {
            camera: request.camera.clone(),
            pipeline,
            watch,
            keep_alive,
            shared,
            video,
            report,
            over,
            departures: request.departures.clone(),
            doctor,
        })
    }

    /// Finds out, by a connection that says nothing, why this one could not be had: `Failed` is reported later, or nothing if
    /// the session is torn down first.
    pub fn diagnose(&self) {
        self.doctor.diagnose();
    }

    /// The session's figures.
    pub fn figures(&self) -> &Arc<Figures> {
        &self.shared.figures
    }

    /// Drops what comes until the next keyframe, and begins the connection's time anew. The connection goes on.
    pub fn resume(&self) {
        let mut timeline = self.shared.timeline();
        self.shared.drop_until_keyframe();
        timeline.begin_anew();
    }

    /// Puts new elements behind rtspsrc's video pad. The connection and the sound go on; the picture does from its next
    /// keyframe.
    pub fn rebuild_branch(&self) -> Result<(), BuildError> {
        branch::rebuild(&self.pipeline, &self.video, &self.shared, &self.report)
    }

    /// Ends the session on a thread of its own, since joining rtspsrc's task has no time-out, and
    /// reports `TornDown` when it is done. What already reached the ring stays there.
    pub fn tear_down(self, report: Reporter) {
        self.tear_down_on(thread::Builder::new().name("teardown".into()), report);
    }

    fn tear_down_on(self, thread: thread::Builder, report: Reporter) {
        let Session { camera, pipeline, watch, keep_alive, shared, over, departures, .. } = self;
        over.store(true, Ordering::Release);
        drop(watch);
        drop(keep_alive);
        let end = {
            let camera = camera.clone();
            move |pipeline: &gst::Pipeline, departure: Option<Departure>| {
                if pipeline.set_state(gst::State::Null).is_err() {
                    log::warn!(CAMERA = camera.as_str(); "the media pipeline did not stop in good order; it is dropped");
                }
                shared.end();
                // Before it is told: the next connection may be the answer.
                drop(departure);
                report(CameraEvent::TornDown);
            }
        };
        let on_a_thread = {
            let (end, pipeline, departure) = (end.clone(), pipeline.clone(), departures.begin());
            move || end(&pipeline, Some(departure))
        };
        if let Err(error) = thread.spawn(on_a_thread) {
            log::error!(
                CAMERA = camera.as_str();
                "cannot start a thread to disconnect: {error}; one of GStreamer's own does it, as soon as there is one"
            );
            // Until then the core's tear-down deadline goes on without us.
            pipeline.call_async(move |pipeline| end(pipeline, None));
        }
    }
}

#[cfg(test)]
mod tests;
