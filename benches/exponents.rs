//! How the time of each query grows with its input, where the input is legal and unkind: all in one
//! session, one user, one shelf, one instant, newest first, late.
//!
//! `cargo bench --bench exponents -- [SIZE...] [NAME...] [--shape=NAME] [--limit=SECONDS] [--check]`
//! runs every query of the catalog (or those named) over so many records of each stream it reads, in
//! every shape (or one), with one worker and a tick of a minute. Times are of the dataflow alone, the
//! least of some runs where they are short. The exponent is that between the two largest sizes: 1 is
//! linear. A series that took longer than the limit at one size is not run at the next. `--check`
//! ends with 1 if an exponent is above 1.15, where the larger of the two times is long enough to be
//! told from noise. Where the view itself changes more often than in proportion to its records (see
//! [`GIVES_MORE`]) the time is judged against the changes.

#[path = "support/hostile.rs"]
mod hostile;

use hostile::{SHAPES, Shape};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tidemill::clock::Tick;
use tidemill::event::Stream;
use tidemill::lab::replay::{Recorded, watch};
use tidemill::operator::{Dedupe, OnDuplicate};
use tidemill::queries::catalog;
use tidemill::query::AnyQuery;
use tidemill::worker::reads;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const MOST: f64 = 1.15;
/// Shorter times are not judged.
const JUDGED: Duration = Duration::from_millis(200);
/// Up to here runs are repeated, and the least time counts.
const SHORT: Duration = Duration::from_millis(400);

/// Queries and shapes whose view has more than in proportion to say, and why.
const GIVES_MORE: &[(&str, &str, &str)] = &[
    ("sla_watch", "", "each full hour changes the elapsed minutes of every open parcel"),
    ("stock_outs", "late", "a late change changes what was on hand ever after"),
    ("attribution", "one-user", "a sale changes every campaign that its user met"),
];

struct Asked {
    sizes: Vec<usize>,
    names: Vec<String>,
    shape: Option<String>,
    limit: Duration,
    check: bool,
}

fn asked() -> Asked {
    let mut asked = Asked {
        sizes: Vec::new(),
        names: Vec::new(),
        shape: None,
        limit: Duration::from_secs(2),
        check: false,
    };
    for argument in std::env::args().skip(1) {
        if let Some(shape) = argument.strip_prefix("--shape=") {
            asked.shape = Some(shape.to_owned());
        } else if let Some(seconds) = argument.strip_prefix("--limit=") {
            asked.limit = Duration::from_secs_f64(seconds.parse().expect("--limit=SECONDS"));
        } else if argument == "--check" {
            asked.check = true;
        } else if let Ok(size) = argument.parse() {
            asked.sizes.push(size);
        } else if !argument.starts_with("--") {
            asked.names.push(argument);
        }
    }
    if asked.sizes.is_empty() {
        asked.sizes = vec![4_000, 32_000];
    }
    asked.sizes.sort_unstable();
    asked
}

/// One size of a series.
#[derive(Clone, Copy)]
struct Point {
    records: usize,
    changes: u64,
    time: Duration,
}

fn measure(query: &Arc<dyn AnyQuery>, recorded: &Recorded) -> Point {
    let queries = [Arc::clone(query)];
    let dedupe = Some(Dedupe { policy: OnDuplicate::Replace, keep: None, lateness: None });
    let records = recorded.iter().map(|(_, batch)| batch.len()).sum();
    let once = || {
        let changes = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&changes);
        let time = watch(&queries, recorded, dedupe, (Tick::MINUTE, 1), move |_, _| {
            count.fetch_add(1, Ordering::Relaxed);
        });
        let time = time.expect("one worker runs");
        Point { records, changes: changes.load(Ordering::Relaxed), time }
    };
    let mut best = once();
    let again = if best.time < SHORT { 3 } else { 0 };
    for _ in 0..again {
        let point = once();
        best = if point.time < best.time { point } else { best };
    }
    best
}

/// How fast `y` grows against `x`, as a power.
fn exponent(x: (f64, f64), y: (f64, f64)) -> f64 {
    (y.1 / y.0).ln() / (x.1 / x.0).ln()
}

struct Series {
    points: Vec<Point>,
    by_records: f64,
    by_changes: f64,
}

fn series(query: &Arc<dyn AnyQuery>, shape: &Shape, asked: &Asked) -> Series {
    let mut points: Vec<Point> = Vec::new();
    let streams: Vec<Stream> = reads(&**query).streams().collect();
    for size in &asked.sizes {
        let recorded = hostile::records(&streams, shape, *size, Tick::MINUTE);
        let point = measure(query, &recorded);
        points.push(point);
        if point.time > asked.limit {
            break;
        }
    }
    let (mut by_records, mut by_changes) = (f64::NAN, f64::NAN);
    if let [.., a, b] = points[..] {
        let times = (a.time.as_secs_f64(), b.time.as_secs_f64());
        let work = |p: Point| p.records as f64 + p.changes as f64;
        by_records = exponent((a.records as f64, b.records as f64), times);
        by_changes = exponent((work(a), work(b)), times);
    }
    Series { points, by_records, by_changes }
}

fn main() {
    let asked = asked();
    let began = Instant::now();
    let known: BTreeSet<&str> = SHAPES.iter().map(|shape| shape.name).collect();
    if let Some(shape) = asked.shape.as_deref().filter(|shape| !known.contains(shape)) {
        eprintln!("no shape {shape}; there are {known:?}");
        std::process::exit(2);
    }
    let sizes: Vec<String> = asked.sizes.iter().map(|n| format!("{n:>10}")).collect();
    println!("seconds at so many records of each stream; changes at the last size");
    println!("{:<24} {:<14} {}    changes  exponent", "query", "shape", sizes.join(" "));
    let mut above = 0;
    for (_, query) in catalog() {
        if !asked.names.is_empty() && !asked.names.iter().any(|name| name == query.name()) {
            continue;
        }
        for shape in SHAPES {
            if asked.shape.as_deref().is_some_and(|name| name != shape.name) {
                continue;
            }
            let more = GIVES_MORE.iter().find(|(name, of, _)| {
                *name == query.name() && (of.is_empty() || *of == shape.name)
            });
            let judged = |of: &Series| if more.is_some() { of.by_changes } else { of.by_records };
            let is_bad = |of: &Series| {
                let long = of.points.last().is_some_and(|last| last.time >= JUDGED);
                long && judged(of) > MOST
            };
            let mut measured = series(&query, shape, &asked);
            if is_bad(&measured) && measured.points.len() == asked.sizes.len() {
                // What was noise is not there again.
                let again = series(&query, shape, &asked);
                measured = if judged(&again) < judged(&measured) { again } else { measured };
            }
            let bad = is_bad(&measured);
            let Series { points, by_records, by_changes } = measured;
            let mut line = format!("{:<24} {:<14}", query.name(), shape.name);
            for i in 0..asked.sizes.len() {
                line += &match points.get(i) {
                    Some(point) => format!(" {:>10.3}", point.time.as_secs_f64()),
                    None => format!(" {:>10}", "-"),
                };
            }
            let Some(last) = points.last() else { continue };
            above += usize::from(bad);
            line += &format!(" {:>10}    {by_records:>6.2}", last.changes);
            if let Some((_, _, why)) = more {
                line += &format!(" ({by_changes:.2} against records and changes: {why})");
            }
            println!("{line}{}", if bad { "  <-- above 1.15" } else { "" });
        }
    }
    println!("{above} above {MOST}; {:.0} s", began.elapsed().as_secs_f64());
    if asked.check && above > 0 {
        std::process::exit(1);
    }
}
