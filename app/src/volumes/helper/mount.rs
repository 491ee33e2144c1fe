//! From a disk that was plugged in to a volume that can be recorded on.

use super::detached::{Access, Detached};
use super::fsck::{self, Checked, DEADLINE};
use super::probe::Disk;
use super::unmount::{Manner, take_down};
use super::words::{left_alone, sentence};
use super::{Device, Helper, is_stale, table};
use crate::volumes::adopt::{Adopted, Ground, Wish, adopt};
use crate::volumes::report::{Check, DiskReport, Outcome};
use crate::volumes::{Adoption, VolumeError, identity, layout, read_marker};
use holdfast_core::disk::{Filesystem, Inside, Mounted, Unfit, Verdict};
use holdfast_wire::cause::Fault;
use holdfast_wire::ids::VolumeId;
use holdfast_wire::volume::VolumeMarkerV2;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What says that a system could be started from a disk: Linux, firmware's own path, a Raspberry Pi's boot partition, Windows.
const SYSTEM_FILES: [&str; 6] =
    ["etc/os-release", "usr/lib/os-release", "EFI/BOOT", "bootcode.bin", "cmdline.txt", "Windows/System32"];

/// Why a disk is to be mounted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// It is there: use it if it is ours.
    Plugged,
    /// A person named it: make it ours.
    Asked(Wish),
}

/// What a run came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ran {
    /// It is told in a report.
    Reported(Box<DiskReport>),
    /// It is nobody's business: there is no report, only a sentence for who asks.
    PassedOver(String),
}

/// Mounts the disk that is named, if it is to be used, and tells in its report what became of it.
///
/// # Errors
/// The disk is not there, or the report cannot be written. What is wrong with the disk itself is no error but in the report.
pub fn run(helper: &Helper, named: &str, purpose: Purpose) -> Result<Ran, VolumeError> {
    let name = Path::new(named).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let _one_at_a_time = helper.lock(&format!("disk-{name}"))?;
    let disk = find(helper, named)?;
    mount(helper, disk, purpose)
}

/// The same for a disk that changed while it was plugged in: `None` if it carries what it carried when it was reported, or is
/// gone again.
///
/// udev tells of a change whenever somebody who could write to a disk lets go of it: a check of ours too, so that to mount at
/// each of them would be to check for ever; and what a person ejected is not to be mounted because it was looked at.
///
/// # Errors
/// As [`run`].
pub fn look_again(helper: &Helper, name: &str) -> Result<Option<Ran>, VolumeError> {
    let _one_at_a_time = helper.lock(&format!("disk-{name}"))?;
    let disk = match find(helper, name) {
        Ok(disk) => disk,
        Err(error) if error.fault == Fault::Missing => return Ok(None),
        Err(error) => return Err(error),
    };
    let before = DiskReport::of(&helper.reports(), &disk.name).ok().flatten();
    let is_done = before.is_some_and(|before| match before.outcome {
        Outcome::Mounted { .. }
        | Outcome::Unmounted { .. }
        | Outcome::Refused { .. }
        | Outcome::Failed { .. } => disk.is_as_in(&before),
        // Nothing was checked, and why it was left alone may be over: a lock on its side, for one.
        Outcome::LeftAlone { .. } => false,
    });
    if is_done { Ok(None) } else { mount(helper, disk, Purpose::Plugged).map(Some) }
}

fn find(helper: &Helper, named: &str) -> Result<Disk, VolumeError> {
    let is_volume = |path: &Path| path.parent() == Some(helper.volumes.as_path());
    Disk::find(named, &table()?, is_volume)
}

fn mount(helper: &Helper, mut disk: Disk, purpose: Purpose) -> Result<Ran, VolumeError> {
    disk.facts.adopted = matches!(purpose, Purpose::Asked(_));
    let reports = helper.reports();
    let before = DiskReport::of(&reports, &disk.name).ok().flatten().filter(|before| disk.is_as_in(before));
    // Whatever fails before its marker is read: it is known by this to whoever asks for the volume again.
    let volume = before.and_then(|before| before.volume());
    let mut attempt = Attempt { helper, purpose, disk, volume, check: None };
    let (outcome, text) = match attempt.go() {
        Ok(End::Told(outcome, text)) => (outcome, text),
        Ok(End::PassedOver(unfit)) => {
            let Disk { name, .. } = &attempt.disk;
            let removed = DiskReport::remove(&reports, name);
            removed.map_err(|error| VolumeError::io("remove the report below", &reports, error))?;
            return Ok(Ran::PassedOver(left_alone(&attempt.disk, unfit)));
        }
        Err(error) => (attempt.failed(error.fault), sentence(&error)),
    };
    let report = attempt.report(outcome, text);
    report.write(&reports).map_err(|error| VolumeError::io("write the report below", &reports, error))?;
    Ok(Ran::Reported(Box::new(report)))
}

/// How an attempt ends, if nothing fails.
enum End {
    /// With this outcome, and a sentence if there is something to say.
    Told(Outcome, String),
    /// The disk is nobody's business.
    PassedOver(Unfit),
}

/// One disk on its way.
struct Attempt<'h> {
    helper: &'h Helper,
    purpose: Purpose,
    disk: Disk,
    /// Which volume it is, as far as that is known by now.
    volume: Option<VolumeId>,
    check: Option<Checked>,
}

impl Attempt<'_> {
    fn go(&mut self) -> Result<End, VolumeError> {
        if self.disk.facts.mounted == Mounted::AsVolume {
            if let Some(end) = self.as_it_is()? {
                return Ok(end);
            }
            self.disk.facts.mounted = Mounted::Nowhere;
        }
        let filesystem = match self.judge()? {
            Ok(filesystem) => filesystem,
            Err(end) => return Ok(end),
        };
        let checked = fsck::check(filesystem, &self.disk.node, DEADLINE);
        self.say_check(filesystem, &checked);
        let (check, said) = (checked.check, checked.said.clone());
        self.check = Some(checked);
        if !fsck::may_mount(check) {
            let (fault, found) = if check == Check::TimedOut {
                (Fault::Stuck, format!("did not end within {} s", DEADLINE.as_secs()))
            } else {
                (Fault::Damaged, format!("left it damaged ({said})"))
            };
            let text = format!(
                "{} is not used: the check of its filesystem {found}; \
                 have it checked by hand and plug it in again, or format it with the label HOLDFAST",
                self.disk.name
            );
            return Ok(End::Told(self.failed(fault), text));
        }
        let owner = self.helper.owner.as_ref();
        let mount = Detached::mount(&self.disk.node, filesystem, Access::Record, owner)?;
        // Asked again on the mount itself: the check may have brought things to light.
        self.disk.facts.inside = inside(mount.root());
        if let Verdict::LeaveAlone(unfit) | Verdict::PassOver(unfit) = self.disk.facts.verdict() {
            return Ok(self.leave_alone(unfit));
        }
        let ready = self.make_ours(&mount, filesystem).map_err(|error| mount.in_words(error))?;
        match ready {
            Ok((volume, text, adopted)) => {
                self.volume = Some(volume);
                self.show(mount, volume, text, adopted)
            }
            Err(end) => Ok(end),
        }
    }

    /// A disk that is mounted as a volume already. `None` if it has to be mounted anew; it is unmounted then.
    fn as_it_is(&self) -> Result<Option<End>, VolumeError> {
        let paths = self.helper.mounts_of(&table()?, self.disk.number);
        // Under the same name and number another medium may be: the mount is of the one that is gone.
        let before = DiskReport::of(&self.helper.reports(), &self.disk.name).ok().flatten();
        let is_other = |report: &DiskReport| {
            report.sequence.is_some() && self.disk.sequence.is_some() && report.sequence != self.disk.sequence
        };
        if before.as_ref().is_some_and(is_other) {
            paths.iter().try_for_each(|path| take_down(path, Manner::Lazy).map(drop))?;
            return Ok(None);
        }
        let renews = self.purpose == Purpose::Asked(Wish::NewIdentity);
        if let [path] = paths.as_slice()
            && !renews
            && let Ok(Some(marker)) = read_marker(path)
            && *path == self.helper.path_of(marker.now.id)
            && self.is_usable(path, &marker).is_ok()
        {
            let outcome = Outcome::Mounted { volume: marker.now.id, path: path.clone(), adopted: false };
            return Ok(Some(End::Told(outcome, String::new())));
        }
        // Not lazily: a recorder that has files open there is not to lose them. It looks at the marker itself, before each file.
        paths.iter().try_for_each(|path| take_down(path, Manner::Orderly).map(drop))?;
        Ok(None)
    }

    /// Which filesystem is to be mounted; or why none is.
    fn judge(&mut self) -> Result<Result<Filesystem, End>, VolumeError> {
        let facts = &mut self.disk.facts;
        let mut verdict = facts.verdict();
        let filesystem = facts.filesystem();
        if let (Verdict::Use | Verdict::Look, Some(filesystem)) = (verdict, filesystem) {
            match Detached::mount(&self.disk.node, filesystem, Access::Look, None) {
                Ok(mount) => {
                    facts.inside = inside(mount.root());
                    verdict = facts.verdict();
                    if let Ok(Some(marker)) = read_marker(mount.root()) {
                        self.volume = Some(marker.now.id);
                    }
                }
                // It is marked: the check may mend what keeps it from being mounted.
                Err(error) if verdict == Verdict::Use => log::info!("before its check, {}", sentence(&error)),
                Err(error) => return Err(error),
            }
        }
        Ok(match (verdict, filesystem) {
            (Verdict::Use, Some(filesystem)) => Ok(filesystem),
            (Verdict::LeaveAlone(unfit) | Verdict::PassOver(unfit), _) => Err(match verdict {
                Verdict::PassOver(_) => End::PassedOver(unfit),
                Verdict::LeaveAlone(_) | Verdict::Use | Verdict::Look => self.leave_alone(unfit),
            }),
            (Verdict::Use, None) => Err(self.leave_alone(Unfit::Filesystem)),
            // Nobody asks twice for a look.
            (Verdict::Look, _) => Err(self.leave_alone(Unfit::NotMarked)),
        })
    }

    fn leave_alone(&self, reason: Unfit) -> End {
        End::Told(Outcome::LeftAlone { reason }, left_alone(&self.disk, reason))
    }

    /// Reads the marker, or writes it where that is to be; gives the files to the recorder.
    fn make_ours(
        &mut self,
        mount: &Detached,
        filesystem: Filesystem,
    ) -> Result<Result<(VolumeId, String, bool), End>, VolumeError> {
        let root = mount.root();
        let marker = match read_marker(root) {
            Ok(marker) => marker,
            Err(error) => return Ok(Err(self.refused(None, mount.in_words(error)))),
        };
        self.volume = marker.as_ref().map(|marker| marker.now.id);
        let (volume, text, adopted) = match (marker, self.purpose) {
            (Some(marker), Purpose::Plugged) => {
                if let Err(error) = self.is_usable(root, &marker) {
                    return Ok(Err(self.refused(Some(marker.now.id), mount.in_words(error))));
                }
                // Before a byte is written to what may be a copy.
                if let Some(end) = self.clash(marker.now.id)? {
                    return Ok(Err(end));
                }
                (marker.now.id, String::new(), false)
            }
            (None, Purpose::Plugged) => match self.adopt(root, Wish::Keep)? {
                Ok(adopted) => (adopted.id, self.story(&adopted), true),
                Err(end) => return Ok(Err(end)),
            },
            (Some(_) | None, Purpose::Asked(wish)) => match self.adopt(root, wish)? {
                Ok(adopted) => (adopted.id, self.story(&adopted), !adopted.is_unchanged()),
                Err(end) => return Ok(Err(end)),
            },
        };
        let owner = self.helper.owner.filter(|_| !filesystem.properties().owner_by_mount);
        match owner {
            Some(owner) if adopted => owner.take_all(root)?,
            Some(owner) if owner.take(root)? => {
                let name = &self.disk.name;
                log::info!("{name}: holdfast/ belonged to another user; it was given to the recorder's");
            }
            Some(_) | None => {}
        }
        Ok(Ok((volume, text, adopted)))
    }

    /// Whether a volume may be used by this device, where that can be told.
    fn is_usable(&self, root: &Path, marker: &VolumeMarkerV2) -> Result<(), VolumeError> {
        let told = |error| VolumeError::io("open", root, error);
        let opened = File::open(root).map_err(told)?;
        let uuid = identity::filesystem_uuid(&opened, opened.metadata().map_err(told)?.dev());
        let uuid = uuid.as_deref().or(self.told_uuid());
        match &self.helper.device {
            Ok(Device { name, formerly }) => identity::judge(root, marker, uuid, name, formerly),
            // The recorder will know who it is, and look again.
            Err(_) => identity::judge(root, marker, uuid, &marker.now.adopted_by, &[]),
        }
    }

    fn told_uuid(&self) -> Option<&str> {
        Some(self.disk.facts.uuid.as_str()).filter(|uuid| !uuid.is_empty())
    }

    fn adopt(&self, root: &Path, wish: Wish) -> Result<Result<Adopted, End>, VolumeError> {
        let Device { name, formerly } = match &self.helper.device {
            Ok(device) => device.clone(),
            Err(why) => {
                let text = format!(
                    "{} is not adopted, since it is not known who this device is: {why}; \
                     mend the configuration and plug it in again",
                    self.disk.name
                );
                return Ok(Err(End::Told(self.failed(Fault::Denied), text)));
            }
        };
        let Helper { new_volume, now, .. } = self.helper;
        let adoption = Adoption { id: *new_volume, device: name, formerly, at: *now };
        adopt(root, Ground::Filesystem { told_uuid: self.told_uuid() }, &adoption, wish).map(Ok)
    }

    /// Shows the mount, unless a disk with the same id shows already.
    fn show(
        &self,
        mount: Detached,
        volume: VolumeId,
        text: String,
        adopted: bool,
    ) -> Result<End, VolumeError> {
        // Two disks with one id may come at the same moment: one of them is first.
        let _one_at_a_time = self.helper.lock("show")?;
        if let Some(end) = self.clash(volume)? {
            return Ok(end);
        }
        let path = self.helper.path_of(volume);
        take_down(&path, Manner::Lazy)?;
        mount.show_at(&path)?;
        Ok(End::Told(Outcome::Mounted { volume, path, adopted }, text))
    }

    /// Whether another disk that is there shows where this volume would.
    fn clash(&self, volume: VolumeId) -> Result<Option<End>, VolumeError> {
        let path = self.helper.path_of(volume);
        let table = table()?;
        let other = table.at(&path).filter(|there| there.device != self.disk.number && !is_stale(there));
        Ok(other.map(|there| {
            let detail = format!(
                "{} shows at {}; if both are to be used, `holdfast volume adopt --new-identity {}`",
                there.source.display(),
                path.display(),
                self.disk.node.display()
            );
            self.refused(Some(volume), VolumeError::found(Fault::Duplicate, "use", &self.disk.node, detail))
        }))
    }

    fn failed(&self, fault: Fault) -> Outcome {
        Outcome::Failed { volume: self.volume, fault }
    }

    fn refused(&self, volume: Option<VolumeId>, error: VolumeError) -> End {
        End::Told(Outcome::Refused { volume, fault: error.fault }, sentence(&error))
    }

    fn story(&self, adopted: &Adopted) -> String {
        let mut parts = Vec::new();
        if adopted.fresh {
            parts.push("was adopted".to_owned());
        }
        if let Some(before) = adopted.renewed_from {
            parts.push(format!("was given a new identity (it was {before})"));
        }
        if let Some(from) = &adopted.taken_from {
            parts.push(format!("was taken over from \"{from}\""));
        }
        if parts.is_empty() { String::new() } else { format!("{} {}", self.disk.name, parts.join(" and ")) }
    }

    fn say_check(&self, filesystem: Filesystem, checked: &Checked) {
        let (name, said) = (&self.disk.name, &checked.said);
        let title = filesystem.properties().title;
        match checked.check {
            Check::Clean => log::debug!("{name}: its {title} is clean: {said}"),
            // The report tells it, and whoever ran this writes what it tells.
            Check::Mended | Check::LeftDamaged | Check::TimedOut => {}
            Check::NoProgram => log::warn!("{name}: its {title} is used without a check: {said}"),
            Check::Unchecked => {
                log::warn!("{name}: its {title} could not be checked and is used as it is: {said}");
            }
        }
    }

    fn report(self, outcome: Outcome, text: String) -> DiskReport {
        let Attempt { disk, check, helper, .. } = self;
        let mended = check.as_ref().filter(|checked| checked.check == Check::Mended);
        let mended = mended.map(|Checked { said, .. }| {
            format!("{}: its filesystem was damaged and is mended: {said}", disk.name)
        });
        let parts = [Some(text).filter(|text| !text.is_empty()), mended];
        let text = parts.into_iter().flatten().collect::<Vec<_>>().join("; ");
        DiskReport {
            version: 1,
            disk: disk.name,
            device_number: disk.number.to_string(),
            sequence: disk.sequence,
            filesystem: disk.facts.content.to_string(),
            uuid: disk.facts.uuid.to_string(),
            label: disk.facts.label.to_string(),
            size: disk.facts.size,
            bus: disk.bus,
            model: disk.model,
            serial: disk.serial,
            at_micros: helper.now.as_micros(),
            outcome,
            check: check.map(|checked| checked.check),
            text,
        }
    }
}

/// What lies on a filesystem.
fn inside(root: &Path) -> Inside {
    // Not followed: a link on a disk may name anything here.
    let is_there = |path: PathBuf| fs::symlink_metadata(path).is_ok();
    if SYSTEM_FILES.iter().any(|file| is_there(root.join(file))) {
        Inside::System
    } else if is_there(layout::marker(root)) {
        Inside::Volume
    } else {
        Inside::Nothing
    }
}
