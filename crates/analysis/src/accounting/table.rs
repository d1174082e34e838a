use residue_model::{Footprint, Gap, Process, SystemMemory};

use super::{Area, Column, Group, View, areas, by_user, sort, total};

/// What `residue ps` answers, whatever it looks like.
#[derive(Clone, Debug)]
pub struct Table {
    /// What a row is.
    pub view: View,
    /// The rows.
    pub rows: Rows,
    /// The sum over all rows, those beyond the top included.
    pub total: Group,
    /// Rows that are not shown because only the top was asked for.
    pub more: usize,
    /// The machine.
    pub system: SystemMemory,
    /// What could not be read.
    pub gaps: Vec<Gap>,
}

/// The rows of a table.
#[derive(Clone, Debug)]
pub enum Rows {
    /// One a process.
    Processes(Vec<Process>),
    /// One a user or mapping.
    Groups(Vec<Group>),
}

/// The order and number of rows.
#[derive(Clone, Copy, Debug)]
pub struct Order {
    /// By which column.
    pub column: Column,
    /// Smallest first.
    pub reverse: bool,
    /// At most so many rows.
    pub top: Option<usize>,
}

impl Table {
    /// One row a process.
    pub fn of_processes(mut processes: Vec<Process>, order: Order) -> Table {
        let sum = total(&processes);
        sort(&mut processes, |process| order.column.rank(process), order.reverse);
        let more = cut(&mut processes, order.top);
        Table::new(View::Process, Rows::Processes(processes), sum, more)
    }

    /// One row a user.
    pub fn of_users(processes: &[Process], order: Order) -> Table {
        let sum = total(processes);
        Table::of_groups(View::User, by_user(processes), sum, order)
    }

    /// One row a mapping.
    pub fn of_mappings(mappings: Vec<Group>, processes: &[Process], order: Order) -> Table {
        let all = total(processes);
        let footprint = Footprint { vss: None, ..all.footprint.clone() };
        let regions = mappings.iter().map(|mapping| mapping.regions).sum();
        let sum = Group { regions, footprint, ..all };
        Table::of_groups(View::Mapping, mappings, sum, order)
    }

    fn of_groups(view: View, mut groups: Vec<Group>, sum: Group, order: Order) -> Table {
        sort(&mut groups, |group| Column::User.of_group(group), false);
        sort(&mut groups, |group| order.column.of_group(group), order.reverse);
        let more = cut(&mut groups, order.top);
        Table::new(view, Rows::Groups(groups), sum, more)
    }

    fn new(view: View, rows: Rows, total: Group, more: usize) -> Table {
        Table { view, rows, total, more, system: SystemMemory::default(), gaps: Vec::new() }
    }
}

fn cut<T>(rows: &mut Vec<T>, top: Option<usize>) -> usize {
    let keep = top.unwrap_or(rows.len()).min(rows.len());
    let more = rows.len() - keep;
    rows.truncate(keep);
    more
}

/// The machine's memory by who holds it.
#[derive(Clone, Debug)]
pub struct Machine {
    /// Its parts.
    pub areas: Vec<Area>,
    /// What the kernel says of it.
    pub memory: SystemMemory,
    /// The sum over processes: resident pages count once for each process that maps them.
    pub processes: Footprint,
    /// What could not be read.
    pub gaps: Vec<Gap>,
}

impl Machine {
    /// Splits the machine's memory.
    pub fn of(memory: SystemMemory, processes: &[Process], gaps: Vec<Gap>) -> Machine {
        Machine { areas: areas(&memory), memory, processes: total(processes).footprint, gaps }
    }
}

#[cfg(test)]
mod tests {
    use residue_model::{Bytes, ProcessId};

    use super::*;

    #[test]
    fn the_total_counts_rows_that_are_not_shown() {
        let process = |pid, pss| Process {
            pid: ProcessId(pid),
            footprint: Footprint { pss: Some(Bytes(pss)), ..Footprint::default() },
            ..Process::default()
        };
        let order = Order { column: Column::Pss, reverse: false, top: Some(1) };
        let table = Table::of_processes(vec![process(1, 10), process(2, 30)], order);
        let Rows::Processes(rows) = &table.rows else { panic!("asked for processes") };
        assert_eq!((rows.len(), rows[0].pid, table.more), (1, ProcessId(2), 1));
        assert_eq!((table.total.footprint.pss, table.total.processes), (Some(Bytes(40)), 2));
    }
}
