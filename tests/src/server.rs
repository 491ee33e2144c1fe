//! The RTSP side of a virtual camera: a GstRTSPServer on loopback with a thread and main context of its own.
//!
//! Words: a **media** is the pipeline that the server makes at the first DESCRIBE and takes down when the
//! last client has left; all clients share it, as with a real camera's encoder.

use crate::camera::{Auth, CameraOptions, Sound, Transports};
use crate::clip::VideoCodec;
use crate::feeder::{METADATA_PAYLOAD_TYPE, Outlet, Shared};
use crate::sound::SoundCodec;
use crate::{LabError, lock};
use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use gstreamer_rtsp_server as rtsp;
use rtsp::gst_rtsp::{RTSPAuthMethod, RTSPLowerTrans};
use rtsp::prelude::*;
use std::collections::HashSet;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

/// The path that every virtual camera serves.
pub const MOUNT: &str = "/main";

/// The path of its second stream.
pub const SUB_MOUNT: &str = "/sub";

/// The role that an authenticated client has.
const ROLE: &str = "viewer";

/// How long the server's thread may take to answer before the lab calls it broken.
const ANSWER: Duration = Duration::from_secs(20);

/// Caps of the track that is described but whose packets never come.
const DECLARED_ONLY: &str = "audio/x-alaw,rate=8000,channels=1";

/// A server and its thread.
#[derive(Debug)]
pub(crate) struct Server {
    name: String,
    port: u16,
    context: glib::MainContext,
    main_loop: glib::MainLoop,
    server: rtsp::RTSPServer,
    sessions: rtsp::RTSPSessionPool,
    shared: Arc<Shared>,
    listening: Option<glib::Source>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Makes the server and starts to listen.
    pub fn start(options: &CameraOptions, caps: MediaCaps, shared: Arc<Shared>) -> Result<Server, LabError> {
        let server = rtsp::RTSPServer::new();
        server.set_address("127.0.0.1");
        let sessions = rtsp::RTSPSessionPool::new();
        server.set_session_pool(Some(&sessions));
        // Clients are served on this camera's own context: closing them is then never a race.
        let threads = rtsp::RTSPThreadPool::new();
        threads.set_max_threads(0);
        server.set_thread_pool(Some(&threads));
        let mounts = rtsp::RTSPMountPoints::new();
        mounts.add_factory(options.mount, factory(options, caps, shared.clone()));
        server.set_mount_points(Some(&mounts));
        if let Some(auth) = authentication(options)? {
            server.set_auth(Some(&auth));
        }
        count_watchers(&server, &shared);
        let context = glib::MainContext::new();
        let main_loop = glib::MainLoop::new(Some(&context), false);
        let name = options.name.clone();
        let failed =
            |problem: String| LabError::Serve { camera: options.name.clone(), port: options.port, problem };
        let running = main_loop.clone();
        let thread = std::thread::Builder::new()
            .name(format!("rtsp-{name}"))
            .spawn(move || {
                // The loop's context must be this thread's default: gst-rtsp-server's timers go there.
                let own = running.context();
                let _ = own.with_thread_default(|| running.run());
            })
            .map_err(|error| failed(error.to_string()))?;
        let thread = Some(thread);
        let mut server = Server {
            name,
            port: options.port,
            context,
            main_loop,
            server,
            sessions,
            shared,
            listening: None,
            thread,
        };
        server.listen()?;
        Ok(server)
    }

    /// The TCP port it listens on, or did before it was stopped.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Binds the port and accepts clients. Does nothing if it does already.
    pub fn listen(&mut self) -> Result<(), LabError> {
        if self.listening.is_some() {
            return Ok(());
        }
        self.server.set_service(&self.port.to_string());
        let source = self.server.create_source(gio_none()).map_err(|error| LabError::Serve {
            camera: self.name.clone(),
            port: self.port,
            problem: error.to_string(),
        })?;
        source.attach(Some(&self.context));
        self.port = u16::try_from(self.server.bound_port()).unwrap_or(self.port);
        self.listening = Some(source);
        Ok(())
    }

    /// Closes the listening socket and every connection: the next client is refused.
    pub fn close(&mut self) {
        if let Some(source) = self.listening.take() {
            source.destroy();
        }
        let (done, finished) = mpsc::channel();
        let (server, sessions) = (self.server.clone(), self.sessions.clone());
        self.context.invoke(move || {
            server.client_filter(Some(&mut |_, _| rtsp::RTSPFilterResult::Remove));
            sessions.filter(Some(&mut |_, _| rtsp::RTSPFilterResult::Remove));
            // The receiver is gone only if the camera gave up waiting.
            let _ = done.send(());
        });
        // A server that does not answer is left behind; its socket is closed already.
        let _ = finished.recv_timeout(ANSWER);
        lock(&self.shared.state).watchers.clear();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.close();
        self.main_loop.quit();
        if let Some(thread) = self.thread.take() {
            // It has only run glib's loop; a panic there was printed where it happened.
            let _ = thread.join();
        }
    }
}

/// The caps that the media's sources are given.
#[derive(Clone, Debug)]
pub(crate) struct MediaCaps {
    /// Of the picture.
    pub video: gst::Caps,
    /// Of the sound, if any is sent.
    pub sound: Option<gst::Caps>,
}

fn gio_none() -> Option<&'static rtsp::gio::Cancellable> {
    None
}

fn factory(options: &CameraOptions, caps: MediaCaps, shared: Arc<Shared>) -> rtsp::RTSPMediaFactory {
    let factory = rtsp::RTSPMediaFactory::new();
    factory.set_launch(&launch_line(options));
    factory.set_shared(true);
    factory.set_suspend_mode(rtsp::RTSPSuspendMode::None);
    factory.set_protocols(match options.transports {
        Transports::Both => RTSPLowerTrans::TCP | RTSPLowerTrans::UDP,
        Transports::TcpOnly => RTSPLowerTrans::TCP,
        Transports::UdpOnly => RTSPLowerTrans::UDP,
    });
    let may = gst::Structure::builder(ROLE)
        .field("media.factory.access", true)
        .field("media.factory.construct", true)
        .build();
    factory.add_role_from_structure(&may);
    let declared_only = options.sound == Sound::DeclaredOnly;
    let ids = AtomicU64::new(0);
    factory.connect_media_configure(move |_, media| {
        let id = ids.fetch_add(1, Ordering::Relaxed);
        let Some(outlet) = outlet(media, id, &caps, declared_only) else { return };
        for payloader in ["pay0", "pay1"] {
            shift_stamps(media, payloader, &shared);
        }
        lock(&shared.state).outlets.push(outlet);
        let shared = shared.clone();
        media.connect_unprepared(move |_| lock(&shared.state).outlets.retain(|outlet| outlet.id != id));
    });
    factory
}

/// Finds the sources of a new media and tells them what they will carry.
fn outlet(media: &rtsp::RTSPMedia, id: u64, caps: &MediaCaps, declared_only: bool) -> Option<Outlet> {
    let bin = media.element().downcast::<gst::Bin>().ok()?;
    let source = |name: &str| bin.by_name(name).and_downcast::<gst_app::AppSrc>();
    let video = source("video_in")?;
    video.set_caps(Some(&caps.video));
    let sound = source("sound_in");
    if let Some(sound) = &sound {
        match &caps.sound {
            Some(caps) => sound.set_caps(Some(caps)),
            None => sound.set_caps(DECLARED_ONLY.parse::<gst::Caps>().ok().as_ref()),
        }
    }
    // The server describes a track only after something came from it; for a track that never sends,
    // a gap does, which makes no packet.
    if declared_only && let Some(sound) = &sound {
        sound.send_event(
            gst::event::Gap::builder(gst::ClockTime::ZERO).duration(gst::ClockTime::SECOND).build(),
        );
    }
    let torn = Arc::default();
    lose_packets(&bin, &torn)?;
    Some(Outlet { id, video, sound, metadata: source("metadata_in"), begun: false, torn })
}

/// Takes the last RTP packet, which carries the marker, out of each frame of these running times.
fn lose_packets(bin: &gst::Bin, torn: &Arc<Mutex<HashSet<u64>>>) -> Option<()> {
    let torn = torn.clone();
    let is_lost = move |packet: &gst::BufferRef| {
        let mut head = [0; 2];
        let marked = packet.copy_to_slice(0, &mut head).is_ok() && head[1] & 0x80 != 0;
        marked && packet.pts().is_some_and(|pts| lock(&torn).remove(&pts.nseconds()))
    };
    let pad = bin.by_name("pay0")?.static_pad("src")?;
    pad.add_probe(gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST, move |_, info| match &mut info
        .data
    {
        Some(gst::PadProbeData::Buffer(buffer)) if is_lost(buffer) => gst::PadProbeReturn::Drop,
        Some(gst::PadProbeData::BufferList(list)) => {
            let last = list.len().saturating_sub(1);
            if list.get(last).is_some_and(&is_lost) {
                list.make_mut().remove(last..=last);
            }
            gst::PadProbeReturn::Ok
        }
        _ => gst::PadProbeReturn::Ok,
    })
    .map(|_| ())
}

/// Adds what the camera's clock is ahead to the stamps of a track's packets. In the packets alone: the server sends by the time of
/// its buffers, and would wait for a time that lies ahead.
fn shift_stamps(media: &rtsp::RTSPMedia, payloader: &str, shared: &Arc<Shared>) {
    let bin = media.element().downcast::<gst::Bin>().ok();
    let payloader = bin.and_then(|bin| bin.by_name(payloader));
    let Some(pad) = payloader.and_then(|payloader| payloader.static_pad("src")) else { return };
    let shared = shared.clone();
    let kinds = gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST;
    pad.add_probe(kinds, move |pad, info| {
        // All packets of a frame have one time, and keep one stamp.
        let time = match &info.data {
            Some(gst::PadProbeData::Buffer(buffer)) => buffer.pts(),
            Some(gst::PadProbeData::BufferList(list)) => list.get(0).and_then(|buffer| buffer.pts()),
            _ => None,
        };
        let base = pad.parent_element().and_then(|element| element.base_time());
        let time = time.zip(base).map_or(0, |(time, base)| (time + base).nseconds());
        let nanos = lock(&shared.state).ahead_at(time);
        let caps = pad.current_caps();
        let rate = caps.and_then(|caps| caps.structure(0)?.get::<i32>("clock-rate").ok());
        let Some(rate) = rate.filter(|_| nanos != 0) else { return gst::PadProbeReturn::Ok };
        // The stamp wraps at 32 bits, as it does in a camera.
        let ticks = (i128::from(nanos) * i128::from(rate) / 1_000_000_000) as u32;
        match &mut info.data {
            Some(gst::PadProbeData::Buffer(buffer)) => add_to_stamp(buffer.make_mut(), ticks),
            Some(gst::PadProbeData::BufferList(list)) => {
                list.make_mut().foreach_mut(|mut buffer, _| {
                    add_to_stamp(buffer.make_mut(), ticks);
                    std::ops::ControlFlow::Continue(Some(buffer))
                });
            }
            _ => {}
        }
        gst::PadProbeReturn::Ok
    });
}

/// Bytes 4 to 7 of an RTP packet.
fn add_to_stamp(packet: &mut gst::BufferRef, ticks: u32) {
    let Ok(mut bytes) = packet.map_writable() else { return };
    let Some(stamp) = bytes.get_mut(4..8) else { return };
    if let Ok(before) = <[u8; 4]>::try_from(&*stamp) {
        stamp.copy_from_slice(&u32::from_be_bytes(before).wrapping_add(ticks).to_be_bytes());
    }
}

/// The media's pipeline; `pay0`, `pay1`, ... are its tracks.
fn launch_line(options: &CameraOptions) -> String {
    let source =
        "is-live=true format=time do-timestamp=false block=false max-bytes=16777216 leaky-type=downstream";
    let interval = options.parameter_sets.interval();
    let offset = options.rtp_begin.map_or_else(String::new, |begin| format!(" timestamp-offset={begin}"));
    let video = match options.video.codec {
        VideoCodec::H264 => {
            format!("rtph264pay name=pay0 pt=96 config-interval={interval} aggregate-mode=none")
        }
        VideoCodec::H265 => {
            format!("rtph265pay name=pay0 pt=96 config-interval={interval} aggregate-mode=none")
        }
        VideoCodec::Jpeg => "rtpjpegpay name=pay0 pt=26".to_owned(),
    };
    let mut line = format!("( appsrc name=video_in {source} ! {video}{offset}");
    // Sound that pauses leaves out the time of the pause: RTP's clock runs on, as it does in real cameras.
    let pcma = "rtppcmapay name=pay1 pt=8 perfect-rtptime=false";
    let sound = match options.sound {
        Sound::None => None,
        Sound::DeclaredOnly => Some(pcma),
        Sound::Sends(SoundCodec::Aac) => Some("rtpmp4gpay name=pay1 pt=97"),
        Sound::Sends(SoundCodec::Opus) => Some("rtpopuspay name=pay1 pt=97"),
        Sound::Sends(SoundCodec::Pcma) => Some(pcma),
        Sound::Sends(SoundCodec::Pcmu) => Some("rtppcmupay name=pay1 pt=0 perfect-rtptime=false"),
    };
    if let Some(sound) = sound {
        line.push_str(&format!(" appsrc name=sound_in {source} ! {sound}"));
    }
    if options.metadata {
        // The packets are made by the feeder. The server asks a track's last element for its payload type, so that
        // has to be one that has such a property and lets RTP pass: a FEC encoder told to add nothing.
        let track = if sound.is_some() { "pay2" } else { "pay1" };
        line.push_str(&format!(
            " appsrc name=metadata_in {source} caps=application/x-rtp,media=application,payload={METADATA_PAYLOAD_TYPE},\
             clock-rate=90000,encoding-name=VND.ONVIF.METADATA ! rtpulpfecenc name={track} pt={METADATA_PAYLOAD_TYPE} percentage=0"
        ));
    }
    line.push_str(" )");
    line
}

fn authentication(options: &CameraOptions) -> Result<Option<rtsp::RTSPAuth>, LabError> {
    let token = || rtsp::RTSPToken::builder().field("media.factory.role", ROLE).build();
    let server = rtsp::RTSPAuth::new();
    if options.tls {
        server.set_tls_certificate(Some(&self_signed()?));
        server.set_default_token(Some(&mut token()));
    }
    match &options.auth {
        Auth::None if !options.tls => return Ok(None),
        Auth::None => {}
        Auth::Basic { user, password } => {
            server.set_supported_methods(RTSPAuthMethod::Basic);
            server.add_basic(&rtsp::RTSPAuth::make_basic(user, password), &token());
        }
        Auth::Digest { user, password } => {
            server.set_supported_methods(RTSPAuthMethod::Digest);
            server.add_digest(user, password, &token());
        }
    }
    Ok(Some(server))
}

/// A certificate that nobody has reason to trust, made now.
fn self_signed() -> Result<rtsp::gio::TlsCertificate, LabError> {
    let program = || "openssl".to_owned();
    let arguments = [
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
        "-keyout",
        "-",
    ];
    let made = Command::new("openssl").args(arguments).output();
    let made = made.map_err(|source| LabError::Io { doing: "starting openssl".to_owned(), source })?;
    if !made.status.success() {
        let problem = String::from_utf8_lossy(&made.stderr).into_owned();
        return Err(LabError::Child { program: program(), problem });
    }
    let pem = String::from_utf8_lossy(&made.stdout);
    rtsp::gio::TlsCertificate::from_pem(&pem)
        .map_err(|error| LabError::Child { program: program(), problem: error.to_string() })
}

/// Keeps the set of clients that have been answered PLAY.
fn count_watchers(server: &rtsp::RTSPServer, shared: &Arc<Shared>) {
    let shared = shared.clone();
    server.connect_client_connected(move |_, client| {
        let id = client.as_ptr() as usize;
        let state = shared.clone();
        client.connect_play_request(move |_, _| {
            lock(&state.state).watchers.insert(id);
        });
        let state = shared.clone();
        client.connect_teardown_request(move |_, _| {
            lock(&state.state).watchers.remove(&id);
        });
        let state = shared.clone();
        client.connect_closed(move |_| {
            lock(&state.state).watchers.remove(&id);
        });
    });
}
