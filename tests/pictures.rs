//! Properties every picture must have, checked on the parsed document.
//!
//! The checks know nothing of how pictures are laid out: they read back texts and paths, and judge
//! overlap by their own estimate of a character's width.

use std::fmt::Write;

use roxmltree::{Document, Node};
use tidemill::plot::{PlotOptions, Shape, Table, plot_table};

fn table(name: &str, csv: &str) -> Table {
    Table::from_reader(name, csv.as_bytes()).expect("the test's CSV is well formed")
}

fn draw(csv: &str) -> String {
    plot_table(&table("some_view", csv), &PlotOptions::default()).expect("a picture")
}

fn hour(index: u64) -> String {
    let (day, hour) = (index / 24, index % 24);
    let (year, rest) = (2001 + day / 336, day % 336);
    format!("{year}-{:02}-{:02}T{hour:02}:00:00Z", rest / 28 + 1, rest % 28 + 1)
}

fn of_class<'a>(document: &'a Document, class: &str) -> Vec<Node<'a, 'a>> {
    let nodes = document.descendants();
    nodes.filter(|n| n.attribute("class") == Some(class)).collect()
}

fn texts(document: &Document, class: &str) -> Vec<String> {
    let nodes = of_class(document, class);
    let text = |node: &Node| node.text().unwrap_or_default().to_owned();
    nodes.iter().map(text).collect()
}

fn paths(document: &Document, class: &str) -> String {
    let nodes = of_class(document, class);
    nodes.iter().filter_map(|n| n.attribute("d")).collect()
}

fn attribute(node: &Node, name: &str) -> f64 {
    node.attribute(name).and_then(|v| v.parse().ok()).expect(name)
}

/// Parses a picture and checks what holds for all of them.
fn checked(svg: &str) -> Document<'_> {
    let document = Document::parse(svg).expect("well-formed XML");
    let root = document.root_element();
    assert_eq!(root.tag_name().name(), "svg");
    assert_eq!(root.attribute("role"), Some("img"));
    assert!(root.attribute("aria-label").is_some());
    assert!(
        root.children()
            .any(|n| n.has_tag_name((root.tag_name().namespace().unwrap_or(""), "title")))
    );
    let known = ["svg", "title", "desc", "rect", "g", "text", "line", "path"];
    for node in document.descendants().filter(Node::is_element) {
        assert!(known.contains(&node.tag_name().name()), "{node:?}");
        for a in node.attributes() {
            assert!(!a.name().starts_with("on") && !a.name().ends_with("href"));
            assert!(!["NaN", "inf"].contains(&a.value()) || a.name() == "aria-label");
        }
    }
    for path in document.descendants().filter_map(|n| n.attribute("d")) {
        assert!(!path.contains("NaN") && !path.contains("inf"), "{path}");
    }
    let (width, height) = (attribute(&root, "width"), attribute(&root, "height"));
    let mut boxes = Vec::new();
    for node in document.descendants().filter(|n| n.tag_name().name() == "text") {
        let (left, right) = across(&node);
        let y = attribute(&node, "y");
        assert!(left >= 0.0 && right <= width && y <= height, "outside: {node:?} {left} {right}");
        boxes.push((left, right, y, attribute(&node, "font-size")));
    }
    for (i, a) in boxes.iter().enumerate() {
        for b in &boxes[i + 1..] {
            let apart = a.1 <= b.0 || b.1 <= a.0 || (a.2 - b.2).abs() >= a.3.min(b.3) * 0.9;
            assert!(apart, "overlap: {a:?} {b:?}");
        }
    }
    document
}

/// The left and right edge of a text at six tenths of its size per character.
fn across(node: &Node) -> (f64, f64) {
    let length = node.text().unwrap_or_default().chars().count() as f64;
    let wide = length * 0.6 * attribute(node, "font-size");
    let x = attribute(node, "x");
    match node.attribute("text-anchor") {
        Some("middle") => (x - wide / 2.0, x + wide / 2.0),
        Some("end") => (x - wide, x),
        _ => (x, x + wide),
    }
}

fn hourly(hours: impl Iterator<Item = u64>) -> String {
    let mut csv = "hour,count,amount_sum,amount_mean\n".to_owned();
    for i in hours {
        let count = 5 + (i * 7919) % 97;
        let _ =
            writeln!(csv, "{},{count},{}.25,{}", hour(i), count * 31, (i % 5) as f64 / 8.0 - 0.3);
    }
    csv
}

#[test]
fn one_panel_per_value_column_at_every_length_and_width() {
    for rows in [1, 2, 7, 25, 60, 200, 1000, 9000] {
        let table = table("v", &hourly(100..100 + rows));
        for width in [0, 320, 500, 960, 1600, u32::MAX] {
            for kind in [None, Some(Shape::Bar)] {
                let options = PlotOptions { width, kind, ..PlotOptions::default() };
                let svg = plot_table(&table, &options).expect("a picture");
                let document = checked(&svg);
                let names = ["count", "amount sum", "amount mean"];
                assert_eq!(texts(&document, "panel-title"), names);
                assert!(of_class(&document, "x-label").len() >= 2 || rows == 1 || width < 400);
            }
        }
    }
}

#[test]
fn missing_hours_and_values_break_the_line() {
    let svg = draw(&hourly([0, 1, 2, 5, 6, 9].into_iter()));
    let document = checked(&svg);
    assert_eq!(paths(&document, "line").matches('M').count(), 3 * 2);
    assert_eq!(paths(&document, "dots").matches('M').count(), 3);

    let (a, b, c) = (hour(0), hour(1), hour(2));
    let svg = draw(&format!("hour,n\n{a},1\n{b},\n{c},3\n"));
    let document = checked(&svg);
    assert_eq!(paths(&document, "line"), "");
    assert_eq!(paths(&document, "dots").matches('M').count(), 2);
}

#[test]
fn a_long_table_stays_small_and_keeps_its_extremes() {
    for kind in [Shape::Line, Shape::Bar] {
        let mut csv = "hour,a,b,c,d,e,f\n".to_owned();
        for i in 0..100_000u64 {
            let v = match i {
                43_210 => 900_000,
                77_777 => 100_000,
                _ => 400_000 + (i * 7919) % 1000,
            };
            let _ = writeln!(csv, "{},{v},{v},{v},{v},{v},{v}", hour(i));
        }
        let options = PlotOptions { kind: Some(kind), ..PlotOptions::default() };
        let svg = plot_table(&table("v", &csv), &options).expect("a picture");
        assert!(svg.len() < 300_000, "{kind:?}: {}", svg.len());
        let document = checked(&svg);
        if kind == Shape::Line {
            let labels = of_class(&document, "y-label");
            let y_of = |text: &str| {
                let found = labels.iter().find(|n| n.text() == Some(text));
                attribute(found.expect("a tick"), "y") - 4.0
            };
            let per_unit = (y_of("0") - y_of("0.50M")) / 5.0;
            for hundred_thousands in [9.0, 1.0] {
                let y = y_of("0") - hundred_thousands * per_unit;
                let line = paths(&document, "line");
                let values = line.split([' ', 'M']).filter_map(|v| v.parse::<f64>().ok());
                assert!(values.into_iter().any(|v| (v - y).abs() < 0.11), "{y}");
            }
        }
    }
}

#[test]
fn many_lines_stay_small_too() {
    let mut csv = "hour,carrier,a,b,c\n".to_owned();
    for i in 0..100_000u64 {
        let (at, v) = (hour(i / 10), (i * 7919) % 1009);
        let _ = writeln!(csv, "{at},c{},{v},{v},{v}", i % 10);
    }
    let svg = draw(&csv);
    assert!(svg.len() < 300_000, "{}", svg.len());
    let document = checked(&svg);
    assert_eq!(of_class(&document, "line").len(), 3 * 8);
}

#[test]
fn categories_get_a_line_each_or_the_largest_eight() {
    let mut csv = "hour,carrier,region,deliveries\n".to_owned();
    for (i, carrier, region) in
        (0..30).flat_map(|i| (0..5).flat_map(move |c| (0..2).map(move |r| (i, c, r))))
    {
        let _ = writeln!(csv, "{},c{carrier},r{region},{}", hour(i), carrier * 10 + region);
    }
    let svg = draw(&csv);
    let document = checked(&svg);
    let legend = texts(&document, "legend");
    assert_eq!((legend.len(), legend[0].as_str()), (8, "c4 / r1"));
    assert!(!legend.contains(&"c0 / r0".to_owned()));
    let subtitle = texts(&document, "subtitle").concat();
    assert!(subtitle.contains("top 8 of 10 carrier / region by total deliveries"), "{subtitle}");

    let few: String =
        csv.lines().filter(|l| !l.contains(",r1,")).map(|l| format!("{l}\n")).collect();
    let svg = draw(&few);
    let document = checked(&svg);
    assert_eq!(texts(&document, "legend").len(), 5);
    assert!(!texts(&document, "subtitle").concat().contains("top"));

    let twice = format!("hour,n\n{0},1\n{0},2\n", hour(3));
    assert!(draw(&twice).contains("some hours have more than one row"));
}

#[test]
fn bars_for_hours_of_the_day_and_for_names() {
    let svg = draw("hour_of_day,count,amount_sum\n0,5,50.5\n1,0,0\n22,9,\n23,1,4\n");
    let document = checked(&svg);
    assert_eq!(texts(&document, "x-label").len(), 24);
    // A zero is drawn, an empty cell is not.
    assert_eq!(paths(&document, "bars").matches('M').count(), 4 + 3);

    let mut csv = "pair,n,r\n".to_owned();
    for i in 0..100 {
        let _ = writeln!(csv, "pair number {i},{i},{}", (i % 9) as f64 / 4.5 - 0.9);
    }
    let svg = draw(&csv);
    let document = checked(&svg);
    let rows = texts(&document, "row-label");
    assert_eq!((rows.len(), rows[0].as_str()), (30, "pair number 99"));
    assert_eq!(texts(&document, "subtitle"), ["top 30 of 100 by n"]);

    let svg = draw("pair,n,r\na~b,3,\na~c,0,-0.5\n");
    let document = checked(&svg);
    assert_eq!(texts(&document, "value"), ["3", "0", "n/a", "\u{2212}0.5000"]);
}

#[test]
fn markup_in_data_stays_text() {
    let bad = "<script>alert('x')</script>";
    let quoted = "\"\"\"><g onload=\"\"x\"\">]]>&lt;\"";
    let name =
        format!("hour,carrier,{bad},{quoted}\n{},{bad},1,2\n{},{quoted},3,4\n", hour(0), hour(1));
    let keys = format!("{bad},{quoted}\n{bad},1\n{quoted},2\n\"\u{1}\u{202e}\n]]>\",3\n");
    for csv in [name, keys] {
        let options =
            PlotOptions { title: Some(format!("{bad}\"'&\u{0}")), ..PlotOptions::default() };
        let svg = plot_table(&table("v", &csv), &options).expect("a picture");
        let document = checked(&svg);
        assert!(!svg.contains("<script") && !svg.contains("<g onload"));
        let shown = document.descendants().filter_map(|n| n.text());
        assert!(shown.into_iter().any(|t| t.contains("<script>alert")));
    }
}

#[test]
fn no_rows_odd_values_and_constants() {
    let svg = draw("hour,count\n");
    assert_eq!(texts(&checked(&svg), "empty"), ["no rows yet"]);
    let svg = draw(&format!("hour,a,b\n{},7,\n", hour(0)));
    assert_eq!(texts(&checked(&svg), "empty"), ["no values"]);
    for value in ["0", "-3", "5e-324", "1e300", "-1e300", "1e308", "123456789.125", "NaN", "1e-200"]
    {
        for other in [value, "0", "-7.5", "1e300"] {
            let (a, b) = (hour(0), hour(1));
            for key in ["hour", "name"] {
                let (a, b) = if key == "hour" { (a.as_str(), b.as_str()) } else { ("a", "b") };
                let svg = draw(&format!("{key},v,w\n{a},{value},1\n{b},{other},2\n"));
                checked(&svg);
            }
        }
    }
}

#[test]
fn crowded_axes_give_up_labels() {
    // The first day's name would run into the second's for each of these starts.
    for start in 12..24 {
        for rows in [20, 40, 70] {
            checked(&draw(&hourly(start..start + rows)));
        }
    }
    for exponent in -9..24 {
        for (low, high, columns) in [(1, 9, "a,b"), (-4, 9, "a,b,c,d"), (-9, -2, "a,b,c,d")] {
            let row = |v: i32| format!(",{v}.37e{exponent}").repeat(columns.len() / 2 + 1);
            let csv = format!("pair,{columns}\nx{}\ny{}\n", row(low), row(high));
            for width in [320, 420, 660, 860] {
                let options = PlotOptions { width, ..PlotOptions::default() };
                checked(&plot_table(&table("v", &csv), &options).expect("a picture"));
            }
        }
    }
}
