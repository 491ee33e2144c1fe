//! Many cameras at once: the budget of attempts, and the network as their common cause.

mod world;

use holdfast_core::effect::{CameraEffect, Effect};
use holdfast_core::event::{CameraEvent, Event, Failure, StreamFigures, VolumeEvent};
use holdfast_core::settings::{CameraIndex, CameraSettings, Settings, TransportChoice};
use std::collections::VecDeque;
use std::ops::Range;
use world::{World, densest, settings, span};

/// Cameras that record since second 5, each on a host of its own.
fn recording(cameras: u8) -> World {
    let mut world = World::started(settings(usize::from(cameras), 1, TransportChoice::Auto));
    world.volume(0, VolumeEvent::Ready);
    world.at(5.0);
    for camera in 0..cameras {
        world.camera(camera, CameraEvent::Streaming { video: true, audio: false });
        received(&mut world, camera, 1);
    }
    world.forget();
    world
}

fn received(world: &mut World, camera: u8, keyframes: u64) {
    let last_video = Some(world.now.mono);
    let figures = StreamFigures { last_video, units: keyframes * 30, keyframes, ..Default::default() };
    world.camera(camera, CameraEvent::Received(figures));
    let span = span(world.secs() - 1.0, world.secs());
    let stored = VolumeEvent::Stored { camera: CameraIndex(camera), span, frames: 30, bytes: 500_000 };
    world.volume(0, stored);
}

fn lose(world: &mut World, camera: u8, failure: Failure) {
    world.camera(camera, CameraEvent::Failed(failure));
    world.camera(camera, CameraEvent::TornDown);
}

/// Cameras give video and have it stored in these seconds.
fn live(world: &mut World, seconds: Range<u32>, cameras: Range<u8>) {
    for second in seconds {
        world.at(f64::from(second));
        cameras.clone().for_each(|camera| received(world, camera, u64::from(second)));
    }
}

#[test]
fn no_second_holds_more_than_four_attempts_however_many_cameras_return_at_once() {
    let mut world = World::started(settings(32, 1, TransportChoice::Auto));
    let mut attempts = Vec::new();
    let (mut answers, mut up) = (VecDeque::new(), 0);
    let mut note = |effects: Vec<Effect>, world: &World, answers: &mut VecDeque<u8>| {
        for effect in effects {
            if let Effect::Camera(CameraIndex(camera), CameraEffect::Connect { .. }) = effect {
                attempts.push(world.now.mono);
                answers.push_back(camera);
            }
        }
    };
    let (mut lost, mut second) = (false, 0);
    while world.secs() < 120.0 {
        let effects = world.effects();
        note(effects, &world, &mut answers);
        match answers.pop_front() {
            Some(camera) => {
                world.camera(camera, CameraEvent::Streaming { video: true, audio: false });
                received(&mut world, camera, 1);
                up += 1;
            }
            None => {
                let next = world.core.poll_timeout().unwrap();
                world.until(next);
                let keyframes = world.secs() as u64;
                if keyframes > second {
                    second = keyframes;
                    (0..32).for_each(|camera| received(&mut world, camera, keyframes));
                }
            }
        }
        if !lost && world.secs() > 60.0 {
            lost = true;
            let effects = world.effects();
            note(effects, &world, &mut answers);
            for camera in 0..32 {
                lose(&mut world, camera, Failure::ServerClosed);
            }
        }
    }
    assert!(up >= 64, "each camera connected twice: {up}");
    assert_eq!(densest(&attempts), 4);
}

#[test]
fn a_camera_alone_is_tried_without_any_wait() {
    let mut world = World::recording();
    world.fail(Failure::ServerClosed);
    world.camera(0, CameraEvent::TornDown);
    world.expect_of("cam0 connect ", &["2.0 cam0 connect Tcp #1"]);
}

#[test]
fn one_host_is_asked_for_two_sessions_at_a_time() {
    let cameras = (0..16).map(|_| CameraSettings::default()).collect();
    let mut world = World::started(Settings { cameras, ..settings(0, 1, TransportChoice::Auto) });
    world.at(3.0);
    let connects = |world: &mut World| world.lines().iter().filter(|line| line.contains("connect ")).count();
    assert_eq!(connects(&mut world), 2);
    world.camera(0, CameraEvent::Streaming { video: true, audio: false });
    assert_eq!(connects(&mut world), 1, "one that is up makes room");
    world.camera(1, CameraEvent::Failed(Failure::SessionLimit));
    world.at(3.5);
    assert_eq!(connects(&mut world), 0);
    world.camera(1, CameraEvent::TornDown);
    assert_eq!(connects(&mut world), 1, "one that failed does when it is torn down");
    world.at(7.9);
    assert_eq!(connects(&mut world), 0);
    world.at(8.0);
    assert_eq!(connects(&mut world), 1, "one that does not answer holds up nobody for longer than 5 s");
}

#[test]
fn most_cameras_lost_within_seconds_are_one_alarm_about_the_network() {
    let mut world = recording(6);
    live(&mut world, 6..20, 0..6);
    for (camera, second) in [(0, 20), (1, 21), (2, 22), (3, 24)] {
        live(&mut world, second..second + 1, camera..6);
        lose(&mut world, camera, Failure::Unreachable);
    }
    for second in 25..80u32 {
        world.at(f64::from(second));
        (4..6).for_each(|camera| received(&mut world, camera, u64::from(second)));
    }
    world.expect_of("alarm", &["34.0 alarm Network Unacknowledged x1 Network { cameras: 4, carrier: true }"]);
}

#[test]
fn cameras_cut_off_together_are_one_alarm_though_some_are_noticed_by_a_stall_only() {
    let mut world = recording(6);
    live(&mut world, 6..21, 0..6);
    (0..2).for_each(|camera| lose(&mut world, camera, Failure::ServerClosed));
    for second in 21..90u32 {
        world.at(f64::from(second));
        for camera in 0..2 {
            lose(&mut world, camera, Failure::Unreachable);
        }
    }
    let lines: Vec<_> = world.lines().into_iter().filter(|line| line.contains("alarm")).collect();
    assert!(matches!(&lines[..], [line] if line.contains("alarm Network Unack")), "{lines:?}");
}

#[test]
fn the_network_s_alarm_ends_when_most_are_back_and_those_that_are_not_have_their_own() {
    let mut world = recording(4);
    live(&mut world, 6..16, 0..4);
    (0..4).for_each(|camera| lose(&mut world, camera, Failure::Stalled));
    world.at(30.0);
    world.expect_of("alarm", &["25.0 alarm Network Unacknowledged x1 Network { cameras: 4, carrier: true }"]);
    let back = |world: &mut World, second: u32| {
        for camera in 0..3 {
            world.camera(camera, CameraEvent::Streaming { video: true, audio: false });
            received(world, camera, u64::from(second));
        }
    };
    for second in 31..80u32 {
        world.at(f64::from(second));
        back(&mut world, second);
    }
    let lines: Vec<_> = world.lines().into_iter().filter(|line| line.contains("alarm")).collect();
    let (own, network): (Vec<_>, Vec<_>) = lines.iter().partition(|line| line.contains("CameraLost"));
    assert!(matches!(own[..], [line] if line.contains("CameraIndex(3)")), "{lines:?}");
    assert!(matches!(network[..], [line] if line.contains("Network Normal")), "{lines:?}");
}

#[test]
fn without_a_carrier_one_camera_is_enough() {
    for (case, carrier, expected) in [
        ("no carrier", false, "35.0 alarm Network Unacknowledged x1 Network { cameras: 1, carrier: false }"),
        (
            "with one it is the camera",
            true,
            "37.0 alarm CameraLost(CameraIndex(0)) Unacknowledged x1 Camera(Unreachable)",
        ),
    ] {
        let mut world = recording(1);
        live(&mut world, 6..12, 0..1);
        world.tell(Event::Carrier(carrier));
        live(&mut world, 12..26, 0..1);
        lose(&mut world, 0, Failure::Unreachable);
        world.at(38.0);
        let alarms: Vec<_> = world.lines().into_iter().filter(|line| line.contains("alarm")).collect();
        assert_eq!(alarms, [expected], "{case}");
    }
}

#[test]
fn a_carrier_that_comes_back_brings_every_attempt_forward_spread_by_the_budget() {
    let mut world = recording(8);
    world.tell(Event::Carrier(false));
    for _ in 0..12 {
        (0..8).for_each(|camera| lose(&mut world, camera, Failure::Unreachable));
        world.at(world.secs() + 301.0);
    }
    (0..8).for_each(|camera| lose(&mut world, camera, Failure::Unreachable));
    world.forget();
    let back = world.secs() + 1.0;
    world.at(back);
    world.tell(Event::Carrier(true));
    world.at(back + 4.0);
    let connects = world.lines().iter().filter(|line| line.contains("connect ")).count();
    assert_eq!(connects, 8, "all within four seconds instead of five minutes");
}

#[test]
fn a_camera_whose_password_is_refused_is_not_hurried() {
    let mut world = recording(3);
    world.tell(Event::Carrier(false));
    live(&mut world, 6..16, 0..3);
    lose(&mut world, 0, Failure::Unauthorized);
    lose(&mut world, 1, Failure::Unreachable);
    lose(&mut world, 2, Failure::Unreachable);
    world.at(16.0);
    world.forget();
    world.tell(Event::Carrier(true));
    world.at(17.0);
    world.expect_of("cam0 connect", &[]);
}

#[test]
fn thirty_cameras_with_troubles_of_their_own_over_ten_minutes_are_no_common_cause() {
    let mut world = recording(30);
    for minute in 0..10u32 {
        for second in 0..60u32 {
            world.at(11.0 + f64::from(minute * 60 + second));
            (0..30).filter(|camera| u32::from(*camera) != minute % 30 || second > 30).for_each(|camera| {
                world.camera(camera, CameraEvent::Streaming { video: true, audio: false });
                received(&mut world, camera, u64::from(minute * 60 + second + 2));
            });
            if second == 0 {
                lose(&mut world, (minute % 30) as u8, Failure::ServerClosed);
            }
        }
    }
    world.expect_of("alarm Network", &[]);
}
