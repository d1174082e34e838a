//! The memory of many processes: who has how much, by process, user and mapping.

mod column;
mod filter;
mod group;
mod machine;
mod part;
mod table;

pub use column::{Column, Value, View};
pub use filter::ProcessFilter;
pub use group::{Group, Mappings, by_user};
pub use machine::{Area, areas};
pub use part::parts;
pub use table::{Machine, Order, Rows, Table};

use residue_model::Process;

/// The sum over processes, of what is known; it counts those whose memory is not.
pub fn total<'a>(processes: impl IntoIterator<Item = &'a Process>) -> Group {
    let mut total = Group::default();
    for process in processes {
        total.processes += 1;
        total.take(process);
    }
    total
}

/// Puts rows in the order of a column, largest first for numbers and by name for words; unknown ones last.
pub fn sort<T>(rows: &mut [T], value: impl Fn(&T) -> Value<'_>, reverse: bool) {
    rows.sort_by(|a, b| {
        let order = value(a).compare(&value(b));
        if reverse { order.reverse() } else { order }
    });
}
