//! PLACEHOLDER, to be replaced at the merge: where the commands meet the parts that do the work.
//!
//! Each function has the shape that its caller in `cli/mod.rs` needs; each says that its part is not here.

use super::args::{Coverage, View};
use super::exit::Exit;
use crate::config::Config;
use holdfast_core::time::Wall;
use std::error::Error;
use std::path::Path;

/// Becomes `crate::shell::run(config, view)`.
pub fn run(_config: Config, _view: View) -> Result<Exit, Box<dyn Error>> {
    Err("this build has no recorder in it".into())
}

/// Becomes a call of `crate::coverage`. `now` resolves `--since 90m`.
pub fn coverage(_args: &Coverage, _now: Wall) -> Result<Exit, Box<dyn Error>> {
    Err("this build cannot read a ledger".into())
}

/// Becomes `crate::ledger::rebuild`.
pub fn rebuild_ledger(_volume: &Path) -> Result<Exit, Box<dyn Error>> {
    Err("this build cannot rebuild a ledger".into())
}
