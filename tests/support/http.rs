//! Just enough of HTTP to ask a run that serves its views, and a run that does.

#![allow(dead_code, reason = "each test binary uses its part")]

use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

/// An answer.
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.body))
    }

    /// What is said to be wrong, and what to do.
    pub fn problem(&self) -> String {
        let error = &self.json()["error"];
        format!("{} / {} / {}", error["where"], error["what"], error["do"])
    }
}

/// The body of an answer as it comes.
pub struct Stream {
    input: BufReader<TcpStream>,
    chunked: bool,
    /// What is left of the chunk that is read.
    left: usize,
}

impl Read for Stream {
    fn read(&mut self, room: &mut [u8]) -> std::io::Result<usize> {
        if !self.chunked {
            return self.input.read(room);
        }
        if self.left == 0 {
            let mut line = String::new();
            self.input.read_line(&mut line)?;
            if line == "\r\n" {
                line.clear();
                self.input.read_line(&mut line)?;
            }
            self.left = usize::from_str_radix(line.trim(), 16).unwrap_or(0);
            if self.left == 0 {
                return Ok(0);
            }
        }
        let most = room.len().min(self.left);
        let read = self.input.read(&mut room[..most])?;
        self.left -= read;
        Ok(read)
    }
}

/// Sends a request as it stands, and reads the head of the answer.
pub fn begin(address: &str, request: &str) -> (u16, Vec<(String, String)>, Stream) {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(120))).expect("a timeout");
    stream.write_all(request.as_bytes()).expect("it takes requests");
    let mut input = BufReader::new(stream);
    let mut line = String::new();
    input.read_line(&mut line).expect("an answer");
    let status = line.split(' ').nth(1).and_then(|s| s.parse().ok()).expect("a status");
    let mut headers = Vec::new();
    loop {
        line.clear();
        input.read_line(&mut line).expect("headers");
        let Some((name, value)) = line.trim().split_once(':') else { break };
        headers.push((name.to_lowercase(), value.trim().to_string()));
    }
    let chunked = headers.iter().any(|(n, v)| n == "transfer-encoding" && v == "chunked");
    (status, headers, Stream { input, chunked, left: 0 })
}

/// A request of a method, with more headers.
pub fn ask(address: &str, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    let host = headers.iter().any(|(name, _)| *name == "Host");
    let host = if host { String::new() } else { format!("Host: {address}\r\n") };
    let more: String = headers.iter().map(|(n, v)| format!("{n}: {v}\r\n")).collect();
    let request = format!("{method} {path} HTTP/1.1\r\n{host}{more}Connection: close\r\n\r\n");
    let (status, headers, mut stream) = begin(address, &request);
    let mut body = String::new();
    if method != "HEAD" {
        stream.read_to_string(&mut body).expect("a body");
    }
    Answer { status, headers, body }
}

/// Sends something to a path; nothing if nobody is there, or is gone before the answer.
pub fn post(address: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Option<Answer> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(120))).ok()?;
    let more: String = headers.iter().map(|(n, v)| format!("{n}: {v}\r\n")).collect();
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\n{more}Content-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body)).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let mut lines = head.lines();
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers = lines.filter_map(|line| line.split_once(':'));
    let headers = headers.map(|(n, v)| (n.to_lowercase(), v.trim().to_owned())).collect();
    Some(Answer { status, headers, body: body.to_owned() })
}

/// What is at a path.
pub fn get(address: &str, path: &str) -> Answer {
    ask(address, "GET", path, &[])
}

/// What is at a path, which must be there.
pub fn json(address: &str, path: &str) -> Value {
    let answer = get(address, path);
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    answer.json()
}

/// Percent-encodes a value.
pub fn encoded(text: &str) -> String {
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"-_.~".contains(b);
    let one = |b: u8| if plain(&b) { (b as char).to_string() } else { format!("%{b:02X}") };
    text.bytes().map(one).collect()
}

/// A server-sent event.
#[derive(Clone, Debug)]
pub struct Event {
    pub name: String,
    pub id: Option<String>,
    pub data: Value,
}

/// A subscription.
pub struct Events(BufReader<Stream>);

impl Events {
    /// Subscribes; with the id of the last event that is known.
    pub fn open(address: &str, path: &str, last: Option<&str>) -> Events {
        let last = last.map_or(String::new(), |id| format!("Last-Event-ID: {id}\r\n"));
        let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n{last}\r\n");
        let (status, headers, stream) = begin(address, &request);
        assert_eq!(status, 200, "{path}");
        let mime = headers.iter().find(|(n, _)| n == "content-type").expect("a type");
        assert_eq!(mime.1, "text/event-stream");
        Events(BufReader::new(stream))
    }

    /// The next event; comments and pauses are passed over.
    pub fn next(&mut self) -> Event {
        let mut event = Event { name: String::new(), id: None, data: Value::Null };
        let mut line = String::new();
        loop {
            line.clear();
            assert!(self.0.read_line(&mut line).expect("it goes on") > 0, "it ended");
            let text = line.trim_end_matches('\n');
            match text.split_once(": ") {
                Some(("event", name)) => event.name = name.into(),
                Some(("id", id)) => event.id = Some(id.into()),
                Some(("data", data)) => event.data = serde_json::from_str(data).expect("JSON"),
                _ if text.is_empty() && !event.name.is_empty() => return event,
                _ => {}
            }
        }
    }
}

/// A run that serves its views, ended when it is dropped.
pub struct Served {
    pub run: Child,
    pub address: String,
    /// What it says on standard error, from behind the address on.
    pub said: BufReader<std::process::ChildStderr>,
}

impl Served {
    /// Starts a run; `args` say what is served and where, and `input` is what its standard input
    /// begins with: it waits for a header before it begins.
    pub fn start(args: &[&str], input: &str) -> Served {
        let mut run = Command::new(env!("CARGO_BIN_EXE_tidemill"))
            .current_dir(env!("CARGO_TARGET_TMPDIR"))
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let pipe = run.stdin.as_mut().expect("a pipe");
        pipe.write_all(input.as_bytes()).and_then(|()| pipe.flush()).expect("it reads");
        let mut said = BufReader::new(run.stderr.take().expect("a pipe"));
        let mut line = String::new();
        while !line.contains("serving the views at ") {
            line.clear();
            assert!(said.read_line(&mut line).expect("text") > 0, "it ended: {line}");
        }
        let address = line.trim().split("http://").nth(1).expect("an address");
        let address = address.trim_end_matches('/').to_string();
        Served { run, address, said }
    }

    /// Its standard input.
    pub fn input(&mut self) -> ChildStdin {
        self.run.stdin.take().expect("a pipe")
    }

    /// Reads what it says until a line has this in it.
    pub fn until(&mut self, part: &str) {
        let mut line = String::new();
        while !line.contains(part) {
            line.clear();
            assert!(self.said.read_line(&mut line).expect("text") > 0, "it never said {part}");
        }
    }

    /// Waits until something holds of an answer, and gives the answer.
    pub fn wait(&self, path: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let began = Instant::now();
        loop {
            let answer = json(&self.address, path);
            if holds(&answer) {
                return answer;
            }
            assert!(began.elapsed() < Duration::from_secs(120), "it never holds: {answer}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Sends SIGINT and gives the exit code.
    pub fn interrupt(mut self) -> Option<i32> {
        let id = self.run.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().expect("kill").success());
        self.run.wait().expect("it ends").code()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.run.kill();
        let _ = self.run.wait();
    }
}
