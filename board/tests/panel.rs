//! The panel's parts on pins that expect: every level that reaches a pin is named here, and one write too many
//! or too few fails (`done`).

use std::io::ErrorKind;

use embedded_hal_mock::eh1::MockError;
use embedded_hal_mock::eh1::digital::State::{High, Low};
use embedded_hal_mock::eh1::digital::{Mock, State, Transaction};
use holdfast_board::Polarity::{ActiveHigh, ActiveLow};
use holdfast_board::{Button, Buzzer, Led, Operation, PinError, Polarity};

/// Polarity; the level that must reach a pin for "off"; the one for "on".
const WIRING: [(Polarity, State, State); 2] = [(ActiveHigh, Low, High), (ActiveLow, High, Low)];

#[test]
fn a_led_is_dark_at_first_and_then_as_told() {
    for (polarity, off, on) in WIRING {
        let pin = Mock::new(&[Transaction::set(off), Transaction::set(on), Transaction::set(off)]);
        let mut led = Led::new(pin, polarity).unwrap();
        led.set(true).unwrap();
        led.set(false).unwrap();
        led.release().done();
    }
}

#[test]
fn a_buzzer_is_silent_at_first_and_then_as_told() {
    for (polarity, off, on) in WIRING {
        let pin = Mock::new(&[Transaction::set(off), Transaction::set(on), Transaction::set(off)]);
        let mut buzzer = Buzzer::new(pin, polarity).unwrap();
        buzzer.set(true).unwrap();
        buzzer.set(false).unwrap();
        buzzer.release().done();
    }
}

#[test]
fn a_button_says_pressed_for_the_level_of_its_wiring_only() {
    for (polarity, released, pressed) in WIRING {
        let pin =
            Mock::new(&[Transaction::get(released), Transaction::get(pressed), Transaction::get(released)]);
        let mut button = Button::new(pin, polarity);
        let seen: Vec<bool> = (0..3).map(|_| button.is_pressed().unwrap()).collect();
        assert_eq!(seen, [false, true, false], "{polarity:?}");
        button.release().done();
    }
}

#[test]
fn the_same_state_told_twice_is_written_twice_so_that_it_can_repair_a_failed_write() {
    let broken = MockError::Io(ErrorKind::BrokenPipe);
    let pin = Mock::new(&[
        Transaction::set(Low),
        Transaction::set(High).with_error(broken.clone()),
        Transaction::set(High),
        Transaction::set(High),
    ]);
    let mut led = Led::new(pin, ActiveHigh).unwrap();
    assert_eq!(led.set(true), Err(PinError { operation: Operation::SwitchLed { on: true }, source: broken }));
    led.set(true).unwrap();
    led.set(true).unwrap();
    led.release().done();
}

#[test]
fn a_pin_that_refuses_at_the_start_yields_no_part() {
    let broken = MockError::Io(ErrorKind::PermissionDenied);
    let mut pin = Mock::new(&[
        Transaction::set(High).with_error(broken.clone()),
        Transaction::set(High).with_error(broken.clone()),
    ]);
    let led = Led::new(pin.clone(), ActiveLow);
    assert_eq!(led.unwrap_err().operation, Operation::SwitchLed { on: false });
    let buzzer = Buzzer::new(pin.clone(), ActiveLow);
    assert_eq!(buzzer.unwrap_err().operation, Operation::SwitchBuzzer { on: false });
    pin.done();
}

#[test]
fn a_button_that_cannot_be_read_is_an_error_and_not_a_release() {
    let broken = MockError::Io(ErrorKind::NotConnected);
    for polarity in [ActiveHigh, ActiveLow] {
        let pin = Mock::new(&[Transaction::get(High).with_error(broken.clone())]);
        let mut button = Button::new(pin, polarity);
        assert_eq!(
            button.is_pressed(),
            Err(PinError { operation: Operation::ReadButton, source: broken.clone() })
        );
        button.release().done();
    }
}

#[test]
fn an_error_says_which_part_and_why() {
    let source = MockError::Io(ErrorKind::NotConnected);
    for (operation, sentence) in [
        (Operation::SwitchLed { on: true }, "cannot switch the LED on: Io(NotConnected)"),
        (Operation::SwitchLed { on: false }, "cannot switch the LED off: Io(NotConnected)"),
        (Operation::SwitchBuzzer { on: true }, "cannot switch the buzzer on: Io(NotConnected)"),
        (Operation::SwitchBuzzer { on: false }, "cannot switch the buzzer off: Io(NotConnected)"),
        (Operation::ReadButton, "cannot read the button: Io(NotConnected)"),
    ] {
        assert_eq!(PinError { operation, source: source.clone() }.to_string(), sentence);
    }
}
