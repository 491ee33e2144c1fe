//! See [`holdfast_fuzz::mp4`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| holdfast_fuzz::mp4::run(data));
