//! Which identities this recorder has in use: a second filesystem with one of them is a copy, and is refused.
//!
//! A **claim** is made by a volume's thread when it has opened the volume, and let go of by the loop when that thread is
//! done with or given up: a thread that hangs in the kernel must not keep its own disk from being used when it comes back.

use super::identity::{Identity, Relation};
use super::{Volume, VolumeError};
use holdfast_wire::cause::Fault;
use std::sync::{Arc, Mutex, PoisonError};

/// Who claims: a number that nobody else has.
pub type Claimant = u64;

/// The identities in use.
#[derive(Clone, Debug, Default)]
pub struct InUse(Arc<Mutex<Vec<(Claimant, Identity)>>>);

impl InUse {
    /// Claims the identity of an opened volume.
    ///
    /// Fails with [`Fault::Duplicate`] if another filesystem with the same id is in use, and with [`Fault::InUse`] if it is
    /// the same volume, reached by two paths.
    pub fn claim(&self, claimant: Claimant, volume: &Volume) -> Result<(), VolumeError> {
        let identity = volume.identity();
        let mut claims = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (_, other) in claims.iter().filter(|(owner, _)| *owner != claimant) {
            let (fault, detail) = match other.relation(&identity) {
                Relation::Different => continue,
                Relation::Duplicate => {
                    (Fault::Duplicate, "`holdfast volume adopt --new-identity` makes it a volume of its own")
                }
                Relation::Same => (Fault::InUse, "the configuration names it twice"),
            };
            return Err(VolumeError::found(fault, "use", volume.root(), detail));
        }
        claims.retain(|(owner, _)| *owner != claimant);
        claims.push((claimant, identity));
        Ok(())
    }

    /// Lets go of what was claimed.
    pub fn release(&self, claimant: Claimant) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|(owner, _)| *owner != claimant);
    }

    /// The id that was claimed.
    pub fn id_of(&self, claimant: Claimant) -> Option<holdfast_wire::ids::VolumeId> {
        let claims = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        claims.iter().find(|(owner, _)| *owner == claimant).map(|(_, identity)| identity.id)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Adoption, Knowledge, Place};
    use super::*;
    use holdfast_wire::ids::{Id128, Name};
    use holdfast_wire::time::Wall;
    use std::path::Path;

    fn open(path: &Path, id: u8) -> Volume {
        let device = Name::new("van-12").unwrap();
        let adoption = Adoption { id: Id128([id; 16]), device, formerly: Vec::new(), at: Wall(0) };
        Volume::open(&Place::Directory { path: path.to_owned() }, &adoption, Knowledge::Unknown).unwrap()
    }

    #[test]
    fn a_copy_is_refused_while_the_first_is_in_use_and_taken_when_that_was_let_go_of() {
        let place = tempfile::tempdir().unwrap();
        let paths = ["original", "copy", "other"].map(|name| place.path().join(name));
        paths.iter().for_each(|path| std::fs::create_dir(path).unwrap());
        let (original, copy, other) = (open(&paths[0], 1), open(&paths[1], 1), open(&paths[2], 2));
        let in_use = InUse::default();
        in_use.claim(1, &original).unwrap();
        in_use.claim(1, &original).unwrap();
        assert_eq!(in_use.claim(2, &copy).unwrap_err().fault, Fault::Duplicate);
        in_use.claim(3, &other).unwrap();
        assert_eq!(in_use.claim(4, &original).unwrap_err().fault, Fault::InUse);
        in_use.release(1);
        in_use.claim(2, &copy).unwrap();
        assert_eq!(in_use.id_of(2), Some(Id128([1; 16])));
        assert_eq!(in_use.id_of(1), None);
    }
}
