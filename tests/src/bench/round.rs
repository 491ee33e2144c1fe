//! One contender's run: started, warmed up, measured over a window, stopped, and judged by what its files hold.

use super::contender::{Contender, Running};
use super::usage::{Usage, ticks_per_second};
use crate::camera::VirtualCamera;
use crate::feeder::SentFrame;
use crate::{LabError, read, wait_until, wall_micros};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long a contender may take until every camera has a client.
const CONNECT_DEADLINE: Duration = Duration::from_secs(30);

/// A camera that sends a frame this much behind its schedule was not the load that it was to be.
const LATE: Duration = Duration::from_millis(500);

/// Part of the window's frames that must be in the files, else the contender did another job than the others.
const LEAST_RECORDED: f64 = 0.995;

/// How a round is run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The recorder's binary.
    pub holdfast: PathBuf,
    /// From the last camera's connection to the window.
    pub warm_up: Duration,
    /// How long is measured.
    pub window: Duration,
    /// How long Holdfast's syncs are counted, after the window: tracing slows the traced.
    pub sync_window: Duration,
    /// Where contenders record to; each round makes a folder in it and removes that again.
    pub folder: PathBuf,
}

/// What a round came to.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
pub struct Round {
    /// Length of the window as it was.
    pub seconds: f64,
    /// CPU time over the window, in percent of one core.
    pub cpu_percent: f64,
    /// Peak resident memory, summed over processes, bytes.
    pub peak_rss_bytes: u64,
    /// Proportional resident memory at the window's end, bytes.
    pub pss_bytes: u64,
    /// Write calls a second, on files and on event descriptors.
    pub write_calls_per_second: f64,
    /// Bytes a second that these calls wrote.
    pub written_bytes_per_second: f64,
    /// Bytes a second that went or will go to the disk.
    pub disk_bytes_per_second: f64,
    /// Times a second that a thread was woken.
    pub wake_ups_per_second: f64,
    /// Threads.
    pub threads: u64,
    /// Syncs (fsync, fdatasync) a second, counted after the window with strace; `None` if it cannot trace here.
    pub syncs_per_second: Option<f64>,
    /// The most that the rings were seen to hold, bytes: Holdfast alone has rings.
    pub held_bytes: Option<u64>,
    /// Frames that the cameras sent in the window.
    pub frames_sent: usize,
    /// Those of them that are in the files.
    pub frames_recorded: usize,
    /// How far the worst frame of any camera was behind its schedule, milliseconds.
    pub worst_lateness_ms: i64,
    /// Why this round does not count; empty if it does.
    pub void: Vec<String>,
}

/// Runs one round. `cancelled` is asked all the time; `None` if it was answered with true.
pub fn run(
    contender: Contender,
    plan: &Plan,
    cameras: &[VirtualCamera],
    cancelled: &dyn Fn() -> bool,
) -> Result<Option<Round>, LabError> {
    let io = |doing: String| move |source| LabError::Io { doing, source };
    let folder = tempfile::Builder::new()
        .prefix(contender.name())
        .tempdir_in(&plan.folder)
        .map_err(io(format!("making a folder in {}", plan.folder.display())))?;
    let mut running = Running::start(contender, &plan.holdfast, cameras, folder.path())?;
    let connected =
        wait_until(CONNECT_DEADLINE, || cancelled() || cameras.iter().all(|camera| camera.watchers() > 0));
    if !connected {
        let void =
            vec![format!("not every camera had a client after {CONNECT_DEADLINE:?}: {}", running.log())];
        return Ok(Some(Round { void, ..Round::default() }));
    }
    // A process that ends early cannot be measured: its round is void.
    let mut ended = None;
    let mut rest = |running: &mut Running, length| {
        wait_until(length, || {
            ended = running.ended();
            cancelled() || ended.is_some()
        });
        ended.clone()
    };
    if let Some(ended) = rest(&mut running, plan.warm_up) {
        return Ok(Some(Round { void: vec![ended], ..Round::default() }));
    }
    let pids = running.pids();
    let (from, began, before) = (wall_micros(), Instant::now(), Usage::of(&pids)?);
    if let Some(ended) = rest(&mut running, plan.window) {
        return Ok(Some(Round { void: vec![ended], ..Round::default() }));
    }
    let (to, seconds, after) = (wall_micros(), began.elapsed().as_secs_f64(), Usage::of(&pids)?);
    if cancelled() {
        return Ok(None);
    }
    let mut round = measured(before, after, seconds);
    if contender == Contender::Holdfast {
        round.syncs_per_second = pids.first().and_then(|pid| syncs_per_second(*pid, plan.sync_window));
        round.held_bytes = most_held(&running.log());
    }
    if !running.stop() {
        round.void.push("it did not stop when asked to".to_owned());
    }
    judge(&mut round, contender, folder.path(), cameras, from, to)?;
    Ok(Some(round))
}

fn measured(before: Usage, after: Usage, seconds: f64) -> Round {
    let rate = |before: u64, after: u64| after.saturating_sub(before) as f64 / seconds;
    Round {
        seconds,
        cpu_percent: rate(before.ticks, after.ticks) / ticks_per_second() as f64 * 100.0,
        peak_rss_bytes: after.peak_rss,
        pss_bytes: after.pss,
        write_calls_per_second: rate(before.write_calls, after.write_calls),
        written_bytes_per_second: rate(before.written, after.written),
        disk_bytes_per_second: rate(before.disk_bytes, after.disk_bytes),
        wake_ups_per_second: rate(before.wake_ups, after.wake_ups),
        threads: after.threads,
        ..Round::default()
    }
}

/// Whether the cameras kept their pace, and whether what they sent in the window is in the files.
fn judge(
    round: &mut Round,
    contender: Contender,
    folder: &Path,
    cameras: &[VirtualCamera],
    from: i64,
    to: i64,
) -> Result<(), LabError> {
    for camera in cameras {
        let sent = camera.filmed_between(from, to);
        let late = worst_lateness(&sent, camera.video().fps);
        round.worst_lateness_ms = round.worst_lateness_ms.max(late / 1000);
        let mut found = HashSet::new();
        for file in contender.files(folder, camera.name())? {
            let marks = read::read(&file)?.video.into_iter().filter_map(|sample| sample.mark);
            found.extend(marks.filter(|mark| mark.camera == camera.tag()).map(|mark| mark.number));
        }
        let owed: Vec<&SentFrame> = sent.iter().filter(|frame| frame.fate.owed()).collect();
        if owed.len() < sent.len() {
            let missed = sent.len() - owed.len();
            round.void.push(format!("camera {} had no client for {missed} frames", camera.name()));
        }
        round.frames_sent += owed.len();
        round.frames_recorded += owed.iter().filter(|frame| found.contains(&frame.number)).count();
    }
    if u128::try_from(round.worst_lateness_ms).is_ok_and(|late| late > LATE.as_millis()) {
        let late = round.worst_lateness_ms;
        round.void.push(format!("a camera fell {late} ms behind: this machine was too busy"));
    }
    if (round.frames_recorded as f64) < round.frames_sent as f64 * LEAST_RECORDED || round.frames_sent == 0 {
        let (sent, recorded) = (round.frames_sent, round.frames_recorded);
        round.void.push(format!("of {sent} frames that were sent, {recorded} are in its files"));
    }
    Ok(())
}

/// How far the worst frame was behind the schedule that the most punctual one sets, in microseconds.
fn worst_lateness(frames: &[SentFrame], fps: u32) -> i64 {
    let fps = i64::from(fps.max(1));
    let offset = |frame: &SentFrame| {
        frame.wall_micros - i64::try_from(frame.number).unwrap_or(i64::MAX / 1_000_000) * 1_000_000 / fps
    };
    let offsets = || frames.iter().map(offset);
    offsets().max().unwrap_or(0) - offsets().min().unwrap_or(0)
}

/// The most that all rings together held, of the times that `holdfast run --view lines` told it.
fn most_held(log: &str) -> Option<u64> {
    let (mut sum, mut most) = (0, None);
    for line in log.lines() {
        match line.split_once(", held ").filter(|_| line.starts_with("camera ")) {
            Some((_, held)) => sum += size(held)?,
            None => sum = 0,
        }
        most = most.max((sum > 0).then_some(sum));
    }
    most
}

/// `392.3 KiB` in bytes.
fn size(text: &str) -> Option<u64> {
    let (number, unit) = text.trim().split_once(' ')?;
    let factor = match unit {
        "B" => 1.0,
        "KiB" => 1024.0,
        "MiB" => 1_048_576.0,
        "GiB" => 1_073_741_824.0,
        _ => return None,
    };
    Some((number.parse::<f64>().ok()? * factor) as u64)
}

/// Counts syncs with strace. `None` if there is none, or if this machine does not let it trace.
fn syncs_per_second(pid: u32, length: Duration) -> Option<f64> {
    let child = Command::new("timeout")
        .args(["--signal=INT", &length.as_secs().to_string()])
        .args(["strace", "-f", "-c", "-U", "name,calls", "-e", "trace=fsync,fdatasync,sync_file_range", "-p"])
        .arg(pid.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .ok()?;
    let output = child.wait_with_output().ok()?;
    counted(&String::from_utf8_lossy(&output.stderr)).map(|calls| calls as f64 / length.as_secs_f64())
}

/// The total of strace's table of `name calls`.
fn counted(table: &str) -> Option<u64> {
    let mut words = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    words.find_map(|words| match words.as_slice() {
        ["total", calls] | [calls, "total"] => calls.parse().ok(),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feeder::Fate;

    fn frame(number: u64, wall_micros: i64) -> SentFrame {
        SentFrame { number, presentation: number, wall_micros, keyframe: false, fate: Fate::Sent }
    }

    #[test]
    fn lateness_is_held_against_the_most_punctual_frame() {
        /// Number and wall clock of each frame.
        type Log = &'static [(u64, i64)];
        let cases: [(&str, Log, i64); 4] = [
            ("no frame", &[], 0),
            ("on time", &[(50, 2_000_000), (51, 2_040_000), (52, 2_080_000)], 0),
            ("one is 30 ms late", &[(50, 2_000_000), (51, 2_070_000), (52, 2_080_000)], 30_000),
            ("the first is the late one", &[(50, 2_500_000), (51, 2_540_000), (76, 3_040_000)], 500_000),
        ];
        for (name, frames, expected) in cases {
            let frames: Vec<SentFrame> = frames.iter().map(|(number, wall)| frame(*number, *wall)).collect();
            assert_eq!(worst_lateness(&frames, 25), expected, "{name}");
        }
    }

    #[test]
    fn the_rings_are_summed_over_cameras_and_the_fullest_moment_counts() {
        let log = "Holdfast starts\n\
             camera a: recording, 30 fps, held 1.0 MiB\n\
             camera b: recording, 30 fps, held 512.0 KiB\n\
             volume /v: 1 GiB free of 2 GiB\n\
             camera a: recording, 30 fps, held 1.0 KiB\n\
             camera b: recording, 30 fps, held 10 B\n\
             volume /v: 1 GiB free of 2 GiB\n";
        assert_eq!(most_held(log), Some(1_572_864));
        assert_eq!(most_held("volume /v: closed\n"), None);
        assert_eq!(most_held("camera a: recording, held much\n"), None, "an unknown unit is not taken for 0");
    }

    #[test]
    fn the_total_of_straces_table_is_read() {
        let table = "strace: Process 7 attached with 28 threads\nsyscall calls\n--------- -----\nfdatasync 60\n\
                     --------- -----\ntotal 60\n";
        assert_eq!(counted(table), Some(60));
        assert_eq!(counted("strace: attach: ptrace(PTRACE_SEIZE, 7): Operation not permitted\n"), None);
    }

    #[test]
    fn rates_are_of_the_window_and_peaks_are_not() {
        let before = Usage { ticks: 100, peak_rss: 5, write_calls: 10, written: 1000, ..Usage::default() };
        let after = Usage {
            ticks: 100 + 2 * ticks_per_second(),
            peak_rss: 9,
            write_calls: 30,
            written: 9000,
            ..before
        };
        let round = measured(before, after, 10.0);
        assert_eq!((round.cpu_percent, round.peak_rss_bytes), (20.0, 9));
        assert_eq!((round.write_calls_per_second, round.written_bytes_per_second), (2.0, 800.0));
    }
}
