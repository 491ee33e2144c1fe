//! From what GStreamer, RTSP and the kernel say to a typed [`Failure`]: by domain, code, status and
//! errno, never by the wording of a message.

use std::io::ErrorKind;
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use gstreamer as gst;
use holdfast_core::event::Failure;

/// How long a diagnosis waits for a connection, on a local network.
const PROBE_TIMEOUT: Duration = Duration::from_secs(3);

/// A host of two worlds has an address in each; more are tried by nobody's camera.
const MOST_ADDRESSES: usize = 2;

/// What an error message says, before a diagnosis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The message itself is enough.
    Certain(Failure),
    /// rtspsrc could not connect and keeps the errno to itself: [`diagnose`] can find out.
    NoConnection,
}

/// Reads an error message of the media path.
pub fn classify(error: &gst::message::Error) -> Verdict {
    let status = error.details().and_then(|details| details.get::<u32>("rtsp-status-code").ok());
    if let Some(failure) = status.and_then(from_status) {
        return Verdict::Certain(failure);
    }
    let error = error.error();
    if let Some(code) = error.kind::<gst::ResourceError>() {
        return match code {
            gst::ResourceError::NotAuthorized => Verdict::Certain(Failure::Unauthorized),
            gst::ResourceError::NotFound => Verdict::NoConnection,
            gst::ResourceError::OpenRead | gst::ResourceError::OpenReadWrite => Verdict::NoConnection,
            gst::ResourceError::Read | gst::ResourceError::Write => Verdict::Certain(Failure::ServerClosed),
            gst::ResourceError::Settings => Verdict::Certain(Failure::UnsupportedTransport),
            _ => Verdict::Certain(Failure::Unknown),
        };
    }
    if let Some(code) = error.kind::<gst::StreamError>() {
        return match code {
            gst::StreamError::WrongType | gst::StreamError::CodecNotFound => {
                Verdict::Certain(Failure::NothingRecordable)
            }
            gst::StreamError::Decode | gst::StreamError::Format | gst::StreamError::Demux => {
                Verdict::Certain(Failure::Garbage)
            }
            gst::StreamError::Failed => Verdict::Certain(Failure::Internal),
            _ => Verdict::Certain(Failure::Unknown),
        };
    }
    if error.kind::<gst::CoreError>().is_some() || error.kind::<gst::LibraryError>().is_some() {
        return Verdict::Certain(Failure::Internal);
    }
    Verdict::Certain(Failure::Unknown)
}

/// RTSP status codes that mean something of their own (RFC 2326, section 7.1.1).
pub fn from_status(status: u32) -> Option<Failure> {
    match status {
        401 => Some(Failure::Unauthorized),
        403 => Some(Failure::Forbidden),
        404 | 410 => Some(Failure::NotFound),
        453 | 454 => Some(Failure::SessionLimit),
        461 => Some(Failure::UnsupportedTransport),
        500..=599 => Some(Failure::ServiceUnavailable),
        _ => None,
    }
}

/// Why no connection could be had, found by trying: resolves the name and opens a TCP connection. May
/// take [`PROBE_TIMEOUT`] and a resolver's time-out: never on the loop.
pub fn diagnose(host: &str, port: u16) -> Failure {
    let Ok(addresses) = (host, port).to_socket_addrs() else {
        return Failure::NameNotResolved;
    };
    let mut failure = Failure::NameNotResolved;
    for address in addresses.take(MOST_ADDRESSES) {
        match TcpStream::connect_timeout(&address, PROBE_TIMEOUT) {
            // It answers a TCP connection, but RTSP got nowhere: what closed the attempt was the server.
            Ok(_) => return Failure::ServerClosed,
            Err(error) => failure = from_io(error.kind()),
        }
    }
    failure
}

fn from_io(kind: ErrorKind) -> Failure {
    match kind {
        ErrorKind::ConnectionRefused => Failure::Refused,
        ErrorKind::TimedOut => Failure::ConnectTimeout,
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable | ErrorKind::NetworkDown => {
            Failure::Unreachable
        }
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted => Failure::ServerClosed,
        _ => Failure::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn a_port_that_nobody_listens_on_is_refused() {
        let port = {
            let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
            listener.local_addr().unwrap().port()
        };
        assert_eq!(diagnose("127.0.0.1", port), Failure::Refused);
    }

    #[test]
    fn a_name_that_does_not_exist_is_not_resolved() {
        assert_eq!(diagnose("camera.invalid", 554), Failure::NameNotResolved);
    }

    #[test]
    fn a_server_that_accepts_and_says_nothing_closed_the_attempt() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        assert_eq!(diagnose("127.0.0.1", port), Failure::ServerClosed);
    }

    #[test]
    fn each_status_has_its_failure() {
        let table = [
            (200, None),
            (401, Some(Failure::Unauthorized)),
            (403, Some(Failure::Forbidden)),
            (404, Some(Failure::NotFound)),
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
}
