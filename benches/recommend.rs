//! Prints update cost, query latency at 100,000 items and the time to forget 100
//! sessions: `cargo bench --bench recommend [-- TRAIN_FILE]`.
//!
//! Synthetic shop, seeded: 100,000 items of skewed popularity in 2,000 groups, sessions
//! of 1 to 14 clicks that mostly stay in a group, many open at a time. Updates are
//! timed by the time at work, in alternating rounds, since the machine is shared. For the
//! same reason a query's time is the median of three passes over 50,000 queries: a wait
//! for a core does not hit the same query twice, and the caches are cold again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Instant;

use tidemill::error::Error;
use tidemill::lab::eval::bootstrap::quantile;
use tidemill::lab::eval::clicks;
use tidemill::lab::eval::learner::{Learner, Update};
use tidemill::random::Random;
use tidemill::recommend::blend::{Query, Ranker};
use tidemill::recommend::defaults;
use tidemill::recommend::pairs::{Event, Time};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ITEMS: usize = 100_000;
const GROUPS: usize = 2_000;
const WARM: usize = 1_500_000;
const ROUNDS: usize = 9;
const ROUND: usize = 2_000;

type Change = Update<u64, u64, u64>;

/// The open sessions of the synthetic shop.
struct Shop {
    random: Random,
    open: Vec<Open>,
    sessions: u64,
    clicks: u64,
}

struct Open {
    session: u64,
    group: usize,
    left: usize,
}

impl Shop {
    fn new(seed: u64) -> Self {
        Shop { random: Random::new(seed), open: Vec::new(), sessions: 0, clicks: 0 }
    }

    /// Small numbers are drawn far more often: the cube of an even draw.
    fn skewed(&mut self, bound: usize) -> usize {
        let even = self.random.below(1 << 20) as f64 / (1 << 20) as f64;
        ((even * even * even) * bound as f64) as usize
    }

    fn click(&mut self) -> Change {
        if self.open.len() < 500 {
            self.sessions += 1;
            let open = Open {
                session: self.sessions,
                group: self.skewed(GROUPS),
                left: 1 + self.random.below(14),
            };
            self.open.push(open);
        }
        let at = self.random.below(self.open.len());
        let (session, group) = (self.open[at].session, self.open[at].group);
        self.open[at].left -= 1;
        if self.open[at].left == 0 {
            self.open.swap_remove(at);
        }
        let item = if self.random.below(10) < 8 {
            group + GROUPS * self.skewed(ITEMS / GROUPS)
        } else {
            self.random.below(ITEMS)
        };
        self.clicks += 1;
        Update {
            session,
            event: Event {
                // A click every two seconds: 1.5 million are five weeks.
                time: Time(1_590_000_000_000 + self.clicks as i64 * 2_000),
                id: self.clicks,
                item: item as u64,
            },
            diff: 1,
        }
    }
}

fn main() -> Result<(), Error> {
    let mut shop = Shop::new(1);
    let mut learner = Learner::new(&defaults::MODEL);
    let started = busy();
    for _ in 0..WARM / 1_000 {
        learner.update((0..1_000).map(|_| shop.click()))?;
    }
    learner.model.publish();
    println!(
        "loaded {WARM} clicks, {} sessions, {} items: {:.2} us each",
        shop.sessions,
        learner.model.items(),
        (busy() - started) / WARM as f64
    );
    updates_of(&mut || Some(shop.click()), "synthetic", &mut learner)?;
    queries(&mut shop, &learner);
    let gone: Vec<u64> = (1..=100).map(|n| n * 37).collect();
    forgetting("synthetic", &mut learner, &gone)?;
    if let Some(path) = std::env::args().skip(1).find(|arg| !arg.starts_with("--")) {
        sample(Path::new(&path))?;
    }
    Ok(())
}

/// Alternates rounds of one by one and of batches, each event published.
fn updates_of(
    next: &mut dyn FnMut() -> Option<Change>,
    name: &str,
    learner: &mut Learner<u64, u64, u64>,
) -> Result<(), Error> {
    let (mut singles, mut batches) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        for (size, found) in [(1, &mut singles), (100, &mut batches)] {
            let round: Vec<Change> = std::iter::from_fn(&mut *next).take(ROUND).collect();
            let started = busy();
            for batch in round.chunks(size) {
                learner.update(batch.iter().cloned())?;
                learner.model.publish();
            }
            found.push((busy() - started) / round.len().max(1) as f64);
        }
    }
    show(&format!("{name}: update and publish one by one, us per event"), &mut singles);
    show(&format!("{name}: update and publish by 100, us per event"), &mut batches);
    Ok(())
}

fn queries(shop: &mut Shop, learner: &Learner<u64, u64, u64>) {
    let recommender = learner.model.recommender();
    let mut sessions: Vec<Vec<u64>> = Vec::new();
    let mut by_session = BTreeMap::<u64, Vec<u64>>::new();
    for _ in 0..50_000 {
        let click = shop.click();
        let items = by_session.entry(click.session).or_default();
        items.push(click.event.item);
        sessions.push(items.clone());
    }
    for (name, ranker) in
        [("pairs", Ranker::Pairs), ("vmis_knn", Ranker::Knn), ("blend", defaults::BLEND)]
    {
        let options = defaults::options(ranker);
        let mut passes = vec![Vec::with_capacity(3); sessions.len()];
        for _ in 0..3 {
            for (items, times) in sessions.iter().zip(&mut passes) {
                let started = Instant::now();
                let query = Query { items, session: None };
                let answer = recommender.recommend(query, &options);
                times.push(started.elapsed().as_secs_f64() * 1e6);
                std::hint::black_box(answer);
            }
        }
        let median = |mut times: Vec<f64>| {
            times.sort_unstable_by(f64::total_cmp);
            quantile(&times, 0.5)
        };
        let mut micros: Vec<f64> = passes.into_iter().filter_map(median).collect();
        show(&format!("query {name}, us"), &mut micros);
    }
}

fn forgetting(name: &str, learner: &mut Learner<u64, u64, u64>, gone: &[u64]) -> Result<(), Error> {
    let (started, worked) = (Instant::now(), busy());
    learner.forget(gone)?;
    let millis = started.elapsed().as_secs_f64() * 1e3;
    let worked = (busy() - worked) / 1e3;
    println!(
        "forget {} sessions, {name}: {millis:.2} ms, of it {worked:.2} ms at work",
        gone.len()
    );
    Ok(())
}

/// Forgets 100 sessions of the sample, and compares with the rebuild without them.
fn sample(path: &Path) -> Result<(), Error> {
    let updates: Vec<Change> = clicks::read(path)?
        .into_iter()
        .map(|click| Update {
            session: click.session,
            event: Event { time: click.time, id: click.line, item: click.item },
            diff: 1,
        })
        .collect();
    let sessions: BTreeSet<u64> = updates.iter().map(|u| u.session).collect();
    let every = (sessions.len() / 100).max(1);
    let gone: Vec<u64> = sessions.iter().copied().step_by(every).take(100).collect();
    let kept = updates.iter().filter(|u| !gone.contains(&u.session));
    let mut rebuilt = Learner::new(&defaults::MODEL);
    rebuilt.update(kept.clone().cloned())?;
    rebuilt.model.publish();
    let mut learner = Learner::new(&defaults::MODEL);
    let mut ordered: Vec<&Change> = updates.iter().collect();
    ordered.sort_by_key(|u| (u.event.time, u.event.id));
    let mut ordered = ordered.into_iter().cloned();
    let early = ordered.len().saturating_sub(2 * ROUNDS * ROUND);
    learner.update(ordered.by_ref().take(early))?;
    updates_of(&mut || ordered.next(), "sample", &mut learner)?;
    learner.update(ordered)?;
    learner.model.publish();
    forgetting("sample", &mut learner, &gone)?;
    let (forgot, never) = (learner.model.recommender(), rebuilt.model.recommender());
    let mut same = learner.model.dump() == rebuilt.model.dump();
    let options = defaults::options(defaults::BLEND);
    for update in kept.step_by(20) {
        let query = Query { items: &[update.event.item], session: Some(&update.session) };
        same &= forgot.recommend(query, &options) == never.recommend(query, &options);
    }
    println!("state and rankings equal to the rebuild that never saw them: {same}");
    Ok(())
}

/// The time this thread has been at work, in microseconds: Linux counts it without the
/// waiting for a core, which on a shared machine is most of it. Elsewhere, since start.
fn busy() -> f64 {
    static START: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
    // Yielding makes the kernel bring its count up to date.
    std::thread::yield_now();
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = text.split(' ').next().and_then(|n| n.parse::<f64>().ok());
    nanos.unwrap_or_else(|| START.elapsed().as_secs_f64() * 1e9) / 1e3
}

fn show(what: &str, values: &mut [f64]) {
    values.sort_unstable_by(f64::total_cmp);
    let at = |share| quantile(values, share).unwrap_or(0.0);
    println!(
        "{what}: median {:.2}, p90 {:.2}, p99 {:.2}, worst {:.2}",
        at(0.5),
        at(0.9),
        at(0.99),
        at(1.0)
    );
}
