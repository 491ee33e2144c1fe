//! What a change of the stream's format costs: another file, but not one for each change (decision 0050).
//!
//! A **change** is a keyframe whose decoder must know something else than the segment's sample entry says, or sound that
//! the segment has no track for. The first one cuts: a file of one format plays everywhere. What follows is written so
//! that a further change need not cut: for a while, segments have their parameter sets in their samples.

use std::time::Duration;

use holdfast_core::time::Mono;

use super::growing::{Growing, Tracks};
use crate::mp4::{ParameterSets, TrackConfig, share_a_file};
use crate::ring::AccessUnit;

/// From one segment that begins because of a change to the next. A camera whose format flaps makes at most 360 files an
/// hour, instead of one for each keyframe.
const BETWEEN: Duration = Duration::from_secs(10);

/// For so long after a change of the picture's format segments are made ready for another one. Longer than [`BETWEEN`], so
/// that no segment that must cut at a change begins while one may not.
const READY: Duration = Duration::from_secs(60);

/// When segments of one stream began because of a change.
#[derive(Debug, Default)]
pub(super) struct Changes {
    picture: Option<Mono>,
    sound: Option<Mono>,
}

impl Changes {
    /// Where a segment that begins at `start` has its parameter sets.
    pub fn sets(&self, start: Mono) -> ParameterSets {
        if is_over(self.picture, READY, start) { ParameterSets::InEntry } else { ParameterSets::InSamples }
    }

    /// Whether this keyframe's format cannot go into the file of a segment with this entry that began at `start`, or need
    /// not.
    pub fn part(&self, entry: &TrackConfig, sets: ParameterSets, start: Mono, keyframe: &AccessUnit) -> bool {
        let may_stay = match sets {
            ParameterSets::InEntry => false,
            ParameterSets::InSamples => share_a_file(entry, &keyframe.config),
        };
        // One that is young for whatever reason is not cut: the length of segments may be no more than this.
        let is_due = self.is_due(keyframe.pts) && is_over(Some(start), BETWEEN, keyframe.pts);
        *entry != *keyframe.config && (!may_stay || is_due)
    }

    /// Whether this keyframe ends the segment because of a change.
    pub fn cut(&self, growing: &Growing, keyframe: &AccessUnit) -> bool {
        let sound = growing.new_audio
            && match growing.tracks.audio {
                Some(_) => self.is_due(keyframe.pts),
                // Sound often begins behind the picture: that is no flapping.
                None => is_over(self.sound, BETWEEN, keyframe.pts),
            };
        sound || self.part(&growing.tracks.video, growing.sets, growing.segment.start, keyframe)
    }

    /// A segment with these tracks ends before this keyframe, for whatever reason.
    pub fn note(&mut self, tracks: &Tracks, new_audio: bool, keyframe: &AccessUnit) {
        if tracks.video != keyframe.config {
            self.picture = Some(keyframe.pts);
        }
        if new_audio {
            self.sound = Some(keyframe.pts);
        }
    }

    fn is_due(&self, at: Mono) -> bool {
        is_over(self.picture, BETWEEN, at) && is_over(self.sound, BETWEEN, at)
    }
}

/// Whether so much time has passed since, or there was no such moment.
fn is_over(since: Option<Mono>, time: Duration, at: Mono) -> bool {
    since.is_none_or(|since| at.since(since) >= time)
}
