//! `holdfast volume mount`, `unmount` and `adopt`: from the command line to the helper and back.

use super::{Adopt, Meeting, Mount, Unmount, Who};
use crate::cli::exit::Exit;
use crate::cli::output;
use crate::config;
use crate::host::clock;
use crate::volumes::adopt::{Adopted, Ground, Wish};
use crate::volumes::helper::mount::{Purpose, Ran};
use crate::volumes::helper::owner::Owner;
use crate::volumes::helper::unmount::Manner;
use crate::volumes::helper::{Device, Helper, mount as mounting, requests, unmount as unmounting};
use crate::volumes::report::{Check, DiskReport, Outcome};
use crate::volumes::{self, Adoption};
use std::error::Error;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// `holdfast volume mount`.
pub fn mount(args: &Mount) -> Result<Exit, Box<dyn Error>> {
    let helper = helper(&args.meeting, &args.who)?;
    told(&mounting::run(&helper, &args.device, Purpose::Plugged)?, Exit::Done)
}

/// `holdfast volume unmount`.
pub fn unmount(args: &Unmount) -> Result<Exit, Box<dyn Error>> {
    let helper = helper(&args.meeting, &args.who)?;
    let Some(named) = &args.named else {
        return Ok(if requests::run(&helper) == 0 { Exit::Done } else { Exit::Failed });
    };
    let manner = if args.lazy { Manner::Lazy } else { Manner::Orderly };
    let unmounted = unmounting::run(&helper, named, manner)?;
    let lines = unmounted.paths.iter().map(|path| format!("{} is unmounted\n", path.display()));
    let text: String = lines.collect();
    output::write(if text.is_empty() { "nothing was mounted\n" } else { &text })?;
    Ok(Exit::Done)
}

/// `holdfast volume adopt`.
pub fn adopt(args: &Adopt) -> Result<Exit, Box<dyn Error>> {
    let helper = helper(&args.meeting, &args.who)?;
    let wish = if args.new_identity { Wish::NewIdentity } else { Wish::Keep };
    if Path::new(&args.what).is_dir() {
        return adopt_directory(&helper, Path::new(&args.what), wish);
    }
    told(&mounting::run(&helper, &args.what, Purpose::Asked(wish))?, Exit::Failed)
}

/// A directory, or a path at which somebody else has mounted a disk.
fn adopt_directory(helper: &Helper, root: &Path, wish: Wish) -> Result<Exit, Box<dyn Error>> {
    let clean =
        fs::canonicalize(root).map_err(|error| format!("{} cannot be found: {error}", root.display()))?;
    if let Some(why) = config::unfit_for_a_volume(&clean.display().to_string(), &clean) {
        return Err(format!("{} was not adopted: it {why}", root.display()).into());
    }
    let Device { name, formerly } = helper.device.clone()?;
    let adoption = Adoption { id: helper.new_volume, device: name, formerly, at: helper.now };
    let device = |path: &Path| fs::metadata(path).map(|facts| facts.dev());
    let here = device(root)?;
    let is_disk = here != device(Path::new("/"))? && here != device(&root.join(".."))?;
    let ground = if is_disk { Ground::Filesystem { told_uuid: None } } else { Ground::Directory };
    let adopted = volumes::adopt::adopt(root, ground, &adoption, wish)?;
    if let Some(owner) = helper.owner {
        owner.take_all(root)?;
    }
    let Adopted { id, fresh, renewed_from, taken_from } = adopted;
    let mut text = format!("{} is volume {id}", root.display());
    if fresh {
        text += ", adopted now";
    }
    if let Some(before) = renewed_from {
        text += &format!(", which was {before}");
    }
    if let Some(from) = taken_from {
        text += &format!(", taken over from \"{from}\"");
    }
    output::write(&(text + "\n"))?;
    Ok(Exit::Done)
}

fn helper(meeting: &Meeting, who: &Who) -> Result<Helper, Box<dyn Error>> {
    let owner = who.owner.as_deref().map(Owner::parse).transpose()?;
    let device = config::device(&who.config).map(|(name, formerly)| Device { name, formerly });
    let volumes = meeting.at.clone().unwrap_or_else(|| meeting.runtime.join("volumes"));
    Ok(Helper {
        run: meeting.runtime.clone(),
        volumes,
        owner,
        device,
        new_volume: clock::random_id()?,
        now: clock::now().wall,
    })
}

/// Says what became of a disk: in the journal where systemd runs this, to the person who typed it else. That a disk is not
/// used is as it should be when it was plugged in, and no success when somebody asked for it.
fn told(ran: &Ran, unused: Exit) -> Result<Exit, Box<dyn Error>> {
    let report = match ran {
        Ran::PassedOver(text) => {
            output::write(&format!("{text}\n"))?;
            return Ok(unused);
        }
        Ran::Reported(report) => report,
    };
    let DiskReport { disk, outcome, check, text, .. } = report.as_ref();
    match outcome {
        Outcome::Mounted { volume, path, .. } => {
            if !text.is_empty() {
                let level = if *check == Some(Check::Mended) { log::Level::Warn } else { log::Level::Info };
                log::log!(level, "{text}");
            }
            output::write(&format!("{disk} is volume {volume}, mounted at {}\n", path.display()))?;
            Ok(Exit::Done)
        }
        Outcome::LeftAlone { .. } | Outcome::Unmounted { .. } => {
            output::write(&format!("{text}\n"))?;
            Ok(unused)
        }
        Outcome::Refused { .. } | Outcome::Failed { .. } => {
            log::error!("{text}");
            Ok(Exit::Failed)
        }
    }
}
