//! A recording as sections of rows.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use residue_model::Recording;
use residue_model::recording::{
    AllocationKind, End, Mark, Place, Point, Program, StackSums, Timeline, Totals,
};
use residue_recording::file::{
    AgeRow, CodeRow, GapRow, LostRow, MarkRow, MarkSumsRow, ModuleRow, NONE, NodeRow, PlaceRow, PointRow,
    ProgramRow, Row, Section, SectionKind, StackRow, TextRow, TotalRow, TotalsRow, UNKNOWN, WordRow,
};

/// The uncompressed part of a file.
pub(super) fn recording(recording: &Recording) -> Vec<u8> {
    let mut texts = Texts::default();
    let mut out = Sections(Vec::new());
    out.rows(SectionKind::Program, [program(recording, &mut texts)]);
    out.rows(SectionKind::Command, words(&recording.program.command, &mut texts));
    out.rows(SectionKind::System, words(&recording.program.system, &mut texts));
    modules(recording, &mut texts, &mut out);
    calls(recording, &mut texts, &mut out);
    stacks(&recording.stacks, &mut out);
    out.rows(SectionKind::Timeline, timeline(&recording.timeline));
    marks(&recording.marks, &mut texts, &mut out);
    out.rows(SectionKind::Totals, [totals(&recording.totals)]);
    let gap =
        |gap: &residue_model::Gap| GapRow { what: texts.number(&gap.what), why: texts.number(&gap.why) };
    let gaps: Vec<GapRow> = recording.gaps.iter().map(gap).collect();
    out.rows(SectionKind::Gaps, gaps);
    out.rows(SectionKind::Texts, texts.rows);
    out.bytes(&texts.bytes);
    out.0
}

/// What is written so far.
struct Sections(Vec<u8>);

impl Sections {
    fn rows<R: Row>(&mut self, kind: SectionKind, rows: impl IntoIterator<Item = R>) {
        let rows: Vec<R> = rows.into_iter().collect();
        let start = self.0.len();
        self.0.resize(start + Section::SIZE + rows.len() * R::SIZE, 0);
        let section = Section { kind: kind as u32, row: small(R::SIZE), rows: rows.len() as u64 };
        section.write(&mut self.0[start..]);
        let bytes = &mut self.0[start + Section::SIZE..];
        let mut row_bytes = vec![0; R::SIZE];
        for (number, row) in rows.iter().enumerate() {
            row.write(&mut row_bytes);
            for (place, byte) in row_bytes.iter().enumerate() {
                bytes[place * rows.len() + number] = *byte;
            }
        }
    }

    fn bytes(&mut self, bytes: &[u8]) {
        let at = self.0.len();
        self.0.resize(at + Section::SIZE, 0);
        let section = Section { kind: SectionKind::Bytes as u32, row: 1, rows: bytes.len() as u64 };
        section.write(&mut self.0[at..]);
        self.0.extend_from_slice(bytes);
    }
}

/// Each text once.
#[derive(Default)]
struct Texts {
    numbers: HashMap<String, u32>,
    rows: Vec<TextRow>,
    bytes: Vec<u8>,
}

impl Texts {
    fn number(&mut self, text: &str) -> u32 {
        if let Some(&number) = self.numbers.get(text) {
            return number;
        }
        let number = small(self.rows.len());
        self.rows.push(TextRow { at: small(self.bytes.len()), length: small(text.len()) });
        self.bytes.extend_from_slice(text.as_bytes());
        self.numbers.insert(text.to_owned(), number);
        number
    }

    fn optional(&mut self, text: Option<&str>) -> u32 {
        text.map_or(NONE, |text| self.number(text))
    }
}

fn words(list: &[String], texts: &mut Texts) -> Vec<WordRow> {
    list.iter().map(|text| WordRow { value: texts.number(text).into() }).collect()
}

fn program(recording: &Recording, texts: &mut Texts) -> ProgramRow {
    let Program { executable, pid, parent, started, recorded, end, .. } = &recording.program;
    let (end, code) = match end {
        None => (0, 0),
        Some(End::Exited(code)) => (1, *code),
        Some(End::Killed(signal)) => (2, *signal),
        Some(End::Replaced) => (3, 0),
        Some(End::Left) => (4, 0),
    };
    let since = started.and_then(|started| started.duration_since(SystemTime::UNIX_EPOCH).ok());
    ProgramRow {
        executable: texts.number(executable),
        pid: *pid,
        parent: parent.unwrap_or(NONE),
        end,
        code,
        started_nanos: since.map_or(0, |since| since.subsec_nanos()),
        started: since.map_or(UNKNOWN, |since| since.as_secs()),
        recorded: nanos(*recorded),
        interval: recording.sampling.map_or(0, |sampling| sampling.interval.0),
        slot: nanos(recording.timeline.slot),
    }
}

fn modules(recording: &Recording, texts: &mut Texts, out: &mut Sections) {
    let rows: Vec<ModuleRow> = recording
        .modules
        .iter()
        .map(|module| ModuleRow {
            path: texts.number(&module.path),
            build_id: texts.optional(module.build_id.as_deref().map(hexadecimal).as_deref()),
            start: module.start,
            end: module.end,
            bias: module.bias,
        })
        .collect();
    out.rows(SectionKind::Modules, rows);
}

fn calls(recording: &Recording, texts: &mut Texts, out: &mut Sections) {
    let codes = &recording.calls.codes;
    out.rows(
        SectionKind::Codes,
        codes.iter().map(|code| CodeRow {
            module: code.module.unwrap_or(NONE),
            places: small(code.places.len()),
            address: code.address,
        }),
    );
    let place = |place: &Place| PlaceRow {
        function: texts.optional(place.function.as_deref()),
        file: texts.optional(place.file.as_deref()),
        line: place.line.unwrap_or(NONE),
        inlined: place.is_inlined.into(),
    };
    let places: Vec<PlaceRow> = codes.iter().flat_map(|code| &code.places).map(place).collect();
    out.rows(SectionKind::Places, places);
    let nodes = recording.calls.nodes.iter();
    out.rows(SectionKind::Nodes, nodes.map(|node| NodeRow { caller: node.caller.0, code: node.code.0 }));
}

fn stacks(stacks: &[StackSums], out: &mut Sections) {
    out.rows(SectionKind::Stacks, stacks.iter().map(stack));
    let counts = stacks.iter().flat_map(|sums| sums.sizes.0.iter().chain(&sums.lifetimes.0));
    out.rows(SectionKind::Counts, counts.map(|&value| WordRow { value }));
    let ages = stacks.iter().flat_map(|sums| &sums.ages.0);
    out.rows(
        SectionKind::Ages,
        ages.map(|(age, blocks, bytes)| AgeRow { age: nanos(*age), blocks: *blocks, bytes: bytes.0 }),
    );
    out.rows(SectionKind::Points, stacks.iter().flat_map(|sums| differences(&sums.points)));
    let lost =
        stacks.iter().filter_map(|sums| Some(LostRow { blocks: sums.lost_blocks?, bytes: sums.lost?.0 }));
    let lost: Vec<LostRow> = lost.collect();
    // Somebody looked at all of them, or at none.
    if lost.len() == stacks.len() {
        out.rows(SectionKind::Lost, lost);
    }
}

fn stack(sums: &StackSums) -> StackRow {
    StackRow {
        stack: sums.stack.0,
        kind: kind(sums.kind),
        sizes: sums.sizes.0.len().try_into().unwrap_or(u16::MAX),
        lifetimes: sums.lifetimes.0.len().try_into().unwrap_or(u16::MAX),
        ages: small(sums.ages.0.len()),
        points: small(sums.points.len()),
        threads: sums.threads,
        allocations: sums.allocations,
        frees: sums.frees,
        reallocations: sums.reallocations,
        allocated: sums.allocated.0,
        usable: sums.usable.0,
        live_blocks: sums.live_blocks,
        live: sums.live.0,
        peak: sums.peak.0,
        peak_at: nanos(sums.peak_at),
        at_peak: sums.at_peak.0,
        at_peak_blocks: sums.at_peak_blocks,
        temporary: sums.temporary,
        short_lived: sums.short_lived,
        aligned: sums.aligned,
        largest_alignment: sums.largest_alignment,
        smallest: sums.smallest.0,
        largest: sums.largest.0,
        allocations_variance: sums.variance[0],
        allocated_variance: sums.variance[1],
        live_variance: sums.variance[2],
    }
}

/// What changes from point to point is small, and packs well.
fn differences(points: &[Point]) -> impl Iterator<Item = PointRow> {
    let mut before = Point::default();
    points.iter().map(move |point| {
        let row = PointRow {
            slot: point.slot.into(),
            live_blocks: point.live_blocks.wrapping_sub(before.live_blocks).cast_signed(),
            live: point.live.0.wrapping_sub(before.live.0).cast_signed(),
            allocations: point.allocations,
            allocated: point.allocated.0,
        };
        before = *point;
        row
    })
}

fn timeline(timeline: &Timeline) -> impl Iterator<Item = TotalRow> {
    timeline.totals.iter().map(|total| TotalRow {
        live: total.live.0,
        live_blocks: total.live_blocks,
        peak: total.peak.0,
        allocated: total.allocated.0,
        allocations: total.allocations,
        rss: total.rss.map_or(UNKNOWN, |rss| rss.0),
    })
}

fn marks(marks: &[Mark], texts: &mut Texts, out: &mut Sections) {
    let row = |mark: &Mark| MarkRow {
        name: texts.number(&mark.name),
        stacks: small(mark.stacks.len()),
        begun: mark.begun,
        ended: mark.ended,
        time: nanos(mark.time),
    };
    let rows: Vec<MarkRow> = marks.iter().map(row).collect();
    out.rows(SectionKind::Marks, rows);
    let sums = marks.iter().flat_map(|mark| &mark.stacks);
    out.rows(
        SectionKind::MarkSums,
        sums.map(|sums| MarkSumsRow {
            stack: sums.stack.0,
            kind: kind(sums.kind),
            allocations: sums.allocations,
            allocated: sums.allocated.0,
            net_blocks: sums.net_blocks,
            net: sums.net,
        }),
    );
}

fn totals(totals: &Totals) -> TotalsRow {
    TotalsRow {
        allocations: totals.allocations,
        frees: totals.frees,
        allocated: totals.allocated.0,
        live_blocks: totals.live_blocks,
        live: totals.live.0,
        peak: totals.peak.0,
        peak_at: nanos(totals.peak_at),
        temporary: totals.temporary,
        mapped: totals.mapped.0,
        mapped_peak: totals.mapped_peak.0,
        short_lived_below: nanos(totals.short_lived_below),
        events: totals.events,
        dropped: totals.dropped,
        unknown_frees: totals.unknown_frees,
        cut_stacks: totals.cut_stacks,
        threads: totals.threads.into(),
    }
}

fn kind(kind: AllocationKind) -> u32 {
    match kind {
        AllocationKind::Heap => 0,
        AllocationKind::Mapping => 1,
        AllocationKind::Break => 2,
    }
}

fn nanos(time: Duration) -> u64 {
    time.as_nanos().try_into().unwrap_or(u64::MAX)
}

fn hexadecimal(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(value.into(), 16).expect("four bits are a digit");
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn small(count: usize) -> u32 {
    count.try_into().expect("a recording has less than 4 G of anything")
}
