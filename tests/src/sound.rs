//! Sound for the virtual cameras: two seconds of a tone, encoded once, sent in a loop.

use crate::{LabError, cache, clip};
use gstreamer as gst;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};

/// Raised whenever the way of making tones changes.
const CACHE_VERSION: u32 = 1;

/// How a camera's sound is coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SoundCodec {
    /// AAC-LC, 48 kHz, one channel, 1024 samples a packet.
    Aac,
    /// Opus, 48 kHz clock, one channel, 20 ms a packet.
    Opus,
    /// G.711 A-law, 8 kHz, 20 ms a packet.
    Pcma,
    /// G.711 µ-law, 8 kHz, 20 ms a packet.
    Pcmu,
}

impl SoundCodec {
    /// Samples a second, which is its RTP clock too.
    pub fn rate(self) -> u32 {
        match self {
            SoundCodec::Aac | SoundCodec::Opus => 48_000,
            SoundCodec::Pcma | SoundCodec::Pcmu => 8_000,
        }
    }

    /// Samples in each packet.
    pub fn samples_per_packet(self) -> u32 {
        match self {
            SoundCodec::Aac => 1024,
            SoundCodec::Opus => 960,
            SoundCodec::Pcma | SoundCodec::Pcmu => 160,
        }
    }

    fn encoder(self) -> String {
        let (rate, samples) = (self.rate(), self.samples_per_packet());
        let coder = match self {
            SoundCodec::Aac => "avenc_aac bitrate=64000 ! audio/mpeg,mpegversion=4,stream-format=raw",
            SoundCodec::Opus => "opusenc bitrate=32000 frame-size=20",
            SoundCodec::Pcma => "alawenc",
            SoundCodec::Pcmu => "mulawenc",
        };
        let packets = 2 * rate / samples;
        format!(
            "audiotestsrc wave=sine freq=440 volume=0.2 samplesperbuffer={samples} num-buffers={packets} \
             ! audioconvert ! audio/x-raw,rate={rate},channels=1 ! {coder} ! appsink name=out sync=false"
        )
    }
}

/// Encoded sound, ready to be sent in a loop.
#[derive(Debug)]
pub struct Tone {
    /// How it is coded.
    pub codec: SoundCodec,
    /// GStreamer caps of the packets.
    pub caps: gst::Caps,
    /// The packets, each [`SoundCodec::samples_per_packet`] long.
    pub packets: Vec<gst::Memory>,
}

impl Tone {
    /// The tone, from memory, from the cache, or encoded now.
    pub fn get(codec: SoundCodec) -> Result<Arc<Tone>, LabError> {
        static MADE: OnceLock<Mutex<HashMap<SoundCodec, Arc<Tone>>>> = OnceLock::new();
        let mut made = crate::lock(MADE.get_or_init(Mutex::default));
        if let Some(tone) = made.get(&codec) {
            return Ok(tone.clone());
        }
        crate::init()?;
        let key = format!("{codec:?}-v{CACHE_VERSION}");
        let stored = cache::load_or(&key, || clip::encode(&codec.encoder()))?;
        let problem =
            || LabError::Clip { clip: key.clone(), problem: "has caps that cannot be read".to_owned() };
        let caps = stored.caps.parse::<gst::Caps>().map_err(|_| problem())?;
        let memory = gst::Memory::from_slice(stored.data);
        let mut offset = 0;
        let packets = stored.units.iter().map(|unit| {
            offset += unit.size;
            memory.share(offset - unit.size..offset)
        });
        let tone = Arc::new(Tone { codec, caps, packets: packets.collect() });
        made.insert(codec, tone.clone());
        Ok(tone)
    }
}
