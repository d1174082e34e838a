/// How much is asked of the counters of a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Detail {
    /// What costs microseconds.
    #[default]
    Quick,
    /// Also what takes longer the larger the process or the machine is: PSS and USS, on Windows the private working set and
    /// the threads.
    Full,
}
