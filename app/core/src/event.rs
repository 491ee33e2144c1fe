//! Events: facts that the shell tells the core. An adapter reports; it does not judge.

use crate::alarm::AlarmKey;
use crate::disk::Unfit;
use crate::settings::{CameraIndex, VolumeIndex};
use crate::time::{Mono, Span, Wall};
use core::time::Duration;
use heapless::String;
pub use holdfast_wire::cause::{Cause, Failure, Fault};
pub use holdfast_wire::retention::Rule;

/// A short text from outside, cut to fit: the name of a codec or of a track.
pub type Label = String<48>;

/// One fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The shell is ready: begin. Sent once, first.
    Start,
    /// About a camera.
    Camera(CameraIndex, CameraEvent),
    /// About a camera's fallback stream: a link of its own, told in the same words. `Unsupported` and `Dropped` are told of
    /// the camera.
    Fallback(CameraIndex, CameraEvent),
    /// About a volume.
    Volume(VolumeIndex, VolumeEvent),
    /// Whether any network interface but loopback has a carrier; sent at start and when it changes.
    Carrier(bool),
    /// For how much of the last ten seconds some task of this service waited for memory, in thousandths (PSI, "some
    /// avg10"); told about once a second.
    MemoryPressure(u16),
    /// A filesystem or disk came that Holdfast does not write to: it is named to a person and left alone.
    DiskLeftAlone {
        /// What a person calls it: "sdb1", "sdb1 (NTFS, PHOTOS)".
        disk: Label,
        /// Why.
        reason: Unfit,
    },
    /// A disk came that is to be used and cannot be: the mount helper says why.
    DiskFailed {
        /// What a person calls it.
        disk: Label,
        /// Why.
        fault: Fault,
    },
    /// One that had been left alone, or had failed, is gone, or is used now.
    DiskGone {
        /// As it was told.
        disk: Label,
    },
    /// Whether the kernel's clock is synchronised to a time source; sent at start and when it changes.
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
    Received(StreamFigures),
    /// A track that cannot be recorded; the rest of the camera goes on.
    Unsupported {
        /// What it is: "video/JPEG", "application/vnd.onvif.metadata".
        track: Label,
    },
    /// The attempt got no connection, and what made it does not say why: [`crate::effect::CameraEffect::Diagnose`] can
    /// find out. Of a link that is up: its connection is gone, and could not be had again.
    NoConnection,
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

/// Figures of one connection, all counted since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamFigures {
    /// Arrival of the newest video access unit, if one came.
    pub last_video: Option<Mono>,
    /// Video access units.
    pub units: u64,
    /// Keyframes among them.
    pub keyframes: u64,
    /// Arrival of the newest audio access unit, if one came.
    pub last_audio: Option<Mono>,
    /// Video access units that are not whole or not well-formed.
    pub damaged: u64,
    /// How often what a video decoder must know changed.
    pub formats: u64,
    /// How often timestamps leapt ahead.
    pub jumps: u64,
    /// How often timestamps ran back.
    pub backwards: u64,
    /// Whether they stand still now. The access units are timed by their arrival then.
    pub frozen: bool,
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
    /// It ended since it had run out of memory.
    OutOfMemory,
}

/// What happened to a volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VolumeEvent {
    /// It takes footage now. Preceded by a `History` for each camera it knows.
    Ready,
    /// The newest moment that its ledger knew when it was opened. Told before `History`.
    LedgerEnds {
        /// That moment.
        at: Wall,
    },
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
    /// Its filesystem is there: mounted by the helper, or seen at a path of the configuration. For a disk this begins
    /// its life in the slot; for a path it is an occasion to try again at once.
    Attached,
    /// Its device is gone, or its mount without our having asked for it. Whatever its writer does now is in vain. A
    /// mount that goes since `VolumeEffect::Unmount` was asked for is `Unmounted`; then `Detached` means the device.
    Detached,
    /// What comes to this place next is another volume than the one before: nothing that was known of that one
    /// counts. Told while nothing is there, before `Attached`.
    Replaced,
    /// Figures of its writer, told about once a second while one is open.
    Figures(VolumeFigures),
    /// A writer that had been abandoned has ended at last: the volume can be opened again.
    Released,
    /// Segments were deleted by a rule; each is in the ledger.
    Deleted {
        /// By which rule.
        rule: Rule,
        /// How many.
        segments: u32,
        /// Bytes freed.
        bytes: u64,
    },
    /// Cleaning found nothing more that it may delete, and less than it needs is free: a person is needed.
    Exhausted {
        /// Bytes that are still to be freed.
        wanted: u64,
        /// Bytes of protected footage.
        protected: u64,
    },
    /// Its ledger ends earlier than what was durable on it in this session: an older copy, or a disk that lost what it
    /// had synced. It is used, and tells its own truth.
    WentBack,
    /// A person wants to take it out: from the button, MQTT or the command line.
    Eject,
    /// A person wants an ejected one to be used again.
    Use,
    /// What `VolumeEffect::Unmount` asked for is done. Counts also when it comes later than the core waited for it.
    Unmounted,
    /// What `VolumeEffect::Unmount` asked for was refused: somebody else has files open on it. It is still mounted.
    KeptMounted,
    /// What SMART says of its disk; told when it changes.
    Health(Health),
}

/// Figures of a volume in use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VolumeFigures {
    /// How long the call to the disk that is under way has lasted; zero if none is.
    pub busy: Duration,
    /// The longest call to the disk that ended since the figures before.
    pub slowest: Duration,
    /// How full the fullest ring that it is to empty is, in percent of its bytes or its time, whichever is more.
    pub fill: u8,
    /// Bytes free to an ordinary user; `None` if the filesystem would not tell.
    pub free: Option<u64>,
    /// Bytes in all; `None` if the filesystem would not tell.
    pub total: Option<u64>,
    /// Bytes of footage on it that a rule might delete; `None` until all of it has been counted.
    pub footage: Option<u64>,
}

/// A disk's own opinion of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// SMART says that it passes.
    Good,
    /// It works, but shows signs that go before failures: pending or reallocated sectors, media errors, spare used up.
    Worn,
    /// SMART says that it fails.
    Failing,
}
