use residue_model::{Bytes, Counter};
use residue_target::live::linux::Sampler;
use residue_testkit::Program;

use super::{counter, pid};

#[test]
fn each_reading_shows_what_the_program_holds_now() {
    let layout = Program::build("layout").spawn(&[]);
    let mut sampler = Sampler::new(pid(&layout)).expect("it lives");

    for _ in 0..3 {
        let reading = sampler.read().expect("it may be read").expect("it lives");
        let layout_seen = reading.layout.expect("our own child");
        let regions = &layout_seen.regions;
        assert_eq!(reading.sample.maps, Some(regions.len() as u64));
        assert_eq!(reading.sample.threads, Some(layout.number("threads")));
        assert_eq!(layout_seen.threads.len() as u64, layout.number("threads"));
        let start = layout.number("anon_8m");
        let region = regions.iter().find(|region| region.range.start.0 == start).expect("it is mapped");
        assert_eq!(counter(region, Counter::Rss), Some(3 << 20));
    }
}

/// `status` is read without any lock of the target, so its sums lag behind by at most a batch per CPU.
#[test]
fn the_totals_are_those_of_status() {
    let layout = Program::build("layout").spawn(&[]);
    let mut sampler = Sampler::new(pid(&layout)).expect("it lives");
    let sample = sampler.read().expect("it may be read").expect("it lives").sample;

    let oracle = procfs::process::Process::new(i32::try_from(layout.pid()).expect("a pid"))
        .and_then(|process| process.status())
        .expect("the oracle reads it");
    let kib = |size: Option<u64>| size.map(Bytes::kib);
    assert_eq!((sample.footprint.anon, sample.footprint.shmem), (kib(oracle.rssanon), kib(oracle.rssshmem)));
    assert_eq!((sample.footprint.swap, sample.footprint.vss), (kib(oracle.vmswap), kib(oracle.vmsize)));
    assert_eq!(
        sample.footprint.private(),
        kib(oracle.rssanon.zip(oracle.vmswap).map(|(anon, swap)| anon + swap))
    );
}
