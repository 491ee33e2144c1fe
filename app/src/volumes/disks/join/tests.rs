//! Stories of disks, told by the three witnesses in every order that was thought of.

use super::*;
use holdfast_core::disk::Usage;

const VOLUMES: &str = "/run/v";

/// The world of a story: what each witness would say now.
#[derive(Default)]
struct Story {
    join: Join,
    blocks: Vec<Block>,
    mounts: Vec<String>,
    reports: Vec<DiskReport>,
    /// What is in each device, whoever has told of it.
    there: BTreeMap<DeviceNumber, Block>,
    /// Reports and media are numbered through, so that no two are alike.
    count: u64,
    at: Duration,
}

fn id(digit: u8) -> VolumeId {
    Id128([digit; 16])
}

fn fields(name: &str) -> (Bus, DeviceNumber) {
    let bus = if name.starts_with("sda") { Bus::Ata } else { Bus::Usb };
    let minor = name.bytes().fold(0, |sum, byte| sum * 7 + u32::from(byte)) % 200;
    (bus, DeviceNumber { major: 8, minor })
}

impl Story {
    fn with_udev() -> Story {
        Story { join: Join::new(Some(Vec::new())), ..Story::default() }
    }

    fn next(&mut self) -> u64 {
        self.count += 1;
        self.count
    }

    /// A disk as udev tells of it; its UUID is its name.
    fn block(&mut self, name: &str, content: &str, label: &str) -> Block {
        let (bus, number) = fields(name);
        let text = |text: &str| Text::try_from(text).unwrap();
        let facts = DiskFacts {
            name: text(name),
            content: text(content),
            usage: if content.is_empty() { Usage::Untold } else { Usage::Filesystem },
            label: text(label),
            uuid: text(name),
            bus,
            size: 1 << 34,
            ..DiskFacts::default()
        };
        let sequence = Some(self.next());
        let block = Block { name: name.to_owned(), number, sequence, parent: None, settled: true, facts };
        self.there.insert(number, block.clone());
        block
    }

    fn plug(&mut self, name: &str, content: &str, label: &str) -> Vec<String> {
        let block = self.block(name, content, label);
        self.event(BlockEvent::Came(block))
    }

    fn pull(&mut self, name: &str) -> Vec<String> {
        let number = fields(name).1;
        let sequence = self.there.remove(&number).and_then(|block| block.sequence);
        self.event(BlockEvent::Gone { name: name.to_owned(), number, sequence })
    }

    /// An event that is heard while what it tells is still so.
    fn event(&mut self, event: BlockEvent) -> Vec<String> {
        if let BlockEvent::Came(block) | BlockEvent::Changed(block) = &event {
            self.there.insert(block.number, block.clone());
        }
        self.told(Some(event))
    }

    fn mount(&mut self, mount: u32, name: &str, volume: u8) -> Vec<String> {
        let number = fields(name).1;
        let line = format!("{mount} 1 {number} / {VOLUMES}/{} rw - ext4 /dev/{name} rw", id(volume));
        self.mounts.push(line);
        self.told(None)
    }

    fn unmount(&mut self, mount: u32) -> Vec<String> {
        self.mounts.retain(|line| !line.starts_with(&format!("{mount} ")));
        self.told(None)
    }

    fn report(&mut self, name: &str, outcome: Outcome) -> Vec<String> {
        let at_micros = self.next().try_into().unwrap();
        self.reports.retain(|report| report.disk != name);
        self.reports.push(DiskReport {
            version: 1,
            disk: name.to_owned(),
            device_number: fields(name).1.to_string(),
            sequence: None,
            filesystem: String::new(),
            uuid: name.to_owned(),
            label: String::new(),
            size: 0,
            bus: String::new(),
            model: String::new(),
            serial: String::new(),
            at_micros,
            outcome,
            check: None,
            text: "the helper's words".to_owned(),
        });
        self.told(None)
    }

    fn told(&mut self, event: Option<BlockEvent>) -> Vec<String> {
        let table = MountTable::parse(self.mounts.join("\n").as_bytes());
        let around = Surroundings::default();
        let world = World {
            volumes: Path::new(VOLUMES),
            table: &table,
            around: &around,
            reports: &self.reports,
            now: &|number| self.there.get(&number).cloned(),
            at: self.at,
        };
        if let Some(event) = event {
            self.join.take(event, &world);
        }
        let changes = self.join.look(&world);
        assert_eq!(self.join.look(&world), [], "told twice");
        changes.iter().map(sentence).collect()
    }
}

fn short(id: VolumeId) -> u8 {
    id.0[0]
}

fn sentence(change: &DiskChange) -> String {
    match change {
        DiskChange::Mounted(volume) => {
            assert_eq!(volume.path, Path::new(VOLUMES).join(volume.id.to_string()));
            format!("{} mounted from {}", short(volume.id), volume.label)
        }
        DiskChange::Gone { id } => format!("{} gone", short(*id)),
        DiskChange::LeftAlone { label, reason } => format!("{label} left: {reason:?}"),
        DiskChange::Failed { label, volume, fault, text } => {
            let waits = text.contains("has not reported");
            assert!(waits || text == "the helper's words", "{text}");
            format!("{label} failed: {fault:?} {:?}", volume.map(short))
        }
        DiskChange::LeftGone { label } => format!("{label} no longer"),
    }
}

fn mounted(volume: u8) -> Outcome {
    Outcome::Mounted {
        volume: id(volume),
        path: Path::new(VOLUMES).join(id(volume).to_string()),
        adopted: false,
    }
}

const NOTHING: [&str; 0] = [];

#[test]
fn a_disk_that_comes_is_told_once_it_is_mounted_whoever_speaks_first() {
    let mut story = Story::with_udev();
    assert_eq!(story.plug("sdb1", "ext4", "HOLDFAST"), NOTHING);
    assert_eq!(story.mount(50, "sdb1", 1), ["1 mounted from sdb1 (ext4, HOLDFAST)"]);
    assert_eq!(story.report("sdb1", mounted(1)), NOTHING);

    let mut story = Story::with_udev();
    assert_eq!(story.mount(50, "sdb1", 1), NOTHING, "its device is not known yet");
    assert_eq!(story.report("sdb1", mounted(1)), NOTHING);
    assert_eq!(story.plug("sdb1", "ext4", "HOLDFAST"), ["1 mounted from sdb1 (ext4, HOLDFAST)"]);
}

#[test]
fn a_pulled_disk_is_gone_at_once_and_not_again_when_its_mount_goes() {
    let mut story = Story::with_udev();
    story.plug("sdb1", "ext4", "");
    story.mount(50, "sdb1", 1);
    assert_eq!(story.pull("sdb1"), ["1 gone"]);
    assert_eq!(story.unmount(50), NOTHING);
}

#[test]
fn a_volume_that_somebody_unmounts_is_gone_and_its_device_leaves_in_silence() {
    let mut story = Story::with_udev();
    story.plug("sdb1", "ext4", "HOLDFAST");
    story.mount(50, "sdb1", 1);
    assert_eq!(story.unmount(50), ["1 gone"]);
    assert_eq!(story.pull("sdb1"), NOTHING);
}

#[test]
fn the_same_volume_returns_under_another_name_while_its_old_mount_is_still_there() {
    let mut story = Story::with_udev();
    story.plug("sdb1", "ext4", "HOLDFAST");
    story.mount(50, "sdb1", 1);
    assert_eq!(story.pull("sdb1"), ["1 gone"]);
    assert_eq!(story.plug("sdc1", "ext4", "HOLDFAST"), NOTHING);
    // Over the old one, as it would be seen until that is unmounted.
    let number = fields("sdc1").1;
    story.mounts.push(format!("51 50 {number} / {VOLUMES}/{} rw - ext4 /dev/sdc1 rw", id(1)));
    assert_eq!(story.told(None), ["1 mounted from sdc1 (ext4, HOLDFAST)"]);
    assert_eq!(story.unmount(50), NOTHING);
}

#[test]
fn the_same_device_name_after_a_replug_does_not_bring_the_old_mount_back_to_life() {
    let mut story = Story::with_udev();
    story.plug("sdb1", "ext4", "HOLDFAST");
    story.mount(50, "sdb1", 1);
    story.report("sdb1", mounted(1));
    assert_eq!(story.pull("sdb1"), ["1 gone"]);
    assert_eq!(
        story.plug("sdb1", "ext4", "HOLDFAST"),
        NOTHING,
        "the mount that is there is of the disk that went"
    );
    assert_eq!(story.unmount(50), NOTHING);
    assert_eq!(story.mount(51, "sdb1", 1), ["1 mounted from sdb1 (ext4, HOLDFAST)"]);
}

#[test]
fn a_mount_that_got_the_number_of_the_one_before_is_known_by_the_helpers_word() {
    let mut story = Story::with_udev();
    story.plug("sdb1", "ext4", "HOLDFAST");
    story.mount(50, "sdb1", 1);
    story.report("sdb1", mounted(1));
    assert_eq!(story.pull("sdb1"), ["1 gone"]);
    story.plug("sdb1", "ext4", "HOLDFAST");
    // The old mount went and a new one came between two looks: the table looks the same.
    assert_eq!(story.told(None), NOTHING);
    assert_eq!(story.report("sdb1", Outcome::Unmounted { volume: id(1) }), NOTHING);
    assert_eq!(story.report("sdb1", mounted(1)), ["1 mounted from sdb1 (ext4, HOLDFAST)"]);
}

#[test]
fn a_medium_that_was_changed_in_its_reader_takes_its_mount_along() {
    let mut story = Story::with_udev();
    let card = story.block("sdd", "vfat", "HOLDFAST");
    story.event(BlockEvent::Came(card));
    story.mount(50, "sdd", 1);
    // A change that is none of the medium: a label, a tool that closed the device.
    let mut same = story.block("sdd", "vfat", "RENAMED");
    same.sequence = Some(1);
    assert_eq!(story.event(BlockEvent::Changed(same)), NOTHING);
    let other = story.block("sdd", "vfat", "HOLDFAST");
    assert_eq!(story.event(BlockEvent::Changed(other)), ["1 gone"]);
    assert_eq!(story.unmount(50), NOTHING);
    assert_eq!(story.mount(51, "sdd", 2), ["2 mounted from sdd (FAT, HOLDFAST)"]);
}

#[test]
fn a_remount_between_two_looks_is_told_as_gone_and_mounted() {
    let mut story = Story::with_udev();
    story.plug("sdb1", "ext4", "HOLDFAST");
    story.mount(50, "sdb1", 1);
    story.mounts.clear();
    assert_eq!(story.mount(51, "sdb1", 1), ["1 gone", "1 mounted from sdb1 (ext4, HOLDFAST)"]);
}

#[test]
fn at_the_start_what_is_built_in_comes_before_what_can_be_pulled_and_a_stale_mount_not_at_all() {
    let mut story = Story::default();
    let names = ["sdc10", "sdb1", "sda1", "sdaa1", "sdc2"];
    story.blocks = names.map(|name| story.block(name, "ext4", "")).to_vec();
    story.join = Join::new(Some(story.blocks.clone()));
    for (at, name) in names.into_iter().chain(["sdz1"]).enumerate() {
        let number = fields(name).1;
        let line = format!("{} 1 {number} / {VOLUMES}/{} rw - ext4 /dev/{name} rw", 50 + at, id(at as u8));
        story.mounts.push(line);
    }
    assert_eq!(
        story.told(None),
        [
            "2 mounted from sda1 (ext4)",
            "3 mounted from sdaa1 (ext4)",
            "1 mounted from sdb1 (ext4)",
            "4 mounted from sdc2 (ext4)",
            "0 mounted from sdc10 (ext4)",
        ]
    );
}

#[test]
fn what_is_not_for_us_is_named_from_outside_and_by_the_helper_and_forgotten_when_it_goes() {
    let mut story = Story::with_udev();
    assert_eq!(story.plug("sdb1", "ntfs", "PHOTOS"), ["sdb1 (NTFS, PHOTOS) left: Filesystem"]);
    assert_eq!(story.plug("sdc1", "exfat", "MUSIC"), NOTHING, "the helper has to look");
    let left = Outcome::LeftAlone { reason: Unfit::NotMarked };
    assert_eq!(story.report("sdc1", left), ["sdc1 (exFAT, MUSIC) left: NotMarked"]);
    assert_eq!(story.pull("sdb1"), ["sdb1 (NTFS, PHOTOS) no longer"]);
    // Adopted by a person: used now. The helper reports after it mounted.
    assert_eq!(
        story.mount(50, "sdc1", 3),
        ["sdc1 (exFAT, MUSIC) no longer", "3 mounted from sdc1 (exFAT, MUSIC)"]
    );
}

#[test]
fn a_disk_that_is_left_for_another_reason_than_before_is_told_anew() {
    let mut story = Story::with_udev();
    assert_eq!(story.plug("sdb1", "", ""), ["sdb1 left: Blank"]);
    let formatted = Block { sequence: Some(1), ..story.block("sdb1", "btrfs", "NEW") };
    assert_eq!(
        story.event(BlockEvent::Changed(formatted)),
        ["sdb1 no longer", "sdb1 (btrfs, NEW) left: Filesystem"]
    );
}

#[test]
fn a_volume_that_the_helper_refused_or_could_not_mount_is_told_with_its_words() {
    let mut story = Story::with_udev();
    story.plug("sdb1", "ext4", "HOLDFAST");
    let foreign = Outcome::Refused { volume: Some(id(7)), fault: Fault::Foreign };
    assert_eq!(story.report("sdb1", foreign), ["sdb1 (ext4, HOLDFAST) failed: Foreign Some(7)"]);
    assert_eq!(
        story.report("sdb1", Outcome::Failed { volume: Some(id(7)), fault: Fault::Io }),
        ["sdb1 (ext4, HOLDFAST) no longer", "sdb1 (ext4, HOLDFAST) failed: Io Some(7)"]
    );
    assert_eq!(story.pull("sdb1"), ["sdb1 (ext4, HOLDFAST) no longer"]);
}

#[test]
fn a_report_on_the_disk_before_says_nothing_of_the_one_that_is_there() {
    let mut story = Story::with_udev();
    story.report("sdb1", Outcome::LeftAlone { reason: Unfit::NotMarked });
    let mut other = story.block("sdb1", "ext4", "HOLDFAST");
    other.facts.uuid = Text::try_from("another").unwrap();
    assert_eq!(story.event(BlockEvent::Came(other)), NOTHING);
}

#[test]
fn a_disk_on_which_the_helper_is_silent_for_too_long_is_told_until_it_speaks() {
    let mut story = Story::with_udev();
    story.at = Duration::from_secs(100);
    assert_eq!(story.plug("sdb1", "ext2", "HOLDFAST"), ["sdb1 (ext2, HOLDFAST) left: Filesystem"]);
    assert_eq!(story.plug("sdc1", "exfat", "MUSIC"), NOTHING);
    let left = Outcome::LeftAlone { reason: Unfit::Filesystem };
    assert_eq!(story.report("sdb1", left), NOTHING);
    assert_eq!(story.join.look_again_at(story.at), None, "nobody waits for anything");
    // Formatted as it was asked.
    let mut formatted = story.block("sdb1", "ext4", "HOLDFAST");
    formatted.facts.uuid = Text::try_from("another").unwrap();
    assert_eq!(story.event(BlockEvent::Changed(formatted)), ["sdb1 (ext2, HOLDFAST) no longer"]);
    let end = Duration::from_secs(160);
    assert_eq!(story.join.look_again_at(story.at), Some(end));
    story.at = end - Duration::from_millis(1);
    assert_eq!(story.told(None), NOTHING);
    story.at = end;
    assert_eq!(story.told(None), ["sdb1 (ext4, HOLDFAST) failed: NotMounted None"]);
    assert_eq!(story.join.look_again_at(story.at), None, "it is told");
    assert_eq!(
        story.mount(50, "sdb1", 1),
        ["sdb1 (ext4, HOLDFAST) no longer", "1 mounted from sdb1 (ext4, HOLDFAST)"]
    );
}

#[test]
fn a_disk_that_was_blank_and_is_divided_into_partitions_is_called_blank_no_more() {
    let mut story = Story::with_udev();
    assert_eq!(story.plug("sdb", "", ""), ["sdb left: Blank"]);
    let mut divided = story.there[&fields("sdb").1].clone();
    assert_eq!(story.report("sdb", Outcome::LeftAlone { reason: Unfit::Blank }), NOTHING);
    divided.facts.partitioned = true;
    assert_eq!(story.event(BlockEvent::Changed(divided)), ["sdb no longer"]);
}

#[test]
fn a_disk_that_udev_has_not_looked_into_is_not_called_blank() {
    let mut story = Story::with_udev();
    let early = Block { settled: false, ..story.block("sdb1", "", "") };
    assert_eq!(story.event(BlockEvent::Came(early)), NOTHING);
}

#[test]
fn without_udev_the_mounts_alone_are_told_under_what_was_mounted() {
    let mut story = Story::default();
    assert_eq!(story.mount(50, "sdb1", 1), ["1 mounted from /dev/sdb1 (ext4)"]);
    assert_eq!(story.pull("sdb1"), NOTHING, "nobody is there who could say that");
    assert_eq!(story.unmount(50), ["1 gone"]);
    story.report("sdc1", mounted(2));
    assert_eq!(story.mount(51, "sdc1", 2), ["2 mounted from sdc1 (ext4)"], "the helper knows its name");
}

#[test]
fn a_filesystem_without_a_device_lives_as_long_as_its_mount() {
    let mut story = Story::with_udev();
    story.mounts.push(format!("50 1 0:77 / {VOLUMES}/{} rw - fuse.test faulty rw", id(4)));
    assert_eq!(story.told(None), ["4 mounted from faulty (fuse.test)"]);
    assert_eq!(story.unmount(50), ["4 gone"]);
}

#[test]
fn what_is_mounted_below_the_folder_under_no_id_is_none_of_ours() {
    let mut story = Story::with_udev();
    story.plug("sdb1", "ext4", "");
    let number = fields("sdb1").1;
    let hyphens = "01010101-0101-0101-0101-010101010101";
    for (at, name) in ["films", hyphens, "0101"].into_iter().enumerate() {
        story.mounts.push(format!("{} 1 {number} / {VOLUMES}/{name} rw - ext4 /dev/sdb1 rw", 60 + at));
    }
    assert_eq!(story.told(None), NOTHING);
}

#[test]
fn a_card_that_was_mounted_before_its_event_was_heard_lives() {
    let mut story = Story::with_udev();
    let empty = story.block("sdd", "", "");
    story.event(BlockEvent::Came(Block { facts: DiskFacts { size: 0, ..empty.facts.clone() }, ..empty }));
    let card = story.block("sdd", "vfat", "HOLDFAST");
    // The reader is there, so the mount counts; what is in it is told later, and is what was mounted.
    assert_eq!(story.mount(50, "sdd", 1), ["1 mounted from sdd (FAT, HOLDFAST)"]);
    assert_eq!(story.event(BlockEvent::Changed(card)), NOTHING);
}

#[test]
fn a_removal_that_is_heard_late_does_not_end_the_next_disk_under_the_same_number() {
    let mut story = Story::with_udev();
    story.plug("sdb1", "ext4", "HOLDFAST");
    story.mount(50, "sdb1", 1);
    // Pulled, another one plugged in and mounted, before any of it was heard.
    let number = fields("sdb1").1;
    let sequence = story.there[&number].sequence;
    let next = story.block("sdb1", "ext4", "HOLDFAST");
    story.mounts.clear();
    assert_eq!(story.mount(51, "sdb1", 2), ["1 gone", "2 mounted from sdb1 (ext4, HOLDFAST)"]);
    let gone = BlockEvent::Gone { name: "sdb1".to_owned(), number, sequence };
    assert_eq!(story.event(gone), NOTHING);
    assert_eq!(story.event(BlockEvent::Came(next)), NOTHING);
    assert_eq!(story.pull("sdb1"), ["2 gone"]);
}

#[test]
fn a_mount_that_is_heard_before_its_device_is_told_with_all_that_is_known_by_then() {
    let mut story = Story::with_udev();
    let early = story.block("sdb1", "", "");
    story.block("sdb1", "ext4", "HOLDFAST");
    assert_eq!(story.mount(50, "sdb1", 1), NOTHING);
    assert_eq!(story.told(Some(BlockEvent::Came(early))), ["1 mounted from sdb1 (ext4, HOLDFAST)"]);
}
