//! The clip cache: one file per clip, an index line of JSON and then the bytes.

use crate::LabError;
use serde::{Deserialize, Serialize};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Encoded units as an encoder gave them.
#[derive(Debug)]
pub(crate) struct Stored {
    /// GStreamer caps as text.
    pub caps: String,
    /// In the order they came.
    pub units: Vec<StoredUnit>,
    /// All units, one after the other.
    pub data: Vec<u8>,
}

/// One encoded unit.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct StoredUnit {
    /// Bytes.
    pub size: usize,
    /// Presentation time in nanoseconds, of no special origin.
    pub pts: u64,
    /// Whether decoding can begin here.
    pub keyframe: bool,
}

#[derive(Serialize, Deserialize)]
struct Index {
    caps: String,
    units: Vec<StoredUnit>,
}

/// Where clips are kept: `HOLDFAST_LAB_CLIPS`, else `lab-clips` in the target folder this program was
/// built into, else in the system's folder for temporary files.
pub(crate) fn dir() -> &'static Path {
    static DIR: OnceLock<PathBuf> = OnceLock::new();
    DIR.get_or_init(|| {
        if let Some(chosen) = std::env::var_os("HOLDFAST_LAB_CLIPS") {
            return PathBuf::from(chosen);
        }
        crate::target_dir().unwrap_or_else(std::env::temp_dir).join("lab-clips")
    })
}

/// What is kept under `key`; if there is nothing whole, made by `make` and kept.
pub(crate) fn load_or(
    key: &str,
    make: impl FnOnce() -> Result<Stored, LabError>,
) -> Result<Stored, LabError> {
    let path = dir().join(key);
    if let Some(stored) = std::fs::read(&path).ok().and_then(parse) {
        return Ok(stored);
    }
    let stored = make()?;
    save(&path, &stored).map_err(|source| LabError::Cache { path, source })?;
    Ok(stored)
}

fn parse(mut bytes: Vec<u8>) -> Option<Stored> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let index: Index = serde_json::from_slice(&bytes[..end]).ok()?;
    let data = bytes.split_off(end + 1);
    let promised: usize = index.units.iter().map(|unit| unit.size).sum();
    (promised == data.len()).then_some(Stored { caps: index.caps, units: index.units, data })
}

/// Written beside and renamed: other test processes look for the same clip at the same time.
fn save(path: &Path, stored: &Stored) -> std::io::Result<()> {
    std::fs::create_dir_all(dir())?;
    let mut file = tempfile::NamedTempFile::new_in(dir())?;
    let index = Index { caps: stored.caps.clone(), units: stored.units.clone() };
    serde_json::to_writer(&mut file, &index)?;
    file.write_all(b"\n")?;
    file.write_all(&stored.data)?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_cache_file_counts_as_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("clip");
        let unit = StoredUnit { size: 3, pts: 40, keyframe: true };
        let stored = Stored { caps: "video/x-h264".to_owned(), units: vec![unit], data: vec![1, 2, 3] };
        save(&path, &stored).unwrap();
        let whole = std::fs::read(&path).unwrap();
        assert_eq!(parse(whole.clone()).map(|stored| stored.data), Some(vec![1, 2, 3]));
        for length in 0..whole.len() {
            assert!(parse(whole[..length].to_vec()).is_none(), "cut at {length}");
        }
    }
}
