//! What a segment's file holds, read from the file alone: after a crash, and when a ledger is rebuilt.
//!
//! Reads box headers, `moov` and every `moof`; jumps over the footage. Whatever follows the last whole
//! fragment is torn: a power cut leaves half a fragment, zeros, or blocks that were never written. No
//! length in the file is believed before it is held against the file's own.

use super::SEAM;
use super::boxes::{Bytes, wall_after};
use holdfast_wire::frame::{ReadError, decode_header};
use holdfast_wire::segment::{HEADER_UUID, SegmentHeader, SegmentHeaderV1};
use holdfast_wire::time::{Span, Wall};
use std::io::{self, Read, Seek, SeekFrom};

/// Largest `moov` or `moof` that is read: ours have a few kilobytes. What a damaged length can cost in
/// memory.
const MAX_BOX: u64 = 4 << 20;

/// How far into a file without a readable start a `moof` is looked for: the first one follows `moov` at once.
const SEARCHED: u64 = 64 << 10;

/// A fragment whose last frame ends in so many zeros was never written to its end: NAL units hold no three
/// zeros in a row, and a filesystem may well know a file's new length before its new blocks.
const TAIL: u64 = 64;

/// Longest time from a segment's start that is believed: ours end after a minute or so. A flipped bit in a
/// `tfdt` must not account for years of footage.
const MAX_SPAN_TICKS: u64 = 7 * 86_400 * 90_000;

/// What a segment's file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentFacts {
    /// What the segment says of itself.
    pub header: SegmentHeaderV1,
    /// Video frames in whole fragments.
    pub frames: u32,
    /// Where the last whole fragment ends, or `moov` if there is none, in bytes.
    pub durable_len: u64,
    /// Bytes after it.
    pub torn_bytes: u64,
    /// Wall time covered by video, in order. Holes of over [`SEAM`] split it.
    pub stretches: Vec<Span>,
    /// End of the last video frame; the segment's start if there is none.
    pub end: Wall,
}

/// Why a file could not be read as a segment.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// Reading failed: the disk, not the contents.
    #[error("segment cannot be read at byte {at}")]
    Read {
        /// Where in the file.
        at: u64,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The file ends, or turns into zeros or garbage, before its `moov` is complete: no footage can be in it.
    #[error("segment holds nothing: it was cut off before its first fragment")]
    Nothing,
    /// A complete MP4 that does not carry Holdfast's header: written by someone else, or damaged.
    #[error(
        "file is no segment of Holdfast, or its start is damaged: it carries no segment header; left as it is"
    )]
    Foreign,
    /// It carries a header that this version cannot read.
    #[error("segment's header cannot be read: it is damaged, or a newer version of Holdfast wrote it")]
    Header(#[source] ReadError),
}

/// Reads what a segment of `length` bytes holds. Never allocates more than a box of a few megabytes, never
/// fails on damage behind the `moov`: what cannot be read as a whole fragment, and all that follows it,
/// counts as torn.
///
/// # Errors
/// [`ScanError`]; only [`ScanError::Nothing`] means that the file can be deleted without loss.
pub fn scan<R: Read + Seek>(reader: R, length: u64) -> Result<SegmentFacts, ScanError> {
    let mut file = File { reader, length };
    let (moov, at) = file.moov()?;
    let movie = Movie::parse(Bytes(&moov))?;
    let SegmentHeader::V1(header) = movie.header.clone();
    let mut coverage = Coverage::new(header.start, &movie);
    let mut durable_len = at;
    while let Some(fragment) = file.fragment_at(durable_len, &movie)? {
        if !coverage.add(&fragment) {
            break;
        }
        durable_len = fragment.end;
    }
    Ok(SegmentFacts {
        frames: coverage.frames,
        durable_len,
        torn_bytes: length.saturating_sub(durable_len),
        end: coverage.stretches.last().map_or(header.start, |stretch| stretch.to),
        stretches: coverage.stretches,
        header,
    })
}

/// Reads only what a segment of `length` bytes says of itself at its start. Errors as of [`scan`].
pub fn header<R: Read + Seek>(reader: R, length: u64) -> Result<SegmentHeaderV1, ScanError> {
    let (moov, _) = File { reader, length }.moov()?;
    let SegmentHeader::V1(header) = header_in(Bytes(&moov))?;
    Ok(header)
}

/// A whole box within the file.
struct Found {
    kind: [u8; 4],
    body: u64,
    end: u64,
}

struct File<R> {
    reader: R,
    length: u64,
}

impl<R: Read + Seek> File<R> {
    /// The box that begins here, if all of it lies in the file. A size of zero, "to the end of the file",
    /// is never ours: it is what unwritten blocks look like.
    fn box_at(&mut self, at: u64) -> Result<Option<Found>, ScanError> {
        let Some(header) = self.read(at, 8)? else { return Ok(None) };
        let mut bytes = Bytes(&header);
        let (Some(size), Some(kind)) = (bytes.u32(), bytes.take(4)) else { return Ok(None) };
        let Ok(kind) = kind.try_into() else { return Ok(None) };
        let end = at.checked_add(u64::from(size)).filter(|end| *end <= self.length);
        Ok(end.filter(|_| size >= 8).map(|end| Found { kind, body: at + 8, end }))
    }

    /// The body of `moov`, and where it ends.
    fn moov(&mut self) -> Result<(Vec<u8>, u64), ScanError> {
        let mut at = 0;
        loop {
            let Some(found) = self.box_at(at)? else { return Err(self.without_start()?) };
            match &found.kind {
                b"ftyp" => at = found.end,
                b"moov" => {
                    let body = self.body(&found)?.ok_or(ScanError::Foreign)?;
                    return Ok((body, found.end));
                }
                _ => return Err(ScanError::Foreign),
            }
        }
    }

    /// What a file is whose `moov` cannot be reached. A power cut leaves nothing behind it; a flipped bit
    /// in a length leaves the footage, and then nobody may be told that the file is empty.
    fn without_start(&mut self) -> Result<ScanError, ScanError> {
        let start = self.read(0, self.length.min(SEARCHED))?.unwrap_or_default();
        let footage = start.windows(4).any(|kind| kind == b"moof");
        Ok(if footage { ScanError::Foreign } else { ScanError::Nothing })
    }

    /// The body of a box; `None` if it is larger than any of ours.
    fn body(&mut self, found: &Found) -> Result<Option<Vec<u8>>, ScanError> {
        let length = found.end - found.body;
        if length > MAX_BOX { Ok(None) } else { self.read(found.body, length) }
    }

    /// Bytes of the file, `None` where it ends before. `length` is at most [`MAX_BOX`].
    fn read(&mut self, at: u64, length: u64) -> Result<Option<Vec<u8>>, ScanError> {
        if at.checked_add(length).is_none_or(|end| end > self.length) {
            return Ok(None);
        }
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
        let read = self.reader.seek(SeekFrom::Start(at)).and_then(|_| self.reader.read_exact(&mut bytes));
        match read {
            Ok(()) => Ok(Some(bytes)),
            // Shorter than it was said to be: someone else cut it meanwhile.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(source) => Err(ScanError::Read { at, source }),
        }
    }

    /// The whole fragment that begins here: an optional `prft`, `moof`, `mdat`.
    fn fragment_at(&mut self, at: u64, movie: &Movie) -> Result<Option<Whole>, ScanError> {
        let Some(mut found) = self.box_at(at)? else { return Ok(None) };
        if found.kind == *b"prft" {
            let Some(next) = self.box_at(found.end)? else { return Ok(None) };
            found = next;
        }
        if found.kind != *b"moof" {
            return Ok(None);
        }
        let Some(body) = self.body(&found)? else { return Ok(None) };
        let Some(mdat) = self.box_at(found.end)?.filter(|next| next.kind == *b"mdat") else {
            return Ok(None);
        };
        let moof = found.body - 8;
        let Some(runs) = Runs::parse(Bytes(&body), movie.video_track) else { return Ok(None) };
        if runs.bytes != mdat.end - mdat.body {
            return Ok(None);
        }
        if let Some(video) = &runs.video {
            let Some(end) = moof.checked_add(video.data_end).filter(|end| *end <= mdat.end) else {
                return Ok(None);
            };
            let tail = u64::from(video.last_size).min(TAIL);
            let Some(tail) = self.read(end - tail, tail)? else { return Ok(None) };
            if !tail.is_empty() && tail.iter().all(|byte| *byte == 0) {
                return Ok(None);
            }
        }
        Ok(Some(Whole { runs, end: mdat.end }))
    }
}

struct Whole {
    runs: Runs,
    end: u64,
}

/// What `moov` tells.
struct Movie {
    header: SegmentHeader,
    video_track: u32,
    timescale: u32,
    /// Ticks of media that the edit list leaves out.
    shift: u64,
}

impl Movie {
    fn parse(moov: Bytes<'_>) -> Result<Self, ScanError> {
        let header = header_in(moov)?;
        let mut rest = moov;
        while let Some((kind, trak)) = rest.child() {
            if kind == *b"trak"
                && let Some((video_track, timescale)) = video_track(trak)
            {
                let shift = edit_shift(trak).unwrap_or(0);
                return Ok(Movie { header, video_track, timescale, shift });
            }
        }
        Err(ScanError::Foreign)
    }
}

fn header_in(moov: Bytes<'_>) -> Result<SegmentHeader, ScanError> {
    let mut rest = moov;
    while let Some((kind, mut body)) = rest.child() {
        if kind == *b"uuid" && body.take(16) == Some(HEADER_UUID.as_slice()) {
            return decode_header(body.0).map_err(ScanError::Header);
        }
    }
    Err(ScanError::Foreign)
}

/// Number and timescale, if it is the video.
fn video_track(trak: Bytes<'_>) -> Option<(u32, u32)> {
    let mut tkhd = trak.find(b"tkhd")?;
    match tkhd.version_and_flags()?.0 {
        0 => tkhd.take(8)?,
        _ => tkhd.take(16)?,
    };
    let number = tkhd.u32()?;
    let mdia = trak.find(b"mdia")?;
    let mut hdlr = mdia.find(b"hdlr")?;
    hdlr.take(8)?;
    if hdlr.take(4)? != b"vide" {
        return None;
    }
    let mut mdhd = mdia.find(b"mdhd")?;
    match mdhd.version_and_flags()?.0 {
        0 => mdhd.take(8)?,
        _ => mdhd.take(16)?,
    };
    Some((number, mdhd.u32().filter(|timescale| *timescale > 0)?))
}

fn edit_shift(trak: Bytes<'_>) -> Option<u64> {
    let mut elst = trak.find(b"edts")?.find(b"elst")?;
    let (version, _) = elst.version_and_flags()?;
    elst.u32().filter(|entries| *entries > 0)?;
    match version {
        0 => {
            elst.take(4)?;
            elst.u32().map(u64::from)
        }
        _ => {
            elst.take(8)?;
            elst.u64()
        }
    }
}

/// What `moof` tells.
#[derive(Default)]
struct Runs {
    /// Bytes of data of all tracks.
    bytes: u64,
    video: Option<VideoRun>,
}

/// The video's part of a fragment, in ticks of the file.
struct VideoRun {
    frames: u32,
    begin: u64,
    end: u64,
    /// Smallest PTS.
    shown_first: i64,
    /// Where its data ends, in bytes from the begin of `moof`.
    data_end: u64,
    /// Length of its last frame, in bytes.
    last_size: u32,
}

impl Runs {
    /// `None` for anything that the muxer does not write.
    fn parse(moof: Bytes<'_>, video_track: u32) -> Option<Self> {
        let mut runs = Runs::default();
        let mut rest = moof;
        while !rest.0.is_empty() {
            let (kind, traf) = rest.child()?;
            if kind != *b"traf" {
                continue;
            }
            let (track, bytes, run) = parse_traf(traf)?;
            runs.bytes = runs.bytes.checked_add(bytes)?;
            if track == video_track {
                if runs.video.is_some() {
                    return None;
                }
                runs.video = Some(run);
            }
        }
        Some(runs)
    }
}

fn parse_traf(traf: Bytes<'_>) -> Option<(u32, u64, VideoRun)> {
    let mut tfhd = traf.find(b"tfhd")?;
    tfhd.version_and_flags()?;
    let track = tfhd.u32()?;

    let mut tfdt = traf.find(b"tfdt")?;
    let begin = match tfdt.version_and_flags()?.0 {
        0 => u64::from(tfdt.u32()?),
        _ => tfdt.u64()?,
    };

    let mut trun = traf.find(b"trun")?;
    let (_, flags) = trun.version_and_flags()?;
    let frames = trun.u32()?;
    // Ours always tell where their data is, and duration and size of each sample. Since each sample so has
    // bytes of its own in here, a count that is wrong ends at the box's end.
    if flags & 0x301 != 0x301 {
        return None;
    }
    let data_begin = u64::from(trun.u32()?);
    if flags & 0x4 != 0 {
        trun.u32()?; // flags of the first sample
    }
    let (mut bytes, mut end) = (0u64, begin);
    let (mut shown_first, mut last_size) = (i64::MAX, 0);
    for _ in 0..frames {
        let duration = trun.u32()?;
        last_size = trun.u32()?;
        bytes = bytes.checked_add(u64::from(last_size))?;
        if flags & 0x400 != 0 {
            trun.u32()?;
        }
        let offset = if flags & 0x800 != 0 { trun.u32()?.cast_signed() } else { 0 };
        shown_first = shown_first.min(i64::try_from(end).ok()?.checked_add(i64::from(offset))?);
        end = end.checked_add(u64::from(duration))?;
    }
    if !trun.0.is_empty() {
        return None;
    }
    let data_end = data_begin.checked_add(bytes)?;
    Some((track, bytes, VideoRun { frames, begin, end, shown_first, data_end, last_size }))
}

/// Wall time covered by the fragments so far.
struct Coverage {
    start: Wall,
    timescale: u32,
    shift: u64,
    /// From a decode time to the wall, in ticks; told by the first fragment.
    lead: Option<i64>,
    ended: u64,
    frames: u32,
    stretches: Vec<Span>,
}

impl Coverage {
    fn new(start: Wall, movie: &Movie) -> Self {
        Coverage {
            start,
            timescale: movie.timescale,
            shift: movie.shift,
            lead: None,
            ended: 0,
            frames: 0,
            stretches: Vec::new(),
        }
    }

    /// Adds a fragment. `false` if its times cannot follow on: damage that happens to parse.
    fn add(&mut self, fragment: &Whole) -> bool {
        let Some(video) = &fragment.runs.video else { return true };
        if video.begin < self.ended || video.end > MAX_SPAN_TICKS {
            return false;
        }
        // A segment's first decode time is that of its first shown frame: of the keyframe itself, or of
        // frames that are shown before it though they come after it (an open GOP).
        let lead = *self.lead.get_or_insert_with(|| {
            let shift = i64::try_from(self.shift).unwrap_or(0);
            video.shown_first.saturating_sub(shift).min(0)
        });
        let wall = |ticks: u64| {
            wall_after(
                self.start,
                i64::try_from(ticks).unwrap_or(i64::MAX).saturating_add(lead),
                self.timescale,
            )
        };
        let (from, to) = (wall(video.begin), wall(video.end));
        let seam = i64::try_from(SEAM.as_micros()).unwrap_or(i64::MAX);
        match self.stretches.last_mut() {
            Some(last) if from.micros_since(last.to) <= seam => last.to = to,
            Some(_) | None => self.stretches.push(Span::new(from, to)),
        }
        self.ended = video.end;
        self.frames = self.frames.saturating_add(video.frames);
        true
    }
}
