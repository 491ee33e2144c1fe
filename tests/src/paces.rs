//! How fast the recorder comes back to its cameras: its attempts by its own log, and what recovery may take.
//!
//! A proxy counts more connections than attempts: one that is not had is followed by another that finds out why (decision
//! 0017), which the log tells of when it is at `debug`.

use crate::report;
use std::time::Duration;

/// What recovery is to take at most, from the fault's end, or from the attempt that comes after it: 2 s and a GOP, of 1 s in the
/// lab's clips.
pub const RECOVERY: Duration = Duration::from_secs(3);

/// So much slower than the idle machine of [`START`] a machine may be at any moment, beside what [`factor`] measures: a build
/// beside the tests was seen to take a camera's start from 1.6 s to 5.
const SPARE: u32 = 4;

/// A recorder that starts its cameras this many times slower than on an idle machine is at fault itself, or the machine is of no use:
/// 3 was seen beside a build.
const SLOWEST: f64 = 6.0;

/// What the start of a camera takes, from its attempt to durable footage, on two idle cores with 26 cameras at once.
const START: Duration = Duration::from_millis(1600);

/// An attempt to connect.
#[derive(Clone, Debug, PartialEq)]
pub struct Attempt {
    /// Whose.
    pub camera: String,
    /// When, in microseconds of UTC.
    pub at: i64,
    /// How many failures in a row came before it.
    pub failures: u32,
    /// The whole sentence: the way, and why it is made now.
    pub said: String,
}

/// A failure as it was told.
#[derive(Clone, Debug, PartialEq)]
pub struct Failed {
    /// When, in microseconds of UTC.
    pub at: i64,
    /// Which one in a row.
    pub count: u32,
    /// The whole sentence.
    pub said: String,
}

/// All attempts, in order.
pub fn attempts(log: &str) -> Vec<Attempt> {
    let attempt = |line: &str| {
        let (at, camera, said) = parts(line, "connecting over ")?;
        let failures = number_after(said, "failures so far: ").unwrap_or(0);
        Some(Attempt { camera: camera.to_owned(), at, failures, said: said.to_owned() })
    };
    log.lines().filter_map(attempt).collect()
}

/// When a connection was opened, in microseconds of UTC: for an attempt, or to find out why one got none. In order; the log has
/// to be at `debug`.
pub fn connections(log: &str) -> Vec<i64> {
    let opened = |line: &str| {
        let told = parts(line, "connecting over ").or_else(|| parts(line, "finding out why "));
        told.map(|(at, ..)| at)
    };
    log.lines().filter_map(opened).collect()
}

/// A camera's failures, in order.
pub fn failures(log: &str, camera: &str) -> Vec<Failed> {
    let failed = |line: &str| {
        let (at, whose, said) = parts(line, "; failure ")?;
        let count = number_after(said, "; failure ")?;
        (whose == camera).then(|| Failed { at, count, said: said.to_owned() })
    };
    log.lines().filter_map(failed).collect()
}

/// How much slower this machine is, with all that runs on it, than the one on which [`RECOVERY`] is to be reached: by how long the
/// cameras' first starts took, as their median. At least 1.
pub fn factor(log: &str) -> f64 {
    let started = |attempt: &Attempt| {
        let recording = log.lines().filter_map(|line| parts(line, "recording")).find(|(at, camera, said)| {
            *at >= attempt.at && *camera == attempt.camera && said.starts_with("recording  ")
        });
        recording.map(|(at, ..)| at - attempt.at)
    };
    let first = attempts(log).into_iter().filter(|attempt| attempt.failures == 0);
    let mut took: Vec<i64> = first.filter_map(|attempt| started(&attempt)).collect();
    took.sort_unstable();
    let median = took.get(took.len() / 2).copied().unwrap_or(0);
    (median as f64 / START.as_micros() as f64).max(1.0)
}

/// What recovery may take here before a test fails: the slowest of all; half of them have to be within [`RECOVERY`], times the
/// machine's factor alone.
pub fn bound(log: &str) -> Duration {
    (RECOVERY * SPARE).mul_f64(factor(log))
}

/// What is wrong with these recoveries, in sentences: see [`bound`]. A machine that is so slow that cameras start `SLOWEST` times
/// later than on an idle one proves nothing.
pub fn judge(log: &str, took: &[Duration]) -> Vec<String> {
    let (factor, bound) = (factor(log), bound(log));
    let mut findings = Vec::new();
    if factor > SLOWEST {
        findings.push(format!("cameras take {factor:.1} times as long to start as they should"));
    }
    let Some((median, _)) = percentiles(took) else {
        return vec!["nothing has recovered".to_owned()];
    };
    if median > RECOVERY.mul_f64(factor) {
        findings.push(format!("half of the cameras are back after {median:.1?} or later"));
    }
    findings.extend(
        took.iter().filter(|took| **took > bound).map(|took| format!("one is back after {took:.1?}")),
    );
    findings
}

/// The median and the 99th percentile.
pub fn percentiles(took: &[Duration]) -> Option<(Duration, Duration)> {
    let mut took = took.to_vec();
    took.sort_unstable();
    let at = |share: usize| took.get((took.len() * share / 100).min(took.len().saturating_sub(1))).copied();
    at(50).zip(at(99))
}

/// Moment, camera and sentence of a line that holds this word: `2026-11-22T10:00:00.123Z info gate: a sentence  CAMERA=gate`.
fn parts<'log>(line: &'log str, word: &str) -> Option<(i64, &'log str, &'log str)> {
    if !line.contains(word) {
        return None;
    }
    let (moment, rest) = line.split_once(' ')?;
    let (_, rest) = rest.split_once(' ')?;
    let (camera, said) = rest.split_once(": ")?;
    Some((report::moment(&moment.into())?, camera, said))
}

fn number_after(said: &str, words: &str) -> Option<u32> {
    let (_, rest) = said.split_once(words)?;
    rest.split(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "\
2026-11-22T10:00:00.000Z info gate: connecting over TCP  CAMERA=gate
2026-11-22T10:00:03.200Z info gate: recording  CAMERA=gate
camera gate: recording, durable 0:00:05, coverage 50.4%, 0 kb/s, 0 fps, held 0 B
2026-11-22T10:00:09.000Z warning gate: connection refused; failure 2 in a row, Holdfast tries again by itself. Check it  CAMERA=gate
2026-11-22T10:00:10.000Z info gate: connecting over TCP, failures so far: 2: connection refused, and its wait is over  CAMERA=gate
";

    #[test]
    fn a_log_tells_attempts_failures_and_how_slow_the_machine_is() {
        let made: Vec<(u32, bool)> =
            attempts(LOG).iter().map(|a| (a.failures, a.said.contains("its wait is over"))).collect();
        assert_eq!(made, [(0, false), (2, true)]);
        let failed = failures(LOG, "gate");
        assert_eq!(failed.iter().map(|failed| failed.count).collect::<Vec<_>>(), [2]);
        assert_eq!(attempts(LOG)[1].at - failed[0].at, 1_000_000);
        assert!(failures(LOG, "yard").is_empty());
        assert_eq!((factor(LOG), factor("")), (2.0, 1.0));
        assert_eq!(bound(""), RECOVERY * SPARE);
    }

    #[test]
    fn recoveries_that_are_too_slow_are_found() {
        let seconds = Duration::from_secs;
        let quick = LOG.replace("10:00:03.200Z info gate: recording", "10:00:01.600Z info gate: recording");
        let slow = LOG.replace("10:00:03.200Z info gate: recording", "10:00:59.200Z info gate: recording");
        let cases = [
            ("all is well", &quick, vec![seconds(1), seconds(2), seconds(3)], 0),
            ("one is slow", &quick, vec![seconds(1), seconds(2), seconds(11)], 0),
            ("one is much too slow", &quick, vec![seconds(1), seconds(2), seconds(13)], 1),
            ("half are slow", &quick, vec![seconds(1), seconds(4), seconds(4)], 1),
            ("the machine is", &slow, vec![seconds(1), seconds(4), seconds(4)], 1),
            ("none has recovered", &quick, vec![], 1),
        ];
        for (name, log, took, expected) in cases {
            assert_eq!(judge(log, &took).len(), expected, "{name}: {:?}", judge(log, &took));
        }
    }

    #[test]
    fn percentiles_are_of_what_was_measured() {
        let took: Vec<Duration> = (1..=100).rev().map(Duration::from_secs).collect();
        assert_eq!(percentiles(&took), Some((Duration::from_secs(51), Duration::from_secs(100))));
        assert_eq!(percentiles(&[]), None);
    }
}
