//! For every ledger, however wild: what is durable and what is missing add up to what is owed, exactly.

use super::*;
use holdfast_wire::cause::{Failure, Fault};
use holdfast_wire::ids::Name;
use holdfast_wire::ledger::SegmentDeleted;
use holdfast_wire::retention::Rule;
use holdfast_wire::time::Span;
use proptest::prelude::*;

fn wall() -> impl Strategy<Value = Wall> {
    // Mostly within minutes of each other; some a year off, as a clock without a battery gives them.
    prop_oneof![9 => 0..600_000_000i64, 1 => -31_536_000_000_000..31_536_000_000_000i64]
        .prop_map(|micros| Wall(at(0).0 + micros))
}

fn camera() -> impl Strategy<Value = Name> {
    prop_oneof![Just(name("a")), Just(name("b"))]
}

fn cause() -> impl Strategy<Value = Cause> {
    prop_oneof![
        Just(Cause::Lost),
        Just(Cause::Camera(Failure::Stalled)),
        Just(Cause::Volume(Fault::Io)),
        Just(Cause::Crashed)
    ]
}

fn rule() -> impl Strategy<Value = Rule> {
    prop_oneof![Just(Rule::Age), Just(Rule::Space), Just(Rule::EmergencySpace)]
}

fn records() -> impl Strategy<Value = Vec<Record>> {
    let id = |byte: u8| Id128([byte; 16]);
    let short = (wall(), 0..90_000_000i64).prop_map(|(from, length)| Span::new(from, Wall(from.0 + length)));
    let one = prop_oneof![
        1 => (wall(), 0..4u8, 0..2u8).prop_map(move |(at, number, boot)| {
            let mut record = session(number, boot, 0);
            record.at = at;
            vec![Record::SessionStarted(record)]
        }),
        1 => (wall(), 0..4u8).prop_map(move |(at, number)| vec![Record::SessionEnded { at, session: id(number) }]),
        1 => (wall(), camera()).prop_map(|(at, camera)| vec![Record::CameraConfigured { at, camera }]),
        1 => (wall(), camera()).prop_map(|(at, camera)| vec![Record::CameraRemoved { at, camera }]),
        6 => (camera(), short, 0..20u32, 0..3u32, any::<bool>()).prop_map(|(camera, span, sequence, frames, fallback)| {
            let mut record = opened("a", sequence, 0);
            record.fallback = fallback;
            (record.camera, record.start) = (camera.clone(), span.from);
            let ending = Ending::Cut;
            let closed = SegmentClosed { sequence, camera, end: span.to, frames, bytes: 1, ending };
            vec![Record::SegmentOpened(record), Record::SegmentClosed(closed)]
        }),
        3 => (camera(), 0..20u32, wall(), rule()).prop_map(|(camera, sequence, at, rule)| {
            vec![Record::SegmentDeleted(SegmentDeleted { at, sequence, camera, start: at, bytes: 1, rule })]
        }),
        2 => (camera(), wall(), wall(), cause()).prop_map(|(camera, from, to, cause)| {
            vec![Record::Gap(Gap { camera, span: Span::new(from, to), cause })]
        }),
        2 => (wall(), camera(), cause()).prop_map(|(from, camera, cause)| vec![Record::GapOpened { from, camera, cause }]),
        1 => (wall(), -100_000_000..100_000_000i64)
            .prop_map(|(at, by_micros)| vec![Record::ClockStepped { at, by_micros }]),
        1 => wall().prop_map(|at| vec![Record::Rebuilt { at, segments: 1 }]),
    ];
    prop::collection::vec(one, 0..25).prop_map(|records| records.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]
    #[test]
    fn durable_and_gaps_add_up_to_what_is_owed(
        records in records(), since in prop::option::of(wall()), until in prop::option::of(wall()),
        live in prop::option::of(wall()),
    ) {
        let mut segments = 0i64;
        let mut jitter = 0i64;
        let mut start = None;
        for record in &records {
            match record {
                Record::SegmentOpened(opened) => start = Some(opened.start),
                Record::SegmentClosed(closed) if closed.frames > 0 => {
                    segments += Span::new(start.unwrap(), closed.end).micros();
                    jitter += 200_000;
                }
                _ => {}
            }
        }
        for report in fold(&records).report(Window { since, until, live }) {
            prop_assert_eq!(report.durable_micros + report.missing_micros() + report.deleted_micros(), report.owed_micros);
            prop_assert!(report.owed_micros <= report.span.micros());
            prop_assert!((0..=report.durable_micros).contains(&report.fallback_micros));
            let removed = |record: &Record| matches!(record, Record::CameraRemoved { camera, .. } if *camera == report.camera);
            if !records.iter().any(removed) {
                prop_assert_eq!(report.owed_micros, report.span.micros());
            }
            prop_assert!(report.durable_micros <= segments + jitter, "more than was ever stored");
            prop_assert!(report.millipercent().is_none_or(|share| (0..=100_000).contains(&share)));
            prop_assert_eq!(report.millipercent() == Some(100_000), report.owed_micros > report.deleted_micros() && report.missing_micros() == 0);
            for gap in &report.gaps {
                prop_assert!(!gap.span.is_empty() && gap.span.from >= report.span.from && gap.span.to <= report.span.to);
            }
            for pair in report.gaps.windows(2) {
                let joined = pair[0].span.to == pair[1].span.from && pair[0].cause == pair[1].cause;
                prop_assert!(pair[0].span.to <= pair[1].span.from && !joined, "{:?}", pair);
            }
        }
    }
}
