//! The configuration: read once, checked whole, and never holding a password where it could be shown.
//!
//! Words: a **problem** is one thing that is wrong, with its place, what would be right and what to do;
//! **credentials** are a user and a password, kept apart from the URL they are for; a **reference** is
//! the name by which a camera finds its credentials in the secrets file or among systemd's.
//!
//! [`load`] reads a file and tells *every* problem at once. The file is not read through serde: its
//! errors stop at the first and cannot point at a second place. What each key means, its unit, range
//! and default, is in `app/docs/configuration.md`; `app/docs/holdfast.example.toml` is a file to start from.

mod problem;
mod quantity;
mod secret;
mod secrets;
mod sections;
mod source;
mod storage;
#[cfg(test)]
mod tests;
mod url;
mod walk;

pub use problem::{Excerpt, Place, Problem, Severity};
pub use quantity::{parse_duration, parse_size, show_duration, show_size};
pub use secret::{Credentials, CredentialsError, Secret};
pub use storage::RUNTIME;
pub(crate) use storage::unfit as unfit_for_a_volume;
pub use url::{MAX_URL, Parsed as ParsedUrl, RtspUrl, UrlError};

use holdfast_core::settings::TransportChoice;
use holdfast_wire::ids::Name;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;
use toml::de::DeTable;
use zeroize::Zeroizing;

/// Most bytes of a configuration file: 32 cameras with long URLs are a tenth of it.
const MAX_BYTES: u64 = 1 << 20;

/// Bounds of `[limits]`, with their reasons.
pub mod limits {
    use std::ops::RangeInclusive;
    use std::time::Duration;

    /// Below 10 s most cameras' GOPs are longer than a segment; above 10 minutes a player takes long to
    /// open a file and retention deletes in large steps.
    pub const SEGMENT: RangeInclusive<Duration> = Duration::from_secs(10)..=Duration::from_secs(600);
    /// Each fragment costs a sync: below 500 ms a memory card wears and slows; above 5 s a power cut
    /// costs more than anyone expects.
    pub const FRAGMENT: RangeInclusive<Duration> = Duration::from_millis(500)..=Duration::from_secs(5);
    /// Below 2 s one slow sync costs footage; above 5 minutes no memory bounds it before its bytes do.
    pub const RING: RangeInclusive<Duration> = Duration::from_secs(2)..=Duration::from_secs(300);
    /// Below 8 MiB the ring does not hold one 10 s GOP of a 6 Mb/s camera, and would drop everything;
    /// 1 GiB is 5 minutes of 28 Mb/s.
    pub const RING_BYTES: RangeInclusive<u64> = (8 << 20)..=(1 << 30);
    /// Below 64 MiB there is no room for one camera beside the program; 1 TiB catches a wrong unit.
    pub const MEMORY: RangeInclusive<u64> = (64 << 20)..=(1 << 40);
    /// Below 3 s a camera that changes its resolution counts as stalled; above 2 minutes a dead one is
    /// noticed too late for its alarm (10 s) to mean anything.
    pub const STALL: RangeInclusive<Duration> = Duration::from_secs(3)..=Duration::from_secs(120);
    /// Below an hour a person cannot look at what happened before it is gone; ten years are longer than disks live.
    pub const KEEP: RangeInclusive<Duration> = Duration::from_secs(3600)..=Duration::from_secs(3653 * 86_400);
    /// Below 16 MiB there is no room for a segment of each camera while it is cleaned; 1 TiB catches a wrong unit.
    pub const CLEAN: RangeInclusive<u64> = (16 << 20)..=(1 << 40);
    /// Below 1 % filesystems slow down and fragment; above a half most of the disk would be bought for nothing.
    pub const CLEAN_SHARE: RangeInclusive<u8> = 1..=50;
}

/// Everything the recorder is told by its configuration. Its `Debug` shows no password.
#[derive(Clone, Debug)]
pub struct Config {
    /// The device's name.
    pub device: Name,
    /// Names that the device had before: volumes that it adopted under one of them are still its own.
    pub formerly: Vec<Name>,
    /// 1 to 32 cameras with different ids, in the order of the file.
    pub cameras: Vec<CameraConfig>,
    /// At most 8 volumes with different paths; an earlier one is preferred over a later one, and all are over disks.
    pub volumes: Vec<VolumeConfig>,
    /// Disks that come by themselves.
    pub storage: StorageConfig,
    /// What is deleted when.
    pub retention: RetentionConfig,
    /// Sizes and times.
    pub limits: Limits,
}

/// One camera.
#[derive(Clone, Debug)]
pub struct CameraConfig {
    /// Its name: a directory, a topic, a field in the journal.
    pub id: Name,
    /// Where its stream is, without user and password.
    pub url: RtspUrl,
    /// Who we are to it; `None` for a camera that asks nobody.
    pub credentials: Option<Credentials>,
    /// A second stream for when the first is lost.
    pub fallback: Option<Fallback>,
    /// Which way RTP is to travel.
    pub transport: TransportChoice,
    /// Whether its sound is recorded too.
    pub audio: bool,
    /// How long its footage is kept, if not as long as that of all.
    pub keep: Option<Duration>,
}

/// A camera's second stream.
#[derive(Clone, Debug)]
pub struct Fallback {
    /// Where it is, without user and password.
    pub url: RtspUrl,
    /// Who we are to it: those of its own URL, else the camera's.
    pub credentials: Option<Credentials>,
}

/// One volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumeConfig {
    /// Where it is: absolute, without `..`.
    pub path: PathBuf,
    /// What is to be there.
    pub kind: PlaceKind,
}

/// What is to be at the path of a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlaceKind {
    /// A disk is mounted there (`path`). Where none is, nothing is written.
    MountPoint,
    /// A plain directory, which may lie on the system's own disk (`directory`).
    Directory,
}

/// `[storage]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorageConfig {
    /// Whether disks that come and are marked for recording are used.
    pub disks: bool,
    /// Where the recorder, the mount helper and the command line meet: mounts, reports, requests, the control socket.
    pub runtime: PathBuf,
}

/// `[retention]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetentionConfig {
    /// How long footage is kept, where a camera has no time of its own.
    pub keep: Duration,
    /// How old footage has to be at least to be deleted first when a volume is full in spite of cleaning.
    pub emergency: Duration,
    /// Cleaning begins when less is free.
    pub clean_below: Share,
    /// Cleaning ends when this much is free.
    pub clean_until: Share,
}

/// A part of a volume: so many bytes or so many percent of it, whichever is less.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Bytes.
    pub bytes: u64,
    /// Percent of the whole.
    pub percent: u8,
}

impl Default for RetentionConfig {
    /// The defaults of the design: see its table.
    fn default() -> Self {
        RetentionConfig {
            keep: storage::KEEP,
            emergency: Duration::from_secs(7 * 86_400),
            clean_below: Share { bytes: 5 << 30, percent: 5 },
            clean_until: Share { bytes: 10 << 30, percent: 10 },
        }
    }
}

/// Sizes and times. The bounds are in [`limits`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Length of a segment; it ends at the first keyframe after.
    pub segment: Duration,
    /// Length of a fragment: what a power cut may cost.
    pub fragment: Duration,
    /// What a camera's ring may hold, in time.
    pub ring: Duration,
    /// What a camera's ring may hold, in bytes.
    pub ring_bytes: u64,
    /// The memory that the rings' total is reckoned from.
    pub memory: Memory,
    /// No access unit for this long is a stall.
    pub stall: Duration,
}

/// The memory given to the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory {
    /// What the machine and the service's cgroup allow: [`crate::host::memory`].
    Auto,
    /// So many bytes.
    Bytes(u64),
}

impl Default for Limits {
    /// The defaults of the design: see its table.
    fn default() -> Self {
        Limits {
            segment: Duration::from_secs(60),
            fragment: Duration::from_secs(1),
            ring: Duration::from_secs(30),
            ring_bytes: 64 << 20,
            memory: Memory::Auto,
            stall: Duration::from_secs(10),
        }
    }
}

/// A configuration file after reading.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The configuration, if there was no error.
    pub config: Option<Config>,
    /// Every problem, in the order of the file, then those of the secrets file.
    pub problems: Vec<Problem>,
}

impl Checked {
    /// How many problems are errors.
    pub fn errors(&self) -> usize {
        self.problems.iter().filter(|problem| problem.severity == Severity::Error).count()
    }
    /// How many problems are warnings.
    pub fn warnings(&self) -> usize {
        self.problems.len() - self.errors()
    }
}

/// Reads and checks a file. `credentials` is the directory of systemd's credentials
/// (`$CREDENTIALS_DIRECTORY`), if there is one. A file that cannot be read is a problem like any other.
pub fn load(path: &Path, credentials: Option<&Path>) -> Checked {
    let shown = path.display().to_string();
    match read(path) {
        Ok(text) => check(&shown, &text, path.parent().unwrap_or(Path::new("")), credentials),
        Err(error) => Checked {
            config: None,
            problems: vec![Problem::error(&shown, format!("the configuration cannot be read: {error}"))],
        },
    }
}

/// Reads the device's name and its former ones alone, for programs that record nothing: a mistake in a camera's section is no hindrance.
///
/// # Errors
/// In one line: the file cannot be read, or its `[device]` is not in order.
pub fn device(path: &Path) -> Result<(Name, Vec<Name>), String> {
    let shown = path.display().to_string();
    let text = read(path).map_err(|error| format!("{shown} cannot be read: {error}"))?;
    let (document, syntax) = DeTable::parse_recoverable(&text);
    let mut walk = walk::Walk::new(source::Source::of_configuration(&shown, &text), &syntax);
    // Keys that it does not know are the business of `holdfast check`.
    let known: Vec<String> = document.get_ref().keys().map(|key| key.get_ref().to_string()).collect();
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    let whole = walk.section("the file".to_owned(), 0, document.get_ref(), &known, |_| None);
    let device = sections::device(&mut walk, &whole);
    let problems = walk.into_problems();
    let first = problems.iter().find(|problem| problem.severity == Severity::Error);
    match (device, first) {
        (Some(device), None) => Ok(device),
        (_, Some(problem)) => Err(problem.one_line()),
        (None, None) => Err(format!("{shown} does not say the device's name")),
    }
}

/// Checks a text that came from `file` (as messages name it), in `directory`.
pub fn check(file: &str, text: &str, directory: &Path, credentials: Option<&Path>) -> Checked {
    const KEYS: [&str; 7] = ["device", "camera", "volume", "storage", "retention", "limits", "secrets"];
    let (document, syntax) = DeTable::parse_recoverable(text);
    let mut walk = walk::Walk::new(source::Source::of_configuration(file, text), &syntax);
    let whole = walk.section("the file".to_owned(), 0, document.get_ref(), &KEYS, |key| match key {
        "cameras" => Some("write [[camera]], once for each camera"),
        "volumes" => Some("write [[volume]], once for each volume"),
        _ => None,
    });
    let mut vault = secrets::Vault::new(credentials);
    let secrets_problems = sections::secrets_file(&mut walk, &whole, directory)
        .map(|path| vault.read_file(&path))
        .unwrap_or_default();
    let device = sections::device(&mut walk, &whole);
    let cameras = sections::cameras(&mut walk, &whole, &vault);
    let volumes = storage::volumes(&mut walk, &whole);
    let storage = storage::storage(&mut walk, &whole, whole.find("volume").is_some());
    let retention = storage::retention(&mut walk, &whole);
    let limits = sections::limits(&mut walk, &whole, cameras.len());
    walk.adopt(secrets_problems);
    let mut checked = Checked { config: None, problems: walk.into_problems() };
    if checked.errors() == 0 {
        checked.config = device.map(|(device, formerly)| Config {
            device,
            formerly,
            cameras,
            volumes,
            storage,
            retention,
            limits,
        });
    }
    checked
}

fn read(path: &Path) -> std::io::Result<Zeroizing<String>> {
    let mut bytes = Zeroizing::new(Vec::new());
    File::open(path)?.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(std::io::Error::other(format!("it is larger than {} KiB", MAX_BYTES >> 10)));
    }
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(error) => Err(std::io::Error::other(format!(
            "it is not UTF-8 (at byte {}); is it a text file?",
            error.valid_up_to()
        ))),
    }
}
