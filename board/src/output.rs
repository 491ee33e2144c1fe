//! The LED and the buzzer: parts that are switched.

use embedded_hal::digital::OutputPin;

use crate::{Operation, PinError, Polarity};

/// The status LED.
#[derive(Debug)]
pub struct Led<P>(Output<P>);

impl<P: OutputPin> Led<P> {
    /// Takes the pin over and switches the LED off, so that what it shows is known from here on.
    ///
    /// # Errors
    /// When the pin refuses; it is lost with the error, as its state is unknown.
    pub fn new(pin: P, polarity: Polarity) -> Result<Self, PinError<P::Error>> {
        let mut led = Self(Output { pin, polarity });
        led.set(false)?;
        Ok(led)
    }

    /// Switches the LED. The pin is written each time, also when nothing changes: after an error the same call repairs it.
    ///
    /// # Errors
    /// When the pin refuses; what the LED shows is then unknown.
    pub fn set(&mut self, on: bool) -> Result<(), PinError<P::Error>> {
        self.0.set(on).map_err(|source| PinError { operation: Operation::SwitchLed { on }, source })
    }

    /// Gives the pin back as it is.
    pub fn release(self) -> P {
        self.0.pin
    }
}

/// The buzzer: one that sounds by itself while it is switched on.
#[derive(Debug)]
pub struct Buzzer<P>(Output<P>);

impl<P: OutputPin> Buzzer<P> {
    /// Takes the pin over and switches the buzzer off: a board's reset state may well sound.
    ///
    /// # Errors
    /// When the pin refuses; it is lost with the error, as its state is unknown.
    pub fn new(pin: P, polarity: Polarity) -> Result<Self, PinError<P::Error>> {
        let mut buzzer = Self(Output { pin, polarity });
        buzzer.set(false)?;
        Ok(buzzer)
    }

    /// Switches the buzzer. The pin is written each time, also when nothing changes: after an error the same call repairs it.
    ///
    /// # Errors
    /// When the pin refuses; whether it sounds is then unknown.
    pub fn set(&mut self, on: bool) -> Result<(), PinError<P::Error>> {
        self.0.set(on).map_err(|source| PinError { operation: Operation::SwitchBuzzer { on }, source })
    }

    /// Gives the pin back as it is.
    pub fn release(self) -> P {
        self.0.pin
    }
}

/// What both share: a pin and how it is wired. The only place that turns "on" into a level.
#[derive(Debug)]
struct Output<P> {
    pin: P,
    polarity: Polarity,
}

impl<P: OutputPin> Output<P> {
    fn set(&mut self, on: bool) -> Result<(), P::Error> {
        self.pin.set_state(self.polarity.level(on))
    }
}
