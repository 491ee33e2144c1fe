//! A camera with two streams: which one is recorded, and when.

mod world;

use holdfast_core::effect::StreamStatus;
use holdfast_core::event::{CameraEvent, Event, Failure, StreamFigures, VolumeEvent};
use holdfast_core::settings::{CameraIndex, CameraSettings, Settings, TransportChoice};
use world::{World, settings};

const CAMERA: CameraIndex = CameraIndex(0);

fn two_streams() -> Settings {
    let camera = CameraSettings { fallback: Some(0), ..CameraSettings::default() };
    Settings { cameras: [camera].into_iter().collect(), ..settings(0, 1, TransportChoice::Auto) }
}

/// Its main stream is recorded since second 1; at second 2 it breaks, and every attempt at it fails.
fn main_lost() -> World {
    let mut world = World::started(two_streams());
    world.volume(0, VolumeEvent::Ready);
    world.at(1.0);
    world.record(1.0, 2.0);
    world.fail(Failure::ServerClosed);
    world.camera(0, CameraEvent::TornDown);
    world.forget();
    world
}

fn fallback(world: &mut World, event: CameraEvent) {
    world.tell(Event::Fallback(CAMERA, event));
}

fn figures(world: &World, keyframes: u64) -> CameraEvent {
    let last_video = Some(world.now.mono);
    CameraEvent::Received(StreamFigures {
        last_video,
        units: keyframes * 30,
        keyframes,
        ..Default::default()
    })
}

/// Video of the fallback comes and is stored each second; of the main stream too where `main` has its first keyframe.
fn go_on(world: &mut World, from: u32, to: u32, main: Option<u32>) {
    for second in from..to {
        world.at(f64::from(second + 1));
        let event = figures(world, u64::from(second + 1));
        fallback(world, event);
        if let Some(first) = main {
            let event = figures(world, u64::from(second + 1 - first));
            world.camera(0, event);
        }
        world.stored(f64::from(second), f64::from(second + 1));
    }
}

/// The fallback is recorded from `from` on, until the main stream's next attempt succeeds. Gives the second after that.
fn main_returns(world: &mut World, from: u32) -> u32 {
    world.camera(0, CameraEvent::TornDown);
    for second in from..from + 40 {
        world.forget();
        go_on(world, second, second + 1, None);
        world.camera(0, CameraEvent::TornDown);
        if world.lines().iter().any(|line| line.contains("cam0 connect")) {
            world.streaming();
            return second + 1;
        }
    }
    panic!("no attempt");
}

#[test]
fn after_ten_seconds_the_fallback_is_recorded_until_the_main_stream_has_been_healthy_for_thirty() {
    let mut world = main_lost();
    world.at(11.9);
    world.expect_of("sub0", &[]);
    world.at(12.0);
    world.expect_of("sub0", &["12.0 sub0 Connect { transport: Tcp, attempt: 0, why: MainAway }"]);
    fallback(&mut world, CameraEvent::Streaming { video: true, audio: false });
    world.expect_of("cam0", &["12.0 cam0 record Fallback", "12.0 cam0 is Waiting"]);
    go_on(&mut world, 12, 14, None);
    world.expect_of(
        "cam0",
        &[
            "13.0 ledger0: cam0 gap 2.0..12.0 Camera(ServerClosed)",
            "13.0 cam0 is OnFallback { failure: Some(ServerClosed) }",
        ],
    );
    // The main stream comes back at its next attempt.
    let first = main_returns(&mut world, 14);
    world.forget();
    go_on(&mut world, first, first + 29, Some(first));
    world.expect_of("record", &[]);
    go_on(&mut world, first + 29, first + 34, Some(first));
    let lines = world.lines();
    let told: Vec<_> =
        lines.iter().filter(|l| !l.contains("alarm") && !l.contains("Forecast")).map(|l| &l[5..]).collect();
    assert_eq!(told, ["cam0 record Main", "cam0 is Recording", "sub0 Disconnect(MainBack)"], "{lines:?}");
}

#[test]
fn a_keyframe_that_came_before_the_way_back_was_decided_does_not_end_the_fallback() {
    let mut world = main_lost();
    world.at(12.0);
    fallback(&mut world, CameraEvent::Streaming { video: true, audio: false });
    go_on(&mut world, 12, 14, None);
    let first = main_returns(&mut world, 14);
    go_on(&mut world, first, first + 30, Some(first));
    world.at(f64::from(first + 31));
    world.expect_of("cam0 record", &[&format!("{}.0 cam0 record Main", first + 31)]);
    // The figures of the second before: their keyframe is older than the decision.
    let event = figures(&world, 31);
    world.camera(0, event);
    world.expect_of("sub0", &[]);
    let event = figures(&world, 32);
    world.camera(0, event);
    world.expect_of("sub0", &[&format!("{}.0 sub0 Disconnect(MainBack)", first + 31)]);
}

#[test]
fn the_alarm_says_that_the_fallback_is_recorded_and_ends_with_it() {
    let mut world = main_lost();
    world.at(12.0);
    fallback(&mut world, CameraEvent::Streaming { video: true, audio: false });
    world.forget();
    go_on(&mut world, 12, 60, None);
    // It came before the camera was called lost.
    let told = "13.0 alarm CameraFallback(CameraIndex(0)) Unacknowledged x1 Camera(ServerClosed)";
    world.expect_of("alarm", &[told]);
}

#[test]
fn a_main_stream_that_is_back_before_the_fallback_is_up_goes_on_alone() {
    let mut world = main_lost();
    world.at(12.0);
    world.forget();
    world.streaming();
    world.at(13.0);
    world.received(1);
    world.expect_of("sub0", &["13.0 sub0 Disconnect(MainBack)"]);
    fallback(&mut world, CameraEvent::Streaming { video: true, audio: false });
    fallback(&mut world, CameraEvent::TornDown);
    world.at(60.0);
    world.expect_of("record", &[]);
}

#[test]
fn a_fallback_that_breaks_leaves_the_way_to_whichever_comes_first() {
    let mut world = main_lost();
    world.at(12.0);
    fallback(&mut world, CameraEvent::Streaming { video: true, audio: false });
    go_on(&mut world, 12, 16, None);
    world.forget();
    fallback(&mut world, CameraEvent::Failed(Failure::Bye));
    world.expect_of("record", &["16.0 cam0 record Main"]);
    fallback(&mut world, CameraEvent::TornDown);
    // It had been healthy: tried again at once, and recorded again.
    world.expect_of("sub0", &["16.0 sub0 Connect { transport: Tcp, attempt: 1, why: AtOnce(Bye) }"]);
    fallback(&mut world, CameraEvent::Streaming { video: true, audio: false });
    world.expect_of("record", &["16.0 cam0 record Fallback"]);
}

#[test]
fn a_main_stream_that_breaks_while_it_proves_itself_begins_its_thirty_seconds_anew() {
    let mut world = main_lost();
    world.at(12.0);
    fallback(&mut world, CameraEvent::Streaming { video: true, audio: false });
    go_on(&mut world, 12, 14, None);
    let first = main_returns(&mut world, 14);
    go_on(&mut world, first, first + 25, Some(first));
    world.fail(Failure::ServerClosed);
    world.camera(0, CameraEvent::TornDown);
    world.forget();
    go_on(&mut world, first + 25, first + 35, None);
    world.expect_of("record", &[]);
}

#[test]
fn a_camera_that_refuses_the_password_is_not_asked_for_its_second_stream() {
    let mut world = World::started(two_streams());
    world.volume(0, VolumeEvent::Ready);
    world.fail(Failure::Unauthorized);
    world.camera(0, CameraEvent::TornDown);
    world.at(59.0);
    world.expect_of("sub0", &[]);
}

#[test]
fn while_memory_is_short_no_fallback_is_begun_and_none_is_kept_longer_than_needed() {
    let mut world = main_lost();
    world.at(12.0);
    world.expect_of("sub0", &["12.0 sub0 Connect { transport: Tcp, attempt: 0, why: MainAway }"]);
    fallback(&mut world, CameraEvent::Streaming { video: true, audio: false });
    for second in 12..50 {
        go_on(&mut world, second, second + 1, None);
        world.tell(Event::MemoryPressure(500));
    }
    world.expect_of("sub0", &[]);
    let first = main_returns(&mut world, 50);
    world.forget();
    go_on(&mut world, first, first + 2, Some(first));
    let lines: Vec<_> = world.lines().into_iter().filter(|line| line.contains("record")).collect();
    assert_eq!(lines.len(), 1, "at its first keyframe: {lines:?}");
}

#[test]
fn a_fallback_that_breaks_while_it_is_left_is_not_connected_again() {
    let mut world = main_lost();
    world.at(12.0);
    fallback(&mut world, CameraEvent::Streaming { video: true, audio: false });
    for second in 12..50 {
        go_on(&mut world, second, second + 1, None);
        world.tell(Event::MemoryPressure(500));
    }
    let first = main_returns(&mut world, 50);
    go_on(&mut world, first, first + 1, Some(first));
    let back = world.lines().into_iter().find(|line| line.contains("record Main"));
    assert!(back.is_some(), "at its first keyframe");
    fallback(&mut world, CameraEvent::Failed(Failure::Stalled));
    fallback(&mut world, CameraEvent::TornDown);
    world.at(f64::from(first + 2));
    let again = world.lines().into_iter().find(|line| line.contains("sub0 Connect"));
    assert_eq!(again, None);
}

#[test]
fn a_fallback_that_refuses_the_password_rests_though_the_main_stream_comes_and_goes() {
    let mut world = main_lost();
    world.at(12.0);
    world.expect_of("sub0", &["12.0 sub0 Connect { transport: Tcp, attempt: 0, why: MainAway }"]);
    fallback(&mut world, CameraEvent::Failed(Failure::Unauthorized));
    fallback(&mut world, CameraEvent::TornDown);
    // The main stream is tried since second 2, comes for some seconds, and goes again.
    world.streaming();
    world.at(13.0);
    world.received(1);
    world.fail(Failure::ServerClosed);
    world.camera(0, CameraEvent::TornDown);
    world.forget();
    world.at(71.9);
    world.expect_of("sub0", &[]);
    world.at(72.0);
    world.expect_of("sub0", &["72.0 sub0 Connect { transport: Tcp, attempt: 1, why: MainAway }"]);
}

#[test]
fn while_memory_is_short_a_second_stream_that_gives_nothing_is_let_go_and_asked_again_after() {
    let mut world = main_lost();
    world.at(12.0);
    world.expect_of("sub0", &["12.0 sub0 Connect { transport: Tcp, attempt: 0, why: MainAway }"]);
    for second in 13..=200u32 {
        world.tell(Event::MemoryPressure(500));
        world.at(f64::from(second));
        fallback(&mut world, CameraEvent::TornDown);
        if second == 40 {
            world.forget();
        }
    }
    world.expect_of("sub0", &[]);
    for second in 201..=600u32 {
        world.tell(Event::MemoryPressure(0));
        world.at(f64::from(second));
    }
    let lines = world.lines();
    assert!(lines.iter().any(|line| line.contains("sub0 Connect")), "{lines:?}");
}

#[test]
fn what_became_of_a_second_stream_can_be_asked() {
    let mut world = main_lost();
    let asked = |world: &World| world.core.second_stream(CAMERA);
    assert_eq!(World::one().core.second_stream(CAMERA), None, "it has none");
    assert_eq!(asked(&world), Some(StreamStatus::Idle), "the first one has just broken");
    world.at(12.0);
    assert_eq!(asked(&world), Some(StreamStatus::Connecting));
    fallback(&mut world, CameraEvent::Failed(Failure::NotFound));
    assert_eq!(asked(&world), Some(StreamStatus::BackingOff { failure: Failure::NotFound }));
    fallback(&mut world, CameraEvent::TornDown);
    assert_eq!(asked(&world), Some(StreamStatus::BackingOff { failure: Failure::NotFound }));
    while asked(&world) != Some(StreamStatus::Connecting) {
        assert!(world.secs() < 100.0, "it is not tried again");
        world.at(world.secs() + 1.0);
    }
    fallback(&mut world, CameraEvent::Streaming { video: true, audio: false });
    assert_eq!(asked(&world), Some(StreamStatus::Connected));
}
