//! What Holdfast decides.
#![no_std]
#![forbid(unsafe_code)]

pub mod alarm;
pub mod effect;
pub mod event;
pub mod settings;
pub mod time;
