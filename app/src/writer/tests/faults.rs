//! Volumes that fail in the middle of a fragment.

use std::process::Command;

use super::*;

/// A tmpfs, unmounted when it is dropped.
struct Tmpfs(PathBuf);

impl Tmpfs {
    fn mount(at: &Path, size: &str) -> Result<Tmpfs, String> {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]).arg(at);
        let output = mount.output().map_err(|error| error.to_string())?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() { Ok(Tmpfs(at.to_owned())) } else { Err(said) }
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Frames of 3 kB, each numbered all through: 75 kB a second.
fn film_of_numbers(feed: &Feed, from: u64, to: u64) {
    let config = avc(320);
    for frame in from * 25..to * 25 {
        let mut frame_bytes = [0, 0, 11, 0xb4, 0x65].to_vec();
        frame_bytes.resize(3_000, (frame % 251) as u8);
        frame_bytes[5..9].copy_from_slice(&(frame as u32).to_be_bytes());
        let plain = unit(TrackKind::Video, frame * FRAME, frame % 25 == 0, &config);
        feed.push(AccessUnit { data: Data::new(frame_bytes), ..plain });
    }
}

/// The frames of a file, in order; each must be there to its last byte.
fn frames_in(bytes: &[u8]) -> Vec<u32> {
    let mut frames = Vec::new();
    let mut at = 0;
    while let Some(found) =
        bytes.get(at..).and_then(|rest| rest.windows(5).position(|w| w == [0, 0, 11, 0xb4, 0x65]))
    {
        let frame = &bytes[at + found..at + found + 3_000];
        let number = u32::from_be_bytes(frame[5..9].try_into().unwrap());
        assert!(frame[9..].iter().all(|byte| *byte == (number % 251) as u8), "frame {number} is whole");
        frames.push(number);
        at += found + 3_000;
    }
    frames
}

/// What was stored before the volume was full, and what was found after it had room again.
fn full_and_free_again(case: &str, feed_in: &[(u64, u64)]) {
    let place = tempfile::tempdir().unwrap();
    let _tmpfs = match Tmpfs::mount(place.path(), "2m") {
        Ok(tmpfs) => tmpfs,
        // Only where nobody could mount: a test that says nothing there would look like one that passed.
        Err(said) if std::env::var_os("HOLDFAST_NO_MOUNT").is_some() => {
            eprintln!("NOT TESTED: {case}, since HOLDFAST_NO_MOUNT is set and mount says: {said}");
            return;
        }
        Err(said) => panic!(
            "{case} cannot be tested: mounting a tmpfs failed: {said}\n\
             Run as root, or set HOLDFAST_NO_MOUNT=1 to leave this test out on purpose."
        ),
    };
    let root = place.path();
    fs::write(root.join("filler"), [1; 1_500_000]).unwrap();
    let ring = Ring::new(RingLimits { bytes: 4 << 20, time: Duration::from_secs(3600) });
    let feed = ring.connect(Stream::Main);
    let mut lab = Lab::open(root);
    lab.writer.take(YARD, &ring);
    for (from, to) in feed_in {
        film_of_numbers(&feed, *from, *to);
    }
    let faulted = lab.wait(|event| matches!(event, VolumeEvent::Faulted(_)));
    assert_eq!(faulted, VolumeEvent::Faulted(Fault::NoSpace), "{case}");
    let told: u64 = lab.stored.iter().map(|span| span.micros() as u64 * 75_000 / 1_000_000).sum();
    assert!(told >= 4 * 75_000, "{case}: what was written whole is told: {told} bytes");
    let day = root.join("holdfast/yard/2026-11-22");
    let on_disk: u64 =
        fs::read_dir(&day).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
    assert!(on_disk > told + 9_000, "{case}: part of a fragment is there: {on_disk} bytes, {told} told");

    fs::remove_file(root.join("filler")).unwrap();
    let mut again = Lab::start(job(root));
    let repaired = again.wait(|event| matches!(event, VolumeEvent::Repaired { .. }));
    assert!(matches!(repaired, VolumeEvent::Repaired { segments: 1, .. }), "{case}: {repaired:?}");
    again.wait(|event| matches!(event, VolumeEvent::Ready));
    again.writer.take(YARD, &ring);
    again.durable(9);
    let mut stored = again.close();
    stored.extend(&lab.stored);

    // `files` asks that none is torn.
    let files = files(root);
    let mut frames: Vec<u32> = Vec::new();
    for (bytes, facts) in &files {
        let here = frames_in(bytes);
        assert_eq!(here.len(), facts.frames as usize, "{case}");
        assert!(
            here.windows(2).all(|pair| pair[0] + 1 == pair[1]),
            "{case}: no frame is missing inside a file"
        );
        frames.extend(here);
    }
    frames.sort_unstable();
    frames.dedup();
    assert_eq!(frames, (0..250).collect::<Vec<u32>>(), "{case}: every frame is there");
    let held = |span: &Span| {
        let within = |stretch: &Span| stretch.from <= span.from && span.to <= stretch.to;
        files.iter().any(|(_, facts)| facts.stretches.iter().any(within))
    };
    assert!(stored.iter().all(held), "{case}: what was told is there: {stored:?}");
}

#[test]
fn a_volume_that_is_full_within_a_fragment_keeps_what_was_told_and_goes_on_whole_once_there_is_room() {
    let seconds: Vec<(u64, u64)> = (0..10).map(|second| (second, second + 1)).collect();
    full_and_free_again("full while it keeps up", &seconds);
    full_and_free_again("full in the middle of a backlog", &[(0, 10)]);
}
