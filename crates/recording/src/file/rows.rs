use super::row::rows;

rows! {
    /// Before the compressed part.
    Start {
        /// [`MAGIC`](super::MAGIC), as a number.
        magic: u64,
        /// [`VERSION`](super::VERSION).
        version: u32,
        /// Not used.
        spare: u32,
        /// How long the compressed part is.
        packed: u64,
        /// How long it is when unpacked.
        size: u64,
    }

    /// Before the rows of a section.
    Section {
        /// A [`SectionKind`](super::SectionKind).
        kind: u32,
        /// Bytes a row.
        row: u32,
        /// How many rows follow.
        rows: u64,
    }

    /// A text: where it stands among the bytes, and how long it is. Other rows name it by the number of this row.
    TextRow {
        /// The first byte.
        at: u32,
        /// How many bytes.
        length: u32,
    }

    /// A number that stands alone.
    WordRow {
        /// It.
        value: u64,
    }

    /// What ran.
    ProgramRow {
        /// Text: the file.
        executable: u32,
        /// Its process.
        pid: u32,
        /// The process that forked it; [`NONE`](super::NONE) when it was not recorded.
        parent: u32,
        /// How it ended: 0 unknown, 1 exited, 2 killed, 3 replaced, 4 left.
        end: u32,
        /// Its exit code or signal.
        code: i32,
        /// Nanoseconds beside `started`.
        started_nanos: u32,
        /// When, in seconds since 1970; [`UNKNOWN`](super::UNKNOWN) when it is not known.
        started: u64,
        /// For how long, in nanoseconds.
        recorded: u64,
        /// Bytes between samples in the mean; 0: exact.
        interval: u64,
        /// How long a slot of the timeline is, in nanoseconds.
        slot: u64,
    }

    /// An image that code was in.
    ModuleRow {
        /// Text: its file.
        path: u32,
        /// Text: its build id in hexadecimal; [`NONE`](super::NONE) when there is none.
        build_id: u32,
        /// Where it stood.
        start: u64,
        /// The first address behind it.
        end: u64,
        /// See `residue_model::recording::RecordedModule`, whose fields these are.
        bias: u64,
    }

    /// A return address.
    CodeRow {
        /// The number of its module; [`NONE`](super::NONE) when it has none.
        module: u32,
        /// How many places follow for it.
        places: u32,
        /// The address.
        address: u64,
    }

    /// What stands at an address.
    PlaceRow {
        /// Text, or [`NONE`](super::NONE).
        function: u32,
        /// Text, or [`NONE`](super::NONE).
        file: u32,
        /// The line, or [`NONE`](super::NONE).
        line: u32,
        /// 1: inlined into the next.
        inlined: u32,
    }

    /// A frame in the tree of calls.
    NodeRow {
        /// The number of its caller.
        caller: u32,
        /// The number of its code.
        code: u32,
    }

    /// What a call path allocated: the fields of `residue_model::recording::StackSums`, times in nanoseconds.
    StackRow {
        /// The number of its node.
        stack: u32,
        /// 0 heap, 1 mapping, 2 break.
        kind: u32,
        /// How many numbers its histogram of sizes has.
        sizes: u16,
        /// The same of lifetimes.
        lifetimes: u16,
        /// How many ages follow for it.
        ages: u32,
        /// How many points.
        points: u32,
        /// Threads.
        threads: u32,
        /// See the model, from here on.
        allocations: u64,
        /// As there.
        frees: u64,
        /// As there.
        reallocations: u64,
        /// As there.
        allocated: u64,
        /// As there.
        usable: u64,
        /// As there.
        live_blocks: u64,
        /// As there.
        live: u64,
        /// As there.
        peak: u64,
        /// As there.
        peak_at: u64,
        /// As there.
        at_peak: u64,
        /// As there.
        at_peak_blocks: u64,
        /// As there.
        temporary: u64,
        /// As there.
        short_lived: u64,
        /// As there.
        aligned: u64,
        /// As there.
        largest_alignment: u64,
        /// As there.
        smallest: u64,
        /// As there.
        largest: u64,
        /// As there: of allocations.
        allocations_variance: f64,
        /// Of allocated bytes.
        allocated_variance: f64,
        /// Of live bytes.
        live_variance: f64,
    }

    /// Blocks of about one age.
    AgeRow {
        /// At least so old: nanoseconds.
        age: u64,
        /// How many.
        blocks: u64,
        /// Their bytes.
        bytes: u64,
    }

    /// A call path at the end of a slot: what changed since its point before, from 0 at first.
    PointRow {
        /// The slot.
        slot: u32,
        /// Blocks that stood.
        live_blocks: i64,
        /// Bytes that stood.
        live: i64,
        /// Allocations in the slot: these two are no differences.
        allocations: u64,
        /// Their bytes.
        allocated: u64,
    }

    /// The whole program at the end of a slot.
    TotalRow {
        /// As in the model.
        live: u64,
        /// As there.
        live_blocks: u64,
        /// As there.
        peak: u64,
        /// As there.
        allocated: u64,
        /// As there.
        allocations: u64,
        /// As there; [`UNKNOWN`](super::UNKNOWN) when it was not read.
        rss: u64,
    }

    /// A phase.
    MarkRow {
        /// Text: its name.
        name: u32,
        /// How many sums follow for it.
        stacks: u32,
        /// How often it began.
        begun: u64,
        /// How often it ended.
        ended: u64,
        /// Nanoseconds.
        time: u64,
    }

    /// What a call path did within a phase.
    MarkSumsRow {
        /// The number of its node.
        stack: u32,
        /// As in a [`StackRow`].
        kind: u32,
        /// As in the model.
        allocations: u64,
        /// As there.
        allocated: u64,
        /// As there.
        net_blocks: i64,
        /// As there.
        net: i64,
    }

    /// The sums of all: the fields of `residue_model::recording::Totals`, times in nanoseconds.
    TotalsRow {
        /// See the model.
        allocations: u64,
        /// As there.
        frees: u64,
        /// As there.
        allocated: u64,
        /// As there.
        live_blocks: u64,
        /// As there.
        live: u64,
        /// As there.
        peak: u64,
        /// As there.
        peak_at: u64,
        /// As there.
        temporary: u64,
        /// As there.
        mapped: u64,
        /// As there.
        mapped_peak: u64,
        /// As there.
        short_lived_below: u64,
        /// As there.
        events: u64,
        /// As there.
        dropped: u64,
        /// As there.
        unknown_frees: u64,
        /// As there.
        cut_stacks: u64,
        /// As there.
        threads: u64,
    }

    /// What nobody could reach any more at the end, of a call path.
    LostRow {
        /// Blocks.
        blocks: u64,
        /// Their bytes.
        bytes: u64,
    }

    /// What could not be seen.
    GapRow {
        /// Text.
        what: u32,
        /// Text.
        why: u32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::Row;

    #[test]
    fn a_row_stands_without_gaps_and_little_endian() {
        let row = PointRow { slot: 1, live_blocks: -2, live: 3, allocations: 4, allocated: 5 };
        let mut bytes = [0; 36];

        row.write(&mut bytes);

        assert_eq!(PointRow::SIZE, 36);
        assert_eq!(bytes[..12], [1, 0, 0, 0, 254, 255, 255, 255, 255, 255, 255, 255]);
        assert_eq!(PointRow::read(&bytes), row);
    }
}
