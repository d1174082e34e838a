use residue::report::{json, terminal};
use residue::{Options, heaps};

use super::examined::{Watching, examine};
use crate::arguments::HeapArgs;
use crate::exit::Exit;
use crate::output::Output;
use crate::trouble::Trouble;

/// `residue heap`: what the heaps of a target hold.
pub(crate) fn run(args: &HeapArgs, output: &mut Output) -> Result<Exit, Trouble> {
    // The parser sees a conflict only where both stand behind the command.
    if args.malloc_stats && output.json {
        return Err(Trouble::usage(
            "--malloc-stats prints the words of malloc_stats(3), --json a document",
            "leave one of them out; mallinfo in the document has the same numbers",
        ));
    }
    let target = super::open(&args.target.word, &Options::default())?;
    let watching = Watching::new();
    let examination = examine(&*target, &args.still, &watching)?;
    let Output { out, screen, .. } = output;
    let report = heaps(&examination, &mut |progress| watching.tell(progress));
    drop(watching);
    if args.malloc_stats {
        let of_glibc: Vec<_> = report.seen.heaps.iter().filter(|heap| heap.mallinfo.is_some()).collect();
        if of_glibc.is_empty() {
            return Err(Trouble::target(
                format!("no heap of glibc was found in {}", args.target.word),
                format!("see what there is with: residue heap {}", args.target.word),
            ));
        }
        terminal::malloc_stats(out, &of_glibc)?;
    } else if output.json {
        json::heap(out, &report)?;
    } else {
        terminal::heap(out, *screen, &report, args.all)?;
    }
    Ok(Exit::Done)
}
