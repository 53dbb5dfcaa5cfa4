//! What a command said, as a text that is the same on each machine, against the file of its mistake.

use snapbox::Data;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where the snapshots are.
pub(super) const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/mistakes/snapshots");

/// Compares what is seen with the snapshot `<mistake>.txt`.
pub(super) fn assert_seen(mistake: &str, seen: &str) {
    let file = Path::new(FOLDER).join(format!("{mistake}.txt"));
    let assert =
        snapbox::Assert::new().action_env(snapbox::assert::DEFAULT_ACTION_ENV).normalize_paths(false);
    assert.eq(seen.to_owned(), Data::read_from(&file, Some(snapbox::data::DataFormat::Text)));
}

/// Runs `cargo fezz <words>` in `folder` and compares all that it prints.
pub(super) fn assert_command(mistake: &str, folder: &Path, words: &[&str]) {
    let mut fezz = Command::new(crate::harness::binary("cargo-fezz"));
    fezz.arg("fezz").args(words).current_dir(folder).stdin(Stdio::null());
    fezz.env("CARGO", env!("CARGO")).env("CARGO_NET_OFFLINE", "true").env("CARGO_TARGET_DIR", target());
    fezz.env("CARGO_TERM_QUIET", "true");
    let output = fezz.output().unwrap();
    let [stdout, stderr] = [output.stdout, output.stderr].map(|bytes| {
        let text = String::from_utf8(bytes).unwrap();
        // A body has no line break at its end.
        if text.is_empty() || text.ends_with('\n') { text } else { text + "\n" }
    });
    let status = output.status.code().unwrap();
    let command = words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ");
    let seen = format!("$ cargo fezz {command}\n{stdout}{stderr}exit status {status}\n");
    assert_seen(mistake, &portable(&seen, folder));
}

/// One folder for what all scratch projects compile.
fn target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("mistakes")
}

fn quoted(word: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./@:".contains(letter);
    if word.chars().all(is_plain) { word.to_owned() } else { format!("'{word}'") }
}

/// Without the names of temporary folders, the sizes of modules, and the thread's id in the message of a panic.
fn portable(text: &str, folder: &Path) -> String {
    let canonical = folder.canonicalize().unwrap();
    let mut portable = text.to_owned();
    for folder in [folder, &canonical, &target()] {
        portable = portable.replace(&format!("{}/", folder.display()), "");
    }
    let lines = portable.split_inclusive('\n').map(|line| match line.split_once("' (") {
        Some((thread, rest)) if line.starts_with("thread '") => {
            format!("{thread}'{}", rest.split_once(')').map_or(rest, |(_, rest)| rest))
        }
        _ => match line.strip_suffix(" KiB\n") {
            Some(size) => format!("{}N KiB\n", size.trim_end_matches(|letter: char| letter.is_ascii_digit())),
            None => line.to_owned(),
        },
    });
    lines.collect()
}
