//! README.md and docs/: their commands run, their samples are read by what they are for, their tables name what there
//! is, and their links lead somewhere.

mod blocks;
mod commands;
mod links;
mod markdown;
mod tables;

use markdown::Page;

/// The pages whose blocks are checked, in the order in which a new user reads them.
const PAGES: [&str; 9] = [
    "README.md",
    "docs/author.md",
    "docs/operate.md",
    "docs/manifest.md",
    "docs/settings.md",
    "docs/metrics.md",
    "docs/errors.md",
    "docs/wire.md",
    "docs/performance.md",
];

fn pages() -> Vec<Page> {
    PAGES.map(Page::read).into()
}

#[test]
fn every_page_of_docs_is_checked() {
    let folder = std::fs::read_dir(markdown::repository("docs")).unwrap();
    for file in folder {
        let page = format!("docs/{}", file.unwrap().file_name().to_str().unwrap());
        assert!(PAGES.contains(&page.as_str()), "{page} isn't among those whose blocks are checked");
    }
}
