//! Stories of the account while the clock is set: what is told of holes that a step makes, and of those that it does not.

mod world;

use core::time::Duration;
use holdfast_core::event::{CameraEvent, Event, Failure, Past, VolumeEvent};
use holdfast_core::settings::{Settings, TransportChoice};
use world::{World, settings};

#[test]
fn a_clock_set_forward_leaves_a_gap_in_which_no_time_passed() {
    let mut world = World::recording();
    world.set_clock(60.0);
    world.at(3.0);
    world.received(3);
    world.stored(2.0, 3.0);
    world.forget();
    world.at(4.0);
    // The next segment takes the new time.
    world.stored(63.0, 64.0);
    world.expect_of("ledger", &["4.0 ledger0: cam0 gap 3.0..63.0 ClockStepped"]);
    world.stored(65.0, 66.0);
    world.expect_of("ledger", &["4.0 ledger0: cam0 gap 64.0..65.0 Lost"]);
}

#[test]
fn after_a_clock_was_set_back_holes_are_still_found() {
    let mut world = World::recording();
    world.set_clock(-1000.0);
    world.at(4.0);
    world.stored(-997.0, -996.0);
    world.forget();
    world.stored(-994.0, -993.0);
    world.expect_of("ledger", &["4.0 ledger0: cam0 gap -996.0..-994.0 Lost"]);
}

#[test]
fn a_device_without_a_battery_clock_accounts_in_true_time_once_it_knows_it() {
    let mut world = World::silent(settings(1, 1, TransportChoice::Auto));
    world.set_clock(-86_400.0);
    world.tell(Event::Start);
    world.history(0, -50.0, Past::PowerLost);
    world.volume(0, VolumeEvent::Ready);
    world.at(20.0);
    world.set_clock(86_400.0);
    world.forget();
    world.at(20.0);
    world.fail(Failure::Refused);
    world.camera(0, CameraEvent::TornDown);
    world.at(30.0);
    world.record(30.0, 31.0);
    world.expect_of(
        "gap",
        &[
            "31.0 ledger0: cam0 gap -50.0..0.0 PowerLost",
            "31.0 ledger0: cam0 gap 0.0..15.0 Starting",
            "31.0 ledger0: cam0 gap 15.0..30.0 Camera(ConnectTimeout)",
        ],
    );
}

#[test]
fn a_hole_that_a_correction_of_the_clock_left_is_called_so() {
    let mut world = World::recording();
    world.set_clock(1.5);
    world.at(3.0);
    world.forget();
    world.stored(3.5, 4.5);
    world.expect_of("gap", &["3.0 ledger0: cam0 gap 2.0..3.5 ClockStepped"]);
}

#[test]
fn a_clock_that_was_set_explains_no_hole_that_it_did_not_make() {
    // Set back and forth; set, without footage that would show it, long ago.
    for (case, steps, wait) in [("there and back", [-0.13, 0.18], 0.0), ("long ago", [0.1, 0.15], 400.0)] {
        let mut world = World::recording();
        for step in steps {
            world.set_clock(step);
            world.at(2.5);
        }
        world.go_on_at(2.0, 4.0 + wait, 3);
        world.forget();
        world.stored(8.0 + wait, 9.0 + wait);
        let lines = world.lines();
        let gaps: Vec<_> = lines.iter().filter(|line| line.contains("gap")).collect();
        assert!(gaps.len() == 1 && gaps[0].ends_with("Lost"), "{case}: {gaps:?}");
    }
}

#[test]
fn a_clock_that_was_set_shows_when_the_next_segment_begins_however_long_segments_are() {
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    let cases = [("segments of a minute", 1, "Lost"), ("segments of ten minutes", 10, "ClockStepped")];
    for (case, length, cause) in cases {
        let chosen = Settings { segment: minutes(length), ..settings(1, 1, TransportChoice::Auto) };
        let mut world = World::started(chosen);
        world.volume(0, VolumeEvent::Ready);
        world.at(1.0);
        world.record(1.0, 2.0);
        world.set_clock(1.0);
        world.tell(Event::Tick);
        // Ten minutes of its segment in the old time, and a keyframe later the next one in the new time.
        for second in 2..600u32 {
            let second = f64::from(second);
            world.at(second + 1.0);
            world.received(second as u64);
            world.stored(second, second + 1.0);
        }
        world.forget();
        world.at(601.0);
        world.stored(601.0, 602.0);
        let told = format!("601.0 ledger0: cam0 gap 600.0..601.0 {cause}");
        let lines = world.lines();
        let gaps: Vec<_> = lines.iter().filter(|line| line.contains("gap")).collect();
        assert_eq!(gaps, [&told], "{case}");
    }
}

#[test]
fn a_clock_that_is_slewed_leaves_no_gap() {
    let mut world = World::recording();
    world.set_clock(0.05);
    world.at(3.0);
    world.forget();
    world.stored(2.05, 3.05);
    world.expect_of("gap", &[]);
}

#[test]
fn a_clock_set_back_and_forth_tells_no_gap_over_what_was_covered() {
    let mut world = World::recording();
    world.set_clock(-1000.0);
    world.at(4.0);
    world.stored(-997.0, -996.0);
    world.set_clock(1000.0);
    world.at(5.0);
    world.forget();
    world.stored(20.0, 21.0);
    world.expect_of("gap", &["5.0 ledger0: cam0 gap 2.0..20.0 ClockStepped"]);
}
