//! `tidemill run`: maintain queries over the user's files.

use super::launch::{Cleaning, Launch, Running, stream_names};
use super::show;
use crate::error::Error;
use crate::event::Stream;
use crate::sink::Spec;
use crate::source::read::{BLOCK_SIZE, Reader};

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  tidemill run --source transactions=transaction.csv
  tidemill run --source behavior=user_behavior.csv --source transactions=transaction.csv \\
      --source logistics=logistics.csv --sink csv:out --sink jsonl:out --workers 2
  tidemill run --source transactions='2026-*.csv.zst' --query hourly_transactions --sink sqlite:shop.db
  zcat log.gz | tidemill run --source behavior=- --map behavior.visit_time=ts
  tidemill run --source transactions=pay.csv --rates rates.csv --base-currency EUR

Sources are CSV with a header; columns may be in any order and others are ignored. Only the time
column and what the chosen queries read must be there. A column _diff (+1/-1) makes a stream a
change log. Files ending in .gz and .zst are decompressed; - is standard input.")]
pub struct Args {
    /// A stream and its file; repeat for more files, or use a pattern
    #[arg(long, value_name = "STREAM=FILE", required = true)]
    source: Vec<String>,
    /// The queries to maintain [default: all whose streams are given]
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    query: Vec<String>,
    /// Where views go: csv:DIR, jsonl:DIR (the change log), plot:DIR, sqlite:FILE or table
    #[arg(long, value_name = "SINK", default_value = "table")]
    sink: Vec<Spec>,
    #[command(flatten)]
    running: Running,
    #[command(flatten)]
    cleaning: Cleaning,
}

impl Args {
    pub fn run(self) -> Result<(), Error> {
        let (sources, bytes) = open(&self.source, &self.running)?;
        let quiet = self.running.quiet;
        let outcome = Launch {
            sources,
            queries: self.query.iter().map(|q| q.trim().to_string()).collect(),
            sinks: self.sink,
            cleaning: self.cleaning,
            running: self.running,
            bytes,
            tap: None,
        }
        .run()?;
        if !quiet {
            eprint!("{}", show::summary(&outcome.summary));
            if let Some(path) = &outcome.dead_letters {
                eprintln!("bad records are in {}", path.display());
            }
        }
        Ok(())
    }
}

/// Sources that are open, in the order in which they were given.
pub type Opened = Vec<(Stream, Reader)>;

/// Opens what every `--source` names; also the size of it all in bytes, if known.
pub fn open(given: &[String], running: &Running) -> Result<(Opened, Option<u64>), Error> {
    let (mut sources, mut bytes, mut stdin) = (Vec::new(), Some(0), false);
    for source in given {
        let (stream, paths) = files(source)?;
        for path in paths {
            if path == "-" {
                if std::mem::replace(&mut stdin, true) {
                    return Err(Error::Usage("standard input can be read once only".into()));
                }
                if running.processes > 1 {
                    return Err(Error::Usage(
                        "standard input cannot be shared by several processes; use a file".into(),
                    ));
                }
            }
            let plain = !(path == "-" || path.ends_with(".gz") || path.ends_with(".zst"));
            let size = std::fs::metadata(&path).map(|m| m.len()).ok();
            bytes = bytes.zip(size.filter(|_| plain)).map(|(a, b)| a + b);
            sources.push((stream, Reader::open(&path, BLOCK_SIZE)?));
        }
    }
    Ok((sources, bytes))
}

/// The stream and the files that a `--source` names.
fn files(source: &str) -> Result<(Stream, Vec<String>), Error> {
    let (name, pattern) = source.split_once('=').ok_or_else(|| {
        Error::Usage(format!(
            "--source {source}: expected STREAM=FILE, for instance transactions=transaction.csv"
        ))
    })?;
    let stream = Stream::by_name(name).ok_or_else(|| {
        Error::Usage(format!("--source {source}: there is no stream {name}; {}", stream_names()))
    })?;
    // A path that exists is meant as it is, whatever characters it has.
    if pattern == "-"
        || std::path::Path::new(pattern).exists()
        || !pattern.contains(['*', '?', '['])
    {
        return Ok((stream, vec![pattern.to_string()]));
    }
    let wrong = |what: String| Error::Usage(format!("--source {source}: {what}"));
    let matches = glob::glob(pattern).map_err(|e| wrong(e.to_string()))?;
    let mut paths = Vec::new();
    for path in matches {
        let path = path.map_err(|e| wrong(e.to_string()))?;
        let text = path.to_str().ok_or_else(|| wrong(format!("{path:?} is not UTF-8")))?;
        paths.push(text.to_string());
    }
    if paths.is_empty() {
        return Err(wrong("no file matches the pattern".into()));
    }
    Ok((stream, paths))
}
