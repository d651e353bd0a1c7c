//! A sink that takes some of the views only: `jsonl:out=hourly_*,velocity`.

use super::{Held, Schema, Sink, Standing};
use crate::clock::Time;
use crate::error::Error;
use crate::operator::{Port, Sealed};

/// The views that patterns name, as their places in the list, ascending.
pub(super) fn matching(patterns: &[String], views: &[Schema]) -> Result<Vec<usize>, Error> {
    let mut kept = Vec::new();
    for text in patterns {
        let pattern = glob::Pattern::new(text)
            .map_err(|e| Error::Usage(format!("--sink ...={text}: {e}")))?;
        let before = kept.len();
        kept.extend((0..views.len()).filter(|i| pattern.matches(views[*i].name)));
        if kept.len() == before {
            let names: Vec<&str> = views.iter().map(|view| view.name).collect();
            return Err(Error::Usage(format!(
                "--sink ...={text}: no query of this run is named so; they are {}",
                names.join(", ")
            )));
        }
    }
    kept.sort_unstable();
    kept.dedup();
    Ok(kept)
}

/// See the module.
pub(super) struct Chosen {
    pub of: Box<dyn Sink + Send>,
    /// The views it takes, ascending.
    pub kept: Vec<usize>,
}

impl Chosen {
    /// Does something with its ports alone.
    fn among<T>(
        &mut self,
        ports: &mut [Box<dyn Port>],
        act: impl FnOnce(&mut dyn Sink, &mut [Box<dyn Port>]) -> T,
    ) -> T {
        // Its ports are brought to the front, where no other of its own can be in the way since
        // they are ascending, and back again.
        for (i, kept) in self.kept.iter().enumerate() {
            ports.swap(i, *kept);
        }
        let done = act(&mut *self.of, &mut ports[..self.kept.len()]);
        for (i, kept) in self.kept.iter().enumerate().rev() {
            ports.swap(i, *kept);
        }
        done
    }
}

impl Sink for Chosen {
    fn go_on(&mut self, ports: &mut [Box<dyn Port>], cut: Time) -> Result<(), Error> {
        self.among(ports, |sink, ports| sink.go_on(ports, cut))
    }

    fn change(&mut self, view: usize, change: &Sealed<'_>) -> Result<(), Error> {
        match self.kept.binary_search(&view) {
            Ok(view) => self.of.change(view, change),
            Err(_) => Ok(()),
        }
    }

    fn sealed(&mut self, frontier: Option<Time>) -> Result<(), Error> {
        self.of.sealed(frontier)
    }

    fn stage(&mut self, ports: &mut [Box<dyn Port>], ended: bool) -> Result<(), Error> {
        self.among(ports, |sink, ports| sink.stage(ports, ended))
    }

    fn commit(&mut self, ports: &mut [Box<dyn Port>], cut: Time) -> Result<Option<Held>, Error> {
        self.among(ports, |sink, ports| sink.commit(ports, cut))
    }

    fn publish(&mut self) -> Result<(), Error> {
        self.of.publish()
    }

    fn turn(&mut self) -> Result<Standing, Error> {
        self.of.turn()
    }

    fn give_up(&mut self) -> Result<(), Error> {
        self.of.give_up()
    }

    fn wants_view(&self) -> bool {
        self.of.wants_view()
    }
}
