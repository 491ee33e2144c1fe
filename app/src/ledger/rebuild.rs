//! `holdfast ledger rebuild VOLUME`: a ledger from the segments alone.
//!
//! Each segment carries whose footage it is, since when, in which session and boot, and what was missing
//! just before it. Read in the order of their numbers, they give back sessions, segments, gaps with
//! their causes, and holes inside segments. What they cannot give back: when cameras were taken out of
//! the configuration, how a segment ended, and how the last session ended; the new ledger says nothing
//! about these rather than guess. Nor can they tell of segments that are no longer there: before the oldest one, and where
//! others were deleted, the cause is not known then. What is protected is carried over from the list on the volume, or,
//! if that is damaged, from the old ledger.
//!
//! The new ledger is written beside the old one (`ledger.new`) and takes its place in one step where the
//! filesystem can exchange two names, else in two; the old one stays as `ledger.old-<time>`. If the power is cut
//! between the two, the command run again finds everything it needs: no segment is ever changed.
//! A marker that is missing or damaged is restored from the headers.

use super::facts::{ScanError, SegmentFacts, SegmentScanner};
use super::recover::holes;
use super::{LedgerWriter, Outcome, walk};
use crate::retention::Protection;
use crate::volumes::layout::{self, SegmentName};
use crate::volumes::{Lock, VolumeError, read_marker, sync_directory, write_marker};
use heapless::String as Short;
use holdfast_wire::cause::{Cause, Fault};
use holdfast_wire::ids::Name;
use holdfast_wire::ledger::{Ending, Gap, Record, SegmentClosed, SegmentOpened, SessionStarted};
use holdfast_wire::segment::SegmentHeaderV1;
use holdfast_wire::time::{Span, Wall};
use holdfast_wire::volume::VolumeMarkerV1;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// After so many segments a line of progress is shown: every few seconds on a USB disk.
const PROGRESS_EVERY: usize = 500;

/// What a rebuild did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Segments entered.
    pub segments: u32,
    /// Video frames in them.
    pub frames: u64,
    /// Cameras that they show.
    pub cameras: usize,
    /// Files and directories that could not be read, each with why.
    pub unread: Vec<String>,
    /// Whether the marker had to be restored.
    pub marker_restored: bool,
    /// Where the old ledger is kept, if there was one.
    pub old: Option<PathBuf>,
}

/// The command: rebuilds, shows progress on `progress` (standard error) and the result on `out`.
///
/// Fails if a recorder holds the volume ([`Fault::InUse`]), if there is no volume, or if the new ledger
/// cannot be written; the old one is in place then.
pub fn run(
    root: &Path,
    scanner: &dyn SegmentScanner,
    now: Wall,
    out: &mut dyn Write,
    progress: &mut dyn Write,
) -> Result<Outcome, VolumeError> {
    let summary = rebuild(root, scanner, now, &mut |done, all| {
        // Progress is a courtesy: a closed standard error must not end the work.
        let _ = writeln!(progress, "{done} of {all} segments read");
    })?;
    let told = tell(&summary, out);
    told.map_err(|error| VolumeError::io("write the result for", root, error))?;
    Ok(if summary.unread.is_empty() { Outcome::Complete } else { Outcome::Incomplete })
}

fn tell(summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
    for unread in &summary.unread {
        writeln!(out, "not read: {unread}")?;
    }
    if summary.marker_restored {
        writeln!(out, "the volume's marker was restored from its segments")?;
    }
    let Summary { segments, frames, cameras, .. } = summary;
    writeln!(out, "ledger rebuilt from {segments} segments of {cameras} cameras, {frames} frames")?;
    if let Some(old) = &summary.old {
        writeln!(out, "the old ledger is kept in {}", old.display())?;
    }
    Ok(())
}

/// Rebuilds the ledger of the volume at `root`. `progress` is told segments done and in all.
pub fn rebuild(
    root: &Path,
    scanner: &dyn SegmentScanner,
    now: Wall,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Summary, VolumeError> {
    let lock = Lock::take(root, false)?;
    let mut summary = Summary::default();
    let names = find(root, &mut summary);
    let fresh = layout::home(root).join("ledger.new");
    match fs::remove_dir_all(&fresh) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(VolumeError::io("remove what an earlier rebuild left in", &fresh, error)),
    }
    let first = names.first().map_or(now, |name| name.start);
    let mut story = Story {
        writer: LedgerWriter::create_in(fresh.clone(), first)?,
        summary,
        session: None,
        cameras: BTreeSet::new(),
        identity: None,
    };
    for (done, name) in names.iter().enumerate() {
        if done > 0 && done % PROGRESS_EVERY == 0 {
            progress(done, names.len());
        }
        let path = layout::segment(root, &name.camera, name.start, name.sequence);
        match scanner.scan(&path) {
            Ok(facts) if facts.frames > 0 => story.tell(name, &path, &facts)?,
            Ok(_) => story.unread(&path, &ScanError::Nothing.full()),
            Err(error) => story.unread(&path, &error.full()),
        }
    }
    story.carry_over_protections(&lock, now)?;
    story.append(now, &Record::Rebuilt { at: now, segments: story.summary.segments })?;
    story.writer.sync()?;
    let Story { mut summary, cameras, identity, .. } = story;
    summary.cameras = cameras.len();
    summary.marker_restored = restore_marker(&lock, identity, now)?;
    lock.check()?;
    summary.old = exchange(&lock, &fresh, now)?;
    Ok(summary)
}

/// The segments on the volume by number, two of one number told and passed over.
fn find(root: &Path, summary: &mut Summary) -> Vec<SegmentName> {
    let mut names = Vec::new();
    for (path, error) in walk::segments(root, None, |name| names.push(name)) {
        summary.unread.push(format!("{}: could not be listed: {error}", path.display()));
    }
    names.sort_unstable_by_key(|name| (name.sequence, name.start));
    names.dedup_by(|later, first| {
        let same = later.sequence == first.sequence;
        if same {
            let path = layout::segment(root, &later.camera, later.start, later.sequence);
            summary.unread.push(format!("{}: another segment has its number", path.display()));
        }
        same
    });
    names
}

/// The ledger as the segments tell it.
struct Story {
    writer: LedgerWriter,
    summary: Summary,
    session: Option<holdfast_wire::ids::SessionId>,
    cameras: BTreeSet<Name>,
    /// Of the first segment: what the marker is restored from.
    identity: Option<SegmentHeaderV1>,
}

impl Story {
    fn tell(&mut self, name: &SegmentName, path: &Path, facts: &SegmentFacts) -> Result<(), VolumeError> {
        let SegmentFacts { header, frames, durable_len, torn_bytes, stretches, end } = facts;
        if (&header.camera, header.sequence) != (&name.camera, name.sequence) {
            let text = format!("its header names camera {}, number {}", header.camera, header.sequence);
            self.unread(path, &text);
            return Ok(());
        }
        if *torn_bytes > 0 {
            self.unread(path, &format!("its last {torn_bytes} bytes are torn; all before them was entered"));
        }
        self.begin_session(header)?;
        let at = header.start;
        if self.cameras.insert(header.camera.clone()) {
            let from = header.before.first().map_or(at, |missing| missing.from.min(at));
            self.append(at, &Record::CameraConfigured { at: from, camera: header.camera.clone() })?;
        }
        let ends = header.before.iter().skip(1).map(|next| next.from).chain([at]);
        for (missing, to) in header.before.iter().zip(ends) {
            self.gap(header, Span::new(missing.from, to), missing.cause)?;
        }
        self.append(
            at,
            &Record::SegmentOpened(SegmentOpened {
                sequence: header.sequence,
                camera: header.camera.clone(),
                start: at,
                fallback: header.fallback,
            }),
        )?;
        for hole in holes(stretches) {
            self.gap(header, hole, Cause::Lost)?;
        }
        self.append(
            at,
            &Record::SegmentClosed(SegmentClosed {
                sequence: header.sequence,
                camera: header.camera.clone(),
                end: *end,
                frames: *frames,
                bytes: *durable_len,
                ending: Ending::Recovered,
            }),
        )?;
        self.summary.segments = self.summary.segments.saturating_add(1);
        self.summary.frames = self.summary.frames.saturating_add(u64::from(*frames));
        self.identity.get_or_insert_with(|| header.clone());
        Ok(())
    }

    /// Enters what is protected, so that the ledger can give back the list if that is damaged later.
    fn carry_over_protections(&mut self, lock: &Lock, now: Wall) -> Result<(), VolumeError> {
        let mut problems = Vec::new();
        let mut protection = Protection::open(lock.root(), false, &mut problems)?;
        protection.go_on(lock.root(), now, &|| lock.check(), || false, &mut problems)?;
        self.summary.unread.append(&mut problems);
        let Protection::Known(protections) = protection else { return Ok(()) };
        protections.list().try_for_each(|one| self.append(one.at, &Record::Protected(one.clone())))
    }

    /// A session is known by the first segment that names it. What was missing before that one tells
    /// whether the session before had ended in good order.
    fn begin_session(&mut self, header: &SegmentHeaderV1) -> Result<(), VolumeError> {
        if self.session == Some(header.session) {
            return Ok(());
        }
        let mut started = header.start;
        for missing in &header.before {
            match missing.cause {
                Cause::Stopped => {
                    if let Some(session) = self.session {
                        self.append(header.start, &Record::SessionEnded { at: missing.from, session })?;
                    }
                }
                Cause::Starting => started = started.min(missing.from),
                Cause::Unknown
                | Cause::Crashed
                | Cause::PowerLost
                | Cause::Camera(_)
                | Cause::Lost
                | Cause::RingOverflow
                | Cause::Volume(_)
                | Cause::ClockStepped
                | Cause::OnAnotherVolume
                | Cause::Deleted(_)
                | Cause::Ejected
                | Cause::OutOfMemory => {}
            }
        }
        self.session = Some(header.session);
        let record = SessionStarted {
            at: started,
            session: header.session,
            boot: header.boot,
            device: header.device.clone(),
            version: Short::new(), // no segment tells it
            clock_trusted: header.clock_trusted,
        };
        self.append(header.start, &Record::SessionStarted(record))
    }

    fn gap(&mut self, header: &SegmentHeaderV1, span: Span, cause: Cause) -> Result<(), VolumeError> {
        if span.is_empty() {
            return Ok(());
        }
        self.append(header.start, &Record::Gap(Gap { camera: header.camera.clone(), span, cause }))
    }

    fn append(&mut self, at: Wall, record: &Record) -> Result<(), VolumeError> {
        self.writer.append(at, record)
    }

    fn unread(&mut self, path: &Path, text: &str) {
        self.summary.unread.push(format!("{}: {text}", path.display()));
    }
}

fn restore_marker(lock: &Lock, identity: Option<SegmentHeaderV1>, now: Wall) -> Result<bool, VolumeError> {
    let missing = match read_marker(lock.root()) {
        Ok(marker) => marker.is_none(),
        Err(error) if error.fault == Fault::Damaged => true,
        Err(error) => return Err(error),
    };
    let Some(header) = identity.filter(|_| missing) else { return Ok(false) };
    let marker = VolumeMarkerV1 {
        id: header.volume,
        filesystem_uuid: Short::new(),
        adopted_by: header.device,
        adopted_at: now,
    };
    write_marker(lock, &marker.into()).map(|()| true)
}

/// Puts the new ledger in the old one's place and gives back where the old one is kept.
fn exchange(lock: &Lock, fresh: &Path, now: Wall) -> Result<Option<PathBuf>, VolumeError> {
    let place = layout::ledger(lock.root());
    sync_directory(fresh)?;
    if !place.exists() {
        fs::rename(fresh, &place).map_err(|error| VolumeError::io("rename to", &place, error))?;
        lock.sync()?;
        return Ok(None);
    }
    let old = free_name(lock.root(), now);
    let moved = match renameat_with(CWD, fresh, CWD, &place, RenameFlags::EXCHANGE) {
        Ok(()) => fs::rename(fresh, &old),
        // vfat and exFAT cannot exchange.
        Err(_) => fs::rename(&place, &old).and_then(|()| fs::rename(fresh, &place)),
    };
    moved.map_err(|error| VolumeError::io("put the new ledger in the place of", &place, error))?;
    lock.sync()?;
    Ok(Some(old))
}

/// `ledger.old-<time>`, with a number if that is taken.
fn free_name(root: &Path, now: Wall) -> PathBuf {
    let second = now.as_micros().div_euclid(1_000_000);
    let time = time::OffsetDateTime::from_unix_timestamp(second).unwrap_or(time::OffsetDateTime::UNIX_EPOCH);
    let (hour, minute, second) = time.to_hms();
    let name = format!("ledger.old-{}T{hour:02}-{minute:02}-{second:02}Z", layout::Day::of(now));
    let home = layout::home(root);
    let plain = home.join(&name);
    if !plain.exists() {
        return plain;
    }
    (2u32..).map(|number| home.join(format!("{name}-{number}"))).find(|path| !path.exists()).unwrap_or(plain)
}
