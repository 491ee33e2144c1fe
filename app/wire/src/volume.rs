//! The marker file of a volume, `holdfast/volume`.

use crate::ids::{Name, VolumeId};
use crate::time::Wall;
use heapless::{String, Vec};
use serde::{Deserialize, Serialize};

/// What makes a filesystem a Holdfast volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum VolumeMarker {
    /// Format version 1: a volume that always had this identity.
    V1(VolumeMarkerV1),
    /// Format version 2: a volume that had others before.
    V2(VolumeMarkerV2),
}

/// Most identities before that a marker remembers: a disk that was copied more often was not in the field.
pub const MAX_FORMER: usize = 4;

/// Version 2 of [`VolumeMarker`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeMarkerV2 {
    /// What version 1 says.
    pub now: VolumeMarkerV1,
    /// Identities that segments on it may name, since it was a copy when they were written; the newest last.
    pub formerly: Vec<VolumeId, MAX_FORMER>,
}

/// Version 1 of [`VolumeMarker`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeMarkerV1 {
    /// The volume's own identity.
    pub id: VolumeId,
    /// UUID of the filesystem it was adopted on, as blkid prints it; empty for a plain directory.
    pub filesystem_uuid: String<64>,
    /// The device that adopted it.
    pub adopted_by: Name,
    /// When.
    pub adopted_at: Wall,
}

impl From<VolumeMarkerV1> for VolumeMarkerV2 {
    fn from(now: VolumeMarkerV1) -> Self {
        VolumeMarkerV2 { now, formerly: Vec::new() }
    }
}
