use super::*;

/// Nanoseconds from `earlier` to `later`; negative if it is the other way round.
fn difference(later: Mono, earlier: Mono) -> i64 {
    nanos(later) - nanos(earlier)
}

mod wrap;
mod wrong;

const SECOND: i64 = 1_000_000_000;
const START: i64 = 1000 * SECOND;

fn at(nanos: i64) -> Mono {
    Mono::from_nanos(u64::try_from(START + nanos).unwrap())
}

fn raw_at(nanos: i64) -> i64 {
    START + nanos
}

/// Feeds 25 fps for `seconds`; gives the worst error against the truth in the last half, and the
/// worst deviation of a frame's duration, in microseconds.
fn run(seconds: i64, raw: impl Fn(i64) -> i64, late: impl Fn(i64) -> i64) -> (i64, i64) {
    let mut timeline = Timeline::default();
    let (mut error, mut jitter, mut before) = (0, 0, None);
    for frame in 0..seconds * 25 {
        let truth = frame * SECOND / 25;
        let shown = difference(timeline.video(raw_at(raw(truth)), at(truth + late(frame))), at(truth));
        if let Some(before) = before.replace(shown) {
            jitter = jitter.max((shown - before).abs());
        }
        if frame > seconds * 25 / 2 {
            error = error.max(shown.abs());
        }
    }
    (error / 1000, jitter / 1000)
}

#[test]
fn a_good_camera_keeps_its_own_exact_rhythm() {
    assert_eq!(run(60, |truth| truth, |frame| frame % 7 * 1_000_000), (0, 0));
}

#[test]
fn a_busy_machine_does_not_move_the_footage() {
    // Every two seconds, half a second of frames comes 300 ms late, as under load.
    let late = |frame: i64| if frame % 50 < 12 { 300_000_000 } else { 1_000_000 };
    assert_eq!(run(60, |truth| truth, late), (0, 0));
}

#[test]
fn a_camera_clock_that_drifts_by_200_ppm_is_followed_without_a_visible_step() {
    for ppm in [-200, 200] {
        let (error, jitter) =
            run(3600, |truth| truth + truth / 1_000_000 * ppm, |frame| frame % 3 * 1_000_000);
        assert!(error < 20_000, "{ppm} ppm: {error} µs off after an hour");
        assert!(jitter <= 49, "{ppm} ppm: a frame's duration is off by {jitter} µs");
    }
}

/// An hour of a camera whose stamps run faster than it films by so many millionths, frames one by one or some at a time: the worst
/// error against the truth after this many seconds, in milliseconds; none of its frames runs back, and nothing is told as a jump.
fn film_at_another_rate(ppm: i64, burst: i64, after: i64) -> i64 {
    let name = format!("{ppm} ppm, {burst} at a time");
    let mut timeline = Timeline::default();
    let (mut before, mut worst) = (None, 0);
    for frame in 0..3600 * 25 {
        let truth = frame * SECOND / 25;
        let arrival = (frame / burst + 1) * burst * SECOND / 25;
        let shown = timeline.video(raw_at(truth + truth / 1000 * ppm / 1000), at(arrival));
        if truth >= after * SECOND {
            worst = worst.max(difference(shown, at(truth)).abs());
        }
        let step = before.replace(shown).map_or(1, |before| difference(shown, before));
        assert!(step > 0, "{name}: runs back by {step} ns at frame {frame}");
    }
    let tally = timeline.tally();
    assert_eq!((tally.jumps, tally.backwards), (0, 0), "{name}: not a jump");
    worst / 1_000_000
}

#[test]
fn a_camera_whose_frame_rate_is_not_quite_the_one_that_it_stamps_by_is_always_true_to_half_a_second() {
    for ppm in [-20_000, -8000, -1000, 1000, 8000, 20_000] {
        let off = film_at_another_rate(ppm, 1, 0);
        assert!(off < 500, "{ppm} ppm: {off} ms off");
    }
}

#[test]
fn a_camera_that_films_at_quite_another_rate_is_timed_by_arrival_once_that_is_sure() {
    // The last films at half the rate that it stamps by. What comes 12 at a time is shown up to 480 ms after it was filmed.
    for ppm in [-150_000, -60_000, -30_000, 30_000, 60_000, 150_000, 1_000_000] {
        for (burst, most) in [(1, 500), (12, 980)] {
            let off = film_at_another_rate(ppm, burst, 60);
            assert!(off < most, "{ppm} ppm, {burst} at a time: {off} ms off");
        }
    }
}

#[test]
fn a_camera_that_films_at_its_own_rate_again_has_its_own_rhythm_again() {
    let mut timeline = Timeline::default();
    let (mut raw, mut arrival, mut steps) = (0, 0, Vec::new());
    let mut before = None;
    for frame in 0..180 * 25 {
        // For a minute each frame takes twice as long as its stamp says.
        raw += SECOND / 25;
        arrival += if frame < 60 * 25 { 2 * SECOND / 25 } else { SECOND / 25 };
        let shown = timeline.video(raw_at(raw), at(arrival + frame % 3 * 3_000_000));
        steps.push(before.replace(shown).map_or(SECOND / 25, |before| difference(shown, before)));
    }
    let last = &steps[steps.len() - 25 * 25..];
    assert!(last.iter().all(|step| *step == SECOND / 25), "{last:?}");
}

#[test]
fn a_connection_whose_first_picture_comes_late_does_not_date_it_back() {
    let mut timeline = Timeline::default();
    for frame in 0..50 {
        let raw = at(frame * SECOND / 25);
        let arrival = at(frame * SECOND / 25 + 9 * SECOND);
        assert_eq!(timeline.video(nanos(raw), arrival), arrival, "frame {frame}");
    }
}

#[test]
fn a_burst_at_the_beginning_is_not_taken_for_a_late_first_picture() {
    // The media path took 500 ms to be built: what came meanwhile arrives at once.
    let mut timeline = Timeline::default();
    for frame in 0..100 {
        let raw = at(frame * SECOND / 25);
        assert_eq!(timeline.video(nanos(raw), raw.max(at(SECOND / 2))), raw, "frame {frame}");
    }
}

#[test]
fn audio_goes_with_the_video() {
    let mut timeline = Timeline::default();
    let raw = at(10 * SECOND);
    let video = timeline.video(nanos(raw), at(5 * SECOND));
    assert_eq!(timeline.audio(nanos(raw), at(5 * SECOND), None), video);
    assert_eq!(video, at(5 * SECOND));
}

#[test]
fn a_server_that_sends_its_last_gop_at_once_is_dated_back_not_scrambled() {
    // Two seconds of frames at once, then one every 40 ms.
    let frames: Vec<(Mono, Mono)> = (0..150)
        .map(|frame| {
            let raw = frame * SECOND / 25;
            (at(raw), at((raw - 2 * SECOND).max(frame * 1_000_000)))
        })
        .collect();
    let mut timeline = Timeline::default();
    let (mut waiting, mut shown) = (Vec::new(), Vec::new());
    for (raw, arrival) in frames {
        waiting.push((raw, arrival));
        if timeline.is_settled(TrackKind::Video, nanos(raw), arrival) {
            shown.extend(waiting.drain(..).map(|(raw, arrival)| timeline.video(nanos(raw), arrival)));
        }
    }
    assert_eq!(shown.len(), 150);
    let steps: Vec<i64> = shown.windows(2).map(|pair| difference(pair[1], pair[0])).collect();
    assert!(steps.iter().all(|step| *step == SECOND / 25), "{steps:?}");
    let late = difference(at(149 * SECOND / 25 - 2 * SECOND), shown[149]);
    assert!(late.abs() < 60_000_000, "the last frame is off by {late} ns");
}

#[test]
fn a_connection_that_begins_as_it_should_keeps_its_time_after_the_wait() {
    let mut timeline = Timeline::default();
    let settled: Vec<bool> = (0..10)
        .map(|frame| at(frame * SECOND / 25))
        .map(|moment| timeline.is_settled(TrackKind::Video, nanos(moment), moment))
        .collect();
    assert_eq!(settled.iter().filter(|settled| !**settled).count(), 8, "300 ms are eight frames");
    assert_eq!(timeline.video(raw_at(0), at(0)), at(0));
}
