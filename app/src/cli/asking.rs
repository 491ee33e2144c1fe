//! The options of what is asked of a running recorder: `status`, `volume`, `protect`.

use super::exit;
use super::moment::Moment;
use crate::config::{RUNTIME, parse_duration};
use clap::{Args, Subcommand};
use holdfast_wire::ids::Name;
use std::path::PathBuf;
use std::time::Duration;

/// Longest note of a protection, in bytes: what the ledger has room for.
const MAX_NOTE: usize = 64;

const PROTECT_EXAMPLES: &str = "\
EXAMPLES:
  holdfast protect add --camera entrance --since 2026-11-22T10:00 --until 2026-11-22T10:15 --note break-in
  holdfast protect add --since 30m --note accident
  holdfast protect list
  holdfast protect remove 4f3c 3";

/// How a recorder is asked.
#[derive(Args, Clone, Debug)]
pub struct Ask {
    /// The recorder's runtime directory: `runtime` in the section `storage` of its configuration
    #[arg(long, value_name = "DIR", default_value = RUNTIME, env = "HOLDFAST_RUNTIME")]
    pub runtime: PathBuf,
    /// Print JSON instead of a table
    #[arg(long)]
    pub json: bool,
}

/// `holdfast status`.
#[derive(Args, Debug)]
pub struct Status {
    /// How it is asked.
    #[command(flatten)]
    pub ask: Ask,
}

/// A volume, as a person names it.
#[derive(Args, Debug)]
pub struct VolumeName {
    /// Its id or the beginning of it, its device (sda1), or its path
    #[arg(value_name = "VOLUME")]
    pub volume: String,
    /// How it is asked.
    #[command(flatten)]
    pub ask: Ask,
}

/// `holdfast volume eject`.
#[derive(Args, Debug)]
pub struct Eject {
    /// Which one.
    #[command(flatten)]
    pub volume: VolumeName,
    /// How long to wait until it is safe to remove
    #[arg(long, value_name = "TIME", default_value = "90s", value_parser = duration)]
    pub wait: Duration,
}

/// `holdfast protect`.
#[derive(Debug, Subcommand)]
pub enum ProtectCommand {
    /// Keep footage from being deleted, on every volume in use
    #[command(after_long_help = [exit::HELP, PROTECT_EXAMPLES].join("\n\n"))]
    Add(Protect),
    /// Show what is protected
    #[command(after_long_help = [exit::HELP, PROTECT_EXAMPLES].join("\n\n"))]
    List(Ask),
    /// Take a protection back: its footage is deleted again as any other
    #[command(after_long_help = [exit::HELP, PROTECT_EXAMPLES].join("\n\n"))]
    Remove {
        /// The volume's id or the beginning of it, its device (sda1), or its path
        #[arg(value_name = "VOLUME")]
        volume: String,
        /// Its number there, as `holdfast protect list` shows it
        #[arg(value_name = "NUMBER")]
        number: u32,
        /// How it is asked.
        #[command(flatten)]
        ask: Ask,
    },
}

/// `holdfast protect add`.
#[derive(Args, Debug)]
pub struct Protect {
    /// How it is asked.
    #[command(flatten)]
    pub ask: Ask,
    /// Only this camera [default: all]
    #[arg(long, value_name = "ID", value_parser = super::args::parse_name)]
    pub camera: Option<Name>,
    /// From this moment on: RFC 3339, a date (UTC), or a duration ago like 90m
    #[arg(long, value_name = "T", value_parser = Moment::parse)]
    pub since: Moment,
    /// Up to this moment, written the same way; it may lie in the future [default: now]
    #[arg(long, value_name = "T", value_parser = Moment::parse)]
    pub until: Option<Moment>,
    /// Why: for those who find it later, at most 64 bytes
    #[arg(long, value_name = "TEXT", default_value = "", value_parser = note)]
    pub note: String,
}

fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| "write a whole number with its unit, as in 90s".to_owned())
}

fn note(text: &str) -> Result<String, String> {
    match text.len() {
        0..=MAX_NOTE => Ok(text.to_owned()),
        length => Err(format!("it has {length} bytes, and there is room for {MAX_NOTE}")),
    }
}
