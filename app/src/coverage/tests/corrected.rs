//! Ledgers of a clock that was wrong, and was put right later.

use super::*;
use crate::coverage::corrections::Corrections;
use holdfast_wire::cause::Cause::{PowerLost, Starting};

fn corrected(from: i64, to: i64, by: i64) -> Record {
    let (at, from, to) = (at(to + by), at(from), at(to));
    Record::TimeCorrected { at, from, to, by_micros: by * 1_000_000 }
}

fn stepped(at_second: i64, by: i64) -> Record {
    Record::ClockStepped { at: at(at_second), by_micros: by * 1_000_000 }
}

/// The records in the right time.
fn right(records: &[Record]) -> Vec<Record> {
    let mut corrections = Corrections::default();
    records.iter().for_each(|record| corrections.note(record));
    let mut corrector = corrections.apply();
    records.iter().map(|record| corrector.correct(record.clone())).collect()
}

fn gaps(report: &Coverage) -> Vec<(i64, i64, Cause)> {
    let second = |wall: Wall| wall.micros_since(at(0)) / 1_000_000;
    report.gaps.iter().map(|gap| (second(gap.span.from), second(gap.span.to), gap.cause)).collect()
}

#[test]
fn what_was_recorded_in_the_wrong_time_counts_at_the_right_one() {
    // A session ends at 1000 by a power cut; the next begins, by its clock, at 0, and truly at 3600.
    let mut records = vec![started(1, 1, 900), configured("a", 900)];
    records.extend(segment("a", 1, 900, 1000));
    records.extend([started(2, 2, 0), gap_opened("a", 0, Starting)]);
    records.extend(segment("a", 2, 2, 60));
    // The second segment is open when the time becomes known, and goes on in its own.
    records.push(open("a", 3, 60));
    records.extend([corrected(0, 90, 3600), stepped(3690, 3600)]);
    records.push(gap("a", 1000, 3602, PowerLost));
    records.push(closed("a", 3, at(95)));
    records.extend(segment("a", 4, 3695, 3800));
    let records = right(&records);
    let report = account(&records, Window::default());
    assert_eq!(gaps(&report), [(1000, 3602, PowerLost)]);
    assert_eq!(report.durable_micros, (100 + 198) * 1_000_000);
    assert_eq!(report.owed_micros, 2900 * 1_000_000);
}

#[test]
fn corrections_follow_one_another_and_stop_at_the_session_s_end() {
    let mut records = vec![started(1, 1, 0), configured("a", 0)];
    records.extend(segment("a", 1, 0, 10));
    records.push(corrected(0, 10, 100));
    records.extend(segment("a", 2, 110, 120));
    records.push(corrected(100, 120, 1000));
    records.extend(segment("a", 3, 1120, 1130));
    records.push(ended(1, 1130));
    // Another session with the same wrong times is not meant.
    records.push(started(2, 2, 5));
    let starts: Vec<_> = right(&records)
        .iter()
        .filter_map(|record| match record {
            Record::SegmentOpened(opened) => Some(opened.start.micros_since(at(0)) / 1_000_000),
            Record::SessionStarted(started) => Some(started.at.micros_since(at(0)) / 1_000_000),
            _ => None,
        })
        .collect();
    assert_eq!(starts, [1100, 1100, 1110, 1120, 5]);
}

#[test]
fn a_ledger_without_corrections_or_with_a_confirmation_stands_as_it_is() {
    let mut records = vec![started(1, 1, 0), configured("a", 0)];
    records.extend(segment("a", 1, 0, 10));
    records.push(corrected(0, 10, 0));
    records.push(stepped(500, 490));
    let mut corrections = Corrections::default();
    records.iter().for_each(|record| corrections.note(record));
    assert!(corrections.is_empty());
    assert_eq!(right(&records), records);
}
