//! A ledger made anew from segments.

use super::fake::{Fake, Place, after, at, bytes, header, name, session, span};
use crate::ledger::Outcome;
use crate::ledger::rebuild::{Summary, rebuild, run};
use crate::volumes::{layout, read_marker};
use holdfast_wire::cause::{Cause, Failure, Fault};
use holdfast_wire::ids::Id128;
use holdfast_wire::ledger::{Ending, Gap, Record, SegmentClosed, SegmentOpened};
use std::fs;

fn ledger_of(place: &Place) -> Summary {
    rebuild(place.root(), &Fake, at(1000), &mut |_, _| {}).unwrap()
}

fn gap(camera: &str, from: i64, to: i64, cause: Cause) -> Record {
    Record::Gap(Gap { camera: name(camera), span: span(from, to), cause })
}

fn pair(place: &Place, camera: &str, sequence: u32, start: i64, end: i64, frames: u32) -> [Record; 2] {
    let bytes = fs::metadata(place.path(camera, sequence, start)).unwrap().len();
    let camera = name(camera);
    let opened = SegmentOpened { sequence, camera: camera.clone(), start: at(start), fallback: false };
    let closed = SegmentClosed { sequence, camera, end: at(end), frames, bytes, ending: Ending::Recovered };
    [Record::SegmentOpened(opened), Record::SegmentClosed(closed)]
}

#[test]
fn sessions_gaps_and_segments_come_back_in_the_order_of_their_numbers() {
    let place = Place::new();
    drop(place.open());
    let refused = Cause::Camera(Failure::Refused);
    place.segment(&after(header("b", 1, 2, 1, 1), &[(0, Cause::Starting)]), &[(2, 60)]);
    place.segment(&header("a", 2, 3, 1, 1), &[(3, 20), (25, 60)]);
    let before = [(60, Cause::Stopped), (100, Cause::Starting), (104, refused)];
    place.segment(&after(header("b", 3, 110, 2, 1), &before), &[(110, 120)]);
    let summary = ledger_of(&place);
    assert_eq!((summary.segments, summary.frames, summary.cameras), (3, 58 + 52 + 10, 2));
    assert!(summary.unread.is_empty() && !summary.marker_restored && summary.old.is_none());

    let configured = |camera, seconds| Record::CameraConfigured { at: at(seconds), camera: name(camera) };
    let [b1, b1_end] = pair(&place, "b", 1, 2, 60, 58);
    let [a2, a2_end] = pair(&place, "a", 2, 3, 60, 52);
    let [b3, b3_end] = pair(&place, "b", 3, 110, 120, 10);
    let expected = [
        Record::SessionStarted(session(1, 1, 0)),
        configured("b", 0),
        gap("b", 0, 2, Cause::Starting),
        b1,
        b1_end,
        configured("a", 3),
        a2,
        gap("a", 20, 25, Cause::Lost),
        a2_end,
        Record::SessionEnded { at: at(60), session: Id128([1; 16]) },
        Record::SessionStarted(session(2, 1, 100)),
        gap("b", 60, 100, Cause::Stopped),
        gap("b", 100, 104, Cause::Starting),
        gap("b", 104, 110, refused),
        b3,
        b3_end,
        Record::Rebuilt { at: at(1000), segments: 3 },
    ];
    assert_eq!(place.records(), expected);
}

#[test]
fn the_old_ledger_is_kept_and_the_new_one_takes_its_place() {
    let place = Place::new();
    drop(place.open());
    let old = Record::VolumeFaulted { at: at(0), fault: Fault::Io };
    place.write(std::slice::from_ref(&old));
    let content = fs::read(layout::ledger(place.root()).join("2023-11")).unwrap();
    place.segment(&header("a", 1, 0, 1, 1), &[(0, 9)]);
    let first = ledger_of(&place).old.unwrap();
    let second = ledger_of(&place).old.unwrap();
    assert_eq!(first, layout::home(place.root()).join("ledger.old-2023-11-14T22-30-00Z"));
    assert_eq!(second, layout::home(place.root()).join("ledger.old-2023-11-14T22-30-00Z-2"));
    assert_eq!(fs::read(first.join("2023-11")).unwrap(), content);
    assert!(!place.records().contains(&old));
    assert!(!layout::home(place.root()).join("ledger.new").exists());
}

#[test]
fn a_rebuild_that_was_cut_off_is_begun_anew() {
    let place = Place::new();
    drop(place.open());
    let fresh = layout::home(place.root()).join("ledger.new");
    fs::create_dir(&fresh).unwrap();
    fs::write(fresh.join("2020-01"), "half a ledger").unwrap();
    place.segment(&header("a", 1, 0, 1, 1), &[(0, 9)]);
    ledger_of(&place);
    assert!(!layout::ledger(place.root()).join("2020-01").exists());
    assert_eq!(place.all().1, []);
}

#[test]
fn what_cannot_be_read_is_told_with_its_reason_and_the_rest_is_entered() {
    let place = Place::new();
    drop(place.open());
    place.segment(&header("a", 1, 0, 1, 1), &[(0, 9)]);
    let empty = place.segment(&header("a", 2, 9, 1, 1), &[]);
    let damaged = place.segment(&header("a", 3, 10, 1, 1), &[(10, 19)]);
    fs::write(&damaged, [77; 300]).unwrap();
    let stranger = place.segment(&header("a", 4, 20, 1, 1), &[]);
    fs::write(&stranger, bytes(&header("b", 4, 20, 1, 1), &[(20, 29)])).unwrap();
    let twice = place.segment(&header("a", 1, 40, 1, 1), &[(40, 49)]);
    fs::write(layout::home(place.root()).join("a/notes.txt"), "not ours").unwrap();
    let before = fs::read(&damaged).unwrap();

    let summary = ledger_of(&place);
    assert_eq!(summary.segments, 1);
    let told = |path: &std::path::Path, text: &str| format!("{}: {text}", path.display());
    let expected = [
        told(&twice, "another segment has its number"),
        told(&empty, "holds no footage"),
        told(&damaged, "is not readable as a segment: is damaged (its CRC does not fit)"),
        told(&stranger, "its header names camera b, number 4"),
    ];
    assert_eq!(summary.unread, expected);
    assert_eq!(fs::read(&damaged).unwrap(), before, "no segment is changed");
    assert!(empty.exists());
}

#[test]
fn a_damaged_or_missing_marker_is_restored_from_the_segments() {
    for content in [None, Some([1; 60])] {
        let place = Place::new();
        drop(place.open());
        place.segment(&header("a", 1, 0, 1, 1), &[(0, 9)]);
        let path = layout::marker(place.root());
        match content {
            None => fs::remove_file(&path).unwrap(),
            Some(bytes) => fs::write(&path, bytes).unwrap(),
        }
        assert!(ledger_of(&place).marker_restored);
        assert_eq!(read_marker(place.root()).unwrap().unwrap().now.id, Id128([9; 16]));
    }
}

#[test]
fn a_volume_that_a_recorder_holds_is_left_alone() {
    let place = Place::new();
    let held = place.open();
    let error = rebuild(place.root(), &Fake, at(0), &mut |_, _| {}).unwrap_err();
    assert_eq!(error.fault, Fault::InUse);
    drop(held);
    ledger_of(&place);
}

#[test]
fn a_directory_that_is_no_volume_is_refused_and_left_as_it_was() {
    let place = Place::new();
    let error = rebuild(place.root(), &Fake, at(0), &mut |_, _| {}).unwrap_err();
    assert_eq!(error.fault, Fault::Missing);
    assert_eq!(fs::read_dir(place.root()).unwrap().count(), 0);
}

#[test]
fn the_command_says_what_it_did() {
    let place = Place::new();
    drop(place.open());
    place.segment(&header("a", 1, 0, 1, 1), &[(0, 9)]);
    let mut out = Vec::new();
    let outcome = run(place.root(), &Fake, at(0), &mut out, &mut Vec::new()).unwrap();
    assert_eq!(outcome, Outcome::Complete);
    let text = String::from_utf8(out).unwrap();
    assert_eq!(text, "ledger rebuilt from 1 segments of 1 cameras, 9 frames\n");

    place.segment(&header("a", 2, 9, 1, 1), &[]);
    let mut out = Vec::new();
    let outcome = run(place.root(), &Fake, at(0), &mut out, &mut Vec::new()).unwrap();
    assert_eq!(outcome, Outcome::Incomplete);
    assert!(String::from_utf8(out).unwrap().starts_with("not read: "));
}

#[test]
fn months_follow_the_segments_own_time() {
    let place = Place::new();
    drop(place.open());
    place.segment(&header("a", 1, 0, 1, 1), &[(0, 9)]);
    place.segment(&header("a", 2, 20 * 86_400, 1, 1), &[(20 * 86_400, 20 * 86_400 + 5)]);
    ledger_of(&place);
    let months = crate::ledger::read::months(place.root()).unwrap();
    assert_eq!(months.iter().map(ToString::to_string).collect::<Vec<_>>(), ["2023-11", "2023-12"]);
}

#[test]
fn what_is_protected_is_in_the_new_ledger_too() {
    use crate::retention::{Archive, Wish};
    let place = Place::new();
    drop(place.open());
    place.segment(&header("a", 1, 0, 1, 1), &[(0, 60)]);
    let mut archive = Archive::open(place.root(), at(0), &mut Vec::new()).unwrap();
    let note = "accident".try_into().unwrap();
    archive.protect(Wish { camera: None, span: span(10, 20), note }, at(1)).unwrap();
    let expected: Vec<_> = archive.list().cloned().collect();
    drop(archive);
    assert_eq!(ledger_of(&place).unread, [""; 0]);
    fs::remove_file(layout::protected(place.root())).unwrap();
    let archive = Archive::open(place.root(), at(0), &mut Vec::new()).unwrap();
    assert_eq!(archive.list().cloned().collect::<Vec<_>>(), expected);
}
