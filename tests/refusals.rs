//! What is refused and how, and what happens to files.
//!
//! Each refusal is checked for the words a reader needs: what was wrong, where, what to do.

use std::fs;
use std::path::PathBuf;

use tidemill::plot::{PlotError, PlotOptions, Shape, Table, plot_csv, plot_table};

const HOUR: &str = "2026-01-31T13:00:00Z";

fn table(name: &str, csv: &str) -> Table {
    Table::from_reader(name, csv.as_bytes()).expect("the test's CSV is well formed")
}

#[test]
fn refusals_say_what_to_do() {
    let refused = |csv: &str, options: &PlotOptions| {
        let error = plot_table(&table("v", csv), options).expect_err("a refusal");
        error.to_string()
    };
    let default = PlotOptions::default();
    let with =
        |column: &str| PlotOptions { columns: vec![column.into()], ..PlotOptions::default() };
    let csv = "pair,n,r,who\na,1,2,x\n";
    let message = refused(csv, &with("who"));
    assert!(message.contains("`who`") && message.ends_with("n, r"), "{message}");
    assert!(refused("hour,n\n", &with("x")).ends_with("it has: n"));
    assert!(refused("a,b\nx,y\n", &default).contains("no numeric column"));
    assert!(refused("", &default).contains("no numeric column"));
    let message = refused(&format!("hour,n\n{},1\nyesterday,2\n", HOUR), &default);
    assert!(message.contains("data row 2") && message.contains("`yesterday`"), "{message}");
    assert!(refused("hour_of_day,n\n24,1\n", &default).contains("from 0 to 23"));
    let line = PlotOptions { kind: Some(Shape::Line), ..PlotOptions::default() };
    assert!(refused(csv, &line).contains("ask for bars"));
}

#[test]
fn files_are_replaced_whole_or_not_at_all() {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("pictures");
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).expect("a directory");
    let (view, picture) = (directory.join("hourly_sales.csv"), directory.join("p.svg"));
    let options = PlotOptions::default();
    let missing = plot_csv(&view, &picture, &options);
    assert!(matches!(missing, Err(PlotError::Open { .. })), "{missing:?}");

    fs::write(&view, format!("hour,n\n{HOUR},1\n")).expect("a view");
    plot_csv(&view, &picture, &options).expect("a picture");
    let first = fs::read_to_string(&picture).expect("the picture");
    assert!(first.contains("<title>hourly sales</title>"));
    let same = plot_csv(&view, &view, &options);
    assert!(matches!(same, Err(PlotError::SameFile { .. })), "{same:?}");
    let nowhere = plot_csv(&view, &directory.join("no/p.svg"), &options);
    assert!(matches!(nowhere, Err(PlotError::Write { .. })), "{nowhere:?}");

    fs::write(&view, "hour,n\nx,1,2\n").expect("a view");
    let ragged = plot_csv(&view, &picture, &options);
    assert!(matches!(ragged, Err(PlotError::Csv { .. })), "{ragged:?}");
    assert_eq!(fs::read_to_string(&picture).expect("the picture"), first);
    let left = fs::read_dir(&directory).expect("the directory").count();
    assert_eq!(left, 2, "no temporary file is left");
}
