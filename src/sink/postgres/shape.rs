//! The table of a view, and the statements that keep it. All names come from the catalog, never
//! from data; rows are only ever sent by COPY.

use crate::query::Column;
use crate::sink::Schema;
use std::collections::BTreeMap;

/// The statements for the table of a view in a schema.
pub(super) struct Shape {
    pub name: &'static str,
    columns: &'static [Column],
    /// The table, with its schema.
    table: String,
    /// Where rows are collected until they are merged: a table of the session.
    staged: String,
}

/// A table as it was found.
#[derive(Default)]
pub(super) struct Found {
    /// The type of each column.
    pub columns: BTreeMap<String, String>,
    /// The columns of its primary key.
    pub key: Vec<String>,
}

/// How a table that was found fits.
#[derive(Debug, PartialEq)]
pub(super) enum Fit {
    Same,
    /// With these columns added.
    Lacks(Vec<String>),
    /// Not at all.
    Other,
}

impl Shape {
    /// That of a view; `schema` is quoted.
    pub fn new(view: &Schema, schema: &str) -> Shape {
        let name = view.name;
        let (table, staged) = (format!("{schema}.\"{name}\""), format!("pg_temp.\"new {name}\""));
        Shape { name, columns: view.columns, table, staged }
    }

    /// Makes the table.
    pub fn create(&self) -> String {
        let column = |column: &Column| {
            let null = if column.key { " NOT NULL" } else { "" };
            format!("\"{}\" {}{null}", column.name, kind(column))
        };
        let columns: Vec<String> = self.columns.iter().map(column).collect();
        format!(
            "CREATE TABLE {} ({}, PRIMARY KEY ({}));",
            self.table,
            columns.join(", "),
            self.names(|column| column.key)
        )
    }

    /// How the table that is there fits.
    pub fn fit(&self, found: &Found) -> Fit {
        let keys = self.columns.iter().filter(|column| column.key).map(|column| column.name);
        if !found.key.iter().map(String::as_str).eq(keys) {
            return Fit::Other;
        }
        let mut lacks = Vec::new();
        for column in self.columns {
            match found.columns.get(column.name) {
                None => lacks.push(format!(
                    "ALTER TABLE {} ADD COLUMN \"{}\" {};",
                    self.table,
                    column.name,
                    kind(column)
                )),
                Some(there) if there != kind(column) => return Fit::Other,
                Some(_) => {}
            }
        }
        if lacks.is_empty() { Fit::Same } else { Fit::Lacks(lacks) }
    }

    /// Makes it anew.
    pub fn replace(&self) -> String {
        format!("DROP TABLE {}; {}", self.table, self.create())
    }

    /// Makes the table of the session.
    pub fn stage(&self) -> String {
        let columns = self.columns.iter().map(|c| format!("\"{}\" {}", c.name, kind(c)));
        let columns = columns.collect::<Vec<_>>().join(", ");
        format!(
            "CREATE TEMP TABLE IF NOT EXISTS \"new {}\" ({columns}, \"gone?\" boolean) ON COMMIT DELETE ROWS;",
            self.name
        )
    }

    /// Takes rows into it, each with whether it is gone; those that are have nulls beside their key.
    pub fn copy(&self) -> String {
        format!("COPY {} ({}, \"gone?\") FROM STDIN", self.staged, self.names(|_| true))
    }

    /// The cells of a row that is gone, beside its key.
    pub fn nulls(&self) -> Vec<u8> {
        b"\\N\t".repeat(self.columns.iter().filter(|column| !column.key).count())
    }

    /// Brings the table up to date by the rows that were taken in. Rows are locked in the order of
    /// their keys, so that two who write do not wait for each other.
    pub fn merge(&self) -> String {
        let Shape { table, staged, .. } = self;
        format!(
            "WITH gone AS (SELECT t.ctid FROM {table} t JOIN {staged} s ON {} WHERE s.\"gone?\" \
             ORDER BY {} FOR UPDATE OF t) \
             DELETE FROM {table} t USING gone WHERE t.ctid = gone.ctid; {}",
            self.same_key(),
            self.keys("t"),
            self.upsert()
        )
    }

    /// Makes the table have the rows that were taken in and no others; those that are there already
    /// are left alone.
    pub fn merge_all(&self) -> String {
        let Shape { table, staged, .. } = self;
        format!(
            "ANALYZE {staged}; DELETE FROM {table} t WHERE NOT EXISTS \
             (SELECT FROM {staged} s WHERE {} AND NOT s.\"gone?\"); {}",
            self.same_key(),
            self.upsert()
        )
    }

    fn upsert(&self) -> String {
        let Shape { table, staged, .. } = self;
        let (all, key) = (self.names(|_| true), self.names(|column| column.key));
        let values = || self.columns.iter().filter(|column| !column.key);
        let set = values().map(|c| format!("\"{0}\" = excluded.\"{0}\"", c.name));
        let set = set.collect::<Vec<_>>().join(", ");
        let update = match set.is_empty() {
            true => "NOTHING".into(),
            false => {
                let of = |row: &str| {
                    let cells = values().map(|c| format!("{row}.\"{}\"", c.name));
                    cells.collect::<Vec<_>>().join(", ")
                };
                let (old, new) = (of("t"), of("excluded"));
                format!("UPDATE SET {set} WHERE ROW({old}) IS DISTINCT FROM ROW({new})")
            }
        };
        format!(
            "INSERT INTO {table} AS t ({all}) SELECT {all} FROM {staged} s WHERE NOT s.\"gone?\" \
             ORDER BY {} ON CONFLICT ({key}) DO {update};",
            self.keys("s")
        )
    }

    /// The condition that two rows have the same key.
    fn same_key(&self) -> String {
        let keys = self.columns.iter().filter(|column| column.key);
        let same = keys.map(|c| format!("t.\"{0}\" = s.\"{0}\"", c.name));
        same.collect::<Vec<_>>().join(" AND ")
    }

    fn keys(&self, row: &str) -> String {
        let keys = self.columns.iter().filter(|column| column.key);
        keys.map(|c| format!("{row}.\"{}\"", c.name)).collect::<Vec<_>>().join(", ")
    }

    fn names(&self, wanted: impl Fn(&Column) -> bool) -> String {
        let names = self.columns.iter().filter(|column| wanted(column));
        names.map(|column| format!("\"{}\"", column.name)).collect::<Vec<_>>().join(", ")
    }
}

/// The type of a column, as PostgreSQL itself writes it.
fn kind(column: &Column) -> &'static str {
    match column.kind {
        "whole number" => "bigint",
        "money" => "numeric",
        "number" | "money, squared" => "double precision",
        "true or false" => "boolean",
        kind if kind.starts_with("time") => "timestamp with time zone",
        _ => "text",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queries::catalog;

    fn shapes() -> Vec<Shape> {
        let views = catalog();
        let shape = |columns, name| Shape::new(&Schema { name, columns }, "\"public\"");
        views.iter().map(|(_, query)| shape(query.columns(), query.name())).collect()
    }

    /// As a table is found that was made so.
    fn found(shape: &Shape) -> Found {
        let columns = shape.columns.iter().map(|c| (c.name.to_owned(), kind(c).to_owned()));
        let key = shape.columns.iter().filter(|c| c.key).map(|c| c.name.to_owned());
        Found { columns: columns.collect(), key: key.collect() }
    }

    #[test]
    fn every_view_has_a_key_that_is_never_null() {
        for shape in shapes() {
            let keys: Vec<_> = shape.columns.iter().filter(|column| column.key).collect();
            assert!(!keys.is_empty(), "{}", shape.name);
            // An empty text is a value; an empty number is none.
            assert!(keys.iter().all(|c| !c.optional || kind(c) == "text"), "{}", shape.name);
        }
    }

    #[test]
    fn a_column_that_is_new_is_added_and_another_key_makes_another_table() {
        let shape = &shapes()[0];
        assert_eq!(shape.fit(&found(shape)), Fit::Same);
        let last = shape.columns.iter().rfind(|column| !column.key).expect("a value").name;
        let mut lacks = found(shape);
        lacks.columns.remove(last);
        lacks.columns.insert("mine".into(), "text".into());
        let Fit::Lacks(added) = shape.fit(&lacks) else { panic!("it lacks {last}") };
        assert!(added.len() == 1 && added[0].contains(last), "{added:?}");
        let mut other = found(shape);
        other.key.push(last.into());
        assert_eq!(shape.fit(&other), Fit::Other);
        let mut other = found(shape);
        other.columns.insert(last.into(), "xml".into());
        assert_eq!(shape.fit(&other), Fit::Other);
    }
}
