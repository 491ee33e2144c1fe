//! A camera: connecting, judging, tearing down, trying again.

mod world;

use holdfast_core::effect::{CameraEffect, CameraStatus, Effect};
use holdfast_core::event::{CameraEvent, Event, Failure, Fault, StreamFigures, VolumeEvent};
use holdfast_core::settings::TransportChoice;
use world::{World, settings};

/// Lets attempt after attempt fail at once; gives the waits between the failure and the next attempt, in seconds.
fn waits(world: &mut World, failure: Failure, attempts: usize) -> Vec<f64> {
    (0..attempts)
        .map(|_| {
            world.forget();
            world.fail(failure);
            let failed = world.now.mono;
            world.camera(0, CameraEvent::TornDown);
            let until = world.effects().into_iter().find_map(|effect| match effect {
                Effect::Camera(_, CameraEffect::Status(CameraStatus::BackingOff { until, .. })) => {
                    Some(until)
                }
                _ => None,
            });
            let until = until.expect("it backs off");
            world.until(until);
            let lines = world.lines();
            assert!(lines.iter().any(|l| l.contains("connect")), "no attempt at {until:?}: {lines:?}");
            until.since(failed).as_millis() as f64 / 1000.0
        })
        .collect()
}

#[test]
fn a_camera_that_works_is_told_from_connecting_to_recording() {
    let mut world = World::one();
    world.expect(&[
        "0.0 anchor 0.0 = 0.0 trusted",
        "0.0 cam0 connect Tcp #0",
        "0.0 cam0 is Connecting",
        "0.0 vol0 Open",
        "0.0 vol0 is Opening",
    ]);
    world.volume(0, VolumeEvent::Ready);
    world.expect(&["0.0 ledger0: cam0 open 0.0 Starting", "0.0 cam0 to vol0", "0.0 vol0 is Ready"]);
    world.at(1.0);
    world.streaming();
    world.expect(&["1.0 cam0 is Waiting"]);
    world.at(2.0);
    world.received(1);
    world.expect(&[]);
    world.stored(1.0, 2.0);
    world.expect(&["2.0 ledger0: cam0 gap 0.0..1.0 Starting", "2.0 cam0 is Recording"]);
    world.go_on(2.0, 40.0, 2);
    world.expect(&[]);
}

#[test]
fn waits_grow_to_a_minute_with_full_jitter_and_end_in_probes() {
    let mut longest = [0f64; 10];
    let mut shortest = [f64::MAX; 10];
    for seed in 0..300 {
        let mut chosen = settings(1, 1, TransportChoice::Tcp);
        chosen.seed = seed;
        let mut world = World::started(chosen);
        for (i, wait) in waits(&mut world, Failure::Refused, 10).into_iter().enumerate() {
            longest[i] = longest[i].max(wait);
            shortest[i] = shortest[i].min(wait);
        }
    }
    let bounds = [5.0, 10.0, 20.0, 40.0, 60.0, 60.0, 60.0, 60.0, 60.0];
    for (i, bound) in bounds.into_iter().enumerate() {
        let (shortest, longest) = (shortest[i], longest[i]);
        assert!(longest <= bound && longest > bound * 0.95, "wait {i}: longest {longest}, bound {bound}");
        assert!(shortest < bound * 0.05, "wait {i}: shortest {shortest}, bound {bound}");
    }
    assert_eq!((shortest[9], longest[9]), (300.0, 300.0), "the tenth failure begins the probes");
}

#[test]
fn each_failure_follows_its_policy() {
    let access: &[f64] = &[60.0, 300.0, 300.0];
    let unfit: &[f64] = &[300.0, 300.0];
    for (case, failure, expected) in [
        ("a refused password is not tried fast", Failure::Unauthorized, access),
        ("nor a forbidden path", Failure::Forbidden, access),
        ("a camera without usable video waits for a person", Failure::NothingRecordable, unfit),
    ] {
        assert_eq!(waits(&mut World::one(), failure, expected.len()), expected, "{case}");
    }
}

#[test]
fn probes_go_on_for_a_day() {
    let mut world = World::one();
    waits(&mut world, Failure::Unreachable, 9);
    assert!(waits(&mut world, Failure::Unreachable, 288).iter().all(|wait| *wait == 300.0));
}

#[test]
fn a_healthy_camera_is_tried_again_at_once_then_climbs() {
    let mut world = World::recording();
    world.at(3.0);
    world.fail(Failure::ServerClosed);
    world.expect(&[
        "3.0 ledger0: cam0 open 2.0 Camera(ServerClosed)",
        "3.0 cam0 disconnect",
        "3.0 cam0 is backing off: ServerClosed x1",
    ]);
    world.camera(0, CameraEvent::TornDown);
    world.expect(&["3.0 cam0 connect Tcp #1", "3.0 cam0 is Connecting"]);
    // It flaps: a second of video, then the next break. It is no longer answered at once.
    world.record(3.0, 4.0);
    world.fail(Failure::ServerClosed);
    world.forget();
    world.camera(0, CameraEvent::TornDown);
    world.expect(&[]);
    world.at(9.0);
    let lines = world.lines();
    assert!(lines.iter().any(|line| line.ends_with("connect Tcp #2")), "within 5 s: {lines:?}");
}

#[test]
fn only_half_a_minute_of_durable_video_forgives() {
    for (case, seconds, failures) in [("29 s do not", 29.0, 2), ("30 s do", 30.0, 1)] {
        let mut world = World::one();
        world.volume(0, VolumeEvent::Ready);
        world.fail(Failure::Refused);
        world.camera(0, CameraEvent::TornDown);
        let begun = world.until_connect();
        world.record(begun, begun + seconds);
        world.forget();
        world.fail(Failure::Bye);
        let lines = world.lines();
        let expected = format!("Bye x{failures}");
        assert!(lines.iter().any(|line| line.ends_with(&expected)), "{case}: {lines:?}");
    }
}

#[test]
fn connections_without_durable_video_forgive_nothing() {
    let mut world = World::one();
    for round in 1..=12 {
        world.streaming();
        world.at(world.secs() + 1.0);
        world.received(1);
        world.forget();
        world.fail(Failure::ServerClosed);
        let expected = format!("{:.1} cam0 is backing off: ServerClosed x{round}", world.secs());
        world.expect_of("backing", &[&expected]);
        world.camera(0, CameraEvent::TornDown);
        world.until_connect();
    }
}

#[test]
fn footage_of_an_earlier_connection_proves_nothing_of_this_one() {
    let mut world = World::recording();
    world.at(5.0);
    world.fail(Failure::ServerClosed);
    world.camera(0, CameraEvent::TornDown);
    world.at(6.0);
    world.streaming();
    world.forget();
    world.stored(2.0, 5.0);
    world.expect(&[]);
    world.stored(6.0, 6.5);
    world.expect_of(" is ", &["6.0 cam0 is Recording"]);
}

#[test]
fn no_answer_within_fifteen_seconds_is_a_failure() {
    let mut world = World::one();
    world.forget();
    world.at(14.9);
    world.expect_of("cam0", &[]);
    world.at(15.0);
    world.expect_of("cam0", &["15.0 cam0 disconnect", "15.0 cam0 is backing off: ConnectTimeout x1"]);
}

#[test]
fn a_tear_down_that_hangs_is_passed_over_after_six_seconds() {
    let mut world = World::recording();
    world.fail(Failure::Bye);
    world.forget();
    world.at(7.9);
    world.expect_of("cam0", &[]);
    world.at(8.0);
    world.expect_of("cam0", &["8.0 cam0 connect Tcp #1", "8.0 cam0 is Connecting"]);
    world.camera(0, CameraEvent::TornDown);
    world.expect(&[]);
}

#[test]
fn silence_is_a_stall_after_ten_seconds() {
    let mut world = World::recording();
    world.at(11.9);
    world.expect(&[]);
    world.at(12.0);
    world.expect(&[
        "12.0 ledger0: cam0 open 2.0 Camera(Stalled)",
        "12.0 cam0 disconnect",
        "12.0 cam0 is backing off: Stalled x1",
    ]);
}

#[test]
fn a_connection_on_which_nothing_ever_comes_is_a_stall() {
    let mut world = World::one();
    world.streaming();
    world.forget();
    world.camera(0, CameraEvent::Received(StreamFigures::default()));
    world.at(10.0);
    world.expect_of("backing", &["10.0 cam0 is backing off: Stalled x1"]);
}

#[test]
fn a_figure_from_the_future_does_not_put_the_stall_off() {
    let mut world = World::recording();
    let last_video = Some(world.now.mono + core::time::Duration::from_secs(3600));
    world.camera(
        0,
        CameraEvent::Received(StreamFigures {
            last_video,
            units: 99,
            keyframes: 2,
            ..StreamFigures::default()
        }),
    );
    world.at(12.0);
    world.expect_of("backing", &["12.0 cam0 is backing off: Stalled x1"]);
}

#[test]
fn no_video_at_all_is_a_stall_even_where_stalls_may_be_longer_than_keyframes() {
    let mut patient = settings(1, 1, TransportChoice::Auto);
    patient.stall = core::time::Duration::from_secs(60);
    let mut world = World::started(patient);
    world.streaming();
    world.at(60.0);
    world.expect_of("cam0 is backing", &["60.0 cam0 is backing off: Stalled x1"]);
}

#[test]
fn video_without_a_keyframe_is_starved_after_thirty_seconds() {
    let mut world = World::one();
    world.streaming();
    for second in 1..=29 {
        world.at(f64::from(second));
        world.received(0);
    }
    world.expect_of("disconnect", &[]);
    world.at(30.0);
    world.expect_of("backing", &["30.0 cam0 is backing off: KeyframeStarved x1"]);
}

#[test]
fn audio_alone_is_not_a_recording() {
    let mut world = World::one();
    world.forget();
    world.camera(0, CameraEvent::Streaming { video: false, audio: true });
    world.expect(&["0.0 cam0 disconnect", "0.0 cam0 is backing off: NothingRecordable x1"]);
}

#[test]
fn auto_asks_for_the_other_transport_once_and_remembers_what_worked() {
    let mut world = World::one();
    world.volume(0, VolumeEvent::Ready);
    world.forget();
    world.fail(Failure::UnsupportedTransport);
    world.expect(&["0.0 cam0 disconnect"]);
    world.camera(0, CameraEvent::TornDown);
    world.expect(&["0.0 cam0 connect Udp #0"]);
    world.record(0.0, 1.0);
    world.fail(Failure::Bye);
    world.forget();
    world.camera(0, CameraEvent::TornDown);
    world.expect_of("connect", &["1.0 cam0 connect Udp #1"]);
    // Now it wants TCP again, and refuses that too: that is a failure.
    world.fail(Failure::UnsupportedTransport);
    world.camera(0, CameraEvent::TornDown);
    world.expect_of("connect ", &["1.0 cam0 connect Tcp #1"]);
    world.fail(Failure::UnsupportedTransport);
    world.expect_of("backing", &["1.0 cam0 is backing off: UnsupportedTransport x2"]);
}

#[test]
fn a_chosen_transport_is_never_changed() {
    for (choice, name) in [(TransportChoice::Tcp, "Tcp"), (TransportChoice::Udp, "Udp")] {
        let mut world = World::started(settings(1, 1, choice));
        world.expect_of("connect ", &[&format!("0.0 cam0 connect {name} #0")]);
        world.fail(Failure::UnsupportedTransport);
        world.expect_of("backing", &["0.0 cam0 is backing off: UnsupportedTransport x1"]);
    }
}

#[test]
fn a_camera_without_a_volume_is_held_not_dropped() {
    let mut world = World::recording();
    world.fault(0, Fault::Io);
    world.expect_of(" is ", &["2.0 cam0 is Holding", "2.0 vol0 is faulted until 4.0: Io"]);
    world.at(4.0);
    world.received(2);
    world.volume(0, VolumeEvent::Ready);
    world.expect_of(" is ", &["4.0 cam0 is Waiting"]);
    world.stored(2.0, 4.0);
    world.expect_of(" is ", &["4.0 cam0 is Recording", "4.0 vol0 is Ready"]);
}

#[test]
fn nothing_durable_for_half_a_minute_is_not_called_recording_and_is_mended_in_place_first() {
    let mut world = World::recording();
    for second in 3..=31u32 {
        world.at(f64::from(second));
        world.received(u64::from(second));
    }
    world.expect(&[]);
    world.at(32.0);
    world.expect(&[
        "32.0 ledger0: cam0 open 2.0 Camera(NotStored)",
        "32.0 cam0 resume Failed(NotStored)",
        "32.0 cam0 is Waiting",
    ]);
    for second in 33..=72u32 {
        world.at(f64::from(second));
        world.received(u64::from(second));
    }
    world.expect_of(
        "cam0",
        &[
            "52.0 cam0 rebuild Failed(NotStored)",
            "72.0 cam0 disconnect",
            "72.0 cam0 is backing off: NotStored x1",
        ],
    );
}

#[test]
fn one_camera_s_trouble_is_not_another_s() {
    let mut world = World::started(settings(2, 1, TransportChoice::Auto));
    world.forget();
    world.camera(1, CameraEvent::Failed(Failure::Garbage));
    world.camera(9, CameraEvent::Failed(Failure::Garbage));
    world.tell(Event::Tick);
    world.expect(&["0.0 cam1 disconnect", "0.0 cam1 is backing off: Garbage x1"]);
}
