//! A segment while it takes samples: its fragments, its tracks, and why it must end soon.

use std::sync::Arc;

use super::segment::OpenSegment;
use crate::mp4::{Sample, TrackConfig};
use crate::ring::{AccessUnit, Data, TrackKind};

/// A segment that grows.
pub(super) struct Growing {
    pub segment: OpenSegment,
    pub tracks: Tracks,
    /// A track began to deliver that the file does not have.
    pub new_audio: bool,
    /// The clock was set: what follows is not to carry the old time for longer than to the next keyframe.
    pub stale: bool,
}

/// The tracks that a segment's file was made with.
pub(super) struct Tracks {
    pub video: Arc<TrackConfig>,
    pub audio: Option<Arc<TrackConfig>>,
}

impl Tracks {
    /// For the muxer.
    pub fn configs(&self) -> Vec<TrackConfig> {
        let audio = self.audio.as_deref().cloned();
        std::iter::once((*self.video).clone()).chain(audio).collect()
    }
}

impl Growing {
    /// Holds a unit for the next fragment. Audio that the file has no track for waits for the next file.
    pub fn push(&mut self, unit: AccessUnit) {
        match unit.track {
            TrackKind::Video => self.segment.push(sample(0, unit)),
            TrackKind::Audio if self.tracks.audio.as_ref() == Some(&unit.config) => {
                self.segment.push(sample(1, unit));
            }
            TrackKind::Audio => self.new_audio = true,
        }
    }
}

/// A unit as a sample of the file's track.
pub(super) fn sample(track: usize, unit: AccessUnit) -> Sample<Data> {
    Sample { track, pts: unit.pts, duration: unit.duration, keyframe: unit.keyframe, payload: unit.data }
}
