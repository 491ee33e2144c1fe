//! Trouble in a stream whose connection lives, against the real recorder: what comes is recorded, files stay valid, times stay
//! true to half a second, and no trouble makes a flood of files.

use holdfast_tests::camera::{CameraOptions, Sound, VirtualCamera};
use holdfast_tests::clip::{ClipSpec, VideoCodec};
use holdfast_tests::nal::Mark;
use holdfast_tests::proxy::{Fault, Proxy};
use holdfast_tests::read;
use holdfast_tests::recorder::CameraEntry;
use holdfast_tests::sound::SoundCodec;
use holdfast_tests::stage::{PATIENCE, Stage, wait_for_frames};
use holdfast_tests::watch::Status;
use std::time::Duration;

/// What times in files are to be true to, in microseconds.
const TRUE: i64 = 500_000;

/// So long the trouble lasts: sound that stops has stopped after 10 s, and is an alarm 60 s later; the judge of streams takes
/// 20 s, twice; and a clock drifts.
const SECONDS: usize = 140;

/// By so many millionths the drifting camera's clock runs too fast, or too slowly: more than a camera does, so that times of a
/// recorder that believes it are further off than they may be by the end. That a real camera's drift is
/// followed unseen, for a month, is a test of `ingest`.
const DRIFT: i64 = -4_000;
const _: () = assert!(SECONDS as i64 * -DRIFT >= TRUE + TRUE / 10);

/// Each so many of a camera's files is played, and all of one whose format flaps: a player takes longer for it than all else takes for
/// a file.
const PLAYED: usize = 3;

/// Frames of a second.
const SECOND: usize = 25;

/// A kind of trouble, how often it is stirred up, and what is told of it.
struct Row {
    id: &'static str,
    stir: fn(&VirtualCamera, &Proxy, usize),
    told: Option<&'static str>,
    /// Whether players may complain: of pictures that came damaged they will.
    damaged: bool,
}

fn rows() -> [Row; 13] {
    let row = |id, stir, told| Row { id, stir, told, damaged: false };
    let damaged = |id, stir, told| Row { id, stir, told, damaged: true };
    [
        row("well", |_, _, _| {}, None),
        row(
            "flaps",
            |camera, _, second| {
                if second == 0 {
                    camera.flap_video(Some(camera.video().with_size(480, 270))).unwrap();
                }
            },
            Some("video format changes back and forth"),
        ),
        row(
            "leaps",
            |camera, _, second| {
                if second.is_multiple_of(4) {
                    camera.shift_timestamps(20_000_000_000);
                }
            },
            Some("timestamps leap ahead"),
        ),
        row(
            "falls",
            |camera, _, second| {
                if second.is_multiple_of(4) {
                    camera.shift_timestamps(-7_000_000_000);
                }
            },
            Some("timestamps run backwards"),
        ),
        row("freezes", |camera, _, _| camera.freeze_timestamps(true), Some("timestamps stand still")),
        row(
            "drifts",
            |camera, _, second| {
                if second == 0 {
                    camera.drift(DRIFT)
                }
            },
            None,
        ),
        row("wraps", |_, _, _| {}, None),
        row("goes-silent", |camera, _, _| camera.silence_sound(true), Some("its sound has stopped")),
        // Shorter than what is taken for a stall: the connection lives, and the sound goes on.
        row("goes-blind", |camera, _, second| camera.go_blind(second % 20 >= 14), None),
        damaged("keyless", |camera, _, second| camera.drop_keyframes(second % 20 >= 14), None),
        damaged("torn", |camera, _, _| camera.lose_packets(250), Some("stream is damaged")),
        damaged("wrong-headers", |camera, _, _| camera.garble_headers(250), Some("stream is damaged")),
        // Nothing is decoded, so damage is seen where it hits headers and parameter sets: at one byte in seventeen, in many frames.
        damaged("corrupt", |_, proxy, _| proxy.set(Fault::Corrupt(60)), Some("stream is damaged")),
    ]
}

pub fn trouble_in_a_stream_is_told_and_costs_neither_files_nor_their_times() {
    let stage = Stage::new().unwrap();
    let start = |(tag, row): (u32, &Row)| {
        let options = CameraOptions::new(row.id, tag, ClipSpec::small(VideoCodec::H264));
        let options = match row.id {
            "wraps" => options.rtp_wraps_after(Duration::from_secs(15)),
            "goes-silent" | "goes-blind" => options.sound(Sound::Sends(SoundCodec::Pcma)),
            _ => options,
        };
        let camera = VirtualCamera::start(options).unwrap();
        let proxy = Proxy::start(&camera.url()).unwrap();
        (camera, proxy)
    };
    let rows = rows();
    let cameras: Vec<(VirtualCamera, Proxy)> = (1..).zip(&rows).map(start).collect();
    let entries = cameras.iter().map(|(camera, proxy)| CameraEntry::of(camera).by_way_of(&proxy.url()));
    let recorder = stage.record(&stage.configuration(entries.collect())).unwrap();
    Status::until_all_record(&stage, &recorder, PATIENCE).unwrap();

    let mut alarms: Vec<String> = Vec::new();
    let well = &cameras[0].0;
    let begun = well.frames_sent();
    for second in 0..SECONDS {
        for (row, (camera, proxy)) in rows.iter().zip(&cameras) {
            (row.stir)(camera, proxy, second);
        }
        wait_for_frames(well, begun + (second + 1) * SECOND, PATIENCE).unwrap();
        for alarm in Status::ask(&stage).unwrap().alarms {
            if !alarms.contains(&alarm) {
                println!("after {second} s: {alarm}");
                alarms.push(alarm);
            }
        }
    }
    let log = recorder.log();
    let attempts: Vec<usize> = cameras.iter().map(|(_, proxy)| proxy.attempts().len()).collect();
    stage.stop(recorder).unwrap();

    let mut findings = Vec::new();
    for ((row, (camera, _)), attempts) in rows.iter().zip(&cameras).zip(attempts) {
        let name = row.id;
        let (parts, log_of) = (stage.footage(name).unwrap(), camera.log());
        let (mut worst, mut first, mut last) = (0, i64::MAX, 0);
        let mut frames = 0;
        for (place, (path, footage)) in parts.iter().enumerate() {
            findings.extend(
                footage.problem.as_ref().map(|problem| format!("{name}: {}: {problem}", path.display())),
            );
            let anchor = footage.anchor.unwrap();
            let marked = footage.video.iter().filter_map(|sample| sample.mark.map(|mark| (sample, mark)));
            // A mark may have been damaged too: it counts if the camera made it.
            let made = |mark: &Mark| {
                let frame = usize::try_from(mark.number).ok().and_then(|number| log_of.get(number));
                mark.camera == camera.tag()
                    && frame.is_some_and(|frame| frame.wall_micros == mark.wall_micros)
            };
            for (sample, mark) in marked.filter(|(_, mark)| made(mark)) {
                let off = anchor + (sample.pts / 1000) as i64 - mark.wall_micros;
                worst = if off.abs() > i64::abs(worst) { off } else { worst };
                (first, last) = (first.min(mark.wall_micros), last.max(mark.wall_micros));
                frames += 1;
            }
            if !row.damaged && (place % PLAYED == 0 || row.id.contains("flap")) {
                let said = read::ffprobe_ok(path).map(|_| ()).and_then(|()| read::plays(path));
                findings.extend(said.err().map(|error| format!("{name}: {}: {error}", path.display())));
            }
        }
        if frames == 0 {
            findings.push(format!("{name}: none of its frames is there"));
            continue;
        }
        let seconds = (last - first) / 1_000_000;
        // One in 10 s, which is a segment's length here; and one more a minute, since a format that flapped is only expected to
        // go on for so long (decision 0050).
        let length = usize::try_from(seconds).unwrap_or(0);
        let most = 2 + length / 10 + length / 60;
        let files = parts.len();
        println!(
            "{name:14} {files} files, {frames} frames in {seconds} s, {attempts} connections, times off by {} ms at most",
            worst / 1000
        );
        // What it sent is there, on the connection that it had; the one that goes blind sends less.
        let sent = length * SECOND;
        let whole = row.damaged || name == "goes-blind" || frames * 100 >= sent * 95;
        if !whole || (!row.damaged && attempts != 1) {
            findings.push(format!("{name}: {frames} of {sent} frames, {attempts} connections"));
        }
        if worst.abs() > TRUE {
            findings.push(format!("{name}: times are {} ms off", worst / 1000));
        }
        if files > most {
            findings.push(format!("{name}: {files} files in {seconds} s, {most} at most"));
        }
        let told = |words: &str| alarms.iter().any(|alarm| alarm.contains(name) && alarm.contains(words));
        match row.told {
            Some(words) if !told(words) => findings.push(format!("{name}: {words:?} was not told")),
            Some(_) | None => {}
        }
    }
    let quiet = |name: &str| !alarms.iter().any(|alarm| alarm.contains(name));
    for name in ["well", "drifts", "wraps", "goes-blind", "keyless"] {
        if !quiet(name) {
            findings.push(format!("{name}: there is an alarm"));
        }
    }
    assert!(findings.is_empty(), "{findings:#?}\nalarms: {alarms:#?}\n{log}");
}
