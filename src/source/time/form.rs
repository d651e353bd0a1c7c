//! In what form the times of a column are written: said with `--time-format`, or found on its first values and then
//! fixed for the file.
//!
//! Nearly every form tells itself: a year of four digits, the name of a month, a number of so many digits. What does not
//! is which of two numbers below thirteen is the day. Some value of the column has to decide that, and if none does,
//! the column is not read: half of all guesses would be wrong, and no one would see it.

use super::written::{self, Written};
use crate::shown::{VALUE, shown};

/// Which of two numbers comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// 31/12/2010.
    DayFirst,
    /// 12/31/2010.
    MonthFirst,
}

/// What a number counts since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Seconds.
    Seconds,
    /// Thousandths of them.
    Milliseconds,
    /// Millionths.
    Microseconds,
    /// Billionths.
    Nanoseconds,
}

impl Unit {
    /// All of them.
    pub const ALL: [Unit; 4] =
        [Unit::Seconds, Unit::Milliseconds, Unit::Microseconds, Unit::Nanoseconds];

    /// How many there are in a second.
    pub fn per_second(self) -> i128 {
        [1, 1_000, 1_000_000, 1_000_000_000][self as usize]
    }

    fn name(self) -> &'static str {
        ["epoch-s", "epoch-ms", "epoch-us", "epoch-ns"][self as usize]
    }
}

/// The form of a column of times.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// Each value as it tells itself.
    #[default]
    Any,
    /// Dates as they are written; none but those that tell themselves without an order.
    Written(Option<Order>),
    /// Numbers, after 1990 as they tell themselves.
    Recent(Unit),
    /// Numbers of any time, as it was said.
    Epoch(Unit),
    /// A pattern of strftime.
    Pattern(String),
}

impl Form {
    /// The form that a user names.
    pub fn named(name: &str) -> Result<Form, String> {
        let unit = Unit::ALL.into_iter().find(|unit| unit.name() == name);
        match (name, unit) {
            (_, Some(unit)) => Ok(Form::Epoch(unit)),
            ("iso", _) => Ok(Form::Written(None)),
            ("day-first", _) => Ok(Form::Written(Some(Order::DayFirst))),
            ("month-first", _) => Ok(Form::Written(Some(Order::MonthFirst))),
            (pattern, _) if pattern.contains('%') => {
                let example = jiff::Zoned::default().strftime(pattern).to_string();
                match jiff::fmt::strtime::parse(pattern, &example) {
                    Ok(_) => Ok(Form::Pattern(pattern.into())),
                    Err(error) => Err(error.to_string()),
                }
            }
            _ => {
                Err("expected iso, day-first, month-first, epoch-s, epoch-ms, epoch-us, epoch-ns \
                      or a pattern such as %d.%m.%Y %H:%M"
                    .into())
            }
        }
    }
}

/// Whether a text is a date in some order of its parts.
pub fn is_date(text: &str) -> bool {
    written::read(text).is_some()
}

/// Finds the form of a column from its values.
#[derive(Clone, Debug, Default)]
pub struct Finder {
    form: Option<Form>,
    /// The first values that need an order, have the day first, and have the month first.
    unclear: Option<String>,
    day_first: Option<String>,
    month_first: Option<String>,
}

/// Why the form of a column cannot be found.
#[derive(Debug, PartialEq, Eq)]
pub struct Unclear(pub String);

impl Finder {
    /// Looks at one more value.
    pub fn see(&mut self, text: &str) {
        let date = written::read(text);
        let form = match (&date, super::recent(text)) {
            (Some(_), _) => Form::Written(None),
            (None, Some((unit, _))) => Form::Recent(unit),
            (None, None) => return,
        };
        self.form.get_or_insert(form);
        if let Some(Written { pair: Some((first, second)), .. }) = date {
            let place = match (first > 12, second > 12) {
                (true, false) => &mut self.day_first,
                (false, true) => &mut self.month_first,
                (false, false) if first != second => &mut self.unclear,
                _ => return,
            };
            place.get_or_insert_with(|| text.to_owned());
        }
    }

    /// Whether nothing is known yet.
    pub fn is_blank(&self) -> bool {
        self.form.is_none()
    }

    /// Whether an order is needed, and no value has told it yet.
    pub fn is_unclear(&self) -> bool {
        self.unclear.is_some() && self.day_first.is_none() && self.month_first.is_none()
    }

    /// Whether dates were seen that may need an order.
    pub fn needs_order(&self) -> bool {
        self.unclear.is_some() || self.day_first.is_some() || self.month_first.is_some()
    }

    /// The form, if it is clear.
    pub fn form(self) -> Result<Form, Unclear> {
        let cut = |text: &String| shown(text, VALUE).to_string();
        let order = match (&self.day_first, &self.month_first, &self.unclear) {
            (Some(day), Some(month), _) => {
                let both = format!("{} has the day first and {} the month", cut(day), cut(month));
                return Err(Unclear(both));
            }
            (Some(_), None, _) => Some(Order::DayFirst),
            (None, Some(_), _) => Some(Order::MonthFirst),
            (None, None, Some(text)) => {
                let reading =
                    |order| written::read(text).and_then(|date| date.day(Some(order)).ok());
                let shown = |order| {
                    reading(order)
                        .map_or(String::new(), |(y, m, d)| format!("{y:04}-{m:02}-{d:02}"))
                };
                let (day, month) = (shown(Order::DayFirst), shown(Order::MonthFirst));
                return Err(Unclear(format!(
                    "{} is {day} or {month}, and no value tells which",
                    cut(text)
                )));
            }
            (None, None, None) => None,
        };
        Ok(match self.form {
            Some(Form::Written(_)) => Form::Written(order),
            form => form.unwrap_or_default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(values: &[&str]) -> Result<Form, Unclear> {
        let mut finder = Finder::default();
        values.iter().for_each(|value| finder.see(value));
        finder.form()
    }

    #[test]
    fn the_first_value_tells_the_kind_and_any_the_order() {
        assert_eq!(found(&[]), Ok(Form::Any));
        assert_eq!(found(&["x", "1704103200", "2024-01-01"]), Ok(Form::Recent(Unit::Seconds)));
        assert_eq!(found(&["1704103200123"]), Ok(Form::Recent(Unit::Milliseconds)));
        assert_eq!(found(&["20240101", "1704103200"]), Ok(Form::Written(None)));
        assert_eq!(found(&["01/02/2024", "13/02/2024"]), Ok(Form::Written(Some(Order::DayFirst))));
        assert_eq!(
            found(&["01/02/2024 8:26", "2/28/2024"]),
            Ok(Form::Written(Some(Order::MonthFirst)))
        );
        assert_eq!(found(&["02.02.2024"]), Ok(Form::Written(None)));
    }

    #[test]
    fn what_no_value_tells_is_refused_with_both_readings() {
        let Err(Unclear(why)) = found(&["x", "01/02/2024", "03/04/2024"]) else { panic!("found") };
        assert!(why.contains("01/02/2024 is 2024-02-01 or 2024-01-02"), "{why}");
        let Err(Unclear(why)) = found(&["13/02/2024", "02/13/2024"]) else { panic!("found") };
        assert!(why.contains("13/02/2024 has the day first and 02/13/2024 the month"), "{why}");
    }

    #[test]
    fn names() {
        assert_eq!(Form::named("epoch-us"), Ok(Form::Epoch(Unit::Microseconds)));
        assert_eq!(Form::named("day-first"), Ok(Form::Written(Some(Order::DayFirst))));
        assert_eq!(Form::named("%d.%m.%Y"), Ok(Form::Pattern("%d.%m.%Y".into())));
        assert!(Form::named("%!").is_err() && Form::named("dd.mm.yyyy").is_err());
    }
}
