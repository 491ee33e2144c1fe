//! Segments made from real encoders' streams, read by players that are not ours.

mod formats;
mod media;
mod muxing;
mod players;
mod reading;
mod trouble;
