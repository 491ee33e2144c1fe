//! The disk that logs, on trial: a power cut takes what was not synced and nothing else, and the images are quick.

use holdfast_tests::blocklog::{BlockLog, Image, LoopDevice, Mounted, Order, Policy};
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::time::Instant;

const MIB: u64 = 1 << 20;

/// An ext4 on a disk that logs, with what was synced on it and when.
struct Trial {
    log: BlockLog,
    /// How many entries the log had when the filesystem was ready.
    ready: usize,
    /// By name, how long a file was known to be by how many entries.
    synced: Vec<(usize, String, u64)>,
}

/// None where nothing can be mounted, and that is known.
fn trial(size: u64, files: u8, steps: u32, step: u64) -> Option<Trial> {
    holdfast_tests::may_mount("a disk that logs").then(|| Trial::new(size, files, steps, step))
}

/// A byte of a file: it tells the file and the place.
fn byte(name: &str, at: u64) -> u8 {
    (u64::from(name.as_bytes()[1]) * 31 + at / 512 * 7 + at) as u8
}

impl Trial {
    /// Writes `files` files in `steps` steps each, in turn, every step synced, as a recorder does.
    fn new(size: u64, files: u8, steps: u32, step: u64) -> Trial {
        let log = BlockLog::new(size).unwrap();
        let device = LoopDevice::attach(log.path()).unwrap();
        device.make_ext4().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mounted = Mounted::new(device.path(), folder.path(), &["noatime"]).unwrap();
        rustix::fs::syncfs(File::open(mounted.at()).unwrap()).unwrap();
        let ready = log.len();
        let mut synced = Vec::new();
        let names: Vec<String> = (0..files).map(|file| format!("f{}", char::from(b'a' + file))).collect();
        for round in 0..steps {
            for name in &names {
                let path = mounted.at().join(name);
                let mut file = OpenOptions::new().append(true).create(true).open(&path).unwrap();
                let from = u64::from(round) * step;
                let bytes: Vec<u8> = (from..from + step).map(|at| byte(name, at)).collect();
                file.write_all(&bytes).unwrap();
                file.sync_data().unwrap();
                if round == 0 {
                    File::open(mounted.at()).unwrap().sync_all().unwrap();
                }
                synced.push((log.len(), name.clone(), from + step));
            }
            // One that is taken away now and then, as retention does.
            let victim = mounted.at().join("victim");
            if round % 3 == 0 {
                fs::write(&victim, vec![9; 50_000]).unwrap();
            } else {
                let _ = fs::remove_file(&victim);
            }
        }
        Trial { log, ready, synced }
    }

    /// What has to be there after a cut: each file's name and least length.
    fn owed(&self, cut: usize) -> BTreeMap<&str, u64> {
        let known = self.synced.iter().filter(|(entries, _, _)| *entries <= cut);
        known.map(|(_, name, length)| (name.as_str(), *length)).collect()
    }
}

/// What is missing or wrong of what is owed.
fn findings(image: &Image, owed: &BTreeMap<&str, u64>) -> Vec<String> {
    let look = |root: &Path| {
        let mut findings = Vec::new();
        for (name, length) in owed {
            let content = fs::read(root.join(name)).unwrap_or_default();
            if (content.len() as u64) < *length {
                findings.push(format!("{name}: {} bytes of {length}", content.len()));
            }
            let wrong = (0..).zip(&content).take(*length as usize).find(|(at, b)| **b != byte(name, *at));
            findings.extend(wrong.map(|(at, _)| format!("{name}: wrong at {at} of {length}")));
        }
        findings
    };
    image.check(look).unwrap_or_else(|error| vec![error.to_string()])
}

#[test]
fn whatever_was_synced_is_there_after_every_cut_and_the_filesystem_is_whole() {
    let Some(trial) = trial(64 * MIB, 4, 12, 60_000) else { return };
    let mut images = trial.log.images().unwrap();
    let (mut judged, mut durable) = (0, 0);
    // Every cut on the way would take minutes; every fifth and every sync's own moment does as well.
    let marks = trial.synced.iter().map(|(entries, _, _)| *entries);
    let mut cuts: Vec<usize> = (trial.ready..=trial.log.len()).step_by(5).chain(marks).collect();
    cuts.sort_unstable();
    cuts.dedup();
    for cut in cuts {
        let policy = [Policy::Dropped, Policy::Torn, Policy::Torn][judged % 3];
        let owed = trial.owed(cut);
        let image = images.at(cut, cut as u64, policy).unwrap();
        assert_eq!(findings(&image, &owed), [""; 0], "cut {cut}, {policy:?}, seed {cut}");
        judged += 1;
        durable += owed.len();
    }
    println!("{judged} images of {} entries, {durable} durable files looked at", trial.log.len());
    assert!(judged > 40 && durable > 100);
}

#[test]
fn what_was_not_synced_is_lost_and_an_image_of_which_too_much_was_dropped_is_found_out() {
    let Some(trial) = trial(32 * MIB, 2, 3, 30_000) else { return };
    let cut = trial.synced.last().unwrap().0;
    let mut images = trial.log.images().unwrap();
    // As if the last sync had not been answered yet: the flushes of the last step are not in the log.
    let before = trial.synced[trial.synced.len() - 2].0;
    let owed = trial.owed(cut);
    let early = images.at(before, 1, Policy::Dropped).unwrap();
    assert_eq!(findings(&early, &owed), ["fb: 60000 bytes of 90000"]);
    drop(early);
    // A disk that forgets more than it may is none that a filesystem survives: the superblock is not there yet.
    let nothing = images.at(0, 1, Policy::Dropped).unwrap();
    assert!(nothing.repair().is_err(), "a disk of zeros was found in good order");
    drop(nothing);
    // Backwards in the log too.
    assert_eq!(findings(&images.at(cut, 1, Policy::Torn).unwrap(), &owed), [""; 0]);
}

#[test]
fn an_image_of_which_nothing_was_dropped_is_the_disk() {
    let Some(trial) = trial(32 * MIB, 2, 4, 70_000) else { return };
    let content = |path: &Path| {
        let mut bytes = Vec::new();
        File::open(path).unwrap().read_to_end(&mut bytes).unwrap();
        bytes
    };
    let live = content(trial.log.path());
    assert_eq!(live.len() as u64, 32 * MIB);
    let mut images = trial.log.images().unwrap();
    let image = images.at(trial.log.len(), 5, Policy::Kept).unwrap();
    assert!(content(image.path()) == live);
    let folder = tempfile::tempdir().unwrap();
    let saved = folder.path().join("saved");
    image.save(&saved).unwrap();
    assert!(content(&saved) == live);
    image.repair().unwrap();
    drop(image);
    let again = images.at(trial.log.len(), 6, Policy::Kept).unwrap();
    assert!(content(again.path()) == live, "the repair of one image is in the next");
}

#[test]
fn a_sync_is_a_flush_behind_its_writes_and_the_log_has_times() {
    let began = holdfast_tests::wall_micros();
    let Some(trial) = trial(16 * MIB, 1, 1, 10_000) else { return };
    let entries = trial.log.entries(trial.ready);
    let wanted: Vec<u8> = (0..4096).map(|at| byte("fa", at)).collect();
    let is_data = |order: &Order| matches!(order, Order::Write(_, bytes) if bytes.starts_with(&wanted));
    let data =
        entries.iter().position(|entry| is_data(&entry.order)).expect("the file's data is not in the log");
    let answered = trial.synced[0].0 - trial.ready;
    assert!(data < answered, "its sync was answered before its data was written");
    assert!(entries[data..answered].iter().any(|entry| entry.order == Order::Flush), "never flushed");
    assert!(entries.windows(2).all(|pair| pair[0].at <= pair[1].at) && entries[0].at >= began);
    assert_eq!(trial.log.len_at(entries[data].at - 1), trial.ready + data);
    assert_eq!((trial.log.len_at(began - 1), trial.log.len_at(i64::MAX)), (0, trial.log.len()));
}

#[test]
fn images_of_a_disk_of_a_minute_of_four_cameras_are_quick() {
    // 32 MiB in steps of some 136 KB, as 4 cameras of 1 Mb/s give in a minute.
    let began = Instant::now();
    let Some(trial) = trial(256 * MIB, 4, 60, 136_000) else { return };
    let (wrote, began) = (began.elapsed(), Instant::now());
    let mut images = trial.log.images().unwrap();
    let last = trial.log.len();
    let count = 40;
    for number in 1..=count {
        let cut = trial.ready + (last - trial.ready) * number / count;
        let image = images.at(cut, number as u64, Policy::Torn).unwrap();
        let names = image.check(|root| fs::read_dir(root).map(Iterator::count)).unwrap().unwrap();
        assert!(names > 4, "cut {cut}, seed {number}");
    }
    let each = began.elapsed() / count as u32;
    println!(
        "wrote {last} entries in {wrote:.1?}; an image made, repaired, mounted and listed in {each:.3?}"
    );
    // 200 of them in two minutes are 0.6 s each; ten times that is a mistake on any machine.
    assert!(each.as_secs_f64() < 6.0, "{each:?}");
}
