//! A volume after a crash: its ledger and one segment are any bytes. It is opened, mended, accounted for and its ledger made
//! anew; none of it fails for what the bytes say, and what was mended once needs no mending again.

use super::ledger;
use holdfast::coverage::{self, CoverageArgs};
use holdfast::ledger::{Mp4Scanner, Problem, Trouble, read_all, rebuild, recover, walk};
use holdfast::volumes::{Adoption, Knowledge, Place, Volume, layout};
use holdfast_wire::ids::{Id128, Name};
use holdfast_wire::ledger::Record;
use holdfast_wire::time::Wall;
use std::fs;
use std::path::Path;

const START: Wall = Wall::from_secs(1_700_000_000);
const NOW: Wall = Wall::from_secs(1_700_000_500);

/// Lays out a volume: the first byte says how, the two behind it how long the ledger is; the rest is the segment's file.
pub fn run(data: &[u8]) {
    let [how, low, high, rest @ ..] = data else { return };
    let length = usize::from(u16::from_le_bytes([*low, *high])).min(rest.len());
    let (records, segment) = rest.split_at(length);
    let root = folder();
    let root = root.path();
    drop(open(root));
    fs::create_dir_all(layout::ledger(root)).expect("a folder");
    let month = layout::Month::of(START).to_string();
    let bytes = if how & 1 == 0 { ledger::written(records) } else { records.to_vec() };
    fs::write(layout::ledger(root).join(month), bytes).expect("a ledger");
    if how & 2 != 0 {
        let camera = Name::new("entrance").expect("a name");
        let path = layout::segment(root, &camera, START, u32::from(how >> 4));
        fs::create_dir_all(path.parent().expect("it has one")).expect("folders");
        fs::write(path, segment).expect("a segment");
    }
    if how & 4 != 0 {
        fs::write(layout::checkpoint(root), records).expect("a checkpoint");
    }

    let forged = how & 4 != 0;
    account(root);
    mend(root, forged);
    account(root);
    assert_eq!(torn(root), 0, "a mended ledger is torn at its end");
    let repairs = mend(root, forged);
    assert_eq!(repairs, recover::Repairs::default(), "what was mended is mended again");
    rebuild::run(root, &Mp4Scanner, NOW, &mut Vec::new(), &mut Vec::new()).expect("a ledger anew");
    account(root);
    assert_eq!(torn(root), 0, "a new ledger is torn");
    mend(root, forged);
}

fn folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let builder = || {
        let mut builder = tempfile::Builder::new();
        builder.prefix("holdfast-fuzz-");
        builder
    };
    builder().tempdir_in(memory).or_else(|_| builder().tempdir()).expect("a folder")
}

fn open(root: &Path) -> Volume {
    let device = Name::new("van-12").expect("a name");
    let adoption = Adoption { id: Id128([9; 16]), device, formerly: Vec::new(), at: START };
    let place = Place::Directory { path: root.to_owned() };
    Volume::open(&place, &adoption, Knowledge::Unknown).expect("a volume")
}

/// Opens it as a recorder does. What was mended. `forged`: its checkpoint may say anything.
fn mend(root: &Path, forged: bool) -> recover::Repairs {
    let mut mentioned = 0;
    let counted = |entry: Result<Record, Problem>| {
        mentioned += usize::from(matches!(entry, Ok(Record::SegmentOpened(_))));
    };
    read_all(root, counted).expect("a ledger");
    let volume = open(root);
    let (_, found) =
        recover::recover(&volume, &Mp4Scanner, NOW, Id128([2; 16])).expect("a recorder can begin");
    // A ledger that mentions some may be wrong about all others.
    if mentioned == 0 && !forged {
        let unlisted = walk::segments(root, None, |segment| {
            // Where no number is left it stays at the last one.
            let free = segment.sequence < found.next_sequence || found.next_sequence == u32::MAX;
            assert!(free, "{} is given again: {found:?}", segment.sequence);
        });
        assert!(unlisted.is_empty(), "all can be listed");
    }
    found.repairs
}

fn account(root: &Path) {
    for json in [false, true] {
        let asked = CoverageArgs {
            volume: root.to_owned(),
            cameras: Vec::new(),
            since: None,
            until: None,
            json,
            now: NOW,
        };
        coverage::run(&asked, &Mp4Scanner, &mut Vec::new()).expect("an account");
    }
}

/// How many files of the ledger are torn at their end. That they are damaged inside is theirs to be.
fn torn(root: &Path) -> usize {
    let mut torn = 0;
    let told = |entry| {
        if let Err(Problem { what: Trouble::Torn { .. }, .. }) = entry {
            torn += 1;
        }
    };
    read_all(root, told).expect("a ledger");
    torn
}
