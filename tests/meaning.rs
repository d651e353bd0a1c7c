//! What views mean, on small inputs worked out by hand.

#[path = "support/program.rs"]
mod program;

use program::{directory, fail, run, succeed};
use std::fs;
use std::path::Path;

/// The rows of a view of one source, without the header, and what was said.
fn view(name: &str, stream: &str, csv: &str, query: &str, more: &[&str]) -> (Vec<String>, String) {
    let dir = directory(&format!("meaning-{name}"));
    fs::write(dir.join("in.csv"), csv).expect("a file");
    let source = format!("{stream}={}/in.csv", dir.display());
    let sink = format!("csv:{}/out", dir.display());
    let args = ["run", "--query", query, "--source", &source, "--sink", &sink];
    let output = run(&[&args[..], more].concat());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{name}: {said}");
    let text = fs::read_to_string(dir.join(format!("out/{query}.csv"))).expect("a view");
    (text.lines().skip(1).map(String::from).collect(), said)
}

#[test]
fn amounts_of_several_currencies_are_never_added_up() {
    let dir = directory("meaning-currencies");
    let file = |name: &str, rows: &str| {
        let path = dir.join(name);
        let text = format!("transaction_time,amount,currency\n{rows}");
        fs::write(&path, text).expect("a file");
        format!("transactions={}", path.display())
    };
    let mixed = file(
        "mixed.csv",
        "2024-01-01 10:00:00,100.00,EUR\n2024-01-01 10:00:00,10000,JPY\n\
         2024-01-01 10:00:00,50.00,USD\n",
    );
    let out = dir.join("out");
    let sink = format!("csv:{}", out.display());
    let query = ["run", "--query", "hourly_transactions", "--sink", &sink, "--source"];
    let says = ["EUR, JPY, USD", "--rates"];
    fail(2, &[&query[..], &[&mixed]].concat(), &says);
    // Each file by itself is fine, and so are records that do not say theirs.
    let euros = file("euros.csv", "2024-01-01 10:00:00,100.00,EUR\n2024-01-01 10:00:00,1.00,\n");
    let yen = file("yen.csv", "2024-01-01 10:00:00,10000,JPY\n");
    for workers in ["1", "3"] {
        let two = [&query[..], &[&euros, "--source", &yen, "-w", workers]].concat();
        fail(2, &two, &["EUR, JPY", "--rates"]);
    }
    assert!(!out.join("hourly_transactions.csv").exists(), "nothing was written");
    let log = |name: &str| dir.join(name).display().to_string();
    let record = |source: &str, log: &str, more: &[&str]| {
        succeed(&[&["record", "-q", "--source", source, "--out", log][..], more].concat());
    };
    fail(2, &["record", "--source", &mixed, "--out", &log("mixed.tide")], &says);
    // Neither are those of recordings, which say what their amounts are in by then.
    let rates = dir.join("rates.csv").display().to_string();
    fs::write(&rates, "currency,rate\nEUR,1\nJPY,0.01\nUSD,0.5\n").expect("a file");
    let (in_euros, in_yen) = (log("euros.tide"), log("yen.tide"));
    let converted = log("converted.tide");
    record(&euros, &in_euros, &[]);
    record(&yen, &in_yen, &[]);
    record(&mixed, &converted, &["--rates", &rates]);
    fail(2, &[&query[..], &[&in_euros, "--source", &in_yen]].concat(), &["EUR, JPY"]);
    fail(2, &[&query[..], &[&converted, "--source", &yen]].concat(), &["EUR, JPY"]);
    assert!(!out.join("hourly_transactions.csv").exists(), "nothing was written");
    let base = ["--rates", &rates, "--base-currency", "JPY"];
    fail(2, &[&query[..], &[&converted, "--source", &yen], &base].concat(), &["EUR, JPY"]);
    succeed(&[&query[..], &[&converted, "--source", &in_euros]].concat());
    let rows = fs::read_to_string(out.join("hourly_transactions.csv")).expect("a view");
    // 100 euros, 10,000 yen at a cent, 50 dollars at a half; 101 euros.
    assert!(rows.contains(",5,326.00,"), "{rows}");
    succeed(&[&query[..], &[&euros]].concat());
    let rows = fs::read_to_string(out.join("hourly_transactions.csv")).expect("a view");
    assert!(rows.contains(",2,101.00,"), "{rows}");
    // A rate holds from its day on.
    fs::write(&rates, "currency,rate,from\nJPY,0.01,2023-01-01\nJPY,0.02,2024-01-02\nUSD,0.5,\n")
        .expect("a file");
    let later = file("later.csv", "2024-01-02 10:00:00,10000,JPY\n2024-01-01 23:59:59,10000,JPY\n");
    succeed(&[&query[..], &[&later, "--rates", &rates]].concat());
    let rows = fs::read_to_string(out.join("hourly_transactions.csv")).expect("a view");
    assert!(
        rows.contains("T23:00:00Z,1,100.00,") && rows.contains("T10:00:00Z,1,200.00,"),
        "{rows}"
    );
    let early = file("early.csv", "2022-01-02 10:00:00,10000,JPY\n");
    let output = run(&[&query[..], &[&early, "--rates", &rates, "--max-bad", "1"]].concat());
    let letters = fs::read_to_string(out.join("dead_letters.jsonl")).unwrap_or_default();
    assert!(letters.contains("JPY has no rate so early in --rates"), "{output:?} {letters}");
    // Payments that nobody adds up may be of any.
    let counted = ["run", "-q", "--query", "stream_health", "--sink", &sink, "--source", &mixed];
    succeed(&counted);
}

#[test]
fn records_that_differ_and_have_the_same_id_and_time_are_told() {
    let lines = "transaction_time,transaction_id,item_id,amount\n\
                 2024-01-01 10:00:00,t1,a,12.00\n2024-01-01 10:00:00,t1,b,9.00\n\
                 2024-01-01 10:00:00,t1,b,9.00\n2024-01-01 11:00:00,t2,b,9.00\n";
    let (rows, said) = view("lines", "transactions", lines, "hourly_transactions", &[]);
    assert!(rows[0].contains(",1,9.00,"), "{rows:?}");
    assert!(said.contains("1 record has the id and the time of another"), "{said}");
    let keep = ["--on-duplicate", "keep"];
    let (rows, _) = view("lines-kept", "transactions", lines, "hourly_transactions", &keep);
    assert!(rows[0].contains(",3,30.00,"), "{rows:?}");
    let twice = "transaction_time,transaction_id,amount\n\
                 2024-01-01 10:00:00,t1,9.00\n2024-01-01 10:00:00,t1,9.00\n\
                 2024-01-01 11:00:00,t1,8.00\n";
    let (_, said) = view("delivered-twice", "transactions", twice, "hourly_transactions", &[]);
    assert!(!said.contains("the time of another"), "{said}");
}

#[test]
fn the_lines_of_a_payment_are_told_apart() {
    // A line that is delivered again is the same, and one that comes later replaces its own alone.
    let lines = "transaction_time,transaction_id,line_id,amount,status\n\
                 2024-01-01 10:00:00,t1,1,12.00,captured\n2024-01-01 10:00:00,t1,2,23.00,captured\n\
                 2024-01-01 10:00:00,t1,2,23.00,captured\n2024-01-01 10:00:00,t,11,4.00,captured\n\
                 2024-01-01 10:00:00,t1,,1.00,captured\n2024-01-01 11:00:00,t1,1,12.00,voided\n";
    for workers in ["1", "3"] {
        let more = ["-w", workers];
        let (rows, said) = view("payment", "transactions", lines, "hourly_transactions", &more);
        assert!(rows.len() == 1 && rows[0].contains(",3,28.00,"), "{rows:?}");
        assert!(!said.contains("the time of another"), "{said}");
    }
    let both = "transaction_time,transaction_id,item_id,quantity,amount,user_id\n\
                2024-01-01 10:00:00,t1,a,3,12.00,ann\n2024-01-01 10:00:00,t1,b,,23.00,ann\n";
    let map = ["--map", "transactions.line_id=item_id"];
    let (rows, said) = view("mapped", "transactions", both, "hourly_transactions", &map);
    // Two lines, and one order of four pieces.
    assert!(rows[0].contains(",2,35.00,"), "{rows:?}: {said}");
    assert!(rows[0].ends_with(",35.00,0.00,1,4,35,4"), "{rows:?}");
    let (rows, _) = view("one-payment", "transactions", both, "velocity", &map);
    assert_eq!(rows, ["t1,2024-01-01T10:00:00Z,user,ann,1,35.00,1,35.00,1,35.00"]);
    let (rows, _) = view("one-day", "transactions", both, "merchant_health", &map);
    assert!(rows[0].contains(",1,1,35.00,35,"), "{rows:?}");
    let (rows, _) = view("one-customer", "transactions", both, "rfm_segments", &map);
    assert!(rows[0].starts_with("ann,2024-01-01T10:00:00Z,1,35.00,"), "{rows:?}");
    // The ids are those of payments, which both lines are of.
    let (rows, _) = view("ids", "transactions", both, "hourly_transactions", &[]);
    assert!(rows[0].contains(",1,23.00,"), "{rows:?}");
}

#[test]
fn a_payment_that_failed_or_is_pending_is_no_sale() {
    let paid = "transaction_time,transaction_id,card_id,amount,status\n\
                2024-01-01 10:00:00,t1,c,1.00,failed\n2024-01-01 10:00:10,t2,c,2.00,pending\n\
                2024-01-01 10:00:20,t3,c,4.00,captured\n2024-01-01 10:00:30,t4,c,8.00,partially_refunded\n\
                2024-01-01 10:00:40,t2,c,2.00,captured\n2024-01-01 10:00:50,t5,c,16.00,voided\n";
    let (rows, _) = view("failed", "transactions", paid, "hourly_transactions", &[]);
    assert!(rows.len() == 1 && rows[0].contains(",3,14.00,"), "{rows:?}");
    let (rows, _) = view("failed-day", "transactions", paid, "merchant_health", &[]);
    assert!(rows.len() == 1 && rows[0].contains(",3,3,14.00,"), "{rows:?}");
    assert!(rows[0].contains(",14.00,1,"), "{rows:?}");
    // It was tried all the same.
    let (rows, _) = view("failed-tries", "transactions", paid, "velocity", &[]);
    assert!(
        rows.iter().any(|row| row.starts_with("t4,2024-01-01T10:00:30Z,card,c,3,13.00,")),
        "{rows:?}"
    );
}

#[test]
fn a_column_that_no_query_reads_is_refused() {
    let dir = directory("meaning-unread");
    fs::write(dir.join("in.csv"), "time,qty,price\n2024-01-01 10:00:00,3,2.00\n").expect("a file");
    let source = format!("transactions={}/in.csv", dir.display());
    let sink = format!("csv:{}/out", dir.display());
    let args = [
        "run",
        "-q",
        "--query",
        "hourly_transactions",
        "--source",
        &source,
        "--sink",
        &sink,
        "--map",
        "transactions.transaction_time=time",
        "--map",
        "transactions.amount=price",
    ];
    let coupon = ["--map", "transactions.coupon=qty"];
    fail(2, &[&args[..], &coupon].concat(), &["no query reads transactions.coupon"]);
    // What another query reads is no mistake.
    succeed(&[&args[..], &["--map", "transactions.item_id=qty"]].concat());
}

#[test]
fn a_price_of_one_piece_is_told_and_multiplied() {
    let sold = "time,item,qty,price\n2024-01-01 10:00:00,a,3,2.00\n";
    let map = |amount: &'static str| {
        [
            "--map",
            "transactions.transaction_time=time",
            "--map",
            "transactions.quantity=qty",
            "--map",
            amount,
        ]
    };
    let alone = map("transactions.amount=price");
    let (rows, said) = view("price", "transactions", sold, "hourly_transactions", &alone);
    assert!(rows[0].contains(",1,2.00,"), "{rows:?}");
    assert!(said.contains("say --map 'transactions.amount=QUANTITY*price'"), "{said}");
    let product = map("transactions.amount=qty*price");
    let (rows, said) = view("product", "transactions", sold, "hourly_transactions", &product);
    assert!(rows[0].contains(",1,6.00,") && rows[0].ends_with(",1,3,6,3"), "{rows:?}");
    assert!(!said.contains("QUANTITY"), "{said}");
}

#[test]
fn parcels_that_arrived_before_they_set_out_are_left_out_and_counted() {
    // Unknown costs are no costs of zero; transit is 24 hours.
    let parcels = "delivery_time,shipment_id,shipped_time,cost\n\
                   2024-01-01 10:00:00,p1,2024-01-05 10:00:00,\n\
                   2024-01-01 10:00:00,p2,2023-12-31 10:00:00,\n";
    let (rows, _) = view("impossible", "logistics", parcels, "hourly_logistics", &[]);
    assert_eq!(rows, ["2024-01-01T10:00:00Z,2,,,1440,1440,1440,1"]);
    let costless = "delivery_time,shipped_time\n2024-01-03 10:00:00,2024-01-01 10:00:00\n";
    let (rows, _) = view("costless", "logistics", costless, "hourly_logistics", &[]);
    assert_eq!(rows, ["2024-01-03T10:00:00Z,1,,,2880,2880,2880,0"]);
}

#[test]
fn who_bought_has_checked_out() {
    let visits = "visit_time,session_id,event\n2024-01-01 10:00:00,s,view_item\n\
                  2024-01-01 10:01:00,s,add_to_cart\n2024-01-01 10:02:00,s,purchase\n\
                  2024-01-01 10:05:00,r,view_item\n2024-01-01 10:06:00,q,login\n";
    let (rows, _) = view("funnel", "behavior", visits, "funnel_hourly", &[]);
    assert_eq!(rows, ["2024-01-01T10:00:00Z,3,2,1,1,1,0.5,1,1,0.5"]);
}

#[test]
fn the_item_being_looked_at_comes_back_where_that_is_asked_for() {
    let dir = directory("meaning-current");
    let file = |name: &str, rows: &str| {
        let path = dir.join(name);
        fs::write(&path, format!("SessionId\tItemId\tTime\n{rows}")).expect("a file");
        path.display().to_string()
    };
    let train = file("train.txt", "1\t10\t1000\n1\t10\t1010\n2\t10\t2000\n2\t10\t2010\n");
    let valid = file("valid.txt", "9\t12\t2500\n9\t13\t2510\n");
    let test = file("test.txt", "3\t10\t3000\n3\t10\t3010\n");
    let args = ["eval", "recommend", "--train", &train, "--valid", &valid, "--test", &test];
    let hits = |more: &[&str]| {
        let text = succeed(&[&args[..], &["--format", "json"], more].concat());
        let report: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let lines = report["results"].as_array().expect("lines").clone();
        let with = lines.iter().filter(|line| line["reminder"] == true);
        with.map(|line| line["hr_20"].as_f64().expect("a share")).collect::<Vec<_>>()
    };
    assert!(hits(&[]).iter().all(|hit| *hit == 0.0));
    assert!(hits(&["--allow-current"]).iter().all(|hit| *hit == 1.0));
}

#[test]
fn days_and_hours_of_the_day_are_those_of_the_shop() {
    let sales = "transaction_time,amount\n2024-01-01 22:30:00,10.00\n2024-01-02 09:00:00,20.00\n";
    let there = ["--time-zone", "America/Sao_Paulo", "--report-zone", "America/Sao_Paulo"];
    let (days, _) = view("zone-days", "transactions", sales, "merchant_health", &there);
    let days: Vec<&str> = days.iter().map(|row| row.split(",,").next().expect("a row")).collect();
    assert!(days[0].starts_with("2024-01-01T00:00:00-03:00,1,1,10.00,"), "{days:?}");
    assert!(days[1].starts_with("2024-01-02T00:00:00-03:00,1,1,20.00,"), "{days:?}");
    let by_hour = "transactions_by_hour_of_day";
    let (hours, _) = view("zone-hours", "transactions", sales, by_hour, &there);
    assert_eq!(hours, ["9,1,20.00", "22,1,10.00"]);
    // Half past midnight in Berlin is in hour 0 of that day, also where clocks are changed: the
    // night of 31 March 2024 has no hour 2, that of 27 October has it twice.
    let sales = "transaction_time,amount\n2024-03-30 23:30:00,1.00\n2024-03-31 01:30:00,2.00\n\
                 2024-10-27 00:30:00,4.00\n2024-10-27 01:30:00,8.00\n2024-10-27 22:59:00,16.00\n";
    let berlin = ["--report-zone", "Europe/Berlin"];
    let (days, _) = view("zone-berlin", "transactions", sales, "merchant_health", &berlin);
    assert!(days[0].starts_with("2024-03-31T00:00:00+01:00,2,2,3.00,"), "{days:?}");
    assert!(days[1].starts_with("2024-10-27T00:00:00+02:00,3,3,28.00,"), "{days:?}");
    let (hours, _) = view("zone-berlin", "transactions", sales, by_hour, &berlin);
    assert_eq!(hours, ["0,1,1.00", "2,2,12.00", "3,1,2.00", "23,1,16.00"]);
    // A query's own zone wins.
    let own = [&berlin[..], &["--set", "transactions_by_hour_of_day.zone=UTC"]].concat();
    let (hours, _) = view("zone-own", "transactions", sales, by_hour, &own);
    assert_eq!(hours, ["0,1,4.00", "1,2,10.00", "22,1,16.00", "23,1,1.00"]);
    let dir = directory("zone-refused");
    fs::write(dir.join("in.csv"), sales).expect("a file");
    let source = format!("transactions={}/in.csv", dir.display());
    let args = ["run", "--query", "hourly_transactions", "--source", &source];
    fail(2, &[&args[..], &berlin].concat(), &["--report-zone would do nothing"]);
    let nowhere = ["--report-zone", "Europe/Atlantis"];
    fail(2, &[&args[..], &nowhere].concat(), &["no such zone Europe/Atlantis"]);
}

#[test]
fn each_row_of_a_click_log_is_a_view() {
    let clicks = "visit_time,session_id,item_id\n2024-01-03 10:00:00,s,i\n\
                  2024-01-03 10:05:00,s,j\n2024-01-03 10:06:00,r,i\n";
    let (hours, _) = view("clicks", "behavior", clicks, "hourly_behavior", &[]);
    assert_eq!(hours, ["2024-01-03T10:00:00Z,3,0,0"]);
    let (sessions, _) = view("clicks", "behavior", clicks, "sessions", &[]);
    assert_eq!(
        sessions,
        [
            ",r,2024-01-03T10:06:00Z,2024-01-03T10:06:00Z,1,1,false,0.00",
            ",s,2024-01-03T10:00:00Z,2024-01-03T10:05:00Z,2,2,false,0.00"
        ]
    );
}

#[test]
fn a_negative_amount_is_money_given_back_and_no_payment() {
    // Of 100 a customer got 30 back, listed as a record of its own.
    let sales = "transaction_time,transaction_id,amount,status\n2024-01-01 10:00:00,t1,100.00,captured\n\
                 2024-01-01 12:00:00,r1,-30.00,refunded\n2024-01-02 09:00:00,r2,-20.00,\n";
    let (days, _) = view("back", "transactions", sales, "merchant_health", &[]);
    assert_eq!(
        days,
        [
            "2024-01-01T00:00:00Z,1,1,100.00,100,1,30.00,1,0,0.00,0,70.00,0,0.00,0.00,0.00,30.00,0.00,70.00",
            "2024-01-02T00:00:00Z,0,0,0.00,,1,20.00,,0,0.00,,-20.00,0,0.00,0.00,0.00,20.00,0.00,-20.00"
        ]
    );
}

#[test]
fn amounts_have_the_decimals_of_their_currency() {
    let head = "transaction_time,amount,currency,tax\n";
    let rates = directory("meaning-decimals-rates").join("rates.csv").display().to_string();
    fs::write(&rates, "currency,rate\nJPY,0.006\nKWD,3.05\n").expect("a file");
    let rows = "2024-01-01 10:00:00,100.00,EUR,\n2024-01-01 10:00:00,10000,JPY,\n";
    let shop = format!("{head}{rows}");
    let query = "hourly_transactions";
    // 100 euros, and 10,000 yen at 0.006.
    let (rows, _) = view("yen", "transactions", &shop, query, &["--rates", &rates]);
    assert!(rows[0].contains(",2,160.00,"), "{rows:?}");
    // 1.234 dinars at 3.05 are 3.7637. They have three decimals, so a run needs as many.
    let shop = format!("{shop}2024-01-01 10:00:00,1.234,KWD,\n");
    let three = ["--rates", &rates, "--decimals", "3"];
    let (rows, _) = view("dinars", "transactions", &shop, query, &three);
    assert!(rows[0].contains(",3,163.764,"), "{rows:?}");
    let two = ["--rates", &rates, "--max-bad", "50"];
    let (rows, said) = view("dinars-2", "transactions", &shop, query, &two);
    assert!(rows[0].contains(",2,160.00,") && said.contains("1 bad"), "{rows:?} {said}");
    // Yen have none, however many the run has; a tax that cannot be is left out.
    let yen = format!(
        "{head}2024-01-01 10:00:00,100.50,jpy,\n2024-01-01 10:00:00,200.00,JPY,0.5\n\
         2024-01-01 10:00:00,300.5,,\n"
    );
    let any = ["--max-bad", "50"];
    let (rows, said) = view("part-yen", "transactions", &yen, query, &any);
    assert!(rows[0].contains(",2,500.50,"), "{rows:?}");
    assert!(said.contains("left out (JPY has no decimals: \"0.5\")"), "{said}");
    let at = Path::new(env!("CARGO_TARGET_TMPDIR")).join("meaning-part-yen");
    let letters = fs::read_to_string(at.join("out/dead_letters.jsonl")).expect("letters");
    assert!(letters.contains("column amount: JPY has no decimals: \\\"100.50\\\""), "{letters}");
    // Who wants them so can have them.
    let (rows, _) = view("kept-yen", "transactions", &yen, query, &["--steps", "trim,zone,dedupe"]);
    assert!(rows[0].contains(",3,601.00,"), "{rows:?}");
    // Euros have two where the run has more, but what a piece costs may have any.
    let fuel = "transaction_time,amount,currency,unit_cost\n2024-01-01 10:00:00,1.859,EUR,1.501\n\
                2024-01-01 10:00:00,18.59,EUR,1.501\n";
    let (rows, said) =
        view("fuel", "transactions", fuel, query, &["--decimals", "3", "--max-bad", "50"]);
    assert!(rows[0].contains(",1,18.590,"), "{rows:?}");
    assert!(said.contains("1 bad") && !said.contains("unit_cost"), "{said}");
}

#[test]
fn amounts_in_minor_units_are_those_of_their_currency() {
    let dir = directory("meaning-minor");
    let path = |name: &str| dir.join(name).display().to_string();
    fs::write(path("rates.csv"), "currency,rate\nJPY,0.006\n").expect("a file");
    fs::write(
        path("in.jsonl"),
        "{\"t\":\"2024-01-01T10:00:00Z\",\"amount\":1999,\"of\":{\"code\":\"eur\"}}\n\
         {\"t\":\"2024-01-01T10:00:00Z\",\"amount\":1000,\"of\":{\"code\":\"jpy\"}}\n\
         {\"t\":\"2024-01-01T10:00:00Z\",\"amount\":1000,\"of\":{\"code\":\"points\"}}\n\
         {\"t\":\"2024-01-01T10:00:00Z\",\"amount\":10.5,\"of\":{\"code\":\"eur\"}}\n",
    )
    .expect("a file");
    fs::write(path("in.csv"), "t,amount\n2024-01-01T10:00:00Z,1999\n2024-01-01T10:00:00Z,-5\n")
        .expect("a file");
    let run_it = |file: &str, currency: &str| {
        let toml = format!(
            "[[source]]\nstream = \"transactions\"\nfiles = \"{}\"\n[source.fields]\n\
             transaction_time = \"t\"\ncurrency = [\"of.code\"]\n\
             amount = {{ minor = \"amount\", currency = \"{currency}\" }}\n",
            path(file)
        );
        fs::write(path("shop.toml"), toml).expect("a file");
        let (config, rates, sink) =
            (path("shop.toml"), path("rates.csv"), "csv:".to_owned() + &path("out"));
        let args = ["run", "-q", "--config", &config, "--rates", &rates, "--sink", &sink];
        let output =
            run(&[&args[..], &["--query", "hourly_transactions", "--max-bad", "50"]].concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let view = fs::read_to_string(path("out/hourly_transactions.csv")).unwrap_or_default();
        (view, said)
    };
    // 1999 cents, and 1000 yen at 0.006; what a point is divided into is not known.
    let (view, said) = run_it("in.jsonl", "of.code");
    assert!(view.contains(",2,25.99,"), "{view} {said}");
    let letters = fs::read_to_string(path("out/dead_letters.jsonl")).expect("letters");
    assert_eq!(letters.matches("not an amount").count(), 2, "{letters}");
    // All in cents; 5 were given back.
    let (view, said) = run_it("in.csv", "EUR");
    assert!(view.contains(",1,19.94,"), "{view} {said}");
    let (_, said) = run_it("in.csv", "Currency");
    assert!(said.contains("no column Currency for transactions.amount"), "{said}");
}

#[test]
fn what_a_customer_sends_back_is_no_delivery() {
    let parcels = "delivery_time,shipment_id,status,kind,shipped_time\n\
                   2024-01-03 10:00:00,p1,Delivered,outbound,2024-01-02 10:00:00\n\
                   2024-01-03 10:10:00,p2,Delivered,return,2024-01-01 10:00:00\n\
                   2024-01-03 10:20:00,p3,Delivered,,2024-01-02 10:00:00\n";
    let (hours, _) = view("returns", "logistics", parcels, "hourly_logistics", &[]);
    assert!(hours.len() == 1 && hours[0].starts_with("2024-01-03T10:00:00Z,2,"), "{hours:?}");
    // 24 hours, and 24 and a third.
    assert!(hours[0].contains(",1450,"), "{hours:?}");
}

#[test]
fn what_purchases_are_worth_is_of_one_currency() {
    let visits = "visit_time,session_id,event,value,currency\n\
                  2024-01-01 10:00:00,s,purchase,10.00,EUR\n\
                  2024-01-01 10:00:00,s,purchase,1000,JPY\n";
    let dir = directory("meaning-worth");
    let path = |name: &str| dir.join(name).display().to_string();
    fs::write(path("in.csv"), visits).expect("a file");
    fs::write(path("rates.csv"), "currency,rate\nJPY,0.006\n").expect("a file");
    let source = format!("behavior={}", path("in.csv"));
    let args = ["run", "-q", "--source", &source, "--query", "sessions"];
    fail(2, &args, &["EUR, JPY", "--rates"]);
    let (rows, _) =
        view("worth-in-euros", "behavior", visits, "sessions", &["--rates", &path("rates.csv")]);
    assert!(rows[0].ends_with(",true,16.00"), "{rows:?}");
    // Who only counts them need not know what they are worth.
    let args = ["run", "-q", "--source", &source, "--query", "hourly_behavior"];
    succeed(&args);
}

#[test]
fn columns_that_no_query_reads_yet_are_recorded() {
    let dir = directory("meaning-more");
    let path = |name: &str| dir.join(name).display().to_string();
    fs::write(path("items.csv"), "time,item_id,price,available\n2024-01-01,a,5.00,yes\n")
        .expect("a file");
    fs::write(path("users.csv"), "time,user_id,since\n2024-01-01,ann,2023-12-24\n")
        .expect("a file");
    let (items, users) =
        (format!("catalog={}", path("items.csv")), format!("customers={}", path("users.csv")));
    let sources = ["--source", &items, "--source", &users, "--map", "customers.created=since"];
    let log = path("all.tide");
    succeed(&[&["record", "-q", "--out", &log][..], &sources].concat());
    let sink = format!("csv:{}", path("out"));
    let query = ["--query", "stream_health", "--sink", &sink];
    succeed(&[&["run", "-q", "--source", &log][..], &query].concat());
    let rows = fs::read_to_string(path("out/stream_health.csv")).expect("a view");
    assert!(rows.contains("catalog,2024-01-01") && rows.contains("customers,2024"), "{rows}");
}

#[test]
fn a_query_needs_no_more_than_what_it_says() {
    // Who saw what and when is enough for what goes with what: sessions are found by inactivity.
    let clicks = "visit_time,user_id,item_id\n2024-01-03 10:00:00,ann,lamp\n\
                  2024-01-03 10:20:00,ann,rug\n2024-01-03 11:00:00,ann,vase\n\
                  2024-01-03 10:10:00,bob,vase\n";
    let (similar, _) = view("similar", "behavior", clicks, "similar_items", &[]);
    // The lamp before the rug, five to three; the vase came forty minutes later.
    assert_eq!(similar, ["lamp,1,rug,12600", "rug,1,lamp,7560"]);
    // The same of visitors that have no name, and one who came twice in between joins the two.
    let nameless = clicks.replace("user_id", "anonymous_id") + "2024-01-03 10:45:00,ann,rug\n";
    let map = ["--map", "behavior.user_id=anonymous_id"];
    let (similar, _) = view("nameless", "behavior", &nameless, "similar_items", &map);
    assert_eq!(similar[0], "lamp,1,rug,18900");
    assert!(similar.contains(&"rug,1,vase,18900".to_owned()), "{similar:?}");
    let (wanted, _) = {
        let dir = directory("meaning-recommend");
        fs::write(dir.join("clicks.csv"), clicks).expect("a file");
        fs::write(
            dir.join("sales.csv"),
            "transaction_time,user_id,item_id,amount\n2024-01-03 12:00:00,bob,rug,5.00\n",
        )
        .expect("a file");
        let sales = format!("transactions={}", dir.join("sales.csv").display());
        let more = ["--source", &sales];
        view("recommend-clicks", "behavior", clicks, "user_recommendations", &more)
    };
    // Ann's newest session has the vase alone, with which nothing goes; neither does with bob's.
    assert_eq!(wanted, [""; 0]);
    let said = succeed(&["recommend", "-q", "--items", "lamp", "--source", &{
        let at = directory("meaning-recommend-cli").join("in.csv");
        fs::write(&at, clicks).expect("a file");
        format!("behavior={}", at.display())
    }]);
    assert!(said.contains("rug") && said.contains("goes with lamp"), "{said}");
    // The pairs of which both are there.
    let hours = "visit_time,page_views,orders\n2024-01-03 10:00:00,10,1\n\
                 2024-01-03 11:00:00,20,2\n2024-01-03 12:00:00,30,3\n";
    let (pairs, _) = view("pairs", "behavior", hours, "hourly_correlation", &[]);
    assert_eq!(pairs, ["page_views~orders,3,1"]);
    // What deliveries cost is no part of how many there are.
    let parcels = "delivery_time,shipped_time\n2024-01-03 10:00:00,2024-01-01 10:00:00\n";
    let (hours, _) = view("no-cost", "logistics", parcels, "hourly_logistics", &[]);
    assert_eq!(hours, ["2024-01-03T10:00:00Z,1,,,2880,2880,2880,0"]);
    let (hours, _) = view("no-cost", "logistics", parcels, "logistics_by_hour_of_day", &[]);
    assert_eq!(hours, ["10,1,,0"]);
    // A visitor without a name is one, and as active as any.
    let visits = "visit_time,user_id,anonymous_id\n2024-01-03 10:00:00,ann,a1\n\
                  2024-01-03 10:00:00,,a2\n2024-01-03 10:01:00,,a2\n2024-01-03 10:02:00,,\n";
    let (hours, _) = view("nobody", "behavior", visits, "active_users_hourly", &[]);
    assert!(hours[0].starts_with("2024-01-03T10:00:00Z,3,2,"), "{hours:?}");
}

/// The fields of a view's row by their names, of the first row where one begins with `starts`.
fn fields(name: &str, query: &str, starts: &str, columns: &str) -> String {
    let at = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("meaning-{name}"));
    let text = fs::read_to_string(at.join(format!("out/{query}.csv"))).expect("a view");
    let names: Vec<&str> = text.lines().next().expect("a header").split(',').collect();
    let row = text.lines().skip(1).find(|line| line.starts_with(starts)).expect("a row");
    let cells: Vec<&str> = row.split(',').collect();
    let cell = |name: &str| cells[names.iter().position(|n| *n == name).expect(name)];
    columns.split(' ').map(cell).collect::<Vec<_>>().join(" ")
}

#[test]
fn the_lines_of_a_payment_are_one_payment_to_all_that_look_at_payments() {
    let head = "transaction_time,transaction_id,line_id,order_id,user_id,item_id,amount,card_id,device,status\n";
    let line = |t: &str, id: &str, line: usize, amount: &str, status: &str| {
        format!("2024-01-01 {t},{id},{line},o-{id},ann,item{line},{amount},c1,d1,{status}\n")
    };
    let mut sales = head.to_owned();
    sales += &line("10:00:00", "t1", 1, "12.00", "captured");
    sales += &line("10:00:00", "t1", 2, "23.00", "captured");
    sales += &line("10:30:00", "t2", 1, "5.00", "captured");
    sales += &line("11:00:00", "t1", 2, "23.00", "refunded");
    let day = "payments orders gmv refunded refunded_amount net";
    view("paid", "transactions", &sales, "merchant_health", &[]);
    assert_eq!(fields("paid", "merchant_health", "2024", day), "2 2 40.00 1 23.00 17.00");
    // Of the refund it is known that it is no payment; the refunded line is none any more.
    let attempts = sales.replace("refunded", "captured");
    view("decided", "transactions", &attempts, "risk_decisions", &[]);
    let said = fields("decided", "risk_decisions", "t2", "amount features");
    assert!(said.starts_with("5.00 ") && said.contains("velocity_card=2"), "{said}");
    let said = fields("decided", "risk_decisions", "t1", "decision features");
    assert!(said.contains("velocity_card"), "{said}");
    // An order of nine small lines is no test of cards.
    let mut small = head.to_owned();
    (1..10).for_each(|n| small += &line("10:00:00", "t1", n, "0.50", "captured"));
    let few =
        ["--set", "security_alerts.testing_charges=2", "--set", "security_alerts.testing_cards=1"];
    let (alerts, _) = view("tested", "transactions", &small, "security_alerts", &few);
    assert_eq!(alerts, [""; 0]);
    // Nine payments are.
    let mut single = head.to_owned();
    (1..10).for_each(|n| single += &line("10:00:00", &format!("s{n}"), 1, "0.50", "captured"));
    let (alerts, _) = view("singles", "transactions", &single, "security_alerts", &few);
    assert_eq!(alerts.len(), 1, "{alerts:?}");
    // What is bought together is told by orders, or by payments where there are none.
    let pairs = ["--set", "bought_together.least=1"];
    let (rows, _) = view("pairs-of", "transactions", &attempts, "bought_together", &pairs);
    assert!(rows.len() == 1 && rows[0].starts_with("item1,item2,1,0.5,"), "{rows:?}");
    let nameless = attempts.replace("order_id", "note");
    let (rows, _) = view("pairs-by", "transactions", &nameless, "bought_together", &pairs);
    assert!(rows.len() == 1 && rows[0].starts_with("item1,item2,1,0.5,"), "{rows:?}");
}

#[test]
fn what_is_too_much_is_said() {
    let head = "transaction_time,transaction_id,line_id,order_id,item_id,amount,card_id\n";
    let rows = |count: usize| -> String {
        let line = |n| format!("2024-01-01 10:00:00,t1,{n},o1,item{n},1.00,c1\n");
        head.chars().chain((0..count).flat_map(|n| line(n).chars().collect::<Vec<_>>())).collect()
    };
    let pairs = ["--set", "bought_together.least=1"];
    let (listed, said) = view("basket-20", "transactions", &rows(20), "bought_together", &pairs);
    assert!(listed.len() == 100 && !said.contains("too many items"), "{said}");
    let (listed, said) = view("basket-21", "transactions", &rows(21), "bought_together", &pairs);
    assert_eq!(listed, [""; 0]);
    assert!(said.contains("1 order has too many items"), "{said}");
    // One of which an item was given back is none too large.
    let back = rows(21).replace(",card_id", ",status").replace(",c1", ",captured")
        + "2024-01-02 10:00:00,t1,3,o1,item3,1.00,refunded\n";
    let (listed, said) = view("basket-back", "transactions", &back, "bought_together", &pairs);
    assert!(listed.len() == 100 && !said.contains("too many items"), "{said}");
    // Two lines of as much as there can be are more than that.
    let most = "92233720368547758.07";
    let large = format!(
        "{head}2024-01-01 10:00:00,t1,1,o1,a,{most},c1\n2024-01-01 10:00:00,t1,2,o1,b,{most},c1\n\
         2024-01-01 10:10:00,t2,1,o2,b,1.00,c1\n"
    );
    let (_, said) = view("large", "transactions", &large, "velocity", &[]);
    assert!(said.contains("1 payment comes to more than 64 bits hold"), "{said}");
    assert_eq!(fields("large", "velocity", "t2", "count_1h sum_1h"), "2 1.00");
}
