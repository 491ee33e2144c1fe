//! A virtual camera: real RTSP on loopback, real H.264 or H.265, every frame numbered, faults on command.
//!
//! ```no_run
//! use holdfast_tests::{camera::{CameraOptions, Sound, VirtualCamera}, clip::{ClipSpec, VideoCodec}, sound::SoundCodec};
//! let options = CameraOptions::new("entrance", 1, ClipSpec::small(VideoCodec::H264)).sound(Sound::Sends(SoundCodec::Aac));
//! let mut camera = VirtualCamera::start(options)?;
//! println!("{}", camera.url());
//! camera.stall(); // the connection stays, nothing comes
//! camera.resume();
//! camera.stop(); // connections are refused
//! camera.restart()?;
//! # Ok::<(), holdfast_tests::LabError>(())
//! ```

use crate::clip::{Clip, ClipSpec};
use crate::feeder::{self, Fate, Feed, Shared, State};
use crate::server::{MOUNT, MediaCaps, SUB_MOUNT, Server};
use crate::sound::{SoundCodec, Tone};
use crate::{LabError, lock};
use gstreamer as gst;
use gstreamer::prelude::*;
use std::sync::{Arc, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

pub use crate::feeder::SentFrame;

/// A camera's second track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sound {
    /// There is none.
    None,
    /// A tone in this codec.
    Sends(SoundCodec),
    /// The session description names a G.711 track, but no packet of it ever comes.
    DeclaredOnly,
}

/// How clients prove who they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Auth {
    /// Not at all.
    None,
    /// RTSP basic authentication.
    Basic {
        /// User.
        user: String,
        /// Password.
        password: String,
    },
    /// RTSP digest authentication (MD5).
    Digest {
        /// User.
        user: String,
        /// Password.
        password: String,
    },
}

/// Which transports the camera agrees to; others get 461.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transports {
    /// TCP (interleaved) and UDP.
    Both,
    /// TCP alone.
    TcpOnly,
    /// UDP alone.
    UdpOnly,
}

/// Where parameter sets (SPS, PPS, VPS) are to be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParameterSets {
    /// Before every keyframe, and in the session description.
    EveryKeyframe,
    /// Repeated by the payloader every second as well, wherever that falls in a GOP's course.
    EverySecond,
    /// In the session description alone (and once at the start of the stream).
    DescriptionOnly,
}

impl ParameterSets {
    /// The payloader's `config-interval`.
    pub(crate) fn interval(self) -> i32 {
        match self {
            ParameterSets::EveryKeyframe => -1,
            ParameterSets::EverySecond => 1,
            ParameterSets::DescriptionOnly => 0,
        }
    }
}

/// What a virtual camera is to be.
#[derive(Clone, Debug)]
pub struct CameraOptions {
    pub(crate) name: String,
    pub(crate) tag: u32,
    pub(crate) video: ClipSpec,
    pub(crate) sound: Sound,
    pub(crate) auth: Auth,
    pub(crate) transports: Transports,
    pub(crate) parameter_sets: ParameterSets,
    pub(crate) metadata: bool,
    pub(crate) port: u16,
    pub(crate) mount: &'static str,
    pub(crate) rtp_begin: Option<u32>,
    pub(crate) tls: bool,
    sub: Option<(ClipSpec, u32)>,
}

impl CameraOptions {
    /// A camera with this name (used in messages and as its id in configurations), this tag in its marks,
    /// and this picture; no sound, no authentication, any transport, any free port.
    pub fn new(name: &str, tag: u32, video: ClipSpec) -> Self {
        CameraOptions {
            name: name.to_owned(),
            tag,
            video,
            sound: Sound::None,
            auth: Auth::None,
            transports: Transports::Both,
            parameter_sets: ParameterSets::EveryKeyframe,
            metadata: false,
            port: 0,
            mount: MOUNT,
            rtp_begin: None,
            tls: false,
            sub: None,
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its picture.
    pub fn video(&self) -> &ClipSpec {
        &self.video
    }

    /// With this sound.
    pub fn sound(self, sound: Sound) -> Self {
        CameraOptions { sound, ..self }
    }

    /// Behind this authentication.
    pub fn auth(self, auth: Auth) -> Self {
        CameraOptions { auth, ..self }
    }

    /// With these transports alone.
    pub fn transports(self, transports: Transports) -> Self {
        CameraOptions { transports, ..self }
    }

    /// With parameter sets there.
    pub fn parameter_sets(self, parameter_sets: ParameterSets) -> Self {
        CameraOptions { parameter_sets, ..self }
    }

    /// With an ONVIF metadata track, one packet a second.
    pub fn metadata(self) -> Self {
        CameraOptions { metadata: true, ..self }
    }

    /// Over TLS, with a certificate that nobody has reason to trust.
    pub fn tls(self) -> Self {
        CameraOptions { tls: true, ..self }
    }

    /// With RTP timestamps of the picture that wrap around so long after a client's stream began.
    pub fn rtp_wraps_after(self, time: Duration) -> Self {
        let ticks = u32::try_from(time.as_millis() * 90).unwrap_or(u32::MAX);
        CameraOptions { rtp_begin: Some(u32::MAX - ticks), ..self }
    }

    /// With a second stream of this picture, whose marks carry this tag. It has a port, frame numbers and faults of its own.
    pub fn sub(self, video: ClipSpec, tag: u32) -> Self {
        CameraOptions { sub: Some((video, tag)), ..self }
    }

    /// On this TCP port.
    pub fn port(self, port: u16) -> Self {
        CameraOptions { port, ..self }
    }
}

/// A running virtual camera. Ends when it is dropped.
#[derive(Debug)]
pub struct VirtualCamera {
    options: CameraOptions,
    shared: Arc<Shared>,
    server: Server,
    feeder: Option<JoinHandle<()>>,
    sub: Option<Box<VirtualCamera>>,
}

impl VirtualCamera {
    /// Starts filming and listening. Encodes the clip first if no cache has it: that can take seconds.
    pub fn start(options: CameraOptions) -> Result<VirtualCamera, LabError> {
        crate::init()?;
        let second = options.sub.map(|(video, tag)| {
            let sub = CameraOptions { mount: SUB_MOUNT, ..CameraOptions::new(&options.name, tag, video) };
            VirtualCamera::start(sub.auth(options.auth.clone())).map(Box::new)
        });
        let sub = second.transpose()?;
        let clip = Clip::get(options.video)?;
        let tone = match options.sound {
            Sound::Sends(codec) => Some(Tone::get(codec)?),
            Sound::None | Sound::DeclaredOnly => None,
        };
        let shared = Arc::new(Shared::default());
        let caps = MediaCaps { video: clip.caps.clone(), sound: tone.as_ref().map(|tone| tone.caps.clone()) };
        let server = Server::start(&options, caps, shared.clone())?;
        let parameter_sets_in_band = options.parameter_sets != ParameterSets::DescriptionOnly;
        let feed = Feed { tag: options.tag, clip, tone, parameter_sets_in_band };
        let feeder = feeder::start(feed, shared.clone()).map_err(|source| LabError::Io {
            doing: format!("starting the feeder of {}", options.name),
            source,
        })?;
        Ok(VirtualCamera { options, shared, server, feeder: Some(feeder), sub })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.options.name
    }

    /// The tag in its marks.
    pub fn tag(&self) -> u32 {
        self.options.tag
    }

    /// The picture it was started with.
    pub fn video(&self) -> &ClipSpec {
        &self.options.video
    }

    /// Its sound track.
    pub fn sound(&self) -> Sound {
        self.options.sound
    }

    /// Its authentication.
    pub fn auth(&self) -> &Auth {
        &self.options.auth
    }

    /// Where to connect, without user and password.
    pub fn url(&self) -> String {
        let scheme = if self.options.tls { "rtsps" } else { "rtsp" };
        format!("{scheme}://127.0.0.1:{}{}", self.server.port(), self.options.mount)
    }

    /// Its second stream, which fails and recovers by itself.
    pub fn sub(&self) -> Option<&VirtualCamera> {
        self.sub.as_deref()
    }

    /// The camera is gone: its port refuses connections, those that were open are closed.
    /// It goes on filming, so frame numbers go on too.
    pub fn stop(&mut self) {
        self.server.close();
    }

    /// The camera is back, on the same port.
    pub fn restart(&mut self) -> Result<(), LabError> {
        self.server.listen()
    }

    /// The connection stays, no frame and no sound comes.
    pub fn stall(&self) {
        self.state().stalled = true;
    }

    /// Ends [`Self::stall`].
    pub fn resume(&self) {
        self.state().stalled = false;
    }

    /// From the next keyframe on the picture comes from another clip, say of another size.
    ///
    /// # Errors
    /// If that clip cannot be made, or has another codec or frame rate: the track would be another one.
    pub fn change_video(&self, spec: ClipSpec) -> Result<(), LabError> {
        if (spec.codec, spec.fps) != (self.options.video.codec, self.options.video.fps) {
            let problem = format!("cannot replace the picture of {}: other codec or frame rate", self.name());
            return Err(LabError::Clip { clip: format!("{spec:?}"), problem });
        }
        let clip = Clip::get(spec)?;
        self.state().next_clip = Some(clip);
        Ok(())
    }

    /// From now on each GOP shows this picture and the former one in turn; `None`: what it shows then, it keeps.
    ///
    /// # Errors
    /// As [`Self::change_video`].
    pub fn flap_video(&self, other: Option<ClipSpec>) -> Result<(), LabError> {
        let Some(other) = other else {
            self.state().flapping = None;
            return Ok(());
        };
        self.change_video(other)?;
        let clips = [Clip::get(other)?, Clip::get(self.options.video)?];
        self.state().flapping = Some(clips);
        Ok(())
    }

    /// Keyframes are left out, all else comes.
    pub fn drop_keyframes(&self, dropped: bool) {
        self.state().keyframes_dropped = dropped;
    }

    /// No picture comes, sound goes on.
    pub fn go_blind(&self, blind: bool) {
        self.state().blind = blind;
    }

    /// The sound track goes silent (no packets), the picture goes on.
    pub fn silence_sound(&self, silenced: bool) {
        self.state().silenced = silenced;
    }

    /// Overwrites bytes in this many of each thousand frames; their marks stay readable.
    pub fn garble(&self, per_mille: u32) {
        self.state().garbled_per_mille = per_mille;
    }

    /// The same, and their NAL units' headers are wrong too.
    pub fn garble_headers(&self, per_mille: u32) {
        let mut state = self.state();
        (state.garbled_per_mille, state.headers_garbled) = (per_mille, per_mille > 0);
    }

    /// Loses the last RTP packet of this many of each thousand frames. Its mark comes all the
    /// same, in a packet of its own, and a client takes the next frame for more of this one.
    pub fn lose_packets(&self, per_mille: u32) {
        self.state().torn_per_mille = per_mille;
    }

    /// Leaves out the next `count` frames.
    pub fn drop_frames(&self, count: u64) {
        self.state().frames_to_drop += count;
    }

    /// Sends only at multiples of `period`, then all at once; zero for in time again. What a congested radio link does.
    pub fn deliver_every(&self, period: Duration) {
        self.state().delivery = period;
        self.shared.changed.notify_all();
    }

    /// All timestamps jump by this much, in nanoseconds, now and for good.
    pub fn shift_timestamps(&self, nanos: i64) {
        self.state().timestamp_shift += nanos;
    }

    /// The camera's clock runs by so many millionths too fast (too slowly, if negative) from now on.
    pub fn drift(&self, millionths: i64) {
        let now = gst::SystemClock::obtain().time().nseconds();
        let mut state = self.state();
        // What it has gained so far stays gained.
        state.timestamp_shift = state.ahead_at(now);
        state.drift = (millionths, now);
    }

    /// Every frame from now on carries the same timestamp, until unfrozen.
    pub fn freeze_timestamps(&self, frozen: bool) {
        self.state().timestamps_frozen = frozen;
    }

    /// How many clients have been answered PLAY and are still there.
    pub fn watchers(&self) -> usize {
        self.state().watchers.len()
    }

    /// Every frame filmed so far, with its fate.
    pub fn log(&self) -> Vec<SentFrame> {
        self.state().log.clone()
    }

    /// The frames filmed from `from` (included) to `to` (excluded), in microseconds of UTC.
    pub fn filmed_between(&self, from: i64, to: i64) -> Vec<SentFrame> {
        let state = self.state();
        state.log.iter().filter(|frame| (from..to).contains(&frame.wall_micros)).copied().collect()
    }

    /// Frames that were sent while somebody watched.
    pub fn frames_sent(&self) -> usize {
        self.state().log.iter().filter(|frame| frame.fate == Fate::Sent).count()
    }

    /// Sound packets that were sent while somebody watched.
    pub fn sound_packets_sent(&self) -> u64 {
        self.state().sound_packets
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.shared.state)
    }
}

impl Drop for VirtualCamera {
    fn drop(&mut self) {
        self.state().ended = true;
        self.shared.changed.notify_all();
        if let Some(feeder) = self.feeder.take() {
            // A panic of the feeder was printed where it happened.
            let _ = feeder.join();
        }
    }
}
