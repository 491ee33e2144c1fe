//! What the core is told once, at its start, and the capacities it is built with.

use crate::retention::Threshold;
use core::time::Duration;
use heapless::Vec;

/// Most cameras of one device. Thirty-two 4 Mb/s cameras are 16 MB/s: what a slow USB disk sustains.
pub const MAX_CAMERAS: usize = 32;

/// Most volumes of one device: more than any board has ports for.
pub const MAX_VOLUMES: usize = 8;

/// A camera by its place in the settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CameraIndex(pub u8);

/// A volume by its place in the settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VolumeIndex(pub u8);

/// Which way RTP is to travel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TransportChoice {
    /// TCP first (nothing is lost on the way), UDP if the camera refuses it; whichever worked is kept.
    #[default]
    Auto,
    /// Interleaved in the RTSP connection.
    Tcp,
    /// UDP, unicast.
    Udp,
}

/// A transport as a connection attempt uses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Interleaved in the RTSP connection.
    Tcp,
    /// UDP, unicast.
    Udp,
}

/// One camera, as far as decisions need it. Its URL and password stay with the shell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CameraSettings {
    /// Which way RTP is to travel.
    pub transport: TransportChoice,
    /// The number of the server that it is on: streams at one host and port share it.
    pub host: u8,
    /// The number of the server that its fallback stream is on, if it has one.
    pub fallback: Option<u8>,
}

/// What stands behind a [`VolumeIndex`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VolumeKind {
    /// A path of the configuration: tried from the start, and again for ever.
    Path,
    /// A place that a disk takes when it comes (`VolumeEvent::Attached`) and leaves when it goes.
    Disk,
}

/// How this machine comes to its wall time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClockKind {
    /// Nothing says that it did not run on: a battery, or nobody who would fetch it.
    #[default]
    Kept,
    /// It has no battery, and a time source is asked for it after each start: until that has answered, it is some time of
    /// the past.
    Fetched,
}

/// Everything the core is told at its start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The cameras; a [`CameraIndex`] is a place in this list.
    pub cameras: Vec<CameraSettings, MAX_CAMERAS>,
    /// The places for volumes; a smaller [`VolumeIndex`] is preferred over a larger one.
    pub volumes: Vec<VolumeKind, MAX_VOLUMES>,
    /// The longest retention that is configured for a camera: what a volume is expected to hold.
    pub retention: Duration,
    /// When cleaning begins: until then a volume fills.
    pub cleaning_starts: Threshold,
    /// No access unit for this long is a stall. Default 10 s.
    pub stall: Duration,
    /// How long footage may wait in memory for a disk. Default 30 s.
    pub ring: Duration,
    /// The length of a segment; it ends at the first keyframe after it. Default 60 s.
    pub segment: Duration,
    /// Whether the wall clock runs on while this machine is off.
    pub clock: ClockKind,
    /// A wall clock before this is not to be trusted: the program's build date.
    pub clock_floor: crate::time::Wall,
    /// Start of the injected random generator; the shell takes it from the kernel, a test prints it.
    pub seed: u64,
}
