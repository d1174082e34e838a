use residue::analysis::RegionFilter;
use residue::analysis::search::{Encodings, Pattern};
use residue::model::{Bytes, Snapshot};
use residue::report::{json, terminal};
use residue::{map_for, search, searchable};

use crate::arguments::SearchArgs;
use crate::exit::Exit;
use crate::output::Output;
use crate::progress::Bar;
use crate::trouble::Trouble;

/// `residue search`: where something stands in the memory of a target.
pub(crate) fn run(args: &SearchArgs, output: &mut Output) -> Result<Exit, Trouble> {
    let filter = RegionFilter::parse(&args.within)?;
    let (_, interrupt) = super::interrupt()?;
    let target = super::open(&args.target.word, &args.care.options())?;
    let map = map_for(&*target, &filter)?;
    let pattern = pattern(args, &map.snapshot)?;
    let memory = target.memory()?;
    let regions = searchable(&map, &filter);
    if regions.is_empty() {
        return Err(super::no_region(&args.within, &args.target.word));
    }
    let whole: Bytes = regions.iter().map(|region| region.saved.unwrap_or(region.size())).sum();
    let bar = Bar::new(whole.0, "searching {bar:30} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left");
    let hits = search(memory, &regions, &pattern, args.limit as usize, &interrupt, |done| bar.set(done.0));
    drop(bar);
    if hits.searched == Bytes::ZERO && !hits.interrupted {
        return Err(Trouble::target(
            format!("nothing of the {} regions that match can be read", regions.len()),
            "has the process ended? See what there is with: residue map",
        ));
    }
    let Output { out, screen, .. } = output;
    if output.json {
        json::search(out, &map.snapshot, &regions, &hits, &args.pattern, pattern.is_utf16())?;
    } else {
        terminal::search(out, *screen, &map.snapshot, &regions, &hits, pattern.is_utf16())?;
    }
    Ok(if hits.interrupted { Exit::Interrupted } else { Exit::Done })
}

fn pattern(args: &SearchArgs, snapshot: &Snapshot) -> Result<Pattern, Trouble> {
    Ok(if args.hex {
        Pattern::hex(&args.pattern)?
    } else if args.regex {
        Pattern::regex(&args.pattern, args.ignore_case)?
    } else if args.pointer {
        let address = super::address(&args.pattern)?;
        Pattern::pointer(address, snapshot.pointer_bytes(), snapshot.machine.big_endian)
    } else {
        let texts = Encodings { ascii: args.ascii || !args.utf16, utf16: args.utf16 };
        Pattern::text(&args.pattern, texts, args.ignore_case)?
    })
}
