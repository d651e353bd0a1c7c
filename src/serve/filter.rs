//! `where=`: which rows of a view are wanted.
//!
//! Comparisons of a column with a value, joined by `and`: `hour >= 2026-01-05 and carrier = "DHL"`.
//! `=`, `!=`, `<`, `<=`, `>` and `>=` compare as the column's cells are ordered, `~` asks whether a
//! text has another in it, whatever its case. A value with spaces stands in quotes, in which `\"`
//! is a quote and `\\` a backslash; `""` is an empty cell. What is empty is neither smaller nor
//! greater than anything.

use super::cell::Cell;
use super::index::{Row, View};
use super::problem::Problem;
use crate::near::did_you_mean;
use crate::value::Decimals;
use std::cmp::Ordering;

/// The most comparisons of a request.
const TERMS: usize = 20;
/// The longest text of them, in bytes.
const LONGEST: usize = 4096;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Is {
    Equal,
    Not,
    Below,
    UpTo,
    Above,
    From,
    Like,
}

/// What signs stand for, the longer ones first.
const SIGNS: [(&str, Is); 7] = [
    ("!=", Is::Not),
    ("<=", Is::UpTo),
    (">=", Is::From),
    ("=", Is::Equal),
    ("<", Is::Below),
    (">", Is::Above),
    ("~", Is::Like),
];

#[derive(Clone, Debug, PartialEq)]
struct Term {
    column: usize,
    is: Is,
    value: Cell,
    /// Lower case, for [`Is::Like`].
    part: String,
}

/// Which rows are wanted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    terms: Vec<Term>,
    /// A text that some cell has in it, in lower case.
    search: Option<String>,
}

impl Filter {
    /// The rows that `text` describes.
    pub fn parse(text: &str, view: &View, decimals: Decimals) -> Result<Filter, Problem> {
        if text.len() > LONGEST {
            let what = format!("it is longer than {LONGEST} bytes");
            return Err(Problem::wrong("where", what, "ask for less at once"));
        }
        let mut rest = text.trim_start();
        let mut terms = Vec::new();
        while !rest.is_empty() {
            if !terms.is_empty() {
                rest = and(rest)?;
            }
            if terms.len() == TERMS {
                let what = format!("there are more than {TERMS} comparisons");
                return Err(Problem::wrong("where", what, "leave some out"));
            }
            let (term, behind) = term(rest, view, decimals)?;
            terms.push(term);
            rest = behind.trim_start();
        }
        Ok(Filter { terms, search: None })
    }

    /// Those among them in which some cell has this text in it.
    pub fn searched(self, text: &str) -> Filter {
        let text = text.trim().to_lowercase();
        Filter { search: (!text.is_empty()).then_some(text), ..self }
    }

    /// Whether all rows are wanted.
    pub fn is_all(&self) -> bool {
        self.terms.is_empty() && self.search.is_none()
    }

    /// Whether a row is wanted.
    pub fn wants(&self, row: &Row, decimals: Decimals) -> bool {
        let fits =
            |term: &Term| row.cells().get(term.column).is_some_and(|c| term.fits(c, decimals));
        self.terms.iter().all(fits)
            && self.search.as_ref().is_none_or(|text| {
                row.cells().iter().any(|cell| written(cell, decimals).contains(text))
            })
    }
}

/// A cell as it is written, in lower case.
fn written(cell: &Cell, decimals: Decimals) -> String {
    let mut text = String::new();
    cell.value().write(decimals, &mut text);
    text.to_lowercase()
}

impl Term {
    fn fits(&self, cell: &Cell, decimals: Decimals) -> bool {
        if self.is == Is::Like {
            return written(cell, decimals).contains(&self.part);
        }
        let order = cell.order(&self.value, decimals);
        let none = *cell == Cell::Empty || self.value == Cell::Empty;
        match self.is {
            Is::Equal => order.is_eq(),
            Is::Not => order.is_ne(),
            _ if none => false,
            Is::Below => order == Ordering::Less,
            Is::UpTo => order != Ordering::Greater,
            Is::Above => order == Ordering::Greater,
            Is::From => order != Ordering::Less,
            Is::Like => false, // above
        }
    }
}

/// What follows an `and`.
fn and(text: &str) -> Result<&str, Problem> {
    let word = text.get(..3).filter(|word| word.eq_ignore_ascii_case("and"));
    let rest =
        word.and_then(|_| text.get(3..)).filter(|rest| rest.starts_with(char::is_whitespace));
    rest.map(str::trim_start).ok_or_else(|| {
        let what = format!("expected `and` before {:?}", crate::shown::shown(text, 40));
        Problem::wrong("where", what, EXAMPLE)
    })
}

const EXAMPLE: &str = "write comparisons joined by and, for instance hour >= 2026-01-05 and \
    carrier = \"DHL\"; values with spaces stand in quotes";

/// One comparison and what stands behind it.
fn term<'a>(text: &'a str, view: &View, decimals: Decimals) -> Result<(Term, &'a str), Problem> {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let column = column(name, view, "where")?;
    let rest = rest.trim_start();
    let sign = SIGNS.iter().find_map(|(sign, is)| Some((*is, rest.strip_prefix(sign)?)));
    let Some((is, rest)) = sign else {
        let what = format!("no comparison behind {name}");
        return Err(Problem::wrong("where", what, "use =, !=, <, <=, >, >= or ~"));
    };
    let (value, rest) = value(rest.trim_start())?;
    let part = value.to_lowercase();
    let value = match is {
        Is::Like => Cell::Empty,
        _ => Cell::read(&value, &view.columns[column], decimals).map_err(|expected| {
            let what = format!("{:?} is no value of {name}", crate::shown::shown(&value, 40));
            Problem::wrong("where", what, format!("write {expected}"))
        })?,
    };
    Ok((Term { column, is, value, part }, rest))
}

/// The place of a column that a parameter names.
pub fn column(name: &str, view: &View, parameter: &str) -> Result<usize, Problem> {
    view.column(name).ok_or_else(|| {
        let names = || view.columns.iter().map(|column| column.name);
        let what = format!(
            "{} has no column {:?}{}",
            view.name,
            crate::shown::shown(name, 40),
            did_you_mean(name, names())
        );
        let all = names().collect::<Vec<_>>().join(", ");
        Problem::wrong(parameter, what, format!("its columns are {all}"))
    })
}

/// A value and what stands behind it.
fn value(text: &str) -> Result<(String, &str), Problem> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(char::is_whitespace).unwrap_or(text.len());
        let (value, rest) = text.split_at(end);
        if value.is_empty() {
            return Err(Problem::wrong("where", "a value is missing at the end", EXAMPLE));
        }
        return Ok((value.to_owned(), rest));
    };
    let (mut value, mut chars) = (String::new(), quoted.char_indices());
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((value, quoted.get(at + 1..).unwrap_or_default())),
            '\\' => value.extend(chars.next().map(|(_, c)| c)),
            c => value.push(c),
        }
    }
    Err(Problem::wrong("where", "a quote is not closed", EXAMPLE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::Column;
    use crate::text::Text;

    const fn column(name: &'static str, kind: &'static str) -> Column {
        Column { name, key: false, kind, optional: true, about: "" }
    }
    static COLUMNS: [Column; 4] = [
        column("hour", "time, UTC"),
        column("carrier", "text"),
        column("cost", "money"),
        column("parcels", "whole number"),
    ];

    fn view() -> View {
        View { name: "parcels", area: "", about: "", columns: &COLUMNS }
    }

    fn wants(filter: &str, carrier: &str, cost: Option<i64>) -> bool {
        let cells = vec![
            Cell::Moment(1_769_864_400_000, 0), // 2026-01-31T13:00:00Z
            Cell::Text(Text::new(carrier)),
            cost.map_or(Cell::Empty, Cell::Money),
            Cell::Integer(3),
        ];
        let filter = Filter::parse(filter, &view(), Decimals(2)).expect("it is right");
        filter.wants(&Row::new(cells, 1), Decimals(2))
    }

    #[test]
    fn comparisons_mean_what_they_say() {
        for (filter, want) in [
            ("", true),
            ("hour >= 2026-01-31", true),
            ("hour<2026-01-31T13:00:00Z", false),
            ("hour=2026-01-31T14:00:00+01:00 AND parcels=3", true),
            ("carrier = \"D \\\"HL\\\\\"", true),
            ("carrier ~ hl", true),
            ("carrier ~ \"\"", true),
            ("cost > 9.99 and cost < 10.01 and cost != 10.5", true),
            ("cost >= 10.001", false),
            ("cost = \"\"", false),
            ("parcels != 3", false),
        ] {
            assert_eq!(wants(filter, "D \"HL\\", Some(1000)), want, "{filter}");
        }
    }

    #[test]
    fn what_is_empty_is_found_as_such_and_is_neither_smaller_nor_greater() {
        for (filter, want) in
            [("cost = \"\"", true), ("cost < 5", false), ("cost > 5", false), ("cost != 5", true)]
        {
            assert_eq!(wants(filter, "x", None), want, "{filter}");
        }
    }

    #[test]
    fn what_is_wrong_is_told() {
        for (filter, says) in [
            ("carier = x", "did you mean carrier?"),
            ("carrier", "no comparison"),
            ("carrier =", "value is missing"),
            ("carrier = \"x", "not closed"),
            ("carrier = x or cost = 1", "expected `and`"),
            ("cost = x", "no value of cost"),
            ("= x", "has no column"),
        ] {
            let problem = Filter::parse(filter, &view(), Decimals(2)).expect_err(filter);
            assert!(problem.what.contains(says), "{filter}: {}", problem.what);
        }
    }

    #[test]
    fn no_text_breaks_it() {
        let parts = ["hour", "carrier", " ", "=", ">=", "~", "\"", "\\", "and", "é", "1", "\u{0}"];
        let mut seed = 3u64;
        let mut right = 0;
        for _ in 0..20_000 {
            let mut text = String::new();
            for _ in 0..(seed >> 40) % 12 {
                seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                text.push_str(parts[(seed >> 33) as usize % parts.len()]);
            }
            seed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
            right += u32::from(Filter::parse(&text, &view(), Decimals(2)).is_ok());
        }
        assert!(right > 0);
    }
}
