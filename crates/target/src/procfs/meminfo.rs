//! `meminfo`: the memory of the machine. Source: `proc_meminfo(5)`.

use residue_model::{Bytes, SystemMemory};

use super::number::{decimal, key_value};

/// Reads what is known.
pub fn parse(text: &[u8]) -> SystemMemory {
    let mut system = SystemMemory::default();
    for (key, value) in text.split(|&byte| byte == b'\n').filter_map(key_value) {
        let place = match key {
            b"MemTotal" => &mut system.total,
            b"MemFree" => &mut system.free,
            b"MemAvailable" => &mut system.available,
            b"Buffers" => &mut system.buffers,
            b"Cached" => &mut system.cached,
            b"AnonPages" => &mut system.anonymous,
            b"Mapped" => &mut system.mapped,
            b"Shmem" => &mut system.shmem,
            b"SReclaimable" => &mut system.slab_reclaimable,
            b"SwapTotal" => &mut system.swap_total,
            b"SwapFree" => &mut system.swap_free,
            _ => continue,
        };
        *place = decimal(value).map(Bytes::kib);
    }
    system
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn swap_cached_is_not_cached() {
        let system = parse(b"MemTotal:  100 kB\nCached:   7 kB\nSwapCached:  3 kB\n");
        assert_eq!(
            (system.total, system.cached, system.available),
            (Some(Bytes::kib(100)), Some(Bytes::kib(7)), None)
        );
    }
}
