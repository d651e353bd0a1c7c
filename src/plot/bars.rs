//! Draws a chart over names: horizontal bars, one row per name, one column of bars per value.
//!
//! The columns stand side by side so that a row can be read across; when they would get too narrow
//! they continue in a further band below. Each bar carries its value, which tells a zero from a
//! value that cannot be computed.

use super::model::CategoryChart;
use super::scale::{self, Extent, Scale};
use super::svg::{self, Anchor, Frame, MARGIN, Svg, Text};

/// The narrowest useful column of bars.
const LEAST_COLUMN: f64 = 170.0;
const BETWEEN: f64 = 28.0;
const BAND_HEAD: f64 = 28.0;
const BAND_FOOT: f64 = 36.0;
const LABEL: f64 = 12.0;

/// Draws the chart.
pub(super) fn draw(frame: &Frame, chart: &CategoryChart) -> String {
    let most = (frame.width * 0.35).min(320.0);
    let names: Vec<String> =
        chart.labels.iter().map(|label| svg::shortened(label, LABEL, most)).collect();
    let widest = names.iter().fold(0.0, |w: f64, name| w.max(svg::text_width(name, LABEL)));
    let left = MARGIN + widest + 12.0;
    let room = frame.width - MARGIN - left;
    let fitting = ((room + BETWEEN) / (LEAST_COLUMN + BETWEEN)).floor().max(1.0) as usize;
    let per_band = fitting.min(chart.panels.len()).max(1);
    let wide = (room + BETWEEN) / per_band as f64 - BETWEEN;
    let row = (frame.panel_height / names.len().max(1) as f64).clamp(20.0, 28.0);
    let rows = row * names.len() as f64;
    let band = BAND_HEAD + rows + BAND_FOOT;
    let bands = chart.panels.chunks(per_band);
    let subtitle = chart.notes.join(" \u{b7} ");
    let height = svg::HEAD_HEIGHT + bands.len() as f64 * band;
    let mut svg = frame.open(height, &subtitle, &described(chart, &subtitle));
    for (index, panels) in bands.enumerate() {
        let top = svg::HEAD_HEIGHT + index as f64 * band + BAND_HEAD;
        for (place, name) in names.iter().enumerate() {
            let y = top + (place as f64 + 0.5) * row + 4.0;
            let style = Text::new("row-label", LABEL).anchor(Anchor::End);
            svg.text((left - 8.0, y), name, style);
        }
        for (place, (name, values)) in panels.iter().enumerate() {
            let column = Column {
                left: left + place as f64 * (wide + BETWEEN),
                wide,
                top,
                bottom: top + rows,
                row,
            };
            column.draw(&mut svg, &svg::spaced(name), values);
        }
    }
    svg.finish()
}

fn described(chart: &CategoryChart, subtitle: &str) -> String {
    let names = chart.panels.iter().map(|(name, _)| svg::spaced(name));
    let names: Vec<String> = names.collect();
    format!("Bar chart of {}. {subtitle}.", names.join(", "))
}

/// One value column's place in the picture.
struct Column {
    left: f64,
    wide: f64,
    top: f64,
    bottom: f64,
    row: f64,
}

impl Column {
    fn draw(&self, svg: &mut Svg, name: &str, values: &[Option<f64>]) {
        svg.group("panel", name);
        let style = Text::new("panel-title", 13.0).bold();
        let title = svg::shortened(name, 13.0, self.wide);
        svg.text((self.left, self.top - 12.0), &title, style);
        // Without values the column still shows its rows as not available.
        let extent = Extent::of(values.iter().flatten().copied());
        let scale = Scale::from_zero(
            extent.unwrap_or(Extent { min: 0.0, max: 0.0, whole: true }),
            (self.wide / 110.0).clamp(1.0, 5.0),
        );
        let along = self.along(&scale, values);
        if extent.is_some() {
            self.draw_grid(svg, &scale, &along);
        }
        let zero = along.x(&scale, 0.0);
        let mut path = String::new();
        let style = Text::new("value", 11.0).fill(svg::MUTED);
        for (place, value) in values.iter().enumerate() {
            let middle = self.top + (place as f64 + 0.5) * self.row;
            let at = value.map_or(zero, |value| along.x(&scale, value));
            let text = value.map_or("n/a".to_owned(), scale::short);
            if value.is_some() {
                // A value of zero stays visible, unlike a missing one.
                let end = if (at - zero).abs() < 1.0 { zero + 1.0 } else { at };
                let half = self.row * 0.34;
                svg::add_box(&mut path, (zero, middle - half), (end, middle + half));
            }
            let (x, anchor) = match value {
                Some(value) if *value < 0.0 => (at - 5.0, Anchor::End),
                _ => (at + 5.0, Anchor::Start),
            };
            svg.text((x, middle + 4.0), &text, style.anchor(anchor));
        }
        svg.fill("bars", &path, svg::COLOURS[0]);
        svg.rule((zero, self.top), (zero, self.bottom), svg::AXIS);
        svg.end();
    }

    /// Leaves room for the values written at the ends of bars.
    fn along(&self, scale: &Scale, values: &[Option<f64>]) -> Along {
        let widest = |negative: bool| {
            let side = values.iter().flatten().filter(|v| (**v < 0.0) == negative);
            side.fold(0.0, |w: f64, v| w.max(svg::text_width(&scale::short(*v), 11.0) + 8.0))
        };
        let missing = if values.contains(&None) { 30.0 } else { 0.0 };
        let before = if scale.low < 0.0 { widest(true) } else { 0.0 };
        Along {
            left: self.left + before,
            right: self.left + self.wide - widest(false).max(missing),
        }
    }

    fn draw_grid(&self, svg: &mut Svg, scale: &Scale, along: &Along) {
        let style = Text::new("x-label", LABEL).fill(svg::MUTED);
        let mut free = f64::NEG_INFINITY;
        for (value, label) in &scale.ticks {
            let x = along.x(scale, *value);
            svg.rule((x, self.top), (x, self.bottom), svg::GRID);
            let half = svg::text_width(label, LABEL) / 2.0;
            // Not every tick needs its label; the first one always has it.
            if x - half >= free {
                svg.text((x, self.bottom + 16.0), label, style.anchor(Anchor::Middle));
                free = x + half + 8.0;
            }
        }
    }
}

/// Where values lie between two edges.
struct Along {
    left: f64,
    right: f64,
}

impl Along {
    fn x(&self, scale: &Scale, value: f64) -> f64 {
        self.left + scale.share(value) * (self.right - self.left)
    }
}
