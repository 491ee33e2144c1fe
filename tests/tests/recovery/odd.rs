//! Failures that take a camera, and not the way to it, to make: a keep-alive that is refused, a stream without keyframes, one
//! of sound alone, a certificate that nobody trusts; and a network that has no way to it.

use holdfast_tests::camera::{CameraOptions, Sound, VirtualCamera};
use holdfast_tests::clip::{ClipSpec, VideoCodec};
use holdfast_tests::proxy::{Proxy, Rules};
use holdfast_tests::recorder::CameraEntry;
use holdfast_tests::script::{Answer, Script, When};
use holdfast_tests::sound::SoundCodec;
use holdfast_tests::stage::{PATIENCE, Stage, lines};
use holdfast_tests::watch::Status;
use holdfast_tests::{wait_until, wall_micros};

fn camera(name: &str, tag: u32) -> CameraOptions {
    CameraOptions::new(name, tag, ClipSpec::small(VideoCodec::H264))
}

pub fn what_a_camera_does_wrong_inside_a_connection_is_told_for_what_it_is() {
    let stage = Stage::new().unwrap();
    let start = |options| VirtualCamera::start(options).unwrap();
    let pedantic = start(camera("pedantic", 1));
    let keyless = start(camera("keyless", 2));
    let blind = start(camera("blind", 3).sound(Sound::Sends(SoundCodec::Pcma)));
    let untrusted = start(camera("untrusted", 4).tls());
    let proxy = Proxy::start(&pedantic.url()).unwrap();
    // A session that cannot be kept alive.
    let script = Script::default().and("OPTIONS", When::InSession, Answer::Status(454)).and(
        "GET_PARAMETER",
        When::InSession,
        Answer::Status(454),
    );
    proxy.rule(Rules { script, ..Rules::default() });
    let mut entries: Vec<CameraEntry> = [&keyless, &blind, &untrusted].map(CameraEntry::of).to_vec();
    entries.push(CameraEntry::of(&pedantic).by_way_of(&proxy.url()));
    // The kernel has no route for TCP to many.
    let nowhere = CameraEntry::of(&keyless).by_way_of("rtsp://224.0.0.1:554/main");
    entries.push(CameraEntry { id: "nowhere".to_owned(), ..nowhere });
    let recorder = stage.record(&stage.configuration(entries)).unwrap();
    let recording = |status: &Status| {
        let recorded = |id| status.camera(id).is_some_and(|camera| camera.state == "recording");
        ["pedantic", "keyless", "blind"].into_iter().all(recorded)
    };
    Status::until(&stage, &recorder, PATIENCE, "those that can be recorded are", recording).unwrap();
    keyless.drop_keyframes(true);
    blind.go_blind(true);
    let told = |id: &str, words: &str| {
        let told = || !lines(&recorder.log(), &[&format!("CAMERA={id}"), words]).is_empty();
        assert!(wait_until(PATIENCE, told), "{id} is not told for {words:?}:\n{}", recorder.log());
    };
    told("untrusted", "TLS handshake or certificate refused");
    told("nowhere", "host or network unreachable");
    told("blind", "connected, but no video arrives");
    blind.go_blind(false);
    told("keyless", "no keyframe arrives");
    keyless.drop_keyframes(false);
    // By now, half a minute later, a keep-alive was refused; then a camera ends the session.
    proxy.hang_up();
    told("pedantic", "keep-alive refused by the camera");
    proxy.rule(Rules::default());
    let mended = wall_micros();
    let back = |status: &Status| {
        let fresh = |id| status.camera(id).is_some_and(|camera| camera.durable_until > mended);
        recording(status) && ["pedantic", "keyless", "blind"].into_iter().all(fresh)
    };
    Status::until(&stage, &recorder, PATIENCE * 2, "they are recorded again", back).unwrap();
    stage.stop(recorder).unwrap();
}
