//! Reading a ledger: months in their order, frames in theirs, nothing ever changed. A month is read in
//! pieces, since 32 cameras write 140 MB of ledger in one.

use crate::volumes::{VolumeError, layout};
use holdfast_wire::frame::{Frame, Frames};
use holdfast_wire::ledger::Record;
use layout::Month;
use std::collections::VecDeque;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// How much of a file is read at once. A frame that is longer than this is damage in any case.
const PIECE: usize = 64 * 1024;

/// Something in a ledger that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// In which file.
    pub file: PathBuf,
    /// What.
    pub what: Trouble,
}

/// What can be wrong with a ledger's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// So many bytes from `offset` on are no record.
    Damaged {
        /// Where, in bytes from the start of the file.
        offset: u64,
        /// How many bytes.
        bytes: u64,
    },
    /// A record that a newer version of Holdfast wrote.
    Unknown {
        /// Where, in bytes from the start of the file.
        offset: u64,
    },
    /// The file ends in the middle of a record, or in zeros, this many bytes from its end.
    Torn {
        /// How many bytes.
        bytes: u64,
    },
    /// The system could not read it, or not to its end.
    Unreadable(String),
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.display();
        match &self.what {
            Trouble::Damaged { offset, bytes } => {
                write!(f, "{file}: {bytes} bytes at byte {offset} are damaged and were passed over")
            }
            Trouble::Unknown { offset } => {
                write!(f, "{file}: the record at byte {offset} is of a newer version and was passed over")
            }
            Trouble::Torn { bytes } => {
                write!(
                    f,
                    "{file}: its last {bytes} bytes are torn; the recorder mends them at its next start"
                )
            }
            Trouble::Unreadable(why) => write!(f, "{file}: could not be read to its end: {why}"),
        }
    }
}

/// Where a file's good part ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileEnd {
    /// Behind the last whole frame, in bytes from the start.
    pub good: u64,
    /// Its length in bytes.
    pub length: u64,
}

/// The months of the ledger at `root`, oldest first. Empty if there is no ledger.
pub fn months(root: &Path) -> Result<Vec<Month>, VolumeError> {
    let directory = layout::ledger(root);
    let told = |error| VolumeError::io("list", &directory, error);
    let mut months = Vec::new();
    let entries = match fs::read_dir(&directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(months),
        Err(error) => return Err(told(error)),
    };
    for entry in entries {
        let name = entry.map_err(told)?.file_name();
        months.extend(name.to_str().and_then(Month::parse));
    }
    months.sort_unstable();
    Ok(months)
}

/// Reads the whole ledger at `root`, oldest record first. What cannot be read is told and passed over.
/// Fails only if the ledger's directory cannot be listed.
pub fn read_all(root: &Path, mut each: impl FnMut(Result<Record, Problem>)) -> Result<(), VolumeError> {
    for month in months(root)? {
        read_month(root, month, &mut each);
    }
    Ok(())
}

/// Reads one month and gives back where its good part ends.
pub fn read_month(root: &Path, month: Month, each: impl FnMut(Result<Record, Problem>)) -> FileEnd {
    read_month_from(root, month, 0, each)
}

/// Reads one month from `offset` on, which lies behind a whole frame.
pub fn read_month_from(
    root: &Path,
    month: Month,
    offset: u64,
    mut each: impl FnMut(Result<Record, Problem>),
) -> FileEnd {
    let mut pieces = match Pieces::open(root, month, offset) {
        Ok(pieces) => pieces,
        Err(problem) => {
            each(Err(problem));
            return FileEnd::default();
        }
    };
    while pieces.next(&mut each) {}
    pieces.end
}

/// A whole ledger that is read a piece at a time, for who has other work too.
#[derive(Debug)]
pub struct Months {
    root: PathBuf,
    left: VecDeque<Month>,
    current: Option<Pieces>,
}

impl Months {
    /// The ledger at `root`, from its oldest month on. Fails if its directory cannot be listed.
    pub fn open(root: &Path) -> Result<Self, VolumeError> {
        Ok(Months { root: root.to_owned(), left: months(root)?.into(), current: None })
    }

    /// Reads on for at most 64 KiB. False at the end.
    pub fn piece(&mut self, mut each: impl FnMut(Result<Record, Problem>)) -> bool {
        if let Some(pieces) = &mut self.current {
            if !pieces.next(&mut each) {
                self.current = None;
            }
            return true;
        }
        let Some(month) = self.left.pop_front() else { return false };
        match Pieces::open(&self.root, month, 0) {
            Ok(pieces) => self.current = Some(pieces),
            Err(problem) => each(Err(problem)),
        }
        true
    }
}

/// A file of the ledger that is being read.
#[derive(Debug)]
struct Pieces {
    file: File,
    path: PathBuf,
    end: FileEnd,
    held: Vec<u8>,
    /// Where `held` begins in the file.
    base: u64,
    /// Up to here every byte was a record or has been told as damage.
    told: u64,
}

impl Pieces {
    fn open(root: &Path, month: Month, offset: u64) -> Result<Self, Problem> {
        let path = layout::ledger(root).join(month.to_string());
        let opened = File::open(&path).and_then(|mut file| {
            file.seek(SeekFrom::Start(offset))?;
            Ok(file)
        });
        match opened {
            Ok(file) => {
                let end = FileEnd { good: offset, length: offset };
                Ok(Pieces {
                    file,
                    path,
                    end,
                    held: Vec::with_capacity(2 * PIECE),
                    base: offset,
                    told: offset,
                })
            }
            Err(error) => Err(Problem { file: path, what: Trouble::Unreadable(error.to_string()) }),
        }
    }

    /// Reads on. False at the end of the file, or where it cannot be read any more.
    fn next(&mut self, each: &mut impl FnMut(Result<Record, Problem>)) -> bool {
        let Pieces { file, path, end, held, base, told } = self;
        let problem = |what| Err(Problem { file: path.clone(), what });
        let last = match file.take(PIECE as u64).read_to_end(held) {
            Ok(read) => read == 0,
            Err(error) => {
                each(problem(Trouble::Unreadable(error.to_string())));
                return false;
            }
        };
        end.length = *base + held.len() as u64;
        let ready = match held.iter().rposition(|byte| *byte == 0) {
            _ if last => held.len(),
            Some(zero) => zero + 1,
            None if held.len() <= PIECE => return true,
            None => {
                each(problem(Trouble::Damaged { offset: *base, bytes: held.len() as u64 }));
                *base += held.len() as u64;
                *told = *base;
                held.clear();
                return true;
            }
        };
        let mut frames = Frames::new(&held[..ready]);
        for frame in frames.by_ref() {
            each(match frame {
                Frame::Record(record) => Ok(record),
                Frame::Unknown { offset, .. } => problem(Trouble::Unknown { offset: *base + offset as u64 }),
                Frame::Damaged { offset, len } => {
                    *told = *base + (offset + len) as u64 + 1;
                    problem(Trouble::Damaged { offset: *base + offset as u64, bytes: len as u64 })
                }
            });
        }
        if frames.good_end() > 0 {
            end.good = *base + frames.good_end() as u64;
        }
        if last {
            let bytes = end.length - (*told).max(end.good);
            if bytes > 0 {
                each(problem(Trouble::Torn { bytes }));
            }
            return false;
        }
        held.drain(..ready);
        *base += ready as u64;
        true
    }
}
