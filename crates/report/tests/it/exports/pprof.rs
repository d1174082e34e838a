//! Read back by a decoder of its own, written from the protocol's page and not from the encoder.

use std::io::Read;

use flate2::read::GzDecoder;
use residue_model::recording::Sampling;
use residue_model::{Bytes, Recording};
use residue_report::pprof;

use super::program::{HOSTILE, shop};

/// A field of a message.
enum Field {
    Number(u64),
    Bytes(Vec<u8>),
}

/// A message, decoded one level deep.
struct Message(Vec<(u64, Field)>);

impl Message {
    fn decode(mut bytes: &[u8]) -> Message {
        let mut fields = Vec::new();
        while !bytes.is_empty() {
            let tag = varint(&mut bytes);
            let value = varint(&mut bytes);
            let field = match tag & 7 {
                0 => Field::Number(value),
                2 => {
                    let (content, rest) = bytes.split_at(usize::try_from(value).expect("small"));
                    bytes = rest;
                    Field::Bytes(content.to_vec())
                }
                other => panic!("wire type {other} is not used by profiles"),
            };
            fields.push((tag >> 3, field));
        }
        Message(fields)
    }

    fn number(&self, wanted: u64) -> u64 {
        let found = self.0.iter().find_map(|(field, value)| match value {
            Field::Number(number) if *field == wanted => Some(*number),
            _ => None,
        });
        found.unwrap_or(0)
    }

    fn all(&self, wanted: u64) -> Vec<&[u8]> {
        let bytes = self.0.iter().filter_map(|(field, value)| match value {
            Field::Bytes(bytes) if *field == wanted => Some(bytes.as_slice()),
            _ => None,
        });
        bytes.collect()
    }

    fn messages(&self, wanted: u64) -> Vec<Message> {
        self.all(wanted).into_iter().map(Message::decode).collect()
    }

    fn packed(&self, wanted: u64) -> Vec<u64> {
        let mut numbers = Vec::new();
        for mut bytes in self.all(wanted) {
            while !bytes.is_empty() {
                numbers.push(varint(&mut bytes));
            }
        }
        numbers
    }
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for place in 0.. {
        let byte = bytes[0];
        *bytes = &bytes[1..];
        value |= u64::from(byte & 0x7f) << (7 * place);
        if byte < 0x80 {
            break;
        }
    }
    value
}

struct Profile {
    message: Message,
    texts: Vec<String>,
}

impl Profile {
    fn of(recording: &Recording) -> Profile {
        let mut file = Vec::new();
        pprof::write(&mut file, recording).expect("memory takes everything");
        let mut bytes = Vec::new();
        GzDecoder::new(file.as_slice()).read_to_end(&mut bytes).expect("gzip");
        let message = Message::decode(&bytes);
        let texts =
            message.all(6).into_iter().map(|text| String::from_utf8(text.to_vec()).expect("text")).collect();
        Profile { message, texts }
    }

    fn text(&self, number: u64) -> &str {
        &self.texts[usize::try_from(number).expect("small")]
    }

    fn one(&self, field: u64, id: u64) -> Message {
        let mut messages = self.message.messages(field).into_iter();
        messages.find(|message| message.number(1) == id).unwrap_or_else(|| panic!("no {field} has id {id}"))
    }

    /// The functions of a sample, the innermost first, each with file and line.
    fn frames(&self, sample: &Message) -> Vec<String> {
        let locations = sample.packed(1);
        let lines = locations.into_iter().flat_map(|id| self.one(4, id).messages(4));
        let frame = |line: Message| {
            let function = self.one(5, line.number(1));
            let (name, file) = (self.text(function.number(2)), self.text(function.number(4)));
            format!("{name} {file}:{}", line.number(2))
        };
        lines.map(frame).collect()
    }
}

#[test]
fn the_values_are_those_of_a_heap_profile() {
    let profile = Profile::of(&shop());

    let types: Vec<String> = profile
        .message
        .messages(1)
        .iter()
        .map(|kind| format!("{}/{}", profile.text(kind.number(1)), profile.text(kind.number(2))))
        .collect();
    assert_eq!(
        types,
        [
            "alloc_objects/count",
            "alloc_space/bytes",
            "inuse_objects/count",
            "inuse_space/bytes",
            "peak_objects/count",
            "peak_space/bytes"
        ]
    );
    assert_eq!(profile.texts[0], "");
    assert_eq!(profile.message.number(9), 1_700_000_000_000_000_000);
    assert_eq!(profile.message.number(10), 10_000_000_000);
    assert_eq!(profile.message.number(12), 1);
    assert_eq!(profile.text(profile.message.number(14)), "inuse_space");
    let comments: Vec<&str> = profile.message.packed(13).into_iter().map(|text| profile.text(text)).collect();
    assert_eq!(comments, ["./shop --serve a b", "not seen: 3 stacks: could not be followed to their end"]);
}

/// An inlined function is a line of the location that it was inlined into, before the function that contains it.
#[test]
fn a_sample_is_a_stack_with_inlined_functions_and_lines() {
    let profile = Profile::of(&shop());

    let samples = profile.message.messages(2);

    assert_eq!(samples[0].packed(1).len(), 3);
    assert_eq!(
        profile.frames(&samples[0]),
        ["map_insert src/map.h:7", "cache_put src/cache.c:88", "serve src/serve.c:40", "main src/main.c:12"]
    );
    assert_eq!(samples[0].packed(2), [1000, 1_024_000, 1000, 1_024_000, 1000, 1_024_000]);
    assert_eq!(samples[1].packed(2), [2000, 2_000_000, 0, 0, 1, 1500]);
}

#[test]
fn memory_asked_of_the_kernel_is_told_apart() {
    let profile = Profile::of(&shop());

    let samples = profile.message.messages(2);

    assert_eq!(profile.frames(&samples[3])[0], "[mmap] :0");
    let label = &samples[3].messages(3)[0];
    assert_eq!((profile.text(label.number(1)), profile.text(label.number(2))), ("kind", "mmap"));
    assert!(samples[0].all(3).is_empty());
}

#[test]
fn what_has_no_name_keeps_its_module_and_offset() {
    let profile = Profile::of(&shop());

    let samples = profile.message.messages(2);

    let frames = profile.frames(&samples[5]);
    assert!(frames[0].starts_with("0x10"), "{frames:?}");
    assert!(frames[1].starts_with("libplug.so+0x10"), "{frames:?}");
    assert_eq!(profile.frames(&samples[6]), ["[unknown] :0"]);
    assert_eq!(profile.frames(&samples[4])[0], format!("{HOSTILE} src/a&b<c>.c:1"));
}

/// Readers look up names themselves by build id and address: of the call, not of where it returns to.
#[test]
fn locations_have_addresses_within_their_modules() {
    let profile = Profile::of(&shop());

    let mappings = profile.message.messages(3);
    assert_eq!(profile.text(mappings[0].number(5)), "/usr/bin/shop");
    assert_eq!(profile.text(mappings[0].number(6)), "ab01ff");
    assert_eq!((mappings[0].number(7), mappings[2].number(7)), (1, 0), "whether names are known");
    for location in profile.message.messages(4).iter().filter(|location| location.number(2) != 0) {
        let mapping = profile.one(3, location.number(2));
        let address = location.number(3);
        assert!(mapping.number(2) <= address && address < mapping.number(3), "{address:#x}");
        assert_eq!(address & 0xf, 0xf, "codes of the sample return to multiples of 16");
    }
}

#[test]
fn the_period_is_the_distance_of_samples() {
    let sampling = Some(Sampling { interval: Bytes::kib(512) });

    let profile = Profile::of(&Recording { sampling, ..shop() });

    assert_eq!(profile.message.number(12), 524_288);
}

/// In a part of the time a path may hold what it asked for before.
#[test]
fn what_stands_is_told_of_who_asked_for_nothing() {
    let mut recording = shop();
    let sums = &mut recording.stacks[0];
    (sums.allocations, sums.allocated) = (0, Bytes::ZERO);

    let samples = Profile::of(&recording).message.messages(2);

    assert_eq!(samples[0].packed(2), [0, 0, 1000, 1_024_000, 1000, 1_024_000]);
}

#[test]
fn a_recording_of_nothing_is_a_profile() {
    let profile = Profile::of(&Recording::default());

    assert!(profile.message.all(2).is_empty());
    assert_eq!(profile.message.messages(1).len(), 6);
}
