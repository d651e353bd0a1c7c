//! Records that are pushed are judged before they are written down, so that whoever sends one that is
//! no record of its stream is told.

use super::parse::{Parsed, Scratch};
use super::split::{Block, Shape};
use super::{Feeds, Partition};
use crate::batch::{Batch, Column};
use crate::clean::Refused;
use crate::clean::currency::{Currencies, money_of};
use crate::event::Stream;
use crate::lock::lock;
use crate::text::Text;

impl Partition {
    /// The lines of some records that cannot be taken, from 0, and why.
    pub fn judge(&self, lines: Vec<u8>, feeds: &Feeds) -> Vec<(u64, String)> {
        let end = lines.len() as u64;
        let block = Block { offset: 0, end, shape: Shape::Plain, bytes: lines, above: None };
        let plan = self.plan();
        let mut parsed = plan.parse(&block, self.index, &mut Scratch::default());
        let refuse = |parsed: &mut Parsed, rows: Vec<Refused>| plan.refuse(parsed, &block, rows);
        if let Some(cleaner) = &feeds.cleaner {
            let refused = cleaner.clean(self.stream, &mut parsed.batch);
            refuse(&mut parsed, refused);
        }
        if self.converted(feeds).is_none() {
            let refused = foreign(self.stream, &parsed.batch, &feeds.currencies);
            refuse(&mut parsed, refused);
        }
        let late = lock(&self.chain).clock.late(&parsed.batch.times, feeds.arrivals.clock.now());
        let why = "late: event time is further back than --lateness";
        refuse(&mut parsed, late.into_iter().map(|(row, _)| (row, why.to_owned())).collect());
        let mut refused: Vec<(u64, String)> =
            parsed.bad.into_iter().map(|bad| (bad.line - 1, bad.reason)).collect();
        refused.dedup_by_key(|(line, _)| *line);
        refused
    }
}

/// The rows whose amounts are of another currency than those before: they cannot be added up, and
/// would end the run.
fn foreign(stream: Stream, batch: &Batch, known: &Currencies) -> Vec<Refused> {
    let column = money_of(stream).and_then(|(currency, _)| batch.columns.get(currency));
    let Some(Column::Text(currencies)) = column else { return Vec::new() };
    let mut known = known.names().first().map(|name| Text::new(name));
    let mut refused = Vec::new();
    for (row, currency) in currencies.iter().enumerate().filter(|(_, text)| !text.is_empty()) {
        let known = known.get_or_insert_with(|| currency.clone());
        if known != currency {
            refused.push((row, format!("amounts are in {known} here, and cannot be added up with others without --rates")));
        }
    }
    refused
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_currency_that_cannot_be_added_up_is_refused_in_every_stream_that_has_money() {
        let mut streams = 0;
        for &stream in Stream::ALL {
            let schema = stream.schema();
            let Some(currency) = schema.field("currency") else { continue };
            let mut batch = Batch::with_fields(schema, &[currency]);
            let texts = ["", "EUR", "USD", "EUR"].map(Text::new);
            batch.columns[currency] = Column::Text(texts.to_vec());
            let rows = |known: &Currencies| {
                let refused = foreign(stream, &batch, known).into_iter();
                refused.map(|(row, _)| row).collect::<Vec<_>>()
            };
            let known = Currencies::default();
            assert_eq!(rows(&known), [2], "{stream:?}");
            known.know(["USD"].into_iter());
            assert_eq!(rows(&known), [1, 3], "{stream:?}");
            streams += 1;
        }
        assert!(streams > 1);
    }
}
