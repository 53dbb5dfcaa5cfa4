//! Envoy's timeout and the host's.

use crate::harness::{AUTHOR, Answer, Envoy, Host, Site, alone};
use serde_json::json;

const CLIENTS: usize = 20;

#[test]
fn a_client_gets_the_hosts_504_and_not_envoys() {
    let _machine = alone();
    for execution in ["spawn", "fork"] {
        let site = Site::new();
        let limits = json!({"concurrency": CLIENTS});
        site.install("author@v1", AUTHOR, json!({"execution": execution, "limits": limits}));
        let host = Host::without_machine(site, |_| {});
        let Some(envoy) = Envoy::changed(&[&host], &[("timeout: 35s", "timeout: 0.5s")]) else { return };
        assert_eq!(envoy.get("/rpc/author/pid").status, 200);
        let answers: Vec<Answer> = std::thread::scope(|scope| {
            let get = || envoy.get("/rpc/author/sleep?ms=60000");
            let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(get)).collect();
            clients.into_iter().map(|client| client.join().unwrap()).collect()
        });
        let ours = answers.iter().filter(|answer| answer.outcome() == (504, "deadline_exceeded")).count();
        assert_eq!(ours, CLIENTS, "{execution}: the others are Envoy's");
        let gone = host.log().iter().filter(|line| line["status"] == 499).count();
        assert_eq!(gone, 0, "{execution}");
    }
}
