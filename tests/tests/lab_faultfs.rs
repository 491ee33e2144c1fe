//! The disk that fails, on trial: each fault reaches a plain program, and without a fault it is a disk like any other.

use holdfast_tests::dice::Dice;
use holdfast_tests::faultfs::{Call, Fault, FaultFs};
use holdfast_tests::{may_mount, wait_until};
use rustix::fs::{FlockOperation, flock, statvfs};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, IoSlice, Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long anything may take that takes milliseconds on an idle machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A disk in a folder of its own.
struct Disk {
    fs: FaultFs,
    folder: tempfile::TempDir,
}

impl Disk {
    /// None where nothing can be mounted, and that is known.
    fn new() -> Option<Disk> {
        may_mount("a disk that fails").then(Disk::mounted)
    }

    fn mounted() -> Disk {
        let folder = tempfile::tempdir().unwrap();
        let (backing, at) = (folder.path().join("backing"), folder.path().join("disk"));
        fs::create_dir(&backing).unwrap();
        fs::create_dir(&at).unwrap();
        Disk { fs: FaultFs::mount(&backing, &at).unwrap(), folder }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.fs.at().join(name)
    }

    fn behind(&self, name: &str) -> PathBuf {
        self.folder.path().join("backing").join(name)
    }
}

fn append(path: &Path) -> File {
    OpenOptions::new().append(true).create(true).open(path).unwrap()
}

fn errno(result: io::Result<impl Sized>) -> Option<Errno> {
    result.err().and_then(|error| Errno::from_io_error(&error))
}

fn is_mounted(at: &Path) -> bool {
    fs::read_to_string("/proc/self/mounts").unwrap().contains(at.to_str().unwrap())
}

/// Every path below a folder, with a file's content.
fn tree(folder: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(folder).unwrap().to_owned();
            let is_folder = path.is_dir();
            found.insert(name, (!is_folder).then(|| fs::read(&path).unwrap()));
            if is_folder {
                folders.push(path);
            }
        }
    }
    found
}

/// One random thing done to a few files and folders. What it was, and how it ended.
fn disturb(folder: &Path, dice: &mut Dice) -> (u64, Option<Errno>) {
    let mut name = || folder.join(format!("{}", dice.below(4))).join(format!("{}", dice.below(6)));
    let (one, other) = (name(), name());
    let content = vec![dice.below(256) as u8; dice.below(9000) as usize];
    let what = dice.below(8);
    let ended = match what {
        0 => fs::create_dir(one.parent().unwrap()),
        1 | 2 => OpenOptions::new().append(true).create(true).open(one).and_then(|mut file| {
            file.write_all(&content)?;
            file.sync_data()
        }),
        3 => fs::write(one, content),
        4 => fs::rename(one, other),
        5 => fs::remove_file(one),
        6 => OpenOptions::new().write(true).open(one).and_then(|file| file.set_len(content.len() as u64)),
        _ => match dice.below(3) {
            0 => fs::rename(one.parent().unwrap(), other.parent().unwrap()),
            1 => fs::remove_dir(one.parent().unwrap()),
            _ => fs::metadata(one).map(|_| ()),
        },
    };
    (what, errno(ended))
}

#[test]
fn without_a_fault_it_does_what_any_disk_does_also_from_several_threads() {
    let Some(disk) = Disk::new() else { return };
    let plain = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for seed in 1..=4 {
            let (one, other) = (disk.at(&seed.to_string()), plain.path().join(seed.to_string()));
            scope.spawn(move || {
                fs::create_dir(&one).unwrap();
                fs::create_dir(&other).unwrap();
                let (mut dice, mut same) = (Dice(seed), Dice(seed));
                for step in 0..400 {
                    let (here, there) = (disturb(&one, &mut dice), disturb(&other, &mut same));
                    assert_eq!(here, there, "seed {seed}, step {step}: what was done, and how it ended");
                }
            });
        }
    });
    let here = tree(disk.fs.at());
    assert!(here.len() > 20, "too little happened: {} paths", here.len());
    assert!(here == tree(plain.path()), "the trees differ");
    assert!(here == tree(&disk.behind("")), "it is not what is behind it");
    let bytes =
        |content: &Option<Vec<u8>>| content.as_ref().map_or(0, |c| c.len().next_multiple_of(4096) as u64);
    assert_eq!(disk.fs.used(), here.values().map(bytes).sum::<u64>(), "its books are wrong");
}

#[test]
fn each_call_gets_the_error_that_was_injected_and_nothing_is_done() {
    type Doing = fn(&Disk) -> io::Result<()>;
    let cases: [(&str, Call, Doing); 14] = [
        ("write", Call::Write, |disk| append(&disk.at("file")).write_all(b"more")),
        ("fdatasync", Call::Sync, |disk| append(&disk.at("file")).sync_data()),
        ("fsync", Call::Sync, |disk| append(&disk.at("file")).sync_all()),
        ("sync of a directory", Call::SyncDirectory, |disk| File::open(disk.at("folder"))?.sync_all()),
        ("create", Call::Create, |disk| File::create(disk.at("new")).map(|_| ())),
        ("open", Call::Open, |disk| File::open(disk.at("file")).map(|_| ())),
        ("open to append", Call::OpenToWrite, |disk| {
            OpenOptions::new().append(true).open(disk.at("file")).map(|_| ())
        }),
        ("read", Call::Read, |disk| fs::read(disk.at("file")).map(|_| ())),
        ("stat", Call::Lookup, |disk| fs::metadata(disk.at("file")).map(|_| ())),
        ("rename", Call::Rename, |disk| fs::rename(disk.at("file"), disk.at("moved"))),
        ("unlink", Call::Remove, |disk| fs::remove_file(disk.at("file"))),
        ("mkdir", Call::MakeDirectory, |disk| fs::create_dir(disk.at("other"))),
        ("list", Call::List, |disk| fs::read_dir(disk.at("folder")).map(|_| ())),
        ("statvfs", Call::Space, |disk| Ok(statvfs(disk.fs.at()).map(|_| ())?)),
    ];
    let Some(disk) = Disk::new() else { return };
    fs::write(disk.at("file"), "kept").unwrap();
    fs::create_dir(disk.at("folder")).unwrap();
    let before = tree(&disk.behind(""));
    for (name, call, doing) in cases {
        for wrong in [
            Errno::IO,
            Errno::ROFS,
            Errno::ACCESS,
            Errno::AGAIN,
            Errno::NOSPC,
            Errno::DQUOT,
            Errno::STALE,
            Errno::NODEV,
        ] {
            let fault = disk.fs.inject(Fault::fails(wrong).on(&[call]));
            assert_eq!(errno(doing(&disk)), Some(wrong), "{name}");
            fault.end();
        }
        assert!(tree(&disk.behind("")) == before, "{name}: something was done all the same");
    }
    for (name, _, doing) in cases {
        assert_eq!(errno(doing(&disk)).filter(|_| name != "unlink"), None, "{name} after the faults");
        if !disk.at("file").exists() {
            fs::write(disk.at("file"), "kept").unwrap();
        }
    }
}

#[test]
fn a_fault_may_name_a_path_and_how_often_it_strikes() {
    let Some(disk) = Disk::new() else { return };
    fs::create_dir(disk.at("ledger")).unwrap();
    let ledger = disk.fs.inject(Fault::fails(Errno::IO).on(&[Call::Write]).where_path_has("ledger"));
    assert_eq!(errno(fs::write(disk.at("ledger/2026-11"), "lost")), Some(Errno::IO));
    assert_eq!(errno(fs::write(disk.at("footage"), "kept")), None);
    ledger.end();
    let _once = disk.fs.inject(Fault::fails(Errno::AGAIN).on(&[Call::Sync]).times(1));
    let file = append(&disk.at("footage"));
    assert_eq!(errno(file.sync_data()), Some(Errno::AGAIN));
    assert_eq!(errno(file.sync_data()), None);
}

#[test]
fn read_only_and_pulled_are_what_they_are_on_a_disk() {
    let Some(disk) = Disk::new() else { return };
    fs::write(disk.at("file"), "kept").unwrap();
    let mut open = append(&disk.at("file"));
    let read_only = disk.fs.inject(Fault::read_only());
    assert_eq!(errno(open.write_all(b"more")), Some(Errno::ROFS));
    assert_eq!(errno(fs::remove_file(disk.at("file"))), Some(Errno::ROFS));
    assert_eq!(errno(fs::create_dir(disk.at("new"))), Some(Errno::ROFS));
    assert_eq!(errno(append_again(&disk)), Some(Errno::ROFS));
    assert_eq!(fs::read(disk.at("file")).unwrap(), b"kept");
    read_only.end();
    let pulled = disk.fs.inject(Fault::pulled());
    assert_eq!(errno(open.write_all(b"more")), Some(Errno::NODEV));
    assert_eq!(errno(fs::metadata(disk.fs.at())), Some(Errno::NODEV));
    assert_eq!(errno(open.metadata()), Some(Errno::NODEV));
    pulled.end();
    open.write_all(b" and more").unwrap();
    assert_eq!(fs::read(disk.at("file")).unwrap(), b"kept and more");
}

fn append_again(disk: &Disk) -> io::Result<File> {
    OpenOptions::new().append(true).open(disk.at("file"))
}

#[test]
fn a_slow_write_takes_as_long_as_it_says_and_holds_up_nobody_else() {
    let Some(disk) = Disk::new() else { return };
    let delay = Duration::from_secs(1);
    let mut file = append(&disk.at("slow"));
    let slow = disk.fs.inject(Fault::slow(delay).on(&[Call::Write]).where_path_has("slow"));
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let began = Instant::now();
            file.write_all(&[7; 200_000]).unwrap();
            began.elapsed()
        });
        assert!(wait_until(PATIENCE, || disk.fs.waiting() == 1));
        fs::write(disk.at("other"), "quick").unwrap();
        fs::read_dir(disk.fs.at()).unwrap().for_each(drop);
        assert_eq!(disk.fs.waiting(), 1, "the others had to wait for the slow one");
        let took = writer.join().unwrap();
        assert!((delay..delay * 10).contains(&took), "{took:?}");
    });
    assert_eq!(fs::read(disk.behind("slow")).unwrap(), [7; 200_000]);
    slow.end();
    // Its end frees whoever waits.
    let slow = disk.fs.inject(Fault::slow(Duration::from_secs(3600)).on(&[Call::Write]));
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| file.write_all(b"end"));
        assert!(wait_until(PATIENCE, || disk.fs.waiting() == 1));
        slow.end();
        writer.join().unwrap().unwrap();
    });
    assert!(fs::read(disk.behind("slow")).unwrap().ends_with(b"end"));
}

#[test]
fn a_call_hangs_until_it_is_released_and_is_done_then() {
    let Some(disk) = Disk::new() else { return };
    let mut file = append(&disk.at("stuck"));
    let hang = disk.fs.inject(Fault::hangs().where_path_has("stuck"));
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| file.write_all(b"late").and_then(|()| file.sync_data()));
        let looker = scope.spawn(|| fs::metadata(disk.at("stuck")).map(|facts| facts.len()));
        assert!(wait_until(PATIENCE, || disk.fs.waiting() == 2));
        fs::write(disk.at("other"), "quick").unwrap();
        assert!(!writer.is_finished() && !looker.is_finished());
        assert_eq!(fs::metadata(disk.behind("stuck")).unwrap().len(), 0, "it was done before its time");
        hang.end();
        writer.join().unwrap().unwrap();
        looker.join().unwrap().unwrap();
    });
    assert_eq!(fs::read(disk.behind("stuck")).unwrap(), b"late");
    assert_eq!(disk.fs.waiting(), 0);
}

#[test]
fn a_disk_is_full_at_its_last_byte_and_deleting_gives_back() {
    let Some(disk) = Disk::new() else { return };
    fs::write(disk.at("old"), [1; 10_000]).unwrap();
    disk.fs.set_capacity(Some(64 * 1024));
    let free = || {
        let facts = statvfs(disk.fs.at()).unwrap();
        assert_eq!(facts.f_blocks * facts.f_frsize, 64 * 1024);
        facts.f_bavail * facts.f_frsize
    };
    assert_eq!(free(), 52 * 1024, "the old file takes three blocks");
    let mut file = append(&disk.at("new"));
    let taken = file.write(&[2; 100_000]).unwrap();
    assert_eq!(taken, 52 * 1024, "what fits is taken: a short write");
    assert_eq!(errno(file.write_all(b"x")), Some(Errno::NOSPC));
    assert_eq!(errno(fs::write(disk.at("third"), "x")), Some(Errno::NOSPC), "made, but nothing goes into it");
    assert_eq!(free(), 0);
    // An open file gives its bytes back with its last close.
    let open = File::open(disk.at("old")).unwrap();
    fs::remove_file(disk.at("old")).unwrap();
    assert_eq!(errno(file.write_all(b"x")), Some(Errno::NOSPC));
    drop(open);
    assert!(wait_until(PATIENCE, || free() == 12 * 1024), "{}", free());
    file.write_all(b"x").unwrap();
    file.set_len(0).unwrap();
    assert_eq!(free(), 64 * 1024);
    disk.fs.set_capacity(None);
    fs::write(disk.at("new"), [3; 200_000]).unwrap();
}

#[test]
fn statfs_can_lie() {
    let Some(disk) = Disk::new() else { return };
    let lie = disk.fs.inject(Fault::claims_space(u64::MAX / 2, u64::MAX / 2));
    let facts = statvfs(disk.fs.at()).unwrap();
    assert!(facts.f_bavail.saturating_mul(facts.f_frsize) > 1 << 60);
    lie.end();
    let _nothing = disk.fs.inject(Fault::claims_space(0, 0));
    assert_eq!(statvfs(disk.fs.at()).unwrap().f_blocks, 0);
    fs::write(disk.at("file"), "there is room, whatever it says").unwrap();
}

#[test]
fn one_write_is_one_call_and_the_log_tells_them_all() {
    let Some(disk) = Disk::new() else { return };
    let mut file = append(&disk.at("file"));
    file.write_all(&vec![1; 1_000_000]).unwrap();
    let parts: Vec<Vec<u8>> = (0..200u8).map(|part| vec![part; 700 + usize::from(part)]).collect();
    let slices: Vec<IoSlice> = parts.iter().map(|part| IoSlice::new(part)).collect();
    let length: usize = parts.iter().map(Vec::len).sum();
    assert_eq!(file.write_vectored(&slices).unwrap(), length);
    file.sync_data().unwrap();
    let log = disk.fs.log();
    let writes: Vec<_> = log.iter().filter(|seen| seen.call == Call::Write).collect();
    let bytes: Vec<u64> = writes.iter().map(|seen| seen.bytes).collect();
    assert_eq!(bytes, [1_000_000, length as u64]);
    assert!(writes.iter().all(|seen| seen.path == Path::new("file") && seen.answer.is_some()));
    assert!(log.windows(2).all(|pair| pair[0].at <= pair[1].at));
    assert_eq!(log.last().unwrap().call, Call::Sync);
    let then = Instant::now();
    let mut read = String::new();
    File::open(disk.at("file")).unwrap().take(1).read_to_string(&mut read).unwrap();
    assert_eq!(disk.fs.calls_since(then, &Call::CHANGES), 0, "{:?}", disk.fs.log());
    assert_eq!(disk.fs.calls_since(then, &[Call::Read]), 1);
    let fault = disk.fs.inject(Fault::fails(Errno::IO).on(&[Call::Write]));
    let _ = file.write_all(b"x");
    fault.end();
    assert_eq!(disk.fs.log().last().unwrap().answer.unwrap().errno, Some(Errno::IO));
    assert_eq!(disk.fs.count(Call::Write), 3);
}

#[test]
fn locks_inode_numbers_and_deleted_files_are_as_on_any_disk() {
    let Some(disk) = Disk::new() else { return };
    fs::create_dir(disk.at("home")).unwrap();
    let (one, other) = (File::open(disk.at("home")).unwrap(), File::open(disk.at("home")).unwrap());
    flock(&one, FlockOperation::NonBlockingLockExclusive).unwrap();
    assert_eq!(flock(&other, FlockOperation::NonBlockingLockExclusive), Err(Errno::WOULDBLOCK));
    drop(one);
    flock(&other, FlockOperation::NonBlockingLockExclusive).unwrap();
    let number = fs::metadata(disk.at("home")).unwrap().ino();
    fs::rename(disk.at("home"), disk.at("moved")).unwrap();
    assert_eq!(fs::metadata(disk.at("moved")).unwrap().ino(), number);
    assert_eq!(other.metadata().unwrap().ino(), number);
    let mut file = append(&disk.at("moved/file"));
    file.write_all(b"one").unwrap();
    fs::remove_file(disk.at("moved/file")).unwrap();
    fs::write(disk.at("moved/file"), "another of that name").unwrap();
    file.write_all(b" and two").unwrap();
    assert_eq!(file.metadata().unwrap().len(), 11);
    assert_eq!(fs::read(disk.at("moved/file")).unwrap(), b"another of that name");
}

#[test]
fn it_is_unmounted_when_it_is_dropped_even_if_somebody_hangs_in_it_and_when_a_test_panics() {
    let Some(disk) = Disk::new() else { return };
    let at = disk.fs.at().to_owned();
    let hang = disk.fs.inject(Fault::hangs().on(&[Call::Write]));
    let mut child = Command::new("dd")
        .args(["if=/dev/zero", "bs=1k", "count=1"])
        .arg(format!("of={}", disk.at("file").display()))
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    assert!(wait_until(PATIENCE, || disk.fs.waiting() == 1));
    child.kill().unwrap();
    let Disk { fs, folder } = disk;
    drop(fs);
    assert!(wait_until(PATIENCE, || child.try_wait().unwrap().is_some()), "it hangs on");
    drop(hang);
    assert!(!is_mounted(&at), "the mount was left");
    folder.close().unwrap();

    let at = std::sync::Mutex::new(PathBuf::new());
    let panicked = std::panic::catch_unwind(|| {
        let disk = Disk::mounted();
        disk.fs.at().clone_into(&mut at.lock().unwrap());
        assert!(is_mounted(disk.fs.at()));
        let _hang = disk.fs.inject(Fault::hangs());
        std::panic::resume_unwind(Box::new("as a failed test does"));
    });
    let at = at.into_inner().unwrap();
    assert!(panicked.is_err() && !is_mounted(&at) && !at.exists(), "{}", at.display());
}
