//! What a request asks of a view: which rows, in which order, how many, from where on.

use super::cell::Cell;
use super::filter::{Filter, column};
use super::index::{Row, Rows, View};
use super::params::Params;
use super::problem::Problem;
use crate::value::Decimals;
use bincode::Options;
use std::cmp::Ordering;
use std::ops::Bound;

/// The rows of a page where no limit is given.
pub const PAGE: usize = 1000;
/// The most rows of an answer.
pub const MOST: usize = 10_000;
/// The most rows of a CSV, which is written as it is sent.
pub const MOST_CSV: usize = 1_000_000;
/// The longest cursor that is looked at, in hexadecimal digits.
const LONGEST: usize = 16_384;

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// JSON.
    Json,
    /// CSV.
    Csv,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Ask {
    filter: Filter,
    /// Columns, and whether the greatest comes first; then by key.
    order: Vec<(usize, bool)>,
    limit: usize,
    /// The last row of the page before: its cells of the order, then its key.
    after: Option<Vec<Cell>>,
    /// How it is written.
    pub format: Format,
}

/// Some rows, and where the next ones begin, if there are any.
pub struct Page {
    /// The rows.
    pub rows: Vec<Row>,
    /// The cursor for the next page.
    pub next: Option<String>,
}

impl Ask {
    /// The parameters it is made of.
    pub const PARAMETERS: [&'static str; 6] =
        ["where", "search", "order", "limit", "cursor", "format"];

    /// What a request asks.
    pub fn read(params: &Params, view: &View, decimals: Decimals) -> Result<Ask, Problem> {
        let format = match params.get("format") {
            None | Some("json") => Format::Json,
            Some("csv") => Format::Csv,
            Some(_) => return Err(Problem::wrong("format", "no such format", "use json or csv")),
        };
        let filter = Filter::parse(params.get("where").unwrap_or_default(), view, decimals)?;
        let filter = filter.searched(params.get("search").unwrap_or_default());
        let mut order = Vec::new();
        for name in params.get("order").unwrap_or_default().split(',').filter(|n| !n.is_empty()) {
            let (name, falling) = name.strip_prefix('-').map_or((name, false), |name| (name, true));
            let column = column(name.trim(), view, "order")?;
            if order.iter().any(|(other, _)| *other == column) {
                return Err(Problem::wrong(
                    "order",
                    format!("{name} is there twice"),
                    "name it once",
                ));
            }
            order.push((column, falling));
        }
        let (usual, most) = match format {
            Format::Json => (PAGE, MOST),
            Format::Csv => (MOST_CSV, MOST_CSV),
        };
        let limit = params.number("limit", 1, most)?.unwrap_or(usual);
        let after = match params.get("cursor") {
            None | Some("") => None,
            Some(text) => Some(cursor(text, order.len() + view.keys()).ok_or_else(|| {
                let what = "it is none that was given for this view in this order";
                Problem::wrong("cursor", what, "begin again without it")
            })?),
        };
        Ok(Ask { filter, order, limit, after, format })
    }

    /// Whether all rows must be looked at.
    pub fn scans(&self) -> bool {
        !self.order.is_empty() || !self.filter.is_all()
    }

    /// The rows.
    pub fn page(&self, rows: &Rows, decimals: Decimals) -> Page {
        let mut page = match self.order.is_empty() {
            true => self.by_key(rows, decimals),
            false => self.by_order(rows, decimals),
        };
        let more = page.len() > self.limit;
        page.truncate(self.limit);
        let next = page.last().filter(|_| more).map(|row| self.place(row));
        Page { rows: page, next }
    }

    /// One row more than wanted, which tells that there are more.
    fn by_key(&self, rows: &Rows, decimals: Decimals) -> Vec<Row> {
        let start = match &self.after {
            Some(cells) => Bound::Excluded(Row::new(cells.clone(), cells.len())),
            None => Bound::Unbounded,
        };
        let rows = rows.range((start, Bound::Unbounded));
        let wanted = rows.filter(|row| self.filter.wants(row, decimals));
        wanted.take(self.limit + 1).cloned().collect()
    }

    /// The same in another order; no more than twice as many rows are held.
    fn by_order(&self, rows: &Rows, decimals: Decimals) -> Vec<Row> {
        let room = self.limit + 1;
        let behind = |row: &&Row| match &self.after {
            Some(cells) => self.against(row, cells, decimals) == Ordering::Greater,
            None => true,
        };
        let wanted = rows.iter().filter(|row| self.filter.wants(row, decimals)).filter(behind);
        let mut found: Vec<Row> = Vec::new();
        let compare = |a: &Row, b: &Row| self.compare(a, b, decimals);
        for row in wanted {
            found.push(row.clone());
            if found.len() >= 2 * room {
                found.select_nth_unstable_by(room - 1, compare);
                found.truncate(room);
            }
        }
        found.sort_unstable_by(compare);
        found.truncate(room);
        found
    }

    fn compare(&self, a: &Row, b: &Row, decimals: Decimals) -> Ordering {
        let by = |&(column, falling): &(usize, bool)| {
            let order = a.cells()[column].order(&b.cells()[column], decimals); // a column of the view
            if falling { order.reverse() } else { order }
        };
        let first = self.order.iter().map(by).find(|order| order.is_ne());
        first.unwrap_or_else(|| a.cmp(b))
    }

    /// How a row stands to a cursor.
    fn against(&self, row: &Row, cells: &[Cell], decimals: Decimals) -> Ordering {
        let (ordered, key) = cells.split_at(self.order.len().min(cells.len()));
        for ((column, falling), cell) in self.order.iter().zip(ordered) {
            let order = row.cells()[*column].order(cell, decimals);
            match if *falling { order.reverse() } else { order } {
                Ordering::Equal => {}
                order => return order,
            }
        }
        row.cmp(&Row::new(key.to_vec(), key.len()))
    }

    /// The cursor of a row.
    fn place(&self, row: &Row) -> String {
        let ordered = self.order.iter().map(|(column, _)| &row.cells()[*column]);
        let cells: Vec<&Cell> = ordered.chain(row.key()).collect();
        // To memory, which cannot fail.
        let bytes = bincode::options().serialize(&cells).unwrap_or_default();
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The cells of a cursor, if it is one of so many.
fn cursor(text: &str, cells: usize) -> Option<Vec<Cell>> {
    if text.len() > LONGEST || !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    let byte = |i: usize| u8::from_str_radix(text.get(2 * i..2 * i + 2)?, 16).ok();
    let bytes = (0..text.len() / 2).map(byte).collect::<Option<Vec<u8>>>()?;
    let options = bincode::options().with_limit(bytes.len() as u64);
    let found: Vec<Cell> = options.deserialize(&bytes).ok()?;
    (found.len() == cells).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::Column;

    const fn column(name: &'static str, key: bool) -> Column {
        Column { name, key, kind: "whole number", optional: true, about: "" }
    }
    static COLUMNS: [Column; 3] = [column("a", true), column("b", true), column("c", false)];

    fn ask(text: &str) -> Ask {
        let view = View { name: "v", area: "", about: "", columns: &COLUMNS };
        let params = Params::read(Some(text), &Ask::PARAMETERS).expect("known");
        Ask::read(&params, &view, Decimals(2)).expect("right")
    }

    /// The rows of all pages, and how many pages there were.
    fn paged(rows: &Rows, text: &str) -> (Vec<Vec<i64>>, usize) {
        let (mut all, mut pages, mut cursor) = (Vec::new(), 0, String::new());
        loop {
            let page = ask(&format!("{text}{cursor}")).page(rows, Decimals(2));
            let numbers = |row: &Row| {
                let number = |cell: &Cell| match cell {
                    Cell::Integer(x) => *x,
                    _ => -1,
                };
                row.cells().iter().map(number).collect::<Vec<_>>()
            };
            all.extend(page.rows.iter().map(numbers));
            pages += 1;
            match page.next {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return (all, pages),
            }
        }
    }

    #[test]
    fn pages_have_each_row_once_in_the_order_asked_for() {
        let mut rows = Rows::new_sync();
        let mut plain = Vec::new();
        for i in 0..101i64 {
            let (a, b, c) = (i % 4, i, (i * 37) % 11);
            let c_cell = if c == 0 { Cell::Empty } else { Cell::Integer(c) };
            rows.insert_mut(Row::new(vec![Cell::Integer(a), Cell::Integer(b), c_cell], 2));
            plain.push(vec![a, b, if c == 0 { -1 } else { c }]);
        }
        plain.sort();
        for limit in [1, 7, 100, 101, 500] {
            assert_eq!(paged(&rows, &format!("limit={limit}")).0, plain);
            let mut want = plain.clone();
            want.sort_by_key(|r| (-r[2], r[0], r[1]));
            assert_eq!(paged(&rows, &format!("limit={limit}&order=-c")).0, want, "{limit}");
            want.sort_by_key(|r| (r[0], -r[1]));
            want.retain(|r| r[2] > 3);
            let text = format!("limit={limit}&order=a,-b&where=c%3E3");
            assert_eq!(paged(&rows, &text).0, want, "{limit}");
        }
        assert_eq!(paged(&rows, "limit=50").1, 3);
    }

    #[test]
    fn a_cursor_of_another_order_is_refused() {
        assert_eq!(cursor("zz", 1), None);
        assert_eq!(cursor("00", 1), None); // no cells
        assert_eq!(cursor("fdffffffffffffffff", 1), None); // more than there is room for
        assert_eq!(cursor("é", 1), None);
        let view = View { name: "v", area: "", about: "", columns: &COLUMNS };
        let params = Params::read(Some("order=c&cursor=00"), &Ask::PARAMETERS).expect("known");
        assert!(Ask::read(&params, &view, Decimals(2)).is_err());
    }
}
