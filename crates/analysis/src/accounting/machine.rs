use residue_model::{Bytes, SystemMemory};
use serde::Serialize;

/// One part of the machine's memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Area {
    /// Which part: `firmware`, `kernel_image`, `kernel`, `user`, `free`.
    pub key: &'static str,
    /// What it takes.
    pub used: Option<Bytes>,
    /// The part of it that can be given back at once.
    pub cache: Option<Bytes>,
    /// The rest.
    pub noncache: Option<Bytes>,
}

impl Area {
    fn new(key: &'static str, used: Option<Bytes>, cache: Option<Bytes>) -> Area {
        let noncache = used.zip(cache).map(|(used, cache)| used - cache);
        Area { key, used, cache, noncache }
    }
}

/// The machine's memory by who holds it, in parts that add up to what is installed.
///
/// User memory is what processes have mapped: anonymous pages and files. What the kernel holds beside it, page cache
/// that nobody maps included, is the remainder of what is neither free nor mapped.
pub fn areas(system: &SystemMemory) -> Vec<Area> {
    let zero = Some(Bytes::ZERO);
    let user = system.anonymous.zip(system.mapped).map(|(anonymous, mapped)| anonymous + mapped);
    let kernel = (|| Some(system.total? - system.free? - user?))();
    let unmapped_cache =
        (|| Some(system.buffers? + system.slab_reclaimable? + (system.cached? - system.mapped?)))();
    let outside = (|| Some(system.installed? - system.total?))();
    let image = system.kernel_image;
    let firmware = outside.map(|outside| outside - image.unwrap_or_default());
    vec![
        Area::new("firmware", firmware, firmware.and(zero)),
        Area::new(
            "kernel_image",
            outside.zip(image).map(|(outside, image)| outside.min(image)),
            image.and(zero),
        ),
        Area::new("kernel", kernel, unmapped_cache.zip(kernel).map(|(cache, kernel)| cache.min(kernel))),
        Area::new("user", user, system.mapped),
        Area::new("free", system.free, system.free),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_add_up_to_what_is_installed() {
        let mib = |count| Some(Bytes::mib(count));
        let system = SystemMemory {
            total: mib(1000),
            free: mib(300),
            buffers: mib(10),
            cached: mib(200),
            anonymous: mib(250),
            mapped: mib(50),
            slab_reclaimable: mib(20),
            installed: mib(1040),
            kernel_image: mib(16),
            ..SystemMemory::default()
        };
        let areas = areas(&system);
        assert_eq!(areas.iter().filter_map(|area| area.used).sum::<Bytes>(), Bytes::mib(1040));
        let kernel = &areas[2];
        assert_eq!((kernel.used, kernel.cache, kernel.noncache), (mib(400), mib(180), mib(220)));
    }

    #[test]
    fn hidden_firmware_is_unknown() {
        let system = SystemMemory { total: Some(Bytes::mib(1)), ..SystemMemory::default() };
        assert_eq!(areas(&system)[0].used, None);
    }
}
