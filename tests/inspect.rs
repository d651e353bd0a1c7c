//! Files that nothing is known of: what `inspect` takes them for, and that what it writes loads them.

#[path = "support/program.rs"]
mod program;

use program::{directory, fail, run, succeed};
use std::fs;
use std::path::Path;

/// A file, its contents, and lines of the description it should come to.
type Case = (&'static str, &'static str, &'static [&'static str]);

/// Those of `cases/exports`, and the first lines of the sessions of a public data set.
const CASES: &[Case] = &[
    (
        "01_quantity.csv",
        "time,item,qty,price\n2024-01-01 10:00:00,a,3,2.00\n",
        &[
            "stream = \"transactions\"",
            "transaction_time = \"time\"",
            "item_id = \"item\"",
            "amount = { product = [\"qty\", \"price\"] }",
        ],
    ),
    (
        "02_negative_refund.csv",
        "transaction_time,transaction_id,order_id,amount,status\n2024-01-01 10:00:00,t1,o1,100.00,captured\n\
         2024-01-01 11:00:00,r1,o1,-30.00,refunded\n",
        &[
            "transaction_time = \"transaction_time\"",
            "transaction_id = \"transaction_id\"",
            "order_id = \"order_id\"",
            "amount = \"amount\"",
            "status = \"status\"",
        ],
    ),
    (
        "04_refund_after_30_days.csv",
        "transaction_time,transaction_id,amount,status\n2024-01-01 10:00:00,t1,100.00,captured\n\
         2024-02-15 10:00:00,t2,5.00,captured\n2024-02-15 11:00:00,t1,100.00,refunded\n",
        &[
            "transaction_time = \"transaction_time\"",
            "transaction_id = \"transaction_id\"",
            "amount = \"amount\"",
        ],
    ),
    (
        "05_invoice_lines.csv",
        "invoice,item,when,amount\n1,a,2024-01-01 10:00:00,5.00\n1,b,2024-01-01 10:00:00,7.00\n1,c,2024-01-01 10:00:00,9.00\n",
        &[
            "transaction_time = \"when\"",
            "order_id = \"invoice\"",
            "item_id = \"item\"",
            "amount = \"amount\"",
        ],
    ),
    (
        "06_event_names.csv",
        "user_id,item_id,event,visit_time\n1,a,pv,1704103200\n1,a,cart,1704103260\n1,a,buy,1704103320\n",
        &[
            "stream = \"behavior\"",
            "visit_time = \"visit_time\"",
            "user_id = \"user_id\"",
            "item_id = \"item_id\"",
            "pv = \"view_item\"",
            "cart = \"add_to_cart\"",
            "buy = \"purchase\"",
        ],
    ),
    (
        "07_funnel_no_checkout.csv",
        "visit_time,session_id,event\n2024-01-01 10:00:00,s,view_item\n2024-01-01 10:01:00,s,add_to_cart\n",
        &[
            "stream = \"behavior\"",
            "visit_time = \"visit_time\"",
            "session_id = \"session_id\"",
            "event = \"event\"",
        ],
    ),
    (
        "08_short_times.csv",
        "transaction_time,amount\n15,5.00\n20240101,7.00\n202401011000,9.00\n",
        &[
            "stream = \"transactions\"",
            "transaction_time = \"transaction_time\"",
            "amount = \"amount\"",
        ],
    ),
    (
        "09_status.csv",
        "transaction_time,amount,status\n2024-01-01 10:00:00,5.00,canceled\n2024-01-01 10:00:00,6.00,paid\n\
         2024-01-01 10:00:00,6.00,completed\n2024-01-01 10:00:00,7.00,CAPTURED\n2024-01-01 10:00:00,7.00,declined\n",
        &[
            "amount = \"amount\"",
            "paid = \"captured\"",
            "completed = \"captured\"",
            "declined = \"failed\"",
        ],
    ),
    (
        "10_negative_transit.csv",
        "delivery_time,shipment_id,shipped_time,cost\n2024-01-01 10:00:00,p1,2024-01-05 10:00:00,\n\
         2024-01-01 10:00:00,p2,2023-12-31 10:00:00,\n",
        &[
            "stream = \"logistics\"",
            "delivery_time = \"delivery_time\"",
            "shipment_id = \"shipment_id\"",
            "shipped_time = \"shipped_time\"",
        ],
    ),
    (
        "11_na.csv",
        "delivery_time,cost\n2024-01-01 10:00:00,5.00\n2024-01-01 10:00:00,N/A\n2024-01-01 10:00:00,nan\n",
        &["stream = \"logistics\"", "delivery_time = \"delivery_time\"", "cost = \"cost\""],
    ),
    (
        "12_amounts.csv",
        "transaction_time,amount\n2024-01-01 10:00:00,\"1,234.50\"\n2024-01-01 10:00:00,$5.00\n2024-01-01 10:00:00, 5.00 \n\
         2024-01-01 10:00:00,3.0000000000001\n2024-01-01 10:00:00,(5.00)\n",
        &["transaction_time = \"transaction_time\"", "amount = \"amount\""],
    ),
    (
        "13_times.csv",
        "transaction_time,amount\n2024-01-01 10:00,1\n2024-1-1 10:00:00,1\n01/02/2024 10:00,1\n2024-01-01T10:00:00+0100,1\n\
         2024-01-01 10:00:00 UTC,1\n2024-01-01T10:00Z,1\n1704103200.5,1\n2-Jan-24,1\n20240101,1\n2024-01-01 10:00:00 PM,1\n\
         1704103200000000,1\n",
        &["transaction_time = \"transaction_time\"", "amount = \"amount\""],
    ),
    (
        "16_semicolon.csv",
        "delivery_time;carrier;region;cost\n2024-01-01 10:00:00;dhl;x;1,00\n",
        &[
            "stream = \"logistics\"",
            "decimal_comma = true",
            "delivery_time = \"delivery_time\"",
            "carrier = \"carrier\"",
            "cost = \"cost\"",
        ],
    ),
    (
        "20_na_user.csv",
        "transaction_time,amount,user_id,order_id\n2024-01-01 10:00:00,5.00,NA,1\n2024-01-02 10:00:00,5.00,u,2\n",
        &["user_id = \"user_id\"", "order_id = \"order_id\"", "amount = \"amount\""],
    ),
    (
        "22_float_count.csv",
        "visit_time,page_views,orders\n2024-01-01 10:00:00,3.0,1.0\n",
        &[
            "stream = \"behavior\"",
            "visit_time = \"visit_time\"",
            "page_views = \"page_views\"",
            "orders = \"orders\"",
        ],
    ),
    (
        "23_currency.csv",
        "transaction_time,amount,currency\n2024-01-01 10:00:00,100.00,EUR\n2024-01-01 10:00:00,10000,JPY\n",
        &["amount = \"amount\"", "currency = \"currency\""],
    ),
    (
        "27_train.txt",
        "SessionId\tItemId\tTime\n1\t10\t1000\n1\t10\t1010\n2\t11\t1020\n",
        &[
            "stream = \"behavior\"",
            "visit_time = \"Time\"",
            "session_id = \"SessionId\"",
            "item_id = \"ItemId\"",
            "time_format = \"epoch-s\"",
        ],
    ),
    (
        "sessions.txt",
        "SessionId\tItemId\tTime\n10036\t14957\t1592337718.0\n10036\t14713\t1592337765.0\n",
        &[
            "stream = \"behavior\"",
            "visit_time = \"Time\"",
            "session_id = \"SessionId\"",
            "item_id = \"ItemId\"",
        ],
    ),
    (
        "29_no_cost.csv",
        "delivery_time,shipped_time\n2024-01-03 10:00:00,2024-01-01 10:00:00\n",
        &[
            "stream = \"logistics\"",
            "delivery_time = \"delivery_time\"",
            "shipped_time = \"shipped_time\"",
        ],
    ),
    (
        "30_click_log.csv",
        "visit_time,session_id,item_id\n2024-01-03 10:00:00,s,i\n",
        &[
            "stream = \"behavior\"",
            "visit_time = \"visit_time\"",
            "session_id = \"session_id\"",
            "item_id = \"item_id\"",
        ],
    ),
    (
        "03_refund_other_id.csv",
        "transaction_time,transaction_id,order_id,amount,status\n2024-01-01 10:00:00,t1,o1,100.00,captured\n\
         2024-01-01 11:00:00,r1,o1,100.00,refunded\n",
        &[
            "transaction_time = \"transaction_time\"",
            "transaction_id = \"transaction_id\"",
            "order_id = \"order_id\"",
            "amount = \"amount\"",
            "status = \"status\"",
        ],
    ),
    (
        "31_local_day.csv",
        "transaction_time,amount\n2024-01-01 22:30:00,10.00\n2024-01-02 09:00:00,20.00\n",
        &["transaction_time = \"transaction_time\"", "amount = \"amount\""],
    ),
    (
        "32_partial.csv",
        "delivery_time,cost\n2024-01-01 10:00:00,1.00\n2024-01-01 10:00:00,1.00\n",
        &["stream = \"logistics\"", "delivery_time = \"delivery_time\"", "cost = \"cost\""],
    ),
    (
        "33_trailing_comma.csv",
        "transaction_time,amount\n2024-01-01 10:00:00,10.00,\n2024-01-01 10:00:00,10.00,\n",
        &["transaction_time = \"transaction_time\"", "amount = \"amount\""],
    ),
    (
        "german.csv",
        "Bestellnummer;Datum;Kunde;Artikel;Menge;Einzelpreis;Zustand\n7;31.12.2024 10:00;k1;Tasse;3;1.002,50;bezahlt\n\
         8;30.12.2024 11:00;k2;Topf;1;5,00;storniert\n",
        &[
            "transaction_time = \"Datum\"",
            "order_id = \"Bestellnummer\"",
            "user_id = \"Kunde\"",
            "item_id = \"Artikel\"",
            "amount = { product = [\"Menge\", \"Einzelpreis\"] }",
            "decimal_comma = true",
            "bezahlt = \"captured\"",
            "storniert = \"cancelled\"",
        ],
    ),
    (
        "unnamed.csv",
        "2024-01-01 10:00:00,x,5.00\n2024-01-02 11:00:00,y,6.00\n",
        &["# columns = [\"column1\", \"column2\", \"column3\"]"],
    ),
    (
        "orders.ndjson",
        "{\"id\":\"o1\",\"created_at\":\"2024-01-01T10:00:00Z\",\"customer\":{\"email\":\"a@x\"},\"total\":\"5.00\",\"currency\":\"EUR\"}\n\
         {\"id\":\"o2\",\"created_at\":\"2024-01-01T11:00:00Z\",\"customer\":{\"email\":\"b@x\"},\"total\":\"7.00\",\"currency\":\"EUR\"}\n",
        &[
            "stream = \"transactions\"",
            "transaction_time = \"created_at\"",
            "transaction_id = \"id\"",
            "user_id = \"customer.email\"",
            "amount = \"total\"",
            "currency = \"currency\"",
        ],
    ),
    (
        "catalog.csv",
        "Updated at,SKU,Product category,Sale price,Availability\n\
         2024-01-01 10:00:00,a,Cups,10.00,in stock\n2024-01-02 10:00:00,a,Cups,9.00,out of stock\n",
        &[
            "stream = \"catalog\"",
            "time = \"Updated at\"",
            "item_id = \"SKU\"",
            "category = \"Product category\"",
            "price = \"Sale price\"",
            "available = \"Availability\"",
        ],
    ),
    (
        "customers.csv",
        "customer_id,email_sha256,country,accepts_marketing,created_at,updated_at\n\
         7,ab12,DE,yes,2024-01-01 10:00:00,2024-02-01 10:00:00\n",
        &[
            "stream = \"customers\"",
            "time = \"updated_at\"",
            "user_id = \"customer_id\"",
            "email_hash = \"email_sha256\"",
            "consent = \"accepts_marketing\"",
            "created = \"created_at\"",
        ],
    ),
    (
        "visits.csv",
        "event_time,event_name,client_id,utm_source,utm_medium,page_location,search_term,order_id,value,currency,is_bot\n\
         2024-01-01 10:00:00,purchase,c1,google,cpc,/done,,o1,5.00,EUR,false\n",
        &[
            "stream = \"behavior\"",
            "user_id = \"client_id\"",
            "source = \"utm_source\"",
            "medium = \"utm_medium\"",
            "page_url = \"page_location\"",
            "order_id = \"order_id\"",
            "value = \"value\"",
            "is_bot = \"is_bot\"",
        ],
    ),
];

#[test]
fn time_money_and_ids_of_each_file_are_found_and_what_is_written_loads_it() {
    let at = directory("inspect-cases");
    for (name, text, expected) in CASES {
        let (file, toml) = (at.join(name), at.join(format!("{name}.toml")));
        fs::write(&file, text).expect("a file");
        let (file, path) = (file.display().to_string(), toml.display().to_string());
        let said = succeed(&["inspect", &file, "--write", &path]);
        let toml = fs::read_to_string(&toml).expect("what was written");
        let lines: Vec<&str> = toml.lines().collect();
        for line in *expected {
            assert!(lines.contains(line), "{name}: {line}:\n{toml}\n{said}");
        }
        // Nobody can know which is which there, and here all kinds of times are mixed.
        if ["unnamed.csv", "13_times.csv"].contains(name) {
            let open = [
                "nothing of it could be taken",
                "not all of transaction_time are times of one kind",
            ];
            assert!(open.iter().any(|text| said.contains(text)), "{said}");
            continue;
        }
        let checked = succeed(&["run", "--config", &path, "--check"]);
        assert!(
            said.ends_with(&checked) || said.contains(checked.lines().next().expect("a line")),
            "{said}\n{checked}"
        );
        let bad = usize::from(*name == "08_short_times.csv");
        let rows = text.lines().count() - usize::from(!name.ends_with("ndjson"));
        assert!(checked.contains(&format!("{rows} row")), "{checked}");
        assert!(
            checked.contains(&format!(" read, {} of them good", rows - bad)),
            "{name}: {checked}"
        );
    }
}

#[test]
fn formats_are_known_again() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/formats");
    let files = [
        ("shopify-orders.csv", "shopify-orders"),
        ("stripe-old.csv", "stripe-payments"),
        ("stripe-new.csv", "stripe-payments"),
        ("woocommerce-suite.csv", "woocommerce-orders"),
        ("woocommerce-analytics.csv", "woocommerce-orders"),
        ("ga4-bigquery.ndjson", "ga4-bigquery"),
        ("segment.jsonl", "segment"),
        ("aftership.jsonl", "aftership"),
        ("olist_orders_dataset.csv", "olist"),
        ("olist_order_payments_dataset.csv", "olist"),
        ("olist_order_items_dataset.csv", "olist"),
        ("online-retail.csv", "online-retail"),
        ("online-retail-2.csv", "online-retail"),
        ("yoochoose-clicks.dat", "yoochoose"),
        ("yoochoose-buys.dat", "yoochoose"),
    ];
    assert_eq!(fs::read_dir(&folder).expect("the files").count(), files.len());
    for (file, format) in files {
        let said = succeed(&["inspect", &folder.join(file).display().to_string()]);
        assert!(said.contains(&format!(": of the format {format}, ")), "{file}: {said}");
        assert!(said.contains(&format!("[[source]]\nformat = \"{format}\"\n")), "{file}: {said}");
        assert!(said.contains("would run: "), "{file}: {said}");
        assert!(!said.contains(" bad: ") && !said.contains("cannot be run"), "{file}: {said}");
    }
}

#[test]
fn what_stays_open_is_said() {
    let at = directory("inspect-open");
    let path = |name: &str| at.join(name).display().to_string();
    fs::write(
        at.join("days.csv"),
        "date,total,state,blob\n01/02/2024,5.00,paid,zz\n03/04/2024,6.00,weird,zz\n",
    )
    .expect("a file");
    let said = succeed(&["inspect", &path("days.csv")]);
    for text in [
        "date: times, of which it is open how they are read (01/02/2024 is 2024-02-01 or 2024-01-02",
        "# time_format = \"day-first\"  # or \"month-first\"",
        "blob: text such as \"zz\" (not used)",
        "what weird stand for in state is not known; its names are authorized, captured",
        "cannot be run so: ",
    ] {
        assert!(said.contains(text), "{text}:\n{said}");
    }
    // Queries that cannot run are told with what they lack.
    fs::write(at.join("a.csv"), "transaction_time,amount\n2024-01-01 10:00:00,5.00\n")
        .expect("a file");
    let said = succeed(&["inspect", &path("a.csv")]);
    assert!(said.contains("would run: hourly_transactions"), "{said}");
    assert!(said.contains("needs a column for transactions.item_id: top_items_hourly"), "{said}");
    assert!(said.contains("needs the stream behavior: hourly_behavior, "), "{said}");
    // Neither names nor values steer a terminal, and what is written reads the file all the same.
    let bytes = b"transaction_time,amount,\x1b[31muser_id\n2024-01-01 10:00:00,5.00,\x1b]0;x\x07\n";
    fs::write(at.join("esc.csv"), bytes).expect("a file");
    fs::write(
        at.join("latin.csv"),
        b"transaction_time,amount,user_id\n2024-01-01 10:00:00,5.00,J\xF6rg\n",
    )
    .expect("a file");
    for name in ["esc.csv", "latin.csv"] {
        let out = path(&format!("{name}.toml"));
        let output = run(&["inspect", &path(name), "--write", &out]);
        let printed = [output.stdout, output.stderr].concat();
        assert!(
            output.status.success() && !printed.iter().any(|b| *b == 0x1b || *b == 7),
            "{name}"
        );
        assert!(!fs::read(&out).expect("what was written").contains(&0x1b));
        let checked = succeed(&["run", "--config", &out, "--check"]);
        assert!(checked.contains("1 row read, 1 of them good"), "{checked}");
    }
    let out = path("latin.csv.toml");
    assert!(
        fs::read_to_string(&out).expect("what was written").contains("encoding = \"windows-1252\"")
    );
    fail(2, &["inspect", &path("latin.csv"), "--write", &out], &["it is there already"]);
    fail(2, &["inspect", &path("none.csv")], &["none.csv"]);
    fail(2, &["inspect", &path("a.csv"), &path("empty.csv")], &["empty.csv"]);
}

#[test]
fn a_check_reads_the_first_rows_and_runs_nothing() {
    let at = directory("inspect-check");
    let (file, out) = (at.join("in.csv"), at.join("out"));
    let rows: String = (0..50_000)
        .map(|i| {
            format!(
                "2024-01-01 {:02}:00:00,{}.00,EUR,{}\n",
                i % 24,
                i % 10,
                ["paid", "captured"][i % 2]
            )
        })
        .collect();
    fs::write(
        &file,
        format!(
            "transaction_time,amount,currency,status\n2024-01-01 10:00:00,x,EUR,captured\n{rows}"
        ),
    )
    .expect("a file");
    let source = format!("transactions={}", file.display());
    let sink = format!("csv:{}", out.display());
    let said = succeed(&["run", "--source", &source, "--sink", &sink, "--check"]);
    for text in [
        "in.csv (transactions): first ",
        " bad: column amount: not an amount: \"x\"",
        " bad: column status: unknown name: \"paid\"",
        "  times from 2024-01-01T01:00:00Z to 2024-01-01T23:00:00Z",
        " EUR\n",
        "unknown names of transactions.status are bad records: paid (",
        "would run: hourly_transactions",
    ] {
        assert!(said.contains(text), "{text}:\n{said}");
    }
    assert!(!out.exists(), "nothing is written");
    let read: u64 = said
        .split("first ")
        .nth(1)
        .and_then(|rest| rest.split(' ').next())
        .and_then(|n| n.parse().ok())
        .expect("a number");
    assert!((1000..20_000).contains(&read), "{said}");
    fs::write(&file, "transaction_time,amount\nsoon,1\n").expect("a file");
    fail(
        1,
        &["run", "--source", &source, "--check"],
        &["of the rows that were looked at none could be read"],
    );
    fail(
        2,
        &["run", "--source", &source, "--check", "--query", "hourly"],
        &["there is no such query"],
    );
}

#[test]
fn the_readme_shows_what_comes_of_an_export() {
    let readme = include_str!("../README.md");
    let blocks = readme.split("```console\n").filter_map(|rest| rest.split("\n```").next());
    let block =
        blocks.clone().find(|block| block.contains("tidemill inspect")).expect("the example");
    let at = directory("inspect-readme");
    let toml = at.join("shop.toml").display().to_string();
    let mut said = String::new();
    for line in block.lines() {
        if let Some(command) = line.strip_prefix("$ tidemill ") {
            let args = command.split(' ').map(|arg| arg.replace("shop.toml", &toml));
            let output = std::process::Command::new(env!("CARGO_BIN_EXE_tidemill"))
                .current_dir(env!("CARGO_MANIFEST_DIR"))
                .args(args)
                .output()
                .expect("the program starts");
            assert!(output.status.success(), "{command}");
            said = String::from_utf8([output.stdout, output.stderr].concat()).expect("text");
            said = said.replace(&toml, "shop.toml");
        } else if line != "..." && line != "  ..." {
            assert!(said.lines().any(|other| other == line), "{line}\n{said}");
        }
    }
}
