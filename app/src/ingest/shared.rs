//! What the tracks of a session share: the way into the ring, the figures, the time.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::figures::Figures;
use super::formats::Formats;
use super::timeline::Timeline;
use crate::mp4::TrackConfig;
use crate::ring::{AccessUnit, Feed, TrackKind};

/// See the module. Cheap to clone.
#[derive(Clone)]
pub(super) struct Shared {
    camera: Arc<str>,
    feed: Feed,
    /// Counts of what came.
    pub figures: Arc<Figures>,
    timeline: Arc<Mutex<Timeline>>,
    /// What the video's decoder must know: it outlives the elements that told it.
    video: Arc<Mutex<Formats>>,
}

impl Shared {
    /// For a session of `camera` that pushes into `feed`.
    pub fn new(camera: &str, feed: Feed) -> Self {
        Shared {
            camera: camera.into(),
            feed,
            figures: Arc::default(),
            timeline: Arc::default(),
            video: Arc::default(),
        }
    }

    /// The camera's name, for messages.
    pub fn camera(&self) -> &str {
        &self.camera
    }

    /// The connection's time. While it is held, no unit is pushed.
    pub fn timeline(&self) -> MutexGuard<'_, Timeline> {
        self.timeline.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nothing of this connection is kept from now on until its next keyframe.
    pub fn drop_until_keyframe(&self) {
        self.feed.flush();
    }

    /// Hands a unit on.
    pub fn push(&self, unit: AccessUnit) {
        self.feed.push(unit);
    }

    /// The connection is over.
    pub fn end(&self) {
        self.feed.end();
    }

    /// A track's elements know what its decoder must know: the same `Arc` as before, if it is the same. Changes of the
    /// video's are judged.
    pub fn configured(&self, kind: TrackKind, config: TrackConfig) -> Arc<TrackConfig> {
        if kind == TrackKind::Audio {
            return Arc::new(config);
        }
        let mut formats = self.formats();
        if let Some(same) = formats.same(&config) {
            return same;
        }
        let is_first = formats.is_first();
        let config = Arc::new(config);
        self.figures.judged(formats.changed(&config, self.figures.units()));
        if !is_first {
            self.timeline().format_changed();
        }
        config
    }

    /// A keyframe of the video came.
    pub fn keyframe(&self) {
        self.figures.judged(self.formats().keyframe());
    }

    fn formats(&self) -> MutexGuard<'_, Formats> {
        self.video.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
