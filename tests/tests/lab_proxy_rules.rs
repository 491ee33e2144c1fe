//! The proxy on trial: its rules, and what it does once, as a plain client sees them, and as an RTSP client does.

use holdfast_tests::camera::{CameraOptions, VirtualCamera};
use holdfast_tests::clip::{ClipSpec, VideoCodec};
use holdfast_tests::proxy::{Door, Fault, Proxy, Rules};
use holdfast_tests::script::{Answer, CHALLENGE, Script, When};
use holdfast_tests::tap::{Tap, Via};
use holdfast_tests::wait_until;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(40);

/// So long something that must not come is waited for.
const SILENCE: Duration = Duration::from_millis(500);

/// A server that sends back what it gets; ends with the test's process.
fn echo() -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.unwrap();
            std::thread::spawn(move || {
                let mut bytes = [0; 4096];
                while let Ok(count @ 1..) = client.read(&mut bytes) {
                    if client.write_all(&bytes[..count]).is_err() {
                        break;
                    }
                }
            });
        }
    });
    format!("rtsp://127.0.0.1:{port}")
}

fn address(proxy: &Proxy) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, proxy.port()).into()
}

fn connect(proxy: &Proxy) -> TcpStream {
    let client = TcpStream::connect(address(proxy)).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client
}

/// What comes next within `patience`.
fn hear(client: &mut TcpStream, patience: Duration) -> Result<String, ErrorKind> {
    client.set_read_timeout(Some(patience)).unwrap();
    let mut bytes = [0; 256];
    let count = client.read(&mut bytes).map_err(|error| error.kind())?;
    Ok(String::from_utf8_lossy(&bytes[..count]).into_owned())
}

fn echoes(client: &mut TcpStream, word: &str) -> bool {
    client.write_all(word.as_bytes()).unwrap();
    hear(client, PATIENCE).as_deref() == Ok(word)
}

fn door(door: Door) -> Rules {
    Rules { door, ..Rules::default() }
}

#[test]
fn who_connects_finds_the_door_as_it_was_set() {
    let proxy = Proxy::start(&echo()).unwrap();
    let before = Instant::now();
    let mut first = connect(&proxy);
    assert!(echoes(&mut first, "hello"));
    assert_eq!((proxy.attempts().len(), proxy.open()), (1, 1));
    assert!((before..Instant::now()).contains(&proxy.attempts()[0]));

    proxy.rule(door(Door::Closed));
    assert_eq!(TcpStream::connect(address(&proxy)).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    assert!(echoes(&mut first, "still here"), "a closed door is no cut line");

    proxy.rule(door(Door::Deaf));
    let lost = TcpStream::connect_timeout(&address(&proxy), SILENCE).unwrap_err();
    assert_eq!(lost.kind(), ErrorKind::TimedOut);

    proxy.rule(door(Door::Blackhole));
    let mut swallowed = connect(&proxy);
    swallowed.write_all(b"hello").unwrap();
    assert_eq!(hear(&mut swallowed, SILENCE), Err(ErrorKind::WouldBlock));

    proxy.rule(door(Door::Resets));
    assert_eq!(hear(&mut connect(&proxy), PATIENCE), Err(ErrorKind::ConnectionReset));

    proxy.set(Fault::None);
    assert!(echoes(&mut connect(&proxy), "and again"));
    drop(swallowed);
    drop(first);
    assert!(wait_until(PATIENCE, || proxy.open() == 0), "{} lines stay open", proxy.open());
    // Those that a deaf door swallowed are nobody's, and were counted by nobody.
    assert_eq!(proxy.attempts().len(), 4);
}

#[test]
fn what_is_open_ends_as_it_is_told_to() {
    let proxy = Proxy::start(&echo()).unwrap();
    let mut client = connect(&proxy);
    assert!(echoes(&mut client, "one"));
    proxy.reset();
    assert_eq!(hear(&mut client, PATIENCE), Err(ErrorKind::ConnectionReset));

    let mut client = connect(&proxy);
    assert!(echoes(&mut client, "two"));
    proxy.hang_up();
    assert_eq!(hear(&mut client, PATIENCE).as_deref(), Ok(""));

    let mut client = connect(&proxy);
    assert!(echoes(&mut client, "three"));
    proxy.half_close();
    assert_eq!(hear(&mut client, PATIENCE).as_deref(), Ok(""));
    client.write_all(b"does anybody hear?").unwrap();
    assert_eq!(proxy.open(), 1, "the other direction ended too");
    drop(client);

    let mut client = connect(&proxy);
    assert!(echoes(&mut client, "four"));
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(
        hear(&mut client, PATIENCE).as_deref(),
        Ok(""),
        "a client's own end is passed on and answered"
    );
    assert!(wait_until(PATIENCE, || proxy.open() == 0));
}

#[test]
fn bytes_are_held_back_slowed_down_and_cut_off() {
    let proxy = Proxy::start(&echo()).unwrap();
    let mut client = connect(&proxy);
    let rules = Rules { stalled_down: true, ..Rules::default() };
    proxy.rule(rules);
    client.write_all(b"hello").unwrap();
    assert_eq!(hear(&mut client, SILENCE), Err(ErrorKind::WouldBlock));
    proxy.set(Fault::None);
    assert_eq!(hear(&mut client, PATIENCE).as_deref(), Ok("hello"));

    proxy.rule(Rules { delay: Duration::from_millis(300), ..Rules::default() });
    let begun = Instant::now();
    assert!(echoes(&mut client, "slowly"));
    assert!(begun.elapsed() >= Duration::from_millis(600), "both ways: {:?}", begun.elapsed());

    proxy.rule(Rules { rate: Some(20_000), ..Rules::default() });
    let begun = Instant::now();
    client.write_all(&[b'x'; 10_000]).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client.read_exact(&mut [0; 10_000]).unwrap();
    let took = begun.elapsed();
    assert!(took >= Duration::from_millis(450), "10 kB at 20 kB/s came in {took:?}");

    proxy.rule(Rules { cut_after: Some(7), ..Rules::default() });
    let mut client = connect(&proxy);
    client.write_all(b"0123456789").unwrap();
    let mut got = Vec::new();
    client.read_to_end(&mut got).unwrap();
    assert_eq!(got, b"0123456");
}

fn camera() -> VirtualCamera {
    VirtualCamera::start(CameraOptions::new("camera", 7, ClipSpec::small(VideoCodec::H264))).unwrap()
}

fn tap(proxy: &Proxy) -> Tap {
    Tap::open(&proxy.url(), Via::Tcp, None).unwrap()
}

#[test]
fn a_camera_behind_it_is_seen_whole_and_corrupted_or_torn_as_told() {
    let camera = camera();
    let proxy = Proxy::start(&camera.url()).unwrap();
    let tap = tap(&proxy);
    assert!(wait_until(PATIENCE, || tap.usable().len() >= 30), "{:?}", tap.error());
    let numbers = |tap: &Tap| tap.usable().iter().map(|frame| frame.mark.number).collect::<Vec<_>>();
    let whole = numbers(&tap);
    assert!(whole.windows(2).all(|pair| pair[1] == pair[0] + 1), "{whole:?}");

    // Framing survives: the connection lives, and frames go on.
    proxy.rule(Rules { corrupt_per_mille: 20, ..Rules::default() });
    let sent = camera.frames_sent();
    assert!(wait_until(PATIENCE, || camera.frames_sent() > sent + 50));
    proxy.set(Fault::None);
    let seen = tap.count();
    assert!(wait_until(PATIENCE, || tap.count() > seen + 30), "{:?}", tap.error());
    let damaged = numbers(&tap);
    let lost = damaged.windows(2).filter(|pair| pair[1] != pair[0] + 1).count();
    assert!(lost > 5, "marks are among what is corrupted: {damaged:?}");

    proxy.rule(Rules { lost_per_mille: 200, ..Rules::default() });
    let before = tap.count();
    assert!(wait_until(PATIENCE, || tap.count() > before + 60), "{:?}", tap.error());
    proxy.set(Fault::None);
    let torn = numbers(&tap);
    let since: Vec<u64> = torn.into_iter().filter(|number| *number > *damaged.last().unwrap()).collect();
    assert!(since.windows(2).any(|pair| pair[1] != pair[0] + 1), "no packet was lost: {since:?}");
    assert_eq!(proxy.attempts().len(), 1);
}

#[test]
fn a_camera_answers_by_the_script_and_says_goodbye() {
    let camera = camera();
    let proxy = Proxy::start(&camera.url()).unwrap();
    let cases = [
        ("a status", Script::at("DESCRIBE", Answer::Status(404)), "Not found"),
        ("another step", Script::at("SETUP", Answer::Status(453)), "453"),
        ("no answer but an end", Script::at("PLAY", Answer::HangUp), "end-of-file"),
        (
            "no password is good enough",
            Script::at("DESCRIBE", Answer::StatusWith(401, CHALLENGE)),
            "Unauthorized",
        ),
    ];
    for (name, script, expected) in cases {
        proxy.rule(Rules { script, ..Rules::default() });
        let tap = tap(&proxy);
        let mut error = None;
        wait_until(PATIENCE, || {
            error = error.take().or_else(|| tap.error());
            error.is_some()
        });
        let error = error.map(|error| error.to_string()).unwrap_or_default();
        assert!(error.to_lowercase().contains(&expected.to_lowercase()), "{name}: {error:?}");
    }
    let in_session = Script::default().and("OPTIONS", When::InSession, Answer::Status(454));
    proxy.rule(Rules { script: in_session, ..Rules::default() });
    let tap = tap(&proxy);
    assert!(wait_until(PATIENCE, || tap.count() > 10), "its first OPTIONS is none of the session's");
    proxy.bye();
    assert!(wait_until(PATIENCE, || tap.ended()), "no BYE came: {:?}", tap.error());
}
