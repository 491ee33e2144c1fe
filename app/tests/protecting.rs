//! Protecting footage on a volume that a writer has open: asked of its thread, answered once it is durable.

use holdfast::retention::{ProtectError, Retention, Wish, protection};
use holdfast::volumes::{InUse, Knowledge, Place};
use holdfast::writer::{Complaints, Job, Limits, Report, VolumeWriter};
use holdfast_core::event::{Event, VolumeEvent};
use holdfast_core::settings::VolumeIndex;
use holdfast_core::time::{Anchor, Mono, Span, Wall};
use holdfast_wire::ids::{Id128, Name};
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

const DEADLINE: Duration = Duration::from_secs(60);

#[test]
fn an_open_volume_protects_lists_and_takes_back() {
    let folder = tempfile::tempdir().unwrap();
    let at = Wall::from_secs(1_795_341_600);
    let job = Job {
        last_words: None,
        index: VolumeIndex(0),
        place: Place::Directory { path: folder.path().to_owned() },
        formerly: Vec::new(),
        in_use: InUse::default(),
        claimant: 1,
        max_file: None,
        device: Name::new("box").unwrap(),
        cameras: vec![Name::new("yard").unwrap()],
        session: Id128([1; 16]),
        boot: Id128([2; 16]),
        knowledge: Knowledge::Unknown,
        new_volume: Id128([3; 16]),
        limits: Limits { segment: Duration::from_secs(10), fragment: Duration::from_secs(1) },
        anchor: Anchor { mono: Mono(0), wall: at, trusted: true },
        now: at,
        clock: Arc::new(|| Mono(0)),
        retention: Retention::default(),
        complaints: Complaints::default(),
    };
    let (tell, heard) = mpsc::channel();
    let writer = VolumeWriter::start(job, Arc::new(move |report| drop(tell.send(report)))).unwrap();
    while !matches!(
        heard.recv_timeout(DEADLINE).expect("it opens"),
        Report::Event(Event::Volume(_, VolumeEvent::Ready))
    ) {}
    let wish = |span| Wish { camera: None, span, note: "accident".try_into().unwrap() };

    let (answer, answered) = mpsc::channel();
    writer.protect(wish(Span::new(at, at + DEADLINE)), move |number| answer.send(number.unwrap()).unwrap());
    let number = answered.recv_timeout(DEADLINE).unwrap();
    // Durable when it is answered: whoever reads the disk sees it.
    let seen = protection::read(folder.path()).unwrap().unwrap();
    assert_eq!(seen.list().map(|protected| protected.number).collect::<Vec<_>>(), [number]);

    let (answer, answered) = mpsc::channel();
    writer.protections(move |list| answer.send(list.unwrap()).unwrap());
    assert_eq!(answered.recv_timeout(DEADLINE).unwrap().list().count(), 1);

    let (answer, answered) = mpsc::channel();
    let again = answer.clone();
    writer.unprotect(number, move |done| answer.send(done).unwrap());
    writer.unprotect(number, move |done| again.send(done).unwrap());
    assert!(answered.recv_timeout(DEADLINE).unwrap().is_ok());
    let refused = answered.recv_timeout(DEADLINE).unwrap();
    assert!(matches!(refused, Err(ProtectError::NoSuch { number: 1 })), "{refused:?}");
    assert_eq!(protection::read(folder.path()).unwrap().unwrap().list().count(), 0);
}
