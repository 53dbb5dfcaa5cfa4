//! Links between the files of the repository.

use super::markdown::{Page, repository};
use super::{PAGES, pages};
use std::path::Path;

/// Pages with links whose blocks aren't checked here.
const OTHERS: [&str; 8] = [
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "SECURITY.md",
    "bench/README.md",
    "bench/STEPS.md",
    "examples/envoy/README.md",
    "functions/README.md",
    "jail/README.md",
];

#[test]
fn every_link_within_the_repository_leads_to_a_file_and_a_heading() {
    let mut broken = Vec::new();
    for page in pages().into_iter().chain(OTHERS.map(Page::read)) {
        let links = page.links();
        broken.extend(
            links
                .iter()
                .filter(|link| !leads_somewhere(&page, link))
                .map(|link| (page.path.clone(), link.clone())),
        );
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

fn leads_somewhere(page: &Page, link: &str) -> bool {
    if link.starts_with("http") {
        return true;
    }
    let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
    let path = match file {
        "" => page.path.clone(),
        file => Path::new(&page.path).with_file_name(file).to_str().unwrap().to_owned(),
    };
    let has_anchor = || Page::read(&path).anchors().iter().any(|known| known == anchor);
    repository(&path).exists() && (anchor.is_empty() || has_anchor())
}

#[test]
fn the_readme_is_short_and_links_every_page() {
    let readme = Page::read("README.md");
    let lines = std::fs::read_to_string(repository("README.md")).unwrap().lines().count();
    assert!(lines < 120, "README.md has {lines} lines: what only some readers need goes to docs/");
    for page in &PAGES[1..] {
        assert!(readme.links().iter().any(|link| link == page), "README.md doesn't link {page}");
    }
}
