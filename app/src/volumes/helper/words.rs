//! What the helper says to people.

use super::probe::Disk;
use crate::volumes::VolumeError;
use holdfast_core::disk::Unfit;
use std::error::Error;

/// Why a disk is left alone, and what can be done about it.
pub fn left_alone(disk: &Disk, reason: Unfit) -> String {
    let content = match disk.facts.content.as_str() {
        "" => "nothing",
        content => content,
    };
    let why = match reason {
        Unfit::Blank => {
            "it carries no filesystem; format it as ext4 or exFAT with the label HOLDFAST".to_owned()
        }
        Unfit::Filesystem => format!(
            "it carries {content}, which Holdfast does not write to; copy off what is needed, then format it as ext4 or \
             exFAT with the label HOLDFAST"
        ),
        Unfit::Encrypted => format!("it is encrypted ({content})"),
        Unfit::Member => format!("it is a part of something larger ({content})"),
        Unfit::System => "a system runs from it or could be started from it".to_owned(),
        Unfit::MountedElsewhere => "it is mounted by somebody else; unmount it there first".to_owned(),
        Unfit::TooSmall => "it is too small: 64 MiB at least".to_owned(),
        Unfit::ReadOnly => "it cannot be written to; look for a lock on its side".to_owned(),
        Unfit::NoPlace => "as many volumes are in use as a device can have".to_owned(),
        Unfit::NotMarked => format!(
            "nobody said that it is for recording; give its filesystem the label HOLDFAST, or `holdfast volume adopt {}`",
            disk.node.display()
        ),
    };
    format!("{} is left alone: {why}", disk.name)
}

/// An error with what the system said of it, as far as the error does not say it already.
pub fn sentence(error: &VolumeError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text += &format!(": {cause}");
        source = cause.source();
    }
    text
}
