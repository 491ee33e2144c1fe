//! A filesystem without a free byte: a small ext4 on a loop device, filled to the last block.

use super::*;
use crate::retention::full::on_error;
use crate::retention::reserve::{self, Reserve};
use crate::volumes::{Lock, VolumeError};
use holdfast_wire::cause::Fault;
use std::io::Write;
use std::process::Command;

/// A small ext4, unmounted when it is dropped.
struct Small {
    folder: tempfile::TempDir,
}

impl Small {
    /// `None` where nobody can mount, if that was said on purpose.
    fn new(megabytes: u64) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let image = folder.path().join("image");
        fs::File::create(&image).unwrap().set_len(megabytes << 20).unwrap();
        let at = folder.path().join("mount");
        fs::create_dir(&at).unwrap();
        let run = |program: &str, args: &[&str]| {
            let output = Command::new(program).args(args).output().map_err(|error| error.to_string())?;
            if output.status.success() {
                Ok(())
            } else {
                Err(String::from_utf8_lossy(&output.stderr).into_owned())
            }
        };
        let (image, mounted) = (image.display().to_string(), at.display().to_string());
        let made = run("mkfs.ext4", &["-q", "-F", "-m", "0", "-O", "^has_journal", &image])
            .and_then(|()| run("mount", &["-o", "loop", &image, &mounted]));
        match made {
            Ok(()) => Some(Small { folder }),
            Err(said) if std::env::var_os("HOLDFAST_NO_MOUNT").is_some() => {
                eprintln!("NOT TESTED: a full volume, since HOLDFAST_NO_MOUNT is set and mount says: {said}");
                None
            }
            Err(said) => panic!(
                "a full volume cannot be tested: mounting an ext4 failed: {said}\n\
                 Run as root, or set HOLDFAST_NO_MOUNT=1 to leave this test out on purpose."
            ),
        }
    }

    /// A tmpfs with so many inodes; else like [`Small::new`].
    fn with_inodes(inodes: u32) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().join("mount");
        fs::create_dir(&at).unwrap();
        let options = format!("size=64m,nr_inodes={inodes}");
        let output =
            Command::new("mount").args(["-t", "tmpfs", "-o", &options, "none"]).arg(&at).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        if output.status.success() {
            return Some(Small { folder });
        }
        assert!(std::env::var_os("HOLDFAST_NO_MOUNT").is_some(), "a tmpfs could not be mounted: {said}");
        eprintln!(
            "NOT TESTED: a volume without inodes, since HOLDFAST_NO_MOUNT is set and mount says: {said}"
        );
        None
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("mount")
    }

    /// Writes until not a block is left, as another program would.
    fn fill(&self, name: &str) {
        let mut file = fs::File::create(self.root().join(name)).unwrap();
        for size in [65_536, 4096, 1024, 1] {
            while file.write_all(&vec![1; size]).is_ok() {}
        }
        let _ = file.sync_all();
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.root()).status();
    }
}

fn open(root: &Path, retention: Retention) -> Result<(Cleaning, LedgerWriter), VolumeError> {
    let (ledger, _) = LedgerWriter::open(root, at(0))?;
    let site = Site {
        root,
        id: Id128([9; 16]),
        formerly: Vec::new(),
        cameras: &[name("a")],
        next_sequence: 1000,
        check: &|| Ok(()),
    };
    Cleaning::open(site, retention, &ledger, Box::new(Fake), moment(0)).map(|cleaning| (cleaning, ledger))
}

fn make_room(
    cleaning: &mut Cleaning,
    ledger: &mut LedgerWriter,
    second: u64,
) -> (Result<(), VolumeError>, Vec<VolumeEvent>) {
    let mut heard = Vec::new();
    let mut work = Work { ledger, check: &|| Ok(()), tell: &mut |event| heard.push(event) };
    (cleaning.make_room(|| moment(second), &mut work), heard)
}

/// Lays segments of a megabyte each.
fn lay_large(root: &Path, count: u32) {
    for number in 1..=count {
        let header = header("a", number, i64::from(number) * 60, 1, 1);
        let path = layout::segment(root, &header.camera, header.start, number);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut bytes = crate::ledger::tests::fake::bytes(&header, &[(0, 60)]);
        bytes.resize(1 << 20, 0);
        fs::write(path, bytes).unwrap();
    }
}

fn full() -> VolumeError {
    VolumeError::io("write", Path::new("/x"), std::io::Error::from_raw_os_error(28))
}

#[test]
fn a_volume_without_a_free_byte_is_freed_oldest_first_by_what_its_reserve_gives() {
    let Some(small) = Small::new(24) else { return };
    let root = small.root();
    fs::create_dir(layout::home(&root)).unwrap();
    let _lock = Lock::take(&root, false).unwrap();
    let (cleaning, ledger) = open(&root, Retention::default()).unwrap();
    assert_eq!(reserve::look(&root).unwrap(), Reserve::Kept);
    drop((cleaning, ledger));
    lay_large(&root, 15);
    small.fill("others");
    // A write failed: the volume is let go.
    on_error(&root, &full());
    assert_eq!(reserve::look(&root).unwrap(), Reserve::GivenUp);
    let (mut cleaning, mut ledger) = open(&root, Retention::default()).unwrap();
    let (made, heard) = make_room(&mut cleaning, &mut ledger, 1);
    made.unwrap();
    assert_eq!(reserve::look(&root).unwrap(), Reserve::Kept);
    let first = (1..=15u32)
        .find(|number| layout::segment(&root, &name("a"), at(i64::from(*number) * 60), *number).exists());
    let gone = first.unwrap() - 1;
    assert!((1..=3).contains(&gone), "{gone} of 15 are gone");
    let mut recorded = Vec::new();
    crate::ledger::read_all(&root, |entry| {
        if let Ok(Record::SegmentDeleted(deleted)) = entry {
            recorded.push(deleted.sequence);
        }
    })
    .unwrap();
    assert_eq!(recorded, (1..=gone).collect::<Vec<_>>());
    assert!(matches!(heard[..], [VolumeEvent::Deleted { .. }, ..]), "{heard:?}");
    fs::write(root.join("holdfast/probe"), vec![1; 256 << 10]).expect("there is room");
}

#[test]
fn where_nothing_may_be_deleted_a_person_is_called_and_nothing_is_lost() {
    let Some(small) = Small::new(16) else { return };
    let root = small.root();
    fs::create_dir(layout::home(&root)).unwrap();
    let (mut cleaning, mut ledger) = open(&root, Retention::default()).unwrap();
    lay_large(&root, 5);
    let wish = Wish { camera: None, span: Span::new(at(0), Wall(i64::MAX)), note: heapless::String::new() };
    cleaning.protect(wish, at(0), &mut ledger, &|| Ok(())).unwrap();
    drop((cleaning, ledger));
    small.fill("others");
    on_error(&root, &full());
    let retention = Retention::default();
    let (mut cleaning, mut ledger) = open(&root, retention.clone()).unwrap();
    let (made, heard) = make_room(&mut cleaning, &mut ledger, 1);
    assert_eq!(made.unwrap_err().fault, Fault::NoSpace);
    assert!(
        matches!(heard[..], [VolumeEvent::Exhausted { protected, .. }] if protected == 5 << 20),
        "{heard:?}"
    );
    assert_eq!(segments(&root).len(), 5);
    // Opened again at once it stays quiet; once there is room it is used.
    let (mut cleaning, mut ledger) = open(&root, retention.clone()).unwrap();
    assert_eq!(make_room(&mut cleaning, &mut ledger, 2).1, []);
    fs::remove_file(root.join("others")).unwrap();
    let (mut cleaning, mut ledger) = open(&root, retention).unwrap();
    make_room(&mut cleaning, &mut ledger, 3).0.unwrap();
    assert_eq!(reserve::look(&root).unwrap(), Reserve::Kept);
    assert_eq!(segments(&root).len(), 5);
}

#[test]
fn where_somebody_else_takes_what_is_freed_deleting_ends_soon() {
    let Some(small) = Small::new(32) else { return };
    let root = small.root();
    fs::create_dir(layout::home(&root)).unwrap();
    drop(open(&root, Retention::default()).unwrap());
    lay_large(&root, 24);
    small.fill("others");
    on_error(&root, &full());
    let retention = Retention::default();
    let (mut greedy, mut called) = (0, false);
    for attempt in 0..20 {
        let Ok((mut cleaning, mut ledger)) = open(&root, retention.clone()) else {
            on_error(&root, &full());
            continue;
        };
        let mut heard = Vec::new();
        let mut work = Work {
            ledger: &mut ledger,
            // Each time that a file goes, another program takes its place.
            check: &|| {
                small.fill(&format!("greedy-{}", segments(&root).len()));
                Ok(())
            },
            tell: &mut |event| heard.push(event),
        };
        let made = cleaning.make_room(|| moment(1 + attempt), &mut work);
        greedy += usize::from(made.is_err());
        called |= heard.iter().any(|event| matches!(event, VolumeEvent::Exhausted { .. }));
    }
    assert!(greedy >= 10, "it was said {greedy} times that there is no room");
    let left = segments(&root).len();
    assert!(left >= 15, "only {left} of 24 segments are left after 20 openings within 20 s");
    assert!(called, "nobody was told");
}

#[test]
fn a_volume_without_a_free_inode_is_full_too_and_freed_oldest_first() {
    let Some(small) = Small::with_inodes(40) else { return };
    let root = small.root();
    fs::create_dir(layout::home(&root)).unwrap();
    drop(open(&root, Retention::default()).unwrap());
    lay_large(&root, 15);
    let mut others = 0;
    while fs::write(root.join(format!("other-{others}")), "").is_ok() {
        others += 1;
    }
    assert!(others > 3, "the inodes were to be used up by others");
    on_error(&root, &full());
    let (mut cleaning, mut ledger) = open(&root, Retention::default()).unwrap();
    let (made, heard) = make_room(&mut cleaning, &mut ledger, 1);
    made.unwrap();
    assert!(matches!(heard[..], [VolumeEvent::Deleted { .. }, ..]), "{heard:?}");
    let left = segments(&root);
    assert!((10..15).contains(&left.len()), "{} of 15 are left", left.len());
    assert!(!layout::segment(&root, &name("a"), at(60), 1).exists(), "the oldest is still there");
    fs::write(layout::home(&root).join("a/next"), "footage").expect("there is no inode");
    let probes = fs::read_dir(layout::home(&root)).unwrap().map(|entry| entry.unwrap().file_name());
    let probes: Vec<_> = probes.filter(|name| name.to_string_lossy().starts_with("reserve.")).collect();
    assert!(probes.is_empty(), "{probes:?} were left");
}
