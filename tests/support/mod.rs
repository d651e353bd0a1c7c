//! What the tests share: a seeded random source, and random shop histories as CSV text that goes
//! through the real parser and the real clock.

#![allow(dead_code, reason = "each test binary uses its part")]

pub mod books;
pub mod tuned;

use std::collections::BTreeMap;
use std::sync::Arc;
use tidemill::clock::{Clock, Tick};
use tidemill::config::Settings;
use tidemill::event::Stream;
use tidemill::lab::memory::Text;
use tidemill::lab::replay::{Change, Recorded};
use tidemill::value::Value;

/// splitmix64.
pub struct Random(pub u64);

impl Random {
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
    pub fn below(&mut self, n: u64) -> u64 {
        self.bits() % n
    }
    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
    pub fn of<'a>(&mut self, items: &[&'a str]) -> &'a str {
        items[self.below(items.len() as u64) as usize]
    }
}

/// Rows of the view after all changes up to and including a time.
#[derive(Default)]
pub struct View(pub BTreeMap<String, (Vec<Value>, isize)>);

impl View {
    /// Takes in a change.
    pub fn apply(&mut self, change: &Change) {
        let entry = self.0.entry(format!("{:?}", change.row));
        let entry = entry.or_insert_with(|| (change.row.clone(), 0));
        entry.1 += change.diff;
    }
    /// Its rows, each as often as it is there.
    pub fn rows(&self) -> Vec<Vec<Value>> {
        let mut rows = Vec::new();
        for (row, count) in self.0.values() {
            assert!(*count >= 0, "a row was taken back that is not there: {row:?}");
            rows.extend(std::iter::repeat_n(row.clone(), *count as usize));
        }
        rows
    }
}

/// The tick of the histories.
pub fn tick() -> Tick {
    Tick::from_millis(600_000).expect("not zero")
}

/// Text of a time so many seconds after 2026-01-05T00:00:00Z.
pub fn moment(seconds: i64) -> String {
    let base = 1_767_571_200;
    jiff::Timestamp::from_second(base + seconds).expect("in range").to_string()
}

/// Parses CSV text as partition `partition` of a stream, in blocks of about `block` bytes, with
/// every column filled, and stamps it.
pub fn record(stream: Stream, partition: u32, csv: &str, block: usize) -> Recorded {
    let text = Text { stream, partition, csv, block };
    text.record(tick()).expect("good records")
}

/// The same batches, stamped by another tick.
pub fn stamped(recorded: &Recorded, tick: Tick) -> Recorded {
    let mut clocks: BTreeMap<(Stream, u32), Clock> = Default::default();
    let stamp = |(stream, batch): &(Stream, Arc<tidemill::batch::Batch>)| {
        let mut batch = (**batch).clone();
        let clock = clocks.entry((*stream, batch.partition));
        clock.or_insert_with(|| Clock::new(tick, None)).stamp(&mut batch);
        (*stream, Arc::new(batch))
    };
    recorded.iter().map(stamp).collect()
}

/// Parameters with which few records are enough to make every query say something.
pub fn settings() -> Settings {
    let text = r#"
        [query.security_alerts]
        failures = 2
        failure_window = "15m"
        stuffing_users = 3
        testing_charges = 2
        testing_cards = 2
        testing_amount = 2000
        bot_events = 2
        bot_views_per_minute = 0

        [query.stream_health]
        late_after = "12m"

        [query.anomalies]
        days = 5
        baseline = 2
        limit = 500

        [query.risk_decisions]
        velocity_limit = 1
        velocity_sum = 20_000
        testing_cards = 2
        testing_amount = 3000
        duplicate_window = "1h"
        zscore = 1_000
        median_ratio = 2_000
        speed = 300
        new_device_amount = 5_000
        hour_gap = 1

        [[query.risk_decisions.rules]]
        id = "failed_logins"
        stream = "logins"
        keys = ["user_id"]
        aggregate = "count"
        comparison = ">="
        limit = 2
        window = "1h"
        outcome = "review"

        [[query.risk_decisions.rules]]
        id = "users_of_ip"
        stream = "logins"
        keys = ["ip"]
        field = "user_id"
        aggregate = "distinct"
        comparison = "<="
        limit = 1
        window = "30m"
        outcome = "decline"
    "#;
    let mut settings = Settings::default();
    settings.parse("support", text).expect("a good text");
    settings
}

/// A random history of all streams: disorder, late records, duplicate ids with other contents,
/// cancellations, or (as change logs) retractions: of earlier records, of ones that come later, and
/// of ones that never come.
pub fn history(seed: u64, records: usize, change_log: bool) -> Recorded {
    history_at_pace(seed, records, change_log, 400)
}

/// As `history`, where of the two files of each stream the second is a change log.
pub fn mixed_history(seed: u64, records: usize) -> Recorded {
    let mut random = Random(seed);
    let mut all = Recorded::new();
    for &stream in Stream::ALL {
        for partition in 0..2u32 {
            let csv = csv(stream, &mut random, (records, 400), partition == 1);
            all.extend(record(stream, partition, &csv, 500));
        }
    }
    all
}

/// As `history`, with up to so many seconds from one record to the next.
pub fn history_at_pace(seed: u64, records: usize, change_log: bool, pace: u64) -> Recorded {
    let mut random = Random(seed);
    let mut all = Recorded::new();
    for &stream in Stream::ALL {
        for partition in 0..2u32 {
            let csv = csv(stream, &mut random, (records, pace), change_log);
            let block = 64 + random.below(600) as usize;
            all.extend(record(stream, partition, &csv, block));
        }
    }
    all
}

/// Some texts of a stream, a change log among them.
pub fn texts(stream: Stream, records: usize, seed: u64) -> Vec<String> {
    let mut random = Random(seed);
    [false, true].map(|log| csv(stream, &mut random, (records, 400), log)).to_vec()
}

fn csv(
    stream: Stream,
    random: &mut Random,
    (records, pace): (usize, u64),
    change_log: bool,
) -> String {
    let all: Vec<&str> = stream.schema().fields.iter().map(|f| f.name).collect();
    // Some sources lack a column.
    let lacks = if random.one_in(3) { 1 + random.below(all.len() as u64 - 1) as usize } else { 0 };
    let there = |column: usize| column == 0 || column != lacks;
    let mut columns: Vec<&str> = (0..all.len()).filter(|i| there(*i)).map(|i| all[i]).collect();
    if change_log {
        columns.push("_diff");
    }
    let mut text = columns.join(",") + "\n";
    // A record as it is sent: any field but the time may be empty.
    let sent_as = |random: &mut Random, row: String| -> String {
        let fields: Vec<&str> = row.split(',').collect();
        let fields = (0..fields.len()).filter(|i| there(*i)).map(|i| match i {
            0 => fields[0],
            _ if random.one_in(20) => "",
            _ => fields[i],
        });
        fields.collect::<Vec<&str>>().join(",")
    };
    // Some sources count the versions of their records, not always in the order of event times.
    let versions = random.one_in(3);
    let (mut sent, mut owed): (Vec<String>, Vec<String>) = Default::default();
    let mut now = 0i64;
    for _ in 0..records {
        now += random.below(pace) as i64;
        let late = if random.one_in(12) { random.below(20_000) as i64 } else { 0 };
        let jitter = random.below(300) as i64;
        let at = (now - late - jitter).max(0);
        if change_log && sent.len() > 20 && random.one_in(30) {
            // So many at once that whole batches take back and bring nothing.
            for _ in 0..12 {
                let gone = sent.swap_remove(random.below(sent.len() as u64) as usize);
                text.push_str(&format!("{gone},-1\n"));
            }
            continue;
        }
        if change_log && !sent.is_empty() && random.one_in(5) {
            let gone = sent.swap_remove(random.below(sent.len() as u64) as usize);
            text.push_str(&format!("{gone},-1\n"));
            if random.one_in(4) {
                text.push_str(&format!("{gone},-1\n"));
                owed.push(gone);
            }
            continue;
        }
        if !owed.is_empty() && random.one_in(12) {
            let late = owed.swap_remove(random.below(owed.len() as u64) as usize);
            text.push_str(&format!("{late},{}\n", 1 + random.below(2)));
            continue;
        }
        let version = match versions && !random.one_in(4) {
            true => random.below(5).to_string(),
            false => String::new(),
        };
        let row = format!("{},{version}", row(stream, random, at));
        let row = sent_as(random, row);
        if change_log && random.one_in(8) {
            text.push_str(&format!("{row},-1\n"));
            owed.push(row);
        } else if change_log {
            text.push_str(&format!("{row},1\n"));
            sent.push(row);
        } else {
            text.push_str(&format!("{row}\n"));
        }
    }
    text
}

fn row(stream: Stream, random: &mut Random, at: i64) -> String {
    // Few ids, so that many records meet another of their id; some have none.
    let id = if random.one_in(10) { String::new() } else { random.below(60).to_string() };
    let time = moment(at);
    let user = random.below(8);
    let item = random.below(6);
    let money = format!("{}.{:02}", random.below(90), random.below(100));
    let maybe = |random: &mut Random, text: String| {
        if random.one_in(6) { String::new() } else { text }
    };
    match stream {
        Stream::Behavior => {
            let event = random.of(&[
                "page_view",
                "view_item",
                "view_item",
                "add_to_cart",
                "begin_checkout",
                "purchase",
                "search",
                "something_else",
            ]);
            let views = if random.one_in(4) { random.below(5).to_string() } else { String::new() };
            let orders = if random.one_in(6) { random.below(3).to_string() } else { String::new() };
            let category = random.of(&["shoes", "Hats", "bags", ""]);
            let device = random.of(&["phone", "Desktop"]);
            let campaign = random.of(&["", "k0", "k1", "k2"]);
            // Half of the sessions have no id of their own; some visitors are unknown.
            let session = match random.below(24) {
                n @ ..12 => format!("s{n}"),
                _ => String::new(),
            };
            let visitor = maybe(random, format!("u{user}"));
            let quantity = random.of(&["1", "2", "3", ""]);
            let price = maybe(random, money);
            // What many events of a shop have beside that.
            let (order, value) = (random.below(25), random.below(90));
            let order = maybe(random, format!("o{order}"));
            let value = maybe(random, format!("{value}.50"));
            let bot = random.of(&["", "", "no", "true"]);
            format!(
                "{time},{id},{visitor},{session},{event},{item},{category},{quantity},{price},{views},{orders},{device},10.0.0.{user},{campaign},DE,\
                 a{user},{order},{value},EUR,google,cpc,https://x/,/p/{item},red hat,mobile,safari,granted,e1,b,{bot}"
            )
        }
        Stream::Transactions => {
            let status = random.of(&[
                "captured",
                "captured",
                "captured",
                "captured",
                "captured",
                "captured",
                "captured",
                "captured",
                "captured",
                "authorized",
                "cancelled",
                "refunded",
                "chargeback",
                "partially_refunded",
                "voided",
                "pending",
                "failed",
                "chargeback_reversed",
                "",
            ]);
            // Few amounts, so that some charges are the same; now and then money goes back.
            let amount = match random.below(12) {
                0 => "-2.25".into(),
                1..=4 => "3.50".into(),
                _ => maybe(random, money),
            };
            // Few orders, so that they have several lines.
            let order = format!("o{}", random.below(25));
            let order = maybe(random, order);
            let card = random.below(10);
            let (ip, device) = (random.below(5), random.below(24));
            let country = random.of(&["DE", "DE", "FR", "us", "XX", ""]);
            // Some payments have lines.
            let line = random.of(&["", "", "1", "2"]);
            let refers = match random.below(12) {
                0 => format!("o{}", random.below(25)),
                1 => random.below(60).to_string(),
                _ => String::new(),
            };
            format!(
                "{time},{id},{line},{order},{refers},u{user},{item},1,{amount},EUR,{status},c{card},\
                 10.0.0.{ip},d{device},{country},0.10,0.20,0.05,SALE,0.70,m{card},card,web,e{user},\
                 4{card},{country},Y,M,passed,{country}"
            )
        }
        Stream::Logistics => {
            let status = random.of(&[
                "Delivered",
                "Delivered",
                "Delivered",
                "InTransit",
                "AttemptFail",
                "Exception",
                "",
            ]);
            let mut around = |least: i64, range: u64| {
                let time = moment(at + least + random.below(range) as i64);
                maybe(random, time)
            };
            let ordered = around(-99_000, 9_000);
            let shipped = around(-100_000, 60_000);
            let promised = around(-1_000, 9_000);
            let cost = maybe(random, money);
            let carrier = random.of(&["dhl", "ups"]);
            let region = random.of(&["north", "south"]);
            let kind = if random.one_in(16) { "return" } else { random.of(&["", "outbound"]) };
            format!(
                "{time},{id},o{user},{carrier},{region},w{item},{ordered},{shipped},{promised},{status},{cost},2,{},\
                 {kind},Delivered_001,{promised},express",
                1 + random.below(2)
            )
        }
        Stream::Ads => {
            let event = random.of(&["impression", "impression", "click", "conversion", ""]);
            let cost = maybe(random, money);
            format!("{time},{event},u{user},k{},v{item},{cost}", random.below(3))
        }
        Stream::Logins => {
            let outcome = random.of(&["success", "failure", "failure"]);
            format!("{time},u{user},10.0.0.{},phone,{outcome}", random.below(4))
        }
        Stream::Inventory => {
            let change = random.below(40) as i64 - 15;
            format!("{time},{item},w{},{change}", 1 + random.below(2))
        }
        Stream::Catalog => {
            let price = maybe(random, money);
            format!("{time},{item},shoes,{price},1.00,{}", random.of(&["yes", "no", ""]))
        }
        Stream::Customers => {
            format!("{time},u{user},a{user},e{user},DE,granted,{}", moment((at - 90_000).max(0)))
        }
    }
}
