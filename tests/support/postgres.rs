//! A real PostgreSQL server for tests, on a port of its own, which ends with the test.

#![allow(dead_code, reason = "each test binary uses its part")]

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

/// What nobody may ever read in what the program says.
pub const PASSWORD: &str = "hush-4711";

/// A server.
pub struct Server {
    dir: PathBuf,
    port: u16,
    running: Option<Child>,
}

impl Server {
    /// Makes one in a directory and starts it.
    pub fn start(dir: &Path) -> Server {
        let dir = dir.join("pg");
        let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port");
        fs::create_dir_all(&dir).expect("a directory");
        let password = dir.join("password");
        fs::write(&password, PASSWORD).expect("a file");
        let own = Command::new("chown").args(["-R", "postgres"]).arg(&dir).status();
        assert!(own.expect("chown").success() || !is_root());
        let mut server = Server { dir, port: port.port(), running: None };
        let made = server
            .program("initdb")
            .args(["-U", "postgres", "-A", "scram-sha-256", "-E", "UTF8", "--locale=C", "-N", "-D"])
            .arg(server.data())
            .arg(format!("--pwfile={}", password.display()))
            .output()
            .expect("initdb starts");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        server.up();
        server
    }

    fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    /// A program of PostgreSQL, as a user that it accepts.
    fn program(&self, name: &str) -> Command {
        let path = programs().join(name);
        let mut command = Command::new("setpriv");
        if is_root() {
            command.args(["--reuid", "postgres", "--regid", "postgres", "--clear-groups"]);
        }
        // It goes with the test, also if that is killed.
        command.args(["--pdeathsig", "KILL"]).arg(path).current_dir(&self.dir);
        command
    }

    /// Starts it, and waits until it answers.
    pub fn up(&mut self) {
        assert!(self.running.is_none());
        let child = self
            .program("postgres")
            .args(["-F", "-c", "listen_addresses=127.0.0.1", "-c", "log_min_messages=fatal", "-k"])
            .arg(&self.dir)
            .args(["-p", &self.port.to_string(), "-D"])
            .arg(self.data())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("postgres starts");
        self.running = Some(child);
        let began = Instant::now();
        while Db::open(&self.url()).is_err() {
            assert!(began.elapsed() < Duration::from_secs(60), "the server does not answer");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends it at once, whoever is connected.
    pub fn down(&mut self) {
        let Some(mut child) = self.running.take() else { return };
        let id = child.id().to_string();
        // The quick end: everybody is thrown out, nothing is waited for.
        let _ = Command::new("kill").args(["-QUIT", &id]).status();
        child.wait().expect("it is ours");
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("postgresql://postgres:{PASSWORD}@127.0.0.1:{}/postgres", self.port)
    }

    /// The same in a file, as a sink names it.
    pub fn sink(&self) -> String {
        let path = self.dir.join("url");
        fs::write(&path, self.url()).expect("a file");
        format!("postgres:file:{}", path.display())
    }

    /// A connection of the test.
    pub fn db(&self) -> Db {
        Db::open(&self.url()).expect("it answers")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.down();
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// A connection.
pub struct Db {
    runtime: Runtime,
    client: Client,
}

impl Db {
    /// Connects to a server.
    pub fn open(url: &str) -> Result<Db, tokio_postgres::Error> {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let client = runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
            tokio::spawn(connection);
            client.batch_execute("SET timezone = 'UTC'; SET datestyle = 'ISO'").await?;
            Ok::<_, tokio_postgres::Error>(client)
        })?;
        Ok(Db { runtime, client })
    }

    /// The rows of a statement, or of the last of several, as texts; what is null is empty.
    pub fn rows(&self, sql: &str) -> Vec<Vec<String>> {
        self.try_rows(sql).unwrap_or_else(|e| panic!("{sql}: {e:?}"))
    }

    /// The same, if the server is there.
    pub fn try_rows(&self, sql: &str) -> Result<Vec<Vec<String>>, tokio_postgres::Error> {
        let messages = self.runtime.block_on(self.client.simple_query(sql))?;
        let row = |message: &SimpleQueryMessage| match message {
            SimpleQueryMessage::Row(row) => {
                Some((0..row.len()).map(|i| row.get(i).unwrap_or("").to_owned()).collect())
            }
            _ => None,
        };
        Ok(messages.iter().filter_map(row).collect())
    }
}

fn is_root() -> bool {
    nix::unistd::Uid::effective().is_root()
}

/// The newest PostgreSQL that is installed.
fn programs() -> PathBuf {
    let all = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = all.map(|entry| entry.path().join("bin")).max();
    newest.expect("PostgreSQL is installed (make postgres)")
}
