use std::cell::Cell;
use std::fs;
use std::io::Write;
use std::ops::ControlFlow;
use std::path::Path;

use residue::analysis::{Map, RegionFilter, Text, TextScan, parse_size};
use residue::model::{Address, Bytes, Memory, Range, Region};
use residue::report::json::Extracted;
use residue::report::{json, terminal};
use residue::{Interrupt, Mapped, extract, map_for, read, searchable};

use crate::arguments::ReadArgs;
use crate::exit::Exit;
use crate::output::Output;
use crate::progress::Bar;
use crate::trouble::Trouble;

/// More than this is no reading any more: it goes into a file.
const SHOWN: Bytes = Bytes::mib(16);

/// `residue read`: the bytes of a target's memory.
pub(crate) fn run(args: &ReadArgs, output: &mut Output) -> Result<Exit, Trouble> {
    let target = super::open(&args.target.word, &args.care.options())?;
    let filter = RegionFilter::parse(args.all_matching.as_deref().unwrap_or_default())?;
    let map = map_for(&*target, &filter)?;
    let memory = Mapped::new(target.memory()?, &map);
    if args.all_matching.is_some() {
        return each_region(args, &map, &memory, &filter, output);
    }
    let range = range(args, &map)?;
    match &args.output {
        Some(path) => {
            let file = one(&memory, range, path)?;
            if file.read == Bytes::ZERO {
                // A file of nothing but zeros that stand for nothing would only mislead.
                let _ = fs::remove_file(path);
                return Err(nothing(args, range));
            }
            show(&map, output, &[file])
        }
        None if args.text => {
            if !strings(&map, &memory, &[range], args.min_length, output)? {
                return Err(nothing(args, range));
            }
            Ok(Exit::Done)
        }
        None => dump(args, &map, &memory, range, output),
    }
}

fn range(args: &ReadArgs, map: &Map) -> Result<Range, Trouble> {
    let Some(text) = &args.address else {
        return Err(Trouble::usage("no address", "give ADDRESS and LENGTH, or --all-matching FILTER -o DIR"));
    };
    let start = super::address(text)?;
    let length = if let Some(length) = &args.length {
        parse_size(length)
            .ok_or_else(|| Trouble::usage(format!("`{length}` is no length"), "write 256, 0x100, 4K or 1M"))?
    } else {
        // The rest of the region, as far as people read.
        let regions = &map.snapshot.regions;
        let rest = Region::find(regions, start).map(|index| Bytes(regions[index].range.end.0 - start.0));
        rest.unwrap_or(Bytes(256)).min(Bytes(256))
    };
    let end = start.0.checked_add(length.0).filter(|_| length > Bytes::ZERO);
    let end =
        end.ok_or_else(|| Trouble::usage("the length is 0 or reaches beyond the last address", "give less"))?;
    Ok(Range { start, end: Address(end) })
}

fn dump(
    args: &ReadArgs,
    map: &Map,
    memory: &dyn Memory,
    range: Range,
    output: &mut Output,
) -> Result<Exit, Trouble> {
    if range.size() > SHOWN {
        let what = format!("{} bytes are too many to show", range.size().0);
        return Err(Trouble::usage(what, "write them to a file with -o FILE, or read at most 16M"));
    }
    let pieces = read(memory, range);
    if pieces.is_empty() {
        return Err(nothing(args, range));
    }
    if output.json {
        json::read(&mut output.out, &map.snapshot, range, &pieces)?;
    } else {
        terminal::hex(&mut output.out, output.screen, range, &pieces)?;
    }
    Ok(Exit::Done)
}

fn nothing(args: &ReadArgs, range: Range) -> Trouble {
    Trouble::target(
        format!("nothing can be read from {} to {}", range.start, range.end),
        format!("see what is there with: residue map {} --all", args.target.word),
    )
}

/// Shows the texts of some ranges, as they are found; `false` when nothing could be read there.
fn strings(
    map: &Map,
    memory: &dyn Memory,
    ranges: &[Range],
    shortest: usize,
    output: &mut Output,
) -> Result<bool, Trouble> {
    let mut any = false;
    let mut found = |show: &mut dyn FnMut(&Text) -> ControlFlow<()>| {
        let mut window = Vec::new();
        for range in ranges {
            let mut texts = TextScan::of(shortest);
            let is_over = Cell::new(false);
            let mut each = |text: &Text| is_over.set(is_over.get() || show(text).is_break());
            let _ = memory.walk(*range, &mut window, &mut |at, piece| {
                any = true;
                texts.piece(at, piece, &mut each);
                if is_over.get() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            texts.finish(&mut each);
            if is_over.get() {
                break;
            }
        }
    };
    let mut failed = None;
    if output.json {
        json::texts(&mut output.out, &map.snapshot, &mut found)?;
    } else {
        found(&mut |text| match writeln!(output.out, "{:x}  {}", text.address.0, text.text) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        });
    }
    failed.map_or(Ok(any), |error| Err(error.into()))
}

/// Every region that passes becomes a file of its own.
fn each_region(
    args: &ReadArgs,
    map: &Map,
    memory: &dyn Memory,
    filter: &RegionFilter,
    output: &mut Output,
) -> Result<Exit, Trouble> {
    let regions = searchable(map, filter);
    if regions.is_empty() {
        return Err(super::no_region(args.all_matching.as_deref().unwrap_or_default(), &args.target.word));
    }
    if args.text {
        let ranges: Vec<Range> = regions.iter().map(|region| region.range).collect();
        strings(map, memory, &ranges, args.min_length, output)?;
        return Ok(Exit::Done);
    }
    let Some(folder) = &args.output else {
        return Err(Trouble::usage(
            "--all-matching needs a folder",
            "add -o DIR; it is made if it does not exist",
        ));
    };
    fs::create_dir_all(folder).map_err(|error| Trouble::writing(folder, &error))?;
    let (_, interrupt) = super::interrupt()?;
    let bar = Bar::new(regions.len() as u64, "writing {bar:30} {pos} of {len} regions, {eta} left");
    let mut files = Vec::new();
    for (done, region) in regions.iter().enumerate() {
        if interrupt.is_set() {
            break;
        }
        let path = folder.join(format!("{:x}-{:x}.bin", region.range.start.0, region.range.end.0));
        files.push(one(memory, region.range, &path)?);
        bar.set(done as u64 + 1);
    }
    drop(bar);
    let exit = show(map, output, &files)?;
    Ok(if Interrupt::is_set(&interrupt) { Exit::Interrupted } else { exit })
}

fn one(memory: &dyn Memory, range: Range, path: &Path) -> Result<Extracted, Trouble> {
    let read = extract(memory, range, &mut Vec::new(), path).map_err(|error| unwritten(path, &error))?;
    Ok(Extracted { file: path.display().to_string(), range, read, missing: range.size() - read })
}

fn unwritten(path: &Path, error: &std::io::Error) -> Trouble {
    let trouble = Trouble::writing(path, error);
    match error.kind() {
        std::io::ErrorKind::AlreadyExists => trouble.help("nothing is overwritten: give another name"),
        _ => trouble,
    }
}

fn show(map: &Map, output: &mut Output, files: &[Extracted]) -> Result<Exit, Trouble> {
    if output.json {
        json::extracted(&mut output.out, &map.snapshot, files)?;
    } else {
        terminal::extracted(&mut output.out, output.screen, files)?;
    }
    Ok(Exit::Done)
}
