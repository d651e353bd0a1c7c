//! The ledger: what refunds, voids and disputes do to the lines of sales, on examples worked out by
//! hand, and against the naive ledger on small random books in which all refers to all.

mod support;

use std::sync::Arc;
use support::books::Books;
use support::{Random, View};
use tidemill::clock::Millis;
use tidemill::event::Stream;
use tidemill::lab::replay::{Recorded, replay};
use tidemill::operator::{Dedupe, OnDuplicate};
use tidemill::query::AnyQuery;
use tidemill::query::History;
use tidemill::query::ledger::Line;

const HEADER: &str =
    "transaction_time,transaction_id,line_id,order_id,refers_to,item_id,amount,discount,status";

/// The lines of what these records say, and their times in days from the first.
fn lines(records: &str) -> Vec<Line> {
    history(records).ledger(history(records).last())
}

fn history(records: &str) -> History {
    let rows: String = records.split_whitespace().map(|row| format!("\n2024-01-{row}")).collect();
    let texts = [(Stream::Transactions, &*format!("{HEADER}{rows}\n"))];
    History::from_csv(&texts).expect("good records")
}

/// Of each line: what was refunded and charged back, and whether it stands.
fn fates(records: &str) -> Vec<(i128, i128, bool)> {
    let fate =
        |line: &Line| (line.refunded.unwrap_or(0), line.charged_back.unwrap_or(0), line.stands());
    lines(records).iter().map(fate).collect()
}

#[test]
fn a_refund_is_found_by_its_own_id_by_what_it_refers_to_and_by_its_order() {
    const SALE: &str = "01T10:00Z,t1,,o1,,,100.00,,captured";
    for refund in [
        "31T10:00Z,t1,,,,,30.00,,refunded",
        "31T10:00Z,t1,,,,,-30.00,,refunded",
        "31T10:00Z,t1,,o9,,,-30.00,,captured",
        "31T10:00Z,r1,,,t1,,30.00,,refunded",
        "31T10:00Z,r1,,,o1,,-30.00,,refunded",
        "31T10:00Z,r1,,o1,,,30.00,,refunded",
        "31T10:00Z,,,o1,,,-30.00,,",
        "31T10:00Z,,,,o1,,30.00,,refunded",
    ] {
        for order in [format!("{SALE} {refund}"), format!("{refund} {SALE}")] {
            assert_eq!(fates(&order), [(3000, 0, true)], "{order}");
        }
        // Sent twice it is one, where it has an id.
        let twice = format!("{SALE} {refund} {refund}");
        let times = if refund.starts_with("31T10:00Z,,") { 2 } else { 1 };
        assert_eq!(fates(&twice), [(3000 * times, 0, true)], "{twice}");
    }
    let whole = "31T10:00Z,t1,,,,,,,refunded";
    assert_eq!(fates(&format!("{SALE} {whole}")), [(10000, 0, false)]);
}

#[test]
fn what_refers_to_an_order_is_taken_off_its_lines_one_after_the_other() {
    const ORDER: &str = "01T10:00Z,t1,1,o1,,a,60.00,,captured 01T10:00Z,t1,2,o1,,b,40.00,,captured \
                         02T10:00Z,t2,,o1,,c,10.00,,captured";
    let with = |more: &str| fates(&format!("{ORDER} {more}"));
    // The newest first, the least of one time; what is more than all is off the first.
    assert_eq!(with("03T10:00Z,r,,,o1,,15.00,,refunded")[0], (500, 0, true));
    assert_eq!(with("03T10:00Z,r,,,o1,,15.00,,refunded")[2], (1000, 0, false));
    assert_eq!(with("03T10:00Z,r,,,o1,,120.00,,refunded")[2], (2000, 0, false));
    // Those that are newer come last.
    assert_eq!(with("01T12:00Z,r,,,o1,,105.00,,refunded")[2], (500, 0, true));
    // The item, and the line of the payment's own id.
    assert_eq!(with("03T10:00Z,r,,,o1,b,5.00,,refunded")[1], (500, 0, true));
    assert_eq!(with("03T10:00Z,t1,2,,,,5.00,,refunded")[1], (500, 0, true));
    assert_eq!(with("03T10:00Z,t1,,,,,5.00,,refunded")[0], (500, 0, true));
    // The payment's own id takes no more than is left.
    assert_eq!(with("03T10:00Z,t2,,,,,50.00,,refunded")[2], (1000, 0, false));
    assert_eq!(with("03T10:00Z,r,,,o1,,,,refunded").iter().filter(|fate| fate.2).count(), 0);
    assert_eq!(with("03T10:00Z,v,,,o1,,1.00,,voided").iter().filter(|fate| fate.2).count(), 0);
}

#[test]
fn disputes_take_what_is_left_and_may_be_won() {
    const SALE: &str = "01T10:00Z,t1,,o1,,,100.00,10.00,captured 10T10:00Z,r,,,t1,,30.00,,refunded";
    let with = |more: &str| fates(&format!("{SALE} {more}"));
    assert_eq!(with("20T10:00Z,t1,,,,,100.00,,chargeback"), [(3000, 6000, true)]);
    assert_eq!(with("20T10:00Z,d,,,t1,,20.00,,chargeback"), [(3000, 2000, true)]);
    // What is told of it by an id of its own may be more than was paid.
    assert_eq!(with("20T10:00Z,d,,,t1,,80.00,,chargeback"), [(3000, 8000, true)]);
    let won = "20T10:00Z,d,,,t1,,20.00,,chargeback 25T10:00Z,d,,,t1,,20.00,,dispute_won";
    assert_eq!(with(won), [(3000, 0, true)]);
    let half = "20T10:00Z,d,,,t1,,20.00,,dispute_lost 25T10:00Z,e,,,t1,,5.00,,chargeback_reversed";
    assert_eq!(with(half), [(3000, 1500, true)]);
    let voided = fates(&format!("{SALE} 30T10:00Z,t1,,,,,,,cancelled"));
    assert_eq!(voided, [(0, 0, false)]);
    let books = history(&format!("{SALE} {won}"));
    let booked: Vec<i128> =
        books.bookings(books.last()).iter().map(|booking| booking.amount).collect();
    assert_eq!(booked, [3000, 2000, 2000]);
}

#[test]
fn what_has_no_sale_stands_for_it_or_is_money_given_back() {
    let told = |record: &str| {
        let lines = lines(record);
        assert_eq!(lines.len(), 1);
        let line = &lines[0];
        (line.amount, line.refunded, line.is_sold(), line.stands())
    };
    let sold = told("01T10:00Z,t1,,,,,30.00,,refunded");
    assert_eq!(sold, (Some(3000), Some(3000), true, false));
    assert_eq!(told("01T10:00Z,t1,,,,,30.00,,chargeback"), (Some(3000), None, true, true));
    assert_eq!(told("01T10:00Z,t1,,,,,30.00,,voided"), (Some(3000), None, false, false));
    assert_eq!(told("01T10:00Z,t1,,,,,-30.00,,captured"), (None, Some(3000), false, false));
    // A payment that failed is no sale, but one that is pending may become one.
    assert!(lines("01T10:00Z,t1,,,,,30.00,,failed").is_empty());
    let later = "01T10:00Z,t1,,,,,30.00,,pending 02T10:00Z,t1,,,,,30.00,,captured";
    assert_eq!(fates(later), [(0, 0, true)]);
}

/// Few of everything, so that all meets all.
fn random(random: &mut Random, change_log: bool) -> Recorded {
    let mut all = Recorded::new();
    for partition in 0..2 {
        let mut text = format!("{HEADER}{}\n", if change_log { ",_diff" } else { "" });
        let mut sent: Vec<String> = Vec::new();
        for i in 0..16 {
            let time = support::moment((i * 40 + random.below(200) as i64) * 60);
            let status = random.of(&[
                "captured",
                "captured",
                "captured",
                "refunded",
                "refunded",
                "voided",
                "chargeback",
                "chargeback_reversed",
                "failed",
                "partially_refunded",
                "",
            ]);
            let id = random.of(&["t1", "t2", "t3", "o1", ""]);
            let (line, order) = (random.of(&["", "", "1", "2"]), random.of(&["o1", "o2", ""]));
            let refers = random.of(&["", "", "", "t1", "o1", "t3", "none"]);
            let item = random.of(&["", "a", "b"]);
            let amount = random.of(&["5.00", "10.00", "10.00", "20.00", "-5.00", "0.00", ""]);
            let discount = random.of(&["", "", "1.00", "5.00"]);
            let row =
                format!("{time},{id},{line},{order},{refers},{item},{amount},{discount},{status}");
            match change_log {
                false => text += &format!("{row}\n"),
                true if i % 4 == 3 && !sent.is_empty() => {
                    let gone = sent.swap_remove(random.below(sent.len() as u64) as usize);
                    text += &format!("{gone},-1\n");
                }
                true => {
                    text += &format!("{row},{}\n", 1 + random.below(3));
                    sent.push(row);
                }
            }
        }
        all.extend(support::record(Stream::Transactions, partition, &text, 300));
    }
    all
}

#[test]
fn the_ledger_is_the_naive_one() {
    let books: Vec<Arc<dyn AnyQuery>> = vec![Arc::new(Books)];
    let (mut adjusted, mut seeds) = (0, 0);
    for seed in 0..support_seeds() {
        let mut dice = Random(seed);
        let policy = [OnDuplicate::Replace, OnDuplicate::Keep, OnDuplicate::Ignore];
        let policy = policy.get(seed as usize % 4).copied();
        let lateness = dice.one_in(3).then(|| Millis::minutes(60 * (1 + dice.below(8))));
        let dedupe = policy.map(|policy| Dedupe { policy, keep: None, lateness });
        let recorded = random(&mut dice, policy.is_none());
        let history = History::new(recorded.clone(), dedupe);
        let workers = 1 + dice.below(3) as usize;
        let log =
            replay(&books, &recorded, dedupe, support::tick(), workers).expect("runs").remove(0);
        let (mut view, mut changes) = (View::default(), log.iter().peekable());
        for time in history.times() {
            while let Some(change) = changes.next_if(|change| change.time <= time) {
                view.apply(change);
            }
            let (mut got, mut want) = (view.rows(), Books.answer_cells(&history, time));
            got.sort_by_key(|row| format!("{row:?}"));
            want.sort_by_key(|row| format!("{row:?}"));
            assert_eq!(got, want, "seed {seed} at {time:?}, {policy:?}, {lateness:?}");
        }
        let lines = history.ledger(history.last());
        adjusted += lines.iter().filter(|line| line.refunded.is_some() && !line.loose).count();
        seeds += 1;
    }
    assert!(adjusted > seeds, "{adjusted} lines of {seeds} books were refunded");
}

fn support_seeds() -> u64 {
    let seeds = std::env::var("TIDEMILL_SEEDS").ok().and_then(|seeds| seeds.parse().ok());
    seeds.unwrap_or(60)
}
