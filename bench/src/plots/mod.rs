//! Plots as SVG that are readable on light and on dark backgrounds.

pub mod bars;
pub mod lines;

use std::fmt::Write;

/// A plot under construction.
pub(crate) struct Svg {
    body: String,
}

/// The anchor of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

/// The background is transparent. The colours are visible on white and on black; a viewer that reports its colour
/// scheme gets stronger text colours.
const STYLE: &str = "
  text { font: 13px system-ui, sans-serif; fill: #6e7781 }
  .title { font-weight: 600; font-size: 15px }
  .strong { font-weight: 600 }
  .axis { stroke: #8b949e; stroke-opacity: .5; stroke-width: 1 }
  .series0 { fill: #2f81f7; stroke: #2f81f7 }
  .series1 { fill: #d29922; stroke: #d29922 }
  .series2 { fill: #8b949e; stroke: #8b949e }
  polyline { stroke-width: 2; fill: none !important }
  text.series0, text.series1, text.series2 { stroke: none }
  @media (prefers-color-scheme: light) { text { fill: #1f2328 } }
  @media (prefers-color-scheme: dark) { text { fill: #e6edf3 } }
";

impl Svg {
    pub(crate) fn new() -> Self {
        Self { body: String::new() }
    }

    /// A text of one line; `class` is one of the style's, or nothing.
    pub(crate) fn text(&mut self, x: f64, y: f64, anchor: Anchor, class: &str, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let text = text.replace('&', "&amp;").replace('<', "&lt;");
        self.push(&format!(
            r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}" class="{class}">{text}</text>"#
        ));
    }

    /// A bar.
    pub(crate) fn bar(&mut self, x: f64, y: f64, width: f64, height: f64, class: &str) {
        self.push(&format!(
            r#"<rect x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}" rx="2" class="{class}"/>"#
        ));
    }

    /// A straight line, from one point to another.
    pub(crate) fn rule(&mut self, from: (f64, f64), to: (f64, f64)) {
        let ((x1, y1), (x2, y2)) = (from, to);
        self.push(&format!(r#"<line x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}" class="axis"/>"#));
    }

    /// A line through points, each marked.
    pub(crate) fn line(&mut self, points: &[(f64, f64)], class: &str) {
        let list: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        self.push(&format!(r#"<polyline points="{}" class="{class}"/>"#, list.join(" ")));
        for (x, y) in points {
            self.push(&format!(r#"<circle cx="{x:.1}" cy="{y:.1}" r="3.5" class="{class}"/>"#));
        }
    }

    /// The whole plot, of that size.
    pub(crate) fn finish(self, width: f64, height: f64) -> String {
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" \
             width=\"{width:.0}\" height=\"{height:.0}\">\n<style>{STYLE}</style>\n{}</svg>\n",
            self.body
        )
    }

    fn push(&mut self, element: &str) {
        writeln!(self.body, "{element}").expect("a string takes every write");
    }
}
