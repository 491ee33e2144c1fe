//! The time of sound: the picture's, unless its stamps step when the picture's do not.
//!
//! Both tracks of a camera leap together, but their packets arrive interleaved: some of the one before and some of the
//! other after. So a step of the picture leaves the sound where it is until its own stamps step too.

use super::{JUMP, LEAST_STEP, STILL};

/// Sound that lies closer than this to the picture's time takes it exactly: both stepped, each by what it saw.
const TOGETHER: i64 = JUMP / 2;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Sound {
    /// By how much its offset is more than the video's.
    delta: i64,
    last: Option<Heard>,
    /// Its stamps stand still.
    stands: bool,
}

#[derive(Clone, Copy, Debug)]
struct Heard {
    raw: i64,
    shown: i64,
    arrival: i64,
}

impl Sound {
    /// The video's offset moved the other way: sound that has begun moves by this against it.
    pub fn follow(&mut self, by: i64) {
        if self.last.is_none() {
            return;
        }
        self.delta = self.delta.saturating_add(by);
        if self.delta.abs() < TOGETHER {
            self.delta = 0;
        }
    }

    /// Whether the last packet came late.
    pub fn is_late(&self) -> bool {
        self.last.is_some_and(|last| last.arrival - last.shown > JUMP)
    }

    /// Time of a packet that has `by_video` by the video's offset, and lasts `duration`: 0 if that is not known.
    pub fn place(&mut self, raw: i64, by_video: i64, arrival: i64, duration: i64) -> i64 {
        let Some(last) = self.last else {
            self.last = Some(Heard { raw, shown: by_video, arrival });
            return by_video;
        };
        let expected = last.shown.saturating_add((arrival - last.arrival).max(LEAST_STEP));
        let shown = if (raw - last.raw).abs() < STILL {
            self.stands = true;
            // In its own rhythm, as long as that is near to arrival: packets of sound come in bursts.
            let next = last.shown.saturating_add(duration);
            if duration > 0 && (next - expected).abs() < TOGETHER { next } else { expected }
        } else {
            let shown = by_video.saturating_add(self.delta);
            let lateness = arrival - shown;
            let stood = std::mem::take(&mut self.stands) && (shown - expected).abs() > JUMP;
            let fell = raw - last.raw < -JUMP && lateness > JUMP;
            if stood || fell || lateness < -JUMP {
                let own = expected - by_video;
                self.delta = if own.abs() < JUMP { 0 } else { own };
            }
            // Packets come in order, so none runs back where both tracks are brought together.
            by_video.saturating_add(self.delta).max(last.shown.saturating_add(LEAST_STEP))
        };
        self.last = Some(Heard { raw, shown, arrival });
        shown
    }
}
