//! A volume with segments that need no video: a sealed header behind its length, then a unit of 17
//! bytes for each frame: 0xF5, from, to.

use crate::ledger::facts::{ScanError, SegmentFacts, SegmentScanner};
use crate::ledger::recover::{Recovered, recover};
use crate::ledger::{LedgerWriter, Problem, read_all};
use crate::volumes::{self, Adoption, Knowledge, Volume, layout};
use holdfast_wire::cause::Cause;
use holdfast_wire::frame::{MAX_HEADER, decode_header, encode_header};
use holdfast_wire::ids::{Id128, Name};
use holdfast_wire::ledger::{Ending, Record, SegmentClosed, SegmentOpened, SessionStarted};
use holdfast_wire::segment::{Missing, SegmentHeader, SegmentHeaderV1};
use holdfast_wire::time::{Span, Wall};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// 2023-11-14T22:13:20Z; the tests count seconds from here.
pub const START: i64 = 1_700_000_000;
pub const UNIT: u64 = 17;

pub fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

pub fn at(seconds: i64) -> Wall {
    Wall::from_secs(START + seconds)
}

pub fn span(from: i64, to: i64) -> Span {
    Span::new(at(from), at(to))
}

pub fn session(id: u8, boot: u8, seconds: i64) -> SessionStarted {
    SessionStarted {
        at: at(seconds),
        session: Id128([id; 16]),
        boot: Id128([boot; 16]),
        device: name("van-12"),
        version: heapless::String::new(),
        clock_trusted: true,
    }
}

pub fn opened(camera: &str, sequence: u32, seconds: i64) -> SegmentOpened {
    SegmentOpened { sequence, camera: name(camera), start: at(seconds), fallback: false }
}

/// What the ledger says of the whole segment that lies at `place`, of a minute.
pub fn whole(place: &Place, camera: &str, sequence: u32, seconds: i64) -> [Record; 2] {
    let bytes = fs::metadata(place.path(camera, sequence, seconds)).unwrap().len();
    let closed = SegmentClosed {
        sequence,
        camera: name(camera),
        end: at(seconds + 60),
        frames: 60,
        bytes,
        ending: Ending::Cut,
    };
    [Record::SegmentOpened(opened(camera, sequence, seconds)), Record::SegmentClosed(closed)]
}

/// A volume in a temporary directory.
pub struct Place {
    pub directory: TempDir,
}

impl Place {
    pub fn new() -> Self {
        Place { directory: tempfile::tempdir().unwrap() }
    }
    pub fn root(&self) -> &Path {
        self.directory.path()
    }
    pub fn open(&self) -> Volume {
        let device = name("van-12");
        let adoption = Adoption { id: Id128([9; 16]), device, formerly: Vec::new(), at: at(0) };
        let place = volumes::Place::Directory { path: self.root().to_owned() };
        Volume::open(&place, &adoption, Knowledge::Unknown).unwrap()
    }
    pub fn write(&self, records: &[Record]) {
        let (mut writer, _) = LedgerWriter::open(self.root(), at(0)).unwrap();
        records.iter().for_each(|record| writer.append(at(0), record).unwrap());
        writer.sync().unwrap();
    }
    pub fn records(&self) -> Vec<Record> {
        self.all().0
    }
    pub fn all(&self) -> (Vec<Record>, Vec<Problem>) {
        let (mut records, mut problems) = (Vec::new(), Vec::new());
        read_all(self.root(), |entry| match entry {
            Ok(record) => records.push(record),
            Err(problem) => problems.push(problem),
        })
        .unwrap();
        (records, problems)
    }
    pub fn path(&self, camera: &str, sequence: u32, seconds: i64) -> PathBuf {
        layout::segment(self.root(), &name(camera), at(seconds), sequence)
    }
    /// Lays a segment's file: frames of one second over each of `seconds`.
    pub fn segment(&self, header: &SegmentHeaderV1, seconds: &[(i64, i64)]) -> PathBuf {
        let path = layout::segment(self.root(), &header.camera, header.start, header.sequence);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes(header, seconds)).unwrap();
        path
    }
    /// What a recorder does at its start, in boot 2.
    pub fn recover(&self) -> Recovered {
        let (mut writer, recovered) = recover(&self.open(), &Fake, at(1000), Id128([2; 16])).unwrap();
        assert!(writer.is_written());
        writer.sync().unwrap();
        recovered
    }
}

pub fn header(camera: &str, sequence: u32, seconds: i64, session: u8, boot: u8) -> SegmentHeaderV1 {
    SegmentHeaderV1 {
        volume: Id128([9; 16]),
        device: name("van-12"),
        camera: name(camera),
        session: Id128([session; 16]),
        boot: Id128([boot; 16]),
        sequence,
        start: at(seconds),
        clock_trusted: true,
        fallback: false,
        before: heapless::Vec::new(),
    }
}

pub fn after(mut header: SegmentHeaderV1, missing: &[(i64, Cause)]) -> SegmentHeaderV1 {
    header.before = missing.iter().map(|(from, cause)| Missing { from: at(*from), cause: *cause }).collect();
    header
}

pub fn bytes(header: &SegmentHeaderV1, seconds: &[(i64, i64)]) -> Vec<u8> {
    let mut buffer = [0; MAX_HEADER];
    let sealed = encode_header(&SegmentHeader::V1(header.clone()), &mut buffer).unwrap();
    let mut bytes = vec![u8::try_from(sealed.len()).unwrap()];
    bytes.extend_from_slice(sealed);
    for second in seconds.iter().flat_map(|(from, to)| *from..*to) {
        bytes.push(0xF5);
        bytes.extend_from_slice(&at(second).as_micros().to_le_bytes());
        bytes.extend_from_slice(&at(second + 1).as_micros().to_le_bytes());
    }
    bytes
}

/// The scanner of this format.
pub struct Fake;

impl SegmentScanner for Fake {
    fn scan(&self, path: &Path) -> Result<SegmentFacts, ScanError> {
        let bytes = fs::read(path)?;
        let (Some(length), Some(rest)) = (bytes.first(), bytes.get(1..)) else {
            return Err(ScanError::Nothing);
        };
        let Some((sealed, units)) = rest.split_at_checked(usize::from(*length)) else {
            return Err(ScanError::Nothing);
        };
        let SegmentHeader::V1(header) =
            decode_header(sealed).map_err(|error| ScanError::Unreadable(error.to_string()))?;
        let whole = units.chunks_exact(UNIT as usize).take_while(|unit| unit[0] == 0xF5);
        let moment = |bytes: &[u8]| Wall(i64::from_le_bytes(bytes.try_into().unwrap()));
        let (mut frames, mut stretches) = (0, Vec::<Span>::new());
        for unit in whole {
            let (from, to) = (moment(&unit[1..9]), moment(&unit[9..]));
            frames += 1;
            match stretches.last_mut() {
                Some(last) if last.to == from => last.to = to,
                Some(_) | None => stretches.push(Span::new(from, to)),
            }
        }
        let durable_len = 1 + u64::from(*length) + u64::from(frames) * UNIT;
        let end = stretches.last().map_or(header.start, |last| last.to);
        let torn_bytes = bytes.len() as u64 - durable_len;
        Ok(SegmentFacts { header, frames, durable_len, torn_bytes, stretches, end })
    }
}
