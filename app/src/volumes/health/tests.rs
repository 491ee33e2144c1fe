//! Answers of smartctl, cut to what matters, and what they come to.

use super::*;
use tempfile::tempdir;

/// An ATA disk with these raw values.
fn ata(passed: bool, attributes: &[(u64, u64)]) -> Vec<u8> {
    let table: Vec<Value> = attributes
        .iter()
        .map(|(id, raw)| {
            serde_json::json!({
                "id": id, "name": "x", "value": 100, "worst": 100, "thresh": 10, "when_failed": "",
                "raw": {"value": raw, "string": raw.to_string()}
            })
        })
        .collect();
    let answer = serde_json::json!({
        "json_format_version": [1, 0],
        "smartctl": {"version": [7, 3], "argv": ["smartctl"], "exit_status": 0},
        "device": {"name": "/dev/sda", "type": "sat", "protocol": "ATA"},
        "model_name": "Disk 4000", "serial_number": "Z1",
        "smart_status": {"passed": passed},
        "ata_smart_attributes": {"revision": 10, "table": table},
        "power_on_time": {"hours": 12345},
        "temperature": {"current": 38}
    });
    serde_json::to_vec(&answer).unwrap()
}

fn nvme(passed: bool, warning: u64, used: u64, errors: u64) -> Vec<u8> {
    let answer = serde_json::json!({
        "device": {"name": "/dev/nvme0", "type": "nvme", "protocol": "NVMe"},
        "smart_status": {"passed": passed, "nvme": {"value": warning}},
        "nvme_smart_health_information_log": {
            "critical_warning": warning, "temperature": 41, "available_spare": 100,
            "available_spare_threshold": 10, "percentage_used": used, "media_errors": errors
        },
        "temperature": {"current": 41}
    });
    serde_json::to_vec(&answer).unwrap()
}

/// What smartctl says of a bridge that it does not know.
const UNKNOWN_BRIDGE: &str = r#"{"smartctl": {"version": [7, 3], "messages": [
    {"string": "/dev/sdb: Unknown USB bridge [0x1234:0x5678 (0x100)]", "severity": "error"}], "exit_status": 1}}"#;

const STANDBY: &str = r#"{"smartctl": {"version": [7, 3], "messages": [
    {"string": "Device is in STANDBY mode, exit(2)", "severity": "information"}], "exit_status": 2},
    "device": {"name": "/dev/sda", "type": "sat"}}"#;

#[test]
fn what_disks_say_comes_to_good_worn_or_failing() {
    use Health::{Failing, Good, Worn};
    for (case, json, exit, expected) in [
        ("a good disk", ata(true, &[(5, 0), (187, 0), (197, 0), (198, 0)]), 0, Some(Good)),
        ("a good one that tells no counters", ata(true, &[]), 0, Some(Good)),
        ("reallocated sectors", ata(true, &[(5, 8)]), 0, Some(Worn)),
        ("uncorrected errors", ata(true, &[(187, 1)]), 0, Some(Worn)),
        ("pending sectors", ata(true, &[(5, 0), (197, 2)]), 0, Some(Worn)),
        ("unreadable sectors", ata(true, &[(198, 3)]), 0, Some(Worn)),
        ("other counters do not count", ata(true, &[(1, 9), (9, 12345), (199, 40)]), 0, Some(Good)),
        ("a vendor's upper bytes do not count", ata(true, &[(5, 7 << 32)]), 0, Some(Good)),
        ("it was past a limit once", ata(true, &[(5, 0)]), 1 << 5, Some(Worn)),
        ("it is past a limit", ata(true, &[(5, 0)]), 1 << 4, Some(Failing)),
        ("it fails", ata(false, &[(5, 900)]), 1 << 3, Some(Failing)),
        ("it fails, by the exit code alone", b"{}".to_vec(), 1 << 3, Some(Failing)),
        ("a log with old errors does not count", ata(true, &[(5, 0)]), 1 << 6, Some(Good)),
        ("a good NVMe disk", nvme(true, 0, 3, 0), 0, Some(Good)),
        ("a hot one", nvme(false, 0b10, 3, 0), 1 << 3, Some(Good)),
        ("its spare is used up", nvme(false, 0b1, 80, 0), 1 << 3, Some(Worn)),
        ("its life is used up", nvme(true, 0, 100, 0), 0, Some(Worn)),
        ("media errors", nvme(true, 0, 3, 1), 0, Some(Worn)),
        ("not to be relied on", nvme(false, 0b100, 3, 0), 1 << 3, Some(Failing)),
        ("read-only", nvme(false, 0b1000, 3, 0), 1 << 3, Some(Failing)),
        ("a bridge that is not known", UNKNOWN_BRIDGE.as_bytes().to_vec(), 1, None),
        ("a virtual disk", b"{\"device\": {\"name\": \"/dev/vda\"}}".to_vec(), 4, None),
    ] {
        assert_eq!(Facts::read(&json, exit).unwrap().health(), expected, "{case}");
    }
}

#[test]
fn a_sleeping_disk_is_told_from_one_that_says_nothing() {
    assert_eq!(answer(STANDBY.as_bytes(), 2), Asked::Asleep);
    assert_eq!(answer(UNKNOWN_BRIDGE.as_bytes(), 1), Asked::Answered(Facts::default()));
    assert!(matches!(answer(b"smartctl 7.3 2022-02-28", 1), Asked::Unasked(_)));
    assert_eq!(HealthReport::of("sda", &Asked::Asleep, 1), None, "what is known of it still holds");
}

#[test]
fn a_report_is_read_back_and_says_its_reasons() {
    let place = tempdir().unwrap();
    let directory = place.path().join("health");
    assert_eq!(HealthReport::read(&directory, "sda1").unwrap(), None);
    for (case, asked, health, words) in [
        (
            "worn",
            Facts::read(&ata(true, &[(5, 8), (197, 2)]), 0).map(Asked::Answered).unwrap(),
            Some(Health::Worn),
            "sda1 shows signs of wear: 8 reallocated sectors, 2 pending sectors",
        ),
        (
            "failing",
            Facts::read(&ata(false, &[]), 8).map(Asked::Answered).unwrap(),
            Some(Health::Failing),
            "sda1 is failing, replace it: it says of itself that it fails",
        ),
        ("silent", Asked::Answered(Facts::default()), None, "sda1 says nothing of its health"),
        ("no smartctl", Asked::NoProgram, None, "smartctl is not installed"),
    ] {
        let report = HealthReport::of("sda1", &asked, 7).unwrap();
        report.write(&directory).unwrap();
        assert_eq!(HealthReport::read(&directory, "sda1").unwrap(), Some(report.clone()), "{case}");
        assert_eq!(report.health, health, "{case}");
        assert!(report.text.starts_with(words), "{case}: {}", report.text);
    }
}
