//! RTP packets that no depayloader of ours can take are left out before it: it would give up at one, and with it the
//! connection. What is missing then is seen behind it as a packet that was lost.

use gstreamer as gst;
use gstreamer::prelude::*;

/// Of an RTP packet's header, without what may follow it (RFC 3550, section 5.1).
const FIXED_HEADER: usize = 12;

/// Leaves them out before this depayloader.
pub(super) fn guard(depayloader: &gst::Element) {
    let takes: fn(&[u8]) -> bool = match depayloader.factory().map(|factory| factory.name()).as_deref() {
        Some("rtph264depay") => takes_h264,
        Some("rtph265depay") => takes_h265,
        Some(_) | None => return,
    };
    let Some(pad) = depayloader.static_pad("sink") else { return };
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let taken = info.buffer().is_none_or(|packet| {
            // Header and payload may be two memories: the first bytes of both are copied, no more.
            let mut start = [0; 256];
            let length = packet.size().min(start.len());
            packet.copy_to_slice(0, &mut start[..length]).is_err()
                || payload(&start[..length]).is_none_or(takes)
        });
        if taken { gst::PadProbeReturn::Ok } else { gst::PadProbeReturn::Drop }
    });
}

/// The beginning of a packet's payload. `None` if the packet is shorter than it says, or its header longer than we look.
fn payload(packet: &[u8]) -> Option<&[u8]> {
    let first = *packet.first()?;
    let mut header = FIXED_HEADER + 4 * usize::from(first & 0x0f);
    if first & 0x10 != 0 {
        let words = packet.get(header + 2..header + 4)?;
        header += 4 + 4 * words.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
    }
    packet.get(header..).filter(|payload| !payload.is_empty())
}

/// RFC 6184, table 1: packets for interleaved streams (STAP-B, MTAP), which were not agreed on, and types that are reserved.
fn takes_h264(payload: &[u8]) -> bool {
    payload.first().is_none_or(|header| !matches!(header & 0x1f, 0 | 25..=27 | 30 | 31))
}

/// RFC 7798, section 4.4: PACI, which no camera sends, and what is reserved.
fn takes_h265(payload: &[u8]) -> bool {
    payload.first().is_none_or(|header| !matches!(header >> 1 & 0x3f, 50..=63))
}

#[cfg(test)]
mod tests {
    use super::*;
    use gstreamer_app as gst_app;

    /// A packet of payload type 96 with this payload.
    fn packet(number: u16, payload: &[u8]) -> Vec<u8> {
        let mut packet = vec![0x80, 0x80 | 96];
        packet.extend(number.to_be_bytes());
        packet.extend((u32::from(number) * 3600).to_be_bytes());
        packet.extend([1, 2, 3, 4]);
        packet.extend(payload);
        packet
    }

    #[test]
    fn the_payload_is_found_behind_whatever_header() {
        let plain = packet(1, &[0x41, 0x9a]);
        assert_eq!(payload(&plain), Some(&[0x41, 0x9a][..]));
        let mut with_sources = packet(1, &[0; 8]);
        with_sources[0] = 0x82;
        with_sources.push(0x65);
        assert_eq!(payload(&with_sources), Some(&[0x65][..]));
        let mut with_extension = packet(1, &[0xbe, 0xde, 0, 1, 9, 9, 9, 9, 0x67]);
        with_extension[0] = 0x90;
        assert_eq!(payload(&with_extension), Some(&[0x67][..]));
        for cut in 0..=12 {
            assert_eq!(payload(&plain[..cut]), None, "cut to {cut} bytes");
        }
        with_extension[15] = 200;
        assert_eq!(payload(&with_extension), None, "an extension that is longer than the packet");
    }

    #[test]
    fn packets_that_a_depayloader_would_give_up_at_are_left_out_and_those_behind_come() {
        gst::init().unwrap();
        let cases: [(&str, &str, &[u8], &[u8]); 2] = [
            ("rtph264depay", "H264", &[0x41, 0x9a, 1, 2], &[0, 25, 26, 27, 30, 31]),
            ("rtph265depay", "H265", &[0x02, 0x01, 0xd0, 1], &[50 << 1, 51 << 1, 63 << 1]),
        ];
        for (element, encoding, frame, wrong) in cases {
            let caps =
                format!("application/x-rtp,media=video,clock-rate=90000,payload=96,encoding-name={encoding}");
            let caps = caps.parse::<gst::Caps>().unwrap();
            let source = gst_app::AppSrc::builder().caps(&caps).format(gst::Format::Time).build();
            let depayloader = gst::ElementFactory::make(element).build().unwrap();
            guard(&depayloader);
            let plain =
                format!("video/x-{},stream-format=byte-stream,alignment=nal", encoding.to_lowercase());
            let plain = plain.parse::<gst::Caps>().unwrap();
            let sink = gst_app::AppSink::builder().caps(&plain).sync(false).async_(false).build();
            let pipeline = gst::Pipeline::new();
            pipeline.add_many([source.upcast_ref(), &depayloader, sink.upcast_ref()]).unwrap();
            gst::Element::link_many([source.upcast_ref(), &depayloader, sink.upcast_ref()]).unwrap();
            pipeline.set_state(gst::State::Playing).unwrap();
            let mut number = 0;
            let mut push = |payload: &[u8]| {
                source.push_buffer(gst::Buffer::from_slice(packet(number, payload))).unwrap();
                number += 1;
            };
            for header in wrong {
                push(frame);
                push(&[*header, 1, 2, 3]);
            }
            push(frame);
            source.end_of_stream().unwrap();
            let mut behind_a_gap = 0;
            let mut frames = 0;
            while let Ok(sample) = sink.pull_sample() {
                let flags = sample.buffer().unwrap().flags();
                behind_a_gap += usize::from(frames > 0 && flags.contains(gst::BufferFlags::DISCONT));
                frames += 1;
            }
            let error = pipeline.bus().unwrap().pop_filtered(&[gst::MessageType::Error]);
            pipeline.set_state(gst::State::Null).unwrap();
            assert!(error.is_none(), "{encoding}: {error:?}");
            assert_eq!((frames, behind_a_gap), (wrong.len() + 1, wrong.len()), "{encoding}");
        }
    }
}
