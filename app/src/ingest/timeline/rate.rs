//! Whether raw time runs at a rate of its own, far from arrival's: a camera that films at another frame rate than it stamps by, by
//! night or under load.
//!
//! It looks like a network that holds back more and more, so it is believed only after two windows. From then on time goes as
//! arrival does, until raw time keeps up with that again.

use super::{FAST_SLEW_PER_SECOND, JUMP, WINDOW, Window};

/// Windows in a row that end so late before it is believed: the first may be a network that stood.
const BELIEVED: u8 = 2;

/// Raw time that falls behind by no more than this in a window keeps up: what is left can be followed.
const KEEPS_UP: i64 = FAST_SLEW_PER_SECOND * (WINDOW / 1_000_000_000) * 2 / 3;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Rate {
    late_windows: u8,
    /// Of raw lateness, while it is off.
    window: Option<Window>,
    /// The least of the window before.
    before: Option<i64>,
}

impl Rate {
    /// A window ended with this least lateness.
    pub fn window_ended(&mut self, least: i64) {
        self.late_windows = if least > JUMP { self.late_windows.saturating_add(1) } else { 0 };
    }

    /// Whether raw time is not to be believed.
    pub fn is_off(&self) -> bool {
        self.late_windows >= BELIEVED
    }

    /// A unit came while it is not. Whether it is to be believed again.
    pub fn keeps_up(&mut self, raw: i64, arrival: i64) -> bool {
        let least = Window::take(&mut self.window, WINDOW, arrival, arrival - raw);
        let Some(least) = least else { return false };
        let kept = self.before.replace(least).is_some_and(|before| (least - before).abs() <= KEEPS_UP);
        if kept {
            self.begin_anew();
        }
        kept
    }

    /// Raw time stepped: it is looked at anew.
    pub fn begin_anew(&mut self) {
        *self = Rate::default();
    }
}
