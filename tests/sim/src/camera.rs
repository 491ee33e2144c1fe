//! One camera of the world: its two streams, the ring behind them, and what is truly known of it.
//!
//! Words: it **flows** while footage of the stream that is selected comes into its ring; a **chunk** is footage without a
//! hole in it.

use crate::agenda::{At, LinkId, secs};
use crate::stream::{Ail, GOP, Link, Source};
use crate::trace::{Traces, earlier};
use core::time::Duration;
use holdfast_core::effect::Stream;
use holdfast_core::event::{Cause, Failure};
use std::collections::VecDeque;

/// Later than all.
const NEVER: At = holdfast_core::time::Mono(u64::MAX);

/// What is wrong with a stream is seen, and mended in vain, within this.
const SEEN: Duration = secs(120);

/// See the module.
#[derive(Clone, Debug)]
pub struct Camera {
    /// Its main stream.
    pub main: Source,
    /// Its second one.
    pub fallback: Option<Source>,
    /// The stream that the ring takes.
    pub selected: Stream,
    /// The one that it is to take from the next keyframe on.
    pub wanted: Stream,
    /// Footage that is not durable yet, as true times.
    pub chunks: VecDeque<(At, At)>,
    /// Until when what flows was put into the ring; `None` while nothing flows.
    flow: Option<At>,
    /// Since when nothing flows.
    pub dark: Option<At>,
    /// Since when footage flows and becomes durable without a break.
    pub bright: Option<At>,
    /// Since when its main stream sends, and nothing ails it.
    pub sound_since: At,
    /// Since when nothing has ailed its main stream, and its connection gives; far in the future while something does.
    pub healed: At,
    /// Where its footage goes.
    pub route: Option<usize>,
    /// Of what is planned for storing.
    pub life: u32,
    /// It is stored in quick steps until then.
    pub quick_until: At,
    /// Why footage of it could be missing.
    pub causes: Traces,
    /// Why its main stream could be away: also while its fallback is recorded.
    pub away: Traces,
    /// To which volumes footage of it went.
    pub stored: Vec<Traces>,
}

impl Camera {
    /// One that nobody is connected to.
    pub fn new(main: Source, fallback: Option<Source>, volumes: usize) -> Self {
        Camera {
            main,
            fallback,
            selected: Stream::Main,
            wanted: Stream::Main,
            chunks: VecDeque::new(),
            flow: None,
            dark: Some(At::default()),
            bright: None,
            sound_since: At::default(),
            healed: NEVER,
            route: None,
            life: 0,
            quick_until: At::default(),
            causes: Traces::default(),
            away: Traces::default(),
            stored: vec![Traces::default(); volumes],
        }
    }

    /// One of its streams.
    pub fn source(&mut self, stream: Stream) -> Option<&mut Source> {
        match stream {
            Stream::Main => Some(&mut self.main),
            Stream::Fallback => self.fallback.as_mut(),
        }
    }

    /// Whether anything is wrong in what comes of any of its streams.
    pub fn has_trouble(&self) -> bool {
        let is = |source: &Source| source.has(|ail| matches!(ail, Ail::Trouble(_)));
        is(&self.main) || self.fallback.as_ref().is_some_and(is)
    }

    /// Whether both of its streams have sound, or the one that it has.
    pub fn speaks(&self) -> bool {
        let is = |source: &Source| !source.has(|ail| ail == Ail::Mute);
        is(&self.main) && self.fallback.as_ref().is_none_or(is)
    }

    /// Whether footage flows.
    pub const fn flows(&self) -> bool {
        self.flow.is_some()
    }

    fn would_flow(&self) -> bool {
        match self.selected {
            Stream::Main => self.main.flows(),
            Stream::Fallback => self.fallback.as_ref().is_some_and(Source::flows),
        }
    }

    /// Puts what came until now into the ring, and counts it.
    pub fn settle(&mut self, at: At) {
        if let (Some(flow), Some((_, to))) = (&mut self.flow, self.chunks.back_mut()) {
            *flow = at;
            *to = at;
        } else if let Some(flow) = &mut self.flow {
            // The ring was emptied meanwhile: what came since.
            self.chunks.push_back((*flow, at));
            *flow = at;
        }
        self.main.count(at);
        if let Some(fallback) = &mut self.fallback {
            fallback.count(at);
        }
    }

    /// Looks whether footage flows now, after a change. Comes after [`Camera::settle`].
    pub fn follow(&mut self, at: At) {
        let flows = self.would_flow();
        match (self.flow, flows) {
            (None, true) => {
                let end = self.chunks.back().map_or(self.dark.unwrap_or(at), |(_, to)| *to);
                self.causes.of(Cause::Lost).span(end, at);
                self.chunks.push_back((at, at));
                self.flow = Some(at);
                self.dark = None;
                self.bright = None;
                self.causes.end(at);
            }
            (Some(_), false) => {
                self.flow = None;
                self.dark = Some(at);
                self.bright = None;
            }
            (Some(_), true) | (None, false) => {}
        }
        // What ails it now is looked at by those who know since when it was well before: an ail ends nothing.
        if self.main.ails.is_empty() && self.main.flows() {
            self.healed = self.healed.min(at);
        } else if !self.main.flows() && self.main.ails.is_empty() {
            self.healed = NEVER;
        }
        match self.main.link {
            _ if self.main.flows() => self.away.end(at),
            Link::Up(up) if !up.begun && self.main.sends() => {
                self.away.of(Cause::Camera(Failure::KeyframeStarved)).begin(at);
            }
            Link::Up(_) => self.away.of(Cause::Camera(Failure::Stalled)).begin(at),
            Link::Connecting => self.away.of(Cause::Camera(Failure::ConnectTimeout)).begin(at),
            Link::Down | Link::TearingDown(_) => {}
        }
        let muffled = self.is_muffled();
        if muffled {
            self.bright = None;
            // What the ring held already was not stored either.
            self.causes.of(Cause::Camera(Failure::NotStored)).begin(earlier(at, secs(30)));
        }
        for failure in
            [self.main.trouble(), self.fallback.as_ref().and_then(Source::trouble)].into_iter().flatten()
        {
            self.causes.of(Cause::Camera(failure)).begin(at);
        }
        if self.main.has(|ail| ail == Ail::Starves) {
            self.causes.of(Cause::Camera(Failure::KeyframeStarved)).begin(at);
        }
        let since = self.dark.unwrap_or(at);
        if self.flow.is_none() {
            let derived =
                [&self.main].into_iter().chain(&self.fallback).filter_map(|source| match source.link {
                    Link::Up(up) if !up.begun && source.sends() => Some(Failure::KeyframeStarved),
                    Link::Up(_) => Some(Failure::Stalled),
                    Link::Connecting => Some(Failure::ConnectTimeout),
                    Link::Down | Link::TearingDown(_) => None,
                });
            for failure in derived.collect::<Vec<_>>() {
                self.causes.of(Cause::Camera(failure)).begin(since);
            }
        }
    }

    /// The core was told that a link failed so.
    pub fn failed(&mut self, at: At, stream: Stream, failure: Failure) {
        if stream == Stream::Main {
            self.away.of(Cause::Camera(failure)).begin(at);
        }
        let since = self.dark.unwrap_or(at);
        self.causes.of(Cause::Camera(failure)).begin(since);
        if self.flow.is_some() {
            self.causes.of(Cause::Camera(failure)).end(at);
        }
    }

    /// The core ended the main stream by itself: if it really was so, that is why it is away.
    pub fn given_up(&mut self, at: At, failure: Failure) {
        let cause = Cause::Camera(failure);
        if self.causes.overlaps(cause, earlier(at, SEEN), at) {
            self.away.of(cause).begin(at);
        }
    }

    /// Whether what comes gets nowhere.
    pub fn is_muffled(&self) -> bool {
        let source = match self.selected {
            Stream::Main => Some(&self.main),
            Stream::Fallback => self.fallback.as_ref(),
        };
        source.is_some_and(|source| {
            source.has(|ail| ail == Ail::Muffled) && matches!(source.link, Link::Up(up) if !up.mended)
        })
    }

    /// Drops what the ring cannot hold, by whole GOPs.
    pub fn overflow(&mut self, depth: Duration) -> Option<(At, At)> {
        let held: u64 = self.chunks.iter().map(|(from, to)| to.0.saturating_sub(from.0)).sum();
        let over = held.checked_sub(depth.as_nanos() as u64).filter(|over| *over > 0)?;
        let mut left = over.div_ceil(GOP.as_nanos() as u64) as u32 * GOP;
        let (from, to) = self.chunks.front_mut()?;
        // What was dropped of one chunk is told at a time.
        left = left.min(to.since(*from));
        let dropped = (*from, *from + left);
        *from = *from + left;
        if from >= to && self.chunks.len() > 1 {
            self.chunks.pop_front();
        }
        self.causes.of(Cause::RingOverflow).span(dropped.0, dropped.1);
        Some(dropped)
    }

    /// Moves what the ring holds into `chunks`.
    pub fn take(&mut self, chunks: &mut Vec<(At, At)>) {
        chunks.extend(self.chunks.drain(..).filter(|(from, to)| to > from));
        if let Some(flow) = self.flow {
            self.chunks.push_back((flow, flow));
        }
    }

    /// The recorder died: ring and links are gone.
    pub fn dies(&mut self, at: At) {
        self.settle(at);
        for source in [Some(&mut self.main), self.fallback.as_mut()].into_iter().flatten() {
            source.link = Link::Down;
            source.life += 1;
            source.effort = at;
        }
        self.chunks.clear();
        (self.selected, self.wanted) = (Stream::Main, Stream::Main);
        self.route = None;
        self.life += 1;
        self.follow(at);
    }
}

/// The link of a camera's stream.
pub const fn link(camera: usize, stream: Stream) -> LinkId {
    LinkId { camera: camera as u8, stream }
}
