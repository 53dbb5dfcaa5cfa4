//! The runner without a host: request on stdin, response on stdout.

use crate::harness::{AUTHOR, HARMFUL, binary, is_root, wait_for};
use fezz_manifest::module::needed_libraries;
use fezz_wire::{ExitCode, FezzWireRequest, FezzWireResponse, Meta};
use std::io::{Read, Write};
use std::process::{Command, Output, Stdio};

fn request(uri: &str) -> Vec<u8> {
    let meta = Meta {
        request_id: "r",
        function: "f",
        version: "v1",
        deadline_ms: 1000,
        client_ip: None,
        original_uri: None,
    };
    let headers = vec![("x-name", &b"Ada"[..])];
    let params = Default::default();
    FezzWireRequest { method: "GET", uri, authority: None, scheme: None, headers, params, body: b"", meta }
        .encode()
}

fn run(arguments: &[&str], stdin: &[u8]) -> Output {
    run_program(&module("fezz-runner"), arguments, stdin)
}

fn run_program(program: &str, arguments: &[&str], stdin: &[u8]) -> Output {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.env("A_SECRET", "1").env("FEZZ_ENV_GIVEN", "2").spawn().unwrap();
    // A runner that fails early may have ended before it reads the request.
    child.stdin.take().unwrap().write_all(stdin).ok();
    child.wait_with_output().unwrap()
}

fn module(name: &str) -> String {
    binary(name).to_str().unwrap().to_owned()
}

#[test]
fn a_request_from_a_file_gets_its_response_on_stdout() {
    for (file, body) in [("libhello_c.so", "Hello, Ada, from C!\n"), ("libexample_hello.so", "Hello, Ada!")] {
        let output = run(&[&module(file)], &request("/hello"));
        assert!(output.status.success(), "{output:?}");
        let response = FezzWireResponse::decode(&output.stdout).unwrap();
        assert_eq!((response.status, response.body), (200, body.as_bytes()));
    }
}

#[test]
fn the_environment_has_only_the_given_variables() {
    let output = run(&["--env", "GIVEN", "--env", "SAID=3", &module(AUTHOR)], &request("/env"));
    let response = FezzWireResponse::decode(&output.stdout).unwrap();
    assert_eq!(String::from_utf8_lossy(response.body), "GIVEN=2\nSAID=3");
}

#[test]
fn the_environment_of_the_parent_process_is_erased_from_memory() {
    let arguments = ["--env", "HARM=looks_for_the_old_environment", &module(HARMFUL)];
    let output = run(&arguments, &request("/"));
    let memory = String::from_utf8_lossy(FezzWireResponse::decode(&output.stdout).unwrap().body).into_owned();
    assert!(memory.contains("looks_for_the_old_environment"), "the arguments lie beside it");
    assert!(!memory.contains("A_SECRET") && !memory.contains("FEZZ_ENV_GIVEN"), "{memory}");
}

#[test]
fn each_failure_has_its_exit_code_and_message() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("text.so");
    std::fs::write(&text, "not a library").unwrap();
    let text = text.to_str().unwrap();
    let (author, harmful, libc) = (module(AUTHOR), module(HARMFUL), "/lib/x86_64-linux-gnu/libc.so.6");
    let well = request("/");
    for (arguments, stdin, code, words) in [
        (vec![], &well, ExitCode::Usage, "no MODULE is given"),
        (vec!["--what", &author], &well, ExitCode::Usage, "unknown option `--what`"),
        (vec![author.as_str()], &b"garbage".to_vec(), ExitCode::BadRequest, "stdin holds no request"),
        (vec![author.as_str()], &well[..20].to_vec(), ExitCode::BadRequest, "ends after 20 bytes"),
        (vec!["/no/such.so"], &well, ExitCode::ModuleNotLoaded, "failed to reach the module"),
        (vec![text], &well, ExitCode::ModuleNotLoaded, "failed to load the module"),
        (vec![libc], &well, ExitCode::MissingSymbol, "has no `fezz_handle_v2`"),
        (
            vec!["--env", "HARM=refuses_to_load", &harmful],
            &well,
            ExitCode::OnLoadFailed,
            "no license for this",
        ),
        (
            vec!["--env", "HARM=returns_a_null_buffer", &harmful],
            &well,
            ExitCode::AbiViolation,
            "empty buffer",
        ),
        (vec!["--env", "ABSENT", &author], &well, ExitCode::EnvironmentIncomplete, "FEZZ_ENV_ABSENT"),
    ] {
        let output = run(&arguments, stdin);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code.as_u8().into()), "{arguments:?}: {said}");
        assert!(said.contains(words) && said.lines().count() == 1, "{arguments:?}: {said}");
        assert_eq!(output.stdout, b"", "{arguments:?}");
    }
}

#[test]
fn a_timeout_ends_the_runner_without_a_host() {
    use std::os::unix::process::ExitStatusExt;
    let arguments = ["--timeout-ms", "300", "--env", "HARM=ignores_sigterm", &module(HARMFUL)];
    assert_eq!(run(&arguments, &request("/")).status.signal(), Some(9));
}

#[test]
fn a_timeout_ends_the_runner_though_it_is_the_first_process_of_its_namespace() {
    let user = if is_root() { vec![] } else { vec!["--user", "--map-current-user"] };
    let runner = module("fezz-runner");
    let of_runner =
        ["--jail", "inner", "--timeout-ms", "300", "--env", "HARM=ignores_sigterm", &module(HARMFUL)];
    let arguments = [&user[..], &["--pid", "--fork", &runner], &of_runner].concat();
    const AS_KILLED: i32 = 128 + 9;
    assert_eq!(run_program("unshare", &arguments, &request("/")).status.code(), Some(AS_KILLED));
}

#[test]
fn a_runner_ends_when_the_reader_of_its_response_is_gone() {
    for jail in ["strict", "inner", "off"] {
        let arguments = ["--jail", jail, "--env", "HARM=sleeps_for_ever", &module(HARMFUL)];
        let mut command = Command::new(binary("fezz-runner"));
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut runner = command.spawn().unwrap();
        runner.stdin.take().unwrap().write_all(&request("/")).unwrap();
        drop(runner.stdout.take());
        assert!(!wait_for("its end", || runner.try_wait().unwrap()).success(), "{jail}");
    }
}

#[test]
fn reading_an_empty_response_pipe_does_not_end_the_runner() {
    for jail in ["strict", "inner", "off"] {
        let mut command = Command::new(binary("fezz-runner"));
        command.args(["--jail", jail, &module(AUTHOR)]);
        let mut runner =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        runner.stdin.take().unwrap().write_all(&request("/sleep?ms=300")).unwrap();
        runner.stderr.as_mut().unwrap().read_exact(&mut [0; "sleeping".len()]).unwrap();
        let mut stdout = runner.stdout.take().unwrap();
        rustix::io::ioctl_fionbio(&stdout, true).unwrap();
        assert_eq!(rustix::io::read(&stdout, &mut [0; 1]), Err(rustix::io::Errno::AGAIN));
        rustix::io::ioctl_fionbio(&stdout, false).unwrap();
        let mut response = Vec::new();
        stdout.read_to_end(&mut response).unwrap();
        assert_eq!(FezzWireResponse::decode(&response).unwrap().body, b"slept", "{jail}");
        assert!(runner.wait().unwrap().success());
    }
}

#[test]
fn a_module_that_writes_to_stdout_writes_to_the_log() {
    let output = run(&["--env", "HARM=prints_on_stdout", &module(HARMFUL)], &request("/"));
    assert_eq!(FezzWireResponse::decode(&output.stdout).unwrap().body, b"well");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "printed on stdout\n");
}

#[test]
fn a_module_inherits_only_the_three_standard_descriptors() {
    // The shell leaves a fourth descriptor open, to which the harm would write.
    let folder = tempfile::tempdir().unwrap();
    let kept = folder.path().join("kept");
    let script = format!(
        "exec 9>{}; exec {} --env HARM=writes_to_every_descriptor {}",
        kept.display(),
        module("fezz-runner"),
        module(HARMFUL)
    );
    let mut child =
        Command::new("sh").args(["-c", &script]).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(&request("/")).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(std::fs::read(kept).unwrap(), b"");
}

#[test]
fn a_rust_module_needs_no_library_but_the_c_library() {
    let needed = needed_libraries(&std::fs::read(binary(AUTHOR)).unwrap()).unwrap();
    let is_of_libc = |name: &String| name == "libc.so.6" || name.starts_with("ld-linux");
    assert!(!needed.is_empty() && needed.iter().all(is_of_libc), "{needed:?}");
}
