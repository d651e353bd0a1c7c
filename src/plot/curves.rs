//! Draws curves over an axis of numbers: throughput against latency, a latency's percentiles.
//!
//! Each axis is linear, logarithmic, or one of nines (shares below one, so that a tail is seen).
//! Values an axis cannot show (nothing above zero on a logarithmic one) are left out.

use std::fmt::Write;

use super::PlotOptions;
use super::legend::Legend;
use super::scale::{Extent, Scale};
use super::svg::{self, Anchor, Frame, MARGIN, Svg, Text};

const LABEL: f64 = 12.0;
const HEIGHT: f64 = 420.0;
const AXIS_HEIGHT: f64 = 52.0;

/// How values lie along an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scaling {
    /// Equal differences are equally far apart.
    Linear,
    /// Equal ratios are equally far apart.
    Logarithmic,
    /// Shares from zero to below one: 0.9, 0.99 and 0.999 are equally far apart.
    Nines,
}

/// An axis.
#[derive(Clone, Debug)]
pub struct Axis {
    /// What it shows, with its unit.
    pub name: String,
    /// How values lie along it.
    pub scaling: Scaling,
}

/// A curve.
#[derive(Clone, Debug)]
pub struct Curve {
    /// Its name in the legend.
    pub name: String,
    /// Its points, joined in this order.
    pub points: Vec<(f64, f64)>,
}

/// A picture of curves.
#[derive(Clone, Debug)]
pub struct Curves {
    /// The heading.
    pub title: String,
    /// The axis from left to right.
    pub across: Axis,
    /// The axis from bottom to top.
    pub up: Axis,
    /// The curves, at most eight.
    pub curves: Vec<Curve>,
}

impl Scaling {
    /// Where a value lies on the scale, if it does.
    fn place(self, value: f64) -> Option<f64> {
        let place = match self {
            Scaling::Linear => value,
            Scaling::Logarithmic => value.log10(),
            Scaling::Nines => -(1.0 - value).log10(),
        };
        place.is_finite().then_some(place)
    }

    fn scale(self, places: impl Iterator<Item = f64>, steps: f64) -> Option<Scale> {
        let extent = Extent::of(places)?;
        Some(match self {
            Scaling::Linear => Scale::around(extent, steps),
            Scaling::Logarithmic => Scale::logarithmic(extent, steps),
            Scaling::Nines => Scale::nines(extent),
        })
    }
}

/// Draws curves as an SVG document; the same curves always give the same text.
pub fn plot_curves(curves: &Curves) -> String {
    let width = f64::from(PlotOptions::default().width);
    let frame = Frame { title: curves.title.clone(), width, panel_height: HEIGHT };
    let Curves { across, up, .. } = curves;
    let points: Vec<Vec<(f64, f64)>> = curves.curves.iter().map(|c| places(curves, c)).collect();
    let names: Vec<String> = curves.curves.iter().map(|curve| curve.name.clone()).collect();
    let legend = Legend::new(&names, width - 2.0 * MARGIN);
    let top = svg::HEAD_HEIGHT + legend.height() + 12.0;
    let bottom = top + HEIGHT;
    let subtitle = format!("{} over {}", up.name, across.name);
    let what = format!("Line chart of {}: {subtitle}.", names.join(", "));
    let mut svg = frame.open(bottom + AXIS_HEIGHT, &subtitle, &what);
    legend.draw(&mut svg);
    let all = || points.iter().flatten();
    let x = across.scaling.scale(all().map(|p| p.0), 8.0);
    let y = up.scaling.scale(all().map(|p| p.1), 8.0);
    let (Some(x), Some(y)) = (x, y) else {
        let style = Text::new("empty", 16.0).fill(svg::MUTED).anchor(Anchor::Middle);
        svg.text((width / 2.0, (top + bottom) / 2.0), "no values", style);
        return svg.finish();
    };
    let widest = y.ticks.iter().fold(24.0, |w: f64, (_, t)| w.max(svg::text_width(t, LABEL)));
    let area =
        Area { x, y, left: MARGIN + widest + 8.0, right: width - MARGIN - 24.0, top, bottom };
    area.draw_grid(&mut svg, &across.name);
    for (points, colour) in points.iter().zip(svg::COLOURS) {
        area.draw_curve(&mut svg, points, colour);
    }
    svg.finish()
}

fn places(curves: &Curves, curve: &Curve) -> Vec<(f64, f64)> {
    let (x, y) = (curves.across.scaling, curves.up.scaling);
    curve.points.iter().filter_map(|(a, b)| Some((x.place(*a)?, y.place(*b)?))).collect()
}

/// The plot and its scales.
struct Area {
    x: Scale,
    y: Scale,
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
}

impl Area {
    fn across(&self, place: f64) -> f64 {
        self.left + self.x.share(place) * (self.right - self.left)
    }

    fn up(&self, place: f64) -> f64 {
        self.bottom - self.y.share(place) * (self.bottom - self.top)
    }

    fn draw_grid(&self, svg: &mut Svg, name: &str) {
        let style = Text::new("x-label", LABEL).fill(svg::MUTED).anchor(Anchor::Middle);
        // Labels that would touch the last one are left out, their rules are not.
        let mut free = 0.0;
        for (place, label) in &self.x.ticks {
            let (x, half) = (self.across(*place), svg::text_width(label, LABEL) / 2.0);
            svg.rule((x, self.top), (x, self.bottom), svg::GRID);
            if x - half >= free {
                svg.text((x, self.bottom + 18.0), label, style);
                free = x + half + 6.0;
            }
        }
        let middle = ((self.left + self.right) / 2.0, self.bottom + 38.0);
        svg.text(
            middle,
            name,
            Text::new("x-context", LABEL).bold().fill(svg::MUTED).anchor(Anchor::Middle),
        );
        let style = Text::new("y-label", LABEL).fill(svg::MUTED).anchor(Anchor::End);
        for (place, label) in &self.y.ticks {
            let y = self.up(*place);
            svg.rule((self.left, y), (self.right, y), svg::GRID);
            svg.text((self.left - 8.0, y + 4.0), label, style);
        }
        svg.rule((self.left, self.bottom), (self.right, self.bottom), svg::AXIS);
    }

    fn draw_curve(&self, svg: &mut Svg, points: &[(f64, f64)], colour: &str) {
        let (mut line, mut dots) = (String::new(), String::new());
        for (index, (x, y)) in points.iter().enumerate() {
            let (x, y) = (svg::number(self.across(*x)), svg::number(self.up(*y)));
            // Writing to a string cannot fail. A stroke of no length with round ends is a dot.
            let _ = write!(line, "{}{x} {y}", if index == 0 { "M" } else { " " });
            let _ = write!(dots, "M{x} {y}h0");
        }
        svg.stroke("line", &line, 1.6, colour);
        svg.stroke("dots", &dots, 4.0, colour);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(points: Vec<(f64, f64)>) -> String {
        let axis = |name: &str, scaling| Axis { name: name.into(), scaling };
        plot_curves(&Curves {
            title: "Latency".into(),
            across: axis("share", Scaling::Nines),
            up: axis("ms", Scaling::Logarithmic),
            curves: vec![Curve { name: "p99".into(), points }],
        })
    }

    #[test]
    fn what_an_axis_cannot_show_is_left_out() {
        assert_eq!(Scaling::Logarithmic.place(100.0), Some(2.0));
        assert_eq!(Scaling::Logarithmic.place(0.0), None);
        assert_eq!(Scaling::Logarithmic.place(-1.0), None);
        assert_eq!(Scaling::Nines.place(1.0), None);
        assert_eq!(Scaling::Nines.place(0.0), Some(0.0));
        assert_eq!(Scaling::Linear.place(f64::NAN), None);
        let svg = picture(vec![(0.0, 0.0), (0.5, 1.0), (0.9, 10.0), (1.0, 20.0)]);
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        assert_eq!(svg.matches("h0").count(), 2);
        assert!(picture(Vec::new()).contains("no values"));
    }

    #[test]
    fn curves_stay_within_their_axes() {
        let svg =
            picture((0..200).map(|i| (1.0 - 0.95f64.powi(i), 0.01 * 1.1f64.powi(i))).collect());
        let line = svg.lines().find(|l| l.contains("class=\"line\"")).expect("a line");
        let path = line.split('"').nth(3).expect("a path");
        for pair in path.trim_start_matches('M').split(' ').collect::<Vec<_>>().chunks(2) {
            let at: Vec<f64> = pair.iter().map(|n| n.parse().expect("a number")).collect();
            assert!((0.0..=960.0).contains(&at[0]) && (60.0..=560.0).contains(&at[1]), "{at:?}");
        }
    }
}
