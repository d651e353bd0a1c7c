//! A missing category is looked up by item in a dimension file (`item_id,category`, other columns
//! ignored). The file is read once, before the first record: the same record always gets the same
//! category. Bound: the file.

use crate::batch::{Batch, Column};
use crate::error::Error;
use crate::event::{Stream, behavior};
use crate::text::Text;
use std::collections::HashMap;
use std::path::Path;

/// The category of each item.
#[derive(Debug)]
pub struct Categories(HashMap<Text, Text>);

impl Categories {
    /// Reads a CSV file with the columns `item_id` and `category`.
    pub fn read(path: &Path) -> Result<Categories, Error> {
        let wrong = |what: String| Error::Usage(format!("--enrich {}: {what}", path.display()));
        let file = std::fs::File::open(path).map_err(Error::file(path))?;
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(file);
        let header = reader.headers().map_err(|e| wrong(e.to_string()))?.clone();
        let place = |name: &str| {
            header
                .iter()
                .position(|h| h.trim_start_matches('\u{feff}').eq_ignore_ascii_case(name))
                .ok_or_else(|| {
                    wrong(format!(
                        "no column {name}; the columns are {}",
                        header.iter().collect::<Vec<_>>().join(", ")
                    ))
                })
        };
        let (item, category) = (place("item_id")?, place("category")?);
        let mut categories = HashMap::new();
        for record in reader.records() {
            let record = record.map_err(|e| wrong(e.to_string()))?;
            categories
                .insert(Text::new(&record[item]), Text::new(&record[category].to_lowercase()));
        }
        Ok(Categories(categories))
    }

    /// Fills the missing categories of a block.
    pub(crate) fn fill(&self, stream: Stream, batch: &mut Batch) {
        if stream != Stream::Behavior {
            return;
        }
        let columns = &mut batch.columns;
        let items = std::mem::take(&mut columns[behavior::ITEM_ID.field]);
        if let Column::Text(items) = &items {
            let category = &mut columns[behavior::CATEGORY.field];
            if *category == Column::Absent {
                *category = Column::Text(vec![Text::EMPTY; items.len()]);
            }
            if let Column::Text(categories) = category {
                for (category, item) in categories.iter_mut().zip(items) {
                    if category.is_empty()
                        && let Some(known) = self.0.get(item)
                    {
                        *category = known.clone();
                    }
                }
            }
        }
        columns[behavior::ITEM_ID.field] = items;
    }
}
