//! The few MP4 boxes that say when a recording was made, read with a parser of the lab's own.
//!
//! Words: **prft** (producer reference time) stands before a fragment and gives the wall clock for a media
//! time of one track; the **anchor** of a file is the wall clock at its media time zero.

use crate::LabError;
use std::collections::HashMap;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

/// Seconds from the NTP epoch (1900) to the Unix epoch (1970): 70 years, 17 of them leap years.
const NTP_TO_UNIX: i64 = 2_208_988_800;
/// Largest moov or prft that is taken for real: a recorder's moov of two tracks has a few kB.
const MOST_METADATA: u64 = 1 << 20;

/// The wall clock (microseconds of UTC since 1970) at media time zero, as each prft of the file has it.
/// Empty if the file has none.
pub fn anchors(path: &Path) -> Result<Vec<i64>, LabError> {
    let failed = |source| LabError::Io { doing: format!("reading the boxes of {}", path.display()), source };
    let mut file = File::open(path).map_err(failed)?;
    let length = file.metadata().map_err(failed)?.len();
    let mut timescales = HashMap::new();
    let mut anchors = Vec::new();
    let mut at = 0;
    while at + 8 <= length {
        let mut header = [0; 16];
        file.seek(SeekFrom::Start(at)).map_err(failed)?;
        let got = file.read(&mut header).map_err(failed)?;
        let Some((kind, head, size)) = box_header(&header[..got]) else { break };
        let body = size - head;
        if at + size > length {
            break;
        }
        if matches!(&kind, b"moov" | b"prft") && body <= MOST_METADATA {
            let mut content = vec![0; body as usize];
            file.seek(SeekFrom::Start(at + head)).map_err(failed)?;
            file.read_exact(&mut content).map_err(failed)?;
            if &kind == b"moov" {
                timescales = track_timescales(&content);
            } else if let Some(anchor) = anchor(&content, &timescales) {
                anchors.push(anchor);
            }
        }
        at += size;
    }
    Ok(anchors)
}

/// Kind, length of the header and of the whole box. `None` where no box can be.
fn box_header(bytes: &[u8]) -> Option<([u8; 4], u64, u64)> {
    let size = u32::from_be_bytes(*bytes.first_chunk()?);
    let kind = *bytes.get(4..)?.first_chunk()?;
    let (head, size) = match size {
        1 => (16, u64::from_be_bytes(*bytes.get(8..)?.first_chunk()?)),
        _ => (8, u64::from(size)),
    };
    (size >= head).then_some((kind, head, size))
}

/// The boxes inside a box, up to the first that does not fit.
fn children(content: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    let mut rest = content;
    std::iter::from_fn(move || {
        let (kind, head, size) = box_header(rest)?;
        let body = rest.get(head as usize..usize::try_from(size).ok()?)?;
        rest = &rest[size as usize..];
        Some((kind, body))
    })
}

fn child<'a>(content: &'a [u8], wanted: &[u8; 4]) -> Option<&'a [u8]> {
    children(content).find_map(|(kind, body)| (&kind == wanted).then_some(body))
}

fn track_timescales(moov: &[u8]) -> HashMap<u32, u32> {
    let tracks = children(moov).filter(|(kind, _)| kind == b"trak");
    tracks
        .filter_map(|(_, trak)| {
            let tkhd = child(trak, b"tkhd")?;
            let mdhd = child(child(trak, b"mdia")?, b"mdhd")?;
            // Both begin with version and flags, creation and modification time (8 bytes each in version 1).
            let id = tkhd.get(if *tkhd.first()? == 1 { 20 } else { 12 }..)?;
            let scale = mdhd.get(if *mdhd.first()? == 1 { 20 } else { 12 }..)?;
            Some((u32::from_be_bytes(*id.first_chunk()?), u32::from_be_bytes(*scale.first_chunk()?)))
        })
        .collect()
}

fn anchor(prft: &[u8], timescales: &HashMap<u32, u32>) -> Option<i64> {
    let track = u32::from_be_bytes(*prft.get(4..)?.first_chunk()?);
    let ntp = u64::from_be_bytes(*prft.get(8..)?.first_chunk()?);
    let media = match prft.first()? {
        0 => i128::from(u32::from_be_bytes(*prft.get(16..)?.first_chunk()?)),
        _ => i128::from(u64::from_be_bytes(*prft.get(16..)?.first_chunk()?)),
    };
    let scale = i128::from(*timescales.get(&track)?);
    let seconds = i64::try_from(ntp >> 32).ok()? - NTP_TO_UNIX;
    let micros = i64::try_from(((ntp & 0xffff_ffff) * 1_000_000) >> 32).ok()?;
    let offset = i64::try_from((media * 1_000_000).checked_div(scale)?).ok()?;
    Some(seconds * 1_000_000 + micros - offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boxed(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
        [&(content.len() as u32 + 8).to_be_bytes(), &kind[..], content].concat()
    }

    fn a_file(media_time: u64) -> Vec<u8> {
        let tkhd = boxed(b"tkhd", &[&[0; 12][..], &7u32.to_be_bytes()].concat());
        let mdhd = boxed(b"mdhd", &[&[0; 12][..], &90_000u32.to_be_bytes()].concat());
        let trak = boxed(b"trak", &[tkhd, boxed(b"mdia", &mdhd)].concat());
        let ntp = (u64::try_from(NTP_TO_UNIX).unwrap() + 1_000) << 32 | 1 << 31;
        let prft =
            [&[1, 0, 0, 0][..], &7u32.to_be_bytes(), &ntp.to_be_bytes(), &media_time.to_be_bytes()].concat();
        [boxed(b"ftyp", b"iso6"), boxed(b"moov", &trak), boxed(b"prft", &prft), boxed(b"mdat", &[0; 99])]
            .concat()
    }

    #[test]
    fn the_anchor_is_the_wall_clock_at_media_time_zero() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.mp4");
        for (name, media_time, anchor) in
            [("first fragment", 0, 1_000_500_000), ("two seconds in", 180_000, 998_500_000)]
        {
            std::fs::write(&path, a_file(media_time)).unwrap();
            assert_eq!(anchors(&path).unwrap(), [anchor], "{name}");
        }
    }

    #[test]
    fn a_file_cut_anywhere_or_ending_in_zeros_is_read_as_far_as_it_goes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.mp4");
        let whole = a_file(0);
        for length in 0..whole.len() {
            std::fs::write(&path, &whole[..length]).unwrap();
            assert!(anchors(&path).unwrap().len() <= 1, "cut at {length}");
        }
        std::fs::write(&path, [whole, vec![0; 64]].concat()).unwrap();
        assert_eq!(anchors(&path).unwrap().len(), 1);
    }
}
