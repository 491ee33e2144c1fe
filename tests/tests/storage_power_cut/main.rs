//! The power goes at any moment while 4 cameras record to an ext4 and retention deletes. What is left is repaired and mounted
//! as a system does at its start, and read: files play, what had been reported durable is there or was deleted by a rule,
//! what is protected is there, and no more than a fragment is lost.
//!
//! `HOLDFAST_SEED` repeats the choices of an earlier run, which printed it; `HOLDFAST_CUTS` sets how many images there are.

mod judge;
mod recording;

use holdfast_tests::blocklog::Policy;
use holdfast_tests::dice::Dice;
use holdfast_tests::report::Report;
use holdfast_tests::{LabError, may_mount, wall_micros};
use judge::{Files, Tally};
use recording::Recording;
use std::time::Instant;

/// Images that are made and judged at once: each has its own devices, and half of the time goes to programs.
const AT_ONCE: u64 = 2;

fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// Judges the images of these numbers, of `cuts` that are spread over the recording.
fn judge_images(
    recording: &Recording,
    numbers: std::ops::Range<u64>,
    cuts: u64,
    seed: u64,
) -> Result<Tally, LabError> {
    let mut images = recording.log.images()?;
    let (mut files, mut tally) = (Files::default(), Tally::default());
    for number in numbers {
        // Which entry of its neighbourhood, the seed says.
        let mut dice = Dice(seed.wrapping_add(number));
        let (first, width) = (recording.moments.start, recording.moments.len() as u64);
        let place = (width * number + dice.below(width)) / cuts;
        let cut = first + place.min(width - 1) as usize;
        let policy = if number % 4 == 0 { Policy::Dropped } else { Policy::Torn };
        let image = images.at(cut, seed.wrapping_add(number), policy)?;
        let mut found = Vec::new();
        let looked = image.check(|root| match Report::ask(recording.scene.binary(), root, &[]) {
            Ok(report) => found = judge::judge(recording, root, cut, &report, &mut files, &mut tally),
            Err(error) => found.push(error.to_string()),
        });
        found.extend(looked.err().map(|error| error.to_string()));
        let named = |wrong| format!("cut {cut}, {policy:?}, image {number}: {wrong}");
        tally.findings.extend(found.into_iter().map(named));
    }
    tally.torn = files.torn;
    Ok(tally)
}

#[test]
fn when_the_power_goes_every_file_plays_and_no_more_than_a_fragment_is_lost() {
    if !may_mount("power cuts") {
        return;
    }
    let seed = number("HOLDFAST_SEED", wall_micros().unsigned_abs());
    let cuts = number("HOLDFAST_CUTS", 200).max(AT_ONCE);
    println!("power cuts: HOLDFAST_SEED={seed} HOLDFAST_CUTS={cuts}");
    let recording = Recording::make().unwrap();
    let began = Instant::now();
    let shares = (0..AT_ONCE).map(|share| cuts * share / AT_ONCE..cuts * (share + 1) / AT_ONCE);
    let tally = std::thread::scope(|scope| {
        let judged: Vec<_> = shares
            .map(|numbers| scope.spawn(|| judge_images(&recording, numbers, cuts, seed).unwrap()))
            .collect();
        judged.into_iter().map(|judge| judge.join().unwrap()).fold(Tally::default(), Tally::and)
    });
    let (each, entries) = (began.elapsed().as_secs_f64() / cuts as f64, recording.log.len());
    println!("{cuts} power cuts among {entries} entries, {each:.2} s each; {}", tally.summary());
    assert!(tally.findings.is_empty(), "{}", tally.findings.join("\n"));
    assert!(recording.reported.len() > 40, "the recorder reported too little: {}", recording.reported.len());
    assert!(tally.with_deletions * 4 > cuts as usize, "retention hardly deleted: {}", tally.summary());
    assert!(tally.with_protection * 2 > cuts as usize, "hardly a cut with a protection: {}", tally.summary());
}
