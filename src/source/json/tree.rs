//! The paths that are asked for, as one tree, and how a record is walked along it.
//!
//! A record is read once. Where it has a name that no path has, the value is passed by; where paths
//! end, the value is kept as it is written.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::path::{Path, Step};

/// The most elements of a list that is opened.
pub const LIST: usize = 10_000;

/// Where a value is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// Once in a record.
    Record(usize),
    /// Once in each element of the list that is opened.
    Element(usize),
}

/// What becomes of the values that are found.
pub trait Found<'de> {
    /// A value, as it is written in the record.
    fn value(&mut self, slot: Slot, raw: &'de str);
    /// There is none any more: another element of a list is the one that is asked for.
    fn forget(&mut self, slots: &[Slot]);
    /// The list that is opened begins.
    fn open(&mut self);
    /// Its next element begins.
    fn element(&mut self);
}

/// All paths that are asked for.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    root: Node,
    /// Where the columns are kept; none is the place of the element in its list.
    pub columns: Vec<Option<Slot>>,
    /// How many values are kept of a record, and of each element.
    pub counts: (usize, usize),
}

#[derive(Clone, Debug, Default)]
struct Node {
    /// Where the value is kept that is here.
    slots: Vec<Slot>,
    fields: Vec<(String, Node)>,
    /// Whether this is the list that is opened.
    opened: bool,
    each: Option<Box<Node>>,
    first: Option<Box<Node>>,
    last: Option<Box<Node>>,
    by: Vec<Keyed>,
}

/// Elements of a list that are told apart by one of their fields.
#[derive(Clone, Debug)]
struct Keyed {
    field: String,
    values: Vec<(String, Node)>,
}

impl Tree {
    /// The tree of some columns; two that open different lists go not together.
    pub fn new(paths: &[Path]) -> Result<Tree, String> {
        let mut tree = Tree::default();
        let mut opened: Option<&Path> = None;
        for path in paths {
            if let (Some(list), Some(other)) = (path.opened(), opened)
                && other.opened() != Some(list)
            {
                return Err(format!(
                    "{other} and {path} open two lists, and a record has the rows of one; describe the other in a [[source]] of its own"
                ));
            }
            if path.opened().is_some() {
                opened = Some(path);
            }
            let slot = match (path.opened(), path.0.last()) {
                (Some(_), Some(Step::Place)) => None,
                (Some(_), _) => {
                    tree.counts.1 += 1;
                    Some(Slot::Element(tree.counts.1 - 1))
                }
                (None, _) => {
                    tree.counts.0 += 1;
                    Some(Slot::Record(tree.counts.0 - 1))
                }
            };
            tree.root.add(&path.0, slot);
            tree.columns.push(slot);
        }
        Ok(tree)
    }

    /// Walks one record.
    pub fn walk<'de>(
        &self,
        record: &'de str,
        found: &mut dyn Found<'de>,
    ) -> serde_json::Result<()> {
        let mut reader = serde_json::Deserializer::from_str(record);
        if !record.trim_start().starts_with('{') {
            IgnoredAny::deserialize(&mut reader)?;
            reader.end()?;
            return Err(Error::custom("not an object"));
        }
        At { node: &self.root, found }.deserialize(&mut reader)?;
        reader.end()
    }
}

impl Node {
    fn add(&mut self, steps: &[Step], slot: Option<Slot>) {
        let Some((step, rest)) = steps.split_first() else {
            self.slots.extend(slot);
            return;
        };
        let next = match step {
            Step::Field(name) => named(&mut self.fields, name),
            Step::Place => {
                self.opened = true;
                return;
            }
            Step::Each => {
                self.opened = true;
                self.each.get_or_insert_default()
            }
            Step::First => self.first.get_or_insert_default(),
            Step::Last => self.last.get_or_insert_default(),
            Step::Where(field, value) => {
                let at = self.by.iter().position(|keyed| keyed.field == *field);
                let at = at.unwrap_or_else(|| {
                    self.by.push(Keyed { field: field.clone(), values: Vec::new() });
                    self.by.len() - 1
                });
                named(&mut self.by[at].values, value)
            }
        };
        next.add(rest, slot);
    }

    /// Whether paths go on from here.
    fn goes_on(&self) -> bool {
        !self.fields.is_empty() || self.is_list()
    }

    fn is_list(&self) -> bool {
        self.opened || self.first.is_some() || self.last.is_some() || !self.by.is_empty()
    }

    /// All places of values from here on.
    fn all_slots(&self, into: &mut Vec<Slot>) {
        into.extend(&self.slots);
        let boxed = [&self.each, &self.first, &self.last].into_iter().flatten().map(|node| &**node);
        let named = self.fields.iter().map(|(_, node)| node);
        let by = self.by.iter().flat_map(|keyed| &keyed.values).map(|(_, node)| node);
        boxed.chain(named).chain(by).for_each(|node| node.all_slots(into));
    }
}

/// The node of a name, which is made if there is none.
fn named<'n>(nodes: &'n mut Vec<(String, Node)>, name: &str) -> &'n mut Node {
    let at = nodes.iter().position(|(of, _)| of == name).unwrap_or_else(|| {
        nodes.push((name.to_owned(), Node::default()));
        nodes.len() - 1
    });
    &mut nodes[at].1
}

/// A value of a record, and the part of the tree it is walked along.
struct At<'t, 'f, 'de> {
    node: &'t Node,
    found: &'f mut dyn Found<'de>,
}

impl<'de> At<'_, '_, 'de> {
    /// Walks a value that has been read as a whole.
    fn again<E: Error>(self, raw: &'de RawValue) -> Result<(), E> {
        let mut reader = serde_json::Deserializer::from_str(raw.get());
        self.deserialize(&mut reader).map_err(E::custom)
    }
}

impl<'de> DeserializeSeed<'de> for At<'_, '_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        let At { node, found } = self;
        if node.slots.is_empty() {
            return reader.deserialize_any(Along { node, found });
        }
        let raw = <&RawValue>::deserialize(reader)?;
        node.slots.iter().for_each(|slot| found.value(*slot, raw.get()));
        if node.goes_on() {
            let mut again = serde_json::Deserializer::from_str(raw.get());
            again.deserialize_any(Along { node, found }).map_err(Error::custom)?;
        }
        Ok(())
    }
}

/// Walks on from a value into what it holds.
struct Along<'t, 'f, 'de> {
    node: &'t Node,
    found: &'f mut dyn Found<'de>,
}

impl<'de> Visitor<'de> for Along<'_, '_, 'de> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a value of JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Along { node, found } = self;
        while let Some(next) = map.next_key_seed(Key(&node.fields))? {
            match next {
                Some((_, node)) => map.next_value_seed(At { node, found })?,
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Along { node, found } = self;
        if !node.is_list() {
            while seq.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(());
        }
        if node.opened {
            found.open();
        }
        // A list that is only looked up by one field is walked without keeping its elements.
        if let ([keyed], false, None, None) = (&node.by[..], node.opened, &node.first, &node.last) {
            while seq.next_element_seed(Pair { keyed, found })?.is_some() {}
            return Ok(());
        }
        let (mut count, mut last) = (0, None);
        while let Some(raw) = seq.next_element::<&RawValue>()? {
            count += 1;
            if node.opened {
                if count > LIST {
                    return Err(Error::custom(format_args!("a list of more than {LIST} elements")));
                }
                found.element();
                if let Some(node) = &node.each {
                    At { node, found }.again(raw)?;
                }
            }
            if let (Some(node), 1) = (&node.first, count) {
                At { node, found }.again(raw)?;
            }
            for keyed in &node.by {
                let mut reader = serde_json::Deserializer::from_str(raw.get());
                Pair { keyed, found }.deserialize(&mut reader).map_err(Error::custom)?;
            }
            last = Some(raw);
        }
        match (&node.last, last) {
            (Some(node), Some(raw)) => At { node, found }.again(raw),
            _ => Ok(()),
        }
    }

    // What is no object and no list has nothing inside.
    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }
    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }
    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }
    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }
    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

/// An element of a list that is looked up by one of its fields.
struct Pair<'t, 'f, 'de> {
    keyed: &'t Keyed,
    found: &'f mut dyn Found<'de>,
}

impl<'de> DeserializeSeed<'de> for Pair<'_, '_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Pair<'_, '_, 'de> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a value of JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Pair { keyed, found } = self;
        let (mut wanted, mut before) = (None, Vec::new());
        while let Some(key) = map.next_key_seed(Name)? {
            if key.is(&keyed.field) {
                let raw = map.next_value::<&RawValue>()?;
                wanted = keyed.values.iter().find(|(value, _)| is_text(raw.get(), value));
                if let Some((_, node)) = wanted {
                    let mut slots = Vec::new();
                    node.all_slots(&mut slots);
                    found.forget(&slots);
                }
                continue;
            }
            let asked = |node: &Node| node.fields.iter().position(|(name, _)| key.is(name));
            match wanted {
                // Mostly the field comes first and tells which element it is.
                Some((_, node)) => match asked(node) {
                    Some(at) => map.next_value_seed(At { node: &node.fields[at].1, found })?,
                    None => drop(map.next_value::<IgnoredAny>()?),
                },
                None if keyed.values.iter().any(|(_, node)| asked(node).is_some()) => {
                    before.push((key, map.next_value::<&RawValue>()?));
                }
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        let Some((_, node)) = wanted else { return Ok(()) };
        for (key, raw) in before {
            if let Some((_, node)) = node.fields.iter().find(|(name, _)| key.is(name)) {
                At { node, found }.again(raw)?;
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }
    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }
    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }
    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }
    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

/// Whether a value, as it is written, is this text.
fn is_text(raw: &str, text: &str) -> bool {
    match raw.strip_prefix('"').and_then(|raw| raw.strip_suffix('"')) {
        Some(inside) if memchr::memchr(b'\\', inside.as_bytes()).is_none() => inside == text,
        Some(_) => serde_json::from_str::<String>(raw).is_ok_and(|inside| inside == text),
        None => raw == text,
    }
}

/// A name in an object, looked up among those that are asked for.
struct Key<'t>(&'t [(String, Node)]);

impl<'de, 't> DeserializeSeed<'de> for Key<'t> {
    type Value = Option<&'t (String, Node)>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_str(self)
    }
}

impl<'t> Visitor<'_> for Key<'t> {
    type Value = Option<&'t (String, Node)>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a name")
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(self.0.iter().find(|(name, _)| name == key))
    }
}

/// A name in an object.
struct Name;

/// A name as it is in the record, or without what was escaped in it.
enum Named<'de> {
    Borrowed(&'de str),
    Owned(String),
}

impl Named<'_> {
    fn is(&self, name: &str) -> bool {
        match self {
            Named::Borrowed(own) => *own == name,
            Named::Owned(own) => own == name,
        }
    }
}

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Named<'de>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Named<'de>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a name")
    }

    fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Self::Value, E> {
        Ok(Named::Borrowed(key))
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(Named::Owned(key.to_owned()))
    }
}
