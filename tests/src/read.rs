//! What recorded files hold, read with GStreamer's qtdemux, FFmpeg and a parser of the lab's own: nothing
//! of the recorder is used to judge it.

use crate::nal::{self, Mark, NalCodec};
use crate::{LabError, boxes, lock};
use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use std::hash::{Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

/// Longest that one file may take to read: a minute of video takes well under a second.
const READ_DEADLINE: gst::ClockTime = gst::ClockTime::from_seconds(120);

/// One frame of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VideoSample {
    /// Presentation time in the file, nanoseconds.
    pub pts: u64,
    /// Decode time in the file, nanoseconds, where it has one.
    pub dts: Option<u64>,
    /// Whether the file calls it a sync sample.
    pub keyframe: bool,
    /// Bytes.
    pub size: usize,
    /// Its mark, if it carries one.
    pub mark: Option<Mark>,
}

/// One sound packet of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SoundSample {
    /// Presentation time in the file, nanoseconds.
    pub pts: u64,
    /// Nanoseconds; 0 if the file gives none.
    pub duration: u64,
    /// Bytes.
    pub size: usize,
    /// A hash of its bytes, the same as [`fingerprint`] gives for what was sent.
    pub fingerprint: u64,
}

/// A hash that tells packets apart, within one run of a program.
pub fn fingerprint(bytes: &[u8]) -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

/// Everything that a file holds.
#[derive(Clone, Debug, Default)]
pub struct Footage {
    /// In the order of the file, which is decode order.
    pub video: Vec<VideoSample>,
    /// GStreamer caps of the picture, as text.
    pub video_caps: String,
    /// The sound, in the order of the file.
    pub sound: Vec<SoundSample>,
    /// GStreamer caps of the sound, as text; empty without sound.
    pub sound_caps: String,
    /// The wall clock at media time zero by the file's first prft, microseconds of UTC.
    pub anchor: Option<i64>,
    /// What qtdemux complained about; what precedes it was still read.
    pub problem: Option<String>,
}

impl Footage {
    /// The numbers of its frames, in the order of the file. Frames without a mark are left out.
    pub fn numbers(&self) -> Vec<u64> {
        self.video.iter().filter_map(|sample| sample.mark).map(|mark| mark.number).collect()
    }

    /// How long the sound is, in nanoseconds, from the first packet's start to the last one's end.
    pub fn sound_span(&self) -> u64 {
        match (self.sound.first(), self.sound.last()) {
            (Some(first), Some(last)) => (last.pts + last.duration).saturating_sub(first.pts),
            _ => 0,
        }
    }
}

/// Reads one MP4 file.
pub fn read(path: &Path) -> Result<Footage, LabError> {
    crate::init()?;
    let failed = |problem: String| LabError::Watch { url: path.display().to_string(), problem };
    let pipeline = gst::Pipeline::new();
    let make =
        |kind: &str| gst::ElementFactory::make(kind).build().map_err(|error| failed(error.to_string()));
    let (source, demuxer) = (make("filesrc")?, make("qtdemux")?);
    source.set_property("location", path);
    pipeline
        .add_many([&source, &demuxer])
        .and_then(|()| source.link(&demuxer))
        .map_err(|error| failed(error.to_string()))?;
    let footage = Arc::new(Mutex::new(Footage::default()));
    let (weak, found) = (pipeline.downgrade(), footage.clone());
    demuxer.connect_pad_added(move |_, pad| {
        if let Some(pipeline) = weak.upgrade() {
            take_track(&pipeline, pad, &found);
        }
    });
    let problem = run_to_end(&pipeline);
    let mut footage = std::mem::take(&mut *lock(&footage));
    footage.problem = problem;
    footage.anchor = boxes::anchors(path)?.first().copied();
    Ok(footage)
}

/// Runs to the end of the file; what went wrong, if something did.
fn run_to_end(pipeline: &gst::Pipeline) -> Option<String> {
    let problem = match (pipeline.set_state(gst::State::Playing), pipeline.bus()) {
        (Ok(_), Some(bus)) => {
            match bus.timed_pop_filtered(READ_DEADLINE, &[gst::MessageType::Error, gst::MessageType::Eos]) {
                None => Some(format!("reading did not end within {READ_DEADLINE}")),
                Some(message) => match message.view() {
                    gst::MessageView::Error(error) => Some(error.error().to_string()),
                    _ => None,
                },
            }
        }
        (Err(error), _) => Some(error.to_string()),
        (Ok(_), None) => Some("the pipeline has no bus".to_owned()),
    };
    // The data is read; a failure to take the pipeline down cannot change it.
    let _ = pipeline.set_state(gst::State::Null);
    problem
}

/// Takes every sample of one track into the footage.
fn take_track(pipeline: &gst::Pipeline, pad: &gst::Pad, footage: &Arc<Mutex<Footage>>) {
    let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
    let Some(structure) = caps.structure(0) else { return };
    let name = structure.name().as_str();
    let video = name.starts_with("video/");
    let parser = match name {
        "video/x-h264" => Some(NalCodec::H264),
        "video/x-h265" => Some(NalCodec::H265),
        _ => None,
    };
    let length_size =
        structure.get::<gst::Buffer>("codec_data").ok().and_then(|data| length_size(parser?, &data));
    let parser = parser.zip(length_size);
    // Without async, since no track waits for another one's first sample here.
    let sink = gst_app::AppSink::builder().sync(false).async_(false).build();
    {
        let mut footage = lock(footage);
        if video { footage.video_caps = caps.to_string() } else { footage.sound_caps = caps.to_string() }
    }
    let found = footage.clone();
    let callbacks = gst_app::AppSinkCallbacks::builder().new_sample(move |sink| {
        let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
        let Some(buffer) = sample.buffer() else { return Ok(gst::FlowSuccess::Ok) };
        let pts = buffer.pts().map_or(0, gst::ClockTime::nseconds);
        if video {
            let mark = parser.and_then(|(codec, size)| {
                let map = buffer.map_readable().ok()?;
                Mark::find(codec, nal::length_prefixed_units(&map, size))
            });
            let keyframe = !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT);
            let dts = buffer.dts().map(gst::ClockTime::nseconds);
            lock(&found).video.push(VideoSample { pts, dts, keyframe, size: buffer.size(), mark });
        } else {
            let duration = buffer.duration().map_or(0, gst::ClockTime::nseconds);
            let fingerprint = buffer.map_readable().map_or(0, |map| fingerprint(&map));
            lock(&found).sound.push(SoundSample { pts, duration, size: buffer.size(), fingerprint });
        }
        Ok(gst::FlowSuccess::Ok)
    });
    sink.set_callbacks(callbacks.build());
    let linked = pipeline.add(&sink).is_ok()
        && sink.sync_state_with_parent().is_ok()
        && sink.static_pad("sink").is_some_and(|target| pad.link(&target).is_ok());
    if !linked {
        lock(footage).problem = Some(format!("the track {name} could not be read"));
    }
}

/// How many bytes a NAL unit's length takes, by the decoder configuration record.
fn length_size(codec: NalCodec, record: &gst::Buffer) -> Option<usize> {
    let map = record.map_readable().ok()?;
    let at = match codec {
        NalCodec::H264 => 4,
        NalCodec::H265 => 21,
    };
    map.get(at).map(|byte| usize::from(byte & 3) + 1)
}

/// Every recorded file of a camera on a volume, oldest first: `<volume>/holdfast/<camera>/<day>/<file>.mp4`.
///
/// Sorted by the number in the name, which rises with every segment of a volume, for as long as names have
/// that form; by name otherwise.
pub fn segments(volume: &Path, camera: &str) -> Result<Vec<PathBuf>, LabError> {
    let folder = volume.join("holdfast").join(camera);
    let failed =
        |source| LabError::Io { doing: format!("listing the segments in {}", folder.display()), source };
    let mut files = Vec::new();
    if !folder.exists() {
        return Ok(files);
    }
    for day in std::fs::read_dir(&folder).map_err(failed)? {
        let day = day.map_err(failed)?.path();
        if !day.is_dir() {
            continue;
        }
        for file in std::fs::read_dir(&day).map_err(failed)? {
            let file = file.map_err(failed)?.path();
            if file.extension().is_some_and(|extension| extension == "mp4") {
                files.push(file);
            }
        }
    }
    files.sort_by_key(|file| (sequence(file), file.clone()));
    Ok(files)
}

/// When a file was last written to, microseconds of UTC since 1970.
pub(crate) fn modified_micros(path: &Path) -> Result<i64, LabError> {
    let failed = |source| LabError::Io { doing: format!("asking for the age of {}", path.display()), source };
    let modified = std::fs::metadata(path).and_then(|facts| facts.modified()).map_err(failed)?;
    let since = modified.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Ok(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

fn sequence(file: &Path) -> Option<u32> {
    file.file_stem()?.to_str()?.rsplit_once("Z-")?.1.parse().ok()
}

/// Whether ffprobe reads the file without a word of complaint; what it said otherwise.
pub fn ffprobe_ok(path: &Path) -> Result<serde_json::Value, LabError> {
    let arguments = ["-v", "error", "-show_format", "-show_streams", "-of", "json"];
    let output = run(Command::new("ffprobe").args(arguments).arg(path))?;
    serde_json::from_slice(&output)
        .map_err(|error| LabError::Child { program: "ffprobe".to_owned(), problem: error.to_string() })
}

/// Whether ffmpeg decodes the whole file without a word of complaint; what it said otherwise.
pub fn plays(path: &Path) -> Result<(), LabError> {
    let output = run(Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-i"])
        .arg(path)
        // Times as they are in the file: ffmpeg would round them to a frame rate that it guesses.
        .args(["-fps_mode", "passthrough", "-enc_time_base", "-1", "-f", "null", "-"]));
    output.map(|_| ())
}

fn run(command: &mut Command) -> Result<Vec<u8>, LabError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output =
        command.output().map_err(|source| LabError::Io { doing: format!("starting {program}"), source })?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() && said.trim().is_empty() {
        return Ok(output.stdout);
    }
    Err(LabError::Child { program, problem: format!("{}: {}", output.status, said.trim()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_listed_by_their_number_not_by_their_name() {
        let volume = tempfile::tempdir().unwrap();
        let names =
            ["2026-11-21/23-59-58Z-9.mp4", "2026-11-22/00-00-58Z-10.mp4", "2026-11-22/00-00-01Z-11.mp4"];
        for name in names.into_iter().chain(["2026-11-22/notes.txt"]) {
            let path = volume.path().join("holdfast/entrance").join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let found = segments(volume.path(), "entrance").unwrap();
        let found: Vec<_> = found
            .iter()
            .map(|path| path.strip_prefix(volume.path().join("holdfast/entrance")).unwrap())
            .collect();
        assert_eq!(found, names.map(Path::new));
        assert!(segments(volume.path(), "nowhere").unwrap().is_empty());
    }
}
