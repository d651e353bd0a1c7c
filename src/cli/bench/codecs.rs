//! `tidemill bench codecs`: how fast a source is read as it is, and as a replay log in each codec.

use super::workload::Workload;
use crate::error::Error;
use crate::lab::bench::measure::Spread;
use crate::lab::bench::progress::Progress;
use crate::lab::bench::reading::{Read, read, same};
use crate::lab::bench::sheet::{self, figure};
use crate::lab::bench::workload::Workload as Plain;
use crate::plan::sources;
use crate::source::Input;
use crate::source::replay_log::Codec;

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

impl Args {
    pub fn run(self) -> Result<(), Error> {
        let workload = &self.workload.workload();
        let texts = workload.texts()?;
        let opened = sources::open(&texts, &Default::default(), Default::default())?;
        if opened.inputs.iter().any(|(_, input)| matches!(input, Input::Recorded(_))) {
            let why = "a replay log is what sources are compared with here; give a CSV file";
            return Err(Error::Usage(why.into()));
        }
        let codecs = [Codec::Columnar, Codec::Abomonation].into_iter().filter(|c| c.is_built());
        let progress = Progress::new(2 * codecs.clone().count() as u64 + 2);
        progress.step("reading the source");
        let expected = read(workload, &texts)?;
        let events = expected.iter().map(|(_, batch)| batch.len() as u64).sum();
        progress.step("measuring: the source");
        let source = Read { name: "source", sources: &texts, events, bytes: opened.bytes };
        let mut lines = vec![self.measure(workload, &source)?];
        for codec in codecs {
            let name = codec.name();
            progress.step(&format!("writing: {name}"));
            let path = workload.out.join(format!(".codec-{name}.tide"));
            workload.record(workload.over(&texts)?, codec, &path)?;
            let log = [path.display().to_string()];
            let bytes = std::fs::metadata(&path).map(|m| m.len()).ok();
            progress.step(&format!("measuring: {name}"));
            let line = match same(&read(workload, &log)?, &expected) {
                true => self.measure(workload, &Read { name, sources: &log, events, bytes }),
                false => Err(Error::Experiment(format!(
                    "{name}: what was read is not what was written, so there is no figure; please report this with the command"
                ))),
            };
            // It was made here and is in nobody's way if it stays.
            let _ = std::fs::remove_file(&path);
            lines.push(line?);
        }
        progress.end();
        let header = ["read", "events", "Mevents/s", "least", "most", "MB/s", "bytes/event"];
        super::print(&header, &lines)?;
        let panels = ["read", "million events per second", "bytes per event"];
        let bars = lines.iter().map(|line| [0, 2, 6].map(|i| line[i].clone()).to_vec());
        let title = "reading a source and its replay logs, one thread";
        super::tell(sheet::draw(&workload.out, "codecs", title, &panels, bars.collect())?)
    }

    /// A line for the terminal; each run is a row of the sheet.
    fn measure(&self, workload: &Plain, what: &Read<'_>) -> Result<Vec<String>, Error> {
        let costs = (0..self.runs).map(|_| what.cost(workload)).collect::<Result<Vec<_>, _>>()?;
        let rate = |seconds: f64| what.events as f64 / seconds / 1e6;
        let bytes = what.bytes.map_or(f64::NAN, |bytes| bytes as f64);
        let each = figure(bytes / what.events.max(1) as f64);
        let setting = sheet::setting(workload, 1, 1);
        let rows = costs.iter().zip(1..).map(|(cost, i)| {
            let mut row = setting.clone();
            row.extend([
                ("run", format!("{i}")),
                ("read", what.name.to_string()),
                ("events", what.events.to_string()),
                ("events_per_s", figure(rate(cost.seconds) * 1e6)),
                ("seconds", figure(cost.seconds)),
                ("cpu_seconds", figure(cost.cpu_seconds)),
                ("bytes_per_event", each.clone()),
                ("verified", "yes".to_string()),
            ]);
            row
        });
        sheet::append(&workload.out, "codecs", &rows.collect::<Vec<_>>())?;
        let Spread { least, median, most } = Spread::of(costs.iter().map(|cost| cost.seconds));
        Ok(vec![
            what.name.to_string(),
            what.events.to_string(),
            figure(rate(median)),
            figure(rate(most)),
            figure(rate(least)),
            figure(bytes / median / 1e6),
            each,
        ])
    }
}
