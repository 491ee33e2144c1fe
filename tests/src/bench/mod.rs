//! `make bench`: Holdfast beside its rivals, on the same cameras, in one run.
//!
//! Words: a **contender** is one way of recording all cameras; a **round** is one contender's run, from its start over
//! a warm-up and a **window** in which it is measured to its end; a round is **void** if cameras or contender did not do
//! what they were to do, since a recorder that drops footage is cheap.
//!
//! Contenders run one after the other, so that they do not disturb each other, and in several turns, so that what
//! else the machine does falls on all of them.
//!
//! | module | owns |
//! |---|---|
//! | [`contender`] | the command lines, and the processes while they run |
//! | [`usage`] | what the kernel counts for a process |
//! | [`round`] | one contender's run: measured, and judged by the frames in its files |
//! | [`report`] | medians, ratios, targets; the table and the JSON |

pub mod contender;
pub mod report;
pub mod round;
pub mod usage;
