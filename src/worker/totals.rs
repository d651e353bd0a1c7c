//! How many records the processes of a cluster have read together, and how many of them are bad:
//! whether there are too many is asked of the whole run, and all processes must answer alike.

use crate::clock::Time;
use crate::source::Feeds;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::Scope;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::generic::Operator;
use timely::dataflow::operators::generic::operator::source;
use timely::dataflow::operators::probe::{Handle, Probe};

/// How soon to look again whether everything is read.
const SOON: Duration = Duration::from_millis(1);

/// Of all processes; complete when the probe of [`count`] is done.
#[derive(Default)]
pub(super) struct Totals {
    pub records: AtomicU64,
    pub bad: AtomicU64,
}

/// Has the first worker of each process tell that of every other what was read there.
pub(super) fn count(
    scope: Scope<'_, Time>,
    feeds: Arc<Feeds>,
    workers: usize,
    totals: Arc<Totals>,
    probe: &Handle<Time>,
) {
    let (index, peers) = (scope.index(), scope.peers());
    source::<_, CapacityContainerBuilder<Vec<(u64, u64, u64)>>, _, _>(
        scope,
        "Read",
        move |cap, info| {
            let again = scope.activator_for(info.address);
            let mut cap = (index % workers == 0).then_some(cap);
            move |output| {
                let Some(held) = &cap else { return };
                if !feeds.stopped() && feeds.least_clock() != i64::MAX {
                    again.activate_after(SOON);
                    return;
                }
                let (records, bad) = (feeds.records(), feeds.dead_letters.count());
                let mut session = output.session(held);
                (0..peers).step_by(workers).for_each(|to| session.give((to as u64, records, bad)));
                drop(session);
                cap = None;
            }
        },
    )
    .unary::<CapacityContainerBuilder<Vec<()>>, _, _, _>(
        Exchange::new(|told: &(u64, u64, u64)| told.0),
        "Totals",
        |_, _| {
            move |input, _output| {
                input.for_each(|_cap, data| {
                    for (_, records, bad) in data.drain(..) {
                        totals.records.fetch_add(records, Ordering::Relaxed);
                        totals.bad.fetch_add(bad, Ordering::Relaxed);
                    }
                });
            }
        },
    )
    .probe_with(probe);
}
