use residue::model::{DumpFormat, Os};
use residue::report::{json, terminal, units};
use residue::{DumpOptions, DumpProgress, HERE, dump};

use crate::arguments::DumpArgs;
use crate::exit::Exit;
use crate::output::Output;
use crate::progress::Bar;
use crate::trouble::Trouble;

/// `residue dump`: a core of a running process, which goes on afterwards.
pub(crate) fn run(args: &DumpArgs, output: &mut Output) -> Result<Exit, Trouble> {
    let (_, interrupt) = super::interrupt()?;
    let is_interrupted = || interrupt.is_set();
    let options = DumpOptions {
        #[cfg(target_os = "linux")]
        all_files: args.all_files,
        #[cfg(target_os = "linux")]
        excluded: args.excluded,
        #[cfg(target_os = "linux")]
        staging: args.staging,
        compress: args.compress,
        force: args.force,
        interrupted: &is_interrupted,
    };
    let bar = Bar::new(0, "{msg} {bar:30} {bytes} of {total_bytes}, {eta} left");
    let is_json = output.json;
    let result = dump(&args.target, &options, &args.output, &mut |progress| match progress {
        // Said before, whatever comes after: nobody's process is stopped without a word.
        DumpProgress::Estimated(cost) => eprintln!(
            "{} will stand still for about {} while {} are copied",
            args.target,
            units::duration(cost.stopped.as_secs_f64()),
            units::size(cost.size)
        ),
        DumpProgress::Stopped => bar.say("the process stands still, writing"),
        DumpProgress::Copied(done, all) => bar.set_of(done.0, all.0),
        DumpProgress::Resumed(_) => bar.say("the process runs again, writing"),
        DumpProgress::Compressed(done, all) => {
            bar.say("compressing");
            bar.set_of(done.0, all.0);
        }
    });
    drop(bar);
    if interrupt.is_set() && result.is_err() {
        eprintln!("interrupted: the process runs on, no file was left");
        return Ok(Exit::Interrupted);
    }
    let dumped = result?;
    let file = args.output.display().to_string();
    if is_json {
        json::dump(&mut output.out, &args.target, &file, &row(&dumped, args.compress), &dumped.gaps)?;
    } else {
        terminal::dumped(&mut output.out, output.screen, &file, &row(&dumped, args.compress), &dumped.gaps)?;
    }
    Ok(Exit::Done)
}

fn row(dumped: &residue::Dumped, compressed: bool) -> json::DumpedRow {
    json::DumpedRow {
        format: if HERE == Os::Windows { DumpFormat::Minidump } else { DumpFormat::ElfCore },
        saved: dumped.saved,
        file_size: dumped.file_size,
        disk: dumped.disk,
        regions: dumped.regions as u64,
        threads: dumped.threads as u64,
        compressed,
        stopped_ms: dumped.stopped.as_secs_f64() * 1000.0,
        estimate_ms: dumped.estimate.as_secs_f64() * 1000.0,
    }
}
