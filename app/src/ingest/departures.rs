//! The disconnections of one link that are under way: how many may hang.
//!
//! Words: a **link** is one of a camera's streams, with its connections one after another. A **departure** is a connection
//! that is being torn down. It **hangs** while rtspsrc's task does not end: joining that has no time-out.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::BuildError;

/// So many that hang at once are too many: each holds a thread, a pipeline of some megabytes, and one of the few sessions
/// that a camera allows. One that hangs does not keep its link from recording, two do, and no link keeps another from it.
const MOST: usize = 2;

/// Those of a link. Its clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Departures(Arc<AtomicUsize>);

/// Counts one until it is dropped.
#[derive(Debug)]
pub(super) struct Departure(Departures);

impl Departures {
    /// One more begins.
    pub(super) fn begin(&self) -> Departure {
        self.0.fetch_add(1, Ordering::AcqRel);
        Departure(self.clone())
    }

    /// Whether there may be one more connection.
    pub(super) fn allow(&self) -> Result<(), BuildError> {
        let hanging = self.0.load(Ordering::Acquire);
        if hanging < MOST {
            return Ok(());
        }
        let what = format!(
            "{hanging} disconnections of this camera hang; it is connected again when one of them has ended"
        );
        Err(BuildError { what })
    }
}

impl Drop for Departure {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::AcqRel);
    }
}
