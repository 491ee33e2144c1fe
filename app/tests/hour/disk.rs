//! A filesystem of a size that is chosen: an ext4 in a file, mounted where nobody else sees it.

use rustix::mount::{MountPropagationFlags, UnmountFlags, mount_change, unmount};
use rustix::thread::{UnshareFlags, unshare_unsafe};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs a story in a thread with mounts of its own, which go with it, however it ends; left out, and said, where
/// HOLDFAST_NO_MOUNT is set.
pub fn with_mounts(story: fn()) {
    if std::env::var_os("HOLDFAST_NO_MOUNT").is_some() {
        return eprintln!("NOT TESTED: a story with mounts, since HOLDFAST_NO_MOUNT is set");
    }
    let thread = std::thread::spawn(move || {
        // SAFETY: a mount namespace and the working directory become this thread's own; memory and descriptors stay shared.
        let unshared = unsafe { unshare_unsafe(UnshareFlags::NEWNS | UnshareFlags::FS) };
        unshared.expect(
            "mounting takes root: run as root, or set HOLDFAST_NO_MOUNT=1 to leave this out on purpose",
        );
        mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).unwrap();
        story();
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

/// See the module. Its loop device goes with the mount.
pub struct Ext4 {
    root: PathBuf,
    _folder: tempfile::TempDir,
}

impl Ext4 {
    /// So many MB (of 1024 × 1024 bytes), all of them for whoever writes.
    pub fn new(megabytes: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (image, root) = (folder.path().join("image"), folder.path().join("mount"));
        File::create(&image).unwrap().set_len(megabytes << 20).unwrap();
        fs::create_dir(&root).unwrap();
        run(Command::new("mkfs.ext4").args(["-q", "-F", "-m", "0"]).arg(&image));
        run(Command::new("mount").args(["-o", "loop"]).args([&image, &root]));
        Ext4 { root, _folder: folder }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }
}

impl Drop for Ext4 {
    fn drop(&mut self) {
        let _ = unmount(&self.root, UnmountFlags::DETACH);
    }
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
