//! `tidemill state`: what a run has written down, for a person to look at.

use super::show::{grouped, moment};
use crate::checkpoint::{Store, Witness};
use crate::error::Error;
use std::path::PathBuf;

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  tidemill state show state          the checkpoints: how far, which sources, what takes the room
  tidemill state verify state        reads all of them; says which are sound

Both only read, also while a run writes there.
Exit codes: 0 done and sound, 1 something is damaged, 2 wrong use.")]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand, Debug)]
enum What {
    /// Show the checkpoints of a directory of --state
    Show {
        /// The directory
        dir: PathBuf,
        /// How many operators are listed of the newest one, those with most bytes first
        #[arg(long, default_value_t = 10, value_name = "N")]
        top: usize,
    },
    /// Read every checkpoint of a directory of --state and say whether it is sound
    Verify {
        /// The directory
        dir: PathBuf,
    },
}

impl Args {
    pub fn run(self) -> Result<(), Error> {
        let (What::Show { dir, .. } | What::Verify { dir }) = &self.what;
        if !dir.is_dir() {
            let what = format!("{}: there is no such directory", dir.display());
            return Err(Error::Usage(what));
        }
        let all = Store::look(dir)?;
        if all.is_empty() {
            let what = format!("{}: no run has kept its state there", dir.display());
            return Err(Error::Usage(what));
        }
        let mut text = String::new();
        for witness in &all {
            text += &line(witness);
        }
        if let (What::Show { top, .. }, Some(newest)) = (&self.what, all.first()) {
            text += &details(newest, *top);
        }
        super::print(&text)?;
        let damaged = all.iter().filter(|witness| witness.damage.is_some()).count();
        match damaged {
            0 => Ok(()),
            n => Err(Error::Experiment(format!("{}: {n} of {} damaged", dir.display(), all.len()))),
        }
    }
}

fn line(witness: &Witness) -> String {
    let number = witness.sequence;
    match (&witness.damage, &witness.manifest) {
        (Some(what), _) => format!("checkpoint {number}: DAMAGED: {what}\n"),
        (None, Some(manifest)) => match &manifest.checkpoint {
            None => format!("checkpoint {number}: begun, and nothing in it yet\n"),
            Some((saved, file)) => format!(
                "checkpoint {number}: complete up to {}, {} queries, {} entries, {} bytes, sound\n",
                moment(saved.at.signed()),
                saved.queries.len(),
                grouped(saved.entries),
                grouped(file.bytes),
            ),
        },
        (None, None) => String::new(),
    }
}

/// The sources, the sinks and the largest operators.
fn details(witness: &Witness, top: usize) -> String {
    let mut text = String::new();
    if let Some(saved) = witness.manifest.as_ref().and_then(|manifest| manifest.saved()) {
        for source in &saved.sources {
            let at = &source.position;
            let end = if at.ended { ", to its end" } else { "" };
            let bad = if at.bad > 0 { format!(", {} bad", grouped(at.bad)) } else { String::new() };
            let name = crate::shown::shown(&source.name, 200);
            let (stream, bytes) = (&source.stream, grouped(at.offset));
            text += &format!("  source  {stream}={name}: {bytes} bytes{end}{bad}\n");
        }
        for held in &saved.sinks {
            text += &format!("  sink    {}\n", crate::shown::shown(&held.sink, 200));
        }
    }
    let mut sizes: Vec<_> = witness.contents.iter().flat_map(|contents| contents.sizes()).collect();
    sizes.sort_by_key(|(name, size)| (std::cmp::Reverse(size.bytes), *name));
    for (name, size) in sizes.iter().take(top) {
        let (entries, bytes) = (grouped(size.entries), grouped(size.bytes));
        let (part, operator) = name.rsplit_once('/').unwrap_or(("", name));
        let name = format!("{}/{operator}", crate::shown::shown(part, 40));
        text += &format!("  state   {bytes:>14} bytes {entries:>12} entries  {name}\n");
    }
    text
}
