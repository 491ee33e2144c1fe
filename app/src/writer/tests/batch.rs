//! How many calls to the disk footage costs.

use super::*;

/// Calls that a turn makes without footage: is it still the same volume, and is there anything to clean.
const IDLE_TURN: u64 = 2;

/// The most turns that can have been since `begun`.
fn turns_since(begun: Instant) -> u64 {
    u64::try_from(begun.elapsed().as_millis() / TURN.as_millis()).unwrap() + 2
}

/// The most calls that there can have been since `begun` without footage: those of the turns, and each second how much is
/// free, for cleaning; for people it is asked less often.
fn idle_since(begun: Instant) -> u64 {
    IDLE_TURN * turns_since(begun) + 2 * (begun.elapsed().as_secs() + 1)
}

#[test]
fn a_backlog_of_half_a_minute_costs_as_many_calls_as_a_second_and_a_second_costs_two_a_camera() {
    let root = tempfile::tempdir().unwrap();
    let names = ["yard", "gate", "hall", "roof"].map(|name| Name::new(name).unwrap());
    let limits = Limits { segment: Duration::from_secs(60), fragment: Duration::from_secs(1) };
    let mut lab = Lab::open_with(Job { cameras: names.to_vec(), limits, ..job(root.path()) });
    let config = avc(320);
    let cameras: Vec<(Arc<Ring>, Feed)> = names.iter().map(|_| ring()).collect();
    let feed_until = |from: u64, to: u64| cameras.iter().for_each(|(_, feed)| film(feed, from, to, &config));
    let durable = |lab: &mut Lab, second: i64| {
        let until = Wall::from_secs(WALL + second);
        for _ in &cameras {
            lab.wait(|event| matches!(event, VolumeEvent::Stored { span, .. } if span.to == until));
        }
    };

    feed_until(0, 29);
    let (begun, before) = (Instant::now(), lab.writer.pulse.calls());
    for (index, (ring, _)) in (0..).zip(&cameras) {
        lab.writer.take(CameraIndex(index), ring);
    }
    durable(&mut lab, 28);
    let calls = lab.writer.pulse.calls() - before;
    // A new file: is it the same volume, two directories made and durable, the file, one write,
    // one sync, its entry, a record; and the ledger's own sync in each turn.
    // Beside it cleaning asks for the space now and then. Fragment by fragment the backlog would cost 224 calls alone.
    let most = 4 * 16 + turns_since(begun) + idle_since(begun) + 20;
    assert!(calls <= most, "{calls} calls for the backlog of four cameras, not {most}");
    assert!(cameras.iter().all(|(ring, _)| ring.fill() <= 100 / 4), "the rings are rid of it");

    let (begun, before) = (Instant::now(), lab.writer.pulse.calls());
    for second in 29..35 {
        feed_until(second as u64, second as u64 + 1);
        durable(&mut lab, second);
    }
    let calls = lab.writer.pulse.calls() - before;
    // One write, one sync; and cleaning asks for the space now and then.
    let most = 6 * 4 * 2 + idle_since(begun) + 20;
    assert!(calls <= most, "{calls} calls for six seconds of four cameras, not {most}");
    lab.close();
}

#[test]
fn a_backlog_larger_than_a_turn_takes_is_stored_in_parts_without_a_seam() {
    let root = tempfile::tempdir().unwrap();
    let mut lab = Lab::open(root.path());
    let (ring, feed) = ring();
    film(&feed, 0, 200, &avc(320));
    lab.writer.take(YARD, &ring);
    lab.durable(199);
    assert_tiled(&lab.close(), 0, 200);
    assert_eq!(segments(root.path()), [(250, 1); 20]);
}

#[test]
fn segments_of_one_backlog_say_of_the_time_before_them_only_what_is_missing() {
    let root = tempfile::tempdir().unwrap();
    let mut lab = Lab::open(root.path());
    let cause = holdfast_core::event::Cause::Starting;
    let from = Wall::from_secs(WALL - 5);
    lab.writer.account(Entry::GapOpened { camera: YARD, from, cause });
    // Refuted by the footage that goes on beyond it.
    let stalled = holdfast_core::event::Cause::Lost;
    lab.writer.account(Entry::GapOpened { camera: YARD, from: Wall::from_secs(WALL + 5), cause: stalled });
    let (ring, feed) = ring();
    film(&feed, 0, 25, &avc(320));
    lab.writer.take(YARD, &ring);
    lab.durable(24);
    lab.close();
    let before: Vec<Vec<Missing>> =
        files(root.path()).into_iter().map(|(_, facts)| facts.header.before.to_vec()).collect();
    assert_eq!(before, [vec![Missing { from, cause }], vec![], vec![]]);
}

#[test]
fn a_writer_tells_its_figures_at_any_moment() {
    let root = tempfile::tempdir().unwrap();
    let lab = Lab::open(root.path());
    until("the space is known", || lab.writer.figures().free.is_some());
    let figures = lab.writer.figures();
    assert!(figures.total >= figures.free, "{figures:?}");
    until("all footage is counted", || lab.writer.figures().footage == Some(0));
    until("a call has ended since", || !lab.writer.figures().slowest.is_zero());
    assert_eq!(Figure::default().get(), None);
    lab.close();
}
