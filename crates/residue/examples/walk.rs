fn main() {
    let word = std::env::args().nth(1).unwrap();
    let target = residue::open(&word, &residue::Options::default(), &mut |_, _| {}).unwrap();
    let still = target.still(residue_target::Stillness::Stopped, &mut |_| {}).unwrap();
    let begun = std::time::Instant::now();
    let pieces = still.pieces();
    let image = residue_heap::Image {
        pieces: &pieces,
        regions: &still.snapshot.regions,
        threads: &still.snapshot.threads,
        rest: &pieces,
    };
    let walked = residue_heap::walk(&image);
    println!("{:?} stop {:?}", begun.elapsed(), still.stop);
    for heap in &walked.heaps {
        println!("{} {} {:?}", heap.allocator, heap.layout, heap.verified());
        for a in &heap.arenas {
            println!("  {a:?}");
        }
        println!("{:?}\n{:?}", heap.mallinfo, heap.parameters);
        for i in &heap.identities {
            println!("  {i:?}");
        }
        for d in &heap.damage {
            println!("  {d:?}");
        }
        for g in &heap.gaps {
            println!("  {g:?}");
        }
        println!("live {}", heap.blocks.count());
    }
    println!("{:?} {:?}", walked.recognised, walked.gaps);
}
