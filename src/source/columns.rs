//! The columns of a source as a plan looks them up: those of the header, and of JSON any value that
//! some record has.

use std::cell::RefCell;
use std::sync::Arc;

use super::error::SourceError;
use super::header::Header;
use super::json::{Path, Tree};
use crate::shown::list;

/// See the module.
pub(super) struct Columns<'h> {
    header: &'h Header,
    /// Paths of JSON that the header does not list.
    more: RefCell<Vec<String>>,
    /// A column that is added behind those of the file.
    line: Option<&'h str>,
}

impl<'h> Columns<'h> {
    /// Those of a header.
    pub fn of(header: &'h Header) -> Columns<'h> {
        Columns { header, more: RefCell::default(), line: None }
    }

    /// The same with one more column behind them.
    pub fn with(self, line: Option<&'h str>) -> Columns<'h> {
        Columns { line, ..self }
    }

    /// Which column has the name, if any has.
    pub fn position(&self, name: &str) -> Result<Option<usize>, SourceError> {
        if self.line.is_some_and(|line| line == name) {
            return Ok(Some(self.header.columns().len()));
        }
        let listed = self.header.position(name)?;
        if listed.is_some() || !self.header.is_json() {
            return Ok(listed);
        }
        let path = Path::parse(name).ok().filter(|path| self.header.has(path));
        Ok(path.map(|path| self.place(&path.to_string())))
    }

    /// Which column has the name, if any has; of JSON any path may come in some record.
    pub fn possible(&self, name: &str) -> Result<Option<usize>, SourceError> {
        let there = self.position(name)?;
        if there.is_some() || !self.header.is_json() {
            return Ok(there);
        }
        Ok(Path::parse(name).ok().map(|path| self.place(&path.to_string())))
    }

    /// Whether it is of JSON.
    pub fn is_json(&self) -> bool {
        self.header.is_json()
    }

    /// That a field has none of the columns that it could be.
    pub fn nothing(&self, field: &str, names: &[&str]) -> SourceError {
        SourceError::Nothing {
            file: self.header.file().to_owned(),
            field: field.to_owned(),
            wanted: list(names.iter().copied()),
            columns: self.header.list(),
        }
    }

    /// Whether it is of JSON, of which more may come than was looked at.
    pub fn may_come(&self) -> bool {
        self.header.may_have_more()
    }

    /// Which column has the name, or an error that tells which columns there are.
    pub fn find(&self, name: &str, field: &str) -> Result<usize, SourceError> {
        self.position(name)?.ok_or_else(|| SourceError::MissingColumn {
            file: self.header.file().to_owned(),
            field: field.to_owned(),
            column: name.trim().to_owned(),
            columns: self.header.list(),
        })
    }

    /// The place of a path that the header does not list.
    fn place(&self, path: &str) -> usize {
        let mut more = self.more.borrow_mut();
        let at = more.iter().position(|other| other == path).unwrap_or_else(|| {
            more.push(path.to_owned());
            more.len() - 1
        });
        self.header.columns().len() + at
    }

    /// The header with those columns only that are read, and how they are found in a record of JSON.
    /// `each` hands over the columns, which are renumbered.
    pub fn of_json(
        self,
        each: impl FnOnce(&mut dyn FnMut(&mut usize)),
    ) -> Result<(Header, Option<Arc<Tree>>), SourceError> {
        if !self.header.is_json() {
            return Ok((self.header.clone(), None));
        }
        let names: Vec<&String> = self.header.columns().iter().collect();
        let more = self.more.into_inner();
        let names: Vec<&String> = names.into_iter().chain(&more).collect();
        let mut used: Vec<usize> = Vec::new();
        let mut number = |column: &mut usize| {
            let at = used.iter().position(|other| other == column).unwrap_or_else(|| {
                used.push(*column);
                used.len() - 1
            });
            *column = at;
        };
        each(&mut number);
        // What is constant names a column that need not be there.
        let name =
            |column: &usize| names.get(*column).map_or("\"\"".into(), |name| (*name).clone());
        let columns: Vec<String> = used.iter().map(name).collect();
        let wrong = |problem| SourceError::Json { file: self.header.file().to_owned(), problem };
        let paths = columns.iter().map(|name| Path::parse(name)).collect::<Result<Vec<_>, _>>();
        let tree = paths.and_then(|paths| Tree::new(&paths)).map_err(wrong)?;
        Ok((self.header.with(columns), Some(Arc::new(tree))))
    }
}
