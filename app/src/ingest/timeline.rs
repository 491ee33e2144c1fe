//! When an access unit was really there: the camera's own clock, held against its arrival.
//!
//! Words: **raw** time is made of RTP timestamps alone, from the arrival of a connection's first packet on:
//! exact from frame to frame, but it runs at the camera's rate. **Lateness** is arrival minus presentation.
//!
//! Arrival alone jitters with the network and with this machine's load; RTP time alone drifts by a
//! camera's 200 ppm (17 s a day). So presentation is raw time plus an offset, and the offset follows
//! the least lateness of the last seconds, so slowly that no frame's duration shows it. Audio follows the
//! video's offset: one clock drives both in a camera.

use std::time::Duration;

use holdfast_core::time::Mono;

use crate::ring::TrackKind;

/// The least lateness is taken over this long: longer than a burst or a busy moment of this machine.
const WINDOW: Duration = Duration::from_secs(10);

/// Lateness that is left alone: under a frame, and what a healthy network jitters.
const DEAD_BAND: i64 = 10_000_000;

/// How fast the offset follows, in nanoseconds per second: five times a bad camera's drift, and under a
/// tick of 1/90000 s from frame to frame at 100 fps.
const SLEW_PER_SECOND: i64 = 1_000_000;

/// Beyond this the offset jumps: RTP time was set, or packets were held back for long. Just inside the half
/// second that time in files is to be true to.
const JUMP: i64 = 400_000_000;

/// A connection's first picture is of now if it comes later than this: raw time begins with whatever the camera sends,
/// and a stalled one sends reports alone, for as long as it likes. Less is the time that a busy machine takes to
/// build the media path, and what has come meanwhile follows in one burst.
const FIRST_PICTURE: i64 = 2_000_000_000;

/// Units wait for this long at a connection's beginning, until it is known whether they are of now: some servers
/// send what they have since their last keyframe at once, so that a viewer has a picture soon.
const SETTLE: Duration = Duration::from_millis(300);

/// The offset of one connection.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    origin: Origin,
    offset: i64,
    /// What is left of the lateness that the last window found, to be followed slowly.
    owed: i64,
    /// Arrival of the unit before.
    before: Option<Mono>,
    window: Option<Window>,
}

/// Whether it is known where the connection's time lies.
#[derive(Debug)]
enum Origin {
    /// Since the first unit, if one has come; least lateness of the video since.
    Open {
        since: Option<Mono>,
        least: i64,
    },
    Known,
}

impl Default for Origin {
    fn default() -> Self {
        Origin::Open { since: None, least: 0 }
    }
}

#[derive(Debug)]
struct Window {
    since: Mono,
    least: i64,
}

impl Timeline {
    /// Takes notice of a unit before it is placed. While false, it waits: others may show that it is older than its
    /// arrival.
    pub fn is_settled(&mut self, kind: TrackKind, raw: Mono, arrival: Mono) -> bool {
        let Origin::Open { since, least } = &mut self.origin else { return true };
        if kind == TrackKind::Video {
            *least = (*least).min(difference(arrival, raw));
        }
        if arrival.since(*since.get_or_insert(arrival)) < SETTLE {
            return false;
        }
        if *least < -DEAD_BAND {
            self.offset = *least;
        }
        self.origin = Origin::Known;
        true
    }

    /// Presentation time of a video unit of raw time `raw` that arrived at `arrival`.
    pub fn video(&mut self, raw: Mono, arrival: Mono) -> Mono {
        let is_first = self.before.is_none();
        self.slew(arrival);
        let lateness = difference(arrival, self.shift(raw));
        if lateness < -JUMP || (is_first && lateness > FIRST_PICTURE) {
            // Nothing arrives before it was sent: such a stamp is wrong at once, a late one only if all are, or
            // if it is a connection's first.
            self.jump(lateness);
        } else {
            self.watch(arrival, lateness);
        }
        self.shift(raw)
    }

    /// Presentation time of an audio unit.
    pub fn audio(&self, raw: Mono) -> Mono {
        self.shift(raw)
    }

    fn watch(&mut self, arrival: Mono, lateness: i64) {
        let window = self.window.get_or_insert(Window { since: arrival, least: lateness });
        window.least = window.least.min(lateness);
        if arrival.since(window.since) < WINDOW {
            return;
        }
        let least = window.least;
        self.window = None;
        if least > JUMP {
            self.jump(least);
        } else if least.abs() > DEAD_BAND {
            self.owed = least;
        }
    }

    fn jump(&mut self, by: i64) {
        self.offset = self.offset.saturating_add(by);
        self.owed = 0;
        self.window = None;
    }

    /// Follows what is owed, as far as the time since the unit before allows.
    fn slew(&mut self, arrival: Mono) {
        let elapsed = self.before.replace(arrival).map_or(Duration::ZERO, |before| arrival.since(before));
        let most = i64::try_from(elapsed.as_micros()).unwrap_or(i64::MAX).saturating_mul(SLEW_PER_SECOND)
            / 1_000_000;
        let step = self.owed.clamp(-most, most);
        self.offset += step;
        self.owed -= step;
    }

    fn shift(&self, raw: Mono) -> Mono {
        Mono::from_nanos(raw.as_nanos().saturating_add_signed(self.offset))
    }
}

/// Nanoseconds from `earlier` to `later`; negative if it is the other way round.
fn difference(later: Mono, earlier: Mono) -> i64 {
    let nanos = i128::from(later.as_nanos()) - i128::from(earlier.as_nanos());
    i64::try_from(nanos).unwrap_or(if nanos < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;
    const START: i64 = 1000 * SECOND;

    fn at(nanos: i64) -> Mono {
        Mono::from_nanos(u64::try_from(START + nanos).unwrap())
    }

    /// Feeds 25 fps for `seconds`; gives the worst error against the truth in the last half, and the
    /// worst deviation of a frame's duration, in microseconds.
    fn run(seconds: i64, raw: impl Fn(i64) -> i64, late: impl Fn(i64) -> i64) -> (i64, i64) {
        let mut timeline = Timeline::default();
        let (mut error, mut jitter, mut before) = (0, 0, None);
        for frame in 0..seconds * 25 {
            let truth = frame * SECOND / 25;
            let shown = difference(timeline.video(at(raw(truth)), at(truth + late(frame))), at(truth));
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

    #[test]
    fn rtp_time_that_jumps_ahead_is_put_right_at_once() {
        let raw = |truth: i64| if truth >= 20 * SECOND { truth + 3600 * SECOND } else { truth };
        let (error, _) = run(60, raw, |_| 1_000_000);
        assert!(error < 20_000, "{error} µs off");
    }

    #[test]
    fn rtp_time_that_falls_back_is_put_right_after_a_window() {
        let raw = |truth: i64| if truth >= 20 * SECOND { truth - 5 * SECOND } else { truth };
        let (error, _) = run(120, raw, |_| 1_000_000);
        assert!(error < 20_000, "{error} µs off");
    }

    #[test]
    fn a_connection_whose_first_picture_comes_late_does_not_date_it_back() {
        let mut timeline = Timeline::default();
        for frame in 0..50 {
            let raw = at(frame * SECOND / 25);
            let arrival = at(frame * SECOND / 25 + 9 * SECOND);
            assert_eq!(timeline.video(raw, arrival), arrival, "frame {frame}");
        }
    }

    #[test]
    fn a_burst_at_the_beginning_is_not_taken_for_a_late_first_picture() {
        // The media path took 500 ms to be built: what came meanwhile arrives at once.
        let mut timeline = Timeline::default();
        for frame in 0..100 {
            let raw = at(frame * SECOND / 25);
            assert_eq!(timeline.video(raw, raw.max(at(SECOND / 2))), raw, "frame {frame}");
        }
    }

    #[test]
    fn audio_goes_with_the_video() {
        let mut timeline = Timeline::default();
        let raw = at(10 * SECOND);
        let video = timeline.video(raw, at(5 * SECOND));
        assert_eq!(timeline.audio(raw), video);
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
            if timeline.is_settled(TrackKind::Video, raw, arrival) {
                shown.extend(waiting.drain(..).map(|(raw, arrival)| timeline.video(raw, arrival)));
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
            .map(|moment| timeline.is_settled(TrackKind::Video, moment, moment))
            .collect();
        assert_eq!(settled.iter().filter(|settled| !**settled).count(), 8, "300 ms are eight frames");
        assert_eq!(timeline.video(at(0), at(0)), at(0));
    }
}
