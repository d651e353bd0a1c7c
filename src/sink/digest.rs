//! The digest sink: per view its number of rows and a checksum, to compare runs by. Rows are taken
//! in their order and as the csv sink would write them, so equal digests mean equal views.

use super::{Schema, Sink, replace_file};
use crate::error::Error;
use crate::operator::Port;
use crate::value::Decimals;
use std::path::PathBuf;

pub(super) struct Digests {
    path: PathBuf,
    names: Vec<&'static str>,
    decimals: Decimals,
}

impl Digests {
    pub fn new(path: PathBuf, views: &[Schema], decimals: Decimals) -> Digests {
        Digests { path, names: views.iter().map(|v| v.name).collect(), decimals }
    }
}

impl Sink for Digests {
    fn views(&mut self, ports: &mut [Box<dyn Port>], done: bool) -> Result<(), Error> {
        if !done {
            return Ok(());
        }
        let mut text = String::from("view,rows,crc32c\n");
        for (name, port) in self.names.iter().zip(ports) {
            let Digest { rows, crc } = digest(&mut **port, self.decimals);
            text.push_str(&format!("{name},{rows},{crc:08x}\n"));
        }
        replace_file(&self.path, |out| out.write_all(text.as_bytes()))
    }

    fn wants_view(&self) -> bool {
        true
    }
}

/// What a view comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest {
    /// Its rows.
    pub rows: u64,
    /// Their checksum.
    pub crc: u32,
}

/// The digest of the view at a port that keeps it.
pub fn digest(port: &mut dyn Port, decimals: Decimals) -> Digest {
    let (mut rows, mut crc, mut line) = (0, 0, String::new());
    port.view(&mut |row, count| {
        line.clear();
        for cell in row.cells() {
            cell.write(decimals, &mut line);
            line.push('\u{1f}');
        }
        line.push_str(&format!("{count}\n"));
        crc = crc32c::crc32c_append(crc, line.as_bytes());
        rows += count.unsigned_abs() as u64;
    });
    Digest { rows, crc }
}
