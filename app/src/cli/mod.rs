//! The commands a person types: [`args`] says which, [`exit`] how they end.
//!
//! Results go to standard output, messages and the log to standard error (or the journal).

pub mod args;
pub mod asking;
mod check;
pub mod exit;
pub mod moment;
pub mod output;
mod status;
pub mod volume;

use crate::config;
use crate::coverage::{self, CoverageArgs, CoverageError};
use crate::host::{self, clock, journal, last_words, message_ids};
use crate::{ledger, shell};
use args::{Cli, Command, Coverage, LastWords, Ledger, Run};
use clap::Parser;
use exit::Exit;
use std::error::Error;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The whole program: reads the command line, does what it says, tells how it went.
pub fn main() -> Exit {
    match Cli::try_parse() {
        Ok(cli) => {
            journal::init();
            dispatch(cli.command).unwrap_or_else(|error| {
                output::complain(&format!("holdfast: {}\n", chain(error.as_ref())));
                Exit::Failed
            })
        }
        Err(wrong) => {
            // Also --help and --version. A pipe that was closed early is no failure.
            let _ = wrong.print();
            if wrong.use_stderr() { Exit::Usage } else { Exit::Done }
        }
    }
}

fn dispatch(command: Command) -> Result<Exit, Box<dyn Error>> {
    match command {
        Command::Run(args) => run(&args),
        Command::Check(args) => Ok(check::run(&args, credentials_directory().as_deref())?),
        Command::Coverage(args) => coverage(&args),
        Command::Status(args) => status::status(&args),
        Command::Protect(command) => status::protect(&command, clock::now().wall),
        Command::Ledger(Ledger::Rebuild { volume }) => rebuild(&volume),
        Command::Volume(command) => volume::run(&command),
        Command::LastWords(args) => Ok(leave_last_words(&args)?),
    }
}

/// Checks the configuration as `holdfast check` does; records if it has no error.
fn run(args: &Run) -> Result<Exit, Box<dyn Error>> {
    host::forbid_core_dumps()?;
    host::allocator::watch_others();
    let checked = config::load(&args.config, credentials_directory().as_deref());
    let Some(config) = checked.config else {
        let file = args.config.display().to_string();
        output::complain(&check::as_text(&file, &checked, output::colour_of_messages()));
        return Ok(Exit::Usage);
    };
    for problem in &checked.problems {
        log::warn!(MESSAGE_ID = message_ids::CONFIGURATION_WARNING; "{}", problem.one_line());
    }
    shell::run(&config, args.view.into())?;
    Ok(Exit::Done)
}

fn coverage(args: &Coverage) -> Result<Exit, Box<dyn Error>> {
    let now = clock::now().wall;
    let asked = CoverageArgs {
        volume: args.volume.clone(),
        cameras: args.cameras.iter().map(ToString::to_string).collect(),
        since: args.since.map(|since| since.resolve(now)),
        until: args.until.map(|until| until.resolve(now)),
        json: args.json,
        now,
    };
    match coverage::run(&asked, &ledger::Mp4Scanner, &mut std::io::stdout().lock()) {
        Ok(outcome) => Ok(outcome.into()),
        Err(wrong @ (CoverageError::Backwards { .. } | CoverageError::UnknownCamera { .. })) => {
            output::complain(&format!("holdfast: {wrong}\n"));
            Ok(Exit::Usage)
        }
        // A reader that has seen enough, as `head` does, is no failure.
        Err(CoverageError::Output(error)) if error.kind() == ErrorKind::BrokenPipe => Ok(Exit::Done),
        Err(error @ (CoverageError::Volume(_) | CoverageError::Output(_))) => Err(error.into()),
    }
}

fn rebuild(volume: &Path) -> Result<Exit, Box<dyn Error>> {
    let now = clock::now().wall;
    let (mut out, mut progress) = (std::io::stdout().lock(), std::io::stderr().lock());
    let outcome = ledger::rebuild::run(volume, &ledger::Mp4Scanner, now, &mut out, &mut progress)?;
    Ok(outcome.into())
}

fn leave_last_words(args: &LastWords) -> Result<Exit, String> {
    let Some(end) = last_words::End::from_environment() else {
        return Err(
            "SERVICE_RESULT is not set: this command is for systemd, after the recorder has ended".to_owned()
        );
    };
    let note = last_words::path(&args.runtime);
    last_words::leave(&note, &end).map_err(|error| format!("cannot write to {}: {error}", note.display()))?;
    Ok(Exit::Done)
}

/// Where systemd puts the credentials of this service.
fn credentials_directory() -> Option<PathBuf> {
    std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from).filter(|path| path.is_absolute())
}

/// An error and its sources, each once.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text += &format!(": {cause}");
        source = cause.source();
    }
    text
}
