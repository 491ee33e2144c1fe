//! The simulation: a seeded world around the core, in virtual time, with what must hold checked as it goes on.
//!
//! Words: a **world** is cameras with their streams, servers and network, places with disks that come and go, clocks, memory
//! and power, made from one seed; a **trouble** is something that goes wrong in it for a while; the **judge** is all that
//! knows what must hold, and an **invariant** one such thing ([`Invariant`]); a **saboteur** is a hand between world and
//! core that plants a bug ([`Saboteur`]).
//!
//! The world plays the shell: it carries out each effect as `effect.rs` says what is owed, and tells facts as `event.rs`
//! says when. It breaks its word as the real one may: a tear-down that is told late or never, an answer that comes after
//! it was given up on, a loop that wakes late, facts that fit no state.
//!
//! What an effect itself can break is checked as it is told, after every event: attempts, links, gaps and their causes, deletions, what
//! is opened, recorded and shed, signs of life. What is wrong only if it lasts is checked on a patrol each ten seconds of the
//! world's time: alarms against their conditions, the route, links and places that are left alone, memory under pressure. A patrol
//! finds all that stays wrong for ten seconds longer than it may, and may miss what is wrong for less. What must be well is checked in the end, after the calm.
//!
//! The judge knows the truth: when footage really came, where it went, what was wrong and when. It never asks the core.
//! A cause in a ledger is compared with what was so; an alarm with the condition that it tells. Where the world itself
//! cannot be certain (what was in a hole over which the clock jumped, which of two faults a hanging disk has) nothing is
//! demanded.
//!
//! To be quick, figures are told and footage is stored in coarser steps than by the real shell while nothing changes; for
//! some seconds after each change they come as often.
//!
//! | file | what |
//! |---|---|
//! | `world.rs` | the loop: an event told, its effects obeyed |
//! | `weather.rs` | what goes wrong, how often, how long |
//! | `stream.rs`, `camera.rs`, `links.rs` | streams and what ails them, rings, our connections |
//! | `footage.rs`, `book.rs` | what is stored, dropped and told as missing; a model of each camera's account on each disk |
//! | `place.rs`, `disks.rs`, `shelf.rs` | places, disks, writers, the mount helper; segments and their deletion |
//! | `power.rs`, `clock.rs` | start, stop, death; the wall clock; memory |
//! | `judge.rs`, `alarms.rs`, `trace.rs` | what must hold over time; alarms against conditions; when a cause was so |
//! | `run.rs` | a world from a seed; its troubles; then calm, in which all must become well |
//! | `twin.rs` | a second core that never rests, to compare |
//! | `seeds.rs`, `log.rs` | worlds that are kept; the last words before something broke |
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
pub mod twin;
pub mod weather;
pub mod world;

pub use invariant::{Invariant, Violation};
pub use run::{Report, run, run_beside_twin};
pub use saboteur::Saboteur;
pub use world::{Plan, Tally};
