//! Whatever a disk does, it costs no camera: every errno, slowness and a hang, injected while 4 cameras record.
//!
//! Each case is a recorder with a disk of its own; the cameras are shared, so the cases of a wave run side by side. What is
//! asked of each: no camera connected twice, no frame missing that the memory could hold, footage flows again after the
//! fault's end, and where the memory was too small on purpose, the ledger names that gap with the cause it had.

use holdfast_tests::camera::{CameraOptions, VirtualCamera};
use holdfast_tests::clip::{ClipSpec, VideoCodec};
use holdfast_tests::faultfs::{Call, Fault, FaultFs, Injected, Seen};
use holdfast_tests::recorder::{self, CameraEntry, Configuration, Output, Recorder};
use holdfast_tests::report::{CameraReport, Gap, Report};
use holdfast_tests::{LabError, may_mount, scene, wait_until, wall_micros};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Longest that anything is waited for that ought to happen in a second or two.
const PATIENCE: Duration = Duration::from_secs(60);

/// Recording is to resume within 3 s of a fault's end; a machine that builds something beside gets ten times that.
const RESUMED: Duration = Duration::from_secs(30);

/// Recorders side by side: few enough that two cores do not become the fault.
const AT_ONCE: usize = 5;

/// Longer than any fault here with the wait after it.
const LARGE_RING: &str = "90s";

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

/// One line of the tables below.
struct Case {
    name: &'static str,
    wrong: Wrong,
    ring: &'static str,
    /// What the log says while it lasts; empty if nothing has to be said.
    says: &'static str,
    /// Why footage is missing: beginnings of causes, of which coverage has to name one. None: nothing may be missing.
    causes: &'static [&'static str],
    /// Causes that it may name beside.
    beside: &'static [&'static str],
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

/// What a full memory drops between the return of its disk and the first read of it, a quarter of a second later, may
/// have this cause beside the disk's own, which has to be the greater part.
const AT_THE_BRINK: &[&str] = &["buffer overflow"];

/// A disk that takes data too slowly, or none at all: both are the truth, by how long it was waited for.
const TOO_SLOW: &[&str] = &["buffer overflow", "volume: does not answer", "volume: too slow"];

/// The memory holds the whole fault: nothing may be missing.
fn held() -> Vec<Case> {
    let case = |name, wrong, says| Case { name, wrong, ring: LARGE_RING, says, causes: &[], beside: &[] };
    vec![
        case("EIO", Wrong::For(6, errno(Errno::IO)), "input/output error"),
        case("EROFS", Wrong::For(6, Fault::read_only()), "read-only"),
        case("EACCES", Wrong::For(6, denied()), "permission denied"),
        case("EAGAIN", Wrong::For(6, errno(Errno::AGAIN)), "temporarily unable to take data"),
        case("EAGAIN, once", Wrong::Once(errno(Errno::AGAIN).times(1)), ""),
        case("EDQUOT", Wrong::For(6, errno(Errno::DQUOT)), "quota exceeded"),
        case("ESTALE", Wrong::For(6, Fault::fails(Errno::STALE)), "stale file handle"),
        case("pulled: ENODEV for everything", Wrong::For(6, Fault::pulled()), "not there"),
        case("statfs fails", Wrong::For(6, Fault::fails(Errno::IO).on(&[Call::Space])), ""),
        case("1 s for each write", Wrong::For(6, slow(1)), ""),
        case("5 s for each write", Wrong::For(11, slow(5)), ""),
        case("20 s for each write", Wrong::For(22, slow(20)), ""),
        case("a write hangs", Wrong::For(12, Fault::hangs().on(&[Call::Write])), ""),
        case("everything hangs", Wrong::For(12, Fault::hangs()), ""),
        // Footage of its own that it deletes to make room is not lost, but deleted, by a rule that can be read.
        Case { beside: &["deleted"], ..case("ENOSPC: full", Wrong::FullFor(6), "full") },
    ]
}

/// The memory is too small: the gap is named.
fn overflowing() -> Vec<Case> {
    let case = |name, wrong, says, causes| Case {
        name,
        wrong,
        ring: SMALL_RING,
        says,
        causes,
        beside: AT_THE_BRINK,
    };
    vec![
        case("EIO", Wrong::For(10, errno(Errno::IO)), "input/output error", &["volume: input/output error"]),
        case("EROFS", Wrong::For(10, Fault::read_only()), "read-only", &["volume: read-only"]),
        case("EACCES", Wrong::For(10, denied()), "permission denied", &["volume: permission denied"]),
        case("EAGAIN", Wrong::For(10, errno(Errno::AGAIN)), "temporarily", &["volume: temporarily unable"]),
        // A full disk can be opened each time, so there are more such moments.
        Case {
            beside: &["deleted", "buffer overflow"],
            ..case("ENOSPC: full", Wrong::FullFor(10), "full", &["volume: full"])
        },
        case("EDQUOT", Wrong::For(10, errno(Errno::DQUOT)), "quota exceeded", &["volume: quota exceeded"]),
        case("ESTALE", Wrong::For(10, Fault::fails(Errno::STALE)), "stale", &["volume: stale file handle"]),
        case("pulled", Wrong::For(10, Fault::pulled()), "not there", &["volume: not there"]),
        case("5 s for each write", Wrong::For(16, slow(5)), "", TOO_SLOW),
        case("everything hangs", Wrong::For(16, Fault::hangs()), "", TOO_SLOW),
    ]
}

#[test]
fn no_fault_of_a_disk_costs_a_camera_or_a_frame_that_the_memory_could_hold() {
    try_all("memory that holds the fault", held());
}

#[test]
fn what_the_memory_could_not_hold_is_accounted_with_the_fault_of_the_disk() {
    try_all("memory that is too small", overflowing());
}

/// Tries every case, some at once, and says all that is wrong at the end.
fn try_all(table: &str, cases: Vec<Case>) {
    if !may_mount("faults of a disk under a recorder") {
        return;
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
    let mut findings = Vec::new();
    for wave in cases.chunks(AT_ONCE) {
        std::thread::scope(|scope| {
            let tried = wave.iter().map(|case| (case.name, scope.spawn(|| try_one(case, &cameras))));
            for (name, tried) in tried.collect::<Vec<_>>() {
                let found = match tried.join() {
                    Ok(Ok(outcome)) => {
                        println!("{table}: {name}: {}", outcome.summary);
                        outcome.findings
                    }
                    Ok(Err(error)) => vec![with_source(&error)],
                    Err(_) => vec!["panicked".to_owned()],
                };
                findings.extend(found.into_iter().map(|finding| format!("{name}: {finding}")));
            }
        });
    }
    assert!(findings.is_empty(), "{table}:\n{}", findings.join("\n"));
}

fn with_source(error: &LabError) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
}

/// What the files lack, over all cameras, and how long a time coverage gives which cause.
#[derive(Default)]
struct Lost {
    frames: usize,
    why: BTreeMap<String, i64>,
}

/// How a case went.
struct Outcome {
    summary: String,
    findings: Vec<String>,
}

/// A recorder on a disk that is to fail. The fault is the last to be made and the first to go.
struct Trial<'case> {
    cameras: &'case [VirtualCamera],
    disk: FaultFs,
    backing: PathBuf,
    recorder: Option<Recorder>,
    _folder: tempfile::TempDir,
}

/// Starts, disturbs, ends the disturbance, stops and judges.
fn try_one(case: &Case, cameras: &[VirtualCamera]) -> Result<Outcome, LabError> {
    let mut findings = Vec::new();
    let mut trial = Trial::start(case, cameras)?;
    let began = Instant::now();
    if !wait_until(PATIENCE, || trial.recorded_since(began)) {
        return Ok(trial.failed("it does not begin to record"));
    }
    let ended = match trial.disturb(case) {
        Ok(ended) => ended,
        Err(finding) => return Ok(trial.failed(&finding)),
    };
    if !wait_until(RESUMED + PATIENCE, || trial.recorded_since(ended)) {
        return Ok(trial.failed("it does not resume"));
    }
    let resumed = ended.elapsed();
    if resumed > RESUMED {
        findings.push(format!("it resumed {:.1} s after the fault's end", resumed.as_secs_f64()));
    }
    trial.film(2);
    let stopped = wall_micros();
    let log = trial.log();
    if let Some(recorder) = trial.recorder.take() {
        recorder.stop(PATIENCE)?;
    }
    for camera in cameras {
        let connections = lines(&log, camera.name(), "connecting over");
        if connections != 1 || lines(&log, camera.name(), "in a row") > 0 {
            findings.push(format!("{}: connected {connections} times", camera.name()));
        }
    }
    let lost = trial.judge(case, stopped - 500_000, &mut findings)?;
    if !findings.is_empty() {
        findings.push(format!("the log:\n{log}"));
    }
    let why: Vec<String> =
        lost.why.iter().map(|(why, micros)| format!("{why} {} ms", micros / 1000)).collect();
    let (resumed, frames, why) = (resumed.as_secs_f64(), lost.frames, why.join(", "));
    let summary = format!("recording {resumed:.1} s after its end, {frames} frames missing: {why}");
    Ok(Outcome { summary, findings })
}

fn lines(log: &str, camera: &str, text: &str) -> usize {
    log.lines().filter(|line| line.contains(camera) && line.contains(text)).count()
}

impl<'case> Trial<'case> {
    fn start(case: &Case, cameras: &'case [VirtualCamera]) -> Result<Trial<'case>, LabError> {
        let failed = |source| LabError::Io { doing: "making folders for a trial".to_owned(), source };
        let folder = tempfile::tempdir().map_err(failed)?;
        let (backing, volume) = (folder.path().join("backing"), folder.path().join("volume"));
        scene::make_folder(&backing)?;
        scene::make_folder(&volume)?;
        let disk = FaultFs::mount(&backing, &volume)?;
        let entries = cameras.iter().map(CameraEntry::of).collect();
        let configuration = Configuration::new(entries, &volume).limit("ring", case.ring);
        let configuration = configuration.limit("segment", "10s").write(folder.path())?;
        let recorder = Some(Recorder::start(&recorder::binary()?, &configuration, Output::Kept)?);
        Ok(Trial { cameras, disk, backing, recorder, _folder: folder })
    }

    fn log(&self) -> String {
        self.recorder.as_ref().map(Recorder::log).unwrap_or_default()
    }

    fn failed(&self, finding: &str) -> Outcome {
        // Before anybody waits for the recorder.
        self.disk.clear();
        let findings = vec![format!("{finding}; its log:\n{}", self.log())];
        Outcome { summary: "failed".to_owned(), findings }
    }

    /// Until so many seconds were filmed.
    fn film(&self, seconds: u32) {
        let camera = &self.cameras[0];
        let enough = camera.log().len() + (seconds * camera.video().fps) as usize;
        let patience = PATIENCE + Duration::from_secs(u64::from(seconds));
        assert!(wait_until(patience, || camera.log().len() >= enough), "the camera does not film");
    }

    /// Whether footage of every camera was written and synced since then.
    fn recorded_since(&self, then: Instant) -> bool {
        let log = self.disk.log_since(then);
        let done = |call: Call, camera: &VirtualCamera| {
            let folder = Path::new("holdfast").join(camera.name());
            let mut calls =
                log.iter().filter(move |seen| seen.call == call && seen.path.starts_with(&folder));
            calls.any(|seen| seen.answer.is_some_and(|answer| answer.errno.is_none()))
        };
        self.cameras.iter().all(|camera| done(Call::Write, camera) && done(Call::Sync, camera))
    }

    /// Until the recorder was refused once more: the worst moment for a fault to end, since it has to wait for its
    /// next attempt. Not for ever: one that knows that a person is needed need not try.
    fn await_refusal(&self) {
        let now = Instant::now();
        if self.disk.log_since(now - Duration::from_secs(60)).iter().any(is_refused) {
            wait_until(Duration::from_secs(12), || self.disk.log_since(now).iter().any(is_refused));
        }
    }

    /// Does it, and waits as long as it lasts. When it ended; or why it was no trial.
    fn disturb(&self, case: &Case) -> Result<Instant, String> {
        let began = Instant::now();
        let last = |seconds| {
            self.film(seconds);
            if !wait_until(PATIENCE, || self.log().contains(case.says)) {
                return Err(format!("its log does not say \"{}\"", case.says));
            }
            self.await_refusal();
            Ok(())
        };
        match &case.wrong {
            Wrong::For(seconds, fault) => {
                let fault: Injected = self.disk.inject(fault.clone());
                last(*seconds)?;
                fault.end();
            }
            Wrong::FullFor(seconds) => {
                self.disk.set_capacity(Some(self.disk.used()));
                let said = last(*seconds);
                self.disk.set_capacity(None);
                said?;
            }
            Wrong::Once(fault) => {
                let _fault = self.disk.inject(fault.clone());
                let struck =
                    |seen: &holdfast_tests::faultfs::Seen| seen.answer.is_some_and(|a| a.errno.is_some());
                // Looking for a file that is not there yet is an error too, and nobody's fault.
                let is_write = |call| [Call::Write, Call::Sync, Call::Create].contains(&call);
                let strikes = || self.disk.log_since(began).iter().any(|s| is_write(s.call) && struck(s));
                if !wait_until(PATIENCE, strikes) {
                    return Err("the fault did not strike".to_owned());
                }
            }
        }
        Ok(Instant::now())
    }

    /// What was filmed from the first recorded frame until `until` is there, or in a gap that names why not.
    fn judge(&self, case: &Case, until: i64, findings: &mut Vec<String>) -> Result<Lost, LabError> {
        let report = Report::ask(&recorder::binary()?, self.disk.at(), &[])?;
        findings.extend(report.problems.iter().map(|problem| format!("coverage says: {problem}")));
        let mut lost = Lost::default();
        for camera in self.cameras {
            let name = camera.name();
            let Some(covered) = report.camera(name) else {
                findings.push(format!("{name}: not in the ledger"));
                continue;
            };
            let mut there: Vec<u64> =
                scene::frames_on(&self.backing, camera)?.iter().map(|frame| frame.number).collect();
            there.sort_unstable();
            there.dedup();
            let first = there.first().copied().unwrap_or(0);
            let log = camera.log();
            let owed = log.iter().filter(|frame| frame.number >= first && frame.wall_micros < until);
            let missing: Vec<_> = owed.filter(|frame| there.binary_search(&frame.number).is_err()).collect();
            lost.frames += missing.len();
            let begins = |detail: &str, causes: &[&str]| causes.iter().any(|cause| detail.starts_with(cause));
            let named = |detail: &str| begins(detail, case.causes) || begins(detail, case.beside);
            let gaps: Vec<_> = covered.gaps.iter().filter(|gap| gap.cause != "starting").collect();
            for gap in &gaps {
                *lost.why.entry(gap.detail.clone()).or_default() += gap.micros;
            }
            for gap in gaps.iter().filter(|gap| !named(&gap.detail)) {
                findings.push(format!("{name}: {} ms are missing by \"{}\"", gap.micros / 1000, gap.detail));
            }
            let by = |causes| -> i64 {
                gaps.iter().filter(|gap| begins(&gap.detail, causes)).map(|gap| gap.micros).sum()
            };
            let own = by(case.causes);
            if !case.causes.is_empty() && (own == 0 || own < by(case.beside)) {
                findings
                    .push(format!("{name}: most of what is missing is not said to be by {:?}", case.causes));
            }
            let accounted = |filmed: i64| gaps.iter().any(|gap| is_within(filmed, gap.from, gap.to));
            let silent = missing.iter().filter(|frame| !accounted(frame.wall_micros)).count();
            if silent > 0 {
                findings
                    .push(format!("{name}: {silent} frames are missing, and the ledger has no gap there"));
            }
            findings.extend(excess(name, covered, &gaps, missing.len(), camera.video().fps));
            if case.ring == SMALL_RING && missing.is_empty() {
                findings.push(format!("{name}: nothing is missing: this was no trial of a small memory"));
            }
        }
        Ok(lost)
    }
}

/// An error that is the fault's: looking for a file that is not there yet is one too, and nobody's.
fn is_refused(seen: &Seen) -> bool {
    seen.answer
        .and_then(|answer| answer.errno)
        .is_some_and(|errno| ![Errno::NOENT, Errno::EXIST].contains(&errno))
}

/// A frame's own time and its time by the recorder's clock differ by what it was on its way.
fn is_within(filmed: i64, from: i64, to: i64) -> bool {
    (from - 500_000..=to + 500_000).contains(&filmed)
}

/// Gaps that claim more than was lost.
fn excess(name: &str, covered: &CameraReport, gaps: &[&Gap], missing: usize, fps: u32) -> Option<String> {
    let told: i64 = gaps.iter().map(|gap| gap.micros).sum();
    let lost = missing as i64 * 1_000_000 / i64::from(fps);
    ((told - lost).abs() > 1_000_000).then(|| {
        format!(
            "{name}: {} ms of frames are missing, its gaps are {} ms: {:?}",
            lost / 1000,
            told / 1000,
            covered.gaps
        )
    })
}
