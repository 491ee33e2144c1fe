//! When each sample is decoded: decode times of video from its PTS alone, and a steady clock for audio.
//!
//! Video arrives in decode order. Without B-frames PTS rise and DTS = PTS. With them, a frame may arrive
//! after frames that are shown later; the **depth** is the greatest number of such frames, and is measured.
//! With a depth of d, the DTS of a frame is the (d+1)-th largest PTS seen so far, itself included: those d
//! frames are the ones that may still be waited for, so this PTS is the next in order of showing, and later
//! frames can only give a larger one.
//!
//! ```text
//! decoded   I0  P3  B1  B2  P6  B4  B5        depth 1
//! PTS        0   3   1   2   6   4   5
//! DTS       -1   0   1   2   3   4   5        second largest PTS so far
//! ```
//!
//! A file cannot hold a DTS below zero: all times of video are therefore moved up by the **shift**, the
//! first DTS becomes zero, and an edit list takes the shift back. The PTS are exact in any case: a sample's
//! composition offset is PTS − DTS, whatever became of the DTS.
//!
//! Times in here are nanoseconds from media time zero, or ticks. Ticks are computed from nanoseconds each
//! time, never summed, so rounding does not add up.

use super::{HOLE, SEAM, VIDEO_TIMESCALE};

/// Deepest reordering that is believed: what H.264 and H.265 allow. A frame that arrives after more later
/// ones is a clock that was set back.
pub const MAX_DEPTH: usize = 16;

/// Length of a frame of which nothing at all is known: a segment of one frame.
const LONE_FRAME: i64 = 40_000_000;

const NANOS: i128 = 1_000_000_000;

/// Nanoseconds to ticks, to the nearest.
pub fn to_ticks(nanos: i64, timescale: u32) -> i64 {
    // An i64 of nanoseconds times a u32 fits an i128; the quotient fits an i64 for timescales below 10^9,
    // and is saturated above.
    let ticks = (i128::from(nanos) * i128::from(timescale) + NANOS / 2).div_euclid(NANOS);
    i64::try_from(ticks).unwrap_or(if ticks < 0 { i64::MIN } else { i64::MAX })
}

/// Where the samples of one track lie in a fragment, in ticks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Times {
    /// Decode time of the first sample.
    pub start: u64,
    /// Of each sample, the time to the next one's decode time: at least 1.
    pub durations: Vec<u32>,
    /// Of each sample, PTS − DTS.
    pub offsets: Vec<i32>,
}

/// What comes after the last frame of a fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Following {
    /// A frame with this PTS.
    Frame(i64),
    /// Nothing that is known, or a hole.
    Nothing,
}

/// The video's fragment in time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VideoTimes {
    /// In the file.
    pub times: Times,
    /// Begin of what it shows, see `Fragment::from`.
    pub from: i64,
    /// End of what it shows.
    pub to: i64,
}

/// Decode times of a segment's video.
#[derive(Clone, Debug)]
pub struct VideoTimeline {
    order: Reorder,
    /// Length of a frame by the newest run of frames.
    nominal: i64,
    /// Ticks by which every time in the file lies above the time from media time zero.
    shift: i64,
    /// From a decode time to the time shown at the segment's start: its depth in frames.
    lead: i64,
    /// Where the fragment before ended.
    end: Option<Moment>,
    newest: i64,
}

/// A decode time, both in the file's ticks and as shown.
#[derive(Clone, Copy, Debug)]
struct Moment {
    ticks: i64,
    shown: i64,
}

impl VideoTimeline {
    /// Begins a segment from the frames of its first fragment. `depth` and `duration` are what is already
    /// known of the stream.
    pub fn new(first: &[i64], depth: usize, duration: Option<i64>) -> Self {
        let nominal = rhythm(first).or(duration.filter(|d| *d > 0)).unwrap_or(LONE_FRAME);
        let lowest = shown_first(first, nominal).unwrap_or(0);
        let mut order = Reorder::new(depth.min(MAX_DEPTH), lowest, nominal);
        order.restart(first, nominal);
        let lead = depth_nanos(order.depth, nominal);
        let shift = -to_ticks(lowest.saturating_sub(lead), VIDEO_TIMESCALE);
        VideoTimeline { order, nominal, shift, lead, end: None, newest: lowest }
    }

    /// Ticks by which the file's times lie above those from media time zero; what the edit list takes back.
    pub fn shift(&self) -> u64 {
        u64::try_from(self.shift).unwrap_or(0)
    }

    /// Depth in use: the hint, or what was measured if that is more. It is not taken back when B-frames
    /// pause: a little room in decode times costs nothing, a lack of it costs negative offsets, which not
    /// every player reads well.
    pub fn depth(&self) -> usize {
        self.order.depth
    }

    /// What is shown last so far ends here: the end of the newest fragment.
    pub fn shown_until(&self) -> i64 {
        self.end.map_or(0, |end| end.shown)
    }

    /// Whether a frame with this PTS comes after a hole.
    pub fn is_hole(&self, pts: i64) -> bool {
        is_hole(self.newest, pts, self.nominal, self.order.depth)
    }

    /// Notes a frame that will be placed later, so that [`is_hole`](Self::is_hole) measures from it.
    pub fn saw(&mut self, pts: i64) {
        self.newest = self.newest.max(pts);
    }

    /// Places a run of frames without a hole, in decode order; not empty. `after_hole`: a hole lies before
    /// it.
    pub fn fragment(&mut self, run: &[i64], after_hole: bool, following: Following) -> VideoTimes {
        if let Some(nominal) = rhythm(run) {
            self.nominal = nominal;
        }
        if after_hole {
            self.order.restart(run, self.nominal);
        }
        let mut moments = Vec::with_capacity(run.len());
        let mut free = self.end;
        for (at, pts) in run.iter().enumerate() {
            let ideal = self.order.decode_time(*pts, self.nominal);
            let mut moment = self.moment(ideal, free);
            if let (0, Some(end)) = (at, self.end) {
                // The fragment before was closed on a guess: close the seam, so that decode times run on.
                let seam = i64::try_from(SEAM.as_nanos()).unwrap_or(i64::MAX);
                if moment.shown.saturating_sub(end.shown) <= seam {
                    moment = end;
                }
            }
            free = Some(Moment { ticks: moment.ticks + 1, shown: moment.shown });
            moments.push(moment);
        }
        run.iter().for_each(|pts| self.saw(*pts));

        let end = match following {
            Following::Frame(pts) if !self.is_hole(pts) => {
                let ideal = self.order.clone().decode_time(pts, self.nominal);
                self.moment(ideal, free)
            }
            Following::Frame(_) | Following::Nothing => {
                let last = moments.last().copied().unwrap_or(Moment { ticks: 0, shown: 0 });
                Moment {
                    ticks: last.ticks + to_ticks(self.nominal, VIDEO_TIMESCALE).max(1),
                    shown: last.shown.saturating_add(self.nominal),
                }
            }
        };
        self.end = Some(end);

        let start = moments.first().copied().unwrap_or(end);
        let next = moments.iter().skip(1).chain([&end]);
        let durations =
            moments.iter().zip(next).map(|(this, next)| length(next.ticks - this.ticks)).collect();
        let offsets = run
            .iter()
            .zip(&moments)
            .map(|(pts, moment)| offset(to_ticks(*pts, VIDEO_TIMESCALE) + self.shift - moment.ticks))
            .collect();
        let times = Times { start: u64::try_from(start.ticks).unwrap_or(0), durations, offsets };
        VideoTimes { times, from: start.shown, to: end.shown }
    }

    /// A derived decode time as a moment, moved up where that is needed to follow on strictly.
    fn moment(&self, ideal: i64, free: Option<Moment>) -> Moment {
        let ticks = to_ticks(ideal, VIDEO_TIMESCALE) + self.shift;
        let shown = ideal.saturating_add(self.lead);
        match free {
            None => Moment { ticks: ticks.max(0), shown },
            Some(free) => Moment { ticks: ticks.max(free.ticks), shown: shown.max(free.shown) },
        }
    }
}

/// Whether the step from the newest PTS to this one is a hole: over a second, and over what the stream's
/// rhythm explains. With a depth of d, an anchor may well be 2^d frames ahead; and a stream of one frame in
/// two seconds has no hole between them.
pub fn is_hole(newest: i64, pts: i64, nominal: i64, depth: usize) -> bool {
    let rhythm = nominal.saturating_mul(4 << depth.min(4));
    let limit = i64::try_from(HOLE.as_nanos()).unwrap_or(i64::MAX).max(rhythm);
    pts.saturating_sub(newest) > limit
}

/// The usual distance of frames: the median of the distances in order of showing, which neither jitter nor
/// a single lost frame moves. `None` for less than two different PTS.
pub fn rhythm(run: &[i64]) -> Option<i64> {
    let mut sorted = run.to_vec();
    sorted.sort_unstable();
    let mut steps: Vec<i64> =
        sorted.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).filter(|step| *step > 0).collect();
    let middle = steps.len().checked_sub(1)? / 2;
    Some(*steps.select_nth_unstable(middle).1)
}

/// The smallest PTS of a run that begins with its first decoded frame. One that lies below that by more
/// than any reordering is a clock that was set back, and no beginning.
fn shown_first(run: &[i64], nominal: i64) -> Option<i64> {
    let limit = run.first()?.saturating_sub(depth_nanos(MAX_DEPTH, nominal));
    run.iter().copied().filter(|pts| *pts >= limit).min()
}

/// The window over the largest PTS that both measures the depth and gives the decode times.
#[derive(Clone, Debug)]
struct Reorder {
    /// Grows and never shrinks, since decode times can only be moved up.
    depth: usize,
    /// The largest PTS so far, in falling order.
    largest: [i64; MAX_DEPTH + 1],
}

impl Reorder {
    fn new(depth: usize, lowest: i64, nominal: i64) -> Self {
        let mut order = Reorder { depth, largest: [0; MAX_DEPTH + 1] };
        order.seed(lowest, nominal);
        order
    }

    /// Begins a new run of frames: frames before it no longer tell when these are decoded.
    fn restart(&mut self, run: &[i64], nominal: i64) {
        let Some(lowest) = shown_first(run, nominal) else { return };
        let mut ahead = Reorder::new(self.depth, lowest, nominal);
        for pts in run {
            ahead.decode_time(*pts, nominal);
        }
        self.depth = self.depth.max(ahead.depth);
        self.seed(lowest, nominal);
    }

    /// As if frames at the nominal distance had gone before `lowest`.
    fn seed(&mut self, lowest: i64, nominal: i64) {
        for (before, slot) in self.largest.iter_mut().enumerate() {
            *slot = lowest.saturating_sub(depth_nanos(before + 1, nominal));
        }
    }

    /// Takes the next frame in decode order and tells its ideal decode time.
    fn decode_time(&mut self, pts: i64, nominal: i64) -> i64 {
        let later = self.largest.iter().filter(|seen| **seen > pts).count();
        if later > MAX_DEPTH {
            // No stream reorders so deeply: the clock was set back. Learn nothing from it and begin anew
            // from here.
            self.seed(pts, nominal);
            return self.decode_time(pts, nominal);
        }
        self.depth = self.depth.max(later);
        self.largest[later..].rotate_right(1);
        self.largest[later] = pts;
        self.largest[self.depth]
    }
}

/// Decode times of one audio track: packets follow each other without a seam while their PTS agree to half a
/// packet, since the jitter of a network is not in the sound.
#[derive(Clone, Debug)]
pub struct AudioTimeline {
    timescale: u32,
    /// Length in ticks of a packet that does not tell its own.
    packet: i64,
    /// Where the fragment before ended.
    end: Option<i64>,
}

impl AudioTimeline {
    /// A track of this timescale, whose packets last `packet` ticks unless they say otherwise.
    pub fn new(timescale: u32, packet: u32) -> Self {
        AudioTimeline { timescale, packet: i64::from(packet.max(1)), end: None }
    }

    /// Places packets: PTS (not below zero) and duration of each. Not empty.
    pub fn fragment(&mut self, packets: &[(i64, Option<i64>)]) -> Times {
        let mut starts = Vec::with_capacity(packets.len() + 1);
        let mut expected = self.end;
        let mut free = self.end.unwrap_or(0);
        for (pts, duration) in packets {
            let packet = duration.map_or(self.packet, |nanos| to_ticks(nanos, self.timescale).max(1));
            let told = to_ticks(*pts, self.timescale);
            let start = match expected {
                Some(expected) if (told - expected).abs() <= packet / 2 => expected,
                Some(_) | None => told,
            };
            let start = start.max(free);
            starts.push(start);
            free = start + 1;
            expected = Some(start + packet);
        }
        let end = expected.unwrap_or(0);
        self.end = Some(end);
        starts.push(end);
        let durations = starts.windows(2).map(|pair| length(pair[1] - pair[0])).collect();
        Times { start: u64::try_from(starts[0]).unwrap_or(0), durations, offsets: vec![0; packets.len()] }
    }
}

fn depth_nanos(frames: usize, nominal: i64) -> i64 {
    nominal.saturating_mul(i64::try_from(frames).unwrap_or(i64::MAX))
}

fn length(ticks: i64) -> u32 {
    u32::try_from(ticks.max(1)).unwrap_or(u32::MAX)
}

fn offset(ticks: i64) -> i32 {
    i32::try_from(ticks).unwrap_or(if ticks < 0 { i32::MIN } else { i32::MAX })
}
