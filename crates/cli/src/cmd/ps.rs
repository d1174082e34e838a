use std::io;
use std::path::Path;

use residue::analysis::accounting::{Column, Order, ProcessFilter, Table, View, parts};
use residue::model::{Gap, Os};
use residue::report::chart::{self, Format, Shape};
use residue::report::terminal::Screen;
use residue::report::{json, terminal};
#[cfg(target_os = "linux")]
use residue::save;
use residue::{HERE, Origin, Query, Request, areas, table};

use crate::arguments::{By, PsArgs};
use crate::exit::Exit;
use crate::output::{Output, write_file};
use crate::progress::Bar;
use crate::trouble::Trouble;

/// Bars of a chart; what is beyond is drawn as one.
const BARS: usize = 20;
/// Slices of a pie, as many as there are colours to tell them apart.
const SLICES: usize = 7;

/// `residue ps`: who has the memory.
pub(crate) fn run(args: &PsArgs, output: &mut Output) -> Result<Exit, Trouble> {
    #[cfg(target_os = "linux")]
    if let Some(path) = &args.save {
        return save_to(path, output);
    }
    if output.json && (args.bar.is_some() || args.pie.is_some()) {
        return Err(Trouble::usage("a chart is no document", "give --json or one of --bar and --pie"));
    }
    if os(args) == Os::Windows && matches!(args.by, By::Mapping) {
        return Err(Trouble::usage(
            "Windows does not tell what processes share, so nothing can be summed by mapping",
            "see the mappings of one process: residue map PID",
        ));
    }
    let request = request(args)?;
    let sizes = sizes(args);
    let file = args.from.as_ref().map(|path| path.display().to_string());
    let target = file.as_deref().map_or(json::Target::Machine, |file| json::Target::Capture { file });
    let bar = Bar::new(0, "reading {bar:30} {pos}/{len} processes, {per_sec}, {eta} left");
    let Some(view) = view(args.by) else {
        only_areas(args)?;
        let machine = areas(&request, &|done, all| bar.set_of(done as u64, all as u64))?;
        drop(bar);
        if output.json {
            json::machine(&mut output.out, target, &machine)?;
        } else {
            terminal::machine(&mut output.out, output.screen, &machine, sizes, !args.no_header)?;
            gaps(args, output, &machine.gaps)?;
        }
        return Ok(Exit::Done);
    };
    let query = query(args, view, output.json)?;
    let answer = table(&request, &query, &|done, all| bar.set_of(done as u64, all as u64))?;
    drop(bar);
    if draw(args, &query, &answer, output)? {
        return Ok(Exit::Done);
    }
    if output.json {
        json::processes(&mut output.out, target, &answer)?;
    } else {
        let style = terminal::PsStyle { sizes, header: !args.no_header, totals: args.totals };
        terminal::processes(&mut output.out, output.screen, &answer, &query.columns, style)?;
        gaps(args, output, &answer.gaps)?;
    }
    Ok(Exit::Done)
}

/// What could not be seen stands below the table; beside it where the table is read by a program.
fn gaps(args: &PsArgs, output: &mut Output, gaps: &[Gap]) -> Result<(), Trouble> {
    if args.no_header {
        terminal::gaps(&mut io::stderr(), Screen::default(), gaps)?;
    } else {
        terminal::gaps(&mut output.out, output.screen, gaps)?;
    }
    Ok(())
}

/// The machine has five areas and nothing to choose among them.
fn only_areas(args: &PsArgs) -> Result<(), Trouble> {
    let chosen = [
        ("--columns", args.columns.is_some()),
        ("--sort", args.sort.is_some()),
        ("--top", args.top.is_some()),
        ("--totals", args.totals),
        ("--bar", args.bar.is_some()),
        ("--pie", args.pie.is_some()),
    ];
    match chosen.iter().find(|(_, given)| *given) {
        Some((option, _)) => Err(Trouble::usage(
            format!("{option} has no meaning with --by system"),
            "it goes with --by process, user or mapping",
        )),
        None => Ok(()),
    }
}

#[cfg(target_os = "linux")]
fn save_to(path: &Path, output: &Output) -> Result<Exit, Trouble> {
    if output.json {
        return Err(Trouble::usage(
            "--save prints no document",
            "leave --json out; read it later: --from FILE --json",
        ));
    }
    let bar = Bar::new(0, "saving {bar:30} {pos}/{len} processes, {per_sec}, {eta} left");
    let saved = save(path, &|done, all| bar.set_of(done as u64, all as u64))?;
    drop(bar);
    eprintln!("saved {} processes to {}", saved.processes, path.display());
    if let Some((pid, wait)) = saved.longest {
        eprintln!(
            "the longest read was of process {pid}: its mmap may have waited {:.1} ms",
            wait.as_secs_f64() * 1e3
        );
    }
    Ok(Exit::Done)
}

fn request(args: &PsArgs) -> Result<Request, Trouble> {
    let origin = args.from.clone().map_or(Origin::Live, Origin::Capture);
    Ok(Request { origin, filter: ProcessFilter::parse(&args.filter)?, care: args.care.care() })
}

fn view(by: By) -> Option<View> {
    match by {
        By::Process => Some(View::Process),
        By::User => Some(View::User),
        By::Mapping => Some(View::Mapping),
        By::System => None,
    }
}

fn query(args: &PsArgs, view: View, everything: bool) -> Result<Query, Trouble> {
    let columns = match &args.columns {
        Some(list) => view.columns(list)?,
        None => view.default_columns(os(args)).to_vec(),
    };
    if columns.is_empty() {
        return Err(Trouble::usage("no columns are chosen", "name some: --columns pid,pss,command"));
    }
    let column = match &args.sort {
        Some(word) => view.column(word)?,
        None if args.bar.is_some() || args.pie.is_some() => usual_size(os(args)),
        None => default_order(&columns, usual_size(os(args))),
    };
    // A chart sums what is beyond its bars itself.
    let draws = args.bar.is_some() || args.pie.is_some();
    let top = args.top.filter(|_| !draws);
    if draws && !column.is_size() {
        return Err(Trouble::usage(
            format!("{} is no size: it cannot be drawn", column.key()),
            "sort by one: --sort pss, uss, rss, swap or vss",
        ));
    }
    Ok(Query { view, columns, order: Order { column, reverse: args.reverse, top }, everything })
}

/// Whose processes are shown: captures are of Linux.
fn os(args: &PsArgs) -> Os {
    if args.from.is_some() { Os::Linux } else { HERE }
}

/// What a process really takes, as far as its system tells.
fn usual_size(os: Os) -> Column {
    if os == Os::Windows { Column::Commit } else { Column::Pss }
}

/// By the usual size where it is shown, else by the first size that is: nothing is read just to sort by it.
fn default_order(columns: &[Column], usual: Column) -> Column {
    if columns.contains(&usual) {
        return usual;
    }
    columns.iter().find(|column| column.is_size()).or(columns.first()).copied().unwrap_or(usual)
}

fn sizes(args: &PsArgs) -> terminal::Sizes {
    match args {
        PsArgs { bytes: true, .. } => terminal::Sizes::Bytes,
        PsArgs { percent: true, .. } => terminal::Sizes::Percent,
        _ => terminal::Sizes::Units,
    }
}

/// Draws a chart if one is wanted; says whether it did.
fn draw(args: &PsArgs, query: &Query, answer: &Table, output: &mut Output) -> Result<bool, Trouble> {
    let (shape, file) = match (&args.bar, &args.pie) {
        (Some(file), _) => (Shape::Bars, file),
        (None, Some(file)) => (Shape::Pie, file),
        (None, None) => return Ok(false),
    };
    let column = query.order.column;
    let drawn = if shape == Shape::Pie { SLICES } else { BARS };
    let parts = parts(answer, column, args.top.unwrap_or(drawn));
    let title = format!("{} by {}", column.title(), query.view.row_name());
    if let Some(path) = file {
        write_file(path, &chart::draw(shape, format(path)?, &title, &parts)?)?;
        terminal::gaps(&mut io::stderr(), Screen::default(), &answer.gaps)?;
    } else {
        terminal::bar_chart(&mut output.out, output.screen, &title, &parts)?;
        gaps(args, output, &answer.gaps)?;
    }
    Ok(true)
}

fn format(path: &Path) -> Result<Format, Trouble> {
    match path.extension().and_then(|end| end.to_str()) {
        Some("svg") => Ok(Format::Svg),
        Some("png") => Ok(Format::Png),
        _ => Err(Trouble::usage(
            format!("cannot tell what kind of picture {} is", path.display()),
            "end the name in .svg or .png",
        )),
    }
}
