//! Messages that tell how full a buffer is: a live pipeline never pauses for them, a replayed one does.
//!
//! A camera does not wait: a live pipeline that pauses loses what comes meanwhile. A server that replays does wait.

use gstreamer as gst;
use gstreamer::prelude::*;

/// Whether what comes can wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It cannot: the pipeline has no preroll.
    Live,
    /// It can.
    Replayed {
        /// It waits now.
        held: bool,
    },
}

/// Plays a pipeline, and tells which kind it is: a live source has nothing to show while it is paused, so its state
/// change is answered with `NoPreroll`.
pub(super) fn play(pipeline: &gst::Pipeline) -> Result<Kind, gst::StateChangeError> {
    let kind = match pipeline.set_state(gst::State::Paused)? {
        gst::StateChangeSuccess::NoPreroll => Kind::Live,
        gst::StateChangeSuccess::Success | gst::StateChangeSuccess::Async => Kind::Replayed { held: false },
    };
    pipeline.set_state(gst::State::Playing)?;
    Ok(kind)
}

impl Kind {
    /// A buffer is filled to this many percent: what the pipeline's state is to be now, if it is to change.
    pub fn filled(&mut self, percent: i32) -> Option<gst::State> {
        let Kind::Replayed { held } = self else { return None };
        let hold = percent < 100;
        (std::mem::replace(held, hold) != hold).then_some(if hold {
            gst::State::Paused
        } else {
            gst::State::Playing
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pipeline(line: &str) -> gst::Pipeline {
        gst::init().unwrap();
        gst::parse::launch(line).unwrap().downcast::<gst::Pipeline>().unwrap()
    }

    /// Tells a pipeline's bus these percentages, as an element would; gives its state after each.
    fn states(pipeline: &gst::Pipeline, percentages: &[i32]) -> Vec<gst::State> {
        let mut kind = play(pipeline).unwrap();
        let bus = pipeline.bus().unwrap();
        let source = pipeline.by_name("source").unwrap();
        let settled = || pipeline.state(gst::ClockTime::from_seconds(10)).1;
        assert_eq!(settled(), gst::State::Playing);
        let after = |percent: &i32| {
            source.post_message(gst::message::Buffering::builder(*percent).src(&source).build()).unwrap();
            let wanted = [gst::MessageType::Buffering];
            let message = bus.timed_pop_filtered(gst::ClockTime::from_seconds(10), &wanted).unwrap();
            let gst::MessageView::Buffering(message) = message.view() else { unreachable!() };
            if let Some(state) = kind.filled(message.percent()) {
                pipeline.set_state(state).unwrap();
            }
            settled()
        };
        let states = percentages.iter().map(after).collect();
        pipeline.set_state(gst::State::Null).unwrap();
        states
    }

    #[test]
    fn a_live_pipeline_is_never_paused_by_a_buffer() {
        let live = pipeline("videotestsrc name=source is-live=true ! fakesink");
        assert_eq!(states(&live, &[50, 0, 99, 100]), [gst::State::Playing; 4]);
    }

    #[test]
    fn a_replayed_pipeline_waits_until_its_buffer_is_full() {
        let replayed = pipeline("videotestsrc name=source ! fakesink");
        let [playing, paused] = [gst::State::Playing, gst::State::Paused];
        assert_eq!(states(&replayed, &[100, 30, 60, 100, 99]), [playing, paused, paused, playing, paused]);
    }
}
