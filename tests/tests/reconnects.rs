//! A camera that is connected anew without end leaves nothing behind: memory, threads and file descriptors after hundreds of
//! connections are what they were after the first twenty.
//!
//! What reconnects is a process of its own, the recorder's adapters (`ingest::Session`, `Ring`) in it and nothing else; the
//! camera films in the test's process. Most connections live until their first keyframe is in the ring; some are refused, or not
//! found, or nobody answers them.
//!
//! `HOLDFAST_RECONNECTS=2000` makes so many, however long it takes; otherwise it is as many as fit into 25 s.

use holdfast::config::RtspUrl;
use holdfast::ingest::{Departures, Reporter, Request, Session};
use holdfast::ring::{Item, Limits, Reader, Ring};
use holdfast_core::effect::Stream;
use holdfast_core::event::{CameraEvent, Failure};
use holdfast_core::settings::Transport;
use holdfast_tests::camera::{CameraOptions, Sound, VirtualCamera};
use holdfast_tests::clip::{ClipSpec, VideoCodec};
use holdfast_tests::proxy::{Fault, Proxy};
use holdfast_tests::script::Answer;
use holdfast_tests::sound::SoundCodec;
use holdfast_tests::tap::{Tap, Via};
use holdfast_tests::wait_until;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// How long one step may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// As many connections as fit into this.
const TIME: Duration = Duration::from_secs(25);

/// But no fewer than this, however slow the machine.
const LEAST: usize = 100;

/// After so many all that is made once is made: plugins, thread pools, arenas of the allocator.
const FIRST: usize = 20;

/// What may be more at the end, in percent.
const MORE: u64 = 5;

/// What may be more besides of what is in use of the heap, in kB: threads keep small pieces for their next use, and those
/// count as used. 200 were seen after 400 connections, and no more after 2,000.
const KEPT: u64 = 500;

/// The recorder's unit, which says what its allocator is told.
const UNIT: &str = include_str!("../../app/system/holdfast.service");

/// How many arenas the allocator may have. With as many as it likes, new threads take new ones, and pieces that are too small to
/// give back make some 4 % of resident memory within the first 200 connections.
const ARENAS: &str = "MALLOC_ARENA_MAX";

/// What the child is told: a URL for each [`Outcome`], parted by blanks.
const URLS: &str = "HOLDFAST_RECONNECT_TO";

/// An attempt that nobody answers is given up after this, as the core does after 15 s. One that is answered is within 0.1 s.
const UNANSWERED: Duration = Duration::from_millis(500);

/// What becomes of a connection.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Outcome {
    /// Its first keyframe comes.
    Comes,
    /// It fails so.
    Fails(Failure),
    /// Nothing comes, until it is given up.
    Hangs,
}

/// In the order of the URLs.
const OUTCOMES: [Outcome; 4] =
    [Outcome::Comes, Outcome::Fails(Failure::Refused), Outcome::Fails(Failure::NotFound), Outcome::Hangs];

/// Which of them each connection is, again and again: of the first [`FIRST`] each some times.
const MIX: [usize; 10] = [0, 1, 0, 0, 2, 0, 0, 3, 0, 0];

/// What a process has.
#[derive(Clone, Copy, Debug)]
struct Holdings {
    /// Resident, in kB.
    memory: u64,
    /// Of the heap, in use, in kB.
    heap: u64,
    threads: u64,
    files: u64,
}

impl Holdings {
    /// After what was freed has been given back.
    fn now() -> Holdings {
        // SAFETY: neither takes a pointer, and both may be called at any time by any thread.
        let heap = unsafe {
            libc::malloc_trim(0);
            libc::mallinfo2().uordblks as u64 / 1024
        };
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.split_whitespace().next().unwrap().parse().unwrap()
        };
        let files = std::fs::read_dir("/proc/self/fd").unwrap().count();
        Holdings { memory: field("VmRSS:"), heap, threads: field("Threads:"), files: files as u64 }
    }

    /// What of it is more than before, beyond what is allowed.
    fn more_than(&self, before: &Holdings) -> Vec<String> {
        let named = [
            ("kB resident", before.memory, self.memory, 0),
            ("kB of the heap", before.heap, self.heap, KEPT),
            ("threads", before.threads, self.threads, 0),
            ("file descriptors", before.files, self.files, 0),
        ];
        let grown =
            |(_, before, now, besides): &(&str, u64, u64, u64)| *now > before + before * MORE / 100 + besides;
        let say = |(what, before, now, _)| format!("{before} {what} became {now}");
        named.into_iter().filter(grown).map(say).collect()
    }
}

#[test]
fn reconnects_leave_nothing_behind() {
    if let Ok(urls) = std::env::var(URLS) {
        return reconnect(&urls);
    }
    // A keyframe each 200 ms, so that no connection waits long for its first.
    let clip = ClipSpec { gop: 5, gops: 15, ..ClipSpec::small(VideoCodec::H264) };
    let options = CameraOptions::new("camera", 1, clip).sound(Sound::Sends(SoundCodec::Aac));
    let camera = VirtualCamera::start(options).unwrap();
    // Somebody who stays, or the camera would take down what it sends with the last client, and make it anew for the next.
    let _watcher = Tap::open(&camera.url(), Via::Tcp, None).unwrap();
    let proxies: Vec<Proxy> = [Fault::Refused, Fault::None, Fault::At("", Answer::Silence)]
        .into_iter()
        .map(|fault| {
            let proxy = Proxy::start(&camera.url()).unwrap();
            proxy.set(fault);
            proxy
        })
        .collect();
    let urls =
        [camera.url(), proxies[0].url(), format!("{}-that-is-not-there", proxies[1].url()), proxies[2].url()];
    let arenas = UNIT
        .lines()
        .find_map(|line| line.strip_prefix("Environment=")?.strip_prefix(ARENAS)?.strip_prefix('='));
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "reconnects_leave_nothing_behind", "--nocapture"])
        .env(URLS, urls.join(" "))
        .env(ARENAS, arenas.expect("the unit says it"))
        .status()
        .unwrap();
    assert!(child.success(), "see above");
    for proxy in &proxies[1..] {
        assert!(proxy.attempts().len() >= LEAST / MIX.len(), "{} was hardly asked", proxy.url());
    }
}

/// What is done in the child.
fn reconnect(urls: &str) {
    let urls: Vec<&str> = urls.split(' ').collect();
    gstreamer::init().unwrap();
    let wanted = std::env::var("HOLDFAST_RECONNECTS").ok().and_then(|text| text.parse::<usize>().ok());
    let ring = Ring::new(Limits { bytes: 8 << 20, time: Duration::from_secs(2) });
    let mut reader = ring.attach();
    let begun = Instant::now();
    let (mut made, mut first, mut told) = (0, None, Instant::now());
    while wanted.map_or(made < LEAST || begun.elapsed() < TIME, |wanted| made < wanted) {
        let which = MIX[made % MIX.len()];
        once((urls[which], OUTCOMES[which]), &ring, &mut reader);
        made += 1;
        if made == FIRST {
            first = Some(settled());
        }
        if told.elapsed() > Duration::from_secs(20) {
            told = Instant::now();
            println!("after {made}: {:?}", Holdings::now());
        }
    }
    let (first, last) = (first.expect("too few were asked for"), settled());
    let each = begun.elapsed() / u32::try_from(made).unwrap();
    println!("{made} connections, {each:.1?} each; after {FIRST}: {first:?}; at the end: {last:?}");
    let more = last.more_than(&first);
    assert!(more.is_empty(), "{more:?}");
}

/// Threads of a pool end some time after their work: the holdings when they no longer become fewer.
fn settled() -> Holdings {
    let mut least = Holdings::now();
    let mut since = Instant::now();
    wait_until(PATIENCE, || {
        let now = Holdings::now();
        if (now.threads, now.files) < (least.threads, least.files) {
            (least, since) = (now, Instant::now());
        }
        since.elapsed() > Duration::from_secs(2)
    });
    Holdings { threads: least.threads, files: least.files, ..Holdings::now() }
}

/// Connects, waits for what is to become of it, disconnects, and forgets what came.
fn once((url, outcome): (&str, Outcome), ring: &Arc<Ring>, reader: &mut Reader) {
    let failed: Arc<OnceLock<Failure>> = Arc::default();
    let puzzled = Arc::new(AtomicBool::new(false));
    let (noted, asks) = (Arc::clone(&failed), Arc::clone(&puzzled));
    let report: Reporter = Arc::new(move |event| match event {
        // The first is why.
        CameraEvent::Failed(failure) => drop(noted.set(failure)),
        CameraEvent::NoConnection => asks.store(true, Ordering::Release),
        CameraEvent::Streaming { .. }
        | CameraEvent::Received(_)
        | CameraEvent::Unsupported { .. }
        | CameraEvent::TornDown
        | CameraEvent::Dropped { .. } => {}
    });
    let request = Request {
        camera: "camera".to_owned(),
        url: RtspUrl::parse(url).unwrap().url,
        credentials: None,
        transport: Transport::Tcp,
        audio: true,
        departures: Departures::default(),
    };
    let context = glib::MainContext::default();
    let turn = || while context.iteration(false) {};
    let session = Session::start(&request, ring.connect(Stream::Main), report).unwrap();
    let keyframes = || {
        turn();
        if puzzled.swap(false, Ordering::AcqRel) {
            session.diagnose();
        }
        match session.figures().event() {
            CameraEvent::Received(figures) => figures.keyframes,
            _ => unreachable!(),
        }
    };
    let patience = if outcome == Outcome::Hangs { UNANSWERED } else { PATIENCE };
    wait_until(patience, || keyframes() > 0 || failed.get().is_some());
    let became = match (failed.get(), keyframes() > 0) {
        (Some(failure), _) => Outcome::Fails(*failure),
        (None, true) => Outcome::Comes,
        (None, false) => Outcome::Hangs,
    };
    assert_eq!(became, outcome, "{url}");
    let gone = Arc::new(AtomicBool::new(false));
    let noted = Arc::clone(&gone);
    session.tear_down(Arc::new(move |_| noted.store(true, Ordering::Release)));
    let is_gone = || {
        turn();
        gone.load(Ordering::Acquire)
    };
    assert!(wait_until(PATIENCE, is_gone), "it was not torn down");
    let mut items = Vec::new();
    while reader.read(&mut items, usize::MAX) {
        let newest = items.iter().rev().find_map(|item| match item {
            Item::Unit(position, _) => Some(*position),
            Item::Gop { .. } | Item::End => None,
        });
        if items.is_empty() {
            break;
        }
        if let Some(newest) = newest {
            reader.release(newest + 1);
        }
        items.clear();
    }
}
