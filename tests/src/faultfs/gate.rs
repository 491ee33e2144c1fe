//! The gate that every call passes: which faults befall it, how long it waits, what it was answered.

use super::fault::{Call, Effect, Fault};
use crate::lock;
use rustix::io::Errno;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Instant;

/// A call that came, and what it was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// When it came.
    pub at: Instant,
    /// What was asked.
    pub call: Call,
    /// Of which file, from the root of the filesystem.
    pub path: PathBuf,
    /// Bytes to be written or read; 0 for other calls.
    pub bytes: u64,
    /// `None` while it waits.
    pub answer: Option<Answer>,
}

/// What a call was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// When.
    pub at: Instant,
    /// The error, if it was one.
    pub errno: Option<Errno>,
}

/// What is to become of a call.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    /// Its place in the log.
    index: usize,
    /// It waits until this fault is gone, or until the moment if there is one.
    waits: Vec<(u64, Option<Instant>)>,
    /// It is answered with this, and nothing is done.
    pub errno: Option<Errno>,
}

impl Verdict {
    /// Whether it can be answered at once.
    pub fn is_prompt(&self) -> bool {
        self.waits.is_empty()
    }
}

#[derive(Debug, Default)]
struct State {
    faults: Vec<(u64, Fault)>,
    next: u64,
    log: Vec<Seen>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

impl Gate {
    /// From now on this is wrong. A key to end it with.
    pub fn inject(&self, fault: Fault) -> u64 {
        let mut state = lock(&self.state);
        let key = state.next;
        state.next += 1;
        state.faults.push((key, fault));
        key
    }

    /// This fault is over; without a key every one is. Whoever waits for that goes on.
    pub fn end(&self, key: Option<u64>) {
        lock(&self.state).faults.retain(|(other, _)| key.is_some_and(|key| key != *other));
        self.changed.notify_all();
    }

    /// Every call so far, in the order of coming.
    pub fn log(&self) -> Vec<Seen> {
        lock(&self.state).log.clone()
    }

    /// The calls that came since then.
    pub fn log_since(&self, then: Instant) -> Vec<Seen> {
        let log = &lock(&self.state).log;
        log[log.partition_point(|seen| seen.at < then)..].to_vec()
    }

    /// How many calls came that `counts` is true of.
    pub fn count(&self, counts: impl Fn(&Seen) -> bool) -> usize {
        lock(&self.state).log.iter().filter(|seen| counts(seen)).count()
    }

    /// A call has come.
    pub fn judge(&self, call: Call, path: &Path, bytes: u64) -> Verdict {
        let mut state = lock(&self.state);
        let at = Instant::now();
        let mut verdict = Verdict { index: state.log.len(), ..Verdict::default() };
        for (key, fault) in &mut state.faults {
            if !fault.befalls(call, path) {
                continue;
            }
            match fault.effect {
                Effect::Fails(errno) => verdict.errno = verdict.errno.or(Some(errno)),
                Effect::Slow(delay) => verdict.waits.push((*key, Some(at + delay))),
                Effect::Hangs => verdict.waits.push((*key, None)),
                // Told by `claimed_space`.
                Effect::ClaimsSpace { .. } => {}
            }
        }
        state.log.push(Seen { at, call, path: path.to_owned(), bytes, answer: None });
        verdict
    }

    /// What statfs is to claim by the newest fault that says so: free bytes, bytes in all.
    pub fn claimed_space(&self) -> Option<(u64, u64)> {
        lock(&self.state).faults.iter().rev().find_map(|(_, fault)| match fault.effect {
            Effect::ClaimsSpace { free, total } => Some((free, total)),
            Effect::Fails(_) | Effect::Slow(_) | Effect::Hangs => None,
        })
    }

    /// Waits as long as the verdict says.
    pub fn wait(&self, verdict: &Verdict) {
        for (key, until) in &verdict.waits {
            let mut state = lock(&self.state);
            loop {
                let left = until.map(|until| until.saturating_duration_since(Instant::now()));
                if left.is_some_and(|left| left.is_zero())
                    || state.faults.iter().all(|(other, _)| other != key)
                {
                    break;
                }
                state = match left {
                    Some(left) => {
                        let woken = self.changed.wait_timeout(state, left);
                        woken.unwrap_or_else(PoisonError::into_inner).0
                    }
                    None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                };
            }
        }
    }

    /// The call is about to be answered with this.
    pub fn answered(&self, verdict: &Verdict, errno: Option<Errno>) {
        if let Some(seen) = lock(&self.state).log.get_mut(verdict.index) {
            seen.answer = Some(Answer { at: Instant::now(), errno });
        }
    }
}
