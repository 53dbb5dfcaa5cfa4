//! How long it takes. Run by hand: `cargo test -p fezz-rewind measure -- --ignored --nocapture`.

use super::{Arena, Child, Order};
use std::time::{Duration, Instant};

const MIB: usize = 1024 * 1024;
const ROUNDS: usize = 1000;

#[test]
#[ignore = "prints, asserts nothing"]
fn measure() {
    for (mib, pages) in [(2, &[0, 1, 5, 10, 100][..]), (64, &[0, 10, 100, 1000, 4096])] {
        println!("{mib} MiB:");
        let arena = Arena::new(mib * MIB);
        arena.fill(mib * MIB);
        let start = Instant::now();
        let mut first = Child::fork(None);
        println!("  fork and first snapshot {:?}", start.elapsed());
        let base = first.rewindable.snapshot().base().clone();
        let start = Instant::now();
        let second = Child::fork(Some(&base));
        println!("  fork and second snapshot {:?}", start.elapsed());
        let start = Instant::now();
        second.rewindable.compare().unwrap();
        println!("  comparison {:?}", start.elapsed());
        for pages in pages {
            measure_restore(&mut first, &arena, *pages);
        }
    }
}

fn measure_restore(child: &mut Child, arena: &Arena, pages: u64) {
    let orders: Vec<_> = (0..pages).map(|page| Order::write(arena.start + page * 3 * 4096, 1)).collect();
    let (mut scans, mut restores, mut all, mut restored) = (Vec::new(), Vec::new(), Vec::new(), 0);
    for _ in 0..ROUNDS {
        child.order(&orders);
        let start = Instant::now();
        let written = child.rewindable.written().unwrap();
        scans.push(start.elapsed());
        restored = written.pages;
        child.rewindable.restore(written).unwrap();
        restores.push(start.elapsed() - scans[scans.len() - 1]);
        all.push(start.elapsed());
    }
    let mean: Duration = all.iter().sum::<Duration>() / ROUNDS as u32;
    println!(
        "  {pages} pages written ({restored} restored): median scan {:?}, restore {:?}, both {:?}, mean {mean:?}",
        median(scans),
        median(restores),
        median(all)
    );
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
