//! The paths that are asked for, as one tree.

use serde::Deserialize;
use serde::de::{DeserializeSeed, Error, IgnoredAny};

use super::path::{Path, Step};
use super::walk::At;

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
    fn forget(&mut self, slot: Slot);
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

/// A place in a record that some path leads to or through.
#[derive(Clone, Debug, Default)]
pub struct Node {
    /// Where the value is kept that is here.
    pub slots: Vec<Slot>,
    pub fields: Vec<(String, Node)>,
    /// Whether this is the list that is opened.
    pub opened: bool,
    pub each: Option<Box<Node>>,
    pub first: Option<Box<Node>>,
    pub last: Option<Box<Node>>,
    pub by: Vec<Keyed>,
}

/// Elements of a list that are told apart by one of their fields.
#[derive(Clone, Debug)]
pub struct Keyed {
    /// The field.
    pub field: String,
    /// Its values, and what is asked for of each element.
    pub values: Vec<(String, Node)>,
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
    pub fn goes_on(&self) -> bool {
        !self.fields.is_empty() || self.is_list()
    }

    /// Whether it is a list of which some elements are asked for.
    pub fn is_list(&self) -> bool {
        self.opened || self.first.is_some() || self.last.is_some() || !self.by.is_empty()
    }

    /// All places of values from here on.
    pub fn all_slots(&self, see: &mut dyn FnMut(Slot)) {
        self.slots.iter().for_each(|slot| see(*slot));
        let boxed = [&self.each, &self.first, &self.last].into_iter().flatten().map(|node| &**node);
        let named = self.fields.iter().map(|(_, node)| node);
        let by = self.by.iter().flat_map(|keyed| &keyed.values).map(|(_, node)| node);
        boxed.chain(named).chain(by).for_each(|node| node.all_slots(see));
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
