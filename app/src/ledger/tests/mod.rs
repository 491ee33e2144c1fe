//! The ledger on real directories, with segments of a small format of the tests' own ([`fake`]).

mod checkpoint;
pub(crate) mod fake;
mod files;
mod rebuild;
mod recover;
