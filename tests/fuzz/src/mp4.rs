//! A segment's file: whatever is in it, no more is believed than it holds, and what is kept of it is read again as the same.

use holdfast::mp4::{header, scan};
use std::io::Cursor;

/// Reads a file.
pub fn run(data: &[u8]) {
    let length = data.len() as u64;
    let head = header(Cursor::new(data), length);
    let Ok(facts) = scan(Cursor::new(data), length) else { return };
    assert_eq!(head.ok().as_ref(), Some(&facts.header), "what is read of all is read of the start");
    assert_eq!(facts.durable_len + facts.torn_bytes, length);
    assert!(facts.stretches.iter().all(|stretch| stretch.from <= stretch.to), "{facts:?}");
    assert!(facts.stretches.windows(2).all(|two| two[0].to < two[1].from), "{facts:?}");
    // As after a repair, which cuts the torn tail.
    let kept = &data[..usize::try_from(facts.durable_len).expect("less than the data")];
    let again = scan(Cursor::new(kept), facts.durable_len).expect("it was read before");
    assert_eq!(again.torn_bytes, 0, "{facts:?}");
    assert_eq!((again.frames, again.end, &again.stretches), (facts.frames, facts.end, &facts.stretches));
}
