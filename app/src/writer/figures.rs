//! What a writer's thread shows of its volume, for other threads to read at any moment.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A figure that may be unknown. The largest number stands for that: no filesystem has so many bytes.
#[derive(Debug)]
pub struct Figure(AtomicU64);

impl Figure {
    const UNKNOWN: u64 = u64::MAX;

    /// Shows this from now on.
    pub fn set(&self, value: Option<u64>) {
        self.0.store(value.unwrap_or(Self::UNKNOWN), Ordering::Relaxed);
    }
    /// What was set last; `None` before.
    pub fn get(&self) -> Option<u64> {
        Some(self.0.load(Ordering::Relaxed)).filter(|value| *value != Self::UNKNOWN)
    }
}

impl Default for Figure {
    fn default() -> Self {
        Figure(AtomicU64::new(Self::UNKNOWN))
    }
}

/// Space on the volume, as it was asked for last.
#[derive(Debug, Default)]
pub struct Space {
    /// Bytes that an ordinary user may still write; unknown also when the filesystem did not tell.
    pub free: Figure,
    /// Bytes in all; unknown also when the filesystem did not tell.
    pub total: Figure,
    /// Bytes of footage that a rule might delete; unknown until cleaning has counted all of it.
    pub footage: Figure,
}

/// A writer's figures at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WriterFigures {
    /// How long the call to the disk that is under way has lasted; zero if none is.
    pub busy: Duration,
    /// The longest call that ended since the figures were taken before.
    pub slowest: Duration,
    /// Bytes free to an ordinary user; `None` if the filesystem did not tell when it was asked last.
    pub free: Option<u64>,
    /// Bytes in all; `None` if the filesystem did not tell when it was asked last.
    pub total: Option<u64>,
    /// Bytes of footage that a rule might delete; `None` until all of it has been counted.
    pub footage: Option<u64>,
}
