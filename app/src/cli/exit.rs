//! Exit codes, all in one place.

use crate::ledger::Outcome;
use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It did what was asked.
    Done,
    /// It failed while it ran: the disk, the network, the system.
    Failed,
    /// It was asked wrongly: unknown options, a configuration with errors. A service manager need not
    /// try again (`RestartPreventExitStatus=2`).
    Usage,
    /// It did what it could, but what it read was damaged: the answer is true and may not be whole.
    Incomplete,
    /// Memory ran out while it ran. Not returned by any command: the process ends on the spot (`host::last_words`).
    OutOfMemory,
}

impl Exit {
    /// The number that the shell sees. `clap` ends with 2 by itself for wrong usage, which is why that is 2.
    pub const fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Incomplete => 3,
            Exit::OutOfMemory => 4,
        }
    }
}

impl From<Outcome> for Exit {
    fn from(outcome: Outcome) -> Exit {
        match outcome {
            Outcome::Complete => Exit::Done,
            Outcome::Incomplete => Exit::Incomplete,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}

/// The section of `--help` about them.
pub const HELP: &str = "\
EXIT STATUS:
  0  done; also: warnings only
  1  failed while running: disk, network, system
  2  wrong usage, or a configuration with errors
  3  done as far as possible, but what was read is damaged: the result may not be whole
  4  memory ran out";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_lists_each_code_once() {
        for exit in [Exit::Done, Exit::Failed, Exit::Usage, Exit::Incomplete, Exit::OutOfMemory] {
            let lines = HELP.lines().filter(|line| line.starts_with(&format!("  {}  ", exit.code())));
            assert_eq!(lines.count(), 1, "{exit:?}");
        }
    }
}
