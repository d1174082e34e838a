//! Call paths a line each, the outermost function first: `main;load;parse 4096`. What flamegraph.pl, inferno and speedscope
//! read.

use std::io::Write;

use residue_analysis::recorded::{Flame, FlameNode};

use crate::{Result, words};

/// What stands for a path of which nothing is known.
const UNKNOWN: &str = "[unknown]";

/// Writes the call paths that weigh something of their own. Nothing at all is written of an empty tree.
///
/// # Errors
/// When the output cannot be written.
pub fn write(out: &mut impl Write, flame: &Flame) -> Result<()> {
    let names: Vec<String> = flame.nodes.iter().map(name).collect();
    for (index, node) in flame.nodes.iter().enumerate().filter(|(_, node)| node.own > 0) {
        let mut path = vec![&*names[index]];
        let mut at = node.parent as usize;
        while at > 0 {
            path.push(&names[at]);
            at = flame.nodes[at].parent as usize;
        }
        path.reverse();
        writeln!(out, "{} {}", path.join(";"), node.own)?;
    }
    Ok(())
}

/// A name without what parts names and lines.
fn name(node: &FlameNode) -> String {
    let name = node.frame.as_ref().map_or_else(|| UNKNOWN.to_owned(), words::recorded::function);
    name.replace(';', ":").replace(|letter: char| letter.is_control() || is_line_end(letter), " ")
}

/// Some readers end lines here too.
fn is_line_end(letter: char) -> bool {
    matches!(letter, '\u{2028}' | '\u{2029}')
}
