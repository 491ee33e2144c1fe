//! Full volumes: when one is preferred again, when a person is needed, and what is free.

mod world;

use holdfast_core::event::{Fault, Rule, VolumeEvent};
use holdfast_core::settings::VolumeKind;
use world::World;

const ALONE: &[VolumeKind] = &[VolumeKind::Path];
const BACKED: &[VolumeKind] = &[VolumeKind::Path, VolumeKind::Path];
const MB: u64 = 1_000_000;

/// Deleted enough for some seconds.
const DELETED: VolumeEvent =
    VolumeEvent::Deleted { rule: Rule::EmergencySpace, segments: 5, bytes: 20_000_000 };

/// Deleted one segment: full again in a second.
const ONE_DELETED: VolumeEvent = VolumeEvent::Deleted { rule: Rule::Age, segments: 1, bytes: 4_000_000 };

/// The first of two volumes was full at second 2 with 30 MB free, and is ready again in reserve.
fn was_full() -> World {
    let mut world = World::recording_on(BACKED);
    world.space(0, Some(30 * MB));
    world.fault(0, Fault::NoSpace);
    world.at(2.25);
    world.volume(0, VolumeEvent::Ready);
    world.forget();
    world
}

#[test]
fn a_full_volume_that_cleaned_in_time_costs_a_quarter_of_a_second_and_no_alarm() {
    let mut world = World::recording_on(ALONE);
    world.fault(0, Fault::NoSpace);
    world.at(2.25);
    world.volume(0, VolumeEvent::Ready);
    world.volume(0, DELETED);
    world.go_on(2.25, 40.0, 3);
    world.expect_of("alarm", &[]);
}

#[test]
fn a_full_preferred_volume_does_not_take_turns_with_the_next() {
    let mut world = was_full();
    world.at(1000.0);
    world.expect_of(" to ", &[]);
    // Its alarm stands as long as it is full.
    world.expect_of("alarm", &[]);
}

#[test]
fn a_full_volume_is_preferred_again_when_twice_as_much_is_free_or_enough_was_deleted() {
    type Fact = fn(&mut World);
    let cases: [(&str, Fact, bool); 6] = [
        ("twice as much", |world| world.space(0, Some(60 * MB)), false),
        ("more than that", |world| world.space(0, Some(60 * MB + 1)), true),
        ("unknown", |world| world.space(0, None), false),
        ("enough deleted", |world| world.volume(0, DELETED), true),
        ("one segment deleted", |world| world.volume(0, ONE_DELETED), false),
        ("one after another", |world| (0..5).for_each(|_| world.volume(0, ONE_DELETED)), true),
    ];
    for (case, fact, preferred) in cases {
        let mut world = was_full();
        world.at(100.0);
        world.forget();
        fact(&mut world);
        let moved = world.lines().iter().any(|line| line.ends_with("cam0 to vol0"));
        assert_eq!(moved, preferred, "{case}");
    }
}

#[test]
fn a_full_volume_is_tried_again_after_a_quarter_of_an_hour_where_nothing_tells_of_room() {
    for (case, free, fault, exhausted, preferred) in [
        ("a quota, which no figure shows", Some(30 * MB), Fault::Quota, false, true),
        ("a quota, and nothing left to delete", Some(30 * MB), Fault::Quota, true, true),
        ("a filesystem that does not tell what is free", None, Fault::NoSpace, false, true),
        ("a full disk, whose figures tell", Some(30 * MB), Fault::NoSpace, false, false),
    ] {
        let mut world = World::recording_on(BACKED);
        world.space(0, free);
        world.fault(0, fault);
        world.at(2.25);
        world.volume(0, VolumeEvent::Ready);
        if exhausted {
            world.volume(0, VolumeEvent::Exhausted { wanted: MB, protected: 0 });
        }
        world.at(901.0);
        world.forget();
        world.at(902.0);
        let moved = world.lines().iter().any(|line| line.ends_with("cam0 to vol0"));
        assert_eq!(moved, preferred, "{case}");
    }
}

#[test]
fn the_alarm_of_a_reserve_whose_quota_was_met_is_over_in_time() {
    let mut world = World::recording_on(BACKED);
    world.fault(1, Fault::Quota);
    world.at(6.0);
    world.volume(1, VolumeEvent::Ready);
    world.at(901.0);
    world.forget();
    world.at(902.0);
    world.expect_of(
        "alarm Volume",
        &["902.0 alarm Volume(VolumeIndex(1), Quota) ReturnedUnacknowledged x1 Volume(Quota)"],
    );
}

#[test]
fn a_volume_that_was_full_with_nothing_free_needs_room_for_some_seconds() {
    for (case, total, free, preferred) in [
        ("a large one, 16 MiB", 1 << 40, 16 * 1024 * 1024, false),
        ("a large one, more", 1 << 40, 16 * 1024 * 1024 + 1, true),
        ("256 MB, a fiftieth", 256 * MB, 256 * MB / 50, false),
        ("256 MB, more", 256 * MB, 256 * MB / 50 + 1, true),
    ] {
        use holdfast_core::event::VolumeFigures;
        let figures = |free| {
            let (free, total) = (Some(free), Some(total));
            VolumeEvent::Figures(VolumeFigures { free, total, ..VolumeFigures::default() })
        };
        let mut world = World::recording_on(BACKED);
        world.volume(0, figures(0));
        world.fault(0, Fault::Quota);
        world.at(2.25);
        world.volume(0, VolumeEvent::Ready);
        world.at(100.0);
        world.forget();
        world.volume(0, figures(free));
        let moved = world.lines().iter().any(|line| line.ends_with("cam0 to vol0"));
        assert_eq!(moved, preferred, "{case}");
    }
}

#[test]
fn the_alarm_of_a_full_reserve_is_over_when_it_has_room_again() {
    let mut world = World::recording_on(BACKED);
    world.fault(0, Fault::NoSpace);
    world.at(6.0);
    world.volume(0, VolumeEvent::Ready);
    world.at(200.0);
    world.expect_of(
        "alarm Volume",
        &["5.0 alarm Volume(VolumeIndex(0), NoSpace) Unacknowledged x1 Volume(NoSpace)"],
    );
    world.volume(0, DELETED);
    world.expect_of(
        "alarm Volume",
        &["200.0 alarm Volume(VolumeIndex(0), NoSpace) ReturnedUnacknowledged x1 Volume(NoSpace)"],
    );
}

#[test]
fn a_reserve_that_is_ready_again_has_proved_itself() {
    let mut world = World::recording_on(BACKED);
    world.fault(1, Fault::Io);
    world.at(4.0);
    world.forget();
    world.volume(1, VolumeEvent::Ready);
    world.expect(&[
        "4.0 ledger1: faulted 2.0 Io",
        "4.0 ledger1: cam0 open 0.0 Starting",
        "4.0 ledger1: cam0 open 1.0 OnAnotherVolume",
        "4.0 vol1 is Ready",
        "4.0 alarm Volume(VolumeIndex(1), Io) ReturnedUnacknowledged x1 Volume(Io)",
    ]);
}

#[test]
fn a_volume_with_nothing_left_to_delete_needs_a_person_and_another_takes_over() {
    let mut world = World::recording_on(BACKED);
    world.go_on(2.0, 40.0, 2);
    world.forget();
    world.volume(0, VolumeEvent::Exhausted { wanted: 100 * MB, protected: 900 * MB });
    world.expect_of(
        "o",
        &["40.0 cam0 to vol1", "40.0 alarm VolumeExhausted(VolumeIndex(0)) Unacknowledged x1 None"],
    );
    world.volume(0, DELETED);
    world.expect_of(
        "o",
        &["40.0 cam0 to vol0", "40.0 alarm VolumeExhausted(VolumeIndex(0)) ReturnedUnacknowledged x1 None"],
    );
}

#[test]
fn a_person_who_freed_enough_by_hand_ends_the_need_for_one() {
    for (case, free, over) in [("not enough", 149 * MB, false), ("enough", 150 * MB, true)] {
        let mut world = World::recording_on(ALONE);
        world.space(0, Some(50 * MB));
        world.volume(0, VolumeEvent::Exhausted { wanted: 100 * MB, protected: 0 });
        world.forget();
        world.space(0, Some(free));
        let ended = world.lines().iter().any(|line| line.contains("Exhausted(VolumeIndex(0)) Returned"));
        assert_eq!(ended, over, "{case}");
    }
}

#[test]
fn the_need_for_a_person_outlives_a_fault_and_goes_with_the_disk() {
    let mut world = World::recording_on(&[VolumeKind::Disk]);
    world.volume(0, VolumeEvent::Exhausted { wanted: MB, protected: 0 });
    world.forget();
    world.fault(0, Fault::NoSpace);
    world.at(2.25);
    world.volume(0, VolumeEvent::Ready);
    world.expect_of("Exhausted", &[]);
    world.volume(0, VolumeEvent::Detached);
    world.expect_of(
        "Exhausted",
        &["2.2 alarm VolumeExhausted(VolumeIndex(0)) ReturnedUnacknowledged x1 None"],
    );
}

#[test]
fn a_filesystem_that_does_not_tell_what_is_free_is_an_alarm_after_a_minute() {
    let mut world = World::recording_on(ALONE);
    for second in 3..=61u32 {
        world.at(f64::from(second));
        world.received(u64::from(second));
        world.space(0, None);
    }
    world.expect_of("Unknown", &[]);
    world.at(63.0);
    world.expect_of("Unknown", &["63.0 alarm SpaceUnknown(VolumeIndex(0)) Unacknowledged x1 None"]);
    world.space(0, Some(MB));
    world.expect_of("Unknown", &["63.0 alarm SpaceUnknown(VolumeIndex(0)) Normal x1 None"]);
    // Once is nothing.
    world.space(0, None);
    world.at(70.0);
    world.space(0, Some(MB));
    world.at(200.0);
    world.expect_of("Unknown", &[]);
}
