use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use residue::analysis::{DiffRegion, RegionFilter, RegionOrder, RegionView};
use residue::model::Counter;
use residue::report::terminal::MapView;
use residue::report::{html, json, terminal};
use residue::{Options, diff, is_dump, map};

use crate::arguments::MapArgs;
use crate::exit::Exit;
use crate::output::{Output, write_file};
use crate::progress::Spinner;
use crate::trouble::Trouble;

/// Regions that are listed when not all are.
const LISTED: usize = 25;

/// `residue map`: the address space of a process or dump.
pub(crate) fn run(args: &MapArgs, output: &mut Output) -> Result<Exit, Trouble> {
    let filter = RegionFilter::parse(&args.filter)?;
    let order = args.sort.as_deref().map(RegionOrder::parse).transpose()?;
    let options = args.care.options();
    let earlier = args.diff.as_deref().map(|other| regions_of(other, &options)).transpose()?;
    let target = super::open(&args.target.word, &options)?;
    let spinner = Spinner::new("reading the address space");
    let mut map = map(&*target)?;
    let order = order.unwrap_or(match &map.snapshot.dump {
        _ if args.all || output.json => RegionOrder::Address,
        Some(_) => RegionOrder::Size,
        None => RegionOrder::Counter(Counter::Rss),
    });
    let top = (!args.all && !output.json).then_some(LISTED);
    let view = RegionView { filter, order, top };
    if map.snapshot.dump.is_some() && earlier.is_none() {
        map.look_into(&view, target.memory()?);
    }
    drop(spinner);
    if let Some(path) = &args.html {
        write_file(path, html::map(&map)?.as_bytes())?;
    }
    let Output { out, screen, .. } = output;
    match earlier {
        Some(earlier) if output.json => json::diff(out, &map, &diff(&earlier, &map))?,
        Some(earlier) => {
            terminal::diff(out, *screen, &diff(&earlier, &map), (!args.all).then_some(LISTED))?;
            terminal::gaps(out, *screen, &map.snapshot.gaps)?;
        }
        None if output.json => json::map(out, &map, &view, args.free)?,
        None => {
            let view = MapView { regions: view, free: args.free, allocations: args.allocations };
            terminal::map(out, *screen, &map, &view)?;
        }
    }
    Ok(Exit::Done)
}

/// The regions to compare with: a saved document, another process or a dump.
fn regions_of(other: &str, options: &Options) -> Result<Vec<DiffRegion>, Trouble> {
    let path = Path::new(other);
    if !path.is_file() || is_dump(other) {
        let map = map(&*super::open(other, options)?)?;
        return Ok(map.snapshot.regions.iter().map(DiffRegion::from).collect());
    }
    let file = File::open(path).map_err(|error| Trouble::reading(path, &error))?;
    json::read_map(BufReader::new(file)).map_err(|error| {
        Trouble::reading(path, &std::io::Error::other(error))
            .help("save one with: residue map PID --json > FILE")
    })
}
