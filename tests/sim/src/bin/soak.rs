//! Runs new worlds, whole months of them, for a given time: `soak --seconds N [--hours 720] [--cameras 32]
//! [--seeds FILE]`; or one again: `soak --seed N [--hours H] [--words W]`. Ends with 1 where something was broken.

use core::time::Duration;
use holdfast_sim::{Plan, Report, run, seeds};
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// So many of the last words are shown, unless another number is asked for.
const SHOWN: usize = 60;

#[derive(Debug)]
struct Wishes {
    seconds: u64,
    hours: u64,
    cameras: usize,
    seed: Option<u64>,
    words: usize,
    keep: Option<String>,
}

fn main() -> ExitCode {
    let wishes = match wishes(std::env::args().skip(1)) {
        Ok(wishes) => wishes,
        Err(wrong) => {
            eprintln!("error: {wrong}");
            return ExitCode::from(2);
        }
    };
    // What a world broke is told below, with the words before it.
    std::panic::set_hook(Box::new(|_| {}));
    let begun = Instant::now();
    let first = wishes.seed.unwrap_or_else(from_the_clock);
    let (mut worlds, mut broken, mut slowest) = (0u64, 0u64, Duration::ZERO);
    loop {
        let seed = first.wrapping_add(worlds);
        let plan = Plan { seed, span: Duration::from_secs(wishes.hours * 3600), cameras: wishes.cameras };
        let started = Instant::now();
        let report = run(plan, None);
        let took = started.elapsed();
        worlds += 1;
        slowest = slowest.max(took);
        if report.broken.is_some() {
            broken += 1;
            tell(&report, &wishes);
        }
        progress(&format!(
            "{worlds} worlds, {broken} broken, {:.0?} of {} s; the last one took {took:.1?}: {} events, {} troubles, {} gaps, {} alarms",
            begun.elapsed(),
            wishes.seconds,
            report.tally.events,
            report.tally.troubles,
            report.tally.gaps,
            report.tally.alarms,
        ));
        if wishes.seed.is_some() || begun.elapsed() >= Duration::from_secs(wishes.seconds) {
            break;
        }
    }
    let each = begun.elapsed().as_secs_f64() / worlds as f64;
    println!(
        "soak: {worlds} worlds of {} h with {} cameras from seed {first} on, {broken} broken; {each:.1} s each, the slowest {slowest:.1?}",
        wishes.hours, wishes.cameras
    );
    if broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn wishes(mut arguments: impl Iterator<Item = String>) -> Result<Wishes, String> {
    let mut wishes = Wishes { seconds: 60, hours: 720, cameras: 32, seed: None, words: SHOWN, keep: None };
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or(format!("{name} needs a value"))?;
        let number = || value.parse::<u64>().map_err(|_| format!("{name} is '{value}', which is no number"));
        match name.as_str() {
            "--seconds" => wishes.seconds = number()?,
            "--hours" => wishes.hours = number()?.max(1),
            "--cameras" => wishes.cameras = number()?.clamp(1, 32) as usize,
            "--seed" => wishes.seed = Some(number()?),
            "--words" => wishes.words = number()? as usize,
            "--seeds" => wishes.keep = Some(value),
            _ => {
                return Err(format!(
                    "soak knows no '{name}'; allowed: --seconds, --hours, --cameras, --seed, --words, --seeds"
                ));
            }
        }
    }
    Ok(wishes)
}

fn from_the_clock() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::from(since.subsec_micros()) * 1000 + since.as_secs() % 1000 * 1_000_000_000
}

/// Says what was broken, and keeps the seed, shortened to what it takes to break it again.
fn tell(report: &Report, wishes: &Wishes) {
    let Some((violation, log)) = &report.broken else { return };
    progress("");
    let hours = (violation.at.0 / 3_600_000_000_000).min(wishes.hours) + 1;
    let short = Plan { span: Duration::from_secs(hours.min(wishes.hours) * 3600), ..report.plan };
    println!("\nseed {}: the last words before it was broken:", report.plan.seed);
    log.iter().skip(log.len().saturating_sub(wishes.words)).for_each(|line| println!("  {line}"));
    println!("BROKEN {violation}");
    println!(
        "again: HOLDFAST_SEED={} HOLDFAST_HOURS={hours} cargo test -p holdfast-sim new_world\n",
        short.seed
    );
    let (Some(file), None) = (&wishes.keep, wishes.seed) else { return };
    let kept = std::fs::OpenOptions::new().append(true).open(file).and_then(|mut file| {
        let why = format!("{:?}: {}", violation.invariant, violation.text);
        writeln!(file, "{}", seeds::line(&short, &why))
    });
    if let Err(error) = kept {
        eprintln!("warning: the seed could not be written into {file}: {error}");
    }
}

/// On a terminal, one line that is written over.
fn progress(text: &str) {
    let mut out = std::io::stderr();
    if out.is_terminal() {
        let _ = write!(out, "\r\x1b[K{text}");
        let _ = out.flush();
    }
}
