//! Planted bugs: a hand between world and core does what a faulty core would do, and the world must find it, by the
//! invariant that is meant for it.
//!
//! Each hand is as small as the bug that it stands for. It is given some worlds to do its harm in; one that finds it is
//! enough.

use core::time::Duration;
use holdfast_core::alarm::{AlarmKey, AlarmNotice, AlarmState, Detail, Severity};
use holdfast_core::effect::{CameraEffect, Effect, Entry, Reason, Shed, Stream, VolumeEffect};
use holdfast_core::event::{CameraEvent, Cause, Event, Failure, Fault};
use holdfast_core::retention::{Candidate, Rule, Step};
use holdfast_core::settings::{CameraIndex, VolumeIndex};
use holdfast_core::time::Wall;
use holdfast_sim::Invariant::*;
use holdfast_sim::agenda::At;
use holdfast_sim::{Invariant, Plan, Report, Saboteur, run, run_beside_twin};
use std::collections::VecDeque;

const VICTIM: CameraIndex = CameraIndex(3);

/// A hand that changes decisions.
struct Decided<F>(F);

impl<F: FnMut(At, Effect) -> Option<Effect>> Saboteur for Decided<F> {
    fn decided(&mut self, at: At, effect: Effect) -> Option<Effect> {
        (self.0)(at, effect)
    }
}

/// A hand that adds decisions after those that it sees.
struct Added<F> {
    see: F,
    owed: VecDeque<Effect>,
}

impl<F: FnMut(&Effect) -> Option<Effect>> Saboteur for Added<F> {
    fn decided(&mut self, _: At, effect: Effect) -> Option<Effect> {
        self.owed.extend((self.see)(&effect));
        Some(effect)
    }
    fn invents(&mut self, _: At) -> Option<Effect> {
        self.owed.pop_front()
    }
}

/// A hand that changes what the core is told.
struct Told<F>(F);

impl<F: FnMut(&mut Event) -> bool> Saboteur for Told<F> {
    fn told(&mut self, _: At, event: &mut Event) -> bool {
        (self.0)(event)
    }
}

/// A hand that cleans otherwise.
struct Cleans<F>(F);

impl<F: FnMut(Step, &[(usize, u32)]) -> Step> Saboteur for Cleans<F> {
    fn cleans(&mut self, _: At, step: Step, open: &[(usize, u32)]) -> Step {
        (self.0)(step, open)
    }
}

/// A hand that lets attempts through only in a burst, or one after the other.
struct Holds {
    held: VecDeque<Effect>,
    which: fn(CameraIndex) -> bool,
    burst: usize,
    free: usize,
}

impl Saboteur for Holds {
    fn decided(&mut self, _: At, effect: Effect) -> Option<Effect> {
        if let Effect::Camera(camera, CameraEffect::Connect { why: Reason::Start, .. }) = effect
            && (self.which)(camera)
            && self.free == 0
        {
            self.held.push_back(effect);
            if self.held.len() == self.burst {
                self.free = self.burst;
            }
            return None;
        }
        Some(effect)
    }
    fn invents(&mut self, _: At) -> Option<Effect> {
        if self.free == 0 { None } else { self.held.pop_front() }
    }
}

/// A hand that holds a decision back until another event comes.
#[derive(Default)]
struct Delays {
    held: Option<(At, Effect)>,
}

impl Saboteur for Delays {
    fn decided(&mut self, at: At, effect: Effect) -> Option<Effect> {
        if self.held.is_none() && matches!(effect, Effect::Camera(VICTIM, CameraEffect::Disconnect(_))) {
            self.held = Some((at, effect));
            return None;
        }
        Some(effect)
    }
    fn invents(&mut self, at: At) -> Option<Effect> {
        self.held.take_if(|(since, _)| *since < at).map(|(_, effect)| effect)
    }
}

#[track_caller]
fn found<S: Saboteur + 'static>(make: impl Fn() -> S, expected: Invariant) {
    found_in(run, make, expected);
}

/// `run`: how a world is run.
#[track_caller]
fn found_in<S: Saboteur + 'static>(
    run: fn(Plan, Option<Box<dyn Saboteur>>) -> Report,
    make: impl Fn() -> S,
    expected: Invariant,
) {
    let mut seen = Vec::new();
    for seed in 1..=40 {
        let plan = Plan { seed, span: Duration::from_secs(6 * 3600), cameras: 16 };
        if let Some((violation, _)) = run(plan, Some(Box::new(make()))).broken {
            if violation.invariant == expected {
                return;
            }
            seen.push(violation.to_string());
        }
    }
    panic!("not found as {expected:?}, but: {seen:#?}");
}

#[track_caller]
fn decided<F>(hand: F, expected: Invariant)
where
    F: FnMut(At, Effect) -> Option<Effect> + Clone + 'static,
{
    found(|| Decided(hand.clone()), expected);
}

#[track_caller]
fn added<F>(hand: F, expected: Invariant)
where
    F: FnMut(&Effect) -> Option<Effect> + Clone + 'static,
{
    found(|| Added { see: hand.clone(), owed: VecDeque::new() }, expected);
}

#[test]
fn a_ladder_that_gives_up() {
    let gives_up = || {
        let mut attempts = 0;
        move |_: At, effect: Effect| {
            if let Effect::Camera(VICTIM, CameraEffect::Connect { .. }) = effect {
                attempts += 1;
            }
            let about = matches!(
                effect,
                Effect::Camera(VICTIM, CameraEffect::Connect { .. } | CameraEffect::Disconnect(_))
            );
            (attempts < 3 || !about).then_some(effect)
        }
    };
    decided(gives_up(), NeverGivenUp);
}

#[test]
fn a_burst_of_attempts() {
    let holds = || Holds { held: VecDeque::new(), which: |_| true, burst: 6, free: 0 };
    found(holds, NoStorm);
}

#[test]
fn more_sessions_at_one_host_than_it_is_given() {
    // The last four of sixteen are channels of one encoder; three attempts in a burst are no storm.
    let holds = || Holds { held: VecDeque::new(), which: |camera| camera.0 >= 13, burst: 3, free: 0 };
    found(holds, HostLimit);
}

#[test]
fn a_second_connection_of_one_stream() {
    let twice = |effect: &Effect| match effect {
        // Not at the start, where every attempt more is a storm.
        Effect::Camera(_, CameraEffect::Connect { attempt: 1.., .. }) => Some(effect.clone()),
        _ => None,
    };
    added(twice, OneLink);
}

#[test]
fn a_password_that_is_tried_again_at_once() {
    let forgets = |event: &mut Event| {
        if let Event::Camera(_, CameraEvent::Failed(failure)) = event
            && matches!(failure, Failure::Unauthorized | Failure::Forbidden)
        {
            *failure = Failure::Refused;
        }
        true
    };
    found(|| Told(forgets), SlowRefusals);
}

#[test]
fn a_watchdog_that_is_forgotten_while_a_camera_connects() {
    let silent = || {
        let mut until = At::default();
        move |at: At, effect: Effect| {
            if let Effect::Camera(_, CameraEffect::Connect { .. }) = effect {
                until = at + Duration::from_secs(4);
            }
            (effect != Effect::Alive || at > until).then_some(effect)
        }
    };
    decided(silent(), Alive);
}

#[test]
fn a_gap_that_is_not_told() {
    let loses = |_: At, effect: Effect| match effect {
        Effect::Account(_, Entry::Gap { cause: Cause::Camera(_), .. }) => None,
        effect => Some(effect),
    };
    decided(loses, Tiles);
}

#[test]
fn a_gap_that_is_shorter_than_the_hole() {
    let cuts = |_: At, effect: Effect| match effect {
        Effect::Account(volume, Entry::Gap { camera, mut span, cause }) => {
            span.to = Wall(span.to.0 - 200_000).max(Wall(span.from.0 + 1));
            Some(Effect::Account(volume, Entry::Gap { camera, span, cause }))
        }
        effect => Some(effect),
    };
    decided(cuts, Tiles);
}

#[test]
fn a_gap_where_there_is_none() {
    let mut told = false;
    let invents = move |effect: &Effect| match effect {
        Effect::Account(volume, Entry::Gap { .. }) if !told => {
            told = true;
            Some(Effect::Account(*volume, gap(VICTIM)))
        }
        _ => None,
    };
    added(invents, Tiles);
}

fn gap(camera: CameraIndex) -> Entry {
    let span = holdfast_core::time::Span::new(Wall(5), Wall(6));
    Entry::Gap { camera, span, cause: Cause::Lost }
}

#[test]
fn a_gap_with_a_cause_that_was_not_so() {
    let lies = |_: At, effect: Effect| match effect {
        Effect::Account(volume, Entry::Gap { camera, span, cause: Cause::Camera(_) }) => {
            let cause = Cause::Volume(Fault::Copied);
            Some(Effect::Account(volume, Entry::Gap { camera, span, cause }))
        }
        effect => Some(effect),
    };
    decided(lies, TrueCause);
}

#[test]
fn an_open_segment_that_is_deleted() {
    let deletes = |step: Step, open: &[(usize, u32)]| match (step, open.first()) {
        (Step::Rest { .. }, Some((camera, sequence))) => delete(*camera, *sequence),
        (step, _) => step,
    };
    found(|| Cleans(deletes), Deletion);
}

#[test]
fn a_segment_that_is_deleted_twice() {
    let twice = || {
        let mut last = None;
        move |step: Step, _: &[(usize, u32)]| {
            if let Step::Delete { .. } = step {
                last = Some(step);
                return step;
            }
            last.unwrap_or(step)
        }
    };
    // A month on a small volume deletes by itself; here the first deletion is planted as well.
    let planted = move || {
        let mut twice = twice();
        move |step: Step, open: &[(usize, u32)]| match (twice(step, open), open.first()) {
            (Step::Rest { .. }, Some((camera, 5..))) => delete(*camera, 0),
            (step, _) => step,
        }
    };
    found(|| Cleans(planted()), Deletion);
}

fn delete(camera: usize, sequence: u32) -> Step {
    let candidate = Candidate { sequence, ended: None, bytes: 1, protected: false };
    Step::Delete { camera, candidate, rule: Rule::Age }
}

#[test]
fn an_alarm_whose_end_is_not_told() {
    let swallows = |_: At, effect: Effect| match effect {
        Effect::Alarm(AlarmNotice { key: AlarmKey::CameraLost(_), state: AlarmState::Normal, .. }) => None,
        effect => Some(effect),
    };
    decided(swallows, AlarmCleared);
}

#[test]
fn an_alarm_that_is_not_raised() {
    let swallows = |_: At, effect: Effect| match effect {
        Effect::Alarm(AlarmNotice { key: AlarmKey::CameraLost(_) | AlarmKey::CameraAccess(_), .. }) => None,
        effect => Some(effect),
    };
    decided(swallows, AlarmRaised);
}

#[test]
fn a_storage_alarm_that_is_not_raised() {
    let swallows = |_: At, effect: Effect| match effect {
        Effect::Alarm(AlarmNotice { key: AlarmKey::Volume(..), .. }) => None,
        effect => Some(effect),
    };
    decided(swallows, AlarmRaised);
}

#[test]
fn cameras_that_complain_while_the_network_is_cut() {
    let complains = |effect: &Effect| match effect {
        Effect::Alarm(AlarmNotice { key: AlarmKey::Network, state: AlarmState::Unacknowledged, .. }) => {
            Some(Effect::Alarm(AlarmNotice {
                key: AlarmKey::CameraLost(VICTIM),
                severity: Severity::High,
                state: AlarmState::Unacknowledged,
                since: Wall(0),
                count: 1,
                detail: Detail::None,
            }))
        }
        _ => None,
    };
    added(complains, Suppressed);
}

#[test]
fn back_to_a_main_stream_that_just_came() {
    let hurries = || {
        let mut on_fallback = None;
        move |effect: &Effect| match effect {
            Effect::Camera(camera, CameraEffect::Record(Stream::Fallback)) => {
                on_fallback = Some(*camera);
                None
            }
            Effect::Camera(camera, CameraEffect::Connect { .. }) if on_fallback == Some(*camera) => {
                on_fallback = None;
                Some(Effect::Camera(*camera, CameraEffect::Record(Stream::Main)))
            }
            _ => None,
        }
    };
    added(hurries(), Fallback);
}

#[test]
fn memory_that_is_shed_out_of_order() {
    let leaps = |_: At, effect: Effect| match effect {
        Effect::Shed(Shed::Depth) => Some(Effect::Shed(Shed::Audio)),
        effect => Some(effect),
    };
    decided(leaps, Memory);
}

#[test]
fn a_main_stream_that_is_shed() {
    let sheds = |effect: &Effect| match effect {
        Effect::Shed(Shed::Fallback) => {
            Some(Effect::Camera(VICTIM, CameraEffect::Disconnect(Reason::MemoryShort)))
        }
        _ => None,
    };
    added(sheds, Memory);
}

#[test]
fn a_volume_that_is_opened_though_it_was_ejected() {
    let opens = |effect: &Effect| match effect {
        Effect::Alarm(AlarmNotice {
            key: AlarmKey::SafeToRemove(volume),
            state: AlarmState::Unacknowledged,
            ..
        }) => Some(Effect::Volume(*volume, VolumeEffect::Open)),
        _ => None,
    };
    added(opens, Place);
}

#[test]
fn a_volume_that_is_not_tried_again() {
    let forgets = || {
        let mut opened = 0;
        move |_: At, effect: Effect| {
            if let Effect::Volume(VolumeIndex(2), VolumeEffect::Open) = effect {
                opened += 1;
            }
            let about = matches!(effect, Effect::Volume(VolumeIndex(2), VolumeEffect::Open));
            (opened < 2 || !about).then_some(effect)
        }
    };
    decided(forgets(), PlaceRetried);
}

#[test]
fn footage_that_is_routed_nowhere() {
    let loses = |_: At, effect: Effect| match effect {
        Effect::Route { camera: VICTIM, .. } => Some(Effect::Route { camera: VICTIM, to: None }),
        effect => Some(effect),
    };
    decided(loses, Routing);
}

#[test]
fn an_end_that_does_not_come() {
    let never = |_: At, effect: Effect| (effect != Effect::Finished).then_some(effect);
    decided(never, DriveContract);
}

#[test]
fn an_end_that_nobody_wanted() {
    let ends = |effect: &Effect| match effect {
        Effect::Shed(Shed::Nothing) => Some(Effect::Finished),
        _ => None,
    };
    added(ends, Stops);
}

#[test]
fn a_camera_that_stays_on_its_fallback() {
    // Once all is calm nothing else would tell.
    let stays = |_: At, effect: Effect| match effect {
        Effect::Camera(_, CameraEffect::Record(Stream::Main)) => None,
        effect => Some(effect),
    };
    decided(stays, Fallback);
}

#[test]
fn a_decision_that_rests_until_another_event() {
    found_in(run_beside_twin, Delays::default, Rest);
}

#[test]
fn a_decision_that_is_forgotten_while_all_rest() {
    let forgets = |_: At, effect: Effect| match effect {
        Effect::Camera(VICTIM, CameraEffect::Status(_)) => None,
        effect => Some(effect),
    };
    found_in(run_beside_twin, || Decided(forgets), Rest);
}

#[test]
fn an_alarm_that_stays_after_it_was_over_and_acknowledged() {
    let swallows = |_: At, effect: Effect| match effect {
        Effect::Alarm(AlarmNotice {
            key: AlarmKey::FootageDropped(_), state: AlarmState::Normal, ..
        }) => None,
        effect => Some(effect),
    };
    decided(swallows, Health);
}

#[test]
fn a_panic() {
    let panics = |_: At, effect: Effect| match effect {
        Effect::Alarm(_) => panic!("as a core might"),
        effect => Some(effect),
    };
    decided(panics, NoPanic);
}
