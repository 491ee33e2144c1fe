use super::*;
use proptest::prelude::*;

fn message(kind: u16, flags: u16, body: &[u8]) -> Vec<u8> {
    let length = HEADER + body.len();
    let mut bytes = (length as u32).to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.extend([0; 8]);
    bytes.extend(body);
    bytes.resize(length.next_multiple_of(4), 0);
    bytes
}

fn link(kind: u16, index: i32, flags: u32) -> Vec<u8> {
    let mut body = vec![0; 4];
    body.extend(index.to_ne_bytes());
    body.extend(flags.to_ne_bytes());
    body.extend([0; 4]);
    body.extend(b"and attributes"); // no multiple of four
    message(kind, 0, &body)
}

fn up(index: i32) -> Vec<u8> {
    link(NEW_LINK, index, UP | LOWER_UP)
}

fn down(index: i32) -> Vec<u8> {
    link(NEW_LINK, index, UP)
}

fn done() -> Vec<u8> {
    message(DONE, 0, &[0; 4])
}

#[test]
fn what_has_a_carrier() {
    let cases = [
        ("up, with a carrier", link(NEW_LINK, 2, UP | LOWER_UP | 0x1042), true),
        ("up, its cable is pulled", link(NEW_LINK, 2, UP), false),
        ("with a carrier, but down", link(NEW_LINK, 2, LOWER_UP), false),
        ("the loopback", link(NEW_LINK, 1, UP | LOWER_UP | LOOPBACK), false),
        ("gone", link(DELETED_LINK, 2, UP | LOWER_UP), false),
    ];
    for (name, bytes, expected) in cases {
        let found: Vec<_> = messages(&bytes).collect();
        let [Message::Link { carrier, .. }] = found[..] else { panic!("{name}: {found:?}") };
        assert_eq!(carrier, expected, "{name}");
    }
}

#[test]
fn all_messages_of_a_datagram_are_read_and_cut_ones_are_not() {
    let whole = [up(2), message(999, 0, b"?"), down(3), done()].concat();
    let expected = [
        Message::Link { index: 2, carrier: true },
        Message::Link { index: 3, carrier: false },
        Message::Done,
    ];
    assert_eq!(messages(&whole).collect::<Vec<_>>(), expected);
    assert_eq!(messages(&whole[..whole.len() - 1]).collect::<Vec<_>>(), expected[..2]);
    assert_eq!(
        messages(&message(ERROR, 0, &(-16i32).to_ne_bytes())).collect::<Vec<_>>(),
        [Message::Refused(16)]
    );
    assert_eq!(messages(&message(ERROR, 0, &[0; 4])).collect::<Vec<_>>(), [], "an acknowledgement");
}

/// What happens to the links, in order, and what is told of it then.
enum Step {
    Comes(Vec<Vec<u8>>),
    Lost,
    /// A dump must have been asked for.
    Asked,
    Told(Option<bool>),
}

#[test]
fn stories_of_links() {
    use Step::{Asked, Comes, Lost, Told};
    let stories: Vec<(&str, Vec<Step>)> = vec![
        (
            "told when the list is whole, and when the last goes and the first comes",
            vec![
                Comes(vec![up(2)]),
                Told(None),
                Comes(vec![up(3), done()]),
                Told(Some(true)),
                Comes(vec![down(2)]),
                Told(None),
                Comes(vec![link(DELETED_LINK, 3, UP | LOWER_UP)]),
                Told(Some(false)),
                Comes(vec![down(2)]),
                Told(None),
                Comes(vec![up(4)]),
                Told(Some(true)),
            ],
        ),
        ("none from the start", vec![Comes(vec![down(2), done()]), Told(Some(false))]),
        (
            "a pull that was lost is in the next list",
            vec![
                Comes(vec![up(2), up(3), done()]),
                Told(Some(true)),
                Lost,
                Asked,
                Told(None),
                Comes(vec![down(2)]),
                Told(None),
                Comes(vec![down(3), done()]),
                Told(Some(false)),
            ],
        ),
        (
            "lost while the list comes: it is read to its end, then asked for anew",
            vec![
                Comes(vec![up(2)]),
                Lost,
                Comes(vec![up(3)]),
                Told(None),
                Comes(vec![done()]),
                Asked,
                Told(None),
                Comes(vec![up(2), done()]),
                Told(Some(true)),
            ],
        ),
        (
            "a list that changed while it was made",
            vec![
                Comes(vec![up(2), message(DONE, DUMP_INTERRUPTED, &[0; 4])]),
                Asked,
                Comes(vec![down(2), done()]),
                Told(Some(false)),
            ],
        ),
        (
            "no list: nothing is told, and it is asked for again when a link changes",
            vec![
                Comes(vec![message(ERROR, 0, &(-1i32).to_ne_bytes())]),
                Told(None),
                Comes(vec![down(2)]),
                Asked,
                Comes(vec![down(2), up(3), done()]),
                Told(Some(true)),
            ],
        ),
    ];
    for (name, steps) in stories {
        let mut links = Links::default();
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                Comes(datagrams) => {
                    datagrams.iter().flat_map(|bytes| messages(bytes)).for_each(|it| links.learn(it))
                }
                Lost => links.lost(),
                Asked => {
                    assert!(links.wants_dump(), "{name}: step {number}: {links:?}");
                    links.asked();
                }
                Told(expected) => {
                    assert!(!links.wants_dump(), "{name}: step {number}: {links:?}");
                    assert_eq!(links.news(), expected, "{name}: step {number}: {links:?}");
                }
            }
        }
    }
}

#[test]
fn what_is_wrong_is_said_once_until_the_links_are_known_again() {
    let learn = |links: &mut Links, datagram: Vec<u8>| messages(&datagram).for_each(|it| links.learn(it));
    let refused = || message(ERROR, 0, &(-1i32).to_ne_bytes());
    let mut links = Links::default();
    assert!(links.is_first_complaint());
    let mut links_of_a_sandbox = Links::default();
    for round in 0..3 {
        learn(&mut links_of_a_sandbox, refused());
        assert!(!links_of_a_sandbox.is_first_complaint(), "{round}");
        learn(&mut links_of_a_sandbox, down(2));
        links_of_a_sandbox.asked();
    }
    learn(&mut links, refused());
    learn(&mut links, up(2));
    links.asked();
    learn(&mut links, [up(2), done()].concat());
    assert!(links.is_first_complaint(), "they were known in between");
}

proptest! {
    #[test]
    fn no_bytes_break_the_reader(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut links = Links::default();
        messages(&bytes).for_each(|message| links.learn(message));
    }
}
