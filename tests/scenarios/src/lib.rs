//! Stories of what breaks, told to the recorder's core in virtual time.
//!
//! Words: a **story** is a file of plain words, one fact a line: who takes part, what happens, what is expected; its
//! **golden** file is what came of it: each decision with its moment and its reason, and the coverage at the end. How to write one
//! stands in `tests/README.md`; which of what breaks recorders in the field is told where, in `tests/scenarios/README.md`.
//!
//! | file | what |
//! |---|---|
//! | `script.rs` | a story as data |
//! | `parse/` | from words to data, every problem at once |
//! | `world/` | cameras, volumes, ledgers and clocks around the core |
//! | `say.rs`, `report.rs` | from effects to sentences |
//! | `judge.rs` | whether what is expected is so |
//! | `run.rs` | a story from its first line to its last |
//! | `diff.rs` | a difference, for a person |
#![forbid(unsafe_code)]

pub mod diff;
mod judge;
pub mod parse;
mod report;
pub mod run;
mod say;
pub mod script;
pub mod time;
pub mod words;
mod world;
