//! A recording as a profile for `go tool pprof`, speedscope, Pyroscope, Polar Signals and their kin.
//!
//! Source: github.com/google/pprof, proto/profile.proto. Compressed with gzip, as its readers expect.

mod tables;
mod wire;

use std::io::Write;
use std::time::UNIX_EPOCH;

use flate2::Compression;
use flate2::write::GzEncoder;
use residue_model::recording::StackSums;
use residue_model::{Bytes, Recording};

use self::tables::Tables;
use self::wire::Message;
use crate::Result;
use crate::frames::UNKNOWN;
use crate::words::recorded::kind;

/// What a sample counts, in this order. The names of the first four are those of Go's own heap profiles: viewers know them.
const VALUES: [(&str, &str); 6] = [
    ("alloc_objects", "count"),
    ("alloc_space", "bytes"),
    ("inuse_objects", "count"),
    ("inuse_space", "bytes"),
    ("peak_objects", "count"),
    ("peak_space", "bytes"),
];

/// The value that a viewer shows first.
const SHOWN_FIRST: &str = "inuse_space";

/// Writes what each call path allocated, what stood at the end, and what stood when the program held most. Memory that
/// was asked of the kernel itself stands under a frame of its own, and carries the label `kind`.
///
/// # Errors
/// When it cannot be written.
pub fn write(out: impl Write, recording: &Recording) -> Result<()> {
    let mut file = GzEncoder::new(out, Compression::default());
    file.write_all(&Profile::new(recording).finish())?;
    file.finish()?;
    Ok(())
}

struct Profile<'a> {
    recording: &'a Recording,
    tables: Tables<'a>,
}

impl<'a> Profile<'a> {
    fn new(recording: &'a Recording) -> Profile<'a> {
        Profile { recording, tables: Tables::of(recording) }
    }

    fn finish(mut self) -> Vec<u8> {
        let mut profile = Message::default();
        for (name, unit) in VALUES {
            let kind = self.value_type(name, unit);
            profile = profile.message(1, &kind);
        }
        for sums in &self.recording.stacks {
            let sample = self.sample(sums);
            profile = profile.message(2, &sample);
        }
        let profile = self.about(profile);
        self.tables.finish(profile).finish()
    }

    fn value_type(&mut self, name: &'a str, unit: &'a str) -> Message {
        Message::default().number(1, self.tables.text(name)).number(2, self.tables.text(unit))
    }

    fn sample(&mut self, sums: &StackSums) -> Message {
        let kernel = kind(sums.kind).map(|kind| self.tables.location_named(format!("[{kind}]")));
        let mut locations: Vec<u64> = kernel.into_iter().collect();
        locations.extend(self.recording.calls.path(sums.stack).map(Tables::location));
        if locations.is_empty() {
            locations.push(self.tables.location_named(UNKNOWN.into()));
        }
        let values = [
            sums.allocations,
            sums.allocated.0,
            sums.live_blocks,
            sums.live.0,
            sums.at_peak_blocks,
            sums.at_peak.0,
        ];
        let sample = Message::default().packed(1, locations).packed(2, values.map(signed));
        match kind(sums.kind) {
            Some(kind) => {
                let label = Message::default().number(1, self.tables.text("kind"));
                sample.message(3, &label.number(2, self.tables.text(kind)))
            }
            None => sample,
        }
    }

    /// When it was, how long, how it was sampled, and what could not be seen.
    fn about(&mut self, profile: Message) -> Message {
        let program = &self.recording.program;
        let started =
            program.started.and_then(|time| time.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
        let period = self.recording.sampling.map_or(Bytes(1), |sampling| sampling.interval);
        let space = self.value_type("space", "bytes");
        let mut profile = profile
            .number(9, nanoseconds(started))
            .number(10, nanoseconds(program.recorded))
            .message(11, &space)
            .number(12, signed(period.0));
        let gaps = self.recording.gaps.iter().map(|gap| format!("not seen: {}: {}", gap.what, gap.why));
        let command = (!program.command.is_empty()).then(|| program.command.join(" "));
        for comment in command.into_iter().chain(gaps) {
            let text = self.tables.text(comment);
            profile = profile.packed(13, [text]);
        }
        profile.number(14, self.tables.text(SHOWN_FIRST))
    }
}

fn nanoseconds(time: std::time::Duration) -> u64 {
    signed(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))
}

/// A number as its fields can hold it: they are signed.
fn signed(value: u64) -> u64 {
    value.min(i64::MAX.unsigned_abs())
}
