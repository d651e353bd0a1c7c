//! `arrivals`: the records as they came, with their stamps.
//!
//! What arrived has arrived: an item made of an arrival is never taken back, and a record that
//! takes another back is an arrival of its own. That is what monitoring looks at; what the records
//! come to is for the other verbs. Stateless.

use super::{Collection, Item, Rows};
use crate::clock::Time;
use crate::event::{Row, Shape};
use differential_dataflow::AsCollection;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::Operator;

impl<'s, S: Shape> Rows<'s, S> {
    /// An item for each record that came; `logic` gets its stamp, and finds in [`Row::diff`]
    /// whether it adds a record or takes one back.
    pub fn arrivals<D: Item>(
        self,
        name: &str,
        logic: impl Fn(&Row<'_, S>, Time) -> D + 'static,
    ) -> Collection<'s, D> {
        self.batches
            .unary::<CapacityContainerBuilder<Vec<(D, Time, isize)>>, _, _, _>(
                Pipeline,
                name,
                |_, _| {
                    move |input, output| {
                        input.for_each(|cap, data| {
                            let mut session = output.session(&cap);
                            for batch in data.drain(..) {
                                for (time, rows) in batch.runs() {
                                    for i in rows {
                                        let item = logic(&Row::new(&batch, i), time);
                                        session.give((item, time, 1));
                                    }
                                }
                            }
                        });
                    }
                },
            )
            .as_collection()
    }
}
