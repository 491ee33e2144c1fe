//! The messages of a session's pipeline, and what they are reported as.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use glib::ControlFlow;
use gstreamer as gst;
use gstreamer::prelude::*;
use holdfast_core::event::{CameraEvent, Failure};

use super::failure::{self, Verdict};
use super::figures::Figures;
use super::signs::{self, Circumstances, Signs};
use super::source::Tracks;
use super::{BuildError, Reporter, buffering};
use crate::config::RtspUrl;

/// Where a sender said BYE, another may go on in the same session: encoders that begin anew do so at once. A camera
/// of less than a frame in this time would be taken for one that ended.
const LAST_WORD: Duration = Duration::from_secs(2);

/// What a session's messages are read with. Cheap to clone.
#[derive(Clone)]
pub(super) struct Watch {
    /// The camera's name.
    pub camera: String,
    /// Where its stream is.
    pub url: RtspUrl,
    /// Which tracks were chosen.
    pub tracks: Arc<Tracks>,
    /// What came.
    pub figures: Arc<Figures>,
    /// What else was noticed.
    pub signs: Arc<Signs>,
    /// Where failures go.
    pub report: Reporter,
    /// The session has been torn down.
    pub over: Arc<AtomicBool>,
}

impl Watch {
    /// Reads the pipeline's messages on the thread's own main context. `kind` is known once the pipeline plays.
    pub fn messages(
        self,
        pipeline: &gst::Pipeline,
        kind: Rc<Cell<buffering::Kind>>,
    ) -> Result<gst::bus::BusWatchGuard, BuildError> {
        let bus = pipeline.bus().ok_or_else(|| BuildError { what: "a pipeline without a bus".into() })?;
        let pipeline = pipeline.downgrade();
        bus.add_watch_local(move |_, message| {
            match message.view() {
                gst::MessageView::Error(error) => self.fail(error),
                gst::MessageView::Eos(_) => self.end(),
                gst::MessageView::Warning(warning) => self.warned(warning),
                gst::MessageView::Buffering(buffering) => {
                    let mut now = kind.get();
                    let wanted = now.filled(buffering.percent());
                    kind.set(now);
                    if let (Some(state), Some(pipeline)) = (wanted, pipeline.upgrade())
                        && pipeline.set_state(state).is_err()
                    {
                        (self.report)(CameraEvent::Failed(Failure::Internal));
                    }
                }
                _ => {}
            }
            ControlFlow::Continue
        })
        .map_err(|error| BuildError { what: error.to_string() })
    }

    /// The stream may have ended: so it has, if no video comes any more. May be called on any thread; it is told on
    /// `context`.
    pub fn may_be_over(&self, context: &glib::MainContext) {
        let (watch, since) = (self.clone(), signs::now());
        let look = move || {
            let goes_on = watch.figures.last_video().is_some_and(|last| last > since);
            if !goes_on && !watch.over.load(Ordering::Acquire) {
                (watch.report)(CameraEvent::Failed(failure::broken_off(&watch.seen())));
            }
            ControlFlow::Break
        };
        glib::timeout_source_new(LAST_WORD, Some("last word"), glib::Priority::DEFAULT, look)
            .attach(Some(context));
    }

    fn seen(&self) -> Circumstances {
        self.signs.so_far(self.tracks.has_video(), self.figures.last_video())
    }

    fn fail(&self, error: &gst::message::Error) {
        tell_support(&self.camera, &self.url, error);
        match failure::classify(error, &self.seen()) {
            Verdict::Certain(failure) => (self.report)(CameraEvent::Failed(failure)),
            Verdict::NoConnection => (self.report)(CameraEvent::NoConnection),
        }
    }

    /// All tracks have ended. After a BYE this may be its consequence, and another sender may go on.
    fn end(&self) {
        let seen = self.seen();
        if !seen.bye {
            (self.report)(CameraEvent::Failed(failure::broken_off(&seen)));
        }
    }

    /// rtspsrc warns when the connection is closed; before any media has come it says no more. It also warns of a packet
    /// that is too short, so that alone proves nothing.
    fn warned(&self, warning: &gst::message::Warning) {
        let seen = self.seen();
        if seen.bye {
            (self.report)(CameraEvent::Failed(failure::broken_off(&seen)));
        } else if warning.error().kind() == Some(gst::ResourceError::Read) {
            self.may_be_over(&glib::MainContext::ref_thread_default());
        }
    }

    /// Finds out on a thread of its own why there was no connection; says nothing if the session has been
    /// torn down meanwhile.
    pub fn diagnose(&self) {
        let watch = self.clone();
        let spawned = thread::Builder::new().name("diagnosis".into()).spawn(move || {
            let (host, port) = (watch.url.host(), watch.url.port());
            let failure = failure::diagnose(host, port, watch.url.is_tls());
            if !watch.over.load(Ordering::Acquire) {
                (watch.report)(CameraEvent::Failed(failure));
            }
        });
        if let Err(error) = spawned {
            (self.report)(CameraEvent::Failed(failure::from_io(&error)));
        }
    }
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
