//! The digest sink: per view its number of rows and a checksum, to compare runs by. Rows are taken
//! in their order and as the csv sink would write them, so equal digests mean equal views.

use super::pending::Pending;
use super::{Schema, Sink};
use crate::error::Error;
use crate::files;
use crate::operator::Port;
use crate::value::Decimals;
use std::path::{Path, PathBuf};

pub(super) struct Digests {
    path: PathBuf,
    names: Vec<&'static str>,
    pending: Pending,
    decimals: Decimals,
}

impl Digests {
    pub fn open(path: &Path, views: &[Schema], decimals: Decimals) -> Result<Digests, Error> {
        files::check(path).map_err(Error::file(path))?;
        let names = views.iter().map(|v| v.name).collect();
        Ok(Digests { path: path.to_path_buf(), names, pending: Pending::default(), decimals })
    }
}

impl Sink for Digests {
    fn stage(&mut self, ports: &mut [Box<dyn Port>], _ended: bool) -> Result<(), Error> {
        let mut text = String::from("view,rows,crc32c\n");
        for (name, port) in self.names.iter().zip(ports) {
            let Digest { rows, crc } = digest(&mut **port, self.decimals);
            text.push_str(&format!("{name},{rows},{crc:08x}\n"));
        }
        self.pending.write(&self.path, |out| out.write_all(text.as_bytes()))
    }

    fn publish(&mut self) -> Result<(), Error> {
        self.pending.publish()
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
