//! Disks that come and go, with everything real: udevd with Holdfast's rules, the helper that they start, loop devices with ext4
//! whose wire breaks, and the recorder as an ordinary user, while virtual cameras film. Needs root.
//!
//! `HOLDFAST_SEED` repeats the lengths of an earlier run, which printed it.

mod adoption;
mod eject;
mod errors;
mod set;

use holdfast_tests::dice::Dice;
use holdfast_tests::loops::world;
use holdfast_tests::wait_until;
use set::{RESUMED, Set};
use std::time::{Duration, Instant};

const PULLS: u64 = 20;

/// More than all that a test here takes away.
const LARGE_RING: &str = "5m";

fn dice(test: &str) -> Dice {
    let seed = std::env::var("HOLDFAST_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| holdfast_tests::wall_micros().unsigned_abs());
    println!("{test}: HOLDFAST_SEED={seed}");
    Dice(seed)
}

#[test]
fn a_disk_that_is_pulled_twenty_times_costs_no_frame_and_leaves_nothing_behind() {
    let test = "a_disk_that_is_pulled_twenty_times_costs_no_frame_and_leaves_nothing_behind";
    let Some(folder) = world(test) else { return };
    let mut dice = dice(test);
    let cameras = set::cameras(4);
    let mut disk = set::disk(&folder, "a", "HOLDFAST");
    let mut set = Set::new(&folder, &cameras, LARGE_RING);
    let mut names = vec![disk.plug().unwrap()];
    set.device.start().unwrap();
    let volume = set.first_volume();
    set.expect_footage(&volume, &Default::default());
    let before = set.device.footprint();

    let mut delays = Vec::new();
    let mut snatched = 0;
    for round in 1..=PULLS {
        set.film(Duration::from_millis(200 + dice.below(1_500)));
        let known = set.device.footage(&volume, &cameras);
        disk.pull().unwrap();
        set.expect_nothing_mounted(round);
        // Now and then it is pulled again while it is being looked at: a plug that does not fit at once.
        if round % 5 == 0 {
            snatched += 1;
            names.push(disk.plug().unwrap());
            set.film(Duration::from_millis(dice.below(400)));
            disk.snatch().unwrap();
            set.expect_nothing_mounted(round);
        }
        set.film(Duration::from_millis(500 + dice.below(5_500)));
        assert_eq!(set.device.footprint(), before, "round {round}: written beside the volume");
        let plugged = Instant::now();
        names.push(disk.plug().unwrap());
        set.expect_footage(&volume, &known);
        delays.push(plugged.elapsed());
        assert_eq!(set.device.mounted(), std::slice::from_ref(&volume), "round {round}");
        assert_eq!(set.device.mount_points(), std::slice::from_ref(&volume), "round {round}");
    }
    set.film(Duration::from_secs(2));
    // Under whatever name the disk was missed: it is here, and no alarm stands.
    let alarms = || set.device.status()["alarms"].as_array().cloned().unwrap_or_default();
    assert!(wait_until(set::PATIENCE, || alarms().is_empty()), "{:?}", alarms());
    let stopped = set.stop();
    assert_eq!(set.device.mounted(), std::slice::from_ref(&volume));
    let after = set.device.footprint();
    assert!(after.keys().all(|path| before.contains_key(path)), "written beside the volume: {after:?}");

    let mut different = names.clone();
    different.sort();
    different.dedup();
    assert_eq!(different.len(), names.len(), "it came twice under one name: {names:?}");
    set.expect_no_reconnect();
    let report = set.coverage(&volume);
    set.expect_all_frames(&[&volume], stopped);
    for camera in &report.cameras {
        let gaps: Vec<_> = camera.gaps.iter().filter(|gap| gap.cause != "starting").collect();
        assert!(gaps.is_empty(), "{}: nothing was lost, and yet: {gaps:?}", camera.camera);
    }
    delays.sort();
    let (median, most) = (delays[delays.len() / 2], delays[delays.len() - 1]);
    println!(
        "{test}: {PULLS} pulls, and {snatched} while it was being mounted; recording again after {} ms (median), {} ms at most",
        median.as_millis(),
        most.as_millis()
    );
    assert!(most <= RESUMED, "{delays:?}");
    // Ten times what is normal (0.4 to 0.5 s), and in the promised order of magnitude.
    assert!(median <= Duration::from_secs(5), "{delays:?}");
}

#[test]
fn what_the_memory_could_not_hold_while_the_disk_was_away_is_named_not_there() {
    let test = "what_the_memory_could_not_hold_while_the_disk_was_away_is_named_not_there";
    let Some(folder) = world(test) else { return };
    let cameras = set::cameras(4);
    let mut disk = set::disk(&folder, "a", "HOLDFAST");
    let mut set = Set::new(&folder, &cameras, "5s");
    disk.plug().unwrap();
    set.device.start().unwrap();
    let volume = set.first_volume();
    set.expect_footage(&volume, &Default::default());
    for _ in 0..2 {
        set.film(Duration::from_secs(2));
        let known = set.device.footage(&volume, &cameras);
        disk.pull().unwrap();
        set.film(Duration::from_secs(12));
        disk.plug().unwrap();
        set.expect_footage(&volume, &known);
    }
    set.film(Duration::from_secs(2));
    let stopped = set.stop();
    set.expect_no_reconnect();
    let report = set.coverage(&volume);
    for camera in &cameras {
        let covered = report.camera(camera.name()).expect("in the ledger");
        let missing = set.missing_frames(&[&volume], camera, stopped);
        assert!(!missing.is_empty(), "nothing is missing: this was no trial of a small memory");
        let holes = covered.holes();
        let away: Vec<_> = holes.iter().filter(|hole| hole.causes != ["starting"]).collect();
        assert_eq!(away.len(), 2, "{}: {holes:?}", camera.name());
        let gaps = covered.gaps.iter().filter(|gap| gap.cause != "starting");
        let (named, beside): (Vec<_>, Vec<_>) =
            gaps.partition(|gap| gap.detail.starts_with("volume: not there"));
        let sum = |gaps: &[&holdfast_tests::report::Gap]| gaps.iter().map(|gap| gap.micros).sum::<i64>();
        // What a full memory drops between the return of its disk and the first read of it, a quarter of a second later.
        let brink = beside.iter().all(|gap| gap.detail.starts_with("buffer overflow"));
        assert!(brink && sum(&beside) < sum(&named), "{}: {:?}", camera.name(), covered.gaps);
        let unnamed: Vec<_> = missing
            .iter()
            .filter(|frame| !holes.iter().any(|hole| set::is_within(frame.wall_micros, hole.from, hole.to)))
            .collect();
        assert!(unnamed.is_empty(), "{}: frames are missing outside of its gaps: {unnamed:?}", camera.name());
        let told = sum(&named) + sum(&beside);
        let lost = missing.len() as i64 * 1_000_000 / i64::from(camera.video().fps);
        assert!((told - lost).abs() < 1_500_000, "{}: {lost} µs are lost, {told} µs are told", camera.name());
    }
}

#[test]
fn a_recorder_without_any_disk_says_so_and_holds_footage_for_the_first_one() {
    let test = "a_recorder_without_any_disk_says_so_and_holds_footage_for_the_first_one";
    let Some(folder) = world(test) else { return };
    let cameras = set::cameras(2);
    let mut disk = set::disk(&folder, "a", "HOLDFAST");
    let mut set = Set::new(&folder, &cameras, LARGE_RING);
    set.device.start().unwrap();
    // A disk that is there at all comes within the first half minute: then the alarm.
    assert!(set.alarm("nothing is being recorded"), "{}", set.device.story());
    let status = set.device.status();
    assert!(
        status["cameras"].as_array().is_some_and(|list| list.iter().all(|one| one["state"] == "holding")),
        "{status:#}"
    );
    assert!(status["volumes"].as_array().is_some_and(Vec::is_empty), "{status:#}");
    let held_since: Vec<u64> = cameras.iter().map(|camera| camera.log().len() as u64).collect();
    let plugged = Instant::now();
    disk.plug().unwrap();
    let volume = set.first_volume();
    set.expect_footage(&volume, &Default::default());
    let delay = plugged.elapsed();
    println!("{test}: recording after {} ms", delay.as_millis());
    assert!(delay <= RESUMED);
    assert!(set.until(|set| set.alarms().iter().all(|alarm| !alarm.contains("nothing is being recorded"))));
    set.film(Duration::from_secs(2));
    let stopped = set.stop();
    set.expect_no_reconnect();
    set.expect_all_frames(&[&volume], stopped);
    for (camera, held) in cameras.iter().zip(held_since) {
        let first = set.frames(&[&volume], camera)[0];
        let waited = (held - first.min(held)) / u64::from(camera.video().fps);
        assert!(waited >= 20, "{}: only {waited} s were held for the disk", camera.name());
    }
    let report = set.coverage(&volume);
    assert!(report.problems.is_empty(), "{:?}", report.problems);
}
