//! Frames: how a record lies on disk.
