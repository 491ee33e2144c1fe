//! Trouble in what is received: what is tried in place, what is only told, and for how long.

mod world;

use holdfast_core::effect::Shed;
use holdfast_core::event::{CameraEvent, Event, Failure, StreamFigures};
use world::World;

/// Video comes and is stored for so many seconds, with these figures in each second.
fn go_on(world: &mut World, seconds: u32, figures: impl Fn(u32) -> StreamFigures) {
    let begun = world.secs();
    for second in 1..=seconds {
        let at = begun + f64::from(second);
        world.at(at);
        let last_video = Some(world.now.mono);
        let units = at as u64 * 30;
        let figures = StreamFigures { last_video, units, keyframes: at as u64, ..figures(at as u32) };
        world.camera(0, CameraEvent::Received(figures));
        world.stored(at - 1.0, at);
    }
}

fn without_forecasts(world: &mut World) -> Vec<String> {
    world.lines().into_iter().filter(|line| !line.contains("Forecast")).collect()
}

fn garbage(second: u32) -> StreamFigures {
    StreamFigures { damaged: u64::from(second) * 10, ..Default::default() }
}

#[test]
fn garbage_is_answered_in_place_then_by_a_new_branch_then_by_a_new_connection() {
    let mut world = World::recording();
    go_on(&mut world, 61, garbage);
    let mut lines = world.lines();
    lines.retain(|line| line.contains(" cam0 ") && !line.contains("ledger"));
    assert_eq!(
        lines,
        [
            "21.0 cam0 resume Failed(Garbage)",
            "41.0 cam0 rebuild Failed(Garbage)",
            "61.0 cam0 disconnect",
            "61.0 cam0 is backing off: Garbage x1",
        ]
    );
    world.camera(0, CameraEvent::TornDown);
    world.expect_of("cam0 connect ", &["63.0 cam0 connect Tcp #1"]);
}

#[test]
fn garbage_that_a_new_connection_does_not_cure_is_recorded_and_the_connection_renewed_each_five_minutes() {
    let mut world = World::recording();
    go_on(&mut world, 61, garbage);
    world.camera(0, CameraEvent::TornDown);
    let mut renewed = Vec::new();
    world.streaming();
    for _ in 0..1200 {
        world.forget();
        // Counted anew on each connection, but what counts is how it grows.
        go_on(&mut world, 1, garbage);
        if world.lines().iter().any(|line| line.contains("disconnect")) {
            renewed.push(world.secs() as u32);
            world.camera(0, CameraEvent::TornDown);
            world.streaming();
        }
    }
    assert!((3..=4).contains(&renewed.len()), "in twenty minutes: {renewed:?}");
    let apart = renewed.windows(2).all(|pair| pair[1] - pair[0] >= 300);
    assert!(apart, "{renewed:?}");
}

#[test]
fn what_is_only_told_never_costs_the_connection() {
    type Figures = fn(u32) -> StreamFigures;
    let cases: [(&str, Figures, Option<Failure>); 7] = [
        (
            "a frame in a hundred is damaged",
            |s| StreamFigures { damaged: u64::from(s) / 3, ..Default::default() },
            None,
        ),
        (
            "stamps that stand still",
            |_| StreamFigures { frozen: true, ..Default::default() },
            Some(Failure::TimestampsFrozen),
        ),
        (
            "stamps that leap each 5 s",
            |s| StreamFigures { jumps: u64::from(s) / 5, ..Default::default() },
            Some(Failure::TimestampsJump),
        ),
        (
            "stamps that fall back each 5 s",
            |s| StreamFigures { backwards: u64::from(s) / 5, ..Default::default() },
            Some(Failure::TimestampsBackwards),
        ),
        (
            "a clock that was set once",
            |s| StreamFigures { jumps: u64::from(s > 30), ..Default::default() },
            None,
        ),
        (
            "a format that changes each second",
            |s| StreamFigures { formats: u64::from(s), ..Default::default() },
            Some(Failure::FormatChanges),
        ),
        (
            "a format that was changed once and back",
            |s| StreamFigures { formats: u64::from(s > 30) * 2, ..Default::default() },
            None,
        ),
    ];
    for (case, figures, failure) in cases {
        let mut world = World::recording();
        go_on(&mut world, 70, figures);
        let lines = without_forecasts(&mut world);
        let expected: Vec<String> = failure
            .iter()
            .map(|f| {
                format!("31.0 alarm CameraTrouble(CameraIndex(0), {f:?}) Unacknowledged x1 Camera({f:?})")
            })
            .collect();
        assert_eq!(lines, expected, "{case}");
    }
}

#[test]
fn trouble_that_is_over_takes_its_alarm_with_it() {
    let mut world = World::recording();
    go_on(&mut world, 50, |_| StreamFigures { frozen: true, ..Default::default() });
    world.forget();
    go_on(&mut world, 60, |_| StreamFigures::default());
    let lines = without_forecasts(&mut world);
    assert!(matches!(&lines[..], [line] if line.contains("Normal")), "{lines:?}");
}

#[test]
fn sound_that_stops_is_told_after_a_minute_and_the_picture_goes_on() {
    let mut world = World::recording();
    let start = world.now.mono;
    let sound = |world: &World, until: u32| {
        let last = start.max(holdfast_core::time::Mono(1_000_000_000_000 + u64::from(until) * 1_000_000_000));
        Some(last.min(world.now.mono))
    };
    for second in 3..=100u32 {
        world.at(f64::from(second));
        let last_video = Some(world.now.mono);
        let last_audio = sound(&world, second.min(20));
        let figures = StreamFigures {
            last_video,
            last_audio,
            units: 30,
            keyframes: u64::from(second),
            ..Default::default()
        };
        world.camera(0, CameraEvent::Received(figures));
        world.stored(f64::from(second - 1), f64::from(second));
    }
    world.expect_of("alarm", &["90.0 alarm SoundLost(CameraIndex(0)) Unacknowledged x1 None"]);
}

#[test]
fn memory_is_given_up_step_by_step_and_taken_back_slowly() {
    let mut world = World::recording();
    let mut told = Vec::new();
    for second in 0..400u32 {
        world.at(2.0 + f64::from(second));
        world.tell(Event::MemoryPressure(if second < 60 { 300 } else { 0 }));
        world.received(u64::from(second) + 2);
        world.stored(1.0 + f64::from(second), 2.0 + f64::from(second));
        for line in world.lines() {
            assert!(
                !line.contains("disconnect") && !line.contains("nowhere"),
                "main video is never given up: {line}"
            );
            told.extend(line.contains("shed").then_some(line));
        }
    }
    assert_eq!(
        told,
        [
            "7.0 shed Depth",
            "12.0 shed Audio",
            "17.0 shed Fallback",
            "122.0 shed Audio",
            "182.0 shed Depth",
            "242.0 shed Nothing",
        ]
    );
    assert!(Shed::Depth < Shed::Audio && Shed::Audio < Shed::Fallback);
}

#[test]
fn pressure_that_comes_and_goes_gives_nothing_up() {
    let mut world = World::recording();
    for second in 0..300u32 {
        world.at(2.0 + f64::from(second) * 0.1);
        world.tell(Event::MemoryPressure(if second % 40 < 20 { 300 } else { 50 }));
    }
    world.expect_of("shed", &[]);
}

#[test]
fn the_watchdog_gets_its_sign_of_life_each_second_while_every_camera_is_dead() {
    use holdfast_core::Appliance;
    use holdfast_core::effect::Effect;
    let mut core = Appliance::new(world::settings(32, 0, holdfast_core::settings::TransportChoice::Auto));
    let (mut world, mut alive) = (World::one(), Vec::new());
    core.handle(world.now, Event::Start);
    for _ in 0..3000 {
        while let Some(effect) = core.poll_effect() {
            if effect == Effect::Alive {
                alive.push(world.now.mono);
            }
        }
        let next = core.poll_timeout().expect("it runs");
        world.until(next);
        core.handle(world.now, Event::Tick);
    }
    let gaps: Vec<_> = alive.windows(2).map(|pair| pair[1].since(pair[0]).as_millis()).collect();
    assert!(gaps.iter().all(|gap| (1000..=2000).contains(gap)), "{gaps:?}");
}
