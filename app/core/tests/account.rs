//! Stories of the account: what is told of missing footage, and of which cause.

mod world;

use holdfast_core::event::{CameraEvent, Failure, Fault, Past, VolumeEvent};
use world::World;

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
fn footage_told_twice_uncovers_nothing() {
    let mut world = World::recording();
    world.go_on(2.0, 4.0, 2);
    world.stored(2.0, 3.0);
    world.go_on(4.0, 5.0, 4);
    world.expect_of("gap", &[]);
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
