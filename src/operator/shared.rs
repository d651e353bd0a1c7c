//! Collections that several queries read, made once.
//!
//! A collection lives as long as its dataflow, so it cannot be put on a shelf under its type, as
//! what lives for ever can. The input of an operator can: so what is kept of a collection is how
//! to give one to an operator, and who asks for it again gets one that passes everything on.

use super::{Collection, Item};
use crate::clock::Time;
use differential_dataflow::AsCollection;
use std::any::{Any, TypeId};
use std::cell::RefCell;
use timely::dataflow::Scope;
use timely::dataflow::channels::pact::{ParallelizationContract, Pipeline};
use timely::dataflow::operators::generic::InputHandleCore;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;

type Updates<D> = Vec<(D, Time, isize)>;
type Puller<D> = <Pipeline as ParallelizationContract<Time, Updates<D>>>::Puller;
type Input<D> = InputHandleCore<Time, Updates<D>, Puller<D>>;
type Tap<'s> = dyn Fn(&mut OperatorBuilder<'s, Time>, &mut dyn Any) + 's;

/// What was made so far, by the type of its key, the key and the type of its items.
#[derive(Default)]
pub(crate) struct Shared<'s> {
    made: RefCell<Vec<Made<'s>>>,
}

struct Made<'s> {
    key: Box<dyn Any>,
    items: TypeId,
    scope: Scope<'s, Time>,
    tap: Box<Tap<'s>>,
}

impl<'s> Shared<'s> {
    /// The collection of this key, which is built if there is none.
    pub fn get<K: PartialEq + 'static, D: Item>(
        &self,
        key: K,
        build: impl FnOnce() -> Collection<'s, D>,
    ) -> Collection<'s, D> {
        let known = self.made.borrow().iter().find_map(|made| {
            let same = made.items == TypeId::of::<D>() && made.key.downcast_ref() == Some(&key);
            if same { made.again() } else { None }
        });
        known.unwrap_or_else(|| {
            let collection = build();
            let made = Made::new(key, collection.clone());
            self.made.borrow_mut().push(made);
            collection
        })
    }
}

impl<'s> Made<'s> {
    fn new<K: 'static, D: Item>(key: K, collection: Collection<'s, D>) -> Made<'s> {
        Made {
            key: Box::new(key),
            items: TypeId::of::<D>(),
            scope: collection.inner.scope(),
            tap: Box::new(move |operator, input| {
                if let Some(input) = input.downcast_mut::<Option<Input<D>>>() {
                    *input = Some(operator.new_input(collection.inner.clone(), Pipeline));
                }
            }),
        }
    }

    fn again<D: Item>(&self) -> Option<Collection<'s, D>> {
        let mut operator = OperatorBuilder::new("Shared".to_owned(), self.scope);
        let mut input: Option<Input<D>> = None;
        (self.tap)(&mut operator, &mut input);
        let mut input = input?;
        let (output, stream) = operator.new_output::<Updates<D>>();
        let mut output = OutputBuilder::from(output);
        operator.build(move |_| {
            move |_| {
                let mut output = output.activate();
                input.for_each(|cap, data| output.session(&cap).give_container(data));
            }
        });
        Some(stream.as_collection())
    }
}
