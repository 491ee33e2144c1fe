//! From what GStreamer, RTSP and the kernel say to a typed [`Failure`]: by domain, code, status and
//! errno, and by what the session noticed itself; never by the wording of a message.
//!
//! What rtspsrc keeps to itself is found in another way:
//!
//! | what | is told apart by |
//! |---|---|
//! | why there is no connection | [`diagnose`]: a connection of our own, and its errno |
//! | TLS: certificate | rtspsrc asks whether to take it (`accept-certificate`) |
//! | TLS: anything else | the camera takes a TCP connection, and rtspsrc got none |
//! | no answer, against a closed connection | how long ago the last request was sent (`before-send`) |
//! | the status that refused a SETUP | the number in the message's details: it stands nowhere else |
//! | no common transport, against nothing to record | whether a track was chosen before |

use std::io::{Error, ErrorKind};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use holdfast_core::event::Failure;

use super::signs::Circumstances;
use super::source::TCP_TIMEOUT;

/// How long a diagnosis waits for a connection, on a local network.
const PROBE_TIMEOUT: Duration = Duration::from_secs(3);

/// A host of two worlds has an address in each; more are tried by nobody's camera.
const MOST_ADDRESSES: usize = 2;

/// An answer is late when rtspsrc gives up waiting for it. Its clock and ours are read a little apart.
const NO_ANSWER: Duration = Duration::from_micros(TCP_TIMEOUT.as_micros() as u64 * 9 / 10);

/// What an error message says, before a diagnosis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The message itself is enough.
    Certain(Failure),
    /// rtspsrc could not connect and keeps the errno to itself: [`diagnose`] can find out.
    NoConnection,
}

/// Reads an error message of the media path.
pub fn classify(error: &gst::message::Error, seen: &Circumstances) -> Verdict {
    let status = error.details().and_then(|details| details.get::<u32>("rtsp-status-code").ok());
    if let Some(failure) = status.and_then(from_status) {
        return Verdict::Certain(failure);
    }
    let is_source = error.src().is_some_and(|source| source.type_().name() == "GstRTSPSrc");
    let fault = error.error();
    if let Some(code) = fault.kind::<gst::ResourceError>() {
        let refused = || error.debug().as_deref().and_then(status_in).and_then(from_status);
        return match code {
            // Something that a branch or a UDP socket asked of this machine.
            _ if !is_source => Verdict::Certain(Failure::Internal),
            gst::ResourceError::NotAuthorized => Verdict::Certain(Failure::Unauthorized),
            gst::ResourceError::OpenReadWrite if seen.certificate_refused => Verdict::Certain(Failure::Tls),
            gst::ResourceError::NotFound | gst::ResourceError::OpenReadWrite => Verdict::NoConnection,
            // Connected, but it offers no way to prove who we are that is known here.
            gst::ResourceError::OpenRead => Verdict::Certain(Failure::Unauthorized),
            gst::ResourceError::Write => Verdict::Certain(refused().unwrap_or_else(|| broken_off(seen))),
            gst::ResourceError::Read => Verdict::Certain(broken_off(seen)),
            gst::ResourceError::Settings => Verdict::Certain(nothing_chosen(seen)),
            _ => Verdict::Certain(Failure::Unknown),
        };
    }
    if let Some(code) = fault.kind::<gst::StreamError>() {
        return Verdict::Certain(match code {
            gst::StreamError::WrongType
            | gst::StreamError::CodecNotFound
            | gst::StreamError::TypeNotFound => nothing_chosen(seen),
            gst::StreamError::Decode | gst::StreamError::Format | gst::StreamError::Demux => Failure::Garbage,
            gst::StreamError::Failed | gst::StreamError::NotImplemented | gst::StreamError::Encode => {
                Failure::Internal
            }
            _ => Failure::Unknown,
        });
    }
    if fault.kind::<gst::CoreError>().is_some() || fault.kind::<gst::LibraryError>().is_some() {
        return Verdict::Certain(Failure::Internal);
    }
    Verdict::Certain(Failure::Unknown)
}

/// The connection ended, or an answer did not come.
pub fn broken_off(seen: &Circumstances) -> Failure {
    if seen.keep_alive_refused {
        Failure::KeepAliveRefused
    } else if seen.bye {
        Failure::Bye
    } else if seen.waiting.is_some_and(|waiting| waiting >= NO_ANSWER) {
        Failure::ConnectTimeout
    } else {
        Failure::ServerClosed
    }
}

/// rtspsrc says the same when it was refused every track (461) as when it wanted none. If it wanted one, what is missing
/// is a common transport.
fn nothing_chosen(seen: &Circumstances) -> Failure {
    if seen.video_wanted { Failure::UnsupportedTransport } else { Failure::NothingRecordable }
}

/// The status of a refused SETUP, which rtspsrc puts nowhere but into its details for support: "... (453): ..." in the
/// last line. The words around it do not matter.
fn status_in(details: &str) -> Option<u32> {
    let line = details.lines().last()?;
    let (before, _) = line.split_once("):")?;
    let (_, number) = before.rsplit_once('(')?;
    number.parse().ok()
}

/// RTSP status codes that mean something of their own (RFC 2326, section 7.1.1).
pub fn from_status(status: u32) -> Option<Failure> {
    match status {
        401 => Some(Failure::Unauthorized),
        403 => Some(Failure::Forbidden),
        404 | 410 => Some(Failure::NotFound),
        408 => Some(Failure::ConnectTimeout),
        453 | 454 => Some(Failure::SessionLimit),
        461 => Some(Failure::UnsupportedTransport),
        500..=599 => Some(Failure::ServiceUnavailable),
        _ => None,
    }
}

/// Why no connection could be had, found by trying: resolves the name and opens a TCP connection. May
/// take [`PROBE_TIMEOUT`] and a resolver's time-out: never on the loop. `tls`: rtspsrc had tried to speak TLS.
pub fn diagnose(host: &str, port: u16, tls: bool) -> Failure {
    let Ok(addresses) = (host, port).to_socket_addrs() else {
        return Failure::NameNotResolved;
    };
    let mut failure = Failure::NameNotResolved;
    for address in addresses.take(MOST_ADDRESSES) {
        match TcpStream::connect_timeout(&address, PROBE_TIMEOUT) {
            // It takes a TCP connection, but rtspsrc got none.
            Ok(_) if tls => return Failure::Tls,
            Ok(_) => return Failure::ServerClosed,
            Err(error) => failure = from_io(&error),
        }
    }
    failure
}

/// What an errno means.
pub fn from_io(error: &Error) -> Failure {
    match error.kind() {
        ErrorKind::ConnectionRefused => Failure::Refused,
        ErrorKind::TimedOut => Failure::ConnectTimeout,
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable | ErrorKind::NetworkDown => {
            Failure::Unreachable
        }
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted => Failure::ServerClosed,
        ErrorKind::OutOfMemory => Failure::OutOfMemory,
        _ => match error.raw_os_error() {
            // No buffers, or no process to be had (threads are processes to this limit): memory is what is short.
            Some(libc::ENOBUFS | libc::EAGAIN) => Failure::OutOfMemory,
            Some(libc::EMFILE | libc::ENFILE) => Failure::Internal,
            Some(_) | None => Failure::Unknown,
        },
    }
}

#[cfg(test)]
mod tests;
