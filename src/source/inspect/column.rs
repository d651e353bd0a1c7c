//! What a column holds, as its first values tell.

use std::collections::BTreeMap;

use super::super::number;
use super::super::time::{Finder, Form, is_date};
use super::different;
use crate::shown::{VALUE, shown};

/// How many values are kept.
const KEPT: usize = 1000;
/// How many are shown.
const SHOWN: usize = 3;
/// Up to so many different values are taken for names of a list.
const NAMES: usize = 40;
/// Decimals of a number.
const DECIMALS: u32 = 6;

/// The values of a column.
#[derive(Default)]
pub struct Values {
    kept: Vec<String>,
    blank: usize,
}

/// How the values of a column are read.
#[derive(Clone, Debug, PartialEq)]
pub enum Reading {
    /// There are none.
    Blank,
    /// As dates that are written; or why it is open how.
    Date(Result<Form, String>),
    /// As numbers that are times since 1970.
    Epoch,
    /// As whole numbers.
    Whole,
    /// As numbers with decimals, or amounts.
    Number,
    /// As text.
    Text,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Column {
    /// Its name, or its path.
    pub name: String,
    /// How its values are read.
    pub reading: Reading,
    /// Some of them.
    pub samples: Vec<String>,
    /// How many were looked at, and how many had nothing.
    pub seen: (usize, usize),
    /// Whether each is there once.
    pub unique: bool,
    /// Whether one of them is a date, though the others may be none.
    pub dated: bool,
    /// All different ones, if they are few, with how often.
    pub names: BTreeMap<String, usize>,
}

impl Values {
    /// There is none in a row.
    pub fn blank(&mut self) {
        self.blank += 1;
    }

    /// There is one.
    pub fn see(&mut self, text: &str) {
        if self.kept.len() < KEPT {
            self.kept.push(text.to_owned());
        }
    }

    fn all(&self, is: impl Fn(&str) -> bool) -> bool {
        !self.kept.is_empty() && self.kept.iter().all(|value| is(value))
    }

    /// Whether these are numbers that are read with a decimal comma alone.
    pub fn need_comma(&self) -> bool {
        let reads = |comma| move |value: &str| number::read(value, DECIMALS, comma).is_ok();
        self.all(reads(true)) && !self.all(reads(false))
    }

    fn reading(&self, comma: bool) -> Reading {
        let numeric = |value: &str| number::read(value, DECIMALS, comma).is_ok();
        // Most of a column may be enough: what is wrong with the rest is told when it is read.
        let many = |is: &dyn Fn(&str) -> bool| {
            let count = self.kept.iter().filter(|value| is(value)).count();
            count > 0 && 5 * count >= 4 * self.kept.len()
        };
        let digits = |value: &str| value.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let dates = |value: &str| !digits(value) && is_date(value);
        if self.kept.is_empty() {
            return Reading::Blank;
        }
        if many(&dates) {
            let mut finder = Finder::default();
            self.kept.iter().for_each(|value| finder.see(value));
            return Reading::Date(finder.form().map_err(|why| why.0));
        }
        let epoch = |value: &str| digits(value) && value.len() >= 10 && Form::Any.reads(value);
        match () {
            () if many(&epoch) => Reading::Epoch,
            () if self.all(|value| digits(value) && !value.contains('.')) => Reading::Whole,
            () if many(&numeric) => Reading::Number,
            () => Reading::Text,
        }
    }

    /// What they are, together.
    pub fn column(self, name: String, comma: bool) -> Column {
        let reading = self.reading(comma);
        let count = different(self.kept.iter());
        let mut names = BTreeMap::new();
        if count <= NAMES {
            self.kept.iter().for_each(|value| *names.entry(value.clone()).or_insert(0) += 1);
        }
        let mut samples: Vec<String> = Vec::new();
        for value in &self.kept {
            if samples.len() < SHOWN && !samples.contains(value) {
                samples.push(value.clone());
            }
        }
        let seen = (self.kept.len() + self.blank, self.blank);
        let unique = count == self.kept.len();
        let dated = self.kept.iter().any(|value| is_date(value));
        Column { name, reading, samples, seen, unique, dated, names }
    }
}

impl Column {
    /// Whether its values are times, written or since 1970.
    pub fn is_time(&self) -> bool {
        matches!(self.reading, Reading::Date(_) | Reading::Epoch)
    }

    /// Whether its values are dates that are written.
    pub fn is_date(&self) -> bool {
        matches!(self.reading, Reading::Date(_))
    }

    /// Whether its values are numbers.
    pub fn is_number(&self) -> bool {
        matches!(self.reading, Reading::Whole | Reading::Number)
    }

    /// A line that tells of it.
    pub fn line(&self) -> String {
        let reading = match &self.reading {
            Reading::Blank => "nothing in it".to_owned(),
            Reading::Date(Ok(_)) => "times".to_owned(),
            Reading::Date(Err(why)) => {
                format!("times, of which it is open how they are read ({why})")
            }
            Reading::Epoch => "times as numbers since 1970".to_owned(),
            Reading::Whole => "whole numbers".to_owned(),
            Reading::Number => "numbers".to_owned(),
            Reading::Text => "text".to_owned(),
        };
        let blank = match self.seen {
            (_, 0) => String::new(),
            (all, blank) => format!(", {blank} of {all} blank"),
        };
        let samples = self.samples.iter().map(|value| format!("{:?}", shown(value, VALUE / 2)));
        let samples = samples.collect::<Vec<_>>().join(", ");
        let such = if samples.is_empty() { String::new() } else { format!(" such as {samples}") };
        format!("{}: {reading}{such}{blank}", shown(&self.name, VALUE))
    }
}
