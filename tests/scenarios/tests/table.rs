//! The table of what breaks recorders in the field is whole, and what it names is there.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn page() -> String {
    fs::read_to_string(folder().join("README.md")).expect("the page is there")
}

/// The rows of the table that begin with a number: the number, and what shows it.
fn rows(page: &str) -> Vec<(u32, String)> {
    let cells = |line: &str| -> Vec<String> { line.split(" | ").map(str::to_owned).collect() };
    let numbered = |line: &str| {
        let cells = cells(line.strip_prefix("| ")?);
        Some((cells.first()?.parse().ok()?, cells.last()?.trim_end_matches(" |").to_owned()))
    };
    page.lines().filter_map(numbered).collect()
}

/// What stands between `open` and `close`, each time.
fn between<'a>(text: &'a str, open: &'a str, close: &'a str) -> Vec<&'a str> {
    text.split(open).skip(1).filter_map(|rest| rest.split_once(close)).map(|(inside, _)| inside).collect()
}

#[test]
fn every_number_from_1_to_32_is_in_the_table_once() {
    let numbers: Vec<_> = rows(&page()).into_iter().map(|(number, _)| number).collect();
    assert_eq!(numbers, (1..=32).collect::<Vec<_>>());
}

#[test]
fn every_row_is_shown_by_what_is_there_or_says_why_it_cannot_happen() {
    for (number, shown_by) in rows(&page()) {
        let files = between(&shown_by, "](", ")");
        let mut text = String::new();
        for file in &files {
            let path = folder().join(file);
            text +=
                &fs::read_to_string(&path).unwrap_or_else(|_| panic!("row {number}: {file} is not there"));
        }
        for test in between(&shown_by, ": `", "`").into_iter().chain(between(&shown_by, ", `", "`")) {
            assert!(text.contains(&format!("fn {test}(")), "row {number}: no test {test} in {files:?}");
        }
        assert!(!files.is_empty() || shown_by.contains("annot happen"), "row {number}: {shown_by}");
    }
}

#[test]
fn every_story_is_on_the_page_and_every_story_of_the_page_is_there() {
    let page = page();
    let linked: BTreeSet<_> = between(&page, "(stories/", ".story)").into_iter().collect();
    let entries = fs::read_dir(folder().join("stories")).expect("the stories are there");
    let names = entries.filter_map(|entry| {
        let path = entry.expect("it can be listed").path();
        (path.extension()? == "story")
            .then(|| path.file_stem().expect("a name").to_string_lossy().into_owned())
    });
    let names: BTreeSet<_> = names.collect();
    assert_eq!(names.iter().map(String::as_str).collect::<BTreeSet<_>>(), linked);
}
