//! `tidemill plot`: a view's CSV as a picture.

use crate::error::Error;
use crate::plot::{PlotOptions, Shape, plot_csv};
use std::path::PathBuf;

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  tidemill plot out/hourly_transactions.csv --out t.svg
  tidemill plot out/hourly_behavior.csv --out b.svg --columns page_views,orders --kind bar")]
pub struct Args {
    /// The view, as the csv sink wrote it
    view: PathBuf,
    /// The picture to write
    #[arg(long, value_name = "FILE.svg")]
    out: PathBuf,
    /// Heading [default: the file's name]
    #[arg(long)]
    title: Option<String>,
    /// Value columns to draw [default: all]
    #[arg(long, value_delimiter = ',')]
    columns: Vec<String>,
    /// Lines or bars [default: lines by time, bars otherwise]
    #[arg(long)]
    kind: Option<Kind>,
    /// Width in pixels
    #[arg(long, default_value_t = PlotOptions::default().width)]
    width: u32,
    /// Height of each panel in pixels
    #[arg(long, default_value_t = PlotOptions::default().height_per_panel)]
    height: u32,
}

#[derive(clap::ValueEnum, Clone, Copy, Debug)]
enum Kind {
    Line,
    Bar,
}

impl Args {
    pub fn run(self) -> Result<(), Error> {
        let kind = self.kind.map(|kind| match kind {
            Kind::Line => Shape::Line,
            Kind::Bar => Shape::Bar,
        });
        let options = PlotOptions {
            title: self.title,
            columns: self.columns,
            kind,
            width: self.width,
            height_per_panel: self.height,
        };
        plot_csv(&self.view, &self.out, &options)?;
        crate::cli::say(&format!("wrote {}", self.out.display()));
        Ok(())
    }
}
