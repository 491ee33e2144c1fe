//! What a session notices beside the messages of its pipeline, for telling what a failure means.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use holdfast_core::time::Mono;

use super::keep_alive::SESSION_LIFE;

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
    /// The camera refused a keep-alive, and none since, so short ago that it may end the session for that.
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
    /// The first one that was refused since one was taken.
    keep_alive_refused: AtomicU64,
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

    /// The camera refused a keep-alive. Of several in a row the first counts: a camera that plays on for a session's life
    /// after it does not end the session for that.
    pub fn keep_alive_refused(&self) {
        let now = now().as_nanos();
        // One that is known already stays.
        let _ = self.keep_alive_refused.compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// The camera took a keep-alive.
    pub fn keep_alive_taken(&self) {
        self.keep_alive_refused.store(0, Ordering::Relaxed);
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
        self.up_to(now(), video_wanted, last_video)
    }

    fn up_to(&self, now: Mono, video_wanted: bool, last_video: Option<Mono>) -> Circumstances {
        let at = |moment: &AtomicU64| match moment.load(Ordering::Relaxed) {
            0 => None,
            nanos => Some(Mono::from_nanos(nanos)),
        };
        let waiting = at(&self.requested).filter(|_| last_video.is_none()).map(|at| now.since(at));
        Circumstances {
            tls: self.tls,
            certificate_refused: self.certificate_refused.load(Ordering::Relaxed),
            waiting,
            video_wanted,
            bye: at(&self.bye).is_some_and(|bye| last_video.is_none_or(|last| last <= bye)),
            keep_alive_refused: at(&self.keep_alive_refused).is_some_and(|at| now.since(at) <= SESSION_LIFE),
        }
    }
}

/// The clock of every pipeline.
pub(super) fn now() -> Mono {
    Mono::from_nanos(gst::SystemClock::obtain().time().nseconds())
}

#[cfg(test)]
mod tests {
    use super::*;

    type Noticed = fn(&Signs);

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_refused_keep_alive_is_believed_for_a_sessions_life_and_no_longer() {
        gst::init().unwrap();
        let refuse: Noticed = Signs::keep_alive_refused;
        let take: Noticed = Signs::keep_alive_taken;
        // Then: how long after the last of these the connection ends.
        let table: [(&str, &[Noticed], Duration, bool); 8] = [
            ("none was sent", &[], SECOND, false),
            ("one was taken", &[take], SECOND, false),
            ("one was refused just now", &[refuse], Duration::ZERO, true),
            ("it ends within a session's life", &[refuse], 59 * SECOND, true),
            ("it plays on for longer", &[refuse], 62 * SECOND, false),
            ("it plays on for hours", &[refuse], 7200 * SECOND, false),
            ("another one was taken after it", &[refuse, take], SECOND, false),
            ("and the next one was refused", &[refuse, take, refuse], SECOND, true),
        ];
        for (name, answers, after, believed) in table {
            let signs = Signs::new(false);
            answers.iter().for_each(|answer| answer(&signs));
            let seen = signs.up_to(now() + after, true, Some(now()));
            assert_eq!(seen.keep_alive_refused, believed, "{name}");
        }
    }

    #[test]
    fn of_keep_alives_that_are_refused_in_a_row_the_first_counts() {
        gst::init().unwrap();
        let signs = Signs::new(false);
        signs.keep_alive_refused();
        let first = signs.keep_alive_refused.load(Ordering::Relaxed);
        signs.keep_alive_refused();
        assert_eq!(signs.keep_alive_refused.load(Ordering::Relaxed), first);
    }
}
