//! Appending to a ledger.
//!
//! Records are gathered and written with one call; [`LedgerWriter::sync`] makes them durable. A
//! record goes to the file of the month in which it is appended, but never to an earlier one than the
//! newest there is: so the order of files is the order of writing, whatever the clock does. (A clock
//! that was once set to 2038 keeps the ledger in the file `2038-01`: unsightly, and true.)

use super::history::{self, History};
use super::read::{self, FileEnd};
use crate::volumes::{VolumeError, layout, sync_directory};
use holdfast_wire::cause::Fault;
use holdfast_wire::frame::{MAX_FRAME, encode};
use holdfast_wire::ledger::{Record, Repaired};
use holdfast_wire::time::Wall;
use layout::Month;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Bytes gathered before they are written even without a sync: a minute of 32 cameras is 4 KB.
const GATHER: usize = 64 * 1024;

/// The ledger is summed up after so many bytes: a tenth of a second of reading at the next opening, and five times a day
/// with 32 cameras.
const CHECKPOINT_EVERY: u64 = 1 << 20;

/// Appends records to the ledger of one volume, whose lock the caller holds.
///
/// After an error of [`LedgerWriter::sync`] it must be dropped and the ledger opened anew: Linux tells
/// of a failed write-back only once, and what was in the page cache may be gone.
#[derive(Debug)]
pub struct LedgerWriter {
    directory: PathBuf,
    month: Month,
    path: PathBuf,
    file: File,
    /// Bytes of the file that have been written. A write that failed half way is written over.
    length: u64,
    gathered: Vec<u8>,
    /// What all records come to, also those that are only gathered.
    history: History,
    /// Bytes written since the last checkpoint.
    since_checkpoint: u64,
}

impl LedgerWriter {
    /// Opens the ledger at `root` and makes one if there is none. A torn tail of the newest file is cut
    /// off, and a [`Repaired::LedgerTail`] says so; gives back how many bytes were cut.
    pub fn open(root: &Path, at: Wall) -> Result<(Self, u64), VolumeError> {
        Self::open_telling(root, at, &mut Vec::new())
    }

    /// The same; what of the ledger could not be read is told in `problems`, in sentences for the log.
    pub fn open_telling(
        root: &Path,
        at: Wall,
        problems: &mut Vec<String>,
    ) -> Result<(Self, u64), VolumeError> {
        let months = read::months(root)?;
        let (history, end) = History::read(root, &months, problems)?;
        let month = months.last().copied().unwrap_or(Month::of(at));
        Self::open_in(layout::ledger(root), month, (history, end), at)
    }

    /// Opens a new ledger in a directory that is not yet the volume's ledger: for a rebuild.
    pub(super) fn create_in(directory: PathBuf, at: Wall) -> Result<Self, VolumeError> {
        let nothing = (History::default(), FileEnd::default());
        Self::open_in(directory, Month::of(at), nothing, at).map(|(writer, _)| writer)
    }

    fn open_in(
        directory: PathBuf,
        month: Month,
        (history, end): (History, FileEnd),
        at: Wall,
    ) -> Result<(Self, u64), VolumeError> {
        match fs::create_dir(&directory) {
            Ok(()) => sync_directory(directory.parent().unwrap_or(&directory))?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(VolumeError::io("create", &directory, error)),
        }
        let (path, file) = open_month(&directory, month)?;
        let (length, gathered, since_checkpoint) = (end.good, Vec::new(), 0);
        let mut writer =
            LedgerWriter { directory, month, path, file, length, gathered, history, since_checkpoint };
        let cut = end.length - end.good;
        if cut > 0 {
            let mended = writer.file.set_len(end.good).and_then(|()| writer.file.sync_all());
            mended.map_err(|error| VolumeError::io("cut the torn tail of", &writer.path, error))?;
            writer.append(at, &Record::Repaired(Repaired::LedgerTail { at, bytes: cut }))?;
        }
        Ok((writer, cut))
    }

    /// Appends a record at wall time `at` (which only chooses the file). It is gathered; it becomes
    /// durable with the next [`LedgerWriter::sync`].
    pub fn append(&mut self, at: Wall, record: &Record) -> Result<(), VolumeError> {
        let month = Month::of(at);
        if month > self.month {
            self.sync()?; // before the next file exists: a reader meets no gap between the two
            let (path, file) = open_month(&self.directory, month)?;
            (self.month, self.path, self.file, self.length) = (month, path, file, 0);
        }
        let mut buffer = [0; MAX_FRAME];
        let frame = encode(record, &mut buffer).map_err(|error| {
            VolumeError::found(Fault::Damaged, "append to", &self.path, error.to_string())
        })?;
        self.gathered.extend_from_slice(frame);
        self.history.take(record);
        if self.gathered.len() >= GATHER { self.write() } else { Ok(()) }
    }

    /// Whether everything appended has been handed to the system.
    pub fn is_written(&self) -> bool {
        self.gathered.is_empty()
    }

    /// Writes what was gathered. After an error it is still held, and the next call writes it again to
    /// the same place.
    pub fn write(&mut self) -> Result<(), VolumeError> {
        if self.gathered.is_empty() {
            return Ok(());
        }
        let written = self.file.write_all_at(&self.gathered, self.length);
        written.map_err(|error| VolumeError::io("append to", &self.path, error))?;
        self.length += self.gathered.len() as u64;
        self.since_checkpoint += self.gathered.len() as u64;
        self.gathered.clear();
        Ok(())
    }

    /// Writes what was gathered and waits until it is durable (fdatasync).
    pub fn sync(&mut self) -> Result<(), VolumeError> {
        self.write()?;
        self.file.sync_data().map_err(|error| VolumeError::io("sync", &self.path, error))?;
        if self.since_checkpoint >= CHECKPOINT_EVERY { self.checkpoint() } else { Ok(()) }
    }

    /// What all records come to.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// Sums up the ledger, which has just been synced, so that it is opened quickly. Does nothing while there are records
    /// that are not written.
    pub fn checkpoint(&mut self) -> Result<(), VolumeError> {
        if !self.is_written() {
            return Ok(());
        }
        self.since_checkpoint = 0;
        history::write_checkpoint(&self.directory, self.month, &self.file, self.length, &self.history)
    }
}

fn open_month(directory: &Path, month: Month) -> Result<(PathBuf, File), VolumeError> {
    let path = directory.join(month.to_string());
    let is_new = !path.exists();
    let opened = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path);
    let file = opened.map_err(|error| VolumeError::io("open", &path, error))?;
    if is_new {
        sync_directory(directory)?;
    }
    Ok((path, file))
}
