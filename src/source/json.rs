//! JSON: records that are objects, one per line (NDJSON), in an array, or one behind the other.
//!
//! A field is found by a [`Path`] into its record: `ecommerce.transaction_id`. A path may open one
//! list (`items[*].item_id`): then there is a row for each of its elements, in which everything else
//! of the record is repeated; of an empty list there is one row without an element. A list of pairs
//! is looked up by name (`params[key=x].value`).
//!
//! Only what some path names is taken out of a record, as text, into a [`Table`] of rows and columns
//! that is read on as that of a CSV is: the forms of times, numbers and absent words are the same.
//! What is not asked for is passed by without being kept, however deep it goes.
//!
//! Limits: a record of 8 MiB, also when its list is opened; 10,000 elements in a list; 16 steps in a
//! path.

mod frame;
mod names;
mod path;
mod table;
mod tree;
#[cfg(test)]
mod twin;
mod walk;

pub(super) use frame::Framed;
pub(super) use names::Names;
pub use path::Path;
pub(super) use table::Table;
pub(super) use tree::Tree;

/// Whether a file of this name holds JSON, compressed or not.
pub(super) fn is_named(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let plain = name.strip_suffix(".gz").or_else(|| name.strip_suffix(".zst")).unwrap_or(&name);
    [".json", ".jsonl", ".ndjson"].iter().any(|end| plain.ends_with(end))
}
