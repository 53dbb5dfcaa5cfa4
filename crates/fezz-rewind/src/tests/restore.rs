//! What is restored, and what is found where it isn't.

use super::child::{BSS, DATA, map_file};
use super::{Arena, Child, Order};
use crate::pages::Known;
use crate::snapshot::Content;
use crate::tracker::Region;
use crate::{Difference, PrepareError, RestoreError, maps};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use std::cell::RefCell;

const MIB: usize = 1024 * 1024;

fn data() -> u64 {
    (&raw const DATA) as u64
}

fn bss() -> u64 {
    (&raw const BSS) as u64
}

/// Writes, finds them by a comparison, restores, and finds nothing.
fn check(child: &mut Child, orders: &[Order]) {
    child.order(orders);
    child.restore();
    child.rewindable.compare().unwrap();
}

#[test]
fn whatever_pages_are_written_a_restore_brings_all_back() {
    let anonymous = Arena::new(32 * MIB);
    anonymous.fill(12 * MIB);
    let file = map_file(MIB);
    let areas = [(anonymous.start, 16 * MIB), (file.start, MIB), (data(), 16384), (bss(), 65536)];
    let address = (0..areas.len(), any::<prop::sample::Index>())
        .prop_map(move |(area, index)| areas[area].0 + index.index(areas[area].1) as u64);
    let order = (address, any::<u8>(), 0..4).prop_map(|(address, byte, what)| match what {
        0 => Order::page_out(address & !4095),
        1 => Order::read(address),
        _ => Order::write(address, byte),
    });
    let orders = prop::collection::vec(order, 0..200);
    let child = RefCell::new(Child::fork(None));
    let check = |orders: Vec<_>| {
        check(&mut child.borrow_mut(), &orders);
        Ok(())
    };
    TestRunner::new(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(80) })
        .run(&orders, check)
        .unwrap();
}

#[test]
fn without_a_restore_the_comparison_names_the_byte_that_differs() {
    let arena = Arena::new(MIB);
    arena.fill(MIB / 2);
    let mut child = Child::fork(None);
    for address in [arena.start + 5000, arena.start + MIB as u64 - 1, data() + 3, bss() + 4097] {
        let before = child.byte(address);
        child.order(&[Order::write(address, before ^ 0x55)]);
        // The orders differ too, so only the comparison of their page is out of the way.
        child.rewindable.compare().unwrap_err();
        child.restore();
        child.rewindable.compare().unwrap();
        child.rewindable.write(address, &[&[before ^ 0x55]]).unwrap();
        let difference = child.rewindable.compare().unwrap_err();
        assert!(
            matches!(difference, Difference::Memory { address: found, .. } if found == address),
            "{difference}"
        );
        child.restore();
        assert_eq!(child.byte(address), before);
    }
}

#[test]
fn thousands_of_written_pages_come_back_also_if_no_two_are_adjacent() {
    let arena = Arena::new(32 * MIB);
    arena.fill(16 * MIB);
    let mut child = Child::fork(None);
    let every = |step| (arena.start..arena.start + 32 * MIB as u64).step_by(step);
    let orders: Vec<_> = every(8192).map(|page| Order::write(page, 0xee)).collect();
    child.order(&orders);
    // Beside them, those of the orders and of the stack.
    assert!((4096..4196).contains(&child.restore()));
    child.rewindable.compare().unwrap();
    let orders: Vec<_> = every(4096).map(|page| Order::write(page + 4095, 0xdd)).collect();
    check(&mut child, &orders);
    check(&mut child, &[]);
}

#[test]
fn memory_that_is_only_read_takes_no_page_and_needs_no_restore() {
    let arena = Arena::new(8 * MIB);
    let mut child = Child::fork(None);
    let orders: Vec<_> = (0..512).map(|page| Order::read(arena.start + page * 4096)).collect();
    check(&mut child, &orders);
    let range = arena.start..arena.start + 8 * MIB as u64;
    let mut regions = child.rewindable.written().unwrap().regions;
    regions.retain(|region| range.contains(&region.start));
    assert!(regions.iter().all(Region::is_zero));
}

#[test]
fn huge_pages_come_back_whether_written_before_the_snapshot_or_after() {
    let arena = Arena::new(16 * MIB);
    arena.advise(libc::MADV_HUGEPAGE);
    arena.fill(8 * MIB);
    let mut child = Child::fork(None);
    for round in 0..70 {
        let pages = [0x0, 0x1000, 0x20_0000, 0x3f_f000, 0x80_0000, 0xc0_1000];
        let orders = pages.map(|offset| Order::write(arena.start + offset + round, 0xaa));
        check(&mut child, &orders);
    }
}

#[test]
fn pages_that_were_swapped_out_come_back() {
    let arena = Arena::new(MIB);
    arena.fill(MIB);
    arena.advise(libc::MADV_PAGEOUT);
    let mut child = Child::fork(None);
    if !std::fs::read_to_string("/proc/swaps").unwrap().contains("partition") {
        println!("no swap: MADV_PAGEOUT does nothing");
    }
    for _ in 0..3 {
        let pages = (0..256).map(|page| arena.start + page * 4096);
        let write = pages.clone().map(|page| Order::write(page + 1, 9));
        let orders: Vec<_> = write.chain(pages.map(Order::page_out)).collect();
        check(&mut child, &orders);
    }
}

#[test]
fn a_second_child_shares_the_contents_of_the_first_and_comes_back_too() {
    let arena = Arena::new(16 * MIB);
    arena.fill(8 * MIB);
    let mut first = Child::fork(None);
    let base = first.rewindable.snapshot().base().clone();
    assert!(base.bytes() >= 8 * MIB);
    arena.write(4096, 99);
    arena.write(8192, 0);
    let mut second = Child::fork(Some(&base));
    let page = |number: u64| arena.start + number * 4096..arena.start + (number + 1) * 4096;
    let Content::Bytes(own) = second.rewindable.snapshot().content(&page(3)) else { panic!() };
    let Known::Bytes(shared) = base.at(&page(3)) else { panic!() };
    assert!(std::ptr::eq(own, shared));
    assert!(second.rewindable.snapshot().own_bytes() >= 4096);
    let orders: Vec<_> = (0..2000).map(|page| Order::write(arena.start + page * 4096, 0x77)).collect();
    for child in [&mut first, &mut second] {
        check(child, &orders);
    }
    assert_eq!([second.byte(arena.start + 4096), second.byte(arena.start + 8192)], [99, 0]);
    assert_ne!(first.byte(arena.start + 8192), 0);
}

#[test]
fn a_stack_that_grew_cannot_be_restored() {
    let mut child = Child::fork(None);
    let text = std::fs::read_to_string("/proc/self/maps").unwrap();
    let stack = maps::parse(&text).unwrap().into_iter().find(|mapping| mapping.name == "[stack]").unwrap();
    child.order(&[Order::write(stack.start - 8192, 1)]);
    let error = child.rewindable.written().unwrap_err();
    assert!(matches!(error, RestoreError::NewMemory { address } if address == stack.start - 8192), "{error}");
    let difference = child.rewindable.compare().unwrap_err();
    assert!(matches!(difference, Difference::StackGrew), "{difference}");
}

#[test]
fn what_system_calls_left_is_found_by_the_comparison() {
    let find = |order| {
        let mut child = Child::fork(None);
        child.order(&[order]);
        child.restore();
        child.rewindable.compare().unwrap_err()
    };
    assert!(matches!(find(Order::MAP), Difference::Line { file: "maps", .. }));
    assert!(matches!(find(Order::LOWER_LIMIT), Difference::Line { file: "limits", .. }));
    assert!(matches!(find(Order::OPEN), Difference::Descriptors { .. }));
    let Difference::Line { file: "status", expected, found } = find(Order::BLOCK_SIGNAL) else { panic!() };
    assert!(expected.starts_with("SigBlk") && found.starts_with("SigBlk"), "{expected} {found}");
}

#[test]
fn a_process_that_is_not_alone_or_too_large_is_refused() {
    let error = |bytes_max, descriptors| Child::try_fork(None, bytes_max, descriptors).err().unwrap();
    assert!(matches!(error(u64::MAX, 4), PrepareError::Descriptors { .. }));
    let error = error(4096, 3);
    assert!(error.to_string().starts_with("failed to take a snapshot"), "{error}");
}

#[test]
fn a_request_is_written_only_into_memory_that_is_restored() {
    let child = Child::fork(None);
    let code = a_request_is_written_only_into_memory_that_is_restored as *const () as u64;
    let error = child.rewindable.write(code, &[b"code"]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
    assert!(child.rewindable.write(u64::MAX, &[b"ab"]).is_err());
    assert!(child.rewindable.read(4096, &mut [0]).is_err());
}

#[test]
fn a_killed_process_makes_every_operation_fail_and_none_block() {
    let child = Child::fork(None);
    child.kill();
    let end = std::time::Instant::now() + std::time::Duration::from_secs(10);
    let error = loop {
        match child.listener.receive() {
            Ok(call) => assert!(call.is_none() && std::time::Instant::now() < end),
            Err(error) => break error,
        }
        std::thread::yield_now();
    };
    assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof);
    assert!(child.rewindable.compare().is_err());
    assert!(child.rewindable.read(data(), &mut [0]).is_err());
}
