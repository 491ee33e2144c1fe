//! Faults by name, for tests that want one thing to be wrong: each is some rules, and what happens once as it begins.

use super::Command;
use super::rules::{Door, Rules};
use crate::script::{Answer, Script};
use std::time::Duration;

/// What is wrong on the way. Holds for every connection, open or new, until another is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// Nobody listens: connections are refused, open ones are reset.
    Refused,
    /// The host is gone: nothing comes of what is open, and who connects is not even refused.
    Gone,
    /// Connections are accepted and stay open; what comes down is lost.
    Silent,
    /// The same, but what comes down waits, as it does in front of a congested link.
    Stalled,
    /// Connections are reset (RST).
    Reset,
    /// Connections are closed (FIN).
    Closed,
    /// The camera's side is closed (FIN), the other stays open.
    HalfClosed,
    /// Connections end after so many bytes down; open ones are closed.
    CutAfter(u64),
    /// What comes down is late by so much.
    Late(Duration),
    /// So many of each thousand bytes of RTP that come down are overwritten; RTSP and its framing stay whole.
    Corrupt(u32),
    /// So many of each thousand RTP packets that come down are lost.
    Lost(u32),
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
    /// Open connections are closed; on new ones this method is answered so.
    At(&'static str, Answer),
    /// Open connections are closed; on new ones every request is answered by a line that is no RTSP.
    Nonsense,
    /// The camera says goodbye (RTCP BYE on the interleaved channel 1), and nothing comes down any more.
    Bye,
}

impl Fault {
    /// The rules while it lasts, and what is done to open connections as it begins.
    pub(super) fn meaning(self) -> (Rules, Option<Command>) {
        let rules = Rules::default();
        let door = |door| Rules { door, ..Rules::default() };
        let script = |script| (Rules { script, ..Rules::default() }, Some(Command::HangUp));
        match self {
            Fault::None => (rules, None),
            Fault::Refused => (door(Door::Closed), Some(Command::Reset)),
            Fault::Gone => (Rules { lost_down: true, ..door(Door::Deaf) }, None),
            Fault::Silent => (Rules { lost_down: true, ..rules }, None),
            Fault::Stalled => (Rules { stalled_down: true, ..rules }, None),
            Fault::Reset => (door(Door::Resets), Some(Command::Reset)),
            Fault::Closed => (door(Door::Closes), Some(Command::HangUp)),
            Fault::HalfClosed => (door(Door::HalfCloses), Some(Command::HalfClose)),
            Fault::CutAfter(bytes) => (Rules { cut_after: Some(bytes), ..rules }, Some(Command::HangUp)),
            Fault::Late(delay) => (Rules { delay, ..rules }, None),
            Fault::Corrupt(corrupt_per_mille) => (Rules { corrupt_per_mille, ..rules }, None),
            Fault::Lost(lost_per_mille) => (Rules { lost_per_mille, ..rules }, None),
            Fault::Status { method, code, headers } => {
                script(Script::at(method, Answer::StatusWith(code, headers)))
            }
            Fault::At(method, answer) => script(Script::at(method, answer)),
            Fault::Nonsense => script(Script::at("", Answer::Nonsense)),
            Fault::Bye => (Rules { goodbye: true, ..rules }, Some(Command::Bye)),
        }
    }
}
