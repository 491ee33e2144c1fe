//! At the opening of a volume: what the session before left undone, and what it left behind.
//!
//! A recorder that is killed leaves segments that its ledger calls open, and, if the machine went down,
//! segments that the ledger does not mention yet. Both are read, cut behind their last whole fragment,
//! and closed in the ledger with what is really in them. The numbers that the next session needs
//! (next sequence, how far each camera is covered) come out of the same reading.
//!
//! | found | done |
//! |---|---|
//! | deleted segment, file still there | removed: its record was written first, so that the power cut came between |
//! | the same, but a protection reaches it, or the list cannot be read | left as it is, told as a problem |
//! | open segment with footage | torn bytes cut, closed as [`Ending::Recovered`] |
//! | open segment without footage | removed (the ledger proves that it is ours), closed with 0 frames |
//! | open segment, file gone | closed with 0 frames, told as a problem |
//! | open segment that cannot be read | left as it is, told as a problem, tried again next time |
//! | segment not mentioned, with footage | opened and closed in the ledger |
//! | segment not mentioned, 0 bytes long | removed: there is nothing in it |
//! | segment not mentioned, newer than all that are, without footage | removed: it was being made when all ended |
//! | segment not mentioned, not readable | left as it is, told as a problem |

use super::facts::{ScanError, SegmentFacts, SegmentScanner};
use super::history::CameraHistory;
use super::{LedgerWriter, walk};
use crate::retention::protection::{self, Protections};
use crate::volumes::layout::{self, Day, SegmentName};
use crate::volumes::{Volume, VolumeError, sync_directory};
use holdfast_core::event::Past;
use holdfast_wire::cause::Cause;
use holdfast_wire::ids::{BootId, Name, SessionId, VolumeId};
use holdfast_wire::ledger::{Ending, Gap, Record, Repaired, SegmentClosed, SegmentDeleted, SegmentOpened};
use holdfast_wire::time::{Span, Wall};
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io;
use std::path::Path;

/// What a volume's past means for the session that begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// The number for the next segment; above that of any on the volume.
    pub next_sequence: u32,
    /// The cameras that the ledger knows.
    pub cameras: Vec<CameraPast>,
    /// How the session before ended. `None` if there was none, or if the ledger was rebuilt since and
    /// cannot know.
    pub past: Option<Past>,
    /// The newest moment that the ledger knows.
    pub ends: Option<Wall>,
    /// Which session that was: the present one, if the volume was away and is back.
    pub session: Option<SessionId>,
    /// What was mended.
    pub repairs: Repairs,
    /// What could not be read or mended, each a sentence for the log.
    pub problems: Vec<String>,
}

/// What the ledger knows of a camera.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CameraPast {
    /// Which camera.
    pub camera: Name,
    /// The end of its newest footage, or when it began to be owed.
    pub covered_until: Wall,
    /// Whether its footage is still owed: it was not taken out of the configuration.
    pub owed: bool,
}

/// What was mended at the opening of a volume.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Repairs {
    /// Segments that the ledger called open, closed with what is in them.
    pub closed: u32,
    /// Segments whose torn tail was cut.
    pub segments: u32,
    /// Bytes cut from them, or removed with them.
    pub segment_bytes: u64,
    /// Bytes cut from the ledger.
    pub ledger_bytes: u64,
    /// Segments that the ledger did not mention, entered.
    pub adopted: u32,
    /// Files without footage, removed.
    pub removed: u32,
    /// Segments that the ledger calls deleted and that were still there, removed.
    pub deleted: u32,
}

/// Mends the ledger and the segments of an opened volume and reads its past. `boot` is this boot of
/// the machine. Everything that it wrote is durable when it returns.
///
/// Fails only if the ledger itself cannot be read or written; a bad segment never keeps a recorder from
/// recording.
pub fn recover(
    volume: &Volume,
    scanner: &dyn SegmentScanner,
    now: Wall,
    boot: BootId,
) -> Result<(LedgerWriter, Recovered), VolumeError> {
    let mut result = Recovered::default();
    let (writer, ledger_bytes) = LedgerWriter::open_telling(volume.root(), now, &mut result.problems)?;
    result.repairs.ledger_bytes = ledger_bytes;
    let newest = writer.history().newest;
    let ids = std::iter::once(volume.id()).chain(volume.marker().formerly.iter().copied()).collect();
    let mut work = Work { root: volume.root(), ids, scanner, now, writer, newest, result };
    work.finish_deletions();
    for opened in work.writer.history().open.values().cloned().collect::<Vec<_>>() {
        work.close(opened)?;
    }
    work.adopt()?;
    work.writer.sync()?;
    work.writer.checkpoint()?;
    let Work { writer, newest, mut result, .. } = work;
    result.next_sequence = newest.map_or(1, |newest| newest.saturating_add(1));
    result.past = writer.history().past(boot);
    result.ends = writer.history().ends();
    result.session = writer.history().session_id();
    result.cameras = writer.history().cameras.iter().filter_map(CameraHistory::past).collect();
    Ok((writer, result))
}

struct Work<'a> {
    root: &'a Path,
    /// Identities that its segments may carry.
    ids: Vec<VolumeId>,
    scanner: &'a dyn SegmentScanner,
    now: Wall,
    writer: LedgerWriter,
    /// The highest number in the ledger or on the volume.
    newest: Option<u32>,
    result: Recovered,
}

impl Work<'_> {
    /// Removes what the ledger calls deleted and a power cut, or a disk that failed, had left in its place. Not what
    /// somebody has protected since: the answer was yes.
    fn finish_deletions(&mut self) {
        let mut protections = None;
        for deleted in self.writer.history().deleted.clone() {
            let path = layout::segment(self.root, &deleted.camera, deleted.start, deleted.sequence);
            if !fs::symlink_metadata(&path).is_ok_and(|facts| facts.is_file()) {
                continue;
            }
            let protections = protections.get_or_insert_with(|| protection::read(self.root));
            let why = match protections {
                Ok(Some(protections)) => {
                    self.protects(protections, &deleted, &path).then_some("it is protected")
                }
                Ok(None) | Err(_) => Some("what is protected is not known before the list was made anew"),
            };
            if let Some(why) = why {
                self.problem(&path, &format!("is deleted in the ledger, but stays: {why}"));
                continue;
            }
            match remove(&path) {
                Ok(()) => self.result.repairs.deleted += 1,
                Err(error) => self.problem(&path, &format!("is deleted in the ledger, but stays: {error}")),
            }
        }
    }

    /// Whether a protection reaches into this file. What cannot be read may reach as far as anything does.
    fn protects(&self, protections: &Protections, deleted: &SegmentDeleted, path: &Path) -> bool {
        let reach = |to| protections.reach(&deleted.camera, Span::new(deleted.start, to));
        reach(Wall(i64::MAX)) && self.scanner.scan(path).map_or(true, |facts| reach(facts.end))
    }

    /// Brings a segment that the ledger calls open to its end.
    fn close(&mut self, opened: SegmentOpened) -> Result<(), VolumeError> {
        let path = layout::segment(self.root, &opened.camera, opened.start, opened.sequence);
        match self.scan(&path, &opened.camera, opened.sequence) {
            Ok(facts) => self.enter(&path, &facts),
            Err(ScanError::Nothing) => {
                let bytes = fs::metadata(&path).map_or(0, |facts| facts.len());
                match remove(&path) {
                    Ok(()) => self.result.repairs.removed += 1,
                    Err(error) => self.problem(&path, &format!("holds no footage, but stays: {error}")),
                }
                self.close_empty(&opened, bytes)
            }
            Err(ScanError::Io(error)) if error.kind() == io::ErrorKind::NotFound => {
                self.problem(&path, "is gone, although the ledger calls it open");
                self.close_empty(&opened, 0)
            }
            Err(error @ (ScanError::Io(_) | ScanError::Unreadable(_))) => {
                self.left(&path, &error);
                Ok(())
            }
        }
    }

    /// Enters segments that the last records, lost with the ledger's tail, would have named.
    fn adopt(&mut self) -> Result<(), VolumeError> {
        let history = self.writer.history();
        let (from, known) = (history.look_from(), history.newest);
        let mut found = BTreeMap::new();
        // A ledger that mentions no segment says nothing of the numbers that were given: then all are looked at.
        let unlisted = walk::segments(self.root, known.and(from), |name| {
            if !history.mentions(name.sequence) {
                found.insert(name.sequence, name);
            }
        });
        for (path, error) in unlisted {
            self.problem(&path, &format!("could not be listed: {error}"));
        }
        self.newest = known.max(found.keys().next_back().copied());
        let Some(from) = from else {
            if !found.is_empty() {
                let text = format!(
                    "is empty, but {} segments are on the volume: `holdfast ledger rebuild {}` enters them",
                    found.len(),
                    self.root.display()
                );
                self.problem(&layout::ledger(self.root), &text);
            }
            return Ok(());
        };
        found.retain(|_, name| Day::of(name.start) >= from);
        found.into_values().try_for_each(|name| self.adopt_one(&name, known))
    }

    /// `known`: the newest number that the ledger mentions.
    fn adopt_one(&mut self, name: &SegmentName, known: Option<u32>) -> Result<(), VolumeError> {
        let path = layout::segment(self.root, &name.camera, name.start, name.sequence);
        let length = fs::metadata(&path).map_or(0, |facts| facts.len());
        if length == 0 {
            self.remove_unmentioned(&path, "is empty");
            return Ok(());
        }
        match self.scan(&path, &name.camera, name.sequence) {
            Ok(facts) => {
                self.result.repairs.adopted += 1;
                let header = &facts.header;
                let opened = SegmentOpened {
                    sequence: header.sequence,
                    camera: header.camera.clone(),
                    start: header.start,
                    fallback: header.fallback,
                };
                self.append(Record::SegmentOpened(opened))?;
                self.enter(&path, &facts)
            }
            // A file is made, its first fragment written, and then it is mentioned: this one was on its way.
            Err(ScanError::Nothing) if known < Some(name.sequence) => {
                self.result.repairs.segments += 1;
                self.result.repairs.segment_bytes += length;
                self.remove_unmentioned(&path, "holds no footage");
                Ok(())
            }
            Err(error) => {
                self.left(&path, &error);
                Ok(())
            }
        }
    }

    fn remove_unmentioned(&mut self, path: &Path, what: &str) {
        match remove(path) {
            Ok(()) => self.result.repairs.removed += 1,
            Err(error) => self.problem(path, &format!("{what}, but stays: {error}")),
        }
    }

    /// Reads a segment and makes sure that it is of this volume and the one that its name says, with footage in it. One that
    /// a person copied here from another disk is not entered, and nothing is cut from it.
    fn scan(&self, path: &Path, camera: &Name, sequence: u32) -> Result<SegmentFacts, ScanError> {
        let facts = self.scanner.scan(path)?;
        if (&facts.header.camera, facts.header.sequence) != (camera, sequence) {
            let text =
                format!("its header names camera {}, number {}", facts.header.camera, facts.header.sequence);
            return Err(ScanError::Unreadable(text));
        }
        if !self.ids.contains(&facts.header.volume) {
            let text = format!("it was written to another volume ({})", facts.header.volume);
            return Err(ScanError::Unreadable(text));
        }
        if facts.frames == 0 { Err(ScanError::Nothing) } else { Ok(facts) }
    }

    /// Cuts a segment's torn tail, then closes it in the ledger. In this order: were the power cut in
    /// between, it would be found open again.
    fn enter(&mut self, path: &Path, facts: &SegmentFacts) -> Result<(), VolumeError> {
        let SegmentFacts { header, frames, durable_len, torn_bytes, stretches, end } = facts;
        if *torn_bytes > 0 {
            let cut = OpenOptions::new().write(true).open(path).and_then(|file| {
                file.set_len(*durable_len)?;
                file.sync_all()
            });
            match cut {
                Ok(()) => {
                    self.result.repairs.segments += 1;
                    self.result.repairs.segment_bytes += torn_bytes;
                    let (at, sequence, bytes) = (self.now, header.sequence, *torn_bytes);
                    self.append(Record::Repaired(Repaired::SegmentTail { at, sequence, bytes }))?;
                }
                // It plays all the same; players stop where it is torn.
                Err(error) => self.problem(path, &format!("has a torn tail that could not be cut: {error}")),
            }
        }
        self.result.repairs.closed += 1;
        for hole in holes(stretches) {
            let camera = header.camera.clone();
            self.append(Record::Gap(Gap { camera, span: hole, cause: Cause::Lost }))?;
        }
        self.append(Record::SegmentClosed(SegmentClosed {
            sequence: header.sequence,
            camera: header.camera.clone(),
            end: *end,
            frames: *frames,
            bytes: *durable_len,
            ending: Ending::Recovered,
        }))
    }

    fn close_empty(&mut self, opened: &SegmentOpened, cut: u64) -> Result<(), VolumeError> {
        if cut > 0 {
            self.result.repairs.segments += 1;
            self.result.repairs.segment_bytes += cut;
            let (at, sequence) = (self.now, opened.sequence);
            self.append(Record::Repaired(Repaired::SegmentTail { at, sequence, bytes: cut }))?;
        }
        self.append(Record::SegmentClosed(SegmentClosed {
            sequence: opened.sequence,
            camera: opened.camera.clone(),
            end: opened.start,
            frames: 0,
            bytes: 0,
            ending: Ending::Recovered,
        }))
    }

    fn append(&mut self, record: Record) -> Result<(), VolumeError> {
        self.writer.append(self.now, &record)
    }

    fn left(&mut self, path: &Path, error: &ScanError) {
        self.problem(path, &format!("{}; it was left as it is", error.full()));
    }

    fn problem(&mut self, path: &Path, text: &str) {
        self.result.problems.push(format!("{}: {text}", path.display()));
    }
}

/// The spans between the stretches of one segment.
pub(super) fn holes(stretches: &[Span]) -> impl Iterator<Item = Span> + '_ {
    stretches.windows(2).map(|pair| Span::new(pair[0].to, pair[1].from)).filter(|hole| !hole.is_empty())
}

fn remove(path: &Path) -> Result<(), VolumeError> {
    fs::remove_file(path).map_err(|error| VolumeError::io("remove", path, error))?;
    path.parent().map_or(Ok(()), sync_directory)
}

impl CameraHistory {
    fn past((camera, history): (&Name, &CameraHistory)) -> Option<CameraPast> {
        let covered_until = history.covered_until.or(history.owed_from)?;
        Some(CameraPast { camera: camera.clone(), covered_until, owed: history.owed })
    }
}
