//! One connection through a proxy: two sockets, and what flows between them.

use super::framing::{Splitter, Unit, is_rtp};
use super::rules::Rules;
use crate::dice::Dice;
use crate::script::Reply;
use rustix::net::sockopt::set_socket_linger;
use std::collections::VecDeque;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

/// More than this is not held for a receiver that is slow: its sender is left waiting, as it would be without us.
const MOST_HELD: usize = 256 * 1024;

/// Pieces of a limited rate: at 10 kB/s one lasts a tenth of a second.
const PIECE: usize = 1024;

/// RTP's own header, which stays as it is when its payload is corrupted.
const RTP_HEADER: usize = 12;

/// The framing of an interleaved packet.
const FRAMING: usize = 4;

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// From the camera to the client.
    Down,
    /// From the client to the camera.
    Up,
}

/// What goes one way.
#[derive(Debug, Default)]
struct Flow {
    splitter: Splitter,
    queue: VecDeque<(Instant, Vec<u8>)>,
    held: usize,
    /// Nothing more is read.
    ended: bool,
    /// The end was passed on.
    closed: bool,
    /// When a limited rate has room again.
    free: Option<Instant>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Line {
    pub client: TcpStream,
    /// Nobody, in a black hole.
    pub camera: Option<TcpStream>,
    down: Flow,
    up: Flow,
    /// Bytes that were queued for the client.
    carried: u64,
    /// What the camera sends is no longer passed on.
    mute: bool,
    /// Source of the newest RTP packet of the first channel.
    source: Option<[u8; 4]>,
    over: bool,
}

impl Line {
    pub fn new(client: TcpStream, camera: Option<TcpStream>) -> Self {
        Line {
            client,
            camera,
            down: Flow::default(),
            up: Flow::default(),
            carried: 0,
            mute: false,
            source: None,
            over: false,
        }
    }

    /// Whether nothing more can go over it.
    pub fn is_over(&self) -> bool {
        let down = self.down.closed || self.camera.is_none();
        self.over || (down && self.up.closed)
    }

    /// Whether the one socket is to be read, and the other to be written to, at this moment.
    pub fn wants(&self, way: Way, rules: &Rules, now: Instant) -> (bool, bool) {
        let flow = self.flow(way);
        let stalled = match way {
            Way::Down => rules.stalled_down,
            Way::Up => rules.stalled_up,
        };
        let read = !flow.ended && !stalled && flow.held < MOST_HELD;
        (read, flow.queue.front().is_some_and(|(due, _)| *due <= now))
    }

    /// When something that was held back is due.
    pub fn due(&self) -> Option<Instant> {
        [&self.down, &self.up].into_iter().filter_map(|flow| flow.queue.front()).map(|(due, _)| *due).min()
    }

    /// Reads what is there, and does to it what the rules say.
    pub fn read(&mut self, way: Way, rules: &Rules, dice: &mut Dice) {
        let mut bytes = [0; 16 * 1024];
        let from = match way {
            Way::Down => self.camera.as_mut(),
            Way::Up => Some(&mut self.client),
        };
        let Some(from) = from else { return };
        match from.read(&mut bytes) {
            Ok(0) => {
                let rest = self.flow_mut(way).splitter.rest();
                self.flow_mut(way).ended = true;
                self.pass(way, rest, rules);
                self.close_if_done(way);
            }
            Ok(count) => {
                for unit in self.flow_mut(way).splitter.take(&bytes[..count]) {
                    match way {
                        Way::Down => self.down(unit, rules, dice),
                        Way::Up => self.up(unit, rules),
                    }
                }
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(_) => self.over = true,
        }
    }

    /// Writes what is due.
    pub fn write(&mut self, way: Way, now: Instant) {
        let to = match way {
            Way::Down => Some(&mut self.client),
            Way::Up => self.camera.as_mut(),
        };
        let Some(to) = to else {
            // A black hole swallows.
            (self.up.queue, self.up.held) = (VecDeque::new(), 0);
            return;
        };
        let flow = match way {
            Way::Down => &mut self.down,
            Way::Up => &mut self.up,
        };
        while let Some((due, bytes)) = flow.queue.front_mut()
            && *due <= now
        {
            match to.write(bytes) {
                Ok(count) => {
                    flow.held -= count;
                    bytes.drain(..count);
                    if bytes.is_empty() {
                        flow.queue.pop_front();
                    }
                }
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => break,
                Err(_) => {
                    self.over = true;
                    return;
                }
            }
        }
        self.close_if_done(way);
    }

    /// RST to both: the next close discards what is unsent.
    pub fn reset(&mut self) {
        for socket in [Some(&self.client), self.camera.as_ref()].into_iter().flatten() {
            // It fails only on a socket that is no socket any more.
            let _ = set_socket_linger(socket, Some(Duration::ZERO));
        }
        self.over = true;
    }

    /// FIN towards the client, who may go on speaking.
    pub fn half_close(&mut self) {
        self.mute = true;
        self.down.queue.clear();
        self.down.held = 0;
        // It fails only if the client has gone already.
        let _ = self.client.shutdown(Shutdown::Write);
    }

    /// FIN to both.
    pub fn hang_up(&mut self) {
        self.over = true;
    }

    /// An RTCP BYE in the camera's name on the first track, and silence behind it. False if no RTP has come yet.
    pub fn bye(&mut self, rules: &Rules) -> bool {
        let Some(source) = self.source.filter(|_| !self.mute) else { return false };
        // An empty receiver report first: a BYE alone is no valid compound packet (RFC 3550, section 6.1).
        let report = [0x80, 201, 0, 1];
        let bye = [0x81, 203, 0, 1];
        let packet = [&[b'$', 1, 0, 16], &report[..], &source, &bye, &source].concat();
        self.pass(Way::Down, packet, rules);
        self.mute = true;
        true
    }

    fn down(&mut self, unit: Unit, rules: &Rules, dice: &mut Dice) {
        if self.mute || rules.lost_down {
            return;
        }
        if rules.goodbye && self.bye(rules) {
            return;
        }
        let bytes = match unit {
            Unit::Packet(mut packet) if is_rtp(&packet) => {
                if packet.get(1) == Some(&0) {
                    self.source = packet.get(FRAMING + 8..FRAMING + 12).and_then(|ssrc| ssrc.try_into().ok());
                }
                if dice.below(1000) < u64::from(rules.lost_per_mille) {
                    return;
                }
                if rules.corrupt_per_mille > 0 {
                    for byte in packet.iter_mut().skip(FRAMING + RTP_HEADER) {
                        if dice.below(1000) < u64::from(rules.corrupt_per_mille) {
                            *byte = dice.below(256) as u8;
                        }
                    }
                }
                packet
            }
            Unit::Message(message) => rules.script.rewritten(message),
            Unit::Packet(bytes) | Unit::Raw(bytes) => bytes,
        };
        self.pass(Way::Down, bytes, rules);
    }

    fn up(&mut self, unit: Unit, rules: &Rules) {
        if let Unit::Message(request) = &unit {
            match rules.script.reply(request) {
                None => {}
                Some(Reply::Say(answer)) => return self.pass(Way::Down, answer, rules),
                Some(Reply::Nothing) => return,
                Some(Reply::HangUp) => return self.hang_up(),
            }
        }
        self.pass(Way::Up, unit.into_bytes(), rules);
    }

    fn pass(&mut self, way: Way, mut bytes: Vec<u8>, rules: &Rules) {
        let now = Instant::now();
        if way == Way::Down {
            let room = rules.cut_after.map_or(u64::MAX, |most| most.saturating_sub(self.carried));
            if bytes.len() as u64 >= room {
                bytes.truncate(usize::try_from(room).unwrap_or(usize::MAX));
                self.mute = true;
                self.down.ended = true;
            }
            self.carried += bytes.len() as u64;
        }
        let flow = self.flow_mut(way);
        flow.held += bytes.len();
        match rules.rate.filter(|_| way == Way::Down) {
            None => {
                if !bytes.is_empty() {
                    flow.queue.push_back((now + rules.delay, bytes));
                }
            }
            Some(rate) => {
                for piece in bytes.chunks(PIECE) {
                    let begin = flow.free.map_or(now, |free| free.max(now));
                    let end = begin + Duration::from_secs_f64(piece.len() as f64 / rate.max(1) as f64);
                    flow.free = Some(end);
                    flow.queue.push_back((end + rules.delay, piece.to_vec()));
                }
            }
        }
    }

    /// Passes an end on, once all before it was.
    fn close_if_done(&mut self, way: Way) {
        let flow = self.flow_mut(way);
        if !flow.ended || !flow.queue.is_empty() || flow.closed {
            return;
        }
        flow.closed = true;
        let to = match way {
            Way::Down => Some(&self.client),
            Way::Up => self.camera.as_ref(),
        };
        if let Some(to) = to {
            // It fails only if the other one has gone already.
            let _ = to.shutdown(Shutdown::Write);
        }
    }

    fn flow(&self, way: Way) -> &Flow {
        match way {
            Way::Down => &self.down,
            Way::Up => &self.up,
        }
    }

    fn flow_mut(&mut self, way: Way) -> &mut Flow {
        match way {
            Way::Down => &mut self.down,
            Way::Up => &mut self.up,
        }
    }
}
