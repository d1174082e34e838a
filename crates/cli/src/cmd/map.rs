use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use residue::analysis::{DiffRegion, RegionFilter, RegionOrder};
use residue::report::{html, json, terminal};
use residue::{Options, diff, map};

use crate::arguments::MapArgs;
use crate::exit::Exit;
use crate::output::{Output, write_file};
use crate::progress::Spinner;
use crate::trouble::Trouble;

/// Regions that are listed when not all are.
const LISTED: usize = 25;

/// `residue map`: the address space of a process.
pub(crate) fn run(args: &MapArgs, output: &mut Output) -> Result<Exit, Trouble> {
    let filter = RegionFilter::parse(&args.filter)?;
    let by_address = args.all || output.json;
    let order =
        RegionOrder::parse(args.sort.as_deref().unwrap_or(if by_address { "address" } else { "rss" }))?;
    let options = Options { care: args.care.care() };
    let spinner = Spinner::new("reading the address space");
    let earlier = args.diff.as_deref().map(|other| regions_of(other, &options)).transpose()?;
    let map = map(&args.target, &options)?;
    drop(spinner);
    if let Some(path) = &args.html {
        write_file(path, html::map(&map)?.as_bytes())?;
    }
    let top = (!args.all).then_some(LISTED);
    let Output { out, screen, .. } = output;
    match earlier {
        Some(earlier) if output.json => json::diff(out, &map, &diff(&earlier, &map))?,
        Some(earlier) => {
            terminal::diff(out, *screen, &diff(&earlier, &map), top)?;
            terminal::gaps(out, *screen, &map.snapshot.gaps)?;
        }
        None if output.json => json::map(out, &map, &filter, order, args.free)?,
        None => {
            let view = terminal::MapView { filter, order, top, free: args.free };
            terminal::map(out, *screen, &map, &view)?;
        }
    }
    Ok(Exit::Done)
}

/// The regions to compare with: a saved document, or another process.
fn regions_of(other: &str, options: &Options) -> Result<Vec<DiffRegion>, Trouble> {
    let path = Path::new(other);
    if !path.is_file() {
        return Ok(map(other, options)?.snapshot.regions.iter().map(DiffRegion::from).collect());
    }
    let file = File::open(path).map_err(|error| Trouble::reading(path, &error))?;
    json::read_map(BufReader::new(file)).map_err(|error| {
        Trouble::reading(path, &std::io::Error::other(error))
            .help("save one with: residue map PID --json > FILE")
    })
}
