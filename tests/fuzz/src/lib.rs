//! What is fuzzed: each module has a function `run` that takes any bytes, and panics if something does not hold. They are called by
//! libFuzzer (`fuzz_targets/`), and with the kept corpus by a plain test of the crate `holdfast-tests`, which includes
//! this file.
//!
//! | target | what it reads |
//! |---|---|
//! | [`configuration`] | a configuration file |
//! | [`url`] | a camera's URL |
//! | [`wire`] | one value: a record, a segment's header, a volume's marker |
//! | [`ledger`] | a month of a ledger, up to the account of what is missing |
//! | [`recovery`] | a volume after a crash: opening, account, rebuilding, on files |
//! | [`mp4`] | a segment's file |
//! | [`stream`] | what a camera sends: codec configuration, times, frames; muxed and read back |

pub mod configuration;
pub mod ledger;
pub mod mp4;
pub mod recovery;
pub mod stream;
pub mod url;
pub mod wire;

/// A target's name and what it does with bytes.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 7] = [
    ("configuration", configuration::run),
    ("url", url::run),
    ("wire", wire::run),
    ("ledger", ledger::run),
    ("recovery", recovery::run),
    ("mp4", mp4::run),
    ("stream", stream::run),
];
