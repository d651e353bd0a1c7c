//! `plot:DIR`: a picture of each view by hour or hour of day, `DIR/<query>.svg`, drawn at the end.

use super::{Schema, Sink, csv, make_directory};
use crate::error::Error;
use crate::operator::Port;
use crate::plot::{PlotOptions, Table, plot_table};
use crate::value::Decimals;
use std::path::{Path, PathBuf};

pub(super) struct Plots {
    files: Vec<(PathBuf, Schema)>,
    decimals: Decimals,
}

impl Plots {
    pub fn open(dir: &Path, views: &[Schema], decimals: Decimals) -> Result<Plots, Error> {
        make_directory(dir)?;
        let files = views.iter().map(|v| (dir.join(format!("{}.svg", v.name)), v.clone()));
        Ok(Plots { files: files.collect(), decimals })
    }
}

impl Sink for Plots {
    fn wants_view(&self) -> bool {
        true
    }

    fn views(&mut self, ports: &mut [Box<dyn Port>], done: bool) -> Result<(), Error> {
        if !done {
            return Ok(());
        }
        for ((path, schema), port) in self.files.iter().zip(ports) {
            if !schema.is_hourly() {
                continue;
            }
            let mut text = Vec::new();
            csv::write(&mut text, schema, &mut **port, self.decimals).map_err(Error::file(path))?;
            let table = Table::from_reader(schema.name, text.as_slice())
                .map_err(|e| Error::file(path)(e.into()))?;
            let options = PlotOptions {
                title: Some(schema.name.replace('_', " ")),
                ..PlotOptions::default()
            };
            let svg = plot_table(&table, &options)?;
            super::replace_file(path, |out| out.write_all(svg.as_bytes()))?;
        }
        Ok(())
    }
}
