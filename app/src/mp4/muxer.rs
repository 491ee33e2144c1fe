//! From access units to fragments.

use super::boxes::{ntp_time, wall_after};
use super::fragment::{self, MAX_DATA, Reference, Run};
use super::init::Init;
use super::timing::{AudioTimeline, Following, Times, VideoTimeline};
use super::{Fragment, Mp4Error, ParameterSets, Payload, Sample, TrackConfig};
use holdfast_core::time::Mono;
use holdfast_wire::segment::{SegmentHeader, SegmentHeaderV1};
use std::time::Duration;

/// Ticks of a packet of AAC that does not tell its length: every profile that cameras send has 1024 samples.
const AAC_PACKET: u32 = 1024;

/// Ticks of a packet of Opus that does not tell its length: 20 ms, which is what RTP senders use.
const OPUS_PACKET: u32 = 960;

/// Makes one segment: samples go in with [`push`](Self::push), fragments come out of [`cut`](Self::cut).
///
/// The first video sample pushed is the segment's first keyframe: media time zero. Audio pushed before it,
/// or with an earlier PTS, has no place in the segment and is dropped.
pub struct SegmentMuxer<P> {
    tracks: Vec<TrackConfig>,
    init: Init,
    header: SegmentHeaderV1,
    depth_hint: usize,
    origin: Option<Mono>,
    pending: Vec<Sample<P>>,
    timeline: Option<Timeline>,
    sequence: u32,
}

/// What is known from the first fragment on.
struct Timeline {
    video: VideoTimeline,
    /// By track; the video's place is never used.
    audio: Vec<AudioTimeline>,
}

/// Samples without a hole among them.
struct Stretch<P> {
    after_hole: bool,
    samples: Vec<Sample<P>>,
}

impl<P: Payload> SegmentMuxer<P> {
    /// Begins a segment. `tracks[0]` is the video, all others are audio. `depth_hint`: reorder depth of the
    /// camera's segment before, 0 if there was none; more than 16 is taken as 16.
    ///
    /// # Errors
    /// [`Mp4Error`] when the tracks cannot be written as they are configured.
    pub fn new(tracks: Vec<TrackConfig>, header: SegmentHeader, depth_hint: usize) -> Result<Self, Mp4Error> {
        let init = Init::new(&tracks, &header)?;
        let SegmentHeader::V1(header) = header;
        Ok(SegmentMuxer {
            tracks,
            init,
            header,
            depth_hint,
            origin: None,
            pending: Vec::new(),
            timeline: None,
            sequence: 0,
        })
    }

    /// Where the parameter sets are, to be said before the first cut; without it, in the sample entry. The samples are
    /// written as they come: those that need sets in them have them already.
    pub fn declare(mut self, sets: ParameterSets) -> Self {
        self.init.declare(sets);
        self
    }

    /// Takes the next sample; it is held until the next [`cut`](Self::cut). Samples of a track come in
    /// decode order. One of a track that does not exist is dropped.
    pub fn push(&mut self, sample: Sample<P>) {
        if sample.track >= self.tracks.len() {
            return;
        }
        let is_video = sample.track == 0;
        match self.origin {
            None if is_video => self.origin = Some(sample.pts),
            None => return,
            Some(origin) if !is_video && sample.pts < origin => return,
            Some(_) => {}
        }
        self.pending.push(sample);
    }

    /// How much video is held, from the first to the last PTS. `None` when none is held.
    pub fn buffered(&self) -> Option<Duration> {
        let video = || self.pending.iter().filter(|sample| sample.track == 0).map(|sample| sample.pts);
        Some(video().max()?.since(video().min()?))
    }

    /// Everything held, as fragments to be written in order: none if nothing is held, more than one only
    /// where a hole of over a second lies in it (a fragment tells one time for all its frames) or where it
    /// exceeds 1 GiB.
    ///
    /// `next_video`: PTS of the video access unit that follows, if known; the last frame lasts until
    /// then. Without it the last frame lasts as long as frames usually do. The depth of reordering is fixed
    /// by the first fragment's samples, which should therefore hold a second of video.
    pub fn cut(&mut self, next_video: Option<Mono>) -> Vec<Fragment<P>> {
        let Some(origin) = self.origin else { return Vec::new() };
        let pending = std::mem::take(&mut self.pending);
        let mut timeline = match self.timeline.take() {
            Some(timeline) => timeline,
            None => self.begin(origin, &pending),
        };
        let mut stretches = split(pending, origin, &timeline.video).into_iter().peekable();
        let mut fragments = Vec::new();
        while let Some(stretch) = stretches.next() {
            let following = match stretches.peek() {
                Some(next) if next.after_hole => None,
                Some(next) => next.samples.iter().find(|sample| sample.track == 0).map(|sample| sample.pts),
                None => next_video,
            };
            let following =
                following.map_or(Following::Nothing, |pts| Following::Frame(nanos_from(origin, pts)));
            fragments.push(self.fragment(origin, &mut timeline, stretch, following));
        }
        self.timeline = Some(timeline);
        fragments
    }

    /// The depth of reordering in use: the hint for the camera's next segment. Before the first cut, the
    /// hint itself.
    pub fn reorder_depth(&self) -> usize {
        self.timeline.as_ref().map_or(self.depth_hint, |timeline| timeline.video.depth())
    }

    fn begin(&self, origin: Mono, pending: &[Sample<P>]) -> Timeline {
        let video = || pending.iter().filter(|sample| sample.track == 0);
        let pts: Vec<i64> = video().map(|sample| nanos_from(origin, sample.pts)).collect();
        let duration = video().find_map(|sample| sample.duration).map(nanos);
        Timeline {
            video: VideoTimeline::new(&pts, self.depth_hint, duration),
            audio: self
                .tracks
                .iter()
                .map(|track| AudioTimeline::new(track.timescale(), packet_ticks(track)))
                .collect(),
        }
    }

    fn fragment(
        &mut self,
        origin: Mono,
        timeline: &mut Timeline,
        stretch: Stretch<P>,
        following: Following,
    ) -> Fragment<P> {
        let mut by_track: Vec<Vec<Sample<P>>> = self.tracks.iter().map(|_| Vec::new()).collect();
        for sample in stretch.samples {
            by_track[sample.track].push(sample); // `push` let in no other track
        }

        let shown_until = timeline.video.shown_until();
        let (mut from, mut to) = (shown_until, shown_until);
        let mut runs = Vec::new();
        let mut reference = None;
        for (track, samples) in by_track.iter().enumerate().filter(|(_, samples)| !samples.is_empty()) {
            let times = if track == 0 {
                let pts: Vec<i64> = samples.iter().map(|sample| nanos_from(origin, sample.pts)).collect();
                let placed = timeline.video.fragment(&pts, stretch.after_hole, following);
                (from, to) = (placed.from, placed.to);
                placed.times
            } else {
                let packets: Vec<(i64, Option<i64>)> = samples
                    .iter()
                    .map(|sample| (nanos_from(origin, sample.pts), sample.duration.map(nanos)))
                    .collect();
                timeline.audio[track].fragment(&packets) // made with one entry per track
            };
            let shift = if track == 0 { timeline.video.shift() } else { 0 };
            reference.get_or_insert_with(|| self.reference(track, &times, shift));
            let lengths = samples.iter().map(|sample| {
                let length = u32::try_from(sample.payload.bytes().len()).unwrap_or(u32::MAX);
                (length, sample.keyframe || track > 0)
            });
            runs.push(Run { track, times, samples: lengths.collect() });
        }

        let mut head = if self.sequence == 0 { self.init.encode(timeline.video.shift()) } else { Vec::new() };
        self.sequence += 1;
        if let Some(reference) = reference {
            head.append(&mut fragment::encode(self.sequence, &reference, &runs));
        }
        let frames = u32::try_from(by_track[0].len()).unwrap_or(u32::MAX); // there is always a first track
        let payloads: Vec<P> = by_track.into_iter().flatten().map(|sample| sample.payload).collect();
        let data: u64 = payloads.iter().map(|payload| payload.bytes().len() as u64).sum();
        let bytes = head.len() as u64 + data;
        Fragment { head, payloads, from: after(origin, from), to: after(origin, to), frames, bytes }
    }

    fn reference(&self, track: usize, times: &Times, shift: u64) -> Reference {
        let timescale = self.tracks[track].timescale(); // called for existing tracks only
        let offset = times.offsets.first().copied().unwrap_or(0);
        let media_time = times.start.saturating_add_signed(offset.into());
        let from_zero = i64::try_from(media_time).unwrap_or(i64::MAX) - i64::try_from(shift).unwrap_or(0);
        Reference {
            track,
            ntp: ntp_time(wall_after(self.header.start, from_zero, timescale)),
            media_time,
            trusted: self.header.clock_trusted,
        }
    }
}

/// Splits at holes in the video, and before a fragment grows beyond what its offsets can tell.
fn split<P: Payload>(samples: Vec<Sample<P>>, origin: Mono, video: &VideoTimeline) -> Vec<Stretch<P>> {
    let mut video = video.clone();
    let mut stretches: Vec<Stretch<P>> = Vec::new();
    let mut data = 0u64;
    for sample in samples {
        let pts = nanos_from(origin, sample.pts);
        let hole = sample.track == 0 && video.is_hole(pts);
        if sample.track == 0 {
            video.saw(pts);
        }
        let length = sample.payload.bytes().len() as u64;
        let full = data.saturating_add(length) > MAX_DATA;
        match stretches.last_mut() {
            Some(stretch) if !hole && !full => stretch.samples.push(sample),
            Some(_) | None => {
                data = 0;
                stretches.push(Stretch { after_hole: hole, samples: vec![sample] });
            }
        }
        data += length;
    }
    stretches
}

fn packet_ticks(track: &TrackConfig) -> u32 {
    match track {
        TrackConfig::H264 { .. } | TrackConfig::H265 { .. } => 1,
        TrackConfig::Aac { .. } => AAC_PACKET,
        TrackConfig::Opus { .. } => OPUS_PACKET,
        // The largest block, in the second pair of bytes of STREAMINFO.
        TrackConfig::Flac { stream_info, .. } => {
            u32::from(u16::from_be_bytes([stream_info[2], stream_info[3]]))
        }
    }
}

fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

fn nanos_from(origin: Mono, at: Mono) -> i64 {
    let distance = i128::from(at.as_nanos()) - i128::from(origin.as_nanos());
    i64::try_from(distance).unwrap_or(if distance < 0 { i64::MIN } else { i64::MAX })
}

fn after(origin: Mono, nanos: i64) -> Mono {
    Mono::from_nanos(origin.as_nanos().saturating_add_signed(nanos))
}
