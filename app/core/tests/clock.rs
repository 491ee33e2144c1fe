//! The clocks: anchors, trust, steps.

mod world;

use holdfast_core::event::{Event, VolumeEvent};
use holdfast_core::settings::TransportChoice;
use holdfast_core::time::Wall;
use world::{World, settings};

#[test]
fn what_is_told_depends_on_how_far_the_clock_was_set() {
    let nothing: &[&str] = &[];
    for (case, by, expected) in [
        ("three hundredths of a second are jitter", 0.03, nothing),
        ("more is corrected in silence", 0.2, &["10.0 anchor 10.0 = 10.2 trusted"]),
        ("backward too", -0.2, &["10.0 anchor 10.0 = 9.8 trusted"]),
        ("two seconds are harmless", 2.0, &["10.0 anchor 10.0 = 12.0 trusted"]),
        (
            "more is told",
            2.1,
            &[
                "10.0 anchor 10.0 = 12.1 trusted",
                "10.0 ledger0: clock +2.1 at 12.1",
                "10.0 alarm ClockStepped ReturnedUnacknowledged x1 Micros(2100000)",
            ],
        ),
        (
            "an hour backward is told",
            -3600.0,
            &[
                "10.0 anchor 10.0 = -3590.0 trusted",
                "10.0 ledger0: clock -3600.0 at -3590.0",
                "10.0 alarm ClockStepped ReturnedUnacknowledged x1 Micros(-3600000000)",
            ],
        ),
    ] {
        let mut world = World::started(settings(0, 1, TransportChoice::Auto));
        world.volume(0, VolumeEvent::Ready);
        world.at(10.0);
        world.forget();
        world.set_clock(by);
        world.tell(Event::Tick);
        let lines = world.lines();
        assert_eq!(lines, expected, "{case}");
        world.tell(Event::Tick);
        assert_eq!(world.lines(), nothing, "{case}: told once");
    }
}

#[test]
fn a_step_is_seen_within_a_second_without_any_event() {
    let mut world = World::started(settings(0, 0, TransportChoice::Auto));
    world.at(10.5);
    world.forget();
    world.set_clock(60.0);
    world.at(11.5);
    world.expect_of("anchor", &["11.0 anchor 11.0 = 71.0 trusted"]);
}

#[test]
fn a_slow_drift_is_corrected_before_it_is_half_a_second() {
    let mut world = World::started(settings(0, 0, TransportChoice::Auto));
    let mut worst = 0i64;
    let mut anchor = None;
    for second in 1..=3600 {
        world.at(f64::from(second));
        world.set_clock(0.0005);
        world.tell(Event::Tick);
        for effect in world.effects() {
            match effect {
                holdfast_core::effect::Effect::SetAnchor(new) => anchor = Some(new),
                holdfast_core::effect::Effect::Alarm(notice) => {
                    assert_eq!(notice.key, holdfast_core::alarm::AlarmKey::NothingRecords);
                }
                effect => panic!("{effect:?}"),
            }
        }
        let anchor = anchor.expect("set at start");
        worst = worst.max(world.now.wall.micros_since(anchor.wall_at(world.now.mono)).abs());
    }
    assert!(worst <= 30_500 && worst > 15_000, "{worst}");
}

#[test]
fn a_clock_before_the_floor_is_not_trusted_until_it_is_set() {
    let mut world = World::silent(settings(0, 1, TransportChoice::Auto));
    world.now.wall = Wall::from_secs(1_000_000);
    world.tell(Event::Start);
    world.volume(0, VolumeEvent::Ready);
    assert!(world.lines()[0].ends_with("untrusted"));
    world.at(59.9);
    world.expect(&[]);
    world.at(60.0);
    world.expect(&["60.0 alarm ClockUntrusted Unacknowledged x1 None"]);
    world.at(90.0);
    world.tell(Event::ClockSynchronised(true));
    world.expect(&[]);
    world.set_clock((1_800_000_000 - 1_000_000) as f64);
    world.tell(Event::ClockSynchronised(true));
    world.expect(&[
        "90.0 anchor 90.0 = 90.0 trusted",
        "90.0 ledger0: times -1799000000.0..-1798999910.0 are off by +1799000000.0",
        "90.0 alarm ClockUntrusted Normal x1 None",
    ]);
}

#[test]
fn a_clock_that_reaches_the_floor_by_itself_gets_a_trusted_anchor() {
    let mut world = World::silent(settings(0, 1, TransportChoice::Auto));
    world.now.wall = Wall::from_secs(1_700_000_000 - 5);
    world.tell(Event::Start);
    world.at(4.9);
    world.expect_of(" trusted", &[]);
    world.at(5.0);
    assert_eq!(world.lines().iter().filter(|line| line.ends_with(" trusted")).count(), 1);
}
