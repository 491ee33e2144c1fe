//! The elements between a pad of rtspsrc and the ring: put there, and exchanged while the connection goes on.
//!
//! Words: a **branch** is one track's elements. Nothing in it has a thread: it runs on that of the pad before it.

use std::sync::{Arc, Mutex, PoisonError};

use gstreamer as gst;
use gstreamer::prelude::*;
use holdfast_core::event::{CameraEvent, Failure};

use super::codecs::Codec;
use super::{BuildError, Reporter, Shared, track};

/// A track's elements, and the pad that feeds them.
#[derive(Debug)]
pub(super) struct Branch {
    pad: gst::Pad,
    codec: &'static Codec,
    elements: Vec<gst::Element>,
}

/// The video's branch; `None` before it is built, and while another one is put in its place.
pub(super) type Slot = Arc<Mutex<Option<Branch>>>;

/// Builds the elements for `codec`, links them behind `pad` and brings them to the pipeline's state.
pub(super) fn link(
    pipeline: &gst::Pipeline,
    pad: &gst::Pad,
    codec: &'static Codec,
    shared: &Shared,
) -> Result<Branch, BuildError> {
    let elements = build(pipeline, codec, shared)?;
    let branch = Branch { pad: pad.clone(), codec, elements };
    match branch.join() {
        Ok(()) => Ok(branch),
        Err(error) => {
            branch.remove(pipeline, shared.camera());
            Err(error)
        }
    }
}

/// Puts new elements in place of those in `slot`, as soon as nothing passes the pad, at the latest after the packet that
/// passes it now. What cannot be built is told here; what cannot be linked then, as a failure.
pub(super) fn rebuild(
    pipeline: &gst::Pipeline,
    slot: &Slot,
    shared: &Shared,
    report: &Reporter,
) -> Result<(), BuildError> {
    let taken = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(old) = taken else {
        return Err(BuildError { what: "there is no media path that could be built anew".into() });
    };
    let elements = match build(pipeline, old.codec, shared) {
        Ok(elements) => elements,
        Err(error) => {
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(old);
            return Err(error);
        }
    };
    let pad = old.pad.clone();
    let new = Branch { pad: pad.clone(), codec: old.codec, elements };
    let (pipeline, slot, shared, report) =
        (pipeline.downgrade(), Arc::clone(slot), shared.clone(), Arc::clone(report));
    let exchange = Mutex::new(Some((old, new)));
    pad.add_probe(gst::PadProbeType::IDLE, move |pad, _| {
        // An idle probe may be called again while it is being removed.
        let exchange = exchange.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (Some((old, new)), Some(pipeline)) = (exchange, pipeline.upgrade()) else {
            return gst::PadProbeReturn::Remove;
        };
        if let Some(peer) = pad.peer()
            && let Err(error) = pad.unlink(&peer)
        {
            log::error!(CAMERA = shared.camera(); "cannot take out the old media path: {error}");
        }
        // The new elements begin in the middle of a picture.
        shared.drop_until_keyframe();
        if let Err(error) = new.join() {
            log::error!(CAMERA = shared.camera(); "cannot build the media path anew: {error}");
            report(CameraEvent::Failed(Failure::Internal));
        }
        *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(new);
        // This may be the thread that runs through them: it does not take them down itself.
        let shared = shared.clone();
        pipeline.call_async(move |pipeline| old.remove(pipeline, shared.camera()));
        gst::PadProbeReturn::Remove
    });
    Ok(())
}

fn build(
    pipeline: &gst::Pipeline,
    codec: &'static Codec,
    shared: &Shared,
) -> Result<Vec<gst::Element>, BuildError> {
    let elements = track::elements(codec, shared)?;
    let brought_up = || -> Result<(), glib::BoolError> {
        pipeline.add_many(&elements)?;
        gst::Element::link_many(&elements)?;
        elements.iter().rev().try_for_each(|element| element.sync_state_with_parent())
    };
    brought_up().map_err(|error| {
        take_down(pipeline, &elements, shared.camera());
        BuildError { what: error.to_string() }
    })?;
    Ok(elements)
}

impl Branch {
    /// Links the first element behind the pad. What the pad has told before (caps, segment) it tells again.
    fn join(&self) -> Result<(), BuildError> {
        let first = self.elements.first().and_then(|element| element.static_pad("sink"));
        let first =
            first.ok_or_else(|| BuildError { what: format!("{} has no sink pad", self.codec.encoding) })?;
        self.pad.link(&first).map(drop).map_err(|error| BuildError { what: error.to_string() })
    }

    /// Takes its elements out of the pipeline of `camera`; nothing may pass through them any more.
    pub(super) fn remove(&self, pipeline: &gst::Pipeline, camera: &str) {
        take_down(pipeline, &self.elements, camera);
    }
}

/// From the source on, so that none pushes into one that is down already.
fn take_down(pipeline: &gst::Pipeline, elements: &[gst::Element], camera: &str) {
    for element in elements {
        // Not to be brought up again with the pipeline meanwhile.
        element.set_locked_state(true);
        if element.set_state(gst::State::Null).is_err() {
            log::warn!(CAMERA = camera; "{} did not stop in good order; it is dropped", element.name());
        }
        // One that was never added is not there to be removed.
        let _ = pipeline.remove(element);
    }
}

#[cfg(test)]
mod tests;
