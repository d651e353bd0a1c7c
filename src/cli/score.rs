//! `tidemill score`: what the views found of what the generator planted.
//!
//! A planted thing is found if its key is among those a view names; what a view names beside is
//! false. Both are counted once per key: precision is found / named, recall is found / planted.
//! Attacks, duplicates and stock-outs stand in a view for good; a parcel is open only for a while,
//! so for late ones everything counts that the change log ever showed.

use crate::error::Error;
use crate::spreadsheet::plain;
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  tidemill generate --all --out data/
  tidemill run --source transactions=data/transaction.csv --source logins=data/logins.csv \\
      --source behavior=data/user_behavior.csv --source inventory=data/inventory.csv \\
      --query security_alerts,risk_decisions,risk_decisions_at_time,stock_outs --sink csv:views
  tidemill run --source logistics=data/logistics.csv --query sla_watch --tick 1h --sink jsonl:views
  tidemill score --truth data/truth.csv --out views/ --at-least 0.85")]
pub struct Args {
    /// What was planted, as `tidemill generate --all` writes it
    #[arg(long, value_name = "FILE")]
    truth: PathBuf,
    /// The directory with the views (csv) and change logs (jsonl)
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Fail if a precision or recall is below this share
    #[arg(long, value_name = "SHARE", value_parser = share)]
    at_least: Option<f64>,
}

/// A number from 0 to 1.
fn share(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|x| (0.0..=1.0).contains(x));
    number.ok_or_else(|| "expected a share from 0 to 1, for instance 0.85".into())
}

/// A view, and how its rows name what they found.
struct Witness {
    view: &'static str,
    from: From,
    /// The row is about the kind if this column has this word among its words (or in any case).
    when: Option<(&'static str, &'static str)>,
    /// These columns, joined by `@`, are the key.
    key: &'static [&'static str],
}

/// What of a view counts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum From {
    /// What it holds in the end.
    End,
    /// Whatever it held at any time.
    Log,
}

const fn alert(kind: &'static str) -> Witness {
    Witness {
        view: "security_alerts",
        from: From::End,
        when: Some(("kind", kind)),
        key: &["subject"],
    }
}

const fn duplicate(view: &'static str) -> Witness {
    let when = Some(("reasons", "duplicate_charge"));
    Witness { view, from: From::End, when, key: &["transaction_id"] }
}

/// The kinds of planted things, and where they are to be found. A duplicate may have been taken
/// back since, so what was known at its time counts as well.
const KINDS: [(&str, &[Witness]); 7] = [
    ("duplicate", &[duplicate("risk_decisions"), duplicate("risk_decisions_at_time")]),
    ("card_testing", &[alert("card_testing")]),
    ("brute_force", &[alert("brute_force_user")]),
    ("credential_stuffing", &[alert("credential_stuffing")]),
    ("bot", &[alert("bot")]),
    (
        "stock_out",
        &[Witness {
            view: "stock_outs",
            from: From::End,
            when: None,
            key: &["item_id", "warehouse"],
        }],
    ),
    (
        "late_parcel",
        &[Witness {
            view: "sla_watch",
            from: From::Log,
            when: Some(("late", "true")),
            key: &["shipment_id"],
        }],
    ),
];

impl Args {
    pub fn run(self) -> Result<(), Error> {
        let mut text = format!(
            "{:<20} {:>8} {:>8} {:>8} {:>10} {:>8}\n",
            "kind", "planted", "named", "found", "precision", "recall"
        );
        let (mut seen, mut low) = (false, Vec::new());
        for (kind, witnesses) in KINDS {
            let truth = Witness {
                view: "truth",
                from: From::End,
                when: Some(("kind", kind)),
                key: &["key"],
            };
            let planted = truth.keys(&self.truth)?;
            let mut named: Option<BTreeSet<String>> = None;
            for witness in witnesses {
                let path = self.out.join(witness.file());
                if path.exists() {
                    named.get_or_insert_default().extend(witness.keys(&path)?);
                }
            }
            let Some(named) = named else {
                let files: Vec<String> = witnesses.iter().map(Witness::file).collect();
                text.push_str(&format!("{kind:<20} there is no {}\n", files.join(" or ")));
                continue;
            };
            seen = true;
            let found = planted.intersection(&named).count();
            let share = |of: usize| if of == 0 { 1.0 } else { found as f64 / of as f64 };
            let (precision, recall) = (share(named.len()), share(planted.len()));
            text.push_str(&format!(
                "{kind:<20} {:>8} {:>8} {found:>8} {precision:>10.3} {recall:>8.3}\n",
                planted.len(),
                named.len(),
            ));
            if self.at_least.is_some_and(|least| precision.min(recall) < least) {
                low.push(kind);
            }
        }
        super::print(&text)?;
        if !seen {
            return Err(Error::Usage(format!(
                "--out {}: none of the views is there; run them with --sink csv:{0} --sink jsonl:{0}",
                self.out.display()
            )));
        }
        match (low.is_empty(), self.at_least) {
            (false, Some(least)) => {
                Err(Error::Score { kinds: low.join(", "), least: least.to_string() })
            }
            _ => Ok(()),
        }
    }
}

impl Witness {
    fn file(&self) -> String {
        match self.from {
            From::End => format!("{}.csv", self.view),
            From::Log => format!("{}.changes.jsonl", self.view),
        }
    }

    /// The keys that a file names.
    fn keys(&self, path: &Path) -> Result<BTreeSet<String>, Error> {
        let file = BufReader::new(std::fs::File::open(path).map_err(Error::file(path))?);
        let read = match self.from {
            From::End => self.rows(file),
            From::Log => self.changes(file),
        };
        read.map_err(|what| Error::Usage(format!("{}: {what}", path.display())))
    }

    /// The key of a row that is about the kind.
    fn key<'a>(&self, cell: impl Fn(&str) -> Option<&'a str>) -> Result<Option<String>, String> {
        let of = |name: &str| cell(name).ok_or_else(|| format!("it has no column {name}"));
        let cells: Vec<&str> = self.key.iter().map(|name| of(name)).collect::<Result<_, _>>()?;
        let about = match self.when {
            Some((column, word)) => of(column)?.split(' ').any(|w| w == word),
            None => true,
        };
        Ok(about.then(|| cells.join("@")))
    }

    fn rows(&self, file: impl BufRead) -> Result<BTreeSet<String>, String> {
        let mut rows = csv::Reader::from_reader(file);
        let header = rows.headers().map_err(|e| e.to_string())?.clone();
        let mut keys = BTreeSet::new();
        for row in rows.records() {
            let row = row.map_err(|e| e.to_string())?;
            let cell =
                |name: &str| row.get(header.iter().position(|column| column == name)?).map(plain);
            keys.extend(self.key(cell)?);
        }
        Ok(keys)
    }

    fn changes(&self, file: impl BufRead) -> Result<BTreeSet<String>, String> {
        let mut keys = BTreeSet::new();
        for line in file.lines() {
            let line = line.map_err(|e| e.to_string())?;
            let change: Value = serde_json::from_str(&line).map_err(|e| e.to_string())?;
            if change["diff"].as_i64() < Some(1) {
                continue;
            }
            keys.extend(self.key(|name| match change["row"].get(name)? {
                Value::Bool(true) => Some("true"),
                Value::Bool(false) => Some("false"),
                other => other.as_str(),
            })?);
        }
        Ok(keys)
    }
}
