//! A segment while it takes samples: its fragments, its tracks, and why it must end soon.

use std::sync::Arc;

use super::segment::OpenSegment;
use crate::mp4::{ParameterSets, Payload, Sample, TrackConfig, with_parameter_sets};
use crate::ring::{AccessUnit, Data, TrackKind};

/// A segment that grows.
pub(super) struct Growing {
    pub segment: OpenSegment,
    pub tracks: Tracks,
    /// Where its parameter sets are.
    pub sets: ParameterSets,
    /// What a decoder that has read the file so far knows of the video.
    pub known: Arc<TrackConfig>,
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
            TrackKind::Video => {
                let unit = self.decodable(unit);
                self.segment.push(sample(0, unit));
            }
            TrackKind::Audio if self.has(&unit) => self.segment.push(sample(1, unit)),
            TrackKind::Audio => self.new_audio = true,
        }
    }

    /// Whether it has a track for this unit.
    pub fn has(&self, unit: &AccessUnit) -> bool {
        match unit.track {
            TrackKind::Video => true,
            TrackKind::Audio => self.tracks.audio.as_ref() == Some(&unit.config),
        }
    }

    /// A frame with what its decoder does not know yet. Where formats may change, every keyframe brings its own, so that
    /// decoding can begin at each of them. A change in the middle of a GOP goes into the samples of any file: no
    /// other place is left for it before the next keyframe.
    fn decodable(&mut self, mut unit: AccessUnit) -> AccessUnit {
        let brings = match self.sets {
            ParameterSets::InEntry => false,
            ParameterSets::InSamples => unit.keyframe,
        };
        if brings || self.known != unit.config {
            self.known = Arc::clone(&unit.config);
            if let Some(whole) = with_parameter_sets(&unit.config, unit.data.bytes()) {
                unit.data = Data::new(whole);
            }
        }
        unit
    }
}

/// A unit as a sample of the file's track.
fn sample(track: usize, unit: AccessUnit) -> Sample<Data> {
    Sample { track, pts: unit.pts, duration: unit.duration, keyframe: unit.keyframe, payload: unit.data }
}
