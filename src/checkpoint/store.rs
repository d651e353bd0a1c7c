//! The directory of `--state`: finds the checkpoint to begin with, and commits new ones.

use super::manifest::{FORMAT, Filed, Manifest, Saved};
use super::{Directory, Disk, Out, StateError};
use crate::error::Error;
use crate::files::{Hold, hold};
use crate::operator::memory::Contents;
use crate::source::stamps;
use std::collections::BTreeSet;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

/// The checkpoints of a directory, for the one run that writes there.
pub struct Store {
    disk: Arc<dyn Disk>,
    epoch: u64,
    last: Manifest,
    /// The checkpoint before the last, if it is sound.
    before: Option<Manifest>,
    _lock: Option<Hold>,
}

/// A directory, and what a run goes on from.
pub struct Opened {
    /// Where it writes.
    pub store: Store,
    /// The checkpoint, if there is one.
    pub checkpoint: Option<(Saved, Contents)>,
    /// What is to be said of the directory.
    pub notes: Vec<String>,
}

/// A checkpoint as it is found by who only looks.
pub struct Witness {
    /// Its number.
    pub sequence: u64,
    /// What it consists of, if that can be read.
    pub manifest: Option<Manifest>,
    /// What operators remembered.
    pub contents: Option<Contents>,
    /// What is wrong with it.
    pub damage: Option<String>,
}

const EPOCH: &str = "epoch";

impl Store {
    /// Opens the directory for this run alone; makes it if need be.
    pub fn open(path: &Path) -> Result<Opened, Error> {
        let disk = Directory::at(path).map_err(Error::file(path))?;
        // Before anything of ours is put among it.
        refuse_foreign(&disk.place(), &disk.names().map_err(Error::file(path))?)?;
        let lock = Store::lock(path)?;
        let mut opened = Store::on(Arc::new(disk))?;
        opened.store._lock = Some(lock);
        Ok(opened)
    }

    /// Keeps other runs from the directory; makes it if need be.
    pub(crate) fn lock(path: &Path) -> Result<Hold, Error> {
        std::fs::create_dir_all(path).map_err(Error::file(path))?;
        let lock = path.join("lock");
        std::fs::File::create(&lock).map_err(Error::file(&lock)).and(hold(&lock))
    }

    /// The same on any disk, which nobody else must write to.
    pub fn on(disk: Arc<dyn Disk>) -> Result<Opened, Error> {
        let place = disk.place();
        let sequences = sequences(&*disk)?;
        if sequences.is_empty() {
            return Store::begin(disk);
        }
        let (mut notes, mut found) = (Vec::new(), None);
        let mut older = sequences.into_iter();
        for sequence in older.by_ref() {
            let Witness { manifest, contents, damage, .. } = look(&*disk, sequence);
            match damage {
                Some(what) => notes.push(format!("--state {place}: {what}")),
                None => {
                    found = manifest.map(|manifest| (manifest, contents));
                    break;
                }
            }
        }
        // A directory that only ever was begun has no checkpoint that could be damaged.
        let found = found.filter(|(last, _)| last.sequence > 0 || notes.is_empty());
        let Some((last, contents)) = found else {
            let notes = notes.join("; ");
            let what = format!(
                "no checkpoint is sound ({notes}); restore the directory from a copy, or name \
                 another one, to begin anew"
            );
            return Err(StateError::Damaged { place, what }.into());
        };
        if let Some(note) = notes.last_mut() {
            *note += &format!("; going on from checkpoint {}, the one before", last.sequence);
        }
        let mut before = None;
        for sequence in older {
            match read_manifest(&*disk, sequence) {
                Ok(manifest) => {
                    before = Some(manifest);
                    break;
                }
                Err(what) => notes.push(format!(
                    "--state {place}: manifest.{sequence}: {what}; checkpoint {} is sound",
                    last.sequence
                )),
            }
        }
        let checkpoint = last.saved().cloned().zip(contents);
        let epoch = read_epoch(&*disk).unwrap_or(0).max(last.epoch) + 1;
        let mut store = Store { disk, epoch, last, before, _lock: None };
        store.claim()?;
        Ok(Opened { store, checkpoint, notes })
    }

    /// The checkpoints of a directory, the newest first. Nothing is changed.
    pub fn look(path: &Path) -> Result<Vec<Witness>, Error> {
        let disk = Directory::at(path).map_err(Error::file(path))?;
        Ok(sequences(&disk)?.into_iter().map(|sequence| look(&disk, sequence)).collect())
    }

    fn begin(disk: Arc<dyn Disk>) -> Result<Opened, Error> {
        let place = disk.place();
        let names = disk.names().map_err(Error::file(&place))?;
        refuse_foreign(&place, &names)?;
        if let Some(state) = names.iter().find(|name| name.starts_with("state.")) {
            let what = format!(
                "{state} is there and no manifest; restore the directory from a copy, or name \
                 another one, to begin anew"
            );
            return Err(StateError::Damaged { place, what }.into());
        }
        let epoch = read_epoch(&*disk).unwrap_or(0) + 1;
        let draw = || RandomState::new().build_hasher().finish();
        let id = format!("{:016x}{:016x}", draw(), draw());
        let last = Manifest { format: FORMAT, sequence: 0, id, epoch, checkpoint: None };
        let mut store = Store { disk, epoch, last, before: None, _lock: None };
        store.claim()?;
        store.put_manifest(&store.last)?;
        Ok(Opened { store, checkpoint: None, notes: Vec::new() })
    }

    /// The number by which this run is told from those before it.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// By what sinks know whose what they hold is.
    pub fn id(&self) -> &str {
        &self.last.id
    }

    /// The last checkpoint.
    pub fn last(&self) -> &Manifest {
        &self.last
    }

    /// Writes a checkpoint, durably, and removes the ones that are not kept. When this has failed the
    /// ones before are as they were.
    pub fn commit(&mut self, saved: Saved, contents: &Contents) -> Result<(), Error> {
        self.refuse_others()?;
        let sequence = self.last.sequence + 1;
        let name = format!("state.{sequence}");
        let write = |out: &mut Summed| {
            bincode::serialize_into(out, contents).map_err(|error| match *error {
                bincode::ErrorKind::Io(error) => error,
                other => io::Error::other(other.to_string()),
            })
        };
        let file = self.put(&name, write)?;
        // Before something names it, it must be there.
        self.synced()?;
        let (format, id, epoch) = (FORMAT, self.last.id.clone(), self.epoch);
        let checkpoint = Some((saved, file));
        let manifest = Manifest { format, sequence, id, epoch, checkpoint };
        self.put_manifest(&manifest)?;
        self.before = Some(std::mem::replace(&mut self.last, manifest));
        self.clean();
        Ok(())
    }

    /// Counts up the epoch, so that no earlier run writes any more.
    fn claim(&mut self) -> Result<(), Error> {
        let epoch = self.epoch;
        self.put(EPOCH, |out| writeln!(out, "{epoch}"))?;
        self.synced()
    }

    /// Ends this run if another has begun.
    fn refuse_others(&self) -> Result<(), Error> {
        let (place, mine) = (self.disk.place(), self.epoch);
        match read_epoch(&*self.disk) {
            Some(other) if other != mine => {
                Err(StateError::TakenOver { place, mine, other }.into())
            }
            Some(_) => Ok(()),
            None => {
                let what = "the file `epoch` is gone or damaged while the run goes on".into();
                Err(StateError::Damaged { place, what }.into())
            }
        }
    }

    fn put_manifest(&self, manifest: &Manifest) -> Result<(), Error> {
        let text = manifest.write().map_err(io::Error::other);
        let text = text.map_err(Error::file(self.disk.place()))?;
        self.put(&Manifest::name(manifest.sequence), |out| out.write_all(&text))?;
        self.synced()
    }

    /// Writes a file whole, makes it durable and gives it its name.
    fn put(
        &self,
        name: &str,
        write: impl FnOnce(&mut Summed) -> io::Result<()>,
    ) -> Result<Filed, Error> {
        let temporary = format!("{name}.tmp");
        let put = || {
            let out = BufWriter::with_capacity(1 << 18, self.disk.create(&temporary)?);
            let mut out = Summed { out, bytes: 0, crc: 0 };
            write(&mut out)?;
            let Summed { out, bytes, crc } = out;
            let mut out = out.into_inner().map_err(io::IntoInnerError::into_error)?;
            out.sync()?;
            self.disk.rename(&temporary, name)?;
            Ok(Filed { name: name.to_owned(), bytes, crc })
        };
        let place = || format!("{}/{name}", self.disk.place());
        put().map_err(|error| Error::file(place())(error))
    }

    fn synced(&self) -> Result<(), Error> {
        self.disk.sync().map_err(Error::file(self.disk.place()))
    }

    /// Removes what belongs to no checkpoint that is kept. What cannot be removed now goes later.
    fn clean(&self) {
        let kept: Vec<&Manifest> =
            [Some(&self.last), self.before.as_ref()].into_iter().flatten().collect();
        let mut names: BTreeSet<String> =
            kept.iter().map(|manifest| Manifest::name(manifest.sequence)).collect();
        let files = kept.iter().filter_map(|manifest| manifest.checkpoint.as_ref());
        names.extend(files.map(|(_, file)| file.name.clone()));
        let goes = |name: &String| {
            let ours = Manifest::sequence_in(name).is_some()
                || name.starts_with("state.")
                || name.ends_with(".tmp");
            ours && !names.contains(name)
        };
        for name in self.disk.names().unwrap_or_default().iter().filter(|name| goes(name)) {
            let _ = self.disk.remove(name);
        }
    }
}

fn read_epoch(disk: &dyn Disk) -> Option<u64> {
    String::from_utf8(disk.read(EPOCH).ok()?).ok()?.trim().parse().ok()
}

/// Refuses a directory with things of somebody else, in which no run has begun.
fn refuse_foreign(place: &str, names: &[String]) -> Result<(), Error> {
    if names.iter().any(|name| Manifest::sequence_in(name).is_some()) {
        return Ok(());
    }
    let ours = |name: &str| {
        let known = ["state.", "input.", "pushed."].iter().any(|ours| name.starts_with(ours));
        known || ["lock", EPOCH, stamps::FILE].contains(&name) || name.ends_with(".tmp")
    };
    match names.iter().find(|name| !ours(name)) {
        None => Ok(()),
        Some(other) => Err(Error::Usage(format!(
            "--state {place}: {other} is there, which is no state; name another directory"
        ))),
    }
}

/// The numbers of the checkpoints that are there, the newest first.
fn sequences(disk: &dyn Disk) -> Result<Vec<u64>, Error> {
    let names = disk.names().map_err(Error::file(disk.place()))?;
    let mut sequences: Vec<u64> = names.iter().filter_map(|n| Manifest::sequence_in(n)).collect();
    sequences.sort_unstable_by(|a, b| b.cmp(a));
    Ok(sequences)
}

/// A checkpoint as it is.
fn look(disk: &dyn Disk, sequence: u64) -> Witness {
    let mut witness = Witness { sequence, manifest: None, contents: None, damage: None };
    match read_manifest(disk, sequence) {
        Err(what) => witness.damage = Some(format!("manifest.{sequence}: {what}")),
        Ok(manifest) => {
            match read_contents(disk, &manifest) {
                Ok(contents) => witness.contents = contents,
                Err(what) => witness.damage = Some(what),
            }
            witness.manifest = Some(manifest);
        }
    }
    witness
}

fn read_manifest(disk: &dyn Disk, sequence: u64) -> Result<Manifest, String> {
    let bytes = disk.read(&Manifest::name(sequence)).map_err(|e| e.to_string())?;
    let manifest = Manifest::read(&bytes)?;
    if manifest.sequence == sequence { Ok(manifest) } else { Err("it is that of another".into()) }
}

/// What a checkpoint remembers; nothing if it says that there is nothing yet.
fn read_contents(disk: &dyn Disk, manifest: &Manifest) -> Result<Option<Contents>, String> {
    let Some((_, file)) = &manifest.checkpoint else { return Ok(None) };
    let wrong = |what: &str| format!("{}: {what}", file.name);
    let bytes = disk.read(&file.name).map_err(|e| wrong(&e.to_string()))?;
    if bytes.len() as u64 != file.bytes || crc32c::crc32c(&bytes) != file.crc {
        return Err(wrong("its length or checksum is wrong"));
    }
    bincode::deserialize(&bytes).map(Some).map_err(|e| wrong(&e.to_string()))
}

/// Bytes on their way to the disk, counted and summed.
struct Summed {
    out: BufWriter<Box<dyn Out>>,
    bytes: u64,
    crc: u32,
}

impl Write for Summed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.bytes += written as u64;
        self.crc = crc32c::crc32c_append(self.crc, &bytes[..written]);
        Ok(written)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
