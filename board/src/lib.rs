//! The hardware in front of a person: a LED, a buzzer and one button, over [`embedded_hal`].
//!
//! Words: a pin is **high** or **low**, which is electrical; a part is **on** or **off**, **pressed** or
//! **released**, which is what a person sees. [`Polarity`] is the fact of a board that joins the two, and each
//! type here applies it exactly once: no other place knows what is high.
//!
//! What this crate does not decide: when the LED flashes, what the buzzer says, whether a press was long. Those are the
//! core's; here a part is only switched, or read. A failing pin is reported to the caller, never retried.
//!
//! ```
//! use embedded_hal_mock::eh1::digital::{Mock, State, Transaction};
//! use holdfast_board::{Led, Polarity};
//!
//! // A LED between the supply and the pin: it lights when the pin is low.
//! let pin = Mock::new(&[Transaction::set(State::High), Transaction::set(State::Low)]);
//! let mut led = Led::new(pin, Polarity::ActiveLow)?; // dark from the first moment
//! led.set(true)?;
//! # led.release().done();
//! # Ok::<(), holdfast_board::PinError<embedded_hal_mock::eh1::MockError>>(())
//! ```
#![no_std]
#![forbid(unsafe_code)]

mod error;
mod input;
mod output;
mod polarity;

pub use error::{Operation, PinError};
pub use input::Button;
pub use output::{Buzzer, Led};
pub use polarity::Polarity;
