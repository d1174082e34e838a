use std::fs;
use std::path::Path;

use residue_model::{Bytes, Gap, Limit, LimitKind, Limits, ProcessId, SystemMemory};

use super::ProcDir;
use crate::procfs::cgroup::{self, Membership};
use crate::procfs::{limits as resource, status};

/// Everything that bounds the memory of a process; what cannot be read becomes a gap.
pub fn limits(proc_dir: &ProcDir, pid: ProcessId, system: &SystemMemory, gaps: &mut Vec<Gap>) -> Limits {
    let mut memory = Vec::new();
    cgroups(proc_dir, pid, &mut memory, gaps);
    resource_limits(proc_dir, pid, &mut memory, gaps);
    if let (Some(total), Some(available)) = (system.total, system.available) {
        let source = "MemAvailable of /proc/meminfo".into();
        memory.push(Limit { kind: LimitKind::Machine, limit: total, used: Some(total - available), source });
    }
    memory.sort_by_key(|limit| limit.headroom().unwrap_or(limit.limit));
    let max_map_count = proc_dir.read_path("sys/vm/max_map_count").ok();
    Limits { memory, max_map_count: max_map_count.and_then(|text| number(&text)) }
}

fn resource_limits(proc_dir: &ProcDir, pid: ProcessId, memory: &mut Vec<Limit>, gaps: &mut Vec<Gap>) {
    let text = match proc_dir.read_path(&format!("{pid}/limits")) {
        Ok(text) => text,
        Err(error) => return gaps.push(Gap::new("resource limits", error.to_string())),
    };
    let limits = resource::parse(&text);
    let status =
        proc_dir.read_path(&format!("{pid}/status")).map(|text| status::parse(&text)).unwrap_or_default();
    let bounds = [
        (LimitKind::AddressSpace, limits.address_space, status.vss, "RLIMIT_AS"),
        (LimitKind::Data, limits.data, status.data, "RLIMIT_DATA"),
    ];
    for (kind, limit, used, source) in bounds {
        if let Some(limit) = limit {
            memory.push(Limit { kind, limit, used, source: source.into() });
        }
    }
}

/// The bounds of its control group and of every one above: the nearest may not be the tightest.
fn cgroups(proc_dir: &ProcDir, pid: ProcessId, memory: &mut Vec<Limit>, gaps: &mut Vec<Gap>) {
    let text = proc_dir.read_path(&format!("{pid}/cgroup")).unwrap_or_default();
    let (mount, path, names) = match cgroup::parse(&text) {
        Some(Membership::Unified(path)) => ("/sys/fs/cgroup", path, &UNIFIED),
        Some(Membership::Memory(path)) => ("/sys/fs/cgroup/memory", path, &VERSION_1),
        None => {
            return gaps
                .push(Gap::new("cgroup limits", "the process names no cgroup with a memory controller"));
        }
    };
    let group = Path::new(mount).join(path.trim_start_matches('/'));
    if path.contains("/..") || !group.is_dir() {
        // The path is told from the reader's cgroup namespace: from inside a container others are out of sight.
        return gaps.push(Gap::new(
            format!("limits of cgroup {path}"),
            format!("not found below {mount}: run on the host or mount the cgroup file system"),
        ));
    }
    for level in group.ancestors().take_while(|level| level.starts_with(mount)) {
        memory.extend(level_limit(level, names));
    }
}

/// The files of a control group that bound and count its memory.
struct Names {
    limit: &'static str,
    used: &'static str,
    inactive_file: &'static str,
}

const UNIFIED: Names = Names { limit: "memory.max", used: "memory.current", inactive_file: "inactive_file" };
const VERSION_1: Names = Names {
    limit: "memory.limit_in_bytes",
    used: "memory.usage_in_bytes",
    inactive_file: "total_inactive_file",
};

fn level_limit(level: &Path, names: &Names) -> Option<Limit> {
    let limit = read_number(level, names.limit)?;
    // Version 1 says "no limit" with the largest page-aligned number.
    if limit.0 >= i64::MAX as u64 - 0xffff {
        return None;
    }
    Some(Limit {
        kind: LimitKind::Cgroup,
        limit,
        used: working_set(level, names),
        source: level.display().to_string(),
    })
}

/// What the group would still hold after the kernel took back idle file pages, which it does before it kills: with them,
/// whoever reads a large file looks nearly full. Kubernetes counts the same way.
fn working_set(level: &Path, names: &Names) -> Option<Bytes> {
    let stat = fs::read_to_string(level.join("memory.stat")).ok()?;
    let idle = stat.lines().find_map(|line| line.strip_prefix(names.inactive_file)?.strip_prefix(' '));
    Some(read_number(level, names.used)? - Bytes(idle?.trim().parse().ok()?))
}

fn read_number(level: &Path, name: &str) -> Option<Bytes> {
    number(&fs::read(level.join(name)).ok()?).map(Bytes)
}

/// `max` is no number, and no limit.
fn number(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.trim().parse().ok()
}
