//! The threads that deliver: a post waits in the lane of its key until those before it are delivered
//! or given up, so rows of a key arrive in order.

use super::post::{Answer, Post, Target};
use crate::error::Error;
use crate::lock::lock;
use crate::random::Random;
use crate::tell::Tell;
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How many posts are under way at once.
const LANES: u64 = 4;

/// How often a post is tried, and how long it is waited before it is tried again: twice as long
/// each time, less a random part, so that many do not come at once.
#[derive(Clone, Copy)]
pub(super) struct Patience {
    pub attempts: u32,
    pub first: Duration,
    pub longest: Duration,
}

impl Default for Patience {
    /// About two minutes in all.
    fn default() -> Self {
        let (first, longest) = (Duration::from_millis(500), Duration::from_secs(60));
        Patience { attempts: 9, first, longest }
    }
}

impl Patience {
    /// How long it is waited after so many attempts.
    fn wait(self, attempts: u32, random: &mut Random) -> Duration {
        let whole = self.first.saturating_mul(1 << attempts.saturating_sub(1).min(16));
        let whole = whole.min(self.longest);
        whole.mul_f64(0.5 + random.below(1000) as f64 / 2000.0)
    }
}

/// See the module.
pub(super) struct Lanes {
    lanes: Vec<Sender<Arc<Post>>>,
    given: u64,
    shared: Arc<Shared>,
}

struct Shared {
    target: Target,
    patience: Patience,
    agent: ureq::Agent,
    /// The posts that are not delivered, by number.
    open: Mutex<BTreeMap<u64, Arc<Post>>>,
    /// Where those are written that are given up, and how many.
    place: PathBuf,
    undelivered: AtomicU64,
    failed: Mutex<Option<Error>>,
    /// Whether nobody waits any more.
    left: AtomicBool,
    name: String,
    tell: Tell,
}

impl Lanes {
    /// Starts the threads.
    pub fn start(
        target: Target,
        patience: Patience,
        place: PathBuf,
        (name, tell): (String, Tell),
    ) -> Result<Lanes, Error> {
        let agent = ureq::Agent::config_builder()
            .timeout_connect(Some(Duration::from_secs(5)))
            .timeout_global(Some(Duration::from_secs(15)))
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .user_agent(concat!("tidemill/", env!("CARGO_PKG_VERSION")))
            .proxy(None)
            .build();
        let shared = Arc::new(Shared {
            target,
            patience,
            agent: agent.into(),
            open: Mutex::default(),
            place,
            undelivered: AtomicU64::new(0),
            failed: Mutex::default(),
            left: AtomicBool::new(false),
            name,
            tell,
        });
        let mut lanes = Vec::new();
        for lane in 0..LANES {
            let (give, take) = channel();
            let shared = Arc::clone(&shared);
            let run = move || shared.deliver_all(&take, Random::new(lane));
            let thread = std::thread::Builder::new().name("webhook".into()).spawn(run);
            thread.map_err(|e| Error::Cluster(format!("no thread for a webhook: {e}")))?;
            lanes.push(give);
        }
        Ok(Lanes { lanes, given: 0, shared })
    }

    /// Has a post delivered.
    pub fn give(&mut self, post: Post) {
        self.given += 1;
        let post = Arc::new(Post { number: self.given, ..post });
        lock(&self.shared.open).insert(post.number, Arc::clone(&post));
        let lane = (post.lane % LANES) as usize;
        if let Some(lane) = self.lanes.get(lane) {
            // A lane ends only after a failure, which is told.
            let _ = lane.send(post);
        }
    }

    /// The number of the last that was given.
    pub fn last(&self) -> u64 {
        self.given
    }

    /// The first that is not delivered, and how many are not.
    pub fn waiting(&self) -> (Option<u64>, usize) {
        let open = lock(&self.shared.open);
        (open.keys().next().copied(), open.len())
    }

    /// What has gone wrong, once.
    pub fn failure(&self) -> Result<(), Error> {
        lock(&self.shared.failed).take().map_or(Ok(()), Err)
    }

    /// How many were given up.
    pub fn undelivered(&self) -> u64 {
        self.shared.undelivered.load(Ordering::SeqCst)
    }

    /// Where those are.
    pub fn place(&self) -> &Path {
        &self.shared.place
    }

    /// Gives up all that are not delivered.
    pub fn put_down(&self, why: &str) -> Result<(), Error> {
        self.shared.left.store(true, Ordering::SeqCst);
        let open: Vec<Arc<Post>> = lock(&self.shared.open).values().map(Arc::clone).collect();
        open.iter().try_for_each(|post| self.shared.put_down(post, 0, why))
    }
}

impl Drop for Lanes {
    fn drop(&mut self) {
        self.shared.left.store(true, Ordering::SeqCst);
    }
}

impl Shared {
    fn deliver_all(&self, posts: &Receiver<Arc<Post>>, mut random: Random) {
        for post in posts {
            match self.deliver(&post, &mut random) {
                Ok(true) => drop(lock(&self.open).remove(&post.number)),
                Ok(false) => return,
                Err(error) => {
                    *lock(&self.failed) = Some(error);
                    return;
                }
            }
        }
    }

    /// Delivers a post, or writes it down after so many attempts; false if nobody waits any more.
    fn deliver(&self, post: &Post, random: &mut Random) -> Result<bool, Error> {
        for attempt in 1.. {
            let (why, after) = match post.attempt(&self.agent, &self.target) {
                Answer::Taken => return Ok(true),
                Answer::Not(why, after) => (why, after.unwrap_or_default()),
            };
            if attempt == 1 || attempt == self.patience.attempts {
                self.tell.say(&format!("{}: {}: {why}", self.name, post.id));
            }
            if attempt >= self.patience.attempts {
                self.put_down(post, attempt, &why)?;
                return Ok(true);
            }
            let wait = self.patience.wait(attempt, random).max(after.min(self.patience.longest));
            if !self.sleep(wait) {
                break;
            }
        }
        Ok(false)
    }

    /// False if nobody waits any more.
    fn sleep(&self, mut wait: Duration) -> bool {
        while wait > Duration::ZERO && !self.left.load(Ordering::SeqCst) {
            let slice = wait.min(Duration::from_millis(100));
            std::thread::sleep(slice);
            wait -= slice;
        }
        !self.left.load(Ordering::SeqCst)
    }

    /// Writes down what could not be delivered, durably.
    fn put_down(&self, post: &Post, attempts: u32, why: &str) -> Result<(), Error> {
        let json = |text: &str| serde_json::to_string(text).unwrap_or_default();
        let line = format!(
            "{{\"sink\":{},\"id\":{},\"attempts\":{attempts},\"why\":{},\"body\":{}}}\n",
            json(&self.name),
            json(&post.id),
            json(why),
            post.body
        );
        let write = || {
            if let Some(dir) = self.place.parent().filter(|dir| !dir.as_os_str().is_empty()) {
                std::fs::create_dir_all(dir)?;
            }
            let mut file = OpenOptions::new().append(true).create(true).open(&self.place)?;
            file.write_all(line.as_bytes())?;
            file.sync_data()
        };
        write().map_err(Error::file(&self.place))?;
        self.undelivered.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader, Read};
    use std::net::TcpListener;

    /// A receiver that answers each request by its body, until it is gone.
    fn receiver(
        answer: impl Fn(&str) -> u16 + Send + 'static,
    ) -> (Target, Arc<Mutex<Vec<String>>>) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}/#secret", listener.local_addr().expect("an address"));
        let seen = Arc::<Mutex<Vec<String>>>::default();
        let note = Arc::clone(&seen);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = BufReader::new(stream.expect("a connection"));
                let (mut length, mut line) = (0, String::new());
                while stream.read_line(&mut line).is_ok_and(|n| n > 2) {
                    let lower = line.to_lowercase();
                    let value = lower.strip_prefix("content-length:");
                    length = value.and_then(|text| text.trim().parse().ok()).unwrap_or(length);
                    line.clear();
                }
                let mut body = vec![0; length];
                stream.read_exact(&mut body).expect("a body");
                let body = String::from_utf8(body).expect("text");
                let code = answer(&body);
                lock(&note).push(format!("{body} {code}"));
                let reply =
                    format!("HTTP/1.1 {code} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                let _ = stream.get_mut().write_all(reply.as_bytes());
            }
        });
        (Target::of(&url).expect("good"), seen)
    }

    fn lanes(target: Target, place: &Path) -> Lanes {
        let short = Duration::from_millis(2);
        let patience = Patience { attempts: 3, first: short, longest: short };
        Lanes::start(target, patience, place.into(), ("webhook:x".into(), Tell::default()))
            .expect("threads")
    }

    fn empty(lanes: &Lanes) {
        while lanes.waiting().1 > 0 {
            lanes.failure().expect("it goes on");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn place(name: &str) -> PathBuf {
        let place = std::env::temp_dir().join(format!("tidemill-{name}-{}", std::process::id()));
        let _ = std::fs::remove_file(&place);
        place
    }

    #[test]
    fn what_is_refused_too_often_is_written_down_and_those_behind_it_go_on_in_order() {
        let place = place("undelivered");
        let tries = Mutex::new(BTreeMap::<String, u32>::new());
        let (target, seen) = receiver(move |body| {
            let mut tries = lock(&tries);
            let tries = tries.entry(body.into()).or_default();
            *tries += 1;
            // One is never taken, one at the second time, one is answered by a redirection first.
            match (body, *tries) {
                ("\"never\"", _) => 401,
                ("\"second\"", 1) => 503,
                ("\"moved\"", 1) => 302,
                _ => 204,
            }
        });
        let mut lanes = lanes(target, &place);
        for body in ["first", "second", "never", "moved", "last"] {
            lanes.give(Post::new(format!("\"{body}\""), ("view", "one key")));
        }
        empty(&lanes);
        let want = [
            "first\" 204",
            "second\" 503",
            "second\" 204",
            "never\" 401",
            "never\" 401",
            "never\" 401",
            "moved\" 302",
            "moved\" 204",
            "last\" 204",
        ];
        let seen: Vec<String> =
            lock(&seen).iter().map(|s| s.trim_start_matches('"').into()).collect();
        assert_eq!(seen, want);
        let text = std::fs::read_to_string(&place).expect("written");
        let _ = std::fs::remove_file(&place);
        let line: serde_json::Value = serde_json::from_str(&text).expect("one line of JSON");
        assert_eq!((&line["body"], &line["attempts"]), (&"never".into(), &3.into()));
        assert_eq!(line["why"], "the receiver answers 401");
        assert_eq!(lanes.undelivered(), 1);
    }

    #[test]
    fn what_waits_when_a_run_ends_is_written_down_whole() {
        let place = place("put-down");
        let target = Target::of("http://127.0.0.1:1/#secret").expect("good");
        let patience = Patience::default();
        let told = ("webhook:x".into(), Tell::default());
        let mut lanes = Lanes::start(target, patience, place.clone(), told).expect("threads");
        (0..20).for_each(|i| lanes.give(Post::new(i.to_string(), ("view", &i.to_string()))));
        lanes.put_down("the end").expect("written");
        let text = std::fs::read_to_string(&place).expect("written");
        let _ = std::fs::remove_file(&place);
        let body = |line: &str| {
            serde_json::from_str::<serde_json::Value>(line).expect("JSON")["body"].as_i64()
        };
        let mut bodies: Vec<Option<i64>> = text.lines().map(body).collect();
        bodies.sort();
        assert_eq!(bodies, (0..20).map(Some).collect::<Vec<_>>());
    }

    #[test]
    fn it_is_waited_longer_each_time_and_not_for_ever() {
        let (patience, mut random) = (Patience::default(), Random::new(1));
        let waits: Vec<Duration> = (1..9).map(|n| patience.wait(n, &mut random)).collect();
        for (i, wait) in waits.iter().enumerate() {
            let whole = Duration::from_millis(500 << i).min(Duration::from_secs(60));
            assert!(*wait >= whole / 2 && *wait <= whole, "{i}: {wait:?}");
        }
    }
}
