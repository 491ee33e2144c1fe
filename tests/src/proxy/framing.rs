//! What goes over an RTSP connection, cut into its units: messages, and interleaved packets (RFC 2326, section 10.12).
//!
//! What is neither (TLS, an echo server's words) is passed on as it comes.

/// A message longer than this is none.
const LONGEST_MESSAGE: usize = 1 << 16;

/// How messages begin.
const BEGINNINGS: [&[u8]; 12] = [
    b"RTSP/",
    b"OPTIONS ",
    b"DESCRIBE ",
    b"SETUP ",
    b"PLAY ",
    b"PAUSE ",
    b"TEARDOWN ",
    b"GET_PARAMETER ",
    b"SET_PARAMETER ",
    b"ANNOUNCE ",
    b"RECORD ",
    b"REDIRECT ",
];

/// One unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A request or a response, with its body.
    Message(Vec<u8>),
    /// An interleaved packet, with its four bytes of framing.
    Packet(Vec<u8>),
    /// Bytes that are neither.
    Raw(Vec<u8>),
}

impl Unit {
    /// All its bytes.
    pub fn into_bytes(self) -> Vec<u8> {
        let (Unit::Message(bytes) | Unit::Packet(bytes) | Unit::Raw(bytes)) = self;
        bytes
    }
}

/// Whether a packet, with its framing, is one of RTP: cameras and clients give RTP the even channels.
pub fn is_rtp(packet: &[u8]) -> bool {
    packet.get(1).is_some_and(|channel| channel % 2 == 0)
}

/// Cuts one direction of a connection.
#[derive(Debug, Default)]
pub struct Splitter {
    held: Vec<u8>,
    raw: bool,
}

impl Splitter {
    /// Takes bytes as they come, gives the units that are whole.
    pub fn take(&mut self, bytes: &[u8]) -> Vec<Unit> {
        self.held.extend_from_slice(bytes);
        let mut units = Vec::new();
        while !self.held.is_empty() {
            let cut = if self.raw { Cut::Raw } else { cut(&self.held) };
            let unit = match cut {
                Cut::Wait => break,
                Cut::Message(size) => Unit::Message(self.held.drain(..size).collect()),
                Cut::Packet(size) => Unit::Packet(self.held.drain(..size).collect()),
                Cut::Raw => {
                    self.raw = true;
                    Unit::Raw(std::mem::take(&mut self.held))
                }
            };
            units.push(unit);
        }
        units
    }

    /// What is left when the connection ends.
    pub fn rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held)
    }
}

enum Cut {
    Wait,
    Message(usize),
    Packet(usize),
    Raw,
}

/// How far the first unit goes.
fn cut(held: &[u8]) -> Cut {
    if held.first() == Some(&b'$') {
        return match held {
            [_, _, high, low, rest @ ..] => {
                let size = usize::from(u16::from_be_bytes([*high, *low]));
                if rest.len() < size { Cut::Wait } else { Cut::Packet(size + 4) }
            }
            _ => Cut::Wait,
        };
    }
    let begins = |beginning: &&[u8]| {
        let common = beginning.len().min(held.len());
        held[..common] == beginning[..common]
    };
    if !BEGINNINGS.iter().any(begins) || held.len() > LONGEST_MESSAGE {
        return Cut::Raw;
    }
    let Some(head) = held.windows(4).position(|window| window == b"\r\n\r\n") else { return Cut::Wait };
    let body = header(&held[..head], "Content-Length").and_then(|length| length.parse().ok());
    let size = head + 4 + body.unwrap_or(0);
    if held.len() < size { Cut::Wait } else { Cut::Message(size) }
}

/// A header's value in the head of a message.
pub fn header(message: &[u8], name: &str) -> Option<String> {
    let text = String::from_utf8_lossy(message);
    let head = text.split("\r\n\r\n").next()?;
    head.lines().skip(1).find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.trim().eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(channel: u8, payload: &[u8]) -> Vec<u8> {
        [&[b'$', channel, 0, payload.len() as u8], payload].concat()
    }

    #[test]
    fn units_are_the_same_however_the_bytes_arrive() {
        let request = b"DESCRIBE rtsp://a/ RTSP/1.0\r\nCSeq: 2\r\n\r\n".to_vec();
        let response = b"RTSP/1.0 200 OK\r\ncontent-length: 5\r\n\r\nv=0\r\n".to_vec();
        let (rtp, rtcp) = (packet(0, b"$$$\r\n\r\n"), packet(1, b""));
        let stream = [&rtp[..], &request, &rtcp, &response, &rtp].concat();
        let expected = [
            Unit::Packet(rtp.clone()),
            Unit::Message(request),
            Unit::Packet(rtcp),
            Unit::Message(response),
            Unit::Packet(rtp),
        ];
        for size in [1, 2, 3, 7, stream.len()] {
            let mut splitter = Splitter::default();
            let units: Vec<Unit> = stream.chunks(size).flat_map(|bytes| splitter.take(bytes)).collect();
            assert_eq!(units, expected, "in pieces of {size}");
            assert_eq!(splitter.rest(), [0u8; 0]);
        }
    }

    #[test]
    fn what_is_no_rtsp_goes_through_unheld() {
        let cases: [(&str, &[u8]); 3] =
            [("TLS", b"\x16\x03\x01\x02\x00"), ("words", b"hello"), ("nearly a method", b"SETTLE down")];
        for (name, bytes) in cases {
            let mut splitter = Splitter::default();
            assert_eq!(splitter.take(bytes), [Unit::Raw(bytes.to_vec())], "{name}");
            assert_eq!(splitter.take(b"$more"), [Unit::Raw(b"$more".to_vec())], "{name}: it stays so");
        }
    }
}
