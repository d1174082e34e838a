use std::cmp::Reverse;

use residue_analysis::recorded::Flame;

/// Pixels of the picture as it is written; in a browser it takes the window's.
pub(super) const WIDTH: u32 = 1200;
/// Pixels from one row to the next.
pub(super) const ROW: usize = 18;
/// What is narrower is not drawn.
const LEAST_PIXELS: f64 = 0.1;

/// Where a function stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Placed {
    /// Index of the node.
    pub(super) node: usize,
    /// How many called it, one through the other.
    pub(super) row: usize,
    /// What weighs to the left of it.
    pub(super) start: u64,
}

/// Where everything stands that is wide enough to be seen.
#[derive(Clone, Debug, Default)]
pub(super) struct Layout {
    /// Callers before those that they called.
    pub(super) placed: Vec<Placed>,
    /// How many rows there are.
    pub(super) rows: usize,
    /// Calls that are too narrow, without those further in.
    pub(super) left_out: u64,
    /// What they weigh.
    pub(super) left_out_weight: u64,
}

impl Layout {
    /// The heaviest stand to the left, above their caller.
    pub(super) fn of(flame: &Flame) -> Layout {
        let mut layout = Layout::default();
        if flame.total() == 0 {
            return layout;
        }
        let children = children(flame);
        layout.placed.push(Placed { node: 0, row: 0, start: 0 });
        let mut next = 0;
        while let Some(&Placed { node, row, mut start }) = layout.placed.get(next) {
            layout.rows = layout.rows.max(row + 1);
            for &child in &children[node] {
                let weight = flame.nodes[child].total;
                if pixels(weight, flame.total()) >= LEAST_PIXELS {
                    layout.placed.push(Placed { node: child, row: row + 1, start });
                } else {
                    layout.left_out += 1;
                    layout.left_out_weight = layout.left_out_weight.saturating_add(weight);
                }
                start = start.saturating_add(weight);
            }
            next += 1;
        }
        layout
    }
}

/// How wide something is.
pub(super) fn pixels(weight: u64, total: u64) -> f64 {
    weight as f64 / total as f64 * f64::from(WIDTH)
}

/// Whom each node called, the heaviest first.
fn children(flame: &Flame) -> Vec<Vec<usize>> {
    let mut children = vec![Vec::new(); flame.nodes.len()];
    for (index, node) in flame.nodes.iter().enumerate().skip(1) {
        children[node.parent as usize].push(index);
    }
    for siblings in &mut children {
        siblings.sort_by_key(|&index| Reverse(flame.nodes[index].total));
    }
    children
}
