//! The largest file that a filesystem takes, and directories that cleaning took.

use super::*;

fn lab_with(root: &Path, max_file: u64) -> Lab {
    let limits = Limits { segment: Duration::from_secs(3600), fragment: Duration::from_secs(1) };
    Lab::open_with(Job { max_file: Some(max_file), limits, ..job(root) })
}

/// Hears everything until the camera is drained: spans stored, spans lost with their frames.
fn drain(lab: &mut Lab) -> (Vec<Span>, Vec<(Span, u32)>) {
    lab.writer.drain();
    let (mut stored, mut lost) = (Vec::new(), Vec::new());
    loop {
        match lab.heard.recv_timeout(DEADLINE).expect("it drains before the deadline") {
            Report::Drained => return (stored, lost),
            Report::Event(Event::Volume(_, VolumeEvent::Stored { span, .. })) => stored.push(span),
            Report::Event(Event::Camera(YARD, CameraEvent::Dropped { span, units, .. })) => {
                lost.push((span, units))
            }
            other => panic!("unexpected {other:?}"),
        }
    }
}

fn wall(second: i64) -> Wall {
    Wall::from_secs(WALL + second)
}

#[test]
fn a_segment_that_fills_half_of_the_largest_file_ends_at_the_next_keyframe() {
    let root = tempfile::tempdir().unwrap();
    let mut lab = lab_with(root.path(), 16 << 10);
    let (ring, feed) = ring();
    lab.writer.take(YARD, &ring);
    film(&feed, 0, 60, &avc(320));
    let (stored, lost) = drain(&mut lab);
    assert_tiled(&stored, 0, 60);
    assert_eq!(lost, []);
    let files = files(root.path());
    assert!(files.len() > 1);
    for (bytes, facts) in &files[..files.len() - 1] {
        // A keyframe comes every second, so that a file is little over half of what it may be.
        assert!((8 << 10..12 << 10).contains(&bytes.len()), "{} bytes", bytes.len());
        assert_eq!(facts.frames % 25, 0, "cut at a keyframe");
    }
}

#[test]
fn without_a_keyframe_the_file_is_filled_and_what_does_not_fit_is_told_as_lost_until_the_next_one() {
    let root = tempfile::tempdir().unwrap();
    let most = 16 << 10;
    let mut lab = lab_with(root.path(), most);
    let (ring, feed) = ring();
    lab.writer.take(YARD, &ring);
    // One keyframe, then none for a minute and a half.
    let config = avc(320);
    (0..90 * 25).for_each(|frame| feed.push(unit(TrackKind::Video, frame * FRAME, frame == 0, &config)));
    until("what cannot be stored does not stay in the ring", || {
        ring.fill() < 1 || ring.bytes() < 90 * 25 * 8
    });
    film(&feed, 90, 100, &config);
    let (stored, lost) = drain(&mut lab);
    let [(gap, frames)] = lost.as_slice() else { panic!("one span is lost: {lost:?}") };
    assert_eq!(gap.to, wall(90), "until the keyframe");
    let full = files(root.path()).remove(0);
    let fragment = full.0.len() as u64 / (u64::from(full.1.frames) / 25);
    assert!((most - 2 * fragment..=most).contains(&(full.0.len() as u64)), "as full as it can be");
    assert_eq!(full.1.frames + frames, 90 * 25, "each frame is stored or told as lost");
    assert_eq!(segments(root.path())[1..], [(250, 1)]);
    let (before, after): (Vec<Span>, Vec<Span>) = stored.iter().partition(|span| span.to <= gap.from);
    assert_tiled(&before, 0, gap.from.micros_since(wall(0)) / 1_000_000);
    assert_tiled(&after, 90, 100);
}

#[test]
fn a_file_too_small_for_one_fragment_is_not_made_and_all_is_told_as_lost() {
    let root = tempfile::tempdir().unwrap();
    let mut lab = lab_with(root.path(), 100);
    let (ring, feed) = ring();
    lab.writer.take(YARD, &ring);
    film(&feed, 0, 5, &avc(320));
    let (stored, lost) = drain(&mut lab);
    assert_eq!(stored, []);
    assert_eq!(lost.iter().map(|(_, frames)| frames).sum::<u32>(), 125);
    assert_eq!(lost.first().map(|(span, _)| span.from), Some(wall(0)));
    assert_eq!(lost.last().map(|(span, _)| span.to), Some(wall(5)));
    assert!(!root.path().join("holdfast/yard").exists());
    assert_eq!(endings(root.path()), []);
}

#[test]
fn a_directory_that_cleaning_took_is_made_again() {
    let root = tempfile::tempdir().unwrap();
    let mut lab = Lab::open(root.path());
    let (ring, feed) = ring();
    lab.writer.take(YARD, &ring);
    film(&feed, 0, 2, &avc(320));
    feed.end();
    lab.durable(2);
    for gone in ["holdfast/yard/2026-11-22", "holdfast/yard"] {
        let gone = root.path().join(gone);
        until("the directory is there", || gone.exists());
        fs::remove_dir_all(&gone).unwrap();
        let feed = ring.connect(Stream::Main);
        let from = if gone.ends_with("yard") { 20 } else { 10 };
        film(&feed, from, from + 2, &avc(320));
        feed.end();
        lab.durable(from as i64 + 2);
    }
    lab.close();
    assert_eq!(segments(root.path()), [(50, 1)]);
}
