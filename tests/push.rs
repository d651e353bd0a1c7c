//! `--push`: events over HTTP. What is acknowledged is counted once, whenever the run is killed; what
//! is no event is told to its sender, and why.

#[path = "support/http.rs"]
mod http;
#[path = "support/program.rs"]
mod program;

use flate2::Compression;
use flate2::write::GzEncoder;
use http::{Answer, Served, ask, post};
use program::{directory, fail, succeed};
use serde_json::Value;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};
use tidemill::random::Random;

const JSON: (&str, &str) = ("Content-Type", "application/json");
const PATH: &str = "/v1/events/transactions";

fn start(dir: &Path, workers: usize, more: &[&str]) -> Served {
    let state = dir.join("state").display().to_string();
    let workers = workers.to_string();
    let args = ["run", "--serve", "127.0.0.1:0", "--push", "transactions", "--state", &state];
    let more = [
        &[
            "--tick",
            "200ms",
            "--workers",
            &workers,
            "--checkpoint-every",
            "300ms",
            "--checkpoint-share",
            "100%",
        ],
        more,
    ];
    Served::start(&[&args[..], &more.concat()].concat(), "")
}

/// How many records the view has counted.
fn counted(address: &str, headers: &[(&str, &str)]) -> u64 {
    let view = ask(address, "GET", "/v1/views/hourly_transactions", headers).json();
    let rows = view["rows"].as_array().expect("rows").iter();
    rows.map(|row| row["count"].as_u64().expect("a count")).sum()
}

#[test]
fn what_is_acknowledged_is_counted_once_though_the_run_is_killed() {
    const SENDERS: usize = 4;
    const BATCHES: usize = 120;
    let dir = directory("push-kill");
    let mut served = start(&dir, 2, &[]);
    let address = Arc::new(Mutex::new(served.address.clone()));
    let (sent, acknowledged) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let again = Arc::new(AtomicUsize::new(0));
    let over = Arc::new(AtomicBool::new(false));
    let send = |sender: usize| {
        let (address, sent, again) = (Arc::clone(&address), Arc::clone(&sent), Arc::clone(&again));
        let (acknowledged, over) = (Arc::clone(&acknowledged), Arc::clone(&over));
        move || {
            let mut random = Random::new(sender as u64);
            for batch in 0..BATCHES {
                // Without ids: a record that came twice would count twice.
                let one = |i: usize| {
                    let time = format!("2026-11-{:02}T10:{:02}:00Z", 1 + batch % 25, i % 60);
                    format!("{{\"transaction_time\":\"{time}\",\"item_id\":\"i\",\"amount\":1}}")
                };
                let count = 1 + random.below(30);
                let body = format!("[{}]", (0..count).map(one).collect::<Vec<_>>().join(","));
                let key = format!("{sender}-{batch}");
                loop {
                    let to = address.lock().expect("ours").clone();
                    let headers = [JSON, ("Idempotency-Key", &key)];
                    match post(&to, PATH, &headers, body.as_bytes()) {
                        Some(Answer { status: 200, body, .. }) => {
                            let told: Value = serde_json::from_str(&body).expect("JSON");
                            let (new, before) = (&told["accepted"], &told["duplicate"]);
                            let all = new.as_u64().expect("new") + before.as_u64().expect("known");
                            assert_eq!(all, count as u64);
                            again.fetch_add(usize::from(before != 0), Ordering::Relaxed);
                            break;
                        }
                        Some(Answer { status: 429 | 503, .. }) | None => {}
                        Some(other) => panic!("{}: {}", other.status, other.body),
                    }
                    assert!(!over.load(Ordering::Relaxed), "nobody is there");
                    sleep(Duration::from_millis(10));
                }
                acknowledged.fetch_add(count, Ordering::Relaxed);
                sent.fetch_add(1, Ordering::Relaxed);
            }
        }
    };
    let senders: Vec<_> = (0..SENDERS).map(|sender| spawn(send(sender))).collect();
    for (part, workers) in [(1, 1), (2, 3)] {
        while sent.load(Ordering::Relaxed) < part * SENDERS * BATCHES / 3 {
            sleep(Duration::from_millis(1));
        }
        drop(served); // by SIGKILL
        served = start(&dir, workers, &[]);
        *address.lock().expect("ours") = served.address.clone();
    }
    senders.into_iter().for_each(|sender| sender.join().expect("all is acknowledged"));
    over.store(true, Ordering::Relaxed);
    let all = acknowledged.load(Ordering::Relaxed) as u64;
    println!("{all} events, {} batches sent again", again.load(Ordering::Relaxed));
    served.wait("/v1/status", |_| counted(&served.address, &[]) >= all);
    sleep(Duration::from_millis(500));
    assert_eq!(counted(&served.address, &[]), all);
    assert_eq!(served.interrupt(), Some(130));
    let state = dir.join("state").display().to_string();
    let told = succeed(&["verify", "-q", "--state", &state, "--tick", "200ms"]);
    assert!(told.contains("hourly_transactions") && !told.contains("DIFFERS"), "{told}");
    // Who does not take events any more still has those that came.
    let out = dir.join("out").display().to_string();
    let sink = format!("csv:{out}");
    succeed(&["run", "-q", "--state", &state, "--tick", "200ms", "--sink", &sink]);
    let view = std::fs::read_to_string(dir.join("out/hourly_transactions.csv")).expect("written");
    let count = |line: &str| line.split(',').nth(1).expect("a count").parse::<u64>().expect("one");
    assert_eq!(view.lines().skip(1).map(count).sum::<u64>(), all);
}

#[test]
fn what_is_no_event_is_told_and_why() {
    let dir = directory("push-bad");
    let token = dir.join("token").display().to_string();
    std::fs::write(&token, "s3cret\n").expect("ours");
    let served = start(&dir, 1, &["--token-file", &token, "--lateness", "90d"]);
    let bearer = ("Authorization", "Bearer s3cret");
    let send = |path: &str, headers: &[(&str, &str)], body: &[u8]| {
        let headers = [&[bearer], headers].concat();
        post(&served.address, path, &headers, body).expect("an answer")
    };
    let now = jiff::Timestamp::now();
    let event = |more: &str| format!("{{\"transaction_time\":\"{now}\",\"amount\":1{more}}}");
    let packed = |text: &str| {
        let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
        packer.write_all(text.as_bytes()).expect("memory");
        packer.finish().expect("memory")
    };
    let unsent = post(&served.address, PATH, &[JSON], event("").as_bytes()).expect("an answer");
    assert_eq!((unsent.status, unsent.header("www-authenticate").is_some()), (401, true));

    // What is sent, and the status and a part of its answer.
    let large = format!("[{}]", event(&format!(",\"coupon\":\"{}\"", "x".repeat(9 << 20))));
    let bomb = packed(&format!("[\"{}\"]", "x".repeat(64 << 20)));
    let gzip = ("Content-Encoding", "gzip");
    let (csv, lines) = (("Content-Type", "text/csv"), ("Content-Type", "application/x-ndjson"));
    let (text, zip) = (("Content-Type", "text/plain"), ("Content-Encoding", "br"));
    let old = "{\"transaction_time\":\"2020-01-01\",\"amount\":1}";
    let deep = format!("{{\"x\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let (key, one) = ("k".repeat(201), event(""));
    type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a [u8], u16, &'a str);
    let cases: &[Case<'_>] = &[
        ("/v1/events/transaction", &[JSON], b"{}", 404, "did you mean transactions?"),
        ("/v1/events/ads", &[JSON], b"{}", 404, "these are taken: transactions"),
        (PATH, &[text], b"{}", 415, "use application/json"),
        (PATH, &[JSON, zip], b"{}", 415, "neither gzip"),
        (PATH, &[JSON, gzip], b"{}", 400, "no gzip"),
        (PATH, &[JSON, gzip], &bomb, 413, "larger than 8 MiB"),
        (PATH, &[JSON], large.as_bytes(), 413, "several batches"),
        (PATH, &[JSON], b"[{\"a\":1},", 400, "no JSON"),
        (PATH, &[JSON], b"\xff", 400, "not UTF-8"),
        (PATH, &[csv], b"a,b\n1\n", 400, "no CSV"),
        (PATH, &[JSON], b"7", 422, "no object of JSON"),
        (PATH, &[lines], b"{\"a\"\n[]\n", 422, "\"rejected\":2"),
        (PATH, &[JSON], b"{\"transaction_time\":\"soon\",\"amount\":1}", 422, "not a time"),
        (PATH, &[JSON], b"{\"amount\":1}", 422, "missing value"),
        (PATH, &[JSON], old.as_bytes(), 422, "late:"),
        (PATH, &[JSON], deep.as_bytes(), 422, "\"rejected\":1"),
        (PATH, &[JSON, ("Idempotency-Key", &key)], one.as_bytes(), 400, "use a UUID"),
        (PATH, &[JSON, ("Origin", "http://evil.example")], b"{}", 403, "another site"),
        (PATH, &[JSON], b"[]", 200, "\"accepted\":0"),
    ];
    for (path, headers, body, status, part) in cases {
        let answer = send(path, headers, body);
        let shown = &answer.body[..answer.body.len().min(300)];
        assert!(answer.status == *status && answer.body.contains(part), "{status} {part}: {shown}");
    }
    let wrong = ask(&served.address, "GET", PATH, &[bearer]);
    assert_eq!((wrong.status, wrong.header("allow")), (405, Some("POST")));

    // Some are good, and one is known by its key, however it is packed.
    let key = ("Idempotency-Key", "\"a\"");
    let some =
        format!("[{},{},{{}}]", event(",\"currency\":\"EUR\""), event(",\"currency\":\"USD\""));
    let told = send(PATH, &[JSON, key], some.as_bytes()).json();
    assert_eq!((&told["accepted"], &told["rejected"]), (&1.into(), &2.into()), "{told}");
    assert!(told["reasons"][0]["reason"].as_str().expect("why").contains("--rates"), "{told}");
    let told = send(PATH, &[JSON, key, gzip], &packed(&some)).json();
    assert_eq!((&told["accepted"], &told["duplicate"]), (&0.into(), &1.into()), "{told}");
    let other = send(PATH, &[JSON, key], event("").as_bytes());
    assert!(other.status == 422 && other.body.contains("another batch"), "{}", other.body);
    let began = Instant::now();
    while counted(&served.address, &[bearer]) != 1 {
        assert!(began.elapsed() < Duration::from_secs(60), "it is never counted");
        sleep(Duration::from_millis(20));
    }
    assert_eq!(served.interrupt(), Some(130));
}

#[test]
fn what_cannot_work_is_refused() {
    let dir = directory("push-refused").display().to_string();
    fail(2, &["run", "--push", "transactions"], &["--serve", "--state"]);
    let args = ["run", "--serve", "127.0.0.1:0", "--state", &dir, "--push"];
    fail(2, &[&args[..], &["sales"]].concat(), &["no such stream"]);
}

#[test]
fn a_webhook_counts_once_if_its_signature_is_right() {
    use hmac::{Hmac, KeyInit, Mac};
    let dir = directory("push-hook");
    let place = |name: &str| dir.join(name).display().to_string();
    std::fs::write(dir.join("secret"), "whsec_hush\n").expect("ours");
    let config = format!(
        "[[source]]\nstream = \"transactions\"\ntime_format = \"epoch-s\"\n\
         [source.hook]\nfrom = \"stripe\"\nsecret = \"file:{}\"\n\
         [source.fields]\ntransaction_time = \"data.object.created\"\namount = \"data.object.total\"\n\
         transaction_id = \"data.object.id\"\n[source.only]\ntype = [\"charge.succeeded\"]\n",
        place("secret")
    );
    std::fs::write(dir.join("shop.toml"), config).expect("ours");
    let (state, file) = (place("state"), place("shop.toml"));
    let args = ["run", "--serve", "127.0.0.1:0", "--config", &file, "--state", &state, "--tick"];
    let query = ["200ms", "--query", "hourly_transactions"];
    let served = Served::start(&[&args[..], &query].concat(), "");
    let now = jiff::Timestamp::now().as_second();
    let body = |id: u32, kind: &str| {
        let object = format!("{{\"id\":\"ch_{id}\",\"created\":{now},\"total\":\"1.50\"}}");
        format!("{{\"id\":\"evt_{id}\",\"type\":\"{kind}\",\n\"data\":{{\"object\":{object}}}}}")
    };
    let send = |body: &str, secret: &[u8], at: i64| {
        let mac = Hmac::<sha2::Sha256>::new_from_slice(secret).expect("any length");
        let sum = mac.chain_update(format!("{at}.{body}")).finalize().into_bytes();
        let hex: String = sum.iter().map(|byte| format!("{byte:02x}")).collect();
        let signature = format!("t={at},v1={hex}");
        let headers = [JSON, ("Stripe-Signature", signature.as_str())];
        post(&served.address, "/v1/hooks/transactions", &headers, body.as_bytes())
            .expect("answered")
    };
    let paid = body(1, "charge.succeeded");
    let right = b"whsec_hush";
    assert_eq!(send(&paid, b"whsec_other", now).status, 401);
    assert_eq!(send(&paid, right, now - 400).status, 401);
    assert_eq!(send(&paid, right, now).json()["accepted"], 1);
    assert_eq!(send(&paid, right, now).json()["duplicate"], 1);
    assert_eq!(send(&body(2, "customer.created"), right, now).status, 200);
    assert_eq!(send(&body(3, "charge.succeeded"), right, now).status, 200);
    assert_eq!(send("[]", right, now).status, 200);
    assert_eq!(send("7", right, now).status, 400);
    let other = post(&served.address, "/v1/hooks/behavior", &[JSON], b"{}").expect("answered");
    assert_eq!(other.status, 404);
    served.wait("/v1/status", |status| status["run"]["records"] == 3);
    served.wait("/v1/status", |_| counted(&served.address, &[]) == 2);
    assert_eq!(served.interrupt(), Some(130));
}
