//! Retention on a volume: what lies there, what may be deleted, deleting it, protecting it.
//!
//! The core's [`Cleaner`](holdfast_core::retention::Cleaner) decides by which rule what goes; here its decisions are carried
//! out, on the volume's own thread:
//!
//! 1. Nothing is deleted that is open, protected, or not proved to be ours ([`shelf`]).
//! 2. The record of a deletion is durable in the ledger before its file is removed: what the ledger calls stored is there.
//!    A power cut between the two is found at the next opening ([`crate::ledger::recover`]).
//! 3. Directories that a deletion emptied are removed with it.
//! 4. Not even a volume without a free byte is stuck: a reserve is given up for the ledger's records ([`reserve`]).
//!
//! | file | what |
//! |---|---|
//! | [`cleaning`] | a turn of cleaning: plan, record, delete, tell |
//! | [`shelf`] | each camera's segments head by head, as the core wants them |
//! | `proof` | what a segment's own file proves before it may be deleted |
//! | [`full`] | a volume that was found full, freed before anything else is written |
//! | `camera`, `listing` | a camera's segments in the order of their numbers, over days in any order |
//! | `census` | how much footage there is |
//! | [`protection`] | what no rule may delete |
//! | [`reserve`] | a little space for the worst moment |

mod camera;
mod census;
pub mod cleaning;
pub mod full;
mod listing;
mod proof;
pub mod protection;
pub mod reserve;
pub mod shelf;

use crate::volumes::VolumeError;

/// Whether the volume is still the one that was opened, and still ours to change. Asked right before whatever changes
/// it by a path: the call before may have hung for an hour, and another disk be mounted there since.
pub type Check<'a> = &'a dyn Fn() -> Result<(), VolumeError>;

pub use cleaning::{Cleaning, Moment, Retention};
pub use full::Memory;
pub use protection::{Archive, ProtectError, Protection, Protections, Wish};
pub use shelf::Ages;

#[cfg(test)]
mod tests;
