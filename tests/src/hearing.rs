//! Sound in recorded files: whether all of it is there, and whether it comes when the picture does.
//!
//! Picture and sound of a virtual camera come from one schedule (see [`crate::feeder`]): frame n belongs to
//! `epoch + n / fps`, packet k to `epoch + k * samples / rate`. A packet that was kept as it was sent is known by
//! its bytes, so a file's times can be held against that schedule to the millisecond.

use crate::camera::VirtualCamera;
use crate::clip::Clip;
use crate::read::{self, Footage};
use crate::sound::{SoundCodec, Tone};
use crate::{LabError, sound};
use std::collections::HashMap;
use std::path::PathBuf;

/// Microseconds in a second.
const SECOND: i64 = 1_000_000;

/// By so much, in microseconds, the time of a connection is moved in small steps where the machine was too busy at its start to
/// see when the first packets came; what is more is a jump (the recorder's own limit, in `ingest/timeline.rs`).
const MOVED: i64 = 400_000;

/// Where a sound packet lies on the wall clock.
#[derive(Clone, Copy, Debug)]
struct Heard {
    /// Microseconds of UTC.
    at: i64,
    /// Its length, in microseconds.
    length: i64,
    fingerprint: u64,
}

fn heard(parts: &[(PathBuf, Footage)]) -> Vec<Heard> {
    let line = parts.iter().filter_map(|(_, footage)| Some((footage.anchor?, footage)));
    line.flat_map(|(anchor, footage)| {
        footage.sound.iter().map(move |sample| Heard {
            at: anchor + (sample.pts / 1000) as i64,
            length: (sample.duration / 1000) as i64,
            fingerprint: sample.fingerprint,
        })
    })
    .collect()
}

/// Samples in one packet of a recorded file: G.711 is kept as FLAC, in blocks of its own.
fn packet_micros(codec: SoundCodec, sent: bool) -> i64 {
    let samples = match codec {
        SoundCodec::Pcma | SoundCodec::Pcmu if !sent => 1024,
        SoundCodec::Aac | SoundCodec::Opus | SoundCodec::Pcma | SoundCodec::Pcmu => {
            codec.samples_per_packet()
        }
    };
    i64::from(samples) * SECOND / i64::from(codec.rate())
}

/// Whether the sound runs on without a hole or an overlap over all files, and is as long as the picture. One
/// sentence for each thing that is wrong.
pub fn continuity(codec: SoundCodec, parts: &[(PathBuf, Footage)]) -> Vec<String> {
    let mut findings = Vec::new();
    let line = heard(parts);
    let (Some(first), Some(last)) = (line.first(), line.last()) else {
        return vec!["there is no sound".to_owned()];
    };
    let packet = packet_micros(codec, false);
    for pair in line.windows(2) {
        // Where the camera's clocks differ by half a packet, one packet makes up for it; a lost one is twice as long.
        // The last block before a border may be shorter: its own length counts. And a file begins with its picture:
        // a packet that lies across that moment is moved by up to half its length, and the next ones are not.
        let step = pair[1].at - pair[0].at;
        if (step - pair[0].length).abs() > packet * 3 / 4 || pair[0].length > packet * 7 / 4 {
            let at = pair[0].at - first.at;
            let length = pair[0].length;
            findings
                .push(format!("sound: {step} µs to the next packet of {length} µs, {at} µs from the start"));
        }
    }
    let span = last.at + last.length - first.at;
    let packets = span / packet;
    let count = line.len() as i64;
    // Lost packets make the count smaller than the time says, whatever durations the file gives. Less than `MOVED` of them stands
    // out above, packet by packet.
    if (count - packets).abs() > 1 + MOVED / packet {
        findings.push(format!("sound: {count} packets in {span} µs, which is room for {packets}"));
    }
    let frames = parts.iter().filter_map(|(_, footage)| Some((footage.anchor?, footage)));
    let times = frames.flat_map(|(anchor, footage)| {
        footage.video.iter().map(move |sample| anchor + (sample.pts / 1000) as i64)
    });
    let (begin, end) = times.fold((i64::MAX, i64::MIN), |(a, b), at| (a.min(at), b.max(at)));
    if first.at - begin > SECOND / 5 || end - (last.at + last.length) > SECOND / 2 {
        let (late, early) = (first.at - begin, end - last.at - last.length);
        findings.push(format!("sound begins {late} µs after the picture and ends {early} µs before it"));
    }
    findings
}

/// By how many microseconds the sound is late against the picture, at worst; negative if it is early. `None`
/// where no packet can be known by its bytes.
///
/// # Errors
/// If the camera's clip or tone cannot be had again.
pub fn lag(
    camera: &VirtualCamera,
    codec: SoundCodec,
    parts: &[(PathBuf, Footage)],
) -> Result<Option<i64>, LabError> {
    let (clip, tone) = (Clip::get(*camera.video())?, Tone::get(codec)?);
    let log = camera.log();
    let fps = i64::from(clip.spec.fps);
    // The camera's epoch on the wall clock, as the files have it, by each frame.
    let mut epochs: Vec<i64> = Vec::new();
    for (_, footage) in parts {
        let Some(anchor) = footage.anchor else { continue };
        for sample in &footage.video {
            let Some(sent) = sample.mark.and_then(|mark| log.get(mark.number as usize)) else { continue };
            let shown = (sent.presentation + u64::from(clip.depth)) as i64 * SECOND / fps;
            epochs.push(anchor + (sample.pts / 1000) as i64 - shown);
        }
    }
    epochs.sort_unstable();
    let Some(&epoch) = epochs.get(epochs.len() / 2) else { return Ok(None) };
    let known = places(&tone);
    let packet = packet_micros(codec, true);
    let round = packet * tone.packets.len() as i64;
    let late = heard(parts).into_iter().filter_map(|heard| {
        let place = *known.get(&heard.fingerprint)?;
        // The tone is a loop: what is left of the time after whole rounds, nearest to zero.
        let off = (heard.at - epoch - place * packet).rem_euclid(round);
        Some(if off > round / 2 { off - round } else { off })
    });
    Ok(late.max_by_key(|off| off.abs()))
}

/// Place in the loop by fingerprint, of packets that occur once in it.
fn places(tone: &sound::Tone) -> HashMap<u64, i64> {
    let mut found: HashMap<u64, Option<i64>> = HashMap::new();
    for (place, packet) in (0..).zip(&tone.packets) {
        let print = packet.map_readable().map_or(0, |map| read::fingerprint(&map));
        found.entry(print).and_modify(|place| *place = None).or_insert(Some(place));
    }
    found.into_iter().filter_map(|(print, place)| Some((print, place?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::{SoundSample, VideoSample};

    const PACKET: u64 = 20_000_000;

    /// One file of Opus packets at these places, beside picture from 0 to 2 s.
    fn file(anchor: i64, places: impl Iterator<Item = u64>) -> (PathBuf, Footage) {
        let sound = places.map(|place| SoundSample {
            pts: place * PACKET,
            duration: PACKET,
            size: 1,
            fingerprint: place,
        });
        let video = (0..50).map(|n| VideoSample {
            pts: n * 40_000_000,
            dts: None,
            keyframe: n == 0,
            size: 1,
            mark: None,
        });
        let footage = Footage {
            anchor: Some(anchor),
            sound: sound.collect(),
            video: video.collect(),
            ..Footage::default()
        };
        (PathBuf::from("a"), footage)
    }

    #[test]
    fn a_hole_a_lost_packet_and_sound_that_ends_early_are_found() {
        let whole = || file(0, 0..100);
        let second = |anchor| file(anchor, 0..100);
        let mut stretched = file(0, (0..100).filter(|place| *place != 50));
        stretched.1.sound[49].duration = 2 * PACKET;
        let cases = [
            ("all is there", vec![whole(), second(2 * SECOND)], 0),
            ("a hole at the border", vec![whole(), second(2 * SECOND + 30_000)], 1),
            ("an overlap at the border", vec![whole(), second(2 * SECOND - 18_000)], 1),
            ("a packet is lost", vec![file(0, (0..100).filter(|place| *place != 50))], 1),
            ("a packet is lost and the one before is longer", vec![stretched], 1),
            ("it ends early", vec![file(0, 0..60)], 1),
            ("it begins late", vec![file(0, 20..100)], 1),
            ("there is none", vec![file(0, 0..0)], 1),
        ];
        for (name, parts, expected) in cases {
            let found = continuity(SoundCodec::Opus, &parts);
            assert_eq!(found.len(), expected, "{name}: {found:?}");
        }
    }
}
