//! A volume in memory with its cleaner, and the loop that an adapter would be.
//!
//! The true time is the monotonic one; the wall clock is an offset to it that a test may set. Each segment knows when
//! it truly ended, so that a deletion by age can be judged by the truth.
//!
//! What must hold in every story is checked here, at every call: see the impl of [`Shelf`] and [`World::carry_out`].
#![allow(dead_code, reason = "each test file uses its part")]

use core::time::Duration;
use holdfast_core::retention::{Candidate, Cleaner, Rule, Rules, Shelf, Space, SpaceUnknown, Step, Unlisted};
use holdfast_core::time::{Mono, Wall};

pub const MINUTE: u64 = 60;
pub const HOUR: u64 = 3600;
pub const DAY: u64 = 86_400;
pub const MB: u64 = 1_000_000;
pub const GB: u64 = 1_000_000_000;
/// The wall clock at the beginning of the true time, in seconds: in 2027.
pub const EPOCH: i64 = 1_800_000_000;

pub const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

#[derive(Clone, Debug)]
pub struct Segment {
    pub candidate: Candidate,
    /// When it truly ended.
    pub end: Mono,
    /// Deleting it fails.
    pub stuck: bool,
    pub gone: bool,
}

#[derive(Clone, Debug, Default)]
pub struct Camera {
    pub age: Option<Duration>,
    pub unlisted: bool,
    pub segments: Vec<Segment>,
    cursor: usize,
    /// All before it are gone.
    first: usize,
}

impl Camera {
    /// What is still there and may be given.
    pub fn rest(&self) -> impl Iterator<Item = &Segment> {
        self.segments.iter().filter(|segment| !segment.gone)
    }

    fn to_come(&self) -> impl Iterator<Item = &Segment> {
        self.segments[self.cursor..].iter().filter(|segment| !segment.gone)
    }
}

#[derive(Debug, Default)]
pub struct Volume {
    pub cameras: Vec<Camera>,
    pub counted: bool,
    pub total: u64,
    /// Bytes of segments.
    pub ours: u64,
    /// Bytes of what is not ours.
    pub foreign: u64,
    pub sequence: u32,
    /// Calls of `head`, to see that a step is bounded.
    pub asked: usize,
    pub rewinds: usize,
    unanswered: usize,
}

impl Volume {
    pub fn free(&self) -> u64 {
        self.total.saturating_sub(self.ours + self.foreign)
    }

    /// The model of fair share: sort all that may go, and take the first of a camera that holds at least the mean.
    fn fair_choice(&self, (camera, candidate): (usize, Candidate)) -> (u32, usize) {
        let mut all = vec![(candidate.sequence, camera, candidate.bytes)];
        for (camera, each) in self.cameras.iter().enumerate().filter(|(_, each)| !each.unlisted) {
            let open =
                each.to_come().map(|segment| segment.candidate).filter(|candidate| !candidate.protected);
            all.extend(open.map(|candidate| (candidate.sequence, camera, candidate.bytes)));
        }
        all.sort_unstable();
        let of = |camera: usize| all.iter().filter(move |each| each.1 == camera).map(|each| each.2);
        let mut holders: Vec<usize> = all.iter().map(|each| each.1).collect();
        holders.sort_unstable();
        holders.dedup();
        let mean = all.iter().map(|each| each.2).sum::<u64>() as f64 / holders.len() as f64;
        let first = all.iter().find(|each| !self.counted || of(each.1).sum::<u64>() as f64 >= mean - 1e-3);
        let (sequence, camera, _) = first.expect("there is one");
        (*sequence, *camera)
    }
}

impl Shelf for Volume {
    fn cameras(&self) -> usize {
        self.cameras.len()
    }

    fn age(&self, camera: usize) -> Option<Duration> {
        self.cameras[camera].age
    }

    fn footage(&self, camera: usize) -> Option<u64> {
        let open = self.cameras[camera].to_come().filter(|segment| !segment.candidate.protected);
        self.counted.then(|| open.map(|segment| segment.candidate.bytes).sum())
    }

    fn head(&mut self, camera: usize) -> Result<Option<Candidate>, Unlisted> {
        self.asked += 1;
        let camera = &self.cameras[camera];
        if camera.unlisted { Err(Unlisted) } else { Ok(camera.to_come().next().map(|next| next.candidate)) }
    }

    fn pass(&mut self, camera: usize) {
        let camera = &mut self.cameras[camera];
        let next = camera.segments[camera.cursor..].iter().position(|segment| !segment.gone);
        camera.cursor += next.expect("there is a head to pass") + 1;
    }

    fn rewind(&mut self) {
        assert_eq!(self.unanswered, 0, "rewound while a deletion was not answered");
        self.rewinds += 1;
        for camera in &mut self.cameras {
            let gone = camera.segments[camera.first..].iter().take_while(|segment| segment.gone).count();
            camera.first += gone;
            camera.cursor = camera.first;
        }
    }
}

/// What statvfs answers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Statvfs {
    True,
    Fails,
    /// So much is free, whatever is deleted.
    Says(u64),
    /// The truth of so many seconds ago.
    Late(u64),
}

pub struct World {
    pub volume: Volume,
    pub cleaner: Cleaner,
    pub now: Mono,
    /// Wall time at `Mono(0)`, in seconds; `None`: not trusted.
    pub clock: Option<i64>,
    pub statvfs: Statvfs,
    /// Deletions that are answered together.
    pub batch: usize,
    /// Each deletion that was done or failed, in its order.
    pub log: Vec<(usize, u32, Rule)>,
    /// When and what was said besides.
    pub said: Vec<(u64, Step)>,
    figures: Vec<(Mono, u64)>,
}

impl World {
    /// A volume of so many bytes; each camera has a limit of age in days or none.
    pub fn new(total: u64, ages: &[Option<u64>]) -> Self {
        let camera =
            |age: &Option<u64>| Camera { age: age.map(|days| seconds(days * DAY)), ..Camera::default() };
        let cameras = ages.iter().map(camera).collect();
        World {
            volume: Volume { cameras, counted: true, total, ..Volume::default() },
            cleaner: Cleaner::new(Rules::DEFAULT),
            // Late enough that footage from 100 days ago has a true time.
            now: Mono::from_nanos(100 * DAY * 1_000_000_000),
            clock: Some(EPOCH),
            statvfs: Statvfs::True,
            batch: 4,
            log: Vec::new(),
            said: Vec::new(),
            figures: Vec::new(),
        }
    }

    pub fn wall(&self) -> Option<Wall> {
        self.clock.map(|offset| self.wall_at(offset, self.now))
    }

    fn wall_at(&self, offset: i64, moment: Mono) -> Wall {
        Wall::from_secs(offset) + Duration::from_nanos(moment.as_nanos())
    }

    /// A segment that ended so many seconds ago, dated by the clock as it is now.
    pub fn put(&mut self, camera: usize, ago: u64, bytes: u64) -> &mut Segment {
        let end = self.now - seconds(ago);
        let ended = self.clock.map(|offset| self.wall_at(offset, end));
        self.volume.sequence += 1;
        let candidate = Candidate { sequence: self.volume.sequence, ended, bytes, protected: false };
        self.volume.ours += bytes;
        let segments = &mut self.volume.cameras[camera].segments;
        segments.push(Segment { candidate, end, stuck: false, gone: false });
        segments.last_mut().expect("just pushed")
    }

    /// The same volume after the recorder was started again.
    pub fn restart(&mut self) {
        self.cleaner = Cleaner::new(Rules::DEFAULT);
    }

    /// Tells the figures, steps, and answers, until it rests.
    pub fn turn(&mut self) -> Step {
        self.figures.push((self.now, self.volume.free()));
        let figure = match self.statvfs {
            Statvfs::True => Ok(self.volume.free()),
            Statvfs::Fails => Err(SpaceUnknown),
            Statvfs::Says(free) => Ok(free),
            Statvfs::Late(late) => {
                let since = self.now - seconds(late);
                let old = self.figures.iter().rev().find(|(at, _)| *at <= since).or(self.figures.first());
                Ok(old.expect("just pushed").1)
            }
        };
        let space = figure.map(|free| Space { free, total: self.volume.total });
        self.cleaner.space(self.now, space);
        self.steps()
    }

    /// Steps and answers until it rests.
    pub fn steps(&mut self) -> Step {
        let mut batch = Vec::new();
        for _ in 0..100_000 {
            match self.cleaner.step(self.now, self.wall(), &mut self.volume) {
                Step::Delete { camera, candidate, rule } => {
                    if matches!(rule, Rule::Space | Rule::EmergencySpace) {
                        let chosen = (candidate.sequence, camera);
                        assert_eq!(self.volume.fair_choice((camera, candidate)), chosen, "by {rule:?}");
                    }
                    batch.push((camera, candidate, rule));
                    self.volume.unanswered += 1;
                    if batch.len() >= self.batch {
                        self.carry_out(&mut batch);
                    }
                }
                Step::Rest { until } if until <= self.now => self.carry_out(&mut batch),
                step @ (Step::Rest { until } | Step::Exhausted { until, .. } | Step::Blocked { until }) => {
                    assert!(
                        until > self.now && until <= self.now + seconds(60),
                        "{step:?} at {:?}",
                        self.now
                    );
                    self.carry_out(&mut batch);
                    if !matches!(step, Step::Rest { .. }) {
                        self.said.push((self.now.as_nanos() / 1_000_000_000, step));
                    }
                    return step;
                }
            }
        }
        panic!("it never rests");
    }

    fn carry_out(&mut self, batch: &mut Vec<(usize, Candidate, Rule)>) {
        for (camera, candidate, rule) in batch.drain(..) {
            let segment = self.volume.cameras[camera]
                .segments
                .iter_mut()
                .find(|segment| segment.candidate.sequence == candidate.sequence)
                .expect("it is on the volume");
            assert!(!segment.candidate.protected, "a protected one: {candidate:?} by {rule:?}");
            assert!(!segment.gone, "deleted twice: {candidate:?}");
            self.log.push((camera, candidate.sequence, rule));
            self.volume.unanswered -= 1;
            if segment.stuck {
                self.cleaner.failed(candidate.bytes);
            } else {
                segment.gone = true;
                self.volume.ours -= candidate.bytes;
                self.cleaner.deleted(candidate.bytes);
            }
        }
    }

    pub fn pass_time(&mut self, secs: u64) {
        self.now = self.now + seconds(secs);
    }

    /// Runs for so long, with a turn every so many seconds.
    pub fn run(&mut self, secs: u64, every: u64) {
        for _ in 0..secs / every {
            self.pass_time(every);
            self.turn();
        }
    }

    /// A turn, then 10 minutes: rules of age apply from now on.
    pub fn settle(&mut self) {
        self.turn();
        self.run(10 * MINUTE, 10);
    }

    /// The numbers of what was deleted since it was asked last.
    pub fn deleted(&mut self) -> Vec<u32> {
        self.log.drain(..).map(|(_, sequence, _)| sequence).collect()
    }

    /// With the rules.
    pub fn deleted_by(&mut self) -> Vec<(u32, Rule)> {
        self.log.drain(..).map(|(_, sequence, rule)| (sequence, rule)).collect()
    }

    /// How often a person was told that one is needed, since it was asked last.
    pub fn exhausted(&mut self) -> usize {
        self.said.drain(..).filter(|(_, step)| matches!(step, Step::Exhausted { .. })).count()
    }
}
