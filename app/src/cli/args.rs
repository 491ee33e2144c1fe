//! The command line: what can be typed, and the help that explains it.

use super::moment::Moment;
use super::{asking, exit, volume};
use crate::config::RUNTIME;
use crate::view::Mode;
use clap::{Args, Parser, Subcommand, ValueEnum};
use holdfast_wire::ids::Name;
use std::path::PathBuf;

/// Where the configuration is if nothing else is said.
pub const DEFAULT_CONFIG: &str = "/etc/holdfast/holdfast.toml";

const ABOUT: &str =
    "Black-box video recorder: records RTSP cameras to disks and accounts for every missing second";

const LONG_ABOUT: &str = "\
Holdfast records RTSP cameras to disks: through lost cameras, full disks, pulled cables, wrong clocks and \
power cuts. Files are fragmented MP4 that any player opens, at any moment of their life. Beside them lies \
a ledger that names the cause of every second that is missing; `holdfast coverage` reads it.";

const FILES: &str = "\
FILES:
  /etc/holdfast/holdfast.toml   the configuration
  /etc/holdfast/secrets.toml    users and passwords of cameras, mode 600
  $CREDENTIALS_DIRECTORY/NAME   or each as a systemd credential, `user:password` on one line
  VOLUME/holdfast/              recordings and ledger";

const ENVIRONMENT: &str = "\
ENVIRONMENT:
  HOLDFAST_LOG       how much is logged: error, warn, info (default) or debug
  HOLDFAST_RUNTIME   where `status`, `volume` and `protect` find the recorder, instead of /run/holdfast
  NO_COLOR           if set, nothing is coloured; colours appear on a terminal only";

const RUN_EXAMPLES: &str = "\
EXAMPLES:
  holdfast run --config /etc/holdfast/holdfast.toml
  HOLDFAST_LOG=debug holdfast run --config ./holdfast.toml --view off";

const CHECK_EXAMPLES: &str = "\
EXAMPLES:
  holdfast check /etc/holdfast/holdfast.toml
  holdfast check holdfast.toml --json | jq '.problems[] | select(.severity == \"error\")'";

const COVERAGE_EXAMPLES: &str = "\
EXAMPLES:
  holdfast coverage /media/holdfast
  holdfast coverage /media/holdfast --camera entrance --since 2026-11-22 --until 2026-11-23
  holdfast coverage /media/holdfast --since 90m --json";

const LEDGER_EXAMPLES: &str = "\
EXAMPLES:
  holdfast ledger rebuild /media/holdfast";

/// `holdfast`.
#[derive(Debug, Parser)]
#[command(name = "holdfast", version, about = ABOUT, long_about = LONG_ABOUT, propagate_version = true)]
#[command(arg_required_else_help = true, disable_help_subcommand = true, max_term_width = 100)]
#[command(after_long_help = [exit::HELP, FILES, ENVIRONMENT, RUN_EXAMPLES].join("\n\n"))]
pub struct Cli {
    /// What is to be done.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Record, until SIGTERM or SIGINT
    ///
    /// Records every camera of the configuration to its volumes, and does not end by itself: a camera or a
    /// disk that fails is tried again for ever. On SIGTERM or SIGINT everything is written out and closed.
    #[command(after_long_help = [exit::HELP, FILES, ENVIRONMENT, RUN_EXAMPLES].join("\n\n"))]
    Run(Run),
    /// Check a configuration, and print every problem at once
    ///
    /// Reads the configuration and the secrets that it refers to, and prints each problem with its place,
    /// what is allowed, and a hint. Connects to no camera and touches no volume. Passwords are never printed.
    #[command(after_long_help = [exit::HELP, FILES, CHECK_EXAMPLES].join("\n\n"))]
    Check(Check),
    /// Tell for each camera what is durable on a volume, and every gap with its cause
    ///
    /// Reads the volume's ledger. For each camera: seconds that are durable, percent, and every gap with
    /// start, end and cause; together they add up to 100 %.
    #[command(after_long_help = [exit::HELP, COVERAGE_EXAMPLES].join("\n\n"))]
    Coverage(Coverage),
    /// Show how the recorder on this machine is: cameras, volumes, disks, alarms
    #[command(after_long_help = exit::HELP)]
    Status(asking::Status),
    /// Keep footage from being deleted
    #[command(subcommand, after_long_help = exit::HELP)]
    Protect(asking::ProtectCommand),
    /// Mend the ledger of a volume
    #[command(subcommand, after_long_help = [exit::HELP, LEDGER_EXAMPLES].join("\n\n"))]
    Ledger(Ledger),
    /// Mount, adopt and let go of disks
    #[command(subcommand, after_long_help = [exit::HELP, volume::FILES, volume::EXAMPLES].join("\n\n"))]
    Volume(volume::Volume),
    /// Leave a word for the next start about how the recorder ended; for systemd (ExecStopPost=)
    ///
    /// Reads SERVICE_RESULT and EXIT_STATUS as systemd sets them, and adds them to the note of the session that has ended.
    #[command(hide = true, after_long_help = exit::HELP)]
    LastWords(LastWords),
}

/// `holdfast last-words`.
#[derive(Args, Debug)]
pub struct LastWords {
    /// The recorder's directory: `runtime` in the section `storage` of the configuration
    #[arg(long, value_name = "DIR", default_value = RUNTIME, env = "HOLDFAST_RUNTIME")]
    pub runtime: PathBuf,
}

/// `holdfast run`.
#[derive(Args, Debug)]
pub struct Run {
    /// The configuration file; docs/configuration.md explains its keys
    #[arg(long, short, value_name = "FILE", default_value = DEFAULT_CONFIG)]
    pub config: PathBuf,
    /// What is shown on standard output while it records
    #[arg(long, value_enum, value_name = "HOW", default_value_t = View::Auto)]
    pub view: View,
}

/// What `holdfast run` shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum View {
    /// Live on a terminal, off where the log goes to the journal, lines anywhere else
    Auto,
    /// A table of cameras and volumes that is redrawn
    Live,
    /// A line for each camera and volume, every ten seconds
    Lines,
    /// Nothing; the log goes on
    Off,
}

impl From<View> for Mode {
    fn from(view: View) -> Self {
        match view {
            View::Auto => Mode::Auto,
            View::Live => Mode::Live,
            View::Lines => Mode::Lines,
            View::Off => Mode::Off,
        }
    }
}

/// `holdfast check`.
#[derive(Args, Debug)]
pub struct Check {
    /// The configuration file
    #[arg(value_name = "FILE", default_value = DEFAULT_CONFIG)]
    pub file: PathBuf,
    /// Print one JSON object instead: file, errors, warnings, problems
    #[arg(long)]
    pub json: bool,
}

/// `holdfast coverage`.
#[derive(Args, Debug)]
pub struct Coverage {
    /// Where the volume is mounted: the directory that holds `holdfast/`
    #[arg(value_name = "VOLUME")]
    pub volume: PathBuf,
    /// Only this camera; may be given several times [default: every camera of the volume]
    #[arg(long = "camera", value_name = "ID", value_parser = parse_name)]
    pub cameras: Vec<Name>,
    /// From this moment on, included: RFC 3339, a date (UTC), or a duration ago like 90m [default: the
    /// first moment that the ledger knows]
    #[arg(long, value_name = "T", value_parser = Moment::parse, allow_hyphen_values = false)]
    pub since: Option<Moment>,
    /// Up to this moment, excluded, written the same way [default: the last moment that the ledger knows]
    #[arg(long, value_name = "T", value_parser = Moment::parse)]
    pub until: Option<Moment>,
    /// Print JSON instead of a table
    #[arg(long)]
    pub json: bool,
}

/// `holdfast ledger`.
#[derive(Debug, Subcommand)]
pub enum Ledger {
    /// Write a volume's ledger anew from its segments alone
    ///
    /// For a ledger that was lost or damaged. What the segments hold is found again to the frame; why
    /// something is missing can only be told where a segment says it.
    #[command(after_long_help = [exit::HELP, LEDGER_EXAMPLES].join("\n\n"))]
    Rebuild {
        /// Where the volume is mounted: the directory that holds `holdfast/`
        #[arg(value_name = "VOLUME")]
        volume: PathBuf,
    },
}

pub(super) fn parse_name(text: &str) -> Result<Name, String> {
    Name::new(text).map_err(|error| format!("the camera's id {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_and_option_is_explained() {
        fn explained(command: &clap::Command, path: &str) {
            let path = format!("{path} {}", command.get_name());
            assert!(command.get_about().is_some(), "{path}: no description");
            for arg in command.get_arguments() {
                assert!(arg.get_help().is_some(), "{path} {}: no help", arg.get_id());
            }
            command.get_subcommands().for_each(|inner| explained(inner, &path));
        }
        explained(&Cli::command(), "");
    }

    #[test]
    fn help_has_the_sections_of_a_manual_page() {
        for (name, sections) in [
            ("run", &["EXIT STATUS:", "FILES:", "ENVIRONMENT:", "EXAMPLES:"][..]),
            ("check", &["EXIT STATUS:", "FILES:", "EXAMPLES:"]),
            ("coverage", &["EXIT STATUS:", "EXAMPLES:"]),
            ("ledger", &["EXIT STATUS:", "EXAMPLES:"]),
            ("volume", &["EXIT STATUS:", "FILES:", "EXAMPLES:"]),
        ] {
            let mut command = Cli::command();
            let help = command.find_subcommand_mut(name).expect(name).render_long_help().to_string();
            for section in sections {
                assert!(help.contains(section), "{name}: no {section}\n{help}");
            }
        }
    }
}
