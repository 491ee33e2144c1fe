//! The one loop: joins the world to the core.
//!
//! It runs on a glib main context. Everything that happens arrives here as a message: from GStreamer's
//! buses, from the writers' threads, from signals and from timers. For each, the core is asked
//! (`handle`), its effects are carried out (`perform`), and the timer is set for its next time-out.
//! The loop itself never waits for a disk, a camera or a name server.

mod asked;
mod cameras;
mod say;
mod slots;
mod standing;
mod volumes;

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use futures_channel::mpsc::{self, UnboundedReceiver, UnboundedSender};
use glib::ControlFlow;
use gstreamer as gst;
use heapless::Vec as Bounded;
use holdfast_core::Appliance;
use holdfast_core::effect::{Effect, Stream};
use holdfast_core::event::{CameraEvent, Event, VolumeEvent};
use holdfast_core::settings::{CameraIndex, CameraSettings, MAX_CAMERAS, Settings, VolumeIndex};
use holdfast_core::time::{Anchor, Wall};
use holdfast_wire::ids::SessionId;

use crate::config::Config;
use crate::control::Request;
use crate::control::server::{Reply, Server};
use crate::host::last_words::{self, LastWords};
use crate::host::{clock, message_ids as ids, network, notify, pressure};
use crate::ingest;
use crate::view::{Mode, View};
use crate::volumes::disks::{DiskChange, Disks};
use crate::writer::Report;
use cameras::Cameras;
use slots::Bystanders;
use standing::Standing;
use volumes::Volumes;

/// How often figures of cameras and volumes are taken for the core and for people.
const FIGURES_EVERY: Duration = Duration::from_secs(1);

/// How often the helper's reports of the disks' health are read: it asks the disks once an hour.
const HEALTH_EVERY: Duration = Duration::from_secs(60);

/// Wall time before this cannot be right: when this program was built, in seconds since 1970 (`build.rs`).
const CLOCK_FLOOR: &str = env!("HOLDFAST_BUILT");

/// Something for the loop.
pub(crate) enum Message {
    /// For the core as it is.
    Event(Event),
    /// From a camera's session; stale if another session has begun since.
    Session(CameraIndex, Stream, u64, CameraEvent),
    /// From a volume's writer; stale if another writer has begun since.
    Writer(VolumeIndex, u64, Report),
    /// A disk came or went.
    Disk(DiskChange),
    /// A person asks.
    Control(Request, Reply),
}

/// The way to the loop, from any thread.
pub(crate) type Outbox = UnboundedSender<Message>;

/// Why the recorder could not run.
#[derive(Debug)]
pub enum RunError {
    /// GStreamer could not be initialised.
    GStreamer(glib::Error),
    /// GStreamer lacks elements that recording needs.
    Elements(Vec<&'static str>),
    /// The configuration holds more than one device can do; `holdfast check` says so first.
    TooMany(&'static str),
    /// It ended with footage in memory that no volume took, so many bytes.
    NotStored(u64),
    /// The kernel would not tell who and when we are.
    Host(std::io::Error),
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RunError::GStreamer(error) => write!(f, "GStreamer cannot be initialised: {error}"),
            RunError::Elements(names) => write!(
                f,
                "GStreamer lacks what recording needs: {}. Install GStreamer's base, good and bad plugins.",
                names.join(", ")
            ),
            RunError::TooMany(what) => write!(f, "more {what} than one device can record"),
            RunError::NotStored(bytes) => write!(
                f,
                "stopped with {bytes} bytes of footage that no volume took: they are lost. The ledger of a volume that was \
                 in use tells from when. Check the volumes that the configuration names"
            ),
            RunError::Host(error) => write!(f, "cannot read this machine's clocks and identity: {error}"),
        }
    }
}

impl std::error::Error for RunError {}

struct Shell {
    core: Appliance,
    cameras: Cameras,
    volumes: Volumes,
    bystanders: Bystanders,
    standing: Standing,
    view: View,
    timer: Option<glib::SourceId>,
    /// What the kernel said last of its clock; `None` before it was asked.
    synchronised: Option<bool>,
    main_loop: glib::MainLoop,
}

/// Records until SIGTERM or SIGINT, then finishes in good order.
pub fn run(config: &Config, mode: Mode) -> Result<(), RunError> {
    gst::init().map_err(RunError::GStreamer)?;
    ingest::keep_secrets_out_of_gstreamers_log();
    let missing = ingest::missing_elements();
    if !missing.is_empty() {
        return Err(RunError::Elements(missing));
    }
    let (outbox, inbox) = mpsc::unbounded();
    let main_loop = glib::MainLoop::new(None, false);
    let shell = Rc::new(RefCell::new(build(config, mode, outbox.clone(), main_loop.clone())?));
    let session = shell.borrow().volumes.session();
    log::info!(MESSAGE_ID = ids::RECORDER_STARTED;
        "Holdfast {} starts as {}, cameras: {}, volumes: {}, session {session}",
        env!("CARGO_PKG_VERSION"), config.device, config.cameras.len(), config.volumes.len());

    // What the core or an effect sends while we are here waits in the channel.
    let _ = outbox.unbounded_send(Message::Event(Event::Start));
    glib::MainContext::default().spawn_local(receive(Rc::clone(&shell), inbox));
    for signal in [rustix::process::Signal::TERM, rustix::process::Signal::INT] {
        let outbox = outbox.clone();
        glib_unix::unix_signal_add_local(signal.as_raw(), move || {
            notify::stopping();
            let _ = outbox.unbounded_send(Message::Event(Event::Stop));
            ControlFlow::Continue
        });
    }
    let asking = Rc::clone(&shell);
    glib::timeout_add_local(HEALTH_EVERY, move || {
        let events = asking.borrow_mut().volumes.health();
        events.into_iter().for_each(|event| handle(&asking, event));
        ControlFlow::Continue
    });
    let ticking = Rc::clone(&shell);
    glib::timeout_add_local(FIGURES_EVERY, move || {
        figures(&ticking);
        ControlFlow::Continue
    });
    // Kept until the loop ends.
    let _disks = config.storage.disks.then(|| watch_disks(config, &outbox)).flatten();
    let _server = listen(config, &outbox);
    let _links = watch_links(&outbox);
    notify::ready();
    main_loop.run();
    shell.borrow_mut().view.finish();
    let left = shell.borrow().cameras.held();
    if left > 0 {
        return Err(RunError::NotStored(left));
    }
    log::info!(MESSAGE_ID = ids::RECORDER_STOPPED; "Holdfast has stopped; nothing is left to be stored");
    Ok(())
}

fn build(config: &Config, mode: Mode, outbox: Outbox, main_loop: glib::MainLoop) -> Result<Shell, RunError> {
    let cameras: Bounded<CameraSettings, MAX_CAMERAS> = cameras::settings(config).take(MAX_CAMERAS).collect();
    let cameras = Some(cameras).filter(|list| list.len() == config.cameras.len());
    let now = clock::now();
    let anchor = Anchor { mono: now.mono, wall: now.wall, trusted: false };
    let names = config.cameras.iter().map(|camera| camera.id.clone()).collect();
    let mut volumes = Volumes::new(config, names, anchor, outbox.clone()).map_err(RunError::Host)?;
    volumes.last_words = begin_note(config, volumes.session());
    let core = Appliance::new(Settings {
        cameras: cameras.ok_or(RunError::TooMany("cameras"))?,
        volumes: volumes.kinds().collect(),
        retention: config
            .cameras
            .iter()
            .filter_map(|camera| camera.keep)
            .chain([config.retention.keep])
            .max()
            .unwrap_or_default(),
        cleaning_starts: volumes::rules(&config.retention).start,
        stall: config.limits.stall,
        ring: config.limits.ring,
        segment: config.limits.segment,
        clock: clock::kind(),
        clock_floor: Wall::from_secs(CLOCK_FLOOR.parse().unwrap_or(0)),
        seed: clock::seed().map_err(RunError::Host)?,
    });
    Ok(Shell {
        core,
        cameras: Cameras::new(config, outbox),
        volumes,
        bystanders: Bystanders::default(),
        standing: Standing::default(),
        view: View::new(mode),
        timer: None,
        synchronised: None,
        main_loop,
    })
}

/// What the session before could not write down itself; and the same for the one after this.
fn begin_note(config: &Config, session: SessionId) -> Option<LastWords> {
    let note = last_words::path(&config.storage.runtime);
    let words = last_words::take(&note);
    if let Some(words) = &words {
        log::warn!("the recorder {}: session {}", words.cause.text(), words.session);
    }
    if let Err(error) = last_words::arm(&note, session) {
        log::warn!(
            "if memory runs out, the next start will not know why this one ended: {}: {error}",
            note.display()
        );
    }
    words
}

/// Watches the disks that come and go. Without it the volumes of the configuration are recorded to all the same.
fn watch_disks(config: &Config, outbox: &Outbox) -> Option<Disks> {
    let runtime = &config.storage.runtime;
    let paths: Vec<_> = config.volumes.iter().map(|volume| volume.path.clone()).collect();
    let outbox = outbox.clone();
    let told = move |change| {
        let _ = outbox.unbounded_send(Message::Disk(change));
    };
    Disks::watch(&runtime.join("volumes"), &runtime.join("disks"), &paths, told)
        .inspect_err(|error| log::error!("disks cannot be watched, those that come are not used: {error}"))
        .ok()
}

/// Watches the links of the network. Without it, cameras that are lost together are known by that alone.
fn watch_links(outbox: &Outbox) -> Option<network::LinkWatch> {
    let outbox = outbox.clone();
    let told = move |there| {
        let _ = outbox.unbounded_send(Message::Event(Event::Carrier(there)));
    };
    network::watch(told)
        .inspect_err(|error| log::warn!("the network's links cannot be watched, a cable that is pulled is not told apart from lost cameras: {error}"))
        .ok()
}

/// Lets `holdfast status` and its sisters ask. Without it everything else goes on.
fn listen(config: &Config, outbox: &Outbox) -> Option<Server> {
    let outbox = outbox.clone();
    let hand = move |request, reply| {
        let _ = outbox.unbounded_send(Message::Control(request, reply));
    };
    let runtime = &config.storage.runtime;
    Server::start(runtime, hand)
        .inspect_err(|error| {
            log::warn!(
                "`holdfast status` and `holdfast volume` cannot ask this recorder: {}: {error}. \
                 Check that the directory belongs to the recorder's user, or set runtime in [storage]",
                runtime.display()
            );
        })
        .ok()
}

async fn receive(shell: Rc<RefCell<Shell>>, mut inbox: UnboundedReceiver<Message>) {
    while let Ok(message) = inbox.recv().await {
        let events = shell.borrow_mut().events_of(message);
        for event in events {
            handle(&shell, event);
        }
    }
}

/// One turn: the event to the core, its effects to the world, the timer to its next time-out.
fn handle(shell: &Rc<RefCell<Shell>>, event: Event) {
    let mut this = shell.borrow_mut();
    let anchor = this.volumes.anchor();
    this.cameras.note(&event, anchor);
    this.volumes.note(&event);
    say::event(&event, &this.cameras, &this.volumes);
    this.core.handle(clock::now(), event);
    while let Some(effect) = this.core.poll_effect() {
        this.perform(effect);
    }
    if let Some(timer) = this.timer.take() {
        timer.remove();
    }
    let Some(at) = this.core.poll_timeout() else { return };
    let wait = at.since(clock::now().mono);
    let waking = Rc::clone(shell);
    // glib counts in milliseconds and rounds down: one more, or the core would be woken too early.
    this.timer = Some(glib::timeout_add_local_once(wait + Duration::from_millis(1), move || {
        waking.borrow_mut().timer = None;
        handle(&waking, Event::Tick);
    }));
}

/// Takes the figures of every camera, tells them to the core, and shows them.
fn figures(shell: &Rc<RefCell<Shell>>) {
    let events = {
        let mut this = shell.borrow_mut();
        let this = &mut *this;
        let mut events = this.cameras.figures(this.volumes.anchor());
        events.extend(this.volumes.figures(|camera| this.cameras.fill(camera)));
        events.extend(this.volumes.pulled());
        let synchronised = clock::synchronised();
        if this.synchronised.replace(synchronised) != Some(synchronised) {
            events.push(Event::ClockSynchronised(synchronised));
        }
        events.extend(pressure::permille().map(Event::MemoryPressure));
        events
    };
    for event in events {
        handle(shell, event);
    }
    let mut this = shell.borrow_mut();
    let volumes = this.volumes.picture();
    let alarms = this.standing.words(&this.cameras, &this.volumes);
    let picture = this.cameras.picture(volumes, alarms);
    this.view.show(picture);
}

impl Shell {
    /// What a message means for the core: nothing, if it comes from something that was replaced since.
    fn events_of(&mut self, message: Message) -> Vec<Event> {
        match message {
            Message::Event(event) => vec![event],
            Message::Disk(change) => self.volumes.disk_changed(change, &mut self.bystanders),
            Message::Control(request, reply) => {
                let alarms = self.standing.list(&self.cameras, &self.volumes);
                let (core, left_alone) = (&self.core, self.bystanders.list());
                let (outcome, event) =
                    asked::answer(request, core, &self.cameras, &self.volumes, left_alone, alarms);
                // Who asked has gone; what was asked for is done all the same.
                let _ = reply.send(outcome);
                event.into_iter().collect()
            }
            Message::Writer(volume, generation, Report::Ended) => match self.volumes.ended(generation) {
                true => vec![Event::Volume(volume, VolumeEvent::Released)],
                false => Vec::new(),
            },
            Message::Session(camera, stream, generation, event)
                if self.cameras.is_current(camera, stream, generation) =>
            {
                vec![match stream {
                    Stream::Main => Event::Camera(camera, event),
                    Stream::Fallback => Event::Fallback(camera, event),
                }]
            }
            Message::Writer(volume, generation, report) if self.volumes.is_current(volume, generation) => {
                match report {
                    Report::Event(event) => {
                        // What the ring dropped before this footage is told before it, or the hole would be
                        // laid to the network.
                        let mut events = match &event {
                            Event::Volume(_, VolumeEvent::Stored { camera, .. }) => {
                                self.cameras.drops(*camera, self.volumes.anchor())
                            }
                            _ => Vec::new(),
                        };
                        events.push(event);
                        events
                    }
                    Report::Drained => {
                        self.volumes.end(volume);
                        Vec::new()
                    }
                    // What it has to say it said before, and one that was abandoned is asked at the next opening.
                    Report::Ended => Vec::new(),
                }
            }
            Message::Session(..) | Message::Writer(..) => Vec::new(),
        }
    }

    fn perform(&mut self, effect: Effect) {
        say::effect(&effect, &self.cameras, &self.volumes);
        match effect {
            Effect::Camera(camera, effect) => self.cameras.perform(camera, Stream::Main, effect),
            Effect::Fallback(camera, effect) => self.cameras.perform(camera, Stream::Fallback, effect),
            Effect::Shed(shed) => self.cameras.shed(shed),
            Effect::Alive => notify::alive(),
            Effect::Volume(volume, effect) => self.volumes.perform(volume, effect),
            Effect::Route { camera, to } => {
                if let Some(ring) = self.cameras.ring(camera) {
                    self.volumes.route(camera, to, ring);
                }
            }
            Effect::Account(volume, entry) => self.volumes.account(volume, entry),
            Effect::SetAnchor(anchor) => self.volumes.set_anchor(anchor),
            Effect::Alarm(notice) => self.standing.note(&notice),
            Effect::Finished => self.main_loop.quit(),
        }
    }
}
