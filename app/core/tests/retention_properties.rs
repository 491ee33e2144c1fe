//! Cleaning in random worlds. At every deletion `shelf::World` compares the order by fair share with a sort, and checks
//! that nothing protected is deleted and nothing twice.

mod shelf;

use holdfast_core::retention::{Rule, Step};
use proptest::prelude::*;
use shelf::{DAY, EPOCH, GB, HOUR, MB, MINUTE, Statvfs, World, seconds};

/// 100 GB: cleaning starts under 5 GB and stops at 10 GB.
const TOTAL: u64 = 100 * GB;

/// One segment: whose, how large, how long after the one before it, protected or not.
type Written = (usize, u64, u64, bool);

fn written(cameras: usize) -> impl Strategy<Value = Vec<Written>> {
    let one = (0..cameras, 1..3000_u64, 0..4 * HOUR, prop::bool::weighted(0.1));
    prop::collection::vec(one, 1..150)
}

fn world_of(cameras: usize, written: &[Written]) -> World {
    let mut world = World::new(TOTAL, &vec![None; cameras]);
    let mut ago: u64 = written.iter().map(|(_, _, later, _)| later).sum();
    for (camera, size, later, protected) in written {
        ago -= later;
        world.put(*camera, ago, size * MB).candidate.protected = *protected;
    }
    world
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn a_full_volume_gets_what_it_wants_by_the_fewest_deletions_in_the_planned_order(
        written in written(5), counted: bool, wanted in 1..30_000_u64, batch in 1..9_usize, settled: bool,
        unlisted in prop::option::weighted(0.3, 0..5_usize), says in prop::sample::select(vec![Statvfs::Fails, Statvfs::Says(TOTAL)]),
    ) {
        let mut world = world_of(5, &written);
        world.volume.counted = counted;
        world.batch = batch;
        world.statvfs = says;
        if settled {
            world.settle();
        }
        if let Some(camera) = unlisted {
            world.volume.cameras[camera].unlisted = true;
        }
        let week = world.now - seconds(7 * DAY);
        let able: Vec<_> = (world.volume.cameras.iter().filter(|camera| !camera.unlisted))
            .flat_map(|camera| camera.rest().filter(|segment| !segment.candidate.protected).cloned())
            .collect();
        world.cleaner.full(world.now, wanted * MB);
        let step = world.turn();
        let deleted = world.deleted_by();
        let bytes = |number: u32| able.iter().find(|segment| segment.candidate.sequence == number).unwrap().candidate.bytes;
        let freed: u64 = deleted.iter().map(|(number, _)| bytes(*number)).sum();
        let could: u64 = able.iter().map(|segment| segment.candidate.bytes).sum();
        if could >= wanted * MB {
            prop_assert!(freed >= wanted * MB, "enough could be freed");
            prop_assert!(freed - bytes(deleted.last().unwrap().0) < wanted * MB, "the last one was not needed");
            prop_assert!(!world.cleaner.is_full());
        } else {
            prop_assert_eq!(freed, could);
            prop_assert_eq!(matches!(step, Step::Blocked { .. }), unlisted.is_some());
            prop_assert_eq!(matches!(step, Step::Exhausted { .. }), unlisted.is_none());
        }
        // First all that is older than a week, by number; then the rest (whose order the world checks).
        let old = |number: &u32| settled && able.iter().any(|each| each.candidate.sequence == *number && each.end <= week);
        let mut planned: Vec<u32> = able.iter().map(|each| each.candidate.sequence).filter(old).collect();
        planned.sort_unstable();
        let by_age: Vec<u32> = deleted.iter().filter(|(_, rule)| *rule == Rule::EmergencyAge).map(|(n, _)| *n).collect();
        prop_assert_eq!(&by_age[..], &planned[..by_age.len()]);
        prop_assert!(deleted.iter().take(by_age.len()).all(|(_, rule)| *rule == Rule::EmergencyAge));
        prop_assert!(by_age.len() == deleted.len() || by_age.len() == planned.len(), "all of them before any other");
    }

    #[test]
    fn cleaning_for_space_frees_what_the_rules_ask_by_the_fewest_deletions(
        written in written(5), free in 0..12_000_u64, batch in 1..9_usize, late in 0..2_u64,
    ) {
        let mut world = world_of(5, &written);
        world.batch = batch;
        world.statvfs = Statvfs::Late(late);
        // From 100 GB on the thresholds are the same for every size.
        world.volume.total = TOTAL.max(world.volume.ours + free * MB);
        world.volume.foreign = world.volume.free() - free * MB;
        let before = world.volume.free();
        let able = world.volume.cameras.iter().flat_map(|camera| camera.rest()).filter(|segment| !segment.candidate.protected);
        let sizes: Vec<(u32, u64)> = able.map(|segment| (segment.candidate.sequence, segment.candidate.bytes)).collect();
        let reach = before + sizes.iter().map(|(_, bytes)| bytes).sum::<u64>();
        world.run(MINUTE, 1);
        let after = world.volume.free();
        let deleted = world.deleted();
        if before >= 5 * GB || reach < 20 * GB && before >= reach / 4 {
            prop_assert!(deleted.is_empty());
        } else {
            let aim = (10 * GB).min(reach / 2);
            prop_assert!(after >= aim, "{after} of {aim}");
            let last = sizes.iter().find(|(number, _)| Some(number) == deleted.last()).unwrap().1;
            prop_assert!(after - last < aim, "the last one was not needed");
        }
    }
}

/// What may happen to a volume in use.
#[derive(Clone, Debug)]
enum Happens {
    Pass(u64),
    Write(usize, u64),
    Figures(Statvfs),
    Unlist(usize, bool),
    Protect(usize, prop::sample::Index, bool),
    Stick(usize, prop::sample::Index, bool),
    Full(u64),
    Written,
    Clock(Option<i64>),
    Foreign(u64),
    Counted(bool),
    Batch(usize),
    Restart,
}

fn happens() -> impl Strategy<Value = Happens> {
    use Happens::*;
    let any_index = any::<prop::sample::Index>;
    prop_oneof![
        8 => (1..200_u64).prop_map(Pass),
        2 => (1..48_u64).prop_map(|hours| Pass(hours * HOUR)),
        20 => (0..4_usize, 1..2000_u64).prop_map(|(camera, size)| Write(camera, size * MB)),
        3 => prop_oneof![
            Just(Statvfs::True), Just(Statvfs::Fails), (0..10_u64).prop_map(|free| Statvfs::Says(free * GB)), (1..5_u64).prop_map(Statvfs::Late)
        ].prop_map(Figures),
        2 => (0..4_usize, any::<bool>()).prop_map(|(camera, yes)| Unlist(camera, yes)),
        3 => (0..4_usize, any_index(), any::<bool>()).prop_map(|(camera, at, yes)| Protect(camera, at, yes)),
        1 => (0..4_usize, any_index(), any::<bool>()).prop_map(|(camera, at, yes)| Stick(camera, at, yes)),
        3 => (1..5000_u64).prop_map(|wanted| Full(wanted * MB)),
        2 => Just(Written),
        2 => prop_oneof![Just(None), Just(Some(EPOCH)), (-400..30_000_i64).prop_map(|days| Some(EPOCH + days * 86_400))].prop_map(Clock),
        2 => (0..95_u64).prop_map(|size| Foreign(size * GB)),
        1 => any::<bool>().prop_map(Counted),
        1 => (1..9_usize).prop_map(Batch),
        1 => Just(Restart),
    ]
}

/// What the test knows of the free space, by the rules as they are written down.
#[derive(Default)]
struct Low(bool);

impl Low {
    fn learn(&mut self, free: u64) {
        if free < 5 * GB {
            self.0 = true;
        } else if free >= 10 * GB {
            self.0 = false;
        }
    }
}

fn figure(world: &World) -> Option<u64> {
    match world.statvfs {
        Statvfs::True => Some(world.volume.free()),
        Statvfs::Says(free) => Some(free),
        Statvfs::Fails | Statvfs::Late(_) => None,
    }
}

fn happen(world: &mut World, what: &Happens) {
    let pick = |world: &World, camera: usize, at: &prop::sample::Index| {
        let number = world.volume.cameras[camera].segments.len();
        (number > 0).then(|| at.index(number))
    };
    match what {
        Happens::Pass(secs) => world.pass_time(*secs),
        Happens::Write(camera, bytes) => {
            if world.volume.free() >= *bytes {
                world.put(*camera, 0, *bytes);
            } else {
                world.cleaner.full(world.now, *bytes);
            }
        }
        Happens::Figures(statvfs) => world.statvfs = *statvfs,
        Happens::Unlist(camera, yes) => world.volume.cameras[*camera].unlisted = *yes,
        Happens::Protect(camera, at, yes) => {
            if let Some(at) = pick(world, *camera, at) {
                world.volume.cameras[*camera].segments[at].candidate.protected = *yes;
            }
        }
        Happens::Stick(camera, at, yes) => {
            if let Some(at) = pick(world, *camera, at) {
                world.volume.cameras[*camera].segments[at].stuck = *yes;
            }
        }
        Happens::Full(wanted) => world.cleaner.full(world.now, *wanted),
        Happens::Written => world.cleaner.written(),
        Happens::Clock(clock) => world.clock = *clock,
        Happens::Foreign(bytes) => world.volume.foreign = (*bytes).min(TOTAL - world.volume.ours),
        Happens::Counted(yes) => world.volume.counted = *yes,
        Happens::Batch(batch) => world.batch = *batch,
        Happens::Restart => world.restart(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn whatever_happens_each_rule_has_its_reason_and_cleaning_comes_back(story in prop::collection::vec(happens(), 1..200)) {
        let mut world = World::new(TOTAL, &[Some(30), Some(1), None, None]);
        let mut low = Low::default();
        for what in &story {
            happen(&mut world, what);
            if matches!(what, Happens::Restart) {
                low = Low::default();
            }
            let known = figure(&world);
            if let Some(free) = known {
                low.learn(free);
            }
            let full = world.cleaner.is_full();
            let trusted = world.clock.is_some();
            world.turn();
            for (number, rule) in world.deleted_by() {
                let reason = match rule {
                    Rule::Age => trusted,
                    Rule::Space => matches!(world.statvfs, Statvfs::Late(_)) || known.is_some() && low.0,
                    Rule::EmergencyAge => trusted && full,
                    Rule::EmergencySpace => full,
                };
                prop_assert!(reason, "{number} by {rule:?} after {what:?}");
            }
            if let Statvfs::Late(_) = world.statvfs {
                // Which figure was told is not known here.
                low.0 = true;
            }
        }
        // All faults end: within minutes there is room, or nothing more that may go.
        world.statvfs = Statvfs::True;
        world.volume.counted = true;
        for camera in &mut world.volume.cameras {
            camera.unlisted = false;
            camera.segments.iter_mut().for_each(|segment| segment.stuck = false);
        }
        world.run(5 * MINUTE, 1);
        let able = world.volume.cameras.iter().flat_map(|camera| camera.rest()).filter(|segment| !segment.candidate.protected);
        let reach = world.volume.free() + able.map(|segment| segment.candidate.bytes).sum::<u64>();
        prop_assert!(world.volume.free() >= (5 * GB).min(reach / 4), "{} of {reach}", world.volume.free());
        prop_assert!(!world.cleaner.is_full());
        world.said.clear();
        world.run(10 * MINUTE, 1);
        prop_assert!(world.said.is_empty(), "said again without a change: {:?}", world.said);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20))]

    #[test]
    fn writing_at_any_rate_cleans_no_more_often_than_the_distance_of_the_thresholds_asks(
        sizes in prop::collection::vec(50..400_u64, 1..5), minutes in 60..300_u64,
    ) {
        let mut world = World::new(TOTAL, &vec![None; sizes.len()]);
        // A camera that has been silent holds less than its share and loses nothing.
        let silent = world.volume.cameras.len();
        world.volume.cameras.push(shelf::Camera::default());
        for _ in 0..10 {
            world.put(silent, 60 * DAY, 100 * MB);
        }
        while world.volume.free() > 6 * GB {
            for (camera, size) in sizes.iter().enumerate() {
                world.put(camera, 0, size * MB);
            }
        }
        let a_minute: u64 = sizes.iter().sum::<u64>() * MB;
        world.cleaner.rate(a_minute / 60);
        let mut bursts = 0;
        let mut last = None;
        for minute in 0..minutes {
            for (camera, size) in sizes.iter().enumerate() {
                world.put(camera, 0, size * MB);
            }
            for _ in 0..6 {
                world.run(10, 1);
                if !world.deleted().is_empty() && last.replace(minute).is_none_or(|last| minute > last + 1) {
                    bursts += 1;
                }
            }
            prop_assert!(world.volume.free() > 5 * GB - a_minute);
        }
        prop_assert!(bursts <= minutes * a_minute / (5 * GB) + 1, "{bursts} times");
        prop_assert_eq!(world.volume.cameras[silent].rest().count(), 10);
    }
}
