//! Names and identities as they are stored and said.

use core::fmt;
use heapless::String;
use serde::{Deserialize, Serialize};

/// Longest camera or device name, in bytes: it becomes a directory, an MQTT topic level and a
/// journal field, and 32 fits each with room to spare.
pub const MAX_NAME: usize = 32;

/// A camera's or the device's name: 1 to 32 of `a-z`, `0-9`, `-` and `_`, the first a letter or digit.
///
/// So narrow because it is used as a directory name (on exFAT and vfat too), as an MQTT topic level
/// and in a URL, and must never need escaping in any of them. `ledger`, `volume`,
/// `protected` and `reserve` are refused: they would collide with Holdfast's own files on a volume.
///
/// Checked also when it is read back: it becomes part of paths, and a disk may come from anywhere.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String<MAX_NAME>")]
pub struct Name(String<MAX_NAME>);

/// Why a text is not a [`Name`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameError {
    /// Nothing in it.
    Empty,
    /// More than [`MAX_NAME`] bytes.
    TooLong,
    /// This character is not allowed (or not as the first one).
    Character(char),
    /// Holdfast keeps files of its own under this name.
    Reserved,
}

impl Name {
    /// Checks and takes a name.
    pub fn new(text: &str) -> Result<Self, NameError> {
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        for (at, c) in text.chars().enumerate() {
            let inside = c.is_ascii_lowercase() || c.is_ascii_digit() || (at > 0 && (c == '-' || c == '_'));
            if !inside {
                return Err(NameError::Character(c));
            }
        }
        if matches!(text, "ledger" | "volume" | "protected" | "reserve") {
            return Err(NameError::Reserved);
        }
        String::try_from(text).map(Name).map_err(|_| NameError::TooLong)
    }
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String<MAX_NAME>> for Name {
    type Error = NameError;
    fn try_from(text: String<MAX_NAME>) -> Result<Self, NameError> {
        Name::new(&text)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NameError::Empty => f.write_str("is empty"),
            NameError::TooLong => write!(f, "is longer than {MAX_NAME} characters"),
            NameError::Character(c) => write!(f, "holds {c:?}, which is not allowed there"),
            NameError::Reserved => f.write_str("is a name that Holdfast uses itself"),
        }
    }
}

/// 128 random or kernel-given bits, written as 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Id128(pub [u8; 16]);

impl Id128 {
    /// Reads 32 hexadecimal digits; hyphens are passed over, as the kernel writes them in boot ids.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0u8; 16];
        let mut digits = 0usize;
        for c in text.trim().chars().filter(|c| *c != '-') {
            let value = u8::try_from(c.to_digit(16)?).ok()?;
            let byte = bytes.get_mut(digits / 2)?;
            *byte = (*byte << 4) | value;
            digits += 1;
        }
        (digits == 32).then_some(Id128(bytes))
    }
}

impl fmt::Display for Id128 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Id128 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A volume's own identity, given at adoption, kept under whatever device name it returns.
pub type VolumeId = Id128;

/// The kernel's `/proc/sys/kernel/random/boot_id`: tells a restart of the program from one of the machine.
pub type BootId = Id128;

/// One life of the recorder, random at its start.
pub type SessionId = Id128;
