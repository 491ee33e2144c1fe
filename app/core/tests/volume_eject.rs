//! Volumes that a person wants to take out: closed, unmounted, safe to remove, used again.

mod world;

use holdfast_core::event::{Fault, Past, VolumeEvent};
use holdfast_core::settings::VolumeKind;
use world::World;

const DISK: &[VolumeKind] = &[VolumeKind::Disk];

fn recording() -> World {
    World::recording_on(DISK)
}

/// Ejected and out at second 2.
fn ejected(kind: VolumeKind) -> World {
    let mut world = World::recording_on(&[kind]);
    world.volume(0, VolumeEvent::Eject);
    world.volume(0, VolumeEvent::Closed);
    world.volume(0, VolumeEvent::Unmounted);
    world
}

#[test]
fn an_ejected_disk_is_closed_unmounted_and_safe_to_remove() {
    let mut world = recording();
    world.volume(0, VolumeEvent::Eject);
    // What the rings hold still goes there: nothing else takes it.
    world.expect(&["2.0 vol0 Close", "2.0 vol0 is Ejecting"]);
    world.at(3.0);
    world.received(3);
    world.stored(2.0, 3.0);
    world.expect(&[]);
    world.volume(0, VolumeEvent::Closed);
    world.expect(&["3.0 cam0 is Holding", "3.0 cam0 to nowhere", "3.0 vol0 Unmount"]);
    world.volume(0, VolumeEvent::Unmounted);
    world.expect(&[
        "3.0 vol0 is SafeToRemove",
        "3.0 alarm SafeToRemove(VolumeIndex(0)) Unacknowledged x1 None",
    ]);
    world.volume(0, VolumeEvent::Attached);
    world.at(3000.0);
    world.expect_of("vol0", &[]);
}

#[test]
fn an_ejected_path_is_out_when_it_is_closed() {
    let mut world = World::recording_on(&[VolumeKind::Path]);
    world.volume(0, VolumeEvent::Eject);
    world.expect(&["2.0 vol0 Close", "2.0 vol0 is Ejecting"]);
    world.volume(0, VolumeEvent::Closed);
    world.expect(&[
        "2.0 cam0 is Holding",
        "2.0 cam0 to nowhere",
        "2.0 vol0 is SafeToRemove",
        "2.0 alarm SafeToRemove(VolumeIndex(0)) Unacknowledged x1 None",
    ]);
    // Whatever is mounted there: a person has to say so.
    world.volume(0, VolumeEvent::Detached);
    world.volume(0, VolumeEvent::Attached);
    world.at(3000.0);
    world.expect_of("vol0", &[]);
    world.volume(0, VolumeEvent::Use);
    world.expect_of("vol0", &["3000.0 vol0 Open", "3000.0 vol0 is Opening"]);
}

#[test]
fn another_volume_takes_over_from_one_that_is_ejected_at_once() {
    let mut world = World::recording_on(&[VolumeKind::Disk, VolumeKind::Path]);
    world.volume(0, VolumeEvent::Eject);
    world.expect(&["2.0 cam0 is Waiting", "2.0 cam0 to vol1", "2.0 vol0 Close", "2.0 vol0 is Ejecting"]);
    world.volume(0, VolumeEvent::Closed);
    world.expect_of(" to ", &[]);
}

#[test]
fn footage_that_nobody_took_while_a_volume_was_ejected_is_told_so() {
    let mut world = ejected(VolumeKind::Disk);
    world.volume(0, VolumeEvent::Detached);
    world.wait(60);
    world.volume(0, VolumeEvent::Attached);
    world.history(0, 2.0, Past::Stopped);
    world.volume(0, VolumeEvent::Ready);
    world.forget();
    world.stored(30.0, 60.0);
    world.expect_of("gap", &["60.0 ledger0: cam0 gap 2.0..30.0 Ejected"]);
}

#[test]
fn an_ejected_disk_is_used_again_when_it_was_taken_out_and_comes_back() {
    let mut world = ejected(VolumeKind::Disk);
    world.forget();
    world.at(10.0);
    world.volume(0, VolumeEvent::Detached);
    world.expect_of("vol0", &["10.0 vol0 is Absent"]);
    world.volume(0, VolumeEvent::Attached);
    world.expect_of("vol0", &["10.0 vol0 Open", "10.0 vol0 is Opening"]);
}

#[test]
fn taking_an_ejected_disk_out_ends_its_alarm_and_raises_none() {
    let mut world = ejected(VolumeKind::Disk);
    world.forget();
    world.volume(0, VolumeEvent::Detached);
    world.expect_of("Volume", &["2.0 alarm SafeToRemove(VolumeIndex(0)) Normal x1 None"]);
}

#[test]
fn an_ejected_disk_that_is_still_there_is_mounted_again_when_a_person_says_so() {
    let mut world = ejected(VolumeKind::Disk);
    world.forget();
    world.volume(0, VolumeEvent::Use);
    world.expect_of("vol0", &["2.0 vol0 Mount", "2.0 vol0 is Opening"]);
    world.volume(0, VolumeEvent::Attached);
    world.expect_of("vol0", &["2.0 vol0 Open"]);
    world.volume(0, VolumeEvent::Ready);
    world.expect_of("vol0", &["2.0 cam0 to vol0", "2.0 vol0 is Ready"]);
}

#[test]
fn a_person_who_changes_their_mind_is_obeyed() {
    // While it closes.
    let mut world = recording();
    world.volume(0, VolumeEvent::Eject);
    world.volume(0, VolumeEvent::Use);
    world.forget();
    world.volume(0, VolumeEvent::Closed);
    world.expect_of("vol0", &["2.0 vol0 Open"]);
    // While it is unmounted.
    let mut world = recording();
    world.volume(0, VolumeEvent::Eject);
    world.volume(0, VolumeEvent::Closed);
    world.volume(0, VolumeEvent::Use);
    world.forget();
    world.volume(0, VolumeEvent::Unmounted);
    world.expect_of("vol0", &["2.0 vol0 Mount"]);
    // While it is mounted again.
    world.volume(0, VolumeEvent::Eject);
    world.expect_of("vol0", &["2.0 vol0 Unmount", "2.0 vol0 is Ejecting"]);
    world.volume(0, VolumeEvent::Unmounted);
    world.expect_of("vol0", &["2.0 vol0 is SafeToRemove"]);
}

#[test]
fn a_disk_that_cannot_be_unmounted_is_an_alarm_and_goes_on() {
    let mut world = recording();
    world.volume(0, VolumeEvent::Eject);
    world.volume(0, VolumeEvent::Closed);
    world.at(61.9);
    world.forget();
    world.at(62.0);
    world.expect_of(
        "ol",
        &[
            "62.0 vol0 is faulted until 64.0: Stuck",
            "62.0 alarm Volume(VolumeIndex(0), Stuck) Unacknowledged x1 Volume(Stuck)",
        ],
    );
    world.at(64.0);
    world.expect_of("vol0", &["64.0 vol0 Open"]);
}

/// Ejected, and given up at second 62; tried at 64.
fn ejected_in_vain() -> World {
    let mut world = recording();
    world.volume(0, VolumeEvent::Eject);
    world.volume(0, VolumeEvent::Closed);
    world.at(63.0);
    world.forget();
    world
}

#[test]
fn a_disk_that_is_unmounted_late_is_safe_to_remove_all_the_same() {
    let mut world = ejected_in_vain();
    world.volume(0, VolumeEvent::Unmounted);
    world.expect(&[
        "63.0 vol0 is SafeToRemove",
        "63.0 alarm Volume(VolumeIndex(0), Stuck) ReturnedUnacknowledged x1 Volume(Stuck)",
        "63.0 alarm SafeToRemove(VolumeIndex(0)) Unacknowledged x1 None",
    ]);
    // While it was tried already: that finds nothing.
    let mut world = ejected_in_vain();
    world.at(64.0);
    world.volume(0, VolumeEvent::Unmounted);
    world.forget();
    world.fault(0, Fault::Missing);
    world.expect_of("vol0", &["64.0 vol0 is SafeToRemove"]);
    world.at(1000.0);
    world.expect_of("vol0", &[]);
}

#[test]
fn a_person_who_wants_a_disk_used_is_obeyed_also_when_it_is_unmounted_late() {
    let mut world = ejected_in_vain();
    world.volume(0, VolumeEvent::Use);
    world.expect_of("vol0", &["63.0 vol0 Open"]);
    world.volume(0, VolumeEvent::Unmounted);
    world.fault(0, Fault::Missing);
    world.expect_of("vol0", &["63.0 vol0 Mount", "63.0 vol0 is faulted until 123.0: Stuck"][..1]);
    world.volume(0, VolumeEvent::Attached);
    world.expect_of("vol0", &["63.0 vol0 Open"]);
}

#[test]
fn a_late_answer_says_nothing_of_a_disk_that_is_in_use_again() {
    let mut world = ejected_in_vain();
    world.at(64.0);
    world.volume(0, VolumeEvent::Ready);
    world.forget();
    world.volume(0, VolumeEvent::Unmounted);
    world.volume(0, VolumeEvent::KeptMounted);
    world.expect_of("vol0", &[]);
    world.expect_of("KeptMounted", &[]);
}

#[test]
fn a_disk_that_somebody_else_uses_is_recorded_to_again_at_once_and_a_person_is_told() {
    let mut world = recording();
    world.volume(0, VolumeEvent::Eject);
    world.volume(0, VolumeEvent::Closed);
    world.at(3.0);
    world.forget();
    world.volume(0, VolumeEvent::KeptMounted);
    world.expect(&[
        "3.0 vol0 Open",
        "3.0 vol0 is Opening",
        "3.0 alarm KeptMounted(VolumeIndex(0)) ReturnedUnacknowledged x1 None",
    ]);
    world.volume(0, VolumeEvent::Ready);
    world.expect_of("vol0", &["3.0 cam0 to vol0", "3.0 vol0 is Ready"]);
    // A person who changed their mind is not told, nor anybody of a remount.
    let mut world = recording();
    world.volume(0, VolumeEvent::Eject);
    world.volume(0, VolumeEvent::Closed);
    world.volume(0, VolumeEvent::Use);
    world.forget();
    world.volume(0, VolumeEvent::KeptMounted);
    world.expect_of("ol", &["2.0 vol0 Open"]);
}

#[test]
fn a_disk_that_was_mounted_while_it_was_to_be_ejected_is_unmounted_again() {
    let mut world = ejected(VolumeKind::Disk);
    world.volume(0, VolumeEvent::Use);
    world.volume(0, VolumeEvent::Eject);
    world.forget();
    world.at(5.0);
    world.volume(0, VolumeEvent::Attached);
    world.expect_of("vol0", &["5.0 vol0 Unmount"]);
    world.volume(0, VolumeEvent::Unmounted);
    world.expect_of("vol0", &["5.0 vol0 is SafeToRemove"]);
}

#[test]
fn a_writer_that_does_not_close_for_an_ejection_is_abandoned_and_said() {
    let mut world = recording();
    world.volume(0, VolumeEvent::Eject);
    world.at(31.9);
    world.forget();
    world.at(32.0);
    world.expect_of(
        "ol",
        &[
            "32.0 vol0 Abandon",
            "32.0 vol0 is faulted until 34.0: Stuck",
            "32.0 alarm Volume(VolumeIndex(0), Stuck) Unacknowledged x1 Volume(Stuck)",
        ],
    );
}

#[test]
fn a_disk_that_fails_while_it_is_ejected_goes_all_the_same_and_the_fault_is_said() {
    let mut world = recording();
    world.volume(0, VolumeEvent::Eject);
    world.forget();
    world.fault(0, Fault::Io);
    world.expect_of(
        "ol",
        &[
            "2.0 cam0 is Holding",
            "2.0 vol0 Unmount",
            "2.0 alarm Volume(VolumeIndex(0), Io) Unacknowledged x1 Volume(Io)",
        ],
    );
    world.volume(0, VolumeEvent::Unmounted);
    world.expect_of("vol0", &["2.0 vol0 is SafeToRemove"]);
}

#[test]
fn a_disk_pulled_before_it_was_safe_is_missing() {
    let mut world = recording();
    world.volume(0, VolumeEvent::Eject);
    world.forget();
    world.volume(0, VolumeEvent::Detached);
    world.expect_of(
        "ol",
        &[
            "2.0 cam0 is Holding",
            "2.0 vol0 Abandon",
            "2.0 vol0 is Absent",
            "2.0 alarm Volume(VolumeIndex(0), Missing) Unacknowledged x1 Volume(Missing)",
        ],
    );
    // Closed already: nothing of ours was lost.
    let mut world = recording();
    world.volume(0, VolumeEvent::Eject);
    world.volume(0, VolumeEvent::Closed);
    world.forget();
    world.volume(0, VolumeEvent::Detached);
    world.expect_of("ol", &["2.0 vol0 is Absent"]);
}

#[test]
fn a_disk_that_failed_can_be_ejected() {
    let mut world = recording();
    world.fault(0, Fault::Io);
    world.forget();
    world.volume(0, VolumeEvent::Eject);
    world.expect_of("vol0", &["2.0 vol0 Unmount", "2.0 vol0 is Ejecting"]);
    world.volume(0, VolumeEvent::Unmounted);
    world.at(100.0);
    world.expect_of("vol0", &["2.0 vol0 is SafeToRemove"]);
}
