//! RTSP keep-alives: a request now and then, without which many cameras end a session after a minute.
//!
//! rtspsrc before 1.26.7 sends none as long as data comes over TCP. Its action `get-parameters` sends a `GET_PARAMETER`
//! without parameters, which is what RFC 2326 names for it: rtspsrc stops reading between two messages, never within
//! one, sends it, hands on the media that comes before the answer, and gives the answer's status to a promise.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;

use super::signs::Signs;

/// A third of the 60 s that a session lives by default (RFC 2326, 12.37), so that one that is lost does not end it;
/// rtspsrc does not tell what the camera said. Cameras that say 30 s are served as well.
const PERIOD: Duration = Duration::from_secs(20);

/// Sends them until it is dropped.
pub(super) struct KeepAlive {
    timer: glib::Source,
}

impl Drop for KeepAlive {
    fn drop(&mut self) {
        self.timer.destroy();
    }
}

/// What an answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Taken,
    /// The camera does not know this session, or us, any more: it will end the stream.
    Refused,
    /// The camera does not know this request. It does not need it, or it cannot be served.
    Unknown,
}

impl KeepAlive {
    /// Begins to send them, on the thread's own main context.
    pub fn start(source: &gst::Element, signs: &Arc<Signs>) -> KeepAlive {
        Self::each(PERIOD, source, signs)
    }

    fn each(period: Duration, source: &gst::Element, signs: &Arc<Signs>) -> KeepAlive {
        let (source, signs) = (source.downgrade(), Arc::clone(signs));
        // While one is not answered, and once one was answered with an error, none is sent.
        let silent = Arc::new(AtomicBool::new(false));
        let beat = move || {
            let Some(source) = source.upgrade() else { return glib::ControlFlow::Break };
            if signs.is_streaming() && !silent.swap(true, Ordering::AcqRel) {
                send(&source, &signs, &silent);
            }
            glib::ControlFlow::Continue
        };
        let timer = glib::timeout_source_new(period, Some("keep-alive"), glib::Priority::DEFAULT, beat);
        timer.attach(Some(&glib::MainContext::ref_thread_default()));
        KeepAlive { timer }
    }
}

fn send(source: &gst::Element, signs: &Arc<Signs>, silent: &Arc<AtomicBool>) {
    let (signs, silent) = (Arc::clone(signs), Arc::clone(silent));
    let promise = gst::Promise::with_change_func(move |reply| {
        let reply = reply.ok().flatten();
        let number = |name| reply.and_then(|reply| reply.get::<i32>(name).ok());
        match read(number("rtsp-result"), number("rtsp-code")) {
            Answer::Taken => silent.store(false, Ordering::Release),
            Answer::Refused => signs.keep_alive_refused(),
            Answer::Unknown => {}
        }
    });
    let parameters: [&str; 0] = [];
    let sent = source.emit_by_name::<bool>("get-parameters", &[&&parameters[..], &None::<&str>, &promise]);
    if !sent {
        log::debug!("a keep-alive could not be sent");
    }
}

/// `result`: whether there was an answer (0) at all. `code`: its status.
fn read(result: Option<i32>, code: Option<i32>) -> Answer {
    match (result, code) {
        (Some(0), Some(200..=299)) => Answer::Taken,
        (Some(0), Some(401 | 403 | 454)) => Answer::Refused,
        // 501, 405 and their like; an error that passes is not worth a session.
        (Some(_) | None, _) => Answer::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_answer_has_its_meaning() {
        let table = [
            ("OK", Some(0), Some(200), Answer::Taken),
            ("session not found", Some(0), Some(454), Answer::Refused),
            ("password refused", Some(0), Some(401), Answer::Refused),
            ("forbidden", Some(0), Some(403), Answer::Refused),
            ("not implemented", Some(0), Some(501), Answer::Unknown),
            ("method not allowed", Some(0), Some(405), Answer::Unknown),
            ("parameter not understood", Some(0), Some(451), Answer::Unknown),
            ("not offered by the camera", Some(-1), Some(200), Answer::Unknown),
            ("never answered", None, None, Answer::Unknown),
        ];
        for (name, result, code, answer) in table {
            assert_eq!(read(result, code), answer, "{name}");
        }
    }
}
