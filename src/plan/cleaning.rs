//! How records are read and cleaned.

use super::stream_names;
use crate::clean::{Cleaner, Step, currency::Rates, enrich::Categories};
use crate::error::Error;
use crate::event::{Kind, Stream};
use crate::operator::OnDuplicate;
use crate::source::absent::Absent;
use crate::source::dialect::Dialect;
use crate::source::plan::{ParseOptions, ValueMap};
use crate::source::time::Form;
use std::path::PathBuf;

/// How records are read and cleaned.
#[derive(Clone, Debug)]
pub struct Cleaning {
    /// Columns under other names: `STREAM.FIELD`, and the column.
    pub map: Vec<(String, String)>,
    /// What names of a source stand for.
    pub map_value: Vec<ValueMap>,
    /// How the text of files is written, as far as it is known; the sources were opened so.
    pub dialect: Dialect,
    /// The cleaning steps to take.
    pub steps: Vec<Step>,
    /// The time zone of times that name none.
    pub time_zone: String,
    /// How times are written, of all fields or of one: `STREAM.FIELD`. What is not said is found on the
    /// first rows.
    pub time_format: Vec<(Option<String>, Form)>,
    /// Whether numbers have a decimal comma.
    pub decimal_comma: bool,
    /// Further words that stand for no value.
    pub absent: Vec<String>,
    /// Decimals of money: 2 for cents.
    pub decimals: u32,
    /// A file with exchange rates to the base currency; without it all amounts must be of one.
    pub rates: Option<PathBuf>,
    /// The currency amounts are converted to.
    pub base_currency: String,
    /// A file with the categories of items.
    pub enrich: Option<PathBuf>,
    /// Which records of one id hold.
    pub on_duplicate: OnDuplicate,
    /// For how many hours an id is remembered; none: to the end.
    pub dedupe_hours: Option<u64>,
    /// Where bad records go; none: `dead_letters.jsonl` beside the first file sink.
    pub dead_letters: Option<PathBuf>,
    /// The largest share of bad records that is put up with.
    pub max_bad: f64,
    /// Event times further ahead of the wall clock, in milliseconds, are bad records.
    pub max_future: u64,
    /// Event times further ahead of their source's own clock, in milliseconds, are bad records.
    pub max_jump: Option<u64>,
    /// Event times further behind their source's own clock, in milliseconds, are late: they are
    /// refused, and what only they could change is final. None: nothing ever is.
    pub lateness: Option<u64>,
}

impl Default for Cleaning {
    fn default() -> Self {
        Cleaning {
            map: Vec::new(),
            map_value: Vec::new(),
            dialect: Dialect::default(),
            steps: Step::ALL.to_vec(),
            time_zone: "UTC".into(),
            time_format: Vec::new(),
            decimal_comma: false,
            absent: Vec::new(),
            decimals: 2,
            rates: None,
            base_currency: "EUR".into(),
            enrich: None,
            on_duplicate: OnDuplicate::default(),
            dedupe_hours: None,
            dead_letters: None,
            max_bad: 0.05,
            max_future: 366 * 86_400_000,
            max_jump: None,
            lateness: None,
        }
    }
}

impl Cleaning {
    /// The fields that are named, each as STREAM.FIELD, with the option that does.
    pub(super) fn named_fields(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let maps = self.map.iter().map(|(name, _)| ("--map", name.as_str()));
        let forms = self
            .time_format
            .iter()
            .filter_map(|(name, _)| Some(("--time-format", name.as_deref()?)));
        let values = self.map_value.iter().map(|map| ("--map-value", map.field.as_str()));
        maps.chain(forms).chain(values)
    }

    /// Refuses options for fields that there are not. The field of a renaming is looked at where it is used.
    pub(super) fn refuse_unknown_fields(&self) -> Result<(), Error> {
        for (option, name) in self.named_fields() {
            let (stream, field) = name.split_once('.').unwrap_or((name, ""));
            let Some(known) = Stream::by_name(stream) else {
                let names = stream_names();
                return Err(Error::Usage(format!(
                    "{option} {name}: there is no stream {stream}; {names}"
                )));
            };
            let can = |kind: Kind| match option {
                "--time-format" => kind == Kind::Time,
                "--map-value" => matches!(kind, Kind::Name { .. }),
                _ => true,
            };
            let fields = known.schema().fields.iter().filter(|field| can(field.kind));
            let names: Vec<&str> = fields.map(|field| field.name).collect();
            if option != "--map" && !names.contains(&field) {
                let names = names.join(", ");
                return Err(Error::Usage(format!(
                    "{option} {name}: {stream} has no such field that could have it; it is for: {names}"
                )));
            }
        }
        Ok(())
    }

    /// Whether a step is taken.
    pub(super) fn has(&self, step: Step) -> bool {
        self.steps.contains(&step)
    }

    /// Whether every step is taken, as it is by default.
    pub(super) fn takes_all_steps(&self) -> bool {
        Step::ALL.iter().all(|step| self.has(*step))
    }

    pub(super) fn parse_options(&self) -> Result<ParseOptions, Error> {
        let name = if self.has(Step::Zone) { self.time_zone.as_str() } else { "UTC" };
        let zone = jiff::tz::TimeZone::get(name).map_err(|_| {
            Error::Usage(format!("--time-zone {name}: no such zone; try UTC or Europe/Berlin"))
        })?;
        let now = jiff::Timestamp::now().as_millisecond();
        Ok(ParseOptions {
            decimals: self.decimals,
            decimals_of_currency: self.has(Step::Validate),
            trim_fold: self.has(Step::Trim),
            zone,
            max_time: self.has(Step::Validate).then(|| now + self.max_future as i64),
            decimal_comma: self.decimal_comma,
            absent: Absent::with(&self.absent),
            time_forms: self.time_format.clone(),
            values: self.map_value.clone(),
            made: Vec::new(),
            rules: Default::default(),
        })
    }

    pub(super) fn cleaner(&self) -> Result<Cleaner, Error> {
        let mut cleaner = Cleaner::default();
        if let (true, Some(path)) = (self.has(Step::Currency), &self.rates) {
            cleaner.currency = Some(Rates::read(path, &self.base_currency)?);
        }
        if let (true, Some(path)) = (self.has(Step::Enrich), &self.enrich) {
            cleaner.enrich = Some(Categories::read(path)?);
        }
        Ok(cleaner)
    }
}
