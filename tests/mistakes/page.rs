//! `docs/mistakes.md` quotes what is seen.

use super::snapshot::FOLDER;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A row of the page: a message, and the file that has it.
struct Row {
    quote: String,
    file: PathBuf,
}

/// The rows, whose second cell is code, and whose last is a link.
fn rows() -> Vec<Row> {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let page = std::fs::read_to_string(docs.join("mistakes.md")).unwrap();
    let linked = page.lines().filter(|line| line.starts_with("| ") && line.contains("]("));
    let rows = linked.map(|line| {
        let cells: Vec<&str> = line.split(" | ").collect();
        // Code that holds backticks itself stands between two, with a space.
        let with_backticks = cells[1].strip_prefix("`` ").and_then(|code| code.strip_suffix(" ``"));
        let quote = with_backticks.unwrap_or_else(|| cells[1].trim_matches('`'));
        let link = cells[3].split_once("](").unwrap().1.split_once(')').unwrap().0;
        Row { quote: quote.to_owned(), file: docs.join(link) }
    });
    rows.collect()
}

#[test]
fn the_page_quotes_every_message_as_it_is() {
    let rows = rows();
    for row in &rows {
        let seen = std::fs::read_to_string(&row.file).unwrap();
        assert!(seen.contains(&row.quote), "`{}` isn't in {}", row.quote, row.file.display());
    }
    assert!(rows.len() >= 25, "{}", rows.len());
}

#[test]
fn every_snapshot_is_on_the_page() {
    let names: BTreeSet<_> = rows().iter().map(|row| row.file.file_name().unwrap().to_owned()).collect();
    let snapshots = std::fs::read_dir(FOLDER).unwrap().map(|entry| entry.unwrap().file_name());
    let left_out: Vec<_> = snapshots.filter(|name| !names.contains(name)).collect();
    assert!(left_out.is_empty(), "docs/mistakes.md lacks {left_out:?}");
}
