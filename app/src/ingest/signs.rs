//! What a session notices beside the messages of its pipeline, for telling what a failure means.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use holdfast_core::time::Mono;

/// What was noticed, at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Circumstances {
    /// The URL asks for TLS.
    pub tls: bool,
    /// GLib would not take the camera's certificate.
    pub certificate_refused: bool,
    /// How long ago the last request was sent, if one was and no video has come since the connection began.
    pub waiting: Option<Duration>,
    /// A video track that can be recorded was found in the description.
    pub video_wanted: bool,
    /// The camera said BYE, and no video has come since.
    pub bye: bool,
    /// The camera refused a keep-alive.
    pub keep_alive_refused: bool,
}

/// Collects them, on whatever thread they are noticed.
#[derive(Debug, Default)]
pub(super) struct Signs {
    tls: bool,
    certificate_refused: AtomicBool,
    /// Moments; 0 for never.
    requested: AtomicU64,
    bye: AtomicU64,
    keep_alive_refused: AtomicBool,
    streaming: AtomicBool,
}

impl Signs {
    /// Of a session that has noticed nothing yet.
    pub fn new(tls: bool) -> Self {
        Signs { tls, ..Signs::default() }
    }

    /// GLib would not take the camera's certificate.
    pub fn certificate_refused(&self) {
        self.certificate_refused.store(true, Ordering::Relaxed);
    }

    /// A request is sent.
    pub fn requested(&self) {
        self.requested.store(now().as_nanos(), Ordering::Relaxed);
    }

    /// The camera said BYE.
    pub fn bye(&self) {
        self.bye.store(now().as_nanos(), Ordering::Relaxed);
    }

    /// The camera refused a keep-alive.
    pub fn keep_alive_refused(&self) {
        self.keep_alive_refused.store(true, Ordering::Relaxed);
    }

    /// Media comes.
    pub fn streaming(&self) {
        self.streaming.store(true, Ordering::Relaxed);
    }

    /// Whether media comes.
    pub fn is_streaming(&self) -> bool {
        self.streaming.load(Ordering::Relaxed)
    }

    /// What was noticed so far. `last_video`: when video came last.
    pub fn so_far(&self, video_wanted: bool, last_video: Option<Mono>) -> Circumstances {
        let at = |moment: &AtomicU64| match moment.load(Ordering::Relaxed) {
            0 => None,
            nanos => Some(Mono::from_nanos(nanos)),
        };
        let waiting = at(&self.requested).filter(|_| last_video.is_none()).map(|at| now().since(at));
        Circumstances {
            tls: self.tls,
            certificate_refused: self.certificate_refused.load(Ordering::Relaxed),
            waiting,
            video_wanted,
            bye: at(&self.bye).is_some_and(|bye| last_video.is_none_or(|last| last <= bye)),
            keep_alive_refused: self.keep_alive_refused.load(Ordering::Relaxed),
        }
    }
}

/// The clock of every pipeline.
pub(super) fn now() -> Mono {
    Mono::from_nanos(gst::SystemClock::obtain().time().nseconds())
}
