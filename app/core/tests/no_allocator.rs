//! The core has no allocator and no standard library: neither itself, which the compiler proves by `#![no_std]`
//! and the absence of `extern crate alloc`, nor by a feature of what it depends on, which is proven here.

use std::process::Command;

#[test]
fn no_dependency_is_built_with_std_or_an_allocator() {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--package", "holdfast-core", "--edges", "normal,no-proc-macro"])
        .args(["--prefix", "none", "--format", "{p}|{f}"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(tree.lines().any(|line| line.starts_with("heapless ")), "not the core's tree:\n{tree}");
    for line in tree.lines() {
        let features = line.split_once('|').map_or("", |(_, features)| features).trim_end_matches(" (*)");
        let heap = features.split(',').any(|feature| matches!(feature, "std" | "alloc" | "use-std"));
        assert!(!heap, "built with a heap: {line}");
    }
}

#[test]
fn the_crate_says_so_itself() {
    let face = include_str!("../src/lib.rs");
    assert!(face.contains("#![no_std]"));
    assert!(!face.contains("extern crate"));
}
