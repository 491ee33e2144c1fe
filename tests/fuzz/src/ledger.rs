//! A month of a ledger in memory: damage costs no more than itself, and whatever the records say, the account of what is missing
//! adds up.

use holdfast::coverage::{Fold, Window};
use holdfast_wire::frame::{self, Frame, Frames, MAX_FRAME, Tail};
use holdfast_wire::ledger::Record;
use holdfast_wire::time::Wall;

/// Reads a ledger, as bytes and as what they come to.
pub fn run(data: &[u8]) {
    bytes(data);
    let ledger = written(data);
    bytes(&ledger);
    let mut fold = Fold::default();
    let mut last = None;
    for entry in Frames::new(&ledger) {
        if let Frame::Record(record) = entry {
            fold.take(&record);
            last = Some(record);
        }
    }
    let windows = [
        Window::default(),
        Window { live: Some(Wall::from_secs(1_700_000_100)), ..Window::default() },
        Window {
            since: Some(Wall::from_secs(1_700_000_010)),
            until: Some(Wall::from_secs(1_700_000_050)),
            live: None,
        },
    ];
    for window in windows {
        for report in fold.report(window) {
            // Sums of times beyond every calendar are cut, and do not add up any more.
            if report.owed_micros > i64::MAX / 4 {
                continue;
            }
            let sum = report.durable_micros + report.missing_micros() + report.deleted_micros();
            assert_eq!(sum, report.owed_micros, "{report:?} after {last:?}");
            assert!(report.durable_micros >= 0 && report.missing_micros() >= 0, "{report:?}");
            assert!(report.gaps.iter().all(|gap| gap.span.from < gap.span.to), "{report:?}");
            assert!(report.gaps.windows(2).all(|two| two[0].span.to <= two[1].span.from), "{report:?}");
            assert!(report.millipercent().is_none_or(|share| (0..=100_000).contains(&share)), "{report:?}");
        }
    }
}

fn bytes(data: &[u8]) {
    let mut frames = Frames::new(data);
    let all: Vec<Frame> = frames.by_ref().collect();
    let good = frames.good_end();
    assert!(good <= data.len());
    match frames.tail() {
        Tail::Clean => assert_eq!(good, data.len()),
        Tail::Torn { bytes } | Tail::Padded { bytes } | Tail::Damaged { bytes } => {
            assert_eq!(good + bytes, data.len())
        }
    }
    // What a repair leaves is what was good, and needs no repair.
    let mut kept = Frames::new(&data[..good]);
    let count = kept.by_ref().count();
    assert_eq!((kept.tail(), kept.good_end()), (Tail::Clean, good));
    assert!(all.iter().skip(count).all(|frame| matches!(frame, Frame::Damaged { .. })), "{all:?}");
}

/// Records one after the other, without frames and sums: those are made here, or no change would come through them. What is no
/// record stands between them as damage.
pub fn written(data: &[u8]) -> Vec<u8> {
    let (mut rest, mut ledger) = (data, Vec::new());
    while !rest.is_empty() {
        match postcard::take_from_bytes::<Record>(rest) {
            Ok((record, behind)) => {
                let mut buffer = [0; MAX_FRAME];
                ledger.extend_from_slice(
                    frame::encode(&record, &mut buffer).expect("every record fits a frame"),
                );
                rest = behind;
            }
            Err(_) => {
                ledger.push(rest[0]);
                rest = &rest[1..];
            }
        }
    }
    ledger
}
