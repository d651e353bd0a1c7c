//! `tidemill config` and `tidemill check`: a run in a file.

use crate::error::Error;
use std::path::PathBuf;

/// What can be asked of a file that describes a run.
#[derive(clap::Subcommand, Debug)]
pub enum Args {
    /// Print an example with every section, and what each key means
    #[command(after_help = "Example: tidemill config example > tidemill.toml")]
    Example,
}

impl Args {
    pub fn run(self) -> Result<(), Error> {
        match self {
            Args::Example => super::print(include_str!("example.toml")),
        }
    }
}

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Example: tidemill check tidemill.toml

Opens every source that the file names, reads the first 1,000 rows of each and tells how they are read;
nothing is run, and nothing written. The same as tidemill run --check --config FILE.

Exit codes: 0 it can run, 1 a source cannot be read, 2 something in the file is wrong.")]
pub struct Check {
    /// The file
    pub config: PathBuf,
}
