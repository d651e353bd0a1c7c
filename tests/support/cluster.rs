//! Processes of a cluster on this machine, each as a user starts it.

#![allow(dead_code, reason = "each test binary uses its part")]

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Long enough for a machine that is busy with other tests; nothing is expected to take it.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// What a process said and how it ended.
pub struct Ended {
    pub code: Option<i32>,
    pub said: String,
}

/// A cluster to be started, with ports and a place of its own.
pub struct Run {
    pub dir: PathBuf,
    pub ports: Vec<u16>,
    pub hosts: String,
}

impl Run {
    pub fn new(dir: &Path, processes: usize) -> Run {
        // All are held until all are known, so that they differ.
        let held: Vec<_> =
            (0..processes).map(|_| TcpListener::bind("127.0.0.1:0").expect("a port")).collect();
        let ports: Vec<u16> =
            held.iter().map(|l| l.local_addr().expect("an address").port()).collect();
        let hosts = dir.join(format!("hosts-{}", ports[0]));
        let lines: Vec<String> = ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
        fs::write(&hosts, lines.join("\n")).expect("a file");
        let hosts = hosts.to_str().expect("UTF-8").to_string();
        Run { dir: dir.to_path_buf(), ports, hosts }
    }

    pub fn command(&self, process: usize, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidemill"));
        command.args(["run", "-q", "--workers", "1", "--hostfile", &self.hosts]);
        command.args(["--processes", &self.ports.len().to_string()]);
        command.args(["--process", &process.to_string()]).args(args);
        command.env("TIDEMILL_SECRET", "a secret of this test").current_dir(&self.dir);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        command
    }

    pub fn start(&self, process: usize, args: &[&str]) -> Child {
        self.command(process, args).spawn().expect("starts")
    }
}

/// Waits for processes; one that does not end is a failure and not a hanging test.
pub fn end(children: Vec<Child>) -> Vec<Ended> {
    let deadline = Instant::now() + PATIENCE;
    let wait = |mut child: Child| {
        while child.try_wait().expect("a child").is_none() {
            if Instant::now() > deadline {
                let _ = child.kill();
                let said = child.wait_with_output().expect("a child").stderr;
                panic!("a process does not end; it said {}", String::from_utf8_lossy(&said));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let output = child.wait_with_output().expect("a child");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        Ended { code: output.status.code(), said }
    };
    children.into_iter().map(wait).collect()
}

/// Runs a cluster, with a fresh set of ports where one was taken by another test meanwhile.
pub fn together(dir: &Path, start: impl Fn(&Run) -> Vec<Child>, processes: usize) -> Vec<Ended> {
    for _ in 0..5 {
        let ended = end(start(&Run::new(dir, processes)));
        if !ended.iter().any(|e| e.said.contains("cannot listen")) {
            return ended;
        }
    }
    panic!("no free ports in five tries");
}
