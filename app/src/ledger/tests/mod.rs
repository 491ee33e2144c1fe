//! The ledger on real directories, with segments of a small format of the tests' own ([`fake`]).

pub(crate) mod fake;
mod files;
mod rebuild;
mod recover;
