//! What lies in a ring: access units, each with what its decoder must know.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use holdfast_core::time::Mono;

use crate::mp4::{Payload, TrackConfig};

/// Which track of a camera an access unit belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TrackKind {
    /// The one video track.
    Video,
    /// The audio track, if there is one.
    Audio,
}

/// The bytes of an access unit: cheap to clone, since ring and writer both hold it.
#[derive(Clone)]
pub struct Data(Arc<dyn AsRef<[u8]> + Send + Sync>);

impl Data {
    /// Takes bytes that some buffer owns.
    pub fn new(bytes: impl AsRef<[u8]> + Send + Sync + 'static) -> Self {
        Data(Arc::new(bytes))
    }
}

impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.bytes().len())
    }
}

impl Payload for Data {
    fn bytes(&self) -> &[u8] {
        (*self.0).as_ref()
    }
}

/// One encoded video frame or audio packet.
#[derive(Clone, Debug)]
pub struct AccessUnit {
    /// Video or audio.
    pub track: TrackKind,
    /// When it is to be shown, on the monotonic clock: the moment it arrived, smoothed by the
    /// camera's own RTP clock. In decode order within a track, so not rising where there are B-frames.
    pub pts: Mono,
    /// How long it lasts, where the stream says so.
    pub duration: Option<Duration>,
    /// Whether decoding can begin here. Always true for audio.
    pub keyframe: bool,
    /// What its decoder must know: the same `Arc` as long as nothing changes.
    pub config: Arc<TrackConfig>,
    /// The encoded bytes.
    pub data: Data,
}

impl AccessUnit {
    /// Size in bytes.
    pub fn len(&self) -> usize {
        self.data.bytes().len()
    }
    /// Whether a GOP begins with it.
    pub fn starts_gop(&self) -> bool {
        self.track == TrackKind::Video && self.keyframe
    }
    /// Whether there are no bytes in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
