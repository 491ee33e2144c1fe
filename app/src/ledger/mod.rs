//! The ledger's files: appending, reading, mending, rebuilding.
//!
//! The **ledger** of a volume says what was stored there, what is missing and why. It lies in
//! `holdfast/ledger/`, a file for each month, and is only ever appended to. Its format is in
//! [`holdfast_wire::ledger`] and [`holdfast_wire::frame`].
//!
//! What holds of it:
//!
//! 1. A record follows what it tells of: a segment is closed in the ledger after its last fragment is
//!    durable, and opened after its directory entry is. Only a deletion is recorded before it is done. So a ledger
//!    never promises what is not there; it may lack its last moments, and [`recover`] reads those back from the segments.
//! 2. Reading changes nothing and never gives up: what cannot be read is told and passed over.
//! 3. Only [`recover`] cuts: a torn tail of the newest file, and torn tails of segments that the ledger
//!    calls open. Each cut is recorded.
//! 4. Without any ledger, [`rebuild`] makes one from the segments: each carries all that is needed.
//!
//! | file | what |
//! |---|---|
//! | [`read`] | months and records in their order, problems told |
//! | [`mod@write`] | append, sync, new month, torn tail |
//! | [`history`] | what the records come to, and the checkpoint that keeps it |
//! | [`facts`] | what a segment's file says of itself |
//! | [`walk`] | finding segments by their names |
//! | [`recover`] | at opening: what the session before left undone |
//! | [`rebuild`] | a ledger from the segments alone |

pub mod facts;
pub mod history;
pub mod read;
pub mod rebuild;
pub mod recover;
pub mod walk;
pub mod write;

pub use facts::{Mp4Scanner, ScanError, SegmentFacts, SegmentScanner};
pub use history::History;
pub use read::{Problem, Trouble, read_all};
pub use write::LedgerWriter;

/// How a command on a volume went, for the exit status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All that was there could be read.
    Complete,
    /// It did its work, but something could not be read; what, is in its output.
    Incomplete,
}

#[cfg(test)]
pub(crate) mod tests;
