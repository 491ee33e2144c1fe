//! Cameras, a device, and what every story asks of them.

use holdfast_tests::camera::{CameraOptions, SentFrame, VirtualCamera};
use holdfast_tests::clip::{ClipSpec, VideoCodec};
use holdfast_tests::device::{Device, frame_numbers};
use holdfast_tests::disk::Disk;
use holdfast_tests::report::Report;
use holdfast_tests::{recorder, wait_until, wall_micros};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Longest that anything is waited for that ought to happen in a second or two.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Recording is to resume within 3 s; a machine that builds something beside gets ten times that.
pub const RESUMED: Duration = Duration::from_secs(30);

/// Holds all that any story records.
const DISK: u64 = 256 << 20;

pub struct Set<'c> {
    pub device: Device,
    cameras: &'c [VirtualCamera],
}

pub fn cameras(count: usize) -> Vec<VirtualCamera> {
    let all = [
        ("entrance", 1, VideoCodec::H264),
        ("yard", 2, VideoCodec::H265),
        ("gate", 3, VideoCodec::H264),
        ("stairs", 4, VideoCodec::H265),
    ];
    let options =
        all.into_iter().map(|(name, tag, codec)| CameraOptions::new(name, tag, ClipSpec::small(codec)));
    options.take(count).map(|options| VirtualCamera::start(options).unwrap()).collect()
}

/// A disk with ext4 and this label.
pub fn disk(folder: &Path, name: &str, label: &str) -> Disk {
    Disk::new(&folder.join(name), DISK, "ext4", label).unwrap()
}

/// A frame's own time and its time by the recorder's clock differ by what it was on its way.
pub fn is_within(filmed: i64, from: i64, to: i64) -> bool {
    (from - 500_000..=to + 500_000).contains(&filmed)
}

impl<'c> Set<'c> {
    pub fn new(folder: &Path, cameras: &'c [VirtualCamera], ring: &str) -> Set<'c> {
        let device = Device::new(folder, "van-12", cameras, &[("ring", ring), ("segment", "10s")]).unwrap();
        Set { device, cameras }
    }

    pub fn until(&self, mut condition: impl FnMut(&Self) -> bool) -> bool {
        wait_until(PATIENCE, || condition(self))
    }

    /// Until the cameras have filmed for so long.
    pub fn film(&self, length: Duration) {
        let camera = &self.cameras[0];
        let end = wall_micros() + i64::try_from(length.as_micros()).unwrap();
        let filmed = || camera.log().last().is_some_and(|frame| frame.wall_micros >= end);
        assert!(wait_until(PATIENCE + length, filmed), "the camera does not film");
    }

    /// The id of the only volume that is mounted, once one is.
    pub fn first_volume(&self) -> String {
        assert!(self.until(|set| !set.device.mounted().is_empty()), "{}", self.device.story());
        let mounted = self.device.mounted();
        let [volume] = mounted.as_slice() else { panic!("more than one: {mounted:?}") };
        volume.clone()
    }

    /// Waits until new footage of every camera lies on the volume.
    pub fn expect_footage(&self, volume: &str, known: &BTreeSet<PathBuf>) {
        let comes = self.device.records_anew(volume, self.cameras, known, RESUMED + PATIENCE);
        assert!(
            comes,
            "no new footage on {volume}; mounted: {:?}\n{}",
            self.device.mounted(),
            self.device.story()
        );
    }

    /// Waits until no mount and no mount point is left.
    pub fn expect_nothing_mounted(&self, round: u64) {
        let gone = self.until(|set| set.device.mounted().is_empty() && set.device.mount_points().is_empty());
        let (mounted, points) = (self.device.mounted(), self.device.mount_points());
        assert!(gone, "round {round}: {mounted:?}, {points:?} stay\n{}", self.device.story());
    }

    /// The alarms whose condition holds.
    pub fn alarms(&self) -> Vec<String> {
        let status = self.device.status();
        let alarms = status["alarms"].as_array().cloned().unwrap_or_default();
        alarms.iter().filter_map(|alarm| alarm["text"].as_str().map(str::to_owned)).collect()
    }

    /// Waits for an alarm with these words. Whether it came.
    pub fn alarm(&self, words: &str) -> bool {
        self.until(|set| set.alarms().iter().any(|alarm| alarm.contains(words)))
    }

    /// Stops the recorder. When, in microseconds of UTC.
    pub fn stop(&mut self) -> i64 {
        let now = wall_micros();
        self.device.stop().unwrap();
        now
    }

    /// No camera connected a second time, in `lives` lives of the recorder.
    pub fn expect_connections(&self, lives: usize) {
        let log = self.device.log();
        for camera in self.cameras {
            let of = |text: &str| {
                log.lines().filter(|line| line.contains(camera.name()) && line.contains(text)).count()
            };
            assert_eq!(
                (of("connecting over"), of("in a row")),
                (lives, 0),
                "{} reconnected:\n{log}",
                camera.name()
            );
        }
    }

    pub fn expect_no_reconnect(&self) {
        self.expect_connections(1);
    }

    /// `holdfast coverage` of a volume that is mounted; it adds up, or this fails.
    pub fn coverage(&self, volume: &str) -> Report {
        let place = self.device.volumes().join(volume);
        let report = Report::ask(&recorder::binary().unwrap(), &place, &[]).unwrap();
        assert_eq!(report.volume, volume);
        assert_eq!(report.cameras.len(), self.cameras.len());
        report
    }

    /// The numbers of a camera's recorded frames, sorted.
    pub fn frames(&self, volumes: &[&str], camera: &VirtualCamera) -> Vec<u64> {
        let places: Vec<PathBuf> = volumes.iter().map(|volume| self.device.volumes().join(volume)).collect();
        let numbers = frame_numbers(&places, camera).unwrap();
        assert!(!numbers.is_empty(), "{}: nothing was recorded", camera.name());
        numbers
    }

    /// What a camera filmed from its first recorded frame until half a second before `until`, and no volume has.
    pub fn missing_frames(&self, volumes: &[&str], camera: &VirtualCamera, until: i64) -> Vec<SentFrame> {
        let there = self.frames(volumes, camera);
        let owed = |frame: &SentFrame| frame.number >= there[0] && frame.wall_micros < until - 500_000;
        let missing = |frame: &SentFrame| owed(frame) && there.binary_search(&frame.number).is_err();
        camera.log().into_iter().filter(missing).collect()
    }

    pub fn expect_all_frames(&self, volumes: &[&str], until: i64) {
        for camera in self.cameras {
            let missing: Vec<u64> =
                self.missing_frames(volumes, camera, until).iter().map(|frame| frame.number).collect();
            assert!(
                missing.is_empty(),
                "{}: {} frames are missing: {missing:?}\n{}",
                camera.name(),
                missing.len(),
                self.device.story()
            );
        }
    }
}
