//! Makes the tables of docs/system-calls.md from `policy.rs`. `make docs` writes the page; the test below fails where the
//! committed page differs from what would be written.
//!
//! Which calls there are, and what `rewind` does about each, comes from the lists. Only the texts of their conditions come
//! from their source, where numbers have names.

use super::policy::{
    ALWAYS, Allowed, FORK, GRANTED, NETWORK, NEUTRAL, PARKING, PREPARED, PROGRAM, REWIND, SCOPED, SCRATCH,
    STDIN, Test, UNKNOWN,
};
use std::fmt::Write;
use std::path::PathBuf;

const SOURCE: &str = include_str!("policy.rs");

/// Between these two lines of the page is what is made.
const BEGIN: &str = "<!-- made: system calls -->\n";
const END: &str = "<!-- end -->";

/// One list of the policy.
struct Section {
    /// Its name in the source.
    list: &'static str,
    calls: &'static [Allowed],
    heading: &'static str,
    /// What becomes of its calls: with `spawn` and as a worker's module; with `fork`; in a worker's `binary`.
    answers: [&'static str; 3],
    /// With `rewind`; `None`: what the filter of such a process says of each call.
    rewind: Option<&'static str>,
}

const fn section(
    list: &'static str,
    calls: &'static [Allowed],
    heading: &'static str,
    answers: [&'static str; 3],
) -> Section {
    Section { list, calls, heading, answers, rewind: None }
}

impl Section {
    const fn rewind(self, answer: &'static str) -> Self {
        Self { rewind: Some(answer), ..self }
    }
}

const SECTIONS: [Section; 9] = [
    section("ALWAYS", ALWAYS, "Every function", ["allowed"; 3]),
    section("NETWORK", NETWORK, "With `network` or `resources`", ["allowed"; 3]),
    section("SCRATCH", SCRATCH, "With `limits.scratch_bytes`", ["allowed", "-", "allowed"]).rewind("-"),
    section(
        "GRANTED",
        GRANTED,
        "With `limits.scratch_bytes`, without an effect",
        ["returns 0", "-", "returns 0"],
    )
    .rewind("-"),
    section("PROGRAM", PROGRAM, "The start of a program", ["refused", "refused", "allowed"])
        .rewind("refused"),
    section("STDIN", STDIN, "A program's questions about its stdin", ["refused", "refused", "allowed"])
        .rewind("refused"),
    section("FORK", FORK, "Processes of a zygote", ["refused", "allowed", "refused"]),
    section(
        "SCOPED",
        SCOPED,
        "Zygotes that can't make PID namespaces",
        ["refused", "zygote only", "refused"],
    )
    .rewind("-"),
    section("REWIND", REWIND, "Zygotes of `rewind`", ["refused"; 3]),
];

/// What the constants of conditions stand for; others are shown by their names.
const WORDS: [(&str, &str); 23] = [
    ("A_THREAD", "the flags of a thread"),
    ("A_SEPARATE_PROCESS", "the flags of a process in a PID namespace of its own"),
    ("A_PROCESS", "the flags of a process"),
    ("FIRST_PROCESS", "1"),
    ("PRIVATE_MEMORY", "private memory without a file"),
    ("A_FILE", "a file"),
    ("ASYNCHRONOUSLY", "not `MS_SYNC`"),
    ("SYNCHRONOUSLY", "`MS_SYNC`"),
    ("STREAM", "`SOCK_STREAM`"),
    ("TCP", "`IPPROTO_TCP`"),
    ("IPV6", "`IPPROTO_IPV6`"),
    ("SOCKET", "`SOL_SOCKET`"),
    ("PLAIN_SENDING", "neither `MSG_FASTOPEN` nor `MSG_OOB`"),
    ("PLAIN_RECEIVING", "neither `MSG_ERRQUEUE` nor `MSG_OOB`"),
    ("A_FILTER", "`SECCOMP_SET_MODE_FILTER`"),
    ("WITH_LISTENER", "`SECCOMP_FILTER_FLAG_NEW_LISTENER`"),
    ("DUMPABLE", "`PR_SET_DUMPABLE`"),
    ("REALTIME_OR_MONOTONIC", "`CLOCK_REALTIME` or `CLOCK_MONOTONIC`"),
    ("RAW_COARSE_OR_BOOT", "a raw or coarse clock or `CLOCK_BOOTTIME`"),
    ("TAI", "`CLOCK_TAI`"),
    ("Test::IsNull", "null"),
    ("Test::IsPositive", "above 0"),
    ("Test::IsThisProcess", "its own id"),
];

#[test]
fn the_page_of_system_calls_is_what_the_policy_says() {
    let page = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/system-calls.md");
    let text = std::fs::read_to_string(&page).expect("the page can be read");
    let (before, rest) = text.split_once(BEGIN).expect("the page has the first mark");
    let (_, after) = rest.split_once(END).expect("the page has the second mark");
    let expected = format!("{before}{BEGIN}\n{}{END}{after}", tables());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&page, &expected).expect("the page can be written");
    } else {
        // Not both texts, which are long.
        assert!(text == expected, "docs/system-calls.md isn't what the policy says: run `make docs`");
    }
}

fn tables() -> String {
    let mut text = String::new();
    for section in SECTIONS {
        let Section { list, calls, heading, answers: [spawn, fork, program], rewind } = section;
        let title = format!("## {heading}\n\nThe list `{list}`.\n\n");
        let head = "| call | only with | `spawn`, `worker` | `fork` | `rewind` | `binary` | needed by |\n";
        text += &format!("{title}{head}|{}\n", "---|".repeat(7));
        for (call, condition) in calls.iter().zip(conditions(list, calls)) {
            let rewound = rewind.map_or_else(|| answer_of_rewind(call), str::to_owned);
            let (name, who) = (name_of(call), call.who);
            writeln!(text, "| `{name}` | {condition} | {spawn} | {fork} | {rewound} | {program} | {who} |")
                .expect("a string takes all");
        }
        text.push('\n');
    }
    let unknown = list_of_names(UNKNOWN);
    text + &format!(
        "## Unknown to every function\n\nThe list `UNKNOWN`. These fail by `ENOSYS` with each executor, so that libraries use \
         another call: {unknown}.\n\n"
    )
}

fn name_of(call: &Allowed) -> &'static str {
    call.name.trim_start_matches("SYS_")
}

fn list_of_names(calls: &[Allowed]) -> String {
    calls.iter().map(|call| format!("`{}`", name_of(call))).collect::<Vec<_>>().join(", ")
}

/// What the second filter of a process that is put back says of a call that its zygote's filter allows.
fn answer_of_rewind(call: &Allowed) -> String {
    let of_number = |list: &'static [Allowed]| list.iter().filter(|other| other.number == call.number);
    let usual = arguments(call, [0x77; 6]);
    let is_met = |list, arguments| of_number(list).any(|other| holds(other, arguments));
    if is_met(PREPARED, usual) {
        return "refused".to_owned();
    }
    if is_met(NEUTRAL, usual) {
        return "allowed".to_owned();
    }
    let neutral = NEUTRAL.iter().zip(conditions("NEUTRAL", NEUTRAL));
    let neutral = neutral.filter(|(other, _)| {
        other.number == call.number && holds(other, arguments(call, arguments(other, [0x77; 6])))
    });
    let texts: Vec<String> = neutral.map(|(_, condition)| condition).collect();
    match texts.is_empty() {
        true => "taints".to_owned(),
        false => format!("allowed with {}; otherwise taints", alternatives(&texts)),
    }
}

/// `args[0] 1`, `args[0] 2` as `args[0] 1 or 2`.
fn alternatives(texts: &[String]) -> String {
    let index = texts[0].split_once(' ').map_or("", |(index, _)| index);
    let rest = texts.iter().map(|text| text.trim_start_matches(index).trim_start());
    format!("{index} {}", rest.collect::<Vec<_>>().join(" or "))
}

/// Arguments that meet a call's conditions; those without one are taken from `others`.
fn arguments(call: &Allowed, others: [u64; 6]) -> [u64; 6] {
    let mut arguments = others;
    for argument in call.only {
        arguments[usize::from(argument.index)] = match argument.test {
            Test::Is(value) | Test::Bits { value, .. } => value.into(),
            Test::IsPositive | Test::IsThisProcess | Test::IsOfTheCall(_) => 7,
            Test::IsNull | Test::BitsOtherThan { .. } => 0,
        };
    }
    arguments
}

fn holds(call: &Allowed, arguments: [u64; 6]) -> bool {
    call.only.iter().all(|argument| {
        let value = arguments[usize::from(argument.index)];
        let lower = value as u32;
        match argument.test {
            Test::Is(expected) => lower == expected,
            Test::Bits { mask, value } => lower & mask == value,
            Test::BitsOtherThan { mask, value } => lower & mask != value,
            Test::IsPositive => lower.cast_signed() > 0,
            Test::IsNull => value == 0,
            Test::IsThisProcess | Test::IsOfTheCall(_) => false,
        }
    })
}

/// The conditions of each entry of a list, from its source.
fn conditions(list: &str, calls: &[Allowed]) -> Vec<String> {
    let begin = format!("pub(crate) const {list}: &[Allowed] = calls! {{\n");
    let (_, rest) = SOURCE.split_once(&begin).expect("the source has the list");
    let (body, _) = rest.split_once("\n};").expect("the list has an end");
    let lines: Vec<&str> = body.lines().map(str::trim).filter(|line| line.starts_with("SYS_")).collect();
    assert_eq!(lines.len(), calls.len(), "{list}: each entry must stand on a line of its own");
    let of_line = |(line, call): (&&str, &Allowed)| {
        let (entry, who) = line.split_once(" => ").expect("an entry names who needs it");
        assert!(entry.starts_with(call.name) && who.contains(call.who), "{line}");
        entry.split_once(" [").map_or_else(String::new, |(_, only)| condition(only.trim_end_matches(']')))
    };
    lines.iter().zip(calls).map(of_line).collect()
}

/// `0: Test::Is(libc::AF_INET as u32), 1: STREAM` for readers. The indices are those of the kernel.
fn condition(source: &str) -> String {
    if source.contains("other_status") {
        return "a status that no wrapper reserves".to_owned();
    }
    let parts = source.split(", ").map(|part| {
        let (index, test) = part.split_once(": ").expect("a condition has an index");
        format!("args[{index}] {}", words(test))
    });
    parts.collect::<Vec<_>>().join(", ")
}

fn words(test: &str) -> String {
    let is_one = test.strip_prefix("Test::Is(").and_then(|rest| rest.strip_suffix(')'));
    let name = is_one.unwrap_or(test).replace("libc::", "").replace(" as u32", "").replace(['(', ')'], "");
    if name.starts_with("Test::IsOfTheCall") {
        return "the runner's own pointer".to_owned();
    }
    if name.parse::<u32>().is_ok() {
        return name;
    }
    let known = WORDS.iter().find(|(constant, _)| *constant == name);
    known.map_or_else(|| format!("`{}`", name.replace(" | ", "` and `")), |(_, words)| (*words).to_owned())
}

#[test]
fn only_parking_is_left_out_of_the_tables() {
    assert_eq!(list_of_names(PARKING), "`park`");
}
