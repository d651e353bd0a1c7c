//! From a CSV file to hourly views, against the hand-written loop on the same file.
//!
//! Each measurement is a process of its own, so that its processor time and peak memory are its
//! own. The variants take turns, and what counts is the median of the ratios to the hand loop of
//! the same round; the spread is printed beside it. Every run's results are checked against the
//! hand loop's before it counts.
//!
//! `cargo bench --bench throughput -- [ROWS [ROUNDS [FILE]]]` (20 million, 5, target/bench/…).

#[path = "support/hand.rs"]
mod hand;
#[path = "support/sample.rs"]
mod sample;

use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::Instant;
use tidemill::clock::{Tick, Time};
use tidemill::event::transactions::{AMOUNT, STATUS};
use tidemill::monoid::Moments;
use tidemill::operator::Collection;
use tidemill::plan::{Cleaning, Job, Queries, Running};
use tidemill::queries::sales::hourly_transactions::HourlyTransactions;
use tidemill::queries::sales::top_items_hourly::TopItemsHourly;
use tidemill::query::{AnyQuery, History, Inputs, Query};
use tidemill::sink::Spec;
use tidemill::value::{Hour, Money, Quotient, Real};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

tidemill::record! {
    /// `hourly_transactions` without the median.
    pub struct Output {
        keys { hour: Hour }
        values {
            count: i64,
            amount_sum: Option<Money>,
            amount_mean: Option<Quotient<1>>,
            amount_variance: Option<Real<2>>,
        }
    }
}

/// `hourly_transactions` without the median.
struct HourlyMoments;

impl Query for HourlyMoments {
    type Output = Output;
    fn name(&self) -> &'static str {
        "hourly_moments"
    }
    fn about(&self) -> &'static str {
        "count, sum, mean and variance by hour"
    }
    fn dataflow<'s>(&self, inputs: &Inputs<'s>) -> Collection<'s, Output> {
        inputs.transactions(&[AMOUNT, STATUS.optional()]).aggregate(
            "HourlyMoments",
            |sale| (sale.is_sale() && sale.amount().is_some()).then(|| sale.hour()),
            |moments: &mut Moments, sale, diff| {
                if let Some(Money(amount)) = sale.amount() {
                    moments.add(amount, diff);
                }
            },
            |&hour, moments: &Moments| {
                (moments.count() > 0).then(|| Output {
                    hour,
                    count: moments.count(),
                    amount_sum: Money::of(moments.sum()),
                    amount_mean: moments.sum().and_then(|sum| Quotient::of(sum, moments.count())),
                    amount_variance: moments.sample_variance().map(Real),
                })
            },
        )
    }
    fn answer(&self, _: &History, _: Time) -> Vec<Output> {
        Vec::new() // checked against the hand loop instead
    }
}

/// Runs a query over the file and gives its view as CSV lines.
fn engine(path: &str, view: &str, workers: u16, tick: Option<Tick>) -> Vec<String> {
    let query: Arc<dyn AnyQuery> = match view {
        "top_items_hourly" => Arc::new(TopItemsHourly::default()),
        "hourly_transactions" => Arc::new(HourlyTransactions),
        _ => Arc::new(HourlyMoments),
    };
    let (name, out) = (query.name(), format!("tidemill-bench-{}", std::process::id()));
    let out = std::env::temp_dir().join(out);
    let job = Job {
        queries: Queries::These(vec![query]),
        sinks: vec![Spec::Csv(out.clone())],
        cleaning: Cleaning { max_bad: 0.0, ..Cleaning::default() },
        running: Running {
            workers: Some(workers),
            tick: Some(tick.unwrap_or(Tick::DAY)),
            ..Running::default()
        },
        ..Job::over([format!("transactions={path}")]).expect("the sample file")
    };
    job.run().expect("the run succeeds");
    let text = std::fs::read_to_string(out.join(format!("{name}.csv"))).expect("the view");
    std::fs::remove_dir_all(out).expect("it can be removed");
    text.lines().skip(1).map(str::to_string).collect()
}

/// The hand loop's results in the form of the view's lines, with the numbers apart.
fn by_hand(path: &str, view: &str) -> Vec<Vec<f64>> {
    if view == "top_items_hourly" {
        let best = hand::top_items(path).expect("the file").into_iter();
        return best.map(|(_, item, sum)| vec![item as f64, sum as f64 / 100.0]).collect();
    }
    let median = view == "hourly_transactions";
    let mut hours: Vec<_> = hand::by_hour(path, median).expect("the file").into_iter().collect();
    hours.sort_by_key(|(hour, _)| *hour);
    let numbers = |(_, mut hour): (i64, hand::Hour)| {
        let mut row = vec![hour.count as f64, hour.sum as f64 / 100.0, hour.mean() / 100.0];
        if median {
            row.push(hour.median() / 100.0);
        }
        row.push(hour.variance() / 1e4);
        row
    };
    hours.into_iter().map(numbers).collect()
}

/// One measurement: wall seconds, processor seconds, peak MB, and a sum over the results.
fn child(variant: &str, path: &str) {
    let (what, view) = variant.rsplit_once('/').expect("variant/view");
    let began = Instant::now();
    let rows: Vec<Vec<f64>> = match what {
        "hand" => by_hand(path, view),
        _ => {
            let (workers, tick) = what.split_once('x').unwrap_or((what, ""));
            let tick = (tick == "minute").then_some(Tick::MINUTE);
            let lines = engine(path, view, workers.parse().expect("a number"), tick);
            let numbers = |line: &String| {
                let cells: Vec<f64> =
                    line.split(',').skip(1).map(|c| c.parse().unwrap_or(f64::NAN)).collect();
                match view {
                    "top_items_hourly" => cells[1..].to_vec(),
                    "hourly_transactions" => cells[..5].to_vec(),
                    _ => cells[..4].to_vec(),
                }
            };
            lines.iter().map(numbers).collect()
        }
    };
    let wall = began.elapsed().as_secs_f64();
    let check: f64 = rows.iter().flatten().sum();
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|l| l.strip_prefix("VmHWM:")?.trim().split(' ').next());
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
    let ticks = |i: usize| fields.get(i).and_then(|t| t.parse::<f64>().ok()).unwrap_or(0.0);
    let cpu = (ticks(11) + ticks(12)) / 100.0;
    let peak = peak.and_then(|kb| kb.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0;
    println!("{wall} {cpu} {peak} {} {check}", rows.len());
}

struct Measured {
    wall: f64,
    cpu: f64,
    peak: f64,
    hours: f64,
    check: f64,
}

fn measure(variant: &str, path: &str) -> Measured {
    let program = std::env::current_exe().expect("this program");
    let output =
        Command::new(program).args(["--child", variant, path]).output().expect("it starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout);
    let n: Vec<f64> = text.split_whitespace().filter_map(|x| x.parse().ok()).collect();
    Measured { wall: n[0], cpu: n[1], peak: n[2], hours: n[3], check: n[4] }
}

fn spread(mut ratios: Vec<f64>) -> String {
    ratios.sort_by(f64::total_cmp);
    let median = ratios[ratios.len() / 2];
    format!("{median:.2} ({:.2} to {:.2})", ratios[0], ratios[ratios.len() - 1])
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    if let [flag, variant, path] = args.as_slice()
        && flag == "--child"
    {
        child(variant, path);
        return ExitCode::SUCCESS;
    }
    let number =
        |i: usize, default: u64| args.get(i).and_then(|a| a.parse().ok()).unwrap_or(default);
    let (rows, rounds) = (number(0, 20_000_000), number(1, 5));
    let made = PathBuf::from(format!("target/bench/transactions-{rows}.csv"));
    let path = args.get(2).map(PathBuf::from).unwrap_or(made);
    sample::transactions(&path, rows).expect("the sample file can be written");
    let path = path.to_str().expect("UTF-8");
    let bytes = std::fs::metadata(path).expect("the file").len();
    println!(
        "{path}: {:.0} MB; ratios to the hand loop, median of {rounds} (least to most)",
        bytes as f64 / 1e6
    );
    println!("| view | engine | hand s | s | CPU ratio | wall ratio | peak MB |");
    println!("|---|---|---|---|---|---|---|");
    for view in ["without the median", "hourly_transactions", "top_items_hourly"] {
        let variants = ["1", "2", "1xminute", "2xminute"];
        let mut all: Vec<Vec<(Measured, f64, f64)>> = variants.iter().map(|_| Vec::new()).collect();
        for _ in 0..rounds {
            let hand = measure(&format!("hand/{view}"), path);
            for (variant, results) in variants.iter().zip(&mut all) {
                let got = measure(&format!("{variant}/{view}"), path);
                let wrong = (got.check - hand.check).abs() > 1e-9 * hand.check.abs();
                assert!(!wrong && got.hours == hand.hours, "{variant}: other results");
                let (wall, cpu) = (got.wall / hand.wall, got.cpu / hand.cpu);
                results.push((got, wall, cpu));
                results.last_mut().expect("just pushed").0.hours = hand.wall;
            }
        }
        for (variant, results) in variants.iter().zip(all) {
            let middle = |f: &dyn Fn(&(Measured, f64, f64)) -> f64| {
                let mut xs: Vec<f64> = results.iter().map(f).collect();
                xs.sort_by(f64::total_cmp);
                xs[xs.len() / 2]
            };
            let (workers, tick) = variant.split_once('x').unwrap_or((variant, "day"));
            println!(
                "| {} | {workers} worker(s), tick of a {tick} | {:.2} | {:.2} | {} | {} | {:.0} |",
                view,
                middle(&|r| r.0.hours),
                middle(&|r| r.0.wall),
                spread(results.iter().map(|r| r.2).collect()),
                spread(results.iter().map(|r| r.1).collect()),
                middle(&|r| r.0.peak),
            );
        }
    }
    ExitCode::SUCCESS
}
