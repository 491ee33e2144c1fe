//! Asking a recorder.

use super::{Answer, MAX_ANSWER, PATIENCE, Request, socket};
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

/// Why nothing was learned.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// There is no socket, or nobody listens at it.
    #[error("no recorder runs here: nobody listens at {}", .0.display())]
    Nobody(PathBuf),
    /// The socket may not be used.
    #[error("the recorder at {} does not let this user ask: run it with sudo, or as a member of the recorder's group", .0.display())]
    Denied(PathBuf),
    /// The connection failed, or no answer came in time.
    #[error("the recorder at {} did not answer", .0.display())]
    Failed(PathBuf, #[source] io::Error),
    /// What came is no answer: another version, most likely.
    #[error("the recorder at {} answered what this program does not understand: are both of the same version?", .0.display())]
    Strange(PathBuf, #[source] serde_json::Error),
}

/// Asks the recorder with this runtime directory.
pub fn ask(runtime: &Path, request: &Request) -> Result<Answer, AskError> {
    let path = socket(runtime);
    let failed = |error: io::Error| AskError::Failed(path.clone(), error);
    let mut stream = match super::server::at(runtime, |near| UnixStream::connect(near)) {
        Ok(stream) => stream,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => {
            return Err(AskError::Nobody(path));
        }
        Err(error) if error.kind() == ErrorKind::PermissionDenied => return Err(AskError::Denied(path)),
        Err(error) => return Err(failed(error)),
    };
    stream.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
    stream.set_write_timeout(Some(PATIENCE)).map_err(failed)?;
    let mut line = serde_json::to_vec(request).map_err(|error| AskError::Strange(path.clone(), error))?;
    line.push(b'\n');
    stream.write_all(&line).map_err(failed)?;
    stream.shutdown(Shutdown::Write).map_err(failed)?;
    let mut answer = String::new();
    BufReader::new(stream.take(MAX_ANSWER)).read_line(&mut answer).map_err(failed)?;
    if answer.is_empty() {
        return Err(failed(ErrorKind::UnexpectedEof.into()));
    }
    serde_json::from_str(&answer).map_err(|error| AskError::Strange(path.clone(), error))
}
