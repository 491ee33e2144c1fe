//! A writer's way to the loop, silent once the writer is abandoned.

use holdfast_core::event::{CameraEvent, Event, Failure, VolumeEvent};
use holdfast_core::settings::{CameraIndex, VolumeIndex};
use holdfast_wire::ids::Name;

use super::pulse::Pulse;
use super::stream::Told;
use super::{Report, Reporter};

/// Says what happened.
pub(super) struct Voice {
    pub index: VolumeIndex,
    pub cameras: Vec<Name>,
    pub report: Reporter,
    pub pulse: Pulse,
}

impl Voice {
    pub fn volume(&self, event: VolumeEvent) {
        self.say(Event::Volume(self.index, event));
    }
    pub fn report(&self, report: Report) {
        if !self.pulse.is_abandoned() {
            (self.report)(report);
        }
    }
    pub fn told(&self, camera: CameraIndex, told: Told) {
        match told {
            Told::Stored(durable) => self.volume(VolumeEvent::Stored {
                camera,
                span: durable.span,
                frames: durable.frames,
                bytes: durable.bytes,
            }),
            Told::Unusable(error) => {
                self.complain(camera, &format!("no playable file can be made of its video: {error}"));
                self.say(Event::Camera(camera, CameraEvent::Failed(Failure::Garbage)));
            }
            Told::NoSound(error) => {
                self.complain(camera, &format!("its sound cannot be kept, the picture goes on: {error}"));
                let track = "audio, by its description".try_into().unwrap_or_default();
                self.say(Event::Camera(camera, CameraEvent::Unsupported { track }));
            }
            Told::Lost { span, frames, bytes } => {
                let what = "no keyframe came before its file was as large as the filesystem allows; what comes until the \
                            next one cannot be kept. Set a shorter keyframe interval in the camera";
                self.complain(camera, what);
                self.say(Event::Camera(camera, CameraEvent::Dropped { span, units: frames, bytes }));
            }
        }
    }

    fn say(&self, event: Event) {
        self.report(Report::Event(event));
    }
    fn complain(&self, camera: CameraIndex, what: &str) {
        let name = self.cameras.get(usize::from(camera.0)).map_or("?", Name::as_str);
        log::error!(CAMERA = name; "{what}");
    }
}
