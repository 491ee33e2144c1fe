//! What is tried, in order, against trouble in a stream whose connection lives.
//!
//! Words: the **steps** are to resume (wait for the next keyframe with fresh times), to rebuild the branch (new elements
//! behind the RTSP source), and to rebuild the pipeline (a new connection). Each has time to show its effect before the
//! next one; a new connection that has not helped is tried again seldom, since each costs footage that is recorded
//! meanwhile, damaged as it is.

use crate::time::Mono;
use core::time::Duration;

/// What a step has to show its effect: two GOPs of the length that cameras like. It is also the least between two new
/// files that such trouble can make.
const PATIENCE: Duration = Duration::from_secs(20);

/// Between new connections that do not help.
const SELDOM: Duration = Duration::from_secs(300);

/// So long without trouble, and the steps begin anew.
const WELL: Duration = Duration::from_secs(60);

/// A step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Resume,
    RebuildBranch,
    RebuildPipeline,
}

/// See the module.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mending {
    rung: Rung,
    /// The next step, not before.
    next: Mono,
    /// When a step was asked for last.
    trouble: Mono,
}

#[derive(Clone, Copy, Debug)]
enum Rung {
    Rested,
    Resumed,
    Rebuilt,
    Reconnected,
}

impl Mending {
    /// Nothing has been tried.
    pub(crate) const fn new() -> Self {
        Mending { rung: Rung::Rested, next: Mono(0), trouble: Mono(0) }
    }

    /// There is trouble: the step to take now, if its time has come.
    pub(crate) fn step(&mut self, now: Mono) -> Option<Step> {
        self.trouble = now;
        if now < self.next {
            return None;
        }
        let (rung, wait, step) = match self.rung {
            Rung::Rested => (Rung::Resumed, PATIENCE, Step::Resume),
            Rung::Resumed => (Rung::Rebuilt, PATIENCE, Step::RebuildBranch),
            Rung::Rebuilt | Rung::Reconnected => (Rung::Reconnected, SELDOM, Step::RebuildPipeline),
        };
        (self.rung, self.next) = (rung, now + wait);
        Some(step)
    }

    /// There is none now.
    pub(crate) fn rest(&mut self, now: Mono) {
        if now.since(self.trouble) >= WELL {
            self.rung = Rung::Rested;
        }
    }

    /// When the next step may be taken.
    pub(crate) const fn next(&self) -> Mono {
        self.next
    }
}
