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
    let mut snapshot = still.snapshot.clone();
    residue::analysis::classify(&mut snapshot, &pieces);
    let mut claimed: Vec<_> = walked
        .heaps
        .iter()
        .flat_map(|h| {
            h.metadata.iter().copied().chain(h.arenas.iter().flat_map(|a| a.extents.iter().copied()))
        })
        .collect();
    claimed.sort_by_key(|r| r.start);
    let (blocks, refused) =
        residue::model::Blocks::new(walked.heaps.into_iter().flat_map(|h| h.blocks.into_runs()).collect());
    println!("refused {}", refused.len());
    use residue::analysis::reachability::*;
    let scene = Scene {
        pieces: &pieces,
        regions: &snapshot.regions,
        threads: &snapshot.threads,
        blocks: &blocks,
        claimed: &claimed,
    };
    let workers = std::env::args().nth(2).map_or(1, |w| w.parse().unwrap());
    let begun = std::time::Instant::now();
    let reach = Reachability::of(&scene, Rules { workers, ..Rules::default() }, &|_| {
        std::ops::ControlFlow::Continue(())
    });
    println!("{:?}", begun.elapsed());
    for (root, amount) in &reach.holders {
        println!(
            "  {:?} {:?} {:?} ranges {} bytes {} -> {amount:?}",
            root.kind,
            root.name,
            root.thread,
            root.ranges.len(),
            root.ranges.iter().map(|r| r.size().0).sum::<u64>()
        );
    }
    for kind in LeakKind::ALL {
        println!("{kind:?} {:?}", reach.total(kind, &blocks));
    }
    println!(
        "losses {} rings {}",
        reach.lost.losses.len(),
        reach.lost.losses.iter().filter(|l| l.members > 1).count()
    );
}
