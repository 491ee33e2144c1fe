//! `holdfast status`, `holdfast volume list|info|eject|use`, `holdfast protect|unprotect`: what a person asks a running recorder.

use super::asking::{Ask, Eject, Protect, ProtectCommand, Status as StatusArgs, VolumeName};
use super::exit::Exit;
use super::output;
use crate::control;
use crate::control::client::ask;
use crate::control::{
    Answer, CameraStatus, LeftAlone, ProtectedSpan, Request, Status, StreamStatus, VolumeStatus,
};
use crate::host::show;
use std::error::Error;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

/// How often an ejecting volume is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// `holdfast status`: the whole recorder.
pub fn status(args: &StatusArgs) -> Result<Exit, Box<dyn Error>> {
    let status = fetch(&args.ask)?;
    if args.ask.json {
        return print_json(&status);
    }
    let mut text = format!(
        "{} {}, running for {}\n\n",
        status.device,
        status.version,
        show::length((status.uptime_seconds * 1e6) as i64)
    );
    text += &cameras(&status.cameras);
    text += "\n";
    text += &volumes(&status.volumes);
    text += &left_alone(&status.left_alone);
    if !status.alarms.is_empty() {
        text += "\n";
        status.alarms.iter().for_each(|alarm| text += &format!("alarm: {}\n", alarm.text));
    }
    output::write(&text)?;
    Ok(Exit::Done)
}

/// `holdfast volume list`.
pub fn list(args: &Ask) -> Result<Exit, Box<dyn Error>> {
    let status = fetch(args)?;
    if args.json {
        return print_json(
            &serde_json::json!({ "volumes": status.volumes, "left_alone": status.left_alone }),
        );
    }
    output::write(&(volumes(&status.volumes) + &left_alone(&status.left_alone)))?;
    Ok(Exit::Done)
}

/// `holdfast volume info VOLUME`.
pub fn info(args: &VolumeName) -> Result<Exit, Box<dyn Error>> {
    let status = fetch(&args.ask)?;
    let Some(volume) = find(&status, &args.volume)? else { return Ok(unknown(&args.volume)) };
    if args.ask.json {
        return print_json(volume);
    }
    output::write(&details(volume))?;
    Ok(Exit::Done)
}

/// `holdfast volume eject VOLUME`: asks, and waits until it is safe to remove.
pub fn eject(asked: &Eject) -> Result<Exit, Box<dyn Error>> {
    let Eject { volume: args, wait } = asked;
    let request = Request::Eject { volume: args.volume.clone() };
    match ask(&args.ask.runtime, &request)? {
        Answer::Refused { text } => return Ok(refused(&text)),
        Answer::Done { text } => output::write(&format!("{text}\n"))?,
        other @ (Answer::Status(_) | Answer::Protected { .. }) => return Err(strange(&other)),
    }
    let end = Instant::now() + *wait;
    loop {
        let status = fetch(&args.ask)?;
        match find(&status, &args.volume)? {
            Some(volume) if volume.state == "safe-to-remove" => {
                let name = name(volume);
                let text = match volume.kind.as_str() {
                    "disk" => format!("{name} is closed and unmounted: it is safe to remove\n"),
                    "mount-point" => format!("{name} is closed: unmount it, then it is safe to remove\n"),
                    _ => format!("{name} is closed; nothing is written to it any more\n"),
                };
                output::write(&text)?;
                return Ok(Exit::Done);
            }
            None => {
                output::write(&format!("{} is gone\n", args.volume))?;
                return Ok(Exit::Done);
            }
            Some(volume) if volume.state == "faulted" => {
                let why = volume.detail.as_deref().unwrap_or("it failed");
                return Ok(refused(&format!("{} was not ejected: {why}", name(volume))));
            }
            // Only an ejection that was refused, or that somebody took back, leads there.
            Some(volume) if volume.state == "opening" || volume.state == "ready" => {
                return Ok(refused(&format!(
                    "{} was not ejected and is used again: it is in use by another program. Close that and eject it again",
                    name(volume)
                )));
            }
            Some(volume) if Instant::now() >= end => {
                return Ok(refused(&format!(
                    "{} is still {} after {} s; look again with `holdfast volume list`",
                    name(volume),
                    volume.state,
                    wait.as_secs()
                )));
            }
            Some(_) => std::thread::sleep(LOOK_EVERY),
        }
    }
}

/// `holdfast volume use VOLUME`.
pub fn use_again(args: &VolumeName) -> Result<Exit, Box<dyn Error>> {
    simple(&args.ask, &Request::Use { volume: args.volume.clone() })
}

/// `holdfast protect ...`.
pub fn protect(command: &ProtectCommand, now: holdfast_core::time::Wall) -> Result<Exit, Box<dyn Error>> {
    match command {
        ProtectCommand::Add(Protect { ask, camera, since, until, note }) => {
            let (from, to) = (since.resolve(now), until.map_or(now, |until| until.resolve(now)));
            if from >= to {
                output::complain("holdfast: --until has to be later than --since\n");
                return Ok(Exit::Usage);
            }
            let camera = camera.as_ref().map(ToString::to_string);
            let request =
                Request::Protect { camera, from: from.as_micros(), to: to.as_micros(), note: note.clone() };
            simple(ask, &request)
        }
        ProtectCommand::List(asked) => match ask(&asked.runtime, &Request::Protected)? {
            Answer::Protected { spans } if asked.json => print_json(&spans),
            Answer::Protected { spans } => {
                output::write(&protections(&spans))?;
                Ok(Exit::Done)
            }
            Answer::Refused { text } => Ok(refused(&text)),
            other @ (Answer::Status(_) | Answer::Done { .. }) => Err(strange(&other)),
        },
        ProtectCommand::Remove { ask, volume, number } => {
            simple(ask, &Request::Unprotect { volume: volume.clone(), number: *number })
        }
    }
}

fn simple(args: &Ask, request: &Request) -> Result<Exit, Box<dyn Error>> {
    match ask(&args.runtime, request)? {
        Answer::Done { text } if args.json => print_json(&serde_json::json!({ "done": text })),
        Answer::Done { text } => {
            output::write(&format!("{text}\n"))?;
            Ok(Exit::Done)
        }
        Answer::Refused { text } => Ok(refused(&text)),
        other @ (Answer::Status(_) | Answer::Protected { .. }) => Err(strange(&other)),
    }
}

fn fetch(args: &Ask) -> Result<Status, Box<dyn Error>> {
    match ask(&args.runtime, &Request::Status)? {
        Answer::Status(status) => Ok(*status),
        Answer::Refused { text } => Err(text.into()),
        other @ (Answer::Done { .. } | Answer::Protected { .. }) => Err(strange(&other)),
    }
}

fn print_json(value: &impl serde::Serialize) -> Result<Exit, Box<dyn Error>> {
    output::write(&(serde_json::to_string_pretty(value)? + "\n"))?;
    Ok(Exit::Done)
}

fn refused(text: &str) -> Exit {
    output::complain(&format!("holdfast: {text}\n"));
    Exit::Failed
}

fn unknown(volume: &str) -> Exit {
    output::complain(&format!("holdfast: no volume is called {volume}; `holdfast volume list` shows all\n"));
    Exit::Usage
}

fn strange(answer: &Answer) -> Box<dyn Error> {
    format!("the recorder answered something else: {answer:?}; are both of the same version?").into()
}

/// The volume that a person means, if one is.
fn find<'a>(status: &'a Status, name: &str) -> Result<Option<&'a VolumeStatus>, Box<dyn Error>> {
    Ok(control::find(&status.volumes, name)?.and_then(|place| status.volumes.get(place)))
}

fn name(volume: &VolumeStatus) -> String {
    let id = volume.id.as_deref().map(short);
    match (&volume.path, id) {
        (Some(path), _) if volume.kind != "disk" => path.clone(),
        (_, Some(id)) => match &volume.device {
            Some(device) => format!("{id} ({device})"),
            None => id,
        },
        (Some(path), None) => path.clone(),
        (None, None) => "-".to_owned(),
    }
}

/// Enough of an id to tell a person's disks apart.
fn short(id: &str) -> String {
    id.chars().take(8).collect()
}

fn cameras(cameras: &[CameraStatus]) -> String {
    let wide = cameras.iter().map(|camera| camera.id.len()).max().unwrap_or(0).max(6);
    let mut text = format!("{:wide$}  {:11}  {:>14}  DURABLE UNTIL\n", "CAMERA", "STATE", "DURABLE");
    for camera in cameras {
        let durable = show::length((camera.durable_seconds * 1e6) as i64);
        let until = camera.durable_until.as_deref().unwrap_or("-");
        let note = [camera.detail.clone(), camera.fallback.as_ref().and_then(second_stream)];
        let note = note.into_iter().flatten().collect::<Vec<_>>().join("; ");
        let line = format!("{:wide$}  {:11}  {durable:>14}  {until}  {note}", camera.id, camera.state);
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

/// What a person is to know of a second stream: nothing while nobody wants it.
fn second_stream(stream: &StreamStatus) -> Option<String> {
    match (stream.state.as_str(), &stream.detail) {
        ("idle", _) => None,
        (state, None) => Some(format!("its second stream is {state}")),
        (state, Some(detail)) => Some(format!("its second stream is {state}: {detail}")),
    }
}

fn volumes(volumes: &[VolumeStatus]) -> String {
    if volumes.is_empty() {
        return "no volume is there: connect a disk labelled HOLDFAST, or name one in the configuration\n"
            .to_owned();
    }
    let names: Vec<String> = volumes.iter().map(name).collect();
    let wide = names.iter().map(String::len).max().unwrap_or(0).max(6);
    let mut text =
        format!("{:wide$}  {:14}  {:>10}  {:>10}  {:>8}  NOTE\n", "VOLUME", "STATE", "FREE", "SIZE", "HOLDS");
    for (volume, name) in volumes.iter().zip(&names) {
        let size = |bytes: Option<u64>| bytes.map_or("-".to_owned(), show::bytes);
        let holds = volume.holds_seconds.map_or("-".to_owned(), days);
        let state = if volume.recording { "recording" } else { volume.state.as_str() };
        let note = note(volume);
        let _ = writeln!(
            text,
            "{name:wide$}  {state:14}  {:>10}  {:>10}  {holds:>8}  {note}",
            size(volume.free),
            size(volume.total),
        );
    }
    text
}

fn note(volume: &VolumeStatus) -> String {
    let mut notes: Vec<String> = Vec::new();
    notes.extend(volume.detail.clone());
    if let (Some(holds), Some(promised)) = (volume.holds_seconds, volume.promised_seconds)
        && holds < promised
    {
        notes.push(format!("holds less than the {} that are promised", days(promised)));
    }
    match volume.health.as_deref() {
        Some("worn") => notes.push("SMART: shows signs of wear".to_owned()),
        Some("failing") => notes.push("SMART: fails; replace it".to_owned()),
        Some(_) | None => {}
    }
    notes.join("; ")
}

fn left_alone(disks: &[LeftAlone]) -> String {
    if disks.is_empty() {
        return String::new();
    }
    let wide = disks.iter().map(|disk| disk.disk.len()).max().unwrap_or(0);
    let lines = disks.iter().map(|disk| format!("{:wide$}  {}\n", disk.disk, disk.reason));
    format!("\nnot used:\n{}", lines.collect::<String>())
}

fn details(volume: &VolumeStatus) -> String {
    let size = |bytes: Option<u64>| bytes.map_or("not known".to_owned(), show::bytes);
    let time = |seconds: Option<u64>| seconds.map_or("not known yet".to_owned(), days);
    let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let lines = [
        ("id", or_none(&volume.id)),
        ("path", or_none(&volume.path)),
        ("kind", volume.kind.clone()),
        ("device", or_none(&volume.device)),
        ("filesystem", or_none(&volume.filesystem)),
        (
            "state",
            if volume.recording {
                format!("{}, footage goes there", volume.state)
            } else {
                volume.state.clone()
            },
        ),
        ("note", note(volume)),
        ("free", size(volume.free)),
        ("size", size(volume.total)),
        ("footage", size(volume.footage)),
        (
            "comes in",
            volume.rate.map_or("not known yet".to_owned(), |rate| format!("{}/s", show::bytes(rate))),
        ),
        ("full in", time(volume.seconds_until_full)),
        ("holds", time(volume.holds_seconds)),
        ("promised", time(volume.promised_seconds)),
        ("health", volume.health.clone().unwrap_or_else(|| "SMART is not read".to_owned())),
    ];
    lines.iter().map(|(name, value)| format!("{name:11} {value}\n")).collect()
}

fn protections(spans: &[ProtectedSpan]) -> String {
    if spans.is_empty() {
        return "nothing is protected\n".to_owned();
    }
    let mut text =
        format!("{:8}  {:>6}  {:12}  {:24}  {:24}  NOTE\n", "VOLUME", "NUMBER", "CAMERA", "FROM", "TO");
    for span in spans {
        let camera = span.camera.as_deref().unwrap_or("all");
        let volume = short(&span.volume);
        let _ = writeln!(
            text,
            "{volume:8}  {:>6}  {camera:12}  {:24}  {:24}  {}",
            span.number, span.from, span.to, span.note
        );
    }
    text
}

/// Days with one decimal, or hours, or minutes: what a person plans with.
fn days(seconds: u64) -> String {
    match seconds {
        0..3600 => format!("{} min", seconds / 60),
        3600..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{}.{} d", seconds / 86_400, seconds % 86_400 / 8640),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk() -> VolumeStatus {
        VolumeStatus {
            id: Some("4f3c00112233445566778899aabbccdd".into()),
            path: Some("/run/holdfast/volumes/4f3c00112233445566778899aabbccdd".into()),
            kind: "disk".into(),
            device: Some("sda1".into()),
            filesystem: Some("ext4".into()),
            state: "ready".into(),
            detail: None,
            recording: true,
            free: Some(5 << 30),
            total: Some(10 << 30),
            footage: None,
            rate: Some(1 << 20),
            seconds_until_full: None,
            holds_seconds: Some(86_400 * 12 + 8640 * 3),
            promised_seconds: Some(86_400 * 30),
            health: Some("worn".into()),
        }
    }

    #[test]
    fn a_camera_s_line_says_what_is_wrong_with_each_of_its_streams() {
        let stream = |state: &str, detail: Option<&str>| {
            Some(StreamStatus { state: state.into(), detail: detail.map(str::to_owned) })
        };
        let camera = |state: &str, detail: Option<&str>, fallback| CameraStatus {
            id: "gate".into(),
            state: state.into(),
            detail: detail.map(str::to_owned),
            durable_until: None,
            durable_seconds: 0.0,
            held_bytes: 0,
            fallback,
        };
        let text = cameras(&[
            camera("recording", None, None),
            camera("recording", None, stream("idle", None)),
            camera("backing-off", Some("connection refused"), stream("connecting", None)),
            camera(
                "backing-off",
                Some("connection refused"),
                stream("backing-off", Some("stream path not found")),
            ),
            camera("fallback", Some("connection refused"), stream("connected", None)),
        ]);
        let expected = "\
CAMERA  STATE               DURABLE  DURABLE UNTIL
gate    recording       0:00:00.000  -
gate    recording       0:00:00.000  -
gate    backing-off     0:00:00.000  -  connection refused; its second stream is connecting
gate    backing-off     0:00:00.000  -  connection refused; its second stream is backing-off: stream path not found
gate    fallback        0:00:00.000  -  connection refused; its second stream is connected
";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_volume_is_called_by_its_id_its_device_or_its_path() {
        let disk = disk();
        for (name, means_it) in [
            ("4f3c", true),
            ("4f3c00112233445566778899aabbccdd", true),
            ("sda1", true),
            ("/dev/sda1", true),
            ("/run/holdfast/volumes/4f3c00112233445566778899aabbccdd", true),
            ("/run/holdfast/volumes/4f3c00112233445566778899aabbccdd/", true),
            ("4f3", false),
            ("sda", false),
            ("", false),
            ("/run", false),
        ] {
            assert_eq!(disk.is_called(name), means_it, "{name}");
        }
    }

    #[test]
    fn a_line_says_what_a_person_should_know_of_a_volume() {
        let text = volumes(&[disk()]);
        let expected = "\
VOLUME           STATE                 FREE        SIZE     HOLDS  NOTE
4f3c0011 (sda1)  recording          5.0 GiB    10.0 GiB    12.3 d  holds less than the 30.0 d that are promised; SMART: shows signs of wear
";
        assert_eq!(text, expected);
        assert!(volumes(&[]).contains("HOLDFAST"));
    }

    #[test]
    fn lengths_are_shown_as_people_plan() {
        for (seconds, text) in
            [(59, "0 min"), (3599, "59 min"), (3600, "1 h"), (172_799, "47 h"), (172_800, "2.0 d")]
        {
            assert_eq!(days(seconds), text);
        }
    }
}
