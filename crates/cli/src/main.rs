//! The `residue` command: reads arguments, calls the library, prints, and says by its exit code how it went.

mod arguments;
mod cmd;
mod exit;
mod output;
mod progress;
mod trouble;
mod values;

use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use arguments::{Arguments, Command};
use exit::Exit;
use output::Output;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // A closed pipe has nobody left to tell.
            let _ = error.print();
            let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            return if asked { Exit::Done.into() } else { Exit::Usage.into() };
        }
    };
    let mut output = Output::stdout(arguments.json);
    let result = match &arguments.command {
        #[cfg(any(target_os = "linux", windows))]
        Command::Ps(ps) => cmd::ps::run(ps, &mut output),
        Command::Map(map) => cmd::map::run(map, &mut output),
        Command::Search(search) => cmd::search::run(search, &mut output),
        Command::Read(read) => cmd::read::run(read, &mut output),
        Command::Heap(heap) => cmd::heap::run(heap, &mut output),
        Command::Leaks(leaks) => cmd::leaks::run(leaks, &mut output),
        Command::Blocks(blocks) => cmd::blocks::run(blocks, &mut output),
        Command::Refs(refs) => cmd::refs::run(refs, &mut output),
        Command::Report(report) => cmd::report::run(report, &mut output),
        #[cfg(any(target_os = "linux", windows))]
        Command::Dump(dump) => cmd::dump::run(dump, &mut output),
        #[cfg(target_os = "linux")]
        Command::Gdb(gdb) => cmd::gdb::run(gdb, &mut output),
        #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
        Command::Record(record) => cmd::record::run(record),
        #[cfg(any(target_os = "linux", windows))]
        Command::Watch(watch) => cmd::watch::run(watch, &mut output),
        #[cfg(windows)]
        Command::Selfcheck(selfcheck) => cmd::selfcheck::run(selfcheck, &mut output),
        Command::Triage(triage) => cmd::triage::run(triage, &mut output),
        #[cfg(any(target_os = "linux", windows))]
        Command::DemoLeak => cmd::demo::leak(),
    };
    match result.and_then(|exit| output.finish().map(|()| exit)) {
        Ok(exit) => exit.into(),
        Err(trouble) => trouble.report().into(),
    }
}
