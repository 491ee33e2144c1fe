//! Alarms as programs are told of them: in the journal's `ALARM` field and in `holdfast status --json`.
//!
//! Words: a **kind** is what an alarm tells, under a short name that never changes; what it is about (a camera, a volume, a
//! disk) is told beside it.

use serde::{Deserialize, Serialize};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// For information.
    Low,
    /// Something does not work as configured; footage is not affected now.
    Medium,
    /// Footage of a camera is being lost.
    High,
    /// Nothing is being recorded, or what was recorded is in danger.
    Critical,
}

impl Severity {
    /// Its name, as in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
            Severity::Critical => "critical",
        }
    }
}

macro_rules! kinds {
    ($($kind:ident = $name:literal, $meaning:literal;)+) => {
        /// What an alarm tells.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Kind {
            $(#[doc = $meaning] #[serde(rename = $name)] $kind,)+
        }

        impl Kind {
            /// All there are.
            pub const ALL: &[Kind] = &[$(Kind::$kind),+];

            /// What it tells, as a sentence.
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Kind::$kind => $meaning,)+
                }
            }

            /// Its short, stable name, as in the journal and in JSON.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Kind::$kind => $name,)+
                }
            }
        }
    };
}

kinds! {
    CameraLost = "camera-lost", "A camera does not record.";
    CameraAccess = "camera-access", "A camera refuses the password.";
    CameraFallback = "camera-fallback", "A camera records its fallback stream.";
    CameraFlapping = "camera-flapping", "A camera breaks and comes back again and again.";
    CameraTrouble = "camera-trouble", "A camera is recorded, with trouble in its stream.";
    SoundLost = "sound-lost", "A camera's sound has stopped.";
    TrackNotRecorded = "track-not-recorded", "A track of a camera cannot be recorded.";
    FootageDropped = "footage-dropped", "Footage was dropped, since no volume took it in time.";
    VolumeFaulted = "volume-faulted", "A volume cannot be used, for an error that has no name here.";
    VolumeMissing = "volume-missing", "It is gone.";
    VolumeFull = "volume-full", "It is full.";
    VolumeIo = "volume-io", "It fails to read or write.";
    VolumeReadOnly = "volume-read-only", "It has become read-only.";
    VolumeDenied = "volume-denied", "The recorder may not use it.";
    VolumeAgain = "volume-again", "It is out of something that comes back.";
    VolumeQuota = "volume-quota", "A quota is used up.";
    VolumeStale = "volume-stale", "A file of it is gone that was open.";
    VolumeStuck = "volume-stuck", "It does not answer.";
    VolumeTooSlow = "volume-too-slow", "It was left for being too slow.";
    VolumeWrongIdentity = "volume-wrong-identity", "It is another one than before.";
    VolumeInUse = "volume-in-use", "Another recorder uses it.";
    VolumeDamaged = "volume-damaged", "Its filesystem or its marker is damaged.";
    VolumeForeign = "volume-foreign", "It belongs to another recorder.";
    VolumeDuplicate = "volume-duplicate", "It is there twice.";
    VolumeCopied = "volume-copied", "It is a copy of another one.";
    VolumeNotMounted = "volume-not-mounted", "No disk is mounted there.";
    VolumeSlow = "volume-slow", "A volume takes footage too slowly.";
    VolumeExhausted = "volume-exhausted", "A volume is full, and nothing on it may be deleted.";
    RetentionShort = "retention-short", "A volume does not hold footage for as long as is configured.";
    VolumeFailing = "volume-failing", "A volume's disk says that it fails (SMART).";
    VolumeWorn = "volume-worn", "A volume's disk is worn (SMART).";
    VolumeWentBack = "volume-went-back", "A volume holds less than had been written to it.";
    SpaceUnknown = "space-unknown", "A volume does not tell how much is free.";
    SafeToRemove = "safe-to-remove", "A volume was ejected and can be taken out.";
    KeptMounted = "kept-mounted", "A volume was not ejected, since another program uses it.";
    VolumeRepaired = "volume-repaired", "A volume was repaired.";
    DiskNotUsed = "disk-not-used", "A disk that is there is not used.";
    DiskFailed = "disk-failed", "A disk that is to be used cannot be.";
    Network = "network", "Most cameras were lost at once.";
    MemoryShort = "memory-short", "Memory is short.";
    NothingRecords = "nothing-records", "Nothing is being recorded.";
    ClockUntrusted = "clock-untrusted", "The wall clock is not to be trusted.";
    ClockStepped = "clock-stepped", "The wall clock was set.";
}
