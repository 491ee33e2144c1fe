//! Stamps that leap, fall, stand, wrap and drift: time stays true to half a second, and only what is wrong is counted.

use super::*;

/// What time in files is to be true to.
const TRUE: i64 = SECOND / 2;

/// A camera that films from its connection on.
#[derive(Clone, Copy)]
struct Film {
    fps: i64,
    /// B-frames between two others.
    between: i64,
    seconds: i64,
}

const FILM: Film = Film { fps: 25, between: 0, seconds: 60 };

/// One frame, in decode order: when it was filmed, and when it arrived.
#[derive(Clone, Copy)]
struct Frame {
    filmed: i64,
    arrival: i64,
}

impl Film {
    /// Frames in decode order, each arriving a millisecond after it could be encoded.
    fn frames(self) -> Vec<Frame> {
        let mut frames = Vec::new();
        let mut shown = 0;
        let frame = |shown: i64, encoded: i64| Frame {
            filmed: shown * SECOND / self.fps,
            arrival: encoded * SECOND / self.fps + 1_000_000,
        };
        frames.push(frame(0, 0));
        while shown < self.fps * self.seconds {
            let anchor = shown + self.between + 1;
            frames.push(frame(anchor, anchor));
            // While the next ones are filmed, those before the anchor are sent.
            frames.extend((1..=self.between).map(|b| frame(shown + b, anchor + b)));
            shown = anchor;
        }
        frames
    }
}

/// What became of a film: error of each frame, step from each to the next in decode order, and the tally.
struct Seen {
    errors: Vec<i64>,
    steps: Vec<i64>,
    tally: Tally,
}

impl Seen {
    fn worst(&self) -> i64 {
        self.errors.iter().map(|error| error.abs()).max().unwrap()
    }
    fn counts(&self) -> (u64, u64, bool) {
        (self.tally.jumps, self.tally.backwards, self.tally.frozen)
    }
    fn least_step(&self) -> i64 {
        *self.steps.iter().min().unwrap()
    }
}

/// `raw` of the time of filming, and `late` of the time of arrival, in nanoseconds.
fn see(frames: &[Frame], raw: impl Fn(i64) -> i64, late: impl Fn(i64) -> i64) -> Seen {
    let mut timeline = Timeline::default();
    let mut errors = Vec::new();
    let mut shown = Vec::new();
    let mut arrived = 0;
    for frame in frames {
        arrived = (frame.arrival + late(frame.arrival)).max(arrived);
        let time = timeline.video(raw_at(raw(frame.filmed)), at(arrived));
        errors.push(difference(time, at(frame.filmed)));
        shown.push(time);
    }
    let steps = shown.windows(2).map(|pair| difference(pair[1], pair[0])).collect();
    Seen { errors, steps, tally: timeline.tally() }
}

const AT: i64 = 20 * SECOND + 1;

/// Stamps that are off by `by` from a moment on.
fn stepped(by: i64) -> impl Fn(i64) -> i64 {
    move |filmed| if filmed >= AT { filmed + by } else { filmed }
}

#[test]
fn stamps_that_step_are_put_right_at_once_and_counted_once() {
    let hour = 3600 * SECOND;
    let films = [
        ("25 fps", FILM),
        ("5 fps", Film { fps: 5, seconds: 120, ..FILM }),
        ("25 fps with B-frames", Film { between: 3, ..FILM }),
        ("4 fps with B-frames", Film { fps: 4, between: 2, seconds: 120 }),
    ];
    let steps = [
        ("an hour ahead", hour, (1, 0, false)),
        ("two seconds ahead", 2 * SECOND, (1, 0, false)),
        ("nine tenths of a second ahead", SECOND * 9 / 10, (1, 0, false)),
        ("two seconds back", -2 * SECOND, (0, 1, false)),
        ("five seconds back", -5 * SECOND, (0, 1, false)),
        ("all that there was back", -AT, (0, 1, false)),
    ];
    for (film, frames) in films.map(|(name, film)| (name, film.frames())) {
        for (step, by, counts) in steps {
            let seen = see(&frames, stepped(by), |_| 0);
            // Where frames of the clock before and of the one after are mixed, one may take the other's time.
            let wrong = seen.errors.iter().filter(|error| error.abs() >= TRUE).count();
            assert!(
                wrong <= usize::from(film.contains("B-frames")),
                "{film}, {step}: {wrong} frames are off"
            );
            assert_eq!(seen.counts(), counts, "{film}, {step}");
            let last = seen.errors.last().unwrap();
            assert!(last.abs() < 100_000_000, "{film}, {step}: {last} ns off in the end");
        }
    }
}

#[test]
fn small_falls_of_a_stream_without_b_frames_are_put_right_as_well() {
    for by in [-500, -700, -1000, -1400].map(|millis| millis * 1_000_000) {
        for fps in [10, 25, 60] {
            let seen = see(&Film { fps, ..FILM }.frames(), stepped(by), |_| 0);
            assert!(seen.worst() < 150_000_000, "{by} at {fps} fps: {} off", seen.worst());
            assert!(seen.least_step() > 0, "{by} at {fps} fps: {:?}", seen.least_step());
            assert_eq!(seen.counts(), (0, 1, false), "{by} at {fps} fps");
        }
    }
    // Before the stream's order is known, it takes as long as the fall is deep.
    let early = |filmed: i64| if filmed >= SECOND { filmed - SECOND } else { filmed };
    let seen = see(&FILM.frames(), early, |_| 0);
    let wrong = seen.errors.iter().filter(|error| error.abs() > TRUE).count();
    assert!(wrong <= 26, "{wrong} frames");
    assert_eq!(seen.counts(), (0, 1, false));
}

#[test]
fn a_network_that_stalls_changes_nothing() {
    // (name, period, length of the stall at its beginning), in milliseconds.
    let stalls = [
        ("once for three seconds", 40_000, 3_000),
        ("eight seconds in ten", 10_000, 8_000),
        ("half a second, again and again", 600, 500),
        ("a second and a half, again and again", 1_600, 1_500),
    ];
    let films = [
        ("25 fps", FILM),
        ("25 fps with B-frames", Film { between: 3, ..FILM }),
        ("4 fps with B-frames", Film { fps: 4, between: 2, ..FILM }),
    ];
    for (film, frames) in films.map(|(name, film)| (name, film.frames())) {
        for (name, period, length) in stalls {
            let late = |arrival: i64| {
                let (period, length) = (period * 1_000_000, length * 1_000_000);
                // Not at the very beginning: where a connection's time lies is known by then.
                if arrival < 5 * SECOND { 0 } else { (length - arrival % period).max(0) }
            };
            let seen = see(&frames, |filmed| filmed, late);
            // What never comes in time within ten seconds is followed by as much.
            assert!(seen.worst() < 50_000_000, "{film}, {name}: {} off", seen.worst());
            assert_eq!(seen.counts(), (0, 0, false), "{film}, {name}");
        }
    }
}

#[test]
fn frames_that_come_in_another_order_than_they_are_shown_have_not_fallen() {
    for (fps, between) in [(25, 7), (10, 3), (5, 3), (4, 3), (3, 2), (2, 2)] {
        let seen = see(&Film { fps, between, seconds: 120 }.frames(), |filmed| filmed, |_| 0);
        assert!(seen.worst() <= 1_000_000, "{between} at {fps} fps: {} off", seen.worst());
        assert_eq!(seen.counts(), (0, 0, false), "{between} at {fps} fps");
    }
}

#[test]
fn b_frames_that_begin_in_the_middle_are_learnt_from_the_first() {
    // A minute without, a minute with them, at a rate where they reach far back.
    let mut frames = Film { fps: 4, between: 0, seconds: 60 }.frames();
    let offset = frames.last().unwrap().filmed + SECOND / 4;
    let later = Film { fps: 4, between: 3, seconds: 60 }.frames();
    frames.extend(
        later.iter().map(|frame| Frame { filmed: frame.filmed + offset, arrival: frame.arrival + offset }),
    );
    let seen = see(&frames, |filmed| filmed, |_| 0);
    assert_eq!(seen.counts(), (0, 0, false));
    assert!(seen.errors.iter().filter(|error| error.abs() > 1_000_000).count() <= 4, "{:?}", seen.errors);
}

#[test]
fn a_glitch_of_one_frame_is_taken_back() {
    for (name, by, counts) in [("ahead", 3600 * SECOND, (1, 0, false)), ("back", -10 * SECOND, (0, 1, false))]
    {
        let glitch = |filmed: i64| if filmed / (SECOND / 25) == 500 { filmed + by } else { filmed };
        let seen = see(&FILM.frames(), glitch, |_| 0);
        assert!(seen.worst() <= 2_000_000, "{name}: {} off", seen.worst());
        assert!(seen.least_step() > 0, "{name}");
        assert_eq!(seen.counts(), counts, "{name}");
    }
}

#[test]
fn stamps_that_stand_are_replaced_by_arrival_until_they_move() {
    let (from, to) = (AT, 40 * SECOND);
    let frozen = move |filmed: i64| (from..to).contains(&filmed);
    let jitter = |arrival: i64| arrival / (SECOND / 25) * 7 % 13 * 3_000_000;
    type Raw = Box<dyn Fn(i64) -> i64>;
    let cases: [(&str, Raw, (u64, u64, bool)); 5] = [
        ("clock runs on", Box::new(move |filmed| if frozen(filmed) { from } else { filmed }), (0, 0, false)),
        (
            "clock stood as well",
            Box::new(move |filmed| if filmed >= to { filmed - (to - from) } else { filmed.min(from) }),
            (0, 0, false),
        ),
        (
            "clock begins anew",
            Box::new(move |filmed| if filmed >= to { filmed - to } else { filmed.min(from) }),
            (0, 1, false),
        ),
        (
            "clock is set ahead",
            Box::new(move |filmed| if filmed >= to { filmed + 60 * SECOND } else { filmed.min(from) }),
            (1, 0, false),
        ),
        ("for good", Box::new(move |filmed| filmed.min(from)), (0, 0, true)),
    ];
    for (name, raw, counts) in cases {
        let seen = see(&FILM.frames(), raw, jitter);
        assert!(seen.worst() < 150_000_000, "{name}: {} off", seen.worst());
        assert!(seen.least_step() >= LEAST_STEP, "{name}: {}", seen.least_step());
        assert_eq!(seen.counts(), counts, "{name}");
    }
}

#[test]
fn while_stamps_stand_this_is_told_and_a_stamp_that_is_doubled_is_not() {
    let mut timeline = Timeline::default();
    let told: Vec<bool> = (0..100)
        .map(|frame| {
            let raw = if (25..75).contains(&frame) { 25 } else { frame };
            timeline.video(raw_at(raw * SECOND / 25), at(frame * SECOND / 25));
            timeline.tally().frozen
        })
        .collect();
    let frozen: Vec<usize> = (0..100).filter(|frame| told[*frame]).collect();
    assert_eq!((frozen[0], *frozen.last().unwrap()), (50, 74));

    // Every frame twice, as two fields.
    let seen = see(&FILM.frames(), |filmed| filmed / (SECOND * 2 / 25) * (SECOND * 2 / 25), |_| 0);
    assert_eq!(seen.counts(), (0, 0, false));
    assert!(seen.least_step() > 0 && seen.worst() < 50_000_000, "{} {}", seen.least_step(), seen.worst());
}

/// Packets of picture and sound, interleaved, whose stamps step at times of their own; the worst errors.
fn both(picture: (i64, i64), sound: (i64, i64)) -> (i64, i64) {
    let mut timeline = Timeline::default();
    let off = |(from, by): (i64, i64), filmed: i64| if filmed >= from { filmed + by } else { filmed };
    let (mut worst_picture, mut worst_sound) = (0, 0);
    for milli in 0..60_000 {
        let now = milli * 1_000_000;
        let arrival = at(now + milli % 5 * 1_000_000);
        if milli % 40 == 0 {
            let shown = timeline.video(raw_at(off(picture, now)), arrival);
            worst_picture = worst_picture.max(difference(shown, at(now)).abs());
        }
        if milli % 21 == 0 {
            let shown = timeline.audio(raw_at(off(sound, now)), arrival, Some(Duration::from_millis(21)));
            worst_sound = worst_sound.max(difference(shown, at(now)).abs());
        }
    }
    (worst_picture, worst_sound)
}

#[test]
fn sound_steps_with_its_own_stamps_whichever_track_is_first() {
    let hour = 3600 * SECOND;
    for by in [hour, 2 * SECOND, -2 * SECOND, -15 * SECOND] {
        for (name, picture, sound) in [
            ("together", (AT, by), (AT, by)),
            ("picture first", (AT, by), (AT + SECOND / 4, by)),
            ("sound first", (AT + SECOND / 4, by), (AT, by)),
            ("picture alone", (AT, by), (AT, 0)),
            ("sound alone", (AT, 0), (AT, by)),
        ] {
            let (picture, sound) = both(picture, sound);
            assert!(picture < 100_000_000 && sound < 100_000_000, "{by}, {name}: {picture} {sound}");
        }
    }
}

#[test]
fn sound_whose_stamps_stand_goes_on_in_its_own_rhythm() {
    let mut timeline = Timeline::default();
    timeline.video(raw_at(0), at(0));
    let packet = 20_000_000;
    let shown: Vec<Mono> = (0..500)
        .map(|number| {
            // Five at once, every tenth of a second.
            let arrival = at((number / 5 + 1) * 5 * packet);
            let raw = if number < 100 { number } else { 100 };
            timeline.audio(raw_at(raw * packet), arrival, Some(Duration::from_millis(20)))
        })
        .collect();
    let steps: Vec<i64> = shown.windows(2).map(|pair| difference(pair[1], pair[0])).collect();
    assert!(steps.iter().all(|step| *step == packet), "{steps:?}");
}

#[test]
fn what_was_wrong_stays_counted_when_time_begins_anew() {
    let mut timeline = Timeline::default();
    for second in 0..40 {
        let raw = if second < 20 { second } else { second + 3600 };
        timeline.video(raw_at(raw * SECOND), at(second * SECOND));
    }
    timeline.begin_anew();
    assert_eq!(timeline.tally(), Tally { jumps: 1, backwards: 0, frozen: false });
    let moment = at(100 * SECOND);
    assert!(!timeline.is_settled(TrackKind::Video, raw_at(3700 * SECOND), moment), "it settles again");
    assert_eq!(timeline.video(raw_at(3700 * SECOND), moment), moment);
}

#[test]
fn a_month_of_a_camera_whose_clock_drifts_stays_true() {
    let fps = 1;
    for ppm in [-200, 200] {
        let mut timeline = Timeline::default();
        let (mut random, mut worst, mut steps) = (ppm as u64, 0, (i64::MAX, 0));
        let mut before = None;
        for frame in 0..30 * 86_400 * fps {
            let truth = frame * SECOND / fps;
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            // Mostly a few milliseconds, and now and then half a second.
            let late = if random >> 56 == 0 { 500_000_000 } else { (random >> 40) as i64 % 8_000_000 };
            let raw = truth + truth / 1_000_000 * ppm;
            let shown = timeline.video(raw_at(raw), at(truth + late));
            worst = worst.max(difference(shown, at(truth)).abs());
            if let Some(before) = before.replace(shown) {
                let step = difference(shown, before);
                steps = (steps.0.min(step), steps.1.max(step));
            }
        }
        assert!(worst < 50_000_000, "{ppm} ppm: {worst} ns off within a month");
        let off = (SECOND / fps - steps.0).max(steps.1 - SECOND / fps);
        // A millisecond in a second, and the longest time without a frame is one and a half.
        assert!(off < 1_500_000, "{ppm} ppm: a frame lasts {off} ns more or less than it should");
        assert_eq!(timeline.tally(), Tally::default());
    }
}

#[test]
fn stamps_that_fall_again_and_again_are_told_as_running_back_however_far() {
    // Further than the clock has run: raw time is before its start in the end.
    let (each, by) = (4 * SECOND, 700 * SECOND);
    let seen = see(&FILM.frames(), |filmed| filmed - filmed / each * by, |_| 0);
    assert!(seen.worst() < 50_000_000, "{} off", seen.worst());
    assert!(seen.least_step() > 0, "{}", seen.least_step());
    assert_eq!(seen.counts(), (0, 15, false));
}
