//! The same bytes through the `procfs` crate.

use std::io::Read;

use procfs::process::{
    Limits, MMPermissions, MMapPath, MemoryMap, MemoryMaps, SmapsRollup, Stat, StatM, Status,
};
use procfs::{FromBufRead, FromRead, Meminfo};
use residue_model::{Bytes, Counter, Region};
use residue_target::procfs::limits;
use residue_target::procfs::{maps, meminfo, rollup, smaps, stat, statm, status};

use crate::fixtures;

/// Paths need not be UTF-8, which the oracle demands: both read the same stand-ins.
fn text(name: &str) -> Vec<u8> {
    String::from_utf8_lossy(&fixtures::read(name)).into_owned().into_bytes()
}

fn undamaged(folder: &str) -> Vec<String> {
    fixtures::names(folder, |name| !name.starts_with("damaged"))
}

/// Both of one mind about a region: where, how, what and how much.
fn assert_same(region: &Region, oracle: &MemoryMap, what: &str) {
    assert_eq!((region.range.start.0, region.range.end.0), oracle.address, "{what}");
    assert_eq!((region.offset.0, region.inode), (oracle.offset, oracle.inode), "{what}");
    assert_eq!(
        (i64::from(region.device.0), i64::from(region.device.1)),
        (oracle.dev.0.into(), oracle.dev.1.into())
    );
    for (mine, flag) in [
        (region.protection.read, MMPermissions::READ),
        (region.protection.write, MMPermissions::WRITE),
        (region.protection.execute, MMPermissions::EXECUTE),
        (region.protection.shared, MMPermissions::SHARED),
    ] {
        assert_eq!(mine, oracle.perms.contains(flag), "{what}: {flag:?}");
    }
    assert_same_name(region, &oracle.pathname);
    assert_same_counters(region, oracle, what);
}

fn assert_same_name(region: &Region, oracle: &MMapPath) {
    let suffix = if region.deleted { " (deleted)" } else { "" };
    let name = format!("{}{suffix}", region.name());
    match oracle {
        MMapPath::Path(path) => assert_eq!(name, path.to_string_lossy()),
        MMapPath::Vsys(key) => assert_eq!(name, format!("/SYSV{key:08x} (deleted)")),
        MMapPath::TStack(tid) => assert_eq!(name, format!("[stack:{tid}]")),
        MMapPath::Anonymous => assert_eq!(name, ""),
        MMapPath::Other(inside) => assert_eq!(name, format!("[{inside}]")),
        known => assert_eq!(name, format!("[{known:?}]").to_lowercase()),
    }
}

/// Each way: what it knows, we know, and nothing else.
fn assert_same_counters(region: &Region, oracle: &MemoryMap, what: &str) {
    let map = &oracle.extension.map;
    let mut known = 0;
    for (key, &bytes) in map {
        if let Some(counter) = Counter::from_key(key.as_bytes()) {
            assert_eq!(region.counters.get(counter), Some(Bytes(bytes)), "{what}: {key}");
            known += 1;
        }
    }
    let ours = Counter::ALL.iter().filter(|&&counter| region.counters.get(counter).is_some()).count();
    assert_eq!(ours, known, "{what}: {:?}", map.keys());
    if let Some(&size) = map.get("Size") {
        assert_eq!(region.size(), Bytes(size), "{what}");
    }
}

fn oracle_of(text: &[u8]) -> MemoryMaps {
    MemoryMaps::from_buf_read(text).expect("the oracle reads it")
}

#[test]
fn regions_are_those_that_the_oracle_sees() {
    for name in undamaged("maps") {
        let text = text(&name);
        let mut regions = Vec::new();
        maps::read(text.as_slice(), &mut regions).expect("as the kernel wrote it");
        let oracle = oracle_of(&text);
        assert_eq!(regions.len(), oracle.len(), "{name}");
        regions.iter().zip(&oracle).for_each(|(region, oracle)| assert_same(region, oracle, &name));
    }
}

#[test]
fn counters_are_those_that_the_oracle_sees() {
    for name in undamaged("smaps") {
        let text = text(&name);
        let mut regions = Vec::new();
        smaps::read(text.as_slice(), &mut regions).expect("as the kernel wrote it");
        let oracle = oracle_of(&text);
        assert_eq!(regions.len(), oracle.len(), "{name}");
        regions.iter().zip(&oracle).for_each(|(region, oracle)| assert_same(region, oracle, &name));
    }
}

#[test]
fn sums_are_those_that_the_oracle_sees() {
    for name in undamaged("rollup") {
        let text = text(&name);
        let counters = rollup::parse(&text).expect("as the kernel wrote it");
        let oracle = SmapsRollup::from_buf_read(text.as_slice()).expect("the oracle reads it");
        let sum = Region { counters, ..Region::default() };
        assert_same_counters(&sum, &oracle.memory_map_rollup.0[0], &name);
    }
}

#[test]
fn stat_is_what_the_oracle_sees() {
    for name in undamaged("stat").into_iter().filter(|name| !name.ends_with("odd-name")) {
        let text = text(&name);
        let ours = stat::parse(&text).expect("as the kernel wrote it");
        let oracle = Stat::from_read(text.as_slice()).expect("the oracle reads it");
        assert_eq!(ours.name, oracle.comm, "{name}");
        assert_eq!((i64::from(ours.parent), ours.minflt), (oracle.ppid.into(), oracle.minflt), "{name}");
        assert_eq!((ours.majflt, ours.start_ticks), (oracle.majflt, oracle.starttime), "{name}");
        assert_eq!((ours.vss.0, ours.rss_pages), (oracle.vsize, oracle.rss), "{name}");
        assert_eq!(i128::from(ours.threads), i128::from(oracle.num_threads), "{name}");
    }
}

#[test]
fn status_is_what_the_oracle_sees() {
    for name in fixtures::names("status_and_small", |name| name.starts_with("status-linux-6")) {
        let text = text(&name);
        let ours = status::parse(&text);
        let oracle = Status::from_buf_read(text.as_slice()).expect("the oracle reads it");
        let kib = |size: Option<u64>| size.map(Bytes::kib);
        assert_eq!(ours.uid, Some(oracle.ruid), "{name}");
        assert_eq!((ours.vss, ours.rss), (kib(oracle.vmsize), kib(oracle.vmrss)), "{name}");
        assert_eq!((ours.anon, ours.file), (kib(oracle.rssanon), kib(oracle.rssfile)), "{name}");
        assert_eq!((ours.shmem, ours.swap), (kib(oracle.rssshmem), kib(oracle.vmswap)), "{name}");
        assert_eq!((ours.data, ours.threads), (kib(oracle.vmdata), Some(oracle.threads)), "{name}");
    }
}

#[test]
fn the_machine_is_what_the_oracle_sees() {
    for name in fixtures::names("status_and_small", |name| name.starts_with("meminfo-linux")) {
        let text = text(&name);
        let ours = meminfo::parse(&text);
        let oracle = Meminfo::from_buf_read(text.as_slice()).expect("the oracle reads it");
        assert_eq!((ours.total, ours.free), (Some(Bytes(oracle.mem_total)), Some(Bytes(oracle.mem_free))));
        assert_eq!(ours.available, oracle.mem_available.map(Bytes), "{name}");
        assert_eq!((ours.buffers, ours.cached), (Some(Bytes(oracle.buffers)), Some(Bytes(oracle.cached))));
        assert_eq!((ours.anonymous, ours.mapped), (oracle.anon_pages.map(Bytes), Some(Bytes(oracle.mapped))));
        assert_eq!(
            (ours.shmem, ours.slab_reclaimable),
            (oracle.shmem.map(Bytes), oracle.s_reclaimable.map(Bytes))
        );
        assert_eq!(
            (ours.swap_total, ours.swap_free),
            (Some(Bytes(oracle.swap_total)), Some(Bytes(oracle.swap_free)))
        );
    }
}

#[test]
fn pages_and_limits_are_what_the_oracle_sees() {
    let text = text("status_and_small/statm-linux-6.18-python");
    let (ours, oracle) = (statm::parse(&text).expect("numbers"), read::<StatM>(&text));
    assert_eq!((ours.size, ours.resident, ours.shared), (oracle.size, oracle.resident, oracle.shared));

    for name in fixtures::names("status_and_small", |name| name.starts_with("limits-")) {
        let text = self::text(&name);
        let (ours, oracle) = (limits::parse(&text), read::<Limits>(&text));
        let soft = |limit: procfs::process::Limit| match limit.soft_limit {
            procfs::process::LimitValue::Unlimited => None,
            procfs::process::LimitValue::Value(bytes) => Some(Bytes(bytes)),
        };
        assert_eq!(ours.address_space, soft(oracle.max_address_space), "{name}");
        assert_eq!(ours.data, soft(oracle.max_data_size), "{name}");
    }
}

fn read<T: FromRead>(text: &[u8]) -> T {
    T::from_read(text.take(u64::MAX)).expect("the oracle reads it")
}
