//! The jail seen from outside, by what the kernel reports of a process in it. Each mechanism is tested by itself, since
//! several may refuse the same operation.

use crate::harness::{AUTHOR, Host, Site, inside, is_root};
use serde_json::json;
use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};

/// A sleeping function whose jail the test inspects.
struct Jailed {
    process: PathBuf,
    host: Host,
    _request: TcpStream,
}

fn site(more: serde_json::Value) -> Site {
    let site = Site::new();
    site.install("author@v1", AUTHOR, more);
    site
}

fn look_into(host: Host) -> Jailed {
    let request = host.client("GET", "/rpc/author/sleep?ms=20000").begin();
    // The function logs this line after the jail is complete.
    host.logged("the function", |line| line["line"] == "sleeping");
    Jailed { process: inside(&host), _request: request, host }
}

/// Inspects the jail of a host that runs as the test's user, and of one that runs as the user `nobody`.
fn for_each_user(more: serde_json::Value, look: impl Fn(&Jailed)) {
    look(&look_into(Host::start(site(more.clone()))));
    if is_root() {
        look(&look_into(Host::unprivileged(site(more), &[])));
    }
}

impl Jailed {
    /// The fields of /proc/PID/status.
    fn status(&self) -> HashMap<String, String> {
        let text = fs::read_to_string(self.process.join("status")).unwrap();
        let pairs = text.lines().filter_map(|line| line.split_once(':'));
        pairs.map(|(key, value)| (key.to_owned(), value.trim().to_owned())).collect()
    }

    fn namespace(&self, kind: &str) -> PathBuf {
        fs::read_link(self.process.join("ns").join(kind)).unwrap()
    }

    fn limit(&self, name: &str) -> Vec<String> {
        let text = fs::read_to_string(self.process.join("limits")).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().take(2).map(str::to_owned).collect()
    }

    fn files_in(&self, folder: &str) -> BTreeSet<String> {
        let entries = fs::read_dir(self.process.join("root").join(folder)).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

#[test]
fn the_jail_shares_no_namespace_with_the_host() {
    for_each_user(json!({}), |jailed| {
        for kind in ["user", "mnt", "pid", "net", "ipc", "uts", "cgroup"] {
            let outside = fs::read_link(Path::new("/proc/self/ns").join(kind)).unwrap();
            assert_ne!(jailed.namespace(kind), outside, "{kind}");
        }
    });
}

#[test]
fn a_runner_that_is_named_explicitly_is_not_taken_for_a_wrapper() {
    let runner = crate::harness::binary("fezz-runner");
    let host = Host::with_flags(site(json!({})), &["--runner", runner.to_str().unwrap()]);
    host.logged("the mode", |line| line["jail"] == "strict");
    look_into(host);
}

#[test]
fn only_functions_with_a_network_share_the_hosts() {
    for_each_user(json!({"network": {"connect": [443]}}), |jailed| {
        assert_eq!(jailed.namespace("net"), fs::read_link("/proc/self/ns/net").unwrap());
        assert_ne!(jailed.namespace("user"), fs::read_link("/proc/self/ns/user").unwrap());
    });
}

#[test]
fn the_empty_network_has_nothing_but_a_loopback_that_is_down() {
    for_each_user(json!({}), |jailed| {
        let devices = fs::read_to_string(jailed.process.join("net/dev")).unwrap();
        let names: Vec<&str> = devices.lines().skip(2).filter_map(|line| line.split(':').next()).collect();
        assert_eq!(names.iter().map(|name| name.trim()).collect::<Vec<_>>(), ["lo"]);
        assert!(!fs::read_to_string(jailed.process.join("net/fib_trie")).unwrap().contains("127.0.0.1"));
    });
}

#[test]
fn the_root_holds_the_module_the_libraries_and_nothing_else() {
    for_each_user(json!({}), |jailed| {
        let at_top = jailed.files_in("");
        let allowed = ["dev", "lib", "lib64", "module", "usr"].map(str::to_owned);
        assert!(at_top.is_subset(&BTreeSet::from(allowed)), "{at_top:?}");
        assert_eq!(jailed.files_in("dev"), BTreeSet::from(["null".to_owned(), "urandom".to_owned()]));
        assert_eq!(jailed.files_in("module").len(), 1);
        assert!(jailed.files_in("usr").is_subset(&["lib", "lib64", "share"].map(str::to_owned).into()));
        assert!(jailed.files_in("usr/share").is_subset(&BTreeSet::from(["zoneinfo".to_owned()])));
    });
}

#[test]
fn every_mount_is_read_only_and_nosuid() {
    for_each_user(json!({}), |jailed| {
        let mounts = fs::read_to_string(jailed.process.join("mountinfo")).unwrap();
        assert!(mounts.lines().count() >= 4, "{mounts}");
        for line in mounts.lines() {
            let options: Vec<&str> = line.split_whitespace().nth(5).unwrap().split(',').collect();
            assert!(options.contains(&"ro") && options.contains(&"nosuid"), "{line}");
            assert!(options.contains(&"nodev") || line.contains(" /dev/"), "{line}");
        }
    });
}

#[test]
fn the_scratch_alone_can_be_written_to_and_executes_nothing() {
    for_each_user(json!({"limits": {"scratch_bytes": 1 << 20}}), |jailed| {
        let mounts = fs::read_to_string(jailed.process.join("mountinfo")).unwrap();
        let options = |line: &&str| line.split_whitespace().nth(5).unwrap().to_owned();
        let writable: Vec<&str> = mounts.lines().filter(|line| options(line).starts_with("rw")).collect();
        let [scratch] = writable[..] else { panic!("{mounts}") };
        assert_eq!(options(&scratch), "rw,nosuid,nodev,noexec,relatime");
        assert!(scratch.contains(" /tmp ") && scratch.contains("size=1024k"), "{scratch}");
    });
}

#[test]
fn no_capability_is_left_and_none_can_be_regained() {
    for_each_user(json!({}), |jailed| {
        let status = jailed.status();
        for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
            assert_eq!(status[set], "0000000000000000", "{set}");
        }
        assert_eq!((status["NoNewPrivs"].as_str(), status["Groups"].as_str()), ("1", ""));
    });
}

#[test]
fn no_capability_is_left_to_the_jails_other_processes_either() {
    for_each_user(json!({}), |jailed| {
        let has_none = |process: &PathBuf| {
            let status = fs::read_to_string(process.join("status")).unwrap_or_default();
            ["CapPrm", "CapEff", "CapBnd"]
                .iter()
                .all(|set| status.contains(&format!("{set}:\t0000000000000000")))
        };
        crate::harness::wait_for("three processes without a capability", || {
            let processes = crate::harness::of_requests(&jailed.host);
            (processes.len() == 3 && processes.iter().all(has_none)).then_some(())
        });
    });
}

#[test]
fn system_calls_are_filtered() {
    for_each_user(json!({}), |jailed| {
        let status = jailed.status();
        assert_eq!((status["Seccomp"].as_str(), status["Seccomp_filters"].as_str()), ("2", "1"));
    });
}

#[test]
fn no_other_process_may_trace_it() {
    // /proc/PID belongs to root if the process isn't dumpable (proc(5)).
    use std::os::unix::fs::MetadataExt;
    for_each_user(json!({}), |jailed| {
        let owner = fs::metadata(jailed.process.join("environ")).unwrap().uid();
        let user = jailed.status()["Uid"].split_whitespace().next().unwrap().parse::<u32>().unwrap();
        assert!(owner != user, "{owner}");
    });
}

#[test]
fn limits_are_those_of_the_manifest_and_hard() {
    let limits = json!({"limits": {"memory_bytes": 64 << 20, "threads": 5, "cpu_ms": 7000}});
    for_each_user(limits, |jailed| {
        assert_eq!(jailed.limit("Max core file size"), ["0", "0"]);
        assert_eq!(jailed.limit("Max open files"), ["64", "64"]);
        assert_eq!(jailed.limit("Max pending signals"), ["256", "256"]);
        assert_eq!(jailed.limit("Max data size"), ["67108864", "67108864"]);
        assert_eq!(jailed.limit("Max cpu time"), ["7", "8"]);
        // The limit also counts the supervisor and the first process of the namespace.
        assert_eq!(jailed.limit("Max processes"), ["7", "7"]);
    });
}

#[test]
fn a_function_holds_no_descriptor_but_its_own_pipes() {
    for_each_user(json!({}), |jailed| {
        let descriptors = fs::read_dir(jailed.process.join("fd")).unwrap().flatten();
        let targets: Vec<_> = descriptors.map(|entry| fs::read_link(entry.path()).unwrap()).collect();
        let is_allowed = |target: &PathBuf| {
            let target = target.to_str().unwrap();
            target.starts_with("pipe:") || target == "/dev/null" || target.starts_with("anon_inode:[event")
        };
        assert!(targets.iter().all(is_allowed), "{targets:?}");
    });
}

#[test]
fn a_host_that_runs_as_root_gives_each_function_its_own_unprivileged_uid() {
    if !is_root() {
        return;
    }
    let site = site(json!({}));
    site.install("other@v1", AUTHOR, json!({}));
    let base = crate::uids::base_of(2);
    let host = Host::with_flags(site, &["--uid-base", &base.to_string()]);
    let other = host.client("GET", "/rpc/other/sleep?ms=20000").begin();
    host.logged("the other function", |line| line["line"] == "sleeping");
    let other_process = inside(&host);
    let uids = |process: &Path| {
        let text = fs::read_to_string(process.join("status")).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("Uid:")).unwrap().to_owned();
        line.split_whitespace().map(|uid| uid.parse::<u32>().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(uids(&other_process), [base; 4]);
    drop(other);
    crate::harness::Leftovers::settled(&host);
    let jailed = look_into(host);
    assert_eq!(uids(&jailed.process), [base + 1; 4]);
    assert!(jailed.host.get("/_health").status == 200);
}

#[test]
fn a_process_of_an_unprivileged_host_has_the_hosts_uid_outside() {
    if !is_root() {
        return;
    }
    let jailed = look_into(Host::unprivileged(site(json!({})), &[]));
    assert_eq!(jailed.status()["Uid"], "65534\t65534\t65534\t65534");
}
