//! `holdfast coverage` on a directory.

use super::*;
use crate::coverage::{CoverageArgs, CoverageError, run};
use crate::ledger::Outcome;
use crate::ledger::tests::fake::{Fake, Place, header};
use crate::volumes::layout;
use std::fs;

fn args(place: &Place) -> CoverageArgs {
    CoverageArgs {
        volume: place.root().to_owned(),
        cameras: vec![],
        since: None,
        until: None,
        json: false,
        now: at(10_000),
    }
}

fn ask(args: &CoverageArgs) -> (String, Outcome) {
    let mut out = Vec::new();
    let outcome = run(args, &Fake, &mut out).unwrap();
    (String::from_utf8(out).unwrap(), outcome)
}

fn refused(args: &CoverageArgs) -> String {
    run(args, &Fake, &mut Vec::new()).unwrap_err().to_string()
}

/// Camera `entrance` with a gap of 2.88 s, camera `yard` without.
fn place() -> Place {
    let place = Place::new();
    drop(place.open());
    let mut records = vec![started(1, 1, 0)];
    records.extend(segment("yard", 1, 0, 3600));
    records.push(open("entrance", 2, 0));
    records.push(closed("entrance", 2, at(1000)));
    let late = Wall(at(1002).0 + 880_000);
    let span = holdfast_wire::time::Span::new(at(1000), late);
    let cause = Cause::Camera(holdfast_wire::cause::Failure::Stalled);
    records.push(Record::Gap(Gap { camera: name("entrance"), span, cause }));
    let mut resumed = opened("entrance", 3, 0);
    resumed.start = late;
    records.push(Record::SegmentOpened(resumed));
    records.push(closed("entrance", 3, at(3600)));
    records.push(ended(1, 3600));
    place.write(&records);
    place
}

#[test]
fn the_table() {
    let (text, outcome) = ask(&args(&place()));
    let expected = "\
CAMERA           DURABLE         MISSING   COVERAGE         DELETED  AS OF
entrance     0:59:57.120     0:00:02.880   99.920 %               -  2023-11-14T23:13:20.000Z
yard         1:00:00.000     0:00:00.000  100.000 %               -  2023-11-14T23:13:20.000Z

entrance: missing between 2023-11-14T22:13:20.000Z and 2023-11-14T23:13:20.000Z
  2023-11-14T22:30:00.000Z  2023-11-14T22:30:02.880Z    0:00:02.880  camera: connected, but no video arrives
";
    assert_eq!(text, expected);
    assert_eq!(outcome, Outcome::Complete);
}

#[test]
fn the_json_document() {
    let place = place();
    let (text, _) = ask(&CoverageArgs { json: true, cameras: vec!["entrance".into()], ..args(&place) });
    let found: serde_json::Value = serde_json::from_str(&text).unwrap();
    let expected = serde_json::json!({
        "volume": "09090909090909090909090909090909",
        "device": "van-12",
        "since": "2023-11-14T22:13:20.000Z",
        "until": "2023-11-14T23:13:20.000Z",
        "cameras": [{
            "camera": "entrance",
            "since": "2023-11-14T22:13:20.000Z",
            "until": "2023-11-14T23:13:20.000Z",
            "durable_seconds": 3597.12,
            "missing_seconds": 2.88,
            "deleted_seconds": 0.0,
            "fallback_seconds": 0.0,
            "percent": 99.92,
            "gaps": [{
                "from": "2023-11-14T22:30:00.000Z",
                "to": "2023-11-14T22:30:02.880Z",
                "seconds": 2.88,
                "cause": "camera",
                "detail": "camera: connected, but no video arrives",
            }],
        }],
        "problems": [],
    });
    assert_eq!(found, expected);
}

#[test]
fn the_fallback_stream_is_named_where_there_is_any() {
    let place = Place::new();
    drop(place.open());
    let mut records = vec![started(1, 1, 0)];
    records.extend(segment("yard", 1, 0, 3600));
    records.extend(segment("entrance", 2, 0, 600));
    // The way back overlaps by two seconds, and a segment is open.
    records.extend(fallback("entrance", 3, 600, 1202));
    records.extend(segment("entrance", 4, 1200, 3000));
    let mut last = opened("entrance", 5, 3000);
    last.fallback = true;
    records.push(Record::SegmentOpened(last));
    place.write(&records);
    place.segment(&header("entrance", 5, 3000, 1, 1), &[(3000, 3600)]);
    let (text, outcome) = ask(&args(&place));
    let expected = "\
CAMERA           DURABLE         MISSING   COVERAGE         DELETED  AS OF
entrance     1:00:00.000     0:00:00.000  100.000 %               -  2023-11-14T23:13:20.000Z
yard         1:00:00.000     0:00:00.000  100.000 %               -  2023-11-14T23:13:20.000Z

entrance: 0:20:00.000 of what is durable are of its fallback stream
";
    assert_eq!(text, expected);
    assert_eq!(outcome, Outcome::Complete);
    let json = CoverageArgs { json: true, cameras: vec!["entrance".into()], ..args(&place) };
    let found: serde_json::Value = serde_json::from_str(&ask(&json).0).unwrap();
    assert_eq!(found["cameras"][0]["fallback_seconds"], 1200.0);
}

#[test]
fn a_segment_that_is_still_open_counts_as_far_as_it_is_durable() {
    let place = place();
    place.write(&[started(2, 1, 3600), open("yard", 4, 3600)]);
    place.segment(&header("yard", 4, 3600, 2, 1), &[(3600, 3610), (3612, 3620)]);
    let (text, outcome) = ask(&CoverageArgs { cameras: vec!["yard".into()], ..args(&place) });
    assert!(text.contains("yard       1:00:18.000     0:00:02.000   99.944 %"), "{text}");
    assert_eq!(outcome, Outcome::Complete);
}

#[test]
fn reading_a_torn_ledger_tells_it_and_changes_nothing() {
    let place = place();
    let path = layout::ledger(place.root()).join("2023-11");
    let mut bytes = fs::read(&path).unwrap();
    bytes.extend([1, 2, 3]);
    fs::write(&path, &bytes).unwrap();
    let (text, outcome) = ask(&args(&place));
    assert_eq!(outcome, Outcome::Incomplete);
    assert!(text.contains("its last 3 bytes are torn; the recorder mends them at its next start"), "{text}");
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

#[test]
fn a_record_lost_to_damage_is_told_with_the_way_back() {
    let place = Place::new();
    drop(place.open());
    place.write(&[started(1, 1, 0), configured("a", 0), closed("a", 7, at(60))]);
    let (text, outcome) = ask(&args(&place));
    assert_eq!(outcome, Outcome::Incomplete);
    assert!(text.contains("segment 7: the record of its opening is lost"), "{text}");
}

#[test]
fn an_open_segment_that_cannot_be_read_is_told() {
    let place = place();
    place.write(&[started(2, 1, 3600), open("yard", 4, 3600)]);
    let path = place.segment(&header("yard", 4, 3600, 2, 1), &[]);
    fs::write(&path, [99; 200]).unwrap();
    let (text, outcome) = ask(&args(&place));
    assert!(text.contains("counted as empty"), "{text}");
    assert_eq!(outcome, Outcome::Incomplete);
}

#[test]
fn a_volume_on_which_nothing_was_recorded() {
    let place = Place::new();
    drop(place.open());
    assert_eq!(ask(&args(&place)).0, "no camera has been recorded to this volume\n");
}

#[test]
fn what_is_refused_and_how_it_is_said() {
    let place = place();
    let with = |since: Option<i64>, until: Option<i64>, camera: Option<&str>| CoverageArgs {
        since: since.map(Wall::from_secs),
        until: until.map(Wall::from_secs),
        cameras: camera.map(String::from).into_iter().collect(),
        ..args(&place)
    };
    for (asked, said) in [
        (
            with(None, None, Some("door")),
            "camera \"door\" is not in this volume's ledger; it knows entrance, yard".into(),
        ),
        (
            with(Some(1_700_006_400), Some(1_700_002_800), None),
            "--since 2023-11-15T00:00:00.000Z is not before --until 2023-11-14T23:00:00.000Z".to_owned(),
        ),
    ] {
        assert_eq!(refused(&asked), said);
    }
    let nowhere = tempfile::tempdir().unwrap();
    let asked = CoverageArgs { volume: nowhere.path().to_owned(), ..args(&place) };
    assert!(refused(&asked).ends_with("not there: it holds no directory `holdfast`"));
    let result = run(&asked, &Fake, &mut Vec::new());
    assert!(matches!(result, Err(CoverageError::Volume(_))));
}
