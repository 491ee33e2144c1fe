//! Recovery against the real recorder: cameras that fail, each behind a proxy that fails on command.
//!
//! The stories run side by side, each with a recorder of its own: they wait far more than they work, and the harness would run
//! only as many at once as there are cores. `HOLDFAST_STORY=trouble` runs one alone.

mod failures;
mod fallback;
mod odd;
mod trouble;

use std::thread;

/// Name and body of each.
const STORIES: [(&str, fn()); 4] = [
    ("failures", failures::each_failure_is_told_for_what_it_is_and_recovery_follows_its_policy),
    ("fallback", fallback::the_second_stream_bridges_the_first_and_the_way_back_costs_no_frame),
    ("odd", odd::what_a_camera_does_wrong_inside_a_connection_is_told_for_what_it_is),
    ("trouble", trouble::trouble_in_a_stream_is_told_and_costs_neither_files_nor_their_times),
];

#[test]
fn what_goes_wrong_with_cameras_is_told_and_recovered_from() {
    let only = std::env::var("HOLDFAST_STORY").ok();
    let wanted = |name: &str| only.as_deref().is_none_or(|only| only == name);
    // A scope waits for all of them, and fails if one did.
    thread::scope(|scope| {
        for (name, story) in STORIES.into_iter().filter(|(name, _)| wanted(name)) {
            thread::Builder::new().name(name.to_owned()).spawn_scoped(scope, story).unwrap();
        }
    });
}
