//! Disks that come and go, as the recorder's adapters see them: with the real udevd, real loop devices and real mounts, in a
//! world of the test's own. Needs root.

use holdfast::volumes::disks::{DiskChange, Disks};
use holdfast::volumes::mounts::DeviceNumber;
use holdfast::volumes::report::{DiskReport, Outcome};
use holdfast::volumes::udev::{self, Block, BlockEvent, BlockWatch};
use holdfast_core::disk::{Bus, Filesystem, Unfit, Usage};
use holdfast_tests::loops::{self, Loop, Mounted, Pulled};
use holdfast_tests::udevd::{Job, Systemd, Udevd};
use holdfast_tests::wait_until;
use std::cell::RefCell;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;
use std::rc::Rc;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

const MIB: u64 = 1 << 20;

/// Lets the loop turn until `condition` holds.
fn until(mut condition: impl FnMut() -> bool) -> bool {
    let context = glib::MainContext::default();
    wait_until(PATIENCE, || {
        while context.iteration(false) {}
        condition()
    })
}

/// What was told, in order.
type Told<T> = Rc<RefCell<Vec<T>>>;

fn watch_blocks(receive_buffer: usize) -> (BlockWatch, Vec<Block>, Told<BlockEvent>) {
    let told = Told::default();
    let sink = Rc::clone(&told);
    let (watch, present) = udev::watch(receive_buffer, move |event| sink.borrow_mut().push(event)).unwrap();
    (watch, present, told)
}

/// A disk with a filesystem on it, attached.
fn disk(folder: &Path, name: &str, kind: &str, label: &str) -> Loop {
    let image = folder.join(name);
    loops::image(&image, 80 * MIB).unwrap();
    loops::format(&image, kind, label).unwrap();
    Loop::attach(&image).unwrap()
}

/// The newest state of a block that was told.
fn newest(told: &Told<BlockEvent>, wanted: &str) -> Option<Block> {
    told.borrow().iter().rev().find_map(|event| match event {
        BlockEvent::Came(block) | BlockEvent::Changed(block) => (block.name == wanted).then(|| block.clone()),
        BlockEvent::Gone { .. } => None,
    })
}

fn is_gone(told: &Told<BlockEvent>, wanted: &str) -> bool {
    told.borrow().iter().any(|event| matches!(event, BlockEvent::Gone { name, .. } if name == wanted))
}

/// What was told, without all the facts.
fn briefly(told: &Told<BlockEvent>) -> Vec<String> {
    let brief = |event: &BlockEvent| match event {
        BlockEvent::Came(block) => format!("+{} {}", block.name, block.facts.label),
        BlockEvent::Changed(block) => format!("~{} {}", block.name, block.facts.label),
        BlockEvent::Gone { name, .. } => format!("-{name}"),
    };
    told.borrow().iter().map(brief).collect()
}

fn blkid(node: &Path, tag: &str) -> String {
    let output = Command::new("blkid").args(["-p", "-s", tag, "-o", "value"]).arg(node).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn blocks_come_change_and_go_with_all_that_udev_knows_of_them() {
    let Some(folder) = loops::world("blocks_come_change_and_go_with_all_that_udev_knows_of_them") else {
        return;
    };
    let udevd = Udevd::start(&folder, &[]).unwrap();
    let before = disk(&folder, "before", "ext4", "EARLY");
    udevd.settle().unwrap();
    let (watch, present, told) = watch_blocks(udev::RECEIVE_BUFFER);

    let early =
        present.iter().find(|block| block.name == before.name()).expect("what is there is not listed");
    assert_eq!((early.facts.label.as_str(), early.settled), ("EARLY", true));

    let disk = disk(&folder, "disk", "ext4", "HOLDFAST");
    let name = disk.name();
    let known = || newest(&told, &name).is_some_and(|block| block.facts.content == "ext4");
    assert!(until(known), "{:?}\n{}", briefly(&told), udevd.log());
    let block = newest(&told, &name).unwrap();
    assert_eq!(block.number, DeviceNumber::of(fs::metadata(disk.node()).unwrap().rdev()));
    assert_eq!(block.parent, None);
    assert!(block.sequence.is_some() && block.settled, "{block:?}");
    let facts = &block.facts;
    assert_eq!((facts.usage, facts.label.as_str()), (Usage::Filesystem, "HOLDFAST"));
    assert_eq!(facts.uuid, blkid(&disk.node(), "UUID").as_str());
    assert_eq!(
        (facts.bus, facts.size, facts.read_only, facts.partitioned),
        (Bus::Virtual, 80 * MIB, false, false)
    );

    // A change for real: udevd sees that somebody who wrote to it has closed it.
    loops::run("e2label", [disk.node().as_os_str(), "ANOTHER".as_ref()]).unwrap();
    let changed = || newest(&told, &name).is_some_and(|block| block.facts.label == "ANOTHER");
    assert!(until(changed), "{:?}", briefly(&told));

    assert!(matches!(disk.pull().unwrap(), (Pulled::Really, None)));
    assert!(until(|| is_gone(&told, &name)), "{:?}", briefly(&told));
    assert_eq!(watch.rescans(), 0);
}

#[test]
fn a_partition_is_a_disk_of_its_own_and_its_whole_disk_is_none() {
    let Some(folder) = loops::world("a_partition_is_a_disk_of_its_own_and_its_whole_disk_is_none") else {
        return;
    };
    let _udevd = Udevd::start(&folder, &[]).unwrap();
    let (_watch, _, told) = watch_blocks(udev::RECEIVE_BUFFER);
    let image = folder.join("partitioned");
    loops::image(&image, 80 * MIB).unwrap();
    let disk = Loop::attach(&image).unwrap();
    let (whole, part) = (disk.name(), disk.partition().unwrap());
    assert!(until(|| newest(&told, &part).is_some()), "{:?}", briefly(&told));
    loops::format(Path::new(&format!("/dev/{part}")), "ext4", "HOLDFAST").unwrap();
    let labelled = || newest(&told, &part).is_some_and(|block| block.facts.label == "HOLDFAST");
    assert!(until(labelled), "{:?}", briefly(&told));
    let block = newest(&told, &part).unwrap();
    assert_eq!((block.parent.as_deref(), block.facts.size), (Some(whole.as_str()), 79 * MIB));
    assert!(!block.facts.partitioned);
    // What is told of it next is told with its partition.
    disk.tell("change").unwrap();
    assert!(
        until(|| newest(&told, &whole).is_some_and(|block| block.facts.partitioned)),
        "{:?}",
        told.borrow()
    );
    disk.pull().unwrap();
    assert!(until(|| is_gone(&told, &part) && is_gone(&told, &whole)), "{:?}", briefly(&told));
}

#[test]
fn events_that_were_lost_are_found_by_looking_again() {
    let Some(folder) = loops::world("events_that_were_lost_are_found_by_looking_again") else { return };
    let udevd = Udevd::start(&folder, &[]).unwrap();
    let noise = disk(&folder, "noise", "ext4", "NOISE");
    let leaves = disk(&folder, "leaves", "ext4", "LEAVES");
    let relabelled = disk(&folder, "relabelled", "ext4", "BEFORE");
    udevd.settle().unwrap();
    // The kernel raises it to its least, which holds one event or two.
    let (watch, present, told) = watch_blocks(1);
    for disk in [&noise, &leaves, &relabelled] {
        assert!(present.iter().any(|block| block.name == disk.name()));
    }

    // Nobody reads meanwhile.
    for _ in 0..50 {
        noise.tell("change").unwrap();
    }
    udevd.settle().unwrap();
    // Under another name than the one that leaves.
    let came = disk(&folder, "came", "ext4", "CAME");
    let gone = leaves.name();
    assert!(matches!(leaves.pull().unwrap(), (Pulled::Really, None)));
    loops::run("e2label", [relabelled.node().as_os_str(), "AFTER".as_ref()]).unwrap();
    relabelled.tell("change").unwrap();
    udevd.settle().unwrap();

    let missed = || {
        is_gone(&told, &gone)
            && newest(&told, &came.name()).is_some_and(|block| block.facts.label == "CAME")
            && newest(&told, &relabelled.name()).is_some_and(|block| block.facts.label == "AFTER")
    };
    assert!(until(missed), "{} looks; {:?}", watch.rescans(), briefly(&told));
    assert!(watch.rescans() > 0, "nothing was lost, so nothing was proved");

    // And it goes on as before.
    let rescans = watch.rescans();
    let name = came.name();
    assert!(matches!(came.pull().unwrap(), (Pulled::Really, None)));
    assert!(until(|| is_gone(&told, &name)), "{:?}", briefly(&told));
    println!("{rescans} looks for 50 lost events");
}

#[test]
fn without_udev_nothing_fails_and_mounts_alone_are_told() {
    let Some(folder) = loops::world("without_udev_nothing_fails_and_mounts_alone_are_told") else { return };
    assert!(!udev::is_running());
    let volumes = folder.join("volumes");
    let (disks, told) = watch_disks(&folder);
    let disk = disk(&folder, "disk", "ext4", "HOLDFAST");
    let mount = Mounted::at(&disk.node(), &volumes.join(ID), "noatime").unwrap();
    assert!(until(|| !told.borrow().is_empty()));
    assert_eq!(sentences(&told), [format!("{ID} mounted from {}", disk.node().display())]);
    drop(mount);
    assert!(until(|| told.borrow().len() > 1));
    assert_eq!(sentences(&told)[1..], [format!("{ID} gone")]);
    drop(disks);
    let _again = Mounted::at(&disk.node(), &volumes.join(ID), "noatime").unwrap();
    while glib::MainContext::default().iteration(false) {}
    assert_eq!(told.borrow().len(), 2, "it is still told after the watch ended");
}

const ID: &str = "0123456789abcdef0123456789abcdef";

/// The rule of the helper, as far as this test needs it.
const RULE: (&str, &str) = (
    "90-holdfast.rules",
    "SUBSYSTEM==\"block\", ACTION!=\"remove\", ENV{ID_FS_USAGE}==\"filesystem\", ENV{ID_FS_LABEL}==\"HOLDFAST\", \
     TAG+=\"systemd\", ENV{SYSTEMD_WANTS}+=\"holdfast-volume@%k.service\"\n",
);

fn watch_disks(folder: &Path) -> (Disks, Told<DiskChange>) {
    let told = Told::default();
    let sink = Rc::clone(&told);
    let (volumes, reports) = (folder.join("volumes"), folder.join("reports"));
    let disks = Disks::watch(&volumes, &reports, &[], move |change| sink.borrow_mut().push(change)).unwrap();
    (disks, told)
}

fn sentences(told: &Told<DiskChange>) -> Vec<String> {
    let sentence = |change: &DiskChange| match change {
        DiskChange::Mounted(volume) => format!("{} mounted from {}", volume.id, volume.name),
        DiskChange::Gone { id } => format!("{id} gone"),
        DiskChange::LeftAlone { label, reason } => format!("{label} left: {reason:?}"),
        DiskChange::Failed { label, fault, .. } => format!("{label} failed: {fault:?}"),
        DiskChange::LeftGone { label } => format!("{label} no longer"),
    };
    told.borrow().iter().map(sentence).collect()
}

/// A stand-in for the helper too: mounts every disk as the same volume.
fn mount_everything(folder: &Path) -> Systemd {
    let at = folder.join("volumes").join(ID);
    fs::create_dir_all(&at).unwrap();
    Systemd::start(move |template, instance, job| {
        if template != "holdfast-volume@" {
            return None;
        }
        let mut command = match job {
            Job::Start => Command::new("mount"),
            Job::Stop => Command::new("umount"),
        };
        match job {
            Job::Start => command.args(["-o", "noatime"]).arg(format!("/dev/{instance}")).arg(&at),
            Job::Stop => command.arg("--lazy").arg(&at),
        };
        Some(command)
    })
    .unwrap()
}

#[test]
fn a_disk_is_pulled_while_it_is_in_use_and_returns_under_another_name() {
    let Some(folder) = loops::world("a_disk_is_pulled_while_it_is_in_use_and_returns_under_another_name")
    else {
        return;
    };
    let _udevd = Udevd::start(&folder, &[RULE]).unwrap();
    let systemd = mount_everything(&folder);
    let (_disks, told) = watch_disks(&folder);
    let said = |count: usize| until(|| told.borrow().len() >= count);

    let mut disk = disk(&folder, "disk", "ext4", "HOLDFAST");
    let image = disk.image().to_owned();
    let mut kept = Vec::new();
    for round in 0..5 {
        let name = disk.name();
        assert!(said(2 * round + 1), "{:?} {:?}", sentences(&told), systemd.done());
        assert_eq!(sentences(&told)[2 * round..], [format!("{ID} mounted from {name}")]);
        let DiskChange::Mounted(volume) = told.borrow()[2 * round].clone() else { unreachable!() };
        assert_eq!(volume.device, DeviceNumber::of(fs::metadata(&volume.path).unwrap().dev()));
        assert_eq!(
            (volume.filesystem, volume.uuid.as_str()),
            (Some(Filesystem::Ext4), blkid(&image, "UUID").as_str())
        );
        assert_eq!(volume.label, format!("{name} (ext4, HOLDFAST)").as_str());
        // As a recorder does: a file is open, so that the mount lives on without a place.
        let open = fs::File::create(volume.path.join(format!("open-{round}"))).unwrap();
        let (how, left) = disk.pull().unwrap();
        assert_eq!(how, Pulled::InName, "a mounted disk went");
        assert!(said(2 * round + 2), "{:?} {:?}", sentences(&told), systemd.done());
        assert_eq!(sentences(&told)[2 * round + 1..], [format!("{ID} gone")]);
        let stopped = || systemd.done().len() == 2 * (round + 1);
        assert!(until(stopped), "{:?}", systemd.done());
        assert!(fs::read_dir(&volume.path).unwrap().next().is_none(), "a stale mount");
        drop(open);
        kept.push(left);
        disk = Loop::attach(&image).unwrap();
        assert_ne!(disk.name(), name);
    }
    let last = disk.name();
    assert!(said(11), "{:?}", sentences(&told));
    assert_eq!(
        sentences(&told)[10..],
        [format!("{ID} mounted from {last}")],
        "what went before is told twice"
    );
    assert!(systemd.done().iter().all(|job| job.ends_with("exit status: 0")), "{:?}", systemd.done());
}

#[test]
fn a_disk_that_is_not_used_is_named_by_what_udev_sees_or_the_helper_says() {
    let Some(folder) = loops::world("a_disk_that_is_not_used_is_named_by_what_udev_sees_or_the_helper_says")
    else {
        return;
    };
    let udevd = Udevd::start(&folder, &[]).unwrap();
    let present = disk(&folder, "present", "swap", "HOLDFAST");
    udevd.settle().unwrap();
    let (_disks, told) = watch_disks(&folder);
    let swap = format!("{} (swap, HOLDFAST)", present.name());
    assert_eq!(sentences(&told), [format!("{swap} left: System")], "what was there at the start");

    // The helper looked into another one, and did not take it.
    let other = disk(&folder, "other", "ext4", "HOLDFAST");
    udevd.settle().unwrap();
    let report = DiskReport {
        version: 1,
        disk: other.name(),
        device_number: DeviceNumber::of(fs::metadata(other.node()).unwrap().rdev()).to_string(),
        sequence: None,
        filesystem: "ext4".to_owned(),
        uuid: blkid(other.image(), "UUID"),
        label: "HOLDFAST".to_owned(),
        size: 80 * MIB,
        bus: String::new(),
        model: String::new(),
        serial: String::new(),
        at_micros: 1,
        outcome: Outcome::LeftAlone { reason: Unfit::System },
        check: None,
        text: String::new(),
    };
    report.write(&folder.join("reports")).unwrap();
    let ext4 = format!("{} (ext4, HOLDFAST)", other.name());
    assert!(until(|| told.borrow().len() == 2), "{:?}", sentences(&told));
    assert_eq!(sentences(&told)[1..], [format!("{ext4} left: System")]);

    assert!(matches!(present.pull().unwrap(), (Pulled::Really, None)));
    assert!(until(|| told.borrow().len() == 3), "{:?}", sentences(&told));
    assert_eq!(sentences(&told)[2..], [format!("{swap} no longer")]);
    DiskReport::remove(&folder.join("reports"), &other.name()).unwrap();
    assert!(until(|| told.borrow().len() == 4), "{:?}", sentences(&told));
    assert_eq!(sentences(&told)[3..], [format!("{ext4} no longer")]);
}
