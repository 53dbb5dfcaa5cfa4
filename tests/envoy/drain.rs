//! One of two hosts drains under load.

use super::hosts_of_author;
use crate::harness::{Answer, Connection, Envoy, Host, wait_for};
use rustix::process::Signal;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Health checks run every second and may take one second.
const DRAIN_WAIT: [&str; 2] = ["--drain-wait-ms", "2500"];

/// Clients that send requests until `stop`. Returns the answers that aren't 200; `answered` counts all.
fn load(envoy: &Envoy, answered: &AtomicUsize, stop: &AtomicBool, during: impl FnOnce()) -> Vec<Answer> {
    const CLIENTS: usize = 8;
    let client = || {
        let mut connection = Connection::new(envoy.address);
        let mut lost = Vec::new();
        while !stop.load(Ordering::Relaxed) {
            let answer = connection.get("/env");
            answered.fetch_add(1, Ordering::Relaxed);
            lost.extend(Some(answer).filter(|answer| answer.status != 200));
        }
        lost
    };
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(client)).collect();
        during();
        stop.store(true, Ordering::Relaxed);
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    })
}

/// Drains the first of two hosts as soon as Envoy serves. The clients go on after that host has ended.
fn check(changes: &[(&str, &str)]) {
    let [mut a, b] = hosts_of_author(&DRAIN_WAIT);
    let Some(envoy) = Envoy::changed(&[&a, &b], changes) else { return };
    let (answered, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let served = |host: &Host| host.metric(r#"fezz_requests_total{function="author@v1",status="200""#);
    let lost = load(&envoy, &answered, &stop, || {
        wait_for("load on the first host", || (served(&a) > 0.0).then_some(()));
        a.signal(Signal::TERM);
        assert_eq!(a.ended().code(), Some(0));
        let enough = (answered.load(Ordering::Relaxed) + 200).max(2000);
        wait_for("answers after the end of the first host", || {
            (answered.load(Ordering::Relaxed) > enough).then_some(())
        });
    });
    let total = answered.into_inner();
    assert!(lost.is_empty(), "{} of {total} were lost, the first: {:?}", lost.len(), lost[0]);
}

#[test]
fn no_request_is_lost_when_one_of_two_hosts_drains_soon_after_envoys_start() {
    check(&[]);
}

/// The health check alone is enough for a drain; retries cover failures that it detects too late.
#[test]
fn no_request_is_lost_in_a_drain_without_any_retry() {
    check(&[("num_retries: 2", "num_retries: 0")]);
}
