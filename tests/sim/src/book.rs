//! What one volume must have been told of one camera: a reference model of the account, after the contract that a hole
//! is told once, when the footage after it is durable.

use crate::agenda::At;
use holdfast_core::time::{Span, Wall};

/// Holes up to this, in microseconds, are no gap.
pub const TOLERANCE: i64 = 100_000;

/// Footage that ends further than this before what is covered says that the clock was set back.
const SET_BACK: i64 = 2_000_000;

/// See the module.
#[derive(Clone, Copy, Debug)]
pub struct Book {
    /// The end of the newest footage, or where the account begins.
    pub covered: Wall,
    furthest: Wall,
    /// The true time of that.
    pub since: At,
    /// Its ledger holds footage of the camera.
    pub known: bool,
    /// The times of what it holds are being put right: until footage in the right time is there, anything may be told.
    pub loose: bool,
    /// They were, in this session: how far it was ever covered is not certain.
    pub vague: bool,
    /// What was covered before that, in times that may mean the same moments: a hole below it may be none.
    claimed: Wall,
    /// What made the hole that is open is not certain: it was elsewhere meanwhile, or lost what it held.
    pub strange: bool,
}

/// A hole that the event under way must tell of.
#[derive(Clone, Copy, Debug)]
pub struct Hole {
    /// Whose.
    pub camera: usize,
    /// On which place.
    pub place: usize,
    /// What is not told yet.
    pub rest: Span,
    /// Where footage truly ended before it, and truly went on.
    pub truly: (At, At),
    /// Anything may be told.
    pub loose: bool,
    /// Where it begins is not certain.
    pub vague: bool,
    /// It lies in what was covered before the times were put right.
    pub claimed: bool,
}

impl Book {
    /// An account that begins now.
    pub const fn new(wall: Wall, at: At) -> Self {
        Book {
            covered: wall,
            furthest: wall,
            since: at,
            known: false,
            loose: false,
            vague: false,
            claimed: Wall(i64::MIN),
            strange: false,
        }
    }

    /// It is read from the ledger: what was covered counts, nothing further.
    pub const fn reopened(&mut self) {
        self.furthest = self.covered;
        self.vague = false;
        self.claimed = Wall(i64::MIN);
    }

    /// Whether all before this moment was covered in times that were put right since.
    pub fn has_claimed(&self, to: Wall) -> bool {
        self.vague && to <= self.claimed
    }

    /// Footage becomes durable. Gives the hole before it.
    pub fn store(&mut self, span: Span, truly: (At, At)) -> Option<(Span, (At, At))> {
        if self.loose {
            self.claimed = self.claimed.max(self.furthest);
            (self.covered, self.furthest) = (span.from, span.from);
            self.vague = true;
        }
        if self.covered.micros_since(span.to) > SET_BACK {
            self.covered = span.from;
        }
        let hole = (span.from.micros_since(self.covered) > 0).then(|| {
            let from = if self.furthest < span.from { self.furthest.max(self.covered) } else { self.covered };
            (Span::new(from, span.from), (self.since, truly.0))
        });
        self.covered = self.covered.max(span.to);
        self.furthest = self.furthest.max(span.to);
        self.since = truly.1;
        self.known = true;
        hole
    }
}
