//! What no rule may delete: spans of time that a person or an event protected.
//!
//! The file `holdfast/protected` is a run of [`Record::Protected`], replaced as a whole, so that protections are known
//! without reading years of ledger; the ledger has the same records and is what the file is rebuilt from if it is
//! damaged or missing. Until that is done everything counts as protected.
//!
//! The order of writing keeps every answer true after a power cut: a protection is answered once it is in the ledger
//! and in the file, in this order; one that is taken back leaves the file first. So what only one of the two has
//! was answered to nobody, and a file made anew protects rather too much than too little.

use super::Check;
use crate::ledger::LedgerWriter;
use crate::ledger::read::{Months, Problem};
use crate::volumes::{Lock, VolumeError, layout, sync_directory};
use holdfast_wire::cause::Fault;
use holdfast_wire::frame::{Frame, Frames, MAX_FRAME, Tail, encode};
use holdfast_wire::ids::Name;
use holdfast_wire::ledger::{Protected, Record};
use holdfast_wire::time::{Span, Wall};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// Most protections of a volume. Each is looked through for each segment that is to be deleted; a volume with more
/// is an archive, and no rule can keep it free.
pub const MAX_PROTECTED: usize = 256;

/// The longest file: [`MAX_PROTECTED`] frames and one that remembers a number.
const MAX_FILE: u64 = (MAX_PROTECTED as u64 + 1) * MAX_FRAME as u64;

/// What somebody wants protected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Which camera; `None` for all.
    pub camera: Option<Name>,
    /// The span: every segment that reaches into it is kept. It may lie in the future; without an end it ends at the
    /// end of time (`Wall(i64::MAX)`).
    pub span: Span,
    /// Why, in the words of who asks.
    pub note: heapless::String<64>,
}

/// Why a protection was not made or taken back.
#[derive(Debug, thiserror::Error)]
pub enum ProtectError {
    /// The span is empty.
    #[error("nothing was protected: the span is empty. Give an end that is later than the start")]
    Empty,
    /// There are [`MAX_PROTECTED`] already.
    #[error(
        "nothing was protected: this volume has {MAX_PROTECTED} protections, the most that there can be. \
         Take back some that are no longer needed"
    )]
    TooMany,
    /// There is none of that number.
    #[error("there is no protection {number} on this volume: nothing was changed")]
    NoSuch {
        /// The number that was asked for.
        number: u32,
    },
    /// The list is being rebuilt from the ledger.
    #[error(
        "nothing was changed: the list of protections is damaged and is being rebuilt from the ledger. \
         Everything is protected meanwhile; ask again in a minute"
    )]
    Rebuilding,
    /// The volume failed.
    #[error(transparent)]
    Volume(#[from] VolumeError),
}

/// The protections of a volume.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Protections {
    by_number: BTreeMap<u32, Protected>,
    /// The highest number that was ever given, so that none is given twice.
    highest: u32,
    /// Goes up with each change: who counted by these has to count again.
    version: u32,
}

impl Protections {
    /// All, in the order of their numbers.
    pub fn list(&self) -> impl Iterator<Item = &Protected> {
        self.by_number.values()
    }

    /// Whether one of them protects footage of `camera` inside `span`.
    pub fn reach(&self, camera: &Name, span: Span) -> bool {
        self.list().any(|protected| {
            protected.camera.as_ref().is_none_or(|only| only == camera)
                && protected.span.from < span.to
                && span.from < protected.span.to
        })
    }

    /// See the field.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// Takes what a ledger says, record by record in its order.
    pub fn take(&mut self, record: Record) {
        match record {
            Record::Protected(protected) => {
                self.highest = self.highest.max(protected.number);
                // More than there can be are of no version of ours: the first ones hold.
                if self.by_number.len() < MAX_PROTECTED || self.by_number.contains_key(&protected.number) {
                    self.by_number.insert(protected.number, protected);
                }
            }
            Record::Unprotected { number, .. } => {
                self.highest = self.highest.max(number);
                self.by_number.remove(&number);
            }
            Record::SessionStarted(_)
            | Record::CameraConfigured { .. }
            | Record::CameraRemoved { .. }
            | Record::SegmentOpened(_)
            | Record::SegmentClosed(_)
            | Record::Gap(_)
            | Record::GapOpened { .. }
            | Record::ClockStepped { .. }
            | Record::Repaired(_)
            | Record::SessionEnded { .. }
            | Record::Rebuilt { .. }
            | Record::VolumeFaulted { .. }
            | Record::SegmentDeleted(_)
            | Record::Renewed { .. }
            | Record::TakenOver { .. }
            | Record::TimeCorrected { .. } => return,
        }
        self.version = self.version.wrapping_add(1);
    }

    /// Protects what is wished, durably in the ledger and in the file, and gives back its number. `root` is that of a
    /// volume whose lock the caller holds; `check`: see [`Check`].
    pub fn protect(
        &mut self,
        root: &Path,
        ledger: &mut LedgerWriter,
        wish: Wish,
        at: Wall,
        check: Check,
    ) -> Result<u32, ProtectError> {
        let Wish { camera, span, note } = wish;
        if span.is_empty() {
            return Err(ProtectError::Empty);
        }
        if self.by_number.len() >= MAX_PROTECTED {
            return Err(ProtectError::TooMany);
        }
        let number = self.highest.saturating_add(1);
        let record = Record::Protected(Protected { at, number, camera, span, note });
        ledger.append(at, &record)?;
        ledger.sync()?;
        let mut new = self.clone();
        new.take(record);
        new.write(root, at, check)?;
        *self = new;
        Ok(number)
    }

    /// Takes a protection back, durably in the file and in the ledger.
    pub fn unprotect(
        &mut self,
        root: &Path,
        ledger: &mut LedgerWriter,
        number: u32,
        at: Wall,
        check: Check,
    ) -> Result<(), ProtectError> {
        if !self.by_number.contains_key(&number) {
            return Err(ProtectError::NoSuch { number });
        }
        let record = Record::Unprotected { at, number };
        let mut new = self.clone();
        new.take(record.clone());
        new.write(root, at, check)?;
        *self = new;
        ledger.append(at, &record)?;
        Ok(ledger.sync()?)
    }

    /// Puts the file in place so that a power cut leaves the old one or the new one.
    pub fn write(&self, root: &Path, at: Wall, check: Check) -> Result<(), VolumeError> {
        let place = path(root);
        let mut bytes = Vec::new();
        let mut add = |record: &Record| {
            let mut buffer = [0; MAX_FRAME];
            let frame = encode(record, &mut buffer)
                .map_err(|error| VolumeError::found(Fault::Damaged, "encode", &place, error.to_string()))?;
            bytes.extend_from_slice(frame);
            Ok::<(), VolumeError>(())
        };
        for protected in self.list() {
            add(&Record::Protected(protected.clone()))?;
        }
        // The highest number is not to be given again, even if it was taken back. Also, no file of ours is empty:
        // one that is was cut.
        if !self.by_number.contains_key(&self.highest) {
            add(&Record::Unprotected { at, number: self.highest })?;
        }
        let temporary = place.with_extension("tmp");
        check()?;
        let written = File::create(&temporary).and_then(|mut file| {
            file.write_all(&bytes)?;
            file.sync_all()
        });
        written.map_err(|error| VolumeError::io("write", &temporary, error))?;
        check()?;
        fs::rename(&temporary, &place).map_err(|error| VolumeError::io("rename to", &place, error))?;
        sync_directory(&layout::home(root))
    }
}

/// What is known of a volume's protections.
#[derive(Debug)]
pub enum Protection {
    /// The list.
    Known(Protections),
    /// It is being made anew: everything is protected.
    Rebuilding(Rebuild),
}

/// The list being made anew from the ledger.
#[derive(Debug)]
pub struct Rebuild {
    months: Months,
    found: Protections,
    /// The file was there: that it is mended is to be told.
    damaged: bool,
}

impl Protection {
    /// Reads the file at `root`. `is_new`: the volume was never recorded to, so that none is missing. What is wrong is
    /// told in `problems`, in sentences for the log.
    ///
    /// Fails only if the ledger's directory cannot be listed.
    pub fn open(root: &Path, is_new: bool, problems: &mut Vec<String>) -> Result<Self, VolumeError> {
        let damaged = match read_file(&path(root)) {
            Ok(Some(protections)) => return Ok(Protection::Known(protections)),
            Ok(None) if is_new => return Ok(Protection::Known(Protections::default())),
            // As versions before this one left it; the ledger knows.
            Ok(None) => false,
            Err(error) => {
                problems.push(format!(
                    "{error}; the list of protections is read from the ledger, everything is protected until that is done"
                ));
                true
            }
        };
        let months = Months::open(root)?;
        Ok(Protection::Rebuilding(Rebuild { months, found: Protections::default(), damaged }))
    }

    /// Goes on reading the ledger until `enough` says so, if there is anything to read. True once the list is known and
    /// written; only then it is [`Protection::Known`].
    ///
    /// Fails if the new file cannot be written. What of the ledger cannot be read is told in `problems` and passed over.
    pub fn go_on(
        &mut self,
        root: &Path,
        at: Wall,
        check: Check,
        mut enough: impl FnMut() -> bool,
        problems: &mut Vec<String>,
    ) -> Result<bool, VolumeError> {
        let Protection::Rebuilding(Rebuild { months, found, damaged }) = self else { return Ok(true) };
        loop {
            let more = months.piece(|entry: Result<Record, Problem>| match entry {
                Ok(record) => found.take(record),
                Err(problem) => problems.push(problem.to_string()),
            });
            if !more {
                break;
            }
            if enough() {
                return Ok(false);
            }
        }
        let found = std::mem::take(found);
        found.write(root, at, check)?;
        if *damaged {
            problems.push(format!("{}: was made anew from the ledger", path(root).display()));
        }
        *self = Protection::Known(found);
        Ok(true)
    }

    /// Whether the list is known.
    pub fn is_known(&self) -> bool {
        match self {
            Protection::Known(_) => true,
            Protection::Rebuilding(_) => false,
        }
    }

    /// The list, unless it is being made anew.
    pub fn known(&mut self) -> Result<&mut Protections, ProtectError> {
        match self {
            Protection::Known(protections) => Ok(protections),
            Protection::Rebuilding(_) => Err(ProtectError::Rebuilding),
        }
    }
}

/// A volume that no recorder holds, locked and read for changing or listing its protections from the command line.
#[derive(Debug)]
pub struct Archive {
    lock: Lock,
    ledger: LedgerWriter,
    protections: Protections,
}

impl Archive {
    /// Locks the volume at `root` and reads its protections, from the ledger if need be. What is wrong is told in
    /// `problems`.
    ///
    /// Fails with [`Fault::InUse`] if a recorder holds it: that one is to be asked then.
    pub fn open(root: &Path, now: Wall, problems: &mut Vec<String>) -> Result<Self, VolumeError> {
        let lock = Lock::take(root, false)?;
        let (ledger, _) = LedgerWriter::open(root, now)?;
        let mut protection = Protection::open(root, ledger.history().is_new(), problems)?;
        protection.go_on(root, now, &|| lock.check(), || false, problems)?;
        let protections = match protection {
            Protection::Known(protections) => protections,
            // It was read to its end just now.
            Protection::Rebuilding(rebuild) => rebuild.found,
        };
        Ok(Archive { lock, ledger, protections })
    }

    /// See [`Protections::protect`].
    pub fn protect(&mut self, wish: Wish, now: Wall) -> Result<u32, ProtectError> {
        self.lock.check()?;
        self.protections.protect(self.lock.root(), &mut self.ledger, wish, now, &|| self.lock.check())
    }

    /// See [`Protections::unprotect`].
    pub fn unprotect(&mut self, number: u32, now: Wall) -> Result<(), ProtectError> {
        self.lock.check()?;
        self.protections.unprotect(self.lock.root(), &mut self.ledger, number, now, &|| self.lock.check())
    }

    /// All, in the order of their numbers.
    pub fn list(&self) -> impl Iterator<Item = &Protected> {
        self.protections.list()
    }
}

/// The protections of the volume at `root` as its file has them, whoever holds it; changes nothing. `None` if there is no
/// such file.
///
/// Fails with [`Fault::Damaged`] if it is damaged; the recorder that next opens the volume mends it.
pub fn read(root: &Path) -> Result<Option<Protections>, VolumeError> {
    read_file(&path(root))
}

fn path(root: &Path) -> PathBuf {
    layout::protected(root)
}

fn read_file(path: &Path) -> Result<Option<Protections>, VolumeError> {
    let mut bytes = Vec::new();
    match File::open(path).and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut bytes)) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(VolumeError::io("read", path, error)),
    }
    let mut found = Protections::default();
    let mut frames = Frames::new(&bytes);
    let whole = frames.by_ref().all(|frame| match frame {
        Frame::Record(record @ (Record::Protected(_) | Record::Unprotected { .. })) => {
            found.take(record);
            true
        }
        Frame::Record(_) | Frame::Unknown { .. } | Frame::Damaged { .. } => false,
    });
    if whole && !bytes.is_empty() && frames.tail() == Tail::Clean {
        return Ok(Some(found));
    }
    Err(VolumeError::found(Fault::Damaged, "read", path, "its content is damaged"))
}
