//! `tidemill.toml`: the parameters of queries ([`Settings`]), and sources that are described.

use crate::error::Error;
use crate::near::did_you_mean;
pub use crate::query::Settings;
use crate::query::settings::File;
use crate::source::described::{Described, Said};
use crate::source::formats;
use serde::Deserialize;
use std::path::Path;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

impl File {
    /// What is said in each section; where it begins from a format, by each of the format's.
    fn sources(&self) -> Result<Vec<Vec<Said>>, Error> {
        let mut all = Vec::new();
        for (at, described) in self.described()? {
            let wrong = |what: String| self.wrong(at, format!("[[source]]: {what}"));
            let Some(format) = described.format.clone() else {
                all.push(vec![described.said().map_err(wrong)?]);
                continue;
            };
            let sections = format_sections(&format)?;
            let sections = sections.iter().filter(|section| described.is_of(section));
            let said = sections.map(|section| described.over(section).said());
            let said = said.collect::<Result<Vec<_>, _>>().map_err(wrong)?;
            if said.is_empty() {
                return Err(wrong(format!("stream: the format {format} has nothing of it")));
            }
            all.push(said);
        }
        Ok(all)
    }

    /// The sections, and where they are.
    fn described(&self) -> Result<Vec<(usize, Described)>, Error> {
        let root = DeTable::parse(&self.text)
            .map_err(|e| self.wrong(e.span().map_or(0, |span| span.start), e.message().trim()))?;
        let sources = root.into_inner().into_iter().find(|(key, _)| key.get_ref() == "source");
        let Some((key, sources)) = sources else { return Ok(Vec::new()) };
        let DeValue::Array(sources) = sources.into_inner() else {
            return Err(self.wrong(key.span().start, "sources stand in sections [[source]]"));
        };
        let said = |value: Spanned<DeValue<'_>>| {
            let at = value.span().start;
            let described =
                Described::deserialize(ValueDeserializer::from(value)).map_err(|e| {
                    self.wrong(
                        e.span().map_or(at, |span| span.start),
                        format!("[[source]]: {}", e.message().trim()),
                    )
                })?;
            Ok((at, described))
        };
        sources.into_iter().map(said).collect()
    }
}

/// The sections of a format: one that is compiled in, or of a file.
fn format_sections(format: &str) -> Result<Vec<Described>, Error> {
    let (name, text) = match formats::text(format) {
        Some(text) => (format!("format {format}"), text.to_owned()),
        None => match std::fs::read_to_string(format) {
            Ok(text) => (format.to_owned(), text),
            Err(_) if !format.contains(['.', '/']) => {
                let near = did_you_mean(format, formats::names());
                let names = formats::names().collect::<Vec<_>>().join(", ");
                return Err(Error::Usage(format!(
                    "there is no format {format}{near}; the formats are {names}, or FILE.toml"
                )));
            }
            Err(error) => return Err(Error::file(Path::new(format))(error)),
        },
    };
    let file = File { name, text };
    let sections = file.described()?;
    if let Some((at, _)) = sections.iter().find(|(_, section)| section.format.is_some()) {
        return Err(file.wrong(*at, "[[source]]: a format does not begin from another one"));
    }
    if sections.is_empty() {
        return Err(file.wrong(0, "a format has sections [[source]]"));
    }
    Ok(sections.into_iter().map(|(_, section)| section).collect())
}

/// How the files of a format are read, which is named or has a file.
pub fn format(name: &str) -> Result<Vec<Said>, Error> {
    let only = Described::of_format(name);
    let said = format_sections(name)?.into_iter().map(|section| only.over(&section).said());
    said.collect::<Result<_, _>>().map_err(|what| Error::Usage(format!("format {name}: {what}")))
}

impl Settings {
    /// The sources that are described.
    pub fn sources(&self) -> Result<Vec<Vec<Said>>, Error> {
        let mut all = Vec::new();
        for file in self.files() {
            all.extend(file.sources()?);
        }
        Ok(all)
    }

    /// Adds what a file says.
    pub fn read(&mut self, path: &Path) -> Result<(), Error> {
        let text = std::fs::read_to_string(path).map_err(Error::file(path))?;
        self.parse(&path.display().to_string(), &text)
    }
}
