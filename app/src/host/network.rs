//! Whether this machine has a network at all: the kernel's links, told as they change.
//!
//! Words: a **link** is a network interface. It has a **carrier** while it is up and its cable or radio has found somebody
//! (`IFF_LOWER_UP`). The loopback has always one and does not count; a bridge or a tunnel does, as long as it says so. A **dump** is
//! the kernel's list of all links; after it only changes are told. Messages are **lost** when they come faster than they
//! are read (`ENOBUFS`): then the list is asked for anew.
//!
//! Only the head of each message is read (`struct ifinfomsg` of rtnetlink(7)), none of its attributes.

use crate::volumes::source::Source;
use glib::IOCondition;
use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};
use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::os::fd::OwnedFd;

/// The group of messages about links: `RTMGRP_LINK`.
const LINK_GROUP: u32 = 1;

/// Bytes read at once. The kernel puts at most so much of a dump into one datagram.
const BUFFER: usize = 32 << 10;

/// Datagrams taken in one turn of the loop; what is left wakes it again.
const AT_ONCE: usize = 64;

/// A watch of the links; it ends when this is dropped.
#[derive(Debug)]
pub struct LinkWatch {
    _source: Source,
}

/// Calls `told` from the glib loop: once when the links are known, and whenever it changes whether one of them but the
/// loopback has a carrier.
///
/// # Errors
/// The kernel gives no such socket, as in a sandbox without `AF_NETLINK`.
pub fn watch(mut told: impl FnMut(bool) + 'static) -> io::Result<LinkWatch> {
    let flags = SocketFlags::NONBLOCK.union(SocketFlags::CLOEXEC);
    // Protocol 0 is NETLINK_ROUTE.
    let socket = rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
    // Before the list: what changes in between is told after it, never not at all.
    rustix::net::bind(&socket, &SocketAddrNetlink::new(0, LINK_GROUP))?;
    ask(&socket)?;
    let mut links = Links::default();
    let mut buffer = vec![0; BUFFER];
    let woken = move |socket: &OwnedFd| {
        let drained = receive(socket, &mut buffer, &mut links);
        // Not before: a message that is older than the list would undo what the list says.
        if drained && links.wants_dump() {
            match ask(socket) {
                Ok(()) => links.asked(),
                Err(error) => links.complain(format_args!("the network's links cannot be listed: {error}")),
            }
        }
        if let Some(carrier) = links.news() {
            told(carrier);
        }
    };
    Ok(LinkWatch { _source: Source::on(socket, IOCondition::IN | IOCondition::ERR, woken) })
}

/// Asks for a dump.
fn ask(socket: &OwnedFd) -> io::Result<()> {
    rustix::net::sendto(socket, &request(), SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;
    Ok(())
}

/// Takes what waits in the socket. Whether that was all.
fn receive(socket: &OwnedFd, buffer: &mut [u8], links: &mut Links) -> bool {
    for _ in 0..AT_ONCE {
        match rustix::net::recvfrom(socket, &mut *buffer, RecvFlags::empty()) {
            Ok((length, _, from)) => {
                // Other processes may write to this socket too.
                let kernel = from.and_then(|from| SocketAddrNetlink::try_from(from).ok());
                if kernel.is_some_and(|from| from.pid() == 0) {
                    messages(buffer.get(..length).unwrap_or_default())
                        .for_each(|message| links.learn(message));
                }
            }
            Err(Errno::NOBUFS) => links.lost(),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return true,
            Err(error) => {
                links.complain(format_args!("the network's links cannot be watched: {error}"));
                return false;
            }
        }
    }
    false
}

/// What is known of the links.
#[derive(Debug, Default)]
struct Links {
    /// Those with a carrier, by the kernel's number.
    carriers: BTreeSet<i32>,
    dump: Dump,
    told: Option<bool>,
    /// It was said that they cannot be known, and they were not since.
    complained: bool,
}

/// How far the list is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Dump {
    /// It comes, and is whole so far.
    #[default]
    Coming,
    /// It comes, and has to be asked for once more: messages were lost, or links changed under it.
    Spoilt,
    /// It has to be asked for.
    Wanted,
    /// The kernel made none: nothing is known. It is asked again when a link changes.
    Refused,
    /// All of it is known.
    Whole,
}

impl Links {
    fn learn(&mut self, message: Message) {
        if self.dump == Dump::Refused && matches!(message, Message::Link { .. }) {
            self.dump = Dump::Wanted;
        }
        match message {
            Message::Link { index, carrier: true } => {
                self.carriers.insert(index);
            }
            Message::Link { index, carrier: false } => {
                self.carriers.remove(&index);
            }
            Message::Interrupted => self.lost(),
            Message::Done => {
                self.dump = match self.dump {
                    Dump::Coming | Dump::Whole => {
                        self.complained = false;
                        Dump::Whole
                    }
                    Dump::Spoilt | Dump::Wanted => Dump::Wanted,
                    Dump::Refused => Dump::Refused,
                }
            }
            Message::Refused(errno) => {
                let error = Errno::from_raw_os_error(errno);
                self.complain(format_args!("the kernel does not list the network's links: {error}"));
                self.dump = Dump::Refused;
            }
        }
    }

    fn lost(&mut self) {
        // One that comes is read to its end first: the kernel makes no two for one socket.
        self.dump = match self.dump {
            Dump::Coming | Dump::Spoilt => Dump::Spoilt,
            Dump::Wanted | Dump::Refused | Dump::Whole => Dump::Wanted,
        };
    }

    /// Says what is wrong and what Holdfast does then: once, until the links are known again.
    fn complain(&mut self, what: fmt::Arguments) {
        if self.is_first_complaint() {
            log::warn!(
                "{what}. Holdfast goes on with what it last knew of them, and tries again when one changes; until then \
                 a cable that is pulled is not told apart from lost cameras"
            );
        }
    }

    fn is_first_complaint(&mut self) -> bool {
        !std::mem::replace(&mut self.complained, true)
    }

    fn wants_dump(&self) -> bool {
        self.dump == Dump::Wanted
    }

    /// A new list comes. A link that went unseen is not in it.
    fn asked(&mut self) {
        self.carriers.clear();
        self.dump = Dump::Coming;
    }

    /// Whether there is a carrier, if that is known and was not told yet.
    fn news(&mut self) -> Option<bool> {
        let carrier = !self.carriers.is_empty();
        let news = self.dump == Dump::Whole && self.told != Some(carrier);
        news.then(|| {
            self.told = Some(carrier);
            carrier
        })
    }
}

/// A message of the kernel, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Message {
    /// A link is like this now.
    Link { index: i32, carrier: bool },
    /// The dump is over.
    Done,
    /// The dump is not of one moment.
    Interrupted,
    /// There will be no dump, with the errno.
    Refused(i32),
}

// Of linux/netlink.h and linux/rtnetlink.h.
const ERROR: u16 = 2;
const DONE: u16 = 3;
const NEW_LINK: u16 = 16;
const DELETED_LINK: u16 = 17;
const GET_LINK: u16 = 18;
const REQUEST: u16 = 1;
const DUMP: u16 = 0x300;
const DUMP_INTERRUPTED: u16 = 0x10;
const HEADER: usize = 16;
const LINK_HEAD: usize = 16;

// Of linux/if.h.
const UP: u32 = 1;
const LOOPBACK: u32 = 1 << 3;
const LOWER_UP: u32 = 1 << 16;

/// The request for a dump: a header, and a head that names no link.
fn request() -> [u8; HEADER + LINK_HEAD] {
    let mut bytes = [0; HEADER + LINK_HEAD];
    bytes[..4].copy_from_slice(&((HEADER + LINK_HEAD) as u32).to_ne_bytes());
    bytes[4..6].copy_from_slice(&GET_LINK.to_ne_bytes());
    bytes[6..8].copy_from_slice(&(REQUEST | DUMP).to_ne_bytes());
    bytes
}

/// The messages of a datagram. What is cut off at its end is left out.
fn messages(mut bytes: &[u8]) -> impl Iterator<Item = Message> + '_ {
    let next = move || {
        let length = usize::try_from(u32::from_ne_bytes(field(bytes, 0)?)).ok()?;
        let kind = u16::from_ne_bytes(field(bytes, 4)?);
        let flags = u16::from_ne_bytes(field(bytes, 6)?);
        let body = bytes.get(HEADER..length)?;
        // The next one begins at a multiple of four.
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, flags, body))
    };
    std::iter::from_fn(next).flat_map(|(kind, flags, body)| {
        let interrupted = (flags & DUMP_INTERRUPTED != 0).then_some(Message::Interrupted);
        interrupted.into_iter().chain(read(kind, body))
    })
}

fn read(kind: u16, body: &[u8]) -> Option<Message> {
    match kind {
        NEW_LINK | DELETED_LINK => {
            let index = i32::from_ne_bytes(field(body, 4)?);
            let flags = u32::from_ne_bytes(field(body, 8)?);
            let carrier = flags & (UP | LOWER_UP) == UP | LOWER_UP && flags & LOOPBACK == 0;
            Some(Message::Link { index, carrier: carrier && kind == NEW_LINK })
        }
        DONE => Some(Message::Done),
        // Of zero it would be an acknowledgement, which nobody asked for.
        ERROR => match i32::from_ne_bytes(field(body, 0)?) {
            0 => None,
            errno => Some(Message::Refused(errno.saturating_neg())),
        },
        _ => None,
    }
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

#[cfg(test)]
mod tests;
