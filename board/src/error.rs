//! What went wrong with a pin: which part, doing what, and the pin's own reason.

use core::fmt;

use embedded_hal::digital::{Error, ErrorKind};

/// What was asked of a pin when it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// The LED was to be switched on or off.
    SwitchLed {
        /// What was wanted.
        on: bool,
    },
    /// The buzzer was to be switched on or off.
    SwitchBuzzer {
        /// What was wanted.
        on: bool,
    },
    /// The button was to be read.
    ReadButton,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SwitchLed { on: true } => "switch the LED on",
            Self::SwitchLed { on: false } => "switch the LED off",
            Self::SwitchBuzzer { on: true } => "switch the buzzer on",
            Self::SwitchBuzzer { on: false } => "switch the buzzer off",
            Self::ReadButton => "read the button",
        })
    }
}

/// A pin that failed. The part's state is then unknown: the caller asks again, or raises an alarm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PinError<E> {
    /// What was asked.
    pub operation: Operation,
    /// The pin's own error.
    pub source: E,
}

impl<E: Error> fmt::Display for PinError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Pins only promise a kind, and the HAL's own words for the commonest, `Other`, say less than ours.
        match self.source.kind() {
            ErrorKind::Other => write!(f, "cannot {}: {:?}", self.operation, self.source),
            kind => write!(f, "cannot {}: {kind}", self.operation),
        }
    }
}

impl<E: Error> core::error::Error for PinError<E> {}
