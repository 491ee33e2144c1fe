//! Recovery against the real recorder: cameras that fail, each behind a proxy that fails on command.

mod failures;
mod fallback;
mod odd;
mod trouble;
