//! `lab bench`: the contenders in turn on six cameras; a table, a JSON file, and whether the targets are kept.

use crate::cameras::{self, Profile};
use crate::interrupted;
use holdfast_tests::bench::contender::Contender;
use holdfast_tests::bench::report::{Load, Report, Series};
use holdfast_tests::bench::round::{self, Plan};
use holdfast_tests::clip::ClipSpec;
use holdfast_tests::{LabError, recorder};
use std::path::PathBuf;
use std::time::Duration;

/// The load of the issue.
const CAMERAS: u8 = 6;
/// From the last connection to the window: every ring and heap has its size by then.
const WARM_UP: Duration = Duration::from_secs(10);
/// How long Holdfast's syncs are counted after its window.
const SYNC_WINDOW: Duration = Duration::from_secs(10);

/// What can be chosen.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Length of each window in which a contender is measured
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,
    /// How often each contender is measured
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=100))]
    rounds: u8,
    /// Where the JSON goes
    #[arg(long, default_value = "target/bench/bench.json")]
    json: PathBuf,
    /// Where the contenders record to: a folder on a disk, not in memory; what they record is removed again
    #[arg(long, default_value = "target/bench")]
    dir: PathBuf,
    /// The recorder's binary; without it HOLDFAST_BIN, or the one built beside this program
    #[arg(long)]
    holdfast: Option<PathBuf>,
}

/// Runs it; whether every target is kept.
pub fn run(options: Options) -> Result<bool, LabError> {
    let Options { seconds, rounds, json, dir, holdfast } = options;
    let io = |doing: String| move |source| LabError::Io { doing, source };
    let json_folder = json.parent().unwrap_or(&dir);
    for folder in [&*dir, json_folder].into_iter().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(io(format!("making {}", folder.display())))?;
    }
    let folder = std::fs::canonicalize(&dir).map_err(io(format!("finding {}", dir.display())))?;
    let holdfast = holdfast.map_or_else(recorder::binary, Ok)?;
    let window = Duration::from_secs(seconds);
    let plan = Plan { holdfast, warm_up: WARM_UP, window, sync_window: SYNC_WINDOW, folder };

    eprintln!("lab: starting {CAMERAS} virtual cameras (the first time their clip is encoded: some 30 s)");
    let cameras = cameras::start(Profile::Bench, CAMERAS, None)?;
    let mut series = Contender::ALL.map(|contender| Series { contender, rounds: Vec::new() });
    for turn in 1..=rounds {
        for series in &mut series {
            let name = series.contender.name();
            eprintln!("lab: round {turn} of {rounds}: {name}, {} s and {seconds} s", WARM_UP.as_secs());
            let Some(round) = round::run(series.contender, &plan, &cameras, &interrupted)? else {
                eprintln!("lab: interrupted; no figures");
                return Ok(false);
            };
            eprintln!(
                "lab:   CPU {:.2} %, peak RSS {:.1} MB, {:.1} write calls/s, {} of {} frames, worst frame {} ms late",
                round.cpu_percent,
                round.peak_rss_bytes as f64 / 1e6,
                round.write_calls_per_second,
                round.frames_recorded,
                round.frames_sent,
                round.worst_lateness_ms
            );
            round.void.iter().for_each(|reason| eprintln!("lab:   void: {reason}"));
            series.rounds.push(round);
        }
    }
    let load = Load { cameras: cameras.len(), video: ClipSpec::bench() };
    let report = Report::new(load, seconds, series.into());
    println!("\n{}", report.table());
    let text = serde_json::to_string_pretty(&report).map_err(|error| LabError::Io {
        doing: "turning the report into JSON".to_owned(),
        source: error.into(),
    })?;
    std::fs::write(&json, text + "\n").map_err(io(format!("writing {}", json.display())))?;
    println!("as JSON: {}", json.display());
    Ok(report.passed())
}
