//! `lab run`: four virtual cameras, the recorder, a volume; at the end, what was sent against what is there.

use crate::cameras::{self, Profile};
use crate::interrupted;
use holdfast_tests::camera::VirtualCamera;
use holdfast_tests::recorder::{self, CameraEntry, Configuration, Output, Recorder};
use holdfast_tests::verify::{self, Verdict};
use holdfast_tests::{LabError, wait_until, wall_micros};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

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
    let mut recorder = Recorder::start(&binary, &configuration, Output::Inherited)?;
    let length = Duration::from_secs(seconds.unwrap_or(FOR_EVER));
    wait_until(length, || interrupted() || recorder.ended().is_some());
    let stop = wall_micros();
    let died = recorder.ended().filter(|_| !interrupted());
    recorder.ask_to_stop();
    let status = recorder.wait(STOP_DEADLINE)?;
    println!();
    print_coverage(&binary, &volume);
    let mut whole = died.is_none() && status.success();
    if let Some(status) = died {
        eprintln!("lab: the recorder ended by itself: {status}");
    } else if !status.success() {
        eprintln!("lab: the recorder did not stop cleanly: {status}");
    }
    whole &= judge(&cameras, &volume, stop)?;
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

/// `holdfast coverage`, as a person would call it. Its trouble is shown, and judged no further here: the
/// footage itself is compared below.
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
