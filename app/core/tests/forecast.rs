//! The forecast: how long a volume lasts at the rate of the last minutes, and whether that is as long as configured.

mod world;

use core::time::Duration;
use holdfast_core::effect::{Effect, Forecast, VolumeEffect};
use holdfast_core::event::{Fault, VolumeEvent, VolumeFigures};
use holdfast_core::retention::Threshold;
use holdfast_core::settings::{CameraIndex, Settings, VolumeKind};
use world::{World, places, span};

const GB: u64 = 1_000_000_000;
const DAY: u64 = 86_400;

/// One volume, a promise of ten days, cleaning from 5 GB or 5 % on.
fn world() -> World {
    let settings = Settings {
        retention: Duration::from_secs(10 * DAY),
        cleaning_starts: Threshold { bytes: 5 * GB, per_mille: 50 },
        ..places(&[VolumeKind::Path])
    };
    let mut world = World::started(settings);
    world.volume(0, VolumeEvent::Ready);
    world.streaming();
    world.forget();
    world
}

fn figures(free: u64, total: u64, footage: Option<u64>) -> VolumeEvent {
    let (free, total) = (Some(free), Some(total));
    VolumeEvent::Figures(VolumeFigures { free, total, footage, ..VolumeFigures::default() })
}

/// For so many minutes, this many bytes become durable each second.
fn take(world: &mut World, minutes: u32, rate: u64) {
    for _ in 0..minutes * 6 {
        let from = world.secs();
        world.at(from + 10.0);
        world.received((from / 10.0) as u64 + 1);
        let span = span(from, from + 10.0);
        world.volume(0, VolumeEvent::Stored { camera: CameraIndex(0), span, frames: 250, bytes: rate * 10 });
    }
    // The minute ends after what came in its last moment.
    let at = world.secs();
    world.at(at);
}

fn forecasts(world: &mut World) -> Vec<Forecast> {
    let told = world.effects().into_iter().filter_map(|effect| match effect {
        Effect::Volume(_, VolumeEffect::Forecast(forecast)) => Some(forecast),
        _ => None,
    });
    told.collect()
}

#[test]
fn nothing_is_forecast_before_a_minute_was_seen_then_once_a_minute() {
    let mut world = world();
    take(&mut world, 1, 1_000_000);
    let told = forecasts(&mut world);
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!((world.secs(), told[0].promised), (60.0, Duration::from_secs(10 * DAY)));
    take(&mut world, 10, 1_000_000);
    assert_eq!(forecasts(&mut world).len(), 10);
}

#[test]
fn a_volume_fills_until_cleaning_begins_and_holds_what_it_has_besides() {
    for (case, free, total, footage, until_full, holds) in [
        ("a large one keeps 5 GB", 105 * GB, 1000 * GB, Some(900 * GB), Some(100_000), Some(1_000_000)),
        ("a small one keeps 5 %", 2 * GB, 10 * GB, Some(0), Some(1_500), Some(1_500)),
        ("cleaning has begun", GB, 1000 * GB, Some(900 * GB), Some(0), Some(900_000)),
        ("not counted yet", 105 * GB, 1000 * GB, None, Some(100_000), None),
    ] {
        let mut world = world();
        world.volume(0, figures(free, total, footage));
        // The last ten seconds of a minute are told after it ended: full minutes follow.
        take(&mut world, 12, 1_000_000);
        let last = forecasts(&mut world).pop().expect("told");
        assert_eq!(last.rate, 1_000_000, "{case}");
        assert_eq!(last.until_full, until_full.map(Duration::from_secs), "{case}");
        assert_eq!(last.holds, holds.map(Duration::from_secs), "{case}");
    }
}

#[test]
fn nothing_that_comes_in_lasts_for_ever_and_is_told_once() {
    let mut world = world();
    world.volume(0, figures(100 * GB, 1000 * GB, Some(GB)));
    take(&mut world, 3, 1_000_000);
    world.forget();
    take(&mut world, 15, 0);
    let told = forecasts(&mut world);
    let zero = told.iter().filter(|forecast| forecast.rate == 0).count();
    assert_eq!(zero, 1, "{told:?}");
    let last = told.last().expect("told");
    assert_eq!((last.until_full, last.holds), (None, None));
    // A byte a second for 3,000 years.
    take(&mut world, 12, 1);
    let last = forecasts(&mut world).pop().expect("told");
    assert_eq!((last.rate, last.until_full), (1, None));
}

#[test]
fn the_rate_is_that_of_the_last_ten_minutes() {
    let mut world = world();
    take(&mut world, 12, 1_000_000);
    take(&mut world, 5, 3_000_000);
    let half = forecasts(&mut world).pop().expect("told").rate;
    assert!((1_900_000..=2_100_000).contains(&half), "{half}");
    take(&mut world, 6, 3_000_000);
    assert_eq!(forecasts(&mut world).pop().expect("told").rate, 3_000_000);
}

#[test]
fn no_figures_can_make_it_overflow() {
    let mut world = world();
    world.volume(0, figures(u64::MAX, u64::MAX, Some(u64::MAX)));
    for _ in 0..3 {
        let from = world.secs();
        world.at(from + 30.0);
        world.received(from as u64 + 1);
        let span = span(from, from + 30.0);
        world.volume(0, VolumeEvent::Stored { camera: CameraIndex(0), span, frames: 1, bytes: u64::MAX });
        world.volume(0, VolumeEvent::Stored { camera: CameraIndex(0), span, frames: 1, bytes: u64::MAX });
    }
    assert!(!forecasts(&mut world).is_empty());
}

#[test]
fn a_pause_is_no_minute() {
    let mut world = world();
    take(&mut world, 12, 1_000_000);
    world.fault(0, Fault::Io);
    for second in 0..300 {
        let next = world.secs() + 1.0;
        world.at(next);
        world.received(1000 + second);
        world.fault(0, Fault::Io);
    }
    world.at(world.secs() + 2.0);
    world.volume(0, VolumeEvent::Ready);
    world.forget();
    take(&mut world, 2, 1_000_000);
    let told = forecasts(&mut world);
    assert!(told.iter().all(|forecast| forecast.rate > 980_000), "{told:?}");
}

#[test]
fn a_promise_that_cannot_be_kept_is_an_alarm_after_an_hour_and_twenty_minutes() {
    let mut world = world();
    // 5 days at this rate.
    world.volume(0, figures(5 * GB, 1000 * GB, Some(432 * GB)));
    take(&mut world, 79, 1_000_000);
    world.expect_of("alarm Retention", &[]);
    take(&mut world, 3, 1_000_000);
    let lines: Vec<_> = world.lines().into_iter().filter(|line| line.contains("alarm Retention")).collect();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("Unacknowledged x1 Seconds(43"), "{lines:?}");
    // Kept by a hair: the alarm stays. Kept by a tenth: it is over.
    world.volume(0, figures(5 * GB, 1000 * GB, Some(865 * GB)));
    take(&mut world, 20, 1_000_000);
    world.expect_of("alarm Retention", &[]);
    world.volume(0, figures(5 * GB, 1000 * GB, Some(951 * GB)));
    take(&mut world, 3, 1_000_000);
    let lines: Vec<_> = world.lines().into_iter().filter(|line| line.contains("alarm Retention")).collect();
    assert!(lines.len() == 1 && lines[0].contains("Normal"), "{lines:?}");
}

#[test]
fn a_bright_scene_is_no_broken_promise() {
    let mut world = world();
    world.volume(0, figures(5 * GB, 1000 * GB, Some(900 * GB)));
    take(&mut world, 90, 1_000_000);
    // The mean is too high for less than twenty minutes.
    take(&mut world, 9, 2_000_000);
    take(&mut world, 30, 1_000_000);
    world.expect_of("alarm Retention", &[]);
}
