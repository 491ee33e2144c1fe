//! The header that every segment carries inside: whose footage it is, from when, and on which volume.

use crate::cause::Cause;
use crate::ids::{BootId, Name, SessionId, VolumeId};
use crate::time::Wall;
use heapless::Vec;
use serde::{Deserialize, Serialize};

/// The `uuid` box's extended type that holds a [`SegmentHeader`] in a segment's `moov`.
pub const HEADER_UUID: [u8; 16] =
    [0x6f, 0x1d, 0x3a, 0x52, 0x9c, 0x0e, 0x4b, 0x7a, 0x8d, 0x55, 0x48, 0x6f, 0x6c, 0x64, 0x66, 0x73];

/// Most causes that one header can carry of the gap before it: a gap is seldom told in more than two.
pub const MAX_BEFORE: usize = 4;

/// Part of the gap before a segment: from this moment, missing for this cause, until the next entry
/// or the segment's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// First missing moment.
    pub from: Wall,
    /// Why.
    pub cause: Cause,
}

/// What a segment says of itself, so that a ledger can be rebuilt from segments alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SegmentHeader {
    /// Format version 1.
    V1(SegmentHeaderV1),
}

/// Version 1 of [`SegmentHeader`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentHeaderV1 {
    /// The volume it was written to.
    pub volume: VolumeId,
    /// The device that wrote it.
    pub device: Name,
    /// The camera it shows.
    pub camera: Name,
    /// The recorder's session that wrote it.
    pub session: SessionId,
    /// The machine's boot that it was written in.
    pub boot: BootId,
    /// Number of the segment on its volume, rising by one for each, over sessions and cameras.
    pub sequence: u32,
    /// Wall time of media time zero: when the first frame arrived.
    pub start: Wall,
    /// Whether the wall clock could be trusted then.
    pub clock_trusted: bool,
    /// Whether it shows the camera's fallback stream.
    pub fallback: bool,
    /// Why footage is missing just before this segment; empty if it follows on from the one before.
    pub before: Vec<Missing, MAX_BEFORE>,
}
