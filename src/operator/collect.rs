//! `collect`: where a query's output leaves the dataflow.
//!
//! Every update is sent to worker 0 of the cluster and kept until its time is sealed. Then each
//! time's updates are sorted and equal rows added up, so what a sink sees is a function of the
//! collection alone and not of the number of workers. Bound: the view itself, where some sink asks
//! for it, and what is between the frontier and the newest stamp.

use super::memory::Slot;
use super::{Collection, Record};
use crate::clock::Time;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::generic::Operator;
use timely::dataflow::operators::probe::{Handle, Probe};

/// A query's output at worker 0, with its row type hidden.
pub trait Port {
    /// Hands over the changes of each time that is not open any more, in order of time and row.
    fn seal(&mut self, is_open: &dyn Fn(Time) -> bool, see: &mut dyn FnMut(Sealed<'_>));
    /// The current view in order of its rows; only rows kept by `keep_view`.
    fn view(&mut self, see: &mut dyn FnMut(&dyn Row, isize));
    /// From now on adds the sealed changes up to a view.
    fn keep_view(&mut self);
}

/// One change of a view.
pub struct Sealed<'a> {
    /// When it became visible.
    pub time: Time,
    /// The row.
    pub row: &'a dyn Row,
    /// +1: the row appears, -1: it goes.
    pub diff: isize,
}

/// A row with its type hidden.
pub trait Row {
    /// Its cells, in the order of the query's columns.
    fn cells(&self) -> Vec<crate::value::Value>;
}
impl<R: Record> Row for R {
    fn cells(&self) -> Vec<crate::value::Value> {
        Record::cells(self)
    }
}

type Buffer<O> = Rc<RefCell<BTreeMap<Time, Vec<(O, isize)>>>>;

/// Routes a collection to worker 0 and gives the port to read it there.
pub(crate) fn collect<'s, O: Record>(
    collection: Collection<'s, O>,
    name: &str,
    probe: &Handle<Time>,
) -> Box<dyn Port> {
    let buffer: Buffer<O> = Rc::default();
    let fill = Rc::clone(&buffer);
    let scope = collection.inner.scope();
    collection
        .inner
        .unary::<CapacityContainerBuilder<Vec<()>>, _, _, _>(
            Exchange::new(|_: &(O, Time, isize)| 0),
            name,
            |_, _| {
                move |input, _output| {
                    input.for_each(|_cap, data| {
                        let mut buffer = fill.borrow_mut();
                        for run in data.chunk_by(|a, b| a.1 == b.1) {
                            let updates = buffer.entry(run[0].1).or_default(); // never empty
                            updates.extend(run.iter().map(|(row, _, diff)| (row.clone(), *diff)));
                        }
                        data.clear();
                    });
                }
            },
        )
        .probe_with(probe);
    // Views are kept by worker 0 alone.
    let slot = (scope.index() == 0).then(|| Slot::take("View"));
    Box::new(Typed { buffer, view: None, slot })
}

struct Typed<O> {
    buffer: Buffer<O>,
    view: Option<View<O>>,
    slot: Option<Slot>,
}

impl<O: Record> Typed<O> {
    /// Writes the view down, if this is the moment.
    fn cut(&mut self, is_passed: impl Fn(Time) -> bool) {
        let Some(slot) = &mut self.slot else { return };
        if slot.due().is_some_and(is_passed) {
            let rows = self.view.iter_mut().flat_map(|view| view.settled());
            slot.write(|writer| rows.for_each(|row| writer.put(row)));
        }
    }
}

impl<O: Record> Port for Typed<O> {
    fn seal(&mut self, is_open: &dyn Fn(Time) -> bool, see: &mut dyn FnMut(Sealed<'_>)) {
        loop {
            let next = self.buffer.borrow().keys().next().copied();
            let Some(time) = next.filter(|time| !is_open(*time)) else { break };
            self.cut(|cut| cut < time);
            let mut updates = self.buffer.borrow_mut().remove(&time).unwrap_or_default();
            differential_dataflow::consolidation::consolidate(&mut updates);
            for (row, diff) in &updates {
                see(Sealed { time, row, diff: *diff });
            }
            if let Some(view) = &mut self.view {
                view.add(updates);
            }
        }
        self.cut(|cut| !is_open(cut));
    }

    fn view(&mut self, see: &mut dyn FnMut(&dyn Row, isize)) {
        if let Some(view) = &mut self.view {
            for (row, count) in view.settled() {
                see(row, *count);
            }
        }
    }

    fn keep_view(&mut self) {
        let slot = &self.slot;
        self.view.get_or_insert_with(|| {
            let mut view = View::default();
            if let Some(slot) = slot {
                slot.read(|reader| view.add(reader.all().collect()));
            }
            view
        });
    }
}

/// Rows and how often each is there: added up when it has doubled, so that the cost per change
/// stays a sort's and the memory within twice the view.
struct View<O> {
    rows: Vec<(O, isize)>,
    settled: usize,
}

impl<O> Default for View<O> {
    fn default() -> Self {
        View { rows: Vec::new(), settled: 0 }
    }
}

impl<O: Record> View<O> {
    fn add(&mut self, updates: Vec<(O, isize)>) {
        self.rows.extend(updates);
        if self.rows.len() > 2 * self.settled + 1024 {
            self.settle();
        }
    }

    /// Its rows in order, none of them twice.
    fn settled(&mut self) -> &[(O, isize)] {
        self.settle();
        &self.rows
    }

    fn settle(&mut self) {
        if self.settled != self.rows.len() {
            differential_dataflow::consolidation::consolidate(&mut self.rows);
            self.settled = self.rows.len();
        }
    }
}
