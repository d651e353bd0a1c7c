//! `tidemill watch VIEW`: follows a view that some run serves.

use crate::error::Error;
use crate::serve::{ADDRESS, VARIABLE};
use crate::shown::{VALUE, shown};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::Duration;

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  tidemill watch hourly_transactions
  tidemill watch risk_decisions --news --format json | jq 'select(.row.decision == \"review\")'
  tidemill watch stream_health --at 127.0.0.1:8000")]
pub struct Args {
    /// The view
    #[arg(value_name = "VIEW")]
    view: String,
    /// Where it is served
    #[arg(long, value_name = "ADDR", default_value = ADDRESS)]
    at: String,
    /// A file with the token that is asked for there; or the variable TIDEMILL_TOKEN
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Only what changes from now on
    #[arg(long)]
    news: bool,
    /// How rows are written: each on a line, + where it appears and - where it goes, or JSON
    #[arg(long, default_value = "text")]
    format: Format,
}

#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq)]
enum Format {
    Text,
    Json,
}

/// How long a connection may be silent: something is sent every 15 seconds.
const SILENCE: Duration = Duration::from_secs(45);
/// How soon to connect again, at first and at most.
const AGAIN: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

/// Why nothing more is read.
enum End {
    /// Whoever reads what is written has gone, or nothing more can come.
    Done,
    /// The connection is gone.
    Lost(String),
}

impl Args {
    pub fn run(self) -> Result<(), Error> {
        let token = match &self.token_file {
            Some(path) => Some(std::fs::read_to_string(path).map_err(Error::file(path))?),
            None => std::env::var(VARIABLE).ok(),
        };
        let mut last = None;
        let (mut connected, mut wait) = (false, AGAIN.0);
        loop {
            match self.connect(token.as_deref(), last.as_deref())? {
                Ok(stream) => {
                    (connected, wait) = (true, AGAIN.0);
                    match self.follow(stream, &mut last)? {
                        End::Done => return Ok(()),
                        End::Lost(why) => super::say(&format!("{}: {why}; trying again", self.at)),
                    }
                }
                // Nothing was there yet: the address is wrong, or nothing is served.
                Err(why) if !connected => {
                    return Err(Error::Usage(format!(
                        "--at {}: {why}; is a run with --serve going on there?",
                        self.at
                    )));
                }
                Err(_) => {}
            }
            std::thread::sleep(wait);
            wait = (2 * wait).min(AGAIN.1);
        }
    }

    /// Subscribes, from behind the event that was read last; the inner error is that nobody answers.
    fn connect(
        &self,
        token: Option<&str>,
        last: Option<&str>,
    ) -> Result<Result<BufReader<TcpStream>, String>, Error> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let view: String = self.view.chars().filter(|c| plain(*c)).collect();
        let host = self.at.trim_start_matches("http://").trim_end_matches('/');
        let snapshot = if self.news { "?snapshot=false" } else { "" };
        // Of this version the answer is what comes, until the connection is closed.
        let mut request =
            format!("GET /v1/views/{view}/subscribe{snapshot} HTTP/1.0\r\nHost: {host}\r\n");
        if let Some(token) = token {
            request.push_str(&format!("Authorization: Bearer {}\r\n", token.trim()));
        }
        if let Some(last) = last {
            request.push_str(&format!("Last-Event-ID: {last}\r\n"));
        }
        request.push_str("\r\n");
        let asked = || {
            let mut stream = TcpStream::connect(host)?;
            stream.set_read_timeout(Some(SILENCE))?;
            stream.write_all(request.as_bytes())?;
            let mut stream = BufReader::new(stream);
            let mut status = String::new();
            stream.read_line(&mut status)?;
            let mut line = String::new();
            while stream.read_line(&mut line)? > 2 {
                line.clear();
            }
            Ok::<_, std::io::Error>((status, stream))
        };
        let (status, mut stream) = match asked() {
            Ok(answer) => answer,
            Err(error) => return Ok(Err(error.to_string())),
        };
        if status.split(' ').nth(1) == Some("200") {
            return Ok(Ok(stream));
        }
        let mut text = String::new();
        let _ = stream.by_ref().take(1 << 16).read_to_string(&mut text);
        let told: Value = serde_json::from_str(&text).unwrap_or_default();
        let part = |name: &str| told["error"][name].as_str().unwrap_or_default().to_owned();
        Err(Error::Usage(format!("{host}: {}; {}", part("what"), part("do"))))
    }

    /// Writes what comes.
    fn follow(
        &self,
        mut stream: BufReader<TcpStream>,
        last: &mut Option<String>,
    ) -> Result<End, Error> {
        let (mut event, mut line) = (String::new(), String::new());
        loop {
            line.clear();
            match stream.read_line(&mut line) {
                Ok(0) => return Ok(End::Lost("the connection was closed".into())),
                Err(error) => return Ok(End::Lost(error.to_string())),
                Ok(_) => {}
            }
            match line.trim_end().split_once(": ") {
                Some(("event", name)) => event = name.to_owned(),
                Some(("id", id)) => *last = Some(id.to_owned()),
                Some(("data", data)) => {
                    let Ok(told) = serde_json::from_str(data) else {
                        let what = format!("{}: it tells something else than a view", self.at);
                        return Err(Error::Usage(what));
                    };
                    if !self.write(&event, told)? {
                        return Ok(End::Done);
                    }
                }
                _ => {}
            }
        }
    }

    /// Writes the rows of an event; false where nobody reads any more or nothing more comes.
    fn write(&self, event: &str, told: Told) -> Result<bool, Error> {
        let mut out = String::new();
        let frontier = told.frontier.as_deref().unwrap_or("-");
        let rows = told.rows.into_iter().map(|row| Change { diff: 1, row });
        for change in rows.chain(told.changes) {
            self.line(&change, frontier, &mut out);
        }
        if event == "stale" {
            super::say("too much was missed; the view follows as it is now");
        }
        let mut stdout = std::io::stdout().lock();
        match stdout.write_all(out.as_bytes()).and_then(|()| stdout.flush()) {
            Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => return Ok(false),
            written => written.map_err(Error::file("standard output"))?,
        }
        Ok(!told.ended || !told.last)
    }

    fn line(&self, Change { diff, row }: &Change, frontier: &str, out: &mut String) {
        if self.format == Format::Json {
            let cells = row.0.iter().map(|(name, value)| format!("{}:{value}", json!(name)));
            let cells = cells.collect::<Vec<_>>().join(",");
            out.push_str(&format!(
                "{{\"frontier\":{},\"diff\":{diff},\"row\":{{{cells}}}}}\n",
                json!(frontier)
            ));
            return;
        }
        let cells = row.0.iter().map(|(name, value)| {
            let text = match serde_json::from_str(value.get()) {
                Ok(Value::Null) => "-".into(),
                Ok(Value::String(text)) => shown(&text, VALUE),
                // As it is written, with all its digits.
                _ => value.to_string(),
            };
            format!("{}={text}", shown(name, VALUE))
        });
        let sign = if *diff < 0 { '-' } else { '+' };
        out.push_str(&format!("{sign} {}\n", cells.collect::<Vec<_>>().join("  ")));
    }
}

/// What an event says.
#[derive(serde::Deserialize)]
struct Told {
    frontier: Option<String>,
    ended: bool,
    #[serde(default)]
    rows: Vec<Row>,
    #[serde(default)]
    changes: Vec<Change>,
    /// Whether it is the last piece of a snapshot, or none.
    #[serde(default = "yes")]
    last: bool,
}

fn yes() -> bool {
    true
}

#[derive(serde::Deserialize)]
struct Change {
    diff: i64,
    row: Row,
}

/// A row's cells with their names, in their order.
struct Row(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Row {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Row, D::Error> {
        struct Cells;
        impl<'de> Visitor<'de> for Cells {
            type Value = Row;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a row")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Row, A::Error> {
                let mut cells = Vec::new();
                while let Some(cell) = map.next_entry()? {
                    cells.push(cell);
                }
                Ok(Row(cells))
            }
        }
        deserializer.deserialize_map(Cells)
    }
}
