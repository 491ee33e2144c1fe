//! Places that disks come to and go from: attached, pulled, back again, replaced.

mod world;

use holdfast_core::event::{Event, Fault, Past, VolumeEvent};
use holdfast_core::settings::VolumeKind;
use world::{World, places};

const DISK: &[VolumeKind] = &[VolumeKind::Disk];

fn recording() -> World {
    World::recording_on(DISK)
}

#[test]
fn an_empty_place_waits_for_a_disk_and_is_an_alarm_after_half_a_minute() {
    let mut world = World::started(places(DISK));
    world.expect_of("vol0", &["0.0 vol0 is Absent"]);
    world.at(32.9);
    world.expect_of("Nothing", &[]);
    world.at(33.0);
    world.expect_of("Nothing", &["33.0 alarm NothingRecords Unacknowledged x1 None"]);
    world.at(100.0);
    world.expect_of("Nothing", &[]);
    world.volume(0, VolumeEvent::Attached);
    // Hope alone ends no alarm.
    world.expect(&["100.0 vol0 Open", "100.0 vol0 is Opening"]);
    world.volume(0, VolumeEvent::Ready);
    world.expect(&[
        "100.0 ledger0: cam0 open 100.0 Camera(ConnectTimeout)",
        "100.0 cam0 to vol0",
        "100.0 vol0 is Ready",
        "100.0 alarm NothingRecords ReturnedUnacknowledged x1 None",
    ]);
}

#[test]
fn a_disk_that_is_there_at_the_start_is_no_alarm() {
    let mut world = World::started(places(DISK));
    world.at(5.0);
    world.volume(0, VolumeEvent::Attached);
    world.at(6.0);
    world.volume(0, VolumeEvent::Ready);
    world.record(6.0, 60.0);
    world.expect_of("alarm", &[]);
}

#[test]
fn a_pulled_disk_is_let_go_at_once_and_a_critical_alarm() {
    let mut world = recording();
    world.volume(0, VolumeEvent::Detached);
    world.expect(&[
        "2.0 cam0 is Holding",
        "2.0 cam0 to nowhere",
        "2.0 vol0 Abandon",
        "2.0 vol0 is Absent",
        "2.0 alarm Volume(VolumeIndex(0), Missing) Unacknowledged x1 Volume(Missing)",
    ]);
    // It is not looked for: it tells when it comes.
    world.at(1000.0);
    world.expect_of("Open", &[]);
}

#[test]
fn a_disk_that_comes_back_is_opened_at_once_and_its_alarm_ends_with_the_first_footage() {
    let mut world = recording();
    world.volume(0, VolumeEvent::Detached);
    world.at(8.0);
    world.received(8);
    world.forget();
    world.volume(0, VolumeEvent::Attached);
    world.expect_of("vol0", &["8.0 vol0 Open", "8.0 vol0 is faulted: Missing"]);
    world.history(0, 2.0, Past::Crashed);
    world.volume(0, VolumeEvent::Ready);
    world.expect_of(
        "Missing",
        &["8.0 ledger0: faulted 2.0 Missing", "8.0 ledger0: cam0 open 2.0 Volume(Missing)"],
    );
    world.stored(2.0, 8.0);
    world.expect_of("vol0 is", &["8.0 vol0 is Ready"]);
    world.stored(8.0, 9.0);
    world.expect_of("gap", &[]);
}

#[test]
fn what_the_rings_could_not_hold_while_a_disk_was_away_is_told_as_missing() {
    let mut world = recording();
    world.volume(0, VolumeEvent::Detached);
    world.at(9.0);
    world.received(9);
    world.volume(0, VolumeEvent::Attached);
    world.history(0, 2.0, Past::Crashed);
    world.volume(0, VolumeEvent::Ready);
    world.forget();
    world.stored(5.0, 9.0);
    world.expect_of("gap", &["9.0 ledger0: cam0 gap 2.0..5.0 Volume(Missing)"]);
}

#[test]
fn twenty_replugs_leave_one_alarm_and_no_gap() {
    let mut world = recording();
    for round in 0..20 {
        let at = 2.0 + 20.0 * f64::from(round);
        world.volume(0, VolumeEvent::Detached);
        world.at(at + 8.0);
        world.received(10);
        world.volume(0, VolumeEvent::Attached);
        world.history(0, at, Past::Crashed);
        world.volume(0, VolumeEvent::Ready);
        world.stored(at, at + 8.0);
        world.go_on(at + 8.0, at + 20.0, 11);
    }
    let lines = world.lines();
    assert!(!lines.iter().any(|line| line.contains("gap")), "{lines:?}");
    assert!(lines.iter().any(|line| line.contains("Missing) Unacknowledged x20")), "{lines:?}");
    assert_eq!(lines.iter().filter(|line| line.ends_with("vol0 Open")).count(), 20);
}

#[test]
fn told_twice_changes_nothing() {
    for kind in [VolumeKind::Path, VolumeKind::Disk] {
        let mut world = World::recording_on(&[kind]);
        world.volume(0, VolumeEvent::Attached);
        world.volume(0, VolumeEvent::Use);
        world.volume(0, VolumeEvent::Unmounted);
        world.volume(0, VolumeEvent::Released);
        world.expect(&[]);
        world.volume(0, VolumeEvent::Detached);
        world.forget();
        world.volume(0, VolumeEvent::Detached);
        world.expect_of("vol0", &[]);
    }
}

#[test]
fn a_disk_pulled_while_it_opens_is_let_go_of_too() {
    let mut world = World::started(places(DISK));
    world.volume(0, VolumeEvent::Attached);
    world.forget();
    world.volume(0, VolumeEvent::Detached);
    world.expect_of("vol0", &["0.0 vol0 Abandon", "0.0 vol0 is Absent"]);
    world.volume(0, VolumeEvent::Ready);
    world.expect(&[]);
}

#[test]
fn a_fault_gives_way_to_missing_when_the_disk_is_pulled() {
    let mut world = recording();
    world.fault(0, Fault::Io);
    world.forget();
    world.volume(0, VolumeEvent::Detached);
    world.expect(&[
        "2.0 vol0 is Absent",
        "2.0 alarm Volume(VolumeIndex(0), Io) ReturnedUnacknowledged x1 Volume(Io)",
        "2.0 alarm Volume(VolumeIndex(0), Missing) Unacknowledged x1 Volume(Missing)",
    ]);
}

#[test]
fn a_person_can_have_a_failed_volume_tried_at_once() {
    let mut world = recording();
    world.fault(0, Fault::Io);
    world.at(2.5);
    world.forget();
    world.volume(0, VolumeEvent::Use);
    world.expect_of("vol0", &["2.5 vol0 Open"]);
}

#[test]
fn what_is_owed_to_a_new_disk_begins_when_it_comes() {
    let mut world = World::started(places(&[VolumeKind::Path, VolumeKind::Disk]));
    world.volume(0, VolumeEvent::Ready);
    world.record(0.0, 100.0);
    world.forget();
    world.volume(1, VolumeEvent::Attached);
    world.volume(1, VolumeEvent::Ready);
    // It is told why it holds nothing.
    world.expect_of("ledger", &["100.0 ledger1: cam0 open 100.0 OnAnotherVolume"]);
    world.go_on(100.0, 110.0, 101);
    world.fault(0, Fault::Io);
    world.forget();
    world.stored_on(1, 110.0, 111.0);
    world.expect_of("gap", &["110.0 ledger1: cam0 gap 100.0..110.0 OnAnotherVolume"]);
}

#[test]
fn another_disk_in_the_same_place_does_not_answer_for_the_first() {
    let mut world = recording();
    world.volume(0, VolumeEvent::Detached);
    world.volume(0, VolumeEvent::Replaced);
    world.wait(20);
    world.volume(0, VolumeEvent::Attached);
    world.history(0, -500.0, Past::PowerLost);
    world.volume(0, VolumeEvent::Ready);
    world.forget();
    world.stored(20.0, 21.0);
    world.expect_of("gap", &["20.0 ledger0: cam0 gap -500.0..20.0 PowerLost"]);
}

#[test]
fn a_spare_is_told_that_footage_goes_elsewhere_as_soon_as_it_does() {
    let mut world = World::started(places(&[VolumeKind::Path, VolumeKind::Path]));
    world.volume(0, VolumeEvent::Ready);
    world.volume(1, VolumeEvent::Ready);
    world.at(3.0);
    world.streaming();
    world.at(4.0);
    world.received(1);
    world.forget();
    world.stored(3.0, 4.0);
    world.expect_of(
        "ledger",
        &["4.0 ledger0: cam0 gap 0.0..3.0 Starting", "4.0 ledger1: cam0 open 3.0 OnAnotherVolume"],
    );
}

#[test]
fn nothing_is_opened_once_the_end_has_begun() {
    let mut world = recording();
    world.volume(0, VolumeEvent::Detached);
    world.tell(Event::Stop);
    world.forget();
    world.volume(0, VolumeEvent::Attached);
    world.volume(0, VolumeEvent::Use);
    world.expect_of("vol0", &[]);
}
