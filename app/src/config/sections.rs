//! What each section of the configuration may hold, and what is made of it.

use super::problem::Problem;
use super::quantity::{MEMORY_FORM, SIZE_FORM, show_duration, show_size};
use super::secret::Credentials;
use super::secrets::{REFERENCE_FORM, Unresolved, Vault, is_reference};
use super::storage::KEEP;
use super::url::{RtspUrl, URL_FORM};
use super::walk::{Found, Section, Walk};
use super::{CameraConfig, Fallback, Limits, Memory, limits as bounds};
use crate::host::memory::RingPlan;
use holdfast_core::settings::{MAX_CAMERAS, TransportChoice};
use holdfast_wire::ids::Name;
use std::path::{Path, PathBuf};

const NAME_FORM: &str = "1 to 32 of a-z, 0-9, - and _, the first a letter or digit";

/// `[device]`: its name, and the names it had before.
pub fn device<'t>(walk: &mut Walk<'t>, file: &Section<'t>) -> Option<(Name, Vec<Name>)> {
    if file.find("device").is_none() {
        walk.missing(None, "there is no [device]".to_owned(), "add [device] with name = \"van-12\"");
    }
    let found = walk.table(file, "device")?;
    let section = walk.section("[device]".to_owned(), found.at, found.value, &["name", "formerly"], |_| None);
    let mut formerly = Vec::new();
    for text in walk.texts(&section, "formerly") {
        formerly.extend(name(walk, &section, "formerly", text));
    }
    let text = walk.required(&section, "name", "van-12")?;
    Some((name(walk, &section, "name", text)?, formerly))
}

/// Every `[[camera]]`. A camera with a problem is left out; its problem is told.
pub fn cameras<'t>(walk: &mut Walk<'t>, file: &Section<'t>, vault: &Vault) -> Vec<CameraConfig> {
    if file.find("camera").is_none() {
        let hint = "add [[camera]] with id and url for each camera";
        walk.missing(None, "there is no [[camera]]: nothing would be recorded".to_owned(), hint);
    }
    let tables = walk.list(file, "camera").unwrap_or_default();
    too_many(walk, &tables, MAX_CAMERAS, "camera");
    let mut seen = Taken::default();
    let mut cameras = Vec::new();
    for (index, table) in tables.into_iter().enumerate() {
        cameras.extend(camera(walk, index, table, vault, &mut seen));
    }
    cameras
}

/// What earlier cameras have taken, and the lines it stands in.
#[derive(Default)]
struct Taken {
    ids: Vec<(Name, usize)>,
    urls: Vec<(RtspUrl, usize)>,
    fallbacks: Vec<(RtspUrl, usize)>,
}

/// The line of the one among these that is the same stream.
fn line_of(streams: &[(RtspUrl, usize)], url: &RtspUrl) -> Option<usize> {
    streams.iter().find(|(earlier, _)| earlier.is_same_stream(url)).map(|(_, line)| *line)
}

fn camera<'t>(
    walk: &mut Walk<'t>,
    index: usize,
    table: Found<&'t toml::de::DeTable<'t>>,
    vault: &Vault,
    taken: &mut Taken,
) -> Option<CameraConfig> {
    const KEYS: [&str; 7] = ["id", "url", "credentials", "fallback", "transport", "audio", "keep"];
    let written =
        table.value.get("id").and_then(|id| id.get_ref().as_str()).and_then(|id| Name::new(id).ok());
    let title = match &written {
        Some(id) => format!("camera \"{id}\""),
        None => format!("camera {}", index + 1),
    };
    let section = walk.section(title, table.at, table.value, &KEYS, |key| match key {
        "user" | "username" | "password" | "pass" => {
            Some("put user and password into the secrets file, and here credentials = \"NAME\"")
        }
        _ => None,
    });

    let id = walk.required(&section, "id", "entrance");
    let id_at = id.map(|id| id.at);
    let id = id.and_then(|id| name(walk, &section, "id", id));
    if let (Some(id), Some(at)) = (&id, id_at) {
        let line = walk.line(at);
        match taken.ids.iter().find(|(earlier, _)| earlier == id) {
            Some((_, earlier)) => {
                let what = format!("{}: the id is taken by the camera in line {earlier}", section.title);
                walk.error(at, |problem| {
                    Problem { what, ..problem }.hint("give each camera an id of its own")
                });
            }
            None => taken.ids.push((id.clone(), line)),
        }
    }

    let reference = reference(walk, &section, vault);
    let has_reference = section.find("credentials").is_some();
    let url = walk.required(&section, "url", "rtsp://192.0.2.10:554/main");
    let url_at = url.map_or(section.at, |url| url.at);
    let main = url.and_then(|url| stream(walk, &section, "url", url, has_reference));
    if let Some((url, _)) = &main {
        let title = &section.title;
        let double = match (line_of(&taken.urls, url), line_of(&taken.fallbacks, url)) {
            (Some(line), _) => Some(format!("{title}: records what line {line} records already")),
            (None, Some(line)) => Some(format!("{title}: records what is the fallback in line {line}")),
            (None, None) => None,
        };
        if let Some(what) = double {
            walk.warning(url_at, |problem| Problem { what, ..problem });
        }
    }

    let second = walk.text(&section, "fallback");
    let fallback = second.and_then(|text| {
        let (url, userinfo) = stream(walk, &section, "fallback", text, has_reference)?;
        let title = &section.title;
        if main.as_ref().is_some_and(|(main, _)| main.is_same_stream(&url)) {
            let what = format!("{title}: fallback is the same as url");
            walk.error(text.at, |p| Problem { what, ..p }.allowed("another stream of the camera"));
        } else if let Some(line) = line_of(&taken.urls, &url) {
            let what = format!("{title}: fallback is what line {line} records already");
            walk.warning(text.at, |p| {
                Problem { what, ..p }.hint("what takes that camera takes this one's second stream with it")
            });
        } else if let Some(line) = line_of(&taken.fallbacks, &url) {
            let what = format!("{title}: fallback is that of line {line} too");
            walk.warning(text.at, |problem| Problem { what, ..problem });
        }
        let line = walk.line(text.at);
        taken.fallbacks.push((url.clone(), line));
        Some(Fallback { url, credentials: userinfo.or_else(|| reference.clone()) })
    });

    if let Some((url, _)) = &main {
        taken.urls.push((url.clone(), walk.line(url_at)));
    }

    let words =
        [("auto", TransportChoice::Auto), ("tcp", TransportChoice::Tcp), ("udp", TransportChoice::Udp)];
    let transport = walk.choice(&section, "transport", &words, TransportChoice::Auto);
    let audio = walk.flag(&section, "audio", true);
    let keep =
        section.find("keep").is_some().then(|| walk.duration(&section, "keep", bounds::KEEP, KEEP).value);
    let (url, userinfo) = main?;
    let credentials = userinfo.or(reference);
    Some(CameraConfig { id: id?, url, credentials, fallback, transport, audio, keep })
}

/// The URL under a key, and what user and password it held.
fn stream<'t>(
    walk: &mut Walk<'t>,
    section: &Section<'t>,
    key: &str,
    text: Found<&'t str>,
    has_reference: bool,
) -> Option<(RtspUrl, Option<Credentials>)> {
    let title = &section.title;
    let parsed = match RtspUrl::parse(text.value) {
        Ok(parsed) => parsed,
        Err(error) => {
            let hint = error.hint().map(str::to_owned);
            let what = format!("{title}: {key} {error}");
            walk.error(text.at, |problem| Problem { what, hint, ..problem }.allowed(URL_FORM));
            return None;
        }
    };
    match (&parsed.userinfo, has_reference) {
        (Some(_), true) => {
            let what = format!("{title}: there is a user in {key} and there are credentials too");
            walk.error(text.at, |problem| {
                Problem { what, ..problem }
                    .allowed("one of the two")
                    .hint(format!("take what stands before the @ out of {key}"))
            });
        }
        (Some(_), false) => {
            let what = format!("{title}: {key} holds a user or a password; whoever reads this file knows it");
            walk.warning(text.at, |problem| {
                Problem { what, ..problem }
                    .hint("move it to the secrets file, and write credentials = \"NAME\"")
            });
        }
        (None, true | false) => {}
    }
    if parsed.url.holds_secret() {
        let what = format!("{title}: {key} seems to hold a password in its path or query");
        walk.warning(text.at, |problem| {
            Problem { what, ..problem }
                .hint("if the camera also takes it the usual way, use credentials; else chmod 600 this file")
        });
    }
    Some((parsed.url, parsed.userinfo))
}

/// What `credentials` refers to.
fn reference<'t>(walk: &mut Walk<'t>, section: &Section<'t>, vault: &Vault) -> Option<Credentials> {
    let found = walk.text(section, "credentials")?;
    let title = &section.title;
    if !is_reference(found.value) {
        let what = format!("{title}: credentials is not a name");
        walk.error(found.at, |problem| {
            Problem { what, ..problem }
                .allowed(REFERENCE_FORM)
                .hint("user and password stand in the secrets file, under this name")
        });
        return None;
    }
    let name = found.value;
    match vault.find(name) {
        Ok(credentials) => Some(credentials),
        Err(Unresolved::Known) => None,
        Err(Unresolved::Absent { hint }) => {
            let what = format!("{title}: there are no credentials {name:?}");
            walk.error(found.at, |problem| Problem { what, ..problem }.hint(hint));
            None
        }
        Err(Unresolved::Unreadable(why)) => {
            let what = format!("{title}: the credential {name:?} {why}");
            walk.error(found.at, |problem| Problem { what, ..problem });
            None
        }
    }
}

/// `[limits]`, for so many cameras.
pub fn limits<'t>(walk: &mut Walk<'t>, file: &Section<'t>, cameras: usize) -> Limits {
    const KEYS: [&str; 6] = ["segment", "fragment", "ring", "ring_bytes", "memory", "stall"];
    let default = Limits::default();
    let Some(found) = walk.table(file, "limits") else { return default };
    let section = walk.section("[limits]".to_owned(), found.at, found.value, &KEYS, |_| None);
    let segment = walk.duration(&section, "segment", bounds::SEGMENT, default.segment).value;
    let fragment = walk.duration(&section, "fragment", bounds::FRAGMENT, default.fragment);
    let ring = walk.duration(&section, "ring", bounds::RING, default.ring);
    let stall = walk.duration(&section, "stall", bounds::STALL, default.stall).value;
    if ring.value < fragment.value * 2 {
        let fragment = show_duration(fragment.value);
        let what =
            format!("[limits]: ring is {}, too short for fragments of {fragment}", show_duration(ring.value));
        walk.error(ring.at, |problem| {
            Problem { what, ..problem }
                .allowed("at least two fragments: one is being filled while the other is written")
        });
    }
    let ring_bytes =
        walk.size(&section, "ring_bytes", bounds::RING_BYTES, SIZE_FORM).map(|found| found.value);
    let memory = memory(walk, &section, cameras);
    Limits {
        segment,
        fragment: fragment.value,
        ring: ring.value,
        ring_bytes: ring_bytes.unwrap_or(default.ring_bytes),
        memory,
        stall,
    }
}

fn memory<'t>(walk: &mut Walk<'t>, section: &Section<'t>, cameras: usize) -> Memory {
    let is_auto = |value: &toml::de::DeValue<'_>| value.as_str() == Some("auto");
    match section.find("memory") {
        None => return Memory::Auto,
        Some(found) if is_auto(found.value) => return Memory::Auto,
        Some(_) => {}
    }
    let Some(Found { value: bytes, at }) = walk.size(section, "memory", bounds::MEMORY, MEMORY_FORM) else {
        return Memory::Auto;
    };
    let share = RingPlan::new(bytes, cameras, u64::MAX).per_camera;
    if share < *bounds::RING_BYTES.start() {
        let (memory, share) = (show_size(bytes), show_size(share >> 10 << 10));
        let what =
            format!("[limits]: memory is {memory}, which leaves each of {cameras} cameras a ring of {share}");
        walk.error(at, |problem| {
            Problem { what, ..problem }
                .allowed(format!("at least {} for each camera", show_size(*bounds::RING_BYTES.start())))
        });
    }
    Memory::Bytes(bytes)
}

/// The path under `[secrets]`; a relative one counts from the configuration's own directory.
pub fn secrets_file<'t>(walk: &mut Walk<'t>, file: &Section<'t>, directory: &Path) -> Option<PathBuf> {
    let found = walk.table(file, "secrets")?;
    let section = walk.section("[secrets]".to_owned(), found.at, found.value, &["file"], |_| {
        Some("users and passwords stand in a file of their own, not here")
    });
    let path = walk.required(&section, "file", "/etc/holdfast/secrets.toml")?;
    if path.value.is_empty() || path.value.chars().any(char::is_control) {
        let what = "[secrets]: file is no path".to_owned();
        walk.error(path.at, |problem| Problem { what, ..problem });
        return None;
    }
    Some(directory.join(path.value))
}

fn name(walk: &mut Walk<'_>, section: &Section<'_>, key: &str, text: Found<&str>) -> Option<Name> {
    match Name::new(text.value) {
        Ok(name) => Some(name),
        Err(error) => {
            let what = format!("{}: {key} {error}", section.title);
            let lower = text.value.to_ascii_lowercase().replace(' ', "-");
            let hint = Name::new(&lower).ok().map(|name| match key {
                "formerly" => format!("write \"{name}\""),
                _ => format!("{key} = \"{name}\""),
            });
            walk.error(text.at, |problem| Problem { what, hint, ..problem }.allowed(NAME_FORM));
            None
        }
    }
}

pub(super) fn too_many<T>(walk: &mut Walk<'_>, tables: &[Found<T>], most: usize, noun: &str) {
    if let Some(first_too_many) = tables.get(most) {
        let what = format!("there are {} {noun}s", tables.len());
        walk.error(first_too_many.at, |problem| {
            Problem { what, ..problem }.allowed(format!("at most {most}"))
        });
    }
}
