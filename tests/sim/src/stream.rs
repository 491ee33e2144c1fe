//! One stream of a camera and our link to it: what ails it, how an attempt ends, what comes over it.

use crate::agenda::At;
use core::time::Duration;
use holdfast_core::event::{Failure, StreamFigures};
use holdfast_core::settings::Transport;
use holdfast_core::time::Mono;

/// Between keyframes.
pub const GOP: Duration = Duration::from_secs(2);

/// What may be wrong with a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ail {
    /// Attempts fail so, after this many milliseconds; links break.
    Fails(Failure, u32),
    /// Attempts are not answered, links fall silent.
    Silent,
    /// Connects, and no video comes.
    Stalls,
    /// Video comes, and no keyframe.
    Starves,
    /// Breaks some seconds after each connecting.
    Flaps,
    /// Offers sound alone.
    SoundAlone,
    /// Something is wrong in what comes.
    Trouble(Failure),
    /// Video comes and is taken, but nothing of it gets to the disk.
    Muffled,
    /// No sound comes.
    Mute,
}

/// Our connection to it.
#[derive(Clone, Copy, Debug)]
pub enum Link {
    /// None.
    Down,
    /// Asked for.
    Connecting,
    /// Media may come.
    Up(Up),
    /// Being torn down, since then.
    TearingDown(At),
}

/// What came over a connection.
#[derive(Clone, Copy, Debug)]
pub struct Up {
    /// When it began.
    pub since: At,
    counted: At,
    /// Nanoseconds for which video came, and keyframes in it.
    flowed: u64,
    keyed: u64,
    /// The first keyframe came (since the last `Resume`).
    pub begun: bool,
    /// One came on this connection, ever.
    pub lived: bool,
    /// It has broken, and nobody noticed.
    pub dead: bool,
    /// The trouble was mended on this connection.
    pub mended: bool,
    video: Option<At>,
    audio: Option<At>,
    /// Occurrences of each trouble, in thousandths.
    damaged: u64,
    formats: u64,
    jumps: u64,
    backwards: u64,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Source {
    /// What ails it, each with the trouble that it belongs to.
    pub ails: Vec<(u32, Ail)>,
    /// It knows this transport alone.
    pub only: Option<Transport>,
    /// It sends sound.
    pub audio: bool,
    /// Our connection.
    pub link: Link,
    /// Of connections, so that what was planned for one that has ended is known.
    pub life: u32,
    /// The last sign of effort of the core.
    pub effort: At,
    /// When it was asked for.
    pub asked: At,
    /// Why an attempt got no connection, until it is told.
    pub verdict: Option<Failure>,
    /// When the core was told that the password is refused, and how often in a row.
    pub refused: Option<(At, u32)>,
}

impl Source {
    /// A healthy one without a connection.
    pub const fn new(audio: bool, only: Option<Transport>) -> Self {
        Source {
            ails: Vec::new(),
            only,
            audio,
            link: Link::Down,
            life: 0,
            effort: Mono(0),
            asked: Mono(0),
            verdict: None,
            refused: None,
        }
    }

    /// Whether it suffers so.
    pub fn has(&self, what: impl Fn(Ail) -> bool) -> bool {
        self.ails.iter().any(|(_, ail)| what(*ail))
    }

    /// How an attempt ends: `Ok` with a stream or sound alone, a failure, or never; and after how many milliseconds.
    pub fn answer(&self, transport: Transport) -> Option<(Result<(), Failure>, u32)> {
        for (_, ail) in &self.ails {
            match ail {
                Ail::Fails(failure, after) => return Some((Err(*failure), *after)),
                Ail::Silent => return None,
                Ail::Stalls
                | Ail::Starves
                | Ail::Flaps
                | Ail::SoundAlone
                | Ail::Trouble(_)
                | Ail::Muffled
                | Ail::Mute => {}
            }
        }
        if self.only.is_some_and(|only| only != transport) {
            return Some((Err(Failure::UnsupportedTransport), 300));
        }
        Some((Ok(()), 700))
    }

    /// Whether video comes over a connection.
    pub fn sends(&self) -> bool {
        !self.has(|ail| match ail {
            Ail::Fails(failure, _) => ends_links(failure),
            Ail::Silent | Ail::Stalls | Ail::SoundAlone => true,
            Ail::Starves | Ail::Flaps | Ail::Trouble(_) | Ail::Muffled | Ail::Mute => false,
        })
    }

    /// Whether footage comes over the connection that is there: video that began with a keyframe.
    pub fn flows(&self) -> bool {
        matches!(self.link, Link::Up(up) if up.begun && !up.dead) && self.sends()
    }

    /// The trouble in what comes, if there is one that was not mended.
    pub fn trouble(&self) -> Option<Failure> {
        let Link::Up(up) = self.link else { return None };
        self.ails.iter().find_map(|(_, ail)| match ail {
            Ail::Trouble(failure) if !up.mended => Some(*failure),
            _ => None,
        })
    }

    /// Whether sound came over the connection that is there.
    pub const fn was_heard(&self) -> bool {
        matches!(self.link, Link::Up(Up { audio: Some(_), .. }))
    }

    /// When it gave video last.
    pub fn gave(&self, otherwise: At) -> At {
        match self.link {
            Link::Up(up) => up.video.unwrap_or(up.since),
            Link::Down | Link::Connecting | Link::TearingDown(_) => otherwise,
        }
    }

    /// Counts what came until now.
    pub fn count(&mut self, at: At) {
        if !matches!(self.link, Link::Up(_)) {
            return;
        }
        let (sends, trouble) = (self.sends(), self.trouble());
        let starves = self.has(|ail| ail == Ail::Starves);
        let sound = self.audio && sends && !self.has(|ail| ail == Ail::Mute);
        let Link::Up(up) = &mut self.link else { return };
        let passed = at.0.saturating_sub(up.counted.0);
        up.counted = at;
        if up.dead {
            return;
        }
        if sound {
            up.audio = Some(at);
        }
        if !sends {
            return;
        }
        up.flowed += passed;
        up.video = Some(at);
        if !starves && up.begun {
            up.keyed += passed;
        }
        let millis = passed / 1_000_000;
        match trouble {
            // Five of its twenty-five frames a second; the others once in two seconds.
            Some(Failure::Garbage) => up.damaged += millis * 5,
            Some(Failure::FormatChanges) => up.formats += millis / 2,
            Some(Failure::TimestampsJump) => up.jumps += millis / 2,
            Some(Failure::TimestampsBackwards) => up.backwards += millis / 2,
            Some(_) | None => {}
        }
    }

    /// Figures as the shell tells them. `mono`: the clock of this boot.
    pub fn figures(&self, mono: impl Fn(At) -> Mono) -> Option<StreamFigures> {
        let Link::Up(up) = self.link else { return None };
        let keyed = up.keyed / GOP.as_nanos() as u64;
        Some(StreamFigures {
            last_video: up.video.map(&mono),
            units: up.flowed / 40_000_000,
            keyframes: if up.begun { keyed + 1 } else { keyed },
            last_audio: up.audio.map(&mono),
            damaged: up.damaged / 1000,
            formats: up.formats / 1000,
            jumps: up.jumps / 1000,
            backwards: up.backwards / 1000,
            frozen: self.trouble() == Some(Failure::TimestampsFrozen),
        })
    }
}

/// Whether a camera that fails so also ends the connections that it has.
pub const fn ends_links(failure: Failure) -> bool {
    !matches!(failure, Failure::SessionLimit | Failure::Unauthorized | Failure::Forbidden | Failure::NotFound)
}

impl Up {
    /// A connection that begins now.
    pub const fn new(at: At) -> Self {
        Up {
            since: at,
            counted: at,
            flowed: 0,
            keyed: 0,
            begun: false,
            lived: false,
            dead: false,
            mended: false,
            video: None,
            audio: None,
            damaged: 0,
            formats: 0,
            jumps: 0,
            backwards: 0,
        }
    }
}
