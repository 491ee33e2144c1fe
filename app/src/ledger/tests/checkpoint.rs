//! The checkpoint: what is opened by it is what the whole ledger says, and whatever is wrong with it costs nothing.

use super::fake::{Place, at, name, opened, session};
use crate::ledger::history::DELETIONS;
use crate::ledger::{History, LedgerWriter};
use crate::volumes::layout;
use holdfast_wire::ids::Id128;
use holdfast_wire::ledger::{Ending, Record, SegmentClosed, SegmentDeleted};
use holdfast_wire::retention::Rule;
use proptest::prelude::*;
use std::fs;

const MONTH: i64 = 31 * 86_400;

/// What opening makes of the ledger, and without its checkpoint.
fn both(place: &Place) -> (History, History) {
    let open = || LedgerWriter::open(place.root(), at(0)).unwrap().0.history().clone();
    let by_checkpoint = open();
    let _ = fs::remove_file(layout::checkpoint(place.root()));
    (by_checkpoint, open())
}

fn pair(sequence: u32, seconds: i64) -> [Record; 2] {
    let (camera, ending) = (name("a"), Ending::Cut);
    let closed = SegmentClosed { sequence, camera, end: at(seconds + 60), frames: 1, bytes: 1, ending };
    [Record::SegmentOpened(opened("a", sequence, seconds)), Record::SegmentClosed(closed)]
}

/// A ledger with a checkpoint in its middle.
fn place(before: &[Record], after: &[Record], month: i64) -> Place {
    let place = Place::new();
    drop(place.open());
    let (mut writer, _) = LedgerWriter::open(place.root(), at(0)).unwrap();
    before.iter().for_each(|record| writer.append(at(0), record).unwrap());
    writer.sync().unwrap();
    writer.checkpoint().unwrap();
    assert!(layout::checkpoint(place.root()).exists());
    after.iter().for_each(|record| writer.append(at(month), record).unwrap());
    writer.sync().unwrap();
    place
}

fn some() -> Vec<Record> {
    let mut records = vec![
        Record::SessionStarted(session(1, 1, 0)),
        Record::CameraConfigured { at: at(0), camera: name("a") },
    ];
    records.extend(pair(1, 0));
    records.push(Record::SegmentOpened(opened("b", 2, 0)));
    records
}

#[test]
fn what_came_after_a_checkpoint_is_read_on_also_in_later_months() {
    for month in [0, MONTH, 3 * MONTH] {
        let (by_checkpoint, whole) = both(&place(&some(), &pair(3, 60), month));
        assert_eq!(by_checkpoint, whole, "{month} s later");
        assert_eq!(whole.newest, Some(3));
        assert_eq!(whole.open.len(), 1);
    }
}

#[test]
fn an_open_segment_and_a_session_from_long_ago_are_still_known() {
    // What reading two months would not find.
    let place = place(&some(), &[], 0);
    let (mut writer, _) = LedgerWriter::open(place.root(), at(0)).unwrap();
    for month in 1..=5 {
        let [open, close] = pair(10 + month, i64::from(month) * MONTH);
        writer.append(at(i64::from(month) * MONTH), &open).unwrap();
        writer.append(at(i64::from(month) * MONTH), &close).unwrap();
        writer.sync().unwrap();
        writer.checkpoint().unwrap();
    }
    let (opened, _) = LedgerWriter::open(place.root(), at(0)).unwrap();
    assert!(!opened.history().is_new());
    assert_eq!(opened.history().open.keys().copied().collect::<Vec<_>>(), [2]);
}

#[test]
fn a_checkpoint_that_is_damaged_or_of_another_ledger_is_not_believed() {
    let good = fs::read(layout::checkpoint(place(&some(), &pair(3, 60), 0).root())).unwrap();
    let check = |place: &Place, what: &str| {
        let (by_checkpoint, whole) = both(place);
        assert_eq!(by_checkpoint, whole, "{what}");
    };
    for at in 0..good.len() {
        let place = place(&some(), &pair(3, 60), 0);
        let mut bytes = good.clone();
        bytes[at] ^= 0x21;
        fs::write(layout::checkpoint(place.root()), bytes).unwrap();
        check(&place, &format!("byte {at}"));
    }
    for cut in [0, 1, 4, 5, good.len() / 2, good.len() - 1] {
        let place = place(&some(), &pair(3, 60), 0);
        fs::write(layout::checkpoint(place.root()), &good[..cut]).unwrap();
        check(&place, &format!("cut at {cut}"));
    }
    // Of a ledger that went back, or was another one: as long, and not the same.
    let other = place(&pair(7, 0), &pair(8, 60), 0);
    fs::write(layout::checkpoint(other.root()), &good).unwrap();
    check(&other, "another ledger's");
    let shorter = place(&some(), &[], 0);
    fs::write(layout::ledger(shorter.root()).join("2023-11"), "").unwrap();
    check(&shorter, "longer than its ledger");
}

#[test]
fn a_long_session_makes_checkpoints_by_itself() {
    let place = Place::new();
    drop(place.open());
    let (mut writer, _) = LedgerWriter::open(place.root(), at(0)).unwrap();
    writer.append(at(0), &Record::SessionStarted(session(1, 1, 0))).unwrap();
    for number in 1..=30_000 {
        pair(number, 0).iter().for_each(|record| writer.append(at(0), record).unwrap());
    }
    writer.sync().unwrap();
    assert!(layout::checkpoint(place.root()).exists());
    let (by_checkpoint, whole) = both(&place);
    assert_eq!(by_checkpoint, whole);
}

#[test]
fn the_newest_deletions_and_steps_are_kept_and_no_more() {
    let deleted = |sequence: u32| {
        let (camera, rule) = (name("a"), Rule::Space);
        Record::SegmentDeleted(SegmentDeleted { at: at(0), sequence, camera, start: at(0), bytes: 1, rule })
    };
    let most = u32::try_from(DELETIONS).unwrap();
    let mut records: Vec<Record> = (1..=most + 10).map(deleted).collect();
    let step = |by_micros| Record::ClockStepped { at: at(0), by_micros };
    records.extend([step(59_999_999), step(-60_000_000), step(3_600_000_000)]);
    let (by_checkpoint, whole) = both(&place(&records, &[], 0));
    assert_eq!(by_checkpoint, whole);
    assert_eq!(whole.deleted.front().map(|deleted| deleted.sequence), Some(11));
    assert_eq!(whole.deleted.len(), DELETIONS);
    assert_eq!(whole.steps().collect::<Vec<_>>(), [(at(0), -60_000_000), (at(0), 3_600_000_000)]);
}

fn record() -> impl Strategy<Value = Record> {
    let id = |number: u8| Id128([number; 16]);
    prop_oneof![
        (0..3u8, 0..2u8).prop_map(|(number, boot)| Record::SessionStarted(session(number, boot, 5))),
        (0..3u8).prop_map(move |number| Record::SessionEnded { at: at(9), session: id(number) }),
        Just(Record::CameraRemoved { at: at(3), camera: name("a") }),
        Just(Record::CameraConfigured { at: at(3), camera: name("a") }),
        (1..30u32, 0..100i64).prop_map(|(number, second)| Record::SegmentOpened(opened("a", number, second))),
        (1..30u32, 0..100i64).prop_map(|(number, second)| pair(number, second)[1].clone()),
        (1..30u32).prop_map(|sequence| {
            let (camera, rule) = (name("a"), Rule::Space);
            Record::SegmentDeleted(SegmentDeleted {
                at: at(0),
                sequence,
                camera,
                start: at(0),
                bytes: 1,
                rule,
            })
        }),
        Just(Record::Rebuilt { at: at(0), segments: 1 }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn a_ledger_opened_by_its_checkpoint_comes_to_the_same(
        before in prop::collection::vec(record(), 1..40), after in prop::collection::vec(record(), 0..40),
        later in prop_oneof![Just(0), Just(MONTH)],
    ) {
        // At most two months, so that the way without a checkpoint reads all of them.
        let (by_checkpoint, whole) = both(&place(&before, &after, later));
        prop_assert_eq!(by_checkpoint, whole);
    }
}
