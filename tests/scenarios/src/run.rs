//! A story, told to the core from its first line to its last: the golden text, or what went otherwise.

use crate::judge::judge;
use crate::script::{Act, Step, Story};
use crate::time::{length, moment};
use crate::world::{Account, World};
use core::fmt::Write;

/// Missing time that is not told yet may be so much at the end of a story: a stall is seen after 10 s.
const UNTOLD: i64 = 12_000_000;

/// Jitter of arrival.
const JITTER: i64 = 100_000;

/// What a story came to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What was done, when and why, and the coverage at the end.
    pub golden: String,
    /// What went otherwise than expected: line, and what is so instead.
    pub failures: Vec<(usize, String)>,
}

/// Tells a story.
pub fn run(story: &Story) -> Outcome {
    let mut world = World::new(story.cast.clone());
    let mut failures = Vec::new();
    for step in &story.steps {
        if let Err(what) = take(&mut world, step) {
            failures.push((step.line, format!("{}\n    {what}", step.text)));
        }
        failures
            .extend(world.broken.drain(..).map(|what| (step.line, format!("a promise is broken {what}"))));
    }
    let mut golden = world.report.text(&story.title);
    let last = story.steps.last().map_or(1, |step| step.line);
    let _ = writeln!(golden, "\ncoverage after {}", moment(world.elapsed()));
    for (camera, (name, _)) in story.cast.cameras.iter().enumerate() {
        let account = world.account(camera);
        let _ = writeln!(golden, "  {name}: {}", coverage(&account));
        failures.extend(check(&world, &account).map(|what| (last, format!("{name}: {what}"))));
    }
    Outcome { golden, failures }
}

fn take(world: &mut World, step: &Step) -> Result<(), String> {
    let Act::Expect(expected, within) = &step.act else {
        // The moments of what follows say how time passes.
        if !matches!(step.act, Act::After(_) | Act::At(_)) {
            let now = world.now();
            world.report.step(now, &step.text);
        }
        return world.act(&step.act);
    };
    let deadline = world.now() + within.unwrap_or_default();
    loop {
        let Err(instead) = judge(world, expected) else {
            let now = world.now();
            world.report.step(now, &step.text);
            return Ok(());
        };
        match world.next().filter(|next| *next <= deadline) {
            Some(next) => world.step_to(next),
            None => {
                world.until(deadline);
                return judge(world, expected)
                    .map_err(|_| format!("at {}: {instead}", moment(world.elapsed())));
            }
        }
    }
}

/// Adds up to the whole, or says so.
fn coverage(account: &Account) -> String {
    let whole = account.whole.micros();
    if whole == 0 {
        return "nothing was owed".into();
    }
    #[allow(clippy::cast_precision_loss)] // seconds of a story
    let percent = |part: i64| part as f64 * 100.0 / whole as f64;
    let mut text = format!(
        "{:.2} % of {} durable ({})",
        percent(account.durable),
        length(whole),
        length(account.durable)
    );
    if account.fallback > 0 {
        let _ = write!(text, ", of it {} of the fallback stream", length(account.fallback));
    }
    let parts = account.missing.iter().map(|(cause, micros)| (*micros, cause.to_string()));
    let others = [
        (account.held, "in memory, not durable yet".into()),
        (account.untold, "missing, not told yet".into()),
        (account.unowed, "missing, while no disk was there to be owed it".into()),
        (account.unexplained, "missing, and nobody says why".into()),
    ];
    for (micros, what) in parts.chain(others).filter(|(micros, _)| *micros > 0) {
        let _ = write!(text, "\n    {:.2} % ({}): {what}", percent(micros), length(micros));
    }
    text
}

/// What must be so of every account.
fn check(world: &World, account: &Account) -> Option<String> {
    let sum = account.durable + account.held + account.lost();
    if sum != account.whole.micros() {
        return Some(format!("it adds up to {} of {}", length(sum), length(account.whole.micros())));
    }
    if !world.has_open_ledger() {
        return None;
    }
    if account.unexplained > JITTER {
        return Some(format!("{} are missing, and no ledger says why", length(account.unexplained)));
    }
    (account.untold > UNTOLD)
        .then(|| format!("{} are missing, and nobody has told it yet", length(account.untold)))
}
