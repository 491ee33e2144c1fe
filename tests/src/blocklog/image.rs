//! What a power cut leaves: the flushed part of the log, and of the rest what the seed says.
//!
//! The flushed part is applied to one **base** that moves forward from cut to cut; the rest, and what a repair writes,
//! lies over it in a **layer** that goes with the image. So an image costs what lies between two flushes, not a disk.

use super::device::Store;
use super::{BlockLog, Entry, Order, SECTOR, failed, memory, served, zero};
use crate::dice::Dice;
use crate::mount::FuseMount;
use crate::{LabError, lock};
use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;

/// The layer's unit.
const BLOCK: usize = 4096;

/// What becomes of writes after the last flush.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// All are there: a disk without a cache.
    Kept,
    /// None is there.
    Dropped,
    /// Each is there, is not there, or some of its sectors are, by the seed; how many, too.
    Torn,
}

/// See the module.
#[derive(Debug)]
pub struct Images<'log> {
    log: &'log BlockLog,
    base: Arc<File>,
    /// How many entries are in the base.
    applied: usize,
}

impl<'log> Images<'log> {
    pub(super) fn new(log: &'log BlockLog) -> Result<Images<'log>, LabError> {
        let base = memory(log.size()).map_err(failed("making room for an image"))?;
        Ok(Images { log, base: Arc::new(base), applied: 0 })
    }

    /// The disk after the power went when it had got `cut` entries. The same seed gives the same image.
    pub fn at(&mut self, cut: usize, seed: u64, policy: Policy) -> Result<Image<'_>, LabError> {
        let applying = || failed("applying the log of a disk to an image");
        if self.flushed(cut) < self.applied {
            *self = Images::new(self.log)?;
        }
        let flushed = self.flushed(cut);
        let entries = self.log.entries(self.applied);
        let (durable, rest) = entries.split_at(flushed - self.applied);
        for entry in durable {
            apply(&entry.order, &self.base).map_err(applying())?;
        }
        let layer = Layer { base: Arc::clone(&self.base), blocks: Mutex::default() };
        let rest = &rest[..cut.min(self.applied + entries.len()).saturating_sub(flushed)];
        layer.apply(rest, seed, policy).map_err(applying())?;
        self.applied = flushed;
        let (mount, folder, path) = served(layer, self.log.size())?;
        Ok(Image { _mount: mount, _folder: folder, path, _base: std::marker::PhantomData })
    }

    /// How many entries are behind the newest flush of the first `cut`.
    fn flushed(&self, cut: usize) -> usize {
        let entries = lock(&self.log.entries);
        let got = &entries[..cut.min(entries.len())];
        got.iter().rposition(|entry| entry.order == Order::Flush).map_or(0, |flush| flush + 1)
    }
}

/// The content of a disk after a power cut. It can be written to, by a repair; that goes with it.
#[derive(Debug)]
pub struct Image<'images> {
    // Unmounted before its folder goes.
    _mount: FuseMount,
    _folder: TempDir,
    path: PathBuf,
    /// The base stands still as long as there is an image over it.
    _base: std::marker::PhantomData<&'images mut ()>,
}

impl Image<'_> {
    /// The image as a file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Keeps a copy, for a person to look at. It is as long as the disk, with holes.
    pub fn save(&self, to: &Path) -> Result<(), LabError> {
        let copy = || -> io::Result<()> {
            let (from, to) = (File::open(&self.path)?, File::create(to)?);
            let size = from.metadata()?.len();
            to.set_len(size)?;
            let mut bytes = vec![0; 1 << 20];
            for offset in (0..size).step_by(bytes.len()) {
                let length = bytes.len().min((size - offset) as usize); // at most 1 MiB
                from.read_exact_at(&mut bytes[..length], offset)?;
                if bytes[..length].iter().any(|byte| *byte != 0) {
                    to.write_all_at(&bytes[..length], offset)?;
                }
            }
            Ok(())
        };
        copy().map_err(failed(&format!("copying an image to {}", to.display())))
    }
}

fn apply(order: &Order, file: &File) -> io::Result<()> {
    match order {
        Order::Write(offset, bytes) => file.write_all_at(bytes, *offset),
        Order::Zero(offset, length) => zero(file, *offset, *length),
        Order::Flush => Ok(()),
    }
}

/// Blocks that differ from the base; `None` is zeros.
#[derive(Debug)]
struct Layer {
    base: Arc<File>,
    blocks: Mutex<HashMap<u64, Option<Box<[u8; BLOCK]>>>>,
}

impl Layer {
    fn apply(&self, entries: &[Entry], seed: u64, policy: Policy) -> io::Result<()> {
        let mut dice = Dice(seed);
        // Drawn once an image, so that there are some with nearly all and some with nearly nothing.
        let kept = 1 + dice.below(8);
        for entry in entries {
            let fate = match policy {
                Policy::Kept => Fate::Kept,
                Policy::Dropped => Fate::Dropped,
                Policy::Torn if dice.below(4) == 0 => Fate::Torn,
                Policy::Torn if dice.below(10) < kept => Fate::Kept,
                Policy::Torn => Fate::Dropped,
            };
            match (&entry.order, fate) {
                (Order::Flush, _) | (_, Fate::Dropped) => {}
                (Order::Write(offset, bytes), Fate::Kept) => self.write(*offset, bytes)?,
                (Order::Write(offset, bytes), Fate::Torn) => self.tear(*offset, bytes, &mut dice)?,
                // A discard is one order to the disk, whatever its length.
                (Order::Zero(offset, length), Fate::Kept | Fate::Torn) => self.zero(*offset, *length)?,
            }
        }
        Ok(())
    }

    /// Writes some sectors: the first few, or any.
    fn tear(&self, offset: u64, bytes: &[u8], dice: &mut Dice) -> io::Result<()> {
        let sectors = bytes.len().div_ceil(SECTOR) as u64;
        let first = (dice.below(2) == 0).then(|| dice.below(sectors + 1));
        for (number, sector) in (0..).zip(bytes.chunks(SECTOR)) {
            if first.map_or_else(|| dice.below(2) == 0, |first| number < first) {
                self.write(offset + number * SECTOR as u64, sector)?;
            }
        }
        Ok(())
    }
}

#[derive(Clone, Copy)]
enum Fate {
    Kept,
    Dropped,
    Torn,
}

/// The parts of a range by blocks: the block's number, where in it, and where in the range.
fn parts(offset: u64, length: usize) -> impl Iterator<Item = (u64, std::ops::Range<usize>, usize)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        let at = offset + done as u64;
        let start = (at % BLOCK as u64) as usize; // below 4096
        let taken = (BLOCK - start).min(length - done);
        let part = (at / BLOCK as u64, start..start + taken, done);
        done += taken;
        (taken > 0).then_some(part)
    })
}

impl Store for Layer {
    fn read(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        self.base.read_exact_at(bytes, offset)?;
        let blocks = lock(&self.blocks);
        for (number, inside, at) in parts(offset, bytes.len()) {
            let part = &mut bytes[at..at + inside.len()];
            match blocks.get(&number) {
                Some(Some(block)) => part.copy_from_slice(&block[inside]),
                Some(None) => part.fill(0),
                None => {}
            }
        }
        Ok(())
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut blocks = lock(&self.blocks);
        for (number, inside, at) in parts(offset, bytes.len()) {
            let block = match blocks.entry(number) {
                Slot::Occupied(known) => known.into_mut().get_or_insert_with(|| Box::new([0; BLOCK])),
                Slot::Vacant(new) => {
                    let mut block = Box::new([0; BLOCK]);
                    if inside.len() < BLOCK {
                        self.base.read_exact_at(&mut block[..], number * BLOCK as u64)?;
                    }
                    new.insert(None).insert(block)
                }
            };
            block[inside.clone()].copy_from_slice(&bytes[at..at + inside.len()]);
        }
        Ok(())
    }

    fn zero(&self, offset: u64, length: u64) -> io::Result<()> {
        let end = offset + length;
        let whole = offset.next_multiple_of(BLOCK as u64)..end / BLOCK as u64 * BLOCK as u64;
        if whole.start >= whole.end {
            return self.write(offset, &vec![0; length as usize]); // less than two blocks
        }
        self.write(offset, &vec![0; (whole.start - offset) as usize])?; // less than a block
        self.write(whole.end, &vec![0; (end - whole.end) as usize])?; // the same
        let numbers = whole.start / BLOCK as u64..whole.end / BLOCK as u64;
        lock(&self.blocks).extend(numbers.map(|number| (number, None)));
        Ok(())
    }

    fn flush(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(base: &[u8]) -> Layer {
        let file = memory(base.len() as u64).unwrap();
        file.write_all_at(base, 0).unwrap();
        Layer { base: Arc::new(file), blocks: Mutex::default() }
    }

    fn content(layer: &Layer, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        layer.read(0, &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn a_layer_is_a_disk_that_leaves_its_base_alone() {
        let base: Vec<u8> = (0..5 * BLOCK).map(|at| at as u8).collect();
        let layer = layer(&base);
        let mut expected = base.clone();
        let mut dice = Dice(3);
        for round in 0..500u64 {
            let offset = dice.below(expected.len() as u64) as usize;
            let length = dice.below((expected.len() - offset) as u64 + 1) as usize;
            if round % 3 == 0 {
                layer.zero(offset as u64, length as u64).unwrap();
                expected[offset..offset + length].fill(0);
            } else {
                layer.write(offset as u64, &vec![round as u8; length]).unwrap();
                expected[offset..offset + length].fill(round as u8);
            }
            assert!(content(&layer, expected.len()) == expected, "round {round}");
        }
        let mut below = vec![0; base.len()];
        layer.base.read_exact_at(&mut below, 0).unwrap();
        assert!(below == base);
    }

    #[test]
    fn what_was_not_flushed_is_kept_dropped_or_torn_by_whole_sectors() {
        let write =
            |at: u64| Entry { at: 0, order: Order::Write(at * 4096, vec![at as u8 + 1; 4096].into()) };
        let entries: Vec<Entry> = (0..16).map(write).collect();
        let length = 16 * 4096;
        let made = |seed, policy| {
            let layer = layer(&vec![0; length]);
            layer.apply(&entries, seed, policy).unwrap();
            content(&layer, length)
        };
        assert!(made(1, Policy::Kept).iter().all(|byte| *byte > 0));
        assert!(made(1, Policy::Dropped).iter().all(|byte| *byte == 0));
        assert!(made(1, Policy::Torn) == made(1, Policy::Torn), "one seed, two images");
        let (mut whole, mut none, mut torn, mut few, mut many) = (0, 0, 0, 0, 0);
        for seed in 0..200 {
            let image = made(seed, Policy::Torn);
            assert!(image.chunks(SECTOR).all(|sector| sector.iter().all(|byte| *byte == sector[0])));
            for (block, written) in image.chunks(4096).zip(1u8..) {
                match block.chunks(SECTOR).filter(|sector| sector[0] == written).count() {
                    0 => none += 1,
                    8 => whole += 1,
                    _ => torn += 1,
                }
            }
            let there = image.iter().filter(|byte| **byte > 0).count();
            few += usize::from(there < length / 4);
            many += usize::from(there > length * 3 / 4);
        }
        assert!(whole > 500 && none > 500 && torn > 300, "{whole} whole, {none} dropped, {torn} torn");
        assert!(few > 10 && many > 5, "{few} images with nearly nothing, {many} with nearly all");
    }
}
