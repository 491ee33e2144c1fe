//! Every story against its golden file. `HOLDFAST_BLESS=1` writes the golden files anew; what a story expects must hold all the
//! same.

use holdfast_scenarios::diff::diff;
use holdfast_scenarios::parse::parse;
use holdfast_scenarios::run::run;
use std::fs;
use std::path::{Path, PathBuf};

fn stories() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("stories");
    let entries = fs::read_dir(&folder).expect("the stories are there");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("it can be listed").path()).collect();
    files.sort();
    files
}

/// What is wrong with a story, or with what came of it.
fn complaints(file: &Path, bless: bool) -> Vec<String> {
    let name = file.file_name().expect("a file").to_string_lossy().into_owned();
    let text = fs::read_to_string(file).expect("it can be read");
    let story = match parse(&text) {
        Ok(story) => story,
        Err(problems) => return problems.iter().map(|problem| format!("{name}:{problem}")).collect(),
    };
    let outcome = run(&story);
    let mut complaints: Vec<_> =
        outcome.failures.iter().map(|(line, what)| format!("{name}:{line}: {what}")).collect();
    let golden = file.with_extension("golden");
    if bless {
        fs::write(&golden, &outcome.golden).expect("it can be written");
    }
    let was = fs::read_to_string(&golden).unwrap_or_default();
    if was != outcome.golden {
        let difference = diff(&was, &outcome.golden);
        complaints.push(format!(
            "{name}: it came out otherwise than its golden file (- was, + is)\n{difference}\
             If this is how it is to be: HOLDFAST_BLESS=1 cargo test -p holdfast-scenarios"
        ));
    }
    complaints
}

#[test]
fn a_story_that_is_told_twice_comes_out_the_same() {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("stories/one-server.story"));
    let story = parse(&text.expect("it is there")).expect("it is right");
    assert_eq!(run(&story).golden, run(&story).golden);
}

#[test]
fn every_story_comes_out_as_its_golden_file_says_and_as_it_expects() {
    let bless = std::env::var_os("HOLDFAST_BLESS").is_some();
    let files = stories();
    let of = |extension| files.iter().filter(move |file| file.extension().is_some_and(|e| e == extension));
    let complaints: Vec<_> = of("story").flat_map(|file| complaints(file, bless)).collect();
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n\n"));
    for golden in of("golden") {
        assert!(golden.with_extension("story").exists(), "{}: its story is gone", golden.display());
    }
    assert_eq!(of("story").count() + of("golden").count(), files.len(), "only stories and golden files here");
}
