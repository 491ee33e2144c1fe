//! Effects: what the core decided, as plain data. Each says what the shell owes when it sees one.

use crate::alarm::AlarmNotice;
use crate::event::{Cause, Failure, Fault};
use crate::settings::{CameraIndex, Transport, VolumeIndex};
use crate::time::{Anchor, Mono, Span, Wall};
use core::time::Duration;

/// One decision.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// About a camera.
    Camera(CameraIndex, CameraEffect),
    /// About a camera's fallback stream: `Connect`, `Diagnose`, `Disconnect`, `Resume` and `RebuildBranch` of its own
    /// link.
    Fallback(CameraIndex, CameraEffect),
    /// About a volume.
    Volume(VolumeIndex, VolumeEffect),
    /// From now on the writer takes this camera's GOPs to this volume, from the first one still held in
    /// its ring; with `None`, the ring holds what it can. The shell owes: tell both volumes' writers.
    Route {
        /// Which camera.
        camera: CameraIndex,
        /// Where to.
        to: Option<VolumeIndex>,
    },
    /// Write this into the ledger of that volume. The shell owes: hand it to the writer; it is
    /// durable with the next fragment at the latest.
    Account(VolumeIndex, Entry),
    /// From now on, segments that are opened take their wall time from this anchor.
    SetAnchor(Anchor),
    /// So much less memory is to be used from now on. The shell owes: shrink the rings (`Depth`), keep no audio
    /// (`Audio`); sessions of fallback streams are disconnected by the core itself.
    Shed(Shed),
    /// The loop lives. The shell owes: tell the watchdog. Comes at most once a second, whatever cameras and volumes do.
    Alive,
    /// An alarm changed. The shell owes: log it (later: MQTT, panel).
    Alarm(AlarmNotice),
    /// Everything is closed. The shell owes: leave the loop.
    Finished,
}

/// What is to be done about a camera.
#[derive(Clone, Debug, PartialEq)]
pub enum CameraEffect {
    /// Build the pipeline and connect. The shell owes `Streaming` or `Failed`, however long it takes.
    Connect {
        /// Which way RTP is to travel.
        transport: Transport,
        /// Failed attempts since the camera last recorded: 0 for the first.
        attempt: u32,
        /// Why now.
        why: Reason,
    },
    /// Find out why this attempt got no connection, by another one that says nothing. The shell owes `Failed`; what comes
    /// after a `Disconnect` is not to reach anybody.
    Diagnose,
    /// Tear the pipeline down, off the loop. The shell owes `TornDown` when it is done; a tear-down may hang for
    /// ever, so the core waits for a while only, and what the old connection brings afterwards is not to
    /// reach anybody.
    Disconnect(Reason),
    /// Drop what this link gives until its next keyframe, and begin its time anew; the connection stays. The shell owes
    /// nothing: the next figures tell whether it helped.
    Resume(Reason),
    /// Put new elements behind the RTSP source; the connection stays. The shell owes `Failed(Internal)` if it cannot be done.
    RebuildBranch(Reason),
    /// From this stream's next keyframe on, it is what is recorded; until then the one before goes on. Never told of a
    /// `Fallback`, always of the camera. The shell owes: tell the ring.
    Record(Stream),
    /// To be told, not done: the camera's status changed.
    Status(CameraStatus),
}

/// One of a camera's two streams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stream {
    /// The one that is to be recorded.
    #[default]
    Main,
    /// The second one, recorded while the main one does not come.
    Fallback,
}

/// Why something is done about a link: for people, and for stories that tell why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The recorder starts.
    Start,
    /// The recorder ends.
    Stop,
    /// It failed so.
    Failed(Failure),
    /// It failed so, and had been healthy before: no wait.
    AtOnce(Failure),
    /// It failed so, and its wait is over.
    Waited(Failure),
    /// It has failed so for long: only a look whether it is back.
    Probe(Failure),
    /// It refuses the other transport.
    OtherTransport,
    /// The network is back.
    NetworkBack,
    /// The main stream has been away for long enough.
    MainAway,
    /// The main stream is back and healthy.
    MainBack,
    /// Memory is short.
    MemoryShort,
}

/// What is given up while memory is short, each step with those before it. Main video never is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shed {
    /// All is as configured.
    #[default]
    Nothing,
    /// The rings hold less.
    Depth,
    /// The rings hold no audio.
    Audio,
    /// Fallback streams that nothing is recorded from are not connected.
    Fallback,
}

/// A camera as a person sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CameraStatus {
    /// An attempt to connect is under way.
    Connecting,
    /// Connected; nothing durable yet.
    Waiting,
    /// Its footage becomes durable.
    Recording,
    /// Footage of its fallback stream becomes durable, since the main one does not come.
    OnFallback {
        /// What is wrong with the main one.
        failure: Option<Failure>,
    },
    /// It receives, but its footage has nowhere to go.
    Holding,
    /// It failed and will be tried again.
    BackingOff {
        /// What went wrong last.
        failure: Failure,
        /// When it is tried again.
        until: Mono,
        /// Failed attempts in a row.
        failures: u32,
    },
    /// Stopped on purpose.
    Stopped,
}

/// A camera's second stream as a person sees it. Asked for, not told: [`crate::Appliance::second_stream`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamStatus {
    /// Nobody wants it: the main one comes, or memory is short.
    Idle,
    /// An attempt to connect is under way.
    Connecting,
    /// Media comes.
    Connected,
    /// It failed and will be tried again.
    BackingOff {
        /// What went wrong last.
        failure: Failure,
    },
}

/// What is to be done about a volume.
#[derive(Clone, Debug, PartialEq)]
pub enum VolumeEffect {
    /// Open it: check, repair, read its history. The shell owes `Ready` or `Faulted`.
    Open,
    /// Write out what the rings hold, close every segment and the ledger. The shell owes `Closed` or `Faulted`.
    Close,
    /// Abandon its writer without waiting: the core stopped waiting for it. The shell owes: tell nothing more
    /// of that writer, and answer a later `Open` with `Faulted(Stuck)` while it still hangs.
    Abandon,
    /// Unmount it: no writer has it open. The shell owes `Unmounted` when its mount is gone, also when there was none;
    /// the core waits for a while only.
    Unmount,
    /// Have it checked and mounted again, as if its disk had just come. The shell owes `Attached` if it can be; the
    /// core waits for a while only.
    Mount,
    /// To be told, not done: its status changed. Attempts in between that fail alike are not told.
    Status(VolumeStatus),
    /// To be told, not done: what it will hold, anew about once a minute while it takes footage.
    Forecast(Forecast),
}

/// A volume as a person sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VolumeStatus {
    /// No disk is there.
    Absent,
    /// It is being opened: checked, repaired, read.
    Opening,
    /// It takes footage, or could.
    Ready,
    /// It cannot be used, or has not proved yet that it can again: by footage that became durable on it.
    Faulted {
        /// Why.
        fault: Fault,
        /// When it is tried again first; `None` if only a person or another disk can help.
        until: Option<Mono>,
    },
    /// A person wants it out: it is being closed and unmounted.
    Ejecting,
    /// It is closed, and unmounted if it is a disk: it can be taken out.
    SafeToRemove,
    /// The recorder has ended.
    Closed,
}

/// What a volume will hold, from what comes in now and what is free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forecast {
    /// Bytes a second that it takes from all cameras now.
    pub rate: u64,
    /// Until cleaning begins; `None` if nothing comes in, or not in a hundred years.
    pub until_full: Option<Duration>,
    /// How much footage of all cameras it can hold at this rate, in time; `None` where the rate or the footage is not
    /// known yet.
    pub holds: Option<Duration>,
    /// The longest retention that is configured for a camera.
    pub promised: Duration,
}

/// An entry of the ledger that the core decides on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// Footage of this camera is missing over this span.
    Gap {
        /// Which camera.
        camera: CameraIndex,
        /// The missing span.
        span: Span,
        /// Why.
        cause: Cause,
    },
    /// Footage of this camera is missing from this moment on.
    GapOpened {
        /// Which camera.
        camera: CameraIndex,
        /// First missing moment.
        from: Wall,
        /// Why.
        cause: Cause,
    },
    /// The wall clock was set.
    ClockStepped {
        /// When, in the new time.
        at: Wall,
        /// By how many microseconds, forward positive.
        by_micros: i64,
    },
    /// What was written with times of this span, while the clock was not trusted, happened so much later.
    TimeCorrected {
        /// The first wrong moment.
        from: Wall,
        /// The last one.
        to: Wall,
        /// By how many microseconds they are too early.
        by_micros: i64,
    },
    /// The volume had failed.
    VolumeFaulted {
        /// When.
        at: Wall,
        /// How.
        fault: Fault,
    },
}
