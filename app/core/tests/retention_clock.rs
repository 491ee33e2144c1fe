//! The rule of age while clocks are wrong, set, and set back. The truth is the monotonic clock.

mod shelf;

use holdfast_core::retention::Rule;
use holdfast_core::time::Wall;
use proptest::prelude::*;
use shelf::{DAY, EPOCH, GB, HOUR, MB, MINUTE, World};

const NONE: [u32; 0] = [];
/// What one setting of the clock may hide, and a thousandth of a month.
const TOLERANCE: u64 = 2 * MINUTE + 30 * DAY / 1000;

/// Offsets of the wall clock that make it 2106 and, trusted since it is after the build date, 2026.
const YEAR_2106: i64 = EPOCH + 79 * 365 * 86_400;
const YEAR_2026: i64 = EPOCH - 365 * 86_400;

/// A setting of the clock, and for how many hours.
type Stretch = (Option<i64>, u64);

/// A camera with a retention of 30 days, that recorded for so many days a segment an hour.
fn recorded(days: u64) -> World {
    let mut world = World::new(1000 * GB, &[Some(30)]);
    for hours in (0..days * 24).rev() {
        world.put(0, hours * HOUR, MB);
    }
    world
}

/// Records on, a segment an hour, a look every five minutes.
fn record(world: &mut World, hours: u64) {
    for _ in 0..hours {
        world.run(HOUR, 300);
        world.put(0, 0, MB);
    }
}

/// The true ages of what was deleted, in seconds, each at its moment of deletion at the latest now.
fn youngest_deleted(world: &World) -> Option<u64> {
    let segments = world.volume.cameras[0].segments.iter().filter(|segment| segment.gone);
    segments.map(|segment| world.now.since(segment.end).as_secs()).min()
}

fn oldest_kept(world: &World) -> u64 {
    let kept = world.volume.cameras[0].rest().map(|segment| world.now.since(segment.end).as_secs());
    kept.max().unwrap_or(0)
}

#[test]
fn a_clock_that_jumps_and_comes_back_deletes_nothing_early_and_nothing_late() {
    let tables: &[(&str, &[Stretch])] = &[
        ("it never jumps", &[(Some(EPOCH), 48)]),
        ("to 2106 for an hour", &[(Some(YEAR_2106), 1)]),
        ("to 2106 for five days", &[(Some(YEAR_2106), 120)]),
        (
            "to 2106 three times",
            &[(Some(YEAR_2106), 5), (Some(EPOCH), 5), (Some(YEAR_2106), 30), (Some(EPOCH), 1)],
        ),
        ("to 2000, which is not trusted", &[(None, 48)]),
        ("to 2000 and from there to 2106", &[(None, 2), (Some(YEAR_2106), 48), (None, 2)]),
        ("back a year to 2026, which is trusted", &[(Some(YEAR_2026), 48)]),
        ("a day forward", &[(Some(EPOCH + 86_400), 72)]),
        ("a day back", &[(Some(EPOCH - 86_400), 72)]),
    ];
    for (case, jumps) in tables {
        let mut world = recorded(29);
        world.settle();
        for (clock, hours) in *jumps {
            world.clock = *clock;
            for _ in 0..*hours {
                record(&mut world, 1);
                let youngest = youngest_deleted(&world);
                assert!(youngest.is_none_or(|age| age >= 30 * DAY - TOLERANCE), "{case}: {youngest:?}");
            }
        }
        world.clock = Some(EPOCH);
        for _ in 0..40 * 24 {
            record(&mut world, 1);
            let youngest = youngest_deleted(&world);
            assert!(youngest.is_none_or(|age| age >= 30 * DAY - TOLERANCE), "{case}: {youngest:?}");
        }
        let oldest = oldest_kept(&world);
        assert!(oldest <= 31 * DAY, "{case}: {} days old", oldest / DAY);
        assert!(world.log.iter().all(|(_, _, rule)| *rule == Rule::Age), "{case}");
    }
}

#[test]
fn a_clock_that_is_set_for_good_makes_no_footage_older() {
    // A board without a battery that began at its build date, and was given a network after five days.
    for by in [86_400, 300 * 86_400] {
        let mut world = recorded(5);
        world.settle();
        world.clock = Some(EPOCH + by);
        for _ in 0..24 * 24 {
            record(&mut world, 1);
            assert_eq!(world.deleted(), NONE, "{by}");
        }
        record(&mut world, 10 * 24);
        let oldest = oldest_kept(&world);
        assert!((30 * DAY - HOUR..=30 * DAY + 2 * HOUR).contains(&oldest), "{oldest}");
    }
}

#[test]
fn a_step_that_the_ledger_tells_of_counts_as_one_that_was_seen() {
    for (case, told, expected) in
        [("told", true, 0), ("not told: four times as fast as it was recorded", false, 4 * 24)]
    {
        let mut world = recorded(5);
        world.run(0, 1);
        let before = world.wall().unwrap();
        world.clock = Some(EPOCH + 300 * 86_400);
        let at = world.wall().unwrap();
        world.restart();
        if told {
            world.cleaner.stepped(at, at.micros_since(before));
        }
        world.run(DAY + 10 * MINUTE, 60);
        let deleted = world.deleted().len();
        assert!(deleted.abs_diff(expected) <= 2, "{case}: {deleted}");
    }
}

#[test]
fn a_step_there_and_back_in_the_ledger_is_no_step() {
    let mut world = recorded(31);
    let there = world.wall().unwrap();
    let back = there.0 + 3_600_000_000;
    let by = 79 * 365 * 86_400_000_000;
    world.run(2 * HOUR, 600);
    world.restart();
    world.cleaner.stepped(Wall(there.0 + by), by);
    world.cleaner.stepped(Wall(back), -by);
    world.run(DAY, 60);
    assert!(world.deleted().len() >= 24, "age goes on, though an hour in 2106 was passed through");
}

#[test]
fn a_clock_that_is_wrong_from_the_start_costs_the_oldest_four_hours_an_hour() {
    let mut world = recorded(29);
    world.clock = Some(YEAR_2106);
    world.run(9 * MINUTE, 60);
    assert_eq!(world.deleted(), NONE, "a network's time would have come by now");
    world.run(MINUTE + 6 * HOUR, 60);
    let deleted = world.deleted();
    assert!((24..=26).contains(&deleted.len()), "{}", deleted.len());
    assert_eq!(deleted, (1..=deleted.len() as u32).collect::<Vec<_>>());
}

#[test]
fn a_disk_from_a_drawer_is_cleaned_at_its_pace() {
    let mut world = recorded(29);
    world.pass_time(90 * DAY);
    world.run(DAY + 10 * MINUTE, 60);
    let deleted = world.deleted().len();
    assert!(deleted.abs_diff(4 * 24) <= 1, "four days in one: {deleted}");
    world.run(7 * DAY, 60);
    assert_eq!(oldest_kept(&world), 0, "all in eight");
}

#[test]
fn footage_of_unknown_time_goes_with_the_first_that_followed_it() {
    let mut world = World::new(1000 * GB, &[Some(30)]);
    let clock = world.clock.take();
    for _ in 0..600 {
        world.put(0, 40 * DAY, MB);
    }
    world.clock = clock;
    world.settle();
    assert_eq!(world.deleted(), NONE, "nothing is known of it");
    world.put(0, 29 * DAY, MB);
    world.put(0, 0, MB);
    world.run(HOUR, 60);
    assert_eq!(world.deleted(), NONE, "it is older than what is not old enough");
    world.run(DAY, 60);
    assert_eq!(world.deleted(), (1..=601).collect::<Vec<_>>());
}

#[test]
fn the_emergency_age_needs_a_clock_that_was_left_alone() {
    for (case, clock, hours, rule) in [
        ("as it should be", Some(EPOCH), 1, Rule::EmergencyAge),
        ("not trusted", None, 1, Rule::EmergencySpace),
        ("just set", Some(EPOCH + 86_400), 0, Rule::EmergencySpace),
        ("set some time ago", Some(EPOCH + 86_400), 1, Rule::EmergencyAge),
    ] {
        let mut world = World::new(1000 * GB, &[None]);
        world.put(0, 8 * DAY, MB);
        world.settle();
        world.clock = clock;
        world.run(hours * HOUR, 60);
        world.cleaner.full(world.now, 1);
        world.turn();
        assert_eq!(world.deleted_by(), [(1, rule)], "{case}");
    }
    let mut world = World::new(1000 * GB, &[None]);
    world.put(0, 5 * DAY, MB);
    world.settle();
    world.clock = Some(YEAR_2106);
    world.run(HOUR, 60);
    world.cleaner.full(world.now, 1);
    world.turn();
    assert_eq!(world.deleted_by(), [(1, Rule::EmergencySpace)], "what was jumped over is no age");
}

/// A stretch of time with one setting of the clock.
fn stretch() -> impl Strategy<Value = Stretch> {
    let offset = prop_oneof![
        3 => Just(Some(EPOCH)),
        2 => Just(Some(YEAR_2106)),
        2 => Just(None),
        2 => (-400..400_i64).prop_map(|days| Some(EPOCH + days * 86_400)),
        2 => (-80..80_i64).prop_map(|hours| Some(EPOCH + hours * 3600)),
        2 => (-50..50_i64).prop_map(|secs| Some(EPOCH + secs)),
    ];
    (offset, 1..60_u64)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn however_the_clock_is_set_nothing_goes_by_age_before_its_time(stretches in prop::collection::vec(stretch(), 1..30)) {
        let mut world = World::new(1000 * GB, &[Some(5)]);
        for (clock, hours) in stretches {
            world.clock = clock;
            for _ in 0..hours {
                world.put(0, 0, MB);
                world.run(HOUR, 300);
                let trusted = world.clock.is_some();
                prop_assert!(trusted || world.log.is_empty(), "by age while the clock is not trusted");
                for (camera, sequence, _) in world.log.drain(..) {
                    let segments = &world.volume.cameras[camera].segments;
                    let segment = segments.iter().find(|segment| segment.candidate.sequence == sequence).unwrap();
                    // It was deleted within the last hour.
                    let age = world.now.since(segment.end).as_secs();
                    prop_assert!(age + TOLERANCE >= 5 * DAY, "#{sequence} was {} hours old", age / HOUR);
                }
            }
        }
    }
}
