//! The marker file of a volume, `holdfast/volume`.

use crate::ids::{Name, VolumeId};
use crate::time::Wall;
use heapless::String;
use serde::{Deserialize, Serialize};

/// What makes a filesystem a Holdfast volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum VolumeMarker {
    /// Format version 1.
    V1(VolumeMarkerV1),
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
