//! Frames: how a record lies on disk.
//!
//! A **frame** is one ledger record in postcard, its CRC-32 (ISO-HDLC, little endian), both
//! byte-stuffed by COBS so that no zero is left inside, then one zero byte. A reader that lost its
//! place finds the next frame behind the next zero, so a damaged frame costs only itself.
//!
//! A **sealed** value (segment header, volume marker) is postcard followed by the same CRC-32,
//! without COBS: its box or file already says where it ends.
//!
//! What can be met in a ledger, and how it is told:
//!
//! | met | told as |
//! |---|---|
//! | a whole frame whose record this version knows | [`Frame::Record`] |
//! | a whole frame, CRC right, record not known: written by a newer version | [`Frame::Unknown`] |
//! | bytes between two zeros that are no frame | [`Frame::Damaged`] |
//! | bytes at the end without a zero behind them | [`Tail::Torn`] |
//! | zeros at the end, as ext4 leaves them after a power cut | [`Tail::Padded`] |

use crate::ledger::Record;
use crate::segment::SegmentHeader;
use crate::volume::VolumeMarker;
use core::fmt;
use crc::{CRC_32_ISO_HDLC, Crc};
use postcard::ser_flavors::{Cobs, Slice, crc::CrcModifier};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Longest frame, with its closing zero. The longest record of today ([`Record::SessionStarted`] with
/// a name of 32 bytes) takes 100 bytes; a reader that meets more than this between two zeros is not
/// reading a ledger, and spends no more stack on it than this.
pub const MAX_FRAME: usize = 256;

/// Longest sealed [`SegmentHeader`]: its two names, four ids and four causes take at most 205 bytes.
pub const MAX_HEADER: usize = 256;

/// Longest sealed [`VolumeMarker`]: at most 129 bytes. Also the most that is ever read of a marker file.
pub const MAX_MARKER: usize = 256;

/// The sum that tells a damaged record from a good one: one in 4,000 million damaged ones is missed.
const CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

/// Bytes of the CRC behind each value.
const CRC_LEN: usize = 4;

/// The buffer is too short for the value. Buffers of [`MAX_FRAME`], [`MAX_HEADER`] and
/// [`MAX_MARKER`] never are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("does not fit into the buffer given for it")
    }
}

impl core::error::Error for TooLong {}

/// Why bytes are not the value that they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// The CRC is wrong, or something is missing.
    Damaged,
    /// The CRC is right, but the content is not known: a newer version wrote it.
    Unknown,
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ReadError::Damaged => "is damaged (its CRC does not fit)",
            ReadError::Unknown => "was written by a newer version of Holdfast",
        })
    }
}

impl core::error::Error for ReadError {}

/// Writes `record` as one frame into `buffer` (of [`MAX_FRAME`] bytes) and gives back the part used.
pub fn encode<'b>(record: &Record, buffer: &'b mut [u8]) -> Result<&'b [u8], TooLong> {
    let stuffed = Cobs::try_new(Slice::new(buffer)).map_err(|_| TooLong)?;
    postcard::serialize_with_flavor(record, CrcModifier::new(stuffed, CRC.digest()))
        .map(|used: &mut [u8]| &*used)
        .map_err(|_| TooLong)
}

/// Writes a segment's header, sealed, into `buffer` (of [`MAX_HEADER`] bytes).
pub fn encode_header<'b>(header: &SegmentHeader, buffer: &'b mut [u8]) -> Result<&'b [u8], TooLong> {
    seal(header, buffer)
}

/// Reads a segment's header.
pub fn decode_header(bytes: &[u8]) -> Result<SegmentHeader, ReadError> {
    unseal(bytes)
}

/// Writes a volume's marker, sealed, into `buffer` (of [`MAX_MARKER`] bytes).
pub fn encode_marker<'b>(marker: &VolumeMarker, buffer: &'b mut [u8]) -> Result<&'b [u8], TooLong> {
    seal(marker, buffer)
}

/// Reads a volume's marker.
pub fn decode_marker(bytes: &[u8]) -> Result<VolumeMarker, ReadError> {
    unseal(bytes)
}

/// The sum over some bytes that frames and sealed values carry, for files that need one of their own.
pub fn checksum(bytes: &[u8]) -> u32 {
    CRC.checksum(bytes)
}

fn seal<'b, T: Serialize>(value: &T, buffer: &'b mut [u8]) -> Result<&'b [u8], TooLong> {
    postcard::to_slice_crc32(value, buffer, CRC.digest()).map(|used| &*used).map_err(|_| TooLong)
}

/// The CRC is checked before the content is looked at: only so can what a newer version wrote be told
/// from damage.
fn unseal<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ReadError> {
    let at = bytes.len().checked_sub(CRC_LEN).filter(|at| *at > 0).ok_or(ReadError::Damaged)?;
    let (content, sum) = bytes.split_at(at);
    if sum != CRC.checksum(content).to_le_bytes() {
        return Err(ReadError::Damaged);
    }
    match postcard::take_from_bytes(content) {
        Ok((value, [])) => Ok(value),
        Ok(_) | Err(_) => Err(ReadError::Unknown),
    }
}

/// What lies between two zeros of a ledger.
// A record is yielded by value and consumed at once, so the difference in size costs nothing.
#[allow(clippy::large_enum_variant)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// A record.
    Record(Record),
    /// A whole frame that only a newer version can read. It must be kept.
    Unknown {
        /// Where it begins, in bytes from the start of the slice.
        offset: usize,
        /// Its length without the closing zero.
        len: usize,
    },
    /// No frame.
    Damaged {
        /// Where it begins, in bytes from the start of the slice.
        offset: usize,
        /// Its length without the closing zero.
        len: usize,
    },
}

/// How a run of frames ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    /// With a whole frame (or there is nothing at all).
    Clean,
    /// With this many bytes that no zero closes.
    Torn {
        /// How many.
        bytes: usize,
    },
    /// With this many zeros too many.
    Padded {
        /// How many.
        bytes: usize,
    },
    /// With damaged frames behind the last good one, this many bytes in all.
    Damaged {
        /// How many.
        bytes: usize,
    },
}

/// The frames of a slice in their order. Damage is passed over and told, never a reason to stop.
#[derive(Clone, Debug)]
pub struct Frames<'a> {
    bytes: &'a [u8],
    at: usize,
    good_end: usize,
    damaged_since_good: bool,
}

impl<'a> Frames<'a> {
    /// Reads from the start of `bytes`, which is the start of a ledger file or lies behind a zero.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Frames { bytes, at: 0, good_end: 0, damaged_since_good: false }
    }

    /// The offset behind the last whole good frame met so far, its zero included. Once the iterator
    /// has ended, a repair cuts the file here.
    pub const fn good_end(&self) -> usize {
        self.good_end
    }

    /// How the slice ends. Only tells the truth once the iterator has ended.
    pub fn tail(&self) -> Tail {
        let bytes = self.bytes.len() - self.good_end;
        match self.bytes.last() {
            None => Tail::Clean,
            Some(_) if bytes == 0 => Tail::Clean,
            Some(0) if self.damaged_since_good => Tail::Damaged { bytes },
            Some(0) => Tail::Padded { bytes },
            Some(_) => Tail::Torn { bytes },
        }
    }
}

impl Iterator for Frames<'_> {
    type Item = Frame;

    fn next(&mut self) -> Option<Frame> {
        loop {
            let rest = self.bytes.get(self.at..)?;
            let len = rest.iter().position(|byte| *byte == 0)?;
            let offset = self.at;
            self.at = offset + len + 1;
            let stuffed = &rest[..len];
            if stuffed.is_empty() {
                continue; // padding
            }
            let frame = match decode(stuffed) {
                Ok(record) => Frame::Record(record),
                Err(ReadError::Unknown) => Frame::Unknown { offset, len },
                Err(ReadError::Damaged) => {
                    self.damaged_since_good = true;
                    return Some(Frame::Damaged { offset, len });
                }
            };
            self.good_end = self.at;
            self.damaged_since_good = false;
            return Some(frame);
        }
    }
}

/// Reads one frame, given without its closing zero.
fn decode(stuffed: &[u8]) -> Result<Record, ReadError> {
    let mut buffer = [0u8; MAX_FRAME];
    let content = buffer.get_mut(..stuffed.len()).ok_or(ReadError::Damaged)?;
    content.copy_from_slice(stuffed);
    let len = cobs::decode_in_place(content).map_err(|_| ReadError::Damaged)?;
    unseal(content.get(..len).ok_or(ReadError::Damaged)?)
}
