//! Stories of recorders that ended in every way, and of the next one's start.

use super::fake::{Fake, Place, at, bytes, header, name, opened, session, span};
use crate::ledger::recover::{CameraPast, Repairs};
use crate::ledger::{SegmentScanner, recover};
use crate::volumes::layout;
use holdfast_core::event::Past;
use holdfast_wire::cause::Cause;
use holdfast_wire::ids::Id128;
use holdfast_wire::ledger::{Ending, Gap, Record, Repaired, SegmentClosed};
use holdfast_wire::segment::SegmentHeaderV1;
use std::fs;

fn started(id: u8, boot: u8, seconds: i64) -> Record {
    Record::SessionStarted(session(id, boot, seconds))
}

fn open(camera: &str, sequence: u32, seconds: i64) -> Record {
    Record::SegmentOpened(opened(camera, sequence, seconds))
}

fn closed(camera: &str, sequence: u32, end: i64, frames: u32, bytes: u64, ending: Ending) -> Record {
    let camera = name(camera);
    Record::SegmentClosed(SegmentClosed { sequence, camera, end: at(end), frames, bytes, ending })
}

fn past(camera: &str, covered_until: i64, owed: bool) -> CameraPast {
    CameraPast { camera: name(camera), covered_until: at(covered_until), owed }
}

#[test]
fn a_new_volume_has_no_past_and_begins_with_number_one() {
    let recovered = Place::new().recover();
    assert_eq!((recovered.next_sequence, recovered.past), (1, None));
    assert_eq!((recovered.cameras, recovered.repairs), (vec![], Repairs::default()));
    assert!(recovered.problems.is_empty());
}

#[test]
fn how_the_session_before_ended() {
    let end = Record::SessionEnded { at: at(60), session: Id128([1; 16]) };
    let stale = Record::SessionEnded { at: at(60), session: Id128([7; 16]) };
    let rebuilt = Record::Rebuilt { at: at(90), segments: 1 };
    // `Place::recover` runs in boot 2.
    for (case, records, expected) in [
        ("stopped in this boot", vec![started(1, 2, 0), end.clone()], Some(Past::Stopped)),
        ("stopped in an earlier boot", vec![started(1, 1, 0), end.clone()], Some(Past::Stopped)),
        ("killed in this boot", vec![started(1, 2, 0)], Some(Past::Crashed)),
        ("gone with the machine", vec![started(1, 1, 0)], Some(Past::PowerLost)),
        (
            "only the one before had stopped",
            vec![started(1, 1, 0), end, started(3, 2, 70)],
            Some(Past::Crashed),
        ),
        ("an end of another session", vec![started(1, 2, 0), stale], Some(Past::Crashed)),
        ("rebuilt since, so not known", vec![started(1, 1, 0), rebuilt.clone()], None),
        ("recorded again since the rebuild", vec![rebuilt, started(1, 2, 0)], Some(Past::Crashed)),
    ] {
        let place = Place::new();
        place.open();
        place.write(&records);
        assert_eq!(place.recover().past, expected, "{case}");
    }
}

#[test]
fn a_clean_stop_needs_no_repair_and_tells_how_far_each_camera_is_covered() {
    let place = Place::new();
    place.open();
    let configured = |camera| Record::CameraConfigured { at: at(0), camera: name(camera) };
    let records = [
        started(1, 1, 0),
        configured("a"),
        configured("b"),
        configured("c"),
        open("a", 4, 1),
        open("b", 5, 2),
        closed("b", 5, 50, 48, 9, Ending::Stopped),
        closed("a", 4, 61, 60, 9, Ending::Cut),
        Record::CameraRemoved { at: at(62), camera: name("b") },
        Record::SessionEnded { at: at(62), session: Id128([1; 16]) },
    ];
    place.write(&records);
    let recovered = place.recover();
    assert_eq!(recovered.next_sequence, 6);
    assert_eq!(recovered.cameras, [past("a", 61, true), past("b", 50, false), past("c", 0, true)]);
    assert_eq!(recovered.repairs, Repairs::default());
    assert_eq!(place.records(), records);
}

#[test]
fn a_killed_recorders_open_segment_is_cut_behind_its_last_whole_fragment() {
    let place = Place::new();
    place.open();
    place.write(&[started(1, 2, 0), open("a", 1, 1)]);
    let path = place.segment(&header("a", 1, 1, 1, 2), &[(1, 31)]);
    let mut content = fs::read(&path).unwrap();
    let durable = content.len() as u64;
    content.extend([0xF5, 1, 2, 3]);
    fs::write(&path, &content).unwrap();

    let recovered = place.recover();
    assert_eq!(recovered.repairs, Repairs { closed: 1, segments: 1, segment_bytes: 4, ..Repairs::default() });
    assert_eq!(recovered.cameras, [past("a", 31, true)]);
    assert_eq!(fs::metadata(&path).unwrap().len(), durable);
    let mended = Record::Repaired(Repaired::SegmentTail { at: at(1000), sequence: 1, bytes: 4 });
    let end = closed("a", 1, 31, 30, durable, Ending::Recovered);
    assert_eq!(place.records(), [started(1, 2, 0), open("a", 1, 1), mended, end]);

    let again = place.recover();
    assert_eq!((again.repairs, again.next_sequence), (Repairs::default(), 2), "nothing is left to do");
}

#[test]
fn a_hole_inside_a_recovered_segment_is_entered() {
    let place = Place::new();
    place.open();
    place.write(&[started(1, 2, 0), open("a", 1, 0)]);
    place.segment(&header("a", 1, 0, 1, 2), &[(0, 10), (15, 20)]);
    place.recover();
    let gap = Gap { camera: name("a"), span: span(10, 15), cause: Cause::Lost };
    assert_eq!(place.records()[2], Record::Gap(gap));
}

#[test]
fn an_open_segment_without_footage_is_removed_and_closed_empty() {
    let full = bytes(&header("a", 1, 5, 1, 2), &[(5, 6)]);
    for (case, content) in [
        ("nothing at all", vec![]),
        ("half a header", full[..20].to_vec()),
        ("half a frame", full[..full.len() - 1].to_vec()),
    ] {
        let place = Place::new();
        place.open();
        place.write(&[started(1, 2, 0), open("a", 1, 5)]);
        let path = place.segment(&header("a", 1, 5, 1, 2), &[]);
        fs::write(&path, &content).unwrap();
        let recovered = place.recover();
        assert!(!path.exists(), "{case}");
        assert_eq!((recovered.repairs.removed, recovered.next_sequence), (1, 2), "{case}");
        assert_eq!(recovered.cameras, [past("a", 5, true)], "{case}");
        let last = place.records().pop();
        assert_eq!(last, Some(closed("a", 1, 5, 0, 0, Ending::Recovered)), "{case}");
        assert!(recovered.problems.is_empty(), "{case}");
    }
}

#[test]
fn an_open_segment_that_is_gone_is_closed_empty_and_told() {
    let place = Place::new();
    place.open();
    place.write(&[started(1, 2, 0), open("a", 1, 5)]);
    let recovered = place.recover();
    assert_eq!(recovered.problems.len(), 1);
    assert!(recovered.problems[0].ends_with("is gone, although the ledger calls it open"));
    assert_eq!(place.records().pop(), Some(closed("a", 1, 5, 0, 0, Ending::Recovered)));
}

#[test]
fn an_open_segment_that_cannot_be_read_stays_as_it_is_and_does_not_keep_the_others_from_recovery() {
    let place = Place::new();
    place.open();
    place.write(&[started(1, 2, 0), open("a", 1, 0), open("b", 2, 0)]);
    let bad = place.segment(&header("a", 1, 0, 1, 2), &[(0, 9)]);
    place.segment(&header("b", 2, 0, 1, 2), &[(0, 9)]);
    let mut content = fs::read(&bad).unwrap();
    content[10] ^= 1;
    fs::write(&bad, &content).unwrap();
    let recovered = place.recover();
    assert_eq!(recovered.cameras, [past("a", 0, true), past("b", 9, true)]);
    assert_eq!(recovered.problems.len(), 1, "{:?}", recovered.problems);
    assert!(recovered.problems[0].contains("it was left as it is"));
    assert_eq!(fs::read(&bad).unwrap(), content);
}

#[test]
fn a_segment_of_another_camera_under_this_name_is_not_attributed() {
    let place = Place::new();
    place.open();
    place.write(&[started(1, 2, 0), open("a", 1, 0)]);
    let path = place.segment(&header("a", 1, 0, 1, 2), &[]);
    fs::write(&path, bytes(&header("b", 1, 0, 1, 2), &[(0, 9)])).unwrap();
    let recovered = place.recover();
    assert_eq!(recovered.cameras, [past("a", 0, true)]);
    assert!(
        recovered.problems[0].contains("its header names camera b, number 1"),
        "{:?}",
        recovered.problems
    );
    assert!(path.exists());
}

#[test]
fn segments_of_another_volume_are_not_entered_and_nothing_is_cut_from_them() {
    let place = Place::new();
    place.open();
    place.write(&[started(1, 1, 0), open("a", 1, 0), closed("a", 1, 60, 60, 9, Ending::Cut)]);
    let of_another = SegmentHeaderV1 { volume: Id128([7; 16]), ..header("a", 2, 60, 1, 1) };
    let copied = place.segment(&of_another, &[(60, 120)]);
    let mut content = fs::read(&copied).unwrap();
    content.push(0xF5);
    fs::write(&copied, &content).unwrap();
    let recovered = place.recover();
    assert_eq!(recovered.repairs, Repairs::default());
    assert_eq!(recovered.next_sequence, 3, "its number is taken");
    assert_eq!(fs::read(&copied).unwrap(), content);
    assert!(recovered.problems[0].contains("was written to another volume"), "{:?}", recovered.problems);
}

#[test]
fn segments_that_the_ledger_lost_with_its_tail_are_entered() {
    let place = Place::new();
    place.open();
    place.write(&[started(1, 1, 0), open("a", 1, 0), closed("a", 1, 60, 60, 9, Ending::Cut)]);
    place.segment(&header("a", 2, 60, 1, 1), &[(60, 120)]);
    let torn = place.segment(&header("a", 3, 120, 1, 1), &[(120, 130)]);
    let mut content = fs::read(&torn).unwrap();
    content.push(0xF5);
    fs::write(&torn, &content).unwrap();
    let empty = place.segment(&header("b", 4, 120, 1, 1), &[]);
    fs::write(&empty, []).unwrap();
    let foreign = place.segment(&header("b", 5, 121, 1, 1), &[]);
    fs::write(&foreign, [4; 40]).unwrap();

    let recovered = place.recover();
    let repairs =
        Repairs { closed: 2, segments: 1, segment_bytes: 1, adopted: 2, removed: 1, ..Repairs::default() };
    assert_eq!(recovered.repairs, repairs);
    assert_eq!((recovered.next_sequence, recovered.past), (6, Some(Past::PowerLost)));
    assert_eq!(recovered.cameras, [past("a", 130, true)]);
    assert!(!empty.exists() && foreign.exists(), "only what is empty is removed without proof");
    assert_eq!(recovered.problems.len(), 1);
    let length = fs::metadata(place.path("a", 2, 60)).unwrap().len();
    assert_eq!(place.records()[3..5], [open("a", 2, 60), closed("a", 2, 120, 60, length, Ending::Recovered)]);
    assert_eq!(place.recover().repairs, Repairs::default());
}

#[test]
fn a_file_that_was_being_made_when_all_ended_is_removed_but_no_older_one() {
    let place = Place::new();
    place.open();
    place.write(&[started(1, 1, 0), open("a", 5, 0), closed("a", 5, 60, 60, 9, Ending::Cut)]);
    let being_made = place.segment(&header("a", 6, 60, 1, 1), &[]);
    let length = fs::metadata(&being_made).unwrap().len();
    let older = place.segment(&header("a", 4, 50, 1, 1), &[]);
    let recovered = place.recover();
    let repairs = Repairs { segments: 1, segment_bytes: length, removed: 1, ..Repairs::default() };
    assert_eq!(recovered.repairs, repairs);
    assert!(!being_made.exists() && older.exists());
    assert_eq!((recovered.problems.len(), recovered.next_sequence), (1, 7), "{:?}", recovered.problems);
}

#[test]
fn a_lost_ledger_keeps_numbers_from_being_given_twice_and_names_the_way_back() {
    let place = Place::new();
    place.open();
    let path = place.segment(&header("a", 41, 0, 1, 1), &[(0, 9)]);
    let recovered = place.recover();
    assert_eq!((recovered.next_sequence, recovered.past, recovered.cameras), (42, None, vec![]));
    assert!(recovered.problems[0].contains("holdfast ledger rebuild"), "{:?}", recovered.problems);
    assert!(path.exists());
}

#[test]
fn a_lost_ledger_keeps_numbers_from_being_given_twice_also_after_a_session_that_recorded_nothing() {
    const DAYS: i64 = 10 * 86_400;
    let place = Place::new();
    let old = place.segment(&header("a", 7, 0, 1, 1), &[(0, 60)]);
    place.write(&[started(2, 2, DAYS)]);
    let recovered = place.recover();
    assert_eq!(recovered.next_sequence, 8);
    assert_eq!((recovered.repairs, old.is_file()), (Repairs::default(), true), "it is not looked into");
}

#[test]
fn a_torn_ledger_and_a_torn_segment_are_both_mended_at_once() {
    let place = Place::new();
    place.open();
    place.write(&[started(1, 2, 0), open("a", 1, 0)]);
    let ledger = layout::ledger(place.root()).join("2023-11");
    let whole = fs::read(&ledger).unwrap();
    fs::write(&ledger, &whole[..whole.len() - 2]).unwrap();
    place.segment(&header("a", 1, 0, 1, 2), &[(0, 5)]);
    let recovered = place.recover();
    assert!(recovered.repairs.ledger_bytes > 0);
    assert_eq!(recovered.repairs.adopted, 1, "the record that was torn is found again in its segment");
    assert_eq!(recovered.cameras, [past("a", 5, true)]);
}

#[test]
fn a_clock_that_was_in_the_future_does_not_cover_what_comes() {
    let place = Place::new();
    place.open();
    let year = 366 * 86_400;
    place.write(&[
        started(1, 1, year),
        open("a", 1, year),
        closed("a", 1, year + 60, 60, 9, Ending::Cut),
        open("a", 2, 0),
        closed("a", 2, 60, 60, 9, Ending::Cut),
    ]);
    assert_eq!(place.recover().cameras, [past("a", 60, true)]);
}

#[test]
fn only_segments_near_the_ledgers_end_are_opened_at_a_start() {
    let place = Place::new();
    place.open();
    place.write(&[
        started(1, 1, 0),
        open("a", 1, 30 * 86_400),
        closed("a", 1, 30 * 86_400 + 9, 9, 9, Ending::Cut),
    ]);
    place.segment(&header("a", 2, 86_400, 1, 1), &[(86_400, 86_401)]);
    place.segment(&header("a", 3, 30 * 86_400 + 9, 1, 1), &[(30 * 86_400 + 9, 30 * 86_400 + 19)]);
    let looked = std::cell::RefCell::new(Vec::new());
    let scanner = |path: &std::path::Path| {
        looked.borrow_mut().push(path.to_owned());
        Fake.scan(path)
    };
    let (_, recovered) = recover::recover(&place.open(), &scanner, at(0), Id128([2; 16])).unwrap();
    assert_eq!(looked.into_inner(), [place.path("a", 3, 30 * 86_400 + 9)]);
    assert_eq!((recovered.repairs.adopted, recovered.next_sequence), (1, 4));
}
