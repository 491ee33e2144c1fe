//! Two streams of one camera in one ring: which is taken, from when on, and what each reader sees of it.

use super::*;

/// As `story`, with the stream behind each GOP: `gM` begins anew with the main one, `GF` goes on with the fallback.
fn story(items: &[Item]) -> String {
    let word = |item: &Item| match item {
        Item::Gop { continues, stream } => {
            let stream = match stream {
                Stream::Main => 'M',
                Stream::Fallback => 'F',
            };
            format!("{}{stream}", if *continues { 'G' } else { 'g' })
        }
        Item::End => "E".into(),
        Item::Unit(_, unit) if unit.track == TrackKind::Audio => "a".into(),
        Item::Unit(_, unit) => ((unit.pts.0 - 1_000_000_000) / FRAME).to_string(),
    };
    items.iter().map(word).collect::<Vec<String>>().join(" ")
}

fn read(reader: &mut Reader) -> String {
    let mut items = Vec::new();
    assert!(reader.read(&mut items, 1000), "this reader is attached");
    story(&items)
}

fn audio(frame: u64) -> AccessUnit {
    AccessUnit { track: TrackKind::Audio, ..video(frame, true, 10) }
}

#[test]
fn the_other_stream_is_taken_from_its_next_keyframe_on_and_until_then_the_one_before() {
    let ring = ring(1 << 20, 60_000);
    let mut reader = ring.attach();
    let (main, fallback) = (ring.connect(Stream::Main), ring.connect(Stream::Fallback));
    feed(&main, 0, 3);
    feed(&fallback, 0, 3);
    assert_eq!(read(&mut reader), "gM 0 1 2", "what is not selected is nobody's");
    ring.select(Stream::Fallback);
    feed(&main, 3, 3);
    feed(&fallback, 3, 7);
    assert_eq!(read(&mut reader), "3 4 5", "no keyframe of it has come");
    feed(&main, 6, 2);
    feed(&fallback, 10, 2);
    feed(&main, 8, 4);
    assert_eq!(read(&mut reader), "6 7 E gF 10 11");
    feed(&fallback, 12, 9);
    assert_eq!(read(&mut reader), "12 13 14 15 16 17 18 19 GF 20");
}

#[test]
fn the_way_back_is_the_same() {
    let ring = ring(1 << 20, 60_000);
    let mut reader = ring.attach();
    let main = ring.connect(Stream::Main);
    feed(&main, 0, 2);
    let fallback = ring.connect(Stream::Fallback);
    ring.select(Stream::Fallback);
    feed(&fallback, 10, 3);
    ring.select(Stream::Main);
    feed(&main, 13, 7);
    feed(&fallback, 13, 8);
    feed(&main, 20, 2);
    feed(&fallback, 21, 2);
    fallback.end();
    feed(&main, 22, 1);
    assert_eq!(read(&mut reader), "gM 0 1 E gF 10 11 12 13 14 15 16 17 18 19 GF 20 E gM 20 21 22");
}

#[test]
fn a_main_stream_that_is_gone_leaves_the_ring_to_the_fallback() {
    let ring = ring(1 << 20, 60_000);
    let mut reader = ring.attach();
    let main = ring.connect(Stream::Main);
    feed(&main, 0, 2);
    main.end();
    assert_eq!(read(&mut reader), "gM 0 1 E");
    let fallback = ring.connect(Stream::Fallback);
    ring.select(Stream::Fallback);
    feed(&fallback, 5, 6);
    assert_eq!(read(&mut reader), "gF 10");
    // It comes back, proves itself, and disturbs nobody.
    let main = ring.connect(Stream::Main);
    feed(&main, 10, 5);
    feed(&fallback, 11, 2);
    main.end();
    assert_eq!(read(&mut reader), "11 12");
}

#[test]
fn what_an_old_connection_of_either_stream_brings_is_not_taken() {
    let ring = ring(1 << 20, 60_000);
    let mut reader = ring.attach();
    let hanging = ring.connect(Stream::Fallback);
    ring.select(Stream::Fallback);
    feed(&hanging, 0, 2);
    let fallback = ring.connect(Stream::Fallback);
    feed(&hanging, 2, 20);
    feed(&fallback, 30, 2);
    hanging.end();
    feed(&fallback, 32, 1);
    assert_eq!(read(&mut reader), "gF 0 1 E gF 30 31 32");
}

#[test]
fn a_flush_waits_for_the_next_keyframe_which_does_not_go_on_from_what_was() {
    let ring = ring(1 << 20, 60_000);
    let mut reader = ring.attach();
    let main = ring.connect(Stream::Main);
    feed(&main, 0, 3);
    main.flush();
    feed(&main, 3, 9);
    assert_eq!(read(&mut reader), "gM 0 1 2 gM 10 11");
    assert!(ring.take_drops().is_empty(), "nothing was dropped for want of room");
    main.flush();
    main.end();
    feed(&main, 20, 2);
    assert_eq!(read(&mut reader), "E", "a connection that is over takes nothing");
}

#[test]
fn sound_goes_with_the_stream_whose_connection_it_came_by_and_is_not_kept_while_memory_is_short() {
    let ring = ring(1 << 20, 60_000);
    let mut reader = ring.attach();
    let (main, fallback) = (ring.connect(Stream::Main), ring.connect(Stream::Fallback));
    feed(&main, 0, 1);
    main.push(audio(0));
    fallback.push(audio(0));
    ring.keep_audio(false);
    main.push(audio(1));
    feed(&main, 1, 1);
    ring.keep_audio(true);
    main.push(audio(1));
    assert_eq!(read(&mut reader), "gM 0 a 1 a");
}

#[test]
fn limits_that_shrink_drop_whole_gops_at_once_and_tell_them() {
    let ring = ring(10_000, 60_000);
    let main = ring.connect(Stream::Main);
    feed(&main, 0, 45);
    ring.set_limits(Limits { bytes: 3_000, time: Duration::from_secs(60) });
    assert!(ring.bytes() <= 3_000, "{}", ring.bytes());
    let drops = ring.take_drops();
    assert_eq!(drops.iter().map(|drop| drop.units).sum::<u32>(), 20, "{drops:?}");
    assert_eq!(read(&mut ring.attach()).split(' ').next(), Some("gM"));
}

#[derive(Clone, Debug)]
enum Act {
    Push { fallback: bool, keyframe: bool },
    Select { fallback: bool },
    Flush { fallback: bool },
    Reconnect { fallback: bool },
    Read,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        12 => (any::<bool>(), prop::bool::weighted(0.25)).prop_map(|(fallback, keyframe)| Act::Push { fallback, keyframe }),
        2 => any::<bool>().prop_map(|fallback| Act::Select { fallback }),
        1 => any::<bool>().prop_map(|fallback| Act::Flush { fallback }),
        1 => any::<bool>().prop_map(|fallback| Act::Reconnect { fallback }),
        3 => Just(Act::Read),
    ]
}

const fn stream(fallback: bool) -> Stream {
    if fallback { Stream::Fallback } else { Stream::Main }
}

proptest! {
    /// Whatever the two streams bring: each GOP is of one stream and begins with a keyframe, no unit is read twice, a
    /// switch is an end, and what goes on goes on in the same stream.
    #[test]
    fn a_reader_gets_whole_gops_of_one_stream_each(acts in prop::collection::vec(act(), 1..300)) {
        let ring = ring(1 << 30, 3_600_000);
        let mut feeds = [ring.connect(Stream::Main), ring.connect(Stream::Fallback)];
        let mut reader = ring.attach();
        let (mut frame, mut shown, mut last) = (0u64, None, None);
        for act in acts.into_iter().chain([Act::Read]) {
            match act {
                Act::Push { fallback, keyframe } => {
                    // Even bytes are the main stream's, odd ones the fallback's.
                    feeds[usize::from(fallback)].push(video(frame, keyframe, 100 + usize::from(fallback)));
                    frame += 1;
                }
                Act::Select { fallback } => ring.select(stream(fallback)),
                Act::Flush { fallback } => feeds[usize::from(fallback)].flush(),
                Act::Reconnect { fallback } => feeds[usize::from(fallback)] = ring.connect(stream(fallback)),
                Act::Read => {
                    let (mut items, mut begun) = (Vec::new(), false);
                    prop_assert!(reader.read(&mut items, 100_000));
                    for item in items {
                        match item {
                            Item::Gop { continues, stream } => {
                                prop_assert!(!continues || shown == Some(stream), "it goes on in its own stream");
                                (shown, begun) = (Some(stream), true);
                            }
                            Item::End => shown = None,
                            Item::Unit(_, unit) => {
                                prop_assert!(!begun || unit.keyframe, "a GOP begins with its keyframe");
                                begun = false;
                                let of = stream(unit.len() % 2 == 1);
                                prop_assert_eq!(shown, Some(of), "a GOP is of one stream");
                                prop_assert!(last.is_none_or(|last| unit.pts > last), "nothing is read twice");
                                last = Some(unit.pts);
                            }
                        }
                    }
                }
            }
        }
    }
}
