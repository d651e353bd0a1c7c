//! `tidemill inspect`: what a file is, and what would read it.

use crate::config::{Settings, format};
use crate::error::Error;
use crate::plan::{Job, sources};
use crate::shown::message;
use crate::sink::replace_file;
use crate::source::formats;
use crate::source::inspect::{inspect, toml_text};
use std::path::PathBuf;

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  tidemill inspect orders_export.csv
  tidemill inspect orders.csv clicks.ndjson --write shop.toml
  tidemill run --config shop.toml

Looks at the first 1,000 rows, says how each column is read and what it is taken for, and writes the
sections [[source]] that read the files. What it guesses is for you to look over.")]
pub struct Args {
    /// The files
    #[arg(value_name = "FILE", required = true)]
    files: Vec<String>,
    /// Write the sections to this file [default: print them]
    #[arg(long, value_name = "FILE.toml")]
    write: Option<PathBuf>,
}

impl Args {
    pub fn run(self) -> Result<(), Error> {
        let known = formats::names().map(|name| Ok((name, format(name)?)));
        let known = known.collect::<Result<Vec<_>, Error>>()?;
        let mut found = Vec::new();
        for file in &self.files {
            found.push(inspect(file, &known)?);
        }
        let mut lines: Vec<String> = found.iter().flat_map(|file| file.lines()).collect();
        let toml = toml_text(&found);
        match &self.write {
            None => lines.push(format!("\n{toml}")),
            // What its user changed in it is not to be lost.
            Some(path) if path.exists() => {
                return Err(Error::Usage(format!(
                    "--write {}: it is there already; name another file, or move it away",
                    path.display()
                )));
            }
            Some(path) => {
                replace_file(path, |out| out.write_all(toml.as_bytes()))?;
                let loads = found.iter().any(|file| file.format.is_some() || file.guess.is_some());
                let now = if loads { "now: tidemill run --config" } else { "fill in" };
                lines.push(format!("\nwrote {}; {now} {0}", path.display()));
            }
        }
        lines.push(String::new());
        lines.extend(outlook(&toml));
        super::print(&lines.iter().map(|line| message(line) + "\n").collect::<String>())
    }
}

/// What would come of the sections: how they are read, which queries run, and what others lack.
fn outlook(toml: &str) -> Vec<String> {
    let check = || {
        let mut settings = Settings::default();
        settings.parse("what was found", toml)?;
        let known = sources::Known { described: settings.sources()?, ..sources::Known::default() };
        let opened = sources::open(&[], &Default::default(), known)?;
        Job { sources: opened.inputs, settings, ..Job::default() }.check()
    };
    match check() {
        Ok(outlook) => outlook.lines(),
        Err(error) => vec![format!("cannot be run so: {error}")],
    }
}
