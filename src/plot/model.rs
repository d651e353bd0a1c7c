//! Decides what a table asks for: which column is the key, which are values, which are categories.
//!
//! The first column is the key. Hours (in time or of the day) become positions on an axis of
//! seconds, one slot of an hour each, so both kinds share one drawing; any other key is a list of
//! names. Nothing is aggregated: rows that share an hour are told apart by their category columns,
//! and whatever is left out or ambiguous is said in `notes`, which the picture shows.

use std::collections::BTreeMap;

use super::calendar;
use super::table::Table;
use super::{PlotError, PlotOptions, Shape};

/// Lines in one panel that can still be told apart by colour.
pub(super) const MAX_SERIES: usize = 8;
/// Bars a reader can take in at once.
pub(super) const MAX_BARS: usize = 30;
/// Panels that keep a picture of a page or three.
pub(super) const MAX_PANELS: usize = 24;

/// A position on the axis: seconds since 1970 in UTC, or since midnight for hours of the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Second(pub i64);

/// The seconds that one row stands for.
pub(super) const SLOT: i64 = 3600;

/// A value at its place on the axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    pub at: Second,
    pub value: f64,
}

/// What the shared axis shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Axis {
    Time,
    HourOfDay,
}

/// One value column: its name and, for each series in the chart, its points in order.
pub(super) struct Panel {
    pub name: String,
    pub series: Vec<Vec<Point>>,
}

/// A chart over hours.
pub(super) struct SlotChart {
    pub axis: Axis,
    pub shape: Shape,
    pub first: Second,
    pub last: Second,
    pub panels: Vec<Panel>,
    /// Names of the series; empty if there is only one and it needs no name.
    pub legend: Vec<String>,
    pub notes: Vec<String>,
}

/// A chart over names: for each column its name and a value, if any, per label.
pub(super) struct CategoryChart {
    pub labels: Vec<String>,
    pub panels: Vec<(String, Vec<Option<f64>>)>,
    pub notes: Vec<String>,
}

pub(super) enum Chart {
    Empty,
    Slots(SlotChart),
    Categories(CategoryChart),
}

/// Sorts a table into the chart its key and `options` ask for.
pub(super) fn chart(table: &Table, options: &PlotOptions) -> Result<Chart, PlotError> {
    let mut values = value_columns(table, options)?;
    if table.rows.is_empty() {
        return Ok(Chart::Empty);
    }
    let mut notes = Vec::new();
    if values.len() > MAX_PANELS {
        notes.push(format!("first {MAX_PANELS} of {} columns", values.len()));
        values.truncate(MAX_PANELS);
    }
    let names = (1..table.header.len()).filter(|&column| !table.is_numeric(column));
    let parts = Columns { values, names: names.collect() };
    let key = table.header.first().map_or("", String::as_str);
    if key == "hour_of_day" {
        slots(table, options, Axis::HourOfDay, parts, notes)
    } else if key == "hour" || calendar::parse(table.text(0, 0)).is_some() {
        slots(table, options, Axis::Time, parts, notes)
    } else {
        categories(table, options, &parts, notes)
    }
}

/// Column numbers by what they hold; `values` is never empty once there are rows.
struct Columns {
    values: Vec<usize>,
    names: Vec<usize>,
}

fn value_columns(table: &Table, options: &PlotOptions) -> Result<Vec<usize>, PlotError> {
    let numeric: Vec<usize> =
        (1..table.header.len()).filter(|&column| table.is_numeric(column)).collect();
    let name = |column: usize| table.header.get(column).map_or("", String::as_str);
    if numeric.is_empty() && (!table.rows.is_empty() || table.header.is_empty()) {
        return Err(PlotError::NoNumericColumn {
            table: table.name.clone(),
            key: name(0).to_owned(),
        });
    }
    if options.columns.is_empty() {
        return Ok(numeric);
    }
    let find = |wanted: &String| {
        let found = numeric.iter().copied().find(|&c| name(c) == wanted);
        found.ok_or_else(|| PlotError::UnknownColumn {
            name: wanted.clone(),
            table: table.name.clone(),
            have: numeric.iter().map(|&c| name(c)).collect::<Vec<_>>().join(", "),
        })
    };
    options.columns.iter().map(find).collect()
}

fn slots(
    table: &Table,
    options: &PlotOptions,
    axis: Axis,
    columns: Columns,
    mut notes: Vec<String>,
) -> Result<Chart, PlotError> {
    let positions = positions(table, axis)?;
    let default = match axis {
        Axis::HourOfDay if columns.names.is_empty() => Shape::Bar,
        Axis::HourOfDay | Axis::Time => Shape::Line,
    };
    let shape = options.kind.unwrap_or(default);
    if shape == Shape::Bar && !columns.names.is_empty() {
        return Err(PlotError::Unfit {
            table: table.name.clone(),
            reason: "bars would hide each other where rows share an hour; ask for lines",
        });
    }
    let (legend, series_of_row) = series(table, &columns, &mut notes);
    let count = legend.len().max(1);
    // Sorted once for all panels; stable, so rows that share an hour keep the file's order.
    let mut order: Vec<(Second, usize)> = positions.iter().copied().zip(0..).collect();
    order.sort_by_key(|&(at, _)| at);
    let mut shared = false;
    let panels = columns.values.iter().map(|&column| {
        let mut series: Vec<Vec<Point>> = vec![Vec::new(); count];
        for &(at, row) in &order {
            let drawn = series_of_row.get(row).copied().flatten();
            let points = drawn.and_then(|index| series.get_mut(index));
            if let (Some(points), Some(value)) = (points, table.number(row, column)) {
                shared |= points.last().is_some_and(|before: &Point| before.at == at);
                points.push(Point { at, value });
            }
        }
        let name = table.header.get(column).cloned().unwrap_or_default();
        Panel { name, series }
    });
    let panels = panels.collect();
    if shared {
        notes.push("some hours have more than one row".to_owned());
    }
    let (first, last) = (order.first(), order.last());
    let (Some(&(first, _)), Some(&(last, _))) = (first, last) else {
        return Ok(Chart::Empty);
    };
    if axis == Axis::Time {
        notes.push(calendar::span(first, last));
    }
    notes.push(counted(table.rows.len(), "row"));
    Ok(Chart::Slots(SlotChart { axis, shape, first, last, panels, legend, notes }))
}

/// Where each row stands on the axis.
fn positions(table: &Table, axis: Axis) -> Result<Vec<Second>, PlotError> {
    let position = |row: usize| {
        let text = table.text(row, 0);
        let (at, wanted) = match axis {
            Axis::Time => (calendar::parse(text), "a time like 2026-01-31T13:00:00Z"),
            Axis::HourOfDay => {
                let hour = text.trim().parse().ok().filter(|h| (0..24).contains(h));
                let at = hour.map(|hour: i64| Second(hour * SLOT));
                (at, "a whole hour from 0 to 23")
            }
        };
        at.ok_or_else(|| PlotError::BadKey {
            row: row + 1,
            table: table.name.clone(),
            column: table.header.first().cloned().unwrap_or_default(),
            value: text.to_owned(),
            wanted,
        })
    };
    (0..table.rows.len()).map(position).collect()
}

/// Names the series and gives each row the number of its own, or none if it is left out.
fn series(
    table: &Table,
    columns: &Columns,
    notes: &mut Vec<String>,
) -> (Vec<String>, Vec<Option<usize>>) {
    if columns.names.is_empty() {
        return (Vec::new(), vec![Some(0); table.rows.len()]);
    }
    let label = |row: usize| label(table, row, &columns.names);
    // Ordered by label, so that the outcome does not depend on the order of rows.
    let mut totals: BTreeMap<String, f64> = BTreeMap::new();
    let ranked_by = columns.values.first().copied().unwrap_or_default();
    for row in 0..table.rows.len() {
        *totals.entry(label(row)).or_default() += table.number(row, ranked_by).unwrap_or(0.0);
    }
    let found = totals.len();
    let mut ranked: Vec<(String, f64)> = totals.into_iter().collect();
    if found > MAX_SERIES {
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
        ranked.truncate(MAX_SERIES);
        let kinds: Vec<&str> =
            columns.names.iter().filter_map(|&c| table.header.get(c).map(String::as_str)).collect();
        let by = table.header.get(ranked_by).map_or("", String::as_str);
        notes.push(format!("top {MAX_SERIES} of {found} {} by total {by}", kinds.join(" / ")));
    }
    let legend: Vec<String> = ranked.into_iter().map(|(label, _)| label).collect();
    let number: BTreeMap<&str, usize> = legend.iter().map(String::as_str).zip(0..).collect();
    let of_row = (0..table.rows.len()).map(|row| number.get(label(row).as_str()).copied());
    let of_row = of_row.collect();
    (legend, of_row)
}

fn label(table: &Table, row: usize, columns: &[usize]) -> String {
    let parts = columns.iter().map(|&column| match table.text(row, column) {
        "" => "(none)",
        text => text,
    });
    parts.collect::<Vec<_>>().join(" / ")
}

fn categories(
    table: &Table,
    options: &PlotOptions,
    columns: &Columns,
    mut notes: Vec<String>,
) -> Result<Chart, PlotError> {
    if options.kind == Some(Shape::Line) {
        return Err(PlotError::Unfit {
            table: table.name.clone(),
            reason: "a line needs hours to run along, its key is a list of names; ask for bars",
        });
    }
    let mut rows: Vec<usize> = (0..table.rows.len()).collect();
    if rows.len() > MAX_BARS {
        let by = columns.values.first().copied().unwrap_or_default();
        // By size whatever the sign; rows without a value come last.
        let size = |&row: &usize| table.number(row, by).map_or(-1.0, f64::abs);
        rows.sort_by(|a, b| size(b).total_cmp(&size(a)));
        rows.truncate(MAX_BARS);
        let name = table.header.get(by).map_or("", String::as_str);
        notes.push(format!("top {MAX_BARS} of {} by {name}", table.rows.len()));
    } else {
        notes.push(counted(rows.len(), "row"));
    }
    let mut names = vec![0];
    names.extend(&columns.names);
    Ok(Chart::Categories(CategoryChart {
        labels: rows.iter().map(|&row| label(table, row, &names)).collect(),
        panels: columns
            .values
            .iter()
            .map(|&column| {
                let name = table.header.get(column).cloned().unwrap_or_default();
                let values = rows.iter().map(|&row| table.number(row, column));
                (name, values.collect())
            })
            .collect(),
        notes,
    }))
}

fn counted(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {what}{plural}", super::scale::whole(count as f64))
}
