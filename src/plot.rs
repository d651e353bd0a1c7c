//! Draws a view's CSV as an SVG picture.
//!
//! The work is a chain of pure steps: a [`Table`] is read, `model` decides what kind of chart its
//! key asks for, `panels` or `bars` lays it out. Only [`plot_csv`] touches files, and it renames a
//! finished temporary file into place, so a reader sees the old picture or the new one, never half.

mod bars;
mod calendar;
mod curves;
mod legend;
mod model;
mod panels;
mod scale;
mod svg;
mod table;
mod thin;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

pub use curves::{Axis, Curve, Curves, Scaling, plot_curves};
pub use table::Table;

use model::Chart;
use svg::{Anchor, Frame, Text};

/// The marks of a chart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Values joined over time; a missing hour breaks the line.
    Line,
    /// One bar per key, always from zero.
    Bar,
}

/// What to draw and how large.
#[derive(Clone, Debug)]
pub struct PlotOptions {
    /// Heading; by default the table's name with underscores as spaces.
    pub title: Option<String>,
    /// Value columns to draw, one panel each; empty draws every numeric one.
    pub columns: Vec<String>,
    /// Marks; by default lines over time and bars otherwise.
    pub kind: Option<Shape>,
    /// Picture width in pixels, held within 320..=4000.
    pub width: u32,
    /// Height of one panel in pixels, held within 80..=2000. Horizontal bars grow with their rows
    /// and take it only as a hint.
    pub height_per_panel: u32,
}

impl Default for PlotOptions {
    fn default() -> Self {
        Self { title: None, columns: Vec::new(), kind: None, width: 960, height_per_panel: 170 }
    }
}

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
pub enum PlotError {
    /// The view could not be opened.
    #[error("cannot open view {}: {source}; check the path, or write the view with `tidemill run`", path.display())]
    Open {
        /// The view's file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The view is not CSV.
    #[error("cannot read {} as CSV: {source}; a view is UTF-8 with a header and rows of equal length", path.display())]
    Csv {
        /// The view's file.
        path: PathBuf,
        /// Where and why reading stopped.
        source: csv::Error,
    },
    /// Nothing in the table can be drawn.
    #[error(
        "no numeric column to plot in `{table}`: after the key `{key}` it needs a column of numbers"
    )]
    NoNumericColumn {
        /// The table's name.
        table: String,
        /// Its first column.
        key: String,
    },
    /// A wanted column is not there, or is not one of numbers.
    #[error("no value column `{name}` in `{table}`; it has: {have}")]
    UnknownColumn {
        /// What was asked for.
        name: String,
        /// The table's name.
        table: String,
        /// The columns that can be drawn, joined by commas.
        have: String,
    },
    /// A key cell that does not fit its column.
    #[error(
        "data row {row} of `{table}`: `{column}` is `{value}`, expected {wanted}; correct or remove the row"
    )]
    BadKey {
        /// One for the first row after the header.
        row: usize,
        /// The table's name.
        table: String,
        /// The key column.
        column: String,
        /// The cell as found.
        value: String,
        /// What the column should hold.
        wanted: &'static str,
    },
    /// The wanted marks cannot show this table honestly.
    #[error("cannot draw `{table}` this way: {reason}")]
    Unfit {
        /// The table's name.
        table: String,
        /// Why, and what to ask for instead.
        reason: &'static str,
    },
    /// The picture would replace the view it is made from.
    #[error("{} is both the view and the picture; choose another output", path.display())]
    SameFile {
        /// The file named twice.
        path: PathBuf,
    },
    /// The picture could not be written.
    #[error("cannot write picture {}: {source}; check that its directory exists and has room", path.display())]
    Write {
        /// The picture's file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl From<PlotError> for crate::error::Error {
    fn from(error: PlotError) -> Self {
        crate::error::Error::of(error, false)
    }
}

/// Reads the view `input` and leaves its picture in `output`, replaced in one step.
pub fn plot_csv(input: &Path, output: &Path, options: &PlotOptions) -> Result<(), PlotError> {
    let table = Table::read(input)?;
    // The view was readable a moment ago; an output that does not resolve does not exist yet.
    if let (Ok(from), Ok(to)) = (fs::canonicalize(input), fs::canonicalize(output))
        && from == to
    {
        return Err(PlotError::SameFile { path: from });
    }
    let svg = plot_table(&table, options)?;
    crate::files::replace(output, |out| out.write_all(svg.as_bytes()))
        .map_err(|source| PlotError::Write { path: output.to_path_buf(), source })
}

/// Draws `table` as an SVG document; the same table and options always give the same text.
pub fn plot_table(table: &Table, options: &PlotOptions) -> Result<String, PlotError> {
    let title = options.title.clone().unwrap_or_else(|| svg::spaced(&table.name));
    let frame = Frame {
        title,
        width: f64::from(options.width.clamp(320, 4000)),
        panel_height: f64::from(options.height_per_panel.clamp(80, 2000)),
    };
    Ok(match model::chart(table, options)? {
        Chart::Empty => draw_empty(&frame),
        Chart::Slots(chart) => panels::draw(&frame, &chart),
        Chart::Categories(chart) => bars::draw(&frame, &chart),
    })
}

/// A view that has a header and nothing else gets a picture that says so.
fn draw_empty(frame: &Frame) -> String {
    let note = "no rows yet";
    let mut svg = frame.open(svg::HEAD_HEIGHT + frame.panel_height, "", note);
    let middle = (frame.width / 2.0, svg::HEAD_HEIGHT + frame.panel_height / 2.0);
    let style = Text::new("empty", 16.0).fill(svg::MUTED);
    svg.text(middle, note, style.anchor(Anchor::Middle));
    svg.finish()
}
