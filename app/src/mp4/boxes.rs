//! What writer and scanner share: the encoding that cannot fail, the epochs of MP4 and NTP, and a reader of
//! bytes that trusts no length.

use holdfast_wire::time::Wall;
use std::time::Duration;

/// Seconds from 1904-01-01, MP4's epoch, to 1970-01-01: 66 years, 17 of them leap.
const MP4_EPOCH: i64 = (66 * 365 + 17) * 86_400;

/// Seconds from 1900-01-01, NTP's epoch, to 1970-01-01: 70 years, 17 of them leap.
const NTP_EPOCH: i64 = (70 * 365 + 17) * 86_400;

/// Runs an encoding into a new buffer.
pub fn encoded(encode: impl FnOnce(&mut Vec<u8>) -> mp4_atom::Result<()>) -> Vec<u8> {
    let mut bytes = Vec::new();
    // mp4-atom fails to encode a box of over 4 GiB, text that is too long for its field, a composition
    // offset beyond 32 bits or a combination of fields that contradicts itself. Boxes made here hold
    // kilobytes, fixed texts, offsets of type i32, and no such combination: it cannot fail.
    encode(&mut bytes).expect("boxes of bounded size encode");
    bytes
}

/// A moment as `mvhd` and its kin tell it; zero for one before 1904.
pub fn creation_time(at: Wall) -> u64 {
    u64::try_from(at.as_micros().div_euclid(1_000_000).saturating_add(MP4_EPOCH)).unwrap_or(0)
}

/// A moment in NTP's 32.32 format, in whichever era it lies.
pub fn ntp_time(at: Wall) -> u64 {
    let seconds = at.as_micros().div_euclid(1_000_000).saturating_add(NTP_EPOCH);
    let micros = at.as_micros().rem_euclid(1_000_000);
    // Both casts keep the low 32 bits: NTP's eras wrap by definition, and the fraction is below 2^32.
    (seconds as u64) << 32 | (((micros as u64) << 32) / 1_000_000)
}

/// A moment some ticks after another.
pub fn wall_after(start: Wall, ticks: i64, timescale: u32) -> Wall {
    let micros = (i128::from(ticks) * 1_000_000).div_euclid(i128::from(timescale.max(1)));
    match i64::try_from(micros) {
        Ok(micros) if micros < 0 => start - Duration::from_micros(micros.unsigned_abs()),
        Ok(micros) => start + Duration::from_micros(micros.unsigned_abs()),
        Err(_) => Wall(if micros < 0 { i64::MIN } else { i64::MAX }),
    }
}

/// Bytes read from the front; `None` wherever there are not enough. Nothing in here panics or allocates,
/// whatever the bytes are: a damaged file must never stop the recorder. That is why files are not read by
/// mp4-atom, whose decoders know every box there is, and which nobody has tried with a disk's garbage.
#[derive(Clone, Copy)]
pub struct Bytes<'a>(pub &'a [u8]);

impl<'a> Bytes<'a> {
    /// The next `length` bytes.
    pub fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (front, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(front)
    }
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }
    /// The next four bytes as a number.
    pub fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }
    /// The next eight bytes as a number.
    pub fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }
    /// Version and flags of a full box.
    pub fn version_and_flags(&mut self) -> Option<(u8, u32)> {
        let [version, flags @ ..] = self.array::<4>()?;
        Some((version, u32::from_be_bytes([0, flags[0], flags[1], flags[2]])))
    }
    /// Enters the next box: its kind and body. `None` at the end, and where the rest is no whole box.
    pub fn child(&mut self) -> Option<([u8; 4], Bytes<'a>)> {
        let size = usize::try_from(self.u32()?).ok()?;
        let kind = self.array()?;
        // A box inside moov or moof never needs a 64-bit size (1) nor reaches to the end of the file (0).
        Some((kind, Bytes(self.take(size.checked_sub(8)?)?)))
    }
    /// The first box of this kind among those that follow.
    pub fn find(mut self, kind: &[u8; 4]) -> Option<Bytes<'a>> {
        loop {
            match self.child()? {
                (found, body) if found == *kind => return Some(body),
                _ => {}
            }
        }
    }
}
