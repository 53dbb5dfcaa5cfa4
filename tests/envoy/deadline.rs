//! Envoy's timeout and the host's.

use crate::harness::{AUTHOR, Answer, Envoy, Host, Site, alone, wait_for};
use serde_json::json;

/// Requests at a time. More would measure how fast a machine with two processors starts processes.
const CLIENTS: usize = 5;
const ROUNDS: usize = 4;

fn answers(envoy: &Envoy) -> Vec<Answer> {
    std::thread::scope(|scope| {
        let get = || envoy.get("/rpc/author/sleep?ms=60000");
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(get)).collect();
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    })
}

#[test]
fn a_client_gets_the_hosts_504_and_not_envoys() {
    let _machine = alone();
    for execution in ["spawn", "fork"] {
        let site = Site::new();
        site.install("author@v1", AUTHOR, json!({"execution": execution}));
        let host = Host::without_machine(site, |_| {});
        let Some(envoy) = Envoy::changed(&[&host], &[("timeout: 35s", "timeout: 0.5s")]) else { return };
        assert_eq!(envoy.get("/rpc/author/pid").status, 200);
        let answers = (0..ROUNDS).flat_map(|_| answers(&envoy));
        let ours = answers.filter(|answer| answer.outcome() == (504, "deadline_exceeded")).count();
        assert_eq!(ours, CLIENTS * ROUNDS, "{execution}: the others are Envoy's");
        let count = |status: u16| host.log().iter().filter(|line| line["status"] == status).count();
        wait_for("a line for each", || (count(504) + count(499) >= CLIENTS * ROUNDS).then_some(()));
        assert_eq!(count(499), 0, "{execution}: clients that went away");
    }
}
