//! Stories of the account of a volume that fails or is too slow: what it lacks, what the rings dropped before it, and for which cause.

mod world;

use holdfast_core::event::{CameraEvent, Failure, Fault, Past, VolumeEvent};
use holdfast_core::settings::TransportChoice;
use world::{World, settings, span};

fn two_volumes() -> World {
    let mut world = World::started(settings(1, 2, TransportChoice::Auto));
    world.forget();
    world
}

#[test]
fn a_volume_s_fault_is_told_when_the_ring_could_not_hold_the_outage() {
    let mut world = World::recording();
    world.fault(0, Fault::Missing);
    for second in 3..=40u32 {
        world.at(f64::from(second));
        world.received(u64::from(second));
        if second > 32 {
            let from = f64::from(second) - 31.0;
            world.camera(0, CameraEvent::Dropped { span: span(from, from + 1.0), units: 25, bytes: 9 });
        }
    }
    world.history(0, 2.0, Past::Crashed);
    world.forget();
    world.volume(0, VolumeEvent::Ready);
    world.stored(10.0, 11.0);
    world.expect_of(
        "ledger",
        &[
            "40.0 ledger0: faulted 2.0 Missing",
            "40.0 ledger0: cam0 open 2.0 Volume(Missing)",
            "40.0 ledger0: cam0 gap 2.0..10.0 Volume(Missing)",
        ],
    );
}

#[test]
fn a_replug_that_the_ring_bridges_costs_nothing() {
    let mut world = World::recording();
    world.fault(0, Fault::Missing);
    world.at(4.0);
    world.received(4);
    world.volume(0, VolumeEvent::Ready);
    world.stored(2.0, 4.0);
    world.go_on(4.0, 20.0, 5);
    world.expect_of("gap", &[]);
}

#[test]
fn what_a_volume_lost_when_it_failed_belongs_to_its_fault() {
    let mut world = World::recording();
    world.go_on(2.0, 10.0, 2);
    world.fault(0, Fault::Io);
    world.at(12.0);
    world.received(20);
    world.history(0, 9.0, Past::Crashed);
    world.volume(0, VolumeEvent::Ready);
    world.forget();
    world.stored(10.0, 12.0);
    world.expect_of("ledger", &["12.0 ledger0: cam0 gap 9.0..10.0 Volume(Io)"]);
}

#[test]
fn what_a_full_ring_drops_before_a_volume_that_is_back_is_read_is_the_fault_s() {
    let mut world = World::recording();
    world.fault(0, Fault::Again);
    world.at(8.0);
    world.received(8);
    world.camera(0, CameraEvent::Dropped { span: span(2.0, 3.0), units: 25, bytes: 9 });
    world.history(0, 2.0, Past::Crashed);
    world.volume(0, VolumeEvent::Ready);
    world.camera(0, CameraEvent::Dropped { span: span(3.0, 4.0), units: 25, bytes: 9 });
    world.at(8.2);
    world.forget();
    world.stored(4.0, 8.0);
    world.expect_of("gap", &["8.2 ledger0: cam0 gap 2.0..4.0 Volume(Again)"]);
    // While that was read, the ring had room for nothing that came.
    world.camera(0, CameraEvent::Dropped { span: span(8.0, 9.0), units: 25, bytes: 9 });
    world.at(10.0);
    world.received(10);
    world.stored(9.0, 10.0);
    world.expect_of("gap", &["10.0 ledger0: cam0 gap 8.0..9.0 Volume(Again)"]);
    // What is dropped later has nothing to do with it.
    world.go_on(10.0, 14.0, 11);
    world.camera(0, CameraEvent::Dropped { span: span(14.0, 15.0), units: 25, bytes: 9 });
    world.at(16.0);
    world.received(16);
    world.stored(15.0, 16.0);
    world.expect_of("gap", &["16.0 ledger0: cam0 gap 14.0..15.0 RingOverflow"]);
}

#[test]
fn a_volume_too_slow_for_the_ring_is_an_overflow() {
    let mut world = World::recording();
    for second in 3..=30u32 {
        world.at(f64::from(second));
        world.received(u64::from(second));
    }
    world.forget();
    world.camera(0, CameraEvent::Dropped { span: span(5.0, 9.0), units: 100, bytes: 9 });
    world.expect_of("ledger", &["30.0 ledger0: cam0 open 2.0 RingOverflow"]);
    world.stored(2.0, 5.0);
    world.stored(9.0, 10.0);
    world.expect_of("ledger", &["30.0 ledger0: cam0 gap 5.0..9.0 RingOverflow"]);
}

#[test]
fn each_part_of_an_outage_of_camera_and_volume_has_its_own_cause() {
    let mut world = World::recording();
    world.at(3.0);
    world.received(2);
    world.fault(0, Fault::Missing);
    world.at(10.0);
    world.received(3);
    world.fail(Failure::ServerClosed);
    world.camera(0, CameraEvent::TornDown);
    world.at(14.0);
    world.streaming();
    world.at(15.0);
    world.received(1);
    world.at(22.0);
    world.received(9);
    world.at(30.0);
    world.received(20);
    world.volume(0, VolumeEvent::Faulted(Fault::Missing));
    world.at(63.0);
    world.streaming();
    world.forget();
    world.volume(0, VolumeEvent::Ready);
    world.stored(22.0, 30.0);
    let gaps: Vec<_> = world.lines().into_iter().filter(|l| l.contains("gap")).collect();
    assert_eq!(
        gaps,
        [
            "63.0 ledger0: cam0 gap 2.0..10.0 Volume(Missing)",
            "63.0 ledger0: cam0 gap 10.0..15.0 Camera(ServerClosed)",
            "63.0 ledger0: cam0 gap 15.0..22.0 Volume(Missing)",
        ]
    );
}

#[test]
fn footage_that_went_to_another_volume_is_told_to_the_one_that_comes_back() {
    let mut world = two_volumes();
    world.volume(0, VolumeEvent::Ready);
    world.volume(1, VolumeEvent::Ready);
    world.record(0.0, 10.0);
    world.forget();
    world.fault(0, Fault::Missing);
    world.stored_on(1, 10.0, 10.5);
    world.expect_of("ledger", &["10.0 ledger1: cam0 gap 0.0..10.0 OnAnotherVolume"]);
    world.at(12.0);
    world.received(20);
    world.stored_on(1, 10.5, 12.0);
    world.history(0, 10.0, Past::Crashed);
    world.volume(0, VolumeEvent::Ready);
    for second in 13..=42u32 {
        world.at(f64::from(second));
        world.received(10 + u64::from(second));
        world.stored_on(1, f64::from(second) - 1.0, f64::from(second));
    }
    world.forget();
    world.stored_on(0, 42.0, 43.0);
    world.expect_of(
        "ledger",
        &[
            "42.0 ledger0: cam0 gap 10.0..42.0 OnAnotherVolume",
            "42.0 ledger1: cam0 open 42.0 OnAnotherVolume",
        ],
    );
}

#[test]
fn what_a_volume_says_after_its_fault_does_not_count() {
    let mut world = World::recording();
    world.fault(0, Fault::Io);
    world.forget();
    world.stored(2.5, 3.5);
    world.expect(&[]);
}

#[test]
fn an_open_gap_is_told_again_to_a_volume_that_failed_meanwhile() {
    let mut world = World::recording();
    world.fail(Failure::Unauthorized);
    world.expect_of("open", &["2.0 ledger0: cam0 open 2.0 Camera(Unauthorized)"]);
    world.at(3.0);
    world.fault(0, Fault::Io);
    world.at(5.0);
    world.forget();
    world.volume(0, VolumeEvent::Ready);
    world.expect_of("open", &["5.0 ledger0: cam0 open 2.0 Camera(Unauthorized)"]);
}

#[test]
fn a_drop_from_before_a_failure_that_lasts_keeps_its_own_cause() {
    let mut world = World::recording();
    for second in 3..=30u32 {
        world.at(f64::from(second));
        world.received(u64::from(second));
    }
    world.fail(Failure::Bye);
    world.camera(0, CameraEvent::Dropped { span: span(5.0, 9.0), units: 100, bytes: 9 });
    world.stored(2.0, 5.0);
    world.forget();
    world.stored(9.0, 30.0);
    world.expect_of("gap", &["30.0 ledger0: cam0 gap 5.0..9.0 RingOverflow"]);
}

#[test]
fn what_a_ring_drops_from_before_its_volume_failed_is_the_volume_s() {
    let mut world = World::recording();
    for second in 3..=40u32 {
        world.at(f64::from(second));
        world.received(u64::from(second));
        if second == 10 {
            world.fault(0, Fault::Io);
        }
    }
    world.camera(0, CameraEvent::Dropped { span: span(2.0, 9.0), units: 100, bytes: 9 });
    world.volume(0, VolumeEvent::Ready);
    world.forget();
    world.stored(9.0, 30.0);
    world.expect_of("gap", &["40.0 ledger0: cam0 gap 2.0..9.0 Volume(Io)"]);
}

#[test]
fn what_a_ring_drops_between_two_faults_of_a_volume_is_the_first_one_s() {
    let mut world = World::recording();
    for second in 3..=50u32 {
        world.at(f64::from(second));
        world.received(u64::from(second));
        match second {
            5 => world.fault(0, Fault::Io),
            20 => world.fault(0, Fault::ReadOnly),
            40 => {
                world.camera(0, CameraEvent::Dropped { span: span(6.0, 12.0), units: 100, bytes: 9 });
            }
            _ => {}
        }
    }
    world.volume(0, VolumeEvent::Ready);
    world.forget();
    world.stored(22.0, 50.0);
    world.expect_of(
        "gap",
        &[
            "50.0 ledger0: cam0 gap 2.0..20.0 Volume(Io)",
            "50.0 ledger0: cam0 gap 20.0..22.0 Volume(ReadOnly)",
        ],
    );
}

#[test]
fn a_drop_from_before_a_failure_keeps_its_own_cause() {
    let mut world = World::recording();
    for second in 3..=30u32 {
        world.at(f64::from(second));
        world.received(u64::from(second));
    }
    world.fail(Failure::Bye);
    world.camera(0, CameraEvent::TornDown);
    world.at(32.0);
    world.streaming();
    world.received(1);
    world.camera(0, CameraEvent::Dropped { span: span(5.0, 9.0), units: 100, bytes: 9 });
    world.stored(2.0, 5.0);
    world.forget();
    world.stored(9.0, 30.0);
    world.stored(32.0, 33.0);
    world.expect_of(
        "gap",
        &["32.0 ledger0: cam0 gap 5.0..9.0 RingOverflow", "32.0 ledger0: cam0 gap 30.0..32.0 Camera(Bye)"],
    );
}

#[test]
fn what_a_ring_drops_was_missing_for_what_kept_its_volume_by_then() {
    type Then = fn(&mut World);
    let cases: [(&str, Then, &str); 2] = [
        ("the camera fails", |world| world.fail(Failure::Bye), "Camera(Bye)"),
        ("the volume hangs", |world| world.fault(0, Fault::Stuck), "Volume(Stuck)"),
    ];
    for (case, then, cause) in cases {
        let mut world = World::recording();
        world.fault(0, Fault::Damaged);
        for second in 3..40u32 {
            world.at(f64::from(second));
            world.received(u64::from(second));
            world.fault(0, Fault::Damaged);
        }
        world.at(40.0);
        then(&mut world);
        // Of what the ring held by then.
        world.camera(0, CameraEvent::Dropped { span: span(10.0, 12.0), units: 50, bytes: 9 });
        world.at(42.0);
        world.volume(0, VolumeEvent::Ready);
        world.forget();
        world.stored(50.0, 51.0);
        let lines = world.lines();
        let gaps: Vec<_> = lines.iter().filter(|line| line.contains("gap")).collect();
        assert!(gaps[0].contains("2.0..40.0 Volume(Damaged)"), "{case}: {gaps:?}");
        assert!(gaps[1].ends_with(cause), "{case}: {gaps:?}");
    }
}
