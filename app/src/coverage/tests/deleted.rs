//! What a rule deleted is told as that rule's work, and only that; and an account of a long past is made in no time.

use super::*;
use Cause::{Deleted, Lost, Starting, Stopped};
use holdfast_wire::ledger::SegmentDeleted;
use holdfast_wire::retention::Rule;
use std::time::{Duration, Instant};

fn deleted(sequence: u32, start: i64, rule: Rule) -> Record {
    let (at, camera, start) = (at(5000), name("a"), at(start));
    Record::SegmentDeleted(SegmentDeleted { at, sequence, camera, start, bytes: 1, rule })
}

/// Three segments of a minute each.
fn three() -> Vec<Record> {
    let whole = |sequence, from, to| segment("a", sequence, from, to);
    [configured("a", 0)]
        .into_iter()
        .chain((0..3).flat_map(|n| whole(n + 1, 60 * i64::from(n), 60 * i64::from(n + 1))))
        .collect()
}

fn whole() -> Window {
    Window { until: Some(at(180)), ..Window::default() }
}

#[test]
fn what_was_deleted_is_no_loss_and_all_adds_up() {
    let mut records = three();
    records.push(deleted(1, 0, Rule::Age));
    let report = account(&records, whole());
    assert_eq!(gaps(&report), [(0, 60, Deleted(Rule::Age))]);
    let seconds = |micros: i64| micros / 1_000_000;
    assert_eq!(
        (seconds(report.durable_micros), report.missing_micros(), seconds(report.deleted_micros())),
        (120, 0, 60)
    );
    assert_eq!(report.millipercent(), Some(100_000), "what should be there is there");
}

#[test]
fn neighbours_that_went_by_one_rule_are_one_line_and_each_rule_has_its_own() {
    let mut records = three();
    records.extend([
        deleted(1, 0, Rule::Age),
        deleted(2, 60, Rule::Age),
        deleted(3, 120, Rule::EmergencySpace),
    ]);
    let report = account(&records, whole());
    assert_eq!(gaps(&report), [(0, 120, Deleted(Rule::Age)), (120, 180, Deleted(Rule::EmergencySpace))]);
    assert_eq!(report.millipercent(), None, "nothing should be there");
}

#[test]
fn what_had_been_missing_before_stays_missing() {
    let records = [
        started(1, 1, 0),
        configured("a", 0),
        open("a", 1, 5),
        gap("a", 20, 25, Lost),
        closed("a", 1, at(60)),
        ended(1, 60),
        started(2, 1, 100),
        open("a", 2, 103),
        closed("a", 2, at(160)),
        deleted(1, 5, Rule::Space),
        deleted(2, 103, Rule::Space),
    ];
    let space = Deleted(Rule::Space);
    let expected = [
        (0, 5, Starting),
        (5, 20, space),
        (20, 25, Lost),
        (25, 60, space),
        (60, 100, Stopped),
        (100, 103, Starting),
        (103, 160, space),
    ];
    assert_eq!(gaps(&account(&records, Window { until: Some(at(160)), ..Window::default() })), expected);
}

#[test]
fn jitter_between_two_segments_goes_with_the_second_of_them() {
    let late = Wall(at(60).0 + 40_000);
    let mut second = opened("a", 2, 60);
    second.start = late;
    let mut records = segment("a", 1, 0, 60).to_vec();
    records.extend([Record::SegmentOpened(second), closed("a", 2, at(120))]);
    let mut each = |sequence, from| {
        records.push(deleted(sequence, from, Rule::Space));
        let report = account(&records, Window { until: Some(at(120)), ..Window::default() });
        (report.durable_micros, report.missing_micros(), report.deleted_micros())
    };
    assert_eq!(each(1, 0), (60_000_000, 0, 60_000_000));
    assert_eq!(each(2, 60), (0, 0, 120_000_000));
}

#[test]
fn where_two_segments_lie_over_the_same_time_the_other_one_is_still_there() {
    // The clock was set back by 30 s.
    let records = |gone: &[u32]| {
        let mut records = [segment("a", 1, 0, 60), segment("a", 2, 30, 90)].concat();
        records.extend(gone.iter().map(|sequence| deleted(*sequence, 0, Rule::Space)));
        records
    };
    let window = Window { until: Some(at(90)), ..Window::default() };
    let space = Deleted(Rule::Space);
    assert_eq!(gaps(&account(&records(&[1]), window)), [(0, 30, space)]);
    assert_eq!(gaps(&account(&records(&[2]), window)), [(60, 90, space)]);
    assert_eq!(gaps(&account(&records(&[1, 2]), window)), [(0, 90, space)]);
    assert_eq!(gaps(&account(&records(&[1, 1, 2]), window)), [(0, 90, space)], "told twice");
}

#[test]
fn a_deletion_of_what_was_never_told_changes_nothing() {
    let mut records = three();
    let before = account(&records, whole());
    records.push(deleted(77, 60, Rule::Space));
    assert_eq!(account(&records, whole()), before);
    // Its opening was lost with a damaged record; the loss is told, and after its deletion nobody is sent to mend it.
    let mut fold = fold(&[closed("a", 5, at(60))]);
    assert_eq!(fold.orphans().collect::<Vec<_>>(), [5]);
    fold.take(&deleted(5, 0, Rule::Space));
    assert_eq!(fold.orphans().count(), 0);
}

/// 1,000 sessions of 100 segments each, a gap that was opened and one told whole in each, the older half deleted: what a
/// quadratic fold would take many minutes for.
#[test]
fn an_account_of_a_hundred_thousand_segments_takes_seconds() {
    let mut fold = Fold::default();
    let begun = Instant::now();
    let mut sequence = 0;
    fold.take(&configured("a", 0));
    for number in 0..1000i64 {
        let from = number * 10_000;
        fold.take(&started(1, 1, from));
        for minute in 0..100 {
            sequence += 1;
            segment("a", sequence, from + minute * 60, from + minute * 60 + 58)
                .iter()
                .for_each(|record| fold.take(record));
            fold.take(&gap("a", from + minute * 60 + 58, from + minute * 60 + 60, Lost));
        }
        fold.take(&gap_opened("a", from + 6000, Lost));
        fold.take(&ended(1, from + 7000));
    }
    for gone in 1..=50_000u32 {
        let index = i64::from(gone - 1);
        fold.take(&deleted(gone, index / 100 * 10_000 + index % 100 * 60, Rule::Age));
    }
    let report = fold.report(Window { until: Some(at(10_000_000)), ..Window::default() }).pop().unwrap();
    assert_eq!(report.deleted_micros(), 50_000 * 58_000_000);
    assert_eq!(report.durable_micros, 50_000 * 58_000_000);
    let took = begun.elapsed();
    println!("100,000 segments in 1,000 sessions: {took:?}");
    assert!(took < Duration::from_secs(60), "{took:?}");
}
