//! The plot of `make bench-curves`: small line charts. The steps, which grow by factors, have equal distances on the x
//! axis; the y axis is linear, from zero.

use crate::plots::{Anchor, Svg};

/// Lines over the same steps.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    /// The quantities on the axes.
    pub title: String,
    /// The labels of the steps.
    pub steps: Vec<String>,
    /// Up to three lines: a name, and a value for each step; `None` where none was measured.
    pub series: Vec<(String, Vec<Option<f64>>)>,
}

const WIDTH: f64 = 420.0;
const HEIGHT: f64 = 290.0;
/// The area of the lines within a chart.
const LEFT: f64 = 62.0;
const RIGHT: f64 = WIDTH - 24.0;
const TOP: f64 = 62.0;
const BOTTOM: f64 = HEIGHT - 48.0;

/// The charts, two per row.
pub fn plot(charts: &[Chart]) -> String {
    let mut svg = Svg::new();
    for (at, chart) in charts.iter().enumerate() {
        let origin = ((at % 2) as f64 * WIDTH, (at / 2) as f64 * HEIGHT);
        draw(&mut svg, chart, origin);
    }
    svg.finish(2.0 * WIDTH, charts.len().div_ceil(2) as f64 * HEIGHT)
}

fn draw(svg: &mut Svg, chart: &Chart, (x, y): (f64, f64)) {
    let values = chart.series.iter().flat_map(|(_, values)| values).flatten();
    let top = round_up(values.copied().fold(0.0, f64::max));
    svg.text(x, y + 18.0, Anchor::Start, "title", &chart.title);
    const MARKS: usize = 4;
    for mark in 0..=MARKS {
        let share = mark as f64 / MARKS as f64;
        let height = y + BOTTOM - share * (BOTTOM - TOP);
        svg.rule((x + LEFT, height), (x + RIGHT, height));
        svg.text(x + LEFT - 8.0, height + 4.0, Anchor::End, "", &format!("{:.0}", share * top));
    }
    for (step, label) in chart.steps.iter().enumerate() {
        svg.text(x + across(step, chart.steps.len()), y + BOTTOM + 20.0, Anchor::Middle, "", label);
    }
    for (at, (name, values)) in chart.series.iter().enumerate() {
        let class = format!("series{at}");
        svg.text(x + LEFT + at as f64 * 110.0, y + 42.0, Anchor::Start, &class, &format!("● {name}"));
        let point = |(step, value): (usize, &Option<f64>)| {
            let height = BOTTOM - (*value)? / top * (BOTTOM - TOP);
            Some((x + across(step, values.len()), y + height))
        };
        let points: Vec<(f64, f64)> = values.iter().enumerate().filter_map(point).collect();
        svg.line(&points, &class);
    }
}

/// The x position of a step, with half a step on either side.
fn across(step: usize, steps: usize) -> f64 {
    LEFT + (step as f64 + 0.5) / steps as f64 * (RIGHT - LEFT)
}

/// Rounds up to four times a round number, for the marks of the axis.
fn round_up(value: f64) -> f64 {
    let power = 10f64.powf(value.max(4.0).log10().floor());
    let rounded = [1.0, 1.2, 1.6, 2.0, 2.4, 3.2, 4.0, 6.0, 8.0, 10.0].map(|digit| digit * power);
    rounded.into_iter().find(|rounded| *rounded >= value).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_marks_are_round_and_hold_the_highest_value() {
        assert_eq!(round_up(7_300.0), 8_000.0);
        assert_eq!(round_up(10_000.0), 10_000.0);
        assert_eq!(round_up(10_001.0), 12_000.0);
    }

    #[test]
    fn a_missing_measurement_has_no_point() {
        let series =
            vec![("a".to_owned(), vec![Some(1.0), None]), ("b".to_owned(), vec![Some(2.0), Some(3.0)])];
        let steps = vec!["1".to_owned(), "10".to_owned()];
        let svg = plot(&[Chart { title: "t".to_owned(), steps, series }]);
        assert_eq!(svg.matches("<circle").count(), 3);
    }
}
