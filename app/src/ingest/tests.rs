//! Sessions against servers that say what they are told to, on loopback: what a person would be told.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, Instant};

use super::*;
use crate::ring::{Limits, Ring};
use holdfast_core::effect::Stream;

/// How long anything may take that takes a moment, on a machine that builds something beside it.
const PATIENCE: Duration = Duration::from_secs(60);

const H264: &str = "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:track1\r\n";
const JPEG: &str = "m=video 0 RTP/AVP 26\r\na=control:track1\r\n";

/// What a server does about a request.
#[derive(Clone, Copy)]
pub(super) enum Act {
    Answer(u16),
    Describe(&'static str),
    Close,
    BeSilent,
    /// Answers, sends a sender's report with BYE, and stays.
    SayBye,
    /// Answers, and closes.
    PlayAndClose,
}

/// A server does all by the book, but for this method.
pub(super) type But = (&'static str, Act);

fn act(method: &str, (other, act): But) -> Act {
    match method {
        _ if method == other => act,
        "DESCRIBE" => Act::Describe(H264),
        _ => Act::Answer(200),
    }
}

/// A server that runs until the process ends.
pub(super) struct Server {
    port: u16,
    connections: Arc<AtomicUsize>,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub(super) fn url(&self) -> String {
        format!("rtsp://127.0.0.1:{}/main", self.port)
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::Acquire)
    }

    /// The heads of all requests.
    pub(super) fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}

/// Serves one connection after another.
pub(super) fn serve(but: But) -> Server {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let (connections, heard) = (Arc::<AtomicUsize>::default(), Arc::<Mutex<Vec<String>>>::default());
    let server = Server { port, connections: Arc::clone(&connections), heard: Arc::clone(&heard) };
    thread::spawn(move || {
        for stream in listener.incoming() {
            connections.fetch_add(1, Ordering::AcqRel);
            let heard = Arc::clone(&heard);
            thread::spawn(move || converse(stream.unwrap(), but, &heard));
        }
    });
    server
}

/// Until the client or the server ends it.
fn converse(mut stream: TcpStream, but: But, heard: &Mutex<Vec<String>>) -> Option<()> {
    loop {
        let request = request(&mut stream)?;
        let method = request.split(' ').next()?;
        heard.lock().unwrap().push(request.clone());
        let sequence = request.lines().find_map(|line| line.strip_prefix("CSeq: "))?;
        let (status, body) = match act(method, but) {
            Act::Close => return None,
            Act::BeSilent => continue,
            Act::Answer(status) => (status, String::new()),
            Act::Describe(tracks) => {
                (200, format!("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n{tracks}"))
            }
            Act::SayBye | Act::PlayAndClose => (200, String::new()),
        };
        let mut answer = format!("RTSP/1.0 {status} words\r\nCSeq: {sequence}\r\n");
        match method {
            "OPTIONS" => answer += "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER\r\n",
            "SETUP" => {
                answer += "Session: 1\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1;ssrc=11223344\r\n";
            }
            "DESCRIBE" => answer += "Content-Type: application/sdp\r\n",
            _ => answer += "Session: 1\r\n",
        }
        answer += &format!("Content-Length: {}\r\n\r\n{body}", body.len());
        stream.write_all(answer.as_bytes()).ok()?;
        match act(method, but) {
            Act::SayBye => stream.write_all(&bye(0x1122_3344)).ok()?,
            Act::PlayAndClose => return None,
            Act::Answer(_) | Act::Describe(_) | Act::Close | Act::BeSilent => {}
        }
    }
}

/// A request's head, or `None` at the end. Data of the client between requests is passed over.
fn request(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        if head.is_empty() && byte == *b"$" {
            let mut header = [0; 3];
            stream.read_exact(&mut header).ok()?;
            let mut data = vec![0; usize::from(u16::from_be_bytes([header[1], header[2]]))];
            stream.read_exact(&mut data).ok()?;
            continue;
        }
        head.push(byte[0]);
    }
    String::from_utf8(head).ok()
}

/// An interleaved RTCP packet: a sender's report and BYE.
fn bye(ssrc: u32) -> Vec<u8> {
    let mut packet = vec![0x80, 200, 0, 6];
    packet.extend(ssrc.to_be_bytes());
    packet.extend([0; 20]);
    packet.extend([0x81, 203, 0, 1]);
    packet.extend(ssrc.to_be_bytes());
    let mut message = vec![b'$', 1];
    message.extend((packet.len() as u16).to_be_bytes());
    message.extend(packet);
    message
}

/// A link to a server, and what is told of it.
pub(super) struct Link {
    request: Request,
    ring: Arc<Ring>,
    told: Arc<Mutex<Vec<CameraEvent>>>,
    pub(super) context: glib::MainContext,
}

impl Link {
    pub(super) fn to(url: &str) -> Link {
        gst::init().unwrap();
        Link {
            request: Request {
                camera: "camera".into(),
                url: crate::config::RtspUrl::parse(url).unwrap().url,
                credentials: None,
                transport: Transport::Tcp,
                audio: true,
                departures: Departures::default(),
            },
            ring: Ring::new(Limits { bytes: 1 << 20, time: Duration::from_secs(1) }),
            told: Arc::default(),
            context: glib::MainContext::new(),
        }
    }

    pub(super) fn reporter(&self) -> Reporter {
        let sink = Arc::clone(&self.told);
        Arc::new(move |event| sink.lock().unwrap().push(event))
    }

    pub(super) fn start(&self) -> Result<Session, BuildError> {
        let start = || Session::start(&self.request, self.ring.connect(Stream::Main), self.reporter());
        self.context.with_thread_default(start).unwrap()
    }

    /// Turns its loop until there is something.
    pub(super) fn until<T>(&self, what: &str, mut found: impl FnMut() -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            // A session's messages find the loop that they came on.
            self.context.with_thread_default(|| while self.context.iteration(false) {}).unwrap();
            if let Some(found) = found() {
                return found;
            }
            assert!(Instant::now() < deadline, "no {what}: {:?}", self.told.lock().unwrap());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until something is told; gives it, and forgets it.
    fn until_told(&self, what: &str, wanted: impl Fn(&CameraEvent) -> bool) -> CameraEvent {
        self.until(what, || {
            let mut told = self.told.lock().unwrap();
            let at = told.iter().position(&wanted)?;
            Some(told.remove(at))
        })
    }

    pub(super) fn until_torn_down(&self) {
        self.until_told("end", |event| *event == CameraEvent::TornDown);
    }
}

/// Connects, and gives the first failure that is reported; where there is no connection, the diagnosis.
fn failure(url: &str) -> Failure {
    let link = Link::to(url);
    let session = link.start().unwrap();
    let ends = |event: &CameraEvent| matches!(event, CameraEvent::Failed(_) | CameraEvent::NoConnection);
    let mut failed = link.until_told("end", ends);
    if failed == CameraEvent::NoConnection {
        session.diagnose();
        failed = link.until_told("diagnosis", |event| matches!(event, CameraEvent::Failed(_)));
    }
    session.tear_down(link.reporter());
    link.until_torn_down();
    let CameraEvent::Failed(failure) = failed else { unreachable!() };
    failure
}

#[test]
fn a_person_is_told_why_there_is_no_stream() {
    // (name, what the server does, what is told, connections that the attempt makes)
    let table: [(&str, But, Failure, usize); 22] = [
        ("401", ("DESCRIBE", Act::Answer(401)), Failure::Unauthorized, 1),
        ("403", ("DESCRIBE", Act::Answer(403)), Failure::Forbidden, 1),
        ("404", ("DESCRIBE", Act::Answer(404)), Failure::NotFound, 1),
        ("410", ("DESCRIBE", Act::Answer(410)), Failure::NotFound, 1),
        ("453", ("DESCRIBE", Act::Answer(453)), Failure::SessionLimit, 1),
        ("500", ("DESCRIBE", Act::Answer(500)), Failure::ServiceUnavailable, 1),
        ("503", ("DESCRIBE", Act::Answer(503)), Failure::ServiceUnavailable, 1),
        ("503 at once", ("OPTIONS", Act::Answer(503)), Failure::ServiceUnavailable, 1),
        ("no track", ("DESCRIBE", Act::Describe("")), Failure::NothingRecordable, 1),
        ("JPEG", ("DESCRIBE", Act::Describe(JPEG)), Failure::NothingRecordable, 1),
        ("no description", ("DESCRIBE", Act::Answer(501)), Failure::NothingRecordable, 1),
        ("SETUP: 403", ("SETUP", Act::Answer(403)), Failure::Forbidden, 1),
        ("SETUP: 453", ("SETUP", Act::Answer(453)), Failure::SessionLimit, 1),
        ("SETUP: 461", ("SETUP", Act::Answer(461)), Failure::UnsupportedTransport, 1),
        ("SETUP: 503", ("SETUP", Act::Answer(503)), Failure::ServiceUnavailable, 1),
        ("PLAY: 453", ("PLAY", Act::Answer(453)), Failure::SessionLimit, 1),
        ("PLAY: 454", ("PLAY", Act::Answer(454)), Failure::SessionLimit, 1),
        ("closed at once", ("OPTIONS", Act::Close), Failure::ServerClosed, 1),
        ("closed at PLAY", ("PLAY", Act::Close), Failure::ServerClosed, 1),
        ("closed after PLAY", ("PLAY", Act::PlayAndClose), Failure::ServerClosed, 1),
        ("no answer", ("OPTIONS", Act::BeSilent), Failure::ConnectTimeout, 1),
        ("BYE", ("PLAY", Act::SayBye), Failure::Bye, 1),
    ];
    let attempts = table.map(|(name, but, expected, most)| {
        let attempt = thread::Builder::new().name(name.to_owned());
        let attempt = attempt.spawn(move || {
            let server = serve(but);
            let told = failure(&server.url());
            (name, told, expected, server.connections(), most)
        });
        attempt.unwrap()
    });
    for attempt in attempts {
        let (name, told, expected, connections, most) = attempt.join().unwrap();
        assert_eq!((told, connections), (expected, most), "{name}");
    }
}

#[test]
fn a_person_is_told_why_there_is_no_connection() {
    let free = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    assert_eq!(failure(&format!("rtsp://127.0.0.1:{free}/main")), Failure::Refused);
    assert_eq!(failure("rtsp://camera.invalid/main"), Failure::NameNotResolved);
    // What listens speaks no TLS. One connection is rtspsrc's, one the diagnosis.
    let server = serve(("OPTIONS", Act::Close));
    assert_eq!(failure(&server.url().replace("rtsp:", "rtsps:")), Failure::Tls);
    assert_eq!(server.connections(), 2);
}

/// Keeps a session's tear-down from ending, as long as the guard of the lock is held.
fn hang(session: &Session, lock: &Arc<Mutex<()>>) {
    let line = "fakesrc name=stuck ! fakesink async=false";
    let stuck = gst::parse::bin_from_description(line, false).unwrap();
    session.pipeline.add(&stuck).unwrap();
    let pad = stuck.by_name("stuck").unwrap().static_pad("src").unwrap();
    let (lock, (reached, has_reached)) = (Arc::clone(lock), std::sync::mpsc::channel());
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
        let _ = reached.send(());
        drop(lock.lock());
        gst::PadProbeReturn::Ok
    });
    stuck.sync_state_with_parent().unwrap();
    has_reached.recv_timeout(PATIENCE).unwrap();
}

#[test]
fn tear_downs_that_hang_keep_their_own_camera_alone_from_connecting_and_for_no_longer_than_they_hang() {
    let url = serve(("OPTIONS", Act::BeSilent)).url();
    let (link, other) = (Link::to(&url), Link::to(&url));
    let lock = Arc::new(Mutex::new(()));
    let held = lock.lock().unwrap();
    for number in ["the first", "the second, while one hangs"] {
        let session = link.start().unwrap_or_else(|error| panic!("{number}: {error}"));
        hang(&session, &lock);
        session.tear_down(link.reporter());
    }
    assert!(link.start().is_err(), "two hang");
    let unconcerned = other.start().unwrap();
    unconcerned.tear_down(other.reporter());
    other.until_torn_down();
    drop(held);
    link.until_torn_down();
    link.until_torn_down();
    link.start().unwrap().tear_down(link.reporter());
    link.until_torn_down();
}

#[test]
fn a_connection_ends_where_no_thread_can_be_had_for_it_and_counts_as_none_that_hangs() {
    let link = Link::to(&serve(("OPTIONS", Act::BeSilent)).url());
    for round in 0..4 {
        let session = link.start().unwrap_or_else(|error| panic!("round {round}: {error}"));
        let pipeline = session.pipeline.clone();
        // No address space holds such a stack.
        let impossible = thread::Builder::new().stack_size(isize::MAX as usize & !0xffff);
        session.tear_down_on(impossible, link.reporter());
        link.until_torn_down();
        assert_eq!(pipeline.current_state(), gst::State::Null, "round {round}");
    }
}
