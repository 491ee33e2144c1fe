//! What is answered in a camera's place: a status, garbage, nothing, an end, another description.
//!
//! A [`crate::proxy::Proxy`] follows it: a request that a step names never reaches the camera, all others do. So a camera
//! can be one that refuses at a certain step, with real video up to there.

use crate::proxy::header;

/// What is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// This status, with nothing else.
    Status(u16),
    /// This status with these header lines, each with its line end.
    StatusWith(u16, &'static str),
    /// Bytes that are no text.
    Garbage,
    /// A status line that is none of RTSP.
    Nonsense,
    /// Nothing, for ever.
    Silence,
    /// The connection ends.
    HangUp,
    /// 200, with this session description.
    Description(&'static str),
}

/// A challenge: a client with a password tries it.
pub const CHALLENGE: &str = "WWW-Authenticate: Basic realm=\"camera\"\r\n";

/// A session description without video. What it calls sound is the first track of a virtual camera.
pub const SOUND_ALONE: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=camera\r\nt=0 0\r\nm=audio 0 RTP/AVP 8\r\n\
     a=rtpmap:8 PCMA/8000\r\na=control:stream=0\r\n";

/// One whose video nobody knows.
pub const UNKNOWN_CODEC: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=camera\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\n\
     a=rtpmap:96 X-STRANGE/90000\r\na=control:track1\r\n";

/// Which requests are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// All of that method.
    Always,
    /// Those with a `Session` header: OPTIONS and GET_PARAMETER are keep-alives then.
    InSession,
}

/// What a proxy is to do with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// These bytes are the answer.
    Say(Vec<u8>),
    /// There is none.
    Nothing,
    /// The connection ends.
    HangUp,
}

/// See the module. Default: the camera answers all.
#[derive(Clone, Debug, Default)]
pub struct Script {
    steps: Vec<(&'static str, When, Answer)>,
    rewrites: Vec<(&'static str, &'static str)>,
}

impl Script {
    /// One step alone.
    pub fn at(method: &'static str, answer: Answer) -> Self {
        Script::default().and(method, When::Always, answer)
    }

    /// With this step too; an empty method is any. The first that fits is followed.
    pub fn and(mut self, method: &'static str, when: When, answer: Answer) -> Self {
        self.steps.push((method, when, answer));
        self
    }

    /// With each response of the camera changed: `from` becomes `to`. Not in a body, whose length is told.
    pub fn rewrite(mut self, from: &'static str, to: &'static str) -> Self {
        self.rewrites.push((from, to));
        self
    }

    /// What is to be done with a request; `None` if the camera is to answer it.
    pub fn reply(&self, request: &[u8]) -> Option<Reply> {
        let fits = |(method, when, _): &&(&'static str, When, Answer)| {
            let rest = request.strip_prefix(method.as_bytes());
            let named = rest.is_some_and(|rest| method.is_empty() || rest.first() == Some(&b' '));
            named && (*when == When::Always || header(request, "Session").is_some())
        };
        let (_, _, answer) = self.steps.iter().find(fits)?;
        let number = header(request, "CSeq").unwrap_or_default();
        let say = |status: u16, more: String| {
            let text = format!("RTSP/1.0 {status} {}\r\nCSeq: {number}\r\n{more}", reason(status));
            Some(Reply::Say(text.into_bytes()))
        };
        match answer {
            Answer::Status(status) => say(*status, "\r\n".to_owned()),
            Answer::StatusWith(status, headers) => say(*status, format!("{headers}\r\n")),
            Answer::Nonsense => Some(Reply::Say(b"220 mail.example ESMTP\r\n\r\n".to_vec())),
            Answer::Garbage => Some(Reply::Say(b"\x00\x01no RTSP at all\xff\xfe\r\n\r\n".repeat(8))),
            Answer::Silence => Some(Reply::Nothing),
            Answer::HangUp => Some(Reply::HangUp),
            Answer::Description(text) => {
                let size = text.len();
                say(200, format!("Content-Type: application/sdp\r\nContent-Length: {size}\r\n\r\n{text}"))
            }
        }
    }

    /// A response of the camera as the client is to see it.
    pub fn rewritten(&self, message: Vec<u8>) -> Vec<u8> {
        if self.rewrites.is_empty() {
            return message;
        }
        let text = String::from_utf8_lossy(&message);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let head = self.rewrites.iter().fold(head.to_owned(), |head, (from, to)| head.replace(from, to));
        format!("{head}\r\n\r\n{body}").into_bytes()
    }
}

/// A status in words (RFC 2326, section 7.1.1): what a client shows, and never what it decides by.
fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        410 => "Gone",
        453 => "Not Enough Bandwidth",
        454 => "Session Not Found",
        461 => "Unsupported Transport",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        _ => "Status",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_answers_its_method_and_no_other() {
        let keep_alive: &[u8] = b"OPTIONS rtsp://a/ RTSP/1.0\r\nCSeq: 9\r\nSession: 1234\r\n\r\n";
        let options: &[u8] = b"OPTIONS rtsp://a/ RTSP/1.0\r\nCSeq: 1\r\n\r\n";
        let describe: &[u8] = b"DESCRIBE rtsp://a/ RTSP/1.0\r\nCSeq: 2\r\n\r\n";
        let say = |text: &str| Some(Reply::Say(text.as_bytes().to_vec()));
        let script =
            Script::at("DESCRIBE", Answer::Status(404)).and("OPTIONS", When::InSession, Answer::Status(454));
        let cases = [
            ("its method", describe, say("RTSP/1.0 404 Not Found\r\nCSeq: 2\r\n\r\n")),
            ("another method", b"SETUP rtsp://a/ RTSP/1.0\r\nCSeq: 3\r\n\r\n", None),
            ("a method that begins so", b"DESCRIBED rtsp://a/ RTSP/1.0\r\nCSeq: 3\r\n\r\n", None),
            ("before the session", options, None),
            ("in the session", keep_alive, say("RTSP/1.0 454 Session Not Found\r\nCSeq: 9\r\n\r\n")),
        ];
        for (name, request, expected) in cases {
            assert_eq!(script.reply(request), expected, "{name}");
        }
    }

    #[test]
    fn only_the_head_of_a_response_is_rewritten() {
        let script = Script::default().rewrite("timeout=60", "timeout=6");
        let response = b"RTSP/1.0 200 OK\r\nSession: 1;timeout=60\r\n\r\ntimeout=60".to_vec();
        let expected = b"RTSP/1.0 200 OK\r\nSession: 1;timeout=6\r\n\r\ntimeout=60".to_vec();
        assert_eq!(script.rewritten(response), expected);
    }
}
