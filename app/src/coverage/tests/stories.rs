//! What each kind of past looks like in the account of camera `a`.

use super::*;
use Cause::{ClockStepped, Crashed, Lost, PowerLost, RingOverflow, Starting, Stopped, Unknown};
use holdfast_wire::cause::Failure;
use holdfast_wire::time::Span;

const REFUSED: Cause = Cause::Camera(Failure::Refused);
const STALLED: Cause = Cause::Camera(Failure::Stalled);

type Gaps = Vec<(i64, i64, Cause)>;

#[test]
fn every_missing_second_has_its_cause() {
    let mut cases: Vec<(&str, Vec<Vec<Record>>, i64, Gaps)> = vec![];
    let mut case = |text, records, durable, gaps| cases.push((text, records, durable, gaps));
    let whole = |sequence, from, to| segment("a", sequence, from, to).to_vec();

    case("footage without a hole", vec![whole(1, 0, 60), whole(2, 60, 120)], 120, vec![]);
    case(
        "connecting after the start",
        vec![vec![configured("a", 0)], whole(1, 2, 60)],
        58,
        vec![(0, 2, Starting)],
    );
    case(
        "a recorded gap",
        vec![whole(1, 0, 60), vec![gap("a", 60, 70, REFUSED)], whole(2, 70, 80)],
        70,
        vec![(60, 70, REFUSED)],
    );
    case(
        "a gap whose cause changed is told in two",
        vec![whole(1, 0, 60), vec![gap("a", 60, 70, STALLED), gap("a", 70, 75, REFUSED)], whole(2, 75, 80)],
        65,
        vec![(60, 70, STALLED), (70, 75, REFUSED)],
    );
    case(
        "a gap recorded inside a segment is not durable",
        vec![vec![open("a", 1, 0), gap("a", 20, 25, RingOverflow), closed("a", 1, at(60))]],
        55,
        vec![(20, 25, RingOverflow)],
    );
    case("a hole that nobody recorded", vec![whole(1, 0, 60), whole(2, 65, 70)], 65, vec![(60, 65, Unknown)]);
    case(
        "an opened gap holds until footage comes again",
        vec![whole(1, 0, 60), vec![gap_opened("a", 60, REFUSED)], whole(2, 70, 80), whole(3, 85, 90)],
        75,
        vec![(60, 70, REFUSED), (80, 85, Unknown)],
    );
    case(
        "a whole gap says more than the opened one before it",
        vec![
            whole(1, 0, 60),
            vec![gap_opened("a", 60, STALLED), gap("a", 60, 70, REFUSED)],
            whole(2, 70, 80),
        ],
        70,
        vec![(60, 70, REFUSED)],
    );
    case(
        "stopped and started again",
        vec![whole(1, 0, 60), vec![ended(1, 61), started(2, 1, 100)], whole(2, 103, 110)],
        67,
        vec![(60, 100, Stopped), (100, 103, Starting)],
    );
    case(
        "killed and started again in the same boot",
        vec![whole(1, 0, 60), vec![started(2, 1, 100)], whole(2, 103, 110)],
        67,
        vec![(60, 100, Crashed), (100, 103, Starting)],
    );
    case(
        "power cut",
        vec![whole(1, 0, 60), vec![started(2, 2, 100)], whole(2, 103, 110)],
        67,
        vec![(60, 100, PowerLost), (100, 103, Starting)],
    );
    case(
        "a session in which the camera never came",
        vec![
            whole(1, 0, 60),
            vec![ended(1, 60), started(2, 1, 70), ended(2, 80), started(3, 1, 90)],
            whole(2, 90, 99),
        ],
        69,
        vec![(60, 70, Stopped), (70, 80, Starting), (80, 90, Stopped)],
    );
    case(
        "the camera was down when the power went: each has its part",
        vec![
            whole(1, 0, 60),
            vec![gap_opened("a", 60, REFUSED)],
            segment("b", 2, 0, 80).to_vec(),
            vec![started(2, 2, 100), gap("a", 60, 100, PowerLost)],
            whole(3, 100, 110),
        ],
        70,
        vec![(60, 80, REFUSED), (80, 100, PowerLost)],
    );
    case(
        "the ledger was rebuilt in between: how the session ended is not known",
        vec![
            whole(1, 0, 60),
            vec![Record::Rebuilt { at: at(70), segments: 1 }, started(2, 2, 100)],
            whole(2, 100, 110),
        ],
        70,
        vec![(60, 100, Unknown)],
    );
    let step = |seconds, by: i64| Record::ClockStepped { at: at(seconds), by_micros: by * 1_000_000 };
    case(
        "the clock was set forward",
        vec![whole(1, 0, 60), vec![step(160, 100)], whole(2, 160, 170)],
        70,
        vec![(60, 160, ClockStepped)],
    );
    case(
        "the clock was set back: footage twice over the same time counts once",
        vec![whole(1, 0, 60), vec![step(30, -30)], whole(2, 30, 90)],
        90,
        vec![],
    );
    case(
        "taken out and configured again: nothing is owed in between",
        vec![
            whole(1, 0, 60),
            vec![Record::CameraRemoved { at: at(60), camera: name("a") }, configured("a", 100)],
            whole(2, 105, 110),
        ],
        65,
        vec![(100, 105, Unknown)],
    );
    case(
        "an empty segment covers nothing",
        vec![
            whole(1, 0, 60),
            vec![
                open("a", 2, 60),
                Record::SegmentClosed(SegmentClosed {
                    sequence: 2,
                    camera: name("a"),
                    end: at(60),
                    frames: 0,
                    bytes: 0,
                    ending: Ending::Recovered,
                }),
                gap("a", 60, 63, Lost),
            ],
            whole(3, 63, 70),
        ],
        67,
        vec![(60, 63, Lost)],
    );

    for (text, records, durable, expected) in cases {
        let records = [vec![started(1, 1, 0)], records.concat()].concat();
        let report = account(&records, Window::default());
        assert_eq!(gaps(&report), expected, "{text}");
        assert_eq!(report.durable_micros, durable * 1_000_000, "{text}");
        assert_eq!(report.durable_micros + report.missing_micros(), report.owed_micros, "{text}");
    }
}

#[test]
fn jitter_of_up_to_100_ms_between_segments_is_covered_and_a_microsecond_more_is_a_gap() {
    for (micros, covered) in [(1, true), (99_999, true), (100_000, true), (100_001, false)] {
        let early = Wall(at(60).0 - micros);
        let mut records = vec![started(1, 1, 0), open("a", 1, 0), closed("a", 1, early)];
        records.extend(segment("a", 2, 60, 120));
        let report = account(&records, Window::default());
        assert_eq!(report.gaps.is_empty(), covered, "{micros} µs");
        // Cutting the window through the hole does not change what it is.
        let window = Window { until: Some(Wall(at(60).0 - micros / 2)), ..Window::default() };
        assert_eq!(account(&records, window).gaps.is_empty(), covered, "{micros} µs, cut");
    }
}

#[test]
fn a_recorded_gap_is_told_however_short_it_is() {
    let early = Wall(at(60).0 - 40_000);
    let mut records = vec![started(1, 1, 0), open("a", 1, 0), closed("a", 1, early)];
    records.push(Record::Gap(Gap { camera: name("a"), span: Span::new(early, at(60)), cause: Lost }));
    records.extend(segment("a", 2, 60, 120));
    assert_eq!(account(&records, Window::default()).missing_micros(), 40_000);
}

#[test]
fn without_an_end_each_camera_is_owed_as_far_as_the_ledger_knows_of_it() {
    let mut records = vec![started(1, 1, 0), configured("a", 0), configured("b", 0), configured("c", 0)];
    records.extend(segment("a", 1, 0, 60));
    records.extend(segment("b", 2, 0, 90));
    records.push(gap_opened("b", 90, REFUSED));
    records.extend(segment("a", 3, 60, 100));
    let reports = fold(&records).report(Window::default());
    let ends: Vec<i64> =
        reports.iter().map(|report| report.span.to.micros_since(at(0)) / 1_000_000).collect();
    assert_eq!(ends, [100, 100, 100], "a by its footage, b and c by the last word");
    assert_eq!(gaps(&reports[0]), []);
    assert_eq!(gaps(&reports[1]), [(90, 100, REFUSED)]);
    assert_eq!(gaps(&reports[2]), [(0, 100, Starting)]);
}

#[test]
fn a_camera_that_was_down_when_the_recorder_was_stopped_is_owed_until_then() {
    let mut records = vec![started(1, 1, 0)];
    records.extend(segment("a", 1, 0, 60));
    records.push(gap_opened("a", 60, REFUSED));
    records.push(ended(1, 300));
    assert_eq!(gaps(&account(&records, Window::default())), [(60, 300, REFUSED)]);
    records.insert(4, gap("a", 60, 300, REFUSED));
    assert_eq!(gaps(&account(&records, Window::default())), [(60, 300, REFUSED)], "told as a whole gap");
}

#[test]
fn while_a_recorder_is_at_work_a_gap_grows_until_now() {
    let mut records = vec![started(1, 1, 0)];
    records.extend(segment("a", 1, 0, 60));
    records.push(gap_opened("a", 60, REFUSED));
    assert_eq!(gaps(&account(&records, Window::default())), []);
    let live = Window { live: Some(at(500)), ..Window::default() };
    assert_eq!(gaps(&account(&records, live)), [(60, 500, REFUSED)]);
}

#[test]
fn a_window_cuts_what_is_told() {
    let mut records = vec![started(1, 1, 0)];
    records.extend(segment("a", 1, 0, 60));
    records.push(gap("a", 60, 70, REFUSED));
    records.extend(segment("a", 2, 70, 80));
    records.push(ended(1, 80));
    let window = |since, until| Window { since: Some(at(since)), until: Some(at(until)), live: None };
    let report = account(&records, window(65, 100));
    assert_eq!(gaps(&report), [(65, 70, REFUSED), (80, 100, Stopped)]);
    assert_eq!((report.owed_micros, report.durable_micros), (35_000_000, 10_000_000));
    let before = account(&records, window(-50, 30));
    assert_eq!(
        (before.span.from, before.millipercent()),
        (at(0), Some(100_000)),
        "not owed before it was known"
    );
    assert_eq!(account(&records, window(-50, -20)).millipercent(), None);
}

#[test]
fn percent_never_reaches_100_while_a_microsecond_is_missing() {
    let records = [started(1, 1, 0), open("a", 1, 0), closed("a", 1, at(86_400 * 365))];
    let mut report = account(&records, Window::default());
    assert_eq!(report.millipercent(), Some(100_000));
    report.durable_micros -= 1;
    assert_eq!(report.millipercent(), Some(99_999));
}

#[test]
fn times_beyond_every_calendar_are_cut_and_break_nothing() {
    let camera = name("a");
    let forged = [
        Record::CameraConfigured { at: Wall(i64::MIN), camera: camera.clone() },
        gap("a", 0, 10, REFUSED),
        open("a", 1, 20),
        closed("a", 1, Wall(i64::MAX - 1)),
        Record::Gap(Gap { camera, span: Span::new(at(30), Wall(i64::MAX)), cause: STALLED }),
    ];
    let report = account(&forged, Window::default());
    assert_eq!(report.missing_micros(), i64::MAX, "{report:?}");
}
