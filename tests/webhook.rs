//! `webhook:`: a request for each new row, signed, in order per key, and under the same id when it
//! comes again: a receiver that knows ids sees each row once, whatever happens to the run.

#[path = "support/program.rs"]
mod program;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use program::{directory, fail, succeed};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const SECRET: &str = "hush-4711";

/// What a receiver has taken: ids and bodies, in order.
#[derive(Default)]
struct Taken {
    posts: Mutex<Vec<(String, Value)>>,
    wrong: Mutex<Vec<String>>,
}

struct Receiver {
    address: String,
    taken: Arc<Taken>,
    /// What it answers; 0: it closes the connection without a word.
    answer: Arc<AtomicU16>,
}

impl Receiver {
    fn start() -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let receiver =
            Receiver { address, taken: Arc::default(), answer: Arc::new(AtomicU16::new(200)) };
        let (taken, answer) = (Arc::clone(&receiver.taken), Arc::clone(&receiver.answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (taken, answer) = (Arc::clone(&taken), Arc::clone(&answer));
                std::thread::spawn(move || serve(stream, &taken, &answer));
            }
        });
        receiver
    }

    /// The target in a file, as a sink names it.
    fn sink(&self, dir: &Path, views: &str) -> String {
        let path = dir.join("hook");
        fs::write(&path, format!("http://{}/alerts#{SECRET}\n", self.address)).expect("ours");
        format!("webhook:file:{}={views}", path.display())
    }

    fn posts(&self) -> Vec<(String, Value)> {
        let wrong = self.taken.wrong.lock().expect("sound");
        assert!(wrong.is_empty(), "{wrong:?}");
        self.taken.posts.lock().expect("sound").clone()
    }
}

/// Answers the requests of a connection, and checks each by its signature.
fn serve(stream: TcpStream, taken: &Taken, answer: &AtomicU16) {
    let mut stream = BufReader::new(stream);
    loop {
        let (mut headers, mut line) = (BTreeMap::new(), String::new());
        while stream.read_line(&mut line).is_ok_and(|n| n > 2) {
            if let Some((name, value)) = line.split_once(':') {
                headers.insert(name.to_lowercase(), value.trim().to_owned());
            }
            line.clear();
        }
        let Some(length) = headers.get("content-length") else { return };
        let mut body = vec![0; length.parse().expect("a length")];
        stream.read_exact(&mut body).expect("a body");
        let code = answer.load(Ordering::SeqCst);
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(SECRET.as_bytes()).expect("any key");
        let (id, time) = (&headers["webhook-id"], &headers["webhook-timestamp"]);
        mac.update(format!("{id}.{time}.").as_bytes());
        mac.update(&body);
        let want = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
        let sound = want == headers["webhook-signature"] && id == &headers["idempotency-key"];
        match serde_json::from_slice(&body) {
            Ok(body) if sound && code == 200 => {
                taken.posts.lock().expect("sound").push((id.clone(), body));
            }
            Ok(_) if sound => {}
            _ => taken.wrong.lock().expect("sound").push(format!("{headers:?}")),
        }
        if code == 0 {
            return;
        }
        let reply = format!("HTTP/1.1 {code} So\r\ncontent-length: 0\r\n\r\n");
        if stream.get_mut().write_all(reply.as_bytes()).is_err() {
            return;
        }
    }
}

/// A place with the payments of the made-up shop.
fn shop(name: &str, events: &str) -> (PathBuf, String) {
    let root = directory(name);
    let out = root.join("shop").display().to_string();
    succeed(&["generate", "-q", "--events", events, "--seed", "9", "--out", &out]);
    (root, format!("transactions={out}/transaction.csv"))
}

/// The changes of a view by its log: what comes, by time and key, with what kind it is.
fn logged(dir: &Path, view: &str, key: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(dir.join(format!("{view}.changes.jsonl"))).expect("written");
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let (mut gone, mut comes) = (BTreeSet::new(), Vec::new());
    for line in lines {
        let at = (line["time"].to_string(), line["row"][key].to_string());
        match line["diff"].as_i64() {
            Some(1) => comes.push((at, line["row"].clone(), line["time"].clone())),
            _ => drop(gone.insert(at)),
        }
    }
    let post = |((time, key), row, at): ((String, String), Value, Value)| {
        let what = if gone.contains(&(time, key)) { "updated" } else { "created" };
        serde_json::json!({"type": format!("{view}.{what}"), "timestamp": at, "data": row})
    };
    comes.into_iter().map(|one| post(one).to_string()).collect()
}

/// Each once, and those of a key in the order of their times.
fn check(posts: &[(String, Value)], want: &BTreeSet<String>, key: &str) {
    let mut by_id = BTreeMap::new();
    let (mut last, mut seen) = (BTreeMap::new(), BTreeSet::new());
    for (id, body) in posts {
        assert_eq!(by_id.entry(id).or_insert(body), &body, "one id, two bodies");
        if !seen.insert(body.to_string()) {
            continue; // once more, as a receiver that knows ids sees it
        }
        let time = body["timestamp"].as_str().expect("a time").to_owned();
        let before = last.insert(body["data"][key].to_string(), time.clone());
        assert!(before.is_none_or(|before| before < time), "out of order: {body}");
    }
    assert_eq!(seen.len(), by_id.len(), "two ids, one body");
    assert!(&seen == want, "{} rows were posted, {} have come", seen.len(), want.len());
}

#[test]
fn each_row_that_comes_is_posted_signed_in_order_and_under_one_id_in_every_run() {
    let (root, source) = shop("webhook-rows", "100000");
    let receiver = Receiver::start();
    let hook = receiver.sink(&root, "hourly_transactions");
    let log = format!("jsonl:{}", root.join("log").display());
    let args = ["run", "-q", "--query", "hourly_transactions", "--source", &source, "--sink"];
    let args = [&args[..], &[&log, "--sink", &hook]].concat();
    succeed(&args);
    let want = logged(&root.join("log"), "hourly_transactions", "hour");
    assert!(want.len() > 300 && want.iter().any(|post| post.contains("updated")));
    let posts = receiver.posts();
    assert_eq!(posts.len(), want.len(), "each once");
    check(&posts, &want, "hour");
    assert!(!root.join("log/undelivered.jsonl").exists());
    // Again, with other workers: the same ids.
    succeed(&[&args[..], &["--workers", "3"]].concat());
    check(&receiver.posts(), &want, "hour");
}

#[test]
fn killed_and_with_the_receiver_away_each_row_arrives() {
    let (root, source) = shop("webhook-kill", "20000");
    let receiver = Receiver::start();
    let hook = receiver.sink(&root, "hourly_transactions");
    let (log, state) = (format!("jsonl:{}", root.join("log").display()), root.join("state"));
    let state = state.display().to_string();
    let args = ["run", "-q", "--tick", "1m", "--query", "hourly_transactions", "--source", &source];
    succeed(&[&args[..], &["--sink", &log]].concat());
    let want = logged(&root.join("log"), "hourly_transactions", "hour");
    let over = Arc::new(AtomicBool::new(false));
    // It fails in every way there is, again and again.
    let (stop, answer) = (Arc::clone(&over), Arc::clone(&receiver.answer));
    let moody = std::thread::spawn(move || {
        for code in [200, 500, 200, 0, 200, 401, 200, 302, 200, 429].into_iter().cycle() {
            answer.store(code, Ordering::SeqCst);
            std::thread::sleep(Duration::from_millis(if code == 200 { 300 } else { 60 }));
            if stop.load(Ordering::SeqCst) {
                break;
            }
        }
        answer.store(200, Ordering::SeqCst);
    });
    let kept = ["--state", &state, "--checkpoint-every", "50ms", "--sink", &hook];
    let kept = [&args[..], &kept].concat();
    for kill in 0..2 {
        let before = receiver.posts().len();
        let mut child = Command::new(env!("CARGO_BIN_EXE_tidemill"))
            .args(&kept)
            .args(["--rate", "1000/s"])
            .current_dir(&root)
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        let began = Instant::now();
        while receiver.posts().len() < before + 40 {
            assert!(began.elapsed() < Duration::from_secs(120), "nothing is posted");
            assert!(child.try_wait().expect("ours").is_none(), "it ended before kill {kill}");
            std::thread::sleep(Duration::from_millis(5));
        }
        child.kill().expect("ours");
        child.wait().expect("ours");
    }
    over.store(true, Ordering::SeqCst);
    moody.join().expect("it ends");
    succeed(&kept);
    let posts = receiver.posts();
    // What was posted before a kill and again after it is the same, and may come in any order then.
    let seen: BTreeSet<String> = posts.iter().map(|(_, body)| body.to_string()).collect();
    assert!(seen == want, "{} rows were posted, {} have come", seen.len(), want.len());
    let ids: BTreeSet<&String> = posts.iter().map(|(id, _)| id).collect();
    assert_eq!(ids.len(), want.len(), "an id for each row");
    // Nothing is left to be posted.
    succeed(&kept);
    assert_eq!(receiver.posts().len(), posts.len());
}

#[test]
fn what_is_no_target_is_refused_and_not_said() {
    let (root, source) = shop("webhook-refused", "500");
    let hook = root.join("hook");
    let attempt = |text: &str, says: &str| {
        fs::write(&hook, text).expect("ours");
        let sink = format!("webhook:file:{}=hourly_transactions", hook.display());
        let args = ["run", "-q", "--source", &source, "--sink", &sink];
        fail(2, &args, &[says, &hook.display().to_string()]);
        let said = program::run(&args);
        assert!(!String::from_utf8_lossy(&said.stderr).contains("hush"));
    };
    attempt("http://127.0.0.1:1/hush", "URL#SECRET");
    attempt("hush", "URL#SECRET");
    attempt("", "it is empty");
    if !cfg!(feature = "tls") {
        attempt("https://127.0.0.1/hush#hush", "--features tls");
    }
    let args = ["run", "-q", "--source", &source, "--sink"];
    fail(2, &[&args[..], &["webhook:env:HOOK"]].concat(), &["=security_alerts"]);
    fail(2, &[&args[..], &["webhook:http://x/=velocity"]].concat(), &["by reference"]);
}
