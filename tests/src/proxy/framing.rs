//! RTSP on a TCP connection, cut into messages: texts with their bodies, and interleaved packets (RFC 2326, 10.12).

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Message {
    /// A request or a response, with its body.
    Text(String),
    /// `$`, channel, length, and an RTP or RTCP packet.
    Packet(Vec<u8>),
}

impl Message {
    pub fn bytes(&self) -> &[u8] {
        match self {
            Message::Text(text) => text.as_bytes(),
            Message::Packet(packet) => packet,
        }
    }
}

/// Cuts a stream of bytes.
#[derive(Default)]
pub(super) struct Messages {
    bytes: Vec<u8>,
    /// The newest sender of RTP.
    sender: Option<[u8; 4]>,
}

impl Messages {
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole message.
    pub fn next(&mut self) -> Option<Message> {
        let length = self.length().filter(|length| *length <= self.bytes.len())?;
        let message: Vec<u8> = self.bytes.drain(..length).collect();
        Some(match message.first() {
            Some(b'$') => {
                // Even channels carry RTP: the SSRC lies at its bytes 8 to 12.
                if message.get(1).is_some_and(|channel| channel % 2 == 0) {
                    self.sender = message.get(12..16).and_then(|ssrc| ssrc.try_into().ok()).or(self.sender);
                }
                Message::Packet(message)
            }
            _ => Message::Text(String::from_utf8_lossy(&message).into_owned()),
        })
    }

    /// The SSRC of who sends the video; `None` before the first packet.
    pub fn sender(&self) -> Option<[u8; 4]> {
        self.sender
    }

    fn length(&self) -> Option<usize> {
        if self.bytes.first() == Some(&b'$') {
            let [high, low] = self.bytes.get(2..4)?.try_into().ok()?;
            return Some(4 + usize::from(u16::from_be_bytes([high, low])));
        }
        let end = self.bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
        let head = String::from_utf8_lossy(&self.bytes[..end]);
        let body = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
        });
        Some(end + body.unwrap_or(0usize))
    }
}

/// The line of a request that its answer has to repeat.
pub(super) fn sequence(request: &str) -> String {
    let line = request.lines().find(|line| line.to_ascii_lowercase().starts_with("cseq:"));
    line.map(|line| format!("{line}\r\n")).unwrap_or_default()
}

/// Overwrites so many of each thousand bytes of an RTP packet, behind its header.
pub(super) fn corrupt(message: &mut Message, per_mille: u32, random: &mut u64) {
    let Message::Packet(packet) = message else { return };
    if packet.get(1).is_none_or(|channel| channel % 2 == 1) {
        return;
    }
    for byte in packet.iter_mut().skip(4 + 12) {
        // xorshift: the same damage in every run.
        *random ^= *random << 13;
        *random ^= *random >> 7;
        *random ^= *random << 17;
        if (*random >> 32) % 1000 < u64::from(per_mille) {
            *byte = *random as u8;
        }
    }
}

/// An RTCP compound packet on channel 1 (an empty receiver report, then BYE; RFC 3550, 6.6) of this sender.
pub(super) fn goodbye(ssrc: [u8; 4]) -> Vec<u8> {
    let mut packet = vec![b'$', 1, 0, 16, 0x80, 201, 0, 1];
    packet.extend(ssrc);
    packet.extend([0x81, 203, 0, 1]);
    packet.extend(ssrc);
    packet
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_out_whole_however_they_came_in() {
        let answer = "RTSP/1.0 200 OK\r\nCSeq: 2\r\nContent-Length: 3\r\n\r\nv=0".to_owned();
        let packet = vec![b'$', 0, 0, 14, 0x80, 96, 0, 1, 0, 0, 0, 0, 9, 8, 7, 6, 1, 2];
        let bytes: Vec<u8> = answer.bytes().chain(packet.iter().copied()).chain(answer.bytes()).collect();
        for step in [1, 2, 7, bytes.len()] {
            let (mut messages, mut found) = (Messages::default(), Vec::new());
            for part in bytes.chunks(step) {
                messages.push(part);
                found.extend(std::iter::from_fn(|| messages.next()));
            }
            let text = Message::Text(answer.clone());
            assert_eq!(
                found,
                [text.clone(), Message::Packet(packet.clone()), text],
                "{step} bytes at a time"
            );
            assert_eq!(messages.sender(), Some([9, 8, 7, 6]));
        }
    }

    #[test]
    fn damage_spares_what_is_no_rtp() {
        let mut random = 1;
        let mut packet = Message::Packet([b'$', 0, 0, 100].into_iter().chain([7; 100]).collect());
        corrupt(&mut packet, 1000, &mut random);
        assert_eq!(&packet.bytes()[..16], &[[b'$', 0, 0, 100].as_slice(), &[7; 12]].concat()[..]);
        assert!(packet.bytes()[16..].iter().filter(|byte| **byte != 7).count() > 60);
        let mut report = Message::Packet(goodbye([1; 4]));
        let before = report.clone();
        corrupt(&mut report, 1000, &mut random);
        assert_eq!(report, before);
    }

    #[test]
    fn an_answer_repeats_the_number_of_its_request() {
        assert_eq!(sequence("DESCRIBE x RTSP/1.0\r\nCSeq: 5\r\nAccept: y\r\n\r\n"), "CSeq: 5\r\n");
        assert_eq!(sequence("DESCRIBE x RTSP/1.0\r\n\r\n"), "");
    }
}
