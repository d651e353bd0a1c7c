//! `/metrics`: the run in figures, as Prometheus reads them.

use super::routes::App;
use crate::clock::Time;
use crate::lock::lock;
use crate::operator::memory::Size;
use crate::source::ENDED;
use std::fmt::Write;
use std::sync::atomic::Ordering;

/// A figure: its name, its kind, its meaning, and its values, each with its label.
struct Figure<'a> {
    name: &'a str,
    kind: &'a str,
    about: &'a str,
    values: Vec<(String, f64)>,
}

/// All figures.
pub fn write(app: &App) -> String {
    let (store, feeds, state) = (&app.store, &app.feeds, app.store.state());
    let one = |value: f64| vec![(String::new(), value)];
    let count = |number: u64| one(number as f64);
    let (bad, late) = (feeds.dead_letters.count(), feeds.late.load(Ordering::Relaxed));
    let views = store.views.iter().zip(&state.views);
    let rows = views.map(|(view, rows)| (label("view", view.name), rows.size() as f64)).collect();
    let open = feeds.partitions.iter().filter(|partition| partition.clock() != ENDED);
    let clocks: Vec<(String, i64)> = open
        .filter_map(|p| {
            let newest = p.newest()?;
            Some((labels(&[("source", &p.name), ("stream", p.stream.name())]), newest))
        })
        .collect();
    let newest = clocks.iter().map(|(_, clock)| *clock).max();
    let frontier = state.head.frontier.map(Time::signed);
    // At the end nothing is behind.
    let lag = newest.zip(frontier).map_or(0, |(newest, frontier)| (newest - frontier).max(0));
    let seconds = |millis: i64| millis as f64 / 1e3;
    // Of operators that remember nothing there is nothing to tell.
    let memory = lock(&store.memory).clone();
    let sizes = |size: fn(&Size) -> u64| {
        let kept = memory.iter().filter(|(_, size)| size.entries > 0);
        kept.map(|(name, of)| (labels(&[("operator", name), ("worker", "0")]), size(of) as f64))
            .collect()
    };
    let figures = [
        ("records_total", "counter", "Records read, good and bad.", count(feeds.records())),
        (
            "bytes_total",
            "counter",
            "Bytes read, after decompression.",
            count(feeds.bytes.load(Ordering::Relaxed)),
        ),
        (
            "dead_letters_total",
            "counter",
            "Bad records that were kept with their reason.",
            vec![
                (label("reason", "bad"), bad.saturating_sub(late) as f64),
                (label("reason", "late"), late as f64),
            ],
        ),
        (
            "changes_total",
            "counter",
            "Changes of views that were served.",
            count(store.changes.load(Ordering::Relaxed)),
        ),
        (
            "frontier_seconds",
            "gauge",
            "Every record stamped before this time is in the views.",
            one(seconds(frontier.unwrap_or(0))),
        ),
        (
            "frontier_lag_seconds",
            "gauge",
            "By how much the newest clock of a source is ahead of the views.",
            one(seconds(lag)),
        ),
        (
            "source_clock_seconds",
            "gauge",
            "The newest event time of a source that has not ended.",
            clocks.into_iter().map(|(label, clock)| (label, seconds(clock))).collect(),
        ),
        (
            "ended",
            "gauge",
            "1 once all sources have ended.",
            one(f64::from(u8::from(state.head.ended))),
        ),
        (
            "states_total",
            "counter",
            "States of the views that were published.",
            count(state.head.version),
        ),
        (
            "operator_entries",
            "gauge",
            "Entries that an operator of the first worker remembers.",
            sizes(|size| size.entries),
        ),
        (
            "operator_bytes",
            "gauge",
            "Bytes of their tables, without what entries point to.",
            sizes(|size| size.bytes),
        ),
        ("view_rows", "gauge", "Rows of a view.", rows),
        (
            "subscribers",
            "gauge",
            "Who is subscribed now.",
            one(store.subscribers.load(Ordering::Relaxed) as f64),
        ),
        (
            "readers_dropped_total",
            "counter",
            "Connections closed because what was sent was left unread.",
            count(store.dropped.load(Ordering::Relaxed)),
        ),
        (
            "requests_total",
            "counter",
            "Requests, answered or refused.",
            count(store.requests.load(Ordering::Relaxed)),
        ),
    ];
    let mut out = String::new();
    for (name, kind, about, values) in figures {
        Figure { name, kind, about, values }.write(&mut out);
    }
    out
}

impl Figure<'_> {
    fn write(&self, out: &mut String) {
        let Figure { name, kind, about, values } = self;
        // A string can always be written to.
        let _ = write!(out, "# HELP tidemill_{name} {about}\n# TYPE tidemill_{name} {kind}\n");
        for (label, value) in values {
            let _ = writeln!(out, "tidemill_{name}{label} {value}");
        }
    }
}

fn label(name: &str, value: &str) -> String {
    labels(&[(name, value)])
}

fn labels(labels: &[(&str, &str)]) -> String {
    let escaped = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let labels = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value)));
    format!("{{{}}}", labels.collect::<Vec<_>>().join(","))
}
