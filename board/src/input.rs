//! The button: a part that is read.

use embedded_hal::digital::{InputPin, PinState};

use crate::{Operation, PinError, Polarity};

/// The one button. It tells the level of this moment, bounces and all: debouncing and gestures need time, which the core has.
#[derive(Debug)]
pub struct Button<P> {
    pin: P,
    polarity: Polarity,
}

impl<P: InputPin> Button<P> {
    /// Takes the pin over. Nothing is read yet.
    pub fn new(pin: P, polarity: Polarity) -> Self {
        Self { pin, polarity }
    }

    /// Whether the button is down at this moment.
    ///
    /// # Errors
    /// When the pin cannot be read. That is not "released": a button that cannot be read is a fault to be told.
    pub fn is_pressed(&mut self) -> Result<bool, PinError<P::Error>> {
        match self.pin.is_high() {
            Ok(high) => Ok(self.polarity.is_on(PinState::from(high))),
            Err(source) => Err(PinError { operation: Operation::ReadButton, source }),
        }
    }

    /// Gives the pin back as it is.
    pub fn release(self) -> P {
        self.pin
    }
}
