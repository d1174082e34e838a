//! `cargo xtask layers`: the walls between the crates, as `docs/design` draws them.

mod edges;
mod purity;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::place;
use crate::shell::{cargo, output};

pub(crate) fn run() -> Result<()> {
    println!("{}", check()?);
    Ok(())
}

/// Checks both walls, prints what breaks them, and says what was checked.
pub(crate) fn check() -> Result<String> {
    let text = output(&mut cargo(&["metadata", "--format-version=1", "--no-deps"]))?;
    let metadata: Value = serde_json::from_str(&text).context("cargo metadata is no JSON")?;
    let (edges, mut offences) = edges::judge(&metadata);
    let (files, impure) = purity::judge(&place::root().join("crates"))?;
    offences.extend(impure);
    for offence in &offences {
        println!("{offence}");
    }
    if !offences.is_empty() {
        bail!("{} offences against the layers", offences.len());
    }
    Ok(format!("{edges} edges and {files} pure files are as allowed"))
}
