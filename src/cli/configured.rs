//! A run in a file: what `--config` says of options.
//!
//! Each key of `tidemill.toml` is an option of the command line under the same name, in a section by
//! what it is about; [`SECTIONS`] is the table. An option that is given on the command line wins.
//! Options that a subcommand has not are passed over: a file is written for `run`, and `verify` reads
//! what concerns it. Parameters of queries (`[query.NAME]`) and descriptions of sources (`[[source]]`)
//! are read elsewhere ([`crate::config`]).

use super::Cli;
use crate::error::Error;
use crate::near::did_you_mean;
use crate::query::settings::File;
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, Command, CommandFactory, FromArgMatches};
use std::ffi::OsString;
use std::path::PathBuf;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

/// The sections, and the options that stand in each, with `_` for `-`.
const SECTIONS: &[(&str, &[&str])] = &[
    ("run", &["query", "workers", "follow", "report_zone", "quiet", "report"]),
    ("clock", &["tick", "lateness", "max_future", "max_jump"]),
    ("state", &["state", "checkpoint_every", "checkpoint_share"]),
    ("serve", &["serve", "token_file", "insecure", "push"]),
    ("limits", &["in_flight", "max_bad"]),
    (
        "clean",
        &[
            "steps",
            "time_zone",
            "time_format",
            "delimiter",
            "no_header",
            "encoding",
            "decimal_comma",
            "absent",
            "decimals",
            "rates",
            "base_currency",
            "enrich",
            "on_duplicate",
            "dedupe_hours",
            "dead_letters",
            "map",
            "map_value",
        ],
    ),
];
/// The section that there may be several of: a sink each.
const SINK: &str = "sink";
/// What else there is, and is read elsewhere.
const OTHERS: [&str; 2] = ["query", "source"];

/// An option as a file says it.
struct Said {
    option: String,
    /// None for one that takes no value.
    values: Option<Vec<String>>,
    at: usize,
}

impl Said {
    fn words(&self) -> Vec<OsString> {
        let option = &self.option;
        match &self.values {
            None => vec![format!("--{option}").into()],
            Some(values) => values.iter().map(|v| format!("--{option}={v}").into()).collect(),
        }
    }
}

/// What was asked, with what the file of `--config` says.
pub fn parse(words: Vec<OsString>) -> Result<Cli, Error> {
    let matches = Cli::command().try_get_matches_from(&words).unwrap_or_else(|e| e.exit());
    let Some((name, given)) = matches.subcommand() else { return Ok(cli(&matches)) };
    let has = |option: &str| {
        let command = Cli::command();
        let sub = command.find_subcommand(name);
        sub.is_some_and(|sub| sub.get_arguments().any(|arg| arg.get_long() == Some(option)))
    };
    if !has("config") {
        return Ok(cli(&matches));
    }
    let Some(path) = given.get_one::<PathBuf>("config") else { return Ok(cli(&matches)) };
    let text = std::fs::read_to_string(path).map_err(Error::file(path))?;
    let file = File { name: path.display().to_string(), text };
    let here = |said: &Said| {
        let id = said.option.replace('-', "_");
        has(&said.option) && given.value_source(&id) != Some(ValueSource::CommandLine)
    };
    let said: Vec<Said> = read(&file)?.into_iter().filter(here).collect();
    said.iter().try_for_each(|said| check(&file, name, said))?;
    let place = words.iter().position(|word| word.to_str() == Some(name)).map_or(1, |at| at + 1);
    let mut all = words[..place].to_vec();
    all.extend(said.iter().flat_map(Said::words));
    all.extend(words[place..].iter().cloned());
    Ok(cli(&Cli::command().try_get_matches_from(all).unwrap_or_else(|e| e.exit())))
}

fn cli(matches: &ArgMatches) -> Cli {
    Cli::from_arg_matches(matches).unwrap_or_else(|e| e.exit())
}

/// Whether a value can be one of its option, so that what cannot is told by its place.
fn check(file: &File, name: &str, said: &Said) -> Result<(), Error> {
    let words = ["tidemill".into(), name.into()].into_iter().chain(said.words());
    let Err(error) = Command::try_get_matches_from(Cli::command(), words) else { return Ok(()) };
    // What an option needs or excludes is judged when all are there.
    let own = matches!(
        error.kind(),
        ErrorKind::InvalidValue
            | ErrorKind::ValueValidation
            | ErrorKind::TooManyValues
            | ErrorKind::NoEquals
    );
    let text = error.to_string();
    let what = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
    if own { Err(file.wrong(said.at, what)) } else { Ok(()) }
}

/// What the file says of options.
fn read(file: &File) -> Result<Vec<Said>, Error> {
    let root = DeTable::parse(&file.text)
        .map_err(|e| file.wrong(e.span().map_or(0, |span| span.start), e.message().trim()))?;
    let mut all = Vec::new();
    for (key, value) in root.into_inner() {
        let (at, section) = (key.span().start, key.into_inner());
        let known = SECTIONS.iter().find(|(name, _)| *name == section);
        match (known, value.into_inner()) {
            (Some((section, keys)), DeValue::Table(table)) => {
                options(file, section, keys, table, &mut all)?;
            }
            (None, DeValue::Array(sinks)) if section == SINK => {
                all.extend(self::sinks(file, at, sinks)?);
            }
            _ if OTHERS.contains(&&*section) => {}
            (Some((section, _)), _) => {
                return Err(file.wrong(at, format!("`{section}` is a section: [{section}]")));
            }
            _ if section == SINK => {
                return Err(file.wrong(at, "sinks stand in sections [[sink]]"));
            }
            _ => return Err(file.wrong(at, unknown(&section))),
        }
    }
    Ok(all)
}

fn unknown(section: &str) -> String {
    let names = SECTIONS.iter().map(|(name, _)| *name).chain(OTHERS).chain([SINK]);
    let near = did_you_mean(section, names.clone());
    let names: Vec<&str> = names.collect();
    format!("there is no section `{section}`{near}; there are {}", names.join(", "))
}

fn options(
    file: &File,
    section: &str,
    keys: &[&str],
    table: DeTable<'_>,
    all: &mut Vec<Said>,
) -> Result<(), Error> {
    for (key, value) in table {
        let (at, key) = (key.span().start, key.into_inner());
        if !keys.contains(&&*key) {
            let near = did_you_mean(&key, keys.iter().copied());
            let keys = keys.join(", ");
            let what = format!("[{section}] has no key `{key}`{near}; its keys are {keys}");
            return Err(file.wrong(at, what));
        }
        let wrong = || {
            file.wrong(at, format!("{key}: expected a text, a number, true or false, or a list"))
        };
        let values = match value.into_inner() {
            DeValue::Boolean(false) => continue,
            DeValue::Boolean(true) => None,
            DeValue::Array(list) => {
                let values: Option<Vec<String>> = list.into_iter().map(text).collect();
                Some(values.ok_or_else(wrong)?)
            }
            one => Some(vec![text(Spanned::new(0..0, one)).ok_or_else(wrong)?]),
        };
        all.push(Said { option: key.replace('_', "-"), values, at });
    }
    Ok(())
}

fn text(value: Spanned<DeValue<'_>>) -> Option<String> {
    match value.into_inner() {
        DeValue::String(text) => Some(text.into_owned()),
        DeValue::Integer(number) => Some(number.to_string()),
        DeValue::Float(number) => Some(number.to_string()),
        _ => None,
    }
}

/// `[[sink]]`: `to`, as `--sink` has it, and which `views`.
fn sinks(file: &File, at: usize, sinks: DeArray<'_>) -> Result<Option<Said>, Error> {
    let mut values = Vec::new();
    for sink in sinks {
        let (at, DeValue::Table(table)) = (sink.span().start, sink.into_inner()) else {
            return Err(file.wrong(at, "sinks stand in sections [[sink]]"));
        };
        let (mut to, mut views) = (None, None);
        for (key, value) in table {
            let (at, key) = (key.span().start, key.into_inner());
            match (&*key, value.into_inner()) {
                ("to", DeValue::String(text)) => to = Some(text.into_owned()),
                ("views", DeValue::Array(list)) => {
                    views = list.into_iter().map(text).collect::<Option<Vec<String>>>();
                }
                ("to" | "views", _) => {
                    return Err(
                        file.wrong(at, "expected to = \"csv:DIR\" or views = [\"NAME\", …]")
                    );
                }
                (other, _) => {
                    let what = format!("[[sink]] has no key `{other}`; its keys are to, views");
                    return Err(file.wrong(at, what));
                }
            }
        }
        let to =
            to.ok_or_else(|| file.wrong(at, "[[sink]]: to is missing, for instance \"csv:out\""))?;
        values.push(views.map_or(to.clone(), |views| format!("{to}={}", views.join(","))));
    }
    Ok(Some(Said { option: SINK.into(), values: Some(values), at }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::settings::ELSEWHERE;

    #[test]
    fn every_key_is_an_option_of_run() {
        let command = Cli::command();
        let run = command.find_subcommand("run").expect("there");
        for key in SECTIONS.iter().flat_map(|(_, keys)| *keys) {
            let option = key.replace('_', "-");
            let there = run.get_arguments().any(|arg| arg.get_long() == Some(&option));
            assert!(there, "--{option}");
        }
    }

    fn said(text: &str) -> Result<Vec<String>, String> {
        let file = File { name: "shop.toml".into(), text: text.into() };
        let said = read(&file).map_err(|error| error.to_string())?;
        said.iter().try_for_each(|said| check(&file, "run", said)).map_err(|e| e.to_string())?;
        let words = said.iter().flat_map(Said::words);
        Ok(words.map(|word| word.into_string().expect("text")).collect())
    }

    #[test]
    fn every_section_is_known_to_who_reads_parameters() {
        let mut names: Vec<&str> = SECTIONS.iter().map(|(name, _)| *name).collect();
        names.extend([SINK, "source"]);
        names.sort_unstable();
        let mut known = ELSEWHERE.to_vec();
        known.sort_unstable();
        assert_eq!(names, known);
    }

    #[test]
    fn the_example_is_right() {
        let words = said(include_str!("example.toml")).expect("right");
        let all: Vec<&str> = words.iter().map(String::as_str).collect();
        let words = [&["tidemill", "run"], &all[..]].concat();
        Cli::command().try_get_matches_from(words).expect("options that go together");
    }

    #[test]
    fn keys_are_options() {
        let text = "[clock]\ntick = '1s'\n[run]\nfollow = true\nquiet = false\nquery = ['velocity', 'sessions']\n\
                    [clean]\ndecimals = 3\n[[sink]]\nto = 'csv:out'\n[[sink]]\nto = 'jsonl:o'\nviews = ['a*']\n\
                    [query.velocity]\nx = 1\n[[source]]\nstream = 'ads'\n";
        let mut words = said(text).expect("right");
        words.sort();
        let want = [
            "--decimals=3",
            "--follow",
            "--query=sessions",
            "--query=velocity",
            "--sink=csv:out",
            "--sink=jsonl:o=a*",
            "--tick=1s",
        ];
        assert_eq!(words, want);
    }

    #[test]
    fn what_is_wrong_is_told_by_file_line_and_key() {
        for (text, parts) in [
            ("\n[clok]\ntick = '1s'", ["line 2", "did you mean clock?"]),
            ("[clock]\n\ntik = '1s'", ["line 3", "did you mean tick?"]),
            ("[clock]\ntick = 'soon'", ["line 2", "--tick"]),
            ("[limits]\nmax_bad = '200%'", ["line 2", "--max-bad"]),
            ("[clock]\ntick = { a = 1 }", ["line 2", "expected a text"]),
            ("clock = 5", ["line 1", "[clock]"]),
            ("[[sink]]\nfile = 'x'", ["line 2", "its keys are to, views"]),
            ("[[sink]]\nto = 'cvs:x'", ["line 1", "there is no sink"]),
            ("[[sink]]\n", ["line 1", "to is missing"]),
            ("[sink]\nto = 'csv:x'", ["line 1", "[[sink]]"]),
            ("[clock\n", ["line 1", ""]),
        ] {
            let told = said(text).expect_err(text);
            assert!(
                told.starts_with("shop.toml, ") && parts.iter().all(|p| told.contains(p)),
                "{told}"
            );
        }
    }
}
