//! The ledger: what was stored on a volume, what is missing and why.
//!
//! Files: `holdfast/ledger/<YYYY-MM>`, one per month of UTC, each a run of frames (see
//! [`crate::frame`]). Only ever appended to. A reader passes over what it cannot read and says so.

use crate::cause::{Cause, Fault};
use crate::ids::{BootId, Name, SessionId, VolumeId};
use crate::retention::Rule;
use crate::time::{Span, Wall};
use heapless::String;
use serde::{Deserialize, Serialize};

/// One entry of the ledger. Append variants only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Record {
    /// The recorder began to use the volume.
    SessionStarted(SessionStarted),
    /// From now on this camera's footage is owed.
    CameraConfigured {
        /// From when.
        at: Wall,
        /// Which camera.
        camera: Name,
    },
    /// From now on this camera's footage is no longer owed: it was taken out of the configuration.
    CameraRemoved {
        /// From when.
        at: Wall,
        /// Which camera.
        camera: Name,
    },
    /// A segment's file was created and its directory synced.
    SegmentOpened(SegmentOpened),
    /// A segment is complete and synced.
    SegmentClosed(SegmentClosed),
    /// Footage is missing inside this span, for this cause.
    Gap(Gap),
    /// Footage is missing from this moment on; its end is where the next segment begins.
    GapOpened {
        /// First missing moment.
        from: Wall,
        /// Which camera.
        camera: Name,
        /// Why.
        cause: Cause,
    },
    /// The wall clock was set by this much (forward is positive), seen at `at` of the new time.
    ClockStepped {
        /// When, in the new time.
        at: Wall,
        /// By how many microseconds.
        by_micros: i64,
    },
    /// A torn tail was cut off: of this ledger or of a segment.
    Repaired(Repaired),
    /// The recorder let go of the volume in good order.
    SessionEnded {
        /// When.
        at: Wall,
        /// Which session.
        session: SessionId,
    },
    /// The ledger was rebuilt from the segments alone.
    Rebuilt {
        /// When.
        at: Wall,
        /// From how many segments.
        segments: u32,
    },
    /// The volume failed while in use (written once it takes data again).
    VolumeFaulted {
        /// When it failed.
        at: Wall,
        /// How.
        fault: Fault,
    },
    /// A segment is to be deleted by a rule. Written and synced before its file is removed: what the ledger calls
    /// stored is there.
    SegmentDeleted(SegmentDeleted),
    /// Footage is protected from every rule of deletion.
    Protected(Protected),
    /// A protection was taken back.
    Unprotected {
        /// When.
        at: Wall,
        /// Which, by its number.
        number: u32,
    },
    /// The volume was given a new identity: it had been a copy of the one that it was called before.
    Renewed {
        /// When.
        at: Wall,
        /// Its identity before.
        before: VolumeId,
        /// Its identity now.
        now: VolumeId,
    },
    /// This device took the volume over from the one that had adopted it.
    TakenOver {
        /// When.
        at: Wall,
        /// From which device.
        from: Name,
        /// By which device.
        by: Name,
    },
    /// The time is known at last: what this session wrote with times of this span, while its clock was not trusted,
    /// happened so much later. Names of files stay as they are.
    TimeCorrected {
        /// When that was seen, in the right time.
        at: Wall,
        /// The first wrong moment.
        from: Wall,
        /// The last one.
        to: Wall,
        /// By how many microseconds they are too early; negative if they are too late.
        by_micros: i64,
    },
}

/// See [`Record::SegmentDeleted`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentDeleted {
    /// When.
    pub at: Wall,
    /// Number on the volume, as in [`SegmentOpened`].
    pub sequence: u32,
    /// Which camera.
    pub camera: Name,
    /// Wall time of its first frame.
    pub start: Wall,
    /// Size of the file in bytes.
    pub bytes: u64,
    /// By which rule.
    pub rule: Rule,
}

/// See [`Record::Protected`]. The file `holdfast/protected` is a run of these, so that they are known without
/// reading years of ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Protected {
    /// When a person or an event asked for it.
    pub at: Wall,
    /// Its number on the volume, to take it back by.
    pub number: u32,
    /// Which camera; `None` for all.
    pub camera: Option<Name>,
    /// The protected span: every segment that reaches into it is kept.
    pub span: Span,
    /// Why, in the words of who asked.
    pub note: String<64>,
}

/// See [`Record::SessionStarted`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionStarted {
    /// When.
    pub at: Wall,
    /// This life of the recorder.
    pub session: SessionId,
    /// This boot of the machine.
    pub boot: BootId,
    /// The device that records.
    pub device: Name,
    /// The program's version.
    pub version: String<16>,
    /// Whether the wall clock could be trusted.
    pub clock_trusted: bool,
}

/// See [`Record::SegmentOpened`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentOpened {
    /// Number on the volume; names the segment in later records.
    pub sequence: u32,
    /// Which camera.
    pub camera: Name,
    /// Wall time of its first frame; with `sequence` it gives the path, see `app/src/volumes/layout.rs`.
    pub start: Wall,
    /// Whether it shows the fallback stream.
    pub fallback: bool,
}

/// How a segment came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ending {
    /// Cut at a keyframe since it was long enough, or since the stream's format changed.
    Cut,
    /// The camera's stream ended or broke.
    StreamEnded,
    /// The recorder was stopped.
    Stopped,
    /// The volume failed; closed later, from what is in the file.
    VolumeFailed,
    /// Found open at start: the recorder had not been stopped cleanly.
    Recovered,
}

/// See [`Record::SegmentClosed`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentClosed {
    /// Number on the volume, as in [`SegmentOpened`].
    pub sequence: u32,
    /// Which camera.
    pub camera: Name,
    /// End of its last frame.
    pub end: Wall,
    /// Video frames in it.
    pub frames: u32,
    /// Size of the file in bytes.
    pub bytes: u64,
    /// How it came to its end.
    pub ending: Ending,
}

/// See [`Record::Gap`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// Which camera.
    pub camera: Name,
    /// The span in which footage is missing.
    pub span: Span,
    /// Why.
    pub cause: Cause,
}

/// See [`Record::Repaired`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Repaired {
    /// The newest ledger file ended in the middle of a record.
    LedgerTail {
        /// When it was mended.
        at: Wall,
        /// Bytes cut off.
        bytes: u64,
    },
    /// A segment ended in the middle of a fragment.
    SegmentTail {
        /// When it was mended.
        at: Wall,
        /// Which segment.
        sequence: u32,
        /// Bytes cut off.
        bytes: u64,
    },
}
