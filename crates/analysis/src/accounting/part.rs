use std::cmp::Reverse;

use residue_model::{Bytes, Process};

use super::{Column, Rows, Table, Value};

/// The largest rows of a table by one column, with their names; the others together as `rest`.
pub fn parts(table: &Table, column: Column, count: usize) -> Vec<(String, Bytes)> {
    let size = |value: Value<'_>| match value {
        Value::Size(size) | Value::AtLeast(size) => Some(size),
        _ => None,
    };
    let mut parts: Vec<(String, Bytes)> = match &table.rows {
        Rows::Processes(rows) => {
            let name = |process: &Process| format!("{} ({})", process.name, process.pid);
            rows.iter()
                .filter_map(|process| Some((name(process), size(column.of_process(process))?)))
                .collect()
        }
        Rows::Groups(rows) => rows
            .iter()
            .filter_map(|group| Some((group.name.clone(), size(column.of_group(group))?)))
            .collect(),
    };
    parts.retain(|part| part.1 > Bytes::ZERO);
    parts.sort_by_key(|part| Reverse(part.1));
    let rest: Bytes = parts.iter().skip(count).map(|part| part.1).sum();
    let others = parts.len().saturating_sub(count);
    parts.truncate(count);
    if rest > Bytes::ZERO {
        parts.push((format!("rest ({others})"), rest));
    }
    parts
}

#[cfg(test)]
mod tests {
    use residue_model::Footprint;

    use super::*;
    use crate::accounting::Order;

    #[test]
    fn what_is_not_among_the_largest_is_summed_and_nothing_is_lost() {
        let process = |pss| Process {
            name: "x".into(),
            footprint: Footprint { pss: Some(Bytes(pss)), ..Footprint::default() },
            ..Process::default()
        };
        let order = Order { column: Column::Pss, reverse: true, top: None };
        let table = Table::of_processes((1..=5).map(process).collect(), order);
        let parts = parts(&table, Column::Pss, 2);
        let sizes: Vec<u64> = parts.iter().map(|part| part.1.0).collect();
        assert_eq!(sizes, [5, 4, 6]);
        assert_eq!(parts[2].0, "rest (3)");
    }
}
