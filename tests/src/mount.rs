//! A filesystem that a test serves itself, mounted by FUSE, and gone when its handle is: also when the test panics,
//! and also when somebody hangs in it.
//!
//! The served side lives in the test's own process. If that is killed, the kernel answers everybody who hangs there
//! with an error, and only a dead mount is left, which the next mount of the lab removes.

use crate::LabError;
use fuser::{BackgroundSession, Config, Filesystem, MountOption};
use rustix::mount::{UnmountFlags, unmount};
use std::path::{Path, PathBuf};

/// The kind of mount that the lab's are, in `/proc/mounts`.
const KIND: &str = "holdfast-lab";

/// A mounted filesystem. Unmounted when it is dropped, whoever uses it.
#[derive(Debug)]
pub(crate) struct FuseMount {
    session: Option<BackgroundSession>,
    at: PathBuf,
}

impl FuseMount {
    /// Mounts `filesystem` at a directory that exists, served by this many threads. With one, calls are served in the
    /// order in which the kernel hands them out.
    pub fn new<F: Filesystem>(filesystem: F, at: &Path, threads: usize) -> Result<FuseMount, LabError> {
        remove_dead_ones();
        let mut config = Config::default();
        config.n_threads = Some(threads);
        config.mount_options = vec![
            MountOption::FSName(format!("{KIND}-{}", std::process::id())),
            MountOption::Subtype(KIND.to_owned()),
            MountOption::NoDev,
            MountOption::NoSuid,
        ];
        let session = fuser::spawn_mount(filesystem, at, &config).map_err(|source| LabError::Io {
            doing: format!(
                "mounting a filesystem of the lab at {} (it takes root and /dev/fuse; HOLDFAST_NO_MOUNT=1 leaves such tests out)",
                at.display()
            ),
            source,
        })?;
        Ok(FuseMount { session: Some(session), at: at.to_owned() })
    }
}

impl Drop for FuseMount {
    fn drop(&mut self) {
        // By force: whoever hangs in a call gets an error now. Detached: whoever has files open keeps dead ones.
        let gone = unmount(&self.at, UnmountFlags::FORCE | UnmountFlags::DETACH);
        if let Some(session) = self.session.take().filter(|_| gone.is_ok()) {
            // An error here says that the mount was gone already.
            let _ = session.join();
        }
    }
}

/// Whether tests that mount can do so here. Where they cannot it is their failure that says why, unless somebody set
/// `HOLDFAST_NO_MOUNT`: a test that says nothing there would look like one that passed.
pub fn may_mount(what: &str) -> bool {
    let device = std::fs::OpenOptions::new().read(true).write(true).open("/dev/fuse");
    let able = rustix::process::geteuid().is_root() && device.is_ok();
    if !able && std::env::var_os("HOLDFAST_NO_MOUNT").is_some() {
        eprintln!("NOT TESTED: {what}, since HOLDFAST_NO_MOUNT is set, and FUSE takes root and /dev/fuse");
        return false;
    }
    true
}

/// Removes what tests left that were killed before they could.
fn remove_dead_ones() {
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    for line in mounts.lines() {
        let mut words = line.split(' ');
        let (Some(source), Some(at)) = (words.next(), words.next()) else { continue };
        let owner = source.strip_prefix(KIND).and_then(|rest| rest.strip_prefix('-'));
        // Asked of the process table, not of the mount: one that lives may hang on purpose.
        if owner.is_some_and(|process| !Path::new("/proc").join(process).exists()) {
            // Another test may have been quicker.
            let _ = unmount(at, UnmountFlags::DETACH);
        }
    }
}
