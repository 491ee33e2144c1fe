//! A recorder that is killed at any moment loses what it must, and says exactly that.
//!
//! `HOLDFAST_SEED` repeats the moments of an earlier run, which printed it; `HOLDFAST_KILLS` sets how many there are.

use holdfast_tests::camera::{CameraOptions, Sound, VirtualCamera};
use holdfast_tests::clip::{ClipSpec, VideoCodec};
use holdfast_tests::lives::{self, Life};
use holdfast_tests::read;
use holdfast_tests::recorder::Recorder;
use holdfast_tests::scene::{PATIENCE, Scene};
use holdfast_tests::sound::SoundCodec;
use holdfast_tests::{wait_until, wall_micros};
use std::path::Path;
use std::time::{Duration, Instant};

/// Random moments, from a seed (SplitMix64).
struct Moments(u64);

impl Moments {
    fn new(test: &str) -> Self {
        let seed = std::env::var("HOLDFAST_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = seed.unwrap_or_else(|| wall_micros().unsigned_abs());
        println!("{test}: HOLDFAST_SEED={seed}");
        Moments(seed)
    }

    fn millis(&mut self, from: u64, to: u64) -> Duration {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Duration::from_millis(from + (z ^ (z >> 31)) % (to - from))
    }
}

fn small(name: &str, tag: u32, codec: VideoCodec) -> CameraOptions {
    CameraOptions::new(name, tag, ClipSpec::small(codec))
}

/// Lets the recorder live until `length` after `start`, then kills it.
fn live(scene: &Scene, recorder: Recorder, start: i64, length: Duration, ask: bool) -> Life {
    wait_until(length, || wall_micros() - start >= length.as_micros() as i64);
    let said = ask.then(|| scene.coverage().unwrap());
    let end = wall_micros();
    recorder.kill();
    Life { start, end, said }
}

/// One more life, that ends well once everything is recorded again.
fn last_life(scene: &Scene) -> Life {
    let (start, before) = (wall_micros(), scene.coverage().unwrap());
    let recorder = scene.start().unwrap();
    assert!(scene.records_on(&before, 1.5), "it does not record any more:\n{}", scene.log());
    let end = wall_micros();
    assert!(recorder.stop(PATIENCE).unwrap().success());
    Life { start, end, said: None }
}

/// Judges every camera; prints what the kills cost.
fn judge(scene: &Scene, lives: &[Life]) {
    assert_eq!(scene.unplayable().unwrap(), [""; 0]);
    let last = scene.coverage().unwrap();
    assert_eq!((last.code, last.problems.len()), (Some(0), 0), "{:?}", last.problems);
    let mut findings = Vec::new();
    let mut losses = Vec::new();
    for camera in &scene.cameras {
        let frames = scene.frames(camera).unwrap();
        let judgement = lives::judge(camera, &frames, lives, &last, "crashed", &["crashed", "starting"]);
        findings.extend(judgement.findings);
        losses.extend(judgement.losses);
    }
    losses.sort_by(|a, b| a.0.total_cmp(&b.0));
    let at = |share: usize| losses.get((losses.len() - 1) * share / 100).map_or(0.0, |loss| loss.0);
    println!(
        "{} lives of {} cameras: {} ends, lost median {:.2} s, 90 % {:.2} s, most {:.2} s; {} were too short to record",
        lives.len(),
        scene.cameras.len(),
        losses.len(),
        at(50),
        at(90),
        at(100),
        losses.iter().filter(|(_, recorded)| !recorded).count()
    );
    assert_eq!(findings, [""; 0]);
}

#[test]
fn killed_at_fifty_random_moments_every_file_plays_and_the_ledger_says_what_is_missing() {
    let kills: usize = std::env::var("HOLDFAST_KILLS").map_or(50, |kills| kills.parse().unwrap());
    let scene = Scene::new(
        vec![
            small("entrance", 1, VideoCodec::H264).sound(Sound::Sends(SoundCodec::Aac)),
            small("yard", 2, VideoCodec::H265),
            CameraOptions::new("gate", 3, ClipSpec::small(VideoCodec::H264).with_b_frames(2)),
        ],
        &[("segment", "10s")],
    )
    .unwrap();
    let mut moments = Moments::new("random moments");
    let mut lives = Vec::new();
    for kill in 0..kills {
        // Every twelfth life ends about where its first segment does.
        let length =
            if kill % 12 == 6 { moments.millis(10_000, 12_500) } else { moments.millis(1_500, 4_500) };
        let (start, said) = (wall_micros(), scene.log().len());
        let recorder = scene.start().unwrap();
        let life = live(&scene, recorder, start, length, kill % 3 == 2);
        let log = scene.log()[said..].to_owned();
        let recorded = lives.last().is_some_and(|before: &Life| before.end - before.start > 4_000_000);
        assert!(!recorded || log.contains("did not end in good order"), "kill {kill}: no word of it:\n{log}");
        lives.push(life);
    }
    lives.push(last_life(&scene));
    judge(&scene, &lives);
}

#[test]
fn killed_while_a_file_is_made_and_while_it_repairs_it_goes_on_as_if_nothing_were() {
    let scene = Scene::new(
        vec![small("entrance", 1, VideoCodec::H264), small("yard", 2, VideoCodec::H265)],
        &[("segment", "10s")],
    )
    .unwrap();
    let mut moments = Moments::new("first seconds and repairs");
    let mut lives = Vec::new();
    let count = || -> usize {
        let of = |camera: &VirtualCamera| {
            read::segments(&scene.volume(), camera.name()).map_or(0, |all| all.len())
        };
        scene.cameras.iter().map(of).sum()
    };
    for _ in 0..6 {
        // Killed as soon as the first file of this life is there, and a little later.
        let (start, before) = (wall_micros(), count());
        let recorder = scene.start().unwrap();
        let deadline = Instant::now() + PATIENCE;
        while count() == before && Instant::now() < deadline {
            std::thread::yield_now();
        }
        lives.push(live(&scene, recorder, start, moments.millis(0, 30), false));
        // What a power cut leaves behind, so that there is something to repair; then killed at it, again and again.
        for camera in &scene.cameras {
            if let Some(newest) = read::segments(&scene.volume(), camera.name()).unwrap().last() {
                append(newest, &[0; 300_000]);
            }
        }
        for _ in 0..3 {
            let start = wall_micros();
            let recorder = scene.start().unwrap();
            lives.push(live(&scene, recorder, start, moments.millis(5, 100), false));
        }
    }
    lives.push(last_life(&scene));
    judge(&scene, &lives);
}

fn append(path: &Path, bytes: &[u8]) {
    use std::io::Write as _;
    std::fs::OpenOptions::new().append(true).open(path).unwrap().write_all(bytes).unwrap();
}
