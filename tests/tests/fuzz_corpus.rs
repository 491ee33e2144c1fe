//! The kept corpus of the fuzz targets, through the same functions as `make fuzz` calls, on the plain toolchain: what was found
//! once is tried with every test, and a format that changes shows here first.

#[path = "../fuzz/src/lib.rs"]
mod targets;

use std::fs;
use std::path::{Path, PathBuf};

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn the_kept_corpus_holds() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    for (name, run) in targets::TARGETS {
        let files = files(&corpus.join(name));
        assert!(!files.is_empty(), "{name}: nothing is kept");
        for file in files {
            let bytes = fs::read(&file).unwrap();
            // Cargo shows what a failing test said, so the last line names the file.
            println!("{}", file.display());
            run(&bytes);
        }
    }
}

#[test]
fn no_folder_of_the_corpus_lacks_its_target() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    for folder in files(&corpus) {
        let name = folder.file_name().and_then(|name| name.to_str()).unwrap();
        assert!(targets::TARGETS.iter().any(|(target, _)| *target == name), "{name}: no such target");
    }
}
