//! What a session counts: written by the streaming threads, read by the loop once a second.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use holdfast_core::event::{CameraEvent, StreamFigures};
use holdfast_core::time::Mono;

use super::formats::Judgement;
use super::timeline::Tally;
use crate::ring::TrackKind;

/// Figures of a session, all since it began.
#[derive(Debug, Default)]
pub struct Figures {
    /// Arrival of the newest units; 0 for none.
    last_video: AtomicU64,
    last_audio: AtomicU64,
    units: AtomicU64,
    keyframes: AtomicU64,
    damaged: AtomicU64,
    formats: AtomicU64,
    jumps: AtomicU64,
    backwards: AtomicU64,
    frozen: AtomicBool,
}

impl Figures {
    /// As an event for the core.
    pub fn event(&self) -> CameraEvent {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        CameraEvent::Received(StreamFigures {
            last_video: self.last_video(),
            units: count(&self.units),
            keyframes: count(&self.keyframes),
            last_audio: moment(count(&self.last_audio)),
            damaged: count(&self.damaged),
            formats: count(&self.formats),
            jumps: count(&self.jumps),
            backwards: count(&self.backwards),
            frozen: self.frozen.load(Ordering::Relaxed),
        })
    }

    /// Arrival of the newest video unit, if one came.
    pub(super) fn last_video(&self) -> Option<Mono> {
        moment(self.last_video.load(Ordering::Relaxed))
    }

    /// A unit came.
    pub(super) fn came(&self, kind: TrackKind, arrival: Mono, keyframe: bool, whole: bool) {
        match kind {
            TrackKind::Video => {
                self.last_video.store(arrival.as_nanos(), Ordering::Relaxed);
                self.units.fetch_add(1, Ordering::Relaxed);
                self.keyframes.fetch_add(u64::from(keyframe), Ordering::Relaxed);
                self.damaged.fetch_add(u64::from(!whole), Ordering::Relaxed);
            }
            TrackKind::Audio => self.last_audio.store(arrival.as_nanos(), Ordering::Relaxed),
        }
    }

    /// Video units so far.
    pub(super) fn units(&self) -> u64 {
        self.units.load(Ordering::Relaxed)
    }

    /// What became certain of the video's formats.
    pub(super) fn judged(&self, judgement: Judgement) {
        self.formats.fetch_add(judgement.changes, Ordering::Relaxed);
        self.damaged.fetch_add(judgement.damaged, Ordering::Relaxed);
    }

    /// What the timeline counted.
    pub(super) fn stamps(&self, tally: Tally) {
        self.jumps.store(tally.jumps, Ordering::Relaxed);
        self.backwards.store(tally.backwards, Ordering::Relaxed);
        self.frozen.store(tally.frozen, Ordering::Relaxed);
    }
}

fn moment(nanos: u64) -> Option<Mono> {
    (nanos != 0).then(|| Mono::from_nanos(nanos))
}
