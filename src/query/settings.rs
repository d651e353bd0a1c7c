//! The parameters of queries, as a configuration and `--set` have them.
//!
//! A query's parameters are the fields of its struct, so the struct is the schema: each value is
//! read on its own first, so that what is wrong with it is told by name and line. What is given
//! later wins. Nothing here knows which parameters there are.

use super::Parameter;
use crate::error::Error;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde::de::value::MapDeserializer;
use std::collections::BTreeMap;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

/// The sections that are read elsewhere: see `config` and `cli::configured`.
pub(crate) const ELSEWHERE: [&str; 8] =
    ["source", "sink", "run", "clock", "state", "serve", "limits", "clean"];

/// The parameters that were given, as they were written.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Values for every query that has such a parameter and is not given another.
    all: Vec<(String, String)>,
    files: Vec<File>,
    sets: Vec<String>,
}

/// A text that says such things, and its name in messages.
#[derive(Clone, Debug)]
pub(crate) struct File {
    /// What it is called.
    pub name: String,
    /// What it says.
    pub text: String,
}

/// A value, and where it was given.
struct Entry<'a> {
    value: Spanned<DeValue<'a>>,
    origin: Origin<'a>,
}

#[derive(Clone, Copy)]
enum Origin<'a> {
    /// A file, and the offset of the key.
    File(&'a File, usize),
    /// The text of a `--set`.
    Set(&'a str),
}

impl Origin<'_> {
    /// Where a mistake is; `at` is its offset if known.
    fn place(&self, at: Option<usize>) -> String {
        match self {
            Origin::File(file, key) => file.place(at.unwrap_or(*key)),
            Origin::Set(text) => format!("--set {text}"),
        }
    }
}

type Sections<'a> = BTreeMap<String, BTreeMap<String, Entry<'a>>>;

impl File {
    fn place(&self, at: usize) -> String {
        let line = 1 + self.text.bytes().take(at).filter(|b| *b == b'\n').count();
        format!("{}, line {line}", self.name)
    }

    /// An error about what stands at an offset.
    pub(crate) fn wrong(&self, at: usize, what: impl std::fmt::Display) -> Error {
        Error::Usage(format!("{}: {what}", self.place(at)))
    }

    fn sections<'a>(&'a self, sections: &mut Sections<'a>) -> Result<(), Error> {
        let root = DeTable::parse(&self.text)
            .map_err(|e| self.wrong(e.span().map_or(0, |span| span.start), e.message().trim()))?;
        for (key, value) in root.into_inner() {
            let (at, name) = (key.span().start, key.into_inner());
            if ELSEWHERE.contains(&&*name) {
                continue;
            }
            if name != "query" {
                return Err(self.wrong(at, unknown(&name)));
            }
            let DeValue::Table(queries) = value.into_inner() else {
                return Err(self.wrong(at, "parameters stand in sections [query.NAME]"));
            };
            for (key, value) in queries {
                let (at, query) = (key.span().start, key.into_inner());
                let DeValue::Table(parameters) = value.into_inner() else {
                    return Err(
                        self.wrong(at, format!("`{query}` must be a table: [query.{query}]"))
                    );
                };
                let section = sections.entry(query.into_owned()).or_default();
                for (key, value) in parameters {
                    let origin = Origin::File(self, key.span().start);
                    section.insert(key.into_inner().into_owned(), Entry { value, origin });
                }
            }
        }
        Ok(())
    }
}

impl Settings {
    /// Adds what a text says, which is called `name` in messages.
    pub fn parse(&mut self, name: &str, text: &str) -> Result<(), Error> {
        let file = File { name: name.to_string(), text: text.to_string() };
        file.sections(&mut Sections::default())?;
        self.files.push(file);
        Ok(())
    }

    /// Adds a `QUERY.PARAMETER=VALUE`; a value that is not TOML is taken as text.
    pub fn set(&mut self, text: &str) -> Result<(), Error> {
        match split(text) {
            Some(_) => self.sets.push(text.to_string()),
            None => {
                return Err(Error::Usage(format!(
                    "--set {text}: expected QUERY.PARAMETER=VALUE, for instance risk_decisions.velocity_limit=5"
                )));
            }
        }
        Ok(())
    }

    /// The texts that were added.
    pub(crate) fn files(&self) -> &[File] {
        &self.files
    }

    /// A value for every query that has this parameter, where it is not given another.
    pub fn for_all(&mut self, parameter: &str, value: &str) {
        self.all.push((parameter.to_owned(), value.to_owned()));
    }

    /// What was added by [`Settings::set`].
    pub fn sets(&self) -> &[String] {
        &self.sets
    }

    /// Whether a value was given for every query that has this parameter.
    pub fn gives_all(&self, parameter: &str) -> bool {
        self.all.iter().any(|(name, _)| name == parameter)
    }

    fn sections(&self) -> Result<Sections<'_>, Error> {
        let mut sections = Sections::default();
        for file in &self.files {
            file.sections(&mut sections)?;
        }
        for text in &self.sets {
            let Some((query, parameter, value)) = split(text) else { continue };
            let plain = || Spanned::new(0..0, DeValue::String(value.into()));
            let value = DeValue::parse(value).unwrap_or_else(|_| plain());
            let entry = Entry { value, origin: Origin::Set(text) };
            sections.entry(query.to_string()).or_default().insert(parameter.to_string(), entry);
        }
        Ok(sections)
    }

    /// The parameters of a query, by name and meaning: those given for it, and the defaults for
    /// the rest.
    pub fn of<Q: DeserializeOwned>(
        &self,
        query: &str,
        parameters: &[(&str, &str)],
    ) -> Result<Q, Error> {
        let mut sections = self.sections()?;
        let mut section = sections.remove(query).unwrap_or_default();
        for (parameter, value) in &self.all {
            if parameters.iter().any(|(name, _)| name == parameter) {
                let plain = Spanned::new(0..0, DeValue::String(value.as_str().into()));
                let entry = Entry { value: plain, origin: Origin::Set(value) };
                section.entry(parameter.clone()).or_insert(entry);
            }
        }
        for (key, entry) in &section {
            build::<Q>(std::iter::once((key, entry))).map_err(|e| {
                let place = entry.origin.place(e.span().map(|span| span.start));
                Error::Usage(format!("{place}: {query}.{key}: {}", e.message().trim()))
            })?;
        }
        build(section.iter())
            .map_err(|e| Error::Usage(format!("[query.{query}]: {}", e.message().trim())))
    }

    /// Refuses parameters for a query that has none.
    pub fn none_for(&self, query: &str) -> Result<(), Error> {
        let sections = self.sections()?;
        match sections.get(query).and_then(|section| section.first_key_value()) {
            Some((key, entry)) => Err(Error::Usage(format!(
                "{}: {query}.{key}: the query {query} has no parameters",
                entry.origin.place(None)
            ))),
            None => Ok(()),
        }
    }

    /// Refuses parameters for queries that there are not.
    pub fn only(&self, names: &[&str]) -> Result<(), Error> {
        for (query, section) in self.sections()? {
            if let (false, Some(entry)) = (names.contains(&query.as_str()), section.values().next())
            {
                let place = entry.origin.place(None);
                return Err(Error::Usage(format!(
                    "{place}: there is no query {query}; `tidemill queries` lists them"
                )));
            }
        }
        Ok(())
    }
}

/// The fields of a query as they would be written, with what each means, in the order of `about`.
pub fn shown(query: &impl Serialize, about: &[(&'static str, &'static str)]) -> Vec<Parameter> {
    // Parameters are plain data, of which JSON is as good as TOML.
    let Ok(serde_json::Value::Object(fields)) = serde_json::to_value(query) else {
        return Vec::new();
    };
    let parameter = |(name, about): &(&str, &'static str)| {
        let value = fields.get(*name)?.to_string();
        Some(Parameter { name: name.to_string(), value, about })
    };
    about.iter().filter_map(parameter).collect()
}

fn split(text: &str) -> Option<(&str, &str, &str)> {
    let (name, value) = text.split_once('=')?;
    let (query, parameter) = name.trim().split_once('.')?;
    Some((query, parameter, value.trim()))
}

fn unknown(key: &str) -> String {
    let names = ELSEWHERE.join(", ");
    format!("unknown key `{key}`; the sections are query.NAME (parameters), {names}")
}

fn build<'a, 'b: 'a, Q: DeserializeOwned>(
    entries: impl Iterator<Item = (&'a String, &'a Entry<'b>)>,
) -> Result<Q, toml::de::Error> {
    let entries =
        entries.map(|(key, entry)| (key.as_str(), ValueDeserializer::from(entry.value.clone())));
    Q::deserialize(MapDeserializer::new(entries))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Millis;

    #[derive(Debug, PartialEq, serde::Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Alarm {
        limit: i64,
        window: Millis,
        names: Vec<Name>,
    }

    #[derive(Debug, PartialEq, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Name {
        id: String,
    }

    impl Default for Alarm {
        fn default() -> Self {
            Alarm { limit: 3, window: Millis::minutes(10), names: Vec::new() }
        }
    }

    fn settings(text: &str, sets: &[&str]) -> Result<Settings, Error> {
        let mut settings = Settings::default();
        settings.parse("t.toml", text)?;
        sets.iter().try_for_each(|set| settings.set(set))?;
        Ok(settings)
    }

    fn refused(text: &str, sets: &[&str]) -> String {
        let alarm = settings(text, sets).and_then(|s| s.of::<Alarm>("alarm", &[]));
        alarm.expect_err("a refusal").to_string()
    }

    #[test]
    fn what_is_given_later_wins_and_the_rest_stays() {
        let text = "[query.alarm]\nlimit = 5\nwindow = '2h'\n[[query.alarm.names]]\nid = 'x'\n";
        let given = settings(text, &["alarm.limit=7"]).unwrap().of::<Alarm>("alarm", &[]).unwrap();
        let names = vec![Name { id: "x".into() }];
        assert_eq!(given, Alarm { limit: 7, window: Millis::hours(2), names });
        let none = settings("", &["alarm.window=5m"]).unwrap().of::<Alarm>("alarm", &[]).unwrap();
        assert_eq!(none, Alarm { window: Millis::minutes(5), ..Alarm::default() });
    }

    #[test]
    fn mistakes_are_told_by_name_and_line() {
        let message = refused("[query.alarm]\nlimit = 1\n\nlimmit = 5\n", &[]);
        assert!(message.starts_with("t.toml, line 4: alarm.limmit: unknown field"), "{message}");
        let message = refused("[query.alarm]\nlimit = 'x'\n", &[]);
        assert!(message.starts_with("t.toml, line 2: alarm.limit: invalid type"), "{message}");
        let message = refused("[query.alarm]\n[[query.alarm.names]]\nid='x'\nin='y'\n", &[]);
        assert!(message.starts_with("t.toml, line 4: alarm.names: unknown field"), "{message}");
        let message = refused("[query.alarm]\nwindow = '10 min'\n", &[]);
        assert!(message.contains("line 2: alarm.window: expected a duration"), "{message}");
        assert!(refused("x = 1\n", &[]).contains("t.toml, line 1: unknown key `x`"));
        assert!(refused("[query\n", &[]).contains("t.toml, line 1"));
        assert!(
            refused("", &["alarm.limit=many"]).starts_with("--set alarm.limit=many: alarm.limit")
        );
        assert!(refused("", &["limit=1"]).contains("expected QUERY.PARAMETER=VALUE"));
        let others = settings("[query.alarm]\nlimit = 1\n", &[]).unwrap();
        assert!(others.only(&["alarm"]).is_ok());
        let message = others.only(&["other"]).unwrap_err().to_string();
        assert!(message.contains("t.toml, line 2: there is no query alarm"), "{message}");
        assert!(others.none_for("alarm").unwrap_err().to_string().contains("no parameters"));
    }
}
