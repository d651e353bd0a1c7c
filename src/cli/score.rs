//! `tidemill score`: what the views found of what the generator planted.
//!
//! A planted thing is found if its key is among those a view names; what a view names beside is
//! false. Both are counted once per key: precision is found / named, recall is found / planted.

use crate::error::Error;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  tidemill generate --all --out data/
  tidemill run --source transactions=data/transaction.csv --source logins=data/logins.csv \\
      --source behavior=data/user_behavior.csv --sink csv:views \\
      --query security_alerts,risk_decisions,risk_decisions_at_time
  tidemill score --truth data/truth.csv --out views/ --at-least 0.9")]
pub struct Args {
    /// What was planted, as `tidemill generate --all` writes it
    #[arg(long, value_name = "FILE")]
    truth: PathBuf,
    /// The directory with the views as CSV
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Fail if a precision or recall is below this share
    #[arg(long, value_name = "SHARE")]
    at_least: Option<f64>,
}

/// A view, and how its rows name what they found.
struct Witness {
    view: &'static str,
    /// The row is about the kind if this column has this word among its words.
    when: Option<(&'static str, &'static str)>,
    /// These columns, joined by `@`, are the key.
    key: &'static [&'static str],
}

const fn alert(kind: &'static str) -> Witness {
    Witness { view: "security_alerts", when: Some(("kind", kind)), key: &["subject"] }
}

const fn duplicate(view: &'static str) -> Witness {
    Witness { view, when: Some(("reasons", "duplicate_charge")), key: &["transaction_id"] }
}

/// The kinds of planted things, and where they are to be found. A duplicate may have been taken
/// back since, so what was known at its time counts as well.
const KINDS: [(&str, &[Witness]); 6] = [
    ("duplicate", &[duplicate("risk_decisions"), duplicate("risk_decisions_at_time")]),
    ("card_testing", &[alert("card_testing")]),
    ("brute_force", &[alert("brute_force_user")]),
    ("credential_stuffing", &[alert("credential_stuffing")]),
    ("bot", &[alert("bot")]),
    (
        "stock_out",
        &[Witness { view: "inventory_alerts", when: None, key: &["item_id", "warehouse"] }],
    ),
];

impl Args {
    pub fn run(self) -> Result<(), Error> {
        let truth = Witness { view: "truth", when: None, key: &["key"] };
        let mut text = format!(
            "{:<20} {:>8} {:>8} {:>8} {:>10} {:>8}\n",
            "kind", "planted", "named", "found", "precision", "recall"
        );
        let (mut seen, mut low) = (false, Vec::new());
        for (kind, witnesses) in KINDS {
            let planted = Witness { when: Some(("kind", kind)), ..truth }.keys(&self.truth)?;
            let mut named: Option<BTreeSet<String>> = None;
            for witness in witnesses {
                let path = self.out.join(format!("{}.csv", witness.view));
                if path.exists() {
                    named.get_or_insert_default().extend(witness.keys(&path)?);
                }
            }
            let Some(named) = named else {
                let views: Vec<&str> = witnesses.iter().map(|w| w.view).collect();
                text.push_str(&format!("{kind:<20} no view {}\n", views.join(" or ")));
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
                "--out {}: none of the views is there; run them with --sink csv:{0}",
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
    /// The keys that the rows of a CSV file name.
    fn keys(&self, path: &Path) -> Result<BTreeSet<String>, Error> {
        let wrong = |what: String| Error::Usage(format!("{}: {what}", path.display()));
        let file = std::fs::File::open(path).map_err(Error::file(path))?;
        let mut rows = csv::Reader::from_reader(std::io::BufReader::new(file));
        let header = rows.headers().map_err(|e| wrong(e.to_string()))?.clone();
        let column = |name: &str| {
            let at = header.iter().position(|column| column == name);
            at.ok_or_else(|| wrong(format!("it has no column {name}")))
        };
        let when = match self.when {
            Some((name, word)) => Some((column(name)?, word)),
            None => None,
        };
        let key = self.key.iter().map(|name| column(name)).collect::<Result<Vec<_>, Error>>()?;
        let mut keys = BTreeSet::new();
        for row in rows.records() {
            let row = row.map_err(|e| wrong(e.to_string()))?;
            let cell = |at: usize| row.get(at).unwrap_or_default();
            if when.is_none_or(|(at, word)| cell(at).split(' ').any(|w| w == word)) {
                keys.insert(key.iter().map(|at| cell(*at)).collect::<Vec<_>>().join("@"));
            }
        }
        Ok(keys)
    }
}
