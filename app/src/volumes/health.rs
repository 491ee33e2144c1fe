//! What disks say of themselves (SMART), read from smartctl, told in `/run/holdfast/health/<kernel name>.json`.
//!
//! Words: an **attribute** is a counter of an ATA disk, by its number; its raw value counts events where a vendor keeps to
//! the custom. A disk **says nothing** if it has no SMART, or if its USB bridge does not let it through: that is no fault.
//!
//! smartctl's exit code is a set of bits, and its JSON says more: both are judged here, by [`Facts::health`].

use super::helper::fsck::output_of;
use super::report::{read_json, write_json};
use holdfast_core::event::Health;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// How long smartctl may take. A disk that has to spin up answers in some 10 s; one that does not answer at all would hold the
/// helper, and nobody else.
const DEADLINE: Duration = Duration::from_secs(60);

/// What one disk says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Its own verdict, if it has one.
    pub passed: Option<bool>,
    /// A counter that foretells failure is past its limit now (bit 4 of the exit code).
    pub past_limit: bool,
    /// One was, some time ago (bit 5).
    pub was_past_limit: bool,
    /// Attribute 5: sectors that were replaced by spare ones.
    pub reallocated: Option<u64>,
    /// Attribute 187: errors that could not be corrected.
    pub uncorrected: Option<u64>,
    /// Attribute 197: sectors that could not be read and wait for a write.
    pub pending: Option<u64>,
    /// Attribute 198: sectors that could not be read in a scan.
    pub unreadable: Option<u64>,
    /// NVMe: the warning bits.
    pub critical_warning: Option<u64>,
    /// NVMe: how much of its life is used, in percent; may be above 100.
    pub percentage_used: Option<u64>,
    /// NVMe: errors of the medium.
    pub media_errors: Option<u64>,
    /// Degrees Celsius.
    pub temperature: Option<i64>,
    /// Hours it has run.
    pub power_on_hours: Option<u64>,
}

/// NVMe: it is too hot or too cold. A warning of the moment, not of its health.
const WARNING_TEMPERATURE: u64 = 1 << 1;
/// NVMe: it is not to be relied on any more, or has become read-only.
const WARNING_FAILING: u64 = 1 << 2 | 1 << 3;

impl Facts {
    /// Reads smartctl's JSON and exit code.
    ///
    /// # Errors
    /// It is no JSON of smartctl's.
    pub fn read(json: &[u8], exit: i32) -> Result<Facts, serde_json::Error> {
        let told: Value = serde_json::from_slice(json)?;
        let number = |path: &str| told.pointer(path).and_then(Value::as_u64);
        let attribute = |id: u64| {
            let table = told.pointer("/ata_smart_attributes/table").and_then(Value::as_array)?;
            let row = table.iter().find(|row| row.get("id").and_then(Value::as_u64) == Some(id))?;
            // Six bytes, of which some vendors use the upper ones for other things.
            row.pointer("/raw/value").and_then(Value::as_u64).map(|raw| raw & 0xFFFF_FFFF)
        };
        const NVME: &str = "/nvme_smart_health_information_log";
        let nvme = |name: &str| number(&format!("{NVME}/{name}"));
        let failing = exit & (1 << 3) != 0;
        Ok(Facts {
            passed: told
                .pointer("/smart_status/passed")
                .and_then(Value::as_bool)
                .or(failing.then_some(false)),
            past_limit: exit & (1 << 4) != 0,
            was_past_limit: exit & (1 << 5) != 0,
            reallocated: attribute(5),
            uncorrected: attribute(187),
            pending: attribute(197),
            unreadable: attribute(198),
            critical_warning: nvme("critical_warning"),
            percentage_used: nvme("percentage_used"),
            media_errors: nvme("media_errors"),
            temperature: told.pointer("/temperature/current").and_then(Value::as_i64),
            power_on_hours: number("/power_on_time/hours"),
        })
    }

    /// What they come to; `None` if the disk says nothing.
    pub fn health(&self) -> Option<Health> {
        let warning = self.critical_warning.map(|bits| bits & !WARNING_TEMPERATURE);
        // An NVMe disk "fails" for smartctl as soon as one bit is set, be it the temperature's.
        let fails = match warning {
            Some(bits) => bits & WARNING_FAILING != 0,
            None => self.passed == Some(false),
        };
        if fails || self.past_limit {
            return Some(Health::Failing);
        }
        let counts = [self.reallocated, self.uncorrected, self.pending, self.unreadable, self.media_errors];
        let counted = counts.iter().flatten().any(|count| *count > 0);
        let used_up =
            self.percentage_used.is_some_and(|used| used >= 100) || warning.is_some_and(|bits| bits != 0);
        if counted || used_up || self.was_past_limit {
            return Some(Health::Worn);
        }
        let says = self.passed.is_some() || warning.is_some() || counts.iter().any(Option::is_some);
        says.then_some(Health::Good)
    }

    /// The facts that are reasons for more than "good", for a person.
    fn reasons(&self) -> String {
        let count = |count: Option<u64>, what: &str| {
            count.filter(|count| *count > 0).map(|count| format!("{count} {what}"))
        };
        let said = [
            (self.passed == Some(false)).then(|| "it says of itself that it fails".to_owned()),
            self.past_limit.then(|| "a counter that foretells failure is past its limit".to_owned()),
            self.was_past_limit.then(|| "a counter was past its limit once".to_owned()),
            count(self.reallocated, "reallocated sectors"),
            count(self.uncorrected, "uncorrected errors"),
            count(self.pending, "pending sectors"),
            count(self.unreadable, "unreadable sectors"),
            count(self.media_errors, "media errors"),
            count(self.percentage_used.filter(|used| *used >= 100), "% of its life used"),
            count(self.critical_warning, "as its warning bits"),
        ];
        said.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

/// What became of asking a disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// It answered, if only that it has nothing to say.
    Answered(Facts),
    /// It sleeps, and was not woken for this.
    Asleep,
    /// It could not be asked.
    Unasked(String),
    /// smartctl is not installed.
    NoProgram,
}

/// Asks a whole disk.
pub fn ask(device: &Path) -> Asked {
    match smartctl(device, None) {
        // Many USB bridges are not in smartctl's list, and pass ATA commands on all the same.
        Asked::Answered(facts) if facts.health().is_none() => match smartctl(device, Some("sat")) {
            Asked::Answered(bridged) if bridged.health().is_some() => Asked::Answered(bridged),
            _ => Asked::Answered(facts),
        },
        asked => asked,
    }
}

fn smartctl(device: &Path, through: Option<&str>) -> Asked {
    let mut command = Command::new("smartctl");
    command.args(["--json", "--nocheck=standby", "--info", "--health", "--attributes"]);
    if let Some(through) = through {
        command.args(["--device", through]);
    }
    command.arg(device);
    match output_of(command, DEADLINE) {
        Ok((Some(exit), json)) => answer(&json, exit),
        Ok((None, _)) => Asked::Unasked("smartctl was ended by a signal".to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Asked::NoProgram,
        Err(error) => Asked::Unasked(format!("smartctl: {error}")),
    }
}

/// Reads what smartctl wrote.
fn answer(json: &[u8], exit: i32) -> Asked {
    match Facts::read(json, exit) {
        Ok(facts) if facts.health().is_none() && is_asleep(json) => Asked::Asleep,
        Ok(facts) => Asked::Answered(facts),
        Err(error) => Asked::Unasked(format!("smartctl's answer (exit code {exit}) cannot be read: {error}")),
    }
}

fn is_asleep(json: &[u8]) -> bool {
    let told: Value = serde_json::from_slice(json).unwrap_or_default();
    let messages = told.pointer("/smartctl/messages").and_then(Value::as_array).into_iter().flatten();
    let mut texts = messages.filter_map(|message| message.get("string").and_then(Value::as_str));
    texts.any(|text| text.contains("STANDBY") || text.contains("SLEEP"))
}

/// What the helper tells the recorder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthReport {
    /// Format version: 1.
    pub version: u32,
    /// The kernel's name, as in the disk's own report: that of the partition, if the volume lies on one.
    pub disk: String,
    /// When, in microseconds since 1970 by the wall clock.
    pub at_micros: i64,
    /// What it comes to; `None` if the disk says nothing or could not be asked.
    #[serde(with = "word")]
    pub health: Option<Health>,
    /// What the disk said.
    pub facts: Facts,
    /// A sentence for a person.
    pub text: String,
}

impl HealthReport {
    /// The report of an answer; `None` if what was known before still holds.
    pub fn of(disk: &str, asked: &Asked, at_micros: i64) -> Option<HealthReport> {
        let (facts, health, text) = match asked {
            Asked::Asleep => return None,
            Asked::Answered(facts) => {
                let text = match facts.health() {
                    Some(Health::Good) => format!("{disk} is in good health"),
                    Some(Health::Worn) => format!("{disk} shows signs of wear: {}", facts.reasons()),
                    Some(Health::Failing) => {
                        format!("{disk} is failing, replace it: {}", facts.reasons())
                    }
                    None => format!("{disk} says nothing of its health"),
                };
                (facts.clone(), facts.health(), text)
            }
            Asked::Unasked(why) => (Facts::default(), None, format!("{disk} could not be asked: {why}")),
            Asked::NoProgram => {
                let text =
                    "smartctl is not installed: nothing warns of a disk that is about to fail".to_owned();
                (Facts::default(), None, text)
            }
        };
        Some(HealthReport { version: 1, disk: disk.to_owned(), at_micros, health, facts, text })
    }

    /// Reads the report of a disk below `directory`; `None` if there is none.
    ///
    /// # Errors
    /// It is there and cannot be read.
    pub fn read(directory: &Path, disk: &str) -> io::Result<Option<HealthReport>> {
        match read_json(&path_of(directory, disk)) {
            Ok(report) => Ok(Some(report)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Puts it in place of the one before, in one step; the directory is made if it is not there.
    ///
    /// # Errors
    /// As the system says.
    pub fn write(&self, directory: &Path) -> io::Result<()> {
        write_json(&path_of(directory, &self.disk), self)
    }
}

fn path_of(directory: &Path, disk: &str) -> PathBuf {
    directory.join(format!("{disk}.json"))
}

mod word {
    use holdfast_core::event::Health;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    fn word(health: Health) -> &'static str {
        match health {
            Health::Good => "good",
            Health::Worn => "worn",
            Health::Failing => "failing",
        }
    }

    pub fn serialize<S: Serializer>(health: &Option<Health>, serializer: S) -> Result<S::Ok, S::Error> {
        health.map(word).serialize(serializer)
    }
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Health>, D::Error> {
        let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
        let mut all = [Health::Good, Health::Worn, Health::Failing].into_iter();
        all.find(|health| word(*health) == text).map(Some).ok_or_else(|| D::Error::custom("no such health"))
    }
}

#[cfg(test)]
mod tests;
