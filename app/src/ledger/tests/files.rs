//! The ledger's files: months, pieces, torn tails.

use super::fake::{Place, at, name};
use crate::ledger::read::{self, Trouble};
use crate::ledger::{LedgerWriter, Problem};
use crate::volumes::layout;
use holdfast_wire::ledger::{Record, Repaired};
use holdfast_wire::time::Wall;
use std::fs;
use std::path::PathBuf;

const DAY: i64 = 86_400;

fn record(number: i64) -> Record {
    Record::ClockStepped { at: at(0), by_micros: number }
}

fn file(place: &Place, month: &str) -> PathBuf {
    layout::ledger(place.root()).join(month)
}

fn write(place: &Place, records: &[(i64, Record)]) {
    place.open();
    let (mut writer, _) = LedgerWriter::open(place.root(), at(0)).unwrap();
    records.iter().for_each(|(seconds, record)| writer.append(at(*seconds), record).unwrap());
    writer.sync().unwrap();
}

#[test]
fn a_volume_without_a_ledger_reads_as_empty() {
    let place = Place::new();
    assert_eq!(place.all(), (vec![], vec![]));
    assert!(!layout::home(place.root()).exists(), "reading makes nothing");
}

#[test]
fn records_are_gathered_until_they_are_written() {
    let place = Place::new();
    place.open();
    let (mut writer, _) = LedgerWriter::open(place.root(), at(0)).unwrap();
    writer.append(at(0), &record(1)).unwrap();
    assert!(!writer.is_written());
    assert_eq!(place.records(), []);
    writer.sync().unwrap();
    assert!(writer.is_written());
    assert_eq!(place.records(), [record(1)]);
}

#[test]
fn each_month_has_its_file_and_they_are_read_in_order() {
    let place = Place::new();
    let configured = Record::CameraConfigured { at: at(0), camera: name("entrance") };
    write(&place, &[(0, record(1)), (0, configured.clone()), (20 * DAY, record(2)), (60 * DAY, record(3))]);
    let months: Vec<_> = read::months(place.root()).unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(months, ["2023-11", "2023-12", "2024-01"]);
    assert_eq!(place.records(), [record(1), configured, record(2), record(3)]);
}

#[test]
fn a_clock_set_back_does_not_go_back_a_month() {
    let place = Place::new();
    write(&place, &[(20 * DAY, record(1)), (0, record(2))]);
    write(&place, &[(0, record(3))]);
    assert_eq!(place.records(), [record(1), record(2), record(3)]);
    assert!(file(&place, "2023-11").exists() && file(&place, "2023-12").exists());
    assert_eq!(fs::metadata(file(&place, "2023-11")).unwrap().len(), 0);
}

#[test]
fn a_file_longer_than_a_piece_is_read_whole_and_damage_in_it_costs_one_record() {
    let place = Place::new();
    let written: Vec<Record> = (0..20_000).map(record).collect();
    write(&place, &written.iter().map(|record| (0, record.clone())).collect::<Vec<_>>());
    assert!(fs::metadata(file(&place, "2023-11")).unwrap().len() > 4 * 64 * 1024);
    assert!(place.all() == (written.clone(), vec![]), "20,000 records come back");

    // In the middle of each of several pieces, and on both sides of their borders.
    for offset in [70_000, 65_535, 65_536, 131_072, 200_001] {
        let path = file(&place, "2023-11");
        let good = fs::read(&path).unwrap();
        let mut bytes = good.clone();
        bytes[offset] = if bytes[offset] == 0 { 1 } else { bytes[offset] ^ 0x55 };
        fs::write(&path, &bytes).unwrap();
        let (records, problems) = place.all();
        assert!((1..=2).contains(&(written.len() - records.len())), "byte {offset}: {}", records.len());
        let [Problem { what: Trouble::Damaged { offset: told, bytes: len }, .. }] = problems[..] else {
            panic!("byte {offset}: {problems:?}");
        };
        assert!((told..=told + len).contains(&(offset as u64)), "byte {offset} told as {told}+{len}");
        fs::write(&path, &good).unwrap();
    }
}

#[test]
fn a_run_without_zeros_is_damage_and_what_follows_is_still_read() {
    let place = Place::new();
    write(&place, &[(0, record(1))]);
    let path = file(&place, "2023-11");
    let first = fs::read(&path).unwrap();
    let mut bytes = first.clone();
    bytes.extend(std::iter::repeat_n(0xAA, 300_000));
    bytes.push(0);
    bytes.extend(&first);
    fs::write(&path, &bytes).unwrap();
    let (records, problems) = place.all();
    assert_eq!(records, [record(1), record(1)]);
    let damaged: u64 = problems
        .iter()
        .map(|problem| match problem.what {
            Trouble::Damaged { bytes, .. } => bytes,
            Trouble::Unknown { .. } | Trouble::Torn { .. } | Trouble::Unreadable(_) => panic!("{problem}"),
        })
        .sum();
    assert_eq!(damaged, 300_000);
}

#[test]
fn a_torn_tail_is_told_by_a_reader_and_mended_by_the_next_writer_at_every_length() {
    let whole = Place::new();
    write(&whole, &[(0, record(1)), (0, record(2)), (0, record(3))]);
    let bytes = fs::read(file(&whole, "2023-11")).unwrap();
    let second = bytes.iter().position(|byte| *byte == 0).unwrap() + 1;
    let third = second + bytes[second..].iter().position(|byte| *byte == 0).unwrap() + 1;
    for cut in third + 1..bytes.len() {
        let place = Place::new();
        write(&place, &[]);
        let path = file(&place, "2023-11");
        fs::write(&path, &bytes[..cut]).unwrap();
        let torn = (cut - third) as u64;
        let told = Problem { file: path.clone(), what: Trouble::Torn { bytes: torn } };
        assert_eq!(place.all(), (vec![record(1), record(2)], vec![told]), "cut at {cut}");
        assert_eq!(fs::read(&path).unwrap().len(), cut, "reading does not mend");

        let (mut writer, mended) = LedgerWriter::open(place.root(), at(7)).unwrap();
        writer.append(at(7), &record(4)).unwrap();
        writer.sync().unwrap();
        assert_eq!(mended, torn);
        let repaired = Record::Repaired(Repaired::LedgerTail { at: at(7), bytes: torn });
        assert_eq!(place.all(), (vec![record(1), record(2), repaired, record(4)], vec![]), "cut at {cut}");
    }
}

#[test]
fn zeros_that_a_power_cut_left_behind_the_last_record_are_cut_too() {
    let place = Place::new();
    write(&place, &[(0, record(1))]);
    let path = file(&place, "2023-11");
    let mut bytes = fs::read(&path).unwrap();
    bytes.resize(bytes.len() + 100_000, 0);
    fs::write(&path, &bytes).unwrap();
    assert_eq!(place.all().1.len(), 1);
    let (mut writer, mended) = LedgerWriter::open(place.root(), at(1)).unwrap();
    writer.sync().unwrap();
    assert_eq!(mended, 100_000);
    assert_eq!(place.all().1, []);
}

#[test]
fn damage_in_the_middle_is_never_cut() {
    let place = Place::new();
    write(&place, &[(0, record(1)), (0, record(2)), (0, record(3))]);
    let path = file(&place, "2023-11");
    let mut bytes = fs::read(&path).unwrap();
    bytes[3] ^= 0x10;
    fs::write(&path, &bytes).unwrap();
    let (_, mended) = LedgerWriter::open(place.root(), Wall(0)).unwrap();
    assert_eq!(mended, 0);
    assert_eq!(fs::read(&path).unwrap(), bytes);
    assert_eq!(place.records(), [record(2), record(3)]);
}
