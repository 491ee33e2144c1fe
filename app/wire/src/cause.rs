//! Why footage is missing: the vocabulary that the ledger, the coverage report and the alarms share.

use crate::retention::Rule;
use core::fmt;
use serde::{Deserialize, Serialize};

/// What went wrong with a camera or the way to it.
///
/// Made from GStreamer's error domain and code, the RTSP status, errno and Holdfast's own figures,
/// never from the wording of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Failure {
    /// Something that no rule names; handled like a lost connection and reported as unknown.
    Unknown,
    /// The host's name did not resolve.
    NameNotResolved,
    /// The host refused the connection (ECONNREFUSED).
    Refused,
    /// No route to the host or network.
    Unreachable,
    /// Connecting, or an answer to a request, took too long.
    ConnectTimeout,
    /// RTSP 401: user or password wrong or missing.
    Unauthorized,
    /// RTSP 403.
    Forbidden,
    /// RTSP 404: the path does not exist on the camera.
    NotFound,
    /// RTSP 453 or 454: bandwidth or session limit of the camera.
    SessionLimit,
    /// RTSP 503 and other 5xx.
    ServiceUnavailable,
    /// TLS handshake or certificate.
    Tls,
    /// RTSP 461, or no common transport.
    UnsupportedTransport,
    /// The camera offers no video in a codec that Holdfast records.
    NothingRecordable,
    /// The server closed the connection (EOF).
    ServerClosed,
    /// RTCP BYE.
    Bye,
    /// Connected, but no access unit came for too long.
    Stalled,
    /// Access units come, but no keyframe.
    KeyframeStarved,
    /// More undecodable data than a bad cable explains.
    Garbage,
    /// Timestamps that leap ahead, again and again.
    TimestampsJump,
    /// The camera refused the session's keep-alive.
    KeepAliveRefused,
    /// An allocation failed.
    OutOfMemory,
    /// A fault of Holdfast's own media path.
    Internal,
    /// Timestamps that stand still.
    TimestampsFrozen,
    /// Timestamps that run backwards, again and again.
    TimestampsBackwards,
    /// What a decoder must know (SPS, PPS, size) changes back and forth.
    FormatChanges,
    /// Video arrives, but nothing of it becomes durable although its volume works.
    NotStored,
}

impl Failure {
    /// Whether it is one of having no connection at all. What connects does not say which: another connection finds it out.
    pub const fn is_of_no_connection(self) -> bool {
        matches!(
            self,
            Failure::NameNotResolved
                | Failure::Refused
                | Failure::Unreachable
                | Failure::ConnectTimeout
                | Failure::Tls
        )
    }

    /// A few words for a person, to follow the camera's name: "entrance: password refused (RTSP 401)".
    pub const fn text(self) -> &'static str {
        match self {
            Failure::Unknown => "failed in a way that is not known",
            Failure::NameNotResolved => "host name not found",
            Failure::Refused => "connection refused",
            Failure::Unreachable => "host or network unreachable",
            Failure::ConnectTimeout => "no answer in time",
            Failure::Unauthorized => "user or password refused (RTSP 401)",
            Failure::Forbidden => "access forbidden (RTSP 403)",
            Failure::NotFound => "stream path not found",
            Failure::SessionLimit => "camera's session or bandwidth limit reached",
            Failure::ServiceUnavailable => "camera's server unavailable (RTSP 5xx)",
            Failure::Tls => "TLS handshake or certificate refused",
            Failure::UnsupportedTransport => "transport not supported (RTSP 461)",
            Failure::NothingRecordable => "no video track that can be recorded",
            Failure::ServerClosed => "connection closed by the camera",
            Failure::Bye => "stream ended by the camera (RTCP BYE)",
            Failure::Stalled => "connected, but no video arrives",
            Failure::KeyframeStarved => "no keyframe arrives",
            Failure::Garbage => "stream is damaged",
            Failure::TimestampsJump => "timestamps leap ahead",
            Failure::KeepAliveRefused => "keep-alive refused by the camera",
            Failure::OutOfMemory => "out of memory",
            Failure::Internal => "internal media error",
            Failure::TimestampsFrozen => "timestamps stand still",
            Failure::TimestampsBackwards => "timestamps run backwards",
            Failure::FormatChanges => "video format changes back and forth",
            Failure::NotStored => "video arrives, but none of it gets onto the disk",
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// What went wrong with a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Fault {
    /// An errno that no rule names.
    Other(i32),
    /// The path or device is not there.
    Missing,
    /// ENOSPC.
    NoSpace,
    /// EIO.
    Io,
    /// EROFS.
    ReadOnly,
    /// EACCES or EPERM.
    Denied,
    /// EAGAIN.
    Again,
    /// EDQUOT.
    Quota,
    /// ESTALE.
    Stale,
    /// A call did not return within its deadline.
    Stuck,
    /// It takes data more slowly than the cameras send it.
    TooSlow,
    /// Its identity is not the one that was adopted.
    WrongIdentity,
    /// Another running recorder holds it.
    InUse,
    /// Its marker or ledger cannot be read.
    Damaged,
    /// Another device adopted it: its footage is not ours to delete.
    Foreign,
    /// Another filesystem with the same identity is in use: one of the two is a copy (dd).
    Duplicate,
    /// Its marker was copied here from another filesystem (its UUID differs).
    Copied,
    /// No disk is mounted at its path: what is there belongs to the system's own disk.
    NotMounted,
}

impl Fault {
    /// A few words for a person, to follow the volume's name.
    pub const fn text(self) -> &'static str {
        match self {
            Fault::Other(_) => "failed with an error that is not known",
            Fault::Missing => "not there",
            Fault::NoSpace => "full",
            Fault::Io => "input/output error: the disk or its cable may be failing",
            Fault::ReadOnly => "read-only",
            Fault::Denied => "permission denied",
            Fault::Again => "temporarily unable to take data",
            Fault::Quota => "quota exceeded",
            Fault::Stale => "stale file handle",
            Fault::Stuck => "does not answer",
            Fault::TooSlow => "too slow for the cameras",
            Fault::WrongIdentity => "not the volume that was adopted",
            Fault::InUse => "in use by another recorder",
            Fault::Damaged => "its marker or ledger cannot be read",
            Fault::Foreign => "adopted by another device",
            Fault::Duplicate => "another disk with the same identity is in use: one of the two is a copy",
            Fault::Copied => "its marker was copied from another filesystem",
            Fault::NotMounted => "no disk is mounted there",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())?;
        if let Fault::Other(errno) = self { write!(f, " (errno {errno})") } else { Ok(()) }
    }
}

/// Why a camera's footage is missing from a volume over a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Cause {
    /// No record says why. A healthy ledger has none; a rebuilt one may.
    Unknown,
    /// The recorder had been stopped by a person or the system, cleanly.
    Stopped,
    /// The recorder ended without a clean stop, within one boot of the machine: killed or crashed.
    Crashed,
    /// The machine went down without a clean stop: power cut or reset.
    PowerLost,
    /// The recorder had started and was connecting to the camera for the first time.
    Starting,
    /// The camera or the way to it failed.
    Camera(Failure),
    /// The connection lived, but frames in the stream were missing or unusable.
    Lost,
    /// The ring was full: the volume took data more slowly than it came, or was away.
    RingOverflow,
    /// The volume failed.
    Volume(Fault),
    /// The system's clock was set forward over this span: no time really passed.
    ClockStepped,
    /// The footage went to another volume meanwhile.
    OnAnotherVolume,
    /// It had been recorded, and was deleted by this rule.
    Deleted(Rule),
    /// A person had ejected the volume.
    Ejected,
    /// The recorder had run out of memory, and was started again.
    OutOfMemory,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::Unknown => f.write_str("cause not known"),
            Cause::Stopped => f.write_str("recorder stopped"),
            Cause::Crashed => f.write_str("recorder ended without a clean stop"),
            Cause::PowerLost => f.write_str("machine went down without a clean stop"),
            Cause::Starting => f.write_str("connecting after start"),
            Cause::Camera(failure) => write!(f, "camera: {failure}"),
            Cause::Lost => f.write_str("frames lost on the way"),
            Cause::RingOverflow => f.write_str("buffer overflow: the volume did not keep up"),
            Cause::Volume(fault) => write!(f, "volume: {fault}"),
            Cause::ClockStepped => f.write_str("clock was set forward"),
            Cause::OnAnotherVolume => f.write_str("recorded to another volume"),
            Cause::Deleted(rule) => write!(f, "deleted: {rule}"),
            Cause::Ejected => f.write_str("volume was ejected"),
            Cause::OutOfMemory => f.write_str("recorder ran out of memory"),
        }
    }
}

impl Cause {
    /// A short word for machines, stable over versions: the `cause` of `coverage --json`.
    pub const fn code(self) -> &'static str {
        match self {
            Cause::Unknown => "unknown",
            Cause::Stopped => "stopped",
            Cause::Crashed => "crashed",
            Cause::PowerLost => "power-lost",
            Cause::Starting => "starting",
            Cause::Camera(_) => "camera",
            Cause::Lost => "lost",
            Cause::RingOverflow => "ring-overflow",
            Cause::Volume(_) => "volume",
            Cause::ClockStepped => "clock-stepped",
            Cause::OnAnotherVolume => "on-another-volume",
            Cause::Deleted(_) => "deleted",
            Cause::Ejected => "ejected",
            Cause::OutOfMemory => "out-of-memory",
        }
    }
}
