//! A TCP proxy between a recorder and a virtual camera that fails on command, as networks and cameras do.
//!
//! ```no_run
//! use holdfast_tests::proxy::{Fault, Proxy};
//! # let camera = "rtsp://127.0.0.1:8554/main";
//! let proxy = Proxy::start(camera)?;
//! println!("{}", proxy.url()); // what the recorder is told
//! proxy.set(Fault::Reset); // every connection is reset, now and as long as it lasts
//! proxy.set(Fault::None);
//! println!("{} connections so far", proxy.attempts().len());
//! # Ok::<(), holdfast_tests::LabError>(())
//! ```
//!
//! Words: **down** is the way from the camera to the recorder, **up** the way back; an **attempt** is a connection that was
//! accepted. A fault holds for every connection, open or new, until another is set. Each connection has two threads that copy
//! bytes and look at the fault at least fifty times a second.

mod framing;

use crate::{LabError, lock};
use framing::{Message, Messages};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How often a thread that waits for bytes looks at the fault.
const LOOK: Duration = Duration::from_millis(20);

/// What is wrong on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// Nobody listens: connections are refused, open ones are reset.
    Refused,
    /// Connections are accepted and stay open; nothing comes down.
    Silent,
    /// Connections are reset (RST).
    Reset,
    /// Connections are closed (FIN).
    Closed,
    /// The camera's side is closed (FIN), the other stays open.
    HalfClosed,
    /// What comes down is late by so much.
    Late(Duration),
    /// So many of each thousand bytes of RTP that come down are overwritten; RTSP and its framing stay whole.
    Corrupt(u32),
    /// Open connections are closed; on new ones each request of this method (all, if it is empty) is answered with this
    /// status and header lines.
    Status {
        /// "DESCRIBE", "SETUP", "PLAY", or "" for every one.
        method: &'static str,
        /// The status.
        code: u16,
        /// Lines beside `CSeq`, each with its line end.
        headers: &'static str,
    },
    /// Every request is answered by a line that is no RTSP.
    Nonsense,
    /// The camera says goodbye (RTCP BYE on the interleaved channel 1), and nothing comes down any more.
    Bye,
}

struct State {
    fault: Fault,
    /// Counts faults: what a new one means for open connections happens once.
    number: u64,
    attempts: Vec<Instant>,
    ended: bool,
}

struct Shared {
    state: Mutex<State>,
    open: AtomicUsize,
    camera: SocketAddr,
}

/// See the module. Ends when it is dropped.
pub struct Proxy {
    shared: Arc<Shared>,
    port: u16,
    path: String,
    thread: Option<JoinHandle<()>>,
}

impl Proxy {
    /// A proxy to the camera at this URL (`rtsp://127.0.0.1:PORT/PATH`), on a port of its own.
    ///
    /// # Errors
    /// The URL is none of this machine's, or no port can be had.
    pub fn start(url: &str) -> Result<Proxy, LabError> {
        let failed = |problem: String| LabError::Child { program: format!("proxy to {url}"), problem };
        let rest = url.strip_prefix("rtsp://").ok_or_else(|| failed("it is no rtsp URL".into()))?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let camera = authority.parse().map_err(|error| failed(format!("{authority}: {error}")))?;
        let io = |source| LabError::Io { doing: format!("listening for {url}"), source };
        let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(io)?;
        let port = listener.local_addr().map_err(io)?.port();
        let state = State { fault: Fault::None, number: 0, attempts: Vec::new(), ended: false };
        let shared = Arc::new(Shared { state: Mutex::new(state), open: AtomicUsize::new(0), camera });
        let own = Arc::clone(&shared);
        let listen = move || accept(&own, listener, port);
        let thread = thread::Builder::new().name(format!("proxy-{port}")).spawn(listen).map_err(io)?;
        Ok(Proxy { shared, port, path: format!("/{path}"), thread: Some(thread) })
    }

    /// Where the recorder is to connect.
    pub fn url(&self) -> String {
        format!("rtsp://127.0.0.1:{}{}", self.port, self.path)
    }

    /// From now on this is wrong.
    pub fn set(&self, fault: Fault) {
        let mut state = lock(&self.shared.state);
        state.fault = fault;
        state.number += 1;
    }

    /// When each connection was accepted.
    pub fn attempts(&self) -> Vec<Instant> {
        lock(&self.shared.state).attempts.clone()
    }

    /// Connections that are open now.
    pub fn open(&self) -> usize {
        self.shared.open.load(Ordering::Acquire)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        lock(&self.shared.state).ended = true;
        if let Some(thread) = self.thread.take() {
            // A panic was printed where it happened.
            let _ = thread.join();
        }
    }
}

impl Shared {
    /// The fault, its number, and whether all is over.
    fn now(&self) -> (Fault, u64, bool) {
        let state = lock(&self.state);
        (state.fault.clone(), state.number, state.ended)
    }
}

/// Accepts connections while the fault allows it.
fn accept(shared: &Arc<Shared>, listener: TcpListener, port: u16) {
    let mut listening = Some(listener);
    loop {
        let (fault, number, ended) = shared.now();
        if ended {
            return;
        }
        if fault == Fault::Refused {
            listening = None;
        } else if listening.is_none() {
            // The port is ours still; it may take a moment until the kernel lets go of it.
            listening = TcpListener::bind(("127.0.0.1", port)).ok();
        }
        let Some(listener) = &listening else {
            thread::sleep(LOOK);
            continue;
        };
        if listener.set_nonblocking(true).is_err() {
            return;
        }
        match listener.accept() {
            Ok((recorder, _)) => {
                lock(&shared.state).attempts.push(Instant::now());
                serve(shared, recorder, number);
            }
            Err(_) => thread::sleep(Duration::from_millis(2)),
        }
    }
}

/// Joins a recorder's connection to one of the camera's.
fn serve(shared: &Arc<Shared>, recorder: TcpStream, number: u64) {
    let Ok(camera) = TcpStream::connect(shared.camera) else { return };
    let both = [&recorder, &camera];
    let ready = both.iter().all(|stream| {
        let blocking = stream.set_nonblocking(false).is_ok();
        blocking && stream.set_read_timeout(Some(LOOK)).is_ok() && stream.set_nodelay(true).is_ok()
    });
    if !ready {
        return;
    }
    let pair = Arc::new(Pair { recorder, camera, over: AtomicBool::new(false) });
    shared.open.fetch_add(1, Ordering::AcqRel);
    let (down, up) = (Arc::clone(shared), Arc::clone(shared));
    let (pair_down, pair_up) = (Arc::clone(&pair), pair);
    // Threads that cannot be had end the connection, as its sockets are dropped.
    let _ = thread::Builder::new().name("proxy-down".into()).spawn(move || {
        let end =
            Down { shared: &down, recorder: &pair_down.recorder, camera: &pair_down.camera, seen: number }
                .run();
        pair_down.over.store(true, Ordering::Release);
        let _ = pair_down.camera.shutdown(Shutdown::Both);
        match end {
            // Sent by the kernel when the last of the two threads lets go of the socket.
            End::Reset => {
                let _ = rustix::net::sockopt::set_socket_linger(&pair_down.recorder, Some(Duration::ZERO));
            }
            End::Closed => {
                let _ = pair_down.recorder.shutdown(Shutdown::Both);
            }
        }
        down.open.fetch_sub(1, Ordering::AcqRel);
    });
    let _ = thread::Builder::new().name("proxy-up".into()).spawn(move || copy_up(&up, &pair_up));
}

/// The two sides of one connection.
struct Pair {
    recorder: TcpStream,
    camera: TcpStream,
    /// The way down has ended.
    over: AtomicBool,
}

/// How the recorder's side ends.
enum End {
    Closed,
    Reset,
}

/// What one read gave.
enum Got {
    Bytes(usize),
    Nothing,
    End,
}

fn read(mut stream: &TcpStream, buffer: &mut [u8]) -> Got {
    match stream.read(buffer) {
        Ok(0) => Got::End,
        Ok(count) => Got::Bytes(count),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Got::Nothing,
        Err(error) if error.kind() == ErrorKind::Interrupted => Got::Nothing,
        Err(_) => Got::End,
    }
}

/// Requests go up as they are, but for those that the fault answers itself.
fn copy_up(shared: &Shared, pair: &Pair) {
    let (mut recorder, mut camera) = (&pair.recorder, &pair.camera);
    let (mut buffer, mut requests) = ([0; 16 << 10], Messages::default());
    loop {
        let count = match read(recorder, &mut buffer) {
            Got::Bytes(count) => count,
            Got::Nothing if pair.over.load(Ordering::Acquire) => return,
            Got::Nothing => continue,
            Got::End => {
                let _ = camera.shutdown(Shutdown::Write);
                return;
            }
        };
        requests.push(&buffer[..count]);
        while let Some(message) = requests.next() {
            let answer = match (&message, shared.now().0) {
                (Message::Text(text), Fault::Status { method, code, headers })
                    if text.starts_with(method) =>
                {
                    Some(format!("RTSP/1.0 {code} So it is\r\n{}{headers}\r\n", framing::sequence(text)))
                }
                (Message::Text(_), Fault::Nonsense) => Some("220 mail.example ESMTP\r\n\r\n".to_owned()),
                (Message::Text(_) | Message::Packet(_), _) => None,
            };
            let done = match answer {
                Some(answer) => recorder.write_all(answer.as_bytes()),
                None => camera.write_all(message.bytes()),
            };
            if done.is_err() {
                return;
            }
        }
    }
}

/// The way down of one connection.
struct Down<'a> {
    shared: &'a Shared,
    recorder: &'a TcpStream,
    camera: &'a TcpStream,
    /// The newest fault that was there when it was looked at last.
    seen: u64,
}

impl Down<'_> {
    fn run(&mut self) -> End {
        let (mut buffer, mut messages) = ([0; 64 << 10], Messages::default());
        let mut random = 0x9e37_79b9_7f4a_7c15u64;
        let mut said_goodbye = false;
        loop {
            let (fault, number, ended) = self.shared.now();
            let is_new = std::mem::replace(&mut self.seen, number) != number;
            if ended {
                return End::Closed;
            }
            match fault {
                Fault::Refused | Fault::Reset => return End::Reset,
                Fault::Closed => return End::Closed,
                // Those that were open when it began have to be made anew to meet it.
                Fault::Status { .. } | Fault::Nonsense if is_new => return End::Closed,
                Fault::HalfClosed => {
                    let _ = self.recorder.shutdown(Shutdown::Write);
                    self.wait_for_the_end();
                    return End::Closed;
                }
                Fault::Bye if !said_goodbye => {
                    said_goodbye = true;
                    let sent = messages.sender().map(|ssrc| self.send(&framing::goodbye(ssrc)));
                    if sent.is_none_or(|sent| sent.is_err()) {
                        return End::Closed;
                    }
                }
                Fault::None
                | Fault::Silent
                | Fault::Late(_)
                | Fault::Corrupt(_)
                | Fault::Status { .. }
                | Fault::Nonsense
                | Fault::Bye => {}
            }
            let count = match read(self.camera, &mut buffer) {
                Got::Bytes(count) => count,
                Got::Nothing => continue,
                Got::End => return End::Closed,
            };
            messages.push(&buffer[..count]);
            // It may have come while the bytes were waited for.
            let fault = self.shared.now().0;
            if let Fault::Late(by) = fault {
                thread::sleep(by);
            }
            while let Some(mut message) = messages.next() {
                match fault {
                    Fault::Silent | Fault::Bye => continue,
                    Fault::Corrupt(per_mille) => framing::corrupt(&mut message, per_mille, &mut random),
                    Fault::None
                    | Fault::Late(_)
                    | Fault::Status { .. }
                    | Fault::Nonsense
                    | Fault::Refused
                    | Fault::Reset
                    | Fault::Closed
                    | Fault::HalfClosed => {}
                }
                if self.send(message.bytes()).is_err() {
                    return End::Closed;
                }
            }
        }
    }

    fn send(&self, bytes: &[u8]) -> std::io::Result<()> {
        let mut recorder = self.recorder;
        recorder.write_all(bytes)
    }

    /// Until the recorder hangs up, or another fault comes.
    fn wait_for_the_end(&self) {
        while matches!(self.shared.now(), (Fault::HalfClosed, number, false) if number == self.seen) {
            // What the camera still sends is nobody's; that it ends is of no interest either.
            let _ = read(self.camera, &mut [0; 64 << 10]);
        }
    }
}
