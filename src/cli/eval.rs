//! `tidemill eval`: how good rankings are, measured on recorded data.

use crate::error::Error;
use crate::lab::eval::clicks;
use crate::lab::eval::{EvalOptions, evaluate};
use std::path::PathBuf;

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  tidemill eval recommend --train train.txt --valid valid.txt --test test.txt
  tidemill eval recommend --train train.txt --valid valid.txt --test test.txt --format json \\
      | jq '.results[] | select(.protocol == \"streaming\" and .reminder)'")]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand, Debug)]
enum What {
    /// Predict each next click of recorded sessions: MRR@20, HR@20, coverage and latency
    Recommend(Recommend),
}

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  tidemill eval recommend --train train.txt --valid valid.txt --test test.txt
  tidemill eval recommend --train train.txt --valid valid.txt --test test.txt --no-reminder

The files have a header that names a session, an item and a time in seconds, in any order
(SessionId, ItemId, Time), parted by tabs, commas or semicolons.
Protocols: static (the index holds train), streaming (each click is learnt after it was
predicted), streaming_valid (the clicks of valid are learnt too, each at its time).
Each is measured with the reminder (the session's own items may come back) and without. The item
that is being looked at is never recommended, unless --allow-current says so: where sessions often
have the same item twice in a row, that is what is measured.")]
struct Recommend {
    /// The clicks to learn from
    #[arg(long, value_name = "FILE")]
    train: PathBuf,
    /// Further clicks, learnt when streaming with streaming_valid
    #[arg(long, value_name = "FILE")]
    valid: PathBuf,
    /// The clicks to predict
    #[arg(long, value_name = "FILE")]
    test: PathBuf,
    /// Leave out the figures with the reminder
    #[arg(long)]
    no_reminder: bool,
    /// Let the item that is being looked at, the session's last, come back as well
    #[arg(long)]
    allow_current: bool,
    /// How to print the figures
    #[arg(long, default_value = "text")]
    format: super::recommend::Format,
}

impl Args {
    pub fn run(self) -> Result<(), Error> {
        match self.what {
            What::Recommend(args) => args.run(),
        }
    }
}

impl Recommend {
    fn run(self) -> Result<(), Error> {
        let (train, valid) = (clicks::read(&self.train)?, clicks::read(&self.valid)?);
        let test = clicks::read(&self.test)?;
        if test.is_empty() {
            let file = self.test.display();
            let what = format!("--test {file}: there are no clicks to predict in it");
            return Err(Error::Usage(what));
        }
        let mut options = EvalOptions::default();
        if self.allow_current {
            options.rankers.iter_mut().for_each(|(_, ranker)| ranker.allow_current());
        }
        let mut report = evaluate(&train, &valid, &test, &options)?;
        if self.no_reminder {
            report.results.retain(|line| !line.reminder);
            report.comparisons.retain(|line| !line.reminder);
        }
        match self.format {
            super::recommend::Format::Text => super::print(&report.to_string()),
            // A report of plain numbers and names can always be written.
            super::recommend::Format::Json => {
                let json = serde_json::to_string_pretty(&report).unwrap_or_default();
                super::print(&format!("{json}\n"))
            }
        }
    }
}
