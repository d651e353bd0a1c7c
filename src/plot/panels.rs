//! Draws a chart over hours: one panel per value column, stacked, sharing the axis of hours.
//!
//! All panels have the same left edge, as wide as the widest value label, so an hour stands at the
//! same place in each. Points are budgeted over the whole picture, which bounds its size.

use std::fmt::Write;

use super::Shape;
use super::calendar::{self, Tick};
use super::legend::Legend;
use super::model::{Axis, Panel, Point, SLOT, Second, SlotChart};
use super::scale::{Extent, Scale};
use super::svg::{self, Anchor, Frame, MARGIN, Svg, Text};
use super::thin::{self, Columns};

/// Points in one picture, at twelve to sixteen bytes each.
const POINT_BUDGET: usize = 11_000;
/// Bars in one picture, at twenty-five to thirty bytes each.
const BAR_BUDGET: usize = 7_000;
/// Room for a panel's name above it, and for air below.
const PANEL_HEAD: f64 = 26.0;
const PANEL_FOOT: f64 = 12.0;
const AXIS_HEIGHT: f64 = 46.0;
const LABEL: f64 = 12.0;

/// Draws the chart.
pub(super) fn draw(frame: &Frame, chart: &SlotChart) -> String {
    let scales = scales(frame, chart);
    let labels = scales.iter().flatten().flat_map(|scale| &scale.ticks);
    let widest = labels.fold(24.0, |w: f64, (_, text)| w.max(svg::text_width(text, LABEL)));
    let across = Across::new(chart, MARGIN + widest + 8.0, frame.width - MARGIN);
    let legend = Legend::new(&chart.legend, frame.width - 2.0 * MARGIN);
    let top = svg::HEAD_HEIGHT + legend.height();
    let bottom = top + chart.panels.len() as f64 * frame.panel_height;
    let subtitle = chart.notes.join(" \u{b7} ");
    let mut svg = frame.open(bottom + AXIS_HEIGHT, &subtitle, &described(chart, &subtitle));
    legend.draw(&mut svg);
    let ticks = across.ticks(chart.axis);
    for (index, (panel, scale)) in chart.panels.iter().zip(&scales).enumerate() {
        let top = top + index as f64 * frame.panel_height;
        let name = svg::spaced(&panel.name);
        svg.group("panel", &name);
        let room = across.right - across.left;
        let style = Text::new("panel-title", 13.0).bold();
        let name = svg::shortened(&name, 13.0, room);
        svg.text((across.left, top + PANEL_HEAD - 10.0), &name, style);
        let area = Area {
            across: &across,
            scale: scale.as_ref(),
            top: top + PANEL_HEAD,
            bottom: top + frame.panel_height - PANEL_FOOT,
        };
        area.draw_grid(&mut svg, &ticks);
        area.draw_series(&mut svg, panel, chart);
        svg.end();
    }
    draw_axis(&mut svg, chart.axis, &across, &ticks, bottom - PANEL_FOOT);
    svg.finish()
}

fn scales(frame: &Frame, chart: &SlotChart) -> Vec<Option<Scale>> {
    let steps = ((frame.panel_height - PANEL_HEAD - PANEL_FOOT) / 32.0).clamp(1.0, 6.0);
    let scale = |panel: &Panel| {
        let values = panel.series.iter().flatten().map(|point| point.value);
        Extent::of(values).map(|extent| match chart.shape {
            Shape::Line => Scale::around(extent, steps),
            Shape::Bar => Scale::from_zero(extent, steps),
        })
    };
    chart.panels.iter().map(scale).collect()
}

fn described(chart: &SlotChart, subtitle: &str) -> String {
    let names: Vec<String> = chart.panels.iter().map(|p| svg::spaced(&p.name)).collect();
    let marks = match chart.shape {
        Shape::Line => "Line chart",
        Shape::Bar => "Bar chart",
    };
    let axis = match chart.axis {
        Axis::Time => "hour",
        Axis::HourOfDay => "hour of day",
    };
    format!("{marks} of {} by {axis}. {subtitle}.", names.join(", "))
}

/// The shared axis: which hours, and between which edges.
struct Across {
    first: Second,
    last: Second,
    left: f64,
    right: f64,
}

impl Across {
    fn new(chart: &SlotChart, left: f64, right: f64) -> Self {
        let (first, last) = (chart.first.0, chart.last.0);
        let (first, last) = match (chart.axis, chart.shape) {
            (Axis::HourOfDay, _) => (-SLOT / 2, 23 * SLOT + SLOT / 2),
            (Axis::Time, Shape::Bar) => (first - SLOT / 2, last + SLOT / 2),
            (Axis::Time, Shape::Line) => (first, last),
        };
        // A single hour still needs a stretch to stand on.
        let short = (6 * SLOT - (last - first)).max(0) / 2;
        Self { first: Second(first - short), last: Second(last + short), left, right }
    }

    /// Pixels per second.
    fn pace(&self) -> f64 {
        (self.right - self.left) / (self.last.0 - self.first.0) as f64
    }

    fn x(&self, at: Second) -> f64 {
        self.left + (at.0 - self.first.0) as f64 * self.pace()
    }

    fn ticks(&self, axis: Axis) -> Vec<Tick> {
        if axis == Axis::Time {
            return calendar::ticks(self.first, self.last, self.right - self.left, LABEL);
        }
        let room = svg::text_width("00", LABEL) + 6.0;
        let fits = |step: &usize| *step as f64 * SLOT as f64 * self.pace() >= room;
        let step = [1, 2, 3, 6].into_iter().find(fits).unwrap_or(12);
        let tick =
            |hour: i64| Tick { at: Second(hour * SLOT), label: hour.to_string(), context: None };
        (0..24).step_by(step).map(tick).collect()
    }
}

/// One panel's plot; without a scale it has no values.
struct Area<'a> {
    across: &'a Across,
    scale: Option<&'a Scale>,
    top: f64,
    bottom: f64,
}

impl Area<'_> {
    fn y(&self, share: f64) -> f64 {
        self.bottom - share * (self.bottom - self.top)
    }

    fn draw_grid(&self, svg: &mut Svg, ticks: &[Tick]) {
        let (left, right) = (self.across.left, self.across.right);
        for tick in ticks {
            let x = self.across.x(tick.at);
            svg.rule((x, self.top), (x, self.bottom), svg::GRID);
        }
        let Some(scale) = self.scale else {
            svg.rule((left, self.bottom), (right, self.bottom), svg::AXIS);
            let middle = ((left + right) / 2.0, (self.top + self.bottom) / 2.0);
            let style = Text::new("empty", 13.0).fill(svg::MUTED);
            svg.text(middle, "no values", style.anchor(Anchor::Middle));
            return;
        };
        let style = Text::new("y-label", LABEL).fill(svg::MUTED);
        for (value, label) in &scale.ticks {
            let y = self.y(scale.share(*value));
            // Zero, or the foot of a scale that leaves it out, carries the panel.
            let is_base = *value == 0.0 || (scale.low > 0.0 && *value == scale.low);
            let colour = if is_base { svg::AXIS } else { svg::GRID };
            svg.rule((left, y), (right, y), colour);
            svg.text((left - 8.0, y + 4.0), label, style.anchor(Anchor::End));
        }
    }

    fn draw_series(&self, svg: &mut Svg, panel: &Panel, chart: &SlotChart) {
        let Some(scale) = self.scale else { return };
        let budget = match chart.shape {
            Shape::Line => POINT_BUDGET,
            Shape::Bar => BAR_BUDGET,
        };
        let series = (chart.panels.len() * panel.series.len()).max(1);
        let pixels = (self.across.right - self.across.left).max(1.0) as usize;
        let columns = Columns {
            first: self.across.first,
            last: self.across.last,
            count: (budget / 2 / series).clamp(1, pixels),
        };
        for (points, colour) in panel.series.iter().zip(svg::COLOURS) {
            let runs = thin::runs(points, columns);
            match chart.shape {
                Shape::Line => self.draw_lines(svg, scale, &runs, colour),
                Shape::Bar => {
                    let slot = SLOT as f64 * self.across.pace() * 0.8;
                    let wide =
                        slot.max((self.across.right - self.across.left) / columns.count as f64);
                    let is_thinned = points.len() > runs.iter().map(Vec::len).sum();
                    self.draw_bars(svg, scale, &runs, if is_thinned { wide } else { slot });
                }
            }
        }
    }

    fn draw_lines(&self, svg: &mut Svg, scale: &Scale, runs: &[Vec<Point>], colour: &str) {
        let (mut lines, mut dots) = (String::new(), String::new());
        for run in runs {
            for (index, point) in run.iter().enumerate() {
                let x = svg::number(self.across.x(point.at));
                let y = svg::number(self.y(scale.share(point.value)));
                // Writing to a string cannot fail. A stroke of no length with round ends is a dot;
                // after the first pair of numbers a path goes on by straight lines.
                let _ = match (index, run.len()) {
                    (_, 1) => write!(dots, "M{x} {y}h0"),
                    (0, _) => write!(lines, "M{x} {y}"),
                    _ => write!(lines, " {x} {y}"),
                };
            }
        }
        svg.stroke("line", &lines, 1.6, colour);
        svg.stroke("dots", &dots, 5.0, colour);
    }

    fn draw_bars(&self, svg: &mut Svg, scale: &Scale, runs: &[Vec<Point>], wide: f64) {
        let zero = self.y(scale.share(0.0));
        let mut path = String::new();
        for point in runs.iter().flatten() {
            let x = self.across.x(point.at);
            let y = self.y(scale.share(point.value));
            // A value of zero stays visible, unlike a missing one.
            let end = if (y - zero).abs() < 1.0 { zero - 1.0 } else { y };
            svg::add_box(&mut path, (x - wide / 2.0, zero), (x + wide / 2.0, end));
        }
        svg.fill("bars", &path, svg::COLOURS[0]);
    }
}

fn draw_axis(svg: &mut Svg, axis: Axis, across: &Across, ticks: &[Tick], y: f64) {
    let style = Text::new("x-label", LABEL).fill(svg::MUTED);
    for tick in ticks {
        let at = (across.x(tick.at), y + 18.0);
        svg.text(at, &tick.label, style.anchor(Anchor::Middle));
    }
    let style = Text::new("x-context", LABEL).bold().fill(svg::MUTED);
    if axis == Axis::HourOfDay {
        let at = ((across.left + across.right) / 2.0, y + 36.0);
        svg.text(at, "hour of day", style.anchor(Anchor::Middle));
    }
    // From the right, because the label to give up where two are too near is the cut-off first one.
    let mut free = across.right + MARGIN;
    let mut kept = Vec::new();
    for tick in ticks.iter().rev() {
        let Some(text) = tick.context.as_deref() else {
            continue;
        };
        let half = svg::text_width(text, LABEL * 1.08) / 2.0;
        let x = across.x(tick.at).min(across.right + MARGIN - half);
        if x + half <= free {
            kept.push((x, text));
            free = x - half - 8.0;
        }
    }
    for (x, text) in kept.into_iter().rev() {
        svg.text((x, y + 36.0), text, style.anchor(Anchor::Middle));
    }
}
