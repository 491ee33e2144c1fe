//! The feeder: one thread per camera that sends its clip's frames in real time.
//!
//! Frame n is due at `epoch + n / fps` and sound packet k at `epoch + k * samples / rate`, so nothing drifts
//! and picture and sound stay together for ever. The count runs on while nobody watches, and through stalls:
//! a camera does not stop filming because its cable is out.
//!
//! Words: an **outlet** is where frames leave for the clients, the appsrcs of one RTSP media; a frame's
//! **fate** is what became of it, and a **watcher** is a client that has been answered PLAY.

use crate::clip::{Clip, ClipFrame};
use crate::nal::Mark;
use crate::sound::Tone;
use crate::{lock, wall_micros};
use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use std::collections::HashSet;
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Handed to the RTSP server while a client was watching.
    Sent,
    /// The same, with bytes of its slices overwritten.
    Garbled,
    /// Nobody was watching (or a client was only just connecting).
    Unwatched,
    /// Held back by a stall.
    Stalled,
    /// Left out by command.
    Dropped,
    /// Sent, but one of its RTP packets was lost on the way.
    Torn,
}

impl Fate {
    /// Whether a recorder has to have the frame. Not a damaged one: what a recorder does with that is its choice.
    pub fn owed(self) -> bool {
        match self {
            Fate::Sent => true,
            Fate::Garbled | Fate::Unwatched | Fate::Stalled | Fate::Dropped | Fate::Torn => false,
        }
    }
}

/// One frame in the camera's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SentFrame {
    /// Its number in decode order, as its mark says it.
    pub number: u64,
    /// Its place in presentation order, counted like `number`.
    pub presentation: u64,
    /// When it was handed over: microseconds of UTC since 1970.
    pub wall_micros: i64,
    /// Whether decoding can begin here.
    pub keyframe: bool,
    /// What became of it.
    pub fate: Fate,
}

/// Where frames leave: the appsrcs of one media.
#[derive(Debug)]
pub(crate) struct Outlet {
    /// Tells outlets apart.
    pub id: u64,
    /// The picture.
    pub video: gst_app::AppSrc,
    /// The sound, where there is some.
    pub sound: Option<gst_app::AppSrc>,
    /// A metadata track, as RTP packets.
    pub metadata: Option<gst_app::AppSrc>,
    /// Whether the first frame has gone out.
    pub begun: bool,
    /// Running times of frames that are to lose a packet behind the payloader.
    pub torn: Arc<Mutex<HashSet<u64>>>,
}

/// What a camera is told to do wrong, and what it has done so far.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub outlets: Vec<Outlet>,
    pub watchers: HashSet<usize>,
    pub log: Vec<SentFrame>,
    pub sound_packets: u64,
    pub next_clip: Option<Arc<Clip>>,
    pub stalled: bool,
    pub silenced: bool,
    pub frames_to_drop: u64,
    /// No picture is sent, sound goes on.
    pub blind: bool,
    /// Keyframes are left out.
    pub keyframes_dropped: bool,
    /// At each keyframe the picture is taken from the other one of the two.
    pub flapping: Option<[Arc<Clip>; 2]>,
    /// Of each thousand frames so many lose an RTP packet.
    pub torn_per_mille: u32,
    /// Whether damage hits the first bytes of NAL units too.
    pub headers_garbled: bool,
    /// The camera's clock runs so many millionths too fast, since that clock time.
    pub drift: (i64, u64),
    /// Of each thousand frames so many are damaged.
    pub garbled_per_mille: u32,
    /// Frames leave only at multiples of this; zero for at once.
    pub delivery: Duration,
    /// Added to the timestamp of every packet, in nanoseconds.
    pub timestamp_shift: i64,
    pub timestamps_frozen: bool,
    pub ended: bool,
}

/// What feeder, server and camera share.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    pub state: Mutex<State>,
    /// Wakes the feeder to see a change at once.
    pub changed: Condvar,
}

/// What the feeder is to send, fixed for the camera's life.
#[derive(Debug)]
pub(crate) struct Feed {
    /// Written into every mark.
    pub tag: u32,
    /// The clip to begin with.
    pub clip: Arc<Clip>,
    /// The sound, if any is sent.
    pub tone: Option<Arc<Tone>>,
    /// Whether keyframes carry their parameter sets. If not, they are in the session description alone.
    pub parameter_sets_in_band: bool,
}

/// Starts the thread; it ends when `State::ended` is set.
pub(crate) fn start(feed: Feed, shared: Arc<Shared>) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new()
        .name(format!("feeder-{}", feed.tag))
        .spawn(move || Feeder::new(feed, shared).run())
}

const SECOND: u64 = 1_000_000_000;

struct Feeder {
    feed: Feed,
    shared: Arc<Shared>,
    clock: gst::Clock,
    /// Clock time of frame 0.
    epoch: u64,
    /// Number of the next frame.
    number: u64,
    clip: Arc<Clip>,
    /// Next frame of the clip.
    at: usize,
    /// Number of the clip's first frame in this round of the loop.
    base: u64,
    /// Index of the next sound packet.
    packet: u64,
    /// Second of the next metadata packet.
    metadata_second: u64,
    /// Presentation time at which timestamps were frozen.
    frozen_at: Option<u64>,
    random: u64,
}

impl Feeder {
    fn new(feed: Feed, shared: Arc<Shared>) -> Self {
        let clock = gst::SystemClock::obtain();
        let epoch = clock.time().nseconds();
        let (clip, random) = (feed.clip.clone(), u64::from(feed.tag) + 0x9e37_79b9_7f4a_7c15);
        Feeder {
            feed,
            shared,
            clock,
            epoch,
            clip,
            random,
            number: 0,
            at: 0,
            base: 0,
            packet: 0,
            metadata_second: 0,
            frozen_at: None,
        }
    }

    fn run(mut self) {
        let shared = self.shared.clone();
        let mut state = lock(&shared.state);
        while !state.ended {
            let now = self.clock.time().nseconds();
            let video = self.release(&state, self.frame_time(self.number));
            let sound = self.feed.tone.as_deref().map(|tone| self.release(&state, self.packet_time(tone)));
            let metadata = self.epoch + self.metadata_second * SECOND;
            let next = video.min(sound.unwrap_or(u64::MAX)).min(metadata);
            if next > now {
                let waiting = shared.changed.wait_timeout(state, Duration::from_nanos(next - now));
                state = waiting.unwrap_or_else(std::sync::PoisonError::into_inner).0;
                continue;
            }
            if video == next {
                self.send_frame(&mut state);
            } else if sound == Some(next) {
                self.send_sound(&mut state);
            } else {
                self.send_metadata(&state);
            }
        }
    }

    /// When what is due at `time` leaves: later, if the camera delivers in bursts.
    fn release(&self, state: &State, time: u64) -> u64 {
        let period = u64::try_from(state.delivery.as_nanos()).unwrap_or(u64::MAX);
        if period == 0 {
            time
        } else {
            self.epoch + (time - self.epoch).div_ceil(period).saturating_mul(period)
        }
    }

    fn frame_time(&self, number: u64) -> u64 {
        self.epoch + number * SECOND / u64::from(self.clip.spec.fps)
    }

    fn packet_time(&self, tone: &Tone) -> u64 {
        self.epoch
            + self.packet * u64::from(tone.codec.samples_per_packet()) * SECOND / u64::from(tone.codec.rate())
    }

    fn send_frame(&mut self, state: &mut State) {
        if self.at == self.clip.frames.len() {
            (self.at, self.base) = (0, self.number);
        }
        if self.clip.frames[self.at].keyframe {
            let next = state.next_clip.take().or_else(|| {
                let clips = state.flapping.as_mut()?;
                clips.swap(0, 1);
                Some(clips[0].clone())
            });
            if let Some(clip) = next {
                (self.clip, self.at, self.base) = (clip, 0, self.number);
            }
        }
        let clip = self.clip.clone();
        let frame = &clip.frames[self.at];
        let presentation = self.base + u64::from(frame.presentation);
        let mut time = self.frame_time(presentation + u64::from(clip.depth));
        if state.timestamps_frozen {
            time = *self.frozen_at.get_or_insert(time);
        } else {
            self.frozen_at = None;
        }
        let damage = Damage {
            garbled: self.random() % 1000 < u64::from(state.garbled_per_mille),
            headers: state.headers_garbled,
            torn: self.random() % 1000 < u64::from(state.torn_per_mille),
        };
        let wall = wall_micros();
        let fate = if state.stalled || state.blind {
            Fate::Stalled
        } else if frame.keyframe && state.keyframes_dropped {
            Fate::Dropped
        } else if state.frames_to_drop > 0 {
            state.frames_to_drop -= 1;
            Fate::Dropped
        } else {
            let mark = Mark { camera: self.feed.tag, number: self.number, wall_micros: wall };
            self.hand_over(&mut state.outlets, &clip, frame, mark, time, damage);
            match (state.watchers.is_empty(), damage.garbled, damage.torn) {
                (true, _, _) => Fate::Unwatched,
                (false, true, _) => Fate::Garbled,
                (false, false, true) => Fate::Torn,
                (false, false, false) => Fate::Sent,
            }
        };
        let number = self.number;
        state.log.push(SentFrame { number, presentation, wall_micros: wall, keyframe: frame.keyframe, fate });
        self.number += 1;
        self.at += 1;
    }

    fn hand_over(
        &mut self,
        outlets: &mut [Outlet],
        clip: &Clip,
        frame: &ClipFrame,
        mark: Mark,
        time: u64,
        damage: Damage,
    ) {
        let mark = clip.spec.codec.nal().map(|codec| gst::Memory::from_slice(mark.to_annex_b(codec)));
        let tail =
            if damage.garbled { self.garbled(&frame.tail, damage.headers) } else { frame.tail.clone() };
        for outlet in outlets {
            let Some(pts) = running_time(&outlet.video, time) else { continue };
            let mut buffer = gst::Buffer::new();
            let content = buffer.make_mut();
            content.set_pts(pts);
            if !frame.keyframe {
                content.set_flags(gst::BufferFlags::DELTA_UNIT);
            }
            // Memories are shared, not copied. A client may come in the middle of a GOP, as it does with
            // real cameras: its session description still needs the parameter sets at once.
            if let Some(head) = &frame.head
                && (!frame.keyframe || self.feed.parameter_sets_in_band || !outlet.begun)
            {
                content.append_memory(head.clone());
            }
            if !outlet.begun && !frame.keyframe && clip.spec.codec.nal().is_some() {
                content.append_memory(clip.parameter_sets.clone());
            }
            if let Some(mark) = &mark {
                content.append_memory(mark.clone());
            }
            content.append_memory(tail.clone());
            if damage.torn {
                lock(&outlet.torn).insert(pts.nseconds());
            }
            // Refused only while the media is being taken down: then nobody is there to miss the frame.
            if outlet.video.push_buffer(buffer).is_ok() {
                outlet.begun = true;
            }
        }
    }

    fn send_sound(&mut self, state: &mut State) {
        let Some(tone) = self.feed.tone.clone() else { return };
        let time = self.packet_time(&tone);
        let packet = &tone.packets[(self.packet % tone.packets.len() as u64) as usize];
        self.packet += 1;
        if state.stalled || state.silenced {
            return;
        }
        state.sound_packets += u64::from(!state.watchers.is_empty());
        for source in state.outlets.iter().filter_map(|outlet| outlet.sound.as_ref()) {
            push(source, packet.clone(), time);
        }
    }

    /// Once a second an ONVIF metadata document in one RTP packet.
    fn send_metadata(&mut self, state: &State) {
        let time = self.epoch + self.metadata_second * SECOND;
        let document = b"<tt:MetadataStream xmlns:tt=\"http://www.onvif.org/ver10/schema\"/>";
        let mut packet = vec![0x80, 0x80 | METADATA_PAYLOAD_TYPE];
        packet.extend((self.metadata_second as u16).to_be_bytes());
        packet.extend((self.metadata_second.wrapping_mul(90_000) as u32).to_be_bytes());
        packet.extend(self.feed.tag.to_be_bytes());
        packet.extend(document);
        self.metadata_second += 1;
        if state.stalled {
            return;
        }
        for source in state.outlets.iter().filter_map(|outlet| outlet.metadata.as_ref()) {
            push(source, gst::Memory::from_slice(packet.clone()), time);
        }
    }

    /// A copy with one byte in fifty overwritten. The first ones are left alone, or made a NAL unit that cannot be: the
    /// bit that is always zero is set (H.264 7.4.1, H.265 7.4.2.2).
    fn garbled(&mut self, memory: &gst::Memory, headers: bool) -> gst::Memory {
        let mut bytes = memory.map_readable().map(|map| map.to_vec()).unwrap_or_default();
        let header = bytes.windows(3).position(|window| window == [0, 0, 1]).map(|start| start + 3);
        if let Some(byte) = header.filter(|_| headers).and_then(|at| bytes.get_mut(at)) {
            *byte |= 0x80;
        }
        for _ in 0..bytes.len() / 50 {
            let at = 16 + self.random() as usize % bytes.len();
            let value = self.random() as u8;
            if let Some(byte) = bytes.get_mut(at) {
                *byte = value;
            }
        }
        gst::Memory::from_slice(bytes)
    }

    /// xorshift: the same damage for the same camera in every run.
    fn random(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }
}

/// What is to be done to one frame.
#[derive(Clone, Copy, Debug)]
struct Damage {
    garbled: bool,
    headers: bool,
    torn: bool,
}

impl State {
    /// By how much the camera's own clock, which was set and may be too fast or too slow, is ahead at a clock time. It shows in
    /// the packets' stamps alone: what is sent is sent in time.
    pub(crate) fn ahead_at(&self, time: u64) -> i64 {
        let (millionths, since) = self.drift;
        let run = i64::try_from(time.saturating_sub(since)).unwrap_or(i64::MAX);
        let gained = i128::from(run) * i128::from(millionths) / 1_000_000;
        self.timestamp_shift.saturating_add(i64::try_from(gained).unwrap_or(0))
    }
}

/// The dynamic RTP payload type of the metadata track.
pub(crate) const METADATA_PAYLOAD_TYPE: u8 = 107;

fn push(source: &gst_app::AppSrc, memory: gst::Memory, time: u64) {
    let Some(pts) = running_time(source, time) else { return };
    let mut buffer = gst::Buffer::new();
    let content = buffer.make_mut();
    content.set_pts(pts);
    content.append_memory(memory);
    // As with frames: refused only while the media is being taken down.
    let _ = source.push_buffer(buffer);
}

/// A clock time as the running time of the source's pipeline; `None` while that does not run, or did not yet.
fn running_time(source: &gst_app::AppSrc, time: u64) -> Option<gst::ClockTime> {
    let base = source.base_time().filter(|_| source.current_state() == gst::State::Playing)?;
    time.checked_sub(base.nseconds()).map(gst::ClockTime::from_nseconds)
}
