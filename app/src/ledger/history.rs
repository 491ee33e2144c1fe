//! What a ledger comes to: all that the next session needs of it, in bounded memory.
//!
//! It is folded from the records as they are read or appended, and kept in the file `ledger/checkpoint` together with the
//! place up to which it was folded: a ledger of 32 cameras grows by 140 MB in a month, and opening a volume reads
//! only what came after. The checkpoint is a shortcut, never the truth: if it is missing, damaged, of another version, or
//! does not fit the file that it speaks of, the two newest months are read instead.

use super::read::{self, FileEnd, Problem, Trouble};
use crate::volumes::VolumeError;
use crate::volumes::layout::{self, Day, Month};
use holdfast_core::event::Past;
use holdfast_wire::cause::Fault;
use holdfast_wire::frame::checksum;
use holdfast_wire::ids::{BootId, Name, SessionId};
use holdfast_wire::ledger::{Record, SegmentDeleted, SegmentOpened};
use holdfast_wire::time::Wall;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

/// The version of the checkpoint's content; any other is passed over. To be raised with every change of [`History`].
const VERSION: u8 = 2;

/// So many bytes before a checkpoint's place are compared by their sum: a ledger that was exchanged or went back is
/// found by them.
const COMPARED: u64 = 4096;

/// Longest checkpoint that is read: 32 cameras take 8 KB.
const MAX_CHECKPOINT: u64 = 1 << 20;

/// How many of the newest deletions are remembered, to finish what a power cut left between a record and its file. A
/// batch is finished before the next one begins, and none has more.
pub(crate) const DELETIONS: usize = 256;

/// A step of the clock that matters to ages of days, and how many of them are kept: a clock that is lost at each start steps
/// once a day or so.
const STEP: Duration = Duration::from_secs(60);
const STEPS: usize = 64;

/// How far before the ledger's last word a segment that it does not mention may lie. A ledger is synced
/// every second; two days cover a clock that was set back.
const LOOK_BACK: Duration = Duration::from_secs(2 * 86_400);

/// How many of the newest sequence numbers are remembered, to know which files the ledger mentions. Two
/// cameras' records may be written in the other order than their numbers were given; 256 is eight
/// times the most cameras.
const REMEMBERED: usize = 256;

/// What is remembered of a ledger while it is read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    session: Option<Session>,
    pub(super) cameras: BTreeMap<Name, CameraHistory>,
    /// Segments that are open.
    pub(super) open: BTreeMap<u32, SegmentOpened>,
    /// By how many microseconds some of them began too early, as a correction of time said since.
    late: BTreeMap<u32, i64>,
    /// The highest number of a segment.
    pub(super) newest: Option<u32>,
    /// The newest steps of the wall clock of at least [`STEP`], at most [`STEPS`]: when, in the new time, and by how many
    /// microseconds.
    steps: VecDeque<(Wall, i64)>,
    /// The newest deletions, at most [`DELETIONS`].
    pub(super) deleted: VecDeque<SegmentDeleted>,
    /// The newest sequence numbers that are mentioned, at most [`REMEMBERED`].
    mentioned: BTreeSet<u32>,
    last_word: Option<Wall>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Session {
    id: SessionId,
    boot: BootId,
    started: Wall,
    ended: bool,
    /// The ledger was rebuilt after it: its end is not known.
    rebuilt: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct CameraHistory {
    pub owed: bool,
    pub owed_from: Option<Wall>,
    newest: Option<u32>,
    pub covered_until: Option<Wall>,
}

impl History {
    /// Whether nobody ever recorded to the volume, as far as its ledger knows.
    pub fn is_new(&self) -> bool {
        self.session.is_none()
    }

    /// The newest steps of the wall clock that mean something to the age of footage, oldest first: when, in the new time, and
    /// by how many microseconds.
    pub fn steps(&self) -> impl Iterator<Item = (Wall, i64)> + '_ {
        self.steps.iter().copied()
    }

    /// Reads what the ledger at `root` comes to, with the good end of its newest month. What cannot be read is told in
    /// `problems`, except a torn tail, which is the caller's to mend.
    ///
    /// Fails if the ledger's directory cannot be listed, or its newest month not be read to its end: it must not be cut then.
    pub(super) fn read(
        root: &Path,
        months: &[Month],
        problems: &mut Vec<String>,
    ) -> Result<(Self, FileEnd), VolumeError> {
        if let Some(Checkpoint { month, offset, history, .. }) = Checkpoint::read(root) {
            let later = months.iter().copied().filter(|later| *later >= month);
            return history.read_on(root, later, offset, problems);
        }
        // The two newest months hold all that is needed unless the volume rested in between; all of them are read
        // if no session or segment is mentioned there.
        let recent = months.len().saturating_sub(2);
        let history = History::default();
        let read = history.read_on(root, months[recent..].iter().copied(), 0, problems)?;
        if recent == 0 || (read.0.session.is_some() && read.0.newest.is_some()) {
            return Ok(read);
        }
        problems.clear();
        History::default().read_on(root, months.iter().copied(), 0, problems)
    }

    /// Reads these months, the first of them from `offset` on.
    fn read_on(
        mut self,
        root: &Path,
        months: impl Iterator<Item = Month>,
        offset: u64,
        problems: &mut Vec<String>,
    ) -> Result<(Self, FileEnd), VolumeError> {
        let mut end = FileEnd::default();
        let mut unreadable = None;
        let mut from = offset;
        for month in months {
            unreadable = None;
            end = read::read_month_from(root, month, from, |entry| match entry {
                Ok(record) => self.take(&record),
                Err(Problem { what: Trouble::Torn { .. }, .. }) => {}
                Err(problem) => {
                    if let Trouble::Unreadable(why) = &problem.what {
                        unreadable = Some(VolumeError::found(Fault::Io, "read", &problem.file, why.clone()));
                    }
                    problems.push(problem.to_string());
                }
            });
            from = 0;
        }
        unreadable.map_or(Ok((self, end)), Err)
    }

    /// Takes the next record.
    pub(super) fn take(&mut self, record: &Record) {
        match record {
            Record::SessionStarted(started) => {
                let (id, boot) = (started.session, started.boot);
                self.session = Some(Session { id, boot, started: started.at, ended: false, rebuilt: false });
                self.last_word = Some(started.at);
            }
            Record::SessionEnded { at, session } => {
                if let Some(current) = self.session.as_mut().filter(|current| current.id == *session) {
                    current.ended = true;
                }
                self.last_word = Some(*at);
            }
            Record::CameraConfigured { at, camera } => {
                let camera = self.camera(camera);
                camera.owed = true;
                camera.owed_from.get_or_insert(*at);
            }
            Record::CameraRemoved { camera, .. } => self.camera(camera).owed = false,
            Record::SegmentOpened(opened) => {
                self.newest = self.newest.max(Some(opened.sequence));
                self.mentioned.insert(opened.sequence);
                if self.mentioned.len() > REMEMBERED {
                    self.mentioned.pop_first();
                }
                self.open.insert(opened.sequence, opened.clone());
                // A number that is given anew is another segment's: the disk had lost what it was told.
                self.deleted.retain(|deleted| deleted.sequence != opened.sequence);
                let camera = self.camera(&opened.camera);
                if camera.owed_from.is_none() {
                    (camera.owed, camera.owed_from) = (true, Some(opened.start));
                }
                self.last_word = Some(opened.start);
            }
            Record::SegmentClosed(closed) => {
                self.open.remove(&closed.sequence);
                let end = closed.end.later_by(self.late.remove(&closed.sequence).unwrap_or(0));
                let camera = self.camera(&closed.camera);
                // By number, not by time: a clock that was once in the future must not cover what comes.
                if closed.frames > 0 && camera.newest <= Some(closed.sequence) {
                    camera.newest = Some(closed.sequence);
                    camera.covered_until = Some(end);
                }
                self.last_word = Some(end);
            }
            Record::SegmentDeleted(deleted) => {
                self.open.remove(&deleted.sequence);
                if self.deleted.len() >= DELETIONS {
                    self.deleted.pop_front();
                }
                self.deleted.push_back(deleted.clone());
            }
            Record::Rebuilt { .. } => {
                if let Some(session) = &mut self.session {
                    session.rebuilt = true;
                }
            }
            Record::ClockStepped { at, by_micros } => {
                if u128::from(by_micros.unsigned_abs()) < STEP.as_micros() {
                    return;
                }
                if self.steps.len() >= STEPS {
                    self.steps.pop_front();
                }
                self.steps.push_back((*at, *by_micros));
            }
            Record::Gap(_)
            | Record::GapOpened { .. }
            | Record::Repaired(_)
            | Record::VolumeFaulted { .. }
            | Record::Protected(_)
            | Record::Unprotected { .. }
            | Record::Renewed { .. }
            | Record::TakenOver { .. } => {}
            Record::TimeCorrected { at, from, to, by_micros } => {
                self.correct((*from, *to), *by_micros);
                self.last_word = Some(*at);
            }
        }
    }

    /// What this session wrote in these times happened so much later.
    fn correct(&mut self, (from, to): (Wall, Wall), by_micros: i64) {
        let move_one = |moment: &mut Option<Wall>| {
            if let Some(at) = moment.as_mut().filter(|at| from <= **at && **at <= to) {
                *at = at.later_by(by_micros);
            }
        };
        for camera in self.cameras.values_mut() {
            move_one(&mut camera.covered_until);
            move_one(&mut camera.owed_from);
        }
        for opened in self.open.values() {
            let late = self.late.entry(opened.sequence).or_insert(0);
            let begun = opened.start.later_by(*late);
            if from <= begun && begun <= to {
                *late = late.saturating_add(by_micros);
            }
        }
    }

    /// The newest moment that it knows.
    pub fn ends(&self) -> Option<Wall> {
        let covered = self.cameras.values().filter_map(|camera| camera.covered_until);
        covered.chain(self.last_word).max()
    }

    fn camera(&mut self, name: &Name) -> &mut CameraHistory {
        self.cameras.entry(name.clone()).or_default()
    }

    /// Numbers below those remembered are taken as mentioned: they are older than any lost record.
    pub(super) fn mentions(&self, sequence: u32) -> bool {
        match (self.mentioned.first(), self.session.is_some()) {
            (_, false) => false,
            (Some(oldest), true) if self.mentioned.len() >= REMEMBERED && sequence < *oldest => true,
            (_, true) => self.mentioned.contains(&sequence),
        }
    }

    /// The first day on which a segment may lie that the ledger does not mention; `None` if the ledger
    /// knows of no session, so that nothing can be concluded.
    pub(super) fn look_from(&self) -> Option<Day> {
        let session = self.session.as_ref()?;
        let last_word = self.last_word.unwrap_or(session.started);
        Some(Day::of(session.started.min(last_word).max(last_word - LOOK_BACK)))
    }

    /// The session that wrote last.
    pub(super) fn session_id(&self) -> Option<SessionId> {
        self.session.as_ref().map(|session| session.id)
    }

    pub(super) fn past(&self, boot: BootId) -> Option<Past> {
        let session = self.session.as_ref()?;
        if session.rebuilt {
            return None;
        }
        Some(match (session.ended, session.boot == boot) {
            (true, _) => Past::Stopped,
            (false, true) => Past::Crashed,
            (false, false) => Past::PowerLost,
        })
    }
}

/// The file `ledger/checkpoint`: postcard, then a CRC-32.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Checkpoint {
    version: u8,
    /// Up to where it was folded: this month's file ...
    month: Month,
    /// ... and the place in it, in bytes.
    offset: u64,
    /// The sum of the [`COMPARED`] bytes before that place.
    tail: u32,
    history: History,
}

impl Checkpoint {
    /// The checkpoint at `root`, if there is one that can be believed.
    fn read(root: &Path) -> Option<Checkpoint> {
        let path = layout::checkpoint(root);
        let mut bytes = Vec::new();
        File::open(&path).and_then(|file| file.take(MAX_CHECKPOINT).read_to_end(&mut bytes)).ok()?;
        let (content, sum) = bytes.split_at_checked(bytes.len().checked_sub(4)?)?;
        if sum != checksum(content).to_le_bytes() || content.first() != Some(&VERSION) {
            return None;
        }
        let checkpoint: Checkpoint = postcard::from_bytes(content).ok()?;
        let month = layout::ledger(root).join(checkpoint.month.to_string());
        let tail = sum_before(&File::open(month).ok()?, checkpoint.offset).ok()?;
        (tail == checkpoint.tail).then_some(checkpoint)
    }
}

/// Writes the checkpoint of the ledger in `directory`, whose file of `month` holds, durably, `length` bytes and comes to
/// `history`. On a full volume there is none: it is a shortcut only.
pub(super) fn write_checkpoint(
    directory: &Path,
    month: Month,
    file: &File,
    length: u64,
    history: &History,
) -> Result<(), VolumeError> {
    let path = directory.join("checkpoint");
    let written = sum_before(file, length).and_then(|tail| {
        let history = history.clone();
        let checkpoint = Checkpoint { version: VERSION, month, offset: length, tail, history };
        let mut bytes = postcard::to_extend(&checkpoint, Vec::new()).map_err(io::Error::other)?;
        bytes.extend_from_slice(&checksum(&bytes).to_le_bytes());
        let temporary = directory.join("checkpoint.tmp");
        let mut file = File::create(&temporary)?;
        // Without its content on the disk the name could come to stand for zeros: read, and not believed.
        file.write_all(&bytes).and_then(|()| file.sync_data()).and_then(|()| fs::rename(&temporary, &path))
    });
    match written.map_err(|error| VolumeError::io("write", &path, error)) {
        Err(error) if matches!(error.fault, Fault::NoSpace | Fault::Quota) => {
            let _ = fs::remove_file(directory.join("checkpoint.tmp")); // what is left of it is no harm
            Ok(())
        }
        other => other,
    }
}

/// The sum of the last [`COMPARED`] bytes before `end`.
fn sum_before(file: &File, end: u64) -> io::Result<u32> {
    let from = end.saturating_sub(COMPARED);
    let mut bytes = vec![0; usize::try_from(end - from).unwrap_or_default()];
    file.read_exact_at(&mut bytes, from)?;
    Ok(checksum(&bytes))
}
