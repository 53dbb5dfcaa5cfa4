//! Links between the files of the repository.

use super::markdown::{Page, repository};
use super::{PAGES, pages};
use std::path::Path;

#[test]
fn every_link_within_the_repository_leads_to_a_file_and_a_heading() {
    let mut broken = Vec::new();
    for page in pages() {
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
fn the_readme_is_short_and_every_page_is_two_links_from_it_at_most() {
    let readme = Page::read("README.md");
    let lines = std::fs::read_to_string(repository("README.md")).unwrap().lines().count();
    assert!(lines < 120, "README.md has {lines} lines: what only some readers need goes to docs/");
    let linked = pages_linked_by(&readme);
    let behind: Vec<String> = linked.iter().flat_map(|page| pages_linked_by(&Page::read(page))).collect();
    for page in &PAGES[1..] {
        let is_near = |links: &[String]| links.iter().any(|link| link == page);
        assert!(is_near(&linked) || is_near(&behind), "{page} is too far from README.md");
        // The guides are below the introduction.
        let is_reference = page.starts_with("docs/") && !page.starts_with("docs/guides/");
        assert!(!is_reference || is_near(&linked), "README.md doesn't link {page}");
    }
}

/// What a stranger looks for: a word of the README's line that leads there, the page, and what answers it.
const TASKS: [(&str, &str, &str); 7] = [
    ("Envoy", "examples/envoy/README.md", "make envoy-demo"),
    ("bubblewrap", "jail/README.md", "--runner jail/bwrap-fezz-runner"),
    ("`jail_failed`", "docs/errors.md", "(../jail/README.md#when-the-jail-cannot-be-made)"),
    ("jail that does not start", "jail/README.md", "\n## When the jail cannot be made"),
    ("memory", "docs/manifest.md", "| `limits.memory_bytes` |"),
    ("metrics", "docs/metrics.md", "| `fezz_requests_total` |"),
    ("crash", "docs/operate.md", "\n## Replay a crash"),
];

#[test]
fn the_readme_leads_to_what_a_stranger_looks_for() {
    let text = |page: &str| std::fs::read_to_string(repository(page)).unwrap();
    for (word, page, answer) in TASKS {
        let leads = |line: &&str| line.contains(word) && line.contains(&format!("]({page})"));
        assert!(text("README.md").lines().any(|line| leads(&line)), "`{word}` leads to no {page}");
        assert!(text(page).contains(answer), "{page} doesn't say: {answer}");
    }
}

#[test]
fn the_fixes_of_a_jail_come_before_its_explanation() {
    let page = std::fs::read_to_string(repository("jail/README.md")).unwrap();
    let first = page.lines().find(|line| line.starts_with("## "));
    assert_eq!(first, Some("## When the jail cannot be made"));
}

/// The pages of the repository that `page` links, by their paths in the repository.
fn pages_linked_by(page: &Page) -> Vec<String> {
    let folder = Path::new(&page.path).parent().unwrap();
    let target = |link: String| {
        let file = link.split('#').next().unwrap();
        let path = folder.join(file);
        let path = path.to_str()?;
        // `docs/../jail/README.md`
        let path =
            path.split_once("/../").map_or(path, |(_, path)| path).trim_start_matches("../").to_owned();
        path.ends_with(".md").then_some(path)
    };
    page.links().into_iter().filter_map(target).filter(|path| repository(path).exists()).collect()
}
