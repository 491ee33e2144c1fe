//! Worlds in which everything must hold: some fixed ones, a new one each time, and those in which something was broken
//! once (the file `seeds`).
//!
//! `HOLDFAST_SEED=n` runs that one as the new world, `HOLDFAST_HOURS=h` makes it longer. The seed of every world that
//! breaks something is in the message.

use core::time::Duration;
use holdfast_sim::{Plan, Report, Tally, run, run_beside_twin, seeds};
use std::time::{SystemTime, UNIX_EPOCH};

const SHOWN: usize = 60;

fn hours(count: u64) -> Duration {
    Duration::from_secs(count * 3600)
}

fn must_hold(plan: Plan) -> Tally {
    let Report { broken, tally, .. } = run(plan, None);
    if let Some((violation, log)) = broken {
        let shown = log[log.len().saturating_sub(SHOWN)..].join("\n  ");
        panic!(
            "seed {} ({:?}, {} cameras):\n  {shown}\n{violation}\n{tally:?}",
            plan.seed, plan.span, plan.cameras
        );
    }
    tally
}

#[test]
fn what_must_always_hold_holds_in_some_worlds_and_they_are_lively() {
    let (mut attempts, mut gaps, mut causes, mut alarms) = (0, 0, 0, 0);
    let (mut starts, mut fallbacks, mut sheds) = (0, 0, 0);
    for seed in 100..108 {
        let tally = must_hold(Plan { seed, span: hours(3), cameras: 32 });
        attempts += tally.attempts;
        gaps += tally.gaps;
        causes += tally.causes;
        alarms += tally.alarms;
        starts += tally.starts;
        fallbacks += tally.fallbacks;
        sheds += tally.sheds;
    }
    let counts = [attempts, gaps, causes, alarms, starts, fallbacks, sheds];
    let least = [500, 300, 50, 50, 4, 10, 4];
    let lively = counts.iter().zip(least).all(|(count, least)| *count >= least);
    println!("{counts:?}");
    assert!(lively, "worlds in which nothing happens prove nothing: {counts:?}, at least {least:?}");
}

#[test]
fn what_rests_between_events_decides_nothing() {
    for seed in 20..24 {
        let plan = Plan { seed, span: hours(6), cameras: 12 };
        let broken = run_beside_twin(plan, None).broken;
        if let Some((violation, log)) = broken {
            let shown = log[log.len().saturating_sub(SHOWN)..].join("\n  ");
            panic!("seed {seed}:\n  {shown}\n{violation}");
        }
    }
}

#[test]
fn a_new_world_holds() {
    let number = |name: &str| {
        std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
    };
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    let seed = number("HOLDFAST_SEED").unwrap_or(since.as_nanos() as u64);
    let span = hours(number("HOLDFAST_HOURS").unwrap_or(1));
    println!("HOLDFAST_SEED={seed}");
    must_hold(Plan { seed, span, cameras: 32 });
}

#[test]
fn worlds_that_broke_something_once_hold() {
    for plan in seeds::read(include_str!("../seeds")).expect("the file of seeds is in order") {
        must_hold(plan);
    }
}

#[test]
fn the_same_seed_is_the_same_world() {
    let plan = Plan { seed: 7, span: hours(1), cameras: 12 };
    let told = || format!("{:?}", must_hold(plan));
    assert_eq!(told(), told());
}

#[test]
fn a_file_of_seeds_that_cannot_be_read_says_where() {
    let wrong = seeds::read("# words\n1 2 3\n\n4 5 # no cameras\n").expect_err("line 4 is none");
    assert_eq!(wrong.line, 4);
    let plan = Plan { seed: 9, span: hours(2), cameras: 5 };
    let again = seeds::read(&seeds::line(&plan, "why\nso")).expect("its own line");
    assert_eq!((again[0].seed, again[0].span, again[0].cameras), (9, hours(2), 5));
}
