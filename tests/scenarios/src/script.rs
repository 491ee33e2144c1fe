//! A story as data: who takes part, and the steps with the lines that they stand in.

use core::time::Duration;
use holdfast_core::disk::Unfit;
use holdfast_core::event::{Cause, Failure, Fault, Health};
use holdfast_core::settings::{CameraSettings, ClockKind, Transport, VolumeKind};
use holdfast_core::time::Wall;

/// The wall time at which a story begins, if it names none: 2027-01-15 08:00:00.
pub const EPOCH: Wall = Wall::from_secs(1_800_000_000);

/// A story.
#[derive(Clone, Debug)]
pub struct Story {
    /// Its first comment: what it tells, and where that was told.
    pub title: Vec<String>,
    /// Who takes part.
    pub cast: Cast,
    /// What happens.
    pub steps: Vec<Step>,
}

/// Who takes part, and what is so from the start.
#[derive(Clone, Debug)]
pub struct Cast {
    /// Cameras by name.
    pub cameras: Vec<(String, CameraSettings)>,
    /// Volumes by name.
    pub volumes: Vec<(String, VolumeKind)>,
    /// Whether the wall clock runs on while the machine is off.
    pub clock: ClockKind,
    /// The wall time at the beginning.
    pub wall: Wall,
    /// What a ring holds.
    pub ring: Duration,
}

/// One line.
#[derive(Clone, Debug)]
pub struct Step {
    /// Its number, from 1.
    pub line: usize,
    /// As it was written.
    pub text: String,
    /// What it says.
    pub act: Act,
}

/// What a line does.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    /// The recorder is started.
    Start,
    /// The recorder ends in good order.
    Stop,
    /// The recorder ends otherwise.
    End(End),
    /// So long nothing else happens.
    After(Duration),
    /// Nothing else happens until this moment of the story.
    At(Duration),
    /// Something becomes of streams: of which cameras, and whether of their fallbacks.
    Stream(Vec<usize>, Which, StreamAct),
    /// Something becomes of volumes.
    Volume(Vec<usize>, VolumeAct),
    /// A disk comes that is left alone.
    Stranger(String, Unfit),
    /// It goes.
    StrangerGoes(String),
    /// Whether any network interface has a carrier.
    Carrier(bool),
    /// So many thousandths of the time are lost to waiting for memory.
    Pressure(u16),
    /// Somebody sets the wall clock by so many microseconds.
    ClockSteps(i64),
    /// A time source answers, and the clock is set by so many microseconds.
    Synchronised(i64),
    /// A person acknowledges every alarm of this name.
    Acknowledge(AlarmName),
    /// What is so now, or within some time.
    Expect(Expectation, Option<Duration>),
}

/// How the recorder ends when nobody ended it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It was killed.
    Crash,
    /// The power went.
    PowerCut,
    /// Memory ran out.
    OutOfMemory,
}

/// Which of a camera's streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// The first, and whatever the camera has as a whole.
    Main,
    /// The second.
    Fallback,
    /// Both.
    Both,
}

/// What becomes of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamAct {
    /// All is well with it from now on.
    Works,
    /// It breaks, or its next attempt does, for this; after that all is well.
    Fails(Failure),
    /// It breaks for this, and so does every attempt.
    Away(Failure),
    /// Nothing comes any more, and nobody answers: a cable is pulled.
    Silent,
    /// It can be connected, and no picture comes.
    Stalls,
    /// It can be connected, with sound alone.
    SoundOnly,
    /// A picture comes, and no keyframe.
    NoKeyframes,
    /// It gives a picture that is damaged, until something is done about it.
    Damaged(Cure),
    /// It gives a picture that never gets to a writer, until something is done about it.
    Jams(Cure),
    /// The timestamps stand still.
    Frozen,
    /// The timestamps leap ahead each second.
    Leaps,
    /// The timestamps run back each second.
    RunsBack,
    /// What a decoder must know changes each second.
    Changes,
    /// The sound stops, the picture goes on.
    NoSound,
    /// It refuses one way for RTP to travel.
    Refuses(Transport),
    /// A track cannot be recorded.
    OddTrack,
    /// Its connections are never torn down in time.
    Clings,
}

/// What ends a trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cure {
    /// A fresh beginning at a keyframe, or more.
    Resume,
    /// A new branch behind the source, or more.
    Rebuild,
    /// A new connection.
    Reconnect,
    /// Only the camera itself.
    Never,
}

/// What becomes of a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VolumeAct {
    /// All is well with it from now on.
    Works,
    /// It fails for this, and at every attempt.
    Fails(Fault),
    /// It fails for this once.
    FailsOnce(Fault),
    /// It fails for this until it is mounted anew.
    FailsUntilMounted(Fault),
    /// No call to it returns.
    Hangs,
    /// It takes so much of what comes, in percent.
    Takes(u32),
    /// Its device goes.
    Pulled,
    /// Its device comes.
    Plugged,
    /// An empty one takes its place.
    Exchanged,
    /// Something torn will be found at its next opening.
    Torn,
    /// Somebody else has files open on it, or no longer.
    Busy(bool),
    /// What SMART says.
    Says(Health),
    /// Cleaning deleted so many bytes.
    Cleaned(u64),
    /// Cleaning finds nothing that it may delete.
    Exhausted,
    /// A person wants it out.
    Eject,
    /// A person wants it used.
    Use,
}

/// An alarm by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlarmName {
    /// Of the table of words.
    pub name: &'static str,
    /// Of which camera, volume or disk.
    pub of: Option<String>,
}

/// What is to be so.
#[derive(Clone, Debug, PartialEq)]
pub enum Expectation {
    /// These cameras have this status.
    Camera(Vec<usize>, CameraState),
    /// These volumes have this status.
    Volume(Vec<usize>, VolumeState),
    /// Footage goes to this volume.
    Footage(Option<usize>),
    /// An alarm stands.
    Alarm(AlarmName),
    /// An alarm does not stand, nor is it kept.
    NoAlarm(AlarmName),
    /// An alarm is over, and kept for a person.
    Kept(AlarmName),
    /// So many alarms stand or are kept.
    Alarms(usize),
    /// Of each of these cameras so much is missing in all, or for a cause.
    Misses(Vec<usize>, Bound, Option<Cause>),
    /// Each of these was tried so often in the last while.
    Tried(Vec<usize>, Bound, Option<Duration>),
    /// No second of the story holds more attempts.
    Rush(usize),
    /// The loop gives signs of life.
    Alive,
    /// What is given up for memory.
    Shed(holdfast_core::effect::Shed),
    /// Whether the wall clock is trusted.
    Clock(bool),
    /// A line of the story so far holds these words.
    Told(String),
    /// None does.
    NotTold(String),
    /// The recorder has ended.
    Finished,
}

/// A bound of what is missing (time) or tried (times).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    /// No more than this.
    AtMost(f64),
    /// No less than this.
    AtLeast(f64),
}

/// A camera's status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CameraState {
    /// An attempt is under way.
    Connecting,
    /// Nothing durable yet.
    Waiting,
    /// Footage becomes durable.
    Recording,
    /// That of its fallback does.
    OnFallback,
    /// It is held in memory.
    Holding,
    /// It is tried again.
    BackingOff,
    /// It was stopped.
    Stopped,
}

/// A volume's status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VolumeState {
    /// No disk is there.
    Absent,
    /// It is being opened.
    Opening,
    /// It takes footage, or could.
    Ready,
    /// It cannot be used, for any fault or for this.
    Faulted(Option<Fault>),
    /// It is being closed for a person.
    Ejecting,
    /// It can be taken out.
    SafeToRemove,
    /// The recorder has ended.
    Closed,
}

/// The words of a camera's status.
pub const CAMERA_STATES: [(&str, CameraState); 7] = [
    ("connecting", CameraState::Connecting),
    ("waiting", CameraState::Waiting),
    ("recording", CameraState::Recording),
    ("on its fallback", CameraState::OnFallback),
    ("holding", CameraState::Holding),
    ("backing off", CameraState::BackingOff),
    ("stopped", CameraState::Stopped),
];

/// The words of a volume's status.
pub const VOLUME_STATES: [(&str, VolumeState); 7] = [
    ("absent", VolumeState::Absent),
    ("opening", VolumeState::Opening),
    ("ready", VolumeState::Ready),
    ("faulted", VolumeState::Faulted(None)),
    ("ejecting", VolumeState::Ejecting),
    ("safe to remove", VolumeState::SafeToRemove),
    ("closed", VolumeState::Closed),
];
