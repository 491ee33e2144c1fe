//! The room on the disk: a budget of bytes that files use up in whole blocks, and that deleting gives back.

use rustix::io::Errno;
use std::collections::HashSet;

/// Files take up whole blocks of so many bytes, as on most disks.
pub(super) const BLOCK: u64 = 4096;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Budget {
    /// Bytes in all; `None`: no bound of our own.
    pub capacity: Option<u64>,
    /// Bytes used.
    pub used: u64,
    /// Deleted files that are open still: their bytes come back with the last close.
    pub deleted: HashSet<u64>,
}

/// What a file of this length uses.
pub(super) fn blocks(length: u64) -> u64 {
    length.next_multiple_of(BLOCK)
}

impl Budget {
    /// A file of length `from` is to grow to `to`. How long it may become, at most `to`; its use is counted.
    ///
    /// # Errors
    /// `ENOSPC` if it may not grow at all.
    pub fn grow(&mut self, from: u64, to: u64) -> Result<u64, Errno> {
        let most = match self.capacity {
            Some(capacity) => blocks(from).saturating_add(capacity.saturating_sub(self.used) / BLOCK * BLOCK),
            None => u64::MAX,
        };
        let allowed = to.min(most);
        if allowed <= from && to > from {
            return Err(Errno::NOSPC);
        }
        self.used += blocks(allowed).saturating_sub(blocks(from));
        Ok(allowed)
    }

    /// A file has become shorter; 0 if it is gone.
    pub fn shrink(&mut self, from: u64, to: u64) {
        self.used = self.used.saturating_sub(blocks(from).saturating_sub(blocks(to)));
    }

    /// Bytes free, of the capacity.
    pub fn free(&self, capacity: u64) -> u64 {
        capacity.saturating_sub(self.used)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_grows_to_the_last_free_block_and_then_not_at_all() {
        let mut budget = Budget { capacity: Some(3 * BLOCK + 100), ..Budget::default() };
        assert_eq!(budget.grow(0, 5000), Ok(5000));
        assert_eq!(budget.used, 2 * BLOCK);
        assert_eq!(budget.grow(5000, 6000), Ok(6000), "into its own last block");
        assert_eq!(budget.grow(6000, 1 << 20), Ok(3 * BLOCK), "a short write");
        assert_eq!(budget.grow(3 * BLOCK, 3 * BLOCK + 1), Err(Errno::NOSPC));
        assert_eq!(budget.grow(0, 1), Err(Errno::NOSPC), "another file");
        budget.shrink(3 * BLOCK, 0);
        assert_eq!((budget.used, budget.free(3 * BLOCK + 100)), (0, 3 * BLOCK + 100));
    }
}
