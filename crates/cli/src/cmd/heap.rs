use residue::report::{json, terminal};
use residue::{Options, heaps};

use super::examined::{Watching, examine};
use crate::arguments::HeapArgs;
use crate::exit::Exit;
use crate::output::Output;
use crate::trouble::Trouble;

/// `residue heap`: what the heaps of a target hold.
pub(crate) fn run(args: &HeapArgs, output: &mut Output) -> Result<Exit, Trouble> {
    let target = super::open(&args.target.word, &Options::default())?;
    let watching = Watching::new();
    let examination = examine(&*target, &args.still, &watching)?;
    let Output { out, screen, .. } = output;
    let report = heaps(&examination, &mut |progress| watching.tell(progress));
    drop(watching);
    if args.malloc_stats {
        let Some(heap) = report.seen.heaps.iter().find(|heap| heap.mallinfo.is_some()) else {
            return Err(Trouble::target(
                format!("no heap of glibc was found in {}", args.target.word),
                format!("see what there is with: residue heap {}", args.target.word),
            ));
        };
        terminal::malloc_stats(out, heap)?;
    } else if output.json {
        json::heap(out, &report)?;
    } else {
        terminal::heap(out, *screen, &report, args.all)?;
    }
    Ok(Exit::Done)
}
