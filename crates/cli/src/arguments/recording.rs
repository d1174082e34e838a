#![allow(clippy::doc_markdown, reason = "these comments are the help that a terminal shows")]

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;
use residue::model::Bytes;

use crate::values::size;

#[derive(Args)]
#[command(after_help = "\
The program has the terminal, its input and its output to itself, and ends as it would without. What it starts is
recorded too, each process and each program in a file of its own. Ctrl-C reaches the program as well; if it has not ended
two seconds later, or at a second Ctrl-C, the recording ends and the program runs on.

A process that ends by itself is held at its very end while all pointers in its memory are followed: that tells what is
lost from what was merely not freed. It takes about as long as residue leaks, some milliseconds for most.

Examples:
  residue record -- ./server --port 8080
  residue record -o before.residue -- make -j8
  residue record --sample 512K -- ./busy-server
  residue report server.4711.residue")]
pub(crate) struct RecordArgs {
    /// The file for the recording [default: PROGRAM.PID.residue]; other processes get its name with their pid put in
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,

    /// Record a sample, a byte in so many and its block: hardly any cost, and estimates with their margins
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) sample: Option<Bytes>,

    /// Do not record what the program starts
    #[arg(long)]
    pub(crate) no_children: bool,

    /// Do not hold a process at its end to see what it has lost
    #[arg(long)]
    pub(crate) no_lost: bool,

    /// Keep so many frames of a call path, the innermost
    #[arg(long, value_name = "N", default_value_t = 1024, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_frames: u32,

    /// The program and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}
