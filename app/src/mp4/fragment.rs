//! The boxes before a fragment's data: `prft`, `moof`, the header of `mdat`.

use super::boxes::encoded;
use super::init::{NOT_SYNC, SYNC, track_id};
use super::timing::Times;
use mp4_atom::{Encode, Mfhd, Moof, Prft, ReferenceTime, Tfdt, Tfhd, Traf, Trun, TrunEntry, TrunSamples};

/// Length of the header of `mdat`: size and kind. [`MAX_DATA`] keeps the size within its 32 bits.
const MDAT_HEADER: usize = 8;

/// Most data of one fragment, in bytes: the offsets of `trun` are signed 32-bit numbers. The muxer cuts
/// before.
pub const MAX_DATA: u64 = 1 << 30;

/// One track's part of a fragment. Not empty.
pub struct Run {
    /// Place of the track in the list.
    pub track: usize,
    /// When.
    pub times: Times,
    /// Of each sample, its length in bytes and whether decoding can begin there.
    pub samples: Vec<(u32, bool)>,
}

/// When the first sample was received.
pub struct Reference {
    /// The track of the sample.
    pub track: usize,
    /// In NTP's format.
    pub ntp: u64,
    /// Its presentation time in the file, in ticks.
    pub media_time: u64,
    /// Whether the wall clock was trusted.
    pub trusted: bool,
}

/// The boxes for these runs, whose data follows in the same order.
pub fn encode(sequence: u32, reference: &Reference, runs: &[Run]) -> Vec<u8> {
    let data: u64 = runs.iter().map(Run::length).sum();
    // The boxes' length does not depend on the offsets in them: encode once to learn it, once for good.
    let moof_length = encoded(|buf| moof(sequence, runs, 0).encode(buf)).len();
    encoded(|buf| {
        Prft {
            reference_track_id: track_id(reference.track),
            ntp_timestamp: reference.ntp,
            media_time: reference.media_time,
            utc_time_semantics: if reference.trusted {
                ReferenceTime::RealTime
            } else {
                ReferenceTime::Consistent
            },
        }
        .encode(buf)?;
        moof(sequence, runs, moof_length + MDAT_HEADER).encode(buf)?;
        u32::try_from(data + MDAT_HEADER as u64).unwrap_or(u32::MAX).encode(buf)?;
        b"mdat".encode(buf)
    })
}

impl Run {
    fn length(&self) -> u64 {
        self.samples.iter().map(|(length, _)| u64::from(*length)).sum()
    }
}

fn moof(sequence: u32, runs: &[Run], data_at: usize) -> Moof {
    let mut offset = data_at as u64;
    let traf = runs
        .iter()
        .map(|run| {
            let here = offset;
            offset += run.length();
            traf(run, i32::try_from(here).unwrap_or(i32::MAX))
        })
        .collect();
    Moof { mfhd: Mfhd { sequence_number: sequence }, traf }
}

fn traf(run: &Run, data_offset: i32) -> Traf {
    // The usual case costs no flags per sample: all alike, or a keyframe first and none after it.
    let usual = if run.samples.iter().skip(1).all(|(_, sync)| *sync) { SYNC } else { NOT_SYNC };
    let flags = |sync: bool| if sync { SYNC } else { NOT_SYNC };
    let first_differs = run.samples.first().is_some_and(|(_, sync)| flags(*sync) != usual);
    let others_alike = run.samples.iter().skip(1).all(|(_, sync)| flags(*sync) == usual);
    let reordered = run.times.offsets.iter().any(|offset| *offset != 0);
    let entries = run.samples.iter().enumerate().map(|(at, (length, sync))| TrunEntry {
        duration: run.times.durations.get(at).copied(),
        size: Some(*length),
        flags: if !others_alike || (at == 0 && first_differs) { Some(flags(*sync)) } else { None },
        cts: if reordered { run.times.offsets.get(at).copied().map(i64::from) } else { None },
    });
    Traf {
        tfhd: Tfhd {
            track_id: track_id(run.track),
            default_sample_flags: Some(usual),
            default_base_is_moof: true,
            ..Tfhd::default()
        },
        tfdt: Some(Tfdt { base_media_decode_time: run.times.start }),
        trun: vec![Trun {
            data_offset: Some(data_offset),
            samples: TrunSamples::Explicit(entries.collect()),
        }],
        ..Traf::default()
    }
}
