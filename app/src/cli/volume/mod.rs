//! `holdfast volume ...`: what is done with disks. Most of it needs root, which the recorder has not: systemd's units in
//! `app/system/` run these commands, and a person may.

mod health;
mod helper;

use super::args::DEFAULT_CONFIG;
use super::asking::{Ask, Eject, VolumeName};
use super::exit::{self, Exit};
use super::status;
use crate::config::RUNTIME;
use clap::{Args, Subcommand};
use std::error::Error;
use std::path::PathBuf;

/// Examples for the help of `holdfast volume`.
pub const EXAMPLES: &str = "\
EXAMPLES:
  holdfast volume list
  holdfast volume info sda1
  holdfast volume eject 0f3c                        by the beginning of its id, its device or its path
  holdfast volume adopt /dev/sdb1                   use this disk for recording
  holdfast volume adopt --new-identity /dev/sdc1    use a copy beside its original
  holdfast volume unmount 0f3c...                   let go of a volume
  holdfast volume health                            what SMART says of every disk";

/// Files that the commands read and write.
pub const FILES: &str = "\
FILES:
  /run/holdfast/volumes/ID        where the disk with this volume is mounted
  /run/holdfast/disks/NAME.json   what became of each disk that is there, and why
  /run/holdfast/health/NAME.json  what SMART says of it
  /run/holdfast/requests/         what is asked for: unmount-ID, mount-ID, look-DISK";

/// `holdfast volume`.
#[derive(Debug, Subcommand)]
pub enum Volume {
    /// Show every volume of the running recorder, and the disks that it does not use
    #[command(after_long_help = [exit::HELP, EXAMPLES].join("\n\n"))]
    List(Ask),
    /// Show all that is known of one volume
    #[command(after_long_help = [exit::HELP, EXAMPLES].join("\n\n"))]
    Info(VolumeName),
    /// Close a volume and unmount it, so that it can be pulled
    ///
    /// Fragments are finished, everything is synced, the ledger is closed. Footage goes on to the next volume if there
    /// is one, else into memory for as long as that holds. Ends when it is safe to remove.
    #[command(after_long_help = [exit::HELP, EXAMPLES].join("\n\n"))]
    Eject(Eject),
    /// Use a volume again that was ejected and is still there
    #[command(after_long_help = [exit::HELP, EXAMPLES].join("\n\n"))]
    Use(VolumeName),
    /// Mount a disk if it is for recording; for systemd, as root
    ///
    /// A disk is for recording if its filesystem has the label HOLDFAST or carries a volume of this device. Its filesystem is
    /// checked first, and mended where that needs no question; then it is mounted at a path made of the volume's id.
    /// Every other disk is left alone, and a report says why. Nothing is ever formatted.
    #[command(after_long_help = [exit::HELP, FILES, EXAMPLES].join("\n\n"))]
    Mount(Mount),
    /// Unmount a volume, if nobody uses it any more; as root
    ///
    /// Writes out what is not written yet, unmounts, and removes the mount point. Touches nothing but mounts below Holdfast's own
    /// directory. That nothing is mounted is no error.
    #[command(after_long_help = [exit::HELP, FILES, EXAMPLES].join("\n\n"))]
    Unmount(Unmount),
    /// Make a disk or a directory a volume of this device; as root
    ///
    /// For a disk without the label HOLDFAST, for one that another device recorded on, and for a copy of a disk. Other files
    /// on it stay as they are: Holdfast writes to `holdfast/` alone. Footage that is there becomes this device's to keep and to
    /// delete. Never formats: a disk with a filesystem that Holdfast does not write to is refused.
    #[command(after_long_help = [exit::HELP, FILES, EXAMPLES].join("\n\n"))]
    Adopt(Adopt),
    /// Ask disks for their SMART health; as root
    ///
    /// Runs smartctl and leaves what it says for the recorder. A disk in standby is not woken.
    #[command(after_long_help = [exit::HELP, FILES, EXAMPLES].join("\n\n"))]
    Health(Health),
}

/// Where the helper and the recorder meet.
#[derive(Args, Clone, Debug)]
pub struct Meeting {
    /// The directory of reports, requests and mounts: `runtime` in the section `storage` of the configuration
    #[arg(long, value_name = "DIR", default_value = RUNTIME, env = "HOLDFAST_RUNTIME")]
    pub runtime: PathBuf,
    /// Below which disks are mounted [default: volumes/ in the directory of --runtime]
    #[arg(long, value_name = "DIR")]
    pub at: Option<PathBuf>,
}

/// Who the files on a volume belong to, and which device this is.
#[derive(Args, Clone, Debug)]
pub struct Who {
    /// Whose the files on a volume are, as names or numbers: the recorder's user [default: root]
    #[arg(long, value_name = "USER[:GROUP]")]
    pub owner: Option<String>,
    /// The configuration, which says the device's name
    #[arg(long, short, value_name = "FILE", default_value = DEFAULT_CONFIG)]
    pub config: PathBuf,
}

/// `holdfast volume mount`.
#[derive(Args, Debug)]
pub struct Mount {
    /// The disk: /dev/sdb1, or sdb1
    #[arg(value_name = "DEV")]
    pub device: String,
    /// Who the files belong to, and which device this is.
    #[command(flatten)]
    pub who: Who,
    /// Where the helper and the recorder meet.
    #[command(flatten)]
    pub meeting: Meeting,
}

/// `holdfast volume unmount`.
#[derive(Args, Debug)]
pub struct Unmount {
    /// The volume's id, its mount point, or the disk: /dev/sdb1, or sdb1
    #[arg(value_name = "ID|DEV|PATH", required_unless_present = "requested")]
    pub named: Option<String>,
    /// At once, whoever uses it: what is open there fails from now on
    #[arg(long)]
    pub lazy: bool,
    /// Do what is asked for in the directory `requests/`: unmount, mount, look at disks
    #[arg(long, conflicts_with_all = ["named", "lazy"])]
    pub requested: bool,
    /// Who the files belong to, and which device this is.
    #[command(flatten)]
    pub who: Who,
    /// Where the helper and the recorder meet.
    #[command(flatten)]
    pub meeting: Meeting,
}

/// `holdfast volume adopt`.
#[derive(Args, Debug)]
pub struct Adopt {
    /// The disk (/dev/sdb1), or a directory
    #[arg(value_name = "DEV|DIR")]
    pub what: String,
    /// Give it an identity of its own: it is a copy of a volume that is used too
    #[arg(long)]
    pub new_identity: bool,
    /// Who the files belong to, and which device this is.
    #[command(flatten)]
    pub who: Who,
    /// Where the helper and the recorder meet.
    #[command(flatten)]
    pub meeting: Meeting,
}

/// `holdfast volume health`.
#[derive(Args, Debug)]
pub struct Health {
    /// Disks: /dev/sda [default: every disk that a volume is on]
    #[arg(value_name = "DEV")]
    pub devices: Vec<String>,
    /// Where the helper and the recorder meet.
    #[command(flatten)]
    pub meeting: Meeting,
}

/// Does what is asked.
///
/// # Errors
/// What could not be done, as a chain that says why.
pub fn run(volume: &Volume) -> Result<Exit, Box<dyn Error>> {
    match volume {
        Volume::List(ask) => status::list(ask),
        Volume::Info(args) => status::info(args),
        Volume::Eject(args) => status::eject(args),
        Volume::Use(args) => status::use_again(args),
        Volume::Mount(args) => helper::mount(args),
        Volume::Unmount(args) => helper::unmount(args),
        Volume::Adopt(args) => helper::adopt(args),
        Volume::Health(args) => health::run(args),
    }
}
