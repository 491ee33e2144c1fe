//! A volume: opening, faults, retries.

mod world;

use holdfast_core::event::{Fault, VolumeEvent};
use holdfast_core::settings::{TransportChoice, VolumeKind};
use world::{World, settings};

fn without_cameras() -> World {
    let mut world = World::started(settings(0, 1, TransportChoice::Auto));
    world.expect_of("vol", &["0.0 vol0 Open", "0.0 vol0 is Opening"]);
    world
}

/// The waits from each of these facts to the next attempt; each fact is told as soon as the volume is opened.
fn waits(world: &mut World, facts: &[&[VolumeEvent]]) -> Vec<f64> {
    let waits = facts.iter().map(|facts| {
        for fact in *facts {
            world.volume(0, fact.clone());
        }
        let from = world.secs();
        world.forget();
        while !world.lines().iter().any(|line| line.ends_with("vol0 Open")) {
            let wake = world.core.poll_timeout().expect("it runs");
            world.until(wake);
            assert!(world.secs() - from < 400.0, "never tried again");
        }
        (world.secs() - from) * 1000.0
    });
    waits.map(|wait| wait.round() / 1000.0).collect()
}

const FAILS: &[VolumeEvent] = &[VolumeEvent::Faulted(Fault::Io)];
const OPENS_AND_FAILS: &[VolumeEvent] = &[VolumeEvent::Ready, VolumeEvent::Faulted(Fault::Io)];

#[test]
fn a_volume_that_cannot_be_opened_is_tried_each_2_seconds_for_ever() {
    let mut world = without_cameras();
    let found = waits(&mut world, &[FAILS; 400]);
    assert!(found.iter().all(|wait| *wait == 2.0), "{found:?}");
}

#[test]
fn one_that_opens_and_fails_again_and_again_is_tried_after_2_2_4_8_16_and_each_30_seconds() {
    let mut world = without_cameras();
    let found = waits(&mut world, &[OPENS_AND_FAILS; 8]);
    assert_eq!(found, [2.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]);
}

#[test]
fn an_attempt_that_fails_in_between_does_not_lengthen_the_waits() {
    let mut world = without_cameras();
    let facts = [OPENS_AND_FAILS, OPENS_AND_FAILS, FAILS, OPENS_AND_FAILS, FAILS, FAILS, OPENS_AND_FAILS];
    assert_eq!(waits(&mut world, &facts), [2.0, 2.0, 2.0, 4.0, 2.0, 2.0, 8.0]);
}

#[test]
fn half_a_minute_of_readiness_or_anything_durable_makes_the_waits_short_again() {
    for (case, ready_for, stores, wait) in [
        ("29 s without footage do not", 29.0, false, 8.0),
        ("30 s do", 30.0, false, 2.0),
        ("footage does", 1.0, true, 2.0),
    ] {
        let mut world = World::one();
        waits(&mut world, &[OPENS_AND_FAILS; 3]);
        world.volume(0, VolumeEvent::Ready);
        let at = world.secs();
        world.at(at + ready_for);
        if stores {
            world.stored(0.0, 1.0);
        }
        assert_eq!(waits(&mut world, &[FAILS]), [wait], "{case}");
    }
}

#[test]
fn an_opening_that_hangs_is_abandoned_after_a_minute_and_tried_again() {
    let mut world = without_cameras();
    world.at(59.9);
    world.expect_of("vol0", &[]);
    world.at(60.0);
    world.expect_of("vol0", &["60.0 vol0 Abandon", "60.0 vol0 is faulted until 62.0: Stuck"]);
    world.volume(0, VolumeEvent::Ready);
    world.expect(&[]);
    world.at(62.0);
    world.expect(&["62.0 vol0 Open"]);
}

#[test]
fn a_writer_that_ended_at_last_is_an_occasion_to_try_at_once() {
    let mut world = without_cameras();
    world.at(60.0);
    world.forget();
    world.at(60.7);
    world.volume(0, VolumeEvent::Released);
    world.expect_of("Open", &["60.7 vol0 Open"]);
    world.volume(0, VolumeEvent::Released);
    world.expect_of("Open", &[]);
}

#[test]
fn a_path_is_tried_at_once_when_something_is_mounted_there() {
    let mut world = without_cameras();
    world.fault(0, Fault::NotMounted);
    world.at(0.3);
    world.forget();
    world.volume(0, VolumeEvent::Attached);
    world.expect_of("Open", &["0.3 vol0 Open"]);
}

#[test]
fn a_path_whose_mount_goes_is_missing_and_tried_again() {
    let mut world = World::recording();
    world.volume(0, VolumeEvent::Detached);
    world.expect_of("vol0", &["2.0 vol0 Abandon", "2.0 vol0 is faulted until 4.0: Missing"]);
    world.at(4.0);
    world.expect_of("Open", &["4.0 vol0 Open"]);
}

#[test]
fn a_fault_is_told_once_however_often_it_is_met() {
    let mut world = World::recording();
    let mut told = 0;
    while world.secs() < 7200.0 {
        world.fault(0, Fault::Io);
        let next = world.secs() + 2.0;
        world.at(next);
        told += world.lines().iter().filter(|line| line.contains("vol0 is")).count();
    }
    assert_eq!(told, 1);
    world.fault(0, Fault::Missing);
    world.expect_of(
        "vol0 is",
        &[&format!("{0:.1} vol0 is faulted until {1:.1}: Missing", world.secs(), world.secs() + 2.0)],
    );
}

#[test]
fn a_fault_in_use_is_told_to_the_ledger_once_it_takes_data_again() {
    let mut world = without_cameras();
    world.volume(0, VolumeEvent::Ready);
    world.at(5.0);
    world.fault(0, Fault::Io);
    world.at(7.0);
    world.fault(0, Fault::Missing);
    world.at(11.0);
    world.forget();
    world.volume(0, VolumeEvent::Ready);
    world.expect_of("ledger", &["11.0 ledger0: faulted 5.0 Io"]);
}

#[test]
fn a_disk_s_ledger_is_told_that_it_was_pulled() {
    let mut world = World::recording_on(&[VolumeKind::Disk]);
    world.volume(0, VolumeEvent::Detached);
    world.at(7.0);
    world.volume(0, VolumeEvent::Attached);
    world.forget();
    world.volume(0, VolumeEvent::Ready);
    world.expect_of("faulted ", &["7.0 ledger0: faulted 2.0 Missing"]);
}

#[test]
fn an_end_that_nobody_asked_for_is_a_fault() {
    let mut world = without_cameras();
    world.volume(0, VolumeEvent::Ready);
    world.forget();
    world.volume(0, VolumeEvent::Closed);
    world.expect_of("vol0", &["0.0 vol0 is faulted until 2.0: Other(0)"]);
}
