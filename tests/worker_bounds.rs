//! What bounds the workers of a function, and what a client that has gone or a hostile worker can hold.

use crate::harness::{Connection, wait_for};
use crate::worker::{ends, host_of, processes, workers};
use serde_json::json;

#[test]
fn workers_that_go_on_after_their_end_are_never_more_than_the_maximum() {
    let worker = json!({"max": 2, "max_requests": 1});
    let host = host_of(json!({"env": {"START": "lingers"}, "worker": worker}));
    let (mut connection, mut most) = (Connection::new(host.address), 0.0_f64);
    wait_for("the end of some that were replaced", || {
        assert_eq!(connection.get("/rpc/w/count").outcome(), (200, ""));
        most = most.max(workers(&host)).max(processes(&host).len() as f64);
        (ends(&host, "lingered") >= 3.0).then_some(())
    });
    assert!(most <= 4.0, "{most} at a time");
}
