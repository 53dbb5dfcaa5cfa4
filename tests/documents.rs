//! Every page of the repository: its commands run, its samples are read by what they are for, its tables name what
//! there is, and its links lead somewhere.

mod blocks;
mod commands;
mod links;
mod markdown;
mod not_run;
mod tables;
mod watch;

use markdown::{Page, repository};
use std::path::Path;

/// The pages, in the order in which a new user reads them.
const PAGES: [&str; 35] = [
    "README.md",
    "docs/SUMMARY.md",
    "docs/introduction.md",
    "docs/tutorial.md",
    "docs/guides/axum.md",
    "docs/guides/cookies.md",
    "docs/guides/database.md",
    "docs/guides/http-client.md",
    "docs/guides/secrets.md",
    "docs/guides/caching.md",
    "docs/guides/control-plane.md",
    "docs/guides/worker.md",
    "docs/guides/tests.md",
    "docs/guides/crash.md",
    "docs/guides/embed.md",
    "docs/guides/gateway.md",
    "docs/author.md",
    "docs/cargo-fezz.md",
    "docs/operate.md",
    "docs/manifest.md",
    "docs/settings.md",
    "docs/metrics.md",
    "docs/system-calls.md",
    "docs/errors.md",
    "docs/mistakes.md",
    "docs/wire.md",
    "docs/performance.md",
    "examples/envoy/README.md",
    "jail/README.md",
    "bench/README.md",
    "SECURITY.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "bench/STEPS.md",
    "functions/README.md",
];

fn pages() -> Vec<Page> {
    PAGES.map(Page::read).into()
}

#[test]
fn every_page_of_the_repository_is_checked() {
    let mut pages = Vec::new();
    find_pages(&repository(""), "", &mut pages);
    pages.sort_unstable();
    let mut checked = PAGES.map(str::to_owned);
    checked.sort_unstable();
    assert_eq!(pages, checked);
}

/// Folders of what is built, and of what `make bench` writes.
const MADE: [&str; 2] = ["target", "results"];

/// The paths of the Markdown pages below `folder`, without those of hidden folders and of [`MADE`].
fn find_pages(folder: &Path, prefix: &str, pages: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        let path = format!("{prefix}{name}");
        if entry.file_type().unwrap().is_dir() {
            if !name.starts_with('.') && !MADE.contains(&name.as_str()) {
                find_pages(&entry.path(), &format!("{path}/"), pages);
            }
        } else if name.ends_with(".md") {
            pages.push(path);
        }
    }
}
