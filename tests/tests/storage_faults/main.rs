//! Whatever a disk does, it costs no camera: every errno, slowness and a hang, injected while 4 cameras record.
//!
//! Each case is a recorder with a disk of its own; the cameras are shared, so cases run side by side. What is asked of each:
//! no camera connected twice, no frame missing that the memory could hold, footage flows again after the fault's end, a
//! person was told, and where the memory was too small on purpose, the ledger names that gap with the cause it had.
//!
//! `HOLDFAST_CASE` tries those alone whose names hold it.

mod judge;
mod trial;

use holdfast_tests::camera::{CameraOptions, VirtualCamera};
use holdfast_tests::clip::{ClipSpec, VideoCodec};
use holdfast_tests::faultfs::{Call, Fault};
use holdfast_tests::{LabError, may_mount};
use rustix::io::Errno;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Recorders side by side: few enough that two cores do not become the fault.
const AT_ONCE: usize = 6;

/// Longer than any fault here with the wait after it.
const LARGE_RING: &str = "90s";

/// What is configured where nothing is: long enough for another volume to take over.
const USUAL_RING: &str = "30s";

/// Shorter than the faults that are to overflow it.
const SMALL_RING: &str = "5s";

/// What is done to a disk.
enum Wrong {
    /// This, for so many seconds.
    For(u32, Fault),
    /// This, which ends by itself when it has struck.
    Once(Fault),
    /// For so many seconds not one byte more fits on it.
    FullFor(u32),
}

/// What footage that may cost.
enum Loss {
    /// None: the memory holds it.
    Nothing,
    /// What the memory does not hold; the beginning of the one cause that coverage gives.
    By(&'static str),
    /// None: a second volume takes it, and says so.
    TakenOver,
}

/// One line of the tables below.
struct Case {
    name: &'static str,
    wrong: Wrong,
    ring: &'static str,
    /// What the log says while it lasts. Empty: it is not worth an alarm.
    says: &'static str,
    loss: Loss,
}

fn errno(errno: Errno) -> Fault {
    Fault::fails(errno).on(&[Call::Write, Call::Sync, Call::Create, Call::MakeDirectory])
}

fn denied() -> Fault {
    Fault::fails(Errno::ACCESS).on(&Call::CHANGES)
}

fn slow(seconds: u64) -> Fault {
    Fault::slow(Duration::from_secs(seconds)).on(&[Call::Write])
}

/// What is said of a volume whose calls last for seconds, long before a ring of the usual size is full.
const LABOURS: &str = "takes footage too slowly";

/// What is said of one that was waited for in vain for half a minute.
const STUCK: &str = "cannot be used: does not answer";

/// The memory holds the whole fault, or a second volume takes it: nothing may be missing. The longest first.
fn held() -> Vec<Case> {
    let case = |name, wrong, says| Case { name, wrong, ring: LARGE_RING, says, loss: Loss::Nothing };
    let beside = |name, wrong, says| Case { name, wrong, ring: USUAL_RING, says, loss: Loss::TakenOver };
    vec![
        case("everything hangs for longer than is waited for", Wrong::For(34, Fault::hangs()), STUCK),
        case("20 s for each write", Wrong::For(22, slow(20)), LABOURS),
        beside(
            "everything hangs, beside another",
            Wrong::For(14, Fault::hangs()),
            "too slow for the cameras",
        ),
        beside("20 s for each write, beside another", Wrong::For(14, slow(20)), "too slow for the cameras"),
        case("a write hangs", Wrong::For(12, Fault::hangs().on(&[Call::Write])), LABOURS),
        case("everything hangs", Wrong::For(12, Fault::hangs()), LABOURS),
        case("5 s for each write", Wrong::For(11, slow(5)), LABOURS),
        beside("EIO, beside another", Wrong::For(6, errno(Errno::IO)), "cannot be used: input/output error"),
        case("EIO", Wrong::For(6, errno(Errno::IO)), "cannot be used: input/output error"),
        case("EROFS", Wrong::For(6, Fault::read_only()), "cannot be used: read-only"),
        case("EACCES", Wrong::For(6, denied()), "cannot be used: permission denied"),
        case("EAGAIN", Wrong::For(6, errno(Errno::AGAIN)), "cannot be used: temporarily unable"),
        case("EAGAIN, once", Wrong::Once(errno(Errno::AGAIN).times(1)), ""),
        case("EDQUOT", Wrong::For(6, errno(Errno::DQUOT)), "cannot be used: quota exceeded"),
        case("ESTALE", Wrong::For(6, Fault::fails(Errno::STALE)), "cannot be used: stale file handle"),
        case("pulled: ENODEV for everything", Wrong::For(6, Fault::pulled()), "cannot be used: not there"),
        case("ENOSPC: full", Wrong::FullFor(6), "is full, and nothing on it may be deleted"),
        // A person is told after a minute: nothing is lost by it.
        case("statfs fails", Wrong::For(6, Fault::fails(Errno::IO).on(&[Call::Space])), ""),
        case("1 s for each write", Wrong::For(6, slow(1)), ""),
    ]
}

/// The memory is too small: the gap is named. The longest first.
fn overflowing() -> Vec<Case> {
    let case = |name, wrong, says, cause| Case { name, wrong, ring: SMALL_RING, says, loss: Loss::By(cause) };
    let slowly = "volume: too slow for the cameras";
    vec![
        case(
            "everything hangs for longer than is waited for",
            Wrong::For(34, Fault::hangs()),
            STUCK,
            "volume: does not answer",
        ),
        case("5 s for each write", Wrong::For(16, slow(5)), LABOURS, slowly),
        case("everything hangs", Wrong::For(14, Fault::hangs()), LABOURS, slowly),
        case("EIO", Wrong::For(8, errno(Errno::IO)), "input/output error", "volume: input/output error"),
        case("EROFS", Wrong::For(8, Fault::read_only()), "read-only", "volume: read-only"),
        case("EACCES", Wrong::For(8, denied()), "permission denied", "volume: permission denied"),
        case("EAGAIN", Wrong::For(8, errno(Errno::AGAIN)), "temporarily", "volume: temporarily unable"),
        case("ENOSPC: full", Wrong::FullFor(8), "is full", "volume: full"),
        case("EDQUOT", Wrong::For(8, errno(Errno::DQUOT)), "quota exceeded", "volume: quota exceeded"),
        case("ESTALE", Wrong::For(8, Fault::fails(Errno::STALE)), "stale", "volume: stale file handle"),
        case("pulled", Wrong::For(8, Fault::pulled()), "not there", "volume: not there"),
    ]
}

#[test]
fn no_fault_of_a_disk_costs_a_camera_or_a_frame_that_the_memory_or_another_disk_could_hold() {
    try_all("held", held());
}

#[test]
fn what_the_memory_could_not_hold_is_accounted_with_the_fault_of_the_disk() {
    try_all("overflowing", overflowing());
}

/// Tries every case, some at once, and says all that is wrong at the end.
fn try_all(table: &str, mut cases: Vec<Case>) {
    if !may_mount("faults of a disk under a recorder") {
        return;
    }
    if let Ok(chosen) = std::env::var("HOLDFAST_CASE") {
        cases.retain(|case| case.name.contains(&chosen));
    }
    // One table at a time: together they would be more than the cores can do.
    static ONE_TABLE: Mutex<()> = Mutex::new(());
    let _turn = ONE_TABLE.lock().unwrap_or_else(PoisonError::into_inner);
    let small = |name, tag, codec| CameraOptions::new(name, tag, ClipSpec::small(codec));
    let cameras = [
        small("entrance", 1, VideoCodec::H264),
        small("yard", 2, VideoCodec::H265),
        small("gate", 3, VideoCodec::H264),
        small("stairs", 4, VideoCodec::H265),
    ];
    let cameras: Vec<VirtualCamera> =
        cameras.into_iter().map(|options| VirtualCamera::start(options).unwrap()).collect();
    let next = AtomicUsize::new(0);
    let findings = Mutex::new(Vec::new());
    let work = || {
        while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            let found = match trial::run(case, &cameras) {
                Ok(outcome) => {
                    println!("{table}: {}: {}", case.name, outcome.summary);
                    outcome.findings
                }
                Err(error) => vec![with_source(&error)],
            };
            let found = found.into_iter().map(|finding| format!("{}: {finding}", case.name));
            findings.lock().unwrap_or_else(PoisonError::into_inner).extend(found);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(work);
        }
    });
    let findings = findings.into_inner().unwrap_or_else(PoisonError::into_inner);
    assert!(findings.is_empty(), "{table}:\n{}", findings.join("\n"));
}

fn with_source(error: &LabError) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
}
