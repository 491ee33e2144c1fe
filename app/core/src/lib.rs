//! What Holdfast decides: pure machines, events in, effects out. No files, sockets, threads, clocks, and no
//! allocator: the compiler forbids them here, so a year of faults is simulated in seconds.
//!
//! Words: an **event** is a fact that the shell tells ([`event`]); an **effect** is a decision that the shell carries out
//! ([`effect`]); the **shell** is the one loop that knows the world.
//!
//! # The drive contract
//!
//! 1. Call [`Appliance::handle`] with both clocks and one event. The first is [`event::Event::Start`].
//! 2. Call [`Appliance::poll_effect`] until it is empty, and carry out each effect. Each says what is owed for it.
//! 3. Sleep until [`Appliance::poll_timeout`] or the next event, whichever comes first. At the timeout the event is
//!    [`event::Event::Tick`].
//! 4. End the loop at [`effect::Effect::Finished`].
//!
//! Time is an argument, randomness comes from the seed in the settings: the same events give the same effects.
//!
//! ```
//! use core::time::Duration;
//! use holdfast_core::Appliance;
//! use holdfast_core::effect::{CameraEffect, Effect, VolumeEffect};
//! use holdfast_core::event::{CameraEvent, Event, VolumeEvent};
//! use holdfast_core::retention::Rules;
//! use holdfast_core::settings::{CameraSettings, Settings, VolumeKind};
//! use holdfast_core::time::{Mono, Now, Wall};
//! use std::collections::VecDeque;
//!
//! let mut core = Appliance::new(Settings {
//!     cameras: [CameraSettings::default()].into_iter().collect(),
//!     volumes: [VolumeKind::Path].into_iter().collect(),
//!     retention: Duration::from_secs(30 * 86_400),
//!     cleaning_starts: Rules::DEFAULT.start,
//!     stall: Duration::from_secs(10),
//!     ring: Duration::from_secs(30),
//!     segment: Duration::from_secs(60),
//!     clock: Default::default(),
//!     clock_floor: Wall::from_secs(1_700_000_000),
//!     seed: 1,
//! });
//! // A world without trouble, whose clock only moves when the loop sleeps.
//! let mut now = Now { mono: Mono(0), wall: Wall::from_secs(1_800_000_000) };
//! let mut events = VecDeque::from([Event::Start]);
//! let mut finished = false;
//! while !finished {
//!     // The next event, or sleep until the timeout.
//!     let event = events.pop_front().unwrap_or_else(|| {
//!         let wake = core.poll_timeout().expect("it runs");
//!         now = Now { mono: wake, wall: now.wall + wake.since(now.mono) };
//!         if now.mono > Mono(5_000_000_000) { Event::Stop } else { Event::Tick }
//!     });
//!     core.handle(now, event);
//!     while let Some(effect) = core.poll_effect() {
//!         match effect {
//!             Effect::Camera(camera, CameraEffect::Connect { .. }) => {
//!                 let answer = CameraEvent::Streaming { video: true, audio: false };
//!                 events.push_back(Event::Camera(camera, answer));
//!             }
//!             Effect::Camera(camera, CameraEffect::Disconnect(_)) => {
//!                 events.push_back(Event::Camera(camera, CameraEvent::TornDown));
//!             }
//!             Effect::Volume(volume, VolumeEffect::Open) => {
//!                 events.push_back(Event::Volume(volume, VolumeEvent::Ready));
//!             }
//!             Effect::Volume(volume, VolumeEffect::Close) => {
//!                 events.push_back(Event::Volume(volume, VolumeEvent::Closed));
//!             }
//!             Effect::Finished => finished = true,
//!             told => println!("{told:?}"),
//!         }
//!     }
//! }
//! assert_eq!(core.poll_timeout(), None);
//! ```
//!
//! # The machines
//!
//! | file | decides |
//! |---|---|
//! | `appliance.rs` | who is told of an event, the order of effects, the end in good order |
//! | `camera.rs` | which of a camera's two streams is recorded, and whether it gives footage |
//! | `link.rs` | when a stream is connected, mended, torn down, tried again |
//! | `failure.rs` | what is done about each failure of a camera |
//! | `trouble.rs`, `mending.rs` | what is wrong with a stream that is received, and what is tried in place |
//! | `dial.rs` | which link may connect now |
//! | `network.rs` | whether it is the network and not the cameras |
//! | `flapping.rs` | whether a camera breaks and comes back again and again |
//! | `memory.rs` | what is given up while memory is short |
//! | `ladder.rs` | how long a failed camera waits |
//! | `volume/` | when a volume is opened, closed, ejected, tried again |
//! | `treatment.rs` | what is done about each fault of a volume |
//! | `load.rs` | whether a volume takes the load |
//! | `forecast.rs` | how long a volume lasts, and whether that is as long as configured |
//! | `disk.rs` | which of the disks that come are ours to write to |
//! | `recording.rs` | which volume takes the footage |
//! | `retention/` | which segment is deleted next, by which rule |
//! | `account.rs` | until when a camera's footage is durable on a volume, and why it is missing since |
//! | `alarm.rs` | what a person is to know, and for how long |
//! | `watch.rs` | which conditions of cameras and volumes the alarms hear of |
//! | `clock.rs` | which wall time footage gets, and whether it is believed |
//! | `rng.rs` | chance, from a seed |
#![no_std]
#![forbid(unsafe_code)]

mod account;
pub mod alarm;
mod appliance;
mod camera;
mod clock;
mod dial;
pub mod disk;
pub mod effect;
pub mod event;
mod failure;
mod flapping;
mod forecast;
mod ladder;
mod link;
mod load;
mod memory;
mod mending;
mod network;
mod recording;
pub mod retention;
mod rng;
mod set;
pub mod settings;
pub mod time;
mod treatment;
mod trouble;
mod volume;
mod waits;
mod watch;

pub use appliance::{Appliance, MAX_EFFECTS};
