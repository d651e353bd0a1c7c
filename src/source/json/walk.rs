//! How a record is walked along the tree of paths.
//!
//! A record is read once. Where it has a name that no path has, the value is passed by; where paths
//! end, the value is kept as it is written.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::tree::{Found, Keyed, LIST, Node};

/// What is no object and no list has nothing inside.
macro_rules! nothing_inside {
    () => {
        fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
            out.write_str("a value of JSON")
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
    };
}

/// A value of a record, and the part of the tree it is walked along.
pub struct At<'t, 'f, 'de> {
    /// The part of the tree.
    pub node: &'t Node,
    /// What becomes of what is found.
    pub found: &'f mut dyn Found<'de>,
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

    nothing_inside!();
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

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Pair { keyed, found } = self;
        let (mut wanted, mut before) = (None, Vec::new());
        while let Some(key) = map.next_key_seed(Name)? {
            if key.is(&keyed.field) {
                let raw = map.next_value::<&RawValue>()?;
                wanted = keyed.values.iter().find(|(value, _)| is_text(raw.get(), value));
                if let Some((_, node)) = wanted {
                    node.all_slots(&mut |slot| found.forget(slot));
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

    nothing_inside!();
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

/// The only value in an object that is not null, if there is one and it is no object or list; or
/// that there is none at all.
pub fn only_value(raw: &str) -> Option<Option<&str>> {
    let mut reader = serde_json::Deserializer::from_str(raw);
    reader.deserialize_map(Only).ok().flatten()
}

struct Only;

impl<'de> Visitor<'de> for Only {
    type Value = Option<Option<&'de str>>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut only, mut several) = (None, false);
        while map.next_key::<IgnoredAny>()?.is_some() {
            let raw = map.next_value::<&RawValue>()?.get();
            if !raw.starts_with('n') {
                several |= only.is_some() || raw.starts_with(['{', '[']);
                only = Some(raw);
            }
        }
        Ok((!several).then_some(only))
    }
}
