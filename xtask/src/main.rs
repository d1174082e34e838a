//! What the people who work on Residue run: `cargo xtask COMMAND`.

mod figures;
mod layers;
mod libraries;
mod packages;
mod place;
mod setup;
mod shell;
mod test;
mod windows;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about)]
struct Xtask {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Install what the tests need: Debian packages, C libraries of other releases, cargo tools
    Setup,
    /// Run every leg of the tests and end with a table of them
    Test(test::TestArgs),
    /// Check which crate may use which, and that the pure crates do no I/O
    Layers,
    /// Fragment a 32-bit Windows program under Wine and look at it. Needs wine32: see CONTRIBUTING.md
    Experiment,
    /// Measure Residue against its peers and print the ratios
    Figures(figures::FiguresArgs),
}

fn main() -> Result<()> {
    match Xtask::parse().command {
        Command::Setup => setup::run(),
        Command::Test(args) => test::run(&args),
        Command::Layers => layers::run(),
        Command::Experiment => windows::experiment(),
        Command::Figures(args) => figures::run(&args),
    }
}
