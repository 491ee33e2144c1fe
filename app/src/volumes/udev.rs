//! Block devices as udev tells of them: those that are there, and those that come, change and go. Facts only: no disk is
//! opened here, all is read from sysfs and from udev's database.
//!
//! Words: a **block** is a whole disk or a partition. Its **sequence** is the kernel's `diskseq`: another number means
//! another medium, though the name be the same. Events are **lost** when they come faster than they are read (`ENOBUFS`);
//! then all blocks are looked at again, and the difference to what was known is told.

use super::facts;
use super::mounts::DeviceNumber;
use super::source::Source;
use glib::IOCondition;
use holdfast_core::disk::DiskFacts;
use rustix::io::Errno;
use rustix::net::sockopt;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::rc::Rc;
use udev::{Device, DeviceType, Enumerator, EventType, MonitorBuilder, MonitorSocket};

/// Bytes of the socket's receive buffer. An event takes about 2 KiB of it, so this holds some 500: a hub full of card
/// readers, while the loop is busy. An unprivileged process gets at most `net.core.rmem_max`; what does not fit is lost
/// and found again by looking.
pub const RECEIVE_BUFFER: usize = 1 << 20;

/// One block, with what udev knew of it when it was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The kernel's name: "sdb1".
    pub name: String,
    /// What `st_dev` will say of the files on it.
    pub number: DeviceNumber,
    /// See the module; `None` from kernels before 5.15.
    pub sequence: Option<u64>,
    /// The whole disk that it is a part of; `None` if it is one itself.
    pub parent: Option<String>,
    /// udev has looked into it. Before that, that nothing is known of its content means nothing.
    pub settled: bool,
    /// What can be known of it alone; its mounts and the running system are of [`Surroundings`](super::facts::Surroundings).
    pub facts: DiskFacts,
}

/// What happened to a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BlockEvent {
    /// It came. One that was known already is told again, with its facts of now.
    Came(Block),
    /// Something about it changed: its content, its medium, a partition table.
    Changed(Block),
    /// It is gone.
    Gone {
        /// Its name.
        name: String,
        /// Its number, which another may get now.
        number: DeviceNumber,
        /// Its sequence when it went.
        sequence: Option<u64>,
    },
}

/// A watch of the block devices; it ends when this is dropped.
#[derive(Debug)]
pub struct BlockWatch {
    _source: Source,
    rescans: Rc<Cell<u64>>,
}

impl BlockWatch {
    /// How often all blocks were looked at again, since events had been lost.
    pub fn rescans(&self) -> u64 {
        self.rescans.get()
    }
}

/// Whether a udevd runs or ran in this life of the system. Without one the blocks can be listed, but nobody tells of them.
pub fn is_running() -> bool {
    // udevd makes it at its start, and libudev asks for it too.
    Path::new("/run/udev/control").exists()
}

/// The blocks that are there, by name. Works without udevd too, but then nobody has looked into them for a filesystem.
pub fn present() -> io::Result<Vec<Block>> {
    let mut enumerator = Enumerator::new()?;
    enumerator.match_subsystem("block")?;
    let mut blocks: Vec<Block> = enumerator.scan_devices()?.filter_map(|device| block_of(&device)).collect();
    blocks.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(blocks)
}

/// The block with this number, as it is at this moment; `None` if there is none.
pub fn at(number: DeviceNumber) -> Option<Block> {
    block_of(&Device::from_devnum(DeviceType::Block, rustix::fs::makedev(number.major, number.minor)).ok()?)
}

/// Calls `told` from the glib loop for each event, until the watch is dropped; and the blocks that are there now. None
/// that comes in between is missed. Fails if there is no udev: ask [`is_running`] first.
pub fn watch(
    receive_buffer: usize,
    mut told: impl FnMut(BlockEvent) + 'static,
) -> io::Result<(BlockWatch, Vec<Block>)> {
    let socket = MonitorBuilder::new()?.match_subsystem("block")?.listen()?;
    // Past rmem_max with CAP_NET_ADMIN, else as much as there is.
    if sockopt::set_socket_recv_buffer_size_force(&socket, receive_buffer).is_err() {
        sockopt::set_socket_recv_buffer_size(&socket, receive_buffer)?;
    }
    // After listening: what comes in between is told twice, never not at all.
    let blocks = present()?;
    let mut known = Known::default();
    known.replace(blocks.clone());
    let rescans = Rc::new(Cell::new(0));
    let counter = Rc::clone(&rescans);
    let woken = move |socket: &MonitorSocket| {
        let lost = receive(socket, |event| {
            known.learn(&event);
            told(event);
        });
        if !lost {
            return;
        }
        counter.set(counter.get() + 1);
        match present() {
            Ok(now) => {
                log::warn!(
                    "events of udev came faster than they were read; all block devices were looked at again"
                );
                known.replace(now).into_iter().for_each(&mut told);
            }
            Err(error) => log::error!(
                "events of udev were lost, and the block devices cannot be listed: {error}; \
                 a disk that was plugged in just now may have to be plugged in again"
            ),
        }
    };
    let source = Source::on(socket, IOCondition::IN | IOCondition::ERR, woken);
    Ok((BlockWatch { _source: source, rescans }, blocks))
}

/// Takes all that waits in the socket. Whether events were lost.
///
/// All, before anybody looks again: an event that is older than the look would undo what the look found.
fn receive(socket: &MonitorSocket, mut told: impl FnMut(BlockEvent)) -> bool {
    // An overrun is told once: by this, which clears it, or by the receiving call that comes next.
    let mut lost = matches!(sockopt::socket_error(socket), Ok(Err(_)));
    let mut overruns = 0;
    let mut events = socket.iter();
    while overruns < OVERRUNS {
        let Some(event) = events.next() else {
            // The crate says only that there was none; why not is in errno, which nothing has touched since.
            match Errno::from_io_error(&io::Error::last_os_error()) {
                Some(Errno::NOBUFS) => {
                    lost = true;
                    overruns += 1;
                    continue;
                }
                _ => break,
            }
        };
        match event.event_type() {
            EventType::Remove => {
                if let Some(number) = event.devnum() {
                    let name = event.sysname().to_string_lossy().into_owned();
                    let sequence = sequence_of(&event);
                    told(BlockEvent::Gone { name, number: DeviceNumber::of(number), sequence });
                }
            }
            EventType::Add => block_of(&event).into_iter().for_each(|block| told(BlockEvent::Came(block))),
            // Binding is not of block devices; whatever else it may be, the block is there.
            EventType::Change | EventType::Bind | EventType::Unbind | EventType::Unknown => {
                block_of(&event).into_iter().for_each(|block| told(BlockEvent::Changed(block)));
            }
        }
    }
    lost
}

/// Overruns in one turn after which the loop gets its turn back: a sender that never rests shall not hold it.
const OVERRUNS: u32 = 16;

fn block_of(device: &Device) -> Option<Block> {
    let number = DeviceNumber::of(device.devnum()?);
    let whole = facts::whole_of(device);
    Some(Block {
        name: device.sysname().to_string_lossy().into_owned(),
        number,
        sequence: sequence_of(device),
        parent: whole.map(|disk| disk.sysname().to_string_lossy().into_owned()),
        settled: device.is_initialized(),
        facts: facts::of(device),
    })
}

fn sequence_of(device: &Device) -> Option<u64> {
    facts::property(device, "DISKSEQ").and_then(|text| text.parse().ok())
}

/// The blocks as they were told last, so that a look can be compared with it.
#[derive(Debug, Default)]
struct Known(BTreeMap<String, Block>);

impl Known {
    fn learn(&mut self, event: &BlockEvent) {
        match event {
            BlockEvent::Came(block) | BlockEvent::Changed(block) => {
                self.0.insert(block.name.clone(), block.clone());
            }
            BlockEvent::Gone { name, .. } => {
                self.0.remove(name);
            }
        }
    }

    /// Takes what is there now for what is known, and says how that differs: first what went, then what came or changed.
    /// What has another number under the same name went and came; another sequence alone is a change.
    fn replace(&mut self, now: Vec<Block>) -> Vec<BlockEvent> {
        let now: BTreeMap<String, Block> = now.into_iter().map(|block| (block.name.clone(), block)).collect();
        let gone =
            self.0.values().filter(|old| now.get(&old.name).is_none_or(|new| new.number != old.number)).map(
                |old| BlockEvent::Gone { name: old.name.clone(), number: old.number, sequence: old.sequence },
            );
        let here = now.values().filter_map(|new| match self.0.get(&new.name) {
            Some(old) if old == new => None,
            Some(old) if old.number == new.number => Some(BlockEvent::Changed(new.clone())),
            Some(_) | None => Some(BlockEvent::Came(new.clone())),
        });
        let differences = gone.chain(here).collect();
        self.0 = now;
        differences
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use holdfast_core::disk::Text;

    fn block(name: &str, minor: u32, sequence: u64, label: &str) -> Block {
        let facts = DiskFacts { label: Text::try_from(label).unwrap(), ..DiskFacts::default() };
        let number = DeviceNumber { major: 8, minor };
        Block { name: name.to_owned(), number, sequence: Some(sequence), parent: None, settled: true, facts }
    }

    fn gone(name: &str, minor: u32, sequence: u64) -> BlockEvent {
        let number = DeviceNumber { major: 8, minor };
        BlockEvent::Gone { name: name.to_owned(), number, sequence: Some(sequence) }
    }

    #[test]
    fn a_look_finds_what_was_missed() {
        use BlockEvent::{Came, Changed};
        let a = || block("sda", 0, 1, "");
        let b = || block("sdb", 16, 2, "");
        type Case = (&'static str, Vec<Block>, Vec<Block>, Vec<BlockEvent>);
        let cases: [Case; 7] = [
            ("nothing happened", vec![a(), b()], vec![b(), a()], vec![]),
            ("one came", vec![a()], vec![a(), b()], vec![Came(b())]),
            ("one went", vec![a(), b()], vec![a()], vec![gone("sdb", 16, 2)]),
            ("one went, one came", vec![a()], vec![b()], vec![gone("sda", 0, 1), Came(b())]),
            (
                "one was formatted",
                vec![b()],
                vec![block("sdb", 16, 2, "NEW")],
                vec![Changed(block("sdb", 16, 2, "NEW"))],
            ),
            (
                "another medium",
                vec![a(), b()],
                vec![a(), block("sdb", 16, 3, "")],
                vec![Changed(block("sdb", 16, 3, ""))],
            ),
            (
                "the same name with another number",
                vec![b()],
                vec![block("sdb", 32, 2, "")],
                vec![gone("sdb", 16, 2), Came(block("sdb", 32, 2, ""))],
            ),
        ];
        for (name, before, after, expected) in cases {
            let mut known = Known::default();
            known.replace(before);
            assert_eq!(known.replace(after.clone()), expected, "{name}");
            assert_eq!(known.replace(after), [], "{name}: told twice");
        }
    }

    #[test]
    fn what_events_told_is_known_to_the_next_look() {
        let mut known = Known::default();
        known.learn(&BlockEvent::Came(block("sda", 0, 1, "")));
        known.learn(&BlockEvent::Came(block("sdb", 16, 2, "")));
        known.learn(&BlockEvent::Changed(block("sda", 0, 1, "NEW")));
        known.learn(&gone("sdb", 16, 2));
        assert_eq!(known.replace(vec![block("sda", 0, 1, "NEW")]), []);
    }
}
