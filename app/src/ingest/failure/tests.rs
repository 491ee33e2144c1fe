//! Every failure of a connection from what tells of it. What rtspsrc really says is asked in `ingest/tests.rs`.

use std::net::TcpListener;

use super::*;

fn message(
    code: impl gst::MessageErrorDomain + Copy,
    status: Option<u32>,
    details: &str,
    from_rtspsrc: bool,
) -> gst::Message {
    gst::init().unwrap();
    let name = if from_rtspsrc { "rtspsrc" } else { "fakesink" };
    let source = gst::ElementFactory::make(name).build().unwrap();
    let builder = gst::message::Error::builder(code, "words that change").debug(details).src(&source);
    match status {
        Some(status) => builder
            .details(gst::Structure::builder("details").field("rtsp-status-code", status).build())
            .build(),
        None => builder.build(),
    }
}

fn judged(message: &gst::Message, seen: Circumstances) -> Verdict {
    let gst::MessageView::Error(error) = message.view() else { unreachable!() };
    classify(error, &seen)
}

#[test]
fn each_message_has_its_failure() {
    use gst::{CoreError, LibraryError, ResourceError, StreamError};
    let nothing = Circumstances::default();
    let waited = Circumstances { waiting: Some(TCP_TIMEOUT), ..nothing };
    let asked = Circumstances { waiting: Some(Duration::from_millis(20)), ..nothing };
    let chosen = Circumstances { video_wanted: true, ..nothing };
    let bye = Circumstances { bye: true, ..nothing };
    let refused = Circumstances { keep_alive_refused: true, bye: true, ..nothing };
    let certificate = Circumstances { certificate_refused: true, tls: true, ..nothing };
    let rtspsrc = |code: ResourceError, status| message(code, status, "", true);
    let setup = |details| message(ResourceError::Write, None, details, true);
    let certain = Verdict::Certain;
    let table = [
        ("401", rtspsrc(ResourceError::NotAuthorized, Some(401)), nothing, certain(Failure::Unauthorized)),
        (
            "401 without a status",
            rtspsrc(ResourceError::NotAuthorized, None),
            nothing,
            certain(Failure::Unauthorized),
        ),
        ("403", rtspsrc(ResourceError::Read, Some(403)), nothing, certain(Failure::Forbidden)),
        ("404", rtspsrc(ResourceError::NotFound, Some(404)), nothing, certain(Failure::NotFound)),
        ("410", rtspsrc(ResourceError::Read, Some(410)), nothing, certain(Failure::NotFound)),
        ("453", rtspsrc(ResourceError::Read, Some(453)), nothing, certain(Failure::SessionLimit)),
        ("454", rtspsrc(ResourceError::Read, Some(454)), nothing, certain(Failure::SessionLimit)),
        ("503", rtspsrc(ResourceError::Read, Some(503)), nothing, certain(Failure::ServiceUnavailable)),
        (
            "a way to log in that is not known",
            rtspsrc(ResourceError::OpenRead, None),
            asked,
            certain(Failure::Unauthorized),
        ),
        (
            "453 to SETUP",
            setup("f.c(1): g ():\nError (453): Bandwidth"),
            chosen,
            certain(Failure::SessionLimit),
        ),
        (
            "503 to SETUP",
            setup("f.c(1): g ():\nFehler (503): Dienst"),
            chosen,
            certain(Failure::ServiceUnavailable),
        ),
        (
            "a line number is no status",
            setup("f.c(503): g ():\nCould not send"),
            chosen,
            certain(Failure::ServerClosed),
        ),
        ("no connection", rtspsrc(ResourceError::OpenReadWrite, None), nothing, Verdict::NoConnection),
        ("a certificate", rtspsrc(ResourceError::OpenReadWrite, None), certificate, certain(Failure::Tls)),
        ("closed", rtspsrc(ResourceError::Read, None), asked, certain(Failure::ServerClosed)),
        (
            "closed while a request is sent",
            rtspsrc(ResourceError::Write, None),
            asked,
            certain(Failure::ServerClosed),
        ),
        ("no answer", rtspsrc(ResourceError::Read, None), waited, certain(Failure::ConnectTimeout)),
        ("closed after BYE", rtspsrc(ResourceError::Read, None), bye, certain(Failure::Bye)),
        (
            "closed after a refused keep-alive",
            rtspsrc(ResourceError::Read, None),
            refused,
            certain(Failure::KeepAliveRefused),
        ),
        (
            "a description without tracks",
            rtspsrc(ResourceError::Settings, None),
            nothing,
            certain(Failure::NothingRecordable),
        ),
        (
            "no transport",
            rtspsrc(ResourceError::Settings, None),
            chosen,
            certain(Failure::UnsupportedTransport),
        ),
        (
            "nothing chosen",
            message(StreamError::CodecNotFound, None, "", true),
            nothing,
            certain(Failure::NothingRecordable),
        ),
        (
            "461 to each",
            message(StreamError::CodecNotFound, None, "", true),
            chosen,
            certain(Failure::UnsupportedTransport),
        ),
        ("undecodable", message(StreamError::Decode, None, "", false), nothing, certain(Failure::Garbage)),
        ("broken data", message(StreamError::Format, None, "", false), nothing, certain(Failure::Garbage)),
        (
            "nobody takes the data",
            message(StreamError::Failed, None, "", true),
            nothing,
            certain(Failure::Internal),
        ),
        (
            "a missing element",
            message(CoreError::MissingPlugin, None, "", true),
            nothing,
            certain(Failure::Internal),
        ),
        (
            "an element's library",
            message(LibraryError::Init, None, "", false),
            nothing,
            certain(Failure::Internal),
        ),
        (
            "a port of this machine",
            message(ResourceError::OpenRead, None, "", false),
            nothing,
            certain(Failure::Internal),
        ),
        ("what no rule names", rtspsrc(ResourceError::Busy, None), nothing, certain(Failure::Unknown)),
    ];
    for (name, message, seen, verdict) in table {
        assert_eq!(judged(&message, seen), verdict, "{name}");
    }
}

#[test]
fn each_status_has_its_failure() {
    let table = [
        (200, None),
        (401, Some(Failure::Unauthorized)),
        (403, Some(Failure::Forbidden)),
        (404, Some(Failure::NotFound)),
        (408, Some(Failure::ConnectTimeout)),
        (410, Some(Failure::NotFound)),
        (453, Some(Failure::SessionLimit)),
        (454, Some(Failure::SessionLimit)),
        (461, Some(Failure::UnsupportedTransport)),
        (500, Some(Failure::ServiceUnavailable)),
        (503, Some(Failure::ServiceUnavailable)),
        (551, Some(Failure::ServiceUnavailable)),
    ];
    for (status, failure) in table {
        assert_eq!(from_status(status), failure, "RTSP {status}");
    }
}

#[test]
fn each_errno_has_its_failure() {
    let table = [
        (libc::ECONNREFUSED, Failure::Refused),
        (libc::ETIMEDOUT, Failure::ConnectTimeout),
        (libc::EHOSTUNREACH, Failure::Unreachable),
        (libc::ENETUNREACH, Failure::Unreachable),
        (libc::ENETDOWN, Failure::Unreachable),
        (libc::ECONNRESET, Failure::ServerClosed),
        (libc::ENOMEM, Failure::OutOfMemory),
        (libc::ENOBUFS, Failure::OutOfMemory),
        (libc::EAGAIN, Failure::OutOfMemory),
        (libc::EMFILE, Failure::Internal),
        (libc::EXDEV, Failure::Unknown),
    ];
    for (errno, failure) in table {
        assert_eq!(from_io(&Error::from_raw_os_error(errno)), failure, "errno {errno}");
    }
}

#[test]
fn a_diagnosis_finds_the_errno() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    assert_eq!(diagnose("127.0.0.1", port, false), Failure::ServerClosed, "it takes a connection");
    assert_eq!(diagnose("127.0.0.1", port, true), Failure::Tls, "it takes a connection, but TLS got nowhere");
    drop(listener);
    assert_eq!(diagnose("127.0.0.1", port, false), Failure::Refused, "nobody listens");
    assert_eq!(diagnose("camera.invalid", 554, false), Failure::NameNotResolved);
}
