//! Whether what a story expects is so, and if not, what is so instead.

use crate::script::{AlarmName, Bound, CAMERA_STATES, CameraState, Expectation, VOLUME_STATES, VolumeState};
use crate::time::{SECOND, length};
use crate::world::{View, World};
use holdfast_core::alarm::AlarmState;
use holdfast_core::effect::{CameraStatus, VolumeStatus};
use holdfast_core::event::Cause;
use holdfast_core::settings::VolumeIndex;

/// What is missing below this, in microseconds, is nothing: three frames.
const NOTHING: f64 = 100_000.0;

/// `Err`: what is so instead.
pub(crate) fn judge(world: &World, expected: &Expectation) -> Result<(), String> {
    let names = &world.report.names;
    match expected {
        Expectation::Camera(cameras, state) => {
            let view = running(world)?;
            for camera in cameras {
                let status = view.cameras.get(*camera).copied().flatten();
                let is = status.map(camera_state);
                if is != Some(*state) {
                    let name = names.cameras.get(*camera).map_or("?", String::as_str);
                    return Err(format!("{name} is {}", word(&CAMERA_STATES, is)));
                }
            }
            Ok(())
        }
        Expectation::Volume(volumes, state) => {
            let view = running(world)?;
            for volume in volumes {
                let status = view.volumes.get(*volume).copied().flatten();
                let is = status.map(|status| volume_state(status, *state));
                if is != Some(*state) {
                    let name = names.volumes.get(*volume).map_or("?", String::as_str);
                    let fault = match status {
                        Some(VolumeStatus::Faulted { fault, .. }) => format!("faulted: {fault}"),
                        Some(_) | None => word(&VOLUME_STATES, is),
                    };
                    return Err(format!("{name} is {fault}"));
                }
            }
            Ok(())
        }
        Expectation::Footage(to) => {
            let target = running(world)?.target;
            let is = target.map(|VolumeIndex(volume)| usize::from(volume));
            let name = target.map_or("nowhere", |volume| names.volume(volume));
            if is == *to { Ok(()) } else { Err(format!("it goes to {name}")) }
        }
        Expectation::Alarm(name) => {
            let stands = |state| state == AlarmState::Unacknowledged || state == AlarmState::Acknowledged;
            if states(world, name)?.any(stands) { Ok(()) } else { Err(alarms(world)) }
        }
        Expectation::NoAlarm(name) => {
            if states(world, name)?.next().is_none() {
                Ok(())
            } else {
                Err(alarms(world))
            }
        }
        Expectation::Kept(name) => {
            let kept = |state| state == AlarmState::ReturnedUnacknowledged;
            if states(world, name)?.any(kept) { Ok(()) } else { Err(alarms(world)) }
        }
        Expectation::Alarms(count) => {
            if running(world)?.alarms.len() == *count {
                Ok(())
            } else {
                Err(alarms(world))
            }
        }
        Expectation::Misses(cameras, bound, cause) => {
            cameras.iter().try_for_each(|camera| misses(world, *camera, *bound, *cause))
        }
        Expectation::Tried(cameras, bound, window) => {
            let since = window.map(|window| world.now() - window);
            for camera in cameras {
                let of = |(at, whose): &&(_, usize)| whose == camera && since.is_none_or(|since| *at > since);
                let count = world.attempts.iter().filter(of).count();
                #[allow(clippy::cast_precision_loss)] // a count of attempts
                if !within(*bound, count as f64) {
                    let name = names.cameras.get(*camera).map_or("?", String::as_str);
                    return Err(format!("{name} was tried {count} times"));
                }
            }
            Ok(())
        }
        Expectation::Rush(most) => {
            let moments = || {
                let attempts = world.attempts.iter().map(|(at, _)| *at);
                attempts.chain(world.diagnoses.iter().copied())
            };
            let in_second = |from| moments().filter(|at| *at >= from && at.since(from).as_secs() < 1).count();
            match moments().map(in_second).max() {
                Some(count) if count > *most => Err(format!("one second holds {count}")),
                Some(_) | None => Ok(()),
            }
        }
        Expectation::Alive => {
            if world.is_alive() {
                Ok(())
            } else {
                Err("it gives no signs of life".into())
            }
        }
        Expectation::Shed(shed) => {
            let is = running(world)?.shed;
            if is == *shed { Ok(()) } else { Err(format!("it gives up {is:?}")) }
        }
        Expectation::Clock(trusted) => {
            let is = if world.is_clock_trusted() { "it is trusted" } else { "it is not trusted" };
            if world.is_clock_trusted() == *trusted { Ok(()) } else { Err(is.into()) }
        }
        Expectation::Told(words) => {
            if world.report.has_told(words) {
                Ok(())
            } else {
                Err("no line has these words".into())
            }
        }
        Expectation::NotTold(words) => {
            if world.report.has_told(words) {
                Err("a line has these words".into())
            } else {
                Ok(())
            }
        }
        Expectation::Finished => {
            if world.view().is_none() {
                Ok(())
            } else {
                Err("the recorder runs".into())
            }
        }
    }
}

fn running(world: &World) -> Result<&View, String> {
    world.view().ok_or_else(|| "the recorder does not run".into())
}

fn misses(world: &World, camera: usize, bound: Bound, cause: Option<Cause>) -> Result<(), String> {
    let account = world.account(camera);
    let micros = match cause {
        Some(Cause::Unknown) => account.unexplained + account.missing.get(&Cause::Unknown).unwrap_or(&0),
        Some(cause) => account.missing.get(&cause).copied().unwrap_or(0),
        None => account.lost(),
    };
    #[allow(clippy::cast_precision_loss)] // seconds of a story
    let (missing, unit) = (micros as f64, SECOND as f64);
    let holds = match bound {
        Bound::AtMost(secs) => missing <= (secs * unit).max(NOTHING),
        Bound::AtLeast(secs) => missing >= secs * unit,
    };
    if holds {
        return Ok(());
    }
    let name = world.report.names.cameras.get(camera).map_or("?", String::as_str);
    let each: Vec<_> =
        account.missing.iter().map(|(cause, micros)| format!("{} ({cause})", length(*micros))).collect();
    let all = length(account.lost());
    Err(format!(
        "{name} misses {all}: {}",
        if each.is_empty() { "nothing told".into() } else { each.join(", ") }
    ))
}

fn within(bound: Bound, value: f64) -> bool {
    match bound {
        Bound::AtMost(most) => value <= most,
        Bound::AtLeast(least) => value >= least,
    }
}

fn states<'a>(
    world: &'a World,
    name: &'a AlarmName,
) -> Result<impl Iterator<Item = AlarmState> + 'a, String> {
    let alarms = running(world)?.alarms.iter();
    Ok(alarms.filter(|alarm| world.report.names.is(&alarm.key, name)).map(|alarm| alarm.state))
}

fn alarms(world: &World) -> String {
    let known = world.view().map(|view| view.alarms.iter()).into_iter().flatten();
    let each: Vec<_> = known
        .map(|alarm| {
            let name = world.report.names.alarm(&alarm.key);
            match alarm.state {
                AlarmState::ReturnedUnacknowledged => format!("{name} (kept)"),
                AlarmState::Unacknowledged | AlarmState::Acknowledged | AlarmState::Normal => name,
            }
        })
        .collect();
    if each.is_empty() { "there is no alarm".into() } else { format!("the alarms are {}", each.join(", ")) }
}

fn camera_state(status: CameraStatus) -> CameraState {
    match status {
        CameraStatus::Connecting => CameraState::Connecting,
        CameraStatus::Waiting => CameraState::Waiting,
        CameraStatus::Recording => CameraState::Recording,
        CameraStatus::OnFallback { .. } => CameraState::OnFallback,
        CameraStatus::Holding => CameraState::Holding,
        CameraStatus::BackingOff { .. } => CameraState::BackingOff,
        CameraStatus::Stopped => CameraState::Stopped,
    }
}

/// As exact as what is expected.
fn volume_state(status: VolumeStatus, expected: VolumeState) -> VolumeState {
    match status {
        VolumeStatus::Absent => VolumeState::Absent,
        VolumeStatus::Opening => VolumeState::Opening,
        VolumeStatus::Ready => VolumeState::Ready,
        VolumeStatus::Faulted { .. } if expected == VolumeState::Faulted(None) => expected,
        VolumeStatus::Faulted { fault, .. } => VolumeState::Faulted(Some(fault)),
        VolumeStatus::Ejecting => VolumeState::Ejecting,
        VolumeStatus::SafeToRemove => VolumeState::SafeToRemove,
        VolumeStatus::Closed => VolumeState::Closed,
    }
}

fn word<T: PartialEq>(table: &[(&str, T)], state: Option<T>) -> String {
    let Some(state) = state else { return "not told of yet".into() };
    table.iter().find(|(_, known)| *known == state).map_or("something else", |(word, _)| word).into()
}
