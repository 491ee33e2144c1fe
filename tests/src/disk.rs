//! A disk that a test plugs in and pulls: an image behind a loop device, with a **wire** between them that breaks.
//!
//! A loop device that is in use cannot be taken from the kernel, and what its filesystem still holds would be written to the
//! image later, under the feet of the next mount. So the image is reached through a filesystem of the lab's own, one for
//! each time that it is plugged in: when that is cut off, every access fails from then on, as with a cable in the hand.

use crate::faultfs::{Fault, FaultFs, Injected};
use crate::loops::{self, Loop, Pulled};
use crate::{LabError, scene};
use std::fs;
use std::path::{Path, PathBuf};

/// The image's name in its folder.
const IMAGE: &str = "disk.img";

/// See the module. Pulled when it is dropped.
#[derive(Debug)]
pub struct Disk {
    folder: PathBuf,
    plugged: Option<Plugged>,
    /// Pulled ones that somebody still used then: they keep their numbers, so that the next one gets another.
    gone: Vec<Loop>,
    times: u32,
}

#[derive(Debug)]
struct Plugged {
    device: Loop,
    wire: FaultFs,
}

impl Disk {
    /// A disk of `bytes` with a fresh filesystem on it (see [`loops::format`]), not plugged in. `folder` is made.
    ///
    /// # Errors
    /// Mostly that the program that formats is not installed.
    pub fn new(folder: &Path, bytes: u64, kind: &str, label: &str) -> Result<Disk, LabError> {
        let disk = Disk::empty(folder)?;
        loops::image(&disk.image(), bytes)?;
        loops::format(&disk.image(), kind, label)?;
        Ok(disk)
    }

    /// A copy of this one as `dd` makes it. `folder` is made.
    pub fn copy(&self, folder: &Path) -> Result<Disk, LabError> {
        let copy = Disk::empty(folder)?;
        loops::run("cp", [Path::new("--sparse=always"), &self.image(), &copy.image()])?;
        Ok(copy)
    }

    fn empty(folder: &Path) -> Result<Disk, LabError> {
        scene::make_folder(folder)?;
        scene::make_folder(&folder.join("image"))?;
        Ok(Disk { folder: folder.to_owned(), plugged: None, gone: Vec::new(), times: 0 })
    }

    /// Where its content lies, to be changed while it is not plugged in.
    pub fn image(&self) -> PathBuf {
        self.folder.join("image").join(IMAGE)
    }

    /// Plugs it in. The kernel's name of it: another one each time that it was pulled while it was in use.
    pub fn plug(&mut self) -> Result<String, LabError> {
        self.times += 1;
        let at = self.folder.join(format!("wire-{}", self.times));
        scene::make_folder(&at)?;
        let wire = FaultFs::mount(&self.folder.join("image"), &at)?;
        let device = Loop::attach(&at.join(IMAGE))?;
        let name = device.name();
        self.plugged = Some(Plugged { device, wire });
        Ok(name)
    }

    /// The kernel's name of it, while it is plugged in.
    pub fn name(&self) -> Option<String> {
        self.plugged.as_ref().map(|plugged| plugged.device.name())
    }

    /// Its device file, while it is plugged in.
    pub fn node(&self) -> Option<PathBuf> {
        self.plugged.as_ref().map(|plugged| plugged.device.node())
    }

    /// From now on this is wrong with it, while it is plugged in: calls are those of whoever reads and writes its blocks.
    /// `None` if it is not plugged in.
    pub fn inject(&self, fault: Fault) -> Option<Injected> {
        self.plugged.as_ref().map(|plugged| plugged.wire.inject(fault))
    }

    /// Pulls it: nothing can be read or written any more, and then the kernel tells that it is gone. How it went; `None` if
    /// it was not plugged in.
    pub fn pull(&mut self) -> Result<Option<Pulled>, LabError> {
        let Some(Plugged { device, wire }) = self.plugged.take() else { return Ok(None) };
        drop(wire);
        let (how, left) = device.pull()?;
        self.gone.extend(left);
        Ok(Some(how))
    }

    /// The same while it is perhaps just being mounted: nobody who looks into it is waited for.
    pub fn snatch(&mut self) -> Result<(), LabError> {
        let Some(Plugged { device, wire }) = self.plugged.take() else { return Ok(()) };
        drop(wire);
        self.gone.push(device.pull_in_name()?);
        Ok(())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // An error here has nobody to hear it, and whoever made the world sweeps it.
        let _ = self.pull();
        self.gone.clear();
        let _ = fs::remove_dir_all(&self.folder);
    }
}
