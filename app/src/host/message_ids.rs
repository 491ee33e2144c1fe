//! The `MESSAGE_ID`s of the journal: by them a program finds a kind of event, whatever its text says.
//!
//! `journalctl MESSAGE_ID=...` lists one kind. An id is never changed or used for something else: dashboards
//! and scripts hold on to it. They are random, as `systemd-id128 new` makes them.

/// One kind of message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageKind {
    /// The constant's name.
    pub name: &'static str,
    /// 32 hexadecimal digits.
    pub id: &'static str,
    /// When it is logged, and with which fields.
    pub meaning: &'static str,
}

macro_rules! message_ids {
    ($($name:ident = $id:literal, $meaning:literal;)+) => {
        $(#[doc = $meaning] pub const $name: &str = $id;)+

        /// Every kind of message, for the documentation and for tests.
        pub const ALL: &[MessageKind] =
            &[$(MessageKind { name: stringify!($name), id: $id, meaning: $meaning }),+];
    };
}

message_ids! {
    RECORDER_STARTED = "c9b4bbcb644a43c984538cb7e87f3695",
        "The recorder has read its configuration and begins its work.";
    RECORDER_STOPPED = "db239d4328404c5fb3c3efc38ad816c8",
        "The recorder has closed everything in good order and ends.";
    CAMERA_RECORDING = "917c874889c944889c118ada52406957",
        "A camera's footage becomes durable: for the first time, or again after it was lost. Field CAMERA.";
    CAMERA_LOST = "b3ee6ae46b2947b3888c163e702daac5",
        "A camera does not send, or its connection failed; it is tried again. Field CAMERA.";
    ALARM_RAISED = "1aa1b995f4d3403081f5b0235cada967",
        "An alarm's condition holds now. Field ALARM, with CAMERA or VOLUME where it is about one.";
    ALARM_CLEARED = "8fb092febb934f68910244a1a644048c",
        "An alarm's condition is over. Field ALARM, with CAMERA or VOLUME where it is about one.";
    SEGMENT_OPENED = "982aa7cf518845f0aa255d5589977fa1",
        "A new file has begun; logged at debug. Fields CAMERA, VOLUME, SEGMENT.";
    SEGMENT_CLOSED = "d9a7ccb97526472fa2d3aba9bcce65e0",
        "A file is complete and durable; logged at debug. Fields CAMERA, VOLUME, SEGMENT.";
    VOLUME_READY = "99b0686ba8da4e308553516f1558d625",
        "A volume takes footage from now on. Field VOLUME.";
    VOLUME_FAULTED = "f263bfcf6d6c45b98f10112083a5147e",
        "A volume cannot be used; it is tried again. Field VOLUME.";
    REPAIRED = "09a2a32a68fe4b69862b46f298b4a461",
        "Something that a crash or a power cut had torn was mended when a volume was opened. Field VOLUME.";
    GAP_ACCOUNTED = "6d887f6beda64667934610b2288f2f48",
        "Missing footage was written down in the ledger with its cause. Fields CAMERA, VOLUME.";
    CLOCK_STEPPED = "cbc104204fe143b7ad5349fa8e53b880",
        "The wall clock was set, or came to be trusted or distrusted.";
    CONFIGURATION_WARNING = "40da4f1041ba42a78e1c444213f173f4",
        "The configuration works, but not as well as it should; the text says where.";
}

#[cfg(test)]
mod tests {
    use super::*;
    use holdfast_wire::ids::Id128;
    use std::collections::BTreeSet;

    #[test]
    fn they_are_well_formed_and_differ() {
        let mut seen = BTreeSet::new();
        for kind in ALL {
            let id = Id128::parse(kind.id).unwrap_or_else(|| panic!("{}: {} is no id", kind.name, kind.id));
            assert_eq!(id.to_string(), kind.id, "{}: lower case, no hyphens", kind.name);
            assert!(seen.insert(id), "{}: its id is used twice", kind.name);
            assert!(kind.meaning.ends_with('.'), "{}: its meaning is a sentence", kind.name);
        }
    }

    #[test]
    fn the_operating_guide_lists_them() {
        let guide = include_str!("../../docs/configuration.md");
        for kind in ALL {
            assert!(
                guide.contains(kind.id),
                "{}: docs/configuration.md does not list {}",
                kind.name,
                kind.id
            );
        }
    }
}
