//! RTSP keep-alives: a request now and then, without which many cameras end a session after a minute.
//!
//! rtspsrc before 1.26.7 sends none as long as data comes over TCP. Its action `get-parameters` sends a `GET_PARAMETER`
//! without parameters, which is what RFC 2326 names for it: rtspsrc stops reading between two messages, never within
//! one, sends it, hands on the media that comes before the answer, and gives the answer's status to a promise.
//!
//! A camera that does not know `GET_PARAMETER`, though it offers it, is asked for its `OPTIONS` instead, which every one
//! knows. rtspsrc has no action for that, so the method is changed in the request that it is about to send. Where a camera
//! does not even offer `GET_PARAMETER`, rtspsrc makes no request that could be changed, and none is sent: RTCP's reports
//! have to keep such a session.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use glib::translate::{IntoGlib, ToGlibPtr};
use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_rtsp_sys as ffi;

use super::signs::Signs;

/// How long a session lives by default after the last request (RFC 2326, 12.37); rtspsrc does not tell what the camera
/// said.
pub(super) const SESSION_LIFE: Duration = Duration::from_secs(60);

/// A third of it, so that one that is lost does not end the session. Cameras that say 30 s are served as well.
const PERIOD: Duration = Duration::from_secs(SESSION_LIFE.as_secs() / 3);

/// Sends them until it is dropped.
pub(super) struct KeepAlive {
    timer: glib::Source,
}

impl Drop for KeepAlive {
    fn drop(&mut self) {
        self.timer.destroy();
    }
}

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    GetParameter,
    Options,
}

/// What an answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Taken,
    /// The camera does not know this session, or us, any more: it will end the stream.
    Refused,
    /// The camera does not know this method, or not without parameters. It does not need it, or it cannot be served.
    Unknown,
    /// An error that may pass, or no answer.
    Failed,
}

/// How long an answer is waited for. rtspsrc gives up waiting after 10 s and says so; but it also drops a request without a word
/// where it is told something else at that moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Patience {
    /// Past the time that the next one would be due at.
    Long,
    /// No longer than that.
    Short,
}

/// Where a connection is with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// One is sent when it is time.
    Next(Method),
    /// One was sent, and is not answered: no other is, for a while.
    Asked(Method, Patience),
    /// The camera knows no method that could be asked.
    Silent,
}

impl Turn {
    /// It is time. Whether one is to be sent.
    fn due(&mut self) -> bool {
        match *self {
            Turn::Next(method) | Turn::Asked(method, Patience::Short) => {
                *self = Turn::Asked(method, Patience::Long);
                true
            }
            Turn::Asked(method, Patience::Long) => {
                *self = Turn::Asked(method, Patience::Short);
                false
            }
            Turn::Silent => false,
        }
    }

    fn answered(&mut self, answer: Answer) {
        let Turn::Asked(method, _) = *self else { return };
        *self = match (answer, method) {
            (Answer::Taken | Answer::Refused | Answer::Failed, method) => Turn::Next(method),
            (Answer::Unknown, Method::GetParameter) => Turn::Next(Method::Options),
            (Answer::Unknown, Method::Options) => Turn::Silent,
        };
    }

    fn asks_for_options(self) -> bool {
        match self {
            Turn::Next(method) | Turn::Asked(method, _) => method == Method::Options,
            Turn::Silent => false,
        }
    }
}

/// What the timer, the answers and the requests share.
#[derive(Clone)]
struct Line {
    camera: Arc<str>,
    signs: Arc<Signs>,
    turn: Arc<Mutex<Turn>>,
}

impl Line {
    fn turn(&self) -> MutexGuard<'_, Turn> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answered(&self, answer: Answer) {
        match answer {
            Answer::Taken => self.signs.keep_alive_taken(),
            Answer::Refused => self.signs.keep_alive_refused(),
            Answer::Unknown | Answer::Failed => {}
        }
        let mut turn = self.turn();
        turn.answered(answer);
        if answer != Answer::Taken {
            log::debug!(CAMERA = &*self.camera; "a keep-alive was not taken ({answer:?}): {:?}", *turn);
        }
    }
}

impl KeepAlive {
    /// Begins to send them, on the thread's own main context.
    pub fn start(camera: &str, source: &gst::Element, signs: &Arc<Signs>) -> KeepAlive {
        Self::each(PERIOD, camera, source, signs)
    }

    fn each(period: Duration, camera: &str, source: &gst::Element, signs: &Arc<Signs>) -> KeepAlive {
        let turn = Arc::new(Mutex::new(Turn::Next(Method::GetParameter)));
        let line = Line { camera: camera.into(), signs: Arc::clone(signs), turn };
        let sent = line.clone();
        source.connect("before-send", false, move |values| {
            if let Some(message) = values.get(1)
                && sent.turn().asks_for_options()
            {
                ask_for_options(message);
            }
            Some(true.to_value())
        });
        let source = source.downgrade();
        let beat = move || {
            let Some(source) = source.upgrade() else { return glib::ControlFlow::Break };
            // The lock is not held while it is sent: the answer may be there at once.
            let due = line.signs.is_streaming() && line.turn().due();
            if due {
                send(&source, &line);
            }
            glib::ControlFlow::Continue
        };
        let timer = glib::timeout_source_new(period, Some("keep-alive"), glib::Priority::DEFAULT, beat);
        timer.attach(Some(&glib::MainContext::ref_thread_default()));
        KeepAlive { timer }
    }
}

fn send(source: &gst::Element, line: &Line) {
    let answered = line.clone();
    let promise = gst::Promise::with_change_func(move |reply| {
        let reply = reply.ok().flatten();
        let number = |name| reply.and_then(|reply| reply.get::<i32>(name).ok());
        answered.answered(read(number("rtsp-result"), number("rtsp-code")));
    });
    let parameters: [&str; 0] = [];
    if !source.emit_by_name::<bool>("get-parameters", &[&&parameters[..], &None::<&str>, &promise]) {
        line.answered(Answer::Failed);
    }
}

/// `result`: whether there was an answer (0) at all, or no such request is sent to this camera (-1). `code`: its status.
fn read(result: Option<i32>, code: Option<i32>) -> Answer {
    match (result, code) {
        (Some(0), Some(200..=299)) => Answer::Taken,
        (Some(0), Some(401 | 403 | 454)) => Answer::Refused,
        (Some(0), Some(400 | 405 | 451 | 501 | 551)) | (Some(ffi::GST_RTSP_ERROR), _) => Answer::Unknown,
        (Some(_) | None, _) => Answer::Failed,
    }
}

/// Makes a request for the camera's `OPTIONS` of a `GET_PARAMETER` that rtspsrc is about to send.
fn ask_for_options(message: &glib::Value) {
    // SAFETY: it takes nothing, and may be called at any time.
    let expected = unsafe { ffi::gst_rtsp_msg_get_type() };
    if message.type_().into_glib() != expected {
        return;
    }
    // SAFETY: by its type the value holds a GstRTSPMessage or null. It is the one that rtspsrc sends after this signal, whose
    // handlers are called one after another on the thread that made it: nobody else has it now. `type_` says which part of
    // the union is there; the method is a plain number, and rtspsrc reads it again when it writes the request.
    unsafe {
        let message = glib::gobject_ffi::g_value_get_boxed(message.to_glib_none().0);
        let Some(message) = message.cast::<ffi::GstRTSPMessage>().as_mut() else { return };
        if message.type_ == ffi::GST_RTSP_MESSAGE_REQUEST
            && message.type_data.request.method == ffi::GST_RTSP_GET_PARAMETER
        {
            message.type_data.request.method = ffi::GST_RTSP_OPTIONS;
            // Of parameters that are not there.
            ffi::gst_rtsp_message_remove_header(message, ffi::GST_RTSP_HDR_CONTENT_TYPE, -1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Act, Link, serve};
    use super::*;
    use std::thread;

    #[test]
    fn each_answer_has_its_meaning() {
        let table = [
            ("OK", Some(0), Some(200), Answer::Taken),
            ("session not found", Some(0), Some(454), Answer::Refused),
            ("password refused", Some(0), Some(401), Answer::Refused),
            ("forbidden", Some(0), Some(403), Answer::Refused),
            ("not implemented", Some(0), Some(501), Answer::Unknown),
            ("method not allowed", Some(0), Some(405), Answer::Unknown),
            ("bad request, say some that do not know the method", Some(0), Some(400), Answer::Unknown),
            ("parameter not understood", Some(0), Some(451), Answer::Unknown),
            ("internal error", Some(0), Some(500), Answer::Failed),
            ("busy", Some(0), Some(503), Answer::Failed),
            ("not offered by the camera", Some(-1), Some(200), Answer::Unknown),
            ("no answer in time", Some(-14), Some(200), Answer::Failed),
            ("never answered", None, None, Answer::Failed),
        ];
        for (name, result, code, answer) in table {
            assert_eq!(read(result, code), answer, "{name}");
        }
    }

    #[test]
    fn only_a_method_that_is_not_known_is_not_sent_again() {
        use Answer::{Failed, Refused, Taken, Unknown};
        use Method::{GetParameter, Options};
        let table: [(&str, &[Answer], Turn); 8] = [
            ("all is well", &[Taken, Taken], Turn::Next(GetParameter)),
            ("an odd answer", &[Taken, Failed], Turn::Next(GetParameter)),
            ("odd answers again and again", &[Failed; 9], Turn::Next(GetParameter)),
            ("refused", &[Refused], Turn::Next(GetParameter)),
            ("a method that is not known", &[Unknown], Turn::Next(Options)),
            ("the other one is", &[Unknown, Taken, Taken], Turn::Next(Options)),
            ("the other one has an odd answer", &[Unknown, Failed, Refused], Turn::Next(Options)),
            ("neither is known", &[Unknown, Unknown], Turn::Silent),
        ];
        for (name, answers, expected) in table {
            let mut turn = Turn::Next(GetParameter);
            for answer in answers {
                assert!(turn.due(), "{name}");
                assert!(!turn.due(), "{name}: two at once");
                turn.answered(*answer);
            }
            assert_eq!(turn, expected, "{name}");
        }
    }

    #[test]
    fn one_that_is_never_answered_is_sent_again_after_another_turn() {
        let mut turn = Turn::Next(Method::GetParameter);
        let sent: Vec<bool> = (0..5).map(|_| turn.due()).collect();
        assert_eq!(sent, [true, false, true, false, true]);
        turn.answered(Answer::Unknown);
        assert_eq!(turn, Turn::Next(Method::Options), "the answer still counts");
    }

    #[test]
    fn what_a_camera_is_sent_to_keep_its_session() {
        let (get, options) = ("GET_PARAMETER", "OPTIONS");
        let table = [
            ("all is well", 200, [get, get, get]),
            ("busy", 503, [get, get, get]),
            ("bad request", 400, [get, options, options]),
            ("parameter not understood", 451, [get, options, options]),
            ("session not found", 454, [get, get, get]),
            ("method not allowed", 405, [get, options, options]),
            ("not implemented", 501, [get, options, options]),
        ];
        let rows =
            table.map(|(name, status, expected)| thread::spawn(move || is_sent(name, status, expected)));
        rows.into_iter().for_each(|row| row.join().unwrap());
    }

    /// What a camera is sent that answers each of them so. A second between them: an answer takes that long on no machine.
    fn is_sent(name: &str, status: u16, expected: [&str; 3]) {
        let get = "GET_PARAMETER";
        let server = serve((get, Act::Answer(status)));
        let link = Link::to(&server.url());
        let session = link.start().unwrap();
        let source = session.pipeline.iterate_elements().find(|element| element.has_property("location"));
        let source = source.unwrap();
        let signs = Arc::new(Signs::new(false));
        // As with its first packet.
        signs.streaming();
        let every = || KeepAlive::each(Duration::from_secs(1), name, &source, &signs);
        let played = || server.heard().iter().position(|request| request.starts_with("PLAY "));
        let played = link.until("PLAY", played);
        let keep_alive = link.context.with_thread_default(every).unwrap();
        let sent = || server.heard().get(played + 1..played + 4).map(<[String]>::to_vec);
        let sent = link.until("three keep-alives", sent);
        let methods: Vec<_> = sent.iter().filter_map(|request| request.split(' ').next()).collect();
        assert_eq!(methods, expected, "{name}");
        for request in sent {
            assert!(request.contains("\r\nSession: 1\r\n"), "{name}: {request}");
            let of_parameters = request.contains("Content-Type: text/parameters");
            assert_eq!(of_parameters, request.starts_with(get), "{name}: {request}");
        }
        drop(keep_alive);
        session.tear_down(link.reporter());
        link.until_torn_down();
    }
}
