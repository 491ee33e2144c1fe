//! Which of the oldest segments goes: one look at the heads of a shelf.

use super::{Candidate, MAX_SHELF, Shelf};

/// Segments that one step passes over at most: a quarter of a second's work, if each has to be opened.
pub(super) const PASSES: usize = 256;

/// The oldest segment of each camera that is not protected.
pub(super) struct Heads {
    heads: [Option<Candidate>; MAX_SHELF],
    /// Some camera could not be listed: what is missing here is not known to be missing.
    pub(super) unlisted: bool,
}

/// How many cameras of the shelf are looked at.
pub(super) fn cameras(shelf: &impl Shelf) -> usize {
    shelf.cameras().min(MAX_SHELF)
}

impl Heads {
    /// Passes over what is protected, adding its bytes to `protected`. `None`: there is more to pass over than one step does.
    pub(super) fn of(shelf: &mut impl Shelf, protected: &mut u64) -> Option<Heads> {
        let mut heads = Heads { heads: [None; MAX_SHELF], unlisted: false };
        let mut passes = 0;
        for camera in 0..cameras(shelf) {
            heads.heads[camera] = loop {
                match shelf.head(camera) {
                    Ok(Some(head)) if head.protected => {
                        if passes == PASSES {
                            return None;
                        }
                        passes += 1;
                        *protected = protected.saturating_add(head.bytes);
                        shelf.pass(camera);
                    }
                    Ok(head) => break head,
                    Err(super::Unlisted) => {
                        heads.unlisted = true;
                        break None;
                    }
                }
            };
        }
        Some(heads)
    }

    /// The one with the smallest number among those that `fits` is true for.
    pub(super) fn oldest(
        &self,
        mut fits: impl FnMut(usize, &Candidate) -> bool,
    ) -> Option<(usize, Candidate)> {
        self.heads
            .iter()
            .enumerate()
            .filter_map(|(camera, head)| head.map(|head| (camera, head)))
            .filter(|(camera, head)| fits(*camera, head))
            .min_by_key(|(_, head)| head.sequence)
    }

    /// The oldest of the cameras that hold at least their share: what all hold together, divided by their number. So a
    /// camera that was silent for months keeps its only evidence while others have more. The oldest of all
    /// as long as their footage is not counted.
    pub(super) fn fair(&self, shelf: &impl Shelf) -> Option<(usize, Candidate)> {
        let mut holders: u128 = 0;
        let mut all: u128 = 0;
        for (camera, _) in self.heads.iter().enumerate().filter(|(_, head)| head.is_some()) {
            let Some(footage) = shelf.footage(camera) else { return self.oldest(|_, _| true) };
            holders += 1;
            all += u128::from(footage);
        }
        // Not all can hold less than the mean, so somebody is found.
        self.oldest(|camera, _| shelf.footage(camera).is_some_and(|has| u128::from(has) * holders >= all))
    }
}
