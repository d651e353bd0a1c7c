//! Measured runs and their figures: each is the median over several runs, with the spread.

use super::process::{Division, Measured, run, verify};
use super::progress::Progress;
use super::sheet::{self, figure};
use super::workload::Workload;
use crate::error::Error;

/// The least, middle and greatest of some figures.
#[derive(Clone, Copy, Debug)]
pub struct Spread {
    /// The least.
    pub least: f64,
    /// The middle.
    pub median: f64,
    /// The greatest.
    pub most: f64,
}

impl Spread {
    /// Of at least one figure.
    pub fn of(figures: impl IntoIterator<Item = f64>) -> Spread {
        let mut all: Vec<f64> = figures.into_iter().collect();
        all.sort_by(f64::total_cmp);
        let at = |i: usize| all.get(i).copied().unwrap_or(f64::NAN);
        let (n, middle) = (all.len(), all.len() / 2);
        let median =
            if n % 2 == 1 { at(middle) } else { (at(middle.wrapping_sub(1)) + at(middle)) / 2.0 };
        Spread { least: at(0), median, most: at(n.wrapping_sub(1)) }
    }
}

/// How runs are made.
pub struct Measurement<'a> {
    pub workload: &'a Workload,
    pub sources: &'a [String],
    pub division: Division,
    pub runs: u16,
}

impl Measurement<'_> {
    /// Runs some queries several times and verifies each run.
    pub fn of(
        &self,
        queries: &[String],
        expected: &str,
        progress: &Progress,
    ) -> Result<Figures, Error> {
        let mut each = Vec::new();
        for i in 1..=self.runs {
            progress.step(&format!("{}: run {i} of {}", self.division, self.runs));
            let measured = run(self.workload, self.sources, queries, self.division)?;
            verify(&format!("run {i}"), &measured.views, expected)?;
            each.push(measured);
        }
        let of = |f: fn(&Measured) -> f64| Spread::of(each.iter().map(f));
        Ok(Figures {
            division: self.division,
            seconds: of(|m| m.cost.seconds),
            cpu: of(|m| m.cost.cpu_seconds),
            peak: of(|m| m.cost.peak_bytes as f64 / 1e6),
            each,
        })
    }
}

/// Figures of several runs, of at least one.
pub struct Figures {
    division: Division,
    pub seconds: Spread,
    pub cpu: Spread,
    pub peak: Spread,
    each: Vec<Measured>,
}

/// The columns of `Figures::cells`.
pub const HEADER: [&str; 8] =
    ["workers x processes", "events", "Mevents/s", "least", "most", "wall s", "CPU s", "peak MB"];

impl Figures {
    /// Events read, good and bad; the same in each run.
    pub fn events(&self) -> u64 {
        self.each.first().map_or(0, |measured| measured.cost.records)
    }

    /// Rows of all views at the end.
    pub fn view_rows(&self) -> u64 {
        let views = self.each.first().map_or("", |measured| measured.views.as_str());
        let rows = |line: &str| line.split(',').nth(1)?.parse::<u64>().ok();
        views.lines().filter_map(rows).sum()
    }

    /// Millions of events per second in so many seconds.
    pub fn rate(&self, seconds: f64) -> f64 {
        self.events() as f64 / seconds / 1e6
    }

    /// Adds a row per run to a sheet.
    pub fn keep(&self, name: &str, workload: &Workload, more: &[sheet::Cell]) -> Result<(), Error> {
        let setting = sheet::setting(workload, self.division.workers, self.division.processes);
        let rows = self.each.iter().zip(1..).map(|(measured, i)| {
            let cost = &measured.cost;
            let mut row = setting.clone();
            row.push(("run", format!("{i}")));
            row.extend(more.iter().cloned());
            row.extend([
                ("events", cost.records.to_string()),
                ("events_per_s", figure(cost.records as f64 / cost.seconds)),
                ("seconds", figure(cost.seconds)),
                ("cpu_seconds", figure(cost.cpu_seconds)),
                ("peak_mb", figure(cost.peak_bytes as f64 / 1e6)),
                ("verified", "yes".into()),
            ]);
            row
        });
        sheet::append(&workload.out, name, &rows.collect::<Vec<_>>())
    }

    /// For the terminal.
    pub fn cells(&self) -> Vec<String> {
        vec![
            self.division.to_string(),
            self.events().to_string(),
            figure(self.rate(self.seconds.median)),
            figure(self.rate(self.seconds.most)),
            figure(self.rate(self.seconds.least)),
            figure(self.seconds.median),
            figure(self.cpu.median),
            figure(self.peak.median),
        ]
    }

    /// For the picture: a row per run.
    pub fn bars(&self) -> Vec<Vec<String>> {
        let rows = self.each.iter().zip(1..).map(|(measured, i)| {
            let cost = &measured.cost;
            vec![
                format!("run {i}"),
                figure(self.rate(cost.seconds)),
                figure(cost.cpu_seconds),
                figure(cost.peak_bytes as f64 / 1e6),
            ]
        });
        rows.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Spread;

    #[test]
    fn spreads() {
        let spread = Spread::of([3.0, 1.0, 2.0]);
        assert_eq!((spread.least, spread.median, spread.most), (1.0, 2.0, 3.0));
        assert_eq!(Spread::of([4.0, 1.0]).median, 2.5);
        assert!(Spread::of([]).median.is_nan());
    }
}
