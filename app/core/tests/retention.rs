//! Cleaning, as stories: which segments go, in which order, by which rule, and when none.

mod shelf;

use holdfast_core::retention::{Cleaner, Rule, Rules, Step};
use shelf::{DAY, GB, HOUR, MB, MINUTE, Statvfs, World, seconds};

/// 1 TB: cleaning starts under 5 GB and stops at 10 GB.
const TERABYTE: u64 = 1000 * GB;

/// Fills the volume with what is not ours until so much is free.
fn leave(world: &mut World, free: u64) {
    world.volume.foreign = 0;
    world.volume.foreign = world.volume.free() - free;
}

const NONE: [u32; 0] = [];

#[test]
fn cleaning_starts_and_stops_at_what_is_less_of_bytes_and_percent() {
    for (case, total, free, rate, deleted) in [
        ("1 TB: 5 GB are enough", TERABYTE, 5 * GB, 0, 0),
        ("1 TB: less is not, and it stops at 10 GB", TERABYTE, 5 * GB - 1, 0, 6),
        ("40 GB: 5 % are enough", 40 * GB, 2 * GB, 0, 0),
        ("40 GB: less is not, and it stops at 10 %", 40 * GB, 2 * GB - 1, 0, 3),
        ("what comes in 60 s counts when it is more", TERABYTE, 6 * GB, 100 * MB, 0),
        ("under it cleaning starts, and stops as far above", TERABYTE, 6 * GB - 1, 100 * MB, 6),
        ("but never more than a quarter of the volume", 40 * GB, 10 * GB, 1000 * MB, 0),
        ("of which it makes use", 40 * GB, 9 * GB, 1000 * MB, 3),
    ] {
        let mut world = World::new(total, &[None]);
        for _ in 0..(total - free) / GB {
            world.put(0, 0, GB);
        }
        leave(&mut world, free);
        world.cleaner.rate(rate);
        world.turn();
        assert_eq!(world.log.len(), deleted, "{case}");
        assert!(world.log.iter().all(|(_, _, rule)| *rule == Rule::Space), "{case}");
    }
}

#[test]
fn space_takes_the_oldest_of_those_that_hold_their_share() {
    let mut world = World::new(TERABYTE, &[None, None, None]);
    for camera in [2, 0, 1, 0, 0, 1, 0, 0, 1] {
        world.put(camera, 0, 4 * GB);
    }
    // Camera 0 has 2, 4, 5, 7, 8; camera 1 has 3, 6, 9; camera 2 has 1.
    for _ in 0..3 {
        leave(&mut world, 5 * GB - 1);
        world.run(4, 1);
    }
    // The share is 9/3 segments: 2. It is 8/3: 3. 7/3, which camera 0 alone has: 4. 6/3: 5. 5/3: 6. 4/3, camera 0 alone: 7.
    assert_eq!(world.deleted(), [2, 3, 4, 5, 6, 7]);
}

#[test]
fn a_camera_that_was_silent_for_months_keeps_its_only_evidence() {
    let mut world = World::new(TERABYTE, &[None, None]);
    world.put(0, 90 * DAY, GB);
    for _ in 0..200 {
        world.put(1, 0, GB);
    }
    leave(&mut world, 4 * GB);
    world.turn();
    assert_eq!(world.deleted(), [2, 3, 4, 5, 6, 7]);
}

#[test]
fn until_footage_is_counted_the_oldest_of_all_goes_first_and_no_more_than_has_to() {
    let mut world = World::new(TERABYTE, &[None, None]);
    world.volume.counted = false;
    world.put(0, 90 * DAY, GB);
    for _ in 0..9 {
        world.put(1, 0, GB);
    }
    leave(&mut world, 8 * GB);
    world.turn();
    assert_eq!(world.deleted(), NONE, "8 GB are enough");
    leave(&mut world, 4 * GB);
    world.turn();
    assert_eq!(world.deleted(), NONE, "and so are 4, until more is known");
    leave(&mut world, GB);
    world.run(10, 1);
    assert_eq!(world.deleted(), [1, 2], "up to half of what is to be free");
}

#[test]
fn a_volume_that_others_fill_loses_nothing_by_being_opened_again() {
    let mut world = World::new(TERABYTE, &[None]);
    for _ in 0..6 {
        world.put(0, 0, GB);
    }
    // What could be free at most is 10 GB, of which half is kept as footage.
    leave(&mut world, 4 * GB);
    world.run(MINUTE, 3);
    assert_eq!(world.deleted(), NONE);
    world.volume.counted = false;
    world.restart();
    world.run(5, 1);
    world.volume.counted = true;
    world.run(MINUTE, 3);
    assert_eq!(world.deleted(), NONE);
    assert_eq!(world.exhausted(), 0, "nobody is needed: it records, and cleans when it has to");
}

#[test]
fn figures_that_come_late_have_nothing_deleted_twice() {
    for late in [0, 1, 2] {
        let mut world = World::new(TERABYTE, &[None]);
        for _ in 0..100 {
            world.put(0, 0, GB);
        }
        leave(&mut world, 4 * GB);
        world.statvfs = Statvfs::Late(late);
        world.run(MINUTE, 1);
        assert_eq!(world.deleted().len(), 6, "{late} s");
    }
}

#[test]
fn what_frees_nothing_is_deleted_at_a_slow_pace() {
    let mut world = World::new(TERABYTE, &[None]);
    for _ in 0..400 {
        world.put(0, 0, GB);
    }
    world.statvfs = Statvfs::Says(4 * GB);
    world.run(10 * MINUTE, 1);
    // Six in each round, one round a minute, where two seconds after a round would be 200 rounds.
    assert!((60..=66).contains(&world.log.len()), "{}", world.log.len());
}

#[test]
fn age_takes_what_is_older_than_its_cameras_retention_oldest_first() {
    let mut world = World::new(TERABYTE, &[Some(30), Some(1), None]);
    world.put(0, 31 * DAY, MB);
    world.put(2, 31 * DAY, MB);
    world.put(0, 30 * DAY + 1, MB);
    world.put(0, 29 * DAY, MB);
    world.put(1, DAY + HOUR, MB);
    world.put(1, DAY - HOUR, MB);
    world.settle();
    assert_eq!(world.deleted_by(), [(1, Rule::Age), (5, Rule::Age)], "the oldest of each at once");
    world.run(7 * HOUR, 60);
    assert_eq!(world.deleted(), [6, 3], "each when its hour has come, four times as fast as it was recorded");
    world.run(DAY, 60);
    assert_eq!(world.deleted(), [4]);
    world.run(90 * DAY, 600);
    assert_eq!(world.deleted(), NONE, "without a limit it stays");
}

#[test]
fn age_goes_on_past_what_is_protected() {
    let mut world = World::new(TERABYTE, &[Some(30)]);
    world.put(0, 40 * DAY, MB).candidate.protected = true;
    world.put(0, 40 * DAY, MB);
    world.settle();
    assert_eq!(world.deleted(), [2]);
    world.volume.cameras[0].segments[0].candidate.protected = false;
    world.run(2 * MINUTE, 10);
    assert_eq!(world.deleted(), [1], "a protection that is taken back has no effect left");
}

#[test]
fn a_retention_that_was_shortened_is_caught_up_with_in_eight_days() {
    let mut world = World::new(TERABYTE, &[Some(30)]);
    for hours in (0..30 * 24).rev() {
        world.put(0, hours * HOUR, MB);
    }
    world.settle();
    assert_eq!(world.deleted(), NONE);
    world.volume.cameras[0].age = Some(seconds(7 * DAY));
    world.run(8 * DAY, 60);
    assert_eq!(world.deleted(), (1..=31 * 24 - 1).filter(|n| *n <= 30 * 24).collect::<Vec<_>>());
}

#[test]
fn nothing_goes_by_age_while_the_clock_is_not_trusted_but_space_is_made() {
    let mut world = World::new(TERABYTE, &[Some(30)]);
    for _ in 0..20 {
        world.put(0, 90 * DAY, GB);
    }
    world.clock = None;
    world.run(DAY, 60);
    assert_eq!(world.deleted(), NONE);
    leave(&mut world, 4 * GB);
    world.run(MINUTE, 1);
    assert_eq!(world.deleted_by(), (1..=6).map(|n| (n, Rule::Space)).collect::<Vec<_>>());
    world.cleaner.full(world.now, 2 * GB);
    world.run(MINUTE, 1);
    assert_eq!(world.deleted_by(), [(7, Rule::EmergencySpace), (8, Rule::EmergencySpace)]);
}

#[test]
fn a_full_volume_gives_what_is_older_than_a_week_then_by_share_until_enough_is_freed() {
    let mut world = World::new(TERABYTE, &[None, None]);
    world.put(0, 9 * DAY, GB);
    for ago in [8, 8, 5, 4, 3] {
        world.put(1, ago * DAY, GB);
    }
    world.put(0, 2 * DAY, GB);
    world.statvfs = Statvfs::Says(500 * GB);
    world.settle();
    world.cleaner.full(world.now, 4 * GB - 1);
    assert!(world.cleaner.is_full());
    world.turn();
    assert!(!world.cleaner.is_full());
    let by_age = [1, 2, 3].map(|n| (n, Rule::EmergencyAge));
    assert_eq!(
        world.deleted_by(),
        [&by_age[..], &[(4, Rule::EmergencySpace)]].concat(),
        "whatever statvfs says"
    );
    world.cleaner.written();
    world.run(HOUR, 1);
    assert_eq!(world.deleted(), NONE);
}

#[test]
fn writes_are_held_back_until_the_deletions_are_done() {
    let mut world = World::new(TERABYTE, &[None]);
    world.put(0, 0, GB);
    world.cleaner.full(world.now, MB);
    let step = world.cleaner.step(world.now, None, &mut world.volume);
    assert!(matches!(step, Step::Delete { camera: 0, rule: Rule::EmergencySpace, .. }));
    let step = world.cleaner.step(world.now, None, &mut world.volume);
    assert_eq!(step, Step::Rest { until: world.now }, "enough is under way");
    assert!(world.cleaner.is_full());
    world.cleaner.deleted(GB);
    assert!(!world.cleaner.is_full());
}

#[test]
fn a_full_volume_gets_room_for_what_comes_in_meanwhile() {
    let mut world = World::new(TERABYTE, &[None]);
    for _ in 0..100 {
        world.put(0, 0, MB);
    }
    world.cleaner.rate(2 * MB);
    world.cleaner.full(world.now, 1);
    world.turn();
    assert_eq!(world.deleted().len(), 20, "10 s");
}

#[test]
fn statvfs_that_fails_has_nothing_deleted_and_does_not_end_cleaning() {
    let mut world = World::new(TERABYTE, &[None]);
    for _ in 0..100 {
        world.put(0, 0, GB);
    }
    leave(&mut world, GB);
    world.statvfs = Statvfs::Fails;
    world.run(HOUR, 1);
    assert_eq!(world.deleted(), NONE);
    world.cleaner.full(world.now, GB);
    world.turn();
    assert_eq!(world.deleted_by(), [(1, Rule::EmergencySpace)], "a full volume is told by its writes");
    world.statvfs = Statvfs::True;
    world.run(MINUTE, 1);
    assert_eq!(world.deleted(), (2..=9).collect::<Vec<_>>(), "and afterwards it cleans as before");
}

#[test]
fn statvfs_that_fails_while_space_is_made_ends_that_round() {
    let mut world = World::new(TERABYTE, &[None]);
    for _ in 0..100 {
        world.put(0, 0, GB);
    }
    leave(&mut world, GB);
    world.cleaner.space(world.now, Ok(holdfast_core::retention::Space { free: GB, total: TERABYTE }));
    let step = world.cleaner.step(world.now, None, &mut world.volume);
    assert!(matches!(step, Step::Delete { .. }));
    world.cleaner.deleted(GB);
    world.cleaner.space(world.now, Err(holdfast_core::retention::SpaceUnknown));
    let step = world.cleaner.step(world.now, None, &mut world.volume);
    assert!(matches!(step, Step::Rest { .. }), "{step:?}");
}

#[test]
fn a_camera_that_cannot_be_listed_blocks_no_other_and_is_not_taken_for_empty() {
    let mut world = World::new(TERABYTE, &[None, None]);
    for camera in [0, 0, 0, 1] {
        world.put(camera, 0, GB);
    }
    world.volume.cameras[0].unlisted = true;
    world.cleaner.full(world.now, 2 * GB);
    let step = world.turn();
    assert_eq!(step, Step::Blocked { until: world.now + seconds(5) });
    assert_eq!(world.deleted(), [4]);
    assert!(world.cleaner.is_full());
    world.run(4, 1);
    assert!(world.cleaner.is_full());
    world.run(1, 1);
    assert!(!world.cleaner.is_full(), "a write is to be tried, in vain or not");
    world.volume.cameras[0].unlisted = false;
    world.cleaner.full(world.now, GB);
    world.turn();
    assert_eq!(world.deleted(), [1]);
}

#[test]
fn space_waits_for_a_listing_and_goes_on_when_it_is_there() {
    let mut world = World::new(TERABYTE, &[None]);
    for _ in 0..20 {
        world.put(0, 0, GB);
    }
    leave(&mut world, 4 * GB);
    world.volume.cameras[0].unlisted = true;
    world.run(MINUTE, 1);
    let blocked = world.said.iter().filter(|(_, step)| matches!(step, Step::Blocked { .. })).count();
    assert_eq!(
        (blocked, world.said.len()),
        (12, 12),
        "tried every 5 s, and nobody is told that nothing is there"
    );
    world.volume.cameras[0].unlisted = false;
    world.run(5, 1);
    assert_eq!(world.deleted().len(), 6);
}

#[test]
fn a_person_is_told_once_when_nothing_more_may_be_deleted_and_cleaning_goes_on_by_itself() {
    let mut world = World::new(TERABYTE, &[None]);
    for _ in 0..3 {
        world.put(0, 0, GB).candidate.protected = true;
    }
    world.cleaner.full(world.now, 2 * GB);
    let step = world.turn();
    let until = world.now + seconds(60);
    assert_eq!(step, Step::Exhausted { wanted: 2 * GB, protected: 3 * GB, until });
    for _ in 0..10 {
        world.run(MINUTE, 1);
        assert!(!world.cleaner.is_full(), "a write is tried after a minute");
        world.cleaner.full(world.now, 2 * GB);
        world.turn();
    }
    assert_eq!(world.exhausted(), 1, "told once");
    world.volume.cameras[0].segments[1].candidate.protected = false;
    world.volume.cameras[0].segments[2].candidate.protected = false;
    world.run(MINUTE, 1);
    world.cleaner.full(world.now, 2 * GB);
    world.turn();
    assert_eq!(world.deleted(), [2, 3]);
    world.cleaner.written();
    world.cleaner.full(world.now, 2 * GB);
    world.turn();
    assert_eq!(world.exhausted(), 1, "told again, since it had worked meanwhile");
}

#[test]
fn a_full_volume_is_used_again_as_soon_as_a_person_made_room() {
    let mut world = World::new(TERABYTE, &[None]);
    world.volume.foreign = TERABYTE;
    world.turn();
    world.cleaner.full(world.now, GB);
    world.turn();
    assert_eq!(world.exhausted(), 2, "that space is short, then that the volume is full");
    world.volume.foreign = TERABYTE - 2 * GB;
    world.run(1, 1);
    assert!(!world.cleaner.is_full());
}

#[test]
fn a_volume_full_of_protected_footage_does_not_lose_the_rest_as_it_comes() {
    let mut world = World::new(100 * GB, &[None, None]);
    for _ in 0..94 {
        world.put(0, 0, GB).candidate.protected = true;
    }
    // A segment of 100 MB every minute, 6 GB for it: 5 GB could never stay free.
    for _ in 0..600 {
        world.put(1, 0, 100 * MB);
        world.run(MINUTE, 1);
    }
    let kept = world.volume.cameras[1].rest().count();
    assert!((30..=45).contains(&kept), "between half and three quarters of 60: {kept}");
    assert_eq!(world.exhausted(), 0, "it records on; that it holds so little is told by the forecast");
    assert!(matches!(world.volume.free(), 1_500_000_000..=3_000_000_000));
}

#[test]
fn what_cannot_be_deleted_is_passed_over_and_tried_again_later() {
    for batch in [1, 2, 7] {
        let mut world = World::new(TERABYTE, &[None]);
        world.batch = batch;
        for _ in 0..40 {
            world.put(0, 0, GB);
        }
        world.volume.cameras[0].segments[0].stuck = true;
        world.volume.cameras[0].segments[1].stuck = true;
        leave(&mut world, 4 * GB);
        world.turn();
        assert_eq!(world.deleted(), (1..=8).collect::<Vec<_>>(), "six of these are gone");
        assert_eq!(world.volume.free(), 10 * GB);
        world.volume.cameras[0].segments[0].stuck = false;
        leave(&mut world, 4 * GB);
        world.run(MINUTE + 5, 1);
        assert_eq!(world.deleted(), [1, 2, 9, 10, 11, 12, 13]);
    }
}

#[test]
fn deleting_that_does_not_help_a_full_volume_is_slowed_down_and_told() {
    let mut world = World::new(TERABYTE, &[None]);
    for _ in 0..1000 {
        world.put(0, 0, MB);
    }
    world.statvfs = Statvfs::Fails;
    // Every write is refused, whatever is deleted.
    for _ in 0..10 * MINUTE {
        world.pass_time(1);
        if !world.cleaner.is_full() {
            world.cleaner.full(world.now, MB);
        }
        world.turn();
    }
    assert_eq!(world.exhausted(), 1);
    // 1 + 2 + 4 + 8, then 8 a minute.
    assert!((80..=95).contains(&world.log.len()), "{}", world.log.len());
    world.cleaner.written();
    world.log.clear();
    world.cleaner.full(world.now, MB);
    world.turn();
    assert_eq!(world.log.len(), 1, "one write that succeeded, and it is as at first");
}

#[test]
fn a_step_looks_through_a_bounded_number_of_segments() {
    let mut world = World::new(TERABYTE, &[Some(30), None]);
    for _ in 0..5000 {
        world.put(0, 40 * DAY, MB).candidate.protected = true;
        world.put(1, 40 * DAY, MB).candidate.protected = true;
    }
    world.put(0, 40 * DAY, MB);
    world.settle();
    assert_eq!(world.deleted(), [10_001]);
    world.put(0, 1, MB);
    world.cleaner.full(world.now, MB);
    let mut steps = 0;
    loop {
        world.volume.asked = 0;
        let step = world.cleaner.step(world.now, None, &mut world.volume);
        assert!(world.volume.asked <= 300, "{}", world.volume.asked);
        steps += 1;
        match step {
            Step::Rest { until } if until == world.now => assert!(steps < 100, "it gets on"),
            Step::Delete { candidate, .. } => break assert_eq!(candidate.sequence, 10_002),
            step => panic!("{step:?}"),
        }
    }
}

#[test]
fn nothing_known_means_nothing_done() {
    let mut world = World::new(TERABYTE, &[]);
    let mut cleaner = Cleaner::new(Rules::DEFAULT);
    for clock in [None, world.wall()] {
        let step = cleaner.step(world.now, clock, &mut world.volume);
        assert_eq!(step, Step::Rest { until: world.now + Rules::DEFAULT.age_every });
        world.pass_time(60);
    }
}

#[test]
fn rounds_that_free_just_what_comes_in_meanwhile_are_not_taken_for_vain() {
    let mut world = World::new(256 * MB, &[None]);
    (0..50).for_each(|_| {
        world.put(0, 0, 4_400_000);
    });
    // A little less than what really comes: 4.4 MB in ten seconds, which a slow disk takes for each of its turns.
    world.cleaner.rate(425_000);
    let (mut ahead, mut deleted) = (false, 0);
    for _ in 0..200 {
        world.pass_time(10);
        // The worst moment for a burst: just after a round of one segment. The turn after it brings nothing.
        let parts = if ahead { 0 } else { 1 + usize::from(world.log.len() == 1) };
        ahead = parts == 2;
        deleted += world.log.drain(..).len();
        (0..parts).for_each(|_| {
            world.put(0, 0, 4_400_000);
        });
        world.turn();
        // 25.5 MB are kept free; two turns' are missing when it begins.
        assert!(world.volume.free() > 16 * MB, "{} bytes are free", world.volume.free());
    }
    assert!(deleted > 150 && world.said.is_empty(), "{:?}", world.said);
}
