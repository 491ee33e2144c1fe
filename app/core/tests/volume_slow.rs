//! Slow and stuck volumes, from the figures of their writers: told before rings overflow, and left when another is there.

mod world;

use holdfast_core::event::{CameraEvent, Fault, VolumeEvent};
use holdfast_core::settings::VolumeKind;
use world::{World, span};

const ALONE: &[VolumeKind] = &[VolumeKind::Path];
const BACKED: &[VolumeKind] = &[VolumeKind::Path, VolumeKind::Path];

/// For each second: how long the call under way has lasted, and the fill.
type Seconds = &'static [(f64, u8)];

/// Figures each second from the second after now on: how long the call under way has lasted, and the fill.
fn figures(world: &mut World, seconds: &[(f64, u8)]) {
    for (busy, fill) in seconds {
        let next = world.secs() + 1.0;
        world.at(next);
        world.received(next as u64 + 10);
        world.load(0, *busy, *fill);
    }
}

#[test]
fn a_volume_that_is_strained_is_an_alarm_before_a_ring_overflows() {
    let cases: [(&str, Seconds, Option<f64>); 7] = [
        ("nothing special", &[(0.1, 3), (0.2, 6), (0.0, 3), (0.1, 9)], None),
        ("a call of five seconds", &[(4.9, 16), (5.0, 20)], Some(4.0)),
        ("half a ring, not falling", &[(0.9, 50), (0.9, 54), (0.9, 57), (0.9, 60), (0.9, 63)], Some(6.0)),
        (
            "full rings after an outage, falling",
            &[(0.5, 95), (0.5, 80), (0.5, 65), (0.5, 51), (0.5, 30)],
            None,
        ),
        ("falling, then rising", &[(0.5, 90), (0.5, 60), (0.5, 62), (0.5, 64), (0.5, 66)], Some(7.0)),
        ("just under half", &[(1.0, 49), (1.0, 49), (1.0, 49), (1.0, 49), (1.0, 49), (1.0, 49)], None),
        ("a hang", &[(1.0, 4), (2.0, 7), (3.0, 10), (4.0, 14), (5.0, 17)], Some(7.0)),
    ];
    for (case, seconds, alarm) in cases {
        let mut world = World::recording_on(ALONE);
        figures(&mut world, seconds);
        let lines: Vec<_> = world.lines().into_iter().filter(|line| line.contains("alarm")).collect();
        let expected: Vec<_> = alarm
            .iter()
            .map(|at| format!("{at:.1} alarm VolumeSlow(VolumeIndex(0)) Unacknowledged x1 None"))
            .collect();
        assert_eq!(lines, expected, "{case}");
    }
}

#[test]
fn strain_is_over_after_ten_quick_seconds_with_empty_rings() {
    let mut world = World::recording_on(ALONE);
    figures(&mut world, &[(6.0, 20)]);
    world.forget();
    figures(&mut world, &[(0.1, 24); 8]);
    figures(&mut world, &[(0.1, 25)]);
    figures(&mut world, &[(0.1, 3); 10]);
    world.expect_of("Slow", &[]);
    figures(&mut world, &[(0.1, 3)]);
    world.expect_of("Slow", &["23.0 alarm VolumeSlow(VolumeIndex(0)) Normal x1 None"]);
}

#[test]
fn a_call_that_ended_between_two_figures_counts_too() {
    use core::time::Duration;
    use holdfast_core::event::VolumeFigures;
    let mut world = World::recording_on(ALONE);
    let figures = VolumeFigures { slowest: Duration::from_secs(5), ..VolumeFigures::default() };
    world.volume(0, VolumeEvent::Figures(figures));
    world.expect_of("Slow", &["2.0 alarm VolumeSlow(VolumeIndex(0)) Unacknowledged x1 None"]);
}

#[test]
fn a_call_of_half_a_minute_is_not_waited_for() {
    let mut world = World::recording_on(ALONE);
    let hang: Vec<_> = (1..30).map(|second| (f64::from(second), 3 * second as u8)).collect();
    figures(&mut world, &hang);
    world.expect_of("vol0", &[]);
    figures(&mut world, &[(30.0, 100)]);
    world.expect_of("vol0", &["32.0 vol0 Abandon", "32.0 vol0 is faulted until 34.0: Stuck"]);
    world.at(34.0);
    // The shell says that the thread hangs still; the core asks again.
    for second in [34.0, 36.0, 38.0] {
        world.at(second);
        world.expect_of("vol0", &[&format!("{second:.1} vol0 Open")]);
        world.fault(0, Fault::Stuck);
    }
    world.at(38.6);
    world.volume(0, VolumeEvent::Released);
    world.expect_of("vol0", &["38.6 vol0 Open"]);
}

#[test]
fn with_another_at_hand_a_slow_volume_is_left_before_the_rings_overflow() {
    let cases: [(&str, Seconds, Option<f64>); 5] = [
        ("a call of ten seconds", &[(9.0, 33), (10.0, 36)], Some(4.0)),
        ("a call of nine", &[(9.0, 33), (0.1, 30)], None),
        ("a backlog above seventy", &[(0.5, 65), (0.5, 69), (0.5, 71), (0.5, 72)], Some(6.0)),
        ("full rings that empty", &[(0.5, 100), (0.5, 90), (0.5, 80), (0.5, 72), (0.5, 60)], None),
        ("a backlog of seventy", &[(0.5, 70); 9], None),
    ];
    for (case, seconds, left) in cases {
        let mut world = World::recording_on(BACKED);
        figures(&mut world, seconds);
        let lines: Vec<_> =
            world.lines().into_iter().filter(|l| l.contains(" to ") || l.contains("vol0")).collect();
        let expected: Vec<_> = left.map_or(Vec::new(), |at| {
            vec![
                format!("{at:.1} cam0 to vol1"),
                format!("{at:.1} vol0 Abandon"),
                format!("{at:.1} vol0 is faulted until {:.1}: TooSlow", at + 2.0),
            ]
        });
        assert_eq!(lines, expected, "{case}");
    }
}

#[test]
fn a_volume_that_was_too_slow_is_not_preferred_again_for_five_minutes() {
    let mut world = World::recording_on(BACKED);
    figures(&mut world, &[(10.0, 33)]);
    world.at(5.0);
    world.volume(0, VolumeEvent::Ready);
    world.forget();
    world.at(302.9);
    world.expect_of(" to ", &[]);
    world.at(303.0);
    world.expect_of(" to ", &["303.0 cam0 to vol0"]);
}

#[test]
fn one_that_was_too_slow_is_better_than_none() {
    let mut world = World::recording_on(BACKED);
    figures(&mut world, &[(10.0, 33)]);
    world.at(5.0);
    world.volume(0, VolumeEvent::Ready);
    world.forget();
    world.at(20.0);
    world.fault(1, Fault::Missing);
    world.expect_of(" to ", &["20.0 cam0 to vol0"]);
    // And it is not left for one that is not there.
    figures(&mut world, &[(10.0, 33), (11.0, 36)]);
    world.expect_of(" to ", &[]);
    world.volume(1, VolumeEvent::Ready);
    world.at(60.0);
    // A proved one that is not barred goes before one that is.
    world.expect_of(" to ", &["52.0 cam0 to vol1"]);
}

#[test]
fn two_slow_volumes_do_not_take_turns() {
    let mut world = World::recording_on(BACKED);
    figures(&mut world, &[(10.0, 33)]);
    world.at(5.0);
    world.volume(0, VolumeEvent::Ready);
    world.forget();
    for _ in 0..20 {
        let next = world.secs() + 1.0;
        world.at(next);
        world.load(1, 11.0, 80);
    }
    world.expect_of(" to ", &[]);
}

#[test]
fn a_reserve_is_judged_by_hangs_alone() {
    let mut world = World::recording_on(BACKED);
    for busy in [5.0, 12.0, 29.0] {
        world.load(1, busy, 90);
    }
    world.expect(&[]);
    world.load(1, 30.0, 0);
    world.expect_of("vol1", &["2.0 vol1 Abandon", "2.0 vol1 is faulted until 4.0: Stuck"]);
}

#[test]
fn a_camera_whose_volume_is_slow_is_not_lost() {
    let mut world = World::recording();
    for second in 3..=100u32 {
        world.at(f64::from(second));
        world.received(u64::from(second));
        world.load(0, f64::from(second % 25), 80);
    }
    let lines = world.lines();
    let alarms: Vec<_> = lines.iter().filter(|line| line.contains("alarm")).collect();
    assert!(alarms.len() == 1 && alarms[0].contains("VolumeSlow"), "{alarms:?}");
}

#[test]
fn a_camera_is_not_mended_for_what_a_volume_that_was_left_did_not_store() {
    let mut world = World::started(world::settings(1, 2, holdfast_core::settings::TransportChoice::Auto));
    world.volume(0, VolumeEvent::Ready);
    world.volume(1, VolumeEvent::Ready);
    world.at(1.0);
    world.record(1.0, 2.0);
    for second in 3..=50u32 {
        world.at(f64::from(second));
        world.received(u64::from(second));
        if second == 28 {
            world.fault(0, Fault::Io);
            world.forget();
        }
    }
    world.expect_of("cam0 resume", &[]);
}

#[test]
fn what_a_ring_drops_while_its_volume_is_slow_is_the_volume_s() {
    let mut world = World::recording_on(ALONE);
    figures(&mut world, &[(0.9, 60), (0.9, 70), (0.9, 80), (0.9, 99)]);
    world.camera(0, CameraEvent::Dropped { span: span(2.0, 4.0), units: 50, bytes: 9 });
    world.forget();
    world.stored(4.0, 6.0);
    world.expect_of("gap", &["6.0 ledger0: cam0 gap 2.0..4.0 Volume(TooSlow)"]);
}

#[test]
fn what_a_small_ring_drops_before_its_volume_is_seen_to_be_slow_is_the_volume_s_too() {
    let mut world = World::recording_on(ALONE);
    figures(&mut world, &[(1.0, 60), (2.0, 80), (3.0, 99)]);
    world.camera(0, CameraEvent::Dropped { span: span(2.0, 3.0), units: 25, bytes: 9 });
    figures(&mut world, &[(4.0, 99), (5.0, 99)]);
    world.camera(0, CameraEvent::Dropped { span: span(3.0, 4.0), units: 25, bytes: 9 });
    world.forget();
    world.stored(4.0, 7.0);
    world.expect_of("gap", &["7.0 ledger0: cam0 gap 2.0..4.0 Volume(TooSlow)"]);
}

#[test]
fn what_a_small_ring_drops_before_its_volume_is_given_up_for_another_is_the_volume_s() {
    let mut world = World::recording_on(BACKED);
    figures(&mut world, &[(1.0, 60), (2.0, 99)]);
    world.camera(0, CameraEvent::Dropped { span: span(2.0, 3.0), units: 25, bytes: 9 });
    figures(&mut world, &[(3.0, 99), (4.0, 99)]);
    world.expect_of("ledger0", &["4.0 ledger0: cam0 open 2.0 RingOverflow"]);
    world.stored_on(1, 3.0, 6.0);
    world.history(0, 2.0, holdfast_core::event::Past::Crashed);
    world.at(8.0);
    world.received(10);
    world.forget();
    world.volume(0, VolumeEvent::Ready);
    world.expect_of(
        "ledger0",
        &[
            "8.0 ledger0: faulted 6.0 TooSlow",
            "8.0 ledger0: cam0 open 2.0 Volume(TooSlow)",
            "8.0 ledger0: cam0 open 3.0 OnAnotherVolume",
        ],
    );
}

#[test]
fn what_a_ring_dropped_before_one_volume_is_not_laid_to_the_next_one_that_is_slow() {
    let mut world = World::recording_on(&[VolumeKind::Path, VolumeKind::Path, VolumeKind::Path]);
    world.fault(0, Fault::Io);
    world.camera(0, CameraEvent::Dropped { span: span(2.0, 3.0), units: 25, bytes: 9 });
    world.load(1, 10.0, 40);
    world.expect_of(" to ", &["2.0 cam0 to vol1", "2.0 cam0 to vol2"]);
    world.load(2, 6.0, 20);
    world.expect_of("Slow(VolumeIndex(2))", &["2.0 alarm VolumeSlow(VolumeIndex(2)) Unacknowledged x1 None"]);
    // What it drops itself is its own, even where the two meet.
    world.camera(0, CameraEvent::Dropped { span: span(3.0, 4.0), units: 25, bytes: 9 });
    world.forget();
    world.stored_on(2, 4.0, 5.0);
    world.expect_of(
        "gap",
        &[
            "2.0 ledger2: cam0 gap 0.0..1.0 Starting",
            "2.0 ledger2: cam0 gap 1.0..2.0 OnAnotherVolume",
            "2.0 ledger2: cam0 gap 2.0..3.0 RingOverflow",
            "2.0 ledger2: cam0 gap 3.0..4.0 Volume(TooSlow)",
        ],
    );
}

#[test]
fn what_a_ring_drops_before_a_volume_that_does_not_answer_is_called_stuck() {
    let mut world = World::recording_on(ALONE);
    let hang: Vec<_> = (1..=30).map(|second| (f64::from(second), 100)).collect();
    figures(&mut world, &hang[..25]);
    world.camera(0, CameraEvent::Dropped { span: span(2.0, 6.0), units: 100, bytes: 9 });
    figures(&mut world, &hang[25..]);
    world.camera(0, CameraEvent::Dropped { span: span(6.0, 9.0), units: 75, bytes: 9 });
    world.history(0, 2.0, holdfast_core::event::Past::Crashed);
    world.at(40.0);
    world.received(90);
    world.volume(0, VolumeEvent::Ready);
    world.forget();
    world.stored(9.0, 40.0);
    world.expect_of("gap", &["40.0 ledger0: cam0 gap 2.0..9.0 Volume(Stuck)"]);
}

#[test]
fn figures_that_do_not_come_are_no_fault() {
    let mut world = World::recording_on(BACKED);
    world.go_on(2.0, 300.0, 2);
    world.expect_of("vol0 is", &[]);
    world.expect_of("alarm", &[]);
}
