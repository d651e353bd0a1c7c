//! The options that several subcommands share: how records are cleaned, and how a run is made. They
//! only fill what a [`plan::Job`] is made of.

use crate::clean::Step;
use crate::clock::{Millis, Tick};
use crate::config::Settings;
use crate::error::Error;
use crate::operator::OnDuplicate;
use crate::plan::sources::{self, Known, Opened};
use crate::plan::{self, Queries};
use crate::source::dialect::{Dialect, delimiter_named, encoding_named};
use crate::source::plan::ValueMap;
use crate::source::read::BLOCK_SIZE;
use crate::source::time::Form;
use crate::zone::Zone;
use std::path::PathBuf;
use std::time::Duration;

/// What is read, and which queries are maintained over it.
#[derive(clap::Args, Debug, Clone)]
pub struct Choice {
    /// A stream and its file, or a replay log (FILE.tide); repeat for more, or use a pattern;
    /// beside those that --config describes
    #[arg(long, value_name = "STREAM=FILE")]
    source: Vec<String>,
    /// What the files of --source are exports of: shopify-orders, woocommerce-orders,
    /// stripe-payments, ga4-bigquery, segment, aftership, olist, online-retail, yoochoose, or a
    /// FILE.toml of your own; --source then names files alone
    #[arg(long, value_name = "NAME")]
    format: Option<String>,
    /// The queries to maintain [default: all whose streams are given]
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    query: Vec<String>,
}

impl Choice {
    /// Opens the sources; `known` is what is known of them beside their names.
    pub fn open(&self, dialect: &Dialect, known: Known) -> Result<Opened, Error> {
        sources::open(&self.source, dialect, Known { format: self.format.clone(), ..known })
    }

    /// Whether no source is named.
    pub fn is_empty(&self) -> bool {
        self.source.is_empty()
    }

    /// The queries.
    pub fn queries(&self) -> Queries {
        Queries::named(self.query.iter().map(|query| query.trim()))
    }
}

/// How records are read and cleaned.
#[derive(clap::Args, Debug, Clone)]
#[command(next_help_heading = "Reading and cleaning")]
pub struct Cleaning {
    /// A column under another name, for instance transactions.amount=paid
    #[arg(long, value_name = "STREAM.FIELD=COLUMN", value_parser = pair)]
    pub map: Vec<(String, String)>,
    /// What a name of a source stands for, for instance transactions.status.paid=captured
    #[arg(long, value_name = "STREAM.FIELD.NAME=KNOWN", value_parser = value_map)]
    pub map_value: Vec<ValueMap>,
    /// What separates fields: one character, or tab [default: found on the first line]
    #[arg(long, value_name = "CHARACTER", value_parser = delimiter_named)]
    pub delimiter: Option<u8>,
    /// The files do not name their columns, which are these: --no-header time,,amount
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    pub no_header: Option<Vec<String>>,
    /// The encoding of the files, for instance windows-1252 [default: UTF-8, or UTF-16 with its mark]
    #[arg(long, value_name = "NAME", value_parser = encoding_named)]
    pub encoding: Option<&'static encoding_rs::Encoding>,
    /// The cleaning steps to take
    #[arg(
        long,
        value_delimiter = ',',
        value_name = "STEP,...",
        default_value = "validate,trim,zone,currency,enrich,dedupe"
    )]
    pub steps: Vec<Step>,
    /// Time zone of times that name none, for instance Europe/Berlin
    #[arg(long, default_value = "UTC", value_name = "ZONE")]
    pub time_zone: String,
    /// How times are written, of all or of one field: iso, day-first, month-first, epoch-s, epoch-ms,
    /// epoch-us, epoch-ns or a pattern such as '%d.%m.%Y %H:%M'; for instance
    /// transactions.transaction_time=day-first [default: found on the first rows]
    #[arg(long, value_name = "[STREAM.FIELD=]FORM", value_parser = time_form)]
    pub time_format: Vec<(Option<String>, Form)>,
    /// Numbers have a decimal comma: 1.234,50
    #[arg(long)]
    pub decimal_comma: bool,
    /// Further words that stand for no value, beside NA, N/A, NULL, nan, None, \\N, - and the like
    #[arg(long, value_name = "WORD,...", value_delimiter = ',')]
    pub absent: Vec<String>,
    /// Decimals of money: 2 for cents; as many as the currency that has the most of them
    #[arg(long, default_value_t = 2, value_name = "N",
        value_parser = clap::value_parser!(u32).range(0..=9))]
    pub decimals: u32,
    /// Exchange rates to the base currency: a CSV file `currency,rate`, or `currency,rate,from` where
    /// rates change; without it all amounts must be of one currency
    #[arg(long, value_name = "FILE")]
    pub rates: Option<PathBuf>,
    /// The currency amounts are converted to
    #[arg(long, default_value = "EUR", value_name = "CODE")]
    pub base_currency: String,
    /// Categories of items: a CSV file with item_id and category
    #[arg(long, value_name = "FILE")]
    pub enrich: Option<PathBuf>,
    /// Which records of one id hold; newer is the higher `version`, or the later event time
    #[arg(long, default_value = "replace")]
    pub on_duplicate: OnDuplicate,
    /// For how many hours of its source's clock an id is remembered; what comes later is a record of
    /// its own, and the summary counts refunds of forgotten sales [default: to the end]
    #[arg(long, value_name = "HOURS")]
    pub dedupe_hours: Option<u64>,
    /// Where bad records go [default: dead_letters.jsonl beside the first file sink]
    #[arg(long, value_name = "FILE")]
    pub dead_letters: Option<PathBuf>,
    /// Fail if more than this share of the records is bad
    #[arg(long, default_value = "5%", value_name = "PERCENT", value_parser = percent)]
    pub max_bad: f64,
    /// Event times further ahead of the wall clock are bad records
    #[arg(long, default_value = "366d", value_name = "DURATION", value_parser = duration)]
    pub max_future: u64,
    /// Event times further ahead of their source's own clock are bad records
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub max_jump: Option<u64>,
    /// Event times further behind their source's own clock are late: such records are refused and
    /// kept with the bad ones, and what only they could change is final and forgotten [default: no
    /// record is ever late]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub lateness: Option<u64>,
}

impl Cleaning {
    /// How the text of files is written, as far as it was said.
    pub fn dialect(&self) -> Dialect {
        let columns =
            self.no_header.as_ref().map(|names| names.iter().map(|n| n.trim().into()).collect());
        Dialect { delimiter: self.delimiter, columns, encoding: self.encoding }
    }

    /// As a job has it.
    pub fn plan(self) -> plan::Cleaning {
        plan::Cleaning {
            dialect: self.dialect(),
            map: self.map,
            map_value: self.map_value,
            steps: self.steps,
            time_zone: self.time_zone,
            time_format: self.time_format,
            decimal_comma: self.decimal_comma,
            absent: self.absent,
            decimals: self.decimals,
            rates: self.rates,
            base_currency: self.base_currency,
            enrich: self.enrich,
            on_duplicate: self.on_duplicate,
            dedupe_hours: self.dedupe_hours,
            dead_letters: self.dead_letters,
            max_bad: self.max_bad,
            max_future: self.max_future,
            max_jump: self.max_jump,
            lateness: self.lateness,
        }
    }
}

/// Threads, processes and the tick.
#[derive(clap::Args, Debug, Clone)]
#[command(next_help_heading = "Running")]
pub struct Running {
    /// Worker threads of each process [default: one per core]
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub workers: Option<u16>,
    /// Processes of the cluster; start each with the same arguments but --process
    #[arg(long, default_value_t = 1, value_name = "N",
        value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub processes: u16,
    /// Which process this is, from 0; process 0 writes the results
    #[arg(long, default_value_t = 0, value_name = "I")]
    pub process: u16,
    /// host:port of each process, one per line [default: 127.0.0.1 from port 2101 on]
    #[arg(long, value_name = "FILE")]
    pub hostfile: Option<PathBuf>,
    /// A file with the secret by which the processes know each other; or the variable
    /// TIDEMILL_SECRET [default: one of this user, where all processes are on this machine]
    #[arg(long, value_name = "FILE")]
    pub secret_file: Option<PathBuf>,
    /// How long to wait for the other processes to start
    #[arg(long, default_value = "60s", value_name = "DURATION", value_parser = duration)]
    pub join_timeout: u64,
    /// A TOML file with parameters of queries, sources, sinks and options (tidemill config example)
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// One parameter of a query; wins over the file
    #[arg(long, value_name = "QUERY.PARAMETER=VALUE")]
    pub set: Vec<String>,
    /// The shop's time zone, for days and hours of the day in views, for instance Europe/Berlin
    /// [default: UTC, or what a query's parameter `zone` says]
    #[arg(long, value_name = "ZONE")]
    pub report_zone: Option<Zone>,
    /// How finely results are visible in time [default: 1m with a change log or a query in which
    /// time passes, otherwise 1d]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub tick: Option<u64>,
    /// How many bytes of records may be under way between reading and results: less takes less
    /// memory, and has results and checkpoints follow more closely
    #[arg(long, default_value = "64M", value_name = "SIZE", value_parser = size)]
    pub in_flight: usize,
    /// No progress bar, no summary
    #[arg(long, short)]
    pub quiet: bool,
}

impl Running {
    /// As a job has it.
    pub fn plan(&self) -> plan::Running {
        plan::Running {
            workers: self.workers,
            processes: self.processes,
            process: self.process,
            hostfile: self.hostfile.clone(),
            secret_file: self.secret_file.clone(),
            join_timeout: Duration::from_millis(self.join_timeout),
            in_flight: self.in_flight,
            tick: self.tick.and_then(Tick::from_millis),
        }
    }

    /// How much is read of a source in one go, where that must be less than usual.
    pub fn block(&self) -> Option<usize> {
        let part = (self.in_flight / 16).max(1 << 10);
        (part < BLOCK_SIZE).then_some(part)
    }

    /// The parameters of the queries.
    pub fn settings(&self) -> Result<Settings, Error> {
        let mut settings = Settings::default();
        if let Some(zone) = &self.report_zone {
            settings.for_all("zone", &String::from(zone.clone()));
        }
        if let Some(path) = &self.config {
            settings.read(path)?;
        }
        self.set.iter().try_for_each(|set| settings.set(set))?;
        Ok(settings)
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((left, right)) if left.contains('.') && !right.is_empty() => {
            Ok((left.trim().into(), right.trim().into()))
        }
        _ => Err("expected STREAM.FIELD=COLUMN, for instance transactions.amount=paid".into()),
    }
}

/// `STREAM.FIELD=FORM` or `FORM`.
fn time_form(text: &str) -> Result<(Option<String>, Form), String> {
    let (field, form) = match text.split_once('=') {
        Some((field, form)) => (Some(field.trim().to_string()), form.trim()),
        None => (None, text.trim()),
    };
    Ok((field, Form::named(form)?))
}

fn value_map(text: &str) -> Result<ValueMap, String> {
    let expected =
        "expected STREAM.FIELD.NAME=KNOWN, for instance transactions.status.paid=captured";
    let parts = || {
        // The name may hold anything, the known ones do not.
        let (left, to) = text.rsplit_once('=')?;
        let (stream, rest) = left.split_once('.')?;
        let (field, from) = rest.split_once('.')?;
        let field = format!("{}.{}", stream.trim(), field.trim());
        let (from, to) = (from.trim().to_string(), to.trim().to_string());
        (!from.is_empty() && !to.is_empty()).then_some(ValueMap { field, from, to })
    };
    parts().ok_or_else(|| expected.to_string())
}

/// A share of what there is: 5%, or 5.
pub fn percent(text: &str) -> Result<f64, String> {
    let number = text.trim().strip_suffix('%').unwrap_or(text);
    match number.trim().parse::<f64>() {
        Ok(x) if (0.0..=100.0).contains(&x) => Ok(x / 100.0),
        _ => Err("expected a percentage from 0% to 100%".into()),
    }
}

/// A number of bytes: 4096, 512K, 64M, 2G.
fn size(text: &str) -> Result<usize, String> {
    let (number, shift) = match text.trim().to_ascii_uppercase() {
        text if text.ends_with('K') => (text[..text.len() - 1].to_owned(), 10),
        text if text.ends_with('M') => (text[..text.len() - 1].to_owned(), 20),
        text if text.ends_with('G') => (text[..text.len() - 1].to_owned(), 30),
        text => (text, 0),
    };
    let bytes = number.parse::<usize>().ok().and_then(|n| n.checked_mul(1 << shift));
    bytes.filter(|bytes| *bytes > 0).ok_or_else(|| "expected a size such as 512K, 64M or 2G".into())
}

/// A length of time in milliseconds: 500ms, 30s, 5m, 2h, 7d.
pub fn duration(text: &str) -> Result<u64, String> {
    text.parse().map(|Millis(ms)| ms)
}

#[cfg(test)]
mod tests {
    use super::{Cleaning, Running};
    use crate::plan;
    use clap::Parser;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        cleaning: Cleaning,
        #[command(flatten)]
        running: Running,
    }

    #[test]
    fn a_line_that_says_nothing_is_a_job_that_says_nothing() {
        let line = Line::parse_from(["tidemill"]);
        assert_eq!(format!("{:?}", line.running.plan()), format!("{:?}", plan::Running::default()));
        let cleaning = format!("{:?}", line.cleaning.plan());
        assert_eq!(cleaning, format!("{:?}", plan::Cleaning::default()));
    }
}
