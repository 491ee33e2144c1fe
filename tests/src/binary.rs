//! Where the program under test is, and that it is the one of these sources: a stale binary would pass tests that
//! the sources fail, and nobody would notice.

use crate::LabError;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Where the `holdfast` binary is: `HOLDFAST_BIN`, else beside the programs of this build (the release build
/// if there is one and this is not a debug build).
///
/// # Errors
/// If there is none, or if one of the sources that it was made of was changed after it. One that is named by
/// `HOLDFAST_BIN` is taken as it is.
pub fn binary() -> Result<PathBuf, LabError> {
    if let Some(chosen) = std::env::var_os("HOLDFAST_BIN") {
        return Ok(PathBuf::from(chosen));
    }
    let profiles = if cfg!(debug_assertions) { ["debug", "release"] } else { ["release", "debug"] };
    let target = crate::target_dir();
    let found =
        target.iter().flat_map(|target| profiles.map(|profile| target.join(profile).join("holdfast")));
    let found = found.into_iter().find(|path| path.is_file());
    let path = found.ok_or_else(|| refused("is not built"))?;
    match newer_source(&path) {
        None => Ok(path),
        Some(source) => Err(refused(&format!("{} is older than {}", path.display(), source.display()))),
    }
}

fn refused(what: &str) -> LabError {
    let problem =
        format!("{what}; run `cargo build --workspace --bins`, or set HOLDFAST_BIN to a binary's path");
    LabError::Child { program: "holdfast".to_owned(), problem }
}

/// The first of a binary's sources that was changed (or removed) after it was made, by the list that cargo leaves
/// beside it.
fn newer_source(binary: &Path) -> Option<PathBuf> {
    let list = binary.with_extension("d");
    let modified = |path: &Path| path.metadata().and_then(|facts| facts.modified()).ok();
    let (Some(made), Ok(text)) = (modified(binary), std::fs::read_to_string(&list)) else {
        return Some(list);
    };
    sources(&text).into_iter().find(|source| modified(source).is_none_or(|at: SystemTime| at > made))
}

/// The files behind the colon of a Makefile rule; blanks in names are written `\ `.
fn sources(rule: &str) -> Vec<PathBuf> {
    let names = rule.lines().next().and_then(|line| line.split_once(": ")).map_or("", |(_, names)| names);
    let hidden = names.replace("\\ ", "\0");
    hidden.split_whitespace().map(|name| PathBuf::from(name.replace('\0', " "))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::time::Duration;

    #[test]
    fn a_binary_older_than_one_of_its_sources_is_told_from_a_fresh_one() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str, seconds: u64| {
            let path = folder.path().join(name);
            let file = File::create(&path).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
            path
        };
        let (binary, main, lib) = (at("holdfast", 100), at("main.rs", 90), at("a lib.rs", 95));
        assert_eq!(newer_source(&binary), Some(folder.path().join("holdfast.d")), "no list");
        let list = format!(
            "{}: {} {}\n",
            binary.display(),
            main.display(),
            lib.display().to_string().replace(' ', "\\ ")
        );
        std::fs::write(folder.path().join("holdfast.d"), list).unwrap();
        assert_eq!(newer_source(&binary), None, "fresh");
        let changed = at("a lib.rs", 101);
        assert_eq!(newer_source(&binary), Some(changed), "a source was changed");
        at("a lib.rs", 95);
        std::fs::remove_file(&main).unwrap();
        assert_eq!(newer_source(&binary), Some(main), "a source was removed");
    }
}
