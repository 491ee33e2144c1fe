//! Decode times from PTS alone. Times are told in frames of 40 ms; a frame is 3600 ticks.

use crate::mp4::timing::{
    AudioTimeline, Following, MAX_DEPTH, VideoTimeline, VideoTimes, is_hole, rhythm, to_ticks,
};
use proptest::prelude::*;

const FRAME: i64 = 40_000_000;
const TICKS: i64 = 3600;

fn frames(list: &[i64]) -> Vec<i64> {
    list.iter().map(|at| at * FRAME).collect()
}

/// Decode times and PTS of a fragment, in ticks from media time zero.
fn placed(timeline: &VideoTimeline, video: &VideoTimes) -> (Vec<i64>, Vec<i64>) {
    let shift = timeline.shift() as i64;
    let mut at = video.times.start as i64;
    let mut decode = Vec::new();
    let mut shown = Vec::new();
    for (duration, offset) in video.times.durations.iter().zip(&video.times.offsets) {
        decode.push(at - shift);
        shown.push(at + i64::from(*offset) - shift);
        at += i64::from(*duration);
    }
    (decode, shown)
}

#[test]
fn decode_times_follow_from_the_order_of_showing() {
    // name, PTS in decode order, depth, DTS: all in frames
    let cases: &[(&str, &[i64], usize, &[i64])] = &[
        ("no B-frames", &[0, 1, 2, 3, 4], 0, &[0, 1, 2, 3, 4]),
        ("one frame", &[0], 0, &[0]),
        ("two B-frames after their anchor", &[0, 3, 1, 2, 6, 4, 5], 1, &[-1, 0, 1, 2, 3, 4, 5]),
        ("a pyramid of three", &[0, 4, 2, 1, 3, 8, 6, 5, 7], 2, &[-2, -1, 0, 1, 2, 3, 4, 5, 6]),
        ("a pyramid of seven", &[0, 8, 4, 2, 1, 3, 6, 5, 7], 3, &[-3, -2, -1, 0, 1, 2, 3, 4, 5]),
        ("an open GOP: frames shown before the keyframe", &[0, -2, -1, 3, 1, 2], 1, &[-3, -2, -1, 0, 1, 2]),
        ("a frame missing, still evenly decoded", &[0, 1, 3, 4], 0, &[0, 1, 3, 4]),
        ("a slowing rhythm", &[0, 1, 2, 4, 7, 11], 0, &[0, 1, 2, 4, 7, 11]),
    ];
    for (name, pts, depth, expected) in cases {
        let pts = frames(pts);
        let mut timeline = VideoTimeline::new(&pts, 0, None);
        let video = timeline.fragment(&pts, false, Following::Nothing);
        let (decode, shown) = placed(&timeline, &video);
        assert_eq!(timeline.depth(), *depth, "{name}: depth");
        assert_eq!(decode, expected.iter().map(|at| at * TICKS).collect::<Vec<_>>(), "{name}: decode times");
        assert_eq!(shown, pts.iter().map(|at| to_ticks(*at, 90_000)).collect::<Vec<_>>(), "{name}: PTS");
        assert_eq!(video.times.start, 0, "{name}: a file's first decode time is zero");
    }
}

#[test]
fn without_b_frames_nothing_is_shifted_or_offset() {
    let pts = frames(&[0, 1, 2, 3]);
    let mut timeline = VideoTimeline::new(&pts, 0, None);
    let video = timeline.fragment(&pts, false, Following::Frame(4 * FRAME));
    assert_eq!(timeline.shift(), 0);
    assert_eq!(video.times.offsets, [0; 4]);
    assert_eq!(video.times.durations, [3600; 4]);
    assert_eq!((video.from, video.to), (0, 4 * FRAME));
}

#[test]
fn a_border_between_an_anchor_and_its_b_frames_is_seamless() {
    let all = frames(&[0, 3, 1, 2, 6, 4, 5, 9, 7, 8]);
    let mut whole = VideoTimeline::new(&all, 0, None);
    let expected = placed(&whole, &whole.clone().fragment(&all, false, Following::Nothing));
    let _ = whole.fragment(&all, false, Following::Nothing);
    // From three frames on the rhythm is known.
    for border in 3..all.len() {
        let mut timeline = VideoTimeline::new(&all[..border], 1, None);
        let first = timeline.fragment(&all[..border], false, Following::Frame(all[border]));
        let second = timeline.fragment(&all[border..], false, Following::Nothing);
        let lasted: u64 = first.times.durations.iter().map(|ticks| u64::from(*ticks)).sum();
        assert_eq!(second.times.start, first.times.start + lasted, "border {border}: decode times run on");
        assert_eq!(first.to, second.from, "border {border}: spans tile");
        let (mut decode, mut shown) = placed(&timeline, &first);
        let (decode_rest, shown_rest) = placed(&timeline, &second);
        decode.extend(decode_rest);
        shown.extend(shown_rest);
        assert_eq!((decode, shown), expected.clone(), "border {border}: as if it were not there");
    }
}

#[test]
fn a_depth_that_grows_later_moves_decode_times_up_and_leaves_the_pts() {
    let first = frames(&[0, 1, 2, 3]);
    let second = frames(&[4, 7, 5, 6, 10, 8, 9]);
    let mut timeline = VideoTimeline::new(&first, 0, None);
    let one = timeline.fragment(&first, false, Following::Frame(second[0]));
    let two = timeline.fragment(&second, false, Following::Nothing);
    assert_eq!(timeline.depth(), 1);
    assert_eq!(one.times.start as i64 + 4 * TICKS, two.times.start as i64);
    let (decode, shown) = placed(&timeline, &two);
    assert_eq!(shown, second.iter().map(|at| to_ticks(*at, 90_000)).collect::<Vec<_>>());
    // 4, then 7's place is 4 (taken: one tick more), then 5, 6, 7, ... as with a depth of one from the start.
    assert_eq!(
        decode,
        [4 * TICKS, 7 * TICKS, 7 * TICKS + 1, 7 * TICKS + 2, 7 * TICKS + 3, 8 * TICKS, 9 * TICKS]
    );
}

#[test]
fn the_hint_of_the_segment_before_makes_room_from_the_start() {
    let pts = frames(&[0, 1, 2]);
    let timeline = VideoTimeline::new(&pts, 2, None);
    assert_eq!(timeline.shift(), 2 * TICKS as u64);
    assert_eq!(timeline.depth(), 2, "and is handed on");
    assert_eq!(VideoTimeline::new(&pts, 99, None).depth(), MAX_DEPTH);
}

#[test]
fn after_a_hole_decode_times_jump_by_its_length() {
    for (name, first, second, jump) in [
        ("no B-frames", vec![0, 1, 2], vec![52, 53], 50),
        ("B-frames", vec![0, 3, 1, 2], vec![55, 53, 54], 50),
        ("B-frames, resuming at a keyframe", vec![0, 3, 1, 2], vec![53, 56, 54, 55], 50),
    ] {
        let (first, second) = (frames(&first), frames(&second));
        let mut timeline = VideoTimeline::new(&first, 0, None);
        assert!(timeline.is_hole(second[0]), "{name}");
        let one = timeline.fragment(&first, false, Following::Frame(second[0]));
        assert_eq!(one.times.durations.last(), Some(&3600), "{name}: the frame before is not drawn out");
        assert_eq!(one.to, first.len() as i64 * FRAME, "{name}");
        let two = timeline.fragment(&second, true, Following::Nothing);
        let end = one.times.start as i64 + first.len() as i64 * TICKS;
        let missing = second.iter().min().unwrap() / FRAME - first.len() as i64;
        assert_eq!(two.times.start as i64 - end, missing * TICKS, "{name}: the jump of the file's times");
        assert!(missing >= jump - 1, "{name}");
        assert_eq!(
            two.from,
            *second.iter().min().unwrap(),
            "{name}: the span begins with what is shown first"
        );
        let (_, shown) = placed(&timeline, &two);
        assert_eq!(shown, second.iter().map(|at| to_ticks(*at, 90_000)).collect::<Vec<_>>(), "{name}");
    }
}

#[test]
fn a_hole_is_over_a_second_and_over_the_streams_own_rhythm() {
    // name, step and frame length in ms, depth, is it a hole
    let cases = [
        ("a missing frame", 80, 40, 0, false),
        ("just a second", 1000, 40, 0, false),
        ("over a second", 1001, 40, 0, true),
        ("an anchor over a pyramid at 5 frames a second", 1600, 200, 3, false),
        ("half a frame a second", 2000, 2000, 0, false),
        ("half a frame a second, some missing", 9000, 2000, 0, true),
        ("backwards", -5000, 40, 0, false),
    ];
    for (name, step, nominal, depth, expected) in cases {
        assert_eq!(is_hole(0, step * 1_000_000, nominal * 1_000_000, depth), expected, "{name}");
    }
}

#[test]
fn the_rhythm_is_a_median() {
    assert_eq!(rhythm(&[0, 40, 80, 121, 1000]), Some(40));
    assert_eq!(rhythm(&[0, 120, 40, 80]), Some(40), "in order of showing");
    assert_eq!(rhythm(&[7]), None);
    assert_eq!(rhythm(&[7, 7]), None, "frozen timestamps have none");
}

#[test]
fn a_fragment_closed_on_a_guess_is_joined_to_the_next_if_only_jitter_parts_them() {
    // name, PTS of the next frame in ms, start of the next fragment in ms
    for (name, pts, start) in [("jitter", 83, 80), ("early", 78, 80), ("frames missing", 500, 500)] {
        let mut timeline = VideoTimeline::new(&frames(&[0, 1]), 0, None);
        timeline.fragment(&frames(&[0, 1]), false, Following::Nothing);
        let next = [pts * 1_000_000, (pts + 40) * 1_000_000];
        let video = timeline.fragment(&next, false, Following::Nothing);
        assert_eq!(video.times.start, start * 90, "{name}: decode time");
        assert_eq!(video.from, start as i64 * 1_000_000, "{name}: span");
        let (_, shown) = placed(&timeline, &video);
        assert_eq!(shown[0], i64::from(pts as i32) * 90, "{name}: PTS is exact in any case");
    }
}

#[test]
fn frozen_and_backward_timestamps_still_decode_in_order() {
    for (name, pts) in [
        ("frozen", vec![0; 40]),
        ("set back by ten seconds", (0..30).chain(-220..80).collect()),
        ("set back by ten seconds in the first fragment", (0..10).chain(-240..60).collect()),
        ("set back by one frame, again and again", (0..100).map(|at| at - at % 10 / 9).collect()),
    ] {
        let pts = frames(&pts);
        let mut timeline = VideoTimeline::new(&pts[..20], 0, None);
        let mut last = -1;
        for run in pts.chunks(20) {
            let video = timeline.fragment(run, false, Following::Nothing);
            assert!(video.times.start as i64 > last, "{name}");
            assert!(video.times.durations.iter().all(|ticks| *ticks >= 1), "{name}");
            last = video.times.start as i64
                + video.times.durations.iter().map(|t| i64::from(*t)).sum::<i64>()
                - 1;
            let (_, shown) = placed(&timeline, &video);
            assert_eq!(shown, run.iter().map(|at| to_ticks(*at, 90_000)).collect::<Vec<_>>(), "{name}");
        }
        assert_eq!(timeline.shift(), 0, "{name}: nor is it a beginning");
        assert!(timeline.depth() <= 1, "{name}: a clock set back is no reordering");
    }
}

#[test]
fn rounding_does_not_add_up() {
    // 29.97 frames a second in nanoseconds: no frame lies on a tick.
    let pts: Vec<i64> = (0..108_000i64).map(|at| at * 1_001_000_000 / 30).collect();
    let mut timeline = VideoTimeline::new(&pts[..30], 0, None);
    let mut end = 0;
    for (at, run) in pts.chunks(30).enumerate() {
        let following = pts.get((at + 1) * 30).map_or(Following::Nothing, |pts| Following::Frame(*pts));
        let video = timeline.fragment(run, false, following);
        assert_eq!(video.times.start, end);
        end += video.times.durations.iter().map(|ticks| u64::from(*ticks)).sum::<u64>();
    }
    assert_eq!(end, 108_000 * 3003, "an hour is an hour, to the tick");
}

#[test]
fn audio_runs_on_through_jitter_and_jumps_over_holes() {
    const PACKET: i64 = 20_000_000; // 960 ticks of 48000
    // name, PTS of the packets in ms, starts in ticks
    let cases: &[(&str, &[i64], &[i64])] = &[
        ("even", &[5, 25, 45], &[240, 1200, 2160]),
        ("jitter under half a packet", &[0, 29, 31, 60], &[0, 960, 1920, 2880]),
        ("a lost packet", &[0, 20, 60, 80], &[0, 960, 2880, 3840]),
        ("late by more than half, for good", &[0, 31, 51], &[0, 1488, 2448]),
        ("early by more than half", &[0, 9, 29], &[0, 432, 1392]),
    ];
    for (name, pts, expected) in cases {
        for border in 1..=pts.len() {
            let mut timeline = AudioTimeline::new(48_000, 960);
            let packets: Vec<_> = pts.iter().map(|ms| (ms * 1_000_000, Some(PACKET))).collect();
            let mut starts = Vec::new();
            let mut ended = 0;
            for run in [&packets[..border], &packets[border..]].into_iter().filter(|run| !run.is_empty()) {
                let times = timeline.fragment(run);
                assert!(times.start >= ended, "{name}: fragments do not overlap");
                let mut at = times.start;
                for duration in &times.durations {
                    starts.push(at as i64);
                    at += u64::from(*duration);
                }
                ended = at;
            }
            // A packet that comes early can only shorten one before it in the same fragment.
            if border == pts.len() || !name.starts_with("early") {
                assert_eq!(starts, *expected, "{name}, border {border}");
            }
        }
    }
}

#[test]
fn audio_that_tells_no_duration_has_its_codecs() {
    let times = AudioTimeline::new(48_000, 1024).fragment(&[(0, None), (21_333_333, None)]);
    assert_eq!(times.durations, [1024, 1024]);
}

/// PTS in decode order of a stream with up to three B-frames in a mini-GOP, plain or as a pyramid, of an
/// uneven rhythm.
fn streams() -> impl Strategy<Value = Vec<i64>> {
    let mini_gop = prop_oneof![Just(vec![0]), Just(vec![1, 0]), Just(vec![2, 0, 1]), Just(vec![3, 1, 0, 2])];
    (prop::collection::vec(mini_gop, 1..60), prop::collection::vec(20_000_000i64..60_000_000, 240)).prop_map(
        |(gops, steps)| {
            let mut order = vec![0];
            for gop in gops {
                let base = order.len();
                order.extend(gop.iter().map(|at| at + base));
            }
            let shown: Vec<i64> = std::iter::once(0)
                .chain(steps.iter().scan(0, |at, step| {
                    *at += step;
                    Some(*at)
                }))
                .collect();
            order.into_iter().map(|at| shown[at]).collect()
        },
    )
}

proptest! {
    #[test]
    fn any_stream_cut_anywhere_keeps_its_pts_and_decodes_in_order(pts in streams(), cuts in prop::collection::vec(1usize..40, 0..8)) {
        let mut borders = vec![0];
        for cut in cuts {
            let next = borders[borders.len() - 1] + cut;
            if next < pts.len() { borders.push(next); }
        }
        borders.push(pts.len());
        let first = &pts[borders[0]..borders[1]];
        let mut timeline = VideoTimeline::new(first, 0, None);
        let (mut ended, mut until) = (0, None);
        for border in borders.windows(2) {
            let run = &pts[border[0]..border[1]];
            let following = pts.get(border[1]).map_or(Following::Nothing, |pts| Following::Frame(*pts));
            let video = timeline.fragment(run, false, following);
            prop_assert_eq!(video.times.start, ended, "decode times run on");
            prop_assert!(until.is_none_or(|until| until == video.from), "spans tile");
            prop_assert!(video.times.durations.iter().all(|ticks| *ticks >= 1));
            let (_, shown) = placed(&timeline, &video);
            let expected: Vec<i64> = run.iter().map(|at| to_ticks(*at, 90_000)).collect();
            prop_assert_eq!(shown, expected, "PTS are exact");
            ended += video.times.durations.iter().map(|ticks| u64::from(*ticks)).sum::<u64>();
            until = Some(video.to);
        }
        // Nothing of the stream's length is lost or made: within two frames, since the last one's is a guess.
        let length = pts.iter().max().unwrap();
        prop_assert!((until.unwrap() - length).abs() < 5 * 60_000_000);
    }
}

/// Times in decode order as no camera should send them: each of these acts gives a few frames.
fn nasty() -> impl Strategy<Value = Vec<i64>> {
    const MINUTE: i64 = 60_000_000_000;
    let act = prop_oneof![
        4 => (1usize..30, 10_000_000..100_000_000i64).prop_map(|(count, step)| vec![step; count]),
        2 => (1usize..30).prop_map(|count| vec![0; count]),
        2 => (1usize..10, -FRAME..FRAME).prop_map(|(count, step)| vec![step; count]),
        1 => (-10 * MINUTE..10 * MINUTE).prop_map(|leap| vec![leap]),
        1 => prop::collection::vec(-MINUTE / 60..MINUTE / 60, 1..20),
    ];
    prop::collection::vec(act, 1..12).prop_map(|acts| {
        let mut at = 0;
        let times = acts.concat().into_iter().map(|step| {
            at += step;
            at
        });
        std::iter::once(0).chain(times).collect()
    })
}

/// Cuts a stream after these many frames each, and the rest as it is.
fn runs<'a, T>(mut frames: &'a [T], cuts: &[usize]) -> Vec<&'a [T]> {
    let mut runs = Vec::new();
    for cut in cuts {
        if let Some((run, rest)) = frames.split_at_checked(*cut).filter(|(_, rest)| !rest.is_empty()) {
            runs.push(run);
            frames = rest;
        }
    }
    runs.push(frames);
    runs
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    /// Whatever comes in: decode times strictly rise, each frame is shown when it says, and what is told of the
    /// segment's length goes no further than the frames did.
    #[test]
    fn video_of_whatever_stamps_decodes_in_order_and_is_shown_when_it_says(
        pts in nasty(), cuts in prop::collection::vec(1usize..40, 0..8), known in any::<bool>(),
    ) {
        let runs = runs(&pts, &cuts);
        let mut timeline = VideoTimeline::new(runs[0], 0, None);
        let lead = timeline.shift() as i64;
        let (mut ended, mut until, mut newest, mut count) = (0i64, i64::MIN, 0, 0);
        for (at, run) in runs.iter().enumerate() {
            let following = match runs.get(at + 1) {
                Some(next) if known => Following::Frame(next[0]),
                Some(_) | None => Following::Nothing,
            };
            let after_hole = at > 0 && timeline.is_hole(run[0]);
            let video = timeline.fragment(run, after_hole, following);
            prop_assert_eq!((video.times.durations.len(), video.times.offsets.len()), (run.len(), run.len()));
            prop_assert!(video.times.start as i64 >= ended, "fragments follow one another");
            prop_assert!(video.times.durations.iter().all(|ticks| *ticks >= 1));
            prop_assert!(video.from >= until && video.to >= video.from, "spans follow one another");
            let (_, shown) = placed(&timeline, &video);
            let expected: Vec<i64> = run.iter().map(|at| to_ticks(*at, 90_000)).collect();
            prop_assert_eq!(shown, expected, "a frame is shown when it says");
            ended = video.times.start as i64 + video.times.durations.iter().map(|ticks| i64::from(*ticks)).sum::<i64>();
            until = video.to;
            newest = run.iter().copied().chain([newest]).chain(runs.get(at + 1).map(|next| next[0])).max().unwrap();
            count += run.len() as i64 + 1;
            // Where nothing is known of what follows, a fragment's last frame is as long as frames are: at most the longest step.
            let step = pts.iter().max().unwrap() - pts.iter().min().unwrap();
            let guesses = (at as i64 + 1) * step.max(2 * FRAME);
            let room = to_ticks(newest + guesses, 90_000) + 2 * lead + count;
            prop_assert!(ended <= room, "it ends at {}, later than {}", ended, room);
        }
    }

    /// The same of sound: no packet lies further from its time than half its length, or than the packets before it were
    /// ahead.
    #[test]
    fn sound_of_whatever_stamps_rises_and_keeps_to_its_times(
        pts in nasty(), cuts in prop::collection::vec(1usize..40, 0..8), length in prop::option::of(0..100_000_000i64),
    ) {
        let packets: Vec<(i64, Option<i64>)> = pts.iter().map(|pts| ((*pts).max(0), length)).collect();
        let packet = length.map_or(960, |length| to_ticks(length, 48_000).max(1));
        let mut timeline = AudioTimeline::new(48_000, 960);
        let (mut ended, mut ahead) = (0i64, 0i64);
        for run in runs(&packets, &cuts) {
            let times = timeline.fragment(run);
            prop_assert!(times.start as i64 >= ended);
            prop_assert!(times.durations.len() == run.len() && times.durations.iter().all(|ticks| *ticks >= 1));
            let mut at = times.start as i64;
            for ((told, _), duration) in run.iter().zip(&times.durations) {
                let told = to_ticks(*told, 48_000);
                prop_assert!(at >= told - packet / 2, "not before its time");
                prop_assert!(at <= (told + packet / 2).max(ahead), "{} for {}", at, told);
                ahead = ahead.max(at + 1);
                at += i64::from(*duration);
            }
            ended = at;
            ahead = ahead.max(ended);
        }
    }
}
