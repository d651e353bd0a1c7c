//! Where figures are kept: one CSV per experiment, a row per run, and a picture.

use super::workload::Workload;
use crate::error::Error;
use crate::plot::{Curves, PlotOptions, Table, plot_curves, plot_table};
use crate::sink::replace_file;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A figure and its name.
pub type Cell = (&'static str, String);
/// A row of figures.
pub type Row = Vec<Cell>;

/// A number for a table: three digits that matter.
pub fn figure(number: f64) -> String {
    match number.abs() {
        x if !x.is_finite() => String::new(),
        x if x >= 100.0 => format!("{number:.0}"),
        x if x >= 10.0 => format!("{number:.1}"),
        x if x >= 1.0 => format!("{number:.2}"),
        _ => format!("{number:.4}"),
    }
}

/// Where and with what a row was measured.
pub fn setting(workload: &Workload, workers: usize, processes: usize) -> Row {
    vec![
        ("date", date()),
        ("commit", commit()),
        ("machine", machine()),
        ("rustc", output("rustc", &["--version"]).unwrap_or_else(|| "unknown".into())),
        ("command", workload.command.clone()),
        ("seed", workload.seed.to_string()),
        ("workers", workers.to_string()),
        ("processes", processes.to_string()),
    ]
}

fn date() -> String {
    jiff::Timestamp::now()
        .round(jiff::Unit::Second)
        .map_or_else(|_| String::new(), |t| t.to_string())
}

fn output(program: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(program).args(args).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_string();
    output.status.success().then_some(text)
}

/// The commit of the directory in which it is measured, with + if something in it was changed.
fn commit() -> String {
    let head = output("git", &["rev-parse", "--short=10", "HEAD"]);
    let clean = output("git", &["status", "--porcelain", "--untracked-files=no"]);
    let changed = if clean.is_none_or(|text| text.is_empty()) { "" } else { "+" };
    head.map_or_else(|| "unknown".into(), |head| format!("{head}{changed}"))
}

fn machine() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    let model = model.map_or(std::env::consts::ARCH, |(_, name)| name.trim());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{model} x {cores}")
}

/// Appends rows, all with the same columns, to `DIR/<name>.csv`.
pub fn append(dir: &Path, name: &str, rows: &[Row]) -> Result<(), Error> {
    let path = dir.join(format!("{name}.csv"));
    let header: Vec<&str> = rows.iter().take(1).flatten().map(|(column, _)| *column).collect();
    let new = match csv::Reader::from_path(&path) {
        Err(_) => true,
        Ok(mut known) => {
            let same = known.headers().is_ok_and(|known| known.iter().eq(header.iter().copied()));
            if !same {
                return Err(Error::Usage(format!(
                    "{}: has other columns than this version writes; move it away or choose another --out",
                    path.display()
                )));
            }
            false
        }
    };
    let wrap = |e: csv::Error| Error::file(&path)(std::io::Error::other(e));
    let mut text = csv::Writer::from_writer(Vec::new());
    if new {
        text.write_record(&header).map_err(wrap)?;
    }
    for row in rows {
        text.write_record(row.iter().map(|(_, value)| value)).map_err(wrap)?;
    }
    let bytes = text.into_inner().unwrap_or_default(); // a vector can be written to
    let file = std::fs::OpenOptions::new().create(true).append(true).open(&path);
    file.and_then(|mut file| file.write_all(&bytes)).map_err(Error::file(&path))
}

/// Draws `DIR/<name>.svg`: a bar per row, a panel per column but the first; gives where that is.
pub fn draw(
    dir: &Path,
    name: &str,
    title: &str,
    header: &[&str],
    rows: Vec<Vec<String>>,
) -> Result<PathBuf, Error> {
    let table =
        Table { name: name.into(), header: header.iter().map(ToString::to_string).collect(), rows };
    let options = PlotOptions { title: Some(title.into()), ..PlotOptions::default() };
    write_picture(dir, name, &plot_table(&table, &options)?)
}

/// Draws `DIR/<name>.svg`: curves; gives where that is.
pub fn draw_curves(dir: &Path, name: &str, curves: &Curves) -> Result<PathBuf, Error> {
    write_picture(dir, name, &plot_curves(curves))
}

fn write_picture(dir: &Path, name: &str, svg: &str) -> Result<PathBuf, Error> {
    let path = dir.join(format!("{name}.svg"));
    replace_file(&path, |out| out.write_all(svg.as_bytes()))?;
    Ok(path)
}

/// A table for the reader at the terminal.
pub fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let width = |i: usize| {
        let cells = rows.iter().filter_map(|row| row.get(i)).map(|cell| cell.len());
        cells.chain(header.get(i).map(|h| h.len())).max().unwrap_or(0)
    };
    let line = |cells: Vec<&str>| {
        let padded = cells.iter().enumerate().map(|(i, cell)| match i {
            0 => format!("{cell:<width$}", width = width(i)),
            _ => format!("{cell:>width$}", width = width(i)),
        });
        padded.collect::<Vec<_>>().join("  ").trim_end().to_string() + "\n"
    };
    let mut text = line(header.to_vec());
    for row in rows {
        text.push_str(&line(row.iter().map(String::as_str).collect()));
    }
    text
}
