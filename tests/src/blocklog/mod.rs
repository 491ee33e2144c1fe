//! A disk that logs each write and each flush, and what a power cut at any of them would have left.
//!
//! Words: an **entry** is a write or a flush, in the order in which the disk got them. A **cut** is the number of
//! entries that the disk had got when the power went. An **image** is the content of the disk after that.
//!
//! ```no_run
//! use holdfast_tests::blocklog::{BlockLog, LoopDevice, Mounted, Policy};
//! # let at = std::path::Path::new("/mnt");
//! let log = BlockLog::new(256 << 20)?;
//! let device = LoopDevice::attach(log.path())?;
//! device.make_ext4()?;
//! let mounted = Mounted::new(device.path(), at, &["noatime"])?;
//! std::fs::write(at.join("file"), "content")?;
//! let cut = log.len();
//! drop((mounted, device));
//! let mut images = log.images()?;
//! let length = images.at(cut, 7, Policy::Torn)?.check(|root| std::fs::read(root.join("file")).map(|c| c.len()))?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What a disk promises, and the images keep:
//!
//! 1. What it got before a flush that it answered is there after the power cut.
//! 2. Of what it got after the last flush anything may be there: each write whole, not at all, or some of its sectors.
//!    Of a sector that was written twice the older content may be there.
//! 3. A loop device has no cache of its own and no FUA: the kernel makes a write and a flush of that.

mod check;
mod device;
mod image;
mod loops;

pub use image::{Image, Images, Policy};
pub use loops::{LoopDevice, Mounted};

use crate::mount::FuseMount;
use crate::{LabError, lock, wall_micros};
use device::{Server, Store};
use rustix::fs::{FallocateFlags, MemfdFlags, fallocate, ftruncate, memfd_create};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;

/// The unit that a disk writes whole or not at all.
pub const SECTOR: usize = 512;

/// What the disk was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Write these bytes from this byte on.
    Write(u64, Arc<[u8]>),
    /// So many bytes from this byte on become zeros (a discard, or zeros written by one command).
    Zero(u64, u64),
    /// Everything before this is to outlast a power cut.
    Flush,
}

/// An order with its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When it came: microseconds of UTC.
    pub at: i64,
    /// What it was.
    pub order: Order,
}

/// The disk. See the module.
#[derive(Debug)]
pub struct BlockLog {
    // Unmounted before its folder goes.
    _mount: FuseMount,
    _folder: TempDir,
    path: PathBuf,
    size: u64,
    entries: Arc<Mutex<Vec<Entry>>>,
}

impl BlockLog {
    /// A disk of so many bytes, all zeros. Content and log are in memory.
    ///
    /// # Errors
    /// If it cannot be mounted: it takes root and `/dev/fuse`.
    pub fn new(size: u64) -> Result<BlockLog, LabError> {
        let entries = Arc::new(Mutex::new(Vec::new()));
        let content = memory(size).map_err(failed("making room for a disk"))?;
        let (mount, folder, path) = served(Logged { content, entries: Arc::clone(&entries) }, size)?;
        Ok(BlockLog { _mount: mount, _folder: folder, path, size, entries })
    }

    /// The disk as a file, for a loop device.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// How many entries there are: what is in the file system's own memory still is in none of them.
    pub fn len(&self) -> usize {
        lock(&self.entries).len()
    }

    /// Whether nothing was written yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The entries from `from` on, in order.
    pub fn entries(&self, from: usize) -> Vec<Entry> {
        lock(&self.entries).get(from..).unwrap_or_default().to_vec()
    }

    /// When this entry came, in microseconds of UTC; `None` if it has not.
    pub fn entry_time(&self, entry: usize) -> Option<i64> {
        lock(&self.entries).get(entry).map(|entry| entry.at)
    }

    /// How many entries had come by this moment, in microseconds of UTC.
    pub fn len_at(&self, moment: i64) -> usize {
        lock(&self.entries).partition_point(|entry| entry.at <= moment)
    }

    /// Makes images, quickly if the cuts rise.
    pub fn images(&self) -> Result<Images<'_>, LabError> {
        Images::new(self)
    }
}

/// The live disk.
#[derive(Debug)]
struct Logged {
    content: File,
    entries: Arc<Mutex<Vec<Entry>>>,
}

impl Logged {
    fn keep(&self, order: Order) {
        lock(&self.entries).push(Entry { at: wall_micros(), order });
    }
}

impl Store for Logged {
    fn read(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        self.content.read_exact_at(bytes, offset)
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.content.write_all_at(bytes, offset)?;
        self.keep(Order::Write(offset, bytes.into()));
        Ok(())
    }

    fn zero(&self, offset: u64, length: u64) -> io::Result<()> {
        zero(&self.content, offset, length)?;
        self.keep(Order::Zero(offset, length));
        Ok(())
    }

    fn flush(&self) {
        self.keep(Order::Flush);
    }
}

/// A file in memory that is all zeros, and takes no room where it is.
fn memory(size: u64) -> io::Result<File> {
    let file = memfd_create("holdfast-lab-disk", MemfdFlags::CLOEXEC)?;
    ftruncate(&file, size)?;
    Ok(File::from(file))
}

fn zero(file: &File, offset: u64, length: u64) -> io::Result<()> {
    Ok(fallocate(file, FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE, offset, length)?)
}

/// A store as a file in a folder of its own.
fn served(store: impl Store, size: u64) -> Result<(FuseMount, TempDir, PathBuf), LabError> {
    let folder = tempfile::tempdir().map_err(failed("making a folder for a disk"))?;
    // One thread: the log's order is the order of the answers.
    let mount = FuseMount::new(Server::new(store, size), folder.path(), 1)?;
    let path = folder.path().join(device::NAME);
    Ok((mount, folder, path))
}

fn failed(doing: &str) -> impl FnOnce(io::Error) -> LabError + '_ {
    move |source| LabError::Io { doing: doing.to_owned(), source }
}
