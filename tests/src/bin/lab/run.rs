//! `lab run`: four virtual cameras, the recorder, a volume; at the end, what was sent against what is there.

use crate::cameras::{self, Profile};
use crate::interrupted;
use holdfast_tests::camera::VirtualCamera;
use holdfast_tests::command;
use holdfast_tests::recorder::{self, CameraEntry, Configuration, Output, Recorder};
use holdfast_tests::report::{Gap, Report};
use holdfast_tests::verify::{self, Verdict};
use holdfast_tests::{LabError, wait_until, wall_micros};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// How long a camera may take from the recorder's start to its first picture: ten times what a busy machine needs.
const BEGIN_DEADLINE: i64 = 15_000_000;
/// How long the recorder's process may take until its session begins, in microseconds.
const BEGIN_SLACK: i64 = 2_000_000;
/// How much of the end may be on its way when the recorder is stopped, in microseconds.
const REST: i64 = 1_000_000;
/// How long the recorder may take to finish its files after SIGTERM.
const STOP_DEADLINE: Duration = Duration::from_secs(20);
/// "Until interrupted", in seconds: a century.
const FOR_EVER: u64 = 100 * 365 * 24 * 3600;

/// Runs it; whether everything that should be recorded is.
pub fn run(seconds: Option<u64>, folder: &Path, holdfast: Option<PathBuf>) -> Result<bool, LabError> {
    let binary = holdfast.map_or_else(recorder::binary, Ok)?;
    let volume = folder.join("volume");
    std::fs::create_dir_all(&volume)
        .map_err(|source| LabError::Io { doing: format!("making {}", volume.display()), source })?;
    let folder = std::fs::canonicalize(folder)
        .map_err(|source| LabError::Io { doing: format!("finding {}", folder.display()), source })?;
    let volume = folder.join("volume");
    let before = segments_before(&volume)?;
    if before > 0 {
        eprintln!(
            "lab: {} holds {before} segments of earlier runs; only this run's are judged",
            volume.display()
        );
    }
    eprintln!("lab: starting four virtual cameras (the first time their clips are encoded: some 20 s)");
    let cameras = cameras::start(Profile::Demo, 4, None)?;
    let configuration =
        Configuration::new(cameras.iter().map(CameraEntry::of).collect(), &volume).write(&folder)?;
    let start = wall_micros();
    let mut recorder = Recorder::start(&binary, &configuration, Output::Inherited)?;
    let length = Duration::from_secs(seconds.unwrap_or(FOR_EVER));
    wait_until(length, || interrupted() || recorder.ended().is_some());
    let stop = wall_micros();
    let died = recorder.ended().filter(|_| !interrupted());
    recorder.ask_to_stop();
    let status = recorder.wait(STOP_DEADLINE)?;
    println!();
    print_coverage(&binary, &volume);
    let account = Report::ask(&binary, &volume, &["--since", &command::rfc3339(start)]);
    let mut whole = died.is_none() && status.success();
    if let Some(status) = died {
        eprintln!("lab: the recorder ended by itself: {status}");
    } else if !status.success() {
        eprintln!("lab: the recorder did not stop cleanly: {status}");
    }
    whole &= judge(&cameras, &volume, stop)?;
    let findings = match account {
        Ok(account) => {
            cameras.iter().flat_map(|camera| judge_account(&account, camera.name(), start, stop)).collect()
        }
        Err(error) => vec![error.to_string()],
    };
    for finding in findings {
        eprintln!("lab: {finding}");
        whole = false;
    }
    Ok(whole)
}

/// How many segments the demo cameras have left on the volume by earlier runs.
fn segments_before(volume: &Path) -> Result<usize, LabError> {
    let mut count = 0;
    for options in cameras::cameras(Profile::Demo, 4, None) {
        count += holdfast_tests::read::segments(volume, options.name())?.len();
    }
    Ok(count)
}

/// `holdfast coverage`, as a person would call it. What it says is judged by [`judge_account`].
fn print_coverage(binary: &Path, volume: &Path) {
    match Command::new(binary).arg("coverage").arg(volume).status() {
        Ok(status) if status.success() => {}
        Ok(status) => eprintln!("lab: holdfast coverage ended with {status}"),
        Err(error) => eprintln!("lab: holdfast coverage could not be started: {error}"),
    }
}

fn judge(cameras: &[VirtualCamera], volume: &Path, stop: i64) -> Result<bool, LabError> {
    println!("\n{:<14} {:>9} {:>9} {:>9} {:>9}  result", "camera", "segments", "owed", "recorded", "sound");
    let mut verdicts: Vec<Verdict> = Vec::new();
    for camera in cameras {
        let verdict = verify::camera_against_volume(camera, volume, stop)?;
        let result = match verdict.findings.len() {
            0 => "every frame is there, once, in order".to_owned(),
            count => format!("{count} findings"),
        };
        let Verdict { camera, segments, expected, frames, sound_packets, .. } = &verdict;
        println!("{camera:<14} {segments:>9} {expected:>9} {frames:>9} {sound_packets:>9}  {result}");
        verdicts.push(verdict);
    }
    let mut whole = true;
    for verdict in verdicts {
        for finding in verdict.findings {
            eprintln!("lab: {}: {finding}", verdict.camera);
            whole = false;
        }
    }
    Ok(whole)
}

/// What is wrong with what `holdfast coverage` says of a camera that worked all the time: nothing may be missing
/// but the moment until its first picture.
fn judge_account(account: &Report, camera: &str, start: i64, stop: i64) -> Vec<String> {
    let Some(account) = account.camera(camera) else {
        return vec![format!("{camera}: coverage does not know it")];
    };
    let mut findings = Vec::new();
    let begin: i64 = account.gaps.iter().filter(|gap| gap.cause == "starting").map(|gap| gap.micros).sum();
    if begin > BEGIN_DEADLINE {
        findings.push(format!("{camera}: its first picture came only after {:.1} s", begin as f64 / 1e6));
    }
    // Of an earlier run in the same folder, the moment until this one's session began.
    let earlier = |gap: &&Gap| gap.cause == "stopped" && gap.to < start + BEGIN_SLACK;
    let untold = account.gaps.iter().filter(|gap| gap.cause != "starting" && !earlier(gap));
    for gap in untold {
        let seconds = gap.micros as f64 / 1e6;
        findings.push(format!("{camera}: coverage tells a gap of {seconds:.3} s: {}", gap.detail));
    }
    let owed = stop - start - begin - BEGIN_SLACK;
    if account.durable < owed - REST {
        let (durable, owed) = (account.durable as f64 / 1e6, owed as f64 / 1e6);
        findings.push(format!("{camera}: coverage tells {durable:.1} s durable where {owed:.1} s were sent"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use holdfast_tests::report::CameraReport;

    const SECOND: i64 = 1_000_000;

    fn account(durable: i64, gaps: &[(i64, &str)]) -> Report {
        let gap = |(micros, cause): &(i64, &str)| Gap {
            from: 0,
            to: *micros,
            micros: *micros,
            cause: (*cause).to_owned(),
            detail: (*cause).to_owned(),
        };
        let missing = gaps.iter().map(|(micros, _)| micros).sum();
        let camera = CameraReport {
            camera: "yard".to_owned(),
            since: 0,
            until: durable + missing,
            durable,
            missing,
            deleted: 0,
            millipercent: 0,
            gaps: gaps.iter().map(gap).collect(),
        };
        Report { cameras: vec![camera], ..Report::default() }
    }

    #[test]
    fn an_account_that_cannot_be_true_of_cameras_that_worked_is_found() {
        let found = |account: Report| judge_account(&account, "yard", 0, 30 * SECOND).len();
        assert_eq!(found(account(28 * SECOND, &[(SECOND, "starting")])), 0);
        assert_eq!(
            found(account(28 * SECOND, &[(14_000, "stopped"), (SECOND, "starting")])),
            0,
            "a second run"
        );
        assert_eq!(found(account(28 * SECOND, &[(3 * SECOND, "stopped")])), 1, "stopped for long");
        assert_eq!(found(account(0, &[])), 1, "nothing is durable");
        assert_eq!(found(account(27 * SECOND, &[(SECOND, "starting"), (SECOND, "lost")])), 1, "a gap");
        assert_eq!(found(account(12 * SECOND, &[(17 * SECOND, "starting")])), 1, "a late beginning");
        assert_eq!(found(Report::default()), 1, "an unknown camera");
    }
}
