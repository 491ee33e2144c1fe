//! What has to hold over time, and what is remembered for it: attempts, passwords, hosts, memory, the time since the
//! last sign of effort.

use crate::agenda::{At, secs};
use crate::invariant::Invariant;
use crate::place::Writer;
use crate::stream::Link;
use crate::trace::Traces;
use crate::world::World;
use core::time::Duration;
use holdfast_core::effect::{Reason, Shed, Stream};
use holdfast_core::event::Failure;
use holdfast_core::settings::{CameraSettings, Transport, TransportChoice};
use std::collections::{HashMap, VecDeque};

/// Most attempts in any second, over all streams, those that find out why one got no connection included.
const MOST: usize = 4;

/// Most sessions that are set up or taken down at once at one host.
const MOST_PER_HOST: usize = 2;

/// The slowest pace of attempts, and what the budget may add: 64 links with two connections each at four in 1.25 s, two
/// links at a time on one host where nothing answers for 15 s and tear-downs hang for 6 s.
const SLOWEST: Duration = secs(300 + 40);
const HOST_QUEUE: Duration = secs(12);

/// A session counts against its host for so long, whether or not it is set up or taken down by then.
const PASSAGE: Duration = secs(5);

/// Which hosts the streams are on.
#[derive(Clone, Debug, Default)]
pub struct Hosts {
    /// Of the main stream, and of the fallback.
    pub of: Vec<(u8, Option<u8>)>,
}

impl Hosts {
    /// A camera's settings.
    pub fn settings(&self, camera: usize, transport: TransportChoice) -> CameraSettings {
        let (host, fallback) = self.of[camera];
        CameraSettings { transport, host, fallback }
    }

    /// The host of a stream.
    pub fn host(&self, camera: usize, stream: Stream) -> Option<u8> {
        let (host, fallback) = self.of[camera];
        match stream {
            Stream::Main => Some(host),
            Stream::Fallback => fallback,
        }
    }
}

/// See the module.
#[derive(Debug, Default)]
pub struct Judge {
    /// Which hosts the streams are on.
    pub hosts: Hosts,
    /// The configured retention.
    pub retention: Duration,
    /// The last sign of life.
    pub alive: Option<At>,
    /// Since when no volume takes footage.
    pub none_since: Option<At>,
    /// The machine itself was off.
    pub cold: bool,
    /// When it was told to end.
    pub stopped: At,
    /// The transport of the newest attempt of each link.
    pub transport: Vec<Transport>,
    /// How a connection will break.
    pub breaks: HashMap<(usize, Stream, u32), Failure>,
    attempts: VecDeque<At>,
    /// When and why the recorder did not run.
    pub down: Traces,
    /// When footage got another anchor last, by more than is harmless.
    pub anchored: Option<At>,
    /// When times of this session were put right.
    pub corrected: Option<At>,
    /// Whether the clock is trusted, since when.
    pub trust: (bool, At),
    /// The core was told that a time source is followed.
    pub synchronised: Option<At>,
    /// Memory pressure as told.
    pub pressure: u16,
    high_since: Option<At>,
    low_since: Option<At>,
    /// When something was shed or taken back last.
    pub shed_at: At,
    /// When each camera's main connection broke after it had been live.
    pub live_breaks: Vec<VecDeque<At>>,
    /// Since when most cameras give their main stream, and little ails the others.
    pub back: Option<At>,
    /// Since when each camera records the stream that it records.
    pub recorded: Vec<(Stream, At)>,
}

impl Judge {
    /// For this many cameras.
    pub fn new(hosts: Hosts, retention: Duration) -> Self {
        let cameras = hosts.of.len();
        Judge {
            hosts,
            retention,
            transport: vec![Transport::Tcp; cameras * 2],
            live_breaks: vec![VecDeque::new(); cameras],
            recorded: vec![(Stream::Main, At::default()); cameras],
            ..Judge::default()
        }
    }

    /// The recorder starts.
    pub fn starts(&mut self, at: At) {
        self.alive = None;
        self.attempts.clear();
        self.down.end(at);
        self.corrected = None;
        self.none_since = None;
        self.anchored = Some(at);
        self.synchronised = None;
        self.pressure = 0;
        (self.high_since, self.low_since) = (None, None);
        self.shed_at = at;
        self.breaks.clear();
        self.live_breaks.iter_mut().for_each(VecDeque::clear);
        self.back = None;
        self.recorded.iter_mut().for_each(|recorded| *recorded = (Stream::Main, at));
    }

    /// Pressure is told.
    pub fn pressure_is(&mut self, at: At, pressure: u16) {
        self.pressure = pressure;
        self.high_since = (pressure >= 100).then(|| self.high_since.unwrap_or(at));
        self.low_since = (pressure < 10).then(|| self.low_since.unwrap_or(at));
    }
}

impl World {
    /// A connection may be opened now.
    pub fn judge_pace(&mut self) {
        let at = self.at;
        while self.judge.attempts.front().is_some_and(|first| at.since(*first) > secs(1)) {
            self.judge.attempts.pop_front();
        }
        self.judge.attempts.push_back(at);
        let many = self.judge.attempts.len();
        self.demand(many <= MOST, Invariant::NoStorm, || format!("{many} attempts in a second"));
    }

    /// An attempt may be made now.
    pub fn judge_attempt(&mut self, camera: usize, stream: Stream) {
        let at = self.at;
        self.judge_pace();
        let host = self.judge.hosts.host(camera, stream);
        let mut passing = 1;
        for other in 0..self.cameras.len() {
            for side in [Stream::Main, Stream::Fallback] {
                if self.judge.hosts.host(other, side) != host || (other, side) == (camera, stream) {
                    continue;
                }
                let Some(source) = self.cameras[other].source(side) else { continue };
                passing += match source.link {
                    Link::Connecting if at.since(source.asked) < PASSAGE => 1,
                    Link::TearingDown(since) if at.since(since) < PASSAGE => 1,
                    Link::Down | Link::Connecting | Link::TearingDown(_) | Link::Up(_) => 0,
                };
            }
        }
        self.demand(passing <= MOST_PER_HOST, Invariant::HostLimit, || {
            format!("{passing} sessions are set up or taken down at host {host:?} at once")
        });

        let Some((refused, times)) = self.cameras[camera].source(stream).and_then(|source| source.refused)
        else {
            return;
        };
        let least = if times == 1 { secs(60) } else { secs(300) };
        let waited = at.since(refused);
        self.demand(waited >= least, Invariant::SlowRefusals, || {
            format!(
                "cam{camera} {stream:?} is asked again {waited:?} after the {times}. refusal of the password"
            )
        });
    }

    /// A link is torn down.
    pub fn judge_hang_up(&mut self, camera: usize, stream: Stream, why: Reason) {
        let at = self.at;
        if stream == Stream::Fallback {
            let recorded = self.cameras[camera].wanted == Stream::Fallback;
            let healthy = self.cameras[camera].main.flows();
            let wrong = recorded && !healthy && matches!(why, Reason::MemoryShort | Reason::MainBack);
            return self.demand(!wrong, Invariant::Fallback, || {
                format!("cam{camera}: its fallback is let go ({why:?}) while the main stream gives nothing")
            });
        }
        if let (Link::Up(up), Reason::Failed(_)) = (self.cameras[camera].main.link, why)
            && up.lived
        {
            let breaks = &mut self.judge.live_breaks[camera];
            breaks.push_back(at);
            if breaks.len() > 5 {
                breaks.pop_front();
            }
        }
    }

    /// Another stream is to be recorded.
    pub fn judge_record(&mut self, camera: usize, stream: Stream) {
        let at = self.at;
        let (before, _) = self.judge.recorded[camera];
        self.demand(before != stream, Invariant::Fallback, || format!("cam{camera}: told {stream:?} again"));
        self.judge.recorded[camera] = (stream, at);
        let cam = &self.cameras[camera];
        match stream {
            Stream::Fallback => {
                let up = cam.fallback.as_ref().is_some_and(|source| matches!(source.link, Link::Up(_)));
                self.tally.fallbacks += 1;
                self.demand(up, Invariant::Fallback, || format!("cam{camera}: a fallback that is not up"));
            }
            Stream::Main => {
                // Healthy for 30 s, or nothing to lose: the fallback itself is gone; or memory is short.
                let healthy = matches!(cam.main.link, Link::Up(up) if at.since(up.since) >= secs(30));
                let gone = cam.fallback.as_ref().is_none_or(|source| !matches!(source.link, Link::Up(_)));
                // What is shed is told after what the cameras do about it.
                let short =
                    self.shed >= Shed::Audio && (self.shed == Shed::Fallback || self.judge.pressure >= 100);
                self.demand(healthy || gone || short, Invariant::Fallback, || {
                    format!("cam{camera}: back to a main stream that was not healthy for 30 s")
                });
            }
        }
    }

    /// Something is given up or taken back.
    pub fn judge_shed(&mut self, before: Shed, now: Shed) {
        let at = self.at;
        let step = (before as i32 - now as i32).abs();
        self.demand(step == 1, Invariant::Memory, || format!("from {before:?} to {now:?} in one step"));
        let (spell, least) =
            if now > before { (self.judge.high_since, secs(5)) } else { (self.judge.low_since, secs(60)) };
        let lasted = spell.map_or(Duration::ZERO, |since| at.since(since.max(self.judge.shed_at)));
        let pressure = self.judge.pressure;
        self.demand(lasted >= least, Invariant::Memory, || {
            format!("from {before:?} to {now:?} after {lasted:?}, at a pressure of {pressure} in a thousand")
        });
    }

    /// Looks at what takes time to go wrong. Comes each ten seconds while the recorder runs.
    pub fn patrol(&mut self) {
        for camera in 0..self.cameras.len() {
            self.patrol_effort(camera);
        }
        self.patrol_places();
        self.patrol_memory();
        self.patrol_alarms();
    }

    fn patrol_effort(&mut self, camera: usize) {
        let at = self.at;
        let main = self.waits_since(camera, Stream::Main);
        let host = self.judge.hosts.host(camera, Stream::Main);
        let neighbours = self.judge.hosts.of.iter().filter(|(main, _)| Some(*main) == host).count() * 2;
        let limit = SLOWEST + HOST_QUEUE * (neighbours as u32 / 2);
        if let Some(since) = main {
            let idle = at.since(since);
            self.demand(idle <= limit, Invariant::NeverGivenUp, || {
                format!("cam{camera}: nothing was done for it for {idle:?}")
            });
        }
        // An attempt without an answer is over after 15 s, a connection that gives nothing after 30 s.
        if let Link::Connecting = self.cameras[camera].main.link {
            let lasts = at.since(self.cameras[camera].main.effort);
            self.demand(lasts <= secs(16), Invariant::NeverGivenUp, || {
                format!("cam{camera}: an attempt lasts {lasts:?}")
            });
        }
        if let Link::Up(up) = self.cameras[camera].main.link {
            let gives = self.cameras[camera].main.flows();
            if !gives {
                let silent = at.since(up.since.max(self.cameras[camera].main.gave(at)));
                self.demand(silent <= secs(45), Invariant::NeverGivenUp, || {
                    format!("cam{camera}: a connection that gives nothing lasts {silent:?}")
                });
            }
        }
    }

    fn patrol_places(&mut self) {
        let at = self.at;
        for place in 0..self.places.len() {
            let it = &self.places[place];
            if let Some((since, wait)) = it.idle {
                let idle = at.since(since);
                let known = format!("{:?}", (it.writer, it.out, it.flaws.clone()));
                self.demand(idle <= wait + secs(1), Invariant::PlaceRetried, || {
                    format!("vol{place} is not tried again for {idle:?} (allowed: {wait:?}): {known}")
                });
            }
            if let Writer::Ready { since, .. } = self.places[place].writer
                && at.since(since) > secs(2)
            {
                let lost = (0..self.cameras.len()).find(|camera| self.cameras[*camera].route.is_none());
                self.demand(lost.is_none(), Invariant::Routing, || {
                    format!("cam{lost:?} goes nowhere while vol{place} is ready")
                });
            }
        }
        for camera in 0..self.cameras.len() {
            let lost = self.cameras[camera].route.filter(|place| !self.places[*place].may_take());
            self.demand(lost.is_none(), Invariant::Routing, || {
                format!("cam{camera} goes to vol{lost:?}, gone")
            });
        }
    }

    fn patrol_memory(&mut self) {
        let at = self.at;
        let high = self.judge.high_since.map_or(Duration::ZERO, |since| at.since(since));
        let low = self.judge.low_since.map_or(Duration::ZERO, |since| at.since(since));
        let shed = self.shed;
        self.demand(high < secs(8) || shed > Shed::Nothing, Invariant::Memory, || {
            format!("pressure for {high:?}, and nothing is given up")
        });
        self.demand(high < secs(25) || shed == Shed::Fallback, Invariant::Memory, || {
            format!("pressure for {high:?}, and only {shed:?}")
        });
        self.demand(low < secs(3 * 62 + 5) || shed == Shed::Nothing, Invariant::Memory, || {
            format!("no pressure for {low:?}, and still {shed:?}")
        });
    }
}
