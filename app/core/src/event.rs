//! Events: facts that the shell tells the core. An adapter reports; it does not judge.

use crate::alarm::AlarmKey;
use crate::settings::{CameraIndex, VolumeIndex};
use crate::time::{Mono, Span, Wall};
use heapless::String;
pub use holdfast_wire::cause::{Cause, Failure, Fault};

/// A short text from outside, cut to fit: the name of a codec or of a track.
pub type Label = String<48>;

/// One fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The shell is ready: begin. Sent once, first.
    Start,
    /// About a camera.
    Camera(CameraIndex, CameraEvent),
    /// About a volume.
    Volume(VolumeIndex, VolumeEvent),
    /// Whether the kernel's clock is synchronised to a time source (adjtimex); sent when it changes.
    ClockSynchronised(bool),
    /// A person acknowledged an alarm.
    Acknowledge(AlarmKey),
    /// The timeout that `poll_timeout` gave has come.
    Tick,
    /// End in good order: SIGTERM, or a person's wish.
    Stop,
}

/// What happened to a camera.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CameraEvent {
    /// Media comes: PLAY was answered, and video is on its way. Says which tracks will be recorded.
    Streaming {
        /// A video track will be recorded.
        video: bool,
        /// An audio track will be recorded.
        audio: bool,
    },
    /// Figures of the media path, told about once a second while connected.
    Received {
        /// Arrival of the newest video access unit, if one came on this connection.
        last_video: Option<Mono>,
        /// Video access units since the connection began.
        units: u64,
        /// Keyframes among them.
        keyframes: u64,
    },
    /// A track that cannot be recorded; the rest of the camera goes on.
    Unsupported {
        /// What it is: "video/JPEG", "application/vnd.onvif.metadata".
        track: Label,
    },
    /// The connection or the media path failed. After it the shell tears nothing down by itself.
    Failed(Failure),
    /// What `CameraEffect::Disconnect` asked for is done, or was given up on at its deadline.
    TornDown,
    /// The ring dropped whole GOPs: it was full.
    Dropped {
        /// The wall time that they covered.
        span: Span,
        /// Video access units in them.
        units: u32,
        /// Bytes in them.
        bytes: u64,
    },
}

/// How the time before this session ended, as the ledger of a volume tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Past {
    /// The session before ended in good order.
    Stopped,
    /// It did not, in the same boot of the machine.
    Crashed,
    /// It did not, in an earlier boot.
    PowerLost,
}

/// What happened to a volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VolumeEvent {
    /// It takes footage now. Preceded by a `History` for each camera it knows.
    Ready,
    /// What the ledger says of a camera's past on this volume.
    History {
        /// Which camera.
        camera: CameraIndex,
        /// The end of its newest footage, or where its coverage began.
        covered_until: Wall,
        /// How the session that wrote it ended.
        past: Past,
    },
    /// Something torn was found at opening and mended: footage or ledger lost this many bytes.
    Repaired {
        /// Segments whose tail was cut.
        segments: u32,
        /// Bytes cut from them.
        segment_bytes: u64,
        /// Bytes cut from the ledger.
        ledger_bytes: u64,
    },
    /// Footage of a camera is durable (synced). Told for each fragment.
    Stored {
        /// Which camera.
        camera: CameraIndex,
        /// What it covers in wall time. Follows on from the one before unless frames are missing.
        span: Span,
        /// Video frames in it.
        frames: u32,
        /// Bytes written for it.
        bytes: u64,
    },
    /// It could not be opened, or failed in use; the writer has let go of it. What was not durable is
    /// still in the rings.
    Faulted(Fault),
    /// What `VolumeEffect::Close` asked for is done: everything durable, ledger closed.
    Closed,
}
