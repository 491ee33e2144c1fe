//! The ledger told again, record by record, by a model that knows the rules alone: the oldest of the cameras that hold at least
//! the mean goes, for space; of what is due, the lowest number, for age. A deletion that is not the model's fails the test.

use holdfast::ledger::read_all;
use holdfast_wire::ids::Name;
use holdfast_wire::ledger::{Ending, Protected, Record, SegmentDeleted};
use holdfast_wire::retention::Rule;
use holdfast_wire::time::{Span, Wall};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

/// A segment that was closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    pub camera: Name,
    pub start: Wall,
    pub end: Wall,
    pub frames: u32,
    pub bytes: u64,
}

/// A segment that was deleted.
#[derive(Clone, Debug)]
pub struct Gone {
    pub sequence: u32,
    pub segment: Segment,
    pub at: Wall,
}

/// See the module.
pub struct Model {
    rule: Rule,
    /// What lies on the volume, by number.
    pub there: BTreeMap<u32, Segment>,
    /// What was deleted, in the order in which it was.
    pub gone: Vec<Gone>,
    open: BTreeMap<u32, (Name, Wall)>,
    protected: Vec<Protected>,
    /// The newest protection was made since a segment was begun: footage may still be counted without it.
    just_protected: bool,
}

impl Model {
    /// Reads the ledger of the volume at `root`, on which `rule` alone may have worked.
    pub fn of(root: &Path, rule: Rule) -> Self {
        let mut model = Model {
            rule,
            there: BTreeMap::new(),
            gone: Vec::new(),
            open: BTreeMap::new(),
            protected: Vec::new(),
            just_protected: false,
        };
        read_all(root, |record| model.take(record.expect("the ledger is whole"))).unwrap();
        model
    }

    /// Bytes of all footage that is not protected, as far as a segment's begin can tell.
    pub fn footage(&self) -> u64 {
        let all = self.there.values().filter(|segment| self.counts(segment, self.protected.len()));
        all.map(|segment| segment.bytes).sum()
    }

    fn take(&mut self, record: Record) {
        match record {
            Record::SegmentOpened(opened) => {
                self.just_protected = false;
                self.open.insert(opened.sequence, (opened.camera, opened.start));
            }
            Record::SegmentClosed(closed) => {
                let (camera, start) = self.open.remove(&closed.sequence).expect("it was opened");
                assert_eq!(camera, closed.camera);
                assert!(matches!(closed.ending, Ending::Cut | Ending::Stopped), "{closed:?}");
                let (end, frames, bytes) = (closed.end, closed.frames, closed.bytes);
                self.there.insert(closed.sequence, Segment { camera, start, end, frames, bytes });
            }
            Record::SegmentDeleted(deleted) => self.delete(deleted),
            Record::Protected(protected) => {
                self.protected.push(protected);
                self.just_protected = true;
            }
            Record::SessionStarted(_) | Record::CameraConfigured { .. } | Record::SessionEnded { .. } => {}
            other @ (Record::Unprotected { .. }
            | Record::CameraRemoved { .. }
            | Record::Gap(_)
            | Record::GapOpened { .. }
            | Record::ClockStepped { .. }
            | Record::Repaired(_)
            | Record::Rebuilt { .. }
            | Record::VolumeFaulted { .. }
            | Record::Renewed { .. }
            | Record::TakenOver { .. }
            | Record::TimeCorrected { .. }) => panic!("nothing of that kind happened: {other:?}"),
        }
    }

    fn delete(&mut self, deleted: SegmentDeleted) {
        let SegmentDeleted { at, sequence, ref camera, start, bytes, rule } = deleted;
        assert_eq!(rule, self.rule, "{deleted:?}");
        let place = self.gone.len();
        match rule {
            Rule::Space => {
                let known = self.protected.len();
                let planned = self.oldest_of_the_rich(known);
                let before = self.just_protected.then(|| self.oldest_of_the_rich(known - 1));
                assert!(
                    planned == Some(sequence) || before == Some(Some(sequence)),
                    "deletion {place} is number {sequence}, planned is {planned:?}"
                );
            }
            Rule::Age => {
                let head =
                    self.heads().find(|(_, segment)| segment.camera == *camera).map(|(number, _)| *number);
                assert_eq!(head, Some(sequence), "deletion {place} is not the camera's oldest");
                if let Some(last) = self.gone.last()
                    && last.at == at
                {
                    assert!(last.sequence < sequence, "deletion {place} is older than the one before it");
                }
            }
            Rule::EmergencyAge | Rule::EmergencySpace => panic!("a write met a full volume: {deleted:?}"),
        }
        let segment = self.there.remove(&sequence).expect("it was there");
        assert_eq!((&segment.camera, segment.start, segment.bytes), (camera, start, bytes));
        self.gone.push(Gone { sequence, segment, at });
    }

    /// The lowest number among the heads of those cameras that hold at least the mean of all that have one.
    fn oldest_of_the_rich(&self, known: usize) -> Option<u32> {
        let heads: Vec<(u32, &Name)> =
            self.heads().map(|(number, segment)| (*number, &segment.camera)).collect();
        let holds = |camera: &Name| -> u64 {
            let all = self.there.values().filter(|segment| segment.camera == *camera);
            all.filter(|segment| self.counts(segment, known)).map(|segment| segment.bytes).sum()
        };
        let total: u64 = heads.iter().map(|(_, camera)| holds(camera)).sum();
        let rich = heads.iter().filter(|(_, camera)| holds(camera) * heads.len() as u64 >= total);
        rich.map(|(number, _)| *number).min()
    }

    /// The oldest segment of each camera that is not protected.
    fn heads(&self) -> impl Iterator<Item = (&u32, &Segment)> {
        let mut seen = BTreeSet::new();
        self.there.iter().filter(move |(_, segment)| {
            let span = Span::new(segment.start, segment.end);
            !reach(&self.protected, &segment.camera, span) && seen.insert(&segment.camera)
        })
    }

    /// Whether a segment counts as footage that may go: none of the first `known` protections reaches its first second.
    fn counts(&self, segment: &Segment, known: usize) -> bool {
        let span = Span::new(segment.start, segment.start + Duration::from_secs(1));
        !reach(&self.protected[..known], &segment.camera, span)
    }
}

fn reach(protected: &[Protected], camera: &Name, span: Span) -> bool {
    protected.iter().any(|protected| {
        protected.camera.as_ref().is_none_or(|only| only == camera)
            && protected.span.from < span.to
            && span.from < protected.span.to
    })
}
