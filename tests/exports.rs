//! Exports as they come out of shops: small files of made-up values, each with what it once came to
//! be read as and should be.

#[path = "support/program.rs"]
mod program;

use program::{directory, fail, run, succeed};
use std::fs;
use std::path::{Path, PathBuf};

/// A file in a place of its own, and the options it is read with.
struct Export {
    at: PathBuf,
    args: Vec<String>,
}

/// What came of a run.
struct Loaded {
    /// The view, without its header.
    rows: Vec<String>,
    /// What was said.
    said: String,
    /// The reasons of bad records.
    bad: Vec<String>,
}

impl Export {
    fn new(name: &str, stream: &str, text: &str, options: &[&str]) -> Export {
        Export::bytes(name, stream, text.as_bytes(), options)
    }

    fn bytes(name: &str, stream: &str, text: &[u8], options: &[&str]) -> Export {
        let at = directory(&format!("exports-{name}"));
        fs::write(at.join("in.csv"), text).expect("a file");
        let source = format!("{stream}={}", at.join("in.csv").display());
        let sink = format!("csv:{}", at.join("out").display());
        let mut args =
            ["run", "-w", "1", "--source", &source, "--sink", &sink].map(String::from).to_vec();
        args.extend(options.iter().map(|option| option.to_string()));
        Export { at, args }
    }

    /// Runs a query; gives its view.
    fn view(&self, query: &str) -> Loaded {
        let mut args: Vec<&str> = self.args.iter().map(String::as_str).collect();
        args.extend(["--query", query]);
        let output = run(&args);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{args:?}: {said}");
        let out = self.at.join("out");
        let view = fs::read_to_string(out.join(format!("{query}.csv"))).expect("the view");
        let letters = fs::read_to_string(out.join("dead_letters.jsonl")).unwrap_or_default();
        let reason = |line: &str| {
            serde_json::from_str::<serde_json::Value>(line).expect("JSON")["reason"].to_string()
        };
        Loaded {
            rows: view.lines().skip(1).map(String::from).collect(),
            said,
            bad: letters.lines().map(reason).collect(),
        }
    }

    /// Runs a query, which is refused.
    fn refused(&self, query: &str, says: &[&str]) {
        let mut args: Vec<&str> = self.args.iter().map(String::as_str).collect();
        args.extend(["--query", query]);
        fail(2, &args, says);
    }
}

impl Loaded {
    /// The fields of a column of the view.
    fn column(&self, column: usize) -> Vec<&str> {
        self.rows.iter().map(|row| row.split(',').nth(column).unwrap_or_default()).collect()
    }
}

/// Runs a query over what `shop.toml` describes; gives its view.
fn described(at: &Path, query: &str, more: &[&str]) -> Vec<String> {
    let (config, sink) =
        (at.join("shop.toml").display().to_string(), format!("csv:{}", at.join("out").display()));
    let args = ["run", "-q", "-w", "1", "--config", &config, "--sink", &sink, "--query", query];
    succeed(&[&args[..], more].concat());
    let view = fs::read_to_string(at.join(format!("out/{query}.csv"))).expect("the view");
    view.lines().skip(1).map(String::from).collect()
}

const ANY: [&str; 2] = ["--max-bad", "100%"];

/// Times alone, each with an amount of 1.00.
fn sales(times: &[&str]) -> String {
    let rows = times.iter().map(|time| format!("\"{time}\",1.00\n"));
    std::iter::once("transaction_time,amount\n".to_string()).chain(rows).collect()
}

#[test]
fn short_times_are_dates_and_no_seconds_of_1970() {
    let text = "transaction_time,amount\n20240101,7.00\n202401011000,9.00\n15,5.00\n";
    let loaded = Export::new("short", "transactions", text, &ANY).view("hourly_transactions");
    assert_eq!(loaded.column(0), ["2024-01-01T00:00:00Z", "2024-01-01T10:00:00Z"]);
    assert_eq!(loaded.bad.len(), 1, "{:?}", loaded.bad);
    let text = "transaction_time,amount\n15,5.00\n1700000000,5.00\n";
    let loaded = Export::new("recent", "transactions", text, &ANY).view("hourly_transactions");
    assert!(
        loaded.bad[0].contains("no time after 1990 (--time-format epoch-s"),
        "{:?}",
        loaded.bad
    );
    let asked = Export::new("asked", "transactions", text, &["--time-format", "epoch-s"]);
    assert_eq!(asked.view("hourly_transactions").column(0)[0], "1970-01-01T00:00:00Z");
}

#[test]
fn times_of_one_kind_are_read_in_each_of_its_forms() {
    let iso = [
        "2024-01-01 10:00",
        "2024-1-1 10:00:00",
        "2024-01-01T11:00:00+0100",
        "2024-01-01 10:00:00 UTC",
        "2024-01-01 11:00:00 +01:00",
        "2024-01-01T10:00Z",
        "1-Jan-24 10:00",
        "2024/01/01 10:00:00",
        "202401011000",
        "2024-01-01 10:00:00,5",
    ];
    let loaded = Export::new("iso", "transactions", &sales(&iso), &[]).view("hourly_transactions");
    assert_eq!((loaded.column(0), loaded.column(1)), (vec!["2024-01-01T10:00:00Z"], vec!["10"]));
    for (name, times) in [
        ("s", ["1704103200", "1704103200.5"]),
        ("ms", ["1704103200000", "1704103201000"]),
        ("us", ["1704103200000000", "1704103201000000"]),
        ("ns", ["1704103200000000000", "1704103201000000000"]),
    ] {
        let loaded =
            Export::new(name, "transactions", &sales(&times), &[]).view("hourly_transactions");
        assert_eq!((loaded.column(0), loaded.column(1)), (vec!["2024-01-01T10:00:00Z"], vec!["2"]));
    }
    // What was found holds for the whole file.
    let mixed = sales(&["1704103200", "2024-01-01 10:00:00", "20240101", "1704103200000"]);
    let loaded = Export::new("mixed", "transactions", &mixed, &ANY).view("hourly_transactions");
    assert_eq!((loaded.column(1), loaded.bad.len()), (vec!["1"], 3));
}

#[test]
fn the_day_or_the_month_comes_first_as_some_value_tells() {
    let hours = |name: &str, times: &[&str], options: &[&str]| {
        let loaded =
            Export::new(name, "transactions", &sales(times), options).view("hourly_transactions");
        loaded.rows.iter().map(|row| row[..13].to_string()).collect::<Vec<_>>()
    };
    assert_eq!(
        hours("us", &["12/1/2010 8:26", "12/31/2010 8:26"], &[]),
        ["2010-12-01T08", "2010-12-31T08"]
    );
    assert_eq!(
        hours("de", &["1.12.2010 8:26", "31.12.2010 8:26"], &[]),
        ["2010-12-01T08", "2010-12-31T08"]
    );
    // The value that tells may come late.
    let mut times = vec!["1/12/2010"; 3000];
    times.push("13/12/2010");
    assert_eq!(hours("late", &times, &[]), ["2010-12-01T00", "2010-12-13T00"]);
    let unclear = ["01/02/2024 10:00", "03/04/2024 10:00"];
    let says = [
        "01/02/2024 10:00 is 2024-02-01 or 2024-01-02",
        "--time-format transactions.transaction_time=day-first",
    ];
    Export::new("unclear", "transactions", &sales(&unclear), &[])
        .refused("hourly_transactions", &says);
    let said = |form| hours("said", &unclear, &["--time-format", form]);
    assert_eq!(said("day-first"), ["2024-02-01T10", "2024-04-03T10"]);
    assert_eq!(
        said("transactions.transaction_time=month-first"),
        ["2024-01-02T10", "2024-03-04T10"]
    );
    assert_eq!(said("%m/%d/%Y %H:%M"), ["2024-01-02T10", "2024-03-04T10"]);
    let both = sales(&["13/02/2024", "02/13/2024"]);
    let says = ["13/02/2024 has the day first and 02/13/2024 the month"];
    Export::new("both", "transactions", &both, &[]).refused("hourly_transactions", &says);
    let export =
        Export::new("wrong", "transactions", &both, &["--time-format", "behavior.visit_time=iso"]);
    export.refused("hourly_transactions", &["--time-format behavior.visit_time would do nothing"]);
    let export =
        Export::new("wrong", "transactions", &both, &["--time-format", "transactions.amount=iso"]);
    export.refused(
        "hourly_transactions",
        &["transactions has no such field that could have it; it is for: transaction_time"],
    );
}

#[test]
fn amounts_are_read_as_they_are_written() {
    let text = |amounts: &[&str]| {
        let rows = amounts.iter().map(|amount| format!("2024-01-01 10:00:00,\"{amount}\"\n"));
        std::iter::once("transaction_time,amount\n".to_string()).chain(rows).collect::<String>()
    };
    let amounts =
        ["1,234.50", "$5.00", "3.0000000000001", ".5", "1e3", "5.", "(5.00)", " 5.00 ", "5.00 €"];
    let loaded =
        Export::new("amounts", "transactions", &text(&amounts), &[]).view("hourly_transactions");
    // What is negative is given back.
    assert_eq!((loaded.column(1), loaded.column(2)), (vec!["8"], vec!["2253.00"]));
    let refused = ["5,00", "12.345"];
    let loaded =
        Export::new("refused", "transactions", &text(&refused), &ANY).view("hourly_transactions");
    assert!(
        loaded.bad[0].contains("--decimal-comma") && loaded.bad[1].contains("--decimals"),
        "{:?}",
        loaded.bad
    );
    let comma = ["5,00", "1.234,50", "1 000,5", "-2"];
    let export = Export::new("comma", "transactions", &text(&comma), &["--decimal-comma"]);
    assert_eq!(export.view("hourly_transactions").column(2), ["2238.00"]);
    let export =
        Export::new("thousandths", "transactions", &text(&refused[1..]), &["--decimals", "3"]);
    assert_eq!(export.view("hourly_transactions").column(2), ["12.345"]);
}

#[test]
fn counts_may_be_written_as_floats() {
    let text = "visit_time,page_views,orders\n2024-01-01 10:00:00,3.0,1.0\n";
    let loaded = Export::new("counts", "behavior", text, &[]).view("hourly_behavior");
    assert_eq!((loaded.column(1), loaded.column(2)), (vec!["3"], vec!["1"]));
}

#[test]
fn words_for_nothing_are_absent_and_cost_no_record() {
    let text = "delivery_time,cost\n2024-01-01 10:00:00,5.00\n2024-01-01 10:00:00,N/A\n\
                2024-01-01 10:00:00,NULL\n2024-01-01 10:00:00,nan\n2024-01-01 10:00:00,\n";
    let loaded = Export::new("na", "logistics", text, &[]).view("hourly_logistics");
    assert_eq!(loaded.column(1), ["5"]);
    assert!(!loaded.said.contains("left out"), "{}", loaded.said);
    let text = "transaction_time,amount,user_id,order_id\n2024-01-01 10:00:00,5.00,NA,1\n\
                2024-01-02 10:00:00,5.00,NA,2\n2024-01-02 10:00:00,5.00,null,3\n\
                2024-01-02 10:00:00,5.00,,4\n2024-01-02 10:00:00,5.00,guest,5\n2024-01-02 10:00:00,5.00,u,6\n";
    let loaded = Export::new("na-user", "transactions", text, &["--absent", "guest,\\N"])
        .view("rfm_segments");
    assert_eq!(loaded.column(0), ["u"]);
}

#[test]
fn an_optional_value_that_cannot_be_read_is_left_out_and_told() {
    let text = "delivery_time,cost,shipped_time\n2024-01-03 10:00:00,5.00,2024-01-01 10:00:00\n\
                2024-01-03 10:00:00,free,2024-01-01 10:00:00\n2024-01-03 10:00:00,1.00,soon\n\
                never,free,2024-01-01 10:00:00\n";
    let loaded = Export::new("left-out", "logistics", text, &ANY).view("hourly_logistics");
    assert_eq!((loaded.column(1), loaded.bad.len()), (vec!["3"], 1));
    let told = "1 value of logistics.cost left out (not an amount: \"free\")";
    assert!(loaded.said.contains(told), "{}", loaded.said);
    assert!(loaded.said.contains("1 value of logistics.shipped_time left out"), "{}", loaded.said);
    // What a record is about is not optional.
    let text = "transaction_time,amount\n2024-01-03 10:00:00,free\n";
    assert_eq!(
        Export::new("essential", "transactions", text, &ANY).view("hourly_transactions").bad.len(),
        1
    );
}

#[test]
fn what_separates_fields_is_found_or_said() {
    let text = "delivery_time;carrier;region;cost\n2024-01-01 10:00:00;dhl;x;1,00\n";
    let loaded =
        Export::new("semicolon", "logistics", text, &["--decimal-comma"]).view("hourly_logistics");
    assert_eq!((loaded.column(1), loaded.column(2)), (vec!["1"], vec!["1.00"]));
    for (name, mark) in [("tab", '\t'), ("bar", '|')] {
        let text = text.replace(';', &mark.to_string()).replace("1,00", "\"1.00\"");
        let loaded = Export::new(name, "logistics", &text, &[]).view("hourly_logistics");
        assert_eq!((loaded.column(1), loaded.column(2)), (vec!["1"], vec!["1.00"]));
    }
    let text = text.replace(';', ":").replace(":00:00", "").replace("1,00", "1.00");
    let export = Export::new("colon", "logistics", &text, &[]);
    export.refused("hourly_logistics", &["no column delivery_time", "--delimiter"]);
    let export = Export::new(
        "colon-said",
        "logistics",
        &text,
        &["--delimiter", ":", "--time-format", "%Y-%m-%d %H"],
    );
    assert_eq!(export.view("hourly_logistics").column(1), ["1"]);
}

#[test]
fn columns_without_names_are_named() {
    let text = "2024-01-01 10:00:00,x,5.00\n2024-01-01 10:00:00,y,6.00\n";
    let export = Export::new("unnamed", "transactions", text, &[]);
    export.refused("hourly_transactions", &["looks like a record: --no-header"]);
    let export =
        Export::new("named", "transactions", text, &["--no-header", "transaction_time,,amount"]);
    let loaded = export.view("hourly_transactions");
    assert_eq!((loaded.column(1), loaded.column(2)), (vec!["2"], vec!["11.00"]));
    let bad = Export::new(
        "named",
        "transactions",
        &(text.to_owned() + "x,y,1.00\n"),
        &["--no-header", "transaction_time,,amount", "--max-bad", "50"],
    );
    assert_eq!(bad.view("hourly_transactions").bad.len(), 1);
    let letters = fs::read_to_string(bad.at.join("out/dead_letters.jsonl")).expect("letters");
    assert!(letters.contains("\"line\":3"), "{letters}");
}

#[test]
fn names_that_differ_in_case_alone_are_told_apart_and_empty_last_columns_dropped() {
    let text = "transaction_time,Amount,amount,x,x\n2024-01-01 10:00:00,1.00,2.00,3,4\n";
    assert_eq!(
        Export::new("case", "transactions", text, &[]).view("hourly_transactions").column(2),
        ["2.00"]
    );
    let export = Export::new("twice", "transactions", text, &["--map", "transactions.user_id=x"]);
    export.refused("rfm_segments", &["two columns are named x"]);
    for (header, row) in [("", ","), ("", ",,"), (",", ""), (",", ","), (",,", ",note")] {
        let text = format!(
            "transaction_time,amount{header}\n2024-01-01 10:00:00,10.00{row}\n2024-01-01 10:00:00,10.00{row}\n"
        );
        let loaded =
            Export::new("trailing", "transactions", &text, &[]).view("hourly_transactions");
        assert_eq!(loaded.column(2), ["20.00"], "{text}");
    }
    let text = "transaction_time,amount\n2024-01-01 10:00:00,10.00,x\n";
    assert_eq!(
        Export::new("wide", "transactions", text, &ANY).view("hourly_transactions").bad.len(),
        1
    );
}

#[test]
fn text_of_other_encodings_is_read() {
    let text =
        "visit_time;user_id;category;event;Größe\n2024-01-01 10:00:00;u;Möbel €;page_view;x\n";
    let utf16: Vec<u8> =
        format!("\u{FEFF}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    let loaded = Export::bytes("utf16", "behavior", &utf16, &[]).view("user_profile");
    assert!(loaded.rows[0].contains("möbel €"), "{:?}", loaded.rows);
    let latin: Vec<u8> =
        text.chars().map(|c| if c == '€' { 0x80 } else { c as u32 as u8 }).collect();
    let export = Export::bytes("latin", "behavior", &latin, &[]);
    export.refused("user_profile", &["the header is not UTF-8", "--encoding"]);
    let loaded = Export::bytes("latin-said", "behavior", &latin, &["--encoding", "windows-1252"])
        .view("user_profile");
    assert!(loaded.rows[0].contains("möbel €"), "{:?}", loaded.rows);
}

#[test]
fn names_are_mapped_and_unknown_ones_told() {
    let text = "transaction_time,amount,status\n2024-01-01 10:00:00,5.00,canceled\n2024-01-01 10:00:00,6.00,paid\n\
                2024-01-01 10:00:00,6.00,Completed\n2024-01-01 10:00:00,7.00,CAPTURED\n2024-01-01 10:00:00,8.00,paid\n";
    let loaded = Export::new("status", "transactions", text, &ANY).view("hourly_transactions");
    assert_eq!((loaded.column(1), loaded.bad.len()), (vec!["1"], 3));
    let told = "unknown names of transactions.status are bad records: paid (2), Completed (1) (--map-value transactions.status.paid=NAME)";
    assert!(loaded.said.contains(told), "{}", loaded.said);
    let maps = [
        "--map-value",
        "transactions.status.paid=captured",
        "--map-value",
        "transactions.status.completed=captured",
    ];
    let loaded =
        Export::new("status-mapped", "transactions", text, &maps).view("hourly_transactions");
    assert_eq!((loaded.column(1), loaded.column(2)), (vec!["4"], vec!["27.00"]));
    for (map, says) in [
        (
            "transactions.status.paid=payed",
            "transactions.status has no name payed; its names are: authorized, captured",
        ),
        ("transactions.amount.paid=captured", "it is for: status"),
        ("transactions.paid=captured", "expected STREAM.FIELD.NAME=KNOWN"),
        ("behavior.event.pv=page_view", "would do nothing"),
    ] {
        Export::new("status-wrong", "transactions", text, &["--map-value", map])
            .refused("hourly_transactions", &[says]);
    }
}

#[test]
fn a_stream_of_which_no_name_is_known_is_refused() {
    let text = "user_id,item_id,event,visit_time\n1,a,pv,1704103200\n1,a,cart,1704103260\n1,a,buy,1704103320\n2,a,pv,1704103330\n";
    let says = [
        "none of the names in behavior.event is known: pv (2), buy (1), cart (1)",
        "--map-value behavior.event.pv=",
    ];
    Export::new("events", "behavior", text, &[]).refused("hourly_behavior", &says);
    let maps = [
        "--map-value",
        "behavior.event.pv=view_item",
        "--map-value",
        "behavior.event.buy=purchase",
    ];
    let loaded = Export::new("events-mapped", "behavior", text, &maps).view("hourly_behavior");
    assert_eq!((loaded.column(1), loaded.column(2)), (vec!["2"], vec!["1"]));
    assert!(
        loaded.said.contains("unknown names of behavior.event count as other: cart (1)"),
        "{}",
        loaded.said
    );
}

#[test]
fn a_source_is_described_once_and_options_have_the_last_word() {
    let at = directory("exports-described");
    let text =
        "Datum;Betrag;Zustand\n01.02.2024 10:00;1.000,50;bezahlt\n02.02.2024 10:00;2,00;offen\n";
    fs::write(at.join("a.csv"), text).expect("a file");
    fs::write(at.join("b.csv"), text.replace("1.000,50", "?")).expect("a file");
    let describe = |change: &dyn Fn(String) -> String| {
        let toml = format!(
            "[query.velocity]\n\n[[source]]\nstream = \"transactions\"\nfiles = \"{}/a*.csv\"\ntime_format = \"day-first\"\n\
             decimal_comma = true\nabsent = [\"?\"]\n[source.fields]\ntransaction_time = \"Datum\"\namount = \"betrag\"\n\
             status = \"Zustand\"\n[source.values.status]\nbezahlt = \"captured\"\noffen = \"authorized\"\n",
            at.display()
        );
        fs::write(at.join("shop.toml"), change(toml)).expect("a file");
    };
    let config = at.join("shop.toml").display().to_string();
    let view = |options: &[&str]| {
        let cells = |row: String| row.split(',').take(3).collect::<Vec<_>>().join(" ");
        let rows = described(&at, "hourly_transactions", options).into_iter();
        rows.map(cells).collect::<Vec<_>>()
    };
    describe(&|toml| toml);
    assert_eq!(view(&[]), ["2024-02-01T10:00:00Z 1 1000.50", "2024-02-02T10:00:00Z 1 2.00"]);
    assert_eq!(view(&["--time-format", "month-first"])[0], "2024-01-02T10:00:00Z 1 1000.50");
    assert_eq!(view(&["--map-value", "transactions.status.offen=cancelled"]).len(), 1);
    let other = format!("transactions={}", at.join("b.csv").display());
    assert_eq!(view(&["--source", &other]), ["2024-02-02T10:00:00Z 1 2.00"]);
    for (from, to, says) in [
        ("transactions", "sales", "shop.toml, line 3: [[source]]: stream: there is no stream"),
        ("day-first", "first", "[[source]]: time_format \"first\": expected iso, day-first"),
        ("amount =", "sum =", "[[source]]: fields: transactions has no field sum"),
        ("decimal_comma", "decimal_komma", "unknown field `decimal_komma`"),
        ("captured", "payed", "transactions.status has no name payed"),
        ("[[source]]", "[[sources]]", "did you mean source?"),
        ("files", "#", "names no files"),
    ] {
        describe(&|toml| toml.replacen(from, to, 1));
        fail(2, &["run", "--config", &config, "--query", "hourly_transactions"], &[says]);
    }
    fail(2, &["run", "--query", "hourly_transactions"], &["--source STREAM=FILE", "--config"]);
}

#[test]
fn fields_are_made_of_several_columns() {
    let at = directory("exports-made");
    let text = "Invoice,Line,Quantity,Price,Date,Time\n1,a,3,2.55,12/1/2010,8:26\n1,b,-2,$0.35,12/31/2010,9:00\n\
                2,a,1,x,12/31/2010,9:00\n3,\"\"\"a\",1,1.234,12/31/2010,9:00\n,c,2,5,12/31/2010,9:30\n,c,2,5,12/31/2010,9:30\n";
    fs::write(at.join("in.csv"), text).expect("a file");
    let toml = format!(
        "[[source]]\nstream = \"transactions\"\nfiles = \"{}\"\n[source.fields]\n\
         transaction_time = {{ join = [\"Date\", \"Time\"], with = \" \" }}\n\
         transaction_id = {{ join = [\"Invoice\", \"Line\"], with = \"/\" }}\n\
         amount = {{ product = [\"Quantity\", \"Price\"] }}\nuser_id = {{ constant = \"\\\"shop\" }}\n",
        at.join("in.csv").display()
    );
    fs::write(at.join("shop.toml"), &toml).expect("a file");
    let config = at.join("shop.toml").display().to_string();
    let view = |query: &str, more: &[&str]| {
        described(&at, query, &[&["--max-bad", "100"][..], more].concat())
    };
    let rows = view("hourly_transactions", &[]);
    assert_eq!(rows.len(), 2, "{rows:?}");
    // Records whose id lacks a part have none, and so are not one and the same.
    assert!(rows[0].starts_with("2010-12-01T08:00:00Z,1,7.65,"), "{rows:?}");
    assert!(rows[1].starts_with("2010-12-31T09:00:00Z,2,19.30,"), "{rows:?}");
    let letters = fs::read_to_string(at.join("out/dead_letters.jsonl")).expect("letters");
    assert!(
        letters.contains("not an amount") && letters.contains("too many decimals"),
        "{letters}"
    );
    // A renaming has the last word.
    let rows = view("hourly_transactions", &["--map", "transactions.amount=Quantity"]);
    assert!(rows[0].starts_with("2010-12-01T08:00:00Z,1,3.00,"), "{rows:?}");
    for (from, to, says) in [
        ("\"Price\"", "\"Cost\"", "no column Cost for transactions.amount"),
        (
            "product",
            "sum",
            "expected a column, a list of which the first that is there is taken, {",
        ),
    ] {
        fs::write(at.join("shop.toml"), toml.replacen(from, to, 1)).expect("a file");
        let query = ["--max-bad", "100", "--query", "hourly_transactions"];
        fail(2, &[&["run", "--config", &config][..], &query].concat(), &[says]);
    }
}

const PAID: &str = "transaction_time,transaction_id,order_id,refers_to,user_id,item_id,amount,status\n\
                    2024-01-01 10:00:00,t1,o1,,ann,lamp,100.00,captured\n";

/// Columns of the first row of a view, by their names.
fn cells(export: &Export, query: &str, columns: &str) -> String {
    let loaded = export.view(query);
    let text = fs::read_to_string(export.at.join(format!("out/{query}.csv"))).expect("the view");
    let names: Vec<&str> = text.lines().next().expect("a header").split(',').collect();
    let row: Vec<&str> = loaded.rows.first().expect("a row").split(',').collect();
    let cell = |name: &str| row[names.iter().position(|n| *n == name).expect(name)];
    columns.split(' ').map(cell).collect::<Vec<_>>().join(" ")
}

#[test]
fn thirty_of_a_hundred_given_back_are_thirty_in_all_views_that_tell_money() {
    let refunds = [
        ("same", "t1,o1,,ann,lamp,30.00,refunded"),
        ("refers", "r1,,t1,ann,,30.00,refunded"),
        ("order", "r1,o1,,ann,,30.00,refunded"),
        ("negative", "r1,,o1,ann,lamp,-30.00,captured"),
    ];
    for (name, refund) in refunds {
        for day in ["2024-01-01 12:00:00", "2024-02-11 12:00:00"] {
            let text = format!("{PAID}{day},{refund}\n");
            let export = Export::new(&format!("thirty-{name}"), "transactions", &text, &[]);
            let says = |query: &str, columns: &str, want: &str| {
                assert_eq!(cells(&export, query, columns), want, "{name} {day} {query}");
            };
            says("hourly_transactions", "count gmv refunded amount_sum", "1 100.00 30.00 70.00");
            let columns = "payments orders gmv refunded refunded_amount net";
            says("merchant_health", columns, "1 1 100.00 1 30.00 70.00");
            says("top_items_hourly", "item_id revenue", "lamp 70.00");
            says("transactions_by_hour_of_day", "hour_of_day count amount_sum", "10 1 70.00");
            says("rfm_segments", "orders amount", "1 70.00");
            let ads = directory("exports-thirty-ads").join("ads.csv");
            fs::write(
                &ads,
                "time,event,user_id,campaign_id,cost\n2024-01-01 09:00:00,click,ann,spring,1.00\n",
            )
            .expect("a file");
            let source = format!("ads={}", ads.display());
            let more = ["--source", &source];
            let export = Export::new(&format!("thirty-{name}"), "transactions", &text, &more);
            assert_eq!(cells(&export, "attribution", "conversions linear_micros"), "1 7000000000");
            let hours = export.view("campaign_hourly").rows.concat();
            assert!(hours.contains(",70.00,"), "{hours}");
        }
    }
}

#[test]
fn a_chargeback_after_46_days_does_not_count_the_sale_twice() {
    let text = format!("{PAID}2024-02-16 10:00:00,t1,o1,,ann,lamp,100.00,chargeback\n");
    let export = Export::new("dispute", "transactions", &text, &[]);
    let days = export.view("merchant_health");
    assert_eq!((days.column(0).len(), days.column(1)), (2, vec!["1", "0"]));
    let columns = "payments gmv charged_back charged_back_amount net net_booked";
    assert_eq!(cells(&export, "merchant_health", columns), "1 100.00 1 100.00 0.00 100.00");
    let hours = export.view("hourly_transactions");
    assert_eq!((hours.column(0), hours.column(1)), (vec!["2024-01-01T10:00:00Z"], vec!["1"]));
}

#[test]
fn cases_of_refunds_come_to_what_they_should() {
    let paid = "transaction_time,transaction_id,order_id,amount,status\n";
    // A negative amount.
    let text = format!(
        "{paid}2024-01-01 10:00:00,t1,o1,100.00,captured\n2024-01-01 11:00:00,r1,o1,-30.00,refunded\n"
    );
    let export = Export::new("case-02", "transactions", &text, &[]);
    let money = "gmv refunded_amount net";
    assert_eq!(cells(&export, "merchant_health", money), "100.00 30.00 70.00");
    // An id of its own, and the order of the sale.
    let text = text.replace("-30.00", "100.00");
    let export = Export::new("case-03", "transactions", &text, &[]);
    assert_eq!(cells(&export, "merchant_health", money), "100.00 100.00 0.00");
    assert_eq!(cells(&export, "merchant_health", "payments"), "1");
    assert_eq!(export.view("hourly_transactions").rows, [""; 0]);
    // More than a month later: January is empty, and there are two payments.
    let text = "transaction_time,transaction_id,amount,status\n2024-01-01 10:00:00,t1,100.00,captured\n\
                2024-02-15 10:00:00,t2,5.00,captured\n2024-02-15 11:00:00,t1,100.00,refunded\n";
    let export = Export::new("case-04", "transactions", text, &[]);
    let hours = export.view("hourly_transactions");
    assert_eq!((hours.column(0), hours.column(2)), (vec!["2024-02-15T10:00:00Z"], vec!["5.00"]));
    assert_eq!(export.view("merchant_health").column(1), ["1", "1"]);
    // Lines of one invoice.
    let text = "invoice,item,when,amount\n1,a,2024-01-01 10:00:00,5.00\n\
                1,b,2024-01-01 10:00:00,7.00\n1,c,2024-01-01 10:00:00,9.00\n";
    let maps = [
        "--map",
        "transactions.transaction_time=when",
        "--map",
        "transactions.transaction_id=invoice",
    ];
    let export = Export::new("case-05", "transactions", text, &maps);
    let said = export.view("hourly_transactions").said;
    assert!(said.contains("have the id and the time of another"), "{said}");
    let lines = [&maps[..], &["--map", "transactions.line_id=item"]].concat();
    let export = Export::new("case-05", "transactions", text, &lines);
    assert_eq!(cells(&export, "hourly_transactions", "count amount_sum"), "3 21.00");
}

#[test]
fn a_run_that_fails_leaves_no_view() {
    let at = directory("exports-partial");
    let path = |name: &str| at.join(name).display().to_string();
    let mut text = String::from("delivery_time,cost\n");
    (0..9).for_each(|_| text += "2024-01-01 10:00:00,1.00\n");
    fs::write(at.join("in.csv"), format!("{text}never,1.00\n")).expect("a file");
    let source = format!("logistics={}", path("in.csv"));
    let (csv, log) = (format!("csv:{}", path("csv")), format!("jsonl:{}", path("log")));
    let (plot, tables) = (format!("plot:{}", path("plot")), format!("sqlite:{}", path("shop.db")));
    let args = ["run", "--source", &source, "--query", "hourly_logistics", "--sink", &csv];
    let more = ["--sink", &log, "--sink", &plot, "--sink", &tables];
    fail(1, &[&args[..], &more].concat(), &["1 of 10 records are bad, more than --max-bad 5%"]);
    for directory in ["csv", "log", "plot"] {
        let left = fs::read_dir(at.join(directory)).into_iter().flatten().flatten();
        let names: Vec<String> =
            left.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        assert!(names.iter().all(|name| name == "dead_letters.jsonl"), "{directory}: {names:?}");
    }
    assert!(!at.join("shop.db").exists(), "no table");
}
