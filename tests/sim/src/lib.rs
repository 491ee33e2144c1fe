//! The simulation: a seeded world around the core, in virtual time, with what must hold checked after every event.
#![forbid(unsafe_code)]

pub mod agenda;
pub mod alarms;
pub mod book;
pub mod camera;
pub mod clock;
mod disks;
mod footage;
pub mod invariant;
pub mod judge;
mod links;
pub mod log;
pub mod place;
mod power;
mod run;
pub mod saboteur;
pub mod seeds;
pub mod shelf;
pub mod stream;
pub mod trace;
pub mod weather;
pub mod world;

pub use invariant::{Invariant, Violation};
pub use run::{Report, run};
pub use saboteur::Saboteur;
pub use world::{Plan, Tally};
