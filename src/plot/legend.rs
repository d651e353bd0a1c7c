//! The names of series beside their colours, in as many rows as they need, below the heading.

use super::svg::{self, MARGIN, Svg, Text};

const ROW: f64 = 20.0;
const SWATCH: f64 = 22.0;
const LABEL: f64 = 12.0;

/// A name with its place and colour.
struct Entry {
    x: f64,
    name: String,
    colour: &'static str,
}

/// The legend of a picture.
pub(super) struct Legend {
    rows: Vec<Vec<Entry>>,
}

impl Legend {
    /// Names in rows no wider than `room`.
    pub(super) fn new(names: &[String], room: f64) -> Self {
        let mut rows: Vec<Vec<Entry>> = Vec::new();
        let mut x = 0.0;
        for (name, colour) in names.iter().zip(svg::COLOURS) {
            let name = svg::shortened(name, LABEL, (room - SWATCH).min(260.0));
            let wide = SWATCH + svg::text_width(&name, LABEL) + 14.0;
            if rows.is_empty() || x + wide > room {
                rows.push(Vec::new());
                x = 0.0;
            }
            let entry = Entry { x: MARGIN + x, name, colour };
            if let Some(row) = rows.last_mut() {
                row.push(entry);
            }
            x += wide;
        }
        Self { rows }
    }

    /// How much room it takes.
    pub(super) fn height(&self) -> f64 {
        self.rows.len() as f64 * ROW
    }

    /// Draws it.
    pub(super) fn draw(&self, svg: &mut Svg) {
        for (index, row) in self.rows.iter().enumerate() {
            let y = svg::HEAD_HEIGHT + 10.0 + index as f64 * ROW;
            for entry in row {
                let (from, to) = (svg::number(entry.x), svg::number(y - 4.0));
                svg.stroke("swatch", &format!("M{from} {to}h14"), 3.0, entry.colour);
                let at = (entry.x + SWATCH, y);
                svg.text(at, &entry.name, Text::new("legend", LABEL));
            }
        }
    }
}
