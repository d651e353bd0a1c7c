//! What a stream's records are made of: fields, what they hold, and the columns that are read.

/// An absent number.
pub const NULL: i64 = i64::MIN;

/// How the letters of a text are folded when the `trim` step is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fold {
    /// As it is: identifiers.
    Keep,
    /// To lower case: categories and other labels.
    Lower,
    /// To upper case: currency and country codes.
    Upper,
}

/// What a field holds, and so how it is parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Milliseconds since 1970, UTC.
    Time,
    /// Minor units.
    Money,
    /// A whole number.
    Integer,
    /// One of a closed list, kept as its index; an unknown name is `other`, or a bad record.
    Name {
        /// The list.
        names: &'static [&'static str],
        /// Other spellings, with the index each stands for.
        also: &'static [(&'static str, i64)],
        /// What an unknown name becomes.
        other: Option<usize>,
    },
    /// A short text.
    Text(Fold),
}

/// One field of a stream.
#[derive(Debug)]
pub struct Field {
    /// Its name: the column in a CSV header.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Whether a record counts for nothing when this value cannot be read. One of another field is
    /// absent then.
    pub essential: bool,
}

/// A stream's fields; field 0 is its event time.
#[derive(Debug)]
pub struct Schema {
    /// The stream's name.
    pub name: &'static str,
    /// Its fields.
    pub fields: &'static [Field],
}

impl Schema {
    /// The index of a field by name.
    pub fn field(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|f| f.name == name)
    }
}

/// A column a query reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Col {
    /// Index of the field in the stream's schema.
    pub field: usize,
    /// What holds if a source lacks it.
    pub need: Need,
}

/// What holds if a source lacks a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// The query cannot run.
    Required,
    /// The accessor says that the value is absent.
    Optional,
    /// As `Optional`, but this other field must be there then.
    Or(usize),
}

impl Col {
    /// A column a query cannot do without.
    pub const fn new(field: usize) -> Col {
        Col { field, need: Need::Required }
    }
    /// A column a query can do without.
    pub const fn optional(self) -> Col {
        Col { field: self.field, need: Need::Optional }
    }
    /// A column which another can stand in for.
    pub const fn or(self, other: Col) -> Col {
        Col { field: self.field, need: Need::Or(other.field) }
    }
}
