//! Tests of the budget, the accounts and evictions.

use super::state::MemoryState;
use super::*;
use tokio_util::sync::CancellationToken;

const KIB: usize = 1024;

fn accounts() -> Accounts {
    Accounts { connection: Some(Arc::default()), address: Arc::default(), function: Some(Arc::default()) }
}

fn memory() -> Arc<Memory> {
    Memory::new(Use::Responses, 1024 * KIB)
}

/// The memory of a small response, for tests of other files.
pub(crate) fn small_response() -> Holding {
    memory().hold(accounts(), SMALL_BYTES).expect("there is memory for one")
}

#[test]
fn large_holdings_leave_a_quarter_to_small_ones_and_all_comes_back() {
    let memory = memory();
    let large: Vec<_> = (0..3).map(|_| memory.hold(accounts(), 256 * KIB).unwrap()).collect();
    assert!(memory.hold(accounts(), 65 * KIB).is_err());
    let small = memory.hold(accounts(), 64 * KIB).unwrap();
    let usage = memory.usage();
    assert_eq!((usage.small_bytes, usage.large_bytes), (64 * KIB, 768 * KIB));
    drop((large, small));
    let usage = memory.usage();
    assert_eq!((usage.small_bytes, usage.large_bytes, usage.evictions), (0, 0, 0));
}

#[test]
fn each_party_holds_half_at_most() {
    for part in 0..3 {
        let memory = memory();
        let first = accounts();
        let mut second = accounts();
        match part {
            0 => second.connection = first.connection.clone(),
            1 => second.address = Arc::clone(&first.address),
            _ => second.function = first.function.clone(),
        }
        let _held: Vec<_> = (0..8).map(|_| memory.hold(first.clone(), 64 * KIB).unwrap()).collect();
        assert!(memory.hold(second, 1).is_err(), "{part}");
        assert!(memory.hold(accounts(), 1).is_ok(), "{part}");
    }
}

#[test]
fn what_a_holding_is_charged_follows_its_size() {
    let (memory, accounts) = (memory(), accounts());
    let holding = memory.hold(accounts.clone(), KIB).unwrap();
    holding.resize(100 * KIB).unwrap();
    assert_eq!(accounts.address.taken_bytes(Use::Responses), 100 * KIB);
    assert_eq!(memory.usage().large_bytes, 100 * KIB);
    assert!(holding.resize(600 * KIB).is_err(), "more than half");
    assert_eq!(memory.usage().large_bytes, 100 * KIB);
    holding.resize(2 * KIB).unwrap();
    assert_eq!((memory.usage().small_bytes, memory.usage().large_bytes), (2 * KIB, 0));
    assert_eq!(accounts.address.taken_bytes(Use::Requests), 0);
}

/// A full memory: a connection with 8 parts of 64 KiB, one with 4 and one with 4, all of which wait for their clients.
struct FullMemory {
    state: MemoryState,
    numbers: Vec<u64>,
    stops: Vec<CancellationToken>,
    begun: Instant,
}

impl FullMemory {
    fn new() -> Self {
        let begun = Instant::now();
        let mut full = Self {
            state: MemoryState::new(Use::Requests, 1024 * KIB),
            numbers: vec![],
            stops: vec![],
            begun,
        };
        for parts in [8, 4, 4] {
            let accounts = accounts();
            for _ in 0..parts {
                let (number, stop) = (full.state.open(accounts.clone()), CancellationToken::new());
                full.state.charge(number, 64 * KIB, || begun).unwrap();
                full.state.wait_for_client(number, stop.clone(), begun, None);
                full.numbers.push(number);
                full.stops.push(stop);
            }
        }
        full
    }

    fn newcomer(&mut self, bytes: usize, after_ms: u64) -> Result<(), Full> {
        self.newcomer_of(accounts(), bytes, after_ms)
    }

    fn newcomer_of(&mut self, accounts: Accounts, bytes: usize, after_ms: u64) -> Result<(), Full> {
        let number = self.state.open(accounts);
        self.state.charge(number, bytes, || self.begun + Duration::from_millis(after_ms))
    }

    fn stopped(&self) -> Vec<usize> {
        (0..self.stops.len()).filter(|index| self.stops[*index].is_cancelled()).collect()
    }
}

#[test]
fn the_longest_stalled_holding_of_the_largest_connection_is_evicted_for_a_newcomer() {
    let mut full = FullMemory::new();
    let later = full.begun + Duration::from_millis(100);
    for number in full.numbers.clone().into_iter().filter(|number| *number != 5) {
        full.state.moved(number, 1, later);
    }
    full.newcomer(KIB, 700).unwrap();
    assert_eq!(full.stopped(), [5]);
    assert_eq!(full.state.usage().evictions, 1);
}

#[test]
fn what_makes_progress_or_waits_for_nothing_is_not_evicted() {
    let mut full = FullMemory::new();
    assert!(full.newcomer(KIB, 100).is_err(), "all made progress a moment ago");
    for number in full.numbers.clone() {
        full.state.settle(number).unwrap();
    }
    assert!(full.newcomer(KIB, 700).is_err());
    assert!(full.stopped().is_empty());
}

#[test]
fn as_many_are_evicted_as_a_newcomer_needs() {
    let mut full = FullMemory::new();
    full.newcomer(200 * KIB, 700).unwrap();
    assert_eq!(full.stopped().len(), 4);
    assert!(full.stopped().iter().all(|index| *index < 8), "of the connection that holds most");
}

#[test]
fn if_too_few_have_stalled_none_is_evicted() {
    let mut full = FullMemory::new();
    for number in full.numbers.clone().into_iter().skip(3) {
        full.state.settle(number).unwrap();
    }
    assert!(full.newcomer(256 * KIB, 700).is_err());
    assert!(full.stopped().is_empty());
}

#[test]
fn a_newcomer_that_would_hold_more_displaces_only_what_stalls_for_seconds() {
    let mut full = FullMemory::new();
    // The connection that holds most makes progress all the time.
    full.numbers[..8].iter().for_each(|number| full.state.settle(*number).unwrap());
    assert!(full.newcomer(257 * KIB, 4900).is_err());
    assert!(full.stopped().is_empty());
    full.newcomer(256 * KIB, 4900).unwrap();
    assert_eq!(full.stopped().len(), 4, "those of an address that holds as much");
    assert!(full.newcomer(257 * KIB, 5000).is_err(), "there are only 256 KiB more");
    full.newcomer_of(accounts(), 255 * KIB, 5000).unwrap();
    assert_eq!(full.stopped().len(), 8);
}

#[test]
fn the_address_that_holds_most_is_evicted_before_the_connection_that_does() {
    let begun = Instant::now();
    let mut state = MemoryState::new(Use::Requests, 1024 * KIB);
    let many = accounts();
    let mut hold = |accounts, bytes| {
        let (number, stop) = (state.open(accounts), CancellationToken::new());
        state.charge(number, bytes, || begun).unwrap();
        state.wait_for_client(number, stop.clone(), begun, None);
        stop
    };
    let large = hold(accounts(), 400 * KIB);
    let connections: Vec<_> = (0..8)
        .map(|_| hold(Accounts { connection: Some(Arc::default()), ..many.clone() }, 60 * KIB))
        .collect();
    let newcomer = state.open(accounts());
    state.charge(newcomer, 150 * KIB, || begun + Duration::from_secs(1)).unwrap();
    assert!(!large.is_cancelled());
    assert_eq!(connections.iter().filter(|stop| stop.is_cancelled()).count(), 1);
}

#[test]
fn one_that_moves_too_slowly_to_ever_end_counts_as_stalled() {
    let mut full = FullMemory::new();
    let now = full.begun + Duration::from_secs(10);
    for number in &full.numbers {
        // 64 KiB would take a minute.
        full.state.moved(*number, 64 * KIB / 6 + usize::from(*number > 0), now);
    }
    full.state.look(DataRate { bytes_per_second: 0 }, now);
    assert_eq!(full.state.usage().evictable_bytes, 64 * KIB);
    full.newcomer(KIB, 10_000).unwrap();
    assert_eq!(full.stopped(), [0]);
}

#[test]
fn what_is_evictable_makes_no_memory_short() {
    let mut full = FullMemory::new();
    let mut is_short_at = |ms| {
        full.state.look(DataRate { bytes_per_second: 0 }, full.begun + Duration::from_millis(ms));
        full.state.usage().is_short()
    };
    assert_eq!([is_short_at(400), is_short_at(500)], [true, false]);
}

#[test]
fn an_evicted_holding_can_neither_grow_nor_count_twice() {
    let mut full = FullMemory::new();
    full.newcomer(KIB, 700).unwrap();
    let evicted = full.stopped()[0] as u64;
    let begun = full.begun;
    assert!(full.state.charge(evicted, 1, || begun).is_err());
    assert!(full.state.settle(evicted).is_err());
    full.state.close(evicted);
    assert_eq!(full.state.usage().small_bytes, 15 * 64 * KIB + KIB);
}

#[test]
fn a_client_below_the_rate_is_stopped_after_the_grace() {
    let mut full = FullMemory::new();
    let at = |seconds| full.begun + Duration::from_secs(seconds);
    let (slow, fast) = (full.numbers[0], full.numbers[1]);
    let rate = DataRate { bytes_per_second: 1024 };
    full.numbers[2..].iter().for_each(|number| full.state.close(*number));
    full.state.moved(slow, 10 * KIB - 1, at(1));
    full.state.moved(fast, 10 * KIB, at(1));
    full.state.look(rate, at(15));
    assert_eq!(full.stopped(), [0]);
    full.state.look(DataRate { bytes_per_second: 0 }, at(1000));
    assert_eq!(full.stopped(), [0], "0 demands nothing");
    full.state.wait_for_client(fast, full.stops[1].clone(), at(1000), Some(Duration::from_secs(9)));
    full.state.look(DataRate { bytes_per_second: 0 }, at(1009));
    assert_eq!(full.stopped(), [0, 1], "its time is over");
}

#[test]
fn an_ipv6_network_and_a_mapped_address_are_one_client() {
    let addresses = Addresses::default();
    let same = |one: &str, other: &str| {
        let of = |text: &str| addresses.of(text.parse().unwrap());
        let (one, other) = (of(one), of(other));
        Arc::ptr_eq(&one, &other)
    };
    assert!(same("10.0.0.1", "::ffff:10.0.0.1"));
    assert!(same("2001:db8::1", "2001:db8::2:0:0:1"));
    assert!(!same("2001:db8::1", "2001:db8:0:1::1"));
    assert!(!same("10.0.0.1", "10.0.0.2"));
}
