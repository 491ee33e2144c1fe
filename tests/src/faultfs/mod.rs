//! A directory on a disk that fails on demand: any errno, slowness, a hang, no space, read-only, pulled.
//!
//! Words: the **backing** directory holds what is really there; the filesystem shows it at another place, the mount
//! point. A **fault** is what is wrong with it; it lasts until its handle is dropped.
//!
//! ```no_run
//! use holdfast_tests::faultfs::{Call, Fault, FaultFs};
//! # let (backing, at) = (std::path::Path::new("/tmp/a"), std::path::Path::new("/tmp/b"));
//! let disk = FaultFs::mount(backing, at)?;
//! std::fs::write(at.join("file"), "kept")?;
//! let fault = disk.inject(Fault::fails(rustix::io::Errno::IO).on(&[Call::Write]));
//! assert!(std::fs::write(at.join("file"), "lost").is_err());
//! drop(fault);
//! disk.set_capacity(Some(1 << 20)); // 1 MiB, then it is full
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What is true of it, so that a test may rely on it:
//!
//! 1. Nothing is cached: each call of a program reaches the gate, so a fault hits with the next call.
//! 2. One `write` or `writev` of up to 1,000,000 bytes in up to 250 parts is one [`Call::Write`]: a request holds
//!    256 pages, and each part begins a new one. What is longer is several.
//! 3. A call that waits holds up no other, but for the kernel's own rules: one write to one file, one change of one
//!    directory at a time.
//! 4. A sync costs nothing: nobody cuts the lab's power. Inode numbers are those of the backing directory.
//! 5. Locks (flock) are the kernel's own, and no call of this list.
//! 6. Unmounted when it is dropped, with everybody who hangs in it let go. A recorder that hangs cannot be waited for:
//!    hold the fault's handle so that it is dropped before the recorder's (declare it later).

mod fault;
mod gate;
mod serve;
mod space;
mod tree;

pub use fault::{Call, Fault};
pub use gate::{Answer, Seen};

use crate::LabError;
use crate::mount::FuseMount;
use gate::Gate;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;
use tree::Tree;

/// Threads that take calls. Those that wait have a thread each, so this is only for speed.
const THREADS: usize = 2;

/// See the module.
#[derive(Debug)]
pub struct FaultFs {
    // Dropped in this order: unmounted first, which needs the gate open.
    mount: Option<FuseMount>,
    gate: Arc<Gate>,
    tree: Arc<Tree>,
    at: PathBuf,
}

/// A fault that lasts as long as this.
#[derive(Debug)]
#[must_use = "the fault ends when this is dropped"]
pub struct Injected {
    gate: Arc<Gate>,
    key: u64,
}

impl FaultFs {
    /// Shows `backing` at `at`. Both exist; `at` is not inside `backing`.
    ///
    /// # Errors
    /// If it cannot be mounted: it takes root and `/dev/fuse`.
    pub fn mount(backing: &Path, at: &Path) -> Result<FaultFs, LabError> {
        let gate = Arc::new(Gate::default());
        let tree = Tree::new(backing).map_err(|source| LabError::Io {
            doing: format!("reading {} to show it on a disk that fails", backing.display()),
            source,
        })?;
        let tree = Arc::new(tree);
        let server = serve::Server::new(Arc::clone(&gate), Arc::clone(&tree));
        let mount = Some(FuseMount::new(server, at, THREADS)?);
        Ok(FaultFs { mount, gate, tree, at: at.to_owned() })
    }

    /// Where it is mounted.
    pub fn at(&self) -> &Path {
        &self.at
    }

    /// From now on this is wrong, beside what else is: delays add up, and of errors the oldest is answered.
    pub fn inject(&self, fault: Fault) -> Injected {
        Injected { key: self.gate.inject(fault), gate: Arc::clone(&self.gate) }
    }

    /// Ends every fault, whoever holds it.
    pub fn clear(&self) {
        self.gate.end(None);
    }

    /// The disk holds so many bytes and no more; `None`: what the backing directory's disk does. It counts files in
    /// whole blocks of 4096 bytes. What was there counts too: less than that, and it is full.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.tree.set_capacity(bytes);
    }

    /// Bytes in files, in whole blocks.
    pub fn used(&self) -> u64 {
        self.tree.used()
    }

    /// Every call since it was mounted, in the order of coming.
    pub fn log(&self) -> Vec<Seen> {
        self.gate.log()
    }

    /// The calls that came since then.
    pub fn log_since(&self, then: Instant) -> Vec<Seen> {
        self.gate.log_since(then)
    }

    /// How many calls of these kinds came since then.
    pub fn calls_since(&self, then: Instant, calls: &[Call]) -> usize {
        self.gate.count(|seen| seen.at >= then && calls.contains(&seen.call))
    }

    /// How many calls of this kind came at all.
    pub fn count(&self, call: Call) -> usize {
        self.gate.count(|seen| seen.call == call)
    }

    /// How many calls wait for an answer.
    pub fn waiting(&self) -> usize {
        self.gate.count(|seen| seen.answer.is_none())
    }
}

impl Drop for FaultFs {
    fn drop(&mut self) {
        self.clear();
        self.mount = None;
    }
}

impl Injected {
    /// Ends the fault; the same as dropping it, in a word.
    pub fn end(self) {}
}

impl Drop for Injected {
    fn drop(&mut self) {
        self.gate.end(Some(self.key));
    }
}
