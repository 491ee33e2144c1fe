//! Whether the video's format changes because the camera changes it, or because its parameter sets came damaged.
//!
//! Words: a format is **known** if it was the connection's first, held for two keyframes, or came a second time; until then it is in
//! **doubt**. Bits that are wrong make formats that nobody ever sees again: one of them lasts until the next keyframe, with
//! which the known one is back. What came meanwhile is damaged, since its decoder was told something else than was meant.
//!
//! | what comes | is |
//! |---|---|
//! | a new format, then the known one again | damage: all units of the new one |
//! | a new format that stays, or comes again later | a change |
//! | new formats only, one for each keyframe | changes: some encoders make a new picture parameter set for each GOP |

use std::collections::VecDeque;
use std::sync::Arc;

use crate::mp4::TrackConfig;

/// A format that holds for so many keyframes is known.
const HOLDS: u32 = 2;

/// More new formats in a row than this are the camera's own. Damage that hits as many keyframes one after the other is
/// seen in the frames themselves.
const MOST_IN_DOUBT: u64 = 3;

/// Formats that are remembered: day and night, with and without a second profile, and some that were damaged.
const REMEMBERED: usize = 8;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Formats {
    now: Option<Arc<TrackConfig>>,
    known: Option<Arc<TrackConfig>>,
    /// Keyframes of the one that comes now.
    keyframes: u32,
    doubt: Option<Doubt>,
    /// What came, the newest last.
    remembered: VecDeque<Arc<TrackConfig>>,
}

/// Formats that nobody has seen before follow the known one.
#[derive(Debug)]
struct Doubt {
    changes: u64,
    /// How many units had come before.
    since: u64,
}

/// What is certain now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Judgement {
    /// Changes of the format.
    pub changes: u64,
    /// Units that came with damaged parameter sets.
    pub damaged: u64,
}

impl Formats {
    /// The format of what comes now, once it is there. The same `Arc` as before, if it is the same.
    pub fn same(&self, config: &TrackConfig) -> Option<Arc<TrackConfig>> {
        self.now.as_ref().filter(|now| ***now == *config).map(Arc::clone)
    }

    /// The connection's first format.
    pub fn is_first(&self) -> bool {
        self.now.is_none()
    }

    /// Another format comes, behind `units` units of the connection.
    pub fn changed(&mut self, config: &Arc<TrackConfig>, units: u64) -> Judgement {
        let came_before = self.remembered.contains(config);
        if !came_before {
            if self.remembered.len() == REMEMBERED {
                self.remembered.pop_front();
            }
            self.remembered.push_back(Arc::clone(config));
        }
        self.keyframes = 0;
        if self.now.replace(Arc::clone(config)).is_none() {
            self.known = Some(Arc::clone(config));
            return Judgement::default();
        }
        if self.known.as_ref() == Some(config) {
            let damaged = self.doubt.take().map_or(0, |doubt| units.saturating_sub(doubt.since));
            return Judgement { damaged, ..Judgement::default() };
        }
        let doubt = self.doubt.get_or_insert(Doubt { changes: 0, since: units });
        doubt.changes += 1;
        if came_before || doubt.changes > MOST_IN_DOUBT { self.accept() } else { Judgement::default() }
    }

    /// A keyframe of it came.
    pub fn keyframe(&mut self) -> Judgement {
        self.keyframes = self.keyframes.saturating_add(1);
        if self.keyframes == HOLDS { self.accept() } else { Judgement::default() }
    }

    /// What comes now is known from now on.
    fn accept(&mut self) -> Judgement {
        let changes = self.doubt.take().map_or(0, |doubt| doubt.changes);
        self.known = self.now.clone();
        Judgement { changes, ..Judgement::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// GOPs of ten units, each of the format of its letter: what is judged in all.
    fn judge(gops: &str) -> (u64, u64) {
        let mut formats = Formats::default();
        let mut sum = (0, 0);
        let mut units = 0;
        for letter in gops.bytes() {
            let config = TrackConfig::H264 { codec_data: vec![letter], width: 320, height: 180 };
            let mut judgements = Vec::new();
            if formats.same(&config).is_none() {
                judgements.push(formats.changed(&Arc::new(config), units));
            }
            judgements.push(formats.keyframe());
            for Judgement { changes, damaged } in judgements {
                sum = (sum.0 + changes, sum.1 + damaged);
            }
            units += 10;
        }
        sum
    }

    #[test]
    fn what_a_camera_changes_is_told_from_what_was_damaged_on_the_way() {
        // (name, GOPs, changes, damaged units)
        let cases = [
            ("one format", "aaaaaaaaaa", 0, 0),
            ("another one, for good", "aaaabbbbbb", 1, 0),
            ("another one, from the second GOP on", "abbbbb", 1, 0),
            ("a profile for the night", "aaabbbaaabbb", 3, 0),
            ("a damaged parameter set", "aaaxaaaaaa", 0, 10),
            ("damaged ones again and again", "aaaxaayaazaa", 0, 30),
            ("two damaged ones in a row", "aaaxyaaa", 0, 20),
            ("damaged ones of a profile for the night", "aabbxbbybbaa", 2, 20),
            ("the first of all is damaged", "xaaaaaaa", 1, 0),
            // Until the second one comes again it might be damaged.
            ("one that flaps with each GOP", "abababababab", 9, 10),
            ("a new one with each GOP", "abcdefghijklmnop", 12, 0),
        ];
        for (name, gops, changes, damaged) in cases {
            assert_eq!(judge(gops), (changes, damaged), "{name}");
        }
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut formats = Formats::default();
        for number in 0..1000_u16 {
            let codec_data = number.to_be_bytes().to_vec();
            formats.changed(&Arc::new(TrackConfig::H264 { codec_data, width: 320, height: 180 }), 0);
        }
        assert_eq!(formats.remembered.len(), REMEMBERED);
    }
}
