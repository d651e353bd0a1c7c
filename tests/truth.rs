//! What a view may depend on: its records and its parameters. Not on the tick, the sinks that
//! watch, the other queries of the run, the number of workers, or the order in which records of one
//! id come.

#[path = "support/program.rs"]
mod program;

use program::{directory, run, succeed};
use std::fs;
use std::path::Path;

/// Writes files and runs the program over them; gives the rows of a view, without the header, and
/// what was said.
fn view(name: &str, files: &[(&str, &str)], query: &str, more: &[&str]) -> (Vec<String>, String) {
    let home = directory(&format!("truth-{name}"));
    let sink = format!("csv:{}", home.join("out").display());
    let mut args: Vec<String> = ["run", "--query", query, "--sink", &sink].map(Into::into).into();
    for (i, (stream, text)) in files.iter().enumerate() {
        let path = home.join(format!("{i}.csv"));
        fs::write(&path, text).expect("a file");
        args.extend(["--source".into(), format!("{stream}={}", path.display())]);
    }
    args.extend(more.iter().map(|arg| arg.replace("HOME", &home.display().to_string())));
    let output = run(&args.iter().map(String::as_str).collect::<Vec<_>>());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    (rows(&home.join("out"), query.split(',').next().unwrap_or(query)), said)
}

fn rows(out: &Path, query: &str) -> Vec<String> {
    let text = fs::read_to_string(out.join(format!("{query}.csv"))).expect("a view");
    text.lines().skip(1).map(String::from).collect()
}

/// What must not matter.
const WAYS: &[&[&str]] = &[
    &[],
    &["--tick", "1m"],
    &["--tick", "1h", "--workers", "3"],
    &["--tick", "1d", "--workers", "2"],
    &["--tick", "7ms", "--workers", "1"],
    &["--sink", "jsonl:HOME/log"],
];

fn always(name: &str, files: &[(&str, &str)], query: &str, more: &[&str], want: &[&str]) {
    for (i, way) in WAYS.iter().enumerate() {
        let (rows, said) = view(&format!("{name}-{i}"), files, query, &[way, more].concat());
        let starts = rows.iter().zip(want).all(|(row, want)| row.starts_with(want));
        assert!(rows.len() == want.len() && starts, "{name} {way:?}: {rows:?}, {said}");
    }
}

const PAID: &str = "transaction_time,transaction_id,amount,status\n";

#[test]
fn a_refund_in_another_file_takes_its_sale_back_whoever_watches() {
    let refunds = format!("{PAID}2026-03-02T14:00:00Z,t1,50.00,refunded\n");
    let sales = format!(
        "{PAID}2026-03-02T10:00:00Z,t1,50.00,captured\n2026-03-02T15:00:00Z,t2,7.00,captured\n"
    );
    let want = ["2026-03-02T15:00:00Z,1,7.00"];
    for files in [[&refunds, &sales], [&sales, &refunds]] {
        let files = files.map(|text| ("transactions", text.as_str()));
        always("files", &files, "hourly_transactions", &[], &want);
    }
}

#[test]
fn what_is_delivered_again_or_late_does_not_undo_what_is_newer() {
    let again = format!(
        "{PAID}2026-03-02T10:00:00Z,t1,50.00,captured\n2026-03-02T14:00:00Z,t1,50.00,refunded\n\
         2026-03-02T10:00:00Z,t1,50.00,captured\n"
    );
    always("again", &[("transactions", &again)], "hourly_transactions", &[], &[]);
    let (_, said) = view("told", &[("transactions", &again)], "hourly_transactions", &[]);
    assert!(said.contains("1 with a known id"), "{said}");
    let (_, said) = view("told", &[("transactions", &again)], "velocity", &[]);
    assert!(said.contains("1 record older than a known one of its id"), "{said}");
    let scans = "delivery_time,shipment_id,cost,status\n2026-03-02T12:00:00Z,s1,5.00,Delivered\n\
                 2026-03-02T09:00:00Z,s1,5.00,OutForDelivery\n";
    let want = ["2026-03-02T12:00:00Z,1,5.00"];
    always("scan", &[("logistics", scans)], "hourly_logistics", &[], &want);
}

#[test]
fn a_version_decides_before_the_event_time() {
    let versions = "transaction_time,transaction_id,amount,status,version\n\
                    2026-03-02T10:00:00Z,t1,1.00,captured,2\n\
                    2026-03-02T12:00:00Z,t1,2.00,captured,1\n\
                    2026-03-02T13:00:00Z,t1,3.00,captured,\n";
    let want = ["2026-03-02T10:00:00Z,1,1.00"];
    always("version", &[("transactions", versions)], "hourly_transactions", &[], &want);
}

#[test]
fn the_oldest_holds_where_later_ones_are_ignored_and_none_where_all_are_kept() {
    // The older sale comes last.
    let sales = format!(
        "{PAID}2026-03-02T12:00:00Z,t1,2.00,captured\n2026-03-02T10:00:00Z,t1,1.00,captured\n"
    );
    let files = [("transactions", sales.as_str())];
    let first = ["2026-03-02T10:00:00Z,1,1.00"];
    always("ignore", &files, "hourly_transactions", &["--on-duplicate", "ignore"], &first);
    // The refund takes back the sale just older than itself, although that comes after it.
    let late = format!(
        "{PAID}2026-03-02T12:00:00Z,t1,2.00,captured\n2026-03-02T11:00:00Z,t1,1.00,refunded\n\
         2026-03-02T10:00:00Z,t1,1.00,captured\n"
    );
    let files = [("transactions", late.as_str())];
    let want = ["2026-03-02T12:00:00Z,1,2.00"];
    always("keep", &files, "hourly_transactions", &["--on-duplicate", "keep"], &want);
}

#[test]
fn ids_are_forgotten_by_the_clock_and_not_by_the_tick_or_the_companions() {
    let twice = format!(
        "{PAID}2026-01-01T10:00:00Z,t1,50.00,captured\n2026-01-01T15:00:00Z,t1,50.00,captured\n"
    );
    let files = [("transactions", twice.as_str())];
    let hour = ["--dedupe-hours", "1"];
    let want = ["2026-01-01T10:00:00Z,1,50.00", "2026-01-01T15:00:00Z,1,50.00"];
    for query in ["hourly_transactions", "hourly_transactions,risk_decisions_at_time"] {
        always("forgotten", &files, query, &hour, &want);
    }
    // A refund whose sale was forgotten, or never came, is told; one that found its sale is not. So
    // is what else comes of a forgotten sale.
    const TOLD: &str = "1 refund, cancellation or chargeback without its sale";
    for status in ["refunded", "cancelled", "chargeback"] {
        let late =
            twice.replace("15:00:00Z,t1,50.00,captured", &format!("15:00:00Z,t1,50.00,{status}"));
        let files = [("transactions", late.as_str())];
        let (_, said) = view("unpaired", &files, "velocity", &hour);
        assert!(said.contains(TOLD), "{status}: {said}");
        // The ledger finds it for as long as that is not final.
        let (rows, said) = view("paired", &files, "hourly_transactions,velocity", &hour);
        assert_eq!(rows.is_empty(), status != "chargeback", "{status}: {rows:?}");
        assert!(!said.contains("without its sale"), "{status}: {said}");
        let never = late.replace("15:00:00Z,t1,", "15:00:00Z,t2,");
        let files = [("transactions", never.as_str())];
        let (_, said) = view("never", &files, "merchant_health,velocity", &["-w", "3"]);
        assert!(said.contains(TOLD), "{status}: {said}");
    }
}

#[test]
fn a_record_far_ahead_does_not_make_sales_forgotten() {
    let ahead = format!(
        "{PAID}2026-01-01T10:00:00Z,t1,50.00,captured\n2026-11-30T00:00:00Z,t2,1.00,captured\n\
         2026-01-01T11:00:00Z,t1,50.00,refunded\n"
    );
    let want = ["2026-11-30T00:00:00Z,1,1.00"];
    always("ahead", &[("transactions", &ahead)], "hourly_transactions", &[], &want);
}

#[test]
fn a_payment_counts_once_however_late_it_is_refunded() {
    let late = format!(
        "{PAID}2026-01-01T10:00:00Z,t1,50.00,captured\n2026-02-01T10:00:00Z,t1,50.00,refunded\n"
    );
    // On the day of the sale; the refund is booked on its own.
    let want = ["2026-01-01T00:00:00Z,1,1,50.00,50,1,50.00,", "2026-02-01T00:00:00Z,0,0,0.00,,0,"];
    always("once", &[("transactions", &late)], "merchant_health", &[], &want);
}

#[test]
fn time_passes_for_a_query_with_the_streams_it_reads() {
    let shop = "visit_time,user_id,session_id,event,item_id,page_views,orders\n\
                2026-01-05T10:00:00Z,u1,s1,add_to_cart,i1,0,0\n\
                2026-01-05T10:05:00Z,u1,s1,page_view,,1,0\n";
    let paid = format!(
        "{PAID}2026-01-05T10:00:00Z,t1,50.00,captured\n2026-01-05T23:00:00Z,t2,1.00,captured\n"
    );
    let files = [("behavior", shop), ("transactions", paid.as_str())];
    let (alone, _) =
        view("alone", &files, "cart_abandonment", &["--set", "cart_abandonment.after=1h"]);
    let queries = "cart_abandonment,hourly_transactions";
    let (beside, _) = view("companion", &files, queries, &["--set", "cart_abandonment.after=1h"]);
    assert_eq!(alone, beside);
    // The hour comes once the stream itself has gone on for so long.
    let later = format!("{shop}2026-01-05T12:00:00Z,u2,s2,page_view,,1,0\n");
    let files = [("behavior", later.as_str()), files[1]];
    let (later, _) = view("later", &files, queries, &["--set", "cart_abandonment.after=1h"]);
    assert!(alone.is_empty() && later.len() == 1, "{alone:?} {later:?}");
}

#[test]
fn an_ad_without_an_event_costs_what_it_costs_in_its_hour() {
    let ads = "time,event,user_id,campaign_id,creative_id,cost\n\
               2026-03-02T09:00:00Z,,ann,spring,a,0.50\n\
               2026-03-02T10:00:00Z,,ann,spring,a,0.50\n\
               2026-03-02T10:30:00Z,impression,ann,spring,a,0.25\n";
    let files =
        [("ads", ads), ("transactions", "transaction_time,transaction_id,user_id,amount\n")];
    let (rows, _) = view("spend", &files, "campaign_hourly", &[]);
    let spend: Vec<Option<&str>> = rows.iter().map(|row| row.split(',').nth(5)).collect();
    assert_eq!(spend, [Some("0.50"), Some("0.75")], "{rows:?}");
}

#[test]
fn a_recording_gives_the_same_views_as_its_files() {
    let again = format!(
        "{PAID}2026-03-02T10:00:00Z,t1,50.00,captured\n2026-03-02T14:00:00Z,t1,50.00,refunded\n\
         2026-03-02T10:00:00Z,t1,50.00,captured\n2026-03-02T12:00:30Z,t3,9.00,captured\n"
    );
    let files = [("transactions", again.as_str())];
    let (want, _) = view("recorded", &files, "hourly_transactions", &["--tick", "1m"]);
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("truth-recorded");
    let path = |name: &str| home.join(name).display().to_string();
    let source = format!("transactions={}", path("0.csv"));
    succeed(&["record", "--source", &source, "--out", &path("r.tide"), "--tick", "1m"]);
    let sink = format!("csv:{}", path("again"));
    succeed(&[
        "run",
        "-q",
        "--source",
        &path("r.tide"),
        "--query",
        "hourly_transactions",
        "--sink",
        &sink,
    ]);
    assert_eq!(rows(&home.join("again"), "hourly_transactions"), want);
}

const CHANGES: &str = "transaction_time,transaction_id,order_id,amount,_diff\n";

fn changes(rows: &[&str]) -> String {
    let rows = rows.iter().map(|row| format!("2026-03-02T10:00:00Z,{row}\n"));
    CHANGES.to_owned() + &rows.collect::<String>()
}

#[test]
fn what_is_taken_back_without_having_come_is_counted_and_no_view_shows_it() {
    let told = "of what never came";
    let one = ["2026-03-02T10:00:00Z,1,5.00"];
    let (came, gone) = ("t1,o1,5.00,1", "t1,o1,5.00,-1");
    // Each with the rows of the view, and how many retractions are told.
    type Case<'a> = (&'a str, Vec<Vec<&'a str>>, &'a [&'a str], u64);
    let cases: &[Case] = &[
        ("alone", vec![vec![gone]], &[], 1),
        ("later", vec![vec![gone, came]], &[], 0),
        ("later-twice", vec![vec![gone, came, came]], &one, 0),
        ("twice", vec![vec![came, gone, gone, came]], &[], 0),
        ("net", vec![vec!["t1,o1,5.00,-3", "t1,o1,5.00,2"]], &[], 1),
        ("beside", vec![vec!["t2,o2,7.00,-1", came]], &one, 1),
        ("files", vec![vec![gone], vec![came]], &[], 0),
        ("files-back", vec![vec![came], vec![gone, gone]], &[], 1),
        // No query of the run reads the order, by which these two differ.
        ("other", vec![vec![came, "t1,o2,5.00,-1"]], &one, 1),
    ];
    for (name, files, want, count) in cases {
        let files: Vec<String> = files.iter().map(|rows| changes(rows)).collect();
        let files: Vec<_> = files.iter().map(|text| ("transactions", text.as_str())).collect();
        let name = format!("never-came-{name}");
        always(&name, &files, "hourly_transactions", &[], want);
        let (_, said) = view(&name, &files, "hourly_transactions", &["--workers", "2"]);
        let wanted = format!("{count} retraction{} {told}", if *count == 1 { "" } else { "s" });
        assert!(said.contains(told) == (*count > 0), "{name}: {said}");
        assert!(*count == 0 || said.contains(&wanted), "{name}: {said}");
        let (minutes, _) = view(&name, &files, "stream_health", &["--workers", "2"]);
        let unmatched = |row: &String| -> i64 {
            row.split(',').nth(5).expect("a column `unmatched`").parse().expect("a number")
        };
        assert_eq!(minutes.iter().map(unmatched).sum::<i64>(), *count as i64, "{minutes:?}");
    }
}

#[test]
fn no_view_has_a_customer_or_a_sale_that_was_only_taken_back() {
    let text = "transaction_time,transaction_id,user_id,order_id,item_id,amount,status,_diff\n\
                2026-03-02T10:00:00Z,t1,u1,o1,i1,5.00,captured,-1\n";
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("truth-no-customer");
    let (_, said) = view("no-customer", &[("transactions", text)], "hourly_transactions", &[]);
    assert!(said.contains("1 retraction of what never came"), "{said}");
    let source = format!("transactions={}", home.join("0.csv").display());
    let sink = format!("csv:{}", home.join("all").display());
    succeed(&["run", "-q", "--source", &source, "--sink", &sink]);
    let (mut views, mut shown) = (0, Vec::new());
    for file in fs::read_dir(home.join("all")).expect("views") {
        let path = file.expect("a view").path();
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        // What came is what the health of streams is about, and the summary of no sales is one row.
        if path.extension().is_some_and(|e| e == "csv") && name != "stream_health" {
            views += 1;
            let rows = rows(&home.join("all"), &name);
            if !rows.is_empty() {
                shown.push(format!("{name}: {rows:?}"));
            }
        }
    }
    assert!(views > 10 && shown.is_empty(), "{views} views, {shown:?}");
}

#[test]
fn a_change_log_leaves_its_siblings_to_be_made_unique() {
    let ordinary = format!(
        "{PAID}2026-03-02T10:00:00Z,t1,5.00,captured\n2026-03-02T10:30:00Z,t1,6.00,captured\n"
    );
    // The ids of a change log say nothing.
    let log = changes(&["t1,o1,1.00,1", "t1,o2,1.00,1", "t1,o2,1.00,-1"]);
    let want = ["2026-03-02T10:00:00Z,2,7.00"];
    for files in [[&ordinary, &log], [&log, &ordinary]] {
        let files = files.map(|text| ("transactions", text.as_str()));
        always("siblings", &files, "hourly_transactions", &[], &want);
    }
}

#[test]
fn a_recorded_change_log_is_one_still() {
    let text = changes(&["t1,o1,5.00,1", "t2,o2,7.00,-1", "t1,o1,5.00,1"]);
    let files = [("transactions", text.as_str())];
    let (want, _) = view("recorded-log", &files, "hourly_transactions", &["--tick", "1m"]);
    assert_eq!(want.len(), 1, "{want:?}");
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("truth-recorded-log");
    let path = |name: &str| home.join(name).display().to_string();
    let source = format!("transactions={}", path("0.csv"));
    succeed(&["record", "--source", &source, "--out", &path("r.tide"), "--tick", "1m"]);
    let (log, sink) = (path("r.tide"), format!("csv:{}", path("again")));
    let query = ["--query", "hourly_transactions", "--sink", &sink];
    let output = run(&[&["run", "--source", &log][..], &query].concat());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("1 retraction of what never came"), "{said}");
    assert_eq!(rows(&home.join("again"), "hourly_transactions"), want);
}

#[test]
fn what_is_due_or_recent_is_so_by_the_clock_and_not_by_the_tick() {
    const SEEN: &str = "visit_time,session_id,event,item_id,category\n";
    let cart = format!("{SEEN}2026-03-02T10:00:00Z,a,add_to_cart,lamp,home\n");
    let early = format!("{cart}2026-03-02T10:59:59Z,b,search,,\n");
    always("early", &[("behavior", &early)], "cart_abandonment", &[], &[]);
    let due = format!("{cart}2026-03-02T11:00:00Z,b,search,,\n");
    let left = [",a,2026-03-02T10:00:00Z"];
    always("due", &[("behavior", &due)], "cart_abandonment", &[], &left);
    let view = format!("{SEEN}2026-03-02T10:00:00Z,a,view_item,lamp,home\n");
    let still = format!("{view}2026-03-03T09:59:59Z,b,search,,\n");
    let row = ["home,1,lamp,1"];
    always("recent", &[("behavior", &still)], "trending_for_category", &[], &row);
    let gone = format!("{view}2026-03-03T10:00:00Z,b,search,,\n");
    always("gone", &[("behavior", &gone)], "trending_for_category", &[], &[]);
}

#[test]
fn a_tick_that_does_not_divide_the_hour_of_a_query_is_refused() {
    let scans = "delivery_time,shipment_id,carrier,region,status,ordered_time,promised_time\n\
                 2026-03-02T12:00:00Z,s1,dhl,north,InTransit,2026-03-01T12:00:00Z,2026-03-03T12:00:00Z\n\
                 2026-03-02T13:30:00Z,s1,dhl,north,InTransit,2026-03-01T12:00:00Z,2026-03-03T12:00:00Z\n";
    let home = directory("truth-coarse");
    let path = home.join("scans.csv");
    fs::write(&path, scans).expect("a file");
    let source = format!("logistics={}", path.display());
    let run = ["run", "-q", "--source", &source, "--query", "sla_watch", "--sink", "table"];
    for tick in ["1d", "7m"] {
        let says = ["sla_watch changes once in 1h", "--tick"];
        program::fail(2, &[&run[..], &["--tick", tick]].concat(), &says);
    }
    // The board of 13:00 is that of the scan at 12:00, also where a tick reaches beyond 13:30.
    let views: Vec<String> = ["1s", "1m", "30m", "1h"]
        .iter()
        .map(|tick| succeed(&[&run[..], &["--tick", tick]].concat()))
        .collect();
    assert!(views[0].contains("s1") && views[0].contains("1440"), "{}", views[0]);
    assert!(views.iter().all(|view| *view == views[0]), "{views:?}");
}

#[test]
fn of_two_records_of_one_age_the_one_read_later_by_the_clock_holds() {
    // The first file says it last: its clock stands at 12:00 then, that of the second at 11:00.
    let late = format!(
        "{PAID}2026-03-02T12:00:00Z,t2,7.00,captured\n2026-03-02T10:00:00Z,t1,1.00,captured\n"
    );
    let early = format!(
        "{PAID}2026-03-02T11:00:00Z,t3,8.00,captured\n2026-03-02T10:00:00Z,t1,2.00,captured\n"
    );
    let files = [("transactions", late.as_str()), ("transactions", early.as_str())];
    let want = ["2026-03-02T10:00:00Z,1,1.00", "2026-03-02T11", "2026-03-02T12"];
    always("later", &files, "hourly_transactions", &[], &want);
}

#[test]
fn an_id_is_forgotten_to_the_millisecond() {
    let hour = ["--dedupe-hours", "1"];
    let again = |at: &str| {
        format!("{PAID}2026-03-02T10:30:00Z,t1,5.00,captured\n2026-03-02T{at}Z,t1,7.00,captured\n")
    };
    let (in_time, too_late) = (again("11:30:00"), again("11:30:00.001"));
    let replaced = ["2026-03-02T11:00:00Z,1,7.00"];
    always("in-time", &[("transactions", &in_time)], "hourly_transactions", &hour, &replaced);
    let stands = ["2026-03-02T10:00:00Z,1,5.00", "2026-03-02T11:00:00Z,1,7.00"];
    always("too-late", &[("transactions", &too_late)], "hourly_transactions", &hour, &stands);
}

#[test]
fn time_passes_for_a_query_with_its_own_streams_whatever_runs_beside_it() {
    let home = directory("truth-own-streams");
    let (shop, sale) = (home.join("shop.csv"), home.join("sale.csv"));
    let visits = "visit_time,session_id,event,item_id,category\n\
                  2026-03-02T10:00:00Z,a,view_item,lamp,home\n\
                  2026-03-02T10:00:00Z,a,add_to_cart,lamp,home\n2026-03-02T10:30:00Z,b,search,,\n";
    fs::write(&shop, visits).expect("a file");
    let paid = "transaction_time,transaction_id,order_id,user_id,item_id,quantity,amount,card_id\n\
                2026-03-05T18:00:00Z,t1,o1,ann,lamp,1,5.00,c1\n";
    fs::write(&sale, paid).expect("a file");
    let sources = [("behavior", &shop), ("transactions", &sale)];
    let sources = sources.map(|(stream, path)| format!("{stream}={}", path.display()));
    let out = home.join("out");
    let sink = format!("csv:{}", out.display());
    for beside in ["", ",hourly_transactions", ",velocity", ",rfm_segments,risk_decisions_at_time"]
    {
        let query = format!("cart_abandonment,trending_for_category{beside}");
        let mut run = vec!["run", "-q", "--sink", &sink, "--query", &query];
        run.extend(sources.iter().flat_map(|source| ["--source", source]));
        succeed(&run);
        // Nothing says that it is later than 10:30 in the shop.
        assert_eq!(rows(&out, "cart_abandonment"), [""; 0], "{query}");
        assert_eq!(rows(&out, "trending_for_category"), ["home,1,lamp,1"], "{query}");
    }
}

#[test]
fn a_record_that_is_too_late_is_refused_at_the_door_and_told() {
    let text = format!(
        "{PAID}2026-03-20T10:00:00Z,t1,50.00,captured\n\
         2026-03-06T10:00:00Z,t2,7.00,captured\n\
         2026-03-06T09:59:59Z,t3,9.00,captured\n"
    );
    let files = [("transactions", text.as_str())];
    let bound = ["--lateness", "14d", "--dead-letters", "HOME/late.jsonl"];
    let (rows, said) = view("late", &files, "hourly_transactions", &bound);
    // Exactly fourteen days are not too late, a second more is; a third of the records is more than
    // --max-bad, but late is not bad.
    let hours: Vec<&str> = rows.iter().map(|row| &row[..16]).collect();
    assert_eq!(hours, ["2026-03-06T10:00", "2026-03-20T10:00"]);
    assert!(said.contains("0 bad"), "{said}");
    assert!(said.contains("1 record was late by more than --lateness"), "{said}");
    let letters = Path::new(env!("CARGO_TARGET_TMPDIR")).join("truth-late/late.jsonl");
    let letters = fs::read_to_string(letters).expect("the late record is kept");
    assert!(letters.contains("\"line\":4") && letters.contains("late: "), "{letters}");
    let (rows, said) = view("not-late", &files, "hourly_transactions", &[]);
    assert!(rows.len() == 3 && !said.contains("late"), "{said}");
}

#[test]
fn a_refund_of_a_sale_that_is_final_is_told_and_leaves_it() {
    let text = format!(
        "{PAID}2026-03-01T10:00:00Z,t1,50.00,captured\n2026-03-20T10:00:00Z,t1,50.00,refunded\n"
    );
    let files = [("transactions", text.as_str())];
    let (rows, _) = view("refund-in-time", &files, "hourly_transactions", &["--lateness", "20d"]);
    assert_eq!(rows.len(), 0);
    let (rows, said) =
        view("refund-too-late", &files, "hourly_transactions", &["--lateness", "14d"]);
    assert!(rows.len() == 1 && rows[0].starts_with("2026-03-01T10:00"), "{rows:?}");
    assert!(said.contains("1 refund, cancellation or chargeback without its sale"), "{said}");
}

#[test]
fn a_recording_is_not_judged_for_lateness_again() {
    let home = directory("truth-recording");
    let source = home.join("sales.csv");
    fs::write(&source, format!("{PAID}2026-03-20T10:00:00Z,t1,50.00,captured\n")).expect("a file");
    let (source, log) = (format!("transactions={}", source.display()), home.join("log.tide"));
    let log = log.display().to_string();
    succeed(&["record", "--source", &source, "--out", &log, "--lateness", "1d"]);
    let run = run(&["run", "--source", &log, "--source", &source, "--lateness", "1d"]);
    let said = String::from_utf8_lossy(&run.stderr).into_owned();
    assert_eq!(run.status.code(), Some(2), "{said}");
    assert!(said.contains("is a recording"), "{said}");
}
