//! Planted bugs: a hand between world and core that swallows, adds or changes what passes, so that a test can show
//! that the world notices. An honest run has none.

use crate::agenda::At;
use holdfast_core::effect::Effect;
use holdfast_core::event::Event;
use holdfast_core::retention::Step;

/// A hand between world and core.
pub trait Saboteur {
    /// Whether the core is told of this event. It may be changed.
    fn told(&mut self, at: At, event: &mut Event) -> bool {
        let _ = (at, event);
        true
    }

    /// What becomes of a decision: itself, another one, none.
    fn decided(&mut self, at: At, effect: Effect) -> Option<Effect> {
        let _ = at;
        Some(effect)
    }

    /// A decision that nobody made; asked for until there is none.
    fn invents(&mut self, at: At) -> Option<Effect> {
        let _ = at;
        None
    }

    /// What becomes of a step of cleaning. `open`: the segments that are being written, as camera and number.
    fn cleans(&mut self, at: At, step: Step, open: &[(usize, u32)]) -> Step {
        let _ = (at, open);
        step
    }
}
