//! The lab's proxy on trial: what each fault is, seen from the recorder's side.

use holdfast_tests::proxy::{Fault, Proxy};
use holdfast_tests::wait_until;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);

/// A camera that answers each request with 200 and then sends a packet each 10 ms. Its URL.
fn camera() -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let (mut stream, mut buffer) = (stream, [0; 1024]);
                while matches!(stream.read(&mut buffer), Ok(1..)) {
                    let answer = b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n";
                    let packet = [&[b'$', 0, 0, 40, 0x80, 96][..], &[7; 38]].concat();
                    if stream.write_all(answer).and_then(|()| stream.write_all(&packet)).is_err() {
                        return;
                    }
                }
            });
        }
    });
    format!("rtsp://127.0.0.1:{port}/main")
}

fn connect(proxy: &Proxy) -> std::io::Result<TcpStream> {
    let address = proxy.url().replace("rtsp://", "").replace("/main", "");
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_millis(500)))?;
    Ok(stream)
}

/// Asks once; gives what came within half a second, or how it ended.
fn ask(stream: &mut TcpStream) -> Result<Vec<u8>, ErrorKind> {
    stream.write_all(b"DESCRIBE x RTSP/1.0\r\nCSeq: 1\r\n\r\n").map_err(|error| error.kind())?;
    let (mut all, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return if all.is_empty() { Err(ErrorKind::UnexpectedEof) } else { Ok(all) },
            Ok(count) => all.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(all),
            Err(error) => return Err(error.kind()),
        }
    }
}

#[test]
fn each_fault_is_what_it_says_on_open_and_on_new_connections() {
    let status = Fault::Status { method: "DESCRIBE", code: 453, headers: "X-A: b\r\n" };
    let whole = [b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n".to_vec(), vec![b'$', 0, 0, 40, 0x80, 96], vec![7; 38]]
        .concat();
    let told = |text: &str| Ok(text.as_bytes().to_vec());
    type Answer = Result<Vec<u8>, ErrorKind>;
    let cases: Vec<(Fault, Answer, Option<Answer>)> = vec![
        (Fault::None, Ok(whole.clone()), Some(Ok(whole.clone()))),
        (Fault::Silent, Ok(Vec::new()), Some(Ok(Vec::new()))),
        (Fault::Reset, Err(ErrorKind::ConnectionReset), Some(Err(ErrorKind::ConnectionReset))),
        (Fault::Closed, Err(ErrorKind::UnexpectedEof), Some(Err(ErrorKind::UnexpectedEof))),
        (Fault::HalfClosed, Err(ErrorKind::UnexpectedEof), Some(Err(ErrorKind::UnexpectedEof))),
        (Fault::Refused, Err(ErrorKind::ConnectionReset), None),
        (
            status,
            Err(ErrorKind::UnexpectedEof),
            Some(told("RTSP/1.0 453 Not Enough Bandwidth\r\nCSeq: 1\r\nX-A: b\r\n\r\n")),
        ),
        (Fault::Nonsense, Err(ErrorKind::UnexpectedEof), Some(told("220 mail.example ESMTP\r\n\r\n"))),
    ];
    for (fault, on_open, on_new) in cases {
        let proxy = Proxy::start(&camera()).unwrap();
        let mut open = connect(&proxy).unwrap();
        assert_eq!(ask(&mut open), Ok(whole.clone()), "{fault:?}: before it");
        proxy.set(fault.clone());
        let reached = wait_until(PATIENCE, || {
            let answer = ask(&mut open);
            // A write on a closed connection is answered by a reset.
            answer == on_open
                || (on_open.is_err()
                    && matches!(answer, Err(ErrorKind::BrokenPipe | ErrorKind::ConnectionReset)))
        });
        assert!(reached, "{fault:?}: on an open connection: {:?}", ask(&mut open));
        match on_new {
            Some(expected) => {
                let answer = connect(&proxy).map(|mut stream| ask(&mut stream));
                let answer = answer.unwrap_or_else(|error| Err(error.kind()));
                let broken = matches!(answer, Err(ErrorKind::BrokenPipe | ErrorKind::ConnectionReset));
                assert!(
                    answer == expected || (expected.is_err() && broken),
                    "{fault:?}: on a new one: {answer:?}"
                );
                assert_eq!(proxy.attempts().len(), 2, "{fault:?}");
            }
            None => {
                let refused =
                    || connect(&proxy).is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused);
                assert!(wait_until(PATIENCE, refused), "{fault:?}");
            }
        }
        proxy.set(Fault::None);
        let whole_again = || connect(&proxy).is_ok_and(|mut stream| ask(&mut stream) == Ok(whole.clone()));
        assert!(wait_until(PATIENCE, whole_again), "{fault:?}: after it");
    }
}

#[test]
fn a_goodbye_comes_once_and_names_the_sender() {
    let proxy = Proxy::start(&camera()).unwrap();
    let mut open = connect(&proxy).unwrap();
    ask(&mut open).unwrap();
    proxy.set(Fault::Bye);
    let mut heard = Vec::new();
    assert!(wait_until(PATIENCE, || {
        heard.extend(ask(&mut open).unwrap());
        heard.len() >= 20
    }));
    assert_eq!(
        heard,
        [&[b'$', 1, 0, 16, 0x80, 201, 0, 1][..], &[7; 4], &[0x81, 203, 0, 1], &[7; 4]].concat()
    );
}
