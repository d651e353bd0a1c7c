//! Answers: rows as JSON or CSV, each with the frontier that it was read at, written while it is sent.

use super::ask::{Format, Page};
use super::cell::Cell;
use super::index::{Head, Row, State, View};
use super::store::{Frame, Store};
use crate::clock::Time;
use crate::value::{Decimals, Value};
use axum::body::{Body, Bytes};
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use std::convert::Infallible;
use std::fmt::Write;

/// Rows that are written in one go.
pub const PIECE: usize = 500;
/// The header that says up to when an answer is complete.
pub const FRONTIER: HeaderName = HeaderName::from_static("tidemill-frontier");
/// The header that has the cursor of the next page.
pub const NEXT: HeaderName = HeaderName::from_static("tidemill-next");

/// A time as JSON.
pub fn time(time: Option<Time>) -> String {
    let mut out = String::new();
    time.map_or(Value::Empty, |time| Value::Moment(time.signed()))
        .write_json(Decimals(0), &mut out);
    out
}

/// Text as JSON.
pub fn text(text: &str) -> String {
    // A string can always be written.
    serde_json::to_string(text).unwrap_or_default()
}

/// `"frontier":…,"ended":…,"version":…`, which every answer begins with.
pub fn head(head: Head) -> String {
    let (frontier, ended, version) = (time(head.frontier), head.ended, head.version);
    format!("\"frontier\":{frontier},\"ended\":{ended},\"version\":{version}")
}

/// Writes a row as a JSON object.
pub fn row(row: &Row, view: &View, decimals: Decimals, out: &mut String) {
    for (i, (column, cell)) in view.columns.iter().zip(row.cells()).enumerate() {
        out.push(if i == 0 { '{' } else { ',' });
        // Names of columns are plain words.
        let _ = write!(out, "\"{}\":", column.name);
        write_cell(cell, decimals, out);
    }
    out.push('}');
}

fn write_cell(cell: &Cell, decimals: Decimals, out: &mut String) {
    cell.value().write_json(decimals, out);
}

/// Writes rows as a JSON list.
pub fn rows<'a>(
    rows: impl Iterator<Item = &'a Row>,
    view: &View,
    decimals: Decimals,
    out: &mut String,
) {
    out.push('[');
    for (i, one) in rows.enumerate() {
        if i > 0 {
            out.push(',');
        }
        row(one, view, decimals, out);
    }
    out.push(']');
}

/// A page of a view.
pub fn page(
    store: &Store,
    view: &View,
    state: &State,
    total: usize,
    page: Page,
    format: Format,
) -> Response {
    let (head, tail, mime) = match format {
        Format::Json => {
            let name = view.name;
            let head =
                format!("{{\"view\":\"{name}\",{},\"total\":{total},\"rows\":[", head(state.head));
            let next = page.next.as_deref().map_or("null".into(), text);
            (head, format!("],\"next\":{next}}}\n"), "application/json")
        }
        Format::Csv => {
            let names: Vec<&str> = view.columns.iter().map(|column| column.name).collect();
            (names.join(",") + "\n", String::new(), "text/csv; charset=utf-8")
        }
    };
    let next = page.next.as_deref().and_then(|next| HeaderValue::from_str(next).ok());
    let writer = Writer { view: view.clone(), decimals: store.decimals, format };
    let pieces = Pieces { head: Some(head), rows: page.rows, at: 0, writer, tail: Some(tail) };
    let body = Body::from_stream(stream::iter(pieces));
    let mut response =
        ([(header::CONTENT_TYPE, HeaderValue::from_static(mime))], body).into_response();
    let headers = response.headers_mut();
    headers.insert(FRONTIER, frontier(state));
    if let Some(next) = next {
        headers.insert(NEXT, next);
    }
    if format == Format::Csv
        && let Ok(name) =
            HeaderValue::from_str(&format!("attachment; filename=\"{}.csv\"", view.name))
    {
        headers.insert(header::CONTENT_DISPOSITION, name);
    }
    response
}

/// The frontier as a header.
pub fn frontier(state: &State) -> HeaderValue {
    let text = time(state.head.frontier);
    HeaderValue::from_str(text.trim_matches('"')).unwrap_or(HeaderValue::from_static("null"))
}

/// JSON that was written.
pub fn json(state: &State, text: String) -> Response {
    let mime = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, mime), (FRONTIER, frontier(state))], text).into_response()
}

/// How a row is written.
struct Writer {
    view: View,
    decimals: Decimals,
    format: Format,
}

impl Writer {
    fn write(&self, one: &Row, first: bool, out: &mut String) {
        match self.format {
            Format::Json => {
                if !first {
                    out.push(',');
                }
                row(one, &self.view, self.decimals, out);
            }
            Format::Csv => {
                let cells: Vec<Value> = one.cells().iter().map(Cell::value).collect();
                crate::sink::csv_line(cells.iter(), self.decimals, out);
            }
        }
    }
}

/// A body that is written piece by piece as it is read: a slow reader costs the rows, which are
/// shared with the index.
struct Pieces {
    head: Option<String>,
    rows: Vec<Row>,
    at: usize,
    writer: Writer,
    tail: Option<String>,
}

impl Iterator for Pieces {
    type Item = Result<Bytes, Infallible>;

    fn next(&mut self) -> Option<Self::Item> {
        self.tail.as_ref()?;
        let mut text = self.head.take().unwrap_or_default();
        let end = self.rows.len().min(self.at + PIECE);
        for (i, row) in self.rows.iter().enumerate().take(end).skip(self.at) {
            self.writer.write(row, i == 0, &mut text);
        }
        self.at = end;
        if end == self.rows.len() {
            text.extend(self.tail.take());
        }
        Some(Ok(text.into()))
    }
}

/// The changes of a frame as a server-sent event; its id is that of the state they lead to.
pub fn changes(frame: &Frame, view: &View, store: &Store) -> Bytes {
    let written = || {
        let (version, head) = (frame.head.version, head(frame.head));
        let mut out =
            format!("event: changes\nid: {:x}-{version}\ndata: {{{head},\"changes\":[", store.run);
        for (i, (changed, diff)) in frame.changes.iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            let _ = write!(out, "{comma}{{\"diff\":{diff},\"row\":");
            row(changed, view, store.decimals, &mut out);
            out.push('}');
        }
        out.push_str("]}\n\n");
        Bytes::from(out)
    };
    frame.text.get_or_init(written).clone()
}
