//! The plot of `make bench`: bars in panels. Each panel has a scale of its own, from zero.

use crate::plots::{Anchor, Svg};

/// Bars that are compared to one another.
#[derive(Debug, Clone, PartialEq)]
pub struct Panel {
    /// The quantity that the bars show.
    pub title: String,
    /// The bars from top to bottom.
    pub bars: Vec<Bar>,
}

/// A bar.
#[derive(Debug, Clone, PartialEq)]
pub struct Bar {
    /// The label before it.
    pub label: String,
    /// Its length.
    pub value: f64,
    /// The text after it.
    pub text: String,
    /// Whether it shows the host.
    pub is_ours: bool,
}

const WIDTH: f64 = 860.0;
const LABELS_WIDTH: f64 = 240.0;
/// The space after the longest bar.
const TEXT_WIDTH: f64 = 90.0;
const BAR_HEIGHT: f64 = 18.0;
const LINE_HEIGHT: f64 = 26.0;
const TITLE_HEIGHT: f64 = 34.0;
const GAP: f64 = 18.0;
/// From the top of a line to the baseline of its text.
const BASELINE: f64 = 14.0;

/// The panels, one below the other.
pub fn plot(panels: &[Panel]) -> String {
    let mut svg = Svg::new();
    let mut y = 0.0;
    for panel in panels.iter().filter(|panel| !panel.bars.is_empty()) {
        svg.text(0.0, y + 18.0, Anchor::Start, "title", &panel.title);
        y += TITLE_HEIGHT;
        let longest = panel.bars.iter().map(|bar| bar.value).fold(0.0, f64::max);
        for bar in &panel.bars {
            draw(&mut svg, bar, longest, y);
            y += LINE_HEIGHT;
        }
        y += GAP;
    }
    svg.finish(WIDTH, y)
}

fn draw(svg: &mut Svg, bar: &Bar, longest: f64, y: f64) {
    let length = bar.value / longest.max(f64::MIN_POSITIVE) * (WIDTH - LABELS_WIDTH - TEXT_WIDTH);
    let (text, fill) = if bar.is_ours { ("strong", "series0") } else { ("", "series2") };
    svg.text(LABELS_WIDTH - 10.0, y + BASELINE, Anchor::End, text, &bar.label);
    // A minimum width, so that every bar is visible.
    svg.bar(LABELS_WIDTH, y, length.max(1.0), BAR_HEIGHT, fill);
    svg.text(LABELS_WIDTH + length + 8.0, y + BASELINE, Anchor::Start, text, &bar.text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panel_is_drawn_to_the_scale_of_its_own_longest_bar() {
        let bar = |value| Bar { label: "a < b".to_owned(), value, text: String::new(), is_ours: false };
        let panel = |values: &[f64]| Panel {
            title: "t".to_owned(),
            bars: values.iter().map(|value| bar(*value)).collect(),
        };
        let svg = plot(&[panel(&[50.0, 100.0]), panel(&[]), panel(&[1.0])]);
        assert_eq!(svg.matches(r#"width="530.0""#).count(), 2);
        assert_eq!(svg.matches(r#"width="265.0""#).count(), 1);
        assert!(svg.contains("a &lt; b"));
    }
}
