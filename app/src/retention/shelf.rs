//! What lies on a volume, for the core's cleaner: each camera's segments head by head, and how much footage there is.
//!
//! Nothing is given that is open, that Holdfast did not write to this volume, or that would not lie where it lies: each
//! head's own header is read first, and its volume, camera, number and start must give just its path. What fails this is
//! passed over and told once.
//!
//! The **census** counts the bytes of each camera, a slice at a time on idle turns. Segments of this session are counted as
//! they are closed; the census counts those with lower numbers.

use super::camera::{self, Stream, Unlisted};
use super::census::Census;
use super::listing::{self, Named};
use super::proof::{Strange, examine, is_protected};
use super::protection::Protection;
use crate::ledger::SegmentScanner;
use crate::volumes::layout::Day;
use crate::volumes::{VolumeError, layout};
use holdfast_core::retention::{self, Candidate, MAX_SHELF};
use holdfast_core::time::Mono;
use holdfast_wire::ids::{Name, VolumeId};
use holdfast_wire::segment::SegmentHeaderV1;
use holdfast_wire::time::{Span, Wall};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// For ages a segment that no next one follows is taken to last so long: twice the longest that can be configured. One is
/// cut only at a keyframe, so that it may last longer; its age is wrong then by what is nothing to days.
const LONGEST: Duration = Duration::from_secs(1200);

/// Strange files that are remembered by number, so that each is told once and read once: what is more is read again at
/// each new beginning.
const MOST_STRANGE: usize = 1024;

/// Most segments that a camera has open: one that grows and one that waits for its last audio. A number that was taken and
/// never became a file is forgotten behind so many others.
const MOST_OPEN: usize = 4;

/// What a segment is asked for its time that was written by an untrusted clock: so many of those behind it, at growing
/// distances, so that the 1024 that are listed cost eleven looks.
const GLANCES: u32 = 11;

/// How long which camera's footage is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ages {
    /// Cameras with an age of their own; `None`: it has no limit.
    pub of: Vec<(Name, Option<Duration>)>,
    /// All others, also such as are no longer configured.
    pub others: Option<Duration>,
}

impl Ages {
    fn age(&self, camera: &Name) -> Option<Duration> {
        self.of.iter().find(|(name, _)| name == camera).map_or(self.others, |(_, age)| *age)
    }
}

/// A head that was given out for deletion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Given {
    pub camera: usize,
    pub name: Name,
    pub day: Day,
    pub path: PathBuf,
    pub start: Wall,
    pub candidate: Candidate,
}

/// The shelf of one volume.
pub(super) struct DiskShelf {
    root: PathBuf,
    /// Identities that segments on it may carry.
    ids: Vec<VolumeId>,
    scanner: Box<dyn SegmentScanner + Send>,
    ages: Ages,
    cameras: Vec<Shelved>,
    /// Given out and not answered yet.
    given: Vec<Given>,
    pub protection: Protection,
    now: Mono,
    /// Each day was listed once.
    listed: bool,
    /// Sentences for the log.
    pub said: Vec<String>,
}

struct Shelved {
    name: Name,
    age: Option<Duration>,
    configured: bool,
    stream: Stream,
    head: Option<Head>,
    /// What is being written, with its start: the lowest of these numbers and those after it are not given.
    open: BTreeMap<u32, Wall>,
    census: Census,
    /// Bytes passed over and still there.
    passed: u64,
    /// Untrusted footage with a lower number had ended by this moment.
    dated: Option<(u32, Wall)>,
    strange: BTreeSet<u32>,
}

#[derive(Clone, Copy)]
struct Head {
    day: Day,
    candidate: Candidate,
    start: Wall,
}

impl DiskShelf {
    /// The shelf of the volume at `root`, whose next segment will have the number `next`. `ids`: identities that its segments
    /// may carry; `configured`: cameras whose directories stay when they are empty.
    ///
    /// Fails if the volume's own directory cannot be listed.
    pub fn open(
        root: &Path,
        ids: Vec<VolumeId>,
        ages: Ages,
        configured: &[Name],
        next: u32,
        protection: Protection,
        scanner: Box<dyn SegmentScanner + Send>,
    ) -> Result<Self, VolumeError> {
        let there =
            listing::cameras(root).map_err(|error| VolumeError::io("list", &layout::home(root), error))?;
        let others = there.into_iter().filter(|name| !configured.contains(name));
        let all = configured.iter().map(|name| (name.clone(), true)).chain(others.map(|name| (name, false)));
        let cameras = all
            .take(MAX_SHELF)
            .map(|(name, configured)| Shelved::new(name.clone(), ages.age(&name), configured, next))
            .collect();
        Ok(DiskShelf {
            root: root.to_owned(),
            ids,
            scanner,
            ages,
            cameras,
            given: Vec::new(),
            protection,
            now: Mono(0),
            listed: false,
            said: Vec::new(),
        })
    }

    /// What time it is, for what is tried again.
    pub fn set_now(&mut self, now: Mono) {
        self.now = now;
    }

    /// A segment of this number is being written.
    pub fn opened(&mut self, camera: &Name, start: Wall, sequence: u32) {
        if let Some(shelved) = self.camera(camera) {
            shelved.open.insert(sequence, start);
            if shelved.open.len() > MOST_OPEN {
                shelved.open.pop_first();
            }
            shelved.stream.added(Day::of(start), sequence);
        }
    }

    /// A segment is closed.
    pub fn closed(&mut self, camera: &Name, sequence: u32, bytes: u64) {
        let DiskShelf { cameras, protection, .. } = self;
        let Some(shelved) = cameras.iter_mut().find(|shelved| shelved.name == *camera) else { return };
        let start = shelved.open.get(&sequence).copied();
        // Whatever this camera had begun before it, and never closed, has no file.
        shelved.open.retain(|open, _| *open > sequence);
        let protected = start.is_some_and(|start| protects(protection, camera, start));
        shelved.census.closed(sequence, if protected { 0 } else { bytes });
    }

    /// What was given out for deletion and not answered yet, in the order in which it was.
    pub fn given(&self) -> &[Given] {
        &self.given
    }

    /// Forgets what was given out, since all of it was answered: these are gone, the others are still there.
    pub fn answered(&mut self, gone: &[Given]) {
        self.given.clear();
        for given in gone {
            let Some(shelved) = self.cameras.get_mut(given.camera) else { continue };
            shelved.census.removed(given.candidate.sequence, given.candidate.bytes);
            shelved.passed = shelved.passed.saturating_sub(given.candidate.bytes);
        }
    }

    /// The directory of a day was removed.
    pub fn day_removed(&mut self, camera: usize, day: Day) {
        if let Some(shelved) = self.cameras.get_mut(camera) {
            shelved.stream.removed(day);
        }
    }

    /// Whether the camera is one of the configuration, whose directory stays.
    pub fn is_configured(&self, camera: usize) -> bool {
        self.cameras.get(camera).is_some_and(|shelved| shelved.configured)
    }

    /// Goes on listing each day once, by names only, until `enough` says so. True when all are listed that can be.
    pub fn list(&mut self, mut enough: impl FnMut() -> bool) -> bool {
        let DiskShelf { root, cameras, now, said, listed, .. } = self;
        if *listed {
            return true;
        }
        for shelved in cameras {
            loop {
                match shelved.stream.list_one(root, *now) {
                    Ok(true) if enough() => return false,
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(unlisted) => {
                        said.extend(tell(unlisted));
                        break;
                    }
                }
            }
        }
        *listed = true;
        true
    }

    /// Goes on with the census until `enough` says so. True when nothing is left to count that can be.
    pub fn count(&mut self, mut enough: impl FnMut() -> bool) -> bool {
        let DiskShelf { root, cameras, protection, now, said, .. } = self;
        let Protection::Known(protections) = &*protection else { return true };
        for shelved in cameras {
            if shelved.census.is_due(protections.version()) {
                let open = shelved.open.first_key_value().map(|(sequence, _)| *sequence);
                shelved.census.begin(protections.version(), open, shelved.stream.again());
            }
            let leaves_out = |named: Named| {
                shelved.strange.contains(&named.sequence) || protects(protection, &shelved.name, named.start)
            };
            match shelved.census.go_on(root, &shelved.name, *now, leaves_out, &mut enough) {
                Ok(true) => {}
                Ok(false) => return false,
                Err(unlisted) => said.extend(tell(unlisted)),
            }
        }
        true
    }

    /// Bytes of footage that a rule might delete; `None` until all cameras are counted.
    pub fn all_footage(&self) -> Option<u64> {
        let all = (0..self.cameras.len()).map(|camera| retention::Shelf::footage(self, camera));
        all.sum()
    }

    /// Other protections hold now: what was found at the heads is looked at again.
    pub fn protections_changed(&mut self) {
        self.cameras.iter_mut().for_each(|shelved| shelved.head = None);
    }

    /// A segment that could not be deleted is left alone until the volume is opened again.
    pub fn leave(&mut self, camera: usize, sequence: u32) {
        if let Some(shelved) = self.cameras.get_mut(camera)
            && shelved.strange.len() < MOST_STRANGE
        {
            shelved.strange.insert(sequence);
        }
    }

    fn camera(&mut self, name: &Name) -> Option<&mut Shelved> {
        if let Some(at) = self.cameras.iter().position(|shelved| shelved.name == *name) {
            return self.cameras.get_mut(at);
        }
        if self.cameras.len() >= MAX_SHELF {
            return None;
        }
        self.cameras.push(Shelved::new(name.clone(), self.ages.age(name), false, 0));
        self.cameras.last_mut()
    }

    /// The next head of a camera: what its stream gives, examined.
    fn find(&mut self, index: usize) -> Result<Option<Head>, Unlisted> {
        let DiskShelf { root, ids, scanner, cameras, given, protection, now, said, .. } = self;
        let Some(shelved) = cameras.get_mut(index) else { return Ok(None) };
        loop {
            let Some((day, named)) = shelved.stream.head(root, *now)? else { return Ok(None) };
            if shelved.open.first_key_value().is_some_and(|(open, _)| *open <= named.sequence) {
                return Ok(None);
            }
            let is_given =
                given.iter().any(|given| given.camera == index && given.candidate.sequence == named.sequence);
            if is_given || shelved.strange.contains(&named.sequence) {
                shelved.stream.pass();
                continue;
            }
            let path = listing::path(root, &shelved.name, named);
            match examine(&path, root, &shelved.name, named, ids, scanner.as_ref()) {
                Ok((header, bytes)) => {
                    let ended = shelved.ended(root, named, &header, scanner.as_ref());
                    let next = shelved.stream.ahead().next().map(camera::latest_start);
                    let protected = is_protected(protection, &header, next, &path, scanner.as_ref());
                    let sequence = named.sequence;
                    let candidate = Candidate { sequence, ended, bytes, protected };
                    return Ok(Some(Head { day, candidate, start: header.start }));
                }
                Err(Strange::Gone) => shelved.stream.pass(),
                Err(Strange::NotNow(why)) => return Err(Unlisted { said: Some((path, why)) }),
                Err(Strange::NotOurs(why)) => {
                    said.push(format!(
                        "{}: {why}; it is left as it is, and no rule deletes it",
                        path.display()
                    ));
                    if shelved.strange.len() < MOST_STRANGE {
                        shelved.strange.insert(named.sequence);
                    }
                    if let Ok(facts) = fs::symlink_metadata(&path) {
                        shelved.census.removed(named.sequence, facts.len());
                    }
                    shelved.stream.pass();
                }
            }
        }
    }
}

impl retention::Shelf for DiskShelf {
    fn cameras(&self) -> usize {
        self.cameras.len()
    }

    fn age(&self, camera: usize) -> Option<Duration> {
        self.cameras.get(camera).and_then(|shelved| shelved.age)
    }

    fn footage(&self, camera: usize) -> Option<u64> {
        let shelved = self.cameras.get(camera)?;
        shelved.census.bytes().map(|bytes| bytes.saturating_sub(shelved.passed))
    }

    fn head(&mut self, camera: usize) -> Result<Option<Candidate>, retention::Unlisted> {
        if let Some(head) = self.cameras.get(camera).and_then(|shelved| shelved.head) {
            return Ok(Some(head.candidate));
        }
        let found = self.find(camera).map_err(|unlisted| {
            self.said.extend(tell(unlisted));
            retention::Unlisted
        })?;
        if let Some(shelved) = self.cameras.get_mut(camera) {
            shelved.head = found;
        }
        Ok(found.map(|head| head.candidate))
    }

    fn pass(&mut self, camera: usize) {
        let Some(shelved) = self.cameras.get_mut(camera) else { return };
        let Some(Head { day, candidate, start }) = shelved.head.take() else { return };
        shelved.stream.pass();
        if candidate.protected {
            return;
        }
        shelved.passed = shelved.passed.saturating_add(candidate.bytes);
        let name = shelved.name.clone();
        let path = layout::segment(&self.root, &name, start, candidate.sequence);
        self.given.push(Given { camera, name, day, path, start, candidate });
    }

    fn rewind(&mut self) {
        for (index, shelved) in self.cameras.iter_mut().enumerate() {
            shelved.head = None;
            shelved.stream.rewind();
            let given = self.given.iter().filter(|given| given.camera == index);
            shelved.passed = given.map(|given| given.candidate.bytes).sum();
        }
    }
}

impl Shelved {
    fn new(name: Name, age: Option<Duration>, configured: bool, next: u32) -> Self {
        Shelved {
            stream: Stream::new(name.clone()),
            name,
            age,
            configured,
            head: None,
            open: BTreeMap::new(),
            census: Census::new(next),
            passed: 0,
            dated: None,
            strange: BTreeSet::new(),
        }
    }

    /// When a segment's footage had ended at the latest, as far as a trusted clock can tell. See [`Candidate::ended`].
    fn ended(
        &mut self,
        root: &Path,
        named: Named,
        header: &SegmentHeaderV1,
        scanner: &dyn SegmentScanner,
    ) -> Option<Wall> {
        if header.clock_trusted {
            let latest = header.start + LONGEST;
            // The next one begins where it ends, unless something was missing or a clock was set.
            let next = self.stream.ahead().next().map(camera::latest_start);
            return Some(next.filter(|next| (header.start..latest).contains(next)).unwrap_or(latest));
        }
        if let Some((sequence, at)) = self.dated
            && named.sequence < sequence
        {
            return Some(at);
        }
        // One that was written later by a trusted clock was written after it had ended.
        for step in 0..GLANCES {
            let Some(later) = self.stream.ahead().nth((1usize << step) - 1) else { break };
            let path = listing::path(root, &self.name, later);
            let Ok(header) = scanner.header(&path) else { continue };
            if header.clock_trusted && header.sequence == later.sequence && header.camera == self.name {
                self.dated = Some((later.sequence, header.start));
                return Some(header.start);
            }
        }
        None
    }
}

/// Whether a segment that begins at `start` is protected, as far as its name can tell: for figures.
fn protects(protection: &Protection, camera: &Name, start: Wall) -> bool {
    match protection {
        Protection::Known(protections) => {
            protections.reach(camera, Span::new(start, start + Duration::from_secs(1)))
        }
        Protection::Rebuilding(_) => true,
    }
}

fn tell(unlisted: Unlisted) -> Option<String> {
    let (path, why) = unlisted.said?;
    Some(format!("{}: could not be listed: {why}; nothing of it is deleted until it can", path.display()))
}
