//! Options that cannot have their effect are refused: who gives one expects something of it.
//!
//! An option counts as given if it is not what it would be anyway.

use super::{Cleaning, Job, Queries};
use crate::clean::Step;
use crate::clean::currency::money_of;
use crate::error::Error;
use crate::event::Stream;
use crate::queries::catalog;
use crate::query::{AnyQuery, Reads};
use crate::source::Input;
use crate::worker;

impl Job {
    /// Refuses a name for a column that no query there is would ever look at: whoever gives one
    /// expects its values to count. One that another query reads is no mistake.
    pub(super) fn refuse_unread(&self, read: &Reads) -> Result<(), Error> {
        for (name, _) in &self.cleaning.map {
            let Some((stream, field)) = field(name) else { continue };
            // By these records are told apart and converted, whatever the queries read.
            let always = [0, stream.id(), stream.version()].contains(&field)
                || stream.line() == Some(field)
                || money_of(stream).is_some_and(|(currency, _)| currency == field);
            let reads = |reads: &Reads| reads.fields(stream).contains(&field);
            if !always
                && !self.has_own_queries()
                && !reads(read)
                && !catalog().iter().any(|(_, query)| reads(&worker::reads(&**query)))
            {
                return Err(Error::Usage(format!(
                    "--map {name} would do nothing: no query reads {name}"
                )));
            }
        }
        Ok(())
    }

    fn has_own_queries(&self) -> bool {
        matches!(self.queries, Queries::These(_))
    }

    /// Refuses what the sources and the other options leave without effect. `ids` says why no
    /// stream is made unique by id, where that is so.
    pub(super) fn refuse_idle(
        &self,
        queries: &[&str],
        ids: Option<&'static str>,
    ) -> Result<(), Error> {
        let (cleaning, plain) = (&self.cleaning, Cleaning::default());
        let text = |stream: Option<Stream>| {
            let meant = |s: &Stream| stream.is_none_or(|stream| *s == stream);
            self.sources.iter().any(|(s, input)| meant(s) && matches!(input, Input::Text(_)))
        };
        let recorded = "all sources are replay logs, which were cleaned when they were recorded";
        let no_text = (!text(None)).then_some(recorded);
        let off = |wanted: Step, name: &'static str| (!cleaning.has(wanted)).then_some(name);
        let amounts = |stream: &Stream| money_of(*stream).is_some() && text(Some(*stream));
        let sales = (!Stream::ALL.iter().any(amounts)).then_some(
            "it is for amounts, and no source of transactions or behavior is given as text",
        );
        let visits = (!text(Some(Stream::Behavior)))
            .then_some("it is for items seen, and no source of behavior is given as text");
        let rates = cleaning.rates.is_none().then_some("it goes with --rates, which is not given");
        let given: [(bool, &str, &[Option<&str>]); 18] = [
            (
                cleaning.time_zone != plain.time_zone,
                "--time-zone",
                &[no_text, off(Step::Zone, "`zone` is not among --steps")],
            ),
            (
                cleaning.rates.is_some(),
                "--rates",
                &[no_text, sales, off(Step::Currency, "`currency` is not among --steps")],
            ),
            (cleaning.base_currency != plain.base_currency, "--base-currency", &[rates]),
            (
                cleaning.enrich.is_some(),
                "--enrich",
                &[no_text, visits, off(Step::Enrich, "`enrich` is not among --steps")],
            ),
            (cleaning.max_jump.is_some(), "--max-jump", &[no_text]),
            (cleaning.lateness.is_some(), "--lateness", &[no_text]),
            (
                cleaning.max_future != plain.max_future,
                "--max-future",
                &[no_text, off(Step::Validate, "`validate` is not among --steps")],
            ),
            (cleaning.on_duplicate != plain.on_duplicate, "--on-duplicate", &[ids]),
            (cleaning.dedupe_hours.is_some(), "--dedupe-hours", &[ids]),
            (!cleaning.map.is_empty(), "--map", &[no_text]),
            (!cleaning.map_value.is_empty(), "--map-value", &[no_text]),
            (cleaning.dialect.delimiter.is_some(), "--delimiter", &[no_text]),
            (cleaning.dialect.columns.is_some(), "--no-header", &[no_text]),
            (cleaning.dialect.encoding.is_some(), "--encoding", &[no_text]),
            (!cleaning.time_format.is_empty(), "--time-format", &[no_text]),
            (cleaning.decimal_comma, "--decimal-comma", &[no_text]),
            (!cleaning.absent.is_empty(), "--absent", &[no_text]),
            // Leaving out `dedupe` has its effect on a recording, too.
            (!cleaning.takes_all_steps() && cleaning.has(Step::Dedupe), "--steps", &[no_text]),
        ];
        for (given, option, reasons) in given {
            if let (true, Some(why)) = (given, reasons.iter().flatten().next()) {
                return Err(Error::Usage(format!("{option} would do nothing: {why}")));
            }
        }
        for (option, name) in cleaning.named_fields() {
            let stream = Stream::by_name(name.split('.').next().unwrap_or_default());
            if stream.is_some_and(|stream| !text(Some(stream))) {
                return Err(Error::Usage(format!(
                    "{option} {name} would do nothing: no source of that stream is given as text"
                )));
            }
        }
        for set in self.settings.sets() {
            let name = set.split('.').next().unwrap_or_default().trim();
            // The decisions at their time are made by the same rules.
            let same = |query: &str| {
                query == name || (query == "risk_decisions_at_time" && name == "risk_decisions")
            };
            if !self.has_own_queries() && !queries.iter().any(|query| same(query)) {
                return Err(Error::Usage(format!(
                    "--set {set} would do nothing: the query {name} is not among those that run"
                )));
            }
        }
        Ok(())
    }

    /// Refuses a bound for lateness where a recording is read: its records came in when it was made.
    pub(super) fn refuse_late_recordings(&self) -> Result<(), Error> {
        let mut recorded = self.sources.iter().filter(|(_, i)| matches!(i, Input::Recorded(_)));
        match (self.cleaning.lateness, recorded.next()) {
            (Some(_), Some((_, input))) => Err(Error::Usage(format!(
                "--lateness: {} is a recording, whose records are not judged again; \
                 say it to `tidemill record`",
                input.header().file()
            ))),
            _ => Ok(()),
        }
    }

    /// Refuses a zone for views of which none is by day or hour of the day.
    pub(super) fn refuse_zone<'a>(
        &self,
        mut queries: impl Iterator<Item = &'a dyn AnyQuery>,
    ) -> Result<(), Error> {
        let has_zone = |query: &dyn AnyQuery| query.parameters().iter().any(|p| p.name == "zone");
        match self.settings.gives_all("zone") {
            true if !queries.any(has_zone) => Err(Error::Usage(
                "--report-zone would do nothing: no query of the run tells of days or hours of the day"
                    .into(),
            )),
            _ => Ok(()),
        }
    }
}

/// The field that a name such as `transactions.amount` stands for.
fn field(name: &str) -> Option<(Stream, usize)> {
    let (stream, field) = name.split_once('.')?;
    let stream = Stream::by_name(stream)?;
    Some((stream, stream.schema().field(field)?))
}
