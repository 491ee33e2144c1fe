//! A file descriptor as a source of the glib loop, taken out of it when it is dropped.

use glib::{ControlFlow, IOCondition};
use std::os::fd::AsRawFd;

/// See the module. Belongs to the thread of the default main context, as what it calls does.
#[derive(Debug)]
pub(crate) struct Source(Option<glib::SourceId>);

impl Source {
    /// Calls `woken` from the loop whenever `condition` holds on `descriptor`, which lives as long as the source.
    pub(crate) fn on<D: AsRawFd + 'static>(
        descriptor: D,
        condition: IOCondition,
        mut woken: impl FnMut(&D) + 'static,
    ) -> Source {
        let raw = descriptor.as_raw_fd();
        Source(Some(glib_unix::unix_fd_add_local(raw, condition, move |_, _| {
            woken(&descriptor);
            ControlFlow::Continue
        })))
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        if let Some(id) = self.0.take() {
            id.remove(); // it always continues, so it is still there
        }
    }
}
