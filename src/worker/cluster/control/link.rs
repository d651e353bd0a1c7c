//! One connection of the control of a run: messages as lines of JSON, sent and taken without
//! waiting.

use super::Message;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// The longest message.
const LIMIT: usize = 64 << 10;

pub(super) struct Link {
    /// Who is at the other end.
    pub process: usize,
    stream: TcpStream,
    unread: Vec<u8>,
    unsent: Vec<u8>,
    /// When something came last.
    pub heard: Instant,
    gone: Option<&'static str>,
}

impl Link {
    pub(super) fn new(process: usize, stream: TcpStream) -> io::Result<Link> {
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        let (unread, unsent) = (Vec::new(), Vec::new());
        Ok(Link { process, stream, unread, unsent, heard: Instant::now(), gone: None })
    }

    /// The messages that have come.
    pub(super) fn read(&mut self) -> Vec<Message> {
        let mut bytes = [0; 4096];
        while self.gone.is_none() && self.unread.len() <= LIMIT {
            match self.stream.read(&mut bytes) {
                Ok(0) => self.gone = Some("is gone"),
                Ok(n) => {
                    self.heard = Instant::now();
                    self.unread.extend_from_slice(&bytes[..n]);
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                Err(_) => self.gone = Some("is gone"),
            }
        }
        // What it said before it went counts.
        let end = self.unread.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let whole: Vec<u8> = self.unread.drain(..end).collect();
        if self.unread.len() > LIMIT {
            self.gone = Some("says what no tidemill says");
        }
        let mut messages = Vec::new();
        for line in whole.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            match serde_json::from_slice(line) {
                Ok(message) => messages.push(message),
                Err(_) => self.gone = Some("says what no tidemill says"),
            }
        }
        messages
    }

    /// Sends a message when there is room.
    pub(super) fn say(&mut self, message: &Message) {
        // A reader that does not keep up is told of the end when it does, and is silent till then.
        if self.unsent.len() <= LIMIT || matches!(message, Message::End(_) | Message::Done(_)) {
            // Plain numbers and text: serialising them cannot fail.
            self.unsent.extend(serde_json::to_vec(message).unwrap_or_default());
            self.unsent.push(b'\n');
        }
    }

    /// Sends what there is room for; whether that was all.
    pub(super) fn flush(&mut self) -> bool {
        while !self.unsent.is_empty() {
            match self.stream.write(&self.unsent) {
                Ok(n) if n > 0 => drop(self.unsent.drain(..n)),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => return false,
                // Reading tells that the other is gone, after what it said before that.
                _ => self.unsent.clear(),
            }
        }
        true
    }

    pub(super) fn is_gone(&self) -> bool {
        self.gone.is_some()
    }

    /// How the other was lost, if it was.
    pub(super) fn lost(&mut self, silence: Duration) -> Option<String> {
        if self.gone.is_none() && self.heard.elapsed() > silence {
            return Some(format!("has said nothing for {} s", silence.as_secs_f64()));
        }
        self.gone.map(String::from)
    }
}
