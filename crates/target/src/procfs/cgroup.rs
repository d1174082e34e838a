//! `cgroup`: which control group a process is in. Source: `proc_pid_cgroup(5)`, `cgroups(7)`.

use super::printable;

/// Where the memory controller's files of a process are, below the mount of the cgroup file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Membership {
    /// The unified hierarchy.
    Unified(String),
    /// The memory hierarchy of version 1.
    Memory(String),
}

/// Reads the membership that carries the memory controller: version 1 where it is mounted so, else the unified one.
pub fn parse(text: &[u8]) -> Option<Membership> {
    let mut unified = None;
    for line in text.split(|&byte| byte == b'\n') {
        let mut parts = line.splitn(3, |&byte| byte == b':');
        let (Some(id), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next()) else {
            continue;
        };
        if controllers.split(|&byte| byte == b',').any(|name| name == b"memory") {
            return Some(Membership::Memory(printable(path)));
        }
        if id == b"0" && controllers.is_empty() {
            unified = Some(Membership::Unified(printable(path)));
        }
    }
    unified
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_one_memory_wins_over_an_empty_unified_line() {
        let text = b"5:cpu,cpuacct:/a\n4:memory:/box/a:b\n0::/u\n";
        assert_eq!(parse(text), Some(Membership::Memory("/box/a:b".into())));
        assert_eq!(parse(b"0::/user.slice\n"), Some(Membership::Unified("/user.slice".into())));
        assert_eq!(parse(b"5:cpu:/a\n"), None);
    }
}
