//! Why an attempt got no connection is found out by another one: within the budget of attempts, before others begin, and not
//! for ever.

mod world;

use holdfast_core::effect::{CameraEffect, Effect, Reason};
use holdfast_core::event::{CameraEvent, Event, Failure};
use holdfast_core::settings::{CameraIndex, CameraSettings, Settings, TransportChoice};
use holdfast_core::time::Mono;
use std::collections::VecDeque;
use world::{World, densest, settings};

/// The failures by which links were given up, since this was asked last.
fn failures(world: &mut World) -> Vec<String> {
    let given_up = |effect| match effect {
        Effect::Camera(_, CameraEffect::Disconnect(Reason::Failed(failure))) => Some(format!("{failure:?}")),
        _ => None,
    };
    world.effects().into_iter().filter_map(given_up).collect()
}

#[test]
fn an_attempt_without_a_connection_is_followed_by_one_that_finds_out_why() {
    let mut world = World::one();
    world.forget();
    world.at(0.5);
    world.camera(0, CameraEvent::NoConnection);
    world.expect(&["0.5 cam0 diagnose"]);
    world.at(1.0);
    world.fail(Failure::Refused);
    assert_eq!(failures(&mut world), ["Refused"]);
}

#[test]
fn it_is_asked_once_an_attempt() {
    let mut world = World::one();
    world.camera(0, CameraEvent::NoConnection);
    world.camera(0, CameraEvent::NoConnection);
    world.at(3.0);
    world.camera(0, CameraEvent::NoConnection);
    world.at(14.0);
    world.expect_of("cam0 diagnose", &["0.0 cam0 diagnose"]);
}

#[test]
fn a_diagnosis_that_never_ends_is_no_answer_in_time() {
    let mut world = World::one();
    world.at(10.0);
    world.camera(0, CameraEvent::NoConnection);
    world.at(24.9);
    assert_eq!(failures(&mut world), [""; 0]);
    world.at(25.1);
    assert_eq!(failures(&mut world), ["ConnectTimeout"]);
}

#[test]
fn what_has_no_attempt_under_way_is_not_diagnosed() {
    let mut world = World::one();
    world.streaming();
    world.camera(0, CameraEvent::NoConnection);
    assert_eq!(failures(&mut world), ["ServerClosed"], "rtspsrc had tried to have the connection again");
    world.camera(0, CameraEvent::NoConnection);
    world.camera(0, CameraEvent::TornDown);
    world.camera(0, CameraEvent::NoConnection);
    world.at(4.0);
    world.expect_of("cam0 diagnose", &[]);
}

#[test]
fn a_host_without_room_for_a_session_is_asked_why_all_the_same() {
    let cameras = (0..8).map(|_| CameraSettings::default()).collect();
    let mut world = World::started(Settings { cameras, ..settings(0, 1, TransportChoice::Auto) });
    world.at(1.5);
    world.forget();
    world.camera(0, CameraEvent::NoConnection);
    world.camera(1, CameraEvent::NoConnection);
    world.at(2.0);
    world.expect_of("diagnose", &["1.5 cam0 diagnose", "1.5 cam1 diagnose"]);
    // What is asked does not hold up the next ones for longer than an attempt without an answer.
    world.at(4.9);
    world.expect_of("connect ", &[]);
    world.at(5.1);
    world.expect_of("connect ", &["5.0 cam2 connect Tcp #0", "5.0 cam3 connect Tcp #0"]);
}

/// Every connection that is opened while nobody is reached: when, and whether it is a diagnosis.
fn while_nobody_is_reached(cameras: usize, until: f64) -> Vec<(Mono, bool)> {
    let mut world = World::started(settings(cameras, 1, TransportChoice::Auto));
    let (mut opened, mut answers) = (Vec::new(), VecDeque::new());
    while world.secs() < until {
        for effect in world.effects() {
            let Effect::Camera(camera, effect) = effect else { continue };
            match effect {
                CameraEffect::Connect { .. } => {
                    opened.push((world.now.mono, false));
                    answers.push_back((camera, CameraEvent::NoConnection));
                }
                CameraEffect::Diagnose => {
                    opened.push((world.now.mono, true));
                    answers.push_back((camera, CameraEvent::Failed(Failure::Unreachable)));
                }
                CameraEffect::Disconnect(_) => answers.push_back((camera, CameraEvent::TornDown)),
                CameraEffect::Resume(_)
                | CameraEffect::RebuildBranch(_)
                | CameraEffect::Record(_)
                | CameraEffect::Status(_) => {}
            }
        }
        match answers.pop_front() {
            Some((CameraIndex(camera), event)) => world.tell(Event::Camera(CameraIndex(camera), event)),
            None => {
                let next = world.core.poll_timeout().unwrap();
                world.until(next);
            }
        }
    }
    opened
}

#[test]
fn no_second_holds_more_than_four_connections_of_any_kind() {
    let opened = while_nobody_is_reached(32, 120.0);
    let moments: Vec<Mono> = opened.iter().map(|(at, _)| *at).collect();
    assert_eq!(densest(&moments), 4);
    let diagnoses = opened.iter().filter(|(_, diagnosis)| *diagnosis).count();
    let attempts = opened.len() - diagnoses;
    assert!(attempts >= 64, "each camera is tried again: {attempts}");
    assert!(attempts - diagnoses <= 4, "{diagnoses} of {attempts} were told why");
}

#[test]
fn what_is_under_way_comes_to_its_end_before_others_begin() {
    let opened = while_nobody_is_reached(32, 60.0);
    // Each four are told why before the next four are tried.
    for (place, connection) in opened.chunks(4).enumerate() {
        assert!(
            connection.iter().all(|(_, diagnosis)| *diagnosis == (place % 2 == 1)),
            "{place}: {opened:?}"
        );
    }
}
