//! What a segment's file says of itself: the ledger's view of the mp4 scanner.

use crate::mp4;
use holdfast_wire::segment::{SegmentHeader, SegmentHeaderV1};
use holdfast_wire::time::{Span, Wall};
use std::fs::File;
use std::io::{self, BufReader};
use std::path::Path;

/// What was found in a segment's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentFacts {
    /// Its header.
    pub header: SegmentHeaderV1,
    /// Whole video frames in it.
    pub frames: u32,
    /// Where its last whole fragment ends, in bytes from the start.
    pub durable_len: u64,
    /// Bytes behind that: the beginning of a fragment, or what a power cut left.
    pub torn_bytes: u64,
    /// The wall time that its video covers, in order; more than one if there is a hole inside.
    pub stretches: Vec<Span>,
    /// End of its last whole frame.
    pub end: Wall,
}

/// Why a file gave no facts.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// It ends before the first whole fragment: there is no footage in it.
    #[error("holds no footage")]
    Nothing,
    /// It is not a segment, or it is damaged where nothing can be concluded any more.
    #[error("is not readable as a segment: {0}")]
    Unreadable(String),
    /// The system could not read it.
    #[error("could not be read")]
    Io(#[from] io::Error),
}

impl ScanError {
    /// The error with what the system said, for a line of its own.
    pub fn full(&self) -> String {
        match self {
            ScanError::Nothing | ScanError::Unreadable(_) => self.to_string(),
            ScanError::Io(source) => format!("{self}: {source}"),
        }
    }
}

/// Reads segments. The program gives the mp4 scanner; tests give a format of their own.
pub trait SegmentScanner {
    /// Reads what the file at `path` holds, and changes nothing.
    fn scan(&self, path: &Path) -> Result<SegmentFacts, ScanError>;
}

impl<F: Fn(&Path) -> Result<SegmentFacts, ScanError>> SegmentScanner for F {
    fn scan(&self, path: &Path) -> Result<SegmentFacts, ScanError> {
        self(path)
    }
}

/// The program's scanner: fragmented MP4.
#[derive(Clone, Copy, Debug)]
pub struct Mp4Scanner;

impl SegmentScanner for Mp4Scanner {
    fn scan(&self, path: &Path) -> Result<SegmentFacts, ScanError> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        let found = mp4::scan(BufReader::new(file), length)?;
        let SegmentHeader::V1(header) = found.header;
        if found.frames == 0 {
            return Err(ScanError::Nothing);
        }
        Ok(SegmentFacts {
            header,
            frames: found.frames,
            durable_len: found.durable_len,
            torn_bytes: found.torn_bytes,
            stretches: found.stretches,
            end: found.end,
        })
    }
}

impl From<mp4::ScanError> for ScanError {
    fn from(error: mp4::ScanError) -> Self {
        match error {
            mp4::ScanError::Nothing => ScanError::Nothing,
            mp4::ScanError::Read { source, .. } => ScanError::Io(source),
            mp4::ScanError::Foreign | mp4::ScanError::Header(_) => ScanError::Unreadable(error.to_string()),
        }
    }
}
