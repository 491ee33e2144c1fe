//! The lab: virtual cameras whose every frame is numbered, a reader that says which frames a file holds,
//! and a hand that starts, stops and kills the recorder. Tests drive Holdfast from outside with it.
//!
//! Words: a **mark** is the number inside a frame ([`nal::Mark`]); a **fault** is what a camera does wrong
//! on command; **footage** is what a reader found in recorded files; a **finding** is what is wrong with it.
//!
//! | module | owns |
//! |---|---|
//! | [`command`] | what `holdfast coverage` says, in numbers that were checked to add up |
//! | [`camera`] | a virtual camera: its options, its faults, what it has sent |
//! | [`server`] | the RTSP side of a camera |
//! | [`feeder`] | the thread that sends a clip's frames on an absolute schedule |
//! | [`clip`], [`sound`] | encoded content, made once and kept in a cache |
//! | [`lives`] | what each kill of the recorder cost, and whether the ledger says so |
//! | [`loops`] | disks made of files, and a world of its own for who plays with them |
//! | [`nal`] | NAL units, and the mark |
//! | [`proxy`] | what the network does between a recorder and a camera |
//! | [`paces`] | how fast the recorder comes back to its cameras, by its log |
//! | [`script`] | what is answered in a camera's place |
//! | [`read`], [`boxes`] | what recorded files hold, read independently of the recorder |
//! | [`tap`] | an RTSP client that reads marks as they come |
//! | [`recorder`] | the program under test as a child process |
//! | [`binary`] | where that program is, and that it is the one of these sources |
//! | [`stage`] | a volume, a configuration and a recorder on it, in a folder of their own |
//! | [`report`] | what `holdfast coverage` says, and whether it adds up |
//! | [`scene`] | cameras, a volume and the recorder's lives, for tests of crashes and of volumes |
//! | [`udevd`] | the real udevd, and a stand-in for systemd, in such a world |
//! | [`verify`] | what was sent against what was recorded |
//! | [`hearing`] | sound against picture: nothing missing, both at one time |
//! | [`device`] | a whole device in a world: udev, the helper, the recorder without privileges |
//! | [`dice`] | random numbers from a seed |
//! | [`disk`] | a disk that is plugged in and pulled |
//! | [`faultfs`] | a disk that fails on demand: any errno, slowness, a hang, no space |
//! | [`blocklog`] | a disk that logs each write and flush, and what a power cut leaves of it |
//! | [`mod@bench`] | Holdfast measured beside its rivals |

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub mod bench;
pub mod binary;
pub mod blocklog;
pub mod boxes;
mod cache;
pub mod camera;
pub mod clip;
pub mod command;
pub mod device;
pub mod dice;
pub mod disk;
pub mod faultfs;
pub mod feeder;
pub mod hearing;
pub mod lives;
pub mod loops;
mod mount;
pub mod nal;
pub mod paces;
pub mod proxy;
pub mod read;
pub mod recorder;
pub mod report;
pub mod scene;
pub mod script;
pub mod server;
pub mod sound;
pub mod stage;
pub mod tap;
pub mod udevd;
pub mod verify;
pub mod watch;

pub use mount::may_mount;

/// What can go wrong in the lab itself (never: what is wrong with the program under test).
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// GStreamer could not be started.
    #[error("GStreamer cannot be initialised: {0}; are its packages installed? (make setup)")]
    Gstreamer(#[from] glib::Error),
    /// A clip could not be encoded.
    #[error("encoding a clip failed: {problem}; pipeline: {pipeline}")]
    Encode {
        /// The pipeline as gst-launch would take it.
        pipeline: String,
        /// What GStreamer said.
        problem: String,
    },
    /// A clip is not what was asked for.
    #[error("clip {clip} {problem}; remove it from the clip cache and try again")]
    Clip {
        /// Its name in the cache.
        clip: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The clip cache cannot be written.
    #[error("keeping a clip in {} failed", path.display())]
    Cache {
        /// Where.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A camera could not be put on its port.
    #[error("camera {camera} cannot be served on port {port}: {problem}")]
    Serve {
        /// Its name.
        camera: String,
        /// The TCP port asked for; 0 is any.
        port: u16,
        /// What went wrong.
        problem: String,
    },
    /// A client pipeline of the lab failed.
    #[error("watching {url} failed: {problem}")]
    Watch {
        /// What was watched.
        url: String,
        /// What GStreamer said.
        problem: String,
    },
    /// Something with a file or a child process failed.
    #[error("{doing} failed")]
    Io {
        /// The operation and its object.
        doing: String,
        /// Why.
        source: std::io::Error,
    },
    /// A child process did not do what it was to do.
    #[error("{program}: {problem}")]
    Child {
        /// Which program.
        program: String,
        /// What happened, with what it wrote to stderr.
        problem: String,
    },
}

/// Starts GStreamer; may be called any number of times.
pub fn init() -> Result<(), LabError> {
    gstreamer::init().map_err(LabError::from)
}

/// The wall clock: microseconds of UTC since 1970.
pub fn wall_micros() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// Looks every 20 ms whether `condition` holds, for at most `deadline`. Whether it did.
///
/// A test waits for a condition with this, and never by a fixed sleep.
pub fn wait_until(deadline: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + deadline;
    loop {
        if condition() {
            return true;
        }
        if Instant::now() >= end {
            return false;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Cargo's target folder that the running program was built into, if it lies in one.
pub(crate) fn target_dir() -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?;
    program.ancestors().find(|folder| folder.join("CACHEDIR.TAG").is_file()).map(PathBuf::from)
}

/// Locks; a holder that panicked has failed its test already, and the data is still whole enough to report.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
