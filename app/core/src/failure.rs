//! What is done about each failure of a camera: one table, [`handling`].
//!
//! Words: a failure of a **link** ends a connection, or kept it from being made; one of the **stream** leaves the connection
//! as it is, and what comes over it is damaged. The words that a person reads stand with the type, in `wire`.

use crate::alarm::Severity;
use crate::event::Failure;

/// How a failure is handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Handling {
    /// How bad it is while it lasts.
    pub severity: Severity,
    /// What is done.
    pub policy: Policy,
    /// Where it comes from, if many cameras have it at once.
    pub origin: Origin,
}

/// What is done about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Policy {
    /// It may be over when it is seen: at once for a camera that was healthy, then the ladder.
    Climb,
    /// The camera has no room for us: the ladder, and never at once, since what takes the room may be our own old
    /// session, which cameras forget after a minute.
    Busy,
    /// Only a person can mend it, and haste locks us out: 60 s, then 300 s.
    Refused,
    /// Only a new configuration of the camera mends it: a probe each 300 s.
    Unfit,
    /// The connection lives: resume in place, then rebuild the branch, then the pipeline; what then is still wrong is
    /// recorded as it comes, and the pipeline built anew each 300 s.
    Mend,
    /// Nothing to be done that would not cost footage: recorded as it comes, and told.
    Endure,
}

/// Where a failure may come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The network could have done it.
    Network,
    /// The camera or this device did it.
    Ends,
}

/// The handling of each failure.
pub(crate) const fn handling(failure: Failure) -> Handling {
    use Origin::{Ends, Network};
    use Policy::{Busy, Climb, Endure, Mend, Refused, Unfit};
    use Severity::{Critical, High, Low, Medium};
    let (severity, policy, origin) = match failure {
        // What nobody knows is most often a broken connection.
        Failure::Unknown => (High, Climb, Network),
        // A name server that is away; a name that was never right is tried each 300 s in the end.
        Failure::NameNotResolved => (High, Climb, Network),
        // A camera that boots answers so before its server is up.
        Failure::Refused => (High, Climb, Network),
        Failure::Unreachable | Failure::ConnectTimeout => (High, Climb, Network),
        Failure::Unauthorized | Failure::Forbidden => (High, Refused, Ends),
        // Encoders that boot answer so until their stream is there; a wrong path ends in probes.
        Failure::NotFound => (High, Climb, Ends),
        Failure::SessionLimit | Failure::ServiceUnavailable => (High, Busy, Ends),
        // A certificate that is not valid yet is, once the clock is right.
        Failure::Tls => (High, Climb, Ends),
        Failure::UnsupportedTransport => (High, Climb, Ends),
        Failure::NothingRecordable => (High, Unfit, Ends),
        Failure::ServerClosed | Failure::Bye => (High, Climb, Network),
        Failure::Stalled => (High, Climb, Network),
        // PLAY is answered with a keyframe by nearly every camera; nothing less asks for one.
        Failure::KeyframeStarved => (High, Climb, Ends),
        Failure::Garbage => (Medium, Mend, Ends),
        // The footage is timed by its arrival then. A new connection to the same firmware brings the same stamps.
        Failure::TimestampsJump | Failure::TimestampsFrozen | Failure::TimestampsBackwards => {
            (Low, Endure, Ends)
        }
        // Each format is recorded, to refuse one would cost its footage; the writer sees to it that they make no flood of files.
        Failure::FormatChanges => (Low, Endure, Ends),
        Failure::NotStored => (High, Mend, Ends),
        Failure::KeepAliveRefused => (High, Climb, Ends),
        Failure::OutOfMemory => (Critical, Busy, Ends),
        Failure::Internal => (High, Climb, Ends),
    };
    Handling { severity, policy, origin }
}
