//! Stories of the account: what is told of missing footage, and of which cause.

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
fn holes_up_to_three_frames_are_no_gap() {
    for (case, hole, gaps) in [("100 ms", 0.1, 0), ("101 ms", 0.101, 1)] {
        let mut world = World::recording();
        world.at(4.0);
        world.stored(2.0 + hole, 3.0);
        let lines = world.lines();
        assert_eq!(lines.iter().filter(|l| l.contains("gap")).count(), gaps, "{case}: {lines:?}");
        assert!(lines.iter().all(|l| l.ends_with("Lost")), "{case}: {lines:?}");
    }
}

#[test]
fn frames_lost_on_a_living_connection_are_told_as_lost() {
    let mut world = World::recording();
    world.at(10.0);
    world.received(8);
    world.stored(4.0, 9.0);
    world.expect(&["10.0 ledger0: cam0 gap 2.0..4.0 Lost"]);
}

#[test]
fn the_time_before_the_session_is_told_by_how_it_ended() {
    for (past, cause) in
        [(Past::Stopped, "Stopped"), (Past::Crashed, "Crashed"), (Past::PowerLost, "PowerLost")]
    {
        let mut world = World::one();
        world.history(0, -100.0, past);
        world.forget();
        world.volume(0, VolumeEvent::Ready);
        world.expect_of(
            "ledger",
            &[&format!("0.0 ledger0: cam0 open -100.0 {cause}"), "0.0 ledger0: cam0 open 0.0 Starting"],
        );
        world.at(2.0);
        world.record(2.0, 3.0);
        world.expect_of(
            "ledger",
            &[
                &format!("3.0 ledger0: cam0 gap -100.0..0.0 {cause}"),
                "3.0 ledger0: cam0 gap 0.0..2.0 Starting",
            ],
        );
    }
}

#[test]
fn a_camera_s_failure_takes_over_from_starting_when_it_happens() {
    let mut world = World::one();
    world.history(0, -100.0, Past::PowerLost);
    world.volume(0, VolumeEvent::Ready);
    world.at(3.0);
    world.forget();
    world.fail(Failure::Unreachable);
    world.expect_of("ledger", &["3.0 ledger0: cam0 open 3.0 Camera(Unreachable)"]);
    world.camera(0, CameraEvent::TornDown);
    world.at(9.0);
    world.record(9.0, 10.0);
    world.expect_of(
        "ledger",
        &[
            "10.0 ledger0: cam0 gap -100.0..0.0 PowerLost",
            "10.0 ledger0: cam0 gap 0.0..3.0 Starting",
            "10.0 ledger0: cam0 gap 3.0..9.0 Camera(Unreachable)",
        ],
    );
}

#[test]
fn what_the_ring_still_held_is_not_missing() {
    let mut world = World::recording();
    world.at(3.5);
    world.received(3);
    world.forget();
    world.fail(Failure::ServerClosed);
    world.expect_of("ledger", &["3.5 ledger0: cam0 open 2.0 Camera(ServerClosed)"]);
    world.stored(2.0, 3.0);
    world.stored(3.0, 3.5);
    world.expect_of("ledger", &[]);
    world.camera(0, CameraEvent::TornDown);
    world.at(8.0);
    world.record(8.0, 9.0);
    world.expect_of("ledger", &["9.0 ledger0: cam0 gap 3.5..8.0 Camera(ServerClosed)"]);
}

#[test]
fn an_old_failure_is_not_blamed_for_a_later_hole() {
    let mut world = World::recording();
    world.fail(Failure::ServerClosed);
    world.camera(0, CameraEvent::TornDown);
    // Back within three frames: no gap at all.
    world.record(2.0, 10.0);
    world.forget();
    world.at(12.0);
    world.received(20);
    world.stored(11.0, 12.0);
    world.expect_of("ledger", &["12.0 ledger0: cam0 gap 10.0..11.0 Lost"]);
}

#[test]
fn a_long_outage_is_told_in_four_causes_at_most_the_lightest_merged() {
    let mut world = World::one();
    world.history(0, -100.0, Past::Stopped);
    world.volume(0, VolumeEvent::Ready);
    let failures = [
        Failure::Unreachable,
        Failure::Refused,
        Failure::NotFound,
        Failure::ServiceUnavailable,
        Failure::NameNotResolved,
    ];
    for failure in failures {
        world.at(world.secs() + 0.5);
        world.fail(failure);
        world.at(world.secs() + 0.5);
        world.camera(0, CameraEvent::TornDown);
        world.until_connect();
    }
    let back = world.secs();
    world.record(back, back + 1.0);
    let gaps: Vec<_> = world.lines().into_iter().filter(|l| l.contains("gap")).collect();
    assert_eq!(gaps.len(), 4, "{gaps:?}");
    assert!(gaps[0].ends_with("-100.0..0.0 Stopped"), "{gaps:?}");
    assert!(gaps[1].contains("gap 0.0.."), "Starting joins the failure after it: {gaps:?}");
    assert!(gaps[3].contains(&format!("..{back:.1} Camera")), "{gaps:?}");
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
fn a_file_s_rounding_of_time_is_no_loss() {
    let mut world = World::recording();
    world.fault(0, Fault::Io);
    world.at(4.0);
    world.received(4);
    world.history(0, 1.999_99, Past::Crashed);
    world.volume(0, VolumeEvent::Ready);
    world.forget();
    world.stored(2.0, 4.0);
    world.go_on(4.0, 8.0, 5);
    world.expect_of("gap", &[]);
    world.fail(Failure::Bye);
    world.camera(0, CameraEvent::TornDown);
    world.fault(0, Fault::Io);
    world.history(0, 7.999_99, Past::Crashed);
    world.at(10.0);
    world.volume(0, VolumeEvent::Ready);
    world.forget();
    world.record(10.0, 11.0);
    world.expect_of("gap", &["11.0 ledger0: cam0 gap 8.0..10.0 Camera(Bye)"]);
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
fn footage_told_twice_uncovers_nothing() {
    let mut world = World::recording();
    world.go_on(2.0, 4.0, 2);
    world.stored(2.0, 3.0);
    world.go_on(4.0, 5.0, 4);
    world.expect_of("gap", &[]);
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
fn the_past_is_told_however_much_has_failed_before_the_volume_was_open() {
    let mut world = World::one();
    for failure in [Failure::Refused, Failure::Unreachable, Failure::NotFound, Failure::Tls, Failure::Bye] {
        world.at(world.secs() + 0.5);
        world.fail(failure);
        world.at(world.secs() + 0.5);
        world.camera(0, CameraEvent::TornDown);
        world.until_connect();
        // Its repair is taking long.
    }
    world.fault(0, Fault::Missing);
    while !world.lines().iter().any(|line| line.contains("vol0 Open")) {
        world.at(world.secs() + 1.0);
    }
    world.history(0, -100.0, Past::Crashed);
    world.forget();
    world.volume(0, VolumeEvent::Ready);
    let lines = world.lines();
    assert!(lines[0].ends_with("open -100.0 Crashed"), "{lines:?}");
    assert!(lines[1].ends_with("open 0.0 Camera(Refused)"), "{lines:?}");
}

#[test]
fn a_failure_outlives_stray_footage() {
    let mut world = World::recording();
    world.fail(Failure::Unauthorized);
    world.camera(0, CameraEvent::TornDown);
    world.at(6.0);
    world.forget();
    world.stored(5.0, 6.0);
    world.expect_of("gap", &["6.0 ledger0: cam0 gap 2.0..5.0 Camera(Unauthorized)"]);
    let back = world.until_connect();
    world.record(back, back + 1.0);
    let told = format!("{:.1} ledger0: cam0 gap 6.0..{back:.1} Camera(Unauthorized)", back + 1.0);
    world.expect_of("gap", &[&told]);
}

#[test]
fn a_stall_begins_with_the_last_video_whatever_failed_after_it() {
    let mut world = World::recording();
    world.at(8.0);
    world.fault(0, Fault::Io);
    world.at(13.0);
    world.camera(0, CameraEvent::TornDown);
    world.at(14.0);
    world.volume(0, VolumeEvent::Ready);
    let back = world.secs();
    world.record(back, back + 1.0);
    world.expect_of("gap", &["15.0 ledger0: cam0 gap 2.0..14.0 Camera(Stalled)"]);
}

#[test]
fn a_second_failure_counts_from_its_own_moment() {
    let mut world = World::recording();
    world.fail(Failure::ServerClosed);
    world.camera(0, CameraEvent::TornDown);
    world.at(4.0);
    world.streaming();
    world.forget();
    world.at(14.0);
    world.expect_of("open", &["14.0 ledger0: cam0 open 14.0 Camera(Stalled)"]);
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
