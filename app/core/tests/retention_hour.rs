//! An hour of four cameras on a volume of 256 MB, which holds about ten minutes of them: no write ever meets a full
//! volume, what is protected stays, and each deletion is the one that the model plans (checked by `shelf::World::steps`).

mod shelf;

use holdfast_core::retention::{Rule, Step};
use shelf::{MB, Statvfs, World};

/// Kilobits a second.
const RATES: [u64; 4] = [300, 600, 1000, 1500];
const TOTAL: u64 = 256 * MB;
/// Four turns a second, as the volume's thread takes them.
const TURN: u64 = 250_000_000;

struct Hour {
    world: World,
    /// Bytes of each camera's open segment. They take space and are no candidates.
    open: [u64; 4],
    /// Writes that met a full volume.
    refused: usize,
    least_free: u64,
    by_space: usize,
    by_emergency: usize,
}

impl Hour {
    fn new(statvfs: Statvfs, rate: bool) -> Self {
        let mut world = World::new(TOTAL, &[Some(30); 4]);
        world.statvfs = statvfs;
        if rate {
            world.cleaner.rate(RATES.iter().sum::<u64>() * 1000 / 8);
        }
        Hour { world, open: [0; 4], refused: 0, least_free: TOTAL, by_space: 0, by_emergency: 0 }
    }

    fn run(mut self) -> Self {
        for turn in 0..3600 * 4 {
            self.turn(turn);
        }
        self
    }

    fn turn(&mut self, turn: u64) {
        self.world.now = self.world.now + core::time::Duration::from_nanos(TURN);
        for (camera, rate) in RATES.into_iter().enumerate() {
            self.write(camera, rate * 1000 / 8 / 4);
            // Segments of 60 s, each camera's at its own moment.
            if turn % 240 == 60 * camera as u64 {
                self.world.volume.foreign -= self.open[camera];
                self.world.put(camera, 0, self.open[camera]);
                self.open[camera] = 0;
            }
        }
        self.least_free = self.least_free.min(self.world.volume.free());
        // Every ten minutes a person protects the last two of all cameras; what was protected half an hour ago is
        // let go.
        if turn % 2400 == 2399 {
            let now = self.world.now;
            for camera in &mut self.world.volume.cameras {
                for segment in &mut camera.segments {
                    let age = now.since(segment.end).as_secs();
                    segment.candidate.protected = age < 120 || segment.candidate.protected && age < 1800;
                }
            }
        }
        if turn.is_multiple_of(4) {
            self.world.turn()
        } else {
            self.world.steps()
        };
        for (_, _, rule) in self.world.log.drain(..) {
            match rule {
                Rule::Space => self.by_space += 1,
                Rule::EmergencySpace => self.by_emergency += 1,
                Rule::Age | Rule::EmergencyAge => panic!("nothing is old: {rule:?}"),
            }
        }
    }

    /// A write that is refused is tried again after cleaning, in the same turn.
    fn write(&mut self, camera: usize, bytes: u64) {
        if self.world.volume.free() < bytes {
            self.refused += 1;
            self.world.cleaner.full(self.world.now, bytes);
            self.world.steps();
            assert!(!self.world.cleaner.is_full());
        }
        assert!(self.world.volume.free() >= bytes, "it is still full");
        self.world.volume.foreign += bytes;
        self.open[camera] += bytes;
        self.world.cleaner.written();
    }

    fn protected(&self) -> usize {
        let all = self.world.volume.cameras.iter().flat_map(|camera| &camera.segments);
        all.filter(|segment| segment.candidate.protected).count()
    }
}

#[test]
fn no_write_meets_a_full_volume() {
    for (case, statvfs, rate) in [
        ("with figures and the rate", Statvfs::True, true),
        ("with figures that are a second late", Statvfs::Late(1), true),
        ("with the rate not known", Statvfs::True, false),
    ] {
        let hour = Hour::new(statvfs, rate).run();
        assert_eq!((hour.refused, hour.by_emergency), (0, 0), "{case}");
        assert!(hour.by_space > 180, "{case}: it filled more than five times: {}", hour.by_space);
        assert!(hour.least_free > if rate { 24 * MB } else { 8 * MB }, "{case}: {}", hour.least_free);
        assert!(hour.protected() >= 4, "{case}: {}", hour.protected());
        let needed = hour.world.said.iter().filter(|(_, step)| !matches!(step, Step::Rest { .. })).count();
        assert!(needed <= 3, "{case}: {:?}", hour.world.said);
    }
}

#[test]
fn without_any_figures_every_write_that_is_refused_succeeds_in_the_same_turn() {
    let hour = Hour::new(Statvfs::Fails, true).run();
    assert_eq!(hour.by_space, 0);
    assert!((100..400).contains(&hour.refused), "one for 10 s of footage: {}", hour.refused);
}
