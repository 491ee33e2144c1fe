//! One case: a recorder on a disk of its own is started, disturbed, let recover, stopped and judged.

use super::judge::{self, Scope};
use super::{Case, Loss, SMALL_RING, Wrong};
use holdfast_tests::camera::VirtualCamera;
use holdfast_tests::faultfs::{Call, FaultFs, Injected, Seen};
use holdfast_tests::recorder::{self, CameraEntry, Configuration, Output, Recorder};
use holdfast_tests::{LabError, scene, wait_until, wall_micros};
use rustix::io::Errno;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Longest that anything is waited for that ought to happen in a second or two.
const PATIENCE: Duration = Duration::from_secs(60);

/// Recording is to resume within 3 s of a fault's end; a machine that builds something beside gets ten times that.
const RESUMED: Duration = Duration::from_secs(30);

/// A second volume takes over 10 s after the first began to hang, and has the first fragment 3 s later at most.
const TAKEN_OVER: Duration = Duration::from_secs(30);

/// How a case went.
pub struct Outcome {
    pub summary: String,
    pub findings: Vec<String>,
}

/// A recorder on a disk that is to fail, and perhaps another beside it.
struct Trial<'case> {
    cameras: &'case [VirtualCamera],
    /// Declared before the recorder: without its faults it can end.
    disks: Vec<Disk>,
    recorder: Option<Recorder>,
    _folder: tempfile::TempDir,
}

struct Disk {
    shown: FaultFs,
    backing: PathBuf,
}

/// When a fault ended, and how long after its beginning the second volume had taken over.
struct Disturbed {
    ended: Instant,
    taken_over: Option<Duration>,
}

pub fn run(case: &Case, cameras: &[VirtualCamera]) -> Result<Outcome, LabError> {
    let mut findings = Vec::new();
    let mut trial = Trial::start(case, cameras)?;
    let began = Instant::now();
    if !wait_until(PATIENCE, || trial.recorded_since(began)) {
        return Ok(trial.failed("it does not begin to record"));
    }
    let Some(first) = trial.first_frames() else { return Ok(trial.failed("what it records cannot be read")) };
    findings.extend(
        trial.files_at_once().map(|file| format!("{file} was not durable when another was written to")),
    );
    let from = wall_micros();
    let disturbed = match trial.disturb(case) {
        Ok(disturbed) => disturbed,
        Err(finding) => return Ok(trial.failed(&finding)),
    };
    let ended = disturbed.ended;
    if !wait_until(RESUMED + PATIENCE, || trial.recorded_since(ended)) {
        return Ok(trial.failed("it does not resume"));
    }
    let resumed = ended.elapsed();
    if resumed > RESUMED {
        findings.push(format!("it resumed {:.1} s after the fault's end", resumed.as_secs_f64()));
    }
    trial.film(2);
    let until = wall_micros() - 500_000;
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
    if case.says.is_empty()
        && let Some(alarm) =
            log.lines().find(|line| line.contains("cannot be used") || line.contains("too slowly"))
    {
        findings.push(format!("what is over at once is an alarm: {alarm}"));
    }
    let scope =
        Scope { from, until, first, volumes: trial.disks.iter().map(|disk| &*disk.backing).collect() };
    let lost = judge::judge(case, cameras, &scope, &mut findings)?;
    if case.ring == SMALL_RING && lost.silent_cameras > 0 {
        findings.push("nothing of a camera is missing: this was no trial of a small memory".to_owned());
    }
    if !findings.is_empty() {
        findings.push(format!("the log:\n{log}"));
    }
    let why: Vec<String> =
        lost.why.iter().map(|(why, micros)| format!("{why} {} ms", micros / 1000)).collect();
    let over = disturbed.taken_over.map(|took| format!("taken over after {:.1} s, ", took.as_secs_f64()));
    let (resumed, frames, why) = (resumed.as_secs_f64(), lost.frames, why.join(", "));
    let over = over.unwrap_or_default();
    let summary = format!("{over}recording {resumed:.1} s after its end, {frames} frames missing: {why}");
    Ok(Outcome { summary, findings })
}

fn lines(log: &str, camera: &str, text: &str) -> usize {
    log.lines().filter(|line| line.contains(camera) && line.contains(text)).count()
}

impl<'case> Trial<'case> {
    fn start(case: &Case, cameras: &'case [VirtualCamera]) -> Result<Trial<'case>, LabError> {
        let failed = |source| LabError::Io { doing: "making folders for a trial".to_owned(), source };
        let folder = tempfile::tempdir().map_err(failed)?;
        let names: &[&str] = match case.loss {
            Loss::Nothing | Loss::By(_) => &["first"],
            Loss::TakenOver => &["first", "second"],
        };
        let mut disks = Vec::new();
        for name in names {
            let (backing, at) = (folder.path().join(format!("{name}-backing")), folder.path().join(name));
            scene::make_folder(&backing)?;
            scene::make_folder(&at)?;
            disks.push(Disk { shown: FaultFs::mount(&backing, &at)?, backing });
        }
        let entries = cameras.iter().map(CameraEntry::of).collect();
        let mut configuration = Configuration::new(entries, &folder.path().join("first"));
        configuration.volumes = names.iter().map(|name| folder.path().join(name)).collect();
        let configuration = configuration.limit("ring", case.ring).limit("segment", "10s");
        let configuration = configuration.write(folder.path())?;
        let recorder = Some(Recorder::start(&recorder::binary()?, &configuration, Output::Kept)?);
        Ok(Trial { cameras, disks, recorder, _folder: folder })
    }

    fn log(&self) -> String {
        self.recorder.as_ref().map(Recorder::log).unwrap_or_default()
    }

    fn failed(&self, finding: &str) -> Outcome {
        // Before anybody waits for the recorder.
        self.disks.iter().for_each(|disk| disk.shown.clear());
        let findings = vec![format!("{finding}; its log:\n{}", self.log())];
        Outcome { summary: "failed".to_owned(), findings }
    }

    /// The disk that fails.
    fn disk(&self) -> &FaultFs {
        &self.disks[0].shown
    }

    /// The number of each camera's first recorded frame. `None` if a file cannot be read for a minute.
    fn first_frames(&self) -> Option<Vec<u64>> {
        let first = |camera| {
            let mut first = None;
            wait_until(PATIENCE, || {
                // It may be read in the middle of a write.
                let frames = scene::frames_on(&self.disks[0].backing, camera).unwrap_or_default();
                first = frames.iter().map(|frame| frame.number).min();
                first.is_some()
            });
            first
        };
        self.cameras.iter().map(first).collect()
    }

    /// A file of footage that was written to and not synced when another was. The power may go at any moment: then the
    /// filesystem would know its length and not have its bytes.
    fn files_at_once(&self) -> Option<String> {
        let mut open: Option<PathBuf> = None;
        for seen in self.disk().log() {
            let is_footage = seen.path.extension().is_some_and(|extension| extension == "mp4");
            match (seen.call, open.take()) {
                (Call::Write, Some(other)) if is_footage && other != seen.path => {
                    return Some(other.display().to_string());
                }
                (Call::Write, _) if is_footage => open = Some(seen.path),
                (Call::Sync, Some(file)) if file == seen.path => {}
                (_, unchanged) => open = unchanged,
            }
        }
        None
    }

    /// Until so many seconds were filmed.
    fn film(&self, seconds: u32) {
        let camera = &self.cameras[0];
        let enough = camera.log().len() + (seconds * camera.video().fps) as usize;
        let patience = PATIENCE + Duration::from_secs(u64::from(seconds));
        assert!(wait_until(patience, || camera.log().len() >= enough), "the camera does not film");
    }

    /// Whether footage of every camera was written and synced since then, on one of the disks.
    fn recorded_since(&self, then: Instant) -> bool {
        self.disks.iter().any(|disk| self.recorded_on(disk, then))
    }

    fn recorded_on(&self, disk: &Disk, then: Instant) -> bool {
        let log = disk.shown.log_since(then);
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
        if self.disk().log_since(now - Duration::from_secs(60)).iter().any(is_refused) {
            wait_until(Duration::from_secs(12), || self.disk().log_since(now).iter().any(is_refused));
        }
    }

    /// Does it, and waits as long as it lasts. Or why it was no trial.
    fn disturb(&self, case: &Case) -> Result<Disturbed, String> {
        let began = Instant::now();
        let last = |seconds| {
            self.film(seconds);
            if !wait_until(PATIENCE, || self.log().contains(case.says)) {
                return Err(format!("its log does not say \"{}\"", case.says));
            }
            self.await_refusal();
            self.taken_over_since(began)
        };
        let taken_over = match &case.wrong {
            Wrong::For(seconds, fault) => {
                let fault: Injected = self.disk().inject(fault.clone());
                let taken_over = last(*seconds)?;
                fault.end();
                taken_over
            }
            Wrong::FullFor(seconds) => {
                self.disk().set_capacity(Some(self.disk().used()));
                let said = last(*seconds);
                self.disk().set_capacity(None);
                said?
            }
            Wrong::Once(fault) => {
                let _fault = self.disk().inject(fault.clone());
                // Looking for a file that is not there yet is an error too, and nobody's fault.
                let is_write = |call| [Call::Write, Call::Sync, Call::Create].contains(&call);
                let struck = || {
                    self.disk().log_since(began).iter().any(|seen| is_write(seen.call) && is_refused(seen))
                };
                if !wait_until(PATIENCE, struck) {
                    return Err("the fault did not strike".to_owned());
                }
                None
            }
        };
        Ok(Disturbed { ended: Instant::now(), taken_over })
    }

    /// How long after `began` every camera's first footage was on the second disk, where there is one.
    fn taken_over_since(&self, began: Instant) -> Result<Option<Duration>, String> {
        let Some(second) = self.disks.get(1) else { return Ok(None) };
        if !wait_until(PATIENCE, || self.recorded_on(second, began)) {
            return Err("the second volume does not take over".to_owned());
        }
        let log = second.shown.log_since(began);
        let first = |camera: &VirtualCamera| {
            let folder = Path::new("holdfast").join(camera.name());
            let mut syncs =
                log.iter().filter(|seen| seen.call == Call::Sync && seen.path.starts_with(&folder));
            syncs.find_map(|seen| seen.answer).map(|answer| answer.at - began)
        };
        let took = self.cameras.iter().filter_map(first).max().unwrap_or_default();
        if took > TAKEN_OVER {
            return Err(format!("the second volume took over after {:.1} s alone", took.as_secs_f64()));
        }
        Ok(Some(took))
    }
}

/// An error that is the fault's: looking for a file that is not there yet is one too, and nobody's.
fn is_refused(seen: &Seen) -> bool {
    seen.answer
        .and_then(|answer| answer.errno)
        .is_some_and(|errno| ![Errno::NOENT, Errno::EXIST].contains(&errno))
}
