//! Loop devices and mounts that are gone when their handles are.

use crate::LabError;
use rustix::mount::{UnmountFlags, unmount};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A file as a block device. Detached when it is dropped, or once nobody has it mounted.
#[derive(Debug)]
pub struct LoopDevice(PathBuf);

impl LoopDevice {
    /// Takes the next free loop device. Past the kernel's cache, so that the file gets what the filesystem writes when
    /// it writes it.
    pub fn attach(file: &Path) -> Result<LoopDevice, LabError> {
        let mut command = Command::new("losetup");
        command.args(["--find", "--show", "--direct-io=on"]).arg(file);
        Ok(LoopDevice(PathBuf::from(run(command)?.trim())))
    }

    /// Its path below `/dev`.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Makes an ext4 on it as its tools make it by default, all of it now: nothing is left to be written later by the
    /// kernel, in the middle of a test.
    pub fn make_ext4(&self) -> Result<(), LabError> {
        let mut command = Command::new("mkfs.ext4");
        command.args(["-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0"]).arg(&self.0);
        run(command).map(drop)
    }
}

impl Drop for LoopDevice {
    fn drop(&mut self) {
        // It says nothing that could be acted upon: a device that is mounted still goes with its mount.
        let _ = Command::new("losetup").arg("--detach").arg(&self.0).output();
    }
}

/// A mounted filesystem. Unmounted when it is dropped, whoever uses it.
#[derive(Debug)]
pub struct Mounted(PathBuf);

impl Mounted {
    /// Mounts a device, or a file by the option `loop`, at a directory that exists, with these options.
    pub fn new(device: &Path, at: &Path, options: &[&str]) -> Result<Mounted, LabError> {
        let mut command = Command::new("mount");
        if !options.is_empty() {
            command.arg("-o").arg(options.join(","));
        }
        run({
            command.arg(device).arg(at);
            command
        })?;
        Ok(Mounted(at.to_owned()))
    }

    /// Where it is mounted.
    pub fn at(&self) -> &Path {
        &self.0
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // In good order, so that everything is on the disk; if somebody has files open, without them.
        if unmount(&self.0, UnmountFlags::empty()).is_err() {
            let _ = unmount(&self.0, UnmountFlags::DETACH);
        }
    }
}

/// Runs a tool to its end. What it printed.
fn run(mut command: Command) -> Result<String, LabError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output =
        command.output().map_err(|source| LabError::Io { doing: format!("starting {program}"), source })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(LabError::Child { program, problem: format!("{}: {}", output.status, said.trim()) })
}
