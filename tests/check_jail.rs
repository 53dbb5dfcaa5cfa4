//! `hhrf check-jail`: every jail must hold every attempt. Without a jail the check must fail and name the attempts.

use crate::harness::{Site, binary, on_path, skip};
use serde_json::Value;
use std::collections::HashMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

const JAIL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../jail");

/// The user who runs the check.
#[derive(Clone, Copy, PartialEq, Eq)]
enum User {
    /// The user who runs the tests.
    Own,
    /// The user `nobody` where the tests run as root, else the tests' user.
    Ordinary,
    /// A user with an account, which firejail requires, where the tests run as root; else the tests' user.
    WithAccount,
}

/// Host, runner, module and wrapper in one folder that every user can read.
fn installed() -> Site {
    let site = Site::new();
    for file in ["hhrf", "fezz-runner", "libfezz_attempts.so"] {
        std::fs::copy(binary(file), site.root().join(file)).unwrap();
    }
    for file in ["bwrap-fezz-runner", "nsjail-fezz-runner", "nsjail.cfg", "firejail-fezz-runner"] {
        std::fs::copy(format!("{JAIL}/{file}"), site.root().join(file)).unwrap();
    }
    if let Some(nsjail) = on_path("nsjail") {
        std::os::unix::fs::symlink(nsjail, site.root().join("nsjail")).unwrap();
    }
    let temporary = site.root().join("tmp");
    std::fs::create_dir(&temporary).unwrap();
    std::fs::set_permissions(&temporary, PermissionsExt::from_mode(0o777)).unwrap();
    site
}

fn check(site: &Site, user: User, flags: &[&str]) -> Output {
    let program = site.root().join("hhrf");
    let mut command = match user {
        User::Ordinary if rustix::process::geteuid().is_root() => {
            let mut command = Command::new("setpriv");
            command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]).arg(program);
            command
        }
        User::WithAccount if rustix::process::geteuid().is_root() => with_account(site, &program),
        _ => Command::new(program),
    };
    command
        .arg("check-jail")
        .args(flags)
        .env("TMPDIR", site.root().join("tmp"))
        .env_remove("FEZZ_RUNNER")
        .env_remove("HHRF_JAIL");
    command.output().unwrap()
}

/// Runs a program as a user whose account exists only in the program's own mount namespace.
fn with_account(site: &Site, program: &Path) -> Command {
    const AS_USER: &str =
        "mount --bind \"$0\" /etc/passwd && exec setpriv --reuid 60123 --regid 60123 --clear-groups \"$@\"";
    let accounts = std::fs::read_to_string("/etc/passwd").unwrap();
    let account = "fezz-test:x:60123:60123::/nonexistent:/bin/sh\n";
    let passwd = site.root().join("passwd");
    std::fs::write(&passwd, accounts + account).unwrap();
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", AS_USER]).arg(passwd).arg(program);
    command
}

fn report(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
}

/// The verdict on each of `ids` is `verdict`, under every executor that works here.
fn assert_verdict(report: &Value, verdict: &str, ids: &[&str]) {
    let working = working(report);
    let attempts = report["attempts"].as_array().unwrap();
    for id in ids {
        let is_wanted = |row: &&Value| row["id"] == *id && working.contains(&&row["execution"]);
        let rows: Vec<&Value> = attempts.iter().filter(is_wanted).collect();
        assert_eq!(rows.len(), working.len(), "{id}");
        rows.iter().for_each(|row| assert_eq!(row["verdict"], verdict, "{row}"));
    }
}

fn executors(report: &Value) -> &[Value] {
    report["executors"].as_array().unwrap()
}

/// The names of the executors, without `rewind` where no process can be put back.
fn working(report: &Value) -> Vec<&Value> {
    let tried_nothing = |executor: &Value| executor["counts"]["not_tried"] == executor["counts"]["attempts"];
    let is_left_out = |executor: &Value| executor["execution"] == "rewind" && tried_nothing(executor);
    executors(report)
        .iter()
        .filter(|executor| !is_left_out(executor))
        .map(|executor| &executor["execution"])
        .collect()
}

/// Attempts that need no privilege and no optional part of the machine.
const OPEN_TO_ALL: [&str; 17] = [
    "read-bait-0600",
    "read-etc-passwd",
    "write-tmp",
    "write-host-folder",
    "see-host-root",
    "secret-in-hosts-environ",
    "see-victim",
    "connect-tcp",
    "send-udp",
    "connect-unix-abstract",
    "kill-victim",
    "kill-by-pidfd",
    "signal-host",
    "new-privileges",
    "clone",
    "execute-shell",
    "leave-file-in-tmp",
];

/// Attempts against processes of the same function, which a wrapper puts into one PID namespace.
const OPEN_TO_SIBLINGS: [&str; 10] = [
    "kill-siblings",
    "kill-siblings-threads",
    "kill-siblings-by-tkill",
    "kill-siblings-by-pidfd",
    "kill-own-group",
    "trace-siblings",
    "read-siblings-memory",
    "write-siblings-memory",
    "take-siblings-descriptor",
    "fork-as-scoped-zygote",
];

/// Attempts that only a system call filter holds: they need nothing but a readable file.
const OPEN_WITHOUT_A_FILTER: [&str; 6] = [
    "hold-lock-of-library",
    "hold-record-lock-of-library",
    "hold-open-file-lock-of-library",
    "memory-in-locks",
    "write-through-library",
    "free-blocks",
];

/// Attempts on the state of a process, which requests never share: held even without a jail.
const HELD_BY_A_PROCESS_EACH: [&str; 10] = [
    "leave-variable",
    "leave-environment-variable",
    "leave-descriptor",
    "leave-flags-of-descriptors",
    "leave-umask",
    "leave-working-folder",
    "leave-priority",
    "leave-signal-mask",
    "leave-signal-handler",
    "inherited-descriptors",
];

fn assert_held_by_a_process_each(report: &Value) {
    let working = working(report);
    for row in
        report["attempts"].as_array().unwrap().iter().filter(|row| working.contains(&&row["execution"]))
    {
        let id = row["id"].as_str().unwrap();
        // A worker's requests share the process.
        let is_shared = row["execution"] == "worker" && id.starts_with("leave-");
        let expected = if is_shared { "not_tried" } else { "held" };
        assert!(!HELD_BY_A_PROCESS_EACH.contains(&id) || row["verdict"] == expected, "{row}");
    }
}

fn fails_without_a_jail(user: User) {
    let site = installed();
    let output = check(&site, user, &["--format", "json", "--jail", "off"]);
    let report = report(&output);
    assert_eq!(output.status.code(), Some(1));
    assert_verdict(&report, "worked", &OPEN_TO_ALL);
    assert_verdict(&report, "worked", &OPEN_TO_SIBLINGS);
    assert_verdict(&report, "worked", &OPEN_WITHOUT_A_FILTER);
    assert_held_by_a_process_each(&report);
    assert_eq!(working(&report), ["spawn", "fork", "worker"], "without namespaces no process is put back");
    for executor in executors(&report) {
        let counts = &executor["counts"];
        let is_working = working(&report).contains(&&executor["execution"]);
        assert!(!is_working || counts["worked"].as_u64() > counts["held"].as_u64(), "{counts}");
        assert_eq!(counts["unclear"], 0, "{report:#}");
    }
    assert_eq!(executors(&report)[1]["separation"], "nothing");
    assert_eq!(std::fs::read_dir(site.root().join("tmp")).unwrap().count(), 0, "something was left");
}

#[test]
fn without_a_jail_the_check_fails_and_names_the_attempts() {
    fails_without_a_jail(User::Own);
}

#[test]
fn without_a_jail_the_check_fails_for_an_ordinary_user_too() {
    fails_without_a_jail(User::Ordinary);
}

fn holds_in_part_through_bwrap(user: User) {
    if Command::new("bwrap").arg("--version").output().is_err() {
        return skip("bwrap isn't installed: apt-get install bubblewrap");
    }
    let site = installed();
    let wrapper = site.root().join("bwrap-fezz-runner");
    // A zygote would keep the wrapper's jail for all of its requests.
    let executor = ["--executor", "spawn"];
    let flags = ["--format", "json", "--jail", "off", "--runner", wrapper.to_str().unwrap()];
    let output = check(&site, user, &[&flags[..], &executor].concat());
    let report = report(&output);
    assert_eq!(output.status.code(), Some(1), "it has no filter of system calls");
    // All that jail/README.md promises of the wrapper.
    let held = OPEN_TO_ALL.iter().copied().filter(|id| *id != "clone").collect::<Vec<_>>();
    assert_verdict(&report, "held", &held);
    assert_verdict(
        &report,
        "held",
        &["list-processes", "unshare-user", "mount-in-own-namespace", "trace-victim"],
    );
    assert_verdict(&report, "held", &["effective-capabilities", "bounding-capabilities", "leave-daemon"]);
    assert_verdict(&report, "worked", &["clone", "memory-file", "execute-runner", "shared-memory"]);
    assert_verdict(&report, "worked", &OPEN_WITHOUT_A_FILTER);
    assert_eq!(executors(&report)[0]["counts"]["unclear"], 0, "{report:#}");
}

#[test]
fn the_check_reports_what_bwrap_alone_holds_and_what_it_does_not() {
    holds_in_part_through_bwrap(User::Own);
}

#[test]
fn the_check_reports_the_same_of_bwrap_for_an_ordinary_user() {
    holds_in_part_through_bwrap(User::Ordinary);
}

/// Checks that no attempt succeeds inside the jail, under each executor. `separation` names what separates forked
/// processes.
fn everything_is_held(user: User, flags: &[&str], separation: &str) {
    let site = installed();
    let wrapper = |flag: &str| site.root().join(flag).to_str().unwrap().to_owned();
    let flags: Vec<String> = flags
        .iter()
        .map(|flag| if flag.ends_with("-fezz-runner") { wrapper(flag) } else { (*flag).to_owned() })
        .collect();
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let output = check(&site, user, &[&["--format", "json"], &flags[..]].concat());
    let report = report(&output);
    let rows = report["attempts"].as_array().unwrap().iter();
    let bad: Vec<_> =
        rows.filter(|row| ["worked", "unclear"].contains(&row["verdict"].as_str().unwrap())).collect();
    assert!(bad.is_empty(), "{bad:#?}");
    assert_eq!(output.status.code(), Some(0));
    assert_verdict(&report, "held", &OPEN_TO_ALL);
    assert_verdict(&report, "held", &OPEN_TO_SIBLINGS);
    assert_verdict(&report, "held", &OPEN_WITHOUT_A_FILTER);
    assert_held_by_a_process_each(&report);
    let names: Vec<&Value> = executors(&report).iter().map(|executor| &executor["execution"]).collect();
    assert_eq!(names, ["spawn", "fork", "rewind", "worker"]);
    assert_eq!(executors(&report)[1]["separation"], separation);
    let is_rewound = working(&report).contains(&&Value::from("rewind"));
    assert!(is_rewound || flags.contains(&"--runner"), "processes can be put back in the jail alone");
    let working = |executor: &&Value| working(&report).contains(&&executor["execution"]);
    for executor in executors(&report).iter().filter(working) {
        assert!(executor["counts"]["held"].as_u64().unwrap() > 310, "{executor}");
    }
}

#[test]
fn the_strict_jail_is_the_default_and_holds_every_attempt() {
    everything_is_held(User::Own, &[], "PID namespaces");
}

#[test]
fn the_strict_jail_holds_every_attempt_for_an_ordinary_user() {
    everything_is_held(User::Ordinary, &["--jail", "strict"], "PID namespaces");
}

#[test]
fn the_inner_jail_within_bwrap_holds_every_attempt() {
    if Command::new("bwrap").arg("--version").output().is_err() {
        return skip("bwrap isn't installed: apt-get install bubblewrap");
    }
    everything_is_held(User::Own, &["--runner", "bwrap-fezz-runner"], "Landlock scopes");
    everything_is_held(User::Ordinary, &["--runner", "bwrap-fezz-runner"], "Landlock scopes");
}

#[test]
fn the_inner_jail_within_nsjail_holds_every_attempt() {
    if on_path("nsjail").is_none() {
        return skip("nsjail isn't on PATH: jail/README.md says how to build it");
    }
    everything_is_held(User::Own, &["--runner", "nsjail-fezz-runner"], "Landlock scopes");
    everything_is_held(User::Ordinary, &["--runner", "nsjail-fezz-runner"], "Landlock scopes");
}

#[test]
fn the_inner_jail_within_firejail_holds_every_attempt() {
    if on_path("firejail").is_none() {
        return skip("firejail isn't installed: apt-get install firejail");
    }
    everything_is_held(User::Own, &["--runner", "firejail-fezz-runner"], "PID namespaces");
    everything_is_held(User::WithAccount, &["--runner", "firejail-fezz-runner"], "PID namespaces");
}

/// Where a wrapper shows /proc, a process can open descriptors again by their names there, and a forked process sees
/// itself under the process id that it has outside of its namespace.
#[test]
fn with_proc_visible_no_function_can_read_a_log_of_another_request() {
    let site = installed();
    let text = format!("#!/bin/sh\nexec {} \"$@\"\n", site.root().join("fezz-runner").display());
    let wrapper = site.script("shows-proc", &text);
    for user in [User::Own, User::Ordinary] {
        for attempt in ["read-own-stderr", "open-siblings-log"] {
            let flags = ["--format", "json", "--runner", wrapper.to_str().unwrap(), "--attempt", attempt];
            assert_verdict(&report(&check(&site, user, &flags)), "held", &[attempt]);
        }
    }
}

#[test]
fn attempts_that_are_held_inside_succeed_outside() {
    let site = installed();
    let verdicts = |jail: &str| -> HashMap<[String; 2], Value> {
        let report = report(&check(&site, User::Own, &["--format", "json", "--jail", jail]));
        let word = |row: &Value, field: &str| row[field].as_str().unwrap().to_owned();
        let row = |row: &Value| ([word(row, "execution"), word(row, "id")], row["verdict"].clone());
        report["attempts"].as_array().unwrap().iter().map(row).collect()
    };
    let (inside, outside) = (verdicts("strict"), verdicts("off"));
    let all = inside.iter().filter(|(row, verdict)| **verdict == "held" && outside[*row] == "worked");
    let executors: Vec<&str> = all.map(|([execution, _], _)| execution.as_str()).collect();
    for executor in ["spawn", "fork", "worker"] {
        let count = executors.iter().filter(|name| **name == executor).count();
        assert!(count > 250, "{executor}: {count}: {outside:?}");
    }
}

#[test]
fn text_and_json_have_the_same_counts() {
    let site = installed();
    let report = report(&check(&site, User::Own, &["--format", "json", "--jail", "off", "--only", "files"]));
    let text = check(&site, User::Own, &["--jail", "off", "--only", "files"]).stdout;
    let text = String::from_utf8(text).unwrap();
    let counts = |at: usize| {
        let number = |key: &str| executors(&report)[at]["counts"][key].as_u64().unwrap();
        let (held, worked, not_tried) = (number("held"), number("worked"), number("not_tried"));
        format!("{} attempts: {held} held, {worked} worked, {not_tried} not tried", number("attempts"))
    };
    let expected = [
        format!("spawn: {}", counts(0)),
        format!("fork, kept apart by nothing: {}", counts(1)),
        format!("rewind: {}", counts(2)),
        format!("worker: {}", counts(3)),
    ];
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[lines.len() - 4..], expected);
    assert!(text.contains("WORKED     spawn,fork,worker "), "{text}");
}

#[test]
fn only_the_named_executor_is_checked() {
    let site = installed();
    for executor in ["spawn", "fork", "rewind", "worker"] {
        let flags = ["--format", "json", "--attempt", "kill-own-group", "--executor", executor];
        let report = report(&check(&site, User::Own, &flags));
        assert_eq!(executors(&report).len(), 1, "{report:#}");
        assert_eq!(report["attempts"][0]["execution"], executor);
        assert_eq!(report["attempts"].as_array().unwrap().len(), 1, "{report:#}");
    }
}

/// Some wrappers leave no way to separate forked processes. Functions with the `fork` executor then don't run.
#[test]
fn without_fork_the_other_executors_are_checked_and_the_reason_is_given() {
    let site = installed();
    let runner = site.root().join("fezz-runner");
    let text = format!(
        "#!/bin/sh\ncase $* in *--zygote*) echo no scopes here >&2; exit 77;; esac\nexec {} \"$@\"\n",
        runner.display()
    );
    let wrapper = site.script("no-fork", &text);
    let flags = ["--jail", "strict", "--runner", wrapper.to_str().unwrap(), "--attempt", "write-tmp"];
    let output = check(&site, User::Own, &flags);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("held       spawn,worker  write-tmp"), "{text}");
    assert!(text.contains("not tried  fork,rewind   write-tmp") && text.contains("no scopes here"), "{text}");
    assert_eq!(output.status.code(), Some(0), "{text}");
    let alone = check(&site, User::Own, &[&flags[..], &["--executor", "fork"]].concat());
    assert_eq!(alone.status.code(), Some(1), "a check that tried nothing has shown nothing");
}

#[test]
fn attempts_that_need_a_scratch_do_not_run_under_fork_and_the_report_says_so() {
    let site = installed();
    let text = check(&site, User::Own, &["--attempt", "scratch-bomb"]).stdout;
    let text = String::from_utf8(text).unwrap();
    assert!(text.contains("held       spawn,worker  scratch-bomb"), "{text}");
    assert!(text.contains("not tried  fork,rewind   scratch-bomb"), "{text}");
    assert!(text.contains("fork supports no scratch"), "{text}");
}

/// Attempts that need a processor that has these registers.
const NEED_REGISTERS: [&str; 4] =
    ["keep-avx-registers", "keep-avx512-registers", "keep-mask-registers", "keep-protection-keys"];

/// Each of these attempts has shown first, in this check, that it finds what is left in a process that isn't put back.
fn a_later_request_finds_nothing(user: User) {
    let site = installed();
    let flags = ["--format", "json", "--executor", "rewind", "--only", "rewind"];
    let output = check(&site, user, &flags);
    let report = report(&output);
    for row in report["attempts"].as_array().unwrap() {
        let may_be_missing = NEED_REGISTERS.contains(&row["id"].as_str().unwrap());
        assert!(row["verdict"] == "held" || (may_be_missing && row["verdict"] == "not_tried"), "{row}");
    }
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn a_later_request_of_a_rewound_process_finds_nothing_of_an_earlier_one() {
    a_later_request_finds_nothing(User::Own);
}

#[test]
fn nor_does_it_for_an_ordinary_user() {
    a_later_request_finds_nothing(User::Ordinary);
}

#[test]
fn where_no_process_can_be_put_back_a_check_of_rewind_alone_fails_and_says_why() {
    let site = installed();
    let flags = ["--jail", "off", "--executor", "rewind", "--only", "rewind"];
    assert_no_check(&site, &flags, "have no PID namespaces of their own");
}

#[test]
fn the_exit_status_is_0_if_every_attempt_is_held() {
    let site = installed();
    let output = check(&site, User::Own, &["--attempt", "addresses"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
}

/// Asserts that the check can't run: exit status 1, and the reason on stderr.
fn assert_no_check(site: &Site, flags: &[&str], reason: &str) {
    let output = check(site, User::Own, flags);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{said}");
    assert!(said.contains(reason), "{said}");
}

#[test]
fn a_missing_module_is_named_with_the_fix() {
    let site = installed();
    assert_no_check(
        &site,
        &["--module", "/nowhere/module.so"],
        "`/nowhere/module.so` is not a file: correct --module",
    );
    std::fs::remove_file(site.root().join("libfezz_attempts.so")).unwrap();
    assert_no_check(&site, &[], "cargo build --release -p fezz-attempts");
}

#[test]
fn a_module_that_makes_no_attempts_is_refused() {
    let site = installed();
    let other = binary("libhello_c.so");
    assert_no_check(&site, &["--module", other.to_str().unwrap()], "that isn't the module of the attempts");
}

#[test]
fn a_runner_that_cannot_start_fails_the_check() {
    let site = installed();
    let broken = site.script("broken", "#!/bin/sh\necho no namespaces to be had >&2\nexit 77\n");
    assert_no_check(&site, &["--runner", broken.to_str().unwrap()], "no namespaces to be had");
}

#[test]
fn unknown_attempt_names_are_refused_and_the_known_ones_listed() {
    let site = installed();
    assert_no_check(&site, &["--only", "fiels"], "there is no group `fiels`: there are files, environment");
    assert_no_check(&site, &["--attempt", "nothing"], "there is no attempt `nothing`");
}
