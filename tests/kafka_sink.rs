//! `kafka:` on a broker that speaks its protocol (noida-db; `make kafka` fetches it): what a reader of
//! committed messages sees is the change log, each change once, whatever happens to runs and broker.

#[path = "support/program.rs"]
mod program;

use program::{directory, fail, succeed};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::producer::{BaseProducer, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The broker's program, without the script around it.
fn program() -> PathBuf {
    let lib = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/kafka/lib");
    let versions = fs::read_dir(&lib).into_iter().flatten().flatten();
    let mut programs = versions.map(|v| v.path().join("site-packages/noida_db/noida-db"));
    programs.find(|path| path.exists()).expect("the broker is there (make kafka)")
}

/// A broker of this test.
struct Server {
    dir: PathBuf,
    port: u16,
    running: Option<Child>,
}

impl Server {
    fn start(dir: &Path) -> Server {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port");
        let mut server = Server { dir: dir.join("broker"), port: port.port(), running: None };
        server.up();
        server
    }

    fn up(&mut self) {
        let program = program();
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL"])
            .arg(program)
            .args(["start", "--only", "kafka", "--kafka-port", &self.port.to_string()])
            .arg("--data-dir")
            .arg(&self.dir)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        self.running = Some(child.expect("it starts"));
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(began.elapsed() < Duration::from_secs(60), "the broker does not answer");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends it in good order, by which it keeps what it has.
    fn down(&mut self) {
        let Some(mut child) = self.running.take() else { return };
        let _ = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
        child.wait().expect("ours");
    }

    fn signal(&self, which: &str) {
        signal(self.running.as_ref().expect("it runs"), which);
    }

    /// As a sink names it.
    fn properties(&self, dir: &Path, prefix: &str) -> String {
        let path = dir.join(format!("{prefix}properties"));
        let text = format!(
            "# what this broker needs\nbootstrap.servers=127.0.0.1:{}\ntopic.prefix={prefix}\n\
             receive.message.max.bytes=1000000000\nsocket.timeout.ms=1000\n",
            self.port
        );
        fs::write(&path, text).expect("ours");
        format!("file:{}", path.display())
    }

    fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", format!("127.0.0.1:{}", self.port));
        config.set("receive.message.max.bytes", "1000000000");
        config
    }

    /// The committed messages of a topic: key and value.
    fn read(&self, topic: &str) -> Vec<(String, Option<String>)> {
        let mut config = self.client();
        config.set("group.id", "test").set("isolation.level", "read_committed");
        config.set("enable.partition.eof", "true");
        let consumer: BaseConsumer = config.create().expect("a consumer");
        let mut all = TopicPartitionList::new();
        all.add_partition_offset(topic, 0, Offset::Beginning).expect("an offset");
        consumer.assign(&all).expect("assigned");
        let (mut messages, began) = (Vec::new(), Instant::now());
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
        loop {
            match consumer.poll(Duration::from_secs(5)) {
                Some(Ok(message)) => {
                    let key = text(message.key().expect("a key"));
                    messages.push((key, message.payload().map(text)));
                }
                Some(Err(KafkaError::PartitionEOF(_))) => return messages,
                _ => assert!(began.elapsed() < Duration::from_secs(60), "{topic} cannot be read"),
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.down();
        let _ = fs::remove_dir_all(&self.dir);
    }
}

const VIEWS: [&str; 3] = ["hourly_transactions", "transactions_by_hour_of_day", "velocity"];

/// The payments of the made-up shop.
fn shop(name: &str, events: &str) -> (PathBuf, String) {
    let root = directory(name);
    let out = root.join("shop").display().to_string();
    succeed(&["generate", "-q", "--events", events, "--seed", "9", "--out", &out]);
    (root, format!("transactions={out}/transaction.csv"))
}

fn args<'a>(source: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let queries = "hourly_transactions,transactions_by_hour_of_day,velocity";
    let args = ["run", "-q", "--tick", "1m", "--query", queries, "--source", source];
    [&args[..], more].concat()
}

/// What became of each key at each time, by the change log of another sink.
fn logged(dir: &Path, view: &str) -> Vec<(String, Value)> {
    let text = fs::read_to_string(dir.join(format!("{view}.changes.jsonl"))).expect("written");
    let keys: &[&str] = match view {
        "velocity" => &["transaction_id", "time", "by", "key"],
        "hourly_transactions" => &["hour"],
        _ => &["hour_of_day"],
    };
    let mut all: BTreeMap<(i64, String), (Value, Value)> = BTreeMap::new();
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).expect("JSON");
        let time: jiff::Timestamp = line["time"].as_str().expect("a time").parse().expect("one");
        let cells = keys.iter().map(|key| format!("\"{key}\":{}", line["row"][key]));
        let key = format!("{{{}}}", cells.collect::<Vec<_>>().join(","));
        let (before, after) = all.entry((time.as_millisecond(), key)).or_default();
        let side = if line["diff"] == 1 { after } else { before };
        *side = line["row"].clone();
    }
    let message = |((time, key), (before, after)): ((i64, String), (Value, Value))| {
        let op = match (before.is_null(), after.is_null()) {
            (false, false) => "u",
            (true, _) => "c",
            (_, true) => "d",
        };
        let source = serde_json::json!({"connector": "tidemill", "table": view, "ts_ms": time});
        let value = serde_json::json!({
            "before": before, "after": after, "source": source, "op": op, "ts_ms": time
        });
        (key, value)
    };
    all.into_iter().map(message).collect()
}

fn compare(server: &Server, prefix: &str, dir: &Path) {
    for view in VIEWS {
        let want = logged(dir, view);
        assert!(want.len() > 20, "{view} has {} changes", want.len());
        let got: Vec<(String, Value)> = server
            .read(&format!("{prefix}{view}"))
            .into_iter()
            .map(|(key, value)| {
                (key, serde_json::from_str(&value.expect("a value")).expect("JSON"))
            })
            .collect();
        let (first, of) =
            (got.iter().zip(&want).position(|(a, b)| a != b), (got.len(), want.len()));
        assert!(got == want, "{view}: {of:?} messages, the first that differs is {first:?}");
    }
}

#[test]
fn topics_have_the_change_log_or_the_rows() {
    let (root, source) = shop("kafka-log", "20000");
    let server = Server::start(&root);
    let (log, csv) = (format!("jsonl:{}", root.display()), format!("csv:{}", root.display()));
    let changes = format!("kafka:{}", server.properties(&root, "log."));
    let rows = format!("kafka-upsert:{}", server.properties(&root, "rows."));
    let sinks = ["--sink", &log, "--sink", &csv, "--sink", &changes, "--sink", &rows];
    succeed(&args(&source, &sinks));
    compare(&server, "log.", &root);
    for view in VIEWS {
        let mut table = BTreeMap::new();
        for (key, value) in server.read(&format!("rows.{view}")) {
            match value {
                Some(value) => table.insert(key, value),
                None => table.remove(&key),
            };
        }
        let mut want = BTreeMap::new();
        for (key, value) in logged(&root, view) {
            match &value["after"] {
                Value::Null => want.remove(&key),
                row => want.insert(key, row.clone()),
            };
        }
        let lines = fs::read_to_string(root.join(format!("{view}.csv"))).expect("written");
        assert_eq!(table.len(), lines.lines().count() - 1);
        let rows =
            table.into_iter().map(|(key, row)| (key, serde_json::from_str(&row).expect("JSON")));
        assert!(rows.collect::<BTreeMap<String, Value>>() == want, "{view}");
    }
    let nowhere = root.join("nowhere");
    for (text, says) in [
        ("topic.prefix=x", "bootstrap.servers"),
        ("bootstrap.servers=127.0.0.1:1\nno.such=hush", "no.such is not accepted"),
        ("bootstrap.servers=127.0.0.1:1\nhush", "a line is no property"),
    ] {
        fs::write(&nowhere, text).expect("ours");
        let sink = format!("kafka:file:{}", nowhere.display());
        fail(2, &args(&source, &["--sink", &sink]), &[says]);
        let said = program::run(&args(&source, &["--sink", &sink]));
        assert!(!String::from_utf8_lossy(&said.stderr).contains("hush"));
    }
}

fn start(root: &Path, args: &[&str]) -> Child {
    let mut program = Command::new(env!("CARGO_BIN_EXE_tidemill"));
    program.args(args).current_dir(root).stderr(Stdio::piped()).spawn().expect("it starts")
}

fn signal(child: &Child, which: &str) {
    let id = child.id().to_string();
    assert!(Command::new("kill").args([which, &id]).status().expect("kill").success());
}

/// Waits until more is committed; false if the run ends before.
fn advances(server: &Server, topic: &str, run: &mut Child) -> bool {
    let (before, began) = (server.read(topic).len(), Instant::now());
    while server.read(topic).len() <= before {
        if run.try_wait().expect("ours").is_some() {
            return false;
        }
        assert!(began.elapsed() < Duration::from_secs(120), "nothing is committed");
        std::thread::sleep(Duration::from_millis(20));
    }
    true
}

#[test]
fn killed_and_with_a_broker_that_does_not_answer_each_change_is_there_once() {
    let (root, source) = shop("kafka-kill", "60000");
    let server = Server::start(&root);
    let log = format!("jsonl:{}", root.display());
    succeed(&args(&source, &["--sink", &log]));
    let sink = format!("kafka:{}", server.properties(&root, "kill."));
    let state = root.join("state").display().to_string();
    let often = ["--checkpoint-every", "50ms", "--checkpoint-share", "100%"];
    let kept = [&["--sink", &sink, "--state", &state], &often[..]].concat();
    let kept = args(&source, &kept);
    let mut kills = 0;
    for (step, workers) in ["2", "1", "3"].into_iter().enumerate() {
        let rate = ["--rate", "150/s", "--workers", workers];
        let mut child = start(&root, &[&kept[..], &rate].concat());
        let lives = advances(&server, "kill.hourly_transactions", &mut child);
        if step == 1 {
            // It answers nobody for a while. (A restart would try the broker and not us: this one
            // hides transactions that were open or committed just before its end.)
            server.signal("-STOP");
            std::thread::sleep(Duration::from_millis(3500));
            assert!(child.try_wait().expect("ours").is_none(), "it ended with the broker");
            server.signal("-CONT");
            assert!(advances(&server, "kill.hourly_transactions", &mut child), "it does not go on");
        }
        kills += u32::from(lives && child.try_wait().expect("ours").is_none());
        child.kill().expect("ours");
        child.wait().expect("ours");
    }
    assert!(kills >= 2, "{kills} kills");
    succeed(&kept);
    compare(&server, "kill.", &root);
    succeed(&kept);
    compare(&server, "kill.", &root);
}

#[test]
fn a_run_of_an_earlier_epoch_sends_nothing_more() {
    let (root, source) = shop("kafka-fence", "60000");
    let server = Server::start(&root);
    let sink = format!("kafka:{}", server.properties(&root, "fence."));
    let state = root.join("state").display().to_string();
    let kept =
        ["--sink", &sink, "--state", &state, "--checkpoint-every", "50ms", "--rate", "500/s"];
    let mut child = start(&root, &args(&source, &kept));
    assert!(advances(&server, "fence.hourly_transactions", &mut child));
    // As the next run of the state would begin.
    let (id, _) = server.read("fence.tidemill_progress").pop().expect("whose it is");
    let mut config = server.client();
    config.set("transactional.id", format!("tidemill-{id}-fence."));
    let next: BaseProducer = config.create().expect("a producer");
    next.init_transactions(Duration::from_secs(30)).expect("it takes over");
    let then = server.read("fence.hourly_transactions");
    let ended = child.wait_with_output().expect("ours");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(1), "{said}");
    assert!(said.contains("another run of the same state"), "{said}");
    assert!(server.read("fence.hourly_transactions") == then, "it has sent nevertheless");
}
