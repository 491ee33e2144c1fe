//! Lines that say who takes part.

use super::{Reader, Wrong, duration};
use crate::time;
use holdfast_core::settings::{CameraSettings, ClockKind, MAX_CAMERAS, MAX_VOLUMES, VolumeKind};

impl Reader {
    /// Whether the line was about who takes part.
    pub(super) fn take_of_cast(&mut self, words: &[&str]) -> Result<bool, Wrong> {
        match words {
            ["cameras", first, "to", last] => {
                for name in range(first, last)? {
                    self.add_camera(&name)?;
                }
            }
            ["cameras" | "camera", names @ ..] => {
                for name in names {
                    self.add_camera(name)?;
                }
            }
            ["volumes" | "volume", names @ ..] => self.add_volumes(names, VolumeKind::Path)?,
            ["disks", names @ ..] => self.add_volumes(names, VolumeKind::Disk)?,
            [camera, "has", "a", "fallback", "stream"] => {
                let name = camera.to_owned();
                let Some(place) = self.camera(name) else {
                    return Err(Wrong::new(format!("\"{name}\" is no camera"), self.names()));
                };
                if let Some((_, settings)) = self.cast.cameras.get_mut(place) {
                    settings.fallback = Some(settings.host);
                }
            }
            [names @ .., "share", "one", "server"] => {
                let mut host = None;
                let places: Vec<usize> = match names {
                    ["all", "cameras"] => (0..self.cast.cameras.len()).collect(),
                    names => {
                        let names = names.iter().map(|name| name.trim_end_matches(','));
                        let find = |name| {
                            self.camera(name)
                                .ok_or_else(|| Wrong::new(format!("\"{name}\" is no camera"), self.names()))
                        };
                        names.filter(|name| *name != "and").map(find).collect::<Result<_, _>>()?
                    }
                };
                for place in places {
                    if let Some((_, settings)) = self.cast.cameras.get_mut(place) {
                        settings.host = *host.get_or_insert(settings.host);
                        settings.fallback = settings.fallback.map(|_| settings.host);
                    }
                }
            }
            ["clock", "is", kind] => {
                self.cast.clock = match *kind {
                    "kept" => ClockKind::Kept,
                    "fetched" => ClockKind::Fetched,
                    other => return Err(Wrong::new(format!("a clock is not \"{other}\""), "kept, fetched")),
                };
            }
            ["wall", "clock", day, clock] => {
                self.cast.wall = time::calendar(day, clock).ok_or_else(|| {
                    Wrong::new(format!("\"{day} {clock}\" is no moment"), "2026-10-25 00:59:30, in UTC")
                })?;
            }
            ["rings", "hold", length] => self.cast.ring = duration(length)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn add_camera(&mut self, name: &str) -> Result<(), Wrong> {
        self.check_name(name)?;
        let host = u8::try_from(self.cast.cameras.len()).unwrap_or(u8::MAX);
        if usize::from(host) >= MAX_CAMERAS {
            return Err(Wrong::new(
                format!("{name} is one camera too many"),
                format!("{MAX_CAMERAS} at most"),
            ));
        }
        self.cast.cameras.push((name.to_owned(), CameraSettings { host, ..CameraSettings::default() }));
        Ok(())
    }

    fn add_volumes(&mut self, names: &[&str], kind: VolumeKind) -> Result<(), Wrong> {
        for name in names {
            self.check_name(name)?;
            if self.cast.volumes.len() >= MAX_VOLUMES {
                return Err(Wrong::new(
                    format!("{name} is one volume too many"),
                    format!("{MAX_VOLUMES} at most"),
                ));
            }
            self.cast.volumes.push(((*name).to_owned(), kind));
        }
        Ok(())
    }

    fn check_name(&self, name: &str) -> Result<(), Wrong> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if !name.chars().all(plain) || ["all", "and", "no", "the", "footage", "nothing"].contains(&name) {
            return Err(Wrong::new(
                format!("\"{name}\" is no name"),
                "lower-case letters, digits and dashes, and no word of the language",
            ));
        }
        if self.camera(name).is_some() || self.volume(name).is_some() {
            return Err(Wrong::new(format!("\"{name}\" is there already"), "each name once"));
        }
        Ok(())
    }
}

/// "cam-1" to "cam-30".
fn range(first: &str, last: &str) -> Result<Vec<String>, Wrong> {
    let split = |name: &str| {
        let (stem, number) = name.rsplit_once('-')?;
        Some((stem.to_owned(), number.parse::<usize>().ok()?))
    };
    match (split(first), split(last)) {
        (Some((stem, from)), Some((other, to))) if stem == other && from < to && to - from < MAX_CAMERAS => {
            Ok((from..=to).map(|number| format!("{stem}-{number}")).collect())
        }
        _ => Err(Wrong::new(
            format!("\"{first} to {last}\" is no range of names"),
            format!("cam-1 to cam-30, {MAX_CAMERAS} at most"),
        )),
    }
}
