//! A writer's sign of life: how long the call to its disk that is under way has lasted, read from another thread.
//!
//! Words: a **call** is anything that the kernel may let hang on a disk: open, write, sync, mkdir, readdir, statvfs,
//! unlink, close. One thread makes them, inside [`Pulse::during`]; any other asks. To be **abandoned** is to be
//! refused every further call.
//!
//! Abandoning does not race: each side writes its own flag before it reads the other's. So a call that the watcher
//! does not see under way after [`Pulse::abandon`] returned is refused, and nothing is written once a writer that hung
//! wakes up in another world.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use holdfast_core::event::Fault;

use crate::volumes::VolumeError;

/// The sign of life of one writer. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Pulse(Arc<Beat>);

#[derive(Debug)]
struct Beat {
    epoch: Instant,
    /// When the innermost call under way began, or went on after one within it, in nanoseconds since `epoch`; [`NONE`] if there is none.
    since: AtomicU64,
    /// The longest call that ended since it was asked for last, in nanoseconds.
    slowest: AtomicU64,
    /// Calls that began.
    calls: AtomicU64,
    abandoned: AtomicBool,
}

/// No call is under way. No call begins at this moment: `epoch` lies before the first one.
const NONE: u64 = 0;

/// Why a call was not made: its writer has been abandoned. As an error of the system or of a volume it is
/// [`Fault::Stuck`]; nobody hears it, since an abandoned writer is silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abandoned;

impl Pulse {
    /// One that is idle.
    #[must_use]
    pub fn new() -> Self {
        Pulse(Arc::new(Beat {
            epoch: Instant::now(),
            since: AtomicU64::new(NONE),
            slowest: AtomicU64::new(0),
            calls: AtomicU64::new(0),
            abandoned: AtomicBool::new(false),
        }))
    }

    /// Makes a call, unless abandoned: then it fails without having been made.
    ///
    /// Calls may be nested: a task of many calls shows how long its present one lasts.
    pub fn during<T, E: From<Abandoned>>(&self, call: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let _begun = self.begin();
        if self.is_abandoned() { Err(Abandoned.into()) } else { call() }
    }

    /// Makes a call that changes nothing on the disk, abandoned or not: letting go of files.
    pub fn watch<T>(&self, call: impl FnOnce() -> T) -> T {
        let _begun = self.begin();
        call()
    }

    /// Refuses every further call.
    pub fn abandon(&self) {
        self.0.abandoned.store(true, Ordering::SeqCst);
    }

    /// Whether every further call is refused.
    #[must_use]
    pub fn is_abandoned(&self) -> bool {
        self.0.abandoned.load(Ordering::SeqCst)
    }

    /// How long the call that is under way has lasted; zero if none is.
    #[must_use]
    pub fn busy(&self) -> Duration {
        match self.0.since.load(Ordering::SeqCst) {
            NONE => Duration::ZERO,
            since => Duration::from_nanos(self.0.now().saturating_sub(since).max(1)),
        }
    }

    /// The longest call that ended since this was asked last.
    #[must_use]
    pub fn take_slowest(&self) -> Duration {
        Duration::from_nanos(self.0.slowest.swap(0, Ordering::Relaxed))
    }

    /// How many calls there have been: what decides how much a slow disk costs. One of many parts counts with each.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.0.calls.load(Ordering::Relaxed)
    }

    fn begin(&self) -> Begun<'_> {
        self.0.calls.fetch_add(1, Ordering::Relaxed);
        let outer = self.0.turn(|now| now);
        Begun { beat: &self.0, nested: outer != NONE }
    }
}

impl Default for Pulse {
    fn default() -> Self {
        Pulse::new()
    }
}

impl Beat {
    fn now(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_nanos()).unwrap_or(u64::MAX).max(NONE + 1)
    }

    /// What was under way is over, or goes on with a call within it: `next` is, given the time, since when the next one
    /// is. Gives back since when the one before was.
    fn turn(&self, next: impl FnOnce(u64) -> u64) -> u64 {
        let now = self.now();
        let before = self.since.swap(next(now), Ordering::SeqCst);
        if before != NONE {
            self.slowest.fetch_max(now.saturating_sub(before), Ordering::Relaxed);
        }
        before
    }
}

/// A call under way; it ends when this goes, also by a panic.
struct Begun<'a> {
    beat: &'a Beat,
    nested: bool,
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        // A call within another has shown that the outer one moves: that counts from now on.
        self.beat.turn(|now| if self.nested { now } else { NONE });
    }
}

impl fmt::Display for Abandoned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("its writer was abandoned")
    }
}

impl std::error::Error for Abandoned {}

impl From<Abandoned> for io::Error {
    fn from(abandoned: Abandoned) -> Self {
        io::Error::new(io::ErrorKind::TimedOut, abandoned)
    }
}

impl From<Abandoned> for VolumeError {
    fn from(abandoned: Abandoned) -> Self {
        VolumeError::found(Fault::Stuck, "go on with", Path::new("the volume"), abandoned.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::thread;

    const DEADLINE: Duration = Duration::from_secs(30);

    /// Polls until `fits`, or fails.
    fn until(fits: impl Fn() -> bool) {
        let end = Instant::now() + DEADLINE;
        while !fits() {
            assert!(Instant::now() < end, "not before the deadline");
            thread::yield_now();
        }
    }

    fn ok(call: impl FnOnce()) -> impl FnOnce() -> io::Result<()> {
        || {
            call();
            Ok(())
        }
    }

    #[test]
    fn a_call_that_hangs_is_seen_while_it_hangs_and_as_the_slowest_once() {
        let pulse = Pulse::new();
        assert_eq!((pulse.busy(), pulse.take_slowest()), (Duration::ZERO, Duration::ZERO));
        let (wake, sleeping) = mpsc::channel::<()>();
        let hung = pulse.clone();
        let thread = thread::spawn(move || hung.during(ok(|| sleeping.recv().unwrap())));
        let long = Duration::from_millis(50);
        until(|| pulse.busy() >= long);
        assert_eq!(pulse.take_slowest(), Duration::ZERO, "it has not ended");
        wake.send(()).unwrap();
        thread.join().unwrap().unwrap();
        assert_eq!(pulse.busy(), Duration::ZERO);
        assert!(pulse.take_slowest() >= long);
        assert_eq!(pulse.take_slowest(), Duration::ZERO, "told once");
    }

    #[test]
    fn a_task_of_many_calls_shows_its_present_one_alone() {
        let pulse = Pulse::new();
        let pause = Duration::from_millis(20);
        let mut marks = vec![Instant::now()];
        pulse
            .during(ok(|| {
                for _ in 0..3 {
                    until(|| pulse.busy() >= pause);
                    pulse.during(ok(|| marks.push(Instant::now()))).unwrap();
                    assert_ne!(pulse.busy(), Duration::ZERO, "the outer one goes on");
                }
            }))
            .unwrap();
        marks.push(Instant::now());
        let longest = marks.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
        let slowest = pulse.take_slowest();
        assert!(pause <= slowest && slowest <= longest, "{slowest:?} is no part of the task: {marks:?}");
        assert_eq!(pulse.busy(), Duration::ZERO);
    }

    #[test]
    fn once_abandoned_no_call_is_made_but_for_letting_go() {
        let pulse = Pulse::new();
        pulse.clone().abandon();
        let refused: io::Result<()> = pulse.during(|| panic!("it was made"));
        let refused = VolumeError::io("write", Path::new("/v"), refused.unwrap_err());
        assert_eq!(refused.fault, Fault::Stuck);
        let refused: Result<(), VolumeError> = pulse.during(|| panic!("it was made"));
        assert_eq!(refused.unwrap_err().fault, Fault::Stuck);
        assert_eq!(pulse.watch(|| 7), 7);
        assert_eq!(pulse.busy(), Duration::ZERO);
    }

    #[test]
    fn abandoning_does_not_race_with_a_call_that_begins() {
        for round in 0..2000 {
            let pulse = Pulse::new();
            let (caller, made) = (pulse.clone(), Arc::new(AtomicBool::new(false)));
            let makes = Arc::clone(&made);
            let thread =
                thread::spawn(move || caller.during(ok(|| makes.store(true, Ordering::SeqCst))).is_ok());
            if round % 2 == 0 {
                thread::yield_now();
            }
            pulse.abandon();
            let seen = pulse.busy() > Duration::ZERO || made.load(Ordering::SeqCst);
            let went_on = thread.join().unwrap();
            assert!(seen || !went_on, "round {round}: a call was made that nobody saw under way");
        }
    }
}
