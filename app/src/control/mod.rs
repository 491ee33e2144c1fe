//! The way to a running recorder from the same machine: what `holdfast status`, `holdfast volume` and `holdfast protect`
//! ask, and what they are told.
//!
//! Words: a **request** is one line of JSON, an **answer** too; a connection carries one of each. The socket lies in the
//! runtime directory (`[storage] runtime`), is a Unix socket and belongs to the recorder's user and group: nothing listens
//! on the network. It has a directory of its own, since the others there belong to the mount helper.
//!
//! | file | what |
//! |---|---|
//! | this one | requests, answers, and the figures in them: stable, fields are only ever added |
//! | [`client`] | asking |
//! | [`server`] | being asked: a thread of its own, which waits for the loop with a deadline |

pub mod client;
pub mod server;

use holdfast_wire::alarm::{Kind, Severity};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The socket's directory in the runtime directory: the recorder's own, where all else there is the mount helper's.
pub(crate) const DIRECTORY: &str = "control";

/// The socket's name there.
const SOCKET: &str = "control.sock";

/// The longest request. One that protects a span with its note takes 300 bytes.
const MAX_REQUEST: u64 = 4096;

/// The longest answer: 32 cameras, 8 volumes with 256 protected spans each take some 600 kB.
const MAX_ANSWER: u64 = 4 << 20;

/// How long either side waits for the other's line. The recorder's loop answers within milliseconds, and a machine that
/// swaps within seconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where the socket of the recorder with this runtime directory is.
pub fn socket(runtime: &Path) -> PathBuf {
    runtime.join(DIRECTORY).join(SOCKET)
}

/// What can be asked of a recorder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case")]
pub enum Request {
    /// How it is: [`Status`].
    Status,
    /// Close a volume and unmount it, so that it can be pulled.
    Eject {
        /// Its id or the beginning of it, its path, or its device's name.
        volume: String,
    },
    /// Use a volume again that was ejected.
    Use {
        /// As in `Eject`.
        volume: String,
    },
    /// Keep footage from being deleted, on every volume that is in use.
    Protect {
        /// Which camera; all, without it.
        camera: Option<String>,
        /// From when, in microseconds since 1970.
        from: i64,
        /// Until when, in microseconds since 1970.
        to: i64,
        /// Why, at most 64 bytes.
        note: String,
    },
    /// Take a protection back.
    Unprotect {
        /// On which volume, as in `Eject`.
        volume: String,
        /// Its number there.
        number: u32,
    },
    /// Every protection on the volumes that are in use: [`ProtectedSpan`].
    Protected,
}

/// What it says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub enum Answer {
    /// To `Status`.
    Status(Box<Status>),
    /// It is done, or has begun: in words.
    Done {
        /// What.
        text: String,
    },
    /// It is not done: in words, with what can be done.
    Refused {
        /// Why.
        text: String,
    },
    /// To `Protected`.
    Protected {
        /// In the order of volumes and numbers.
        spans: Vec<ProtectedSpan>,
    },
}

/// A recorder at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// The device's name.
    pub device: String,
    /// The program's version.
    pub version: String,
    /// This life of the recorder.
    pub session: String,
    /// Now, by its clock: RFC 3339.
    pub now: String,
    /// Seconds since it began.
    pub uptime_seconds: f64,
    /// Its cameras, in the order of the configuration.
    pub cameras: Vec<CameraStatus>,
    /// Its volumes, the preferred one first.
    pub volumes: Vec<VolumeStatus>,
    /// Disks that are there and not used.
    pub left_alone: Vec<LeftAlone>,
    /// Alarms whose condition holds, the worst first.
    pub alarms: Vec<Alarm>,
}

/// An alarm whose condition holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alarm {
    /// What it tells: `camera-lost`, `volume-full` and so on, as in the journal's field `ALARM`.
    pub kind: Kind,
    /// What it is about; `None` for the recorder as a whole.
    pub subject: Option<Subject>,
    /// `low`, `medium`, `high` or `critical`.
    pub severity: Severity,
    /// When its condition began: RFC 3339.
    pub since: String,
    /// Whether a person has said that they know.
    pub acknowledged: bool,
    /// The same as a sentence, with what exactly is wrong.
    pub text: String,
}

/// What an alarm is about: `{ "camera": "gate" }`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// A camera, by its id.
    Camera(String),
    /// A volume, by its path.
    Volume(String),
    /// A disk, as the kernel calls it.
    Disk(String),
}

impl Subject {
    /// As a field of the journal.
    pub(crate) fn field(self) -> (&'static str, String) {
        match self {
            Subject::Camera(name) => ("CAMERA", name),
            Subject::Volume(name) => ("VOLUME", name),
            Subject::Disk(name) => ("DISK", name),
        }
    }
}

/// A camera at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CameraStatus {
    /// Its id.
    pub id: String,
    /// `connecting`, `waiting`, `recording`, `fallback` (its second stream is recorded), `holding`, `backing-off` or `stopped`.
    pub state: String,
    /// What is wrong with it, if something is.
    pub detail: Option<String>,
    /// Until when its footage is durable: RFC 3339; `None` if none is.
    pub durable_until: Option<String>,
    /// Durable seconds since the recorder began.
    pub durable_seconds: f64,
    /// Bytes in its ring.
    pub held_bytes: u64,
    /// Its second stream; `None` where it has none.
    pub fallback: Option<StreamStatus>,
}

/// A camera's second stream at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamStatus {
    /// `idle` (not wanted while the first one comes), `connecting`, `connected` or `backing-off`.
    pub state: String,
    /// What is wrong with it, if something is.
    pub detail: Option<String>,
}

/// A volume at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VolumeStatus {
    /// Its identity; `None` before it was opened for the first time.
    pub id: Option<String>,
    /// Where it is; `None` for a disk that is gone.
    pub path: Option<String>,
    /// `mount-point`, `directory` or `disk`.
    pub kind: String,
    /// Of a disk or a mount point: what the kernel calls it now.
    pub device: Option<String>,
    /// Of a disk or a mount point: its filesystem.
    pub filesystem: Option<String>,
    /// `absent`, `opening`, `ready`, `faulted`, `ejecting`, `safe-to-remove` or `closed`.
    pub state: String,
    /// What is wrong with it, if something is.
    pub detail: Option<String>,
    /// Whether footage goes there now.
    pub recording: bool,
    /// Bytes free; `None` where it is not open, or would not tell.
    pub free: Option<u64>,
    /// Bytes in all.
    pub total: Option<u64>,
    /// Bytes of footage; `None` until it has been counted.
    pub footage: Option<u64>,
    /// Bytes a second that it takes.
    pub rate: Option<u64>,
    /// Seconds until cleaning begins, at this rate.
    pub seconds_until_full: Option<u64>,
    /// Seconds of footage of all cameras that it can hold, at this rate.
    pub holds_seconds: Option<u64>,
    /// Seconds of footage that the configuration promises.
    pub promised_seconds: Option<u64>,
    /// `good`, `worn` or `failing`; `None` where SMART cannot be read.
    pub health: Option<String>,
}

/// A disk that is not used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftAlone {
    /// What a person calls it.
    pub disk: String,
    /// Why it is not used, and what can be done.
    pub reason: String,
}

/// Footage that no rule deletes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProtectedSpan {
    /// The volume's id.
    pub volume: String,
    /// Its number on that volume.
    pub number: u32,
    /// Which camera; all, without it.
    pub camera: Option<String>,
    /// From when: RFC 3339.
    pub from: String,
    /// Until when: RFC 3339.
    pub to: String,
    /// Since when it is protected: RFC 3339.
    pub since: String,
    /// Why.
    pub note: String,
}

impl VolumeStatus {
    /// Whether a person may mean this one by `name`: its path, its device, or at least four digits of its id.
    pub fn is_called(&self, name: &str) -> bool {
        let device = self.device.as_deref().is_some_and(|device| device == name.trim_start_matches("/dev/"));
        let id = self.id.as_deref().is_some_and(|id| name.len() >= 4 && id.starts_with(name));
        // As a shell completes it.
        let path = if name.len() > 1 { name.trim_end_matches('/') } else { name };
        device || id || self.path.as_deref() == Some(path)
    }
}

/// The place, among these, of the volume that a person means by `name`; `None` if none is.
///
/// # Errors
/// A sentence for the person, if it is more than one.
pub fn find(volumes: &[VolumeStatus], name: &str) -> Result<Option<usize>, String> {
    let mut found = volumes.iter().enumerate().filter(|(_, volume)| volume.is_called(name));
    match (found.next(), found.next()) {
        (Some(_), Some(_)) => Err(format!("more than one volume is called {name}: write more of its id")),
        (found, None) | (found @ None, Some(_)) => Ok(found.map(|(place, _)| place)),
    }
}

#[cfg(test)]
mod tests;
