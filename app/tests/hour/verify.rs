//! What lies on a volume, against its ledger and against what the cameras sent: byte by byte.

use super::footage::Camera;
use super::model::{Model, Segment};
use holdfast::coverage::fold::{Fold, Window};
use holdfast::ledger::{read_all, walk};
use holdfast::mp4;
use holdfast::volumes::layout;
use holdfast_wire::cause::Cause;
use holdfast_wire::retention::Rule;
use holdfast_wire::time::Span;
use std::collections::BTreeSet;
use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};

/// The numbers of the frames that are there, with their camera's index.
pub struct Verified(BTreeSet<(u8, u64)>);

/// Reads every file that the model says is there, makes sure that no other one of these cameras is, and that nothing of
/// `seconds` seconds was lost on the way.
pub fn volume(root: &Path, model: &Model, cameras: &[Camera], seconds: u64) -> Verified {
    let path = |sequence, segment: &Segment| layout::segment(root, &segment.camera, segment.start, sequence);
    for gone in &model.gone {
        assert!(!path(gone.sequence, &gone.segment).exists(), "{gone:?}");
    }
    let expected: BTreeSet<PathBuf> =
        model.there.iter().map(|(sequence, segment)| path(*sequence, segment)).collect();
    assert_eq!(ours(root), expected);

    let mut frames = BTreeSet::new();
    for (sequence, segment) in &model.there {
        let camera = cameras.iter().find(|camera| camera.name == segment.camera).unwrap();
        let found = file(&path(*sequence, segment), camera);
        assert_eq!(found.len(), segment.frames as usize, "{segment:?}");
        assert!(found.windows(2).all(|pair| pair[0] + 1 == pair[1]), "a frame is missing in {segment:?}");
        assert_eq!(camera.wall(found[0]), segment.start);
        frames.extend(found.into_iter().map(|frame| (camera.index, frame)));
    }
    for camera in cameras {
        let all = model.there.values().chain(model.gone.iter().map(|gone| &gone.segment));
        let stored: u32 =
            all.filter(|segment| segment.camera == camera.name).map(|segment| segment.frames).sum();
        assert_eq!(
            u64::from(stored),
            camera.frames_before(seconds),
            "frames of {} that were sent",
            camera.name
        );
    }
    Verified(frames)
}

impl Verified {
    /// Every frame of the camera that is shown in this span is there.
    pub fn has_all(&self, camera: &Camera, span: Span) {
        let inside = |frame: &u64| camera.wall(*frame) >= span.from;
        let shown: Vec<u64> = (0..)
            .skip_while(|frame| !inside(frame))
            .take_while(|frame| camera.wall(*frame) < span.to)
            .collect();
        assert!(shown.len() > 100);
        let missing = shown.iter().find(|frame| !self.0.contains(&(camera.index, **frame)));
        assert_eq!(missing, None, "of {} frames of {} in {span:?}", shown.len(), camera.name);
    }
}

/// Coverage adds up: what is there is durable, what these rules deleted is named so, and nothing else is missing but the
/// moment before a camera's first frame.
pub fn coverage(root: &Path, model: &Model, rules: &[Rule]) {
    let mut fold = Fold::default();
    read_all(root, |record| fold.take(&record.unwrap())).unwrap();
    let report = fold.report(Window::default());
    assert_eq!(report.len(), 4);
    for account in report {
        let gaps: i64 = account.gaps.iter().map(|gap| gap.span.micros()).sum();
        assert_eq!(account.durable_micros + gaps, account.owed_micros, "{account:?}");
        let mine = |segment: &&Segment| segment.camera == account.camera;
        let length = |segment: &Segment| segment.end.micros_since(segment.start);
        let there: i64 = model.there.values().filter(mine).map(length).sum();
        let gone: i64 = model.gone.iter().map(|gone| &gone.segment).filter(mine).map(length).sum();
        let near = |told: i64, is: i64| (told - is).abs() < 1_000_000;
        assert!(near(account.durable_micros, there), "{} durable, {there} there", account.durable_micros);
        assert!(near(account.deleted_micros(), gone), "{} deleted, {gone} gone", account.deleted_micros());
        for gap in &account.gaps {
            match gap.cause {
                Cause::Deleted(rule) => assert!(rules.contains(&rule), "{gap:?}"),
                _ => assert!(gap.span.micros() < 500_000, "{gap:?} of {}", account.camera),
            }
        }
    }
}

/// All files that are named like segments of the hour: strangers are named for hours before.
fn ours(root: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let unlisted = walk::segments(root, None, |name| {
        if name.start >= super::second(0) {
            found.insert(layout::segment(root, &name.camera, name.start, name.sequence));
        }
    });
    assert!(unlisted.is_empty());
    found
}

/// The numbers of the frames in a file, each of which is as its camera sent it.
fn file(path: &Path, camera: &Camera) -> Vec<u64> {
    let bytes = fs::read(path).unwrap();
    let facts = mp4::scan(Cursor::new(&bytes), bytes.len() as u64).unwrap();
    assert_eq!(facts.torn_bytes, 0, "{}", path.display());
    let mut frames = Vec::new();
    let mut rest = &bytes[..];
    while !rest.is_empty() {
        let (this, behind) = rest.split_at(word(rest) as usize);
        if &this[4..8] == b"mdat" {
            let mut units = &this[8..];
            while !units.is_empty() {
                let (unit, more) = units.split_at(4 + word(units) as usize);
                let frame = u64::from(word(&unit[6..]));
                assert!(unit == camera.bytes(frame), "frame {frame} in {}", path.display());
                frames.push(frame);
                units = more;
            }
        }
        rest = behind;
    }
    assert_eq!(frames.len(), facts.frames as usize, "{}", path.display());
    frames
}

fn word(bytes: &[u8]) -> u32 {
    u32::from_be_bytes(bytes[..4].try_into().unwrap())
}
