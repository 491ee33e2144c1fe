//! The profiles: which cameras the lab serves, and `lab cameras`, `lab clips`.

use crate::interrupted;
use holdfast_tests::LabError;
use holdfast_tests::camera::{Auth, CameraOptions, Sound, VirtualCamera};
use holdfast_tests::clip::{Clip, ClipSpec, VideoCodec};
use holdfast_tests::sound::SoundCodec;
use std::io::Write as _;
use std::time::Duration;

/// A set of cameras for a purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Profile {
    /// The four of `make run`: 1280x720 at 25 frames/s, 1.5 Mb/s
    Demo,
    /// The load of `make bench`: 1920x1080 at 30 frames/s, H.264 at 4 Mb/s, no sound
    Bench,
    /// 320x180 at 25 frames/s: as many as you like
    Small,
}

/// The demo cameras' names: who gets which codec does not show in them, as in life.
const NAMES: [&str; 4] = ["entrance", "yard", "loading-bay", "cab"];

/// The cameras of a profile.
pub fn cameras(profile: Profile, count: u8, port_base: Option<u16>) -> Vec<CameraOptions> {
    (0..count)
        .map(|at| {
            let options = match profile {
                Profile::Demo => demo(at),
                Profile::Bench => {
                    CameraOptions::new(&format!("bench-{at}"), u32::from(at), ClipSpec::bench())
                }
                Profile::Small => {
                    let clip = ClipSpec::small(VideoCodec::H264);
                    CameraOptions::new(&format!("small-{at}"), u32::from(at), clip)
                }
            };
            // Port 0 is any free one.
            options.port(port_base.map_or(0, |base| base.saturating_add(u16::from(at))))
        })
        .collect()
}

fn demo(at: u8) -> CameraOptions {
    let name = NAMES[usize::from(at) % NAMES.len()];
    let name = if usize::from(at) < NAMES.len() { name.to_owned() } else { format!("{name}-{at}") };
    let camera = |clip| CameraOptions::new(&name, u32::from(at), clip);
    match at % 4 {
        0 => camera(ClipSpec::demo(VideoCodec::H264)).sound(Sound::Sends(SoundCodec::Aac)),
        1 => camera(ClipSpec::demo(VideoCodec::H265))
            .auth(Auth::Digest { user: "viewer".to_owned(), password: "demo".to_owned() }),
        2 => camera(ClipSpec::demo(VideoCodec::H264).with_b_frames(2)).sound(Sound::Sends(SoundCodec::Pcma)),
        _ => camera(ClipSpec::demo(VideoCodec::H264)),
    }
}

/// Encodes every clip of every profile.
pub fn make_clips() -> Result<(), LabError> {
    for profile in [Profile::Demo, Profile::Bench, Profile::Small] {
        for options in cameras(profile, 4, None) {
            Clip::get(*options.video())?;
        }
    }
    println!("clips are in {}", Clip::cache_dir().display());
    Ok(())
}

/// Starts the cameras of a profile.
pub fn start(profile: Profile, count: u8, port_base: Option<u16>) -> Result<Vec<VirtualCamera>, LabError> {
    cameras(profile, count, port_base).into_iter().map(VirtualCamera::start).collect()
}

/// `lab cameras`: until interrupted.
pub fn serve(profile: Profile, count: u8, port_base: Option<u16>) -> Result<(), LabError> {
    eprintln!("preparing clips in {}", Clip::cache_dir().display());
    let cameras = start(profile, count, port_base)?;
    for camera in &cameras {
        let login = match camera.auth() {
            Auth::None => String::new(),
            Auth::Basic { user, password } | Auth::Digest { user, password } => {
                format!("  user {user}, password {password}")
            }
        };
        println!("{}  {}{login}", camera.url(), camera.name());
    }
    // Told to a script by the end of this output: the cameras can be reached now.
    println!("ready");
    std::io::stdout()
        .flush()
        .map_err(|source| LabError::Io { doing: "printing the URLs".to_owned(), source })?;
    while !holdfast_tests::wait_until(Duration::from_secs(3600), interrupted) {}
    Ok(())
}
