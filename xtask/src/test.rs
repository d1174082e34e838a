//! `cargo xtask test`: every leg, one after the other, and a table at the end.

mod legs;
mod table;

use std::time::Instant;

use anyhow::{Result, bail};
use clap::Args;

use legs::{LEGS, Leg};
use table::Row;

#[derive(Args)]
pub(crate) struct TestArgs {
    /// Run only this leg
    #[arg(long, value_name = "NAME", value_parser = names())]
    leg: Option<String>,
}

fn names() -> Vec<&'static str> {
    LEGS.iter().map(|leg| leg.name).collect()
}

/// A leg that fails does not keep the next from running: one run shows all that is wrong.
pub(crate) fn run(args: &TestArgs) -> Result<()> {
    let chosen = LEGS.iter().filter(|leg| args.leg.as_ref().is_none_or(|name| name == leg.name));
    let rows: Vec<Row> = chosen.map(run_leg).collect();
    print!("\n{}", table::render(&rows));
    let failed = rows.iter().filter(|row| row.outcome.is_err()).count();
    if failed > 0 {
        bail!("{failed} of {} legs failed", rows.len());
    }
    Ok(())
}

fn run_leg(leg: &Leg) -> Row {
    println!("\n=== {} ===", leg.name);
    let begin = Instant::now();
    let outcome = (leg.run)().map_err(|error| format!("{error:#}"));
    if let Err(error) = &outcome {
        println!("{}: {error}", leg.name);
    }
    Row { name: leg.name, took: begin.elapsed(), outcome }
}
