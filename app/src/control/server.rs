//! Being asked: a thread that takes one connection after the other, and hands each request to the loop.
//!
//! One after the other: who asks is a person or a script on the same machine, and a client that says nothing is let go
//! after ten seconds. The thread waits for the loop's answer; the loop never waits for the thread.

use super::{Answer, DIRECTORY, MAX_REQUEST, PATIENCE, Request, SOCKET};
use rustix::fs::{Mode, OFlags};
use std::fs::Permissions;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel};
use std::thread;

/// Where the loop puts its answer.
pub type Reply = Sender<Outcome>;

/// What the loop says to a request.
pub enum Outcome {
    /// This is the answer.
    Known(Answer),
    /// Others have to be waited for, a disk for one: done on the server's thread, since the loop waits for nobody.
    Later(Box<dyn FnOnce() -> Answer + Send>),
}

/// The socket; its file is removed when this is dropped.
#[derive(Debug)]
pub struct Server {
    path: PathBuf,
}

impl Server {
    /// Listens in `runtime`, and gives each request to `hand` with the way for its answer. A socket that nobody listens at
    /// any more is replaced. The directory is made if it is not there.
    ///
    /// # Errors
    /// The directory is not there or not ours, or another recorder listens there (`AddrInUse`).
    pub fn start(runtime: &Path, hand: impl Fn(Request, Reply) + Send + 'static) -> io::Result<Server> {
        std::fs::create_dir_all(runtime.join(DIRECTORY))?;
        let listener = at(runtime, |near| {
            match UnixListener::bind(near) {
                Err(error) if error.kind() == ErrorKind::AddrInUse => {}
                bound => return bound,
            }
            match UnixStream::connect(near) {
                // Left behind by one that was killed.
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                    std::fs::remove_file(near)?;
                    UnixListener::bind(near)
                }
                Ok(_) | Err(_) => Err(ErrorKind::AddrInUse.into()),
            }
        })?;
        let path = super::socket(runtime);
        let server = Server { path };
        std::fs::set_permissions(&server.path, Permissions::from_mode(0o660))?;
        thread::Builder::new().name("control".into()).spawn(move || {
            for stream in listener.incoming().flatten() {
                // A client that went away has nobody to tell.
                let _ = serve(stream, &hand);
            }
        })?;
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

fn serve(stream: UnixStream, hand: &impl Fn(Request, Reply)) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut line = String::new();
    BufReader::new((&stream).take(MAX_REQUEST)).read_line(&mut line)?;
    let answer = match serde_json::from_str(&line) {
        Ok(request) => {
            let (reply, answer) = channel();
            hand(request, reply);
            match answer.recv_timeout(PATIENCE) {
                Ok(Outcome::Known(answer)) => answer,
                Ok(Outcome::Later(wait)) => wait(),
                Err(_) => Answer::Refused {
                    text: "the recorder is too busy to answer, or is just stopping: try again".to_owned(),
                },
            }
        }
        Err(error) => Answer::Refused {
            text: format!(
                "the recorder does not understand that request: {error}. Are both of the same version?"
            ),
        },
    };
    let mut line = serde_json::to_vec(&answer)?;
    line.push(b'\n');
    (&stream).write_all(&line)
}

/// Does something at the socket of `runtime`, by a path that is short whatever the directory's is: the kernel takes 107
/// bytes only.
pub(super) fn at<T>(runtime: &Path, act: impl FnOnce(&Path) -> io::Result<T>) -> io::Result<T> {
    let flags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
    let directory = rustix::fs::open(runtime.join(DIRECTORY), flags, Mode::empty())?;
    act(&Path::new("/proc/self/fd").join(directory.as_raw_fd().to_string()).join(SOCKET))
}
