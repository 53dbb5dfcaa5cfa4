//! Tables, in columns for a terminal and in Markdown.

use std::fmt::Write;

/// Headings and lines of as many cells each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Over the columns.
    pub headings: Vec<String>,
    /// The number of columns with words, from the left; the others have figures.
    pub words: usize,
    /// The lines.
    pub lines: Vec<Vec<String>>,
}

impl Table {
    /// In columns.
    pub fn text(&self) -> String {
        let lines: Vec<&Vec<String>> = std::iter::once(&self.headings).chain(&self.lines).collect();
        let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..self.headings.len()).map(width).collect();
        let mut text = String::new();
        for line in &lines {
            for (column, (cell, &width)) in line.iter().zip(&widths).enumerate() {
                let written = if column < self.words {
                    write!(text, "{cell:<width$}  ")
                } else {
                    write!(text, "{cell:>width$}  ")
                };
                written.expect("a string takes every write");
            }
            text.truncate(text.trim_end().len());
            text.push('\n');
        }
        text
    }

    /// In Markdown.
    pub fn markdown(&self) -> String {
        let line = |cells: &Vec<String>| format!("| {} |\n", cells.join(" | "));
        let rule = |column| if column < self.words { "---|" } else { "---:|" };
        let rules: String = (0..self.headings.len()).map(rule).collect();
        line(&self.headings) + "|" + &rules + "\n" + &self.lines.iter().map(line).collect::<String>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_aligned_left_and_figures_right() {
        let row = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
        let table = Table { headings: row(["name", "n"]), words: 1, lines: vec![row(["a", "100"])] };
        assert_eq!(table.text(), "name    n\na     100\n");
        assert_eq!(table.markdown(), "| name | n |\n|---|---:|\n| a | 100 |\n");
    }
}
