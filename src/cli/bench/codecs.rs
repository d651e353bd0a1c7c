//! `tidemill bench codecs`: how fast a source is read as it is, and as a replay log in each codec.

use super::Spread;
use super::sheet::{self, figure};
use super::workload::Workload;
use crate::batch::Batch;
use crate::cli::report::Meter;
use crate::error::Error;
use crate::event::Stream;
use crate::source::replay_log::{Codec, Header, Writer};

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  tidemill bench codecs --source transactions=transaction.csv
  tidemill bench codecs --events 1000000 --runs 9

Reads everything the source has, on one thread: as it is (for a CSV: finding lines and fields,
parsing, cleaning, stamping) and from a replay log in each codec this program was built with
(reading, checksum, decoding). What is read must be equal. Build with
`cargo build --release --features abomonation` to have both codecs.")]
pub struct Args {
    #[command(flatten)]
    workload: Workload,
    /// Measured runs each; the median counts
    #[arg(long, default_value_t = 5, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    runs: u16,
}

type Batches = Vec<(Stream, Batch)>;

impl Args {
    pub fn run(self) -> Result<(), Error> {
        let workload = &self.workload;
        let sources = workload.sources()?;
        let size = |file: &str| std::fs::metadata(file).map_or(0, |m| m.len());
        let path_of = |source: &str| source.split_once('=').map_or(source, |(_, p)| p).to_string();
        let bytes = sources.iter().map(|source| size(&path_of(source))).sum();
        let expected = read(workload, &sources)?;
        let rows: usize = expected.iter().map(|(_, batch)| batch.len()).sum();
        let mut lines = vec![self.measure("source", &sources, rows, bytes)?];
        for codec in [Codec::Columnar, Codec::Abomonation].into_iter().filter(|c| c.is_built()) {
            let path = workload.out.join(format!(".codec-{}.tide", codec.name()));
            let (feeds, tick) = workload.launch(&sources)?.everything()?;
            let header =
                Header::new(codec, tick, 2, feeds.recorded(), "tidemill bench codecs".into());
            let mut writer = Writer::create(&path, &header)?;
            feeds.read_all(|partition, batch| writer.write(partition.index(), &batch))?;
            writer.finish()?;
            let log = [path.display().to_string()];
            let same = same(&read(workload, &log)?, &expected);
            let line = same.then(|| self.measure(codec.name(), &log, rows, size(&log[0])));
            // It was made here and is in nobody's way if it stays.
            let _ = std::fs::remove_file(&path);
            lines.push(line.ok_or_else(|| {
                let name = codec.name();
                Error::Experiment(format!("{name}: what was read is not what was written"))
            })??);
        }
        let header = ["read", "Mevents/s", "least", "most", "bytes/event"];
        sheet::print(&header, &lines)?;
        let panels = ["read", "million events per second", "bytes per event"];
        let bars = lines.iter().map(|l| vec![l[0].clone(), l[1].clone(), l[4].clone()]);
        sheet::draw(
            &workload.out,
            "codecs",
            "reading a source and its replay logs",
            &panels,
            bars.collect(),
        )
    }

    fn measure(
        &self,
        name: &str,
        sources: &[String],
        rows: usize,
        bytes: u64,
    ) -> Result<Vec<String>, Error> {
        let workload = &self.workload;
        let mut seconds = Vec::new();
        for _ in 0..self.runs {
            let (feeds, _) = workload.launch(sources)?.everything()?;
            let (meter, mut read) = (Meter::start(), 0);
            feeds.read_all(|_, batch| {
                read += batch.len();
                Ok::<(), Error>(())
            })?;
            seconds.push(meter.cost(read as u64, 0).seconds);
        }
        let spread = Spread::of(seconds);
        let rate = |seconds: f64| rows as f64 / seconds / 1e6;
        let each = figure(bytes as f64 / rows.max(1) as f64);
        let mut row = sheet::setting(workload.seed, 1, 1);
        row.extend([
            ("runs", self.runs.to_string()),
            ("read", name.to_string()),
            ("events", rows.to_string()),
            ("million_events_per_s", figure(rate(spread.median))),
            ("least", figure(rate(spread.most))),
            ("most", figure(rate(spread.least))),
            ("bytes_per_event", each.clone()),
            ("verified", "yes".to_string()),
        ]);
        sheet::append(&workload.out, "codecs", &row)?;
        let [middle, least, most] =
            [spread.median, spread.most, spread.least].map(|s| figure(rate(s)));
        Ok(vec![name.to_string(), middle, least, most, each])
    }
}

fn read(workload: &Workload, sources: &[String]) -> Result<Batches, Error> {
    let (feeds, _) = workload.launch(sources)?.everything()?;
    let mut all = Batches::new();
    feeds.read_all(|partition, batch| {
        all.push((partition.stream, batch));
        Ok::<(), Error>(())
    })?;
    Ok(all)
}

/// Equal but for batches that are empty, which are not recorded.
fn same(a: &Batches, b: &Batches) -> bool {
    fn filled(batches: &Batches) -> impl Iterator<Item = &(Stream, Batch)> {
        batches.iter().filter(|(_, batch)| !batch.is_empty())
    }
    filled(a).eq(filled(b))
}
