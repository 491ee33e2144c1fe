//! A TCP proxy between the recorder and a camera, which does to their connection what networks and cameras do.
//!
//! One port and one thread for each camera. What lasts is a rule ([`Rules`]); what happens once is a method; a [`Fault`] is
//! both by a name. All hold as soon as the call returns. Bytes are RTSP's, so faults can be aimed: RTP payload alone is corrupted, single packets are
//! lost, a request is answered in the camera's place ([`crate::script`]).
//!
//! ```no_run
//! use holdfast_tests::proxy::{Door, Fault, Proxy, Rules};
//! # let camera = "rtsp://127.0.0.1:8554/main";
//! let proxy = Proxy::start(camera)?;
//! println!("{}", proxy.url()); // what the recorder is told
//! proxy.set(Fault::Reset); // every connection is reset, now and as long as it lasts
//! proxy.set(Fault::None);
//! println!("{} connections so far", proxy.attempts().len());
//! proxy.rule(Rules { stalled_up: true, ..Rules::default() }); // the connection stays, no request reaches the camera
//! proxy.hang_up(); // once
//! # Ok::<(), holdfast_tests::LabError>(())
//! ```
//!
//! Words: **down** is the way from the camera to the recorder, **up** the way back; an **attempt** is a connection that was
//! accepted.

mod fault;
mod framing;
mod line;
mod rules;
mod serve;

use crate::{LabError, lock};
use rustix::event::{EventfdFlags, eventfd};
use rustix::fd::OwnedFd;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

pub use fault::Fault;
pub(crate) use framing::header;
pub use rules::{Door, Rules};

/// How long the proxy's thread may take over a command before the lab goes on without it.
const ANSWER: Duration = Duration::from_secs(20);

/// What the proxy's thread tells.
#[derive(Debug, Default)]
struct Counts {
    attempts: Vec<Instant>,
    open: usize,
}

/// What it is told.
#[derive(Debug)]
enum Command {
    Set(Box<Rules>),
    Reset,
    HangUp,
    HalfClose,
    Bye,
    End,
}

/// What the two sides share.
#[derive(Debug)]
struct Shared {
    counts: Mutex<Counts>,
    wake: OwnedFd,
}

/// See the module. Ends, with its connections, when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    url: String,
    shared: Arc<Shared>,
    commands: Sender<(Command, Sender<()>)>,
    thread: Option<JoinHandle<()>>,
}

impl Proxy {
    /// A proxy to the camera at this URL (`rtsp://127.0.0.1:PORT/PATH`), on a port of its own.
    ///
    /// # Errors
    /// The URL is none of this machine's, or no port can be had.
    pub fn start(camera: &str) -> Result<Proxy, LabError> {
        let failed = |source| LabError::Io { doing: format!("starting a proxy for {camera}"), source };
        let (scheme, target, path) = split(camera).ok_or_else(|| failed(ErrorKind::InvalidInput.into()))?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        let wake = eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC);
        let wake = wake.map_err(|errno| failed(errno.into()))?;
        let shared = Arc::new(Shared { counts: Mutex::default(), wake });
        let (commands, told): (_, Receiver<(Command, Sender<()>)>) = channel();
        let serving = serve::Server::new(listener, target, shared.clone(), told).map_err(failed)?;
        let thread = std::thread::Builder::new().name(format!("proxy-{port}")).spawn(|| serving.run());
        let url = format!("{scheme}://127.0.0.1:{port}{path}");
        Ok(Proxy { port, url, shared, commands, thread: Some(thread.map_err(failed)?) })
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where the recorder is to connect.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// From now on this is wrong, and nothing else.
    pub fn set(&self, fault: Fault) {
        let (rules, once) = fault.meaning();
        self.rule(rules);
        if let Some(once) = once {
            self.tell(once);
        }
    }

    /// Does this from now on, and nothing else, to what is open too.
    pub fn rule(&self, rules: Rules) {
        self.tell(Command::Set(Box::new(rules)));
    }

    /// RST to both sides of all that is open.
    pub fn reset(&self) {
        self.tell(Command::Reset);
    }

    /// FIN to both sides of all that is open.
    pub fn hang_up(&self) {
        self.tell(Command::HangUp);
    }

    /// FIN to the recorder; what it says still reaches the camera.
    pub fn half_close(&self) {
        self.tell(Command::HalfClose);
    }

    /// An RTCP BYE to the recorder, and no media behind it.
    pub fn bye(&self) {
        self.tell(Command::Bye);
    }

    /// When each connection was accepted, whatever became of it.
    pub fn attempts(&self) -> Vec<Instant> {
        lock(&self.shared.counts).attempts.clone()
    }

    /// Connections that are open now.
    pub fn open(&self) -> usize {
        lock(&self.shared.counts).open
    }

    fn tell(&self, command: Command) {
        let (done, finished) = channel();
        if self.commands.send((command, done)).is_ok() {
            self.shared.wake();
            // A thread that does not answer shows itself by what the test then misses.
            let _ = finished.recv_timeout(ANSWER);
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.tell(Command::End);
        if let Some(thread) = self.thread.take() {
            // A panic of it was printed where it happened.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn wake(&self) {
        // A full counter wakes as well.
        let _ = rustix::io::write(&self.wake, &1u64.to_ne_bytes());
    }
}

/// A URL's scheme, its address, and what follows.
fn split(url: &str) -> Option<(&str, SocketAddr, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    let slash = rest.find('/').unwrap_or(rest.len());
    Some((scheme, rest[..slash].parse().ok()?, &rest[slash..]))
}
