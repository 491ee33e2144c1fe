//! What a person would do with a disk after a power cut: repair it, mount it, look.

use super::image::Image;
use super::{Mounted, failed};
use crate::LabError;
use std::path::Path;
use std::process::Command;

/// e2fsck: what it found it has mended. Everything from 4 on is an error that it left, or one of its own.
const MENDED: i32 = 3;

impl Image<'_> {
    /// Repairs it (ext4) as the system does at its start, mounts it read-only, and hands its root to `look`.
    ///
    /// # Errors
    /// If it cannot be repaired or mounted.
    pub fn check<T>(&self, look: impl FnOnce(&Path) -> T) -> Result<T, LabError> {
        self.repair()?;
        let folder = tempfile::tempdir().map_err(failed("making a folder to mount an image at"))?;
        let mounted = Mounted::new(self.path(), folder.path(), &["ro", "loop"])?;
        Ok(look(mounted.at()))
    }

    /// `e2fsck -fy`: a full check that answers yes to every repair. What it said.
    ///
    /// # Errors
    /// If something is wrong that it could not mend.
    pub fn repair(&self) -> Result<String, LabError> {
        let output = Command::new("e2fsck")
            .arg("-fy")
            .arg(self.path())
            .output()
            .map_err(failed("starting e2fsck (package e2fsprogs)"))?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.code().is_some_and(|code| code <= MENDED) {
            return Ok(said);
        }
        let complaint = String::from_utf8_lossy(&output.stderr);
        let problem = format!("{}: {}{said}", output.status, complaint.trim());
        Err(LabError::Child { program: "e2fsck".to_owned(), problem })
    }
}
