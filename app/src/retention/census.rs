//! How many bytes of a camera's footage lie on the volume, counted a slice at a time.
//!
//! Segments are counted in the order of their numbers, so that one number, the **position**, says of each whether it
//! is counted already: what is deleted meanwhile is taken off again, or never found.

use super::camera::{Stream, Unlisted};
use super::listing::{self, Named};
use holdfast_core::time::Mono;
use holdfast_wire::ids::Name;
use std::fs;
use std::path::Path;

/// The count of one camera. Protected segments are not in it, nor are files that turned out not to be ours.
#[derive(Debug)]
pub(super) struct Census {
    /// The protections that it goes by, by their version; `None` before it began.
    version: Option<u32>,
    /// Segments from this number on are told by their writer; those below are counted here.
    horizon: u32,
    /// The number after the highest that was told.
    next: u32,
    /// Bytes of segments that were told.
    told: u64,
    /// Bytes counted.
    counted: u64,
    /// Up to this number all is counted.
    position: Option<u32>,
    /// What is still to be counted; `None` if nothing is.
    left: Option<Stream>,
    /// What was known before it began anew.
    before: Option<u64>,
}

impl Census {
    /// One that has not begun. `next`: the volume's next number.
    pub fn new(next: u32) -> Self {
        Census {
            version: None,
            horizon: next,
            next,
            told: 0,
            counted: 0,
            position: None,
            left: None,
            before: None,
        }
    }

    /// Bytes of footage; while it is being counted anew, what was counted before; `None` before that.
    pub fn bytes(&self) -> Option<u64> {
        match (self.version, &self.left) {
            (Some(_), None) => Some(self.counted.saturating_add(self.told)),
            (Some(_) | None, _) => self.before,
        }
    }

    /// Whether it is to begin: it never did, or other protections hold since.
    pub fn is_due(&self, version: u32) -> bool {
        self.version != Some(version)
    }

    /// Begins, with the segments in `stream`, by the protections of this version. `open`: the lowest number that is being
    /// written.
    pub fn begin(&mut self, version: u32, open: Option<u32>, stream: Stream) {
        self.before = self.bytes();
        if self.version.is_some() {
            (self.horizon, self.told) = (open.unwrap_or(self.next), 0);
        }
        (self.version, self.counted, self.position, self.left) = (Some(version), 0, None, Some(stream));
    }

    /// A segment was closed that no protection reaches.
    pub fn closed(&mut self, sequence: u32, bytes: u64) {
        self.told = self.told.saturating_add(bytes);
        self.next = self.next.max(sequence.saturating_add(1));
    }

    /// A segment is gone, or turned out to be none.
    pub fn removed(&mut self, sequence: u32, bytes: u64) {
        if sequence >= self.horizon {
            self.told = self.told.saturating_sub(bytes);
        } else if self.position.is_some_and(|position| sequence <= position) {
            self.counted = self.counted.saturating_sub(bytes);
        }
        self.before = self.before.map(|before| before.saturating_sub(bytes));
    }

    /// Counts on until `enough` says so, without what `leaves_out` is true for. True if nothing is left to count, or what is left could not be listed now.
    pub fn go_on(
        &mut self,
        root: &Path,
        camera: &Name,
        now: Mono,
        leaves_out: impl Fn(Named) -> bool,
        mut enough: impl FnMut() -> bool,
    ) -> Result<bool, Unlisted> {
        let Some(stream) = &mut self.left else { return Ok(true) };
        loop {
            let named = match stream.head(root, now) {
                Ok(Some((_, named))) if named.sequence < self.horizon => named,
                Ok(Some(_) | None) => break,
                Err(_) if stream.rest_is_set_aside() => break,
                Err(unlisted) => return Err(unlisted),
            };
            stream.pass();
            self.position = Some(named.sequence);
            if !leaves_out(named)
                && let Ok(facts) = fs::symlink_metadata(listing::path(root, camera, named))
            {
                self.counted = self.counted.saturating_add(facts.len());
            }
            if enough() {
                return Ok(false);
            }
        }
        self.left = None;
        Ok(true)
    }
}
