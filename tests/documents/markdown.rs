//! What the checks need of a Markdown page: code blocks, headings, links, tables.

use std::path::PathBuf;

pub(super) struct Page {
    pub(super) path: String,
    text: String,
}

/// A fenced code block.
pub(super) struct Block {
    /// `docs/author.md, line 12`.
    pub(super) at: String,
    pub(super) language: String,
    /// The comment right before it: `not run: ...`, `file: ...`, `server`, `output`.
    pub(super) remark: Option<String>,
    pub(super) text: String,
}

/// A path in the repository.
pub(super) fn repository(path: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "..", path].iter().collect()
}

impl Page {
    pub(super) fn read(path: &str) -> Self {
        let text =
            std::fs::read_to_string(repository(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        Self { path: path.to_owned(), text }
    }

    pub(super) fn blocks(&self) -> Vec<Block> {
        let mut blocks = Vec::new();
        let mut open: Option<Block> = None;
        let mut remark = None;
        for (index, line) in self.text.lines().enumerate() {
            let trimmed = line.trim_start();
            match (trimmed.strip_prefix("```"), &mut open) {
                (Some(_), Some(_)) => blocks.extend(open.take()),
                (Some(language), None) => {
                    let at = format!("{}, line {}", self.path, index + 1);
                    // `rust,no_run`
                    let language = language.split(',').next().unwrap_or_default().trim().to_owned();
                    open = Some(Block { at, language, remark: remark.take(), text: String::new() });
                }
                (None, Some(block)) => block.text += &format!("{line}\n"),
                (None, None) if trimmed.is_empty() => {}
                (None, None) => remark = comment(trimmed),
            }
        }
        blocks
    }

    /// Its lines outside code blocks.
    pub(super) fn prose(&self) -> String {
        let mut is_code = false;
        let mut prose = String::new();
        for line in self.text.lines() {
            let is_fence = line.trim_start().starts_with("```");
            if !is_code && !is_fence {
                prose += &format!("{line}\n");
            }
            is_code ^= is_fence;
        }
        prose
    }

    /// The anchors of its headings, as GitHub makes them.
    pub(super) fn anchors(&self) -> Vec<String> {
        let prose = self.prose();
        let headings = prose.lines().filter(|line| line.starts_with('#'));
        headings.map(|line| slug(line.trim_start_matches('#').trim())).collect()
    }

    /// Where its links lead.
    pub(super) fn links(&self) -> Vec<String> {
        let prose = self.prose();
        let targets = prose.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
        targets.map(|(target, _)| target.to_owned()).collect()
    }

    /// The rows of its tables whose first column has this heading, cell by cell.
    pub(super) fn rows(&self, first_column: &str) -> Vec<Vec<String>> {
        let mut rows = Vec::new();
        // Whether this line belongs to a table, and whether to the one that is wanted.
        let (mut is_table, mut is_wanted) = (false, false);
        for line in self.text.lines() {
            let Some(line) = line.strip_prefix('|') else {
                is_table = false;
                continue;
            };
            let cells: Vec<String> = line.split('|').map(|cell| cell.trim().replace('`', "")).collect();
            if !is_table {
                (is_table, is_wanted) = (true, cells[0] == first_column);
            } else if is_wanted && !cells[0].starts_with("---") {
                rows.push(cells);
            }
        }
        assert!(!rows.is_empty(), "{} has no table of `{first_column}`", self.path);
        rows
    }
}

fn comment(line: &str) -> Option<String> {
    Some(line.strip_prefix("<!--")?.strip_suffix("-->")?.trim().to_owned())
}

fn slug(heading: &str) -> String {
    let kept = heading.to_lowercase().replace(' ', "-");
    kept.chars().filter(|char| char.is_alphanumeric() || "-_".contains(*char)).collect()
}
