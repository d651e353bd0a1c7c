//! The command line: one file per subcommand.

use crate::error::Error;
use clap::{CommandFactory, Parser, Subcommand};
use std::ffi::OsString;

mod bench;
mod config;
mod configured;
mod demo;
mod eval;
mod generate;
mod inspect;
mod launch;
mod options;
mod plot;
mod queries;
mod recommend;
mod record;
mod run;
mod score;
mod serve;
mod show;
mod signals;
mod sinks;
mod state;
mod verify;
mod watch;

/// Keeps the live picture of an e-commerce trading platform exact while events stream in.
#[derive(Parser, Debug)]
#[command(name = "tidemill", version, about, after_help = EXAMPLES)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

const EXAMPLES: &str = "\
Examples:
  tidemill                                  the demo shop, live at http://127.0.0.1:7878/
  tidemill demo --once                      the same as files in tidemill-out/, and ends
  tidemill run --source transactions=transaction.csv
  tidemill run --source behavior='logs/*.csv.gz' --query hourly_behavior --sink csv:out
  tidemill inspect orders_export.csv
  tidemill generate --events 100000 --out data/
  tidemill queries

Exit codes: 0 done, 1 failed, 2 wrong use.";

#[derive(Subcommand, Debug)]
enum Command {
    /// Maintain queries over your own files (or standard input)
    Run(run::Args),
    /// Look at a file that describes a run, and at its sources
    Check(config::Check),
    /// Print what such a file can say
    #[command(subcommand)]
    Config(config::Args),
    /// Look at files nothing is known of, and write what reads them
    Inspect(inspect::Args),
    /// Maintain all queries over the built-in demo shop, live; the same as no command at all
    Demo(demo::Args),
    /// List the queries, what they read and what they give
    Queries(queries::Args),
    /// Write the demo shop's streams as CSV files
    Generate(generate::Args),
    /// Hold views against what the generator planted: precision and recall
    Score(score::Args),
    /// Write a source down as a replay log, for experiments that must not measure parsing
    Record(record::Args),
    /// Hold every view against what its query means, from the records alone
    Verify(verify::Args),
    /// Look at what a run has written down with --state
    State(state::Args),
    /// Measure: capacity, latency, the knee between them, scaling, each query, codecs
    Bench(bench::Args),
    /// Follow a view that a run serves, in the terminal
    Watch(watch::Args),
    /// Draw a view's CSV as SVG
    Plot(plot::Args),
    /// Recommend items that go with the items of a session
    Recommend(recommend::Args),
    /// Measure how good the rankings are on recorded data
    Eval(eval::Args),
    /// Print a completion script for a shell
    #[command(after_help = "Example: tidemill completions bash > /etc/bash_completion.d/tidemill")]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

impl Cli {
    /// What is asked on the command line, with what the file of `--config` says.
    pub fn asked() -> Result<Cli, Error> {
        let mut words: Vec<OsString> = std::env::args_os().collect();
        if let Some(Command::Check(check)) = Cli::parse_from(&words).command {
            words.truncate(1);
            words.extend(["run", "--check", "--config"].map(OsString::from));
            words.push(check.config.into());
        }
        configured::parse(words)
    }

    /// Does what was asked. `exit` ends the process, for signals that cannot wait.
    pub fn run(self, exit: fn(i32) -> !) -> Result<(), Error> {
        signals::watch(exit);
        match self.command {
            None => demo::Args::plain().run(),
            Some(Command::Run(args)) => args.run(),
            Some(Command::Config(args)) => args.run(),
            // It is asked as a run; see `asked`.
            Some(Command::Check(_)) => Ok(()),
            Some(Command::Inspect(args)) => args.run(),
            Some(Command::Demo(args)) => args.run(),
            Some(Command::Queries(args)) => args.run(),
            Some(Command::Generate(args)) => args.run(),
            Some(Command::Score(args)) => args.run(),
            Some(Command::Record(args)) => args.run(),
            Some(Command::Verify(args)) => args.run(),
            Some(Command::State(args)) => args.run(),
            Some(Command::Bench(args)) => args.run(),
            Some(Command::Watch(args)) => args.run(),
            Some(Command::Plot(args)) => args.run(),
            Some(Command::Recommend(args)) => args.run(),
            Some(Command::Eval(args)) => args.run(),
            Some(Command::Completions { shell }) => {
                let mut script = Vec::new();
                clap_complete::generate(shell, &mut Cli::command(), "tidemill", &mut script);
                print(&String::from_utf8_lossy(&script))
            }
        }
    }
}

/// The command that is running, as one would type it.
fn command_line() -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,%@+".contains(c);
    let words = std::env::args().skip(1).map(|word| match word.chars().all(plain) {
        true if !word.is_empty() => word,
        _ => format!("'{}'", word.replace('\'', "'\\''")),
    });
    std::iter::once("tidemill".to_string()).chain(words).collect::<Vec<_>>().join(" ")
}

/// Says something on standard error; if that is closed or full, nothing can be said.
fn say(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr().lock(), "{}", crate::shown::message(text));
}

/// Writes to standard output; a reader that has gone away (`| head`) is not an error.
fn print(text: &str) -> Result<(), Error> {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Error::file("standard output")(e))
        }
        _ => Ok(()),
    }
}
