//! `plot:DIR`: a picture of each view by hour or hour of day, `DIR/<query>.svg`, drawn at the end.

use super::pending::Pending;
use super::{Schema, Sink, csv};
use crate::error::Error;
use crate::files;
use crate::operator::Port;
use crate::plot::{PlotOptions, Table, plot_table};
use crate::value::Decimals;
use std::path::{Path, PathBuf};

pub(super) struct Plots {
    files: Vec<(PathBuf, Schema)>,
    pending: Pending,
    decimals: Decimals,
}

impl Plots {
    pub fn open(dir: &Path, views: &[Schema], decimals: Decimals) -> Result<Plots, Error> {
        let pending = Pending::within(dir)?;
        let files = views.iter().map(|v| (dir.join(format!("{}.svg", v.name)), v.clone()));
        let files: Vec<(PathBuf, Schema)> = files.collect();
        for (path, _) in files.iter().filter(|(_, schema)| schema.is_hourly()) {
            files::check(path).map_err(Error::file(path))?;
        }
        Ok(Plots { files, pending, decimals })
    }
}

impl Sink for Plots {
    fn wants_view(&self) -> bool {
        true
    }

    fn stage(&mut self, ports: &mut [Box<dyn Port>], _ended: bool) -> Result<(), Error> {
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
            self.pending.write(path, |out| out.write_all(svg.as_bytes()))?;
        }
        Ok(())
    }

    fn publish(&mut self) -> Result<(), Error> {
        self.pending.publish()
    }
}
