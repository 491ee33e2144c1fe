//! How a board is wired: which level of a pin means "on".

use embedded_hal::digital::PinState;

/// Which level of a pin means "on" (an output) or "pressed" (an input). A fact of the board, from its profile.
///
/// The levels are electrical: the pin that is handed to this crate must not invert on its own, or the
/// two inversions cancel each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Polarity {
    /// High means on: the part hangs between the pin and ground.
    ActiveHigh,
    /// Low means on: the part hangs between the supply and the pin, or a button pulls a pulled-up pin to ground.
    ActiveLow,
}

impl Polarity {
    /// The level that makes a part `on`, or off.
    #[must_use]
    pub fn level(self, on: bool) -> PinState {
        match self {
            Self::ActiveHigh => PinState::from(on),
            Self::ActiveLow => PinState::from(!on),
        }
    }

    /// Whether a part that is read at `level` is on.
    #[must_use]
    pub fn is_on(self, level: PinState) -> bool {
        self.level(true) == level
    }
}
