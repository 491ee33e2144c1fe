//! What Holdfast says and stores: the records of the ledger, the header inside each segment, the
//! marker of a volume, the kinds of its alarms. `no_std`, no allocator, everything versioned.
//!
//! Words: a **record** is one entry of the ledger; a **frame** is a record on disk (postcard, then
//! CRC-32, then COBS, ended by a zero byte); a **cause** is why footage is missing.
//!
//! Compatibility: postcard numbers the variants of an enum in their order and names no field. So variants
//! are only ever appended, and a variant's fields never change: a record that needs more gets a new
//! variant. Golden tests in `tests/golden.rs` fail when one moves.
#![no_std]
#![forbid(unsafe_code)]

pub mod alarm;
pub mod cause;
pub mod frame;
pub mod ids;
pub mod ledger;
pub mod retention;
pub mod segment;
pub mod time;
pub mod volume;
