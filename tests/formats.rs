//! The formats that are known by name: for each a small file of made-up values with the traps of its
//! exports. What they come to is worked out by hand.

#[path = "support/program.rs"]
mod program;

use program::{directory, fail, run, succeed};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A file of the made-up ones.
fn fixture(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/formats").join(name);
    path.display().to_string()
}

/// What came of files of a format: no record of them is bad.
struct Loaded {
    at: PathBuf,
    /// What was said.
    said: String,
}

fn load(name: &str, format: &str, files: &[&str], queries: &str) -> Loaded {
    let at = directory(&format!("formats-{name}"));
    let sink = format!("csv:{}", at.join("out").display());
    let mut args = vec!["run", "-w", "2", "--format", format, "--sink", &sink, "--query", queries];
    let files: Vec<String> = files.iter().map(|file| fixture(file)).collect();
    files.iter().for_each(|file| args.extend(["--source", file]));
    let output = run(&args);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{args:?}: {said}");
    assert!(said.contains("; 0 bad"), "{said}");
    Loaded { at, said }
}

impl Loaded {
    /// Some columns of a view.
    fn view(&self, query: &str, columns: &str) -> Vec<String> {
        let text = fs::read_to_string(self.at.join(format!("out/{query}.csv"))).expect("the view");
        let mut lines = text.lines();
        let names: Vec<&str> = lines.next().expect("a header").split(',').collect();
        let of = |line: &str| {
            let row: BTreeMap<&str, &str> = names.iter().copied().zip(line.split(',')).collect();
            columns.split(' ').map(|name| row[name]).collect::<Vec<_>>().join(" ")
        };
        lines.map(of).collect()
    }

    fn says(&self, texts: &[&str]) {
        for text in texts {
            assert!(self.said.contains(text), "{text}: {}", self.said);
        }
    }
}

const SALES: &str = "hour count amount_sum";
const HEALTH: &str = "day payments orders gmv refunded_amount net cancelled";
const BOTH: &str = "hourly_transactions,merchant_health";

#[test]
fn shopify_leaves_what_is_of_the_order_blank_after_its_first_line() {
    let queries = "hourly_transactions,merchant_health,top_items_hourly,rfm_segments";
    let loaded = load("shopify", "shopify-orders", &["shopify-orders.csv"], queries);
    // 3 cups of 10.00 and 2 spoons of 5.00; two cups on two lines that are the same.
    // One of those is given back.
    let sales = ["2024-03-02T08:00:00Z 1 10.00", "2024-03-02T09:00:00Z 2 40.00"];
    assert_eq!(loaded.view("hourly_transactions", SALES), sales);
    // One cup was given back, and a lid, whose order was given back as a whole.
    let health = [
        "2024-03-01T00:00:00Z 1 1 7.00 7.00 0.00 0",
        "2024-03-02T00:00:00Z 2 2 60.00 10.00 50.00 0",
    ];
    assert_eq!(loaded.view("merchant_health", HEALTH), health);
    assert_eq!(loaded.view("rfm_segments", "user_id").len(), 2);
    assert!(!loaded.said.contains("is not partially_refunded"), "{}", loaded.said);
    // Each refund finds the lines of its order.
    assert!(!loaded.said.contains("without its sale"), "{}", loaded.said);
    loaded.says(&[
        "1 record of transactions: left out, as Financial Status is pending or expired or unpaid",
        "1 record of transactions: Discount Amount is of the whole order, and off no amount; in all 5.00",
        "1 record of transactions: Shipping is of the whole order, and in no amount; in all 4.90",
        "3 records of transactions: Taxes are of the whole order, and in no amount; in all 9.90",
    ]);
}

#[test]
fn an_order_is_filled_from_above_wherever_a_block_ends() {
    let at = directory("formats-blocks");
    let head = "Name,Email,Financial Status,Created at,Currency,Lineitem quantity,Lineitem name,Lineitem price\n";
    let mut text = head.to_owned();
    for order in 0..3000 {
        let status = if order % 3 == 0 { "pending" } else { "paid" };
        text += &format!("#{order},u{order}@x,{status},2024-03-02 10:00:00 +0000,EUR,1,Cup,1.00\n");
        (0..order % 7)
            .for_each(|_| text += &format!("#{order},,,2024-03-02 10:00:00 +0000,,1,Cup,1.00\n"));
    }
    assert!(text.len() > 400_000, "more than one block");
    fs::write(at.join("in.csv"), &text).expect("a file");
    let sum: u64 = (0..3000).filter(|order| order % 3 != 0).map(|order| 1 + order % 7).sum();
    for workers in ["1", "3"] {
        let (file, sink) =
            (at.join("in.csv").display().to_string(), format!("csv:{}", at.join("out").display()));
        succeed(&[
            "run",
            "-q",
            "-w",
            workers,
            "--format",
            "shopify-orders",
            "--source",
            &file,
            "--query",
            "hourly_transactions",
            "--sink",
            &sink,
        ]);
        let view = fs::read_to_string(at.join("out/hourly_transactions.csv")).expect("the view");
        let row = view.lines().nth(1).expect("a row");
        assert!(row.starts_with(&format!("2024-03-02T10:00:00Z,{sum},{sum}.00,")), "{row}");
    }
}

#[test]
fn stripe_lists_payments_that_failed() {
    let loaded = load("stripe", "stripe-payments", &["stripe-old.csv"], BOTH);
    let sales = ["2024-02-01T10:00:00Z 2 150.00", "2024-02-01T11:00:00Z 1 1200.00"];
    assert_eq!(loaded.view("hourly_transactions", SALES), sales);
    assert!(!loaded.said.contains("without its sale"), "{}", loaded.said);
    // 25.50 were given back as a whole, 30.00 of 80.00.
    let health = ["2024-02-01T00:00:00Z 4 4 1405.50 55.50 1350.00 0"];
    assert_eq!(loaded.view("merchant_health", HEALTH), health);
    loaded.says(&[
        "1 record of transactions: left out, as Status is Failed",
        "1 record of transactions: Disputed Amount is disputed, and still in the amounts; in all 1200.00",
    ]);
    let loaded = load("stripe-new", "stripe-payments", &["stripe-new.csv"], BOTH);
    assert_eq!(loaded.view("hourly_transactions", SALES), ["2024-02-01T10:00:00Z 1 19.99"]);
}

#[test]
fn woocommerce_has_two_exports() {
    let loaded = load("woo-suite", "woocommerce-orders", &["woocommerce-suite.csv"], BOTH);
    let sales = ["2024-01-05T10:00:00Z 1 27.00", "2024-01-05T11:00:00Z 1 11.50"];
    assert_eq!(loaded.view("hourly_transactions", SALES), sales);
    let health = ["2024-01-05T00:00:00Z 3 3 47.50 9.00 38.50 1"];
    assert_eq!(loaded.view("merchant_health", HEALTH), health);
    loaded.says(&[
        "2 records of transactions: left out, as status is pending or on-hold or failed",
        "1 record of transactions: refund_items tell of what was given back, which is off no amount",
    ]);
    // What was given back is a row of its own, of the number of its order, and off that.
    let loaded = load("woo-analytics", "woocommerce-orders", &["woocommerce-analytics.csv"], BOTH);
    let health = [
        "2024-01-05T00:00:00Z 1 1 100.00 30.00 70.00 0",
        "2024-01-06T00:00:00Z 1 1 20.00 20.00 0.00 0",
        "2024-01-07T00:00:00Z 0 0 0.00 0.00 0.00 0",
    ];
    assert_eq!(loaded.view("merchant_health", HEALTH), health);
}

#[test]
fn ga4_lists_items_and_stamps_a_batch() {
    let queries = "hourly_behavior,sessions,hourly_transactions,merchant_health,top_items_hourly";
    let loaded = load("ga4", "ga4-bigquery", &["ga4-bigquery.ndjson"], queries);
    // A list of three items is one view, and a purchase of two one order, though it was sent twice.
    let hours = ["2024-01-01T10:00:00Z 2 1", "2024-01-01T11:00:00Z 1 0"];
    assert_eq!(loaded.view("hourly_behavior", "hour page_views orders")[..2], hours);
    // 3 of 10.00 and, without item_revenue, 1 of 5.00; the second purchase is the same. 5.00 of
    // the order were given back two days later.
    assert_eq!(loaded.view("hourly_transactions", SALES), ["2024-01-01T10:00:00Z 2 30.00"]);
    let health = [
        "2024-01-01T00:00:00Z 1 1 35.00 5.00 30.00 0",
        "2024-01-03T00:00:00Z 0 0 0.00 0.00 0.00 0",
    ];
    assert_eq!(loaded.view("merchant_health", HEALTH), health);
    let booked = ["2024-01-01T00:00:00Z 0.00 35.00", "2024-01-03T00:00:00Z 5.00 -5.00"];
    assert_eq!(loaded.view("merchant_health", "day refunds_booked net_booked"), booked);
    // What a purchase is worth is told of it as a whole.
    let value = loaded.view("sessions", "session_id converted value");
    assert!(value.contains(&"1.1/111 true 38.90".to_owned()), "{value:?}");
    // Two users have a session of one number.
    let mut sessions = loaded.view("sessions", "session_id");
    sessions.retain(|session| session.ends_with("/111"));
    sessions.sort_unstable();
    sessions.dedup();
    assert_eq!(sessions, ["1.1/111", "2.2/111"]);
    loaded.says(&[
        "1 record of transactions: ecommerce.tax_value is of the whole order, and in no amount; in all 5.59",
        "1 record of transactions: left out, as ecommerce.refund_value is blank",
    ]);
}

#[test]
fn segment_tells_of_orders_and_of_what_was_given_back() {
    let queries = "hourly_behavior,hourly_transactions,merchant_health,sessions";
    let loaded = load("segment", "segment", &["segment.jsonl"], queries);
    let hours = loaded.view("hourly_behavior", "hour page_views orders");
    assert_eq!(hours[0], "2024-01-01T10:00:00Z 2 1");
    assert_eq!(loaded.view("hourly_transactions", SALES), ["2024-01-01T10:00:00Z 2 30.00"]);
    let health = [
        "2024-01-01T00:00:00Z 1 1 35.00 5.00 30.00 0",
        "2024-01-02T00:00:00Z 0 0 0.00 0.00 0.00 0",
    ];
    assert_eq!(loaded.view("merchant_health", HEALTH), health);
    let sessions = loaded.view("sessions", "user_id converted value");
    assert!(sessions.contains(&"u1 true 38.40".to_owned()), "{sessions:?}");
    loaded.says(&["1 record of transactions: left out, as properties.total is blank"]);
}

#[test]
fn aftership_sends_history_again_and_out_of_order() {
    let loaded = load("aftership", "aftership", &["aftership.jsonl"], "hourly_logistics");
    // One parcel, from 1 January 9:00 to 2 January 15:00: 30 hours.
    let rows = loaded.view("hourly_logistics", "hour deliveries transit_minutes_mean");
    assert_eq!(rows, ["2024-01-02T15:00:00Z 1 1800"]);
}

#[test]
fn olist_has_the_times_in_another_file() {
    let files = ["olist_orders_dataset.csv", "olist_order_payments_dataset.csv"];
    let loaded = load("olist", "olist", &files, "hourly_transactions,hourly_logistics");
    let sales = ["2017-10-02T10:00:00Z 3 38.71", "2017-10-03T08:00:00Z 2 320.58"];
    assert_eq!(loaded.view("hourly_transactions", SALES), sales);
    assert_eq!(loaded.view("hourly_logistics", "hour deliveries").len(), 2);
    loaded.says(&["2 records of logistics: left out, as order_delivered_customer_date is blank"]);
    let items = ["olist_order_items_dataset.csv"];
    let loaded = load("olist-items", "olist", &items, "hourly_transactions");
    let sales = ["2017-10-02T10:00:00Z 1 29.99", "2017-10-03T08:00:00Z 3 278.50"];
    assert_eq!(loaded.view("hourly_transactions", SALES), sales);
    let (payments, items) = (fixture(files[1]), fixture(items[0]));
    let both = ["run", "--format", "olist", "--source", &payments, "--source", &items];
    fail(2, &both, &["both tell of the sales, which would count twice"]);
}

#[test]
fn online_retail_takes_back_under_negative_quantities() {
    let loaded = load("retail", "online-retail", &["online-retail.csv"], BOTH);
    // 6 of 2.55, 6 of 3.39 twice, 3 of 18.00; -1 of 27.50.
    let health = [
        "2010-12-01T00:00:00Z 4 2 109.98 27.50 82.48 0",
        "2010-12-02T00:00:00Z 1 1 16.94 0.00 16.94 0",
    ];
    assert_eq!(loaded.view("merchant_health", HEALTH), health);
    let loaded = load("retail-2", "online-retail", &["online-retail-2.csv"], BOTH);
    assert_eq!(
        loaded.view("merchant_health", HEALTH),
        ["2009-12-01T00:00:00Z 1 1 83.40 35.40 48.00 0"]
    );
}

#[test]
fn yoochoose_names_no_columns() {
    let files = ["yoochoose-clicks.dat", "yoochoose-buys.dat"];
    let loaded = load("yoochoose", "yoochoose", &files, "hourly_behavior,hourly_transactions");
    let hours = ["2014-04-07T10:00:00Z 2 0", "2014-04-07T11:00:00Z 1 0"];
    assert_eq!(loaded.view("hourly_behavior", "hour page_views orders"), hours);
    // 2 of 1000 and 1 of 550; what the other cost is not known.
    assert_eq!(loaded.view("hourly_transactions", SALES), ["2014-04-07T10:00:00Z 2 2550.00"]);
}

#[test]
fn a_format_of_ones_own_works_the_same_and_what_is_wrong_is_told() {
    let at = directory("formats-own");
    let path = |name: &str| at.join(name).display().to_string();
    fs::write(
        at.join("a.csv"),
        "wann,was,betrag\n2024-01-01 10:00,sale,5.00\n2024-01-01 10:00,test,7.00\n",
    )
    .expect("a file");
    let own = "[[source]]\nstream = \"transactions\"\nneeds = [\"wann\"]\n[source.fields]\ntransaction_time = \"wann\"\n\
               amount = [\"summe\", \"betrag\"]\n[source.without]\nwas = [\"test\"]\n";
    fs::write(at.join("own.toml"), own).expect("a file");
    let sink = format!("csv:{}", at.display());
    let (own, source) = (path("own.toml"), path("a.csv"));
    let query = ["--query", "hourly_transactions", "--sink", &sink];
    let view = |args: &[&str]| {
        succeed(&[&["run", "-q"], args, &query[..]].concat());
        let view = fs::read_to_string(at.join("hourly_transactions.csv")).expect("the view");
        view.lines().nth(1).expect("a row").split(',').take(3).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(view(&["--format", &own, "--source", &source]), "2024-01-01T10:00:00Z 1 5.00");
    // What is said beside the format has the last word.
    let toml = format!(
        "[[source]]\nformat = \"{own}\"\nfiles = \"{source}\"\n[source.without]\nwas = [\"sale\"]\n"
    );
    fs::write(at.join("shop.toml"), toml).expect("a file");
    assert_eq!(view(&["--config", &path("shop.toml")]), "2024-01-01T10:00:00Z 1 7.00");
    let out = path("own.tide");
    succeed(&["record", "-q", "--config", &path("shop.toml"), "--out", &out]);
    assert_eq!(view(&["--source", &out]), "2024-01-01T10:00:00Z 1 7.00");
    let lacking = fixture("olist_orders_dataset.csv");
    for (format, source, says) in [
        ("shopify", source.as_str(), "there is no format shopify; did you mean shopify-orders?"),
        (
            "shopify-orders",
            &source,
            "is not of the format shopify-orders; it would need\n  for transactions: Name, Lineitem quantity",
        ),
        (
            "online-retail",
            &lacking,
            "StockCode, Quantity, InvoiceDate; it has order_id, customer_id",
        ),
        ("yoochoose", &source, "for behavior: 4 columns; it has 3"),
        ("./none.toml", &source, "none.toml"),
    ] {
        let code = if format.starts_with('.') { 1 } else { 2 };
        fail(code, &["run", "--format", format, "--source", source], &[says]);
    }
    fail(2, &["run", "--format", "segment"], &["nothing to read: name the files of --format"]);
}

#[test]
fn keys_that_are_not_to_be_found_are_told() {
    let at = directory("formats-lookup");
    fs::write(
        at.join("orders.csv"),
        "id;at;kind\no1;2024-01-01 10:00;\"A \"\"x\"\"\"\no2;2024-01-01 11:00;b\n",
    )
    .expect("a file");
    fs::write(at.join("pay.csv"), "order,sum\no1,1.00\no2,2.00\no3,4.00\n,8.00\n").expect("a file");
    let toml = |key: &str| {
        format!(
            "[[source]]\nstream = \"transactions\"\nfiles = \"{}\"\n[source.fields]\namount = \"sum\"\n\
         [source.lookup.transaction_time]\nfile = \"orders.csv\"\nkey = \"order\"\nthere = \"id\"\nvalue = \"{key}\"\n\
         [source.lookup.item_id]\nfile = \"orders.csv\"\nkey = \"order\"\nthere = \"id\"\nvalue = \"kind\"\n",
            at.join("pay.csv").display()
        )
    };
    fs::write(at.join("shop.toml"), toml("at")).expect("a file");
    let (config, sink) =
        (at.join("shop.toml").display().to_string(), format!("csv:{}", at.join("out").display()));
    let args = [
        "run",
        "--config",
        &config,
        "--query",
        "top_items_hourly",
        "--sink",
        &sink,
        "--max-bad",
        "50%",
    ];
    let output = run(&args);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(
        said.contains("1 record of transactions: their order is not to be found in "),
        "{said}"
    );
    assert!(said.contains("; 2 bad"), "{said}");
    let view = fs::read_to_string(at.join("out/top_items_hourly.csv")).expect("the view");
    assert!(view.contains("\"A \"\"x\"\"\"") && view.contains(",b,"), "{view}");
    // How the source is written says nothing of the other file.
    fs::write(at.join("pay.csv"), "o1,1.00\no2,2.00\n").expect("a file");
    let unnamed = toml("at").replacen(
        "[source.fields]",
        "columns = [\"order\", \"sum\"]\ndelimiter = \",\"\n[source.fields]",
        1,
    );
    fs::write(at.join("shop.toml"), unnamed).expect("a file");
    succeed(&args);
    fs::write(at.join("pay.csv"), "order,sum\no1,1.00\n").expect("a file");
    fs::write(at.join("shop.toml"), toml("when")).expect("a file");
    fail(2, &args, &["no column when", "orders.csv", "id, at, kind"]);
    fs::write(at.join("shop.toml"), toml("at").replacen("orders.csv", "none.csv", 1))
        .expect("a file");
    fail(2, &args, &["none.csv, which is neither here nor beside it"]);
}
