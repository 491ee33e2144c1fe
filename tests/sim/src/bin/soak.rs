//! Runs new worlds, whole months of them, or some again; see [`HELP`]. Ends with 1 where something was broken, or a world took
//! too long.

use core::time::Duration;
use holdfast_sim::{Plan, Report, run, seeds};
use rustix::time::{ClockId, clock_gettime};
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// What is allowed.
const HELP: &str = "\
New worlds of the simulation, a month each, one after the other on one core. Tells what each of them took.

soak [OPTION VALUE]...

  --seconds N       new worlds for so long (60); the last one is finished
  --seed N          this world again; with --worlds, it and those after it
  --worlds N        so many worlds, however long that takes
  --most-seconds N  a world that takes more CPU time than this fails
  --hours N         hours of troubles in each (720)
  --cameras N       cameras in each (32)
  --words N         so many of the last words before something broke are shown (60)
  --seeds FILE      worlds that break are added to this file, unless --seed names them

Ends with 0 if all held in time, 1 if not, 2 if it was asked for something else.
CPU time is that of the one thread that a world runs in. On a core that others use too it is longer, since they share its cache.
";

/// So many of the last words are shown, unless another number is asked for.
const SHOWN: usize = 60;

#[derive(Debug)]
struct Wishes {
    seconds: u64,
    hours: u64,
    cameras: usize,
    seed: Option<u64>,
    worlds: Option<u64>,
    most_seconds: Option<u64>,
    words: usize,
    keep: Option<String>,
}

impl Wishes {
    /// Whether that was all, after so many worlds in so much time.
    fn are_met(&self, worlds: u64, passed: Duration) -> bool {
        match (self.worlds, self.seed) {
            (Some(most), _) => worlds >= most,
            (None, Some(_)) => true,
            (None, None) => passed >= Duration::from_secs(self.seconds),
        }
    }
}

fn main() -> ExitCode {
    let wishes = match wishes(std::env::args().skip(1)) {
        Ok(Some(wishes)) => wishes,
        Ok(None) => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(wrong) => {
            eprintln!("error: {wrong}");
            return ExitCode::from(2);
        }
    };
    // What a world broke is told below, with the words before it.
    std::panic::set_hook(Box::new(|_| {}));
    let begun = Instant::now();
    let first = wishes.seed.unwrap_or_else(from_the_clock);
    let (mut worlds, mut broken, mut late) = (0u64, 0u64, 0u64);
    let (mut all, mut slowest) = (Duration::ZERO, Duration::ZERO);
    loop {
        let seed = first.wrapping_add(worlds);
        let plan = Plan { seed, span: Duration::from_secs(wishes.hours * 3600), cameras: wishes.cameras };
        let started = cpu_time();
        let report = run(plan, None);
        let took = cpu_time().saturating_sub(started);
        worlds += 1;
        all += took;
        slowest = slowest.max(took);
        if report.broken.is_some() {
            broken += 1;
            tell(&report, &wishes);
        }
        progress("");
        let outcome = if report.broken.is_some() { "BROKEN" } else { "held" };
        println!(
            "seed {seed}: {outcome}, {:.1} s of CPU: {} events, {} troubles, {} gaps, {} alarms",
            took.as_secs_f64(),
            report.tally.events,
            report.tally.troubles,
            report.tally.gaps,
            report.tally.alarms
        );
        if let Some(most) = wishes.most_seconds.filter(|most| took > Duration::from_secs(*most)) {
            late += 1;
            println!("TOO SLOW: seed {seed} took more than {most} s of CPU");
        }
        progress(&format!("{worlds} worlds, {broken} broken, {late} too slow; {:.0?}", begun.elapsed()));
        if wishes.are_met(worlds, begun.elapsed()) {
            break;
        }
    }
    progress("");
    let limit = wishes.most_seconds.map_or(String::new(), |most| format!(", {late} over {most} s"));
    println!(
        "soak: {worlds} worlds of {} h with {} cameras from seed {first} on, {broken} broken{limit}; {:.1} s of CPU each, the slowest {:.1} s",
        wishes.hours,
        wishes.cameras,
        all.as_secs_f64() / worlds as f64,
        slowest.as_secs_f64()
    );
    if broken + late == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What this thread has computed until now.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let (secs, nanos) = (u64::try_from(time.tv_sec), u64::try_from(time.tv_nsec));
    Duration::from_secs(secs.unwrap_or(0)) + Duration::from_nanos(nanos.unwrap_or(0))
}

/// `None`: what is allowed is asked for.
fn wishes(mut arguments: impl Iterator<Item = String>) -> Result<Option<Wishes>, String> {
    let mut wishes = Wishes {
        seconds: 60,
        hours: 720,
        cameras: 32,
        seed: None,
        worlds: None,
        most_seconds: None,
        words: SHOWN,
        keep: None,
    };
    while let Some(name) = arguments.next() {
        if name == "--help" {
            return Ok(None);
        }
        let value = arguments.next().ok_or(format!("{name} needs a value"))?;
        let number = || value.parse::<u64>().map_err(|_| format!("{name} is '{value}', which is no number"));
        match name.as_str() {
            "--seconds" => wishes.seconds = number()?,
            "--hours" => wishes.hours = number()?.max(1),
            "--cameras" => wishes.cameras = number()?.clamp(1, 32) as usize,
            "--seed" => wishes.seed = Some(number()?),
            "--worlds" => wishes.worlds = Some(number()?.max(1)),
            "--most-seconds" => wishes.most_seconds = Some(number()?),
            "--words" => wishes.words = number()? as usize,
            "--seeds" => wishes.keep = Some(value),
            _ => return Err(format!("soak knows no '{name}'; soak --help tells what is allowed")),
        }
    }
    Ok(Some(wishes))
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
