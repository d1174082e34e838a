//! Sections of rows as a recording. Nothing that they say is believed before it was compared.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use residue_model::recording::{
    Ages, AllocationKind, CallTree, Code, CodeId, End, Histogram, Mark, MarkSums, Node, Place, Point,
    Program, RecordedModule, Sampling, StackId, StackSums, Timeline, Total, Totals,
};
use residue_model::{Bytes, Gap, Recording};
use residue_recording::file::{
    AgeRow, CodeRow, GapRow, LostRow, MarkRow, MarkSumsRow, ModuleRow, NONE, NodeRow, PlaceRow, PointRow,
    ProgramRow, Row, Section, SectionKind, StackRow, TextRow, TotalRow, TotalsRow, UNKNOWN, WordRow,
};

/// What does not hold together.
type Result<T> = std::result::Result<T, &'static str>;

/// Reads the uncompressed part of a file.
///
/// # Errors
/// What is wrong with it.
pub(super) fn recording(payload: &[u8]) -> Result<Recording> {
    let sections = Sections::of(payload)?;
    let texts = Texts::of(&sections)?;
    let program: ProgramRow = sections.one(SectionKind::Program)?;
    let modules = modules(&sections, &texts)?;
    let calls = calls(&sections, &texts, modules.len())?;
    let timeline = Timeline {
        slot: Duration::from_nanos(program.slot),
        totals: sections.rows(SectionKind::Timeline)?.map(total).collect(),
    };
    Ok(Recording {
        program: ran(&program, &sections, &texts)?,
        sampling: (program.interval != 0).then_some(Sampling { interval: Bytes(program.interval) }),
        stacks: stacks(&sections, calls.nodes.len(), timeline.totals.len())?,
        marks: marks(&sections, &texts, calls.nodes.len())?,
        totals: totals(&sections.one(SectionKind::Totals)?),
        gaps: sections
            .rows(SectionKind::Gaps)?
            .map(|row: GapRow| Ok(Gap::new(texts.get(row.what)?, texts.get(row.why)?)))
            .collect::<Result<_>>()?,
        modules,
        calls,
        timeline,
    })
}

/// The bytes of each section, by its kind, with the size of its rows.
struct Sections<'a>(HashMap<u32, (u32, &'a [u8])>);

impl<'a> Sections<'a> {
    fn of(mut rest: &'a [u8]) -> Result<Sections<'a>> {
        let mut sections = HashMap::new();
        while !rest.is_empty() {
            let (start, after) = rest.split_at_checked(Section::SIZE).ok_or("a section begins at its end")?;
            let section = Section::read(start);
            let size =
                section.rows.checked_mul(section.row.into()).and_then(|size| usize::try_from(size).ok());
            let (rows, after) =
                size.and_then(|size| after.split_at_checked(size)).ok_or("a section is larger than all")?;
            if sections.insert(section.kind, (section.row, rows)).is_some() {
                return Err("a section stands twice");
            }
            rest = after;
        }
        Ok(Sections(sections))
    }

    fn rows<R: Row>(&self, kind: SectionKind) -> Result<impl Iterator<Item = R> + use<'a, R>> {
        let (size, bytes) = self.0.get(&(kind as u32)).copied().unwrap_or((0, &[]));
        if !bytes.is_empty() && size as usize != R::SIZE {
            return Err("a section has rows of another size");
        }
        let count = bytes.len() / R::SIZE;
        let mut row_bytes = vec![0; R::SIZE];
        Ok((0..count).map(move |number| {
            for (place, byte) in row_bytes.iter_mut().enumerate() {
                *byte = bytes[place * count + number];
            }
            R::read(&row_bytes)
        }))
    }

    fn one<R: Row>(&self, kind: SectionKind) -> Result<R> {
        self.rows(kind)?.next().ok_or("a part is missing")
    }

    fn bytes(&self) -> &'a [u8] {
        self.0.get(&(SectionKind::Bytes as u32)).map_or(&[], |(_, bytes)| *bytes)
    }
}

/// Texts that are copied have no more bytes than that, all together: paths, arguments, reasons.
const MOST_COPIED: usize = 64 << 20;

/// All texts, each once.
struct Texts {
    shared: Vec<Arc<str>>,
    /// Many rows may name one long text: so much more may be copied.
    left: Cell<usize>,
}

impl Texts {
    fn of(sections: &Sections<'_>) -> Result<Texts> {
        let bytes = sections.bytes();
        let mut behind = 0;
        let text = |row: TextRow| {
            let (at, length) = (row.at as usize, row.length as usize);
            // One after the other: rows that repeat one long text would make much of a small file.
            if at != behind {
                return Err("texts do not follow each other");
            }
            behind = at + length;
            let text = bytes.get(at..behind).ok_or("a text stands behind all texts")?;
            Ok(std::str::from_utf8(text).map_err(|_| "a text is none")?.into())
        };
        let shared = sections.rows(SectionKind::Texts)?.map(text).collect::<Result<_>>()?;
        Ok(Texts { shared, left: Cell::new(MOST_COPIED) })
    }

    fn shared(&self, number: u32) -> Result<Arc<str>> {
        self.shared.get(number as usize).cloned().ok_or("a text is missing")
    }

    fn get(&self, number: u32) -> Result<String> {
        let text = self.shared(number)?;
        self.left.set(self.left.get().checked_sub(text.len()).ok_or("a long text stands everywhere")?);
        Ok(text.as_ref().to_owned())
    }

    fn optional(&self, number: u32) -> Result<Option<Arc<str>>> {
        if number == NONE { Ok(None) } else { self.shared(number).map(Some) }
    }

    fn list(&self, rows: impl Iterator<Item = WordRow>) -> Result<Vec<String>> {
        rows.map(|row| self.get(u32::try_from(row.value).map_err(|_| "a text is missing")?)).collect()
    }
}

fn ran(row: &ProgramRow, sections: &Sections<'_>, texts: &Texts) -> Result<Program> {
    let since = Duration::new(row.started, row.started_nanos.min(999_999_999));
    let started = (row.started != UNKNOWN).then(|| SystemTime::UNIX_EPOCH.checked_add(since)).flatten();
    Ok(Program {
        command: texts.list(sections.rows(SectionKind::Command)?)?,
        executable: texts.get(row.executable)?,
        pid: row.pid,
        parent: (row.parent != NONE).then_some(row.parent),
        started,
        recorded: Duration::from_nanos(row.recorded),
        end: match row.end {
            0 => None,
            1 => Some(End::Exited(row.code)),
            2 => Some(End::Killed(row.code)),
            3 => Some(End::Replaced),
            4 => Some(End::Left),
            _ => return Err("an end is none that is known"),
        },
        system: texts.list(sections.rows(SectionKind::System)?)?,
    })
}

fn modules(sections: &Sections<'_>, texts: &Texts) -> Result<Vec<RecordedModule>> {
    let module = |row: ModuleRow| {
        let build_id = match texts.optional(row.build_id)? {
            Some(text) => Some(bytes(&text).ok_or("a build id is none")?),
            None => None,
        };
        let path = texts.get(row.path)?;
        Ok(RecordedModule { path, build_id, start: row.start, end: row.end, bias: row.bias })
    };
    sections.rows(SectionKind::Modules)?.map(module).collect()
}

/// What hexadecimal digits say.
fn bytes(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    let pair = |pair: &[u8]| {
        Some((char::from(pair[0]).to_digit(16)? << 4) | char::from(*pair.get(1)?).to_digit(16)?)
    };
    digits.chunks(2).map(|two| u8::try_from(pair(two)?).ok()).collect()
}

fn calls(sections: &Sections<'_>, texts: &Texts, modules: usize) -> Result<CallTree> {
    let mut places = sections.rows(SectionKind::Places)?.map(|row: PlaceRow| {
        Ok(Place {
            function: texts.optional(row.function)?,
            file: texts.optional(row.file)?,
            line: (row.line != NONE).then_some(row.line),
            is_inlined: row.inlined != 0,
        })
    });
    let code = |row: CodeRow| {
        if row.module != NONE && row.module as usize >= modules {
            return Err("a module is missing");
        }
        Ok(Code {
            module: (row.module != NONE).then_some(row.module),
            address: row.address,
            places: taken(&mut places, row.places)?.into_iter().collect::<Result<_>>()?,
        })
    };
    let codes: Vec<Code> = sections.rows(SectionKind::Codes)?.map(code).collect::<Result<_>>()?;
    let node = |(number, row): (usize, NodeRow)| {
        if row.code as usize >= codes.len() || row.caller as usize > number.saturating_sub(1) {
            return Err("a call path leads nowhere");
        }
        Ok(Node { caller: StackId(row.caller), code: CodeId(row.code) })
    };
    let nodes = sections.rows(SectionKind::Nodes)?.enumerate().map(node).collect::<Result<_>>()?;
    Ok(CallTree { nodes, codes })
}

/// So many rows of those that follow.
fn taken<T>(rows: &mut impl Iterator<Item = T>, count: u32) -> Result<Vec<T>> {
    let rows: Vec<T> = rows.take(count as usize).collect();
    if rows.len() == count as usize { Ok(rows) } else { Err("rows are missing") }
}

fn stacks(sections: &Sections<'_>, nodes: usize, slots: usize) -> Result<Vec<StackSums>> {
    let mut counts = sections.rows(SectionKind::Counts)?.map(|row: WordRow| row.value);
    let mut ages = sections
        .rows(SectionKind::Ages)?
        .map(|row: AgeRow| (Duration::from_nanos(row.age), row.blocks, Bytes(row.bytes)));
    let mut points = sections.rows(SectionKind::Points)?;
    let mut lost = sections.rows(SectionKind::Lost)?;
    let stack = |row: StackRow| {
        let lost: Option<LostRow> = lost.next();
        if row.stack as usize >= nodes {
            return Err("a call path is missing");
        }
        Ok(StackSums {
            sizes: Histogram(taken(&mut counts, row.sizes.into())?),
            lifetimes: Histogram(taken(&mut counts, row.lifetimes.into())?),
            ages: Ages(taken(&mut ages, row.ages)?),
            points: summed(&taken(&mut points, row.points)?, slots)?,
            lost_blocks: lost.map(|lost| lost.blocks),
            lost: lost.map(|lost| Bytes(lost.bytes)),
            ..sums(&row)?
        })
    };
    sections.rows(SectionKind::Stacks)?.map(stack).collect()
}

fn sums(row: &StackRow) -> Result<StackSums> {
    Ok(StackSums {
        stack: StackId(row.stack),
        kind: kind(row.kind)?,
        allocations: row.allocations,
        frees: row.frees,
        reallocations: row.reallocations,
        allocated: Bytes(row.allocated),
        usable: Bytes(row.usable),
        live_blocks: row.live_blocks,
        live: Bytes(row.live),
        peak: Bytes(row.peak),
        peak_at: Duration::from_nanos(row.peak_at),
        at_peak: Bytes(row.at_peak),
        at_peak_blocks: row.at_peak_blocks,
        temporary: row.temporary,
        short_lived: row.short_lived,
        aligned: row.aligned,
        largest_alignment: row.largest_alignment,
        smallest: Bytes(row.smallest),
        largest: Bytes(row.largest),
        threads: row.threads,
        variance: variance([row.allocations_variance, row.allocated_variance, row.live_variance])?,
        ..StackSums::default()
    })
}

fn variance(values: [f64; 3]) -> Result<[f64; 3]> {
    if values.iter().all(|value| value.is_finite() && *value >= 0.0) {
        Ok(values)
    } else {
        Err("a variance is none")
    }
}

/// Points from what changed between them, in order and within the time of the recording.
fn summed(rows: &[PointRow], slots: usize) -> Result<Vec<Point>> {
    let mut points: Vec<Point> = Vec::with_capacity(rows.len());
    for row in rows {
        let before = points.last().copied().unwrap_or_default();
        let slot = u16::try_from(row.slot).map_err(|_| "a point of time is outside")?;
        if usize::from(slot) >= slots || (!points.is_empty() && slot <= before.slot) {
            return Err("a point of time is outside");
        }
        points.push(Point {
            slot,
            live: Bytes(before.live.0.wrapping_add_signed(row.live)),
            live_blocks: before.live_blocks.wrapping_add_signed(row.live_blocks),
            allocated: Bytes(row.allocated),
            allocations: row.allocations,
        });
    }
    Ok(points)
}

fn total(row: TotalRow) -> Total {
    Total {
        live: Bytes(row.live),
        live_blocks: row.live_blocks,
        peak: Bytes(row.peak),
        allocated: Bytes(row.allocated),
        allocations: row.allocations,
        rss: (row.rss != UNKNOWN).then_some(Bytes(row.rss)),
    }
}

fn marks(sections: &Sections<'_>, texts: &Texts, nodes: usize) -> Result<Vec<Mark>> {
    let mut sums = sections.rows(SectionKind::MarkSums)?.map(|row: MarkSumsRow| {
        if row.stack as usize >= nodes {
            return Err("a call path is missing");
        }
        Ok(MarkSums {
            stack: StackId(row.stack),
            kind: kind(row.kind)?,
            allocations: row.allocations,
            allocated: Bytes(row.allocated),
            net_blocks: row.net_blocks,
            net: row.net,
        })
    });
    let mark = |row: MarkRow| {
        Ok(Mark {
            name: texts.get(row.name)?,
            begun: row.begun,
            ended: row.ended,
            time: Duration::from_nanos(row.time),
            stacks: taken(&mut sums, row.stacks)?.into_iter().collect::<Result<_>>()?,
        })
    };
    sections.rows(SectionKind::Marks)?.map(mark).collect()
}

fn totals(row: &TotalsRow) -> Totals {
    Totals {
        allocations: row.allocations,
        frees: row.frees,
        allocated: Bytes(row.allocated),
        live_blocks: row.live_blocks,
        live: Bytes(row.live),
        peak: Bytes(row.peak),
        peak_at: Duration::from_nanos(row.peak_at),
        temporary: row.temporary,
        mapped: Bytes(row.mapped),
        mapped_peak: Bytes(row.mapped_peak),
        short_lived_below: Duration::from_nanos(row.short_lived_below),
        events: row.events,
        dropped: row.dropped,
        unknown_frees: row.unknown_frees,
        cut_stacks: row.cut_stacks,
        threads: u32::try_from(row.threads).unwrap_or(u32::MAX),
    }
}

fn kind(number: u32) -> Result<AllocationKind> {
    match number {
        0 => Ok(AllocationKind::Heap),
        1 => Ok(AllocationKind::Mapping),
        2 => Ok(AllocationKind::Break),
        _ => Err("a kind of allocation is none that is known"),
    }
}
