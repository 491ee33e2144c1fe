//! Writing results to standard output.

use crate::host::journal::wants_colour;
use std::io::{self, ErrorKind, Write};

/// Writes a command's result. A reader that has seen enough (`holdfast check x | head`) closes the pipe:
/// that is its right and no failure, so it is passed over.
///
/// # Errors
/// Standard output cannot be written: it leads to a full disk, say.
pub fn write(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(io::Error::new(error.kind(), format!("standard output: {error}"))),
        Ok(()) => Ok(()),
    }
}

/// Writes a message for the person at the terminal. Where standard error is gone nobody can be told.
pub fn complain(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// Whether results are to be coloured.
pub fn colour() -> bool {
    wants_colour(&io::stdout())
}

/// Whether messages are to be coloured.
pub fn colour_of_messages() -> bool {
    wants_colour(&io::stderr())
}
