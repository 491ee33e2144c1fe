//! The program around the core: thin adapters, one loop. Each module is one part of the world.
//!
//! | module | owns |
//! |---|---|
//! | [`cli`] | the commands a person types |
//! | [`config`] | the configuration file: reading, checking, secrets |
//! | [`control`] | the way to a running recorder from the same machine |
//! | [`host`] | journal, clock, memory, identity of this machine |
//! | [`ingest`] | RTSP to access units |
//! | [`ring`] | the bounded buffer of GOPs between a camera and a disk |
//! | [`mp4`] | fragmented MP4: writing it, reading back what a file holds |
//! | [`writer`] | one thread per volume: fragments to files, sync, ledger |
//! | [`volumes`] | where things lie on a volume, and whose it is |
//! | [`ledger`] | the ledger's files: append, read, repair, rebuild |
//! | [`retention`] | what may be deleted on a volume, deleting it, protecting it |
//! | [`coverage`] | durable seconds and gaps, from a ledger |
//! | [`shell`] | the one loop that joins them to the core |
//! | [`view`] | what `holdfast run` shows on a terminal |

pub mod cli;
pub mod config;
pub mod control;
pub mod coverage;
pub mod host;
pub mod ingest;
pub mod ledger;
pub mod mp4;
pub mod retention;
pub mod ring;
pub mod shell;
pub mod view;
pub mod volumes;
pub mod writer;
