//! The tables of `docs/` that are made from code: [`manifest`] from the manifests' JSON Schema, [`settings`] from clap.
//!
//! Each stands between two comments of its page, `<!-- made: NAME -->` and `<!-- end -->`. `make docs` writes them; these
//! tests fail where a committed page differs from what would be written.

mod manifest;
mod settings;

use std::fmt::Write;
use std::path::PathBuf;

fn repository(file: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "../..", file].iter().collect()
}

fn read(file: &str) -> String {
    std::fs::read_to_string(repository(file)).unwrap()
}

/// Compares one made part of a page with what code says now; with `UPDATE_DOCS` in the environment, writes it.
fn check(page: &str, name: &str, made: &str) {
    let text = read(page);
    let begin = format!("<!-- made: {name} -->\n");
    let (before, rest) = text.split_once(&begin).unwrap();
    let (_, after) = rest.split_once("<!-- end -->").unwrap();
    let expected = format!("{before}{begin}\n{made}\n<!-- end -->{after}");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(repository(page), &expected).unwrap();
    }
    assert_eq!(read(page), expected, "{page}: run `make docs`");
}

/// A table in Markdown.
fn table<const COLUMNS: usize>(
    head: [&str; COLUMNS],
    rows: impl IntoIterator<Item = [String; COLUMNS]>,
) -> String {
    let mut text = format!("| {} |\n|{}\n", head.join(" | "), "---|".repeat(COLUMNS));
    for row in rows {
        let cells = row.map(|cell| cell.replace('\n', " ").replace('|', "\\|"));
        writeln!(text, "| {} |", cells.join(" | ")).unwrap();
    }
    text
}
