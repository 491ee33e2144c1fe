//! What a segment's file says of itself: the ledger's view of the mp4 scanner.

use crate::mp4;
pub use crate::mp4::SegmentFacts;
use holdfast_wire::segment::SegmentHeaderV1;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

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

    /// Reads only what it says of itself at its start.
    fn header(&self, path: &Path) -> Result<SegmentHeaderV1, ScanError> {
        self.scan(path).map(|facts| facts.header)
    }
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
        let facts = mp4::scan(BufReader::new(&file), length)?;
        if facts.frames > 0 {
            return Ok(facts);
        }
        // A file torn in its first fragment holds nothing. One that goes on behind it was damaged later, and
        // may hold a minute that somebody can save: it is not for us to call it empty.
        let mut rest = BufReader::new(file);
        rest.seek(SeekFrom::Start(facts.durable_len))?;
        if fragments_begun(rest)? > 1 {
            return Err(ScanError::Unreadable("its first fragment is damaged, and others follow it".into()));
        }
        Err(ScanError::Nothing)
    }

    fn header(&self, path: &Path) -> Result<SegmentHeaderV1, ScanError> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        Ok(mp4::header(BufReader::new(file), length)?)
    }
}

/// How often a fragment seems to begin in what `reader` holds: the mark of its box is counted, wherever it lies. Stops
/// at two.
fn fragments_begun(mut reader: impl Read) -> io::Result<usize> {
    const MARK: &[u8] = b"moof";
    let mut window = Vec::with_capacity(64 * 1024);
    let (mut count, mut chunk) = (0, [0u8; 32 * 1024]);
    loop {
        let read = reader.read(&mut chunk)?;
        if read == 0 || count > 1 {
            return Ok(count);
        }
        window.extend_from_slice(&chunk[..read]);
        count += window.windows(MARK.len()).filter(|bytes| *bytes == MARK).count();
        // What may be the beginning of a mark stays.
        window.drain(..window.len().saturating_sub(MARK.len() - 1));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fragments_are_counted_wherever_they_lie() {
        let at = |places: &[usize]| {
            let mut bytes = vec![1u8; 100_000];
            for place in places {
                bytes[*place..*place + 4].copy_from_slice(b"moof");
            }
            fragments_begun(bytes.as_slice()).unwrap()
        };
        assert_eq!(at(&[]), 0);
        assert_eq!(at(&[0]), 1);
        assert_eq!(at(&[32 * 1024 - 2]), 1, "across a border of two reads");
        assert_eq!(at(&[10, 99_996]), 2);
    }
}
