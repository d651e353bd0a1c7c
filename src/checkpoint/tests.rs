//! The directory of `--state` on a disk that fails: whatever was not synced is kept, lost or torn,
//! at every step; and on one that flips bits.

use super::{Disk, Opened, Out, Saved, Store};
use crate::clock::{Tick, Time};
use crate::description::Description;
use crate::lock::lock;
use crate::operator::memory::Contents;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

/// A disk that loses its power after so many steps.
#[derive(Clone, Default)]
struct Fragile(Arc<Mutex<State>>);

#[derive(Clone, Default)]
struct State {
    /// The bytes of each file, and how many of them are on the disk for sure.
    files: Vec<(Vec<u8>, usize)>,
    /// The names as the program sees them.
    names: BTreeMap<String, usize>,
    /// The names that are on the disk for sure.
    sure: BTreeMap<String, usize>,
    /// What was done to names since.
    unsure: Vec<Step>,
    steps: usize,
    /// After so many steps nothing works any more.
    power: Option<usize>,
    /// This step alone fails, as where a disk is full for a while.
    full: Option<usize>,
}

#[derive(Clone)]
enum Step {
    Put(String, usize),
    Rename(String, String),
    Remove(String),
}

impl Step {
    fn done(self, names: &mut BTreeMap<String, usize>, file: impl Fn(&str) -> Option<usize>) {
        match self {
            Step::Put(name, file) => drop(names.insert(name, file)),
            Step::Rename(from, to) => {
                // The file is there under its old name or, if that was lost, under none.
                if let Some(file) = names.remove(&from).or_else(|| file(&from)) {
                    names.insert(to, file);
                }
            }
            Step::Remove(name) => drop(names.remove(&name)),
        }
    }
}

impl State {
    fn step(&mut self) -> io::Result<()> {
        if self.power.is_some_and(|power| self.steps >= power) {
            return Err(io::Error::other("no power"));
        }
        self.steps += 1;
        match self.full == Some(self.steps) {
            true => Err(io::ErrorKind::StorageFull.into()),
            false => Ok(()),
        }
    }

    fn name(&mut self, step: Step) {
        step.clone().done(&mut self.names, |_| None);
        self.unsure.push(step);
    }
}

/// A small generator, so that what fails can be tried again.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit.max(1)
    }
}

impl Fragile {
    fn with_power(power: Option<usize>) -> Fragile {
        Fragile(Arc::new(Mutex::new(State { power, ..State::default() })))
    }

    fn steps(&self) -> usize {
        lock(&self.0).steps
    }

    /// What is found when the power is back: of what was not synced each thing was kept or lost by
    /// chance, and the end of each file kept, lost or torn.
    fn after_the_crash(&self, seed: u64) -> Fragile {
        let mut state = lock(&self.0).clone();
        let mut random = Random(seed);
        let mut names = state.sure.clone();
        let mut puts: BTreeMap<String, usize> = BTreeMap::new();
        for step in std::mem::take(&mut state.unsure) {
            if let Step::Put(name, file) = &step {
                puts.insert(name.clone(), *file);
            }
            if random.below(2) == 0 {
                step.done(&mut names, |name| puts.get(name).copied());
            }
        }
        for (bytes, sure) in &mut state.files {
            let unsure = bytes.len() - *sure;
            let kept = match random.below(3) {
                0 => 0,
                1 => unsure,
                _ => random.below(unsure + 1),
            };
            bytes.truncate(*sure + kept);
            if random.below(2) == 0 {
                bytes[*sure..].iter_mut().for_each(|byte| *byte ^= random.below(256) as u8);
            }
            *sure = bytes.len();
        }
        (state.sure, state.names, state.power) = (names.clone(), names, None);
        Fragile(Arc::new(Mutex::new(state)))
    }

    fn flip(&self, name: &str, bit: usize) {
        let mut state = lock(&self.0);
        let file = state.names[name];
        let bytes = &mut state.files[file].0;
        if let Some(byte) = bytes.get_mut(bit / 8) {
            *byte ^= 1 << (bit % 8);
        }
    }
}

struct Page(Fragile, usize);

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = lock(&self.0.0);
        state.step()?;
        state.files[self.1].0.extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Out for Page {
    fn sync(&mut self) -> io::Result<()> {
        let mut state = lock(&self.0.0);
        state.step()?;
        let (bytes, sure) = &mut state.files[self.1];
        *sure = bytes.len();
        Ok(())
    }
}

impl Disk for Fragile {
    fn names(&self) -> io::Result<Vec<String>> {
        Ok(lock(&self.0).names.keys().cloned().collect())
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let state = lock(&self.0);
        let file = state.names.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(state.files[*file].0.clone())
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn Out>> {
        let mut state = lock(&self.0);
        state.step()?;
        let file = state.files.len();
        state.files.push((Vec::new(), 0));
        state.name(Step::Put(name.into(), file));
        Ok(Box::new(Page(self.clone(), file)))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = lock(&self.0);
        state.step()?;
        state.name(Step::Rename(from.into(), to.into()));
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = lock(&self.0);
        state.step()?;
        state.name(Step::Remove(name.into()));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = lock(&self.0);
        state.step()?;
        state.unsure.clear();
        state.sure = state.names.clone();
        Ok(())
    }

    fn place(&self) -> String {
        "fragile".into()
    }
}

fn time(minutes: u64) -> Time {
    Tick::MINUTE.round_up(minutes as i64 * 60_000)
}

fn saved(number: u64) -> Saved {
    Saved {
        at: time(number),
        tick: Tick::MINUTE,
        description: Description::default(),
        sources: Vec::new(),
        sinks: Vec::new(),
        currencies: Vec::new(),
        queries: Vec::new(),
        entries: number,
    }
}

fn contents(number: u64) -> Contents {
    Contents::sample(time(number), number as u8)
}

/// Commits as many checkpoints as it can; gives the last that was said to be durable.
fn work(disk: &Fragile, from: u64) -> u64 {
    let mut durable = from;
    let Ok(Opened { mut store, .. }) = Store::on(Arc::new(disk.clone())) else { return durable };
    for number in from + 1..=from + 4 {
        match store.commit(saved(number), &contents(number)) {
            Ok(()) => durable = number,
            Err(_) => break,
        }
    }
    durable
}

/// The number of the checkpoint that is found, and that it is what was committed.
fn found(disk: &Fragile, of: &str) -> u64 {
    let opened = Store::on(Arc::new(disk.clone()));
    let opened = opened.unwrap_or_else(|error| panic!("{of}: {error}"));
    let Some((saved, found)) = opened.checkpoint else { return 0 };
    assert_eq!(found, contents(saved.entries), "{of}: contents of {}", saved.entries);
    assert_eq!(saved.at, time(saved.entries), "{of}");
    saved.entries
}

#[test]
fn what_was_said_to_be_durable_survives_a_crash_at_every_step() {
    let whole = Fragile::with_power(None);
    assert_eq!(work(&whole, 0), 4);
    let (mut early, mut late) = (0, 0);
    for power in 0..=whole.steps() {
        for seed in 0..12 {
            let of = format!("power for {power} steps, seed {seed}");
            let disk = Fragile::with_power(Some(power));
            let durable = work(&disk, 0);
            let after = disk.after_the_crash(seed);
            let there = found(&after, &of);
            assert!(there >= durable, "{of}: {durable} was durable, {there} is there");
            assert!(there <= durable + 1, "{of}");
            if there == durable {
                early += 1
            } else {
                late += 1
            }
            // It goes on from there, through another crash.
            let steps = after.steps();
            lock(&after.0).power = Some(steps + power);
            let durable = work(&after, there).max(there);
            let again = found(&after.after_the_crash(seed + 100), &of);
            assert!((durable..=durable + 1).contains(&again), "{of}: {durable} then {again}");
        }
    }
    // A crash leaves now the checkpoint before and now the one that was being written.
    assert!(early > 100 && late > 10, "{early} and {late}");
}

#[test]
fn a_step_that_fails_is_told_and_what_was_there_stays() {
    let whole = Fragile::with_power(None);
    assert_eq!(work(&whole, 0), 4);
    let mut failed = 0;
    for full in 1..=whole.steps() {
        let disk = Fragile::with_power(None);
        lock(&disk.0).full = Some(full);
        // A directory that could not be begun is begun once more.
        let open = || Store::on(Arc::new(disk.clone()));
        let mut store = open().or_else(|_| open()).expect("opens").store;
        let mut durable = 0;
        for number in 1..=4 {
            match store.commit(saved(number), &contents(number)) {
                Ok(()) => durable = number,
                Err(error) => {
                    assert!(error.to_string().contains("free some space"), "{error}");
                    failed += 1;
                }
            }
        }
        let there = found(&disk.after_the_crash(full as u64), &format!("step {full} fails"));
        assert!(there >= durable && durable >= 3, "step {full} fails: {durable}, {there}");
    }
    assert!(failed > 10, "{failed}");
}

#[test]
fn a_flipped_bit_is_noticed_or_does_no_harm() {
    let disk = Fragile::with_power(None);
    assert_eq!(work(&disk, 0), 4);
    let mut random = Random(7);
    let (mut refused, mut older, mut same) = (0, 0, 0);
    for round in 0..1000 {
        let clone = disk.after_the_crash(round);
        let names = clone.names().expect("in memory");
        let name = &names[random.below(names.len())];
        let bits = 8 * clone.read(name).expect("is there").len();
        clone.flip(name, random.below(bits));
        match Store::on(Arc::new(clone)) {
            Err(_) => refused += 1,
            Ok(Opened { checkpoint: Some((saved, found)), notes, .. }) => {
                assert_eq!(found, contents(saved.entries), "round {round}, {name}");
                match saved.entries {
                    4 => same += 1,
                    3 => {
                        assert!(notes.concat().contains("the one before"), "{notes:?}");
                        older += 1;
                    }
                    other => panic!("round {round}: checkpoint {other}"),
                }
            }
            Ok(_) => panic!("round {round}: {name} was damaged, and it begins anew"),
        }
    }
    assert!(older > 100 && same > 100, "{refused} refused, {older} older, {same} the same");
}

#[test]
fn where_the_older_one_is_damaged_the_newest_is_used_and_both_are_told() {
    let disk = Fragile::with_power(None);
    work(&disk, 0);
    disk.flip("manifest.3", 9);
    let opened = Store::on(Arc::new(disk)).expect("opens");
    assert_eq!(opened.checkpoint.map(|(saved, _)| saved.entries), Some(4));
    let [note] = &opened.notes[..] else { panic!("{:?}", opened.notes) };
    assert!(note.contains("manifest.3") && note.contains("checkpoint 4 is sound"), "{note}");
    assert!(!note.contains("the one before"), "{note}");
}

#[test]
fn where_all_are_damaged_or_the_manifests_are_gone_it_does_not_begin_anew() {
    let damaged = |damage: &dyn Fn(&Fragile, &str)| {
        let disk = Fragile::with_power(None);
        work(&disk, 0);
        disk.names().expect("in memory").iter().for_each(|name| damage(&disk, name));
        Store::on(Arc::new(disk)).err().map(|error| error.to_string()).unwrap_or_default()
    };
    let why = damaged(&|disk, name| {
        if name.starts_with("manifest") {
            disk.flip(name, 9);
        }
    });
    assert!(why.contains("no checkpoint is sound") && why.contains("checksum"), "{why}");
    let why = damaged(&|disk, name| {
        if name.starts_with("state") {
            disk.flip(name, 99);
        }
    });
    assert!(why.contains("no checkpoint is sound") && why.contains("state.4"), "{why}");
    let why = damaged(&|disk, name| {
        if name.starts_with("manifest") {
            disk.remove(name).expect("is there");
        }
    });
    assert!(why.contains("no manifest"), "{why}");
}

#[test]
fn a_run_that_was_taken_over_writes_nothing_more() {
    let disk = Fragile::with_power(None);
    let mut old = Store::on(Arc::new(disk.clone())).expect("opens").store;
    old.commit(saved(1), &contents(1)).expect("commits");
    let mut new = Store::on(Arc::new(disk.clone())).expect("opens").store;
    let why = old.commit(saved(2), &contents(2)).expect_err("is too old").to_string();
    assert!(why.contains("taken over"), "{why}");
    new.commit(saved(3), &contents(3)).expect("commits");
    assert_eq!(found(&disk, "after both"), 3);
}

#[test]
fn a_directory_of_other_things_is_refused() {
    let disk = Fragile::with_power(None);
    disk.create("holiday.jpg").expect("in memory");
    let why = Store::on(Arc::new(disk)).err().expect("refuses").to_string();
    assert!(why.contains("holiday.jpg") && why.contains("name another directory"), "{why}");
}
