//! Records from a broker that speaks Kafka's protocol, over the wire: each counts once, though the run is
//! killed and the broker goes away and comes back.
//!
//! The broker is `noida-db`, which `make kafka` puts in `target/kafka`.

#[path = "support/http.rs"]
mod http;
#[path = "support/program.rs"]
mod program;

use http::{Served, json};
use program::{directory, fail, succeed};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

const TOPIC: &str = "payments";

/// A broker, ended when it is dropped.
struct Broker {
    process: Child,
    port: u16,
    data: PathBuf,
}

impl Broker {
    fn start(data: &Path, port: Option<u16>) -> Broker {
        let free =
            || TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port");
        let port = port.unwrap_or_else(|| free().port());
        let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../kafka/noida-db");
        let process = Command::new(&program)
            .args(["start", "--only", "kafka", "--kafka-port", &port.to_string(), "--data-dir"])
            .arg(data)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|e| panic!("{}: {e}; make kafka puts it there", program.display()));
        let broker = Broker { process, port, data: data.to_owned() };
        let began = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(began.elapsed() < Duration::from_secs(60), "the broker does not listen");
            sleep(Duration::from_millis(50));
        }
        broker
    }

    fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Stops it in good order, and starts it again after a while.
    fn again(mut self) -> Broker {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().expect("kill").success());
        self.process.wait().expect("ours");
        assert!(TcpListener::bind(("127.0.0.1", self.port)).is_ok(), "it is still there");
        sleep(Duration::from_millis(700));
        Broker::start(&self.data.clone(), Some(self.port))
    }

    /// Makes the topic, of three partitions.
    fn topic(&self) {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.address());
        let admin: AdminClient<DefaultClientContext> = config.create().expect("a client");
        let (topics, options) =
            ([NewTopic::new(TOPIC, 3, TopicReplication::Fixed(1))], AdminOptions::new());
        let made = admin.create_topics(&topics, &options);
        futures_util::FutureExt::now_or_never(Box::pin(made));
        sleep(Duration::from_millis(1500));
    }

    /// Sends messages, and waits until the broker has them.
    fn send(&self, messages: impl Iterator<Item = (i32, Option<String>)>) {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.address()).set("message.timeout.ms", "20000");
        let producer: BaseProducer = config.create().expect("a producer");
        for (partition, text) in messages {
            let mut record = BaseRecord::<str, str>::to(TOPIC).partition(partition).key("k");
            if let Some(text) = &text {
                record = record.payload(text);
            }
            while let Err((error, again)) = producer.send(record) {
                assert!(error.to_string().contains("QueueFull"), "{error}");
                producer.poll(Duration::from_millis(10));
                record = again;
            }
        }
        producer.flush(Duration::from_secs(30)).expect("sent");
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A payment without an id: one that came twice would count twice.
fn payment(i: usize) -> (i32, Option<String>) {
    let (day, minute) = (1 + i % 25, i % 60);
    let time = format!("2026-11-{day:02}T10:{minute:02}:00Z");
    let text = format!(
        "{{\"at\":\"{time}\",\"order\":{{\"total\":\"1.50\"}},\"item_id\":\"i{}\"}}",
        i % 7
    );
    ((i % 3) as i32, Some(text))
}

fn counted(address: &str) -> u64 {
    let view = json(address, "/v1/views/hourly_transactions");
    let rows = view["rows"].as_array().expect("rows").iter();
    rows.map(|row| row["count"].as_u64().expect("a count")).sum()
}

#[test]
fn each_message_counts_once_though_both_sides_go_away() {
    let dir = directory("kafka");
    let place = |name: &str| dir.join(name).display().to_string();
    let mut broker = Broker::start(&dir.join("broker"), None);
    broker.topic();
    let config = format!(
        "[state]\nstate = {:?}\ncheckpoint_every = \"300ms\"\ncheckpoint_share = \"100%\"\n[clock]\ntick = \"200ms\"\n\
         [serve]\nserve = \"127.0.0.1:0\"\n[run]\nquery = [\"hourly_transactions\", \"top_items_hourly\"]\n\
         [clean]\ndead_letters = {:?}\n\
         [[source]]\nstream = \"transactions\"\n[source.kafka]\nbrokers = {:?}\ntopics = {TOPIC:?}\n\
         [source.fields]\ntransaction_time = \"at\"\namount = \"order.total\"\n",
        place("state"),
        place("dead.jsonl"),
        broker.address()
    );
    fs::write(dir.join("shop.toml"), config).expect("ours");
    let file = place("shop.toml");
    let start =
        |workers: &str| Served::start(&["run", "--config", &file, "--workers", workers], "");

    // A history, and two that are no record and one that is none at all.
    broker.send((0..2000).map(payment));
    broker
        .send([(0, Some("no JSON".into())), (1, Some("{\"x\":1}".into())), (2, None)].into_iter());
    let mut served = start("2");
    served.wait("/v1/status", |_| counted(&served.address) >= 1000);
    drop(served); // by SIGKILL
    served = start("1");
    broker.send((2000..3000).map(payment));
    broker = broker.again();
    broker.send((3000..4000).map(payment));
    served.wait("/v1/status", |_| counted(&served.address) >= 3200);
    drop(served);
    broker.send((4000..5000).map(payment));
    served = start("3");
    broker = broker.again();
    broker.send((5000..5500).map(payment));
    served.wait("/v1/status", |_| counted(&served.address) >= 5500);
    sleep(Duration::from_millis(700));
    assert_eq!(counted(&served.address), 5500);
    assert_eq!(served.interrupt(), Some(130));
    let dead = fs::read_to_string(dir.join("dead.jsonl")).expect("written");
    assert_eq!(dead.lines().count(), 2, "{dead}");
    assert!(dead.contains("the message is no object of JSON"), "{dead}");
    let told = succeed(&["verify", "-q", "--config", &file]);
    assert!(told.lines().count() == 2 && !told.contains("DIFFERS"), "{told}");
}

#[test]
fn what_cannot_be_asked_for_is_refused() {
    let dir = directory("kafka-refused");
    let refused = |more: &str, says: &[&str]| {
        let file = dir.join("shop.toml").display().to_string();
        let config = format!(
            "[state]\nstate = {:?}\n[serve]\nserve = \"127.0.0.1:0\"\n[[source]]\nstream = \"transactions\"\n\
             [source.kafka]\nbrokers = \"127.0.0.1:1\"\ntopics = [\"a\"]\n{more}\n",
            dir.join("state").display().to_string()
        );
        fs::write(&file, config).expect("ours");
        fail(2, &["run", "--config", &file], says);
    };
    refused("start = \"yesterday\"", &["expected earliest, latest, stored or a time"]);
    refused("expired = \"no\"", &["expected error or earliest"]);
    refused("options = { \"sasl.password\" = \"x\" }", &["a secret does not stand in the file"]);
    refused(
        "options = { \"sasl.password\" = \"env:NOT_SET_HERE\" }",
        &["env:NOT_SET_HERE: there is no such variable"],
    );
    refused("options = { \"no.such\" = \"x\" }", &["no.such"]);
    refused("topic = \"b\"", &["unknown field"]);
}
