//! The commands a person types: [`args`] says which, [`exit`] how they end.
//!
//! Results go to standard output, messages and the log to standard error (or the journal).

pub mod args;
mod check;
mod connect;
pub mod exit;
pub mod moment;
pub mod output;

use crate::config;
use crate::host::{self, clock, journal, message_ids};
use args::{Cli, Command, Coverage, Ledger, Run};
use clap::Parser;
use exit::Exit;
use std::error::Error;
use std::path::PathBuf;

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
        Command::Ledger(Ledger::Rebuild { volume }) => connect::rebuild_ledger(&volume),
    }
}

/// Checks the configuration as `holdfast check` does; records if it has no error.
fn run(args: &Run) -> Result<Exit, Box<dyn Error>> {
    host::forbid_core_dumps()?;
    let checked = config::load(&args.config, credentials_directory().as_deref());
    let Some(config) = checked.config else {
        let file = args.config.display().to_string();
        output::complain(&check::as_text(&file, &checked, output::colour_of_messages()));
        return Ok(Exit::Usage);
    };
    for problem in &checked.problems {
        log::warn!(MESSAGE_ID = message_ids::CONFIGURATION_WARNING; "{}", problem.one_line());
    }
    connect::run(config, args.view)
}

fn coverage(args: &Coverage) -> Result<Exit, Box<dyn Error>> {
    let now = clock::now().wall;
    if let (Some(since), Some(until)) = (args.since, args.until)
        && until.resolve(now) <= since.resolve(now)
    {
        output::complain("holdfast: --until has to be later than --since\n");
        return Ok(Exit::Usage);
    }
    connect::coverage(args, now)
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
