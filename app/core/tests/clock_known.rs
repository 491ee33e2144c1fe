//! Time that becomes known: what was recorded before is put right in every ledger, and no second is missing or counted twice.

mod world;

use core::time::Duration;
use holdfast_core::event::{Event, Fault, Past, VolumeEvent};
use holdfast_core::settings::{ClockKind, Settings, TransportChoice, VolumeKind};
use world::{World, places, settings, wall};

const PATHS: [VolumeKind; 2] = [VolumeKind::Path, VolumeKind::Path];

/// One camera on one volume, on a machine without a battery clock.
fn fetched() -> Settings {
    Settings { clock: ClockKind::Fetched, ..settings(1, 1, TransportChoice::Auto) }
}

/// It records since second 1, by a clock that nobody has set yet.
fn recording(chosen: Settings) -> World {
    let mut world = World::started(chosen);
    world.volume(0, VolumeEvent::Ready);
    world.at(1.0);
    world.record(1.0, 4.0);
    world
}

#[test]
fn a_clock_that_is_fetched_is_trusted_once_its_source_has_answered_and_stays_so() {
    let mut world = World::started(fetched());
    world.expect_of("anchor", &["0.0 anchor 0.0 = 0.0 untrusted"]);
    world.tell(Event::ClockSynchronised(false));
    world.at(70.0);
    world.expect_of("anchor", &[]);
    world.tell(Event::ClockSynchronised(true));
    world.expect_of("anchor", &["70.0 anchor 70.0 = 70.0 trusted"]);
    // The source is away for days: the clock goes on as well as any other.
    world.tell(Event::ClockSynchronised(false));
    world.at(90.0);
    world.expect_of("anchor", &[]);
}

#[test]
fn a_kept_clock_behind_a_ledger_is_not_trusted_until_a_source_says_so() {
    let mut world = World::one();
    world.forget();
    world.volume(0, VolumeEvent::LedgerEnds { at: wall(1.5) });
    world.expect_of("anchor", &[]);
    world.volume(0, VolumeEvent::LedgerEnds { at: wall(5000.0) });
    world.expect_of("anchor", &["0.0 anchor 0.0 = 0.0 untrusted"]);
    world.at(10.0);
    world.tell(Event::ClockSynchronised(true));
    world.expect_of("anchor", &["10.0 anchor 10.0 = 10.0 trusted"]);
}

#[test]
fn what_was_recorded_before_the_time_was_known_moves_with_it_and_leaves_no_hole() {
    let mut world = recording(fetched());
    world.forget();
    world.set_clock(7200.0);
    world.tell(Event::ClockSynchronised(true));
    world.expect_of("ledger", &["4.0 ledger0: times 0.0..4.0 are off by +7200.0"]);
    // The open segment goes on in the old time until its next keyframe; then a new one begins in the right time.
    world.at(5.0);
    world.received(5);
    world.stored(4.0, 5.0);
    world.at(6.0);
    world.received(6);
    world.stored(7205.0, 7206.0);
    world.go_on_at(7206.0, 7210.0, 7);
    world.expect_of("gap", &[]);
}

#[test]
fn footage_that_waited_longer_than_the_clock_was_off_goes_on_where_it_belongs() {
    let mut world = recording(fetched());
    world.forget();
    world.set_clock(1.5);
    world.tell(Event::ClockSynchronised(true));
    for second in 5..=24u32 {
        world.at(f64::from(second));
        world.received(u64::from(second));
    }
    // Its segment was begun in the right time, and its volume was slow.
    world.stored(5.5, 8.5);
    world.stored(8.5, 24.0);
    world.expect_of("gap", &[]);
}

#[test]
fn a_hole_beside_a_small_correction_is_not_taken_for_it() {
    let mut world = recording(fetched());
    world.forget();
    world.set_clock(0.3);
    world.tell(Event::ClockSynchronised(true));
    for second in 5..=24u32 {
        world.at(f64::from(second));
        world.received(u64::from(second));
    }
    // It is in the right time, and came too late for that to show; then some more frames are missing.
    world.stored(5.0, 14.0);
    world.stored(14.16, 24.3);
    world.expect_of(
        "gap",
        &["24.0 ledger0: cam0 gap 4.0..5.0 Lost", "24.0 ledger0: cam0 gap 14.0..14.2 Lost"],
    );
}

/// Rings of five minutes, which the configuration allows.
fn long_rings() -> Settings {
    Settings { ring: Duration::from_secs(300), ..fetched() }
}

#[test]
fn what_a_long_ring_held_in_the_old_time_comes_long_after_the_time_is_known() {
    let mut world = recording(long_rings());
    world.forget();
    world.set_clock(7200.0);
    world.tell(Event::ClockSynchronised(true));
    for second in 5..=254u32 {
        world.at(f64::from(second));
        world.received(u64::from(second));
    }
    // Its volume was slow, and there is a hole in what the ring held: it is told in the time that its segment is in.
    world.stored(4.0, 5.0);
    world.stored(6.0, 7.0);
    world.stored(7207.0, 7454.0);
    world.expect_of("gap", &["254.0 ledger0: cam0 gap 5.0..6.0 Lost"]);
}

#[test]
fn a_clock_that_was_off_by_less_than_a_long_ring_holds_moves_no_footage_twice() {
    let mut world = recording(long_rings());
    world.set_clock(200.0);
    world.tell(Event::ClockSynchronised(true));
    for second in 5..=254u32 {
        world.at(f64::from(second));
        world.received(u64::from(second));
    }
    // In the right time, which does not show: it waited longer than the clock was off.
    world.stored(205.0, 206.0);
    world.forget();
    world.stored(207.0, 454.0);
    world.expect_of("gap", &["254.0 ledger0: cam0 gap 206.0..207.0 Lost"]);
}

#[test]
fn the_time_before_a_session_whose_clock_was_behind_is_told_when_it_is_known() {
    // The session before ended at 1000 by a power cut; this one begins, it seems, at 0, and truly at 3600.
    let mut world = World::started(fetched());
    world.volume(0, VolumeEvent::LedgerEnds { at: wall(1000.0) });
    world.history(0, 1000.0, Past::PowerLost);
    world.volume(0, VolumeEvent::Ready);
    world.at(1.0);
    world.record(1.0, 4.0);
    world.forget();
    world.set_clock(3600.0);
    world.tell(Event::ClockSynchronised(true));
    world.at(5.0);
    world.received(5);
    world.stored(3604.0, 3605.0);
    world.at(6.0);
    world.expect_of(
        "ledger",
        &["4.0 ledger0: times 0.0..4.0 are off by +3600.0", "5.0 ledger0: cam0 gap 1000.0..3601.0 PowerLost"],
    );
}

#[test]
fn a_clock_that_is_set_twice_before_it_is_trusted_is_put_right_twice() {
    let mut world = recording(fetched());
    world.forget();
    world.set_clock(100.0);
    world.tell(Event::Tick);
    world.expect_of("times", &["4.0 ledger0: times 0.0..4.0 are off by +100.0"]);
    world.go_on_at(104.0, 110.0, 5);
    world.set_clock(-40.0);
    world.tell(Event::ClockSynchronised(true));
    world.expect_of("times", &["10.0 ledger0: times 100.0..110.0 are off by -40.0"]);
}

#[test]
fn a_clock_that_was_right_all_along_is_confirmed() {
    let mut world = recording(fetched());
    world.forget();
    world.tell(Event::ClockSynchronised(true));
    world.expect_of("ledger", &["4.0 ledger0: times 0.0..4.0 are off by +0.0"]);
}

#[test]
fn a_volume_that_is_away_when_the_time_becomes_known_is_told_when_it_is_back() {
    let mut world = recording(Settings { clock: ClockKind::Fetched, ..places(&PATHS) });
    world.fault(0, Fault::Missing);
    world.set_clock(7200.0);
    world.tell(Event::ClockSynchronised(true));
    world.at(20.0);
    world.forget();
    world.volume(0, VolumeEvent::Ready);
    let lines = world.lines();
    let first = lines.iter().find(|line| line.contains("ledger0"));
    assert_eq!(
        first.map(String::as_str),
        Some("20.0 ledger0: times 0.0..4.0 are off by +7200.0"),
        "{lines:?}"
    );
    assert!(!lines.iter().any(|line| line.contains("ledger1")), "it has nothing of this session: {lines:?}");
}

#[test]
fn a_step_of_a_trusted_clock_moves_nothing_that_was_recorded() {
    let mut world = World::recording();
    world.set_clock(-3600.0);
    world.tell(Event::Tick);
    world.expect_of("times", &[]);
}
